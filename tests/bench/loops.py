"""Would several event loops serve warm invocations faster than one? Their best case is measured: two daemons that share nothing, each with half of
the connections, beside one daemon with all of them; two load generators in both cases. And what one invocation costs of the machine, by process:
the sum over the cores is a bound for any number of loops, fnd's own share one for a single loop."""
import json, os, resource, subprocess

from common import EVENT, INVOKE, create, quantile, runtimes, tool, wait_active
from invocations import daemon


def cpu_us(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/schedstat") as f:
                total += int(f.read().split()[0])
        except OSError:
            pass
    return total / 1000


def load_twice(connections, daemons, seconds):
    run = [subprocess.Popen([tool("load"), "--body", EVENT, "--connections", str(connections // 2), "--warmup", "0", "--seconds", str(seconds), "--target",
                             f"x={d.port}{INVOKE.format('native')}"], stdout=subprocess.PIPE) for d in daemons]
    out = [json.loads(p.communicate()[0])["targets"]["x"] for p in run]
    return {"rps": sum(o["rps"] for o in out), "n": sum(o["n"] for o in out), "errors": sum(o["errors"] for o in out)}


def measured(connections, daemons, seconds):
    workers = [d.pids()["worker"][0] for d in set(daemons)]
    sandboxes = [p for d in set(daemons) for p in d.pids()["sandbox"]]
    before = cpu_us(workers), cpu_us(sandboxes), resource.getrusage(resource.RUSAGE_CHILDREN)
    r = load_twice(connections, daemons, seconds)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    generator = (after.ru_utime + after.ru_stime - before[2].ru_utime - before[2].ru_stime) * 1e6
    r.update(fnd=(cpu_us(workers) - before[0]) / r["n"], sandboxes=(cpu_us(sandboxes) - before[1]) / r["n"], generator=generator / r["n"])
    return r


def loops(b):
    rounds = 4 if b.quick else 16
    with daemon() as one, daemon() as two_a, daemon() as two_b:
        for d in (one, two_a, two_b):
            create(d, "native", runtimes(d)["native"])
            wait_active(d, ["native"])
        cases = {"one": (one, one), "two": (two_a, two_b)}
        for connections in (16, 64):
            b.say(f"one event loop and two, {connections} connections")
            for c in cases.values():
                load_twice(connections, c, 0.5)  # the environments are there
            seen = {k: [] for k in cases}
            for _ in range(rounds):
                for k, c in cases.items():
                    seen[k].append(measured(connections, c, b.seconds / 2))
            ratios = [t["rps"] / o["rps"] for o, t in zip(seen["one"], seen["two"])]
            spent = {p: round(quantile([r[p] for r in seen["one"]], 0.25), 1) for p in ("fnd", "sandboxes", "generator")}
            b.figures[f"loops_one_{connections}_connections"] = {
                "unit": "rps", "p50": quantile([r["rps"] for r in seen["one"]], 0.5), "n": sum(r["n"] for r in seen["one"]), "errors": sum(r["errors"] for r in seen["one"]),
                "cpu_us": spent, "bound_of_the_machine_rps": os.cpu_count() * 1e6 / sum(spent.values()), "bound_of_one_loop_rps": 1e6 / spent["fnd"],
                "what": f"us of CPU for each: fnd {spent['fnd']}, sandboxes {spent['sandboxes']}, generator {spent['generator']}: at most {os.cpu_count() * 1e6 / sum(spent.values()):,.0f}/s "
                        f"on {os.cpu_count()} cores with any number of loops, {1e6 / spent['fnd']:,.0f}/s with one"}
            b.figures[f"loops_two_{connections}_connections"] = {
                "unit": "rps", "p50": quantile([r["rps"] for r in seen["two"]], 0.5), "n": sum(r["n"] for r in seen["two"]), "errors": sum(r["errors"] for r in seen["two"]),
                "what": "two daemons that share nothing, half of the connections each",
                "peers": {"one daemon": {"p50": quantile([r["rps"] for r in seen["one"]], 0.5), "n": len(ratios), "ratio": quantile(ratios, 0.5), "ratio_min": min(ratios),
                                         "ratio_max": max(ratios), "pairs": len(ratios)}}}
