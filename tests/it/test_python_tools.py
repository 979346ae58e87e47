"""What is put around the Python runtime from outside: wrappers, PYTHONPATH, sitecustomize, .pth files, and instrumentation that replaces its functions."""
import json, unittest
from harness import *
import pypi

SENTRY = ("sentry-sdk==2.75.0", "urllib3==2.8.0", "certifi==2026.10.19.post1")
OTEL = ("opentelemetry-api==1.45.1", "opentelemetry-sdk==1.45.1", "opentelemetry-semantic-conventions==0.66b1", "opentelemetry-distro==0.66b1", "opentelemetry-instrumentation==0.66b1",
        "opentelemetry-instrumentation-aws-lambda==0.66b1", "opentelemetry-propagator-aws-xray==1.0.2", "wrapt==2.5.2", "packaging==26.4", "typing-extensions==4.16.0")
LAST = {"python3.9": {"==1.45.1": "==1.41.1", "==0.66b1": "==0.62b1", "urllib3==2.8.0": "urllib3==2.6.3", "packaging==26.4": "packaging==26.3 importlib-metadata==8.7.0 zipp==3.23.0"}}  # that an old Python can have


def installed(packages):
    """Their files, as pip chooses them for the runtime's Python."""
    for new, last in LAST.get(PYTHON, {}).items():
        packages = [p.replace(new, last) for p in packages]
    return pypi.files(pypi.install(*" ".join(packages).split(), python=PYTHON.removeprefix("python")))


class ToolsCase(Case):
    def package(self, files, modes=None, handler="f.handler", name=None, **more):
        name = name or "t-" + self.id().split(".")[-1].replace("_", "-")[:50]
        return self.function(name, make_zip(files, modes), runtime=PYTHON, handler=handler, **{"MemorySize": 1024, "Timeout": 30, **more})

    def ok(self, f, payload=None):
        r = self.d.in_turn(f, {} if payload is None else payload, tail=True)
        self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
        return r


