"""The moment between a change and its being in force: Pending, InProgress, and what is refused or still served meanwhile."""
import base64, contextlib, json, os, signal, socket, sqlite3, http.client, unittest
from harness import ARN, ROLE, BotoCase, Case, Daemon, make_zip, shared

PENDING = "The operation cannot be performed at this time. The function is currently in the following state: Pending"
IN_PROGRESS = "The operation cannot be performed at this time. An update is in progress for resource: " + ARN


def pipelined(d, *requests):
    """Sends (method, path, members) in one go: the second is there before the first is answered. [(status, JSON)]."""
    with socket.create_connection(("127.0.0.1", d.port)) as s:
        s.settimeout(120)
        out = b""
        for method, path, members in requests:
            body = json.dumps(members).encode()
            out += f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        s.sendall(out)
        answers = []
        f = s.makefile("rb")
        for _ in requests:
            status = int(f.readline().split()[1])
            headers = http.client.parse_headers(f)
            body = f.read(int(headers.get("Content-Length") or 0))
            answers.append((status, json.loads(body) if body else None))
        return answers


def package(text):
    return make_zip({"f.py": f"def handler(e, c): return {text!r}\n"})


def z(data):
    return {"ZipFile": base64.b64encode(data).decode()}


class States(BotoCase):
    def saying(self, text, **more):
        return self.python(f"def handler(e, c): return {text!r}\n", **more)

    def said(self, f):
        return self.d.invoke(f, "{}").json

    def test_second_update_is_refused(self):
        f = self.saying("old")
        at = f"/2015-03-31/functions/{f}"
        for first in (("PUT", at + "/configuration", {"Timeout": 9}), ("PUT", at + "/code", z(package("new")))):
            (status, one), *others = pipelined(self.d, first, ("PUT", at + "/configuration", {"Timeout": 8}), ("PUT", at + "/code", z(package("other"))),
                                               ("POST", at + "/versions", {}), ("GET", at, {}))
            self.assertEqual((status, one["State"], one["LastUpdateStatus"], one["LastUpdateStatusReason"], one["LastUpdateStatusReasonCode"]),
                             (200, "Active", "InProgress", "The function is being created.", "Creating"))
            self.assertEqual(others[:3], [(409, {"Type": "User", "message": IN_PROGRESS + f})] * 3)
            seen = others[3][1]["Configuration"]
            self.assertEqual((seen["LastUpdateStatus"], seen["RevisionId"], seen["Timeout"]), ("InProgress", one["RevisionId"], 9))
            self.c.get_waiter("function_updated_v2").wait(FunctionName=f)
            now = self.c.get_function_configuration(FunctionName=f)
            self.assertEqual((now["State"], now["LastUpdateStatus"], now["LastModified"]), ("Active", "Successful", one["LastModified"]))
            self.assertNotIn("LastUpdateStatusReason", now)
            self.assertNotEqual(now["RevisionId"], one["RevisionId"], "a settled function has a revision of its own")
        self.assertEqual(self.c.publish_version(FunctionName=f)["Version"], "1")

    def test_old_code_serves_until_then(self):
        f = self.saying("old")
        self.assertEqual(self.said(f), "old")
        at = f"/2015-03-31/functions/{f}"
        answers = pipelined(self.d, ("PUT", at + "/code", z(package("new"))), ("POST", at + "/invocations", {}), ("POST", at + "/invocations?Qualifier=$LATEST", {}))
        self.assertEqual([a[1] for a in answers[1:]], ["old", "old"])
        self.d.settled(f)
        self.assertEqual(self.said(f), "new")

    def test_new_function(self):
        """Pending: an update is refused; an invocation waits, where Lambda refuses it."""
        name = "t-pending"
        self.d.delete(name)
        self.addCleanup(self.d.delete, name)
        at = f"/2015-03-31/functions/{name}"
        made = {"FunctionName": name, "Role": ROLE, "Runtime": "python3.11", "Handler": "f.handler", "Code": z(package("first"))}
        (status, one), *others = pipelined(self.d, ("POST", "/2015-03-31/functions", made), ("GET", at + "/configuration", {}), ("PUT", at + "/configuration", {"Timeout": 8}),
                                           ("PUT", at + "/code", z(package("other"))), ("POST", at + "/versions", {}), ("POST", at + "/invocations", {}))
        self.assertEqual((status, one["State"], one["StateReasonCode"], one["StateReason"]), (201, "Pending", "Creating", "The function is being created."))
        self.assertNotIn("LastUpdateStatus", one)
        self.assertEqual((others[0][1]["State"], others[0][1]["RevisionId"]), ("Pending", one["RevisionId"]))
        self.assertEqual(others[1:4], [(409, {"Type": "User", "message": PENDING})] * 3)
        self.assertEqual(others[4], (200, "first"))
        self.assertEqual(self.c.get_function_configuration(FunctionName=name)["State"], "Active")

    def test_new_function_with_version(self):
        name = "t-pending-version"
        self.d.delete(name)
        self.addCleanup(self.d.delete, name)
        at = f"/2015-03-31/functions/{name}"
        made = {"FunctionName": name, "Role": ROLE, "Runtime": "python3.11", "Handler": "f.handler", "Code": z(package("first")), "Publish": True}
        (_, one), run, (_, gone), deleted = pipelined(self.d, ("POST", "/2015-03-31/functions", made), ("POST", at + "/invocations?Qualifier=1", {}), ("DELETE", at, {}),
                                                      ("POST", at + "/invocations", {}))
        self.assertEqual((one["Version"], one["State"], run), ("1", "Pending", (200, "first")))
        self.assertIsNone(gone)
        self.assertEqual(deleted[0], 404)

    def test_published_with_an_update(self):
        f = self.saying("old")
        at = f"/2015-03-31/functions/{f}"
        (_, v), of_version, of_latest = pipelined(self.d, ("PUT", at + "/code", {**z(package("new")), "Publish": True}), ("POST", at + "/invocations?Qualifier=1", {}),
                                                  ("POST", at + "/invocations", {}))
        self.assertEqual((v["Version"], v["State"], of_version[1]), ("1", "Pending", "new"))
        self.assertIn(of_latest[1], ("new", "old"))
        self.d.settled(f)
        for q in ("$LATEST", "1"):
            now = self.c.get_function_configuration(FunctionName=f, Qualifier=q)
            self.assertEqual((now["State"], now["LastUpdateStatus"]), ("Active", "Successful"), q)

    def test_deleted_meanwhile(self):
        f = self.saying("old")
        at = f"/2015-03-31/functions/{f}"
        answers = pipelined(self.d, ("PUT", at + "/configuration", {"Timeout": 9}), ("DELETE", at, {}), ("GET", at, {}))
        self.assertEqual([s for s, _ in answers], [200, 204, 404])
        self.saying("again", name=f)
        self.assertEqual(self.said(f), "again")


