#include "model/layer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/function.h"
#include "unit/main.h"

#define ACCOUNT "123456789012"
#define ARN "arn:aws:lambda:us-east-1:" ACCOUNT ":layer:a-b_1"

START_TEST(names)
{
	static const char *const bad[] = {"", "a b", "a.b", "a:1", "arn:aws:lambda:us-east-1:123456789012:layer", "arn:aws:lambda:us-east-1:123456789012:layer:", "arn:aws:lambda:us-east-1:1:layer:a",
					  "arn:aws:lambda:us-east-1:123456789012:function:a", "arn:aws:s3:us-east-1:123456789012:layer:a", "arn:aws:lambda::123456789012:layer:a", ARN ":x", ARN ":1:2",
					  "arn:aws:lambda:::awslayer:AmazonLinux1803", "arn:aws:lambda:a-region-that-is-longer-than-any-of-them-is:123456789012:layer:a"};
	char longest[FN_LAYER_NAME_MAX + 2];
	struct fn_layer_name n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(fn_layer_name_parse(bad[i], &n) == -EINVAL, "%s", bad[i]);
	memset(longest, 'a', sizeof(longest));
	longest[FN_LAYER_NAME_MAX + 1] = '\0';
	ck_assert_int_eq(fn_layer_name_parse(longest, &n), -EINVAL);
	longest[FN_LAYER_NAME_MAX] = '\0';
	ck_assert_int_eq(fn_layer_name_parse(longest, &n), 0);
	ck_assert_str_eq(n.name, longest);
	ck_assert_int_eq(fn_layer_name_parse("a-b_1", &n), 0);
	ck_assert(fn_layer_name_key(&n, "us-east-1", ACCOUNT));
	ck_assert_str_eq(n.key, "a-b_1");
	ck_assert_int_eq(n.version, 0);
}
END_TEST

START_TEST(whose_it_is)
{
	char arn[FN_LAYER_ARN_SIZE];
	struct fn_layer_name n;

	ck_assert_int_eq(fn_layer_name_parse(ARN ":7", &n), 0);
	ck_assert_int_eq(n.version, 7);
	ck_assert(fn_layer_name_key(&n, "us-east-1", ACCOUNT)); /* our own, however it is called */
	ck_assert_str_eq(n.key, "a-b_1");
	fn_layer_arn(arn, sizeof(arn), "us-east-1", ACCOUNT, n.key, 7);
	ck_assert_str_eq(arn, ARN ":7");
	fn_layer_arn(arn, sizeof(arn), "us-east-1", ACCOUNT, n.key, 0);
	ck_assert_str_eq(arn, ARN);
	for (int i = 0; i < 2; i++) { /* of another account, or region */
		ck_assert_int_eq(fn_layer_name_parse(ARN ":7", &n), 0);
		ck_assert(!fn_layer_name_key(&n, i ? "us-east-1" : "eu-west-1", i ? "000000000000" : ACCOUNT));
		ck_assert_str_eq(n.key, ARN);
		ck_assert(fn_layer_is_foreign(n.key) && !fn_layer_is_foreign("a-b_1"));
		fn_layer_arn(arn, sizeof(arn), "eu-west-1", "000000000000", n.key, 7);
		ck_assert_str_eq(arn, ARN ":7");
	}
}
END_TEST

static char **strings(const char *a, const char *b)
{
	char **v = calloc(3, sizeof(*v));

	v[0] = strdup(a);
	v[1] = b ? strdup(b) : NULL;
	return v;
}

START_TEST(versions)
{
	struct fn_layer_version *v = fn_layer_version_new(), *c;

	v->layer = strdup("l");
	v->description = strdup("");
	ck_assert(fn_layer_version_fits(v, NULL, NULL) && !fn_layer_version_fits(v, "python3.11", NULL) && !fn_layer_version_fits(v, NULL, "arm64"));
	v->runtimes = strings("python3.11", "nodejs22.x");
	v->architectures = strings("arm64", NULL);
	ck_assert(fn_layer_version_fits(v, "nodejs22.x", "arm64") && !fn_layer_version_fits(v, "nodejs22.x", "x86_64") && !fn_layer_version_fits(v, "nodejs22", NULL));
	ck_assert_int_eq(fn_layer_version_permit(v, "a", "*", NULL) | fn_layer_version_permit(v, "b", ACCOUNT, "o-1"), 0);
	c = fn_layer_version_clone(v);
	fn_layer_version_forbid(v, 0);
	ck_assert_uint_eq(fn_layer_version_statement(v, "a"), SIZE_MAX);
	ck_assert_uint_eq(fn_layer_version_statement(v, "b"), 0);
	ck_assert_str_eq(v->statements[0].organization, "o-1");
	fn_layer_version_unref(v);
	ck_assert_uint_eq(c->n_statements, 2); /* a copy has its own */
	ck_assert_str_eq(c->statements[0].sid, "a");
	ck_assert_str_eq(c->runtimes[1], "nodejs22.x");
	ck_assert_ptr_null(c->license);
	fn_layer_version_unref(fn_layer_version_ref(c));
	fn_layer_version_unref(c);
}
END_TEST

START_TEST(of_a_function)
{
	struct fn_function_layer two[] = {{.arn = (char *)ARN ":1", .sha256 = "aa", .code_size = 1, .unpacked_size = 10}, {.arn = (char *)ARN "x:1", .sha256 = "bb", .unpacked_size = 100}};
	struct fn_function *f = fn_function_new(), *c;

	strcpy(f->code_sha256, "cc");
	f->unpacked_size = 1000;
	ck_assert_int_eq(fn_function_set_layers(f, two, 2), 0);
	ck_assert_int_eq(fn_function_unpacked(f), 1110);
	ck_assert(fn_function_needs(f, "aa") && fn_function_needs(f, "bb") && fn_function_needs(f, "cc") && !fn_function_needs(f, "dd"));
	c = fn_function_clone(f);
	ck_assert(fn_function_unchanged(f, c));
	fn_function_set_layers(f, (struct fn_function_layer[]){two[1], two[0]}, 2); /* another order is another function */
	ck_assert(!fn_function_unchanged(f, c));
	fn_function_set_layers(f, two, 1);
	ck_assert(!fn_function_unchanged(f, c));
	fn_function_set_layers(f, NULL, 0);
	ck_assert_ptr_null(f->layers);
	ck_assert_str_eq(c->layers[1].arn, ARN "x:1");
	fn_function_unref(f);
	fn_function_unref(c);
}
END_TEST

TEST_MAIN("model/layer", names, whose_it_is, versions, of_a_function)
