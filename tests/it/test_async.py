"""Asynchronous invocation: accepted durably, retried as Lambda does, told to destinations; event-invoke configurations. boto3 is the client."""
import concurrent.futures, json, os, signal, time, unittest

from harness import ARN, BotoCase, boto, shared, wait_until

FAST = {"events": {"retry_delays_s": [0.3, 0.6], "backoff_s": [0.1, 1]}, "account_concurrency": 40}

# What it is told to do; each event shows in the log.
DOES = """
import json, time
def handler(event, context):
    print("ran " + json.dumps({"event": event, "id": context.aws_request_id, "at": time.time()}))
    if event.get("fail"):
        raise Exception("boom")
    if event.get("sleep"):
        time.sleep(event["sleep"])
    return {"got": event}
"""


class AsyncCase(BotoCase):
    @classmethod
    def setUpClass(cls):
        cls.d = shared(FAST)
        cls.c, cls.raw, cls.logs = boto(cls.d), boto(cls.d, validate=False), boto(cls.d, "logs")

    def ran(self, f):
        """What a function of DOES has had, oldest first."""
        try:
            pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/" + f)
            return [json.loads(e["message"].split("ran ", 1)[1]) for page in pages for e in page["events"] if e["message"].startswith("ran ") or "\tran " in e["message"]]
        except self.logs.exceptions.ResourceNotFoundException:
            return []

    def send(self, f, payload=None, **kw):
        r = self.c.invoke(FunctionName=f, InvocationType="Event", Payload=json.dumps(payload if payload is not None else {}), **kw)
        self.assertEqual((r["StatusCode"], r["Payload"].read()), (202, b""))
        return r["ResponseMetadata"]["RequestId"]

    def had(self, f, n):
        wait_until(lambda: f"{f} has run {n} times: {self.ran(f)}", lambda: len(self.ran(f)) >= n)
        return self.ran(f)

    def record(self, sink, n=1):
        """The n-th record that the function `sink` has had."""
        return self.had(sink, n)[n - 1]["event"]


class Events(AsyncCase):
    def test_an_event_is_accepted_and_run_once(self):
        f = self.python(DOES)
        r = self.c.invoke(FunctionName=f, InvocationType="Event", Payload=b'{"a": 1}')
        self.assertEqual((r["StatusCode"], r["Payload"].read()), (202, b""))
        self.assertFalse({"ExecutedVersion", "FunctionError", "LogResult"} & set(r))
        ran = self.had(f, 1)
        self.assertEqual((ran[0]["event"], ran[0]["id"]), ({"a": 1}, r["ResponseMetadata"]["RequestId"]))
        self.assertEqual(self.c.invoke_async(FunctionName=f, InvokeArgs=b'{"b": 2}')["Status"], 202)
        self.assertEqual([e["event"] for e in self.had(f, 2)], [{"a": 1}, {"b": 2}])

    def test_what_is_refused_is_refused_at_once(self):
        f = self.python(DOES)
        self.fails("ResourceNotFoundException", self.c.invoke, FunctionName="absent", InvocationType="Event", Payload=b"{}")
        self.fails("InvalidRequestContentException", self.c.invoke, FunctionName=f, InvocationType="Event", Payload=b"{")
        big = b'"' + b"x" * 1048574 + b'"'
        self.fails("RequestTooLargeException", self.c.invoke, FunctionName=f, InvocationType="Event", Payload=big + b" ")
        self.assertEqual(self.c.invoke(FunctionName=f, InvocationType="Event", Payload=b'{"x":"' + b"x" * (1048576 - 8) + b'"}')["StatusCode"], 202)

    def test_a_failing_one_is_tried_three_times_under_one_id_with_the_delays_between(self):
        f = self.python(DOES)
        id = self.send(f, {"fail": 1})
        ran = self.had(f, 3)
        time.sleep(1)
        self.assertEqual([e["id"] for e in self.ran(f)], [id] * 3)
        self.assertGreaterEqual(ran[1]["at"] - ran[0]["at"], 0.3)
        self.assertGreaterEqual(ran[2]["at"] - ran[1]["at"], 0.6)

    def test_events_of_a_throttled_function_wait_and_all_run(self):
        f = self.python(DOES)
        self.c.put_function_concurrency(FunctionName=f, ReservedConcurrentExecutions=2)
        ids = [self.send(f, {"sleep": 0.05, "n": n}) for n in range(30)]
        ran = self.had(f, 30)
        self.assertEqual(sorted(e["id"] for e in ran), sorted(ids))

    def test_one_function_s_backlog_does_not_delay_another(self):
        slow, good = self.python(DOES, name="async-slow"), self.python(DOES, name="async-good")
        for n in range(100):
            self.send(slow, {"sleep": 0.5, "n": n})
        at = time.time()
        self.send(good, {"n": 0})
        self.assertLess(self.had(good, 1)[0]["at"] - at, 2.5)
        self.assertLess(len(self.ran(slow)), 100)

    def test_events_are_kept_over_kills_of_fn_events_and_of_the_worker(self):
        f, sink = self.python(DOES), self.python(DOES, name="async-kill-sink")
        self.c.put_function_event_invoke_config(FunctionName=f, MaximumRetryAttempts=1, DestinationConfig={"OnSuccess": {"Destination": ARN + sink}, "OnFailure": {"Destination": ARN + sink}})
        client = boto(self.d)
        sent = {}
        for n in range(120):
            if n in (30, 90):
                os.kill(self.d.pids()["events"][0], signal.SIGKILL)
            if n == 60:
                os.kill(self.d.pids()["worker"][0], signal.SIGKILL)
            while True:  # as an SDK does
                try:
                    sent[client.invoke(FunctionName=f, InvocationType="Event", Payload=json.dumps({"n": n, "fail": n % 3 == 0}))["ResponseMetadata"]["RequestId"]] = n
                    break
                except Exception:
                    time.sleep(0.02)
        ends = lambda: {e["event"]["requestContext"]["requestId"]: e["event"] for e in self.ran(sink)}
        wait_until(lambda: f"{len(sent)} ends: {len(ends())}", lambda: set(sent) <= set(ends()))
        for id, end in ends().items():
            n = sent.get(id, end["requestPayload"]["n"])
            self.assertEqual((end["requestPayload"]["n"], end["requestContext"]["condition"]), (n, "Success" if n % 3 else "RetriesExhausted"))


