"""Queues that drive functions: how many messages a second a mapping takes, and how long one takes from SendMessage to its handler."""
import json, threading, time

import harness
from common import quantile
from invocations import daemon

ARN = "arn:aws:sqs:us-east-1:000000000000:"
NOTES_WHEN = "import time, json\ndef handler(e, c):\n    now = time.time()\n    for r in e['Records']:\n        print('TOOK', now - float(r['body']))\n"


def mapped(d, name, function, **more):
    c, sqs = harness.boto(d), harness.boto(d, "sqs")
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    return c, sqs, url, c.create_event_source_mapping(EventSourceArn=ARN + name, FunctionName=function, **more)["UUID"]


def becomes(c, uuid, state):
    harness.wait_until(f"the mapping is {state}", lambda: c.get_event_source_mapping(UUID=uuid)["State"] == state)


def fill(d, url, n, clients=4):
    def send():
        sqs = harness.boto(d, "sqs")
        for _ in range(n // clients // 10):
            sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(j), "MessageBody": "x" * 100} for j in range(10)])
    threads = [threading.Thread(target=send) for _ in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def left(sqs, url):
    a = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(a["ApproximateNumberOfMessages"]) + int(a["ApproximateNumberOfMessagesNotVisible"])


def mapping(b):
    n, rounds, sends = (2000, 1, 50) if b.quick else (40000, 5, 1000)
    with daemon() as d:
        d.create("f")
        c, sqs, url, uuid = mapped(d, "throughput", "f", Enabled=False)
        rates = []
        for _ in range(rounds):
            fill(d, url, n)
            began = time.monotonic()
            c.update_event_source_mapping(UUID=uuid, Enabled=True)
            while left(sqs, url):
                time.sleep(0.02)
            rates.append([n / (time.monotonic() - began)])
            becomes(c, uuid, "Enabled")
            c.update_event_source_mapping(UUID=uuid, Enabled=False)
            becomes(c, uuid, "Disabled")
        b.figure("mapping: messages a second, batches of 10", rates, "messages/s", aim_at_least=10000)
        d.create_python("t", NOTES_WHEN, Timeout=10)
        c, sqs, url, uuid = mapped(d, "latency", "t")
        becomes(c, uuid, "Enabled")
        for i in range(sends + 20):
            sqs.send_message(QueueUrl=url, MessageBody=repr(time.time()))
            time.sleep(0.01)
        harness.wait_until("all are taken", lambda: left(sqs, url) == 0)
        logs, took = harness.boto(d, "logs"), []
        harness.wait_until("all are in the log", lambda: len(took_of(logs)) >= sends + 20)
        took = took_of(logs)[20:]  # the first ones started environments
        b.figure("mapping: SendMessage to handler", [[t * 1e6 for t in took]], aim=2000)
        b.say(f"SendMessage to handler: p50 {quantile(took, 0.5) * 1e3:.2f} ms, p99 {quantile(took, 0.99) * 1e3:.2f} ms")


def took_of(logs):
    found = []
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/t", filterPattern="TOOK"):
        found += [(e["timestamp"], float(e["message"].split()[1])) for e in page["events"]]
    return [t for _, t in sorted(found)]
