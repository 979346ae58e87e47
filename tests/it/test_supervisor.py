"""The supervisor and its children: kill -9 of each, of both, in a row; a reload by SIGHUP; what the service manager and a terminal see of it."""
import contextlib, glob, http.client, json, os, re, signal, socket, sqlite3, subprocess, threading, time
from harness import *


class Supervised(Case):
    killed = True
    images = BASIC

    def pid(self, d, kind):
        """The one that runs, as soon as one does."""
        found = []
        def there():
            found[:] = d.pids()[kind]
            return len(found) == 1
        wait_until(f"there is a {kind}", there)
        return found[0]

    def kill(self, d, *kinds):
        pids = [self.pid(d, k) for k in kinds]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until("they have been missed", lambda: not any(os.path.exists(f"/proc/{p}") for p in pids))

    def alive(self, d):
        self.assertIsNone(d.process.poll(), d.log()[-4000:])


class Deaths(Supervised):
    def test_of_the_worker(self):
        """Its environments end, fn-spawnd is another, who connects meanwhile waits, and what was acknowledged is there."""
        d = self.daemon()
        d.create("f", Timeout=60)
        d.settled("f")
        self.assertEqual([d.do("f", "counter")["served"] for _ in range(2)], [1, 2])
        spawnd, old = d.pids()["spawnd"][0], set(d.pids()["sandbox"])
        self.assertTrue(old)
        lost = []
        def hang():
            try:
                lost.append(d.invoke("f", {"do": "hang"}))
            except (OSError, http.client.HTTPException) as e:
                lost.append(e)
        t = threading.Thread(target=hang)
        t.start()
        d.under_way("f")
        self.kill(d, "worker")
        with socket.create_connection(("127.0.0.1", d.port), 10) as s:  # at once: it is not refused, and has its answer
            s.settimeout(PATIENCE)
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 200"))
        t.join()
        self.assertIsInstance(lost[0], (OSError, http.client.HTTPException))  # nobody says that it had succeeded
        self.assertEqual(d.do("f", "counter")["served"], 1, "another environment")
        self.alive(d)
        self.assertNotEqual(self.pid(d, "spawnd"), spawnd)
        self.assertFalse(old & set(d.pids()["sandbox"]))
        for pid in old:
            self.assertFalse(os.path.exists(f"/proc/{pid}/exe"))
        wait_until("its group is the only one but for those made ahead, which have theirs before their process", lambda: len({os.path.basename(g) for g in d.groups()}) == 1)
        self.assertIn("the worker was ended by signal 9 (Killed); starting it again", d.log())
        self.ends_clean(d)

    def test_of_both(self):
        d = self.daemon()
        d.create("f")
        d.settled("f")
        for _ in range(3):
            self.assertEqual(d.do("f", "counter")["served"], 1)
            self.kill(d, "worker", "spawnd")
            wait_until("it is back", lambda: d.request("GET", "/healthz").status == 200)
        self.assertEqual(d.do("f", "counter")["served"], 1)
        self.alive(d)
        self.ends_clean(d)

    def test_of_fn_spawnd_that_is_just_leaving(self):
        """It is stopped, so that it does not see that its worker has gone; it is told, and killed, and the next one cleans up."""
        d = self.daemon()
        d.create("f")
        d.do("f", "echo")
        spawnd = self.pid(d, "spawnd")
        os.kill(spawnd, signal.SIGSTOP)
        self.kill(d, "worker")
        self.assertEqual(d.request("GET", "/2015-03-31/functions/f/configuration").json["FunctionName"], "f")  # the API does not wait for it
        self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})
        self.assertIn("fn-spawnd does not end; killing it", d.log())
        self.assertNotEqual(self.pid(d, "spawnd"), spawnd)
        self.ends_clean(d)

    def test_a_client_that_tries_again_loses_nothing_that_was_acknowledged(self):
        d = self.daemon()
        made, refused, over = [], [], threading.Event()
        def client(n):
            i = 0
            while not over.is_set():
                name = f"c{n}-{i}"
                try:
                    r = d.create(name, expect=None)
                except ConnectionRefusedError as e:
                    refused.append(e)
                    return
                except (OSError, http.client.HTTPException):
                    continue  # whether it was made is not known: it is tried again
                if r.status in (201, 409):
                    made.append(name)
                    i += 1
        threads = [threading.Thread(target=client, args=(n,)) for n in range(3)]
        [t.start() for t in threads]
        try:
            for i in range(8):
                n = len(made)
                wait_until("functions are made", lambda: len(made) > n + 5 or refused)
                self.kill(d, *(("worker",), ("spawnd",), ("worker", "spawnd"))[i % 3])
        finally:
            over.set()
            [t.join() for t in threads]
        self.assertEqual(refused, [])
        self.alive(d)
        for name in made:
            self.assertEqual(d.request("GET", f"/2015-03-31/functions/{name}/configuration").status, 200, name)
        for name in made[-1], made[0]:
            d.settled(name)
            self.assertEqual(d.invoke(name, {"a": 1}).json, {"a": 1})
        for name in made:
            d.delete(name)
        self.ends_clean(d)
        left = [p for p in glob.glob(os.path.join(d.state, "blobs/*")) + glob.glob(os.path.join(d.state, "roots/*")) if "/img-" not in p]
        d.start()
        wait_until(lambda: f"what nobody has any more goes: {left}", lambda: not [p for p in left if os.path.exists(p)])

    def test_in_a_row(self):
        """The first times at once, then later and later; a line says so. The API is there again afterwards."""
        d = self.daemon()
        def paused():
            self.kill(d, "worker")
            return re.search(r"the worker was ended by signal 9 \(Killed\); starting it again in 0\.\d\d s, for it has ended \d+ times in a row soon after its start", d.log())
        wait_until("one is started later", paused)
        self.alive(d)
        wait_until("it is back", lambda: d.request("GET", "/healthz").status == 200)
        self.ends_clean(d)

    def test_one_that_cannot_start_any_more_is_tried_again_until_it_can(self):
        d = self.daemon()
        d.create("f")
        d.settled("f")
        path = os.path.join(d.state, "db/fnd.db")
        def version(n):
            with contextlib.closing(sqlite3.connect(path)) as db:
                old = db.execute("PRAGMA user_version").fetchone()[0]
                db.execute(f"PRAGMA user_version={n}")
                db.commit()
                return old
        old = version(999)
        self.kill(d, "worker")
        wait_until("it is tried again", lambda: d.log().count("the worker exited with status 1; starting it again") >= 3)
        self.alive(d)
        version(old)
        self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})
        self.ends_clean(d)


