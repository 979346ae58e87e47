/* s3.c - see s3.h. */
#include "image/s3.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/sign.h"
#include "base/cleanup.h"
#include "base/str.h"

#define AWS_DOMAIN ".amazonaws.com"
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* --- settings --- */
int fn_s3_style_parse(const char *text, enum fn_s3_style *ret)
{
	static const char *const names[] = {"auto", "path", "virtual"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (fn_streq(text, names[i])) {
			*ret = (enum fn_s3_style)i;
			return 0;
		}
	return -EINVAL;
}

void fn_s3_settings_clear(struct fn_s3_settings *s)
{
	free(s->endpoint);
	free(s->region);
	free(s->access_key_id);
	free(s->secret_access_key);
	free(s->session_token);
	free(s->ca);
	*s = (struct fn_s3_settings){0};
}

json_t *fn_s3_settings_json(const struct fn_s3_settings *s)
{
	return json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:i, s:i}", "endpoint", s->endpoint, "region", s->region, "access_key_id", s->access_key_id,
			 "secret_access_key", s->secret_access_key, "session_token", s->session_token, "ca", s->ca, "style", (int)s->style, "timeout_s",
			 (int)s->timeout_s);
}

int fn_s3_settings_load(json_t *o, struct fn_s3_settings *ret)
{
	struct fn_s3_settings s = {0};
	char **const to[] = {&s.endpoint, &s.region, &s.access_key_id, &s.secret_access_key, &s.session_token, &s.ca};
	const char *from[6] = {NULL};
	int style, timeout;

	if (json_unpack(o, "{s:s, s:s, s?s, s?s, s?s, s?s, s:i, s:i}", "endpoint", &from[0], "region", &from[1], "access_key_id", &from[2], "secret_access_key",
			&from[3], "session_token", &from[4], "ca", &from[5], "style", &style, "timeout_s", &timeout) < 0 ||
	    !from[2] != !from[3] || style < FN_S3_AUTO || style > FN_S3_VIRTUAL || timeout < 1)
		return -EINVAL;
	s.style = (enum fn_s3_style)style;
	s.timeout_s = (unsigned)timeout;
	for (size_t i = 0; i < 6; i++)
		if (from[i] && !(*to[i] = strdup(from[i]))) {
			fn_s3_settings_clear(&s);
			return -ENOMEM;
		}
	*ret = s;
	return 0;
}

/* --- addresses --- */
static bool copy(char *to, size_t size, const char *from, size_t len)
{
	if (len >= size)
		return false;
	memcpy(to, from, len);
	to[len] = '\0';
	return true;
}

