"""Functions of container images (PackageType Image): from archives without a registry, and from docker-registry on loopback; what they are started with; whiteouts; what is
shared, and goes."""
import gzip, shutil, subprocess
import ociimages
from ociimages import Image, Registry, TokenIssuer, native, sha256, tar
from servers import certificate
from harness import *


class ContainerCase(Case):
    def setUp(self):
        self.dir = f"/var/tmp/fnd-test-files-{random.getrandbits(64):x}"  # not mkdtemp(): to buildah a path is a reference, in which no part ends with _
        os.mkdir(self.dir, 0o700)
        self.addCleanup(shutil.rmtree, self.dir)

    def fnctl(self, d, *args, expect=0):
        r = d.fnctl(*args)
        self.assertEqual(r.returncode, expect, r.stdout + r.stderr)
        return r.stdout + r.stderr

    def bring(self, d, image, name):
        path = image.archive(os.path.join(self.dir, f"{name}.tar"))
        self.fnctl(d, "images", "import", path, "--as", name)

    def post(self, d, name, uri, expect=201, **more):
        body = {"FunctionName": name, "PackageType": "Image", "Role": ROLE, "Code": {"ImageUri": uri}, "MemorySize": 512, "Timeout": 10, **more}
        r = d.request("POST", "/2015-03-31/functions", body)
        self.assertEqual(r.status, expect, r.body)
        return r

    def container(self, d, name, uri, state="Active", **more):
        self.post(d, name, uri, **more)
        return self.state(d, name, state)

    def get(self, d, name):
        return d.request("GET", f"/2015-03-31/functions/{name}").json

    def state(self, d, name, state):
        wait_until(lambda: f"{name} is {state}: {self.get(d, name)}\n{d.log()[-2000:]}", lambda: self.get(d, name)["Configuration"]["State"] == state)
        return self.get(d, name)["Configuration"]

    def trees(self, d):
        return {n for n in os.listdir(os.path.join(d.state, "roots")) if n.startswith(("oci-", "root-"))}

    def root(self, d, name):
        """The one tree of a function's image."""
        f = self.get(d, name)["Configuration"]
        rows = json.loads(d.fnctl("disk", "--output", "json").stdout)["Items"]
        found = [r["Name"] for r in rows if r["Name"].startswith("root-") and f"{name}:$LATEST" in r["Owners"]]
        self.assertEqual(len(found), 1, (f, rows))
        return os.path.join(d.state, "roots", found[0])


