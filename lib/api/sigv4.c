/* sigv4.c - the Authorization header of a request, or what its query has instead of one, verified against the key that it names (caller.h, aws/sigv4.h). */
#include "api/caller.h"
#include "api/internal.h"
#include "api/receive.h"
#include "base/cleanup.h"
#include "service/signed.h"

/* Whose request it says it is. */
static enum fn_aws_service service_of(const struct fn_http_req *req)
{
	struct fn_aws_head h = {.method = fn_http_req_method(req), .path = fn_http_req_path(req), .query = fn_http_req_raw_query(req)};
	enum fn_aws_service s;

	if (fn_aws_path_is_rest(h.path))
		return FN_AWS_LAMBDA;
	h.target = fn_http_req_header(req, "X-Amz-Target");
	h.content_type = fn_http_req_header(req, "Content-Type");
	h.authorization = fn_http_req_header(req, "Authorization");
	s = fn_aws_service_of(&h);
	return s < FN_AWS_SERVICES ? s : FN_AWS_LAMBDA;
}

/* All but the signature: p is what the request says of it, *ret whose it would be, which is looked up unless it is known. IAM is one for all regions, and so is STS for
 * those who do not ask for a region's. */
static const struct fn_aws_error *look_at_head(struct fn_api *api, const struct fn_http_req *req, bool known, struct fn_authorization *p, struct fn_key *ret, struct fn_buf *why)
{
	fn_auto_buf struct fn_buf room = {0};
	const struct fn_aws_error *wrong = fn_signed_read(req, p, why);
	enum fn_aws_service s;

	if (!wrong && !known)
		wrong = fn_key_find(api, p->key_id, fn_signed_token(req, &room), ret, why);
	if (wrong)
		return wrong;
	s = service_of(req);
	return fn_signed_good(req, p, s == FN_AWS_IAM || s == FN_AWS_STS ? p->region : api->cfg.region, fn_aws_service(s)->name, why) ? NULL : &FN_E_BAD_SIGNATURE;
}

const struct fn_aws_error *fn_sigv4_before(struct fn_api *api, const struct fn_http_req *req, struct fn_buf *why)
{
	struct fn_authorization p;
	struct fn_key key;

	return look_at_head(api, req, false, &p, &key, why);
}

static const struct fn_aws_error *verify(struct fn_api *api, struct fn_http_req *req, bool known, struct fn_key *ret, fn_body_sha256_fn body_sha256, struct fn_buf *why)
{
	const struct fn_aws_error *denied;
	struct fn_authorization p;
	uint8_t key[FN_SIGV4_KEY];
	char sha[65];

	denied = look_at_head(api, req, known, &p, ret, why);
	if (denied)
		return denied;
	if (fn_sigv4_key(ret->secret, p.date, p.region, p.service, key) < 0) {
		(void)fn_buf_add_str(why, "out of memory");
		return &FN_E_SERVICE;
	}
	body_sha256(req, sha);
	return fn_signed_verify(req, &p, key, sha, why);
}

const struct fn_aws_error *fn_sigv4_verify(struct fn_api *api, struct fn_http_req *req, fn_body_sha256_fn body_sha256, struct fn_key *ret, struct fn_buf *why)
{
	return verify(api, req, false, ret, body_sha256, why);
}

const struct fn_aws_error *fn_sigv4_verify_by(struct fn_api *api, struct fn_http_req *req, fn_body_sha256_fn body_sha256, const char *secret, struct fn_buf *why)
{
	struct fn_key key = {.secret = secret};

	return verify(api, req, true, &key, body_sha256, why);
}
