"""What is done for a function is done by its role: queues are polled, records and dead letters are delivered, as far as its policies and the queues' allow. And what policies of
queues ask of a request."""
import base64, http.client, json, unittest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from harness import *
from test_iam import ACCOUNT, KEY, SECRET, TRUST, IamCase, allow, policy

QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"
FN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:"
DOES = """import json
def handler(event, context):
    print("GOT " + json.dumps(event))
    if event.get("fail"):
        raise Exception("boom")
"""
POLLS = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


class RightsCase(IamCase):
    @classmethod
    def setUpClass(cls):
        cls.port = free_port()
        cls.d = shared({"credentials": [{"access_key_id": KEY, "secret_access_key": SECRET}], "gateway": {"listen": f"127.0.0.1:{cls.port}"}, "events": {"retry_delays_s": [0.2, 0.2]}})
        cls.iam, cls.sts, cls.fn, cls.sqs, cls.logs = (cls.client(s) for s in ("iam", "sts", "lambda", "sqs", "logs"))

    def works_as(self, role, source=DOES, **more):
        name = self.name()
        self.fn.create_function(FunctionName=name, Runtime=PYTHON, Handler="f.handler", Role=role if isinstance(role, str) else role["Arn"], Code={"ZipFile": make_zip({"f.py": source})}, **{"Timeout": 30, **more})
        self.addCleanup(lambda: self.fn.delete_function(FunctionName=name))
        self.fn.get_waiter("function_active_v2").wait(FunctionName=name)
        return name

    def queue(self, **attributes):
        name = self.name()
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self.addCleanup(lambda: self.sqs.delete_queue(QueueUrl=url))
        return url, QUEUE + name

    def may(self, role, *statements, name="p"):
        self.iam.put_role_policy(RoleName=role["RoleName"], PolicyName=name, PolicyDocument=policy(*statements))

    def said(self, *args, **kw):
        return self.refused("InvalidParameterValueException", 400, *args, **kw)

    def results(self):
        r = self.signed({"AccessKeyId": KEY, "SecretAccessKey": SECRET}, "lambda", "GET", "/_fnd/mappings")
        return {u: m["LastProcessingResult"] for u, m in r.json["Mappings"].items()}

    def got(self, f):
        try:
            return [json.loads(e["message"][4:]) for e in self.logs.filter_log_events(logGroupName="/aws/lambda/" + f, filterPattern='"GOT"')["events"] if e["message"].startswith("GOT ")]
        except self.logs.exceptions.ResourceNotFoundException:
            return []

    def bodies(self, f):
        return sorted(r["body"] for e in self.got(f) for r in e["Records"])


