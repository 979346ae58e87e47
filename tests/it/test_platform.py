"""The platform endpoint: functions call the platform's API from inside, with no network and no secret, as their role and as nobody else."""
import base64, json, socket, threading, time, unittest
from harness import *
import pypi

ENV = "import os\ndef handler(event, context):\n    return {k: v for k, v in os.environ.items() if k.startswith('AWS_ENDPOINT') or k.startswith('FND_')}\n"
BOTO = '''
import boto3, json, botocore.exceptions
clients = {}
def handler(event, context):
    c = clients.setdefault(json.dumps([event["service"], event.get("client")]), boto3.client(event["service"], **event.get("client", {})))
    try:
        r = getattr(c, event["op"])(**event.get("with", {}))
    except botocore.exceptions.ClientError as e:
        return {"code": e.response["Error"]["Code"], "message": e.response["Error"]["Message"], "status": e.response["ResponseMetadata"]["HTTPStatusCode"]}
    if "Payload" in r:
        r["Payload"] = r["Payload"].read().decode()
    return json.loads(json.dumps(r, default=str))
'''
NODE = '''
const { LambdaClient, InvokeCommand } = require("@aws-sdk/client-lambda");
const { CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand } = require("@aws-sdk/client-cloudwatch-logs");
const lambda = new LambdaClient(), logs = new CloudWatchLogsClient();
exports.handler = async (event) => {
	const r = await lambda.send(new InvokeCommand({ FunctionName: event.invoke, Payload: JSON.stringify({ from: "node" }) }));
	const at = { logGroupName: event.group, logStreamName: "s" };
	await logs.send(new CreateLogGroupCommand({ logGroupName: event.group }));
	await logs.send(new CreateLogStreamCommand(at));
	await logs.send(new PutLogEventsCommand({ ...at, logEvents: [{ timestamp: Date.now(), message: "from node" }] }));
	return { status: r.StatusCode, payload: JSON.parse(Buffer.from(r.Payload).toString()) };
};
'''
ECHO = "def handler(event, context):\n    return {'echo': event}\n"


class Base(Case):
    def call(self, f, service, op, _d=None, _client=None, **kw):
        r = (_d or self.d).in_turn(f, {"service": service, "op": op, "with": kw, "client": _client or {}}, tail=True)
        self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
        return r.json


