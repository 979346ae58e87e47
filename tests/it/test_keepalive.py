"""Idle environments: how long they are kept, which go first when memory is wanted, which are made before they are asked for."""
import glob, os, re, subprocess, time
from harness import *

BUDGET = 150  # MB: a native environment that has allocated 20 MB weighs about 22


class KeepAlive(Case):
    def use(self, d, name, mb=20):
        d.do(name, "alloc", mb=mb)
        d.at_rest()

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
        self.assertGreater(self.served(d, "often"), 2)  # perhaps several shared them
        # which one depends on what its start took; asked from the last to the first, for each answer may cost another one its place
        self.assertIn(1, [self.served(d, f"once{i}") for i in reversed(range(8))], "somebody had to go")

    def test_greedy_dual_prefers_small_ones(self):
        often(self.prefers_small_ones)  # what a start took counts, too: on a busy machine one may be ten times as dear

    def prefers_small_ones(self):
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
        """Invoked every 4 s: after four rests it is known that nobody comes in between. An update does not make it forgotten."""
        often(self.makes_ahead)  # of rests of other lengths, as on a busy machine, other things are learned

    def makes_ahead(self):
        d = self.daemon(keep_alive={"policy": "hybrid", "bin_s": 1, "samples": 4}, freeze_grace_ms=50)
        d.create("tick")
        d.create("tock")
        for _ in range(4):
            self.served(d, "tick")
            d.do("tock", "echo")
            time.sleep(4)
        before = self.served(d, "tick")
        d.do("tock", "echo")
        wait_until("their environments have ended at once", lambda: not d.pids()["sandbox"], 2.5)
        d.configure("tock", Timeout=5)
        wait_until("another is there before it is asked for", lambda: d.pids()["sandbox"])
        d.at_rest()
        r = d.in_turn("tick", {"do": "counter"}, tail=True)
        self.assertEqual(r.json["served"], 1, f"a new one; the one before had served {before}")
        self.assertIn("ahead of the invocation", r.log)
        self.assertIn("Init Duration", r.log)
        self.assertNotIn("INIT_START", r.log)
        d.delete("tick")
        d.do("tock", "echo")
        wait_until("the updated one's has ended at once", lambda: not d.pids()["sandbox"], 2.5)
        wait_until("another of it is made ahead", lambda: d.pids()["sandbox"])

    READS = """
served = 0
def handler(event, context):
    global served
    served += 1
    if event.get("read"):
        with open("/var/task/data", "rb") as f:
            while f.read(1 << 20):
                pass
    return served
"""

    def forget_pages(self, d):
        """Whoever reads a file first pays for its pages: that was fn-unpack."""
        os.sync()
        for path in glob.glob(os.path.join(d.state, "roots/code-*/**/data"), recursive=True):
            with open(path, "rb") as f:
                os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def test_page_cache_goes_before_environments(self):
        with open("/proc/mounts") as f:
            in_vm = any(l.split()[1:3] == ["/", "overlay"] for l in f)
        if in_vm or subprocess.run(["stat", "-f", "-c", "%T", shared().state], stdout=subprocess.PIPE, text=True, check=True).stdout == "tmpfs\n":
            self.skipTest("the state directory is in a tmpfs, as in the VM: its files are memory, not page cache")
        often(self.page_cache_goes_first)  # on a busy machine memory may be wanted before there was a moment to take it back

    def page_cache_goes_first(self):
        d = self.daemon(memory_budget_mb=190, keep_alive={"policy": "fixed"}, freeze_grace_ms=20, log={"level": "debug"})
        for name in ("a", "b"):
            package = make_zip({"f.py": self.READS, "data": name.encode() * (40 << 20)})
            d.create(name, package, runtime="python3.11", handler="f.handler", MemorySize=256, Timeout=120)
        self.forget_pages(d)
        for name in ("a", "b"):
            self.assertEqual(d.invoke(name, {"read": 1}).json, 1)
        d.at_rest()
        for i in range(4):  # 180 MB with two times 40 MB of page cache: more than 7/8 of what there is, so that it goes; else the last one costs somebody his place
            d.create(f"more{i}", MemorySize=128, Timeout=60)
            self.use(d, f"more{i}")
        held = lambda: [int(x) for x in re.findall(r"environment of [ab] holds (\d+) KB after its page cache was taken back", d.log())]
        wait_until(lambda: d.log()[-2000:], lambda: len(held()) == 2, 20)
        self.assertLess(max(held()), 30 << 10)
        d.create("last", MemorySize=128, Timeout=60)
        self.use(d, "last")
        for name in ("a", "b"):
            self.assertEqual(d.in_turn(name, {"read": 1}).json, 2, f"nobody had to go: {d.log()[-3000:]}")
