"""The AWS SDK for JavaScript (npm's @aws-sdk/client-lambda, unmodified) as a client of the daemon."""
import base64, json, os, subprocess, unittest
from harness import *
import npm, pypi

FIRST = """
exports.handler = async (event, context) => {
    if (event.fail)
        throw new Error('as asked');
    return { event, k: process.env.KEY, client: context.clientContext };
};
"""

STREAM = """
exports.handler = awslambda.streamifyResponse(async (event, out) => {
    out.write('x'.repeat(event.n));
    if (event.fail)
        throw new RangeError('midway');
    out.end();
});
"""


CHOOSES = """
const semver = require('semver');
exports.handler = async (event) => semver.maxSatisfying(event, '^1.2.0');
"""


class JsSdk(Case):
    @classmethod
    def setUpClass(cls):
        cls.node, cls.home = npm.node(), npm.install()
        super().setUpClass()
        cls.d = shared({"credentials": [{"access_key_id": "test", "secret_access_key": "test"}]})  # sdk.mjs' own: what it signs is verified

    def packages(self, *names):
        """Of npm's, in a layer's place, which need no others."""
        found = {}
        for name in names:
            found.update(pypi.files(os.path.join(self.home, "node_modules", name), f"nodejs/node_modules/{name}/"))
        return found

    def test_sdk(self):
        encode = lambda source: base64.b64encode(make_zip({"index.js": source})).decode()
        r = subprocess.run([self.node, os.path.join(TOP, "tests/npm/sdk.mjs")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300 * SLOW, env={
            "PATH": os.environ["PATH"], "HOME": "/nonexistent", "ENDPOINT": self.d.endpoint, "MODULES": self.home, "ZIP": encode(FIRST), "ZIP2": encode("exports.handler = async () => 'second'"), "ZIP3": encode(STREAM),
            "ZIP4": encode(CHOOSES), "LAYER": base64.b64encode(make_zip(self.packages("semver"))).decode()})
        self.assertEqual(r.returncode, 0, r.stderr[-4000:])
        self.assertEqual(json.loads(r.stdout.splitlines()[-1])["passed"], ["create", "invoke", "update", "list", "tags", "layers", "errors", "stream", "remove"])
