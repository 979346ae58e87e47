"""Extensions: from layers' /opt/extensions, and inside the runtime; each as on Lambda, well and badly behaved."""
import json, os, re, time, unittest
from harness import BUILD, BotoCase, boto, make_zip, often, wait_until

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def fixture():
    with open(os.path.join(BUILD, "fixtures/extension"), "rb") as file:
        return file.read()


def seconds(stamp):
    h, m, s = re.search(r"T(\d\d):(\d\d):([\d.]+)Z", stamp).groups()
    return int(h) * 3600 + int(m) * 60 + float(s)


class ExtensionCase(BotoCase):
    def layer(self, *names, program=None, mode=0o755):
        """A layer whose /opt/extensions has this program, or tests/fixtures/extension.c, under each of these names."""
        files = {f"extensions/{n}": program or fixture() for n in names}
        name = "l-" + self.id().split(".")[-1].replace("_", "-")[:50]
        made = self.c.publish_layer_version(LayerName=name, Content={"ZipFile": make_zip(files, {f: mode for f in files})})
        self.addCleanup(self.c.delete_layer_version, LayerName=name, VersionNumber=made["Version"])
        return made["LayerVersionArn"]

    def extended(self, extensions, variables=None, **more):
        """A native function with these extensions, {name: how it behaves}."""
        env = {**{f"EXT_{n}": how for n, how in extensions.items() if how}, **(variables or {})}
        return self.function(Layers=[self.layer(*extensions)], Environment={"Variables": env}, **more)

    def stamped(self, f, holds="REPORT", times=1):
        """[(seconds, line)] of its log, as soon as it holds this so often."""
        text = lambda: self.d.request("GET", f"/_fnd/logs/{f}?cursor=0").json["Text"]
        wait_until(lambda: f"{holds} in the log of {f}: {text()}", lambda: text().count(holds) >= times)
        return [(seconds(line.split(" ", 1)[0]), line.split(" ", 1)[1]) for line in text().split("\n")[:-1]]

    def log(self, f, holds="REPORT", times=1):
        return [line for _, line in self.stamped(f, holds, times)]

    def said(self, lines, name, what):
        """What extension `name` has said of `what`."""
        start = f"ext {name} {what} "
        return [line[len(start):] for line in lines if line.startswith(start)]

    def events(self, lines, name):
        return [json.loads(e) for e in self.said(lines, name, "event")]

    def spin_down(self, f, memory=192):
        """What idles of it is ended, the log stays."""
        self.d.configure(f, MemorySize=memory)

    def failed(self, r, type, words):
        self.assertEqual((r.error, r.json["errorType"]), ("Unhandled", type), r.body)
        self.assertEqual(r.json["errorMessage"], f"RequestId: {r.headers['x-amzn-requestid']} Error: {words}")


