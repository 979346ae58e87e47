"""What tests have beside fnd: programs that serve at a port of 127.0.0.1, and certificates for them."""
import contextlib, os, socket, subprocess, tempfile
from harness import wait_until


class Server:
    """Runs when it has been made; stop() and start() are as often as one likes, at the same port; end() is the last."""

    def __init__(self, argv, port, env=None, cwd=None):
        self.argv, self.port, self.env, self.cwd = argv, port, {**os.environ, **(env or {})}, cwd
        self.log = tempfile.TemporaryFile()
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.argv, env=self.env, cwd=self.cwd, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            wait_until(lambda: f"{self.argv[0]} serves: {self.said()}", self.answers)
        except BaseException:
            self.end()
            raise

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-2000:]

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.argv[0]} has ended: {self.said()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
            return True
        return False

    def stop(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        self.stop()
        self.log.close()


def certificate(directory):
    """Of an authority of one's own, and one by it for 127.0.0.1: paths of (authority, certificate, key)."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=directory, check=True, capture_output=True)
    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *ec, "-days", "2", "-subj", "/CN=a CA of the tests", "-keyout", "ca.key", "-out", "ca.pem", "-addext", "keyUsage=keyCertSign")
    openssl("req", *ec, "-subj", "/CN=127.0.0.1", "-keyout", "tls.key", "-out", "tls.csr")
    with open(os.path.join(directory, "ext"), "w") as f:
        f.write("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "tls.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", "tls.pem")
    return tuple(os.path.join(directory, n) for n in ("ca.pem", "tls.pem", "tls.key"))
