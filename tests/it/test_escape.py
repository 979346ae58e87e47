"""Ways out of a sandbox, tried from inside in C and in Python: every one must be refused."""
import json, os, unittest
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
        self.assertTrue({"new_privs", "only_own_processes", "sys_files", "do_personality", "host_paths"} <= escaped, escaped)
        self.assertGreaterEqual(len(escaped), 10, escaped)

    def test_in_python(self):
        name = self.python(PYTHON, Timeout=60, MemorySize=1769)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind("\0fnd-escape-test")
            s.listen()
            r = self.d.invoke(name, {"port": self.d.port, "abstract": "\0fnd-escape-test"})
        self.assertIsNone(r.error, r)
        self.judge(r.json, 30)
