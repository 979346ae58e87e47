"""Runtimes are installed and removed one by one: `fnctl runtime`."""
import json, unittest
from harness import *

RUNTIME = next((r for r in ("ruby3.3", "ruby3.4", "nodejs22.x") if os.path.exists(os.path.join(IMAGES, r + ".json"))), None)
SOURCES = {"r": ("f.rb", "def handler(event:, context:) = 'here'\n", "f.handler"), "n": ("index.js", "exports.handler = async () => 'here';\n", "index.handler")}


class Runtimes(Case):
    def row(self, d, name):
        r = d.fnctl("--output", "json", "runtime", "list")
        return {x["Runtime"]: x for x in json.loads(r.stdout)["Runtimes"]}[name]

    def test_list(self):
        with open(os.path.join(TOP, "config/runtimes.json")) as f:
            known = json.load(f)
        r = self.d.fnctl("--output", "json", "runtime", "list")
        rows = {x["Runtime"]: x for x in json.loads(r.stdout)["Runtimes"]}
        self.assertEqual(set(rows), set(known))
        p = rows["python3.11"]
        self.assertEqual((p["Installed"], p["Version"][:5], p["Source"], p["SnapStart"], p["StartedAhead"]), (True, "3.11.", "Debian 12 (bookworm)", True, True), p)
        self.assertGreater(p["OwnBytes"], 50 << 20)
        self.assertGreater(p["SharedBytes"], 40 << 20)
        self.assertRegex(p["RuntimeVersionArn"], r"^arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}$")
        table = self.d.fnctl("runtime", "list").stdout
        self.assertRegex(table, r"python3\.11 +yes +3\.11\.\d+ +\d+ +\d+ +\d+ +Debian 12 \(bookworm\)")

    def test_what_is_not_installed_says_how_to_get_it(self):
        r = self.d.create("t-not-there", make_zip({"f.rb": ""}), runtime="ruby3.2", handler="f.h", expect=None)
        self.assertEqual((r.status, r.error_type), (400, "InvalidParameterValueException"))
        self.assertIn("no recipe makes its image: `fnctl runtime add ruby3.2 --image REFERENCE` makes it of a container image", r.json["message"])
        r = self.d.create("t-not-there", make_zip({"f.rb": ""}), runtime="go1.x", handler="main", expect=None)
        self.assertTrue(r.json["message"].startswith("The runtime parameter of go1.x is no longer supported for creating or updating AWS Lambda functions."), r)
        r = self.d.fnctl("runtime", "add", "python2.0")
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("There is no runtime python2.0", r.stderr)

    def test_who_wants_one_waits_for_that_one_alone(self):
        """An fnd with nothing but its bundles serves at once; what is killed meanwhile is made up for."""
        d = Daemon(images=False)
        self.addCleanup(d.remove)
        d.images = IMAGES
        d.start()
        coming = lambda: [i["Name"] for i in d.request("GET", "/_fnd/images").json["Images"] if i["Installing"]]
        self.assertIn("python3.11", coming())
        self.assertIn("being installed", d.fnctl("runtime", "list").stdout)
        d.create("waits", make_zip({"f.py": "def handler(e, c): return 1\n"}), runtime="python3.11", handler="f.handler")
        self.assertEqual(d.invoke("waits", {}).json, 1)
        self.assertNotIn("python3.11", coming())
        self.assertGreater(len(coming()), 0, "nobody waits for the others")
        d.kill_9("supervisor", "worker", "spawnd")
        d.start()  # what its function has is there
        self.assertEqual(d.invoke("waits", {}).json, 1)
        self.assertGreater(len(coming()), 0)
        self.assertEqual(d.stop(), 0, "in the midst of it")
        d.start()
        d.images_installed()
        self.assertEqual(d.fnctl("disk", "--check").returncode, 0)

    def test_deprecated_ones_may_be_refused(self):
        d = self.daemon({"deprecated_runtimes": "refuse"})
        r = d.create("old", make_zip({"f.py": ""}), runtime="python3.9", handler="f.h", expect=None)
        self.assertEqual((r.status, r.error_type), (400, "InvalidParameterValueException"))
        self.assertTrue(r.json["message"].startswith("The runtime parameter of python3.9 is no longer supported"), r)
        d.create("new")

    @unittest.skipUnless(RUNTIME, "no image of ruby3.3, ruby3.4 or nodejs22.x is built")
    def test_one_is_removed_and_added(self):
        file, source, handler = SOURCES[RUNTIME[0]]
        d = self.daemon()
        create = lambda name: d.create(name, make_zip({file: source}), runtime=RUNTIME, handler=handler, expect=None)
        create("one")
        self.assertEqual(d.invoke("one", {}).json, "here")
        layer = os.path.join(d.state, "roots", "img-" + json.load(open(os.path.join(IMAGES, RUNTIME + ".json")))["layers"][0]["sha256"])
        self.assertTrue(os.path.isdir(layer))
        r = d.fnctl("runtime", "remove", RUNTIME)
        self.assertEqual(r.returncode, 3, r)
        self.assertIn("one:$LATEST", r.stderr)
        self.assertEqual(self.row(d, RUNTIME)["Functions"], 1)
        d.delete("one")
        self.assertEqual(d.fnctl("runtime", "remove", RUNTIME).returncode, 0)
        wait_until("the image's own layer is gone", lambda: not os.path.exists(layer))
        self.assertTrue(any(n.startswith("img-") for n in os.listdir(os.path.join(d.state, "roots"))), "what others share stays")
        for again in range(2):
            self.assertFalse(self.row(d, RUNTIME)["Installed"])
            r = create("two")
            self.assertEqual((r.status, r.error_type), (400, "InvalidParameterValueException"))
            self.assertIn(f"`make images IMAGES={RUNTIME}` builds its image, `fnctl runtime add {RUNTIME}` installs it", r.json["message"])
            if not again:
                d.fnctl("images", "rescan")  # does not bring it back, nor does a start
                d.stop()
                d.start()
        self.assertEqual(d.fnctl("runtime", "add", RUNTIME).returncode, 0)
        self.assertTrue(self.row(d, RUNTIME)["Installed"])
        self.assertEqual(create("two").status, 201)
        self.assertEqual(d.invoke("two", {}).json, "here")

    def test_two_of_one_image_come_and_go_together(self):
        d = self.daemon()
        r = d.fnctl("runtime", "remove", "provided.al2")
        self.assertEqual((r.returncode, r.stdout), (0, "provided.al2023 is removed with provided.al2: their image is one.\n"), r)
        self.assertIn("`fnctl runtime list` shows which are", d.fnctl("runtime", "remove", "provided.al2023").stderr)
        r = d.fnctl("runtime", "add", "provided.al2023")
        self.assertEqual((r.returncode, r.stdout), (0, "provided.al2 is added with provided.al2023: their image is one.\n"), r)
        self.assertTrue(self.row(d, "provided.al2")["Installed"])


