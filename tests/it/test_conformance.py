"""One suite for every runtime: what a function of any language may take for granted. A runtime whose image is not built is skipped by its name."""
import base64, json, unittest
from harness import *
import families
from test_extensions import ExtensionCase
from test_streaming import Stream

with open(os.path.join(TOP, "config/runtimes.json")) as f:
    RUNTIMES = json.load(f)
TOO_LARGE = "Response payload size exceeded maximum allowed payload size (6291556 bytes)."


class Conformance(ExtensionCase):
    """Of one runtime; below there is a class for each; of programs on provided.al2023, a class for each language."""
    runtime = family = None

    @classmethod
    def setUpClass(cls):
        if not os.path.exists(os.path.join(IMAGES, RUNTIMES[cls.runtime]["image"] + ".json")):
            raise unittest.SkipTest(f"the image of {cls.runtime} is not built: make images IMAGES={cls.runtime}")
        super().setUpClass()
        cls.zip = make_zip(cls.family.files(cls.runtime))

    def made(self, suffix="", files=None, **more):
        return self.function(f"t-{self.runtime.replace('.', '-')}-{self.id().split('.')[-1].replace('_', '-')[5:40]}{suffix}", make_zip(files) if files else self.zip, runtime=self.runtime,
                             **{"handler": self.family.handler, "MemorySize": self.family.memory, "Timeout": 30, **more})

    def ask(self, f, do, **more):
        r = self.d.in_turn(f, {"do": do, **more}, tail=True)
        self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
        return r

    def fails(self, f, type, words, event=b"{}"):
        r = self.d.in_turn(f, event, tail=True)
        self.assertEqual((r.status, r.error, r.json.get("errorType")), (200, "Unhandled", type), f"{r}\n{r.log}")
        self.assertIn(words, r.json["errorMessage"])
        return r

    def test_values(self):
        f = self.made()
        for value in (None, True, False, 0, -1.5, 12345678901234, "", "ä\u20ac\U0001f600\n\"\\", [], {}, [1, {"b": [None]}], {"ä": "x" * 100000}):
            r = self.d.in_turn(f, json.dumps(value).encode())
            self.assertEqual((r.status, r.error, r.json), (200, None, value), r)
        self.assertEqual(self.ask(f, "nothing").body, b"null")

    def test_errors(self):
        f, family = self.made(), self.family
        r = self.fails(f, family.raised, "boom ä", {"do": "raise"})
        self.assertEqual(list(r.json), family.error_keys)
        if family.trace:
            self.assertIn(family.place, family.frames(r.json))
        self.assertIn("boom ä", r.log)
        if family.unserialisable:
            r = self.d.in_turn(f, {"do": "result"})
            self.assertEqual(r.error, "Unhandled", r)
            self.assertIn(r.json["errorType"], family.unserialisable, r)
        self.assertEqual(self.ask(f, "calls").json, 2 + bool(family.unserialisable), "an error leaves the process as it was")

    def test_errors_of_init(self):
        handler, type, words = self.family.no_module
        self.fails(self.made("-a", handler=handler), type, words)
        handler, type, words = self.family.no_handler
        self.fails(self.made("-b", handler=handler), type, words)
        files, handler, type = self.family.raises_early
        self.fails(self.made("-c", files, handler=handler), type, "early")

    def test_context(self):
        f = self.made()
        sent = base64.b64encode(json.dumps({"custom": {"k": "vä"}}).encode()).decode()
        r = self.d.in_turn(f, {"do": "context"}, headers={"X-Amz-Client-Context": sent})
        self.assertEqual((r.status, r.error), (200, None), r)
        out = r.json
        self.assertTrue(0 < out.pop("left") <= 30000, r)
        self.assertRegex(out.pop("stream"), r"^\d{4}/\d\d/\d\d/.*\[\$LATEST\][0-9a-f]{32}$")
        self.assertEqual(out, {"id": r.headers["x-amzn-requestid"], "arn": ARN + f, "name": f, "version": "$LATEST", "memory": str(self.family.memory), "group": f"/aws/lambda/{f}",
                               "custom": "vä"})

    def test_environment(self):
        """Begun ahead of the function, and for it alone."""
        entry = RUNTIMES[self.runtime]
        obstacle = entry.get("prestart_unless", ["NONE_"])[0] + "X_CONFORMANCE"
        seen = []
        for suffix, own in (("-a", {"MINE": "ä=1"}), ("-b", {"MINE": "ä=1", obstacle: ""})):
            out = self.ask(self.made(suffix, Environment={"Variables": own}), "environment").json
            env = out["env"]
            self.assertEqual((env["MINE"], env.get("AWS_EXECUTION_ENV"), env["_HANDLER"], env["LAMBDA_TASK_ROOT"], env["TZ"], env["LANG"], out["cwd"]),
                             ("ä=1", "AWS_Lambda_" + self.runtime if entry.get("execution_env", True) else None, self.family.handler, "/var/task", ":UTC", "en_US.UTF-8", "/var/task"))
            seen.append((sorted(set(env) - {obstacle}), sorted(set(out["shown"]) - {obstacle})))
        self.assertEqual(seen[0], seen[1])
        self.assertEqual([n for n in seen[0][0] + seen[0][1] if "FND" in n], [])

    def test_log(self):
        r = self.ask(self.made(), "log")
        lines = r.log.split("\n")
        self.assertEqual([l for l in self.family.levels if f"at {l}" in r.log], list(self.family.text_levels), r.log)
        line = self.family.text_line % r.headers["x-amzn-requestid"]
        self.assertTrue(any(re.search(line, l) for l in lines), f"no line is as {line}\n{r.log}")
        self.assertTrue(any(l.endswith("printed ä") for l in lines), r.log)

    def test_log_as_json(self):
        for level, wanted in (("INFO", ["info", "warn", "error"]), ("ERROR", ["error"]), ("DEBUG", ["debug", "info", "warn", "error"])):
            r = self.ask(self.made("-" + level.lower(), LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": level}), "log")
            records = [self.family.told(json.loads(l)) for l in r.log.split("\n") if l.startswith("{") and '"at ' in l]
            self.assertEqual([x["message"].split()[1] for x in records], wanted if self.family.timed or level != "ERROR" else [], r.log)
            for x in records:
                self.assertLessEqual(self.family.record, set(x), x)
                self.assertEqual((x[self.family.request_id], x["level"][:4]), (r.headers["x-amzn-requestid"], x["message"].split()[1].upper()[:4]), x)
            self.assertEqual("printed ä" in r.log, level != "ERROR", r.log)  # what is no record counts as INFO

    def streamed(self, f, do):
        """(bytes, what InvokeComplete says)"""
        self.d.idle(f)
        s = Stream(self.d, f, {"do": do})
        try:
            return s.all()
        finally:
            s.close()
            self.d.idle(f)  # its end comes to the client first

    def test_streams(self):
        """By InvokeWithResponseStream and, in one piece, by Invoke; without a handler that streams the answers are the same, whole."""
        family = self.family
        if not family.streams:
            f = self.made()
            self.assertEqual(self.streamed(f, "calls"), (b"1", {}))
            data, end = self.streamed(f, "raise")
            self.assertEqual((end["ErrorCode"], json.loads(data)["errorType"], json.loads(end["ErrorDetails"])["errorType"]), ("Unhandled", family.raised, family.raised))
            return
        f, calls = self.made(handler=family.streams), 0
        for do, head, body in (("stream", family.plain_head, b"x" * 300000), ("stream nothing", family.plain_head, b""), ("stream http", family.http_head, b"body")):
            if do == "stream http" and not head:
                continue
            whole, end = self.streamed(f, do)
            self.assertEqual(end, {}, do)
            self.assertEqual(self.ask(f, do).body, whole, do)
            said, _, rest = whole.rpartition(bytes(8))
            self.assertEqual(({k: v for k, v in json.loads(said or "{}").items() if v}, rest), (head or {}, body), do)
            calls += 2
        broken = self.streamed(f, "stream that fails")
        self.assertTrue(family.broken(*broken), broken)
        r = self.d.in_turn(f, {"do": "stream that fails"})
        self.assertTrue(family.broken_whole(r), r)
        if family.unfinished:
            self.fails(f, *family.unfinished, {"do": "stream without end"})
            calls += 1
        self.assertEqual(self.ask(f, "calls").body, b"%d" % (calls + 3), "the same process")

    def test_time_out(self):
        f = self.made(Timeout=3)
        self.ask(f, "calls")
        r = self.fails(f, "Sandbox.Timedout", "Task timed out after 3.00 seconds", {"do": "sleep", "seconds": 9})
        self.assertIn("Task timed out after 3.00 seconds", r.log)
        self.assertEqual(self.ask(f, "calls").json, 1, "a new process")

    def test_out_of_memory(self):
        f = self.made()
        r = self.d.in_turn(f, {"do": "fill"})
        self.assertEqual(r.error, "Unhandled", r)
        self.assertIn(r.json["errorType"], self.family.out_of_memory, r)
        self.assertEqual(self.ask(f, "calls").json, 1, "a new process")

    def test_exit(self):
        f = self.made()
        self.fails(f, "Runtime.ExitError", "Error: Runtime exited with error: exit status 3", {"do": "exit", "status": 3})
        self.fails(f, "Runtime.ExitError", "Error: Runtime exited without providing a reason", {"do": "exit", "status": 0})
        self.assertEqual(self.ask(f, "calls").json, 1, "a new process")

    def test_files(self):
        f = self.made()
        self.assertEqual([self.ask(f, "tmp").json for _ in range(2)], [[False, "ä", 30], [True, "ä", 30]])

    def test_certificates(self):
        """Whom a client trusts that is told nothing about it."""
        self.assertGreater(self.ask(self.made(), "trusts").json, 50)

    def test_sizes(self):
        f = self.made(MemorySize=1024)
        self.assertEqual(len(self.ask(f, "big", size=(6 << 20) - 2).body), 6 << 20)
        self.fails(f, "Function.ResponseSizeTooLarge", TOO_LARGE, {"do": "big", "size": (6 << 20) + 200})
        self.assertEqual(self.ask(f, "length", text="x" * ((6 << 20) - 100)).json, (6 << 20) - 100)
        self.assertEqual(self.ask(f, "calls").json, 4 if self.family.outlives_413 else 2)

    def test_layers_and_extensions(self):
        layer = self.c.publish_layer_version(LayerName=f"l-{self.runtime.replace('.', '-')}", Content={"ZipFile": make_zip({**self.family.layer, "data.txt": "data"}, self.family.modes)})
        self.addCleanup(self.c.delete_layer_version, LayerName=f"l-{self.runtime.replace('.', '-')}", VersionNumber=layer["Version"])
        f = self.made(Layers=[layer["LayerVersionArn"], self.layer("watcher")])
        self.assertEqual(self.ask(f, "layer").json, ["from the layer", "data"])
        log = self.log(f)
        self.assertIn("EXTENSION\tName: watcher\tState: Ready\tEvents: [INVOKE, SHUTDOWN]", log)
        self.assertTrue(any(e["eventType"] == "INVOKE" for e in self.events(log, "watcher")), log)


class Compiled(Conformance):
    """Programs on provided.al2023, that AWS's client for their language is part of."""

    def test_errors_of_init(self):
        self.fails(self.made("-a", {"main": "x"}), "Runtime.InvalidEntrypoint", "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]")
        self.fails(self.made("-b", {"bootstrap": b"\x7fELF of another machine"}), "Runtime.InvalidEntrypoint", "exec format error")
        self.fails(self.made("-c", Environment={"Variables": {"FAILS_EARLY": "1"}}), "Runtime.ExitError", "Error: Runtime exited with error: exit status ")

    def test_panic(self):
        f, (type, message, lives) = self.made(), self.family.panic
        r = self.fails(f, type, message, {"do": "panic"})
        self.assertEqual(r.json["errorMessage"], message)
        self.assertIn("at the disco", r.log)
        self.assertEqual(self.ask(f, "calls").json, 2 if lives else 1)

    def test_names(self):
        """Of users and hosts, by the image's C library or without it."""
        self.assertEqual(self.ask(self.made(), "names").json, ["sbx_user1051", "127.0.0.1"])


def load_tests(loader, tests, pattern):
    suite = unittest.TestSuite()
    for c in CLASSES:
        suite.addTests(loader.loadTestsFromTestCase(c))
    return suite


CLASSES = []
for name in RUNTIMES:
    for family in families.FAMILIES:
        if name.startswith(family.runtimes):
            compiled = isinstance(family, families.Compiled)
            CLASSES.append(type("On_" + name.replace(".", "_") + ("_" + family.name) * compiled, (Compiled if compiled else Conformance,), {"runtime": name, "family": family, "__module__": __name__}))
            globals()[CLASSES[-1].__name__] = CLASSES[-1]

if __name__ == "__main__":
    main()
