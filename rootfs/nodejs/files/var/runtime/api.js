/*
 * The Runtime API (2018-06-01) over one connection, as fast as node can: requests are written as text, answers are cut out of the bytes.
 *
 * The connection is libuv's TCP handle itself where that can be had, node's net module otherwise. Measured on node 22, spawn to the first `next`
 * (`node -e 0`: 22 ms) and a warm round trip against a bare server: TCP handle 21 ms and 40 us; net 25 ms and 43 us; http 29 ms and 150 us.
 * An answer to an invocation and the request for the next one go out together; the server takes them one after the other.
 */
'use strict';

const BASE = '/2018-06-01/runtime/';
const EMPTY = Buffer.alloc(0);

function rawWire(host, port, onData, onEnd) {
	const { TCP, TCPConnectWrap, constants } = process.binding('tcp_wrap');
	const { WriteWrap, streamBaseState: state, kReadBytesOrError, kArrayBufferOffset, kLastWriteWasAsync } = process.binding('stream_wrap');
	const handle = new TCP(constants.SOCKET);
	const fail = (status) => onEnd(new Error(`the Runtime API: ${require('util').getSystemErrorName(status)}`));
	const connecting = new TCPConnectWrap();
	connecting.oncomplete = (status) => {
		if (status < 0)
			return fail(status);
		handle.setNoDelay(true);
		handle.readStart();
	};
	handle.onread = (bytes) => {
		const n = state[kReadBytesOrError];
		if (n > 0)
			onData(Buffer.from(bytes, state[kArrayBufferOffset], n));
		else if (n < 0)
			onEnd(new Error('the Runtime API closed the connection'));
	};
	const status = handle.connect(connecting, host, port);
	if (status < 0)
		fail(status);

	function write(method, what, done) {
		const request = new WriteWrap();
		request.oncomplete = (result) => (result < 0 ? fail(result) : done && done());
		request.handle = handle;
		request.what = what; // has to live until it is written
		const result = handle[method](request, what);
		if (result < 0)
			fail(result);
		else if (!state[kLastWriteWasAsync] && done)
			process.nextTick(done);
	}
	return {
		text: (text, done) => write('writeUtf8String', text, done),
		bytes: (bytes, done) => write('writeBuffer', bytes, done),
		pending: () => handle.writeQueueSize > 0,
		ref: () => handle.ref(),
		unref: () => handle.unref(),
	};
}

/* Of rawWire() what needs nobody to connect to. */
function warmUp() {
	const { TCP, TCPConnectWrap, constants } = process.binding('tcp_wrap');
	const { WriteWrap } = process.binding('stream_wrap');
	new TCP(constants.SOCKET).close();
	return [new TCPConnectWrap(), new WriteWrap()];
}

function netWire(host, port, onData, onEnd) {
	const socket = require('net').connect({ host, port, noDelay: true });
	socket.on('data', onData).on('error', onEnd).on('end', () => onEnd(new Error('the Runtime API closed the connection')));
	return {
		text: (text, done) => socket.write(text, 'utf8', done),
		bytes: (bytes, done) => socket.write(bytes, done),
		pending: () => socket.writableLength > 0,
		ref: () => socket.ref(),
		unref: () => socket.unref(),
	};
}

function connect(address, onData, onEnd) {
	const colon = address.lastIndexOf(':');
	const host = address.slice(0, colon), port = Number(address.slice(colon + 1));
	if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) {
		try {
			return rawWire(host, port, onData, onEnd);
		} catch (e) {
			// NODE_OPTIONS=--permission takes the bindings away
		}
	}
	return netWire(host, port, onData, onEnd);
}

/* Cuts answers out of what arrives: calls answer(status, headers, body). */
class Answers {
	constructor(answer) {
		this.answer = answer;
		this.rest = EMPTY;
		this.reset();
	}

	reset() {
		this.head = null;
		this.body = null; // allocated once the length is known
		this.have = 0;
		this.chunks = null; // of a body that comes in chunks
	}

	push(bytes) {
		if (this.body && !this.rest.length) { // a long body: straight to its place
			const n = Math.min(bytes.length, this.body.length - this.have);
			bytes.copy(this.body, this.have, 0, n);
			this.have += n;
			bytes = bytes.subarray(n);
			if (this.have < this.body.length)
				return;
			this.deliver(this.body);
			if (!bytes.length)
				return;
		}
		this.rest = this.rest.length ? Buffer.concat([this.rest, bytes]) : bytes;
		while (this.rest.length && this.step());
	}

