"""The Node.js runtime: kinds of handlers and modules, context, console, errors, streams; each version that is built."""
import base64, json, re, unittest
from harness import *

VERSIONS = [v for v in ("nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x") if os.path.exists(os.path.join(IMAGES, v + ".json"))]
NODE = "nodejs22.x"
CLASSIC = [v for v in VERSIONS if v != "nodejs24.x"]  # with callbacks


class NodeCase(Case):
    def node(self, source, name="index.js", runtime=NODE, handler="index.handler", files=None, modes=None, suffix="", **more):
        fn = "t-" + self.id().split(".")[-1].replace("_", "-")[:40] + suffix
        return self.function(fn, make_zip({name: source, **(files or {})}, modes), runtime=runtime, handler=handler, **{"MemorySize": 1024, **more})

    def ok(self, f, payload=None):
        r = self.d.in_turn(f, {} if payload is None else payload, tail=True)
        self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
        return r.json

    def fails(self, f, kind, words, payload=None):
        r = self.d.in_turn(f, {} if payload is None else payload, tail=True)
        self.assertEqual((r.status, r.error), (200, "Unhandled"), f"{r}\n{r.log}")
        self.assertEqual(r.json["errorType"], kind)
        self.assertRegex(r.json["errorMessage"], words)
        return r


class Images(unittest.TestCase):
    def test_default_images_are_built(self):
        self.assertIn("nodejs20.x", VERSIONS)
        self.assertIn("nodejs22.x", VERSIONS)


