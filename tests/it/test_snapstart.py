"""SnapStart: versions that begin from a snapshot; what they share, what they do not, what stands against it, what is left when they go."""
import struct, threading, unittest
from harness import *

EVERYTHING = '''
import os, sys, time, json, random, uuid, ssl, secrets, tempfile, hashlib
from snapshot_restore_py import register_before_snapshot, register_after_restore
order = []
T, R, U1 = time.time(), random.random(), str(uuid.uuid1())
secret_list = [0]
ssl.RAND_bytes(8)
tempfile.mktemp()
open("/tmp/kept", "w").write("kept")
os.makedirs("/tmp/dir/below"); open("/tmp/dir/below/file", "w").write("x" * 100000)
data = open(__file__)
first_line = data.readline()
@register_before_snapshot
def b1(): order.append("b1")
register_before_snapshot(order.append, "b2")
@register_after_restore
def a1(): order.append("a1")
register_after_restore(order.append, "a2")
def handler(e, c):
    what = e.get("do")
    while e.get("hold") and not os.path.exists("/tmp/" + e["hold"]): time.sleep(0.01)
    if what == "remember": secret_list[0] = e["n"]; open("/tmp/mine", "w").write("1")
    status = dict(l.split(":", 1) for l in open("/proc/self/status").read().splitlines() if ":" in l)
    return {"T": T, "R": R, "random": random.random(), "uuid4": str(uuid.uuid4()), "uuid1": str(uuid.uuid1()), "ssl": ssl.RAND_bytes(8).hex(),
            "secret": secrets.token_hex(8), "name": os.path.basename(tempfile.mktemp()), "order": order, "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
            "stream": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"], "context_stream": c.log_stream_name, "version": c.function_version,
            "env_version": os.environ["AWS_LAMBDA_FUNCTION_VERSION"], "mine": os.environ.get("MINE"), "now": time.time(), "mono": time.monotonic(),
            "tmp": sorted(n for n in os.listdir("/tmp") if not n.startswith("go-")), "below": len(open("/tmp/dir/below/file").read()), "remembered": secret_list[0], "line": data.readline(),
            "pid": os.getpid(), "processes": sorted(p for p in os.listdir("/proc") if p.isdigit()), "cwd": os.getcwd(), "cmdline": open("/proc/self/cmdline").read(),
            "status": {k: status[k].strip() for k in ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Uid", "Gid", "Groups", "Seccomp", "Threads", "SigIgn", "SigBlk")},
            "mounts": sorted(l.split()[1] for l in open("/proc/self/mounts")), "limits": open("/proc/self/limits").read(), "left": c.get_remaining_time_in_millis()}
'''


# Only a process that was made from an image finds itself in another log stream than it began in: such a start takes long.
SLOW_TO_RESTORE = """
import os, time
from snapshot_restore_py import register_before_snapshot, register_after_restore
BEGAN_IN, order, shown = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"], [], [n for n in os.environ if n.startswith("_FND")]
register_before_snapshot(order.append, "before")
@register_after_restore
def after():
    order.append("after")
    if os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] != BEGAN_IN: time.sleep(SLEEP)
def handler(e, c):
    return {"type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "order": order, "restored": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] != BEGAN_IN, "shown": shown}
"""


class Snap(Case):
    """Helpers: a function with SnapStart, its versions."""

    def snap(self, source, name=None, publish=True, **more):
        name = name or "s-" + self.id().split(".")[-1].replace("_", "-")[:50]
        f = self.python(source, name, SnapStart={"ApplyOn": "PublishedVersions"}, **more)
        if publish:
            self.publish(f)
        return f

    def publish(self, f):
        self.d.settled(f)
        r = self.d.request("POST", f"/2015-03-31/functions/{f}/versions", {})
        self.assertEqual(r.status, 201, r)
        self.assertEqual((r.json["State"], r.json["StateReasonCode"]), ("Pending", "Creating"))
        return r.json["Version"]

    def config(self, f, version="1"):
        return self.d.request("GET", f"/2015-03-31/functions/{f}/configuration?Qualifier={version}").json

    def settled(self, f, version="1", seconds=None):
        wait_until(f"{f}:{version} is not Pending any more", lambda: self.config(f, version)["State"] != "Pending", seconds)
        return self.config(f, version)

    def on(self, f, version="1"):
        c = self.settled(f, version)
        self.assertEqual((c["State"], c.get("StateReason"), c["SnapStart"]), ("Active", None, {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}))
        return c

    def call(self, f, event=None, version="1", alone=True, **kw):
        r = (self.d.in_turn if alone else self.d.invoke)(f, event or {}, query=f"?Qualifier={version}", **kw)
        self.assertEqual((r.status, r.error), (200, None), r)
        return r.json

    def at_once(self, f, n, event, **kw):
        """n invocations side by side, so that each has an environment of its own."""
        out, threads = [], []

        def one():
            out.append(self.call(f, event, alone=False, **kw))
        for _ in range(n):
            threads.append(threading.Thread(target=one))
            threads[-1].start()
        for t in threads:
            t.join()
        self.assertEqual(len(out), n)
        return out

    def trees(self):
        return [os.path.basename(t) for t in glob.glob(os.path.join(self.d.state, "roots/snap-*"))]

    def log(self, f):
        return self.d.request("GET", f"/_fnd/logs/{f}").body.decode()


