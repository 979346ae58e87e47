"""What a second event loop gains for warm invocations of one function: a daemon with one loop, one with two, and as a bound for any division of the work two
daemons that share nothing, with half of the connections each; two load generators in all cases. And what an invocation costs of the machine, by process: the
sum over the cores is a bound for any number of loops, fnd's own share one for a single loop."""
import json, os, resource, subprocess

from common import EVENT, INVOKE, create, quantile, runtimes, tool, wait_active
from invocations import daemon


def cpu_us(pids):
    """Over all threads."""
    total = 0
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                    total += int(f.read().split()[0])
        except OSError:
            pass
    return total / 1000


def load_twice(connections, daemons, seconds):
    run = [subprocess.Popen([tool("load"), "--body", EVENT, "--connections", str(connections // 2), "--warmup", "0", "--seconds", str(seconds), "--target",
                             f"x={d.port}{INVOKE.format('native')}"], stdout=subprocess.PIPE) for d in daemons]
    out = [json.loads(p.communicate()[0])["targets"]["x"] for p in run]
    return {"rps": sum(o["rps"] for o in out), "n": sum(o["n"] for o in out), "errors": sum(o["errors"] for o in out), "p99_us": max(o["p99_us"] for o in out)}


def measured(connections, daemons, seconds):
    workers = [d.pids()["worker"][0] for d in set(daemons)]
    sandboxes = [p for d in set(daemons) for p in d.pids()["sandbox"]]
    before = cpu_us(workers), cpu_us(sandboxes), resource.getrusage(resource.RUSAGE_CHILDREN)
    r = load_twice(connections, daemons, seconds)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    generator = (after.ru_utime + after.ru_stime - before[2].ru_utime - before[2].ru_stime) * 1e6
    r.update(fnd=(cpu_us(workers) - before[0]) / r["n"], sandboxes=(cpu_us(sandboxes) - before[1]) / r["n"], generator=generator / r["n"])
    return r


def middle(runs, what):
    return quantile([r[what] for r in runs], 0.5)


def loops(b):
    rounds = 4 if b.quick else 16
    with daemon({"loops": 1}) as one, daemon({"loops": 2}) as two, daemon({"loops": 1}) as other:
        for d in (one, two, other):
            create(d, "native", runtimes(d)["native"])
            wait_active(d, ["native"])
        cases = {"one": (one, one), "two": (two, two), "apart": (one, other)}
        words = {"one": "one event loop", "two": "two event loops", "apart": "two daemons that share nothing, half of the connections each: a bound"}
        for connections in (16, 64):
            b.say(f"one event loop and two, {connections} connections")
            for c in cases.values():
                load_twice(connections, c, 0.5)  # the environments are there
            seen = {k: [] for k in cases}
            for _ in range(rounds):
                for k, c in cases.items():
                    seen[k].append(measured(connections, c, b.seconds / 2))
            for k, runs in seen.items():
                spent = {p: round(quantile([r[p] for r in runs], 0.25), 1) for p in ("fnd", "sandboxes", "generator")}
                bound = os.cpu_count() * 1e6 / sum(spent.values())
                ratios = [r["rps"] / o["rps"] for o, r in zip(seen["one"], runs)]
                figure = {"unit": "rps", "p50": middle(runs, "rps"), "n": sum(r["n"] for r in runs), "errors": sum(r["errors"] for r in runs), "cpu_us": spent,
                          "p99_us": middle(runs, "p99_us"), "bound_of_the_machine_rps": bound,
                          "what": f"{words[k]}; us of CPU for each: fnd {spent['fnd']}, sandboxes {spent['sandboxes']}, generator {spent['generator']}: at most {bound:,.0f}/s on "
                                  f"{os.cpu_count()} cores; p99 {middle(runs, 'p99_us') / 1000:.1f} ms"}
                if k == "one":
                    figure["what"] += f"; at most {1e6 / spent['fnd']:,.0f}/s with one loop on any number of cores"
                else:
                    figure["peers"] = {"one event loop": {"p50": middle(seen["one"], "rps"), "n": len(ratios), "ratio": quantile(ratios, 0.5), "ratio_min": min(ratios),
                                                          "ratio_max": max(ratios), "pairs": len(ratios)}}
                b.figures[f"loops_{k}_{connections}_connections"] = figure
