"""Code from S3 (S3Bucket, S3Key, S3ObjectVersion): with the AWS CLI and boto3, from unmodified servers, by a confined fn-fetch; and from one that misbehaves."""
import base64, hashlib, os, re, shutil, socket, statistics, subprocess, tempfile, threading, time
import s3servers, servers
from harness import *

ODD = "a dir/\u00fc+&=%?#'()*~!$,:;@/../x//y.zip"
LIMIT = 262144000


def handler_zip(answer):
    return make_zip({"f.py": f"def handler(event, context):\n    return {answer!r}\n"})


def fetchers(d):
    return [p for s in d.pids()["spawnd"] for p in children(s) if comm(p) == "fn-fetch"]


def credentials(directory, key, secret, mode=0o600, **more):
    path = os.path.join(directory, "s3.json")
    with open(path, "w") as f:
        json.dump({"access_key_id": key, "secret_access_key": secret, **more}, f)
    os.chmod(path, mode)
    return path


class S3Case(Case):
    images = BASIC

    def setUp(self):
        self.dir = tempfile.mkdtemp(dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.dir)

    def credentials(self, key, secret, mode=0o600, **more):
        return credentials(self.dir, key, secret, mode, **more)

    def create_from(self, d, name, bucket, key, version=None, expect=201, **more):
        code = {"S3Bucket": bucket, "S3Key": key, **({"S3ObjectVersion": version} if version else {})}
        body = {"FunctionName": name, "Role": ROLE, "Runtime": "python3.11", "Handler": "f.handler", "Code": code, "Timeout": 30, **more}
        r = d.request("POST", "/2015-03-31/functions", body)
        self.assertEqual(r.status, expect, r)
        return r

    def nothing_is_left(self, d, name=None):
        """Of a download that failed: no file, with a name or without, no process, no function."""
        blobs = os.path.join(d.state, "blobs")
        names = set(os.listdir(blobs))
        self.assertEqual({n for n in names if not n.endswith(".zip")}, set())
        def open_files():
            return [t for p in d.pids()["worker"] + d.pids()["spawnd"] for t in descriptors(p).values() if t.startswith(blobs) and "(deleted)" in t]
        wait_until(lambda: f"no file is open: {open_files()}", lambda: not open_files())
        wait_until("fn-fetch has ended", lambda: not fetchers(d))
        if name:
            self.assertEqual(d.request("GET", f"/2015-03-31/functions/{name}").status, 404)


