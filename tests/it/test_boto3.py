"""boto3, unmodified: the control API's answers, errors, paging, waiters."""
import base64, glob, hashlib, io, json, os, unittest, urllib.request, zipfile
from harness import *


class Boto3(BotoCase):
    def make(self, name, **more):
        self.addCleanup(self.d.delete, name)
        body = {"FunctionName": name, "Runtime": "provided.al2023", "Role": ROLE, "Handler": "x", "Code": {"ZipFile": native_zip()}, **more}
        made = self.c.create_function(**body)
        self.d.settled(name)
        return made

    def test_life_of_a_function(self):
        made = self.make("b-life", MemorySize=300, Timeout=9, Description="d", Environment={"Variables": {"KEY": "v"}}, Tags={"team": "a"})
        self.assertEqual(made["ResponseMetadata"]["HTTPStatusCode"], 201)
        self.assertEqual(made["CodeSha256"], base64.b64encode(hashlib.sha256(native_zip()).digest()).decode())
        self.assertEqual(made["CodeSize"], len(native_zip()))
        self.assertRegex(made["LastModified"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$")
        self.c.get_waiter("function_active_v2").wait(FunctionName="b-life")
        got = self.c.get_function(FunctionName="b-life")
        f = got["Configuration"]
        self.assertEqual((f["State"], f["LastUpdateStatus"], f["MemorySize"], f["Timeout"], f["Version"]), ("Active", "Successful", 300, 9, "$LATEST"))
        self.assertNotIn("StateReason", f)
        self.assertEqual(got["Tags"], {"team": "a"})
        with urllib.request.urlopen(got["Code"]["Location"]) as r:
            self.assertEqual(r.read(), native_zip())
        answer = self.c.invoke(FunctionName="b-life", Payload=b'{"do":"env"}')
        self.assertEqual(json.load(answer["Payload"])["KEY"], "v")
        changed = self.c.update_function_configuration(FunctionName="b-life", MemorySize=400, Environment={"Variables": {}})
        self.assertEqual(changed["LastUpdateStatus"], "InProgress")
        self.c.get_waiter("function_updated_v2").wait(FunctionName="b-life")
        again = self.c.get_function_configuration(FunctionName="b-life")
        self.assertEqual((again["MemorySize"], again.get("Environment")), (400, None))
        self.assertNotEqual(again["RevisionId"], f["RevisionId"])
        env = json.load(self.c.invoke(FunctionName="b-life", Payload=b'{"do":"env"}')["Payload"])
        self.assertEqual((env.get("KEY"), env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]), (None, "400"))
        self.c.delete_function(FunctionName="b-life")
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.get_function, FunctionName="b-life"),
                         "Function not found: arn:aws:lambda:us-east-1:000000000000:function:b-life")

    def test_names_and_arns(self):
        self.make("b-names")
        arn = "arn:aws:lambda:us-east-1:000000000000:function:b-names"
        for name in ("b-names", arn, "000000000000:function:b-names", "function:b-names", arn + ":$LATEST", "b-names:$LATEST"):
            with self.subTest(name=name):
                self.assertEqual(self.c.get_function_configuration(FunctionName=name)["FunctionName"], "b-names")
                self.assertEqual(self.c.invoke(FunctionName=name, Payload=b'{"a":1}')["Payload"].read(), b'{"a":1}')
        self.assertTrue(self.c.get_function_configuration(FunctionName="b-names", Qualifier="$LATEST")["FunctionArn"].endswith(":$LATEST"))
        self.assertEqual(self.fails("InvalidParameterValueException", self.c.get_function, FunctionName=arn + ":$LATEST", Qualifier="1"),
                         "The derived qualifier from the function name does not match the specified qualifier.")
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.get_function, FunctionName="arn:aws:lambda:eu-west-1:000000000000:function:b-names"),
                         "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')")
        self.assertIn(":7", self.fails("ResourceNotFoundException", self.c.get_function, FunctionName="b-names", Qualifier="7"))
        self.assertIn("failed to satisfy constraint", self.fails("ValidationException", self.c.get_function, FunctionName="no spaces"))

    def test_errors_have_lambda_s_words(self):
        self.make("b-errors")
        self.assertEqual(self.fails("ResourceConflictException", self.make, name="b-errors"), "Function already exist: b-errors")
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.invoke, FunctionName="b-none"),
                         "Function not found: arn:aws:lambda:us-east-1:000000000000:function:b-none:$LATEST")
        self.assertIn("1 validation error detected: Value '100' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128",
                      self.fails("ValidationException", boto(self.d, validate=False).create_function, FunctionName="b-x", Runtime="provided.al2023", Role=ROLE,
                                 Handler="x", Code={"ZipFile": native_zip()}, MemorySize=100))
        message = self.fails("ValidationException", self.make, name="b-x", MemorySize=20000, Timeout=901)
        self.assertRegex(message, r"^2 validation errors detected: Value '901' at 'timeout'.*less than or equal to 900; Value '20000' at 'memorySize'.*10240$")
        self.assertIn("Reserved keys used in this request: AWS_REGION",
                      self.fails("InvalidParameterValueException", self.make, name="b-x", Environment={"Variables": {"AWS_REGION": "x"}}))
        self.assertIn("exceeded the 4KB limit", self.fails("InvalidParameterValueException", self.make, name="b-x", Environment={"Variables": {"BIG": "x" * 5000}}))
        self.assertRegex(self.fails("InvalidParameterValueException", self.make, name="b-x", Runtime="python2"),
                         r"^Value python2 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: \[.*python3\.11.*\] or be a valid ARN$")
        for gone in ("java8", "go1.x", "provided", "ruby2.7", "nodejs12.x", "python3.7"):
            self.assertEqual(self.fails("InvalidParameterValueException", self.make, name="b-x", Runtime=gone), f"The runtime parameter of {gone} is no longer supported for creating or "
                             "updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions.")
        self.assertRegex(self.fails("InvalidParameterValueException", self.make, name="b-x", Runtime="dotnet8"), r"not installed.*Installed: .*python3\.11")
        self.assertIn("regular expression pattern: arn:", self.fails("ValidationException", self.make, name="b-x", Role="nobody"))
        self.assertIn("less than or equal to 64", self.fails("InvalidParameterValueException", self.make, name="x" * 65))
        # of members that this boto3 may not know yet
        z = {"ZipFile": base64.b64encode(native_zip()).decode()}
        f = {"FunctionName": "b-x", "Runtime": "provided.al2023", "Handler": "x", "Role": ROLE, "Code": z}
        for more, word in (({"DurableConfig": {"ExecutionTimeout": 60}}, "DurableConfig"), ({"PublishTo": "LATEST_PUBLISHED"}, "PublishTo"),
                           ({"Code": {**z, "SourceKMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k"}}, "SourceKMSKeyArn")):
            r = self.d.request("POST", "/2015-03-31/functions", {**f, **more})
            self.assertEqual((r.status, r.error_type), (400, "InvalidParameterValueException"), r)
            self.assertIn(word, r.json["message"])
        for env, said in (([], "Start of list found where not expected"), ({"Variables": ["A"]}, "Start of list found where not expected"), ({"Variables": "A"}, "Expected null")):
            r = self.d.request("POST", "/2015-03-31/functions", {**f, "Environment": env})
            self.assertEqual((r.status, r.error_type, r.json), (400, "SerializationException", {"Message": said}), env)
        self.assertEqual(self.d.request("GET", "/2015-03-31/functions/b-x").status, 404)
        self.assertIn("SnapStart", self.fails("InvalidParameterValueException", self.make, name="b-x", SnapStart={"ApplyOn": "PublishedVersions"}))
        self.assertIn("arm64", self.fails("InvalidParameterValueException", self.make, name="b-x", Architectures=["arm64"]))
        self.assertIn("$LATEST version cannot be deleted", self.fails("InvalidParameterValueException", self.c.delete_function, FunctionName="b-errors", Qualifier="$LATEST"))
        self.assertEqual([f for f in self.names() if f == "b-x"], [])

    def names(self):
        return [f["FunctionName"] for p in self.c.get_paginator("list_functions").paginate() for f in p["Functions"]]

    def test_revision_and_dry_run(self):
        self.make("b-rev")
        now = self.c.get_function_configuration(FunctionName="b-rev")
        self.fails("PreconditionFailedException", self.c.update_function_code, FunctionName="b-rev", ZipFile=native_zip(), RevisionId="00000000-0000-4000-8000-000000000000")
        self.fails("PreconditionFailedException", self.c.update_function_configuration, FunctionName="b-rev", Timeout=4, RevisionId="x")
        other = make_zip({"bootstrap": "#!/bin/sh\nexit 1\n"})
        dry = self.c.update_function_code(FunctionName="b-rev", ZipFile=other, DryRun=True)
        self.assertEqual(dry["CodeSha256"], base64.b64encode(hashlib.sha256(other).digest()).decode())
        self.assertEqual(self.c.get_function_configuration(FunctionName="b-rev")["CodeSha256"], now["CodeSha256"])
        self.fails("InvalidParameterValueException", self.c.update_function_code, FunctionName="b-rev", ZipFile=b"no zip", DryRun=True)
        wait_until("nothing of them is kept", lambda: not any(os.path.exists(f"{self.d.state}/blobs/{hashlib.sha256(z).hexdigest()}.zip") for z in (other, b"no zip")))
        self.c.update_function_code(FunctionName="b-rev", ZipFile=native_zip(), RevisionId=now["RevisionId"])
        self.d.settled("b-rev")
        self.assertNotEqual(self.c.get_function_configuration(FunctionName="b-rev")["RevisionId"], now["RevisionId"], "the same bytes are an update all the same")

    def test_logging_config(self):
        """As a raw request: boto3 of the tests is older than LoggingConfig."""
        self.make("b-log")

        def put(**logging):
            self.d.settled("b-log")
            return self.d.request("PUT", "/2015-03-31/functions/b-log/configuration", {"LoggingConfig": logging})

        def refused(at, rule, **logging):
            r = put(**logging)
            self.assertEqual((r.status, r.error_type), (400, "ValidationException"), r)
            self.assertIn(f"at 'loggingConfig.{at}' failed to satisfy constraint: Member must {rule}", r.json["message"])
            return r.json["message"]

        pattern = r"satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
        self.assertTrue(refused("logGroup", "have length less than or equal to 512", LogGroup="g" * 513).startswith("1 validation error detected: "))
        self.assertTrue(refused("logGroup", pattern, LogGroup="").startswith("2 validation errors detected: "))
        for group in ("a b", "a\n", "a:b", "a\u00e9"):
            refused("logGroup", pattern, LogGroup=group)
        refused("logFormat", "satisfy enum value set: [JSON, Text]", LogFormat="XML")
        for level in ("LOUD", "", "INFO, TRACE", "info"):
            refused("applicationLogLevel", "satisfy enum value set: [TRACE, DEBUG, INFO, WARN, ERROR, FATAL]", LogFormat="JSON", ApplicationLogLevel=level)
        refused("systemLogLevel", "satisfy enum value set: [DEBUG, INFO, WARN]", LogFormat="JSON", SystemLogLevel="ERROR")
        levels = 'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request or change the LogFormat to "JSON" and try again.'
        for logging in ({"ApplicationLogLevel": "DEBUG"}, {"LogFormat": "Text", "SystemLogLevel": "WARN"}, {"LogFormat": "Text", "LogGroup": "g", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}):
            r = put(**logging)
            self.assertEqual((r.status, r.error_type, r.json["message"]), (400, "InvalidParameterValueException", levels))
        r = put(LogGroup=7)
        self.assertEqual((r.status, r.json), (400, {"Message": "NUMBER_VALUE can not be converted to a String"}))
        for group in ("g" * 512, "/team/my-group_1.x#y", "../../../../../escape"):  # as the model has it; a name, no path
            self.assertEqual(put(LogGroup=group, LogFormat="JSON", ApplicationLogLevel="WARN", SystemLogLevel="DEBUG").json["LoggingConfig"],
                             {"LogFormat": "JSON", "LogGroup": group, "ApplicationLogLevel": "WARN", "SystemLogLevel": "DEBUG"})
            self.d.settled("b-log")
            self.assertEqual(self.d.do("b-log", "env")["AWS_LAMBDA_LOG_GROUP_NAME"], group)
        self.assertEqual(put(ApplicationLogLevel="ERROR").json["LoggingConfig"]["ApplicationLogLevel"], "ERROR", "the format stays JSON, so levels may change alone")
        self.assertEqual(put(LogFormat="Text", LogGroup=group).json["LoggingConfig"], {"LogFormat": "Text", "LogGroup": group}, "and go with it")
        self.d.do("b-log", "print", bytes=3, newline=1)
        wait_until("it is logged", lambda: self.d.request("GET", "/_fnd/logs/b-log").json["Text"])
        self.assertEqual([n for n in os.listdir(os.path.join(self.d.state, "logs")) if not re.match(r"@\d+$|logs\.db|\.", n)], [], "a group's directory has a number")
        self.assertFalse(os.path.exists(os.path.join(self.d.state, "logs", group)))

    def test_paging(self):
        names = [f"b-page-{i:03d}" for i in range(57)]
        for n in names:
            self.make(n)
        self.assertEqual([n for n in self.names() if n.startswith("b-page-")], names)
        first = self.c.list_functions(MaxItems=3)
        self.assertEqual(len(first["Functions"]), 3)
        self.assertIn("NextMarker", first)
        self.assertEqual(len(self.c.list_functions(MaxItems=10000)["Functions"]), 50)
        self.assertNotIn("State", first["Functions"][0])

    def test_tags(self):
        arn = self.make("b-tags")["FunctionArn"]
        self.c.tag_resource(Resource=arn, Tags={"a": "1", "b c": "2", "d": "3"})
        self.assertEqual(self.c.list_tags(Resource=arn)["Tags"], {"a": "1", "b c": "2", "d": "3"})
        self.c.untag_resource(Resource=arn, TagKeys=["a", "b c"])
        self.assertEqual(self.c.list_tags(Resource=arn)["Tags"], {"d": "3"})
        self.assertEqual(self.fails("InvalidParameterValueException", self.c.tag_resource, Resource=arn, Tags={f"k{i}": "v" for i in range(51)}),
                         "Number of tags exceeds resource tag limit.")

    def test_what_terraform_reads(self):
        self.make("b-tf")
        self.assertNotIn("CodeSigningConfigArn", {k: v for k, v in self.c.get_function_code_signing_config(FunctionName="b-tf").items() if v})
        versions = self.c.list_versions_by_function(FunctionName="b-tf")["Versions"]
        self.assertEqual([(v["Version"], v["FunctionArn"].rsplit(":", 1)[1]) for v in versions], [("$LATEST", "$LATEST")])
        self.assertNotIn("ReservedConcurrentExecutions", self.c.get_function_concurrency(FunctionName="b-tf"))
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.get_policy, FunctionName="b-tf"), "The resource you requested does not exist.")

    def test_every_operation_answers(self):
        """Whatever boto3 can ask is answered, if only with a clear word that it is not built."""
        r = self.d.request("POST", "/2025-11-30/capacity-providers", {})
        self.assertEqual((r.status, r.error_type), (501, "NotImplementedException"))
        self.assertIn("CreateCapacityProvider", r.json["message"])
        r = self.d.request("GET", "/2015-03-31/nothing")
        self.assertEqual((r.status, r.error_type), (404, "UnknownOperationException"))
        for path in ("/2015-03-31/functions/%ff%00/configuration", "/2015-03-31/functions//", "/%"):
            self.assertIn(self.d.request("GET", path).status, (200, 400, 404), path)

    def test_request_id_and_content_type(self):
        r = self.d.request("GET", "/2015-03-31/functions")
        self.assertRegex(r.headers["x-amzn-requestid"], r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        self.assertEqual(r.headers["content-type"], "application/json")

    def test_bad_bodies(self):
        for body in (b"{", b"[]", b'"x"', b'{"FunctionName":1}', b'{"a":1,"a":2}', b"\xff"):
            r = self.d.request("POST", "/2015-03-31/functions", body)
            self.assertEqual(r.status, 400, (body, r))
        r = self.d.request("POST", "/2015-03-31/functions", {"FunctionName": "b-z", "Role": ROLE, "Runtime": "provided.al2023", "Handler": "x", "Code": {"ZipFile": "***"}})
        self.assertEqual((r.status, r.error_type), (400, "InvalidRequestContentException"))
