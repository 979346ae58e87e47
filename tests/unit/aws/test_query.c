/* The query protocol: forms as the members they are, answers as XML, and whose operation a request at the one endpoint is. */
#include "aws/query.h"
#include "aws/xml.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "unit/main.h"

#define FORM "application/x-www-form-urlencoded; charset=utf-8"
#define SCOPE(S) "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20230101/us-east-1/" S "/aws4_request, SignedHeaders=host, Signature=0"

/* "Operation {members}", or why there are none. */
static const char *said(const struct fn_aws_head *h, const char *body)
{
	static char text[2000];
	fn_auto_buf struct fn_buf why = {0};
	enum fn_aws_service s;
	char action[64], *in;
	const struct fn_aws_operation *o = fn_aws_query_operation(h, body, strlen(body), &s, action, sizeof(action));
	json_t *members = o ? fn_aws_query_members(o, h, body, strlen(body), &why) : NULL;

	if (!o) {
		snprintf(text, sizeof(text), "none of %s: %s", s < FN_AWS_SERVICES ? fn_aws_service(s)->name : "any", action);
		return text;
	}
	if (!members) {
		snprintf(text, sizeof(text), "%s", why.data);
		return text;
	}
	in = json_dumps(members, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	snprintf(text, sizeof(text), "%s:%s %s", fn_aws_service(s)->name, o->name, in);
	json_decref(members);
	free(in);
	return text;
}

static const char *post(const char *body)
{
	const struct fn_aws_head h = {.method = "POST", .path = "/", .query = "", .content_type = FORM};

	return said(&h, body);
}

START_TEST(forms)
{
	static const struct {
		const char *body, *said;
	} rows[] = {
		{"Action=ListRoles&Version=2010-05-08", "iam:ListRoles {}"},
		{"Version=2011-06-15&Action=GetCallerIdentity", "sts:GetCallerIdentity {}"},
		{"Action=GetCallerIdentity", "sts:GetCallerIdentity {}"}, /* nobody else has one */
		{"Action=ListRoles&Version=2010-05-08&MaxItems=7&PathPrefix=%2Fa+b%2F", "iam:ListRoles {\"MaxItems\":7,\"PathPrefix\":\"/a b/\"}"},
		{"Action=ListRoles&Version=2010-05-08&MaxItems=x", "Parameter MaxItems is not a whole number"},
		{"Action=SetDefaultPolicyVersion&Version=2010-05-08&VersionId=v2&Unknown=1", "iam:SetDefaultPolicyVersion {\"VersionId\":\"v2\"}"},
		{"Action=CreatePolicyVersion&Version=2010-05-08&SetAsDefault=TRUE", "iam:CreatePolicyVersion {\"SetAsDefault\":true}"},
		{"Action=CreatePolicyVersion&Version=2010-05-08&SetAsDefault=yes", "Parameter SetAsDefault is not a boolean"},
		/* lists: by the order of their numbers, gaps are none; an empty one */
		{"Action=TagRole&Version=2010-05-08&Tags.member.10.Key=c&Tags.member.2.Key=b&Tags.member.2.Value=&Tags.member.1.Key=a",
		 "iam:TagRole {\"Tags\":[{\"Key\":\"a\"},{\"Key\":\"b\",\"Value\":\"\"},{\"Key\":\"c\"}]}"},
		{"Action=TagRole&Version=2010-05-08&Tags=", "iam:TagRole {\"Tags\":[]}"},
		{"Action=UntagRole&Version=2010-05-08&TagKeys.member.1=a%26b&TagKeys.member.2=%C3%A9", "iam:UntagRole {\"TagKeys\":[\"a&b\",\"\xc3\xa9\"]}"},
		{"Action=UntagRole&Version=2010-05-08&TagKeys.member.1.x=a", "Parameter TagKeys is not a value"},
		/* flattened, as SQS has them */
		{"Action=ReceiveMessage&Version=2012-11-05&QueueUrl=u&AttributeName.1=All&MessageAttributeName.1=a.*&WaitTimeSeconds=20",
		 "sqs:ReceiveMessage {\"AttributeNames\":[\"All\"],\"MessageAttributeNames\":[\"a.*\"],\"QueueUrl\":\"u\",\"WaitTimeSeconds\":20}"},
		{"Action=CreateQueue&Version=2012-11-05&QueueName=q&Attribute.1.Name=DelaySeconds&Attribute.1.Value=5&Tag.1.Key=k&Tag.1.Value=v",
		 "sqs:CreateQueue {\"Attributes\":{\"DelaySeconds\":\"5\"},\"QueueName\":\"q\",\"tags\":{\"k\":\"v\"}}"},
		{"Action=TagQueue&Version=2012-11-05&QueueUrl=u&Tags.1.Key=k&Tags.1.Value=v", "sqs:TagQueue {\"QueueUrl\":\"u\",\"Tags\":{\"k\":\"v\"}}"},
		{"Action=CreateQueue&Version=2012-11-05&QueueName=q&Attribute.1.Name=DelaySeconds", "Parameter Attribute is not a map: an entry has a name and a value"},
		{"Action=SendMessage&Version=2012-11-05&QueueUrl=u&MessageBody=b&MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType=Binary&MessageAttribute.1.Value.BinaryValue=AA%3D%3D",
		 "sqs:SendMessage {\"MessageAttributes\":{\"n\":{\"BinaryValue\":\"AA==\",\"DataType\":\"Binary\"}},\"MessageBody\":\"b\",\"QueueUrl\":\"u\"}"},
		{"Action=SendMessageBatch&Version=2012-11-05&QueueUrl=u&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=x",
		 "sqs:SendMessageBatch {\"Entries\":[{\"Id\":\"a\",\"MessageBody\":\"x\"}],\"QueueUrl\":\"u\"}"},
		{"Action=AddPermission&Version=2012-11-05&QueueUrl=u&Label=l&AWSAccountId.1=1&ActionName.1=*",
		 "sqs:AddPermission {\"AWSAccountIds\":[\"1\"],\"Actions\":[\"*\"],\"Label\":\"l\",\"QueueUrl\":\"u\"}"},
		/* what is none */
		{"Action=NoSuch&Version=2010-05-08", "none of iam: NoSuch"},
		{"Action=Publish&Version=2010-03-31", "none of any: Publish"},
		{"", "none of any: "},
		{"Action=ListRoles&Version=2010-05-08&A.B.C.D.E.F.G.H.I.J.K.L.M.N=1", "A parameter's name has more than 12 parts"},
		{"Action=ListRoles&Version=2010-05-08&Marker.x=1&Marker=2", "Parameter Marker is not a value"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_str_eq(post(rows[i].body), rows[i].said);
}
END_TEST

START_TEST(a_queue_may_be_in_the_path)
{
	struct fn_aws_head h = {.method = "GET", .path = "/123456789012/q", .query = "Action=SendMessage&MessageBody=a+b"};

	ck_assert_str_eq(said(&h, ""), "sqs:SendMessage {\"MessageBody\":\"a b\",\"QueueUrl\":\"/123456789012/q\"}");
	h.query = "Action=ListQueues";
	ck_assert_str_eq(said(&h, ""), "sqs:ListQueues {}");
	h.query = "Action=SendMessage&QueueUrl=u";
	ck_assert_str_eq(said(&h, "Action=DeleteQueue"), "sqs:SendMessage {\"QueueUrl\":\"u\"}"); /* a GET has no form */
}
END_TEST

START_TEST(too_many_pairs)
{
	fn_auto_buf struct fn_buf form = {0};

	(void)fn_buf_add_str(&form, "Action=ListRoles&Version=2010-05-08");
	for (int i = 0; i < 5000; i++)
		(void)fn_buf_add_str(&form, "&a=b");
	ck_assert_str_eq(post(form.data), "There are more than 4096 parameters");
}
END_TEST

START_TEST(services)
{
	static const struct {
		struct fn_aws_head h;
		enum fn_aws_protocol protocol;
		enum fn_aws_service service;
	} rows[] = {
		{{"GET", "/2015-03-31/functions", "", NULL, NULL, NULL}, FN_AWS_REST_JSON, FN_AWS_LAMBDA},
		{{"POST", "/2015-03-31/functions", "", "AmazonSQS.SendMessage", FORM, SCOPE("sqs")}, FN_AWS_REST_JSON, FN_AWS_LAMBDA},
		{{"GET", "/", "", NULL, NULL, NULL}, FN_AWS_REST_JSON, FN_AWS_LAMBDA},
		{{"POST", "/", "", "Logs_20140328.PutLogEvents", "application/x-amz-json-1.1", NULL}, FN_AWS_JSON, FN_AWS_LOGS},
		{{"POST", "/", "", "AmazonSQS.SendMessage", "application/x-amz-json-1.0", SCOPE("sqs")}, FN_AWS_JSON, FN_AWS_SQS},
		{{"POST", "/123456789012/q", "", "AmazonSQS.SendMessage", "application/x-amz-json-1.0", NULL}, FN_AWS_JSON, FN_AWS_SQS},
		{{"POST", "/", "", "DynamoDB_20120810.GetItem", "application/x-amz-json-1.0", NULL}, FN_AWS_JSON, FN_AWS_SERVICES},
		{{"POST", "/", "", NULL, FORM, SCOPE("iam")}, FN_AWS_QUERY, FN_AWS_IAM},
		{{"POST", "/", "", NULL, FORM, SCOPE("sts")}, FN_AWS_QUERY, FN_AWS_STS},
		{{"POST", "/", "Version=2010-05-08", NULL, FORM, SCOPE("lambda")}, FN_AWS_QUERY, FN_AWS_IAM},
		{{"POST", "/", "", NULL, FORM, SCOPE("sns")}, FN_AWS_QUERY, FN_AWS_SERVICES},
		{{"GET", "/", "Action=GetCallerIdentity&X-Amz-Credential=A%2F20230101%2Fus-east-1%2Fsts%2Faws4_request", NULL, NULL, NULL}, FN_AWS_QUERY, FN_AWS_STS},
		{{"GET", "/123456789012/q", "Action=ReceiveMessage", NULL, NULL, NULL}, FN_AWS_QUERY, FN_AWS_SQS},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(fn_aws_protocol_of(&rows[i].h) == rows[i].protocol, "protocol of row %zu", i);
		ck_assert_msg(fn_aws_service_of(&rows[i].h) == rows[i].service, "service of row %zu: %d", i, fn_aws_service_of(&rows[i].h));
	}
	ck_assert_ptr_eq(fn_aws_route_target("AmazonSQS.SendMessage"), &fn_aws_sqs_operations[FN_AWS_Sqs_SendMessage - FN_AWS_SQS_FIRST]);
	ck_assert_ptr_null(fn_aws_route_target("AmazonSQS.NoSuch"));
	for (enum fn_aws_service s = FN_AWS_LOGS; s < FN_AWS_SERVICES; s++)
		for (unsigned i = 0; i < fn_aws_service(s)->n; i++)
			ck_assert_int_eq(fn_aws_service(s)->operations[i].service, s);
}
END_TEST

static void answers(enum fn_aws_service s, const char *operation, const char *out, const char *xml)
{
	fn_auto_buf struct fn_buf b = {0};
	json_t *tree = json_loads(out, 0, NULL);

	ck_assert_ptr_nonnull(tree);
	ck_assert_int_eq(fn_aws_xml_response(&b, fn_aws_operation_named(s, operation), tree, "ID"), 0);
	ck_assert_str_eq(b.data, xml);
	json_decref(tree);
}

#define META "<ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata>"

START_TEST(xml)
{
	fn_auto_buf struct fn_buf b = {0};

	answers(FN_AWS_IAM, "DeleteRole", "{}", "<DeleteRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">" META "</DeleteRoleResponse>");
	answers(FN_AWS_IAM, "ListRoleTags", "{\"Tags\":[{\"Value\":\"<&>\\\"\\u0001\\r\\n\",\"Key\":\"k\",\"Other\":1}],\"IsTruncated\":false}",
		"<ListRoleTagsResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ListRoleTagsResult><Tags><member><Key>k</Key><Value>&lt;&amp;&gt;&quot;\xef\xbf\xbd&#xD;\n</Value></member>"
		"</Tags><IsTruncated>false</IsTruncated></ListRoleTagsResult>" META "</ListRoleTagsResponse>");
	answers(FN_AWS_IAM, "GetRole", "{\"Role\":{\"CreateDate\":1700000000,\"RoleName\":\"r\",\"MaxSessionDuration\":3600}}",
		"<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult><Role><RoleName>r</RoleName><CreateDate>2023-11-14T22:13:20Z</CreateDate><MaxSessionDuration>3600"
		"</MaxSessionDuration></Role></GetRoleResult>" META "</GetRoleResponse>");
	answers(FN_AWS_SQS, "ReceiveMessage", "{\"Messages\":[{\"MessageId\":\"1\",\"Attributes\":{\"SenderId\":\"s\"},\"MessageAttributes\":{\"n\":{\"StringValue\":\"v\",\"DataType\":\"String\"}}},{\"MessageId\":\"2\"}]}",
		"<?xml version=\"1.0\"?><ReceiveMessageResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><ReceiveMessageResult><Message><MessageId>1</MessageId><Attribute><Name>SenderId</Name>"
		"<Value>s</Value></Attribute><MessageAttribute><Name>n</Name><Value><StringValue>v</StringValue><DataType>String</DataType></Value></MessageAttribute></Message><Message><MessageId>2"
		"</MessageId></Message></ReceiveMessageResult>" META "</ReceiveMessageResponse>");
	answers(FN_AWS_SQS, "ListDeadLetterSourceQueues", "{\"queueUrls\":[\"a\",\"b\"]}",
		"<?xml version=\"1.0\"?><ListDeadLetterSourceQueuesResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><ListDeadLetterSourceQueuesResult><QueueUrl>a</QueueUrl><QueueUrl>b</QueueUrl>"
		"</ListDeadLetterSourceQueuesResult>" META "</ListDeadLetterSourceQueuesResponse>");
	ck_assert_int_eq(fn_aws_xml_error(&b, FN_AWS_IAM, true, "NoSuchEntity", "no <role>", "ID"), 0);
	ck_assert_str_eq(b.data, "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>no &lt;role&gt;</Message></Error>"
				 "<RequestId>ID</RequestId></ErrorResponse>");
}
END_TEST

TEST_MAIN("aws/query", forms, a_queue_may_be_in_the_path, too_many_pairs, services, xml)
