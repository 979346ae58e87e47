"""Function URLs: their configurations and policies; requests and responses, who may, and pages of other origins. fn-gateway as a process, streams, frameworks: test_gateway.py."""
import base64, contextlib, http.client, json, os, signal, socket, subprocess, unittest
from harness import *
import pypi

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
FORBIDDEN = {"Message": "Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}
URL, POLICY = "/2021-10-31/functions/{}/url{}", "/2015-03-31/functions/{}/policy{}"
PUBLIC = ({"StatementId": "url", "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"},
          {"StatementId": "invoke", "Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": True})
ECHO = "def handler(e, c):\n    return e\n"

_port = None


def gateway_port():
    global _port
    if _port is None:
        _port = free_port()
    return _port


def gateway(**more):
    return {"gateway": {"listen": f"127.0.0.1:{gateway_port()}", **more}}


class UrlCase(Case):
    CONFIG = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.d = shared({**gateway(), **(cls.CONFIG or {})})
        cls.port = cls.d.config["gateway"]["listen"].rsplit(":", 1)[1]

    def url(self, name, qualifier="", public=True, **config):
        """The URL's host; with both statements of its policy."""
        r = self.d.request("POST", URL.format(name, qualifier), {"AuthType": "NONE", **config})
        self.assertEqual(r.status, 201, r)
        for s in PUBLIC if public else ():
            self.assertEqual(self.d.request("POST", POLICY.format(name, qualifier), s).status, 201)
        return r.json["FunctionUrl"].split("/")[2]

    def get(self, host, path="/", method="GET", body=None, headers=(), port=None, timeout=60, connection=None):
        c = connection or http.client.HTTPConnection("127.0.0.1", int(port or self.port), timeout=timeout * SLOW)
        c.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        if host:
            c.putheader("Host", host)
        for k, v in headers:
            c.putheader(k, v)
        if body is not None:
            c.putheader("Content-Length", str(len(body)))
        c.endheaders(body)  # who is refused by his head may send the rest all the same, and hears of it
        r = c.getresponse()
        self.raw_headers = r.getheaders()
        reply = Reply(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())
        if not connection:
            c.close()
        return reply


class Configurations(UrlCase):
    def test_the_life_of_one(self):
        f = self.function()
        r = self.d.request("POST", URL.format(f, ""), {"AuthType": "NONE", "Cors": {"AllowOrigins": ["*"], "MaxAge": 5}})
        self.assertEqual(r.status, 201, r)
        self.assertRegex(r.json["FunctionUrl"], rf"^http://[a-z0-9]{{32}}\.lambda-url\.us-east-1\.localhost:{self.port}/$")
        self.assertEqual(set(r.json), {"FunctionUrl", "FunctionArn", "AuthType", "Cors", "CreationTime"})
        again = self.d.request("POST", URL.format(f, ""), {"AuthType": "NONE"})
        self.assertEqual((again.status, again.error_type, again.json["message"]),
                         (409, "ResourceConflictException", f"Failed to create function url config for [functionArn = {ARN}{f}]. Error message:  FunctionUrlConfig exists for this Lambda function"))
        got = self.d.request("GET", URL.format(f, "")).json
        self.assertEqual(got["InvokeMode"], "BUFFERED")
        self.assertEqual(got["Cors"], {"AllowOrigins": ["*"], "MaxAge": 5})
        self.assertIn("LastModifiedTime", got)
        changed = self.d.request("PUT", URL.format(f, ""), {"AuthType": "AWS_IAM"}).json
        self.assertEqual(set(changed), {"FunctionUrl", "FunctionArn", "AuthType", "Cors", "CreationTime", "LastModifiedTime"})
        changed = self.d.request("PUT", URL.format(f, ""), {"InvokeMode": "RESPONSE_STREAM", "Cors": {}}).json
        self.assertEqual((changed["AuthType"], changed["InvokeMode"], "Cors" in changed), ("AWS_IAM", "RESPONSE_STREAM", False))
        self.assertEqual(self.d.request("DELETE", URL.format(f, "")).status, 204)
        for method in ("GET", "DELETE", "PUT"):
            r = self.d.request(method, URL.format(f, ""), {} if method == "PUT" else None)
            self.assertEqual((r.status, r.json["Message"]), (404, "The resource you requested does not exist."), method)

    def test_of_aliases(self):
        f = self.function()
        self.d.settled(f)
        self.assertEqual(self.d.request("POST", f"/2015-03-31/functions/{f}/versions", {}).status, 201)
        for a in ("a", "b"):
            self.assertEqual(self.d.request("POST", f"/2015-03-31/functions/{f}/aliases", {"Name": a, "FunctionVersion": "1"}).status, 201)
        arns = {q: self.d.request("POST", URL.format(f, q), {"AuthType": "NONE"}).json["FunctionArn"] for q in ("?Qualifier=b", "", "?Qualifier=a")}
        self.assertEqual(arns, {"?Qualifier=b": f"{ARN}{f}:b", "": ARN + f, "?Qualifier=a": f"{ARN}{f}:a"})
        found, marker = [], ""
        while marker is not None:
            page = self.d.request("GET", f"/2021-10-31/functions/{f}/urls?MaxItems=1{marker}").json
            found += [u["FunctionArn"] for u in page["FunctionUrlConfigs"]]
            marker = "&Marker=" + page["NextMarker"] if "NextMarker" in page else None
        self.assertEqual(found, [ARN + f, f"{ARN}{f}:a", f"{ARN}{f}:b"])
        for q in ("?Qualifier=1", "?Qualifier=$LATEST"):
            r = self.d.request("GET", URL.format(f, q))
            self.assertEqual((r.status, r.error_type), (400, "ValidationException"))
            self.assertIn("((?!^\\d+$)^[0-9a-zA-Z-_]+$)", r.json["message"])
        for method, path in (("POST", URL.format(f, "?Qualifier=none")), ("POST", URL.format("none", "")), ("GET", "/2021-10-31/functions/none/urls")):
            r = self.d.request(method, path, {"AuthType": "NONE"} if method == "POST" else None)
            self.assertEqual((r.status, r.json["Message"]), (404, "Function does not exist"))

    def test_they_are_there_after_a_kill(self):
        d = self.daemon(gateway={"listen": f"127.0.0.1:{free_port()}"})
        d.killed = True
        d.create("f")
        address = d.request("POST", URL.format("f", ""), {"AuthType": "AWS_IAM"}).json["FunctionUrl"]
        self.assertEqual(d.request("POST", POLICY.format("f", ""), PUBLIC[0]).status, 201)
        os.killpg(d.process.pid, signal.SIGKILL)
        d.process.wait()
        d.start()
        self.assertEqual(d.request("GET", URL.format("f", "")).json["FunctionUrl"], address)
        self.assertIn("InvokeFunctionUrl", d.request("GET", POLICY.format("f", "")).json["Policy"])

    def test_fnctl(self):
        f = self.python(ECHO)
        ctl = lambda *a: self.d.fnctl("url", *a)
        r = ctl("create", f, "--cors", "https://a.example")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(self.get(r.stdout.strip().split("/")[2]).status, 200)
        self.assertIn(r.stdout.strip(), ctl("list", f).stdout)
        check = [c["Detail"] for c in self.d.doctor()["Checks"] if c["Name"] == "function URLs"]
        self.assertEqual(check, ["http://ID." + r.stdout.strip().partition(".")[2]])
        self.assertEqual(ctl("get", f).stdout, r.stdout)
        self.assertEqual(ctl("create", f).returncode, 3)
        self.assertEqual(ctl("delete", f).returncode, 0)
        self.assertEqual(self.d.request("GET", POLICY.format(f, "")).status, 404)
        self.assertIn("No URLs yet", ctl("list", f).stdout)
        self.assertEqual(ctl("get", f, "--iam").returncode, 2)
        self.assertEqual(ctl("create", f, "--iam").returncode, 0)
        self.assertEqual(ctl("create", f).returncode, 3)
        self.assertEqual(self.d.request("GET", POLICY.format(f, "")).status, 404, "a URL that is refused opens nothing")


class Permissions(UrlCase):
    def test_added_told_and_removed(self):
        f = self.function()
        self.d.settled(f)  # which gives it another revision
        revision = self.d.request("GET", f"/2015-03-31/functions/{f}/configuration").json["RevisionId"]
        r = self.d.request("POST", POLICY.format(f, ""), {"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::b",
                                                          "SourceAccount": "123456789012", "RevisionId": revision})
        self.assertEqual(r.status, 201, r)
        self.assertEqual(r.json["Statement"], json.dumps({"Sid": "s3", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "lambda:InvokeFunction", "Resource": ARN + f, "Condition": {
            "StringEquals": {"AWS:SourceAccount": "123456789012"}, "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"}}}, separators=(",", ":")))
        policy = self.d.request("GET", POLICY.format(f, "")).json
        self.assertEqual(json.loads(policy["Policy"])["Statement"], [json.loads(r.json["Statement"])])
        now = self.d.request("GET", f"/2015-03-31/functions/{f}/configuration").json["RevisionId"]
        self.assertNotEqual(now, revision)
        self.assertEqual(policy["RevisionId"], now)
        stale = self.d.request("POST", POLICY.format(f, ""), {**PUBLIC[0], "RevisionId": revision})
        self.assertEqual((stale.status, stale.json["message"]), (412, "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id"))
        taken = self.d.request("POST", POLICY.format(f, ""), {**PUBLIC[0], "StatementId": "s3"})
        self.assertEqual((taken.status, taken.error_type, taken.json["message"]), (409, "ResourceConflictException", "The statement id (s3) provided already exists. Please provide a new statement id, or remove the existing statement."))
        r = self.d.request("DELETE", POLICY.format(f, "/none"))
        self.assertEqual((r.status, r.json["Message"]), (404, "Statement none is not found in resource policy."))
        self.assertEqual(self.d.request("DELETE", POLICY.format(f, "/s3?RevisionId=" + revision)).status, 412)
        self.assertEqual(self.d.request("DELETE", POLICY.format(f, "/s3")).status, 204)
        self.assertEqual(self.d.request("GET", POLICY.format(f, "")).json["Message"], "The resource you requested does not exist.")
        self.assertEqual(self.d.request("DELETE", POLICY.format(f, "/s3")).json["Message"], "No policy is associated with the given resource.")

    def test_refused(self):
        f = self.function()
        for change, status, message in (
                ({"Principal": "invalid.nonaws.com"}, 400, "The provided principal was invalid. Please check the principal and try again."),
                ({"Action": "lambda:InvokeFunction"}, 400, "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action")):
            r = self.d.request("POST", POLICY.format(f, ""), {**PUBLIC[0], **change})
            self.assertEqual((r.status, r.json["message"]), (status, message))
        r = self.d.request("POST", POLICY.format(f, "?Qualifier=$LATEST"), PUBLIC[0])
        self.assertEqual((r.status, r.json["message"]), (400, "We currently do not support adding policies for $LATEST."))
        for name, query, message in ((f, "?Qualifier=42", f"Function not found: {ARN}{f}:42"), (f, "?Qualifier=live", f"Cannot find alias arn: {ARN}{f}:live")):
            r = self.d.request("POST", POLICY.format(name, query), PUBLIC[0])
            self.assertEqual((r.status, r.json["Message"]), (404, message))
        self.assertEqual(self.d.request("DELETE", POLICY.format("none", "/s")).json["Message"], f"No policy found for: {ARN}none")
        for n in range(200):
            r = self.d.request("POST", POLICY.format(f, ""), {**PUBLIC[0], "StatementId": f"{n:0100}"})
            if r.status != 201:
                break
        self.assertEqual((r.status, r.error_type), (400, "PolicyLengthExceededException"))


