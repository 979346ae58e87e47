"""Archives of Maven's repository that tests use, as they are published: exact versions with all that they need, compared with a digest, kept in build/maven between runs."""
import fcntl, glob, hashlib, os, shutil, subprocess, tempfile, unittest
from harness import TOP

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>t</groupId><artifactId>t</artifactId><version>1</version>
<dependencies><dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency></dependencies></project>"""


def digest(directory):
    """Of sha256sum's lines of all archives, by name."""
    lines = []
    for path in sorted(glob.glob(directory + "/*.jar"), key=os.path.basename):
        with open(path, "rb") as f:
            lines.append(f"{hashlib.sha256(f.read()).hexdigest()}  {os.path.basename(path)}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def archives(dependency, expected):
    """The directory with those of "group:artifact:version". Skips the test, loudly, where Java, Maven or the repository is out of reach."""
    if not shutil.which("java") or not shutil.which("mvn"):
        raise unittest.SkipTest("java or mvn is not installed (openjdk-17-jre-headless, maven)")
    group, artifact, version = dependency.split(":")
    home = os.path.join(TOP, "build/maven", f"{artifact}-{version}")
    os.makedirs(home, exist_ok=True)
    with open(home + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if digest(home) != expected:
            shutil.rmtree(home)
            with tempfile.TemporaryDirectory() as d:
                with open(d + "/pom.xml", "w") as f:
                    f.write(POM.format(group, artifact, version))
                r = subprocess.run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=" + home], cwd=d, capture_output=True, text=True, timeout=600)
            if r.returncode:
                raise unittest.SkipTest("Maven's repository is out of reach: " + r.stdout[-300:])
            found = digest(home)
            if found != expected:
                raise AssertionError(f"Maven's repository gives other archives of {dependency}: {found}")
    return home
