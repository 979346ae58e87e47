"""A request is held against the service model before anything is looked up, and what is wrong with it is said as the service says it."""
import json, unittest
from harness import ARN, BotoCase, Case

F = "/2015-03-31/functions"
LENGTH, PATTERN, NULL = "Member must have length less than or equal to %d", "Member must satisfy regular expression pattern: ", "Member must not be null"
QUALIFIER = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
REGION = r"(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}"
NAME = rf"(arn:(aws[a-zA-Z-]*)?:lambda:)?({REGION}:)?(\d{{12}}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"


def detected(*violations):
    """(value or None, member, rule)..."""
    said = "; ".join(f"Value {'null' if v is None else chr(39) + v + chr(39)} at '{m}' failed to satisfy constraint: {rule}" for v, m, rule in violations)
    return f"{len(violations)} validation error{'s' if len(violations) > 1 else ''} detected: {said}"


class Model(Case):
    """Nothing of this exists: whatever is refused here would be a 404 otherwise."""

    def refused(self, method, path, body, *violations):
        r = self.d.request(method, path, body)
        self.assertEqual((r.status, r.error_type, r.json), (400, "ValidationException", {"message": detected(*violations)}), path)

    def test_before_anything_is_looked_up(self):
        long = "x" * 129
        self.refused("GET", f"{F}/none?Qualifier={long}", None, (long, "qualifier", LENGTH % 128))
        self.refused("GET", f"{F}/a%20b?Qualifier=a.{long}", None, ("a b", "functionName", PATTERN + NAME), (f"a.{long}", "qualifier", LENGTH % 128),
                     (f"a.{long}", "qualifier", PATTERN + QUALIFIER))
        self.refused("GET", f"{F}/{'n' * 171}", None, ("n" * 171, "functionName", LENGTH % 170))
        self.refused("POST", f"{F}/{'n' * 171}/invocations", {}, ("n" * 171, "functionName", LENGTH % 170))
        self.refused("POST", f"{F}/none/invocations?Qualifier={long}", {}, (long, "qualifier", LENGTH % 128))
        self.refused("DELETE", f"{F}/{'n' * 141}", None, ("n" * 141, "functionName", LENGTH % 140))
        self.refused("PUT", f"{F}/none/configuration", {"Timeout": 0}, ("0", "timeout", "Member must have value greater than or equal to 1"))
        self.refused("POST", f"{F}/none/aliases", {"Name": "1"}, ("1", "name", PATTERN + "(?!^[0-9]+$)([a-zA-Z0-9-_]+)"), (None, "functionVersion", NULL))
        self.refused("PUT", "/2017-10-31/functions/none/concurrency", {}, (None, "reservedConcurrentExecutions", NULL))
        self.refused("PUT", "/2019-09-30/functions/none/provisioned-concurrency", {"ProvisionedConcurrentExecutions": 0}, (None, "qualifier", NULL),
                     ("0", "provisionedConcurrentExecutions", "Member must have value greater than or equal to 1"))
        self.refused("PUT", f"{F}/none/code", {"Architectures": ["x86_64", "arm64"]}, ("[x86_64, arm64]", "architectures", LENGTH % 1))
        self.refused("DELETE", "/2017-03-31/tags/x", None, ("x", "resource", PATTERN + self.resource()), (None, "tagKeys", NULL))

    def resource(self):
        h = "[0-9a-fA-F]"
        return (rf"arn:(aws[a-zA-Z-]*):lambda:{REGION}:\d{{12}}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{{17}}|"
                rf"event-source-mapping:{h}{{8}}-{h}{{4}}-{h}{{4}}-{h}{{4}}-{h}{{12}}|capacity-provider:[a-zA-Z0-9-_]+)")

    def test_types_come_first(self):
        for body, said in (({"Timeout": "3", "MemorySize": 1}, "STRING_VALUE can not be converted to an Integer"), ({"Handler": True}, "TRUE_VALUE can not be converted to a String"),
                           ({"Layers": "x"}, "Expected list or null"), ({"TracingConfig": 1}, "Expected null"), ([], "Start of list found where not expected")):
            r = self.d.request("PUT", f"{F}/a%20b/configuration", json.dumps(body).encode())
            self.assertEqual((r.status, r.error_type, r.json), (400, "SerializationException", {"Message": said}), body)
        r = self.d.request("PUT", f"{F}/none/configuration", json.dumps({"Environment": {"Variables": {"NAME": "a\0b"}}}).encode())
        self.assertEqual((r.error_type, r.json), ("SerializationException", {"Message": "The string NAME has the character U+0000, which it cannot have"}))
        r = self.d.request("PUT", f"{F}/none/configuration", b"{'Timeout':3}")
        self.assertEqual(r.json, {"Message": "Unexpected character (''' (code 39)): was expecting double-quote to start field name\n at [Source: (byte[])\"{'Timeout':3}\"; line: 1, column: 3]"})

    def test_a_variable_that_is_null_is_none(self):
        """The model allows nulls there (its map is sparse)."""
        f = self.function(Environment={"Variables": {"A1": None, "B1": "b"}})
        self.d.settled(f)
        seen = lambda: self.d.request("GET", f"{F}/{f}/configuration").json.get("Environment")
        self.assertEqual(seen(), {"Variables": {"B1": "b"}})
        r = self.d.request("PUT", f"{F}/{f}/configuration", {"Environment": {"Variables": {"B1": None}}})
        self.assertEqual(r.status, 200, r)
        self.assertIsNone(seen())
        self.d.delete(f)
        self.d.create(f, Environment={"Variables": {}})  # as recorded: there it is shown
        self.d.settled(f)
        self.assertEqual(seen(), {"Variables": {}})

    def test_headers_of_an_invocation(self):
        r = self.d.invoke("none", {}, headers={"X-Amz-Invocation-Type": "Later", "X-Amz-Log-Type": "Head", "X-Amz-Durable-Execution-Name": "a b"})
        self.assertEqual(r.json["message"], detected(("Later", "invocationType", "Member must satisfy enum value set: [Event, RequestResponse, DryRun]"),
                                                     ("Head", "logType", "Member must satisfy enum value set: [None, Tail]"), ("a b", "durableExecutionName", PATTERN + "[a-zA-Z0-9-_]+")))

    def test_bytes_that_are_no_text(self):
        for path in (f"{F}/%ff%fe", f"{F}/a?Qualifier=%c3", f"{F}/%zz"):
            r = self.d.request("GET", path)
            self.assertEqual((r.status, r.error_type), (400, "ValidationException"), path)
            self.assertTrue(r.json["message"].startswith("1 validation error detected: Value '"), r)


