"""Connections that fnd hands over to fn-events with SQS's requests: whose they are, what comes back, and that nothing gets in there that would not get in at fnd's."""
import contextlib, datetime, hashlib, hmac, json, os, re, signal, socket, subprocess, threading, time, unittest
from harness import *

KEY, SECRET = "AKIDHANDOVER", "a-secret-of-the-configuration"
OTHER, OTHER_SECRET = "AKIDHANDOVER2", "another-secret"
TARGET = {"Content-Type": "application/x-amz-json-1.0"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Answer:
    def __init__(self, head, body):
        lines = head.decode().split("\r\n")
        self.status, self.headers, self.body = int(lines[0].split()[1]), {k.lower(): v for k, v in (l.split(": ", 1) for l in lines[1:])}, body
        self.ends = self.headers.get("connection") == "close"

    @property
    def code(self):
        """In whichever protocol."""
        if self.body[:1] == b"<":
            return re.search(rb"<Code>(.*?)</Code>", self.body)[1].decode()
        said = json.loads(self.body) if self.body else {}
        return said.get("__type", "").split("#")[-1] or self.headers.get("x-amzn-errortype")

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:300]}"


class Connection:
    """By hand, kept."""

    def __init__(self, d):
        self.d, self.s, self.got = d, socket.create_connection(("127.0.0.1", d.port), timeout=PATIENCE), b""

    def close(self):
        self.s.close()

    def more(self):
        part = self.s.recv(65536)
        if not part:
            raise ConnectionResetError("it has ended")
        self.got += part

    def answer(self):
        while b"\r\n\r\n" not in self.got:
            self.more()
        head, _, self.got = self.got.partition(b"\r\n\r\n")
        a = Answer(head, b"")
        n = int(a.headers.get("content-length", 0))
        while len(self.got) < n:
            self.more()
        a.body, self.got = self.got[:n], self.got[n:]
        return a

    def with_whom(self):
        """Which of our processes has the socket. The kernel's list is read in pieces and may lack one that is there: it is read until it has been found, or is over."""
        found = []
        wait_until("one of our processes has it", lambda: found.append(self.holder()) or found[-1])
        return found[-1]

    def holder(self):
        text = lambda address: "%02X%02X%02X%02X:%04X" % (*reversed([int(x) for x in address[0].split(".")]), address[1])
        ends = [text(self.s.getpeername()), text(self.s.getsockname())]  # both: one port of ours may be that of several connections, to others
        with open("/proc/net/tcp") as f:
            inode = [l.split()[9] for l in f if l.split()[1:3] == ends and l.split()[9] != "0"]  # one that is over has none
        pids = self.d.pids()
        for kind in ("worker", "events"):
            for pid in pids[kind]:
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    with contextlib.suppress(OSError):
                        if inode and os.readlink(f"/proc/{pid}/fd/{fd}") == f"socket:[{inode[0]}]":
                            return kind
        return None


class HandoverCase(Case):
    def connect(self):
        c = Connection(self.d)
        self.addCleanup(c.close)
        return c

    def text(self, method, target, headers, body=b""):
        fields = {"Host": f"127.0.0.1:{self.d.port}", **headers, "Content-Length": str(len(body))}
        return f"{method} {target} HTTP/1.1\r\n".encode() + b"".join(f"{k}: {v}\r\n".encode() for k, v in fields.items()) + b"\r\n" + body

    def ask(self, c, *args, **kw):
        c.s.sendall(self.text(*args, **kw))
        return c.answer()


