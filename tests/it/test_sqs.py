"""SQS, by unmodified clients and by hand: both wire protocols, standard and FIFO queues, what is on disk after a kill."""
import base64, glob, gzip, hashlib, json, os, re, shutil, struct, sys, tempfile, threading, time, unittest, urllib.error, urllib.parse, urllib.request
import xml.etree.ElementTree as ET
import npm, pypi
from harness import *

OTHERS = os.environ.get("FND_SQS_PORT")  # of a daemon that another process has started
NS = "{http://queue.amazonaws.com/doc/2012-11-05/}"


def attributes_md5(attributes):
    """As the developer guide says."""
    out = b""
    for name, a in sorted(attributes.items()):
        binary = a["DataType"].startswith("Binary")
        value = a["BinaryValue"] if binary else a["StringValue"].encode()
        for part in (name.encode(), a["DataType"].encode()):
            out += struct.pack(">I", len(part)) + part
        out += (b"\2" if binary else b"\1") + struct.pack(">I", len(value)) + value
    return hashlib.md5(out).hexdigest()


class SqsCase(Case):
    """Debian's boto3 speaks the query protocol, the newest JSON: test_with_the_newest_boto3 runs all of this once more, in a process of its own."""
    @classmethod
    def setUpClass(cls):
        cls.d = type("Daemon", (), {"port": int(OTHERS), "endpoint": f"http://127.0.0.1:{OTHERS}"}) if OTHERS else shared()

    def setUp(self):
        super().setUp()
        self.s = boto(self.d, "sqs")

    def queue(self, name, **attributes):
        url = self.s.create_queue(QueueName=name, Attributes={k: str(v) for k, v in attributes.items()})["QueueUrl"]
        self.addCleanup(self.gone, url)
        return url

    def gone(self, url):
        try:
            self.s.delete_queue(QueueUrl=url)
        except self.s.exceptions.QueueDoesNotExist:
            pass

    def fifo(self, name, **attributes):
        return self.queue(name + ".fifo", FifoQueue="true", **attributes)

    def counts(self, url):
        a = self.s.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return tuple(int(a["ApproximateNumberOfMessages" + k]) for k in ("", "NotVisible", "Delayed"))

    def arn(self, url):
        return self.s.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def take(self, url, n=10, **more):
        return self.s.receive_message(QueueUrl=url, MaxNumberOfMessages=n, **more).get("Messages", [])

    def bodies(self, url, n=10, **more):
        return [m["Body"] for m in self.take(url, n, **more)]

    def refused(self, code, call, **kw):
        with self.assertRaises(self.s.exceptions.ClientError) as e:
            call(**kw)
        self.assertEqual(e.exception.response["Error"]["Code"], code, e.exception.response)
        return e.exception.response["Error"]["Message"]