class Mappings(RightsCase):
    def test_the_role_is_asked_when_it_is_made_and_ever_after(self):
        role, (url, arn) = self.role(), self.queue(VisibilityTimeout="5")
        f = self.works_as(role, Timeout=5)
        make = lambda: self.fn.create_event_source_mapping(EventSourceArn=arn, FunctionName=f)
        lacks = "The function execution role does not have permissions to call %s on SQS"
        for n, action in enumerate(POLLS):
            if n:
                self.may(role, allow(POLLS[:n], arn))
            self.assertEqual(self.said(make), lacks % action[4:])
        self.may(role, allow(POLLS, arn + "x"))
        self.assertEqual(self.said(make), lacks % "ReceiveMessage")
        self.assertEqual(self.fn.list_event_source_mappings(FunctionName=f)["EventSourceMappings"], [])
        self.may(role, allow(POLLS, arn))
        uuid = make()["UUID"]
        self.addCleanup(lambda: self.fn.delete_event_source_mapping(UUID=uuid))
        wait_until("the mapping is Enabled", lambda: self.fn.get_event_source_mapping(UUID=uuid)["State"] == "Enabled")
        self.sqs.send_message(QueueUrl=url, MessageBody="a")
        wait_until(lambda: f"a came: {self.got(f)}", lambda: self.bodies(f) == ["a"])
        has = ["a"]
        deny = {"Effect": "Deny", "Principal": {"AWS": role["Arn"]}, "Action": "sqs:DeleteMessage", "Resource": arn}
        detached = policy(allow(POLLS, "*"))
        p = self.iam.create_policy(PolicyName=self.name(), PolicyDocument=detached)["Policy"]["Arn"]
        for how, lose, again, action in (
                ("its policy", lambda: self.may(role, allow("sqs:SendMessage")), lambda: self.may(role, allow(POLLS, arn)), "ReceiveMessage"),
                ("the queue's policy", lambda: self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(deny)}), lambda: self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""}), "DeleteMessage"),
                ("its trust", lambda: self.iam.update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=json.dumps(TRUST).replace("lambda", "ec2")),
                 lambda: self.iam.update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=json.dumps(TRUST)), "ReceiveMessage"),
                ("a managed policy", lambda: self.iam.delete_role_policy(RoleName=role["RoleName"], PolicyName="p"), lambda: self.iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn=p), "ReceiveMessage")):
            with self.subTest(how):
                lose()
                wait_until(lambda: f"it is told: {self.results()[uuid]}", lambda: self.results()[uuid] == "PROBLEM: " + lacks % action)
                self.assertEqual(self.fn.get_event_source_mapping(UUID=uuid)["State"], "Enabled")
                self.sqs.send_message(QueueUrl=url, MessageBody=how)
                self.assertEqual(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"], {"ApproximateNumberOfMessages": "1"}, "nobody polls")
                self.assertEqual(self.bodies(f), sorted(has))
                again()
                has.append(how)
                wait_until(lambda: f"it came: {self.bodies(f)}", lambda: self.bodies(f) == sorted(has))
                wait_until(lambda: self.results()[uuid], lambda: self.results()[uuid] == "OK")

    def test_by_the_queue_s_policy_alone(self):
        role, (url, arn) = self.role(Path="/team/"), self.queue()
        f = self.works_as(role)
        put = lambda who: self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy({"Effect": "Allow", "Principal": {"AWS": who}, "Action": "sqs:*", "Resource": arn})})
        put(role["Arn"].replace("/team/", "/"))
        self.said(self.fn.create_event_source_mapping, EventSourceArn=arn, FunctionName=f)
        put(role["Arn"])
        uuid = self.fn.create_event_source_mapping(EventSourceArn=arn, FunctionName=f)["UUID"]
        self.addCleanup(lambda: self.fn.delete_event_source_mapping(UUID=uuid))
        self.sqs.send_message(QueueUrl=url, MessageBody="a")
        wait_until(lambda: f"a came: {self.got(f)}", lambda: self.bodies(f) == ["a"])

    def test_a_role_that_nobody_has_made_and_an_update(self):
        role, (url, arn) = self.role(), self.queue()
        self.may(role, allow(POLLS, arn))
        f, other = self.works_as(role), self.works_as(f"arn:aws:iam::{ACCOUNT}:role/{self.name()}")
        self.said(self.fn.create_event_source_mapping, EventSourceArn=arn, FunctionName=other)
        uuid = self.fn.create_event_source_mapping(EventSourceArn=arn, FunctionName=f, Enabled=False)["UUID"]
        self.addCleanup(lambda: self.fn.delete_event_source_mapping(UUID=uuid))
        self.assertIn("ReceiveMessage", self.said(self.fn.update_event_source_mapping, UUID=uuid, FunctionName=other))
        self.may(role, allow("sqs:*", "*"), {"Effect": "Deny", "Action": "sqs:GetQueueAttributes", "Resource": arn})
        self.assertIn("GetQueueAttributes", self.said(self.fn.update_event_source_mapping, UUID=uuid, Enabled=True))

    def test_one_that_is_named_by_its_uuid_is_its_function_s(self):
        """lambda:FunctionArn is that of the mapping: who may not touch a function's mappings may not by their UUIDs either."""
        role, (_, arn), (_, second) = self.role(), self.queue(), self.queue()
        self.may(role, allow(POLLS, "*"))
        secret, open_ = self.works_as(role), self.works_as(role)
        make = lambda f, q: self.fn.create_event_source_mapping(EventSourceArn=q, FunctionName=f, Enabled=False)["UUID"]
        theirs, mine = make(secret, arn), make(open_, second)
        self.addCleanup(lambda: self.fn.delete_event_source_mapping(UUID=theirs))
        at = lambda f: {"ArnLike": {"lambda:FunctionArn": FN + f}}
        _, only = self.user(allow("lambda:*EventSourceMapping*", Condition=at(open_)))
        _, but = self.user(allow("lambda:*"), {"Effect": "Deny", "Action": "lambda:*EventSourceMapping", "Resource": "*", "Condition": at(secret)})
        for client in (only("lambda"), but("lambda")):
            for op, members in (("get", {}), ("update", {"BatchSize": 5}), ("update", {"FunctionName": open_}), ("delete", {})):
                with self.subTest((op, members)):
                    self.refused("AccessDeniedException", 403, getattr(client, op + "_event_source_mapping"), UUID=theirs, **members)
            self.assertEqual(client.get_event_source_mapping(UUID=mine)["UUID"], mine)
            self.assertIn("not authorized", self.refused("AccessDeniedException", 403, client.update_event_source_mapping, UUID=mine, FunctionName=secret))
            wait_until("its last change has come to its end", lambda: client.get_event_source_mapping(UUID=mine)["State"] == "Disabled")
            self.assertEqual(client.update_event_source_mapping(UUID=mine, BatchSize=7)["BatchSize"], 7)
        nobody = "00000000-0000-4000-8000-000000000000"
        self.refused("AccessDeniedException", 403, only("lambda").get_event_source_mapping, UUID=nobody)
        self.refused("ResourceNotFoundException", 404, but("lambda").get_event_source_mapping, UUID=nobody)
        self.assertEqual(self.fn.get_event_source_mapping(UUID=theirs)["BatchSize"], 10)
        wait_until("its last change has come to its end", lambda: self.fn.get_event_source_mapping(UUID=mine)["State"] == "Disabled")
        self.assertEqual(only("lambda").delete_event_source_mapping(UUID=mine)["State"], "Deleting")

    def test_it_is_known_after_a_restart_before_anything_is_polled(self):
        role, (url, arn) = self.role(), self.queue()
        self.may(role, allow(POLLS, arn))
        f = self.works_as(role)
        uuid = self.fn.create_event_source_mapping(EventSourceArn=arn, FunctionName=f)["UUID"]
        self.addCleanup(lambda: self.fn.delete_event_source_mapping(UUID=uuid))
        wait_until("the mapping is Enabled", lambda: self.fn.get_event_source_mapping(UUID=uuid)["State"] == "Enabled")
        self.may(role, allow("sqs:SendMessage"))
        wait_until(lambda: self.results()[uuid], lambda: "ReceiveMessage" in self.results()[uuid])
        self.sqs.send_message(QueueUrl=url, MessageBody="a")
        before = self.d.pids()["events"]
        os.kill(before[0], signal.SIGKILL)
        wait_until("fn-events is there again", lambda: self.d.pids().get("events") not in (before, []))
        wait_until(lambda: self.results()[uuid], lambda: "ReceiveMessage" in self.results().get(uuid, ""))
        self.assertEqual(self.bodies(f), [])
        self.may(role, allow(POLLS, arn))
        wait_until(lambda: f"a came: {self.got(f)}", lambda: self.bodies(f) == ["a"])


