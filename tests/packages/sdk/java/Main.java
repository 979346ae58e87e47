package app;

import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.util.*;
import java.util.concurrent.*;
import java.util.zip.*;
import software.amazon.awssdk.auth.credentials.*;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.iam.IamClient;
import software.amazon.awssdk.services.lambda.LambdaClient;
import software.amazon.awssdk.services.lambda.model.InvocationType;
import software.amazon.awssdk.services.lambda.model.LogType;
import software.amazon.awssdk.services.sqs.*;
import software.amazon.awssdk.services.sqs.model.*;
import software.amazon.awssdk.services.sts.StsClient;
import software.amazon.awssdk.services.sts.auth.StsAssumeRoleCredentialsProvider;

/** Everything that a program does with SQS, Lambda, IAM and STS through the SDK as it is published. */
public class Main {
	static final URI ENDPOINT = URI.create(System.getenv("AWS_ENDPOINT_URL"));
	static final String TRUST = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"lambda.amazonaws.com\",\"AWS\":\"arn:aws:iam::000000000000:root\"},\"Action\":\"sts:AssumeRole\"}]}";
	static final String MAY = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"sqs:*\"],\"Resource\":\"arn:aws:sqs:*:*:java-*\"}]}";

	static void want(boolean ok, Object what) {
		if (!ok)
			throw new AssertionError(String.valueOf(what));
	}

	static String code(Runnable r) {
		try {
			r.run();
			return "none";
		} catch (AwsServiceException e) {
			return e.awsErrorDetails().errorCode();
		}
	}

	static List<Message> receive(SqsClient c, String url) {
		return c.receiveMessage(b -> b.queueUrl(url).waitTimeSeconds(20).maxNumberOfMessages(10).messageAttributeNames("All").messageSystemAttributeNames(MessageSystemAttributeName.ALL)).messages();
	}

	static void queues(SqsClient c) throws Exception {
		String dead = c.createQueue(b -> b.queueName("java-dead").tags(Map.of("a", "b"))).queueUrl();
		String arn = c.getQueueAttributes(b -> b.queueUrl(dead).attributeNames(QueueAttributeName.QUEUE_ARN)).attributes().get(QueueAttributeName.QUEUE_ARN);
		String url = c.createQueue(b -> b.queueName("java-q").attributes(Map.of(QueueAttributeName.VISIBILITY_TIMEOUT, "1", QueueAttributeName.REDRIVE_POLICY,
				"{\"deadLetterTargetArn\":\"" + arn + "\",\"maxReceiveCount\":1}"))).queueUrl();
		want("b".equals(c.listQueueTags(b -> b.queueUrl(dead)).tags().get("a")), "tags");
		try {
			c.getQueueUrl(b -> b.queueName("java-none"));
			want(false, "a queue that is not there");
		} catch (QueueDoesNotExistException e) {
			want(e.statusCode() == 400, e);
		}
		ExecutorService threads = Executors.newCachedThreadPool();
		Future<List<Message>> polled = threads.submit(() -> receive(c, url));
		Thread.sleep(200);
		long began = System.nanoTime();
		c.sendMessage(b -> b.queueUrl(url).messageBody("hello \u00e9").messageAttributes(Map.of(
				"s", MessageAttributeValue.builder().dataType("String").stringValue("x").build(), "n", MessageAttributeValue.builder().dataType("Number").stringValue("7").build(),
				"b", MessageAttributeValue.builder().dataType("Binary").binaryValue(SdkBytes.fromByteArray(new byte[] {0, -1})).build())));
		List<Message> m = polled.get();
		want(System.nanoTime() - began < 10_000_000_000L && m.size() == 1 && m.get(0).body().equals("hello \u00e9") && m.get(0).messageAttributes().get("b").binaryValue().asByteArray()[1] == -1, m);
		want("1".equals(m.get(0).attributes().get(MessageSystemAttributeName.APPROXIMATE_RECEIVE_COUNT)), m);
		c.changeMessageVisibility(b -> b.queueUrl(url).receiptHandle(m.get(0).receiptHandle()).visibilityTimeout(0));
		want(c.receiveMessage(b -> b.queueUrl(url)).messages().isEmpty(), "it was received as often as it may");
		List<Message> letters = receive(c, dead);
		want(letters.size() == 1, "a dead letter");
		c.deleteMessage(b -> b.queueUrl(dead).receiptHandle(letters.get(0).receiptHandle()));
		SendMessageBatchResponse batch = c.sendMessageBatch(b -> b.queueUrl(url).entries(SendMessageBatchRequestEntry.builder().id("a").messageBody("1").build(), SendMessageBatchRequestEntry.builder().id("b").messageBody("x\u0001").build()));
		want(batch.successful().size() == 1 && batch.failed().get(0).id().equals("b"), batch);
		List<Message> one = receive(c, url);
		want(c.deleteMessageBatch(b -> b.queueUrl(url).entries(DeleteMessageBatchRequestEntry.builder().id("x").receiptHandle(one.get(0).receiptHandle()).build())).successful().size() == 1, "deleted");
		String fifo = c.createQueue(b -> b.queueName("java.fifo").attributes(Map.of(QueueAttributeName.FIFO_QUEUE, "true", QueueAttributeName.CONTENT_BASED_DEDUPLICATION, "true"))).queueUrl();
		for (String body : List.of("1", "1", "2"))
			want(c.sendMessage(b -> b.queueUrl(fifo).messageBody(body).messageGroupId("g")).sequenceNumber() != null, "a number");
		want(receive(c, fifo).stream().map(Message::body).toList().equals(List.of("1", "2")), "in order");
		want(c.listQueuesPaginator(b -> b.queueNamePrefix("java").maxResults(2)).queueUrls().stream().count() == 3, "queues");
		for (String u : List.of(dead, url, fifo))
			c.deleteQueue(b -> b.queueUrl(u));
	}

