#include "model/arn.h"

#include <errno.h>
#include <string.h>

#include "unit/main.h"

static void good(const char *text, const char *region, const char *account, const char *name, const char *qualifier)
{
	struct fn_name n;

	ck_assert_msg(fn_name_parse(text, &n) == 0, "%s", text);
	ck_assert_str_eq(n.region, region);
	ck_assert_str_eq(n.account, account);
	ck_assert_str_eq(n.name, name);
	ck_assert_str_eq(n.qualifier, qualifier);
}

START_TEST(every_form)
{
	good("f", "", "", "f", "");
	good("my-fn_2", "", "", "my-fn_2", "");
	good("f:$LATEST", "", "", "f", "$LATEST");
	good("f:prod", "", "", "f", "prod");
	good("function:f", "", "", "f", "");
	good("function:f:7", "", "", "f", "7");
	good("123456789012:function:f", "", "123456789012", "f", "");
	good("123456789012:function:f:x", "", "123456789012", "f", "x");
	good("arn:aws:lambda:us-east-1:123456789012:function:f", "us-east-1", "123456789012", "f", "");
	good("123456789012:f", "", "123456789012", "f", "");
	good("us-east-1:123456789012:function:f:x", "us-east-1", "123456789012", "f", "x");
	good("us-east-1:f", "us-east-1", "", "f", "");
	good("us-gov-west-1:f", "us-gov-west-1", "", "f", "");
	good("us-isob-east-1:f", "us-isob-east-1", "", "f", "");
	good("eusc-de-east-1:f", "eusc-de-east-1", "", "f", "");
	good("us-east-12:f", "", "", "us-east-12", "f");
	good("a.b", "", "", "a.b", "");
	good("arn", "", "", "arn", "");
	good("function", "", "", "function", "");
	good("function:$LATEST", "", "", "function", "$LATEST");
	good("123456789012:$LATEST", "", "", "123456789012", "$LATEST");
	good("f:$LATEST.PUBLISHED", "", "", "f", "$LATEST.PUBLISHED");
	good("arn:aws:lambda:us-east-1:123456789012:function", "us-east-1", "123456789012", "function", "");
	good("arn:aws:lambda:f", "", "", "f", "");
	good("arn::lambda:f:live", "", "", "f", "live");
	good("arn:aws-cn:lambda:cn-north-1:123456789012:function:f:$LATEST", "cn-north-1", "123456789012", "f", "$LATEST");
}
END_TEST

START_TEST(refused)
{
	static const char *const bad[] = {"", ":", "f:", ":f", "a b", "f::x", "f:a.b", "f:$latest", "arn:aws:lambda:invalid-region:123456789012:function:f", "arn:aws:lambda:us-east-1:123456789012:function:",
					  "arn:aws1:lambda:us-east-1:123456789012:function:f", "arn:aws:s3:us-east-1:123456789012:function:f", "arn:aws:lambda:us-east-1:12345:function:f", "123:function:f", "f:a:b:c",
					  "arn:aws:lambda:us-east-1:123456789012:function:f:a:b", "f/g", "f:a b", "\xc3\xa4"};
	struct fn_name n;
	char longest[200];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(fn_name_parse(bad[i], &n) == -EINVAL, "%s", bad[i]);
	memset(longest, 'a', sizeof(longest));
	longest[FN_NAME_MAX + 1] = '\0';
	ck_assert_int_eq(fn_name_parse(longest, &n), -EINVAL);
	longest[FN_NAME_MAX] = '\0';
	ck_assert_int_eq(fn_name_parse(longest, &n), 0);
}
END_TEST

START_TEST(arns)
{
	char arn[200];

	fn_arn_format(arn, sizeof(arn), "r", "1", "f", NULL);
	ck_assert_str_eq(arn, "arn:aws:lambda:r:1:function:f");
	fn_arn_format(arn, sizeof(arn), "r", "1", "f", "$LATEST");
	ck_assert_str_eq(arn, "arn:aws:lambda:r:1:function:f:$LATEST");
	ck_assert(fn_arn_of("arn:aws:sqs:r:1:q", "sqs") && fn_arn_of("arn:aws-cn:sqs:r:1:q", "sqs"));
	ck_assert(fn_arn_at("arn:aws:sqs:r:1:q", "sqs", "r", "1") && !fn_arn_at("arn:aws:sns:r:1:q", "sqs", "r", "1"));
	ck_assert(!fn_arn_at("arn:aws:sqs:r:12:q", "sqs", "r", "1") && !fn_arn_at("arn:aws:sqs:rr:1:q", "sqs", "r", "1") && !fn_arn_at("", "sqs", "r", "1"));
	ck_assert(!fn_arn_of("arn:aws:sqs:r:1:q", "sq") && !fn_arn_of("arn:aws:lambda:r:1:function:a:sqs:b", "sqs") && !fn_arn_of("urn:aws:sqs:", "sqs") && !fn_arn_of("arn:aws:sqs", "sqs") && !fn_arn_of("", "sqs"));
	ck_assert(fn_qualifier_valid("$LATEST") && fn_qualifier_valid("a-b_1") && fn_qualifier_valid("$latest") && fn_qualifier_valid("$LATEST.PUBLISHED") && !fn_qualifier_valid("a.b") && !fn_qualifier_valid(""));
}
END_TEST

START_TEST(regions)
{
	static const char *const good[] = {"us-east-1", "eu-central-2", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "eusc-de-east-1", "cn-north-1"};
	static const char *const bad[] = {"", "local", "us-east", "us-east-1\n", "us-east-10", "US-EAST-1", "eu west 1", "eu--1", "us-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(fn_region_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!fn_region_valid(bad[i]), "%s", bad[i]);
}
END_TEST

TEST_MAIN("model/arn", every_form, refused, arns, regions)
