"""Ways out of a sandbox, tried from inside in C and in Python: every one must be refused."""
import contextlib, ctypes, fcntl, json, os, pty, resource, shutil, subprocess, tempfile, termios, unittest
from harness import *

# An attempt is contained if it ends with the very error, or finds the very list, that the protection against it gives: any other outcome is an escape.
PYTHON = r'''
import ctypes, errno, json, os, socket, stat
libc = ctypes.CDLL(None, use_errno=True)

def call(number, *args):
    ctypes.set_errno(0)
    if libc.syscall(number, *args) < 0:
        raise OSError(ctypes.get_errno(), "")

def attempt(expected, f):
    """In a process of its own: what it may become is not passed on to the next."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            got = f()
            got = got if isinstance(got, list) else "succeeded"
        except OSError as e:
            got = errno.errorcode.get(e.errno, str(e))
        except BaseException as e:
            got = f"broken: {e!r}"
        os.write(w, json.dumps(got).encode())
        os._exit(0)
    os.close(w)
    with os.fdopen(r) as f:
        got = f.read()
    os.waitpid(pid, 0)
    return ["contained" if got == json.dumps(expected) else "ESCAPED", got[:100]]

def create(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    os.unlink(path)

def through_link(target):
    path = "/tmp/link"
    if os.path.lexists(path):
        os.unlink(path)
    os.symlink(target, path)
    with open(path) as f:
        return f.read(20)

def above_root():
    fd = os.open(".", os.O_RDONLY)
    for _ in range(50):
        fd = os.open("..", os.O_RDONLY, dir_fd=fd)
    there, root = os.fstat(fd), os.stat("/")
    return [] if (there.st_dev, there.st_ino) == (root.st_dev, root.st_ino) else os.listdir(fd)

def found(top, is_wanted):
    for base, dirs, names in os.walk(top):
        for n in names:
            path = os.path.join(base, n)
            try:
                if is_wanted(path):
                    return [path]
            except OSError as e:
                if e.errno not in (errno.EACCES, errno.EROFS, errno.ENOENT):
                    raise
    return []

def is_writable(path):
    os.close(os.open(path, os.O_WRONLY))
    return True

def is_set_id(path):
    st = os.lstat(path)
    return stat.S_ISREG(st.st_mode) and bool(st.st_mode & (stat.S_ISUID | stat.S_ISGID))

def connected_to(address):
    s = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    s.settimeout(1)
    s.connect(address)

USUAL = {"fd", "full", "null", "random", "stderr", "stdin", "stdout", "tty", "urandom", "zero"}

def tries(event):
    return {
        "mount": ("EPERM", lambda: call(165, b"x", b"/tmp", b"tmpfs", 0, 0)),
        "unshare": ("EPERM", lambda: call(272, 0x10000000)),
        "setns": ("EPERM", lambda: call(308, os.open("/proc/self/ns/net", os.O_RDONLY), 0)),
        "ptrace": ("EPERM", lambda: call(101, 0x4206, 1, 0, 0)),
        "bpf": ("EPERM", lambda: call(321, 0, (ctypes.c_uint32 * 4)(2, 4, 4, 1), 16)),  # an array of one
        "keyctl": ("EPERM", lambda: call(250, 0, -3, 0)),
        "mknod": ("EPERM", lambda: os.mknod("/tmp/dev", 0o060600, os.makedev(8, 0))),
        "chroot": ("EPERM", lambda: os.chroot("/tmp")),
        "setuid": ("EPERM", lambda: os.setuid(0)),
        "raw socket": ("EPERM", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
        "packet socket": ("EPERM", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
        "write /": ("EROFS", lambda: create("/fnd-escape")),
        "write /var/task": ("EROFS", lambda: create("/var/task/x")),
        "write /var/runtime": ("EROFS", lambda: create("/var/runtime/x")),
        "write own exe": ("EROFS", lambda: open("/proc/self/exe", "r+b")),
        "append passwd": ("EROFS", lambda: open("/etc/passwd", "a")),
        "core_pattern": ("EROFS", lambda: open("/proc/sys/kernel/core_pattern", "w")),
        "cgroup": ([], lambda: found("/sys/fs/cgroup", is_writable)),
        "init's memory": ("EACCES", lambda: open("/proc/1/mem", "rb")),
        "init's root": ("EACCES", lambda: len(os.listdir("/proc/1/root"))),
        "link to init's root": ("EACCES", lambda: through_link("/proc/1/root/etc/passwd")),
        "link to init's cwd": ("EACCES", lambda: through_link("/proc/1/cwd/etc/passwd")),
        "walk up": ([], above_root),
        "signal the host": ("ESRCH", lambda: os.kill(event["pid"], 0)),
        "host name": ("EPERM", lambda: socket.sethostname("x")),
        "nice": ("EACCES", lambda: os.setpriority(os.PRIO_PROCESS, 0, -20)),
        "more descriptors": ("EPERM", lambda: call(302, 0, 7, (ctypes.c_uint64 * 2)(1025, 1025), None)),
        "the internet": ("ENETUNREACH", lambda: connected_to(("1.1.1.1", 80))),
        "the host": ("ECONNREFUSED", lambda: connected_to(("127.0.0.1", event["port"]))),
        "metadata": ("ENETUNREACH", lambda: connected_to(("169.254.169.254", 80))),
        "abstract socket of the host": ("ECONNREFUSED", lambda: connected_to(event["abstract"])),
        "set-id program": ([], lambda: found("/usr", is_set_id)),
        "devices": ([], lambda: sorted(set(os.listdir("/dev")) - USUAL)),
        "mem": ("ENOENT", lambda: open("/dev/mem", "rb")),
    }

def handler(event, context):
    return {name: attempt(*t) for name, t in tries(event).items() if name in event.get("only", [name])}
'''
N_PYTHON = 34