class Signed(HandoverCase):
    @classmethod
    def setUpClass(cls):
        cls.d = shared({"credentials": [{"access_key_id": KEY, "secret_access_key": SECRET}, {"access_key_id": OTHER, "secret_access_key": OTHER_SECRET}]})
        cls.s = boto(cls.d, "sqs", key=KEY, secret=SECRET)
        cls.url = cls.s.create_queue(QueueName="handover")["QueueUrl"]

    def signed(self, method="POST", target="/", headers=None, body=b"", service="sqs", region="us-east-1", key=KEY, secret=SECRET, at=None, unsigned=(), scope_date=None, extra=None, token=None):
        date = (at or datetime.datetime.utcnow()).strftime("%Y%m%dT%H%M%SZ")
        headers = {"Host": f"127.0.0.1:{self.d.port}", "X-Amz-Date": date, **(headers or {}), **({"X-Amz-Security-Token": token} if token else {})}
        names = sorted(n.lower() for n in headers if n.lower() not in unsigned)
        values = {k.lower(): v for k, v in headers.items()}
        canonical = "\n".join([method, target, "", "".join(f"{n}:{values[n]}\n" for n in names), ";".join(names), hashlib.sha256(body).hexdigest()])
        scope, k = f"{scope_date or date[:8]}/{region}/{service}/aws4_request", ("AWS4" + secret).encode()
        for part in scope.split("/"):
            k = hmac.new(k, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(k, f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode(), hashlib.sha256).hexdigest()
        return method, target, {**headers, "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}", **(extra or {})}, body

    def sqs(self, operation, members, **kw):
        return self.signed(headers={**TARGET, "X-Amz-Target": "AmazonSQS." + operation}, body=json.dumps(members).encode(), **kw)

    def good(self, c):
        """A control: this is answered, by fn-events itself."""
        a = self.ask(c, *self.sqs("GetQueueUrl", {"QueueName": "handover"}))
        self.assertEqual((a.status, json.loads(a.body)), (200, {"QueueUrl": self.url}), a)
        self.assertEqual(c.with_whom(), "events")

    def handed(self):
        c = self.connect()
        wait_until("it has been accepted", lambda: c.with_whom() == "worker")
        self.good(c)
        return c

    def function(self):
        """One of this test's own."""
        c, name = boto(self.d, key=KEY, secret=SECRET), "t-" + self.id().split(".")[-1].replace("_", "-")
        c.create_function(FunctionName=name, Role=ROLE, Runtime="provided.al2023", Handler="bootstrap", Code={"ZipFile": native_zip()})
        self.addCleanup(c.delete_function, FunctionName=name)
        wait_until("it is active", lambda: c.get_function_configuration(FunctionName=name)["State"] == "Active")
        return name

    def test_whose_it_is(self):
        c = self.handed()
        a = self.ask(c, *self.sqs("SendMessage", {"QueueUrl": self.url, "MessageBody": "m"}))
        self.assertEqual((a.status, json.loads(a.body)["MD5OfMessageBody"]), (200, hashlib.md5(b"m").hexdigest()))
        a = self.ask(c, *self.sqs("ReceiveMessage", {"QueueUrl": self.url, "AttributeNames": ["SenderId"], "WaitTimeSeconds": 5}))
        m = json.loads(a.body)["Messages"][0]
        self.assertEqual((m["Body"], m["Attributes"]["SenderId"]), ("m", "000000000000"))
        self.ask(c, *self.sqs("DeleteMessage", {"QueueUrl": self.url, "ReceiptHandle": m["ReceiptHandle"]}))
        a = self.ask(c, *self.signed(target="/", headers=FORM, body=b"Action=ListQueues&Version=2012-11-05"))
        self.assertEqual((a.status, self.url.encode() in a.body, c.with_whom()), (200, True, "events"), a)

    def test_another_service_has_it_back(self):
        """And what is asked next, on the same connection, is answered as it is on one of its own."""
        f = self.function()
        for _ in range(3):
            c = self.handed()
            a = self.ask(c, *self.signed("GET", f"/2015-03-31/functions/{f}/configuration", service="lambda"))
            self.assertEqual((a.status, json.loads(a.body)["FunctionName"], c.with_whom()), (200, f, "worker"), a)
            for n in range(20):  # used for both: it does not go to and fro each time
                a = self.ask(c, *self.sqs("GetQueueUrl", {"QueueName": "handover"}))
                self.assertEqual((a.status, json.loads(a.body)), (200, {"QueueUrl": self.url}), a)
            self.assertEqual(c.with_whom(), "events")
            big = json.dumps("x" * 3000000).encode()
            a = self.ask(c, *self.signed("POST", f"/2015-03-31/functions/{f}/invocations", service="lambda", body=big))
            self.assertEqual((a.status, len(a.body), c.with_whom()), (200, len(big), "worker"))

    def test_pipelined(self):
        """Ahead of their answers; and cut up anywhere."""
        f = self.function()
        one, other = self.text(*self.sqs("GetQueueUrl", {"QueueName": "handover"})), self.text(*self.signed("GET", f"/2015-03-31/functions/{f}/configuration", service="lambda"))
        c = self.connect()
        c.s.sendall((one + one + other) * 4)
        got = [json.loads(c.answer().body) for _ in range(12)]
        self.assertEqual([g.get("QueueUrl") or g.get("FunctionName") for g in got], [self.url, self.url, f] * 4)
        for size in (1, 7, 100):
            c = self.connect()
            c.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(one), size):
                c.s.sendall(one[at:at + size])
                time.sleep(0)
            self.assertEqual((c.answer().status, c.with_whom()), (200, "events"))
        c = self.connect()
        c.s.sendall(one.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n", 1).partition(b"{")[0])
        wait_until("it goes on", lambda: c.got.startswith(b"HTTP/1.1 100 Continue\r\n\r\n") or c.more())
        c.got = c.got[25:]
        c.s.sendall(one[one.index(b"{"):])
        self.assertEqual((c.answer().status, c.with_whom()), (200, "events"))

    def test_long_bodies(self):
        body = "x" * 900000
        c = self.handed()
        a = self.ask(c, *self.sqs("SendMessage", {"QueueUrl": self.url, "MessageBody": body}))
        self.assertEqual((a.status, json.loads(a.body)["MD5OfMessageBody"], c.with_whom()), (200, hashlib.md5(body.encode()).hexdigest(), "events"))
        method, target, headers, text = self.sqs("SendMessage", {"QueueUrl": self.url, "MessageBody": body})
        a = self.ask(c, method, target, headers, text[:-9] + b"y" + text[-8:])
        self.assertEqual((a.status, a.code), (403, "InvalidSignatureException"), a)
        self.s.purge_queue(QueueUrl=self.url)
        c.s.sendall(self.text(*self.sqs("SendMessage", {"QueueUrl": self.url, "MessageBody": body}))[:2000].replace(b"Content-Length: ", b"Content-Length: 9"))
        a = c.answer()
        self.assertEqual((a.status, a.ends), (413, True), a)

    def attempts(self):
        """What must not get in: name, request, status, code."""
        now, send = datetime.datetime.utcnow(), {"QueueUrl": self.url, "MessageBody": "in"}
        minutes = lambda n: now + datetime.timedelta(minutes=n)
        target = {**TARGET, "X-Amz-Target": "AmazonSQS.SendMessage"}
        body = json.dumps(send).encode()
        inner = {"X-Fnd-Identity": "allow", "X-Fnd-Principal": "arn:aws:iam::000000000000:root", "X-Fnd-Service": "sqs", "X-Fnd-Operation": "SendMessage", "X-Fnd-Protocol": "json", "X-Fnd-Key": KEY}
        method, path, headers, _ = self.sqs("SendMessage", {**send, "MessageBody": "other"})
        yield "unsigned", ("POST", "/", target, body), 403, "MissingAuthenticationTokenException"
        yield "unsigned, as fnd would say it", ("POST", "/", {**target, **inner}, body), 403, "MissingAuthenticationTokenException"
        yield "a form, unsigned", ("POST", "/?Action=SendMessage&Version=2012-11-05&QueueUrl=handover&MessageBody=in", FORM, b""), 403, "MissingAuthenticationToken"
        yield "another's body", (method, path, headers, body), 403, "InvalidSignatureException"
        yield "the wrong secret", self.sqs("SendMessage", send, secret="x"), 403, "InvalidSignatureException"
        yield "a key that is not", self.sqs("SendMessage", send, key="AKIDNOBODY"), 403, "UnrecognizedClientException"
        yield "no key", self.sqs("SendMessage", send, key=""), 403, "InvalidSignatureException"
        yield "another key's secret", self.sqs("SendMessage", send, secret=OTHER_SECRET), 403, "InvalidSignatureException"
        yield "this key's secret for another", self.sqs("SendMessage", send, key=OTHER), 403, "InvalidSignatureException"
        yield "too old", self.sqs("SendMessage", send, at=minutes(-20)), 403, "InvalidSignatureException"
        yield "too new", self.sqs("SendMessage", send, at=minutes(20)), 403, "InvalidSignatureException"
        yield "another day's scope", self.sqs("SendMessage", send, scope_date="20150830"), 403, "InvalidSignatureException"
        yield "another region", self.sqs("SendMessage", send, region="eu-west-1"), 403, "InvalidSignatureException"
        yield "another service's scope", self.sqs("SendMessage", send, service="lambda"), 403, "InvalidSignatureException"
        yield "its target is not signed", self.sqs("SendMessage", send, unsigned=("x-amz-target",)), 403, "InvalidSignatureException"
        yield "its host is not signed", self.sqs("SendMessage", send, unsigned=("host",)), 403, "InvalidSignatureException"
        yield "a token beside it", self.sqs("SendMessage", send, extra={"X-Amz-Security-Token": "x"}), 403, "InvalidSignatureException"
        yield "a token that is none", self.sqs("SendMessage", send, token="x"), 403, "UnrecognizedClientException"
        yield "another digest", self.sqs("SendMessage", send, extra={"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}), 403, "InvalidSignatureException"
        yield "no signature in it", ("POST", "/", {**headers, "Authorization": headers["Authorization"].split(", Sig")[0]}, body), 403, "InvalidSignatureException"
        yield "Lambda's, unsigned", ("POST", "/2015-03-31/functions/x/invocations", {}, b"{}"), 403, "MissingAuthenticationTokenException"
        yield "IAM's, signed for SQS", self.signed(headers=FORM, body=b"Action=ListUsers&Version=2010-05-08"), 400, "InvalidAction"
        yield "fnd's own, unsigned", ("GET", "/_fnd/keys/" + KEY + "/20260101", {}, b""), 403, "MissingAuthenticationTokenException"

    def test_deny_by_default(self):
        """As the next request of a connection that fn-events has, and as the first of one of its own: the same answer; and nothing was sent."""
        self.s.purge_queue(QueueUrl=self.url)
        for name, request, status, code in self.attempts():
            with self.subTest(name):
                c, own = self.handed(), self.connect()
                a, b = self.ask(c, *request), self.ask(own, *request)
                for x in (a, b):
                    self.assertEqual((x.status, x.code), (status, code), x)
                said = [{k: v for k, v in x.headers.items() if k not in ("date", "x-amzn-requestid")} for x in (a, b)]
                self.assertEqual(said[0], said[1])
                if not a.ends:
                    self.good(self.handed())
        self.assertNotIn("Messages", self.s.receive_message(QueueUrl=self.url))

    def test_who_may_hand_over(self):
        """fnd's worker, and root: nobody else is let in."""
        program = "import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\ntry:\n    s.connect(sys.argv[1])\n    print('in')\nexcept OSError as e:\n    print(type(e).__name__)\n"
        worker, events = (uid_of(self.d.pids()[kind][0]) for kind in ("worker", "events"))
        for uid, said in ((65534, "PermissionError"), (events, "PermissionError"), (events + 1, "PermissionError"), (worker, "in")):
            r = subprocess.run(["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "/usr/bin/python3", "-c", program, self.d.state + "/handover.sock"], capture_output=True, text=True)
            self.assertEqual((r.stdout.strip(), r.stderr), (said, ""))
        wait_until("fnd is the one again", lambda: self.is_handed())

    def is_handed(self):
        """One that was on its way to the other ends with that."""
        with contextlib.suppress(ConnectionError):
            c = self.connect()
            a = self.ask(c, *self.sqs("GetQueueUrl", {"QueueName": "handover"}))
            return a.status == 200 and c.with_whom() == "events"

    def test_what_policies_say_is_judged_by_fnd(self):
        """Users, sessions: their keys do not go with a connection."""
        iam = boto(self.d, "iam", key=KEY, secret=SECRET)
        iam.create_user(UserName="handed")
        key = iam.create_access_key(UserName="handed")["AccessKey"]
        self.addCleanup(iam.delete_user, UserName="handed")
        self.addCleanup(iam.delete_access_key, UserName="handed", AccessKeyId=key["AccessKeyId"])
        by_user = {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
        c = self.handed()
        a = self.ask(c, *self.sqs("SendMessage", {"QueueUrl": self.url, "MessageBody": "in"}, **by_user))
        self.assertEqual((a.status, a.code, c.with_whom()), (403, "AccessDeniedException", "worker"), a)
        iam.put_user_policy(UserName="handed", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:GetQueueUrl", "Resource": "*"}]}))
        self.addCleanup(iam.delete_user_policy, UserName="handed", PolicyName="p")
        c = self.handed()
        self.assertEqual(self.ask(c, *self.sqs("GetQueueUrl", {"QueueName": "handover"}, **by_user)).status, 200)
        self.assertEqual(c.with_whom(), "worker")
        self.assertEqual(self.ask(c, *self.sqs("PurgeQueue", {"QueueUrl": self.url}, **by_user)).status, 403)


class Unsigned(HandoverCase):
    @classmethod
    def setUpClass(cls):
        cls.d = shared()
        cls.url = boto(cls.d, "sqs").create_queue(QueueName="handover-u")["QueueUrl"]

    def sqs(self, operation, members, **more):
        return "POST", "/", {**TARGET, "X-Amz-Target": "AmazonSQS." + operation, **more}, json.dumps(members).encode()

    def handed(self):
        c = self.connect()
        self.assertEqual(self.ask(c, *self.sqs("GetQueueUrl", {"QueueName": "handover-u"})).status, 200)
        self.assertEqual(c.with_whom(), "events")
        return c

    def test_strange_pages(self):
        """The rule of the loopback holds for each request of it."""
        send = {"QueueUrl": self.url, "MessageBody": "in"}
        here = f"http://127.0.0.1:{self.d.port}"
        for more in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}, {"Host": f"evil.example:{self.d.port}"}, {"Sec-Fetch-Site": "cross-site"},
                     {"Sec-Fetch-Site": "same-site"}, {"Content-Type": "text/plain"}, {"Content-Type": "multipart/form-data; boundary=x"}):
            with self.subTest(more=more):
                c = self.handed()
                a = self.ask(c, *self.sqs("SendMessage", send, **more))
                self.assertEqual((a.status, a.code), (403, "AccessDeniedException"), a)
                self.assertIn(b"without a signature", a.body)
        c = self.handed()
        self.assertEqual(self.ask(c, *self.sqs("SendMessage", {**send, "MessageBody": "control"}, Origin=here)).status, 200)
        self.assertEqual(c.with_whom(), "events")
        got = boto(self.d, "sqs").receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)["Messages"]
        self.assertEqual([m["Body"] for m in got], ["control"])

    def test_a_head_that_grows(self):
        """fnd takes 32 KB of one, and writes it anew for fn-events, with more blanks: the longest is answered too."""
        method, target, headers, body = self.sqs("GetQueueUrl", {"QueueName": "handover-u"})
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{k}:{v}\r\n" for k, v in {"Host": f"127.0.0.1:{self.d.port}", **headers, "Content-Length": len(body), **{f"a{n}": "b" for n in range(55)}}.items())
        for room, whom in ((300, "events"), (-40, "worker")):
            c = self.connect()
            c.s.sendall((head + "long:" + "x" * (32768 - len(head) - 9 - room) + "\r\n\r\n").encode() + body)
            self.assertEqual((c.answer().status, c.with_whom()), (200, whom))

    def test_long_polls_and_who_goes(self):
        """A client that leaves takes no message along."""
        c = self.handed()
        c.s.sendall(self.text(*self.sqs("ReceiveMessage", {"QueueUrl": self.url, "WaitTimeSeconds": 20})))
        c.close()
        c, s = self.handed(), boto(self.d, "sqs")
        c.s.sendall(self.text(*self.sqs("ReceiveMessage", {"QueueUrl": self.url, "WaitTimeSeconds": 20})))
        s.send_message(QueueUrl=self.url, MessageBody="wake")
        self.assertEqual([m["Body"] for m in json.loads(c.answer().body)["Messages"]], ["wake"])
        s.purge_queue(QueueUrl=self.url)


class Own(HandoverCase):
    """By daemons that may die."""

    def sqs(self, operation, members):
        return "POST", "/", {**TARGET, "X-Amz-Target": "AmazonSQS." + operation}, json.dumps(members).encode()

    def handed(self, url):
        """When fn-events has just ended a connection may stay with fnd, which asks for a new one seldom."""
        return self.handed_by(self.sqs("ListQueues", {}))

    def handed_by(self, request):
        """One that this request, which is good, has brought to fn-events."""
        found = []

        def handed():
            found[:] = [self.connect()]
            return self.ask(found[0], *request).status == 200 and found[0].with_whom() == "events"
        wait_until("it is handed over", handed)
        return found[0]

    def ended(self, c):
        c.s.settimeout(PATIENCE)
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(c.s.recv(1), b"")

    def test_bodies_are_counted(self):
        self.d = self.daemon({"body_budget_mb": 8, "peer_percent": 90})
        url = boto(self.d, "sqs").create_queue(QueueName="q")["QueueUrl"]
        method, target, headers, body = self.sqs("SendMessage", {"QueueUrl": url, "MessageBody": "x"})
        whole = self.text(method, target, headers, body + b" " * 3500000)
        two = [self.handed(url) for _ in range(2)]
        for c in two:
            c.s.sendall(whole[:100000])
        wait_until("they are under way", lambda: self.crowded(url, whole))
        self.assertEqual(self.ask(self.handed(url), *self.sqs("SendMessage", {"QueueUrl": url, "MessageBody": "small"})).status, 200)
        for c in two:
            c.s.sendall(whole[100000:])
            self.assertEqual(c.answer().status, 200)
        wait_until("all is free", lambda: not self.crowded(url, whole))

    def crowded(self, url, whole):
        c = self.handed(url)
        c.s.sendall(whole[:1000])
        c.s.settimeout(0.3)
        try:
            a = c.answer()
        except TimeoutError:
            return False
        finally:
            c.close()
        self.assertEqual((a.status, a.code, a.ends), (429, "TooManyRequestsException", True), a)
        return True

    def test_processes_that_end(self):
        """fn-events' end is its connections'; so is fnd's, with what is under way answered. Clients that try again lose nothing."""
        self.d = self.daemon()
        s = boto(self.d, "sqs")
        url, empty = (s.create_queue(QueueName=name)["QueueUrl"] for name in ("q", "empty"))
        for n, kind in enumerate(("events", "worker", "events")):
            c, sent = self.handed(url), 0
            waits = self.handed(url) if kind == "worker" else None
            if waits:
                waits.s.sendall(self.text(*self.sqs("ReceiveMessage", {"QueueUrl": url + "none"})))
                self.assertEqual(waits.answer().status, 400)
                waits.s.sendall(self.text(*self.sqs("ReceiveMessage", {"QueueUrl": empty, "WaitTimeSeconds": 5})))
            for pid in self.d.pids()[kind]:
                os.kill(pid, signal.SIGKILL)
            self.ended(c)
            if waits:
                a = waits.answer()
                self.assertEqual((a.status, a.ends), (200, True), a)
            wait_until("it is there again", lambda: self.sent(s, url, f"m{n}"))
            self.assertEqual(self.handed(url).with_whom(), "events")
        got = set()
        wait_until("all of them have come", lambda: got.update(m["Body"] for m in s.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])) or got == {"m0", "m1", "m2"})

    def sent(self, s, url, body):
        with contextlib.suppress(Exception):
            return s.send_message(QueueUrl=url, MessageBody=body)

    def test_a_key_that_is_taken_away(self):
        """By a new configuration: not good any more, on a connection that was made before, as on another."""
        key = lambda n: {"access_key_id": f"AKID{n}", "secret_access_key": f"secret{n}"}
        self.d = self.daemon({"credentials": [key(1), key(2)]})
        sign = Signed.signed.__get__(self)
        list_queues = lambda n: sign(headers={**TARGET, "X-Amz-Target": "AmazonSQS.ListQueues"}, body=b"{}", key=f"AKID{n}", secret=f"secret{n}")
        old = self.handed_by(list_queues(1))
        self.d.set_config({"credentials": [key(2)]})
        worker = self.d.pids()["worker"]
        self.d.process.send_signal(signal.SIGHUP)
        self.ended(old)
        wait_until("there is a new one", lambda: self.d.pids()["worker"] not in ([], worker) and self.d.is_ready())
        for n, status in ((1, 403), (2, 200), (1, 403)):
            c = self.connect()
            self.assertEqual(self.ask(c, *list_queues(n)).status, status)
        self.assertEqual(self.ask(self.handed_by(list_queues(2)), *list_queues(1)).status, 403)

    def test_a_key_that_is_taken_away_while_fnd_drains(self):
        """That may take as long as an invocation does: connections that fn-events has end with their next answer then, as those do that fnd has."""
        self.d = self.daemon({"credentials": [{"access_key_id": "AKID1", "secret_access_key": "secret1"}], "drain_grace_s": 200})
        c, sign = boto(self.d, key="AKID1", secret="secret1"), Signed.signed.__get__(self)
        c.create_function(FunctionName="f", Role=ROLE, Runtime="python3.11", Handler="f.handler", Timeout=60, Code={"ZipFile": make_zip({"f.py": "def handler(event, context):" + HOLD})})
        wait_until("it is active", lambda: c.get_function_configuration(FunctionName="f")["State"] == "Active")
        request = lambda: sign(headers={**TARGET, "X-Amz-Target": "AmazonSQS.ListQueues"}, body=b"{}", key="AKID1", secret="secret1")
        ask = lambda on: self.ask(on, *request())
        old = [self.handed_by(request()) for _ in range(2)]
        with self.d.held("f", lambda event: c.invoke(FunctionName="f", Payload=json.dumps(event))["StatusCode"]) as out:
            self.d.set_config({"credentials": [{"access_key_id": "AKID2", "secret_access_key": "secret2"}]})
            self.d.process.send_signal(signal.SIGHUP)
            wait_until("it drains", lambda: "stopping: " in self.d.log())
            wait_until("they are told to end", lambda: ask(old[0]).ends)
            self.ended(old[0])
            a = ask(old[1])
            self.assertEqual((a.status, a.ends, out), (200, True, []))
        self.assertEqual(out, [200])


if __name__ == "__main__":
    unittest.main()
