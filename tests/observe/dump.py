"""All that a function can observe of the process it runs in. tests/it/test_observe.py compares what it says over the ways of starting."""
import sys

MODULES = sorted(sys.modules)
import ctypes, gc, grp, json, locale, os, platform, pwd, re, resource, signal, socket, ssl, subprocess, tempfile, threading, time

FILES = ("status", "stat", "limits", "cgroup", "mountinfo", "cmdline", "comm", "environ", "oom_score_adj", "personality", "coredump_filter", "timerslack_ns", "autogroup",
         "loginuid", "uid_map", "gid_map", "setgroups")
OTHERS = ("/proc/1/cmdline", "/proc/1/comm", "/proc/1/environ", "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname", "/etc/passwd", "/etc/group", "/etc/hosts", "/etc/resolv.conf",
          "/etc/nsswitch.conf", "/proc/net/tcp6", "/proc/net/route", "/proc/version", "/proc/filesystems")


def attempt(f, *args):
    try:
        return f(*args)
    except Exception as e:
        return f"{type(e).__name__}: {e}"


def read(path):
    with open(path, "rb") as f:
        return f.read().decode("utf-8", "backslashreplace")


def descriptors():
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            flags = re.search(r"flags:\s+(\d+)", read(f"/proc/self/fdinfo/{fd}")).group(1)
            found[fd] = [re.sub(r"\d+", "N", os.readlink(f"/proc/self/fd/{fd}")), flags]
        except OSError:
            continue  # the directory's own
    return found


def python():
    stream = lambda f: [f.name, f.mode, f.encoding, f.errors, f.line_buffering, f.write_through, f.isatty(), f.closed]
    return {
        "argv": sys.argv, "orig_argv": sys.orig_argv, "flags": str(sys.flags), "warnoptions": sys.warnoptions, "xoptions": sys._xoptions, "path": sys.path, "prefix": [sys.prefix, sys.exec_prefix],
        "executable": sys.executable, "dont_write_bytecode": sys.dont_write_bytecode, "modules": MODULES, "meta_path": [getattr(f, "__name__", str(type(f))) for f in sys.meta_path],
        "path_hooks": len(sys.path_hooks), "cached paths": sorted(sys.path_importer_cache), "encodings": [sys.getdefaultencoding(), sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(),
        locale.getpreferredencoding(False)], "streams": [stream(f) for f in (sys.stdin, sys.stdout, sys.stderr)], "main": sorted(k for k in vars(sys.modules["__main__"]) if k != "__builtins__"),
        "main file": getattr(sys.modules["__main__"], "__file__", None), "recursion": sys.getrecursionlimit(), "switch": sys.getswitchinterval(), "gc": [gc.get_threshold(), gc.isenabled(), gc.get_freeze_count() > 0],
        "hooks": [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__, sys.gettrace(), sys.getprofile()],
        "signals": {s.name: str(signal.getsignal(s)) for s in signal.Signals}, "threads": [threading.active_count(), threading.current_thread().name, len(os.listdir("/proc/self/task"))],
        "stack": [f"{f.f_code.co_filename}:{f.f_code.co_name}" for f in frames()],
    }


def frames():
    f = sys._getframe()
    while f:
        yield f
        f = f.f_back


def system():
    host = socket.gethostname()
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_char_p
    return {
        "uname": [host, platform.machine(), os.uname().nodename], "addresses": attempt(lambda: sorted({a[4][0] for a in socket.getaddrinfo(host, 0)})), "localhost": attempt(socket.gethostbyname, "localhost"),
        "ids": [os.getuid(), os.geteuid(), os.getgid(), os.getegid(), os.getgroups(), os.getresuid(), os.getresgid()], "user": attempt(lambda: list(pwd.getpwuid(os.getuid()))),
        "group": attempt(lambda: list(grp.getgrgid(os.getgid()))), "home": os.path.expanduser("~"), "cwd": os.getcwd(), "tmp": [tempfile.gettempdir(), sorted(os.listdir("/tmp"))],
        "pids": [os.getpid(), os.getppid(), os.getpgrp(), os.getsid(0)], "tty": attempt(os.ttyname, 0), "umask": [os.umask(0o22)], "cpus": [os.cpu_count(), len(os.sched_getaffinity(0))],
        "scheduling": [os.sched_getscheduler(0), os.sched_getparam(0).sched_priority, os.getpriority(os.PRIO_PROCESS, 0)],
        "limits": {k: resource.getrlimit(getattr(resource, k)) for k in dir(resource) if k.startswith("RLIMIT_")}, "processes": sorted(p for p in os.listdir("/proc") if p.isdigit()),
        "zone": [time.tzname, time.strftime("%z"), time.localtime(86400).tm_hour], "locale": [attempt(locale.setlocale, locale.LC_ALL, None), attempt(locale.setlocale, locale.LC_ALL, "")],
        "libc": {k: (libc.getenv(k.encode()) or b"").decode() for k in ("TZ", "LANG", "PATH", "LD_LIBRARY_PATH", "_HANDLER")}, "prctl": [libc.prctl(n, 0, 0, 0, 0) for n in (2, 3, 7, 21, 27, 37, 38, 39)],
        "ssl": [p for p in ssl.get_default_verify_paths()], "steady": time.get_clock_info("monotonic").resolution, "ns": sorted(os.listdir("/proc/self/ns")),
        "exe": os.readlink("/proc/self/exe"), "root": [os.readlink("/proc/self/root"), sorted(os.listdir("/"))], "dev": sorted(os.listdir("/dev")), "opt": attempt(os.listdir, "/opt"),
    }


def child():
    """What is inherited."""
    run = lambda *argv: attempt(lambda: subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode())
    return {"env": sorted(run("/usr/bin/env").splitlines()), "status": run("/bin/cat", "/proc/self/status"), "limits": run("/bin/cat", "/proc/self/limits"), "fds": run("/bin/ls", "/proc/self/fd").split(),
            "python": run(sys.executable, "-c", "import sys, os; print(sys.path, sys.flags, os.getcwd())")}


def handler(event, context):
    if event.get("do") == "exit":
        os._exit(3)
    print("a line")
    return {"env": dict(os.environ), "files": {f: attempt(read, f"/proc/self/{f}") for f in FILES}, "others": {f: attempt(read, f) for f in OTHERS}, "descriptors": descriptors(),
            "python": python(), "system": system(), "child": child(), "context": sorted(vars(context))}