class Words(BotoCase):
    """Each operation's own for what is not there, and bodies without a Type."""

    def test_absent(self):
        arn = ARN + "none"
        for call, more, said in ((self.raw.get_function, {}, arn), (self.raw.get_function, {"Qualifier": "1"}, arn + ":1"), (self.raw.invoke, {}, arn + ":$LATEST"),
                                 (self.raw.put_function_concurrency, {"ReservedConcurrentExecutions": 1}, arn + ":$LATEST"), (self.raw.get_function_concurrency, {}, arn),
                                 (self.raw.delete_function_concurrency, {}, arn + ":$LATEST"), (self.raw.delete_function, {"Qualifier": "1"}, arn), (self.raw.list_aliases, {}, arn),
                                 (self.raw.get_provisioned_concurrency_config, {"Qualifier": "1"}, arn + ":1"), (self.raw.get_function_code_signing_config, {}, arn)):
            self.assertEqual(self.fails("ResourceNotFoundException", call, FunctionName="none", **more), f"Function not found: {said}")
        self.assertEqual(self.fails("ResourceNotFoundException", self.raw.get_policy, FunctionName="none", Qualifier="1"), "The resource you requested does not exist.")
        for call, more in ((self.raw.get_provisioned_concurrency_config, {}), (self.raw.put_provisioned_concurrency_config, {"ProvisionedConcurrentExecutions": 1}),
                           (self.raw.delete_provisioned_concurrency_config, {})):
            self.assertEqual(self.fails("ResourceNotFoundException", call, FunctionName="none", Qualifier="live", **more), f"Cannot find alias arn: {arn}:live")
        f = self.function()
        self.assertEqual(self.fails("ResourceNotFoundException", self.raw.get_alias, FunctionName=f, Name="live"), f"Cannot find alias arn: {ARN}{f}:live")
        self.assertEqual(self.fails("ResourceNotFoundException", self.raw.update_alias, FunctionName=f, Name="live"), f"Alias not found: {ARN}{f}:live")
        self.assertEqual(self.fails("InvalidParameterValueException", self.raw.get_provisioned_concurrency_config, FunctionName=f, Qualifier="$LATEST"),
                         "The function resource provided must be an alias or a published version.")

    def test_without_type(self):
        f = self.function(Publish=True)
        r = self.d.request("PUT", f"/2017-10-31/functions/{f}/concurrency", {"ReservedConcurrentExecutions": 1000000})
        self.assertEqual((r.status, r.error_type, sorted(r.json)), (400, "InvalidParameterValueException", ["message"]))
        r = self.d.request("POST", f"{F}/{f}/aliases", {"Name": "a", "FunctionVersion": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}})
        self.assertEqual((r.status, r.json), (400, {"message": "$LATEST is not supported for an alias pointing to more than 1 version"}))

    def test_switched_off(self):
        f = self.function()
        self.c.put_function_concurrency(FunctionName=f, ReservedConcurrentExecutions=0)
        r = self.d.invoke(f, {})
        self.assertEqual((r.status, r.json["Reason"], r.headers.get("retry-after")), (429, "ReservedFunctionConcurrentInvocationLimitExceeded", None))


if __name__ == "__main__":
    unittest.main()
