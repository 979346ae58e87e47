"""Asynchronous invocation: accepted durably, retried as Lambda does, told to destinations; event-invoke configurations. boto3 is the client."""
import concurrent.futures, json, os, re, signal, tempfile, time, unittest

import s3servers
from harness import ARN, SLOW, BotoCase, boto, make_zip, shared, wait_until

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

    def test_the_longest_name_and_the_longest_alias(self):
        """Together they are more than a FunctionName may have."""
        f, alias, sink = self.python(DOES, name="l" * 64), "a" * 128, self.python(DOES, name="s" * 64)
        for name in (f, sink):
            self.c.create_alias(FunctionName=name, Name=alias, FunctionVersion="$LATEST")
        arn = self.c.put_function_event_invoke_config(FunctionName=f, Qualifier=alias, DestinationConfig={"OnSuccess": {"Destination": f"{ARN}{sink}:{alias}"}})["FunctionArn"]
        self.assertEqual(arn, f"{ARN}{f}:{alias}")
        id = self.send(f, {"n": 1}, Qualifier=alias)
        self.assertEqual(self.had(f, 1)[0]["event"], {"n": 1})
        context = self.record(sink)["requestContext"]
        self.assertEqual((context["requestId"], context["functionArn"]), (id, arn))

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
        self.assertEqual(self.d.metric("fnd_async_events_received_total", function=f, qualifier=""), 30)
        wait_until("fn-events has heard of the end of the last ones", lambda: self.d.metric("fnd_async_queue_depth", function=f, qualifier="") == 0)

    def test_one_function_s_backlog_does_not_delay_another(self):
        slow, good = self.python(DOES, name="async-slow"), self.python(DOES, name="async-good")
        with concurrent.futures.ThreadPoolExecutor(25) as clients:  # together: they are there before many have run
            list(clients.map(lambda n: self.send(slow, {"sleep": 2, "n": n}), range(100)))
        sent = time.time()
        self.send(good, {"n": 0})
        at = self.had(good, 1)[0]["at"]
        self.assertLess(sum(sent < e["at"] < at for e in self.had(slow, 1)), 40)  # two rounds; behind them all there would be about 80

    def test_an_idempotency_key_is_answered_by_what_came_first(self):
        f = self.python(DOES)
        def send(key, payload, **more):
            return self.d.invoke(f, payload, headers={"X-Amz-Invocation-Type": "Event", "Idempotency-Key": key}, **more)
        first = send("k1", {"a": 1})
        self.had(f, 1)
        wait_until("it is done", lambda: [x for x in self.d.request("GET", "/_fnd/async").json["Functions"] if x["Function"] == f][0]["Succeeded"] == 1)
        wait_until("and is so on disk: else it is run once more", lambda: self.d.request("GET", f"/_fnd/async/{f}").json["Events"] == [])
        os.kill(self.d.pids()["events"][0], signal.SIGKILL)  # remembered on disk
        wait_until("fn-events answers", lambda: self.d.request("GET", "/_fnd/async").status == 200)
        again, other, free = send("k1", {"a": 1}), send("k1", {"a": 2}), send("k2", {"a": 2})
        self.assertEqual((first.status, again.status, again.headers["x-amzn-requestid"]), (202, 202, first.headers["x-amzn-requestid"]))
        self.assertEqual((other.status, other.error_type), (400, "InvalidParameterValueException"))
        self.assertNotEqual(free.headers["x-amzn-requestid"], first.headers["x-amzn-requestid"])
        self.assertEqual(send("x" * 256, {}).status, 400)
        self.had(f, 2)
        time.sleep(0.5)
        self.assertEqual(sorted(r["event"]["a"] for r in self.ran(f)), [1, 2])


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