# The same attempts, by root, with every capability and no filter, in namespaces of its own that keep the host from harm.
ROOT = r'''
set -e
exec 3<"$1"
shift
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir /tmp/root /tmp/dev
mount -t tmpfs tmpfs /tmp/root
mknod -m 666 /tmp/dev/null c 1 3
mknod /tmp/dev/mem c 1 1
mknod /tmp/dev/kmsg c 1 11
mount --bind /tmp/dev /dev
ip link set lo up
ip address add 1.1.1.1/32 dev lo
ip address add 169.254.169.254/32 dev lo
cat <&3 >/tmp/program
exec 3<&-
chmod 755 /tmp/program
cd /
"$@"
'''
AS_ROOT = ["unshare", "--mount", "--net", "--ipc", "--uts", "--cgroup", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", 'sh -c "$0" sh "$@"; exit $?', ROOT]
AS_NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set", "-all"]

OUTSIDE = PYTHON + r'''
import sys
event = json.loads(sys.argv[1])
results = handler(event, None)
if os.getuid() == 0:  # left outside of its root
    os.chroot("/usr")
    results["walk up"] = attempt(*tries(event)["walk up"])
print(json.dumps(results))
'''


def with_terminal(terminal):
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def many_timers():
    os.setsid()
    with contextlib.suppress(ValueError):  # not root's to raise: then it is high enough
        resource.setrlimit(resource.RLIMIT_SIGPENDING, (100000, 100000))


def outside(argv, terminal=None, **more):
    """What the program at the end of argv says that it came to."""
    with tempfile.TemporaryFile() as errors:
        r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL if terminal is None else terminal, timeout=120 * SLOW,
                           **({"start_new_session": True} if terminal is None and "preexec_fn" not in more else {}), **more)
        errors.seek(0)
        if r.returncode != 0:
            raise AssertionError(f"{argv[0]}: status {r.returncode}: {errors.read().decode(errors='replace')}")
    return json.loads(r.stdout)


def escaped(results):
    return {k: v for k, v in results.items() if v != ["contained", v[1]]}


