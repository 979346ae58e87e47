"""Every way of starting looks the same from inside: all that a function can observe, after each of them, compared.

Plain, in a sandbox made ahead, in a process started ahead, after the crash of the one before, from a snapshot. What may differ is named in
DIFFERENCES, and nowhere else.
"""
import json, re, unittest
from harness import *

HERE = os.path.join(TOP, "tests/observe")
PLAIN = {"prepared_least": 0, "prepared_most": 0, "prestarted_least": 0, "prestarted_most": 0}
PREPARED = {"prepared_least": 2, "prepared_most": 2, "prestarted_least": 0, "prestarted_most": 0}
PRESTARTED = {"prepared_least": 1, "prepared_most": 1, "prestarted_least": 2, "prestarted_most": 2}

# Of /proc/self/status: what is of the moment, not of the way there.
OF_THE_MOMENT = re.compile(r"^(Vm\w+|Rss\w+|HugetlbPages|Seccomp_filters_|(non)?voluntary_ctxt_switches|untag_mask)$")

# (way of starting, pattern of the place) -> why it may differ there from a plain start
DIFFERENCES = {
    ("snapshot", r"(files|child)\.status\.Seccomp_filters"): "one filter more keeps the image's mappings",
    ("snapshot", r"system\.exe"): "the program that made the process from its image",
    ("snapshot", r"python\.gc"): "objects of the image are out of the collector's way",
    ("after a crash", r"files\.mountinfo\./tmp"): "idmapped: its files are another sandbox's",
    ("snapshot", r"files\.mountinfo\./"): "the image's tree is part of the root",
    ("snapshot", r"(env|files\.environ|child\.env)\.AWS_LAMBDA_FUNCTION_VERSION"): "it is a version",
    ("started ahead", r"python\.modules|python\.cached paths"): "json is there already",
    ("snapshot", r"env\.AWS_LAMBDA_INITIALIZATION_TYPE|files\.environ\.AWS_LAMBDA_INITIALIZATION_TYPE|child\.env\.AWS_LAMBDA_INITIALIZATION_TYPE"): "as on Lambda",
}


def lines(text, separator=":"):
    return {k.strip(): v.strip() for k, _, v in (l.partition(separator) for l in text.splitlines()) if k.strip()}


def status(text):
    return {k: re.sub(r"\s+", " ", v) for k, v in lines(text).items() if not OF_THE_MOMENT.match(k)}


def stat(text):
    """pgrp, session, tty, tpgid; priority, nice; exit signal, rt priority, policy (proc(5), from the state on)"""
    fields = text[text.rindex(")") + 2:].split()
    return {name: fields[at] for name, at in (("pgrp", 2), ("session", 3), ("tty", 4), ("tpgid", 5), ("priority", 15), ("nice", 16), ("exit signal", 35), ("rt priority", 37), ("policy", 38))}


def mounts(text):
    """By where they are: order, numbers and devices are not told by the way of starting."""
    found = {}
    for line in text.splitlines():
        head, _, tail = line.partition(" - ")
        fields = head.split()
        found[fields[4]] = " ".join(fields[3:4] + fields[5:] + tail.split())
    return found


def environ(text):
    return dict(e.partition("=")[::2] for e in text.split("\0") if e)


def clean(name, value):
    """What differs between any two environments."""
    if not isinstance(value, str):
        return value
    value = re.sub(r"\d{4}/\d\d/\d\d/\[[^]]*\][0-9a-f]{32}", "STREAM", value)
    value = re.sub(r"Root=1-[0-9a-f;=\w-]+", "TRACE", value)
    value = re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", value)
    value = re.sub(r"^(\s+\d+)\s+\d{8,}\s+(\d+)$", r"\1 HOST \2", value, flags=re.M)  # uid_map, gid_map: each sandbox has a range of its own
    value = re.sub(r"/autogroup-\d+", "/autogroup", value)
    value = re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:PORT", value)  # each daemon listens on one of its own
    if re.search(r"AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)$", name):
        return "a credential"
    return re.sub(r"AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)=\S+", r"AWS_\1=a credential", value)


def flat(value, name=""):
    if isinstance(value, dict):
        for k in value:
            yield from flat(value[k], f"{name}.{k}" if name else k)
    else:
        yield name, clean(name, value if not isinstance(value, list) else json.loads(clean("", json.dumps(value))))