class Deliveries(RightsCase):
    def test_destinations(self):
        role, (url, good), (_, bad) = self.role(), self.queue(), self.queue()
        f, sink = self.works_as(role), self.works_as(self.role())
        put = lambda where: self.fn.put_function_event_invoke_config(FunctionName=f, MaximumRetryAttempts=0, DestinationConfig=where)
        for arn, action in ((good, "SendMessage"), (FN + sink, "InvokeFunction"), (f"arn:aws:sns:us-east-1:{ACCOUNT}:t", "Publish"), (f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default", "PutEvents")):
            self.assertEqual(self.said(put, {"OnFailure": {"Destination": arn}}), f"The function's execution role does not have permissions to call {action} on {arn}")
        self.may(role, allow("sqs:SendMessage", good), allow("lambda:InvokeFunction", FN + sink))
        self.assertIn(bad, self.said(put, {"OnSuccess": {"Destination": good}, "OnFailure": {"Destination": bad}}))
        put({"OnSuccess": {"Destination": good}, "OnFailure": {"Destination": FN + sink}})
        send = lambda **event: self.fn.invoke(FunctionName=f, InvocationType="Event", Payload=json.dumps(event))
        send(n=1)
        receive = lambda: self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages", [])
        self.assertEqual(json.loads(receive()[0]["Body"])["requestPayload"], {"n": 1})
        send(fail=1)
        wait_until(lambda: f"the record came: {self.got(sink)}", lambda: [e["requestPayload"] for e in self.got(sink)] == [{"fail": 1}])
        self.may(role, allow("sqs:SendMessage", bad))
        send(n=2)
        send(fail=2)
        wait_until(lambda: f"they are refused: {self.d.log()[-2000:]}", lambda: all(f"is not delivered to {arn}: the function's role may not {a}" in self.d.log() for arn, a in ((good, "sqs:SendMessage"), (FN + sink, "lambda:InvokeFunction"))))
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy({"Effect": "Allow", "Principal": {"AWS": role["Arn"]}, "Action": "sqs:SendMessage", "Resource": good})})
        send(n=3)
        self.assertEqual([json.loads(m["Body"])["requestPayload"] for m in receive()], [{"n": 3}])
        self.assertEqual(len(self.got(sink)), 1)

    def test_dead_letters(self):
        role, (url, dead) = self.role(), self.queue()
        f = self.works_as(role)
        put = lambda arn: self.fn.update_function_configuration(FunctionName=f, DeadLetterConfig={"TargetArn": arn})
        self.assertEqual(self.said(put, dead), "The provided execution role does not have permissions to call SendMessage on SQS")
        self.assertEqual(self.said(put, f"arn:aws:sns:us-east-1:{ACCOUNT}:t"), "The provided execution role does not have permissions to call Publish on SNS")
        self.assertIn("SendMessage on SQS", self.said(self.works_as, f"arn:aws:iam::{ACCOUNT}:role/{self.name()}", DeadLetterConfig={"TargetArn": dead}))
        self.may(role, allow("sqs:SendMessage", dead))
        put(dead)
        self.fn.get_waiter("function_updated_v2").wait(FunctionName=f)
        self.fn.put_function_event_invoke_config(FunctionName=f, MaximumRetryAttempts=0)
        send = lambda n: self.fn.invoke(FunctionName=f, InvocationType="Event", Payload=json.dumps({"fail": n}))
        send(1)
        self.assertEqual(self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]["Body"], '{"fail": 1}')
        self.may(role, allow("sqs:SendMessage", dead + "x"))
        send(2)
        wait_until(lambda: f"it is refused: {self.d.log()[-1000:]}", lambda: f"is not delivered to {dead}: the function's role may not sqs:SendMessage" in self.d.log())