class Model(Snap):
    def test_states_and_members(self):
        c = boto(self.d)
        f = self.snap("import os, time\nif os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'] == 'snap-start': time.sleep(5)\ndef handler(e, c): return 1", publish=False)
        self.assertEqual(c.get_function_configuration(FunctionName=f)["SnapStart"], {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"})
        self.assertEqual(self.d.invoke(f, {}).body, b"1")  # $LATEST starts plainly
        v = c.publish_version(FunctionName=f)
        self.assertEqual((v["State"], v["SnapStart"]["OptimizationStatus"]), ("Pending", "Off"))
        with self.assertRaises(c.exceptions.SnapStartNotReadyException):
            c.invoke(FunctionName=f, Qualifier="1")
        c.get_waiter("published_version_active").wait(FunctionName=f, Qualifier="1", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        v = c.get_function_configuration(FunctionName=f, Qualifier="1")
        self.assertEqual((v["State"], v["SnapStart"]), ("Active", {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}))
        r = c.invoke(FunctionName=f, Qualifier="1", LogType="Tail")
        self.assertEqual(r["ExecutedVersion"], "1")
        self.assertRegex(base64.b64decode(r["LogResult"]).decode(), r"\tRestore Duration: \d+\.\d\d ms\tBilled Restore Duration: \d+ ms\t\nRequestId: \S+ Cold Start: .*restore \d")
        self.assertEqual(c.publish_version(FunctionName=f)["Version"], "1")  # nothing has changed

    def test_published_on_create_and_with_new_code(self):
        f = self.snap("def handler(e, c): return 1", publish=False)
        self.d.delete(f)
        self.d.create_python(f, "def handler(e, c): return 1", SnapStart={"ApplyOn": "PublishedVersions"}, Publish=True)
        self.on(f)
        self.assertEqual(self.call(f), 1)
        self.d.settled(f)
        r = self.d.request("PUT", f"/2015-03-31/functions/{f}/code", {"ZipFile": base64.b64encode(make_zip({"f.py": "def handler(e, c): return 2"})).decode(), "Publish": True})
        self.assertEqual((r.status, r.json["Version"]), (200, "2"))
        self.on(f, "2")
        self.assertEqual((self.call(f), self.call(f, version="2")), (1, 2))

    def test_turned_off(self):
        f = self.snap("def handler(e, c): return 1")
        self.on(f)
        self.d.configure(f, SnapStart={"ApplyOn": "None"})
        r = self.d.request("POST", f"/2015-03-31/functions/{f}/versions", {}).json
        self.assertEqual((r["Version"], r["State"], r["SnapStart"]), ("2", "Active", {"ApplyOn": "None", "OptimizationStatus": "Off"}))
        self.assertNotIn("Restore", self.d.invoke(f, {}, query="?Qualifier=2", tail=True).log)

    def test_refused_configurations(self):
        on = {"ApplyOn": "PublishedVersions"}
        r = self.d.create("s-native", SnapStart=on, expect=None)
        self.assertEqual((r.status, r.error_type, r.json["message"]),
                         (400, "InvalidParameterValueException", "provided.al2023 is not supported for SnapStart enabled functions."))
        r = self.d.create_python("s-large", "def handler(e, c): return 1", SnapStart=on, EphemeralStorage={"Size": 1024}, expect=None)
        self.assertEqual((r.status, r.error_type), (400, "InvalidParameterValueException"))
        r = self.d.create_python("s-bad", "def handler(e, c): return 1", SnapStart={"ApplyOn": "Sometimes"}, expect=None)
        self.assertEqual(r.status, 400)
        self.assertIn("at 'snapStart.applyOn' failed to satisfy constraint: Member must satisfy enum value set: [PublishedVersions, None]", r.json["message"])
        f = self.snap("def handler(e, c): return 1")
        self.on(f)
        r = self.d.request("PUT", f"/2019-09-30/functions/{f}/provisioned-concurrency?Qualifier=1", {"ProvisionedConcurrentExecutions": 1})
        self.assertEqual((r.status, r.error_type), (400, "InvalidParameterValueException"), r)


class Environments(Snap):
    def test_what_is_kept_and_what_is_new(self):
        f = self.snap(EVERYTHING, Environment={"Variables": {"MINE": "yes"}}, MemorySize=256, Timeout=20)
        self.on(f)
        before = time.time()
        a, b = self.d.together(f, 2, lambda event: self.call(f, event, alone=False))
        self.assertNotEqual(a["stream"], b["stream"], "one environment has served both")
        for same in ("T", "R", "order", "type", "version", "pid", "cwd", "tmp", "mine", "line", "status", "mounts", "limits"):
            self.assertEqual(a[same], b[same], same)
        for new in ("random", "uuid4", "uuid1", "ssl", "secret", "name"):
            self.assertNotEqual(a[new], b[new], new)
        self.assertEqual((a["order"], a["type"], a["version"], a["env_version"], a["mine"]), (["b2", "b1", "a1", "a2"], "snap-start", "1", "1", "yes"))
        self.assertEqual((a["tmp"], a["below"], a["pid"], a["processes"], a["cwd"]), (["dir", "kept"], 100000, 2, ["1", "2"], "/var/task"))
        self.assertIn("import os, sys", a["line"])  # the open file goes on where it was
        self.assertEqual(a["stream"], a["context_stream"])
        self.assertTrue(a["T"] < before <= a["now"] <= time.time())
        self.assertEqual(self.call(f, {"do": "remember", "n": 7})["remembered"], 7)
        c, d = self.d.together(f, 2, lambda event: self.call(f, event, alone=False))  # the one that remembers, and one that does not
        self.assertEqual(sorted((c["remembered"], d["remembered"])), [0, 7])
        self.assertEqual(sorted(("mine" in c["tmp"], "mine" in d["tmp"])), [False, True])

    def test_files_that_init_leaves_open(self):
        """A log in /tmp, a file that is read there, copies of descriptors and of standard output; and a directory of /tmp for a place to be."""
        f = self.snap('''
import logging, os, sqlite3
os.makedirs("/tmp/a/b"); os.chdir("/tmp/a")
logging.getLogger().addHandler(logging.FileHandler("/tmp/a/b/log"))
logging.getLogger().warning("init")
with open("list", "w") as w: w.write("one\\ntwo\\nthree\\n")
os.utime("list", (1e9, 1e9)); lines = open("list"); first = lines.readline()
r = os.open("list", os.O_RDONLY); s = os.dup(r); t = os.open("list", os.O_RDONLY); os.read(r, 4)
w = os.open("out", os.O_WRONLY | os.O_CREAT, 0o600); x = os.dup(w); os.write(w, b"init ")
out = os.dup(1); err = open("/dev/stderr", "w"); random = open("/dev/urandom", "rb", 0); null = open("/dev/null", "r+b", 0)
db = sqlite3.connect(":memory:", check_same_thread=False); db.execute("create table t(a)"); db.execute("insert into t values(5)")
os.umask(0o077)
def handler(e, c):
    logging.getLogger().warning("handler")
    os.write(out, b"copy of stdout\\n"); print("stderr anew", file=err, flush=True)
    os.write(x, b"x "); os.write(w, b"w")
    return [os.getcwd(), open("/tmp/a/b/log").read().split(), first + lines.readline(), os.read(s, 4).decode(), os.read(r, 5).decode(), os.read(t, 3).decode(),
            open("out").read(), len(random.read(8)), null.write(b"x"), db.execute("select * from t").fetchall(), oct(os.stat("list").st_mode), int(os.stat("list").st_mtime), oct(os.umask(0o077))]
''')
        self.on(f)
        for out in self.at_once(f, 1, {}):
            self.assertEqual(out, ["/tmp/a", ["init", "handler"], "one\ntwo\n", "two\n", "three", "one", "init x w", 8, 1, [[5]], "0o100644", 10**9, "0o77"])
        text = self.log(f).split("RESTORE_START", 1)[1]
        self.assertIn("copy of stdout", text)
        self.assertIn("stderr anew", text)

    def test_nobody_notices_the_rehearsal(self):
        """Before the image is written a child goes through a start and an event: the function is not called, told or changed by it."""
        before = set(self.trees())
        f = self.snap("""
import os, signal, sys, random
seen = []
os.register_at_fork(before=lambda: seen.append("fork"), after_in_parent=lambda: seen.append("parent"))
signal.signal(signal.SIGCHLD, lambda *a: seen.append("signal"))
random.seed(7)
from snapshot_restore_py import register_after_restore
@register_after_restore
def after():
    seen.append(("restored", sys.exc_info()[0], os.environ.get("_X_AMZN_TRACE_ID"), os.path.exists("/tmp/called")))
def handler(e, c):
    open("/tmp/called", "w").close()
    seen.append("called")
    return seen
""")
        self.on(f)
        self.assertEqual(self.call(f), [["restored", None, None, False], "called"])
        tree, = set(self.trees()) - before
        with open(os.path.join(self.d.state, "roots", tree, "var/snapshot/image"), "rb") as image:
            magic, n_warm = struct.unpack("8s8xI", image.read(20))
        self.assertEqual(magic, b"FNDSNAP2")
        self.assertGreater(n_warm, 20)

    def test_instrumented_runtimes_are_not_rehearsed(self):
        """Whoever stands in the runtime's way would hear of an event that is none."""
        f = self.snap("""
import sys
from awslambdaric import bootstrap
heard, plain = [], bootstrap.handle_event_request
def handle(client, handler, *rest):
    heard.append(rest[0])
    open("/tmp/heard", "a").write("x")
    return plain(client, handler, *rest)
bootstrap.handle_event_request = handle
def handler(e, c):
    return heard == [c.aws_request_id], open("/tmp/heard").read()
""")
        self.on(f)
        self.assertEqual(self.call(f), [True, "x"])

    def test_nor_are_those_with_another_part_of_it(self):
        """Whatever an event goes through can be replaced by itself."""
        parts = {"wait": ("lambda_runtime_client.BaseLambdaRuntimeClient", "wait_next_invocation"), "context": ("bootstrap", "create_lambda_context"),
                 "trace": ("bootstrap", "update_xray_env_variable"), "reads": ("lambda_runtime_marshaller.LambdaMarshaller", "unmarshal_request"),
                 "writes": ("lambda_runtime_marshaller.LambdaMarshaller", "marshal_response")}
        for part, (where, what) in parts.items():
            with self.subTest(part):
                f = self.snap(f"""
from awslambdaric import bootstrap, lambda_runtime_client, lambda_runtime_marshaller
plain = {where}.{what}
def instead(*args):
    result = plain(*args)
    open("/tmp/heard", "a").write("x")
    return result
{where}.{what} = instead
def handler(e, c):
    with open("/tmp/heard", "a+") as f:
        f.seek(0)
        return f.read()
""", name="s-other-" + part)
                self.on(f)
                self.assertEqual(self.call(f), "" if part == "writes" else "x")

    def test_no_uuid_twice(self):
        """Not even where two environments ask in the same instant: what differs is not the time alone."""
        f = self.snap("import uuid\nuuid.uuid1()\ndef handler(event, c):" + HOLD + "    u = uuid.uuid1()\n    return [u.node, u.clock_seq]")
        self.on(f)
        a, b = self.d.together(f, 2, lambda event: self.call(f, event, alone=False))
        self.assertNotEqual(a, b)

    def test_what_init_sets_for_the_process(self):
        """Environment variables of its own, those it changes and takes away; limits."""
        f = self.snap('''
import os, resource, signal, sys
os.environ.update(OWN="init", AWS_DEFAULT_REGION="eu-west-3", CHANGED="by init")
del os.environ["GONE"]
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300)); resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
signal.signal(signal.SIGUSR1, lambda *a: print("signal"))
sys.setrecursionlimit(4321)
def handler(e, c):
    os.kill(os.getpid(), signal.SIGUSR1)
    return [os.environ.get(n) for n in ("OWN", "AWS_DEFAULT_REGION", "CHANGED", "GONE", "KEPT", "AWS_REGION")] + [
        resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_FSIZE), sys.getrecursionlimit(), os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] == c.log_stream_name]
''', Environment={"Variables": {"CHANGED": "no", "GONE": "no", "KEPT": "yes"}})
        self.on(f)
        want = ["init", "eu-west-3", "by init", None, "yes", "us-east-1", [200, 300], [1 << 20, 1 << 20], 4321, True]
        self.assertEqual(self.call(f, version="$LATEST"), want)
        self.assertEqual(self.call(f), want)
        self.assertIn("RESTORE_START", self.log(f))

    def test_a_plain_start_that_is_sooner_takes_its_place(self):
        """Five of five pairs, by 1.3: with both hooks, the initialization type and the lines of a restore."""
        names = iter(f"s-sooner-{n}" for n in range(4))
        def published():  # one stall of the machine loses a pair
            f = self.snap(SLOW_TO_RESTORE.replace("SLEEP", "1"), next(names), MemorySize=1769)
            c = self.settled(f, seconds=60)
            self.assertEqual((c["State"], c["SnapStart"]), ("Active", {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}))
            self.assertIn("StateReason", c)
            return f, c
        f, c = often(published)
        self.assertRegex(c["StateReason"], r"^a plain start took 0\.[0-7]\d of a restore at most, in 5 of 5 pairs$")
        told = self.d.fnctl("get", f, "--qualifier", "1").stdout
        self.assertIn("on, by plain starts", told)
        self.assertIn(c["StateReason"], told)
        wait_until("its image has gone", lambda: not [i for i in self.d.request("GET", "/_fnd/disk").json["Items"] if any(f in str(o) for o in i["Owners"]) and i["Kind"] == "snapshot"])
        r = self.d.invoke(f, {}, tail=True, query="?Qualifier=1")
        self.assertEqual(r.json, {"type": "snap-start", "order": ["before", "after"], "restored": False, "shown": []})
        said = self.log(f)
        self.assertRegex(said, r"RESTORE_REPORT Restore Duration: [\d.]+ ms")
        self.assertEqual((said.count("RESTORE_START"), said.count("RESTORE_REPORT")), (1, 1), "trials are not reported")
        self.assertRegex(r.log, r"REPORT [^\n]*\tRestore Duration: [\d.]+ ms\tBilled Restore Duration: \d+ ms")
        self.assertIn("plainly, a plain start took", r.log)
        self.d.stop()
        self.d.start()
        self.assertEqual(self.config(f)["StateReason"], c["StateReason"])

    def test_one_that_is_no_sooner_does_not(self):
        f = self.snap(SLOW_TO_RESTORE.replace("SLEEP", "0") + "import time; time.sleep(0.3)\n", MemorySize=1769)
        c = self.settled(f, seconds=60)
        self.assertEqual((c.get("StateReason"), c["SnapStart"]["OptimizationStatus"]), (None, "On"))
        self.assertTrue(self.d.invoke(f, {}, query="?Qualifier=1").json["restored"])

    def test_events_of_a_restore(self):
        f = self.snap("def handler(e, c): return 1", LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG"})
        self.on(f)
        self.call(f)
        events = lambda: [e for e in (json.loads(l.split(" ", 1)[1]) for l in json.loads(self.log(f))["Text"].splitlines()) if e["type"].startswith("platform.")]
        wait_until(lambda: f"it is reported: {self.log(f)}", lambda: any(e["type"] == "platform.report" for e in events()))
        restored = events()[[e["type"] for e in events()].index("platform.restoreStart"):]
        self.assertEqual([e["type"] for e in restored], ["platform.restoreStart", "platform.restoreRuntimeDone", "platform.restoreReport", "platform.start", "platform.runtimeDone", "platform.report"])
        start, done, report = (e["record"] for e in restored[:3])
        self.assertEqual(sorted(start), ["functionName", "functionVersion", "instanceId", "instanceMaxMemory", "runtimeVersion", "runtimeVersionArn"])
        self.assertEqual((start["functionName"], start["functionVersion"], done), (f, "1", {"status": "success"}))
        self.assertEqual((sorted(report), report["status"], list(report["metrics"])), (["metrics", "status"], "success", ["durationMs"]))
        self.assertGreater(report["metrics"]["durationMs"], 0)
        self.assertGreater(restored[-1]["record"]["metrics"]["restoreDurationMs"], 0)
        init = [e for e in events() if e["type"] == "platform.initStart"]  # of the one that the snapshot is of
        self.assertEqual([e["record"]["initializationType"] for e in init], ["snap-start"])

    def test_same_confinement_as_a_plain_start(self):
        f = self.snap(EVERYTHING, Timeout=20)
        self.on(f)
        restored, plain = self.call(f), self.call(f, version="$LATEST")
        self.assertEqual((restored["type"], plain["type"]), ("snap-start", "on-demand"))
        for same in ("status", "limits", "cwd", "pid", "processes", "cmdline"):
            self.assertEqual(restored[same], plain[same], same)
        self.assertEqual(restored["mounts"], plain["mounts"])
        self.assertEqual(restored["status"]["CapEff"].strip("0"), "")

    def test_goes_on_living(self):
        """Threads, children, growing and shrinking memory, and the calls that tell mapped memory from anonymous memory."""
        f = self.snap('''
import threading, subprocess, mmap, gc, ctypes
big = {i: "x%d" % i for i in range(200000)}
buf = bytearray(8 << 20); buf[:] = b"\\7" * len(buf)
area = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); area[:] = b"\\5" * len(area)
def handler(e, c):
    out = []
    t = threading.Thread(target=lambda: out.append("thread")); t.start(); t.join()
    out.append(subprocess.run(["/bin/echo", "child"], capture_output=True).stdout.decode().strip())
    s = sum(len(v) for v in big.values())
    for r in range(3):
        extra = [bytearray(100000) for _ in range(200)]
        assert not any(any(x[::4096]) for x in extra), "fresh memory is not zero"
        del extra; gc.collect()
    buf.extend(b"\\1" * (8 << 20))
    assert buf[0] == 7 and buf[(8 << 20) - 1] == 7 and buf[-1] == 1 and buf[8 << 20] == 1
    try:
        area.madvise(mmap.MADV_DONTNEED); out.append("zero" if area[0] == 0 and area[-1] == 0 else "LIE")
    except OSError as err: out.append("EINVAL" if err.errno == 22 and area[0] == 5 else "?")
    fresh = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); fresh[:] = b"\\5" * len(fresh)
    fresh.madvise(mmap.MADV_DONTNEED); out.append(fresh[0] + fresh[-1]); fresh.resize(8 << 20); out.append(len(fresh))
    big.clear(); gc.collect(); ctypes.CDLL(None).malloc_trim(0)
    def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
    import sys; sys.setrecursionlimit(20000)
    out.append(deep(9000))
    return out + [s]
''', MemorySize=512, Timeout=30)
        self.on(f)
        s = sum(len("x%d" % i) for i in range(200000))
        for r in self.at_once(f, 3, {}):
            self.assertIn(r, (["thread", "child", "EINVAL", 0, 8 << 20, 9000, s], ["thread", "child", "zero", 0, 8 << 20, 9000, s]))

    def test_a_large_heap(self):
        """Is not read to begin with, and what is only read is nobody's memory."""
        f = self.snap('''
import hashlib, os
big = [os.urandom(1 << 20) * 10 for _ in range(60)]
objects = [{"k%d" % i: i} for i in range(300000)]
def digest(): return hashlib.sha256(b"".join(hashlib.sha256(b).digest() for b in big)).hexdigest()
before = digest()
def handler(e, c): return [before == digest(), sum(o["k%d" % i] == i for i, o in enumerate(objects))]
''', MemorySize=1024, Timeout=60)
        self.assertEqual(self.settled(f, seconds=120).get("StateReason"), None)
        r = self.d.invoke(f, {}, query="?Qualifier=1", tail=True)
        self.assertEqual((r.json, r.error), ([True, 300000], None))
        self.assertIn("Restore Duration", r.log)
        self.assertLess(int(re.search(r"Max Memory Used: (\d+)", r.log).group(1)), 500)

    def test_memory_of_many_shapes(self):
        """A page here and there, which is not to become an image many times as large, nor more mappings than a process may have; and addresses
        reserved for a heap to come, whose pages are zero once they have been given back."""
        f = self.snap('''
import ctypes, mmap
far = mmap.mmap(-1, 1000 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for i in range(0, 1000 << 20, 65536): far[i] = 1
farther = mmap.mmap(-1, 2200 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for i in range(0, 2200 << 20, 73728): farther[i] = 1
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
SIZE = 1 << 40
heap = libc.mmap(None, SIZE, 0, 0x4022, -1, 0) + SIZE - (4 << 20)
assert libc.mprotect(heap, 4 << 20, 3) == 0
ctypes.memset(heap, 7, 4 << 20)
def handler(e, c):
    out = [sum(far[i] for i in range(0, 1000 << 20, 65536)), sum(farther[i] for i in range(0, 2200 << 20, 73728)), ctypes.string_at(heap, 1)[0]]
    r = libc.madvise(heap, 4 << 20, 4)
    return out + [ctypes.string_at(heap, 1)[0] if r == 0 else 0]
''', MemorySize=512, Timeout=60)
        c = self.settled(f, seconds=60)
        self.assertEqual((c.get("StateReason"), c["SnapStart"]["OptimizationStatus"]), (None, "On"))
        self.assertEqual(self.call(f), [16000, 31289, 7, 0])
        self.assertNotIn("INIT_START", self.log(f).split("RESTORE_START", 1)[1])

    def test_what_begins_and_ends_in_the_process(self):
        """An event loop, a pipe, a pair of sockets, a counter: each environment has its own, where it was."""
        f = self.snap('''
import asyncio, ctypes, os, select, socket
loop = asyncio.new_event_loop()
r, w = os.pipe(); os.set_blocking(r, False)
a, b = socket.socketpair(); c, d = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
n = ctypes.CDLL(None).eventfd(5, os.O_CLOEXEC); e = select.epoll(); e.register(r, select.EPOLLIN); e.register(n, select.EPOLLIN)
high = os.dup(os.open("/etc/passwd", os.O_RDONLY)); os.set_inheritable(high, True)
async def work():
    await asyncio.sleep(0.01)
    loop.call_soon_threadsafe(lambda: None)
    return await loop.run_in_executor(None, lambda: "executed")
def handler(event, context):
    out = [loop.run_until_complete(work()), sorted(e.poll(0))== [(n, select.EPOLLIN)], int.from_bytes(os.read(n, 8), "little"), e.poll(0)]
    os.write(w, b"x"); out.append(e.poll(0) == [(r, select.EPOLLIN)]); out.append(os.read(r, 9).decode())
    try: os.read(r, 1)
    except BlockingIOError: out.append("would block")
    a.send(b"1"); out.append(b.recv(9).decode()); d.send(b"2"); out.append(c.recv(9).decode()); out.append(os.get_inheritable(high)); out.append(os.get_inheritable(r))
    return out
''', Timeout=20)
        self.on(f)
        for out in self.at_once(f, 2, {}):
            self.assertEqual(out, ["executed", True, 5, [], True, "x", "would block", "1", "2", True, False])

    def test_limits_hold(self):
        source = "import time\ndef handler(e, c):\n    if e.get('grow'): return len(bytearray(400 << 20))\n    time.sleep(e.get('sleep', 0))\n    return 1\n"
        f = self.snap(source, MemorySize=128, Timeout=60)
        self.on(f)
        r = self.d.invoke(f, {"grow": 1}, query="?Qualifier=1", tail=True)
        self.assertEqual((r.error, r.json["errorType"]), ("Unhandled", "Runtime.OutOfMemory"), r)
        self.assertEqual(self.call(f), 1)
        f = self.snap(source, name="s-short", Timeout=4)
        self.on(f)
        r = self.d.invoke(f, {"sleep": 60}, query="?Qualifier=1")
        self.assertEqual((r.error, r.json["errorType"]), ("Unhandled", "Sandbox.Timedout"), r)
        self.assertEqual(self.call(f), 1)

    def test_many_at_once(self):
        f = self.snap("import random\ndef handler(event, c):" + HOLD + "    return [c.log_stream_name, random.random()]", Timeout=200)
        self.on(f)
        out = self.d.together(f, 60, lambda event: self.call(f, event, alone=False))
        self.assertEqual([len({o[i] for o in out}) for i in (0, 1)], [60, 60])
        self.assertNotIn("INIT_START", self.log(f).split("RESTORE_START", 1)[1])


class Obstacles(Snap):
    def refused(self, source, words):
        f = self.snap(source + "\ndef handler(e, c): return e.get('n')", name="s-refused")
        c = self.settled(f)
        self.assertEqual((c["State"], c["SnapStart"]["OptimizationStatus"]), ("Active", "Off"))
        self.assertIn(words, c["StateReason"])
        r = self.d.invoke(f, {"n": 5}, query="?Qualifier=1", tail=True)
        self.assertEqual((r.body, r.error), (b"5", None), r)
        self.assertIn("Init Duration", r.log)
        self.assertIn(words, self.d.log())
        self.d.delete(f)

    def test_what_cannot_be_kept_starts_plainly_and_says_why(self):
        self.refused("import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()", "2 threads are left by init")
        self.refused("import subprocess\np = subprocess.Popen(['/bin/sleep', '1000'])", "child processes are left by init")
        self.refused("import socket\ns = socket.socket()", "init has left a socket open")
        self.refused("import os\nr, w = os.pipe(); os.close(r)", "init has left a pipe open")
        self.refused("import os\nr, w = os.pipe(); os.write(w, b'x')", "init has left a pipe with something in it")
        self.refused("import os\nr, w = os.pipe(); x = os.dup(w)", "init has left an end of a pipe open twice")
        self.refused("import socket\na, b = socket.socketpair(); a.send(b'x')", "init has left a socket with something in it")
        self.refused("import socket\na, b = socket.socketpair(); b.close()", "init has left a socket open")
        self.refused("f = open('/tmp/x', 'w+')", "a file in /tmp open for reading and writing")
        self.refused("import sqlite3\nc = sqlite3.connect('/tmp/db'); c.execute('create table t(a)')", "a file in /tmp open for reading and writing")
        self.refused("import fcntl\nf = open('/tmp/x', 'w'); fcntl.flock(f, fcntl.LOCK_EX)", "a file in /tmp locked")
        self.refused("f = open('/tmp/x', 'w')\nimport os\nos.unlink('/tmp/x')", "a deleted file")
        self.refused("import os\nos.symlink('/etc', '/tmp/x')", "neither file nor directory")
        self.refused("import mmap\nm = mmap.mmap(-1, 4096)", "shared memory")
        self.refused("import signal\nsignal.alarm(1000)", "a timer (setitimer, alarm)")

    def test_threads_that_end_before_a_fork(self):
        """As OpenBLAS has them, and with it numpy."""
        f = self.snap('''
import os, threading
stop = threading.Event()
thread = threading.Thread(target=stop.wait); thread.start()
def end(): stop.set(); thread.join()
os.register_at_fork(before=end)
def handler(e, c): return threading.active_count()
''')
        self.on(f)
        self.assertEqual(self.call(f), 1)

    def test_a_guard_within_memory(self):
        """Newer C libraries have one below each thread's stack, by madvise(MADV_GUARD_INSTALL)."""
        f = self.snap('''
import ctypes, os
libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p
at = libc.mmap(None, 5 * 4096, 3, 0x22, -1, 0)
ctypes.memset(at, 7, 5 * 4096)
guarded = libc.madvise(ctypes.c_void_p(at + 2 * 4096), 4096, 102) == 0
r, w = os.pipe()
def handler(e, c):
    return [guarded] + [libc.write(w, ctypes.c_void_p(at + i * 4096), 1) == 1 and os.read(r, 1)[0] for i in range(5)]
''')
        self.on(f)
        guarded, *pages = self.call(f)
        if not guarded:
            self.skipTest("this kernel has no MADV_GUARD_INSTALL: Linux 6.13")
        self.assertEqual(pages, [7, 7, False, 7, 7])

    def test_threads_that_are_about_to_end(self):
        f = self.snap("import threading, time\nthreading.Thread(target=time.sleep, args=(0.4,)).start()\ndef handler(e, c): return threading.active_count()")
        self.on(f)
        self.assertEqual(self.call(f), 1)

    def test_modules_of_the_functions_own(self):
        """That have the names of those whose random numbers are renewed."""
        name = "s-own"
        files = {"f.py": "import random, uuid\ndef handler(e, c): return [random.x, uuid.x]", "random.py": "x = 5", "uuid.py": "x = 6"}
        self.d.create(name, make_zip(files), runtime=PYTHON, handler="f.handler", SnapStart={"ApplyOn": "PublishedVersions"}, Publish=True)
        self.addCleanup(self.d.delete, name)
        self.on(name)
        r = self.d.invoke(name, {}, query="?Qualifier=1", tail=True)
        self.assertEqual(r.json, [5, 6])
        self.assertIn("\tRestore Duration", r.log)

    def failed(self, source, code, words, **more):
        f = self.snap(source, name="s-failed", **more)
        c = self.settled(f)
        self.assertEqual((c["State"], c["StateReasonCode"], c["SnapStart"]["OptimizationStatus"]), ("Failed", code, "Off"), c)
        self.assertIn(words, c["StateReason"])
        r = self.d.invoke(f, {}, query="?Qualifier=1")
        self.assertEqual((r.status, r.error_type), (409, "ResourceConflictException"), r)
        aliases = f"/2015-03-31/functions/{f}/aliases"
        self.assertEqual(self.d.request("POST", aliases, {"Name": "live", "FunctionVersion": "$LATEST"}).status, 201)
        for r in self.d.request("POST", aliases, {"Name": "new", "FunctionVersion": "1"}), self.d.request("PUT", aliases + "/live", {"FunctionVersion": "1"}):
            self.assertEqual((r.status, r.error_type), (409, "ResourceConflictException"), r)
            self.assertIn(f"'Failed', StateReasonCode: '{code}'", r.json["message"])
        text = self.log(f)
        self.d.delete(f)
        return text

    def test_a_failing_init_is_a_failed_version(self):
        text = self.failed("raise ValueError('no luck')", "FunctionError.RuntimeInitError", "Runtime.Unknown")  # AWS's rule for types (pool/report.c)
        self.assertIn("no luck", text)
        self.failed("import os\nos._exit(3)", "FunctionError.RuntimeInitError", "exit status 3")
        self.failed("x = bytearray(500 << 20)\ndef handler(e, c): pass", "FunctionError.RuntimeInitError", "memory")
        text = self.failed("from snapshot_restore_py import *\n@register_before_snapshot\ndef b(): raise KeyError('before')\ndef handler(e, c): pass",
                           "FunctionError.RuntimeInitError", "Runtime.BeforeSnapshotError")
        self.assertIn("KeyError", text)

    def test_a_failing_hook_after_the_restore(self):
        f = self.snap("import os\nfrom snapshot_restore_py import *\n@register_after_restore\ndef a(): raise KeyError('after')\ndef handler(e, c): return 1")
        self.on(f)
        c = boto(self.d)
        with self.assertRaises(c.exceptions.SnapStartException) as e:
            c.invoke(FunctionName=f, Qualifier="1")
        self.assertIn("afterRestore() runtime hook", str(e.exception))
        self.assertIn("KeyError", self.log(f))
        self.assertEqual(self.d.invoke(f, {}).body, b"1")  # $LATEST runs no hooks

    def test_a_restore_that_does_not_end(self):
        f = self.snap("import time\nfrom snapshot_restore_py import *\nregister_after_restore(time.sleep, 1000)\ndef handler(e, c): return 1")
        self.on(f)
        c = boto(self.d)
        with self.assertRaises(c.exceptions.SnapStartTimeoutException):
            c.invoke(FunctionName=f, Qualifier="1")

    def test_a_damaged_image_is_not_the_end(self):
        f = self.snap("def handler(e, c): return 1")
        self.on(f)
        image = os.path.join(self.d.state, "roots", self.trees()[0], "var/snapshot/image")
        os.truncate(image, os.path.getsize(image) // 2)
        r = self.d.invoke(f, {}, query="?Qualifier=1", tail=True)
        self.assertEqual((r.body, r.error), (b"1", None), r)
        self.assertIn("no snapshot: it failed", r.log)
        self.assertIn("starts without its snapshot from now on", self.d.log())


class Lasting(Snap):
    """Daemons of their own: restarts, other hosts, ends."""

    def setUp(self):
        self.d = Daemon()
        self.addCleanup(self.d.remove)
        self.d.start()

    def test_survives_restarts_and_goes_with_its_version(self):
        f = self.snap("import time\nT = time.time()\ndef handler(e, c): return T", name="s-lasting")
        self.on(f)
        first = self.call(f)
        self.assertEqual(self.d.stop(), 0)
        self.d.start()
        self.assertEqual(self.call(f), first)
        self.assertEqual(self.log(f).count("INIT_START"), 1)
        self.d.configure(f, Description="another")
        self.publish(f)
        self.on(f, "2")
        self.assertNotEqual(self.call(f, version="2"), first)
        self.assertEqual(len(self.trees()), 2)
        self.assertEqual(self.d.request("DELETE", f"/2015-03-31/functions/{f}?Qualifier=1").status, 204)
        wait_until("the first version's snapshot is gone", lambda: len(self.trees()) == 1)
        self.d.delete(f)
        wait_until("the second version's snapshot is gone", lambda: not self.trees())

    def test_nothing_leaks(self):
        f = self.snap("import os, time\ntime.sleep(0.3)  # whatever the machine does, it is restored sooner\ndef handler(e, c):\n  if e.get('exit'): os._exit(e['exit'])\n  return 1", name="s-leak")
        self.on(f)

        def held():
            return [len(descriptors(self.d.pids()[k][0])) for k in ("worker", "spawnd")]

        def round_of(n):
            for _ in range(n):
                r = self.d.invoke(f, {"exit": 1}, query="?Qualifier=1")
                self.assertEqual(r.error, "Unhandled")
            self.d.configure(f, Description=str(n))
            v = self.publish(f)
            self.on(f, v)
            self.d.request("DELETE", f"/2015-03-31/functions/{f}?Qualifier={v}")
            wait_until("none is left", lambda: not self.d.pids()["sandbox"] and len(self.trees()) == 1)
        round_of(5)
        before, groups = held(), len(self.d.groups())
        round_of(30)
        wait_until("as many descriptors as before", lambda: all(a <= b + 6 for a, b in zip(held(), before)))
        wait_until("as many control groups as before", lambda: len(self.d.groups()) <= groups)

    def test_pending_over_a_crash(self):
        f = self.snap("import time\ntime.sleep(1.5)\ndef handler(e, c): return 1", name="s-crash")
        time.sleep(0.5)
        os.kill(self.d.pids()["spawnd"][0], signal.SIGKILL)
        self.on(f)
        self.d.configure(f, Description="another")
        self.publish(f)
        time.sleep(0.5)
        self.d.killed = True
        self.d.stop(signal.SIGKILL)
        wait_until("what was below it has ended", lambda: not [x for x in self.d.leftovers() if x.startswith("process")])
        self.d.killed = False
        self.d.start()
        self.on(f, "2")
        self.assertEqual(self.call(f, version="2"), 1)
        wait_until("two snapshots", lambda: len(self.trees()) == 2)

    def test_one_that_is_missing(self):
        """Removed by hand, or not in the backup that came back."""
        f = self.snap("def handler(e, c): return 1", name="s-missing")
        self.on(f)
        self.d.stop()
        shutil.rmtree(os.path.join(self.d.state, "roots", self.trees()[0]))
        self.d.start()
        for _ in range(2):
            self.assertEqual(self.at_once(f, 3, {}), [1] * 3)
        self.assertIn("starts without its snapshot from now on: it cannot be begun from: mount overlay", self.d.log())

    def test_of_another_host_it_is_made_anew(self):
        f = self.snap("import time\nT = time.time()\ndef handler(e, c): return T", name="s-host")
        self.on(f)
        first, tree = self.call(f), self.trees()
        self.d.stop()
        import sqlite3
        with contextlib.closing(sqlite3.connect(os.path.join(self.d.state, "db/fnd.db"))) as db:
            config = json.loads(db.execute("SELECT config FROM functions WHERE version='1'").fetchone()[0])
            config["snapshot_host"] = "0" * 64
            db.execute("UPDATE functions SET config=? WHERE version='1'", (json.dumps(config),))
            db.commit()
        self.d.start()
        self.assertEqual(self.config(f)["State"], "Active")  # it serves, plainly, meanwhile
        wait_until("a new snapshot", lambda: self.trees() and self.trees() != tree and len(self.trees()) == 1)
        self.on(f)
        self.assertNotEqual(self.call(f), first)