class Reload(Supervised):
    def hang_up(self, d, says, n=1):
        d.process.send_signal(signal.SIGHUP)
        wait_until(lambda: f"it says {says}: {d.log()[-2000:]}", lambda: d.log().count(says) >= n)

    def limit(self, d):
        return d.request("GET", "/2016-08-19/account-settings").json["AccountLimit"]["ConcurrentExecutions"]

    def test_what_runs_is_answered_and_the_next_worker_has_the_new_configuration(self):
        d = self.daemon({"account_concurrency": 100})
        d.create("slow", Timeout=60)
        d.do("slow", "echo")
        self.assertEqual(self.limit(d), 100)
        out, refused, over = [], [], threading.Event()
        t = threading.Thread(target=lambda: out.append(d.invoke("slow", {"do": "sleep", "ms": 2000})))
        t.start()
        d.under_way("slow")
        def knock():
            while not over.is_set():
                try:
                    d.request("GET", "/healthz")
                except ConnectionRefusedError as e:
                    refused.append(e)
                except (OSError, http.client.HTTPException):
                    pass  # one whose worker has just ended
        k = threading.Thread(target=knock)
        k.start()
        worker = self.pid(d, "worker")
        d.set_config({"account_concurrency": 50})
        self.hang_up(d, "the configuration has been read again")
        wait_until("another worker serves", lambda: self.limit(d) == 50)
        over.set()
        t.join()
        k.join()
        self.assertEqual((out[0].status, out[0].json, refused), (200, {"slept": 2000}, []))
        self.assertNotEqual(self.pid(d, "worker"), worker)
        self.assertEqual(d.invoke("slow", {"a": 1}).json, {"a": 1})
        self.kill(d, "worker")  # it is the new one that holds from now on
        self.assertEqual(self.limit(d), 50)
        self.ends_clean(d)

    def test_a_configuration_with_a_fault_is_refused_and_the_old_one_holds(self):
        d = self.daemon({"account_concurrency": 100})
        worker, odd = self.pid(d, "worker"), d.state + "/odd.json"
        with open(odd, "w") as f:
            json.dump({"mine": {"image": "python3.11", "exec": ["/x"], "snapshot_hooks": "true"}}, f)
        for config, words in (({"account_concurrency": 0}, '"account_concurrency" must be'), ({"acount": 1}, "is no key fnd knows"), ({"region": "here"}, '"here" has not the form of a region'),
                              ({"runtimes": "/nonexistent/runtimes.json"}, "unable to open /nonexistent/runtimes.json"), ({"runtimes": odd}, '"snapshot_hooks" must be true or false'),
                              ({"events": {"endpoints": {"sqs": {"url": "http://127.0.0.1:1", "credentials_file": "/nonexistent/keys"}}}}, "events.endpoints: /nonexistent/keys"),
                              ({"events": {"endpoints": {"sqs": {"url": "https://127.0.0.1:1", "ca_file": "/nonexistent/ca"}}}}, "events.endpoints: /nonexistent/ca"), ({"tmp": {"mode": "loop", "dir": odd}}, '"tmp.dir": ')):
            d.set_config(config)
            r = subprocess.run([os.path.join(BUILD, "fnd"), "--check-config", "--config", d.config_path], capture_output=True, text=True)
            self.assertEqual((r.returncode, words in r.stderr), (1, True), r)
            self.hang_up(d, words)
        with open(d.config_path, "w") as f:
            f.write("{")
        self.hang_up(d, "line 1")
        self.assertEqual(d.log().count("the configuration stays as it was: "), 9)
        self.assertEqual((self.limit(d), self.pid(d, "worker")), (100, worker))
        self.kill(d, "worker")  # the file is broken still; the copy of the last good one is not
        self.assertEqual(self.limit(d), 100)
        self.ends_clean(d)

    def test_another_user(self):
        """The state becomes that of who works on it, by a reload and by a start."""
        d = self.daemon({"gateway": {"listen": "127.0.0.1:0"}})
        d.create("f")
        q = boto(d, "sqs")
        url = q.create_queue(QueueName="q")["QueueUrl"]
        q.send_message(QueueUrl=url, MessageBody="m")
        def works():
            self.assertEqual(d.invoke("f", {"a": 1}).json, {"a": 1})
            wait_until("fn-events serves", lambda: sqs_count(q, url) == 1)
            d.configure("f", Description="written")
            wait_until("the log is read", lambda: "REPORT" in d.fnctl("logs", "f").stdout)
            self.assertEqual({p: os.stat(f"{d.state}/{p}").st_uid for p in ("db/fnd.db", "blobs", "logs")}, dict.fromkeys(("db/fnd.db", "blobs", "logs"), uid_of(self.pid(d, "worker"))))
        def sqs_count(q, url):
            with contextlib.suppress(Exception):
                return int(q.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["ApproximateNumberOfMessages"])
        works()
        others = {"user": "nobody", "events": {"user": "daemon"}, "gateway": {"listen": "127.0.0.1:0", "user": "games"}}
        d.set_config(others)
        self.hang_up(d, "ready on", 2)
        works()
        d.stop()
        d.set_config({"uid_base": 2000000000, "gateway": {"listen": "127.0.0.1:0"}})
        d.start()
        works()
        self.ends_clean(d)

    def test_what_cannot_start_is_named_by_doctor(self):
        d = self.daemon()
        def told():
            return {c["Name"]: c for c in d.doctor()["Checks"]}["fn-events"]
        self.assertTrue(told()["Ok"])
        d.stop()
        for path in glob.glob(d.state + "/events/events.db*"):
            with open(path, "wb") as f:
                f.write(b"no database " * 1000)
        d.start()
        wait_until("the file is named", lambda: "events/events.db: file is not a database" in d.log())
        wait_until("doctor says so", lambda: not told()["Ok"])
        self.assertIn("it does not run: neither asynchronous invocation nor", d.fnctl("doctor").stdout)
        d.stop()
        for path in glob.glob(d.state + "/events/events.db*"):
            os.unlink(path)
        d.start()
        wait_until("it is there", lambda: told()["Ok"])
        self.ends_clean(d)

    def test_another_address(self):
        d = self.daemon()
        old, new = d.port, free_port()
        d.stop()
        def address(port):
            d.set_config({"listen": f"127.0.0.1:{port}"})
        address(old)
        with open(d.log_path, "ab") as log:  # without --listen, which would win
            d.process = subprocess.Popen([os.path.join(BUILD, "fnd"), "--state", d.state, "--config", d.config_path, "--images", d.images], stdout=log, stderr=log, env=d.env, start_new_session=True)
        wait_until("it is ready", d.is_ready)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen(1)
            address(s.getsockname()[1])
            self.hang_up(d, "EADDRINUSE")
            self.assertEqual(d.request("GET", "/healthz").status, 200)
        address(new)
        self.hang_up(d, "the configuration has been read again")
        d.port = new
        wait_until("it serves there", d.is_ready)
        d.port = old
        with self.assertRaises(ConnectionRefusedError):
            d.request("GET", "/healthz")
        d.port = new
        self.ends_clean(d)

    def test_again_and_again(self):
        d = self.daemon({"account_concurrency": 100})
        for n in range(101, 111):
            d.set_config({"account_concurrency": n})
            d.process.send_signal(signal.SIGHUP)
            time.sleep(0.02 * (n % 3))
        wait_until("the last one holds", lambda: self.limit(d) == 110)
        self.alive(d)
        self.ends_clean(d)

    def test_a_request_of_which_a_part_has_come_is_waited_for(self):
        d = self.daemon()
        d.create("f", Timeout=60)
        d.do("f", "echo")
        with socket.create_connection(("127.0.0.1", d.port), timeout=100) as s:
            s.sendall(b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n")
            d.request("GET", "/2015-03-31/functions")  # by now it has been read
            worker = self.pid(d, "worker")
            self.hang_up(d, "stopping: ")
            time.sleep(0.5)  # longer than a client is waited for of whom nothing has come
            self.assertEqual(self.pid(d, "worker"), worker)
            s.sendall(b'{"a": 1}')
            said = b"".join(iter(lambda: s.recv(65536), b""))
        self.assertEqual((said.split()[1], said[-8:]), (b"200", b'{"a": 1}'), said)
        wait_until("another worker serves", lambda: not os.path.exists(f"/proc/{worker}") and self.pid(d, "worker"))
        self.ends_clean(d)

    def test_nobody_who_goes_on_asking_is_told_of_a_reload(self):
        """On kept connections and on new ones: what comes meanwhile is answered by the worker that goes, or by the one that comes."""
        d = self.daemon()
        d.create("f", Timeout=60)
        d.do("f", "echo")
        wrong, over, served = [], threading.Event(), []
        def ask(keeps):
            c, asked, sent = None, 0, 0
            while not over.is_set():
                try:
                    if not c or not keeps:
                        asked, sent = time.monotonic(), None
                        c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=100)
                        c.connect()
                    else:
                        asked, sent = sent, None  # its worker waits from its answer on, which came after that
                    c.request("POST", "/2015-03-31/functions/f/invocations", b'{"a": 1}')
                    sent = time.monotonic()
                    r = c.getresponse()
                    body, ends = r.read(), r.headers.get("Connection") == "close"
                    served.append(r.status)
                    if (r.status, body) != (200, b'{"a": 1}'):
                        wrong.append((r.status, body))
                    if ends:
                        c = None
                except (OSError, http.client.HTTPException) as e:
                    if (sent or time.monotonic()) - asked < 0.1:  # else its worker waited for it no longer: the machine is busy
                        wrong.append(repr(e))
                    c = None
        threads = [threading.Thread(target=ask, args=(n < 2,)) for n in range(4)]
        [t.start() for t in threads]
        self.addCleanup(over.set)
        for n in range(1, 5):
            before, worker = len(served), self.pid(d, "worker")
            self.hang_up(d, "the configuration has been read again", n)
            wait_until("another worker serves", lambda: not os.path.exists(f"/proc/{worker}") and len(served) > before + 100)
        over.set()
        [t.join() for t in threads]
        self.assertEqual(wrong, [])
        self.ends_clean(d)


