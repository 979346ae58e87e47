"""What the tests of a real daemon share: starting and ending it, its API, packages, and proof that nothing is left behind."""
import base64, collections, contextlib, ctypes, glob, hashlib, http.client, io, json, os, random, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time, unittest, zipfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("FND_BUILD", os.path.join(TOP, "build"))
IMAGES = os.environ.get("FND_IMAGES", os.path.join(TOP, "build/images"))
ROLE = "arn:aws:iam::000000000000:role/test"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
SANITIZED = "san-" in BUILD
SLOW = float(os.environ.get("FND_SLOW", "1")) * (3 if SANITIZED else 1)  # patience on emulated machines and with sanitizers

PYTHON = os.environ.get("FND_TEST_PYTHON", "python3.11")  # the tests of Python, on another version of it
DEFAULTS = json.loads(os.environ.get("FND_TEST_CONFIG", "{}"))  # make check FND_TEST_CONFIG='{"freeze_grace_ms": 0}': all of it so configured

BASIC = sorted({"provided.al2023", "python3.11", PYTHON})  # the images that most tests' functions want

HOLD = """
    while event.get("hold") and not __import__("os").path.exists("/tmp/" + event["hold"]):
        __import__("time").sleep(0.01)
"""  # of a Python handler's body; Daemon.together()

_template = None
_daemons = []
_complaints = []


PATIENCE = min(100 * SLOW, 480)  # seconds for a state that comes by itself: ten times what a busy machine takes; it costs nothing when all is well


def wait_until(what, condition, seconds=None):
    """`what` is said when the condition does not come true: a text, or what makes one of the state that it is in then. `seconds` only where more than PATIENCE may be needed, or less is the point."""
    seconds = PATIENCE if seconds is None else seconds * SLOW
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:.0f} s: {what() if callable(what) else what}")
        time.sleep(0.02)


def often(attempt, times=4):
    """For what is measured in time by nature: it has to succeed once, for a busy machine may spoil it."""
    for n in range(times):
        try:
            return attempt()
        except AssertionError:
            if n == times - 1:
                raise


_ports = collections.deque(maxlen=200)  # locks, for as long as this process has them and has not taken so many others


def free_port():
    """One that nobody has, or takes before its server does: no client's, which the kernel chooses from 32768 on, and locked against other tests by a socket of that name."""
    for _ in range(20000):
        port, lock = random.randrange(10000, 32768), socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0fnd-test-port-{port}")
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _ports.append(lock)
        return port
    raise AssertionError("no port is free")


_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def in_netns(name):
    """This thread, for a while, in a network namespace of `ip netns`; sockets made there stay there. None: where we are."""
    if name is None:
        yield
        return
    def enter(path):
        with open(path) as f:
            if _libc.setns(f.fileno(), 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), f"setns {path}")
    own = f"/proc/self/task/{threading.get_native_id()}/ns/net"
    with open(own) as back:
        enter(f"/run/netns/{name}")
        try:
            yield
        finally:
            if _libc.setns(back.fileno(), 0x40000000) != 0:
                os._exit(99)  # nothing after this would be where it thinks it is


