"""PyPI: the most used compiled and instrumenting packages."""
import os
from cases import Case, equal, logged


def python(name, install, source, check, handler="f.handler", files=None, **more):
    return Case(name, "pypi", install, os.environ.get("FND_TEST_PYTHON", "python3.11"), handler, {"f.py": source, **(files or {})}, check, **more)


WRAPPER = """#!/bin/bash
export PYTHONPATH=/var/task:$PYTHONPATH
exec python3 /var/task/bin/%s "$@"
"""

# What a server answers that runs inside the function: no case needs a network.
SERVER = """
import threading, http.server
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"hello": "%s"}' % self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *a): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Hello)
threading.Thread(target=server.serve_forever, daemon=True).start()
"""


def newer_boto3(answers, log):
    assert tuple(map(int, answers[0]["version"].split("."))) >= (1, 40), answers
    assert answers[0]["file"].startswith("/var/task/"), answers
    assert answers[0]["bedrock"] and answers[0]["url"].startswith("https://bucket.s3"), answers


def own_boto3(answers, log):
    assert not answers[0]["file"].startswith("/var/task/") and answers[0]["bedrock"], answers
    assert answers[0]["importable"] == [], f"importable without a package: {answers[0]['importable']}"


def sentry(answers, log):
    assert answers[0]["errorType"] == "ValueError", answers
    event = answers[1][0]
    assert event["exception"]["values"][-1]["type"] == "ValueError", event
    assert event["extra"]["lambda"]["function_name"] == "sentry-sdk", event
    assert "_HANDLER" in str(event) or event["transaction"], event


