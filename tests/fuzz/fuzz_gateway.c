/*
 * fuzz_gateway.c - what clients and functions send to fn-gateway: the first byte chooses. 't' host NUL URI: whose URL; 'e' method NUL path NUL query NUL
 * (name NUL value NUL)* NUL body: an event, which must be JSON and mean what was sent; 'r' a result, 'p' a prelude: what is sent of them is sendable;
 * 'c' Cors NUL origin NUL result; 'h' a ClientHello; 'f' proxies NUL X-Forwarded-For; 'a' a response of fnd's, in pieces of every size.
 */
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fuzz/fuzz.h"
#include "gateway/cors.h"
#include "gateway/event.h"
#include "gateway/proxies.h"
#include "gateway/target.h"
#include "gateway/tls.h"
#include "web/h1.h"

#define FIELDS 32

static void target(struct fuzz_in *in)
{
	const struct fn_gw_names names = {"us-east-1", "localhost:3002"};
	struct fn_gw_target t = {0};
	char *host = fuzz_take(in, 0, NULL), *uri = fuzz_take(in, 0, NULL);

	if (fn_gw_target(&names, host, uri, &t)) {
		fuzz_check(fn_url_id_valid(t.id) && strncmp(t.host, t.id, 32) == 0 && fn_str_ends(t.host, ".lambda-url.us-east-1.localhost"));
		fuzz_check(t.path >= uri && t.path + t.path_len <= uri + strlen(uri) && (t.path_len == 0 || *t.path == '/') && !memchr(t.path, '?', t.path_len));
	}
	free(host);
	free(uri);
}