class Moto(S3Case):
    """Signatures, which it verifies as the SDK makes them; versions; the service's words."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = s3servers.moto()
        cls.addClassCleanup(cls.s3.end)
        cls.keys = s3servers.moto_verifies(cls.s3)
        cls.o = cls.s3.client(*cls.keys)
        home = tempfile.mkdtemp(dir="/var/tmp")
        cls.addClassCleanup(shutil.rmtree, home)
        cls.d = shared({"s3": {"endpoint": cls.s3.endpoint, "credentials_file": credentials(home, *cls.keys)}})
        cls.o.create_bucket(Bucket="code")
        cls.o.put_bucket_versioning(Bucket="code", VersioningConfiguration={"Status": "Enabled"})

    def put(self, key, data):
        return self.o.put_object(Bucket="code", Key=key, Body=data)["VersionId"]

    def test_aws_cli(self):
        env = dict(os.environ, AWS_ACCESS_KEY_ID=self.keys[0], AWS_SECRET_ACCESS_KEY=self.keys[1], AWS_DEFAULT_REGION="us-east-1", AWS_PAGER="", HOME=self.dir)
        def aws(endpoint, *args):
            r = subprocess.run(["aws", "--endpoint-url", endpoint, *args], cwd=self.dir, env=env, capture_output=True, text=True, timeout=120)
            self.assertEqual(r.returncode, 0, r.stderr)
            return json.loads(r.stdout) if r.stdout.startswith("{") else r.stdout
        for n in (1, 2):
            with open(os.path.join(self.dir, f"{n}.zip"), "wb") as f:
                f.write(handler_zip(n))
            aws(self.s3.endpoint, "s3", "cp", f"{n}.zip", f"s3://code/cli/{n}.zip")
        self.addCleanup(self.d.delete, "cli-s3")
        made = aws(self.d.endpoint, "lambda", "create-function", "--function-name", "cli-s3", "--runtime", "python3.11", "--handler", "f.handler", "--role", ROLE, "--code", "S3Bucket=code,S3Key=cli/1.zip")
        self.assertEqual((made["CodeSize"], made["CodeSha256"]), (len(handler_zip(1)), base64.b64encode(hashlib.sha256(handler_zip(1)).digest()).decode()))
        aws(self.d.endpoint, "lambda", "wait", "function-active-v2", "--function-name", "cli-s3")
        self.assertEqual(self.d.invoke("cli-s3", {}).json, 1)
        aws(self.d.endpoint, "lambda", "update-function-code", "--function-name", "cli-s3", "--s3-bucket", "code", "--s3-key", "cli/2.zip", "--publish")
        aws(self.d.endpoint, "lambda", "wait", "function-updated-v2", "--function-name", "cli-s3")
        self.assertEqual((self.d.invoke("cli-s3", {}).json, self.d.invoke("cli-s3", {}, query="?Qualifier=1").json), (2, 2))
        shown = aws(self.d.endpoint, "lambda", "get-function", "--function-name", "cli-s3")
        self.assertEqual(shown["Configuration"]["CodeSha256"], base64.b64encode(hashlib.sha256(handler_zip(2)).digest()).decode())

    def test_versions_of_an_object(self):
        old, new = self.put("v.zip", handler_zip("old")), self.put("v.zip", handler_zip("new"))
        for name, version, answer in (("s3-newest", None, "new"), ("s3-old", old, "old"), ("s3-new", new, "new")):
            self.addCleanup(self.d.delete, name)
            self.create_from(self.d, name, "code", "v.zip", version)
            self.assertEqual(self.d.invoke(name, {}).json, answer)
        r = self.create_from(self.d, "s3-none", "code", "v.zip", "nosuchversion", expect=400)
        self.assertRegex(r.json["message"], r"^Error occurred while GetObject. S3 Error Code: (NoSuchVersion|InvalidArgument). S3 Error Message: .")

    def test_keys_as_they_are(self):
        for n, key in enumerate((ODD, "plus+and space.zip", "/leading", "deep/" * 100 + "x", "%41.zip", "a/./b")):
            self.put(key, handler_zip(n))
            self.addCleanup(self.d.delete, f"s3-key-{n}")
            self.create_from(self.d, f"s3-key-{n}", "code", key)
            self.assertEqual(self.d.invoke(f"s3-key-{n}", {}).json, n, key)

    def test_refusals_in_the_service_s_words(self):
        gone = "Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s"
        name = self.function()
        self.d.settled(name)
        for bucket, key, code, words in (("nosuchbucket", "x", "NoSuchBucket", "The specified bucket does not exist"), ("code", "nosuchkey", "NoSuchKey", "The specified key does not exist.")):
            for r in (self.create_from(self.d, "s3-gone", bucket, key, expect=400), self.d.request("PUT", f"/2015-03-31/functions/{name}/code", {"S3Bucket": bucket, "S3Key": key})):
                self.assertEqual((r.status, r.error_type, r.json), (400, "InvalidParameterValueException", {"Type": "User", "message": gone % (code, words)}))
        self.nothing_is_left(self.d, "s3-gone")

    def test_what_is_there_is_no_package(self):
        for data, words in ((b"no zip", "Could not unzip uploaded file. Please check your file, then try to upload again."), (b"", "Uploaded file must be a non-empty zip")):
            self.put("bad.zip", data)
            r = self.create_from(self.d, "s3-bad", "code", "bad.zip", expect=400)
            self.assertEqual((r.error_type, r.json["message"]), ("InvalidParameterValueException", words))
        self.nothing_is_left(self.d, "s3-bad")

    def test_members_that_do_not_go_together(self):
        for code in ({"S3Bucket": "code"}, {"S3Key": "k"}, {"S3Bucket": "code", "S3Key": "k", "ZipFile": "AAAA"}, {"S3Bucket": "code", "S3Key": "k", "SourceKMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/a"}):
            r = self.d.request("POST", "/2015-03-31/functions", {"FunctionName": "s3-odd", "Role": ROLE, "Runtime": "python3.11", "Handler": "f.handler", "Code": code})
            self.assertEqual((r.status, r.error_type), (400, "InvalidParameterValueException"), code)
        self.assertIn("SourceKMSKeyArn", r.json["message"])

    def test_larger_than_what_may_be_sent(self):
        """52,428,800 bytes are the limit of a request's package, not of one in S3."""
        large = make_zip({"f.py": "def handler(event, context):\n    return 9\n"})
        blob = io.BytesIO(large)
        with zipfile.ZipFile(blob, "a", zipfile.ZIP_STORED) as z:
            z.writestr("noise", os.urandom(56 << 20))
        self.put("large.zip", blob.getvalue())
        self.addCleanup(self.d.delete, "s3-large")
        r = self.create_from(self.d, "s3-large", "code", "large.zip")
        self.assertEqual(r.json["CodeSize"], len(blob.getvalue()))
        self.assertEqual(self.d.invoke("s3-large", {}).json, 9)

    def test_dry_run_and_one_that_is_deleted_meanwhile(self):
        name = self.function()
        self.d.settled(name)
        before = self.d.request("GET", f"/2015-03-31/functions/{name}").json["Configuration"]
        self.put("dry.zip", handler_zip("dry"))
        r = self.d.request("PUT", f"/2015-03-31/functions/{name}/code", {"S3Bucket": "code", "S3Key": "dry.zip", "DryRun": True})
        self.assertEqual((r.status, r.json["CodeSize"]), (200, len(handler_zip("dry"))))
        self.assertEqual(self.d.request("GET", f"/2015-03-31/functions/{name}").json["Configuration"], before)

    def test_fnctl(self):
        old, _ = self.put("ctl dir/f.zip", handler_zip("old")), self.put("ctl dir/f.zip", handler_zip("new"))
        self.addCleanup(self.d.delete, "ctl-s3")
        for where, answer in (("s3://code/ctl dir/f.zip", "new"), (f"s3://code/ctl dir/f.zip?versionId={old}", "old")):
            r = self.d.fnctl("deploy", "ctl-s3", where, "--runtime", "python3.11", "--handler", "f.handler")
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertEqual(self.d.invoke("ctl-s3", {}).json, answer)
        for where in ("s3://", "s3://code", "s3://code/", "s3:///x", "s3://code/?versionId=1"):
            r = self.d.fnctl("deploy", "ctl-s3", where, "--runtime", "python3.11", "--handler", "f.handler")
            self.assertEqual((r.returncode, r.stderr), (2, f"fnctl: {where} is no s3://BUCKET/KEY\n"))
        self.assertIn("NoSuchKey", self.d.fnctl("deploy", "ctl-s3", "s3://code/none").stderr)

    def test_layers_come_so_too(self):
        self.put("layer.zip", make_zip({"python/from_s3.py": "HERE = 'there'\n"}))
        r = self.d.request("POST", "/2018-10-31/layers/s3-layer/versions", {"Content": {"S3Bucket": "code", "S3Key": "layer.zip"}})
        self.assertEqual(r.status, 201, r)
        f = self.python("import from_s3\ndef handler(event, context):\n    return from_s3.HERE\n", Layers=[r.json["LayerVersionArn"]])
        self.assertEqual(self.d.invoke(f, {}).json, "there")
        r = self.d.request("POST", "/2018-10-31/layers/s3-layer/versions", {"Content": {"S3Bucket": "code", "S3Key": "nosuchkey"}})
        self.assertEqual((r.status, r.json["message"]), (400, "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."))

    def test_a_key_that_is_not_the_right_one(self):
        self.put("secret.zip", handler_zip("secret"))
        for keys, status, words in (((self.keys[0], "other"), 400, "^Error occurred while GetObject. S3 Error Code: SignatureDoesNotMatch. S3 Error Message: The request signature we calculated does not match"),
                                    (("AKIAIOSFODNN7EXAMPLE", "other"), 400, "S3 Error Code: InvalidAccessKeyId. S3 Error Message: The AWS Access Key Id you provided does not exist"), (None, 400, "Error occurred while GetObject. fetch: .* answers 403")):
            d = self.daemon(s3={"endpoint": self.s3.endpoint, **({"credentials_file": self.credentials(*keys)} if keys else {})})
            r = self.create_from(d, "f", "code", "secret.zip", expect=status)
            self.assertRegex(r.json["message"], words)
            self.nothing_is_left(d, "f")

    def test_a_reload_takes_new_credentials(self):
        self.put("reload.zip", handler_zip("reload"))
        d = self.daemon(s3={"endpoint": self.s3.endpoint, "credentials_file": self.credentials(self.keys[0], "other")})
        self.create_from(d, "f", "code", "reload.zip", expect=400)
        self.credentials(*self.keys, mode=0o644)
        d.process.send_signal(signal.SIGHUP)
        wait_until(d.log, lambda: "the configuration stays as it was" in d.log())
        self.assertIn("chmod 600", d.log())
        self.credentials(*self.keys)
        before = d.pids()["worker"]
        d.process.send_signal(signal.SIGHUP)
        wait_until("another worker serves", lambda: d.pids()["worker"] not in ([], before) and d.is_ready())
        self.create_from(d, "f", "code", "reload.zip")
        self.assertFalse([t for p in d.pids()["worker"] for t in descriptors(p).values() if "memfd:fn-fetch" in t], "the worker has no part in the credentials")

    def test_many_at_once(self):
        self.put("many.zip", handler_zip("many"))
        names = [f"s3-many-{n}" for n in range(12)]
        for n in names:
            self.addCleanup(self.d.delete, n)
        failed = []
        def one(n):
            try:
                self.create_from(self.d, n, "code", "many.zip")
            except AssertionError as e:
                failed.append(e)
        threads = [threading.Thread(target=one, args=(n,)) for n in names]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(failed, [])
        self.assertEqual([self.d.invoke(n, {}).json for n in names], ["many"] * 12)


