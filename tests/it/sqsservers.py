"""SQS servers that tests use, as they are published: ElasticMQ, from Maven's repository, its archives compared with a digest."""
import fcntl, glob, hashlib, os, shutil, subprocess, tempfile, unittest
from harness import TOP, free_port
from servers import Server

VERSION = "1.6.14"
DIGEST = "79da023465d07d4e5fbacd5fb844959163188219dd8938945b178b7908bd4e10"  # of sha256sum's lines of all archives, by name
HOME = os.path.join(TOP, "build/maven", "elasticmq-" + VERSION)
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>t</groupId><artifactId>t</artifactId><version>1</version>
<dependencies><dependency><groupId>org.elasticmq</groupId><artifactId>elasticmq-server_2.13</artifactId><version>{VERSION}</version></dependency></dependencies></project>"""
CONFIG = """include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1", sqs-limits = strict }}
rest-stats {{ enabled = false }}
aws {{ region = us-east-1, accountId = 000000000000 }}
"""


def digest(directory):
    lines = []
    for path in sorted(glob.glob(directory + "/*.jar"), key=os.path.basename):
        with open(path, "rb") as f:
            lines.append(f"{hashlib.sha256(f.read()).hexdigest()}  {os.path.basename(path)}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def archives():
    """The directory with them. Skips the test, loudly, where Java, Maven or the repository is out of reach."""
    if not shutil.which("java") or not shutil.which("mvn"):
        raise unittest.SkipTest("java or mvn is not installed (openjdk-17-jre-headless, maven)")
    os.makedirs(HOME, exist_ok=True)
    with open(HOME + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if digest(HOME) != DIGEST:
            shutil.rmtree(HOME)
            with tempfile.TemporaryDirectory() as d:
                with open(d + "/pom.xml", "w") as f:
                    f.write(POM)
                r = subprocess.run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=" + HOME], cwd=d, capture_output=True, text=True, timeout=600)
            if r.returncode:
                raise unittest.SkipTest("Maven's repository is out of reach: " + r.stdout[-300:])
            if digest(HOME) != DIGEST:
                raise AssertionError("Maven's repository gives other archives of ElasticMQ")
    return HOME


class ElasticMQ(Server):
    """In memory, at 127.0.0.1."""

    def __init__(self):
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.config = tempfile.NamedTemporaryFile("w", suffix=".conf")
        self.config.write(CONFIG.format(port=port))
        self.config.flush()
        super().__init__(["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dconfig.file=" + self.config.name, "-cp", archives() + "/*", "org.elasticmq.server.Main"], port)

    def end(self):
        super().end()
        self.config.close()

    def client(self):
        import boto3
        return boto3.client("sqs", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any")
