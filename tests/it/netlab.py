"""What the tests of network `nat` share: namespaces of their own (one is the host fnd runs on, a second, joined to it by a veth, is the internet), servers
in them, and packets made by hand."""
import concurrent.futures, contextlib, http.server, json, os, re, signal, socket, struct, subprocess, threading, time, unittest
from harness import *

HOST, WORLD = f"fndh{os.getpid()}", f"fndw{os.getpid()}"
HOST_ADDR, WORLD_ADDR, SITE, METADATA = "192.0.2.1", "192.0.2.2", "198.51.100.7", "169.254.169.254"
SITE_NAME, DUAL_NAME = "www.example.test", "dual.example.test"  # the second has an IPv6 address, too
HOST_PORT = 8088  # a service of the host's own, on every address
NO_FORWARDING = {"eth0": "0", "all": "0"}

SOURCE = """
import fcntl, select, socket, struct, time, urllib.request
served = []
bound = {}

def udp(port):
    if port not in bound:
        bound[port] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound[port].bind(("0.0.0.0", port))
    return bound[port]

def received(port, seconds):
    s, n, end = udp(port), 0, time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([s], [], [], left)[0]:
            s.recvfrom(2048)
            n += 1
    return n

def exchange(e):
    s = udp(e["port"])
    s.sendto(b"hello", (e["to"], e["to_port"]))
    return select.select([s], [], [], 10)[0] != [] and s.recvfrom(2048)[0].decode()

def listen(port):
    s = socket.create_server(("0.0.0.0", port), backlog=64)
    served.append(s)  # the kernel answers even while we are frozen

def address():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    return socket.inet_ntoa(fcntl.ioctl(s, 0x8915, struct.pack("256s", b"eth0"))[20:24])

def attempt(host, port):
    try:
        socket.create_connection((host, port), 3).close()
        return "ok"
    except OSError as e:
        return type(e).__name__ + ": " + str(e)

def handler(e, c):
    if e["do"] == "fetch":
        return urllib.request.urlopen(e["url"], timeout=10).read().decode()
    if e["do"] == "connect":
        return {h: attempt(*h.rsplit(":", 1)) for h in e["to"]}
    if e["do"] == "flood":
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        first = e.get("first", 10000)
        for port in range(first, first + e["n"]):
            try:
                s.sendto(b"x", (e["to"], port))
            except OSError:
                pass  # refusals of earlier ones
        time.sleep(e.get("seconds", 0))  # so that those that are to run at once do
    if e["do"] == "ports":
        for _ in range(e["n"]):
            try:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.sendto(b"x", (e["to"], e["to_port"]))
            except OSError:
                pass
    if e["do"] == "timed":
        t = time.monotonic()
        body = urllib.request.urlopen(e["url"], timeout=30).read().decode()
        return [body, time.monotonic() - t]
    if e["do"] == "received":
        return received(e["port"], e["seconds"])
    if e["do"] == "exchange":
        return exchange(e)
    if e["do"] == "listen":
        listen(e["port"])
    if e["do"] == "resolve":
        return socket.gethostbyname(e["host"])
    if e["do"] == "read":
        return open(e["path"]).read()
    return address()
"""


def ip(*words, ns=None, check=True):
    return subprocess.run(["ip"] + (["-n", ns] if ns else []) + list(words), check=check, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True).stdout


def within(ns, *command, check=True):
    return subprocess.run(["nsenter", f"--net=/run/netns/{ns}"] + list(command), check=check, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True).stdout


