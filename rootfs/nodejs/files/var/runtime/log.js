/*
 * What a function writes to its console, and how errors are told: to the caller as JSON, to the log in the function's log format.
 * Contract: AWS Lambda Developer Guide, "nodejs-logging" and "nodejs-exceptions".
 */
'use strict';

const fs = require('fs');
const util = require('util');

const LEVELS = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };
const modern = parseInt(process.versions.node, 10) >= 24; // the rules of nodejs24.x and later
let json; // is that the log's format?
const REQUEST_ID = Symbol.for('aws.lambda.runtime.requestId'), TENANT_ID = Symbol.for('aws.lambda.runtime.tenantId'); // where AWS's client has them
const current = {
	get requestId() { return globalThis[REQUEST_ID]; },
	set requestId(id) { globalThis[REQUEST_ID] = id; },
	get tenantId() { return globalThis[TENANT_ID]; },
	set tenantId(id) { globalThis[TENANT_ID] = id; },
};
current.requestId = modern ? '-' : undefined; // which is written as such, as on Lambda

/*
 * Straight to the descriptor: process.stdout would be a stream, whose modules take 3 ms to load. Before it are two bytes that no text has: an event of its
 * own begins there, whatever has been printed without a newline.
 */
function write(text) {
	let bytes = Buffer.allocUnsafe(2 + Buffer.byteLength(text));
	bytes[0] = 0xf8;
	bytes[1] = 0xff;
	bytes.write(text, 2);
	while (bytes.length) {
		try {
			bytes = bytes.subarray(fs.writeSync(1, bytes));
		} catch (e) {
			if (e.code !== 'EAGAIN') // the function made a stream of it, and the pipe is full
				return;
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
		}
	}
}

function withErrors(key, value) {
	if (!(value instanceof Error))
		return value;
	return { errorType: value.constructor?.name ?? 'UnknownError', errorMessage: value.message, stackTrace: typeof value.stack === 'string' ? value.stack.split('\n') : value.stack, ...value };
}

function jsonRecord(time, level, args) {
	const record = { timestamp: time, level, requestId: current.requestId };
	if (current.tenantId)
		record.tenantId = current.tenantId;
	if (args.length === 1) {
		record.message = args[0];
		try {
			return JSON.stringify(record, withErrors);
		} catch (e) { // a circle, or a BigInt
			record.message = util.format(args[0]);
			return JSON.stringify(record);
		}
	}
	record.message = util.format(...args);
	const error = args.find((a) => a instanceof Error);
	if (error) {
		record.errorType = error.constructor?.name ?? 'UnknownError';
		record.errorMessage = error.message;
		record.stackTrace = typeof error.stack === 'string' ? error.stack.split('\n') : [];
	}
	return JSON.stringify(record);
}

/* One event of the log, however many lines it has: within it a line ends with a carriage return. */
function log(level, args) {
	const time = new Date().toISOString();
	const line = json ? jsonRecord(time, level, args) : `${time}\t${current.requestId}\t${level}\t${util.format(...args)}`;
	write(`${line.includes('\n') ? line.replace(/\r?\n/g, '\r') : line}\n`);
}

function patchConsole() {
	json = (process.env.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';
	const lowest = LEVELS[(process.env.AWS_LAMBDA_LOG_LEVEL || '').toUpperCase()] || LEVELS.TRACE;
	for (const level of Object.keys(LEVELS)) {
		const name = level.toLowerCase();
		console[name] = LEVELS[level] >= lowest || level === 'FATAL' ? (message, ...more) => log(level, [message, ...more]) : () => {}; // console.log() prints "undefined"
	}
	console.log = console.info;
}

/* What is written to process.stdout is gone from the process when write() returns: libuv would keep what a full pipe does not take, and exit() drops that. */
function writeThrough() {
	for (const name of ['stdout', 'stderr']) {
		const { get, ...rest } = Object.getOwnPropertyDescriptor(process, name);
		let seen = false;
		Object.defineProperty(process, name, { ...rest, get() {
			const stream = get.call(process);
			if (!seen) {
				seen = true;
				stream._handle?.setBlocking?.(true);
			}
			return stream;
		} });
	}
}

function isError(e) {
	return util.types.isNativeError(e) || (e && typeof e.name === 'string' && typeof e.message === 'string' && typeof e.stack === 'string');
}

/* The document that the caller gets. */
function describe(error) {
	const clean = (text) => (typeof text === 'string' ? text.replace(/\x7f/g, '%7F') : text);
	try {
		if (isError(error))
			return { errorType: clean(error.name), errorMessage: clean(error.message), trace: clean(error.stack).split('\n') };
		return { errorType: typeof error, errorMessage: String(error), trace: [] };
	} catch (e) { // a getter, or toString, that fails must not take the runtime with it
		return { errorType: 'handled', errorMessage: 'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack', trace: [] };
	}
}

function enumerable(key, value) {
	if (!(value instanceof Error))
		return value;
	const out = { errorType: value.name, errorMessage: value.message, code: value.code, ...value };
	if (typeof value.stack === 'string')
		out.stack = value.stack.split('\n');
	return out;
}

function logError(what, thrown) {
	const error = thrown instanceof Error ? thrown : new Error(describe(thrown).errorMessage);
	if (json)
		return console.error(error);
	let text;
	try {
		text = JSON.stringify(error, enumerable);
	} catch (e) {
		text = JSON.stringify(describe(error));
	}
	console.error(what, `\t${text}`);
}

module.exports = { current, patchConsole, writeThrough, describe, logError, modern };