def observed(answer):
    """A dump as {place: value}."""
    files, child = answer["files"], answer.get("child", {})
    for part in (files, child):
        for name, parse in (("status", status), ("stat", stat), ("mountinfo", mounts), ("environ", environ)):
            if name in part:
                part[name] = parse(part[name])
        if "limits" in part:
            part["limits"] = {l[:26].strip(): l[26:].split() for l in part["limits"].splitlines()}
    if "env" in child:
        child["env"] = dict(e.partition("=")[::2] for e in child["env"] if e)
    return dict(flat(answer))


def said(d, name):
    """The log's lines, without what is of one invocation and what tells of the way."""
    text = d.request("GET", f"/_fnd/logs/{name}?cursor=0&max=1000000").json["Text"]
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", text)
    text = re.sub(r"\d+(\.\d+)? (ms|MB)\b", r"N \2", re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text))
    return [re.sub(r"^TIME ", "", line) for line in text.splitlines() if line.strip() != "TIME" and "Cold Start" not in line]


class Ways(Case):
    """One function, started in each way."""

    def setUp(self):
        self.name = "observe-" + "-".join(self.id().split(".")[-2:]).replace("_", "-").lower()

    def way(self, name, config, create, ahead=None, says=None):
        d = shared(config)
        d.delete(self.name)
        create(d)
        self.addCleanup(d.delete, self.name)
        if ahead:
            wait_until("something is made ahead", lambda: any(n for kind, n in d.doctor()["Prepared"].items() if kind.startswith(ahead)))
        r = d.invoke(self.name, {}, tail=True)
        self.assertEqual((r.status, r.error), (200, None), f"{name}: {r}\n{r.log}")
        if says:
            self.assertIn(says, r.log)
        else:
            self.assertNotRegex(r.log, "started ahead|prepared sandbox")
        return d, r

    def logged(self, d):
        """Of its first environment, which has served once."""
        wait_until("the log is whole", lambda: any(l.startswith("REPORT") for l in said(d, self.name)))
        lines = said(d, self.name)
        return lines[:lines.index(next(l for l in lines if l.startswith("REPORT"))) + 1]

    def compare(self, name, plain, other):
        wrong = []
        for place in sorted(set(plain) | set(other)):
            if plain.get(place) != other.get(place) and not any(way == name and re.fullmatch(p, place) for way, p in DIFFERENCES):
                wrong.append(f"{place}: {plain.get(place)!r} plainly, {other.get(place)!r} {name}")
        return wrong


class Managed(Ways):
    def ways(self, runtime, create, snapshot=False):
        answers = {}
        d, r = self.way("plain", PLAIN, create)
        answers["plain"] = r.json
        log = self.logged(d)
        self.assertEqual([l.split()[0] for l in log], ["INIT_START", "START", *log[2:-2][0].split()[:1], "END", "REPORT"], log)
        self.assertEqual(d.in_turn(self.name, {"do": "exit"}).error, "Unhandled")
        answers["after a crash"] = d.invoke(self.name, {}).json
        d, r = self.way("prepared", PREPARED, create, "sandbox", "prepared sandbox")
        answers["prepared"] = r.json
        self.assertEqual(self.logged(d), log)
        d, r = self.way("started ahead", PRESTARTED, create, runtime + "-", "runtime started ahead")
        answers["started ahead"] = r.json
        self.assertEqual(self.logged(d), log)
        if snapshot:
            answers["snapshot"] = self.from_snapshot(d)
        seen = {name: observed(answer) for name, answer in answers.items()}
        plain = seen.pop("plain")
        wrong = [w for name, other in seen.items() for w in self.compare(name, plain, other)]
        self.assertEqual([], wrong, "\n" + "\n".join(wrong))
        return plain

    def from_snapshot(self, d):
        d.configure(self.name, SnapStart={"ApplyOn": "PublishedVersions"})
        version = d.request("POST", f"/2015-03-31/functions/{self.name}/versions", {}).json["Version"]
        look = lambda: d.request("GET", f"/2015-03-31/functions/{self.name}/configuration?Qualifier={version}").json
        wait_until(lambda: f"a snapshot: {look()}", lambda: look()["State"] != "Pending")
        self.assertEqual(look()["SnapStart"]["OptimizationStatus"], "On", look())
        return d.invoke(self.name, {}, query=f"?Qualifier={version}").json

    def test_python(self):
        with open(os.path.join(HERE, "dump.py")) as f:
            code = make_zip({"dump.py": f.read()})
        self.ways("python3.11", lambda d: d.create(self.name, code, runtime="python3.11", handler="dump.handler", MemorySize=1024, Timeout=60), snapshot=True)

    def test_node(self):
        with open(os.path.join(HERE, "dump.js")) as f:
            code = make_zip({"dump.js": f.read()})
        self.ways("nodejs22.x", lambda d: d.create(self.name, code, runtime="nodejs22.x", handler="dump.handler", MemorySize=1769, Timeout=60))


