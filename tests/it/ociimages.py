"""Container images made by hand: layers as tars to the byte, OCI layouts, what `docker save` writes; and real registries (docker-registry) on loopback."""
import base64, gzip, hashlib, http.server, io, json, os, subprocess, tarfile, tempfile, threading, time, unittest, urllib.parse

import harness
from servers import Server

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def tar(entries, fmt=tarfile.PAX_FORMAT, errors="strict"):
    """[(name, content or None for a directory, {attribute of TarInfo: value})] -> bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=fmt, errors=errors) as t:
        for name, content, *rest in entries:
            info = tarfile.TarInfo(name)
            info.mode, info.mtime = (0o755, 1700000000) if content is None else (0o644, 1700000000)
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            data = content.encode() if isinstance(content, str) else content or b""
            info.size = len(data)
            for key, value in (rest[0] if rest else {}).items():
                setattr(info, key, value)
            t.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return out.getvalue()


def zstd(data):
    return subprocess.run(["zstd", "-q", "-3"], input=data, stdout=subprocess.PIPE, check=True).stdout


def base(runtime):
    """The layers that a runtime's base image has, as paths of tars that are named by their digests."""
    path = os.path.join(harness.IMAGES, runtime + ".json")
    if not os.path.exists(path):
        raise unittest.SkipTest(f"the image of {runtime} is not built: make images IMAGES={runtime}")
    with open(path) as f:
        return [os.path.join(harness.IMAGES, layer["file"]) for layer in reversed(json.load(f)["layers"])]


def tree(files, modes=None):
    """{path: content}, a tar of them and of the directories that they want."""
    directories = sorted({d for name in files for d in [name.rsplit("/", n)[0] for n in range(1, name.count("/") + 1)]})
    return tar([(d, None) for d in directories] + [(name, content, {"mode": (modes or {}).get(name, 0o755 if content[:2] in ("#!", b"#!") or content[:4] == b"\x7fELF" else 0o644)})
                for name, content in files.items()])


class Image:
    """layers: tars, lowest first, or paths of such, named by their digests and taken as they are. compression: of each, or one for all: "", "gzip", "zstd"."""

    def __init__(self, layers, entrypoint=None, cmd=None, env=None, workdir=None, user=None, labels=None, compression="gzip", docker=False, config=None, architecture=ARCH):
        how = [compression] * len(layers) if isinstance(compression, str) else compression
        self.blobs, self.layers, diff_ids = {}, [], []
        for data, c in zip(layers, how):
            if isinstance(data, str):
                diff_ids.append("sha256:" + os.path.basename(data)[:64])
                self.blobs[diff_ids[-1]] = data
                self.layers.append({"mediaType": "application/vnd.docker.image.rootfs.diff.tar" if docker else LAYER, "digest": diff_ids[-1], "size": os.path.getsize(data)})
                continue
            diff_ids.append("sha256:" + sha256(data))
            packed = gzip.compress(data, 1, mtime=0) if c == "gzip" else zstd(data) if c == "zstd" else data
            kind = "application/vnd.docker.image.rootfs.diff.tar" + (".gzip" if c == "gzip" else "") if docker else LAYER + (f"+{c}" if c else "")
            self.layers.append({"mediaType": kind, "digest": self.add(packed), "size": len(packed)})
        inner = {k: v for k, v in (("Entrypoint", entrypoint), ("Cmd", cmd), ("Env", env), ("WorkingDir", workdir), ("User", user), ("Labels", labels)) if v is not None}
        self.config = json.dumps({"architecture": architecture, "os": "linux", "config": inner, "rootfs": {"type": "layers", "diff_ids": diff_ids}, **(config or {})}).encode()
        self.manifest_type = "application/vnd.docker.distribution.manifest.v2+json" if docker else MANIFEST
        self.write_manifest("application/vnd.docker.container.image.v1+json" if docker else CONFIG)

    def add(self, data):
        digest = "sha256:" + sha256(data)
        self.blobs[digest] = data
        return digest

    def write_manifest(self, config_type=CONFIG):
        self.manifest = json.dumps({"schemaVersion": 2, "mediaType": self.manifest_type, "config": {"mediaType": config_type, "digest": self.add(self.config), "size": len(self.config)},
                                    "layers": self.layers}).encode()
        self.digest = self.add(self.manifest)

    def layout(self, path, platform=True):
        """An OCI layout."""
        os.makedirs(f"{path}/blobs/sha256")
        for digest, data in self.blobs.items():
            if isinstance(data, str):
                os.symlink(os.path.abspath(data), f"{path}/blobs/sha256/{digest[7:]}")
                continue
            with open(f"{path}/blobs/sha256/{digest[7:]}", "wb") as f:
                f.write(data)
        entry = {"mediaType": self.manifest_type, "digest": self.digest, "size": len(self.manifest)}
        if platform:
            entry["platform"] = {"architecture": ARCH, "os": "linux"}
        with open(f"{path}/index.json", "w") as f:
            json.dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}, f)
        with open(f"{path}/oci-layout", "w") as f:
            json.dump({"imageLayoutVersion": "1.0.0"}, f)
        return path

    def archive(self, path):
        """oci-archive: a tar of the layout."""
        with tempfile.TemporaryDirectory() as d:
            self.layout(f"{d}/l")
            with tarfile.open(path, "w", dereference=True) as t:
                t.add(f"{d}/l", arcname=".")
        return path