def why_not():
    """What this kernel lacks, or None."""
    script = """
        set -e
        ip link add b0 type bridge
        ip link add v0 type veth peer name v1
        ip link set v0 master b0
        ip link set v0 type bridge_slave isolated on
        nft -f - <<END
        table inet t {
            set ups { type ifname; }
            chain n { type nat hook postrouting priority 100; ip saddr 10.0.0.0/8 oifname @ups masquerade; }
            chain f { type filter hook forward priority 0; ct state established accept; reject with icmpx type admin-prohibited; }
        }
END"""
    r = subprocess.run(["unshare", "-n", "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    return None if r.returncode == 0 else f"this kernel lacks bridge, veth or nftables with masquerade: {r.stdout.strip()[-200:]}"


class WhoAmI(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.client_address[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *a):
        pass


def serve_http(ns, port, address="0.0.0.0"):
    with in_netns(ns):
        server = http.server.ThreadingHTTPServer((address, port), WhoAmI)
    server.handle_error = lambda *a: None  # clients get killed
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def serve_dns(ns, asked):
    """Knows two names."""
    with in_netns(ns):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("0.0.0.0", 53))

    def run():
        while True:
            try:
                q, peer = s.recvfrom(2048)
            except OSError:
                return
            if len(q) < 17:
                continue
            end = q.index(b"\0", 12) + 5
            labels, i = [], 12
            while q[i]:
                labels.append(q[i + 1:i + 1 + q[i]].decode())
                i += q[i] + 1
            asked.append(peer[0])
            name, kind = ".".join(labels), q[i + 1:i + 3]
            value = {(SITE_NAME, b"\0\1"): socket.inet_aton(SITE), (DUAL_NAME, b"\0\1"): socket.inet_aton(SITE),
                     (DUAL_NAME, b"\0\x1c"): socket.inet_pton(socket.AF_INET6, "2001:db8::7")}.get((name, kind))
            answer = b"\xc0\x0c" + kind + b"\0\1\0\0\0\x3c" + struct.pack(">H", len(value)) + value if value else b""
            with contextlib.suppress(OSError):  # it was closed
                s.sendto(q[:2] + (b"\x81\x80" if name in (SITE_NAME, DUAL_NAME) else b"\x81\x83") + b"\0\1" + (b"\0\1" if value else b"\0\0") + b"\0\0\0\0" + q[12:end] + answer, peer)
    threading.Thread(target=run, daemon=True).start()
    return s


def serve_udp(ns, port, address="0.0.0.0"):
    """Answers each with what it was; .peers are those who sent."""
    with in_netns(ns):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((address, port))
    peers = []

    def run():
        with contextlib.suppress(OSError):
            while True:
                data, peer = s.recvfrom(2048)
                peers.append(peer)
                s.sendto(data, peer)
    threading.Thread(target=run, daemon=True).start()
    return s, peers


# --- packets by hand ---
def mac(address):
    """As fnd gives them: it follows from the address."""
    return b"\x02\xfd" + socket.inet_aton(address)


def checksum(data):
    n = sum(struct.unpack(f">{len(data) // 2}H", data))
    n = (n >> 16) + (n & 0xffff)
    return ~(n + (n >> 16)) & 0xffff


def ip4(src, dst, payload, proto=17, fragment=0):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, fragment, 64, proto, 0, socket.inet_aton(src), socket.inet_aton(dst))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def udp4(src, dst, dport, sport=4444, text=b"marked"):
    return ip4(src, dst, struct.pack(">HHHH", sport, dport, 8 + len(text), 0) + text)


def tcp4(src, dst, sport, dport, flags):
    body = struct.pack(">HHIIBBHHH", sport, dport, 1000, 2000, 0x50, flags, 1024, 0, 0)
    sum_of = checksum(socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack(">HH", 6, len(body)) + body)
    return ip4(src, dst, body[:16] + struct.pack(">H", sum_of) + body[18:], 6)


def arp(op, sender_mac, sender, target):
    return struct.pack(">HHBBH", 1, 0x0800, 6, 4, op) + sender_mac + socket.inet_aton(sender) + bytes(6) + socket.inet_aton(target)


def ip6(src, dst, payload, proto=58):
    s, d = (socket.inet_pton(socket.AF_INET6, a) for a in (src, dst))
    if proto == 58:
        payload = payload[:2] + struct.pack(">H", checksum(s + d + struct.pack(">II", len(payload), 58) + payload)) + payload[4:]
    return struct.pack(">IHBB", 6 << 28, len(payload), proto, 255) + s + d + payload


def frame(dst, src, kind, payload):
    return dst + src + struct.pack(">H", kind) + payload


def packet_socket(ns, interface):
    with in_netns(ns):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.bind((interface, 0))
    s.settimeout(0.3)
    return s


def seen(s, what):
    """Frames with this in them that came so far. Those of our own sending (PACKET_OUTGOING) do not count."""
    found = []
    with contextlib.suppress(TimeoutError):
        while True:
            data, where = s.recvfrom(4096)
            if where[2] != 4 and what(data):
                found.append(data)
    return found


class NatCase(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        reason = why_not()
        if reason:
            raise unittest.SkipTest(reason)
        shared()
        for ns in (HOST, WORLD):
            ip("netns", "add", ns)
            cls.addClassCleanup(ip, "netns", "del", ns)
            ip("link", "set", "lo", "up", ns=ns)
        ip("link", "add", "eth0", "mtu", "1450", "type", "veth", "peer", "name", "eth0", "mtu", "1450", "netns", WORLD, ns=HOST)
        for ns, addresses in ((HOST, [f"{HOST_ADDR}/24"]), (WORLD, [f"{WORLD_ADDR}/24", f"{SITE}/32", f"{METADATA}/32"])):
            for a in addresses:
                ip("addr", "add", a, "dev", "eth0", ns=ns)
            ip("link", "set", "eth0", "up", ns=ns)
        ip("route", "add", "default", "via", WORLD_ADDR, ns=HOST)
        ip("route", "add", "10.0.0.0/8", "via", HOST_ADDR, ns=WORLD)  # it would find the way in, if it were let
        cls.asked = []
        for server in (serve_http(WORLD, 80), serve_http(HOST, HOST_PORT)):
            cls.addClassCleanup(server.server_close)
            cls.addClassCleanup(server.shutdown)
        cls.addClassCleanup(serve_dns(WORLD, cls.asked).close)

    def config(self, **network):
        path = f"/var/tmp/fnd-test-resolv-{os.getpid()}"
        with open(path, "w") as f:
            f.write(f"# comment\nnameserver 127.0.0.53\nnameserver {WORLD_ADDR}\nnameserver ::1\noptions timeout:3\n")
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        return {"prepared_least": 0, "prepared_most": 0, "prestarted_least": 0, "prestarted_most": 0, "network": {"mode": "nat", "resolv_conf": path, **network}}  # addresses can be counted

    def daemon(self, start=True, config=None, **network):
        d = Daemon(config or self.config(**network), images=BASIC, netns=HOST)
        d.killed = True
        self.addCleanup(d.remove)
        return d.start() if start else d

    def function(self, d, name, **more):
        d.create_python(name, SOURCE, Timeout=60, MemorySize=512, **more)

    def call(self, d, name, do="address", **more):
        r = d.invoke(name, {"do": do, **more})
        self.assertEqual((r.status, r.error), (200, None), r)
        return r.json

    def links(self):
        return [l["ifname"] for l in json.loads(ip("-j", "link", ns=HOST))]

    def forwarding(self):
        return {i: within(HOST, "cat", f"/proc/sys/net/ipv4/conf/{i}/forwarding").strip() for i in NO_FORWARDING}

    def assert_nothing_left(self, d):
        wait_until("no process is left", lambda: not d.leftovers())
        self.assertEqual(sorted(self.links()), ["eth0", "lo"])
        self.assertEqual(within(HOST, "nft", "list", "tables").strip(), "")
        self.assertEqual(self.forwarding(), NO_FORWARDING)

    def kill_all(self, d):
        pids = [p for group in d.pids().values() for p in group]
        for p in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(p, signal.SIGKILL)
        d.process.wait(100 * SLOW)
        wait_until("all are dead", lambda: not any(os.path.exists(f"/proc/{p}") and comm(p).startswith("fn") for p in pids))

    def used(self, d):
        return d.doctor().get("Network", {}).get("used")  # None while fn-spawnd restarts

    def stop(self, d):
        self.assertEqual(d.stop(), 0, d.log()[-2000:])
        self.assert_nothing_left(d)

    def sandbox(self, d, address):
        """A name for the network namespace of the sandbox that has this address: there the test is root, as no function ever is."""
        for pid in d.pids()["sandbox"]:
            out = subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "-4", "addr", "show", "dev", "eth0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True).stdout
            if f"inet {address}/" in out:
                name = f"fns{os.getpid()}-{address}"
                ip("netns", "attach", name, str(pid))
                self.addCleanup(ip, "netns", "del", name, check=False)
                return name
        raise AssertionError(f"no sandbox has {address}")

    def flows(self, *words):
        """What the host's table of connections has with these words in it."""
        return [l for l in within(HOST, "cat", "/proc/net/nf_conntrack").splitlines() if all(w in l for w in words)]
