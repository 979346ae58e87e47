"""Ways out of a sandbox, tried from inside in C and in Python: every one must be refused."""
import contextlib, ctypes, json, os, unittest
from harness import *

PYTHON = r'''
import ctypes, errno, os, socket, subprocess, signal
libc = ctypes.CDLL(None, use_errno=True)

def call(number, *args):
    ctypes.set_errno(0)
    r = libc.syscall(number, *args)
    return "succeeded" if r >= 0 else errno.errorcode.get(ctypes.get_errno(), "?")

def attempt(f):
    try:
        r = f()
        return ["ESCAPED", repr(r)[:100]]
    except Exception as e:
        return ["contained", f"{type(e).__name__}: {e}"[:100]]

def must_fail(text):
    if text == "succeeded":
        return text
    raise OSError(text)

def through_link(target):
    path = "/tmp/link"
    if os.path.lexists(path):
        os.unlink(path)
    os.symlink(target, path)
    with open(path) as f:
        return f.read(20)

def same_root():
    fd = os.open("/proc/self/cwd", os.O_RDONLY)
    for _ in range(50):
        fd = os.open("..", os.O_RDONLY, dir_fd=fd)
    inside = os.stat("/").st_ino
    if os.fstat(fd).st_ino != inside:
        return "walked out"
    raise OSError("still inside")

def handler(event, context):
    tries = {
        "mount": lambda: must_fail(call(165, b"x", b"/tmp", b"tmpfs", 0, 0)),
        "unshare": lambda: must_fail(call(272, 0x10000000)),
        "setns": lambda: must_fail(call(308, os.open("/proc/self/ns/net", os.O_RDONLY), 0)),
        "ptrace": lambda: must_fail(call(101, 16, 1, 0, 0)),
        "bpf": lambda: must_fail(call(321, 0, 0, 0)),
        "keyctl": lambda: must_fail(call(250, 0, -3, 0)),
        "mknod": lambda: os.mknod("/tmp/dev", 0o060600, os.makedev(8, 0)),
        "chroot": lambda: os.chroot("/tmp"),
        "setuid": lambda: os.setuid(0),
        "raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
        "packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        "write /": lambda: open("/x", "w"),
        "write /var/task": lambda: open("/var/task/x", "w"),
        "write /var/runtime": lambda: open("/var/runtime/x", "w"),
        "write own exe": lambda: open("/proc/self/exe", "r+b"),
        "append passwd": lambda: open("/etc/passwd", "a"),
        "core_pattern": lambda: open("/proc/sys/kernel/core_pattern", "w"),
        "cgroup": lambda: open("/sys/fs/cgroup/memory.max", "w"),
        "cgroup of its own": lambda: open("/sys/fs/cgroup/" + open("/proc/self/cgroup").read().splitlines()[0].split(":")[2] + "/memory.max", "w"),
        "init's memory": lambda: open("/proc/1/mem", "rb").read(1),
        "init's root": lambda: os.listdir("/proc/1/root"),
        "link to init's root": lambda: through_link("/proc/1/root/etc/hostname"),
        "link to init's cwd": lambda: through_link("/proc/1/cwd/etc/passwd"),
        "kcore": lambda: open("/proc/kcore", "rb"),
        "walk up": same_root,
        "signal the host": lambda: [os.kill(p, 0) for p in range(300, 400)],
        "host name": lambda: socket.sethostname("x"),
        "nice": lambda: os.setpriority(os.PRIO_PROCESS, 0, -20),
        "more memory": lambda: __import__("resource").setrlimit(__import__("resource").RLIMIT_NOFILE, (100000, 100000)),
        "the internet": lambda: socket.create_connection(("1.1.1.1", 80), 1),
        "the host": lambda: socket.create_connection(("127.0.0.1", event["port"]), 1),
        "metadata": lambda: socket.create_connection(("169.254.169.254", 80), 1),
        "abstract socket of the host": lambda: (lambda s: s.connect(event["abstract"]))(socket.socket(socket.AF_UNIX)),
        "setuid program": lambda: subprocess.run(["/tmp/none"], check=True),
        "device": lambda: open("/dev/sda", "rb"),
        "mem": lambda: open("/dev/mem", "rb"),
    }
    return {name: attempt(f) for name, f in tries.items()}
'''


