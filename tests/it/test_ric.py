"""AWS's own Node.js runtime interface client, the npm package as it is published, as the runtime of a function in a sandbox."""
import base64, json, unittest
from harness import *
from test_streaming import Stream
import npm

HANDLER = """
export const handler = async (event, context) => {
    console.log('seen', event.do);
    switch (event.do) {
    case 'throw': throw new RangeError('thrown under the RIC');
    case 'big': return 'z'.repeat(event.n);
    case 'exit': process.exit(3);
    default: return { event, id: context.awsRequestId, arn: context.invokedFunctionArn, left: context.getRemainingTimeInMillis(), client: context.clientContext, node: process.version,
                      by: process.argv[1], trace: process.env._X_AMZN_TRACE_ID };
    }
};
export const stream = awslambda.streamifyResponse(async (event, out) => {
    out.setContentType('text/plain');
    out.write('one ');
    await new Promise((ok) => setTimeout(ok, 5));
    if (event.fail)
        throw new TypeError('midway');
    out.end('two');
});
"""
BOOTSTRAP = """#!/bin/bash
export LD_LIBRARY_PATH=/opt/lib
exec /var/lang/bin/node /var/task/node_modules/aws-lambda-ric/index.mjs
"""


def package(home):
    """The function: its handler, the RIC with what it needs at run time, and a bootstrap that starts it."""
    files, modes = {"index.mjs": HANDLER, "bootstrap": BOOTSTRAP}, {"bootstrap": 0o755}
    for name in ("node_modules/aws-lambda-ric/index.mjs", "node_modules/aws-lambda-ric/package.json", "node_modules/aws-lambda-ric/rapid-client.node"):
        with open(os.path.join(home, name), "rb") as f:
            files[name] = f.read()
    return make_zip(files, modes)


class Ric(Case):
    """As the function's own bootstrap: the runtime nodejs-ric is this test's, nodejs22.x's image with the entry point of provided.al2023."""

    @classmethod
    def setUpClass(cls):
        cls.zip = package(npm.install(native=True))
        shared()
        with open(os.path.join(TOP, "config/runtimes.json")) as f:
            runtimes = json.load(f)
        runtimes["provided.al2"] = {**runtimes["provided.al2"], "image": "nodejs22.x"}  # a custom runtime on an image that has node
        cls.runtimes = os.path.join(BUILD, "test-ric-runtimes.json")
        with open(cls.runtimes, "w") as f:
            json.dump(runtimes, f)
        cls.d = Daemon({"runtimes": cls.runtimes}).start()
        cls.addClassCleanup(os.unlink, cls.runtimes)

    def ric(self, handler="index.handler", **more):
        return self.function(zip_bytes=self.zip, runtime="provided.al2", handler=handler, MemorySize=1024, Timeout=20, **more)

    def test_handler(self):
        f = self.ric()
        context = {"custom": {"k": "v"}}
        for i in range(3):
            r = self.d.invoke(f, {"n": i, "text": "ä\u20ac"}, headers={"X-Amz-Client-Context": base64.b64encode(json.dumps(context).encode()).decode(), "X-Amz-Log-Type": "Tail"})
            self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
            out = r.json
            self.assertEqual((out["event"], out["id"], out["client"]), ({"n": i, "text": "ä\u20ac"}, r.headers["x-amzn-requestid"], context))
            self.assertEqual((out["arn"], out["by"]), (f"arn:aws:lambda:us-east-1:000000000000:function:{f}", "/var/task/node_modules/aws-lambda-ric/index.mjs"))
            self.assertTrue(0 < out["left"] <= 20000)
            self.assertTrue(out["trace"].startswith("Root=1-"))
            self.assertRegex(r.log, rf"Z\t{out['id']}\tINFO\tseen undefined\n")

    def test_errors_and_sizes(self):
        f = self.ric()
        r = self.d.invoke(f, {"do": "throw"}, tail=True)
        self.assertEqual((r.error, r.json["errorType"], r.json["errorMessage"]), ("Unhandled", "RangeError", "thrown under the RIC"), r)
        self.assertIn("Invoke Error", r.log)
        self.assertEqual(len(self.d.invoke(f, {"do": "big", "n": (6 << 20) - 2}).body), 6 << 20)
        r = self.d.invoke(f, {"do": "big", "n": (6 << 20) + 200})
        self.assertEqual((r.error, r.json["errorType"]), ("Unhandled", "Function.ResponseSizeTooLarge"))
        self.assertIsNone(self.d.invoke(f, {}).error)
        r = self.d.invoke(f, {"do": "exit"})
        self.assertEqual((r.error, r.json["errorType"]), ("Unhandled", "Runtime.ExitError"))
        self.assertIsNone(self.d.invoke(f, {}).error)

    def test_stream(self):
        f = self.ric("index.stream")
        self.assertEqual(self.d.invoke(f, {}).body, b"one two")
        r = self.d.invoke(f, {"fail": True})
        self.assertEqual((r.error, r.json["errorType"], r.json["errorMessage"]), ("Unhandled", "TypeError", "midway"), r)
        self.assertEqual(self.d.invoke(f, {}).body, b"one two")
        s = Stream(self.d, f, {})
        self.assertEqual((s.headers["x-amzn-remapped-content-type"], s.event(), s.all()), ("text/plain", ("PayloadChunk", b"one "), (b"two", {})))
        s.close()
        s = Stream(self.d, f, {"fail": True})
        data, end = s.all()
        s.close()
        self.assertEqual((data, end["ErrorCode"], json.loads(end["ErrorDetails"])["errorMessage"]), (b"one ", "TypeError", "midway"))

    def test_init_error(self):
        f = self.ric("index.missing")
        r = self.d.invoke(f, {})
        self.assertEqual((r.error, r.json["errorType"], r.json["errorMessage"]), ("Unhandled", "Runtime.HandlerNotFound", "index.missing is undefined or not exported"), r)
