// Everything that a program does with SQS, Lambda, IAM and STS through the SDK as it is published.
package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lt "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	qt "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

var ctx = context.Background()

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func want(ok bool, what ...any) {
	if !ok {
		panic(fmt.Sprint(what...))
	}
}

func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return fmt.Sprint(err)
}

func queues(cfg aws.Config) {
	c := sqs.NewFromConfig(cfg)
	dead := must(c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("go-dead"), Tags: map[string]string{"a": "b"}})).QueueUrl
	arn := must(c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: dead, AttributeNames: []qt.QueueAttributeName{"QueueArn"}})).Attributes["QueueArn"]
	url := must(c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("go-q"), Attributes: map[string]string{"VisibilityTimeout": "1", "RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`, arn)}})).QueueUrl
	want(must(c.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: dead})).Tags["a"] == "b", "tags")
	want(*must(c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("go-q")})).QueueUrl == *url, "the url")
	_, err := c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("go-none")})
	var none *qt.QueueDoesNotExist
	want(errors.As(err, &none), "a queue that is not there: ", err)
	// a long poll is answered by what comes; the SDK verifies the MD5s of body and attributes
	got := make(chan []qt.Message)
	receive := func(u *string) []qt.Message {
		return must(c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: u, WaitTimeSeconds: 20, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []qt.MessageSystemAttributeName{"All"}})).Messages
	}
	go func() { got <- receive(url) }()
	time.Sleep(200 * time.Millisecond)
	began := time.Now()
	must(c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("hello \u00e9"), MessageAttributes: map[string]qt.MessageAttributeValue{
		"s": {DataType: aws.String("String"), StringValue: aws.String("x")}, "n": {DataType: aws.String("Number"), StringValue: aws.String("7")}, "b": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}}}}))
	m := <-got
	want(time.Since(began) < 10*time.Second && len(m) == 1 && *m[0].Body == "hello \u00e9" && *m[0].MessageAttributes["n"].StringValue == "7" && bytes.Equal(m[0].MessageAttributes["b"].BinaryValue, []byte{0, 255}), "received: ", m)
	want(m[0].Attributes["ApproximateReceiveCount"] == "1" && m[0].Attributes["SentTimestamp"] != "", "attributes: ", m[0].Attributes)
	must(c.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: m[0].ReceiptHandle, VisibilityTimeout: 0}))
	want(len(must(c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url})).Messages) == 0, "it was received as often as it may")
	m = receive(dead)
	want(len(m) == 1, "a dead letter")
	must(c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: dead, ReceiptHandle: m[0].ReceiptHandle}))
	batch := must(c.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []qt.SendMessageBatchRequestEntry{{Id: aws.String("a"), MessageBody: aws.String("1")}, {Id: aws.String("b"), MessageBody: aws.String("x\x01")}}}))
	want(len(batch.Successful) == 1 && len(batch.Failed) == 1 && *batch.Failed[0].Id == "b", "a batch: ", batch)
	m = receive(url)
	want(len(must(c.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []qt.DeleteMessageBatchRequestEntry{{Id: aws.String("x"), ReceiptHandle: m[0].ReceiptHandle}}})).Successful) == 1, "deleted")
	fifo := must(c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("go.fifo"), Attributes: map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"}})).QueueUrl
	for _, body := range []string{"1", "1", "2"} {
		want(*must(c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: fifo, MessageBody: aws.String(body), MessageGroupId: aws.String("g")})).SequenceNumber != "", "a number")
	}
	m = receive(fifo)
	want(len(m) == 2 && *m[0].Body == "1" && *m[1].Body == "2", "in order: ", m)
	pages := sqs.NewListQueuesPaginator(c, &sqs.ListQueuesInput{QueueNamePrefix: aws.String("go"), MaxResults: aws.Int32(2)})
	n := 0
	for pages.HasMorePages() {
		n += len(must(pages.NextPage(ctx)).QueueUrls)
	}
	want(n == 3, "queues: ", n)
	for _, u := range []*string{dead, url, fifo} {
		must(c.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: u}))
	}
}

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com","AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}`
const may = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sqs:*"],"Resource":"arn:aws:sqs:*:*:go-*"}]}`

