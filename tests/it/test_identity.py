"""From inside a sandbox another's identity cannot be had: a table of attempts, each by name. Every one fails where the protection against it is, and comes to what it wants where that is
not: in the victim's own sandbox, at a listener whose peer is trusted, by root outside. So an attempt that fails has failed because of the protection."""
import json, os, subprocess, threading, unittest, urllib.parse
from harness import *
from test_platform import KNOWN, LIST, RAW, request, signed

ACCOUNT = "000000000000"
ROLES = f"arn:aws:iam::{ACCOUNT}:role/"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"

# What a process can try at another: by root outside and by mallory inside. "had", or the error.
TRIES = r'''
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)

def call(number, *args):
    ctypes.set_errno(0)
    r = libc.syscall(number, *[ctypes.c_ulong(a) if isinstance(a, int) else a for a in args])  # the last goes over the stack, whole
    if r < 0:
        raise OSError(ctypes.get_errno(), "")
    return r

def memory(pid, key):
    a, n = [int(x, 16) for x in open(f"/proc/{pid}/maps").readline().split()[0].split("-")]
    return vm_read(pid, a)

def vm_read(pid, address):
    into = ctypes.create_string_buffer(8)
    iov = lambda p: (ctypes.c_uint64 * 2)(p, 8)
    return call(310, pid, iov(ctypes.addressof(into)), 1, iov(address), 1, 0) == 8

TRIES = {
    "environ": lambda pid, key: key in open(f"/proc/{pid}/environ").read(),
    "fd": lambda pid, key: any(os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")),
    "root": lambda pid, key: "ready" in os.listdir(f"/proc/{pid}/root/tmp"),
    "mem": lambda pid, key: bool(open(f"/proc/{pid}/mem", "rb")),
    "ptrace": lambda pid, key: call(101, 0x4206, pid, 0, 0) == 0,
    "process_vm_readv": lambda pid, key: memory(pid, key) if os.path.exists(f"/proc/{pid}/maps") else vm_read(pid, 0x400000),
    "pidfd_getfd": lambda pid, key: call(438, call(434, pid, 0), 0, 0) >= 0,
    "setns": lambda pid, key: call(308, os.open(f"/proc/{pid}/ns/net", os.O_RDONLY), 0) == 0,
}

def attempt(name, pid, key):
    """In a process of its own: what it may become, or holds on to, ends with it."""
    r, w = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = "had" if TRIES[name](pid, key) else "nothing"
        except OSError as e:
            said = errno.errorcode.get(e.errno, str(e))
        except BaseException as e:
            said = f"broken: {e!r}"
        os.write(w, said.encode())
        os._exit(0)
    os.close(w)
    with os.fdopen(r) as f:
        said = f.read()
    os.waitpid(child, 0)
    return said
'''
SOURCE = RAW + TRIES.replace("def attempt(", "def attempt_at(") + r'''
import threading, time

def share(name, port):
    """Hands out connections to the platform, made here, to whoever asks."""
    s = socket.socket(socket.AF_UNIX)
    s.bind("\0" + name)
    s.listen()
    def serve():
        while True:
            c, _ = s.accept()
            with c, socket.create_connection(("127.0.0.1", port)) as given:
                socket.send_fds(c, [b"x"], [given.fileno()])
    threading.Thread(target=serve, daemon=True).start()

def take(name, data):
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect("\0" + name)
            fd = socket.recv_fds(s, 1, 1)[1][0]
        with socket.socket(fileno=fd) as given:
            given.sendall(base64.b64decode(data))
            got = b""
            while more := given.recv(65536):
                got += more
            return got.decode("latin-1")
    except OSError as e:
        return "errno " + str(e.errno)

asked = handler
def handler(event, context):
    if "tries" in event:
        return {name: attempt_at(name, event["pid"], event["key"]) for name in event["tries"]}
    if "take" in event:
        return take(event["take"], event["data"])
    if "hold" in event:
        share(event["hold"], event["port"])
        open("/tmp/ready", "w").write(context.aws_request_id + " " + os.environ["AWS_ACCESS_KEY_ID"])
        while os.path.exists("/tmp/ready"):
            time.sleep(0.05)
        return take(event["hold"], event["data"])
    if "trace" in event:
        return os.environ.get("_X_AMZN_TRACE_ID", "")
    return asked(event, context)
'''


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **s} for s in statements]})


