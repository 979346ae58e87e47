/* A response that goes out while it is made: the Runtime API's streaming mode, errors in trailers. Loaded for streaming handlers only. */
'use strict';

const { Writable } = require('stream');

class InvalidStreamingOperation extends Error {}
InvalidStreamingOperation.prototype.name = 'Runtime.InvalidStreamingOperation';

class ResponseStream extends Writable {
	#api;
	#id;
	#out;
	#type = 'application/octet-stream';
	#trailers = '';

	constructor(api, id, highWaterMark) {
		super(highWaterMark > 0 ? { highWaterMark } : {});
		this.#api = api;
		this.#id = id;
		this.taken = new Promise((resolve) => (this.onTaken = resolve)); // the platform has all of it
	}

	setContentType(type) {
		if (this.#out)
			throw new InvalidStreamingOperation('Cannot set content-type, too late.');
		this.#type = String(type).replace(/[\r\n]/g, ' ');
	}

	write(chunk, encoding, done) {
		const first = this._onBeforeFirstWrite;
		if (first) {
			this._onBeforeFirstWrite = undefined;
			first((c) => super.write(c));
		}
		if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array) && chunk !== null)
			chunk = JSON.stringify(chunk);
		return super.write(chunk, encoding, done);
	}

	#open() {
		this.#out ??= this.#api.open(`invocation/${this.#id}/response`, `Content-Type: ${this.#type}\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n` +
			'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n', () => this.onTaken());
		return this.#out;
	}

	_write(chunk, encoding, done) {
		const out = this.#open();
		if (chunk.length)
			out.write(chunk, done);
		else // a chunk without bytes would end the body
			done();
	}

	_final(done) {
		const first = this._onBeforeFirstWrite;
		if (first) { // an HTTP answer without a body
			const parts = [];
			first((c) => parts.push(Buffer.from(c)));
			this.#open().write(Buffer.concat(parts));
		}
		this.#open().end(this.#trailers, done);
	}

	/* Ends the body with the error's document (log.js) in trailers; false when it had ended. */
	fail(document) {
		if (this.writableEnded || this.destroyed)
			return false;
		const type = String(document.errorType).replace(/[^ -~]/g, '?');
		this.#trailers = `Lambda-Runtime-Function-Error-Type: ${type}\r\nLambda-Runtime-Function-Error-Body: ${Buffer.from(JSON.stringify(document)).toString('base64')}\r\n`;
		this._onBeforeFirstWrite = undefined;
		this.end();
		return true;
	}
}

module.exports = { ResponseStream };
