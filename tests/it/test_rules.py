"""Rules of the API that hold for single operations: concurrency, aliases, tags, and what is not built."""
import glob, gzip, json, os, re, threading, unittest
from urllib.parse import quote
import pypi
from harness import ARN, ROLE, BotoCase, Case, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
SLOW_PY = "import time\ndef handler(e, c):\n    time.sleep(e['s'])\n    return 1\n"
WEIGHTS = "Alias with weights can not be used with Provisioned Concurrency"
ONLY_FUNCTIONS = "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN."


class Provisioned(BotoCase):
    def put(self, f, q, n=1):
        self.c.put_provisioned_concurrency_config(FunctionName=f, Qualifier=q, ProvisionedConcurrentExecutions=n)

    def ready(self, f, q):
        wait_until("it is ready", lambda: self.c.get_provisioned_concurrency_config(FunctionName=f, Qualifier=q)["Status"] == "READY")

    def test_it_comes_out_of_the_reservation(self):
        f = self.python(SLOW_PY)
        v = self.publish(f)
        self.c.put_function_concurrency(FunctionName=f, ReservedConcurrentExecutions=1)
        self.assertEqual(self.d.invoke(f, {"s": 0}).json, 1)
        self.put(f, v)
        self.ready(f, v)
        for q in ("", "?Qualifier=$LATEST"):
            r = self.d.invoke(f, {"s": 0}, query=q)
            self.assertEqual((r.status, r.error_type, r.json["Reason"]), (429, "TooManyRequestsException", "ReservedFunctionConcurrentInvocationLimitExceeded"))
        self.assertEqual(self.d.invoke(f, {"s": 0}, query=f"?Qualifier={v}").json, 1)
        # another is left: $LATEST and version 1 both may have it
        self.c.put_function_concurrency(FunctionName=f, ReservedConcurrentExecutions=2)
        out = []
        t = threading.Thread(target=lambda: out.append(self.d.invoke(f, {"s": 1.5})))
        t.start()
        wait_until("it runs", lambda: f'fnd_concurrent_executions{{function="{f}"}} 1\n' in self.d.request("GET", "/_fnd/metrics").body.decode())
        self.assertEqual(self.d.invoke(f, {"s": 0}).status, 429)
        self.assertEqual(self.d.invoke(f, {"s": 0}, query=f"?Qualifier={v}").json, 1)
        t.join()
        self.assertEqual(out[0].json, 1)
        self.c.delete_provisioned_concurrency_config(FunctionName=f, Qualifier=v)
        self.c.put_function_concurrency(FunctionName=f, ReservedConcurrentExecutions=1)
        self.assertEqual(self.d.invoke(f, {"s": 0}).json, 1)

    def test_not_with_weights(self):
        f = self.function()
        one = self.publish(f)
        self.change(f)
        two = self.publish(f)
        weights = {"AdditionalVersionWeights": {two: 0.5}}
        self.c.create_alias(FunctionName=f, Name="w", FunctionVersion=one, RoutingConfig=weights)
        put = lambda: self.c.put_provisioned_concurrency_config(FunctionName=f, Qualifier="w", ProvisionedConcurrentExecutions=1)
        self.assertEqual(self.fails("InvalidParameterValueException", put), WEIGHTS)
        self.c.update_alias(FunctionName=f, Name="w", RoutingConfig={"AdditionalVersionWeights": {two: 0.0}})
        self.assertEqual(self.fails("InvalidParameterValueException", put), WEIGHTS)
        self.c.update_alias(FunctionName=f, Name="w", RoutingConfig={})
        put()
        before = self.c.get_alias(FunctionName=f, Name="w")
        self.assertEqual(self.fails("InvalidParameterValueException", self.c.update_alias, FunctionName=f, Name="w", RoutingConfig=weights), WEIGHTS)
        self.assertEqual(self.fails("InvalidParameterValueException", self.c.update_alias, FunctionName=f, Name="w", FunctionVersion=two,
                                    RoutingConfig={"AdditionalVersionWeights": {one: 0.1}}), WEIGHTS)
        move = lambda code, to: self.fails(code, self.c.update_alias, FunctionName=f, Name="w", FunctionVersion=to)
        self.assertEqual(move("InvalidParameterValueException", "$LATEST"), "Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
        self.put(f, two)
        self.assertEqual(move("ResourceConflictException", two), "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")
        self.c.delete_provisioned_concurrency_config(FunctionName=f, Qualifier=two)
        self.assertEqual(self.c.get_alias(FunctionName=f, Name="w")["RevisionId"], before["RevisionId"])
        self.c.update_alias(FunctionName=f, Name="w", FunctionVersion=two)
        self.c.delete_provisioned_concurrency_config(FunctionName=f, Qualifier="w")
        self.c.update_alias(FunctionName=f, Name="w", RoutingConfig={"AdditionalVersionWeights": {one: 0.1}})

    def test_deleted_where_none_is(self):
        f = self.function()
        v = self.publish(f)
        self.c.create_alias(FunctionName=f, Name="a", FunctionVersion=v)
        for q in (v, "a", v):
            r = self.d.request("DELETE", f"/2019-09-30/functions/{f}/provisioned-concurrency?Qualifier={q}")
            self.assertEqual((r.status, r.body), (204, b""))
        self.fails("ProvisionedConcurrencyConfigNotFoundException", self.c.get_provisioned_concurrency_config, FunctionName=f, Qualifier=v)
        self.fails("ResourceNotFoundException", self.c.delete_provisioned_concurrency_config, FunctionName=f, Qualifier="9")
        for n, rule in ((0, "greater than or equal to 1"), (51, "less than or equal to 50")):
            self.assertEqual(self.fails("ValidationException", self.raw.list_provisioned_concurrency_configs, FunctionName=f, MaxItems=n),
                             f"1 validation error detected: Value '{n}' at 'maxItems' failed to satisfy constraint: Member must have value {rule}")
        self.c.list_aliases(FunctionName=f, MaxItems=51)

    def test_reserved_for_functions_alone(self):
        f = self.function(Publish=True)
        for name in (f"{ARN}{f}:$LATEST", f"{f}:$LATEST", f"{f}:1", f"{ARN}nosuch:$LATEST"):
            for call, more in ((self.c.put_function_concurrency, {"ReservedConcurrentExecutions": 1}), (self.c.get_function_concurrency, {}), (self.c.delete_function_concurrency, {})):
                self.assertEqual(self.fails("InvalidParameterValueException", call, FunctionName=name, **more), ONLY_FUNCTIONS, name)
        self.c.put_function_concurrency(FunctionName=f, ReservedConcurrentExecutions=3)
        self.assertEqual(self.c.get_function(FunctionName=f)["Concurrency"], {"ReservedConcurrentExecutions": 3})
        self.assertNotIn("Concurrency", self.c.get_function(FunctionName=f, Qualifier="1"))


class Tags(BotoCase):
    pattern = (r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)"
               r"|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)")

    def test_revision(self):
        f = self.function()
        seen = [self.c.get_function_configuration(FunctionName=f)]
        for change in (lambda: self.c.tag_resource(Resource=ARN + f, Tags={"a": "1"}), lambda: self.c.tag_resource(Resource=ARN + f, Tags={"a": "2"}),
                       lambda: self.c.untag_resource(Resource=ARN + f, TagKeys=["a"]), lambda: self.c.untag_resource(Resource=ARN + f, TagKeys=["a"])):
            change()
            seen.append(self.c.get_function_configuration(FunctionName=f))
        self.assertEqual(len({s["RevisionId"] for s in seen}), 5)
        self.assertEqual(len({s["LastModified"] for s in seen}), 1)

    def test_empty(self):
        f = self.function()
        self.assertEqual(self.fails("InvalidParameterValueException", self.c.tag_resource, Resource=ARN + f, Tags={}), "An error occurred and the request cannot be processed.")
        null = "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null"
        self.assertEqual(self.fails("ValidationException", self.c.untag_resource, Resource=ARN + f, TagKeys=[]), null % "tagKeys")
        self.assertEqual(self.d.request("POST", "/2017-03-31/tags/" + quote(ARN + f, ""), {}).json["message"], null % "tags")
        self.assertEqual(self.d.request("POST", "/2017-03-31/tags/" + quote(ARN + f, ""), {"Tags": {"aws:x": "1"}}).status, 400)
        self.assertIn("aws:", self.fails("InvalidParameterValueException", self.c.tag_resource, Resource=ARN + f, Tags={"AWS:x": "1"}))
        self.assertEqual(self.c.list_tags(Resource=ARN + f)["Tags"], {})

    def calls(self):
        return (self.raw.list_tags, {}), (self.raw.tag_resource, {"Tags": {"a": "b"}}), (self.raw.untag_resource, {"TagKeys": ["a"]})

    def test_resources(self):
        f = self.function()
        for call, more in self.calls():
            for qualified in (f"{ARN}{f}:1", f"{ARN}nosuch:$LATEST", f"{ARN}{f}:live"):
                self.assertEqual(self.fails("InvalidParameterValueException", call, Resource=qualified, **more),
                                 "Tags on function aliases and versions are not supported. Please specify a function ARN.")
            for bad in (f, f"function:{f}", f"000000000000:function:{f}", ARN + "a.b", ARN[:-1], "arn:aws:s3:::bucket", ARN.replace("us-east-1", "nowhere") + f,
                        ARN.replace("function:", "layer:") + "l:1", ARN.replace("function:", "code-signing-config:") + "csc-1"):
                self.assertEqual(self.fails("ValidationException", call, Resource=bad, **more),
                                 f"1 validation error detected: Value '{bad}' at 'resource' failed to satisfy constraint: Member must satisfy regular expression pattern: {self.pattern}")
            self.assertEqual(self.fails("ResourceNotFoundException", call, Resource=ARN + "nosuch", **more), f"Function not found: {ARN}nosuch")
            for kind, what in (("event-source-mapping:11111111-1111-1111-1111-111111111111", "Event source mapping"), ("capacity-provider:c", "Capacity provider")):
                other = ARN.replace("function:", kind)
                self.assertEqual(self.fails("ResourceNotFoundException", call, Resource=other, **more), f"{what} not found: {other}")


