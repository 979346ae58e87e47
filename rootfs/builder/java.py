"""Java in an image: classes compiled by the host's compiler, the key store of the certificates that the image trusts, and the archive of loaded classes with
which its virtual machine starts (CDS; the AOT cache of Java 25 and later), made by running it as a function's."""
import glob, hashlib, http.server, os, re, shutil, signal, socket, struct, subprocess, tempfile, threading, zipfile

from debian import ENV, fail
from tree import FIXED_TIME, write

STEP_S = 120
EVENTS = [b'{"name":"a","number":1,"list":["x"],"any":{"k":[1,2.5,true,null,"v"]}}', b'{"name":"\xc3\xa4","fail":true}', b'{"name":"b","number":2}']


# --- classes ------------------------------------------------------------------------------------------------------------------------
def javac():
    found = [p for p in ["/usr/bin/javac"] + sorted(glob.glob("/usr/lib/jvm/*/bin/javac")) if os.path.exists(p)]
    if not found:
        fail("Java's images are compiled with javac, and there is none (package openjdk-17-jdk-headless or openjdk-21-jdk-headless; `make deps`)")
    return found[0]


def jar(path, classes):
    """The same classes give the same bytes. Not compressed: whatever reads it, reads it at a cold start."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:
        for name in sorted(os.path.relpath(os.path.join(base, n), classes) for base, _, names in os.walk(classes) for n in names):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            with open(os.path.join(classes, name), "rb") as f:
                z.writestr(info, f.read())


def compile(sources, path, class_path=""):
    """All below `sources` into a jar that Java 8 and later run."""
    files = sorted(glob.glob(os.path.join(sources, "**/*.java"), recursive=True))
    with tempfile.TemporaryDirectory() as classes:
        r = subprocess.run([javac(), "--release", "8", "-g", "-nowarn", "-Xlint:-options", "-encoding", "UTF-8", "-cp", class_path or classes, "-d", classes] + files,
                           env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if r.returncode:
            fail(f"{sources} cannot be compiled. javac says:\n{r.stdout.strip()}")
        jar(path, classes)


# --- certificates ---------------------------------------------------------------------------------------------------------------------
def keystore(root, roots, path):
    """A JKS file of what the image's bundle holds, as the package ca-certificates-java makes it when it is installed; its password is Java's usual one."""
    bundle = next((p for p in (os.path.join(r, "etc/ssl/certs/ca-certificates.crt") for r in roots) if os.path.exists(p)), None)
    if not bundle:
        fail("no layer of this image has etc/ssl/certs/ca-certificates.crt")
    import base64
    with open(bundle) as f:
        certificates = [base64.b64decode(c) for c in re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", f.read(), re.S)]
    data = struct.pack(">III", 0xFEEDFEED, 2, len(certificates))
    for i, c in enumerate(certificates):
        alias, kind = f"debian:{i}".encode(), b"X.509"
        data += struct.pack(">IH", 2, len(alias)) + alias + struct.pack(">QH", FIXED_TIME * 1000, len(kind)) + kind + struct.pack(">I", len(c)) + c
    data += hashlib.sha1("changeit".encode("utf-16-be") + b"Mighty Aphrodite" + data).digest()
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as f:
        f.write(data)


# --- the archive ------------------------------------------------------------------------------------------------------------------------
class RuntimeApi(http.server.BaseHTTPRequestHandler):
    """Of the Runtime API what a training takes: the events, and no more after them."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if not self.server.events:
            self.server.finished.set()
            self.server.closing.wait()
            return
        event = self.server.events.pop(0)
        self.answer(200, event, {"Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd", "Lambda-Runtime-Deadline-Ms": "2000000000000",
                                 "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:trainee", "Lambda-Runtime-Trace-Id": "Root=1-0-0;Sampled=0"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.path.endswith(("/response", "/error")) or "init" in self.path:
            self.server.failed.append(body.decode(errors="replace"))
        self.answer(202, b'{"status":"OK"}', {})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def inside(root, argv, env, **kw):
    """A program with that tree for its root, and /proc: as root by chroot, else in a user namespace."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    script = '/bin/mount --rbind /proc "$0/proc" && /bin/mount --rbind /dev "$0/dev" && exec /usr/sbin/chroot "$0" "$@"'
    return subprocess.Popen(["/usr/bin/unshare", *user, "--mount", "/bin/sh", "-c", script, root] + argv, env={**ENV, **env}, **kw)


def assemble(to, roots):
    """One tree of an image's layers, of hard links; lowest first."""
    for r in reversed(roots):
        subprocess.run(["/usr/bin/cp", "-al", "--remove-destination", "-T", r, to], check=True)
    for d in ("proc", "dev", "tmp", "var/task/lib"):
        os.makedirs(os.path.join(to, d), exist_ok=True)
    os.chmod(os.path.join(to, "tmp"), 0o1777)


def train(tree, options, main):
    """A run of the runtime, started ahead, with a function; ended once all events have been served: then it writes what it was asked for."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
    server.events, server.finished, server.closing, server.failed = list(EVENTS), threading.Event(), threading.Event(), []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ours, its = socket.socketpair()
    its_fd = its.fileno()
    env = {"LANG": "en_US.UTF-8", "TZ": ":UTC", "PATH": "/var/lang/bin:/usr/bin"}
    function = {**env, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}", "_HANDLER": "Trainee", "LAMBDA_TASK_ROOT": "/var/task", "AWS_LAMBDA_FUNCTION_NAME": "trainee",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST"}
    with tempfile.TemporaryFile() as log:
        p = inside(tree, ["/var/lang/bin/java"] + options + main + [str(its_fd)], env, stdout=log, stderr=log, pass_fds=[its_fd])
        try:
            its.close()
            ours.settimeout(STEP_S)
            text = b"".join(f"{k}={v}".encode() + b"\0" for k, v in function.items())
            ready = ours.recv(1) == b"!"
            ours.sendall(struct.pack("=I", len(text)) + text)
            good = ready and server.finished.wait(STEP_S) and not server.failed
            p.send_signal(signal.SIGTERM)
            p.wait(STEP_S)
        except (OSError, subprocess.TimeoutExpired):
            good = False
        finally:
            p.kill()
            p.wait()
            server.closing.set()
            server.shutdown()
            server.server_close()
            ours.close()
        log.seek(0)
        if not good:
            fail("the virtual machine's training has failed: " + "; ".join(server.failed) + "\n" + log.read().decode(errors="replace")[-3000:])


def run(tree, argv):
    p = inside(tree, argv, {}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    text, _ = p.communicate(timeout=STEP_S * 3)
    if p.returncode:
        fail(f"{' '.join(argv)} ends with {p.returncode}:\n{text[-3000:]}")


def archive(root, roots, stage, spec, trainee, say):
    """spec: {"kind": "boot" (classes of Java itself), "cds" or "aot", "file": path in the image, "main": [arguments of java for the runtime], "options": [more]}"""
    say("training the virtual machine")
    tree = os.path.join(stage, "trained")
    for base, _, names in os.walk(root):  # an archive is good for files of these times alone
        for n in names:
            os.utime(os.path.join(base, n), (FIXED_TIME, FIXED_TIME), follow_symlinks=False)
    assemble(tree, roots)
    path, java = "/" + spec["file"], "/var/lang/bin/java"
    class_path = ["-cp", spec["class_path"]]
    if spec["kind"] == "boot":
        run(tree, [java, "-XX:+UnlockDiagnosticVMOptions", "-XX:+UseSerialGC", f"-XX:SharedArchiveFile={path}", "-Xshare:dump"])
    else:
        compile(trainee, os.path.join(tree, "var/task/lib/trainee.jar"), os.path.join(tree, spec["class_path"].lstrip("/")))
        with zipfile.ZipFile(os.path.join(tree, "var/task/lib/trainee.jar")) as z:  # some of its classes by themselves, others in a jar
            z.extract("Trainee.class", os.path.join(tree, "var/task"))
        options = ["-XX:MaxHeapSize=445645k", "-XX:+UseSerialGC", "-XX:+TieredCompilation", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Djava.net.preferIPv4Stack=true"] + spec.get("options", [])
        main = class_path + [spec["main"]]
        if spec["kind"] == "cds":
            train(tree, ["-Xshare:off", "-XX:DumpLoadedClassList=/tmp/classes"] + options, main)
            listed = os.path.join(tree, "tmp/classes")
            with open(listed) as f:
                lines = [l for l in f if "source:" not in l]  # the function's own
            known = {l.split()[0] for l in lines if l[0] not in "@#"}
            with open(os.path.join(tree, "var/lang/lib/classlist")) as f:  # those of Java's own archive, which this one replaces
                lines += [l for l in f if l[0] != "#" and l.split()[0] not in known and l not in lines]
            with open(listed, "w") as f:
                f.writelines(lines)
            run(tree, [java, "-Xshare:dump", "-XX:+UseG1GC", "-Xmx256m", "-XX:SharedClassListFile=/tmp/classes", f"-XX:SharedArchiveFile={path}"] + spec.get("options", []) + class_path)
        else:
            train(tree, ["-XX:AOTMode=record", "-XX:AOTConfiguration=/tmp/recorded"] + options, main)
            run(tree, [java, "-XX:AOTMode=create", "-XX:AOTConfiguration=/tmp/recorded", f"-XX:AOTCache={path}", *options, *class_path])
    made = os.path.join(tree, spec["file"])
    if not os.path.exists(made):
        fail(f"no {path} has been written")
    os.makedirs(os.path.dirname(os.path.join(root, spec["file"])), exist_ok=True)
    shutil.copy(made, os.path.join(root, spec["file"]))
    shutil.rmtree(tree)