class References(RightsCase):
    def test_a_role_that_does_not_trust_lambda(self):
        role = self.role(json.loads(json.dumps(TRUST).replace("lambda", "ec2")))
        self.may(role, allow("*"))
        self.assertEqual(self.said(self.works_as, role), "The role defined for the function cannot be assumed by Lambda.")
        f = self.works_as(self.role())
        self.assertIn("cannot be assumed", self.said(self.fn.update_function_configuration, FunctionName=f, Role=role["Arn"]))
        only = self.role({"Version": "2012-10-17", "Statement": [{**TRUST["Statement"][0], "Condition": {"ArnLike": {"aws:SourceArn": FN + "only"}}}]})
        self.assertIn("cannot be assumed", self.said(self.works_as, only))

    def test_layers(self):
        layer = self.fn.publish_layer_version(LayerName=self.name(), Content={"ZipFile": make_zip({"python/x.py": "x = 1"})})
        arn, role = layer["LayerVersionArn"], self.role()
        name, client = self.user(allow(["lambda:CreateFunction", "lambda:UpdateFunctionConfiguration", "iam:PassRole"]))
        f = self.works_as(role)
        use = lambda: client("lambda").update_function_configuration(FunctionName=f, Layers=[arn])
        self.assertIn(f"lambda:GetLayerVersion on resource: {arn}", self.refused("AccessDeniedException", 403, use))
        self.assertIn("lambda:GetLayerVersion", self.refused("AccessDeniedException", 403, client("lambda").create_function, FunctionName=self.name(), Runtime=PYTHON, Handler="f.h", Role=role["Arn"],
                                                            Code={"ZipFile": make_zip({"f.py": ""})}, Layers=[arn]))
        self.fn.add_layer_version_permission(LayerName=layer["LayerArn"].rpartition(":")[2], VersionNumber=1, StatementId="s", Action="lambda:GetLayerVersion", Principal="*")
        use()
        self.iam.put_user_policy(UserName=name, PolicyName="q", PolicyDocument=policy({"Effect": "Deny", "Action": "lambda:GetLayerVersion", "Resource": arn}))
        self.assertIn("explicit deny", self.refused("AccessDeniedException", 403, use))

    def test_packages_that_are_elsewhere(self):
        _, client = self.user(allow(["lambda:*", "iam:PassRole"]), allow("s3:GetObject", "arn:aws:s3:::mine/*"))
        f = self.works_as(self.role())
        ask = lambda **where: client("lambda").update_function_code(FunctionName=f, **where)
        self.assertEqual(self.refused("AccessDeniedException", 403, ask, S3Bucket="theirs", S3Key="k"),
                         "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for theirs/k. S3 Error Code: AccessDenied. S3 Error Message: Access Denied")
        self.assertIn("denied by S3", self.refused("AccessDeniedException", 403, ask, S3Bucket="mine", S3Key="k", S3ObjectVersion="v"))
        self.assertIn("denied by S3", self.refused("AccessDeniedException", 403, client("lambda").publish_layer_version, LayerName=self.name(), Content={"S3Bucket": "theirs", "S3Key": "k"}))
        self.assertIn("fnd has no S3 server", self.said(ask, S3Bucket="mine", S3Key="k"))

    def test_a_function_is_the_same_however_it_is_named(self):
        _, arn = self.queue()
        secret = self.works_as(self.role())
        _, client = self.user(allow("lambda:*"), {"Effect": "Deny", "Action": "lambda:CreateEventSourceMapping", "Resource": "*", "Condition": {"ArnLike": {"lambda:FunctionArn": FN + secret}}})
        for name in (secret, FN + secret, f"{ACCOUNT}:function:{secret}", f"function:{secret}"):
            with self.subTest(name):
                self.refused("AccessDeniedException", 403, client("lambda").create_event_source_mapping, EventSourceArn=arn, FunctionName=name) if name != f"function:{secret}" else None

    def test_a_boundary_that_a_condition_asks_for(self):
        bound = self.iam.create_policy(PolicyName=self.name(), PolicyDocument=policy(allow("sqs:*")))["Policy"]["Arn"]
        _, client = self.user(allow(["iam:PutRolePolicy", "iam:CreateRole"], Condition={"StringEquals": {"iam:PermissionsBoundary": bound}}))
        free, bounded = self.role(), self.role(PermissionsBoundary=bound)
        put = lambda role: client("iam").put_role_policy(RoleName=role["RoleName"], PolicyName="p", PolicyDocument=policy(allow("*")))
        self.refused("AccessDenied", 403, put, free)
        put(bounded)
        self.refused("AccessDenied", 403, client("iam").create_role, RoleName=self.name(), AssumeRolePolicyDocument=json.dumps(TRUST))


