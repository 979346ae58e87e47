"""What a process finds out about its machine: as much as the function has, in every way of starting; of the host no more than a Lambda's guest shows."""
import json, unittest
from harness import *

# The top of /proc (lib/sandbox/proc.c has the same list, by hand on purpose: a new entry is a decision).
SHOWN = {"cgroups", "cpuinfo", "filesystems", "loadavg", "locks", "meminfo", "mounts", "net", "self", "stat", "sys", "sysvipc", "thread-self", "uptime", "version", "vmstat"}

PYTHON = r"""
import errno, os, socket, stat

def attempt(path, flags):
    try:
        fd = os.open(path, flags | os.O_NONBLOCK)
    except OSError as e:
        return errno.errorcode[e.errno]
    try:
        return len(os.read(fd, 1)) if flags == os.O_RDONLY else "opened"
    except OSError as e:
        return errno.errorcode[e.errno]
    finally:
        os.close(fd)

def walk(base):
    for d, dirs, files in os.walk(base):
        if d == "/proc":
            dirs[:] = [x for x in dirs if not x.isdigit() and x not in ("self", "thread-self")]
        for f in files:
            if not os.path.islink(d + "/" + f):
                yield d + "/" + f

def read(path):
    with open(path, errors="replace") as f:
        return f.read()

AT_START = read("/proc/meminfo")

def find(event, context):
    top = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            path = "/proc/" + name
            if os.path.isdir(path):
                try:
                    top[name] = sorted(os.listdir(path))[:3]
                except OSError as e:
                    top[name] = errno.errorcode[e.errno]
            else:
                top[name] = attempt(path, os.O_RDONLY)
    writable = [p for base in ("/proc", "/sys") for p in walk(base) if attempt(p, os.O_WRONLY) == "opened" or attempt(p, os.O_RDWR) == "opened"]
    files = {p: read(p).strip() for p in walk("/sys/fs/cgroup") if attempt(p, os.O_RDONLY) != "EACCES" and p.rsplit("/", 1)[1] in
             ("memory.max", "memory.limit_in_bytes", "cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us", "pids.max", "memory.current", "memory.usage_in_bytes", "cgroup.procs")}
    name = socket.gethostname()
    with socket.create_server((socket.gethostbyname(name), 0)) as s, socket.create_connection(s.getsockname()) as c:
        met = c.getpeername()[0]
    made = []
    for d in ("/sys", "/sys/fs", "/sys/fs/cgroup", "/proc/sys"):
        try:
            os.mkdir(d + "/x")
            made.append(d)
        except OSError:
            pass
    with socket.socket() as s:
        s.settimeout(1)
        try:
            s.connect(("169.254.169.254", 80))
            metadata = "connected"
        except OSError as e:
            metadata = errno.errorcode.get(e.errno, "?")
    return {"top": top, "writable": writable, "made": made, "files": files, "meminfo": read("/proc/meminfo"), "at_start": AT_START, "host": name, "met": met,
            "init": [read("/proc/1/cmdline"), read("/proc/1/comm"), attempt("/proc/1/environ", os.O_RDONLY)], "pids": [p for p in os.listdir("/proc") if p.isdigit()],
            "metadata": metadata, "sys": sorted(os.listdir("/sys"))}
"""


def meminfo(text):
    return {l.split(":")[0]: int(l.split()[1]) for l in text.splitlines()}


