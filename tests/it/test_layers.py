"""Layers: published, listed, given to functions, found at /opt by the runtimes, kept as long as somebody needs them."""
import base64, hashlib, json, os, subprocess, sys, unittest, urllib.request
from harness import *
import pypi, test_awscli, test_logs_fnctl
from test_disk import Disk, package

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
        for i in range(200):
            try:
                add(f"{i:03}" + "x" * 90, Principal="123456789012", OrganizationId="o-0123456789")
            except self.c.exceptions.PolicyLengthExceededException as e:
                self.assertRegex(str(e), r"The final policy size \(20[4-9]\d\d\) is bigger than the limit \(20480\)\.$")
                break
        else:
            self.fail("it grows without end")
        for s in json.loads(self.c.get_layer_version_policy(**v)["Policy"])["Statement"][2:]:
            second = {"RevisionId": (self.c.remove_layer_version_permission(**v, StatementId=s["Sid"]), self.c.get_layer_version_policy(**v))[1]["RevisionId"]}
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
        same = self.layer("l-oc", {"lib/x": "a", "lib/only-a": "a", "dir/f": "a"})
        self.assertEqual(self.run_python(source, [a, same]), ["a", "a", None, None, "a", "0o40755", False])
        self.assertEqual(self.run_python(source, [a, b, same]), ["a", "a", "b", None, "a", "0o40755", False])
        self.assertEqual(self.run_python(source, [same, a, b]), ["b", "a", "b", "a file", None, "0o40755", False])

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


FOREIGN = "arn:aws:lambda:us-east-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python311-x86_64"


