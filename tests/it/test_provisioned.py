"""Provisioned and reserved concurrency, through boto3 and the AWS CLI; metrics."""
import threading, time
from harness import *
import test_awscli, test_logs_fnctl  # modules, lest their tests run here too

PY = """
import os, time
time.sleep(float(os.environ.get("INIT_S", "0")))
if os.environ.get("INIT_FAILS"):
    raise RuntimeError("no")
served = 0
def handler(event, context):
    global served
    served += 1
    time.sleep(event.get("s", 0))""" + HOLD + """
    return {"served": served, "how": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "pid": os.getpid(), "version": context.function_version, "marker": os.environ.get("MARK")}
"""


def metrics(d):
    out = {}
    for line in d.request("GET", "/_fnd/metrics").body.decode().splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            out[name] = float(value)
    return out


class Base(BotoCase):
    def get(self, f, q):
        return self.c.get_provisioned_concurrency_config(FunctionName=f, Qualifier=q)

    def put(self, f, q, n):
        return self.c.put_provisioned_concurrency_config(FunctionName=f, Qualifier=q, ProvisionedConcurrentExecutions=n)

    def ready(self, f, q, n):
        def is_ready():
            g = self.get(f, q)
            return g["Status"] == "READY" and g["AvailableProvisionedConcurrentExecutions"] == n
        wait_until(f"{f}:{q} has {n}", is_ready)

    def invoke(self, f, q=None, tail=False, **event):
        self.d.idle(f, "finishing")
        r = self.c.invoke(FunctionName=f, Payload=json.dumps(event), **({"Qualifier": q} if q else {}), LogType="Tail" if tail else "None")
        body = json.load(r["Payload"])
        self.assertNotIn("FunctionError", r, body)
        return (body, base64.b64decode(r["LogResult"]).decode()) if tail else body

    def at_once(self, f, q, n, s=0):
        return self.d.together(f, n, lambda event: self.invoke(f, q, s=s, **event))


