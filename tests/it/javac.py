"""Java for functions of the tests, compiled by the machine's javac for Java 8 and later, against the interfaces that the runtime has (rootfs/java/src)."""
import atexit, functools, glob, os, shutil, subprocess, tempfile, unittest
from harness import TOP

SOURCES = os.path.join(TOP, "rootfs/java/src")
JAVAC = next((p for p in ["/usr/bin/javac"] + sorted(glob.glob("/usr/lib/jvm/*/bin/javac")) if os.path.exists(p)), None)


def run(sources, class_path, release):
    """{path: bytes} of the classes that {file name: text} are."""
    if not JAVAC:
        raise unittest.SkipTest("javac is not installed (openjdk-17-jdk-headless or openjdk-21-jdk-headless)")
    with tempfile.TemporaryDirectory() as d:
        for name, text in sources.items():
            os.makedirs(os.path.dirname(os.path.join(d, "s", name)), exist_ok=True)
            with open(os.path.join(d, "s", name), "w") as f:
                f.write(text)
        r = subprocess.run([JAVAC, "--release", str(release), "-g", "-nowarn", "-Xlint:-options", "-encoding", "UTF-8", "-cp", class_path, "-d", d + "/c"] + [os.path.join(d, "s", n) for n in sources],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if r.returncode:
            raise AssertionError("javac: " + r.stdout)
        found = {}
        for base, _, names in os.walk(d + "/c"):
            for n in names:
                with open(os.path.join(base, n), "rb") as f:
                    found[os.path.relpath(os.path.join(base, n), d + "/c")] = f.read()
        return found


@functools.lru_cache(None)
def runtime():
    """A directory with the runtime's own classes."""
    d = tempfile.mkdtemp(prefix="fnd-java-")
    atexit.register(shutil.rmtree, d, True)
    sources = {os.path.relpath(p, SOURCES): open(p).read() for p in glob.glob(SOURCES + "/**/*.java", recursive=True)}
    for path, data in run(sources, d, 8).items():
        os.makedirs(os.path.dirname(os.path.join(d, path)), exist_ok=True)
        with open(os.path.join(d, path), "wb") as f:
            f.write(data)
    return d


def compiled(sources, class_path="", release=8):
    return run(sources, runtime() + (":" + class_path if class_path else ""), release)
