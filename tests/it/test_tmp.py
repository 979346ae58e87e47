"""What a function has at /tmp: a file system of its own on the disk, of the configured size, that is no memory of anybody's."""
import concurrent.futures, contextlib, json, os, re, shutil, signal, stat, subprocess, tempfile, time, unittest
from harness import *

MB = 1 << 20

SOURCE = r"""
import ctypes, errno, json, mmap, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
block = b"x" * (1 << 20)
served = 0

def name_of(e):
    return errno.errorcode.get(e.errno, str(e.errno))

def attempt(call, *args):
    try:
        call(*args)
        return "done"
    except OSError as e:
        return name_of(e)

def fill(path, most=1 << 50):
    n = 0
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while n < most:
            n += os.write(fd, block[:most - n])
        return n, "done"
    except OSError as e:
        return n, name_of(e)
    finally:
        os.close(fd)

def size():
    v = os.statvfs("/tmp")
    return {"size": v.f_blocks * v.f_frsize, "free": v.f_bavail * v.f_frsize, "inodes": v.f_favail, "device": os.stat("/tmp").st_dev}

def child(call):
    pid = os.fork()
    if pid == 0:
        try:
            call()
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1]

def handler(event, context):
    global served
    served += 1
    return {"served": served, **globals()["do_" + event.get("do", "size")](event)}

def do_size(event):
    s = os.stat("/tmp")
    with open("/proc/self/mountinfo") as f:
        mount = next(l.split() for l in f if l.split()[4] == "/tmp")
    return {**size(), "mode": oct(s.st_mode), "owner": s.st_uid, "there": os.listdir("/tmp"), "options": mount[5].split(","), "type": mount[mount.index("-") + 1]}

def do_fill(event):
    n, error = fill("/tmp/full")
    if event.get("keep"):
        return {"bytes": n, "errno": error}
    os.truncate("/tmp/full", n - n % 4096)  # the last, half of a block
    fill("/tmp/rest")
    out = {"bytes": n, "errno": error, "left": size()["free"]}
    fd = os.open("/tmp/full", os.O_RDWR)
    out["fallocate"] = attempt(os.posix_fallocate, fd, 0, 2 << 30)
    os.ftruncate(fd, 3 << 30)
    out["sparse"] = attempt(os.pwrite, fd, b"x", (3 << 30) - 1)
    hole = mmap.mmap(fd, 4096, offset=2 << 30)
    out["mmap"] = child(lambda: hole.__setitem__(0, 1)) & 0x7f
    out["rename"] = attempt(os.rename, "/tmp/full", "/tmp/other")
    out["mkdir"] = attempt(os.mkdir, "/tmp/dir")
    os.close(fd)
    os.unlink("/tmp/other")
    os.unlink("/tmp/rest")
    hole.close()
    out["after"] = fill("/tmp/again", 64 << 20)
    os.unlink("/tmp/again")
    return out

def do_large(event):
    n = event["bytes"]
    fd = os.open("/tmp/large", os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(fd, 0, n)
    os.pwrite(fd, b"end", n - 3)
    out = {"read": os.pread(fd, 3, n - 3).decode(), **size()}
    os.close(fd)
    os.unlink("/tmp/large")
    return out

def do_inodes(event):
    n = 0
    try:
        while True:
            os.close(os.open(f"/tmp/{n:07}", os.O_WRONLY | os.O_CREAT))
            n += 1
    except OSError as e:
        return {"files": n, "errno": name_of(e), "directory": attempt(os.mkdir, "/tmp/d")}

def do_mess(event):
    fill("/tmp/secret", 8 << 20)
    os.link("/tmp/secret", "/tmp/second")
    os.symlink("/etc/passwd", "/tmp/link")
    os.mkfifo("/tmp/fifo")
    with open("/tmp/sparse", "w") as f:
        os.ftruncate(f.fileno(), 1 << 40)
    out = {"xattr": attempt(os.setxattr, "/tmp/secret", "user.name", b"value"), "root xattr": attempt(os.setxattr, "/tmp", "user.name", b"value"),
           "chmod": attempt(os.chmod, "/tmp", 0o700), "name": attempt(os.mkdir, "/tmp/" + "\udcff\x01\n" + "n" * 200)}
    os.mkdir("/tmp/deep")
    os.chdir("/tmp/deep")
    for i in range(3000):
        os.mkdir("d")
        os.chdir("d")
    os.chdir("/")
    return {**out, **size()}

def do_sync(event):
    fd = os.open("/tmp/synced", os.O_RDWR | os.O_CREAT)
    os.write(fd, block)
    os.fsync(fd), os.fdatasync(fd), os.sync()
    # nobody looks at the descriptor: it is answered before the kernel's call begins
    return {"answers": [libc.fsync(-1), libc.fdatasync(-1), libc.syncfs(-1), libc.sync_file_range(-1, 0, 0, 0)]}

def do_alloc(event):
    data = bytearray(event["mb"] << 20)
    data[::4096] = b"x" * len(data[::4096])
    return {}

def do_die(event):
    data = bytearray(event["mb"] << 20)
    data[::4096] = b"x" * len(data[::4096])
    fill("/tmp/die", event["bytes"])
    os._exit(1)

def do_write(event):
    return {"write": fill("/tmp/w", event["bytes"])}

def do_nameless(event):
    fd = os.open("/tmp", os.O_TMPFILE | os.O_RDWR, 0o600)
    for _ in range(event["mb"]):
        os.write(fd, block)
    os.close(fd)
    os._exit(1)

def do_remove(event):
    os.unlink(event["path"])
    return {}
"""

