/*
 * streams.c - results in pieces: InvokeWithResponseStream's event stream (PayloadChunk, ..., InvokeComplete), or the same raw for fnd's own gateway.
 *
 * What the runtime sends leaves at once, piece by piece, and nothing is kept but the one that the client does not take: the function then waits with it.
 * A client that goes away is not told to anybody: the function runs on, what it sends is dropped. Errors (AWS's runtime interface emulator has the same
 * names in core/directinvoke): what a function or its end brings before the first byte is a chunk, and `Unhandled` with the error's JSON in InvokeComplete; in
 * mid-stream the trailers' type and body, or Runtime.TruncatedResponse, Sandbox.Timedout, Function.ResponseSizeTooLarge.
 *
 * Raw (header X-Fnd-Framing: raw, on listeners of this machine's own only): Content-Type is the runtime's; a function error before the first byte has
 * X-Amz-Function-Error, one in mid-stream the trailers X-Fnd-Error-Code and X-Fnd-Error-Details.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/results.h"
#include "aws/eventstream.h"
#include "base/cleanup.h"
#include "base/str.h"

#define DETAILS_MAX 262144u    /* of an error, in InvokeComplete */
#define RAW_DETAILS_MAX 4096u  /* in a trailer */
#define PLATFORM_ERROR "Sandbox.Failure"

static void on_room(void *arg) { fn_invocation_room(arg); }

static void begin(struct fn_invocation *inv, const char *content_type, enum fn_response_mode mode)
{
	const struct fn_result *r = inv->arg;
	const char *type = content_type && *content_type ? content_type : "application/octet-stream";

	fn_result_headers(r, inv);
	if (r->raw)
		(void)fn_http_req_add_header(r->req, "X-Fnd-Response-Mode", mode == FN_RESPONSE_STREAMING ? "streaming" : "buffered");
	else
		(void)fn_http_req_add_header(r->req, "X-Amzn-Remapped-Content-Type", type);
	fn_http_reply_begin(r->req, 200, r->raw ? type : FN_EVENT_STREAM_TYPE);
	fn_http_reply_on_drained(r->req, on_room, inv); /* which lives until it is complete; after that nobody waits */
}

static bool write_event(const struct fn_result *r, const char *type, const char *content_type, const void *data, size_t len)
{
	struct fn_event e;

	if (fn_event_make(&e, type, content_type, data, len) < 0)
		return false;
	return fn_http_reply_write_parts(r->req, (struct iovec[]){{e.head, e.head_len}, {(void *)data, len}, {e.tail, sizeof(e.tail)}}, 3);
}

static bool write_piece(struct fn_invocation *inv, const void *data, size_t len)
{
	const struct fn_result *r = inv->arg;

	if (r->raw)
		return fn_http_reply_write(r->req, data, len);
	return write_event(r, "PayloadChunk", "application/octet-stream", data, len);
}

/* --- the end --- */
struct why { /* it is not whole; code NULL: it is */
	const char *code, *details;
	size_t details_len;
};

static void set_text(json_t *o, const char *name, const char *text, size_t len)
{
	fn_auto_buf struct fn_buf clean = {0};

	if (text && fn_buf_add_utf8(&clean, text, len < DETAILS_MAX ? len : DETAILS_MAX) == 0)
		json_object_set_new(o, name, json_stringn(clean.data ? clean.data : "", clean.len));
}

static void write_complete(const struct fn_result *r, const struct fn_invocation *inv, const struct why *why)
{
	json_t *o = json_object();
	fn_auto_free char *tail = NULL, *text = NULL;

	if (why->code)
		set_text(o, "ErrorCode", why->code, strlen(why->code));
	if (why->code)
		set_text(o, "ErrorDetails", why->details, why->details_len);
	if (inv->tail && inv->tail_len && fn_base64_encode(inv->tail, inv->tail_len, &tail) == 0)
		json_object_set_new(o, "LogResult", json_string(tail));
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text)
		(void)write_event(r, "InvokeComplete", "application/json", text, strlen(text));
}

static void end_raw(const struct fn_result *r, const struct why *why)
{
	struct fn_h1_header trailers[2] = {{"X-Fnd-Error-Code", why->code}};
	char details[RAW_DETAILS_MAX];
	size_t len = why->details_len < sizeof(details) ? why->details_len : sizeof(details) - 1;

	if (why->details) {
		memcpy(details, why->details, len);
		details[len] = '\0';
		trailers[1] = (struct fn_h1_header){"X-Fnd-Error-Details", details};
	}
	fn_http_reply_end(r->req, trailers, !why->code ? 0 : why->details ? 2 : 1);
}

static void finish(struct fn_invocation *inv, const struct why *why)
{
	struct fn_result *r = inv->arg;

	if (r->raw) {
		end_raw(r, why);
	} else {
		write_complete(r, inv, why);
		fn_http_reply_end(r->req, NULL, 0);
	}
	free(r);
}

static void end(struct fn_invocation *inv)
{
	if (!inv->begun)
		begin(inv, inv->result_type ? inv->result_type : "application/json", FN_RESPONSE_BUFFERED);
	if (inv->result_len > 0)
		(void)write_piece(inv, inv->result, inv->result_len);
	finish(inv, &(struct why){0});
}

/* Nothing has been sent: the error is the answer. */
static void fail_at_once(struct fn_invocation *inv)
{
	const struct fn_result *r = inv->arg;
	struct why why = {.code = r->raw ? NULL : "Unhandled", .details = inv->result, .details_len = inv->result_len};

	if (r->raw)
		(void)fn_http_req_add_header(r->req, "X-Amz-Function-Error", "Unhandled");
	begin(inv, "application/json", FN_RESPONSE_BUFFERED);
	if (inv->result_len > 0)
		(void)write_piece(inv, inv->result, inv->result_len);
	finish(inv, &why);
}

static void fail(struct fn_invocation *inv)
{
	struct fn_result *r = inv->arg;
	struct why why = {.code = inv->error_type ? inv->error_type : "Unhandled", .details = inv->result, .details_len = inv->result_len};
	char text[512];

	if (!inv->begun && inv->outcome == FN_INV_REFUSED) {
		fn_result_refuse(r, inv);
		free(r);
		return;
	}
	if (!inv->begun) {
		fail_at_once(inv);
		return;
	}
	if (inv->outcome == FN_INV_REFUSED) {
		why.code = PLATFORM_ERROR;
		why.details = fn_err_format(&inv->err, text, sizeof(text));
		why.details_len = strlen(why.details);
	}
	finish(inv, &why);
}

/* Only who has come by a listener that the kernel vouches for. */
static bool raw_wanted(const struct fn_call *call)
{
	return fn_http_req_role(call->req) != FN_HTTP_PUBLIC && fn_http_req_role(call->req) != FN_HTTP_SANDBOX && fn_streq(fn_http_req_header(call->req, "X-Fnd-Framing"), "raw");
}

int fn_result_stream(struct fn_call *call, struct fn_invocation *inv)
{
	static const struct fn_sink sink = {.begin = begin, .write = write_piece, .end = end, .fail = fail};
	struct fn_result *r = fn_result_new(call);

	if (!r)
		return -ENOMEM;
	r->raw = raw_wanted(call);
	inv->sink = &sink;
	inv->arg = r;
	return 0;
}