class Queues(AsyncCase):
    """Destinations and dead-letter targets that are queues of ours."""

    def queue(self, name):
        sqs = boto(self.d, "sqs")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        self.addCleanup(sqs.delete_queue, QueueUrl=url)
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        def receive(n):
            got = []
            def more():
                got.extend(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageAttributeNames=["All"], AttributeNames=["All"]).get("Messages", []))
                return len(got) >= n
            wait_until(lambda: f"{n} messages came: {len(got)}", more)
            return got
        return arn, receive

    def test_records_and_dead_letters_as_recorded(self):
        f = self.python(DOES)
        (good, has), (bad, fails), (dead, dies) = self.queue("async-good"), self.queue("async-bad"), self.queue("async-dlq")
        self.update(f, DeadLetterConfig={"TargetArn": dead})
        self.c.put_function_event_invoke_config(FunctionName=f, MaximumRetryAttempts=1, DestinationConfig={"OnSuccess": {"Destination": good}, "OnFailure": {"Destination": bad}})
        id = self.send(f, {"a": 1})
        m = has(1)[0]
        self.assertEqual((json.loads(m["Body"])["requestContext"], m.get("MessageAttributes")), ({"requestId": id, "functionArn": ARN + f + ":$LATEST", "condition": "Success", "approximateInvokeCount": 1}, None))
        id = self.send(f, {"fail": 1})
        self.assertEqual(json.loads(fails(1)[0]["Body"])["requestContext"]["condition"], "RetriesExhausted")
        m = dies(1)[0]
        self.assertEqual((json.loads(m["Body"]), {k: (v["DataType"], v["StringValue"]) for k, v in m["MessageAttributes"].items()}),
                         ({"fail": 1}, {"RequestID": ("String", id), "ErrorCode": ("Number", "200"), "ErrorMessage": ("String", "boom")}))
        self.assertIn("AWSTraceHeader", m["Attributes"])


