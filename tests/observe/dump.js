/* As dump.py. */
'use strict';
const MODULES = Object.keys(require.cache);
const GLOBALS = Object.getOwnPropertyNames(globalThis).sort();
const LISTENERS = process.eventNames().map((n) => [String(n), process.listenerCount(n)]);
const fs = require('fs');
const os = require('os');
const v8 = require('v8');
const dns = require('dns');
const { execFileSync } = require('child_process');

const FILES = ['status', 'stat', 'limits', 'cgroup', 'mountinfo', 'cmdline', 'comm', 'environ', 'oom_score_adj', 'personality', 'coredump_filter', 'timerslack_ns', 'uid_map', 'gid_map', 'setgroups'];
const OTHERS = ['/proc/1/cmdline', '/proc/1/comm', '/proc/1/environ', '/proc/sys/kernel/hostname', '/etc/passwd', '/etc/group', '/etc/hosts', '/etc/resolv.conf', '/etc/nsswitch.conf', '/proc/version'];

const attempt = (f) => {
	try {
		return f();
	} catch (e) {
		return String(e.code ?? e);
	}
};
const read = (path) => attempt(() => fs.readFileSync(path, 'utf8'));
const each = (names, f) => Object.fromEntries(names.map((n) => [n, f(n)]));

function descriptors() {
	const found = {};
	for (const fd of fs.readdirSync('/proc/self/fd'))
		try {
			const flags = /flags:\s+(\d+)/.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))[1];
			found[fd] = [fs.readlinkSync(`/proc/self/fd/${fd}`).replace(/\d+/g, 'N'), flags];
		} catch (e) {
			continue;
		}
	return found;
}

function node() {
	return {
		argv: process.argv, argv0: process.argv0, execArgv: process.execArgv, execPath: process.execPath, title: process.title, modules: MODULES, globals: GLOBALS, listeners: LISTENERS,
		paths: [module.paths, require.resolve.paths('x'), require('module').globalPaths], main: require.main && require.main.filename, config: process.config.variables.node_shared,
		features: process.features, heap: v8.getHeapStatistics().heap_size_limit, resources: process.getActiveResourcesInfo().sort(), pid: [process.pid, process.ppid],
		sourceMaps: process.sourceMapsEnabled, noDeprecation: process.noDeprecation, stackTraceLimit: Error.stackTraceLimit, stack: new Error().stack.split('\n').slice(1),
		intl: Intl.DateTimeFormat().resolvedOptions(), zone: [new Date(0).getTimezoneOffset(), new Date(0).toString()], umask: process.umask(), cwd: process.cwd(),
		uv: process.env.UV_THREADPOOL_SIZE, ids: [process.getuid(), process.geteuid(), process.getgid(), process.getegid(), process.getgroups()], dns: [dns.getServers(), attempt(() => dns.getDefaultResultOrder())],
		console: Object.keys(console).sort(), console_log: console.log === console.info, awslambda: Object.keys(globalThis.awslambda ?? {}),
	};
}

function system() {
	return {
		host: os.hostname(), home: attempt(() => os.homedir()), tmp: os.tmpdir(), user: attempt(() => os.userInfo()), cpus: os.cpus().length, parallelism: os.availableParallelism?.(), priority: os.getPriority(),
		memory: os.totalmem(), constrained: process.constrainedMemory?.(), interfaces: Object.keys(os.networkInterfaces()), exe: fs.readlinkSync('/proc/self/exe'), root: fs.readdirSync('/').sort(),
		dev: fs.readdirSync('/dev').sort(), files: fs.readdirSync('/tmp').sort(), processes: fs.readdirSync('/proc').filter((p) => /^\d+$/.test(p)), threads: fs.readdirSync('/proc/self/task').length,
	};
}

function child() {
	const run = (...argv) => attempt(() => execFileSync(argv[0], argv.slice(1), { encoding: 'utf8' }));
	return { env: run('/usr/bin/env').split('\n').sort(), status: run('/bin/cat', '/proc/self/status'), limits: run('/bin/cat', '/proc/self/limits'), fds: run('/bin/ls', '/proc/self/fd').split(),
		node: run(process.execPath, '-p', 'JSON.stringify([process.execArgv, process.cwd(), module.paths])') };
}

exports.handler = async (event, context) => {
	if (event.do === 'exit')
		process.exit(3);
	console.log('a line');
	return { env: { ...process.env }, files: each(FILES, (f) => read(`/proc/self/${f}`)), others: each(OTHERS, read), descriptors: descriptors(), node: node(), system: system(), child: child(),
		address: await dns.promises.lookup(os.hostname(), { all: true }).catch((e) => e.code), context: Object.keys(context).sort() };
};
