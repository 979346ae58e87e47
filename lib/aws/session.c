/* session.c - see session.h. A token is base64 of HMAC-SHA256 and what it is of: the claims as JSON. The key's secret is another HMAC of the same. */
#include "aws/session.h"

#include <errno.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

#define MAC 32

static void mac(const uint8_t secret[FN_SESSION_SECRET], const char *what, const char *key_id, const char *text, size_t len, uint8_t out[MAC])
{
	struct hmac_sha256_ctx c;

	hmac_sha256_set_key(&c, FN_SESSION_SECRET, secret);
	hmac_sha256_update(&c, strlen(what) + 1, (const uint8_t *)what);
	hmac_sha256_update(&c, strlen(key_id) + 1, (const uint8_t *)key_id);
	hmac_sha256_update(&c, len, (const uint8_t *)text);
	hmac_sha256_digest(&c, MAC, out);
}

static int secret_key(const uint8_t secret[FN_SESSION_SECRET], const char *key_id, const char *text, size_t len, char ret[FN_SESSION_SECRET_KEY_SIZE])
{
	fn_auto_free char *b64 = NULL;
	uint8_t m[MAC];

	mac(secret, "secret key", key_id, text, len, m);
	if (fn_base64_encode(m, 30, &b64) < 0)
		return -ENOMEM;
	memcpy(ret, b64, FN_SESSION_SECRET_KEY_SIZE);
	return 0;
}

int fn_session_mint(const uint8_t secret[FN_SESSION_SECRET], const char *key_id, const json_t *claims, char **ret_token, char ret_secret_key[FN_SESSION_SECRET_KEY_SIZE])
{
	fn_auto_free char *text = json_dumps(claims, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;
	fn_auto_free uint8_t *whole = malloc(MAC + len);

	if (!text || !whole || secret_key(secret, key_id, text, len, ret_secret_key) < 0)
		return -ENOMEM;
	mac(secret, "token", key_id, text, len, whole);
	memcpy(whole + MAC, text, len);
	return fn_base64_encode(whole, MAC + len, ret_token);
}

int fn_session_open(const uint8_t secret[FN_SESSION_SECRET], const char *key_id, const char *token, json_t **ret_claims, char ret_secret_key[FN_SESSION_SECRET_KEY_SIZE])
{
	fn_auto_free uint8_t *whole = NULL;
	size_t n = strlen(token), len;
	uint8_t m[MAC];
	json_t *claims;

	if (n > FN_SESSION_TOKEN_MAX || fn_base64_decode(token, n, &whole, &len) < 0 || len <= MAC)
		return -EBADMSG;
	mac(secret, "token", key_id, (const char *)whole + MAC, len - MAC, m);
	if (!memeql_sec(m, whole, MAC))
		return -EBADMSG;
	claims = json_loadb((const char *)whole + MAC, len - MAC, 0, NULL);
	if (!claims || secret_key(secret, key_id, (const char *)whole + MAC, len - MAC, ret_secret_key) < 0) {
		json_decref(claims);
		return -ENOMEM;
	}
	*ret_claims = claims;
	return 0;
}