class Escape(Case):
    def judge(self, results, least):
        self.assertGreaterEqual(len(results), least)
        escaped = {k: v for k, v in results.items() if v[0] != "contained"}
        self.assertEqual(escaped, {})

    def test_in_c(self):
        with open(os.path.join(BUILD, "fixtures/bootstrap"), "rb") as f, open(os.path.join(BUILD, "fixtures/escape"), "rb") as g:
            z = make_zip({"bootstrap": f.read(), "escape": g.read()}, {"escape": 0o755})
        name = self.function(zip_bytes=z, Timeout=120, MemorySize=1769)
        self.judge(self.d.do(name, "exec", path="/var/task/escape"), 80)
        self.assertEqual(self.d.do(name, "counter")["served"], 2, "the sandbox outlived its attempts")

    def test_the_suite_can_fail(self):
        """Outside of a sandbox the same program, as a user who can do no harm, finds much that succeeds: what it says means something."""
        import shutil, subprocess, tempfile
        with tempfile.TemporaryDirectory() as tmp:
            os.chmod(tmp, 0o755)
            program = shutil.copy(os.path.join(BUILD, "fixtures/escape"), tmp)
            r = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set", "-all", program], stdout=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, timeout=120)
        results = json.loads(r.stdout)
        escaped = {k for k, v in results.items() if v[0] == "ESCAPED"}
        with open("/proc/self/mountinfo") as f:
            overlays = f.read().count(" - overlay ")
        # a machine whose root is one overlay (the VM's) looks like a sandbox in this
        self.assertTrue(({"old_roots"} if overlays != 1 else set()) | {"new_privs", "only_own_processes", "sys_files", "do_personality", "host_paths", "core_cookie", "huge_mapping", "huge_memfd", "core_limit", "inotify_instances",
                         "netlink_others", "protocols", "host_boot_line"} <= escaped, escaped)
        self.assertGreaterEqual(len(escaped), 20, escaped)

    def test_in_python(self):
        name = self.python(PYTHON, Timeout=60, MemorySize=1769)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind("\0fnd-escape-test")
            s.listen()
            r = self.d.invoke(name, {"port": self.d.port, "abstract": "\0fnd-escape-test"})
        self.assertIsNone(r.error, r)
        self.judge(r.json, 30)


RUN = r"""
import json, subprocess
def handler(event, context):
    return json.loads(subprocess.run(["/var/task/escape"], stdout=subprocess.PIPE, check=True).stdout)
"""