class CanFail(unittest.TestCase):
    """Where the protection is off each attempt comes to something else: what it says in a sandbox means something."""
    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        os.chmod(self.dir, 0o755)

    def abstract(self):
        s = socket.socket(socket.AF_UNIX)
        self.addCleanup(s.close)
        s.bind("\0fnd-escape-outside")
        s.listen()
        return s.getsockname().decode()

    def test_in_c(self):
        self.abstract()
        program = shutil.copy(os.path.join(BUILD, "fixtures/escape"), self.dir)
        root = outside(AS_ROOT + [program, "/tmp/program", "apart"], preexec_fn=many_timers)

        master, slave = pty.openpty()
        host = os.open("/", os.O_RDONLY)
        for fd in (master, slave, host):
            self.addCleanup(os.close, fd)
        nobody = outside(AS_NOBODY + [program], slave, preexec_fn=lambda: with_terminal(slave), pass_fds=[host])

        def beside_its_root():
            os.chdir("/")
            os.chroot(self.dir)
        os.chown(self.dir, 1234, 1234)
        beside = outside(["/escape", "dotdot", "foreign_owner"], preexec_fn=beside_its_root)

        # not for want of capabilities or because of who asks, which would hide that the filter, or a namespace, is not there
        self.assertLessEqual({"filter", "filter_first", "clone3_user", "do_settime", "do_settimeofday", "new_privs", "only_own_processes", "signal_outward", "uid_map", "abstract_sockets", "sys_files",
                              "do_personality", "host_paths", "core_cookie", "huge_mapping", "huge_memfd", "core_limit", "inotify_instances", "netlink_others", "protocols",
                              "host_boot_line", "i386_calls", "x32_calls", "inherited", "open_tty", "tiocsti", "do_mq_open", "do_name_to_handle"}, set(escaped(nobody)), nobody)
        not_here = {name for name, path in (("sysrq", "/proc/sysrq-trigger"), ("read_kcore", "/proc/kcore"), ("read_kmsg", "/proc/kmsg")) if not os.path.exists(path)}
        with open("/proc/self/status") as f:
            if not int(re.search(r"^CapEff:\t(\w+)", f.read(), re.M).group(1), 16) & 1 << 24:  # CAP_SYS_RESOURCE: root of this container may not either
                not_here.add("oom_adj")
        cannot = set(root) - set(escaped(root)) - set(escaped(nobody)) - set(escaped(beside))
        self.assertEqual(cannot, {"usual_sockets"} | not_here, root)  # those must be there, in a sandbox too

    def test_in_python(self):
        event = {"port": shared().port, "abstract": self.abstract(), "pid": os.getpid()}
        program = os.path.join(self.dir, "f.py")
        with open(program, "w") as f:
            f.write(OUTSIDE)
        root = outside(AS_ROOT + [program, "/usr/bin/python3", "/tmp/program", json.dumps(event)])
        rest = sorted(set(root) - set(escaped(root)))
        nobody = outside(AS_NOBODY + ["/usr/bin/python3", program, json.dumps({**event, "only": rest})])
        self.assertEqual([(k, v) for r in (root, nobody) for k, v in r.items() if "broken" in v[1]], [])
        self.assertEqual(len(root), N_PYTHON)
        self.assertEqual(sorted(escaped(nobody)), rest, nobody)


