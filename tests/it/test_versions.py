"""Versions and aliases: every operation through boto3 and the AWS CLI, routing by weight, changes under load, restarts, upgrades."""
import collections, http.client, random, sqlite3, threading
from harness import *
import test_awscli, test_logs_fnctl  # modules, lest their tests run here too

_zips = {}


def package(n):
    """The native runtime in a package of its own."""
    if n not in _zips:
        with open(os.path.join(BUILD, "fixtures/bootstrap"), "rb") as f:
            _zips[n] = make_zip({"bootstrap": f.read(), "n": str(n)})
    return _zips[n]


def sha(n):
    return base64.b64encode(hashlib.sha256(package(n)).digest()).decode()


def hexes(*ns):
    return {hashlib.sha256(package(n)).hexdigest() for n in ns}


class Api(BotoCase):
    def make(self, **more):
        return self.function(zip_bytes=package(1), **more)

    def three(self):
        f = self.make()
        for want in "123":
            self.change(f)
            self.assertEqual(self.publish(f), want)
        return f

    def env(self, f, **kw):
        r = self.c.invoke(FunctionName=f, Payload=b'{"do":"env"}', **kw)
        self.assertNotIn("FunctionError", r)
        return r["ExecutedVersion"], json.load(r["Payload"])


class Versions(Api):
    def test_publish(self):
        f = self.make(Description="first")
        latest = self.c.get_function_configuration(FunctionName=f)
        v1 = self.c.publish_version(FunctionName=f, Description="one", CodeSha256=sha(1), RevisionId=latest["RevisionId"])
        self.assertEqual(v1["ResponseMetadata"]["HTTPStatusCode"], 201)
        self.assertEqual((v1["Version"], v1["FunctionArn"], v1["Description"], v1["State"], v1["LastUpdateStatus"]), ("1", f"{ARN}{f}:1", "one", "Active", "Successful"))
        self.c.get_waiter("published_version_active").wait(FunctionName=f, Qualifier="1")
        again = self.c.publish_version(FunctionName=f, Description="another")
        self.assertEqual({k: v for k, v in again.items() if k != "ResponseMetadata"}, {k: v for k, v in v1.items() if k != "ResponseMetadata"}, "nothing has changed since")
        now = self.c.get_function_configuration(FunctionName=f)
        self.assertEqual((now["Description"], now["LastModified"]), ("first", latest["LastModified"]))
        self.assertEqual(len({now["RevisionId"], latest["RevisionId"], v1["RevisionId"]}), 3)
        # a version is what it was, whatever happens to $LATEST
        self.update(f, ZipFile=package(2))
        self.update(f, MemorySize=256, Environment={"Variables": {"AB": "c", "DE": "f"}})
        self.assertEqual(self.publish(f), "2")
        got = {q: self.c.get_function(FunctionName=f, Qualifier=q) for q in ("1", "2", "$LATEST")}
        self.assertEqual([(g["Configuration"]["CodeSha256"], g["Configuration"]["MemorySize"], g["Configuration"]["FunctionArn"]) for g in got.values()],
                         [(sha(1), 128, f"{ARN}{f}:1"), (sha(2), 256, f"{ARN}{f}:2"), (sha(2), 256, f"{ARN}{f}:$LATEST")])
        import urllib.request
        for q, n in (("1", 1), ("2", 2)):
            with urllib.request.urlopen(got[q]["Code"]["Location"]) as r:
                self.assertEqual(r.read(), package(n))
        # back to the same content in other words: still nothing new
        self.update(f, MemorySize=300)
        self.update(f, MemorySize=256, Environment={"Variables": {"DE": "f", "AB": "c"}})
        self.update(f, ZipFile=package(2))
        self.assertEqual(self.publish(f), "2")
        for n, change in enumerate(({"Timeout": 4}, {"Role": ROLE + "2"}, {"Handler": "other"}, {"EphemeralStorage": {"Size": 600}}, {"TracingConfig": {"Mode": "Active"}},
                                    {"LoggingConfig": {"LogFormat": "JSON"}}, {"Environment": {"Variables": {"DE": "g", "AB": "c"}}}, {"Description": "x"})):
            self.d.configure(f, **change)
            self.assertEqual((self.publish(f), self.publish(f)), (str(3 + n), str(3 + n)), change)
        self.assertEqual(self.d.request("GET", f"/2015-03-31/functions/{f}/configuration?Qualifier={3 + n}").json["LoggingConfig"]["ApplicationLogLevel"], "INFO", "kept over the updates after")

    def test_preconditions(self):
        f = self.make()
        self.assertEqual(self.fails("InvalidParameterValueException", self.c.publish_version, FunctionName=f, CodeSha256="other"),
                         f"CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ({sha(1)}). Please try again with the CodeSHA256 in $LATEST.")
        self.assertEqual(self.fails("PreconditionFailedException", self.c.publish_version, FunctionName=f, RevisionId="x"),
                         "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
        self.assertIn("'description' failed to satisfy constraint: Member must have length less than or equal to 256",
                      self.fails("ValidationException", self.raw.publish_version, FunctionName=f, Description="x" * 257))
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.publish_version, FunctionName="v-none"), f"Function not found: {ARN}v-none")
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.list_versions_by_function, FunctionName="v-none"), f"Function not found: {ARN}v-none")
        self.assertEqual(self.publish(f), "1", "the failures have used no number up")
        for call, more in ((self.c.publish_version, {}), (self.c.update_function_configuration, {"Timeout": 9}), (self.c.update_function_code, {"ZipFile": package(2)})):
            self.assertIn("Aliases and versions do not support this operation", self.fails("InvalidParameterValueException", call, FunctionName=f + ":1", **more))
        self.assertEqual(self.d.request("POST", f"/2015-03-31/functions/{f}/versions", b"{").error_type, "SerializationException")
        self.assertEqual(self.d.request("POST", f"/2015-03-31/functions/{f}/versions", {"Description": 1}).json, {"Message": "NUMBER_VALUE can not be converted to a String"})
        self.assertEqual(self.d.request("POST", f"/2015-03-31/functions/{f}/versions").status, 201, "no body is fine")

    def test_publish_on_create_and_update(self):
        f = "v-published"
        self.addCleanup(self.d.delete, f)
        made = self.c.create_function(FunctionName=f, Runtime="provided.al2023", Role=ROLE, Handler="x", Code={"ZipFile": package(1)}, Publish=True, Tags={"a": "b"})
        self.assertEqual((made["Version"], made["FunctionArn"], made["State"]), ("1", ARN + f, "Pending"))
        self.c.get_waiter("published_version_active").wait(FunctionName=f, Qualifier="1")
        self.assertEqual(self.c.get_function(FunctionName=f, Qualifier="1")["Tags"], {"a": "b"})
        changed = self.update(f, ZipFile=package(2), Publish=True)
        self.assertEqual((changed["Version"], changed["FunctionArn"], changed["State"], changed["CodeSha256"]), ("2", f"{ARN}{f}:2", "Pending", sha(2)))
        self.c.get_waiter("published_version_active").wait(FunctionName=f, Qualifier="2")
        same = self.update(f, ZipFile=package(2), Publish=True)
        self.assertEqual((same["Version"], same["State"]), ("2", "Active"), "no new version of the same")
        self.c.update_function_code(FunctionName=f, ZipFile=package(3), Publish=True, DryRun=True)
        self.assertEqual([v["Version"] for v in self.c.list_versions_by_function(FunctionName=f)["Versions"]], ["$LATEST", "1", "2"])
        self.assertEqual(self.c.get_function_configuration(FunctionName=f)["Version"], "$LATEST")
        bad = self.d.request("PUT", f"/2015-03-31/functions/{f}/code", {"ZipFile": base64.b64encode(b"no zip").decode(), "Publish": True})
        self.assertEqual(bad.status, 400)
        self.change(f)
        self.assertEqual(self.publish(f), "3")

    def test_lists_and_paging(self):
        f = self.make()
        for n in range(1, 13):
            self.change(f)
            self.publish(f)
        want = ["$LATEST"] + [str(n) for n in range(1, 13)]
        pages = [[v["Version"] for v in p["Versions"]] for p in self.c.get_paginator("list_versions_by_function").paginate(FunctionName=f, PaginationConfig={"PageSize": 5})]
        self.assertEqual(sum(pages, []), want)
        self.assertEqual([len(p) for p in pages], [5, 5, 3])
        item = self.c.list_versions_by_function(FunctionName=f)["Versions"][12]
        self.assertEqual((item["FunctionArn"], item.get("State"), item.get("LastUpdateStatus")), (f"{ARN}{f}:12", None, None))
        self.fails("InvalidParameterValueException", self.c.list_versions_by_function, FunctionName=f, Marker="nonsense")
        self.fails("ValidationException", self.raw.list_versions_by_function, FunctionName=f, MaxItems=0)
        g = self.function(f + "-z")
        for size in (3, 50):
            every = [(x["FunctionName"], x["Version"], x["FunctionArn"]) for p in self.c.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": size})
                     for x in p["Functions"] if x["FunctionName"].startswith(f)]
            self.assertEqual(every, [(f, v, f"{ARN}{f}:{v}") for v in want] + [(g, "$LATEST", f"{ARN}{g}:$LATEST")])
        plain = [x for p in self.c.get_paginator("list_functions").paginate() for x in p["Functions"] if x["FunctionName"].startswith(f)]
        self.assertEqual([(x["FunctionArn"], x["Version"]) for x in plain], [(ARN + f, "$LATEST"), (ARN + g, "$LATEST")])
        self.fails("InvalidParameterValueException", self.c.list_functions, FunctionVersion="ALL", Marker="nonsense")
        self.fails("ValidationException", self.raw.list_functions, FunctionVersion="SOME")

    def test_names_with_a_qualifier(self):
        f = self.three()
        self.c.create_alias(FunctionName=f, Name="live", FunctionVersion="2")
        for q, version in (("1", "1"), ("live", "2"), ("$LATEST", "$LATEST")):
            for name in (f"{f}:{q}", f"function:{f}:{q}", f"000000000000:function:{f}:{q}", f"{ARN}{f}:{q}"):
                self.assertEqual(self.env(name)[0], version, name)
                for call in (self.c.get_function_configuration, lambda **kw: self.c.get_function(**kw)["Configuration"]):
                    c = call(FunctionName=name)
                    self.assertEqual((c["Version"], c["FunctionArn"]), (version, f"{ARN}{f}:{q}"))
            executed, env = self.env(f, Qualifier=q)
            self.assertEqual((executed, env["AWS_LAMBDA_FUNCTION_VERSION"]), (version, version))
            self.assertIn(f"/[{version}]", env["AWS_LAMBDA_LOG_STREAM_NAME"])
            headers = json.load(self.c.invoke(FunctionName=f, Qualifier=q, Payload=b'{"do":"headers"}')["Payload"])
            self.assertEqual(headers["Lambda-Runtime-Invoked-Function-Arn"], f"{ARN}{f}:{q}", "as invoked")
            log = base64.b64decode(self.c.invoke(FunctionName=f, Qualifier=q, LogType="Tail", Payload=b"{}")["LogResult"]).decode()
            self.assertIn(f"Version: {version}\n", log)
        self.assertEqual(self.c.invoke(FunctionName=f"{f}:1", Qualifier="1", Payload=b"{}")["ExecutedVersion"], "1")
        for call, more in ((self.c.invoke, {}), (self.c.get_function, {}), (self.c.delete_function, {})):
            self.assertEqual(self.fails("InvalidParameterValueException", call, FunctionName=f + ":1", Qualifier="2", **more),
                             "The derived qualifier from the function name does not match the specified qualifier.")
        for q in ("9", "none", "01"):
            for call in (self.c.invoke, self.c.get_function, self.c.get_function_configuration):
                self.assertEqual(self.fails("ResourceNotFoundException", call, FunctionName=f, Qualifier=q), f"Function not found: {ARN}{f}:{q}")
        self.assertIn("not supported", self.fails("InvalidParameterValueException", self.c.tag_resource, Resource=f"{ARN}{f}:1", Tags={"a": "b"}))

    def test_python_sees_its_version(self):
        f = self.python("def handler(e, c):\n    return [c.function_version, c.invoked_function_arn, c.log_stream_name]\n")
        self.c.publish_version(FunctionName=f)
        self.c.create_alias(FunctionName=f, Name="a", FunctionVersion="1")
        version, arn, stream = json.load(self.c.invoke(FunctionName=f, Qualifier="a")["Payload"])
        self.assertEqual((version, arn), ("1", f"{ARN}{f}:a"))
        self.assertRegex(stream, r"^\d{4}/\d\d/\d\d/\[1\][0-9a-f]{32}$")

    def test_deleting_versions(self):
        f = self.three()
        self.c.create_alias(FunctionName=f, Name="a", FunctionVersion="1")
        self.c.create_alias(FunctionName=f, Name="b", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {"1": 0.1}})
        self.assertEqual(self.fails("InvalidParameterValueException", self.c.delete_function, FunctionName=f, Qualifier="$LATEST"),
                         "$LATEST version cannot be deleted without deleting the function.")
        self.assertEqual(self.fails("InvalidParameterValueException", self.c.delete_function, FunctionName=f, Qualifier="a"), "Deletion of aliases is not currently supported.")
        self.assertEqual(self.fails("ResourceConflictException", self.c.delete_function, FunctionName=f, Qualifier="1"),
                         "Unable to delete version because the following aliases reference it: [a, b]")
        self.assertEqual(self.fails("ResourceConflictException", self.c.delete_function, FunctionName=f + ":2"),
                         "Unable to delete version because the following aliases reference it: [b]")
        self.assertEqual(self.env(f, Qualifier="3")[0], "3")
        self.assertEqual(self.c.delete_function(FunctionName=f, Qualifier="3")["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.c.delete_function(FunctionName=f, Qualifier="3")["ResponseMetadata"]["HTTPStatusCode"], 204, "gone is gone")
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.invoke, FunctionName=f, Qualifier="3"), f"Function not found: {ARN}{f}:3")
        self.assertEqual(self.publish(f), "4", "a number is never given twice, though nothing has changed")
        self.c.delete_alias(FunctionName=f, Name="a")
        self.c.update_alias(FunctionName=f, Name="b", RoutingConfig={})
        self.c.delete_function(FunctionName=f, Qualifier="1")
        self.assertEqual([v["Version"] for v in self.c.list_versions_by_function(FunctionName=f)["Versions"]], ["$LATEST", "2", "4"])
        self.fails("ResourceNotFoundException", self.c.delete_function, FunctionName="v-none", Qualifier="1")
        self.c.delete_function(FunctionName=f)
        self.fails("ResourceNotFoundException", self.c.invoke, FunctionName=f, Qualifier="2")
        self.fails("ResourceNotFoundException", self.c.get_alias, FunctionName=f, Name="b")
        self.d.create(f, package(1))
        self.assertEqual(self.c.list_aliases(FunctionName=f)["Aliases"], [])
        self.assertEqual(self.publish(f), "1", "a new function of the same name begins anew")