class Calls(Base):
    def test_boto3_invokes_and_logs_with_no_network(self):
        f = self.python(BOTO, MemorySize=1024, Timeout=60)
        self.python(ECHO, "t-echo")
        r = self.call(f, "lambda", "invoke", FunctionName="t-echo", Payload='{"a": 1}')
        self.assertEqual((r["StatusCode"], json.loads(r["Payload"])), (200, {"echo": {"a": 1}}))
        self.assertIn(f, [x["FunctionName"] for x in self.call(f, "lambda", "list_functions")["Functions"]])
        self.call(f, "logs", "create_log_group", logGroupName="t-mine")
        self.addCleanup(boto(self.d, "logs").delete_log_group, logGroupName="t-mine")
        self.call(f, "logs", "create_log_stream", logGroupName="t-mine", logStreamName="s")
        self.call(f, "logs", "put_log_events", logGroupName="t-mine", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": "from inside"}])
        got = boto(self.d, "logs").get_log_events(logGroupName="t-mine", logStreamName="s")["events"]
        self.assertEqual([e["message"] for e in got], ["from inside"])
        self.assertEqual(self.call(f, "lambda", "get_function", FunctionName="t-none")["code"], "ResourceNotFoundException")

    def test_watchtower_logs_from_inside(self):
        """The logging handler that people use, as it is published: it makes group and stream, with retention and tags, and batches."""
        f = self.function(None, make_zip({**pypi.files(pypi.install("watchtower==3.4.0", python=PYTHON.removeprefix("python"))), "f.py": '''
import logging, watchtower
log = logging.getLogger("app")
log.setLevel(logging.INFO)
def handler(event, context):
    h = watchtower.CloudWatchLogHandler(log_group_name="t-watchtower", log_stream_name="{logger_name}/1", log_group_retention_days=14, log_group_tags={"a": "b"})
    log.addHandler(h)
    for i in range(event["n"]):
        log.info("event %d", i)
    log.info({"of": {"a": "\u00e4"}})
    h.close()
'''}), runtime=PYTHON, handler="f.handler", MemorySize=1024, Timeout=60)
        outside = boto(self.d, "logs")
        self.addCleanup(outside.delete_log_group, logGroupName="t-watchtower")
        r = self.d.invoke(f, {"n": 500}, tail=True)
        self.assertIsNone(r.error, f"{r}\n{r.log}")
        got = outside.get_log_events(logGroupName="t-watchtower", logStreamName="app/1", startFromHead=True)["events"]
        self.assertEqual([e["message"] for e in got], [f"event {i}" for i in range(500)] + ['{"of": {"a": "\\u00e4"}}'])
        self.assertEqual(outside.describe_log_groups(logGroupNamePrefix="t-watchtower")["logGroups"][0]["retentionInDays"], 14)
        self.assertEqual(outside.list_tags_log_group(logGroupName="t-watchtower")["tags"], {"a": "b"})

    def test_boto3_and_a_queue(self):
        f = self.python(BOTO, MemorySize=1024, Timeout=60)
        url = self.call(f, "sqs", "create_queue", QueueName="t-from-inside")["QueueUrl"]
        outside = boto(self.d, "sqs")
        self.addCleanup(outside.delete_queue, QueueUrl=url)
        self.assertTrue(url.startswith(self.d.endpoint + "/"), f"{url} means the same on both sides")
        self.call(f, "sqs", "send_message", QueueUrl=url, MessageBody="from inside")
        got = outside.receive_message(QueueUrl=url, WaitTimeSeconds=5, AttributeNames=["All"])["Messages"]
        self.assertEqual([m["Body"] for m in got], ["from inside"])
        outside.send_message(QueueUrl=url, MessageBody="from outside")
        self.assertEqual(self.call(f, "sqs", "receive_message", QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]["Body"], "from outside")

    def test_the_variables(self):
        want = {f"AWS_ENDPOINT_URL_{s}": self.d.endpoint for s in ("LAMBDA", "CLOUDWATCH_LOGS", "SQS", "IAM", "STS")}
        f = self.python(ENV)
        found = self.d.invoke(f, {}).json
        self.assertEqual({k: v for k, v in found.items() if k in want}, want)
        self.assertNotIn("AWS_ENDPOINT_URL_S3", found)
        self.assertNotIn("AWS_ENDPOINT_URL", found)
        for own, seen in (({"AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:1"}, {**found, "AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:1"}), ({"AWS_ENDPOINT_URL": "http://mine"}, {"AWS_ENDPOINT_URL": "http://mine"}),
                          ({"FND_PLATFORM_ENDPOINT": "off"}, {"FND_PLATFORM_ENDPOINT": "off"}), ({"FND_PLATFORM_ENDPOINT": "on"}, {**found, "FND_PLATFORM_ENDPOINT": "on"})):
            self.d.configure(f, Environment={"Variables": own})
            self.assertEqual(self.d.invoke(f, {}).json, seen)



RAW = """
import base64, os, socket
def answer(a):
    data = base64.b64decode(a["data"])
    try:
        with socket.socket(socket.AF_UNIX if a["host"].startswith(("/", "@")) else socket.AF_INET6 if ":" in a["host"] else socket.AF_INET) as s:
            s.settimeout(a.get("timeout", 5))
            s.connect(a["host"].replace("@", "\\0") if a["host"][0] in "/@" else (a["host"], a["port"]))
            s.sendall(data)
            got = b""
            while True:
                more = s.recv(65536)
                if not more:
                    return got.decode("latin-1")
                got += more
    except TimeoutError:
        return got.decode("latin-1") + "<time-out>"
    except OSError as e:
        return "errno " + str(e.errno)
def handler(event, context):
    if "look" in event:
        return [os.environ[k] for k in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")]
    return [answer(a) for a in event["attempts"]]
"""
KNOWN = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None)
LIST = "/2015-03-31/functions"


def signed(port, key, path=LIST, method="GET", body=b"", at=0, host=None, headers=None, presign=False):
    """As botocore signs it; at: seconds from now."""
    import botocore.auth, botocore.awsrequest, botocore.credentials, datetime, unittest.mock
    then = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) + datetime.timedelta(seconds=at)
    r = botocore.awsrequest.AWSRequest(method, f"http://{host or f'127.0.0.1:{port}'}{path}", headers=dict(headers or {}), data=body)
    auth = (botocore.auth.SigV4QueryAuth if presign else botocore.auth.SigV4Auth)(botocore.credentials.Credentials(*key), "lambda", "us-east-1")
    with unittest.mock.patch("botocore.auth.datetime") as clock, unittest.mock.patch("botocore.auth.get_current_datetime", lambda *a, **k: then, create=True):
        clock.datetime.utcnow.return_value = then
        auth.add_auth(r)
    url = r.url.split("/", 3)[3]
    return request(method, "/" + url, dict(r.headers), body, host or f"127.0.0.1:{port}")


def request(method, path, headers=None, body=b"", host="127.0.0.1:1", extra=b""):
    h = {"Host": host, "Connection": "close", **({"Content-Length": str(len(body))} if body else {}), **(headers or {})}
    return f"{method} {path} HTTP/1.1\r\n".encode() + b"".join(f"{k}: {v.decode() if isinstance(v, bytes) else v}\r\n".encode() for k, v in h.items()) + extra + b"\r\n" + body