class Fnctl(LayerCase):
    fnctl = test_logs_fnctl.Fnctl.fnctl

    def source(self, files):
        d = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, d)
        for name, content in files.items():
            os.makedirs(os.path.dirname(os.path.join(d, name)), exist_ok=True)
            with open(os.path.join(d, name), "w") as f:
                f.write(content)
        return d

    def test_life_of_a_layer(self):
        for n in (1, 2):
            self.addCleanup(self.c.delete_layer_version, LayerName="fc-a", VersionNumber=n)
        out = self.fnctl("layer", "publish", "fc-a", self.source({"python/fc.py": "N = 1\n"}), "--description", "d", "--license", "MIT", "--compatible-runtime", "python3.11",
                         "--compatible-runtime", "python3.12", "--compatible-architecture", "x86_64")
        self.assertIn(f"fnctl update NAME --layer {LAYER}fc-a:1", out)
        self.fnctl("layer", "publish", "fc-a", self.source({"python/fc.py": "N = 2\n"}))
        got = json.loads(self.fnctl("layer", "get", "fc-a:1", "--output", "json"))
        self.assertEqual((got["Description"], got["LicenseInfo"], got["CompatibleRuntimes"], got["CompatibleArchitectures"]), ("d", "MIT", ["python3.11", "python3.12"], ["x86_64"]))
        self.assertEqual(self.fnctl("layer", "get", "fc-a"), self.fnctl("layer", "get", "fc-a:2"))
        self.assertRegex(self.fnctl("layer", "get", "fc-a"), r"ARN +" + LAYER + r"fc-a:2\n(.*\n)*Bytes +\d+\nSHA-256 ")
        self.assertIn("fc-a:2", self.fnctl("layer", "get", LAYER + "fc-a:2"))
        code = self.source({"f.py": "import fc\ndef handler(e, c):\n    return fc.N\n"})
        self.addCleanup(self.d.delete, "fc-f")
        self.assertRegex(self.fnctl("create", "fc-f", "--runtime", "python3.11", "--handler", "f.handler", "--code", code, "--layer", "fc-a"), r"Layer +" + LAYER + "fc-a:2")
        self.assertEqual(self.fnctl("invoke", "fc-f").strip(), "2")
        self.fnctl("update", "fc-f", "--layer", "fc-a:1")
        self.assertEqual(self.fnctl("invoke", "fc-f").strip(), "1")
        self.assertRegex(self.fnctl("layer", "list", "fc-a"), rf"{LAYER}fc-a:2 +6 +no .*\n{LAYER}fc-a:1 +6 +no +\S+ +fc-f:\$LATEST\n")
        self.assertEqual(self.fnctl("layer", "list", "fc-none"), "There is no layer fc-none. `fnctl layer list` shows those there are.\n")
        self.assertIn("keep it", self.fnctl("layer", "delete", "fc-a:1"))
        self.assertEqual(self.fnctl("invoke", "fc-f").strip(), "1")
        self.assertNotIn("Layer", self.fnctl("update", "fc-f", "--layer", "none"))
        self.assertIn("fc-none", self.fnctl("layer", "get", "fc-none", status=3))
        self.assertIn("fc-none", self.fnctl("update", "fc-f", "--layer", "fc-none", status=3))
        for wrong, said in ((("layer",), "publish, import, list, get or delete?"), (("layer", "drop", "x"), 'what is "drop"?'), (("layer", "publish", "x"), "what is in it?"),
                            (("layer", "delete", "fc-a"), "which version?"), (("layer", "get", "a:b:c"), "is no layer"), (("layer", "get", "fc-a:2", "--license", "x"), "takes no such options")):
            self.assertIn(said, self.fnctl(*wrong, status=2))

    def test_another_account_s(self):
        """What templates name: refused with the command that helps, then as one's own."""
        arn = FOREIGN + ":7"
        self.addCleanup(self.d.request, "DELETE", f"/2018-10-31/layers/{FOREIGN}/versions/7")
        f = self.python("import ours\ndef handler(e, c):\n    return ours.N\n")
        refused = self.fails("InvalidParameterValueException", self.c.update_function_configuration, FunctionName=f, Layers=[arn])
        words = refused.split("fnctl ")[1].split()
        self.assertEqual(words, ["layer", "import", arn, "FILE.zip"])
        d = self.source({"python/ours.py": "N = 'imported'\n"})
        self.fnctl(*words[:3], d)
        self.update(f, Layers=[arn])
        self.assertEqual(self.d.invoke(f).json, "imported")
        self.assertEqual(self.c.get_function_configuration(FunctionName=f)["Layers"][0]["Arn"], arn)
        self.assertEqual(self.c.get_layer_version_by_arn(Arn=arn)["LayerArn"], FOREIGN)
        self.assertNotIn(FOREIGN, json.dumps(self.c.list_layers()["Layers"]))  # it is another account's
        self.assertRegex(self.fnctl("layer", "list"), arn + r" +\d+ +yes .* " + f)
        self.fnctl("layer", "import", arn, d)  # again: it is there
        self.assertIn("has another content", self.fnctl("layer", "import", arn, self.source({"python/ours.py": "N = 'else'\n"}), status=3))
        self.fnctl("layer", "delete", arn)
        self.assertEqual(self.d.invoke(f).json, "imported")
        self.fnctl("layer", "import", arn, self.source({"python/ours.py": "N = 'else'\n"}))
        for wrong, said in ((LAYER + "mine:1", "fnctl layer publish mine"), (FOREIGN, "no ARN of a layer version"), (arn.replace("us-east-1", "eu-west-1"), "expected to be in region us-east-1"), ("x", "no ARN")):
            self.assertIn(said, self.fnctl("layer", "import", wrong, d, status=3))
        self.assertIn("fnctl layer import", self.fails("AccessDeniedException", self.c.publish_layer_version, LayerName=FOREIGN, Content={"ZipFile": make_zip({"a": "1"})}))