class Handlers(NodeCase):
    def test_every_version(self):
        for i, v in enumerate(VERSIONS):
            with self.subTest(v):
                f = self.node("exports.handler = async (event, context) => [process.version, event, process.env.AWS_EXECUTION_ENV, process.env.NODE_PATH, process.cwd()]", runtime=v, suffix=f"-c{i}")
                version, event, execution, path, cwd = self.ok(f, {"ä": "\U0001f600"})
                major = v[6:8]
                self.assertEqual((version.split(".")[0], event, execution, cwd), ("v" + major, {"ä": "\U0001f600"}, "AWS_Lambda_" + v, "/var/task"))
                self.assertEqual(path, f"/opt/nodejs/node{major}/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task")
                f = self.node("export const handler = async (event) => { console.log('line'); return { n: event.n + 1 } }", name="index.mjs", runtime=v, suffix=f"-m{i}")
                self.assertEqual(self.ok(f, {"n": 4}), {"n": 5})

    def test_promises_and_values(self):
        f = self.node("""
            exports.handler = async (e) => ({ none: undefined, nothing: null, list: [1, 'a'], big: 'x'.repeat(100), value: e, func: () => 1 })[e.what];
            exports.promise = (e) => new Promise((resolve) => setTimeout(resolve, 5, e));
            exports.thenable = (e) => ({ then(ok) { setTimeout(ok, 5, 'thenable') } });
            exports.a = { b: { c: async () => 'nested' } };
        """)
        self.assertEqual(self.d.invoke(f, {"what": "none"}).body, b"null")
        self.assertEqual(self.d.invoke(f, {"what": "func"}).body, b"null")
        self.assertEqual(self.d.invoke(f, {"what": "list"}).body, b'[1,"a"]')
        for handler, want in (("index.promise", {"x": 1}), ("index.thenable", "thenable"), ("index.a.b.c", "nested")):
            self.d.configure(f, Handler=handler)
            self.assertEqual(self.ok(f, {"x": 1}), want)

    def test_callbacks(self):
        for i, v in enumerate(CLASSIC):
            f = self.node("""
                exports.handler = (event, context, callback) => {
                    switch (event.do) {
                    case 'ok': return callback(null, { ok: event.n });
                    case 'later': return void setTimeout(() => callback(null, 'later'), 5);
                    case 'error': return callback(new RangeError('told'));
                    case 'text': return callback('just text');
                    case 'succeed': return context.succeed('succeeded');
                    case 'fail': return context.fail(new Error('failed'));
                    case 'done': return context.done(null, 'done');
                    case 'twice': callback(null, 1); return callback(null, 2);
                    case 'throw': throw new SyntaxError('thrown');
                    case 'nothing': return;
                    case 'returned': return 'this is not the answer';
                    }
                };
            """, runtime=v, suffix=f"-{i}")
            for do, want in (("ok", {"ok": 3}), ("later", "later"), ("succeed", "succeeded"), ("done", "done"), ("twice", 1), ("nothing", None), ("returned", None)):
                self.assertEqual(self.ok(f, {"do": do, "n": 3}), want, (v, do))
            self.fails(f, "RangeError", "^told$", {"do": "error"})
            self.fails(f, "string", "^just text$", {"do": "text"})
            self.fails(f, "Error", "^failed$", {"do": "fail"})
            self.fails(f, "SyntaxError", "^thrown$", {"do": "throw"})
            self.assertEqual(self.ok(f, {"do": "ok", "n": 4}), {"ok": 4})  # still the same process, in good order

    @unittest.skipUnless("nodejs24.x" in VERSIONS, "the nodejs24.x image is not built (make images IMAGES=nodejs24.x)")
    def test_no_callbacks_from_24_on(self):
        f = self.node("exports.handler = (event, context, callback) => callback(null, 1)", runtime="nodejs24.x")
        self.fails(f, "Runtime.CallbackHandlerDeprecated", "has removed support for callback-based function handlers starting with Node.js 24")
        f = self.node("exports.handler = (event, context) => [Object.keys(context).sort(), event]", runtime="nodejs24.x", suffix="-sync")
        keys, event = self.ok(f, {"n": 5})
        self.assertEqual(event, {"n": 5})
        self.assertNotIn("callbackWaitsForEmptyEventLoop", keys)
        self.assertNotIn("done", keys)

    def test_waits_for_empty_event_loop(self):
        f = self.node("""
            let late = 0;
            exports.handler = (event, context, callback) => {
                if (event.ask) { context.callbackWaitsForEmptyEventLoop = false; return callback(null, late); }
                if (event.dont) context.callbackWaitsForEmptyEventLoop = false;
                setTimeout(() => late++, event.ms);
                callback(null, 'called');
            };
        """, Timeout=20)
        self.assertEqual(self.ok(f, {"ms": 150}), "called")
        self.assertEqual(self.ok(f, {"ask": 1}), 1)  # the timer was part of the invocation
        began = time.monotonic()
        self.assertEqual(self.ok(f, {"ms": 15000, "dont": 1}), "called")
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual(self.ok(f, {"ask": 1}), 1)  # the timer is under way; nothing waits for it

    def test_async_handler_does_not_wait(self):
        f = self.node("exports.handler = async () => { setTimeout(() => {}, 15000); return 'now' }", Timeout=20)
        began = time.monotonic()
        self.assertEqual(self.ok(f), "now")
        self.assertLess(time.monotonic() - began, 15)

    def test_context(self):
        f = self.node("""
            exports.handler = async (event, c) => ({ ...c, left: c.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID, waits: c.callbackWaitsForEmptyEventLoop,
                functions: Object.keys(c).filter((k) => typeof c[k] === 'function').sort() });
        """, Timeout=8, MemorySize=192)
        context = {"custom": {"k": "v\u00e4"}, "client": {"app_title": "t"}}
        r = self.d.invoke(f, {}, headers={"X-Amz-Client-Context": base64.b64encode(json.dumps(context).encode()).decode()})
        c = r.json
        self.assertEqual(c["awsRequestId"], r.headers["x-amzn-requestid"])
        self.assertEqual((c["functionName"], c["memoryLimitInMB"], c["functionVersion"], c["logGroupName"]), (f, "192", "$LATEST", f"/aws/lambda/{f}"))
        self.assertRegex(c["logStreamName"], r"^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$")
        self.assertEqual(c["invokedFunctionArn"], f"arn:aws:lambda:us-east-1:000000000000:function:{f}")
        self.assertTrue(0 < c["left"] <= 8000, c)
        self.assertEqual((c["clientContext"], c["waits"]), (context, True))
        self.assertEqual(c["functions"], ["done", "fail", "getRemainingTimeInMillis", "succeed"])
        self.assertRegex(c["trace"], r"^Root=1-[0-9a-f]{8}-[0-9a-f]{24}")
        self.assertNotIn("identity", c)

    def test_invoke_store(self):
        """npm's @aws/lambda-invoke-store and what uses it find the runtime's."""
        f = self.node("""
            const { InvokeStore } = globalThis.awslambda;
            let last;
            exports.handler = async (event, context) => {
                const own = InvokeStore.get('own');
                InvokeStore.set('own', event);
                let refused;
                try { InvokeStore.set(Symbol.for('_AWS_LAMBDA_REQUEST_ID'), 'x'); } catch (e) { refused = e.message; }
                await new Promise((ok) => setTimeout(ok, 1));
                return [InvokeStore.getRequestId() === context.awsRequestId, InvokeStore.getXRayTraceId() === process.env._X_AMZN_TRACE_ID, InvokeStore.getTenantId() ?? null, own ?? null,
                    InvokeStore.get('own'), InvokeStore.hasContext(), refused, typeof awslambda.streamifyResponse, typeof awslambda.HttpResponseStream.from];
            };
            exports.init = [InvokeStore.getRequestId(), InvokeStore.hasContext()];
            exports.none = async () => [exports.init, typeof globalThis.awslambda];
        """)
        for n in (1, 2):
            self.assertEqual(self.ok(f, str(n).encode()), [True, True, None, None, n, True, "Cannot modify protected Lambda context field: Symbol(_AWS_LAMBDA_REQUEST_ID)", "function", "function"])
        self.d.configure(f, Handler="index.none")
        self.assertEqual(self.ok(f), [["-", False], "object"])
        g = self.node("exports.handler = async () => typeof awslambda", suffix="-no", Environment={"Variables": {"AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA": "1"}})
        self.assertEqual(self.ok(g), "undefined")

    def test_the_main_module_is_as_on_lambda(self):
        source = "exports.handler = async () => [process.argv, require.main === undefined, process.title, module.paths[0]]"
        f = self.node(source)
        want = [["/var/lang/bin/node", "/var/runtime/index.mjs"], True]
        self.assertEqual(self.ok(f)[:2], want)
        g = self.node(source, suffix="-w", modes={"wrap": 0o755}, files={"wrap": '#!/bin/bash\nexec "$@"\n'}, Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}})
        self.assertEqual(self.ok(g), self.ok(f))

    def test_modules(self):
        for i, v in enumerate(VERSIONS):
            with self.subTest(v):
                f = self.node("import { x } from './lib/x.js'; const y = await Promise.resolve(2); export const handler = async () => [x, y, import.meta.url]", runtime=v, suffix=f"-type{i}",
                              files={"package.json": '{"type": "module"}', "lib/x.js": "export const x = 1"})
                self.assertEqual(self.ok(f), [1, 2, "file:///var/task/index.js"])
                f = self.node("const x = require('thing'); exports.handler = async () => [x, __filename]", name="src/app/main.cjs", handler="src/app/main.handler", runtime=v, suffix=f"-cjs{i}",
                              files={"node_modules/thing/index.js": "module.exports = 'thing'", "package.json": '{"type": "module"}'})
                self.assertEqual(self.ok(f), ["thing", "/var/task/src/app/main.cjs"])
                f = self.node("export default { handler: async () => 'default' }", name="index.mjs", runtime=v, suffix=f"-default{i}")
                self.assertEqual(self.ok(f), "default")

    def test_directory_as_module(self):
        f = self.node("exports.handler = async () => 'from a package'", name="node_modules/pkg/index.js", handler="pkg.handler")
        self.assertEqual(self.ok(f), "from a package")

    def test_node_options_and_heap(self):
        f = self.node("exports.handler = async () => [process.env.NODE_OPTIONS, Math.round(require('v8').getHeapStatistics().heap_size_limit / 2 ** 20), process.title]", MemorySize=512)
        options, limit, title = self.ok(f)
        self.assertIsNone(options)
        self.assertTrue(440 <= limit <= 560, limit)
        self.d.configure(f, Environment={"Variables": {"NODE_OPTIONS": "--max-old-space-size=200 --title=mine"}})
        options, limit, title = self.ok(f)
        self.assertEqual((options, title), ("--max-old-space-size=200 --title=mine", "mine"))
        self.assertTrue(190 <= limit <= 280, limit)
        f = self.node("const { x } = require('./x.mjs'); exports.handler = async () => x", files={"x.mjs": "export const x = 'required'"}, suffix="-req",
                      Environment={"Variables": {"NODE_OPTIONS": "--experimental-require-module"}})
        self.assertEqual(self.ok(f), "required")
        self.d.configure(f, Environment={"Variables": {}})
        self.fails(f, "Error", "require\\(\\) of ES Module .*x.mjs")

    def test_required_modules(self):
        """Off in all of AWS's images, however new: what the newest packages (NestJS 12, jsdom 27) meet there they meet here."""
        for i, v in enumerate(VERSIONS):
            with self.subTest(v):
                f = self.node("const { x } = require('./x.mjs'); exports.handler = async () => x", files={"x.mjs": "export const x = 'required'"}, runtime=v, suffix=f"-{i}")
                self.fails(f, "Error", "require\\(\\) of ES Module .*x.mjs")
                if v != "nodejs18.x":
                    self.d.configure(f, Environment={"Variables": {"NODE_OPTIONS": "--enable-source-maps --experimental-require-module"}})
                    self.assertEqual(self.ok(f), "required")

    def test_exec_wrapper(self):
        f = self.node("exports.handler = async () => [process.env.FROM_WRAPPER, process.execArgv.includes('--no-warnings'), process.argv[1]]", modes={"wrap": 0o755}, files={
            "wrap": '#!/bin/bash\nexport FROM_WRAPPER=yes\nargs=("$@")\nexec "${args[0]}" --no-warnings "${args[@]:1}"\n'},
            Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}})
        self.assertEqual(self.ok(f), ["yes", True, "/var/runtime/index.mjs"])
        self.d.configure(f, Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/missing"}})
        self.fails(f, "Runtime.ExitError", "exit status 127$")

    def test_small_memory(self):
        f = self.node("exports.handler = async () => { const a = []; for (let i = 0; i < 200; i++) a.push('x'.repeat(1000)); return a.length }", MemorySize=128, Timeout=60)
        self.assertEqual(self.ok(f), 200)

    def test_batteries(self):
        f = self.node("""
            import { Worker } from 'node:worker_threads'; import { execFileSync } from 'node:child_process'; import crypto from 'node:crypto'; import fs from 'node:fs/promises';
            import zlib from 'node:zlib'; import http from 'node:http'; import os from 'node:os';
            export const handler = async () => {
                const worker = await new Promise((ok) => new Worker("require('worker_threads').parentPort.postMessage(6 * 7)", { eval: true }).on('message', ok));
                await fs.writeFile('/tmp/x', 'file');
                const server = http.createServer((q, r) => r.end('served')).listen(0, '127.0.0.1'); await new Promise((ok) => server.on('listening', ok));
                const served = await (await fetch(`http://127.0.0.1:${server.address().port}/`)).text(); server.close();
                return { worker, sh: execFileSync('/bin/sh', ['-c', 'echo hi']).toString(), file: await fs.readFile('/tmp/x', 'utf8'), hash: crypto.createHash('sha256').update('').digest('hex').slice(0, 8),
                    zip: zlib.gunzipSync(zlib.gzipSync('z')).toString(), served, zone: new Date(0).getTimezoneOffset(), number: (1234.5).toLocaleString('de'), cpus: os.cpus().length > 0 };
            };
        """, name="index.mjs", MemorySize=1769, Timeout=30)
        self.assertEqual(self.ok(f), {"worker": 42, "sh": "hi\n", "file": "file", "hash": "e3b0c442", "zip": "z", "served": "served", "zone": 0, "number": "1.234,5", "cpus": True})

    def test_large_payloads(self):
        f = self.node("exports.handler = async (e) => e.n ? 'y'.repeat(e.n) : e", MemorySize=1769, Timeout=30)
        text = "ä€\U0001f600" * 500000  # 4.5 MB of UTF-8, cut anywhere on its way
        self.assertEqual(self.d.invoke(f, json.dumps({"t": text}, ensure_ascii=False).encode()).json, {"t": text})
        limit = 6 << 20
        self.assertEqual(len(self.d.invoke(f, {"n": limit - 2}).body), limit)
        r = self.fails(f, "Function.ResponseSizeTooLarge", "exceeded maximum allowed payload size", {"n": limit + 200})
        self.assertEqual(self.ok(f, {"n": 3}), "yyy")

    def test_state_and_concurrent_use(self):
        f = self.node("let n = 0; exports.handler = async () => ++n")
        self.assertEqual([self.ok(f) for _ in range(20)], list(range(1, 21)))


class Errors(NodeCase):
    def test_thrown(self):
        f = self.node("""
            class Custom extends Error { constructor(m) { super(m); this.name = 'CustomError'; this.extra = 7; } }
            exports.handler = async (e) => { switch (e.do) {
                case 'custom': throw new Custom('boom ä');
                case 'text': throw 'text';
                case 'none': throw undefined;
                case 'circle': { const o = {}; o.o = o; return o; }
                case 'evil': throw { get name() { throw 1 }, get message() { throw 1 }, toString() { throw 1 } };
                default: return 'fine'; } };
        """)
        r = self.fails(f, "CustomError", "^boom ä$", {"do": "custom"})
        self.assertEqual(list(r.json), ["errorType", "errorMessage", "trace"])
        self.assertEqual(r.json["trace"][0], "CustomError: boom ä")
        self.assertIn("/var/task/index.js:", r.json["trace"][1])
        rid = r.headers["x-amzn-requestid"]
        line = re.search(rf"\dZ\t{rid}\tERROR\tInvoke Error \t(\{{.*\}})\n", r.log)
        self.assertTrue(line, r.log)
        told = json.loads(line[1])
        self.assertEqual((told["errorType"], told["errorMessage"], told["extra"], told["stack"][0]), ("CustomError", "boom ä", 7, "CustomError: boom ä"))
        self.assertNotIn("Error Type", r.log)  # the runtime has done its work
        self.fails(f, "string", "^text$", {"do": "text"})
        self.fails(f, "string", "^handled$", {"do": "none"})
        self.fails(f, "Error", "^Unable to stringify response body$", {"do": "circle"})
        self.fails(f, "handled", "there was a problem while retrieving", {"do": "evil"})
        self.assertEqual(self.ok(f, {"do": "x"}), "fine")

    def test_load_errors(self):
        cases = [("require('nothing-of-the-kind')", {}, "Runtime.ImportModuleError", r"^Error: Cannot find module 'nothing-of-the-kind'\nRequire stack:\n- /var/task/index.js"),
                 ("exports.handler = {", {}, "Runtime.UserCodeSyntaxError", "^SyntaxError: Unexpected end of input|^SyntaxError: Unexpected token"),
                 ("export const handler = 1", {}, "Runtime.UserCodeSyntaxError", "^SyntaxError: Unexpected token 'export'"),
                 ("exports.x = 1", {}, "Runtime.HandlerNotFound", "^index.handler is undefined or not exported$"),
                 ("exports.handler = 'text'", {}, "Runtime.HandlerNotFound", "^index.handler is not a function$"),
                 ("throw new TypeError('early')", {}, "TypeError", "^early$"),
                 ("", {"handler": "missing.handler"}, "Runtime.ImportModuleError", "^Error: Cannot find module 'missing'"),
                 ("", {"handler": "nodot"}, "Runtime.MalformedHandlerName", "^Bad handler$"),
                 ("", {"handler": "../index.handler"}, "Runtime.MalformedHandlerName", "^'../index.handler' is not a valid handler name"),
                 ("exports.handler = Object.assign(async () => 1, { [Symbol.for('aws.lambda.runtime.handler.streaming')]: 'request' })", {}, "Runtime.MalformedStreamingHandler", "^Only response")]
        for i, (source, more, kind, words) in enumerate(cases):
            with self.subTest(kind + source):
                r = self.fails(self.node(source, suffix=f"-{i}", **more), kind, words)
                self.assertIn("trace", r.json)
                self.assertIn("\tundefined\tERROR\tUncaught Exception \t{", r.log)

    def test_what_modules_leave_to_the_next_tick_is_the_init_s(self):
        """Its caller is told, as on Lambda; not that the process has ended."""
        for v in VERSIONS:
            for i, (source, kind, words) in enumerate((("Promise.reject(new Error('left'));", "Runtime.UnhandledPromiseRejection", "^Error: left$"), ("process.nextTick(() => { throw new RangeError('soon') });", "RangeError", "^soon$"),
                                                       ("Promise.resolve().then(() => { throw new TypeError('then') });", "Runtime.UnhandledPromiseRejection", "^TypeError: then$"))):
                with self.subTest(v + source):
                    self.fails(self.node(source + "exports.handler = async () => 1", runtime=v, suffix=f"-{v[6:8]}{i}"), kind, words)
            f = self.node("const p = Promise.reject(new Error('caught')); p.catch(() => {}); exports.handler = async () => 1", runtime=v, suffix=f"-{v[6:8]}-caught")
            self.assertEqual(self.ok(f), 1)

    def test_uncaught(self):
        f = self.node("""
            let n = 0;
            exports.handler = async (e) => {
                n++;
                if (e.do === 'throw') { setTimeout(() => { throw new RangeError('nobody caught it') }, 1); await new Promise((ok) => setTimeout(ok, 5000)); }
                if (e.do === 'reject') { Promise.reject(new Error('nobody handled it')); await new Promise((ok) => setTimeout(ok, 5000)); }
                if (e.do === 'exit') process.exit(e.code);
                if (e.do === 'kill') process.kill(process.pid, 'SIGKILL');
                return n;
            };
        """, Timeout=20)
        self.assertEqual([self.ok(f), self.ok(f)], [1, 2])
        r = self.fails(f, "RangeError", "^nobody caught it$", {"do": "throw"})
        self.assertIn("\tERROR\tUncaught Exception \t{\"errorType\":\"RangeError\"", r.log)
        self.assertEqual(self.ok(f), 1)  # another process
        r = self.fails(f, "Runtime.UnhandledPromiseRejection", "^Error: nobody handled it$", {"do": "reject"})
        self.assertIn("\tERROR\tUnhandled Promise Rejection \t{\"errorType\":\"Runtime.UnhandledPromiseRejection\"", r.log)
        self.assertEqual(self.ok(f), 1)
        self.fails(f, "Runtime.ExitError", "exit status 7$", {"do": "exit", "code": 7})
        self.fails(f, "Runtime.ExitError", "Runtime exited without providing a reason$", {"do": "exit", "code": 0})
        self.fails(f, "Runtime.ExitError", "signal: killed$", {"do": "kill"})
        self.assertEqual(self.ok(f), 1)

    def test_uncaught_between_invocations(self):
        f = self.node("let n = 0; exports.handler = async () => { setTimeout(() => { throw new Error('late') }, 20); return ++n }")
        self.assertEqual(self.ok(f), 1)
        def fresh():  # an invocation that meets the dying process fails with it, as on Lambda
            r = self.d.invoke(f, {})
            self.assertIn(r.error and r.json["errorType"], (None, "Error", "Runtime.ExitError"))
            return not r.error and r.json == 1
        wait_until("that the process has died of it", fresh)

    def test_answer_before_death(self):
        f = self.node("""
            exports.handler = (e, c, callback) => {
                c.callbackWaitsForEmptyEventLoop = false;
                setTimeout(() => { throw new Error('after the answer') }, 0);
                callback(null, 'z'.repeat(5 << 20));
            };
        """, MemorySize=1769)
        for i in range(3):
            self.d.configure(f, Description=str(i))  # a fresh process: one that is about to die would fail the next invocation, as on Lambda
            r = self.d.invoke(f, {})
            self.assertEqual((r.error, len(r.body)), (None, (5 << 20) + 2), r)

    def test_promise_that_never_settles(self):
        f = self.node("exports.handler = () => new Promise(() => {})", Timeout=10)
        self.assertIsNone(self.ok(f))  # nothing is left that could settle it

    def test_timeout(self):
        f = self.node("exports.handler = async (e) => { if (e.spin) for (;;); await new Promise((ok) => setTimeout(ok, 60000)) }", Timeout=1)
        self.fails(f, "Sandbox.Timedout", "Task timed out after 1.00 seconds")
        self.fails(f, "Sandbox.Timedout", "Task timed out after 1.00 seconds", {"spin": 1})

    def test_out_of_heap(self):
        f = self.node("exports.handler = async () => { const a = []; for (;;) a.push(new Array(1000).fill(Math.random())) }", MemorySize=1769, Timeout=60,
                      Environment={"Variables": {"NODE_OPTIONS": "--max-old-space-size=30"}})
        r = self.fails(f, "Runtime.ExitError", "signal: aborted|exit status 134")
        self.assertIn("heap limit", r.log)


class Console(NodeCase):
    SOURCE = """
        console.log('from init');
        exports.handler = async (e) => {
            console.log('a %s b %d', 'x', 7, { deep: { er: [1] } }); console.info('info'); console.warn('warn'); console.error('error', new TypeError('t')); console.debug('debug'); console.trace('trace');
            console.log('two\\nlines'); console.log(); process.stdout.write('raw out\\n'); process.stderr.write('raw err\\n');
            console.log({ o: 1 }); console.log(new RangeError('alone'));
            const c = {}; c.c = c; console.log(c); console.log(1n);
        };
    """

    def test_text(self):
        f = self.node(self.SOURCE)
        r = self.d.invoke(f, {}, tail=True)
        rid, stamp = r.headers["x-amzn-requestid"], r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
        for level, text in (("INFO", r"a x b 7 \{ deep: \{ er: \[ 1 \] \} \}"), ("INFO", "info"), ("WARN", "warn"), ("ERROR", "error TypeError: t\n    at "), ("DEBUG", "debug"), ("TRACE", "trace"),
                            ("INFO", "two\nlines\n"), ("INFO", "undefined\n"), ("INFO", r"\{ o: 1 \}"), ("INFO", "RangeError: alone"), ("INFO", r"<ref \*1> \{ c: \[Circular"), ("INFO", "1n")):
            self.assertRegex(r.log, rf"(?m)^{stamp}\t{rid}\t{level}\t{text}")
        self.assertIn("raw out\n", r.log)
        self.assertIn("raw err\n", r.log)
        whole = self.d.request("GET", f"/_fnd/logs/{f}").body.decode()
        self.assertRegex(whole, r"Z\\tundefined\\tINFO\\tfrom init\\n|Z\\tundefined\\tINFO\\tfrom init")

    def test_json(self):
        f = self.node(self.SOURCE, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "INFO"})
        r = self.d.invoke(f, {}, tail=True)
        rid = r.headers["x-amzn-requestid"]
        records = [json.loads(l) for l in r.log.splitlines() if l.startswith('{"timestamp"')]
        records = [x for x in records if x.get("requestId") == rid]
        messages = [x.get("message") for x in records]
        self.assertEqual(records[0], {"timestamp": records[0]["timestamp"], "level": "INFO", "requestId": rid, "message": "a x b 7 { deep: { er: [ 1 ] } }"})
        self.assertIn("two\nlines", messages)
        self.assertIn({"o": 1}, messages)
        self.assertIn("1n", messages)
        self.assertNotIn("debug", messages)
        self.assertNotIn("trace", messages)
        error = [x for x in records if x["level"] == "ERROR"][0]
        self.assertEqual((error["errorType"], error["errorMessage"], error["stackTrace"][0]), ("TypeError", "t", "TypeError: t"))
        alone = [m for m in messages if isinstance(m, dict) and m.get("errorType") == "RangeError"][0]
        self.assertEqual(alone["errorMessage"], "alone")
        self.d.configure(f, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "ERROR"})
        r = self.d.invoke(f, {}, tail=True)
        self.assertEqual({json.loads(l)["level"] for l in r.log.splitlines() if l.startswith('{"timestamp"')}, {"ERROR"})

    def test_much_output(self):
        f = self.node("exports.handler = async () => { process.stdout; for (let i = 0; i < 3000; i++) console.log('line', i, 'x'.repeat(100)); console.log('the last') }", Timeout=30)
        r = self.d.invoke(f, {}, tail=True)
        self.assertIsNone(r.error, r)
        self.assertIn("line 2999 x", r.log)
        self.assertIn("\tthe last\n", r.log)