def attestation(image):
    """What BuildKit has in an index for each of its images: a manifest for no platform, of what it knows of how that was made. Adds its blobs; its descriptor."""
    statement = json.dumps({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2", "subject": [], "predicate": {"buildType": "https://mobyproject.org/buildkit@v1"}}).encode()
    config = json.dumps({"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha256(statement)]}}).encode()
    kind = "application/vnd.in-toto+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {"mediaType": CONFIG, "digest": image.add(config), "size": len(config)},
                           "layers": [{"mediaType": kind, "digest": image.add(statement), "size": len(statement), "annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"}}]}).encode()
    return {"mediaType": MANIFEST, "digest": image.add(manifest), "size": len(manifest), "platform": {"architecture": "unknown", "os": "unknown"},
            "annotations": {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.digest}}


def buildkit(image, path):
    """The archive that BuildKit writes of it (`--output type=oci`, with provenance): an index of one index, that of the image and its attestation."""
    inner = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        attestation(image), {"mediaType": image.manifest_type, "digest": image.digest, "size": len(image.manifest), "platform": {"architecture": ARCH, "os": "linux"}}]}).encode()
    outer = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"mediaType": INDEX, "digest": image.add(inner), "size": len(inner), "annotations": {
        "io.containerd.image.name": "docker.io/library/kit:1", "org.opencontainers.image.created": "2026-11-30T00:00:00Z", "org.opencontainers.image.ref.name": "1"}}]}
    with open(path, "wb") as f:
        f.write(tar([("blobs", None), ("blobs/sha256", None), *((f"blobs/sha256/{digest[7:]}", data) for digest, data in image.blobs.items()),
                     ("index.json", json.dumps(outer)), ("oci-layout", '{"imageLayoutVersion":"1.0.0"}')]))
    return path


def deeper(path):
    """Of an OCI layout's index.json a blob, and a new one that leads to it."""
    with open(f"{path}/index.json", "rb") as f:
        inner = f.read()
    with open(f"{path}/blobs/sha256/{sha256(inner)}", "wb") as f:
        f.write(inner)
    with open(f"{path}/index.json", "w") as f:
        json.dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"mediaType": INDEX, "digest": "sha256:" + sha256(inner), "size": len(inner)}]}, f)


def native(files=(), **config):
    """A FROM scratch image with the test program, statically linked, as its entry point."""
    with open(os.path.join(harness.BUILD, "fixtures/bootstrap"), "rb") as f:
        program = f.read()
    return Image([tar([("app", None), ("app/main", program, {"mode": 0o755}), *files])], **{"entrypoint": ["/app/main"], **config})


