"""Results in pieces: InvokeWithResponseStream and what it gets from runtimes that stream, that do not, and that end in the midst of it."""
import base64, http.client, json, os, re, signal, socket, struct, subprocess, threading, time, unittest, zlib
from harness import *
import pypi

OPEN = "/2021-11-15/functions/{}/response-streaming-invocations"


class Stream:
    """An answer as it comes: event-stream messages, each with both its checksums right."""

    def __init__(self, daemon, name, payload, headers=None, query="", receive=None, timeout=120):
        self.s = socket.socket()
        if receive:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.s.settimeout(timeout * SLOW)
        self.s.connect(("127.0.0.1", daemon.port))
        body = json.dumps(payload).encode()
        lines = [f"POST {OPEN.format(name)}{query} HTTP/1.1", f"Host: 127.0.0.1:{daemon.port}", f"Content-Length: {len(body)}"] + [f"{k}: {v}" for k, v in (headers or {}).items()]
        self.s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        self.f = self.s.makefile("rb")
        self.status = int(self.f.readline().split()[1])
        self.headers = {}
        while (line := self.f.readline()) != b"\r\n":
            k, v = line.decode().split(":", 1)
            self.headers[k.lower()] = v.strip()
        self.rest = b""

    def chunk(self):
        n = int(self.f.readline(), 16)
        data = self.f.read(n)
        self.trailers = b""
        while n == 0 and (line := self.f.readline()) != b"\r\n":
            self.trailers += line
        if n:
            assert self.f.readline() == b"\r\n"
        return data

    def take(self, n):
        while len(self.rest) < n:
            more = self.chunk()
            if not more:
                raise EOFError(self.rest)
            self.rest += more
        data, self.rest = self.rest[:n], self.rest[n:]
        return data

    def event(self):
        prelude = self.take(12)
        total, n = struct.unpack(">II", prelude[:8])
        assert zlib.crc32(prelude[:8]) == struct.unpack(">I", prelude[8:])[0]
        rest = self.take(total - 12)
        assert zlib.crc32(prelude + rest[:-4]) == struct.unpack(">I", rest[-4:])[0]
        headers, at = {}, 0
        while at < n:
            name = rest[at + 1:at + 1 + rest[at]]
            at += 1 + rest[at]
            assert rest[at] == 7
            size = struct.unpack(">H", rest[at + 1:at + 3])[0]
            headers[name.decode()] = rest[at + 3:at + 3 + size].decode()
            at += 3 + size
        assert headers[":message-type"] == "event"
        return headers[":event-type"], rest[n:-4]

    def all(self):
        """(bytes, what InvokeComplete says); then the body has ended."""
        data = bytearray()
        while True:
            kind, payload = self.event()
            if kind == "InvokeComplete":
                assert self.chunk() == b"" and not self.rest
                return bytes(data), json.loads(payload)
            assert kind == "PayloadChunk"
            data += payload

    def close(self):
        self.f.close()
        self.s.close()


def stalled(daemon, pid):
    """Bytes of sockets' buffers, as the kernel counts them, that fnd has for streams: its sides of the connections to clients, and to this process."""
    def memory(argv, column):
        found = 0
        for line in subprocess.run(argv + ["ss", "-tmnHO"], capture_output=True, text=True, check=True).stdout.splitlines():
            words = line.split()
            if words[0] == "ESTAB" and words[column].endswith(f":{daemon.port}" if not argv else ":9001"):
                r, t, f, w = (int(re.search(rf"\b{k}(\d+)", line.split("skmem:(")[1]).group(1)) for k in ("r", "t", "f", "w"))
                found = max(found, r + max(t, w))
        return found
    return memory([], 3) + memory(["nsenter", "-t", str(pid), "-n"], 3)