KEYS = ("plain.zip", "odd +&=%?#'()*~!/\u00fc.zip")


class Others(S3Case):
    """Other implementations of S3."""

    def served(self, server, keys, config, **more):
        o = server.client(*keys)
        o.create_bucket(Bucket="signed")
        for n, key in enumerate(KEYS):
            o.put_object(Bucket="signed", Key=key, Body=handler_zip(n))
        d = self.daemon(s3={"endpoint": server.endpoint, "credentials_file": self.credentials(*keys, **more), **config})
        for n, key in enumerate(KEYS):
            self.create_from(d, f"f{n}", "signed", key)
            self.assertEqual(d.invoke(f"f{n}", {}).json, n)
        r = self.create_from(d, "f", "signed", "none", expect=400)
        self.assertEqual(r.json["message"], "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.")
        return d

    def test_buckets_by_host(self):
        s3 = s3servers.s3rver(self.dir)
        self.addCleanup(s3.end)
        self.served(s3, s3servers.S3RVER_KEYS, {"endpoint": f"http://s3.localhost:{s3.port}", "style": "virtual"}, session_token="tok/en+==")

    @built_long
    def test_versitygw(self):
        s3 = s3servers.versitygw(self.dir, ("keyid", "sec/ret+"))
        self.addCleanup(s3.end)
        self.served(s3, ("keyid", "sec/ret+"), {})
        d = self.daemon(s3={"endpoint": s3.endpoint, "credentials_file": self.credentials("keyid", "other")})
        self.assertIn("S3 Error Code: SignatureDoesNotMatch", self.create_from(d, "f", "signed", "plain.zip", expect=400).json["message"])