class Queues(SqsCase):
    def test_the_life_of_a_queue(self):
        url = self.queue("life", VisibilityTimeout=7)
        self.assertEqual(url, f"http://127.0.0.1:{self.d.port}/000000000000/life")
        self.assertEqual(self.s.create_queue(QueueName="life", Attributes={"VisibilityTimeout": "7"})["QueueUrl"], url)
        self.assertEqual(self.s.get_queue_url(QueueName="life")["QueueUrl"], url)
        self.assertEqual(self.refused("QueueAlreadyExists", self.s.create_queue, QueueName="life", Attributes={"VisibilityTimeout": "8"}),
                         "A queue already exists with the same name and a different value for attribute VisibilityTimeout")
        a = self.s.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        self.assertEqual({k: a[k] for k in ("QueueArn", "VisibilityTimeout", "DelaySeconds", "MessageRetentionPeriod", "MaximumMessageSize", "ReceiveMessageWaitTimeSeconds", "SqsManagedSseEnabled")},
                         {"QueueArn": "arn:aws:sqs:us-east-1:000000000000:life", "VisibilityTimeout": "7", "DelaySeconds": "0", "MessageRetentionPeriod": "345600",
                          "MaximumMessageSize": "1048576", "ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true"})
        self.assertNotIn("FifoQueue", a)
        self.s.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "3"})
        self.assertEqual(self.s.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"], {"DelaySeconds": "3"})
        self.assertNotIn("Attributes", self.s.get_queue_attributes(QueueUrl=url))
        self.assertEqual(self.refused("InvalidAttributeName", self.s.set_queue_attributes, QueueUrl=url, Attributes={"FifoQueue": "true"}), "Unknown Attribute FifoQueue.")
        self.assertEqual(self.refused("InvalidAttributeValue", self.s.set_queue_attributes, QueueUrl=url, Attributes={"VisibilityTimeout": "43201"}),
                         "Invalid value for the parameter VisibilityTimeout.")
        self.s.tag_queue(QueueUrl=url, Tags={"a": "1", "b": "2"})
        self.s.untag_queue(QueueUrl=url, TagKeys=["a"])
        self.assertEqual(self.s.list_queue_tags(QueueUrl=url)["Tags"], {"b": "2"})
        self.s.delete_queue(QueueUrl=url)
        self.assertIn("The specified queue does not exist", self.refused("AWS.SimpleQueueService.NonExistentQueue", self.s.send_message, QueueUrl=url, MessageBody="x"))
        self.assertEqual(self.refused("InvalidParameterValue", self.s.create_queue, QueueName="no.dots"), "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
        again = self.queue("life")  # at once: queue_delete_wait_s is 0
        self.assertEqual(self.bodies(again), [])

    def test_pages(self):
        for i in range(5):
            self.queue(f"page-{i}")
        first = self.s.list_queues(QueueNamePrefix="page-", MaxResults=2)
        names = [u.rsplit("/", 1)[1] for u in first["QueueUrls"]]
        token = first["NextToken"]
        while token:
            more = self.s.list_queues(QueueNamePrefix="page-", MaxResults=2, NextToken=token)
            names += [u.rsplit("/", 1)[1] for u in more["QueueUrls"]]
            token = more.get("NextToken")
        self.assertEqual(names, [f"page-{i}" for i in range(5)])
        self.assertNotIn("QueueUrls", self.s.list_queues(QueueNamePrefix="none-"))

    def test_permissions_are_statements(self):
        url = self.queue("perm")
        self.s.add_permission(QueueUrl=url, Label="one", AWSAccountIds=["111122223333"], Actions=["SendMessage"])
        policy = json.loads(self.s.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"])
        self.assertEqual(policy["Statement"], [{"Sid": "one", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "SQS:SendMessage",
                                                "Resource": "arn:aws:sqs:us-east-1:000000000000:perm"}])
        self.refused("InvalidParameterValue", self.s.add_permission, QueueUrl=url, Label="one", AWSAccountIds=["111122223333"], Actions=["*"])
        self.s.remove_permission(QueueUrl=url, Label="one")
        self.assertNotIn("Attributes", self.s.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]))
        self.refused("InvalidParameterValue", self.s.remove_permission, QueueUrl=url, Label="one")
        actions = ["SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue"]
        self.assertEqual(self.refused("OverLimit", self.s.add_permission, QueueUrl=url, Label="many", AWSAccountIds=["111122223333"], Actions=actions), "8 Actions were found, maximum allowed is 7.")
        self.s.add_permission(QueueUrl=url, Label="many", AWSAccountIds=["111122223333"], Actions=actions[:7])

    def test_booleans_in_any_case(self):
        """'True' is Python's and Terraform's; it is shown as 'true'."""
        for i, said in enumerate(("True", "TRUE", "true")):
            name = f"case-{i}.fifo"
            url = self.queue(name, FifoQueue=said, ContentBasedDeduplication=said, SqsManagedSseEnabled=said.replace("r", "R"))
            a = self.s.get_queue_attributes(QueueUrl=url, AttributeNames=["FifoQueue", "ContentBasedDeduplication", "SqsManagedSseEnabled"])["Attributes"]
            self.assertEqual(a, {"FifoQueue": "true", "ContentBasedDeduplication": "true", "SqsManagedSseEnabled": "true"})
            self.assertEqual(self.s.create_queue(QueueName=name, Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "tRUE"})["QueueUrl"], url)
            self.s.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g")
            self.s.set_queue_attributes(QueueUrl=url, Attributes={"FifoQueue": said, "ContentBasedDeduplication": "False"})  # FifoQueue: no change
            self.assertEqual(self.s.get_queue_attributes(QueueUrl=url, AttributeNames=["ContentBasedDeduplication"])["Attributes"], {"ContentBasedDeduplication": "false"})
            self.assertEqual(self.refused("InvalidAttributeValue", self.s.set_queue_attributes, QueueUrl=url, Attributes={"FifoQueue": "False"}),
                             "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.")
        self.refused("InvalidAttributeValue", self.s.create_queue, QueueName="case", Attributes={"SqsManagedSseEnabled": "yes"})

    def test_tags(self):
        url = self.queue("tags")
        self.s.tag_queue(QueueUrl=url, Tags={"\u00e9" * 128: "\u4e2d" * 256})
        self.refused("InvalidParameterValue", self.s.tag_queue, QueueUrl=url, Tags={"\u00e9" * 129: ""})
        self.refused("InvalidParameterValue", self.s.tag_queue, QueueUrl=url, Tags={"a": "x" * 257})
        self.refused("InvalidParameterValue", self.s.tag_queue, QueueUrl=url, Tags={"aws:a": "b"})
        self.refused("InvalidParameterValue", self.s.create_queue, QueueName="tags-2", tags={"aws:a": "b"})
        self.s.tag_queue(QueueUrl=url, Tags={f"k{i}": "" for i in range(49)})
        self.assertEqual(self.refused("InvalidParameterValue", self.s.tag_queue, QueueUrl=url, Tags={"one": "more"}), "Too many tags added for queue.")
        self.s.tag_queue(QueueUrl=url, Tags={"k1": "new"})
        self.assertEqual(len(self.s.list_queue_tags(QueueUrl=url)["Tags"]), 50)

    def test_redrive_policies(self):
        url, dead = self.queue("redrive"), self.queue("redrive-dead")
        for policy, reason in (({"deadLetterTargetArn": "dummy", "maxReceiveCount": 2}, "Invalid value for deadLetterTargetArn."),
                               ({"deadLetterTargetArn": self.arn(dead), "maxReceiveCount": 2, "more": 1}, "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount]."),
                               ({"deadLetterTargetArn": self.arn(dead)}, "Redrive policy does not contain mandatory attribute: maxReceiveCount."),
                               ({"deadLetterTargetArn": self.arn(dead) + "-none", "maxReceiveCount": 2}, "Dead letter target does not exist.")):
            text = json.dumps(policy)
            self.assertEqual(self.refused("InvalidParameterValue", self.s.set_queue_attributes, QueueUrl=url, Attributes={"RedrivePolicy": text}),
                             f"Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}")