class Start(ToolsCase):
    def wrapped(self, script, source, **more):
        return self.package({"f.py": source, "wrap": script, **more.pop("files", {})}, {"wrap": 0o755}, Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap", **more.pop("env", {})}}, **more)

    def test_a_wrapper_gets_interpreter_and_script_and_what_it_changes_holds(self):
        """AWS Lambda Developer Guide, "runtimes-modify": the example inserts options before the last argument."""
        f = self.wrapped("""#!/bin/bash
args=("$@")
printf '%s\\n' "$@" > /tmp/args
export FROM_WRAPPER="a b"
unset TO_GO
extra_args=("-X" "importtime" "-W" "error")
args=("${args[@]:0:$#-1}" "${extra_args[@]}" "${args[@]: -1}")
exec "${args[@]}"
""", """
import os, sys
def handler(e, c):
    return {"args": open("/tmp/args").read().split("\\n")[:-1], "env": [os.environ.get(n) for n in ("FROM_WRAPPER", "TO_GO")], "x": sys._xoptions, "w": sys.warnoptions, "argv": sys.argv,
            "main": sys.modules["__main__"].__file__, "exe": sys.executable}
""", env={"TO_GO": "1"})
        r = self.ok(f)
        out = r.json
        self.assertEqual(out["args"], ["/var/lang/bin/" + PYTHON, "/var/runtime/bootstrap.py"])
        self.assertEqual((out["env"], out["x"], out["w"]), (["a b", None], {"importtime": True}, ["error"]))
        self.assertEqual((out["argv"], out["main"], out["exe"]), (["/var/runtime/bootstrap.py"], "/var/runtime/bootstrap.py", "/var/lang/bin/" + PYTHON))

    def test_a_wrapper_that_is_not_there_or_no_program(self):
        for path, status in (("/var/task/none", 127), ("/var/task/f.py", 126)):
            f = self.package({"f.py": "def handler(e, c):\n    return 1\n"}, Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": path}})
            r = self.d.invoke(f, {})
            self.assertEqual((r.json["errorType"], r.json["errorMessage"].split("Error: ")[1]), ("Runtime.ExitError", f"Runtime exited with error: exit status {status}"))

    PATH = "import os, sys\ndef handler(e, c):\n    return [sys.path, os.environ['PYTHONPATH'], sys.flags.no_site, 'sitecustomize' in sys.modules, getattr(sys, 'seen', None)]\n"
    LIB = "/var/lang/lib/" + PYTHON
    TAIL = ["/var/runtime", f"/var/lang/lib/{PYTHON.replace('.', '')}.zip", LIB, LIB + "/lib-dynload"]

    def test_search_path(self):
        """The order of Lambda's, and .pth files of the function's directory."""
        path, variable, no_site, custom, seen = self.ok(self.package({"f.py": self.PATH, "own.pth": "import sys; sys.seen = 'pth'\nlib\n", "lib/inlib.py": "", "sitecustomize.py": "import sys; sys.seen = 'no'"})).json
        self.assertEqual(path[:8], ["/var/task", f"/opt/python/lib/{PYTHON}/site-packages", "/opt/python", self.LIB + "/site-packages"] + self.TAIL)
        self.assertEqual(path[8], self.LIB + "/site-packages")
        self.assertIn("/var/task/lib", path[9:])
        self.assertEqual((variable, no_site, custom, seen), ("/var/runtime", 0, False, "pth"))  # /var/task is no place for a sitecustomize, on Lambda neither

    def test_the_interpreter_by_itself(self):
        """A child has what the function has, but for its directories."""
        f = self.package({"f.py": """
import json, subprocess
def handler(e, c):
    run = lambda *args: subprocess.run(["python3", *args], capture_output=True, text=True)
    return [json.loads(run("-c", "import boto3, sys, json; print(json.dumps([sys.path, sys.prefix, sys.executable]))").stdout), run("-m", "pip", "--version").stdout, run("-c", "import setuptools").returncode]
"""})
        (path, prefix, exe), pip, setuptools = self.ok(f).json
        self.assertEqual(path, [""] + self.TAIL + [self.LIB + "/site-packages"])
        self.assertEqual((prefix, exe, setuptools), ("/var/lang", "/var/lang/bin/python3", 0))
        self.assertRegex(pip, rf"^pip [\d.]+ from {self.LIB}/site-packages/pip \({PYTHON.replace('python', 'python ')}\)")

    def test_pythonpath_and_sitecustomize(self):
        f = self.package({"f.py": self.PATH, "start/sitecustomize.py": "import sys, logging; sys.seen = logging.getLogger().handlers == []"}, Environment={"Variables": {"PYTHONPATH": "/var/task/start"}})
        path, variable, no_site, custom, seen = self.ok(f).json
        self.assertEqual(path[:6], ["/var/task", "/var/runtime", "/var/task/start"] + self.TAIL[1:])
        self.assertEqual((variable, no_site, custom, seen), ("/var/task/start", 0, True, True))

    def test_logging_that_sitecustomize_imported_is_set_up(self):
        f = self.package({"f.py": "import logging\ndef handler(e, c):\n    logging.warning('as usual')\n", "start/sitecustomize.py": "import logging"}, Environment={"Variables": {"PYTHONPATH": "/var/task/start"}})
        r = self.ok(f)
        self.assertRegex(r.log, rf"\[WARNING\]\t\S+Z\t{r.headers['x-amzn-requestid']}\tas usual\n")


class Names(ToolsCase):
    def test_the_runtime_under_the_names_of_aws_s_client(self):
        f = self.package({"f.py": """
import sys
import bootstrap, awslambdaric, awslambdaric.bootstrap, logging
from awslambdaric.lambda_context import LambdaContext, ClientContext
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient
from awslambdaric.lambda_runtime_exception import FaultException
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller, to_json
from awslambdaric.bootstrap import LambdaLoggerHandler, StandardLogSink

def handler(e, c):
    main = sys.modules["__main__"]
    return [bootstrap is awslambdaric.bootstrap is main.awslambdaricmain.bootstrap, isinstance(c, LambdaContext), bootstrap.LambdaRuntimeClient is LambdaRuntimeClient,
            [n for n in ("handle_event_request", "run", "_get_handler", "make_error", "log_error", "create_lambda_context", "update_xray_env_variable") if not callable(getattr(bootstrap, n))],
            type(logging.root.handlers[0]).__name__, to_json(b"x"), str(FaultException("a", "b").msg)]
"""})
        self.assertEqual(self.ok(f).json, [True, True, True, [], "LambdaLoggerHandler", '"x"', "b"])

    def test_what_is_replaced_is_called(self):
        f = self.package({"f.py": """
import sys
runtime = sys.modules["__main__"].awslambdaricmain.bootstrap
seen = []
def around(holder, name):
    old = getattr(holder, name)
    def new(*args, **more):
        seen.append(name)
        try:
            return old(*args, **more)
        finally:
            seen.append("after " + name)
    setattr(holder, name, new)
around(runtime, "handle_event_request")
for n in ("post_invocation_result", "post_invocation_error"):
    around(runtime.LambdaRuntimeClient, n)
class Upper(runtime.LambdaRuntimeClient.marshaller.__class__):
    def marshal_response(self, response):
        text, kind = super().marshal_response(response)
        return text.upper(), kind
runtime.LambdaRuntimeClient.marshaller = Upper()
def handler(e, c):
    if e == "raise":
        raise ValueError("so")
    out, seen[:] = list(seen), []
    return out
"""})
        self.assertEqual(self.ok(f).json, ["HANDLE_EVENT_REQUEST"])
        self.assertEqual(self.ok(f).json, ["POST_INVOCATION_RESULT", "AFTER POST_INVOCATION_RESULT", "AFTER HANDLE_EVENT_REQUEST", "HANDLE_EVENT_REQUEST"])
        r = self.d.invoke(f, '"raise"'.encode())
        self.assertEqual((r.json["errorType"], r.json["stackTrace"][0].split(",")[0]), ("ValueError", '  File "/var/task/f.py"'))
        self.assertEqual(self.ok(f).json[-4:-1], ["POST_INVOCATION_ERROR", "AFTER POST_INVOCATION_ERROR", "AFTER HANDLE_EVENT_REQUEST"])

    def sentry(self, source, name=None):
        files = installed(SENTRY)
        files["f.py"] = """
import sentry_sdk
from sentry_sdk.integrations.aws_lambda import AwsLambdaIntegration
from sentry_sdk.transport import Transport

class Printed(Transport):
    def capture_envelope(self, envelope):
        for item in envelope.items:
            if event := item.get_event():
                e = event["exception"]["values"][-1]
                print("CAPTURED", e["type"], e["value"], e["mechanism"], event.get("extra", {}).get("lambda", {}).get("aws_request_id"), e["stacktrace"]["frames"][-1]["filename"])

sentry_sdk.init(dsn="https://key@sentry.invalid/1", transport=Printed, integrations=[AwsLambdaIntegration()])
""" + source
        return self.package(files, name=name)

    def test_sentry(self):
        f = self.sentry("def handler(e, c):\n    raise LookupError('seen by sentry')\n")
        r = self.d.invoke(f, {}, tail=True)
        self.assertEqual((r.json["errorType"], r.json["errorMessage"]), ("LookupError", "seen by sentry"), r)
        self.assertIn(f"CAPTURED LookupError seen by sentry {{'type': 'aws_lambda', 'handled': False}} {r.headers['x-amzn-requestid']} f.py\n", r.log)

    def test_sentry_sees_init_fail(self):
        f = self.sentry("raise KeyError('at init')\n")
        r = self.d.invoke(f, {}, tail=True)
        self.assertEqual(r.json["errorType"], "KeyError", r)
        self.assertIn("CAPTURED KeyError 'at init' {'type': 'aws_lambda', 'handled': False} None f.py\n", r.log)

    def test_opentelemetry(self):
        """opentelemetry-instrument as the wrapper, as AWS's and OpenTelemetry's layers have it: a sitecustomize instruments the handler."""
        files = installed(OTEL)
        files["f.py"] = "def handler(e, c):\n    return 'done'\n"
        files["wrap"] = '#!/bin/bash\nexport PYTHONPATH="/var/task:$PYTHONPATH"\nexec python3 /var/task/bin/opentelemetry-instrument "$@"\n'
        f = self.package(files, {"wrap": 0o755}, Environment={"Variables": {
            "AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap", "OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_SERVICE_NAME": "it"}})
        r = self.ok(f)
        self.assertEqual(r.json, "done")
        self.assertIn(f'"faas.invocation_id": "{r.headers["x-amzn-requestid"]}"', r.log)
