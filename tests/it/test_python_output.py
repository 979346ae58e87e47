"""What the Python runtime's process prints: written at once, in order, and a record is one event of the log however many lines it has."""
import json, re, unittest
from harness import *


class Output(Case):
    def printed(self, source, payload=None, **more):
        """What is between START and END."""
        f = self.python(source, **more)
        r = self.d.invoke(f, payload or {}, tail=True)
        log = r.log
        if "JSON" in str(more):
            return r, log
        return r, log[log.index("\n", log.index("START RequestId")) + 1:log.rindex("END RequestId")]

    def test_nothing_is_lost_at_the_end(self):
        ends = {"exit": "os._exit(3)", "abort": "os.abort()", "kill": "os.kill(os.getpid(), signal.SIGKILL)", "timeout": "time.sleep(60)", "memory": "x = [bytearray(b'x' * (1 << 20)) for _ in range(4096)]",
                "raise": "raise ValueError('v')", "system": "sys.exit(4)"}
        f = self.python("import os, signal, sys, time\ndef handler(e, c):\n    print('out', end='')\n    sys.stdout.write(' more')\n    sys.stderr.write(' err')\n    sys.stdout.buffer.write(b' bytes')\n"
                        + "".join(f"    if e == {k!r}: {v}\n" for k, v in ends.items()), Timeout=5)
        for end in ends:
            with self.subTest(end):
                r = self.d.invoke(f, json.dumps(end).encode(), tail=True)
                self.assertEqual(r.error, "Unhandled", r)
                self.assertIn("out more err bytes", r.log)

    def test_order(self):
        _, log = self.printed("""
import logging, os, subprocess, sys, threading
def handler(e, c):
    print("1", end=" ")
    subprocess.run(["echo", "-n", "2 "])
    sys.stderr.write("3 ")
    os.write(1, b"4 ")
    sys.stdout.write("5 ")
    os.system("echo -n '6 ' >&2")
    sys.stdout.writelines(["7 ", "8 "])
    t = threading.Thread(target=lambda: print("9", end=" ")); t.start(); t.join()
    sys.stdout.buffer.write(b"10 ")
    print("11")
    logging.warning("twelve")
    print("13", file=sys.__stdout__)
    print("14", file=sys.__stderr__)
    if os.fork() == 0:
        print("15")
        os._exit(0)
    os.wait()
    print("16")
""")
        self.assertEqual(" ".join(x.split("\t")[-1] for x in log.split("\n")).split(), [str(i) if i != 12 else "twelve" for i in range(1, 17)], log)

    def test_a_pipe_that_a_child_has_made_non_blocking_loses_nothing(self):
        f = self.python("""
import fcntl, logging, os, sys
def handler(e, c):
    fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_NONBLOCK)
    for i in range(40):
        print("x" * 30000)
    logging.warning("y" * 100000)
    print("end")
""", Timeout=20)
        r = self.d.invoke(f, {}, tail=True)
        self.assertIsNone(r.error, r)
        self.assertIn("yyy\nend\nEND ", r.log)

    def test_the_streams_are_what_programs_take_them_for(self):
        r, log = self.printed("""
import contextlib, io, sys
def handler(e, c):
    with contextlib.redirect_stdout(io.StringIO()) as s:
        print("caught")
    print("\\ud83d\\ude00 " "\\u00e4")
    return [sys.stdout.encoding, sys.stdout.name, sys.stdout.mode, sys.stdout.fileno(), sys.stdout is sys.__stdout__, isinstance(sys.stdout, io.TextIOBase), sys.stdout.isatty(), s.getvalue(),
            sys.stderr.errors, sys.stderr.fileno(), sys.stdout.writable(), sys.stdout.closed]
""".replace("\\ud83d\\ude00", "\U0001f600"))
        self.assertEqual(r.json, ["utf-8", "<stdout>", "w", 1, True, True, False, "caught\n", "backslashreplace", 2, True, False], r)
        self.assertEqual(log, "\U0001f600 ä\n")

    def test_a_record_is_one_event(self):
        _, log = self.printed("""
import logging
logging.getLogger().setLevel("INFO")
def handler(e, c):
    logging.info("one\\ntwo\\r\\nthree\\n")
    print("a\\nb")
    c.log("from the context\\nin two lines")
    raise RuntimeError("first\\n    second")
""")
        traceback = "[ERROR] RuntimeError: first\n    second\nTraceback (most recent call last):\n\u00a0\u00a0File \"/var/task/f.py\", line 8, in handler\n\u00a0\u00a0\u00a0\u00a0raise RuntimeError(\"first\\n    second\")"
        records = ["one\ntwo\nthree\r", "a", "b", "from the context\nin two lines", traceback]
        self.assertEqual(re.sub("(?m)^\\[INFO\\].*\t", "", log).split("\n"), "\n".join(records).split("\n") + [""], "of its tail each line")
        events = self.d.request("POST", "/", json.dumps({"logGroupName": "/aws/lambda/t-test-a-record-is-one-event"}), {"X-Amz-Target": "Logs_20140328.FilterLogEvents"}).json["events"]
        self.assertEqual([e["message"].split("\t")[-1].removesuffix("\n") for e in events if not re.match("INIT|START|END|REPORT|Cold|RequestId", e["message"])], records)

    def test_json_records(self):
        r, log = self.printed("""
import logging
def handler(e, c):
    logging.warning({"an": "object", "n": 1})
    logging.error("text %s\\nmore", "arg", extra={"order": 7, "odd": {1, }, "none": None})
    try:
        1 / 0
    except ZeroDivisionError:
        logging.exception("caught")
    logging.log(35, "between")
    print("plain")
    raise ValueError("v\\u00e4")
""", LoggingConfig={"LogFormat": "JSON"})
        records = [x for x in map(json.loads, filter(lambda l: l.startswith("{"), log.split("\n"))) if "level" in x]
        rid = r.headers["x-amzn-requestid"]
        self.assertEqual([(x["level"], x.get("message")) for x in records], [("WARNING", {"an": "object", "n": 1}), ("ERROR", "text arg\nmore"), ("ERROR", "caught"), ("WARNING", "between"), ("ERROR", None)])
        self.assertEqual(list(records[0]), ["timestamp", "level", "message", "logger", "requestId"])
        self.assertEqual({k: v for k, v in records[1].items() if k not in ("timestamp", "message")}, {"level": "ERROR", "logger": "root", "requestId": rid, "order": 7, "odd": "{1}"})
        self.assertEqual((records[2]["errorType"], records[2]["errorMessage"], records[2]["location"]), ("ZeroDivisionError", "division by zero", "/var/task/f.py:handler:9"))
        self.assertEqual(list(records[4]), ["timestamp", "level", "errorMessage", "errorType", "requestId", "stackTrace"])
        self.assertIn("plain\n", log)


