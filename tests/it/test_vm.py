"""The essentials, for the run in a VM with a unified cgroup v2: how the controllers are driven, invoke, kill and clean-up."""
import os, signal, time, unittest
from harness import *


class Essentials(Case):
    def test_controllers_are_driven_as_the_host_has_them(self):
        with open("/proc/mounts") as f:
            unified = any(l.split()[1:3] == ["/sys/fs/cgroup", "cgroup2"] for l in f)
        drivers = {c["Name"]: c["Driver"] for c in self.d.doctor()["Controllers"]}
        self.assertEqual(set(drivers), {"memory", "cpu", "pids"})
        if unified:
            self.assertEqual(set(drivers.values()), {"v2"})

    def test_python_and_native(self):
        f = self.function(Timeout=60)
        self.assertEqual(self.d.do(f, "counter")["served"], 1)
        p = self.python("def handler(e, c):\n    return e['a'] + 1\n", name="vm-py", Timeout=60, MemorySize=1769)
        self.assertEqual(self.d.invoke(p, {"a": 1}).json, 2)

    def test_snapstart(self):
        """Debian's kernel has another vDSO, another layout of the kernel's own mappings, than the host the other tests run on."""
        f = self.python("import time, json, threading\nT = time.time()\ndef handler(e, c):\n    t = threading.Thread(target=int); t.start(); t.join()\n    return [T, time.time()]\n",
                        name="vm-snap", Timeout=60, MemorySize=1769, SnapStart={"ApplyOn": "PublishedVersions"}, Publish=True)
        config = lambda: self.d.request("GET", f"/2015-03-31/functions/{f}/configuration?Qualifier=1").json
        wait_until("it has its snapshot", lambda: config()["State"] != "Pending")
        self.assertEqual((config().get("StateReason"), config()["SnapStart"]["OptimizationStatus"]), (None, "On"))
        r = self.d.invoke(f, {}, query="?Qualifier=1", tail=True)
        self.assertIn("Restore Duration", r.log)
        self.assertTrue(r.json[0] < r.json[1] <= time.time(), r)

    def test_death_of_a_sandbox(self):
        f = self.function(Timeout=60)
        r = self.d.invoke(f, {"do": "exit", "code": 3})
        self.assertIn("exit status 3", r.json["errorMessage"])
        self.assertEqual(self.d.do(f, "counter")["served"], 1)

    def test_kill_9_leaves_nothing(self):
        d = Daemon()
        d.killed = True
        self.addCleanup(d.remove)
        d.start()
        d.create("f", Timeout=60)
        d.do("f", "daemon")
        d.process.kill()
        d.process.wait()
        d.start()
        self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})
        os.kill(d.pids()["spawnd"][0], signal.SIGKILL)
        wait_until("it serves again", lambda: d.invoke("f", {"a": 1}).status == 200)
        self.assertEqual(d.stop(), 0)
        wait_until("nothing is left", lambda: not d.leftovers())

    @unittest.skipUnless(os.path.exists("/sys/fs/cgroup/cgroup.subtree_control"), "needs a unified cgroup v2")
    def test_as_a_service_in_a_group_of_its_own(self):
        """Not in the hierarchy's root, the daemon's processes must leave their group before it can hand controllers down."""
        group = f"/sys/fs/cgroup/service-{os.getpid()}"
        with open("/proc/self/cgroup") as f:
            before = "/sys/fs/cgroup" + f.read().strip().split("::")[1]
        os.mkdir(group)
        d = Daemon()
        self.addCleanup(d.remove)
        try:
            self.enter(group)
            d.start(wait=False)
        finally:
            self.enter(before)
        try:
            wait_until("fnd is ready", d.is_ready)
            d.create("f", Timeout=60, MemorySize=1769)
            self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})
            os.kill(d.pids()["spawnd"][0], signal.SIGKILL)
            wait_until("it serves again", lambda: d.invoke("f", {"a": 1}).status == 200)
            self.assertEqual(sorted(p for p in d.parent_groups() if p.endswith(".daemon")), [f"{group}/{d.instance}.daemon"])
            self.assertEqual(d.stop(), 0)
            wait_until("nothing is left", lambda: not d.leftovers())
        finally:
            d.stop(signal.SIGKILL)
            wait_until("the group is empty", lambda: self.empty(group))
            os.rmdir(group)

    @staticmethod
    def enter(group):
        with open(os.path.join(group, "cgroup.procs"), "w") as f:
            f.write(str(os.getpid()))

    @staticmethod
    def empty(group):
        with open(os.path.join(group, "cgroup.procs")) as f:
            return not f.read() and not [e for e in os.scandir(group) if e.is_dir()]
