/* download.c - Code.Location of a function and Content.Location of a layer: an address that serves the package to whoever holds it, for ten minutes, without a signature. */
#include <inttypes.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/clock.h"
#include "base/str.h"
#include "image/blobs.h"

#define VALID_US (600ull * 1000000u)

static void token_of(struct fn_api *api, const char *sha256_hex, uint64_t expires_s, char out[65])
{
	struct hmac_sha256_ctx ctx;
	uint8_t digest[32];
	char text[128];
	int n = snprintf(text, sizeof(text), "%s %" PRIu64, sha256_hex, expires_s);

	hmac_sha256_set_key(&ctx, sizeof(api->url_key), api->url_key);
	hmac_sha256_update(&ctx, (size_t)n, (const uint8_t *)text);
	hmac_sha256_digest(&ctx, sizeof(digest), digest);
	fn_hex_encode(digest, sizeof(digest), out);
}

char *fn_download_url(struct fn_call *call, const char *sha256_hex)
{
	uint64_t expires = (fn_clock_real_us() + VALID_US) / 1000000u;
	const char *host = fn_http_req_header(call->req, "Host");
	char token[65], *url;

	token_of(call->api, sha256_hex, expires, token);
	return asprintf(&url, "http://%.256s/_fnd/code/%s?expires=%" PRIu64 "&token=%s", host ? host : "localhost", sha256_hex, expires, token) < 0 ? NULL : url;
}

void fn_h_download(struct fn_call *call)
{
	const char *expires = fn_http_req_query(call->req, "expires"), *token = fn_http_req_query(call->req, "token");
	char want[65];
	uint64_t size;
	int64_t at;
	int fd;

	if (strlen(call->params[0]) != 64 || !expires || !token || fn_str_to_i64(expires, 0, INT64_MAX, &at) < 0 || strlen(token) != 64) {
		fn_reply_error(call, &FN_E_ACCESS_DENIED, "This address is incomplete; ask GetFunction for a new one.");
		return;
	}
	token_of(call->api, call->params[0], (uint64_t)at, want);
	if (!memeql_sec(want, token, 64) || (uint64_t)at < fn_clock_real_us() / 1000000u) {
		fn_reply_error(call, &FN_E_ACCESS_DENIED, "This address has expired; ask GetFunction for a new one.");
		return;
	}
	fd = fn_blob_open(call->api->cfg.state_dir, call->params[0], &size);
	if (fd < 0)
		fn_reply_no_resource(call);
	else
		fn_http_reply_fd(call->req, 200, "application/zip", fd, size);
}
