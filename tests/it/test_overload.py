"""What one environment can take from the others, and from fnd: memory that a child process took, files without end, all of the CPU."""
import concurrent.futures, contextlib, glob, os, threading, time, unittest
from harness import *

MEMORY = r"""
import mmap, os
served = 0
kept = []

def handler(event, context):
    global served
    served += 1
    if event.get("shared"):  # memory that outlives the child that filled it
        kept.append(os.memfd_create("x"))
        os.ftruncate(kept[-1], event["shared"] << 20)
        area = mmap.mmap(kept[-1], event["shared"] << 20)
    status = None
    if event.get("child") or event.get("shared"):
        pid = os.fork()
        if pid == 0:
            if event.get("shared"):
                for at in range(0, event["shared"] << 20, 4096):
                    area[at] = 1
            else:
                bytearray(event["child"] << 20)
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
    return {"served": served, "status": status}
"""

FILES = r"""
import ctypes, mmap, os, resource, time
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_ssize_t
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]

def by_processes():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    children = 0
    r, w = os.pipe()
    try:
        for _ in range(1000):
            if os.fork() == 0:
                os.close(w)
                os.read(r, 1)  # until all are there
                try:
                    while True:
                        os.open("/dev/null", os.O_RDONLY)
                except OSError:
                    time.sleep(60)
                    os._exit(0)
            children += 1
    except OSError:
        pass
    os.close(r)
    os.close(w)
    time.sleep(20)
    return children

def by_mappings():
    with open("/tmp/x", "w") as f:
        f.write("x" * 4096)
    children, kept = 0, []
    for _ in range(8):
        if os.fork() == 0:
            try:
                while True:
                    with open("/tmp/x", "rb") as f:
                        kept.append(libc.mmap(None, 4096, 1, 1, f.fileno(), 0))
                    if kept[-1] == -1:
                        raise OSError
            except OSError:
                time.sleep(60)
                os._exit(0)
        children += 1
    time.sleep(20)
    return children

def handler(event, context):
    return {"processes": by_processes, "mappings": by_mappings}[event["by"]]()
"""


def files_open():
    with open("/proc/sys/fs/file-nr") as f:
        used, _, most = f.read().split()
    return int(used), int(most)


SPIN = r"""
import os, time

def handler(event, context):
    until = time.time() + event["seconds"]
    for _ in range(event["processes"] - 1):
        if os.fork() == 0:
            while time.time() < until:
                pass
            os._exit(0)
    while time.time() < until:
        pass
    for _ in range(event["processes"] - 1):
        os.wait()
"""


class Memory(Case):
    """On v1, where the kernel kills one process of a group, as on v2, where it kills all."""

    def out_of_memory(self, f, event):
        r = self.d.invoke(f, event, tail=True)
        self.assertEqual((r.status, r.error), (200, "Unhandled"), r)
        self.assertEqual(r.json["errorType"], "Runtime.OutOfMemory", r)
        self.assertRegex(r.json["errorMessage"], r"^RequestId: [0-9a-f-]{36} Error: Runtime exited with error: signal: killed$")
        self.assertIn("Runtime.OutOfMemory", r.log)
        r = self.d.invoke(f, {})
        self.assertEqual(r.json, {"served": 1, "status": None}, "another environment")

    def test_a_child_killed_for_memory_ends_the_environment(self):
        f = self.python(MEMORY, MemorySize=256, Timeout=int(30 * SLOW))
        self.assertEqual(self.d.invoke(f, {"child": 100}).json, {"served": 1, "status": 0})
        for _ in range(5):  # the parent hears of it at once: its answer must not come first
            self.out_of_memory(f, {"child": 1000})

    def test_nor_does_shared_memory_stay(self):
        f = self.python(MEMORY, MemorySize=256, Timeout=int(30 * SLOW))
        self.assertEqual(self.d.invoke(f, {"shared": 100}).json, {"served": 1, "status": 0})
        self.out_of_memory(f, {"shared": 400})

    def test_one_for_which_the_memory_of_all_is_at_its_end_ends_alone(self):
        """The limit of a group above: a service's, a container's."""
        neighbour = self.python(MEMORY, name="t-oom-neighbour", MemorySize=256, Timeout=30)
        self.assertEqual(self.d.invoke(neighbour, {}).json["served"], 1)
        f = self.python(MEMORY, MemorySize=2048, Timeout=60)
        self.assertEqual(self.d.invoke(f, {}).json["served"], 1)
        [group] = {os.path.dirname(p) for kind in ("memory.limit_in_bytes", "memory.max")
                   for p in glob.glob(f"/sys/fs/cgroup/**/{self.d.instance}/{kind}", recursive=True)}
        v1 = os.path.exists(os.path.join(group, "memory.limit_in_bytes"))
        limit = os.path.join(group, "memory.limit_in_bytes" if v1 else "memory.max")
        with open(os.path.join(group, "memory.usage_in_bytes" if v1 else "memory.current")) as used, open(limit, "w") as l:
            l.write(str(int(used.read()) + (300 << 20)))
        try:
            self.out_of_memory(f, {"child": 1500})
        finally:
            with open(limit, "w") as l:
                l.write("-1" if v1 else "max")
        self.assertEqual(self.d.invoke(neighbour, {}).json["served"], 2)


