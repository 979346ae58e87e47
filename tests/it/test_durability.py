"""What is handed over is not lost: processes are killed at random points while events and messages go to functions that succeed, fail and time out. make check-durability N=200: the long one.

What the functions have done is itself sent through the platform endpoint, in order: a queue of messages is the witness. Then each event and each message that was acknowledged
- has been done at least once if its function could do it, and is no dead letter (but a message whose receives kills and time-outs have used up: it is one, and counted);
- else has failed as often as it may, and is told to its destination and its dead letter queue: exactly once, since record and end are written together;
- has been done twice only where at-least-once allows it: a process was killed meanwhile, or its batch failed;
- of a FIFO queue's group: never before one that was sent earlier had been done or was given up; and sent twice under one deduplication id it is one.
"""
import collections, concurrent.futures, contextlib, json, os, random, re, signal, sys, threading, time, unittest
from harness import *

KILLS = int(os.environ.get("FND_KILLS", 3))
LONG = KILLS >= 20
EACH = 25 * KILLS  # events; and so many messages
GROUPS = 100 if LONG else 5
RECEIVES = 8 if LONG else 4  # of a message, before it is a dead letter
TIMEOUT_S = 2 if LONG else 1
HIDDEN_S = 6 * TIMEOUT_S if LONG else 3  # as Lambda's documentation has it
SQS = "arn:aws:sqs:us-east-1:000000000000:"

# An event or a message is {"n": number, "does": what}. "fail" never succeeds; "flaky" does the second time; "boom" and "hang" take the whole batch with them the first time.
FUNCTION = """
import http.client, json, os, time

port, link = int(os.environ["AWS_ENDPOINT_URL_SQS"].rpartition(":")[2]), None

def tell(entries, url="http://x/000000000000/witness.fifo"):
    global link
    until = time.time() + PATIENCE  # who keeps the queue is killed, too
    while True:
        link = link or http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            link.request("POST", "/", json.dumps({"QueueUrl": url, "Entries": entries}), {"X-Amz-Target": "AmazonSQS.SendMessageBatch", "Content-Type": "application/x-amz-json-1.0"})
            r = link.getresponse()
            body = r.read()
            if r.status == 200 and not json.loads(body).get("Failed"):
                return
        except (OSError, http.client.HTTPException):
            link = None
        if time.time() > until:
            raise Exception("not told")
        time.sleep(0.05)

def entry(k, group, context, **what):
    return {"Id": str(k), "MessageGroupId": group, "MessageDeduplicationId": "%s-%d-%d" % (context.aws_request_id, k, time.time_ns()),
            "MessageBody": json.dumps({**what, "run": context.aws_request_id, "at": time.time()})}

def event(e, context):
    ok = e["does"] == "ok"
    tell([entry(0, "events", context, n=e["n"], of="event", done=ok)])
    if e["does"] == "hang":
        time.sleep(9)
    if not ok:
        raise Exception("boom")

def batch(e, context):
    told, failed, groups = [], [], set()
    for k, r in enumerate(e["Records"]):
        m, first, group = json.loads(r["body"]), int(r["attributes"]["ApproximateReceiveCount"]) == 1, r["attributes"].get("MessageGroupId")
        if group and group in groups:
            failed.append(r["messageId"])
            continue
        if first and m["does"] in ("boom", "hang"):
            told.append(entry(k, group or "standard", context, n=m["n"], of="fifo" if group else "standard", done=False, whole=True))
            tell(told)
            time.sleep(9 if m["does"] == "hang" else 0)
            raise Exception("boom")
        ok = m["does"] != "fail" and not (first and m["does"] == "flaky")
        told.append(entry(k, group or "standard", context, n=m["n"], of="fifo" if group else "standard", done=ok))
        if not ok:
            failed.append(r["messageId"])
            groups.add(group)
    if told:
        tell(told)
    return {"batchItemFailures": [{"itemIdentifier": i} for i in failed]}
""".replace("PATIENCE", str(TIMEOUT_S * 0.6))


def does(n, kind):
    """Of an event by its number; of messages strewn, and in each FIFO group some that fail for ever."""
    if kind == "event":
        return ("ok", "ok", "ok", "fail", "hang" if not LONG or n % 100 == 4 else "fail")[n % 5]
    n //= 2
    if kind == "fifo" and n // GROUPS % 20 == 3:
        return "fail"
    strewn = n * 2654435761 % (1 << 32) / (1 << 32) * (1 if LONG else 0.3)
    for share, what in ((0.03, "flaky"), (0.04, "boom"), (0.045, "hang"), (0.1 if kind == "standard" else 0, "fail")):
        if strewn < share:
            return what
    return "ok"