class Local(ContainerCase):
    """No registry is there."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.d = shared()

    def test_oci_archive(self):
        d, image = self.d, native()
        self.bring(d, image, "hello")
        self.assertIn(image.digest[7:], self.fnctl(d, "images", "local"))
        self.container(d, "archive", "hello", Description="x")
        got = self.get(d, "archive")
        self.assertEqual(got["Code"], {"ImageUri": "hello", "RepositoryType": "ECR", "ResolvedImageUri": f"hello@{image.digest}"})
        c = got["Configuration"]
        self.assertEqual((c["PackageType"], c["CodeSha256"], c["CodeSize"], c["LastUpdateStatus"]), ("Image", image.digest[7:], 0, "Successful"))
        self.assertFalse({"Runtime", "Handler", "Layers", "RuntimeVersionConfig", "ImageConfigResponse"} & set(c))
        r = d.invoke("archive", b'{"a": 1}', tail=True)
        self.assertEqual((r.status, r.error, r.json), (200, None, {"a": 1}), r.log)
        self.assertNotIn("INIT_START", r.log)
        r = d.request("POST", "/2015-03-31/functions/archive/versions", {"CodeSha256": "0" * 64})
        self.assertIn(f"is different from current CodeSHA256 in $LATEST ({image.digest[7:]})", r.json["message"])
        self.assertEqual(d.request("POST", "/2015-03-31/functions/archive/versions", {"CodeSha256": image.digest[7:]}).json["Version"], "1")

    SNAPSTART = {"ApplyOn": "PublishedVersions"}
    LABEL = {"com.amazonaws.lambda.feature.snapstart": "Allow"}

    def published(self, d, name, state):
        path = f"/2015-03-31/functions/{name}:1/configuration"
        wait_until(lambda: f"{name}:1 is {state}: {d.request('GET', path).json}", lambda: d.request("GET", path).json["State"] == state)
        return d.request("GET", path).json

    def test_snapstart(self):
        """Its contract holds (what comes before a snapshot and after is told when a version is published), and versions start plainly, which their configuration says."""
        d = self.d
        for name, image in (("plain", native()), ("labelled", native(labels=self.LABEL)), ("other-label", native(labels={"com.amazonaws.lambda.feature.snapstart": "allow"})),
                            ("knows", native(env=["INIT=restore"]))):
            uri = f"snap-{name}"
            self.bring(d, image, uri)
            self.container(d, uri, uri, SnapStart=self.SNAPSTART)
            self.assertEqual(d.invoke(uri, b"1").json, 1, "$LATEST has no SnapStart")
            v = d.request("POST", f"/2015-03-31/functions/{uri}/versions", {}).json
            self.assertEqual((v["State"], v["SnapStart"]), ("Pending", {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}))
            if name in ("labelled", "knows"):
                v = self.published(d, uri, "Active")
                self.assertEqual((v["StateReason"], v["SnapStart"]["OptimizationStatus"]), ("the processes of container images are not kept", "Off"))
                self.assertEqual(d.invoke(f"{uri}:1", b"[2]").json, [2])
                self.assertEqual(d.invoke(f"{uri}:1", {"do": "env"}).json["AWS_LAMBDA_INITIALIZATION_TYPE"], "on-demand")
            else:
                v = self.published(d, uri, "Failed")
                self.assertEqual(v["StateReasonCode"], "FunctionError.RuntimeInitError")
                self.assertIn('has no label com.amazonaws.lambda.feature.snapstart="Allow"', v["StateReason"])
        text = d.request("GET", "/_fnd/logs/snap-knows?cursor=0").json["Text"]
        self.assertEqual(text.count("restore/next: 200"), 1)

    def test_snapstart_with_the_function(self):
        """The version comes with the image."""
        d = self.d
        self.bring(d, native(labels=self.LABEL), "snap-with")
        self.container(d, "snap-with", "snap-with", SnapStart=self.SNAPSTART, Publish=True)
        self.assertEqual(self.published(d, "snap-with", "Active")["StateReason"], "the processes of container images are not kept")

    def test_docker_archive(self):
        """What `docker save` has written since ever: manifest.json, a directory for each layer, one of them a link to another."""
        image = native(compression="")
        layer = image.blobs[image.layers[0]["digest"]]
        top = tar([("etc/marker", "x")])
        config = json.loads(image.config)
        config["rootfs"]["diff_ids"] += ["sha256:" + sha256(top)] * 2
        config = json.dumps(config).encode()
        name = sha256(config) + ".json"
        path = os.path.join(self.dir, "saved.tar")
        with open(path, "wb") as f:
            f.write(tar([("a/layer.tar", layer), ("b/layer.tar", top), ("c/layer.tar", b"", {"type": ociimages.tarfile.SYMTYPE, "linkname": "../b/layer.tar"}), (name, config),
                         ("manifest.json", json.dumps([{"Config": name, "RepoTags": ["saved:v1"], "Layers": ["a/layer.tar", "b/layer.tar", "c/layer.tar"]}]))]))
        self.assertIn("saved:v1", self.fnctl(self.d, "images", "import", f"docker-archive:{path}"))
        self.container(self.d, "saved", "saved:v1")
        self.assertEqual(self.d.invoke("saved", b"[]").json, [])
        with open(os.path.join(self.root(self.d, "saved"), "etc/marker")) as f:
            self.assertEqual(f.read(), "x")

    def test_layout(self):
        self.fnctl(self.d, "images", "import", native(compression="zstd").layout(os.path.join(self.dir, "lay")), "--as", "localhost/lay:2")
        self.container(self.d, "layout", "localhost/lay:2")
        self.assertEqual(self.d.invoke("layout", b"7").json, 7)

    def test_what_buildkit_writes(self):
        """Layers by zstd, and beside the image what BuildKit attests of it, which comes first here and is for no platform."""
        path = ociimages.buildkit(native([("kit", "zstd")], compression="zstd"), os.path.join(self.dir, "kit.tar"))
        self.fnctl(self.d, "images", "import", path, "--as", "as-buildkit:1")
        self.container(self.d, "as-buildkit", "as-buildkit:1")
        self.assertEqual(self.d.invoke("as-buildkit", b"8").json, 8)
        with open(os.path.join(self.root(self.d, "as-buildkit"), "kit")) as f:
            self.assertEqual(f.read(), "zstd")

    def test_indexes_of_indexes(self):
        """Three are followed; the fourth is refused, and not silently."""
        path = native([("deep", "archive")]).layout(os.path.join(self.dir, "deep"))
        for _ in range(2):
            ociimages.deeper(path)
        self.fnctl(self.d, "images", "import", path, "--as", "deep:3")
        self.container(self.d, "deep", "deep:3")
        self.assertEqual(self.d.invoke("deep", b"3").json, 3)
        ociimages.deeper(path)
        self.assertIn("more than 3 indexes", self.fnctl(self.d, "images", "import", path, "--as", "deep:4", expect=2))

    def test_what_an_archive_lacks(self):
        image = native([("cut", os.urandom(8).hex())])
        path = image.layout(os.path.join(self.dir, "cut"))
        os.unlink(f"{path}/blobs/sha256/{image.layers[0]['digest'][7:]}")
        self.assertIn("is not in the archive", self.fnctl(self.d, "images", "import", path, expect=2))
        with open(f"{path}/blobs/sha256/{image.layers[0]['digest'][7:]}", "wb") as f:
            f.write(b"another")
        self.assertRegex(self.fnctl(self.d, "images", "import", path, expect=3), "not what its digest says|Unrecognized archive format|no tar")
        self.assertIn("neither an OCI layout", self.fnctl(self.d, "images", "import", self.dir, expect=2))
        self.assertIn("no such host", self.fnctl(self.d, "images", "import", "registry.invalid/x:1", expect=3))

    def test_whiteouts(self):
        """Of 12 layers what an overlay of them would show: names taken away, directories emptied, files that become directories and the other way round, and all of it again."""
        layers = [tar([("d", None), ("d/a", "1"), ("d/b", "1"), ("e", None), ("e/x", "1"), ("e/sub", None), ("e/sub/y", "1"), ("f", "1"), ("g", None), ("g/z", "1"), ("h", None), ("h/1", "1")]),
                  tar([("d/.wh.a", ""), ("e/.wh..wh..opq", ""), ("e/new", "2"), (".wh.f", ""), ("g", "2"), ("h/2", "2")]),
                  tar([("f", None), ("f/in", "3"), ("d/a", "3"), (".wh.g", ""), ("h/.wh.1", "")]),
                  tar([("h/1", "4"), ("d/.wh..wh.plnk", "aufs' own"), ("e/sub", None), ("e/sub/again", "4")])] + [tar([(f"n{i}", str(i))]) for i in range(8)]
        image = native(entrypoint=["/app/main"])
        base = image.blobs[image.layers[0]["digest"]]
        import gzip
        image = Image([gzip.decompress(base), *layers], entrypoint=["/app/main"], compression=["gzip", "zstd", ""] * 4 + ["gzip"])
        self.bring(self.d, image, "white")
        self.container(self.d, "white", "white")
        root, found = self.root(self.d, "white"), {}
        for base, _, files in os.walk(root):
            for n in files:
                with open(os.path.join(base, n)) as f:
                    found[os.path.relpath(os.path.join(base, n), root)] = f.read() if n != "main" else ""
        self.assertEqual(found, {"app/main": "", "d/a": "3", "d/b": "1", "e/new": "2", "e/sub/again": "4", "f/in": "3", "h/1": "4", "h/2": "2", **{f"n{i}": str(i) for i in range(8)}})
        self.assertEqual(self.d.invoke("white", b"1").json, 1)

    def test_files(self):
        """Hard links, long names, sparse files, modes, owners, symbolic links that lead anywhere."""
        T = ociimages.tarfile
        long = "/".join(["n" * 200] * 4)
        image = native([("etc/shadow", "s", {"mode": 0o600, "uid": 7, "gid": 8}), ("usr/bin/su", "x", {"mode": 0o4755}), (long, "deep"), ("usr/hard", b"", {"type": T.LNKTYPE, "linkname": "usr/bin/su"}),
                        ("abs", b"", {"type": T.SYMTYPE, "linkname": "/etc/passwd"}), ("up", b"", {"type": T.SYMTYPE, "linkname": "../../../../etc"}), ("/lead", "at the root"), ("./dot", "."),
                        ("locked", None, {"mode": 0o000}), ("locked/in", "x"), ("uni\u00e9\n", "odd")])
        self.bring(self.d, image, "files")
        self.container(self.d, "files", "files")
        root = self.root(self.d, "files")
        st = lambda n: os.lstat(os.path.join(root, n))
        self.assertEqual([oct(st(n).st_mode & 0o7777) for n in ("etc/shadow", "usr/bin/su", "app/main")], ["0o600", "0o755", "0o755"])
        self.assertEqual(len({(st(n).st_uid, st(n).st_gid) for n in ("etc/shadow", "app/main", "abs", "locked")}), 1)
        self.assertEqual(st("usr/hard").st_ino, st("usr/bin/su").st_ino)
        self.assertEqual((os.readlink(f"{root}/abs"), os.readlink(f"{root}/up")), ("/etc/passwd", "../../../../etc"))
        for name, content in ((long, "deep"), ("lead", "at the root"), ("dot", "."), ("locked/in", "x"), ("uni\u00e9\n", "odd")):
            with open(os.path.join(root, name)) as f:
                self.assertEqual(f.read(), content)
        self.assertEqual(self.d.invoke("files", b"1").json, 1)

    def test_sparse(self):
        """1 GB of holes takes none of the disk."""
        with open(f"{self.dir}/holes", "wb") as f:
            f.truncate(1 << 30)
            f.seek(1 << 29)
            f.write(b"here")
        subprocess.run(["tar", "--sparse", "--format=gnu", "-cf", f"{self.dir}/s.tar", "-C", self.dir, "holes"], check=True)
        with open(f"{self.dir}/s.tar", "rb") as f:
            image = Image([f.read()], cmd=["/x"])
        self.bring(self.d, image, "sparse")
        self.container(self.d, "sparse", "sparse")
        st = os.stat(os.path.join(self.root(self.d, "sparse"), "holes"))
        self.assertEqual(st.st_size, 1 << 30)
        self.assertLess(st.st_blocks * 512, 1 << 20)

    def test_a_python_image(self):
        """The base image as a tar: FROM scratch, ENV, WORKDIR, USER, an entry point found by PATH; ImageConfig over it."""
        d = self.d
        source = "import json, os, sys, urllib.request as u\napi = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'\nwhile True:\n    e = u.urlopen(api + 'next')\n" \
                 "    out = {'argv': sys.argv, 'cwd': os.getcwd(), 'env': dict(os.environ), 'uid': os.getuid(), 'event': json.load(e)}\n" \
                 "    u.urlopen(u.Request(api + e.headers['Lambda-Runtime-Aws-Request-Id'] + '/response', json.dumps(out).encode()))\n"
        trees = [os.path.join(d.state, "roots", t) for t in json.load(open(os.path.join(d.state, "images/python3.11.json")))["layers"]]
        layers = []
        for t in reversed(trees):
            layers.append(subprocess.run(["tar", "-C", t, "-cf", "-", "."], stdout=subprocess.PIPE, check=True).stdout)
        image = Image([*layers, tar([("srv", None), ("srv/loop.py", source), ("srv/alt", None)])], entrypoint=["python3", "loop.py"], cmd=["app.handler", "two"],
                      env=["PATH=/usr/bin:/var/lang/bin:/bin", "GREETING=from the image", "OVER=image", "AWS_REGION=nowhere", "LAMBDA_TASK_ROOT=/srv", "LAMBDA_RUNTIME_DIR=/srv", "AWS_SESSION_TOKEN=theirs"], workdir="/srv", user="1234:1234")
        self.bring(d, image, "py")
        self.container(d, "py", "py", Environment={"Variables": {"OVER": "function"}})
        r = d.invoke("py", b'{"n": 1}', tail=True)
        self.assertEqual((r.status, r.error), (200, None), (r, r.log))
        got = r.json
        self.assertEqual((got["argv"], got["cwd"], got["event"]), (["loop.py", "app.handler", "two"], "/srv", {"n": 1}))
        env = got["env"]
        self.assertEqual([env[k] for k in ("GREETING", "OVER", "AWS_REGION", "_HANDLER", "AWS_EXECUTION_ENV", "TZ", "AWS_LAMBDA_FUNCTION_NAME", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR")],
                         ["from the image", "function", "us-east-1", "app.handler", "AWS_Lambda_Image", ":UTC", "py", "/var/task", "/var/runtime"])
        self.assertNotEqual(env.get("AWS_SESSION_TOKEN"), "theirs")
        self.assertNotEqual(got["uid"], 1234)
        self.assertNotEqual(got["uid"], 0)
        d.configure("py", ImageConfig={"Command": ["other.f"], "WorkingDirectory": "/srv/alt", "EntryPoint": ["/usr/bin/python3", "/srv/loop.py"]})
        d.settled("py")
        got = d.invoke("py", b"0").json
        self.assertEqual((got["argv"], got["cwd"], got["env"]["_HANDLER"]), (["/srv/loop.py", "other.f"], "/srv/alt", "other.f"))
        self.assertEqual(self.get(d, "py")["Configuration"]["ImageConfigResponse"], {"ImageConfig": {"Command": ["other.f"], "WorkingDirectory": "/srv/alt", "EntryPoint": ["/usr/bin/python3", "/srv/loop.py"]}})
        d.configure("py", ImageConfig={"EntryPoint": ["/usr/local/bin/aws-lambda-rie", "--log-level", "debug", "python3", "/srv/loop.py"]})
        d.settled("py")
        self.assertEqual(d.invoke("py", b"0").json["argv"], ["/srv/loop.py", "app.handler", "two"])
        d.configure("py", ImageConfig={})
        d.settled("py")
        self.assertNotIn("ImageConfigResponse", self.get(d, "py")["Configuration"])
        self.assertEqual(d.invoke("py", b"0").json["cwd"], "/srv")
        for change, kind, words, told in (
                ({"WorkingDirectory": "/none"}, "Runtime.InvalidWorkingDir", "fork/exec /none: no such file or directory", "Entrypoint: [python3,loop.py]\tCmd: [app.handler,two]\tWorkingDir: [/none]"),
                ({"EntryPoint": ["nothing-such"], "Command": ["a", "b c"]}, "Runtime.InvalidEntrypoint", "Couldn't find valid bootstrap(s): [nothing-such]",
                 "Entrypoint: [nothing-such]\tCmd: [a,b c]\tWorkingDir: [/srv]")):
            d.configure("py", ImageConfig=change)
            d.settled("py")
            r = d.invoke("py", b"0", tail=True)
            self.assertEqual((r.json["errorType"], r.json["errorMessage"].split("Error: ")[1]), (kind, words))
            self.assertIn(f"IMAGE\tLaunch error: {words}\t{told}\n", r.log)

    def test_refusals(self):
        d = self.d
        self.bring(d, native(), "ref")
        told = "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image."
        for more in ({"Runtime": "python3.11"}, {"Handler": "a.b"}, {"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:x:1"]}):
            self.assertEqual(self.post(d, "no", "ref", 400, **more).json["message"], told)
        def create(expect, **body):
            r = d.request("POST", "/2015-03-31/functions", {"FunctionName": "no", "Role": ROLE, **body})
            self.assertEqual(r.status, 400, r)
            self.assertIn(expect, r.json["message"])
        create("Please provide ImageUri when creating a function with packageType Image.", PackageType="Image", Code={"ZipFile": base64.b64encode(native_zip()).decode()})
        create("Please don't provide ImageUri when creating a function with packageType Zip.", Runtime="provided.al2023", Handler="x", Code={"ImageUri": "ref"})
        create("Please don't provide ImageConfig", Runtime="provided.al2023", Handler="x", Code={"ZipFile": base64.b64encode(native_zip()).decode()}, ImageConfig={"Command": ["x"]})
        self.post(d, "no", "Not/a name", 400)
        self.container(d, "ref", "ref")
        zip64 = base64.b64encode(native_zip()).decode()
        r = d.request("PUT", "/2015-03-31/functions/ref/code", {"ZipFile": zip64})
        self.assertEqual((r.status, r.json["message"]), (400, "Please provide ImageUri when updating a function with packageType Image."))
        d.create("zipped")
        d.settled("zipped")
        r = d.request("PUT", "/2015-03-31/functions/zipped/code", {"ImageUri": "ref"})
        self.assertEqual((r.status, r.json["message"]), (400, "Please don't provide ImageUri when updating a function with packageType Zip."))
        self.assertEqual(d.request("PUT", "/2015-03-31/functions/ref/configuration", {"Handler": "x"}).json["message"], told)

    def test_several_images(self):
        """In one layout, or in what docker saves: which is meant is said, as skopeo has it said."""
        d, path = self.d, os.path.join(self.dir, "lay")
        one, two = native([("one", "1")]), native([("two", "2")])
        one.layout(path)
        for digest, data in two.blobs.items():
            with open(f"{path}/blobs/sha256/{digest[7:]}", "wb") as f:
                f.write(data)
        def index(*images):
            with open(f"{path}/index.json", "w") as f:
                json.dump({"schemaVersion": 2, "manifests": [{"mediaType": i.manifest_type, "digest": i.digest, "size": len(i.manifest), "annotations": {"org.opencontainers.image.ref.name": n}} for i, n in images]}, f)
        index((one, "a"), (two, "b"), (two, "example/c:1"))
        self.assertIn(f"{path}: it has several images (a, b, example/c:1): say which, as oci:", self.fnctl(d, "images", "import", path, expect=2))
        self.assertIn("it has no image d, but a, b, example/c:1", self.fnctl(d, "images", "import", f"oci:{path}:d", expect=2))
        self.assertRegex(self.fnctl(d, "images", "import", f"oci:{path}:a"), f"^lay:a +{one.digest} ")
        self.assertRegex(self.fnctl(d, "images", "import", f"oci:{path}:b"), f"^lay:b +{two.digest} ")
        self.assertRegex(self.fnctl(d, "images", "import", f"oci:{path}:example/c:1"), f"^example/c:1 +{two.digest} ")
        index((one, "a"), (one, "b"))  # two names of one
        self.assertIn(one.digest, self.fnctl(d, "images", "import", path))
        saved = os.path.join(self.dir, "saved.tar")
        entries, listed = [], []
        for image, tags in ((one, ["x:1", "x:2"]), (two, ["docker.io/library/y:1"])):
            for digest, data in image.blobs.items():
                entries.append((digest[7:], data))
            listed.append({"Config": sha256(image.config), "RepoTags": tags, "Layers": [l["digest"][7:] for l in image.layers]})
        with open(saved, "wb") as f:
            f.write(tar([*entries, ("manifest.json", json.dumps(listed))]))
        self.assertIn("it has several images (x:1, docker.io/library/y:1): say which", self.fnctl(d, "images", "import", saved, expect=2))
        self.assertRegex(self.fnctl(d, "images", "import", f"docker-archive:{saved}:x:2"), "^x:2 ")
        self.fnctl(d, "images", "import", f"docker-archive:{saved}:y:1", "--as", "y2")
        self.container(d, "y2", "y2")
        self.assertEqual(d.invoke("y2", b"1").json, 1)
        d.delete("y2")

    def test_what_fnctl_says(self):
        """Once, of what was wrong, and what helps; and of a function which is an image."""
        d, (gz, cut) = self.d, (os.path.join(self.dir, n) for n in ("a.tar.gz", "cut.tar"))
        path = native().archive(os.path.join(self.dir, "a.tar"))
        with open(path, "rb") as f:
            data = f.read()
        for file, bytes_ in ((gz, gzip.compress(data)), (cut, data[:len(data) // 2])):
            with open(file, "wb") as f:
                f.write(bytes_)
        self.assertEqual(self.fnctl(d, "images", "import", gz, expect=2), f"fnctl: images import: {gz}: it is no tar; a compressed one is to be decompressed first\n")
        self.assertEqual(self.fnctl(d, "images", "import", cut, expect=2), f"fnctl: images import: {cut}: the tar is cut short\n")
        self.assertEqual(self.fnctl(d, "images", "import", f"oci-archive:{gz}.not", expect=2), f"fnctl: images import: {gz}.not: No such file or directory\n")
        self.assertIn("There is no file ./nofile.tar, so it was taken for the name of an image.", self.fnctl(d, "images", "import", "./nofile.tar", expect=3))
        self.assertIn("`fnctl images local` shows", self.fnctl(d, "images", "forget", "nosuch", expect=3))
        self.assertIn("import wants a file or the name of an image", self.fnctl(d, "images", "import", expect=2))
        self.assertIn("fnctl: runtime add: ", self.fnctl(d, "runtime", "add", "python4.4", "--image", "Not/One", expect=3))
        self.bring(d, native([("v", "1")]), "said")
        self.assertIn("not both", self.fnctl(d, "create", "said", "--image", "said", "--code", self.dir, expect=2))
        self.assertIn("--image REFERENCE", self.fnctl(d, "create", "said", "--runtime", "python3.11", expect=2))
        self.assertIn("Invoke it", self.fnctl(d, "create", "said", "--image", "said", "--memory", "512"))
        self.assertEqual(d.invoke("said", b"1").json, 1)
        second = native([("v", "2")])
        self.bring(d, second, "again")
        for verb, image in (("deploy", "again"), ("update", "said"), ("update", "again")):
            self.assertIn("Active", self.fnctl(d, verb, "said", "--image", image))
        self.assertEqual(self.get(d, "said")["Configuration"]["CodeSha256"], second.digest[7:])
        self.assertRegex(self.fnctl(d, "list"), r"said +an image +512")
        self.assertRegex(self.fnctl(d, "versions", "said"), r"\$LATEST +an image +512")
        d.delete("said")

    def test_shared_and_collected(self):
        """Two images with a layer in common have it once; what nobody has any more goes, with the images' rows."""
        d = self.daemon()
        one, two = native([("one", "1")]), native([("two", "2")])
        base, only = tar([("base", os.urandom(1000).hex())]), tar([("only", "x")])
        one, two = Image([base], cmd=["/x"]), Image([base, only], cmd=["/x"])
        self.bring(d, one, "one")
        self.bring(d, two, "two")
        shared_tree = "oci-" + one.layers[0]["digest"][7:]
        self.assertEqual(len(self.trees(d)), 4)
        self.container(d, "two", "two")
        self.fnctl(d, "images", "forget", "two")
        self.fnctl(d, "images", "forget", "one")
        wait_until(lambda: f"one goes: {self.trees(d)}", lambda: len(self.trees(d)) == 3)
        self.assertIn(shared_tree, self.trees(d))
        d.delete("two")
        wait_until(lambda: f"all go: {self.trees(d)}", lambda: not self.trees(d))
        self.assertEqual(self.fnctl(d, "disk", "--check").split()[0], str(len(json.loads(d.fnctl("disk", "--output", "json").stdout)["Items"])))
        self.bring(d, two, "two")
        d.stop()
        d.start()
        self.container(d, "two", "two")
        d.stop()
        self.leaves_nothing(d)


    def test_two_bring_the_same_layer(self):
        """Who comes second is told when it is whole, not before."""
        layer = tar([("base", os.urandom(500000))])
        half, answered, go = threading.Event(), [], threading.Event()
        def pieces():
            yield layer[:250000]
            half.set()
            go.wait(60)
            yield layer[250000:]
        def bring(who, body):
            r = self.d.request("PUT", f"/_fnd/images/layers/{sha256(layer)}", body, {"Content-Length": str(len(layer))})
            answered.append((who, r.status))
        first = threading.Thread(target=bring, args=(1, pieces()))
        second = threading.Thread(target=bring, args=(2, layer))
        first.start()
        half.wait(60)
        wait_until("it is being made", lambda: any(x.startswith(".tmp-") for x in os.listdir(os.path.join(self.d.state, "roots"))))
        second.start()
        second.join(1)
        self.assertEqual(answered, [])
        go.set()
        first.join()
        second.join()
        self.assertEqual(sorted(answered), [(1, 200), (2, 200)])
        self.assertIn(f"oci-{sha256(layer)}", self.trees(self.d))


