/*
 * rtresult.c - see rtapi_internal.h: what a runtime brings of an invocation. A result that is wanted in pieces goes to the invocation's sink as it comes, whether the
 * runtime calls it streaming or not; the connection rests while the sink has no room, and what the kernel takes of it meanwhile is bounded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/rtapi_internal.h"
#include "web/json_scan.h"

#define ENVELOPE_MAX (1u << 20)
#define MIME_CAUSE "application/vnd.aws.lambda.error.cause+json"
#define MODE "Lambda-Runtime-Function-Response-Mode"
#define ERROR_TYPE "Lambda-Runtime-Function-Error-Type"
#define ERROR_BODY "Lambda-Runtime-Function-Error-Body"

/* application/vnd.aws.lambda.error.cause+json is an envelope: its X-Ray cause is dropped, the error itself kept. One that is longer than any stays as it is. */
static char *unwrap_cause(char *body, size_t *len)
{
	static const char *const keys[] = {"errorMessage", "errorType", "stackTrace"};
	fn_auto_buf struct fn_buf kept = {0};
	const char *value;
	size_t n;

	if (*len > ENVELOPE_MAX || !fn_json_valid(body, *len, NULL) || body[strspn(body, " \t\r\n")] != '{')
		return body;
	for (size_t i = 0; i < 3; i++)
		if (fn_json_value(body, *len, keys[i], &value, &n))
			(void)fn_buf_addf(&kept, "%s\"%s\":%.*s", kept.len ? "," : "{", keys[i], (int)n, value);
	if (fn_buf_add_str(&kept, kept.len ? "}" : "{}") < 0)
		return body;
	free(body);
	return fn_buf_take(&kept, len);
}

char *fn_rt_take_error(const struct fn_h1 *req, struct fn_buf *posted, size_t *len)
{
	const char *type = fn_h1_header(req, "Content-Type");
	char *body = fn_buf_take(posted, len);

	return body && type && fn_str_starts(type, MIME_CAUSE) ? unwrap_cause(body, len) : body;
}

bool fn_rt_is_current(const struct fn_rt *rt, const char *id, size_t id_len)
{
	return rt->state == FN_RT_RUNNING && rt->inv && strlen(rt->inv->id) == id_len && memcmp(rt->inv->id, id, id_len) == 0;
}

/* None: all of it at its end. */
static const char *mode_of(const struct fn_h1 *req)
{
	const char *mode = fn_h1_header(req, MODE);

	return fn_str_empty(mode) ? NULL : mode;
}

/* --- in pieces --- */
static void on_room(void *arg)
{
	struct fn_rt *rt = arg;

	if (rt->streaming)
		fn_h1_conn_resume(rt->streaming);
}

/* What comes from now on is nobody's. */
static void leave(struct fn_rt *rt)
{
	rt->streaming = NULL;
	rt->state = FN_RT_RESPONDED;
	fn_invocation_leave(rt->inv);
	fn_invocation_unref(fn_take_ptr(rt->inv));
}

size_t fn_rt_result_begins(struct fn_rt *rt, struct fn_h1_conn *c, struct fn_h1 *req, bool is_error)
{
	const char *mode = mode_of(req);
	bool streaming = mode && strcasecmp(mode, "streaming") == 0;

	if (is_error || (mode && !streaming) || !fn_invocation_streams(rt->inv) || !rt->ops->on_begin || !rt->ops->on_begin(rt->arg))
		return FN_RESPONSE_MAX;
	rt->streaming = c;
	rt->written = 0;
	rt->stream_max = streaming ? FN_STREAM_MAX : FN_RESPONSE_MAX;
	req->take = FN_H1_PIECES;
	fn_h1_conn_bound_input(c, true);
	fn_invocation_begin(rt->inv, fn_h1_header(req, "Content-Type"), streaming ? FN_RESPONSE_STREAMING : FN_RESPONSE_BUFFERED, on_room, rt);
	return SIZE_MAX; /* it is counted here, so that more ends it at once */
}

