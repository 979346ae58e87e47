/* http_req.c - see http_req.h. */
#include "web/http_req_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

#define TEXTS_KEEP 1024u /* memory kept between requests */

void fn_http_req_uncount(struct fn_http_req *r)
{
	if (r->counted > 0)
		fn_bodies_give(r->account, r->peer, r->counted);
	r->counted = 0;
}

void fn_http_req_forget(struct fn_http_req *r)
{
	fn_http_req_uncount(r);
	for (size_t i = 0; i < r->n_decoded; i++)
		free(r->decoded[i]);
	free(fn_take_ptr(r->decoded));
	r->n_decoded = r->n_headers = 0;
	if (r->texts.cap > TEXTS_KEEP)
		fn_buf_free(&r->texts);
	r->texts.len = 0;
	r->crowded = false;
	if (r->user && r->release_user)
		r->release_user(r->user);
	r->user = NULL;
	r->release_user = NULL;
	r->drained = NULL;
	r->gone = NULL;
	r->state = FN_HTTP_NONE;
}

void fn_http_req_free(struct fn_http_req *r)
{
	fn_http_req_forget(r);
	fn_buf_free(&r->texts);
	fn_h1_free(&r->kept);
	if (r->grant && r->release_grant)
		r->release_grant(r->grant);
	fn_http_party_unref(r->party);
	free(r);
}

/* --- the request --- */
const char *fn_http_req_method(const struct fn_http_req *r) { return fn_h1_method(r->h1); }
const char *fn_http_req_path(const struct fn_http_req *r) { return fn_h1_target(r->h1); }
const char *fn_http_req_raw_query(const struct fn_http_req *r) { return fn_h1_target(r->h1) + r->query; }
const char *fn_http_req_header(const struct fn_http_req *r, const char *name) { return fn_h1_header(r->h1, name); }
const char *fn_http_req_trailer(const struct fn_http_req *r, const char *name) { return fn_h1_trailer(r->h1, name); }
enum fn_http_role fn_http_req_role(const struct fn_http_req *r) { return r->role; }
struct fn_http_party *fn_http_req_party(const struct fn_http_req *r) { return r->party; }
bool fn_http_req_secure(const struct fn_http_req *r) { return r->secure; }
bool fn_http_req_address(const struct fn_http_req *r, char *out, size_t size)
{
	return r->from[0] ? fn_str_format(out, size, "%s", r->from) == 0 : r->c && fn_h1_conn_address(r->c, out, size);
}
bool fn_http_req_gone(const struct fn_http_req *r) { return !r->c; }
bool fn_http_req_too_large(const struct fn_http_req *r) { return r->h1->too_large; }
uint64_t fn_http_req_body_left(const struct fn_http_req *r) { return fn_h1_body_left(r->h1); }
bool fn_http_req_body_here(const struct fn_http_req *r) { return r->here; }
void fn_http_req_take(struct fn_http_req *r, enum fn_h1_take take) { r->h1->take = take; }
bool fn_http_req_unread(const struct fn_http_req *r) { return r->h1->take == FN_H1_NOTHING; }
bool fn_http_req_crowded(const struct fn_http_req *r) { return r->crowded; }
void fn_http_req_on_gone(struct fn_http_req *r, void (*fn)(void *arg), void *arg)
{
	r->gone = fn;
	r->gone_arg = arg;
	if (r->c)
		fn_h1_conn_whole(r->c, fn != NULL);
}

void *fn_http_req_user(const struct fn_http_req *r) { return r->user; }

void fn_http_req_set_user(struct fn_http_req *r, void *user, void (*release)(void *user))
{
	r->user = user;
	r->release_user = release;
}

void fn_http_req_pause(struct fn_http_req *r)
{
	if (r->c)
		fn_h1_conn_pause(r->c);
}

void fn_http_req_resume(struct fn_http_req *r)
{
	if (r->c)
		fn_h1_conn_resume(r->c);
}

const char *fn_http_req_query(const struct fn_http_req *req, const char *name)
{
	struct fn_http_req *r = (struct fn_http_req *)req; /* decoded copies are kept with the request */
	size_t n = strlen(name);

	for (const char *p = fn_http_req_raw_query(r); *p;) {
		size_t len = strcspn(p, "&"), key = strcspn(p, "=&");

		if (key == n && memcmp(p, name, n) == 0) {
			size_t skip = key < len ? key + 1 : key;
			char *v = strndup(p + skip, len - skip), **list;

			if (!v)
				return NULL;
			for (char *q = v; *q; q++)
				if (*q == '+')
					*q = ' ';
			list = realloc(r->decoded, (r->n_decoded + 1) * sizeof(*list));
			if (!list || fn_url_decode(v, strlen(v)) < 0) {
				if (list)
					r->decoded = list;
				free(v);
				return NULL;
			}
			r->decoded = list;
			list[r->n_decoded++] = v;
			return v;
		}
		p += len + (p[len] == '&');
	}
	return NULL;
}

void fn_http_req_each_header(const struct fn_http_req *r, bool (*fn)(void *arg, const char *name, const char *value), void *arg)
{
	const char *name, *value;
	unsigned at = 0;

	while (fn_h1_next_header(r->h1, &at, &name, &value) && fn(arg, name, value))
		;
}

void fn_http_req_body(const struct fn_http_req *r, const char **ret_data, size_t *ret_len)
{
	*ret_data = r->h1->body.data ? r->h1->body.data : "";
	*ret_len = r->h1->body.len;
}

char *fn_http_req_take_body(struct fn_http_req *r, size_t *ret_len) { return fn_buf_take(&r->h1->body, ret_len); }