	/** The asynchronous client gathers what is sent into batches by itself. */
	static void gathered() throws Exception {
		try (SqsAsyncClient c = SqsAsyncClient.builder().endpointOverride(ENDPOINT).build()) {
			String url = c.createQueue(b -> b.queueName("java-batches")).get().queueUrl();
			try (var m = software.amazon.awssdk.services.sqs.batchmanager.SqsAsyncBatchManager.builder().client(c).scheduledExecutor(Executors.newScheduledThreadPool(2)).build()) {
				List<CompletableFuture<SendMessageResponse>> sent = new ArrayList<>();
				for (int i = 0; i < 25; i++) {
					String body = "m" + i;
					sent.add(m.sendMessage(b -> b.queueUrl(url).messageBody(body)));
				}
				Set<String> bodies = new TreeSet<>();
				for (CompletableFuture<SendMessageResponse> f : sent)
					f.get(30, TimeUnit.SECONDS);
				while (bodies.size() < 25)
					for (Message x : m.receiveMessage(b -> b.queueUrl(url).waitTimeSeconds(5)).get(60, TimeUnit.SECONDS).messages()) {
						bodies.add(x.body());
						m.deleteMessage(b -> b.queueUrl(url).receiptHandle(x.receiptHandle())).get(30, TimeUnit.SECONDS);
					}
			}
			c.deleteQueue(b -> b.queueUrl(url)).get();
		}
	}

	static byte[] code() throws Exception {
		ByteArrayOutputStream out = new ByteArrayOutputStream();
		try (ZipOutputStream z = new ZipOutputStream(out)) {
			z.putNextEntry(new ZipEntry("f.py"));
			z.write("def handler(event, context):\n    return event\n".getBytes());
		}
		return out.toByteArray();
	}