USED = lambda r: int(re.search(r"Max Memory Used: (\d+) MB", r.log).group(1))


class Tmp(Case):
    MORE = {}

    @classmethod
    def setUpClass(cls):
        shared()
        cls.dir = tempfile.mkdtemp(prefix="fnd-test-tmp-", dir="/var/tmp")  # on a disk, wherever the state directory is
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        cls.d = Daemon({"tmp": {"mode": "loop", "dir": cls.dir}, **cls.MORE})
        cls.addClassCleanup(cls.d.remove)
        cls.d.start()

    def tmp(self, **more):
        return self.python(SOURCE, **{"MemorySize": 128, "Timeout": min(900, int(120 * SLOW)), **more})

    def do(self, f, what, **event):
        r = self.d.in_turn(f, {"do": what, **event}, tail=True)
        self.assertIsNone(r.error, r)
        return r.json, r

    def ready(self):
        return int(re.search(r"(\d+) ready", next(c for c in self.d.doctor()["Checks"] if c["Name"] == "/tmp")["Detail"]).group(1))


class OnDisk(Tmp):
    def test_full_is_enospc_and_nobody_is_killed(self):
        f = self.tmp()
        before, r = self.do(f, "size")
        used = USED(r)
        a, r = self.do(f, "fill")
        self.assertEqual(a["errno"], "ENOSPC")
        self.assertTrue(512 * MB <= a["bytes"] <= 516 * MB, a)
        self.assertEqual((a["fallocate"], a["sparse"], a["mmap"], a["rename"]), ("ENOSPC", "ENOSPC", signal.SIGBUS, "done"), a)
        self.assertEqual(a["after"], [64 * MB, "done"])
        self.assertEqual(a["served"], 2, "the environment was replaced")
        self.assertLess(USED(r), used + 24, "page cache is no memory used")

    def test_df(self):
        f = self.tmp()
        a, _ = self.do(f, "size")
        self.assertTrue(512 * MB <= a["free"] <= 514 * MB and 512 * MB <= a["size"] <= 512 * MB * 1.04, a)
        self.assertEqual((a["mode"], a["owner"], a["there"], a["type"]), ("0o41777", 0, [], "ext4"), a)
        self.assertTrue({"nosuid", "nodev"} <= set(a["options"]), a)
        self.assertEqual(self.do(f, "write", bytes=100 * MB)[0]["write"], [100 * MB, "done"])
        b, _ = self.do(f, "size")
        self.assertTrue(99 * MB <= a["free"] - b["free"] <= 102 * MB, (a, b))

    def test_10240_mb_need_no_memory(self):
        f = self.tmp(EphemeralStorage={"Size": 10240})
        a, r = self.do(f, "large", bytes=10240 * MB)
        self.assertEqual((a["read"], a["served"]), ("end", 1))
        self.assertTrue(10240 * MB <= a["size"] <= 10240 * MB * 1.04, a)
        self.assertLess(USED(r), 60)

    def test_inodes_are_bounded(self):
        f = self.tmp()
        a, r = self.do(f, "inodes")
        self.assertEqual((a["errno"], a["directory"], a["served"]), ("ENOSPC", "ENOSPC", 1), r)
        self.assertTrue(30000 <= a["files"] <= 33000, a)

    def test_what_was_there_before_is_gone(self):
        """Also when the next owner has a device that another had, which one has in the end."""
        seen = set()
        for i in range(200):
            g = self.tmp(name=f"t-next-{i}")
            b, _ = self.do(g, "size")
            self.assertEqual((b["there"], b["mode"]), ([], "0o41777"), b)
            self.assertGreater(b["free"], 512 * MB)
            if b["device"] in seen:
                return
            seen.add(b["device"])
            a, _ = self.do(g, "mess")
            self.assertEqual((a["xattr"], a["root xattr"], a["chmod"], a["name"]), ("ENOTSUP", "ENOTSUP", "EPERM", "done"))
            self.d.delete(g)
        self.fail("no device came back")

    def test_sync_is_answered_without_a_disk(self):
        a, _ = self.do(self.tmp(), "sync")
        self.assertEqual(a["answers"], [0, 0, 0, 0])

    def test_memory_used_and_page_cache(self):
        """What the function itself allocates is told as ever, before and after."""
        f = self.tmp(MemorySize=256)
        _, r = self.do(f, "alloc", mb=80)
        self.assertTrue(80 <= USED(r) <= 120, r.log)
        self.do(f, "write", bytes=400 * MB)
        time.sleep(0.02)  # what is that fresh is not read again
        _, r = self.do(f, "remove", path="/tmp/w")
        self.assertTrue(80 <= USED(r) <= 120, r.log)

    def test_memory_used_of_one_that_dies(self):
        """With a /tmp of its own, and with what the one before has left."""
        f = self.tmp(MemorySize=512)
        for mb, written in ((80, 200 * MB), (80, 0), (0, 0)):
            r = self.d.in_turn(f, {"do": "die", "mb": mb, "bytes": written}, tail=True)
            self.assertIn("Runtime.ExitError", r.json["errorType"], r)
            self.assertTrue(mb + 1 <= USED(r) <= mb + 60, r.log)

    def test_again_and_again_without_a_kill(self):
        """Writes as fast as it may what is four times its memory. FND_TMP_ROUNDS=100 for the whole of it."""
        f = self.tmp(MemorySize=128, Timeout=900)
        for i in range(int(os.environ.get("FND_TMP_ROUNDS", "4"))):
            a, _ = self.do(f, "fill", keep=True)
            self.assertEqual((a["errno"], a["served"]), ("ENOSPC", 2 * i + 1), a)
            self.assertGreaterEqual(a["bytes"], 512 * MB)
            self.do(f, "remove", path="/tmp/full")

    def test_doctor_tells(self):
        row = next(c for c in self.d.doctor()["Checks"] if c["Name"] == "/tmp")
        self.assertTrue(row["Ok"] and "on the disk" in row["Detail"] and self.dir in row["Detail"], row)

    def test_the_keeper_dies(self):
        """Who has a /tmp keeps it; others get one from its successor."""
        f = self.tmp()
        self.do(f, "write", bytes=MB)
        before = self.d.pids()["keeper"]
        os.kill(before[0], signal.SIGKILL)
        wait_until("there is another", lambda: self.d.pids()["keeper"] not in ([], before))
        a, _ = self.do(f, "size")
        self.assertEqual((a["served"], a["there"]), (2, ["w"]))
        g = self.tmp(name="t-after-the-keeper")
        self.assertEqual(self.do(g, "size")[0]["there"], [])
        self.d.delete(f)


    def test_what_never_had_a_name_is_gone_from_the_disk(self):
        """It changes nothing that the file system tells of itself: neither the directory nor what is free."""
        for n in range(4):
            f = self.tmp(name=f"t-nameless-{n}", MemorySize=512)
            self.in_parallel(24, lambda i: self.d.invoke(f, {"do": "nameless", "mb": 60}))
            self.d.delete(f)  # its environments outlive their processes
            wait_until(lambda: f"it has gone: {self.on_disk() >> 20} MB", lambda: self.on_disk() < 32 * MB)

    def in_parallel(self, n, call):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            return list(pool.map(call, range(n)))

    def on_disk(self):
        """What the files of all /tmp, in use or made ahead, take of it."""
        blocks = 0
        for pid in self.d.pids()["keeper"]:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(FileNotFoundError):
                    st = os.stat(f"/proc/{pid}/fd/{fd}")
                    blocks += st.st_blocks if stat.S_ISREG(st.st_mode) else 0
        return blocks * 512

    def test_any_number_of_sizes(self):
        """Nobody takes the last one, and those that nobody wants any more have no devices."""
        def once(i):
            f = f"t-size-{i}"
            self.d.create(f, EphemeralStorage={"Size": 513 + i})
            self.addCleanup(self.d.delete, f)
            self.d.settled(f)
            r = self.d.do(f, "echo")
            self.d.delete(f)
            return r
        self.assertEqual(self.in_parallel(70, once), [{"do": "echo"}] * 70)
        wait_until(lambda: f"devices go: {len(self.d.loop_devices())}", lambda: len(self.d.loop_devices()) <= 96)


