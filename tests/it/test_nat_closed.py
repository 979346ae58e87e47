"""Network `nat`: what is closed. A function tries as a function can; and the test, as root in a sandbox's network namespace, sends what no function can,
so that each rule is seen to hold by itself."""
import concurrent.futures, contextlib, json, os, re, signal, socket, struct, subprocess, threading, time
from netlab import *

GATEWAY = "10.201.0.1"
BROADCAST = b"\xff" * 6


class Closed(NatCase):
    def two(self, **network):
        """A daemon with two functions, and their addresses."""
        d = self.daemon(**network)
        self.function(d, "a")
        self.function(d, "b")
        return d, self.call(d, "a", "listen", port=7000), self.call(d, "b", "listen", port=7000)

    def bridge_mac(self):
        return bytes.fromhex(json.loads(ip("-j", "link", "show", "fnd0", ns=HOST))[0]["address"].replace(":", ""))

    # --- frames of a sandbox that has become root ---
    def test_a_port_speaks_as_itself_alone(self):
        d, a, b = self.two()
        gw, own = self.bridge_mac(), mac(a)
        out = packet_socket(self.sandbox(d, a), "eth0")
        ports = {"host": packet_socket(HOST, "fnd0"), "world": packet_socket(WORLD, "eth0"), "b": packet_socket(self.sandbox(d, b), "eth0")}
        solicit = ip6("fe80::1", "ff02::1", struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0))  # a router advertisement
        advert = ip6("fe80::1", "ff02::1", struct.pack(">BBHI", 136, 0, 0, 0x20000000) + socket.inet_pton(socket.AF_INET6, "fe80::2"))
        dhcp = udp4("0.0.0.0", "255.255.255.255", 67, 68)
        refused = {
            "arp: another's address": frame(BROADCAST, own, 0x0806, arp(2, own, b, GATEWAY)),
            "arp: the gateway's": frame(BROADCAST, own, 0x0806, arp(2, own, GATEWAY, b)),
            "arp: another's hardware address in it": frame(gw, own, 0x0806, arp(2, mac(b), a, GATEWAY)),
            "arp: which addresses has this host?": frame(BROADCAST, own, 0x0806, arp(1, own, a, HOST_ADDR)),
            "arp: for a neighbour": frame(BROADCAST, own, 0x0806, arp(1, own, a, b)),
            "from another sandbox's address": frame(gw, own, 0x0800, udp4(b, SITE, 9)),
            "from an address nobody has": frame(gw, own, 0x0800, udp4("10.201.200.200", SITE, 9)),
            "from the host's": frame(gw, own, 0x0800, udp4(HOST_ADDR, SITE, 9)),
            "from the gateway's": frame(gw, own, 0x0800, udp4(GATEWAY, SITE, 9)),
            "from another's hardware address": frame(gw, mac(b), 0x0800, udp4(a, SITE, 9)),
            "from the bridge's hardware address": frame(BROADCAST, gw, 0x0800, udp4(a, SITE, 9)),
            "dhcp": frame(BROADCAST, own, 0x0800, dhcp),
            "router advertisement": frame(b"\x33\x33\0\0\0\1", own, 0x86dd, solicit),
            "neighbour advertisement": frame(b"\x33\x33\0\0\0\1", own, 0x86dd, advert),
            "ipv6 to the bridge": frame(gw, own, 0x86dd, ip6("fe80::1", "fe80::2", struct.pack(">HHHH", 9, 9, 14, 0) + b"marked", 17)),
            "vlan": frame(gw, own, 0x8100, struct.pack(">HH", 5, 0x0800) + udp4(a, SITE, 9)),
            "lldp": frame(b"\x01\x80\xc2\0\0\x0e", own, 0x88cc, b"marked" * 8),
            "straight to a neighbour": frame(mac(b), own, 0x0800, udp4(a, b, 7000)),
        }
        for name, data in refused.items():
            out.send(data)
        for where, s in ports.items():
            # the host's side of the bridge sees nothing of what the port did not take
            got = seen(s, lambda x: own in x[:14] or mac(b) in x[6:12] or b"marked" in x)
            if where == "host":
                got = [x for x in got if x[6:12] != own or x[26:30] != socket.inet_aton(a)]
            self.assertEqual(got, [], where)
        # what is its own comes through: an ARP request for the gateway is answered, a packet arrives outside
        answers = packet_socket(self.sandbox_again(a), "eth0")
        out.send(frame(BROADCAST, own, 0x0806, arp(1, own, a, GATEWAY)))
        self.assertTrue(seen(answers, lambda x: x[12:14] == b"\x08\x06" and x[20:22] == b"\0\2" and x[28:32] == socket.inet_aton(GATEWAY)))
        out.send(frame(gw, own, 0x0800, udp4(a, SITE, 9)))
        self.assertEqual(len(seen(ports["world"], lambda x: b"marked" in x)), 1)
        # the test sees what it claims to see: without the bridge's rules these frames are there
        for family in ("bridge", "inet"):  # br_netfilter shows bridged packets to the second, too
            within(HOST, "nft", "delete", "table", family, d.instance)
        for name in refused:
            if name not in ("straight to a neighbour", "from the bridge's hardware address", "lldp"):
                out.send(refused[name])
        got = seen(ports["host"], lambda x: True)
        self.assertGreater(len([x for x in got if x[12:14] == b"\x86\xdd"]), 1)
        self.assertGreater(len([x for x in got if x[12:14] == b"\x08\x06" and x[28:32] in (socket.inet_aton(b), socket.inet_aton(GATEWAY))]), 1)
        self.assertTrue([x for x in got if b"marked" in x and x[26:30] == socket.inet_aton(b)])

    def sandbox_again(self, address):
        return f"fns{os.getpid()}-{address}"

    def test_addresses_of_the_host_from_a_root_in_a_sandbox(self):
        """Past the sandbox's own routes: to 127.0.0.1, to the bridge's broadcast, as fragments, to redirect the host."""
        d, a, b = self.two(allow_host=["udp:127.0.0.1:6060"])  # route_localnet is on
        got = {}
        for name, address, port in (("all", "0.0.0.0", 6061), ("loopback", "127.0.0.1", 6062), ("allowed", "127.0.0.1", 6060)):
            s, got[name] = serve_udp(HOST, port, address)
            self.addCleanup(s.close)
        self.assertEqual(within(HOST, "cat", "/proc/sys/net/ipv4/conf/fnd0/route_localnet").strip(), "1")
        gw, own = self.bridge_mac(), mac(a)
        out = packet_socket(self.sandbox(d, a), "eth0")
        other = packet_socket(self.sandbox(d, b), "eth0")
        datagram = struct.pack(">HHHH", 4444, 6061, 8 + 1400, 0) + b"marked" + bytes(1394)
        for to in ("127.0.0.1", "10.201.255.255", "255.255.255.255", "10.201.0.0", "224.0.0.1", HOST_ADDR, GATEWAY):
            for port in (6060, 6061, 6062):
                if (to, port) != (GATEWAY, 6060):
                    for dst in (gw, BROADCAST):
                        out.send(frame(dst, own, 0x0800, udp4(a, to, port)))
            out.send(frame(gw, own, 0x0800, ip4(a, to, datagram[:800], 17, 0x2000)))
            out.send(frame(gw, own, 0x0800, ip4(a, to, datagram[800:], 17, 100)))
        inner = ip4(HOST_ADDR, SITE, struct.pack(">HHHH", 5, 5, 8, 0))[:28]
        redirect = struct.pack(">BBH4s", 5, 1, 0, socket.inet_aton(a)) + inner
        out.send(frame(gw, own, 0x0800, ip4(a, HOST_ADDR, redirect[:2] + struct.pack(">H", checksum(redirect)) + redirect[4:], 1)))
        self.assertEqual(seen(other, lambda x: b"marked" in x), [])
        self.assertEqual((got["all"], got["loopback"], got["allowed"]), ([], [], []))
        self.assertEqual(self.flows(a), [])  # nor is any of it tracked
        self.assertNotIn(a, ip("route", "get", SITE, ns=HOST))
        out.send(frame(gw, own, 0x0800, udp4(a, GATEWAY, 6060)))  # the one that is allowed
        wait_until("it arrives", lambda: got["allowed"] == [(a, 4444)])

    def test_ipv6_by_force(self):
        """Even if somebody turns it on, on both sides."""
        d, a, b = self.two()
        names = {x: self.sandbox(d, x) for x in (a, b)}
        for ns, i, address in ((names[a], "eth0", "fd00::2/64"), (names[b], "eth0", "fd00::3/64"), (HOST, "fnd0", "fd00::1/64")):
            within(ns, "sysctl", "-qw", f"net.ipv6.conf.{i}.disable_ipv6=0", f"net.ipv6.conf.{i}.accept_dad=0")
            ip("addr", "add", address, "dev", i, "nodad", ns=ns)
        with in_netns(HOST):
            server = socket.create_server(("fd00::1", 6063), family=socket.AF_INET6)
        self.addCleanup(server.close)

        def reach(ns, address, port, dst_mac, dev):
            ip("-6", "neigh", "replace", address, "lladdr", dst_mac, "dev", dev, ns=ns)
            with in_netns(ns), socket.socket(socket.AF_INET6) as s:
                s.settimeout(1)
                return s.connect_ex((address, port))
        macs = {x: ":".join(f"{c:02x}" for c in mac(x)) for x in (a, b)}
        gw = ":".join(f"{c:02x}" for c in self.bridge_mac())
        self.assertNotEqual(reach(names[a], "fd00::1", 6063, gw, "eth0"), 0)
        self.assertNotEqual(reach(names[a], "fd00::3", 6064, macs[b], "eth0"), 0)
        got = packet_socket(names[b], "eth0")
        reach(HOST, "fd00::3", 6064, macs[b], "fnd0")
        self.assertEqual(seen(got, lambda x: x[12:14] == b"\x86\xdd"), [])
        for family in ("bridge", "inet"):
            within(HOST, "nft", "delete", "table", family, d.instance)
        self.assertEqual(reach(names[a], "fd00::1", 6063, gw, "eth0"), 0)

    # --- from outside ---
    def test_nothing_comes_in(self):
        d, a, b = self.two()
        within(HOST, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0")
        got = {x: packet_socket(self.sandbox(d, x), "eth0") for x in (a, b)}
        host_mac = bytes.fromhex(json.loads(ip("-j", "link", "show", "eth0", ns=HOST))[0]["address"].replace(":", ""))
        out, own = packet_socket(WORLD, "eth0"), b"\x02\0\0\0\0\x77"
        icmp = struct.pack(">BBHHH", 8, 0, 0, 1, 1) + b"marked"
        packets = {
            "udp": udp4(SITE, a, 7000), "as from a sandbox": udp4(b, a, 7000), "as from the bridge": udp4(GATEWAY, a, 7000), "as from the name server": udp4(WORLD_ADDR, a, 7000, 53),
            "syn": tcp4(SITE, a, 80, 7000, 2), "syn, ack": tcp4(SITE, a, 80, 7000, 0x12), "ack": tcp4(SITE, a, 80, 7000, 0x10), "rst": tcp4(SITE, a, 80, 7000, 4),
            "fragment": ip4(SITE, a, b"marked" * 4, 17, 0x2000), "later fragment": ip4(SITE, a, b"marked" * 4, 17, 100),
            "echo": ip4(SITE, a, icmp[:2] + struct.pack(">H", checksum(icmp)) + icmp[4:], 1), "gre": ip4(SITE, a, bytes(8) + b"marked  ", 47),
            "broadcast": udp4(SITE, "10.201.255.255", 7000),
        }
        for p in packets.values():
            out.send(frame(host_mac, own, 0x0800, p))
        for x in (a, b):
            self.assertEqual(seen(got[x], lambda f: f[12:14] == b"\x08\0"), [], x)
        # nor does anybody make a sandbox's answer of it: even where the host is a router for all
        within(HOST, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.addCleanup(within, HOST, "sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv4.conf.eth0.forwarding=0")
        self.assertEqual(d.stop(), 0)
        d, a, b = self.two()
        got = packet_socket(self.sandbox(d, a), "eth0")
        with in_netns(WORLD), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((WORLD_ADDR, 5353))
            s.settimeout(0.5)
            out.send(frame(host_mac, own, 0x0800, udp4(a, WORLD_ADDR, 5353, 5353)))
            with contextlib.suppress(TimeoutError):
                s.sendto(b"marked too", s.recvfrom(2048)[1])
            for to in ((a, 5353), (HOST_ADDR, 5353)):
                s.sendto(b"marked too", to)
        for p in packets.values():
            out.send(frame(host_mac, own, 0x0800, p.replace(socket.inet_aton("10.201.0.9"), socket.inet_aton(a))))
        self.assertEqual(seen(got, lambda f: f[12:14] == b"\x08\0"), [])
        self.assertEqual(self.flows("5353", a), [])
        within(HOST, "nft", "delete", "table", "inet", d.instance)
        out.send(frame(host_mac, own, 0x0800, udp4(SITE, a, 7000)))
        self.assertEqual(len(seen(got, lambda f: b"marked" in f)), 1)

    # --- what a function can try ---
    def test_every_address_of_the_host(self):
        d = self.daemon()
        self.function(d, "f")
        self.call(d, "f")
        ip("addr", "add", "203.0.113.77/32", "dev", "lo", ns=HOST)  # added later
        self.addCleanup(ip, "addr", "del", "203.0.113.77/32", "dev", "lo", ns=HOST)
        refused = [f"{h}:{HOST_PORT}" for h in (GATEWAY, HOST_ADDR, "203.0.113.77", "127.0.0.1", "::ffff:10.201.0.1", f"::ffff:{HOST_ADDR}", "::ffff:203.0.113.77", "10.201.255.255",
                                                "255.255.255.255", "0.0.0.0")]
        got = self.call(d, "f", "connect", to=refused)
        self.assertEqual([h for h, r in got.items() if r == "ok"], [])
        self.assertNotIn("timed out", str([r for h, r in got.items() if "255.255" not in h]))
        with in_netns(HOST):
            for h in (GATEWAY, HOST_ADDR, "203.0.113.77"):
                socket.create_connection((h, HOST_PORT), 5).close()

    def test_link_local_metadata_and_multicast(self):
        d = self.daemon()
        self.function(d, "f")
        refused = [f"{METADATA}:80", "169.254.170.2:80", "169.254.0.1:80", "224.0.0.251:5353", "239.255.255.250:1900", "240.0.0.1:80", "::ffff:169.254.169.254:80", "fe80::1%eth0:80", "fe80::1:80",
                   "fd00:ec2::254:80", "ff02::1%eth0:80", "2001:db8::7:80"]
        began = time.monotonic()
        got = self.call(d, "f", "connect", to=refused)
        self.assertEqual([h for h, r in got.items() if r == "ok"], [])
        self.assertEqual([h for h, r in got.items() if "timed out" in r], [], got)  # each is refused at once
        self.assertLess(time.monotonic() - began, 10 * SLOW)

    def test_a_name_with_both_kinds_of_address(self):
        d = self.daemon()
        self.function(d, "f")
        body, seconds = self.call(d, "f", "timed", url=f"http://{DUAL_NAME}/")
        self.assertEqual(body, HOST_ADDR)
        self.assertLess(seconds, 2 * SLOW)  # one that waits for IPv6 needs three at the least: SYN is repeated after 1 and 2 s
        self.assertIn("Network is unreachable", self.call(d, "f", "connect", to=["2001:db8::7:80"])["2001:db8::7:80"])

    # --- services of the host that are allowed ---
    def test_allowed_services_of_the_host(self):
        d = self.daemon(allow_host=[f"tcp:{HOST_PORT}", "tcp:127.0.0.1:6070", "udp:6071", "udp:127.0.0.1:6072"])
        server = serve_http(HOST, 6070, "127.0.0.1")
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        peers = {}
        for port, address in ((6071, "0.0.0.0"), (6072, "127.0.0.1"), (6073, "0.0.0.0")):
            s, peers[port] = serve_udp(HOST, port, address)
            self.addCleanup(s.close)
        other = serve_http(HOST, 6074)
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        self.function(d, "f")
        own = self.call(d, "f")
        for port in (HOST_PORT, 6070):  # the service sees who it is
            self.assertEqual(self.call(d, "f", "fetch", url=f"http://{GATEWAY}:{port}/"), own)
        for port in (6071, 6072):
            self.assertEqual(self.call(d, "f", "exchange", port=4000, to=GATEWAY, to_port=port), "hello")
            self.assertEqual(peers[port], [(own, 4000)])
        got = self.call(d, "f", "connect", to=[f"{GATEWAY}:6074", f"{GATEWAY}:{d.port}", f"{HOST_ADDR}:{HOST_PORT}", f"{HOST_ADDR}:6070", f"{GATEWAY}:6071", f"{SITE}:80"])
        self.assertEqual([h for h, r in got.items() if r == "ok"], [f"{SITE}:80"])
        self.call(d, "f", "flood", to=GATEWAY, n=1, first=6073)
        self.assertEqual(self.call(d, "f", "exchange", port=4001, to=GATEWAY, to_port=6071), "hello")
        self.assertEqual(peers[6073], [])
        with in_netns(WORLD):  # it is for sandboxes alone
            self.assertNotEqual(socket.socket().connect_ex((GATEWAY, 6070)), 0)
        self.assertEqual(d.doctor()["Network"]["services"], 4)
        self.stop(d)

    def test_the_api_itself_where_it_is_allowed(self):
        """Without credentials: under the bridge's address, and no other name that leads there."""
        d = self.daemon(start=False)
        d.set_config(self.config(allow_host=[f"tcp:127.0.0.1:{d.port}"]))
        d.start()
        self.function(d, "f")
        self.assertEqual(self.call(d, "f", "fetch", url=f"http://{GATEWAY}:{d.port}/healthz"), "ok\n")
        self.assertEqual([d.request("GET", "/healthz", headers={"Host": h}).status for h in (GATEWAY, "10.201.0.2", SITE_NAME)], [200, 403, 403])
        self.stop(d)

    # --- connections of a dead sandbox ---
    def with_address(self, d, address):
        """Makes functions until one has it; a small subnet has few."""
        for i in range(8):
            wait_until("an address is free", lambda: self.used(d) < 5)
            name = f"next{i}-{time.monotonic_ns()}"
            self.function(d, name)
            if self.call(d, name) == address:
                return name
            d.delete(name)
        raise AssertionError(f"{address} was not given again")

    def outside_goes_on(self, d, name):
        """The function sends from port 5353 to a host outside, which from then on does not stop answering."""
        with in_netns(WORLD):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((SITE, 0))
        s.settimeout(20)
        done = threading.Event()
        self.addCleanup(s.close)
        self.addCleanup(done.set)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(self.call, d, name, "exchange", port=5353, to=SITE, to_port=s.getsockname()[1])
            peer = s.recvfrom(2048)[1]
            s.sendto(b"answer", peer)
            self.assertEqual(call.result(), "answer")
        self.assertEqual(peer[0], HOST_ADDR)

        def go_on():
            while not done.wait(0.002):
                s.sendto(b"for the last owner", peer)
        threading.Thread(target=go_on, daemon=True).start()

    def test_an_addresss_next_owner_gets_nothing_of_the_last_ones(self):
        d = self.daemon(subnet="10.77.0.0/29", bridge="fnsmall")
        self.function(d, "a")
        address = self.call(d, "a")
        self.outside_goes_on(d, "a")
        self.assertGreater(self.call(d, "a", "received", port=5353, seconds=0.5), 0)  # that much is its own
        self.assertTrue(self.flows(f"src={address} "))
        d.delete("a")
        wait_until("the address is free", lambda: self.used(d) == 0)
        self.assertEqual(self.flows(f"src={address} "), [])
        b = self.with_address(d, address)
        self.assertEqual(self.call(d, b, "received", port=5353, seconds=1), 0)
        self.assertEqual(self.flows(f"src={address} ", "port=5353"), [])
        self.stop(d)

    def test_nor_after_a_restart(self):
        d = self.daemon(subnet="10.77.0.0/29", bridge="fnsmall")
        self.function(d, "a")
        for orderly in (True, False):
            address = self.call(d, "a")
            self.outside_goes_on(d, "a")
            self.assertTrue(self.flows(f"src={address} "))
            if orderly:
                self.assertEqual(d.stop(), 0)
                self.assertEqual(self.flows("10.77.0."), [])
            else:
                self.kill_all(d)
                self.assertTrue(self.flows(f"src={address} "))
            d.start()
            wait_until("they are forgotten, which the API does not wait for", lambda: not self.flows("src=10.77.0."))
            b = "a" if self.call(d, "a") == address else self.with_address(d, address)
            self.assertEqual(self.call(d, b, "received", port=5353, seconds=0.5), 0)
        self.stop(d)

    def test_many_connections_are_none_of_the_next_owners(self):
        d = self.daemon(subnet="10.77.0.0/29", bridge="fnsmall")
        self.function(d, "a")
        address = self.call(d, "a")
        self.call(d, "a", "flood", to=SITE, n=6000)
        self.assertGreater(len(self.flows(f"src={address} ")), 3000)
        d.delete("a")
        b = self.with_address(d, address)
        self.assertEqual(self.call(d, b, "fetch", url=f"http://{SITE_NAME}/"), HOST_ADDR)
        self.assertLess(len(self.flows(f"src={address} ")), 100)
        self.stop(d)

    def test_each_start_gives_other_addresses(self):
        d = self.daemon()
        self.function(d, "f")
        seen_so_far = set()
        for _ in range(3):
            seen_so_far.add(self.call(d, "f"))
            self.assertEqual(d.stop(), 0)
            d.start()
        self.assertEqual(len(seen_so_far), 3, seen_so_far)  # of 65,533

    def test_the_cleaner_dies(self):
        """What forgets connections is a process; without it no address would ever be free again."""
        d = self.daemon(subnet="10.77.0.0/29", bridge="fnsmall")
        self.function(d, "a")
        self.call(d, "a")
        spawnd = d.pids()["spawnd"][0]
        for p in children(spawnd):
            with open(f"/proc/{p}/cmdline", "rb") as f:
                if b"--socket-fd" in f.read() and not children(p):
                    os.kill(p, signal.SIGKILL)
        d.delete("a")
        wait_until("the address is free", lambda: self.used(d) == 0)
        self.assertEqual(d.pids()["spawnd"], [spawnd])
        self.stop(d)

    # --- how many connections ---
    def flood(self, d, name, environments, n=400):
        """That many environments of a function at once, each with as many connections as it gets."""
        with concurrent.futures.ThreadPoolExecutor(environments) as pool:
            list(pool.map(lambda _: self.call(d, name, "flood", to=SITE, n=n, seconds=1), range(environments)))

    def mute(self):
        """The world does not say that nothing listens: that would end the connection."""
        within(WORLD, "nft", "add table inet mute; add chain inet mute o { type filter hook output priority 0; }; add rule inet mute o icmp type destination-unreachable drop")
        self.addCleanup(within, WORLD, "nft", "delete", "table", "inet", "mute")

    def test_bounds_of_an_environment_a_function_and_all(self):
        self.mute()
        d = self.daemon(connections_environment=300, connections_function=1024, connections_total=2048)
        most = {"environment": 300, "function": 1024, "total": 2048}
        self.assertEqual(d.doctor()["Network"]["connections"], most)
        for name in ("f", "g", "h", "neighbour"):
            self.function(d, name)
        self.call(d, "neighbour")
        self.flood(d, "f", 1, 800)
        self.assertTrue(250 <= len(self.flows("src=10.201.", f"dst={SITE}")) <= 300)
        self.flood(d, "f", 5)
        flows = len(self.flows("src=10.201.", f"dst={SITE}"))
        self.assertTrue(800 <= flows <= 1024, flows)
        # its own next connection is refused at once, with a name; a neighbour's is made
        self.assertEqual(self.call(d, "neighbour", "fetch", url=f"http://{SITE_NAME}/"), HOST_ADDR)
        self.assertIn("No route to host", self.refusals(d, "f"))
        self.flood(d, "g", 5)
        self.flood(d, "h", 5)
        flows = len(self.flows("src=10.201.", f"dst={SITE}"))
        self.assertTrue(1600 <= flows <= 2048, flows)
        # the host's own are not sandboxes'
        with in_netns(HOST):
            socket.create_connection((SITE, 80), 5).close()
        # what has ended does not count
        for name in ("f", "g"):
            d.delete(name)
        wait_until("their connections are gone", lambda: len(self.flows("src=10.201.", f"dst={SITE}")) < 1100)
        self.assertEqual(self.call(d, "neighbour", "fetch", url=f"http://{SITE}/"), HOST_ADDR)

    def refusals(self, d, name):
        """What connections meet that are beyond, a hundred in a row, each at once."""
        began = time.monotonic()
        got = self.call(d, name, "connect", to=[f"{SITE}:{p}" for p in range(81, 181)])
        self.assertLess(time.monotonic() - began, 10 * SLOW)
        return str(set(got.values()))

    def test_bounds_that_are_not_configured(self):
        d = self.daemon()
        table = int(within(HOST, "cat", "/proc/sys/net/netfilter/nf_conntrack_max"))
        self.assertEqual(d.doctor()["Network"]["connections"], {"environment": 4096, "function": table // 8, "total": table // 2})

    def test_questions_to_a_name_server_of_the_host_count(self):
        dns = serve_dns(HOST, [])
        self.addCleanup(dns.close)
        config = self.config(connections_environment=200)
        with open(config["network"]["resolv_conf"], "w") as f:
            f.write(f"nameserver {GATEWAY}\n")
        d = self.daemon(config=config)
        self.function(d, "f")
        self.call(d, "f", "ports", to=GATEWAY, to_port=53, n=600)
        flows = len(self.flows("src=10.201.", "dport=53 "))
        self.assertTrue(100 <= flows <= 200, flows)
