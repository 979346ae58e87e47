"""Sandboxes made ahead: used, replaced, bounded, and no different from others once they serve."""
import contextlib, os, signal, threading, unittest
from harness import *


class Prepared(Case):
    def daemon(self, **config):
        shared()
        d = Daemon(config)
        self.addCleanup(d.remove)
        d.start()
        return d

    def stock(self, d):
        return d.doctor()["PreparedSandboxes"]

    def test_a_cold_start_takes_one_and_says_so(self):
        d = self.daemon(prepared_least=3, prepared_most=3)
        wait_until("the stock is full", lambda: self.stock(d) == 3)
        d.create("f")
        r = d.invoke("f", {"do": "echo"}, tail=True)
        self.assertRegex(r.log, r"Cold Start: queue [\d.]+ ms, cgroup [\d.]+ ms, mounts [\d.]+ ms, clone 0\.00 ms, net 0\.00 ms, exec [\d.]+ ms, init [\d.]+ ms, prepared sandbox\t")
        wait_until("the stock is full again", lambda: self.stock(d) == 3)
        self.assertEqual(d.stop(), 0)
        self.assertEqual(d.leftovers(), [])

    def test_without_any(self):
        d = self.daemon(prepared_least=0, prepared_most=0)
        d.create("f")
        r = d.invoke("f", {"do": "echo"}, tail=True)
        self.assertRegex(r.log, r"Cold Start: .*clone (?!0\.00)[\d.]+ ms")
        self.assertNotIn("prepared sandbox", r.log)
        self.assertEqual(d.pids()["prepared"], [])
        with open(os.path.join(BUILD, "fixtures/bootstrap"), "rb") as f, open(os.path.join(BUILD, "fixtures/escape"), "rb") as g:
            d.create("escape", make_zip({"bootstrap": f.read(), "escape": g.read()}, {"escape": 0o755}), Timeout=120, MemorySize=1769)
        results = d.do("escape", "exec", path="/var/task/escape")
        self.assertEqual({k: v for k, v in results.items() if v[0] != "contained"}, {})

    def test_those_that_are_killed_are_made_anew(self):
        d = self.daemon(prepared_least=4, prepared_most=4)
        d.create("f")
        for _ in range(3):
            wait_until("the stock is full", lambda: self.stock(d) == 4)
            for pid in d.pids()["prepared"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})
        self.assertEqual(d.stop(), 0)
        self.assertEqual(d.leftovers(), [])

    def test_demand_grows_the_stock_up_to_its_bound(self):
        d = self.daemon(prepared_least=1, prepared_most=12)
        d.create("f", Timeout=20)
        threads = [threading.Thread(target=d.invoke, args=("f", {"do": "sleep", "ms": 300})) for _ in range(20)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        wait_until("as many as it may", lambda: self.stock(d) == 12)
        self.assertEqual(len(d.pids()["sandbox"]), 40)

    def test_they_wait_without_privilege_and_hold_no_descriptor_of_another(self):
        d = self.daemon(prepared_least=4, prepared_most=4)
        wait_until("the stock is full", lambda: self.stock(d) == 4)
        sockets = {}
        for pid in d.pids()["prepared"]:
            with open(f"/proc/{pid}/status") as f:
                text = f.read()
            if comm(pid) == "fn-ready":
                self.assertRegex(text, r"CapEff:\s+0000000000000000")
                self.assertRegex(text, r"Seccomp:\s+2")
                self.assertRegex(text, r"NoNewPrivs:\s+1")
                continue
            for fd in os.listdir(f"/proc/{pid}/fd"):
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
                self.assertRegex(target, r"^(socket|pipe):|^/dev/null$")
                if target.startswith("socket:"):
                    self.assertIsNone(sockets.get(target), "two of them share a socket")
                    sockets[target] = pid


if __name__ == "__main__":
    unittest.main()
