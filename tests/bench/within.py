"""From function to function by the platform endpoint, beside direct Invoke of the same function from outside; one connection each, in turns."""
import json

from common import INVOKE, create, quantile, runtimes, wait_active
from invocations import daemon, load


def within(b):
    pairs, n = (2, 50) if b.quick else (12, 1000)
    with daemon() as d:
        native = runtimes(d)["native"]
        for name in ("caller", "callee"):
            create(d, name, native)
        wait_active(d, ["caller", "callee"])
        inside, outside = [], []
        b.say("from function to function")
        for i in range(pairs + 1):
            r = d.invoke("caller", {"do": "call", "function": "callee", "port": d.port, "n": n}).json
            t = load(b, "--connections", 1, "--slices", 1, "--seconds", min(b.seconds, 0.5), "--target", f"direct={d.port}{INVOKE.format('callee')}")["targets"]["direct"]
            if r["failed"] or t["errors"]:
                raise RuntimeError(f"{r}, {t['error']}")
            if i > 0:  # the first is warm-up
                inside.append(r)
                outside.append(t["slices"][0]["p50_us"])
        excess = [i["p50_us"] - o for i, o in zip(inside, outside)]
        ratios = [i["p50_us"] / o for i, o in zip(inside, outside)]
        b.figures["platform_endpoint_invoke_us"] = {
            "unit": "us", "p50": quantile([i["p50_us"] for i in inside], 0.5), "p99": quantile([i["p99_us"] for i in inside], 0.5), "n": n * pairs, "excess_us": quantile(excess, 0.5), "aim_excess_us": 60,
            "peers": {"direct Invoke": {"p50": quantile(outside, 0.5), "n": len(outside), "ratio": quantile(ratios, 0.5), "ratio_min": min(ratios), "ratio_max": max(ratios), "pairs": len(ratios)}}}