class Escape(Case):
    def test_in_c(self):
        with open(os.path.join(BUILD, "fixtures/bootstrap"), "rb") as f, open(os.path.join(BUILD, "fixtures/escape"), "rb") as g:
            z = make_zip({"bootstrap": f.read(), "escape": g.read()}, {"escape": 0o755})
        name = self.function(zip_bytes=z, Timeout=120, MemorySize=1769)
        results = self.d.do(name, "exec", path="/var/task/escape")
        self.assertEqual(escaped(results), {})
        self.assertGreaterEqual(len(results), 100)
        self.assertEqual(self.d.do(name, "counter")["served"], 2, "the sandbox outlived its attempts")

    def test_in_python(self):
        name = self.python(PYTHON, Timeout=60, MemorySize=1769)
        with socket.socket(socket.AF_UNIX) as s, socket.create_server(("127.0.0.1", 0)) as host:  # not fnd's own port: there the platform listens inside, too
            s.bind("\0fnd-escape-test")
            s.listen()
            r = self.d.invoke(name, {"port": host.getsockname()[1], "abstract": "\0fnd-escape-test", "pid": os.getpid()})
        self.assertIsNone(r.error, r)
        self.assertEqual(escaped(r.json), {})
        self.assertEqual(len(r.json), N_PYTHON)


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
        wait_until("two have been started ahead", lambda: max([n for k, n in self.d.doctor()["Prepared"].items() if k.startswith("python3.11-")], default=0) >= 2)

    def ahead(self, r):
        self.assertIsNone(r.error, r)
        self.assertIn(", runtime started ahead\n", r.log)
        return r.json

    def test_in_c(self):
        with open(os.path.join(BUILD, "fixtures/escape"), "rb") as f:
            self.python("c", {"f.py": RUN, "escape": f.read()}, "f.handler", Timeout=120, MemorySize=1769)
        results = self.ahead(self.d.invoke("c" + self.version, {}, tail=True))
        self.assertEqual(escaped(results), {})
        self.assertGreaterEqual(len(results), 100)

    def test_in_python(self):
        self.python("p", {"f.py": PYTHON}, "f.handler", MemorySize=1769)
        with socket.socket(socket.AF_UNIX) as s, socket.create_server(("127.0.0.1", 0)) as host:
            s.bind("\0fnd-escape-test-ahead")
            s.listen()
            results = self.ahead(self.d.invoke("p" + self.version, {"port": host.getsockname()[1], "abstract": "\0fnd-escape-test-ahead", "pid": os.getpid()}, tail=True))
        self.assertEqual(escaped(results), {})
        self.assertEqual(len(results), N_PYTHON)

    def test_below_a_sandbox_s_root_lies_nothing(self):
        """Where sandboxes do not pivot out of the namespace that they are cloned from, it must be empty: their old root is covered, not gone."""
        if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 17):
            self.skipTest("a sandbox pivots out of it: Linux < 6.17 makes no /proc for another PID namespace")
        wait_until("fn-spawnd makes sandboxes", lambda: self.d.doctor()["Prepared"].get("sandbox", 0) > 0)
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
        own = [f"0100007F:{port:04X}" for port in (9001, self.d.port)]  # the Runtime API, the platform endpoint
        self.assertEqual((sorted(looked["listening"]), looked["unix"]), (sorted(own), []))
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
        t = threading.Thread(target=lambda: held.append(self.d.invoke("holder" + self.version, {"mark": "holders-mark", "s": 50 * SLOW}, tail=True)))
        t.start()
        wait_until("the holder holds", self.holding)
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
        return [ready for p in self.d.pids()["sandbox"] if os.path.exists(ready := tmp_of(p, "ready"))]

    def test_one_takes_no_more_than_its_share_of_what_the_host_counts_together(self):
        """inotify instances and pending signals are host root's in sum, socket buffers the whole host's."""
        source = """
import ctypes, os, socket, time
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
    if event["hold"]:
        open("/tmp/ready", "w").close()
        while os.path.exists("/tmp/ready"):
            time.sleep(0.05)
    return n
"""
        self.python("greedy", {"f.py": source}, "f.handler", MemorySize=512)
        self.python("modest", {"f.py": source + "#"}, "f.handler")
        greedy = []
        t = threading.Thread(target=lambda: greedy.append(self.d.invoke("greedy" + self.version, {"n": 200000, "pairs": 100, "hold": True}).json))
        t.start()
        wait_until("it has taken what it can", self.holding)
        modest = self.d.invoke("modest" + self.version, {"n": 10, "pairs": 1, "hold": False}).json
        os.unlink(self.holding()[0])
        t.join()
        self.assertEqual((modest["timers"], modest["watchers"]), (10, 10))
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
        wait_until("it has its snapshot", lambda: config()["State"] != "Pending")
        self.assertEqual((config().get("StateReason"), config()["SnapStart"]["OptimizationStatus"]), (None, "On"))

    def ahead(self, r):
        self.assertIsNone(r.error, r)
        self.assertIn("\tRestore Duration: ", r.log)
        return r.json
