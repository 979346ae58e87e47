/* fuzz_policy.c - a policy document of any kind, and what it says of requests; a pattern of its first line against the second. */
#include <stdlib.h>
#include <string.h>

#include "aws/evaluate.h"
#include "aws/glob.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "fuzz/fuzz.h"

static const char *value_of(void *arg, const char *key, unsigned nth)
{
	(void)key;
	return nth < 2 ? arg : NULL;
}

static void say(const struct fn_iam_document *d, const char *value)
{
	const struct fn_iam_principal who = {FN_IAM_SESSION, "arn:aws:sts::123456789012:assumed-role/r/s", "arn:aws:iam::123456789012:role/r", "123456789012", "AROAR"}, nobody = {.type = FN_IAM_ANONYMOUS, .arn = "", .of = "", .account = ""};
	const struct fn_iam_request r = {"lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:f", &who, {value_of, (void *)value}};
	struct fn_iam_request anonymous = r;
	fn_auto_buf struct fn_buf b = {0};
	enum fn_iam_says says = fn_iam_document_says(d, &r);

	anonymous.who = &nobody;
	fuzz_check(says <= FN_IAM_DENIED && says == fn_iam_document_says(d, &r));
	fuzz_check(fn_iam_document_says(d, &anonymous) != FN_IAM_ACCOUNT);
	fn_iam_explain(&b, FN_IAM_NO_IDENTITY, &r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, data + size};
	size_t len;
	char *value = fuzz_take(&in, '\n', &len), *text = fuzz_take(&in, 0, &len);

	for (enum fn_iam_kind kind = FN_IAM_IDENTITY; kind <= FN_IAM_RESOURCE; kind++) {
		fn_auto_buf struct fn_buf why = {0}, today = {0};
		struct fn_iam_document *d = NULL;
		int r = fn_iam_document_parse(text, kind, &d, &why), put = fn_iam_document_check(text, kind, &today);

		fuzz_check((r == 0) == (why.len == 0) && (r == 0) == (d != NULL));
		fuzz_check((put == 0) == (today.len == 0) && (r == 0 || put < 0)); /* what may be put can be read ever after */
		if (d)
			say(d, value);
		fn_iam_document_free(d);
	}
	fuzz_check(fn_glob_matches("*", value, false) && (strpbrk(value, "*?\1") || fn_glob_matches(value, value, false)));
	(void)fn_glob_matches(text, value, true);
	(void)fn_glob_arn_matches(text, value);
	free(value);
	free(text);
	return 0;
}
