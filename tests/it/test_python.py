"""The Python runtime: what handlers get, what is logged, how errors look."""
import base64, json, re, unittest
from harness import *


class Python(Case):
    def fails(self, f, kind, words, payload=None):
        r = self.d.invoke(f, payload if payload is not None else {}, tail=True)
        self.assertEqual((r.status, r.error), (200, "Unhandled"), r)
        self.assertEqual(r.json["errorType"], kind)
        self.assertRegex(r.json["errorMessage"], words)
        return r

    def test_context(self):
        f = self.python("""
            def handler(event, c):
                return {k: getattr(c, k) for k in ("aws_request_id", "log_group_name", "log_stream_name", "function_name", "memory_limit_in_mb", "function_version",
                        "invoked_function_arn")} | {"left": c.get_remaining_time_in_millis(), "custom": c.client_context.custom if c.client_context else None,
                        "identity": c.identity.cognito_identity_id}
        """.replace("\n            ", "\n"), Timeout=8, MemorySize=192)
        r = self.d.invoke(f, {}, headers={"X-Amz-Client-Context": base64.b64encode(b'{"custom":{"k":"v"}}').decode()})
        c = r.json
        self.assertEqual(c["aws_request_id"], r.headers["x-amzn-requestid"])
        self.assertEqual((c["function_name"], c["memory_limit_in_mb"], c["function_version"]), (f, "192", "$LATEST"))
        self.assertEqual((c["log_group_name"], c["custom"], c["identity"]), (f"/aws/lambda/{f}", {"k": "v"}, None))
        self.assertRegex(c["log_stream_name"], r"^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$")
        self.assertEqual(c["invoked_function_arn"], f"arn:aws:lambda:us-east-1:000000000000:function:{f}")
        self.assertTrue(7000 < c["left"] <= 8000, c)

    def test_the_runtime_s_modules_are_what_they_would_be_from_their_own_files(self):
        """They come from one file, those of them that a start needs."""
        f = self.python("""
            import gc, importlib.util, inspect, sys
            def facts(m):
                s = m.__spec__
                return [m.__name__, m.__file__, getattr(m, "__cached__", None), m.__package__, getattr(m, "__path__", None), type(m.__loader__).__name__, m.__loader__ is s.loader, m.__loader__.path, m.__loader__.name,
                        s.name, s.origin, s.cached, s.has_location, s.parent, s.submodule_search_locations, sorted(k for k in vars(m) if k[:2] == "__" and k != "__main__"), len(inspect.getsource(m)) > 1]
            def handler(event, c):
                ours = sorted(n for n in sys.modules if n in ("importlib", "fnd_start") or n.startswith("awslambdaric"))
                out = {}
                for n in ours:
                    m = sys.modules.pop(n)
                    own = importlib.util.module_from_spec(importlib.util.find_spec(n, sys.modules.get("awslambdaric")))
                    sys.modules[n] = own
                    own.__spec__.loader.exec_module(own)
                    sys.modules[n] = m
                    out[n] = [facts(m), facts(own)]
                return [out, gc.isenabled(), sys.getprofile(), [type(x).__name__ for x in sys.meta_path if "Handler" in type(x).__name__], [n for n in ours if "." in n and
                        getattr(sys.modules[n.rpartition(".")[0]], n.rpartition(".")[2]) is not sys.modules[n]]]
        """.replace("\n            ", "\n"), MemorySize=1769)
        out, *rest = self.d.invoke(f, {}).json
        self.assertIn("awslambdaric.lambda_runtime_client", out)
        self.assertIn("fnd_start", out)
        for name, (ours, own) in out.items():
            self.assertEqual(ours, own, name)
        self.assertEqual(rest, [True, None, [], []])

    def test_a_handler_s_module_is_compiled_as_compile_does_it(self):
        """It is compiled in another way, which is faster, unless there is something to say."""
        f = self.python("""
            import fnd_start, glob, os, sys, warnings
            class Loader:
                def source_to_code(self, data, path):
                    self.compiled = True
                    return compile(data, path, "exec", dont_inherit=True)
            def same(a, b):
                return a == b and a.co_filename == b.co_filename and a.co_flags == b.co_flags and all(same(x, y) for x, y in zip(a.co_consts, b.co_consts) if hasattr(x, "co_code"))
            def ours(source):
                loader = Loader()
                loader.source_to_code, loader.compiled = loader.source_to_code, False
                return fnd_start._compiled(loader, source, "/var/task/x.py"), loader.compiled
            def handler(event, c):
                other = []
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    for n in sorted(glob.glob(os.path.dirname(os.__file__) + "/*.py"))[::4] + sorted(glob.glob(os.path.dirname(os.__file__) + "/test/test_source_encoding.py")):
                        with open(n, "rb") as f:
                            source = f.read()
                        code, compiled = ours(source)
                        if not same(code, compile(source, "/var/task/x.py", "exec", dont_inherit=True)):
                            other.append(n)
                latin, fell_back = ours(b"# -*- coding: latin-1 -*-\\ns = '\\xe4'\\n")
                other += [n for n, source in {"nothing": b"", "bom": b"\\xef\\xbb\\xbfa = 1", "crlf": b"a = 1\\r\\nb = 2"}.items() if not same(ours(source)[0], compile(source, "/var/task/x.py", "exec", dont_inherit=True)) or ours(source)[1]]
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    ours(b"a = 1 is 1")
                try:
                    ours(b"a = (")
                except SyntaxError as e:
                    wrong = e.filename
                return [other, "\u00e4" in latin.co_consts, fell_back, [w.filename for w in caught], wrong, sys.getprofile(), len([w for w in warnings.filters if w[2] is Warning and w[0] == "error"])]
        """.replace("\n            ", "\n"), MemorySize=1769, Timeout=60)
        r = self.d.invoke(f, {})
        self.assertEqual(r.json, [[], True, False, ["/var/task/x.py"], "/var/task/x.py", None, 0], r)

    def test_a_handler_in_a_package_or_with_something_to_say(self):
        """Begun for the function alone, as one with such a setting is."""
        plainly = lambda **settings: {"Environment": {"Variables": settings}}
        z = make_zip({"p/__init__.py": "", "p/m.py": "import os\ndef handler(e, c): return [__name__, __file__, e]\n"})
        for handler in ("p/m.handler", "p.m.handler"):
            f = self.function("t-py-" + handler.replace("/", "-").replace(".", "-"), z, runtime=PYTHON, handler=handler, **plainly(PYTHONHASHSEED="1"))
            self.assertEqual(self.d.invoke(f, b"1").json, ["p.m", "/var/task/p/m.py", 1])
        source = "import sys\ndef handler(e, c):\n    return [1 is 1, handler.__code__.co_filename, type(__loader__).__name__, sys.getprofile()]\n"
        f = self.python(source, name="t-py-warns", **plainly(PYTHONHASHSEED="1"))
        self.assertEqual(self.d.invoke(f, {}).json, [True, "/var/task/f.py", "SourceFileLoader", None])
        f = self.python(source, name="t-py-warns-not", **plainly(PYTHONWARNINGS="error"))
        r = self.fails(f, "Runtime.UserCodeSyntaxError", r"""^Syntax error in module 'f': "is" with (a|'int') literal. Did you mean "=="\? \(f.py, line 3\)$""")
        self.assertEqual(r.json["stackTrace"], ['  File "/var/task/f.py" Line 3\n        return [1 is 1, handler.__code__.co_filename, type(__loader__).__name__, sys.getprofile()]\n'])

    def test_a_module_by_the_name_of_one_that_is_compiled_in_here_alone(self):
        """On Lambda it comes from a file, behind the function's own; with a plain start, and ahead of the function."""
        for n, more in enumerate(({}, {"Environment": {"Variables": {"PYTHONHASHSEED": "1"}}})):
            z = make_zip({"syslog.py": "import array, math, cmath\ndef handler(e, c): return [__file__, array.mine, math.sqrt(4), cmath.__name__]\n", "array.py": "mine = 5\n", "math/data.txt": "", "cmath.txt": ""})
            f = self.function(f"t-py-own-{n}", z, runtime=PYTHON, handler="syslog.handler", **more)
            self.assertEqual(self.d.invoke(f, {}).json, ["/var/task/syslog.py", 5, 2, "cmath"])
            f = self.function(f"t-py-not-own-{n}", make_zip({"f.py": ""}), runtime=PYTHON, handler="math.handler", **more)
            self.fails(f, "Runtime.HandlerNotFound", "^Handler 'handler' missing on module 'math'$")
            f = self.function(f"t-py-builtin-{n}", make_zip({"time.py": "def handler(e, c): pass"}), runtime=PYTHON, handler="time.handler", **more)
            self.fails(f, "Runtime.BuiltInModuleConflict", "^Cannot use built-in module time as a handler module$")

    def test_values(self):
        f = self.python("def handler(event, c):\n    return event\n")
        for v in (None, True, 1, -1.5, "ä\u20ac\U0001f600", [], {}, {"a": [1, {"b": None}]}, "x" * 100000):
            self.assertEqual(self.d.invoke(f, json.dumps(v).encode()).json, v)
        g = self.python("def handler(event, c):\n    pass\n", name="t-py-none")
        self.assertEqual(self.d.invoke(g, {}).body, b"null")

    def test_user_exception(self):
        f = self.python("def inner():\n    raise ValueError('boom \\u00e4')\n\ndef handler(event, c):\n    inner()\n")
        r = self.fails(f, "ValueError", "^boom ä$")
        self.assertEqual(list(r.json), ["errorMessage", "errorType", "requestId", "stackTrace"])
        self.assertEqual(r.json["requestId"], r.headers["x-amzn-requestid"])
        self.assertEqual(len(r.json["stackTrace"]), 2)
        self.assertEqual(r.json["stackTrace"][0], '  File "/var/task/f.py", line 5, in handler\n    inner()\n')
        self.assertIn("\n[ERROR] ValueError: boom ä\nTraceback (most recent call last):\n\u00a0\u00a0File \"/var/task/f.py\", line 5, in handler\n\u00a0\u00a0\u00a0\u00a0inner()\n"
                      "\u00a0\u00a0File \"/var/task/f.py\", line 2, in inner\n\u00a0\u00a0\u00a0\u00a0raise ValueError('boom \\u00e4')\nEND ", r.log)

    def test_import_errors(self):
        r = self.fails(self.python("import nothing_of_the_kind\n"), "Runtime.ImportModuleError", "^Unable to import module 'f': No module named 'nothing_of_the_kind'")
        self.assertEqual(r.json["requestId"], "")
        self.fails(self.python("def handler(:\n", name="t-py-syntax"), "Runtime.UserCodeSyntaxError", "^Syntax error in module 'f': ")
        self.fails(self.python("x = 1\n", name="t-py-nohandler"), "Runtime.HandlerNotFound", "^Handler 'handler' missing on module 'f'$")
        r = self.fails(self.python("raise KeyError('early')\n", name="t-py-raise"), "KeyError", "early")
        self.assertRegex(r.json["stackTrace"][0], rf'^  File "/var/lang/lib/{PYTHON}/importlib/__init__.py", line \d+, in import_module\n    return _bootstrap._gcd_import\(')
        self.assertRegex(r.json["stackTrace"][1], r'^  File "<frozen importlib._bootstrap>", line \d+, in _gcd_import\n')
        self.assertEqual(r.json["stackTrace"][-1], '  File "/var/task/f.py", line 1, in <module>\n    raise KeyError(\'early\')\n')
        name = self.function("t-py-nodot", make_zip({"f.py": ""}), runtime=PYTHON, handler="handler")
        self.fails(name, "Runtime.MalformedHandlerName", r"^Bad handler 'handler': not enough values to unpack \(expected 2, got 1\)$")
        name = self.function("t-py-nomod", make_zip({"f.py": ""}), runtime=PYTHON, handler="other.handler")
        self.fails(name, "Runtime.ImportModuleError", "^Unable to import module 'other': No module named 'other'$")

    def test_marshalling(self):
        self.fails(self.python("def handler(e, c):\n    return {1, 2}\n"), "Runtime.MarshalError", "^Unable to marshal response: Object of type set is not JSON serializable$")
        f = self.python("import decimal\ndef handler(e, c):\n    return {'d': decimal.Decimal('1.5'), 'i': decimal.Decimal(3), 1: 'int key'}\n", name="t-py-decimal")
        self.assertEqual(self.d.invoke(f, {}).json, {"d": 1.5, "i": 3, "1": "int key"})

    def test_exit(self):
        f = self.python("import sys\ndef handler(e, c):\n    sys.exit(e['code'])\n")
        self.fails(f, "Runtime.ExitError", "Runtime exited with error: exit status 4$", {"code": 4})
        self.fails(f, "Runtime.ExitError", "Runtime exited without providing a reason$", {"code": 0})

    def test_print_and_logging(self):
        f = self.python("""
import logging, sys
logging.getLogger().setLevel(logging.INFO)
def handler(event, c):
    print("printed")
    print("to stderr", file=sys.stderr)
    logging.info("informed %d", 7)
    logging.getLogger("lib").debug("not shown")
    try:
        1 / 0
    except ZeroDivisionError:
        logging.exception("caught")
""")
        r = self.d.invoke(f, {}, tail=True)
        rid = r.headers["x-amzn-requestid"]
        self.assertIn("printed\n", r.log)
        self.assertIn("to stderr\n", r.log)
        self.assertRegex(r.log, rf"\[INFO\]\t\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\t{rid}\tinformed 7\n")
        self.assertRegex(r.log, r"(?s)\[ERROR\]\t.*\tcaught\nTraceback \(most recent call last\):\n.*\nZeroDivisionError: division by zero")
        self.assertNotIn("not shown", r.log)

    def test_json_logging(self):
        f = self.python("import logging\nlog = logging.getLogger('n')\ndef handler(e, c):\n    log.warning('careful', extra={'order': 7})\n    log.debug('no')\n",
                        LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "INFO"})
        r = self.d.invoke(f, {}, tail=True)
        record = json.loads([l for l in r.log.split("\n") if "careful" in l][0])
        self.assertRegex(record["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual((record["level"], record["message"], record["logger"], record["order"], record["requestId"]), ("WARNING", "careful", "n", 7, r.headers["x-amzn-requestid"]))
        self.assertNotIn('"no"', r.log)
        f = self.function("t-py-task", make_zip({"f.py": "import asyncio, logging\nasync def work():\n    logging.warning('in a task')\ndef handler(e, c):\n    asyncio.run(work())\n"}), runtime=PYTHON, handler="f.handler", MemorySize=512, LoggingConfig={"LogFormat": "JSON"})
        record = json.loads([l for l in self.d.invoke(f, {}, tail=True).log.split("\n") if "in a task" in l][0])
        self.assertEqual(record.get("taskName"), "Task-1" if tuple(map(int, PYTHON.removeprefix("python").split("."))) >= (3, 12) else None)

    def test_state_stays_between_invocations(self):
        f = self.python("n = 0\ndef handler(e, c):\n    global n\n    n += 1\n    return n\n")
        for n in (1, 2, 3):
            self.assertEqual(self.d.invoke(f, {}).json, n)
            self.d.at_rest()

    def test_environment(self):
        f = self.python("import os, sys\ndef handler(e, c):\n    return [dict(os.environ), sys.path, os.getcwd(), sys.version_info[:2]]\n", Environment={"Variables": {"MINE": "x y=z"}})
        env, path, cwd, version = self.d.invoke(f, {}).json
        self.assertEqual((env["MINE"], env["AWS_LAMBDA_FUNCTION_NAME"], env["_HANDLER"], env["AWS_EXECUTION_ENV"]), ("x y=z", f, "f.handler", "AWS_Lambda_" + PYTHON))
        self.assertEqual((env["LAMBDA_TASK_ROOT"], env["LAMBDA_RUNTIME_DIR"], env["TZ"], cwd), ("/var/task", "/var/runtime", ":UTC", "/var/task"))
        self.assertIn("_X_AMZN_TRACE_ID", env)
        self.assertEqual(path[0], "/var/task")
        self.assertIn("/opt/python", path)
        self.assertEqual(version, [int(n) for n in PYTHON.removeprefix("python").split(".")])

    def test_batteries(self):
        f = self.python("""
import boto3, botocore, json, ssl, sqlite3, hashlib, zlib, bz2, lzma, ctypes, decimal, urllib.request, asyncio, subprocess, uuid, datetime, zoneinfo, multiprocessing, threading, concurrent.futures
def handler(e, c):
    out = [0]
    t = threading.Thread(target=lambda: out.__setitem__(0, 1)); t.start(); t.join()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        squares = list(pool.map(lambda x: x * x, range(5)))
    return {"boto3": boto3.__version__, "ca": len(ssl.create_default_context().get_ca_certs()) > 50, "sh": subprocess.check_output("echo hi", shell=True).decode(),
            "db": sqlite3.connect("/tmp/x.db").execute("select 1+1").fetchone()[0], "zone": str(datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).utcoffset()),
            "thread": out[0], "squares": squares, "loop": asyncio.run(asyncio.sleep(0, 5)), "cpu": __import__("os").cpu_count() > 0}
""", MemorySize=1024, Timeout=30)
        r = self.d.invoke(f, {})
        self.assertIsNone(r.error, r)
        out = r.json
        self.assertEqual((out["ca"], out["sh"], out["db"], out["zone"], out["thread"], out["squares"], out["loop"]), (True, "hi\n", 2, "2:00:00", 1, [0, 1, 4, 9, 16], 5))

    def test_exec_wrapper(self):
        name = self.function("t-py-wrapper", make_zip({"f.py": "import os\ndef handler(e, c):\n    return os.environ['FROM_WRAPPER']\n",
                                                       "wrap": "#!/bin/bash\nexport FROM_WRAPPER=yes\nexec \"$@\"\n"}, {"wrap": 0o755}), runtime=PYTHON, handler="f.handler",
                             Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}})
        self.assertEqual(self.d.invoke(name, {}).json, "yes")
