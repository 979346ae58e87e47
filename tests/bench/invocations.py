"""Cold and warm invocations through the API, request to response, beside bare interpreters and the bare MHD echo."""
import contextlib, os, signal, socket, subprocess

import harness
from common import EVENT, FULL_CPU_MB, INVOKE, create, node, python3, quantile, report_stages, run_json, runtimes, tool, wait_active

COLD_AIM = {"native": 3000, "python": 25000}
RPS_AIM = {"native": 20000, "python": 5000}


@contextlib.contextmanager
def daemon(config=None):
    d = harness.Daemon({"log": {"level": "warn"}, **(config or {})}).start()
    try:
        d.images_installed()  # else that goes on beside what is measured
        yield d
    finally:
        d.remove()


def load(b, *options):
    return run_json([tool("load"), "--body", EVENT, *options])


# --- cold ---
def cold_round(b, d, prefix, first, n, gap_ms, query=""):
    """n functions of their own, each invoked once, one after the other; every environment is new."""
    out = load(b, "--requests", n, "--first", first, "--gap", gap_ms, "--raw", "--keep", "X-Amz-Log-Result", "--header", "X-Amz-Log-Type: Tail", "--target",
               f"cold={d.port}{INVOKE.format(prefix + '%d')}{query}")
    t = out["targets"]["cold"]
    if t["errors"]:
        raise RuntimeError(f"{prefix}: {t['errors']} of {n} cold invocations failed: {t['error']}")
    stages, cold = report_stages(out["kept"])
    if cold != n:
        raise RuntimeError(f"{prefix}: only {cold} of {n} invocations were cold")
    return t["slices"][0]["us"], stages


def peer_command(label):
    if label == "python":
        return "python3 -c 0", f"{python3()} -c 0"
    if label == "node" and node():
        return "node -e 0", f"{node()} -e 0"
    return "a static program, run to its end", f"{tool('guest')}-true"


def cold(b):
    rounds, n = (2, 4) if b.quick else (4, 10)
    with daemon({"account_concurrency": 4000}) as d:
        kinds = runtimes(d)
        if "node" not in kinds:
            b.note("cold_node_us: not measured: no nodejs base image is installed")
        link = tool("guest") + "-true"
        if not os.path.exists(link):
            os.symlink("guest", link)
        for label, kind in kinds.items():
            b.say(f"cold starts: {label}")
            for suffix, gap, more in (("", 0, {}), ("_isolated", 100, {}), ("_128mb", 0, {"MemorySize": 128})):
                if suffix == "_128mb" and label == "native":
                    continue
                prefix = f"{label}{suffix.replace('_', '-')}-"
                names = [f"{prefix}{i}" for i in range(rounds * n)]
                for name in names:
                    create(d, name, kind, **more)
                wait_active(d, names)
                peer_name, command = peer_command(label)
                samples, stages, peer = [], [], []
                for k in range(rounds):
                    us, st = cold_round(b, d, prefix, k * n, n, gap)
                    samples.append(us)
                    stages.append(st)
                    peer.append(run_json([tool("times"), n, 1, "peer", command])["peer"]["us"])
                for name in names:
                    d.delete(name)
                b.figure(f"cold_{label}{suffix}_us", samples, aim=COLD_AIM.get(label) if suffix != "_128mb" else None, memory_mb=more.get("MemorySize", FULL_CPU_MB),
                         what=("one at a time" if not gap else f"{gap} ms after the one before") + (", 128 MB" if more else ""),
                         stages={s: quantile([x[s] for x in stages if s in x], 0.5) for s in stages[0]})
                b.peer(f"cold_{label}{suffix}_us", peer_name, peer, aim=1.2 if label == "node" and not suffix else None)


# --- warm ---
@contextlib.contextmanager
def echo_server(pool=32768):
    port = harness.free_port()
    p = subprocess.Popen([tool("mhd_echo"), str(port), str(pool)])
    try:
        harness.wait_until("mhd_echo listens", lambda: can_connect(port))
        yield port, p.pid
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait(10)


