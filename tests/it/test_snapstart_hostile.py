"""SnapStart: runtimes that send something else than their image, or nothing."""
import unittest
from harness import *
from test_snapstart import Snap

# A runtime that says what it likes: `stream` goes where the image should.
HOSTILE = '''
import io, os, socket, tarfile, time
def post(what, body=b"", more=b""):
    s = socket.create_connection(("127.0.0.1", 9001))
    s.sendall(b"POST /2018-06-01/runtime/snapshot" + what + b" HTTP/1.1\\r\\nHost: x\\r\\n" + more + b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
    return s
def upgrade():
    s = post(b"", more=b"Connection: Upgrade\\r\\nUpgrade: tar\\r\\n")
    assert s.recv(1000).startswith(b"HTTP/1.1 101")
    return s
def tar(*names, size=100):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as t:
        for name in names:
            i = tarfile.TarInfo(name); i.size = size
            t.addfile(i, io.BytesIO(b"x" * size))
    return out.getvalue()
def handler(e, c): return 1
if os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start":
    DO
'''


class Hostile(Snap):
    def setUp(self):
        self.d = Daemon()
        self.addCleanup(self.d.remove)
        self.d.start()

    def off(self, name, do, words):
        f = self.snap(HOSTILE.replace("DO", do), name=name, Timeout=5)
        c = self.settled(f, seconds=60)
        self.assertEqual((c["State"], c["SnapStart"]["OptimizationStatus"]), ("Active", "Off"))
        self.assertIn(words, c.get("StateReason", ""))
        self.assertEqual(self.call(f), 1)
        self.d.delete(f)
        wait_until(lambda: f"nothing of it is left: {self.trees()}", lambda: not self.trees())

    def test_what_a_runtime_may_say(self):
        """Whatever comes instead of an image: the version starts plainly, says why, and nothing of it stays."""
        self.off("s-link", "os.symlink('/etc', '/tmp/x')", "neither file nor directory")  # told when the image has been sent already
        self.off("s-letter", "os.symlink('/etc', '/tmp/' + 'x' * 53 + chr(0x20ac) * 3)", "neither file nor directory")  # cut in the middle of one
        self.off("s-words", r"post(b'/refused', b'no \xff').recv(100); os._exit(0)", "no ?")
        self.off("s-both", r"s = upgrade(); s.sendall(tar('image')); post(b'/refused', b'no').recv(100); os._exit(0)", "no")
        self.off("s-short", r"s = upgrade(); s.sendall(tar('image', size=512)[:1024]); os._exit(0)", "cut short")
        self.off("s-dead", r"s = upgrade(); s.sendall(tar('image', size=5000)[:2000]); os._exit(9)", "image")
        self.off("s-climbs", r"s = upgrade(); s.sendall(tar('../image')); time.sleep(100)", "climbs")
        self.off("s-large", r"s = upgrade(); i = tarfile.TarInfo('image'); i.size = 3 << 30; s.sendall(i.tobuf()); [s.sendall(bytes(1 << 20)) for _ in range(1000)]; time.sleep(100)", "exceeds")

    def test_no_package_waits_for_an_image(self):
        slow = HOSTILE.replace("DO", "s = upgrade(); print('it has begun'); time.sleep(1000)")
        for name in ("s-slow", "s-slower"):
            self.snap(slow, name=name, MemorySize=128)
            wait_until(f"{name} begins to send", lambda: "it has begun" in self.log(name))
        self.d.create_python("s-other", "def handler(e, c): return 7")
        self.assertEqual(self.d.invoke("s-other", {}).body, b"7")
        self.assertEqual([self.config(name)["State"] for name in ("s-slow", "s-slower")], ["Pending"] * 2)
