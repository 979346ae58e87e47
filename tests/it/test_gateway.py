"""fn-gateway: as a process, with TLS, behind proxies; streams; frameworks and a browser as they are published, behind function URLs."""
import http.client, http.server, json, os, signal, socket, ssl, subprocess, sys, threading, unittest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from harness import *
from test_urls import ECHO, KEY, POLICY, PUBLIC, SECRET, URL, UrlCase
import npm, pypi


class Processes(UrlCase):
    def own(self, config=None, **more):
        port = free_port()
        d = self.daemon({"gateway": {"listen": f"127.0.0.1:{port}", **more}, **(config or {})})
        self.d, self.port = d, port
        return d

    def gateway_pid(self, d, but=None):
        wait_until("fn-gateway runs", lambda: [p for p in d.pids()["gateway"] if p != but])
        return d.pids()["gateway"][0]

    def test_a_kill(self):
        d = self.own()
        d.create("f")
        host = self.url("f")
        for _ in range(3):
            pid, seen = self.gateway_pid(d), []
            d.create_python(f"slow{pid}", "import time\ndef handler(e, c):\n    time.sleep(60)\n", Timeout=90)
            host_slow = self.url(f"slow{pid}")
            t = threading.Thread(target=lambda: seen.append(self.fails(host_slow)))
            t.start()
            d.under_way(f"slow{pid}")
            os.kill(pid, signal.SIGKILL)
            t.join(30 * SLOW)
            self.assertIsInstance(seen[0], (ConnectionError, http.client.HTTPException))
            self.assertEqual(self.get(host, timeout=30).status, 200)
            self.assertNotEqual(self.gateway_pid(d), pid)

    def fails(self, host):
        try:
            return self.get(host)
        except (OSError, http.client.HTTPException) as e:
            return e

    def test_a_worker_that_dies(self):
        d = self.own()
        d.create_python("f", ECHO)
        host = self.url("f")
        self.assertEqual(self.get(host).status, 200)
        os.kill(d.pids()["worker"][0], signal.SIGKILL)
        wait_until("it is served again", lambda: self.get(host).status == 200)

    def certificate(self, d, name):
        path = os.path.join(d.state + "." + name)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout", path + ".key", "-out", path + ".pem", "-subj", f"/CN={name}",
                        "-addext", f"subjectAltName=DNS:{name},DNS:*.lambda-url.us-east-1.{name}"], check=True, capture_output=True)
        self.addCleanup(lambda: [os.unlink(path + e) for e in (".key", ".pem") if os.path.exists(path + e)])
        return {"certificate": path + ".pem", "key": path + ".key"}

    def tls(self, port, name, ca, version=None):
        c = ssl.create_default_context(cafile=ca)
        if version:
            c.minimum_version = c.maximum_version = version
        s = socket.create_connection(("127.0.0.1", port), timeout=60 * SLOW)
        return c.wrap_socket(s, server_hostname=name)

    def test_tls(self):
        d = self.daemon(start=False)
        port, tls = free_port(), free_port()
        a, b = self.certificate(d, "a.test"), self.certificate(d, "b.test")
        config = {"gateway": {"listen": "", "tls_listen": f"127.0.0.1:{tls}", "public": "https://b.test", "certificates": [a, b], "api_host": "api.b.test"},
                  "credentials": [{"access_key_id": KEY, "secret_access_key": SECRET}]}
        b2 = self.certificate(d, "api.b.test")
        config["gateway"]["certificates"].append(b2)
        d.set_config(config)
        d.start()
        c = boto(d, key=KEY, secret=SECRET)
        c.create_function(FunctionName="f", Timeout=30, Runtime="python3.11", Role=ROLE, Handler="f.handler", Code={"ZipFile": make_zip({"f.py": ECHO})})
        c.get_waiter("function_active_v2").wait(FunctionName="f")
        address = c.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
        self.assertRegex(address, r"^https://[a-z0-9]{32}\.lambda-url\.us-east-1\.b\.test/$")
        host = address.split("/")[2]
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.tls(tls, host, b["certificate"], version) as s:
                s.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                self.assertIn(b"403", s.recv(65536))
        with self.tls(tls, "a.test", a["certificate"]) as s:
            pass
        with self.assertRaises(ssl.SSLError):
            with self.tls(tls, "a.test", b["certificate"]):
                pass
        # the AWS API, under its name
        through = subprocess.run([sys.executable, "-c", f"""
import socket
real = socket.getaddrinfo
socket.getaddrinfo = lambda h, p, *a, **k: real("127.0.0.1" if h == "api.b.test" else h, p, *a, **k)
import boto3
c = boto3.client("lambda", endpoint_url="https://api.b.test:{tls}", region_name="us-east-1", aws_access_key_id="{KEY}", aws_secret_access_key="{SECRET}", verify="{b2['certificate']}")
print([f["FunctionName"] for f in c.list_functions()["Functions"]], c.invoke(FunctionName="f", Payload=b'{{"a":1}}')["Payload"].read())
c = boto3.client("sqs", endpoint_url="https://api.b.test:{tls}", region_name="us-east-1", aws_access_key_id="{KEY}", aws_secret_access_key="{SECRET}", verify="{b2['certificate']}")
print(c.create_queue(QueueName="q")["QueueUrl"])"""], capture_output=True, text=True)
        self.assertIn("['f'] b'{\"a\": 1}'", through.stdout, through.stderr)
        self.a_queue_s_url_inside(d, through.stdout.split()[-1], f"https://api.b.test:{tls}/000000000000/q")
        # of which policies know that it is secure, and whom it is from
        iam = boto(d, "iam", key=KEY, secret=SECRET)
        iam.create_user(UserName="u")
        k = iam.create_access_key(UserName="u")["AccessKey"]

        def status(source, secure=True, headers=None):
            r = AWSRequest("GET", f"http{'s' if secure else ''}://api.b.test:{tls}/2015-03-31/functions", headers or {})
            SigV4Auth(Credentials(k["AccessKeyId"], k["SecretAccessKey"]), "lambda", "us-east-1").add_auth(r)
            c = http.client.HTTPSConnection("api.b.test", tls, context=ssl.create_default_context(cafile=b2["certificate"])) if secure else http.client.HTTPConnection("api.b.test")
            c._create_connection = lambda to, *a, **kw: socket.create_connection(("127.0.0.1", tls if secure else d.port), 60, (source, 0))
            c.request("GET", "/2015-03-31/functions", headers={**dict(r.headers), "Host": f"api.b.test:{tls}"})
            return c.getresponse().status
        iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "lambda:ListFunctions", "Resource": "*", "Condition": {
            "Bool": {"aws:SecureTransport": "true"}, "IpAddress": {"aws:SourceIp": "127.0.0.5"}}}]}))
        self.assertEqual([status("127.0.0.5"), status("127.0.0.1"), status("127.0.0.5", False), status("127.0.0.1", headers={"X-Forwarded-For": "127.0.0.5", "X-Fnd-Address": "127.0.0.5"})], [200, 403, 403, 403])
        with self.tls(tls, "api.b.test", b2["certificate"]) as s:
            s.sendall(b"GET /_fnd/pass HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: aws-api\r\nX-Fnd-Address: 127.0.0.5\r\n\r\n")
            self.assertNotIn(b" 101 ", s.recv(65536))
        # other keys under the same names; who connects meanwhile has an answer, by the old one or the new
        pid, old = self.gateway_pid(d), b["certificate"] + ".old"
        os.rename(b["certificate"], old)
        self.addCleanup(os.unlink, old)
        b.update(self.certificate(d, "b.test"))
        either = ssl.create_default_context(cafile=old)
        either.load_verify_locations(b["certificate"])
        over, failed, answered = threading.Event(), [], []

        def connect():
            while not over.is_set():
                try:
                    with either.wrap_socket(socket.create_connection(("127.0.0.1", tls), timeout=60 * SLOW), server_hostname=host) as s:
                        s.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                        answered.append(s.recv(65536)[:12])
                except OSError as e:
                    failed.append(repr(e))
        clients = [threading.Thread(target=connect) for _ in range(3)]
        for t in clients:
            t.start()
        d.process.send_signal(signal.SIGHUP)

        def served():
            try:
                with self.tls(tls, host, b["certificate"]):
                    return True
            except ssl.SSLError:  # the old key
                return False
        try:
            wait_until("the new key is served", served)
            wait_until("the old one has gone", lambda: not os.path.exists(f"/proc/{pid}"))
        finally:
            over.set()
            for t in clients:
                t.join()
        self.assertEqual((failed, set(answered)), ([], {b"HTTP/1.1 403"}))

    def a_queue_s_url_inside(self, d, url, expected):
        """It is good in a sandbox, where the API is at `listen`'s port, without TLS: no wire carries it."""
        self.assertEqual(url, expected)
        iam, c = (boto(d, s, key=KEY, secret=SECRET) for s in ("iam", "lambda"))
        trust, allow = ({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **s}]} for s in ({"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}, {"Action": "sqs:SendMessage", "Resource": "*"}))
        arn = iam.create_role(RoleName="sender", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        iam.put_role_policy(RoleName="sender", PolicyName="p", PolicyDocument=json.dumps(allow))
        python = "import boto3\nc = boto3.client('sqs')\ndef handler(e, x):\n    return c.send_message(QueueUrl=e, MessageBody='python')['ResponseMetadata']['HTTPStatusCode']\n"
        node = """const { SQSClient, SendMessageCommand } = require("@aws-sdk/client-sqs");
const c = new SQSClient({ useQueueUrlAsEndpoint: false });
exports.handler = async (e) => (await c.send(new SendMessageCommand({ QueueUrl: e, MessageBody: "node" }))).$metadata.httpStatusCode;"""
        for name, runtime, files, handler in (("s-python", PYTHON, {"f.py": python}, "f.handler"), ("s-node", "nodejs22.x", {"index.js": node}, "index.handler")):
            c.create_function(FunctionName=name, Runtime=runtime, Role=arn, Handler=handler, Code={"ZipFile": make_zip(files)}, Timeout=60, MemorySize=1024)
            c.get_waiter("function_active_v2").wait(FunctionName=name)
            self.assertEqual(c.invoke(FunctionName=name, Payload=json.dumps(url))["Payload"].read(), b"200", name)
            c.delete_function(FunctionName=name)

    def test_a_key_that_is_not_the_certificate_s(self):
        d = self.daemon(start=False)
        a, b = self.certificate(d, "a.test"), self.certificate(d, "b.test")
        d.set_config({"gateway": {"listen": "", "tls_listen": f"127.0.0.1:{free_port()}", "certificates": [{"certificate": a["certificate"], "key": b["key"]}]}})
        d.start()
        wait_until("the log says so", lambda: "the key is not the certificate's" in d.log())

    def test_a_reload_with_a_key_that_is_not_the_certificate_s_changes_nothing(self):
        """As while one of the two is replaced."""
        d, tls = self.daemon(start=False), free_port()
        a, b = self.certificate(d, "a.test"), self.certificate(d, "b.test")
        d.set_config({"gateway": {"listen": "", "tls_listen": f"127.0.0.1:{tls}", "certificates": [a]}})
        d.start()
        wait_until("it serves", lambda: d.pids()["gateway"])
        pid = self.gateway_pid(d)
        for key, words in ((b["key"], "the key is not the certificate's"), (d.config_path, "one of them is no PEM"), ("/nonexistent/key", "/nonexistent/key")):
            d.set_config({"gateway": {"listen": "", "tls_listen": f"127.0.0.1:{tls}", "certificates": [{**a, "key": key}]}})
            n = d.log().count("the configuration stays as it was: ")
            r = subprocess.run([os.path.join(BUILD, "fnd"), "--check-config", "--config", d.config_path], capture_output=True, text=True)
            self.assertEqual((r.returncode, words in r.stderr), (1, True), r)
            d.process.send_signal(signal.SIGHUP)
            wait_until(lambda: f"it is refused: {d.log()[-1000:]}", lambda: d.log().count("the configuration stays as it was: ") > n)
        self.assertEqual(self.gateway_pid(d), pid)
        with self.tls(tls, "a.test", a["certificate"]):
            pass

    def test_proxies(self):
        d = self.own(trusted_proxies=["127.0.0.1"])
        d.create_python("f", ECHO)
        e = self.get(self.url("f"), headers=(("X-Forwarded-For", "6.6.6.6, 198.51.100.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443"))).json
        self.assertEqual((e["requestContext"]["http"]["sourceIp"], e["headers"]["x-forwarded-for"], e["headers"]["x-forwarded-proto"], e["headers"]["x-forwarded-port"]),
                         ("198.51.100.7", "6.6.6.6, 198.51.100.7, 127.0.0.1", "https", "443"))

    def test_connections_are_bounded(self):
        d = self.own(peer_connections=4)
        d.create_python("f", ECHO)
        host = self.url("f")
        held = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(4)]
        refused = lambda: isinstance(self.fails(host), (ConnectionError, http.client.HTTPException))
        wait_until("one more is refused", refused)
        held.pop().close()
        wait_until("there is room again", lambda: not refused())
        for s in held:
            s.close()

    def test_it_is_nobody(self):
        d = self.own()
        with open(f"/proc/{self.gateway_pid(d)}/status") as f:
            status = dict(l.split(":\t", 1) for l in f.read().splitlines() if ":\t" in l)
        self.assertNotIn(status["Uid"].split()[0], ("0", str(uid_of(d.pids()["worker"][0]))))
        self.assertEqual({int(status[c], 16) for c in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}, {0})
        self.assertEqual(status["NoNewPrivs"].strip(), "1")
        sock = os.path.join(d.state, "gateway.sock")
        self.assertEqual(os.stat(sock).st_mode & 0o777, 0o600)
        with socket.socket(socket.AF_UNIX) as s:  # root may; but only what the gateway may
            s.connect(sock)
            s.sendall(b"GET /2015-03-31/functions HTTP/1.1\r\nHost: fnd\r\n\r\n")
            self.assertIn(b" 404 ", s.recv(4096))
        r = d.request("GET", "/_fnd/keys/a/20260101")
        self.assertEqual(r.status, 404)

    def test_an_end_waits_for_what_runs(self):
        d = self.own()
        d.create_python("f", "import time\ndef handler(e, c):\n    time.sleep(1)\n    return 'done'\n")
        host, seen = self.url("f"), []
        t = threading.Thread(target=lambda: seen.append(self.fails(host)))
        t.start()
        d.under_way("f")
        self.assertEqual(d.stop(), 0)
        t.join()
        self.assertEqual(getattr(seen[0], "body", seen[0]), b"done")


class Streams(UrlCase):
    SOURCE = """
exports.handler = awslambda.streamifyResponse(async (event, out, context) => {
    const ask = event.queryStringParameters || {};
    if (ask.prelude)
        out = awslambda.HttpResponseStream.from(out, { statusCode: 201, headers: { 'Content-Type': 'text/event-stream', 'X-A': 'b' }, cookies: ['c=d'] });
    for (let i = 0; i < +ask.n; i++) {
        if (!out.write(ask.size ? Buffer.alloc(+ask.size, 97) : `piece ${i}\\n`))
            await new Promise(go => out.once('drain', go));
        if (ask.ms)
            await new Promise(go => setTimeout(go, +ask.ms));
        if (ask.fail && i == 1)
            throw new Error('in the midst');
    }
    out.end();
    await out.finished?.();
});
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.d.delete("stream")
        cls.d.create("stream", make_zip({"index.js": cls.SOURCE}), runtime="nodejs22.x", handler="index.handler", MemorySize=512, Timeout=120)
        cls.host = cls.url(cls(), "stream", InvokeMode="RESPONSE_STREAM")

    @classmethod
    def tearDownClass(cls):
        cls.d.delete("stream")

    def open(self, path, receive=None):
        s = socket.socket()
        if receive:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        s.settimeout(120 * SLOW)
        s.connect(("127.0.0.1", int(self.port)))
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
        return s

    def test_prelude_and_body(self):
        r = self.get(self.host, "/?prelude=1&n=3")
        self.assertEqual((r.status, r.headers["content-type"], r.headers["x-a"], r.headers["set-cookie"], r.body), (201, "text/event-stream", "b", "c=d", b"piece 0\npiece 1\npiece 2\n"))
        r = self.get(self.host, "/?n=2")
        self.assertEqual((r.status, r.headers["content-type"], r.headers.get("transfer-encoding"), r.body), (200, "application/octet-stream", "chunked", b"piece 0\npiece 1\n"))

    def test_the_first_byte_leaves_at_once(self):
        with self.open("/?prelude=1&n=2&ms=60000") as s:
            got = b""
            while b"piece 0" not in got:
                more = s.recv(4096)
                self.assertTrue(more)
                got += more

    def test_an_error_in_the_midst(self):
        with self.assertRaises(http.client.IncompleteRead) as e:
            self.get(self.host, "/?n=9&fail=1&ms=50")
        self.assertIn(b"piece 0", e.exception.partial)

    def test_a_slow_client_slows_its_function_alone_and_costs_no_memory(self):
        def rss():
            with open(f"/proc/{self.d.pids()['gateway'][0]}/statm") as f:
                return int(f.read().split()[1]) * 4096
        self.get(self.host, "/?n=1")
        before = rss()
        held = [self.open("/?n=3200&size=65536", receive=4096) for _ in range(4)]  # 200 MB each, of which nobody takes anything
        for s in held:
            s.recv(1024)
        self.d.under_way("stream", 4)
        self.assertEqual(self.get(self.host, "/?n=1").body, b"piece 0\n")
        self.assertLess(rss() - before, 4 * 512 * 1024)
        for s in held:
            s.close()

    def test_whole(self):
        with self.open("/?n=800&size=65536") as s:
            f, total = s.makefile("rb"), 0
            while f.readline() != b"\r\n":
                pass
            while n := int(f.readline(), 16):
                total += len(f.read(n))
                f.readline()
        self.assertEqual(total, 800 * 65536)


class Software(UrlCase):
    def node(self, source, handler="index.handler", mode="BUFFERED"):
        home = npm.install()
        files = {"index.js" if "require" in source else "index.mjs": source}
        for base, _, names in os.walk(os.path.join(home, "node_modules")):
            top = os.path.relpath(base, os.path.join(home, "node_modules")).split("/")[0]
            if top.startswith((".", "@aws", "@smithy", "aws-", "node-linux", "npm")):
                continue
            for n in names:
                if n.endswith((".js", ".mjs", ".cjs", ".json")):
                    p = os.path.join(base, n)
                    files[os.path.relpath(p, home)] = open(p, "rb").read()
        return self.url(self.function(None, make_zip(files), runtime="nodejs22.x", handler=handler, MemorySize=1024, Timeout=60), InvokeMode=mode)

    def test_express(self):
        host = self.node("""
const express = require('express'), serverless = require('serverless-http');
const app = express();
app.use(express.json());
app.get('/hello/:name', (req, res) => res.cookie('a', '1').cookie('b', '2').type('html').send(`<p>${req.params.name} ${req.query.q} ${req.get('x-a')}</p>`));
app.post('/sum', (req, res) => res.status(201).json({ sum: req.body.reduce((a, b) => a + b) }));
app.get('/bin', (req, res) => res.type('image/png').send(Buffer.from([0, 255, 1])));
module.exports.handler = serverless(app, { binary: ['image/*'] });
""")
        r = self.get(host, "/hello/you%20there?q=1%2B1", headers=[("X-A", "b")])
        self.assertEqual((r.status, r.body), (200, b"<p>you there 1+1 b</p>"))
        self.assertEqual([v for k, v in self.raw_headers if k.lower() == "set-cookie"], ["a=1; Path=/", "b=2; Path=/"])
        r = self.get(host, "/sum", "POST", b"[1,2,3]", [("Content-Type", "application/json")])
        self.assertEqual((r.status, r.json), (201, {"sum": 6}))
        self.assertEqual(self.get(host, "/bin").body, b"\x00\xff\x01")
        self.assertEqual(self.get(host, "/none").status, 404)

    def test_hono(self):
        app = """
import { Hono } from 'hono'; import { %s } from 'hono/aws-lambda'; import { stream, streamSSE } from 'hono/streaming';
const app = new Hono();
app.get('/hello/:name', c => c.text(`${c.req.param('name')} ${c.req.query('q')}`, 200, { 'X-B': 'c' }));
app.post('/form', async c => c.json(await c.req.parseBody()));
app.get('/events', c => streamSSE(c, async s => { for (let i = 0; i < 3; i++) await s.writeSSE({ data: `${i}`, event: 'n' }); }));
export const handler = %s(app);
"""
        host = self.node(app % ("handle", "handle"))
        r = self.get(host, "/hello/you?q=%E2%82%AC")
        self.assertEqual((r.status, r.body.decode(), r.headers["x-b"]), (200, "you €", "c"))
        r = self.get(host, "/form", "POST", b"a=1&b=x+y", [("Content-Type", "application/x-www-form-urlencoded")])
        self.assertEqual(r.json, {"a": "1", "b": "x y"})
        self.d.delete("t-test-hono")
        host = self.node(app % ("streamHandle", "streamHandle"), mode="RESPONSE_STREAM")
        r = self.get(host, "/events")
        self.assertEqual((r.status, r.body), (200, b"event: n\ndata: 0\n\nevent: n\ndata: 1\n\nevent: n\ndata: 2\n\n"), r)
        self.assertIn("text/event-stream", r.headers["content-type"])

    def test_fastapi(self):
        site = pypi.install("fastapi==0.165.0", "mangum==0.22.0", "starlette==1.10.0", "pydantic==2.14.4", "pydantic_core==2.50.5", "anyio==4.16.0", "idna==3.20", "typing_extensions==4.16.0",
                            "typing-inspection==0.4.5", "annotated-types==0.8.0", "annotated-doc==0.0.7", "opentelemetry-api==1.45.2", python="3.11")
        files = pypi.files(site)
        files["f.py"] = """
from fastapi import FastAPI, Request, Response
from mangum import Mangum
from pydantic import BaseModel
app = FastAPI()
class Item(BaseModel):
    name: str
    price: float
@app.get("/items/{item}")
def read(item: str, q: str = "", request: Request = None):
    return {"item": item, "q": q, "client": request.client.host}
@app.post("/items", status_code=201)
def make(item: Item):
    return item
@app.get("/bin")
def binary():
    return Response(bytes([0, 255]), media_type="image/png")
handler = Mangum(app, lifespan="off")
"""
        host = self.url(self.function(None, make_zip(files), runtime="python3.11", handler="f.handler", MemorySize=1769, Timeout=60))
        self.assertEqual(self.get(host, "/items/a%20b?q=1&q=2").json["item"], "a b")
        r = self.get(host, "/items", "POST", b'{"name": "x", "price": 1.5}', [("Content-Type", "application/json")])
        self.assertEqual((r.status, r.json), (201, {"name": "x", "price": 1.5}))
        self.assertEqual(self.get(host, "/items", "POST", b'{}', [("Content-Type", "application/json")]).status, 422)
        self.assertEqual(self.get(host, "/bin").body, b"\x00\xff")
        self.assertEqual(self.get(host, "/openapi.json").json["info"]["title"], "FastAPI")

    def test_powertools(self):
        site = pypi.install("aws-lambda-powertools==3.37.0", "jmespath==1.1.0", "typing_extensions==4.16.0", "opentelemetry-api==1.45.2", python="3.11")
        files = pypi.files(site)
        files["f.py"] = """
from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver, CORSConfig, Response
app = LambdaFunctionUrlResolver(cors=CORSConfig(allow_origin="https://a.example"))
@app.get("/hello/<name>")
def hello(name):
    return {"hello": name, "q": app.current_event.query_string_parameters.get("q"), "ip": app.current_event.request_context.http.source_ip}
@app.post("/raw")
def raw():
    return Response(202, "text/plain", app.current_event.decoded_body)
def handler(e, c):
    return app.resolve(e, c)
"""
        host = self.url(self.function(None, make_zip(files), runtime="python3.11", handler="f.handler", MemorySize=512))
        self.assertEqual(self.get(host, "/hello/you?q=1").json, {"hello": "you", "q": "1", "ip": "127.0.0.1"})
        r = self.get(host, "/raw", "POST", b"abc")
        self.assertEqual((r.status, r.body), (202, b"abc"))
        self.assertEqual(self.get(host, "/none").status, 404)
        self.assertEqual(self.get(host, "/hello/you", headers=[("Origin", "https://a.example")]).headers["access-control-allow-origin"], "https://a.example")


class Browser(UrlCase):
    """A page of one origin, in Chromium, that calls URLs of others: with a preflight and cookies, and a stream whose pieces it sees as they come."""
    PAGE = """<!doctype html><script type="module">
const seen = {};
try {
    const r = await fetch('http://%(echo)s/p?q=1', { method: 'PUT', headers: { 'X-A': 'b', 'Content-Type': 'application/json' }, body: '{"c":1}', credentials: 'include' });
    seen.echo = [r.status, (await r.json()).body, r.headers.get('x-exposed'), r.headers.get('x-hidden')];
    seen.refused = await fetch('http://%(closed)s/').then(() => 'let in', e => e.name);
    const reader = (await fetch('http://%(stream)s/?n=3&ms=400')).body.getReader(), times = [];
    for (let text = ''; ;) {
        const { done, value } = await reader.read();
        if (done) { seen.text = text; break; }
        text += new TextDecoder().decode(value);
        times.push(performance.now());
    }
    seen.apart = times.at(-1) - times[0];
} catch (e) { seen.error = String(e); }
await fetch('/seen', { method: 'POST', body: JSON.stringify(seen) });
</script>"""

    def test_a_page(self):
        program = shutil.which("chromium")
        if not program:
            raise unittest.SkipTest("chromium is not installed (apt-get install chromium)")
        echo = self.python("def handler(e, c):\n    return {'statusCode': 200, 'headers': {'X-Exposed': 'yes', 'X-Hidden': 'no'}, 'body': {'body': e['body']}}\n", name="page-echo")
        closed = self.python(ECHO, name="page-closed")
        stream = self.function("page-stream", make_zip({"index.js": Streams.SOURCE}), runtime="nodejs22.x", handler="index.handler", MemorySize=512, Timeout=60)
        seen, done = {}, threading.Event()

        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(page):
                page.send_response(200)
                page.send_header("Content-Type", "text/html")
                page.end_headers()
                page.wfile.write((self.PAGE % hosts).encode())

            def do_POST(page):
                seen.update(json.loads(page.rfile.read(int(page.headers["Content-Length"]))))
                page.send_response(204)
                page.end_headers()
                done.set()

            log_message = lambda *a: None
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        origin = f"http://127.0.0.1:{server.server_address[1]}"
        hosts = {"echo": self.url(echo, Cors={"AllowOrigins": [origin], "AllowMethods": ["PUT"], "AllowHeaders": ["x-a", "content-type"], "AllowCredentials": True, "ExposeHeaders": ["X-Exposed"]}),
                 "closed": self.url(closed, Cors={"AllowOrigins": ["https://else.example"]}),
                 "stream": self.url(stream, InvokeMode="RESPONSE_STREAM", Cors={"AllowOrigins": ["*"]})}
        with tempfile.TemporaryDirectory() as home:
            p = subprocess.Popen([program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={home}", "--remote-debugging-port=0", origin + "/"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            try:
                self.assertTrue(done.wait(100 * SLOW), "the page says nothing")
            finally:
                os.killpg(p.pid, signal.SIGKILL)
                p.wait()
        self.assertEqual((seen.get("error"), seen["echo"], seen["refused"], seen["text"]), (None, [200, '{"c":1}', "yes", None], "TypeError", "piece 0\npiece 1\npiece 2\n"))
        self.assertGreater(seen["apart"], 300)


if __name__ == "__main__":
    unittest.main()
