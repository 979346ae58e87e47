"""What a function signs with: invented credentials, each environment's own, or those of its role in the configuration."""
import json, os, shutil, subprocess, tempfile, threading, unittest
from harness import *

LOOK = "import os\ndef handler(event, context):\n    return [os.environ.get(k) for k in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN')]\n"
SDK = '''
import boto3, botocore.exceptions, os
s3, sts = boto3.client("s3"), boto3.client("sts", endpoint_url="http://127.0.0.1:9")
def handler(event, context):
    signed = []
    sts.meta.events.register("before-send.sts.GetCallerIdentity", lambda request, **kw: signed.append(request.headers["Authorization"].decode()))
    try:
        sts.get_caller_identity()
    except botocore.exceptions.EndpointConnectionError:
        pass
    c = boto3.Session().get_credentials()
    return {"url": s3.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"}), "authorization": signed[0], "method": c.method, "keys": [c.access_key, c.secret_key, c.token]}
'''
FIXED = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "session_token": "dG9rZW4="}


class Invented(Case):
    images = BASIC

    def test_shape_and_each_environment_s_own(self):
        f = self.python(LOOK.replace("    return", HOLD + "    return"))
        seen = self.d.together(f, 2, lambda event: self.d.invoke(f, event).json)
        for key, secret, token in seen:
            self.assertRegex(key, r"^ASIA[A-Z2-7]{16}$")
            self.assertRegex(secret, r"^[A-Za-z0-9/+]{40}$")
            self.assertRegex(token, r"^IQoJb3JpZ2luX2Vj[A-Za-z0-9/+]{500,}={0,2}$")
        for one, other in zip(*seen):
            self.assertNotEqual(one, other)

    def test_an_sdk_signs_with_them(self):
        r = self.d.invoke(self.python(SDK, MemorySize=1024, Timeout=60), {}, tail=True)
        self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
        key, secret, token = r.json["keys"]
        self.assertIn(f"Credential={key}/", r.json["authorization"])
        self.assertIn(key, r.json["url"])
        self.assertEqual(r.json["method"], "env")

    def test_after_a_restore_they_are_the_new_environment_s(self):
        f = self.python(LOOK.replace("import os\n", "import os\nTHEN = os.environ['AWS_ACCESS_KEY_ID']\n").replace("return [", "return [THEN] + ["), SnapStart={"ApplyOn": "PublishedVersions"})
        self.d.settled(f)
        self.assertEqual(self.d.request("POST", f"/2015-03-31/functions/{f}/versions", {}).status, 201)
        look = lambda: self.d.request("GET", f"/2015-03-31/functions/{f}/configuration?Qualifier=1").json
        wait_until(look, lambda: look()["State"] == "Active")
        self.assertEqual(look()["SnapStart"]["OptimizationStatus"], "On")
        then, key, _, token = self.d.invoke(f, {}, query="?Qualifier=1").json
        self.assertNotEqual(then, key)
        self.assertRegex(key, r"^ASIA[A-Z2-7]{16}$")


