/* sigv4.c - the Authorization header of a request, or what its query has instead of one, verified against the key that it names (caller.h, aws/sigv4.h). */
#include <string.h>
#include <strings.h>

#include "api/caller.h"
#include "api/internal.h"
#include "api/receive.h"
#include "aws/authorization.h"
#include "base/cleanup.h"
#include "base/str.h"

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

/* IAM is one for all regions, and so is STS for those who do not ask for a region's. */
static bool scoped(const struct fn_authorization *p, const char *region, enum fn_aws_service s, struct fn_buf *why)
{
	return fn_authorization_scoped(p, s == FN_AWS_IAM || s == FN_AWS_STS ? p->region : region, fn_aws_service(s)->name, why);
}

#define TOKEN "X-Amz-Security-Token"

struct signs {
	const struct fn_authorization *p;
	struct fn_buf *why;
	bool all;
};

static bool look_signed(void *arg, const char *name, const char *value)
{
	struct signs *s = arg;

	(void)value;
	s->all = fn_authorization_covers(s->p, name, s->why);
	return s->all;
}

static bool all_signed(const struct fn_http_req *req, const struct fn_authorization *p, struct fn_buf *why)
{
	struct signs s = {p, why, true};

	fn_http_req_each_header(req, look_signed, &s);
	return s.all;
}

struct look {
	const char *name, *found;
	unsigned nth; /* so many are passed over */
};

static bool look_nth(void *arg, const char *name, const char *value)
{
	struct look *l = arg;

	if (strcasecmp(name, l->name) == 0 && l->nth-- == 0)
		l->found = value;
	return !l->found;
}

static const char *header_of(void *arg, const char *name, unsigned nth)
{
	struct look l = {.name = name, .nth = nth};

	fn_http_req_each_header(arg, look_nth, &l);
	return l.found;
}

/* In its header, or in the query of a presigned address. */
static const char *token_of(const struct fn_http_req *req, struct fn_buf *room)
{
	const char *header = fn_http_req_header(req, TOKEN);

	if (header)
		return header;
	return strstr(fn_http_req_raw_query(req), "X-Amz-Security-Token=") && fn_aws_query(fn_http_req_raw_query(req), "X-Amz-Security-Token", 0, room) == 0 ? room->data : NULL;
}

/* All but the signature: p is what the request says of it, *ret whose it would be, which is looked up unless it is known. */
static const struct fn_aws_error *look_at_head(struct fn_api *api, const struct fn_http_req *req, bool known, struct fn_authorization *p, struct fn_key *ret, struct fn_buf *why)
{
	const char *header = fn_http_req_header(req, "Authorization"), *date = fn_http_req_header(req, "X-Amz-Date"), *query = fn_http_req_raw_query(req);
	fn_auto_buf struct fn_buf room = {0};
	const struct fn_aws_error *wrong;

	wrong = fn_authorization_read(header, date, query, p, why);
	if (!wrong && fn_http_req_header(req, TOKEN) && !fn_authorization_covers(p, TOKEN, why)) /* anybody may have put it there */
		return &FN_E_BAD_SIGNATURE;
	if (!wrong && !known)
		wrong = fn_key_find(api, p->key_id, token_of(req, &room), ret, why);
	if (wrong)
		return wrong;
	return scoped(p, api->cfg.region, service_of(req), why) && fn_authorization_fresh(p, why) && all_signed(req, p, why) ? NULL : &FN_E_BAD_SIGNATURE;
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
	struct fn_sigv4 r = {.method = fn_http_req_method(req), .path = fn_http_req_path(req), .query = fn_http_req_raw_query(req), .header = header_of, .arg = req};
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
	return fn_authorization_verify(&p, &r, key, sha, why);
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
