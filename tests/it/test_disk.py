"""What is on the disk: every tree and package has a row, what a killed process leaves goes, and the budget holds."""
import sqlite3
from harness import *


def package(n, mb=1):
    """Another one for each n; its bytes do not pack."""
    return make_zip({"bootstrap": open(os.path.join(BUILD, "fixtures/bootstrap"), "rb").read(), "n": random.Random(n).randbytes(int(mb * (1 << 20)))},
                    {"bootstrap": 0o755})


class Disk(Case):
    config = {}

    @classmethod
    def setUpClass(cls):
        cls.d = Daemon(cls.config)
        cls.addClassCleanup(cls.d.remove)
        cls.d.start()

    def disk(self, check=False):
        r = self.d.request("GET", "/_fnd/disk" + ("?check=1" if check else ""))
        self.assertEqual(r.status, 200, r)
        return r.json

    def rows(self, kind=None):
        return {i["Name"]: i for i in self.disk()["Items"] if kind in (None, i["Kind"])}

    def there(self):
        """Names of what is on the disk, as the registry names it; unfinished ones as they are called."""
        trees = [os.path.basename(t) for t in glob.glob(os.path.join(self.d.state, "roots/*")) + glob.glob(os.path.join(self.d.state, "roots/.tmp*"))]
        blobs = os.listdir(os.path.join(self.d.state, "blobs"))
        return set(trees) | {"blob-" + b[:-4] if b.endswith(".zip") else b for b in blobs}

    def disagreement(self):
        d = self.disk(check=True)
        rows, there = {i["Name"] for i in d["Items"]}, self.there()
        return {"rows alone": sorted(rows - there), "there alone": sorted(there - rows), "faults": d["Faults"], "not ready, or nobody's": [i for i in d["Items"] if i["State"] != "ready" or not i["Owners"]]}

    def agree(self):
        wait_until(lambda: f"rows and disk agree: {self.disagreement()}", lambda: not any(self.disagreement().values()))

    def sha(self, name):
        return base64.b64decode(self.d.request("GET", f"/2015-03-31/functions/{name}/configuration").json["CodeSha256"]).hex()


