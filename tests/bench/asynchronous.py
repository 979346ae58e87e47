"""Asynchronous invocation: an Event accepted, durably, beside fdatasync of the same bytes on the same disk; 64 clients; from the answer to the handler's start."""
import os, re, statistics, time

import harness
from common import EVENT, INVOKE, create, quantile, runtimes, wait_active
from invocations import daemon, load, percentiles

STARTS = "import time\ndef handler(event, context):\n    print('started %.6f %s' % (time.time(), context.aws_request_id))\n"


def floor(where, n):
    """us of writing the event's bytes at a file's end and fdatasync, each."""
    data, us = EVENT.encode(), []
    path = os.path.join(where, "floor")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(n):
            t = time.perf_counter_ns()
            os.write(fd, data)
            os.fdatasync(fd)
            us.append((time.perf_counter_ns() - t) / 1000)
    finally:
        os.close(fd)
        os.unlink(path)
    return us


def accepted(b, d, name, connections, seconds):
    t = load(b, "--connections", connections, "--seconds", seconds, "--header", "X-Amz-Invocation-Type: Event", "--target", f"x={d.port}{INVOKE.format(name)}")["targets"]["x"]
    if t["errors"]:
        raise RuntimeError(f"{t['errors']} events were not accepted: {t['error']}")
    return t


def drained(d, name):
    def lane():
        return next((f for f in d.request("GET", "/_fnd/async").json["Functions"] if f["Function"] == name), None)
    harness.wait_until("all events have run", lambda: (l := lane()) and l["Waiting"] + l["Due"] + l["Running"] == 0, 600)


def starts(b, d, name, n):
    """ms from the client's answer to the handler's first line, of warm invocations."""
    sent = {}
    for _ in range(n):
        r = d.invoke(name, {}, headers={"X-Amz-Invocation-Type": "Event"})
        sent[r.headers["x-amzn-requestid"]] = time.time()
        time.sleep(0.02)
    drained(d, name)
    time.sleep(0.5)
    log = d.request("GET", f"/_fnd/logs/{name}").json["Text"]
    began = {id: at for at, id in re.findall(r"started (\d+\.\d+) ([0-9a-f-]{36})", log)}
    return [max(0.0, (float(began[i]) - at) * 1000) for i, at in list(sent.items())[5:] if i in began]


def asynchronous(b):
    rounds = 2 if b.quick else 5
    with daemon() as d:
        kinds = runtimes(d)
        create(d, "event", kinds["native"])
        create(d, "starts", (kinds["python"][0], "f.handler", harness.make_zip({"f.py": STARTS})))
        wait_active(d, ["event", "starts"])
        one, floors, many = [], [], []
        for _ in range(rounds):
            floors.append(floor(d.state, 50 if b.quick else 300))
            one.append(accepted(b, d, "event", 1, b.seconds))
            drained(d, "event")
            many.append(accepted(b, d, "event", 64, b.seconds))
            drained(d, "event")
        b.figure("async_accepted_us", [[t["p50_us"]] for t in one], p99=statistics.median(t["p99_us"] for t in one))
        b.peer("async_accepted_us", "fdatasync of the same bytes", [[quantile(f, 0.5)] for f in floors], over_us=statistics.median(t["p50_us"] - quantile(f, 0.5) for t, f in zip(one, floors)))
        b.value("async_accepted_64_per_s", statistics.median(t["rps"] for t in many), "rps", aim_at_least=10000)
        b.figure("async_start_ms", [starts(b, d, "starts", 40 if b.quick else 200)], unit="ms", aim=1.5)
