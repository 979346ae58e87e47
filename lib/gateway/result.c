/* result.c - see result.h. */
#include "gateway/result.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "web/json_load.h"
#include "web/json_scan.h"

#define REMAPPED "x-amzn-Remapped-"

static void decref(json_t **o) { json_decref(*o); }

/* --- headers --- */
int fn_gw_result_add(struct fn_gw_result *r, const char *name, const char *value)
{
	struct fn_gw_header *more, h;

	if (r->n_headers == FN_GW_HEADERS_MAX)
		return -E2BIG;
	h = (struct fn_gw_header){strdup(name), strdup(value)};
	more = realloc(r->headers, (r->n_headers + 1) * sizeof(*more));
	if (more)
		r->headers = more;
	if (!more || !h.name || !h.value) {
		free(h.name);
		free(h.value);
		return -ENOMEM;
	}
	r->headers[r->n_headers++] = h;
	return 0;
}

const char *fn_gw_result_header(const struct fn_gw_result *r, const char *name)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (strcasecmp(r->headers[i].name, name) == 0)
			return r->headers[i].value;
	return NULL;
}

void fn_gw_result_remove(struct fn_gw_result *r, const char *prefix)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_headers; i++)
		if (strncasecmp(r->headers[i].name, prefix, strlen(prefix)) == 0) {
			free(r->headers[i].name);
			free(r->headers[i].value);
		} else {
			r->headers[n++] = r->headers[i];
		}
	r->n_headers = n;
}

void fn_gw_result_free(struct fn_gw_result *r)
{
	fn_gw_result_remove(r, "");
	free(r->headers);
	fn_buf_free(&r->body);
	*r = (struct fn_gw_result){0};
}

