/* What a request is: whose URL, from whom, and the event that it becomes. */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "gateway/event.h"
#include "gateway/proxies.h"
#include "gateway/target.h"
#include "gateway/tls.h"
#include "unit/main.h"

#define ID "abcdefghijklmnopqrstuvwxyz012345"

static const struct fn_gw_names names = {"eu-west-1", "example.org:8443"};

static void ck_target(const char *host, const char *uri, const char *path, const char *query)
{
	struct fn_gw_target t = {0};
	bool found = fn_gw_target(&names, host, uri, &t);

	ck_assert_msg(found == (path != NULL), "%s %s", host, uri);
	if (!path)
		return;
	ck_assert_str_eq(t.id, ID);
	ck_assert_str_eq(t.host, ID ".lambda-url.eu-west-1.example.org");
	ck_assert_uint_eq(t.path_len, strlen(path));
	ck_assert_int_eq(strncmp(t.path, path, t.path_len), 0);
	ck_assert_str_eq(t.query, query);
}

START_TEST(whose_url)
{
	char alone[] = "http://"; /* nothing is read behind it */

	ck_assert(fn_gw_same_host("/http://other/", ID ".x") && fn_gw_same_host("HTTPS://Host:1/p", "host:1"));
	ck_assert(!fn_gw_same_host("http://host/", "host.") && !fn_gw_same_host("http://host/", NULL) && !fn_gw_same_host(alone, "host"));
	ck_target("other", alone, NULL, NULL);
	ck_target(ID ".lambda-url.eu-west-1.example.org", "/", "/", "");
	ck_target(ID ".lambda-url.eu-west-1.example.org:8443", "/a?b", "/a", "b");
	ck_target(ID ".LAMBDA-URL.eu-west-1.Example.ORG.:1", "/a?", "/a", "");
	ck_target("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345.lambda-url.eu-west-1.example.org", "/%00?x=%zz", "/%00", "x=%zz");
	ck_target(ID ".lambda-url.eu-west-1.example.org", "http://elsewhere/p?q", "/p", "q");
	ck_target(ID ".lambda-url.eu-west-1.example.org", "http://elsewhere", NULL, NULL);
	ck_target(ID ".lambda-url.eu-west-1.example.org", "*", NULL, NULL);
	ck_target(ID ".lambda-url.us-east-1.example.org", "/", NULL, NULL);
	ck_target(ID ".lambda-url.eu-west-1.example.com", "/", NULL, NULL);
	ck_target("x" ID ".lambda-url.eu-west-1.example.org", "/", NULL, NULL);
	ck_target("abc.lambda-url.eu-west-1.example.org", "/", NULL, NULL);
	ck_target(NULL, "/", NULL, NULL);
	ck_target("127.0.0.1:3002", "/_fnd/url/" ID "/p/q?r", "/p/q", "r");
	ck_target("127.0.0.1", "/_fnd/url/" ID, "", "");
	ck_target(NULL, "/_fnd/url/" ID "?r", "", "r");
	ck_target("127.0.0.1", "/_fnd/url/" ID "x/p", NULL, NULL);
	ck_target("127.0.0.1", "/_fnd/url/short/p", NULL, NULL);
}
END_TEST

static json_t *event_of(struct fn_gw_request *r)
{
	struct fn_buf b = {0};
	json_error_t e;
	json_t *o;

	r->method = r->method ? r->method : "GET";
	r->protocol = "HTTP/1.1";
	r->id = ID;
	r->host = ID ".lambda-url.eu-west-1.example.org";
	r->request_id = "11111111-2222-3333-4444-555555555555";
	r->source = r->forwarded_for = "192.0.2.1";
	r->forwarded_port = "443";
	r->forwarded_proto = "https";
	r->trace_id = "Root=1-1-1";
	r->time_us = 1681837307000123;
	if (!r->path)
		r->path = "/";
	r->path_len = strlen(r->path);
	if (!r->query)
		r->query = "";
	ck_assert_int_eq(fn_gw_event(r, &b), 0);
	o = json_loadb(b.data, b.len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &e);
	ck_assert_msg(o != NULL, "%s: %s", e.text, b.data);
	fn_buf_free(&b);
	return o;
}

static const char *text(json_t *o, const char *a, const char *b)
{
	json_t *v = json_object_get(o, a);

	return json_string_value(b ? json_object_get(v, b) : v);
}

