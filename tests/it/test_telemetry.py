"""The Telemetry API and the Logs API: what an extension hears of its environment, by HTTP and by TCP, when, and what happens if it does not listen."""
import json, re, time, unittest
from harness import *
from test_extensions import ExtensionCase

# An extension in plain Python, as AWS's documentation has them. TELE says what it is to do; what it hears is in /tmp/heard, a line each batch.
EXTENSION = r'''#!/usr/bin/python3
import http.client, http.server, json, os, socket, socketserver, sys, threading, time
want = json.loads(os.environ["TELE"])
heard = open("/tmp/heard", "a")
done = threading.Condition()
seen = []

def take(events):
    with done:
        heard.write(json.dumps(events) + "\n")
        heard.flush()
        seen.extend(events)
        done.notify_all()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if want.get("hang"):
            time.sleep(1000)
        while want.get("gate") and not os.path.exists("/tmp/gate"):
            time.sleep(0.01)
        status = want["statuses"].pop(0) if want.get("statuses") else 200
        if status == 200:
            assert self.headers["Content-Type"] == "application/json" and self.path == "/in"
            take(json.loads(body))
        self.send_response(status)
        self.end_headers()
    def log_message(self, *args):
        pass

class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            take([json.loads(line)])

tcp = want["body"]["destination"]["protocol"] == "TCP"
class Server(socketserver.ThreadingTCPServer if tcp else http.server.ThreadingHTTPServer):
    allow_reuse_address = True
server = Server(("sandbox.localdomain", 4243), Lines if tcp else Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, headers={}):
    api.request(method, path, body and json.dumps(body), headers)
    r = api.getresponse()
    return r.status, r.headers, r.read().decode()

path = "/2020-08-15/logs" if want.get("logs") else "/2022-07-01/telemetry"
status, headers, _ = call("POST", "/2020-01-01/extension/register", {"events": ["INVOKE", "SHUTDOWN"]}, {"Lambda-Extension-Name": os.path.basename(sys.argv[0])})
me = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
def subscribe(body, who=me):
    status, _, text = call("PUT", path, body, who)
    with open("/tmp/answers", "a") as f:
        f.write(json.dumps([status, text]) + "\n")
for body, who in want.get("before", []):
    subscribe(body, me if who == "me" else {"Lambda-Extension-Identifier": who} if who else {})
subscribe(want["body"])
while True:
    status, _, text = call("GET", "/2020-01-01/extension/event/next", None, me)
    event = json.loads(text)
    if event["eventType"] == "SHUTDOWN":
        if want.get("print"):
            print("HEARD " + json.dumps(seen), flush=True)
        break
    if want.get("late"):
        subscribe(want["body"])
    if want.get("wait"): # as OpenTelemetry's and Datadog's do: ask for more when the runtime is through
        with done:
            done.wait_for(lambda: any(e["type"] == "platform.runtimeDone" and e["record"]["requestId"] == event["requestId"] for e in seen))
'''
FUNCTION = r'''
import json, os, time
print("init")
def lines(name):
    return [json.loads(l) for l in open("/tmp/" + name) if l.endswith("\n")] if os.path.exists("/tmp/" + name) else []
def handler(event, context):
    print("handles " + event.get("say", ""))
    if "sleep" in event:
        time.sleep(event["sleep"])
    for i in range(event.get("lines", 0)):
        print(f"line {i} ".ljust(1000, "."))
    if event.get("open"):
        open("/tmp/gate", "w").close()
    if "raise" in event:
        raise ValueError(event["raise"])
    if "exit" in event:
        os._exit(event["exit"])
    return {"answers": lines("answers"), "heard": lines("heard")}
'''
HTTP = {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4243/in"}
TCP = {"protocol": "TCP", "port": 4243}
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
NUMBER = (int, float)


def subscription(*types, schema="2022-12-13", destination=HTTP, **more):
    return {"schemaVersion": schema, "types": types or ["platform", "function"], "buffering": {"timeoutMs": 25}, "destination": destination, **more}


class Telemetry(ExtensionCase):
    def subscriber(self, body=None, more=None, source=FUNCTION, **want):
        """A function with that extension."""
        tele = json.dumps({"body": body or subscription(), **want})
        f = self.python(source, Layers=[self.layer("tele", program=EXTENSION)], Environment={"Variables": {"TELE": tele}}, MemorySize=512, **{"Timeout": 20, **(more or {})})
        return f

    def call(self, f, error=None, **event):
        r = self.d.in_turn(f, event, headers={"X-Amzn-Trace-Id": TRACE})
        self.assertEqual(r.error, error, r.body)
        return r

    def heard(self, f, holds):
        """All events, as soon as holds(events)."""
        events = []

        def there():
            events[:] = [e for batch in self.call(f, say="look").json["heard"] for e in batch]
            return holds(events)
        wait_until(lambda: f"all is heard: {json.dumps(events)[-3000:]}", there)
        return events

    def alone(self):
        """A daemon of its own, so that whose sandbox has ended is known."""
        self.d = self.daemon(prestarted_least=0, prestarted_most=0)
        self.c = boto(self.d)

    def heard_again(self, f, id):
        """All events, of that invocation's end too, from the sandbox that its environment has next. What its end has cut off comes twice."""
        wait_until("the last one has ended", lambda: self.d.pids()["sandbox"] == [])
        wait_until("its environment knows, or another would serve", lambda: self.d.metric("fnd_environments", function=f, state="idle") == 1)
        events = self.heard(f, lambda es: any(e["type"] == "platform.report" for e in self.of(es, id)))
        return [e for i, e in enumerate(events) if e not in events[:i]]

    def of(self, events, id):
        return [e for e in events if isinstance(e["record"], dict) and e["record"].get("requestId") == id]

    def shape(self, value, shape, where=""):
        """value is as shape says: a type, a tuple of types, a pattern, or of the same members."""
        if isinstance(shape, dict):
            self.assertEqual(sorted(value), sorted(shape), where)
            for k in shape:
                self.shape(value[k], shape[k], f"{where}.{k}")
        elif isinstance(shape, list):
            self.assertEqual(len(value), len(shape), where)
            for i, s in enumerate(shape):
                self.shape(value[i], s, f"{where}[{i}]")
        elif isinstance(shape, (type, tuple)):
            self.assertIsInstance(value, shape, where)
        else:
            self.assertRegex(str(value), f"^(?:{shape})$", where)

    def test_events_in_order_with_their_fields(self):
        f = self.subscriber(subscription("platform", "function", "extension"))
        id = self.call(f, say="one").headers["x-amzn-requestid"]
        events = self.heard(f, lambda es: any(e["type"] == "platform.report" for e in self.of(es, id)))
        for e in events:
            self.shape(e, {"time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "type": str, "record": object})
        kinds = [e["type"] for e in events]
        self.assertEqual(kinds[0], "platform.initStart")
        order = ["platform.initStart", "platform.initRuntimeDone", "platform.initReport", "platform.start", "platform.runtimeDone", "platform.report"]
        self.assertEqual([k for k in kinds if k in order][:6], order)
        self.assertLess(kinds.index("platform.telemetrySubscription"), kinds.index("platform.initReport"))
        lines = [e["record"] for e in events if e["type"] == "function"]
        self.assertEqual(lines[:2], ["init", "handles one"])
        init = {"initializationType": "on-demand", "phase": "init"}
        self.shape(events[0]["record"], {**init, "runtimeVersion": r"python:3\.11\..*", "runtimeVersionArn": "arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}", "functionName": f,
                                         "functionVersion": r"\$LATEST", "instanceId": r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", "instanceMaxMemory": str(512 << 20)})
        self.shape(events[kinds.index("platform.initRuntimeDone")]["record"], {**init, "status": "success"})
        self.shape(events[kinds.index("platform.initReport")]["record"], {**init, "status": "success", "metrics": {"durationMs": NUMBER}})
        self.shape(events[kinds.index("platform.extension")]["record"], {"name": "tele", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]})
        self.assertEqual(events[kinds.index("platform.telemetrySubscription")]["record"], {"name": "tele", "state": "Subscribed", "types": ["platform", "function", "extension"]})
        start, done, report = self.of(events, id)
        self.assertRegex(start["record"]["tracing"]["spanId"], "^[0-9a-f]{16}$")
        tracing = {"spanId": start["record"]["tracing"]["spanId"], "type": "X-Amzn-Trace-Id", "value": TRACE}
        self.assertEqual(start["record"], {"requestId": id, "version": "$LATEST", "tracing": tracing})
        span = lambda name: {"name": name, "start": r"\d{4}-.*Z", "durationMs": NUMBER}
        self.shape(done["record"], {"requestId": id, "status": "success", "metrics": {"durationMs": NUMBER, "producedBytes": int}, "tracing": dict,
                                    "spans": [span("responseLatency"), span("responseDuration"), span("runtimeOverhead")]})
        spans = report["record"].pop("spans", [span("extensionOverhead")])  # an extension that takes no time has none
        self.shape(report["record"], {"requestId": id, "status": "success", "tracing": dict, "metrics": {"durationMs": NUMBER, "billedDurationMs": int, "memorySizeMB": "512",
                                                                                                        "maxMemoryUsedMB": int, "initDurationMs": NUMBER}})
        self.assertEqual([s["name"] for s in spans], ["extensionOverhead"])
        self.assertEqual([e["record"]["tracing"] for e in (done, report)], [tracing] * 2)
        self.assertGreaterEqual(report["record"]["metrics"]["durationMs"], done["record"]["metrics"]["durationMs"] - 0.01)
        self.assertEqual([e for e in kinds if e.startswith("platform.") and e in ("platform.end", "platform.logsSubscription")], [])

    def test_who_waits_for_the_runtime_hears_that_it_is_done(self):
        f = self.subscriber(wait=True)
        began = time.monotonic()
        for _ in range(3):
            self.call(f)
        self.assertLess(time.monotonic() - began, 15 * SLOW)

    def test_by_tcp(self):
        f = self.subscriber(subscription(destination=TCP))
        id = self.call(f, say="one").headers["x-amzn-requestid"]
        events = self.heard(f, lambda es: any(e["type"] == "platform.report" for e in self.of(es, id)))
        self.assertEqual([e["type"] for e in self.of(events, id)], ["platform.start", "platform.runtimeDone", "platform.report"])
        self.assertEqual([e["record"] for e in events if e["type"] == "function"][:2], ["init", "handles one"])

    def test_logs_api(self):
        for schema, kinds in (("2020-08-15", ["platform.start", "platform.end", "platform.report"]),
                              ("2021-03-18", ["platform.start", "platform.runtimeDone", "platform.end", "platform.report"])):
            f = self.subscriber(subscription("platform", schema=schema), logs=True)
            id = self.call(f).headers["x-amzn-requestid"]
            events = self.heard(f, lambda es: any(e["type"] == "platform.report" for e in self.of(es, id)))
            mine = self.of(events, id)
            self.assertEqual([e["type"] for e in mine], kinds)
            self.assertEqual(mine[0]["record"], {"requestId": id})
            self.assertEqual(sorted(mine[-1]["record"]), ["metrics", "requestId"])
            others = {e["type"]: e["record"] for e in events if e["type"] not in kinds}
            self.assertEqual(others["platform.logsSubscription"], {"name": "tele", "state": "Subscribed", "types": ["platform"]})
            self.assertEqual(sorted(others), ["platform.extension", "platform.logsSubscription"])

    def test_objects_where_the_log_format_is_json(self):
        source = FUNCTION.replace('print("init")', 'print(\'{"message": "an object", "level": "WARN"}\')')
        for schema, kind in (("2022-12-13", dict), ("2022-07-01", str)):
            f = self.subscriber(subscription("function", schema=schema), more={"LoggingConfig": {"LogFormat": "JSON"}}, source=source)
            events = self.heard(f, lambda es: len(es) > 1)
            self.assertIsInstance(events[0]["record"], kind)
            self.assertIn("an object", str(events[0]["record"]))

    def test_refusals(self):
        good, bad = subscription(), subscription(schema="2019-01-01")
        f = self.subscriber(good, before=[[good, None], [good, "x"], [good, "11111111-1111-4111-8111-111111111111"], [bad, "me"]], late=True)
        answers = [(s, json.loads(t)) for s, t in self.call(f).json["answers"]]
        want = [(403, "Extension.MissingExtensionIdentifier"), (403, "Extension.InvalidExtensionIdentifier"), (403, "Extension.UnknownExtensionIdentifier"), (400, "ValidationError"), (200, None)]
        self.assertEqual([(s, b["errorType"] if s != 200 else None) for s, b in answers[:5]], want)
        self.assertEqual(answers[4][1], "OK")
        late = [(s, json.loads(t)) for s, t in self.call(f).json["answers"]][5]
        self.assertEqual(late, (403, {"errorMessage": "Telemetry API subscription is closed already", "errorType": "Telemetry.SubscriptionClosed"}))

    def test_what_is_wrong_is_said(self):
        f = self.subscriber(subscription("metrics"))
        answer = self.call(f).json["answers"][0]
        self.assertEqual((answer[0], json.loads(answer[1])), (400, {"errorMessage": "types must be of platform, function, extension", "errorType": "ValidationError"}))

    def test_one_that_refuses_is_tried_again(self):
        f = self.subscriber(statuses=[500, 503])
        id = self.call(f).headers["x-amzn-requestid"]
        events = self.heard(f, lambda es: any(e["type"] == "platform.report" for e in self.of(es, id)))
        self.assertEqual(events[0]["type"], "platform.initStart")  # nothing is lost
        self.assertEqual([e["type"] for e in events].count("platform.initStart"), 1)

    def test_one_that_hangs_delays_nobody(self):
        f = self.subscriber(hang=True)
        self.call(f)
        began = time.monotonic()
        for i in range(20):
            self.call(f, say="x" * 1000)
        self.assertLess(time.monotonic() - began, 20 * SLOW)  # patience with one delivery is 3 s

    def test_what_a_slow_one_misses_is_counted(self):
        """One batch is under way, one gathers: what is beyond them is dropped, and told of when there is room."""
        f = self.subscriber(gate=True)
        self.call(f, lines=3000)
        self.call(f, open=True)
        events = self.heard(f, lambda es: any(e["type"] == "platform.logsDropped" for e in es))
        dropped = [e["record"] for e in events if e["type"] == "platform.logsDropped"]
        for record in dropped:
            self.shape(record, {"droppedBytes": int, "droppedRecords": int, "reason": "Some logs were dropped because the downstream consumer is slower than the logs production rate|could not send events: .*"})
        lines = {e["record"].split(".")[0] for e in events if e["type"] == "function" and e["record"].startswith("line ")}  # a batch whose answer came too late comes twice
        records = sum(r["droppedRecords"] for r in dropped)
        self.assertGreater(records, 1000)
        self.assertGreater(sum(r["droppedBytes"] for r in dropped), 1000 * 1000)
        self.assertLess(len(lines), 3000)
        self.assertGreaterEqual(len(lines) + records, 3000)

    def test_after_a_timeout_it_hears_of_it(self):
        self.alone()
        f = self.subscriber(more={"Timeout": 3})
        self.call(f)
        id = self.call(f, error="Unhandled", sleep=60).headers["x-amzn-requestid"]
        events = self.heard_again(f, id)
        start, done, report = self.of(events, id)
        self.assertEqual((done["record"]["status"], report["record"]["status"]), ("timeout", "timeout"))
        self.assertNotIn("spans", done["record"])
        states = [e["record"]["state"] for e in events if e["type"] == "platform.telemetrySubscription"]
        self.assertEqual(states, ["Subscribed", "Already subscribed"])
        self.assertEqual([e["record"]["phase"] for e in events if e["type"] == "platform.initStart"], ["init", "invoke"])

    def test_a_runtime_that_ends_is_a_fault(self):
        self.alone()
        f = self.subscriber()
        self.call(f)
        id = self.call(f, error="Unhandled", exit=3).headers["x-amzn-requestid"]
        events = self.heard_again(f, id)
        faults = [e["record"] for e in events if e["type"] == "platform.fault"]
        self.assertEqual(faults, [f"RequestId: {id} Error: Runtime exited with error: exit status 3\nRuntime.ExitError"])
        self.assertEqual([(e["type"], e["record"].get("errorType")) for e in self.of(events, id)],
                         [("platform.start", None), ("platform.runtimeDone", "Runtime.ExitError"), ("platform.report", "Runtime.ExitError")])

    def test_the_last_report_comes_before_its_end(self):
        f = self.subscriber(print=True)
        id = self.call(f).headers["x-amzn-requestid"]
        self.spin_down(f, 576)
        line = next(l for l in self.log(f, "HEARD ") if l.startswith("HEARD "))
        self.assertEqual([e["type"] for e in self.of(json.loads(line[6:]), id)], ["platform.start", "platform.runtimeDone", "platform.report"])

    def test_an_internal_extension(self):
        """Part of the runtime: it registers while that initialises, and hears of the init it is in."""
        source = EXTENSION.split("while True:")[0].replace("os.path.basename(sys.argv[0])", '"inside"').replace('"SHUTDOWN"', '"INVOKE"') + r'''
def follow():
    while True:
        call("GET", "/2020-01-01/extension/event/next", None, me)
threading.Thread(target=follow, daemon=True).start()
''' + FUNCTION
        tele = json.dumps({"body": subscription()})
        f = self.python(source, Environment={"Variables": {"TELE": tele}}, MemorySize=512, Timeout=20)
        id = self.call(f, say="one").headers["x-amzn-requestid"]
        events = self.heard(f, lambda es: any(e["type"] == "platform.report" for e in self.of(es, id)))
        self.assertEqual(events[0]["type"], "platform.initStart")
        self.assertEqual([e["type"] for e in self.of(events, id)], ["platform.start", "platform.runtimeDone", "platform.report"])


if __name__ == "__main__":
    unittest.main()