class Names(BotoCase):
    def test_forms(self):
        f = self.function(Publish=True)
        for name in (f, f"function:{f}", f"000000000000:{f}", f"000000000000:function:{f}", f"us-east-1:000000000000:function:{f}", f"us-east-1:{f}", f"arn:aws:lambda:{f}", ARN + f):
            self.assertEqual(self.raw.get_function(FunctionName=name)["Configuration"]["FunctionName"], f, name)
            self.assertEqual(self.raw.get_function(FunctionName=name + ":1")["Configuration"]["Version"], "1", name)
        self.assertEqual(self.fails("ResourceNotFoundException", self.raw.get_function, FunctionName=ARN[:-1]), f"Function not found: {ARN}function")
        self.assertEqual(self.fails("ResourceNotFoundException", self.raw.get_function, FunctionName="a.b"), f"Function not found: {ARN}a.b")
        self.assertEqual(self.fails("ResourceNotFoundException", self.raw.get_function, FunctionName=f, Qualifier="$latest"), f"Function not found: {ARN}{f}:$latest")
        self.assertEqual(self.fails("ResourceNotFoundException", self.raw.get_function, FunctionName=f"eu-west-1:{f}"),
                         "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')")
        for name in (f"{f}:$latest", f"{f}:a:b", "a b", ARN.replace("us-east-1", "nowhere") + f):
            self.assertIn("at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:", self.fails("ValidationException", self.raw.get_function,
                                                                                                                                       FunctionName=name))
        message = self.fails("ValidationException", self.raw.create_function, FunctionName="a.b", Role="arn:aws:iam::000000000000:role/x", Runtime="provided.al2023", Handler="x", Code={"ZipFile": b"x"})
        self.assertTrue(message.endswith(r"(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"), message)


