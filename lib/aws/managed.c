/* managed.c - see managed.h. */
#include "aws/managed.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

#define PREFIX "arn:aws:iam::aws:policy"

static const struct fn_iam_managed policies[] = {
	{"AWSLambdaBasicExecutionRole", "/service-role/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"logs:CreateLogGroup\",\"logs:CreateLogStream\""
	 ",\"logs:PutLogEvents\"],\"Resource\":\"*\"}]}"},
	{"AWSLambdaDynamoDBExecutionRole", "/service-role/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"dynamodb:DescribeStream\""
	 ",\"dynamodb:GetRecords\",\"dynamodb:GetShardIterator\",\"dynamodb:ListStreams\",\"logs:CreateLogGroup\""
	 ",\"logs:CreateLogStream\",\"logs:PutLogEvents\"],\"Resource\":\"*\"}]}"},
	{"AWSLambdaENIManagementAccess", "/service-role/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"ec2:CreateNetworkInterface\""
	 ",\"ec2:DescribeNetworkInterfaces\",\"ec2:DescribeSubnets\",\"ec2:DeleteNetworkInterface\""
	 ",\"ec2:AssignPrivateIpAddresses\",\"ec2:UnassignPrivateIpAddresses\"],\"Resource\":\"*\"}]}"},
	{"AWSLambdaExecute", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\""
	 ",\"Action\":[\"logs:*\"],\"Resource\":\"arn:aws:logs:*:*:*\"},{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\""
	 ",\"s3:PutObject\"],\"Resource\":\"arn:aws:s3:::*\"}]}"},
	{"AWSLambdaInvocation-DynamoDB", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\""
	 ",\"Action\":[\"lambda:InvokeFunction\"],\"Resource\":[\"*\"]},{\"Effect\":\"Allow\",\"Action\":[\"dynamodb:DescribeStream\""
	 ",\"dynamodb:GetRecords\",\"dynamodb:GetShardIterator\",\"dynamodb:ListStreams\"],\"Resource\":\"*\"}]}"},
	{"AWSLambdaKinesisExecutionRole", "/service-role/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"kinesis:DescribeStream\""
	 ",\"kinesis:DescribeStreamSummary\",\"kinesis:GetRecords\",\"kinesis:GetShardIterator\",\"kinesis:ListShards\""
	 ",\"kinesis:ListStreams\",\"kinesis:SubscribeToShard\",\"logs:CreateLogGroup\",\"logs:CreateLogStream\""
	 ",\"logs:PutLogEvents\"],\"Resource\":\"*\"}]}"},
	{"AWSLambdaMSKExecutionRole", "/service-role/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"kafka:DescribeCluster\""
	 ",\"kafka:DescribeClusterV2\",\"kafka:GetBootstrapBrokers\",\"ec2:CreateNetworkInterface\""
	 ",\"ec2:DescribeNetworkInterfaces\",\"ec2:DescribeVpcs\",\"ec2:DeleteNetworkInterface\",\"ec2:DescribeSubnets\""
	 ",\"ec2:DescribeSecurityGroups\",\"logs:CreateLogGroup\",\"logs:CreateLogStream\""
	 ",\"logs:PutLogEvents\"],\"Resource\":\"*\"}]}"},
	{"AWSLambdaRole", "/service-role/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"lambda:InvokeFunction\"],\"Resource\":[\"*\"]}]}"},
	{"AWSLambdaSQSQueueExecutionRole", "/service-role/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"sqs:ReceiveMessage\",\"sqs:DeleteMessage\""
	 ",\"sqs:GetQueueAttributes\",\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\"],\"Resource\":\"*\"}]}"},
	{"AWSLambdaVPCAccessExecutionRole", "/service-role/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"logs:CreateLogGroup\",\"logs:CreateLogStream\""
	 ",\"logs:PutLogEvents\",\"ec2:CreateNetworkInterface\",\"ec2:DescribeNetworkInterfaces\",\"ec2:DescribeSubnets\""
	 ",\"ec2:DeleteNetworkInterface\",\"ec2:AssignPrivateIpAddresses\""
	 ",\"ec2:UnassignPrivateIpAddresses\"],\"Resource\":\"*\"}]}"},
	{"AWSLambda_FullAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"cloudformation:DescribeStacks\""
	 ",\"cloudformation:ListStackResources\",\"cloudwatch:ListMetrics\",\"cloudwatch:GetMetricData\""
	 ",\"ec2:DescribeSecurityGroups\",\"ec2:DescribeSubnets\",\"ec2:DescribeVpcs\",\"kms:ListAliases\",\"iam:GetPolicy\""
	 ",\"iam:GetPolicyVersion\",\"iam:GetRole\",\"iam:GetRolePolicy\",\"iam:ListAttachedRolePolicies\""
	 ",\"iam:ListRolePolicies\",\"iam:ListRoles\",\"lambda:*\",\"logs:DescribeLogGroups\",\"states:DescribeStateMachine\""
	 ",\"states:ListStateMachines\",\"tag:GetResources\",\"xray:GetTraceSummaries\""
	 ",\"xray:BatchGetTraces\"],\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":\"iam:PassRole\",\"Resource\":\"*\""
	 ",\"Condition\":{\"StringEquals\":{\"iam:PassedToService\":\"lambda.amazonaws.com\"}}},{\"Effect\":\"Allow\""
	 ",\"Action\":[\"logs:DescribeLogStreams\",\"logs:GetLogEvents\",\"logs:FilterLogEvents\",\"logs:StartLiveTail\""
	 ",\"logs:StopLiveTail\"],\"Resource\":\"arn:aws:logs:*:*:log-group:/aws/lambda/*\"}]}"},
	{"AWSLambda_ReadOnlyAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"cloudformation:DescribeStacks\""
	 ",\"cloudformation:ListStacks\",\"cloudformation:ListStackResources\",\"cloudwatch:GetMetricData\""
	 ",\"cloudwatch:ListMetrics\",\"ec2:DescribeSecurityGroups\",\"ec2:DescribeSubnets\",\"ec2:DescribeVpcs\""
	 ",\"kms:ListAliases\",\"iam:GetPolicy\",\"iam:GetPolicyVersion\",\"iam:GetRole\",\"iam:GetRolePolicy\""
	 ",\"iam:ListAttachedRolePolicies\",\"iam:ListRolePolicies\",\"iam:ListRoles\",\"logs:DescribeLogGroups\",\"lambda:Get*\""
	 ",\"lambda:List*\",\"states:DescribeStateMachine\",\"states:ListStateMachines\",\"tag:GetResources\""
	 ",\"xray:GetTraceSummaries\",\"xray:BatchGetTraces\"],\"Resource\":\"*\"},{\"Effect\":\"Allow\""
	 ",\"Action\":[\"logs:DescribeLogStreams\",\"logs:GetLogEvents\",\"logs:FilterLogEvents\",\"logs:StartLiveTail\""
	 ",\"logs:StopLiveTail\"],\"Resource\":\"arn:aws:logs:*:*:log-group:/aws/lambda/*\"}]}"},
	{"AWSStepFunctionsFullAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"states:*\",\"Resource\":\"*\"}]}"},
	{"AWSXRayDaemonWriteAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"xray:PutTraceSegments\""
	 ",\"xray:PutTelemetryRecords\",\"xray:GetSamplingRules\",\"xray:GetSamplingTargets\""
	 ",\"xray:GetSamplingStatisticSummaries\"],\"Resource\":[\"*\"]}]}"},
	{"AWSXrayWriteOnlyAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"xray:PutTraceSegments\""
	 ",\"xray:PutTelemetryRecords\",\"xray:GetSamplingRules\",\"xray:GetSamplingTargets\""
	 ",\"xray:GetSamplingStatisticSummaries\"],\"Resource\":[\"*\"]}]}"},
	{"AdministratorAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}"},
	{"AmazonAPIGatewayInvokeFullAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"execute-api:Invoke\""
	 ",\"execute-api:ManageConnections\"],\"Resource\":\"arn:aws:execute-api:*:*:*\"}]}"},
	{"AmazonDynamoDBFullAccess", "/", true,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"dynamodb:*\",\"dax:*\"],\"Resource\":\"*\"}]}"},
	{"AmazonDynamoDBReadOnlyAccess", "/", true,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"dynamodb:BatchGetItem\",\"dynamodb:Describe*\""
	 ",\"dynamodb:List*\",\"dynamodb:GetItem\",\"dynamodb:GetResourcePolicy\",\"dynamodb:Query\",\"dynamodb:Scan\""
	 ",\"dynamodb:PartiQLSelect\"],\"Resource\":\"*\"}]}"},
	{"AmazonEventBridgeFullAccess", "/", true,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"events:*\",\"schemas:*\",\"scheduler:*\""
	 ",\"pipes:*\"],\"Resource\":\"*\"}]}"},
	{"AmazonKinesisFullAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"kinesis:*\",\"Resource\":\"*\"}]}"},
	{"AmazonS3FullAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:*\""
	 ",\"s3-object-lambda:*\"],\"Resource\":\"*\"}]}"},
	{"AmazonS3ReadOnlyAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:Get*\",\"s3:List*\",\"s3:Describe*\""
	 ",\"s3-object-lambda:Get*\",\"s3-object-lambda:List*\"],\"Resource\":\"*\"}]}"},
	{"AmazonSNSFullAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"sns:*\"],\"Resource\":\"*\"}]}"},
	{"AmazonSQSFullAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"sqs:*\"],\"Resource\":\"*\"}]}"},
	{"AmazonSQSReadOnlyAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"sqs:GetQueueAttributes\",\"sqs:GetQueueUrl\""
	 ",\"sqs:ListDeadLetterSourceQueues\",\"sqs:ListQueues\",\"sqs:ListMessageMoveTasks\""
	 ",\"sqs:ListQueueTags\"],\"Resource\":\"*\"}]}"},
	{"AmazonSSMReadOnlyAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"ssm:Describe*\",\"ssm:Get*\""
	 ",\"ssm:List*\"],\"Resource\":\"*\"}]}"},
	{"CloudWatchFullAccess", "/", true,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"autoscaling:Describe*\",\"cloudwatch:*\""
	 ",\"logs:*\",\"sns:*\",\"iam:GetPolicy\",\"iam:GetPolicyVersion\",\"iam:GetRole\",\"oam:ListSinks\"],\"Resource\":\"*\"}]}"},
	{"CloudWatchLambdaInsightsExecutionRolePolicy", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"logs:CreateLogGroup\""
	 ",\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":[\"logs:CreateLogStream\""
	 ",\"logs:PutLogEvents\"],\"Resource\":\"arn:aws:logs:*:*:log-group:/aws/lambda-insights:*\"}]}"},
	{"CloudWatchLogsFullAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"logs:*\",\"cloudwatch:GenerateQuery\""
	 ",\"cloudwatch:GenerateQueryResultsSummary\"],\"Resource\":\"*\"}]}"},
	{"CloudWatchLogsReadOnlyAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"logs:Describe*\",\"logs:Get*\",\"logs:List*\""
	 ",\"logs:StartQuery\",\"logs:StopQuery\",\"logs:TestMetricFilter\",\"logs:FilterLogEvents\",\"logs:StartLiveTail\""
	 ",\"logs:StopLiveTail\",\"cloudwatch:GenerateQuery\"],\"Resource\":\"*\"}]}"},
	{"IAMFullAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"iam:*\",\"organizations:DescribeAccount\""
	 ",\"organizations:DescribeOrganization\",\"organizations:DescribeOrganizationalUnit\""
	 ",\"organizations:DescribePolicy\",\"organizations:ListChildren\",\"organizations:ListParents\""
	 ",\"organizations:ListPoliciesForTarget\",\"organizations:ListRoots\",\"organizations:ListPolicies\""
	 ",\"organizations:ListTargetsForPolicy\"],\"Resource\":\"*\"}]}"},
	{"IAMReadOnlyAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"iam:GenerateCredentialReport\""
	 ",\"iam:GenerateServiceLastAccessedDetails\",\"iam:Get*\",\"iam:List*\",\"iam:SimulateCustomPolicy\""
	 ",\"iam:SimulatePrincipalPolicy\"],\"Resource\":\"*\"}]}"},
	{"PowerUserAccess", "/", false,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"NotAction\":[\"iam:*\",\"organizations:*\""
	 ",\"account:*\"],\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":[\"account:GetAccountInformation\""
	 ",\"account:GetPrimaryEmail\",\"account:ListRegions\",\"iam:CreateServiceLinkedRole\",\"iam:DeleteServiceLinkedRole\""
	 ",\"iam:ListRoles\",\"organizations:DescribeEffectivePolicy\""
	 ",\"organizations:DescribeOrganization\"],\"Resource\":\"*\"}]}"},
	{"ReadOnlyAccess", "/", true,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"cloudformation:Describe*\""
	 ",\"cloudformation:Get*\",\"cloudformation:List*\",\"cloudwatch:Describe*\",\"cloudwatch:Get*\",\"cloudwatch:List*\""
	 ",\"dynamodb:BatchGet*\",\"dynamodb:Describe*\",\"dynamodb:Get*\",\"dynamodb:List*\",\"dynamodb:Query\",\"dynamodb:Scan\""
	 ",\"events:Describe*\",\"events:List*\",\"events:Test*\",\"iam:Generate*\",\"iam:Get*\",\"iam:List*\",\"iam:Simulate*\""
	 ",\"kinesis:Describe*\",\"kinesis:Get*\",\"kinesis:List*\",\"lambda:Get*\",\"lambda:List*\",\"logs:Describe*\""
	 ",\"logs:FilterLogEvents\",\"logs:Get*\",\"logs:ListTagsForResource\",\"logs:ListLogGroups\",\"logs:StartLiveTail\""
	 ",\"logs:StartQuery\",\"logs:StopLiveTail\",\"logs:StopQuery\",\"logs:TestMetricFilter\",\"s3:Get*\",\"s3:List*\""
	 ",\"sns:Check*\",\"sns:Get*\",\"sns:List*\",\"sqs:Get*\",\"sqs:List*\",\"sqs:Receive*\",\"ssm:Describe*\",\"ssm:Get*\""
	 ",\"ssm:List*\",\"states:Describe*\",\"states:GetExecutionHistory\",\"states:List*\",\"sts:GetAccessKeyInfo\""
	 ",\"sts:GetCallerIdentity\",\"sts:GetSessionToken\",\"tag:Get*\",\"xray:BatchGet*\",\"xray:Get*\"],\"Resource\":\"*\"}]}"},
	{"SecretsManagerReadWrite", "/", true,
	 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"secretsmanager:*\",\"kms:DescribeKey\""
	 ",\"kms:ListAliases\",\"kms:ListKeys\",\"tag:GetResources\"],\"Resource\":\"*\"}]}"},
};
#define N (sizeof(policies) / sizeof(policies[0]))

static struct fn_iam_document *compiled[N];

size_t fn_iam_managed_all(const struct fn_iam_managed **ret)
{
	*ret = policies;
	return N;
}

void fn_iam_managed_arn(const struct fn_iam_managed *m, char *out, size_t size) { snprintf(out, size, PREFIX "%s%s", m->path, m->name); }

const struct fn_iam_managed *fn_iam_managed(const char *arn)
{
	size_t n = strlen(PREFIX);

	for (size_t i = 0; arn && strncmp(arn, PREFIX, n) == 0 && i < N; i++)
		if (fn_str_starts(arn + n, policies[i].path) && strcmp(arn + n + strlen(policies[i].path), policies[i].name) == 0)
			return &policies[i];
	return NULL;
}

const struct fn_iam_document *fn_iam_managed_document(const char *arn)
{
	const struct fn_iam_managed *m = fn_iam_managed(arn);
	fn_auto_buf struct fn_buf why = {0};

	if (!m)
		return NULL;
	if (!compiled[m - policies] && fn_iam_document_parse(m->document, FN_IAM_IDENTITY, &compiled[m - policies], &why) < 0)
		return fn_iam_nothing();
	return compiled[m - policies];
}
