"""Sandboxes made ahead: used, replaced, bounded, and no different from others once they serve."""
import base64, contextlib, http.client, os, signal, socket, subprocess, tempfile, threading, unittest
from harness import *


class Prepared(Case):
    def stock(self, d):
        return d.doctor()["Prepared"]["sandbox"]

    def test_a_cold_start_takes_one_and_says_so(self):
        d = self.daemon(prepared_least=3, prepared_most=3)
        wait_until("the stock is full", lambda: self.stock(d) == 3)
        d.create("f")
        r = d.invoke("f", {"do": "echo"}, tail=True)
        self.assertRegex(r.log, r"Cold Start: queue [\d.]+ ms, cgroup [\d.]+ ms, mounts [\d.]+ ms, clone 0\.00 ms, net 0\.00 ms, exec [\d.]+ ms, init [\d.]+ ms, prepared sandbox\n")
        wait_until("the stock is full again", lambda: self.stock(d) == 3)
        self.ends_clean(d)

    def test_a_root_is_mounted_when_its_function_comes(self):
        d = self.daemon(prepared_least=2, prepared_most=2)
        roots = lambda: d.doctor()["PreparedRoots"]
        before = roots()
        d.create("f")
        wait_until("the function's is there", lambda: roots() == before + 1)
        self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})
        self.assertEqual(roots(), before + 1)  # and is what it got
        self.assertEqual(d.request("PUT", "/2015-03-31/functions/f/code", {"ZipFile": base64.b64encode(make_zip({"bootstrap": b"#!/bin/sh\n"}, {"bootstrap": 0o755})).decode()}).status, 200)
        wait_until("its new code's, too; the old went with its tree", lambda: roots() in (before + 1, before + 2))
        d.delete("f")
        wait_until("none is left", lambda: roots() == before)
        self.ends_clean(d)

    def test_without_any(self):
        d = self.daemon(prepared_least=0, prepared_most=0)
        d.create("f")
        r = d.invoke("f", {"do": "echo"}, tail=True)
        self.assertRegex(r.log, r"Cold Start: .*clone (?!0\.00)[\d.]+ ms")
        self.assertNotIn("prepared sandbox", r.log)
        wait_until("nothing waits; a helper of fn-spawnd's that ends just now is taken for one", lambda: d.pids()["prepared"] == [])
        with open(os.path.join(BUILD, "fixtures/bootstrap"), "rb") as f, open(os.path.join(BUILD, "fixtures/escape"), "rb") as g:
            d.create("escape", make_zip({"bootstrap": f.read(), "escape": g.read()}, {"escape": 0o755}), Timeout=120, MemorySize=1769)
        results = d.do("escape", "exec", path="/var/task/escape")
        self.assertEqual({k: v for k, v in results.items() if v[0] != "contained"}, {})

    def test_those_that_are_killed_are_made_anew(self):
        d = self.daemon(prepared_least=4, prepared_most=4)
        d.create("f")
        for _ in range(3):
            wait_until("the stock is full", lambda: self.stock(d) == 4)
            for pid in d.pids()["prepared"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})
        self.ends_clean(d)

    def test_those_whose_waiting_process_alone_has_died_fail_no_request(self):
        d = self.daemon(prepared_least=2, prepared_most=2, prestarted_least=2, prestarted_most=2)
        d.create("f")
        d.create_python("p", "def handler(event, context):\n return event")
        wait_until("both stocks are full", lambda: sorted(d.doctor()["Prepared"].values()) == [2, 2])
        for pid in d.pids()["prepared"]:
            if comm(pid) == "fn-ready":
                os.kill(pid, signal.SIGKILL)
        for name in ("p", "p", "f", "f"):
            self.assertEqual(d.invoke(name, {"a": 1}).json, {"a": 1})
        self.ends_clean(d)

    def test_demand_grows_the_stock_up_to_its_bound(self):
        d, names = self.daemon(prepared_least=1, prepared_most=12, prestarted_most=0), []

        def grows():
            names.append(f"f{len(names)}")
            d.create_python(names[-1], "def handler(event, context):" + HOLD, Timeout=60)
            d.together(names[-1], 20, lambda event: d.invoke(names[-1], event))
            wait_until("as many as it may", lambda: self.stock(d) == 12, 10)
        often(grows)  # what is asked for counts by the second: a busy machine may take many
        self.assertEqual(len(d.pids()["sandbox"]), 40 * len(names))

    def test_they_wait_without_privilege_and_hold_no_descriptor_of_another(self):
        d = self.daemon(prepared_least=4, prepared_most=4)
        wait_until("the stock is full", lambda: self.stock(d) == 4)
        sockets = {}
        for pid in d.pids()["prepared"]:
            if comm(pid) == "fn-spawnd":
                continue  # the one that looks through the disk
            with open(f"/proc/{pid}/status") as f:
                text = f.read()
            if comm(pid) == "fn-ready":
                self.assertRegex(text, r"CapEff:\s+0000000000000000")
                self.assertRegex(text, r"Seccomp:\s+2")
                self.assertRegex(text, r"NoNewPrivs:\s+1")
                continue
            for target in descriptors(pid).values():
                self.assertRegex(target, r"^(socket|pipe):|^(/newdev|/dev)/null$|^/$|^/newsys/meminfo \(deleted\)$")  # the last but one: a /tmp that is nowhere yet
                if target.startswith("socket:"):
                    self.assertIsNone(sockets.get(target), "two of them share a socket")
                    sockets[target] = pid

    def turn(self, pid):
        """How long the scheduler lets it run; None where the kernel does not tell."""
        with contextlib.suppress(OSError), open(f"/proc/{pid}/sched") as f:
            found = re.search(r"^se\.slice\s*:\s*(\d+)", f.read(), re.M)
            return int(found.group(1)) if found else None

    def test_the_haste_of_the_start_is_not_a_function_s_to_keep(self):
        d = self.daemon(prepared_least=2, prepared_most=2, prestarted_most=0)
        if self.turn(os.getpid()) is None or tuple(map(int, os.uname().release.split(".")[:2])) < (6, 12):
            self.skipTest("this kernel knows, or tells, no length of a process' turn")
        wait_until("the stock is full", lambda: self.stock(d) == 2)
        d.create("native")
        d.create_python("python", "def handler(event, context):\n    return event\n")
        for name in ("native", "python"):
            d.invoke(name, {})
        self.assertEqual(self.turn(d.pids()["spawnd"][0]), 100000)
        pids = d.pids()["sandbox"]
        self.assertEqual(len(pids), 4)
        self.assertEqual({pid: self.turn(pid) for pid in pids}, {pid: self.turn(os.getpid()) for pid in pids})