class Streaming(Case):
    def open(self, f, payload, **more):
        self.d.idle(f, "finishing")
        s = Stream(self.d, f, payload, **more)
        self.addCleanup(s.close)
        return s

    def all(self, f, payload, **more):
        s = self.open(f, payload, **more)
        self.assertEqual(s.status, 200)
        return s.all()

    def test_pieces(self):
        f = self.function()
        s = self.open(f, {"do": "stream", "bytes": 300000, "chunk": 100000, "type": "text/plain"}, headers={"X-Amz-Log-Type": "Tail"})
        self.assertEqual((s.status, s.headers["content-type"], s.headers["x-amzn-remapped-content-type"], s.headers["x-amz-executed-version"]),
                         (200, "application/vnd.amazon.eventstream", "text/plain", "$LATEST"))
        data, end = s.all()
        self.assertEqual(data, b"a" * 100000 + b"b" * 100000 + b"c" * 100000)
        self.assertEqual(list(end), ["LogResult"])
        self.assertIn(f"END RequestId: {s.headers['x-amzn-requestid']}\nREPORT", base64.b64decode(end["LogResult"]).decode())
        first = self.d.do(f, "counter")
        self.assertEqual(self.all(f, {"do": "stream", "bytes": 0}), (b"", {}))
        self.assertEqual(self.d.do(f, "counter"), {**first, "served": first["served"] + 2})  # it went on all the time

    def test_what_runtimes_that_do_not_stream_answer(self):
        f = self.function()
        self.assertEqual(self.all(f, {"a": "ä"}), (json.dumps({"a": "ä"}).encode(), {}))
        self.assertEqual(self.all(f, None), (b"null", {}))
        data, end = self.all(f, {"do": "big", "bytes": 6291556})
        self.assertEqual((len(data), end), (6291556, {}))
        data, end = self.all(f, {"do": "stream", "mode": "none", "bytes": 6291557})  # chunked, as Go's client sends all it has
        self.assertEqual((len(data), end["ErrorCode"]), (6291556, "Function.ResponseSizeTooLarge"))
        self.assertEqual(json.loads(end["ErrorDetails"])["errorMessage"], "Response payload size exceeded maximum allowed payload size (6291556 bytes).")
        self.assertEqual(self.all(f, {"do": "raw"}), (b"plain {", {}))

    def test_a_plain_invoke_of_what_streams(self):
        f = self.function()
        r = self.d.invoke(f, {"do": "stream", "bytes": 200000, "chunk": 1000, "type": "text/x"})
        self.assertEqual((r.status, r.headers["content-type"], len(r.body), r.error), (200, "text/x", 200000, None))
        r = self.d.invoke(f, {"do": "stream", "bytes": 5, "fail": "My.Error", "body": "eyJlIjoxfQ=="})
        self.assertEqual((r.error, r.body), ("Unhandled", b'{"e":1}'))
        r = self.d.invoke(f, {"do": "stream", "bytes": 6291557, "chunk": 100000})
        self.assertEqual((r.error, r.json["errorType"]), ("Unhandled", "Function.ResponseSizeTooLarge"))

    def test_errors_before_the_first_byte(self):
        f = self.function()
        want = {"errorMessage": "as asked", "errorType": "Test.Error"}
        data, end = self.all(f, {"do": "error"})
        self.assertEqual((json.loads(data), end["ErrorCode"], json.loads(end["ErrorDetails"])), (want, "Unhandled", want))
        data, end = self.all(f, {"do": "exit", "code": 3}, headers={"X-Amz-Log-Type": "Tail"})
        self.assertRegex(json.loads(data)["errorMessage"], "^RequestId: .* Error: Runtime exited with error: exit status 3$")
        self.assertEqual(end["ErrorCode"], "Unhandled")
        self.assertIn("Error Type: Runtime.ExitError", base64.b64decode(end["LogResult"]).decode())
        self.d.configure(f, Timeout=1)
        data, end = self.all(f, {"do": "hang"})
        self.assertEqual((json.loads(data)["errorType"], end["ErrorCode"]), ("Sandbox.Timedout", "Unhandled"))

    def test_errors_in_midstream(self):
        """ErrorCode and ErrorDetails, and what the log's REPORT says."""
        f = self.function(Timeout=5)
        for then, code, details, report in (
                ({"fail": "My.Error", "body": "eyJlIjoxfQ=="}, "My.Error", '{"e":1}', "REPORT.*\tMax Memory Used: \\d+ MB\t(Init Duration: .*\t)?\n"),
                ({"fail": "My.Error"}, "My.Error", None, "REPORT.*\tMax Memory Used: \\d+ MB\t(Init Duration: .*\t)?\n"),
                ({"then": "cut"}, "Runtime.TruncatedResponse", None, "Error Type: Runtime.TruncatedResponse"),
                ({"then": "exit"}, "Runtime.TruncatedResponse", None, "Error Type: Runtime.ExitError"),
                ({"then": "kill"}, "Runtime.TruncatedResponse", None, "signal: killed\nRuntime.ExitError\nEND"),
                ({"then": "oom"}, "Runtime.TruncatedResponse", None, "Error Type: Runtime.OutOfMemory"),
                ({"then": "hang"}, "Sandbox.Timedout", "Task timed out after 5.00 seconds", "Status: timeout")):
            with self.subTest(then=then):
                data, end = self.all(f, {"do": "stream", "bytes": 5, **then}, headers={"X-Amz-Log-Type": "Tail"})
                self.assertEqual((data, end["ErrorCode"]), (b"aaaaa", code))
                self.assertIn(details, end["ErrorDetails"]) if details else self.assertNotIn("ErrorDetails", {k: v for k, v in end.items() if v})
                self.assertRegex(base64.b64decode(end["LogResult"]).decode(), report)
        self.assertEqual(self.all(f, {"do": "stream", "bytes": 3}), (b"aaa", {}))

    def test_an_end_that_is_told_late(self):
        """A function is killed for memory in the midst of its answer, and fn-spawnd comes to tell of it only later: that it was is known from the kernel, and waited for."""
        f = self.function(Timeout=20)
        pid, = self.d.pids()["spawnd"]
        s = self.open(f, {"do": "stream", "bytes": 5, "then": "oom"}, headers={"X-Amz-Log-Type": "Tail"})
        os.kill(pid, signal.SIGSTOP)
        try:
            self.assertEqual(s.event(), ("PayloadChunk", b"aaaaa"))
            time.sleep(1)
        finally:
            os.kill(pid, signal.SIGCONT)
        _, end = s.all()
        self.assertEqual(end["ErrorCode"], "Runtime.TruncatedResponse")
        self.assertIn("Error Type: Runtime.OutOfMemory", base64.b64decode(end["LogResult"]).decode())

    def test_refusals(self):
        f = self.function()
        def refused(name=f, payload=b"{}", headers={}, query=""):
            r = self.d.request("POST", OPEN.format(name) + query, payload, headers)
            return r.status, r.error_type, r.json.get("message") or r.json.get("Message")
        self.assertEqual(refused("t-none"), (404, "ResourceNotFoundException", f"Function not found: {ARN}t-none:$LATEST"))
        self.assertEqual(refused(query="?Qualifier=9"), (404, "ResourceNotFoundException", f"Function not found: {ARN}{f}:9"))
        self.assertEqual(refused(payload=b"{no")[:2], (400, "InvalidRequestContentException"))
        self.assertIn("Member must satisfy enum value set: [RequestResponse, DryRun]", refused(headers={"X-Amz-Invocation-Type": "Event"})[2])
        self.assertEqual(refused(payload=b"1" * 6291457)[:2], (413, "RequestEntityTooLargeException"))
        self.assertEqual(self.d.request("POST", OPEN.format(f), b"", {"X-Amz-Invocation-Type": "DryRun"}).status, 204)
        self.d.request("PUT", f"/2017-10-31/functions/{f}/concurrency", {"ReservedConcurrentExecutions": 0})
        self.assertEqual(refused(), (429, "TooManyRequestsException", "Rate Exceeded."))

    def test_the_first_byte_leaves_while_the_function_runs(self):
        f = self.function(Timeout=60)
        s = self.open(f, {"do": "stream", "bytes": 20, "chunk": 10, "ms": 3000})
        self.assertEqual(s.event(), ("PayloadChunk", b"a" * 10))
        self.assertEqual(self.d.metric("fnd_concurrent_executions", function=f), 1)
        self.assertEqual(s.all(), (b"b" * 10, {}))

    def test_small_pieces_of_a_client_that_gathers_them(self):
        """One without TCP_NODELAY keeps a piece until the one before is acknowledged, which takes 40 ms where it is not asked for."""
        own = """import os, socket, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
def head(f):
    lines = {}
    while (line := f.readline()) not in (b"\\r\\n", b""):
        k, _, v = line.decode().partition(":")
        lines[k.lower()] = v.strip()
    return lines
s = socket.create_connection((host, int(port)))
f = s.makefile("rb")
while True:
    s.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    h = head(f)
    f.read(int(h["content-length"]))
    s.sendall(("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nHost: x\\r\\nLambda-Runtime-Function-Response-Mode: streaming\\r\\n"
               "Transfer-Encoding: chunked\\r\\n\\r\\n" % h["lambda-runtime-aws-request-id"]).encode())
    for i in range(30):
        text = b"%.6f\\n" % time.time()
        s.sendall(b"%x\\r\\n%s\\r\\n" % (len(text), text))
        time.sleep(0.005)
    s.sendall(b"0\\r\\n\\r\\n")
    f.read(int(head(f)["content-length"]))
"""
        f = self.function(zip_bytes=make_zip({"bootstrap": "#!/bin/sh\nexec /var/lang/bin/python3.11 /var/task/own.py\n", "own.py": own}, {"bootstrap": 0o755}), runtime="python3.11",
                          MemorySize=1769, Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/bootstrap"}})

        def attempt():
            s, late = self.open(f, {}), []
            while True:
                kind, payload = s.event()
                if kind == "InvokeComplete":
                    break
                late += [time.time() - float(t) for t in payload.split()]
            self.assertEqual(len(late), 30)
            self.assertLess(late[0], 0.025, late)
        self.open(f, {}).all()  # from the second on it talks to and fro over its connection
        often(attempt)

    def test_200_mb(self):
        f = self.function(MemorySize=1769, Timeout=120)
        worker = self.d.pids()["worker"][0]
        self.all(f, {"do": "stream", "bytes": 1000000})
        before = rss_kb(worker)
        for n in (209715200, 209715201):
            s = self.open(f, {"do": "stream", "bytes": n, "chunk": 1 << 20})
            seen = 0
            while True:
                kind, data = s.event()
                if kind == "InvokeComplete":
                    break
                seen += len(data)
            self.assertEqual((seen, json.loads(data).get("ErrorCode")), (209715200, None if n == seen else "Function.ResponseSizeTooLarge"))
            self.assertEqual(s.chunk(), b"")
        if not SANITIZED:
            self.assertLess(rss_kb(worker) - before, 2048)

    def test_a_slow_client_slows_the_function(self):
        """Who takes nothing gets nothing more: less than 256 KB are kept for it, the function waits, and all of it comes when it is taken."""
        f = self.function(MemorySize=1769, Timeout=120)
        worker = self.d.pids()["worker"][0]
        self.all(f, {"do": "stream", "bytes": 1000000})
        before, n = rss_kb(worker), 8 << 20
        s = self.open(f, {"do": "stream", "bytes": n, "chunk": 100000}, receive=65536)
        pid = next(p for p in self.d.pids()["sandbox"] if comm(p) == "bootstrap")
        def waits():
            with open(f"/proc/{pid}/wchan") as file:
                return "wait" in file.read()
        wait_until("the function waits", waits)
        self.assertEqual(self.d.metric("fnd_concurrent_executions", function=f), 1)
        wait_until(lambda: f"what is kept of it is no more: {stalled(self.d, pid)}", lambda: stalled(self.d, pid) + 65536 + 4096 < 256 << 10)  # what fnd has just read is in two places for a moment
        if not SANITIZED:
            self.assertLess(rss_kb(worker) - before, 256)
        data, end = s.all()
        self.assertEqual((len(data), end), (n, {}))

    def test_a_client_that_goes_away(self):
        """The function runs on, and does not know."""
        f = self.function(MemorySize=1769, Timeout=60)
        for reads in (True, False):
            s = Stream(self.d, f, {"do": "stream", "bytes": 20 << 20, "chunk": 100000}, receive=65536)
            if reads:
                s.event()
            s.s.shutdown(socket.SHUT_RDWR)
            s.close()
        wait_until("both are over", lambda: self.d.request("GET", f"/_fnd/logs/{f}").body.count(b"stream taken with 202") == 2)
        self.d.under_way(f, 0)
        log = self.d.request("GET", f"/_fnd/logs/{f}").body.decode()
        self.assertNotIn("Status:", log)
        self.assertEqual(self.all(f, {"do": "stream", "bytes": 3}), (b"aaa", {}))

    def test_many_at_once(self):
        f = self.function(MemorySize=512, Timeout=60)
        answers = []
        def one(i):
            answers.append(self.all(f, {"do": "stream", "bytes": 100000 + i, "chunk": 7000 + i, "ms": 1}))
        threads = [threading.Thread(target=one, args=(i,)) for i in range(12)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(sorted((len(d), e == {}) for d, e in answers), [(100000 + i, True) for i in range(12)])

    def test_over_one_connection(self):
        """A stream, then an ordinary request, then a stream: HTTP/1.1 as ever."""
        f = self.function()
        s = self.open(f, {"do": "stream", "bytes": 10})
        self.assertEqual(s.all(), (b"a" * 10, {}))
        s.s.sendall(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{self.d.port}\r\n\r\n".encode())
        self.assertIn(b"200", s.f.readline())

    def test_raw(self):
        """For who sits on this machine and has its own framing: over the control socket, and there alone."""
        f = self.function()
        def ask(payload, path=self.d.state + "/control.sock"):
            s = socket.socket(socket.AF_UNIX)
            self.addCleanup(s.close)
            s.connect(path)
            c = http.client.HTTPConnection("127.0.0.1")
            c.sock = s
            c.request("POST", OPEN.format(f), json.dumps(payload), {"X-Fnd-Framing": "raw", "Connection": "close"})
            return c.getresponse()
        r = ask({"do": "stream", "bytes": 200000, "type": "text/x"})
        self.assertEqual((r.status, r.headers["content-type"], r.headers["x-fnd-response-mode"], r.headers["x-amz-executed-version"], len(r.read())), (200, "text/x", "streaming", "$LATEST", 200000))
        r = ask({"do": "error"})
        self.assertEqual((r.status, r.headers["x-amz-function-error"], json.loads(r.read())["errorType"]), (200, "Unhandled", "Test.Error"))
        r = ask({"do": "stream", "bytes": 3, "fail": "My.Error", "body": "eyJlIjoKfQ=="})
        self.assertEqual(r.fp.read(), b'3\r\naaa\r\n0\r\nX-Fnd-Error-Code: My.Error\r\nX-Fnd-Error-Details: {"e": }\r\n\r\n')
        self.assertEqual(ask({"do": "stream", "bytes": 3}).headers["content-type"], "application/octet-stream")
        s = self.open(f, {"do": "stream", "bytes": 3}, headers={"X-Fnd-Framing": "raw"})  # from elsewhere it asks for nothing
        self.assertEqual((s.headers["content-type"], s.all()), ("application/vnd.amazon.eventstream", (b"aaa", {})))


class Ends(Case):
    """What a client sees when what serves it dies."""
    killed = True

    def start(self):
        d = self.daemon()
        d.create("f", Timeout=60)
        d.settled("f")
        s = Stream(d, "f", {"do": "stream", "bytes": 3, "then": "hang"})
        self.addCleanup(s.close)
        self.assertEqual(s.event(), ("PayloadChunk", b"aaa"))
        return d, s

    def test_fn_spawnd(self):
        d, s = self.start()
        os.kill(d.pids()["spawnd"][0], signal.SIGKILL)
        data, end = s.all()
        self.assertEqual((data, end["ErrorCode"]), (b"", "Sandbox.Failure"))
        self.assertIn("it ended and took the execution environment with it", end["ErrorDetails"])

    def test_fnd(self):
        """No end is no end: neither InvokeComplete nor that of the body."""
        d, s = self.start()
        os.kill(d.pids()["worker"][0], signal.SIGKILL)
        with self.assertRaises((ConnectionError, ValueError)):
            s.event()
        wait_until("another has taken its place", d.is_ready)
        self.assertEqual(Stream(d, "f", {"do": "stream", "bytes": 3}).all(), (b"aaa", {}))


class Node(Case):
    """awslambda.streamifyResponse of the images' own runtime, each version that is built."""

    SOURCE = """
        const { pipeline } = require('stream/promises'), { Readable } = require('stream'), fs = require('fs');
        const until = async (name) => { while (!fs.existsSync(name)) await new Promise((ok) => setTimeout(ok, 5)); };
        exports.handler = awslambda.streamifyResponse(async (event, out, context) => {
            switch (event.do) {
            case 'wait': out.setContentType('text/event-stream'); out.write('one'); await until('/tmp/go'); out.end('two'); break;
            case 'http':
                out = awslambda.HttpResponseStream.from(out, { statusCode: 201, headers: { a: 'b' }, cookies: ['c=d'] });
                if (event.body) out.write(event.body);
                out.end();
                break;
            case 'early': throw new RangeError('before');
            case 'late': out.write('some'); throw new RangeError('midway');
            case 'uncaught': out.write('some'); setTimeout(() => { throw new TypeError('uncaught') }, 5); await new Promise(() => setTimeout(() => {}, 5000));
            case 'exit': out.write('some'); await new Promise((ok) => setTimeout(ok, 50)); process.exit(3);
            case 'pipe': await pipeline(Readable.from((function* () { for (let i = 0; i < event.n; i++) yield 'x'.repeat(100000); })()), out); break;
            case 'much': {
                const block = Buffer.alloc(1 << 20, 'y');
                let waits = 0, most = 0;
                for (let i = 0; i < event.n; i++) {
                    if (!out.write(block)) {
                        waits++;
                        await new Promise((ok) => out.once('drain', ok));
                    }
                    most = Math.max(most, process.memoryUsage().rss);
                }
                console.log(`waits ${waits} rss ${most >> 20}`);
                out.end();
            }
            }
        });
    """

    def test_every_version(self):
        for i, version in enumerate(v for v in ("nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x") if os.path.exists(os.path.join(IMAGES, v + ".json"))):
            f = self.function(f"t-stream-node-{i}", make_zip({"index.js": self.SOURCE}), runtime=version, handler="index.handler", MemorySize=1769, Timeout=30)
            def all(**event):
                s = Stream(self.d, f, event)
                self.addCleanup(s.close)
                return (s.headers.get("x-amzn-remapped-content-type"), *s.all())
            s = Stream(self.d, f, {"do": "wait"})
            self.assertEqual((s.event(), s.headers["x-amzn-remapped-content-type"]), (("PayloadChunk", b"one"), "text/event-stream"), version)
            self.assertEqual(self.d.metric("fnd_concurrent_executions", function=f), 1)
            rest = []
            reader = threading.Thread(target=lambda: rest.append(s.all()))
            reader.start()
            self.d.let_go("go", reader)
            self.assertEqual(rest, [(b"two", {})])
            s.close()
            prelude = b'{"statusCode":201,"headers":{"a":"b"},"cookies":["c=d"]}' + bytes(8)
            http = "application/vnd.awslambda.http-integration-response"
            self.assertEqual(all(do="http", body="body"), (http, prelude + b"body", {}))
            self.assertEqual(all(do="http"), (http, prelude, {}))
            for do, before, kind, words in (("early", b"", "RangeError", "before"), ("late", b"some", "RangeError", "midway"), ("uncaught", b"some", "TypeError", "uncaught")):
                _, data, end = all(do=do)
                details = json.loads(end["ErrorDetails"])
                self.assertEqual((data, end["ErrorCode"], details["errorType"], details["errorMessage"]), (before, kind, kind, words), version)
            _, data, end = all(do="exit")
            self.assertEqual((data, end), (b"some", {"ErrorCode": "Runtime.TruncatedResponse"}))
            _, data, end = all(do="pipe", n=50)
            self.assertEqual((len(data), end), (5000000, {}))

    def test_backpressure(self):
        """`drain` waits for who takes the stream: what is not taken is not made, and does not fill the function's memory."""
        f = self.function(zip_bytes=make_zip({"index.js": self.SOURCE}), runtime="nodejs22.x", handler="index.handler", MemorySize=1769, Timeout=60)
        s = Stream(self.d, f, {"do": "much", "n": 100}, headers={"X-Amz-Log-Type": "Tail"}, receive=131072)
        self.addCleanup(s.close)
        s.event()
        pid = next(p for p in self.d.pids()["sandbox"] if comm(p) == "node" and f in open(f"/proc/{p}/environ").read())
        seen = []
        def stands():
            with open(f"/proc/{pid}/io") as file:
                seen.append(int(re.search(r"wchar: (\d+)", file.read())[1]))
            return len(seen) > 10 and seen[-1] == seen[-10] > 0
        wait_until("it writes no more", stands)
        self.assertLess(seen[-1], 16 << 20)
        self.assertEqual(self.d.metric("fnd_concurrent_executions", function=f), 1)
        data, end = s.all()
        waits, rss = map(int, re.search(r"waits (\d+) rss (\d+)", base64.b64decode(end["LogResult"]).decode()).groups())
        self.assertEqual((waits, list(end)), (100, ["LogResult"]))
        self.assertLess(rss, 150)


class Boto3(Case):
    """boto3 of PyPI's (Debian's is older than the operation), unmodified: its decoder verifies each message."""

    CLIENT = """if True:
        import base64, boto3, json, sys
        from botocore.config import Config
        endpoint, f = sys.argv[1:]
        c = boto3.client("lambda", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test", config=Config(retries={"max_attempts": 0}))
        def invoke(event, **more):
            r = c.invoke_with_response_stream(FunctionName=f, Payload=json.dumps(event), **more)
            events = list(r["EventStream"])
            return r, b"".join(e["PayloadChunk"]["Payload"] for e in events[:-1]), events[-1]["InvokeComplete"]
        r, data, end = invoke({"do": "stream", "bytes": 500000, "chunk": 3000}, LogType="Tail")
        assert (r["StatusCode"], r["ExecutedVersion"], r["ResponseStreamContentType"], len(data)) == (200, "$LATEST", "application/vnd.amazon.eventstream", 500000), r
        assert b"REPORT" in base64.b64decode(end["LogResult"]), end
        assert invoke({"do": "stream", "bytes": 5, "fail": "My.Error", "body": "eyJlIjoxfQ=="})[1:] == (b"aaaaa", {"ErrorCode": "My.Error", "ErrorDetails": '{"e":1}'})
        assert invoke({"do": "error"})[2]["ErrorCode"] == "Unhandled"
        assert c.invoke_with_response_stream(FunctionName=f, InvocationType="DryRun")["StatusCode"] == 204
        try:
            c.invoke_with_response_stream(FunctionName="t-none")
        except c.exceptions.ResourceNotFoundException:
            print("passed")
        """

    def test_stream(self):
        where = pypi.install(*pypi.boto3())
        f = self.function()
        r = subprocess.run(["/usr/bin/python3", "-c", self.CLIENT, self.d.endpoint, f], capture_output=True, text=True, timeout=120 * SLOW, env={"PATH": os.environ["PATH"], "PYTHONPATH": where, "HOME": "/nonexistent"})
        self.assertEqual((r.stdout, r.returncode), ("passed\n", 0), r.stderr[-3000:])


if __name__ == "__main__":
    unittest.main()
