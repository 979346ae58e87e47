/* What a function has returned, and what pages may see of it. */
#include <errno.h>
#include <string.h>

#include "gateway/cors.h"
#include "unit/main.h"

static struct fn_gw_result result(const char *payload)
{
	struct fn_gw_result r;

	ck_assert_msg(fn_gw_result(payload, strlen(payload), &r) == 0, "%s", payload);
	return r;
}

static void ck_result(const char *payload, unsigned status, const char *type, const char *body)
{
	struct fn_gw_result r = result(payload);

	ck_assert_uint_eq(r.status, status);
	ck_assert_str_eq(fn_gw_result_header(&r, "content-type"), type);
	ck_assert_str_eq(r.body.data ? r.body.data : "", body);
	fn_gw_result_free(&r);
}

START_TEST(what_is_a_response)
{
	ck_result("{\"statusCode\": 418, \"body\": \"x\"}", 418, "application/json", "x");
	ck_result("{\"statusCode\": \"418\"}", 418, "application/json", "");
	ck_result("{\"statusCode\": 200.0, \"headers\": {\"Content-Type\": \"text/html\"}, \"body\": \"<a>\"}", 200, "text/html", "<a>");
	ck_result("{\"statusCode\": 200, \"body\": {\"a\": [1, \"b c\"]}}", 200, "application/json", "{\"a\":[1,\"b c\"]}");
	ck_result("{\"statusCode\": 200, \"body\": \"aGk=\", \"isBase64Encoded\": true}", 200, "application/json", "hi");
	ck_result("{\"statusCode\": 200, \"body\": null}", 200, "application/json", "");
	ck_result("{\"\\u0073tatusCode\": 418, \"body\": \"x\"}", 418, "application/json", "x");
}
END_TEST

START_TEST(what_is_a_body)
{
	ck_result("\"hello\"", 200, "application/json", "hello");
	ck_result("[\"hello\", 3, true]", 200, "application/json", "[\"hello\",3,true]");
	ck_result("{\"hello\" : \"wor ld\\\" \", \"n\": 1.50}", 200, "application/json", "{\"hello\":\"wor ld\\\" \",\"n\":1.50}");
	ck_result("null", 200, "application/json", "null");
	ck_result(" \t\"hello\"", 200, "application/json", "hello");
	ck_result(" {\"a\\\\\" :\t\"b\\n\\\" c\" , \"d\":\r\n[ ] } ", 200, "application/json", "{\"a\\\\\":\"b\\n\\\" c\",\"d\":[]}");
	ck_result("not json", 200, "application/json", "not json");
	ck_result("", 200, "application/json", "");
	/* numbers as the function has written them, and whatever they are the status counts */
	ck_result("{\"statusCode\":200,\"body\":{\"price\" : 1.1,\"t\":19.99}}", 200, "application/json", "{\"price\":1.1,\"t\":19.99}");
	ck_result("{\"statusCode\":200,\"body\":19.99}", 200, "application/json", "19.99");
	ck_result("{\"statusCode\":200,\"b\\u006fdy\":[true]}", 200, "application/json", "[true]");
	ck_result("{\"statusCode\":404,\"body\":\"not found\",\"trace\":18446744073709551615}", 404, "application/json", "not found");
	ck_result("{\"statusCode\":200,\"body\":{\"n\":18446744073709551615}}", 200, "application/json", "{\"n\":18446744073709551615}");
	ck_result("{\"statusCode\":201,\"body\":\"a\\ud83d\"}", 201, "application/json", "a\xef\xbf\xbd");
	ck_result("{\"statusCode\": null, \"a\": 1}", 200, "application/json", "{\"statusCode\":null,\"a\":1}");
}
END_TEST

START_TEST(what_is_neither)
{
	static const char *const bad[] = {"{\"statusCode\": 0}", "{\"statusCode\": 200.5}", "{\"statusCode\": \"x\"}", "{\"statusCode\": 100}", "{\"statusCode\": 600}",
					  "{\"statusCode\": true}", "{\"statusCode\": 200, \"headers\": []}", "{\"statusCode\": 200, \"headers\": {\"a\": {}}}",
					  "{\"statusCode\": 200, \"headers\": {\"a b\": \"c\"}}", "{\"statusCode\": 200, \"headers\": {\"a\": \"b\\r\\nSet-Cookie: c\"}}",
					  "{\"statusCode\": 200, \"headers\": {\"a\": \"b\\u0000c\"}}", "{\"statusCode\": 200, \"cookies\": \"a\"}",
					  "{\"statusCode\": 200, \"cookies\": [1]}", "{\"statusCode\": 200, \"body\": \"%\", \"isBase64Encoded\": true}"};
	struct fn_gw_result r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(fn_gw_result(bad[i], strlen(bad[i]), &r) == -EBADMSG, "%s", bad[i]);
}
END_TEST

START_TEST(headers)
{
	struct fn_gw_result r = result("{\"statusCode\": 200, \"headers\": {\"A\": \"b\", \"N\": 1, \"T\": true, \"L\": [\"x\", \"y\"], \"Content-Length\": 5, \"Connection\": \"close\"},"
				       " \"cookies\": [\"a=1\", \"b=2; HttpOnly\"]}");

	ck_assert_str_eq(fn_gw_result_header(&r, "a"), "b");
	ck_assert_str_eq(fn_gw_result_header(&r, "n"), "1");
	ck_assert_str_eq(fn_gw_result_header(&r, "t"), "true");
	ck_assert_ptr_null(fn_gw_result_header(&r, "content-length"));
	ck_assert_ptr_null(fn_gw_result_header(&r, "connection"));
	ck_assert_str_eq(r.headers[3].value, "x");
	ck_assert_str_eq(r.headers[4].value, "y");
	ck_assert_str_eq(fn_gw_result_header(&r, "x-amzn-remapped-content-length"), "5");
	ck_assert_str_eq(r.headers[6].name, "x-amzn-Remapped-Connection");
	ck_assert_str_eq(r.headers[7].name, "Set-Cookie");
	ck_assert_str_eq(r.headers[8].value, "b=2; HttpOnly");
	fn_gw_result_free(&r);
}
END_TEST