class Waiting(Case):
    def test_nobody_is_refused_while_others_get_theirs(self):
        """However long it takes in all: as in a burst of thousands, or on a disk that is busy. The keeper works for a moment each twenty seconds."""
        often(self.waits)  # on a busy machine that moment may be enough for all of them

    def waits(self):
        d = self.daemon()
        names = [f"w{n}" for n in range(24)]
        for name in names:
            d.create(name, Timeout=300, MemorySize=1769, EphemeralStorage={"Size": 700})
        for name in names:
            d.settled(name)
        wait_until("there is a keeper", lambda: d.pids()["keeper"])
        keeper = d.pids()["keeper"][0]
        os.kill(keeper, signal.SIGSTOP)
        self.addCleanup(lambda: os.path.exists(f"/proc/{keeper}") and os.kill(keeper, signal.SIGCONT))
        answers = []
        threads = [threading.Thread(target=lambda name=name: answers.append(d.invoke(name, {"do": "echo"}, timeout=300))) for name in names]
        [t.start() for t in threads]
        for turn in range(2):
            time.sleep(17)
            before = len(answers)
            self.assertLess(before, len(names), "some wait still, or this shows nothing")
            os.kill(keeper, signal.SIGCONT)
            wait_until("another has got one", lambda: len(answers) > before)
            if turn == 0:
                os.kill(keeper, signal.SIGSTOP)
        [t.join() for t in threads]
        self.assertEqual([(r.status, r.error) for r in answers], [(200, None)] * len(names), answers)


