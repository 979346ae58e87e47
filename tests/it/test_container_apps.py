"""Functions of container images as people bring them from Lambda: with AWS's clients for Python, Node.js, Go and Java and a bootstrap of their own, by the clients that they have, and with the emulator
that they run them with at home."""
import http.client, json, os, shutil, subprocess, tarfile, unittest
import compiled, javac, maven, npm, ociimages, pypi
from ociimages import Image, base, tree
from servers import Server
from test_containers import ContainerCase
from test_streaming import Stream
from harness import *

RIC = "awslambdaric==3.1.1", "simplejson==3.20.2", "snapshot-restore-py==1.0.0"
JAVA_RIC = "com.amazonaws:aws-lambda-java-runtime-interface-client:2.10.1", "be1f9f34a3b4aad4a32cf7ddeaf70fe53362e84395f849b87d6abed1f694d330"
RIE = "github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@v0.0.0-20261030222936-bef5c4ba774d"
REFUSED = "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image."
# As AWS's base images have it, and as their documentation tells to write it for others.
LAMBDA_ENTRYPOINT = """#!/bin/sh
# Copyright 2020 Amazon.com, Inc. or its affiliates. All Rights Reserved.
if [ $# -ne 1 ]; then
  echo "entrypoint requires the handler name to be the first argument" 1>&2
  exit 142
fi
export _HANDLER="$1"
RUNTIME_ENTRYPOINT=/var/runtime/bootstrap
if [ -z "${AWS_LAMBDA_RUNTIME_API}" ]; then
  exec /usr/local/bin/aws-lambda-rie $RUNTIME_ENTRYPOINT
else
  exec $RUNTIME_ENTRYPOINT
fi
"""
ENTRY_SCRIPT = """#!/bin/sh
if [ -z "${AWS_LAMBDA_RUNTIME_API}" ]; then
  exec /usr/local/bin/aws-lambda-rie /usr/bin/python3 -m awslambdaric $@
else
  exec /usr/bin/python3 -m awslambdaric $@
fi
"""
PYTHON = """import logging, os

def handler(event, context):
    logging.getLogger().warning("seen %s", event)
    if event == "raise":
        raise KeyError("from the handler")
    return {"event": event, "name": context.function_name, "version": context.function_version, "left": context.get_remaining_time_in_millis(), "marker": os.environ["MARKER"], "of": os.environ.get("OF"), "cwd": os.getcwd()}

def other(event, context):
    return "other"
"""
NODE = """export const handler = async (event, context) => {
    console.info('seen', event);
    if (event === 'raise')
        throw new RangeError('from the handler');
    return [event, context.functionName, process.version.split('.')[0]];
};
export const stream = awslambda.streamifyResponse(async (event, out) => {
    out = awslambda.HttpResponseStream.from(out, { statusCode: 201, headers: { a: 'b' } });
    out.write('one ');
    out.end('two');
});
"""
JAVA = """package example;

import com.amazonaws.services.lambda.runtime.Context;
import java.util.*;

public class App {
	public List<Object> hello(Map<String, Object> event, Context context) {
		context.getLogger().log("seen " + event);
		if (event.containsKey("raise"))
			throw new IllegalStateException("from the handler");
		return List.of("hello " + event.get("name"), context.getFunctionName(), Runtime.version().feature());
	}
}
"""
SHELL = """#!/bin/bash
# AWS's tutorial for custom runtimes, to the letter but for what names the files.
set -euo pipefail
source $LAMBDA_TASK_ROOT/"$(echo $_HANDLER | cut -d. -f1).sh"
while true
do
  HEADERS="$(mktemp)"
  EVENT_DATA=$(curl -sS -LD "$HEADERS" "http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/next")
  REQUEST_ID=$(grep -Fi Lambda-Runtime-Aws-Request-Id "$HEADERS" | tr -d '[:space:]' | cut -d: -f2)
  RESPONSE=$($(echo "$_HANDLER" | cut -d. -f2) "$EVENT_DATA")
  curl -sS "http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/$REQUEST_ID/response" -d "$RESPONSE" > /dev/null
done
"""


