"""SQS servers that tests use, as they are published: ElasticMQ, from Maven's repository, its archives compared with a digest."""
import contextlib, fcntl, glob, hashlib, os, shutil, signal, socket, subprocess, tempfile, unittest
from harness import TOP, free_port, wait_until

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


class ElasticMQ:
    """In memory, at 127.0.0.1; it may be ended and started anew at the same port."""

    def __init__(self):
        self.jars, self.port, self.process = archives(), free_port(), None
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.log = tempfile.TemporaryFile()
        self.config = tempfile.NamedTemporaryFile("w", suffix=".conf")
        self.config.write(CONFIG.format(port=self.port))
        self.config.flush()
        self.start()

    def start(self):
        self.process = subprocess.Popen(["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dconfig.file=" + self.config.name, "-cp", self.jars + "/*", "org.elasticmq.server.Main"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_until(lambda: "ElasticMQ serves: " + self.said(), self.answers)

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-2000:]

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(self.said())
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
            return True
        return False

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        self.stop()
        self.log.close()
        self.config.close()

    def client(self):
        import boto3
        return boto3.client("sqs", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any")
