"""An environment outlives its sandboxes: after a time-out or a crash its next one has its /tmp, credentials and log stream, and a new runtime."""
import glob, os, re, signal, threading, unittest
from harness import *

CODE = """
import json, os, sys, time
there = os.path.exists("/tmp/kept")
calls = 0
if os.path.exists("/tmp/slow_init"):
    time.sleep(60)
def handler(event, context):
    global calls
    calls += 1
    do = event.get("do")
    if do == "write":
        os.makedirs("/tmp/d", exist_ok=True)
        with open("/tmp/kept", "a") as f:
            f.write(event["text"])
        with open("/tmp/d/private", "w") as f:
            f.write("x")
        os.chmod("/tmp/d/private", 0o600)
        print("wrote", end="")
    if do == "slow_init":
        open("/tmp/slow_init", "w").close()
    if event.get("then") == "hang":
        time.sleep(60)
    if event.get("then") == "exit":
        os._exit(3)
    if event.get("then") == "oom":
        hog = bytearray(1 << 30)
    owners = {os.stat(p).st_uid for p in ("/tmp/kept", "/tmp/d", "/tmp/d/private") if os.path.exists(p)}
    return {"there_at_init": there, "calls": calls, "kept": open("/tmp/kept").read() if os.path.exists("/tmp/kept") else None, "pid": os.getpid(),
            "stream": context.log_stream_name, "key": os.environ["AWS_ACCESS_KEY_ID"], "token": os.environ["AWS_SESSION_TOKEN"],
            "foreign": bool(owners - {os.getuid()}), "private": open("/tmp/d/private").read() if os.path.exists("/tmp/d/private") else None,
            "tmp": os.stat("/tmp").st_mode & 0o7777}
"""