/* A field's name is a token, its value has no control bytes (RFC 9110, 5.1, 5.5). */
static bool can_be_sent(const char *name, const char *value)
{
	if (!*name)
		return false;
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", *p))
			return false;
	for (const char *p = value; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return false;
	return true;
}

/* What a function says of the connection, its framing and its peer is not for it to say: the gateway does. Lambda lets clients read it under another name. */
static bool is_ours(const char *name)
{
	static const char *const names[] = {"connection", "content-length", "date", "keep-alive", "trailer", "upgrade", "www-authenticate"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

static int add_text(struct fn_gw_result *r, const char *name, const char *text)
{
	char other[sizeof(REMAPPED) + 32];

	if (!can_be_sent(name, text))
		return -EBADMSG;
	if (!is_ours(name))
		return fn_gw_result_add(r, name, text);
	snprintf(other, sizeof(other), REMAPPED "%s", name);
	return fn_gw_result_add(r, other, text);
}

static int add_value(struct fn_gw_result *r, const char *name, json_t *v)
{
	fn_auto_free char *text = NULL;
	json_t *e;
	size_t i;
	int rc = 0;

	if (json_is_array(v)) { /* several lines of one name */
		json_array_foreach(v, i, e)
			if ((rc = json_is_array(e) ? -EBADMSG : add_value(r, name, e)) < 0)
				return rc;
		return 0;
	}
	if (json_is_null(v) || strcasecmp(name, "transfer-encoding") == 0)
		return 0;
	if (json_is_object(v))
		return -EBADMSG;
	if (!json_is_string(v))
		text = json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	else if (strlen(json_string_value(v)) == json_string_length(v))
		text = strdup(json_string_value(v));
	else
		return -EBADMSG;
	if (!text)
		return -ENOMEM;
	return add_text(r, name, text);
}

static int take_headers(struct fn_gw_result *r, json_t *headers, json_t *cookies)
{
	const char *name;
	json_t *v;
	size_t i;
	int rc = 0;

	if ((headers && !json_is_object(headers) && !json_is_null(headers)) || (cookies && !json_is_array(cookies) && !json_is_null(cookies)))
		return -EBADMSG;
	json_object_foreach(headers, name, v)
		if ((rc = add_value(r, name, v)) < 0)
			return rc;
	json_array_foreach(cookies, i, v)
		if ((rc = json_is_string(v) ? add_value(r, "Set-Cookie", v) : -EBADMSG) < 0)
			return rc;
	return 0;
}

/* --- the status --- */
static int take_status(struct fn_gw_result *r, json_t *v)
{
	double n = json_number_value(v);
	int64_t text = 0;

	if (json_is_string(v)) {
		if (fn_str_to_i64(json_string_value(v), 200, 599, &text) < 0)
			return -EBADMSG;
		n = (double)text;
	} else if (!json_is_number(v) || n < 200 || n > 599 || n != (double)(unsigned)n) {
		return -EBADMSG;
	}
	r->status = (unsigned)n;
	return 0;
}

/* --- the body --- */
static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/* JSON without the white space between its tokens; numbers stay as they were written. */
static int add_compact(struct fn_buf *b, const char *text, size_t len)
{
	const char *p = text, *end = text + len, *from = text;

	if (fn_buf_reserve(b, len) < 0)
		return -ENOMEM;
	while (p < end) {
		if (*p == '"') { /* to the quotation mark behind it */
			for (p++; p < end && *p != '"'; p++)
				p += *p == '\\' && p + 1 < end;
			p++;
		} else if (is_space(*p)) {
			(void)fn_buf_add(b, from, (size_t)(p - from));
			from = ++p;
		} else {
			p++;
		}
	}
	return end > from ? fn_buf_add(b, from, (size_t)(end - from)) : 0;
}

/* payload: that it is in, as it was written. */
static int take_body(struct fn_gw_result *r, json_t *body, bool coded, const char *payload, size_t payload_len)
{
	fn_auto_free char *text = NULL;
	const char *written;
	uint8_t *data;
	size_t len;

	if (!body || json_is_null(body))
		return 0;
	if (!json_is_string(body) && fn_json_value(payload, payload_len, "body", &written, &len))
		return add_compact(&r->body, written, len);
	if (!json_is_string(body)) { /* its name has escapes */
		text = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
		return text ? fn_buf_add_str(&r->body, text) : -ENOMEM;
	}
	if (!coded)
		return fn_buf_add(&r->body, json_string_value(body), json_string_length(body));
	if (fn_base64_decode(json_string_value(body), json_string_length(body), &data, &len) < 0)
		return -EBADMSG;
	fn_buf_free(&r->body);
	data[len] = '\0'; /* decode leaves room */
	r->body = (struct fn_buf){(char *)data, len, len};
	return 0;
}

static int with_default_type(struct fn_gw_result *r, const char *type)
{
	return fn_gw_result_header(r, "content-type") ? 0 : fn_gw_result_add(r, "Content-Type", type);
}

static int response(struct fn_gw_result *r, json_t *o, const char *payload, size_t len)
{
	int rc = take_status(r, json_object_get(o, "statusCode"));

	if (rc == 0)
		rc = take_headers(r, json_object_get(o, "headers"), json_object_get(o, "cookies"));
	if (rc == 0)
		rc = take_body(r, json_object_get(o, "body"), json_is_true(json_object_get(o, "isBase64Encoded")), payload, len);
	return rc == 0 ? with_default_type(r, "application/json") : rc;
}

/* What names no statusCode (its letters may be escapes), and is no string, is a body as it is. */
static bool is_plain(const char *payload, size_t len)
{
	size_t at = 0;

	while (at < len && is_space(payload[at]))
		at++;
	return at < len && payload[at] != '"' && !memmem(payload, len, "statusCode", 10) && !memmem(payload, len, "\\u", 2) && fn_json_valid(payload, len, NULL);
}

int fn_gw_result(const char *payload, size_t len, struct fn_gw_result *r)
{
	bool plain = is_plain(payload, len);
	fn_auto(decref) json_t *o = plain ? NULL : fn_json_load(payload, len, JSON_DECODE_ANY), *status = json_object_get(o, "statusCode");
	int rc;

	*r = (struct fn_gw_result){.status = 200};
	json_incref(status);
	if (status && !json_is_null(status)) {
		rc = response(r, o, payload, len);
	} else {
		rc = json_is_string(o) ? fn_buf_add(&r->body, json_string_value(o), json_string_length(o))
		     : o || plain      ? add_compact(&r->body, payload, len)
				       : fn_buf_add(&r->body, payload, len); /* no JSON: as it is */
		if (rc == 0)
			rc = with_default_type(r, "application/json");
	}
	if (rc < 0)
		fn_gw_result_free(r);
	return rc == -E2BIG ? -EBADMSG : rc;
}

int fn_gw_prelude(const char *text, size_t len, const char *body_type, struct fn_gw_result *r)
{
	fn_auto(decref) json_t *o = fn_json_load(text, len, JSON_DECODE_ANY);
	json_t *status = json_object_get(o, "statusCode");
	int rc = json_is_object(o) ? 0 : -EBADMSG;

	*r = (struct fn_gw_result){.status = 200};
	if (rc == 0 && status && !json_is_null(status))
		rc = take_status(r, status);
	if (rc == 0)
		rc = take_headers(r, json_object_get(o, "headers"), json_object_get(o, "cookies"));
	if (rc == 0)
		rc = with_default_type(r, body_type);
	if (rc < 0)
		fn_gw_result_free(r);
	return rc == -E2BIG ? -EBADMSG : rc;
}