class Aliases(Api):
    def test_life_of_an_alias(self):
        f = self.three()
        made = self.c.create_alias(FunctionName=f, Name="prod", FunctionVersion="1", Description="d", RoutingConfig={"AdditionalVersionWeights": {"2": 0.2}})
        status = made.pop("ResponseMetadata")["HTTPStatusCode"]
        revision = made["RevisionId"]
        self.assertRegex(revision, r"^[0-9a-f]{8}-[0-9a-f-]{27}$")
        self.assertEqual((status, made), (201, {"AliasArn": f"{ARN}{f}:prod", "Name": "prod", "FunctionVersion": "1", "Description": "d", "RevisionId": revision,
                                                "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.2}}}))
        self.assertIn(b'"2":0.2}', self.d.request("GET", f"/2015-03-31/functions/{f}/aliases/prod").body)
        def get(name="prod"):
            return {k: v for k, v in self.c.get_alias(FunctionName=f, Name=name).items() if k != "ResponseMetadata"}
        self.assertEqual(get(), made)
        self.assertEqual(self.c.get_function(FunctionName=f, Qualifier="prod")["Configuration"]["Version"], "1", "the first, not by weight")
        up = self.c.update_alias(FunctionName=f, Name="prod", Description="e", RevisionId=revision)
        self.assertEqual((up["Description"], up["FunctionVersion"], up["RoutingConfig"]), ("e", "1", made["RoutingConfig"]))
        self.assertNotEqual(up["RevisionId"], revision)
        self.assertEqual(self.fails("PreconditionFailedException", self.c.update_alias, FunctionName=f, Name="prod", FunctionVersion="3", RevisionId=revision),
                         "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
        up = self.c.update_alias(FunctionName=f, Name="prod", FunctionVersion="3", RoutingConfig={"AdditionalVersionWeights": {}})
        self.assertEqual((up["FunctionVersion"], up.get("RoutingConfig"), up["Description"]), ("3", None, "e"))
        self.assertNotEqual(self.c.update_alias(FunctionName=f, Name="prod")["RevisionId"], up["RevisionId"])
        self.assertEqual(self.env(f, Qualifier="prod")[0], "3")
        self.c.create_alias(FunctionName=f, Name="dev", FunctionVersion="$LATEST", RoutingConfig={})
        self.assertEqual(get("dev")["Description"], "")
        self.assertEqual(self.env(f, Qualifier="dev")[0], "$LATEST")
        self.assertEqual(self.c.delete_alias(FunctionName=f, Name="dev")["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.c.delete_alias(FunctionName=f, Name="dev")["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.get_alias, FunctionName=f, Name="dev"), f"Cannot find alias arn: {ARN}{f}:dev")
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.update_alias, FunctionName=f, Name="dev"), f"Alias not found: {ARN}{f}:dev")

    def test_lists(self):
        f = self.three()
        for i in range(7):
            self.c.create_alias(FunctionName=f, Name=f"a{i}", FunctionVersion="123"[i % 3])
        self.c.create_alias(FunctionName=f, Name="w", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"3": 0.5}})
        names = lambda **kw: [a["Name"] for p in self.c.get_paginator("list_aliases").paginate(FunctionName=f, **kw) for a in p["Aliases"]]
        self.assertEqual(names(), [f"a{i}" for i in range(7)] + ["w"])
        self.assertEqual(names(PaginationConfig={"PageSize": 3}), names())
        self.assertEqual(names(FunctionVersion="2"), ["a1", "a4"])
        self.assertEqual(names(FunctionVersion="3", PaginationConfig={"PageSize": 1}), ["a2", "a5", "w"])
        self.assertEqual(names(FunctionVersion="9"), [])
        self.assertEqual(len(self.c.list_aliases(FunctionName=f, MaxItems=3)["Aliases"]), 3)
        self.fails("ValidationException", self.raw.list_aliases, FunctionName=f, FunctionVersion="x")
        self.assertEqual(self.fails("ResourceNotFoundException", self.c.list_aliases, FunctionName="v-none"), f"Function not found: {ARN}v-none")

    def test_what_is_refused(self):
        f = self.three()
        self.c.create_alias(FunctionName=f, Name="here", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
        def create(code, version="1", weights=None, name="x", function=f, **more):
            if weights is not None:
                more["RoutingConfig"] = {"AdditionalVersionWeights": weights}
            return self.fails(code, self.raw.create_alias, FunctionName=function, Name=name, FunctionVersion=version, **more)
        ipve = "InvalidParameterValueException"
        self.assertEqual(create(ipve, weights={"2": 0.1, "3": 0.1}), "Number of items in AdditionalVersionWeights cannot be greater than 1")
        self.assertEqual(create(ipve, weights={"1": 0.5}), "Invalid function version 1. Function version 1 is already included in routing configuration.")
        self.assertEqual(create(ipve, "$LATEST", {"1": 0.5}), "$LATEST is not supported for an alias pointing to more than 1 version")
        rule = "at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, " \
               "Member must have value greater than or equal to 0.0, Member must not be null]"
        self.assertEqual(create("ValidationException", weights={"2": 2}), "1 validation error detected: Value '{2=2.0}' " + rule)
        self.assertEqual(create("ValidationException", weights={"2": -1}), "1 validation error detected: Value '{2=-1.0}' " + rule)
        self.assertEqual(create("ValidationException", weights={"$LATEST": 0.5}),
                         "1 validation error detected: Value '{$LATEST=0.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must satisfy "
                         "constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular "
                         "expression pattern: [0-9]+, Member must not be null]")
        self.assertEqual(create("ResourceNotFoundException", "10"), f"Function not found: {ARN}{f}:10")
        self.assertEqual(create("ResourceNotFoundException", weights={"10": 0.5}), f"Function not found: {ARN}{f}:10")
        self.assertEqual(create("ResourceNotFoundException", function="v-none"), f"Function not found: {ARN}v-none:1")
        self.assertEqual(create("ResourceConflictException", name="here"), f"Alias already exists: {ARN}{f}:here")
        self.assertIn("Value '17' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
                      create("ValidationException", name="17"))
        self.assertIn("at 'name' failed to satisfy constraint: Member must have length less than or equal to 128", create("ValidationException", name="x" * 129))
        self.assertRegex(create("ValidationException", "v1", name="a.b", Description="x" * 257), "^3 validation errors detected: .*name.*functionVersion.*description")
        r = self.d.request("POST", f"/2015-03-31/functions/{f}/aliases", {})
        self.assertEqual((r.status, r.error_type), (400, "ValidationException"))
        self.assertIn("Value null at 'functionVersion'", r.json["message"])
        self.assertIn("Value null at 'name'", r.json["message"])
        self.assertIn("do not support", create(ipve, function=f + ":1"))
        # an update is judged by what comes out of it
        def update(code, **kw):
            return self.fails(code, self.raw.update_alias, FunctionName=f, Name="here", **kw)
        self.assertIn("already included", update(ipve, FunctionVersion="2"))
        self.assertIn("more than 1 version", update(ipve, FunctionVersion="$LATEST"))
        self.assertEqual(update("ResourceNotFoundException", FunctionVersion="11"), f"Function not found: {ARN}{f}:11")
        for said, kw in (("execution role", {"Role": ROLE + "-other"}), ("dead-letter queue", {"Role": ROLE, "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"}})):
            self.change(f, **kw)
            apart = {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {self.publish(f): 0.5}}}
            self.assertEqual(update(ipve, **apart), "Specified versions must be associated with the same " + said)
            self.assertEqual(create(ipve, weights=apart["RoutingConfig"]["AdditionalVersionWeights"]), "Specified versions must be associated with the same " + said)
        now = self.c.get_alias(FunctionName=f, Name="here")
        self.assertEqual((now["FunctionVersion"], now["RoutingConfig"]), ("1", {"AdditionalVersionWeights": {"2": 0.5}}))
        self.assertIn("(?!^[0-9]+$)", self.fails("ValidationException", self.raw.get_alias, FunctionName=f, Name="1"))
        self.assertEqual([a["Name"] for a in self.c.list_aliases(FunctionName=f)["Aliases"]], ["here"])

    def test_the_share_of_10000_invocations(self):
        f = self.make(MemorySize=1769, Publish=True)
        self.change(f)
        self.publish(f)
        self.c.create_alias(FunctionName=f, Name="canary", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.3}})
        counts, wrong, lock = collections.Counter(), [], threading.Lock()

        def work(n):
            c, mine = http.client.HTTPConnection("127.0.0.1", self.d.port, timeout=120), collections.Counter()
            for i in range(n):
                c.request("POST", f"/2015-03-31/functions/{f}/invocations?Qualifier=canary", b'{"i":%d}' % i)
                r = c.getresponse()
                body = r.read()
                if r.status != 200 or body != b'{"i":%d}' % i:
                    wrong.append((r.status, body))
                mine[r.headers["X-Amz-Executed-Version"]] += 1
            c.close()
            with lock:
                counts.update(mine)
        threads = [threading.Thread(target=work, args=(1250,)) for _ in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(wrong, [])
        self.assertEqual(sum(counts.values()), 10000)
        self.assertEqual(set(counts), {"1", "2"})
        self.assertTrue(2900 <= counts["2"] <= 3100, counts)
        for weight, only in ((1, "2"), (0, "1")):
            self.c.update_alias(FunctionName=f, Name="canary", RoutingConfig={"AdditionalVersionWeights": {"2": weight}})
            self.assertEqual({self.c.invoke(FunctionName=f, Qualifier="canary")["ExecutedVersion"] for _ in range(50)}, {only})


class Changes(Api):
    """Environments, packages and invocations while versions come and go."""

    def trees(self):
        return {t.rsplit("-", 1)[1] for t in glob.glob(os.path.join(self.d.state, "roots/code-*"))}, \
               {os.path.basename(b)[:-4] for b in glob.glob(os.path.join(self.d.state, "blobs/*.zip"))}

    def test_environments_of_a_version_survive_an_update(self):
        f = self.make(Publish=True)
        counter = lambda q: json.loads(self.d.in_turn(f, {"do": "counter"}, query=f"?Qualifier={q}").body)["served"]
        first, fresh = counter("1"), counter("$LATEST")
        self.update(f, ZipFile=package(2))
        self.assertEqual((counter("1"), counter("$LATEST")), (first + 1, fresh), "the version's environment goes on, $LATEST's is a new one")
        self.change(f)
        self.publish(f)
        self.assertEqual(counter("1"), first + 2)
        self.c.create_alias(FunctionName=f, Name="a", FunctionVersion="1")
        self.change(f)
        self.assertEqual((counter("a"), counter("$LATEST")), (first + 3, fresh))
        self.publish(f)
        self.assertEqual(counter("$LATEST"), fresh + 1, "publishing leaves $LATEST's environments alone")

    def test_packages_stay_while_a_version_names_them(self):
        f = self.make()
        self.publish(f)
        self.update(f, ZipFile=package(21), Publish=True)
        self.update(f, ZipFile=package(22))
        self.update(f, ZipFile=package(23))
        wait_until("what nothing names goes", lambda: all(hexes(22).isdisjoint(s) for s in self.trees()))
        for s in self.trees():
            self.assertLessEqual(hexes(21, 23), s)
        self.assertEqual((self.env(f, Qualifier="1")[0], self.env(f, Qualifier="2")[0]), ("1", "2"))
        self.c.delete_function(FunctionName=f, Qualifier="2")
        wait_until("the deleted version's package goes", lambda: all(hexes(21).isdisjoint(s) for s in self.trees()))
        self.update(f, ZipFile=package(24), Publish=True)
        self.update(f, ZipFile=package(25), Publish=True)
        self.c.delete_function(FunctionName=f)
        wait_until("all packages go with the function", lambda: all(hexes(23, 24, 25).isdisjoint(s) for s in self.trees()))

    def test_running_invocations_finish_where_they_are(self):
        for ms in (2500, 15000, 60000):  # a busy machine needs longer for all that is done meanwhile
            if self.change_while_they_run(ms):
                break
        else:
            self.fail("they had ended before everything was changed")

    def change_while_they_run(self, ms):
        f = self.make(Timeout=90)
        self.publish(f)
        self.update(f, ZipFile=package(31), Publish=True)
        self.c.create_alias(FunctionName=f, Name="a", FunctionVersion="2")
        out = {}
        def long(q):
            out[q] = self.d.invoke(f, {"do": "sleep", "ms": ms}, query=f"?Qualifier={q}")
        threads = [threading.Thread(target=long, args=(q,)) for q in ("1", "2", "a", "$LATEST")]
        for q in ("1", "2", "$LATEST"):
            self.env(f, Qualifier=q)
        [t.start() for t in threads]
        wait_until("all run", lambda: out or self.d.metric("fnd_concurrent_executions", function=f) == len(threads))
        self.c.update_alias(FunctionName=f, Name="a", FunctionVersion="1")
        self.update(f, ZipFile=package(32))
        self.c.delete_function(FunctionName=f, Qualifier="2")
        self.assertEqual(self.env(f, Qualifier="a")[0], "1")
        self.assertEqual(self.env(f)[0], "$LATEST")
        still_running = not out
        [t.join() for t in threads]
        if not still_running:
            return False
        self.assertEqual({q: (r.status, r.json, r.headers["x-amz-executed-version"]) for q, r in out.items()},
                         {q: (200, {"slept": ms}, v) for q, v in (("1", "1"), ("2", "2"), ("a", "2"), ("$LATEST", "$LATEST"))})
        wait_until("the package of the deleted version goes once nothing runs it", lambda: all(hexes(31).isdisjoint(s) for s in self.trees()))
        return True

    def test_changes_under_load_drop_nothing(self):
        f = self.make(MemorySize=512, Timeout=30, Publish=True)
        self.c.create_alias(FunctionName=f, Name="live", FunctionVersion="1")
        stop, wrong, done, seen = threading.Event(), [], collections.Counter(), set()

        def work(q, seed):
            try:
                ask(q, random.Random(seed))
            except Exception as e:
                wrong.append((q, repr(e)))

        def ask(q, rng):
            c = http.client.HTTPConnection("127.0.0.1", self.d.port, timeout=120)
            while not stop.is_set():
                what = rng.choice(("env", "env", "sleep"))
                c.request("POST", f"/2015-03-31/functions/{f}/invocations?Qualifier={q}", json.dumps({"do": what, "ms": rng.randrange(60)}))
                r = c.getresponse()
                body, version = json.loads(r.read()), r.headers["X-Amz-Executed-Version"]
                inside = body.get("AWS_LAMBDA_FUNCTION_VERSION", version)
                if r.status != 200 or r.headers["X-Amz-Function-Error"] or inside != version or (what == "sleep" and "slept" not in body) or (q == "1" and version != "1"):
                    wrong.append((q, r.status, version, body))
                done[q] += 1
                if q == "live":
                    seen.add(version)
            c.close()
        threads = [threading.Thread(target=work, args=(q, i)) for i, q in enumerate(("live", "live", "live", "1", "$LATEST", "$LATEST"))]
        [t.start() for t in threads]
        try:
            for n in range(2, 14):
                moved = done["live"]
                v = self.update(f, ZipFile=package(40 + n), Publish=True)["Version"]
                self.assertEqual(v, str(n))
                if n % 3 == 0:
                    self.c.update_alias(FunctionName=f, Name="live", RoutingConfig={"AdditionalVersionWeights": {v: 0.5}})
                    wait_until("both are used", lambda: v in seen)
                self.c.update_alias(FunctionName=f, Name="live", FunctionVersion=v, RoutingConfig={})
                wait_until("the alias has moved", lambda: v in seen and done["live"] > moved + 10)
                if n > 3:
                    self.c.delete_function(FunctionName=f, Qualifier=str(n - 1))
                self.update(f, Description=str(n))
        finally:
            stop.set()
            [t.join() for t in threads]
        self.assertEqual(wrong[:3], [])
        self.assertLessEqual({str(n) for n in range(1, 14)}, seen)
        self.assertGreater(min(done[q] for q in ("live", "1", "$LATEST")), 20, done)


class Restarts(Case):
    killed = True

    def picture(self, d):
        c = boto(d)
        versions = [p for p in c.get_paginator("list_functions").paginate(FunctionVersion="ALL")]
        return [v for p in versions for v in p["Functions"]], c.list_aliases(FunctionName="f")["Aliases"]

    def test_restart_and_kill_9(self):
        d = self.daemon()
        c = boto(d)
        d.create("f", package(1), Publish=True)
        for n in (2, 3):
            d.settled("f")
            c.update_function_code(FunctionName="f", ZipFile=package(n), Publish=True)
        d.settled("f")
        c.delete_function(FunctionName="f", Qualifier="3")
        c.update_function_code(FunctionName="f", ZipFile=package(4))
        c.create_alias(FunctionName="f", Name="a", FunctionVersion="1", Description="\u00e4", RoutingConfig={"AdditionalVersionWeights": {"2": 0.125}})
        c.create_alias(FunctionName="f", Name="gone", FunctionVersion="1")
        c.delete_alias(FunctionName="f", Name="gone")
        d.settled("f")
        before = self.picture(d)
        self.assertEqual((len(before[0]), len(before[1])), (3, 1))
        for signo in (signal.SIGTERM, signal.SIGKILL):
            if signo == signal.SIGKILL:
                d.stop(signal.SIGKILL)
            else:
                self.assertEqual(d.stop(), 0)
            d.start()
            self.assertEqual(self.picture(d), before)
            for q, want in (("1", {"1"}), ("2", {"2"}), ("a", {"1", "2"}), ("$LATEST", {"$LATEST"})):
                self.assertEqual({d.invoke("f", {}, query=f"?Qualifier={q}").headers["x-amz-executed-version"] for _ in range(300 if q == "a" else 1)}, want)
        # what was answered is durable: killed the moment after
        self.assertEqual(c.publish_version(FunctionName="f")["Version"], "4")
        c.update_alias(FunctionName="f", Name="a", FunctionVersion="4")
        d.stop(signal.SIGKILL)
        d.start()
        self.assertEqual(c.get_alias(FunctionName="f", Name="a")["FunctionVersion"], "4")
        self.assertEqual(c.get_function_configuration(FunctionName="f", Qualifier="4")["CodeSha256"], sha(4))
        self.assertEqual(c.publish_version(FunctionName="f")["Version"], "4")

    def test_an_old_database_is_upgraded(self):
        d = self.daemon()
        d.create("f", package(1), Environment={"Variables": {"OLD": "yes"}})
        self.assertEqual(d.stop(), 0)
        db = sqlite3.connect(os.path.join(d.state, "db/fnd.db"))
        self.assertGreaterEqual(db.execute("PRAGMA user_version").fetchone()[0], 2)
        since = db.execute("SELECT name FROM sqlite_schema WHERE type='table' AND name NOT IN ('functions', 'counters', 'sqlite_sequence')").fetchall()
        db.executescript("".join(f"DROP TABLE {name}; " for name, in since) + "PRAGMA user_version=1;")  # as the first release left it
        db.close()
        d.start()
        self.assertEqual(d.do("f", "env")["OLD"], "yes")
        c = boto(d)
        self.assertEqual(c.publish_version(FunctionName="f")["Version"], "1")
        c.create_alias(FunctionName="f", Name="a", FunctionVersion="1")
        self.assertEqual(c.invoke(FunctionName="f", Qualifier="a")["ExecutedVersion"], "1")
        self.assertEqual(d.stop(), 0)
        d.start()
        self.assertEqual(c.invoke(FunctionName="f", Qualifier="a")["ExecutedVersion"], "1")


class AwsCliVersions(Case):
    setUp, aws, write_zip = test_awscli.AwsCli.setUp, test_awscli.AwsCli.aws, test_awscli.AwsCli.write_zip

    def test_a_canary(self):
        f = "cli-versions"
        self.addCleanup(self.d.delete, f)
        made = self.aws("create-function", "--function-name", f, "--runtime", "provided.al2023", "--handler", "x", "--role", ROLE, "--zip-file", self.write_zip("1.zip", package(1)), "--publish")
        self.assertEqual(made["Version"], "1")
        self.aws("wait", "published-version-active", "--function-name", f, "--qualifier", "1")
        self.aws("create-alias", "--function-name", f, "--name", "live", "--function-version", "1")
        self.aws("update-function-code", "--function-name", f, "--zip-file", self.write_zip("2.zip", package(2)))
        self.aws("wait", "function-updated-v2", "--function-name", f)
        v = self.aws("publish-version", "--function-name", f, "--description", "two", "--code-sha256", sha(2))
        self.assertEqual((v["Version"], v["Description"]), ("2", "two"))
        self.assertIn("CodeSHA256 (x) is different", self.aws("publish-version", "--function-name", f, "--code-sha256", "x", fails=True))
        up = self.aws("update-alias", "--function-name", f, "--name", "live", "--routing-config", "AdditionalVersionWeights={2=0.5}")
        self.assertEqual(up["RoutingConfig"], {"AdditionalVersionWeights": {"2": 0.5}})
        self.assertIn(self.aws("invoke", "--function-name", f"{f}:live", "out.json")["ExecutedVersion"], "12")
        self.aws("update-alias", "--function-name", f, "--name", "live", "--function-version", "2", "--routing-config", "{}", "--revision-id", up["RevisionId"])
        self.assertEqual(self.aws("invoke", "--function-name", f, "--qualifier", "live", "out.json")["ExecutedVersion"], "2")
        self.assertEqual([x["Version"] for x in self.aws("list-versions-by-function", "--function-name", f, "--page-size", "2")["Versions"]], ["$LATEST", "1", "2"])
        self.assertEqual(self.aws("list-aliases", "--function-name", f, "--function-version", "2")["Aliases"][0]["Name"], "live")
        self.assertEqual(self.aws("get-alias", "--function-name", f, "--name", "live")["FunctionVersion"], "2")
        self.assertIn("ResourceConflictException", self.aws("delete-function", "--function-name", f, "--qualifier", "2", fails=True))
        self.aws("delete-function", "--function-name", f, "--qualifier", "1")
        self.aws("delete-alias", "--function-name", f, "--name", "live")
        self.assertIn("Cannot find alias arn", self.aws("get-alias", "--function-name", f, "--name", "live", fails=True))


class FnctlVersions(Case):
    fnctl = test_logs_fnctl.Fnctl.fnctl

    def test_versions_and_aliases(self):
        f = self.function(zip_bytes=package(1))
        self.assertIn(f"fnctl invoke {f} --qualifier 1", self.fnctl("publish", f, "--description", "the first"))
        self.d.configure(f, MemorySize=256)
        self.assertEqual(json.loads(self.fnctl("--output", "json", "publish", f, "--code-sha256", sha(1)))["Version"], "2")
        self.assertRegex(self.fnctl("versions", f), r"VERSION.*\n\$LATEST.*\n1 .*the first\n2 ")
        self.assertEqual([v["Version"] for v in json.loads(self.fnctl("versions", f, "--output", "json"))["Versions"]], ["$LATEST", "1", "2"])
        self.assertIn("No aliases yet", self.fnctl("alias", "list", f))
        self.assertRegex(self.fnctl("alias", "create", f, "live", "--version", "1", "--weight", "2=0.25", "--description", "d"), r"live +1 +2=0.25 +d")
        self.assertRegex(self.fnctl("alias", "get", f, "live"), r"live +1 +2=0.25 +d")
        self.assertIn("live", self.fnctl("alias", "list", f, "--version", "2"))
        self.assertEqual("No aliases of version $LATEST.\n", self.fnctl("alias", "list", f, "--version", "$LATEST"))
        self.assertIn("reference it: [live]", self.fnctl("delete", f, "--qualifier", "2", status=3))
        out = json.loads(self.fnctl("alias", "update", f, "live", "--version", "2", "--weight", "none", "--output", "json"))
        self.assertEqual((out["FunctionVersion"], out.get("RoutingConfig"), out["Description"]), ("2", None, "d"))
        self.assertIn("PreconditionFailed", self.fnctl("alias", "update", f, "live", "--description", "e", "--revision-id", "x", status=3))
        self.assertEqual(json.loads(self.fnctl("invoke", f, '{"do":"env"}', "--qualifier", "live"))["AWS_LAMBDA_FUNCTION_VERSION"], "2")
        self.assertRegex(self.fnctl("get", f, "--qualifier", "live"), rf"ARN +{ARN}{f}:live\nVersion +2\n")
        self.assertIn(f"{f}:1 is deleted", self.fnctl("delete", f, "--qualifier", "1"))
        self.assertIn("live is deleted", self.fnctl("alias", "delete", f, "live"))
        self.assertIn("do not support", self.fnctl("logs", f + ":2", status=3))
        for args, word in ((("alias",), "create, update"), (("alias", "make", f), 'what is "make"'), (("alias", "get", f), "which alias"), (("alias", "create", f, "x"), "which version"),
                           (("alias", "update", f, "x"), "what is to change"), (("alias", "create", f, "x", "--version", "1", "--weight", "2"), "VERSION=SHARE"),
                           (("alias", "create", f, "x", "--version", "1", "--weight", "2=1.5"), "VERSION=SHARE"), (("alias", "delete", f, "x", "--version", "1"), "no such options"),
                           (("alias", "list", f, "--weight", "1=0.5"), "no such options"), (("alias", "list", f, "x"), 'what is "x"'), (("publish",), "one function's name"),
                           (("versions", f, "--wrong"), "no option")):
            self.assertIn(word, self.fnctl(*args, status=2), args)