class Reset(unittest.TestCase):
    config = None

    def setUp(self):
        self.d = shared(self.config)

    def function(self, name, **kw):
        self.d.create_python(name, CODE, **{"MemorySize": 256, "Timeout": 5, **kw})
        if isinstance(self, Reset):
            self.addCleanup(self.d.delete, name)
        self.d.settled(name)
        return name

    def ok(self, name, query="", **event):
        r = self.d.in_turn(name, event, query=query)
        self.assertEqual((r.status, r.error), (200, None), r)
        return r.json

    def log(self, name):
        return self.d.request("GET", f"/_fnd/logs/{name}?cursor=0").json["Text"]

    def goes_on(self, name, then, error):
        before = self.ok(name, do="write", text="one ")
        r = self.d.in_turn(name, {"do": "write", "text": "two ", "then": then})
        self.assertEqual((r.status, r.json["errorType"]), (200, error))
        after = self.ok(name)  # at once: it waits for the end of the old sandbox
        self.assertEqual((after["kept"], after["there_at_init"], after["calls"]), ("one two ", True, 1))
        self.assertEqual([after[k] for k in ("stream", "key", "token")], [before[k] for k in ("stream", "key", "token")])
        self.assertEqual((after["foreign"], after["private"], after["tmp"]), (False, "x", 0o1777))
        return before, after

    def test_after_a_timeout(self):
        f = self.function("t-reset-timeout")
        self.goes_on(f, "hang", "Sandbox.Timedout")
        again = self.ok(f, do="write", text="three ")
        self.assertEqual((again["calls"], again["kept"]), (2, "one two three "))  # the new runtime stays
        self.assertEqual(self.d.in_turn(f, {"then": "hang"}).json["errorType"], "Sandbox.Timedout")
        third = self.ok(f, do="write", text="four ")  # and so does what the second sandbox wrote, for a third
        self.assertEqual((third["kept"], third["foreign"], third["stream"]), ("one two three four ", False, again["stream"]))
        log = self.log(f)
        self.assertEqual(log.count("INIT_START"), 3)
        self.assertEqual(len(set(re.findall(r"START RequestId: (\S+) ", log))), 6)

    def test_after_an_exit(self):
        f = self.function("t-reset-exit", Timeout=20)
        self.goes_on(f, "exit", "Runtime.ExitError")
        for n in range(5):
            self.assertEqual(self.d.in_turn(f, {"then": "exit"}).json["errorType"], "Runtime.ExitError")
        self.assertEqual(self.ok(f)["kept"], "one two ")

    def test_after_an_init_that_failed(self):
        """Which is repeated within the invocation that waits for it."""
        for d, name, how in ((self.d, "t-reset-init-exit", "os._exit(3)"), (self.d, "t-reset-init-error", "raise KeyError"), (shared({**(self.config or {}), "init_timeout_s": 1}), "t-reset-init-hang", "time.sleep(60)")):
            d.create_python(name, f"import os, time\nif not os.path.exists('/tmp/tried'):\n    open('/tmp/tried', 'w').close()\n    {how}\ndef handler(event, context):\n    return context.log_stream_name", Timeout=20)
            self.addCleanup(d.delete, name)
            r = d.invoke(name, {})
            self.assertEqual((r.status, r.error), (200, None), (how, r))
            log = d.request("GET", f"/_fnd/logs/{name}?cursor=0").json["Text"]
            self.assertEqual([log.count(x) for x in ("INIT_START", "INIT_REPORT", "Phase: init\tStatus: ", "START RequestId")], [2, 1, 1, 1], log)
            streams = d.request("POST", "/", json.dumps({"logGroupName": f"/aws/lambda/{name}"}), {"X-Amz-Target": "Logs_20140328.DescribeLogStreams", "Content-Type": "application/x-amz-json-1.1"}).json["logStreams"]
            self.assertEqual([s["logStreamName"] for s in streams], [r.json], how)

    def test_how_it_is_reported(self):
        f = self.function("t-reset-report", Timeout=20)
        first = self.d.in_turn(f, {}, tail=True)
        self.assertIn("Init Duration", first.log)
        self.d.in_turn(f, {"then": "exit"})
        r = self.d.in_turn(f, {}, tail=True)
        self.assertNotIn("\tInit Duration", r.log)
        line = re.search(r"REPORT .*Duration: ([\d.]+) ms\tBilled Duration: (\d+) ms", self.log(f).splitlines()[-2 if "Cold Start" in self.log(f).splitlines()[-1] else -1])
        init = float(re.findall(r"Cold Start: .* init ([\d.]+) ms", r.log)[0])
        self.assertGreaterEqual(float(line.group(1)), init)  # the invocation has waited for it, and pays
        log = self.log(f)
        self.assertLess(log.rindex("INIT_START"), log.rindex("START RequestId"))
        self.assertNotIn("INIT_REPORT", log)

    def test_one_that_began_from_a_snapshot(self):
        """It is the same environment, too: what follows is a plain init, as its kind of start says with both kinds of hooks."""
        hooks = """
from snapshot_restore_py import register_after_restore, register_before_snapshot
hooks = []
register_before_snapshot(lambda: hooks.append("before"))
register_after_restore(lambda: hooks.append("after"))
def snap_start(event, context):
    return dict(handler(event, context), hooks=hooks, type=os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], variables=sorted(k for k in os.environ if "FND" in k))
"""
        self.d.create("t-reset-snap", make_zip({"f.py": CODE + hooks}), runtime=PYTHON, handler="f.snap_start", MemorySize=256, Timeout=5, SnapStart={"ApplyOn": "PublishedVersions"})
        self.addCleanup(self.d.delete, "t-reset-snap")
        self.d.settled("t-reset-snap")
        v = self.d.request("POST", "/2015-03-31/functions/t-reset-snap/versions", {}).json["Version"]
        self.d.settled(f"t-reset-snap:{v}")
        self.assertEqual(self.d.request("GET", f"/2015-03-31/functions/t-reset-snap:{v}/configuration").json["SnapStart"]["OptimizationStatus"], "On")
        for then, error in (("exit", "Runtime.ExitError"), ("hang", "Sandbox.Timedout")):
            before, after = self.goes_on(f"t-reset-snap:{v}", then, error)
            for x in (before, after):
                self.assertEqual((x["hooks"], x["type"], x["variables"]), (["before", "after"], "snap-start", []))
            self.d.in_turn(f"t-reset-snap:{v}", {"then": "oom"})  # another environment, from the snapshot

    def test_out_of_memory_loses_it(self):
        f = self.function("t-reset-oom", Timeout=20)
        before = self.ok(f, do="write", text="one")
        self.assertEqual(self.d.in_turn(f, {"then": "oom"}).json["errorType"], "Runtime.OutOfMemory")
        after = self.ok(f)
        self.assertEqual((after["kept"], after["there_at_init"]), (None, False))
        self.assertNotEqual(after["stream"], before["stream"])

    def test_one_that_cannot_initialise_again_ends(self):
        f = self.function("t-reset-slow")
        before = self.ok(f, do="slow_init")
        self.assertEqual(self.d.in_turn(f, {"then": "exit"}).json["errorType"], "Runtime.ExitError")
        self.assertEqual(self.d.in_turn(f, {}).json["errorType"], "Sandbox.Timedout")  # its init does not end within the function's time
        after = self.ok(f)
        self.assertNotEqual(after["stream"], before["stream"])

    def test_others_are_not_affected(self):
        """An environment that was reset is used before another is made; one that idles comes first."""
        f = self.function("t-reset-others")
        got = []
        threads = [threading.Thread(target=lambda: got.append(self.d.in_turn(f, {"then": "hang"}).json["errorType"])) for _ in range(2)]
        [t.start() for t in threads]
        self.d.under_way(f, 2)
        [t.join() for t in threads]
        self.assertEqual(got, ["Sandbox.Timedout"] * 2)
        streams = {self.ok(f)["stream"] for _ in range(4)}
        self.assertEqual(len(streams), 1)

    def test_an_update_ends_it(self):
        f = self.function("t-reset-update", Timeout=20)
        before = self.ok(f, do="write", text="old")
        self.d.in_turn(f, {"then": "exit"})
        self.d.configure(f, Description="new")
        self.d.settled(f)
        after = self.ok(f)
        self.assertEqual((after["kept"], after["stream"] != before["stream"]), (None, True))