class Streaming(NodeCase):
    def test_stream(self):
        for i, v in enumerate(VERSIONS):
            f = self.node("""
                const { pipeline } = require('stream/promises'), { Readable } = require('stream');
                exports.handler = awslambda.streamifyResponse(async (event, out, context) => {
                    switch (event.do) {
                    case 'write': out.setContentType('text/plain'); out.write('one '); await new Promise((ok) => setTimeout(ok, 5)); out.write(Buffer.from('two ')); out.write({ three: 3 }); out.end(' end'); break;
                    case 'pipe': await pipeline(Readable.from(['a', 'b', '', 'c'.repeat(event.n)]), out); break;
                    case 'late': setTimeout(() => { out.write('late'); out.end() }, 10); break;
                    case 'empty': out.end(); break;
                    case 'http': out = awslambda.HttpResponseStream.from(out, { statusCode: 201, headers: { a: 'b' } }); out.write('body'); out.end(); break;
                    case 'throw': throw new RangeError('before');
                    case 'midway': out.write('some'); await new Promise((ok) => setTimeout(ok, 5)); throw new RangeError('midway');
                    case 'open': out.write('never ended'); break;
                    case 'uncaught': out.write('some'); setTimeout(() => { throw new TypeError('uncaught') }, 5); await new Promise((ok) => setTimeout(ok, 5000));
                    case 'returns': out.end('x'); return 5;
                    }
                });
            """, runtime=v, suffix=f"-{i}", Timeout=10)
            call = lambda **e: self.d.invoke(f, e, tail=True)
            self.assertEqual(call(do="write").body, b'one two {"three":3} end', v)
            self.assertEqual(call(do="pipe", n=300000).body, b"ab" + b"c" * 300000)
            self.assertEqual(call(do="late").body, b"late")
            self.assertEqual(call(do="empty").body, b"")
            self.assertEqual(call(do="http").body, b'{"statusCode":201,"headers":{"a":"b"}}' + bytes(8) + b"body")
            self.fails(f, "RangeError", "^before$", {"do": "throw"})
            r = self.fails(f, "RangeError", "^midway$", {"do": "midway"})
            self.assertIn("\tERROR\tInvoke Error \t", r.log)
            self.assertEqual(call(do="returns").body, b"x")
            # said once the caller has all of it: not in that invocation's tail
            wait_until("the warning", lambda: "Streaming handlers ignore return values." in self.d.request("GET", f"/_fnd/logs/{f}").body.decode())
            self.fails(f, "Error", "^Response stream is not finished.$", {"do": "open"})
            self.fails(f, "TypeError", "^uncaught$", {"do": "uncaught"})
            self.assertEqual(call(do="late").body, b"late")

    def test_not_async(self):
        f = self.node("exports.handler = awslambda.streamifyResponse((event, out) => { out.write('x') })")
        self.fails(f, "Error", "^Streaming does not support non-async handlers.$")