def make_zip(files, modes=None):
    """{name: bytes or str} -> zip bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (2023, 1, 1, 0, 0, 0))
            info.external_attr = ((modes or {}).get(name, 0o755 if name == "bootstrap" else 0o644) | 0o100000) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            z.writestr(info, content)
    return out.getvalue()


_native = None


def native_zip():
    global _native
    if _native is None:
        with open(os.path.join(BUILD, "fixtures/bootstrap"), "rb") as f:
            _native = make_zip({"bootstrap": f.read()})
    return _native


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.headers.get("x-amz-function-error")

    @property
    def error_type(self):
        return self.headers.get("x-amzn-errortype")

    @property
    def log(self):
        return base64.b64decode(self.headers.get("x-amz-log-result", "")).decode("utf-8", "replace")

    def __repr__(self):
        return f"Reply({self.status}, {self.body[:300]!r})"


def bundle(directory, names, place=os.symlink):
    """The bundles of these images alone, in a directory that is there. Returns it."""
    for name in names:
        with open(os.path.join(IMAGES, name + ".json")) as f:
            files = [name + ".json"] + [layer["file"] for layer in json.load(f)["layers"]]
        for file in files:
            if not os.path.lexists(os.path.join(directory, file)):
                place(os.path.join(os.path.abspath(IMAGES), file), os.path.join(directory, file))
    return directory


class Daemon:
    """One fnd with a state directory of its own. images: whether it has those that are built, or the names of those that it has."""

    def __init__(self, config=None, state=None, images=True, env=None, args=(), netns=None):
        self.netns = netns
        self.port = free_port()
        self.own_state = state is None
        self.state = state or tempfile.mkdtemp(prefix="fnd-test-", dir=os.environ.get("FND_TEST_DIR", "/var/tmp"))
        if images and self.own_state and _template and self is not _template:
            self._link_template(glob.glob(_template.state + "/images/*") if images is True else [f"{_template.state}/images/{name}.json" for name in images])
        self.log_path = self.state + ".log"
        self.config_path = self.state + ".json"
        self.bundles = self.state + ".images"
        if images and images is not True:
            os.mkdir(self.bundles)
            bundle(self.bundles, images)
        self.images = IMAGES if images is True else self.bundles if images else "/nonexistent"
        self.env = dict(os.environ, **(env or {}))
        self.env.setdefault("ASAN_OPTIONS", "detect_leaks=1:exitcode=99")
        self.args = list(args)
        self.process = None
        self.set_config(config or {})
        _daemons.append(self)

    def set_config(self, config):
        self.config = config
        with open(self.config_path, "w") as f:
            json.dump({"runtimes": os.path.join(TOP, "config/runtimes.json"), "gateway": {"listen": ""}, **DEFAULTS, **config}, f)

    def _link_template(self, manifests):
        """Base images are unpacked once; others link to them."""
        trees = set()
        for path in manifests:
            with open(path) as f:
                trees.update(os.path.join(_template.state, "roots", tree) for tree in json.load(f)["layers"])
        for directory, flags, what in (("roots", ["--link"], trees), ("images", [], manifests)):
            os.mkdir(os.path.join(self.state, directory))
            subprocess.run(["cp", "-a", *flags, *what, os.path.join(self.state, directory)], check=True)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def instance(self):
        return "fnd-" + hashlib.sha256(os.path.realpath(self.state).encode()).hexdigest()[:12]

    def start(self, wait=True):
        self.log_file = open(self.log_path, "ab")
        self.process = subprocess.Popen((["nsenter", f"--net=/run/netns/{self.netns}"] if self.netns else []) + [os.path.join(BUILD, "fnd"), "--listen", f"127.0.0.1:{self.port}", "--state", self.state, "--config", self.config_path,
                                         "--images", self.images] + self.args, stdout=self.log_file, stderr=self.log_file, env=self.env, start_new_session=True)  # as a service: a hang-up is to read its configuration again
        self.log_file.close()
        if wait:
            wait_until(lambda: f"fnd is ready\n{self.log()}", self.is_ready)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"fnd ended with status {self.process.returncode}:\n{self.log()}")
        try:
            return all(self.request("GET", "/healthz", timeout=60, control=c).status == 200 for c in (True, False))  # at the port alone it might be another's
        except OSError:
            return False

    def images_installed(self):
        """All of the bundles; it serves before, and whoever wants one waits for that one alone."""
        wait_until(lambda: f"all base images are there: {self.log()[-1000:]}", lambda: not any(i["Installing"] for i in self.request("GET", "/_fnd/images").json["Images"]), 300)

    def log(self):
        with contextlib.suppress(OSError):
            with open(self.log_path, errors="replace") as f:
                return f.read()
        return ""

    def stop(self, signo=signal.SIGTERM, timeout=100):
        """Ends it; returns its exit status."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signo)
            self.process.wait(timeout * SLOW)
        return self.process.returncode if self.process else None

    def remove(self):
        self.stop()
        if SANITIZED and re.search(r"ERROR: |runtime error|WARNING: ThreadSanitizer", self.log()):
            _complaints.append("sanitizer: " + self.log()[-5000:])
        with contextlib.suppress(ValueError):
            _daemons.remove(self)
        if self.own_state:
            shutil.rmtree(self.state, ignore_errors=True)
            shutil.rmtree(self.bundles, ignore_errors=True)
            for p in (self.log_path, self.config_path):
                with contextlib.suppress(OSError):
                    os.unlink(p)

    # --- the API ---
    def request(self, method, path, body=None, headers=None, timeout=120, control=False):
        """control: by the control socket, as who administers the machine, of whom no signature is asked."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            if control:
                c.sock = socket.socket(socket.AF_UNIX)
                c.sock.settimeout(timeout)
                c.sock.connect(self.state + "/control.sock")
            else:
                with in_netns(self.netns):
                    c.connect()
            c.request(method, path, body=json.dumps(body) if isinstance(body, (dict, list)) else body, headers=headers or {})
            r = c.getresponse()
            return Reply(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())
        finally:
            c.close()

    def create(self, name, zip_bytes=None, runtime="provided.al2023", handler="bootstrap", expect=201, **more):
        body = {"FunctionName": name, "Role": ROLE, "Runtime": runtime, "Handler": handler, "Code": {"ZipFile": base64.b64encode(zip_bytes or native_zip()).decode()},
                "Timeout": 30, **more}  # not the usual 3 s, in which a busy machine need not give it its turn
        r = self.request("POST", "/2015-03-31/functions", body)
        if expect and r.status != expect:
            raise AssertionError(f"create {name}: {r}")
        return r

    def create_python(self, name, source, **more):
        return self.create(name, make_zip({"f.py": source}), runtime=PYTHON, handler="f.handler", **more)

    def settled(self, name):
        """Waits until it is Active and its last update is in force."""
        def is_settled():
            now = self.request("GET", f"/2015-03-31/functions/{name}/configuration").json
            return now["State"] != "Pending" and now["LastUpdateStatus"] != "InProgress"
        wait_until(f"{name} is in force", is_settled)

    def configure(self, name, **members):
        self.settled(name)
        r = self.request("PUT", f"/2015-03-31/functions/{name}/configuration", members)
        if r.status != 200:
            raise AssertionError(f"configure {name}: {r}")
        self.settled(name)
        return r

    def invoke(self, name, payload=None, tail=False, headers=None, timeout=120, query=""):
        h = dict(headers or {})
        if tail:
            h["X-Amz-Log-Type"] = "Tail"
        return self.request("POST", f"/2015-03-31/functions/{name}/invocations{query}", payload, h, timeout)

    def in_turn(self, name, *args, **more):
        """invoke(), by the environment that has served before, as who calls one after the other expects: an answer comes before its environment asks for more. Others may call at the same time."""
        self.idle(name, "finishing")
        return self.invoke(name, *args, **more)

    def do(self, name, what, **numbers):
        """The native test runtime does `what`, in_turn(); its answer as JSON."""
        r = self.in_turn(name, {"do": what, **numbers})
        if r.status != 200 or r.error:
            raise AssertionError(f"{what}: {r}")
        return r.json

    def delete(self, name):
        """With its log, which outlives it: the next test's function of that name finds none."""
        r = self.request("DELETE", f"/2015-03-31/functions/{name}")
        if r.status == 204:
            self.request("POST", "/", json.dumps({"logGroupName": f"/aws/lambda/{name}"}), {"X-Amz-Target": "Logs_20140328.DeleteLogGroup"})
        return r

    def fnctl(self, *args):
        return subprocess.run([os.path.join(BUILD, "fnctl"), "--endpoint", self.endpoint, *args], capture_output=True, text=True, timeout=120 * SLOW)

    def doctor(self):
        return self.request("GET", "/_fnd/doctor").json

    def metric(self, name, **labels):
        want = ",".join(f'{k}="{v}"' for k, v in labels.items())
        m = re.search(rf"^{name}{{{want}}} (\S+)$", self.request("GET", "/_fnd/metrics", control=True).body.decode(), re.M)
        return float(m.group(1)) if m else None

    def under_way(self, name, n=1):
        """Waits until n invocations of the function are, or more; 0: until none is any more."""
        wait_until(f"{n} invocations of {name} are under way", lambda: (self.metric("fnd_concurrent_executions", function=name) or 0) >= n if n else self.metric("fnd_concurrent_executions", function=name) == 0)

    def idle(self, name, *states):
        """Waits until every environment of the function has asked for more: whoever calls next is served by one that is there. states: until none is in these alone, as others may serve meanwhile."""
        function = name.split(":")[0]
        wait_until(f"the environments of {name} idle", lambda: not any(self.metric("fnd_environments", function=function, state=s) for s in states or ("busy", "finishing")))

    def together(self, name, n, call):
        """call(event) n times, each in an environment of its own, which it holds until all of them have one: a function's handler begins with HOLD. What they returned."""
        with self.held(name, call, n) as out:
            pass
        if len(out) != n:
            raise AssertionError(f"{n} invocations of {name} side by side: {out}")
        return out

    @contextlib.contextmanager
    def held(self, name, call, n=1):
        """n invocations by call(event) are under way until the block ends, however long that takes: a function's handler begins with HOLD. Yields the list that what they returned gets into."""
        out, file = [], f"go-{random.getrandbits(64):x}"
        threads = [threading.Thread(target=lambda: out.append(call({"hold": file}))) for _ in range(n)]
        [t.start() for t in threads]
        try:
            wait_until(f"{n} environments of {name} are busy", lambda: (self.metric("fnd_environments", function=name, state="busy") or 0) >= n or not all(t.is_alive() for t in threads))
            yield out
        finally:
            self.let_go(file, *threads)

    def let_go(self, file, *threads):
        """Those who are held by this file, until these threads have ended."""
        while any(t.is_alive() for t in threads):
            for pid in self.pids()["sandbox"]:
                with contextlib.suppress(OSError):
                    open(tmp_of(pid, file), "w").close()
            time.sleep(0.02)

    def at_rest(self):
        """Waits until every environment idles and is frozen: the next invocation goes to the one that served the last."""
        def frozen():
            states = []
            for g in self.groups():
                with contextlib.suppress(OSError), open(os.path.join(g, "cgroup.events")) as f:  # of v1's, or gone
                    states.append("frozen 1" in f.read())
            return states and all(states)
        wait_until("idle environments are frozen", frozen)

    # --- processes and what they hold ---
    def pids(self):
        """{name: [pid]} of supervisor, worker, fn-gateway, fn-events, fn-spawnd, its keeper of /tmp, sandboxes, and sandboxes made ahead, which serve nobody yet."""
        out = {"supervisor": [], "worker": [], "gateway": [], "events": [], "spawnd": [], "keeper": [], "sandbox": [], "prepared": []}
        if self.process and self.process.poll() is None:
            out["supervisor"] = [self.process.pid]
            for pid in children(self.process.pid):
                if comm(pid) == "fn-spawnd":
                    out["spawnd"].append(pid)
                elif comm(pid) == "fn-gateway":
                    out["gateway"].append(pid)
                elif comm(pid) == "fn-events":
                    out["events"].append(pid)
                elif uid_of(pid):  # else it is one of them that is just being started
                    out["worker"].append(pid)
        for pid in out["spawnd"]:
            for init in children(pid):
                if comm(init) == "fn-keeper":
                    out["keeper"].append(init)
                    continue
                if comm(init) in ("fn-unpack", "fn-fetch"):  # no sandbox, and it ends by itself
                    continue
                below = descendants(init)
                ahead = all(comm(p) in ("fn-ready", "fn-init", "fn-spawnd", "") for p in below) and comm(init) in ("fn-init", "fn-spawnd", "")
                out["prepared" if ahead else "sandbox"] += [init] + below
        return out

    def kill_9(self, *kinds):
        """All processes of these kinds, the supervisor among them, one right after the other."""
        pids = self.pids()
        for pid in [p for kind in kinds for p in pids[kind]]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def groups(self):
        """The groups of sandboxes, but for those made ahead."""
        found = {}
        for base, dirs, _ in os.walk("/sys/fs/cgroup"):
            if os.path.basename(base) == self.instance:
                found.update({os.path.join(base, d): d for d in dirs})
                dirs[:] = []
        ahead = set(map(str, self.pids()["prepared"]))
        names = set()
        for path, name in found.items():
            with contextlib.suppress(OSError):
                with open(os.path.join(path, "cgroup.procs")) as f:
                    if set(f.read().split()) & ahead:
                        names.add(name)
        return [path for path, name in found.items() if name not in names]

    def parent_groups(self):
        return [b for b, _, _ in os.walk("/sys/fs/cgroup") if os.path.basename(b).startswith(self.instance)]

    def loop_devices(self):
        """Those of /tmp, by what they lie on: files without a name in the directory for them."""
        found, where = [], self.config.get("tmp", {}).get("dir", self.state)
        for path in glob.glob("/sys/block/loop*/loop/backing_file"):
            with contextlib.suppress(OSError), open(path) as f:
                if os.path.dirname(f.read().strip()) == os.path.realpath(where):
                    found.append(path.split("/")[3])
        return found

    def leftovers(self):
        """After its end: what should not be there any more."""
        found = [f"cgroup {g}" for g in self.parent_groups()]
        with open("/proc/mounts") as f:
            found += [f"mount {l.split()[1]}" for l in f if self.state in l]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if self.state.encode() in f.read():
                        found.append(f"process {pid}")
        found += [f"loop device {p}" for p in self.loop_devices()]
        found += [f"half-made tree {t}" for t in glob.glob(os.path.join(self.state, "roots/.tmp-*"))]
        return found


