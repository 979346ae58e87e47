"""Java: cold invocations of a hello, started ahead and plainly, beside `java` itself, CRIU's restore of it and AWS's own client on the same virtual machine; and with a class path of an AWS SDK's size.
What one that waits costs in memory."""
import contextlib, glob, json, os, re, shutil, subprocess

import criu, javac
from common import BUILD, FULL_CPU_MB, create, quantile
from harness import IMAGES, descendants, make_zip, shared, wait_until
from invocations import cold_round, daemon

HELLO = {"H.java": "import com.amazonaws.services.lambda.runtime.*;\nimport java.util.*;\npublic class H implements RequestHandler<Map<String, Object>, Object> {\n"
                   "public Object handleRequest(Map<String, Object> e, Context c) { return e; } }\n"}
MAIN = {"Hello.java": 'public class Hello { public static void main(String[] a) { System.out.println("hello"); } }\n'}
MEMORY_MB = 15  # private, of one that waits: the aim


def tree(version):
    """The image as one tree, for its `java` to run as it is."""
    state = shared().state
    with open(f"{state}/images/{version}.json") as f:
        layers = json.load(f)["layers"]
    to = f"{state}/bench-{version}"
    for layer in reversed(layers):
        subprocess.run(["/bin/cp", "-al", "--remove-destination", "-T", f"{state}/roots/{layer}", to], check=True)
    os.makedirs(to + "/app", exist_ok=True)
    for name, data in javac.compiled({**MAIN, **criu.HELD}).items():
        with open(f"{to}/app/{name}", "wb") as f:
            f.write(data)
    return to


def java_hello(tree, n):
    """Microseconds of `java Hello` with nothing set, each, until its end."""
    script = 'mount --bind /proc "$0/proc"; for i in $(seq $1); do s=$(date +%s%N); chroot "$0" /var/lang/bin/java -cp /app Hello >/dev/null; e=$(date +%s%N); echo $(((e - s) / 1000)); done'
    r = subprocess.run(["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, tree, str(n)], stdout=subprocess.PIPE, text=True, check=True, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"})
    return [int(x) for x in r.stdout.split()]


def waiting(d):
    """Bytes of each virtual machine of this daemon's that waits, which are its own: pages of files are the cache's, or all others' too."""
    found = []
    for pid in descendants(d.process.pid):
        try:
            with open(f"/proc/{pid}/comm") as f, open(f"/proc/{pid}/cmdline") as c:
                if f.read().strip() != "fn-ready" or "java" not in c.read():
                    continue
            with open(f"/proc/{pid}/smaps_rollup") as f:
                found.append(1024 * int(re.search(r"Anonymous:\s+(\d+)", f.read())[1]))
        except OSError:
            pass
    return found


def aws_client():
    """lib/*.jar of AWS's own runtime interface client, from Maven's repository; {} where it is out of reach."""
    to = os.path.abspath("build/maven/aws-ric")
    if not glob.glob(to + "/*.jar") and shutil.which("mvn"):
        for name in ("aws-lambda-java-runtime-interface-client:2.10.1", "aws-lambda-java-core:1.4.0", "aws-lambda-java-serialization:1.2.0"):
            subprocess.run(["mvn", "-q", "-B", "dependency:copy", f"-Dartifact=com.amazonaws:{name}", f"-DoutputDirectory={to}"], stdout=subprocess.DEVNULL)
        subprocess.run(["mvn", "-q", "-B", "dependency:copy", "-Dartifact=software.amazon.awssdk:utils-lite:2.34.0", f"-DoutputDirectory={to}"], stdout=subprocess.DEVNULL)
    found = {}
    for path in glob.glob(to + "/*.jar"):
        with open(path, "rb") as f:
            found["lib/" + os.path.basename(path)] = f.read()
    return found


def bootstrap(java="/var/lang/bin/java"):
    return f"#!/bin/sh\nexec {java} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:MaxHeapSize=1504M -cp '/var/task/lib/*' com.amazonaws.services.lambda.runtime.api.client.AWSLambda \"$_HANDLER\"\n"


def jvm(b):
    rounds, n = (2, 2) if b.quick else (6, 4)
    own = aws_client()
    restorer, no_criu = criu.usable(BUILD)
    if no_criu:
        b.note(f"CRIU: {no_criu}")
    for version in ("java17", "java21", "java25"):
        if not os.path.exists(os.path.join(IMAGES, version + ".json")):
            b.note(f"{version} is not built: make images IMAGES={version}")
            continue
        b.say(f"cold: {version}")
        kind, peer_tree = (version, "H", make_zip(javac.compiled(HELLO))), tree(version)
        wrap = make_zip({**javac.compiled(HELLO), **own, "wrap": bootstrap().replace("exec ", "unset AWS_LAMBDA_EXEC_WRAPPER\nexec ")}, {"wrap": 0o755})
        plain, ahead, hello, theirs, memory, restored = [], [], [], [], [], []
        with daemon({"prestarted_most": 0, "prestarted_least": 0}) as d, daemon({"prestarted_least": n + 2}) as s, criu.Peer(restorer, peer_tree) if restorer else contextlib.nullcontext() as held:
            for k in range(rounds):
                for where, prefix, given, into in ((d, "p", kind, plain), (s, "a", kind, ahead)) + (((d, "t", (version, "H", wrap), theirs),) if own else ()):
                    for i in range(n):
                        more = {"Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}}} if prefix == "t" else {}
                        create(where, f"{prefix}{k * n + i}", given, **more)
                        where.settled(f"{prefix}{k * n + i}")
                    if where is s:
                        wait_until(f"{version} has been started ahead", lambda: any(name.startswith(version) and c >= n for name, c in s.doctor()["Prepared"].items() if isinstance(c, int)))
                        memory.append(waiting(s))
                    into.append(cold_round(b, where, prefix, k * n, n, 100)[0])
                    for i in range(n):
                        where.delete(f"{prefix}{k * n + i}")
                hello.append(java_hello(peer_tree, n))
                if held:
                    restored.append(held.restored(n))
        why = held.why if held else no_criu
        for label, values, aim in (("plain", plain, None), ("ahead", ahead, 40000)):
            figure = f"cold_{version}_{label}_us"
            b.figure(figure, values, aim=aim, memory_mb=FULL_CPU_MB, what="100 ms after the one before")
            b.peer(figure, "java Hello", hello, **({"aim": 1.5} if label == "plain" else {}))
            if theirs:
                b.peer(figure, "AWS's own client on it", theirs)
            if why:
                b.absent(figure, "CRIU's restore of it", why)
            else:
                b.peer(figure, "CRIU's restore of it", restored, note=f"until it has printed; the image {held.dump['image_bytes'] >> 20} MB, its dump took {held.dump['dump_us'] // 1000} ms")
        b.figure(f"memory_{version}_waiting_bytes", memory, unit="bytes", aim=MEMORY_MB << 20, what="private")
        b.say(f"{version}: plain {quantile(sum(plain, []), 0.5)}, ahead {quantile(sum(ahead, []), 0.5)}, java Hello {quantile(sum(hello, []), 0.5)}, CRIU's restore {quantile(sum(restored, []), 0.5)}, AWS's client {quantile(sum(theirs, []), 0.5)} us")
