"""CRIU as a peer: a JVM that has begun is dumped once and restored again and again. Debian 13's, unpacked below build/criu and run by its own ld.so, as the machine's may be too old.

As a program, in namespaces of its own: criu.py ROOT TREE JAVA_OPTION... makes TREE the root, dumps a JVM there and says {"dump_us", "image_bytes"}; for each line N of its
input it restores N times, one after the other, and says their microseconds, from criu's exec until the JVM has printed. What goes wrong is said as {"error"}."""
import ctypes, json, os, re, select, shutil, subprocess, sys, time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OLDEST = (4, 1)  # before, it fails on kernels of today
SUITES = ["trixie", "trixie-updates", "trixie-security"]
HELD = {"Held.java": 'import java.io.*;\npublic class Held { public static void main(String[] a) throws IOException {\nRandomAccessFile go = new RandomAccessFile("/run/go", "rw");\n'
                     'PrintStream out = new PrintStream(new FileOutputStream("/run/out"), true);\nout.println("held");\ngo.read();\nout.println("hello"); } }\n'}
JAVA = ["-XX:+UseSerialGC", "-XX:-UsePerfData"]  # fewer threads; and a JVM's end removes that file, which the next restore would miss
CLONE_PID = 1000  # of the JVM and its threads: none that criu or this program takes
MNT_DETACH, PIVOT_ROOT = 2, 155
TIMEOUT_S = 30


def argv(root):
    return [root + "/usr/lib64/ld-linux-x86-64.so.2", "--library-path", root + "/usr/lib/x86_64-linux-gnu", root + "/usr/sbin/criu"]


def fetched(build):
    """Where it is unpacked; from Debian's archive if it is not yet. Ends with the reason (SystemExit) where that is out of reach."""
    sys.path.insert(0, os.path.join(TOP, "rootfs/builder"))
    import debian
    home = os.path.join(os.path.abspath(build), "criu")
    root = os.path.join(home, "root")
    if not os.path.exists(root):
        there = debian.Suites(SUITES, os.path.join(home, ".apt"), None, None)
        if there.age() > debian.FRESH_S:
            there.update(lambda text: None)
        debs = there.download(there.closure(["criu"], set()), os.path.join(home, ".debs"), lambda text: None)
        shutil.rmtree(root + ".part", ignore_errors=True)
        debian.stage(debs, root + ".part")
        os.rename(root + ".part", root)
    return root


