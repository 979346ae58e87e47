"""Network `nat`: the way out, names, addresses, ends, and what is refused at the start. What is closed to sandboxes: test_nat_closed.py."""
import concurrent.futures, contextlib, json, os, re, signal, socket, subprocess, threading, time
from netlab import *


class Nat(NatCase):
    # --- the way out ---
    def test_out_by_address_and_by_name_behind_the_hosts_address(self):
        d = self.daemon()
        self.function(d, "f")
        self.assertEqual(self.call(d, "f", "fetch", url=f"http://{SITE}/"), HOST_ADDR)
        self.assertEqual(self.call(d, "f", "fetch", url=f"http://{SITE_NAME}/"), HOST_ADDR)
        self.assertIn(HOST_ADDR, self.asked)
        self.assertEqual(self.call(d, "f", "read", path="/etc/resolv.conf"), f"nameserver {WORLD_ADDR}\noptions timeout:3\n")
        self.assertRegex(d.log(), "1 servers on loopback and 1 IPv6 servers are left out")
        self.assertEqual({l["mtu"] for l in json.loads(ip("-j", "link", ns=HOST)) if l["ifname"].startswith("fn")}, {1450})
        doctor = d.doctor()
        network = doctor["Network"]
        self.assertEqual((network["mode"], network["bridge"], network["subnet"], network["used"], network["capacity"], network["uplinks"], network["dns"]),
                         ("nat", "fnd0", "10.201.0.0/16", doctor["Sandboxes"], 65533, "uplink eth0", [WORLD_ADDR]))
        out = subprocess.run(["nsenter", f"--net=/run/netns/{HOST}", os.path.join(BUILD, "fnctl"), "--endpoint", d.endpoint, "doctor"], stdout=subprocess.PIPE, universal_newlines=True).stdout
        self.assertRegex(out, r"ok +network +nat: bridge fnd0 with 10.201.0.1, subnet 10.201.0.0/16, [1-9] of 65533 addresses in use, uplink eth0, 1 name servers")
        self.stop(d)

    def test_made_ahead_with_their_addresses(self):
        """Sandboxes, and Python processes in them, are on the network before a function is known."""
        config = {**self.config(), "prepared_least": 3, "prepared_most": 8, "prestarted_least": 1, "prestarted_most": 4}
        d = self.daemon(config=config)
        wait_until("some are ready", lambda: (d.doctor().get("Prepared") or {}).get("sandbox", 0) >= 3 and self.used(d) >= 3)
        self.function(d, "f")
        for _ in range(2):
            r = d.invoke("f", {"do": "fetch", "url": f"http://{SITE_NAME}/"}, tail=True)
            self.assertEqual(r.json, HOST_ADDR)
            d.configure("f", Environment={"Variables": {"AGAIN": "1"}})
            wait_until("a process waits", lambda: any(n for k, n in d.doctor()["Prepared"].items() if k.startswith("python3.11-")))
        self.assertIn("net 0.00 ms", r.log)
        self.stop(d)

    def test_name_server_on_the_host(self):
        asked = []
        dns = serve_dns(HOST, asked)
        self.addCleanup(dns.close)
        config = self.config()
        with open(config["network"]["resolv_conf"], "w") as f:
            f.write("nameserver 10.201.0.1\n")
        d = self.daemon(config=config)
        self.function(d, "f")
        self.assertEqual(self.call(d, "f", "resolve", host=SITE_NAME), SITE)
        self.assertEqual(asked[0], self.call(d, "f"))
        self.assertNotEqual(self.call(d, "f", "connect", to=["10.201.0.1:8088"])["10.201.0.1:8088"], "ok")

    def test_the_platform_is_at_home_and_the_rest_at_aws(self):
        """By the platform endpoint, which is no way to the host; test_platform.py has the rest of it."""
        source = """
import boto3, os, socket
def handler(event, context):
    found = [f["FunctionName"] for f in boto3.client("lambda").list_functions()["Functions"]]
    answers = {}
    for host in event["hosts"]:
        try:
            socket.create_connection((host, event["port"]), 3).close()
            answers[host] = "ok"
        except OSError as e:
            answers[host] = "refused"
    return found, boto3.client("s3").meta.endpoint_url, boto3.client("dynamodb").meta.endpoint_url, answers, socket.gethostbyname(event["name"])
"""
        d = self.daemon(config={**self.config(), "prepared_least": 1, "prepared_most": 2, "prestarted_least": 1, "prestarted_most": 2})
        d.create_python("asks", source, MemorySize=1024, Timeout=60)
        self.function(d, "other")
        address = self.call(d, "other")
        hosts = ["127.0.0.1", "10.201.0.1", HOST_ADDR, address]
        for _ in range(2):
            r = d.invoke("asks", {"hosts": hosts, "port": d.port, "name": SITE_NAME}, tail=True)
            self.assertEqual(r.error, None, f"{r}\n{r.log}")
            functions, s3, dynamodb, answers, resolved = r.json
            self.assertEqual((sorted(functions), resolved), (["asks", "other"], SITE))
            self.assertRegex(s3 + " " + dynamodb, r"^https://s3[.a-z0-9-]*\.amazonaws\.com https://dynamodb\.us-east-1\.amazonaws\.com$")
            self.assertEqual(answers, {"127.0.0.1": "ok", "10.201.0.1": "refused", HOST_ADDR: "refused", address: "refused"})
            d.configure("asks", Description="another environment")
        with in_netns(HOST), self.assertRaises(OSError):
            socket.create_connection((address, d.port), 2).close()
        self.stop(d)

    # --- the ways that are closed ---
    def test_what_a_sandbox_cannot_reach(self):
        d = self.daemon()
        self.function(d, "a")
        self.function(d, "b")
        a = self.call(d, "a", "listen", port=7000)
        b = self.call(d, "b")
        self.assertNotEqual(a, b)
        closed = [f"{a}:7000", f"10.201.0.1:{HOST_PORT}", f"{HOST_ADDR}:{HOST_PORT}", f"10.201.0.1:{d.port}", f"{METADATA}:80", "10.201.0.200:80", f"127.0.0.1:{HOST_PORT}",
                  f"10.201.0.0:{HOST_PORT}"]
        got = self.call(d, "b", "connect", to=[f"{SITE}:80", f"{WORLD_ADDR}:80"] + closed)
        self.assertEqual([got.pop(f"{SITE}:80"), got.pop(f"{WORLD_ADDR}:80")], ["ok", "ok"])
        self.assertEqual([h for h, r in got.items() if r == "ok"], [])
        self.assertIn("No route to host", got[f"{a}:7000"])  # refused, not left to wait
        # the servers are there: it is the rules that are in the way
        with in_netns(HOST):
            for h in (f"{METADATA}:80", f"{HOST_ADDR}:{HOST_PORT}", f"10.201.0.1:{HOST_PORT}"):
                socket.create_connection(tuple(h.split(":")), 5).close()
        # nor does anybody come in: not from the internet, not from the host
        for ns in (WORLD, HOST):
            with in_netns(ns), self.assertRaises(TimeoutError, msg=ns):  # dropped
                socket.create_connection((a, 7000), 2).close()
        ports = within(HOST, "bridge", "-d", "link", "show")
        self.assertEqual((ports.count("master fnd0") >= 2, ports.count("isolated on")), (True, ports.count("master fnd0")), ports)
        # ... while without the rules they would: the test sees what it claims to see
        within(HOST, "nft", "delete", "table", "inet", d.instance)
        with in_netns(HOST):
            socket.create_connection((a, 7000), 5).close()
        self.assertEqual(self.call(d, "b", "connect", to=[f"{a}:7000", f"10.201.0.1:{HOST_PORT}"]), {f"{a}:7000": "ok", f"10.201.0.1:{HOST_PORT}": "ok"})

    def test_flows_of_one_sandbox_are_bounded(self):
        d = self.daemon()
        self.function(d, "f")
        self.function(d, "g")
        within(WORLD, "nft", "add table inet mute; add chain inet mute o { type filter hook output priority 0; }; add rule inet mute o icmp type destination-unreachable drop")
        self.addCleanup(within, WORLD, "nft", "delete", "table", "inet", "mute")
        self.call(d, "f", "flood", to=SITE, n=6000)
        flows = int(within(HOST, "cat", "/proc/sys/net/netfilter/nf_conntrack_count"))
        self.assertGreater(flows, 3000)
        self.assertLess(flows, 4200)
        self.assertEqual(self.call(d, "g", "fetch", url=f"http://{SITE}/"), HOST_ADDR)  # others are none the worse

    def test_who_is_refused_all_the_time_is_not_listened_to(self):
        """An attempt that is refused costs more than it takes to make: whoever goes on slowed down everybody's."""
        d = self.daemon()
        self.function(d, "f")
        self.function(d, "g")
        address = self.call(d, "f")

        def slowed():
            return address in within(HOST, "nft", "list", "set", "inet", d.instance, "slowed")
        self.call(d, "f", "flood", to="10.201.0.1", n=100)  # as somebody who only tries
        self.assertFalse(slowed())
        enough = threading.Event()

        def flood():
            while not enough.is_set():
                self.call(d, "f", "flood", to="10.201.0.1", n=20000)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            flooding = pool.submit(flood)
            try:
                wait_until("it is not listened to", slowed)
                self.assertEqual(self.call(d, "g", "fetch", url=f"http://{SITE}/"), HOST_ADDR)
            finally:
                enough.set()
            flooding.result()
        self.assertEqual(self.call(d, "f", "fetch", url=f"http://{SITE}/"), HOST_ADDR)  # it is over soon

    def test_no_ipv6(self):
        d = self.daemon()
        self.function(d, "f")
        self.assertEqual(re.findall(r"\S+$", self.call(d, "f", "read", path="/proc/net/if_inet6"), re.M), ["lo"])
        six = within(HOST, "ip", "-6", "addr")
        self.assertNotIn("fnd0", six)
        self.assertNotIn("fn" + d.instance[4:10], six)

    def test_others_packets_are_not_forwarded(self):
        """Forwarding is on at eth0 for the answers' sake; the host is still no router for others."""
        d = self.daemon()
        self.function(d, "f")
        self.call(d, "f")
        self.assertEqual(self.forwarding(), {"eth0": "1", "all": "0"})
        ip("link", "add", "lan", "type", "veth", "peer", "name", "lan-far", ns=HOST)
        self.addCleanup(ip, "link", "del", "lan", ns=HOST, check=False)
        ip("addr", "add", "203.0.113.1/24", "dev", "lan", ns=HOST)
        within(HOST, "sysctl", "-qw", "net.ipv6.conf.lan.disable_ipv6=1")
        for end in ("lan", "lan-far"):
            ip("link", "set", end, "up", ns=HOST)
        ip("route", "replace", "203.0.113.0/24", "via", HOST_ADDR, ns=WORLD)

        def sent():
            return json.loads(ip("-s", "-j", "link", "show", "lan", ns=HOST))[0]["stats64"]["tx"]["packets"]

        def send():
            before = sent()
            with in_netns(WORLD), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                for _ in range(5):
                    s.sendto(b"x", ("203.0.113.9", 9))
            time.sleep(0.3)
            return sent() - before
        ip("neigh", "add", "203.0.113.9", "lladdr", "02:00:00:00:00:09", "dev", "lan", ns=HOST)
        send()  # the first may bring multicast of the new interface along
        self.assertEqual(send(), 0)
        within(HOST, "nft", "delete", "table", "inet", d.instance)
        self.assertEqual(send(), 5)
        ip("link", "del", "lan", ns=HOST)
        self.stop(d)

    # --- addresses ---
    def test_addresses_run_out_and_come_back(self):
        d = self.daemon(subnet="10.77.0.0/29", bridge="fnsmall")
        names = [f"f{i}" for i in range(6)]
        for n in names:
            self.function(d, n)
        first = {self.call(d, n) for n in names[:5]}
        self.assertEqual(first, {f"10.77.0.{i}" for i in range(2, 7)})
        r = d.invoke(names[5], {"do": "address"})
        self.assertEqual((r.status, r.error_type), (500, "ServiceException"), r)
        self.assertRegex(r.json["Message"], r"nat: address: all 5 addresses of 10\.77\.0\.0/29 are in use")
        d.delete(names[0])
        wait_until("an address is free again", lambda: self.used(d) == 4)
        self.assertIn(self.call(d, names[5]), first)
        for n in names[1:]:
            d.delete(n)
        wait_until("all are free again", lambda: self.used(d) == 0)
        self.assertEqual(sorted(self.links()), ["eth0", "fnsmall", "lo"])
        self.stop(d)

    def test_what_is_made_ahead_leaves_addresses_to_requests(self):
        d = self.daemon(config={**self.config(subnet="10.77.0.0/29", bridge="fnsmall"), "prepared_least": 10, "prepared_most": 10})
        ahead = lambda: d.doctor()["Prepared"]["sandbox"]
        wait_until("one is made ahead", lambda: ahead() == 1)
        time.sleep(0.5)
        self.assertEqual((ahead(), self.used(d)), (1, 1), "a quarter of five")
        for i in range(5):
            d.create(f"f{i}")
            d.do(f"f{i}", "echo")
        self.assertEqual((ahead(), self.used(d)), (0, 5))
        for i in range(5):
            d.delete(f"f{i}")
        wait_until("one is made ahead again", lambda: (ahead(), self.used(d)) == (1, 1))
        self.stop(d)

    def test_what_is_made_ahead_for_others_gives_its_address_to_a_request(self):
        d = self.daemon(config={**self.config(subnet="10.77.0.0/29", bridge="fnsmall"), "prestarted_least": 2, "prestarted_most": 2})
        self.function(d, "python")
        self.call(d, "python")
        ahead = lambda: sum(d.doctor()["Prepared"].values())
        wait_until("a runtime is started ahead", lambda: ahead() == 1)
        for i in range(3):
            d.create(f"f{i}")
            d.do(f"f{i}", "echo")
        wait_until("it holds the last one", lambda: (ahead(), self.used(d)) == (1, 5))
        d.create("late")
        d.do("late", "echo")
        self.assertEqual((ahead(), self.used(d)), (0, 5))
        d.create("none")
        self.assertIn("all 5 addresses", d.invoke("none", {"do": "echo"}).json["Message"])
        d.delete("none")
        for f in ("python", "f0", "f1", "f2", "late"):
            d.delete(f)
        self.stop(d)

    def test_not_reused_at_once(self):
        d = self.daemon()
        seen = []
        for i in range(3):
            self.function(d, "f")
            seen.append(self.call(d, "f"))
            d.delete("f")
            wait_until("it is gone", lambda: self.used(d) == 0)
        self.assertEqual(len(set(seen)), 3, seen)

    def test_cold_start_tells_the_network_apart(self):
        d = self.daemon()
        self.function(d, "f")
        r = d.invoke("f", {"do": "address"}, tail=True)
        self.assertGreater(float(re.search(r"Cold Start: .* net ([\d.]+) ms", r.log).group(1)), 0)

    # --- ends ---
    def test_kill_9_of_fn_spawnd(self):
        d = self.daemon()
        self.function(d, "f")
        self.call(d, "f")
        for _ in range(3):
            wait_until("fn-spawnd is there", lambda: d.pids()["spawnd"])
            before = d.pids()["spawnd"]
            os.kill(before[0], signal.SIGKILL)
            # the old sandbox may answer for a moment more, and then there is none: only once fn-spawnd is replaced the answer is a new one's
            wait_until("another fn-spawnd", lambda: d.pids()["spawnd"] not in ([], before))
            wait_until("it reaches out again", lambda: d.invoke("f", {"do": "fetch", "url": f"http://{SITE}/"}).body == f'"{HOST_ADDR}"'.encode())
        # not one: a request that comes before the last one's sandbox is idle starts another
        wait_until("as many ports as addresses", lambda: self.used(d) == len([l for l in self.links() if l.startswith("fn" + d.instance[4:10])]) > 0)
        self.stop(d)

    def test_stop_right_after_kill_9_of_fn_spawnd(self):
        for delay in (0, 0.01, 0.05):
            d = self.daemon()
            self.function(d, "f")
            self.call(d, "f")
            os.kill(d.pids()["spawnd"][0], signal.SIGKILL)
            time.sleep(delay)
            self.stop(d)

    def test_kill_9_of_everything(self):
        d = self.daemon()
        self.function(d, "f")
        for loopback in (False, True):
            self.call(d, "f")
            self.kill_all(d)
            self.assertIn("fnd0", self.links())
            self.assertEqual(self.forwarding()["eth0"], "1")
            if loopback:  # what is left goes even if the network is not wanted any more
                d.set_config({})
                d.start()
                wait_until("the sweep, which the API does not wait for", lambda: sorted(self.links()) == ["eth0", "lo"])
                self.assertEqual(d.invoke("f", {"do": "read", "path": "/proc/net/dev"}).json.count(":"), 1)
            else:
                d.start()
                self.assertEqual(self.call(d, "f", "fetch", url=f"http://{SITE}/"), HOST_ADDR)
        self.stop(d)

    def test_forwarding_that_was_on_stays_on(self):
        within(HOST, "sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=1")
        self.addCleanup(within, HOST, "sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=0")
        d = self.daemon()
        self.assertEqual(d.stop(), 0)
        self.assertEqual(self.forwarding()["eth0"], "1")
        self.assertEqual(sorted(self.links()), ["eth0", "lo"])

    # --- what is refused at the start ---
    def refused(self, pattern, **network):
        d = self.daemon(start=False, **network)
        d.start(wait=False)
        self.assertEqual(d.process.wait(60 * SLOW), 1)
        self.assertRegex(d.log(), pattern)
        self.assertLess(d.log().count("starting it again"), 1, d.log())

    def test_a_bridge_of_another_is_never_taken_over(self):
        ip("link", "add", "fnd0", "type", "bridge", ns=HOST)
        self.addCleanup(ip, "link", "del", "fnd0", ns=HOST)
        before = ip("-j", "link", "show", "fnd0", ns=HOST)
        self.refused(r"nat: create bridge: fnd0: an interface of that name \(bridge\) belongs to another.*EEXIST")
        self.assertEqual(ip("-j", "link", "show", "fnd0", ns=HOST), before)

    def test_two_instances_do_not_share_a_bridge(self):
        d = self.daemon()
        self.refused(f"nat: create bridge: fnd0: .*{d.instance}.* belongs to another", subnet="10.202.0.0/16")
        second = self.daemon(bridge="fnd1", subnet="10.202.0.0/16")
        for x in (d, second):
            self.function(x, "f")
        for x in (d, second):
            self.assertEqual(self.call(x, "f", "fetch", url=f"http://{SITE}/"), HOST_ADDR)
        self.assertNotEqual(self.call(d, "f", "connect", to=["10.202.0.1:8088"])["10.202.0.1:8088"], "ok")
        self.assertEqual(d.stop(), 0)
        self.assertEqual(self.call(second, "f", "fetch", url=f"http://{SITE}/"), HOST_ADDR)
        self.stop(second)

    def test_a_subnet_in_use_is_refused(self):
        self.refused(r"nat: subnet: 192\.0\.2\.0/25 overlaps with this host's route 192\.0\.2\.\d+/\d+ dev eth0.*EADDRINUSE", subnet="192.0.2.0/25")
        self.refused("nat: uplink: there is no interface nosuch0", uplink="nosuch0")
        self.assertEqual(sorted(self.links()), ["eth0", "lo"])

    def test_a_host_that_cannot(self):
        """Without CAP_NET_ADMIN, as without the kernel's modules: the error names the step, and what to do."""
        d = self.daemon(start=False)
        r = subprocess.run(["nsenter", f"--net=/run/netns/{HOST}", "setpriv", "--bounding-set=-net_admin", os.path.join(BUILD, "fnd"), "--listen", f"127.0.0.1:{d.port}", "--state", d.state,
                            "--config", d.config_path, "--images", d.images], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=60 * SLOW)
        self.assertEqual(r.returncode, 1)
        self.assertRegex(r.stdout, "nat: create bridge: fnd0: .*EPERM")
        self.assertIn(f'with "network": {{"mode": "loopback"}} in {d.config_path} fnd starts', r.stdout)

    def test_which_network_is_in_force_and_why(self):
        for config, why in ((self.config(), "nat: .*\\(network.mode in {}\\)$"), ({"network": {"mode": "loopback"}}, "loopback: .* \\(network.mode in {}\\)$"),
                            ({"init_timeout_s": 10}, "loopback: .* \\(the default: there is no network.mode in {}\\)$")):
            d = self.daemon(config=config)
            wait_until("fn-spawnd answers", lambda: d.doctor().get("Network"))
            self.assertRegex([c["Detail"] for c in d.doctor()["Checks"] if c["Name"] == "network"][0], why.format(d.config_path))
            self.stop(d)

    def test_no_name_server_is_said(self):
        config = self.config()
        with open(config["network"]["resolv_conf"], "w") as f:
            f.write("nameserver 127.0.0.1\nnameserver ::1\n")
        d = self.daemon(config=config)
        wait_until("fn-spawnd answers", lambda: d.doctor().get("Network"))
        check = [c for c in d.doctor()["Checks"] if c["Name"] == "name servers"][0]
        self.assertEqual((check["Ok"], check["Remedy"]), (False, "name a file with a reachable IPv4 server in network.resolv_conf"))
        self.assertRegex(d.log(), "has no name server that a sandbox can reach .*functions will find no host by name")

    def test_configuration(self):
        d = self.daemon(start=False)
        for key, value, pattern in (("subnet", "10.0.0.1/16", "is 10.0.0.0/16 meant"), ("subnet", "10.0.0.0/8", "prefix must be from /16"), ("subnet", "10.0.0.0", "no ADDRESS/BITS"),
                                    ("subnet", "127.1.0.0/16", "reserved range"), ("bridge", "a-name-too-long-", "1 to 15"), ("bridge", "a/b", "letters, digits"),
                                    ("resolv_conf", "/nonexistent/resolv.conf", "resolv_conf: /nonexistent/resolv.conf: ENOENT"), ("mtu", 5, "no key of"),
                                    ("allow_host", "tcp:1", "must be a list"), ("allow_host", [5432], "must be a list of texts"), ("allow_host", ["tcp:0"], "network.allow_host: \"tcp:0\" is not tcp:PORT"),
                                    ("allow_host", ["tcp:1,udp:2"], "must be a list of texts"), ("allow_host", ["udp:5", "udp:127.0.0.1:5"], "udp port 5 is named twice"),
                                    ("allow_host", ["tcp:10.201.0.1:5"], "must be an IPv4 address on which"), ("allow_host", ["tcp:localhost:5"], "must be an IPv4 address"),
                                    ("connections_environment", -1, "whole number from 0"), ("connections_total", "half", "whole number from 0"),
                                    ("connections_function", 1.5, "whole number from 0")):
            with self.subTest(key=key, value=value):
                d.set_config(self.config(**{key: value}))
                r = subprocess.run([os.path.join(BUILD, "fnd"), "--check-config", "--config", d.config_path, "--state", d.state], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   universal_newlines=True)
                self.assertEqual(r.returncode, 1)
                self.assertIn(pattern, r.stdout)

    def test_loopback_mode_has_no_such_device(self):
        d = self.daemon(config={"network": {"mode": "loopback"}})
        self.function(d, "f")
        self.assertEqual(re.findall(r"^ *(\w+):", self.call(d, "f", "read", path="/proc/net/dev"), re.M), ["lo"])
        self.assertEqual(sorted(self.links()), ["eth0", "lo"])
        self.assertEqual(self.call(d, "f", "read", path="/etc/resolv.conf"), "nameserver 127.0.0.1\n")
        self.assertEqual(d.doctor()["Network"], {"mode": "loopback"})
        self.assertNotEqual(self.call(d, "f", "connect", to=[f"{SITE}:80"])[f"{SITE}:80"], "ok")
