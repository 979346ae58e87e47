/* event.c - see event.h. */
#include "gateway/event.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "aws/route.h"
#include "base/id.h"
#include "base/str.h"
#include "web/json_text.h"

static int add_member(struct fn_buf *b, const char *lead, const char *text)
{
	int r = fn_buf_add_str(b, lead);

	return r == 0 ? fn_json_add_string(b, text, strlen(text)) : r;
}

/* --- names with several values, which are joined: fields, parameters of the query --- */
struct joined {
	size_t name, name_len; /* in the table's names */
	const char *value;     /* as long as it has one alone: the caller's */
	size_t value_len;
	struct fn_buf joined;
	bool set; /* it has a value */
	struct joined *next;
};

struct table {
	struct fn_buf names;
	struct joined *list;
	struct joined **buckets;
	size_t n, n_buckets;
	uint32_t seed; /* nobody is to know which names meet */
};

static int table_new(struct table *t, size_t most)
{
	*t = (struct table){.n_buckets = 16};
	while (t->n_buckets < most * 2)
		t->n_buckets *= 2;
	fn_id_random(&t->seed, sizeof(t->seed));
	t->list = calloc(most + 1, sizeof(*t->list));
	t->buckets = calloc(t->n_buckets, sizeof(struct joined *));
	return t->list && t->buckets ? fn_buf_reserve(&t->names, 32 * most) : -ENOMEM;
}

static void table_free(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		fn_buf_free(&t->list[i].joined);
	fn_buf_free(&t->names);
	free(t->list);
	free(t->buckets);
}

static const char *name_of(const struct table *t, size_t at) { return t->names.data ? t->names.data + at : ""; }

/* That of the name which is behind `at` in the names, and goes from there if it has been there before. There is room for it: `most` of them. */
static struct joined *table_at(struct table *t, size_t at)
{
	size_t len = t->names.len - at;
	const char *name = name_of(t, at);
	uint32_t hash = t->seed;
	struct joined **j;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	hash ^= hash >> 15;
	for (j = &t->buckets[hash & (t->n_buckets - 1)]; *j; j = &(*j)->next)
		if ((*j)->name_len == len && memcmp(name_of(t, (*j)->name), name, len) == 0) {
			t->names.len = at;
			return *j;
		}
	*j = &t->list[t->n++];
	(*j)->name = at;
	(*j)->name_len = len;
	return *j;
}

/* Room behind the values that it has. */
static int begin_value(struct joined *j, const char *between)
{
	int r = 0;

	if (j->value)
		r = fn_buf_add(&j->joined, j->value, j->value_len);
	if (j->set && r == 0)
		r = fn_buf_add_str(&j->joined, between);
	j->value = NULL;
	j->set = true;
	return r;
}

static int add_table(struct fn_buf *b, const struct table *t)
{
	int r = fn_buf_add(b, "{", 1);

	for (size_t i = 0; i < t->n && r == 0; i++) {
		const struct joined *j = &t->list[i];

		if (i > 0)
			r = fn_buf_add(b, ",", 1);
		if (r == 0)
			r = fn_json_add_string(b, name_of(t, j->name), j->name_len);
		if (r == 0)
			r = fn_buf_add(b, ":", 1);
		if (r == 0 && j->value)
			r = fn_json_add_string(b, j->value, j->value_len);
		else if (r == 0)
			r = fn_json_add_string(b, j->joined.len ? j->joined.data : "", j->joined.len);
	}
	return r == 0 ? fn_buf_add(b, "}", 1) : r;
}

/* --- fields --- */
const char *fn_gw_field_of(const struct fn_gw_field *fields, size_t n, const char *name, unsigned nth)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(fields[i].name, name) == 0 && nth-- == 0)
			return fields[i].value;
	return NULL;
}

