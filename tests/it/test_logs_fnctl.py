"""Functions' logs, and fnctl as a user meets it."""
import json, os, shutil, subprocess, tempfile, threading, time, unittest, uuid
from harness import *


class Fnctl(Case):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)

    def fnctl(self, *args, status=0, stdin=b"", env=None):
        e = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | {"FNCTL_ENDPOINT": self.d.endpoint, **(env or {})}
        r = subprocess.run([os.path.join(BUILD, "fnctl"), *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=e, timeout=120)
        self.assertEqual(r.returncode, status, (r.stdout, r.stderr))
        return r.stdout.decode() if status == 0 else r.stdout.decode() + r.stderr.decode()

    def test_a_function_from_a_directory(self):
        with open(os.path.join(self.dir, "app.py"), "w") as f:
            f.write("import os\ndef main(event, context):\n    print('hello log')\n    return {'event': event, 'colour': os.environ.get('COLOUR')}\n")
        os.makedirs(os.path.join(self.dir, "__pycache__"))
        self.addCleanup(self.d.delete, "ctl")
        out = self.fnctl("create", "ctl", "--runtime", "python3.11", "--handler", "app.main", "--code", self.dir, "--memory", "256", "--timeout", "5", "--env", "COLOUR=red")
        self.assertIn("Active", out)
        self.assertIn("fnctl invoke ctl", out)
        self.assertEqual(json.loads(self.fnctl("invoke", "ctl", '{"a":1}')), {"event": {"a": 1}, "colour": "red"})
        self.assertEqual(json.loads(self.fnctl("invoke", "ctl", "-", stdin=b'{"b":2}'))["event"], {"b": 2})
        with open(os.path.join(self.dir, "event.json"), "w") as f:
            f.write('{"c":3}')
        self.assertEqual(json.loads(self.fnctl("invoke", "ctl", "@" + os.path.join(self.dir, "event.json")))["event"], {"c": 3})
        self.assertEqual(json.loads(self.fnctl("invoke", "ctl", "--payload-file", os.path.join(self.dir, "event.json")))["event"], {"c": 3})
        self.fnctl("update", "ctl", "--memory", "512", "--env", "COLOUR=blue")
        self.assertEqual(json.loads(self.fnctl("invoke", "ctl"))["colour"], "blue")
        self.assertNotIn("Environment", self.fnctl("update", "ctl", "--env", "none"))
        self.assertIsNone(json.loads(self.fnctl("invoke", "ctl"))["colour"])
        os.unlink(os.path.join(self.dir, "event.json"))
        first = json.loads(self.fnctl("--output", "json", "deploy", "ctl", self.dir))
        second = json.loads(self.fnctl("--output", "json", "deploy", "ctl", self.dir))
        self.assertEqual(first["CodeSha256"], second["CodeSha256"], "the same directory is the same package")
        self.assertIn("ctl", self.fnctl("list"))
        self.assertEqual(json.loads(self.fnctl("--output", "json", "get", "ctl"))["Configuration"]["MemorySize"], 512)
        wait_until("it is logged", lambda: "hello log" in self.fnctl("logs", "ctl"))
        self.assertIn("deleted", self.fnctl("delete", "ctl"))

    def test_exit_statuses_and_advice(self):
        name = self.function()
        self.assertIn("`fnctl logs", self.fnctl("invoke", name, '{"do":"exit","code":1}', status=1))
        self.assertIn("fnctl list", self.fnctl("invoke", "nobody-home", status=3))
        self.assertIn("Is fnd running?", self.fnctl("--endpoint", "http://127.0.0.1:1", "list", status=3))
        self.assertIn("unix:/none: No such file or directory\nIs fnd running?", self.fnctl("--endpoint", "unix:/none", "list", status=3))
        self.assertIn("what a function printed is text", self.fnctl("logs", "ctl", "--output", "json", status=2))
        self.assertIn("fnctl images", self.fnctl("create", "x", "--runtime", "cobol", "--handler", "h", "--code", self.dir, status=3))
        self.assertIn("no command", self.fnctl("frobnicate", status=2))
        self.fnctl("create", "x", "--wrong", status=2)
        self.assertIn("which function", self.fnctl("invoke", status=2))
        for wrong in (("--async", "--log"), ("--dry-run", "--log"), ("--async", "--dry-run")):
            self.assertIn("fnctl: invoke: ", self.fnctl("invoke", name, *wrong, status=2))
        self.assertIn("No such file", self.fnctl("create", "x", "--runtime", "python3.11", "--handler", "h", "--code", "/nonexistent", status=2))
        self.assertIn("already exist", self.fnctl("create", name, "--runtime", "provided.al2023", "--code", self.dir, status=3))
        self.fnctl("--version")

    def test_help(self):
        every = self.fnctl("--help")
        self.assertEqual(self.fnctl("help"), every)
        self.assertLessEqual(max(map(len, every.splitlines())), 120)
        self.assertEqual(self.fnctl("help", "invoke"), self.fnctl("invoke", "--help"))
        self.assertIn("\nIs this host fit to run functions?\n", self.fnctl("help", "doctor"))
        for typed, meant in (("invok", "invoke"), ("inovke", "invoke"), ("log", "logs"), ("del", "delete"), ("lst", "list"), ("functions", None), ("frobnicate", None), ("", None), ("x" * 40, None)):
            said = self.fnctl(typed, status=2)
            self.assertEqual(said, f'fnctl: there is no command "{typed}"' + (f"; did you mean {meant}?" if meant else "") + "\n`fnctl --help` lists the commands.\n")
            self.assertEqual(self.fnctl("help", typed, status=2), said)

    def test_doctor_and_images(self):
        out = self.fnctl("doctor")
        self.assertIn("fit to run functions", out)
        for controller in ("memory", "cpu", "pids"):
            self.assertRegex(out, rf"ok\s+cgroup {controller}\s+v[12] at /")
        self.assertRegex(self.fnctl("images"), r"IMAGE +INSTALLED +OWN MB +SHARED MB +RUNTIMES\n(.*\n)*python3\.11 +yes +\d+ +\d+ +python3\.11\n")
        self.assertEqual(json.loads(self.fnctl("--output", "json", "images", "rescan"))["Changed"], 0)

    def test_a_layer_of_several_images_is_counted_as_shared(self):
        images = [i for i in self.d.request("GET", "/_fnd/images").json["Images"] if i["Installed"]]
        size = {i["Name"]: i["Bytes"] for i in self.d.request("GET", "/_fnd/disk").json["Items"]}
        users = lambda layer: sum(layer in i["Layers"] for i in images)
        self.assertTrue(any(users(l) > 1 for i in images for l in i["Layers"]), images)
        for i in images:
            self.assertEqual(i["OwnBytes"], sum(size[l] for l in i["Layers"] if users(l) == 1), i)
            self.assertEqual(i["SharedBytes"], sum(size[l] for l in i["Layers"] if users(l) > 1), i)
            self.assertGreater(i["OwnBytes"] + i["SharedBytes"], 10 << 20, i)

    def test_log_tail_and_time(self):
        name = self.function()
        r = subprocess.run([os.path.join(BUILD, "fnctl"), "--endpoint", self.d.endpoint, "invoke", name, '{"do":"print","bytes":3,"newline":1}', "--log", "--time"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={}, timeout=120)
        self.assertEqual(r.stdout, b'{"printed":4}')
        self.assertRegex(r.stderr.decode(), r"START RequestId.*\nxxx\nEND (.*\n)*REPORT.*\nRequestId: \S+ Cold Start: .*\n[\d.]+ ms\n")

    def test_an_event_of_several_lines_is_one_and_is_shown_as_several(self):
        f = self.python("def handler(e, c): print('first\\rsecond\\rthird')")
        r = self.d.invoke(f, {}, tail=True)
        self.assertIn("\nfirst\nsecond\nthird\nEND ", r.log)
        wait_until("it is logged", lambda: "Cold Start" in self.d.request("GET", f"/_fnd/logs/{f}?cursor=0").json["Text"])
        self.assertRegex(self.d.request("GET", f"/_fnd/logs/{f}?cursor=0").json["Text"], r"\n\S+Z first\rsecond\rthird\n\S+Z END ")
        self.assertRegex(self.fnctl("logs", f), r"\n\S+Z first\nsecond\nthird\n\S+Z END ")
        r = subprocess.run([os.path.join(BUILD, "fnctl"), "--endpoint", self.d.endpoint, "invoke", f, "{}", "--log"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={}, timeout=120)
        self.assertIn(b"\nfirst\nsecond\nthird\nEND ", r.stderr)

    def test_following(self):
        name = self.function()
        self.d.do(name, "echo")
        wait_until("it is logged", lambda: "Cold Start" in self.d.request("GET", f"/_fnd/logs/{name}").json["Text"])
        p = subprocess.Popen([os.path.join(BUILD, "fnctl"), "--endpoint", self.d.endpoint, "logs", name, "-f", "--tail", "1"], stdout=subprocess.PIPE, env={})
        try:
            self.assertIn(" RequestId: ", p.stdout.readline().decode())  # the last line there is: from here on it follows
            self.d.do(name, "print", bytes=5, newline=1)
            lines = []
            t = threading.Thread(target=lambda: [lines.append(p.stdout.readline().decode()) for _ in range(4)])
            t.start()
            t.join(PATIENCE)
            self.assertTrue(any("xxxxx" in l for l in lines), lines)
        finally:
            p.terminate()
            p.wait()
            p.stdout.close()

    def test_signed_requests(self):
        d = shared({"credentials": [{"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}]})
        keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "FNCTL_ENDPOINT": d.endpoint}
        self.assertIn("No functions yet", self.fnctl("list", env=keys))
        self.assertIn("MissingAuthenticationToken", self.fnctl("list", env={"FNCTL_ENDPOINT": d.endpoint}, status=3))
        self.assertIn("InvalidSignature", self.fnctl("list", env=keys | {"AWS_SECRET_ACCESS_KEY": "wrong"}, status=3))
        self.assertIn("UnrecognizedClient", self.fnctl("list", env=keys | {"AWS_ACCESS_KEY_ID": "other"}, status=3))
        c = boto(d, key=keys["AWS_ACCESS_KEY_ID"], secret=keys["AWS_SECRET_ACCESS_KEY"])
        self.addCleanup(lambda: c.delete_function(FunctionName="signed"))
        c.create_function(FunctionName="signed", Runtime="provided.al2023", Role=ROLE, Handler="x", Code={"ZipFile": native_zip()})
        c.get_waiter("function_active_v2").wait(FunctionName="signed")
        self.assertEqual(c.invoke(FunctionName="arn:aws:lambda:us-east-1:000000000000:function:signed:$LATEST", Payload=b"{}")["StatusCode"], 200)
        self.assertEqual(self.fnctl("invoke", "signed", '{"do":"echo"}', "--log", "--client-context", '{"custom":{"a":"b  c"}}', "--qualifier", "$LATEST", env=keys), '{"do":"echo"}')
        self.fnctl("invoke", "signed", "--dry-run", env=keys)
        self.fnctl("invoke", "signed", "--async", env=keys)
        self.assertIn("--region", self.fnctl("list", "--region", "eu-west-1", env=keys, status=3))
        c.list_functions(MaxItems=3)
        with self.assertRaises(c.exceptions.ClientError):
            boto(d, key="AKIDEXAMPLE", secret="x").list_functions()
        import urllib.request
        with urllib.request.urlopen(c.get_function(FunctionName="signed")["Code"]["Location"]) as r:
            self.assertEqual(r.read(), native_zip())


class Logs(Case):
    def read(self, f, cursor=0, **more):
        q = "&".join(f"{k}={v}" for k, v in {"cursor": cursor, **more}.items())
        return self.d.request("GET", f"/_fnd/logs/{f}?{q}").json

    def test_cursor_and_waiting(self):
        f = self.function()
        self.assertEqual(self.read(f)["Text"], "")
        self.d.do(f, "echo")
        wait_until("all of its lines", lambda: "Cold Start" in self.read(f)["Text"])
        first = self.read(f)
        self.assertEqual(self.read(f, first["Cursor"])["Text"], "")
        began = time.monotonic()
        t = threading.Timer(0.5, lambda: self.d.do(f, "echo"))
        t.start()
        more = self.read(f, first["Cursor"], wait=60)
        t.join()
        self.assertIn("START", more["Text"])
        self.assertTrue(0.4 < time.monotonic() - began < 50)
        self.assertEqual(self.read(f, more["Cursor"] + 10**12)["Text"][:0], "")

    def test_bytes_that_are_no_text(self):
        f = self.python("import sys\ndef handler(e, c):\n    sys.stdout.buffer.write(bytes(range(256)) + b'end\\n')\n    sys.stdout.flush()\n")
        self.d.invoke(f, {})
        wait_until("logged", lambda: "end" in self.read(f)["Text"])

    def test_events_are_their_invocations(self):
        f = self.python("def handler(e, c):\n    print('printed')\n    return c.aws_request_id\n")
        r = self.d.invoke(f, {})
        wait_until("it is logged", lambda: "REPORT" in self.d.request("GET", f"/_fnd/logs/{f}?cursor=0").json["Text"])
        stored = b"".join(open(os.path.join(at, n), "rb").read() for at, _, names in os.walk(os.path.join(self.d.state, "logs")) for n in names if n.endswith(".seg"))
        for text in f"START RequestId: {r.json} ", "printed\n", f"END RequestId: {r.json}\n", f"REPORT RequestId: {r.json}\t":
            self.assertIn(uuid.UUID(r.json).bytes + text.encode(), stored)

    def test_rotation_keeps_cursors_valid(self):
        d = shared({"log": {"max_bytes": 65536, "files": 2}})
        d.create("rotating", MemorySize=1024)
        self.addCleanup(d.delete, "rotating")
        for _ in range(8):
            d.do("rotating", "print", bytes=40000, newline=1)
        rotated = lambda: d.request("GET", "/_fnd/logs/rotating?cursor=0&max=8000000").json
        wait_until("the last one is logged", lambda: "REPORT" in rotated()["Text"])
        r = rotated()
        self.assertTrue(0 < len(r["Text"]) < 300000)
        self.assertIn("REPORT", r["Text"])
        files = [f for _, _, names in os.walk(os.path.join(d.state, "logs")) for f in names if f.endswith(".seg")]
        self.assertTrue(1 <= len(files) <= 2, files)

    def test_a_log_outlives_its_function(self):
        """As on Lambda: the next function of its name writes to the same group."""
        f = self.function(Timeout=20)
        reports = lambda: self.d.request("GET", f"/_fnd/logs/{f}").json["Text"].count("REPORT")
        self.d.do(f, "echo")
        wait_until("it is reported", lambda: reports() == 1)
        self.d.request("DELETE", f"/2015-03-31/functions/{f}")
        self.assertEqual(self.d.request("GET", f"/_fnd/logs/{f}").status, 404)
        self.d.create(f)
        self.assertEqual(reports(), 1)
        self.d.do(f, "echo")
        wait_until("it is reported", lambda: reports() == 2)

    def test_unknown_function(self):
        self.assertEqual(self.d.request("GET", "/_fnd/logs/nobody").status, 404)