class Outside(AsyncCase):
    """Destinations that are AWS-compatible servers of the configuration: moto's SQS, SNS and S3. Its EventBridge does not get to a target; unit/events/test_messages has that."""

    def test_a_file_of_the_configuration_that_is_away_for_a_time(self):
        """While fn-events is started anew: it comes when the file is there again."""
        with tempfile.TemporaryDirectory() as place:
            keys = os.path.join(place, "keys.json")
            def write():
                with open(os.open(keys, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
                    json.dump({"access_key_id": "test", "secret_access_key": "test"}, f)
            write()
            d = self.daemon({**FAST, "events": {**FAST["events"], "endpoints": {"sqs": {"url": "http://127.0.0.1:1", "credentials_file": keys}}}})
            wait_until("it is there", lambda: d.pids()["events"] and d.request("GET", "/_fnd/async").status == 200)
            os.unlink(keys)
            os.kill(d.pids()["events"][0], signal.SIGKILL)
            wait_until("the log says that it is tried again", lambda: re.search(r"keys\.json.*; tried again in \d+ s", d.log()))
            self.assertEqual(d.pids()["events"], [])
            write()
            wait_until("it is there again", lambda: d.pids()["events"] and d.request("GET", "/_fnd/async").status == 200)

    def test_where_nobody_is_named_nothing_is_accepted(self):
        d = self.daemon(FAST)
        d.create_python("f", DOES)
        d.settled("f")
        ours = d.request("GET", "/2015-03-31/functions/f/configuration").json["FunctionArn"].split(":lambda:")[1].split(":function")[0]
        for arn, said in (("arn:aws:sns:us-east-1:123456789012:t", (400, "InvalidParameterValueException")), ("arn:aws:sqs:eu-west-1:123456789012:q", (400, "InvalidParameterValueException")),
                          (f"arn:aws:sqs:{ours}:to-come", (200, None))):
            r = d.request("PUT", "/2015-03-31/functions/f/configuration", {"DeadLetterConfig": {"TargetArn": arn}})
            self.assertEqual((r.status, r.error_type), said, r)
        for which, arn in (("OnSuccess", "arn:aws:events:us-east-1:123456789012:event-bus/default"), ("OnFailure", "arn:aws:s3:::records"), ("OnFailure", "arn:aws:sqs:us-east-1:210987654321:q")):
            r = d.request("PUT", "/2019-09-25/functions/f/event-invoke-config", {"DestinationConfig": {which: {"Destination": arn}}})
            self.assertEqual((r.status, r.error_type), (400, "InvalidParameterValueException"), r)
            self.assertIn('names no server for it', r.json["message"])

    def test_records_and_dead_letters_reach_them_and_wait_while_they_are_down(self):
        import boto3
        server = s3servers.moto()
        self.addCleanup(server.end)
        there = lambda service: boto3.client(service, endpoint_url=server.endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        sqs, account, region = there("sqs"), "123456789012", "arn:aws:%s:us-east-1:123456789012:"
        url = {n: sqs.create_queue(QueueName=n)["QueueUrl"] for n in ("good", "dead", "topic")}
        topic = there("sns").create_topic(Name="t")["TopicArn"]
        there("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=region % "sqs" + "topic")
        there("s3").create_bucket(Bucket="records")
        keys = tempfile.NamedTemporaryFile("w", suffix=".json")  # the fn-events that comes after the first one wants it, too
        self.addCleanup(keys.close)
        json.dump({"access_key_id": "test", "secret_access_key": "test"}, keys)
        keys.flush()
        d = self.daemon({**FAST, "events": {**FAST["events"], "endpoints": {s: {"url": server.endpoint, "credentials_file": keys.name} for s in ("sqs", "sns", "events", "s3")}}})
        c = boto(d)
        def one(name):
            got = []
            def came():
                got.extend(sqs.receive_message(QueueUrl=url[name], MessageAttributeNames=["All"]).get("Messages", []))
                return got
            wait_until(f"something came to {name}", came)
            sqs.delete_message(QueueUrl=url[name], ReceiptHandle=got[0]["ReceiptHandle"])
            return got[0]
        def send(payload, **destinations):
            c.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0, DestinationConfig={k: {"Destination": v} for k, v in destinations.items()})
            return c.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps(payload))["ResponseMetadata"]["RequestId"]
        d.create_python("f", DOES, DeadLetterConfig={"TargetArn": region % "sqs" + "dead"})
        d.settled("f")
        id = send({"n": "ü & =%"}, OnSuccess=region % "sqs" + "good")
        self.assertEqual(json.loads(one("good")["Body"])["requestContext"]["requestId"], id)
        id = send({"fail": 1}, OnFailure=topic)
        m = one("dead")
        self.assertEqual((json.loads(m["Body"]), m["MessageAttributes"]["RequestID"]["StringValue"], m["MessageAttributes"]["ErrorMessage"]["StringValue"]), ({"fail": 1}, id, "boom"))
        self.assertEqual(json.loads(json.loads(one("topic")["Body"])["Message"])["requestContext"]["requestId"], id)
        id = send({"fail": 1}, OnFailure="arn:aws:s3:::records")
        listed = lambda: there("s3").list_objects_v2(Bucket="records").get("Contents", [])
        wait_until("an object is there", listed)
        self.assertRegex(listed()[0]["Key"], r"^aws/lambda/async/f/\d{4}/\d\d/\d\d/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}$")
        self.assertEqual(json.loads(there("s3").get_object(Bucket="records", Key=listed()[0]["Key"])["Body"].read())["requestContext"]["requestId"], id)
        for n in range(3):  # of what can never be sent nothing stays to be tried again
            send({"n": n}, OnSuccess="arn:aws:events:us-east-1:123456789012:rule/none")
        wait_until("all are given up", lambda: [e["Outcome"] for e in d.request("GET", "/_fnd/events?After=1").json["Events"]].count("refused") == 3)
        self.assertEqual([f["DeliveryFailures"] for f in d.request("GET", "/_fnd/async").json["Functions"]], [3])
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            send({"n": "last"}, OnSuccess=region % "sqs" + "good")
            wait_until("it has run", lambda: '"n": "last"' in d.request("GET", "/_fnd/logs/f").json["Text"])
            os.kill(d.pids()["events"][0], signal.SIGKILL)
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        self.assertEqual(json.loads(one("good")["Body"])["requestPayload"], {"n": "last"})


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

    def test_functions_of_other_places_are_not_taken_for_those_of_the_same_name_here(self):
        f = self.python(DOES)
        c, put = self.c, self.c.put_function_event_invoke_config
        for call, more in ((put, {"MaximumRetryAttempts": 1}), (c.update_function_event_invoke_config, {"MaximumRetryAttempts": 1}), (c.get_function_event_invoke_config, {}),
                           (c.delete_function_event_invoke_config, {}), (c.list_function_event_invoke_configs, {})):
            name = f"arn:aws:lambda:ap-northeast-1:000000000000:function:{f}"
            self.assertEqual(self.fails("ResourceNotFoundException", call, FunctionName=name, **more), "Functions from 'ap-northeast-1' are not reachable in this region ('us-east-1')")
            self.fails("AccessDeniedException", call, FunctionName=f"111111111111:function:{f}", **more)
            if call != c.list_function_event_invoke_configs:
                self.assertEqual(self.fails("InvalidParameterValueException", call, FunctionName=f + ":1", Qualifier="$LATEST", **more),
                                 "The derived qualifier from the function name does not match the specified qualifier.")
        other = self.python(DOES, name="async-other-place")
        for arn in (f"arn:aws:lambda:ap-northeast-1:000000000000:function:{other}", f"arn:aws:lambda:us-east-1:111111111111:function:{other}", f"arn:aws:lambda:us-east-1:000000000000:layer:{other}"):
            for which in ("OnSuccess", "OnFailure"):
                self.assertEqual(self.fails("InvalidParameterValueException", put, FunctionName=f, DestinationConfig={which: {"Destination": arn}}), f"The destination ARN {arn} is invalid.")
        self.assertEqual(c.list_function_event_invoke_configs(FunctionName=f)["FunctionEventInvokeConfigs"], [])
        self.assertEqual(put(FunctionName=f, DestinationConfig={"OnSuccess": {"Destination": ARN + other}})["DestinationConfig"]["OnSuccess"], {"Destination": ARN + other})

    def test_they_go_with_what_they_are_about_and_do_not_come_back(self):
        f = self.python(DOES, name="async-gone")
        v = self.publish(f)
        self.c.create_alias(FunctionName=f, Name="live", FunctionVersion=v)
        for q in ("$LATEST", "live"):
            self.c.put_function_event_invoke_config(FunctionName=f, Qualifier=q, MaximumRetryAttempts=0)
        absent = lambda q: not [c for c in self.c.list_function_event_invoke_configs(FunctionName=f)["FunctionEventInvokeConfigs"] if c["FunctionArn"].endswith(":" + q)]
        self.c.delete_alias(FunctionName=f, Name="live")
        wait_until("the alias' configuration has gone", lambda: absent("live"))
        self.assertFalse(absent("$LATEST"))
        os.kill(self.d.pids()["events"][0], signal.SIGSTOP)  # it hears of it later
        stopped = self.d.pids()["events"][0]
        self.c.delete_function(FunctionName=f)
        self.d.create_python(f, DOES)
        self.d.settled(f)
        os.kill(stopped, signal.SIGCONT)
        wait_until("the function's configuration has gone", lambda: absent("$LATEST"))
        self.c.put_function_event_invoke_config(FunctionName=f, MaximumRetryAttempts=0)
        time.sleep(0.3)
        self.assertFalse(absent("$LATEST"))


class Metrics(AsyncCase):
    def test_what_lambda_counts_is_counted(self):
        f = self.python(DOES, name="async-metrics", DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:000000000000:nowhere"})
        self.c.put_function_event_invoke_config(FunctionName=f, MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:nowhere"}})
        value = lambda name: self.d.metric("fnd_" + name, function=f, qualifier="")
        self.send(f, {"n": 1})
        self.send(f, {"fail": 1})
        wait_until("it was given up", lambda: value("async_events_dropped_total") == 1)
        wait_until("and could not be told of", lambda: value("destination_delivery_failures_total") == 1)
        want = {"async_events_received_total": 2, "async_errors_total": 2, "async_throttles_total": 0, "dead_letter_errors_total": 1, "async_event_age_seconds_count": 2}
        counted = lambda: {n: value(n) for n in want}
        wait_until(lambda: f"both are counted: {counted()}", lambda: counted() == want)
        self.assertTrue(0 < value("async_event_age_seconds_sum") < 60 * SLOW)
        self.assertEqual(self.d.metric("fnd_async_event_age_seconds_bucket", function=f, qualifier="", le="21600"), 2)
        self.assertEqual(self.d.metric("fnd_recursive_invocations_dropped_total", function=f) or 0, 0)


class Share(AsyncCase):
    """Events and mappings have one part of the account's concurrency together; callers who wait have the rest, and a function with concurrency of its own has that."""

    def test_one_bound_over_both_and_each_in_turn(self):
        d = self.daemon({"account_concurrency": 20, "events": {"backoff_s": [0.1, 1], "async_share": 0.5}})
        c, sqs = boto(d), boto(d, "sqs")
        for name in ("slow", "batch", "good", "own"):
            d.create_python(name, "import time\ndef handler(e, c):\n    print('ran')\n    time.sleep(e.get('sleep', 0) if 'Records' not in e else 3)\n", Timeout=20, MemorySize=128)
        [d.settled(n) for n in ("slow", "batch", "good", "own")]
        url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
        c.create_event_source_mapping(EventSourceArn="arn:aws:sqs:us-east-1:000000000000:q", FunctionName="batch", BatchSize=1)
        for n in range(30):
            c.invoke(FunctionName="slow", InvocationType="Event", Payload=b'{"sleep": 3}')
            sqs.send_message(QueueUrl=url, MessageBody=str(n))
        running = lambda *names: sum(d.metric("fnd_concurrent_executions", function=n) or 0 for n in names)
        most = [0, 0, 0]
        def look():
            s, b = running("slow"), running("batch")
            most[:] = max(most[0], s), max(most[1], b), max(most[2], s + b)
        wait_until(lambda: f"both run: {most}", lambda: look() or (running("slow") >= 3 and running("batch") >= 3))
        self.assertEqual(c.invoke(FunctionName="good", Payload=b"{}")["StatusCode"], 200)  # who waits is served at once
        done = lambda: {f["Function"]: f["Succeeded"] for f in d.request("GET", "/_fnd/async").json["Functions"]}
        ran = {"good": 0}
        before = done()
        c.invoke(FunctionName="good", InvocationType="Event", Payload=b"{}")
        def runs():
            look()
            ran.update(done())
            return ran["good"] == 1
        wait_until("an event of another function runs", runs)
        self.assertLess(ran["slow"] - before["slow"], 12)  # not behind the backlog, which is of 20 and more
        wait_until("the share was used", lambda: look() or most[2] >= 8)
        self.assertLessEqual(most[2], 10)

        c.put_function_concurrency(FunctionName="own", ReservedConcurrentExecutions=5)
        share = lambda: d.request("GET", "/_fnd/async").json["Slots"]
        for _ in range(6):  # the first answer says that it has its own
            c.invoke(FunctionName="own", InvocationType="Event", Payload=b'{"sleep": 1}')
        wait_until("the share is of what nobody has reserved", lambda: share() == 7)
        wait_until("what is reserved is used beside it", lambda: look() or [f for f in d.request("GET", "/_fnd/async").json["Functions"] if f["Function"] == "own"][0]["Succeeded"] == 6)
        wait_until("all has run", lambda: [f for f in d.request("GET", "/_fnd/async").json["Functions"] if f["Function"] == "slow"][0]["Succeeded"] == 30)


class Fnctl(AsyncCase):
    def test_what_waits_what_was_given_up_and_how_it_is_put_back(self):
        f = self.python(DOES, name="async-fnctl")
        self.c.put_function_event_invoke_config(FunctionName=f, MaximumRetryAttempts=0)
        run = lambda *args: json.loads(self.d.fnctl("--output", "json", "async", *args).stdout)
        lane = lambda: [x for x in run("status")["Functions"] if x["Function"] == f][0]
        id = self.send(f, {"fail": "x"})
        wait_until("it was given up", lambda: lane()["Failed"] == 1)
        e = run("list", f, "--failed")["Events"][0]
        self.assertEqual((e["RequestId"], e["State"], e["Invokes"], e["Condition"], e["Message"]), (id, "failed", 1, "RetriesExhausted", "boom"))
        self.assertEqual(run("show", f, id)["Payload"], {"fail": "x"})
        for other in ("x", "00000000-0000-0000-0000-000000000000"):
            r = self.d.fnctl("async", "show", f, other)
            self.assertEqual((r.returncode, r.stdout, r.stderr), (3, "", "fnctl: async show: ResourceNotFoundException: There is no such event.\n"))
        self.update(f, ZipFile=make_zip({"f.py": DOES.replace('if event.get("fail")', "if False")}))
        self.assertEqual(run("replay", f)["Moved"], 1)
        ran = self.had(f, 2)
        self.assertEqual([r["event"] for r in ran], [{"fail": "x"}] * 2)
        self.assertNotEqual(ran[1]["id"], id)
        wait_until("all is done", lambda: (lane()["Waiting"], lane()["Due"], lane()["Running"], lane()["Failed"], lane()["Succeeded"]) == (0, 0, 0, 0, 1))
        self.c.put_function_concurrency(FunctionName=f, ReservedConcurrentExecutions=1)
        for n in range(40):
            self.send(f, {"sleep": 5, "n": n})
        wait_until("some wait", lambda: lane()["Waiting"] + lane()["Due"] >= 30)
        table = self.d.fnctl("async", "list", f).stdout
        self.assertRegex(table, "REQUEST ID +STATE")
        self.assertEqual(self.d.fnctl("async", "purge", f).returncode, 0)
        wait_until("what waited is gone", lambda: len(run("list", f)["Events"]) == 0)
        r = self.d.fnctl("async", "list", "never-invoked")
        self.assertEqual(r.returncode, 3)


    def test_what_a_function_says_of_its_failure_is_a_line_in_the_table_and_nothing_that_a_terminal_follows(self):
        f = self.python("def handler(event, context):\n    raise ValueError('first\\n\\x1b]0;title\\x07 \\x9b31m second \\u00e9' + '\\u00e9' * 400)\n", name="async-words")
        self.c.put_function_event_invoke_config(FunctionName=f, MaximumRetryAttempts=0)
        self.send(f, {})
        failed = lambda *args: self.d.fnctl(*args, "async", "list", f, "--failed").stdout
        wait_until("it was given up", lambda: "RetriesExhausted" in failed())
        lines = failed().splitlines()
        self.assertEqual(len(lines), 2, lines)
        self.assertRegex(lines[1], r"first  \]0;title    31m second \u00e9+\.\.\.$")
        self.assertLess(len(lines[1]), 250)
        self.assertIn("\x1b", json.loads(failed("--output", "json"))["Events"][0]["Message"])
        self.c.update_function_configuration(FunctionName=f, Description="an \x1b[31m owner's\nwords", Environment={"Variables": {"TEXT": "a\x1b[2Jb"}})
        shown = self.d.fnctl("get", f).stdout
        self.assertIn("an  [31m owner's words\n", shown)
        self.assertIn("TEXT=a [2Jb\n", shown)


class DeadLetters(AsyncCase):
    QUEUE = "arn:aws:sqs:us-east-1:000000000000:async-dead"

    def test_the_target_is_kept_and_shown(self):
        f = self.python(DOES, DeadLetterConfig={"TargetArn": self.QUEUE})
        self.assertEqual(self.c.get_function_configuration(FunctionName=f)["DeadLetterConfig"], {"TargetArn": self.QUEUE})
        self.assertEqual(self.update(f, DeadLetterConfig={})["DeadLetterConfig"], {"TargetArn": self.QUEUE})
        self.assertNotIn("DeadLetterConfig", self.update(f, DeadLetterConfig={"TargetArn": ""}))
        self.assertIn("neither an SQS queue", self.fails("InvalidParameterValueException", self.c.update_function_configuration, FunctionName=f, DeadLetterConfig={"TargetArn": ARN + "x"}))


if __name__ == "__main__":
    unittest.main()