/* --- the reply --- */
int fn_http_req_add_header(struct fn_http_req *r, const char *name, const char *value)
{
	size_t n = strlen(name) + 1, m = strlen(value) + 1;
	struct fn_http_header *h = &r->headers[r->n_headers];

	if (r->n_headers == FN_HTTP_REPLY_HEADERS_MAX)
		return -ENOBUFS;
	if ((r->texts.cap == 0 && fn_buf_reserve(&r->texts, 500) < 0) || fn_buf_reserve(&r->texts, n + m) < 0)
		return -ENOMEM;
	h->name = r->texts.len;
	h->value = h->name + n;
	(void)fn_buf_add(&r->texts, name, n);
	(void)fn_buf_add(&r->texts, value, m);
	r->n_headers++;
	return 0;
}

static void put_headers(struct fn_http_req *r, struct fn_h1_reply *reply, struct fn_h1_header *headers)
{
	for (size_t i = 0; i < r->n_headers; i++)
		headers[i] = (struct fn_h1_header){r->texts.data + r->headers[i].name, r->texts.data + r->headers[i].value};
	reply->headers = headers;
	reply->n_headers = r->n_headers;
	reply->close = r->shared->closing || r->last;
	if (r->state == FN_HTTP_COMING) /* it ends here */
		r->shared->active++;
}

static void reply(struct fn_http_req *r, struct fn_h1_reply *reply)
{
	struct fn_h1_header headers[FN_HTTP_REPLY_HEADERS_MAX];

	if (!r->c) {
		if (reply->release)
			reply->release(reply->release_arg);
		if (reply->from_file)
			fn_close(reply->file);
		fn_http_req_free(r);
		return;
	}
	if (r->gone)
		fn_http_req_on_gone(r, NULL, NULL);
	put_headers(r, reply, headers);
	r->state = FN_HTTP_REPLIED;
	fn_h1_conn_reply(r->c, reply);
}

void fn_http_reply(struct fn_http_req *r, unsigned status, const char *content_type, const void *body, size_t len)
{
	struct fn_h1_reply p = {.status = status, .content_type = content_type, .body = body ? body : "", .len = len};

	reply(r, &p);
}

void fn_http_reply_owned(struct fn_http_req *r, unsigned status, const char *content_type, const void *body, size_t len,
			 void (*release)(void *arg), void *release_arg)
{
	struct fn_h1_reply p = {.status = status, .content_type = content_type, .body = body, .len = len, .release = release, .release_arg = release_arg};

	reply(r, &p);
}

bool fn_http_reply_ahead(struct fn_http_req *r, struct fn_h1_ahead *a, unsigned status, const char *content_type, const struct fn_h1_header *headers, size_t n)
{
	struct fn_h1_reply p = {.status = status, .content_type = content_type, .headers = headers, .n_headers = n, .close = r->shared->closing || r->last};

	return r->c && r->state == FN_HTTP_DELIVERED && fn_h1_ahead(r->c, &p, a);
}

bool fn_http_replied(struct fn_http_req *r)
{
	if (!r->c || !fn_h1_ahead_end(r->c))
		return false;
	fn_http_req_answered(r);
	return true;
}

int fn_http_req_client(const struct fn_http_req *r)
{
	return r->c && r->state == FN_HTTP_DELIVERED && !r->shared->closing && !r->last ? fn_h1_conn_client(r->c) : -EBUSY;
}

void fn_http_req_answered(struct fn_http_req *r)
{
	if (!r->c) {
		fn_http_req_free(r);
		return;
	}
	if (r->gone)
		fn_http_req_on_gone(r, NULL, NULL);
	r->state = FN_HTTP_REPLIED;
	fn_h1_conn_replied(r->c, r->shared->closing || r->last);
}

void fn_http_reply_fd(struct fn_http_req *r, unsigned status, const char *content_type, int fd, uint64_t size)
{
	struct fn_h1_reply p = {.status = status, .content_type = content_type, .len = size, .from_file = true, .file = fd};

	reply(r, &p);
}

void fn_http_reply_begin(struct fn_http_req *r, unsigned status, const char *content_type)
{
	struct fn_h1_reply p = {.status = status, .content_type = content_type};
	struct fn_h1_header headers[FN_HTTP_REPLY_HEADERS_MAX];

	if (!r->c)
		return;
	put_headers(r, &p, headers);
	r->state = FN_HTTP_STREAMING;
	fn_h1_conn_begin(r->c, &p);
}

void fn_http_reply_on_drained(struct fn_http_req *r, void (*fn)(void *arg), void *arg)
{
	r->drained = fn;
	r->drained_arg = arg;
}

bool fn_http_reply_write_parts(struct fn_http_req *r, const struct iovec *parts, int n)
{
	r->waits = r->c && fn_h1_conn_write_parts(r->c, parts, n);
	return r->waits;
}

bool fn_http_reply_write(struct fn_http_req *r, const void *data, size_t len)
{
	return fn_http_reply_write_parts(r, &(struct iovec){(void *)data, len}, 1);
}

void fn_http_reply_end(struct fn_http_req *r, const struct fn_h1_header *trailers, size_t n)
{
	if (!r->c) {
		fn_http_req_free(r);
		return;
	}
	r->state = FN_HTTP_REPLIED;
	r->waits = false;
	fn_h1_conn_end(r->c, trailers, n);
}

void fn_http_reply_fail(struct fn_http_req *r)
{
	if (!r->c) {
		fn_http_req_free(r);
		return;
	}
	r->state = FN_HTTP_REPLIED;
	r->waits = false;
	fn_h1_conn_fail(r->c);
}