START_TEST(preludes)
{
	const char *text = "{\"statusCode\":201,\"headers\":{\"Content-Type\":\"text/event-stream\"},\"cookies\":[\"a=1\"]}";
	struct fn_gw_result r;

	ck_assert_int_eq(fn_gw_prelude(text, strlen(text), "application/octet-stream", &r), 0);
	ck_assert_uint_eq(r.status, 201);
	ck_assert_uint_eq(r.n_headers, 2);
	fn_gw_result_free(&r);
	ck_assert_int_eq(fn_gw_prelude("{}", 2, "application/octet-stream", &r), 0);
	ck_assert_uint_eq(r.status, 200);
	ck_assert_str_eq(fn_gw_result_header(&r, "content-type"), "application/octet-stream");
	fn_gw_result_free(&r);
	ck_assert_int_eq(fn_gw_prelude("{\"statusCode\":202,\"n\":1e999}", 28, "x", &r), 0);
	ck_assert_uint_eq(r.status, 202);
	fn_gw_result_free(&r);
	ck_assert_int_eq(fn_gw_prelude("[]", 2, "x", &r), -EBADMSG);
	ck_assert_int_eq(fn_gw_prelude("", 0, "x", &r), -EBADMSG);
}
END_TEST

/* The headers of an answer, "name: value" by name; NULL = absent. */
static void ck_cors(const char *config, const struct fn_gw_asked *asked, const char *origin, const char *methods, const char *allowed, const char *credentials, const char *age)
{
	json_t *o = json_loads(config, 0, NULL);
	struct fn_gw_result r = {.status = 200};
	const struct {
		const char *name, *want;
	} all[] = {{"Access-Control-Allow-Origin", origin}, {"Access-Control-Allow-Methods", methods}, {"Access-Control-Allow-Headers", allowed},
		   {"Access-Control-Allow-Credentials", credentials}, {"Access-Control-Max-Age", age}};

	ck_assert_ptr_nonnull(o);
	ck_assert_int_eq(fn_gw_result_add(&r, "access-control-allow-origin", "the-function-s"), 0);
	ck_assert_int_eq(fn_gw_cors_apply(o, asked, &r), 0);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *is = fn_gw_result_header(&r, all[i].name);

		ck_assert_msg(is ? all[i].want && strcmp(is, all[i].want) == 0 : !all[i].want, "%s: %s is %s, not %s", config, all[i].name, is, all[i].want);
	}
	fn_gw_result_free(&r);
	json_decref(o);
}

START_TEST(cors)
{
	const struct fn_gw_asked asks = {"OPTIONS", "https://a.example.org", "PUT", "x-a,x-b"}, plain = {"GET", "https://a.example.org", NULL, NULL},
				 other = {"OPTIONS", "https://evil.example", "PUT", NULL}, none = {"GET", NULL, NULL, NULL};
	const char *const all = "{\"AllowOrigins\":[\"*\"],\"AllowMethods\":[\"*\"],\"AllowHeaders\":[\"*\"],\"MaxAge\":60}";
	const char *const with = "{\"AllowOrigins\":[\"*\"],\"AllowMethods\":[\"*\"],\"AllowHeaders\":[\"*\"],\"AllowCredentials\":true,\"MaxAge\":0}";
	const char *const some = "{\"AllowOrigins\":[\"http://x\",\"https://*.example.org\"],\"AllowMethods\":[\"GET\",\"PUT\"],\"AllowHeaders\":[\"x-a\"]}";

	ck_assert(fn_gw_is_preflight(&asks) && !fn_gw_is_preflight(&plain) && !fn_gw_is_preflight(&none));
	ck_cors(all, &asks, "*", "*", "*", NULL, "60");
	ck_cors(with, &asks, "https://a.example.org", "PUT", "x-a,x-b", "true", "0");
	ck_cors(some, &asks, "https://a.example.org", "GET,PUT", "x-a", NULL, NULL);
	ck_cors(some, &other, NULL, NULL, NULL, NULL, NULL);
	ck_cors(all, &plain, "*", NULL, NULL, NULL, NULL);
	ck_cors(with, &plain, "https://a.example.org", NULL, NULL, "true", NULL);
	ck_cors(all, &none, NULL, NULL, NULL, NULL, NULL);
	ck_cors("{\"AllowMethods\":[\"*\"]}", &asks, NULL, NULL, NULL, NULL, NULL);
}
END_TEST

START_TEST(cors_exposes_and_varies)
{
	json_t *o = json_loads("{\"AllowOrigins\":[\"https://a\"],\"ExposeHeaders\":[\"x\",\"y\"]}", 0, NULL);
	const struct fn_gw_asked a = {"GET", "https://a", NULL, NULL};
	struct fn_gw_result r = {.status = 200};

	ck_assert_int_eq(fn_gw_cors_apply(o, &a, &r), 0);
	ck_assert_str_eq(fn_gw_result_header(&r, "access-control-expose-headers"), "x,y");
	ck_assert_str_eq(fn_gw_result_header(&r, "vary"), "Origin");
	fn_gw_result_free(&r);
	json_decref(o);
}
END_TEST

TEST_MAIN("gateway/responses", what_is_a_response, what_is_a_body, what_is_neither, headers, preludes, cors, cors_exposes_and_varies)
