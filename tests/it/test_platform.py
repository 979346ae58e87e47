"""The platform endpoint: functions call the platform's API from inside, with no network and no secret, as their role and as nobody else."""
import base64, json, socket, threading, time, unittest
from harness import *
import npm

ENV = "import os\ndef handler(event, context):\n    return {k: v for k, v in os.environ.items() if k.startswith('AWS_ENDPOINT') or k.startswith('FND_')}\n"
BOTO = '''
import boto3, json, botocore.exceptions
clients = {}
def handler(event, context):
    c = clients.setdefault(event["service"], boto3.client(event["service"], **event.get("client", {})))
    try:
        r = getattr(c, event["op"])(**event.get("with", {}))
    except botocore.exceptions.ClientError as e:
        return {"code": e.response["Error"]["Code"], "message": e.response["Error"]["Message"], "status": e.response["ResponseMetadata"]["HTTPStatusCode"]}
    if "Payload" in r:
        r["Payload"] = r["Payload"].read().decode()
    return json.loads(json.dumps(r, default=str))
'''
NODE = '''
const { LambdaClient, InvokeCommand } = require("@aws-sdk/client-lambda");
const { CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand } = require("@aws-sdk/client-cloudwatch-logs");
const lambda = new LambdaClient(), logs = new CloudWatchLogsClient();
exports.handler = async (event) => {
	const r = await lambda.send(new InvokeCommand({ FunctionName: event.invoke, Payload: JSON.stringify({ from: "node" }) }));
	const at = { logGroupName: event.group, logStreamName: "s" };
	await logs.send(new CreateLogGroupCommand({ logGroupName: event.group }));
	await logs.send(new CreateLogStreamCommand(at));
	await logs.send(new PutLogEventsCommand({ ...at, logEvents: [{ timestamp: Date.now(), message: "from node" }] }));
	return { status: r.StatusCode, payload: JSON.parse(Buffer.from(r.Payload).toString()) };
};
'''
ECHO = "def handler(event, context):\n    return {'echo': event}\n"


class Base(Case):
    def call(self, f, service, op, _d=None, _client=None, **kw):
        r = (_d or self.d).invoke(f, {"service": service, "op": op, "with": kw, "client": _client or {}}, tail=True)
        self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
        return r.json


class Calls(Base):
    def test_boto3_invokes_and_logs_with_no_network(self):
        f = self.python(BOTO, MemorySize=1024, Timeout=60)
        self.python(ECHO, "t-echo")
        r = self.call(f, "lambda", "invoke", FunctionName="t-echo", Payload='{"a": 1}')
        self.assertEqual((r["StatusCode"], json.loads(r["Payload"])), (200, {"echo": {"a": 1}}))
        self.assertIn(f, [x["FunctionName"] for x in self.call(f, "lambda", "list_functions")["Functions"]])
        self.call(f, "logs", "create_log_group", logGroupName="t-mine")
        self.addCleanup(boto(self.d, "logs").delete_log_group, logGroupName="t-mine")
        self.call(f, "logs", "create_log_stream", logGroupName="t-mine", logStreamName="s")
        self.call(f, "logs", "put_log_events", logGroupName="t-mine", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": "from inside"}])
        got = boto(self.d, "logs").get_log_events(logGroupName="t-mine", logStreamName="s")["events"]
        self.assertEqual([e["message"] for e in got], ["from inside"])
        self.assertEqual(self.call(f, "lambda", "get_function", FunctionName="t-none")["code"], "ResourceNotFoundException")

    def test_the_variables(self):
        want = {f"AWS_ENDPOINT_URL_{s}": self.d.endpoint for s in ("LAMBDA", "CLOUDWATCH_LOGS")}
        f = self.python(ENV)
        found = self.d.invoke(f, {}).json
        self.assertEqual({k: v for k, v in found.items() if k in want}, want)
        self.assertNotIn("AWS_ENDPOINT_URL_S3", found)
        self.assertNotIn("AWS_ENDPOINT_URL", found)
        for own, seen in (({"AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:1"}, {**found, "AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:1"}), ({"AWS_ENDPOINT_URL": "http://mine"}, {"AWS_ENDPOINT_URL": "http://mine"}),
                          ({"FND_PLATFORM_ENDPOINT": "off"}, {"FND_PLATFORM_ENDPOINT": "off"}), ({"FND_PLATFORM_ENDPOINT": "on"}, {**found, "FND_PLATFORM_ENDPOINT": "on"})):
            self.d.configure(f, Environment={"Variables": own})
            self.assertEqual(self.d.invoke(f, {}).json, seen)


if __name__ == "__main__":
    unittest.main()