/* Between neighbours on the way (RFC 9110, 7.6.1), and what is told anew. */
static bool is_left_out(const char *name)
{
	static const char *const names[] = {"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
					    "transfer-encoding", "upgrade", "expect", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto",
					    "x-amzn-trace-id", "x-amzn-tls-version", "x-amzn-tls-cipher-suite"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

static int put(struct table *t, const char *name, const char *value)
{
	size_t at = t->names.len;
	struct joined *j;
	int r = fn_buf_add_str(&t->names, name);

	if (r < 0)
		return r;
	for (size_t i = at; i < t->names.len; i++)
		t->names.data[i] = (char)tolower((unsigned char)t->names.data[i]);
	j = table_at(t, at);
	if (!j->set) {
		j->set = true;
		j->value = value;
		j->value_len = strlen(value);
		return 0;
	}
	r = begin_value(j, strcasecmp(name, "cookie") == 0 ? "; " : ",");
	return r == 0 ? fn_buf_add_str(&j->joined, value) : r;
}

static int add_headers(const struct fn_gw_request *q, struct fn_buf *b)
{
	const struct fn_gw_field own[] = {{"x-amzn-tls-cipher-suite", q->tls_cipher}, {"x-amzn-tls-version", q->tls_version}, {"x-amzn-trace-id", q->trace_id},
					  {"x-forwarded-for", q->forwarded_for}, {"x-forwarded-port", q->forwarded_port},
					  {"x-forwarded-proto", q->forwarded_proto}};
	size_t n_own = sizeof(own) / sizeof(own[0]);
	struct table t;
	int r = table_new(&t, q->n_fields + n_own);

	for (size_t i = 0; i < q->n_fields && r == 0; i++)
		if (!is_left_out(q->fields[i].name))
			r = put(&t, q->fields[i].name, q->fields[i].value);
	for (size_t i = 0; i < n_own && r == 0; i++)
		if (own[i].value)
			r = put(&t, own[i].name, own[i].value);
	if (r == 0)
		r = fn_buf_add_str(b, ",\"headers\":");
	if (r == 0)
		r = add_table(b, &t);
	table_free(&t);
	return r;
}

static int add_cookies(const struct fn_gw_request *q, struct fn_buf *b)
{
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < q->n_fields; i++) {
		if (strcasecmp(q->fields[i].name, "cookie") != 0)
			continue;
		for (const char *p = q->fields[i].value; *p && r == 0;) {
			size_t len;

			p += strspn(p, " \t;");
			len = strcspn(p, ";");
			if (len == 0)
				break;
			r = fn_buf_add_str(b, any ? "," : ",\"cookies\":[");
			if (r == 0)
				r = fn_json_add_string(b, p, len);
			any = true;
			p += len;
		}
	}
	return r == 0 && any ? fn_buf_add(b, "]", 1) : r;
}

/* --- the query --- */
static int put_parameter(struct table *t, const char *p, size_t len)
{
	const char *eq = memchr(p, '=', len);
	size_t name = eq ? (size_t)(eq - p) : len;
	size_t at = t->names.len;
	struct joined *j;
	int r = fn_aws_decode(&t->names, p, name, true);

	if (r < 0)
		return r;
	j = table_at(t, at);
	r = begin_value(j, ",");
	return r == 0 && eq ? fn_aws_decode(&j->joined, eq + 1, len - name - 1, true) : r;
}

static int add_query(const struct fn_gw_request *q, struct fn_buf *b)
{
	struct table t;
	size_t most = 1;
	int r;

	if (!*q->query)
		return 0;
	for (const char *p = q->query; *p; p++)
		most += *p == '&';
	r = table_new(&t, most);
	for (const char *p = q->query; *p && r == 0;) {
		size_t len = strcspn(p, "&");

		if (len > 0)
			r = put_parameter(&t, p, len);
		p += len + (p[len] == '&');
	}
	if (r == 0 && t.n > 0) {
		r = fn_buf_add_str(b, ",\"queryStringParameters\":");
		if (r == 0)
			r = add_table(b, &t);
	}
	table_free(&t);
	return r;
}

/* --- the context --- */
/* A configured key is the account's root's: it has no name of its own. */
static int add_identity(const struct fn_gw_request *q, struct fn_buf *b)
{
	const char *id = q->user_id ? q->user_id : q->account;
	int r = add_member(b, ",\"authentication\":null,\"authorizer\":{\"iam\":{\"accessKey\":", q->access_key);

	if (r == 0)
		r = fn_buf_addf(b, ",\"accountId\":\"%s\",\"callerId\":\"%s\",\"cognitoIdentity\":null,\"principalOrgId\":null,"
				   "\"userArn\":\"%s%s%s\",\"userId\":\"%s\"}}",
				q->account, id, q->user_arn ? q->user_arn : "arn:aws:iam::", q->user_arn ? "" : q->account, q->user_arn ? "" : ":root", id);
	return r;
}

static int add_context(const struct fn_gw_request *q, struct fn_buf *b)
{
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	fn_auto_buf struct fn_buf path = {0};
	const char *agent = fn_gw_field_of(q->fields, q->n_fields, "user-agent", 0);
	time_t now = (time_t)(q->time_us / 1000000u);
	struct tm tm;
	int r;

	gmtime_r(&now, &tm);
	r = fn_aws_decode(&path, q->path, q->path_len, false);
	if (r == 0)
		r = fn_buf_addf(b, ",\"requestContext\":{\"accountId\":\"%s\",\"apiId\":\"%s\"", q->access_key ? q->account : "anonymous", q->id);
	if (r == 0 && q->access_key)
		r = add_identity(q, b);
	if (r == 0)
		r = add_member(b, ",\"domainName\":", q->host);
	if (r == 0)
		r = fn_buf_addf(b, ",\"domainPrefix\":\"%s\"", q->id);
	if (r == 0)
		r = add_member(b, ",\"http\":{\"method\":", q->method);
	if (r == 0)
		r = fn_buf_add_str(b, ",\"path\":");
	if (r == 0)
		r = fn_json_add_string(b, path.len ? path.data : "/", path.len ? path.len : 1);
	if (r == 0)
		r = add_member(b, ",\"protocol\":", q->protocol);
	if (r == 0)
		r = add_member(b, ",\"sourceIp\":", q->source);
	if (r == 0)
		r = add_member(b, ",\"userAgent\":", agent ? agent : "");
	if (r < 0)
		return r;
	return fn_buf_addf(b, "},\"requestId\":\"%s\",\"routeKey\":\"$default\",\"stage\":\"$default\",\"time\":\"%02d/%s/%04d:%02d:%02d:%02d +0000\",\"timeEpoch\":%llu}",
			   q->request_id, tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
			   (unsigned long long)(q->time_us / 1000u));
}

/* --- the body --- */
/* Is one of this Content-Type (NULL = none) text, as far as that tells? All else goes as base64. */
static bool is_text(const char *type)
{
	static const char *const types[] = {"application/json", "application/xml", "application/javascript"};
	size_t len;

	if (!type)
		return false;
	type += strspn(type, " \t");
	len = strcspn(type, "; \t");
	if (len > 5 && strncasecmp(type, "text/", 5) == 0)
		return true;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (len == strlen(types[i]) && strncasecmp(type, types[i], len) == 0)
			return true;
	return false;
}

static int add_body(const struct fn_gw_request *q, struct fn_buf *b)
{
	bool text = is_text(fn_gw_field_of(q->fields, q->n_fields, "content-type", 0)) && fn_utf8_valid(q->body, q->len);
	char *coded = NULL;
	int r;

	if (q->len == 0)
		return fn_buf_add_str(b, ",\"isBase64Encoded\":false}");
	r = fn_buf_add_str(b, ",\"body\":");
	if (r == 0 && text) {
		r = fn_json_add_utf8(b, q->body, q->len);
	} else if (r == 0) {
		r = fn_base64_encode(q->body, q->len, &coded);
		if (r == 0)
			r = fn_buf_add(b, "\"", 1);
		if (r == 0)
			r = fn_buf_add_str(b, coded);
		if (r == 0)
			r = fn_buf_add(b, "\"", 1);
		free(coded);
	}
	return r == 0 ? fn_buf_addf(b, ",\"isBase64Encoded\":%s}", text ? "false" : "true") : r;
}

int fn_gw_event(const struct fn_gw_request *q, struct fn_buf *b)
{
	int r = fn_buf_reserve(b, 2048 + q->len + q->len / 2);

	if (r == 0)
		r = fn_buf_add_str(b, "{\"version\":\"2.0\",\"routeKey\":\"$default\",\"rawPath\":");

	if (r == 0)
		r = fn_json_add_string(b, q->path_len ? q->path : "/", q->path_len ? q->path_len : 1);
	if (r == 0)
		r = add_member(b, ",\"rawQueryString\":", q->query);
	if (r == 0)
		r = add_cookies(q, b);
	if (r == 0)
		r = add_headers(q, b);
	if (r == 0)
		r = add_query(q, b);
	if (r == 0)
		r = add_context(q, b);
	return r == 0 ? add_body(q, b) : r;
}
