"""The daemon's own life: start, drain, kill -9 of each process, what is cleaned up, what survives."""
import glob, hashlib, http.client, json, os, random, re, shutil, signal, subprocess, tempfile, threading, time
from harness import *


class Lifecycle(Case):
    killed = True
    images = BASIC

    def test_functions_survive_a_restart(self):
        d = self.daemon()
        d.create("kept", Environment={"Variables": {"A1": "b"}}, Tags={"t": "1"}, MemorySize=200)
        d.settled("kept")
        before = d.request("GET", "/2015-03-31/functions/kept").json
        d.do("kept", "echo")
        self.ends_clean(d)
        d.start()
        after = d.request("GET", "/2015-03-31/functions/kept").json
        self.assertEqual((after["Configuration"], after["Tags"]), (before["Configuration"], before["Tags"]))
        self.assertEqual(d.do("kept", "env")["A1"], "b")

    def test_a_package_whose_tree_is_lost_is_unpacked_again(self):
        d = self.daemon()
        zips = [make_zip({"f.py": f"def handler(e, c): return {i}\n"}) for i in range(2)]
        for i, z in enumerate(zips):
            d.create(f"lost{i}", z, runtime="python3.11", handler="f.handler")
        self.assertEqual([d.invoke(f"lost{i}", {}).json for i in range(2)], [0, 1])
        self.assertEqual(d.stop(), 0)
        for tree in glob.glob(os.path.join(d.state, "roots/code-*")):
            shutil.rmtree(tree)
        os.unlink(os.path.join(d.state, "blobs", hashlib.sha256(zips[1]).hexdigest() + ".zip"))
        d.start()
        out = []
        threads = [threading.Thread(target=lambda: out.append(d.invoke("lost0", {}))) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual([(r.status, r.json) for r in out], [(200, 0)] * 4)
        self.assertEqual(d.log().count("has been unpacked again"), 1)
        log = d.request("GET", "/_fnd/logs/lost0").body.decode()
        self.assertLessEqual(log.count("INIT_START"), 2 + log.count(" REPORT "), log)
        self.assertEqual([(r.status, r.error_type) for r in (d.invoke("lost1", {}) for _ in range(2))], [(500, "ServiceException")] * 2)  # nor is the package there
        self.ends_clean(d)

    def test_sigterm_drains(self):
        d = self.daemon()
        d.create("slow", Timeout=20)
        d.do("slow", "echo")
        out = []
        t = threading.Thread(target=lambda: out.append(d.invoke("slow", {"do": "sleep", "ms": 1500})))
        t.start()
        d.under_way("slow")
        d.process.send_signal(signal.SIGTERM)
        wait_until("it drains", lambda: "stopping: " in d.log())
        def refused():
            with contextlib.suppress(ConnectionResetError):  # it was in the socket's queue when that was closed
                try:
                    d.request("GET", "/healthz")
                except ConnectionRefusedError:
                    return True
        wait_until("nobody else is served", refused)
        t.join()
        self.assertEqual((out[0].status, out[0].json), (200, {"slept": 1500}))
        self.assertEqual(d.process.wait(100 * SLOW), 0)
        self.ends_clean(d)

    def test_the_grace_has_an_end(self):
        d = self.daemon({"drain_grace_s": 1})
        d.create("stuck", Timeout=60)
        out = []
        t = threading.Thread(target=lambda: out.append(d.invoke("stuck", {"do": "hang"})))
        t.start()
        d.under_way("stuck")
        began = time.monotonic()
        d.process.send_signal(signal.SIGTERM)
        self.assertEqual(d.process.wait(100 * SLOW), 0)
        self.assertLess(time.monotonic() - began, 50)  # before its own time is out
        t.join()
        self.assertEqual((out[0].status, out[0].error_type), (500, "ServiceException"))
        self.ends_clean(d)

    def test_nobody_begins_to_wait_for_logs_while_it_drains(self):
        d = self.daemon({"drain_grace_s": 900})
        for f in ("f", "quiet"):
            d.create_python(f, "def handler(event, context):" + HOLD, Timeout=120)
        late = http.client.HTTPConnection("127.0.0.1", d.port, timeout=120 * SLOW)
        self.addCleanup(late.close)

        def ask(query=""):
            late.request("GET", "/_fnd/logs/quiet" + query)
            r = late.getresponse()
            return r.status, r.headers["Connection"], json.loads(r.read())["Text"]
        self.assertEqual(ask()[::2], (200, ""))
        with d.held("f", lambda event: d.invoke("f", event)) as got:
            d.process.send_signal(signal.SIGTERM)
            wait_until("it drains", lambda: "stopping: " in d.log())
            began = time.monotonic()
            self.assertEqual(ask("?wait=60"), (200, "close", ""))
            self.assertLess(time.monotonic() - began, 50)
        self.assertEqual(got[0].status, 200)
        self.assertEqual(d.process.wait(100 * SLOW), 0)
        self.ends_clean(d)

    def test_fn_spawnd_dies_when_it_is_too_late_to_start_it_again(self):
        d = self.daemon()
        d.create("f", Timeout=20)
        d.do("f", "echo")
        pids = d.pids()
        d.process.send_signal(signal.SIGSTOP)  # so that it learns of all this at once
        os.kill(pids["spawnd"][0], signal.SIGKILL)
        os.kill(pids["worker"][0], signal.SIGTERM)
        wait_until("the worker has ended", lambda: not os.path.exists(f"/proc/{pids['worker'][0]}/exe"))
        d.process.send_signal(signal.SIGCONT)
        self.assertEqual(d.process.wait(100 * SLOW), 0)
        self.ends_clean(d)

    def test_kill_9_of_fn_spawnd(self):
        d = self.daemon()
        d.create("f", Timeout=60)
        d.do("f", "echo")
        out = []
        t = threading.Thread(target=lambda: out.append(d.invoke("f", {"do": "hang"})))
        t.start()
        d.under_way("f")
        os.kill(d.pids()["spawnd"][0], signal.SIGKILL)
        t.join()
        self.assertEqual((out[0].status, out[0].error_type), (500, "ServiceException"))
        self.assertRegex(out[0].json["Message"], "fn-spawnd")
        wait_until("it serves again", lambda: d.invoke("f", {"a": 1}).status == 200)
        self.ends_clean(d)

    def test_kill_9_of_the_supervisor(self):
        d = self.daemon()
        d.create("f")
        d.do("f", "daemon")
        os.kill(d.process.pid, signal.SIGKILL)
        d.process.wait()
        d.start()
        self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})
        self.ends_clean(d)

    def test_kill_9_of_everything_at_once(self):
        d = self.daemon()
        d.create("f")
        d.do("f", "echo")
        d.kill_9("supervisor", "spawnd", "worker")
        d.start()
        self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})
        self.ends_clean(d)

    def test_what_is_left_of_one_that_is_killed_goes_when_another_starts(self):
        """Of another state directory: its own may never be started again."""
        d, lives = self.daemon(), self.daemon(prepared_most=0, prepared_least=0)
        d.create("f")
        d.do("f", "echo")
        d.kill_9("supervisor", "spawnd", "worker")
        wait_until("all of it has ended", lambda: not [x for x in d.leftovers() if x.startswith("process")])
        self.assertTrue(d.parent_groups())
        procs = [p for g in d.parent_groups() for p in glob.glob(f"{g}/**/cgroup.procs", recursive=True)]
        wait_until("its groups are empty", lambda: not any(open(p).read() for p in procs))
        idle = sorted(lives.parent_groups())
        other = self.daemon()
        self.assertEqual(d.parent_groups(), [], other.log())
        self.assertEqual(sorted(lives.parent_groups()), idle, "it lives")
        lives.create("f")
        lives.do("f", "echo")

    def test_killed_sandboxes_are_replaced(self):
        d = self.daemon()
        d.create("f")
        for _ in range(5):
            d.do("f", "echo")
            for pid in d.pids()["sandbox"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            wait_until("gone", lambda: not d.pids()["sandbox"])
            self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})

    def test_fifty_random_kills(self):
        """At random points under load: it always recovers, and nothing is left at the end."""
        d = self.daemon()
        d.create("f", Timeout=30)
        rng = random.Random(int(os.environ.get("FND_SEED", "1")))
        stop = threading.Event()
        answers = {"ok": 0, "refused": 0, "lost": 0}
        wrong = []

        def load():
            while not stop.is_set():
                try:
                    r = d.invoke("f", {"do": rng.choice(["echo", "sleep", "counter"]), "ms": 30}, timeout=60)
                    if r.status == 200 and not r.error:
                        answers["ok"] += 1
                    elif r.status in (500, 404) or (r.status == 200 and "ExitError" in r.body.decode()):
                        answers["refused"] += 1
                    else:
                        wrong.append(r)
                except OSError:
                    answers["lost"] += 1
                    time.sleep(0.02)
        threads = [threading.Thread(target=load) for _ in range(4)]
        [t.start() for t in threads]
        try:
            for i in range(50):
                time.sleep(rng.uniform(0.0, 0.3))
                victims = [(k, p) for k, ps in d.pids().items() for p in ps]
                kind = rng.choice(["sandbox", "sandbox", "spawnd", "spawnd", "worker", "supervisor"])
                chosen = [p for k, p in victims if k == kind]
                if not chosen:
                    continue
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rng.choice(chosen), signal.SIGKILL)
                if kind == "supervisor":
                    d.process.wait(100 * SLOW)
                    d.start()
            self.assertIsNone(d.process.poll(), d.log()[-4000:])
            wait_until("it makes functions", lambda: d.create("after", expect=None).status == 201)  # the last kill may have been a moment ago
            wait_until("it serves", lambda: d.invoke("f", {"a": 1}).status == 200)
            self.assertEqual(d.invoke("after", {"a": 2}).json, {"a": 2})
        finally:
            stop.set()
            [t.join() for t in threads]
        self.assertEqual(wrong, [])
        self.assertGreater(answers["ok"], 20, answers)
        self.ends_clean(d)

    def test_one_daemon_per_state_directory(self):
        """The second has changed nothing of it, be it another user's."""
        d = self.daemon()
        d.create("f")
        p = subprocess.run([os.path.join(BUILD, "fnd"), "--listen", f"127.0.0.1:{free_port()}", "--state", d.state, "--config", "/dev/stdin"], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=120, input=json.dumps({**d.config, "user": "nobody", "gateway": {"listen": ""}}).encode())
        self.assertEqual(p.returncode, 1)
        self.assertIn(b"another fnd uses", p.stderr)
        d.configure("f", Description="written")
        self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})

    def test_packages_stay_when_the_database_has_gone(self):
        """What no function names is removed at start: fnd does not start without knowing the functions."""
        d = self.daemon()
        d.create("f")
        self.assertEqual(d.stop(), 0)
        path = os.path.join(d.state, "db/fnd.db")
        os.rename(path, path + ".away")
        for lost in (None, b""):
            if lost is not None:
                with open(path, "wb"):
                    pass
            d.start(wait=False)
            self.assertEqual(d.process.wait(100 * SLOW), 1)
            self.assertIn("db/fnd.db is missing, blobs has packages", d.log())
        os.rename(path + ".away", path)
        d.start()
        self.assertEqual(d.do("f", "counter")["served"], 1)

    def test_idle_environments_end(self):
        d = self.daemon({"idle_timeout_s": 3})
        d.create("f")
        d.do("f", "echo")
        self.assertTrue(d.pids()["sandbox"])
        wait_until("the idle environment has ended", lambda: not d.pids()["sandbox"])
        wait_until("with its group", lambda: d.groups() == [])

    def test_memory_budget_evicts_the_least_recently_used(self):
        d = self.daemon({"memory_budget_mb": 110, "keep_alive": {"policy": "fixed"}})
        for i in range(6):
            d.create(f"f{i}")
            d.do(f"f{i}", "alloc", mb=20)
            d.at_rest()
        served = {i: d.do(f"f{i}", "counter")["served"] for i in (5, 0)}
        self.assertEqual(served[5], 2, "the last one used is still warm")
        self.assertEqual(served[0], 1, "the first one had to go")

    def test_old_environments_go_after_an_update(self):
        d = self.daemon()
        d.create("f")
        d.do("f", "echo")
        before = d.pids()["sandbox"]
        d.configure("f", Timeout=4)
        wait_until("the old environment has ended", lambda: not set(before) & set(d.pids()["sandbox"]))
        d.do("f", "echo")
        d.delete("f")
        wait_until("deleted: it has ended", lambda: not d.pids()["sandbox"])

    def test_a_key_that_is_gone_is_accepted_and_said(self):
        d = self.daemon({"loops": 2, "loops_share_percent": 5})
        self.assertEqual(len(re.findall(r'"loops(_share_percent)?" means nothing any more', d.log())), 2)
        self.assertEqual(d.stop(), 0)

    def test_broken_configurations_are_refused_with_words(self):
        shared()
        base = {"runtimes": os.path.join(TOP, "config/runtimes.json")}
        for config, words in (({"listen": "0.0.0.0:3999"}, "credentials"), ({"unknown": 1}, "unknown"), ({"idle_timeout_s": "x"}, "idle_timeout_s"),
                              ({"listen": "nonsense"}, "ADDRESS:PORT"), ({"account_id": "12"}, "12 digits"), ({"region": "local"}, "form of a region"), ({"region": "us-east-1\n"}, "form of a region"), ({"uid_count": 131073}, "uid_count"), ({"control_group": "no-such-group"}, "no-such-group"), ({"log": {"level": "loud"}}, "level"),
                              ({"credentials": [{"access_key_id": "a"}]}, "secret_access_key"), ({"credentials": [{"access_key_id": "twice", "secret_access_key": s} for s in "ab"]}, '"twice" twice'), ({"user": "root"}, '"user": root is root'),
                              ({"gateway": {"user": "root"}}, '"gateway.user": root is root'), ({"events": {"user": "root"}}, '"events.user": root is root'), ({"events": {"endpoints": {"dynamodb": {"url": "http://x"}}}}, "takes sqs, sns, events, s3"), ({"hosts": "a"}, "list"), ({"hosts": ["a:3001"]}, "without ports"), ({"hosts": [""]}, "hosts"), ({"hosts": [1]}, "hosts"),
                               ({"network": {"mode": "wifi"}}, "mode"),
                              ({"keep_alive": {"policy": "lru"}}, "greedy-dual"), ({"keep_alive": {"head": 5}}, "keep_alive"), ({"keep_alive": {"samples": 0}}, "samples"),
                              ({"keep_alive": "fixed"}, "object")):
            path = "/tmp/fnd-broken.json"
            with open(path, "w") as f:
                json.dump({**base, **config}, f)
            p = subprocess.run([os.path.join(BUILD, "fnd"), "--state", "/nonexistent/x", "--config", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
            os.unlink(path)
            self.assertEqual(p.returncode, 1, config)
            self.assertIn(words, p.stderr.decode())
        for text, words in (("{", "line 1"), ("[]", "object"), ('{"listen":"127.0.0.1:1","listen":"x"}', "duplicate")):
            with open("/tmp/fnd-broken.json", "w") as f:
                f.write(text)
            p = subprocess.run([os.path.join(BUILD, "fnd"), "--config", "/tmp/fnd-broken.json", "--check-config"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
            os.unlink("/tmp/fnd-broken.json")
            self.assertEqual(p.returncode, 1)
            self.assertIn(words, p.stderr.decode())
            self.assertIn("/tmp/fnd-broken.json", p.stderr.decode())
        p = subprocess.run([os.path.join(BUILD, "fnd"), "--config", "/tmp/fnd-absent.json", "--check-config"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        self.assertEqual(p.returncode, 1)
        self.assertRegex(p.stderr.decode(), "^fnd: configuration: unable to open /tmp/fnd-absent.json: No such file")

    def test_relative_paths_are_relative_to_the_file(self):
        with tempfile.TemporaryDirectory() as place:
            for name, content in (("runtimes.json", {}), ("keys.json", {"access_key_id": "a", "secret_access_key": "b"})):
                with open(os.open(os.path.join(place, name), os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
                    json.dump(content, f)
            for service, words in (("keys.json", ""), ("absent.json", f"{place}/absent.json")):
                with open(place + "/fnd.json", "w") as f:
                    json.dump({"runtimes": "runtimes.json", "events": {"endpoints": {"sqs": {"url": "http://127.0.0.1:1", "credentials_file": service}}}, "s3": {"endpoint": "http://127.0.0.1:1", "credentials_file": "keys.json"}}, f)
                p = subprocess.run([os.path.join(BUILD, "fnd"), "--config", place + "/fnd.json", "--check-config"], capture_output=True, text=True)
                self.assertEqual((p.returncode, words in p.stderr), (1 if words else 0, True), p)

    def test_a_directory_with_other_things_in_it_is_left_as_it_is(self):
        """It would be root's, and nobody else's to look into: somebody's home, /tmp."""
        with tempfile.TemporaryDirectory() as home:
            os.chmod(home, 0o755)
            open(home + "/letter", "w").close()
            before = os.stat(home)
            p = subprocess.run([os.path.join(BUILD, "fnd"), "--listen", "127.0.0.1:0", "--state", home], capture_output=True, text=True, timeout=100 * SLOW)
            self.assertEqual((p.returncode, f"{home} has other things in it" in p.stderr), (1, True), p)
            self.assertEqual((os.listdir(home), os.stat(home).st_mode, os.stat(home).st_ctime_ns), (["letter"], before.st_mode, before.st_ctime_ns))

    def test_the_port_is_taken(self):
        d = self.daemon()
        e = Daemon()
        e.killed = True
        self.addCleanup(e.remove)
        e.port = d.port
        e.start(wait=False)
        self.assertEqual(e.process.wait(100 * SLOW), 1)
        self.assertIn("EADDRINUSE", e.log())

    def test_the_shipped_configuration_is_fine(self):
        p = subprocess.run([os.path.join(BUILD, "fnd"), "--config", os.path.join(TOP, "config/fnd.json"), "--check-config"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(p.returncode, 0, p.stdout)

    def test_a_newer_database_is_refused(self):
        import sqlite3
        d = self.daemon()
        d.stop()
        with contextlib.closing(sqlite3.connect(os.path.join(d.state, "db/fnd.db"))) as db:
            db.execute("PRAGMA user_version=999")
            db.commit()
        d.start(wait=False)
        self.assertEqual(d.process.wait(100 * SLOW), 1)
        self.assertIn("newer", d.log())

    def test_not_as_an_ordinary_user(self):
        p = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", os.path.join(BUILD, "fnd"), "--state", "/tmp/x"], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, cwd="/")
        self.assertEqual(p.returncode, 1)
        self.assertIn(b"root", p.stderr)
