/* record.c - see record.h. */
#include "events/record.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "web/json_scan.h"

static int add_string(struct fn_buf *b, const char *text, size_t len)
{
	fn_auto_buf struct fn_buf clean = {0};
	json_t *s;
	char *printed;
	int r = fn_buf_add_utf8(&clean, text, len);

	s = r == 0 ? json_stringn(clean.data ? clean.data : "", clean.len) : NULL;
	printed = s ? json_dumps(s, JSON_ENCODE_ANY) : NULL;
	json_decref(s);
	r = printed ? fn_buf_add_str(b, printed) : -ENOMEM;
	free(printed);
	return r;
}

static int add_payload(struct fn_buf *b, const char *member, const char *text, size_t len)
{
	int r = fn_buf_addf(b, ",\"%s\":", member);

	if (r < 0)
		return r;
	if (len == 0)
		return fn_buf_add_str(b, "null");
	return fn_json_valid(text, len, NULL) ? fn_buf_add(b, text, len) : add_string(b, text, len);
}

static int add(struct fn_buf *b, const struct fn_invocation_record *r, bool payloads)
{
	char time[32];
	int e = fn_buf_addf(b, "{\"version\":\"1.0\",\"timestamp\":\"%s\",\"requestContext\":{\"requestId\":\"%s\",\"functionArn\":\"%s\",\"condition\":\"%s\",\"approximateInvokeCount\":%u}",
			    fn_clock_format_rfc3339(r->now_us, time, sizeof(time)), r->request_id, r->function_arn, fn_condition_name(r->condition), r->invokes);

	if (e == 0 && payloads)
		e = add_payload(b, "requestPayload", r->request_len ? r->request : "{}", r->request_len ? r->request_len : 2);
	if (e == 0 && r->version)
		e = fn_buf_addf(b, ",\"responseContext\":{\"statusCode\":200,\"executedVersion\":\"%s\"%s}", r->version, r->failed ? ",\"functionError\":\"Unhandled\"" : "");
	if (e == 0 && r->version && payloads)
		e = add_payload(b, "responsePayload", r->response, r->response_len);
	return e == 0 ? fn_buf_add_str(b, "}") : e;
}

int fn_record_add(struct fn_buf *b, const struct fn_invocation_record *r, size_t most)
{
	size_t at = b->len;
	int e = add(b, r, true);

	if (e < 0 || b->len - at <= most)
		return e;
	b->len = at;
	return add(b, r, false);
}