	static void functions(SqsClient q) throws Exception {
		IamClient i = IamClient.builder().endpointOverride(ENDPOINT).region(software.amazon.awssdk.regions.Region.AWS_GLOBAL).build();
		LambdaClient c = LambdaClient.builder().endpointOverride(ENDPOINT).build();
		StsClient t = StsClient.builder().endpointOverride(ENDPOINT).build();
		String role = i.createRole(b -> b.roleName("java-role").assumeRolePolicyDocument(TRUST)).role().arn();
		i.putRolePolicy(b -> b.roleName("java-role").policyName("p").policyDocument(MAY));
		want(i.getRole(b -> b.roleName("java-role")).role().assumeRolePolicyDocument().contains("lambda.amazonaws.com"), "its trust");
		want(code(() -> i.getRole(b -> b.roleName("java-none"))).equals("NoSuchEntity"), "a role that is not there");
		byte[] zip = code();
		c.createFunction(b -> b.functionName("java-f").role(role).runtime("python3.11").handler("f.handler").timeout(5).code(x -> x.zipFile(SdkBytes.fromByteArray(zip))));
		c.waiter().waitUntilFunctionActiveV2(b -> b.functionName("java-f"));
		var r = c.invoke(b -> b.functionName("java-f").payload(SdkBytes.fromUtf8String("{\"do\":\"echo\",\"n\":5}")).logType(LogType.TAIL));
		want(r.payload().asUtf8String().contains("\"n\": 5") && r.logResult() != null, r);
		want(c.invoke(b -> b.functionName("java-f").invocationType(InvocationType.EVENT)).statusCode() == 202, "an event");
		String url = q.createQueue(b -> b.queueName("java-source")).queueUrl();
		String uuid = c.createEventSourceMapping(b -> b.functionName("java-f").eventSourceArn("arn:aws:sqs:us-east-1:000000000000:java-source")).uuid();
		q.sendMessage(b -> b.queueUrl(url).messageBody("x"));
		for (int n = 0;; n++) {
			var a = q.getQueueAttributes(b -> b.queueUrl(url).attributeNames(QueueAttributeName.ALL)).attributes();
			if ("0".equals(a.get(QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES)) && "0".equals(a.get(QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES_NOT_VISIBLE)) && "Enabled".equals(c.getEventSourceMapping(b -> b.uuid(uuid)).state()))
				break;
			want(n < 300, a);
			Thread.sleep(100);
		}
		c.deleteEventSourceMapping(b -> b.uuid(uuid));
		q.deleteQueue(b -> b.queueUrl(url));
		want(code(() -> c.getFunction(b -> b.functionName("java-none"))).equals("ResourceNotFoundException"), "a function that is not there");
		want(t.getCallerIdentity().arn().equals("arn:aws:iam::000000000000:root"), "root");
		try (var as = StsAssumeRoleCredentialsProvider.builder().stsClient(t).refreshRequest(b -> b.roleArn(role).roleSessionName("session")).build()) {
			want(StsClient.builder().endpointOverride(ENDPOINT).credentialsProvider(as).build().getCallerIdentity().arn().equals("arn:aws:sts::000000000000:assumed-role/java-role/session"), "the role");
			want(code(() -> LambdaClient.builder().endpointOverride(ENDPOINT).credentialsProvider(as).build().listFunctions()).equals("AccessDeniedException"), "it may not");
			want(code(() -> SqsClient.builder().endpointOverride(ENDPOINT).credentialsProvider(as).build().createQueue(b -> b.queueName("other"))).contains("AccessDenied"), "it may not, either");
		}
		want(code(() -> StsClient.builder().endpointOverride(ENDPOINT).credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("AKIAXXXXXXXXXXXXXXXX", "x"))).build().getCallerIdentity()).equals("InvalidClientTokenId"), "a key that nobody has");
		c.deleteFunction(b -> b.functionName("java-f"));
		want(code(() -> i.deleteRole(b -> b.roleName("java-role"))).equals("DeleteConflict"), "it has a policy");
		i.deleteRolePolicy(b -> b.roleName("java-role").policyName("p"));
		i.deleteRole(b -> b.roleName("java-role"));
	}

	public static void main(String[] args) {
		try {
			SqsClient q = SqsClient.builder().endpointOverride(ENDPOINT).build();
			queues(q);
			gathered();
			functions(q);
			System.out.println("all done");
			System.exit(0); // threads of the SDK's are left
		} catch (Throwable e) {
			e.printStackTrace();
			System.exit(1);
		}
	}
}
