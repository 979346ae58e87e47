"""What packages expect of a base image (tests/data/image.json), looked for in each that is built, from inside a sandbox; and what else they may not find."""
import json, platform, shlex, types, unittest, unittest.mock
from harness import *

with open(os.path.join(TOP, "tests/data/image.json")) as f:
    EXPECTED = json.load(f)
BUILT = sorted(n.removesuffix(".json") for n in os.listdir(IMAGES) if re.fullmatch(r"(provided|python|nodejs|ruby)[^/]*\.json", n)) if os.path.isdir(IMAGES) else []

BOOTSTRAP = """#!/bin/bash
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
	curl -sS -o /dev/null -D /tmp/headers "$api/next"
	id=$(sed -n 's/\\r$//; s/^lambda-runtime-aws-request-id: //Ip' /tmp/headers)
	bash /var/task/check.sh >/tmp/out 2>&1 </dev/null
	curl -sS -o /dev/null --data-binary @/tmp/out "$api/$id/response"
done
"""
PYTHON = "import subprocess\ndef handler(e, c):\n    return subprocess.run(['bash', '/var/task/check.sh'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout\n"
RUBY = "def handler(event:, context:) = IO.popen(['bash', '/var/task/check.sh'], in: '/dev/null', err: [:child, :out], &:read)\n"
NODE = "exports.handler = async () => require('child_process').spawnSync('bash', ['/var/task/check.sh'], {stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8'}).stdout;"


def checks(image):
    """A shell script that prints a line for each thing that is missing, and why."""
    with open(os.path.join(IMAGES, image + ".json")) as f:
        newer = "libunistring5" in json.load(f)["packages"]  # of Debian 13 and later, which has no other
    e, lines = EXPECTED, []
    def check(what, command):
        lines.append(f"""out=$({{ {command}; }} 2>&1 | tr -d '\\0'; exit ${{PIPESTATUS[0]}}) || echo {shlex.quote(what)}$'\\t'"$(head -c 300 <<<"$out" | tr '\\n' ' ')" """)
    args = [f"lib={n}" for n in e["libraries"] if not (newer and n == "libunistring.so.2")] + [f"version={v}@{n}" for v, n in e["versions"].items()] + [f"locale={n}" for n in e["locales"]]
    args += [f"charset={n}" for n in e["charsets"]] + [f"user={n}:{u}:{g}" for n, (u, g) in e["users"].items()] + [f"service={n}:{p}" for n, p in e["services"].items()] + ["own=1"]
    lines.append("/var/task/inside " + " ".join(args))
    for name, how in e["commands"].items():
        check("command " + name, f"{name} {how}")
    for name in e["absent_commands"]:
        check(f"no command {name}", f"! type -P {name}")
    for path in e["files"]:
        check(path, f"test -r {path}")
    for path in e["certificates"]:
        check(f"certificates in {path}", f"test $(grep -c 'BEGIN CERTIFICATE' {path}) -gt 100")
    for key, value in e["os_release"].items():
        check(f"os-release {key}", f"(. /etc/os-release; test \"${key}\" = {value})")
    for zone in e["zones"]:
        check(f"zone {zone}", f"test -r /usr/share/zoneinfo/{zone}")
    for t in e["terminals"]:
        check(f"terminal {t}", f"test -r /usr/share/terminfo/{t[0]}/{t}")
    check("libraries in the loader's cache", "cached=$(/usr/sbin/ldconfig -p); ! for l in /usr/lib/*-linux-gnu*/lib*.so.[0-9]; do test ! -L $l || grep -F ${l##*/} >/dev/null <<<\"$cached\" || echo ${l##*/}; done | grep .")
    check("summer in Berlin", "test \"$(TZ=Europe/Berlin date -d @1720000000 +%z)\" = +0200")
    check("a name's user", "test \"$(id -un)/$(id -gn)\" = sbx_user1051/sbx_user1051")
    check("entry point without a handler", "/lambda-entrypoint.sh; test $? = 142")
    check("libraries of the programs here", "! ldd /usr/bin/* /var/lang/bin/* 2>/dev/null | grep 'not found'")
    lines.append("echo done")
    return "\n".join(lines) + "\n"