class Native(Ways):
    FILES = ("status", "stat", "limits", "cgroup", "mountinfo", "cmdline", "comm", "oom_score_adj", "personality", "coredump_filter", "uid_map", "gid_map", "setgroups")
    OTHERS = ("/proc/1/cmdline", "/proc/1/comm", "/proc/sys/kernel/hostname", "/etc/passwd", "/etc/group", "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/proc/version")

    def look(self, d):
        read = lambda path: d.do(self.name, "file", path=path).get("text")
        return observed({"environ": dict(e.partition("=")[::2] for e in d.do(self.name, "environ")), "files": {f: read(f"/proc/self/{f}") for f in self.FILES}, "others": {f: read(f) for f in self.OTHERS},
                         "descriptors": {fd: re.sub(r"\d+", "N", to) for fd, to in d.do(self.name, "fdlist").items()}, "ids": d.do(self.name, "ids"),
                         "links": {f: d.do(self.name, "link", path=f"/proc/self/{f}") for f in ("exe", "cwd", "root")}, "lists": {f: sorted(d.do(self.name, "list", path=f)) for f in ("/", "/dev", "/tmp", "/etc", "/var")}})

    def test_native(self):
        create = lambda d: d.create(self.name, MemorySize=1769, Timeout=60)
        d, _ = self.way("plain", PLAIN, create)
        plain, log = self.look(d), self.logged(d)
        self.assertEqual(d.in_turn(self.name, {"do": "exit"}).error, "Unhandled")
        wrong = self.compare("after a crash", plain, self.look(d))
        d, _ = self.way("prepared", PREPARED, create, "sandbox", "prepared sandbox")
        wrong += self.compare("prepared", plain, self.look(d))
        self.assertEqual(self.logged(d), log)
        self.assertEqual([], wrong, "\n" + "\n".join(wrong))


class Variables(Ways):
    """What a variable of the function's does, it does in a runtime that was started ahead too; or the runtime is started with it, and the log says why."""
    LATER = {"HOME": "/tmp", "TMPDIR": "/tmp/x", "PATH": "/bin", "TERM": "xterm", "SHLVL": "4", "PWD": "/tmp", "USER": "me", "NO_COLOR": "1", "AWS_XRAY_CONTEXT_MISSING": "RUNTIME_ERROR", "HOSTALIASES": "/tmp/h",
             "XDG_CACHE_HOME": "/tmp", "DEBUG": "1", "AWS_LAMBDA_LOG_LEVEL": "ERROR", "COLUMNS": "40", "FOO": "ü\n\u2028="}
    PYTHON = {"PYTHONPATH": "/tmp", "PYTHONWARNINGS": "ignore", "PYTHONUTF8": "1", "PYTHONIOENCODING": "latin-1", "PYTHONDONTWRITEBYTECODE": "1", "LD_LIBRARY_PATH": "/tmp", "LANG": "C", "LANGUAGE": "de", "LC_ALL": "C",
              "LC_TIME": "C", "LOCPATH": "/tmp", "TZ": "Europe/Berlin", "TZDIR": "/tmp", "MALLOC_ARENA_MAX": "1", "GLIBC_TUNABLES": "glibc.malloc.arena_max=1"}
    PYTHON_LATER = {"SSL_CERT_FILE": "/tmp/pem", "SSL_CERT_DIR": "/tmp", "OPENSSL_CONF": "/tmp/cnf", "NODE_OPTIONS": "--x", "UV_THREADPOOL_SIZE": "8"}
    NODE = {"NODE_OPTIONS": "--max-old-space-size=100", "NODE_PATH": "/tmp", "NODE_EXTRA_CA_CERTS": "/tmp/pem", "NODE_DEBUG": "x", "LD_LIBRARY_PATH": "/tmp", "LANG": "C", "LC_ALL": "de_DE.UTF-8", "TZ": "Europe/Berlin",
            "UV_THREADPOOL_SIZE": "1", "SSL_CERT_FILE": "/tmp/pem", "OPENSSL_CONF": "/tmp/cnf", "MALLOC_ARENA_MAX": "1", "GLIBC_TUNABLES": "glibc.malloc.arena_max=1", "IFS": "x", "PPID": "7", "OPTIND": "3", "LINENO": "9"}

    def both(self, runtime, create, variables, obstacle=None):
        with_them = lambda d: create(d, {"Variables": variables})
        _, r = self.way("plain", PLAIN, with_them)
        plain = observed(r.json)
        _, r = self.way("started ahead", PRESTARTED, with_them, runtime + "-", f"runtime not ahead because of {obstacle}" if obstacle else "runtime started ahead")
        return [f"{variables}: {w}" for w in self.compare("prepared" if obstacle else "started ahead", plain, observed(r.json))]

    def each(self, runtime, name, later, first):
        with open(os.path.join(HERE, name)) as f:
            code = make_zip({name: f.read()})
        create = lambda d, env: d.create(self.name, code, runtime=runtime, handler="dump.handler", MemorySize=1769, Timeout=60, Environment=env)
        wrong = self.both(runtime, create, later)
        for name, value in first.items():
            wrong += self.both(runtime, create, {name: value}, name)
        self.assertEqual([], wrong, "\n" + "\n".join(wrong))

    def test_python(self):
        self.each("python3.11", "dump.py", {**self.LATER, **self.PYTHON_LATER}, self.PYTHON)

    def test_node(self):
        self.each("nodejs22.x", "dump.js", self.LATER, self.NODE)