class AppCase(ContainerCase):
    @classmethod
    def setUpClass(cls):
        cls.d = shared()
        cls.c = boto(cls.d)

    def imported(self, name, image):
        self.fnctl(self.d, "images", "import", image.layout(os.path.join(self.dir, name)), "--as", name)
        self.addCleanup(self.d.fnctl, "images", "forget", name)
        return name

    def made(self, name, image, **more):
        """By boto3: the image under the function's name, created and waited for."""
        self.imported(name, image)
        self.c.create_function(**{"FunctionName": name, "PackageType": "Image", "Code": {"ImageUri": name}, "Role": ROLE, "MemorySize": 512, "Timeout": 20, **more})
        self.addCleanup(self.d.delete, name)
        self.c.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return name

    def changed(self, name, **what):
        self.c.update_function_configuration(FunctionName=name, **what)
        self.c.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})

    def ask(self, name, event, **more):
        r = self.d.in_turn(name, json.dumps(event).encode(), tail=True, **more)
        self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
        return r


class Moved(AppCase):
    def python(self, *entrypoint, marker="one", **more):
        """The second stage of AWS's Dockerfile for images that are not theirs."""
        own = {**pypi.files(pypi.install(*RIC, python="3.11"), "function/"), "function/app.py": PYTHON.encode(), **more}
        return Image([*base("python3.11"), tree(own)], entrypoint=list(entrypoint) or ["/usr/bin/python3", "-m", "awslambdaric"], cmd=["app.handler"], env=["PATH=/usr/local/bin:/usr/bin:/bin", f"MARKER={marker}"],
                     workdir="/function")

    def test_python(self):
        f, c = self.made("moved-py", self.python(), Environment={"Variables": {"OF": "the function"}}), self.c
        r = self.ask(f, {"n": 1})
        self.assertTrue(0 < r.json["left"] <= 20000)
        self.assertEqual(r.json | {"left": 0}, {"left": 0, "event": {"n": 1}, "name": f, "version": "$LATEST", "marker": "one", "of": "the function", "cwd": "/function"})
        self.assertRegex(r.log, r"\[WARNING\]\t\S+Z\t" + r.headers["x-amzn-requestid"] + r"\tseen \{'n': 1\}")
        r = self.d.invoke(f, b'"raise"')
        self.assertEqual((r.error, r.json["errorType"], r.json["errorMessage"]), ("Unhandled", "KeyError", "'from the handler'"))
        self.assertIn("/function/app.py", r.json["stackTrace"][0])
        # what cannot be said of an image
        for more in ({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:x:1"]}, {"Handler": "app.other"}, {"Runtime": "python3.11"}):
            with self.assertRaises(c.exceptions.InvalidParameterValueException) as e:
                c.update_function_configuration(FunctionName=f, **more)
            self.assertEqual(e.exception.response["Error"]["Message"], REFUSED)
        # ImageConfig, and back
        self.d.configure(f, ImageConfig={"Command": ["app.other"]}, LoggingConfig={"LogFormat": "JSON"})
        self.assertEqual(self.ask(f, 1).json, "other")
        self.assertEqual(c.get_function_configuration(FunctionName=f)["ImageConfigResponse"], {"ImageConfig": {"Command": ["app.other"]}})
        for command, type in (("app.nobody", "Runtime.HandlerNotFound"), ("none.handler", "Runtime.ImportModuleError")):
            self.changed(f, ImageConfig={"Command": [command]})
            self.assertEqual(self.d.invoke(f, b"1").json["errorType"], type)
        self.changed(f, ImageConfig={})
        log = [json.loads(line) for line in self.ask(f, 2).log.splitlines() if "seen" in line]
        self.assertEqual([(x["level"], x["message"], x["logger"]) for x in log], [("WARNING", "seen 2", "root")])
        # a version keeps its image; an alias moves
        one = c.publish_version(FunctionName=f)
        self.assertEqual((one["Version"], one["PackageType"]), ("1", "Image"))
        c.create_alias(FunctionName=f, Name="live", FunctionVersion="1")
        self.imported("moved-py2", self.python(marker="two"))
        asked = c.update_function_code(FunctionName=f, ImageUri="moved-py2", DryRun=True)
        self.assertEqual((asked["PackageType"], self.ask(f, 1).json["marker"]), ("Image", "one"))
        two = c.update_function_code(FunctionName=f, ImageUri="moved-py2", Publish=True)
        c.get_waiter("function_updated_v2").wait(FunctionName=f, WaiterConfig={"Delay": 1})
        self.assertEqual([self.ask(f, 1, query=f"?Qualifier={q}").json["marker"] for q in ("$LATEST", "1", "live", two["Version"])], ["two", "one", "one", "two"])
        got = c.get_function(FunctionName=f, Qualifier="live")
        self.assertEqual((got["Code"]["ImageUri"], got["Code"]["RepositoryType"], got["Configuration"]["CodeSha256"]), (f, "ECR", one["CodeSha256"]))
        self.assertEqual(got["Code"]["ResolvedImageUri"], f + "@sha256:" + one["CodeSha256"])
        c.update_alias(FunctionName=f, Name="live", FunctionVersion="2")
        self.assertEqual(self.ask(f, 1, query="?Qualifier=live").json["version"], "2")
        self.assertIn((f, "Image"), [(x["FunctionName"], x["PackageType"]) for p in c.get_paginator("list_functions").paginate() for x in p["Functions"]])

    @built_long
    def test_node(self):
        """The addon is built as `npm install` builds it in the first stage of AWS's Dockerfile. Version 4.0 of the client looks for handlers in LAMBDA_TASK_ROOT alone."""
        home, own = npm.install(native=True), {"var/task/index.mjs": NODE.encode()}
        for path, content in pypi.files(os.path.join(home, "node_modules/aws-lambda-ric"), "var/task/node_modules/aws-lambda-ric/").items():
            if not path.startswith(("var/task/node_modules/aws-lambda-ric/deps/", "var/task/node_modules/aws-lambda-ric/build/")):
                own[path] = content
        image = Image([*base("nodejs22.x"), tree(own)], entrypoint=["/var/lang/bin/node", "node_modules/aws-lambda-ric/index.mjs"], cmd=["index.handler"], workdir="/var/task", env=["PATH=/var/lang/bin:/usr/bin:/bin"])
        f = self.made("moved-node", image, MemorySize=1024)
        r = self.ask(f, {"n": "ä"})
        self.assertEqual(r.json, [{"n": "ä"}, f, "v22"])
        self.assertIn(f"\t{r.headers['x-amzn-requestid']}\tINFO\tseen {{ n: 'ä' }}", r.log)
        r = self.d.invoke(f, b'"raise"')
        self.assertEqual((r.error, r.json["errorType"], r.json["errorMessage"]), ("Unhandled", "RangeError", "from the handler"))
        self.changed(f, ImageConfig={"Command": ["index.stream"]})
        s = Stream(self.d, f, {})
        head, body = s.all()[0].split(bytes(8))
        s.close()
        self.assertEqual((json.loads(head), body), ({"statusCode": 201, "headers": {"a": "b"}}, b"one two"))

    def go(self):
        with open(compiled.built(compiled.go, os.path.join(TOP, "tests/fixtures/conformance/go"), CGO_ENABLED="0"), "rb") as f:
            return f.read()

    def test_go(self):
        """aws-lambda-go, alone in an image FROM scratch; by Debian's AWS CLI."""
        env = dict(os.environ, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1", AWS_PAGER="", HOME=self.dir)
        def aws(*args):
            r = subprocess.run(["aws", "--endpoint-url", self.d.endpoint, "lambda", *args], cwd=self.dir, env=env, capture_output=True, text=True, timeout=120)
            self.assertEqual(r.returncode, 0, r.stderr)
            return json.loads(r.stdout or "null")
        for uri, marker in (("gopher", "1"), ("gopher:2", "2")):
            self.imported(uri, Image([tree({"main": self.go(), "marker": marker})], entrypoint=["/main"]))
        self.addCleanup(self.d.delete, "gopher")
        made = aws("create-function", "--function-name", "gopher", "--package-type", "Image", "--code", "ImageUri=gopher", "--role", ROLE, "--image-config", "WorkingDirectory=/tmp", "--timeout", "9")
        self.assertEqual((made["PackageType"], made["ImageConfigResponse"]), ("Image", {"ImageConfig": {"WorkingDirectory": "/tmp"}}))
        aws("wait", "function-active-v2", "--function-name", "gopher")
        got = self.ask("gopher", {"do": "environment"}).json
        self.assertEqual((got["cwd"], got["env"]["AWS_LAMBDA_FUNCTION_NAME"], got["env"]["_HANDLER"]), ("/tmp", "gopher", ""))
        self.assertEqual(self.ask("gopher", {"do": "tmp"}).json[:2], [False, "ä"])
        updated = aws("update-function-code", "--function-name", "gopher", "--image-uri", "gopher:2")
        aws("wait", "function-updated-v2", "--function-name", "gopher")
        shown = aws("get-function", "--function-name", "gopher")
        self.assertEqual(shown["Code"], {"RepositoryType": "ECR", "ImageUri": "gopher:2", "ResolvedImageUri": "gopher@sha256:" + updated["CodeSha256"]})
        self.assertNotEqual(updated["CodeSha256"], made["CodeSha256"])
        self.assertEqual(self.ask("gopher", {"do": "calls"}).json, 1)
        aws("delete-function", "--function-name", "gopher")

    def test_java(self):
        home = maven.archives(*JAVA_RIC)
        own = {f"function/{n}": c for n, c in javac.compiled({"example/App.java": JAVA}, release=11).items()}
        for name in os.listdir(home):
            with open(os.path.join(home, name), "rb") as f:
                own["function/" + name] = f.read()
        image = Image([*base("java21"), tree(own)], entrypoint=["/var/lang/bin/java", "-cp", "./:./*", "com.amazonaws.services.lambda.runtime.api.client.AWSLambda"], cmd=["example.App::hello"], workdir="/function")
        f = self.made("moved-java", image, MemorySize=1024)
        r = self.ask(f, {"name": "you"})
        self.assertEqual(r.json, ["hello you", f, 21])
        self.assertIn("seen {name=you}", r.log)
        r = self.d.invoke(f, b'{"raise": 1}')
        self.assertEqual((r.error, r.json["errorType"], r.json["errorMessage"]), ("Unhandled", "java.lang.IllegalStateException", "from the handler"))
        self.assertIn("example.App.hello(App.java:", r.json["stackTrace"][0])
        self.changed(f, ImageConfig={"Command": ["example.None::hello"]})
        self.assertEqual(self.d.invoke(f, b"{}").json["errorType"], "java.lang.ClassNotFoundException")

    def test_a_bootstrap_of_ones_own(self):
        """FROM an image of the layout of AWS's for provided.al2023; an extension is in the image, as no layer can bring it."""
        with open(os.path.join(BUILD, "fixtures/extension"), "rb") as e:
            extension = e.read()
        own = {"lambda-entrypoint.sh": LAMBDA_ENTRYPOINT, "var/runtime/bootstrap": SHELL, "var/task/function.sh": "function handler () {\n  echo \"$1\" 1>&2;\n  echo \"{\\\"said\\\": $1, \\\"in\\\": \\\"$(pwd)\\\"}\"\n}\n",
               "opt/extensions/watcher": extension}
        image = Image([*base("provided.al2023"), tree(own)], entrypoint=["/lambda-entrypoint.sh"], cmd=["function.handler"], workdir="/var/task",
                      env=["LANG=en_US.UTF-8", "TZ=:/etc/localtime", "PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin", "LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
                           "LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime"])
        f = self.made("moved-own", image)
        r = self.ask(f, {"a": "b"})
        self.assertEqual(r.json, {"said": {"a": "b"}, "in": "/var/task"})
        self.assertIn('\n{"a": "b"}\n', r.log)
        self.assertIn("EXTENSION\tName: watcher\tState: Ready", self.d.request("GET", f"/_fnd/logs/{f}?cursor=0").json["Text"])
        self.changed(f, ImageConfig={"Command": ["function.handler", "twice"]})
        r = self.d.invoke(f, b"1", tail=True)
        self.assertEqual((r.json["errorType"], r.json["errorMessage"].split("Error: ")[1]), ("Runtime.ExitError", "Runtime exited with error: exit status 142"))
        self.assertIn("entrypoint requires the handler name to be the first argument", r.log)

    def test_emulator(self):
        """The real aws-lambda-rie in the image, in each of the ways that it is put there."""
        with open(compiled.command(RIE), "rb") as e:
            rie = {"usr/local/bin/aws-lambda-rie": e.read(), "entry_script.sh": ENTRY_SCRIPT}
        python = ["/usr/bin/python3", "-m", "awslambdaric"]
        f = self.made("moved-rie", self.python("/usr/local/bin/aws-lambda-rie", *python, **rie))
        self.assertEqual(self.ask(f, 1).json["event"], 1)
        for entry in (["aws-lambda-rie", "--log-level", "debug", *python], ["aws-lambda-rie", "--enable-init-caching", "python3", "-m", "awslambdaric"], ["/entry_script.sh"],
                      ["/usr/local/bin/aws-lambda-rie", "--runtime-interface-emulator-address=0.0.0.0:80", "--runtime-api-address", "127.0.0.1:9002", "--", *python]):
            self.changed(f, ImageConfig={"EntryPoint": entry})
            self.assertEqual(self.ask(f, entry).json["event"], entry)
        # it looks for a bootstrap itself
        for place in ("var/task", "opt", "var/runtime"):
            name = self.made("moved-rie-" + place.replace("/", "-"), Image([tree({place + "/bootstrap": self.go(), "var/runtime/bootstrap": self.go(), **rie})], entrypoint=["/usr/local/bin/aws-lambda-rie"]))
            self.assertEqual(self.ask(name, {"do": "length", "text": "four"}).json, 4)

    def test_as_the_emulator_has_it(self):
        """One program, under the emulator and here: what its callers are told is the same."""
        program = os.path.join(self.dir, "main")
        with open(program, "wb") as f:
            f.write(self.go())
        os.chmod(program, 0o755)
        f = self.made("moved-alike", Image([tree({"main": self.go()})], entrypoint=["/main"]))
        port, api = free_port(), free_port()
        rie = Server([compiled.command(RIE), "--runtime-interface-emulator-address", f"127.0.0.1:{port}", "--runtime-api-address", f"127.0.0.1:{api}", program], port)
        self.addCleanup(rie.end)
        def emulated(event):
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            c.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
            r = c.getresponse()
            body = r.read()
            c.close()
            return r.status, json.loads(body)
        for event in (None, {"a": ["ä", 1.5]}, {"do": "nothing"}, {"do": "raise"}, {"do": "result"}, {"do": "length", "text": "x" * 5000000}, {"do": "calls"}):
            status, body = emulated(event)
            r = self.d.invoke(f, json.dumps(event).encode())
            self.assertEqual((status, body), (r.status, r.json), event)


@unittest.skipUnless(os.environ.get("FND_CHECK_CONTAINERS"), "make check-containers")
class Built(AppCase):
    """Images as programs make them of files that people write, and in each format that these write."""
    CONTAINERFILE = """ARG FUNCTION_DIR=/function

FROM base AS build
ARG FUNCTION_DIR
RUN mkdir -p ${FUNCTION_DIR} && echo "made by $(python3 --version)" > ${FUNCTION_DIR}/made
COPY packages app.py ${FUNCTION_DIR}/

FROM base
ARG FUNCTION_DIR
WORKDIR ${FUNCTION_DIR}
COPY --from=build ${FUNCTION_DIR} ${FUNCTION_DIR}
RUN rm -r /usr/share/zoneinfo/Africa && ln -s app.py again.py
LABEL maintainer="somebody"
ENV MARKER="one two"
EXPOSE 8080
USER 1000
ENTRYPOINT ["/usr/bin/python3", "-m", "awslambdaric"]
CMD ["again.handler"]
"""
    SEES = PYTHON + "\ndef sees(event, context):\n    with open('made') as f:\n        return [f.read(), os.path.exists('/usr/share/zoneinfo/Africa'), os.path.exists('/usr/share/zoneinfo/Europe/Vienna'), os.getuid() not in (0, 1000)]\n"

    def context(self):
        """The directory with what the Containerfile names."""
        context = os.path.join(self.dir, "context")
        shutil.copytree(pypi.install(*RIC, python="3.11"), os.path.join(context, "packages"))
        for name, text in (("app.py", self.SEES), ("Containerfile", self.CONTAINERFILE)):
            with open(os.path.join(context, name), "w") as f:
                f.write(text)
        return context

    def works(self, f):
        self.assertEqual({k: v for k, v in self.ask(f, {"n": 1}).json.items() if k in ("event", "marker", "cwd")}, {"event": {"n": 1}, "marker": "one two", "cwd": "/function"})
        self.changed(f, ImageConfig={"Command": ["app.sees"]})
        self.assertEqual(self.ask(f, 1).json, ["made by Python 3.11.2\n", False, True, True])
        self.changed(f, ImageConfig={})

    def created(self, name, uri):
        self.container(self.d, name, uri)
        self.addCleanup(self.d.delete, name)
        self.works(name)

    def updated(self, name, uri):
        self.c.update_function_code(FunctionName=name, ImageUri=uri)
        self.d.settled(name)
        self.works(name)

    def test_by_buildah(self):
        env = dict(os.environ, STORAGE_DRIVER="vfs", XDG_RUNTIME_DIR=self.dir, TMPDIR=self.dir, PATH=ociimages.unpacked("buildah", "skopeo") + "/usr/bin:" + os.environ["PATH"])
        with open(f"{self.dir}/policy.json", "w") as f:
            json.dump({"default": [{"type": "insecureAcceptAnything"}]}, f)
        def ran(*args):
            return subprocess.run(["env", *args], env=env, capture_output=True, text=True)
        def tool(program, *args):
            if program == "skopeo":
                r = ran(program, "--policy", f"{self.dir}/policy.json", *args)
            else:
                r = ran(program, "--root", f"{self.dir}/store", "--runroot", f"{self.dir}/run", args[0], *(["--signature-policy", f"{self.dir}/policy.json"] * (args[0] != "tag")), *args[1:])
            self.assertEqual(r.returncode, 0, r.stderr)
            return r.stdout.strip()
        for program in ("buildah", "skopeo"):
            r = ran(program, "--version")
            if r.returncode:
                self.skipTest(f"{program} does not run here, for want of a library or so: {r.stderr.strip()}")
        base_layout = Image(base("python3.11"), env=["PATH=/usr/local/bin:/usr/bin:/bin"]).layout(os.path.join(self.dir, "base"))
        tool("buildah", "tag", tool("buildah", "pull", "-q", "oci:" + base_layout), "base")
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
        tool("buildah", "bud", "--isolation", "chroot", *limits, "-t", "made", self.context())
        for i, to in enumerate((f"oci-archive:{self.dir}/1.tar:made:1", f"docker-archive:{self.dir}/2.tar:made:2", f"oci:{self.dir}/3:made")):
            tool("buildah", "push", "made", to)
            self.fnctl(self.d, "images", "import", to.split(":")[1], "--as", f"bud:{i}")
            (self.updated if i else self.created)("bud", f"bud:{i}")
        tool("skopeo", "copy", f"oci-archive:{self.dir}/1.tar", f"docker-archive:{self.dir}/4.tar:made:4")
        self.assertIn("made:4", self.fnctl(self.d, "images", "import", f"docker-archive:{self.dir}/4.tar"))
        self.updated("bud", "made:4")

    def test_by_buildkit(self):
        """In an archive, with layers by zstd, and by a registry, with gzip: an index each, of the image and what BuildKit attests of it."""
        kit = ociimages.BuildKit(self.dir)
        self.addCleanup(kit.end)
        base_layout = Image(base("python3.11"), env=["PATH=/usr/local/bin:/usr/bin:/bin"]).layout(os.path.join(self.dir, "base"))
        context = self.context()
        kit.build(context, f"type=oci,dest={self.dir}/kit.tar,name=docker.io/library/kit:1,compression=zstd,force-compression=true", base_layout)
        with tarfile.open(f"{self.dir}/kit.tar") as t:
            names = {n for n in t.getnames() if n.startswith("blobs/sha256/")}
            texts = [t.extractfile(n).read() for n in names if t.getmember(n).size < 1 << 20]
        self.assertTrue(any(b"attestation-manifest" in x for x in texts) and any(b"layer.v1.tar+zstd" in x for x in texts), "it has what is to be shown")
        self.fnctl(self.d, "images", "import", f"{self.dir}/kit.tar", "--as", "kit:1")
        self.created("kit", "kit:1")
        os.makedirs(self.dir + "/registry")
        registry = ociimages.Registry(self.dir + "/registry")
        self.addCleanup(registry.end)
        kit.build(context, f"type=image,name={registry.host}/kit:2,push=true,registry.insecure=true", base_layout)
        d = self.daemon(registries={"hosts": {registry.host: {"plain_http": True}}})
        self.container(d, "kit", f"{registry.host}/kit:2")
        self.assertEqual(d.invoke("kit", b"[2]").json["event"], [2])

    def test_by_docker(self):
        docker = ociimages.Docker(self.dir)
        self.addCleanup(docker.end)
        context, below = self.context(), base("python3.11")
        for i, path in enumerate(below):
            shutil.copy(path, os.path.join(context, f"{i}.tar"))
        with open(os.path.join(context, "Base"), "w") as f:
            f.write("FROM scratch\n" + "".join(f"ADD {i}.tar /\n" for i in range(len(below))) + "ENV PATH=/usr/local/bin:/usr/bin:/bin\n")
        docker.run("build", "--network", "none", "-f", f"{context}/Base", "-t", "base", context)
        for i in range(len(below)):
            os.unlink(os.path.join(context, f"{i}.tar"))
        docker.run("build", "--network", "none", "-f", f"{context}/Containerfile", "-t", "made:1", context)
        docker.run("save", "-o", f"{self.dir}/saved.tar", "made:1")
        self.assertIn("made:1", self.fnctl(self.d, "images", "import", f"{self.dir}/saved.tar"))
        self.created("docked", "made:1")