class Configured(Case):
    images = BASIC

    def setUp(self):
        self.dir = tempfile.mkdtemp(dir="/var/tmp")
        os.chmod(self.dir, 0o777)
        self.addCleanup(shutil.rmtree, self.dir)

    def daemon(self, config=None, **roles):
        return super().daemon(config, roles={f"arn:aws:iam::000000000000:role/{name}": role for name, role in roles.items()})

    def script(self, text):
        path = os.path.join(self.dir, "issue")
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return {"credential_process": [path, "an argument"]}

    def issue(self, expiration=None):
        """Numbers what it issues."""
        expires = f', "Expiration": "\'$(/bin/date -u -d "{expiration}" +%Y-%m-%dT%H:%M:%SZ)\'"' if expiration else ""
        return self.script(f'''echo "$1 $(/usr/bin/id -u)" >>{self.dir}/ran
n=$(/usr/bin/wc -l <{self.dir}/ran)
echo '{{"Version": 1, "AccessKeyId": "ASIANUMBER000000000'$n'", "SecretAccessKey": "secret'$n'", "SessionToken": "token'$n'"{expires}}}'
''')

    def ran(self):
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.dir, "ran")) as f:
            return f.read().splitlines()
        return []

    def create(self, d, name, role="test", source=LOOK, **more):
        d.create(name, make_zip({"f.py": source}), runtime="python3.11", handler="f.handler", Role=f"arn:aws:iam::000000000000:role/{role}", **more)

    def test_given(self):
        d = self.daemon(given=FIXED, short={k: FIXED[k] for k in ("access_key_id", "secret_access_key")})
        self.create(d, "sdk", "given", SDK, MemorySize=1024, Timeout=60)
        answer = d.invoke("sdk", {}).json
        self.assertEqual(answer["keys"], list(FIXED.values()))
        self.assertIn("Credential=AKIAIOSFODNN7EXAMPLE/", answer["authorization"])
        self.create(d, "short", "short")
        self.assertEqual(d.invoke("short", {}).json, [FIXED["access_key_id"], FIXED["secret_access_key"], None])
        self.create(d, "other", "of-nobody")
        self.assertRegex(d.invoke("other", {}).json[0], "^ASIA")
        self.nowhere(d, FIXED["secret_access_key"], FIXED["session_token"])

    def nowhere(self, d, *secrets):
        """Neither in fnd's log, nor in functions', nor in what ps shows."""
        said = d.log() + "".join(d.request("GET", f"/_fnd/logs/{f['FunctionName']}?max=1000000").body.decode() for f in d.request("GET", "/2015-03-31/functions").json["Functions"])
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as f:
                said += f.read().decode("utf-8", "replace")
        for s in secrets:
            self.assertNotIn(s, said)

    def test_printed_by_a_command_once(self):
        d = self.daemon(test=self.issue("+1 hour"))
        for name in ("a", "b"):
            self.create(d, name)
        seen = []
        threads = [threading.Thread(target=lambda n=n: seen.append(d.invoke(n, {}).json)) for n in ("a", "b")]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(seen, [["ASIANUMBER0000000001", "secret1", "token1"]] * 2)
        ran = self.ran()
        self.assertEqual(len(ran), 1)
        self.assertRegex(ran[0], r"^an argument \d+$")
        self.assertNotEqual(ran[0].split()[2], "0", "as fnd's user")
        self.nowhere(d, "secret1", "token1")

    def test_environments_end_with_them_and_the_next_has_new_ones(self):
        d = self.daemon(test=self.issue("+8 seconds"))
        self.create(d, "f")
        first = d.invoke("f", {}).json
        self.assertEqual(first, ["ASIANUMBER0000000001", "secret1", "token1"])
        wait_until("there are new ones", lambda: d.invoke("f", {}).json == ["ASIANUMBER0000000002", "secret2", "token2"])
        self.assertEqual(len(self.ran()), 2)

    def test_provisioned_environments_are_replaced_one_after_the_other(self):
        d = self.daemon(test=self.issue("+8 seconds"))
        self.create(d, "f", source=LOOK.replace("'AWS_SESSION_TOKEN'", "'AWS_LAMBDA_INITIALIZATION_TYPE'"))
        d.settled("f")
        at = "/2015-03-31/functions/f"
        self.assertEqual(d.request("POST", at + "/versions", {}).status, 201)
        self.assertEqual(d.request("PUT", "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=1", {"ProvisionedConcurrentExecutions": 6}).status, 202)
        state = lambda: d.request("GET", "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=1").json
        wait_until(state, lambda: state()["Status"] == "READY", 30)
        begun = lambda: [line.split()[0][14:23] for line in d.request("GET", "/_fnd/logs/f?max=1000000").json["Text"].splitlines() if " INIT_START " in line]
        wait_until("all have been replaced", lambda: len(begun()) >= 12, 60)
        minute, second = zip(*(t.split(":") for t in begun()[6:12]))
        at = [60 * int(m) + float(s) for m, s in zip(minute, second)]
        self.assertGreater((at[-1] - at[0]) % 3600, 0.05)  # of a second
        self.assertIn(d.invoke("f", {}, query="?Qualifier=1").json[2], ("provisioned-concurrency", "on-demand"))

    def test_a_command_that_fails_is_the_invocation_s_error(self):
        d = self.daemon(test=self.script(f"[ -e {self.dir}/well ] || {{ echo secret5; exit 5; }}; echo '{{\"Version\": 1, \"AccessKeyId\": \"ASIANUMBER0000000001\", \"SecretAccessKey\": \"x\"}}'"),
                        absent={"credential_process": ["/nonexistent/program"]}, wrong={"credential_process": ["/bin/echo", "secret6"]}, much={"credential_process": ["/usr/bin/yes", "secret7"]})
        for role, words in (("test", "it ended with status 5"), ("absent", "cannot be run"), ("wrong", "is no JSON object"), ("much", "more than 65536 bytes")):
            self.create(d, role, role)
            r = d.invoke(role, {})
            self.assertEqual((r.status, r.error_type), (500, "ServiceException"), r)
            self.assertIn(f"role credentials: the command of arn:aws:iam::000000000000:role/{role}", r.json["Message"])
            self.assertIn(words, r.json["Message"])
            self.assertIn(words, d.log())
            self.assertRegex(d.request("GET", f"/_fnd/logs/{role}").json["Text"], rf"(?m)^.* ROLE_CREDENTIALS Status: error\tReason: role credentials: the command of arn:\S+:role/{role}.*{words}")
        self.create(d, "json", "absent", LoggingConfig={"LogFormat": "JSON"})
        self.assertEqual(d.invoke("json", {}).status, 500)
        said = [json.loads(line[line.index("{"):]) for line in d.request("GET", "/_fnd/logs/json").json["Text"].splitlines() if "fnd.roleCredentials" in line]
        self.assertEqual((len(said), said[0]["record"]["status"]), (1, "error"))
        self.assertIn("cannot be run", said[0]["record"]["reason"])
        self.nowhere(d, "secret5", "secret6")
        open(os.path.join(self.dir, "well"), "w").close()
        self.assertEqual(d.invoke("test", {}).json, ["ASIANUMBER0000000001", "x", None])

    def test_one_that_hangs_holds_up_nobody_else_and_is_ended(self):
        d = self.daemon(test=self.script(f"echo $$ >{self.dir}/pid; sleep 1000"))
        self.create(d, "stuck", Timeout=60)
        self.create(d, "other", "other")
        answers = []
        t = threading.Thread(target=lambda: answers.append(d.invoke("stuck", {})))
        t.start()
        wait_until("it runs", lambda: os.path.exists(os.path.join(self.dir, "pid")))
        self.assertEqual(d.invoke("other", {}).status, 200)
        self.assertEqual(answers, [])
        t.join()
        self.assertIn("it did not end in time", answers[0].json["Message"])
        with open(os.path.join(self.dir, "pid")) as f:
            pid = f.read().strip()
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_a_stop_ends_it(self):
        d = self.daemon({"drain_grace_s": 0}, test=self.script(f"echo $$ >{self.dir}/pid; sleep 1000"))
        self.create(d, "stuck", Timeout=60)
        t = threading.Thread(target=lambda: answers.append(d.invoke("stuck", {})))
        answers = []
        t.start()
        wait_until("it runs", lambda: os.path.exists(os.path.join(self.dir, "pid")))
        self.assertEqual(d.stop(), 0)
        t.join()
        self.assertEqual(answers[0].status, 500)
        with open(os.path.join(self.dir, "pid")) as f:
            pid = f.read().strip()
        wait_until("its process has gone", lambda: not os.path.exists(f"/proc/{pid}"))
        wait_until(lambda: f"nothing is left: {d.leftovers()}", lambda: not d.leftovers())

    def test_wrong_configurations(self):
        role = "arn:aws:iam::000000000000:role/r"
        for roles, words in (([], "must be an object"), ({"r": FIXED}, "no ARN of a role"), ({role: {}}, "access key id"), ({role: 5}, "needs access_key_id"), ({role: {**FIXED, "region": "x"}}, "needs access_key_id"),
                             ({role: {"access_key_id": FIXED["access_key_id"]}}, "secret access key"), ({role: {**FIXED, "secret_access_key": "a b"}}, "secret access key"),
                             ({role: {**FIXED, "session_token": 5}}, "no string"), ({role: {**FIXED, "credential_process": ["/bin/true"]}}, "alone"), ({role: {"credential_process": "/bin/true"}}, "list of strings"),
                             ({role: {"credential_process": []}}, "list of strings"), ({role: {"credential_process": ["true"]}}, "list of strings"), ({role: {"credential_process": ["/bin/true", 5]}}, "list of strings")):
            path = os.path.join(self.dir, "fnd.json")
            with open(path, "w") as f:
                json.dump({"roles": roles}, f)
            r = subprocess.run([os.path.join(BUILD, "fnd"), "--check-config", "--config", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.assertEqual(r.returncode, 1, roles)
            self.assertIn(words, r.stdout)
            self.assertNotIn(FIXED["secret_access_key"], r.stdout)


if __name__ == "__main__":
    unittest.main()