class Identity(Base):
    """With credentials, a role that nobody has given anything may nothing: the refusal says who asked."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.d = shared({"credentials": [{"access_key_id": KNOWN[0], "secret_access_key": KNOWN[1]}]})
        cls.c = boto(cls.d, key=KNOWN[0], secret=KNOWN[1])
        for name in ("t-mallory", "t-victim"):
            cls.c.create_function(FunctionName=name, Role=ROLE.replace("role/test", f"role/of/{name}"), Runtime="python3.11", Handler="f.handler", Code={"ZipFile": make_zip({"f.py": RAW})}, Timeout=60)
            cls.c.get_waiter("function_active_v2").wait(FunctionName=name)
        cls.own, cls.other = (cls.ask(name, look=1) for name in ("t-mallory", "t-victim"))

    @classmethod
    def ask(cls, name, **event):
        cls.d.idle(name)  # its keys are one environment's
        r = cls.c.invoke(FunctionName=name, Payload=json.dumps(event))
        answer = r["Payload"].read().decode()
        assert "FunctionError" not in r, answer
        return json.loads(answer)

    def attempt(self, data, host="127.0.0.1", port=None, timeout=5):
        return self.ask("t-mallory", attempts=[{"data": base64.b64encode(data).decode(), "host": host, "port": port or self.d.port, "timeout": timeout}])[0]

    ME = "arn:aws:sts::000000000000:assumed-role/t-mallory/t-mallory"

    def mine(self, answer):
        """It was taken for its own, who may nothing, and as often as it asks."""
        self.assertIn("HTTP/1.1 403", answer)
        self.assertIn(f"User: {self.ME} is not authorized to perform", answer)
        for status in ("HTTP/1.1 200", "HTTP/1.1 201", "HTTP/1.1 202"):
            self.assertNotIn(status, answer)

    def refused(self, answer, code):
        self.assertRegex(answer, r"^HTTP/1\.1 40[0-9]")
        self.assertIn(code, answer)
        self.assertNotIn("HTTP/1.1 2", answer)

    def test_its_own(self):
        self.mine(self.attempt(request("GET", LIST)))                                   # 1 unsigned
        self.mine(self.attempt(signed(self.d.port, self.own)))                          # 2 signed with its own key
        self.mine(self.attempt(signed(self.d.port, self.own, presign=True)))            # 3 presigned with it
        self.mine(self.attempt(signed(self.d.port, self.own, LIST + "/t-victim/invocations", "POST", b"{}")))
        ok = self.attempt(signed(self.d.port, KNOWN))                                   # a key that it was given by somebody who may: that one's
        self.assertIn("HTTP/1.1 200", ok)

    def test_other_keys(self):
        key, secret, token = self.own
        theirs = self.other
        for name, data, code in (
                ("its own, another secret", signed(self.d.port, (key, "x" * 40, token)), "InvalidSignatureException"),
                ("its own, no token", signed(self.d.port, (key, secret, None)), "UnrecognizedClientException"),
                ("its own, a forged token", signed(self.d.port, (key, secret, token[:-8] + "AAAAAAA=")), "UnrecognizedClientException"),
                ("its own, the victim's token", signed(self.d.port, (key, secret, theirs[2])), "UnrecognizedClientException"),
                ("its own token twice", signed(self.d.port, self.own).replace(b"X-Amz-Security-Token:", b"X-Amz-Security-Token: x\r\nX-Amz-Security-Token:"), "UnrecognizedClientException"),
                ("one that nobody has", signed(self.d.port, ("AKIAXXXXXXXXXXXXXXXX", "x" * 40, None)), "UnrecognizedClientException"),
                ("the administrator's, another secret", signed(self.d.port, (KNOWN[0], secret, None)), "InvalidSignatureException"),
                ("the administrator's, its own secret and token", signed(self.d.port, (KNOWN[0], secret, token)), "UnrecognizedClientException"),
                ("the victim's, its own secret", signed(self.d.port, (theirs[0], secret, token)), "UnrecognizedClientException"),
                ("the victim's, stolen whole", signed(self.d.port, theirs), "UnrecognizedClientException"),
                ("the victim's, stolen and presigned", signed(self.d.port, theirs, presign=True), "UnrecognizedClientException"),
                ("its own, of an hour ago", signed(self.d.port, self.own, at=-3600), "Signature"),
                ("its own, over another body", signed(self.d.port, self.own, LIST + "/t-victim/invocations", "POST", b"{}")[:-2] + b"[]", "InvalidSignatureException"),
                ("Basic", request("GET", LIST, {"Authorization": "Basic cm9vdDpyb290"}), "403"),
                ("Bearer", request("GET", LIST, {"Authorization": "Bearer x", "X-Amz-Date": "20260101T000000Z"}), "403")):
            with self.subTest(name):
                self.refused(self.attempt(data), code)

    def test_headers_say_nothing(self):
        arn = "arn:aws:iam::000000000000:root"
        for name, headers in (("principal", {"X-Fnd-Principal": arn, "X-Fnd-Identity": "allow"}), ("operation", {"X-Fnd-Operation": "ListFunctions", "X-Fnd-Service": "lambda", "X-Fnd-Request-Id": "1"}),
                              ("generation", {"X-Fnd-Generation": "1", "X-Fnd-Framing": "raw"}), ("function", {"X-Fnd-Function": "t-victim"}), ("forwarded", {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X-Real-IP": "127.0.0.1"}),
                              ("account", {"X-Amz-Source-Arn": arn, "X-Amz-Source-Account": "000000000000"}), ("upgrade", {"Upgrade": "h2c", "Connection": "Upgrade, close"}), ("target", {"X-Amz-Target": "Logs_20140328.DescribeLogGroups"})):
            with self.subTest(name):
                self.mine(self.attempt(request("GET", LIST, headers)))

    def test_hosts_and_origins(self):
        for name, data in (("another host", request("GET", LIST, host="evil.example")), ("the control socket", request("GET", LIST, host="control.sock")), ("a page", request("GET", LIST, {"Origin": "http://evil.example"})),
                           ("a page of a site", request("GET", LIST, {"Sec-Fetch-Site": "cross-site"})), ("a form", request("POST", LIST + "/t-victim/invocations", {"Content-Type": "text/plain"}, b"{}"))):
            with self.subTest(name):
                self.refused(self.attempt(data), "AccessDeniedException")
        self.mine(self.attempt(request("GET", LIST, host="localhost")))
        self.refused(self.attempt(request("GET", LIST, extra=b"Host: 127.0.0.1\r\n")), "")
        self.refused(self.attempt(signed(self.d.port, self.own, host="127.0.0.1:1").replace(b"Host: 127.0.0.1:1", b"Host: 127.0.0.1:2")), "InvalidSignatureException")

    def test_smuggled_and_proxied(self):
        inner = request("GET", LIST, {"X-Fnd-Principal": "arn:aws:iam::000000000000:root"})
        answers = {
            "an absolute URI": self.attempt(request("GET", f"http://127.0.0.1:{self.d.port}{LIST}")), "of another host": self.attempt(request("GET", "http://evil.example" + LIST)),
            "CONNECT": self.attempt(request("CONNECT", f"127.0.0.1:{self.d.port}"), timeout=1),
            "both lengths": self.attempt(request("POST", LIST, {"Transfer-Encoding": "chunked", "Content-Length": str(5 + len(inner)), "Connection": "keep-alive"}) + b"0\r\n\r\n" + inner, timeout=1),
            "two lengths": self.attempt(request("POST", LIST, {"Content-Length": "0", "Connection": "keep-alive"}, extra=b"Content-Length: 1\r\n") + inner, timeout=1),
            "a body that is a request": self.attempt(request("POST", LIST, {"Connection": "keep-alive"}, inner), timeout=1),
            "chunked, not last": self.attempt(request("POST", LIST, {"Transfer-Encoding": "chunked, identity"}) + b"0\r\n\r\n" + inner, timeout=1),
            "a folded header": self.attempt(request("GET", LIST, extra=b"X-A: b\r\n Authorization: x\r\n"), timeout=1), "a bare line feed": self.attempt(request("GET", LIST, extra=b"X-A: b\nX-Fnd-Principal: root\r\n"), timeout=1),
            "pipelined": self.attempt(request("GET", LIST, {"Connection": "keep-alive"}) + signed(self.d.port, self.own), timeout=1)}
        for name, answer in answers.items():
            with self.subTest(name):
                self.assertRegex(answer, r"^HTTP/1\.1 (4[0-9][0-9]|501)")
                self.assertNotIn("HTTP/1.1 2", answer)
                for who in re.findall(r"User: (\S+)", answer):
                    self.assertEqual(who, self.ME)

    def test_fnd_s_own_resources(self):
        for path in ("/_fnd/doctor", "//_fnd//doctor", "/%5ffnd/doctor", "/_fnd/metrics", "/_fnd/disk", "/_fnd/layers", "/_fnd/logs/t-victim", "/_fnd/keys/" + KNOWN[0] + "/20260101", "/_fnd/urls/x", "/_fnd/functions/t-victim",
                     "/_fnd/download/0000?token=1"):
            with self.subTest(path):
                self.refused(self.attempt(request("GET", path)), "")
        self.refused(self.attempt(request("POST", "/_fnd/functions/t-victim/invocations", body=b"{}")), "")
        self.refused(self.attempt(request("POST", "/_fnd/images/rescan")), "")

    def test_what_its_policies_allow(self):
        iam = boto(self.d, "iam", key=KNOWN[0], secret=KNOWN[1])
        allow = lambda *actions, on="*": json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": on}]})
        trust = lambda **who: json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole"}]})
        worker, reader = (f"arn:aws:iam::000000000000:role/{name}" for name in ("t-worker", "t-reader"))
        for name, who, policy in (("t-worker", {"Service": "lambda.amazonaws.com"}, allow("lambda:InvokeFunction", on=ARN + "t-victim")), ("t-reader", {"AWS": worker}, allow("lambda:ListFunctions"))):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(**who))
            self.addCleanup(iam.delete_role, RoleName=name)
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
            self.addCleanup(iam.delete_role_policy, RoleName=name, PolicyName="p")
        self.c.create_function(FunctionName="t-worker", Role=worker, Runtime="python3.11", Handler="f.handler", Code={"ZipFile": make_zip({"f.py": BOTO})}, Timeout=60, MemorySize=1024)
        self.addCleanup(self.c.delete_function, FunctionName="t-worker")
        self.c.get_waiter("function_active_v2").wait(FunctionName="t-worker")
        do = lambda service, op, client=None, **kw: self.ask("t-worker", service=service, op=op, client=client or {}, **{"with": kw})
        self.assertEqual(do("sts", "get_caller_identity")["Arn"], "arn:aws:sts::000000000000:assumed-role/t-worker/t-worker")
        self.assertEqual(json.loads(do("lambda", "invoke", FunctionName="t-victim", Payload='{"look": 1}')["Payload"])[0], self.other[0])
        for op, kw in (("list_functions", {}), ("delete_function", {"FunctionName": "t-victim"}), ("invoke", {"FunctionName": "t-mallory"}), ("update_function_configuration", {"FunctionName": "t-worker", "Role": reader})):
            self.assertEqual((do("lambda", op, **kw)["code"], op), ("AccessDeniedException", op))
        c = do("sts", "assume_role", RoleArn=reader, RoleSessionName="se")["Credentials"]
        session = {"aws_access_key_id": c["AccessKeyId"], "aws_secret_access_key": c["SecretAccessKey"], "aws_session_token": c["SessionToken"]}
        self.assertEqual(do("sts", "get_caller_identity", session)["Arn"], "arn:aws:sts::000000000000:assumed-role/t-reader/se")
        self.assertIn("t-victim", [f["FunctionName"] for f in do("lambda", "list_functions", session)["Functions"]])
        self.assertEqual(do("lambda", "invoke", session, FunctionName="t-victim")["code"], "AccessDeniedException")
        self.assertEqual(do("sts", "get_caller_identity", {**session, "aws_session_token": c["SessionToken"][:-4] + "AAA="})["status"], 403)

    def test_other_ways_in(self):
        ways = [(self.d.state + "/control.sock", 0), (self.d.state + "/events.sock", 0), (self.d.state + "/gateway.sock", 0), ("/run/fnd/control.sock", 0), ("@fnd", 0), ("127.0.0.2", self.d.port), ("169.254.100.6", self.d.port), ("::1", self.d.port),
                ("10.201.0.1", self.d.port), ("127.0.0.1", free_port())]
        answers = self.ask("t-mallory", attempts=[{"data": base64.b64encode(request("GET", LIST)).decode(), "host": host, "port": port, "timeout": 2} for host, port in ways])
        self.assertEqual([(w, a) for w, a in zip(ways, answers) if not a.startswith("errno")], [])
        self.mine(self.attempt(request("GET", LIST), host="0.0.0.0"))  # which is 127.0.0.1



HEADER = """
import http.client, json, os
def handler(event, context):
    seen = [*event, os.environ.get("_X_AMZN_TRACE_ID")]
    if len(seen) > 40:
        return seen
    c = http.client.HTTPConnection("127.0.0.1", int(os.environ["AWS_ENDPOINT_URL_LAMBDA"].rpartition(":")[2]))
    c.request("POST", f"/2015-03-31/functions/{context.function_name}/invocations", json.dumps(seen), {"X-Amzn-Trace-Id": "Root=1-00000001-000000000000000000000001;Lineage=00000000:0", "Content-Type": "application/json"})
    r = c.getresponse()
    return json.load(r) if r.status == 200 else [seen, r.status, json.load(r)]