class Runtimes(LayerCase):
    """What is found below /opt, however the environment begins."""
    HOW = {"ahead": {}, "plain": {"PYTHONUNBUFFERED": "1", "NODE_NO_WARNINGS": "1"}}  # these variables keep a runtime from being started ahead

    def each_way(self, f, expected):
        for how, variables in self.HOW.items():
            self.update(f, Environment={"Variables": variables})
            r = self.d.invoke(f, {}, tail=True)
            self.assertEqual((r.error, r.json), (None, expected), (how, r))
            self.assertIn("runtime started ahead" if how == "ahead" else "runtime not ahead because of", r.log)

    def test_python(self):
        site = "python/lib/python3.11/site-packages/"
        a = self.layer("l-py-a", {"python/first.py": "N = 1", "python/both.py": "N = 'python'", site + "both.py": "N = 'site'", site + "x.pth": "/opt/more\n", "more/third.py": "N = 3",
                                  "python/json/__init__.py": "N = 'shadowed'"})
        f = self.python("import first, both, third, sys, json\ndef handler(e, c):\n    return [first.N, both.N, third.N, [p for p in sys.path if '/opt' in p], json.__file__]\n", Layers=[a])
        self.each_way(f, [1, "site", 3, ["/opt/python/lib/python3.11/site-packages", "/opt/python", "/opt/more"], "/opt/python/json/__init__.py"])

    def test_node(self):
        a = self.layer("l-js", {"nodejs/node_modules/lay/package.json": '{"name":"lay","exports":"./m.js"}', "nodejs/node_modules/lay/m.js": "module.exports = 'lay'",
                                "nodejs/node22/node_modules/own/index.js": "module.exports = '22'"})
        f = self.function(zip_bytes=make_zip({"i.js": "const got = [require('lay'), require('own')];\nexports.handler = async () => got;\n"}), runtime="nodejs22.x", handler="i.handler", Layers=[a])
        self.each_way(f, ["lay", "22"])
        m = self.function("l-esm", make_zip({"i.mjs": "import lay from 'lay';\nexport const handler = async () => lay;\n"}), runtime="nodejs22.x", handler="i.handler", Layers=[a])
        self.each_way(m, "lay")

    def test_es_modules_by_node_path(self):
        """Since nodejs18.x Lambda's `import` looks into NODE_PATH, in its order, after node's own places; another layer's modules do, too."""
        def files(major):
            own, plain = f"nodejs/node{major}/node_modules/", "nodejs/node_modules/"
            return {own + "esm/package.json": '{"name":"esm","type":"module","exports":{".":{"import":"./m.js"},"./deep":"./d.js"}}', own + "esm/m.js": "import { n } from 'plain';\nexport default ['esm', n];\n",
                    own + "esm/d.js": "export default 'deep';\n", own + "@a/scoped/index.js": "module.exports = 'scoped';", own + "both/index.js": f"module.exports = 'node{major}';",
                    plain + "both/index.js": "module.exports = 'plain';", plain + "plain/package.json": '{"type":"module","main":"p.js"}', plain + "plain/p.js": "import o from 'own-cjs';\nexport const n = o;\n",
                    own + "own-cjs/index.js": "module.exports = require('both');", "more/own.mjs/package.json": '{"name":"own.mjs","exports":"./o.js"}', "more/own.mjs/o.js": "module.exports = 'own.mjs';",
                    "more/bare/main.js": "module.exports = 'bare';", "more/bare/package.json": '{"main":"main"}', "more/bare/other.mjs": "export default 'other';\n"}
        code = """import esm from 'esm';
            import deep from 'esm/deep';
            import scoped from '@a/scoped';
            import both from 'both';
            import task from 'mine';
            import { S3Client } from '@aws-sdk/client-s3';
            const gone = [];
            for (const name of ['esm/none', 'nothing', './nothing.mjs'])
                await import(name).catch((e) => gone.push(e.code));
            const more = (process.env.NODE_PATH.includes('/opt/more')) ? [(await import('own.mjs')).default, (await import('bare')).default, (await import('bare/other.mjs')).default] : [];
            export const handler = async () => [esm, deep, scoped, both, task, typeof S3Client, import.meta.url, gone, more];
            """
        for major in (20, 22, 24):
            with self.subTest(major):
                f = self.function(f"l-path-{major}", make_zip({"i.mjs": code, "node_modules/mine/index.js": "module.exports = 'task';"}), runtime=f"nodejs{major}.x", handler="i.handler", memory=512, timeout=20,
                                  Layers=[self.layer(f"l-path-{major}", files(major))])
                expected = [["esm", f"node{major}"], "deep", "scoped", f"node{major}", "task", "function", "file:///var/task/i.mjs", ["ERR_PACKAGE_PATH_NOT_EXPORTED"] + ["ERR_MODULE_NOT_FOUND"] * 2, []]
                self.each_way(f, expected)
                path = f"/opt/nodejs/node{major}/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/opt/more"
                self.update(f, Environment={"Variables": {"NODE_PATH": path}})
                self.assertEqual(self.d.invoke(f).json, expected[:-1] + [["own.mjs", "bare", "other"]])

    def test_programs_and_libraries(self):
        d = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, d)
        with open(d + "/l.c", "w") as s:
            s.write("int answer(void) { return 42; }\n")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", d + "/liblay.so", d + "/l.c"], check=True)
        with open(d + "/liblay.so", "rb") as s:
            a = self.layer("l-bin", make_zip({"bin/lay": "#!/bin/sh\necho from a layer\n", "lib/liblay.so": s.read()}, {"bin/lay": 0o755}))
        f = self.python("import ctypes, subprocess\nlib = ctypes.CDLL('liblay.so')\ndef handler(e, c):\n    return [lib.answer(), subprocess.run(['lay'], stdout=-1, text=True).stdout]\n", Layers=[a])
        self.each_way(f, [42, "from a layer\n"])

    def test_a_custom_runtime(self):
        with open(os.path.join(BUILD, "fixtures/bootstrap"), "rb") as b:
            a = self.layer("l-boot", make_zip({"bootstrap": b.read()}))
        f = self.function(zip_bytes=make_zip({"data": "x"}), Layers=[a])
        self.assertEqual(self.d.invoke(f, {"a": 1}).json, {"a": 1})
        self.update(f, Layers=[])
        self.assertEqual(self.d.invoke(f, {}).json["errorType"], "Runtime.InvalidEntrypoint")

    def test_exec_wrapper(self):
        a = self.layer("l-wrap", make_zip({"wrap": '#!/bin/bash\nexport WRAPPED="$(basename "$1")"\nexec "$@"\n'}, {"wrap": 0o755}))
        wrapped = {"Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}}, "Layers": [a]}
        f = self.python("import os\ndef handler(e, c):\n    return os.environ.get('WRAPPED')\n", **wrapped)
        g = self.function("l-wrap-js", make_zip({"i.js": "exports.handler = async () => process.env.WRAPPED"}), runtime="nodejs22.x", handler="i.handler", **wrapped)
        for name, expected in ((f, "python3.11"), (g, "node")):
            r = self.d.invoke(name, {}, tail=True)
            self.assertEqual(r.json, expected, r)
            self.assertIn("runtime not ahead because of AWS_LAMBDA_EXEC_WRAPPER", r.log)

    def test_snapstart(self):
        a, b = self.layer("l-snap", {"python/lay.py": "N = 1", "data": "a"}), self.layer("l-snap", {"python/lay.py": "N = 2", "data": "b"})
        source = "import lay\nheld = open('/opt/data')\ndef handler(e, c):\n    import os\n    return [lay.N, held.read(), open('/opt/data').read(), os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']]\n"
        f = self.python(source, Layers=[a], SnapStart={"ApplyOn": "PublishedVersions"})
        for n, arn, expected in ((1, a, [1, "a", "a", "snap-start"]), (2, b, [2, "b", "b", "snap-start"])):
            self.update(f, Layers=[arn])
            version = self.c.publish_version(FunctionName=f)["Version"]
            self.assertEqual(version, str(n))
            wait_until("its snapshot is there", lambda: self.c.get_function_configuration(FunctionName=f, Qualifier=version)["State"] != "Pending")
            self.c.delete_layer_version(LayerName="l-snap", VersionNumber=n)
            r = self.d.invoke(f, {}, tail=True, query=f"?Qualifier={version}")
            self.assertEqual(r.json, expected, r)
            self.assertIn("Restore Duration", r.log)


class Packages(LayerCase):
    """Layers as people make them: pip and npm into python/ and nodejs/."""

    def test_numpy_and_requests(self):
        where = pypi.install("numpy==2.2.6", "requests==2.32.5", "urllib3==2.5.0", "idna==3.10", "certifi==2025.8.3", "charset-normalizer==3.4.3", python="3.11")
        a = self.layer("l-numpy", make_zip({n: c for n, c in pypi.files(where, "python/").items() if "/tests/" not in n}), CompatibleRuntimes=["python3.11"])
        source = """
            import numpy, requests
            class Echo(requests.adapters.BaseAdapter):
                def send(self, request, **kw):
                    r = requests.Response(); r.status_code = 200; r._content = request.url.encode(); return r
                def close(self): pass
            s = requests.Session(); s.mount('https://', Echo())
            def handler(e, c):
                return [float(numpy.linalg.inv(numpy.eye(8) * 2).sum()), numpy.__file__[:11], s.get('https://x/', params={'q': 'a b'}).text]
        """.replace("\n            ", "\n")
        self.assertEqual(self.run_python(source, [a], MemorySize=1024, Timeout=60), [4.0, "/opt/python", "https://x/?q=a+b"])

    def test_powertools_as_its_public_layer_has_it(self):
        where = pypi.install("aws-lambda-powertools==3.20.0", "typing_extensions==4.15.0", "jmespath==1.0.1", python="3.11")
        self.d.request("PUT", f"/_fnd/layers/{FOREIGN}:18", {"Content": {"ZipFile": base64.b64encode(make_zip(pypi.files(where, "python/lib/python3.11/site-packages/"))).decode()}})
        self.addCleanup(self.d.request, "DELETE", f"/2018-10-31/layers/{FOREIGN}/versions/18")
        source = """
            from aws_lambda_powertools import Logger
            from aws_lambda_powertools.event_handler import APIGatewayRestResolver
            logger, app = Logger(service='it'), APIGatewayRestResolver()
            @app.get('/hello/<name>')
            def hello(name):
                logger.info('greeting')
                return {'message': f'hello {name}'}
            @logger.inject_lambda_context
            def handler(e, c):
                return app.resolve({'path': '/hello/you', 'httpMethod': 'GET', 'headers': {}, 'requestContext': {}}, c)
        """.replace("\n            ", "\n")
        f = self.python(source, Layers=[FOREIGN + ":18"], MemorySize=512, Timeout=30)
        r = self.d.invoke(f, {}, tail=True)
        self.assertEqual((r.error, json.loads(r.json["body"])), (None, {"message": "hello you"}), r)
        self.assertIn('"message":"greeting"', r.log)


class Tools(LayerCase):
    setUp, aws, write_zip = test_awscli.AwsCli.setUp, test_awscli.AwsCli.aws, test_awscli.AwsCli.write_zip

    def test_aws_cli(self):
        made = self.aws("publish-layer-version", "--layer-name", "cli-l", "--description", "d", "--zip-file", self.write_zip("l.zip", make_zip({"python/lay.py": "N = 'cli'"})),
                        "--compatible-runtimes", "python3.11", "python3.12", "--compatible-architectures", "x86_64")
        self.addCleanup(self.d.request, "DELETE", "/2018-10-31/layers/cli-l/versions/1")
        self.assertEqual((made["LayerVersionArn"], made["CompatibleRuntimes"]), (LAYER + "cli-l:1", ["python3.11", "python3.12"]))
        self.addCleanup(self.d.delete, "cli-layered")
        self.aws("create-function", "--function-name", "cli-layered", "--runtime", "python3.11", "--handler", "f.handler", "--role", ROLE, "--layers", LAYER + "cli-l:1", "--zip-file",
                 self.write_zip("f.zip", make_zip({"f.py": "import lay\ndef handler(e, c):\n    return lay.N\n"})))
        self.aws("wait", "function-active-v2", "--function-name", "cli-layered")
        self.assertEqual(self.d.invoke("cli-layered").json, "cli")
        self.assertEqual(self.aws("list-layers", "--compatible-runtime", "python3.12", "--query", "Layers[?LayerName=='cli-l'].LatestMatchingVersion.Version"), [1])
        self.aws("add-layer-version-permission", "--layer-name", "cli-l", "--version-number", "1", "--statement-id", "s", "--action", "lambda:GetLayerVersion", "--principal", "*")
        self.assertIn("Policy", self.aws("get-layer-version-policy", "--layer-name", "cli-l", "--version-number", "1"))
        self.aws("remove-layer-version-permission", "--layer-name", "cli-l", "--version-number", "1", "--statement-id", "s")
        self.aws("update-function-configuration", "--function-name", "cli-layered", "--layers")
        self.aws("wait", "function-updated-v2", "--function-name", "cli-layered")
        self.assertEqual(self.d.invoke("cli-layered").json["errorType"], "Runtime.ImportModuleError")
        self.aws("delete-layer-version", "--layer-name", "cli-l", "--version-number", "1")
        self.assertIn(NO_RESOURCE, self.aws("get-layer-version-by-arn", "--arn", LAYER + "cli-l:1", fails=True))

    def test_as_terraform_does_it(self):
        """aws_lambda_layer_version: a new one for each change, the old one goes when the function has the new one; the data source takes the newest that fits."""
        arn = self.layer("tf-l", {"a": "1"}, CompatibleRuntimes=["provided.al2023"])
        read = self.c.get_layer_version(LayerName="tf-l", VersionNumber=1)
        self.assertEqual((read["LayerVersionArn"], read["LayerArn"], read["Version"], read.get("LicenseInfo")), (arn, LAYER + "tf-l", 1, None))
        f = self.function(Layers=[arn])
        newer = self.layer("tf-l", {"a": "2"}, CompatibleRuntimes=["provided.al2023"])
        self.update(f, Layers=[newer])
        self.c.delete_layer_version(LayerName="tf-l", VersionNumber=1)
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.get_layer_version, LayerName="tf-l", VersionNumber=1), NO_RESOURCE)
        newest = self.c.list_layer_versions(LayerName="tf-l", CompatibleRuntime="provided.al2023")["LayerVersions"][0]["Version"]
        self.assertEqual(self.c.get_layer_version(LayerName=LAYER + "tf-l", VersionNumber=newest)["LayerVersionArn"], newer)
        self.assertEqual([l["Arn"] for l in self.c.get_function(FunctionName=f)["Configuration"]["Layers"]], [newer])