class Destinations(AsyncCase):
    def test_success_and_failure_are_told_to_functions_as_recorded(self):
        f, good, bad = self.python(DOES, name="async-f"), self.python(DOES, name="async-good"), self.python(DOES, name="async-bad")
        self.c.put_function_event_invoke_config(FunctionName=f, DestinationConfig={"OnSuccess": {"Destination": ARN + good}, "OnFailure": {"Destination": ARN + bad}})
        id = self.send(f, {"a": [1, "ü"]})
        r = self.record(good)
        self.assertRegex(r.pop("timestamp"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(r, {"version": "1.0", "requestContext": {"requestId": id, "functionArn": ARN + f + ":$LATEST", "condition": "Success", "approximateInvokeCount": 1},
                             "requestPayload": {"a": [1, "ü"]}, "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"}, "responsePayload": {"got": {"a": [1, "ü"]}}})
        id = self.send(f, {"fail": 1})
        r = self.record(bad)
        self.assertEqual(r["requestContext"], {"requestId": id, "functionArn": ARN + f + ":$LATEST", "condition": "RetriesExhausted", "approximateInvokeCount": 3})
        self.assertEqual((r["requestPayload"], r["responseContext"]), ({"fail": 1}, {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}))
        self.assertEqual({k: r["responsePayload"][k] for k in ("errorMessage", "errorType")}, {"errorMessage": "boom", "errorType": "Exception"})
        self.assertEqual(len(self.ran(good)), 1)

    def test_reserved_concurrency_0_gives_up_at_once(self):
        f, bad = self.python(DOES, name="async-zero"), self.python(DOES, name="async-zero-bad")
        self.c.put_function_event_invoke_config(FunctionName=f, DestinationConfig={"OnFailure": {"Destination": ARN + bad}})
        self.c.put_function_concurrency(FunctionName=f, ReservedConcurrentExecutions=0)
        id = self.send(f, {"a": 1})
        r = self.record(bad)
        self.assertEqual((r["requestContext"], r["requestPayload"]), ({"requestId": id, "functionArn": ARN + f + ":$LATEST", "condition": "ZeroReservedConcurrency", "approximateInvokeCount": 0}, {"a": 1}))
        self.assertFalse({"responseContext", "responsePayload"} & set(r))

    def test_an_alias_has_a_configuration_of_its_own(self):
        f, bad = self.python(DOES, name="async-aliased"), self.python(DOES, name="async-alias-bad")
        v = self.publish(f)
        self.c.create_alias(FunctionName=f, Name="live", FunctionVersion=v)
        self.c.put_function_event_invoke_config(FunctionName=f, Qualifier="live", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": ARN + bad}})
        self.send(f, {"fail": 1}, Qualifier="live")
        r = self.record(bad)
        self.assertEqual((r["requestContext"]["functionArn"], r["requestContext"]["approximateInvokeCount"], r["responseContext"]["executedVersion"]), (ARN + f + ":live", 1, v))


class Configurations(AsyncCase):
    def test_put_update_get_list_delete(self):
        f = self.python(DOES)
        self.assertEqual(self.c.list_function_event_invoke_configs(FunctionName=f)["FunctionEventInvokeConfigs"], [])
        r = self.c.put_function_event_invoke_config(FunctionName=f, MaximumRetryAttempts=1)
        self.assertEqual((r["FunctionArn"], r["MaximumRetryAttempts"], r["DestinationConfig"]), (ARN + f + ":$LATEST", 1, {"OnSuccess": {}, "OnFailure": {}}))
        self.assertNotIn("MaximumEventAgeInSeconds", r)
        r = self.c.update_function_event_invoke_config(FunctionName=f, MaximumEventAgeInSeconds=90)
        self.assertEqual((r["MaximumRetryAttempts"], r["MaximumEventAgeInSeconds"]), (1, 90))
        r = self.c.put_function_event_invoke_config(FunctionName=f, MaximumEventAgeInSeconds=60)
        self.assertNotIn("MaximumRetryAttempts", r)
        got = self.c.get_function_event_invoke_config(FunctionName=f)
        self.assertEqual({k: v for k, v in got.items() if k != "ResponseMetadata"}, {k: v for k, v in r.items() if k != "ResponseMetadata"})
        v = self.publish(f)
        self.c.put_function_event_invoke_config(FunctionName=f, Qualifier=v, MaximumRetryAttempts=0)
        page = self.c.list_function_event_invoke_configs(FunctionName=f, MaxItems=1)
        rest = self.c.list_function_event_invoke_configs(FunctionName=f, MaxItems=1, Marker=page["NextMarker"])
        self.assertEqual([c["FunctionArn"] for p in (page, rest) for c in p["FunctionEventInvokeConfigs"]], [ARN + f + ":$LATEST", ARN + f + ":" + v])
        self.assertEqual(self.c.delete_function_event_invoke_config(FunctionName=f)["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.get_function_event_invoke_config, FunctionName=f), f"The function {ARN}{f}:$LATEST doesn't have an EventInvokeConfig")

    def test_errors_as_recorded(self):
        f = self.python(DOES)
        put, message = self.c.put_function_event_invoke_config, "The function doesn't exist."
        self.assertEqual(self.fails("ResourceNotFoundException", put, FunctionName="absent", MaximumRetryAttempts=1), message)
        self.assertEqual(self.fails("ResourceNotFoundException", put, FunctionName=f, Qualifier="absent", MaximumRetryAttempts=1), message)
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.list_function_event_invoke_configs, FunctionName="absent"), message)
        for call, kw in ((self.c.get_function_event_invoke_config, {}), (self.c.delete_function_event_invoke_config, {}), (self.c.update_function_event_invoke_config, {"MaximumRetryAttempts": 1})):
            self.assertEqual(self.fails("ResourceNotFoundException", call, FunctionName=f, Qualifier="$LATEST", **kw), f"The function {ARN}{f}:$LATEST doesn't have an EventInvokeConfig")
        self.assertEqual(self.fails("InvalidParameterValueException", put, FunctionName=f), "You must specify at least one of error handling or destination setting.")
        for arn, text in ((ARN + "absent", f"The destination ARN {ARN}absent is invalid."), (ARN + f, "You can't specify the function as a destination for itself."),
                          ("arn:aws:iam::000000000000:role/x", "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:iam::000000000000:role/x), onFailure=null) is invalid.")):
            self.assertEqual(self.fails("InvalidParameterValueException", put, FunctionName=f, DestinationConfig={"OnSuccess": {"Destination": arn}}), text)
        self.assertIn("destinationConfig.onFailure.destination", self.fails("ValidationException", put, FunctionName=f, DestinationConfig={"OnFailure": {"Destination": "no-arn"}}))
        self.assertIn("maximumRetryAttempts", self.fails("ValidationException", self.raw.put_function_event_invoke_config, FunctionName=f, MaximumRetryAttempts=3))
        self.assertEqual(put(FunctionName=f, DestinationConfig={"OnSuccess": {}})["DestinationConfig"], {"OnSuccess": {}, "OnFailure": {}})


if __name__ == "__main__":
    unittest.main()
