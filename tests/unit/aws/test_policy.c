#include "aws/policy.h"

#include <errno.h>
#include <string.h>

#include "unit/main.h"

static json_t *parse(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);

	ck_assert_msg(o != NULL, "%s", text);
	return o;
}

static void ck_statement(const char *request, const char *want)
{
	json_t *q = parse(request), *s = fn_policy_statement(q, "arn:r");
	char *text = s ? json_dumps(s, JSON_COMPACT) : NULL;

	if (want)
		ck_assert_str_eq(text, want);
	else
		ck_assert_ptr_null(s);
	free(text);
	json_decref(s);
	json_decref(q);
}

/* As recorded from the service, member for member. */
START_TEST(statements)
{
	ck_statement("{\"StatementId\":\"s\",\"Action\":\"lambda:InvokeFunction\",\"Principal\":\"s3.amazonaws.com\",\"SourceArn\":\"arn:aws:s3:::b\",\"SourceAccount\":\"123456789012\"}",
		     "{\"Sid\":\"s\",\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"s3.amazonaws.com\"},\"Action\":\"lambda:InvokeFunction\",\"Resource\":\"arn:r\","
		     "\"Condition\":{\"StringEquals\":{\"AWS:SourceAccount\":\"123456789012\"},\"ArnLike\":{\"AWS:SourceArn\":\"arn:aws:s3:::b\"}}}");
	ck_statement("{\"StatementId\":\"s\",\"Action\":\"a\",\"Principal\":\"123456789012\"}",
		     "{\"Sid\":\"s\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::123456789012:root\"},\"Action\":\"a\",\"Resource\":\"arn:r\"}");
	ck_statement("{\"StatementId\":\"s\",\"Action\":\"a\",\"Principal\":\"*\",\"FunctionUrlAuthType\":\"NONE\"}",
		     "{\"Sid\":\"s\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"a\",\"Resource\":\"arn:r\",\"Condition\":{\"StringEquals\":{\"lambda:FunctionUrlAuthType\":\"NONE\"}}}");
	ck_statement("{\"StatementId\":\"s\",\"Action\":\"a\",\"Principal\":\"invalid.nonaws.com\"}", NULL);
}
END_TEST

#define S(ACTION, PRINCIPAL, MORE) "{\"Sid\":\"s\",\"Effect\":\"Allow\",\"Principal\":" PRINCIPAL ",\"Action\":\"" ACTION "\",\"Resource\":\"r\"" MORE "}"
#define AUTH(T) ",\"Condition\":{\"StringEquals\":{\"lambda:FunctionUrlAuthType\":\"" T "\"}}"
#define VIA ",\"Condition\":{\"Bool\":{\"lambda:InvokedViaFunctionUrl\":\"true\"}}"

static void ck_missing(const char *policy, unsigned want)
{
	json_t *s = parse(policy);

	ck_assert_msg(fn_policy_url_missing(s, "NONE") == want, "%s: %u", policy, fn_policy_url_missing(s, "NONE"));
	json_decref(s);
}

START_TEST(what_a_url_lacks)
{
	ck_assert_uint_eq(fn_policy_url_missing(NULL, "NONE"), 3);
	ck_missing("[" S("lambda:InvokeFunctionUrl", "\"*\"", AUTH("NONE")) "]", FN_POLICY_INVOKE_FUNCTION);
	ck_missing("[" S("lambda:InvokeFunctionUrl", "\"*\"", AUTH("NONE")) "," S("lambda:InvokeFunction", "\"*\"", VIA) "]", 0);
	ck_missing("[" S("lambda:InvokeFunction", "\"*\"", VIA) "]", FN_POLICY_INVOKE_URL);
	ck_missing("[" S("lambda:InvokeFunctionUrl", "\"*\"", AUTH("AWS_IAM")) "," S("lambda:InvokeFunction", "\"*\"", "") "]", FN_POLICY_INVOKE_URL);
	ck_missing("[" S("lambda:*", "{\"AWS\":\"*\"}", "") "]", 0);
	ck_missing("[" S("lambda:*", "{\"AWS\":\"arn:aws:iam::123456789012:root\"}", "") "]", 3);
	ck_missing("[" S("*", "\"*\"", ",\"Condition\":{\"StringEquals\":{\"AWS:SourceAccount\":\"1\"}}") "]", 3);
}
END_TEST

START_TEST(found_by_their_ids)
{
	json_t *s = parse("[{\"Sid\":\"a\"},{\"Sid\":\"b\"}]");

	ck_assert_int_eq(fn_policy_find(s, "b"), 1);
	ck_assert_int_eq(fn_policy_find(s, "c"), -ENOENT);
	ck_assert_int_eq(fn_policy_find(NULL, "c"), -ENOENT);
	json_decref(s);
}
END_TEST

TEST_MAIN("aws/policy", statements, what_a_url_lacks, found_by_their_ids)