class Images(Case):
    def test_what_packages_expect(self):
        with open(os.path.join(BUILD, "fixtures/inside"), "rb") as f:
            files = {"inside": f.read(), "bootstrap": BOOTSTRAP, "f.py": PYTHON, "index.js": NODE, "f.rb": RUBY}
        self.assertIn("provided.al2023", BUILT)
        for image in BUILT:
            with self.subTest(image):
                handler = {"p": "f.handler", "n": "index.handler", "r": "f.handler"}[image[0]]
                f = self.function("t-image-" + image.replace(".", "-"), make_zip({**files, "check.sh": checks(image)}, {"inside": 0o755}), runtime=image, handler=handler, MemorySize=1769, Timeout=60)
                r = self.d.invoke(f, {}, tail=True)
                self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
                text = r.body.decode() if image.startswith("provided") else r.json
                lines = text.splitlines()
                self.assertEqual(lines[-1:], ["done"], text)
                self.assertEqual(lines[:-1], [], f"{image} lacks:\n" + "\n".join(lines[:-1]))


class PythonImage(Case):
    def run_python(self, body, **more):
        f = self.python(f"def handler(e, c):\n" + "".join(f"    {l}\n" for l in body.splitlines()), MemorySize=1769, Timeout=60, **more)
        r = self.d.invoke(f, {}, tail=True)
        self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
        return r.json

    def test_whole_standard_library(self):
        out = self.run_python("import importlib, sys\nbad = {}\nfor n in sorted(sys.stdlib_module_names):\n    if n in e or n in ('this', 'antigravity'): continue\n"
                              "    try: importlib.import_module(n)\n    except Exception as x: bad[n] = str(x)\n"
                              "import curses, readline, lib2to3.refactor, ensurepip, dbm.gnu, distutils.core, venv\nreturn bad")
        left_out = {"tkinter", "_tkinter", "turtle", "turtledemo", "idlelib"}  # no display; AWS's image has no Tcl either
        windows = {"_msi", "_overlapped", "_scproxy", "_winapi", "msilib", "msvcrt", "nt", "winreg", "winsound"}
        self.assertEqual({n: w for n, w in out.items() if n not in left_out | windows}, {})

    def test_distutils_is_setuptools_s_from_the_moment_it_is_asked_for(self):
        """Its .pth file would load a package into each start, for a module that hardly anybody imports."""
        out = self.run_python("import subprocess, sys\nbefore = '_distutils_hack' in sys.modules\nimport distutils, distutils.core\n"
                              "def of(**env): return subprocess.run([sys.executable, '-W', 'ignore', '-c', 'import distutils.core as d; print(d.__file__)'], env=env, capture_output=True,\n"
                              "                                     text=True, check=True).stdout.strip()\n"
                              "return [before, distutils.core.__file__, of(), of(SETUPTOOLS_USE_DISTUTILS='stdlib')]")
        lib = "/var/lang/lib/python3.11/"
        self.assertEqual(out, [False] + 2 * [lib + "site-packages/setuptools/_distutils/core.py"] + [lib + "distutils/core.py"])

    def test_no_other_pth_file_is_left_out(self):
        """The runtime's own, in the directory that Debian's interpreter looks into, does what the only other one is for."""
        out = self.run_python("import glob\nreturn sorted(glob.glob('/var/lang/lib/python3.11/*-packages/*.pth'))")
        self.assertEqual(out, [f"/var/lang/lib/python3.11/{f}" for f in ("dist-packages/site-packages.pth", "site-packages/distutils-precedence.pth")])

    def test_what_can_be_imported(self):
        out = self.run_python("import sys, importlib.metadata as m, importlib.util as u, boto3, botocore\n"
                              "return {'dists': sorted({d.metadata['Name'].lower() for d in m.distributions()}), 'boto3': [boto3.__version__, boto3.__file__],\n"
                              "        'absent': [n for n in ('requests', 'certifi', 'chardet', 'idna', 'yaml', 'distro') if u.find_spec(n)],\n"
                              "        'bedrock': boto3.client('bedrock-runtime', region_name='us-east-1', aws_access_key_id='x', aws_secret_access_key='x').meta.service_model.service_name,\n"
                              "        'prefix': sys.prefix, 'site': __import__('sysconfig').get_paths()['purelib'], 'pip': __import__('pip').__file__}")
        self.assertEqual(out["dists"], ["boto3", "botocore", "jmespath", "pip", "python-dateutil", "s3transfer", "setuptools", "six", "urllib3"])
        self.assertEqual((out["absent"], out["bedrock"], out["prefix"]), ([], "bedrock-runtime", "/var/lang"))
        self.assertEqual(out["boto3"][1], "/var/runtime/boto3/__init__.py")
        self.assertGreaterEqual([int(n) for n in out["boto3"][0].split(".")[:2]], [1, 44])
        self.assertEqual(out["site"], "/var/lang/lib/python3.11/site-packages")
        self.assertTrue(out["pip"].startswith(out["site"]), out)

    def test_locale_and_venv(self):
        out = self.run_python("import locale, subprocess, sys, ctypes.util\n"
                              "r = subprocess.run([sys.executable, '-m', 'venv', '/tmp/v'], capture_output=True, text=True)\n"
                              "p = subprocess.run(['/tmp/v/bin/python', '-c', 'import pip, sys; print(sys.prefix)'], capture_output=True, text=True)\n"
                              "q = subprocess.run(['/var/lang/bin/pip', '--version'], capture_output=True, text=True)\n"
                              "return [locale.setlocale(locale.LC_ALL, ''), r.stderr + r.stdout, p.stdout + p.stderr, q.stdout + q.stderr, ctypes.util.find_library('z')]", EphemeralStorage={"Size": 1024})
        self.assertEqual(out[0], "en_US.UTF-8")
        self.assertEqual((out[1], out[2], out[4]), ("", "/tmp/v\n", "libz.so.1"))
        self.assertRegex(out[3], r"^pip \d.* from /var/lang/lib/python3.11/.*\(python 3.11\)")


