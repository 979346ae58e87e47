/* AWS's published test suite for Signature Version 4 (aws-sig-v4-test-suite): get-vanilla, get-vanilla-query-order-key, post-vanilla. */
#include "web/sigv4.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "unit/main.h"

static const char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

static const char *header(void *arg, const char *name)
{
	(void)arg;
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

START_TEST(refusals)
{
	struct fn_sigv4 r = request();
	char out[65];

	r.signed_headers = "host;x-missing";
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, out), -EINVAL);
	r.signed_headers = "x-amz-date";
	ck_assert_int_eq(fn_sigv4_signature(&r, secret, out), -EINVAL);
}
END_TEST

TEST_MAIN("web/sigv4", published_vectors, refusals)