# Both of two neighbours: one holds what it can, the other looks for it.
NEIGHBOUR = r"""
import ctypes, fcntl, glob, os, select, signal, socket, time
libc = ctypes.CDLL(None, use_errno=True)
SHARED = ["/dev/urandom", "/dev", "/proc/self/fd/0", "/proc/self/exe"] + glob.glob("/usr/lib/x86_64-linux-gnu/libc.so.6") + ["/var/task"]
kept = []

def read(path):
    with open(path, errors="replace") as f:
        return f.read()

def lock(path):
    fd = os.open(path, os.O_RDONLY)
    kept.append(fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return "got"
    except OSError as e:
        return type(e).__name__

def hold(event, context):
    marks = {}
    with open("/tmp/mark", "w") as f:
        f.write(event["mark"])
    os.environ["MARK"] = event["mark"]
    for address in ("\0mark", "/tmp/mark.sock"):
        s = socket.socket(socket.AF_UNIX)
        s.bind(address)
        s.listen()
        kept.append(s)
    kept.append(socket.create_server(("127.0.0.1", 7123)))
    shm = libc.shmget(0x6d61726b, 4096, 0o1666)
    sem = libc.semget(0x6d61726b, 1, 0o1666)
    queue = libc.msgget(0x6d61726b, 0o1666)
    locks = {p: lock(p) for p in SHARED}
    fcntl.fcntl(0, fcntl.F_SETFL, os.O_APPEND)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    for p in SHARED:
        libc.inotify_add_watch(watch, p.encode(), 0x20)  # IN_OPEN
    time.sleep(0.3)  # our own
    while select.select([watch], [], [], 0)[0]:
        os.read(watch, 4096)
    with open("/tmp/ready", "w") as f:
        f.write("x")
    end = time.time() + event["s"]
    while os.path.exists("/tmp/ready") and time.time() < end:
        time.sleep(0.05)
    seen = len(os.read(watch, 4096)) if select.select([watch], [], [], 0)[0] else 0
    return {"ipc": [shm >= 0, sem >= 0, queue >= 0], "locks": locks, "seen": seen, "uids": read("/proc/self/uid_map").splitlines(), "pids": len([p for p in os.listdir("/proc") if p.isdigit()])}

def attempt(address):
    s = socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX)
    try:
        s.connect(address)
        return "connected"
    except OSError as e:
        return type(e).__name__
    finally:
        s.close()

def look(event, context):
    for p in SHARED:
        os.close(os.open(p, os.O_RDONLY))
    me = os.getpid()
    others = [int(p) for p in os.listdir("/proc") if p.isdigit() and int(p) != me]
    signalled = []
    for p in others + list(range(3, 3000)):
        try:
            if p != me:
                os.kill(p, 0)
                signalled.append(p)
        except OSError:
            pass
    text = read("/proc/self/environ") + repr(os.environ) + "".join(read(p) for p in glob.glob("/proc/self/task/*/environ")) + read("/proc/self/mountinfo")
    return {"mark": event["mark"] in text, "tmp": os.listdir("/tmp"), "others": others, "signalled": signalled,
            "sockets": [attempt("\0mark"), attempt("/tmp/mark.sock"), attempt(("127.0.0.1", 7123))],
            "listening": [l.split()[1] for l in read("/proc/net/tcp").splitlines()[1:] if l.split()[3] == "0A"], "unix": read("/proc/net/unix").splitlines()[1:],
            "ipc": [libc.shmget(0x6d61726b, 4096, 0), libc.semget(0x6d61726b, 1, 0), libc.msgget(0x6d61726b, 0)],
            "sysv": [read("/proc/sysvipc/" + n).count(chr(10)) for n in ("shm", "sem", "msg")],
            "locks": {p: lock(p) for p in SHARED}, "append": bool(fcntl.fcntl(0, fcntl.F_GETFL) & os.O_APPEND), "cgroup": read("/proc/self/cgroup"),
            "uids": read("/proc/self/uid_map").splitlines()}
"""