class OnDisk(Disk):
    """Content is there once, and as long as somebody needs it."""

    def publish(self, name, content, expect=201):
        r = self.d.request("POST", f"/2018-10-31/layers/{name}/versions", {"Content": {"ZipFile": base64.b64encode(content).decode()}})
        self.assertEqual(r.status, expect, r)
        return r.json

    def drop(self, arn):
        name, version = arn.split(":")[6:]
        self.assertEqual(self.d.request("DELETE", f"/2018-10-31/layers/{name}/versions/{version}").status, 204)

    def layers(self):
        return {tuple(sorted(i["Owners"])): i["Bytes"] for i in self.rows("layer").values()}

    def test_shared_and_gone_when_nobody_needs_it(self):
        z = package(1)
        a, b = self.publish("a", z)["LayerVersionArn"], self.publish("b", z)["LayerVersionArn"]
        self.assertEqual([o for o in self.layers()], [("layer a:1", "layer b:1")])
        self.agree()
        self.d.create("f", z, Layers=[a], Publish=True)  # the code is the same package, and another tree
        self.d.settled("f")
        self.assertEqual([o for o in self.layers()], [("f:$LATEST", "f:1", "layer a:1", "layer b:1")])
        self.assertEqual(len(self.rows("package")), 1)
        self.drop(a)
        self.drop(b)
        self.d.configure("f", Layers=[])
        self.assertEqual(self.d.invoke("f", {"do": "echo"}, query="?Qualifier=1").status, 200)
        self.assertEqual([o for o in self.layers()], [("f:1",)])
        self.d.stop()
        self.d.start()
        wait_until("whatever a killed worker's unpacker has finished after it has gone", lambda: [o for o in self.layers()] == [("f:1",)])
        self.agree()
        self.assertEqual(self.d.invoke("f", {"do": "echo"}, query="?Qualifier=1").status, 200)
        self.assertEqual(self.d.request("DELETE", "/2015-03-31/functions/f?Qualifier=1").status, 204)
        wait_until("the layer has gone, the package is the code's", lambda: not self.rows("layer") and len(self.rows("package")) == 1)
        self.agree()
        self.d.delete("f")
        wait_until("nothing is left", lambda: not self.rows("code") and not self.rows("package"))
        self.agree()
        self.assertEqual(self.publish("a", z)["Version"], 2)
        self.drop(LAYER + "a:2")

    def test_a_bad_one_leaves_nothing(self):
        before = self.there()
        self.publish("bad", b"no zip", expect=400)
        wait_until("it has gone", lambda: self.there() == before)
        self.agree()

    def test_lost_trees_are_unpacked_again(self):
        arns = [self.publish(name, make_zip({name: name}))["LayerVersionArn"] for name in ("x", "y")]
        self.d.create("lost", make_zip({"f.py": "import os\ndef handler(e, c):\n    return sorted(os.listdir('/opt'))\n"}), runtime="python3.11", handler="f.handler", Layers=arns)
        self.d.settled("lost")
        for t in glob.glob(os.path.join(self.d.state, "roots/layer-*")):
            shutil.rmtree(t)
        self.assertEqual(self.d.invoke("lost").json, ["x", "y"])
        self.assertEqual(self.d.log().count("has been unpacked again"), 2)
        self.d.delete("lost")
        for arn in arns:
            self.drop(arn)
        wait_until("they are gone", lambda: not self.rows("layer"))

    def test_killed_in_the_midst(self):
        """Each answered publication is there afterwards, with its number; nothing else is."""
        done, stop = [], threading.Event()

        def go(i):
            n = 0
            while not stop.is_set():
                n += 1
                try:
                    r = self.d.request("POST", f"/2018-10-31/layers/k{i}/versions", {"Content": {"ZipFile": base64.b64encode(make_zip({"n": f"{i} {n % 3}"})).decode()}})
                    if r.status == 201:
                        done.append((r.json["LayerVersionArn"], r.json["Content"]["CodeSha256"]))
                        if n % 4 == 0:
                            v = done.pop()[0]
                            self.d.request("DELETE", f"/2018-10-31/layers/k{i}/versions/{v.rsplit(':', 1)[1]}")
                except OSError:
                    time.sleep(0.05)
        threads = [threading.Thread(target=go, args=(i,)) for i in range(3)]
        for t in threads:
            t.start()
        for _ in range(3):
            goal = len(done) + 5
            wait_until("some are published", lambda: len(done) >= goal)
            for pid in self.d.pids()["worker"]:
                os.kill(pid, signal.SIGKILL)
            wait_until("fnd is back", self.d.is_ready)
        stop.set()
        for t in threads:
            t.join()
        there = {l["LayerVersionArn"] for l in self.d.request("GET", "/_fnd/layers").json["Layers"]}
        self.assertLessEqual({arn for arn, _ in done}, there)
        self.agree()
        for arn in there:
            self.drop(arn)
        wait_until("nothing is left", lambda: not self.rows("layer") and not self.rows("package"))
        self.agree()


if __name__ == "__main__":
    main()
