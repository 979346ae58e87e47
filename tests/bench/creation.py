"""Floors of the kernel, and a sandbox's creation beside crun, runc and bubblewrap with /bin/true in the same root tree."""
import json, os, shutil, subprocess, tempfile

from common import BUILD, first_line, quantile, run_json, tool

TREE = "img-" + "0" * 64
ROUNDS = 5
RESTED_MS = 10500  # a daemon that has been left alone for a while: the file systems for /tmp are made ahead, the sandboxes are not
NAMESPACES = ("user", "pid", "network", "ipc", "uts", "mount", "cgroup")
MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/kmsg", "/proc/kpagecount", "/proc/kpageflags", "/proc/kallsyms", "/proc/key-users", "/proc/latency_stats",
          "/proc/sched_debug", "/proc/scsi", "/proc/sysrq-trigger", "/proc/timer_list", "/proc/vmallocinfo", "/proc/slabinfo", "/proc/modules", "/proc/config.gz",
          "/proc/interrupts", "/proc/iomem", "/proc/ioports"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"]


class Tree:
    """A state directory for fn-spawnd with one root tree, and OCI bundles that use the same tree."""

    def __enter__(self):
        self.state = tempfile.mkdtemp(prefix="fnd-bench-", dir="/var/tmp")
        os.chmod(self.state, 0o755)
        self.root = os.path.join(self.state, "roots", TREE)
        for d in ("bin", "dev", "proc", "sys", "tmp", "etc"):
            os.makedirs(os.path.join(self.root, d))
        for name in ("init", "bin/true"):
            shutil.copy(tool("guest"), os.path.join(self.root, name))
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.state, ignore_errors=True)

    def bundle(self, name, limits):
        mapping = [{"containerID": 0, "hostID": 1879113728, "size": 65536}]
        config = {
            "ociVersion": "1.0.0", "hostname": "bench", "root": {"path": self.root, "readonly": True},
            "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["/bin/true"], "env": ["A=b"], "cwd": "/", "noNewPrivileges": True,
                        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}]},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
                       {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777", "size=512m"]}],
            "linux": {"namespaces": [{"type": t} for t in NAMESPACES], "uidMappings": mapping, "gidMappings": mapping, "maskedPaths": MASKED,
                      "readonlyPaths": READ_ONLY, "resources": limits}}
        path = os.path.join(self.state, name)
        os.makedirs(path)
        with open(os.path.join(path, "config.json"), "w") as f:
            json.dump(config, f)
        return path


def unified_only():
    """A shell prefix: a mount namespace of its own, in which /sys/fs/cgroup is the unified hierarchy. The host's mounts stay as they are."""
    with open("/proc/mounts") as f:
        mounts = [l.split()[:3] for l in f]
    if any(m[1] == "/sys/fs/cgroup" and m[2] == "cgroup2" for m in mounts):
        return None
    for m in mounts:
        if m[2] == "cgroup2":
            return f"mount --make-rprivate / && mount --bind {m[1]} /sys/fs/cgroup && exec "
    return None


class Peers:
    def __init__(self, tree):
        self.commands, self.notes, self.absent, self.cpu = {}, {}, {}, {}
        self._crun(tree)
        self._runc(tree)
        if shutil.which("bwrap"):
            self.commands["bwrap"] = ([], f"bwrap --unshare-all --die-with-parent --new-session --cap-drop ALL --hostname bench --ro-bind {tree.root} / --proc /proc "
                                          "--dev /dev --tmpfs /tmp /bin/true")
            self.notes["bwrap"] = "no cgroup, no seccomp filter, no masked /proc files"
        else:
            self.absent["bwrap"] = "not installed"
        for name in list(self.commands):
            try:
                sample = self.run(name, 1, 1)
                if not sample:
                    raise RuntimeError("it ends with an error")
            except RuntimeError as e:
                self.absent[name] = str(e)
                del self.commands[name]

    def _crun(self, tree):
        if not shutil.which("crun"):
            self.absent["crun"] = "not installed"
            return
        prefix = unified_only()
        wrap = ["unshare", "-m", "sh", "-c", prefix + '"$@"', "sh"] if prefix else []
        root = os.path.join(tree.state, "crun-state")
        limits = {} if prefix else {"memory": {"limit": 128 << 20}, "cpu": {"quota": 100000, "period": 100000}, "pids": {"limit": 1024}}
        self.commands["crun"] = (wrap, f"crun --root {root} run --bundle {tree.bundle('crun', limits)} bench-crun-%d")
        self.notes["crun"] = ("crun refuses hybrid cgroups, so it runs in a mount namespace where /sys/fs/cgroup is the unified hierarchy: a group of its own but no limits; "
                              if prefix else "with the same limits; ") + "no seccomp filter"

    def _runc(self, tree):
        if not shutil.which("runc"):
            self.absent["runc"] = "not installed"
            return
        limits = {"memory": {"limit": 128 << 20}, "cpu": {"quota": 100000, "period": 100000}, "pids": {"limit": 1024}}
        self.commands["runc"] = ([], f"runc --root {tree.state}/runc-state run --bundle {tree.bundle('runc', limits)} bench-runc-%d")
        self.notes["runc"] = "with the same limits; no seccomp filter"

    def run(self, name, count, parallel):
        """Latencies in us from start to end of the command."""
        wrap, command = self.commands[name]
        self.serial = getattr(self, "serial", 0) + 1
        out = run_json(wrap + [tool("times"), count, parallel, name, command.replace("%d", f"{self.serial}-%d")])[name]
        if out["failed"] > 0 and not out["us"]:
            raise RuntimeError(f"every run of it failed; {first_line(self.first_words(wrap, command)) or 'no message'}")
        self.cpu.setdefault(name, []).append(out["cpu_us"])
        return out["us"]

    @staticmethod
    def first_words(wrap, command):
        return wrap + command.replace("%d", "x").split()


