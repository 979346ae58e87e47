/* policies.c - what it costs to judge a request by its policies: nanoseconds a check, of one policy and of three with a condition. Pure, one thread. */
#include <stdio.h>
#include <string.h>

#include "aws/evaluate.h"
#include "aws/managed.h"
#include "base/clock.h"

#define CHECKS 1000000

static const char *value(void *arg, const char *key, unsigned nth)
{
	(void)arg;
	return nth == 0 && strcmp(key, "aws:sourceip") == 0 ? "127.0.0.1" : NULL;
}

static void measure(const char *what, const struct fn_iam_document *const *list, size_t n)
{
	const struct fn_iam_principal who = {FN_IAM_SESSION, "arn:aws:sts::123456789012:assumed-role/r/s", "arn:aws:iam::123456789012:role/r", "123456789012", "AROAR"};
	const struct fn_iam_request r = {"lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:hello", &who, {value, NULL}};
	const struct fn_iam_policies p = {.identity = {list, n}};
	uint64_t from = fn_clock_mono_us();
	unsigned refused = 0;

	for (int i = 0; i < CHECKS; i++)
		refused += fn_iam_evaluate(&p, &r) != FN_IAM_ALLOWED;
	printf("%-40s %6.0f ns a check, %u refused\n", what, (double)(fn_clock_mono_us() - from) * 1000 / CHECKS, refused);
}

int main(void)
{
	static const char invoke[] = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\"],\"Resource\":\"*\"},"
				     "{\"Effect\":\"Allow\",\"Action\":\"lambda:InvokeFunction\",\"Resource\":[\"arn:aws:lambda:*:*:function:hello\",\"arn:aws:lambda:*:*:function:hello:*\"]}]}";
	static const char address[] = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"NotIpAddress\":{\"aws:SourceIp\":[\"127.0.0.0/8\","
				      "\"10.0.0.0/8\"]}}}]}";
	struct fn_iam_document *a = NULL, *b = NULL;
	struct fn_buf why = {0};

	if (fn_iam_document_parse(invoke, FN_IAM_IDENTITY, &a, &why) < 0 || fn_iam_document_parse(address, FN_IAM_IDENTITY, &b, &why) < 0)
		return 1;
	measure("one policy, two statements", (const struct fn_iam_document *[]){a}, 1);
	measure("three policies, a deny by address", (const struct fn_iam_document *[]){a, b, fn_iam_managed_document("arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess")}, 3);
	fn_iam_document_free(a);
	fn_iam_document_free(b);
	fn_buf_free(&why);
	return 0;
}
