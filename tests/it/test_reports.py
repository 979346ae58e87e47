"""The platform's lines about invocations: Lambda's to the byte, in both log formats; what is billed; entry points that cannot be run."""
import base64, io, json, math, os, re, signal, threading, time, zipfile
from harness import Case, boto, comm, make_zip, native_zip, wait_until

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
VERSION_ARN = r"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}"


class Reports(Case):
    def log(self, f, holds="REPORT"):
        """Its lines, without the timestamps that fnd keeps with them."""
        text = lambda: self.d.request("GET", f"/_fnd/logs/{f}?cursor=0").json["Text"]
        wait_until(lambda: f"{holds} in the log of {f}: {text()}", lambda: holds in text())
        return [line.split(" ", 1)[1] for line in text().split("\n")[:-1]]

    def json_function(self, level="INFO", system="INFO", **more):
        return self.function(LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": level, "SystemLogLevel": system}, **more)


class Text(Reports):
    def test_cold_and_warm_to_the_byte(self):
        f = self.function()
        cold, warm = self.d.invoke(f, {}, tail=True), self.d.in_turn(f, {}, tail=True)
        rid = cold.headers["x-amzn-requestid"]
        self.assertRegex(self.log(f)[0], rf"^INIT_START Runtime Version: provided:al2023\.\w+\tRuntime Version ARN: {VERSION_ARN}$")
        self.assertRegex(cold.log, rf"^START RequestId: {rid} Version: \$LATEST\nEND RequestId: {rid}\n"
                         rf"REPORT RequestId: {rid}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms\t\n"
                         rf"RequestId: {rid} Cold Start: queue [\d.]+ ms, cgroup [\d.]+ ms, mounts [\d.]+ ms, clone [\d.]+ ms, net [\d.]+ ms, exec [\d.]+ ms, init [\d.]+ ms(, .*)?\n$")
        rid = warm.headers["x-amzn-requestid"]
        self.assertRegex(warm.log, rf"^START RequestId: {rid} Version: \$LATEST\nEND RequestId: {rid}\n"
                         rf"REPORT RequestId: {rid}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\t\n$")

    def test_billed_is_duration_and_init_rounded_up(self):
        f = self.function(Environment={"Variables": {"INIT": "sleep:30"}})
        for event, cold in (({"do": "sleep", "ms": 3}, True), ({"do": "sleep", "ms": 3}, False)):
            log = self.d.in_turn(f, event, tail=True).log
            duration, billed = re.search(r"\tDuration: (\d+)\.(\d\d) ms\tBilled Duration: (\d+) ms", log).groups()[:2], int(re.search(r"Billed Duration: (\d+) ms", log).group(1))
            hundredths = int("".join(duration))
            init = re.search(r"Init Duration: (\d+)\.(\d\d) ms", log)
            self.assertEqual(bool(init), cold)
            if init:
                self.assertGreaterEqual(int("".join(init.groups())), 3000)
                hundredths += int("".join(init.groups()))
            self.assertEqual(billed, -(-hundredths // 100), log)

    def test_init_counts_from_its_begin_however_late_fnd_hears_of_it(self):
        d = self.daemon(prepared_least=0, prepared_most=0)
        d.create("f", Environment={"Variables": {"INIT": "sleep:300"}})
        spawnd, worker = d.pids()["spawnd"][0], d.pids()["worker"][0]
        os.kill(spawnd, signal.SIGSTOP)
        log = []
        call = threading.Thread(target=lambda: log.append(d.invoke("f", {"do": "echo"}, tail=True).log))
        call.start()
        try:
            wait_until("it has been asked for", lambda: d.metric("fnd_environments", function="f", state="starting") == 1)
            os.kill(worker, signal.SIGSTOP)
            os.kill(spawnd, signal.SIGCONT)
            wait_until("it runs", lambda: any(comm(p) == "bootstrap" for p in d.pids()["sandbox"]))
            time.sleep(0.15)  # of its init, which fnd does not see
        finally:
            os.kill(worker, signal.SIGCONT)
        call.join()
        init = re.search(r"Init Duration: (\d+)\.(\d\d) ms", log[0])
        self.assertGreaterEqual(int("".join(init.groups())), 30000, log)

    def test_a_handlers_error_is_none_of_the_platforms(self):
        f = self.function()
        r = self.d.invoke(f, {"do": "error", "type": "My.Error"}, tail=True)
        self.assertEqual(r.error, "Unhandled")
        self.assertRegex(r.log, r"Max Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms\t\n")

    def test_a_crash(self):
        f = self.function()
        self.d.do(f, "echo")
        r = self.d.in_turn(f, {"do": "exit", "code": 3}, tail=True)
        rid = r.headers["x-amzn-requestid"]
        self.assertRegex(r.log, rf"^START RequestId: {rid} Version: \$LATEST\nRequestId: {rid} Error: Runtime exited with error: exit status 3\nRuntime\.ExitError\nEND RequestId: {rid}\n"
                         rf"REPORT RequestId: {rid}\t.*Max Memory Used: \d+ MB\tStatus: error\tError Type: Runtime\.ExitError\n$")

    def test_a_timeout(self):
        f = self.function(Timeout=1)
        self.d.do(f, "echo")
        r = self.d.in_turn(f, {"do": "hang"}, tail=True)
        rid = r.headers["x-amzn-requestid"]
        self.assertRegex(r.log, rf"^START RequestId: {rid} Version: \$LATEST\n{STAMP} {rid} Task timed out after 1\.00 seconds\n\nEND RequestId: {rid}\n"
                         rf"REPORT RequestId: {rid}\tDuration: 1\d\d\d\.\d\d ms\tBilled Duration: 1\d\d\d ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\tStatus: timeout\n$")

    def test_a_failed_init(self):
        """Reported, repeated in the invocation and reported again; START comes after that, as on Lambda. It is part of Duration, not billed twice."""
        f = self.function(Environment={"Variables": {"INIT": "fail"}})
        rid = self.d.invoke(f, {}).headers["x-amzn-requestid"]
        lines = [l for l in self.log(f) if not l.startswith("INIT_START")]
        self.assertRegex(lines[0], r"^INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: init\tStatus: error\tError Type: Runtime\.Unknown$")
        self.assertRegex(lines[1], r"^INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: invoke\tStatus: error\tError Type: Runtime\.Unknown$")
        self.assertEqual(lines[2:4], [f"START RequestId: {rid} Version: $LATEST", f"END RequestId: {rid}"])
        self.assertRegex(lines[4], rf"^REPORT RequestId: {rid}\tDuration: .*Max Memory Used: \d+ MB\tStatus: error\tError Type: Runtime\.Unknown$")

    def test_an_init_that_succeeds_within_the_invocation(self):
        f = self.python("import os\nif not os.path.exists('/tmp/x') and os.environ['AWS_LAMBDA_LOG_STREAM_NAME'] and not os.environ.get('OK'):\n    raise SystemExit(4)\n"
                        "def handler(e, c): return 1", Timeout=5)
        self.assertEqual(self.d.invoke(f, {}).json["errorType"], "Runtime.ExitError")
        lines = self.log(f)
        self.assertEqual(sum("Phase: init\tStatus: error\tError Type: Runtime.ExitError" in l for l in lines), 1)
        self.assertEqual(sum("Phase: invoke\tStatus: error\tError Type: Runtime.ExitError" in l for l in lines), 1)

    def test_runtime_version_is_the_base_images(self):
        arn_of = lambda reply: reply.json["RuntimeVersionConfig"]["RuntimeVersionArn"]
        arns = {}
        for name, runtime in (("t-rva", "provided.al2023"), ("t-rvb", "provided.al2023"), ("t-rvc", "provided.al2"), ("t-rvd", "python3.11")):
            self.function(name, native_zip() if runtime != "python3.11" else make_zip({"f.py": "def handler(e, c): return 1"}), runtime=runtime, handler="f.handler")
            arns[name] = arn_of(self.d.request("GET", f"/2015-03-31/functions/{name}/configuration"))
            self.assertRegex(arns[name], rf"^{VERSION_ARN}$")
            self.assertEqual(self.d.request("GET", f"/2015-03-31/functions/{name}").json["Configuration"]["RuntimeVersionConfig"], {"RuntimeVersionArn": arns[name]})
        self.assertEqual(arns["t-rva"], arns["t-rvb"])
        self.assertEqual(len(set(arns.values())), 3)
        self.d.settled("t-rva")
        r = self.d.request("PUT", "/2015-03-31/functions/t-rva/code", {"ZipFile": base64.b64encode(make_zip({"bootstrap": "#!/bin/sh\n"})).decode()})
        self.assertEqual(arn_of(r), arns["t-rva"], "other code, the same runtime")
        self.d.settled("t-rva")
        self.assertEqual(arn_of(self.d.configure("t-rva", Runtime="provided.al2")), arns["t-rvc"])
        self.d.do("t-rvb", "echo")
        self.assertIn(arns["t-rvb"], self.log("t-rvb")[0])


class Floods(Reports):
    def test_what_is_dropped_is_counted_and_said(self):
        f = self.python("import os\ndef handler(e, c):\n    b = b'0123456789' * 10 + b'\\n'\n    n = 0\n    for _ in range(e['kb'] * 1024 // len(b) // 500):\n"
                        "        data = b * 500\n        while data:\n            w = os.write(1, data)\n            n += w\n            data = data[w:]\n    return n\n", Timeout=60)
        printed = self.d.invoke(f, {"kb": 12 << 10}).json
        counts = lambda: re.findall(r"LOGS_DROPPED Dropped Bytes: (\d+)\tDropped Records: (\d+)\tReason: ", self.whole(f))
        kept = lambda: self.whole(f).count("0123456789" * 10)
        found = lambda: (kept() + sum(int(r) for _, r in counts()), kept() * 101 + sum(int(b) for b, _ in counts()))
        wait_until("it is said", lambda: "REPORT" in self.whole(f) and counts())
        wait_until(lambda: f"every line is in the log or counted: {found()} of {printed}", lambda: found() == (printed // 101, printed))
        self.assertGreater(kept() * 126, 3 << 20)
        self.assertRegex(self.d.in_turn(f, {"kb": 0}, tail=True).log, r"^START .*\nEND .*\nREPORT ")

    def test_a_runtime_that_sends_wrong_requests_without_end_is_ended(self):
        f = self.python("import os, socket, threading\ndef flood():\n    host, port = os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')\n    s = socket.create_connection((host, int(port)))\n"
                        "    while True:\n        s.sendall(b'POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\\r\\nHost: h\\r\\nContent-Length: 0\\r\\n\\r\\n' * 20)\n"
                        "        s.setblocking(False)\n        try:\n            while s.recv(65536): pass\n        except BlockingIOError: pass\n        s.setblocking(True)\n"
                        "def handler(e, c):\n    if not e.get('flood'): return 1\n    ts = [threading.Thread(target=flood) for _ in range(12)]\n    [t.start() for t in ts]\n    [t.join() for t in ts]\n",
                        Timeout=60, MemorySize=512)
        self.assertEqual(self.d.invoke(f, {}).body, b"1")
        r = self.d.in_turn(f, {"flood": True}, tail=True)
        self.assertEqual((r.status, r.error, r.json["errorType"]), (200, "Unhandled", "Runtime.ExitError"))
        self.assertIn("Error: The runtime sends wrong requests to the Runtime API without end: its environment is ended\nRuntime.ExitError\n", r.log)
        self.assertEqual(self.d.invoke(f, {}).body, b"1", "in another environment")

    def whole(self, f):
        text, cursor = "", 0
        while True:
            r = self.d.request("GET", f"/_fnd/logs/{f}?cursor={cursor}&max=8388608").json
            if not r["Text"]:
                return text
            text, cursor = text + r["Text"], r["Cursor"]


class Json(Reports):
    def records(self, f, holds='"platform.report"'):
        return [json.loads(l) for l in self.log(f, holds)]

    def test_records_in_place_of_lines(self):
        f = self.json_function()
        cold = self.d.invoke(f, {}, tail=True)
        rid = cold.headers["x-amzn-requestid"]
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{f}"
        records = self.records(f, "fnd.coldStart")
        self.assertEqual([r["type"] for r in records], ["platform.initStart", "platform.start", "platform.report", "fnd.coldStart"])
        for r in records:
            self.assertEqual(list(r), ["time", "type", "record"])
            self.assertRegex(r["time"], rf"^{STAMP}$")
        init, start, report, ours = (r["record"] for r in records)
        self.assertEqual(list(init), ["initializationType", "phase", "runtimeVersion", "runtimeVersionArn", "functionName", "functionVersion", "instanceId", "instanceMaxMemory"])
        self.assertEqual((init["initializationType"], init["phase"], init["functionName"], init["functionVersion"], init["instanceMaxMemory"]), ("on-demand", "init", f, "$LATEST", 128 << 20))
        self.assertRegex(init["runtimeVersionArn"], rf"^{VERSION_ARN}$")
        self.assertEqual(start, {"requestId": rid, "functionArn": arn, "version": "$LATEST"})
        self.assertEqual(list(report), ["requestId", "metrics", "status"])
        self.assertEqual((report["requestId"], report["status"]), (rid, "success"))
        m = report["metrics"]
        self.assertEqual(list(m), ["durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs"])
        self.assertEqual(m["billedDurationMs"], math.ceil(round(m["durationMs"] + m["initDurationMs"], 3)))
        self.assertEqual(ours["requestId"], rid)
        self.assertIn("mountsMs", ours["metrics"])
        self.assertEqual([json.loads(l)["type"] for l in cold.log.splitlines()], ["platform.start", "platform.report", "fnd.coldStart"], "the tail too")
        self.assertEqual([json.loads(l)["type"] for l in self.d.in_turn(f, {}, tail=True).log.splitlines()], ["platform.start", "platform.report"])

    def test_system_levels(self):
        f = self.json_function(system="DEBUG")
        self.d.do(f, "echo")
        records = self.records(f, "fnd.coldStart")
        self.assertEqual([r["type"] for r in records], ["platform.initStart", "platform.initRuntimeDone", "platform.initReport", "platform.start", "platform.runtimeDone", "platform.report", "fnd.coldStart"])
        self.assertEqual(records[1]["record"], {"initializationType": "on-demand", "phase": "init", "status": "success"})
        self.assertEqual(list(records[2]["record"]), ["initializationType", "phase", "status", "metrics"])
        done = records[4]["record"]
        self.assertEqual((done["status"], done["metrics"]["producedBytes"]), ("success", len('{"do": "echo"}')))
        g = self.json_function(system="WARN", name="t-system-warn", Timeout=1)
        self.assertEqual(self.d.invoke(g, {}, tail=True).log, "")
        for event, status, type, said in (({"do": "exit", "code": 3}, "error", "Runtime.ExitError", "Error: Runtime exited with error: exit status 3\nRuntime.ExitError"),
                                          ({"do": "hang"}, "timeout", None, "Task timed out after 1.00 seconds")):
            r = self.d.in_turn(g, event, tail=True)
            records = [json.loads(l) for l in r.log.splitlines()]
            self.assertEqual([x["type"] for x in records], ["platform.fault", "platform.runtimeDone", "platform.report"])
            self.assertTrue(records[0]["record"].endswith(said), records[0])
            for x in records[1:]:
                self.assertEqual((x["record"]["status"], x["record"].get("errorType")), (status, type))

    def test_a_failed_init(self):
        f = self.json_function(Environment={"Variables": {"INIT": "exit"}})
        self.d.invoke(f, {})
        seen = [(r["type"], r["record"].get("phase"), r["record"].get("status"), r["record"].get("errorType")) for r in self.records(f) if isinstance(r["record"], dict)]
        error = ("error", "Runtime.ExitError")
        self.assertEqual(seen, [("platform.initStart", "init", None, None), ("platform.initRuntimeDone", "init", *error), ("platform.initReport", "init", *error),
                                ("platform.initStart", "invoke", None, None), ("platform.initRuntimeDone", "invoke", *error), ("platform.initReport", "invoke", *error),
                                ("platform.start", None, None, None), ("platform.runtimeDone", None, *error), ("platform.report", None, *error)])

    def test_application_levels(self):
        """Whoever has printed a line: what is below the level is dropped; what has none, or no valid time, counts as INFO."""
        lines = [{"level": "debug", "n": 1}, {"level": "INFO", "n": 2}, {"level": "Warn", "n": 3}, {"level": "WARNING", "n": 4}, {"level": "error", "n": 5}, {"level": "FATAL", "n": 6},
                 {"level": "loud", "n": 7}, {"n": 8}, {"a": {"level": "ERROR"}, "n": 9}, {"level": 50, "n": 10}, {"level": "TRACE", "n": 11}]
        lines = [{"timestamp": "2024-11-02T16:51:31.587199Z", **l} for l in lines] + [{"level": "ERROR", "n": 12}, {"level": "DEBUG", "timestamp": "2024-11-02 16:51:31,587+0000", "n": 13},
                                                                                     {"level": "ERROR", "time": "2024-11-02T16:51:31Z", "n": 14}]
        source = f"import json, os\ndef handler(e, c):\n    for l in json.loads({json.dumps(json.dumps(lines))}):\n        os.write(1, (json.dumps(l) + '\\n').encode())\n    os.write(2, b'plain\\n')\n"
        for level, want in (("TRACE", [*range(1, 15), "plain"]), ("DEBUG", [*range(1, 11), 12, 13, 14, "plain"]), ("INFO", [*range(2, 11), 12, 13, 14, "plain"]),
                            ("WARN", [3, 4, 5, 6, 14]), ("ERROR", [5, 6, 14]), ("FATAL", [6])):
            f = self.python(source, name=f"t-level-{level.lower()}", LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": level})
            r = self.d.invoke(f, {}, tail=True)
            self.assertFalse(r.error, r)
            number = lambda l: json.loads(l).get("n") if l[0] == "{" else l
            self.assertEqual([number(l) for l in r.log.splitlines() if '"platform.' not in l and '"fnd.' not in l], want, level)
            self.assertEqual([number(l) for l in self.log(f, '"platform.report"') if '"platform.' not in l and '"fnd.' not in l], want, level)

    def test_text_format_filters_nothing(self):
        f = self.python("def handler(e, c):\n    print('{\"level\":\"TRACE\"}')")
        self.assertIn('\n{"level":"TRACE"}\n', self.d.invoke(f, {}, tail=True).log)


class EntryPoints(Reports):
    """A package whose entry point cannot be run is the function's fault: SDKs retry what is the platform's."""

    def check(self, zip_bytes, why, **more):
        f = self.function(zip_bytes=zip_bytes, **more)
        r = self.d.invoke(f, {}, tail=True)
        rid = r.headers["x-amzn-requestid"]
        self.assertEqual((r.status, r.error), (200, "Unhandled"), r)
        self.assertEqual(r.json, {"errorType": "Runtime.InvalidEntrypoint", "errorMessage": f"RequestId: {rid} Error: {why}"})
        self.assertRegex(r.log, rf"START RequestId: {rid} Version: \$LATEST\nRequestId: {rid} Error: {re.escape(why)}\nRuntime\.InvalidEntrypoint\nEND RequestId: {rid}\n"
                         rf"REPORT RequestId: {rid}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\tStatus: error\tError Type: Runtime\.InvalidEntrypoint\n$")
        lines = self.log(f)
        for phase in ("init", "invoke"):
            self.assertEqual(sum(bool(re.match(rf"INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: {phase}\tStatus: error\tError Type: Runtime\.InvalidEntrypoint$", l)) for l in lines), 1, lines)
        self.assertEqual(self.d.invoke(f, {}).error, "Unhandled", "again and again")
        self.d.delete(f)
        return f

    def test_what_cannot_be_executed(self):
        no_such, format_error = "fork/exec /var/task/bootstrap: no such file or directory", "fork/exec /var/task/bootstrap: exec format error"
        elf = bytearray(zipfile.ZipFile(io.BytesIO(native_zip())).read("bootstrap"))
        elf[18:20] = b"\xf3\x00"  # e_machine: RISC-V
        for content, why in (("#!/no/such/interpreter\n", no_such), ("#!/bin/sh\r\necho\r\n", no_such), ("\ufeff#!/bin/sh\necho\n", format_error), ("echo\n", format_error), ("", format_error),
                             (bytes(elf), format_error), (bytes(elf[:64]), format_error)):
            with self.subTest(content=content[:20]):
                self.check(make_zip({"bootstrap": content}), why)

    def test_not_executable(self):
        self.check(make_zip({"bootstrap": "#!/bin/sh\n"}, {"bootstrap": 0o644}), "fork/exec /var/task/bootstrap: permission denied")

    def test_not_there(self):
        why = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
        self.check(make_zip({"readme": "x"}), why)
        self.check(make_zip({"bootstrap/x": "x"}), why)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as z:
            info = zipfile.ZipInfo("bootstrap", (2023, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o120777 << 16
            z.writestr(info, "nowhere")
        self.check(out.getvalue(), why)

    def test_json_format(self):
        f = self.function(zip_bytes=make_zip({"bootstrap": "x"}), LoggingConfig={"LogFormat": "JSON"})
        log = [json.loads(l) for l in self.d.invoke(f, {}, tail=True).log.splitlines()]
        self.assertIn("fork/exec /var/task/bootstrap: exec format error\nRuntime.InvalidEntrypoint", [r["record"] for r in log if r["type"] == "platform.fault"][0])
        self.assertEqual(log[-1]["record"]["errorType"], "Runtime.InvalidEntrypoint")

    def test_many_at_once_are_all_answered(self):
        import threading
        f = self.function(zip_bytes=make_zip({"bootstrap": "x"}))
        got = []
        threads = [threading.Thread(target=lambda: got.append(self.d.invoke(f, {}))) for _ in range(12)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual([(r.status, r.error) for r in got], [(200, "Unhandled")] * 12)

    def test_provisioned_concurrency_fails_with_the_functions_code(self):
        c = boto(self.d)
        f = self.function(zip_bytes=make_zip({"bootstrap": "x"}))
        self.d.settled(f)
        v = c.publish_version(FunctionName=f)["Version"]
        c.put_provisioned_concurrency_config(FunctionName=f, Qualifier=v, ProvisionedConcurrentExecutions=1)
        wait_until("it has failed", lambda: c.get_provisioned_concurrency_config(FunctionName=f, Qualifier=v)["Status"] == "FAILED")
        self.assertEqual(c.get_provisioned_concurrency_config(FunctionName=f, Qualifier=v)["StatusReason"], "FUNCTION_ERROR_INIT_FAILURE")
