/* From _HANDLER to a function. Contract: AWS Lambda Developer Guide, "nodejs-handler", "nodejs-exceptions", "response-streaming". */
'use strict';

const fs = require('fs');
const path = require('path');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const CALLBACKS_REMOVED = 'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this function to use a supported ' +
	'handler signature to use Node.js 24 or later. For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.';

function kind(name) {
	const made = class extends Error {};
	Object.defineProperty(made, 'name', { value: name });
	made.prototype.name = `Runtime.${name}`;
	return made;
}
const ImportModuleError = kind('ImportModuleError');
const HandlerNotFound = kind('HandlerNotFound');
const MalformedHandlerName = kind('MalformedHandlerName');
const UserCodeSyntaxError = kind('UserCodeSyntaxError');
const MalformedStreamingHandler = kind('MalformedStreamingHandler');
const CallbackHandlerDeprecated = kind('CallbackHandlerDeprecated');

/* Does the nearest package.json say so? */
function isTypeModule(file) {
	for (let dir = path.dirname(file); !dir.endsWith('/node_modules'); dir = path.dirname(dir)) {
		try {
			return JSON.parse(fs.readFileSync(path.join(dir, 'package.json'))).type === 'module';
		} catch (e) {
			if (e.code !== 'ENOENT' || dir === '/')
				return false;
		}
	}
	return false;
}

const toUrl = (file) => require('url').pathToFileURL(file).href;

function loadJs(file) {
	if (isTypeModule(file))
		return import(toUrl(file));
	try {
		return require(file);
	} catch (e) {
		// module syntax without a "type" (found out by node 24): require() cannot wait for an await at its top
		if (e.code === 'ERR_REQUIRE_ASYNC_MODULE')
			return import(toUrl(file));
		throw e;
	}
}

async function loadModule(root, dir, name) {
	const file = path.resolve(root, dir, name);
	if (fs.existsSync(`${file}.js`) && !fs.existsSync(file))
		return loadJs(`${file}.js`);
	if (fs.existsSync(file) && fs.statSync(file).isFile())
		return require(file);
	if (fs.existsSync(`${file}.js`))
		return loadJs(`${file}.js`);
	if (fs.existsSync(`${file}.mjs`))
		return import(toUrl(`${file}.mjs`));
	if (fs.existsSync(`${file}.cjs`))
		return require(`${file}.cjs`);
	return require(require.resolve(name, { paths: [root, path.join(root, dir)] })); // a directory with an index, a package
}

/* Has NODE_PATH a directory that `import` would not look into? The image links two of them to where it does; /var/runtime and /var/task are for require() alone. */
function beyondLinks() {
	const known = ['/opt/nodejs/node_modules', '/var/runtime/node_modules', '/var/runtime', '/var/task', ''];
	return (process.env.NODE_PATH ?? '').split(':').some((dir) => !known.includes(dir) && fs.existsSync(dir));
}

function find(from, names) {
	return names.split('.').reduce((o, key) => (o === undefined || o === null ? undefined : o[key]), from);
}

/* {handler, streaming, highWaterMark} */
async function load(root, wanted, modern) {
	if (wanted.includes('..'))
		throw new MalformedHandlerName(`'${wanted}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
	const base = path.basename(wanted);
	const dot = base.indexOf('.');
	if (dot < 0)
		throw new MalformedHandlerName('Bad handler');
	if (beyondLinks())
		require('/var/runtime/paths.js').install();
	let loaded;
	try {
		loaded = await loadModule(root, wanted.slice(0, wanted.length - base.length), base.slice(0, dot));
	} catch (e) {
		if (e instanceof SyntaxError) {
			const syntax = new UserCodeSyntaxError(String(e));
			syntax.stack = e.stack; // says where
			throw syntax;
		}
		throw e && e.code === 'MODULE_NOT_FOUND' ? new ImportModuleError(String(e)) : e;
	}
	const names = base.slice(dot + 1);
	const handler = find(loaded, names) ?? find(loaded?.default, names);
	if (!handler)
		throw new HandlerNotFound(`${wanted} is undefined or not exported`);
	if (typeof handler !== 'function')
		throw new HandlerNotFound(`${wanted} is not a function`);
	const streaming = handler[STREAMING];
	if (streaming && streaming !== 'response')
		throw new MalformedStreamingHandler('Only response streaming is supported.');
	if (modern && !streaming && handler.length >= 3)
		throw new CallbackHandlerDeprecated(CALLBACKS_REMOVED);
	return { handler, streaming: Boolean(streaming), highWaterMark: handler[HIGH_WATER_MARK] };
}

/* The global that handlers announce themselves with; store: of store.js. */
function defineGlobal(store) {
	if (['1', 'true'].includes(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA))
		return;
	globalThis.awslambda = {
		...globalThis.awslambda, // of what NODE_OPTIONS had loaded before
		streamifyResponse(handler, options) {
			handler[STREAMING] = 'response';
			if (typeof options?.highWaterMark === 'number')
				handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
			return handler;
		},
		HttpResponseStream: class HttpResponseStream {
			/* The status, headers and cookies of an HTTP answer go ahead of the body, 8 NUL bytes between them. */
			static from(stream, prelude) {
				stream.setContentType('application/vnd.awslambda.http-integration-response');
				const text = JSON.stringify(prelude);
				stream._onBeforeFirstWrite = (write) => {
					write(text);
					write(new Uint8Array(8));
				};
				return stream;
			}
		},
	};
	globalThis.awslambda.InvokeStore ??= store;
}

module.exports = { load, defineGlobal };