class Base(Case):
    """The victim's function has the role t-i-rich, which may what t-i-poor, mallory's, may not."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.d = d = shared({"credentials": [{"access_key_id": KNOWN[0], "secret_access_key": KNOWN[1]}]})
        cls.c, cls.iam, cls.sts = (boto(d, s, key=KNOWN[0], secret=KNOWN[1]) for s in ("lambda", "iam", "sts"))
        get = {"Action": "lambda:GetFunctionConfiguration"}
        if_ = lambda name, **condition: {**get, "Resource": ARN + "t-i-" + name, "Condition": condition}
        poor = policy({"Action": "lambda:InvokeFunction", "Resource": [ARN + "t-i-mallory", ARN + "t-i-may"]}, {**get, "Resource": ARN + "t-i-may"},
                      if_("ip", IpAddress={"aws:SourceIp": "192.0.2.7"}), if_("source", ArnEquals={"aws:SourceArn": ARN + "t-i-victim"}), if_("account", StringEquals={"aws:SourceAccount": ACCOUNT}),
                      if_("victim", ArnEquals={"lambda:SourceFunctionArn": ARN + "t-i-victim"}), if_("own", ArnEquals={"lambda:SourceFunctionArn": ARN + "t-i-mallory"}))
        trust = lambda **who: json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole"}]})
        for name, who, text in (("t-i-poor", {"Service": "lambda.amazonaws.com"}, poor), ("t-i-rich", {"Service": "lambda.amazonaws.com"}, policy({"Action": ["lambda:*", "sqs:*"]})),
                                ("t-i-lent", {"AWS": ROOT}, policy({"Action": "lambda:*"}))):
            cls.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(**who))
            cls.addClassCleanup(cls.iam.delete_role, RoleName=name)
            cls.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=text)
            cls.addClassCleanup(cls.iam.delete_role_policy, RoleName=name, PolicyName="p")
        for name, role in (("mallory", "poor"), ("victim", "rich"), ("holder", "rich"), ("may", "poor"), ("ip", "poor"), ("source", "poor"), ("account", "poor"), ("own", "poor")):
            cls.c.create_function(FunctionName="t-i-" + name, Role=f"{ROLES}t-i-{role}", Runtime=PYTHON, Handler="f.handler", Code={"ZipFile": make_zip({"f.py": SOURCE})}, Timeout=120,
                                  Environment={"Variables": {"PYTHONWARNINGS": "ignore"}})  # so that nothing is started ahead: the keys are in what exec was given
            cls.addClassCleanup(cls.c.delete_function, FunctionName="t-i-" + name)
            cls.c.get_waiter("function_active_v2").wait(FunctionName="t-i-" + name)
        cls.own, cls.theirs = (cls.ask(name, look=1) for name in ("mallory", "victim"))
        k = cls.sts.assume_role(RoleArn=ROLES + "t-i-lent", RoleSessionName="se")["Credentials"]
        cls.lent = (k["AccessKeyId"], k["SecretAccessKey"], k["SessionToken"])

    @classmethod
    def ask(cls, name, **event):
        cls.d.idle("t-i-" + name, "finishing")  # its keys are one environment's
        r = cls.c.invoke(FunctionName="t-i-" + name, Payload=json.dumps(event))
        text = r["Payload"].read().decode()
        assert "FunctionError" not in r, text
        return json.loads(text)

    def inside(self, name, data, host="127.0.0.1", port=None, timeout=3):
        return self.ask(name, attempts=[{"data": base64.b64encode(data).decode(), "host": host, "port": port or self.d.port, "timeout": timeout}])[0]

    def mallory(self, *args, **kw):
        return self.inside("mallory", *args, **kw)

    def victim(self, *args, **kw):
        return self.inside("victim", *args, **kw)

    def outside(self, address, data, uid=0):
        """By a process of this machine's."""
        program = "import os, sys\nexec(sys.stdin.read())\nprint(answer(json.loads(sys.argv[1])))"
        where = {"host": address, "port": 0} if isinstance(address, str) else {"host": address[0], "port": address[1]}
        r = subprocess.run(["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "/usr/bin/python3", "-c", program, json.dumps({"data": base64.b64encode(data).decode(), "timeout": 3, **where})],
                           input="import json\n" + RAW, capture_output=True, text=True, timeout=60 * SLOW)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout


class Identity(Base):
    # --- the table: name, attempt, control ---
    def signatures(self):
        """By keys and what is signed with them. The control: the same bytes where they are right."""
        port, own, theirs, lent = self.d.port, self.own, self.theirs, self.lent
        m, v = self.mallory, self.victim
        body = lambda key, **kw: signed(port, key, LIST + "/t-i-victim/invocations", "POST", b'{"trace": 1}', **kw)
        cases = [
            ("the victim's key, whole", signed(port, theirs), v), ("the victim's key, presigned", signed(port, theirs, presign=True), v), ("the victim's key over a body", body(theirs), v),
            ("an administrator's request of an hour ago", signed(port, KNOWN, at=-3600), lambda data: m(signed(port, KNOWN))),
            ("a presigned one that has expired", signed(port, KNOWN, at=-7200, presign=True), lambda data: m(signed(port, KNOWN, presign=True))),
            ("an administrator's request for another path", signed(port, KNOWN, LIST + "/t-i-may").replace(b"t-i-may", b"t-i-victim"), lambda data: m(data.replace(b"t-i-victim", b"t-i-may"))),
            ("over another body", body(KNOWN).replace(b'"trace": 1', b'"trace": 2'), lambda data: m(body(KNOWN))),
            ("to another host", signed(port, KNOWN, host="localhost:1").replace(b"Host: localhost:1", f"Host: 127.0.0.1:{port}".encode()), lambda data: m(signed(port, KNOWN, host=f"127.0.0.1:{port}"))),
            ("by another method", signed(port, KNOWN, LIST + "/t-i-victim/invocations").replace(b"GET ", b"POST ", 1), lambda data: m(signed(port, KNOWN, LIST + "/t-i-victim/invocations", "POST"))),
            ("with a header more that means something", body(KNOWN).replace(b"\r\nHost", b"\r\nX-Amz-Invocation-Type: DryRun\r\nHost", 1), lambda data: m(body(KNOWN, headers={"X-Amz-Invocation-Type": "DryRun"}))),
            ("a scope of another service", signed(port, KNOWN).replace(b"/lambda/aws4_request", b"/sqs/aws4_request"), lambda data: m(signed(port, KNOWN))),
            ("a scope of another region", signed(port, KNOWN).replace(b"/us-east-1/", b"/eu-west-1/"), lambda data: m(signed(port, KNOWN))),
            ("a session's key without its token", signed(port, (*lent[:2], None)), lambda data: m(signed(port, lent))),
            ("a session's key with mallory's token", signed(port, (*lent[:2], own[2])), lambda data: m(signed(port, lent))),
            ("a session's token that was changed", signed(port, (*lent[:2], ("A" if lent[2][0] != "A" else "B") + lent[2][1:])), lambda data: m(signed(port, lent))),
            ("mallory's key with a session's token", signed(port, (*own[:2], lent[2])), lambda data: m(signed(port, lent))),
            ("mallory's key with the victim's token", signed(port, (*own[:2], theirs[2])), lambda data: v(signed(port, theirs))),
            ("the victim's key and token with mallory's secret", signed(port, (theirs[0], own[1], theirs[2])), lambda data: v(signed(port, theirs))),
            ("mallory's signature and the victim's key", signed(port, own).replace(own[0].encode(), theirs[0].encode()), lambda data: v(signed(port, theirs))),
            ("the victim's token in the query of what mallory signs", signed(port, own, LIST + "?X-Amz-Security-Token=" + urllib.parse.quote(theirs[2], safe="")), lambda data: v(signed(port, theirs))),
            ("two Authorizations, the victim's first", signed(port, own).replace(b"Authorization:", b"Authorization: " + re.search(rb"Authorization: ([^\r]*)", signed(port, theirs)).group(1) + b"\r\nAuthorization:", 1), lambda data: v(signed(port, theirs))),
        ]
        return [(name, lambda data=data: m(data), lambda data=data, control=control: control(data)) for name, data, control in cases]

    def said(self):
        """What a request says of itself, where its policies ask for it."""
        get = lambda name, **headers: request("GET", f"{LIST}/t-i-{name}/configuration", {k.replace("_", "-"): v for k, v in headers.items()})
        own = lambda: self.mallory(get("own"))  # a condition that is met
        listing = lambda headers: request("POST", "/", {"X-Amz-Target": "AmazonSQS.SetQueueAttributes", "Content-Type": "application/x-amz-json-1.0", **headers}, json.dumps({"QueueUrl": "http://x/000000000000/t-i-none", "Attributes": {}}).encode())
        inner = {"X-Fnd-Service": "sqs", "X-Fnd-Operation": "ListQueues", "X-Fnd-Protocol": "json", "X-Fnd-Principal": ROOT, "X-Fnd-User-Id": ACCOUNT, "X-Fnd-Identity": "allow", "X-Fnd-Host": "x", "X-Fnd-Request-Id": "00000000-0000-4000-8000-000000000000"}
        trusted = lambda: self.outside(self.d.state + "/events.sock", request("POST", "/", inner, b"{}"), uid_of(self.d.pids()["worker"][0]))
        return [
            ("X-Forwarded-For", lambda: self.mallory(get("ip", X_Forwarded_For="192.0.2.7", Forwarded="for=192.0.2.7", X_Real_IP="192.0.2.7", X_Fnd_Address="192.0.2.7")), own),
            ("a context of its own", lambda: self.mallory(get("ip", X_Fnd_Context='{"aws:sourceip": "192.0.2.7"}')), own),
            ("aws:SourceArn in headers", lambda: self.mallory(get("source", X_Amz_Source_Arn=ARN + "t-i-victim", aws_SourceArn=ARN + "t-i-victim", X_Amzn_Source_Arn=ARN + "t-i-victim", X_Fnd_Context=json.dumps({"aws:sourcearn": ARN + "t-i-victim"}))), own),
            ("aws:SourceAccount in headers", lambda: self.mallory(get("account", X_Amz_Source_Account=ACCOUNT, X_Amzn_Source_Account=ACCOUNT, X_Fnd_Context=json.dumps({"aws:sourceaccount": ACCOUNT}))), own),
            ("lambda:SourceFunctionArn in headers", lambda: self.mallory(get("victim", X_Fnd_Function=ARN + "t-i-victim", X_Amz_Source_Function_Arn=ARN + "t-i-victim")), own),
            ("the principal in what fn-events is told", lambda: self.mallory(listing(inner)), trusted),
            ("another operation in what fn-events is told", lambda: self.mallory(listing({"X-Fnd-Operation": "ListQueues", "X-Fnd-Service": "sqs"})), trusted),
            ("a target of another service than the path's", lambda: self.mallory(request("GET", LIST, {"X-Amz-Target": "AmazonSQS.ListQueues"})), lambda: self.victim(request("GET", LIST))),
        ]

    def names(self):
        """Of what it may not, written so that it looks like what it may."""
        plain = lambda: self.victim(request("GET", LIST + "/t-i-victim/configuration"))
        get = lambda name, more="/configuration": lambda: self.mallory(request("GET", f"{LIST}/{name}{more}"))
        return [
            ("a path with dots", get("t-i-may/../t-i-victim"), plain), ("with escaped dots", get("t-i-may%2F..%2Ft-i-victim"), plain), ("with two slashes", get("/t-i-victim"), plain),
            ("an ARN of another account", get(ARN.replace(ACCOUNT, "111111111111") + "t-i-victim"), plain), ("of another partition", get(ARN.replace("arn:aws:", "arn:aws-cn:") + "t-i-victim"), plain),
            ("a name in two members", get("t-i-victim", "/configuration?FunctionName=t-i-may"), plain), ("with a zero byte", get("t-i-may%00/../t-i-victim"), plain),
            ("an escaped name", get("t-i-%76ictim"), plain), ("a qualifier that names it", get("t-i-may", "/configuration?Qualifier=x:t-i-victim"), lambda: self.mallory(request("GET", LIST + "/t-i-may/configuration"))),
            ("lines in the path", lambda: self.mallory(request("POST", "/%20HTTP/1.1%0d%0aX-Fnd-Principal:%20" + ROOT + "%0d%0aX-Fnd-Identity:%20allow%0d%0aX:", {"X-Amz-Target": "AmazonSQS.CreateQueue", "Content-Type": "application/x-amz-json-1.0"}, b'{"QueueName": "t-i-made"}')),
             lambda: self.victim(request("POST", "/", {"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "application/x-amz-json-1.0"}, b"{}"))),
        ]

    def smuggled(self):
        """A request within another, at fnd and, by it, at fn-events. The control: that request alone, where it may."""
        hidden = request("GET", LIST, {"X-Fnd-Principal": ROOT})
        queue = {"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "application/x-amz-json-1.0", "Connection": "keep-alive"}
        told = request("POST", "/", {"X-Fnd-Service": "sqs", "X-Fnd-Operation": "CreateQueue", "X-Fnd-Protocol": "json", "X-Fnd-Principal": ROOT, "X-Fnd-Identity": "allow", "X-Fnd-Host": "x", "Content-Type": "application/x-amz-json-1.0"}, b'{"QueueName": "t-i-made"}')
        alone = lambda: self.victim(hidden)
        post = lambda headers, data, body=b"", extra=b"": lambda: self.mallory(request("POST", "/", {**queue, **headers}, body, extra=extra) + data, timeout=1)
        return [
            ("two lengths", post({"Content-Length": "2"}, b"{}" + hidden, extra=b"Content-Length: 0\r\n"), alone), ("a length and chunks", post({"Content-Length": str(5 + len(hidden)), "Transfer-Encoding": "chunked"}, b"0\r\n\r\n" + hidden), alone),
            ("chunks that are not the last coding", post({"Transfer-Encoding": "chunked, identity"}, b"0\r\n\r\n" + hidden), alone), ("a coding with a tab", post({"Transfer-Encoding": "\tchunked", "Content-Length": "5"}, b"0\r\n\r\n" + hidden), alone),
            ("a length with a sign", post({"Content-Length": "+2"}, b"{}" + hidden), alone), ("a size of a chunk too large for any number", post({"Transfer-Encoding": "chunked"}, b"10000000000000000\r\n" + hidden), alone),
            ("behind a body that fn-events gets", post({"Content-Length": "2"}, b"{}" + told), alone), ("in a body that fn-events gets", post({}, b"", told), alone), ("behind chunks that fn-events gets", post({"Transfer-Encoding": "chunked"}, b"2;x=\r\n{}\r\n0\r\n\r\n" + told), alone),
            ("in trailers", post({"Transfer-Encoding": "chunked", "Trailer": "X-Fnd-Principal"}, b"2\r\n{}\r\n0\r\nX-Fnd-Principal: " + ROOT.encode() + b"\r\nX-Fnd-Operation: CreateQueue\r\n\r\n" + hidden), alone),
            ("in a folded header", post({"Content-Length": "2"}, b"{}", extra=b"X-A: b\r\n X-Fnd-Principal: " + ROOT.encode() + b"\r\n"), alone), ("behind a bare line feed", lambda: self.mallory(request("GET", LIST, extra=b"X-A: b\nX-Fnd-Principal: " + ROOT.encode() + b"\r\n"), timeout=1), alone),
            ("pipelined behind the administrator's of old", lambda: self.mallory(signed(self.d.port, KNOWN, at=-3600).replace(b"Connection: close", b"Connection: keep-alive") + hidden, timeout=1), alone),
            ("pipelined behind a session's", lambda: self.mallory(signed(self.d.port, self.lent, LIST + "/t-i-none").replace(b"Connection: close", b"Connection: keep-alive") + hidden, timeout=1), lambda: self.mallory(signed(self.d.port, self.lent))),
            ("an upgrade", lambda: self.mallory(request("GET", "/_fnd/pass", {"Connection": "Upgrade", "Upgrade": "aws-api", "X-Fnd-Address": "127.0.0.1"}) + signed(self.d.port, KNOWN, at=-3600), timeout=1), lambda: self.mallory(signed(self.d.port, KNOWN))),
        ]

    def listeners(self):
        """Of others, from inside, and from outside by a sandbox's user. The control: by whom it is for."""
        ask, root, worker = request("GET", LIST), 0, uid_of(self.d.pids()["worker"][0])
        sandbox = uid_of(next(p for p in self.d.pids()["sandbox"] if comm(p) not in ("fn-init", "fn-spawnd")))
        known = signed(self.d.port, KNOWN)
        rows = [("the public one by another address: " + a, lambda a=a: self.mallory(known, host=a), lambda: self.outside(("127.0.0.1", self.d.port), known)) for a in ("127.0.0.2", "::1", "::ffff:127.0.0.2", "10.201.0.1", "169.254.169.254")]
        inner = request("POST", "/", {"X-Fnd-Service": "sqs", "X-Fnd-Operation": "ListQueues", "X-Fnd-Protocol": "json", "X-Fnd-Principal": ROOT, "X-Fnd-Identity": "allow", "X-Fnd-User-Id": ACCOUNT, "X-Fnd-Host": "x", "X-Fnd-Request-Id": "00000000-0000-4000-8000-000000000000"}, b"{}")
        for name, data, uid in (("control.sock", ask, root), ("events.sock", inner, worker)):
            path = f"{self.d.state}/{name}"
            rows += [(f"{name} from inside", lambda path=path, data=data: self.mallory(data, host=path), lambda path=path, data=data, uid=uid: self.outside(path, data, uid)),
                     (f"{name} by a sandbox's user", lambda path=path, data=data: self.outside(path, data, sandbox), lambda path=path, data=data, uid=uid: self.outside(path, data, uid))]
        return rows

    def processes(self):
        """Of the victim, while it runs. The control: by root outside."""
        pid, key = self.held, self.held_key
        def outside(name):
            r = subprocess.run(["/usr/bin/python3", "-c", TRIES + f"\nprint(attempt({name!r}, {pid}, {key!r}))"], capture_output=True, text=True, timeout=60 * SLOW)
            self.assertEqual(r.returncode, 0, r.stderr)
            return r.stdout.strip()
        inside = lambda name: self.ask("mallory", tries=[name], pid=pid, key=key)[name]
        return [(f"{name} of its process", lambda name=name: inside(name), lambda name=name: outside(name)) for name in ("environ", "fd", "root", "mem", "ptrace", "process_vm_readv", "pidfd_getfd", "setns")]

    def its_own_apis(self):
        """What the Runtime API and a connection give to whoever can name an invocation or a socket of another."""
        data = base64.b64encode(request("GET", LIST)).decode()
        answer = lambda: self.mallory(request("POST", f"/2018-06-01/runtime/invocation/{self.invocation}/response", body=b'"forged"'), port=9001)
        return [
            ("a connection that the victim hands out", lambda: self.ask("mallory", take="t-i-shared", data=data), lambda: self.let_go()),
            ("an answer to the victim's invocation", answer, None),
            ("an extension's name that is another's", lambda: self.mallory(request("GET", "/2020-01-01/extension/event/next", {"Lambda-Extension-Identifier": "00000000-0000-4000-8000-000000000000"}), port=9001, timeout=1), None),
        ]

    def hold(self):
        """The victim is at work until let_go(), which returns what it then says."""
        said = []
        data = base64.b64encode(request("GET", LIST)).decode()
        t = threading.Thread(target=lambda: said.append(self.ask("holder", hold="t-i-shared", port=self.d.port, data=data)))
        t.start()
        ready = lambda: [p for p in self.d.pids()["sandbox"] if comm(p) not in ("fn-init", "fn-spawnd") and os.path.exists(tmp_of(p, "ready"))]
        wait_until("the victim is at work", ready)
        self.held = ready()[0]
        path = tmp_of(self.held, "ready")
        wait_until("it has said at which invocation", lambda: os.path.getsize(path))
        with open(path) as f:
            self.invocation, self.held_key = f.read().split()

        def let_go():
            if not said:
                os.unlink(path)
                t.join()
            return said[0]
        self.let_go = let_go
        self.addCleanup(let_go)

    @staticmethod
    def had(answer):
        return answer == "had" or re.search(r"HTTP/1\.1 (200|201|202|204)", answer) is not None

    def test_attempts(self):
        self.hold()
        rows = self.processes() + self.its_own_apis()[1:] + self.signatures() + self.said() + self.names() + self.smuggled() + self.listeners() + self.its_own_apis()[:1]
        self.assertEqual(len({name for name, _, _ in rows}), len(rows))
        self.assertGreaterEqual(len(rows), 60)
        poor = f"arn:aws:sts::{ACCOUNT}:assumed-role/t-i-poor/t-i-mallory"
        for name, attempt, control in rows:
            with self.subTest(name):
                answer = attempt()
                self.assertNotIn("broken", answer)
                self.assertFalse(self.had(answer), answer)
                for who in re.findall(r"User: (\S+)", answer):
                    self.assertEqual(who, poor)
                if control:
                    comes_to = control()
                    self.assertTrue(self.had(comes_to), comes_to)
        self.assertNotIn("forged", json.dumps(self.let_go()))
        self.assertEqual([u for u in boto(self.d, "sqs", key=KNOWN[0], secret=KNOWN[1]).list_queues().get("QueueUrls", []) if "t-i-" in u], [])

    def test_a_chain_cannot_be_left(self):
        """The invocation that a sandbox is at is known by its socket: a Lineage of its own counts for nothing. From outside, where no invocation is known, it does."""
        ask = lambda trace: request("POST", LIST + "/t-i-mallory/invocations", {"X-Amzn-Trace-Id": trace, "X-Amz-Invocation-Type": "RequestResponse"}, b'{"trace": 1}')
        for forged in ("Root=1-00000001-000000000000000000000001;Lineage=00000000:0", "Root=1-00000001-000000000000000000000001", "Lineage=", "Lineage=00000000:0;Lineage=00000001:0"):
            with self.subTest(forged):
                answer = self.mallory(ask(forged))
                self.assertRegex(answer, r"(?s)^HTTP/1\.1 200.*Lineage=[0-9a-f]{8}:2\b")


TENANT = r"""
import os
def handler(event, context):
    if "secret" in event:
        open("/tmp/secret", "w").write(event["secret"])
    said = {"tenant": context.tenant_id, "secret": open("/tmp/secret").read() if os.path.exists("/tmp/secret") else None}
    print("said", context.aws_request_id, said)
    return said
"""
# An environment that is used again: what an invocation has left behind meets the next one.
LEFT = SOURCE + r"""
import http.client
first = handler
kept = None
def say(link, data):
    # it stays open
    link.sendall(base64.b64decode(data))
    answer = http.client.HTTPResponse(link)
    answer.begin()
    return f"HTTP/1.1 {answer.status} {answer.read().decode()}"

def handler(event, context):
    global kept
    if "keep" in event:
        kept = socket.create_connection(("127.0.0.1", event["keep"]))
        kept.settimeout(5)
    if "say" in event:
        return say(kept, event["say"])
    if "leave" in event:  # a process that outlives the invocation, with what hands out its connections to the platform
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                share(event["leave"], event["port"])
                open("/tmp/left", "w").write(str(os.getpid()))
                time.sleep(600)
            os._exit(0)
        while not os.path.exists("/tmp/left"):
            time.sleep(0.01)
        time.sleep(event.get("hang", 0))
        return "left"
    if "processes" in event:
        return [c.replace(b"\0", b" ").decode() for c in (open(f"/proc/{p}/cmdline", "rb").read() for p in os.listdir("/proc") if p.isdigit())]
    return first(event, context)
"""


class Tenants(Base):
    """Of a function that is isolated by tenant: one's environment is had by that one's name alone, which stands in one place of a request. Mallory may invoke it, as tenant blue."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        r = cls.raw("POST", LIST, {}, json.dumps({"FunctionName": "t-i-tenant", "Role": ROLES + "t-i-poor", "Runtime": PYTHON, "Handler": "f.handler", "Timeout": 60, "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"},
                                                  "Code": {"ZipFile": base64.b64encode(make_zip({"f.py": TENANT})).decode()}}).encode())
        assert "201" in r.split("\r\n")[0], r
        cls.addClassCleanup(cls.c.delete_function, FunctionName="t-i-tenant")
        cls.c.get_waiter("function_active_v2").wait(FunctionName="t-i-tenant")
        cls.iam.put_role_policy(RoleName="t-i-poor", PolicyName="tenant", PolicyDocument=policy({"Action": "lambda:InvokeFunction", "Resource": ARN + "t-i-tenant"}))
        cls.addClassCleanup(cls.iam.delete_role_policy, RoleName="t-i-poor", PolicyName="tenant")

    @classmethod
    def raw(cls, method, path, headers, body=b""):
        """By an administrator, from outside."""
        import socket
        with socket.create_connection(("127.0.0.1", cls.d.port), timeout=PATIENCE) as s:
            s.sendall(signed(cls.d.port, KNOWN, path, method, body, headers=headers))
            got = b""
            while more := s.recv(65536):
                got += more
        return got.decode("latin-1")

    def test_attempts(self):
        path = LIST + "/t-i-tenant/invocations"
        self.assertIn("s3cret-of-red", self.raw("POST", path, {"X-Amz-Tenant-Id": "red"}, b'{"secret": "s3cret-of-red"}'))
        ask = lambda headers, body=b"{}", path=path, extra=b"": self.mallory(request("POST", path, headers, body, extra=extra))
        blue = {"X-Amz-Tenant-Id": "blue"}
        context = base64.b64encode(json.dumps({"custom": {"X-Amz-Tenant-Id": "red", "tenant_id": "red"}, "tenantId": "red"}).encode()).decode()
        attempts = {
            "the runtime's header beside it": lambda: ask({**blue, "Lambda-Runtime-Aws-Tenant-Id": "red"}),
            "the runtime's header alone": lambda: ask({"Lambda-Runtime-Aws-Tenant-Id": "red"}),
            "twice, the second another's": lambda: ask(blue, extra=b"X-Amz-Tenant-Id: red\r\n"),
            "both in one": lambda: ask({"X-Amz-Tenant-Id": "blue,red"}),
            "its name with underscores": lambda: ask({**blue, "X_Amz_Tenant_Id": "red"}),
            "of fnd's own headers": lambda: ask({**blue, "X-Fnd-Tenant": "red", "X-Fnd-Tenant-Id": "red", "X-Fnd-Judged": "red"}),
            "in the query": lambda: ask(blue, path=path + "?X-Amz-Tenant-Id=red&TenantId=red"),
            "in the query alone": lambda: ask({}, path=path + "?X-Amz-Tenant-Id=red&TenantId=red"),
            "as a qualifier": lambda: ask(blue, path=path + "?Qualifier=$LATEST:red"),
            "in the client's context": lambda: ask({**blue, "X-Amz-Client-Context": context}),
            "in the event": lambda: ask(blue, b'{"TenantId": "red", "X-Amz-Tenant-Id": "red"}'),
            "in trailers": lambda: self.mallory(request("POST", path, {**blue, "Transfer-Encoding": "chunked", "Trailer": "X-Amz-Tenant-Id"}) + b"2\r\n{}\r\n0\r\nX-Amz-Tenant-Id: red\r\n\r\n"),
            "in a folded line": lambda: ask({}, extra=b"X-Amz-Tenant-Id:\r\n red\r\n"),
            "behind a bare line feed": lambda: ask(blue, extra=b"X-A: b\nX-Amz-Tenant-Id: red\r\n"),
            "with a zero byte": lambda: ask({"X-Amz-Tenant-Id": b"red\0blue"}),
            "escaped": lambda: ask({"X-Amz-Tenant-Id": "%72ed"}),
            "of another case": lambda: ask({"X-Amz-Tenant-Id": "Red"}),
            "a part of it": lambda: ask({"X-Amz-Tenant-Id": "re"}),
            "as a stream": lambda: ask({**blue, "Lambda-Runtime-Aws-Tenant-Id": "red"}, path="/2021-11-15/functions/t-i-tenant/response-streaming-invocations"),
            "in the trace of an event": lambda: self.by_event({**blue, "X-Amzn-Trace-Id": "Root=1-00000001-000000000000000000000001;X-Amz-Tenant-Id=red"}),
            "in a header of an event": lambda: self.by_event({**blue, "Lambda-Runtime-Aws-Tenant-Id": "red"}),
        }
        self.assertGreaterEqual(len(attempts), 20)
        for name, attempt in attempts.items():
            with self.subTest(name):
                answer = attempt()
                self.assertTrue(answer.startswith("HTTP/1.1 "), answer)
                self.assertNotIn("s3cret-of-red", answer)
                self.assertNotRegex(answer, r"""['"]tenant['"]: *['"]red""")
        for control in (lambda: ask({"X-Amz-Tenant-Id": "red"}), lambda: ask({"x-amz-tenant-id": "red"}), lambda: self.by_event({"X-Amz-Tenant-Id": "red"}),
                        lambda: ask({"X-Amz-Tenant-Id": "red"}, path="/2021-11-15/functions/t-i-tenant/response-streaming-invocations")):
            self.assertIn("s3cret-of-red", control())

    def by_event(self, headers):
        """What the function says is in its log."""
        answer = self.mallory(request("POST", LIST + "/t-i-tenant/invocations", {**headers, "X-Amz-Invocation-Type": "Event"}, b"{}"))
        self.assertTrue(answer.startswith("HTTP/1.1 202"), answer)
        said = "said " + re.search(r"(?i)x-amzn-requestid: (\S+)", answer)[1]
        wait_until("it has run", lambda: said in self.raw("GET", "/_fnd/logs/t-i-tenant", {}))
        return answer + self.raw("GET", "/_fnd/logs/t-i-tenant", {}).partition(said)[2].partition("\\n")[0]


class Reused(Base):
    """An environment that is used again: nothing that an invocation left behind speaks for another one."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.iam.put_role_policy(RoleName="t-i-poor", PolicyName="left", PolicyDocument=policy({"Action": "lambda:InvokeFunction", "Resource": ARN + "t-i-left"}))
        cls.addClassCleanup(cls.iam.delete_role_policy, RoleName="t-i-poor", PolicyName="left")

    def setUp(self):
        super().setUp()
        self.c.create_function(FunctionName="t-i-left", Role=ROLES + "t-i-poor", Runtime=PYTHON, Handler="f.handler", Code={"ZipFile": make_zip({"f.py": LEFT})}, Timeout=6)
        self.addCleanup(self.c.delete_function, FunctionName="t-i-left")
        self.c.get_waiter("function_active_v2").wait(FunctionName="t-i-left")

    def invoke(self, trace=None, error=None, **event):
        import socket
        self.d.idle("t-i-left")
        with socket.create_connection(("127.0.0.1", self.d.port), timeout=PATIENCE) as s:
            s.sendall(signed(self.d.port, KNOWN, LIST + "/t-i-left/invocations", "POST", json.dumps(event).encode(), headers={"X-Amzn-Trace-Id": trace} if trace else {}))
            got = b""
            while more := s.recv(65536):
                got += more
        head, _, body = got.decode("latin-1").partition("\r\n\r\n")
        self.assertTrue(head.startswith("HTTP/1.1 200"), got)
        self.assertEqual("X-Amz-Function-Error" in head, bool(error), got)
        return json.loads(body)

    def test_a_connection_of_an_earlier_invocation(self):
        """It is of the chain of the invocation that is at work, not of the one that made it."""
        chain = "Root=1-00000001-000000000000000000000001;Lineage=0a0b0c0d:7"
        call = base64.b64encode(request("POST", LIST + "/t-i-may/invocations", {"Connection": "keep-alive"}, b'{"trace": 1}')).decode()
        own = self.invoke(keep=self.d.port, say=call)  # the control: in its own invocation it is of that one's
        self.assertRegex(own, r"(?s)^HTTP/1\.1 200.*Root=")
        self.assertNotIn("0a0b0c0d", own)
        for forged in ("", "Root=1-00000002-000000000000000000000002", "Root=1-00000002-000000000000000000000002;Lineage=11111111:1"):
            with self.subTest(forged):
                later = base64.b64encode(request("POST", LIST + "/t-i-may/invocations", {"Connection": "keep-alive", **({"X-Amzn-Trace-Id": forged} if forged else {})}, b'{"trace": 1}')).decode()
                self.assertRegex(self.invoke(chain, say=later), r"(?s)^HTTP/1\.1 200.*Lineage=0a0b0c0d:7")
        self.assertNotIn("0a0b0c0d", self.invoke(say=call))

    def test_a_process_of_an_earlier_invocation(self):
        """It lives on from one to the next; after a time-out the environment has another sandbox, and nothing of the last one's is there: neither the process nor a connection of its."""
        data = base64.b64encode(request("GET", LIST + "/t-i-may/configuration")).decode()
        take = lambda: self.invoke(take="t-i-behind", data=data)
        self.assertEqual(self.invoke(leave="t-i-behind", port=self.d.port), "left")
        before = self.invoke(look=1)
        self.assertRegex(take(), r"^HTTP/1\.1 200")  # the control
        n = len(self.invoke(processes=1))
        self.invoke(error=True, leave="t-i-other", port=self.d.port, hang=60)
        self.assertRegex(take(), r"^errno ")
        self.assertLess(len(self.invoke(processes=1)), n)
        self.assertEqual(self.invoke(look=1)[0], before[0], "it is the same environment")


if __name__ == "__main__":
    unittest.main()