class Connection(NodeCase):
    def test_without_bindings(self):
        """Where node's permission model takes the bindings away, node's net module serves."""
        f = self.node("exports.handler = async (e) => e.n ? 'y'.repeat(e.n) : [process.permission.has('child'), e]", Environment={"Variables": {
            "NODE_OPTIONS": "--permission --allow-fs-read=* --allow-fs-write=/tmp"}}, MemorySize=1769)
        self.assertEqual([self.ok(f, {"i": i}) for i in range(5)], [[False, {"i": i}] for i in range(5)])
        self.assertEqual(len(self.d.invoke(f, {"n": 5 << 20}).body), (5 << 20) + 2)
        r = self.fails(self.node("require('nothing-there')", suffix="-init", Environment={"Variables": {"NODE_OPTIONS": "--permission --allow-fs-read=*"}}), "Runtime.ImportModuleError", "nothing-there")

    def test_answers(self):
        """The parser of answers, in every way its bytes can be cut."""
        node = glob.glob(os.path.join(self.d.state, "roots/img-*/var/lang/bin/node"))[0]
        script = r"""
            const assert = require('assert'), { Answers } = require(process.argv[1] + '/api.js');
            const long = 'ä'.repeat(3000);
            const text = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Y:  z : 1 \r\n\r\nab' + 'HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n' +
                'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: t\r\n\r\n' + 'HTTP/1.1 413 Too\r\nContent-Length: ' + Buffer.byteLength(long) + '\r\n\r\n' + long +
                'HTTP/1.1 204 No Content\r\n\r\n' + 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nq';
            const want = [[200, 'ab'], [202, ''], [200, 'hello!'], [413, long], [204, ''], [200, 'q']], bytes = Buffer.from(text);
            for (const step of [1, 2, 3, 5, 7, 64, 1000, bytes.length]) {
                const got = [];
                const answers = new Answers((status, headers, body) => { got.push([status, body.toString()]); if (got.length === 1) assert.equal(headers['x-y'], 'z : 1'); });
                for (let i = 0; i < bytes.length; i += step)
                    answers.push(Buffer.from(bytes.subarray(i, i + step)));
                assert.deepEqual(got, want, `in pieces of ${step}`);
            }
            console.log('fine');
        """
        r = subprocess.run([node, "-e", script, os.path.join(TOP, "rootfs/nodejs/files/var/runtime")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60 * SLOW)
        self.assertEqual(r.stdout, "fine\n")


class Example(NodeCase):
    def test_hello_node(self):
        with open(os.path.join(TOP, "rootfs/examples/hello-node/index.mjs")) as source:
            f = self.node(source.read(), name="index.mjs")
        self.assertEqual(self.ok(f, {"name": "reader"})["message"], "hello, reader")
        self.assertEqual(self.ok(f)["invocation"], 2)
