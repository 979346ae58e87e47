/* signed.c - see signed.h. */
#include "service/signed.h"

#include <string.h>
#include <strings.h>

#include "aws/route.h"

struct signs {
	const struct fn_authorization *a;
	struct fn_buf *why;
	bool all;
};

static bool look_signed(void *arg, const char *name, const char *value)
{
	struct signs *s = arg;

	(void)value;
	s->all = fn_authorization_covers(s->a, name, s->why);
	return s->all;
}

static bool all_signed(const struct fn_http_req *req, const struct fn_authorization *a, struct fn_buf *why)
{
	struct signs s = {a, why, true};

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

const char *fn_signed_token(const struct fn_http_req *req, struct fn_buf *room)
{
	const char *header = fn_http_req_header(req, FN_SIGNED_TOKEN), *query = fn_http_req_raw_query(req);

	if (header)
		return header;
	return strstr(query, "X-Amz-Security-Token=") && fn_aws_query(query, FN_SIGNED_TOKEN, 0, room) == 0 ? room->data : NULL;
}

const struct fn_aws_error *fn_signed_read(const struct fn_http_req *req, struct fn_authorization *ret, struct fn_buf *why)
{
	const char *header = fn_http_req_header(req, "Authorization"), *date = fn_http_req_header(req, "X-Amz-Date");
	const struct fn_aws_error *wrong = fn_authorization_read(header, date, fn_http_req_raw_query(req), ret, why);

	if (!wrong && fn_http_req_header(req, FN_SIGNED_TOKEN) && !fn_authorization_covers(ret, FN_SIGNED_TOKEN, why)) /* anybody may have put it there */
		wrong = &FN_E_BAD_SIGNATURE;
	return wrong;
}

bool fn_signed_good(const struct fn_http_req *req, const struct fn_authorization *a, const char *region, const char *service, struct fn_buf *why)
{
	return fn_authorization_scoped(a, region, service, why) && fn_authorization_fresh(a, why) && all_signed(req, a, why);
}

const struct fn_aws_error *fn_signed_verify(struct fn_http_req *req, const struct fn_authorization *a, const uint8_t key[FN_SIGV4_KEY], const char *body_sha256, struct fn_buf *why)
{
	const struct fn_sigv4 r = {.method = fn_http_req_method(req), .path = fn_http_req_path(req), .query = fn_http_req_raw_query(req), .header = header_of, .arg = req};

	return fn_authorization_verify(a, &r, key, body_sha256, why);
}