def behind(n):
    """Of a FIFO queue's group: one that fails for ever is at most a batch before it. What its function gives back with that one is received as often, and may be a dead letter with it."""
    return any(k >= 0 and does(k, "fifo") == "fail" for k in range(n - 2 * GROUPS * 9, n, 2 * GROUPS))


class Durability(Case):
    killed = True

    def setUp(self):
        self.seed = int(os.environ.get("FND_SEED", random.randrange(1 << 32)))
        self.rng = random.Random(self.seed)
        print(f"seed {self.seed}", file=sys.stderr)
        self.d = d = self.daemon({"events": {"retry_delays_s": [0.3, 0.6], "backoff_s": [0.1, 1]}, "account_concurrency": 40})
        self.c, self.sqs = boto(d), boto(d, "sqs")
        self.urls = {}
        hidden = {"VisibilityTimeout": str(HIDDEN_S)}
        for name in ("records", "dead", "standard-dead"):
            self.queue(name)
        self.queue("fifo-dead.fifo", FifoQueue="true")
        self.queue("witness.fifo", FifoQueue="true", VisibilityTimeout="3")
        self.queue("standard", **hidden, RedrivePolicy=json.dumps({"deadLetterTargetArn": SQS + "standard-dead", "maxReceiveCount": RECEIVES}))
        self.queue("fifo.fifo", **hidden, FifoQueue="true", RedrivePolicy=json.dumps({"deadLetterTargetArn": SQS + "fifo-dead.fifo", "maxReceiveCount": RECEIVES}))
        d.create("event", make_zip({"f.py": FUNCTION}), runtime=PYTHON, handler="f.event", Timeout=TIMEOUT_S, DeadLetterConfig={"TargetArn": SQS + "dead"})
        d.create("batch", make_zip({"f.py": FUNCTION}), runtime=PYTHON, handler="f.batch", Timeout=TIMEOUT_S)
        d.settled("event")
        d.settled("batch")
        self.c.put_function_event_invoke_config(FunctionName="event", MaximumRetryAttempts=1, DestinationConfig={w: {"Destination": SQS + "records"} for w in ("OnSuccess", "OnFailure")})
        for q in ("standard", "fifo.fifo"):
            self.c.create_event_source_mapping(EventSourceArn=SQS + q, FunctionName="batch", FunctionResponseTypes=["ReportBatchItemFailures"])
        self.kills = []  # when, and what
        self.sent = {k: collections.defaultdict(set) for k in ("event", "standard", "fifo")}  # n -> the ids that it was acknowledged under
        self.had = {q: {} for q in self.urls}  # message id -> message, in the order of their coming

    def queue(self, name, **attributes):
        self.urls[name] = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    # --- clients ---
    def until_done(self, call):
        """As an SDK does. A repeat after an answer that was lost is another event or message, but under a deduplication id."""
        while True:
            with contextlib.suppress(Exception):
                return call()
            time.sleep(0.02)

    def send(self, part):
        """A FIFO group has one sender, who waits for each to be acknowledged."""
        c, sqs, parts = boto(self.d), boto(self.d, "sqs"), 4
        for n in range(EACH):
            if n % parts == part:
                time.sleep(1.6 * KILLS / EACH)  # so that it takes as long as the kills do
                body = json.dumps({"n": n, "does": does(n, "event")})
                self.sent["event"][n].add(self.until_done(lambda: c.invoke(FunctionName="event", InvocationType="Event", Payload=body)["ResponseMetadata"]["RequestId"]))
            if n % 2 and n // 2 % parts == part:
                body = json.dumps({"n": n, "does": does(n, "standard")})
                self.sent["standard"][n].add(self.until_done(lambda: sqs.send_message(QueueUrl=self.urls["standard"], MessageBody=body)["MessageId"]))
            if n % 2 == 0 and n // 2 % GROUPS % parts == part:
                body = json.dumps({"n": n, "does": does(n, "fifo")})
                self.sent["fifo"][n].add(self.until_done(lambda: sqs.send_message(QueueUrl=self.urls["fifo.fifo"], MessageBody=body, MessageGroupId=f"g{n // 2 % GROUPS}", MessageDeduplicationId=str(n))["MessageId"]))

    def kill(self):
        for _ in range(KILLS):
            time.sleep(self.rng.uniform(0.05, 1.0))
            what = self.rng.choice(["events", "events", "worker", "spawnd"])
            for pid in self.d.pids()[what]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.kills.append((time.time(), what))

    # --- what came of it ---
    def take(self, queue):
        """One receive: what has come is kept by its id, then deleted; deleted twice is fine."""
        with contextlib.suppress(Exception):
            more = self.sqs.receive_message(QueueUrl=self.urls[queue], MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]).get("Messages", [])
            for m in more:
                self.had[queue].setdefault(m["MessageId"], m)
            if more:
                self.sqs.delete_message_batch(QueueUrl=self.urls[queue], Entries=[{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(more)])
            return len(more)
        return 0

    def bodies(self, queue):
        return [json.loads(m["Body"]) for m in self.had[queue].values()]

    def missing(self):
        """{what: numbers} of those that have not come to their end."""
        done = collections.defaultdict(set)
        for w in self.bodies("witness.fifo"):
            if w["done"]:
                done[w["of"]].add(w["n"])
        recorded = {r["requestContext"]["requestId"] for r in self.bodies("records")}
        dead = {m["MessageAttributes"]["RequestID"]["StringValue"] for m in self.had["dead"].values()}
        events = {i: n for n, ids in self.sent["event"].items() for i in ids}
        failed = {r["requestContext"]["requestId"] for r in self.bodies("records") if r["requestContext"]["condition"] != "Success"}
        out = {"events without a record": {n for i, n in events.items() if i not in recorded},
               "events without a dead letter": {events.get(i) for i in failed - dead},
               "events that were not done": {n for i, n in events.items() if i not in failed} - done["event"]}
        for kind, queue, of in (("standard", "standard-dead", lambda n: does(n, "standard")), ("fifo", "fifo-dead.fifo", lambda n: does(n, "fifo"))):
            bad = {i for n, ids in self.sent[kind].items() if of(n) == "fail" for i in ids}
            out[f"messages of {kind} that were not done"] = {n for n, ids in self.sent[kind].items() if of(n) != "fail" and not ids <= set(self.had[queue])} - done[kind]
            out[f"dead letters of {kind}"] = bad - set(self.had[queue])
        return {k: v for k, v in out.items() if v}

    def left(self):
        """In the queues and of the events."""
        with contextlib.suppress(Exception):
            n = 0
            for q in ("standard", "fifo.fifo"):
                a = self.sqs.get_queue_attributes(QueueUrl=self.urls[q], AttributeNames=["All"])["Attributes"]
                n += sum(int(a["ApproximateNumberOfMessages" + k]) for k in ("", "NotVisible", "Delayed"))
            return n + sum(f["Waiting"] + f["Due"] + f["Running"] for f in self.d.request("GET", "/_fnd/async").json["Functions"])
        return -1

    def test_every_event_and_every_message_ends_as_promised(self):
        killer = threading.Thread(target=self.kill)
        killer.start()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(self.send, range(4)))
        killer.join()
        sent_s = time.monotonic()

        def ended():
            took = sum(self.take(q) for q in ("witness.fifo", "witness.fifo", "records", "dead", "standard-dead", "fifo-dead.fifo"))
            return not took and not self.missing() and self.left() == 0
        wait_until(lambda: f"all end (seed {self.seed}), {self.left()} left: " + str({k: sorted(v)[:8] for k, v in self.missing().items()}), ended, 900 if LONG else 100)
        text = "".join(self.d.request("GET", f"/_fnd/logs/{f}").json["Text"] for f in ("event", "batch"))
        self.timed_out = set(re.findall(r"([0-9a-f-]{36}) Task timed out", text))  # where the machine is slow: after it had told
        for q in self.had:  # whatever is there twice has come by now
            while self.take(q):
                pass
        repeats, self.spent = self.repeats(), 0
        self.events_end()
        self.messages_end("standard", "standard-dead", lambda n: does(n, "standard"))
        self.messages_end("fifo", "fifo-dead.fifo", lambda n: does(n, "fifo"))
        self.order()
        counts = collections.Counter(what for _, what in self.kills)
        print(f"seed {self.seed}: {dict(counts)} killed; {sum(map(len, self.sent['event'].values()))} events, {len(self.sent['standard'])} messages of a standard and {len(self.sent['fifo'])} of a FIFO queue in "
              f"{GROUPS} groups acknowledged; {len(self.had['witness.fifo'])} things done or tried, {repeats} of them done before, {len(self.timed_out)} runs timed out, {self.untold} events failed since they could not tell; {len(self.had['dead'])} + {len(self.had['standard-dead'])} + "
              f"{len(self.had['fifo-dead.fifo'])} dead letters, {self.spent} of them good messages whose receives were used up by kills and time-outs, {len(self.had['records'])} records; all ended {time.monotonic() - sent_s:.0f} s after the last was sent", file=sys.stderr)
        self.assertEqual(self.d.stop(), 0, self.d.log()[-2000:])

    def events_end(self):
        """Also those whose acknowledgement was lost."""
        ends, dead, failed, self.untold = collections.Counter(), collections.Counter(), set(), 0
        for r in self.bodies("records"):
            c, n = r["requestContext"], r["requestPayload"]["n"]
            ends[c["requestId"]] += 1
            ok = does(n, "event") == "ok"
            if c["condition"] == "Success":
                self.assertTrue(ok, (self.seed, r))
                continue
            failed.add(c["requestId"])
            self.assertEqual((c["condition"], c["approximateInvokeCount"]), ("RetriesExhausted", 2), (self.seed, r))
            if ok:  # it could not tell of it in its time: then it has failed
                self.assertRegex(r["responsePayload"]["errorMessage"], "not told|timed out|exited", self.seed)
                self.untold += 1
        for m in self.had["dead"].values():
            dead[m["MessageAttributes"]["RequestID"]["StringValue"]] += 1
        self.assertEqual([i for i, n in (ends + dead).items() if ends[i] > 1 or dead[i] > 1], [], f"told of twice (seed {self.seed})")
        self.assertEqual(set(dead), failed)

    def messages_end(self, kind, queue, of):
        for m in self.had[queue].values():
            n = json.loads(m["Body"])["n"]
            if of(n) != "fail" and not (kind == "fifo" and behind(n)):  # each of its receives has come to nothing
                self.spent += 1
                self.assertGreaterEqual(len(self.kills) + len(self.timed_out), RECEIVES, f"a dead letter without a cause (seed {self.seed}): {m}")
        done = {w["n"] for w in self.bodies("witness.fifo") if w["of"] == kind and w["done"]}
        self.assertEqual({n for n in done if of(n) == "fail"}, set())
        if kind == "fifo":
            self.assertEqual([n for n, ids in self.sent[kind].items() if len(ids) != 1], [], "one deduplication id, several messages")

    def repeats(self):
        """Each has a cause. Returns how many there are."""
        runs, last, n_repeats = collections.defaultdict(list), {}, 0
        for w in self.bodies("witness.fifo"):
            runs[w["run"]].append(w)
        whole = {run for run, ws in runs.items() if any(w.get("whole") for w in ws)} | self.timed_out
        twice = {n for n, ids in self.sent["event"].items() if len(ids) > 1}
        for w in sorted(self.bodies("witness.fifo"), key=lambda w: w["at"]):
            key = (w["of"], w["n"])
            before = last.get(key)
            if before and before["done"] and w["done"]:
                n_repeats += 1
                killed = any(before["at"] - HIDDEN_S - 10 < at < w["at"] for at, _ in self.kills)
                self.assertTrue(killed or before["run"] in whole or (w["of"] == "event" and w["n"] in twice), f"done twice without a cause (seed {self.seed}): {before}, {w}")
            last[key] = w
        return n_repeats

    def order(self):
        seen = collections.defaultdict(list)
        dead = {m["n"] for m in self.bodies("fifo-dead.fifo")}
        done = {w["n"] for w in self.bodies("witness.fifo") if w["of"] == "fifo"}
        for m in self.had["witness.fifo"].values():
            w = json.loads(m["Body"])
            if w["of"] == "fifo":
                group, n = w["n"] // 2 % GROUPS, w["n"]
                want = [k for k in range(0, EACH, 2) if k // 2 % GROUPS == group and (k in done or k not in dead)]
                if n not in seen[group]:
                    self.assertEqual(n, want[len(seen[group])], f"group {group} out of its order (seed {self.seed}): after {seen[group][-3:]}")
                    seen[group].append(n)
                elif does(n, "fifo") == "fail":
                    self.assertEqual(n, seen[group][-1], f"group {group}: what was given up has come again (seed {self.seed})")


if __name__ == "__main__":
    unittest.main()