def usable(build):
    """(where it is, None), or (None, why not)."""
    try:
        root = fetched(build)
        r = subprocess.run(argv(root) + ["--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S)
        version = re.search(r"Version: (\d+)\.(\d+)", r.stdout)
        if not version or tuple(map(int, version.groups())) < OLDEST:
            return None, f"criu --version: {r.stdout.strip()[:200]}; at least {'.'.join(map(str, OLDEST))} is asked for"
        r = subprocess.run(argv(root) + ["check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S)
        return (root, None) if r.returncode == 0 else (None, f"criu check: {' '.join(r.stdout.split())[:400]}")
    except (SystemExit, OSError, subprocess.SubprocessError) as e:
        return None, " ".join(f"{type(e).__name__}: {e}".split())[:400]


class Peer:
    """A JVM's dump, for restores in turns with others; `why` is set where there is none."""

    def __init__(self, root, tree):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(["/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child", "/usr/bin/setsid", sys.executable, "-B", os.path.abspath(__file__), root, tree] + JAVA,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.dump, self.why = None, None
        self.dump = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        said = json.loads(line) if line else {"error": "its namespaces' process 1 has ended"}
        if isinstance(said, dict) and "error" in said:
            self.why = said["error"]
            return None
        return said

    def restored(self, n):
        """Microseconds of each; none once it has failed."""
        if self.why:
            return []
        self.process.stdin.write(f"{n}\n")
        self.process.stdin.flush()
        return self.answer() or []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


# --- within the namespaces, as process 1 --------------------------------------------------------------------------------------------
def mounted(root, tree):
    """TREE is /, and has what a JVM and criu need; CRIU's own at /criu. By pivot_root: criu looks up every file in the mounts that it sees."""
    def mount(*args):
        subprocess.run(("/usr/bin/mount",) + args, check=True, stdout=subprocess.DEVNULL)
    for d in ("proc", "run", "tmp", "dev", "criu", "mnt/host"):
        os.makedirs(os.path.join(tree, d), exist_ok=True)
    mount("--bind", tree, tree)
    mount("--bind", root, tree + "/criu")
    mount("-t", "proc", "proc", tree + "/proc")
    mount("-t", "tmpfs", "-o", "mode=755", "run", tree + "/run")  # criu keeps there what it has found out about the kernel, if it is a tmpfs
    mount("-t", "tmpfs", "tmp", tree + "/tmp")
    mount("-t", "tmpfs", "-o", "mode=755", "dev", tree + "/dev")
    for name in ("null", "zero", "random", "urandom"):
        open(f"{tree}/dev/{name}", "x").close()
        mount("--bind", "/dev/" + name, f"{tree}/dev/{name}")
    libc = ctypes.CDLL(None, use_errno=True)
    os.chdir(tree)
    if libc.syscall(PIVOT_ROOT, b".", b"mnt/host") or libc.umount2(b"/mnt/host", MNT_DETACH):
        raise OSError(ctypes.get_errno(), "pivot_root and umount")
    os.chdir("/")


def printed(fd, what, process):
    """Waits until the JVM says this; process: whose end before it is a failure."""
    ended = os.pidfd_open(process.pid)
    try:
        ready = select.select([fd, ended], [], [], TIMEOUT_S)[0]
    finally:
        os.close(ended)
    if fd not in ready and not select.select([fd], [], [], 0)[0]:
        raise RuntimeError(f"the JVM has ended, not printed {what}" if ready else f"the JVM has not printed {what} within {TIMEOUT_S} s")
    said = os.read(fd, 100).decode()
    if said != what + "\n":
        raise RuntimeError(f"the JVM has printed {said!r}, not {what}")


def criu(action, *more):
    return subprocess.Popen(argv("/criu") + [action, "--images-dir", "/run/images", "--log-file", "/run/log", "--shell-job", "--manage-cgroups=ignore", *more],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def complaint():
    """What criu says has failed."""
    with open("/run/log", errors="replace") as f:
        return "; ".join(line.strip() for line in f if "Error (" in line)[:600] or "no error in its log"


def dumped(out, options):
    with open("/proc/sys/kernel/ns_last_pid", "w") as f:
        f.write(str(CLONE_PID))
    jvm = subprocess.Popen(["/var/lang/bin/java"] + options + ["-cp", "/app", "Held"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    printed(out, "held", jvm)
    state = lambda: open(f"/proc/{jvm.pid}/task/{jvm.pid + 1}/syscall").read().split()[0]  # the first thread waits for the second, which runs main()
    until = time.monotonic() + TIMEOUT_S
    while state() != "0":  # read()
        if time.monotonic() > until:
            raise RuntimeError("the JVM does not wait for its input")
        time.sleep(0.01)
    from_ = time.monotonic_ns()
    if criu("dump", "--tree", str(jvm.pid)).wait(TIMEOUT_S):
        raise RuntimeError(f"criu dump: {complaint()}")
    us = (time.monotonic_ns() - from_) // 1000
    jvm.wait(TIMEOUT_S)
    return {"dump_us": us, "image_bytes": sum(e.stat().st_size for e in os.scandir("/run/images"))}


def restored(out, go):
    os.write(go, b"\n")  # what it waits for is there already
    from_ = time.monotonic_ns()
    process = criu("restore")
    try:
        printed(out, "hello", process)
    except RuntimeError as e:
        raise RuntimeError(f"criu restore: {complaint() if process.poll() is not None else e}")
    us = (time.monotonic_ns() - from_) // 1000
    if process.wait(TIMEOUT_S):  # with the JVM's own status
        raise RuntimeError(f"criu restore: {complaint()}")
    return us


def main():
    try:
        mounted(sys.argv[1], sys.argv[2])
        os.mkdir("/run/images")
        os.mkfifo("/run/go")
        os.mkfifo("/run/out")
        out, go = os.open("/run/out", os.O_RDWR | os.O_CLOEXEC), os.open("/run/go", os.O_RDWR | os.O_CLOEXEC)
        print(json.dumps(dumped(out, sys.argv[3:])), flush=True)
        for line in sys.stdin:
            print(json.dumps([restored(out, go) for _ in range(int(line))]), flush=True)
    except (OSError, RuntimeError, subprocess.SubprocessError) as e:
        print(json.dumps({"error": f"{type(e).__name__}: {e}" if not isinstance(e, RuntimeError) else str(e)}), flush=True)


if __name__ == "__main__":
    main()
