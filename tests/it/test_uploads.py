"""Code packages: what is refused, that refusals leave nothing, and that packages go when nothing needs them."""
import base64, glob, gzip, hashlib, io, os, struct, subprocess, tempfile, unittest, zipfile
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
BAD = "Could not unzip uploaded file. Please check your file, then try to upload again."
EMPTY_ZIP_BYTES = b"PK\5\6" + b"\0" * 18


def native():
    with open(os.path.join(BUILD, "fixtures/bootstrap"), "rb") as f:
        return f.read()


class Uploads(Case):
    def trees(self):
        return set(os.path.basename(t) for t in glob.glob(os.path.join(self.d.state, "roots/*")) + glob.glob(os.path.join(self.d.state, "roots/.tmp*")))

    def blobs(self):
        return set(os.listdir(os.path.join(self.d.state, "blobs")))

    def tree_of(self, name):
        """Where its package is unpacked."""
        sha = base64.b64decode(self.d.request("GET", f"/2015-03-31/functions/{name}/configuration").json["CodeSha256"]).hex()
        return os.path.join(self.d.state, "roots", f"code-{sha}", "var/task")

    def refused(self, zip_bytes, words, status=400, error="InvalidParameterValueException", why=None):
        """words: the whole message. why: what fnd's log has to say about it."""
        self.d.delete("u-bad")
        self.addCleanup(self.d.delete, "u-bad")
        before, log = (self.trees(), self.blobs()), len(self.d.log())
        r = self.d.create("u-bad", zip_bytes, expect=None)
        self.assertEqual((r.status, r.error_type), (status, error), r)
        self.assertEqual(r.json.get("message", ""), words)
        self.assertIn(why or "", self.d.log()[log:])
        self.assertEqual(self.d.request("GET", "/2015-03-31/functions/u-bad").status, 404)
        wait_until("nothing is left of it", lambda: self.trees() <= before[0] and self.blobs() <= before[1])

    def test_not_a_zip(self):
        self.refused(b"this is no zip file", BAD)
        self.refused(b"PK\x03\x04" + b"\0" * 40, BAD)
        self.refused(b"PK\x05\x06", BAD)

    def test_other_archives(self):
        """Zips alone, whatever fn-unpack can read otherwise."""
        with tempfile.TemporaryDirectory() as d:
            with open(os.path.join(d, "bootstrap"), "w") as f:
                f.write("#!/bin/sh\n")
            for flags in ("", "z", "J", "j"):
                tar = subprocess.run(["tar", f"-c{flags}", "-C", d, "bootstrap"], stdout=subprocess.PIPE, check=True).stdout
                self.refused(tar, BAD)
                self.refused(tar + EMPTY_ZIP_BYTES, "Uploaded file must be a non-empty zip")
        self.refused(b"7z\xbc\xaf\x27\x1c" + os.urandom(100), BAD)
        self.refused(gzip.compress(make_zip({"bootstrap": b"x"})), BAD)

    def test_empty(self):
        self.refused(EMPTY_ZIP_BYTES, "Uploaded file must be a non-empty zip")
        r = self.d.request("POST", "/2015-03-31/functions", {"FunctionName": "u-bad", "Role": ROLE, "Runtime": "provided.al2023", "Handler": "x", "Code": {"ZipFile": ""}})
        self.assertEqual((r.status, r.json["message"]), (400, "Uploaded file must be a non-empty zip"))

    def test_truncated(self):
        z = native_zip()
        for n in (len(z) // 2, len(z) - 30, 100):
            self.refused(z[:n], BAD)

    def test_corrupt_content(self):
        z = bytearray(make_zip({"bootstrap": b"x" * 10000 + os.urandom(5000)}))
        z[400] ^= 0xff
        self.refused(bytes(z), BAD)

    def test_dot_dot(self):
        for name in ("../evil", "a/../../evil", "..", "a/b/../../../x"):
            self.refused(raw_zip([(name, b"x", FILE)]), BAD)

    def test_absolute_paths(self):
        self.refused(raw_zip([("/etc/evil", b"x", FILE)]), BAD)

    def test_links(self):
        """They lead where they like, as seen by the function; nothing of the archive goes through one."""
        links = [("abs", "/opt/lib"), ("tmp", "/tmp/data"), ("up", "../../../etc/hostname"), ("dangling", "nowhere"), ("loop", "loop"), ("d/passwd", "/etc/passwd"), ("root", "/")]
        name = self.function(zip_bytes=raw_zip([("bootstrap", native(), 0o100755)] + [(n, t.encode(), LINK) for n, t in links]))
        tree = self.tree_of(name)
        self.assertEqual({n: os.readlink(os.path.join(tree, n)) for n, _ in links}, dict(links))
        self.assertIn("root", self.d.do(name, "file", path="/var/task/d/passwd")["text"])
        self.assertNotIn("error", self.d.do(name, "list", path="/var/task"))
        with tempfile.TemporaryDirectory(dir="/var/tmp") as outside:
            os.chmod(outside, 0o777)
            for target in (outside, "..", "../../..", "/tmp", "real"):
                for below in ("d/evil", "d/", "d/x/evil"):
                    zip_bytes = raw_zip([("real/a", b"", FILE), ("d", target.encode(), LINK), (below, b"x", FILE if below[-1] != "/" else 0o040755)])
                    if below == "d/":  # the last one counts
                        name = self.function(name="u-way", zip_bytes=zip_bytes)
                        self.assertTrue(os.path.isdir(os.path.join(self.tree_of(name), "d")) and not os.path.islink(os.path.join(self.tree_of(name), "d")))
                    else:
                        self.refused(zip_bytes, BAD, why="lies below something that is no directory")
            self.assertEqual(os.listdir(outside), [])

    def test_links_inside_are_fine(self):
        name = self.function(zip_bytes=raw_zip([("real", native(), 0o100755), ("bootstrap", b"real", LINK)]))
        self.assertEqual(self.d.invoke(name, {"a": 1}).json, {"a": 1})

    def test_devices(self):
        for mode in (0o060644, 0o020644, 0o140644):
            with self.subTest(mode=oct(mode)):
                self.refused(raw_zip([("x", b"", mode)]), BAD)

    def test_set_id_bits_are_dropped(self):
        name = self.function(zip_bytes=raw_zip([("bootstrap", native(), 0o107755), ("su", b"x", 0o104755), ("sg", b"x", 0o102644), ("d/", b"", 0o043777)]))
        self.assertEqual({n: oct(os.stat(os.path.join(self.tree_of(name), n)).st_mode & 0o7777) for n in ("bootstrap", "su", "sg", "d")},
                         {"bootstrap": "0o755", "su": "0o755", "sg": "0o644", "d": "0o755"})
        self.assertEqual(self.d.invoke(name, {"a": 1}).json, {"a": 1})

    def test_duplicates(self):
        """The last one counts."""
        dir_ = 0o040755
        name = self.function(zip_bytes=raw_zip([
            ("bootstrap", b"#!/bin/sh\nexit 1\n", 0o100644), ("bootstrap", native(), 0o100755), ("a", b"long text", FILE), ("./a", b"2", FILE), ("link", b"/etc/passwd", LINK),
            ("link", b"no link", FILE), ("file", b"x", FILE), ("file", b"/opt", LINK), ("now-dir", b"x", FILE), ("now-dir/", b"", dir_), ("now-dir/in", b"x", FILE),
            ("now-file/", b"", dir_), ("now-file", b"y", FILE), ("twice/", b"", dir_), ("twice/", b"", dir_)]))
        tree = self.tree_of(name)
        read = lambda n: open(os.path.join(tree, n)).read()
        self.assertEqual((read("a"), read("link"), os.readlink(os.path.join(tree, "file")), read("now-dir/in"), read("now-file")), ("2", "no link", "/opt", "x", "y"))
        self.assertFalse(os.path.islink(os.path.join(tree, "link")))
        self.assertEqual(self.d.invoke(name, {"a": 1}).json, {"a": 1})
        self.refused(raw_zip([("a", b"1", FILE), ("a/b", b"2", FILE)]), BAD)
        self.refused(raw_zip([("a/b", b"1", FILE), ("a", b"2", FILE)]), BAD)

    def test_names(self):
        names = ["Icon\r", "a b", "new\nline", "\x1b[31m", "-rf", "u\u00fc"]
        name = self.function(zip_bytes=raw_zip([("bootstrap", native(), 0o100755)] + [(n, b"x", FILE) for n in names]))
        self.assertLessEqual({n.encode() for n in names}, set(os.listdir(self.tree_of(name).encode())))
        self.refused(raw_zip([("a/../\x1b[31m", b"x", FILE)]), BAD, why="../?[31m: a path that climbs")

    def test_names_that_nothing_can_have(self):
        for name in ("n" * 256, "n" * 60000, "\u00fc" * 150, "/".join(["n" * 250] * 20), "d/" * 300 + "f", "\0x", ""):
            self.refused(raw_zip([(name, b"x", FILE)]), BAD)
        utf8 = raw_zip([("u\u00fcu", b"x", FILE)])
        self.refused(utf8.replace("\u00fc".encode(), b"\xff\xfe"), BAD, why="an entry without a name")
        for target in (b"t" * 4096, b"t" * 60000, b""):
            self.refused(raw_zip([("link", target, LINK)]), BAD)
        name = self.function(zip_bytes=raw_zip([("bootstrap", native(), 0o100755), ("n" * 255, b"x", FILE), ("d/" * 255 + "f", b"x", FILE), ("/".join(["m" * 255] * 15), b"x", FILE)]))
        self.assertEqual(self.d.invoke(name, {"a": 1}).json, {"a": 1})

    def test_size_is_the_only_limit(self):
        """Not how well it packs: 100 MB of zeros are a package."""
        z = make_zip({"bootstrap": native(), "zero": b"\0" * (100 << 20)})
        name = self.function(zip_bytes=z)
        self.assertEqual(self.d.invoke(name, {"a": 1}).json, {"a": 1})
        big = "Unzipped size must be smaller than 262144000 bytes"
        self.refused(make_zip({"a": b"\0" * 262144001}), big)
        self.refused(make_zip({"a": b"\0" * (131 << 20), "b": b"\0" * (131 << 20)}), big)

    def test_a_lie_about_its_size(self):
        z = bytearray(make_zip({"zero": b"\0" * (10 << 20)}))
        central = z.index(b"PK\x01\x02")
        for at in (22, central + 24):
            z[at:at + 4] = struct.pack("<I", 100)
        self.refused(bytes(z), BAD)

    def test_kinds_of_zip(self):
        plain = make_zip({"bootstrap": native()})
        programs = {"before": b"#!/bin/sh\nexec unzip $0\n" + plain, "comment": plain[:-2] + struct.pack("<H", 5) + b"hello"}
        for method, kind in ((zipfile.ZIP_STORED, "stored"), (zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "lzma")):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w", method) as z:
                info = zipfile.ZipInfo("bootstrap", (2023, 1, 1, 0, 0, 0))
                info.external_attr, info.compress_type = 0o100755 << 16, method
                with z.open(info, "w", force_zip64=True) as f:
                    f.write(native())
            programs[kind] = out.getvalue()
        for kind, z in programs.items():
            with self.subTest(kind=kind):
                name = self.function(name="u-kind", zip_bytes=z)
                self.assertEqual(self.d.invoke(name, {"a": 1}).json, {"a": 1})

    def test_too_many_entries(self):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
            for i in range(100001):
                z.writestr(f"{i}", b"")
        self.refused(out.getvalue(), "fnd unpacks at most 100000 files of a package")

    def test_encrypted(self):
        z = bytearray(make_zip({"a": b"secret content"}))
        z[6] |= 1  # the flag in the local header
        central = bytes(z).index(b"PK\x01\x02")
        z[central + 8] |= 1
        self.refused(bytes(z), BAD)

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
        wait_until("tree and blob are gone", lambda: here() == (False, False))

    def test_code_stays_while_an_old_environment_runs(self):
        z = lambda n: make_zip({"f.py": f"import time\ndef handler(e, c):\n    time.sleep(2)\n    import late\n    return late.n\n", "late.py": f"n = {n}\n"})
        name = self.function(zip_bytes=z(1), runtime="python3.11", handler="f.handler", Timeout=10)
        self.d.settled(name)
        out = []
        t = threading.Thread(target=lambda: out.append(self.d.invoke(name, {})))
        t.start()
        self.d.under_way(name)
        r = self.d.request("PUT", f"/2015-03-31/functions/{name}/code", {"ZipFile": base64.b64encode(z(2)).decode()})
        self.assertEqual(r.status, 200)
        self.d.settled(name)
        t.join()
        self.assertEqual(out[0].json, 1)
        self.assertEqual(self.d.invoke(name, {}).json, 2)

    def test_no_start_waits_for_a_removal(self):
        name = self.function()
        often(lambda: self.is_removed(name))  # on a busy machine it may be over before

    def is_removed(self, name):
        self.d.configure(name, Description=f"{random.random()}")  # it starts cold
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
        wait_until("it is over", lambda: self.trees() <= before)


class Larger(unittest.TestCase):
    """Than what Lambda takes in a request: here no S3 need be."""

    @classmethod
    def setUpClass(cls):
        cls.d = Daemon({"package_max_mb": 60}, images=BASIC).start()
        cls.addClassCleanup(cls.d.remove)
        cls.more = os.urandom(55 << 20)

    def test_a_package(self):
        z = make_zip({"bootstrap": native(), "more": self.more})
        self.d.create("f", z)
        self.assertEqual(self.d.request("GET", "/2015-03-31/functions/f/configuration").json["CodeSize"], len(z))
        self.assertEqual(self.d.invoke("f", {"x": 1}).json, {"x": 1})
        self.assertEqual(boto(self.d).get_account_settings()["AccountLimit"]["CodeSizeZipped"], 60 << 20)
        r = self.d.create("g", os.urandom((60 << 20) + 1), expect=None)
        self.assertEqual((r.status, r.json["message"]), (413, "Zipped size must be smaller than 62914560 bytes"))
        c = boto(self.d)
        with self.assertRaisesRegex(c.exceptions.ClientError, "Request must be smaller than 84148224 bytes for the CreateFunction operation"):
            c.create_function(FunctionName="g", Runtime="provided.al2023", Handler="x", Role=ROLE, Code={"ZipFile": os.urandom(62 << 20)})

    def test_a_layer_of_another_account(self):
        """It came from S3 where it was made: 250 MB, whatever package_max_mb says."""
        arn = "arn:aws:lambda:us-east-1:764866452798:layer:chrome-aws-lambda:50"
        with tempfile.TemporaryDirectory(dir="/var/tmp") as t:
            for name, size in (("fits", 80), ("not", 251)):
                with zipfile.ZipFile(os.path.join(t, name + ".zip"), "w") as z:  # stored
                    z.writestr("lib/x", self.more[:1 << 20] * size)
            r = self.d.fnctl("layer", "import", arn, os.path.join(t, "fits.zip"))
            self.assertEqual(r.returncode, 0, r.stderr)
            r = self.d.fnctl("layer", "import", arn, os.path.join(t, "not.zip"))
            self.assertNotEqual(r.returncode, 0)
            self.assertIn("Request must be smaller than 349787477 bytes for the _ImportLayer operation", r.stderr)
        self.d.create("with-layer", native_zip(), Layers=[arn])
        self.assertIn("x", self.d.do("with-layer", "list", path="/opt/lib"))


if __name__ == "__main__":
    unittest.main()
