"""npm: the most used native and instrumenting packages. Native ones are compiled or chosen for the node that installs them: its major version's image runs them."""
import shutil, subprocess

from cases import Case, equal, logged


def major():
    node = shutil.which("node")
    return subprocess.run([node, "--version"], stdout=subprocess.PIPE, text=True).stdout.split(".")[0].lstrip("v") if node else "22"


def node(name, install, source, check, handler="index.handler", files=None, runtime="nodejs22.x", **more):
    return Case(name, "npm", install, runtime, handler, {"index.mjs": source, **(files or {})}, check, **more)


HTTP_EVENT = {"version": "2.0", "routeKey": "$default", "rawPath": "/items/3", "rawQueryString": "q=x", "queryStringParameters": {"q": "x"}, "headers": {"host": "x", "accept": "*/*"}, "isBase64Encoded": False,
              "requestContext": {"accountId": "1", "apiId": "a", "http": {"method": "GET", "path": "/items/3", "sourceIp": "1.2.3.4", "protocol": "HTTP/1.1", "userAgent": "x"},
                                 "stage": "$default", "domainName": "x", "domainPrefix": "x", "requestId": "r", "routeKey": "$default", "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1767225600000}}


def response(status, body):
    return lambda a, log: equal([status, body])([[a[0]["statusCode"], a[0]["body"]]], log)


def sentry(answers, log):
    assert answers[0]["errorType"] == "Error" and answers[0]["errorMessage"] == "told to", answers
    event = answers[1][0]
    assert event["exception"]["values"][-1]["value"] == "told to" and event["contexts"]["aws.lambda"]["function_name"], event


def prisma(directory, run):
    run(["npx", "--no-install", "prisma", "generate"], directory, PRISMA_SCHEMA_ENGINE_BINARY="/bin/true")  # migrations are made elsewhere: its download is not wanted


CASES = [
    node("@aws-sdk of the image", [], """
import { S3Client, ListBucketsCommand } from '@aws-sdk/client-s3';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
export const handler = async () => {
  const url = await getSignedUrl(new S3Client({}), new GetObjectCommand({ Bucket: 'bucket', Key: 'k' }));
  return [url.startsWith('https://bucket.s3.'), typeof DynamoDBDocumentClient.from(new DynamoDBClient({})).send, typeof require('@aws-sdk/client-bedrock-runtime').ConverseCommand,
    typeof require('@aws-sdk/client-sqs').SQSClient];
};
""", equal([True, "function", "function", "function"]), memory=1024),
    node("sharp", ["sharp@0.35.5"], """
import sharp from 'sharp';
export const handler = async () => {
  const png = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'navy' } }).png().toBuffer();
  const m = await sharp(await sharp(png).resize(16).webp().toBuffer()).metadata();
  return [m.format, m.width];
};
""", equal(["webp", 16]), memory=1024),
    node("Chromium, puppeteer", ["@sparticuz/chromium@147.0.0", "puppeteer-core@24.43.1"], """
import chromium from '@sparticuz/chromium';
import puppeteer from 'puppeteer-core';
export const handler = async () => {
  const browser = await puppeteer.launch({ args: puppeteer.defaultArgs({ args: chromium.args, headless: 'shell' }), executablePath: await chromium.executablePath(), headless: 'shell' });
  const page = await browser.newPage();
  await page.setContent('<html><head><title>Title</title></head><body><h1>Hello</h1><script>document.title += document.querySelector("h1").textContent</script></body></html>');
  const answer = [await page.title(), Buffer.from((await page.pdf()).slice(0, 5)).toString(), (await page.screenshot()).length > 1000];
  await browser.close();
  return answer;
};
""", equal(["TitleHello", "%PDF-", True], ["TitleHello", "%PDF-", True]), events=[{}, {}], memory=1769, timeout=300, large=True),
    node("better-sqlite3", ["better-sqlite3@12.11.1"], """
import Database from 'better-sqlite3';
export const handler = async () => {
  const db = new Database('/tmp/x.db');
  db.exec('create table if not exists t (n int); insert into t values (1), (2)');
  return db.prepare('select sum(n) as s from t').get().s;
};
""", equal(3), runtime=f"nodejs{major()}.x", drop=["node_modules/better-sqlite3/deps/*", "node_modules/better-sqlite3/build/Release/obj*", "*/test_extension.node", "*.a"]),
    node("prisma", ["prisma@6.19.3", "@prisma/client@6.19.3", "@prisma/adapter-pg@6.19.3"], """
import { PrismaClient, Prisma } from './generated/client.js';
import { PrismaPg } from '@prisma/adapter-pg';
const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: 'postgresql://u:p@127.0.0.1:1/d' }) });
export const handler = async () => {
  try {
    await prisma.thing.findMany({ where: { n: { gt: 1 } } });
  } catch (e) {
    return [e.constructor.name, /reach database server|ECONNREFUSED|refused/i.test(e.message), Prisma.ModelName.Thing];
  }
};
""", lambda a, log: equal([True, "Thing"])([a[0][1:]], log), memory=1024, build=prisma, drop=["node_modules/prisma/*", "node_modules/@prisma/engines/*", "node_modules/effect/*", "node_modules/@prisma/studio*", "*sqlserver*", "*mysql*", "*cockroachdb*", "*sqlite*"],
         files={"prisma/schema.prisma": 'generator client {\n  provider = "prisma-client-js"\n  engineType = "client"\n  output = "../generated"\n}\ndatasource db {\n  provider = "postgresql"\n  url = "postgresql://u:p@127.0.0.1:1/d"\n}\n'
                                        'model Thing {\n  id Int @id\n  n  Int\n}\n', "generated/package.json": '{"type": "commonjs"}'}),
    node("@sentry/aws-serverless", ["@sentry/aws-serverless@10.75.2"], """
import * as Sentry from '@sentry/aws-serverless';
const kept = [];
Sentry.init({ dsn: 'https://k@o1.ingest.sentry.io/1', beforeSend: (e) => { kept.push(JSON.parse(JSON.stringify(e))); return null; } });
export const handler = Sentry.wrapHandler(async (event) => {
  if (event.fail) throw new Error('told to');
  return kept;
});
""", sentry, events=[{"fail": True}, {}], memory=1024),
    node("datadog-lambda-js", ["datadog-lambda-js@12.143.0", "dd-trace@5.132.0"], """
export const handler = async () => 'unused';
""", logged('"m":"coffee.orders"', answers=[True]), handler="node_modules/datadog-lambda-js/dist/handler.handler",
         files={"app.js": "const { sendDistributionMetric } = require('datadog-lambda-js');\nexports.handler = async () => { sendDistributionMetric('coffee.orders', 12.5, 'kind:latte'); return true; };\n"},
         env={"DD_LAMBDA_HANDLER": "app.handler", "DD_FLUSH_TO_LOG": "true", "DD_API_KEY": "0" * 32, "DD_TRACE_ENABLED": "true", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false", "DD_REMOTE_CONFIGURATION_ENABLED": "false"}, memory=1024, timeout=60),
    node("opentelemetry for Node.js", ["@opentelemetry/api@1.9.1", "@opentelemetry/sdk-node@0.223.0", "@opentelemetry/instrumentation-aws-lambda@0.75.0", "@opentelemetry/sdk-trace-base@2.12.1"], "", logged("'faas.invocation_id'", "'@opentelemetry/instrumentation-aws-lambda'", answers=["traced"]),
         handler="app.handler",
         files={"otel.cjs": """
const { NodeSDK } = require('@opentelemetry/sdk-node');
const { ConsoleSpanExporter, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { AwsLambdaInstrumentation } = require('@opentelemetry/instrumentation-aws-lambda');
new NodeSDK({ spanProcessors: [new SimpleSpanProcessor(new ConsoleSpanExporter())], instrumentations: [new AwsLambdaInstrumentation()] }).start();
""", "app.js": "exports.handler = async () => 'traced';\n"}, env={"NODE_OPTIONS": "--require /var/task/otel.cjs", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}, memory=1024),
    node("serverless-express", ["@codegenie/serverless-express@4.17.1", "express@5.3.0"], """
import serverlessExpress from '@codegenie/serverless-express';
import express from 'express';
const app = express();
app.get('/items/:n', (req, res) => res.json({ n: req.params.n, q: req.query.q }));
export const handler = serverlessExpress({ app });
""", response(200, '{"n":"3","q":"x"}'), events=[HTTP_EVENT]),
    node("hono", ["hono@4.13.19"], """
import { Hono } from 'hono';
import { handle } from 'hono/aws-lambda';
const app = new Hono();
app.get('/items/:n', (c) => c.json({ n: c.req.param('n'), q: c.req.query('q') }));
export const handler = handle(app);
""", response(200, '{"n":"3","q":"x"}'), events=[HTTP_EVENT]),
    node("middy", ["@middy/core@6.4.5", "@middy/http-json-body-parser@6.4.5", "@middy/http-error-handler@6.4.5"], """
import middy from '@middy/core';
import json from '@middy/http-json-body-parser';
import errors from '@middy/http-error-handler';
export const handler = middy().use(json()).use(errors({ logger: false })).handler(async (event) => ({ statusCode: 200, body: String(event.body.n + 1) }));
""", response(200, "4"), events=[{**HTTP_EVENT, "headers": {"content-type": "application/json"}, "body": '{"n": 3}'}]),
    node("@aws-lambda-powertools", ["@aws-lambda-powertools/logger@2.36.0", "@aws-lambda-powertools/metrics@2.36.0"], """
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
const logger = new Logger({ serviceName: 'shop' }), metrics = new Metrics({ namespace: 'shop', serviceName: 'shop' });
export const handler = async (event, context) => {
  logger.addContext(context);
  logger.info('ordered', { n: 3 });
  metrics.addMetric('Orders', MetricUnit.Count, 1);
  metrics.publishStoredMetrics();
  return 'ok';
};
""", logged('"Orders"', '"message":"ordered"', '"cold_start":true', answers=["ok"])),
    node("aws-xray-sdk-core", ["aws-xray-sdk-core@3.12.0"], """
import xray from 'aws-xray-sdk-core';
export const handler = async () => xray.captureAsyncFunc('inner', async (s) => { s?.close(); return s?.name ?? 'none'; });
""", equal("inner")),
    node("esbuild", ["esbuild@0.28.2"], """
import { transform } from 'esbuild';
export const handler = async () => (await transform('const x: number = 1', { loader: 'ts' })).code;
""", equal("const x = 1;\n")),
    node("ffmpeg", ["@ffmpeg-installer/ffmpeg@1.1.0"], """
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import ffmpeg from '@ffmpeg-installer/ffmpeg';
export const handler = async () => {
  execFileSync(ffmpeg.path, ['-y', '-f', 'lavfi', '-i', 'testsrc=d=1:s=64x64:r=5', '/tmp/out.mp4'], { stdio: 'pipe' });
  return statSync('/tmp/out.mp4').size > 1000;
};
""", equal(True), memory=1024),
    node("ws, worker_threads", ["ws@8.23.0"], """
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { WebSocketServer, WebSocket } from 'ws';
export const handler = async () => {
  const server = new WebSocketServer({ port: 8081 }).on('connection', (c) => c.send('hello'));
  await once(server, 'listening');
  const client = new WebSocket('ws://127.0.0.1:8081');
  const [message] = await once(client, 'message');
  client.terminate();
  server.close();
  const [sum] = await once(new Worker("require('worker_threads').parentPort.postMessage(6 * 7)", { eval: true }), 'message');
  return [message.toString(), sum];
};
""", equal(["hello", 42])),
    node("pino, pino-pretty in a thread", ["pino@10.4.0", "pino-pretty@13.2.0"], """
import pino from 'pino';
const log = pino({ transport: { target: 'pino-pretty' } });
export const handler = async () => {
  log.info('through a thread');
  await new Promise((done) => log.flush(done));
  return 'ok';
};
""", logged("through a thread", answers=["ok"])),
    node("newrelic", ["newrelic@13.20.0"], "export const handler = async () => 'ok';\n", equal("ok"),
         env={"NODE_OPTIONS": "--require newrelic", "NEW_RELIC_LICENSE_KEY": "x" * 40, "NEW_RELIC_SERVERLESS_MODE_ENABLED": "true", "NEW_RELIC_APP_NAME": "shop"}),
    node("bcrypt", ["bcrypt@6.0.0"], "import bcrypt from 'bcrypt';\nexport const handler = async () => bcrypt.compareSync('x', bcrypt.hashSync('x', 4));\n", equal(True)),
    node("pg", ["pg@8.23.1"], """
import pg from 'pg';
export const handler = async () => new pg.Client({ host: '127.0.0.1', port: 1, user: 'u' }).connect().catch((e) => e.code);
""", equal("ECONNREFUSED")),
]
