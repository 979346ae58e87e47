/*
 * Begun before there was a function (fnd's lib/sandbox/spec.h has the protocol): node itself has started and the modules that everyone needs
 * are loaded; what follows is not until the function's environment has come, for it is read there.
 */
'use strict';

function startedAhead(fd) {
	const fs = require('fs');
	const name = fs.readFileSync('/proc/self/comm', 'latin1').trim();
	const shown = (({ 47: from, 48: to }) => ({ at: Number(from), size: to - from, fd: fs.openSync('/proc/self/mem', 'w') }))(
		fs.readFileSync('/proc/self/stat', 'latin1').replace(/.*\) /s, '').split(' ')); // the place of /proc/self/environ
	const take = (size) => {
		const data = Buffer.alloc(size);
		for (let have = 0, n; have < size; have += n)
			if ((n = fs.readSync(fd, data, have, size - have)) === 0)
				process.exit(0); // never needed
		return data;
	};
	['path', 'util', 'url', 'timers'].forEach((m) => require(m));
	fs.writeFileSync('/proc/self/comm', 'fn-ready');
	fs.writeSync(fd, '!');
	const environment = take(take(4).readUInt32LE());
	const entries = environment.toString('utf8').split('\0');
	fs.closeSync(fd);
	fs.writeFileSync('/proc/self/comm', name);
	Object.keys(process.env).forEach((k) => delete process.env[k]);
	for (const e of entries.slice(0, -1)) {
		const equals = e.indexOf('=');
		process.env[e.slice(0, equals)] = e.slice(equals + 1);
	}
	if (environment.length <= shown.size) // nothing points there any more
		fs.writeSync(shown.fd, Buffer.concat([environment], shown.size), 0, shown.size, shown.at);
	fs.closeSync(shown.fd);
	require('module')._initPaths(); // HOME and NODE_PATH are part of where modules are looked for
	process.chdir(process.env.LAMBDA_TASK_ROOT);
}
if (process.env._FND_PRESTART)
	startedAhead(Number(process.env._FND_PRESTART));
