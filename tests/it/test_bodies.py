"""Bodies of requests: what is judged before they are read, how much of them is under way, and what becomes of packages that come in pieces."""
import base64, glob, hashlib, hmac, json, os, select, socket, threading, time, unittest
from harness import *

CREATE = "/2015-03-31/functions"
KEY, SECRET = "AKIDEXAMPLE", "secret"
HUGE = 69000000  # a request may have 70,167,211


class Raw(Case):
    """Requests by hand: head and body at different times."""

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.d.port), timeout=PATIENCE)
        self.addCleanup(s.close)
        return s

    def head(self, path, length, method="POST", **more):
        s = self.connect()
        fields = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(length), **{k.replace("_", "-"): v for k, v in more.items() if v is not None}}
        s.sendall(f"{method} {path} HTTP/1.1\r\n".encode() + b"".join(f"{k}: {v}\r\n".encode() for k, v in fields.items()) + b"\r\n")
        return s

    def answer(self, s):
        """(status, error type, message, does the connection end?)"""
        got = b""
        while b"\r\n\r\n" not in got:
            part = s.recv(65536)
            if not part:
                break
            got += part
        head, _, body = got.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        fields = {k.lower(): v for k, v in (l.split(": ", 1) for l in lines[1:])}
        while len(body) < int(fields.get("content-length", 0)):
            body += s.recv(65536)
        said = json.loads(body) if body else {}
        words = said.get("message") or said.get("Message") if isinstance(said, dict) else None
        return int(lines[0].split()[1]), fields.get("x-amzn-errortype"), words, fields.get("connection") == "close"

    def memory(self):
        with open(f"/proc/{self.d.pids()['worker'][0]}/status") as f:
            return next(int(l.split()[1]) << 10 for l in f if l.startswith("VmHWM"))


