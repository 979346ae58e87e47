/* AWS's published test suite for Signature Version 4 (aws-sig-v4-test-suite): get-vanilla, get-vanilla-query-order-key, post-vanilla. */
#include "aws/sigv4.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "unit/main.h"

static const char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

static const char *header(void *arg, const char *name, unsigned nth)
{
	static const char *const values[] = {" first \t value ", "second", "a   b\tc"};

	(void)arg;
	if (fn_streq(name, "my-header1"))
		return nth < 3 ? values[nth] : NULL;
	if (nth > 0)
		return NULL;
	return fn_streq(name, "host") ? "example.amazonaws.com" : fn_streq(name, "x-amz-date") ? "20150830T123600Z" : NULL;
}

static struct fn_sigv4 request(void)
{
	static char empty[65];

	fn_sigv4_sha256("", 0, empty);
	return (struct fn_sigv4){.method = "GET", .path = "/", .query = "", .signed_headers = "host;x-amz-date", .payload_sha256 = empty, .amz_date = "20150830T123600Z",
				 .region = "us-east-1", .service = "service", .encode_path = true, .header = header};
}

START_TEST(published_vectors)
{
	struct fn_sigv4 r = request();
	char out[65];

	ck_assert_int_eq(fn_sigv4_signature(&r, secret, out), 0);
	ck_assert_str_eq(out, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
	r.query = "Param2=value2&Param1=value1";
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, out), 0);
	ck_assert_str_eq(out, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
	r = request();
	r.method = "POST";
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, out), 0);
	ck_assert_str_eq(out, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}
END_TEST

/* The suite's get-slash, get-slashes, get-relative and others of normalize-path: both sides sign the path without what means nothing in it. */
START_TEST(paths)
{
	static const char *const same[][2] = {{"//", "/"}, {"/./", "/"}, {"/example/..", "/"}, {"/example1/example2/../..", "/"}, {"//example//", "/example/"}, {"/./example", "/example"},
					      {"/a//b", "/a/b"}, {"/a/../../b/.", "/b"}, {"/a/b/..", "/a"}, {"/a/...", "/a/..."}, {"/a/b/../c/", "/a/c/"}, {"", "/"}};
	struct fn_sigv4 r = request();
	char out[65], plain[65];

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		r.path = same[i][0];
		ck_assert_int_eq(fn_sigv4_signature(&r, secret, out), 0);
		r.path = same[i][1];
		ck_assert_int_eq(fn_sigv4_signature(&r, secret, plain), 0);
		ck_assert_msg(strcmp(out, plain) == 0, "%s is not %s", same[i][0], same[i][1]);
	}
	r.path = "//example//";
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, out), 0);
	ck_assert_str_eq(out, "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84");
	r.encode_path = false; /* S3's, where each is another object */
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, plain), 0);
	ck_assert_str_ne(out, plain);
}
END_TEST

START_TEST(refusals)
{
	struct fn_sigv4 r = request();
	char out[65];

	r.signed_headers = "host;x-missing";
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, out), -EINVAL);
	r.signed_headers = "host;x-amz-date;Host";
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, out), -EINVAL);
	r.signed_headers = "x-amz-date";
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, out), -EINVAL);
}
END_TEST

static void equal(const char *a, const char *b, bool encode)
{
	struct fn_sigv4 r = request();
	char one[65], other[65];

	r.query = a;
	r.encode_query = encode;
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, one), 0);
	r.query = b;
	r.encode_query = false;
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, other), 0);
	ck_assert_msg(strcmp(one, other) == 0, "%s and %s", a, b);
}

static void differ(const char *a, const char *b)
{
	struct fn_sigv4 r = request();
	char one[65], other[65];

	r.encode_query = true;
	r.query = a;
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, one), 0);
	r.query = b;
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, other), 0);
	ck_assert_msg(strcmp(one, other) != 0, "%s and %s", a, b);
}

/* What it is sorted by shows in that the order of sending does not matter, and in AWS's vectors (get-vanilla-query-order-*). */
START_TEST(queries)
{
	struct fn_sigv4 r = request();
	char canonical_order[65], out[65];

	equal("a-b=2&a=1", "a=1&a-b=2", false);
	equal("b=2&b=1&a", "a=&b=1&b=2", false);
	equal("Qualifier=$LATEST", "Qualifier=%24LATEST", true);
	equal("x=%3a%7e%41&&y", "x=%3A~A&y=", true);
	equal("x=a+b", "x=a+b", true);
	equal("x=%2&y=%zz", "x=%252&y=%25zz", true);
	differ("a=1", "a=2");
	differ("a=1&a=2", "a=1");
	differ("a=%31%26b=2", "a=1&b=2");
	/* by name, then value: sorted as "k=v" texts, a-b=2 would come first */
	r.query = "a=1&a-b=2";
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, canonical_order), 0);
	ck_assert_str_eq(canonical_order, "321dff75bd2a219c1b95fc5dbc497343614dbe8f73319c9d9c415bca43078ce2");
	r = request();
	r.signed_headers = "host;my-header1;x-amz-date"; /* three of them: "first value,second,a b c" */
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, out), 0);
	ck_assert_str_eq(out, "8298d43335fab6c0f16a2b6dacacef942de23117f49326039711fd646d1d3b2a");
	ck_assert(fn_sigv4_signs("host;x-amz-date", "X-Amz-Date") && fn_sigv4_signs("host;x-amz-date", "Host") && !fn_sigv4_signs("host;x-amz-date", "x-amz") &&
		  !fn_sigv4_signs("host;x-amz-date", "date") && !fn_sigv4_signs("", "host") && !fn_sigv4_signs("host", ""));
}
END_TEST

TEST_MAIN("aws/sigv4", published_vectors, paths, queries, refusals)