class Operations(Case):
    """Every operation of Lambda's newest model is built, or says that it is not, by its own name."""
    built = set("""AddLayerVersionPermission DeleteLayerVersion GetLayerVersion GetLayerVersionByArn GetLayerVersionPolicy ListLayerVersions ListLayers PublishLayerVersion
        RemoveLayerVersionPermission CreateAlias CreateFunction DeleteAlias DeleteFunction DeleteFunctionConcurrency DeleteProvisionedConcurrencyConfig GetAccountSettings GetAlias GetFunction
        GetFunctionCodeSigningConfig GetFunctionConcurrency GetFunctionConfiguration GetPolicy GetProvisionedConcurrencyConfig Invoke InvokeWithResponseStream ListAliases ListFunctions
        ListProvisionedConcurrencyConfigs ListTags ListVersionsByFunction PublishVersion PutFunctionConcurrency PutProvisionedConcurrencyConfig TagResource UntagResource
        UpdateAlias UpdateFunctionCode UpdateFunctionConfiguration AddPermission RemovePermission CreateFunctionUrlConfig DeleteFunctionUrlConfig GetFunctionUrlConfig ListFunctionUrlConfigs
        UpdateFunctionUrlConfig InvokeAsync DeleteFunctionEventInvokeConfig GetFunctionEventInvokeConfig ListFunctionEventInvokeConfigs PutFunctionEventInvokeConfig
        UpdateFunctionEventInvokeConfig CreateEventSourceMapping DeleteEventSourceMapping GetEventSourceMapping ListEventSourceMappings UpdateEventSourceMapping
        GetFunctionRecursionConfig PutFunctionRecursionConfig GetRuntimeManagementConfig PutRuntimeManagementConfig""".split())

    def test_what_doctor_says_is_what_is_answered(self):
        """`fnctl doctor --api` against the newest service model, and against real requests."""
        r = self.d.fnctl("--output", "json", "doctor", "--api")
        self.assertEqual(r.returncode, 0, r.stderr)
        said = {o["Name"]: o for o in json.loads(r.stdout)["Operations"]}
        with gzip.open(glob.glob(os.path.join(pypi.install("botocore==1.44.8"), "botocore/data/lambda/2015-03-31/service-2.json*"))[0]) as f:
            model = json.load(f)["operations"]
        self.assertEqual(set(said), set(model))
        self.assertEqual({n for n, o in said.items() if o["Works"]}, self.built)
        for name, o in said.items():
            self.assertEqual(o["Method"], model[name]["http"]["method"])
            at, _, query = re.sub(r"\{\w+\+?\}", "no-such-thing", model[name]["http"]["requestUri"]).partition("?")
            r = self.d.request(o["Method"], at + (query and "?" + query), {} if o["Method"] in ("POST", "PUT") else None)
            if o["Works"]:
                self.assertNotEqual(r.status, 501, name)
                self.assertNotIn("Reason", o)
            else:
                self.assertEqual((r.status, r.json["message"]), (501, o["Reason"]), name)
        f = self.function()
        self.d.settled(f)
        for name, method, path, base in (("CreateFunction", "POST", "/2015-03-31/functions", {"FunctionName": "doctor", "Role": ROLE, "Runtime": "provided.al2023", "Handler": "x", "Code": {"ZipFile": "AAAA"}}),
                                         ("UpdateFunctionConfiguration", "PUT", f"/2015-03-31/functions/{f}/configuration", {})):
            for word in said[name]["Refused"].split(", "):
                if word in self.asked:
                    r = self.d.request(method, path, {**base, word: self.asked[word]})
                    self.assertEqual((r.status, r.json["message"]), (400, f"fnd does not support {word} yet"), name)
        table = self.d.fnctl("doctor", "--api").stdout
        self.assertIn(f"\n{len(self.built)} of {len(model)} operations work", table)
        self.assertRegex(table, r"(?m)^CreateCodeSigningConfig +refused +fnd does not implement CreateCodeSigningConfig yet$")
        self.assertRegex(table, r"(?m)^Invoke +works, but for +DurableExecutionName")

    asked = {"VpcConfig": {"SubnetIds": ["subnet-1"]}, "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1",
             "CodeSigningConfigArn": "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdefg"}

    def test_each(self):
        with open(os.path.join(HERE, "operations.txt")) as f:
            operations = [line.split() for line in f if not line.startswith("#")]
        self.assertGreater(len(operations), 90)
        self.assertLessEqual(self.built, {name for name, _, _ in operations})
        for name, method, uri in operations:
            for value in ("no-such-thing", "arn:aws:lambda:us-east-1:000000000000:function:no-such-thing:1/durable-execution/" + "x" * 700):
                path = re.sub(r"\{\w+\}", quote(value, ""), uri)
                for slash in ("", "/"):
                    at, _, query = path.partition("?")
                    r = self.d.request(method, at + slash + (query and "?" + query), {} if method in ("POST", "PUT") else None)
                    if name not in self.built:
                        self.assertEqual((r.status, r.error_type, r.json), (501, "NotImplementedException", {"message": f"fnd does not implement {name} yet"}), path)
                    elif value == "no-such-thing":
                        self.assertNotIn(r.error_type, ("NotImplementedException", "UnknownOperationException"), f"{name}: {r}")
        self.assertIn("Layers", self.d.request("GET", "/2018-10-31/layers?find=Other").json)
        self.assertEqual(self.d.request("GET", "/2019-01-01/functions").error_type, "UnknownOperationException")


if __name__ == "__main__":
    unittest.main()