START_TEST(paths_and_queries_as_sent)
{
	struct fn_gw_request r = {.path = "/pa2%Fth/1", .query = "a=1&a=2&=x&b=c+d%20e&e=&f&&%00=%ff"};
	json_t *o = event_of(&r), *q = json_object_get(o, "queryStringParameters");

	ck_assert_str_eq(text(o, "rawPath", NULL), "/pa2%Fth/1");
	ck_assert_str_eq(text(o, "rawQueryString", NULL), r.query);
	ck_assert_str_eq(json_string_value(json_object_get(q, "a")), "1,2");
	ck_assert_str_eq(json_string_value(json_object_get(q, "")), "x");
	ck_assert_str_eq(json_string_value(json_object_get(q, "b")), "c d e");
	ck_assert_str_eq(json_string_value(json_object_get(q, "e")), "");
	ck_assert_str_eq(json_string_value(json_object_get(q, "f")), "");
	json_decref(o);
	r = (struct fn_gw_request){.path = "/a%20b/%C3%A9+"};
	o = event_of(&r);
	ck_assert_str_eq(text(o, "rawPath", NULL), "/a%20b/%C3%A9+");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(json_object_get(o, "requestContext"), "http"), "path")), "/a b/\xc3\xa9+");
	ck_assert_ptr_null(json_object_get(o, "queryStringParameters"));
	ck_assert_ptr_null(json_object_get(o, "cookies"));
	ck_assert_ptr_null(json_object_get(o, "body"));
	ck_assert_str_eq(text(o, "requestContext", "time"), "18/Apr/2023:17:01:47 +0000");
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(o, "requestContext"), "timeEpoch")), 1681837307000);
	ck_assert_str_eq(text(o, "requestContext", "accountId"), "anonymous");
	json_decref(o);
}
END_TEST

START_TEST(fields)
{
	const struct fn_gw_field f[] = {{"X-A", "1"}, {"x-a", "2"}, {"Cookie", "a=1; b=2"}, {"cookie", ";c=3;"}, {"Connection", "close"}, {"X-Forwarded-For", "6.6.6.6"},
					{"X-Amzn-Tls-Version", "no"}, {"Bin", "\xff"}};
	struct fn_gw_request r = {.fields = f, .n_fields = 8};
	json_t *o = event_of(&r), *h = json_object_get(o, "headers"), *c = json_object_get(o, "cookies");

	ck_assert_str_eq(text(o, "headers", "x-a"), "1,2");
	ck_assert_str_eq(text(o, "headers", "bin"), "\xef\xbf\xbd");
	ck_assert_str_eq(text(o, "headers", "x-forwarded-for"), "192.0.2.1");
	ck_assert_ptr_null(json_object_get(h, "connection"));
	ck_assert_ptr_null(json_object_get(h, "x-amzn-tls-version"));
	ck_assert_uint_eq(json_array_size(c), 3);
	ck_assert_str_eq(json_string_value(json_array_get(c, 2)), "c=3");
	json_decref(o);
}
END_TEST

static void ck_body(const char *type, const char *body, const char *want, bool coded)
{
	struct fn_gw_field f = {"Content-Type", type};
	struct fn_gw_request r = {.method = "POST", .fields = &f, .n_fields = type != NULL, .body = body, .len = strlen(body)};
	json_t *o = event_of(&r);

	ck_assert_str_eq(text(o, "body", NULL), want);
	ck_assert(json_is_true(json_object_get(o, "isBase64Encoded")) == coded);
	json_decref(o);
}

START_TEST(bodies)
{
	ck_body("text/plain; charset=utf-8", "a\"\n\x01", "a\"\n\x01", false);
	ck_body("application/json", "{}", "{}", false);
	ck_body("APPLICATION/XML", "<a/>", "<a/>", false);
	ck_body("application/x-www-form-urlencoded", "a=b", "YT1i", true);
	ck_body(NULL, "ab", "YWI=", true);
	ck_body("text/plain", "\xff", "/w==", true); /* it says so, and is none */
	ck_body("image/png", "\x89PNG", "iVBORw==", true);
}
END_TEST