class Before(Raw):
    """With credentials. No byte of the body is sent: the answer comes all the same."""

    @classmethod
    def setUpClass(cls):
        cls.d = shared({"credentials": [{"access_key_id": KEY, "secret_access_key": SECRET}]})

    def authorization(self, body=b"", method="POST", path=CREATE, key=KEY, region="us-east-1", at=None):
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
        canonical = "\n".join([method, path, "", f"host:localhost\nx-amz-date:{date}\n", "host;x-amz-date", hashlib.sha256(body).hexdigest()])
        scope, k = f"{date[:8]}/{region}/lambda/aws4_request", ("AWS4" + SECRET).encode()
        for part in scope.split("/"):
            k = hmac.new(k, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(k, f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode(), hashlib.sha256).hexdigest()
        return {"X_Amz_Date": date, "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}"}

    def test_what_the_head_says(self):
        for path in (CREATE, CREATE + "/f/invocations", CREATE + "/f/code"):
            for more, error in (({}, "MissingAuthenticationTokenException"), (self.authorization(key="OTHER"), "UnrecognizedClientException"),
                                (self.authorization(region="eu-west-1"), "InvalidSignatureException"), (self.authorization(at=time.time() - 1000), "InvalidSignatureException")):
                with self.subTest(path=path, error=error):
                    status, kind, words, ends = self.answer(self.head(path, 1000000, **more))
                    self.assertEqual((status, kind, ends), (403, error, True), words)

    def test_its_length(self):
        for path, name, most in ((CREATE, "CreateFunction", 70167211), (CREATE + "/f/invocations", "InvokeFunction", 6291456)):
            s = self.head(path, most + 1, **self.authorization(path=path))
            self.assertEqual(self.answer(s), (413, "RequestEntityTooLargeException", f"Request must be smaller than {most} bytes for the {name} operation", True))

    def test_expect_100_continue(self):
        body = b'{"FunctionName": "b-expect"}'
        self.assertEqual(self.answer(self.head(CREATE, 100000, Expect="100-continue"))[0], 403)
        s = self.head(CREATE, len(body), Expect="100-continue", **self.authorization(body))
        self.assertEqual(s.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
        s.sendall(body)
        self.assertEqual(self.answer(s)[0], 400)

    def test_the_signature_is_judged_at_the_end(self):
        """Of a long body that is kept, and of one that is not."""
        path = CREATE + "/none/invocations"
        for target, body in ((path, b'"' + b"x" * 300000 + b'"'), (CREATE + "/none/code", b'{"ZipFile":"' + b"QUJD" * 100000 + b'"}')):
            method = "PUT" if target.endswith("code") else "POST"
            for signed, status in ((body, 404), (body[:-2] + b'y"', 403)):
                s = self.head(target, len(body), method, **self.authorization(signed, method, target))
                for at in range(0, len(body), 50000):
                    s.sendall(body[at:at + 50000])
                self.assertEqual(self.answer(s)[0], status)

    def test_many_unsigned_bodies(self):
        before, all_of_them = self.memory(), [self.head(CREATE, HUGE) for _ in range(300)]
        self.assertEqual({self.answer(s)[0] for s in all_of_them}, {403})
        self.assertLess(self.memory() - before, 64 << 20)


class UnderWay(Raw):
    @classmethod
    def setUpClass(cls):
        cls.d = shared({"body_budget_mb": 16, "upload_budget_mb": 160, "peer_percent": 90})

    def crowded(self, s):
        self.assertEqual(self.answer(s), (429, "TooManyRequestsException", "Rate exceeded", True))

    def test_bodies_in_memory(self):
        name = self.function()
        path = f"{CREATE}/{name}/invocations"
        two = [self.head(path, 6000000) for _ in range(2)]
        for s in two:
            s.sendall(b'"' + b"x" * 100000)
        wait_until("they are under way", lambda: self.d.request("POST", path, b'"' + b"y" * 5000000 + b'"').status == 429)
        self.crowded(self.head(path, 6000000))
        self.assertEqual(self.d.invoke(name, {"a": 1}).json, {"a": 1})  # a small one comes with its head
        two[0].sendall(b"x" * 5899998 + b'"')
        self.assertEqual(self.answer(two[0])[0], 200)
        self.assertEqual(self.d.request("POST", path, b'"' + b"y" * 5000000 + b'"').status, 200)
        two[1].close()
        wait_until("all of it is free", lambda: [self.d.request("POST", path, b'"' + b"y" * 6000000 + b'"').status for _ in range(3)] == [200] * 3)

    def nothing_is_under_way(self):
        """No upload's file is there: what a test before this one left is gone from the budget, too."""
        wait_until("nothing of them is left", lambda: os.listdir(os.path.join(self.d.state, "blobs")) == [os.path.basename(b) for b in glob.glob(self.d.state + "/blobs/*.zip")])

    def test_packages(self):
        self.nothing_is_under_way()
        two = [self.head(CREATE, HUGE) for _ in range(2)]
        for s in two:
            s.sendall(b'{"Code":{"ZipFile":"' + b"QUJD" * 100000)
        wait_until("they are under way", lambda: self.d.request("PUT", CREATE + "/none/code", b" " * 30000000).status == 429)
        self.assertEqual(select.select(two, [], [], 0)[0], [], "neither is answered")
        self.crowded(self.head(CREATE, HUGE))
        for s in two:
            s.close()
        wait_until("they are not any more", lambda: self.d.request("PUT", CREATE + "/none/code", b" " * 200000).error_type == "SerializationException")
        self.nothing_is_under_way()

    def test_many_of_them(self):
        """Their memory is bounded, and others are served beside them."""
        name = self.function()
        self.assertEqual(self.d.invoke(name, {"a": 1}).json, {"a": 1})
        before, part, over = self.memory(), b"QUJD" * 16384, threading.Event()

        def send():
            s = self.head(CREATE, HUGE)
            try:
                s.sendall(b'{"Code":{"ZipFile":"')
                for _ in range(300):
                    if over.is_set():
                        break
                    s.sendall(part)
            except OSError:
                pass
            s.close()

        threads = [threading.Thread(target=send) for _ in range(60)]
        for t in threads:
            t.start()
        for i in range(100):
            self.assertEqual(self.d.invoke(name, {"a": i}).json, {"a": i})
        over.set()
        for t in threads:
            t.join()
        self.assertLess(self.memory() - before, 64 << 20)


class InPieces(Raw):
    @classmethod
    def setUpClass(cls):
        cls.d = shared({})

    def body(self, name, zip_bytes, escape=lambda s: s):
        zip_text = escape(base64.b64encode(zip_bytes).decode())
        return (json.dumps({"FunctionName": name, "Role": ROLE, "Runtime": "provided.al2023", "Handler": "x"})[:-1] + ', "Code": {"ZipFile": "' + zip_text + '"}, "MemorySize": 256}').encode()

    def created(self, name, s):
        status, _, words, _ = self.answer(s)
        self.assertEqual(status, 201, words)
        self.addCleanup(self.d.delete, name)
        self.assertEqual(self.d.invoke(name, {"a": 1}).json, {"a": 1})

    def test_byte_by_byte(self):
        body = self.body("b-bytes", native_zip())
        s = self.head(CREATE, len(body))
        for at in range(0, 700):
            s.sendall(body[at:at + 1])
        s.sendall(body[700:-3])
        for at in range(len(body) - 3, len(body)):
            s.sendall(body[at:at + 1])
        self.created("b-bytes", s)

    def test_chunked(self):
        body = self.body("b-chunked", native_zip(), lambda t: t.replace("/", "\\/").replace("+", "\\u002b"))
        s = self.connect()
        s.sendall(f"POST {CREATE} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for at in range(0, len(body), 10007):
            part = body[at:at + 10007]
            s.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        s.sendall(b"0\r\nx-a: b\r\n\r\n")
        self.created("b-chunked", s)

    def test_what_is_wrong_is_said_at_the_end(self):
        whole = self.body("b-bad", native_zip())
        for body, status, words in ((whole[:-1], 400, None), (whole.replace(b'"ZipFile": "', b'"ZipFile": "#'), 400, "ZipFile is not valid base64"),
                                    (whole[:-1] + b', "Description": "' + b"x" * 300000 + b'"}', 413, "Request must be smaller than 262144 bytes beside its package"),
                                    (b" " * 300000, 413, "Request must be smaller than 262144 bytes beside its package")):
            s = self.head(CREATE, len(body))
            s.sendall(body)
            got = self.answer(s)
            self.assertEqual(got[0], status, got)
            self.assertIn(words or "", got[2])
            self.assertEqual(self.d.request("GET", CREATE + "/b-bad").status, 404)

    def test_clients_that_go(self):
        before = self.blobs()
        body = self.body("b-gone", native_zip() + os.urandom(3000000))
        for cut in (0, 100, 70000, 1000000, len(body) - 1):
            s = self.head(CREATE, len(body))
            s.sendall(body[:cut])
            s.close()
        wait_until("nothing of them is left", lambda: self.blobs() <= before)
        self.assertEqual(self.d.request("GET", CREATE + "/b-gone").status, 404)

    def blobs(self):
        return set(os.listdir(os.path.join(self.d.state, "blobs")))


class Long(Raw):
    """What a thread parses."""
    JSON = {"X_Amz_Target": "Logs_20140328.PutLogEvents", "Content_Type": "application/x-amz-json-1.1"}

    def send(self, body):
        s = self.head("/", len(body), **self.JSON)
        s.sendall(body)
        return s

    def test_others_are_served_meanwhile(self):
        body = b'{"logEvents": [' + b"[]," * 2600000 + b"[]]}"  # half a second's work

        def several():
            s, n = self.send(body), 0
            while not select.select([s], [], [], 0)[0]:
                self.assertEqual(self.d.request("GET", "/healthz").status, 200)
                n += 1
            self.assertEqual(self.answer(s)[:2], (400, "SerializationException"))
            self.assertGreater(n, 5)  # else one or two, before it is begun
        often(several)

    def test_what_is_wrong_is_said(self):
        for body, words in ((b'{"logGroupName": "g", "x": "' + b"y" * 100000, "Unexpected end-of-input: was expecting closing quote for a string value"),
                            (b'["' + b"y" * 100000 + b'"]', "Start of list found where not expected"), (b'{"a":' * 50000 + b"1" + b"}" * 50000, ""),
                            (json.dumps({"logGroupName": "g" * 100000}).encode(), "Member must have length less than or equal to 512")):
            status, _, said, _ = self.answer(self.send(body))
            self.assertEqual(status, 400, said)
            self.assertIn(words, said)

    def test_events(self):
        name, text = self.function(), "x\u00e4" * 200000
        for path in (f"{CREATE}/{name}/invocations", f"/2021-11-15/functions/{name}/response-streaming-invocations"):
            r = self.d.request("POST", path, {"a": text})
            self.assertEqual(r.status, 200)
            if path.startswith(CREATE):
                self.assertEqual(r.json, {"a": text})
            for bad in (b'{"a": "' + b"x" * 400000, b'["' + b"x" * 400000 + b'\x01"]'):
                r = self.d.request("POST", path, bad)
                self.assertEqual((r.status, r.error_type), (400, "InvalidRequestContentException"))
        r = self.d.request("POST", f"{CREATE}/{name}/invocations?Qualifier={'q' * 129}", {"a": text})
        self.assertEqual((r.status, r.error_type), (400, "ValidationException"))

    def test_signed(self):
        d = shared({"credentials": [{"access_key_id": KEY, "secret_access_key": SECRET}]})
        c, events = boto(d, "logs", key=KEY, secret=SECRET), [{"timestamp": int(time.time() * 1000), "message": f"event {i}"} for i in range(10000)]
        c.create_log_group(logGroupName="long")
        self.addCleanup(c.delete_log_group, logGroupName="long")
        c.create_log_stream(logGroupName="long", logStreamName="s")
        c.put_log_events(logGroupName="long", logStreamName="s", logEvents=events)
        self.assertEqual(len(c.get_log_events(logGroupName="long", logStreamName="s", startFromHead=True)["events"]), 10000)
        with self.assertRaises(c.exceptions.ClientError) as e:
            boto(d, "logs", key=KEY, secret="other").put_log_events(logGroupName="long", logStreamName="s", logEvents=events)
        self.assertEqual(e.exception.response["Error"]["Code"], "InvalidSignatureException")

    def test_clients_that_go(self):
        body = b'{"logEvents": [' + b"[]," * 100000 + b"[]]}"
        for _ in range(20):
            self.send(body).close()
        self.assertEqual(self.answer(self.send(body))[0], 400)


class TheEnd(Raw):
    def test_sigterm_in_the_middle(self):
        """What has come to a stop when fnd is told to end is waited for only a few seconds, and leaves nothing."""
        self.d = Daemon().start()
        self.addCleanup(self.d.remove)
        for _ in range(5):
            s = self.head(CREATE, HUGE)
            s.sendall(b'{"Code":{"ZipFile":"' + b"QUJD" * 100000)
        began = time.monotonic()
        self.assertEqual(self.d.stop(), 0)
        self.assertLess(time.monotonic() - began, 20 * SLOW)
        self.assertEqual(os.listdir(os.path.join(self.d.state, "blobs")), [])


if __name__ == "__main__":
    unittest.main()
