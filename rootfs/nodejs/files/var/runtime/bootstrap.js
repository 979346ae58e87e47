/*
 * The Node.js runtime: takes events from the Runtime API (2018-06-01), calls the handler, posts what it returns. Without dependencies; the same
 * files serve every version. Contract: AWS Lambda Developer Guide, "nodejs-handler", "nodejs-context", "nodejs-exceptions". Where versions
 * differ (nodejs24.x has no callbacks), the rule of AWS's own runtime interface client is followed: its release 3 up to nodejs22.x, 4 after.
 * The image is made with ahead.js, log.js, api.js, store.js and load.js written into this file (recipe.json, "join").
 *
 * Cold start, measured on node 22.23. CPU time from spawn to the first `next`, least of 40, beside `node -e 0` with 22.1 ms: 22.3 with a CommonJS
 * handler, 24.7 with an ES module. Joining the files is worth 1.5 ms. Tried and left: a user-land startup snapshot (--build-snapshot) takes 30 ms
 * before it has done anything, for it comes without the compiled code of node's own modules; NODE_COMPILE_CACHE saves 0.1 ms a file and costs
 * as much; V8's options (heap sizes, --single-threaded, --v8-pool-size) make no difference. For the connection see api.js. Started ahead, from the
 * function's environment to `next` 1.7 ms and the first invocation 0.5; without rehearse() 2.3 and 0.95.
 */
'use strict';

const { startedAhead } = require('./ahead.js');
const { current, patchConsole, writeThrough, describe, logError, modern } = require('./log.js');
const { Api, warmUp } = require('./api.js');
const { store } = require('./store.js');
const { load, defineGlobal } = require('./load.js');

class UnhandledPromiseRejection extends Error {
	constructor(reason, promise) {
		super(reason);
		this.reason = reason;
		this.promise = promise;
	}
}
UnhandledPromiseRejection.prototype.name = 'Runtime.UnhandledPromiseRejection';

const env = process.env;
let api;
let fixed;           // of a context, what all invocations have in common
let loaded;          // {handler, streaming, highWaterMark}
let running = null;  // the id of the invocation in progress
let stream = null;   // its response, when it is streamed
let whenEmpty = null; // what to do once the event loop has nothing left
let dying = false;

// --- answers -------------------------------------------------------------------------------------------------------------------------
const JSON_TYPE = 'Content-Type: application/json\r\n';

function errorHeaders(document) {
	return `${JSON_TYPE}Lambda-Runtime-Function-Error-Type: ${String(document.errorType).replace(/[^ -~]/g, '?')}\r\n`;
}

function finish(id, path, text, headers) {
	if (running !== id || dying)
		return;
	running = whenEmpty = null;
	api.respond(`${id}/${path}`, text, headers);
}

function fail(id, error) {
	if (running !== id || dying)
		return;
	logError('Invoke Error', error);
	const document = describe(error);
	finish(id, 'error', JSON.stringify(document), errorHeaders(document));
}

function succeed(id, result) {
	let text;
	try {
		text = JSON.stringify(result === undefined ? null : result) ?? 'null'; // a function is nothing in JSON
	} catch (e) {
		const error = new Error('Unable to stringify response body');
		if (modern)
			error.name = 'Runtime.JSONStringifyError';
		return fail(id, error);
	}
	finish(id, 'response', text, JSON_TYPE);
}

/* What nobody caught ends the process, but the caller gets to know. */
function die(what, error, status) {
	if (dying)
		return;
	logError(what, error);
	dying = true;
	const document = describe(error), end = () => (api.wire.pending() ? setTimeout(end, 1) : process.exit(status)); // not before an earlier answer has left
	if (stream && stream.fail(document))
		stream.taken.then(end);
	else if (running)
		api.post(`invocation/${running}/error`, JSON.stringify(document), errorHeaders(document), end);
	else if (!loaded)
		api.post('init/error', JSON.stringify(document), errorHeaders(document), end);
	else // between invocations there is nobody to tell
		end();
	api.wire.ref();
}

// --- one invocation ------------------------------------------------------------------------------------------------------------------
function parseHeader(text, name) {
	if (text === undefined)
		return undefined;
	try {
		return JSON.parse(Buffer.from(text, 'latin1').toString('utf8'));
	} catch (e) {
		throw new Error(`Cannot parse ${name} as json: ${e}`);
	}
}

function fillContext(context, headers) {
	const deadline = Number(headers['lambda-runtime-deadline-ms']);
	Object.assign(context, fixed);
	context.clientContext = parseHeader(headers['lambda-runtime-client-context'], 'ClientContext');
	context.identity = parseHeader(headers['lambda-runtime-cognito-identity'], 'CognitoIdentity');
	context.invokedFunctionArn = headers['lambda-runtime-invoked-function-arn'];
	context.awsRequestId = headers['lambda-runtime-aws-request-id'];
	context.tenantId = headers['lambda-runtime-aws-tenant-id'];
	if (modern)
		context.xRayTraceId = headers['lambda-runtime-trace-id'];
	context.getRemainingTimeInMillis = () => deadline - Date.now();
	return context;
}

/* The part of the context that only handlers of nodejs22.x and before have, and the callback: of all of them the first call counts. */
function callbacks(id) {
	let waits = true, called = false;
	const once = (act) => (error, result) => {
		if (called)
			return;
		called = true;
		act(error, result);
	};
	const settle = (error, result) => (error !== undefined && error !== null ? fail(id, error) : succeed(id, result));
	const done = once(settle);
	const callback = once((error, result) => {
		if ((error !== undefined && error !== null) || !waits)
			settle(error, result);
		else // what is under way in the event loop still belongs to this invocation
			whenEmpty = () => setImmediate(succeed, id, result);
	});
	const context = {
		get callbackWaitsForEmptyEventLoop() { return waits; },
		set callbackWaitsForEmptyEventLoop(value) { waits = value; },
		succeed: (result) => done(null, result),
		fail: (error) => done(error === undefined || error === null ? 'handled' : error),
		done,
	};
	return { context, callback };
}

