"""Response streaming: the first byte beside a buffered call's, 200 MB beside a bare MHD stream and the least relay, fnd's memory with slow clients."""
import contextlib, json, socket, subprocess, time

import harness
from common import FULL_CPU_MB, INVOKE, create, runtimes, tool, wait_active
from invocations import daemon, echo_server

OPEN = "/2021-11-15/functions/{}/response-streaming-invocations"
BYTES = 200 << 20


class Client:
    """One connection; what comes is counted, not looked at."""

    def __init__(self, port, receive=None):
        self.s = socket.socket()
        if receive:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.s.settimeout(120)
        self.s.connect(("127.0.0.1", port))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray(1 << 20)

    def ask(self, path, event):
        body = json.dumps(event).encode()
        self.s.sendall(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def until(self, mark, first=None):
        """Seconds until the bytes end with mark (first: until those are in them)."""
        began, tail, at = time.perf_counter(), b"", None
        while not tail.endswith(mark):
            n = self.s.recv_into(self.buffer)
            if n == 0:
                raise RuntimeError("the connection has ended")
            tail = (tail + bytes(self.buffer[max(0, n - 4096):n]))[-4096:]
            if first and at is None and first in tail:
                at = time.perf_counter() - began
        return at if first else time.perf_counter() - began


def first_byte(b, d, rounds, n):
    """To one client over one connection, in turns: an ordinary call's answer, a stream's first PayloadChunk."""
    buffered, streamed = [], []
    c = Client(d.port)
    for _ in range(rounds):
        whole, first = [], []
        for _ in range(n):
            c.ask(INVOKE.format("native"), {"do": "echo", "text": "x" * 64})
            whole.append(c.until(b"}") * 1e6)
            c.ask(OPEN.format("native"), {"do": "stream", "bytes": 64})
            first.append(c.until(b"0\r\n\r\n", first=b"PayloadChunk") * 1e6)
        buffered.append(whole)
        streamed.append(first)
    b.figure("stream_first_byte_us", streamed, what="64 bytes, to the first PayloadChunk")
    b.peer("stream_first_byte_us", "an ordinary call", buffered, aim=1.2)


@contextlib.contextmanager
def relay():
    """A client of the least program that takes the same bytes from another process."""
    port = harness.free_port()
    p = subprocess.Popen([tool("relay"), str(port)])
    try:
        clients = []
        def connected():
            with contextlib.suppress(ConnectionRefusedError):
                clients.append(Client(port))
            return clients
        harness.wait_until("relay listens", connected)
        yield clients[0]
        clients[0].s.close()
    finally:
        p.terminate()
        p.wait(10)


def throughput(b, d, rounds):
    ours, bare, least = [], [], []
    with echo_server(1 << 18) as (echo, _), relay() as r:
        a, m = Client(d.port), Client(echo)
        for k in range(rounds + 1):
            a.ask(OPEN.format("large"), {"do": "stream", "bytes": BYTES, "chunk": 1 << 20})
            us = BYTES / a.until(b"\r\n0\r\n\r\n") / 1e6
            m.ask(f"/stream/{BYTES}", {})
            peer = BYTES / m.until(b"\r\n0\r\n\r\n") / 1e6
            r.ask("/", {})
            between = BYTES / r.until(b"\r\n0\r\n\r\n") / 1e6
            if k > 0:
                ours.append([us])
                bare.append([peer])
                least.append([between])
    b.figure("stream_200_mb", ours, unit="MB/s", what="200 MB to one client, which drops them")
    b.peer("stream_200_mb", "bare MHD stream", bare)
    b.peer("stream_200_mb", "the least relay within the same 256 KB", least)
    p = b.figures["stream_200_mb"]["peers"]["bare MHD stream"]
    p["aim_ratio_at_least"] = 0.8


def slow_clients(b, d, n):
    worker = d.pids()["worker"][0]
    clients = [Client(d.port, 16384) for _ in range(n)]
    for c in clients:  # the environments are there
        c.ask(OPEN.format("native"), {"do": "stream", "bytes": 1})
    for c in clients:
        c.until(b"0\r\n\r\n")
    before = harness.rss_kb(worker)
    for c in clients:
        c.ask(OPEN.format("native"), {"do": "stream", "bytes": BYTES})
    most, end = 0, time.monotonic() + (2 if b.quick else 8)
    while time.monotonic() < end:
        for c in clients:
            c.s.recv(4096)
        most = max(most, harness.rss_kb(worker))
        time.sleep(0.05)
    for c in clients:
        c.s.close()
    b.figures["stream_slow_clients_rss_kb"] = {"unit": "kB", "p50": most - before, "n": n, "rounds": [most - before], "aim": 32 << 10, "what": f"fnd's memory with {n} slow clients of 200 MB streams, more than without"}


def streaming(b):
    rounds, n = (2, 20) if b.quick else (5, 300)
    with daemon() as d:
        kind = runtimes(d)["native"]
        create(d, "native", kind, Timeout=60)
        create(d, "large", kind, MemorySize=FULL_CPU_MB, Timeout=120)
        wait_active(d, ["native", "large"])
        b.say("streams: the first byte")
        first_byte(b, d, rounds, n)
        b.say("streams: 200 MB")
        throughput(b, d, rounds)
        b.say("streams: slow clients")
        slow_clients(b, d, 16 if b.quick else 64)