class Queues(RightsCase):
    def put(self, url, *statements):
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(*statements)})

    def test_keys_of_conditions(self):
        url, arn = self.queue()
        user, client = self.user()
        self.iam.tag_user(UserName=user, Tags=[{"Key": "Team", "Value": "red"}])
        c = client("sqs")
        may = lambda effect="Allow", **condition: self.put(url, {"Effect": effect, "Principal": "*", "Action": "sqs:*", "Resource": arn, "Condition": condition})
        send = lambda: c.send_message(QueueUrl=url, MessageBody="m")
        now = int(time.time())
        for yes, condition in (
                (True, {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}), (False, {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}), (True, {"Bool": {"aws:SecureTransport": "false"}}),
                (False, {"Bool": {"aws:SecureTransport": "true"}}), (True, {"StringEquals": {"aws:username": user}}), (True, {"StringEquals": {"aws:PrincipalTag/team": "red"}}),
                (False, {"StringEquals": {"aws:PrincipalTag/team": "blue"}}), (True, {"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/{user}"}}),
                (True, {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}), (False, {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}}), (False, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
                (True, {"NumericGreaterThan": {"aws:EpochTime": str(now - 60)}}), (False, {"DateGreaterThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}}),
                (True, {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}), (True, {"StringEquals": {"aws:PrincipalType": "User"}}), (True, {"StringLike": {"aws:UserAgent": "*Botocore*"}})):
            with self.subTest(condition):
                may(**condition)
                send() if yes else self.refused("AccessDenied", 403, send)
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Fnd-Address", "X-Fnd-Context"):
            with self.subTest(header):
                may(IpAddress={"aws:SourceIp": "192.0.2.7"})
                c = client("sqs")
                c.meta.events.register("before-sign.sqs.SendMessage", lambda request, **kw: request.headers.add_header(header, '{"aws:sourceip":"192.0.2.7"}' if "Context" in header else "192.0.2.7"))
                self.refused("AccessDenied", 403, send)

    def test_a_sandbox_is_no_neighbour_of_this_machine_s(self):
        """Its own 127.0.0.1 is not the host's."""
        url, arn = self.queue()
        source = """import json, os, urllib.error, urllib.request
def handler(event, context):
    try:
        r = urllib.request.Request(os.environ["AWS_ENDPOINT_URL_SQS"], json.dumps(event).encode(), {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0", "X-Forwarded-For": "127.0.0.1"})
        return urllib.request.urlopen(r).status
    except urllib.error.HTTPError as e:
        return e.code
"""
        role = self.role()
        f = self.works_as(role, source)
        ask = lambda: json.load(self.fn.invoke(FunctionName=f, Payload=json.dumps({"QueueUrl": url, "MessageBody": "m"}))["Payload"])
        self.put(url, {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": arn, "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.1"}}})
        self.assertEqual(ask(), 403)
        self.put(url, {"Effect": "Allow", "Principal": {"AWS": role["Arn"]}, "Action": "sqs:*", "Resource": arn, "Condition": {"Bool": {"aws:SecureTransport": "true"}, "ArnEquals": {"lambda:SourceFunctionArn": FN + f}}})
        self.assertEqual(ask(), 200)

    def test_what_limits_a_session_limits_what_its_role_is_given(self):
        url, arn = self.queue()
        me = f"arn:aws:iam::{ACCOUNT}:root"
        role = self.role({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": me}, "Action": "sts:AssumeRole"}]}, Path="/team/")
        self.put(url, {"Effect": "Allow", "Principal": {"AWS": role["Arn"]}, "Action": "sqs:*", "Resource": arn})

        def session(**more):
            c = self.sts.assume_role(RoleArn=role["Arn"], RoleSessionName="se", **more)["Credentials"]
            return self.client("sqs", c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])
        send = lambda c: c.send_message(QueueUrl=url, MessageBody="m")
        send(session())
        limited = session(Policy=policy(allow("sqs:ReceiveMessage")))
        self.refused("AccessDenied", 403, send, limited)
        limited.receive_message(QueueUrl=url)
        self.put(url, {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role['RoleName']}/se"}, "Action": "sqs:*", "Resource": arn})
        send(limited)  # by name: nothing limits that
        self.may(role, allow("sqs:*", arn))
        self.put(url, {"Effect": "Deny", "Principal": {"AWS": role["Arn"]}, "Action": "sqs:SendMessage", "Resource": arn})  # a role with a path
        self.refused("AccessDenied", 403, send, session())

    def test_moves(self):
        (dead_url, dead), (source, _), (own_url, own) = self.queue(), self.queue(), self.queue()
        self.sqs.set_queue_attributes(QueueUrl=source, Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 1})})
        for n in range(3):
            self.sqs.send_message(QueueUrl=dead_url, MessageBody=str(n))
        user, client = self.user(allow("sqs:StartMessageMoveTask", dead), allow("sqs:*", own))
        ask = lambda action, **members: self.sqs_raw(action, client, **members)
        self.assertEqual(ask("StartMessageMoveTask", SourceArn=dead, DestinationArn=own).status, 403, "it may not receive them")
        self.iam.put_user_policy(UserName=user, PolicyName="q", PolicyDocument=policy(allow(POLLS, dead)))
        self.put(dead_url, {"Effect": "Deny", "Principal": "*", "Action": "sqs:StartMessageMoveTask", "Resource": dead})
        self.assertEqual(ask("StartMessageMoveTask", SourceArn=dead, DestinationArn=own).status, 403, "the queue's policy denies it")
        self.sqs.set_queue_attributes(QueueUrl=dead_url, Attributes={"Policy": ""})
        handle = ask("StartMessageMoveTask", SourceArn=dead, DestinationArn=own, MaxNumberOfMessagesPerSecond=1).json["TaskHandle"]
        task = json.loads(base64.b64decode(handle))
        forged = base64.b64encode(json.dumps({**task, "sourceArn": own}).encode()).decode()
        self.assertEqual(ask("CancelMessageMoveTask", TaskHandle=handle).status, 403)
        self.assertIn(ask("CancelMessageMoveTask", TaskHandle=forged).status, (403, 404))
        self.assertEqual(ask("ListMessageMoveTasks", SourceArn=dead).status, 403)
        self.assertEqual(self.sqs_raw("ListMessageMoveTasks", SourceArn=dead).json["Results"][0]["Status"], "RUNNING")
        self.assertEqual(self.sqs_raw("CancelMessageMoveTask", TaskHandle=handle).status, 200)

    def sqs_raw(self, action, _client=None, **members):
        key = _client("sqs")._request_signer._credentials.get_frozen_credentials() if _client else Credentials(KEY, SECRET)
        return self.signed({"AccessKeyId": key.access_key, "SecretAccessKey": key.secret_key, "SessionToken": key.token}, "sqs", "POST", "/", json.dumps(members),
                           {"X-Amz-Target": "AmazonSQS." + action, "Content-Type": "application/x-amz-json-1.0"})


class Urls(RightsCase):
    def test_from_where_a_url_is_called(self):
        f = self.works_as(self.role(), "def handler(event, context):\n    return 'ok'\n")
        url = self.fn.create_function_url_config(FunctionName=f, AuthType="AWS_IAM")["FunctionUrl"]
        host = url.split("/")[2]

        def call(*statements, headers=None):
            name, _ = self.user(*statements)
            k = self.iam.create_access_key(UserName=name)["AccessKey"]
            r = AWSRequest("GET", f"http://{host}/", headers or {})
            SigV4Auth(Credentials(k["AccessKeyId"], k["SecretAccessKey"]), "lambda", "us-east-1").add_auth(r)
            c = http.client.HTTPConnection("127.0.0.1", self.port)
            c.request("GET", "/", headers={**dict(r.headers), "Host": host})
            return c.getresponse().status
        where = lambda ip, **more: allow(["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"], Condition={"IpAddress": {"aws:SourceIp": ip}, **more})
        self.assertEqual(call(where("127.0.0.1")), 200)
        self.assertEqual(call(where("192.0.2.7")), 403)
        for header in ("X-Forwarded-For", "X-Fnd-Address", "Forwarded"):
            self.assertEqual(call(where("192.0.2.7"), headers={header: "192.0.2.7"}), 403)
        self.assertEqual(call(where("127.0.0.1", Bool={"aws:SecureTransport": "true"}), headers={"X-Forwarded-Proto": "https", "X-Fnd-Secure": "1"}), 403)


if __name__ == "__main__":
    unittest.main()
