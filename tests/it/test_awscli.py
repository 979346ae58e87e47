"""Debian's AWS CLI, unmodified: create, wait, invoke, update and delete a Python function and a shell bootstrap."""
import json, os, shutil, subprocess, tempfile, unittest
from harness import *


class AwsCli(Case):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        self.env = dict(os.environ, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1", AWS_PAGER="", HOME=self.dir)
        os.mkdir(os.path.join(self.dir, ".aws"))
        with open(os.path.join(self.dir, ".aws/config"), "w") as f:  # version 2 wants payloads in base64 otherwise; version 1 reads over it
            f.write("[default]\ncli_binary_format = raw-in-base64-out\n")

    def aws(self, *args, fails=False):
        r = subprocess.run(["aws", "--endpoint-url", self.d.endpoint, "lambda", *args], cwd=self.dir, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, timeout=120)
        if fails:
            self.assertIn(r.returncode, (254, 255), r.stdout)  # what the service refused, by version 2 and 1
            return r.stderr
        self.assertEqual(r.returncode, 0, r.stderr)
        return json.loads(r.stdout) if r.stdout.strip() else None

    def write_zip(self, name, content):
        with open(os.path.join(self.dir, name), "wb") as f:
            f.write(content)
        return f"fileb://{name}"

    def cycle(self, name, runtime, handler, first, second, check):
        self.addCleanup(self.d.delete, name)
        made = self.aws("create-function", "--function-name", name, "--runtime", runtime, "--handler", handler, "--role", ROLE, "--zip-file", self.write_zip("a.zip", first),
                        "--memory-size", "256", "--environment", "Variables={COLOUR=green}")
        self.assertEqual((made["State"], made["StateReasonCode"]), ("Pending", "Creating"))
        self.aws("wait", "function-active-v2", "--function-name", name)
        self.aws("wait", "function-exists", "--function-name", name)
        shown = self.aws("get-function", "--function-name", name)
        self.assertEqual(shown["Configuration"]["State"], "Active")
        self.assertEqual(shown["Configuration"]["Environment"]["Variables"], {"COLOUR": "green"})
        self.assertEqual(check(name), 1)
        changed = self.aws("update-function-code", "--function-name", name, "--zip-file", self.write_zip("b.zip", second))
        self.assertEqual(changed["LastUpdateStatus"], "InProgress")
        self.aws("wait", "function-updated-v2", "--function-name", name)
        self.assertEqual(check(name), 2)
        self.aws("update-function-configuration", "--function-name", name, "--timeout", "7", "--description", "seven")
        self.aws("wait", "function-updated", "--function-name", name)
        configuration = self.aws("get-function-configuration", "--function-name", name)
        self.assertEqual((configuration["Timeout"], configuration["Description"]), (7, "seven"))
        self.assertIn(name, [f["FunctionName"] for f in self.aws("list-functions")["Functions"]])
        self.aws("delete-function", "--function-name", name)
        self.assertIn("ResourceNotFoundException", self.aws("get-function", "--function-name", name, fails=True))

    def invoke(self, name, payload):
        r = self.aws("invoke", "--function-name", name, "--payload", payload, "--log-type", "Tail", "out.json")
        self.assertEqual((r["StatusCode"], r["ExecutedVersion"], r.get("FunctionError")), (200, "$LATEST", None))
        with open(os.path.join(self.dir, "out.json")) as f:
            return json.load(f)

    def test_python_function(self):
        source = "import os\ndef handler(event, context):\n    return {'n': %d, 'event': event, 'colour': os.environ['COLOUR']}\n"
        def check(name):
            out = self.invoke(name, '{"a": "b"}')
            self.assertEqual((out["event"], out["colour"]), ({"a": "b"}, "green"))
            return out["n"]
        self.cycle("cli-python", "python3.11", "f.handler", make_zip({"f.py": source % 1}), make_zip({"f.py": source % 2}), check)

    def test_shell_bootstrap(self):
        with open(os.path.join(TOP, "rootfs/examples/hello-bash/bootstrap")) as f:
            source = f.read()
        def check(name):
            out = self.invoke(name, '{"name": "cli"}')
            self.assertEqual(out["hello"], "cli")
            return out.get("n", 1)
        second = source.replace("{hello: ", "{n: 2, hello: ")
        self.assertNotEqual(source, second)
        self.cycle("cli-bash", "provided.al2023", "main", make_zip({"bootstrap": source}), make_zip({"bootstrap": second}), check)

    def test_what_is_not_built_says_so(self):
        name = self.function()
        self.assertIn("does not implement PutFunctionCodeSigningConfig yet", self.aws("put-function-code-signing-config", "--function-name", name, "--code-signing-config-arn", "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0", fails=True))

    def test_account_settings(self):
        r = self.aws("get-account-settings")
        self.assertEqual(r["AccountLimit"]["ConcurrentExecutions"], 1000)