class FromRegistry(ContainerCase):
    """docker-registry, over HTTP and TLS; anonymous, with a password, with tokens."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home = tempfile.mkdtemp(dir="/var/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.home)
        cls.plain = Registry(cls.make("plain"))
        cls.addClassCleanup(cls.plain.end)
        cls.d = shared({"registries": {"timeout_s": 3, "hosts": {cls.plain.host: {"plain_http": True}}}})

    @classmethod
    def make(cls, name):
        os.makedirs(os.path.join(cls.home, name))
        return os.path.join(cls.home, name)

    def test_by_tag(self):
        """What a tag stands for is settled when the function is created or updated."""
        d, r = self.d, self.plain
        one, two = native([("v", "1")]), native([("v", "2")], docker=True)
        uri = r.push(one, "team/app", "v")
        self.container(d, "bytag", uri)
        got = self.get(d, "bytag")["Code"]
        self.assertEqual(got, {"ImageUri": uri, "RepositoryType": "ECR", "ResolvedImageUri": f"{r.host}/team/app@{one.digest}"})
        self.assertEqual(d.invoke("bytag", b"1").json, 1)
        r.push(two, "team/app", "v")
        d.configure("bytag", Timeout=9)
        d.settled("bytag")
        self.assertEqual(self.get(d, "bytag")["Configuration"]["CodeSha256"], one.digest[7:])
        u = d.request("PUT", "/2015-03-31/functions/bytag/code", {"ImageUri": uri})
        self.assertEqual((u.status, u.json["LastUpdateStatus"], u.json["CodeSha256"]), (200, "InProgress", two.digest[7:]))
        d.settled("bytag")
        self.assertEqual(self.get(d, "bytag")["Code"]["ResolvedImageUri"], f"{r.host}/team/app@{two.digest}")
        self.assertEqual(d.invoke("bytag", b"2").json, 2)
        self.container(d, "bydigest", f"{r.host}/team/app@{one.digest}", Publish=True)
        self.assertEqual(d.invoke("bydigest", b"3", query="?Qualifier=1").json, 3)

    def test_by_architecture(self):
        other = {"mediaType": ociimages.MANIFEST, "platform": {"architecture": "s390x", "os": "linux"}}
        foreign = native(architecture="s390x")
        self.plain.push(foreign, "multi", "foreign")
        uri = self.plain.push(native([("m", "1")]), "multi", "all", index=[{**other, "digest": foreign.digest, "size": len(foreign.manifest)}])
        self.container(self.d, "multi", uri)
        self.assertEqual(self.d.invoke("multi", b"1").json, 1)
        self.assertIn("this machine is linux/", self.post(self.d, "foreign", f"{self.plain.host}/multi:foreign", 400).json["message"])

    def test_what_buildkit_pushes(self):
        image = native([("kit", "pushed")], compression="zstd")
        beside = ociimages.attestation(image)
        text = image.blobs[beside["digest"]]
        self.plain.push(image, "kit", "blobs")
        self.assertEqual(self.plain.request("PUT", f"/v2/kit/manifests/{beside['digest']}", text, {"Content-Type": beside["mediaType"]})[0], 201)
        self.container(self.d, "kitted", self.plain.push(image, "kit", "1", index=[beside]))
        self.assertEqual(self.d.invoke("kitted", b"9").json, 9)

    def test_indexes_of_indexes(self):
        """As of an archive."""
        r, image = self.plain, native([("deep", "registry")])
        r.push(image, "deep", "image")
        entry = {"mediaType": image.manifest_type, "digest": image.digest, "size": len(image.manifest)}
        for n in range(1, 5):
            entry = r.push_index("deep", f"{n}", [entry])
        self.container(self.d, "deep", f"{r.host}/deep:3")
        self.assertEqual(self.get(self.d, "deep")["Code"]["ResolvedImageUri"], f"{r.host}/deep@{image.digest}")
        self.assertEqual(self.d.invoke("deep", b"3").json, 3)
        self.assertIn("more than 3 indexes", self.post(self.d, "deeper", f"{r.host}/deep:4", 400).json["message"])

    def test_what_is_not_there(self):
        r = self.post(self.d, "no", f"{self.plain.host}/none:1", 400)
        self.assertEqual((r.error_type, r.json["message"]), ("InvalidParameterValueException", f"Source image {self.plain.host}/none:1 does not exist. Provide a valid source image."))
        self.assertIn("no connection", self.post(self.d, "no", f"127.0.0.1:{free_port()}/x", 400).json["message"])

    def test_only_the_rest(self):
        """Of a second image that shares layers only the others are fetched."""
        base = [tar([(f"b{i}", os.urandom(2000).hex())]) for i in range(5)]
        one, two = Image([*base, tar([("top", "1")])], cmd=["/x"]), Image([*base, tar([("top", "2")])], cmd=["/x"])
        u1, u2 = self.plain.push(one, "rest", "1"), self.plain.push(two, "rest", "2")
        self.container(self.d, "rest1", u1)
        before = self.trees(self.d)
        for l in one.layers[:5]:  # whoever asks for these now gets nothing
            shutil.rmtree(f"{self.plain.directory}/data/docker/registry/v2/blobs/sha256/{l['digest'][7:9]}/{l['digest'][7:]}")
        self.container(self.d, "rest2", u2)
        self.assertEqual(len(self.trees(self.d) - before), 2)

    def test_tls_and_passwords(self):
        tls = certificate(self.make("ca"))
        here = self.make("tls")
        with open(f"{here}/htpasswd", "w") as f:
            f.write("user:$2y$12$Iysb.owe9H3IE.LVMeNlVu3DMbx2chkPdwWhe0mi78W06nLTq8b9.\n")  # bcrypt of "secret"
        r = Registry(here, tls=tls, htpasswd=f"{here}/htpasswd")
        self.addCleanup(r.end)
        uri = r.push(native([("t", "1")]), "tls", headers={"Authorization": "Basic " + base64.b64encode(b"user:secret").decode()})
        auth = os.path.join(self.dir, "docker.json")
        def configured(password, ca=True):
            with open(auth, "w") as f:
                json.dump({"auths": {r.host: {"auth": base64.b64encode(f"user:{password}".encode()).decode()}} if password else {}}, f)
            os.chmod(auth, 0o600)
            return {"registries": {"auth_file": auth, **({"hosts": {r.host: {"ca_file": tls[0]}}} if ca else {})}}
        d = self.daemon(configured(None, ca=False))
        self.assertRegex(self.post(d, "t", uri, 400).json["message"], r"its certificate is by no authority that is trusted here \(ca_file\), or not valid now$")
        for password, words in ((None, "wants credentials"), ("wrong", "does not give that")):
            self.reconfigured(d, configured(password))
            refused = self.post(d, "t", uri, 403)
            self.assertEqual(refused.error_type, "AccessDeniedException")
            self.assertIn(words, refused.body.decode())
        self.reconfigured(d, configured("secret"))
        self.container(d, "t", uri)
        self.assertEqual(d.invoke("t", b"1").json, 1)
        os.chmod(auth, 0o644)
        r = subprocess.run([os.path.join(BUILD, "fnd"), "--check-config", "--config", d.config_path], capture_output=True, text=True)
        self.assertIn("must be root's", r.stdout + r.stderr)

    def test_without_tls(self):
        """A registry without TLS that the configuration takes for one with it: the answer says what to write there."""
        d = self.daemon()
        self.assertIn("it speaks no TLS; where it is to be asked without, registries.hosts says so (plain_http)", self.post(d, "t", f"{self.plain.host}/x:1", 400).json["message"])

    def test_real_tokens(self):
        """docker-registry's own token authentication: anonymous for what is for all, by password and by identity token for the rest."""
        ca = self.make("signer")
        issuer = TokenIssuer(certificate(ca), "secret", "an-identity")
        r = Registry(self.make("tokens"), token={"realm": issuer.realm, "bundle": f"{ca}/tls.pem"})
        self.addCleanup(r.end)
        pushed = {name: r.push(native([(name.replace("/", "-"), "1")]), name, headers={"Authorization": "Bearer " + issuer.token([f"repository:{name}:pull,push"], "user")}) for name in ("public/a", "private/a")}
        auth = os.path.join(self.dir, "tokens.json")
        def configured(**of):
            with open(auth, "w") as f:
                json.dump({"auths": {r.host: of} if of else {}}, f)
            os.chmod(auth, 0o600)
            return {"registries": {"auth_file": auth, "hosts": {r.host: {"plain_http": True}}}}
        d = self.daemon(configured())
        self.container(d, "a", pushed["public/a"])
        self.assertIn("it wants credentials, and the configuration has none for it", self.post(d, "b", pushed["private/a"], 403).body.decode())
        for i, of in enumerate(({"auth": base64.b64encode(b"user:wrong").decode()}, {"identitytoken": "another"})):
            self.reconfigured(d, configured(**of))
            self.assertIn("the credentials in the configuration are refused", self.post(d, "b", pushed["private/a"], 403).body.decode())
        self.reconfigured(d, configured(auth=base64.b64encode(b"user:secret").decode()))
        self.container(d, "b", pushed["private/a"])
        self.assertEqual(d.invoke("b", b"1").json, 1)
        self.reconfigured(d, configured(identitytoken="an-identity"))
        self.assertEqual(self.post(d, "c", pushed["private/a"]).json["CodeSha256"], self.get(d, "b")["Configuration"]["CodeSha256"])
        issuer.end()
        self.assertIn("what it names for tokens: ", self.post(d, "d", pushed["private/a"].replace(":latest", ":other"), 400).json["message"])

    def reconfigured(self, d, config):
        d.stop()
        d.set_config(config)
        d.start()
