"""Signatures: what clients sign is taken, what nobody signed is not; with AWS's words."""
import datetime, hashlib, hmac, http.client, json, subprocess, unittest
from urllib.parse import quote, unquote
from harness import ARN, ROLE, SLOW, Case, boto, native_zip, shared

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
MISMATCH = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
LIST = "/2015-03-31/functions"


class Signed(Case):
    @classmethod
    def setUpClass(cls):
        cls.d = shared({"credentials": [{"access_key_id": KEY, "secret_access_key": SECRET}]})
        cls.c = boto(cls.d, key=KEY, secret=SECRET)

    def sign(self, method, target, headers=(), body=b"", region="us-east-1", service="lambda", key=KEY, secret=SECRET, at=None, unsigned=(), scope_date=None, tamper=None, digest=None):
        """By the letter of AWS's documentation. headers: pairs, in order, perhaps with one name twice. Returns (status, error type, message)."""
        now = at or datetime.datetime.utcnow()
        date = now.strftime("%Y%m%dT%H%M%SZ")
        headers = [("Host", f"127.0.0.1:{self.d.port}"), ("X-Amz-Date", date)] + list(headers)
        path, _, query = target.partition("?")
        encode = lambda s: quote(unquote(s), safe="-._~")
        params = sorted(tuple(map(encode, (p.partition("=")[0], p.partition("=")[2]))) for p in query.split("&") if p)
        values = {}
        for name, value in headers:
            values.setdefault(name.lower(), []).append(" ".join(value.split()))
        names = sorted(n for n in values if n not in unsigned)
        canonical = "\n".join([method, quote(path, safe="-._~/"), "&".join(f"{k}={v}" for k, v in params), "".join(f"{n}:{','.join(values[n])}\n" for n in names), ";".join(names),
                               digest or hashlib.sha256(body).hexdigest()])
        scope = f"{scope_date or date[:8]}/{region}/{service}/aws4_request"
        k = ("AWS4" + secret).encode()
        for part in scope.split("/"):
            k = hmac.new(k, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(k, f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode(), hashlib.sha256).hexdigest()
        c = http.client.HTTPConnection("127.0.0.1", self.d.port, timeout=120 * SLOW)
        try:
            method, target, headers, body = tamper(method, target, headers, body) if tamper else (method, target, headers, body)
            c.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                c.putheader(name, value)
            c.putheader("Authorization", f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}")
            c.putheader("Content-Length", str(len(body)))
            c.endheaders(body)
            r = c.getresponse()
            text = r.read()
            return r.status, r.getheader("x-amzn-errortype"), json.loads(text).get("message") if r.status >= 400 else None
        finally:
            c.close()

    def test_plain(self):
        self.assertEqual(self.sign("GET", LIST)[0], 200)
        self.assertEqual(self.sign("GET", LIST, secret="other"), (403, "InvalidSignatureException", MISMATCH))
        self.assertEqual(self.sign("GET", LIST, key="OTHER"), (403, "UnrecognizedClientException", "The security token included in the request is invalid."))
        self.assertEqual(self.d.request("GET", LIST).json, {"message": "Missing Authentication Token"})

    def test_scope(self):
        region, service = "Credential should be scoped to a valid region. ", "Credential should be scoped to correct service: 'lambda'. "
        for kw, words in (({"region": "eu-west-1"}, region), ({"service": "s3"}, service), ({"region": "eu-west-1", "service": "sts"}, region + service)):
            self.assertEqual(self.sign("GET", LIST, **kw), (403, "InvalidSignatureException", words))
        import boto3
        other = boto3.client("lambda", endpoint_url=self.d.endpoint, region_name="eu-west-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET)
        with self.assertRaises(other.exceptions.ClientError) as e:
            other.list_functions()
        self.assertEqual((e.exception.response["Error"]["Code"], e.exception.response["Error"]["Message"]), ("InvalidSignatureException", region))

    def test_time(self):
        now = datetime.datetime.utcnow()
        minutes = lambda n: now + datetime.timedelta(minutes=n)
        self.assertEqual(self.sign("GET", LIST, at=minutes(-10), scope_date=minutes(-10).strftime("%Y%m%d"))[0], 200)
        self.assertRegex(self.sign("GET", LIST, at=minutes(-20))[2], r"^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 15 min\.\)$")
        self.assertRegex(self.sign("GET", LIST, at=minutes(20))[2], r"^Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 15 min\.\)$")
        self.assertIn("Date in Credential scope does not match", self.sign("GET", LIST, scope_date="20150830")[2])

    def test_what_is_not_signed(self):
        f = self.make()
        invoke = ("POST", f"{LIST}/{f}/invocations")
        for name in ("X-Amz-Log-Type", "X-Amz-Invocation-Type", "x-amz-client-context", "X-Amz-Security-Token", "X-Amz-Date", "Host"):
            more = [(name, "x")] if name not in ("X-Amz-Date", "Host") else []
            self.assertEqual(self.sign(*invoke, more, unsigned=(name.lower(),)), (403, "InvalidSignatureException", f"'{name}' must be a 'SignedHeader' in the AWS Authorization header."))
        for more in ([("X-Amzn-Trace-Id", "Root=1-67891233-abcdef012345678912345678")], [("User-Agent", "x")]):  # what proxies set
            self.assertEqual(self.sign(*invoke, more, unsigned=(more[0][0].lower(),))[0], 200)
        add = lambda more: lambda m, t, h, b: (m, t, h + more, b)
        self.assertEqual(self.sign(*invoke, [("X-Amz-Log-Type", "None")], tamper=add([("X-Amz-Log-Type", "Tail")])), (403, "InvalidSignatureException", MISMATCH))
        self.assertIn("SignedHeader", self.sign(*invoke, tamper=add([("X-Amz-Invocation-Type", "DryRun")]))[2])
        self.assertEqual(self.sign(*invoke, body=b"1", tamper=lambda m, t, h, b: (m, t, h, b"2")), (403, "InvalidSignatureException", MISMATCH))
        self.assertEqual(self.sign(*invoke, tamper=lambda m, t, h, b: (m, t + "?Qualifier=1", h, b)), (403, "InvalidSignatureException", MISMATCH))
        self.assertEqual(self.sign("GET", f"{LIST}/{f}", tamper=lambda m, t, h, b: ("DELETE", t, h, b)), (403, "InvalidSignatureException", MISMATCH))
        digest = hashlib.sha256(b"1").hexdigest()
        self.assertEqual(self.sign(*invoke, [("X-Amz-Content-Sha256", digest)], body=b"1")[0], 200)
        self.assertEqual(self.sign(*invoke, [("X-Amz-Content-Sha256", digest)], body=b"1", tamper=lambda m, t, h, b: (m, t, h, b"2")), (403, "InvalidSignatureException", MISMATCH))

    def make(self):
        f = "s-" + self.id().split(".")[-1].replace("_", "-")
        self.addCleanup(lambda: self.c.delete_function(FunctionName=f))
        self.c.create_function(FunctionName=f, Timeout=30, Runtime="provided.al2023", Role=ROLE, Handler="x", Code={"ZipFile": native_zip()}, Publish=True)
        self.c.get_waiter("function_active_v2").wait(FunctionName=f)
        return f

    def test_spellings(self):
        f = self.make()
        for target in (f"{LIST}/{f}?Qualifier=$LATEST", f"{LIST}/{f}?Qualifier=%24LATEST", f"{LIST}/{f}/versions?MaxItems=1&Marker=%24LATEST", f"{LIST}?Marker=a&MaxItems=3&Max-Items=1",
                       f"{LIST}/{quote(ARN + f, '')}", f"{LIST}/{f}:1", f"{LIST}/?b&a=&b=1&a=2", f"{LIST}?a=%7e%41%3a"):
            self.assertEqual(self.sign("GET", target)[0], 200, target)
        self.assertEqual(self.sign("GET", LIST, [("X-Amz-Meta", "  a   b "), ("X-Amz-Meta", "c"), ("My-Own", "d")])[0], 200)

    def presigned(self, method, target, expires=60, at=None, tamper=lambda t: t, headers=(), **more):
        """By the letter of AWS's documentation, too. Returns (status, error type, message)."""
        host, date = f"127.0.0.1:{self.d.port}", (at or datetime.datetime.utcnow()).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{date[:8]}/{more.get('region', 'us-east-1')}/lambda/aws4_request"
        path, _, query = target.partition("?")
        p = dict(part.split("=") for part in query.split("&") if part)
        p |= {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{KEY}/{scope}", "X-Amz-Date": date, "X-Amz-Expires": str(expires), "X-Amz-SignedHeaders": "host"}
        query = "&".join(f"{quote(k, safe='-._~')}={quote(v, safe='-._~')}" for k, v in sorted(p.items()) if k != more.get("without"))
        canonical = "\n".join([method, quote(path, safe="-._~/"), query, f"host:{host}\n", "host", hashlib.sha256(b"").hexdigest()])
        k = ("AWS4" + SECRET).encode()
        for part in scope.split("/"):
            k = hmac.new(k, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(k, f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode(), hashlib.sha256).hexdigest()
        r = self.d.request(method, tamper(f"{path}?{query}&X-Amz-Signature={signature}"), headers=dict(headers))
        return r.status, r.error_type, r.json.get("message") if r.status >= 400 else None

    def test_presigned(self):
        now = datetime.datetime.utcnow()
        self.assertEqual(self.presigned("GET", LIST)[0], 200)
        self.assertEqual(self.presigned("GET", LIST + "?MaxItems=1", expires=604800)[0], 200)
        self.assertEqual(self.presigned("GET", LIST, at=now - datetime.timedelta(hours=2), expires=3 * 3600)[0], 200)
        self.assertRegex(self.presigned("GET", LIST, at=now - datetime.timedelta(hours=2), expires=3600)[2], r"^Signature expired: .* - 60 min\.\)$")
        self.assertRegex(self.presigned("GET", LIST, at=now + datetime.timedelta(hours=1))[2], "^Signature not yet current: ")
        self.assertEqual(self.presigned("GET", LIST, region="eu-west-1")[2], "Credential should be scoped to a valid region. ")
        for tamper in (lambda t: t.replace("MaxItems=1", "MaxItems=2"), lambda t: t.replace("Expires=60", "Expires=61"), lambda t: t + "&Marker=x", lambda t: t[:-1] + ("0" if t[-1] != "0" else "1")):
            self.assertEqual(self.presigned("GET", LIST + "?MaxItems=1", tamper=tamper), (403, "InvalidSignatureException", MISMATCH))
        self.assertEqual(self.presigned("GET", LIST, tamper=lambda t: t.replace("functions", "layers", 1)), (403, "InvalidSignatureException", MISMATCH))
        for name in ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders"):
            self.assertEqual(self.presigned("GET", LIST, without=name), (403, "IncompleteSignatureException", f"AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."))
        self.assertEqual(self.presigned("GET", LIST, expires=604801)[:2], (403, "InvalidSignatureException"))
        self.assertEqual(self.presigned("GET", LIST, headers={"X-Amz-Log-Type": "Tail"})[2], "'X-Amz-Log-Type' must be a 'SignedHeader' in the AWS Authorization header.")
        url = self.c.generate_presigned_url("list_functions", Params={"MaxItems": 1}, HttpMethod="GET")
        self.assertEqual(self.d.request("GET", url[url.index("/", 8):]).status, 200)

    def test_a_body_is_signed(self):
        put = lambda digest: self.sign("GET", LIST, headers=[("x-amz-content-sha256", digest)], digest=digest)
        self.assertEqual(put(hashlib.sha256(b"").hexdigest())[0], 200)
        for digest in ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", hashlib.sha256(b"x").hexdigest()):
            self.assertEqual(put(digest), (403, "InvalidSignatureException", MISMATCH))

    def test_boto3(self):
        f = self.make()
        arn = ARN + f
        self.c.tag_resource(Resource=arn, Tags={"a b": "1", "c+d": "2", "e/f:g": "3", "\u00e4": "4"})
        self.c.untag_resource(Resource=arn, TagKeys=["a b", "c+d", "e/f:g", "\u00e4"])
        self.assertEqual(self.c.list_tags(Resource=arn)["Tags"], {})
        for name in (f, arn, f"{arn}:$LATEST", f"{f}:1"):
            r = self.c.invoke(FunctionName=name, Payload=b'{"a":1}', LogType="Tail", ClientContext="e30=")
            self.assertEqual((json.load(r["Payload"]), r["StatusCode"]), ({"a": 1}, 200))
        self.c.get_function(FunctionName=f, Qualifier="$LATEST")
        self.c.list_versions_by_function(FunctionName=f, MaxItems=1)

    def test_curl(self):
        """curl --aws-sigv4 is a client of its own."""
        f = self.make()
        run = lambda *args: subprocess.run(["curl", "-sS", "--aws-sigv4", "aws:amz:us-east-1:lambda", "--user", f"{KEY}:{SECRET}", *args], stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(json.loads(run(f"{self.d.endpoint}{LIST}/{f}"))["Configuration"]["FunctionName"], f)
        self.assertEqual(json.loads(run("-H", "Content-Type: application/json", "--data-binary", '{"a": 1}', f"{self.d.endpoint}{LIST}/{f}/invocations")), {"a": 1})


if __name__ == "__main__":
    unittest.main()