CASES = [
    python("numpy", ["numpy==2.4.6"], "import numpy as np\ndef handler(e, c): return float(np.linalg.inv(np.eye(64) * 2).sum())", equal(32.0)),
    python("pandas", ["pandas==3.1.1"], """
import io, pandas as pd
def handler(e, c):
    t = pd.read_csv(io.StringIO("k,v,t\\na,1,2026-01-01\\nb,2,2026-01-02\\na,3,2026-01-03"), parse_dates=["t"])
    t["local"] = t["t"].dt.tz_localize("UTC").dt.tz_convert("Europe/Vienna")
    return {"sum": {k: int(v) for k, v in t.groupby("k")["v"].sum().items()}, "hour": int(t["local"].iloc[0].hour)}
""", equal({"sum": {"a": 4, "b": 2}, "hour": 1}), memory=1024, drop=["*/tests/*"]),
    python("grpcio", ["grpcio==1.85.3"], """
import grpc
from concurrent import futures
class Echo(grpc.GenericRpcHandler):
    def service(self, details): return grpc.unary_unary_rpc_method_handler(lambda request, context: request + b"!")
server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Echo()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
def handler(e, c):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        return channel.unary_unary("/echo/Echo")(b"hello", timeout=20).decode()
""", equal("hello!")),
    python("cryptography", ["cryptography==50.0.2"], """
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives import hashes
def handler(e, c):
    f = Fernet(Fernet.generate_key())
    k = ec.generate_private_key(ec.SECP256R1())
    k.public_key().verify(k.sign(b"x", ec.ECDSA(hashes.SHA256())), b"x", ec.ECDSA(hashes.SHA256()))
    return f.decrypt(f.encrypt(b"secret")).decode()
""", equal("secret")),
    python("psycopg2-binary", ["psycopg2-binary==2.9.13"], """
import psycopg2
def handler(e, c):
    try:
        psycopg2.connect(host="127.0.0.1", port=1, user="u", sslmode="require")
    except psycopg2.OperationalError as e:
        return "refused" in str(e)
""", equal(True)),
    python("psycopg", ["psycopg[binary]==3.3.9"], """
import psycopg
def handler(e, c):
    try:
        psycopg.connect("host=127.0.0.1 port=1 user=u", connect_timeout=5)
    except psycopg.OperationalError as e:
        return [psycopg.pq.__impl__, "refused" in str(e)]
""", equal(["binary", True])),
    python("pillow", ["pillow==13.0.0"], """
import io
from PIL import Image, ImageDraw, ImageFont
def handler(e, c):
    im = Image.new("RGB", (200, 100), "navy")
    ImageDraw.Draw(im).text((10, 10), "hello", font=ImageFont.load_default(20))
    sizes = {}
    for kind in ("JPEG", "PNG", "WEBP"):
        out = io.BytesIO()
        im.resize((100, 50)).save(out, kind)
        sizes[kind] = Image.open(io.BytesIO(out.getvalue())).size
    return sizes
""", equal({"JPEG": [100, 50], "PNG": [100, 50], "WEBP": [100, 50]})),
    python("lxml", ["lxml==6.1.3"], """
from lxml import etree
def handler(e, c):
    t = etree.fromstring(b"<?xml version='1.0' encoding='ISO-8859-15'?><a><b>\\xa4</b></a>")
    x = etree.XSLT(etree.XML('<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/"><o><xsl:value-of select="a/b"/></o></xsl:template></xsl:stylesheet>'))
    return x(t).getroot().text
""", equal("\u20ac")),
    python("pydantic", ["pydantic==2.14.4"], """
import pydantic, datetime
class M(pydantic.BaseModel):
    n: int
    t: datetime.datetime
def handler(e, c):
    try:
        M(n="x", t="2026-01-01")
    except pydantic.ValidationError as e:
        return [e.error_count(), M(n="3", t="2026-01-01T00:00:00Z").model_dump_json()]
""", equal([1, '{"n":3,"t":"2026-01-01T00:00:00Z"}'])),
    python("orjson", ["orjson==3.13.0"], "import orjson, datetime, zoneinfo\ndef handler(e, c): return orjson.dumps({'t': datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo('Asia/Kolkata'))}).decode()",
           equal('{"t":"2026-07-01T00:00:00+05:30"}')),
    python("boto3, newest", ["boto3"], """
import boto3
def handler(e, c):
    return {"version": boto3.__version__, "file": boto3.__file__, "bedrock": hasattr(boto3.client("bedrock-runtime"), "converse"),
            "url": boto3.client("s3").generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "k"})}
""", newer_boto3, memory=1024),
    python("boto3 of the image", [], """
import boto3, importlib.util
def handler(e, c):
    return {"file": boto3.__file__, "bedrock": hasattr(boto3.client("bedrock-runtime"), "converse"),
            "importable": [m for m in ("requests", "chardet", "certifi", "yaml", "cryptography", "simplejson") if importlib.util.find_spec(m)]}
""", own_boto3, memory=1024),
    python("sentry-sdk", ["sentry-sdk==2.75.0"], """
import sentry_sdk
from sentry_sdk.integrations.aws_lambda import AwsLambdaIntegration
from sentry_sdk.transport import Transport
kept = []
class Keep(Transport):
    def capture_envelope(self, envelope):
        kept.extend(i.payload.json for i in envelope.items if i.type == "event")
sentry_sdk.init(dsn="https://k@o1.ingest.sentry.io/1", transport=Keep, integrations=[AwsLambdaIntegration(timeout_warning=True)])
def handler(e, c):
    if e.get("fail"):
        raise ValueError("told to")
    return kept
""", sentry, events=[{"fail": True}, {}], timeout=20),
    python("opentelemetry-instrument", ["opentelemetry-distro==0.66b1", "opentelemetry-instrumentation-aws-lambda==0.66b1", "opentelemetry-instrumentation-urllib==0.66b1"], SERVER + """
import urllib.request
def handler(e, c): return urllib.request.urlopen("http://127.0.0.1:8000/otel").read().decode()
""", logged('"SpanKind.SERVER"', '"faas.invocation_id"', '"http.url": "http://127.0.0.1:8000/otel"', answers=['{"hello": "/otel"}']), files={"otel": WRAPPER % "opentelemetry-instrument"},
           env={"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/otel", "OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}, memory=1024),
    python("ddtrace", ["ddtrace==4.16.0"], SERVER + """
import sys, urllib.request, ddtrace, http.client
def handler(e, c):
    with ddtrace.tracer.trace("mine") as span:
        return ["ddtrace.bootstrap.sitecustomize" in sys.modules, span.trace_id > 0, getattr(http.client, "__datadog_patch", False)]
""", equal([True, True, True]), files={"dd": WRAPPER % "ddtrace-run"}, env={"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/dd", "DD_PATCH_MODULES": "httplib:true", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
           "DD_REMOTE_CONFIGURATION_ENABLED": "false"}, memory=1024),
    python("datadog-lambda", ["datadog-lambda==8.130.0"], """
from datadog_lambda.metric import lambda_metric
def handler(e, c):
    lambda_metric("coffee.orders", 12.5, tags=["kind:latte"])
    return c.aws_request_id != ""
""", logged('"m":"coffee.orders"', "kind:latte", answers=[True]), handler="datadog_lambda.handler.handler",
           env={"DD_LAMBDA_HANDLER": "f.handler", "DD_FLUSH_TO_LOG": "true", "DD_TRACE_ENABLED": "true", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false", "DD_API_KEY": "0" * 32}, memory=1024, drop=["*/tests/*"]),
    python("newrelic", ["newrelic==14.1.0", "newrelic-lambda==1.0.0"], """
import newrelic.agent
newrelic.agent.initialize()
from newrelic_lambda.lambda_handler import lambda_handler
@lambda_handler()
def handler(e, c): return "seen"
""", logged("NR_LAMBDA_MONITORING", answers=["seen"]), env={"NEW_RELIC_SERVERLESS_MODE_ENABLED": "true", "NEW_RELIC_ACCOUNT_ID": "1", "NEW_RELIC_TRUSTED_ACCOUNT_KEY": "1", "NEW_RELIC_PRIMARY_APPLICATION_ID": "1"}),
    python("awslambdaric", ["awslambdaric==4.2.2"], """
import sys
def handler(e, c): return [sys.modules["awslambdaric"].__file__.split("/")[2], e["x"], c.get_remaining_time_in_millis() > 1000]
""", equal(["task", 1, True]), events=[{"x": 1}], files={"ric": "#!/bin/bash\nexport PYTHONPATH=/var/task\nexec python3 -m awslambdaric f.handler\n"}, env={"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/ric"}),
    python("aws-lambda-powertools", ["aws-lambda-powertools==3.37.0"], """
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
logger, metrics = Logger(), Metrics()
@logger.inject_lambda_context
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(e, c):
    metrics.add_metric(name="Orders", unit=MetricUnit.Count, value=1)
    logger.info("ordered", extra={"n": 3})
    return "ok"
""", logged('"ColdStart"', '"Orders"', '"message":"ordered"', '"cold_start":true', answers=["ok"]), env={"POWERTOOLS_SERVICE_NAME": "shop", "POWERTOOLS_METRICS_NAMESPACE": "shop"}),
    python("mangum, fastapi", ["mangum==0.22.0", "fastapi==0.165.0"], """
import fastapi, mangum
app = fastapi.FastAPI()
@app.get("/items/{n}")
def item(n: int, q: str = ""): return {"n": n, "q": q}
handler = mangum.Mangum(app)
""", lambda a, log: equal([200, '{"n":3,"q":"x"}'])([[a[0]["statusCode"], a[0]["body"]]], log),
           events=[{"version": "2.0", "rawPath": "/items/3", "rawQueryString": "q=x", "headers": {"host": "x"}, "isBase64Encoded": False,
                    "requestContext": {"http": {"method": "GET", "path": "/items/3", "sourceIp": "1.2.3.4", "protocol": "HTTP/1.1", "userAgent": "x"}, "stage": "$default", "domainName": "x"}}]),
    python("dnspython, psutil", ["dnspython==2.8.0", "psutil==7.1.3"], """
import dns.resolver, psutil
def handler(e, c):
    me = psutil.Process()
    return [dns.resolver.Resolver().nameservers, int(me.ionice().ioclass), me.memory_info().rss > 0]
""", equal([["127.0.0.1"], 0, True])),
    python("apscheduler", ["apscheduler==3.11.3"], """
import threading
from apscheduler.schedulers.background import BackgroundScheduler
done = threading.Event()
s = BackgroundScheduler()
s.add_job(done.set, "interval", seconds=0.2)
s.start()
def handler(e, c): return [done.wait(20), str(s.timezone)]
""", equal([True, "UTC"])),
    python("aiohttp, uvloop", ["aiohttp==3.14.5", "uvloop==0.23.0"], """
import asyncio, aiohttp, uvloop
from aiohttp import web
async def both():
    app = web.Application()
    app.router.add_get("/", lambda r: web.json_response({"loop": type(asyncio.get_running_loop()).__module__}))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 8001).start()
    async with aiohttp.ClientSession() as s, s.get("http://127.0.0.1:8001/") as r:
        return await r.json()
def handler(e, c): return uvloop.run(both())
""", equal({"loop": "uvloop"})),
    python("requests", ["requests==2.34.2"], SERVER + "import requests\ndef handler(e, c): return [requests.get('http://127.0.0.1:8000/r').json(), requests.certs.where().startswith('/var/task')]", equal([{"hello": "/r"}, True])),
    python("sqlalchemy", ["sqlalchemy==2.1.9"], """
from sqlalchemy import create_engine, text
engine = create_engine("sqlite:////tmp/x.db")
def handler(e, c):
    with engine.begin() as db:
        db.execute(text("create table if not exists t (n int)"))
        db.execute(text("insert into t values (1), (2)"))
        return db.execute(text("select sum(n) from t")).scalar()
""", equal(3, 6), events=[{}, {}]),
    python("pyyaml", ["pyyaml==6.0.4"], "import yaml\ndef handler(e, c): return [yaml.__with_libyaml__, yaml.load('a: [1, 2]', yaml.CSafeLoader)]", equal([True, {"a": [1, 2]}])),
    python("bcrypt", ["bcrypt==5.0.0"], "import bcrypt\ndef handler(e, c): return bcrypt.checkpw(b'x', bcrypt.hashpw(b'x', bcrypt.gensalt(4)))", equal(True)),
    python("matplotlib", ["matplotlib==3.11.2"], """
import io, os
os.environ["MPLCONFIGDIR"] = "/tmp"
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
def handler(e, c):
    plt.plot([1, 2, 3])
    plt.title("hello")
    out = io.BytesIO()
    plt.savefig(out)
    return [out.getvalue()[1:4].decode(), len(out.getvalue()) > 5000]
""", equal(["PNG", True]), memory=1024, drop=["*/tests/*"]),
    python("gevent", ["gevent==26.9.0"], """
import gevent.monkey
gevent.monkey.patch_all()
import gevent, subprocess, time
def handler(event, context):
    began = time.monotonic()
    gevent.joinall([gevent.spawn(time.sleep, 0.5) for _ in range(8)])
    return [time.monotonic() - began < 3.5, subprocess.check_output(['echo', 'from a child']).decode()]
""", equal([True, "from a child\n"])),
    python("confluent-kafka", ["confluent-kafka==2.16.1"], """
from confluent_kafka import Producer
def handler(event, context):
    p = Producer({'bootstrap.servers': '127.0.0.1:1'})
    p.produce('orders', b'1')
    return p.flush(0.1)
""", equal(1)),
    python("pyzmq", ["pyzmq==27.3.0"], """
import zmq
def handler(event, context):
    z = zmq.Context.instance()
    a, b = z.socket(zmq.PUSH), z.socket(zmq.PULL)
    b.connect(f'tcp://127.0.0.1:{a.bind_to_random_port("tcp://127.0.0.1")}')
    a.send(b'through')
    return b.recv().decode()
""", equal("through")),
    python("shapely, pyproj", ["shapely==2.2.0", "pyproj==3.7.2"], """
from pyproj import Transformer
from shapely.geometry import Point
def handler(event, context):
    return [round(Point(0, 0).buffer(1).area, 2), [round(v) for v in Transformer.from_crs(4326, 3857).transform(48, 16)]]
""", equal([3.14, [1781112, 6106855]])),
    python("moto", ["moto[s3]==5.2.5"], """
import boto3
from moto import mock_aws
@mock_aws
def handler(event, context):
    s3 = boto3.client('s3')
    s3.create_bucket(Bucket='orders')
    s3.put_object(Bucket='orders', Key='1', Body=b'one')
    return s3.get_object(Bucket='orders', Key='1')['Body'].read().decode()
""", equal("one"), memory=1024),
    python("duckdb", ["duckdb==2.0.1"], "import duckdb\ndef handler(e, c): return duckdb.sql(\"select sum(i)::int, date '2026-01-01' + 1 from range(10) t(i)\").fetchall()[0][0]", equal(45), memory=1024),
    python("aws-xray-sdk", ["aws-xray-sdk==2.15.0"], """
from aws_xray_sdk.core import xray_recorder, patch_all
patch_all()
@xray_recorder.capture("inner")
def inner(): return xray_recorder.current_subsegment().name
def handler(e, c): return inner()
""", equal("inner")),
]
