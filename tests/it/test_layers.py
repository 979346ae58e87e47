"""Layers: published, listed, given to functions, found at /opt by the runtimes, kept as long as somebody needs them."""
import base64, hashlib, json, os, subprocess, unittest, urllib.request
from harness import *

LAYER = "arn:aws:lambda:us-east-1:000000000000:layer:"
PATTERN = (r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|"
           r"(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)")
NO_RESOURCE = "The resource you requested does not exist."


class LayerCase(BotoCase):
    def publish(self, name, files, **more):
        made = self.c.publish_layer_version(LayerName=name, Content={"ZipFile": files if isinstance(files, bytes) else make_zip(files)}, **more)
        self.addCleanup(lambda: self.c.delete_layer_version(LayerName=name, VersionNumber=made["Version"]))
        return made

    def layer(self, name, files, **more):
        return self.publish(name, files, **more)["LayerVersionArn"]

    def run_python(self, source, layers, **more):
        f = self.python(source, Layers=layers, **more)
        r = self.d.invoke(f, {}, tail=True)
        self.assertIsNone(r.error, r.body)
        return r.json


class Api(LayerCase):
    def test_shapes(self):
        z = make_zip({"a": "1"})
        self.assertEqual(self.c.list_layer_versions(LayerName="l-shape")["LayerVersions"], [])
        made = self.publish("l-shape", z, Description="d", CompatibleRuntimes=["python3.11", "nodejs22.x"], CompatibleArchitectures=["arm64", "x86_64"], LicenseInfo="MIT")
        self.assertEqual(made.pop("ResponseMetadata")["HTTPStatusCode"], 201)
        content = made.pop("Content")
        self.assertRegex(made.pop("CreatedDate"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$")
        self.assertEqual(made, {"LayerArn": LAYER + "l-shape", "LayerVersionArn": LAYER + "l-shape:1", "Description": "d", "Version": 1, "LicenseInfo": "MIT",
                                "CompatibleRuntimes": ["python3.11", "nodejs22.x"], "CompatibleArchitectures": ["arm64", "x86_64"]})
        self.assertEqual((content["CodeSize"], content["CodeSha256"]), (len(z), base64.b64encode(hashlib.sha256(z).digest()).decode()))
        with urllib.request.urlopen(content["Location"]) as r:
            self.assertEqual(r.read(), z)
        second = self.publish("l-shape", z, CompatibleRuntimes=[], CompatibleArchitectures=[])  # the same content is another version
        self.assertEqual((second["Version"], second["Content"]["CodeSha256"], second["Description"]), (2, content["CodeSha256"], ""))
        self.assertEqual((second["CompatibleRuntimes"], second["CompatibleArchitectures"]), ([], []))
        self.assertNotIn("LicenseInfo", second)
        self.assertNotIn("CompatibleRuntimes", self.publish("l-shape", {"a": "3"}))
        for got in (self.c.get_layer_version(LayerName="l-shape", VersionNumber=1), self.c.get_layer_version(LayerName=LAYER + "l-shape", VersionNumber=1),
                    self.c.get_layer_version_by_arn(Arn=LAYER + "l-shape:1")):
            self.assertEqual((got["LayerVersionArn"], got["Content"]["CodeSha256"], got["LicenseInfo"]), (LAYER + "l-shape:1", content["CodeSha256"], "MIT"))
        versions = self.c.list_layer_versions(LayerName="l-shape")["LayerVersions"]
        self.assertEqual([v["Version"] for v in versions], [3, 2, 1])
        self.assertFalse({"Content", "LayerArn"} & set(versions[0]))
        listed = next(l for l in self.c.list_layers()["Layers"] if l["LayerName"] == "l-shape")
        self.assertEqual((listed["LayerArn"], listed["LatestMatchingVersion"]), (LAYER + "l-shape", versions[0]))

    def test_filters_and_pages(self):
        for i in range(3):
            self.publish(f"l-page{i}", {"a": str(i)}, CompatibleRuntimes=["ruby3.3"], CompatibleArchitectures=["x86_64"])
        self.publish("l-page0", {"a": "new"}, CompatibleRuntimes=["java21"], CompatibleArchitectures=["arm64"])
        mine = lambda **kw: [(l["LayerName"], l["LatestMatchingVersion"]["Version"]) for l in self.c.list_layers(**kw)["Layers"] if l["LayerName"].startswith("l-page")]
        self.assertEqual(mine(), [("l-page0", 2), ("l-page1", 1), ("l-page2", 1)])
        self.assertEqual(mine(CompatibleRuntime="ruby3.3"), [("l-page0", 1), ("l-page1", 1), ("l-page2", 1)])
        self.assertEqual(mine(CompatibleArchitecture="arm64"), [("l-page0", 2)])
        self.assertEqual(mine(CompatibleRuntime="ruby3.3", CompatibleArchitecture="arm64"), [])
        one = self.c.list_layers(CompatibleRuntime="ruby3.3", MaxItems=1)
        self.assertEqual(len(one["Layers"]), 1)
        self.assertEqual(len(self.c.get_paginator("list_layers").paginate(CompatibleRuntime="ruby3.3", PaginationConfig={"PageSize": 1}).build_full_result()["Layers"]), 3)
        versions = lambda **kw: [v["Version"] for v in self.c.get_paginator("list_layer_versions").paginate(LayerName="l-page0", PaginationConfig={"PageSize": 1}, **kw).build_full_result()["LayerVersions"]]
        self.assertEqual((versions(), versions(CompatibleRuntime="java21"), versions(CompatibleArchitecture="x86_64")), ([2, 1], [2], [1]))
        self.assertNotIn("NextMarker", self.c.list_layer_versions(LayerName="l-page0", MaxItems=2))
        self.assertEqual(self.c.list_layer_versions(LayerName="l-page0", MaxItems=1)["NextMarker"], "2")
        self.assertIn("Member must satisfy enum value set: [x86_64, arm64]", self.fails("ValidationException", self.raw.list_layers, CompatibleArchitecture="bogus"))
        self.assertIn("at 'compatibleRuntime' failed", self.fails("ValidationException", self.raw.list_layers, CompatibleRuntime="bogus"))
        self.assertIn("Marker", self.fails("InvalidParameterValueException", self.c.list_layer_versions, LayerName="l-page0", Marker="x"))

    def test_numbers_never_come_again(self):
        for n in (1, 2):
            self.assertEqual(self.publish("l-numbers", {"a": "x"})["Version"], n)
        for n in (2, 1, 1, 7):
            self.assertEqual(self.c.delete_layer_version(LayerName="l-numbers", VersionNumber=n)["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.c.list_layer_versions(LayerName="l-numbers")["LayerVersions"], [])
        self.assertNotIn("l-numbers", [l["LayerName"] for l in self.c.list_layers()["Layers"]])
        self.assertEqual(self.publish("l-numbers", {"a": "x"})["Version"], 3)
        self.assertEqual(self.c.delete_layer_version(LayerName="l-no-such", VersionNumber=1)["ResponseMetadata"]["HTTPStatusCode"], 204)

    def test_refusals(self):
        absent = [(self.c.get_layer_version, {"LayerName": "l-none", "VersionNumber": 1}), (self.c.get_layer_version_by_arn, {"Arn": LAYER + "l-none:1"})]
        for call, kw in absent:
            self.assertEqual(self.fails("ResourceNotFoundException", call, **kw), NO_RESOURCE)
        for n in (0, -1):
            for call in (self.c.get_layer_version, self.c.delete_layer_version):
                self.assertEqual(self.fails("InvalidParameterValueException", call, LayerName="l-none", VersionNumber=n), "Layer Version Cannot be less than 1")
        self.assertEqual(self.fails("ValidationException", self.c.get_layer_version_by_arn, Arn=LAYER + "l-none"),
                         f"1 validation error detected: Value '{LAYER}l-none' at 'arn' failed to satisfy constraint: Member must satisfy regular expression pattern: {PATTERN}")
        z = make_zip({"a": "1"})
        message = self.fails("ValidationException", self.raw.publish_layer_version, LayerName="l-bad", Content={"ZipFile": z}, CompatibleRuntimes=["invalidruntime", "invalidruntime2", "nodejs20.x"],
                             CompatibleArchitectures=["invalidarch", "x86_64"])
        self.assertIn("2 validation errors detected: ", message)
        self.assertIn("Value '[invalidruntime, invalidruntime2, nodejs20.x]' at 'compatibleRuntimes' failed to satisfy constraint: Member must satisfy enum value set: [", message)
        self.assertIn("Value '[invalidarch, x86_64]' at 'compatibleArchitectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], "
                      "Member must not be null]", message)
        self.assertIn("less than or equal to 15", self.fails("ValidationException", self.raw.publish_layer_version, LayerName="l-bad", Content={"ZipFile": z}, CompatibleRuntimes=["python3.11"] * 16))
        self.assertIn("at 'content' failed", self.fails("ValidationException", self.raw.publish_layer_version, LayerName="l-bad"))
        self.assertEqual(self.fails("InvalidParameterValueException", self.c.publish_layer_version, LayerName="l-bad", Content={"ZipFile": b"no zip"}),
                         "Could not unzip uploaded file. Please check your file, then try to upload again.")
        self.assertEqual(self.fails("InvalidParameterValueException", self.raw.publish_layer_version, LayerName="l-bad", Content={}), "Please provide a source for function code.")
        self.assertIn("000000000001", self.fails("AccessDeniedException", self.c.publish_layer_version, LayerName=LAYER.replace("0:layer", "1:layer") + "x", Content={"ZipFile": z}))
        self.assertEqual(self.c.list_layer_versions(LayerName="l-bad")["LayerVersions"], [])

    def test_usage(self):
        used = lambda: self.c.get_account_settings()["AccountUsage"]["TotalCodeSize"]
        before, z = used(), make_zip({"a": os.urandom(3000)})
        for n in (1, 2):  # each version counts, whatever is the same
            self.publish("l-usage", z)
            self.assertEqual(used() - before, n * len(z))
        for n in (1, 2):
            self.c.delete_layer_version(LayerName="l-usage", VersionNumber=n)
        self.assertEqual(used(), before)

    def test_policy(self):
        arn = self.layer("l-policy", {"a": "1"})
        v = {"LayerName": "l-policy", "VersionNumber": 1}
        add = lambda sid, **kw: self.c.add_layer_version_permission(**{**v, "StatementId": sid, "Action": "lambda:GetLayerVersion", "Principal": "*", **kw})
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.get_layer_version_policy, **v), "No policy is associated with the given resource.")
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.remove_layer_version_permission, **v, StatementId="s1"), "Statement s1 is not found in resource policy.")
        made = add("s1")
        self.assertEqual(made["ResponseMetadata"]["HTTPStatusCode"], 201)
        s1 = {"Sid": "s1", "Effect": "Allow", "Principal": "*", "Action": "lambda:GetLayerVersion", "Resource": arn}
        self.assertEqual(made["Statement"], json.dumps(s1, separators=(",", ":")))
        second = add("s2", Principal="123456789012", OrganizationId="o-0123456789")
        s2 = {"Sid": "s2", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "lambda:GetLayerVersion", "Resource": arn,
              "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-0123456789"}}}
        self.assertEqual(second["Statement"], json.dumps(s2, separators=(",", ":")))
        got = self.c.get_layer_version_policy(**v)
        self.assertEqual(got["Policy"], json.dumps({"Version": "2012-10-17", "Id": "default", "Statement": [s1, s2]}, separators=(",", ":")))
        self.assertEqual(got["RevisionId"], second["RevisionId"])
        self.assertNotEqual(made["RevisionId"], second["RevisionId"])
        self.assertEqual(self.fails("ResourceConflictException", add, sid="s1"),
                         "The statement id (s1) provided already exists. Please provide a new statement id, or remove the existing statement.")
        stale = "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id"
        self.assertEqual(self.fails("PreconditionFailedException", add, sid="s3", RevisionId=made["RevisionId"]), stale)
        self.assertEqual(self.fails("PreconditionFailedException", self.c.remove_layer_version_permission, **v, StatementId="s1", RevisionId=made["RevisionId"]), stale)
        self.assertIn("at 'action' failed to satisfy constraint: Member must satisfy regular expression pattern: lambda:GetLayerVersion",
                      self.fails("ValidationException", add, sid="s3", Action="*"))
        for call, more in ((self.c.add_layer_version_permission, {"StatementId": "s", "Action": "lambda:GetLayerVersion", "Principal": "*"}), (self.c.get_layer_version_policy, {}),
                           (self.c.remove_layer_version_permission, {"StatementId": "s"})):
            self.assertEqual(self.fails("ResourceNotFoundException", call, LayerName="l-none", VersionNumber=4, **more), f"Layer version {LAYER}l-none:4 does not exist.")
        self.assertEqual(self.c.remove_layer_version_permission(**v, StatementId="s1", RevisionId=second["RevisionId"])["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(json.loads(self.c.get_layer_version_policy(**v)["Policy"])["Statement"], [s2])
        self.c.remove_layer_version_permission(**v, StatementId="s2")
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.get_layer_version_policy, **v), "No policy is associated with the given resource.")

    def test_published_at_once(self):
        """Each has a number of its own, and none is lost."""
        made, threads = [], []
        for i in range(12):
            threads.append(threading.Thread(target=lambda i=i: made.append(self.publish("l-race", {"a": str(i % 3)})["Version"])))
            threads[-1].start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(made), list(range(1, 13)))
        self.assertEqual([v["Version"] for v in self.c.list_layer_versions(LayerName="l-race")["LayerVersions"]], list(range(12, 0, -1)))


