/* reply.c - the ordinary replies; errors are refusals.c's. */
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/str.h"

void fn_reply_text(struct fn_call *call, unsigned status, const char *content_type, char *text, size_t len)
{
	(void)fn_http_req_add_header(call->req, "x-amzn-RequestId", call->request_id);
	fn_http_reply_owned(call->req, status, content_type, text ? text : "", text ? len : 0, free, text);
}

void fn_reply_json(struct fn_call *call, unsigned status, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15));

	json_decref(body);
	fn_reply_text(call, status, "application/json", text, text ? strlen(text) : 0);
}

char *fn_sha256_base64(const char *sha256_hex)
{
	uint8_t digest[32];
	char *b64;

	return fn_hex_decode(sha256_hex, 64, digest) == 0 && fn_base64_encode(digest, sizeof(digest), &b64) == 0 ? b64 : NULL;
}

void fn_reply_empty(struct fn_call *call, unsigned status)
{
	(void)fn_http_req_add_header(call->req, "x-amzn-RequestId", call->request_id);
	fn_http_reply(call->req, status, "application/json", NULL, 0);
}
