/* respond.c - responses of the gateway's own, and of functions that return one as a whole. */
#include <stdlib.h>
#include <string.h>

#include "gateway/call.h"

#define FORBIDDEN \
	"{\"Message\":\"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html\"}"
#define PIECE 32768u

static bool add(struct MHD_Response *m, const char *name, const char *value) { return MHD_add_response_header(m, name, value) == MHD_YES; }

enum MHD_Result fn_gw_queue(struct fn_gw_call *c, unsigned status, struct MHD_Response *m)
{
	enum MHD_Result r;

	if (!m)
		return MHD_NO;
	if (c->request_id[0])
		(void)add(m, "x-amzn-RequestId", c->request_id);
	if (c->trace_id[0] && !MHD_get_response_header(m, "X-Amzn-Trace-Id"))
		(void)add(m, "X-Amzn-Trace-Id", c->trace_id);
	if (c->closes || fn_gw_conns_ending(c->gw->conns))
		(void)add(m, "Connection", "close");
	fn_gw_conn_phase(c->conn, FN_GW_TAKES);
	c->queued = true;
	r = MHD_queue_response(c->mhd, status, m);
	MHD_destroy_response(m);
	return r;
}

int fn_gw_add_headers(struct fn_gw_call *c, struct MHD_Response *m, struct fn_gw_result *r)
{
	if (c->route && c->route->cors && fn_gw_cors_apply(c->route->cors, &c->asked, r) < 0)
		return -1;
	for (size_t i = 0; i < r->n_headers; i++)
		if (!add(m, r->headers[i].name, r->headers[i].value))
			return -1;
	return 0;
}

enum MHD_Result fn_gw_refuse(struct fn_gw_call *c, unsigned status, const char *error_type, const char *content_type, const char *body)
{
	struct MHD_Response *m = MHD_create_response_from_buffer(strlen(body), (void *)body, MHD_RESPMEM_MUST_COPY);
	struct fn_gw_result none = {0};

	if (!m)
		return MHD_NO;
	(void)add(m, "Content-Type", content_type);
	if (error_type)
		(void)add(m, "x-amzn-ErrorType", error_type);
	if (c->target.id[0])
		(void)fn_gw_add_headers(c, m, &none); /* a page may read why */
	fn_gw_result_free(&none);
	return fn_gw_queue(c, status, m);
}

enum MHD_Result fn_gw_forbidden(struct fn_gw_call *c) { return fn_gw_refuse(c, 403, "AccessDeniedException", "application/json", FORBIDDEN); }

enum MHD_Result fn_gw_too_large(struct fn_gw_call *c)
{
	return fn_gw_refuse(c, 413, "RequestEntityTooLargeException", "application/json", "{\"Message\":\"Request Entity Too Large\"}");
}

enum MHD_Result fn_gw_too_many(struct fn_gw_call *c)
{
	return fn_gw_refuse(c, 429, "TooManyRequestsException", "application/json", "{\"Message\":\"Rate Exceeded.\"}");
}

enum MHD_Result fn_gw_bad_gateway(struct fn_gw_call *c) { return fn_gw_refuse(c, 502, NULL, "text/plain", "Internal Server Error"); }

/* A body that is not short goes in pieces, so that it shows how the client takes it. */
struct sending {
	struct fn_gw_conn *conn;
	struct fn_buf body;
};

static ssize_t next_piece(void *cls, uint64_t at, char *to, size_t max)
{
	struct sending *s = cls;
	size_t n = s->body.len - at < max ? s->body.len - at : max;

	memcpy(to, s->body.data + at, n);
	fn_gw_conn_moved(s->conn, n);
	return (ssize_t)n;
}

static void sent(void *cls)
{
	struct sending *s = cls;

	fn_buf_free(&s->body);
	free(s);
}

static struct MHD_Response *make(struct fn_gw_call *c, struct fn_gw_result *r)
{
	struct sending *s;
	struct MHD_Response *m;

	if (r->body.len <= PIECE) {
		size_t len = r->body.len;
		char *data = fn_buf_take(&r->body, &len);

		m = data ? MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE) : NULL;
		if (!m)
			free(data);
		return m;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->conn = c->conn;
	s->body = r->body;
	m = MHD_create_response_from_callback(s->body.len, PIECE, next_piece, s, sent);
	if (!m)
		free(s);
	else
		r->body = (struct fn_buf){0};
	return m;
}

enum MHD_Result fn_gw_respond(struct fn_gw_call *c, struct fn_gw_result *r)
{
	struct MHD_Response *m = make(c, r);

	if (m && fn_gw_add_headers(c, m, r) < 0) {
		MHD_destroy_response(m);
		return fn_gw_bad_gateway(c);
	}
	return fn_gw_queue(c, r->status, m);
}