class Functions(LayerCase):
    def test_refusals(self):
        a1, a2, b = self.layer("l-ra", {"a": "1"}), self.layer("l-ra", {"a": "2"}), self.layer("l-rb", {"b": "1"})
        f = self.function()
        make = lambda layers: self.fails("InvalidParameterValueException", self.c.create_function, FunctionName="l-x", Runtime="provided.al2023", Role=ROLE, Handler="x",
                                         Code={"ZipFile": native_zip()}, Layers=layers)
        change = lambda layers: self.fails("InvalidParameterValueException", self.c.update_function_configuration, FunctionName=f, Layers=layers)
        for refused in (make, change):
            self.assertEqual(refused([b] * 6), "Cannot reference more than 5 layers.")
            self.assertEqual(refused([a1, b, a2]), f"Two different versions of the same layer are not allowed to be referenced in the same function. {a1} and {a2} are versions of the same layer.")
            self.assertIn(f"{b} and {b} are versions", refused([b, b]))
            self.assertEqual(refused([LAYER + "l-none:1"]), f"Layer version {LAYER}l-none:1 does not exist.")
            self.assertEqual(refused([a1[:-1] + "9"]), f"Layer version {a1[:-1]}9 does not exist.")
            self.assertEqual(refused([LAYER.replace("us-east-1", "eu-west-1") + "l:1"]),
                             "Layers are not in the same region as the function. Layers are expected to be in region us-east-1.")
            self.assertEqual(refused(["arn:aws:lambda:::awslayer:AmazonLinux1803"]), "Layer version arn:aws:lambda:::awslayer:AmazonLinux1803 does not exist.")
            foreign = "arn:aws:lambda:us-east-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python311-x86_64:7"
            self.assertIn(f"fnctl layer import {foreign} FILE.zip", refused([foreign]))
        self.assertEqual(self.fails("ValidationException", self.raw.update_function_configuration, FunctionName=f, Layers=[LAYER + "l-ra"]),
                         f"1 validation error detected: Value '[{LAYER}l-ra]' at 'layers' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to "
                         f"2048, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: {PATTERN}, Member must not be null]")
        self.assertNotIn("Layers", self.c.get_function_configuration(FunctionName=f))

    def test_shown_in_every_configuration(self):
        z = make_zip({"a": "1"})
        a, b = self.layer("l-sa", z), self.layer("l-sb", {"b": "22"})
        f = self.function(Layers=[a], Publish=True)
        entry = [{"Arn": a, "CodeSize": len(z)}]
        self.assertEqual(self.c.get_function_configuration(FunctionName=f)["Layers"], entry)
        self.assertEqual(self.c.get_function(FunctionName=f, Qualifier="1")["Configuration"]["Layers"], entry)
        self.assertEqual(next(l for l in self.c.list_functions()["Functions"] if l["FunctionName"] == f)["Layers"], entry)
        self.assertEqual(self.c.update_function_configuration(FunctionName=f, Layers=[b, a])["Layers"][1], entry[0])
        self.d.settled(f)
        self.update(f, Description="else")  # what says nothing of them leaves them
        self.assertEqual([l["Arn"] for l in self.c.get_function_configuration(FunctionName=f)["Layers"]], [b, a])
        self.assertEqual(self.c.publish_version(FunctionName=f)["Version"], "2")
        self.update(f, Layers=[a, b])
        self.assertEqual([l["Arn"] for l in self.c.publish_version(FunctionName=f)["Layers"]], [a, b])  # another order is another version
        self.update(f, Layers=[])
        self.assertNotIn("Layers", self.c.get_function_configuration(FunctionName=f))
        self.assertEqual([v.get("Layers", [{}])[0].get("Arn") for v in self.c.list_versions_by_function(FunctionName=f)["Versions"]], [None, a, b, a])

    def test_the_later_one_s_file_is_seen(self):
        a = self.layer("l-oa", {"lib/x": "a", "lib/only-a": "a", "dir/f": "a"})
        b = self.layer("l-ob", {"lib/x": "b", "lib/only-b": "b", "dir": "a file"})
        source = """
            import os
            def handler(event, c):
                at = lambda p: open('/opt/' + p).read() if os.path.isfile('/opt/' + p) else None
                return [at('lib/x'), at('lib/only-a'), at('lib/only-b'), at('dir'), at('dir/f'), oct(os.stat('/opt').st_mode), os.access('/opt', os.W_OK)]
        """.replace("\n            ", "\n")
        self.assertEqual(self.run_python(source, [a, b]), ["b", "a", "b", "a file", None, "0o40755", False])
        self.assertEqual(self.run_python(source, [b, a]), ["a", "a", "b", None, "a", "0o40755", False])

    def test_a_deleted_version_stays_with_who_has_it(self):
        arn = self.layer("l-del", {"python/lay.py": "N = 1"})
        f = self.python("import lay\ndef handler(event, c):\n    return lay.N\n", Layers=[arn], Publish=True)
        self.c.delete_layer_version(LayerName="l-del", VersionNumber=1)
        self.assertEqual(self.d.invoke(f).json, 1)
        self.assertEqual(self.c.get_function_configuration(FunctionName=f)["Layers"][0]["Arn"], arn)
        self.assertEqual(self.fails("InvalidParameterValueException", self.c.update_function_configuration, FunctionName=f, Layers=[arn]), f"Layer version {arn} does not exist.")
        self.update(f, MemorySize=256)  # a new environment
        self.assertEqual(self.d.invoke(f).json, 1)

    def test_250_mb_with_the_code(self):
        """Zeros pack well; what counts is what they are unpacked."""
        a, b = self.layer("l-ma", {"a": bytes(100 << 20)}), self.layer("l-mb", {"b": bytes(100 << 20)})
        code = make_zip({"bootstrap": "#!/bin/sh\n", "z": bytes(60 << 20)})
        total = (260 << 20) + 10
        said = f"Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is {total} bytes."
        self.assertEqual(self.fails("InvalidParameterValueException", self.c.create_function, FunctionName="l-250", Runtime="provided.al2023", Role=ROLE, Handler="x", Code={"ZipFile": code},
                                    Layers=[a, b]), said)
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.get_function, FunctionName="l-250"), f"Function not found: {ARN}l-250")
        f = self.function(Layers=[a, b])
        self.assertEqual(self.fails("InvalidParameterValueException", self.c.update_function_code, FunctionName=f, ZipFile=code), said)
        g = self.function("l-250b", code, Layers=[a])
        self.assertEqual(self.fails("InvalidParameterValueException", self.c.update_function_configuration, FunctionName=g, Layers=[a, b]), said)


if __name__ == "__main__":
    main()
