"""Memory with and without sandboxes, bursts of cold starts, and (on demand) thousands of idle environments."""
import time

from common import FULL_CPU_MB, INVOKE, create, memory_kb, quantile, run_json, runtimes, summary, tool, wait_active
from invocations import cold_round, daemon


def memory_of(d):
    """Of each of our processes, in kB; sandboxes summed up, and those made ahead."""
    pids = d.pids()
    out = {name: memory_kb(pids[name][0]) for name in ("master", "worker", "spawnd")}
    for name, which in (("sandboxes", "sandbox"), ("prepared", "prepared")):
        out[name] = {"rss": 0, "pss": 0}
        for pid in pids.get(which, []):
            try:
                m = memory_kb(pid)
            except OSError:
                continue
            for k in m:
                out[name][k] += m[k]
        out[name + "_processes"] = len(pids.get(which, []))
    return out


def of_ours(m, key="rss"):
    return sum(m[p][key] for p in ("master", "worker", "spawnd"))


def fill(d, kind, prefix, n, memory_mb=128):
    names = [f"{prefix}-{i}" for i in range(n)]
    for name in names:
        create(d, name, kind, MemorySize=memory_mb)
    wait_active(d, names)


def memory(b):
    n = 50 if b.quick else 200
    b.say(f"memory with 0 and {n} sandboxes")
    with daemon({"account_concurrency": 4000, "idle_timeout_s": 3600}) as d:
        before = memory_of(d)
        fill(d, runtimes(d)["native"], "m", n)
        functions = memory_of(d)
        us, _ = cold_round(b, d, "m-", 0, n, 0)
        after = memory_of(d)
    b.value("fnd_rss_0_sandboxes_kb", of_ours(before), "kB", processes=before)
    b.value(f"fnd_rss_{n}_sandboxes_kb", of_ours(after), "kB", aim=48 * 1024, processes=after, functions_alone=functions, pss_kb=of_ours(after, "pss"))
    b.value("native_sandbox_pss_kb", after["sandboxes"]["pss"] / n, "kB", rss_kb=after["sandboxes"]["rss"] / n, what="init and runtime of one idle native sandbox")


# --- bursts ---
def one_burst(b, name, total, functions):
    """Every request comes at once; the function sleeps longer than the burst takes, so that no environment serves twice."""
    sleep_ms = 12000
    with daemon({"account_concurrency": 4000}) as d:
        fill(d, runtimes(d)["native"], "b", functions)
        t = run_json([tool("load"), "--connections", total, "--requests", total, "--modulo", functions, "--raw", "--body", f'{{"do":"sleep","ms":{sleep_ms}}}', "--target",
                      f"burst={d.port}{INVOKE.format('b-%d')}"])["targets"]["burst"]
        environments = d.doctor()["Sandboxes"]
    us = [x - sleep_ms * 1000 for x in t["slices"][0]["us"]]
    f = b.figure(name, [us], what=f"{total} at once over {functions} function{'s' * (functions > 1)}, beside the function's own time", answered=t["n"], lost=t["errors"],
                 environments=environments)
    if t["errors"]:
        f["error"] = t["error"]
        b.note(f"{name}: {t['errors']} of {total} failed, the first with: {t['error']}")
    if environments < total:
        b.note(f"{name}: only {environments} environments were made for {total} requests")


def burst(b):
    one, many = (100, 50) if b.quick else (500, 200)
    b.say(f"bursts: {one} cold starts of one function, {many} over 50 functions")
    one_burst(b, f"burst_{one}_of_one_function_us", one, 1)
    one_burst(b, f"burst_{many}_over_50_functions_us", many, 50)


# --- density ---
def density_of(b, label, total, step=100):
    """Environments are started one by one; each idles on. What the 10 after the first 10 and the last ones cost, and the memory."""
    with daemon({"account_concurrency": 20000, "idle_timeout_s": 3600, "freeze_grace_ms": 100}) as d:
        kind = runtimes(d)[label]
        b.say(f"density: {total} {label} functions")
        fill(d, kind, "d", total, FULL_CPU_MB)  # a small share of the CPU would hide what creation costs
        series, at_ten, last = [], [], []
        for first in range(0, total, step):
            from_ = time.monotonic()
            us, _ = cold_round(b, d, "d-", first, min(step, total - first), 0)
            if first == 0:
                at_ten = us[10:40]
            last = us
            series.append({"live": first + len(us), "p50": quantile(us, 0.5), "p99": quantile(us, 0.99)})
            b.say(f"{first + len(us)} live: p50 {quantile(us, .5) / 1000:.1f} ms ({time.monotonic() - from_:.1f} s)")
        m = memory_of(d)
        if d.doctor()["Sandboxes"] < total:
            raise RuntimeError(f"only {d.doctor()['Sandboxes']} of {total} environments are there")
    b.figure(f"density_cold_{label}_at_{total}_us", [last], series=series, at_10=summary(at_ten), ratio_to_10=quantile(last, 0.5) / quantile(at_ten, 0.5), aim_ratio_to_10=1.5)
    b.value(f"density_fnd_rss_at_{total}_{label}_kb", of_ours(m), "kB", aim=48 * 1024, processes=m)
    b.value(f"density_{label}_sandbox_pss_kb", m["sandboxes"]["pss"] / total, "kB")


def density(b):
    for label, total in zip(("python", "native"), b.density):
        if total:
            density_of(b, label, total)
