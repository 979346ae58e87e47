// The AWS SDK for JavaScript as a client of SQS; run by tests/it/test_sqs.py with ENDPOINT. It compares MD5s itself. Ends with a line of JSON.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const sqs = createRequire(`${process.env.MODULES}/`)('@aws-sdk/client-sqs');
const client = new sqs.SQSClient({ endpoint: process.env.ENDPOINT, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' }, maxAttempts: 1 });
const send = (name, input = {}) => client.send(new sqs[`${name}Command`](input));

const { QueueUrl } = await send('CreateQueue', { QueueName: 'js-sdk', Attributes: { VisibilityTimeout: '5' }, tags: { team: 'a' } });
const sent = await send('SendMessage', { QueueUrl, MessageBody: 'h\u00e4llo \u{1f600}', MessageAttributes: { bytes: { DataType: 'Binary', BinaryValue: new Uint8Array([0, 255]) } } });
const { Messages: [got] } = await send('ReceiveMessage', { QueueUrl, WaitTimeSeconds: 5, MessageSystemAttributeNames: ['All'], MessageAttributeNames: ['All'] });
assert.equal(got.MessageId, sent.MessageId);
assert.equal(got.Body, 'h\u00e4llo \u{1f600}');
assert.deepEqual([...got.MessageAttributes.bytes.BinaryValue], [0, 255]);
assert.equal(got.Attributes.ApproximateReceiveCount, '1');
await send('ChangeMessageVisibility', { QueueUrl, ReceiptHandle: got.ReceiptHandle, VisibilityTimeout: 0 });
const { Messages: [again] } = await send('ReceiveMessage', { QueueUrl, WaitTimeSeconds: 5 });
await send('DeleteMessage', { QueueUrl, ReceiptHandle: again.ReceiptHandle });
const batch = await send('SendMessageBatch', { QueueUrl, Entries: Array.from({ length: 10 }, (_, i) => ({ Id: `e${i}`, MessageBody: `${i}` })) });
assert.equal(batch.Successful.length, 10);
const poll = send('ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 5 });
const { Messages: all } = await poll;
assert.equal((await send('DeleteMessageBatch', { QueueUrl, Entries: all.map((m, i) => ({ Id: `${i}`, ReceiptHandle: m.ReceiptHandle })) })).Successful.length, all.length);
const error = await send('GetQueueUrl', { QueueName: 'nothing' }).then(() => assert.fail('found'), (e) => e);
assert.ok(error instanceof sqs.QueueDoesNotExist, error.name);
const paged = [];
for await (const page of sqs.paginateListQueues({ client, pageSize: 1 }, { QueueNamePrefix: 'js-' }))
	paged.push(...(page.QueueUrls ?? []));
assert.deepEqual(paged, [QueueUrl]);
await send('DeleteQueue', { QueueUrl });
console.log(JSON.stringify({ done: true }));