START_TEST(who_has_signed)
{
	struct fn_gw_request r = {.access_key = "AKID", .account = "123456789012"};
	json_t *o = event_of(&r), *iam = json_object_get(json_object_get(json_object_get(o, "requestContext"), "authorizer"), "iam");

	ck_assert_str_eq(text(o, "requestContext", "accountId"), "123456789012");
	ck_assert_str_eq(json_string_value(json_object_get(iam, "accessKey")), "AKID");
	ck_assert_str_eq(json_string_value(json_object_get(iam, "userArn")), "arn:aws:iam::123456789012:root");
	ck_assert(json_is_null(json_object_get(iam, "cognitoIdentity")));
	json_decref(o);
}
END_TEST

static const char *client(const struct fn_gw_proxies *p, const char *forwarded, const char *peer)
{
	static char out[INET6_ADDRSTRLEN];
	struct sockaddr_in a = {.sin_family = AF_INET};
	struct in6_addr from, found;

	ck_assert_int_eq(inet_pton(AF_INET, peer, &a.sin_addr), 1);
	from = fn_gw_address((struct sockaddr *)&a);
	fn_gw_proxies_client(p, forwarded, &from, &found);
	return fn_gw_address_text(&found, out);
}

START_TEST(proxies)
{
	struct fn_gw_proxies p;

	ck_assert_int_eq(fn_gw_proxies_parse("10.0.0.0/8,192.0.2.7,fd00::/8", &p), 0);
	ck_assert_uint_eq(p.n, 3);
	ck_assert_str_eq(client(&p, "198.51.100.1", "203.0.113.9"), "203.0.113.9"); /* whoever says so */
	ck_assert_str_eq(client(&p, "198.51.100.1, 10.1.1.1", "10.2.2.2"), "198.51.100.1");
	ck_assert_str_eq(client(&p, "6.6.6.6, 198.51.100.1", "192.0.2.7"), "198.51.100.1");
	ck_assert_str_eq(client(&p, "2001:db8::1 , fd00::5", "10.2.2.2"), "2001:db8::1");
	ck_assert_str_eq(client(&p, "[2001:db8::1]:77", "10.2.2.2"), "2001:db8::1");
	ck_assert_str_eq(client(&p, "nonsense", "10.2.2.2"), "10.2.2.2");
	ck_assert_str_eq(client(&p, NULL, "10.2.2.2"), "10.2.2.2");
	ck_assert_int_eq(fn_gw_proxies_parse("10.0.0.0/33", &p), -EINVAL);
	ck_assert_int_eq(fn_gw_proxies_parse("proxy.example.org", &p), -EINVAL);
	ck_assert_int_eq(fn_gw_proxies_parse(NULL, &p), 0);
	ck_assert_str_eq(client(&p, "198.51.100.1", "10.2.2.2"), "10.2.2.2");
}
END_TEST

/* A ClientHello with nothing but a name in it. */
static size_t hello(const char *name, unsigned char *to)
{
	size_t n = strlen(name), at = 0;
	const unsigned char head[] = {22, 3, 1, 0, (unsigned char)(56 + n), 1, 0, 0, (unsigned char)(52 + n), 3, 3};
	const unsigned char tail[] = {0, 0, 2, 0x13, 1, 1, 0, 0, (unsigned char)(9 + n), 0, 0, 0, (unsigned char)(5 + n), 0, (unsigned char)(3 + n), 0, 0, (unsigned char)n};

	memcpy(to, head, sizeof(head));
	at = sizeof(head);
	memset(to + at, 7, 32);
	at += 32;
	memcpy(to + at, tail, sizeof(tail));
	at += sizeof(tail);
	memcpy(to + at, name, n);
	return at + n;
}

START_TEST(names_in_client_hellos)
{
	unsigned char data[256];
	size_t n = hello("api.example.org", data);
	char name[64];

	ck_assert_int_eq(fn_gw_hello_name(data, n, name, sizeof(name)), 1);
	ck_assert_str_eq(name, "api.example.org");
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(fn_gw_hello_name(data, i, name, sizeof(name)), 0);
	ck_assert_int_eq(fn_gw_hello_name((const unsigned char *)"GET / HTTP/1.1\r\n\r\n", 18, name, sizeof(name)), -EBADMSG);
	ck_assert_int_eq(fn_gw_hello_name(data, n, name, 8), -EBADMSG);
	data[n - 15 - 4] ^= 1; /* a length inside */
	ck_assert_int_eq(fn_gw_hello_name(data, n, name, sizeof(name)), -EBADMSG);
}
END_TEST

TEST_MAIN("gateway/requests", whose_url, paths_and_queries_as_sent, fields, bodies, who_has_signed, proxies, names_in_client_hellos)
