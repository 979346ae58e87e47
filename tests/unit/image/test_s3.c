/* What is asked of an S3 server: signatures against the examples in Amazon's documentation (S3 API Reference, "Authenticating requests: header based"). */
#include "image/s3.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "unit/main.h"

static struct fn_s3_settings settings(const char *endpoint)
{
	return (struct fn_s3_settings){.endpoint = (char *)endpoint, .region = (char *)"us-east-1", .access_key_id = (char *)"AKIAIOSFODNN7EXAMPLE",
				       .secret_access_key = (char *)"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", .timeout_s = 1};
}

START_TEST(published_signatures)
{
	static const struct {
		const char *query, *signature;
	} examples[] = {{"lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
			{"max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"}};
	struct fn_s3_settings s = settings("https://s3.amazonaws.com");
	struct fn_s3_url u = {.tls = true, .host = "examplebucket.s3.amazonaws.com", .path = "/"};

	for (size_t i = 0; i < 2; i++) {
		struct fn_buf headers = {0};

		snprintf(u.query, sizeof(u.query), "%s", examples[i].query);
		ck_assert_int_eq(fn_s3_sign(&s, &u, "20130524T000000Z", &headers), 0);
		ck_assert(strstr(headers.data, "x-amz-date: 20130524T000000Z\n"));
		ck_assert(strstr(headers.data, "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, "));
		ck_assert_ptr_nonnull(strstr(headers.data, examples[i].signature));
		fn_buf_free(&headers);
	}
}
END_TEST

START_TEST(tokens_and_none)
{
	struct fn_s3_settings s = settings("http://h");
	struct fn_s3_url u = {.host = "h", .path = "/b/k"};
	struct fn_buf headers = {0};

	s.session_token = (char *)"tok";
	ck_assert_int_eq(fn_s3_sign(&s, &u, "20130524T000000Z", &headers), 0);
	ck_assert(strstr(headers.data, "x-amz-security-token: tok\n") && strstr(headers.data, ";x-amz-security-token, "));
	fn_buf_reset(&headers);
	s.access_key_id = NULL;
	ck_assert_int_eq(fn_s3_sign(&s, &u, "20130524T000000Z", &headers), 0);
	ck_assert_uint_eq(headers.len, 0);
	fn_buf_free(&headers);
}
END_TEST

static void address(const char *endpoint, enum fn_s3_style style, const char *bucket, const char *key, const char *version, const char *expected)
{
	struct fn_s3_settings s = settings(endpoint);
	struct fn_s3_object o = {0};
	struct fn_s3_url u;
	struct fn_buf text = {0};

	s.style = style;
	snprintf(o.bucket, sizeof(o.bucket), "%s", bucket);
	snprintf(o.key, sizeof(o.key), "%s", key);
	snprintf(o.version, sizeof(o.version), "%s", version);
	if (!expected) {
		ck_assert_int_eq(fn_s3_address(&s, &o, &u), -EINVAL);
		return;
	}
	ck_assert_int_eq(fn_s3_address(&s, &o, &u), 0);
	ck_assert_int_eq(fn_s3_url_format(&u, &text), 0);
	ck_assert_str_eq(text.data, expected);
	fn_buf_free(&text);
}

START_TEST(addresses)
{
	address("http://127.0.0.1:9000", FN_S3_AUTO, "b", "a/k", "", "http://127.0.0.1:9000/b/a/k");
	address("http://127.0.0.1:9000/", FN_S3_AUTO, "b", "a/k", "v/1", "http://127.0.0.1:9000/b/a/k?versionId=v%2F1");
	address("https://s3.eu-west-1.amazonaws.com", FN_S3_AUTO, "b-1", "k", "", "https://b-1.s3.eu-west-1.amazonaws.com/k");
	address("https://s3.eu-west-1.amazonaws.com", FN_S3_AUTO, "b.1", "k", "", "https://s3.eu-west-1.amazonaws.com/b.1/k"); /* no certificate has two labels */
	address("https://s3.eu-west-1.amazonaws.com", FN_S3_AUTO, "B_1", "k", "", "https://s3.eu-west-1.amazonaws.com/B_1/k");
	address("https://s3.eu-west-1.amazonaws.com", FN_S3_PATH, "b-1", "k", "", "https://s3.eu-west-1.amazonaws.com/b-1/k");
	address("https://minio.example:443", FN_S3_VIRTUAL, "b-1", "k", "", "https://b-1.minio.example:443/k");
	address("http://[::1]:9", FN_S3_AUTO, "b", "k", "", "http://[::1]:9/b/k");
	address("http://[::1]:9", FN_S3_VIRTUAL, "b", "k", "", NULL);
	address("http://h", FN_S3_AUTO, "b", "/a b+\xc3\xbc%41?#&=~./..", "", "http://h/b//a%20b%2B%C3%BC%2541%3F%23%26%3D~./..");
	address("http://h", FN_S3_VIRTUAL, "..", "k", "", NULL);
	address("http://h", FN_S3_AUTO, "", "k", "", NULL);
	address("http://h", FN_S3_AUTO, "b", "", "", NULL);
}
END_TEST

START_TEST(endpoints)
{
	static const char *const good[] = {"http://h", "https://H.example/", "http://127.0.0.1:1", "https://[fe80::1]:65535", "HTTP://x"};
	static const char *const bad[] = {"", "h", "ftp://h", "http://", "http:///", "http://h:", "http://h:0", "http://h:65536", "http://h:8a", "http://u@h", "http://u:p@h", "http://h/p", "http://h?q", "http://h/?",
					  "http://h#f", "http://h x", "http://h\n", "http://[::1", "http://[]", "http://[::1]x", "http://a..b", "http://-h", "http://h:+1", "http://h\xc3\xbc"};
	struct fn_s3_url u;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(fn_s3_endpoint_check(good[i]) == 0, "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(fn_s3_endpoint_check(bad[i]) == -EINVAL, "%s", bad[i]);
	ck_assert_int_eq(fn_s3_url_parse("https://Ex.ample:44/p%20q?a=b?c", &u), 0);
	ck_assert(u.tls && fn_streq(u.host, "ex.ample") && fn_streq(u.port, "44") && fn_streq(u.path, "/p%20q") && fn_streq(u.query, "a=b?c"));
	ck_assert_int_eq(fn_s3_url_parse("http://h?a", &u), 0);
	ck_assert(!u.tls && fn_streq(u.path, "/") && fn_streq(u.query, "a"));
}
END_TEST

START_TEST(redirects)
{
	static const struct {
		const char *endpoint, *from, *to;
		int r;
	} cases[] = {
		{"http://h:1", "http://h:1/b/k", "http://h:2/x", 0},
		{"http://h:1", "http://h:1/b/k", "https://h/x", 0},
		{"https://h", "https://h/b/k", "http://h/x", -EXDEV},
		{"http://h", "http://h/b/k", "http://b.h/k", 0},
		{"http://h", "http://h/b/k", "http://bh/k", -EXDEV},
		{"http://h", "http://h/b/k", "http://other/k", -EXDEV},
		{"https://s3.us-east-1.amazonaws.com", "https://b.s3.us-east-1.amazonaws.com/k", "https://b.s3.eu-west-1.amazonaws.com/k", 0},
		{"https://s3.us-east-1.amazonaws.com", "https://b.s3.us-east-1.amazonaws.com/k", "https://amazonaws.com.evil.example/k", -EXDEV},
		{"http://h", "http://h/b/k", "/x?y", 0},
		{"http://h", "http://h/b/k", "//other/x", -EINVAL},
		{"http://h", "http://h/b/k", "x", -EINVAL},
		{"http://h", "http://h/b/k", "/x y", -EINVAL},
		{"http://h", "http://h/b/k", "file:///x", -EINVAL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fn_s3_settings s = settings(cases[i].endpoint);
		struct fn_s3_url from, to;

		ck_assert_int_eq(fn_s3_url_parse(cases[i].from, &from), 0);
		ck_assert_msg(fn_s3_redirect(&s, &from, cases[i].to, &to) == cases[i].r, "%s", cases[i].to);
	}
}
END_TEST

static void error(const char *xml, const char *code, const char *message)
{
	struct fn_s3_error e;

	fn_s3_error_parse(xml, strlen(xml), &e);
	ck_assert_str_eq(e.code, code);
	ck_assert_str_eq(e.message, message);
}

START_TEST(errors)
{
	struct fn_s3_error e;
	char longest[4096];

	error("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>x</Key></Error>", "NoSuchKey",
	      "The specified key does not exist.");
	error("<Error xmlns=\"u\">\n <Code> A </Code>\n <Message>\n a &lt;b&gt; &amp;amp; &#x41;&#66; &quot;&apos; &none; &#xd800; &#0; &\n</Message></Error>", "A",
	      "a <b> &amp; AB \"' &none; \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd &#0; &");
	error("<Error><Code>x<y/></Code><Message>m</Error>", "", "");
	error("<Other><Code>x</Code></Other>", "", "");
	error("", "", "");
	error("<Error><Code>", "", "");
	error("<Error><Code>a\1\r\nb</Code></Error>", "a   b", "");
	snprintf(longest, sizeof(longest), "<Error><Message>%01000d</Message></Error>", 7);
	fn_s3_error_parse(longest, strlen(longest), &e);
	ck_assert_uint_eq(strlen(e.message), sizeof(e.message) - 1);
	memset(longest, 0, sizeof(longest));
	strcpy(longest, "<Error><Code>");
	for (size_t i = 0; i < 40; i++)
		strcat(longest, "\xe2\x82\xac");
	strcat(longest, "</Code></Error>");
	fn_s3_error_parse(longest, strlen(longest), &e); /* 63 bytes are room for 21 */
	ck_assert_uint_eq(strlen(e.code), 63);
	ck_assert(fn_utf8_valid(e.code, strlen(e.code)));
}
END_TEST

START_TEST(settings_as_json)
{
	struct fn_s3_settings s = settings("https://h"), back;
	json_t *o;

	s.style = FN_S3_VIRTUAL;
	s.ca = (char *)"-----BEGIN";
	o = fn_s3_settings_json(&s);
	ck_assert_int_eq(fn_s3_settings_load(o, &back), 0);
	ck_assert(fn_streq(back.endpoint, "https://h") && fn_streq(back.secret_access_key, s.secret_access_key) && !back.session_token && fn_streq(back.ca, s.ca));
	ck_assert(back.style == FN_S3_VIRTUAL && back.timeout_s == 1);
	fn_s3_settings_clear(&back);
	json_object_del(o, "secret_access_key");
	ck_assert_int_eq(fn_s3_settings_load(o, &back), -EINVAL);
	json_decref(o);
	ck_assert_int_eq(fn_s3_settings_load(NULL, &back), -EINVAL);
}
END_TEST

TEST_MAIN("image/s3", published_signatures, tokens_and_none, addresses, endpoints, redirects, errors, settings_as_json)