class Management(Case):
    """GetRuntimeManagementConfig, PutRuntimeManagementConfig: an image's update, and the way back."""
    SOURCE = "import time\ndef handler(e, c):\n    time.sleep(e.get('s', 0))\n    return open('/etc/which').read()\n"

    def bundle(self, directory, which, at=0):
        """python3.11's, with a layer on it, or in another place, that has /etc/which."""
        import tarfile
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            info = tarfile.TarInfo("etc/which")
            info.size = len(which)
            tar.addfile(info, io.BytesIO(which.encode()))
        sha = hashlib.sha256(data.getvalue()).hexdigest()
        with open(os.path.join(directory, sha + ".tar"), "wb") as f:
            f.write(data.getvalue())
        with open(os.path.join(IMAGES, "python3.11.json")) as f:
            m = json.load(f)
        for l in m["layers"]:
            if not os.path.exists(os.path.join(directory, l["file"])):
                os.symlink(os.path.join(IMAGES, l["file"]), os.path.join(directory, l["file"]))
        m["layers"].insert(at, {"sha256": sha, "file": sha + ".tar", "size": len(data.getvalue())})
        with open(os.path.join(directory, "python3.11.json"), "w") as f:
            json.dump(m, f)

    def with_functions(self, *names, **more):
        """(directory of images, a daemon that has them)."""
        images = tempfile.mkdtemp(dir=os.environ.get("FND_TEST_DIR"))
        os.chmod(images, 0o755)
        self.addCleanup(shutil.rmtree, images)
        self.bundle(images, "1", **more)
        d = self.daemon(start=False)
        d.images = images
        d.start()
        for name in names:
            d.create(name, make_zip({"f.py": self.SOURCE}), runtime="python3.11", handler="f.handler", Timeout=30)
            d.settled(name)
        return images, d

    def test_an_update_of_a_layer_below(self):
        """The uppermost one stays what it is, as with an update of Debian's C library."""
        images, d = self.with_functions("auto", "update", at=9)
        self.assertEqual(d.request("PUT", "/2021-07-20/functions/update/runtime-management-config", {"UpdateRuntimeOn": "FunctionUpdate"}).status, 200)
        self.bundle(images, "2", at=9)
        self.assertEqual(d.request("POST", "/_fnd/images/rescan").status, 200)
        self.assertEqual([d.invoke(name, {}).json for name in ("auto", "update")], ["2", "1"])
        self.bundle(images, "3", at=9)
        self.assertEqual(d.request("POST", "/_fnd/images/rescan").status, 200)
        self.assertEqual([d.invoke(name, {}).json for name in ("auto", "update")], ["3", "1"])
        d.stop()
        d.start()
        self.assertEqual([d.invoke(name, {}).json for name in ("auto", "update")], ["3", "1"])

    def test_an_update_and_the_way_back(self):
        images, d = self.with_functions("auto", "manual", "update")
        which = lambda name, **event: d.invoke(name, event).json
        arn_of = lambda name: d.request("GET", f"/2015-03-31/functions/{name}/configuration").json["RuntimeVersionConfig"]["RuntimeVersionArn"]
        config = lambda name: f"/2021-07-20/functions/{name}/runtime-management-config"
        put = lambda name, mode, **more: d.request("PUT", config(name), {"UpdateRuntimeOn": mode, **more})
        arn = arn_of("auto")
        self.assertEqual(d.request("GET", config("auto")).json, {"UpdateRuntimeOn": "Auto", "RuntimeVersionArn": None, "FunctionArn": ARN + "auto:$LATEST"})
        self.assertEqual(put("manual", "Manual", RuntimeVersionArn=arn).json, {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": arn, "FunctionArn": ARN + "manual:$LATEST"})
        self.assertEqual(put("update", "FunctionUpdate").status, 200)
        for wrong in ({"mode": "Manual"}, {"mode": "Auto", "RuntimeVersionArn": arn}, {"mode": "Manual", "RuntimeVersionArn": arn[:-4] + "0000"}):
            r = put("auto", **wrong)
            self.assertEqual((r.status, r.error_type), (400, "InvalidParameterValueException"), r)
        self.assertEqual([which(n) for n in ("auto", "manual", "update")], ["1"] * 3)
        under_way, slow = [], threading.Thread(target=lambda: under_way.append(which("auto", s=3)))
        slow.start()
        wait_until("the slow one runs", lambda: "START" in d.request("GET", "/_fnd/logs/auto?cursor=0").json["Text"].rpartition("REPORT")[2])
        self.bundle(images, "2")
        self.assertEqual(d.request("POST", "/_fnd/images/rescan").status, 200)
        self.assertEqual([which(n) for n in ("auto", "manual", "update")], ["2", "1", "1"])
        slow.join()
        self.assertEqual(under_way, ["1"], "what ran ended as it had begun")
        self.assertEqual([which("auto") for _ in range(3)], ["2"] * 3)
        self.assertNotEqual(arn_of("auto"), arn)
        self.assertEqual(arn_of("manual"), arn)
        d.configure("update", Description="changed")
        self.assertEqual(which("update"), "2")
        self.assertEqual(put("auto", "Manual", RuntimeVersionArn=arn).status, 200)  # the way back
        self.assertEqual(which("auto"), "1")
        d.stop()
        d.start()
        self.assertEqual([which(n) for n in ("auto", "manual", "update")], ["1", "1", "2"])
        for name in ("auto", "manual"):
            self.assertEqual(put(name, "Auto").status, 200)
            self.assertEqual(which(name), "2")


if __name__ == "__main__":
    main()
