/*
 * Where `import` looks beyond what node does: in the directories of NODE_PATH, in their order, as it does on Lambda since nodejs18.x. Contract: AWS
 * Compute Blog, "Node.js 18.x runtime now available in AWS Lambda" ("Support for ES module resolution using NODE_PATH"). In most functions links of
 * the image do that (recipe.json: /var/node_modules, /node_modules), which cost nothing; this is loaded where there is another directory. Node 22 and
 * newer take hooks in this thread (1 ms), older ones in another (40 ms of CPU time).
 */
'use strict';

const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');

const LINKED = ['/opt/nodejs/node_modules/', '/var/runtime/node_modules/'].map((dir) => `file://${dir}`);
const BARE = /^(@[^/\\%]+\/)?[^./\\%#:@][^/\\%:]*/;

/* [specifier, parent] for node's own resolution if `dir` has the package, else null. */
function inside(dir, name, specifier) {
	if (!fs.statSync(path.join(dir, name), { throwIfNoEntry: false })?.isDirectory())
		return null;
	if (path.basename(dir) === 'node_modules')
		return [specifier, path.join(dir, '..', 'x')];
	let description = {};
	try {
		description = JSON.parse(fs.readFileSync(path.join(dir, name, 'package.json')));
	} catch { /* none */ }
	if (description.exports && description.name === name)
		return [specifier, path.join(dir, name, 'x')]; // a package knows itself
	if (specifier !== name)
		return [pathToFileURL(path.join(dir, specifier)).href, path.join(dir, 'x')];
	const { main } = description;
	const file = [...(main ? [main, `${main}.js`, `${main}/index.js`] : []), 'index.js'].find((f) => fs.statSync(path.join(dir, name, f), { throwIfNoEntry: false })?.isFile());
	return file ? [pathToFileURL(path.join(dir, name, file)).href, path.join(dir, 'x')] : null;
}

/* Yields what node is to resolve, [specifier, parent]; is told what that was, or its error; returns what it is in the end. */
function* resolution(specifier, parent) {
	let found, failure;
	try {
		found = yield [specifier, parent];
	} catch (e) {
		failure = e;
	}
	const name = specifier.match(BARE)?.[0];
	// found by a link: another directory may come first
	const linked = found && LINKED.some((dir) => found.url.startsWith(dir) && !parent?.startsWith(dir));
	if (name && (linked || failure?.code === 'ERR_MODULE_NOT_FOUND'))
		for (const dir of (process.env.NODE_PATH ?? '').split(':')) {
			const [wanted, from] = (dir && inside(dir, name, specifier)) || [];
			if (wanted)
				return yield [wanted, pathToFileURL(from).href];
		}
	if (failure)
		throw failure;
	return found;
}

function resolveNow(specifier, context, next) {
	if (context.conditions?.includes('require'))
		return next(specifier, context); // require() has NODE_PATH
	const steps = resolution(specifier, context.parentURL);
	let step = steps.next();
	while (!step.done) {
		const [wanted, parentURL] = step.value;
		let found;
		try {
			found = next(wanted, { ...context, parentURL });
		} catch (e) {
			step = steps.throw(e);
			continue;
		}
		step = steps.next(found);
	}
	return step.value;
}

async function resolve(specifier, context, next) {
	const steps = resolution(specifier, context.parentURL);
	let step = steps.next();
	while (!step.done) {
		const [wanted, parentURL] = step.value;
		let found;
		try {
			found = await next(wanted, { ...context, parentURL });
		} catch (e) {
			step = steps.throw(e);
			continue;
		}
		step = steps.next(found);
	}
	return step.value;
}

function install() {
	const { registerHooks, register } = require('module');
	if (registerHooks)
		registerHooks({ resolve: resolveNow });
	else
		register(pathToFileURL(__filename).href);
}

module.exports = { install, resolve };