class Tls(S3Case):
    def test_an_authority_of_one_s_own(self):
        ca, *pair = servers.certificate(self.dir)
        s3 = s3servers.moto(pair)
        self.addCleanup(s3.end)
        o = s3.client(verify=ca)
        o.create_bucket(Bucket="code")
        o.put_object(Bucket="code", Key="tls.zip", Body=handler_zip("tls"), ACL="public-read")
        d = self.daemon(s3={"endpoint": s3.endpoint, "ca_file": ca})
        self.create_from(d, "f", "code", "tls.zip")
        self.assertEqual(d.invoke("f", {}).json, "tls")
        # another name than the certificate's, and an authority that nobody knows: not a byte is asked for
        for config in ({"endpoint": s3.endpoint.replace("127.0.0.1", "localhost"), "ca_file": ca}, {"endpoint": s3.endpoint}):
            d = self.daemon(s3=config)
            r = self.create_from(d, "f", "code", "tls.zip", expect=500)
            self.assertRegex(r.json["Message"], "^Error occurred while GetObject. fetch: .*certificate")
            self.nothing_is_left(d, "f")


class Configuration(S3Case):
    def check(self, s3):
        path = os.path.join(self.dir, "fnd.json")
        with open(path, "w") as f:
            json.dump({"s3": s3}, f)
        r = subprocess.run([os.path.join(BUILD, "fnd"), "--check-config", "--config", path], capture_output=True, text=True)
        return r.stdout if r.returncode == 0 else r.stderr

    def test_no_endpoint(self):
        r = self.create_from(self.d, "s3-nowhere", "code", "x.zip", expect=400)
        self.assertEqual(r.error_type, "InvalidParameterValueException")
        self.assertRegex(r.json["message"], r'^fnd has no S3 server to get s3://code/x.zip from: name one as "s3": \{"endpoint": ')

    def test_what_is_wrong(self):
        endpoint = "http://127.0.0.1:9"
        for s3, words in (({"endpoint": "s3.example"}, "is no address"), ({"endpoint": "http://u:p@h"}, "is no address"), ({"endpoint": "http://h/path"}, "is no address"),
                          ({"endpoint": endpoint, "style": "both"}, '"auto", "path" or "virtual"'), ({"endpoint": endpoint, "timeout_s": 0}, "from 1 to 120"), ({"key": "x"}, 'no key of "s3"'),
                          ({"endpoint": endpoint, "credentials_file": "/nonexistent"}, "ENOENT"), ({"endpoint": endpoint, "credentials_file": self.credentials("a", "b", 0o640)}, "chmod 600"),
                          ({"endpoint": "https://127.0.0.1:9", "ca_file": "/nonexistent"}, "s3.ca_file"), ({"endpoint": "https://127.0.0.1:9", "ca_file": "/etc/hosts"}, "s3.ca_file")):
            self.assertIn(words, self.check(s3), s3)
        for more, words in (({"token": "x"}, "needs access_key_id"), ({"session_token": ""}, "needs access_key_id"), ({"session_token": "a\r\nb: c"}, "needs access_key_id")):
            self.assertIn(words, self.check({"endpoint": endpoint, "credentials_file": self.credentials("a", "b", **more)}), more)
        for s3 in ({"endpoint": ""}, {"endpoint": endpoint}, {"endpoint": "https://[::1]:9", "ca_file": "/etc/ssl/certs/ca-certificates.crt", "credentials_file": self.credentials("a", "b", session_token="c")}):
            self.assertIn("is fine", self.check(s3))