class Provisioned(Base):
    def test_a_version(self):
        f = self.python(PY, Timeout=20)
        v = self.publish(f)
        r = self.put(f, v, 2)
        self.assertEqual(r["ResponseMetadata"]["HTTPStatusCode"], 202)
        self.assertEqual((r["Status"], r["RequestedProvisionedConcurrentExecutions"], r["AllocatedProvisionedConcurrentExecutions"],
                          r["AvailableProvisionedConcurrentExecutions"]), ("IN_PROGRESS", 2, 0, 0))
        self.assertRegex(r["LastModified"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$")
        self.ready(f, v, 2)
        g = self.get(f, v)
        self.assertEqual((g["AllocatedProvisionedConcurrentExecutions"], g["RequestedProvisionedConcurrentExecutions"]), (2, 2))
        self.assertNotIn("StatusReason", g)
        one, log = self.invoke(f, v, tail=True)
        self.assertEqual((one["served"], one["how"], one["version"]), (1, "provisioned-concurrency", v))
        self.assertIn("REPORT", log)
        self.assertNotIn("Init Duration", log)
        self.assertNotIn("INIT_START", log)
        # two are provisioned, the third spills over
        got = self.at_once(f, v, 3, s=1)
        self.assertEqual(sorted(x["how"] for x in got), ["on-demand", "provisioned-concurrency", "provisioned-concurrency"])
        self.assertEqual(self.invoke(f, v)["how"], "provisioned-concurrency", "it comes first, though the other was used last")
        # $LATEST has none of it
        self.assertEqual(self.invoke(f)["how"], "on-demand")
        m = metrics(self.d)
        label = f'{{function="{f}"}}'
        self.assertEqual(m["fnd_provisioned_concurrency_invocations_total" + label], 4)
        self.assertEqual(m["fnd_provisioned_concurrency_spillover_invocations_total" + label], 1)
        self.assertEqual(m["fnd_invocations_total" + label], 6)
        self.assertEqual(m["fnd_cold_starts_total" + label], 2)
        self.assertEqual(m["fnd_errors_total" + label], 0)
        self.assertEqual(m["fnd_provisioned_concurrency_utilization" + label], 0)
        self.assertGreater(m["fnd_duration_seconds_total" + label], 3)
        # deleted: ordinary again
        self.c.delete_provisioned_concurrency_config(FunctionName=f, Qualifier=v)
        self.assertEqual(self.fails("ProvisionedConcurrencyConfigNotFoundException", self.c.get_provisioned_concurrency_config, FunctionName=f, Qualifier=v),
                         "No Provisioned Concurrency Config found for this function")
        wait_until("they are gone", lambda: self.invoke(f, v)["how"] == "on-demand")

    def test_utilization_while_it_runs(self):
        f = self.python(PY, Timeout=20)
        v = self.publish(f)
        self.put(f, v, 2)
        self.ready(f, v, 2)
        label = f'{{function="{f}"}}'
        with self.d.held(f, lambda event: self.invoke(f, v, **event)):
            wait_until("half of it is in use", lambda: metrics(self.d)["fnd_provisioned_concurrency_utilization" + label] == 0.5)
            self.assertEqual(metrics(self.d)["fnd_concurrent_executions" + label], 1)
            self.assertEqual([self.d.metric("fnd_environments", function=f, state=s) for s in ("starting", "idle", "busy", "finishing")], [0, 1, 1, 0])
        self.d.idle(f)
        self.assertEqual(self.d.metric("fnd_environments", function=f, state="idle"), 2)

    def test_more_and_fewer(self):
        f = self.python(PY)
        v = self.publish(f)
        for n in (1, 4, 2):
            self.put(f, v, n)
            self.ready(f, v, n)
            if n != 4:  # at once there may be more
                self.assertEqual(sum(x["how"] == "provisioned-concurrency" for x in self.at_once(f, v, 5)), n)

    def test_not_for_idleness_and_not_for_memory(self):
        d = self.daemon(idle_timeout_s=1, memory_budget_mb=100, keep_alive={"policy": "fixed"})
        d.create("p", Publish=True)
        boto(d).put_provisioned_concurrency_config(FunctionName="p", Qualifier="1", ProvisionedConcurrentExecutions=2)
        wait_until("ready", lambda: boto(d).get_provisioned_concurrency_config(FunctionName="p", Qualifier="1")["Status"] == "READY")
        before = set(d.pids()["sandbox"])
        self.assertEqual(len(before), 4)  # init and runtime
        for i in range(5):
            d.create(f"f{i}")
            d.do(f"f{i}", "alloc", mb=25)
        wait_until("the others have ended", lambda: set(d.pids()["sandbox"]) == before)
        # without room for more it says so
        c = boto(d)
        d.create("big", Publish=True, MemorySize=200)
        d.invoke("big", {"do": "alloc", "mb": 60}, query="?Qualifier=1")
        c.put_provisioned_concurrency_config(FunctionName="big", Qualifier="1", ProvisionedConcurrentExecutions=8)
        reasons = []  # of a moment: what was idle ends, and then there is room

        def failed():
            r = c.get_provisioned_concurrency_config(FunctionName="big", Qualifier="1")
            reasons.append(r.get("StatusReason", ""))
            return r["Status"] == "FAILED"
        wait_until("failed", failed)
        self.assertIn("memory", reasons[-1])

    def test_the_dead_are_replaced_also_after_a_restart(self):
        d = self.daemon()
        c = boto(d)
        d.create("p", Publish=True)
        c.put_provisioned_concurrency_config(FunctionName="p", Qualifier="1", ProvisionedConcurrentExecutions=2)

        def ready():
            g = c.get_provisioned_concurrency_config(FunctionName="p", Qualifier="1")
            return (g["Status"], g["AvailableProvisionedConcurrentExecutions"]) == ("READY", 2)
        wait_until("ready", ready)
        before = set(d.pids()["sandbox"])
        self.assertEqual(d.invoke("p", {"do": "exit", "code": 1}, query="?Qualifier=1").error, "Unhandled")
        wait_until("replaced", lambda: ready() and len(set(d.pids()["sandbox"]) - before) == 2)
        os.kill(d.pids()["spawnd"][0], signal.SIGKILL)
        wait_until("all are gone with fn-spawnd, and come again", lambda: ready() and not set(d.pids()["sandbox"]) & before)
        self.assertEqual(d.stop(), 0)
        d.start()
        wait_until("made again", ready)
        self.assertEqual(d.invoke("p", {"do": "env"}, query="?Qualifier=1").json["AWS_LAMBDA_INITIALIZATION_TYPE"], "provisioned-concurrency")

    def test_what_initialises_anew_is_allocated_still(self):
        f = self.python(PY + "def dies(event, context): os._exit(1)", Timeout=20, Environment={"Variables": {"INIT_S": "2"}})
        self.update(f, Handler="f.dies")
        v = self.publish(f)
        self.put(f, v, 1)
        self.ready(f, v, 1)
        self.assertEqual(self.d.invoke(f, {}, query=f"?Qualifier={v}").error, "Unhandled")
        seen = lambda: {k: g[k + "ProvisionedConcurrentExecutions"] if k != "Status" else g[k] for g in [self.get(f, v)] for k in ("Status", "Requested", "Allocated", "Available")}
        self.assertEqual(seen(), {"Status": "READY", "Requested": 1, "Allocated": 1, "Available": 0})
        self.ready(f, v, 1)

    def test_moves_with_the_alias(self):
        f = self.python(PY, Timeout=20, Environment={"Variables": {"MARK": "1"}})
        self.publish(f)
        self.change(f, Environment={"Variables": {"MARK": "2"}})
        self.publish(f)
        self.c.create_alias(FunctionName=f, Name="live", FunctionVersion="1")
        self.put(f, "live", 1)
        self.ready(f, "live", 1)
        self.assertEqual((self.invoke(f, "live")["how"], self.invoke(f, "live")["marker"]), ("provisioned-concurrency", "1"))
        self.c.update_alias(FunctionName=f, Name="live", FunctionVersion="2")
        self.ready(f, "live", 1)
        got = self.invoke(f, "live")
        self.assertEqual((got["how"], got["marker"]), ("provisioned-concurrency", "2"))
        wait_until("version 1 has none any more", lambda: self.invoke(f, "1")["how"] == "on-demand")
        self.c.delete_alias(FunctionName=f, Name="live")
        self.assertEqual(self.c.list_provisioned_concurrency_configs(FunctionName=f)["ProvisionedConcurrencyConfigs"], [])
        wait_until("neither has any more", lambda: [self.invoke(f, v)["how"] for v in "12"] == ["on-demand"] * 2)

    def test_init_that_fails(self):
        f = self.python(PY, Environment={"Variables": {"INIT_FAILS": "1"}})
        v = self.publish(f)
        self.put(f, v, 2)
        wait_until("failed", lambda: self.get(f, v)["Status"] == "FAILED")
        g = self.get(f, v)
        self.assertEqual((g["StatusReason"], g["AvailableProvisionedConcurrentExecutions"]), ("FUNCTION_ERROR_INIT_FAILURE", 0))

    def test_init_may_take_longer(self):
        """On-demand it would have 10 s (here 2 s), provisioned 130 s."""
        d = shared({"init_timeout_s": 2})
        c = boto(d)
        d.create("slow", make_zip({"f.py": PY}), runtime="python3.11", handler="f.handler", Environment={"Variables": {"INIT_S": "3.5"}}, Publish=True)
        self.addCleanup(d.delete, "slow")
        c.put_provisioned_concurrency_config(FunctionName="slow", Qualifier="1", ProvisionedConcurrentExecutions=1)
        wait_until("ready", lambda: c.get_provisioned_concurrency_config(FunctionName="slow", Qualifier="1")["Status"] != "IN_PROGRESS")
        self.assertEqual(c.get_provisioned_concurrency_config(FunctionName="slow", Qualifier="1")["Status"], "READY")

    def test_what_is_refused(self):
        f = self.python(PY)
        v = self.publish(f)
        put, get, delete = self.raw.put_provisioned_concurrency_config, self.c.get_provisioned_concurrency_config, self.c.delete_provisioned_concurrency_config
        unpublished = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        self.assertEqual(self.fails("InvalidParameterValueException", put, FunctionName=f, Qualifier="$LATEST", ProvisionedConcurrentExecutions=1), unpublished)
        self.assertEqual(self.fails("ResourceNotFoundException", put, FunctionName="nosuch", Qualifier="1", ProvisionedConcurrentExecutions=1), f"Function not found: {ARN}nosuch:1")
        self.assertEqual(self.fails("ResourceNotFoundException", put, FunctionName=f, Qualifier="99", ProvisionedConcurrentExecutions=1), f"Function not found: {ARN}{f}:99")
        self.assertIn("greater than or equal to 1", self.fails("ValidationException", put, FunctionName=f, Qualifier=v, ProvisionedConcurrentExecutions=0))
        self.fails("ProvisionedConcurrencyConfigNotFoundException", get, FunctionName=f, Qualifier=v)
        self.assertIn("below its minimum value of [100]", self.fails("InvalidParameterValueException", put, FunctionName=f, Qualifier=v, ProvisionedConcurrentExecutions=901))
        self.c.create_alias(FunctionName=f, Name="latest", FunctionVersion="$LATEST")
        self.assertEqual(self.fails("InvalidParameterValueException", put, FunctionName=f, Qualifier="latest", ProvisionedConcurrentExecutions=1), unpublished)
        self.c.create_alias(FunctionName=f, Name="a", FunctionVersion=v)
        self.put(f, v, 1)
        self.assertIn("already Provisioned version", self.fails("ResourceConflictException", put, FunctionName=f, Qualifier="a", ProvisionedConcurrentExecutions=1))
        delete(FunctionName=f, Qualifier=v)
        self.put(f, "a", 1)
        self.assertIn("Provisioned Concurrency alias", self.fails("ResourceConflictException", put, FunctionName=f, Qualifier=v, ProvisionedConcurrentExecutions=1))
        listed = self.c.list_provisioned_concurrency_configs(FunctionName=f)["ProvisionedConcurrencyConfigs"]
        self.assertEqual([(p["FunctionArn"], p["RequestedProvisionedConcurrentExecutions"]) for p in listed], [(f"{ARN}{f}:a", 1)])


class Scaling(Case):
    def daemon(self, targets):
        return super().daemon(provisioned_scaling_period_s=1, provisioned_scaling=targets)

    def requested(self, c, f, q):
        try:
            return c.get_provisioned_concurrency_config(FunctionName=f, Qualifier=q)["RequestedProvisionedConcurrentExecutions"]
        except c.exceptions.ClientError:
            return 0

    def test_follows_the_load(self):
        d = self.daemon([{"function": "f", "qualifier": "live", "min": 1, "max": 4, "target": 0.5}])
        c = boto(d)
        d.create("f", Publish=True, Timeout=30)
        c.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
        wait_until("the least there is to be", lambda: self.requested(c, "f", "live") == 1)
        stop = threading.Event()

        def load():
            while not stop.is_set():
                d.invoke("f", {"do": "sleep", "ms": 400}, query="?Qualifier=live")
        threads = [threading.Thread(target=load) for _ in range(4)]
        [t.start() for t in threads]
        self.addCleanup(stop.set)
        wait_until("the most", lambda: self.requested(c, "f", "live") == 4)
        stop.set()
        [t.join() for t in threads]
        wait_until("the least again, more slowly", lambda: self.requested(c, "f", "live") == 1)
        self.assertIn("instead of", d.log())

    def test_follows_the_clock(self):
        first = time.time() + 6 * SLOW  # and again, in case that there is no such function by then
        times = [time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(first + i * 6 * SLOW)) for i in range(12)]
        d = self.daemon([{"function": "f", "qualifier": "1", "max": 10, "schedule": [{"when": t, "min": 3} for t in times]}])
        c = boto(d)
        d.create("f", Publish=True)
        before = self.requested(c, "f", "1")
        if time.time() < first - 1:
            self.assertEqual(before, 0)
        wait_until("the time has come", lambda: self.requested(c, "f", "1") == 3)
        wait_until("they are there", lambda: c.get_provisioned_concurrency_config(FunctionName="f", Qualifier="1")["Status"] == "READY")

    def test_configurations_that_make_no_sense(self):
        good = {"function": "f", "qualifier": "live", "max": 5}
        for change in ({"max": 0}, {"min": 6}, {"function": ""}, {"target": 2}, {"target": "0.7"}, {"schedule": {}}, {"schedule": [{"when": "rate(1 hour)", "min": 1}]},
                       {"schedule": [{"when": "cron(0 8 ? * MON *)"}]}, {"more": 1}, {"qualifier": None}):
            path = "/tmp/fnd-broken-scaling.json"
            with open(path, "w") as f:
                json.dump({"provisioned_scaling": [{**good, **change}]}, f)
            p = subprocess.run([os.path.join(BUILD, "fnd"), "--state", "/nonexistent/x", "--config", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
            os.unlink(path)
            self.assertEqual(p.returncode, 1, change)
            self.assertIn(b"provisioned_scaling", p.stderr, change)


class Reserved(Base):
    def limit(self, f, n):
        return self.c.put_function_concurrency(FunctionName=f, ReservedConcurrentExecutions=n)

    def test_lifecycle(self):
        f = self.function()
        self.assertNotIn("ReservedConcurrentExecutions", self.c.get_function_concurrency(FunctionName=f))
        free = self.c.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
        self.assertEqual(self.limit(f, 5)["ReservedConcurrentExecutions"], 5)
        self.assertEqual(self.c.get_function_concurrency(FunctionName=f)["ReservedConcurrentExecutions"], 5)
        self.assertEqual(self.c.get_function(FunctionName=f)["Concurrency"], {"ReservedConcurrentExecutions": 5})
        self.assertEqual(self.c.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"], free - 5)
        self.c.delete_function_concurrency(FunctionName=f)
        self.assertNotIn("ReservedConcurrentExecutions", self.c.get_function_concurrency(FunctionName=f))
        self.assertNotIn("Concurrency", self.c.get_function(FunctionName=f))

    def test_throttling(self):
        f = self.python(PY)
        self.limit(f, 2)
        with self.d.held(f, lambda event: self.d.invoke(f, event), 2) as replies:
            refused = [self.d.invoke(f, {}) for _ in range(3)]
        self.assertEqual([r.status for r in replies + refused], [200, 200, 429, 429, 429])
        r = refused[0]
        self.assertEqual((r.error_type, r.json["Reason"], r.json["message"]), ("TooManyRequestsException", "ReservedFunctionConcurrentInvocationLimitExceeded", "Rate Exceeded."))
        self.assertEqual(metrics(self.d)[f'fnd_throttles_total{{function="{f}"}}'], 3)
        self.limit(f, 0)
        self.assertEqual(self.d.invoke(f, {}).json["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded")
        self.c.delete_function_concurrency(FunctionName=f)
        self.assertEqual(self.d.invoke(f, {}).status, 200)

    def test_others_have_what_is_left(self):
        d = shared({"account_concurrency": 20})
        c = boto(d)
        for name in ("mine", "yours"):
            d.create_python(name, PY)
            self.addCleanup(d.delete, name)
        c.put_function_concurrency(FunctionName="mine", ReservedConcurrentExecutions=18)
        with d.held("yours", lambda event: d.invoke("yours", event), 2) as replies:
            refused = [d.invoke("yours", {}) for _ in range(2)]
            self.assertEqual(d.invoke("mine", {}).status, 200)
        self.assertEqual([r.status for r in replies + refused], [200, 200, 429, 429])
        self.assertEqual(refused[0].json["Reason"], "ConcurrentInvocationLimitExceeded")
        self.assertIn("below its minimum value of [2]", self.fails("InvalidParameterValueException", c.put_function_concurrency, FunctionName="yours",
                                                                    ReservedConcurrentExecutions=1))

    def test_with_provisioned(self):
        f = self.python(PY)
        v = self.publish(f)
        self.limit(f, 3)
        self.assertIn("reservedConcurrentExecution", self.fails("InvalidParameterValueException", self.c.put_provisioned_concurrency_config, FunctionName=f, Qualifier=v,
                                                                ProvisionedConcurrentExecutions=4))
        self.put(f, v, 2)
        self.assertIn("total provisioned concurrency [2]", self.fails("InvalidParameterValueException", self.c.put_function_concurrency, FunctionName=f,
                                                                      ReservedConcurrentExecutions=1))

    def test_what_is_refused(self):
        f = self.function()
        put = self.raw.put_function_concurrency
        only = "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN."
        self.assertEqual(self.fails("InvalidParameterValueException", put, FunctionName=f"{ARN}{f}:1", ReservedConcurrentExecutions=1), only)
        self.assertEqual(self.fails("ResourceNotFoundException", put, FunctionName="nosuch", ReservedConcurrentExecutions=1), f"Function not found: {ARN}nosuch:$LATEST")
        self.fails("ResourceNotFoundException", self.c.get_function_concurrency, FunctionName="nosuch")
        self.fails("ResourceNotFoundException", self.c.delete_function_concurrency, FunctionName="nosuch")
        self.assertIn("greater than or equal to 0", self.fails("ValidationException", put, FunctionName=f, ReservedConcurrentExecutions=-1))
        self.assertEqual(self.fails("InvalidParameterValueException", put, FunctionName=f, ReservedConcurrentExecutions=950),
                         "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].")


class Cli(Case):
    setUp, aws = test_awscli.AwsCli.setUp, test_awscli.AwsCli.aws

    def test_cycle(self):
        f = self.function(Publish=True)
        name = ["--function-name", f]
        self.assertEqual(self.aws("put-function-concurrency", *name, "--reserved-concurrent-executions", "4"), {"ReservedConcurrentExecutions": 4})
        self.assertEqual(self.aws("put-provisioned-concurrency-config", *name, "--qualifier", "1", "--provisioned-concurrent-executions", "1")["Status"], "IN_PROGRESS")
        wait_until("ready", lambda: self.aws("get-provisioned-concurrency-config", *name, "--qualifier", "1")["Status"] == "READY")
        self.assertEqual(len(self.aws("list-provisioned-concurrency-configs", *name)["ProvisionedConcurrencyConfigs"]), 1)
        self.aws("delete-provisioned-concurrency-config", *name, "--qualifier", "1")
        self.assertIn("ProvisionedConcurrencyConfigNotFoundException", self.aws("get-provisioned-concurrency-config", *name, "--qualifier", "1", fails=True))
        self.aws("delete-function-concurrency", *name)


class FnctlConcurrency(Base):
    fnctl = test_logs_fnctl.Fnctl.fnctl

    def test_reserved(self):
        f = self.function()
        self.assertIn("none reserved", self.fnctl("concurrency", "get", f))
        self.assertEqual(json.loads(self.fnctl("concurrency", "get", f, "--output", "json")), {})
        self.assertEqual(self.fnctl("concurrency", "put", f, "0"), f"{f}: 0 reserved\n")
        self.assertIn("TooManyRequestsException", self.fnctl("invoke", f, status=3))
        self.assertEqual(json.loads(self.fnctl("--output", "json", "concurrency", "put", f, "7")), {"ReservedConcurrentExecutions": 7})
        self.assertEqual(self.fnctl("concurrency", "get", f), f"{f}: 7 reserved\n")
        self.assertEqual(self.c.get_function_concurrency(FunctionName=f)["ReservedConcurrentExecutions"], 7)
        self.assertIn("below its minimum", self.fnctl("concurrency", "put", f, "1000", status=3))
        self.assertIn("no reserved concurrency any more", self.fnctl("concurrency", "delete", f))
        self.assertNotIn("ReservedConcurrentExecutions", self.c.get_function_concurrency(FunctionName=f))

    def test_provisioned(self):
        f = self.function()
        v = self.publish(f)
        self.c.create_alias(FunctionName=f, Name="live", FunctionVersion=v)
        self.assertIn("None provisioned", self.fnctl("concurrency", "list", f))
        self.assertRegex(self.fnctl("concurrency", "put", f, "2", "--qualifier", "live"), r"QUALIFIER +REQUESTED +AVAILABLE +STATUS .*\nlive +2 +0 +IN_PROGRESS ")
        self.ready(f, "live", 2)
        self.assertRegex(self.fnctl("concurrency", "get", f, "--qualifier", "live"), r"\nlive +2 +2 +READY ")
        self.assertRegex(self.fnctl("concurrency", "list", f), r"\nlive +2 +2 +READY ")
        out = json.loads(self.fnctl("--output", "json", "concurrency", "list", f))["ProvisionedConcurrencyConfigs"]
        self.assertEqual([(c["FunctionArn"], c["Status"]) for c in out], [(f"{ARN}{f}:live", "READY")])
        self.assertIn("pointed by", self.fnctl("concurrency", "put", f, "1", "--qualifier", v, status=3))
        self.assertIn(f"{f}:live has no provisioned", self.fnctl("concurrency", "delete", f, "--qualifier", "live"))
        self.assertIn("ProvisionedConcurrencyConfigNotFound", self.fnctl("concurrency", "get", f, "--qualifier", "live", status=3))

    def test_wrong_use(self):
        for args, word in (((), "put, get"), (("make", "f"), 'what is "make"'), (("get",), "which function"), (("put", "f"), "how many"), (("put", "f", "x"), "whole number"),
                           (("put", "f", "-1"), "no option -1"), (("put", "f", "1", "2"), 'what is "2"'), (("get", "f", "1"), 'what is "1"'), (("list", "f", "--qualifier", "1"), "no --qualifier"),
                           (("get", "f", "--qualifier", ""), "a version or an alias"), (("get", "f", "--weight", "1"), "no option")):
            self.assertIn(word, self.fnctl("concurrency", *args, status=2), args)