	step() {
		if (!this.head && !this.takeHead())
			return false;
		if (this.chunks)
			return this.takeChunk();
		if (this.rest.length >= this.length) {
			const body = this.rest.subarray(0, this.length);
			this.rest = this.rest.subarray(this.length);
			this.deliver(body);
			return true;
		}
		this.body = Buffer.allocUnsafe(this.length);
		this.have = this.rest.copy(this.body);
		this.rest = EMPTY;
		return false;
	}

	takeHead() {
		const end = this.rest.indexOf('\r\n\r\n');
		if (end < 0)
			return false;
		const lines = this.rest.latin1Slice(0, end).split('\r\n');
		const headers = {};
		for (let i = 1; i < lines.length; i++) {
			const colon = lines[i].indexOf(':');
			headers[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
		}
		this.rest = this.rest.subarray(end + 4);
		this.head = { status: Number(lines[0].split(' ', 2)[1]), headers };
		if (/chunked/i.test(headers['transfer-encoding']))
			this.chunks = [];
		else
			this.length = Number(headers['content-length'] || 0);
		return true;
	}

	/* One chunk, or the end of the last; false when more has to arrive. */
	takeChunk() {
		const end = this.rest.indexOf('\r\n');
		if (end < 0)
			return false;
		const size = parseInt(this.rest.latin1Slice(0, end), 16);
		if (size === 0) {
			let at = end + 2; // trailers, then an empty line
			for (;;) {
				const eol = this.rest.indexOf('\r\n', at);
				if (eol < 0)
					return false;
				if (eol === at)
					break;
				at = eol + 2;
			}
			this.rest = this.rest.subarray(at + 2);
			this.deliver(Buffer.concat(this.chunks));
			return true;
		}
		if (this.rest.length < end + 2 + size + 2)
			return false;
		this.chunks.push(this.rest.subarray(end + 2, end + 2 + size));
		this.rest = this.rest.subarray(end + 2 + size + 2);
		return true;
	}

	deliver(body) {
		const { status, headers } = this.head;
		this.reset();
		this.answer(status, headers, body);
	}
}

class Api {
	/* onNext(headers, body): an invocation. onLost(error): the connection has gone, and with it the environment. open: what makes the connection. */
	constructor(address, onNext, onLost, open = connect) {
		this.host = address;
		this.onNext = onNext;
		this.waiting = []; // what to call with each answer, in order
		this.ask = `GET ${BASE}invocation/next HTTP/1.1\r\nHost: ${address}\r\n\r\n`;
		const answers = new Answers((status, headers, body) => this.waiting.shift()(status, headers, body));
		this.wire = open(address, (bytes) => answers.push(bytes), onLost);
		this.took = (status, headers, body) => {
			if (status !== 200)
				return onLost(new Error(`the Runtime API: next: status ${status}`));
			this.onNext(headers, body);
		};
		this.noted = () => {}; // an answer over the limit is refused; the platform has told the caller
	}

	head(path, more) {
		return `POST ${BASE}${path} HTTP/1.1\r\nHost: ${this.host}\r\n${more}`;
	}

	next() {
		this.waiting.push(this.took);
		this.wire.ref();
		this.wire.text(this.ask);
	}

	/* A result (text), and the request for the next invocation. */
	respond(id, text, headers) {
		this.post(`invocation/${id}`, text, headers, this.noted, this.ask);
		this.waiting.push(this.took);
		this.wire.ref();
	}

	post(path, text, headers, done, more = '') {
		const head = this.head(path, `${headers}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n`);
		this.waiting.push(done);
		this.wire.text(head + text + more);
	}

	/* A body of unknown length: write(bytes, done), end(trailers, done). */
	open(path, headers, done) {
		this.waiting.push(done);
		this.wire.text(this.head(path, `${headers}Transfer-Encoding: chunked\r\n\r\n`));
		return {
			write: (bytes, written) => {
				this.wire.text(`${bytes.length.toString(16)}\r\n`);
				this.wire.bytes(bytes);
				this.wire.text('\r\n', written);
			},
			end: (trailers, written) => this.wire.text(`0\r\n${trailers}\r\n`, written),
		};
	}
}

module.exports = { Api, Answers, warmUp };
