"""Idle environments: how long they are kept, which go first when memory is wanted, which are made before they are asked for."""
import time, unittest
from harness import *

BUDGET = 150  # MB: a native environment that has allocated 20 MB weighs about 22


class KeepAlive(unittest.TestCase):
    def daemon(self, **config):
        shared()
        d = Daemon(config)
        self.addCleanup(d.remove)
        return d.start()

    def use(self, d, name, mb=20):
        d.do(name, "alloc", mb=mb)
        time.sleep(0.05 * SLOW)  # it is back for more

    def served(self, d, name):
        return d.do(name, "counter")["served"]

    def test_no_end_by_time(self):
        d = self.daemon(idle_timeout_s=0, keep_alive={"policy": "fixed"})
        d.create("f")
        d.do("f", "echo")
        time.sleep(2)
        self.assertEqual(self.served(d, "f"), 2)

    def test_greedy_dual_keeps_what_is_used_often(self):
        d = self.daemon(memory_budget_mb=BUDGET, keep_alive={"policy": "greedy-dual"})
        d.create("often")
        for _ in range(200):
            d.do("often", "echo")
        self.use(d, "often")
        for i in range(8):  # by time alone it would have gone
            d.create(f"once{i}")
            self.use(d, f"once{i}")
        self.assertGreater(self.served(d, "often"), 50)  # perhaps it was two that shared them
        self.assertEqual(self.served(d, "once0"), 1, "somebody had to go")

    def test_greedy_dual_prefers_small_ones(self):
        d = self.daemon(memory_budget_mb=200, keep_alive={"policy": "greedy-dual"})
        for name, mb in (("large", 90), ("small", 2)):
            d.create(name, MemorySize=256)
            self.use(d, name, mb)
        for _ in range(3):
            d.do("large", "echo")  # more recent, more often; but five times the size
        d.create("more", MemorySize=256)
        self.use(d, "more", 90)
        d.create("another", MemorySize=256)
        self.use(d, "another", 2)
        self.assertEqual(self.served(d, "small"), 2)

    def test_hybrid_makes_ahead(self):
        """Invoked every 4 s: after five rests it is known that nobody comes in between."""
        d = self.daemon(keep_alive={"policy": "hybrid", "bin_s": 1, "samples": 4}, freeze_grace_ms=50)
        d.create("tick")
        until = time.monotonic() + 4
        for i in range(6):
            self.served(d, "tick")
            time.sleep(max(0, until - time.monotonic()))
            until += 4
        before = self.served(d, "tick")
        wait_until("its environment has ended at once", lambda: not d.pids()["sandbox"], 2)
        wait_until("another is there before it is asked for", lambda: d.pids()["sandbox"], 6)
        time.sleep(0.2 * SLOW)  # it initialises
        r = d.invoke("tick", {"do": "counter"}, tail=True)
        self.assertEqual(r.json["served"], 1, f"a new one; the one before had served {before}")
        self.assertIn("ahead of the invocation", r.log)
        self.assertIn("Init Duration", r.log)
        self.assertNotIn("INIT_START", r.log)

    def test_hybrid_knowledge_outlives_an_update(self):
        d = self.daemon(keep_alive={"policy": "hybrid", "bin_s": 1, "samples": 3}, freeze_grace_ms=50)
        d.create("tick")
        until = time.monotonic() + 3
        for i in range(5):
            d.do("tick", "echo")
            time.sleep(max(0, until - time.monotonic()))
            until += 3
        d.configure("tick", Timeout=5)
        d.do("tick", "echo")
        wait_until("ended at once", lambda: not d.pids()["sandbox"], 1.5)
        wait_until("made ahead", lambda: d.pids()["sandbox"], 6)