class NodeImages(Case):
    def test_sdk(self):
        cjs = """const need = ['s3', 'dynamodb', 'lambda', 'sqs', 'sns', 'ssm', 'secrets-manager', 'sts', 'bedrock-runtime', 'eventbridge', 'kms', 'cloudwatch-logs', 'sfn', 'ec2'];
            const clients = require('fs').readdirSync('/var/runtime/node_modules/@aws-sdk').filter((n) => n.startsWith('client-'));
            exports.handler = async (e) => {
                const bad = {};
                for (const n of clients)
                    try { require.resolve('@aws-sdk/' + n) } catch (x) { bad[n] = String(x) }
                for (const n of [...need.map((n) => 'client-' + n), 'lib-dynamodb', 'lib-storage', 's3-request-presigner', 'credential-providers', 'util-dynamodb'])
                    try { require('@aws-sdk/' + n) } catch (x) { bad[n] = String(x) }
                const { S3Client, GetObjectCommand } = require('@aws-sdk/client-s3');
                const es = await import('@aws-sdk/client-s3');
                const client = new S3Client({ region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
                const url = await require('@aws-sdk/s3-request-presigner').getSignedUrl(client, new GetObjectCommand({ Bucket: 'b', Key: 'k' }));
                const hidden = ['tslib', 'fflate', '@smithy/core', 'bowser', 'uuid'].filter((n) => { try { require(n); return true } catch { return false } });
                return { bad, n: clients.length, same: es.S3Client === S3Client, url: url.includes('X-Amz-Signature='), hidden };
            };"""
        for image in [n for n in BUILT if n.startswith("nodejs") and n != "nodejs18.x"]:  # the SDK wants Node.js 20
            with self.subTest(image):
                f = self.function("t-sdk-" + image.replace(".", "-"), make_zip({"index.js": cjs}), runtime=image, handler="index.handler", MemorySize=1769, Timeout=60)
                r = self.d.invoke(f, {}, tail=True)
                self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
                out = r.json
                self.assertEqual((out["bad"], out["same"], out["url"], out["hidden"]), ({}, True, True, []))
                self.assertGreater(out["n"], 250)


