"""Requests without a signature: not from web pages, not under names that are not ours."""
import base64, http.client, json, unittest
from harness import ROLE, SLOW, Case, boto, native_zip, shared

BODY = {"FunctionName": "o-evil", "Role": ROLE, "Runtime": "provided.al2023", "Handler": "x", "Code": {"ZipFile": base64.b64encode(native_zip()).decode()}}


class Pages(Case):
    def ask(self, headers, method="GET", path="/2015-03-31/functions", body=None, d=None):
        """With exactly these headers; a list for those that come twice."""
        d = d or self.d
        c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=120 * SLOW)
        try:
            c.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in ({"Host": f"127.0.0.1:{d.port}"} | dict(headers)).items():
                for v in value if isinstance(value, list) else [value]:
                    c.putheader(name, v)
            data = json.dumps(body).encode() if body is not None else b""
            c.putheader("Content-Length", str(len(data)))
            c.endheaders(data)
            r = c.getresponse()
            return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()
        finally:
            c.close()

    def refused(self, headers, **kw):
        status, got, body = self.ask(headers, **kw)
        self.assertEqual((status, got.get("x-amzn-errortype")), (403, "AccessDeniedException"), (headers, body))
        self.assertIn("without a signature", json.loads(body)["message"])
        self.assertFalse([h for h in got if h.startswith("access-control")])

    def test_origins(self):
        f = self.function()
        invoke = {"method": "POST", "path": f"/2015-03-31/functions/{f}/invocations", "body": {"a": 1}}
        foreign = ("https://evil.example", f"http://localhost:{self.d.port}", "http://127.0.0.1:1", "http://127.0.0.1", "null", "", "file://")
        for origin in foreign:
            for kw in ({"method": "POST", "body": BODY}, invoke, {}, {"path": "/_fnd/metrics"}, {"path": "/_fnd/code/x"}, {"path": "/healthz"}, {"method": "OPTIONS"},
                       {"method": "DELETE", "path": f"/2015-03-31/functions/{f}"}, {"method": "POST", "path": "/_fnd/images/rescan"}):
                self.refused({"Origin": origin}, **kw)
        self.refused({"Origin": [f"http://127.0.0.1:{self.d.port}", "https://evil.example"]}, **invoke)
        self.refused({"Origin": "https://evil.example", "Content-Type": "text/plain"}, method="POST", body=BODY)
        self.assertEqual(self.d.request("GET", "/2015-03-31/functions/o-evil").status, 404)
        self.assertEqual(self.ask({"Origin": f"http://127.0.0.1:{self.d.port}"}, **invoke)[0::2], (200, b'{"a": 1}'))
        self.assertEqual(self.ask({}, **invoke)[0], 200)

    def test_fetch_metadata_and_forms(self):
        for site in ("cross-site", "same-site", "x"):
            self.refused({"Sec-Fetch-Site": site})
        for site in ("same-origin", "none"):
            self.assertEqual(self.ask({"Sec-Fetch-Site": site})[0], 200)
        for kind in ("text/plain", "Text/Plain;charset=UTF-8", "multipart/form-data; boundary=x"):
            self.refused({"Content-Type": kind}, method="POST", body=BODY)
        f = self.function()
        for kind in ("application/json", "application/x-www-form-urlencoded", "application/octet-stream", "application/x-amz-json-1.1"):  # curl -d says the second
            self.assertEqual(self.ask({"Content-Type": kind}, method="POST", path=f"/2015-03-31/functions/{f}/invocations", body={"a": 1})[0], 200)

    def test_hosts(self):
        for host in ("evil.example", f"evil.example:{self.d.port}", "localhost.evil.example", "0.0.0.0", "10.1.2.3", "host.docker.internal", "127.0.0.1.evil.example"):
            for path in ("/2015-03-31/functions", "/_fnd/doctor", "/_fnd/logs/f", "/healthz"):
                self.refused({"Host": host}, path=path)
        for host in ("localhost", f"LOCALHOST:{self.d.port}", "127.0.0.1:3001", "[::1]:3001", "fnd.localhost"):
            self.assertEqual(self.ask({"Host": host})[0], 200, host)

    def test_configured_hosts(self):
        d = shared({"hosts": ["host.docker.internal", "fnd"]})
        for host in ("host.docker.internal:3001", "FND:3001", "localhost"):
            self.assertEqual(self.ask({"Host": host}, d=d)[0], 200, host)
            self.assertEqual(self.ask({"Host": host, "Origin": "http://" + host}, d=d)[0], 200, host)
            self.refused({"Host": host, "Origin": "http://evil.example"}, d=d)
        self.refused({"Host": "other:3001"}, d=d)

    def test_signed_requests_may_come_from_anywhere(self):
        d = shared({"credentials": [{"access_key_id": "AKIDORIGIN", "secret_access_key": "secret"}]})
        c = boto(d, key="AKIDORIGIN", secret="secret")
        c.meta.events.register("before-send.lambda", lambda request, **kw: request.headers.update(Origin="https://app.example"))
        c.list_functions()
        self.assertEqual(self.ask({"Origin": "https://evil.example"}, d=d)[0], 403)
        self.assertEqual(self.ask({"Host": "fnd.example"}, path="/healthz", d=d)[0], 200)


if __name__ == "__main__":
    unittest.main()