def tmp_of(pid, *names):
    """Where a process has /tmp, or a file in it, as this process sees it."""
    return os.path.join("/proc", str(pid), "root", "tmp", *names)


def children(pid):
    out = []
    for task in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError):
            with open(task) as f:
                out += [int(p) for p in f.read().split()]
    return out


def descendants(pid):
    out = []
    for c in children(pid):
        out += [c] + descendants(c)
    return out


def comm(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/comm") as f:
            return f.read().strip()
    return ""


def uid_of(pid):
    with contextlib.suppress(OSError, AttributeError):
        with open(f"/proc/{pid}/status") as f:
            return int(re.search(r"^Uid:\s+(\d+)", f.read(), re.M).group(1))
    return 0


def descriptors(pid):
    """What a process holds open: descriptor -> target. One that is closed meanwhile is left out."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[fd] = os.readlink(f"/proc/{pid}/fd/{fd}")
    return found


def rss_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


_shared = {}


def shared(config=None):
    """A daemon that several tests use; one per configuration."""
    global _template
    if _template is None:
        _template = Daemon()
        _template.start()
        _template.images_installed()
    if not config:
        return _template
    key = json.dumps(config, sort_keys=True)
    if key not in _shared:
        _shared[key] = Daemon(config).start()
    return _shared[key]


def boto(daemon, service="lambda", **kw):
    import boto3
    from botocore.config import Config
    return boto3.client(service, endpoint_url=daemon.endpoint, region_name="us-east-1", aws_access_key_id=kw.get("key", "test"), aws_secret_access_key=kw.get("secret", "test"), aws_session_token=kw.get("token"),
                        config=Config(retries={"max_attempts": 0}, read_timeout=120, parameter_validation=kw.get("validate", True)))


def end_all():
    """Ends every daemon still there; what they left, as complaints."""
    for d in list(_daemons):
        try:
            status = d.stop()
            if d.process and status != 0 and not getattr(d, "killed", False):
                _complaints.append(f"fnd exited with status {status}: ...{d.log()[-3000:]}")
            wait_until("fnd left nothing", lambda: not d.leftovers())
        except Exception as e:
            _complaints.append(f"{e}: {d.leftovers()}")
        d.remove()
    return _complaints


# What others' software is built from source for, which takes a minute or two of two processors.
built_long = unittest.skipUnless(os.environ.get("FND_CHECK_PACKAGES"), "make check-packages")


class Case(unittest.TestCase):
    """`d` is the daemon that tests share; daemon() starts one that a test has to itself."""
    maxDiff = 4000
    killed = False  # whether how its own daemons end is each test's business
    images = True   # which its own daemons have: True, all; BASIC is linked in a tenth of the time

    @classmethod
    def setUpClass(cls):
        cls.d = shared()

    def daemon(self, config=None, start=True, env=None, args=(), netns=None, **keys):
        """One of this test's own, with the configuration's keys. When the test is over it must end as it should and leave nothing, unless killed is set, here or on it."""
        shared()  # has unpacked the base images
        d = Daemon({**(config or {}), **keys}, images=self.images, env=env, args=args, netns=netns)
        d.killed = self.killed
        self.addCleanup(d.remove)
        self.addCleanup(lambda: d.killed or not d.process or self.ends_clean(d))
        return d.start() if start else d

    def ends_clean(self, d):
        self.assertEqual(d.stop(), 0, d.log()[-3000:])
        self.leaves_nothing(d)

    def leaves_nothing(self, d):
        wait_until(lambda: f"nothing is left: {d.leftovers()}", lambda: not d.leftovers())

    def function(self, name=None, zip_bytes=None, **more):
        """A native function that this test has to itself."""
        name = name or "t-" + self.id().split(".")[-1].replace("_", "-")[:50]
        self.d.delete(name)
        self.d.create(name, zip_bytes, **more)
        self.addCleanup(self.d.delete, name)
        return name

    def python(self, source, name=None, **more):
        return self.function(name, make_zip({"f.py": source}), runtime=PYTHON, handler="f.handler", **more)


class BotoCase(Case):
    """The API through boto3: `c` checks what it sends, `raw` does not."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.c = boto(cls.d)
        cls.raw = boto(cls.d, validate=False)

    def function(self, *args, **more):
        f = super().function(*args, **more)
        self.d.settled(f)
        return f

    def fails(self, code, call, **kw):
        """The message of the error that it must fail with."""
        with self.assertRaises(self.c.exceptions.ClientError) as e:
            call(**kw)
        self.assertEqual(e.exception.response["Error"]["Code"], code, e.exception)
        return e.exception.response["Error"]["Message"]

    def change(self, f, **kw):
        """So that the next version is a new one."""
        self.update(f, Description=f"d{random.random()}", **kw)

    def update(self, f, **kw):
        """Code (ZipFile) or configuration, in force when it returns; what the call answered."""
        self.d.settled(f)
        answer = (self.c.update_function_code if "ZipFile" in kw else self.c.update_function_configuration)(FunctionName=f, **kw)
        self.d.settled(f)
        return answer

    def publish(self, f, **kw):
        self.d.settled(f)
        return self.c.publish_version(FunctionName=f, **kw)["Version"]
