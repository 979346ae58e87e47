"""What the parts of the benchmark share: statistics, the figures, the machine's facts, programs beside the build."""
import glob, json, os, re, shutil, statistics, subprocess, sys, time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests/it"))
BUILD = os.environ.get("FND_BUILD", os.path.join(TOP, "build"))
INVOKE = "/2015-03-31/functions/{}/invocations"
EVENT = '{"key1":"value1","key2":"value2","key3":"value3"}'
FULL_CPU_MB = 1769  # of memory: one whole CPU


def tool(name):
    return os.path.join(BUILD, "tests/bench", name)


def run_json(argv, **kw):
    r = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    if r.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, argv))[:300]}: status {r.returncode}: {r.stderr.decode(errors='replace')[-500:]}")
    return json.loads(r.stdout)


def quantile(values, q):
    v = sorted(values)
    return v[min(len(v) - 1, int(q * len(v)))] if v else None


def summary(values):
    return {"p10": quantile(values, 0.1), "p50": quantile(values, 0.5), "p99": quantile(values, 0.99), "max": max(values), "n": len(values)} if values else {"n": 0}


class Bench:
    """Collects figures; each is {unit, p50, p99, n, rounds: [p50 of each], peers: {name: {..., ratio}}, ...}."""

    def __init__(self, seconds=1.0, quick=False, density=(2000, 3000)):
        self.seconds, self.quick, self.density = seconds, quick, density
        self.figures, self.notes = {}, []

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)
        print(f"bench: note: {text}", file=sys.stderr, flush=True)

    def say(self, text):
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def figure(self, name, rounds, unit="us", aim=None, **more):
        """rounds: a list of samples per round."""
        flat = [x for r in rounds for x in r]
        f = {"unit": unit, **summary(flat), "rounds": [quantile(r, 0.5) for r in rounds if r], **more}
        if aim is not None:
            f["aim"] = aim
        self.figures[name] = f
        return f

    def peer(self, figure, name, rounds, aim=None, **more):
        """The ratio is ours/peer of each round's medians: the median of those is kept, and their range."""
        f = self.figures[figure]
        p = {**summary([x for r in rounds for x in r]), **more}
        ratios = [ours / quantile(r, 0.5) for ours, r in zip(f["rounds"], rounds) if r and quantile(r, 0.5)]
        if ratios:
            p.update(ratio=statistics.median(ratios), ratio_min=min(ratios), ratio_max=max(ratios), pairs=len(ratios))
        if aim is not None:
            p["aim_ratio"] = aim
        f.setdefault("peers", {})[name] = p

    def absent(self, figure, name, why):
        """A peer that could not be run: said, never silent."""
        self.figures[figure].setdefault("peers", {})[name] = {"n": 0, "absent": why}
        self.note(f"{figure}: {name} not run: {why}")

    def value(self, name, value, unit, aim=None, **more):
        self.figures[name] = {"unit": unit, "p50": value, "n": 1, **({"aim": aim} if aim is not None else {}), **more}


# --- the machine ---
def first_line(argv):
    try:
        r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
        return r.stdout.splitlines()[0].strip() if r.returncode == 0 and r.stdout else None
    except (OSError, subprocess.TimeoutExpired):
        return None


def machine():
    with open("/proc/cpuinfo") as f:
        model = re.search(r"^model name\s*:\s*(.*)$", f.read(), re.M)
    with open("/proc/meminfo") as f:
        total = int(re.search(r"MemTotal:\s+(\d+)", f.read()).group(1))
    with open("/proc/mounts") as f:
        groups = sorted({l.split()[2] for l in f if l.split()[2] in ("cgroup", "cgroup2")})
    return {"cpu": model.group(1) if model else "unknown", "cores": os.cpu_count(), "memory_mb": total // 1024, "kernel": os.uname().release,
            "cgroups": "hybrid" if len(groups) == 2 else groups[0] if groups else "none", "load_before": os.getloadavg()[0],
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "commit": first_line(["git", "-C", TOP, "describe", "--always", "--dirty"]),
            "crun": first_line(["crun", "--version"]), "runc": first_line(["runc", "--version"]), "bwrap": first_line(["bwrap", "--version"]),
            "python3": first_line([python3(), "--version"]), "node": first_line([node(), "--version"]) if node() else None}


def python3():
    """Debian's, as in the base image; not whatever stands first in PATH."""
    return "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else shutil.which("python3")


def node():
    return "/usr/bin/node" if os.path.exists("/usr/bin/node") else shutil.which("node")


# --- daemons and functions ---
PYTHON = "def handler(event, context):\n    return event\n"
NODE = "exports.handler = async (event) => event;\n"


def runtimes(daemon):
    """What can be measured here: {label: (runtime, handler, zip)}; node only where its base image is installed."""
    from harness import make_zip, native_zip
    out = {"native": ("provided.al2023", "bootstrap", native_zip()), "python": ("python3.11", "f.handler", make_zip({"f.py": PYTHON}))}
    installed = [r for r in re.findall(r"nodejs\d+\.x", json.dumps(daemon.request("GET", "/_fnd/doctor").json))]
    for name in sorted({os.path.basename(p)[:-5] for p in glob.glob(os.path.join(daemon.images, "nodejs*.json"))} | set(installed)):
        out["node"] = (name, "f.handler", make_zip({"f.js": NODE}))
    return out


def create(daemon, name, runtime, **more):
    lambda_runtime, handler, code = runtime
    more.setdefault("MemorySize", FULL_CPU_MB)
    more.setdefault("Timeout", 60)
    daemon.create(name, code, runtime=lambda_runtime, handler=handler, **more)


def wait_active(daemon, names):
    from harness import wait_until
    for n in names:
        wait_until(f"{n} is active", lambda: daemon.request("GET", f"/2015-03-31/functions/{n}/configuration").json.get("State") == "Active", 60)


def report_stages(headers):
    """X-Amz-Log-Result of cold invocations -> {stage: median us}, from the line behind REPORT."""
    import base64
    seen = {}
    for h in headers:
        log = base64.b64decode(h).decode("utf-8", "replace")
        cold = re.search(r"Cold Start: (.*)", log) or re.search(r"Restore: (.*)", log)
        if not cold:
            continue
        for name, ms in re.findall(r"([a-z_]+) ([0-9.]+) ms", cold.group(1)):
            seen.setdefault(name, []).append(float(ms) * 1000)
    return {k: statistics.median(v) for k, v in seen.items()}, max((len(v) for v in seen.values()), default=0)


def memory_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        text = f.read()
    return {k.lower(): int(re.search(rf"^{k}:\s+(\d+)", text, re.M).group(1)) for k in ("Rss", "Pss")}