static bool host_ok(const char *h)
{
	size_t n = strlen(h);

	if (h[0] == '[')
		return n > 2 && h[n - 1] == ']' && strspn(h + 1, "0123456789abcdef:.") == n - 2;
	return n > 0 && h[0] != '.' && h[0] != '-' && strspn(h, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == n && !strstr(h, "..");
}

/* As it stands on a request line: nothing that would end it. */
static bool printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

int fn_s3_url_parse(const char *text, struct fn_s3_url *ret)
{
	struct fn_s3_url u = {.tls = strncasecmp(text, "https://", 8) == 0};
	const char *host = text + (u.tls ? 8 : 7), *end, *port, *query;
	size_t n;
	int64_t number;

	if ((!u.tls && strncasecmp(text, "http://", 7) != 0) || !printable(text) || strchr(text, '#'))
		return -EINVAL;
	n = strcspn(host, "/?");
	end = host + n;
	port = *host == '[' ? memchr(host, ']', n) : memchr(host, ':', n);
	if (*host == '[' && port)
		port = port + 1 < end && port[1] == ':' ? port + 1 : NULL;
	if (!copy(u.host, sizeof(u.host), host, port ? (size_t)(port - host) : n) || (port && !copy(u.port, sizeof(u.port), port + 1, (size_t)(end - port) - 1)))
		return -EINVAL;
	for (char *c = u.host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (!host_ok(u.host) || (port && (!isdigit((unsigned char)u.port[0]) || fn_str_to_i64(u.port, 1, 65535, &number) < 0)))
		return -EINVAL;
	query = strchr(end, '?');
	n = query ? (size_t)(query - end) : strlen(end);
	if (n == 0)
		strcpy(u.path, "/");
	else if (*end != '/' || !copy(u.path, sizeof(u.path), end, n))
		return -EINVAL;
	if (query && !copy(u.query, sizeof(u.query), query + 1, strlen(query + 1)))
		return -EINVAL;
	*ret = u;
	return 0;
}

/* As a Host field has it. */
static int add_authority(const struct fn_s3_url *u, struct fn_buf *b) { return fn_buf_addf(b, "%s%s%s", u->host, *u->port ? ":" : "", u->port); }

int fn_s3_url_format(const struct fn_s3_url *u, struct fn_buf *b)
{
	if (fn_buf_add_str(b, u->tls ? "https://" : "http://") < 0 || add_authority(u, b) < 0 || fn_buf_add_str(b, u->path) < 0)
		return -ENOMEM;
	return *u->query ? fn_buf_addf(b, "?%s", u->query) : 0;
}

int fn_s3_endpoint_check(const char *text)
{
	struct fn_s3_url u;

	return fn_s3_url_parse(text, &u) < 0 || !fn_streq(u.path, "/") || strchr(text, '?') ? -EINVAL : 0;
}

static bool by_host(const struct fn_s3_settings *s, const struct fn_s3_url *u, const char *bucket)
{
	bool fits = strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(bucket);

	if (s->style != FN_S3_AUTO)
		return s->style == FN_S3_VIRTUAL;
	return fits && fn_str_ends(u->host, AWS_DOMAIN);
}

int fn_s3_address(const struct fn_s3_settings *s, const struct fn_s3_object *o, struct fn_s3_url *ret)
{
	fn_auto_buf struct fn_buf path = {0}, query = {0};
	struct fn_s3_url u;
	char host[sizeof(u.host)];
	int r;

	if (fn_s3_endpoint_check(s->endpoint) < 0 || fn_s3_url_parse(s->endpoint, &u) < 0 || !*o->bucket || !*o->key)
		return -EINVAL;
	r = fn_buf_add_str(&path, "/");
	if (by_host(s, &u, o->bucket)) {
		if (u.host[0] == '[' || fn_str_format(host, sizeof(host), "%s.%s", o->bucket, u.host) < 0)
			return -EINVAL;
		for (size_t i = 0; i <= strlen(host); i++)
			u.host[i] = (char)tolower((unsigned char)host[i]);
		if (!host_ok(u.host))
			return -EINVAL;
	} else if (r == 0 && (r = fn_buf_add_url(&path, o->bucket, strlen(o->bucket), "")) == 0) {
		r = fn_buf_add_str(&path, "/");
	}
	if (r == 0)
		r = fn_buf_add_url(&path, o->key, strlen(o->key), "/");
	if (r == 0 && *o->version && (r = fn_buf_add_str(&query, "versionId=")) == 0)
		r = fn_buf_add_url(&query, o->version, strlen(o->version), "");
	if (r < 0)
		return r;
	if (!copy(u.path, sizeof(u.path), path.data, path.len) || !copy(u.query, sizeof(u.query), query.data ? query.data : "", query.len))
		return -EINVAL;
	*ret = u;
	return 0;
}

/* --- signatures --- */
int fn_s3_sign(const struct fn_s3_settings *s, const struct fn_s3_url *u, const char *amz_date, struct fn_buf *headers)
{
	fn_auto_buf struct fn_buf host = {0};

	if (!s->access_key_id)
		return 0;
	if (add_authority(u, &host) < 0)
		return -ENOMEM;
	return fn_aws_sign(&(struct fn_aws_credentials){s->access_key_id, s->secret_access_key, s->session_token},
			   &(struct fn_aws_signing){.method = "GET", .host = host.data, .path = u->path, .query = u->query, .region = s->region, .service = "s3",
						    .amz_date = amz_date, .payload_sha256 = EMPTY_SHA256},
			   headers);
}

/* --- redirects --- */
static bool same_service(const char *endpoint, const char *host)
{
	size_t n = strlen(endpoint), h = strlen(host);

	if (fn_streq(endpoint, host) || (h > n && host[h - n - 1] == '.' && fn_streq(host + h - n, endpoint)))
		return true;
	return fn_str_ends(endpoint, AWS_DOMAIN) && fn_str_ends(host, AWS_DOMAIN);
}

int fn_s3_redirect(const struct fn_s3_settings *s, const struct fn_s3_url *from, const char *location, struct fn_s3_url *ret)
{
	struct fn_s3_url endpoint, to = *from;

	if (location[0] == '/' && location[1] != '/') {
		const char *query = strchr(location, '?');

		if (!printable(location) || strchr(location, '#') ||
		    !copy(to.path, sizeof(to.path), location, query ? (size_t)(query - location) : strlen(location)) ||
		    !copy(to.query, sizeof(to.query), query ? query + 1 : "", query ? strlen(query + 1) : 0))
			return -EINVAL;
	} else if (fn_s3_url_parse(location, &to) < 0) {
		return -EINVAL;
	}
	if (fn_s3_url_parse(s->endpoint, &endpoint) < 0 || (from->tls && !to.tls) || !same_service(endpoint.host, to.host))
		return -EXDEV;
	*ret = to;
	return 0;
}

/* --- errors --- */
void fn_s3_text(const char *value, size_t len, char *to, size_t size)
{
	fn_auto_buf struct fn_buf b = {0};
	size_t n;

	while (len > 0 && isspace((unsigned char)*value))
		value++, len--;
	while (len > 0 && isspace((unsigned char)value[len - 1]))
		len--;
	*to = '\0';
	if (fn_buf_add_utf8(&b, value, len) < 0 || !b.data)
		return;
	n = b.len < size ? b.len : size - 1;
	while (n < b.len && n > 0 && ((unsigned char)b.data[n] & 0xc0) == 0x80) /* not in the midst of a character */
		n--;
	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)b.data[i] < ' ' || b.data[i] == 0x7f ? ' ' : b.data[i];
	to[n] = '\0';
}

static void add_character(struct fn_buf *b, unsigned long c)
{
	char u[4];
	size_t n;

	if (c < 0x80) {
		u[0] = (char)c;
		n = 1;
	} else if (c < 0x800) {
		u[0] = (char)(0xc0 | c >> 6);
		u[1] = (char)(0x80 | (c & 0x3f));
		n = 2;
	} else if (c < 0x10000) {
		u[0] = (char)(0xe0 | c >> 12);
		u[1] = (char)(0x80 | (c >> 6 & 0x3f));
		u[2] = (char)(0x80 | (c & 0x3f));
		n = 3;
	} else {
		u[0] = (char)(0xf0 | c >> 18);
		u[1] = (char)(0x80 | (c >> 12 & 0x3f));
		u[2] = (char)(0x80 | (c >> 6 & 0x3f));
		u[3] = (char)(0x80 | (c & 0x3f));
		n = 4;
	}
	(void)fn_buf_add(b, u, n);
}

/* One entity at s, which begins with '&'; the length of it, 0 = it is none. */
static size_t add_entity(struct fn_buf *b, const char *s, size_t len)
{
	static const struct {
		const char *name;
		char c;
	} known[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};
	const char *end = memchr(s, ';', len < 12 ? len : 12);
	char text[12] = "", *stop;
	unsigned long c;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (len >= strlen(known[i].name) && memcmp(s, known[i].name, strlen(known[i].name)) == 0) {
			(void)fn_buf_add(b, &known[i].c, 1);
			return strlen(known[i].name);
		}
	if (!end || end - s < 3 || s[1] != '#' || !copy(text, sizeof(text), s + 2, (size_t)(end - s) - 2))
		return 0;
	if (!isxdigit((unsigned char)text[text[0] == 'x']))
		return 0;
	c = strtoul(text + (text[0] == 'x'), &stop, text[0] == 'x' ? 16 : 10);
	if (*stop || c == 0 || c > 0x10ffff)
		return 0;
	add_character(b, c);
	return (size_t)(end - s) + 1;
}

/* The text of the first <name> that has nothing but text in it. */
static void element(const char *xml, size_t len, const char *name, char *to, size_t size)
{
	fn_auto_buf struct fn_buf b = {0};
	char open[32], close[32];
	const char *from, *end;

	snprintf(open, sizeof(open), "<%s>", name);
	snprintf(close, sizeof(close), "</%s>", name);
	from = memmem(xml, len, open, strlen(open));
	if (!from)
		return;
	from += strlen(open);
	end = memmem(from, len - (size_t)(from - xml), close, strlen(close));
	if (!end || memchr(from, '<', (size_t)(end - from)))
		return;
	while (from < end) {
		size_t n = *from == '&' ? add_entity(&b, from, (size_t)(end - from)) : 0;

		if (n == 0)
			(void)fn_buf_add(&b, from, n = 1);
		from += n;
	}
	fn_s3_text(b.data ? b.data : "", b.len, to, size);
}

void fn_s3_error_parse(const char *xml, size_t len, struct fn_s3_error *ret)
{
	*ret = (struct fn_s3_error){0};
	if (!memmem(xml, len, "<Error", strlen("<Error")))
		return;
	element(xml, len, "Code", ret->code, sizeof(ret->code));
	element(xml, len, "Message", ret->message, sizeof(ret->message));
	element(xml, len, "Region", ret->region, sizeof(ret->region));
}
