"""A function's warm invocations while others put log events by the megabyte."""
import http.client, json, os, shutil, subprocess, threading, time

import harness
from common import create, quantile, runtimes, tool, wait_active
from invocations import daemon


def big_put():
    """Nearly all that a batch may hold: 8 KB an event, a third of it characters that JSON has six bytes for."""
    now, text = int(time.time() * 1000), ("\x01" + "ab") * 2700
    return json.dumps({"logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": now, "message": text} for _ in range(128)]}).encode()


def small_put():
    """As many events as a batch may hold."""
    now = int(time.time() * 1000)
    return json.dumps({"logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": now, "message": f"event {i} of the batch, {'x' * 50}"} for i in range(10000)]}).encode()


def put(d, body, until, counts):
    c = http.client.HTTPConnection("127.0.0.1", d.port)
    while time.monotonic() < until[0]:
        c.request("POST", "/", body, {"X-Amz-Target": "Logs_20140328.PutLogEvents", "Content-Type": "application/x-amz-json-1.1"})
        r = c.getresponse()
        r.read()
        if r.status != 200:
            raise RuntimeError(f"PutLogEvents: {r.status}")
        counts.append(len(body))


def logs(b):
    rounds, seconds = (1, 0.5) if b.quick else (5, 3)
    b.say("warm invocations beside PutLogEvents of the largest size")
    with daemon({"log": {"level": "warn", "total_mb": 4096}}) as d:
        create(d, "n", runtimes(d)["native"])
        wait_active(d, ["n"])
        c = harness.boto(d, "logs")
        c.create_log_group(logGroupName="g")
        c.create_log_stream(logGroupName="g", logStreamName="s")
        f = http.client.HTTPConnection("127.0.0.1", d.port)

        def invoked(seconds):
            took, end = [], time.monotonic() + seconds
            while time.monotonic() < end:
                began = time.monotonic()
                f.request("POST", "/2015-03-31/functions/n/invocations", b"{}")
                r = f.getresponse()
                r.read()
                took.append((time.monotonic() - began) * 1e6)
            return took
        invoked(0.5)
        for name, body in (("large", big_put()), ("many", small_put())):
            quiet, loaded, counts = [], [], []
            for _ in range(rounds):
                quiet.append([quantile(invoked(seconds), 0.99)])
                until = [time.monotonic() + seconds]
                t = threading.Thread(target=put, args=(d, body, until, counts))
                t.start()
                loaded.append([quantile(invoked(seconds), 0.99)])
                t.join()
            b.figure(f"warm_p99_beside_put_{name}_us", loaded, what=f"bodies of {len(body) / 1e6:.1f} MB, {sum(counts) / 1e6 / rounds / seconds:.0f} MB/s of them")
            b.peer(f"warm_p99_beside_put_{name}_us", "quiet", quiet, aim=2)


DAY, BEGIN = 86400000, 1750000000000  # logs_bench.c's


def pages(d, **members):
    """(bytes of the answers, how many): FilterLogEvents of one day, page by page, the answers not read into objects."""
    f, token, size, n = http.client.HTTPConnection("127.0.0.1", d.port), {}, 0, 0
    while True:
        f.request("POST", "/", json.dumps({"logGroupName": "/aws/lambda/f0", "startTime": BEGIN + 200 * DAY, "endTime": BEGIN + 201 * DAY - 1, **members, **token}),
                  {"X-Amz-Target": "Logs_20140328.FilterLogEvents", "Content-Type": "application/x-amz-json-1.1"})
        r = f.getresponse()
        body = r.read()
        if r.status != 200:
            raise RuntimeError(f"FilterLogEvents: {r.status} {body[:200]}")
        size, n = size + len(body), n + 1
        end = body.rpartition(b'"nextToken":"')
        if not end[1] or b'"' in end[2].rstrip(b'"}'):
            return size, n
        token = {"nextToken": end[2].rstrip(b'"}').decode()}


def filtering(b):
    gigabytes, rounds = (0.2, 1) if b.quick else (10, 5)
    b.say(f"FilterLogEvents: a day of one group in a year of {gigabytes} GB")
    with daemon({"log": {"level": "warn", "files": 100000, "total_mb": 65536}}) as d:
        d.stop()
        logs = d.state + "/logs"
        owner = os.stat(logs)
        shutil.rmtree(logs)
        subprocess.run([tool("logs_bench"), logs, str(gigabytes)], check=True, stdout=subprocess.DEVNULL)
        for base, _, files in os.walk(logs):
            for path in (base, *(os.path.join(base, f) for f in files)):
                os.chown(path, owner.st_uid, owner.st_gid)
        d.start()
        for name, members in (("all", {}), ("term", {"filterPattern": "ERROR"}), ("json", {"filterPattern": "{ $.customer.id = 77 }"}),
                              ("stream", {"logStreamNames": ["2025/07/21/[$LATEST]00000000000000000000000000000003"]})):
            took = []
            for _ in range(rounds):
                began = time.monotonic()
                size, n = pages(d, **members)
                took.append([(time.monotonic() - began) * 1e6])
            b.figure(f"filter_day_{name}_us", took, aim=1e6, what=f"{gigabytes} GB; {size / 1e6:.1f} MB of answers in {n} pages")