class Files(Case):
    def bounded(self, by):
        f = self.python(FILES, name=f"t-files-{by}", MemorySize=3008, Timeout=60)
        neighbour = self.function(name=f"t-files-neighbour-{by}")
        self.assertEqual(self.d.do(neighbour, "counter")["served"], 1)
        before, most = files_open()
        seen, done = [], threading.Event()

        def look():
            while not done.wait(0.01):
                seen.append(files_open()[0])

        t = threading.Thread(target=look)
        t.start()
        try:
            r = self.d.invoke(f, {"by": by}, tail=True)
        finally:
            done.set()
            t.join()
        self.assertEqual(r.error, "Unhandled", r)
        self.assertEqual(r.json["errorType"], "Runtime.ExitError", r)
        self.assertRegex(r.log, r"more than \d+ open files in all")
        self.assertLess(max(seen) - before, 300000 * SLOW, "of what is the whole machine's")
        self.assertGreater(max(seen) - before, min(40000, most // 64), "it was tried")
        self.assertEqual(self.d.do(neighbour, "counter")["served"], 2)

    def test_by_many_processes(self):
        self.bounded("processes")

    def test_by_mappings_whose_descriptors_are_closed(self):
        self.bounded("mappings")

    def test_what_a_function_may_have(self):
        """1,024 in a process, and as many processes as there may be with what they inherit."""
        f = self.python("import os\ndef handler(event, context):\n    n = 0\n    try:\n        while True:\n            os.open('/dev/null', 0)\n            n += 1\n    except OSError as e:\n        return [n, e.errno]\n",
                        MemorySize=512)
        n, errno = self.d.invoke(f, {}).json
        self.assertTrue(990 <= n <= 1024, n)
        self.assertEqual(errno, 24)


class Cpu(Case):
    def test_fnd_has_its_share_before_all_sandboxes_together(self):
        f = self.function()
        self.assertEqual(self.d.do(f, "counter")["served"], 1)
        found = {}
        for kind in ("cpu.shares", "cpu.weight"):
            for path in glob.glob(f"/sys/fs/cgroup/**/{self.d.instance}*/{kind}", recursive=True):
                with open(path) as v, open(os.path.join(os.path.dirname(path), "cgroup.procs")) as procs:
                    found[os.path.basename(os.path.dirname(path))] = int(v.read()), set(map(int, procs.read().split()))
        self.assertEqual(set(found), {self.d.instance, self.d.instance + ".daemon"})
        weight, inside = found[self.d.instance + ".daemon"]
        self.assertEqual(weight, found[self.d.instance][0], "half of the CPU, whatever they do")
        pids = self.d.pids()
        self.assertLessEqual(set(pids["supervisor"] + pids["worker"] + pids["spawnd"]), inside)
        self.assertFalse(inside & set(pids["sandbox"] + pids["prepared"]))

    def giving_way(self):
        """How many environments' groups give way to the others, of those that there are."""
        found = []
        for path in glob.glob(f"/sys/fs/cgroup/**/{self.d.instance}/*/cpu.idle", recursive=True):
            with contextlib.suppress(OSError), open(path) as f:  # it is gone
                found.append(f.read().strip() == "1")
        return sum(found), len(found)

    def test_what_goes_on_for_long_gives_way(self):
        """Which takes CPU all the time, and until it is over; not what waits."""
        short = self.function()
        self.assertEqual(self.d.do(short, "counter")["served"], 1)
        if not self.giving_way()[1]:
            self.skipTest("this kernel has no cpu.idle")
        long = self.python(SPIN, name="t-long", MemorySize=1769, Timeout=60)
        waits = self.python("import time\ndef handler(event, context):\n    time.sleep(event['seconds'])\n", name="t-waits", Timeout=60)
        processes, served = os.cpu_count() + 1, iter(range(2, 99))
        for f, event in ((long, {"seconds": 0, "processes": 1}), (waits, {"seconds": 0})):
            self.d.invoke(f, event)

        def attempt():
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                calls = [pool.submit(self.d.invoke, waits, {"seconds": 6}), pool.submit(self.d.invoke, long, {"seconds": 5, "processes": processes})]
                wait_until("one gives way", lambda: self.giving_way()[0] > 0, 5)
                self.assertEqual(self.d.do(short, "counter")["served"], next(served))
                self.assertEqual(self.giving_way()[0], 1)
                for c in calls:
                    self.assertFalse(c.result().error)
        often(attempt)
        wait_until("none gives way any more", lambda: self.giving_way()[0] == 0)


if __name__ == "__main__":
    unittest.main()
