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
        wait_until("it serves again", lambda: d.invoke("f", {"a": 1}).status == 200, 20)
        self.assertEqual(d.stop(), 0)
        wait_until("nothing is left", lambda: not d.leftovers(), 20)
