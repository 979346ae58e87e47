"""Code packages: what is refused, that refusals leave nothing, and that packages go when nothing needs them."""
import base64, glob, hashlib, io, os, stat, struct, unittest, zipfile
from harness import *


def raw_zip(entries):
    """[(name, content, mode, extra flag bits)] without zipfile's own manners."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content, mode in entries:
            info = zipfile.ZipInfo("x", (2023, 1, 1, 0, 0, 0))
            info.filename = name
            info.create_system = 3
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            import warnings
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                z.writestr(info, content)
    return out.getvalue()


FILE, LINK = 0o100644, 0o120777


class Uploads(Case):
    def trees(self):
        return set(os.path.basename(t) for t in glob.glob(os.path.join(self.d.state, "roots/*")) + glob.glob(os.path.join(self.d.state, "roots/.tmp*")))

    def blobs(self):
        return set(os.listdir(os.path.join(self.d.state, "blobs")))

    def refused(self, zip_bytes, words, status=400, error="InvalidParameterValueException"):
        self.d.delete("u-bad")
        self.addCleanup(self.d.delete, "u-bad")
        before = self.trees(), self.blobs()
        r = self.d.create("u-bad", zip_bytes, expect=None)
        self.assertEqual((r.status, r.error_type), (status, error), r)
        self.assertRegex(r.json.get("message", ""), words)
        self.assertEqual(self.d.request("GET", "/2015-03-31/functions/u-bad").status, 404)
        wait_until("nothing is left of it", lambda: self.trees() <= before[0] and self.blobs() <= before[1], 5)

    def test_not_a_zip(self):
        self.refused(b"this is no zip file", "Could not unzip uploaded file. Please check your file, then try to upload again")
        self.refused(b"PK\x03\x04" + b"\0" * 40, "Could not unzip")

    def test_truncated(self):
        z = native_zip()
        for n in (len(z) // 2, len(z) - 30, 100):
            self.refused(z[:n], "Could not unzip")

    def test_corrupt_content(self):
        z = bytearray(make_zip({"bootstrap": b"x" * 10000 + os.urandom(5000)}))
        z[400] ^= 0xff
        self.refused(bytes(z), "Could not unzip")

    def test_dot_dot(self):
        for name in ("../evil", "a/../../evil", "..", "a/b/../../../x"):
            self.refused(raw_zip([(name, b"x", FILE)]), "Could not unzip")

    def test_absolute_paths(self):
        self.refused(raw_zip([("/etc/evil", b"x", FILE)]), "Could not unzip")

    def test_links_that_lead_outside(self):
        for target in ("/etc/passwd", "../../../etc/passwd", "a/../../x", "/"):
            self.refused(raw_zip([("link", target.encode(), LINK)]), "Could not unzip")
        self.refused(raw_zip([("d", b"..", LINK), ("d/evil", b"x", FILE)]), "Could not unzip")

    def test_links_inside_are_fine(self):
        name = self.function(zip_bytes=raw_zip([("real", open(os.path.join(BUILD, "fixtures/bootstrap"), "rb").read(), 0o100755), ("bootstrap", b"real", LINK)]))
        self.assertEqual(self.d.invoke(name, {"a": 1}).json, {"a": 1})

    def test_devices_and_set_id_bits(self):
        for mode in (0o060644, 0o020644, 0o140644, 0o104755, 0o102755):
            with self.subTest(mode=oct(mode)):
                self.refused(raw_zip([("x", b"", mode)]), "Could not unzip")

    def test_duplicates(self):
        self.refused(raw_zip([("a", b"1", FILE), ("a", b"2", FILE)]), "Could not unzip")
        self.refused(raw_zip([("a", b"1", FILE), ("a/b", b"2", FILE)]), "Could not unzip")

    def test_bombs(self):
        self.refused(make_zip({"zero": b"\0" * (100 << 20)}), "Could not unzip|Unzipped size")
        half = os.urandom(1 << 13)
        little = b"".join(half + b"\0" * (1 << 16) for _ in range(3700))  # 9:1, 272 MB: no bomb by its ratio, but too large
        self.refused(make_zip({"a": little}), "Unzipped size must be smaller than 262144000 bytes")

    def test_too_many_entries(self):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
            for i in range(100001):
                z.writestr(f"{i}", b"")
        self.refused(out.getvalue(), "Could not unzip|entries")

    def test_encrypted(self):
        z = bytearray(make_zip({"a": b"secret content"}))
        z[6] |= 1  # the flag in the local header
        central = bytes(z).index(b"PK\x01\x02")
        z[central + 8] |= 1
        self.refused(bytes(z), "Could not unzip")

    def test_sizes(self):
        z = os.urandom(52428801)
        self.refused(z, "Zipped size must be smaller than 52428800 bytes", 413, "RequestEntityTooLargeException")
        r = self.d.request("POST", "/2015-03-31/functions", b" " * 70167212)
        self.assertEqual((r.status, r.error_type), (413, "RequestEntityTooLargeException"))
        self.assertIn("Request must be smaller than 70167211 bytes for the CreateFunction operation", r.json["message"])

    def test_files_look_as_on_lambda(self):
        name = self.function(zip_bytes=raw_zip([("bootstrap", open(os.path.join(BUILD, "fixtures/bootstrap"), "rb").read(), 0o100755), ("data/x.txt", b"hello", 0o100600),
                                                ("utf8-\u00e4", b"y", FILE)]))
        self.assertEqual(self.d.do(name, "file", path="/var/task/data/x.txt"), {"text": "hello"})
        self.assertIn("utf8-\u00e4", self.d.do(name, "list", path="/var/task"))

    def test_packages_are_shared_and_go_with_the_last_function(self):
        z = make_zip({"bootstrap": open(os.path.join(BUILD, "fixtures/bootstrap"), "rb").read(), "salt": os.urandom(16)})
        sha = hashlib.sha256(z).hexdigest()
        here = lambda: (f"code-{sha}" in self.trees(), f"{sha}.zip" in self.blobs())
        self.d.create("u-a", z)
        self.d.create("u-b", z)
        self.assertEqual(here(), (True, True))
        self.d.delete("u-a")
        self.assertEqual(self.d.invoke("u-b", {"x": 1}).json, {"x": 1})
        self.d.delete("u-b")
        wait_until("tree and blob are gone", lambda: here() == (False, False), 10)

    def test_code_stays_while_an_old_environment_runs(self):
        z = lambda n: make_zip({"f.py": f"import time\ndef handler(e, c):\n    time.sleep(1)\n    import late\n    return late.n\n", "late.py": f"n = {n}\n"})
        name = self.function(zip_bytes=z(1), runtime="python3.11", handler="f.handler", Timeout=10)
        import threading, time
        out = []
        t = threading.Thread(target=lambda: out.append(self.d.invoke(name, {})))
        t.start()
        time.sleep(0.5)
        r = self.d.request("PUT", f"/2015-03-31/functions/{name}/code", {"ZipFile": base64.b64encode(z(2)).decode()})
        self.assertEqual(r.status, 200)
        t.join()
        self.assertEqual(out[0].json, 1)
        self.assertEqual(self.d.invoke(name, {}).json, 2)

    def test_no_start_waits_for_a_removal(self):
        name = self.function()
        before = self.trees()
        self.d.create("u-many", make_zip({"bootstrap": b"#!/bin/sh\n", "many": b"files"}))
        tree = os.path.join(self.d.state, "roots", (self.trees() - before).pop())
        for i in range(300):
            os.mkdir(f"{tree}/var/task/{i}")
            for k in range(300):
                os.close(os.open(f"{tree}/var/task/{i}/{k}", os.O_CREAT))
        self.d.delete("u-many")
        wait_until("the removal begins", lambda: not os.path.exists(tree))
        self.assertEqual(self.d.invoke(name, {"x": 1}).json, {"x": 1})
        self.assertTrue(glob.glob(os.path.join(self.d.state, "roots/.tmp*")), "the cold start had to wait until it was over")
        wait_until("it is over", lambda: self.trees() <= before, 60)