class Consistent(Case):
    """What a process can ask about itself has one answer, whomever it asks."""

    def test_names(self):
        source = """
import grp, os, pwd, socket
def read(path):
    with open(path) as f: return f.read()
def handler(e, c):
    host, me = socket.gethostname(), pwd.getpwuid(os.getuid())
    return {"host": host, "uname": os.uname().nodename, "kernel": read("/proc/sys/kernel/hostname").strip(), "resolves": sorted({a[4][0] for a in socket.getaddrinfo(host, 80)}),
            "uid": os.getuid(), "gid": os.getgid(), "user": me.pw_name, "users": me.pw_gid, "group": grp.getgrgid(os.getgid()).gr_name, "home": [me.pw_dir, os.path.expanduser("~")],
            "first": [read("/proc/1/cmdline"), read("/proc/1/comm")]}
"""
        said = self.d.invoke(self.python(source), {}).json
        self.assertRegex(said["host"], r"^\d+\.\d+\.\d+\.\d+$", "an address literal, as on Lambda")
        self.assertEqual([said["uname"], said["kernel"], said["resolves"]], [said["host"], said["host"], [said["host"]]])
        self.assertEqual((said["users"], said["home"][0]), (said["gid"], said["home"][1]))
        self.assertTrue(said["user"] and said["group"])
        self.assertEqual(said["first"], ["fn-init\0", "fn-init\n"], "nothing of who made it")
        native = self.function("observe-native")
        self.assertEqual(self.d.do(native, "ids")["hostname"], said["host"])
        self.assertIn(f":x:{said['uid']}:{said['gid']}:", self.d.do(native, "file", path="/etc/passwd")["text"])
        self.assertIn(f":x:{said['gid']}:", self.d.do(native, "file", path="/etc/group")["text"])


ALWAYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
          "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_XRAY_CONTEXT_MISSING", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT", "LANG", "LD_LIBRARY_PATH", "PATH", "TZ", "_HANDLER"}
SHELL = {"AWS_EXECUTION_ENV", "PWD", "SHLVL", "_X_AMZN_TRACE_ID"}  # what managed runtimes have besides


def but_endpoints(env):
    """Without what names the platform's own services (test_platform.py)."""
    return {k: v for k, v in env.items() if not k.startswith("AWS_ENDPOINT_URL_")}


