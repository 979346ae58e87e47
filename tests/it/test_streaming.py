"""Results in pieces: InvokeWithResponseStream and what it gets from runtimes that stream, that do not, and that end in the midst of it."""
import base64, json, socket, struct, subprocess, threading, time, unittest, zlib
from harness import *
import npm

OPEN = "/2021-11-15/functions/{}/response-streaming-invocations"


class Stream:
    """An answer as it comes: event-stream messages, each with both its checksums right."""

    def __init__(self, daemon, name, payload, headers=None, query="", receive=None, timeout=120):
        self.s = socket.socket()
        if receive:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.s.settimeout(timeout * SLOW)
        self.s.connect(("127.0.0.1", daemon.port))
        body = json.dumps(payload).encode()
        lines = [f"POST {OPEN.format(name)}{query} HTTP/1.1", f"Host: 127.0.0.1:{daemon.port}", f"Content-Length: {len(body)}"] + [f"{k}: {v}" for k, v in (headers or {}).items()]
        self.s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        self.f = self.s.makefile("rb")
        self.status = int(self.f.readline().split()[1])
        self.headers = {}
        while (line := self.f.readline()) != b"\r\n":
            k, v = line.decode().split(":", 1)
            self.headers[k.lower()] = v.strip()
        self.rest = b""

    def chunk(self):
        n = int(self.f.readline(), 16)
        data = self.f.read(n)
        self.trailers = b""
        while n == 0 and (line := self.f.readline()) != b"\r\n":
            self.trailers += line
        if n:
            assert self.f.readline() == b"\r\n"
        return data

    def take(self, n):
        while len(self.rest) < n:
            more = self.chunk()
            if not more:
                raise EOFError(self.rest)
            self.rest += more
        data, self.rest = self.rest[:n], self.rest[n:]
        return data

    def event(self):
        prelude = self.take(12)
        total, n = struct.unpack(">II", prelude[:8])
        assert zlib.crc32(prelude[:8]) == struct.unpack(">I", prelude[8:])[0]
        rest = self.take(total - 12)
        assert zlib.crc32(prelude + rest[:-4]) == struct.unpack(">I", rest[-4:])[0]
        headers, at = {}, 0
        while at < n:
            name = rest[at + 1:at + 1 + rest[at]]
            at += 1 + rest[at]
            assert rest[at] == 7
            size = struct.unpack(">H", rest[at + 1:at + 3])[0]
            headers[name.decode()] = rest[at + 3:at + 3 + size].decode()
            at += 3 + size
        assert headers[":message-type"] == "event"
        return headers[":event-type"], rest[n:-4]

    def all(self):
        """(bytes, what InvokeComplete says); then the body has ended."""
        data = b""
        while True:
            kind, payload = self.event()
            if kind == "InvokeComplete":
                assert self.chunk() == b"" and not self.rest
                return data, json.loads(payload)
            assert kind == "PayloadChunk"
            data += payload

    def close(self):
        self.f.close()
        self.s.close()


class Streaming(Case):
    def open(self, f, payload, **more):
        s = Stream(self.d, f, payload, **more)
        self.addCleanup(s.close)
        return s

    def test_pieces(self):
        f = self.function()
        s = self.open(f, {"do": "stream", "bytes": 300000, "chunk": 100000, "type": "text/plain"}, headers={"X-Amz-Log-Type": "Tail"})
        self.assertEqual((s.status, s.headers["content-type"], s.headers["x-amzn-remapped-content-type"], s.headers["x-amz-executed-version"]),
                         (200, "application/vnd.amazon.eventstream", "text/plain", "$LATEST"))
        data, end = s.all()
        self.assertEqual(data, b"a" * 100000 + b"b" * 100000 + b"c" * 100000)
        self.assertEqual(list(end), ["LogResult"])
        self.assertIn(f"END RequestId: {s.headers['x-amzn-requestid']}\nREPORT", base64.b64decode(end["LogResult"]).decode())


if __name__ == "__main__":
    unittest.main()