class StartedAhead(unittest.TestCase):
    """The same where the runtime's process is older than the function's order: from its base image into a root that changed under it."""
    version = ""

    @classmethod
    def setUpClass(cls):
        shared()
        cls.d = Daemon({"prepared_least": 2, "prepared_most": 2, "prestarted_least": 2, "prestarted_most": 2})
        cls.addClassCleanup(cls.d.remove)
        cls.d.start()

    def python(self, name, files, handler, **more):
        self.d.create(name, make_zip(files, {"escape": 0o755}), runtime="python3.11", handler=handler, **{"Timeout": 60, "MemorySize": 512, **more})
        self.addCleanup(self.d.delete, name)
        wait_until("two have been started ahead", lambda: max([n for k, n in self.d.doctor()["Prepared"].items() if k.startswith("python3.11-")], default=0) >= 2, 30)

    def ahead(self, r):
        self.assertIsNone(r.error, r)
        self.assertIn("runtime started ahead\t", r.log)
        return r.json

    def test_in_c(self):
        with open(os.path.join(BUILD, "fixtures/escape"), "rb") as f:
            self.python("c", {"f.py": RUN, "escape": f.read()}, "f.handler", Timeout=120, MemorySize=1769)
        results = self.ahead(self.d.invoke("c" + self.version, {}, tail=True))
        self.assertEqual({k: v for k, v in results.items() if v[0] != "contained"}, {})
        self.assertGreaterEqual(len(results), 100)

    def test_in_python(self):
        self.python("p", {"f.py": PYTHON}, "f.handler", MemorySize=1769)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind("\0fnd-escape-test-ahead")
            s.listen()
            results = self.ahead(self.d.invoke("p" + self.version, {"port": self.d.port, "abstract": "\0fnd-escape-test-ahead"}, tail=True))
        self.assertEqual({k: v for k, v in results.items() if v[0] != "contained"}, {})

    def test_below_a_sandbox_s_root_lies_nothing(self):
        """Where sandboxes do not pivot out of the namespace that they are cloned from, it must be empty: their old root is covered, not gone."""
        if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 17):
            self.skipTest("a sandbox pivots out of it: Linux < 6.17 makes no /proc for another PID namespace")
        wait_until("fn-spawnd makes sandboxes", lambda: self.d.doctor()["Prepared"].get("sandbox", 0) > 0, 30)
        pid = self.d.pids()["spawnd"][0]
        namespaces = {target: f"/proc/{pid}/fd/{fd}" for fd, target in descriptors(pid).items()}
        for own in (f"/proc/{pid}/ns/mnt", "/proc/self/ns/mnt"):
            namespaces.pop(os.readlink(own), None)
        of_mounts = [path for link, path in namespaces.items() if link.startswith("mnt:")]
        self.assertEqual(len(of_mounts), 1, namespaces)
        r, w = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                with open(of_mounts[0]) as f:
                    if ctypes.CDLL(None).setns(f.fileno(), 0x00020000) != 0:
                        os._exit(3)
                found = [[base, sorted(dirs), sorted(files)] for base, dirs, files in os.walk("/")]
                os.write(w, json.dumps([found, os.stat("/").st_dev == os.stat("/proc").st_dev]).encode())
            finally:
                os._exit(0)
        os.close(w)
        with os.fdopen(r) as f:
            text = f.read()
        os.waitpid(child, 0)
        found, proc_is_no_mount = json.loads(text)
        self.assertEqual([(base, files) for base, dirs, files in found if files], [("/", ["nothing"])])  # directories, empty ones, beside that
        self.assertTrue(proc_is_no_mount)

    def test_two_from_one_stock_know_nothing_of_each_other(self):
        """Nor through their code, which is the same: a root has one owner."""
        self.python("holder", {"f.py": NEIGHBOUR}, "f.hold", Environment={"Variables": {"SECRET": "holders-secret"}})
        self.python("looker", {"f.py": NEIGHBOUR}, "f.look")
        held, looked = (self.ahead(r) for r in self.neighbours())
        # the test means something: all of it was there
        self.assertEqual(held["ipc"], [True] * 3)
        self.assertEqual(held["pids"], 2)
        self.assertEqual((looked["mark"], looked["tmp"], looked["others"], looked["signalled"], looked["append"]), (False, [], [1], [], False))
        self.assertEqual(looked["sockets"], ["ConnectionRefusedError", "FileNotFoundError", "ConnectionRefusedError"])
        self.assertEqual((looked["listening"], looked["unix"]), (["0100007F:2329"], []))
        self.assertEqual((looked["ipc"], looked["sysv"]), ([-1] * 3, [1] * 3))
        self.assertEqual({l.split(":", 2)[2] for l in looked["cgroup"].splitlines()}, {"/"})
        self.assertNotEqual(looked["uids"][1], held["uids"][1])

    def test_two_with_the_same_code_and_no_runtime_started_ahead(self):
        plain = {"Environment": {"Variables": {"PYTHONWARNINGS": "ignore"}}}
        self.python("holder", {"f.py": NEIGHBOUR}, "f.hold", **plain)
        self.python("looker", {"f.py": NEIGHBOUR}, "f.look", **plain)
        for r in self.neighbours():
            self.assertNotIn("runtime started ahead", r.log)

    def neighbours(self):
        held = []
        t = threading.Thread(target=lambda: held.append(self.d.invoke("holder" + self.version, {"mark": "holders-mark", "s": 20 * SLOW}, tail=True)))
        t.start()
        wait_until("the holder holds", self.holding, 20)
        looked = self.d.invoke("looker" + self.version, {"mark": "holders-"}, tail=True)
        os.unlink(self.holding()[0])
        t.join()
        for r in (held[0], looked):
            self.assertIsNone(r.error, r)
            self.assertEqual(set(r.json["locks"].values()), {"got"}, r.json["locks"])
            self.assertIn("/var/task", r.json["locks"])
        self.assertEqual(held[0].json["seen"], 0, "the holder saw the looker open files")
        return held[0], looked

    def holding(self):
        return [ready for p in self.d.pids()["sandbox"] if os.path.exists(ready := f"/proc/{p}/root/tmp/ready")]

    def test_one_takes_no_more_than_its_share_of_what_the_host_counts_together(self):
        """inotify instances and pending signals are host root's in sum, socket buffers the whole host's."""
        source = """
import ctypes, socket, time
libc, kept = ctypes.CDLL(None), []
def handler(event, context):
    timer, n = ctypes.c_void_p(), {"timers": 0, "watchers": 0, "megabytes": 0}
    while n["timers"] < event["n"] and libc.timer_create(1, None, ctypes.byref(timer)) == 0:
        n["timers"] += 1
    while n["watchers"] < event["n"] and libc.inotify_init1(0) >= 0:
        n["watchers"] += 1
    server, sent, end = socket.create_server(("127.0.0.1", 7000), backlog=200), 0, time.time() + 20
    for _ in range(event["pairs"]):
        a = socket.create_connection(server.getsockname())
        kept.extend((a, server.accept()[0]))
        a.setblocking(False)
        try:
            while time.time() < end:
                sent += a.send(bytes(65536))
        except BlockingIOError:
            pass
    n["megabytes"] = sent >> 20
    time.sleep(event["s"])
    return n
"""
        self.python("greedy", {"f.py": source}, "f.handler", MemorySize=512)
        self.python("modest", {"f.py": source + "#"}, "f.handler")
        greedy = []
        t = threading.Thread(target=lambda: greedy.append(self.d.invoke("greedy" + self.version, {"n": 200000, "pairs": 100, "s": 2}).json))
        t.start()
        time.sleep(1)
        self.assertEqual(self.d.invoke("modest" + self.version, {"n": 10, "pairs": 1, "s": 0}).json["timers"], 10)
        t.join()
        self.assertLessEqual(greedy[0]["timers"], 1024)
        self.assertLessEqual(greedy[0]["watchers"], 16)
        self.assertLess(greedy[0]["megabytes"], 64 * 1.5 if "v1" in str(self.d.doctor()["Controllers"][0]) else 512)


class FromASnapshot(StartedAhead):
    """And where the process is one that another has been (SnapStart)."""
    version = ":1"
    test_two_with_the_same_code_and_no_runtime_started_ahead = None

    def python(self, name, files, handler, **more):
        self.d.create(name, make_zip(files, {"escape": 0o755}), runtime="python3.11", handler=handler, SnapStart={"ApplyOn": "PublishedVersions"}, Publish=True,
                      **{"Timeout": 60, "MemorySize": 512, **more})
        self.addCleanup(self.d.delete, name)
        config = lambda: self.d.request("GET", f"/2015-03-31/functions/{name}/configuration?Qualifier=1").json
        wait_until("it has its snapshot", lambda: config()["State"] != "Pending", 30)
        self.assertEqual((config().get("StateReason"), config()["SnapStart"]["OptimizationStatus"]), (None, "On"))

    def ahead(self, r):
        self.assertIsNone(r.error, r)
        self.assertIn("\tRestore Duration: ", r.log)
        return r.json