class Requests(UrlCase):
    """What gateway.md's table says of function URLs, as a function sees it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.d.delete("echo")
        cls.d.create_python("echo", ECHO)
        cls.host = cls.url(cls(), "echo")

    @classmethod
    def tearDownClass(cls):
        cls.d.delete("echo")

    def event(self, *args, **kw):
        r = self.get(self.host, *args, **kw)
        self.assertEqual(r.status, 200, r)
        return r.json

    def test_paths(self):
        for path in ("/", "/pa2%Fth/1", "/%00", "/a+b", "/a//b/", "/%E2%82%AC", "/a;b=1,c", "/%zz"):
            self.assertEqual(self.event(path)["rawPath"], path)
        e = self.event("/a%20b/%C3%A9")
        self.assertEqual((e["rawPath"], e["requestContext"]["http"]["path"]), ("/a%20b/%C3%A9", "/a b/é"))

    def test_the_longest_name_and_the_longest_alias(self):
        f, alias = self.python(ECHO, "u" * 64), "a" * 128
        self.assertEqual(self.d.request("POST", f"/2015-03-31/functions/{f}/aliases", {"Name": alias, "FunctionVersion": "$LATEST"}).status, 201)
        for mode in ("BUFFERED", "RESPONSE_STREAM"):
            self.assertEqual(self.get(self.url(f, f"?Qualifier={alias}", public=mode == "BUFFERED", InvokeMode=mode)).status, 200, mode)
            self.assertEqual(self.d.request("DELETE", URL.format(f, f"?Qualifier={alias}")).status, 204)

    def test_queries(self):
        for query, want in (("a=1&a=2&b", {"a": "1,2", "b": ""}), ("=x", {"": "x"}), ("a=b+c%20d", {"a": "b c d"}), ("a=%2B&A=1", {"a": "+", "A": "1"}), ("a=1=2&&c=", {"a": "1=2", "c": ""})):
            e = self.event("/?" + query)
            self.assertEqual((e["rawQueryString"], e["queryStringParameters"]), (query, want))
        e = self.event("/?")
        self.assertEqual((e["rawQueryString"], "queryStringParameters" in e), ("", False))

    def test_fields(self):
        e = self.event(headers=(("Extra-Headers", "With WeiRd CapS"), ("X-A", "1"), ("x-a", "2"), ("Cookie", "a=1; b=2"), ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https"), ("User-Agent", "t")))
        h = e["headers"]
        self.assertEqual((h["extra-headers"], h["x-a"], h["cookie"], e["cookies"]), ("With WeiRd CapS", "1,2", "a=1; b=2", ["a=1", "b=2"]))
        self.assertEqual((h["x-forwarded-for"], h["x-forwarded-proto"], h["x-forwarded-port"]), ("127.0.0.1", "http", self.port))
        self.assertRegex(h["x-amzn-trace-id"], r"^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$")
        c = e["requestContext"]
        id = self.host.split(".")[0]
        self.assertEqual((c["accountId"], c["apiId"], c["domainPrefix"], c["domainName"], c["http"]["sourceIp"], c["http"]["userAgent"]), ("anonymous", id, id, self.host.split(":")[0], "127.0.0.1", "t"))
        self.assertNotIn("authorizer", c)
        self.assertEqual(set(e), {"version", "routeKey", "rawPath", "rawQueryString", "cookies", "headers", "requestContext", "isBase64Encoded"})

    def test_the_request_s_id_is_the_invocation_s(self):
        f = self.python("def handler(e, c):\n    return {'statusCode': 200, 'body': {'event': e['requestContext']['requestId'], 'context': c.aws_request_id}}\n")
        r = self.get(self.url(f))
        self.assertEqual({r.headers["x-amzn-requestid"]}, set(r.json.values()))

    def test_bodies(self):
        for type, body, coded in (("text/plain", b"a\"b\n", False), ("application/json; charset=utf-8", b"{}", False), ("application/x-www-form-urlencoded", b"a=b", True), (None, b"ab", True),
                                  ("image/png", bytes(range(256)), True), ("text/plain", b"\xff\xfe", True)):
            e = self.event(method="POST", body=body, headers=[("Content-Type", type)] if type else ())
            self.assertEqual(e["isBase64Encoded"], coded, type)
            self.assertEqual(base64.b64decode(e["body"]) if coded else e["body"].encode(), body)
        c = http.client.HTTPConnection("127.0.0.1", int(self.port), timeout=60 * SLOW)
        c.request("POST", "/", body=iter([b"ab", b"c" * 50000]), headers={"Host": self.host, "Content-Type": "text/plain"}, encode_chunked=True)
        self.assertEqual(json.loads(c.getresponse().read())["body"], "ab" + "c" * 50000)
        c.close()

    def test_a_large_body_and_answer(self):
        body = b"x" * 2_500_000
        self.assertEqual(self.event(method="POST", body=body, headers=[("Content-Type", "text/plain")])["body"], body.decode())

    def test_by_path_and_by_no_name(self):
        id = self.host.split(".")[0]
        e = json.loads(self.get(f"127.0.0.1:{self.port}", f"/_fnd/url/{id}/a/b?c=d").body)
        self.assertEqual((e["rawPath"], e["rawQueryString"], e["requestContext"]["domainName"]), ("/a/b", "c=d", self.host.split(":")[0]))
        self.assertEqual(json.loads(self.get("x", f"/_fnd/url/{id}").body)["rawPath"], "/")
        for host in ("a" * 32 + self.host[32:], "127.0.0.1", self.host.replace("us-east-1", "eu-west-1")):
            r = self.get(host)
            self.assertEqual((r.status, r.json, r.error_type, r.headers["content-type"]), (403, {"Message": None}, "AccessDeniedException", "application/json"))

    def test_connections_are_kept(self):
        c = http.client.HTTPConnection("127.0.0.1", int(self.port), timeout=60 * SLOW)
        self.get(self.host, connection=c)
        s = c.sock
        for path in ("/a", "/b"):
            self.get(self.host, path, connection=c)
        self.get("nobody", connection=c)
        self.assertIs(c.sock, s)
        c.close()

    def test_what_is_too_large_is_refused_unread(self):
        for head, status in ((b"Content-Length: 6291457\r\n", 413), (b"A: " + b"a" * 60000 + b"\r\n", 431), (b"".join(b"A%d: b\r\n" % n for n in range(200)), 431)):
            with socket.create_connection(("127.0.0.1", int(self.port)), timeout=60 * SLOW) as s:
                s.sendall(b"POST / HTTP/1.1\r\nHost: " + self.host.encode() + b"\r\n" + head + b"\r\n")
                self.assertEqual(int(s.recv(65536).split()[1]), status)
        big = json.dumps({"a": "b" * 5_000_000}).encode()
        r = self.get(self.host, "/", "POST", big)  # as base64 it is more than an event may be
        self.assertEqual((r.status, r.error_type), (413, "RequestEntityTooLargeException"))

    def test_a_tunnel_is_refused(self):
        c = http.client.HTTPConnection("127.0.0.1", int(self.port), timeout=60 * SLOW)
        self.addCleanup(c.close)
        c.set_tunnel(self.host, 443)
        with self.assertRaisesRegex(OSError, "Tunnel connection failed: 400"):  # a 200, and the client waits for what comes out of it
            c.request("GET", "/")

    def test_where_a_body_ends_is_no_matter_of_opinion(self):
        """What a proxy in front may read otherwise is refused, and nothing behind it is taken for a request."""
        behind = b"GET /behind HTTP/1.1\r\nHost: " + self.host.encode() + b"\r\n\r\n"
        for head, rest, status in ((b"Content-Length: 90\r\nTransfer-Encoding: chunked", b"0\r\n\r\n", 400), (b"Content-Length: 2\r\nContent-Length: 3", b"{}", 400), (b"Content-Length : 2", b"{}", 400),
                                   (b"Transfer-Encoding: xchunked\r\nContent-Length: 2", b"{}", 501), (b"Transfer-Encoding: gzip, chunked", b"0\r\n\r\n", 501), (b"Host: other", b"", 400)):
            with socket.create_connection(("127.0.0.1", int(self.port)), timeout=60 * SLOW) as s:
                s.sendall(b"POST / HTTP/1.1\r\nHost: " + self.host.encode() + b"\r\n" + head + b"\r\n\r\n" + rest + behind)
                said = b"".join(iter(lambda: s.recv(65536), b""))  # to the end of the connection
            self.assertEqual([int(x.split()[0]) for x in said.split(b"HTTP/1.1 ")[1:]], [status], (head, said))
        self.assertEqual(self.event("/", "POST", b"{}", [("Content-Type", "application/json")])["body"], "{}")

    def test_whose_it_is_is_no_matter_of_opinion(self):
        host = self.host.encode()
        for line, fields, status in ((b"GET http://%s/p HTTP/1.1" % host, b"Host: %s\r\n" % host, 200), (b"GET HTTP://%s/p HTTP/1.1" % host.upper(), b"Host: %s\r\n" % host, 200),
                                     (b"GET http://other/p HTTP/1.1", b"Host: %s\r\n" % host, 400), (b"GET http://%s/p HTTP/1.1" % host, b"Host: other\r\n", 400),
                                     (b"GET http:// HTTP/1.1", b"Host: %s\r\n" % host, 400), (b"GET / HTTP/1.1", b"", 400), (b"GET / HTTP/1.0", b"", 403)):
            with self.subTest(line=line, fields=fields), socket.create_connection(("127.0.0.1", int(self.port)), timeout=60 * SLOW) as s:
                s.sendall(line + b"\r\n" + fields + b"Connection: close\r\n\r\n")
                said = b"".join(iter(lambda: s.recv(65536), b""))
                self.assertEqual(int(said.split()[1]), status, said)

    def test_bodies_on_their_way_are_bounded(self):
        d = self.daemon(gateway={"listen": f"127.0.0.1:{free_port()}"}, body_budget_mb=8)
        d.create_python("f", ECHO)
        port, self.d, keep = d.config["gateway"]["listen"].rsplit(":", 1)[1], d, self.d
        try:
            host = self.url("f")
        finally:
            self.d = keep
        with socket.create_connection(("127.0.0.1", int(port)), timeout=60 * SLOW) as s:
            s.sendall(b"POST / HTTP/1.1\r\nHost: " + host.encode() + b"\r\nContent-Length: 6000000\r\nExpect: 100-continue\r\n\r\n")
            self.assertTrue(s.recv(64).startswith(b"HTTP/1.1 100 "))  # it counts from here on; a smaller one that came before would count against it
            s.sendall(b"x")
            self.assertEqual(self.get(host, "/", "POST", b"x" * 1_000_000, port=port).status, 429)
            self.assertEqual(self.get(host, port=port).status, 200)
        wait_until("it counts no more", lambda: self.get(host, "/", "POST", b"x" * 1_000_000, port=port).status == 200)


class Results(UrlCase):
    def answers(self, expression, **kw):
        if not hasattr(self, "f"):
            self.f = self.python("import json\ndef handler(e, c):\n    return eval(e['body'])\n")
            self.host = self.url(self.f)
        return self.get(self.host, "/", "POST", expression.encode(), headers=[("Content-Type", "text/plain")], **kw)

    def test_what_a_handler_returns(self):
        for expression, status, body in (("'hello'", 200, b"hello"), ("['hello', 3, True]", 200, b'["hello",3,true]'), ("{'hello': 'world'}", 200, b'{"hello":"world"}'), ("None", 200, b"null"),
                                         ("{'statusCode': '418', 'body': 'x'}", 418, b"x"), ("{'statusCode': 201, 'body': {'a': 1}}", 201, b'{"a":1}'), ("{'statusCode': 204}", 204, b""),
                                         ("{'statusCode': 200, 'body': 'AP8=', 'isBase64Encoded': True}", 200, b"\x00\xff"), ("{'statusCode': 200, 'body': ''}", 200, b"")):
            r = self.answers(expression)
            self.assertEqual((r.status, r.body), (status, body), expression)
            self.assertEqual(r.headers["content-type"], "application/json")

    def test_headers_and_cookies(self):
        r = self.answers("{'statusCode': 302, 'headers': {'Location': '/x', 'content-type': 'text/html', 'X-N': 5, 'Content-Length': '99', 'Connection': 'upgrade'}, 'cookies': ['a=1; Path=/', 'b=2']}")
        self.assertEqual((r.status, r.headers["location"], r.headers["content-type"], r.headers["x-n"], r.headers["content-length"]), (302, "/x", "text/html", "5", "0"))
        self.assertEqual([v for k, v in self.raw_headers if k.lower() == "set-cookie"], ["a=1; Path=/", "b=2"])
        self.assertEqual((r.headers["x-amzn-remapped-content-length"], r.headers["x-amzn-remapped-connection"]), ("99", "upgrade"))
        r = self.answers("{'statusCode': 401, 'headers': {'WWW-Authenticate': 'Basic', 'Date': 'then', 'Transfer-Encoding': 'chunked'}, 'body': 'no'}")
        self.assertEqual((r.status, r.body, r.headers["x-amzn-remapped-www-authenticate"], r.headers["x-amzn-remapped-date"]), (401, b"no", "Basic", "then"))
        self.assertEqual([k for k, _ in self.raw_headers if k.lower() in ("www-authenticate", "transfer-encoding", "x-amzn-remapped-transfer-encoding")], [])

    def test_what_is_no_response(self):
        for expression in ("{'statusCode': 0}", "{'statusCode': 'x'}", "{'statusCode': 200, 'headers': {'a': 'b\\r\\nc: d'}}", "{'statusCode': 200, 'body': '%', 'isBase64Encoded': True}", "1 / 0"):
            r = self.answers(expression)
            self.assertEqual((r.status, r.body), (502, b"Internal Server Error"), expression)

    def test_head(self):
        f = self.python("def handler(e, c):\n    return {'statusCode': 200, 'body': e['requestContext']['http']['method']}\n")
        r = self.get(self.url(f), method="HEAD")
        self.assertEqual((r.status, r.body, r.headers["content-length"]), (200, b"", "4"))

    def test_nothing_follows_a_head_without_a_body(self):
        """Of a stream, whose length nobody knows: neither it nor the end of its chunks."""
        f = self.function("t-url-head", make_zip({"index.js": """
            exports.handler = awslambda.streamifyResponse(async (e, out) => {
                out = awslambda.HttpResponseStream.from(out, { statusCode: Number(e.rawPath.slice(1)), headers: { a: 'b' } });
                if (e.rawPath === '/200')
                    out.write('body');
                out.end();
            });"""}), runtime="nodejs22.x", handler="index.handler")
        host = self.url(f, InvokeMode="RESPONSE_STREAM")
        for method, status in (("HEAD", 200), ("HEAD", 304), ("GET", 304), ("GET", 204)):
            with socket.create_connection(("127.0.0.1", int(self.port)), 60) as s:
                s.sendall(f"{method} /{status} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                s.settimeout(30 * SLOW)
                got = b""
                while b"\r\n\r\n" not in got or b"connection: close" in got.lower():
                    piece = s.recv(65536)
                    if not piece:
                        break
                    got += piece
            head, _, rest = got.partition(b"\r\n\r\n")
            self.assertEqual((head.split(b" ")[1], rest), (str(status).encode(), b""), got)
            self.assertNotIn(b"transfer-encoding", head.lower())
            self.assertIn(b"a: b", head)
        self.assertEqual(self.get(host, "/200").body, b"body")

    def test_throttled(self):
        f = self.python(ECHO)
        host = self.url(f)
        self.assertEqual(self.d.request("PUT", f"/2017-10-31/functions/{f}/concurrency", {"ReservedConcurrentExecutions": 0}).status, 200)
        r = self.get(host)
        self.assertEqual((r.status, r.error_type), (429, "TooManyRequestsException"))

    def test_ten_requests_a_second_for_each_of_its_reserved_concurrency(self):
        f = self.python(ECHO, MemorySize=1024)
        host = self.url(f)
        self.assertEqual(self.get(host).status, 200)
        reserve = lambda n: self.assertEqual(self.d.request("PUT", f"/2017-10-31/functions/{f}/concurrency", {"ReservedConcurrentExecutions": n}).status, 200)

        def burst():
            began = time.monotonic()
            got = [self.get(host).status for _ in range(40)]
            return got, time.monotonic() - began
        reserve(1)

        def bounded():
            time.sleep(1.1)  # what it may have at once is there again
            got, took = burst()  # one after the other: never more than one at once
            self.assertEqual(got[:10], [200] * 10)
            self.assertLessEqual(got.count(200), 10 + 10 * took + 1)
            self.assertEqual(set(got), {200, 429})  # where no request takes as long as that
        often(bounded)
        self.assertEqual(self.d.invoke(f, {"rawPath": "/"}).status, 200)  # invocations by other ways are not counted
        reserve(100)
        time.sleep(0.2)  # 1,000 a second have filled it
        self.assertEqual(set(burst()[0]), {200})


class Auth(UrlCase):
    CONFIG = {"credentials": [{"access_key_id": KEY, "secret_access_key": SECRET}]}

    @classmethod
    def setUpClass(cls):
        Case.setUpClass.__func__(cls)
        cls.own = free_port()
        cls.d = shared({"gateway": {"listen": f"127.0.0.1:{cls.own}"}, **cls.CONFIG})
        cls.port = cls.own
        cls.c = boto(cls.d, key=KEY, secret=SECRET)
        cls.c.create_function(FunctionName="iam", Timeout=30, Runtime="python3.11", Role=ROLE, Handler="f.handler", Code={"ZipFile": make_zip({"f.py": ECHO})})
        cls.c.get_waiter("function_active_v2").wait(FunctionName="iam")
        cls.host = cls.c.create_function_url_config(FunctionName="iam", AuthType="AWS_IAM")["FunctionUrl"].split("/")[2]

    @classmethod
    def tearDownClass(cls):
        cls.c.delete_function(FunctionName="iam")

    def sign(self, method, path, body=None, query=False, key=KEY, secret=SECRET, service="lambda", headers=()):
        from botocore.auth import SigV4Auth, SigV4QueryAuth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        r = AWSRequest(method, f"http://{self.host}{path}", data=body, headers=dict(headers))
        (SigV4QueryAuth(Credentials(key, secret), service, "us-east-1", expires=60) if query else SigV4Auth(Credentials(key, secret), service, "us-east-1")).add_auth(r)
        p = r.prepare()
        return p.url[p.url.index("/", 8):], [(k, v if isinstance(v, str) else v.decode()) for k, v in p.headers.items() if k.lower() not in ("host", "content-length")]

    def signed(self, method, path, body=None, **kw):
        target, headers = self.sign(method, path, body, **kw)
        return self.get(self.host, target, method, body, headers)

    def test_signed(self):
        for method, path, body in (("GET", "/", None), ("POST", "/a%20b?x=1&y=%2F", b"hello"), ("PUT", "/a/b?z", b"\x00" * 70000)):
            for query in (False, True) if method == "GET" else (False,):
                r = self.signed(method, path, body, query=query)
                self.assertEqual(r.status, 200, (method, path, query, r))
        c = r.json["requestContext"]
        self.assertEqual((c["accountId"], c["authorizer"]["iam"]["accessKey"], c["authorizer"]["iam"]["userArn"]), ("000000000000", KEY, "arn:aws:iam::000000000000:root"))

    def test_by_requests_with_aws4auth(self):
        site = pypi.install("requests-aws4auth==1.4.0", "requests==2.34.2", "urllib3==2.8.0", "idna==3.20", "charset-normalizer==3.5.3", "certifi==2026.10.19.post1")
        code = f"""import requests, socket