def can_connect(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def warm(b):
    slices = 2 if b.quick else 4
    with daemon() as d, echo_server() as (echo, echo_pid):
        kinds = runtimes(d)
        for label, kind in kinds.items():
            create(d, label, kind)
        wait_active(d, kinds)
        if "node" not in kinds:
            b.note("warm node: not measured: no nodejs base image is installed")
        for connections in (1, 16, 64):
            b.say(f"warm invocations, {connections} connection{'s' * (connections > 1)}")
            targets = [a for label in kinds for a in ("--target", f"{label}={d.port}{INVOKE.format(label)}")]
            load(b, "--connections", connections, "--seconds", 0.5, *targets)  # the environments are there
            pids = d.pids()
            watch = {"fnd": pids["worker"][0], "fn-spawnd": pids["spawnd"][0], "supervisor": pids["supervisor"][0], "mhd_echo": echo_pid}
            if connections == 1:
                watch.update({f"sandbox{i}": pid for i, pid in enumerate(pids["sandbox"][:12])})
            out = load(b, "--connections", connections, "--slices", slices, "--seconds", b.seconds, "--target", f"echo={echo}/", *targets,
                       *[a for name, pid in watch.items() for a in ("--watch", f"{name}={pid}")])["targets"]
            record_warm(b, out, kinds, connections)


def record_warm(b, out, kinds, connections):
    echo = out["echo"]
    c = f"{connections}_connection{'s' * (connections > 1)}"
    b.figures[f"mhd_echo_{c}_us"] = {"unit": "us", "floor": True, "rps": echo["rps"], **percentiles(echo), "cpu_us": {"mhd_echo": echo["processes"]["mhd_echo"]["cpu_us"]}}
    for label in kinds:
        t = out[label]
        excess = [a["p50_us"] - e["p50_us"] for a, e in zip(t["slices"], echo["slices"])]
        ratios = [a["p50_us"] / e["p50_us"] for a, e in zip(t["slices"], echo["slices"])]
        rps_ratios = [a["rps"] / e["rps"] for a, e in zip(t["slices"], echo["slices"])]
        name = f"warm_{label}_{c}_us"
        b.figures[name] = {"unit": "us", **percentiles(t), "rps": t["rps"], "errors": t["errors"], "error": t["error"], "excess_us": quantile(excess, 0.5),
                           "cpu_us": {p: u["cpu_us"] for p, u in t["processes"].items() if u["cpu_us"] >= 0.05},
                           "switches": {p: [u["switches"], u["forced"]] for p, u in t["processes"].items() if u["cpu_us"] >= 0.05},
                           "peers": {"bare MHD echo": {**percentiles(echo), "ratio": quantile(ratios, 0.5), "ratio_min": min(ratios), "ratio_max": max(ratios), "pairs": len(ratios)}}}
        if connections == 1 and label == "native":
            b.figures[name]["aim_excess_us"] = 60
        rps = {"unit": "rps", "p50": quantile([s["rps"] for s in t["slices"]], 0.5), "n": t["n"], "rounds": [s["rps"] for s in t["slices"]], "errors": t["errors"],
               "peers": {"bare MHD echo": {"p50": quantile([s["rps"] for s in echo["slices"]], 0.5), "n": echo["n"], "ratio": quantile(rps_ratios, 0.5),
                                           "ratio_min": min(rps_ratios), "ratio_max": max(rps_ratios), "pairs": len(rps_ratios)}}}
        if connections == 16 and label in RPS_AIM:
            rps["aim_at_least"] = RPS_AIM[label]
            if label == "native":
                rps["peers"]["bare MHD echo"]["aim_ratio_at_least"] = 0.3
        b.figures[f"rps_{label}_{c}"] = rps
        if t["errors"]:
            b.note(f"{name}: {t['errors']} of {t['n'] + t['errors']} requests failed, the first with: {t['error']}")


def percentiles(t):
    return {"p10": t["p10_us"], "p50": t["p50_us"], "p90": t["p90_us"], "p99": t["p99_us"], "p999": t["p999_us"], "max": t["max_us"], "n": t["n"], "rounds": [s["p50_us"] for s in t["slices"]]}
