/* sigv4.c - the Authorization header of a request, or what its query has instead of one, verified against the configured credentials (aws/sigv4.h). */
#include <strings.h>

#include "api/internal.h"
#include "api/receive.h"
#include "base/str.h"
#include "aws/authorization.h"

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

/* All but the signature: p is what the request says of it, *ret whose it would be. */
static const struct fn_aws_error *look_at_head(const struct fn_api_config *cfg, const struct fn_http_req *req, struct fn_authorization *p,
					       const struct fn_credential **ret, struct fn_buf *why)
{
	const char *header = fn_http_req_header(req, "Authorization"), *date = fn_http_req_header(req, "X-Amz-Date"), *query = fn_http_req_raw_query(req);
	const struct fn_aws_error *wrong;

	*ret = NULL;
	wrong = fn_authorization_read(header, date, query, p, why);
	if (wrong)
		return wrong;
	for (size_t i = 0; i < cfg->n_credentials; i++)
		if (fn_streq(cfg->credentials[i].access_key_id, p->key_id))
			*ret = &cfg->credentials[i];
	if (!*ret) {
		(void)fn_buf_add_str(why, "The security token included in the request is invalid.");
		return &FN_E_UNKNOWN_CLIENT;
	}
	return scoped(p, cfg->region, service_of(req), why) && fn_authorization_fresh(p, why) && all_signed(req, p, why) ? NULL : &FN_E_BAD_SIGNATURE;
}

const struct fn_aws_error *fn_sigv4_before(const struct fn_api_config *cfg, const struct fn_http_req *req, struct fn_buf *why)
{
	const struct fn_credential *c;
	struct fn_authorization p;

	return look_at_head(cfg, req, &p, &c, why);
}

const struct fn_aws_error *fn_sigv4_verify(const struct fn_api_config *cfg, struct fn_http_req *req, fn_body_sha256_fn body_sha256, struct fn_buf *why)
{
	const struct fn_credential *c;
	const struct fn_aws_error *denied;
	struct fn_sigv4 r = {.method = fn_http_req_method(req), .path = fn_http_req_path(req), .query = fn_http_req_raw_query(req), .header = header_of, .arg = req};
	struct fn_authorization p;
	uint8_t key[FN_SIGV4_KEY];
	char sha[65];

	denied = look_at_head(cfg, req, &p, &c, why);
	if (denied)
		return denied;
	if (fn_sigv4_key(c->secret_access_key, p.date, p.region, p.service, key) < 0) {
		(void)fn_buf_add_str(why, "out of memory");
		return &FN_E_SERVICE;
	}
	body_sha256(req, sha);
	return fn_authorization_verify(&p, &r, key, sha, why);
}
