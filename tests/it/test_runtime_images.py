"""A container image of the layout of AWS's public base images as a managed runtime (fnctl runtime add NAME --image ...), for zip functions."""
import glob
from ociimages import Image, tar
from test_containers import ContainerCase
from harness import *

ENTRY = '#!/bin/sh\nif [ -z "${AWS_LAMBDA_RUNTIME_API}" ]; then exec /usr/local/bin/aws-lambda-rie /var/runtime/bootstrap; fi\nexport _HANDLER="$1"\nexec /var/runtime/bootstrap\n'
BOOTSTRAP = "#!/bin/sh\nexec /var/lang/bin/python3 /var/runtime/bootstrap.py\n"
LOOP = "import importlib, json, os, sys, urllib.request as u\nsys.path.insert(0, os.environ['LAMBDA_TASK_ROOT'])\nmodule, name = os.environ['_HANDLER'].split('.')\nhandler = getattr(importlib.import_module(module), name)\n" \
       "api = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'\nwhile True:\n    e = u.urlopen(api + 'next')\n    out = handler(json.load(e), None)\n" \
       "    u.urlopen(u.Request(api + e.headers['Lambda-Runtime-Aws-Request-Id'] + '/response', json.dumps(out).encode()))\n"


class RuntimeImages(ContainerCase):
    def image(self, d, version):
        """/lambda-entrypoint.sh, /var/runtime/bootstrap, /var/lang, LAMBDA_TASK_ROOT, as AWS's have them; the interpreter is the base image's."""
        trees = [os.path.join(d.state, "roots", t) for t in json.load(open(os.path.join(d.state, "images/python3.11.json")))["layers"]]
        base = [subprocess.run(["tar", "-C", t, "-cf", "-", "."], stdout=subprocess.PIPE, check=True).stdout for t in reversed(trees)]
        python = glob.glob(os.path.join(trees[0], "**/bin/python3.11"), recursive=True) or glob.glob(os.path.join(trees[1], "**/bin/python3.11"), recursive=True)
        inside = "/" + python[0].split("/roots/")[1].split("/", 1)[1]
        own = tar([("lambda-entrypoint.sh", ENTRY, {"mode": 0o755}), ("var/runtime/.wh..wh..opq", ""), ("var/runtime/bootstrap", BOOTSTRAP, {"mode": 0o755}), ("var/runtime/bootstrap.py", LOOP),
                   ("var/lang/bin/python3", b"", {"type": b"2", "linkname": inside}), ("etc/version", version)])
        return Image([*base, own], entrypoint=["/lambda-entrypoint.sh"], env=["PATH=/var/lang/bin:/usr/bin:/bin", "LANG=C.UTF-8", "LAMBDA_TASK_ROOT=/elsewhere", "LAMBDA_RUNTIME_DIR=/elsewhere", "FROM=" + version], workdir="/var/task", compression="")

    def test_one_that_nobody_has_heard_of(self):
        d = self.daemon()
        self.bring(d, self.image(d, "one"), "future")
        source = "import os\ndef handler(event, context):\n    with open('/etc/version') as f:\n        return [event, f.read(), os.environ['FROM'], os.environ['AWS_EXECUTION_ENV'], os.getcwd()]\n"
        zipped = make_zip({"app.py": source})
        r = d.request("POST", "/2015-03-31/functions", {"FunctionName": "f", "Role": ROLE, "Runtime": "python4.0", "Handler": "app.handler", "Code": {"ZipFile": base64.b64encode(zipped).decode()}})
        self.assertEqual(r.status, 400)
        self.add(d, "python4.0", "future")
        d.create("f", zipped, runtime="python4.0", handler="app.handler", MemorySize=512)
        d.settled("f")
        r = d.invoke("f", b"1", tail=True)
        self.assertEqual((r.status, r.error), (200, None), r.log)
        self.assertEqual(r.json, [1, "one", "one", "AWS_Lambda_python4.0", "/var/task"])
        # another image of that name, over a restart
        self.bring(d, self.image(d, "two"), "future")
        self.add(d, "python4.0", "future")
        d.stop()
        d.start()
        self.assertEqual(d.invoke("f", b"2").json[:3], [2, "two", "two"])
        # it has one version, the newest
        self.assertEqual(self.manage(d, "f", UpdateRuntimeOn="Auto").status, 200)
        self.assertIn("UpdateRuntimeOn can be Auto alone", self.manage(d, "f", 400, UpdateRuntimeOn="FunctionUpdate").json["message"])
        # and for a name that there is; who is to stay with the base image stays
        source = "import os\ndef handler(event, context):\n    return os.path.exists('/etc/version')\n"
        d.create("stays", make_zip({"app.py": source}), runtime="python3.11", handler="app.handler", MemorySize=512)
        d.settled("stays")
        self.manage(d, "stays", UpdateRuntimeOn="FunctionUpdate")
        self.fnctl(d, "runtime", "add", "python3.11", "--image", "future")
        self.assertEqual(d.invoke("stays", b"0").json, False)
        d.configure("stays", Description="its update")
        d.settled("stays")
        self.assertEqual(d.invoke("stays", b"0").json, True)
        self.bring(d, self.image(d, "three"), "future")
        self.fnctl(d, "runtime", "add", "python3.11", "--image", "future")
        self.assertEqual(d.invoke("stays", b"0").json, True)
        d.create("g", zipped, runtime="python3.11", handler="app.handler", MemorySize=512)
        d.settled("g")
        self.assertEqual(d.invoke("g", b"3").json[3], "AWS_Lambda_python3.11")
        self.assertIn("g:$LATEST", self.fnctl(d, "runtime", "remove", "python3.11", expect=3))
        self.remove(d, "python3.11")
        d.configure("g", Description="as it was")
        d.settled("g")
        self.assertEqual(d.invoke("g", b"3").error, "Unhandled")  # the base image has no /etc/version
        d.delete("f")
        self.fnctl(d, "runtime", "remove", "python4.0")
        self.assertNotIn("python4.0", self.fnctl(d, "runtime", "list"))
        d.stop()
        self.leaves_nothing(d)

    def manage(self, d, name, status=200, **how):
        r = d.request("PUT", f"/2021-07-20/functions/{name}/runtime-management-config", how)
        self.assertEqual(r.status, status, r)
        return r

    def add(self, d, name, image, status=200):
        r = d.request("PUT", f"/_fnd/runtimes/{name}/image", {"Image": image})
        self.assertEqual(r.status, status, r)
        return r

    def remove(self, d, name, status=200):
        r = d.request("DELETE", f"/_fnd/runtimes/{name}/image")
        self.assertEqual(r.status, status, r)

    def test_one_that_is_none_leaves_the_one_there_is(self):
        d = self.daemon()
        self.bring(d, self.image(d, "one"), "good")
        self.bring(d, Image([tar([("x", "y")])], cmd=["/x"]), "nolayout")
        self.add(d, "python4.2", "good")
        self.fnctl(d, "images", "forget", "good")
        self.assertIn("neither", self.add(d, "python4.2", "nolayout", 400).json["message"])
        self.fnctl(d, "images", "forget", "nolayout")
        zipped = make_zip({"app.py": "def handler(event, context):\n    return open('/etc/version').read()\n"})
        d.create("f", zipped, runtime="python4.2", handler="app.handler", MemorySize=512)
        self.assertEqual(d.invoke("f", b"1").json, "one")
        d.stop()
        d.start()  # what has no name would be gone by now
        self.assertEqual(d.invoke("f", b"1").json, "one")
        d.delete("f")
        self.fnctl(d, "runtime", "remove", "python4.2")
        self.assertNotIn("python4.2", self.fnctl(d, "runtime", "list"))
        wait_until("nothing is left of it", lambda: not [t for t in os.listdir(d.state + "/roots") if t.startswith("root-")])

    def test_refusals(self):
        d = shared()
        self.bring(d, Image([tar([("x", "y")])], cmd=["/x"]), "nolayout")
        self.assertIn("neither /var/runtime/bootstrap nor /lambda-entrypoint.sh", self.add(d, "python4.1", "nolayout", 400).json["message"])
        self.add(d, "..", "nolayout", 400)
        self.add(d, "a%2Fb", "nolayout", 400)
        self.add(d, "python4.1", "", 400)
        self.remove(d, "python4.1", 404)