class StartedAhead(Case):
    """Python's process may have been started before its function was known: nothing but the time shows it."""
    daemon = Prepared.daemon

    def ahead(self, d, least=2):
        wait_until("runtimes have been started ahead", lambda: sum(n for kind, n in d.doctor()["Prepared"].items() if kind.startswith(PYTHON + "-")) >= least)

    def start(self, **config):
        return self.daemon(prepared_least=1, prepared_most=1, **config)

    def test_a_cold_start_uses_one_and_says_so(self):
        d = self.start()
        d.create_python("f", "import os\ndef handler(event, context):\n return {k: os.environ.get(k) for k in ('_HANDLER', 'MINE', '_FND_PRESTART', 'AWS_LAMBDA_FUNCTION_NAME')} | {'cwd': os.getcwd(), 'fds': os.listdir('/proc/self/fd')}",
                        Environment={"Variables": {"MINE": "a=b\nc"}})
        self.ahead(d)
        r = d.invoke("f", {}, tail=True)
        self.assertIn("runtime started ahead\n", r.log)
        self.assertEqual({k: v for k, v in r.json.items() if k != "fds"}, {"_HANDLER": "f.handler", "MINE": "a=b\nc", "_FND_PRESTART": None, "AWS_LAMBDA_FUNCTION_NAME": "f", "cwd": "/var/task"})
        self.assertEqual(len(r.json["fds"]), 5, r.json)  # stdio, the Runtime API, the directory itself
        self.ends_clean(d)

    def test_one_answer_right_behind_another_does_not_wait_for_an_acknowledgement(self):
        """A runtime that connects before fnd sees its listener, and pipelines: without TCP_NODELAY each event came 40 ms late."""
        d = self.start()
        if "nodejs22.x" not in next(c["Detail"] for c in d.doctor()["Checks"] if c["Name"] == "base images"):
            self.skipTest("the nodejs22.x image is not installed")
        d.create("f", make_zip({"f.js": "exports.handler = async (event) => event;"}), runtime="nodejs22.x", handler="f.handler", MemorySize=1769)
        wait_until("node has been started ahead", lambda: any(kind.startswith("nodejs22.x-") and n for kind, n in d.doctor()["Prepared"].items()))
        self.assertIn("runtime started ahead", d.invoke("f", {}, tail=True).log)
        c = http.client.HTTPConnection("127.0.0.1", d.port)
        c.connect()
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        took = []
        for _ in range(40):
            began = time.monotonic()
            c.request("POST", "/2015-03-31/functions/f/invocations", b"{}")
            c.getresponse().read()
            took.append(time.monotonic() - began)
        self.assertLess(sorted(took)[2], 0.03, took)  # all of them came late; a busy machine may hold up most

    def test_a_variable_that_the_interpreter_reads_at_its_start_prevents_it_and_is_named(self):
        d = self.start()
        d.create_python("f", "import sys\ndef handler(event, context):\n return sys.flags.optimize", Environment={"Variables": {"PYTHONOPTIMIZE": "2"}})
        self.ahead(d)
        r = d.invoke("f", {}, tail=True)
        self.assertIn("runtime not ahead because of PYTHONOPTIMIZE\n", r.log)
        self.assertEqual(r.json, 2)

    def test_modules_of_the_function_s_own_come_first(self):
        d = self.start()
        d.create("f", make_zip({"lambda_function.py": "import json\ndef handler(event, context):\n return json.MINE", "json.py": "MINE = 'my own'"}), runtime=PYTHON, handler="lambda_function.handler")
        self.ahead(d)
        r = d.invoke("f", {}, tail=True)
        self.assertIn("runtime started ahead", r.log)
        self.assertEqual(r.json, "my own")

    def test_libraries_of_the_function_s_own_are_found(self):
        with tempfile.TemporaryDirectory() as tmp:
            with open(os.path.join(tmp, "own.c"), "w") as f:
                f.write("int answer(void) { return 42; }")
            subprocess.run(["gcc", "-shared", "-fPIC", "-o", os.path.join(tmp, "libown.so"), os.path.join(tmp, "own.c")], check=True)
            with open(os.path.join(tmp, "libown.so"), "rb") as f:
                library = f.read()
        d = self.start()
        d.create("f", make_zip({"lambda_function.py": "import ctypes\ndef handler(event, context):\n return ctypes.CDLL('libown.so').answer()", "lib/libown.so": library}, {"lib/libown.so": 0o755}),
                 runtime=PYTHON, handler="lambda_function.handler", Timeout=30)
        self.ahead(d)
        r = d.invoke("f", {}, tail=True)
        self.assertIn("runtime started ahead", r.log)
        self.assertEqual(r.json, 42)

    def test_each_is_a_process_of_its_own(self):
        """No fork of a common parent: addresses and hash seeds differ, nothing is shared."""
        d = self.start()
        source = "import uuid, random, time\ndef handler(event, context):" + HOLD + "    return [hash('seed'), str(uuid.uuid4()), random.random()] + [l.split('-')[0] for l in open('/proc/self/maps') if l.rstrip().endswith(('[stack]', '[heap]', '[vdso]'))]"
        d.create_python("f", source, MemorySize=1769, Timeout=30)
        self.ahead(d)
        answers = d.together("f", 2, lambda event: d.invoke("f", event, tail=True))
        self.assertTrue(all("started ahead" in r.log for r in answers), [r.log for r in answers])
        for one, other in zip(*(r.json for r in answers)):
            self.assertNotEqual(one, other)

    def test_killed_ones_are_made_anew_and_none_without(self):
        d = self.start(prestarted_least=1, prestarted_most=2)
        d.create_python("f", "def handler(event, context):\n return event")
        for _ in range(3):
            self.ahead(d, 1)
            for pid in d.pids()["prepared"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})
        e = self.start(prestarted_most=0)
        e.create_python("f", "def handler(event, context):\n return event")
        r = e.invoke("f", {"a": 1}, tail=True)
        self.assertEqual(r.json, {"a": 1})
        self.assertNotIn("ahead", r.log)


