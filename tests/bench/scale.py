"""Memory with and without sandboxes, bursts of cold starts, and (on demand) thousands of idle environments."""
import os, re, time

from common import FULL_CPU_MB, INVOKE, create, memory_kb, run_json, runtimes, summary, tool, wait_active
from invocations import cold_round, daemon


def memory_of(d, pids=None):
    """Of each of our processes, in kB; sandboxes summed up, and those made ahead."""
    pids = pids or d.pids()
    out = {name: memory_kb(pids[name][0]) for name in ("supervisor", "worker", "spawnd")}
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
    return sum(m[p][key] for p in ("supervisor", "worker", "spawnd"))


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
APART_MS = 100


def descriptors(pids):
    return {name: len(os.listdir(f"/proc/{pids[name][0]}/fd")) for name in ("supervisor", "worker", "spawnd")}


def available_kb():
    with open("/proc/meminfo") as f:
        return int(re.search(r"MemAvailable:\s+(\d+)", f.read()).group(1))


def density_of(b, label, total):
    """Environments are started one by one, each of a function of its own, and idle on. At some numbers it is measured what the next ones cost: back
    to back, and so far apart that fn-spawnd has made some ahead."""
    few = 10 if b.quick else 40
    marks = [m for m in (10, total // 2, 2000, total - 2 * few) if 10 <= m <= total - 2 * few]
    with daemon({"account_concurrency": 20000, "idle_timeout_s": 3600, "freeze_grace_ms": 100}) as d:
        kind = runtimes(d)[label]
        b.say(f"density: {total} {label} functions")
        fill(d, kind, "d", total, FULL_CPU_MB)  # a small share of the CPU would hide what creation costs
        before, live, series = available_kb(), 0, []
        for mark in sorted(set(marks)):
            while live < mark:
                n = min(100, mark - live)
                cold_round(b, d, "d-", live, n, 0)
                live += n
            one = {"live": live}
            for name, gap in (("back_to_back", 0), ("apart", APART_MS)):
                us, stages = cold_round(b, d, "d-", live, few, gap)
                live += few
                one[name] = {**summary(us), "stages": stages}
            series.append(one)
            b.say(f"{one['live']} live: p50 {one['back_to_back']['p50'] / 1000:.1f} ms back to back, {one['apart']['p50'] / 1000:.1f} ms {APART_MS} ms apart")
        while live < total:
            cold_round(b, d, "d-", live, min(100, total - live), 0)
            live += min(100, total - live)
        time.sleep(1)
        there, used, pids = d.doctor()["Sandboxes"], before - available_kb(), d.pids()
        m, fds = memory_of(d, pids), descriptors(pids)
        again = d.request("POST", INVOKE.format("d-0"), b"{}", {"X-Amz-Log-Type": "Tail"})
        if there < total or again.status != 200 or "Init Duration" in again.log:
            raise RuntimeError(f"{there} of {total} environments are there; the first of them now: {again}, {again.log[-300:]}")
    first, at = series[0], next(s for s in reversed(series) if s["live"] <= 2000)
    for name in ("back_to_back", "apart"):
        b.value(f"density_create_{label}_{name}_at_{at['live']}_us", at[name]["p50"], "us", at_10=first[name]["p50"], ratio_to_10=at[name]["p50"] / first[name]["p50"],
                aim_ratio_to_10=1.5,
                ratio_of_p10=at[name]["p10"] / first[name]["p10"], n_each=few, series=[{"live": s["live"], **s[name]} for s in series])
    b.value(f"density_{label}_environments", there, "", aim_at_least=total)
    b.value(f"density_fnd_rss_at_{total}_{label}_kb", of_ours(m), "kB", aim=48 * 1024, processes=m, pss_kb=of_ours(m, "pss"))
    b.value(f"density_descriptors_at_{total}_{label}", max(fds.values()), "", processes=fds)
    b.value(f"density_{label}_sandbox_host_kb", used / total, "kB", pss_kb=m["sandboxes"]["pss"] / total, what="of the machine's available memory, all told")


def density(b):
    for label, total in zip(("python", "native"), b.density):
        if total:
            density_of(b, label, total)
