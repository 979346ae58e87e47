"""A function's warm invocations while others put log events by the megabyte."""
import http.client, json, threading, time

import harness
from common import create, quantile, runtimes, wait_active
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
