// The AWS SDK for JavaScript as a client; run by tests/it/test_jssdk.py with ENDPOINT and ZIP (a base64 package). Ends with a line of JSON.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.MODULES}/`);
const lambda = require('@aws-sdk/client-lambda');
const client = new lambda.LambdaClient({ endpoint: process.env.ENDPOINT, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' }, maxAttempts: 1 });
const send = (name, input = {}) => client.send(new lambda[`${name}Command`](input));
const zip = Buffer.from(process.env.ZIP, 'base64');
const name = 'js-sdk';
const text = (bytes) => Buffer.from(bytes).toString();
const refused = async (promise, kind, status) => {
	const error = await promise.then(() => assert.fail(`no ${kind}`), (e) => e);
	assert.equal(error.name, kind);
	assert.ok(error instanceof lambda[kind], `${error.constructor.name} is not the SDK's ${kind}`);
	assert.equal(error.$metadata.httpStatusCode, status);
	assert.ok(error.$metadata.requestId);
	return error;
};

const steps = {
	async create() {
		const made = await send('CreateFunction', { FunctionName: name, Role: 'arn:aws:iam::000000000000:role/test', Runtime: 'nodejs22.x', Handler: 'index.handler', Code: { ZipFile: zip }, MemorySize: 1024,
			Timeout: 10, Environment: { Variables: { KEY: 'v' } }, Tags: { team: 'a' } });
		assert.equal(made.FunctionName, name);
		assert.equal(made.CodeSize, zip.length);
		await lambda.waitUntilFunctionActiveV2({ client, maxWaitTime: 60 }, { FunctionName: name });
		await lambda.waitUntilFunctionExists({ client, maxWaitTime: 60 }, { FunctionName: name });
		await refused(send('CreateFunction', { FunctionName: name, Role: 'arn:aws:iam::000000000000:role/test', Runtime: 'nodejs22.x', Handler: 'index.handler', Code: { ZipFile: zip } }), 'ResourceConflictException', 409);
	},
	async invoke() {
		const out = await send('Invoke', { FunctionName: name, Payload: JSON.stringify({ a: 'ä' }), LogType: 'Tail', ClientContext: Buffer.from('{"custom":{"c":1}}').toString('base64') });
		assert.equal(out.StatusCode, 200);
		assert.equal(out.ExecutedVersion, '$LATEST');
		assert.equal(out.FunctionError, undefined);
		assert.deepEqual(JSON.parse(text(out.Payload)), { event: { a: 'ä' }, k: 'v', client: { custom: { c: 1 } } });
		assert.match(text(Buffer.from(out.LogResult, 'base64')), /REPORT RequestId: /);
		const failed = await send('Invoke', { FunctionName: name, Payload: '{"fail":true}' });
		assert.equal(failed.FunctionError, 'Unhandled');
		assert.equal(JSON.parse(text(failed.Payload)).errorMessage, 'as asked');
		const dry = await send('Invoke', { FunctionName: name, InvocationType: 'DryRun' });
		assert.equal(dry.StatusCode, 204);
		await refused(send('Invoke', { FunctionName: name, Payload: '{not json' }), 'InvalidRequestContentException', 400);
		const many = await Promise.all(Array.from({ length: 20 }, (_, i) => send('Invoke', { FunctionName: name, Payload: `{"i":${i}}` })));
		many.forEach((m, i) => assert.equal(JSON.parse(text(m.Payload)).event.i, i));
	},
	async update() {
		const before = await send('GetFunctionConfiguration', { FunctionName: name });
		await send('UpdateFunctionConfiguration', { FunctionName: name, MemorySize: 512, Environment: { Variables: { KEY: 'w' } }, RevisionId: before.RevisionId });
		await lambda.waitUntilFunctionUpdatedV2({ client, maxWaitTime: 60 }, { FunctionName: name });
		const after = await send('GetFunction', { FunctionName: name });
		assert.equal(after.Configuration.MemorySize, 512);
		assert.equal(after.Tags.team, 'a');
		assert.notEqual(after.Configuration.RevisionId, before.RevisionId);
		assert.equal(JSON.parse(text((await send('Invoke', { FunctionName: name, Payload: '1' })).Payload)).k, 'w');
		await refused(send('UpdateFunctionConfiguration', { FunctionName: name, MemorySize: 256, RevisionId: before.RevisionId }), 'PreconditionFailedException', 412);
		const code = await send('UpdateFunctionCode', { FunctionName: name, ZipFile: Buffer.from(process.env.ZIP2, 'base64') });
		assert.notEqual(code.CodeSha256, before.CodeSha256);
		await lambda.waitUntilFunctionUpdated({ client, maxWaitTime: 60 }, { FunctionName: name });
		assert.equal(text((await send('Invoke', { FunctionName: name })).Payload), '"second"');
	},
	async list() {
		const made = await Promise.all(Array.from({ length: 7 }, (_, i) => send('CreateFunction', { FunctionName: `${name}-${i}`, Role: 'arn:aws:iam::000000000000:role/test', Runtime: 'nodejs22.x',
			Handler: 'index.handler', Code: { ZipFile: zip } })));
		const seen = [];
		let pages = 0;
		for await (const page of lambda.paginateListFunctions({ client, pageSize: 3 }, {})) {
			pages += 1;
			assert.ok(page.Functions.length <= 3);
			seen.push(...page.Functions.map((f) => f.FunctionName));
		}
		assert.ok(pages >= 3);
		assert.equal(new Set(seen).size, seen.length);
		for (const m of made)
			assert.ok(seen.includes(m.FunctionName));
		await Promise.all(made.map((m) => send('DeleteFunction', { FunctionName: m.FunctionName })));
	},
	async tags() {
		const { FunctionArn } = await send('GetFunctionConfiguration', { FunctionName: name });
		await send('TagResource', { Resource: FunctionArn, Tags: { more: 'b' } });
		await send('UntagResource', { Resource: FunctionArn, TagKeys: ['team'] });
		assert.deepEqual((await send('ListTags', { Resource: FunctionArn })).Tags, { more: 'b' });
		assert.ok((await send('GetAccountSettings')).AccountLimit.ConcurrentExecutions > 0);
	},
	async layers() {
		const layer = { LayerName: `${name}-layer`, CompatibleRuntimes: ['nodejs22.x'], Content: { ZipFile: Buffer.from(process.env.LAYER, 'base64') } };
		const made = await send('PublishLayerVersion', layer);
		assert.equal(made.Version, 1);
		const at = { LayerName: layer.LayerName, VersionNumber: made.Version };
		assert.equal((await send('GetLayerVersion', at)).Content.CodeSha256, made.Content.CodeSha256);
		assert.equal((await send('GetLayerVersionByArn', { Arn: made.LayerVersionArn })).LayerArn, made.LayerArn);
		await send('UpdateFunctionConfiguration', { FunctionName: name, Layers: [made.LayerVersionArn] });
		await lambda.waitUntilFunctionUpdatedV2({ client, maxWaitTime: 60 }, { FunctionName: name });
		await send('UpdateFunctionCode', { FunctionName: name, ZipFile: Buffer.from(process.env.ZIP4, 'base64') });
		await lambda.waitUntilFunctionUpdatedV2({ client, maxWaitTime: 60 }, { FunctionName: name });
		assert.equal(text((await send('Invoke', { FunctionName: name, Payload: '["1.1.0", "1.4.2", "2.0.0"]' })).Payload), '"1.4.2"');
		const { RevisionId } = await send('AddLayerVersionPermission', { ...at, StatementId: 's', Action: 'lambda:GetLayerVersion', Principal: '*' });
		assert.equal((await send('GetLayerVersionPolicy', at)).RevisionId, RevisionId);
		await send('RemoveLayerVersionPermission', { ...at, StatementId: 's', RevisionId });
		await refused(send('GetLayerVersionPolicy', at), 'ResourceNotFoundException', 404);
		const seen = [];
		for await (const page of lambda.paginateListLayers({ client, pageSize: 1 }, { CompatibleRuntime: 'nodejs22.x' }))
			seen.push(...page.Layers.map((l) => l.LayerName));
		assert.ok(seen.includes(layer.LayerName));
		await send('DeleteLayerVersion', at);
		assert.deepEqual((await send('ListLayerVersions', { LayerName: layer.LayerName })).LayerVersions, []);
		await refused(send('GetLayerVersion', at), 'ResourceNotFoundException', 404);
		await refused(send('UpdateFunctionConfiguration', { FunctionName: name, Layers: [made.LayerVersionArn] }), 'InvalidParameterValueException', 400);
	},
	async errors() {
		await refused(send('GetFunction', { FunctionName: 'js-sdk-missing' }), 'ResourceNotFoundException', 404);
		await refused(send('CreateFunction', { FunctionName: 'js-sdk-bad', Role: 'arn:aws:iam::000000000000:role/test', Runtime: 'nodejs22.x', Handler: 'index.handler', Code: { ZipFile: Buffer.from('no zip') } }),
			'InvalidParameterValueException', 400);
	},
	async stream() {
		await send('UpdateFunctionCode', { FunctionName: name, ZipFile: Buffer.from(process.env.ZIP3, 'base64') });
		await lambda.waitUntilFunctionUpdated({ client, maxWaitTime: 60 }, { FunctionName: name });
		const take = async (event, more = {}) => {
			const out = await send('InvokeWithResponseStream', { FunctionName: name, Payload: JSON.stringify(event), ...more });
			const chunks = [];
			let end;
			assert.equal(out.StatusCode, 200);
			for await (const e of out.EventStream)
				if (e.PayloadChunk)
					chunks.push(e.PayloadChunk.Payload);
				else
					end = e.InvokeComplete;
			return [Buffer.concat(chunks), end, out];
		};
		const [data, end, out] = await take({ n: 3000000 }, { LogType: 'Tail' });
		assert.equal(out.ExecutedVersion, '$LATEST');
		assert.equal(data.length, 3000000);
		assert.match(text(Buffer.from(end.LogResult, 'base64')), /REPORT RequestId: /);
		assert.equal(end.ErrorCode, undefined);
		const [some, failed] = await take({ n: 5, fail: true });
		assert.equal(text(some), 'xxxxx');
		assert.equal(failed.ErrorCode, 'RangeError');
		assert.equal(JSON.parse(failed.ErrorDetails).errorMessage, 'midway');
		await refused(send('InvokeWithResponseStream', { FunctionName: 'js-sdk-missing' }), 'ResourceNotFoundException', 404);
	},
	async remove() {
		await send('DeleteFunction', { FunctionName: name });
		await refused(send('Invoke', { FunctionName: name }), 'ResourceNotFoundException', 404);
	},
};
for (const [step, run] of Object.entries(steps))
	try {
		await run();
	} catch (e) {
		console.error(`step ${step}:`, e);
		process.exit(1);
	}
console.log(JSON.stringify({ passed: Object.keys(steps), node: process.version }));
