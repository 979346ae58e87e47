"""What waits is on disk: a backlog costs no memory and delays nobody, and a full disk refuses and loses nothing. FND_BACKLOG=1000000: the long one (make check-backlog)."""
import json, os, re, subprocess, sys, time, unittest
from harness import *

BACKLOG = int(os.environ.get("FND_BACKLOG", 5000))
LONG = BACKLOG >= 100000
ASYNC = {"X-Amz-Invocation-Type": "Event"}
STARTS = "import time\ndef handler(event, context):\n    print('started %.6f %s' % (time.time(), context.aws_request_id))\n"


def lane(d, name):
    return next((f for f in d.request("GET", "/_fnd/async").json["Functions"] if f["Function"] == name), None)


class Backlog(Case):
    def fill(self, n):
        """So many events, by 64 connections; each is answered. What the generator says."""
        out = subprocess.run([os.path.join(BUILD, "tests/bench/load"), "--connections", "64", "--requests", str(n), "--body", '{"do":"sleep","ms":2}', "--header", "X-Amz-Invocation-Type: Event",
                              "--target", f"x={self.d.port}/2015-03-31/functions/slow/invocations"], capture_output=True, text=True, timeout=3000)
        self.assertEqual(out.returncode, 0, out.stderr)
        t = json.loads(out.stdout)["targets"]["x"]
        self.assertEqual(t["errors"], 0, t.get("error"))
        return t

    def starts(self, n):
        """ms from an event's answer to its function's first line: p50, p99."""
        sent = {}
        first = lane(self.d, "good")["Succeeded"] if lane(self.d, "good") else 0
        for _ in range(n):
            r = self.d.invoke("good", {}, headers=ASYNC)
            sent[r.headers["x-amzn-requestid"]] = time.time()
            time.sleep(0.01)
        wait_until("all have run", lambda: lane(self.d, "good")["Succeeded"] >= first + n)
        began = {}
        def logged():
            began.update({id: float(at) for at, id in re.findall(r"started (\d+\.\d+) ([0-9a-f-]{36})", self.d.request("GET", "/_fnd/logs/good").json["Text"])})
            return not set(sent) - set(began)
        wait_until("the log has all", logged)
        ms = sorted(max(0, began[i] - at) * 1000 for i, at in sent.items())
        return ms[n // 2], ms[n * 99 // 100]

    def test_a_backlog_is_on_disk_and_delays_nobody(self):
        self.d = d = self.daemon({"account_concurrency": 100, "events": {"backoff_s": [0.05, 0.2]}})
        d.create("slow", Timeout=30)
        d.create_python("good", STARTS)
        for f in ("slow", "good"):
            d.settled(f)
        reserve = lambda n: self.assertEqual(d.request("PUT", "/2017-10-31/functions/slow/concurrency", {"ReservedConcurrentExecutions": n}).status, 200)
        reserve(1)  # what waits goes on waiting
        rss = lambda: rss_kb(d.pids()["events"][0]) / 1024
        self.starts(20)
        alone, before, at = self.starts(100), rss(), time.monotonic()
        filled, most = 0, 0
        while filled < BACKLOG:
            n = min(50000, BACKLOG - filled)
            self.fill(n)
            filled += n
            most = max(most, rss())
        filled_s = time.monotonic() - at
        waits = lane(d, "slow")
        self.assertGreater(waits["Waiting"] + waits["Due"], BACKLOG * 0.5)
        with_backlog = self.starts(100)
        most = max(most, rss())
        self.assertLess(most, 64)
        done, at = lane(d, "slow")["Succeeded"], time.monotonic()
        self.assertEqual(d.request("DELETE", "/2017-10-31/functions/slow/concurrency").status, 204)
        drains, least, peak = self.starts(100), None, 0
        def drained():
            nonlocal peak
            peak = max(peak, rss())
            now = lane(d, "slow")
            return now["Succeeded"] - done >= min(BACKLOG // 2, 100000) or now["Waiting"] + now["Due"] + now["Running"] == 0
        wait_until(lambda: f"it drains: {lane(d, 'slow')}", drained, 1200)
        rate = (lane(d, "slow")["Succeeded"] - done) / (time.monotonic() - at)
        self.assertLess(peak, 64)
        print(f"{BACKLOG} events accepted in {filled_s:.0f} s ({BACKLOG / filled_s:.0f}/s); fn-events {before:.1f} MB before, {most:.1f} MB with them, {peak:.1f} MB while they drain at {rate:.0f}/s; another function's "
              f"event to its start p50 {alone[0]:.1f} p99 {alone[1]:.1f} ms alone, {with_backlog[0]:.1f} and {with_backlog[1]:.1f} ms beside them, {drains[0]:.1f} and {drains[1]:.1f} ms while they drain", file=sys.stderr)
        if LONG:
            self.assertEqual(d.request("POST", "/_fnd/async/slow/purge").status, 200)
        else:
            wait_until("all have run", lambda: lane(d, "slow")["Succeeded"] == BACKLOG)


class FullDisk(Case):
    """The database of queues and events on a small disk of its own."""

    def test_it_refuses_with_503_and_loses_nothing(self):
        d = self.daemon({"account_concurrency": 20, "events": {"backoff_s": [0.05, 0.2]}}, start=False)
        disk = os.path.join(d.state, "events")
        os.makedirs(disk, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0755", "fnd-test", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        self.addCleanup(d.stop)
        d.start()
        self.assertTrue(os.path.exists(os.path.join(disk, "events.db")), os.listdir(disk))
        d.create_python("f", "import time\ndef handler(e, c):\n    time.sleep(0.05)\n    print('ran %d' % e['n'])\n")
        d.settled("f")
        d.request("PUT", "/2017-10-31/functions/f/concurrency", {"ReservedConcurrentExecutions": 1})
        accepted, refused, n = set(), 0, 0
        sqs = lambda operation, **members: d.request("POST", "/", members, headers={"X-Amz-Target": "AmazonSQS." + operation, "Content-Type": "application/x-amz-json-1.0"})
        url = sqs("CreateQueue", QueueName="q").json["QueueUrl"]
        sent, full = set(), 0
        while refused < 20 or full < 5:
            r = d.invoke("f", {"n": n, "pad": "x" * 50000}, headers=ASYNC)
            self.assertIn(r.status, (202, 503), r)
            if r.status == 202:
                accepted.add(n)
            else:
                refused += 1
                self.assertEqual((r.error_type, r.json["Message"]), ("ServiceUnavailableException", "There is no room on the disk."))
            if n % 3 == 0:
                r = sqs("SendMessage", QueueUrl=url, MessageBody=f"{n} " + "x" * 50000)
                self.assertIn(r.status, (200, 503), r)
                sent.add(n) if r.status == 200 else None
                full += r.status == 503
            n += 1
            self.assertLess(n, 5000)
        d.request("DELETE", "/2017-10-31/functions/f/concurrency")
        ran = lambda: set(map(int, re.findall(r"ran (\d+)", d.request("GET", "/_fnd/logs/f").json["Text"])))
        wait_until(lambda: f"all that was accepted runs: {len(accepted)}, {len(accepted - ran())} have not", lambda: accepted <= ran())
        self.assertEqual(ran() - accepted, set())
        got = set()
        def came():
            r = sqs("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for m in (r.json.get("Messages", []) if r.status == 200 else []):
                got.add(int(m["Body"].split()[0]))
                wait_until("it is deleted", lambda: sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=m["ReceiptHandle"]).status == 200)
            return got >= sent
        wait_until(lambda: f"all that was sent comes: {len(sent - got)} of {len(sent)} have not", came)
        self.assertEqual(got, sent)
        r = d.invoke("f", {"n": 999999}, headers=ASYNC)  # there is room again
        self.assertEqual(r.status, 202, r)
        wait_until("it runs", lambda: 999999 in ran())


if __name__ == "__main__":
    unittest.main()
