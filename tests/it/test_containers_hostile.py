"""Container images from those who mean harm, or do not know better: 500 layers that are refused, a registry that stalls, lies and closes, and kill -9 in the midst of a pull."""
import gzip, http.server, socketserver, subprocess
import ociimages
from ociimages import Image, native, sha256, tar
from test_containers import ContainerCase
from harness import *

T = ociimages.tarfile
SYM, LNK, CHR, BLK, FIFO = T.SYMTYPE, T.LNKTYPE, T.CHRTYPE, T.BLKTYPE, T.FIFOTYPE


def kinds(name):
    """A file, a directory, a symbolic and a hard link of that name."""
    return [(name, "x"), (name, None), (name, b"", {"type": SYM, "linkname": "ok"}), (name, b"", {"type": LNK, "linkname": "ok"})]


def cases():
    """(what, layer): each is to be refused."""
    ok = ("ok", "fine")
    for name in ("..", "../x", "a/../../x", "a/b/../../../x", "/../x", "./../x", "..//x", "a/..", "a/../b", "/a/../../etc/passwd", "a//../../x", "./././../x", "../../../../../../etc/cron.d/x"):
        for e in kinds(name):
            yield f"climbs: {name}", tar([ok, e])
    for target in ("../x", "../../etc/passwd", "a/../../x", "..", "missing", "/etc/passwd", "/proc/self/root" + "/etc/passwd", "d", "d/", "."):
        for name in ("h", "d/h", "d/e/h", "/h"):
            yield f"a hard link to {target}", tar([ok, ("d", None), (name, b"", {"type": LNK, "linkname": target})])
    for target in ("/", "..", "/etc", ".", "d", "../../..", "/proc/self/root", "/dev", "l", "ok", "//", "/var/../..", "d/../..", "/tmp"):
        for e in kinds("l/x") + kinds("l/y/z"):
            yield f"below a link to {target}", tar([ok, ("d", None), ("l", b"", {"type": SYM, "linkname": target}), e])
    for e in kinds("ok/x") + kinds("ok/y/z") + kinds("ok/x/../../z"):
        yield "below a file", tar([ok, e])
    for kind in (CHR, BLK):
        for major, minor in ((0, 0), (1, 1), (1, 3), (1, 5), (1, 9), (5, 0), (7, 0), (8, 0), (10, 200), (10, 229), (253, 0), (259, 0)):
            for name in ("dev/x", "x", "a/b/x"):
                yield f"a device {major}:{minor}", tar([ok, (name, b"", {"type": kind, "devmajor": major, "devminor": minor})])
    for name in ("fifo", "run/x", "a/b/c"):
        yield "a pipe", tar([ok, (name, b"", {"type": FIFO})])
    for name in (".wh.", ".wh..", ".wh...", "a/.wh.", "a/.wh..", "a/.wh...", ".wh.x/y", "a/.wh.b/c", ".wh..wh..opq/x", ".wh..wh.x/y/z"):
        yield f"a whiteout {name}", tar([ok, (name, "")])
    for name in (".wh.d", "a/.wh.d", ".wh..wh..opq"):
        yield f"a directory {name}", tar([ok, (name, None)])
    for name in ("n" * 256, "a/" + "n" * 300, "/".join("d" * 300), "/".join(["n" * 250] * 20)):
        yield "a name too long or too deep", tar([ok, (name, "x")])
        yield "a name too long or too deep", tar([ok, (name, None)])
    for name in ("ok", "d/ok"):
        yield "a directory with something in it that becomes a file", tar([(name, None), (f"{name}/in", "x"), (name, "x")])
    good = tar([("d", None), ("d/f", os.urandom(3000)), ok], fmt=T.USTAR_FORMAT)
    for at in range(3, 148, 2):  # a header's bytes, but for its checksum's
        yield f"a header damaged at {at}", good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1:]
    for cut in range(1100, 4000, 50):  # within a file
        yield f"cut at {cut}", good[:cut]
    for cut in range(40, 1500, 30):
        yield f"packed, cut at {cut}", gzip.compress(good, 1, mtime=0)[:cut]
    for junk in (b"no tar", b"\x7fELF" + bytes(600), os.urandom(2000), b"PK\3\4" + bytes(600), b"\x1f\x8b" + os.urandom(400), b"\x28\xb5\x2f\xfd" + os.urandom(400), gzip.compress(b"no tar either"),
                 gzip.compress(gzip.compress(good, mtime=0), mtime=0)[:60], b"BZh9" + os.urandom(300), b"<html>not found</html>"):
        yield "no tar at all", junk