class Machine(Case):
    CONFIG = {"prepared_least": 0, "prepared_most": 0, "prestarted_least": 0, "prestarted_most": 0}
    HOW = ""

    @classmethod
    def setUpClass(cls):
        shared()
        cls.d = Daemon(cls.CONFIG)
        cls.addClassCleanup(cls.d.remove)
        cls.d.start()

    def made_ahead(self):
        return True

    def find(self, memory):
        f = self.function(f"t-{memory}", make_zip({"f.py": PYTHON}), runtime="python3.11", handler="f.find", MemorySize=memory, Timeout=60)
        wait_until("it is made ahead", self.made_ahead)
        r = self.d.invoke(f, {}, tail=True)
        self.assertIsNone(r.error, r)
        self.assertIn(self.HOW, r.log)
        return r.json

    def has_cpu(self, function, files, want):
        """What its init may take is taken away by fn-spawnd, beside the first invocation."""
        def has():
            nonlocal files
            quota, period = map(int, files["cpu.max"].split() if "cpu.max" in files else (files["cpu.cfs_quota_us"], files["cpu.cfs_period_us"]))
            if abs(quota / period - want) < 0.005:
                return True
            files = {p.rsplit("/", 1)[1]: v for p, v in self.d.invoke(function, {}).json["files"].items()}
        wait_until(lambda: f"it has {want} of a CPU: {files}", has)

    def test_it_has_the_function_s_memory_and_cpu(self):
        for memory in (256, 1769):
            with self.subTest(memory=memory):
                r = self.find(memory)
                m = meminfo(r["meminfo"])
                self.assertEqual((m["MemTotal"], m["MemFree"], m["MemAvailable"], m["SwapTotal"]), (memory << 10, memory << 10, memory << 10, 0))
                self.assertEqual(r["at_start"], r["meminfo"])
                files = {p.rsplit("/", 1)[1]: v for p, v in r["files"].items()}
                self.assertEqual(int(files.get("memory.max") or files["memory.limit_in_bytes"]), memory << 20, r["files"])
                self.assertTrue(0 < int(files.get("memory.current") or files["memory.usage_in_bytes"]) < memory << 20, r["files"])
                self.has_cpu(f"t-{memory}", files, memory / 1769)
                self.assertEqual(files["pids.max"], "1024")
                self.assertEqual(set(files["cgroup.procs"].split()) - {"0"}, set(r["pids"]))
                self.assertEqual(r["sys"], ["fs"])

    def test_it_has_a_name_that_resolves(self):
        r = self.find(512)
        self.assertRegex(r["host"], r"^169\.254\.\d+\.\d+$")
        self.assertEqual(r["met"], r["host"])
        self.assertIn(r["metadata"], ("ENETUNREACH", "EHOSTUNREACH"), "no more of that network than the one address is its own")

    def test_it_shows_nothing_of_who_made_it(self):
        cmdline, comm, environ = self.find(512)["init"]
        self.assertEqual((cmdline, comm, environ), ("fn-init\0", "fn-init\n", "EACCES"))

    def test_nothing_else_is_seen_and_nothing_is_written(self):
        r = self.find(512)
        self.assertEqual({k: v for k, v in r["top"].items() if k not in SHOWN and v not in ("EACCES", "EPERM")}, {})
        self.assertEqual({k: v for k, v in r["top"].items() if k in SHOWN and v in ("EACCES", "EPERM")}, {}, "what programs read of it")
        self.assertLessEqual(SHOWN - {"locks", "sysvipc"}, set(r["top"]))
        self.assertEqual((r["writable"], r["made"]), ([], []))


class MachineOfOneMadeAhead(Machine):
    CONFIG = {"prepared_least": 2, "prepared_most": 2, "prestarted_least": 0, "prestarted_most": 0}
    HOW = "clone 0.00 ms"

    def made_ahead(self):
        return self.d.doctor()["Prepared"].get("sandbox", 0) >= 2


class MachineOfAStartedRuntime(Machine):
    CONFIG = {"prepared_least": 0, "prepared_most": 2, "prestarted_least": 2, "prestarted_most": 2}
    HOW = "runtime started ahead"

    def made_ahead(self):
        return max([n for k, n in self.d.doctor()["Prepared"].items() if k.startswith("python3.11-")], default=0) >= 2


class Runtimes(Case):
    def test_node_knows_its_memory(self):
        f = self.function(zip_bytes=make_zip({"index.mjs": "import os from 'os';\nexport const handler = async () => [os.totalmem(), process.constrainedMemory(), os.hostname(), os.freemem()];"}),
                          runtime="nodejs22.x", handler="index.handler", MemorySize=512)
        r = self.d.invoke(f, {})
        self.assertIsNone(r.error, r)
        total, constrained, host, free = r.json
        self.assertEqual((total, constrained, host), (512 << 20, 512 << 20, "169.254.100.6"))
        self.assertLessEqual(free, total)


if __name__ == "__main__":
    unittest.main()