void fn_rt_result_piece(struct fn_rt *rt, struct fn_h1_conn *c, const char *data, size_t len)
{
	size_t n = rt->stream_max - rt->written;
	bool waits;

	if (rt->streaming != c)
		return;
	n = len < n ? len : n;
	rt->written += n;
	waits = fn_invocation_write(rt->inv, data, n);
	if (n < len) {
		leave(rt);
		fn_rt_reply_error(rt, c, 413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size.");
		rt->ops->on_too_large(rt->arg);
	} else if (waits) {
		fn_h1_conn_pause(c);
	}
}

void fn_rt_result_cut(struct fn_rt *rt, struct fn_h1_conn *c)
{
	if (rt->posting != c || !rt->posts_result || rt->state != FN_RT_RUNNING)
		return;
	leave(rt);
	rt->ops->on_truncated(rt->arg);
}

/* The error that a stream ends with; malloc'ed, NULL = it says no more than its type. */
static char *trailers_error(const struct fn_h1 *req, size_t *len)
{
	const char *b64 = fn_h1_trailer(req, ERROR_BODY);
	uint8_t *decoded = NULL;

	*len = 0;
	if (!b64 || fn_base64_decode(b64, strlen(b64), &decoded, len) < 0)
		return NULL;
	return (char *)decoded;
}

/* All of it has gone to the sink. */
static void end_stream(struct fn_rt *rt, struct fn_h1_conn *c, const struct fn_h1 *req)
{
	const char *trailer = fn_h1_trailer(req, ERROR_TYPE);
	char error_type[128];
	size_t len = rt->written;
	char *body;

	leave(rt);
	fn_h1_conn_bound_input(c, false);
	snprintf(error_type, sizeof(error_type), "%s", trailer ? trailer : "");
	body = error_type[0] ? trailers_error(req, &len) : NULL;
	fn_rt_reply_ok(rt, c); /* the request has ended, and its strings with it */
	if (error_type[0])
		rt->ops->on_error(rt->arg, body, len, error_type);
	else
		rt->ops->on_response(rt->arg, NULL, len, "");
}

/* --- whole --- */
void fn_rt_result(struct fn_rt *rt, struct fn_h1_conn *c, struct fn_h1 *req, const char *id, size_t id_len, bool is_error)
{
	const char *type = fn_h1_header(req, ERROR_TYPE), *mode = mode_of(req), *trailer = fn_h1_trailer(req, ERROR_TYPE);
	char *body, error_type[128], content_type[256];
	const char *ct = fn_h1_header(req, "Content-Type");
	size_t len = 0;

	if (!fn_rt_is_current(rt, id, id_len)) {
		fn_rt_reply_error(rt, c, 400, "InvalidRequestID", "Invalid request ID");
		return;
	}
	if (rt->posting) { /* another connection is at it */
		fn_rt_reply_state(rt, c, "RuntimeInvocationResponse");
		return;
	}
	if (rt->streaming == c) {
		end_stream(rt, c, req);
		return;
	}
	if (mode && !is_error && strcasecmp(mode, "streaming") != 0) {
		fn_rt_reply_error(rt, c, 400, "InvalidFunctionResponseMode", "Invalid function response mode");
		leave(rt);
		rt->ops->on_invalid_mode(rt->arg);
		return;
	}
	if (req->too_large) {
		fn_rt_reply_error(rt, c, 413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes).");
		rt->state = FN_RT_RESPONDED;
		fn_invocation_unref(fn_take_ptr(rt->inv));
		rt->ops->on_too_large(rt->arg);
		return;
	}
	snprintf(error_type, sizeof(error_type), "%s", type ? type : "");
	snprintf(content_type, sizeof(content_type), "%s", ct ? ct : "");
	if (!is_error && !fn_str_empty(trailer)) { /* a stream that failed half-way */
		is_error = true;
		snprintf(error_type, sizeof(error_type), "%s", trailer);
		body = trailers_error(req, &len);
		if (!body)
			body = fn_buf_take(&req->body, &len);
	} else {
		body = is_error ? fn_rt_take_error(req, &req->body, &len) : fn_buf_take(&req->body, &len);
	}
	fn_rt_reply_ok(rt, c);
	rt->state = FN_RT_RESPONDED;
	fn_invocation_unref(fn_take_ptr(rt->inv));
	if (is_error)
		rt->ops->on_error(rt->arg, body, len, error_type);
	else
		rt->ops->on_response(rt->arg, body, len, content_type);
}