"""


class Loops(BotoCase):
    def test_each_function_of_a_chain_is_counted(self):
        a, b = (self.python(HEADER.replace("{context.function_name}/inv", f"t-chain-{other}/inv"), f"t-chain-{x}", Timeout=60) for x, other in ("ab", "ba"))
        for _ in range(2):  # the second chain begins anew
            seen, status, error = json.load(self.c.invoke(FunctionName=a, Payload="[]")["Payload"])
            self.assertEqual((len(seen), status), (32, 400))
            self.assertIn("recursive loop", error["Message"])

    def test_whatever_is_sent(self):
        f = self.python(HEADER, Timeout=60)
        seen, status, error = json.load(self.c.invoke(FunctionName=f, Payload="[]")["Payload"])
        self.assertEqual((len(seen), status, error["Type"]), (16, 400, "User"))
        for n, header in enumerate(seen[1:], 2):
            self.assertRegex(header, rf"^Root=1-00000001-000000000000000000000001;Parent=[0-9a-f]{{16}};Sampled=0;Lineage=[0-9a-f]{{8}}:{n}$")
        self.assertEqual(self.d.metric("fnd_recursive_invocations_dropped_total", function=f), 1)

    def config(self, d, name, put=None):
        return d.request("PUT" if put else "GET", f"/2024-08-31/functions/{name}/recursion-config", {"RecursiveLoop": put} if put else None)

    def test_the_configuration(self):
        f = self.python(HEADER, Timeout=60)
        self.assertEqual(self.config(self.d, f).json, {"RecursiveLoop": "Terminate"})
        self.assertEqual(self.config(self.d, f, "Allow").json, {"RecursiveLoop": "Allow"})
        self.assertEqual(self.config(self.d, f).json, {"RecursiveLoop": "Allow"})
        self.assertEqual(len(json.load(self.c.invoke(FunctionName=f, Payload="[]")["Payload"])), 41, "as often as it likes")
        self.assertEqual(self.config(self.d, f, "Terminate").json, {"RecursiveLoop": "Terminate"})
        self.assertEqual(json.load(self.c.invoke(FunctionName=f, Payload="[]")["Payload"])[1], 400)
        r = self.config(self.d, f, "Bogus")
        self.assertEqual((r.status, r.error_type), (400, "ValidationException"))
        self.assertIn("at 'recursiveLoop' failed to satisfy constraint: Member must satisfy enum value set: [Terminate, Allow]", r.json["message"])
        for put in (None, "Allow"):
            r = self.config(self.d, "t-nobody", put)
            self.assertEqual((r.status, r.error_type, r.json["Message"]), (404, "ResourceNotFoundException", f"Function not found: {ARN}t-nobody"))

    def test_it_stays_and_goes_with_the_function(self):
        d = self.daemon()
        d.create("loops")
        self.config(d, "loops", "Allow")
        d.stop()
        d.start()
        self.assertEqual(self.config(d, "loops").json, {"RecursiveLoop": "Allow"})
        d.delete("loops")
        d.create("loops")
        self.assertEqual(self.config(d, "loops").json, {"RecursiveLoop": "Terminate"})


class Chains(Base):
    """What is handed over belongs to the chain it comes from."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.d = shared({"events": {"retry_delays_s": [0.1, 0.2], "backoff_s": [0.1, 1]}})

    def test_events_in_a_loop_go_to_the_destination(self):
        source = HEADER.replace('"Content-Type"', '"X-Amz-Invocation-Type": "Event", "Content-Type"').replace("    r = c.getresponse()\n    return json.load(r) if r.status == 200 else [seen, r.status, json.load(r)]", "    print('handed over', c.getresponse().status)")
        f, sink = self.python(source, Timeout=60), self.python("import json\ndef handler(event, context):\n    print('record ' + json.dumps(event))\n", "t-sink")
        c, logs = boto(self.d), boto(self.d, "logs")
        c.put_function_event_invoke_config(FunctionName=f, DestinationConfig={"OnFailure": {"Destination": ARN + sink}})
        c.invoke(FunctionName=f, InvocationType="Event", Payload="[]")
        said = lambda name, what: [e["message"] for e in logs.filter_log_events(logGroupName=f"/aws/lambda/{name}").get("events", []) if what in e["message"]] if self.d.request("POST", "/", json.dumps({"logGroupName": f"/aws/lambda/{name}"}), {"X-Amz-Target": "Logs_20140328.DescribeLogStreams"}).status == 200 else []
        wait_until(lambda: f"the destination has its record: {len(said(f, 'handed over'))} ran", lambda: said(sink, "record "))
        record = json.loads(said(sink, "record ")[0].partition("record ")[2])
        self.assertEqual(len(said(f, "handed over 202")), 16)
        self.assertIn(ARN + f, record["requestContext"]["functionArn"])
        self.assertEqual(len(record["requestPayload"]), 16)

    def test_destinations_in_a_loop_are_stopped(self):
        """Records go on along the chain of the invocation that they are of; what was stopped is told to who is outside the loop, and to nobody in it."""
        c, logs = boto(self.d), boto(self.d, "logs")
        for source, told, outside in (("print('ran')", "OnSuccess", True), ("raise ValueError('ran')", "OnFailure", False)):
            a, b = (self.python(f"def handler(event, context):\n    {source}\n", f"t-round-{told.lower()}-{x}") for x in "ab")
            sink = self.python("import json\ndef handler(event, context):\n    print('record ' + json.dumps(event))\n", f"t-round-{told.lower()}-sink")
            for f, to in ((a, b), (b, a)):
                c.put_function_event_invoke_config(FunctionName=f, MaximumRetryAttempts=0, DestinationConfig={told: {"Destination": ARN + to}, **({"OnFailure": {"Destination": ARN + sink}} if outside else {})})
            c.invoke(FunctionName=a, InvocationType="Event", Payload="{}")
            wait_until("it is stopped", lambda: self.d.metric("fnd_recursive_invocations_dropped_total", function=a))
            if outside:
                said = lambda: [json.loads(line.partition("record ")[2]) for line in self.d.request("GET", f"/_fnd/logs/{sink}").json["Text"].splitlines() if "record " in line]
                wait_until("who is outside is told", said)
                self.assertEqual([(r["requestContext"]["condition"], r["requestContext"]["approximateInvokeCount"]) for r in said()], [("RetriesExhausted", 0)])
            time.sleep(1)
            waiting = [(r["Function"], r["Waiting"], r["Due"], r["Running"]) for r in self.d.request("GET", "/_fnd/async").json["Functions"] if r["Function"] in (a, b)]
            self.assertEqual(sorted(waiting), [(a, 0, 0, 0), (b, 0, 0, 0)])
            for f in (a, b):
                ran = [e for e in logs.filter_log_events(logGroupName=f"/aws/lambda/{f}", filterPattern='"START RequestId"')["events"]]
                self.assertEqual(len(ran), 16, f)

    def test_messages_in_a_loop_go_to_the_dead_letters(self):
        """Whatever trace the function gives them."""
        source = """
import http.client, json, os
def handler(event, context):
    c = http.client.HTTPConnection("127.0.0.1", int(os.environ["AWS_ENDPOINT_URL_SQS"].rpartition(":")[2]))
    for m in event["Records"]:
        c.request("POST", "/", json.dumps({"QueueUrl": m["body"], "MessageBody": m["body"], "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-00000001-000000000000000000000001;Sampled=0"}}}),
                  {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.SendMessage"})
        r = c.getresponse()
        print("sent", r.status, r.read()[:100])
"""
        f, sqs, c, logs = self.python(source, Timeout=3), boto(self.d, "sqs"), boto(self.d), boto(self.d, "logs")
        dead = sqs.create_queue(QueueName="t-loop-dead")["QueueUrl"]
        url = sqs.create_queue(QueueName="t-loop", Attributes={"VisibilityTimeout": "3", "RedrivePolicy": json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:t-loop-dead", "maxReceiveCount": "1"})})["QueueUrl"]
        for u in (url, dead):
            self.addCleanup(sqs.delete_queue, QueueUrl=u)
        m = c.create_event_source_mapping(FunctionName=f, EventSourceArn="arn:aws:sqs:us-east-1:000000000000:t-loop", BatchSize=1)["UUID"]
        self.addCleanup(c.delete_event_source_mapping, UUID=m)
        sqs.send_message(QueueUrl=url, MessageBody=url)
        got = lambda: sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=20).get("Messages")
        wait_until("the message that went round is dead", got)
        sent = [e for e in logs.filter_log_events(logGroupName=f"/aws/lambda/{f}")["events"] if e["message"].startswith("sent 200")]
        self.assertEqual(len(sent), 16)


class Bounds(Base):
    def connections(self, d):
        """Of the worker, that are not its listeners: by what the kernel says of its descriptors."""
        return sum(1 for t in descriptors(d.pids()["worker"][0]).values() if t.startswith("socket:"))

    HOLD = """
import os, socket
held = []
port = int(os.environ["AWS_ENDPOINT_URL_LAMBDA"].rpartition(":")[2])
def handler(event, context):
    if event.get("drop"):
        [s.close() for s in held]
        held.clear()
    for i in range(event.get("open", 0)):
        s = socket.create_connection(("127.0.0.1", port), 5)
        if event.get("ask"):
            s.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n")
            s.recv(4096)
        held.append(s)
    if event.get("late"):
        held[-1].sendall(b"GET /healthz HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n")
    if event.get("read"):
        held[-1].settimeout(20)
        return held[-1].recv(4096).decode()
    return len(held)
""".replace("\\\\", "\\")

    def test_connections_of_a_sandbox(self):
        d = self.daemon()
        d.create_python("holds", self.HOLD, Timeout=60)
        d.create_python("bystander", BOTO, Timeout=60, MemorySize=1024)
        d.in_turn("holds", {})
        before = self.connections(d)
        self.assertEqual(d.in_turn("holds", {"open": 300, "ask": True}).json, 300)
        self.assertLessEqual(self.connections(d), before + 64)
        self.call("bystander", "lambda", "list_functions", _d=d)
        self.assertEqual(d.in_turn("holds", {"open": 40, "drop": True}).json, 40)
        os.kill(next(p for p in d.pids()["sandbox"] if comm(p) not in ("fn-init",)), signal.SIGKILL)
        d.invoke("holds", {})
        wait_until(lambda: f"{self.connections(d)} are open", lambda: self.connections(d) <= before + 16)  # 40 were open: what the end of the sandbox ended; others have a few of their own

    def test_nothing_is_served_while_it_is_frozen(self):
        d = self.daemon(freeze_grace_ms=0)
        d.create_python("late", self.HOLD, Timeout=60)
        self.assertEqual(d.invoke("late", {"open": 1}).json, 1)
        for n in range(3):
            d.at_rest()
            self.assertEqual(d.invoke("late", {"late": True}).json, 1)
            d.at_rest()
            self.assertIn("200 OK", d.invoke("late", {"read": True}).json)

    def test_off(self):
        off = self.daemon(platform_endpoint=False)
        off.create_python("env", ENV)
        self.assertEqual(off.invoke("env", {}).json, {})
        bind = "import socket\ndef handler(e, c):\n    s = socket.socket()\n    r = s.connect_ex(('127.0.0.1', e['port']))\n    t = socket.socket()\n    t.bind(('127.0.0.1', e['port']))\n    return r\n"
        off.create_python("bind", bind)
        self.assertEqual(off.invoke("bind", {"port": off.port}).json, 111)
        f = self.python(bind, Environment={"Variables": {"FND_PLATFORM_ENDPOINT": "off"}})
        self.assertEqual(self.d.invoke(f, {"port": self.d.port}).json, 111)
        self.d.configure(f, Environment={"Variables": {}})
        self.assertEqual(self.d.invoke(f, {"port": self.d.port}).error, "Unhandled")

    def test_a_role_with_credentials_of_aws(self):
        key = {"access_key_id": KNOWN[0], "secret_access_key": KNOWN[1], "session_token": "dG9rZW4="}
        d = self.daemon(roles={"arn:aws:iam::000000000000:role/aws": key, "arn:aws:iam::000000000000:role/both": {**key, "endpoints": ["lambda"]}})
        for role in ("aws", "both"):
            d.create(f"env-{role}", make_zip({"f.py": ENV}), runtime="python3.11", handler="f.handler", Role=f"arn:aws:iam::000000000000:role/{role}")
        self.assertEqual(d.invoke("env-aws", {}).json, {})
        self.assertEqual(d.invoke("env-both", {}).json, {"AWS_ENDPOINT_URL_LAMBDA": d.endpoint})
        d.create("sdk", make_zip({"f.py": BOTO}), runtime="python3.11", handler="f.handler", Role="arn:aws:iam::000000000000:role/both", MemorySize=1024, Timeout=60)
        self.assertIn("sdk", [f["FunctionName"] for f in self.call("sdk", "lambda", "list_functions", _d=d)["Functions"]])
        bad = subprocess.run([os.path.join(BUILD, "fnd"), "--config", "/dev/stdin", "--check-config"], input=json.dumps({"roles": {"arn:aws:iam::000000000000:role/x": {**key, "endpoints": ["s3"]}}}), text=True, capture_output=True)
        self.assertIn('"endpoints" must be a list of services that are served here', bad.stderr)

    def test_another_loopback_address(self):
        """Elsewhere it is 127.0.0.1."""
        port = free_port()
        d = Daemon(args=["--listen", f"127.0.0.9:{port}"])
        self.addCleanup(d.remove)
        d.start(wait=False)
        wait_until(lambda: f"it is ready: {d.log()}", lambda: "ready on" in d.log())
        c = http.client.HTTPConnection("127.0.0.9", port)
        ask = "import os, urllib.request\ndef handler(e, c):\n    return urllib.request.urlopen(os.environ['AWS_ENDPOINT_URL_LAMBDA'] + '/2015-03-31/functions').read().decode()\n"
        c.request("POST", LIST, json.dumps({"FunctionName": "f", "Role": ROLE, "Runtime": "python3.11", "Handler": "f.handler", "Code": {"ZipFile": base64.b64encode(make_zip({"f.py": ask})).decode()}, "Timeout": 60}))
        self.assertEqual(json.load(c.getresponse())["FunctionName"], "f")
        c.request("POST", LIST + "/f/invocations")
        self.assertEqual([x["FunctionName"] for x in json.loads(json.load(c.getresponse()))["Functions"]], ["f"])
        self.assertEqual(d.stop(), 0)


class Node(Base):
    def test_the_sdk_for_javascript(self):
        f = self.function(zip_bytes=make_zip({"index.js": NODE}), runtime="nodejs22.x", handler="index.handler", MemorySize=1024, Timeout=60)
        self.python(ECHO, "t-echo-js")
        self.addCleanup(boto(self.d, "logs").delete_log_group, logGroupName="t-js")
        r = self.d.invoke(f, {"invoke": "t-echo-js", "group": "t-js"}, tail=True)
        self.assertEqual((r.error, r.body and r.json), (None, {"status": 200, "payload": {"echo": {"from": "node"}}}), r.log)
        self.assertEqual([e["message"] for e in boto(self.d, "logs").get_log_events(logGroupName="t-js", logStreamName="s")["events"]], ["from node"])


if __name__ == "__main__":
    unittest.main()