class Messages(SqsCase):
    def test_send_receive_delete(self):
        url = self.queue("plain")
        attributes = {"Foo": {"DataType": "String", "StringValue": "Bar"}, "n": {"DataType": "Number.int", "StringValue": "1"}, "b": {"DataType": "Binary", "BinaryValue": b"\0\1\2"}}
        body = "h\u00e4llo <&> \U0001f600\n"
        sent = self.s.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes,
                                   MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5e3d83c1-e6a0db584850d61342823d4c"}})
        self.assertEqual(sent["MD5OfMessageBody"], hashlib.md5(body.encode()).hexdigest())
        self.assertEqual(sent["MD5OfMessageAttributes"], attributes_md5(attributes))
        self.assertEqual(sent["MD5OfMessageSystemAttributes"], attributes_md5({"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5e3d83c1-e6a0db584850d61342823d4c"}}))
        self.assertNotIn("SequenceNumber", sent)
        m, = self.take(url, MessageAttributeNames=["Fox.*", "b"], AttributeNames=["All"])
        self.assertEqual((m["MessageId"], m["Body"], m["MD5OfBody"]), (sent["MessageId"], body, sent["MD5OfMessageBody"]))
        self.assertEqual(m["MessageAttributes"], {"b": attributes["b"]})
        self.assertEqual(m["MD5OfMessageAttributes"], attributes_md5({"b": attributes["b"]}))
        self.assertEqual(m["Attributes"]["ApproximateReceiveCount"], "1")
        self.assertEqual(m["Attributes"]["SenderId"], "000000000000")  # root is the account
        self.assertEqual(m["Attributes"]["AWSTraceHeader"], "Root=1-5e3d83c1-e6a0db584850d61342823d4c")
        self.assertLess(abs(int(m["Attributes"]["SentTimestamp"]) / 1000 - time.time()), 60)
        self.assertEqual(self.counts(url), (0, 1, 0))
        self.assertEqual(self.take(url), [])
        self.s.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attributes | {"attr.1\u00f8\u00df\u00e4": {"DataType": "String", "StringValue": "v"}})
        other, = self.take(url, MessageAttributeNames=["*"])
        self.assertEqual(sorted(other["MessageAttributes"]), sorted([*attributes, "attr.1\u00f8\u00df\u00e4"]))
        self.s.delete_message(QueueUrl=url, ReceiptHandle=other["ReceiptHandle"])
        for _ in range(2):  # deleting twice succeeds
            self.s.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
        self.assertEqual(self.counts(url), (0, 0, 0))
        self.assertEqual(self.refused("ReceiptHandleIsInvalid", self.s.delete_message, QueueUrl=url, ReceiptHandle="garbage"),
                         'The input receipt handle "garbage" is not a valid receipt handle.')

    def test_vectors(self):
        """MD5s as AWS answered them."""
        url = self.queue("md5")
        for attributes, md5 in (({"Foo": {"DataType": "String", "StringValue": "Bar"}}, "ae7155c6026991b6d54b11589678bf9c"),
                                ({"attr1": {"DataType": "Number", "StringValue": "99.12"}}, "d302007e9aa062660afc85fd0a482472"),
                                ({"Author": {"DataType": "String", "StringValue": "John Grisham"}, "Title": {"DataType": "String", "StringValue": "The Whistler"},
                                  "WeeksOn": {"DataType": "Number", "StringValue": "6"}}, "d25a6aea97eb8f585bfa92d314504a92")):
            sent = self.s.send_message(QueueUrl=url, MessageBody="test", MessageAttributes=attributes)
            self.assertEqual((sent["MD5OfMessageAttributes"], sent["MD5OfMessageBody"]), (md5, "098f6bcd4621d373cade4e832627b4f6"))

    def test_what_is_refused(self):
        url = self.queue("no", MaximumMessageSize=1024)
        for code, text, kw in (
                ("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.", {"MessageBody": "x" * 1025}),
                ("MissingParameter", "The request must contain the parameter MessageBody.", {"MessageBody": ""}),
                ("InvalidMessageContents", None, {"MessageBody": "\x01"}), ("InvalidMessageContents", None, {"MessageBody": "\0"}), ("InvalidMessageContents", None, {"MessageBody": "a\0b"}),
                ("InvalidParameterValue", "Message (user) attribute 'X' must contain a non-empty value of type 'String'.",
                 {"MessageBody": "x", "MessageAttributes": {"X": {"DataType": "String", "StringValue": ""}}}),
                ("InvalidParameterValue", "Message (user) attribute 'X' has characters that are not valid.", {"MessageBody": "x", "MessageAttributes": {"X": {"DataType": "String", "StringValue": "\0a"}}}),
                ("InvalidParameterValue", None, {"MessageBody": "x", "MessageAttributes": {"a\u2192b": {"DataType": "String", "StringValue": "1"}}}),
                ("InvalidParameterValue", None, {"MessageBody": "x", "MessageAttributes": {"AWS.x": {"DataType": "String", "StringValue": "1"}}}),
                ("InvalidParameterValue", None, {"MessageBody": "x", "MessageAttributes": {"x": {"DataType": "Thing", "StringValue": "1"}}}),
                ("InvalidParameterValue", None, {"MessageBody": "x", "MessageAttributes": {"x": {"DataType": "Number", "StringValue": "one"}}}),
                ("InvalidParameterValue", None, {"MessageBody": "x", "MessageAttributes": {str(i): {"DataType": "String", "StringValue": "1"} for i in range(11)}}),
                ("InvalidParameterValue", None, {"MessageBody": "x", "DelaySeconds": 901}),
                ("InvalidParameterValue", None, {"MessageBody": "x", "MessageDeduplicationId": "d"})):
            message = self.refused(code, self.s.send_message, QueueUrl=url, **kw)
            if text:
                self.assertEqual(message, text)
        self.assertEqual(self.refused("InvalidParameterValue", self.s.receive_message, QueueUrl=url, MaxNumberOfMessages=11),
                         "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.")
        self.assertEqual(self.refused("InvalidParameterValue", self.s.receive_message, QueueUrl=url, WaitTimeSeconds=21),
                         "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.")
        self.refused("InvalidAttributeName", self.s.receive_message, QueueUrl=url, AttributeNames=["Nothing"])
        self.assertEqual(self.counts(url), (0, 0, 0))

    def test_a_megabyte(self):
        url = self.queue("large")
        body = "\u00e9" * (1048576 // 2)
        self.s.send_message(QueueUrl=url, MessageBody=body)
        self.assertEqual(self.bodies(url), [body])
        self.refused("InvalidParameterValue", self.s.send_message, QueueUrl=url, MessageBody=body + "x")
        long = ["x" * 300000, "y" * 300000 + "\x01", "z" * 20000, "short", "short\x01"]  # boto3 compares MD5s
        self.refused("InvalidMessageContents", self.s.send_message, QueueUrl=url, MessageBody=long[1])
        r = self.s.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": b} for i, b in enumerate(long)])
        self.assertEqual({e["Id"]: e["MD5OfMessageBody"] for e in r["Successful"]}, {i: hashlib.md5(long[int(i)].encode()).hexdigest() for i in "023"})
        self.assertEqual({e["Id"]: e["Code"] for e in r["Failed"]}, {"1": "InvalidMessageContents", "4": "InvalidMessageContents"})
        self.s.purge_queue(QueueUrl=url)
        self.s.send_message(QueueUrl=url, MessageBody=long[0])
        m = self.take(url)[0]
        self.assertEqual((m["Body"], m["MD5OfBody"]), (long[0], hashlib.md5(long[0].encode()).hexdigest()))

    def test_visibility(self):
        url = self.queue("vis", VisibilityTimeout=1)
        self.s.send_message(QueueUrl=url, MessageBody="m")
        a, = self.take(url)
        begun = time.monotonic()
        b, = self.take(url, WaitTimeSeconds=20, VisibilityTimeout=60, AttributeNames=["ApproximateReceiveCount"])  # woken when it is visible again
        self.assertLess(time.monotonic() - begun, 10 * SLOW)
        self.assertNotEqual(a["ReceiptHandle"], b["ReceiptHandle"])
        self.assertEqual(b["Attributes"], {"ApproximateReceiveCount": "2"})
        self.s.delete_message(QueueUrl=url, ReceiptHandle=a["ReceiptHandle"])  # succeeds, deletes nothing
        self.s.change_message_visibility(QueueUrl=url, ReceiptHandle=b["ReceiptHandle"], VisibilityTimeout=600)
        self.assertEqual(self.counts(url), (0, 1, 0))
        self.assertEqual(self.refused("InvalidParameterValue", self.s.change_message_visibility, QueueUrl=url, ReceiptHandle=b["ReceiptHandle"], VisibilityTimeout=43200),
                         "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]")
        got = []
        waiter = threading.Thread(target=lambda: got.extend(boto(self.d, "sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages", [])))
        waiter.start()
        time.sleep(0.3)
        begun = time.monotonic()
        self.s.change_message_visibility(QueueUrl=url, ReceiptHandle=b["ReceiptHandle"], VisibilityTimeout=0)
        waiter.join()
        self.assertLess(time.monotonic() - begun, 5 * SLOW)
        self.assertEqual([m["Body"] for m in got], ["m"])
        wait_until("it is visible", lambda: self.counts(url) == (1, 0, 0))
        handle = got[0]["ReceiptHandle"]
        self.s.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=60)  # succeeds, hides nothing
        r = self.s.change_message_visibility_batch(QueueUrl=url, Entries=[{"Id": "x", "ReceiptHandle": handle, "VisibilityTimeout": 60}])
        self.assertEqual(([e["Id"] for e in r["Successful"]], "Failed" in r, self.counts(url)), (["x"], False, (1, 0, 0)))
        self.assertEqual(self.bodies(url, VisibilityTimeout=60), ["m"])
        self.s.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)  # of an older receive: for the one that there is
        m, = self.take(url)
        self.s.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
        self.refused("InvalidParameterValue", self.s.change_message_visibility, QueueUrl=url, ReceiptHandle=m["ReceiptHandle"], VisibilityTimeout=0)

    def test_delays_and_long_polls(self):
        url = self.queue("delay", ReceiveMessageWaitTimeSeconds=20)
        self.s.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=4)
        self.assertEqual(self.counts(url), (0, 0, 1))
        self.assertEqual(self.bodies(url, WaitTimeSeconds=0), [])
        begun = time.monotonic()
        self.assertEqual(self.bodies(url), ["later"])
        self.assertLess(time.monotonic() - begun, 10 * SLOW)
        times = []

        def poll():
            boto(self.d, "sqs").receive_message(QueueUrl=url)
            times.append(time.monotonic())
        pollers = [threading.Thread(target=poll) for _ in range(3)]
        for p in pollers:
            p.start()
        time.sleep(0.3)
        for i in range(3):  # each wakes one
            self.s.send_message(QueueUrl=url, MessageBody=str(i))
        sent = time.monotonic()
        for p in pollers:
            p.join()
        self.assertLess(max(times) - sent, 5 * SLOW)

    def test_batches(self):
        url = self.queue("batch")
        r = self.s.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "\x02"}, {"Id": "c", "MessageBody": "3", "DelaySeconds": 900},
                                                                {"Id": "d", "MessageBody": "\0x"}])
        self.assertEqual(([e["Id"] for e in r["Successful"]], [(e["Id"], e["Code"], e["SenderFault"]) for e in r["Failed"]]), (["a", "c"], [(i, "InvalidMessageContents", True) for i in "bd"]))
        m, = self.take(url)
        r = self.s.change_message_visibility_batch(QueueUrl=url, Entries=[{"Id": "x", "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 100},
                                                                          {"Id": "y", "ReceiptHandle": "none", "VisibilityTimeout": 100}])
        self.assertEqual(([e["Id"] for e in r["Successful"]], [(e["Id"], e["Code"]) for e in r["Failed"]]), (["x"], [("y", "ReceiptHandleIsInvalid")]))
        r = self.s.delete_message_batch(QueueUrl=url, Entries=[{"Id": "x", "ReceiptHandle": m["ReceiptHandle"]}])
        self.assertEqual([e["Id"] for e in r["Successful"]], ["x"])
        self.assertNotIn("Failed", r)
        self.assertEqual(self.refused("AWS.SimpleQueueService.EmptyBatchRequest", self.s.send_message_batch, QueueUrl=url, Entries=[]),
                         "There should be at least one Entry in the request.")
        self.assertEqual(self.refused("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", self.s.send_message_batch, QueueUrl=url,
                                      Entries=[{"Id": str(i), "MessageBody": "x"} for i in range(20)]), "Maximum number of entries per request are 10. You have sent 20.")
        self.assertEqual(self.refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", self.s.send_message_batch, QueueUrl=url, Entries=[{"Id": "x", "MessageBody": "x"}] * 2), "Id x repeated.")
        self.refused("AWS.SimpleQueueService.InvalidBatchEntryId", self.s.send_message_batch, QueueUrl=url, Entries=[{"Id": "a b", "MessageBody": "x"}])
        self.assertRegex(self.refused("AWS.SimpleQueueService.BatchRequestTooLong", self.s.send_message_batch, QueueUrl=url,
                                      Entries=[{"Id": str(i), "MessageBody": "x" * 600000} for i in range(2)]), "You have sent 1200000 bytes")
        self.assertRegex(self.refused("AWS.SimpleQueueService.BatchRequestTooLong", self.s.send_message_batch, QueueUrl=url, Entries=[
            {"Id": "a", "MessageBody": "x" * 1048577}, {"Id": "b", "MessageBody": "x" * 10, "MessageAttributes": {"n": {"DataType": "Binary", "BinaryValue": b"1234"}}}]), "You have sent 1048598 bytes")
        small = self.queue("batch-small", MaximumMessageSize=1024)
        r = self.s.send_message_batch(QueueUrl=small, Entries=[{"Id": "a", "MessageBody": "x" * 1025}, {"Id": "b", "MessageBody": "x"}])
        self.assertEqual(([e["Id"] for e in r["Successful"]], [e["Id"] for e in r["Failed"]]), (["b"], ["a"]))
        self.s.purge_queue(QueueUrl=url)
        self.assertEqual(self.counts(url), (0, 0, 0))

    def test_retention_and_redrive(self):
        dead = self.queue("dead")
        url = self.queue("alive", RedrivePolicy=json.dumps({"deadLetterTargetArn": self.arn(dead), "maxReceiveCount": "2"}), VisibilityTimeout=0)
        sent = self.s.send_message(QueueUrl=url, MessageBody="poison", MessageAttributes={"a": {"DataType": "String", "StringValue": "v"}})
        for n in ("1", "2"):
            m, = self.take(url, AttributeNames=["All"])
            self.assertEqual(m["Attributes"]["ApproximateReceiveCount"], n)
        self.assertEqual(self.take(url), [])
        m, = self.take(dead, AttributeNames=["All"], MessageAttributeNames=["All"], VisibilityTimeout=0)
        self.assertEqual((m["MessageId"], m["Attributes"]["DeadLetterQueueSourceArn"], m["MessageAttributes"]["a"]["StringValue"]), (sent["MessageId"], self.arn(url), "v"))
        self.assertEqual(self.s.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [url])
        if not hasattr(self.s, "start_message_move_task"):
            return  # Debian's client is older; the newest goes on
        self.assertEqual(self.refused("InvalidParameterValue", self.s.start_message_move_task, SourceArn=self.arn(url)), "Source queue must be configured as a Dead Letter Queue.")
        handle = self.s.start_message_move_task(SourceArn=self.arn(dead))["TaskHandle"]
        self.assertEqual(set(json.loads(base64.b64decode(handle))), {"taskId", "sourceArn"})
        wait_until("moved back", lambda: self.s.list_message_move_tasks(SourceArn=self.arn(dead))["Results"][0]["Status"] == "COMPLETED")
        back, = self.take(url, AttributeNames=["All"])
        self.assertEqual((back["Body"], back["Attributes"]["ApproximateReceiveCount"]), ("poison", "1"))
        self.assertNotEqual(back["MessageId"], sent["MessageId"])
        self.assertNotIn("DeadLetterQueueSourceArn", back["Attributes"])
        for i in range(30):
            self.s.send_message_batch(QueueUrl=dead, Entries=[{"Id": str(k), "MessageBody": "x"} for k in range(10)])
        handle = self.s.start_message_move_task(SourceArn=self.arn(dead), DestinationArn=self.arn(url), MaxNumberOfMessagesPerSecond=20)["TaskHandle"]
        self.assertEqual(self.refused("InvalidParameterValue", self.s.start_message_move_task, SourceArn=self.arn(dead), DestinationArn=self.arn(url)),
                         "There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
        self.assertEqual(self.refused("InvalidParameterValue", self.s.cancel_message_move_task, TaskHandle="foobar"), "Value for parameter TaskHandle is invalid.")
        for arn, text in ((self.arn(dead) + "-none", "The resource that you specified for the SourceArn parameter doesn't exist."), (self.arn(dead), "Task does not exist.")):
            made_up = base64.b64encode(json.dumps({"taskId": "10000000-0000-0000-0000-000000000000", "sourceArn": arn}).encode()).decode()
            self.assertEqual(self.refused("ResourceNotFoundException", self.s.cancel_message_move_task, TaskHandle=made_up), text)
        self.s.cancel_message_move_task(TaskHandle=handle)
        wait_until("cancelled", lambda: self.s.list_message_move_tasks(SourceArn=self.arn(dead))["Results"][0]["Status"] == "CANCELLED")
        self.assertGreater(self.counts(dead)[0], 100)
        self.s.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps({"redrivePermission": "denyAll"})})
        self.refused("InvalidParameterValue", self.s.set_queue_attributes, QueueUrl=url, Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": self.arn(dead), "maxReceiveCount": 3})})


class Fifo(SqsCase):
    def test_groups_and_repeats(self):
        url = self.fifo("f", ContentBasedDeduplication="true")
        self.assertEqual(self.refused("MissingParameter", self.s.send_message, QueueUrl=url, MessageBody="x"), "The request must contain the parameter MessageGroupId.")
        one = self.s.send_message(QueueUrl=url, MessageBody="a1", MessageGroupId="a")
        again = self.s.send_message(QueueUrl=url, MessageBody="a1", MessageGroupId="a")
        self.assertEqual((one["MessageId"], one["SequenceNumber"]), (again["MessageId"], again["SequenceNumber"]))
        self.assertEqual(len(one["SequenceNumber"]), 20)
        two = self.s.send_message(QueueUrl=url, MessageBody="a2", MessageGroupId="a")
        self.assertGreater(int(two["SequenceNumber"]), int(one["SequenceNumber"]))
        self.s.send_message(QueueUrl=url, MessageBody="b1", MessageGroupId="b", MessageDeduplicationId="own")
        m, = self.take(url, 1, AttributeNames=["All"])
        self.assertEqual((m["Body"], m["Attributes"]["MessageGroupId"], m["Attributes"]["SequenceNumber"], m["Attributes"]["MessageDeduplicationId"]),
                         ("a1", "a", one["SequenceNumber"], hashlib.sha256(b"a1").hexdigest()))
        self.assertEqual(self.bodies(url), ["b1"])  # a2 waits for a1
        self.s.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
        self.assertEqual(self.bodies(url, VisibilityTimeout=0), ["a2"])
        self.assertEqual(self.s.send_message(QueueUrl=url, MessageBody="a1", MessageGroupId="a")["MessageId"], one["MessageId"])  # deleted or not
        self.refused("InvalidParameterValue", self.s.send_message, QueueUrl=url, MessageBody="x", MessageGroupId="a", DelaySeconds=5)
        plain = self.fifo("plain")
        self.assertEqual(self.refused("InvalidParameterValue", self.s.send_message, QueueUrl=plain, MessageBody="x", MessageGroupId="g"),
                         "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
        self.assertEqual(self.refused("InvalidParameterValue", self.s.send_message_batch, QueueUrl=plain, Entries=[
            {"Id": "a", "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d"}, {"Id": "b", "MessageBody": "y", "MessageGroupId": "g"}]),
                         "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
        self.assertEqual(self.counts(plain), (0, 0, 0))
        self.refused("InvalidParameterValue", self.s.receive_message, QueueUrl=plain, ReceiveRequestAttemptId="x" * 129)
        self.assertEqual(self.bodies(plain, ReceiveRequestAttemptId="x" * 128), [])
        self.refused("InvalidParameterValue", self.s.create_queue, QueueName="nosuffix", Attributes={"FifoQueue": "true"})

    def test_the_first_of_a_group(self):
        """Visible again it is had at once, though one behind it is in flight."""
        url = self.fifo("first", ContentBasedDeduplication="true")
        for body in ("g1-m1", "g1-m2", "g2-m1"):
            self.s.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body[:2])
        a, b = self.take(url, 2)
        self.assertEqual((a["Body"], b["Body"]), ("g1-m1", "g1-m2"))
        self.s.change_message_visibility(QueueUrl=url, ReceiptHandle=a["ReceiptHandle"], VisibilityTimeout=0)
        again = self.take(url, 3)
        self.assertEqual([m["Body"] for m in again], ["g2-m1", "g1-m1"])
        self.s.send_message(QueueUrl=url, MessageBody="g1-m3", MessageGroupId="g1")
        self.s.delete_message(QueueUrl=url, ReceiptHandle=again[1]["ReceiptHandle"])
        self.assertEqual(self.bodies(url), [])  # g1-m2 is in flight
        self.s.delete_message(QueueUrl=url, ReceiptHandle=b["ReceiptHandle"])
        self.assertEqual(self.bodies(url), ["g1-m3"])

    def test_groups_take_turns(self):
        url = self.fifo("turns", ContentBasedDeduplication="true")
        for body in ("g1-m1", "g1-m2", "g2-m1", "g2-m2", "g3-m1"):
            self.s.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body[:2])
        self.assertEqual(self.bodies(url, 3, VisibilityTimeout=0), ["g1-m1", "g1-m2", "g2-m1"])
        self.assertEqual(self.bodies(url), ["g3-m1", "g1-m1", "g1-m2", "g2-m1", "g2-m2"])

    def test_a_dead_letter_is_kept_anew(self):
        """Its retention begins with the move; a standard queue's goes on."""
        for kind, fifo in (("FIFO", True), ("standard", False)):
            with self.subTest(kind):
                make, more = (self.fifo, {"MessageGroupId": "g", "MessageDeduplicationId": "d"}) if fifo else (self.queue, {})
                dead = make("late-dead")
                url = make("late", RedrivePolicy=json.dumps({"deadLetterTargetArn": self.arn(dead), "maxReceiveCount": 1}), VisibilityTimeout=0)
                self.s.send_message(QueueUrl=url, MessageBody="x", **more)
                first, = self.take(url, AttributeNames=["All"])
                time.sleep(0.02)
                self.assertEqual(self.take(url), [])
                m, = self.take(dead, AttributeNames=["All"])
                self.assertEqual(int(m["Attributes"]["SentTimestamp"]) > int(first["Attributes"]["SentTimestamp"]), fifo)

    def test_scope_and_expired_handles(self):
        url = self.fifo("scope", DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId", VisibilityTimeout=1)
        ids = {self.s.send_message(QueueUrl=url, MessageBody="x", MessageGroupId=g, MessageDeduplicationId="same")["MessageId"] for g in "aab"}
        self.assertEqual(len(ids), 2)
        self.assertIn("allowed only when", self.refused("InvalidAttributeValue", self.s.set_queue_attributes, QueueUrl=url, Attributes={"DeduplicationScope": "queue"}))
        m = self.take(url, 1)[0]
        wait_until("its visibility has ended", lambda: self.counts(url)[1] == 0)  # counted right with nobody who receives
        self.assertEqual(self.refused("InvalidParameterValue", self.s.delete_message, QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])[-34:], "Reason: The receipt handle has expired."[-34:])

    def test_an_attempt_may_be_repeated(self):
        url = self.fifo("attempt", ContentBasedDeduplication="true")
        for i in range(3):
            self.s.send_message(QueueUrl=url, MessageBody=str(i), MessageGroupId="g")
        a = self.take(url, 2, ReceiveRequestAttemptId="one")
        b = self.take(url, 2, ReceiveRequestAttemptId="one")
        self.assertEqual([(m["Body"], m["ReceiptHandle"]) for m in a], [(m["Body"], m["ReceiptHandle"]) for m in b])
        self.assertEqual(self.take(url, 2, ReceiveRequestAttemptId="two"), [])
        self.s.delete_message(QueueUrl=url, ReceiptHandle=a[0]["ReceiptHandle"])
        self.assertEqual(self.take(url, 2, ReceiveRequestAttemptId="one"), [], "one of them is deleted: the group waits for the other's lease")
        self.s.change_message_visibility(QueueUrl=url, ReceiptHandle=a[1]["ReceiptHandle"], VisibilityTimeout=0)
        again = self.take(url, 2, ReceiveRequestAttemptId="one")
        self.assertEqual([m["Body"] for m in again], ["1", "2"], "given back: it is another receive")
        self.assertNotIn(a[1]["ReceiptHandle"], [m["ReceiptHandle"] for m in again])
        self.s.purge_queue(QueueUrl=url)
        self.s.send_message(QueueUrl=url, MessageBody="3", MessageGroupId="g")
        self.assertEqual([m["Body"] for m in self.take(url, 2, ReceiveRequestAttemptId="one")], ["3"])

    @unittest.skipIf(OTHERS, "it kills, and wants a daemon of its own")
    def test_an_attempt_outlives_a_crash(self):
        """And a long poll of the same attempt finds them at once, with what the repeated request wants to know of them."""
        d = self.daemon()
        s = boto(d, "sqs")
        url = s.create_queue(QueueName="t-crash.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "300"})["QueueUrl"]
        for i in range(12):
            s.send_message(QueueUrl=url, MessageBody=f"{i} " + "x" * 10000, MessageGroupId=f"g{i % 3}")
        take = lambda name, **more: [(m["Body"], m["ReceiptHandle"], m.get("Attributes", {}).get("ApproximateReceiveCount")) for m in s.receive_message(QueueUrl=url, MaxNumberOfMessages=10, ReceiveRequestAttemptId=name, **more).get("Messages", [])]
        first = take("one", AttributeNames=["All"])
        self.assertEqual(len(first), 10)
        for who in ("events", "worker", "supervisor"):
            with self.subTest(who):
                before = d.pids()["events"]
                if who == "supervisor":
                    d.kill_9("supervisor")
                    d.killed = True
                    wait_until("what was below it has ended", lambda: not [x for x in d.leftovers() if x.startswith("process")])
                    d.killed = False
                    d.start()
                else:
                    os.kill(d.pids()[who][0], signal.SIGKILL)
                wait_until("they are there again", lambda: d.pids()["events"] and (who != "events" or d.pids()["events"] != before) and d.is_ready())
                self.assertEqual(take("one", AttributeNames=["All"], WaitTimeSeconds=20), first)
        self.assertEqual(len(take("two")), 0, "what is left is behind those")
        for _, receipt, _ in first:
            s.delete_message(QueueUrl=url, ReceiptHandle=receipt)
        self.assertEqual(len(take("one")), 2)


class Query(SqsCase):
    """The protocol of older clients, by hand."""
    def ask(self, path="/", get=False, status=200, **form):
        text = urllib.parse.urlencode({"Version": "2012-11-05", **form})
        url = f"http://127.0.0.1:{self.d.port}{path}"
        request = urllib.request.Request(url + "?" + text) if get else urllib.request.Request(url, text.encode(), {"Content-Type": "application/x-www-form-urlencoded"})
        request.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0")
        try:
            with urllib.request.urlopen(request) as r:
                self.assertEqual(r.status, status)
                return ET.fromstring(r.read())
        except urllib.error.HTTPError as e:
            self.assertEqual(e.code, status)
            return ET.fromstring(e.read())

    def test_query(self):
        made = self.ask(Action="CreateQueue", QueueName="xml", **{"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "5", "Tag.1.Key": "k", "Tag.1.Value": "v"})
        url = made.find(f"{NS}CreateQueueResult/{NS}QueueUrl").text
        self.addCleanup(self.gone, url)
        path = urllib.parse.urlparse(url).path
        sent = self.ask(path, Action="SendMessage", MessageBody="a <b> & c", **{"MessageAttribute.1.Name": "Foo", "MessageAttribute.1.Value.DataType": "String",
                                                                              "MessageAttribute.1.Value.StringValue": "Bar"})
        self.assertEqual(sent.find(f"{NS}SendMessageResult/{NS}MD5OfMessageAttributes").text, "ae7155c6026991b6d54b11589678bf9c")
        got = self.ask(Action="ReceiveMessage", QueueUrl=url, get=True, **{"AttributeName.1": "All", "MessageAttributeName.1": "All"})
        m = got.find(f"{NS}ReceiveMessageResult/{NS}Message")
        self.assertEqual(m.find(NS + "Body").text, "a <b> & c")
        self.assertEqual({a.find(NS + "Name").text for a in m.findall(NS + "Attribute")} >= {"ApproximateReceiveCount", "SentTimestamp"}, True)
        self.assertEqual(m.find(f"{NS}MessageAttribute/{NS}Value/{NS}StringValue").text, "Bar")
        handle = m.find(NS + "ReceiptHandle").text
        r = self.ask(path, Action="DeleteMessageBatch", **{"DeleteMessageBatchRequestEntry.1.Id": "one", "DeleteMessageBatchRequestEntry.1.ReceiptHandle": handle,
                                                           "DeleteMessageBatchRequestEntry.2.Id": "two", "DeleteMessageBatchRequestEntry.2.ReceiptHandle": "none"})
        self.assertEqual(r.find(f"{NS}DeleteMessageBatchResult/{NS}DeleteMessageBatchResultEntry/{NS}Id").text, "one")
        self.assertEqual(r.find(f"{NS}DeleteMessageBatchResult/{NS}BatchResultErrorEntry/{NS}Code").text, "ReceiptHandleIsInvalid")
        self.assertTrue(r.find(f"{NS}ResponseMetadata/{NS}RequestId").text)
        e = self.ask("/000000000000/nothing", Action="SendMessage", MessageBody="x", status=400)
        self.assertEqual([e.find(f"{NS}Error/{NS}{k}").text for k in ("Type", "Code", "Message")],
                         ["Sender", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist for this wsdl version."])

    def test_what_is_no_operation(self):
        url = self.queue("xml-none")
        path = urllib.parse.urlparse(url).path
        for to, action in (("/", "FooBar"), (path, "FooBar"), (path, "CreateQueue"), (path, "ListQueues")):
            for get in (False, True):
                e = self.ask(to, Action=action, QueueName="xml-other", get=get, status=400)
                self.assertEqual([e.find(f"{NS}Error/{NS}{k}").text for k in ("Code", "Message")], ["InvalidAction", f"The action {action} is not valid for this endpoint."])
        self.assertTrue(self.ask(path, Action="GetQueueUrl", QueueName="xml-none").find(f"{NS}GetQueueUrlResult/{NS}QueueUrl").text)
        with self.assertRaises(urllib.error.HTTPError) as e:
            urllib.request.urlopen(url)
        self.assertEqual((e.exception.code, e.exception.read()), (404, b"<UnknownOperationException/>"))

    def test_the_error_of_the_json_protocol(self):
        request = urllib.request.Request(f"http://127.0.0.1:{self.d.port}/", b'{"QueueName":"nothing"}', {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.GetQueueUrl"})
        with self.assertRaises(urllib.error.HTTPError) as e:
            urllib.request.urlopen(request)
        self.assertEqual((e.exception.code, e.exception.headers["x-amzn-query-error"]), (400, "AWS.SimpleQueueService.NonExistentQueue;Sender"))
        self.assertEqual(json.loads(e.exception.read()), {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "The specified queue does not exist."})


class Newest(SqsCase):
    def test_with_the_newest_boto3(self):
        env = {**os.environ, "PYTHONPATH": pypi.install(*pypi.boto3()), "FND_SQS_PORT": str(self.d.port)}
        r = subprocess.run([sys.executable, os.path.abspath(__file__), "Queues", "Messages", "Fifo"], env=env, capture_output=True, text=True, timeout=300)
        self.assertEqual(r.returncode, 0, r.stderr[-3000:])
        self.assertRegex(r.stderr, r"Ran [12][0-9] tests")


CELERY = ("celery==5.7.0 kombu==5.7.0 billiard==4.3.2 vine==5.1.0 amqp==5.4.2 click==8.5.1 click-didyoumean==0.3.1 click-plugins==1.1.1.2 click-repl==0.4.1 prompt_toolkit==3.0.53 "
          "wcwidth==0.9.4 tzlocal==5.4.5 typing_extensions==4.16.0 pycurl==7.49.0").split()
TASKS = """
import os, celery, kombu.utils.url
app = celery.Celery("tasks", broker=f"sqs://test:test@127.0.0.1:{os.environ['PORT']}//")
app.conf.update(broker_transport_options={"region": "us-east-1", "is_secure": False, "wait_time_seconds": 5, "polling_interval": 0.1}, task_default_queue="celery-tests", worker_hijack_root_logger=False,
                broker_connection_retry_on_startup=False, task_acks_late=True)
failed = set()

@app.task(bind=True, max_retries=2)
def note(self, n):
    if n == 3 and self.request.retries == 0:
        raise self.retry(countdown=1)
    with open(os.environ["OUT"], "a") as f:
        f.write(f"{n}\\n")
"""


class Clients(SqsCase):
    def test_the_aws_cli(self):
        env = {**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}

        def aws(*args):
            r = subprocess.run(["aws", "--endpoint-url", self.d.endpoint, "sqs", *args], env=env, capture_output=True, text=True, timeout=60)
            self.assertEqual(r.returncode, 0, r.stderr)
            return json.loads(r.stdout) if r.stdout.strip() else None
        url = aws("create-queue", "--queue-name", "cli", "--attributes", "VisibilityTimeout=9")["QueueUrl"]
        self.addCleanup(self.gone, url)
        sent = aws("send-message", "--queue-url", url, "--message-body", "from the CLI")
        got = aws("receive-message", "--queue-url", url, "--wait-time-seconds", "5", "--attribute-names", "All")["Messages"][0]
        self.assertEqual((got["MessageId"], got["Body"]), (sent["MessageId"], "from the CLI"))
        aws("delete-message", "--queue-url", url, "--receipt-handle", got["ReceiptHandle"])
        self.assertEqual(aws("get-queue-attributes", "--queue-url", url, "--attribute-names", "All")["Attributes"]["ApproximateNumberOfMessages"], "0")
        aws("delete-queue", "--queue-url", url)

    def test_fnctl(self):
        def fnctl(*args, text=None, status=0):
            r = subprocess.run([os.path.join(BUILD, "fnctl"), "queue", *args, "--endpoint", self.d.endpoint], input=text, capture_output=True, text=True, timeout=60)
            self.assertEqual(r.returncode, status, r.stderr)
            return r.stdout if status == 0 else r.stderr
        url = fnctl("create", "ctl.fifo", "ContentBasedDeduplication=true").strip()
        self.addCleanup(self.gone, url)
        self.assertTrue(url.endswith("/000000000000/ctl.fifo"))
        self.assertRegex(fnctl("send", "ctl.fifo", "one", "--group", "g"), r"^[0-9a-f-]{36}\n$")
        fnctl("send", "ctl.fifo", "-", "--group", "g", text="two")
        self.assertRegex(fnctl("list", "ctl"), r"ctl\.fifo +2 +0 +0")
        self.assertEqual(fnctl("receive", "ctl.fifo", "--keep", "--visibility", "0"), "one\n")
        self.assertEqual(fnctl("receive", "ctl.fifo", "--max", "10"), "one\ntwo\n")
        self.assertEqual(fnctl("receive", "ctl.fifo", "--wait", "1"), "")
        fnctl("attributes", "ctl.fifo", "VisibilityTimeout=77")
        self.assertRegex(fnctl("attributes", "ctl.fifo"), r"(?m)^VisibilityTimeout +77$")
        fnctl("send", "ctl.fifo", "three", "--group", "g")
        self.assertEqual(fnctl("create", "ctl.fifo", "VisibilityTimeout=5", status=3),
                         "fnctl: queue: QueueNameExists: A queue already exists with the same name and a different value for attribute VisibilityTimeout\n")
        self.assertIn("send wants UTF-8 text", fnctl("send", "ctl.fifo", b"\xff", status=2))
        for wrong in (("send", "ctl.fifo", "x", "--keep"), ("receive", "ctl.fifo", "--delay", "1"), ("create", "ctl", "--visibility", "5")):
            self.assertIn(f"{wrong[0]} takes no such options", fnctl(*wrong, status=2))
        fnctl("purge", "ctl.fifo")
        self.assertEqual(fnctl("receive", "ctl.fifo"), "")
        fnctl("delete", "ctl.fifo")
        self.assertEqual(fnctl("send", "ctl.fifo", "x", status=3), "fnctl: queue: QueueDoesNotExist: The specified queue does not exist.\n`fnctl queue list` shows the queues there are.\n")

    def test_the_js_sdk(self):
        node, home = npm.node(), os.path.join(TOP, "build/npm-sqs")
        os.makedirs(home, exist_ok=True)
        lock = open(os.path.join(TOP, "tests/npm/sqs/package-lock.json")).read()
        if not os.path.exists(home + "/installed") or open(home + "/installed").read() != lock:
            for f in ("package.json", "package-lock.json"):
                shutil.copy(os.path.join(TOP, "tests/npm/sqs", f), home)
            r = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=home, capture_output=True, text=True, timeout=300)
            if r.returncode and re.search("ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|network", r.stderr):
                raise unittest.SkipTest("npm's registry is out of reach: " + r.stderr.strip().splitlines()[0])
            self.assertEqual(r.returncode, 0, r.stderr)
            with open(home + "/installed", "w") as f:
                f.write(lock)
        r = subprocess.run([node, os.path.join(TOP, "tests/npm/sqs/sqs.mjs")], env={**os.environ, "ENDPOINT": self.d.endpoint, "MODULES": home}, capture_output=True, text=True, timeout=120)
        self.assertEqual((r.returncode, r.stdout), (0, '{"done":true}\n'), r.stderr)

    def test_celery(self):
        """A worker with tasks from SQS: each is done once, one is retried with a delay."""
        home = tempfile.mkdtemp(prefix="fnd-celery-")
        self.addCleanup(shutil.rmtree, home, True)
        with open(home + "/tasks.py", "w") as f:
            f.write(TASKS)
        out = home + "/out"
        env = {**os.environ, "PYTHONPATH": home + ":" + pypi.install(*CELERY) + ":" + pypi.install(*pypi.boto3()), "PORT": str(self.d.port), "OUT": out, "PYTHONDONTWRITEBYTECODE": "1"}
        self.addCleanup(lambda: self.gone(self.s.get_queue_url(QueueName="celery-tests")["QueueUrl"]))
        subprocess.run(["/usr/bin/python3", "-c", "import tasks\nfor n in range(20): tasks.note.delay(n)"], cwd=home, env=env, check=True, timeout=120)
        with open(home + "/log", "w") as log:
            worker = subprocess.Popen(["/usr/bin/python3", "-m", "celery", "-A", "tasks", "worker", "--pool", "solo", "--concurrency", "1", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"],
                                      cwd=home, env={**env, "C_FORCE_ROOT": "1"}, stdout=log, stderr=log)
        try:
            wait_until(lambda: open(home + "/log").read()[-2000:], lambda: os.path.exists(out) and len(open(out).read().split()) >= 20)
        finally:
            worker.terminate()
            worker.wait(30)
        self.assertEqual(sorted(map(int, open(out).read().split())), list(range(20)))


class Model(SqsCase):
    def test_every_operation_works(self):
        """As the doctor says; compared with the operations of the newest botocore's model."""
        with urllib.request.urlopen(f"{self.d.endpoint}/_fnd/doctor?api=sqs") as r:
            listed = {o["Name"]: o for o in json.load(r)["Operations"]}
        model = glob.glob(os.path.join(pypi.install(*pypi.boto3()), "botocore/data/sqs/2012-11-05/service-2.json*"))[0]
        with (gzip.open if model.endswith("gz") else open)(model) as f:
            self.assertEqual(set(listed), set(json.load(f)["operations"]))
        self.assertEqual({n for n, o in listed.items() if not o["Works"] or o["ServedBy"] != "fn-events"}, set())


class Durable(SqsCase):
    def test_killed_between(self):
        """kill -9 of fn-events while clients send, receive and delete: what was answered is there, once; deleted ones are not; counts of receives go on."""
        url = self.queue("kill", VisibilityTimeout=5)
        sent, tried, deleted, stop = set(), set(), set(), threading.Event()

        def client():
            s = boto(self.d, "sqs")
            while not stop.is_set():
                try:
                    sent.update(s.send_message(QueueUrl=url, MessageBody="x")["MessageId"] for _ in range(2))
                    for m in s.receive_message(QueueUrl=url).get("Messages", []):
                        tried.add(m["MessageId"])
                        s.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
                        deleted.add(m["MessageId"])
                except Exception:
                    time.sleep(0.05)
        clients = [threading.Thread(target=client, daemon=True) for _ in range(4)]
        for c in clients:
            c.start()
        for _ in range(4):
            n = len(deleted)
            wait_until("clients get on", lambda: len(deleted) > n + 20)
            for pid in self.d.pids()["events"]:
                os.kill(pid, signal.SIGKILL)
        stop.set()
        for c in clients:
            c.join()
        wait_until("it serves again", lambda: self.alive(url))
        left = []

        def drained():
            for m in self.take(url):
                left.append(m["MessageId"])
                self.s.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
            return self.counts(url) == (0, 0, 0)
        wait_until("all have come", drained)
        self.assertEqual(sent - tried - set(left), set())      # nothing that was answered is lost,
        self.assertEqual(deleted & set(left), set())           # nothing that was deleted comes again,
        self.assertEqual(len(left), len(set(left)))            # and nothing is there twice
        self.assertGreater(len(left), 10)

    def alive(self, url):
        try:
            self.counts(url)
            return True
        except Exception:
            return False


if __name__ == "__main__":
    unittest.main()