def spawn_bench(tree, *options):
    return run_json([tool("spawn_bench"), *options, os.path.join(BUILD, "fn-spawnd"), tree.state])


def merged_stages(runs):
    return {k: quantile([r["stages_p50_us"][k] for r in runs], 0.5) for k in runs[0]["stages_p50_us"]}


def floors(b):
    b.say("floors of the kernel")
    with Tree() as tree:
        for name, v in run_json([tool("floors"), 15 if b.quick else 40, tool("guest"), tree.root]).items():
            b.figure(f"floor_{name}_us", [v["us"]], floor=True)


def create(b):
    b.say("sandboxes: created alone, after a pause, 50 at once; beside crun, runc, bwrap")
    rounds = 2 if b.quick else ROUNDS
    with Tree() as tree:
        peers = Peers(tree)
        alone, prepared, to_exit, isolated = [], [], [], []
        seen = {p: [] for p in peers.commands}
        for _ in range(rounds):
            alone.append(spawn_bench(tree, "--count", 30))
            to_exit.append(spawn_bench(tree, "--count", 20, "--to-exit"))
            for p in seen:
                seen[p].append(peers.run(p, 10, 1))
            prepared.append(spawn_bench(tree, "--count", 20, "--warmup", 2, "--gap-ms", 20, "--prepared", 8, "--settle-ms", 300))
            isolated.append(spawn_bench(tree, "--count", 8, "--warmup", 1, "--gap-ms", 50))
        b.figure("sandbox_create_us", [r["us"] for r in alone], aim=2000, what="request to execve done, one at a time", stages=merged_stages(alone))
        b.figure("sandbox_create_prepared_us", [r["us"] for r in prepared], aim=1000, what="from those made ahead, 20 ms after the one before", stages=merged_stages(prepared),
                 from_stock=sum(r["from_stock"] for r in prepared))
        b.figure("sandbox_create_isolated_us", [r["us"] for r in isolated], aim=2000, what="the same, 50 ms after the one before", stages=merged_stages(isolated))
        b.figure("sandbox_run_us", [r["us"] for r in to_exit], what="request to the notice of /bin/true's end, as the peers are measured",
                 cpu_us={"fnd": quantile([r["cpu_us"] for r in to_exit], 0.5), **{p: quantile(peers.cpu[p], 0.5) for p in seen}})
        for figure in ("sandbox_create_us", "sandbox_create_prepared_us", "sandbox_run_us"):
            for p in seen:
                b.peer(figure, p, seen[p], note=peers.notes[p])
            for p, why in peers.absent.items():
                b.absent(figure, p, why)
        parallel(b, tree, peers, rounds)


def parallel(b, tree, peers, rounds):
    at_once = 50
    ready, burst, sustained, to_exit, seen = [], [], [], [], {p: [] for p in peers.commands}
    for _ in range(min(rounds, 3)):
        ready.append(spawn_bench(tree, "--count", at_once, "--warmup", 0, "--parallel", at_once, "--keep", "--prepared", at_once + 10, "--settle-ms", 1500))
        burst.append(spawn_bench(tree, "--count", at_once, "--warmup", 0, "--parallel", at_once, "--keep", "--settle-ms", RESTED_MS))
        sustained.append(spawn_bench(tree, "--count", 150, "--parallel", at_once))
        to_exit.append(spawn_bench(tree, "--count", at_once, "--warmup", 0, "--parallel", at_once, "--to-exit", "--settle-ms", RESTED_MS))
        for p in seen:
            seen[p].append(peers.run(p, 1, at_once))
    b.figure("sandbox_create_50_parallel_prepared_us", [r["us"] for r in ready], aim_p99=15000, stages=merged_stages(ready), from_stock=sum(r["from_stock"] for r in ready),
             what="50 asked for at once, 60 were made ahead; all stay alive")
    b.figure("sandbox_create_50_parallel_us", [r["us"] for r in burst], stages=merged_stages(burst), what="50 asked for at once after quiet seconds, none was made ahead; all stay alive")
    b.figure("sandboxes_per_second", [[r["per_second"]] for r in sustained], unit="rps", what="50 asked for at all times, each killed when it is there", stages=merged_stages(sustained))
    b.figure("sandbox_run_50_parallel_us", [r["us"] for r in to_exit], what="50 at once after quiet seconds, none was made ahead; to their ends")
    for p in seen:
        b.peer("sandbox_run_50_parallel_us", p, seen[p], aim=1.0 if p == "bwrap" else None, note=peers.notes[p])
    for p, why in peers.absent.items():
        b.absent("sandbox_run_50_parallel_us", p, why)