class Context(Case):
    def test_client_context_and_repr(self):
        """Recorded from awslambdaric 4.2.2."""
        import base64
        f = self.python("def handler(e, c):\n    k = c.client_context\n    return [repr(k), k and k.client and k.client.app_title, repr(c.identity), repr(c).split('function_version')[0].split('function_name')[1]]\n")
        send = lambda value: self.d.invoke(f, {}, headers={"X-Amz-Client-Context": base64.b64encode(json.dumps(value).encode()).decode()}).json
        self.assertEqual(send({"custom": {"k": "ä"}, "client": {"app_title": "t"}})[:2],
                         ["ClientContext([custom={'k': 'ä'},env=None,client=Client([installation_id=None,app_title=t,app_version_name=None,app_version_code=None,app_package_name=None])])", "t"])
        out = send({"env": {}})
        self.assertEqual(out, ["ClientContext([custom=None,env={},client=None])", None, "CognitoIdentity([cognito_identity_id=None,cognito_identity_pool_id=None])", f"={f},memory_limit_in_mb=128,"])

    def test_xray_variable_is_each_invocation_s_own(self):
        f = self.python("import os\ndef handler(e, c):\n    return os.environ.get('_X_AMZN_TRACE_ID')\n")
        roots = [f"Root=1-5759e988-bd862e3fe1be46a99427279{i}" for i in range(2)]
        self.assertEqual([self.d.invoke(f, {}, headers={"X-Amzn-Trace-Id": r + ";Sampled=1"}).json.split(";")[0] for r in roots], roots)