func functions(cfg aws.Config) {
	i, c, q := iam.NewFromConfig(cfg), lambda.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	role := must(i.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("go-role"), AssumeRolePolicyDocument: aws.String(trust)})).Role
	must(i.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: role.RoleName, PolicyName: aws.String("p"), PolicyDocument: aws.String(may)}))
	want(strings.Contains(*must(i.GetRole(ctx, &iam.GetRoleInput{RoleName: role.RoleName})).Role.AssumeRolePolicyDocument, "lambda.amazonaws.com"), "its trust")
	want(must(i.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: role.RoleName})).PolicyNames[0] == "p", "its policies")
	_, err := i.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("go-none")})
	want(code(err) == "NoSuchEntity", "a role that is not there: ", err)

	var code_ bytes.Buffer
	z := zip.NewWriter(&code_)
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	h.SetMode(0o755)
	must(must(z.CreateHeader(h)).Write(must(os.ReadFile(os.Getenv("BOOTSTRAP")))))
	z.Close()
	must(c.CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: aws.String("go-f"), Role: role.Arn, Runtime: lt.RuntimeProvidedal2023, Handler: aws.String("main"), Code: &lt.FunctionCode{ZipFile: code_.Bytes()}, Timeout: aws.Int32(5)}))
	if err := lambda.NewFunctionActiveV2Waiter(c).Wait(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("go-f")}, time.Minute); err != nil {
		panic(err)
	}
	r := must(c.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("go-f"), Payload: []byte(`{"do":"echo","n":5}`), LogType: lt.LogTypeTail}))
	want(strings.Contains(string(r.Payload), `"n":5`) && r.LogResult != nil, "invoked: ", string(r.Payload))
	want(must(c.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("go-f"), Payload: []byte(`{}`), InvocationType: lt.InvocationTypeEvent})).StatusCode == 202, "an event")
	s := must(c.InvokeWithResponseStream(ctx, &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("go-f"), Payload: []byte(`{"do":"echo","n":6}`)})).GetStream()
	var streamed []byte
	for e := range s.Events() {
		if p, ok := e.(*lt.InvokeWithResponseStreamResponseEventMemberPayloadChunk); ok {
			streamed = append(streamed, p.Value.Payload...)
		}
	}
	want(s.Err() == nil && strings.Contains(string(streamed), `"n":6`), "streamed: ", string(streamed), s.Err())
	url := must(q.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("go-source")})).QueueUrl
	m := must(c.CreateEventSourceMapping(ctx, &lambda.CreateEventSourceMappingInput{FunctionName: aws.String("go-f"), EventSourceArn: aws.String("arn:aws:sqs:us-east-1:000000000000:go-source")}))
	must(q.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")}))
	for n := 0; ; n++ {
		a := must(q.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []qt.QueueAttributeName{"All"}})).Attributes
		if a["ApproximateNumberOfMessages"] == "0" && a["ApproximateNumberOfMessagesNotVisible"] == "0" && *must(c.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: m.UUID})).State == "Enabled" {
			break
		}
		want(n < 300, "the message is taken: ", a)
		time.Sleep(100 * time.Millisecond)
	}
	must(c.DeleteEventSourceMapping(ctx, &lambda.DeleteEventSourceMappingInput{UUID: m.UUID}))
	must(q.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: url}))
	_, err = c.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("go-none")})
	var none *lt.ResourceNotFoundException
	want(errors.As(err, &none), "a function that is not there: ", err)

	t := sts.NewFromConfig(cfg)
	want(*must(t.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})).Arn == "arn:aws:iam::000000000000:root", "root")
	as := cfg.Copy()
	as.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(t, *role.Arn, func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = "session" }))
	want(*must(sts.NewFromConfig(as).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})).Arn == "arn:aws:sts::000000000000:assumed-role/go-role/session", "the role")
	_, err = lambda.NewFromConfig(as).ListFunctions(ctx, &lambda.ListFunctionsInput{})
	want(code(err) == "AccessDeniedException", "it may not: ", err)
	_, err = sqs.NewFromConfig(as).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("other")})
	want(strings.Contains(code(err), "AccessDenied"), "it may not, either: ", err)
	wrong := cfg.Copy()
	wrong.Credentials = credentials.NewStaticCredentialsProvider("AKIAXXXXXXXXXXXXXXXX", "x", "")
	_, err = sts.NewFromConfig(wrong).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	want(code(err) == "InvalidClientTokenId", "a key that nobody has: ", err)

	must(c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("go-f")}))
	_, err = i.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: role.RoleName})
	want(code(err) == "DeleteConflict", "it has a policy: ", err)
	must(i.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: role.RoleName, PolicyName: aws.String("p")}))
	must(i.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: role.RoleName}))
}

func main() {
	cfg := must(config.LoadDefaultConfig(ctx))
	queues(cfg)
	functions(cfg)
	fmt.Println("all done")
}