real = socket.getaddrinfo
socket.getaddrinfo = lambda h, *a, **k: real("127.0.0.1", *a, **k)
from requests_aws4auth import AWS4Auth
r = requests.post("http://{self.host}/p?q=1", data=b"abc", headers={{"X-A": "b"}}, auth=AWS4Auth("{KEY}", "{SECRET}", "us-east-1", "lambda"), timeout=60)
print(r.status_code, r.text)"""
        r = subprocess.run(["/usr/bin/python3", "-c", code], env={**os.environ, "PYTHONPATH": site}, capture_output=True, text=True)
        self.assertEqual(r.stdout.split(" ", 1)[0], "200", r.stdout + r.stderr)

    def test_not_or_not_well_signed(self):
        r = self.get(self.host)
        self.assertEqual((r.status, r.json, r.error_type), (403, FORBIDDEN, "AccessDeniedException"))
        for kw, error in (({"secret": "x"}, "InvalidSignatureException"), ({"key": "AKIDOTHER"}, "UnrecognizedClientException"), ({"service": "execute-api"}, "InvalidSignatureException")):
            self.assertEqual(self.signed("GET", "/", **kw).error_type, error, kw)
        target, headers = self.sign("POST", "/", b"abc")
        self.assertEqual(self.get(self.host, target, "POST", b"abd", headers).error_type, "InvalidSignatureException")
        self.assertEqual(self.get(self.host, target + "?x", "POST", b"abc", headers).error_type, "InvalidSignatureException")
        self.assertEqual(self.get(self.host, target, "POST", b"abc", headers + [("X-Amz-Meta", "x")]).error_type, "InvalidSignatureException")

    def test_a_change_is_in_force_at_once(self):
        for _ in range(5):
            self.assertEqual(self.get(self.host).status, 403)
            self.c.update_function_url_config(FunctionName="iam", AuthType="NONE")
            self.assertEqual(self.get(self.host).json, FORBIDDEN)
            for s in PUBLIC:
                body = json.dumps(s).encode()
                from botocore.auth import SigV4Auth
                from botocore.awsrequest import AWSRequest
                from botocore.credentials import Credentials
                r = AWSRequest("POST", f"{self.d.endpoint}{POLICY.format('iam', '')}", data=body)
                SigV4Auth(Credentials(KEY, SECRET), "lambda", "us-east-1").add_auth(r)
                self.assertEqual(self.d.request("POST", POLICY.format("iam", ""), body, dict(r.prepare().headers)).status, 201)
            self.assertEqual(self.get(self.host).status, 200)
            for s in PUBLIC:
                self.c.remove_permission(FunctionName="iam", StatementId=s["StatementId"])
                self.assertEqual(self.get(self.host).status, 403)
            self.c.update_function_url_config(FunctionName="iam", AuthType="AWS_IAM")
            self.assertEqual(self.signed("GET", "/").status, 200)


class Policies(UrlCase):
    def test_both_statements_are_needed_and_the_log_names_the_missing_one(self):
        f = self.python(ECHO)
        host = self.url(f, public=False)
        for given, lacks in (((), "lambda:InvokeFunctionUrl for principal * with FunctionUrlAuthType NONE, and lambda:InvokeFunction"), (PUBLIC[:1], "it lacks lambda:InvokeFunction for principal *"),
                             (PUBLIC[1:], "it lacks lambda:InvokeFunctionUrl for principal *")):
            for s in given:
                self.assertEqual(self.d.request("POST", POLICY.format(f, ""), s).status, 201)
            mine = lambda: [l for l in self.d.log().splitlines() if host.split(".")[0] in l and lacks in l]

            def refused():
                r = self.get(host)
                self.assertEqual((r.status, r.json, r.error_type), (403, FORBIDDEN, "AccessDeniedException"))
                return mine()
            wait_until(f"the log says: {lacks}", refused)
            for s in given:
                self.assertEqual(self.d.request("DELETE", POLICY.format(f, "/" + s["StatementId"])).status, 204)

    def test_without_credentials_nobody_can_sign(self):
        f = self.python(ECHO)
        host = self.url(f, AuthType="AWS_IAM")
        for headers in ((), (("Authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + "0" * 64), ("X-Amz-Date", "20260101T000000Z"))):
            r = self.get(host, headers=headers)
            self.assertEqual((r.status, r.json), (403, FORBIDDEN))

    def test_gone(self):
        f = self.python(ECHO)
        self.d.settled(f)
        self.d.request("POST", f"/2015-03-31/functions/{f}/versions", {})
        self.d.request("POST", f"/2015-03-31/functions/{f}/aliases", {"Name": "live", "FunctionVersion": "1"})
        host, of_function = self.url(f, "?Qualifier=live"), self.url(f)
        self.assertEqual((self.get(host).status, self.get(of_function).status), (200, 200))
        self.d.request("DELETE", f"/2015-03-31/functions/{f}/aliases/live")
        self.assertEqual((self.get(host).json, self.get(of_function).status), (FORBIDDEN, 200))
        self.d.delete(f)
        self.assertEqual((self.get(host).json, self.get(of_function).json), ({"Message": None}, {"Message": None}))


class CrossOrigin(UrlCase):
    def test_preflights_do_not_reach_the_function(self):
        f = self.python("def handler(e, c):\n    return {'statusCode': 200, 'headers': {'Access-Control-Allow-Origin': 'mine', 'X-B': 'c'}, 'body': 'x'}\n")
        host = self.url(f, Cors={"AllowOrigins": ["https://a.example", "http://*.b.example"], "AllowMethods": ["GET", "PUT"], "AllowHeaders": ["x-a"], "ExposeHeaders": ["X-B"], "MaxAge": 60, "AllowCredentials": True})
        ask = lambda origin: self.get(host, method="OPTIONS", headers=(("Origin", origin), ("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "x-a")))
        r = ask("https://a.example")
        self.assertEqual((r.status, r.body), (200, b""))
        self.assertEqual({k: v for k, v in r.headers.items() if k.startswith("access-control-")}, {
            "access-control-allow-origin": "https://a.example", "access-control-allow-methods": "GET,PUT", "access-control-allow-headers": "x-a", "access-control-max-age": "60", "access-control-allow-credentials": "true"})
        self.assertEqual(ask("http://x.b.example").headers["access-control-allow-origin"], "http://x.b.example")
        self.assertNotIn("access-control-allow-origin", ask("https://evil.example").headers)
        r = self.get(host, headers=(("Origin", "https://a.example"),))
        self.assertEqual((r.headers["access-control-allow-origin"], r.headers["access-control-expose-headers"], r.headers["vary"]), ("https://a.example", "X-B", "Origin"))
        self.assertNotIn("access-control-allow-origin", self.get(host).headers)
        self.assertEqual(self.d.request("PUT", URL.format(f, ""), {"Cors": {"AllowOrigins": ["*"]}}).status, 200)
        self.assertEqual(ask("https://evil.example").headers["access-control-allow-origin"], "*")

    def test_without_cors_it_is_the_function_s(self):
        f = self.python("def handler(e, c):\n    return {'statusCode': 204, 'headers': {'Access-Control-Allow-Origin': 'mine'}}\n")
        r = self.get(self.url(f), method="OPTIONS", headers=(("Origin", "https://a"), ("Access-Control-Request-Method", "PUT")))
        self.assertEqual((r.status, r.headers["access-control-allow-origin"]), (204, "mine"))


if __name__ == "__main__":
    unittest.main()
