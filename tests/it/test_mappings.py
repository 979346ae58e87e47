"""Event source mappings: the operations with boto3, the poller against queues of an SQS server as it is published."""
import contextlib, json, os, shutil, signal, subprocess, tempfile, threading, unittest
import botocore.exceptions
from harness import *
import s3servers, sqsservers

ECHO = """import json
def handler(event, context):
    print("GOT " + json.dumps(event))
    bodies = [r["body"] for r in event["Records"]]
    if "boom" in bodies:
        raise Exception("boom")
    return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in event["Records"] if r["body"].startswith("fail") and r["attributes"]["ApproximateReceiveCount"] == "1"]}
"""
SLOW_FAIL = ECHO.replace("    bodies =", """    import time
    time.sleep(3 if "fail 0" in [r["body"] for r in event["Records"]] and event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "1" else 0)
    bodies =""")
ARN = "arn:aws:sqs:us-east-1:000000000000:"


class MappingCase(Case):
    def begin(self, config):
        self.e = self.daemon(config)
        self.c, self.logs = boto(self.e), boto(self.e, "logs")
        self.e.create_python("f", ECHO, Timeout=4)

    def queue(self, name, **attributes):
        url = self.sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "5", **attributes})["QueueUrl"]
        self.addCleanup(lambda: self.sqs.delete_queue(QueueUrl=url))
        return url

    def map(self, name, function="f", **more):
        u = self.c.create_event_source_mapping(EventSourceArn=ARN + name, FunctionName=function, **more)
        self.assertEqual(u["State"], "Creating")
        self.becomes(u["UUID"], "Enabled")
        return u["UUID"]

    def becomes(self, uuid, state):
        wait_until(f"the mapping is {state}", lambda: self.c.get_event_source_mapping(UUID=uuid)["State"] == state)

    def got(self, function="f"):
        """Events in the order of their coming."""
        try:
            events = self.logs.filter_log_events(logGroupName="/aws/lambda/" + function, filterPattern='"GOT"')["events"]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [json.loads(e["message"][4:]) for e in events if e["message"].startswith("GOT ")]

    def records(self, function="f"):
        return [r for e in self.got(function) for r in e["Records"]]

    def left(self, url):
        a = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(a["ApproximateNumberOfMessages"]) + int(a["ApproximateNumberOfMessagesNotVisible"])

    def fails(self, text, operation, code="InvalidParameterValueException", **members):
        with self.assertRaises(self.c.exceptions.ClientError) as e:
            getattr(self.c, operation)(**members)
        self.assertEqual((e.exception.response["Error"]["Code"], e.exception.response["Error"]["Message"]), (code, text))

    def create_fails(self, text, **members):
        members = {"EventSourceArn": ARN + "eight", "FunctionName": "f", **members}
        code = members.pop("code", "InvalidParameterValueException")
        self.fails(text, "create_event_source_mapping", code, **{k: v for k, v in members.items() if v is not None})


