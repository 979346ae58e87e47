"""SQS: SendMessage, ReceiveMessage, DeleteMessage in a closed loop of 16 raw keep-alive clients, durable, beside what others run: ElasticMQ and goaws, in memory, and NATS JetStream
with a sync for each message (publish, fetch, acknowledgement)."""
import contextlib, http.client, json, os, re, shutil, socket, subprocess, tempfile
import harness
from common import *
from invocations import daemon
from rivals import process

ELASTICMQ, GOAWS, NATS = "1.7.1", "v0.4.5", "v2.10.22"
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>b</groupId><artifactId>b</artifactId><version>1</version>
<dependencies><dependency><groupId>org.elasticmq</groupId><artifactId>elasticmq-server_2.13</artifactId><version>{ELASTICMQ}</version></dependency></dependencies></project>
"""


def home():
    d = os.path.join(BUILD, "sqs-peers")
    os.makedirs(d, exist_ok=True)
    return d


def run(argv, **kw):
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900, **kw)
    if r.returncode:
        raise RuntimeError(f"{argv[0]}: {r.stdout[-300:]}")


def go_program(package, version, name):
    to = os.path.join(home(), name)
    if not os.path.exists(to):
        go = shutil.which("go") or "/usr/local/go/bin/go"
        with tempfile.TemporaryDirectory(dir=home()) as d:
            env = {**os.environ, "GOPATH": os.path.join(d, "go"), "GOFLAGS": "-modcacherw", "GOCACHE": os.path.join(d, "cache")}
            for argv in (["mod", "init", "peer"], ["get", f"{package}@{version}"], ["build", "-o", to, package]):
                run([go, *argv], cwd=d, env=env)
    return to


def queue_url(port, query=False):
    """One that it answers."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    if query:
        c.request("POST", "/", "Action=CreateQueue&Version=2012-11-05&QueueName=bench", {"Content-Type": "application/x-www-form-urlencoded"})
        return re.search(rb"<QueueUrl>(.*?)</QueueUrl>", c.getresponse().read())[1].decode()
    c.request("POST", "/", json.dumps({"QueueName": "bench"}), {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.CreateQueue"})
    r = c.getresponse()
    text = r.read()
    if r.status != 200:
        raise RuntimeError(f"CreateQueue: {r.status} {text[:200]}")
    return json.loads(text)["QueueUrl"]


@contextlib.contextmanager
def elasticmq():
    lib, port = os.path.join(home(), "elasticmq-" + ELASTICMQ), harness.free_port()
    if not os.path.isdir(lib):
        with open(os.path.join(home(), "pom.xml"), "w") as f:
            f.write(POM)
        run(["mvn", "-q", "dependency:copy-dependencies", "-DoutputDirectory=" + lib], cwd=home())
    conf = os.path.join(home(), "elasticmq.conf")
    with open(conf, "w") as f:
        f.write(f'include classpath("application.conf")\nnode-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}\n'
                f'rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1", sqs-limits = relaxed }}\nrest-stats {{ enabled = false }}\n')
    with process(["java", "-Dconfig.file=" + conf, "-cp", lib + "/*", "org.elasticmq.server.Main"], port):
        yield ["--port", port, "--queue-url", queue_url(port)]


@contextlib.contextmanager
def goaws():
    port, conf = harness.free_port(), os.path.join(home(), "goaws.yaml")
    with open(conf, "w") as f:
        f.write(f'Local:\n  Host: 127.0.0.1\n  Port: {port}\n  Region: us-east-1\n  AccountId: "000000000000"\n  LogToFile: false\n')
    with process([go_program("github.com/Admiral-Piett/goaws/app/cmd", GOAWS, "goaws"), "-config", conf], port):
        yield ["--query", "--port", port, "--queue-url", queue_url(port, query=True)]  # JSON came later


def nats_request(port, subject, body):
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        payload = json.dumps(body).encode()
        s.sendall(b'CONNECT {"verbose":false}\r\nSUB _INBOX.m 1\r\nPUB %s _INBOX.m %d\r\n%s\r\nPING\r\n' % (subject.encode(), len(payload), payload))
        got = b""
        while b"MSG " not in got or not got.endswith(b"\r\n"):
            got += s.recv(65536)
        if b'"error"' in got:
            raise RuntimeError(f"{subject}: {got[-300:]}")


@contextlib.contextmanager
def jetstream():
    program = go_program("github.com/nats-io/nats-server/v2", NATS, "nats-server")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as d:
        port = harness.free_port()
        with open(d + "/conf", "w") as f:
            f.write(f'listen: 127.0.0.1:{port}\njetstream {{ store_dir: "{d}/js", sync_interval: always }}\n')
        with process([program, "-c", d + "/conf"], port):
            nats_request(port, "$JS.API.STREAM.CREATE.BENCH", {"name": "BENCH", "subjects": ["BENCH.x"], "retention": "workqueue", "storage": "file"})
            nats_request(port, "$JS.API.CONSUMER.DURABLE.CREATE.BENCH.c", {"stream_name": "BENCH", "config": {"durable_name": "c", "ack_policy": "explicit"}})
            yield ["--nats", port, "--stream", "BENCH"]


def sqs(b):
    """Pairs of slices, ours and then each peer's, so that what disturbs meets all."""
    rounds, seconds = (1, 0.5) if b.quick else (5, max(b.seconds, 2))
    peers = {"ElasticMQ, in memory": (elasticmq, 5), "goaws, in memory": (goaws, 1), "NATS JetStream, sync always": (jetstream, 2)}
    with contextlib.ExitStack() as stack:
        d = stack.enter_context(daemon())
        ours = ["--port", d.port, "--queue-url", queue_url(d.port)]
        there = {}
        for name, (start, _) in peers.items():
            try:
                there[name] = stack.enter_context(start())
            except Exception as e:
                b.note(f"sqs: {name}: not measured: {e}")

        def one(options):
            return run_json([tool("sqs_load"), "--connections", 16, "--seconds", seconds, "--warmup", 0.5, *options])
        b.say("SQS: send, receive, delete, 16 clients")
        got = {name: [] for name in ["fnd", *there]}
        for _ in range(rounds):
            for name, options in [("fnd", ours), *there.items()]:
                got[name].append(one(options))
        mine = [r["per_second"] for r in got["fnd"]]
        b.figure("sqs_cycles_16", [[x] for x in mine], unit="1/s", cycle_p50_us=quantile([r["p50_us"] for r in got["fnd"]], 0.5), cycle_p99_us=quantile([r["p99_us"] for r in got["fnd"]], 0.5))
        for name in there:
            b.peer("sqs_cycles_16", name, [[r["per_second"]] for r in got[name]])
            ratio = quantile([m / r["per_second"] for m, r in zip(mine, got[name])], 0.5)
            if ratio < peers[name][1]:
                b.note(f"sqs: {ratio:.2f} times {name}: {peers[name][1]} are wanted")