def answers(status, headers, body=b""):
    return lambda c, head: c.sendall(f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def until_it_goes(c):
    while c.recv(65536):
        pass


class Misbehaving(S3Case):
    """A server that does everything wrong: each a clear error, and nothing left."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = s3servers.Hostile()
        cls.addClassCleanup(cls.s3.end)
        cls.d = shared({"s3": {"endpoint": cls.s3.endpoint, "timeout_s": 2}})

    def ask(self, key, answer, expect=500):
        self.s3.at[f"/bkt/{key}"] = answer
        r = self.create_from(self.d, "s3-hostile", "bkt", key, expect=expect)
        self.nothing_is_left(self.d, "s3-hostile")
        return r.json.get("message") or r.json["Message"]

    def test_it_does_not_answer(self):
        self.assertIn("no answer within 2 s", self.ask("silent", lambda c, h: until_it_goes(c)))

    def test_it_stops_in_the_midst(self):
        def some(c, h):
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(1000))
            until_it_goes(c)
        self.assertIn("the object does not go on", self.ask("stall", some))

    def test_it_drips(self):
        def drips(c, h):
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                c.sendall(b"x")
                time.sleep(0.1)
        self.assertIn("the object does not go on", self.ask("drip", drips))

    def test_it_ends_in_the_midst(self):
        self.assertIn("ended in the midst of the object, after 1000 bytes", self.ask("cut", lambda c, h: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(1000))))
        self.assertIn("ended in the midst of the object, after 3 bytes", self.ask("cut-chunk", lambda c, h: c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")))
        self.assertIn("127.0.0.1", self.ask("nothing", lambda c, h: None))

    def test_it_does_not_say_how_long(self):
        self.assertIn("does not say how long the object is", self.ask("endless", lambda c, h: c.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + handler_zip(1))))

    def test_it_says_that_it_is_too_much(self):
        words = f"Unzipped size must be smaller than {LIMIT} bytes"
        self.assertEqual(self.ask("said", lambda c, h: c.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {LIMIT + 1}\r\n\r\n".encode()) or until_it_goes(c), expect=400), words)

    def test_it_sends_too_much(self):
        sent = []
        def floods(c, h):
            c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                c.sendall(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
                sent.append(1)
        self.assertEqual(self.ask("flood", floods, expect=400), f"Unzipped size must be smaller than {LIMIT} bytes")
        self.assertLessEqual(len(sent), (LIMIT >> 20) + 16)

    def test_redirects(self):
        where = self.s3.endpoint
        moved = lambda to, status="307 Temporary Redirect": answers(status, f"Location: {to}\r\n")
        self.s3.at["/there"] = answers("200 OK", "", handler_zip("there"))
        self.s3.at["/bkt/good"] = moved(f"{where}/there")
        self.s3.at["/bkt/relative"] = moved("/there", "301 Moved Permanently")
        for n, key in enumerate(("good", "relative")):
            self.addCleanup(self.d.delete, f"s3-moved-{n}")
            self.create_from(self.d, f"s3-moved-{n}", "bkt", key)
            self.assertEqual(self.d.invoke(f"s3-moved-{n}", {}).json, "there")
        self.s3.at["/round"] = moved(f"{where}/bkt/circle")
        before = len(self.s3.seen)
        self.assertIn("more than 5 redirects", self.ask("circle", moved(f"{where}/round")))
        self.assertEqual(len(self.s3.seen) - before, 6)
        for key, to in (("elsewhere", "http://other.example/x"), ("scheme", "file:///etc/passwd"), ("ftp", "ftp://127.0.0.1/x"), ("host", "http://169.254.169.254/latest"), ("junk", "http://[x")):
            self.assertRegex(self.ask(key, moved(to)), "redirects to .* which is not followed")

    def test_errors_as_s3_has_them(self):
        error = lambda code, message, more="": f"<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>".encode()
        denied = "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for bkt/denied. S3 Error Code: AccessDenied. S3 Error Message: Access Denied"
        self.assertEqual(self.ask("denied", answers("403 Forbidden", "", error("AccessDenied", "Access Denied")), expect=403), denied)
        self.assertEqual(self.ask("region", answers("301 Moved Permanently", "x-amz-bucket-region: eu-west-1\r\n", error("PermanentRedirect", "The bucket you are attempting to access ..."))
                                  , expect=400), "Error occurred while GetObject. S3 Error Code: PermanentRedirect. S3 Error Message: The bucket is in this region: eu-west-1. Please use this region to retry the request")
        self.assertEqual(self.ask("slow", answers("503 Slow Down", "", error("SlowDown", "Please &lt;reduce&gt; your &#114;ate"))), "Error occurred while GetObject. S3 Error Code: SlowDown. S3 Error Message: Please <reduce> your rate")
        self.assertRegex(self.ask("mute", answers("418 Teapot", ""), expect=400), "^Error occurred while GetObject. fetch: 127.0.0.1:[0-9]+ answers 418")
        self.assertRegex(self.ask("noise", answers("400 Bad", "", os.urandom(200000)), expect=400), "answers 400")
        self.assertRegex(self.ask("html", answers("200 OK\r\nX: " + "y" * 200000, "")), "^Error occurred while GetObject")
        self.assertRegex(self.ask("garbage", lambda c, h: c.sendall(b"\0\1\2 what\r\n\r\n")), "^Error occurred while GetObject")

    def test_nobody_listens(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            d = self.daemon(s3={"endpoint": "http://127.0.0.1:%d" % s.getsockname()[1]})
            self.assertRegex(self.create_from(d, "f", "bkt", "k", expect=500).json["Message"], "no connection: ECONNREFUSED")
        d = self.daemon(s3={"endpoint": "http://nobody.invalid"})
        self.assertRegex(self.create_from(d, "f", "bkt", "k", expect=500).json["Message"], "there is no such host")

    def held(self, keys):
        """Creations under way, each of whose objects has begun and does not go on; `release` lets them end."""
        begun, release = threading.Semaphore(0), threading.Event()
        def hold(c, h):
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + bytes(100))
            begun.release()
            while not release.wait(0.05):
                c.sendall(bytes(4096))
        replies = []
        for k in keys:
            self.s3.at[f"/bkt/{k}"] = hold
        threads = [threading.Thread(target=lambda k=k: replies.append(self.d.request("POST", "/2015-03-31/functions", {"FunctionName": f"held-{k}", "Role": ROLE, "Runtime": "python3.11", "Handler": "f.handler", "Code": {"S3Bucket": "bkt", "S3Key": k}}))) for k in keys]
        [t.start() for t in threads]
        for _ in keys[:4]:
            self.assertTrue(begun.acquire(timeout=PATIENCE))
        def end():
            release.set()
            [t.join() for t in threads]
            return replies
        self.addCleanup(end)
        return end

    @unittest.skipIf(SANITIZED, "without its filter")
    def test_how_it_is_confined(self):
        end = self.held(["confined"])
        pid, = fetchers(self.d)
        with open(f"/proc/{pid}/status") as f:
            status = dict(l.rstrip("\n").split(":\t", 1) for l in f if ":\t" in l)
        self.assertEqual((set(status["Uid"].split()), set(status["Gid"].split()), status["Groups"].split()), ({str(0x70000000 + 65536)}, {str(0x70000000 + 65536)}, []))
        self.assertEqual({status[k] for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}, {"0" * 16})
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        root = f"/proc/{pid}/root"
        self.assertEqual(sorted(os.listdir(root)), ["etc"])
        self.assertLessEqual(set(os.listdir(os.path.join(root, "etc"))), {"resolv.conf", "hosts", "nsswitch.conf", "host.conf", "gai.conf"})
        with self.assertRaises(OSError):
            open(os.path.join(root, "etc/x"), "w")
        held = [t for t in descriptors(pid).values() if not t.startswith(("socket:", "pipe:", "/dev/null", "anon_inode:"))]
        self.assertEqual(len([t for t in held if os.path.join(self.d.state, "blobs") in t]), 1, held)
        self.assertFalse([t for t in held if "memfd:" in t], held)
        end()
        self.nothing_is_left(self.d)

    def test_others_are_served_meanwhile(self):
        """More than fn-spawnd has at work: the rest waits, and nobody else does."""
        f = self.function()
        def p90():
            took = []
            for _ in range(300):
                t = time.monotonic()
                self.assertEqual(self.d.invoke(f, {"do": "echo"}).status, 200)
                took.append(time.monotonic() - t)
            return statistics.quantiles(took, n=10)[8]
        end = self.held([f"busy-{n}" for n in range(8)])
        self.assertEqual(len(fetchers(self.d)), 4)
        def attempt():
            self.assertLess(p90(), 0.1)  # who waited for a download would do so for a second and more
        often(attempt)
        replies = end()
        self.assertEqual({r.status for r in replies}, {500})
        self.nothing_is_left(self.d)

    def test_fn_spawnd_dies(self):
        d = self.d = self.daemon(s3={"endpoint": self.s3.endpoint, "timeout_s": 60})
        end = self.held(["orphan"])
        pid, = fetchers(d)
        os.kill(d.pids()["spawnd"][0], signal.SIGKILL)
        wait_until("fn-fetch has ended with it", lambda: comm(pid) != "fn-fetch")
        replies = end()
        self.assertEqual([(r.status, r.error_type) for r in replies], [(500, "ServiceException")])
        wait_until("another fn-spawnd is there", lambda: d.pids()["spawnd"])
        self.s3.at["/bkt/after"] = answers("200 OK", "", handler_zip("after"))
        self.create_from(d, "f", "bkt", "after")
        self.assertEqual(d.invoke("f", {}).json, "after")

    def test_who_asked_has_gone(self):
        end = self.held(["gone"])
        with socket.create_connection(("127.0.0.1", self.d.port)) as c:
            body = json.dumps({"FunctionName": "s3-left", "Role": ROLE, "Runtime": "python3.11", "Handler": "f.handler", "Code": {"S3Bucket": "bkt", "S3Key": "left"}}).encode()
            self.s3.at["/bkt/left"] = lambda c, h: until_it_goes(c)
            c.sendall(b"POST /2015-03-31/functions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            wait_until("it is under way", lambda: len(fetchers(self.d)) == 2)
        end()
        self.nothing_is_left(self.d, "s3-left")