class InMemory(Reset):
    """The same where /tmp is a tmpfs."""
    config = {"tmp": {"mode": "tmpfs"}}


class Alone(Case):
    function, ok, log = Reset.function, Reset.ok, Reset.log

    def test_they_end_for_want_of_use_and_leave_nothing(self):
        self.d = d = self.daemon({"idle_timeout_s": 5, "keep_alive": {"policy": "fixed"}, "prepared_most": 0, "prestarted_most": 0})  # what is made ahead has mount namespaces, too
        f = self.function("idle", Timeout=20)
        before = self.ok(f, do="write", text="x")
        spawnd = d.pids()["spawnd"][0]
        count = lambda: sum("mnt:" in os.readlink(p) for p in glob.glob(f"/proc/{spawnd}/fd/*") if os.path.lexists(p))
        rest = count()
        self.assertEqual(d.in_turn(f, {"then": "exit"}).error, "Unhandled")
        wait_until("its /tmp is kept", lambda: count() == rest + 1)
        wait_until("it has ended", lambda: count() == rest)
        after = self.ok(f)
        self.assertEqual((after["kept"], after["stream"] != before["stream"]), (None, True))
        self.ends_clean(d)

    def test_fn_spawnd_ends_while_it_has_no_sandbox(self):
        self.d = d = self.daemon()
        f = self.function("f", Timeout=20)
        before = self.ok(f, do="write", text="x")
        self.assertEqual(d.in_turn(f, {"then": "exit"}).error, "Unhandled")
        os.kill(d.pids()["spawnd"][0], signal.SIGKILL)
        wait_until("fnd has seen it", lambda: "the connection to fn-spawnd is lost" in d.log())
        wait_until("it serves again", lambda: d.invoke(f, {}).status == 200)
        after = self.ok(f)
        self.assertEqual((after["kept"], after["stream"] != before["stream"]), (None, True))
        self.assertEqual(d.stop(), 0)

    def test_provisioned_ones_are_there_again(self):
        self.d = d = self.daemon()
        f = self.function("p", Timeout=20)
        d.request("POST", f"/2015-03-31/functions/{f}/versions", {})
        wait_until("it is Active", lambda: d.request("GET", f"/2015-03-31/functions/{f}/configuration?Qualifier=1").json["State"] == "Active")
        at = f"/2019-09-30/functions/{f}/provisioned-concurrency?Qualifier=1"
        self.assertEqual(d.request("PUT", at, {"ProvisionedConcurrentExecutions": 1}).status, 202)
        ready = lambda: d.request("GET", at).json["AvailableProvisionedConcurrentExecutions"] == 1
        wait_until("it is there", ready)
        before = self.ok(f, "?Qualifier=1", do="write", text="x")
        self.assertEqual(d.in_turn(f, {"then": "exit"}, query="?Qualifier=1").error, "Unhandled")
        wait_until("it is there again", ready)
        after = self.ok(f, "?Qualifier=1")
        self.assertEqual((after["kept"], after["stream"], after["calls"]), ("x", before["stream"], 1))
        self.assertEqual(d.metric("fnd_provisioned_concurrency_spillover_invocations_total", function=f), 0)
        self.assertEqual(d.stop(), 0)


if __name__ == "__main__":
    unittest.main()