# --- real registries ---
def unpacked(*packages):
    """The directory that these packages of Debian's are unpacked in beside the tests, and not installed: they would start services. Skips loudly where the archive is out of reach."""
    import fcntl, glob
    home = os.path.join(harness.TOP, "build", packages[0])
    os.makedirs(home, exist_ok=True)
    with open(os.path.join(home, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(home, "x")):
            r = subprocess.run(["apt-get", "-q", "download", *packages], cwd=home, capture_output=True, text=True)
            if r.returncode:
                raise unittest.SkipTest(f"{packages[0]} cannot be had from Debian: " + r.stderr.strip()[-200:])
            for package in glob.glob(os.path.join(home, "*.deb")):
                subprocess.run(["dpkg", "-x", package, os.path.join(home, "x.tmp")], check=True)
            os.rename(os.path.join(home, "x.tmp"), os.path.join(home, "x"))
    return os.path.join(home, "x")


def apart(*argv):
    """A daemon's mounts in a namespace of their own, where it has its own /run and /opt: containerd and runc write there, and no option says where else."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", 'mount -t tmpfs tests /run && mount -t tmpfs tests /opt && exec "$@"', "sh", *argv]


class Docker(Server):
    """dockerd, over a directory of its own; builds without a network."""
    GROUP = "fnd-test-docker"

    def __init__(self, directory):
        self.directory, self.programs = directory, unpacked("docker.io", "containerd")
        if not os.path.exists("/usr/sbin/runc"):
            raise unittest.SkipTest("runc is not installed")
        self.env = {**os.environ, "PATH": f"{self.programs}/usr/bin:{self.programs}/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "DOCKER_BUILDKIT": "0", "DOCKER_CONFIG": directory}
        with open(f"{directory}/daemon.json", "w") as f:
            json.dump({"deprecated-key-path": f"{directory}/key.json"}, f)  # it has no option for that
        super().__init__(apart("dockerd", "--config-file", f"{directory}/daemon.json", "--data-root", f"{directory}/data", "--exec-root", f"{directory}/exec", "--pidfile", f"{directory}/pid", "-H",
                               f"unix://{directory}/sock", "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--storage-driver=vfs", "--cgroup-parent=/" + self.GROUP), None, self.env)

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"dockerd has ended: {self.said()}")
        return "API listen on" in self.said()

    def run(self, *args):
        return subprocess.run([f"{self.programs}/usr/bin/docker", "-H", f"unix://{self.directory}/sock", *args], env=self.env, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout

    def stop(self):
        self.process.terminate()  # it ends its containerd
        self.process.wait()
        for base, groups, _ in os.walk("/sys/fs/cgroup"):
            if self.GROUP in groups:
                os.rmdir(os.path.join(base, self.GROUP))
                groups.remove(self.GROUP)


class BuildKit(Server):
    """buildkitd, over a directory of its own; builds without a network."""

    def __init__(self, directory):
        import compiled
        self.directory, self.programs = directory, compiled.commands("github.com/moby/buildkit@v0.34.2", ["buildkitd", "buildctl"])
        if not os.path.exists("/usr/sbin/runc"):
            raise unittest.SkipTest("runc is not installed")
        super().__init__(apart(self.programs + "/buildkitd", "--root", f"{directory}/kit", "--addr", f"unix://{directory}/kit.sock", "--oci-worker-snapshotter=native",
                               "--oci-worker-net=host", "--oci-worker-no-process-sandbox=false", "--containerd-worker=false"), None, {"TMPDIR": directory})

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"buildkitd has ended: {self.said()}")
        return "running server on" in self.said()

    def build(self, context, to, base, *options):
        """Of its Containerfile, `base` in it being an OCI layout; with what BuildKit attests."""
        with open(base + "/index.json") as f:
            digest = json.load(f)["manifests"][0]["digest"]
        r = subprocess.run([self.programs + "/buildctl", "--addr", f"unix://{self.directory}/kit.sock", "build", "--progress=plain", "--frontend=dockerfile.v0", "--local", "context=" + context, "--local",
                            "dockerfile=" + context, "--opt", "filename=Containerfile", "--opt", "force-network-mode=none", "--oci-layout", "base=" + base, "--opt", f"context:base=oci-layout://base@{digest}",
                            "--opt", "attest:provenance=mode=max", "--output", to, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert r.returncode == 0, r.stdout + self.said()

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Registry(Server):
    """docker-registry on loopback, over a directory of its own."""

    def __init__(self, directory, tls=None, htpasswd=None, token=None, port=None):
        self.directory, self.port, self.tls = directory, port or harness.free_port(), tls
        auth = ""
        if htpasswd:
            auth = f"auth: {{htpasswd: {{realm: tests, path: {htpasswd}}}}}\n"
        if token:
            auth = f"auth: {{token: {{realm: '{token['realm']}', service: tests, issuer: tests, rootcertbundle: {token['bundle']}}}}}\n"
        with open(f"{directory}/config.yml", "w") as f:
            f.write("version: 0.1\nlog: {level: warn, accesslog: {disabled: true}}\n" + f"storage: {{filesystem: {{rootdirectory: {directory}/data}}, delete: {{enabled: true}}}}\n"
                    f"http:\n  addr: 127.0.0.1:{self.port}\n  secret: tests\n" + (f"  tls: {{certificate: {tls[1]}, key: {tls[2]}}}\n" if tls else "") + auth)
        super().__init__([unpacked("docker-registry") + "/usr/bin/docker-registry", "serve", f"{directory}/config.yml"], self.port, {"OTEL_TRACES_EXPORTER": "none"})

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def request(self, method, path, body=None, headers=None):
        import http.client, ssl
        c = http.client.HTTPSConnection("127.0.0.1", self.port, context=ssl.create_default_context(cafile=self.tls[0])) if self.tls else http.client.HTTPConnection("127.0.0.1", self.port)
        try:
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            return r.status, dict(r.getheaders()), r.read()
        finally:
            c.close()

    def push(self, image, name, tag="latest", headers=None, index=None):
        """As clients do: blobs, then the manifest. index: others that an index has beside it."""
        from urllib.parse import urlsplit
        headers = headers or {}
        for digest, data in image.blobs.items():
            if digest == image.digest or self.request("HEAD", f"/v2/{name}/blobs/{digest}", headers=headers)[0] == 200:
                continue
            status, got, body = self.request("POST", f"/v2/{name}/blobs/uploads/", headers=headers)
            assert status == 202, (status, body)
            to = urlsplit(got["Location"])
            if isinstance(data, str):
                with open(data, "rb") as f:
                    data = f.read()
            status, got, body = self.request("PUT", f"{to.path}?{to.query}&digest={digest}", data, {**headers, "Content-Type": "application/octet-stream"})
            assert status == 201, (status, body)
        where = image.digest if index is not None else tag
        status, got, body = self.request("PUT", f"/v2/{name}/manifests/{where}", image.manifest, {**headers, "Content-Type": image.manifest_type})
        assert status == 201, (status, body)
        if index is not None:
            self.push_index(name, tag, [*index, {"mediaType": image.manifest_type, "digest": image.digest, "size": len(image.manifest), "platform": {"architecture": ARCH, "os": "linux"}}], headers)
        return f"{self.host}/{name}:{tag}"

    def push_index(self, name, tag, manifests, headers=None):
        """Its descriptor."""
        text = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()
        status, got, body = self.request("PUT", f"/v2/{name}/manifests/{tag}", text, {**(headers or {}), "Content-Type": INDEX})
        assert status == 201, (status, body)
        return {"mediaType": INDEX, "digest": "sha256:" + sha256(text), "size": len(text)}


class TokenIssuer:
    """Of the tokens that docker-registry trusts (distribution's "token authentication"): for names that begin with "public" to anybody, for others to "user" with his password or his identity token."""

    def __init__(self, tls, password, identity):
        self.password, self.identity, self.key = password, identity, tls[2]
        self.certificate = base64.b64encode(subprocess.run(["openssl", "x509", "-in", tls[1], "-outform", "der"], check=True, capture_output=True).stdout).decode()
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, form, user, refused):
                body = b"{}" if refused else json.dumps({"access_token" if self.command == "POST" else "token": issuer.token(form.get("scope", []), user)}).encode()
                self.send_response(401 if refused else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                given = self.headers.get("Authorization")
                right = given == "Basic " + base64.b64encode(f"user:{issuer.password}".encode()).decode()
                self.answer(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query), "user" if right else "", given and not right)

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.answer(form, "user", form.get("grant_type") != ["refresh_token"] or form.get("refresh_token") != [issuer.identity])

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.realm = f"http://127.0.0.1:{self.server.server_port}/token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, scopes, user):
        def text(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",") if user or name.startswith("public") else []})
        now = int(time.time())
        head = {"typ": "JWT", "alg": "ES256", "x5c": [self.certificate]}
        claims = {"iss": "tests", "sub": user, "aud": "tests", "iat": now, "nbf": now - 60, "exp": now + 300, "jti": os.urandom(8).hex(), "access": access}
        signed = text(json.dumps(head).encode()) + b"." + text(json.dumps(claims).encode())
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=signed, check=True, capture_output=True).stdout
        r, s = der[4:4 + der[3]], der[6 + der[3]:]  # SEQUENCE of two INTEGERs
        return (signed + b"." + text(b"".join(int.from_bytes(n, "big").to_bytes(32, "big") for n in (r, s)))).decode()

    def end(self):
        self.server.shutdown()
        self.server.server_close()