class Registry(Disk):
    def test_deleted_in_the_midst_of_an_update(self):
        """What served until then goes, too."""
        self.d.create("a", package(1))
        self.d.settled("a")
        r = self.d.request("PUT", "/2015-03-31/functions/a/code", {"ZipFile": base64.b64encode(package(2)).decode()})
        self.assertEqual((r.status, r.json["LastUpdateStatus"]), (200, "InProgress"), r)
        self.d.delete("a")
        wait_until("both are gone", lambda: not self.rows("code") and not self.rows("package"))
        self.agree()

    def test_what_holds_space_and_for_whom(self):
        self.d.create("a", package(1))
        self.d.create("b", package(1))  # the same
        self.d.create("c", package(2), Publish=True)
        self.d.settled("c")
        code = self.rows("code")
        one, two = code["code-" + self.sha("a")], code["code-" + self.sha("c")]
        self.assertEqual(sorted(one["Owners"]), ["a:$LATEST", "b:$LATEST"])
        self.assertEqual(sorted(two["Owners"]), ["c:$LATEST", "c:1"])
        size = os.path.getsize(os.path.join(BUILD, "fixtures/bootstrap")) + (1 << 20)
        self.assertEqual((one["Bytes"], one["State"]), (size, "ready"))
        blob = self.rows("package")["blob-" + self.sha("a")]
        self.assertEqual(blob["Bytes"], self.d.request("GET", "/2015-03-31/functions/a/configuration").json["CodeSize"])
        layers = self.rows("image")
        self.assertIn(["python3.11"], [i["Owners"] for i in layers.values()])
        self.assertTrue(all(i["Bytes"] > 0 for i in layers.values()), layers)
        self.assertEqual(self.disk()["Bytes"], sum(i["Bytes"] for i in self.rows().values()))
        self.agree()
        # one that comes a second time has its size all the same
        self.d.delete("a")
        self.d.delete("b")
        wait_until("it has gone", lambda: one["Name"] not in self.rows() and one["Name"] not in self.there())
        for name in ("a", "b"):
            self.d.create(name, package(1))
        self.assertEqual(self.rows("code")[one["Name"]]["Bytes"], size)
        self.agree()
        for name in "abc":
            self.d.delete(name)
        wait_until("all have gone", lambda: not self.rows("code") and not self.rows("package"))
        self.agree()

    def test_fnctl(self):
        env = dict(os.environ, FNCTL_ENDPOINT=self.d.endpoint)
        fnctl = lambda *a: subprocess.run([os.path.join(BUILD, "fnctl"), "disk", *a], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.d.create("for-fnctl", package(3))
        self.addCleanup(self.d.delete, "for-fnctl")
        self.d.settled("for-fnctl")
        self.agree()
        r = fnctl()
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertRegex(r.stdout, r"(?m)^ +1\.\d +code +ready +for-fnctl:\$LATEST +code-" + self.sha("for-fnctl"))
        self.assertRegex(r.stdout, r"(?m)^[0-9.]+ MB in all$")
        self.assertEqual(json.loads(fnctl("--output", "json").stdout)["Items"][0]["Kind"], "image")
        r = fnctl("--check")
        self.assertEqual((r.returncode, r.stdout.splitlines()[-1].split(", ")[1]), (0, "0 that do not agree with the registry"), r.stdout)
        stray = os.path.join(self.d.state, "roots", "code-" + "0" * 64)
        blob = os.path.join(self.d.state, "blobs", self.sha("for-fnctl") + ".zip")
        os.mkdir(stray)
        self.addCleanup(os.rmdir, stray)
        os.rename(blob, blob + "x")
        r = fnctl("--check")
        os.rename(blob + "x", blob)
        self.assertEqual(r.returncode, 1, r.stdout)
        self.assertIn("code-" + "0" * 64 + " has no row", r.stdout)
        self.assertIn("blob-" + self.sha("for-fnctl") + " is not there", r.stdout)
        self.assertEqual(fnctl("more").returncode, 2)

    def test_a_package_that_is_refused_leaves_nothing(self):
        before = self.there()
        self.assertEqual(self.d.create("bad", b"no zip", expect=None).status, 400)
        wait_until("it has gone", lambda: self.there() == before)
        self.agree()


class Older(Disk):
    def test_a_state_directory_without_registry(self):
        """As fnd left it before there was one (schema 4): what functions and images have gets rows, with sizes; the rest goes."""
        self.d.create("f", package(1), Publish=True)
        self.d.create("g", package(2))
        self.d.settled("f")
        self.d.settled("g")
        self.agree()
        before = self.rows()
        self.d.stop()
        with contextlib.closing(sqlite3.connect(os.path.join(self.d.state, "db/fnd.db"))) as db:
            since = db.execute("SELECT name FROM sqlite_schema WHERE type='table' AND name NOT IN ('functions', 'counters', 'published', 'aliases', 'reserved', 'provisioned', 'sqlite_sequence')")
            db.executescript("; ".join(f"DROP TABLE {name}" for name, in since.fetchall()))
            db.executescript("""CREATE TABLE snapshots(tree TEXT PRIMARY KEY) WITHOUT ROWID; PRAGMA user_version=4;
                                UPDATE functions SET config=json_remove(config, '$.unpacked_size') WHERE name='g';""")
        os.makedirs(os.path.join(self.d.state, "roots/img-" + "2" * 64))
        open(os.path.join(self.d.state, "blobs", "4" * 64 + ".zip"), "w").close()
        self.d.start()
        wait_until("the same rows", lambda: self.rows() == before)
        self.agree()
        for f in ("f", "g"):
            self.assertEqual(self.d.invoke(f, {"do": "echo"}).status, 200)
            self.d.delete(f)


class Budget(Disk):
    def test_beyond_it(self):
        empty = self.there()
        self.d.create("in", package(1, 3))
        self.d.settled("in")
        budget = (self.disk()["Bytes"] >> 20) + 3
        self.d.stop()
        self.d.set_config({"disk_budget_mb": budget})
        self.d.start()
        self.assertEqual(self.disk()["BudgetBytes"], budget << 20)
        before = self.there()
        for what in (lambda z: self.d.create("out", z, expect=None), lambda z: self.d.request(
                "PUT", "/2015-03-31/functions/in/code", {"ZipFile": base64.b64encode(z).decode()})):
            for mb in (6, 2):  # the package does not fit; it does, but not with what comes out of it
                r = what(package(mb, mb))
                self.assertEqual((r.status, r.error_type, r.json["message"]), (400, "CodeStorageExceededException", "Code storage limit exceeded."), r)
        self.assertEqual(self.d.request("GET", "/2015-03-31/functions/out").status, 404)
        wait_until("nothing is left of them", lambda: self.there() == before)
        # all else goes on
        self.assertEqual(self.d.invoke("in", {"do": "echo"}).status, 200)
        self.d.configure("in", Description="x")
        self.d.settled("in")
        self.assertEqual(self.d.request("POST", "/2015-03-31/functions/in/versions", {}).status, 201)
        self.d.create("same", package(1, 3))  # what is there already takes no more
        self.d.settled("same")
        self.d.delete("in")
        self.d.delete("same")
        wait_until("what was theirs is gone", lambda: self.there() == empty)
        self.d.create("small", package(4, 0.2))
        self.agree()


class Left(Disk):
    def test_left_by_hand(self):
        """Trees, packages and halves of them that no row knows of go at the next start; a row whose tree was being made, with it."""
        self.d.create("stays", package(1))
        self.d.settled("stays")
        self.d.stop(signal.SIGKILL)
        self.d.killed = True
        wait_until("what was below it has ended", lambda: not [x for x in self.d.leftovers() if x.startswith("process")])
        self.d.killed = False
        for t in ("roots/code-" + "1" * 64, "roots/img-" + "2" * 64, "roots/snap-" + "3" * 64, "roots/.tmp-7"):
            os.makedirs(os.path.join(self.d.state, t, "var/task"))
        for b in ("4" * 64 + ".zip", "x.tmp123", ".upload-1"):
            open(os.path.join(self.d.state, "blobs", b), "w").close()
        with sqlite3.connect(os.path.join(self.d.state, "db/fnd.db")) as db:
            for name, state in (("code-" + "1" * 64, "making"), ("blob-" + "5" * 64, "making"), ("code-" + "6" * 64, "removing"), ("snap-" + "7" * 64, "ready")):
                db.execute("INSERT INTO trees(name, state, bytes) VALUES(?, ?, 5)", (name, state))
        db.close()
        self.d.start()
        self.agree()
        self.assertEqual(self.d.invoke("stays", {"do": "echo"}).status, 200)
        self.d.delete("stays")


class Installing(Disk):
    def test_an_image_whose_unpacking_dies(self):
        """Nothing of it is left, no row either, and the next scan brings it."""
        state = tempfile.mkdtemp(prefix="fnd-test-", dir=os.environ.get("FND_TEST_DIR", "/var/tmp"))  # one's own, for nothing is linked to it
        d = self.d = Daemon(images=BASIC, state=state)
        d.own_state = True  # it goes with it
        self.addCleanup(d.remove)
        d.start(wait=False)
        killed = set()

        def through():
            """Each one is killed: of what all images have the next image tries again."""
            for p in descendants(d.process.pid):
                if comm(p) == "fn-unpack":
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(p, signal.SIGKILL)
                        killed.add(p)
            return killed and d.is_ready() and not any(i["Installing"] for i in d.request("GET", "/_fnd/images").json["Images"])
        wait_until(lambda: f"all were tried: {d.log()}", through)
        self.assertIn("images:", d.log())
        self.agree()
        self.assertEqual(self.rows("image"), {})
        self.assertEqual(d.fnctl("images", "rescan").returncode, 0)
        d.images_installed()
        self.agree()
        d.create("native")
        d.create_python("python", "def handler(event, context):\n    return 1\n")
        self.assertEqual([d.invoke("native", {"do": "echo"}).status, d.invoke("python", {}).body], [200, b"1"])


class Full(Case):
    """Whoever fills the disk does not keep fnd from starting: there is room that was kept back for its database."""

    @classmethod
    def setUpClass(cls):
        cls.disk = tempfile.mkdtemp(prefix="fnd-test-full-", dir="/var/tmp")
        cls.addClassCleanup(os.rmdir, cls.disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=0755", "fnd-test", cls.disk], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", cls.disk], check=True)
        os.mkdir(cls.disk + "/state", 0o755)
        cls.d = Daemon({"tmp": {"mode": "tmpfs"}}, state=cls.disk + "/state", images=False)
        cls.addClassCleanup(cls.d.remove)
        cls.d.start()

    def fill(self):
        with contextlib.suppress(OSError), open(self.disk + "/filler", "ab", buffering=0) as f:
            while True:
                f.write(bytes(4096))

    def test_it_starts(self):
        self.fill()
        os.kill(self.d.pids()["worker"][0], signal.SIGKILL)
        wait_until("the worker is there again", lambda: "kept back" in self.d.log() and self.d.is_ready())
        self.assertEqual(self.d.request("GET", "/2015-03-31/functions").json["Functions"], [])
        self.d.stop()
        os.unlink(self.disk + "/filler")
        self.d.start()
        self.assertTrue(os.path.exists(self.disk + "/state/db/fnd.db-reserve"))