class WellBehaved(ExtensionCase):
    def test_two_external_ones(self):
        f = self.extended({"one": "accountId", "two": "invoke-only"})
        r = self.d.invoke(f, {"do": "echo"}, headers={"X-Amzn-Trace-Id": TRACE})
        self.assertIsNone(r.error, r.body)
        self.spin_down(f)
        lines = self.log(f, '"SHUTDOWN"')
        told = {"functionName": f, "functionVersion": "$LATEST", "handler": "bootstrap"}
        status, body = self.said(lines, "one", "registered")[0].split(" ", 1)
        self.assertEqual((status, json.loads(body)), ("200", {**told, "accountId": "000000000000"}))
        self.assertEqual(json.loads(self.said(lines, "two", "registered")[0].split(" ", 1)[1]), told)
        self.assertIn("EXTENSION\tName: one\tState: Ready\tEvents: [INVOKE, SHUTDOWN]", lines)
        self.assertIn("EXTENSION\tName: two\tState: Ready\tEvents: [INVOKE]", lines)
        invoke, end = self.events(lines, "one")
        self.assertEqual(self.events(lines, "two"), [invoke])  # not SHUTDOWN: it does not want that
        deadline = invoke.pop("deadlineMs")
        self.assertAlmostEqual(deadline / 1000, time.time() + 30, delta=60)
        self.assertEqual(invoke, {"eventType": "INVOKE", "requestId": r.headers["x-amzn-requestid"], "invokedFunctionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{f}",
                                  "tracing": {"type": "X-Amzn-Trace-Id", "value": TRACE}})
        self.assertAlmostEqual(end.pop("deadlineMs") / 1000, time.time() + 2, delta=60)
        self.assertEqual(end, {"eventType": "SHUTDOWN", "shutdownReason": "spindown"})
        self.assertEqual(len([l for l in lines if l.startswith("REPORT")]), 1)

    def test_the_runtime_starts_when_they_have_registered(self):
        f = self.extended({"late": "late=300"})
        self.assertIsNone(self.d.invoke(f, {"do": "echo"}).error)
        report = [l for l in self.log(f) if l.startswith("REPORT")][0]
        self.assertGreaterEqual(float(re.search(r"Init Duration: ([\d.]+) ms", report).group(1)), 290)

    def test_the_caller_does_not_wait_for_them_the_next_does(self):
        f = self.extended({"slow": "slow=3000", "quick": ""}, Timeout=20)
        self.d.invoke(f, {"do": "echo"})
        self.log(f)
        at = time.monotonic()
        first = self.d.invoke(f, {"do": "echo"}, tail=True)
        took = time.monotonic() - at
        self.assertLess(took, 2.5)
        self.assertIn("START RequestId", first.log)
        self.assertNotIn("REPORT", first.log)
        second = self.d.invoke(f, {"do": "echo"})
        self.assertIsNone(second.error)
        lines = self.log(f, times=3)
        for report in [l for l in lines if l.startswith("REPORT")]:
            self.assertGreaterEqual(float(re.search(r"Duration: ([\d.]+) ms", report).group(1)), 2990)
            self.assertNotIn("Status", report)

    def test_those_that_are_turned_off(self):
        """By the file that Lambda has for it: none starts, and their APIs are not there."""
        files = {"extensions/one": fixture(), "disable-extensions-jwigqn8j": ""}
        made = self.c.publish_layer_version(LayerName="l-off", Content={"ZipFile": make_zip(files, {"extensions/one": 0o755})})
        self.addCleanup(self.c.delete_layer_version, LayerName="l-off", VersionNumber=made["Version"])
        f = self.python('''
import http.client, json, os
def status(method, path, body, **headers):
    c = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    c.request(method, path, json.dumps(body), headers)
    return c.getresponse().status
def all():
    return [status("POST", "/2020-01-01/extension/register", {"events": []}, **{"Lambda-Extension-Name": "inner"}),
            status("PUT", "/2022-07-01/telemetry", {}, **{"Lambda-Extension-Identifier": "0"}), status("PUT", "/2020-08-15/logs", {}, **{"Lambda-Extension-Identifier": "0"})]
asked = all()
def handler(event, context):
    return asked + all() + [os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
''', Layers=[made["LayerVersionArn"]], SnapStart={"ApplyOn": "PublishedVersions"})
        self.assertEqual(self.d.invoke(f, {}).json, [404] * 6 + ["on-demand"])
        version = self.publish(f)  # there is nothing that could not be part of its snapshot
        wait_until("it is active", lambda: self.c.get_function_configuration(FunctionName=f, Qualifier=version)["State"] == "Active")
        self.assertEqual(self.c.get_function_configuration(FunctionName=f, Qualifier=version)["SnapStart"]["OptimizationStatus"], "On")
        self.assertEqual(self.d.invoke(f, {}, query=f"?Qualifier={version}").json, [404] * 6 + ["snap-start"])
        self.assertEqual([l for l in self.log(f) if l.startswith(("ext ", "EXTENSION"))], [])

    def test_an_internal_one(self):
        f = self.python("""
import json, os, signal, threading, urllib.request
API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension/"
def say(*words): # in one write: a line whose second half comes after the response is two
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
def call(path, headers, data=None):
    try:
        return urllib.request.urlopen(urllib.request.Request(API + path, data, headers))
    except urllib.error.HTTPError as e:
        say("inner", e.code, e.read().decode())
r = call("register", {"Lambda-Extension-Name": "inner"}, b'{"events":["INVOKE"]}')
me = {"Lambda-Extension-Identifier": r.headers["Lambda-Extension-Identifier"]}
call("register", {"Lambda-Extension-Name": "inner2"}, b'{"events":["SHUTDOWN"]}')
def listen():
    while True:
        say("inner", call("event/next", me).read().decode())
threading.Thread(target=listen, daemon=True).start()
def on_term(*a):
    print("the runtime got SIGTERM", flush=True)
    raise SystemExit(0)
signal.signal(signal.SIGTERM, on_term)
def handler(event, c):
    return c.aws_request_id
""")
        r = self.d.invoke(f, {})
        self.assertIsNone(r.error, r.body)
        lines = self.log(f)
        self.assertIn('inner 403 {"errorMessage":"SHUTDOWN: ShutdownEventNotSupportedForInternalExtension","errorType":"Extension.InvalidEventType"}', lines)
        self.assertIn("EXTENSION\tName: inner\tState: Ready\tEvents: [INVOKE]", lines)
        self.assertEqual([json.loads(l[6:])["requestId"] for l in lines if l.startswith("inner {")], [r.json])
        self.spin_down(f)
        self.log(f, "the runtime got SIGTERM")

    def test_no_sigterm_without_them(self):
        f = self.python("""
import signal
signal.signal(signal.SIGTERM, lambda *a: print("the runtime got SIGTERM", flush=True))
def handler(event, c):
    return 1
""")
        self.assertIsNone(self.d.invoke(f, {}).error)
        self.log(f)
        self.spin_down(f)
        self.assertIsNone(self.d.invoke(f, {}).error)
        self.assertNotIn("the runtime got SIGTERM", self.log(f, times=2))

    def test_json(self):
        f = self.extended({"one": "slow=50"}, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG"})
        began = time.monotonic()
        self.d.invoke(f, {"do": "echo"})
        events = [json.loads(l) for l in self.log(f, "platform.report") if l.startswith('{"time"')]
        took = 1000 * (time.monotonic() - began)
        self.assertEqual([e["record"] for e in events if e["type"] == "platform.extension"], [{"name": "one", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}])
        report = [e["record"] for e in events if e["type"] == "platform.report"][0]
        done = [e["record"] for e in events if e["type"] == "platform.runtimeDone"][0]
        span = report["spans"][0]
        self.assertEqual(span["name"], "extensionOverhead")
        self.assertTrue(49 <= span["durationMs"] <= took, (span, took))
        self.assertAlmostEqual(report["metrics"]["durationMs"], done["metrics"]["durationMs"] + span["durationMs"], delta=0.01)

    def test_deaf_ones_are_ended_with_the_rest(self):
        f = self.extended({"deaf": "deaf", "one": ""})
        self.assertIsNone(self.d.invoke(f, {"do": "echo"}).error)
        self.assertIn("EXTENSION\tName: deaf\tState: Ready\tEvents: []", self.log(f))
        self.spin_down(f)
        self.assertEqual(self.events(self.log(f, '"SHUTDOWN"'), "deaf"), [])

    def test_with_a_runtime_that_was_started_ahead(self):
        f = self.python("def handler(event, c):\n    return c.aws_request_id\n", Layers=[self.layer("one")])
        for _ in range(2):
            r = self.d.invoke(f, {})
            self.assertIsNone(r.error, r.body)
        self.assertEqual([e["requestId"] for e in self.events(self.log(f, times=2), "one")][1], r.json)

    def test_their_memory_counts(self):
        f = self.extended({"one": "holds=60"})
        self.assertIsNone(self.d.invoke(f, {"do": "echo"}).error)
        self.assertGreaterEqual(int(re.search(r"Max Memory Used: (\d+) MB", "\n".join(self.log(f))).group(1)), 60)

    def test_the_memory_of_a_runtime_that_ends_before_them(self):
        """Also in the sandbox that follows, which has the /tmp of the one before."""
        f = self.python("import os\nheld = bytearray(80 << 20)\nheld[::4096] = b'x' * len(held[::4096])\ndef handler(event, context):\n    os._exit(1)", Layers=[self.layer("one")], MemorySize=512)
        for _ in range(2):
            r = self.d.in_turn(f, {}, tail=True)
            self.failed(r, "Runtime.ExitError", "Runtime exited with error: exit status 1")
            self.assertGreaterEqual(int(re.search(r"Max Memory Used: (\d+) MB", r.log).group(1)), 80, r.log)

    def test_no_snapshot_with_them(self):
        """Their processes, and what they are registered as, are no part of an image."""
        internal = """
import os, urllib.request
urllib.request.urlopen(urllib.request.Request("http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension/register", b"{}", {"Lambda-Extension-Name": "inner"}))
"""
        for source, layers in (("", [self.layer("one")]), (internal, [])):
            f = self.python(source + "def handler(event, c):\n    return 1\n", name=f"t-no-snapshot-{len(layers)}", Layers=layers, SnapStart={"ApplyOn": "PublishedVersions"})
            v = self.publish(f)
            state = lambda: self.c.get_function_configuration(FunctionName=f, Qualifier=v)
            wait_until(lambda: f"it is published: {state()}", lambda: state()["State"] != "Pending")
            self.assertEqual((state()["State"], state()["SnapStart"]["OptimizationStatus"]), ("Active", "Off"), state())
            self.assertIn("extension", state()["StateReason"])

    def test_fnd_ends(self):
        d = self.daemon()
        layer = boto(d).publish_layer_version(LayerName="l", Content={"ZipFile": make_zip({"extensions/one": fixture()}, {"extensions/one": 0o755})})
        d.create("ends", Layers=[layer["LayerVersionArn"]])
        self.assertIsNone(d.invoke("ends", {"do": "echo"}).error)
        self.ends_clean(d)
        log = ""
        for base, _, files in os.walk(os.path.join(d.state, "logs")):
            for name in files:
                with open(os.path.join(base, name), errors="replace") as file:
                    log += file.read()
        self.assertIn('"shutdownReason":"spindown"', log)

    def test_provisioned(self):
        f = self.extended({"one": ""})
        v = self.publish(f)
        self.c.put_provisioned_concurrency_config(FunctionName=f, Qualifier=v, ProvisionedConcurrentExecutions=1)
        wait_until("it is ready", lambda: self.c.get_provisioned_concurrency_config(FunctionName=f, Qualifier=v)["Status"] == "READY")
        self.assertIsNone(self.d.invoke(f, {"do": "echo"}, query=f"?Qualifier={v}").error)
        self.assertEqual(len(self.events(self.log(f), "one")), 1)


class IllBehaved(ExtensionCase):
    def test_one_that_crashes_in_init(self):
        for how, words, state in (("exit=3", "exit status 3", "Started"), ("exit=0", "exit code 0", "Started"), ("exit-registered=4", "exit status 4", "Registered")):
            with self.subTest(how):
                f = self.extended({"bad": how, "good": ""})
                r = self.d.invoke(f, {"do": "echo"})
                self.failed(r, "Extension.Crash", words)
                lines = self.log(f)
                self.assertIn(f"RequestId: {r.headers['x-amzn-requestid']} Error: {words}\rExtension.Crash", lines)
                self.assertIn(f"EXTENSION\tName: bad\tState: {state}\tEvents: [{'INVOKE, SHUTDOWN' if state == 'Registered' else ''}]", lines)
                reports = [l for l in lines if l.startswith("INIT_REPORT")]
                self.assertEqual([re.sub(r"[\d.]+ ms", "N ms", l) for l in reports],
                                 [f"INIT_REPORT Init Duration: N ms\tPhase: {p}\tStatus: error\tError Type: Extension.Crash" for p in ("init", "invoke")])
                self.assertRegex([l for l in lines if l.startswith("REPORT")][0], r"Status: error\tError Type: Extension\.Crash$")
                self.assertEqual([e["shutdownReason"] for e in self.events(lines, "good") if e["eventType"] == "SHUTDOWN"][:1], self.events(lines, "good") and ["failure"])

    def test_one_that_reports_its_failure(self):
        def exits():
            f = self.extended({"bad": "init-error", "good": ""})
            r = self.d.invoke(f, {"do": "echo"})
            self.failed(r, "Extension.InitError", "exit status 1")
            lines = self.log(f)
            self.assertEqual(self.said(lines, "bad", "said init/error"), ['202 {"status":"OK"}'] * 2)
            self.assertIn("EXTENSION\tName: bad\tState: InitError\tEvents: [INVOKE, SHUTDOWN]\tError Type: Extension.Odd", lines)
        often(exits)  # it has 100 ms for that, which a busy machine may not give it
        f = self.extended({"bad": "init-error stays"}, Timeout=2)  # and does not exit
        self.assertEqual(self.d.invoke(f, {"do": "echo"}).json["errorType"], "Extension.InitError")

    def test_one_that_crashes_in_an_invocation(self):
        f = self.extended({"bad": "crash=5", "good": ""})
        r = self.d.invoke(f, {"do": "sleep", "ms": 1000})
        self.failed(r, "Extension.Crash", "exit status 5")
        lines = self.log(f, '"SHUTDOWN"')
        self.assertRegex([l for l in lines if l.startswith("REPORT")][0], r"Status: error\tError Type: Extension\.Crash$")
        self.assertEqual([e["eventType"] for e in self.events(lines, "good")], ["INVOKE", "SHUTDOWN"])
        self.assertEqual(self.events(lines, "good")[1]["shutdownReason"], "failure")
        # after the response it stands
        f = self.extended({"bad": "crash=5"})
        self.assertIn(self.d.invoke(f, {"do": "echo"}).error, (None, "Unhandled"))
        self.assertRegex([l for l in self.log(f) if l.startswith("REPORT")][0], r"Error Type: Extension\.Crash$")

    def test_one_that_reports_an_error_in_an_invocation(self):
        def exits():
            f = self.extended({"bad": "exit-error"})
            r = self.d.invoke(f, {"do": "sleep", "ms": 1000})
            self.failed(r, "Extension.ExitError", "exit status 1")
        often(exits)  # as above
        f = self.extended({"bad": "exit-error stays", "good": ""}, Timeout=20)  # and does not exit
        before, at = set(self.d.pids()["sandbox"]), time.monotonic()
        r = self.d.invoke(f, {"do": "sleep", "ms": 10000})
        self.failed(r, "Extension.ExitError", "the extension has reported an error")
        self.assertLess(time.monotonic() - at, 9)
        self.assertRegex([l for l in self.log(f) if l.startswith("REPORT")][0], r"Status: error\tError Type: Extension\.ExitError$")
        mine = lambda: [p for p in self.d.pids()["sandbox"] if p not in before and self.program(p) == "bad"]
        wait_until("its process is ended", lambda: not mine())
        self.assertEqual([e["shutdownReason"] for e in self.events(self.log(f, '"SHUTDOWN"'), "good") if e["eventType"] == "SHUTDOWN"], ["failure"])

    def test_one_that_never_asks_for_more(self):
        f = self.extended({"bad": "stuck", "good": ""}, Timeout=4)
        at = time.monotonic()
        r = self.d.invoke(f, {"do": "echo"})
        self.assertIsNone(r.error, r.body)
        self.assertLess(time.monotonic() - at, 3.5)
        stamped = self.stamped(f, '"SHUTDOWN"')
        lines = [l for _, l in stamped]
        report = [l for l in lines if l.startswith("REPORT")][0]
        self.assertTrue(report.endswith("Status: timeout"), report)
        duration = float(re.search(r"\tDuration: ([\d.]+) ms", report).group(1))
        self.assertTrue(3950 <= duration <= 14000, report)
        self.assertEqual(self.events(lines, "good")[1]["shutdownReason"], "timeout")
        self.assertIsNone(self.d.invoke(f, {"do": "echo"}).error)  # another sandbox

    def test_one_that_overruns_shutdown(self):
        f = self.extended({"bad": "overrun", "good": "bye=100"})
        self.assertIsNone(self.d.invoke(f, {"do": "echo"}).error)
        self.log(f)
        mine = lambda: [p for p in self.d.pids()["sandbox"] if self.program(p) == "bad"]
        wait_until("it is there", mine)
        began = time.time()
        self.spin_down(f)
        deadline = self.events(self.log(f, '"SHUTDOWN","shutdownReason"'), "bad")[-1]["deadlineMs"] / 1000
        wait_until("it is ended", lambda: not mine())
        ended = time.time()
        self.assertGreaterEqual(deadline - began, 2)
        self.assertTrue(deadline - 0.01 <= ended <= deadline + 10, (began, deadline, ended))

    def program(self, pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return os.path.basename(file.read().split(b"\0")[0].decode())
        except OSError:
            return ""

    def test_ones_that_cannot_be_started(self):
        f = self.function(Layers=[self.layer("plain", mode=0o644)])
        r = self.d.invoke(f, {"do": "echo"})
        self.failed(r, "Extension.LaunchError", "fork/exec /opt/extensions/plain: permission denied")
        self.assertIn("EXTENSION\tName: plain\tState: LaunchError\tEvents: []\tError Type: PermissionDenied", self.log(f))
        f = self.function(Layers=[self.layer(*(f"e{i}" for i in range(11)))])
        self.failed(self.d.invoke(f, {"do": "echo"}), "Extension.LaunchError", "Extension limit (10) reached")

    def test_one_that_never_registers(self):
        self.d = self.daemon(init_timeout_s=1)
        self.c = boto(self.d)
        f = self.extended({"bad": "no-register"}, Timeout=1)
        r = self.d.invoke(f, {"do": "echo"})
        self.assertEqual(r.json["errorType"], "Sandbox.Timedout")
        self.assertEqual([re.sub(r"[\d.]+ ms", "N ms", l) for l in self.log(f) if l.startswith("INIT_REPORT")],
                         [f"INIT_REPORT Init Duration: N ms\tPhase: {p}\tStatus: timeout" for p in ("init", "invoke")])


class TheRuntime(ExtensionCase):
    """What they learn of its fate."""

    def test_its_timeout(self):
        f = self.extended({"one": ""}, Timeout=1)
        self.assertEqual(self.d.invoke(f, {"do": "sleep", "ms": 5000}).json["errorType"], "Sandbox.Timedout")
        self.assertEqual(self.events(self.log(f, '"SHUTDOWN"'), "one")[1]["shutdownReason"], "timeout")

    def test_its_crash(self):
        f = self.extended({"one": ""})
        self.failed(self.d.invoke(f, {"do": "exit", "code": 3}), "Runtime.ExitError", "Runtime exited with error: exit status 3")
        self.assertEqual(self.events(self.log(f, '"SHUTDOWN"'), "one")[1]["shutdownReason"], "failure")
        self.assertIsNone(self.d.invoke(f, {"do": "echo"}).error)
        self.assertEqual(len([l for l in self.log(f, times=2) if l.startswith("INIT_START")]), 2)

    def test_its_memory(self):
        f = self.extended({"one": ""})
        self.assertIn(self.d.invoke(f, {"do": "oom"}).json["errorType"], ("Runtime.OutOfMemory", "Runtime.ExitError"))
        self.assertIsNone(self.d.invoke(f, {"do": "echo"}).error)

    def test_its_missing_entry_point(self):
        f = self.function(zip_bytes=make_zip({"x": "y"}), Layers=[self.layer("one")])
        r = self.d.invoke(f, {})
        self.failed(r, "Runtime.InvalidEntrypoint", "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]")

    def test_its_init(self):
        for how, type in (("fail", None), ("exit", "Runtime.ExitError")):
            with self.subTest(how):
                f = self.extended({"one": ""}, {"INIT": how})
                r = self.d.invoke(f, {"do": "echo"})
                self.assertEqual(r.error, "Unhandled")
                if type:
                    self.assertEqual(r.json["errorType"], type)


if __name__ == "__main__":
    unittest.main()