class Stored(Case):
    def test_who_waits_is_told_when_it_cannot_be_stored(self):
        """A disk that is full just then, say: nobody waits for its end, and once there is room again the function is Active."""
        d = self.daemon()
        with contextlib.closing(sqlite3.connect(os.path.join(d.state, "db/fnd.db"))) as db:
            db.execute("CREATE TRIGGER full BEFORE INSERT ON functions WHEN json_extract(NEW.config, '$.state') = 1 BEGIN SELECT RAISE(FAIL, 'full'); END")
            d.create_python("f", "def handler(e, c): return 1\n")
            answers = [d.invoke("f", "{}", timeout=20) for _ in range(2)]
            self.assertEqual([(a.status, a.error_type) for a in answers], [(500, "ServiceException")] * 2)
            self.assertEqual(d.request("GET", "/2015-03-31/functions/f/configuration").json["State"], "Pending")
            db.execute("DROP TRIGGER full")
        d.settled("f")
        self.assertEqual(d.invoke("f", "{}").json, 1)


class Restart(Case):
    def test_killed_in_the_moment(self):
        d = self.daemon()
        d.create_python("f", "def handler(e, c): return 'old'\n")
        d.settled("f")
        at = "/2015-03-31/functions/f"
        self.assertEqual(pipelined(d, ("PUT", at + "/code", z(package("new"))))[0][1]["LastUpdateStatus"], "InProgress")
        d.killed = True
        d.stop(signal.SIGKILL)
        d.start()
        now = d.request("GET", at + "/configuration").json
        self.assertEqual((now["State"], now["LastUpdateStatus"], d.invoke("f", "{}").json), ("Active", "Successful", "new"))


if __name__ == "__main__":
    unittest.main()