class Layers(ContainerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.d = shared()

    def put(self, layer, digest=None):
        return self.d.request("PUT", f"/_fnd/images/layers/{digest or sha256(layer)}", layer)

    def test_500_are_refused(self):
        before, n, seen = self.trees(self.d), 0, set()
        for what, layer in cases():
            r = self.put(layer)
            self.assertEqual((r.status, r.error_type), (400, "InvalidParameterValueException"), (what, r))
            self.assertIn("The layer is refused: ", r.json["message"], what)
            n += 1
        self.assertGreaterEqual(n, 500)
        good = tar([("ok", "fine")])
        for i in range(20):
            r = self.put(good, sha256(b"%d" % i))
            self.assertEqual((r.status, "not what its digest says" in r.json["message"]), (400, True), r)
        wait_until(lambda: f"nothing of them is left: {self.trees(self.d) - before}", lambda: not self.trees(self.d) - before)
        wait_until("no directory is left", lambda: not [x for x in os.listdir(os.path.join(self.d.state, "roots")) if x.startswith(".tmp")])
        self.assertEqual(self.put(good).status, 200)

    def test_its_names_are_bytes(self):
        r = self.put(tar([("n\udcff\x01\udcc3", b"", {"type": FIFO})], errors="surrogateescape"))
        self.assertEqual((r.status, r.json["message"]), (400, "The layer is refused: n\ufffd?\ufffd: a device, pipe or socket"))

    def test_as_many_links_as_a_file_system_has(self):
        """65,000 of a file on ext4: the merged tree needs as many once more."""
        links = [(f"d/{kind}{i}", b"", {"type": LNK, "linkname": kind}) for kind in ("file", "link") for i in range(64000)]
        many = tar([("file", "x"), ("link", b"", {"type": SYM, "linkname": "file"}), *links], fmt=T.USTAR_FORMAT)
        path = Image([many, tar([("ok", "fine")])], cmd=["/x"]).archive(f"{self.dir}/links.tar")
        self.fnctl(self.d, "images", "import", path)

    def test_too_many_and_too_much(self):
        block = tar([("d", None)], fmt=T.USTAR_FORMAT)[:512]
        r = self.put(gzip.compress(block * 400001 + bytes(1024), 1))
        self.assertIn("more than 400000 entries", r.json["message"])
        with open(f"{self.dir}/holes", "wb") as f:
            f.truncate(11 << 30)
        subprocess.run(["tar", "--sparse", "--format=gnu", "-cf", f"{self.dir}/s.tar", "-C", self.dir, "holes"], check=True)
        with open(f"{self.dir}/s.tar", "rb") as f:
            r = self.put(f.read())
        self.assertEqual(r.status, 400, r)
        self.assertRegex(r.json["message"], "unpacked size exceeds|a hole too large")

    def test_together_too_much(self):
        """Layers of 6 GB each are fine, an image of two is not."""
        layers = []
        for n in (1, 2):
            with open(f"{self.dir}/holes{n}", "wb") as f:
                f.truncate(6 << 30)
            subprocess.run(["tar", "--sparse", "--format=gnu", "-cf", f"{self.dir}/s.tar", "-C", self.dir, f"holes{n}"], check=True)
            with open(f"{self.dir}/s.tar", "rb") as f:
                layers.append(f.read())
        path = Image(layers, cmd=["/x"]).archive(f"{self.dir}/big.tar")
        self.assertIn("unpacked size exceeds", self.fnctl(self.d, "images", "import", path, expect=3))


class Liar(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A registry that has one image as "x:1" and answers for its blobs as `behave` says: a function of the handler and the blob's bytes."""
    daemon_threads = True

    def __init__(self, image, behave=None, token=None, basic=None):
        self.image, self.behave, self.token, self.basic = image, behave, token, basic
        self.first = None  # as behave, of the first layer
        self.asked, self.stop = [], threading.Event()
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def host(self):
        return f"127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass  # who closes in the midst is one of us

    def end(self):
        self.stop.set()
        self.shutdown()
        self.server_close()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def send(self, status, body=b"", **headers):
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key.replace("_", "-"), value)
            if "Content_Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            s = self.server
            s.asked.append((self.path, self.headers.get("Range"), self.headers.get("Authorization")))
            with contextlib.suppress(OSError):
                self.answer(s)

        def answer(self, s):
            if self.path.startswith("/token"):
                wanted = "Basic " + base64.b64encode(s.basic.encode()).decode() if s.basic else None
                ok = self.headers.get("Authorization") == wanted and "scope=repository%3Ax%3Apull" in self.path and "service=s" in self.path
                return self.send(200 if ok else 401, json.dumps({"token": s.token}).encode() if ok else b"{}")
            if s.token and self.headers.get("Authorization") != f"Bearer {s.token}":
                return self.send(401, WWW_Authenticate=f'Bearer realm="http://{s.host}/token",service="s",scope="repository:x:pull"')
            kind, _, what = self.path.rpartition("/")
            if kind == "/v2/x/manifests":
                return self.send(200, s.image.manifest, Content_Type=s.image.manifest_type)
            blob = s.image.blobs.get(what)
            if kind != "/v2/x/blobs" or blob is None:
                return self.send(404)
            if what == s.image.layers[-1]["digest"] and s.behave:
                return s.behave(self, blob)
            if what == s.image.layers[0]["digest"] and s.first:
                return s.first(self, blob)
            self.send(200, blob)


class Registries(ContainerCase):
    def liar(self, behave=None, **how):
        image = Image([tar([("base", os.urandom(500).hex())]), tar([("top", os.urandom(100000))])], cmd=["/x"], **how.pop("image", {}))
        s = Liar(image, behave, **how)
        self.addCleanup(s.end)
        return s

    def talks_to(self, s, **more):
        return self.daemon({"registries": {"timeout_s": 2, "hosts": {s.host: {"plain_http": True}}, **more}})

    def failed(self, d, s, code, words, name="f"):
        self.post(d, name, f"{s.host}/x:1")
        c = self.state(d, name, "Failed")
        self.assertEqual((c["StateReasonCode"], c["LastUpdateStatus"]), (code, "Failed"), c)
        self.assertRegex(c["StateReason"], words)
        self.assertEqual(d.invoke(name, b"1").status, 409)
        d.delete(name)
        wait_until(lambda: f"nothing is left: {self.trees(d)}", lambda: not self.trees(d))

    def test_lies(self):
        s = self.liar()
        d = self.talks_to(s)
        part = lambda h, blob, n: h.send(200, blob[:n], Content_Length=str(len(blob)))
        def other(h, blob):
            h.send(200, os.urandom(len(blob)))
        def shorter(h, blob):
            h.send(200, blob[:-10])
        def longer(h, blob):
            h.send(200, blob + b"more")
        def gone(h, blob):
            h.send(404)
        def denied(h, blob):
            h.send(403)
        def around(h, blob):
            h.send(307, Location=h.path)
        def nowhere(h, blob):
            h.send(307, Location="file:///etc/passwd")
        def stalls(h, blob):
            part(h, blob, 1000)
            h.server.stop.wait(30)
        def cuts(h, blob):
            part(h, blob, 1000)
            h.close_connection = True
        for behave, code, words in ((other, "InvalidImage", "not what its digest says|Unrecognized archive"), (shorter, "InvalidImage", r"not the \d+ that its manifest says"), (longer, "InvalidImage", "more than the .* that its manifest says"),
                                    (gone, "ImageDeleted", "no such image"), (denied, "ImageAccessDenied", "answers 403"), (around, "InternalError", "redirects"), (nowhere, "InternalError", "rotocol"),
                                    (stalls, "InternalError", "hardly a byte came within 2 s"), (cuts, "InternalError", "the connection ended in the midst")):
            s.behave = behave
            self.failed(d, s, code, words)
        self.assertEqual(d.request("GET", "/healthz").status, 200)

    def test_a_layer_that_comes_when_another_has_failed_and_nobody_wants_it_any_more(self):
        s = self.liar(lambda h, blob: h.send(404))
        d, asked, come = self.talks_to(s), threading.Event(), threading.Event()
        def late(h, blob):
            h.send(200, blob[:10], Content_Length=str(len(blob)))
            asked.set()
            while not come.wait(0.5) and not s.stop.is_set():  # hardly a byte, but one
                pass
            h.wfile.write(blob[10:])
        s.first = late
        rows = lambda: [i["Name"] for i in json.loads(d.fnctl("disk", "--output", "json").stdout)["Items"] if i["Name"].startswith("oci-")]
        self.post(d, "f", f"{s.host}/x:1")
        self.assertTrue(asked.wait(60))
        self.state(d, "f", "Failed")
        d.delete("f")
        time.sleep(1.2)  # what is not in use would have gone by now, twice
        come.set()
        wait_until(lambda: f"nothing is left: {rows()} {self.trees(d)}", lambda: not rows() and not self.trees(d))
        self.post(d, "f", f"{s.host}/x:1")
        self.state(d, "f", "Failed")
        wait_until(lambda: f"it came again: {self.trees(d)}", lambda: len(self.trees(d)) == 1)
        d.delete("f")
        wait_until(lambda: f"nothing is left: {rows()} {self.trees(d)}", lambda: not rows() and not self.trees(d))

    def test_a_version_with_snapstart_does_not_wait_for_what_never_comes(self):
        s = self.liar(lambda h, blob: h.send(404))
        d = self.talks_to(s)
        self.post(d, "f", f"{s.host}/x:1", SnapStart={"ApplyOn": "PublishedVersions"}, Publish=True)
        failed = self.state(d, "f", "Failed")
        v = d.request("GET", "/2015-03-31/functions/f:1/configuration").json
        self.assertEqual([v[k] for k in ("State", "StateReasonCode", "StateReason")], [failed[k] for k in ("State", "StateReasonCode", "StateReason")])

    def test_what_its_manifest_says(self):
        s = self.liar()
        d = self.talks_to(s)
        manifest = json.loads(s.image.manifest)
        def with_(**change):
            s.image.manifest = json.dumps({**manifest, **change}).encode()
        for change, words in (({"layers": []}, "has no layers"), ({"schemaVersion": 1}, "none of OCI's"), ({"config": {}}, "names no configuration"), ({"layers": [{**manifest["layers"][0], "digest": "sha512:" + "0" * 128}]}, "no sha256 digest"),
                              ({"layers": [{**manifest["layers"][0], "mediaType": "application/vnd.x"}]}, "media type"), ({"layers": manifest["layers"] * 600}, "1200 layers"), ({"layers": [{**manifest["layers"][0], "size": -1}]}, "no size"),
                              ({"config": {**manifest["config"], "mediaType": "application/vnd.oci.empty.v1+json"}}, "no container image"), ({"x": "y" * (5 << 20)}, "more than the 4194304 bytes")):
            with_(**change)
            r = self.post(d, "f", f"{s.host}/x:1", 400)
            self.assertIn("is not supported", r.json["message"])
            self.assertRegex(r.json["message"], words)
        s.image.manifest = b"{" * 1000
        self.post(d, "f", f"{s.host}/x:1", 400)
        s.image.manifest = json.dumps(manifest).encode()
        self.assertIn("not what its digest says", self.post(d, "f", f"{s.host}/x@sha256:{'0' * 64}", 400).json["message"])

    def test_what_its_configuration_says(self):
        """Of what is in the layers (rootfs.diff_ids): the blobs are what their digests say, and that is not all there is to them."""
        layers = [tar([("base", os.urandom(500).hex())]), tar([("top", os.urandom(100000))])]
        true, rootfs = Image(layers, cmd=["/x"]), lambda *ids: {"rootfs": {"type": "layers", "diff_ids": list(ids)}}
        ids = json.loads(true.config)["rootfs"]["diff_ids"]
        packed = true.layers[1]["digest"]
        s = Liar(true)
        self.addCleanup(s.end)
        d = self.talks_to(s)
        says = lambda layer, it, other: f"the layer {layer} unpacks to {it[:19]}..., its configuration says {other[:19]}..."
        for lie, words in (((ids[0], packed), says(packed, ids[1], packed)), ((ids[1], ids[0]), says(true.layers[0]["digest"], ids[0], ids[1]) + "|" + says(packed, ids[1], ids[0]))):
            s.image = Image(layers, cmd=["/x"], config=rootfs(*lie))
            self.failed(d, s, "InvalidImage", words.replace(".", "[.]"))
        for lie, words in (((), "of 0 layers, its manifest of 2"), ((ids[0],), "of 1 layers, its manifest of 2"), ((*ids, ids[0]), "of 3 layers, its manifest of 2"), ((ids[0], "sha256:x"), "is no sha256 digest"), ((ids[0], None), "is no sha256 digest")):
            s.image = Image(layers, cmd=["/x"], config=rootfs(*lie))
            self.assertIn(words, self.post(d, "f", f"{s.host}/x:1", 400).json["message"])
        s.image = Image(layers, cmd=["/x"], config={"rootfs": None})
        self.assertIn("does not say what its layers are", self.post(d, "f", f"{s.host}/x:1", 400).json["message"])
        s.image = true
        self.container(d, "honest", f"{s.host}/x:1")
        for restart in (False, True):  # and of what is here by now, with the root of one that did not lie
            if restart:
                d.stop()
                d.start()
            s.image = Image(layers, cmd=["/y"], config=rootfs(ids[1], ids[1]))
            self.post(d, "f", f"{s.host}/x:1")
            c = self.state(d, "f", "Failed")
            self.assertEqual((c["StateReasonCode"], c["StateReason"].count("its configuration says")), ("InvalidImage", 1), c)
            d.delete("f")
            self.assertEqual(self.get(d, "honest")["Configuration"]["State"], "Active")
            path = s.image.archive(f"{self.dir}/lie.tar")
            self.assertIn("its configuration says", self.fnctl(d, "images", "import", path, expect=3))

    def test_a_liar_beside_others(self):
        """Two wait for one layer; who has told the truth of it gets it."""
        layers = [tar([("base", os.urandom(500).hex())]), tar([("top", os.urandom(100000))])]
        true = Image(layers, cmd=["/x"])
        lie = Image(layers, cmd=["/x"], config={"rootfs": {"type": "layers", "diff_ids": [json.loads(true.config)["rootfs"]["diff_ids"][0]] * 2}})
        for first, second in ((true, lie), (lie, true)):
            go = threading.Event()
            def waits(h, blob):
                go.wait(60)
                h.send(200, blob)
            s = Liar(first, waits)
            self.addCleanup(s.end)
            d = self.talks_to(s, timeout_s=30)
            self.post(d, "a", f"{s.host}/x:1")
            wait_until("the layer is asked for", lambda: any(p.endswith(true.layers[1]["digest"]) for p, _, _ in s.asked))
            s.image = second
            self.post(d, "b", f"{s.host}/x:1")
            go.set()
            honest, liar = ("a", "b") if first is true else ("b", "a")
            self.state(d, honest, "Active")
            self.assertEqual(self.state(d, liar, "Failed")["StateReasonCode"], "InvalidImage")

    def test_goes_on_where_it_was(self):
        """A connection that is cut: with ranges, and with a server that knows none."""
        for ranges in (True, False):
            def cuts(h, blob):
                said = h.headers.get("Range")
                start = int(said[6:-1]) if said and ranges else 0
                end = min(start + 30000, len(blob)) if ranges else min(30000 * sum(p == h.path for p, _, _ in h.server.asked), len(blob))
                more = {"Content_Range": f"bytes {start}-{len(blob) - 1}/{len(blob)}"} if start else {}
                h.send(206 if start else 200, blob[start:end], Content_Length=str(len(blob) - start), **more)
                h.close_connection = True
            s = self.liar(cuts, image={"compression": ""})
            d = self.talks_to(s)
            self.container(d, "f", f"{s.host}/x:1")
            asked = [r for p, r, _ in s.asked if p.endswith(s.image.layers[-1]["digest"])]
            self.assertGreater(len(asked), 2)
            self.assertIn("bytes=30000-", asked)

    def test_tokens(self):
        """Bearer tokens, anonymous and for a user; a redirect to somebody else is not told who asks."""
        elsewhere = self.liar()
        def leads_away(h, blob):
            h.send(307, Location=f"http://{elsewhere.host}/v2/x/blobs/{h.server.image.layers[-1]['digest']}")
        s = self.liar(leads_away, token="a-token", basic="me:secret")
        elsewhere.image = s.image
        auth = f"{self.dir}/auth.json"
        def write(**of):
            with open(auth, "w") as f:
                json.dump({"auths": {s.host: of}}, f)
            os.chmod(auth, 0o600)
        write(username="me", password="wrong")
        d = self.talks_to(s, auth_file=auth)
        self.assertIn("are refused", self.post(d, "f", f"{s.host}/x:1", 403).body.decode())
        write(auth=base64.b64encode(b"me:secret").decode())
        os.kill(d.process.pid, signal.SIGHUP)
        wait_until("the configuration is read again", lambda: d.log().count("ready on http") > 1)
        self.container(d, "f", f"{s.host}/x:1")
        self.assertTrue(elsewhere.asked)
        self.assertEqual({a for _, _, a in elsewhere.asked}, {None})
        s.basic = None  # whoever asks gets one
        with open(auth, "w") as f:
            json.dump({"auths": {}}, f)
        d.stop()
        d.start()
        self.post(d, "g", f"{s.host}/x:1")
        self.state(d, "g", "Active")

    def test_kill_in_the_midst(self):
        """Of everything at once, and of fn-spawnd alone: nothing is left, and the pull goes on."""
        go = threading.Event()
        def slow(h, blob):
            h.send(200, blob[:50000], Content_Length=str(len(blob)))
            while not go.wait(0.2) and not h.server.stop.is_set():
                pass
            h.close_connection = True
        s = self.liar(slow, image={"compression": ""})
        d = self.daemon({"registries": {"timeout_s": 60, "hosts": {s.host: {"plain_http": True}}}})
        top = "oci-" + s.image.layers[-1]["digest"][7:]
        half = lambda: any(x.startswith(".tmp-") for x in os.listdir(os.path.join(d.state, "roots")))
        self.post(d, "f", f"{s.host}/x:1")
        wait_until("half of it is here", half)
        self.assertEqual(self.get(d, "f")["Configuration"]["State"], "Pending")
        self.assertEqual(d.invoke("f", b"1").status, 409)
        for whom in (("spawnd",), ("worker",)):
            for pid in d.pids()[whom[0]]:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: f"it has begun again {d.log()[-1500:]}", half)
            wait_until("it is there again", d.is_ready)
        os.killpg(d.process.pid, signal.SIGKILL)
        d.process.wait()
        self.assertNotIn(top, self.trees(d))
        s.behave = None
        go.set()
        d.start()
        self.state(d, "f", "Active")
        self.assertEqual(len(self.trees(d)), 3)
        self.assertFalse(half())
        d.stop()
        self.leaves_nothing(d)

    def test_an_update_that_fails(self):
        """The function goes on with what it was, also over a restart in the midst of it."""
        image = native()
        s = Liar(image)
        self.addCleanup(s.end)
        d = self.talks_to(s)
        self.container(d, "f", f"{s.host}/x:1")
        good = image.digest[7:]
        go = threading.Event()
        def held(h, blob):
            h.send(200, blob[:10], Content_Length=str(len(blob)))
            go.wait(60)
            h.close_connection = True
        s.image, s.behave = native([("new", os.urandom(20000))], compression=""), held
        bad = s.image.digest[7:]
        r = d.request("PUT", "/2015-03-31/functions/f/code", {"ImageUri": f"{s.host}/x:1"})
        self.assertEqual((r.status, r.json["CodeSha256"], r.json["LastUpdateStatus"]), (200, bad, "InProgress"))
        self.assertEqual(d.invoke("f", b"1").json, 1)
        self.assertEqual(d.request("PUT", "/2015-03-31/functions/f/code", {"ImageUri": f"{s.host}/x:1"}).status, 409)
        os.killpg(d.process.pid, signal.SIGKILL)
        d.process.wait()
        d.start()
        self.assertEqual(self.get(d, "f")["Configuration"]["LastUpdateStatus"], "InProgress")
        self.assertEqual(d.invoke("f", b"2").json, 2)
        def gone(h, blob):
            h.send(404)
        s.behave = gone
        go.set()
        wait_until(lambda: f"it fails: {self.get(d, 'f')}", lambda: self.get(d, "f")["Configuration"]["LastUpdateStatus"] == "Failed")
        c = self.get(d, "f")["Configuration"]
        self.assertEqual((c["State"], c["LastUpdateStatusReasonCode"], c["CodeSha256"]), ("Active", "ImageDeleted", good))
        self.assertEqual(d.invoke("f", b"3").json, 3)