class Ahead(Tmp):
    def test_another_size_in_a_sandbox_made_ahead(self):
        f = self.tmp(EphemeralStorage={"Size": 700}, MemorySize=1769)
        wait_until("a runtime is there", lambda: any(k.startswith("python3.11") and n for k, n in self.d.doctor()["Prepared"].items()))
        a, r = self.do(f, "size")
        self.assertIn("runtime started ahead", r.log)
        self.assertTrue(700 * MB <= a["free"] <= 703 * MB, a)


class ForAllThatAreMadeAhead(Tmp):
    MORE = {"prepared_least": 58, "prestarted_least": 2}

    def test_there_is_one_for_each(self):
        wait_until("there are 60", lambda: self.ready() == 60)


class ByAndBy(Tmp):
    def test_there_are_many_when_nobody_asks_for_any(self):
        wait_until("there are 56", lambda: self.ready() == 56)


class Bound(Tmp):
    MORE = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.d.stop()
        cls.d.set_config({"tmp": {"mode": "loop", "dir": cls.dir, "disk_mb": 200}})
        cls.d.start()

    def test_all_together_have_so_much_of_the_disk(self):
        f = self.tmp(MemorySize=1769)
        other = self.tmp(name="t-small")
        self.do(other, "write", bytes=MB)
        r = self.d.invoke(f, {"do": "fill", "keep": True})
        if r.error is None:  # it was quicker than the look at it
            wait_until("it is ended", lambda: self.do(f, "size")[0]["served"] == 1)
        else:
            self.assertRegex(r.json["errorMessage"], r"for \d+ MB in /tmp when all functions' disk space was used up")
        self.assertEqual(self.do(other, "size")[0]["served"], 2, "it was the largest alone")
        self.assertEqual(self.do(f, "size")[0]["there"], [])


