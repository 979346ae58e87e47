"""The Node.js console: a table of calls with what AWS's client writes, and what is printed outlives the process."""
import json, unittest
from harness import *
from test_node import NodeCase

CALLS = r"""
const circle = { c: 1 }; circle.me = circle;
class Own extends Error { constructor(m) { super(m); this.extra = { a: 1 }; } }
const plain = (e) => { e.stack = `${e.name}: ${e.message}\n    at x`; return e; };
const calls = {
	nothing: [], undefined: [undefined], null: [null], text: ['a'], empty: [''], lines: ['a\nb\r\nc'], number: [1.5], big: [10n], symbol: [Symbol('s')], fn: [function f() {}], object: [{ a: { b: { c: { d: 1 } } } }], array: [[1, [2, [3]]]],
	map: [new Map([['k', 1]])], date: [new Date(0)], regexp: [/x/g], buffer: [Buffer.from('ab')], circle: [circle], bool: [true, false],
	s: ['%s and %d %i %f %j %o %O %c %%', 'x', 4, 4.7, 4.7, { a: 1 }, { b: 1 }, { c: 1 }, 'css', 'rest'], few: ['%s %s', 'one'], percent: ['100%', 'x'], unused: ['%d', 'nan'], objthen: [{ a: 1 }, 'b'], two: ['a', { b: 1 }, [2]],
	error: [plain(new TypeError('t'))], own: [plain(new Own('o'))], texterror: ['failed:', plain(new RangeError('r'))], errorin: [{ err: plain(new Error('in')) }], cause: [plain(new Error('c', { cause: plain(new Error('why')) }))],
	long: ['x'.repeat(200)], unicode: ['\u{1F600} \u00e4'], nul: ['a\0b'], undef2: [undefined, 1], nested: [[undefined, null]], date2: ['%s', new Date(0)], proxy: [new Proxy({ p: 1 }, {})], json: ['{"a":1}'], tojson: [{ toJSON() { return 'J'; } }], bigin: [{ b: 1n }],
};
exports.handler = async (part) => {
	const names = Object.keys(calls).concat(['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map((l) => `level-${l}`));
	for (const name of names.filter((n, i) => i % 4 === part)) {
		process.stdout.write(`@@${name}\n`);
		calls[name] ? console.log(...calls[name]) : console[name.slice(6)]('m');
	}
	process.stdout.write('@@\n');
};
"""