if __name__ == "__main__":
    unittest.main()


class ManyAtOnce(Case):
    def test_inits_that_want_a_cpu_each_end_one_after_the_other(self):
        """Not all at the end, when each has taken as long as all of them together: half of the callers have their answers long before the last."""
        d = self.daemon({"prestarted_most": 0})
        d.create_python("f", "import time\nend = time.process_time() + 0.25\nwhile time.process_time() < end:\n    pass\ndef handler(event, context):\n" + HOLD + "    return 1\n", MemorySize=256, Timeout=60)
        d.settled("f")
        n = 24 * len(os.sched_getaffinity(0))
        def attempt():
            ends, begun, held = [], time.monotonic(), f"go-{random.getrandbits(64):x}"
            d.configure("f", Description=held)
            def call():
                r = d.invoke("f", json.dumps({"hold": held}).encode(), timeout=300)
                self.assertEqual((r.status, r.error), (200, None), r)
            def come():
                return d.metric("fnd_environments", function="f", state="busy") or 0
            threads = [threading.Thread(target=call) for _ in range(n)]
            begun = time.monotonic()
            [t.start() for t in threads]
            try:
                for wanted in (n // 2, n):
                    wait_until(f"{wanted} of {n} have begun", lambda: come() >= wanted)
                    ends.append(time.monotonic() - begun)
            finally:
                d.let_go(held, *threads)
            self.assertLess(ends[0], 0.85 * ends[1])
        often(attempt)


class Pending(Case):
    """A new function is Active when a runtime for it has been started ahead: who waits for that meets a cold start like all later ones."""
    daemon = Prepared.daemon
    SOURCE = "def handler(event, context):\n    return event\n"

    def state(self, d, name):
        return d.request("GET", f"/2015-03-31/functions/{name}/configuration").json["State"]

    def meets(self, d, began, name):
        """It is Active by now. Where it has been waited for as long as it is at most, a busy machine has none yet."""
        took = time.monotonic() - began
        log = d.invoke(name, {}, tail=True).log
        if took < 1.9:
            self.assertIn("runtime started ahead", log)

    def test_the_first_invocation_finds_a_runtime_started_ahead(self):
        d = self.daemon(prepared_least=1)
        began = time.monotonic()
        d.create_python("python", self.SOURCE)
        d.settled("python")
        self.meets(d, began, "python")
        if "nodejs22.x" not in next(c["Detail"] for c in d.doctor()["Checks"] if c["Name"] == "base images"):
            self.skipTest("the nodejs22.x image is not installed")
        for memory in (512, 1024, 1769):  # a kind of its own each, and node takes its time
            name, began = f"node-{memory}", time.monotonic()
            d.create(name, make_zip({"f.js": "exports.handler = async (event) => event;"}), runtime="nodejs22.x", handler="f.handler", MemorySize=memory)
            d.settled(name)
            self.meets(d, began, name)
        began = time.monotonic()
        d.configure("python", Runtime="nodejs22.x", MemorySize=300, Handler="f.handler")  # in force when that is ready
        took, there = time.monotonic() - began, d.doctor()["Prepared"]
        self.assertTrue(took >= 1.9 or any(kind.startswith("nodejs22.x-") and kind.endswith("-300") and n for kind, n in there.items()), there)

    def test_who_invokes_meanwhile_does_not_wait_for_the_stock(self):
        d = self.daemon()
        d.create_python("f", self.SOURCE)
        self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})

    def test_nothing_to_wait_for(self):
        for d, more in (self.daemon(prestarted_most=0), {}), (self.d, {"Environment": {"Variables": {"PYTHONHASHSEED": "1"}}}):
            def quick():  # patience is 2 s; a busy machine may take as long for other reasons, but not for ever
                d.delete("f")
                began = time.monotonic()
                d.create_python("f", self.SOURCE, **more)
                d.settled("f")
                return time.monotonic() - began < 1.5
            wait_until("it is active at once", quick, 60)
            self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})

    def test_the_end_of_fn_spawnd_ends_the_wait(self):
        for _ in range(10):
            d = self.daemon(prepared_least=1)
            d.create_python("f", self.SOURCE)
            spawnd = d.pids()["spawnd"][0]
            os.kill(spawnd, signal.SIGSTOP)
            try:
                time.sleep(0.3)
                waits = self.state(d, "f") == "Pending"
            finally:
                os.kill(spawnd, signal.SIGKILL)
            if waits:  # else it came too late
                break
        else:
            self.skipTest("runtimes are started too quickly here to be caught")
        d.settled("f")
        wait_until("it runs", lambda: d.invoke("f", {"a": 1}).json == {"a": 1})