class Ends(Case):
    def daemon(self, **tmp):
        return super().daemon(tmp=tmp)

    def test_kill_9_of_all_leaves_nothing(self):
        dir = tempfile.mkdtemp(prefix="fnd-test-tmp-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, dir)
        d = self.daemon(mode="loop", dir=dir)
        d.killed = True
        d.create("f", make_zip({"f.py": SOURCE}), runtime="python3.11", handler="f.handler", Timeout=min(900, int(60 * SLOW)), MemorySize=1769)
        self.assertEqual(d.invoke("f", {"do": "write", "bytes": 30 * MB}).json["write"], [30 * MB, "done"])
        self.assertGreater(len(d.loop_devices()), 1)
        d.kill_9("supervisor", "worker", "spawnd", "keeper", "sandbox", "prepared")
        wait_until("no device is left", lambda: not d.loop_devices())
        self.assertEqual(os.listdir(dir), [])
        with open("/proc/mounts") as f:
            self.assertNotIn(dir, f.read())
        d.start()
        self.assertEqual(d.invoke("f", {"do": "size"}).json["there"], [])
        self.assertEqual(d.stop(), 0)
        self.assertEqual((d.loop_devices(), os.listdir(dir)), ([], []))

    def test_where_it_cannot_be_on_the_disk_it_is_memory_and_said(self):
        d = self.daemon(dir="/nonexistent/place")
        row = next(c for c in d.doctor()["Checks"] if c["Name"] == "/tmp")
        self.assertFalse(row["Ok"])
        self.assertIn("/nonexistent/place", row["Detail"])
        self.assertIn("/tmp is memory (tmpfs), since it cannot be on the disk: directory for /tmp: /nonexistent/place", d.log())
        d.create("f", make_zip({"f.py": SOURCE}), runtime="python3.11", handler="f.handler", Timeout=60, MemorySize=1769)
        r = d.invoke("f", {"do": "size"}).json
        self.assertEqual((r["type"], r["size"]), ("tmpfs", 512 * MB))

    def test_as_configured(self):
        d = self.daemon(mode="tmpfs")
        row = next(c for c in d.doctor()["Checks"] if c["Name"] == "/tmp")
        self.assertTrue(row["Ok"] and "tmpfs" in row["Detail"], row)
        self.assertEqual((d.pids()["keeper"], d.loop_devices()), ([], []))

    def test_nothing_else_was_asked_for(self):
        shared()
        d = Daemon({"tmp": {"mode": "loop", "dir": "/nonexistent/place"}})
        d.killed = True
        self.addCleanup(d.remove)
        d.start(wait=False)
        self.assertNotEqual(d.process.wait(30), 0)
        self.assertIn("/nonexistent/place", d.log())


if __name__ == "__main__":
    unittest.main()