class Signals(Supervised):
    def test_a_terminal_s_interrupt_drains(self):
        """It goes to every process of the group; the supervisor acts on it, once."""
        d = self.daemon()
        d.create("slow", Timeout=20)
        d.do("slow", "echo")
        out = []
        t = threading.Thread(target=lambda: out.append(d.invoke("slow", {"do": "sleep", "ms": 1500})))
        t.start()
        d.under_way("slow")
        os.killpg(d.process.pid, signal.SIGINT)
        t.join()
        self.assertEqual((out[0].status, out[0].json), (200, {"slept": 1500}))
        self.assertEqual(d.process.wait(100 * SLOW), 0)
        self.leaves_nothing(d)

    def test_an_end_while_the_worker_is_not_there(self):
        d = self.daemon()
        d.create("f")
        d.do("f", "echo")
        for _ in range(30):
            self.kill(d, "worker")
            if "in a row" in d.log():
                break
        self.assertEqual(d.stop(), 0, d.log()[-2000:])
        self.leaves_nothing(d)

    def test_the_service_manager_is_told(self):
        path = f"/tmp/fnd-notify-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(path)
            self.addCleanup(os.unlink, path)
            s.settimeout(PATIENCE)
            d = self.daemon(env={"NOTIFY_SOCKET": path})
            ready = f"READY=1\nSTATUS=serving on http://127.0.0.1:{d.port}"
            self.assertEqual(s.recv(500).decode(), ready)
            self.kill(d, "worker")
            self.assertEqual(s.recv(500), b"STATUS=the worker was ended by signal 9 (Killed); starting it again")
            self.assertEqual(s.recv(500).decode(), ready)
            d.process.send_signal(signal.SIGHUP)
            self.assertRegex(s.recv(500).decode(), r"^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=reloading$")
            self.assertEqual(s.recv(500).decode(), ready)
            d.process.send_signal(signal.SIGTERM)
            self.assertEqual(s.recv(500), b"STOPPING=1")
            self.assertEqual(d.process.wait(100 * SLOW), 0)

    def test_the_worker_is_not_for_others_to_start(self):
        p = subprocess.run([os.path.join(BUILD, "fnd"), "--worker", "0:0", "--state", "/nonexistent"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual((p.returncode, p.stderr), (2, b"fnd: --worker is for fnd's own use\n"))


class Control(Supervised):
    """The control socket: root, and the group that is configured, without signature, origin or key; nobody else."""
    GROUP = 54321

    def at(self, d, *args, uid=None, gid=65534, groups=(), env=None):
        def become():
            if uid is not None:
                os.setgroups(list(groups))
                os.setgid(gid)
                os.setuid(uid)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "FNCTL_"))}
        return subprocess.run([os.path.join(BUILD, "fnctl"), "--endpoint", f"unix:{d.state}/control.sock", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, env={**clean, **(env or {})}, preexec_fn=become, cwd="/")

    def test_root_needs_no_key(self):
        d = self.daemon({"credentials": [{"access_key_id": "id", "secret_access_key": "key"}]})
        path = os.path.join(d.state, "control.sock")
        st = os.stat(path)
        self.assertEqual((st.st_uid, st.st_gid, st.st_mode & 0o777), (0, 0, 0o660))
        self.assertEqual(d.request("GET", "/2015-03-31/functions").status, 403)
        code = os.path.join(d.state + ".code")
        os.mkdir(code)
        self.addCleanup(shutil.rmtree, code)
        shutil.copy(os.path.join(BUILD, "fixtures/bootstrap"), code)
        for env in None, {"AWS_ACCESS_KEY_ID": "another", "AWS_SECRET_ACCESS_KEY": "wrong"}:
            p = self.at(d, "deploy", "f", "--runtime", "provided.al2023", "--handler", "x", "--code", code, env=env)
            self.assertEqual(p.returncode, 0, p.stderr)
        p = self.at(d, "invoke", "f", '{"a": 1}')
        self.assertEqual((p.returncode, json.loads(p.stdout)), (0, {"a": 1}), p.stderr)
        self.assertNotEqual(self.at(d, "list", uid=65534).returncode, 0)
        self.kill(d, "worker")
        self.assertEqual(self.at(d, "list").returncode, 0)
        self.ends_clean(d)
        self.assertFalse(os.path.exists(path))

    def test_the_group_may_and_others_may_not(self):
        name = f"fndtest{os.getpid()}"
        subprocess.run(["groupadd", "-g", str(self.GROUP), name], check=True)
        self.addCleanup(subprocess.run, ["groupdel", name])
        d = self.daemon({"control_group": name})
        self.assertEqual(os.stat(os.path.join(d.state, "control.sock")).st_gid, self.GROUP)
        self.assertEqual(self.at(d, "list", uid=65534, groups=[self.GROUP]).returncode, 0)
        self.assertEqual(self.at(d, "list", uid=65534, gid=self.GROUP).returncode, 0)
        p = self.at(d, "list", uid=65534)
        self.assertEqual(p.returncode, 3, p)
        os.chmod(os.path.join(d.state, "control.sock"), 0o666)  # the kernel lets everybody connect now; fnd still asks it who that is
        p = self.at(d, "list", uid=65534)
        self.assertEqual(p.returncode, 3, p)
        self.assertEqual(self.at(d, "list", uid=65534, groups=[1, self.GROUP, 7]).returncode, 0)
        d.set_config({})
        d.process.send_signal(signal.SIGHUP)
        wait_until("the group is none any more", lambda: os.path.exists(os.path.join(d.state, "control.sock")) and os.stat(os.path.join(d.state, "control.sock")).st_gid == 0)
        self.assertEqual(self.at(d, "list", uid=65534, groups=[self.GROUP]).returncode, 3)
        self.assertEqual(self.at(d, "list").returncode, 0)
        self.ends_clean(d)

    def test_a_group_that_is_not_there(self):
        d = Daemon({"control_group": "no-such-group"})
        d.killed = True
        self.addCleanup(d.remove)
        d.start(wait=False)
        self.assertEqual(d.process.wait(100 * SLOW), 1)
        self.assertIn('"control_group": there is no group "no-such-group"', d.log())

    def test_a_request_that_runs_there_is_waited_for_at_the_end(self):
        d = self.daemon()
        d.create("slow", Timeout=20)
        d.do("slow", "echo")
        out = []
        t = threading.Thread(target=lambda: out.append(self.at(d, "invoke", "slow", '{"do": "sleep", "ms": 1500}')))
        t.start()
        d.under_way("slow")
        self.ends_clean(d)
        t.join()
        self.assertEqual((out[0].returncode, json.loads(out[0].stdout)), (0, {"slept": 1500}), out[0].stderr)