class Both:
    """Whatever server has the queues."""

    def test_a_message_and_its_record(self):
        url = self.queue("one")
        self.map("one")
        sent = self.sqs.send_message(QueueUrl=url, MessageBody="hello", MessageAttributes={"a": {"DataType": "String", "StringValue": "v"}, "b": {"DataType": "Binary", "BinaryValue": b"\0\1"}})
        wait_until("the function has it", self.records)
        r = self.records()[0]
        self.assertEqual({k: v for k, v in r.items() if k not in ("receiptHandle", "attributes")}, {
            "messageId": sent["MessageId"], "body": "hello", "md5OfBody": sent["MD5OfMessageBody"], "md5OfMessageAttributes": sent["MD5OfMessageAttributes"], "eventSource": "aws:sqs",
            "eventSourceARN": ARN + "one", "awsRegion": "us-east-1", "messageAttributes": {
                "a": {"stringValue": "v", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
                "b": {"binaryValue": "AAE=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"}}})
        self.assertEqual(r["attributes"]["ApproximateReceiveCount"], "1")
        self.assertLessEqual({"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"}, set(r["attributes"]))
        wait_until("it is deleted", lambda: self.left(url) == 0)

    def test_filtered_ones_are_deleted_and_failed_ones_come_again(self):
        url = self.queue("two")
        self.map("two", FunctionResponseTypes=["ReportBatchItemFailures"], FilterCriteria={"Filters": [{"Pattern": json.dumps({"body": [{"prefix": "fail"}, "ok"]})}, {"Pattern": json.dumps({"body": {"a": [1]}})}]})
        for body in ("no", "ok", "fail 1", '{"a": 1}', '{"a": 2}'):
            self.sqs.send_message(QueueUrl=url, MessageBody=body)
        wait_until("nothing is left", lambda: self.left(url) == 0)
        self.assertEqual(sorted(r["body"] for r in self.records()), sorted(["ok", '{"a": 1}', "fail 1", "fail 1"]))
        self.assertEqual([r["attributes"]["ApproximateReceiveCount"] for r in self.records() if r["body"] == "fail 1"], ["1", "2"])

    def test_a_groups_order(self):
        url = self.queue("four.fifo", FifoQueue="true", ContentBasedDeduplication="true")
        self.map("four.fifo", BatchSize=3, FunctionResponseTypes=["ReportBatchItemFailures"])
        for i in range(12):
            self.sqs.send_message(QueueUrl=url, MessageGroupId=f"g{i % 2}", MessageBody=f"{'fail' if i == 4 else 'm'} {i}")
        wait_until("nothing is left", lambda: self.left(url) == 0)
        for group in range(2):
            order, seen = [int(r["body"].split()[1]) for r in self.records() if r["attributes"]["MessageGroupId"] == f"g{group}"], []
            for i in order:  # each was preceded by all before it
                self.assertIn(i, seen + [group if not seen else max(seen) + 2])
                seen = seen if i in seen else seen + [i]
            self.assertEqual(seen, list(range(group, 12, 2)))


class Local(Both, MappingCase):
    """The platform's own queues."""

    def setUp(self):
        self.begin({})
        self.sqs = boto(self.e, "sqs")

    def test_a_function_that_fails_leaves_them_to_the_queue(self):
        self.queue("dead")
        url = self.queue("three", VisibilityTimeout="4", RedrivePolicy=json.dumps({"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": 2}))
        self.map("three")
        self.sqs.send_message(QueueUrl=url, MessageBody="boom")
        dead = self.sqs.get_queue_url(QueueName="dead")["QueueUrl"]
        wait_until("it is a dead letter", lambda: self.left(dead) == 1 and self.left(url) == 0)
        self.assertEqual([r["attributes"]["ApproximateReceiveCount"] for r in self.records()], ["1", "2"])

    def test_a_first_message_that_is_made_visible(self):
        """While its function runs: it comes again at once when that has failed, and nothing of its group before it."""
        self.e.create_python("slow", SLOW_FAIL, Timeout=10)
        url = self.queue("nine.fifo", FifoQueue="true", ContentBasedDeduplication="true", VisibilityTimeout="300")
        for body in ("fail 0", "m 1", "m 2"):
            self.sqs.send_message(QueueUrl=url, MessageGroupId="g", MessageBody=body)
        self.map("nine.fifo", "slow", BatchSize=2, FunctionResponseTypes=["ReportBatchItemFailures"])
        wait_until("it runs", lambda: self.records("slow"))
        first, second = self.got("slow")[0]["Records"]
        self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["receiptHandle"], VisibilityTimeout=0)
        wait_until("it has come again", lambda: len(self.got("slow")) == 2)
        self.assertEqual([r["body"] for r in self.got("slow")[1]["Records"]], ["fail 0"])
        wait_until("it is deleted", lambda: self.left(url) == 2)
        self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=second["receiptHandle"], VisibilityTimeout=0)
        wait_until("the second has come", lambda: len(self.got("slow")) >= 3)
        self.assertEqual(self.records("slow")[3]["body"], "m 1")

    def test_a_window_gathers(self):
        url = self.queue("five")
        self.map("five", BatchSize=25, MaximumBatchingWindowInSeconds=1)
        for i in range(0, 40, 10):
            self.sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(k), "MessageBody": f"m {i + k}"} for k in range(10)])
        wait_until("nothing is left", lambda: self.left(url) == 0)
        self.assertEqual(sorted(int(r["body"][2:]) for r in self.records()), list(range(40)))
        self.assertLess(len(self.got()), 20)
        self.assertIsNone(self.records()[0]["md5OfMessageAttributes"])

    def test_a_function_that_is_deleted_and_made_again_and_processes_that_are_killed(self):
        url = self.queue("seven")
        uuid = self.map("seven")
        self.c.delete_function(FunctionName="f")
        self.sqs.send_message(QueueUrl=url, MessageBody="later")
        self.assertEqual(self.c.get_event_source_mapping(UUID=uuid)["State"], "Enabled")
        self.e.create_python("f", ECHO, Timeout=4)
        wait_until("the function has it", self.records)
        wait_until("it is deleted", lambda: self.left(url) == 0)
        os.kill(self.e.pids()["events"][0], signal.SIGKILL)

        def sent():  # the connection may have been that process's, and while nobody serves them such requests get a 503
            try:
                return self.sqs.send_message(QueueUrl=url, MessageBody="after")
            except self.sqs.exceptions.ClientError as e:
                self.assertEqual(e.response["ResponseMetadata"]["HTTPStatusCode"], 503)
            except botocore.exceptions.ConnectionClosedError:  # before an answer
                pass
        wait_until("it is sent", sent)
        wait_until("the function has the next", lambda: self.records()[-1]["body"] == "after")
        self.assertEqual([m["UUID"] for m in self.c.list_event_source_mappings()["EventSourceMappings"]], [uuid])

    def test_a_queue_that_is_deleted_and_made_again(self):
        url = self.queue("six")
        uuid = self.map("six")
        self.sqs.delete_queue(QueueUrl=url)
        wait_until("there is none", lambda: self.sqs.list_queues().get("QueueUrls", []) == [])
        self.assertEqual(self.c.get_event_source_mapping(UUID=uuid)["State"], "Enabled")
        self.sqs.create_queue(QueueName="six", Attributes={"VisibilityTimeout": "5"})
        self.sqs.send_message(QueueUrl=url, MessageBody="again")
        wait_until("the function has it", self.records)

    def test_refusals(self):
        self.queue("eight")
        self.queue("eight.fifo", FifoQueue="true")
        self.create_fails("Unrecognized event source.", EventSourceArn=None)
        self.create_fails("Unrecognized event source.", EventSourceArn="arn:aws:s3:::bucket")
        self.create_fails("Function does not exist", FunctionName="none")
        self.create_fails("Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.", EventSourceArn=ARN + "none")
        self.create_fails("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10", BatchSize=11)
        self.create_fails("Invalid filter pattern definition.", FilterCriteria={"Filters": [{"Pattern": "{}"}]})
        self.create_fails("Unsupported DestinationConfig parameter for given event source mapping type.", DestinationConfig={"OnFailure": {"Destination": ARN + "eight"}})
        self.create_fails("StartingPosition is not valid for SQS event sources.", StartingPosition="LATEST")
        self.create_fails("Batching window is not supported for FIFO queues.", EventSourceArn=ARN + "eight.fifo", MaximumBatchingWindowInSeconds=1)
        self.create_fails("fnd does not implement mappings of Amazon Kinesis yet: of Amazon SQS queues only", EventSourceArn="arn:aws:kinesis:us-east-1:000000000000:stream/s", StartingPosition="LATEST", code="NotImplementedException")
        self.e.configure("f", Timeout=6)  # what is stored counts, not what is in force
        self.create_fails("Queue visibility timeout: 5 seconds is less than Function timeout: 6 seconds")
        self.e.configure("f", Timeout=4)
        self.e.settled("f")
        uuid = self.map("eight")
        duplicate = f"An event source mapping with SQS arn (\" {ARN}eight \") and function (\" f \") already exists. Please update or delete the existing mapping with UUID {uuid}"
        self.create_fails(duplicate, code="ResourceConflictException")
        absent = {"UUID": "01234567-89ab-cdef-0123-456789abcdef"}
        for operation in ("get", "update", "delete"):
            self.fails("The resource you requested does not exist.", operation + "_event_source_mapping", "ResourceNotFoundException", **absent)
        arn = "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:" + absent["UUID"]
        self.fails("Event source mapping not found: " + arn, "list_tags", "ResourceNotFoundException", Resource=arn)
        self.fails("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10", "update_event_source_mapping", UUID=uuid, BatchSize=100)

    def test_operations(self):
        for name in ("nine", "ten"):
            self.queue(name)
        full = "arn:aws:lambda:us-east-1:000000000000:function:f"
        # members that Debian's boto3 does not know yet
        m = self.e.request("POST", "/2015-03-31/event-source-mappings", {
            "EventSourceArn": ARN + "nine", "FunctionName": "f", "Enabled": False, "Tags": {"a": "b"}, "ScalingConfig": {"MaximumConcurrency": 2}, "StartingPosition": None,
            "FilterCriteria": {"Filters": [{"Pattern": '{"body":["x"]}'}]}, "MetricsConfig": {"Metrics": ["EventCount"]}}).json
        self.assertEqual({k: v for k, v in m.items() if k not in ("UUID", "LastModified", "EventSourceMappingArn")}, {
            "BatchSize": 10, "EventSourceArn": ARN + "nine", "FunctionArn": full, "FunctionResponseTypes": [], "MaximumBatchingWindowInSeconds": 0, "State": "Disabled", "StateTransitionReason": "USER_INITIATED",
            "ScalingConfig": {"MaximumConcurrency": 2}, "FilterCriteria": {"Filters": [{"Pattern": '{"body":["x"]}'}]}, "MetricsConfig": {"Metrics": ["EventCount"]}})
        arn = m["EventSourceMappingArn"]
        self.assertEqual(arn, "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:" + m["UUID"])
        self.c.tag_resource(Resource=arn, Tags={"c": "d"})
        self.c.untag_resource(Resource=arn, TagKeys=["a"])
        self.assertEqual(self.c.list_tags(Resource=arn)["Tags"], {"c": "d"})
        other = self.c.create_event_source_mapping(EventSourceArn=ARN + "ten", FunctionName=full + ":$LATEST")
        self.assertEqual(other["FunctionArn"], full + ":$LATEST")
        self.becomes(other["UUID"], "Enabled")
        u = self.e.request("PUT", "/2015-03-31/event-source-mappings/" + m["UUID"], {"Enabled": True, "FilterCriteria": {"Filters": []}, "ScalingConfig": {}, "BatchSize": 7}).json
        self.assertEqual((u["State"], u["BatchSize"], "FilterCriteria" in u, "ScalingConfig" in u), ("Enabling", 7, False, False))
        self.becomes(m["UUID"], "Enabled")
        self.assertEqual(self.c.update_event_source_mapping(UUID=m["UUID"], BatchSize=8)["State"], "Updating")
        self.becomes(m["UUID"], "Enabled")
        self.assertEqual(self.c.update_event_source_mapping(UUID=m["UUID"], Enabled=False)["State"], "Disabling")
        self.becomes(m["UUID"], "Disabled")
        pages = list(self.c.get_paginator("list_event_source_mappings").paginate(PaginationConfig={"PageSize": 1}))
        self.assertEqual([x["UUID"] for p in pages for x in p["EventSourceMappings"]], [m["UUID"], other["UUID"]])
        self.assertEqual([x["UUID"] for x in self.c.list_event_source_mappings(EventSourceArn=ARN + "ten")["EventSourceMappings"]], [other["UUID"]])
        self.assertEqual([x["UUID"] for x in self.c.list_event_source_mappings(FunctionName="f")["EventSourceMappings"]], [m["UUID"]])
        self.assertEqual(self.c.delete_event_source_mapping(UUID=other["UUID"])["State"], "Deleting")
        wait_until("it is gone", lambda: len(self.c.list_event_source_mappings()["EventSourceMappings"]) == 1)

    def test_one_that_is_being_deleted_takes_no_tags_and_does_not_come_back(self):
        self.e.create_python("slow", "import time\ndef handler(e, c):\n    time.sleep(5)\n", Timeout=20)
        url = self.queue("fourteen", VisibilityTimeout="20")
        uuid = self.map("fourteen", "slow", BatchSize=1)
        self.sqs.send_message(QueueUrl=url, MessageBody="m")
        wait_until("it runs", lambda: self.e.request("GET", "/_fnd/mappings").json["Mappings"][uuid]["Running"])
        self.assertEqual(self.c.delete_event_source_mapping(UUID=uuid)["State"], "Deleting")
        self.fails("The mapping is being changed. Try again.", "tag_resource", "ResourceConflictException",
                   Resource="arn:aws:lambda:us-east-1:000000000000:event-source-mapping:" + uuid, Tags={"a": "b"})
        none = lambda: self.c.list_event_source_mappings()["EventSourceMappings"] == []
        wait_until("it is gone", none)
        first = self.e.pids()["events"]
        os.kill(first[0], signal.SIGKILL)
        wait_until("another serves", lambda: self.e.pids()["events"] not in ([], first) and self.e.request("GET", "/_fnd/mappings").status == 200)
        self.assertTrue(none())

    def test_a_slow_one_and_one_that_is_throttled_delay_no_other(self):
        self.e.create_python("slow", "import time\ndef handler(e, c):\n    time.sleep(3)\n", Timeout=20)
        self.c.put_function_concurrency(FunctionName="slow", ReservedConcurrentExecutions=2)
        slow, other = (self.queue(name, VisibilityTimeout="20") for name in ("twelve", "thirteen"))
        self.map("twelve", "slow", BatchSize=1)
        self.map("thirteen", BatchSize=1)
        for i in range(6):
            self.sqs.send_message(QueueUrl=slow, MessageBody=f"m {i}")
        self.sqs.send_message(QueueUrl=other, MessageBody="m")
        wait_until("the other has its own", self.records)
        self.assertGreater(self.left(slow), 0)
        wait_until("nothing is left", lambda: self.left(slow) == 0)

    def test_events_are_counted_where_that_is_asked_for(self):
        uuids = {}
        for name, more in (("counted", {"MetricsConfig": {"Metrics": ["EventCount"]}}), ("uncounted", {})):
            self.queue(name)
            uuids[name] = self.e.request("POST", "/2015-03-31/event-source-mappings", {"EventSourceArn": ARN + name, "FunctionName": "f", "FunctionResponseTypes": ["ReportBatchItemFailures"],
                                         "FilterCriteria": {"Filters": [{"Pattern": '{"body": [{"anything-but": "no"}]}'}]}, **more}).json["UUID"]
            self.becomes(uuids[name], "Enabled")
            url = self.sqs.get_queue_url(QueueName=name)["QueueUrl"]
            for body in ("no", "yes", "fail once"):
                self.sqs.send_message(QueueUrl=url, MessageBody=body)
            wait_until("nothing is left", lambda: self.left(url) == 0)
        value = lambda name, of="counted": self.e.metric(f"fnd_mapping_{name}_events_total", mapping=uuids[of], function="f")
        wait_until("all are counted", lambda: value("deleted") == 3)
        self.assertEqual({n: value(n) for n in ("polled", "filtered_out", "invoked", "failed_invoke")}, {"polled": 4, "filtered_out": 1, "invoked": 3, "failed_invoke": 1})
        self.assertIsNone(value("polled", "uncounted"))

    def test_fnctl(self):
        url = self.queue("eleven")
        self.assertEqual(self.e.fnctl("mapping", "list", "nobody").stdout, "No mappings of nobody. Make one: fnctl mapping create nobody QUEUE\n")
        uuid = self.e.fnctl("mapping", "create", "f", "eleven", "--batch-size", "5", "--filter", '{"body": [{"anything-but": "no"}]}').stdout.strip()
        self.becomes(uuid, "Enabled")
        tail = subprocess.Popen([os.path.join(BUILD, "fnctl"), "--endpoint", self.e.endpoint, "--output", "json", "events", "tail", "f"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (tail.kill(), tail.wait(), reader.join(), tail.stdout.close()))
        read = []
        reader = threading.Thread(target=lambda: read.extend(iter(lambda: tail.stdout.read(1), "")))
        reader.start()

        def events():
            found, decoder, text = [], json.JSONDecoder(), "".join(read).strip()
            with contextlib.suppress(ValueError):  # the last has not come whole
                while text:
                    event, end = decoder.raw_decode(text)
                    found.append((event["Source"], event["Id"], event["Function"], event["Outcome"], event["Records"]))
                    text = text[end:].strip()
            return found
        polled = 0

        def send(body):
            nonlocal polled
            polled += 1
            self.sqs.send_message(QueueUrl=url, MessageBody=body)
            wait_until("it is taken", lambda: json.loads(self.e.fnctl("mapping", "get", uuid).stdout)["Polled"] >= polled)
        while not events():  # nobody is told of it before somebody listens
            send("no")
        send("yes")
        send("boom")
        of = lambda outcome: ("mapping", uuid, "f", outcome, 1)
        wait_until("all is told", lambda: of("error") in events())
        told = [e for n, e in enumerate(events()) if e not in events()[:n]]
        self.assertEqual(told, [of(outcome) for outcome in ("filtered", "success", "error")])
        self.assertIn("error", self.e.fnctl("events", "tail", "f", "--count", "1").stdout)  # it comes again and again
        self.assertIn("PROBLEM: Function call failed", self.e.fnctl("mapping", "list", "f").stdout)
        self.assertEqual(json.loads(self.e.fnctl("mapping", "update", uuid, "--filter", "none", "--concurrency", "7").stdout)["ScalingConfig"], {"MaximumConcurrency": 7})
        self.becomes(uuid, "Enabled")
        for wrong, said in (((), "what is to change?"), (("--enable", "--disable"), "--enable or --disable, not both")):
            r = self.e.fnctl("mapping", "update", uuid, *wrong)
            self.assertEqual((r.returncode, said in r.stderr), (2, True), r.stderr)
        self.assertEqual(self.e.fnctl("mapping", "delete", uuid).stdout, f"The mapping {uuid} is deleted.\n")


class Remote(Both, MappingCase):
    """Those of ElasticMQ."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = sqsservers.ElasticMQ()
        cls.addClassCleanup(cls.server.end)

    def setUp(self):
        self.begin({"events": {"endpoints": {"sqs": {"url": self.server.endpoint}}}})
        self.sqs = self.server.client()

    def test_a_server_that_is_started_anew_and_a_queue_that_is_made_again(self):
        url = self.queue("six")
        uuid = self.map("six")
        self.server.stop()
        self.server.start()  # it has forgotten the queue
        self.sqs.create_queue(QueueName="six")
        self.sqs.send_message(QueueUrl=url, MessageBody="after")
        wait_until("the function has it", self.records)
        self.assertEqual(self.c.get_event_source_mapping(UUID=uuid)["State"], "Enabled")


class Signed(MappingCase):
    """Of a server that tells services apart by signatures, behind TLS with a certificate of its own: moto."""

    def test_keys_and_certificates_of_ones_own(self):
        where = tempfile.mkdtemp(prefix="fnd-test-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, where)
        pem, key, keys = (os.path.join(where, n) for n in ("pem", "key", "keys"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout", key, "-out", pem, "-subj", "/CN=moto",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        with open(keys, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as f:
            json.dump({"access_key_id": "AKIDEXAMPLE", "secret_access_key": "secret", "session_token": "token"}, f)
        os.chmod(where, 0o755)
        server = s3servers.moto((pem, key))
        self.addCleanup(server.end)
        import boto3
        self.sqs = boto3.client("sqs", endpoint_url=server.endpoint, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any", verify=pem)
        self.begin({"events": {"endpoints": {"sqs": {"url": server.endpoint, "credentials_file": keys, "ca_file": pem}}}})
        url = self.queue("signed")
        self.map("signed")
        self.sqs.send_message(QueueUrl=url, MessageBody="hello")
        wait_until("the function has it", self.records)
        wait_until("it is deleted", lambda: self.left(url) == 0)


if __name__ == "__main__":
    unittest.main()