function isPromise(value) {
	return value && typeof value.then === 'function';
}

function invoke(id, headers, body) {
	const { context, callback } = modern ? { context: {} } : callbacks(id);
	try {
		fillContext(context, headers);
		const event = JSON.parse(body.utf8Slice());
		if (modern) {
			const result = loaded.handler(event, context);
			if (isPromise(result))
				result.then((value) => succeed(id, value), (error) => fail(id, error));
			else
				succeed(id, result);
			return;
		}
		whenEmpty = () => succeed(id, null); // a handler that neither calls back nor returns a promise
		const result = loaded.handler(event, context, callback);
		if (isPromise(result))
			result.then(context.succeed, context.fail);
	} catch (error) {
		if (modern)
			fail(id, error);
		else
			callback(error ?? 'handled');
	}
}

async function invokeStreaming(id, headers, body) {
	const { ResponseStream } = require('./stream.js');
	const out = new ResponseStream(api, id, loaded.highWaterMark);
	const context = {};
	let waits = true;
	stream = out;
	out.on('error', () => {}); // of a stream that was destroyed; the body's end says so
	if (!modern)
		Object.defineProperty(context, 'callbackWaitsForEmptyEventLoop', { enumerable: true, get: () => waits, set: (value) => (waits = value) });
	try {
		fillContext(context, headers);
		const result = loaded.handler(JSON.parse(body.utf8Slice()), out, context);
		if (!isPromise(result))
			throw new Error('Streaming does not support non-async handlers.');
		if ((await result) !== undefined)
			console.warn('Streaming handlers ignore return values.');
		if (!out.writableEnded) // pipes may still be at work; if they are not, it never ends
			await new Promise((resolve, reject) => {
				whenEmpty = () => reject(new Error('Response stream is not finished.'));
				out.on('finish', resolve).on('close', () => (out.writableFinished ? resolve() : reject(new Error('Response stream is not finished.'))));
			});
	} catch (error) {
		if (dying)
			return;
		logError('Invoke Error', error);
		waits = false;
		if (out.destroyed && !out.writableEnded) { // nothing can be added to it, and half a body is no answer
			dying = true;
			process.exit(1);
		}
		out.fail(describe(error));
	}
	whenEmpty = null;
	api.wire.ref();
	await out.taken;
	if (dying)
		return;
	api.wire.unref();
	const goOn = () => {
		running = stream = whenEmpty = null;
		api.next();
	};
	if (waits && !modern)
		whenEmpty = goOn;
	else
		goOn();
}

function onNext(headers, body) {
	const id = headers['lambda-runtime-aws-request-id'], trace = headers['lambda-runtime-trace-id'];
	running = current.requestId = id;
	current.tenantId = headers['lambda-runtime-aws-tenant-id'];
	store.begin(id, trace, current.tenantId);
	if (trace)
		env._X_AMZN_TRACE_ID = trace;
	else
		delete env._X_AMZN_TRACE_ID;
	api.wire.unref(); // while the handler runs, the event loop is what it has under way
	if (loaded.streaming)
		invokeStreaming(id, headers, body);
	else
		invoke(id, headers, body);
}

// --- start ---------------------------------------------------------------------------------------------------------------------------
/* What an invocation comes through, once with nothing behind it: what node compiles now it does not while somebody waits. */
function rehearse() {
	const none = () => {}, before = current.requestId;
	let hear;
	load('/var/runtime', 'rehearsal.handler', modern).catch(none);
	const file = require.resolve('/var/runtime/rehearsal.js');
	loaded = require(file);
	api = new Api('', onNext, none, (address, onData) => {
		hear = onData;
		return { text: none, bytes: none, ref: none, unref: none, pending: none };
	});
	api.next();
	hear(Buffer.from('HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 0\r\nContent-Length: 2\r\n\r\n{}'));
	warmUp();
	loaded = undefined;
	current.requestId = before;
	store.end();
	delete require.cache[file];
	require.main.children.length = 0;
}

if (env._FND_PRESTART)
	startedAhead(Number(env._FND_PRESTART), rehearse);
api = new Api(env.AWS_LAMBDA_RUNTIME_API, onNext, (error) => {
	console.error(error.message);
	process.exit(1);
});
fixed = { functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION, functionName: env.AWS_LAMBDA_FUNCTION_NAME, memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
	logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME, logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME };
process.argv[1] = '/var/runtime/index.mjs'; // as on Lambda, where the main module is no CommonJS one
process.mainModule = undefined;
patchConsole();
writeThrough();
defineGlobal(store);
process.on('uncaughtException', (error) => die('Uncaught Exception', error, 129));
process.on('unhandledRejection', (reason, promise) => die('Unhandled Promise Rejection', new UnhandledPromiseRejection(reason, promise), 128));
process.on('beforeExit', () => {
	const act = whenEmpty;
	whenEmpty = null;
	if (act)
		act();
});
// not before what the function's modules have rejected, and left to the next tick, is known: it belongs to the init
load(env.LAMBDA_TASK_ROOT, env._HANDLER, modern).then((found) => setImmediate(() => {
	if (dying)
		return;
	loaded = found;
	api.next();
}), (error) => die(modern ? 'Init Error' : 'Uncaught Exception', error, modern ? 1 : 129));