static void event(struct fuzz_in *in)
{
	char *texts[3], *f[2 * FIELDS] = {0};
	struct fn_gw_field fields[FIELDS];
	struct fn_gw_request r = {.protocol = "HTTP/1.1", .id = "abcdefghijklmnopqrstuvwxyz012345", .host = "h", .request_id = "r", .source = "s", .forwarded_for = "s",
				  .forwarded_port = "1", .forwarded_proto = "http", .trace_id = "t", .fields = fields};
	struct fn_buf b = {0};
	json_t *o, *body;
	size_t n = 0;

	for (int i = 0; i < 3; i++)
		texts[i] = fuzz_take(in, 0, NULL);
	while (n < FIELDS && fuzz_more(in) && *in->p) {
		f[2 * n] = fuzz_take(in, 0, NULL);
		f[2 * n + 1] = fuzz_take(in, 0, NULL);
		fields[n] = (struct fn_gw_field){f[2 * n], f[2 * n + 1]};
		n++;
	}
	(void)fuzz_byte(in);
	r.method = texts[0];
	r.path = texts[1];
	r.path_len = strlen(texts[1]);
	r.query = texts[2];
	r.n_fields = n;
	r.body = in->p;
	r.len = (size_t)(in->end - in->p);
	fuzz_check(fn_gw_event(&r, &b) == 0);
	fuzz_check(fn_utf8_valid(b.data, b.len));
	o = json_loadb(b.data, b.len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
	fuzz_check(o != NULL || memmem(b.data, b.len, "\\u0000", 6)); /* names with a NUL are nothing jansson takes */
	if (o && fn_utf8_valid(texts[1], r.path_len) && r.path_len)
		fuzz_check(fn_streq(json_string_value(json_object_get(o, "rawPath")), texts[1]));
	if (o && fn_utf8_valid(texts[2], strlen(texts[2])))
		fuzz_check(fn_streq(json_string_value(json_object_get(o, "rawQueryString")), texts[2]));
	body = json_object_get(o, "body");
	if (body && json_is_true(json_object_get(o, "isBase64Encoded"))) {
		uint8_t *data;
		size_t len;

		fuzz_check(fn_base64_decode(json_string_value(body), json_string_length(body), &data, &len) == 0);
		fuzz_check(len == r.len && memcmp(data, r.body, len) == 0);
		free(data);
	} else if (body) {
		fuzz_check(json_string_length(body) == r.len && memcmp(json_string_value(body), r.body, r.len) == 0);
	}
	json_decref(o);
	fn_buf_free(&b);
	for (int i = 0; i < 3; i++)
		free(texts[i]);
	for (size_t i = 0; i < 2 * n; i++)
		free(f[i]);
}

static void sendable(const struct fn_gw_result *r)
{
	fuzz_check(r->status >= 200 && r->status <= 599 && r->n_headers <= FN_GW_HEADERS_MAX);
	fuzz_check(fn_gw_result_header(r, "content-type") && !fn_gw_result_header(r, "content-length") && !fn_gw_result_header(r, "transfer-encoding"));
	for (size_t i = 0; i < r->n_headers; i++) {
		fuzz_check(r->headers[i].name[0] && !strpbrk(r->headers[i].name, "\r\n :"));
		fuzz_check(!strpbrk(r->headers[i].value, "\r\n"));
	}
}

static void result(struct fuzz_in *in, bool prelude)
{
	struct fn_gw_result r;
	size_t len;
	char *text = fuzz_take(in, 0, &len);

	if ((prelude ? fn_gw_prelude(text, len, "application/octet-stream", &r) : fn_gw_result(text, len, &r)) == 0) {
		sendable(&r);
		fn_gw_result_free(&r);
	}
	free(text);
}

static void cors(struct fuzz_in *in)
{
	char *text = fuzz_take(in, 0, NULL), *origin = fuzz_take(in, 0, NULL), *wanted = fuzz_take(in, 0, NULL);
	const struct fn_gw_asked asked = {"OPTIONS", origin, wanted, wanted};
	json_t *o = json_loads(text, 0, NULL);
	struct fn_gw_result r = {.status = 200};
	const char *said;

	if (json_is_object(o) && fn_gw_cors_apply(o, &asked, &r) == 0) {
		said = fn_gw_result_header(&r, "Access-Control-Allow-Origin");
		fuzz_check(!said || fn_streq(said, "*") || fn_streq(said, origin));
		fuzz_check(!said || !fn_streq(said, "*") || fn_streq(origin, "*") || !fn_gw_result_header(&r, "Access-Control-Allow-Credentials"));
	}
	fn_gw_result_free(&r);
	json_decref(o);
	free(text);
	free(origin);
	free(wanted);
}

static void hello(struct fuzz_in *in)
{
	size_t len = (size_t)(in->end - in->p);
	uint8_t *data = malloc(len + 1);
	char name[64];
	int r;

	memcpy(data, in->p, len);
	data = realloc(data, len ? len : 1);
	r = fn_gw_hello_name(data, len, name, sizeof(name));
	fuzz_check(r <= 1 && strlen(name) < sizeof(name));
	for (size_t i = 0; r == 1 && i < len; i++) /* less of it is too little, or as much */
		fuzz_check(fn_gw_hello_name(data, i, name, sizeof(name)) >= 0);
	free(data);
}

static void forwarded(struct fuzz_in *in)
{
	char *list = fuzz_take(in, 0, NULL), *field = fuzz_take(in, 0, NULL), text[INET6_ADDRSTRLEN];
	struct in6_addr peer = {0}, found;
	struct fn_gw_proxies p;

	if (fn_gw_proxies_parse(list, &p) == 0) {
		fn_gw_proxies_client(&p, field, &peer, &found);
		fuzz_check(fn_gw_address_text(&found, text) != NULL);
	}
	free(list);
	free(field);
}

/* What a response is does not depend on how it comes. */
static size_t feed(const uint8_t *data, size_t len, size_t piece, unsigned *ret_status, struct fn_buf *ret)
{
	struct fn_h1 h;
	size_t at = 0;

	fn_h1_init_response(&h);
	h.body_max = SIZE_MAX;
	h.take = FN_H1_PIECES;
	for (;;) {
		size_t n = len - at < piece ? len - at : piece, used;
		enum fn_h1_event e = fn_h1_feed(&h, (const char *)data + at, n, &used);

		at += used;
		if (e == FN_H1_HEAD)
			*ret_status = h.status;
		if (e == FN_H1_PIECE)
			(void)fn_buf_add(ret, h.piece, h.piece_len);
		if (e == FN_H1_DONE || e == FN_H1_BAD || (e == FN_H1_MORE && at == len)) {
			fn_h1_free(&h);
			return e == FN_H1_DONE ? at : SIZE_MAX;
		}
	}
}

static void answer(struct fuzz_in *in)
{
	size_t len = (size_t)(in->end - in->p), ends[2];
	struct fn_buf bodies[2] = {{0}};
	unsigned status[2] = {0};

	ends[0] = feed(in->p, len, len, &status[0], &bodies[0]);
	ends[1] = feed(in->p, len, 1, &status[1], &bodies[1]);
	fuzz_check(ends[0] == ends[1] && status[0] == status[1]);
	fuzz_check(bodies[0].len == bodies[1].len && (bodies[0].len == 0 || memcmp(bodies[0].data, bodies[1].data, bodies[0].len) == 0));
	fuzz_check(ends[0] == SIZE_MAX || (status[0] >= 200 && status[0] <= 999));
	fn_buf_free(&bodies[0]);
	fn_buf_free(&bodies[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, data + size};

	switch (fuzz_byte(&in)) {
	case 't': target(&in); break;
	case 'e': event(&in); break;
	case 'r': result(&in, false); break;
	case 'p': result(&in, true); break;
	case 'c': cors(&in); break;
	case 'h': hello(&in); break;
	case 'f': forwarded(&in); break;
	case 'a': answer(&in); break;
	}
	return 0;
}
