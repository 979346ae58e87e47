"""Tenants (TenancyConfig PER_TENANT): each has environments of its own, by every way to invoke, with the newest SDK as client; and what goes with it, and what does not."""
import base64, json, threading, unittest
import pypi
from harness import *

PER_TENANT = {"TenantIsolationMode": "PER_TENANT"}
LOOK = '''
import hashlib, logging, os
seen = []
def handler(event, context):
    seen.append(context.tenant_id)
    logging.getLogger().error("hello")
    before = sorted(os.listdir("/tmp"))
    open("/tmp/" + hashlib.sha256(context.tenant_id.encode()).hexdigest(), "w").close()
    return {"tenant": context.tenant_id, "seen": seen, "tmp": before, "key": os.environ["AWS_ACCESS_KEY_ID"], "stream": context.log_stream_name, "pid": os.getpid()}
'''
MISSING = "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again."
TOO_MUCH = "The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request and try again."
HEADER = "X-Amz-Tenant-Id"


def named(tenant):
    return hashlib.sha256(tenant.encode()).hexdigest()


class Tenants(Case):
    def look(self, f, tenant, **more):
        r = self.d.in_turn(f, {}, headers={HEADER: tenant}, **more)
        self.assertEqual((r.status, r.error), (200, None), r)
        return r.json

    def refused(self, r, words):
        self.assertEqual((r.status, r.error_type, r.json), (400, "InvalidParameterValueException", {"Type": "User", "message": words}))

    def tenants(self, source=LOOK, **more):
        return self.python(source, TenancyConfig=PER_TENANT, **more)

    def test_environments_are_never_shared(self):
        f = self.tenants()
        names = ["blue", "green", "blue:1", "a.b_c:/=+-@ d", "x" * 256]
        first = {n: self.look(f, n) for n in names}
        again = {n: self.look(f, n) for n in names}
        for n in names:
            self.assertEqual((first[n]["tenant"], first[n]["seen"], first[n]["tmp"]), (n, [n], []))
            self.assertEqual((again[n]["seen"], again[n]["tmp"], again[n]["key"], again[n]["stream"]), ([n, n], [named(n)], first[n]["key"], first[n]["stream"]), "and it is warm")
        self.assertEqual(len({v["key"] for v in first.values()}), len(names))
        self.assertEqual(len({v["stream"] for v in first.values()}), len(names))

    def test_nor_when_many_come_at_once(self):
        f = self.tenants()
        seen, failed = [], []
        def one(n):
            try:
                for i in range(6):
                    seen.append((f"t{n}", self.look(f, f"t{n}")))
            except AssertionError as e:
                failed.append(e)
        threads = [threading.Thread(target=one, args=(n // 2,)) for n in range(12)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(failed, [])
        for n, r in seen:
            self.assertEqual(set(r["seen"]), {n})

    def test_a_crash_leaves_it_to_the_same_one(self):
        f = self.tenants(LOOK.replace("seen.append(context", "event.get('die') and os._exit(3)\n    seen.append(context"))
        kept = self.look(f, "blue")
        self.assertEqual(self.d.in_turn(f, {"die": 1}, headers={HEADER: "blue"}).error, "Unhandled")
        self.assertEqual(self.look(f, "green")["tmp"], [])
        after = self.look(f, "blue")
        self.assertEqual((after["tmp"], after["key"]), ([named("blue")], kept["key"]))

    def test_an_event_is_its_tenant_s(self):
        """It was accepted, and refused each time that it was to be run."""
        f = self.tenants("def handler(event, context):\n    print('it is', event, context.tenant_id)\n")
        for n, tenant in enumerate(("blue", "a.b_c:/=+-@ d", "blue")):
            self.assertEqual(self.d.invoke(f, {"n": n}, headers={HEADER: tenant, "X-Amz-Invocation-Type": "Event"}).status, 202)
            wait_until("it has run", lambda: f"it is {{'n': {n}}} {tenant}\n" in self.d.request("GET", f"/_fnd/logs/{f}").json["Text"])
        self.refused(self.d.invoke(f, {}, headers={"X-Amz-Invocation-Type": "Event"}), "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again.")

    def test_the_newest_sdk(self):
        f = "t-tenants-sdk"
        self.addCleanup(self.d.delete, f)
        script = f'''
import boto3, json, sys
from botocore.config import Config
c = boto3.client("lambda", endpoint_url={self.d.endpoint!r}, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b", config=Config(retries={{"max_attempts": 0}}))
made = c.create_function(FunctionName={f!r}, Runtime="python3.11", Handler="f.handler", Role={ROLE!r}, Code={{"ZipFile": sys.stdin.buffer.read()}}, TenancyConfig={PER_TENANT!r}, Publish=True)
c.get_waiter("function_active_v2").wait(FunctionName={f!r}, WaiterConfig={{"Delay": 1}})
out = [made["TenancyConfig"], c.get_function_configuration(FunctionName={f!r}, Qualifier="1")["TenancyConfig"], [x for x in c.get_paginator("list_functions").paginate().build_full_result()["Functions"] if x["FunctionName"] == {f!r}][0].get("TenancyConfig")]
c.create_alias(FunctionName={f!r}, Name="live", FunctionVersion="1")
for more in ({{}}, {{"Qualifier": "live"}}):
    out.append(json.load(c.invoke(FunctionName={f!r}, TenantId="blue", Payload="{{}}", **more)["Payload"])["tenant"])
out.append(b"".join(e["PayloadChunk"]["Payload"] for e in c.invoke_with_response_stream(FunctionName={f!r}, TenantId="green", Payload="{{}}")["EventStream"] if "PayloadChunk" in e).decode())
try:
    c.invoke(FunctionName={f!r})
except c.exceptions.InvalidParameterValueException as e:
    out.append(str(e))
print(json.dumps(out))
'''
        r = subprocess.run(["/usr/bin/python3", "-c", script], input=make_zip({"f.py": LOOK}), env={**os.environ, "PYTHONPATH": pypi.install(*pypi.boto3())}, capture_output=True, timeout=120)
        self.assertEqual(r.returncode, 0, r.stderr.decode())
        out = json.loads(r.stdout)
        self.assertEqual(out[:5], [PER_TENANT, PER_TENANT, PER_TENANT, "blue", "blue"])
        self.assertEqual(json.loads(out[5])["tenant"], "green")
        self.assertIn(MISSING, out[6])

    def test_fnctl(self):
        home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, home)
        with open(os.path.join(home, "f.py"), "w") as f:
            f.write(LOOK)
        self.addCleanup(self.d.delete, "t-ctl")
        r = self.d.fnctl("create", "t-ctl", "--per-tenant", "--code", home, "--runtime", "python3.11", "--handler", "f.handler")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(json.loads(self.d.fnctl("invoke", "t-ctl", "{}", "--tenant-id", "a b").stdout)["seen"], ["a b"])
        self.assertIn("Add a valid tenant ID", self.d.fnctl("invoke", "t-ctl", "{}").stderr)
        self.assertIn("it cannot be changed", self.d.fnctl("deploy", "t-ctl", home, "--per-tenant").stderr)
        self.assertEqual(self.d.fnctl("invoke", "t-ctl", "--tenant-id", "").returncode, 2)

    def test_node(self):
        source = "exports.handler = async (event, context) => { console.error('hi'); return context.tenantId; };\n"
        f = self.function(zip_bytes=make_zip({"index.js": source}), runtime="nodejs22.x", handler="index.handler", TenancyConfig=PER_TENANT, LoggingConfig={"LogFormat": "JSON"})
        r = self.d.invoke(f, {}, headers={HEADER: "blue"}, tail=True)
        self.assertEqual(r.json, "blue")
        self.assertEqual([json.loads(l).get("tenantId") for l in r.log.splitlines() if '"hi"' in l], ["blue"])

    def test_what_the_runtime_is_told(self):
        f = self.function(TenancyConfig=PER_TENANT)
        self.assertEqual(self.d.invoke(f, {"do": "headers"}, headers={HEADER: "blue"}).json.get("Lambda-Runtime-Aws-Tenant-Id"), "blue")
        plain = self.function("t-tenants-plain")
        self.assertNotIn("Lambda-Runtime-Aws-Tenant-Id", self.d.invoke(plain, {"do": "headers"}).json)

    def test_records_name_it(self):
        f = self.tenants(LoggingConfig={"LogFormat": "JSON"})
        r = self.d.invoke(f, {}, headers={HEADER: "blue/1"}, tail=True)
        records = [json.loads(l) for l in r.log.splitlines()]
        said = {e["type"]: e["record"].get("tenantId") for e in records if "record" in e}
        self.assertEqual((said["platform.start"], said["platform.report"]), ("blue/1", "blue/1"), said)
        self.assertEqual([e["tenantId"] for e in records if e.get("message") == "hello"], ["blue/1"])
        plain = self.python("def handler(event, context):\n    return context.tenant_id\n", "t-tenants-none", LoggingConfig={"LogFormat": "JSON"})
        r = self.d.invoke(plain, {}, tail=True)
        self.assertIsNone(r.json)
        self.assertNotIn("tenantId", r.log)

    def test_refusals(self):
        f, plain = self.tenants(), self.function("t-tenants-refused")
        stream = lambda name, headers: self.d.request("POST", f"/2021-11-15/functions/{name}/response-streaming-invocations", "{}", headers)
        for invoke in (lambda name, headers: self.d.invoke(name, {}, headers=headers), stream):
            self.refused(invoke(f, {}), MISSING)
            self.refused(invoke(plain, {HEADER: "blue"}), TOO_MUCH)
            for wrong in ("a,b", "\u00fc".encode().decode("latin-1"), "x" * 257, "", "a\tb", '"'):
                r = invoke(f, {HEADER: wrong})
                self.assertEqual((r.status, r.error_type), (400, "ValidationException"), wrong)
                self.assertIn("at 'tenantId' failed to satisfy constraint", r.json["message"])

    def test_only_when_it_is_created(self):
        body = {"Runtime": "python3.11", "Handler": "f.handler", "TenancyConfig": {"TenantIsolationMode": "SHARED"}}
        r = self.d.create("t-tenants-wrong", make_zip({"f.py": LOOK}), expect=None, **{k.replace("Runtime", "runtime").replace("Handler", "handler"): v for k, v in body.items()})
        self.assertEqual((r.status, r.error_type), (400, "ValidationException"))
        self.assertIn("Member must satisfy enum value set: [PER_TENANT]", r.json["message"])
        f = self.python("def handler(event, context):\n    return 1\n")
        self.d.configure(f, TenancyConfig=PER_TENANT)  # no member of that operation: ignored, as by the service
        self.assertNotIn("TenancyConfig", self.d.request("GET", f"/2015-03-31/functions/{f}/configuration").json)
        self.assertEqual(self.d.invoke(f, {}).json, 1)

    def test_what_it_does_not_go_with(self):
        r = self.d.create("t-tenants-snap", make_zip({"f.py": LOOK}), runtime="python3.11", handler="f.handler", expect=None, TenancyConfig=PER_TENANT, SnapStart={"ApplyOn": "PublishedVersions"})
        self.assertEqual((r.status, r.error_type), (400, "InvalidParameterValueException"))
        f = self.tenants()
        self.d.settled(f)
        r = self.d.request("PUT", f"/2015-03-31/functions/{f}/configuration", {"SnapStart": {"ApplyOn": "PublishedVersions"}})
        self.assertEqual((r.status, r.error_type), (400, "InvalidParameterValueException"))
        self.assertEqual(self.d.request("POST", f"/2015-03-31/functions/{f}/versions", {}).status, 201)
        self.assertEqual(self.d.request("POST", f"/2015-03-31/functions/{f}/aliases", {"Name": "live", "FunctionVersion": "1"}).status, 201)
        for q in ("", "?Qualifier=live"):
            r = self.d.request("POST", f"/2021-10-31/functions/{f}/url{q}", {"AuthType": "NONE"})
            self.assertEqual((r.status, r.json["message"]), (400, "Function URLs are not supported for functions enabled with tenancy configuration."))
        for q in ("1", "live"):
            r = self.d.request("PUT", f"/2019-09-30/functions/{f}/provisioned-concurrency?Qualifier={q}", {"ProvisionedConcurrentExecutions": 1})
            self.assertEqual((r.status, r.error_type), (400, "InvalidParameterValueException"), r)

    def test_it_outlives_a_restart(self):
        d = self.daemon()
        d.create_python("f", LOOK, TenancyConfig=PER_TENANT)
        d.stop()
        d.start()
        self.refused(d.invoke("f", {}), MISSING)
        self.assertEqual(d.invoke("f", {}, headers={HEADER: "blue"}).json["seen"], ["blue"])

    def test_those_that_idle_leave_room(self):
        """Sixty tenants of a function come once; half of the memory is all that they may hold on to."""
        d = self.daemon(memory_budget_mb=256, prestarted_most=2)
        d.create_python("f", LOOK, TenancyConfig=PER_TENANT)
        d.create_python("other", "def handler(event, context):\n    return 1\n")
        for n in range(60):
            self.assertEqual(d.invoke("f", {}, headers={HEADER: f"t{n}"}).json["seen"], [f"t{n}"])
        kept = len({os.path.basename(g) for g in d.groups()})  # on a hybrid host one has several
        self.assertLess(kept, 50)
        self.assertGreater(kept, 2)
        self.assertEqual(d.invoke("other", {}).json, 1)
        self.assertEqual(d.in_turn("f", {}, headers={HEADER: "t59"}).json["seen"], ["t59"] * 2, "the last one is warm")