class Environment(Case):
    """Names as recorded on Lambda; X-Ray's daemon is not here, nor are its addresses."""

    def environ(self, f):
        entries = self.d.do(f, "environ")
        names = [e.partition("=")[0] for e in entries]
        self.assertEqual(sorted(names), sorted(set(names)), "a name is there once")
        return but_endpoints(dict(e.partition("=")[::2] for e in entries))

    def test_a_custom_runtime_s(self):
        env = self.environ(self.function())
        self.assertEqual(set(env), ALWAYS)
        self.assertEqual((env["TZ"], env["AWS_XRAY_CONTEXT_MISSING"], env["LANG"]), (":UTC", "LOG_ERROR", "en_US.UTF-8"))

    def test_python_s(self):
        f = self.python("import os\ndef handler(e, c):\n    return dict(os.environ)\n")
        env = but_endpoints(self.d.invoke(f, {}).json)
        self.assertEqual(set(env), ALWAYS | SHELL | {"PYTHONPATH"})
        self.assertEqual((env["PWD"], env["SHLVL"], env["PYTHONPATH"]), ("/var/task", "0", "/var/runtime"))

    def test_node_s(self):
        f = self.function(zip_bytes=make_zip({"f.js": "exports.handler = async () => process.env"}), runtime="nodejs22.x", handler="f.handler")
        env = but_endpoints(self.d.invoke(f, {}).json)
        self.assertEqual(set(env), ALWAYS | SHELL | {"NODE_PATH"})
        self.assertEqual((env["PWD"], env["SHLVL"]), ("/var/task", "0"))

    def test_the_function_s_value_where_it_may_set_one(self):
        own = {"TZ": "Europe/Berlin", "AWS_XRAY_CONTEXT_MISSING": "RUNTIME_ERROR", "LANG": "C", "PATH": "/bin", "LD_LIBRARY_PATH": "", "PYTHONPATH": "/opt/mine", "NODE_PATH": "/opt/mine", "HOME": "/tmp",
               "SHLVL": "3", "AWS_LAMBDA_EXEC_WRAPPE": "x", "MINE": "a=b\nc"}
        env = self.environ(self.function(Environment={"Variables": own}))
        self.assertEqual({k: env[k] for k in own}, own)
        self.assertEqual(set(env), ALWAYS | set(own))
        f = self.python("import os\ndef handler(e, c):\n    return dict(os.environ)\n", "observe-own", Environment={"Variables": {**own, "PWD": "/elsewhere", "PATH": os.defpath}})
        env = self.d.invoke(f, {}).json
        self.assertEqual((env["TZ"], env["PYTHONPATH"], env["SHLVL"], env["PWD"], env["HOME"]), ("Europe/Berlin", "/opt/mine", "3", "/var/task", "/tmp"))

    def test_reserved_names_are_refused(self):
        names = sorted(["_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
                        "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                        "AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"])
        for name in names:
            r = self.d.create("observe-reserved", expect=None, Environment={"Variables": {name: "x"}})
            if name[0] == "_":  # no name of the model's pattern, which is looked at first
                self.assertEqual((r.status, r.error_type), (400, "ValidationException"), name)
                self.assertIn("Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+", r.json["message"])
                continue
            self.assertEqual((r.status, r.error_type), (400, "InvalidParameterValueException"), name)
            self.assertTrue(r.json["message"].endswith(f"Reserved keys used in this request: {name}"), r)

    def test_as_many_as_4_kb_hold(self):
        letters = "abcdefghijklmnopqrstuvwxyz"
        own = {a + b: "" for a in letters for b in letters[:19]}
        env = self.environ(self.function(Environment={"Variables": own}))
        self.assertEqual(len(env), len(ALWAYS) + 494)

    def test_processes_by_memory(self):
        for memory, n in ((128, 742), (256, 1254), (1024, 4326)):
            f = self.function(f"observe-{memory}", MemorySize=memory)
            limits = {l[:26].strip(): l[26:].split()[:2] for l in self.d.do(f, "file", path="/proc/self/limits")["text"].splitlines()}
            self.assertEqual({k: limits[k] for k in ("Max processes", "Max open files", "Max stack size", "Max locked memory", "Max pending signals", "Max core file size")},
                             {"Max processes": [str(n)] * 2, "Max open files": ["1024"] * 2, "Max stack size": ["8388608", "unlimited"], "Max locked memory": ["65536"] * 2,
                              "Max pending signals": [str(min(n, 1024))] * 2, "Max core file size": ["1"] * 2})


if __name__ == "__main__":
    unittest.main()
