"""S3 servers that tests use, as they are published: moto (PyPI), which knows versions and verifies signatures, with the SDK's own code, once it is told to; s3rver (npm), which
names buckets by host; versitygw (Go), which verifies them too, where there is a Go to build it. And one that misbehaves."""
import contextlib, json, os, socketserver, threading
import compiled, npm, pypi
from harness import free_port
from servers import Server

MOTO = ("moto==5.2.5", "flask==3.1.3", "werkzeug==3.1.9", "jinja2==3.1.6", "itsdangerous==2.2.0", "click==8.5.1", "blinker==1.9.0", "markupsafe==3.0.4", "flask-cors==6.0.5",
        "boto3==1.44.8", "botocore==1.44.8", "jmespath==1.1.0", "s3transfer==0.19.3", "python-dateutil==2.9.0.post0", "six==1.17.0", "urllib3==2.8.0", "requests==2.34.2",
        "certifi==2026.10.19.post1", "charset-normalizer==3.5.3", "idna==3.20", "cryptography==50.0.2", "cffi==2.1.1", "pycparser==3.0", "xmltodict==1.0.4", "responses==0.26.3",
        "pyyaml==6.0.4", "py-partiql-parser==0.6.3")
S3RVER_KEYS = ("S3RVER", "S3RVER")  # the only ones it knows
VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.0.11"
ALL_OF_S3 = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})


class S3(Server):
    def __init__(self, argv, port, env=None, scheme="http"):
        self.endpoint = f"{scheme}://127.0.0.1:{port}"
        super().__init__(argv, port, env)

    def client(self, key="any", secret="any", **more):
        import boto3
        from botocore.config import Config
        return boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret, config=Config(s3={"addressing_style": "path"}), **more)


def moto(certificate=None):
    port = free_port()
    tls = ["--ssl-cert", certificate[0], "--ssl-key", certificate[1]] if certificate else []
    return S3(["/usr/bin/python3", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port), *tls], port, {"PYTHONPATH": pypi.install(*MOTO)}, "https" if certificate else "http")


def moto_verifies(server):
    """From now on it does; the keys of somebody who may do anything in S3."""
    import boto3, urllib.request
    iam = boto3.client("iam", endpoint_url=server.endpoint, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any")
    iam.create_user(UserName="u")
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=ALL_OF_S3)
    key = iam.create_access_key(UserName="u")["AccessKey"]
    urllib.request.urlopen(urllib.request.Request(server.endpoint + "/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}, method="POST")).read()
    return key["AccessKeyId"], key["SecretAccessKey"]


def versitygw(directory, keys):
    port, program = free_port(), compiled.command(VERSITYGW)
    return S3([program, "--port", f"127.0.0.1:{port}", "--access", keys[0], "--secret", keys[1], "posix", directory], port)


def s3rver(directory):
    port = free_port()
    home = npm.install()
    return S3([npm.node(), os.path.join(home, "node_modules/s3rver/bin/s3rver.js"), "-d", directory, "-a", "127.0.0.1", "-p", str(port), "--service-endpoint", "localhost"], port)


class Hostile:
    """Answers each GET with what the test has put at its path: a function that is given the connection and the request's head."""

    def __init__(self):
        hostile = self
        self.at, self.seen = {}, []

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                head = b""
                while b"\r\n\r\n" not in head:
                    more = self.request.recv(65536)
                    if not more:
                        return
                    head += more
                hostile.seen.append(head.decode())
                with contextlib.suppress(OSError):
                    hostile.at[head.split()[1].decode()](self.request, head.decode())

        class Threads(socketserver.ThreadingTCPServer):
            daemon_threads, allow_reuse_address, request_queue_size = True, True, 64
        self.server = Threads(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()
