/*
 * relay.c - what fnd answers to an invocation, to the client. In InvokeMode RESPONSE_STREAM it is passed on as it comes: a piece is read when the client
 * has taken the last, so that each stream holds one piece and the kernel's buffers, whatever its size; the first byte leaves at once.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "gateway/call.h"

#define PRELUDE_TYPE "application/vnd.awslambda.http-integration-response"
#define STREAM_TYPE "application/octet-stream"
#define PRELUDE_MAX 65536u
#define DELIMITER 8u /* NULs behind the prelude */
#define PIECE 16384u

/* --- in one piece --- */
static enum MHD_Result whole(struct fn_gw_call *c, struct fn_h1_exchange *x)
{
	bool failed = fn_h1_header(&x->h, "X-Amz-Function-Error") != NULL;
	struct fn_gw_result result;

	if (fn_h1_exchange_read_all(x) < 0 || failed || fn_gw_result(x->h.body.data ? x->h.body.data : "", x->h.body.len, &result) < 0)
		return fn_gw_bad_gateway(c);
	fn_h1_exchange_end(x); /* its connection is the next one's */
	enum MHD_Result r = fn_gw_respond(c, &result);

	fn_gw_result_free(&result);
	return r;
}

/* --- in pieces --- */
struct stream {
	struct fn_gw_conn *conn;
	struct fn_h1_exchange x;
	struct fn_buf first; /* what came with the prelude */
	size_t first_at;
	const char *piece;
	size_t left;
};

static void stream_free(void *cls)
{
	struct stream *s = cls;

	fn_h1_exchange_end(&s->x); /* before its end: fnd sees the connection close, and the function runs on */
	fn_buf_free(&s->first);
	free(s);
}

/* Until there is a piece, or the client has gone. */
static bool wait_for_piece(struct stream *s)
{
	struct pollfd p[2] = {{s->x.fd, POLLIN, 0}, {s->conn->fd, 0, 0}}; /* of the second: POLLHUP, POLLERR */

	if (s->x.whole || s->x.at < s->x.end)
		return true;
	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return false;
	return p[0].revents != 0;
}

static ssize_t give(struct stream *s, char *to, size_t max, const char *from, size_t len)
{
	size_t n = len < max ? len : max;

	memcpy(to, from, n);
	fn_gw_conn_phase(s->conn, FN_GW_TAKES);
	return (ssize_t)n;
}

static ssize_t next_piece(void *cls, uint64_t at, char *to, size_t max)
{
	struct stream *s = cls;
	ssize_t n;
	int r;

	(void)at;
	if (s->first_at < s->first.len) {
		n = give(s, to, max, s->first.data + s->first_at, s->first.len - s->first_at);
		s->first_at += (size_t)n;
		return n;
	}
	if (s->left == 0) {
		fn_gw_conn_phase(s->conn, FN_GW_WAITS);
		if (!wait_for_piece(s))
			return MHD_CONTENT_READER_END_WITH_ERROR;
		r = fn_h1_exchange_read(&s->x, &s->piece, &s->left);
		if (r < 0 || (r == 0 && fn_h1_trailer(&s->x.h, "X-Fnd-Error-Code"))) /* the client sees that it is not whole */
			return MHD_CONTENT_READER_END_WITH_ERROR;
		if (r == 0)
			return MHD_CONTENT_READER_END_OF_STREAM;
	}
	n = give(s, to, max, s->piece, s->left);
	s->piece += n;
	s->left -= (size_t)n;
	return n;
}

/* Reads on until the prelude's end is there: *ret_len is how long it is, then come the NULs, then the body. */
static int read_prelude(struct stream *s, size_t *ret_len)
{
	static const char nuls[DELIMITER];

	for (;;) {
		const char *piece, *end = s->first.len ? memmem(s->first.data, s->first.len, nuls, DELIMITER) : NULL;
		size_t len;
		int r;

		if (end) {
			*ret_len = (size_t)(end - s->first.data);
			return 0;
		}
		if (s->first.len > PRELUDE_MAX)
			return -EBADMSG;
		r = fn_h1_exchange_read(&s->x, &piece, &len);
		if (r <= 0)
			return r < 0 ? r : -EBADMSG;
		if (fn_buf_add(&s->first, piece, len) < 0)
			return -ENOMEM;
	}
}

static int begin(struct stream *s, struct fn_gw_result *result)
{
	const char *type = fn_h1_header(&s->x.h, "Content-Type");
	bool prelude = type && strncasecmp(type, PRELUDE_TYPE, strlen(PRELUDE_TYPE)) == 0;
	size_t len;
	int r;

	if (!prelude) {
		*result = (struct fn_gw_result){.status = 200};
		return fn_gw_result_add(result, "Content-Type", type ? type : STREAM_TYPE);
	}
	r = read_prelude(s, &len);
	if (r < 0)
		return r;
	s->first_at = len + DELIMITER;
	return fn_gw_prelude(s->first.data, len, STREAM_TYPE, result);
}

/* Then there are to be no chunks either, of which libmicrohttpd sends the last all the same. */
static bool has_no_body(const struct fn_gw_call *c, unsigned status) { return strcmp(c->method, "HEAD") == 0 || status == 204 || status == 304; }

static enum MHD_Result streamed(struct fn_gw_call *c, struct fn_h1_exchange *x)
{
	struct stream *s = calloc(1, sizeof(*s));
	struct fn_gw_result result = {0};
	struct MHD_Response *m = NULL;

	if (!s)
		return MHD_NO;
	s->conn = c->conn;
	s->x = *x;
	*x = (struct fn_h1_exchange){.fd = -EBADF};
	if (fn_h1_header(&s->x.h, "X-Amz-Function-Error") || begin(s, &result) < 0) {
		stream_free(s);
		fn_gw_result_free(&result);
		return fn_gw_bad_gateway(c);
	}
	m = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, next_piece, s, stream_free);
	if (!m)
		stream_free(s);
	else if (fn_gw_add_headers(c, m, &result) < 0 ||
		 (has_no_body(c, result.status) && MHD_set_response_options(m, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END) != MHD_YES)) {
		MHD_destroy_response(m);
		fn_gw_result_free(&result);
		return fn_gw_bad_gateway(c);
	}
	enum MHD_Result r = fn_gw_queue(c, result.status, m);

	fn_gw_result_free(&result);
	return r;
}

/* --- both --- */
enum MHD_Result fn_gw_relay(struct fn_gw_call *c, struct fn_h1_exchange *x)
{
	const char *trace = fn_h1_header(&x->h, "X-Amzn-Trace-Id");

	if (trace)
		(void)fn_str_format(c->trace_id, sizeof(c->trace_id), "%s", trace);
	switch (x->h.status) {
	case 200:
		return c->route->streams ? streamed(c, x) : whole(c, x);
	case 413:
		return fn_gw_too_large(c);
	case 429:
		return fn_gw_too_many(c);
	case 404: /* what the URL leads to has gone */
	case 403:
		return fn_gw_forbidden(c);
	default:
		return x->h.status >= 500 ? fn_gw_refuse(c, 500, "ServiceException", "application/json", "{\"Message\":\"Internal Server Error\"}") : fn_gw_bad_gateway(c);
	}
}