# What aws-lambda-ric 3.3.0 writes on node 22, between the two, where its log is no pipe (there it has \r between lines); "TIME" and "ID" stand for these. {name: (as text, as JSON)}
WRITTEN = {
    'nothing': ('TIME\tID\tINFO\tundefined\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID"}\n'),
    'undefined': ('TIME\tID\tINFO\tundefined\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID"}\n'),
    'null': ('TIME\tID\tINFO\tnull\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":null}\n'),
    'text': ('TIME\tID\tINFO\ta\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"a"}\n'),
    'empty': ('TIME\tID\tINFO\t\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":""}\n'),
    'lines': ('TIME\tID\tINFO\ta\nb\nc\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"a\\nb\\r\\nc"}\n'),
    'number': ('TIME\tID\tINFO\t1.5\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":1.5}\n'),
    'big': ('TIME\tID\tINFO\t10n\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"10n"}\n'),
    'symbol': ('TIME\tID\tINFO\tSymbol(s)\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID"}\n'),
    'fn': ('TIME\tID\tINFO\t[Function: f]\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID"}\n'),
    'object': ('TIME\tID\tINFO\t{ a: { b: { c: [Object] } } }\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":{"a":{"b":{"c":{"d":1}}}}}\n'),
    'array': ('TIME\tID\tINFO\t[ 1, [ 2, [ 3 ] ] ]\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":[1,[2,[3]]]}\n'),
    'map': ("TIME\tID\tINFO\tMap(1) { 'k' => 1 }\n", '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":{}}\n'),
    'date': ('TIME\tID\tINFO\t1970-01-01T00:00:00.000Z\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"1970-01-01T00:00:00.000Z"}\n'),
    'regexp': ('TIME\tID\tINFO\t/x/g\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":{}}\n'),
    'buffer': ('TIME\tID\tINFO\t<Buffer 61 62>\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":{"type":"Buffer","data":[97,98]}}\n'),
    'circle': ('TIME\tID\tINFO\t<ref *1> { c: 1, me: [Circular *1] }\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"<ref *1> { c: 1, me: [Circular *1] }"}\n'),
    'bool': ('TIME\tID\tINFO\ttrue false\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"true false"}\n'),
    's': ('TIME\tID\tINFO\tx and 4 4 4.7 {"a":1} { b: 1 } { c: 1 }  % rest\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"x and 4 4 4.7 {\\"a\\":1} { b: 1 } { c: 1 }  % rest"}\n'),
    'few': ('TIME\tID\tINFO\tone %s\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"one %s"}\n'),
    'percent': ('TIME\tID\tINFO\t100% x\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"100% x"}\n'),
    'unused': ('TIME\tID\tINFO\tNaN\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"NaN"}\n'),
    'objthen': ('TIME\tID\tINFO\t{ a: 1 } b\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"{ a: 1 } b"}\n'),
    'two': ('TIME\tID\tINFO\ta { b: 1 } [ 2 ]\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"a { b: 1 } [ 2 ]"}\n'),
    'error': ('TIME\tID\tINFO\tTypeError: t\n    at x\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":{"errorType":"TypeError","errorMessage":"t","stackTrace":["TypeError: t","    at x"]}}\n'),
    'own': ('TIME\tID\tINFO\tOwn [Error]: o\n    at x {\n  extra: { a: 1 }\n}\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":{"errorType":"Own","errorMessage":"o","stackTrace":["Error: o","    at x"],"extra":{"a":1}}}\n'),
    'texterror': ('TIME\tID\tINFO\tfailed: RangeError: r\n    at x\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"failed: RangeError: r\\n    at x","errorType":"RangeError","errorMessage":"r","stackTrace":["RangeError: r","    at x"]}\n'),
    'errorin': ('TIME\tID\tINFO\t{\n  err: Error: in\n      at x\n}\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":{"err":{"errorType":"Error","errorMessage":"in","stackTrace":["Error: in","    at x"]}}}\n'),
    'cause': ('TIME\tID\tINFO\tError: c\n    at x {\n  [cause]: Error: why\n      at x\n}\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":{"errorType":"Error","errorMessage":"c","stackTrace":["Error: c","    at x"]}}\n'),
    'long': ('TIME\tID\tINFO\txxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}\n'),
    'unicode': ('TIME\tID\tINFO\t😀 ä\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"😀 ä"}\n'),
    'nul': ('TIME\tID\tINFO\ta\x00b\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"a\\u0000b"}\n'),
    'undef2': ('TIME\tID\tINFO\tundefined 1\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"undefined 1"}\n'),
    'nested': ('TIME\tID\tINFO\t[ undefined, null ]\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":[null,null]}\n'),
    'date2': ('TIME\tID\tINFO\t1970-01-01T00:00:00.000Z\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"1970-01-01T00:00:00.000Z"}\n'),
    'proxy': ('TIME\tID\tINFO\t{ p: 1 }\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":{"p":1}}\n'),
    'json': ('TIME\tID\tINFO\t{"a":1}\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"{\\"a\\":1}"}\n'),
    'tojson': ('TIME\tID\tINFO\t{ toJSON: [Function: toJSON] }\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"J"}\n'),
    'bigin': ('TIME\tID\tINFO\t{ b: 1n }\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"{ b: 1n }"}\n'),
    'level-trace': ('TIME\tID\tTRACE\tm\n', '{"timestamp":"TIME","level":"TRACE","requestId":"ID","message":"m"}\n'),
    'level-debug': ('TIME\tID\tDEBUG\tm\n', '{"timestamp":"TIME","level":"DEBUG","requestId":"ID","message":"m"}\n'),
    'level-info': ('TIME\tID\tINFO\tm\n', '{"timestamp":"TIME","level":"INFO","requestId":"ID","message":"m"}\n'),
    'level-warn': ('TIME\tID\tWARN\tm\n', '{"timestamp":"TIME","level":"WARN","requestId":"ID","message":"m"}\n'),
    'level-error': ('TIME\tID\tERROR\tm\n', '{"timestamp":"TIME","level":"ERROR","requestId":"ID","message":"m"}\n'),
    'level-fatal': ('TIME\tID\tFATAL\tm\n', '{"timestamp":"TIME","level":"FATAL","requestId":"ID","message":"m"}\n'),
}


class Console(NodeCase):
    def written(self, r):
        log = re.sub(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME", r.log.replace(r.headers["x-amzn-requestid"], "ID"))
        return dict(part.split("\n", 1) for part in log.split("@@")[1:-1])

    def test_each_call_writes_what_aws_s_client_writes(self):
        for i, form in enumerate(({"LogFormat": "Text"}, {"LogFormat": "JSON", "ApplicationLogLevel": "TRACE"})):
            f = self.node(CALLS, suffix=f"-{i}", LoggingConfig=form)
            got = {}
            for part in range(4):
                r = self.d.invoke(f, str(part).encode(), tail=True)
                self.assertIsNone(r.error, r)
                got.update(self.written(r))
            self.assertEqual(sorted(got), sorted(WRITTEN))
            for name, wanted in WRITTEN.items():
                with self.subTest(name=name, form=form):
                    self.assertEqual(got[name], wanted[i])

    def test_nothing_is_lost_at_the_end(self):
        ends = {"exit": "process.exit(3)", "abort": "process.abort()", "kill": "process.kill(process.pid, 'SIGKILL')", "timeout": "for (;;);", "throw": "setTimeout(() => { throw new Error('e') }); return new Promise(() => {})"}
        f = self.node("const fs = require('fs');\nexports.handler = (e) => {\n    process.stdout.write('x'.repeat(300000) + '\\n'); process.stdout.write('out '); process.stderr.write('err '); fs.writeSync(1, 'sync ');\n"
                      "    require('child_process').spawnSync('echo', ['-n', 'child '], { stdio: 'inherit' }); console.log('console'); process.stdout.write('last');\n"
                      + "".join(f"    if (e === '{k}') {{ {v} }}\n" for k, v in ends.items()) + "};", Timeout=5)
        for end in ends:
            with self.subTest(end):
                r = self.d.invoke(f, json.dumps(end).encode(), tail=True)
                self.assertEqual(r.error, "Unhandled", r)
                self.assertRegex(r.log, r"xx\nout err sync child \n[^\n]*\tINFO\tconsole\nlast")
