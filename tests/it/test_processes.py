"""Several processes in one sandbox, as fn-spawnd offers them to fnd: extensions started, the runtime held, ends told, signals, sockets, what each prints."""
import json, os, queue, re, shutil, signal, subprocess, tempfile, threading, unittest
from harness import *

ROOT = "img-" + "0" * 64
GUEST = os.path.join(BUILD, "fixtures/beside")
RUNTIMES_OWN = {"_HANDLER", "AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_XRAY_CONTEXT_MISSING", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT"}


class Spawnd:
    """A fn-spawnd of its own whose sandboxes have these files in /opt/extensions."""

    def __init__(self, extensions, prepared=0, prestarted=0, disabled=False):
        self.state = tempfile.mkdtemp(prefix="fnd-test-", dir=os.environ.get("FND_TEST_DIR", "/var/tmp"))
        os.chmod(self.state, 0o755)
        self.root = os.path.join(self.state, "roots", ROOT)
        for d in ("dev", "proc", "sys", "tmp", "etc", "var/task", *(["opt/extensions/folder"] if extensions is not None else [])):
            os.makedirs(os.path.join(self.root, d))
        if disabled:
            open(os.path.join(self.root, "opt/disable-extensions-jwigqn8j"), "w").close()
        for name in extensions or []:
            self.add(name)
        shutil.copy(GUEST, os.path.join(self.root, "init"))
        self.process = subprocess.Popen([os.path.join(BUILD, "fixtures/spawns"), os.path.join(BUILD, "fn-spawnd"), self.state, str(prepared), str(prestarted)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.state + ".log", "w"), text=True)
        self.events, self.seen = queue.Queue(), []
        threading.Thread(target=lambda: [self.events.put(json.loads(line)) for line in self.process.stdout], daemon=True).start()

    def add(self, name):
        shutil.copy(GUEST, os.path.join(self.root, "opt/extensions", name))

    def order(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def find(self, event, members):
        for e in self.seen:
            if e["event"] == event and all(e.get(k) == v for k, v in members.items()):
                return e
        return None

    def wait(self, event, **members):
        """The first such event, of all that came."""
        while not (e := self.find(event, members)):
            try:
                self.seen.append(self.events.get(timeout=20 * SLOW))
            except queue.Empty:
                raise AssertionError(f"no {event} {members} among {self.seen}\n{self.log()}")
        return e

    def text(self, id, source):
        return "".join(e["text"] for e in self.seen if e["event"] == "output" and e["id"] == id and e["from"] == source)

    def wait_text(self, id, source, text):
        while text not in self.text(id, source):
            try:
                self.seen.append(self.events.get(timeout=20 * SLOW))
            except queue.Empty:
                raise AssertionError(f"{text!r} is not printed: {self.seen}\n{self.log()}")

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(60 * SLOW)
        self.process.stdout.close()
        shutil.rmtree(self.state)
        os.unlink(self.state + ".log")
        return status

    def log(self):
        with open(self.state + ".log") as f:
            return f.read()


class Processes(Case):
    def spawnd(self, *extensions, **kw):
        s = Spawnd(None if extensions == (None,) else extensions, **kw)

        def end():
            if s.process.poll() is None:
                self.assertEqual(s.end(), 0)

        self.addCleanup(end)
        return s

    def begin(self, s, order="start /init"):
        s.order(order)
        return s.wait("spawned")

    def lines(self, s, id, source, names):
        for name in names:
            s.wait_text(id, source, f"{name} argc=1 uid=993 cwd=/var/task")
        return {line.split()[0]: set(line.split("env=")[1].split(",")) for line in s.text(id, source).splitlines() if "env=" in line}

    def test_extensions_begin_and_the_runtime_is_held(self):
        s = self.spawnd("second", "first")
        e = self.begin(s)
        id = e["id"]
        self.assertEqual(e["extensions"], ["first", "second"])  # by name; the folder is none
        env = self.lines(s, id, "extensions", ["first", "second"])
        self.assertEqual(env, {"first": {"A", "AWS_REGION"}, "second": {"A", "AWS_REGION"}})
        s.order(f"signal {id} 1 {signal.SIGTERM}")
        s.wait("process", id=id, process=1, status=0)
        self.assertEqual(s.text(id, "runtime"), "")  # though so much has happened since
        s.order(f"release {id}")
        self.assertEqual(self.lines(s, id, "runtime", ["bootstrap"]), {"bootstrap": {"A", "AWS_REGION"} | RUNTIMES_OWN})
        s.order(f"signal {id} 0 {signal.SIGTERM}")
        s.wait("process", id=id, process=0, status=0)
        self.assertIn("bootstrap term", s.text(id, "runtime"))
        self.assertIsNone(s.find("exit", {"id": id}))
        s.order(f"signal {id} 2 {signal.SIGKILL}")
        s.wait("process", id=id, process=2, status=signal.SIGKILL)
        s.order(f"kill {id}")
        self.assertEqual(s.wait("exit", id=id)["status"], 0)  # the runtime's
        for source in ("runtime", "extensions"):
            s.wait("end of output", id=id, **{"from": source})

    def test_one_that_ends_is_told_while_the_runtime_is_held(self):
        s = self.spawnd("dies", "stays")
        id = self.begin(s)["id"]
        s.wait("process", id=id, process=1, status=3 << 8)
        self.assertEqual(s.text(id, "runtime"), "")
        s.order(f"kill {id}")
        self.assertEqual(s.wait("exit", id=id)["status"], -1)  # it has not begun

    def test_a_runtime_that_cannot_be_executed_once_it_is_released(self):
        s = self.spawnd("stays")
        for path, stage in (("/nothing", "bootstrap"), ("/opt/extensions/folder/x", "bootstrap"), ("/etc/passwd", "exec")):
            with open(os.path.join(s.root, "etc/passwd"), "w") as f:
                f.write("no program")
            os.chmod(f.name, 0o755)
            s.order(f"start {path}")
            e = s.wait("spawned")
            s.seen.remove(e)
            s.order(f"release {e['id']}")
            self.assertEqual(s.wait("process", id=e["id"], process=0)["stage"], stage, path)
            self.assertIsNone(s.find("exit", {"id": e["id"]}))
            s.order(f"kill {e['id']}")
            s.wait("exit", id=e["id"])

    def failed(self, s):
        s.order("start /init")
        e = s.wait("failed")
        self.assertEqual(e["stage"], "extension")
        return e

    def test_one_that_cannot_be_executed(self):
        s = self.spawnd("fine")
        with open(os.path.join(s.root, "opt/extensions/broken"), "w"):
            pass
        e = self.failed(s)
        self.assertEqual((e["code"], e["msg"]), (13, "broken"))

    def test_more_than_ten(self):
        s = self.spawnd(*[f"e{i:02}" for i in range(11)])
        self.assertEqual(self.failed(s)["code"], 7)
        s = self.spawnd(*[f"e{i:02}" for i in range(10)])
        e = self.begin(s)
        self.assertEqual(e["extensions"], [f"e{i:02}" for i in range(10)])
        self.lines(s, e["id"], "extensions", e["extensions"])

    def test_a_name_that_is_no_text(self):
        s = self.spawnd("one\ntwo")
        self.assertEqual(self.failed(s)["code"], 84)

    def test_none_are_looked_for_and_none_are_there(self):
        s = self.spawnd("there")
        e = self.begin(s, "plain /init")
        self.assertEqual((e["extensions"], e["pipe"]), ([], False))
        self.lines(s, e["id"], "runtime", ["bootstrap"])
        s.order(f"signal {e['id']} 0 {signal.SIGTERM}")
        self.assertEqual(s.wait("exit", id=e["id"])["status"], 0)  # its end is the sandbox's
        for s in (self.spawnd("there", disabled=True), self.spawnd(), self.spawnd(None)):
            e = self.begin(s)
            self.assertEqual((e["extensions"], e["pipe"]), ([], False))
            self.lines(s, e["id"], "runtime", ["bootstrap"])
            s.order(f"signal {e['id']} 0 {signal.SIGTERM}")
            self.assertEqual(s.wait("exit", id=e["id"])["status"], 0)

    def test_prepared_and_started_ahead(self):
        s = self.spawnd("beside", prepared=1, prestarted=1)
        s.order("ahead /init")
        s.wait("ready")
        e = self.begin(s)
        self.assertEqual((e["prepared"], e["extensions"]), (2, ["beside"]))
        self.lines(s, e["id"], "extensions", ["beside"])
        self.assertEqual(s.text(e["id"], "runtime"), "")
        s.order(f"release {e['id']}")
        self.assertEqual(self.lines(s, e["id"], "runtime", ["bootstrap"])["bootstrap"], {"A", "AWS_REGION"} | RUNTIMES_OWN)
        s.order(f"signal {e['id']} 0 {signal.SIGKILL}")
        s.wait("process", id=e["id"], process=0, status=9)

    def test_what_ends_after_all_goes_with_the_sandbox(self):
        s = self.spawnd("deaf")
        id = self.begin(s)["id"]
        s.order(f"release {id}")
        self.lines(s, id, "runtime", ["bootstrap"])
        self.lines(s, id, "extensions", ["deaf"])
        for _ in range(2):
            s.order(f"signal {id} 1 {signal.SIGTERM}")
        s.wait_text(id, "extensions", "deaf term\n")
        s.order(f"kill {id}")
        s.wait("exit", id=id)
        s.wait("end of output", id=id, **{"from": "extensions"})

    def test_a_socket_in_its_network(self):
        s = self.spawnd("serves")
        e = self.begin(s)
        s.wait_text(e["id"], "extensions", "serves listens\n")
        s.order(f"socket {e['id']} hello")
        s.wait_text(e["id"], "extensions", "serves got hello\n")
        s.order(f"kill {e['id']}")
        s.wait("exit", id=e["id"])
        s.order(f"socket {e['id']} hello")
        self.assertEqual(s.wait("no socket")["code"], 3)


class Linked(unittest.TestCase):
    def test_nobody_has_code_that_is_another_s(self):
        """Root parses nothing and speaks to nobody, and each sandbox's first processes are copies of it: a library more costs each of them. The worker asks nobody outside and unpacks nothing."""
        theirs = {"libcurl", "libarchive", "libgnutls", "libmicrohttpd", "libsqlite3", "libnftables", "libjansson", "libcrypto", "libpcre2"}
        for program, may in (("fn-spawnd", set()), ("fnd", {"libsqlite3", "libjansson", "libpcre2", "libnftables"}), ("fn-unpack", {"libarchive"}), ("fn-fetch", {"libcurl", "libjansson"})):
            with self.subTest(program):
                needed = re.findall(r"NEEDED.*\[(lib\w+)", subprocess.run(["readelf", "-d", os.path.join(BUILD, program)], capture_output=True, text=True, check=True).stdout)
                self.assertLessEqual({n for n in needed if any(n.startswith(t) for t in theirs)}, {n for n in needed if any(n.startswith(t) for t in may)}, needed)


if __name__ == "__main__":
    unittest.main()
