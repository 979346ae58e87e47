"""On demand: what a warm request and a sandbox's creation cost in system calls (strace -c) and where the CPU goes (perf). Not for timing."""
import os, re, shutil, signal, subprocess, tempfile, time

from common import BUILD, EVENT, INVOKE, create, run_json, runtimes, tool, wait_active
from creation import Tree
from invocations import daemon


def strace_counts(pid, work, follow=False):
    """{call: count} of a process while work() runs."""
    with tempfile.NamedTemporaryFile() as out:
        p = subprocess.Popen(["strace", "-c", *(["-f"] if follow else []), "-U", "calls,name", "-o", out.name, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        p.stderr.readline()  # "attached"
        try:
            work()
        finally:
            p.send_signal(signal.SIGINT)
            p.communicate(timeout=30)
        text = out.read().decode()
    return {name: int(n) for n, name in re.findall(r"^\s*(\d+)\s+(\w+)$", text, re.M) if name != "total"}


def shares(pid, seconds, work):
    """perf's view of one process: {symbol: share with children}; None where perf is missing or not allowed."""
    if not shutil.which("perf"):
        return None
    with tempfile.TemporaryDirectory() as d:
        data = os.path.join(d, "perf.data")
        p = subprocess.Popen(["perf", "record", "-q", "-g", "-F", "2000", "-p", str(pid), "-o", data, "sleep", str(seconds)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        work()
        if p.wait() != 0:
            return None
        out = {}
        for key, extra in (("self", ["--no-children"]), ("with_callees", ["--children"])):
            text = subprocess.run(["perf", "report", "-i", data, *extra, "--sort", "sym", "--percent-limit", "1", "--stdio", "-g", "none"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True).stdout
            out[key] = {m.group(2): float(m.group(1)) for m in re.finditer(r"^\s+([0-9.]+)%(?:\s+[0-9.]+%)?\s+\[[.k]\] (\S+)", text, re.M)}
        return out


def warm_profile(b):
    n = 1000
    with daemon() as d:
        create(d, "native", runtimes(d)["native"])
        wait_active(d, ["native"])
        target = ["--body", EVENT, "--target", f"native={d.port}{INVOKE.format('native')}"]
        run_json([tool("load"), "--requests", 100, *target])
        pids = d.pids()
        for connections in (1, 16):
            counts = strace_counts(pids["worker"][0], lambda: run_json([tool("load"), "--requests", n, "--connections", connections, *target]))
            per = {k: round(v / n, 2) for k, v in sorted(counts.items(), key=lambda kv: -kv[1])}
            b.value(f"syscalls_per_warm_request_{connections}_connection{'s' * (connections > 1)}", round(sum(counts.values()) / n, 2), "calls", calls=per)
        perf = shares(pids["worker"][0], 3, lambda: run_json([tool("load"), "--seconds", 3, "--connections", 16, *target]))
        if perf:
            b.value("perf_fnd_16_connections", sum(v for v in perf["self"].values()), "% shown", perf=perf)
        else:
            b.note("profile: perf is not installed or not allowed here")


def creation_profile(b):
    n = 40
    with Tree() as tree:
        p = subprocess.Popen([tool("spawn_bench"), "--count", str(n), "--warmup", "1", "--gap-ms", "150", os.path.join(BUILD, "fn-spawnd"), tree.state], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
            spawnd = int(f.read().split()[0])
        done_before = time.monotonic()
        counts = strace_counts(spawnd, lambda: time.sleep(3), follow=True)
        clones = counts.get("clone3", 0)
        p.terminate()
        p.wait()
    if not clones:
        b.note("profile: no sandbox was created while strace watched")
        return
    per = {k: round(v / clones, 2) for k, v in sorted(counts.items(), key=lambda kv: -kv[1])}
    b.value("syscalls_per_sandbox", round(sum(counts.values()) / clones, 1), "calls", calls=per, sandboxes=clones, seconds=round(time.monotonic() - done_before, 1),
            what="fn-spawnd, init and the runtime up to its sleep, and the teardown")


def profile(b):
    b.say("profile: system calls, perf")
    if shutil.which("strace"):
        warm_profile(b)
        creation_profile(b)
    else:
        b.note("profile: strace is not installed")
