/*
 * Begun before there was a function (fnd's lib/sandbox/spec.h has the protocol): node itself has started and the modules that everyone needs
 * are loaded. Who reads the environment does so after startedAhead().
 */
'use strict';

/* 'NAME=value\0...' instead of what there is. What stays is not touched: with TZ, were it set to what it is, all that knows of the time begins anew. */
function takeEnvironment(text) {
	const { env } = process, wanted = new Map();
	for (const entry of text.split('\0').slice(0, -1)) {
		const equals = entry.indexOf('=');
		wanted.set(entry.slice(0, equals), entry.slice(equals + 1));
	}
	for (const name of Object.keys(env))
		if (!wanted.has(name))
			delete env[name];
	for (const [name, value] of wanted)
		if (env[name] !== value)
			env[name] = value;
}

/* Returns when there is a function; prepare(): what can be done before that. */
function startedAhead(fd, prepare) {
	const fs = require('fs');
	const name = fs.readFileSync('/proc/self/comm', 'latin1').trim();
	const take = (size) => {
		const data = Buffer.alloc(size);
		for (let have = 0, n; have < size; have += n)
			if ((n = fs.readSync(fd, data, have, size - have)) === 0)
				process.exit(0); // never needed
		return data;
	};
	['path', 'util', 'url', 'timers'].forEach((m) => require(m));
	prepare();
	// not earlier: descriptors have the numbers that they have in a plain start
	const shown = (({ 47: from, 48: to }) => ({ at: Number(from), size: to - from, fd: fs.openSync('/proc/self/mem', 'w') }))(
		fs.readFileSync('/proc/self/stat', 'latin1').replace(/.*\) /s, '').split(' ')); // the place of /proc/self/environ
	const own = Object.entries(process.env).map(([key, value]) => `${key}=${value}\0`).join('');
	takeEnvironment('');
	takeEnvironment(own); // away from where the process was begun with it, and /proc/self/environ shows it
	fs.writeFileSync('/proc/self/comm', 'fn-ready');
	fs.writeSync(fd, '!');
	const environment = take(take(4).readUInt32LE());
	fs.closeSync(fd);
	fs.writeFileSync('/proc/self/comm', name);
	takeEnvironment(environment.utf8Slice());
	if (environment.length <= shown.size) // nothing points there any more
		fs.writeSync(shown.fd, Buffer.concat([environment], shown.size), 0, shown.size, shown.at);
	fs.closeSync(shown.fd);
	require.main.constructor._initPaths(); // HOME and NODE_PATH are part of where modules are looked for; require('module') would take 1.3 ms to load
	process.chdir(process.env.LAMBDA_TASK_ROOT);
}

module.exports = { startedAhead };