class Builder(unittest.TestCase):
    def test_sources_are_locked(self):
        """Every package that an image was made of is there with its version and digest."""
        for image in BUILT:
            with open(os.path.join(IMAGES, image + ".json")) as f:
                m = json.load(f)
            self.assertEqual(set(m["packages"]), set(m["package_sha256"]), image)
            self.assertIn("libc6", m["packages"], image)
            self.assertTrue(all(re.fullmatch(r"[0-9a-f]{64}|sha512-.{86}==", d) for d in m["package_sha256"].values()), image)

    def test_locks(self):
        """Each recipe's packages.lock is of what the recipe asks for; also of images that are not built, where the layers below are."""
        if platform.machine() != "x86_64":
            self.skipTest("they are of amd64")
        build = types.ModuleType("build_image")
        build.__file__ = os.path.join(TOP, "rootfs/build-image")
        with open(build.__file__) as f, unittest.mock.patch.object(sys, "path", sys.path[:]), unittest.mock.patch.object(sys, "dont_write_bytecode", True):
            exec(compile(f.read(), build.__file__, "exec"), build.__dict__)

        def manifest(recipe_dir):
            recipe, _ = build.read_recipe(recipe_dir)
            path = os.path.join(IMAGES, f"{recipe['name']}.json" if "name" in recipe else f".layer-{os.path.basename(recipe_dir)}.json")
            if not os.path.exists(path):
                return None
            with open(path) as f:
                return json.load(f)

        looked_at = []
        for path in sorted(glob.glob(os.path.join(TOP, "rootfs/*/packages.lock"))):
            recipe, _ = build.read_recipe(os.path.dirname(path))
            below = [manifest(d) for d in recipe.get("layers", [])]
            if all(below):
                name = os.path.basename(os.path.dirname(path))
                looked_at.append(name)
                self.assertIsNotNone(build.debian.read_lock(path, build.debian.lock_key(build.request(recipe, below), "amd64")), f"make images-lock IMAGES={name}")
        self.assertLessEqual({"base", "python3.11", "nodejs26.x"}, set(looked_at))


if __name__ == "__main__":
    main()


class RubyImages(Case):
    def test_sdk(self):
        """Debian's gems of the SDK, and one that the package brings in vendor/bundle, as for all others."""
        rb = """%w[aws-sdk-core aws-sdk-s3 aws-sdk-kms aws-sdk-cloudformation mine].each { |n| require n }
            def h(event:, context:)
              given = { region: 'us-east-1', credentials: Aws::Credentials.new('a', 'b'), stub_responses: true }
              url = Aws::S3::Presigner.new(client: Aws::S3::Client.new(given)).presigned_url(:get_object, bucket: 'bucket', key: 'k')
              [url.include?('X-Amz-Signature='), Aws::STS::Client.new(given).get_caller_identity.to_h.keys.size, Aws::KMS::Client.new(given).list_keys.keys,
               Aws::CloudFormation::Client.new(given).list_stacks.stack_summaries, MINE]
            end"""
        for image in [n for n in BUILT if n.startswith("ruby")]:
            with self.subTest(image):
                gems = f"vendor/bundle/ruby/{image.removeprefix('ruby')}.0/"
                spec = "Gem::Specification.new { |s| s.name, s.version, s.summary, s.authors, s.files = 'mine', '1.0', 'x', ['x'], ['lib/mine.rb'] }\n"
                f = self.function("t-sdk-" + image.replace(".", "-"), make_zip({"f.rb": rb, gems + "specifications/mine-1.0.gemspec": spec, gems + "gems/mine-1.0/lib/mine.rb": "MINE = 'its own'\n"}),
                                  runtime=image, handler="f.h", MemorySize=1769, Timeout=60)
                r = self.d.invoke(f, {}, tail=True)
                self.assertEqual((r.status, r.error, r.json), (200, None, [True, 3, [], [], "its own"]), f"{r}\n{r.log}")
