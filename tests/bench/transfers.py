"""A function's warm invocations while code comes: functions created, packages uploaded, bodies that are refused, packages from S3, container images from a registry.
Beside two others of the same turn: a quiet machine, and as many processes as there are CPUs, and one more, that only take CPU. And what memory fnd's worker has meanwhile."""
import base64, contextlib, http.client, io, json, os, random, subprocess, tempfile, threading, time, zipfile

import harness, images_to_pull, ociimages, s3servers
from common import EVENT, INVOKE, create, run_json, runtimes, tool, wait_active
from invocations import daemon

FUNCTIONS = "/2015-03-31/functions"
MARK = 12  # bytes at a package's end that make it another; 16 of base64


def package(mb):
    """A zip that packs to so much."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        z.writestr("f.py", "def handler(event, context):\n    return event\n")
        rng = random.Random(3)
        for i in range(mb):
            z.writestr(f"data/{i}", rng.randbytes(1 << 20))
        z.comment = b"0" * MARK
    data = out.getvalue()
    if len(data) % 3:  # so that its last bytes are the last letters of its base64, too
        with zipfile.ZipFile(out, "a") as z:
            z.comment = b"0" * (MARK + 3 - len(data) % 3)
        data = out.getvalue()
    return data


class Others:
    """Threads that do something again and again until the turn is over. What goes wrong is told, not passed over."""

    def __init__(self, n, work):
        self.stop, self.done, self.errors = threading.Event(), 0, []
        self.threads = [threading.Thread(target=self._run, args=(i, work)) for i in range(n)]

    def _run(self, i, work):
        while not self.stop.is_set():
            try:
                work(i)
                self.done += 1
            except Exception as e:
                self.errors.append(repr(e))
                return

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exc):
        self.stop.set()
        for t in self.threads:
            t.join()


def post(d, method, path, body, expect, headers=()):
    c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=300)
    try:
        c.request(method, path, body, dict(headers))
        r = c.getresponse()
        text = r.read()
    finally:
        c.close()
    if r.status not in expect:
        raise RuntimeError(f"{method} {path}: {r.status} {text[:200]!r}")
    return text


class Loads:
    """What goes on beside: name -> (what it is, how many at once, one turn of it)."""

    def __init__(self, b, d, s3, registry, home):
        self.d, self.serial, self.lock = d, 0, threading.Lock()
        self.small = base64.b64encode(harness.make_zip({"f.py": "def handler(event, context):\n    return event\n", "data": random.Random(5).randbytes(100 << 10)})).decode()
        large = package(4 if b.quick else 48)
        self.large = base64.b64encode(large).decode()
        self.package = large
        s3.at["/bkt/code"] = self.object
        for i in range(8):
            create(d, f"up{i}", runtimes(d)["python"])
            create(d, f"s3{i}", runtimes(d)["python"])
        self.all = {"creates": ("50 clients that create functions of 100 KB and delete them", 50, self.creates), "uploads": ("eight uploads of 65 MB", 8, self.uploads),
                    "refused": ("500 clients that send bodies of 69 MB, more than is taken", 50 if b.quick else 500, self.refused), "s3": ("eight packages of 48 MB from S3", 8, self.from_s3)}
        if registry:
            self.uri = registry.push(images_to_pull.image("200"), "bench", "200")
            self.all["images"] = ("an image of 216 MB from a registry, again and again", 1, self.images)

    def next(self):
        with self.lock:
            self.serial += 1
            return self.serial

    def mark(self):
        return f"{self.next():0{MARK}d}".encode()

    def creates(self, i):
        n = self.next()
        post(self.d, "POST", FUNCTIONS, json.dumps({"FunctionName": f"c{n}", "Runtime": "python3.11", "Handler": "f.handler", "Role": harness.ROLE, "Code": {"ZipFile": self.small}}), (201,))
        post(self.d, "DELETE", f"{FUNCTIONS}/c{n}", None, (204,))

    def uploads(self, i):
        post(self.d, "PUT", f"{FUNCTIONS}/up{i}/code", json.dumps({"ZipFile": self.large[:-16] + base64.b64encode(self.mark()).decode()}), (200, 409, 429))

    def refused(self, i):
        c = http.client.HTTPConnection("127.0.0.1", self.d.port, timeout=300)
        try:
            c.putrequest("PUT", f"{FUNCTIONS}/up0/code")
            c.putheader("Content-Length", str(69 << 20))
            c.putheader("Authorization", "AWS4-HMAC-SHA256 Credential=nobody/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=" + "0" * 64)
            c.endheaders()
            with contextlib.suppress(OSError):
                for _ in range(8):
                    c.send(b"x" * (1 << 20))
            with contextlib.suppress(OSError, http.client.HTTPException):
                c.getresponse().read()
        finally:
            c.close()

    def object(self, connection, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.package))
        connection.sendall(memoryview(self.package)[:-MARK])
        connection.sendall(self.mark())

    def from_s3(self, i):
        post(self.d, "PUT", f"{FUNCTIONS}/s3{i}/code", json.dumps({"S3Bucket": "bkt", "S3Key": "code"}), (200, 409, 429))

    def images(self, i):
        name = f"oci{self.next()}"
        images_to_pull.pull(self.d, self.uri, name, invoke=False)
        self.d.delete(name)
        images_to_pull.gone(self.d)


def memory_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(l.split()[1]) for l in f if l.startswith("VmRSS:"))


def p99(d, seconds):
    out = run_json([tool("load"), "--body", EVENT, "--connections", 1, "--slices", 1, "--seconds", seconds, "--target", f"n={d.port}{INVOKE.format('n')}"])["targets"]["n"]
    if out["errors"]:
        raise RuntimeError(f"the warm function: {out['error']}")
    return out["slices"][0]["p99_us"]


def beside(b, d, load, seconds):
    """p99 and the most memory that the worker had."""
    what, n, work = load
    worker, most, stop = d.pids()["worker"][0], [], threading.Event()

    def watch():
        while not stop.wait(0.05):
            most.append(memory_kb(worker))
    with Others(n, work) as others:
        time.sleep(1)
        watcher = threading.Thread(target=watch)
        watcher.start()
        took = p99(d, seconds)
        stop.set()
        watcher.join()
    if others.errors:
        b.note(f"{what}: {len(others.errors)} clients gave up, the first with {others.errors[0]}")
    return took, max(most, default=0), others.done


def only_cpu(d, seconds):
    hogs = [subprocess.Popen(["/usr/bin/python3", "-c", "while True: pass"]) for _ in range(os.cpu_count() + 1)]
    try:
        time.sleep(0.5)
        return p99(d, seconds)
    finally:
        for h in hogs:
            h.kill()
            h.wait()


def measure(b, d, loads):
    rounds, seconds = (1, 1) if b.quick else (5, 3)
    create(d, "n", runtimes(d)["native"])
    wait_active(d, ["n"])
    p99(d, 0.5)
    for name, load in loads.all.items():
        b.say(f"warm invocations beside {load[0]}")
        quiet, busy, during, most, done = [], [], [], 0, 0
        before = memory_kb(d.pids()["worker"][0])
        for _ in range(rounds):
            quiet.append([p99(d, seconds)])
            took, kb, n = beside(b, d, load, seconds)
            during.append([took])
            most, done = max(most, kb), done + n
            time.sleep(1)  # what was begun ends
            busy.append([only_cpu(d, seconds)])
        figure = f"warm_p99_beside_{name}_us"
        b.figure(figure, during, what=f"one function's while there are {load[0]}", done=done, memory_kb=[before, most])
        b.peer(figure, "quiet", quiet, aim=2)
        b.peer(figure, "processes that only take CPU", busy)
        b.value(f"fnd_memory_beside_{name}_kb", most - before, "kB", aim=64 << 10)


def transfers(b):
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="fnd-bench-", dir="/var/tmp"))
        s3 = s3servers.Hostile()
        stack.callback(s3.end)
        try:
            os.makedirs(f"{home}/r")
            registry = ociimages.Registry(f"{home}/r")
            stack.callback(registry.end)
        except Exception as e:  # no docker-registry to be had
            b.note(f"images: not measured: {e}")
            registry = None
        config = {"s3": {"endpoint": s3.endpoint}, "account_concurrency": 1000}
        if registry:
            config["registries"] = {"hosts": {registry.host: {"plain_http": True}}}
        d = stack.enter_context(daemon(config))
        measure(b, d, Loads(b, d, s3, registry, home))
