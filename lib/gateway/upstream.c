/* upstream.c - see upstream.h. */
#include "gateway/upstream.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/str.h"
#include "model/inner.h"

#define ROUTES_MAX 10000u /* kept; then all go, and come back as they are asked for */
#define KEYS_MAX 1000u
#define ANSWER_MAX 65536u /* of a configuration */

struct key {
	char generation[17]; /* the worker that has given it: the next may have other keys */
	struct fn_gw_key is;
};

struct fn_gw_upstream {
	struct fn_h1_client *client;
	pthread_mutex_t lock;
	struct fn_map *routes; /* id -> struct fn_gw_route */
	struct fn_map *keys;   /* "key id/date", and what a token hashes to -> struct key */
};

static void decref(json_t **o) { json_decref(*o); }

int fn_gw_upstream_new(int state_fd, unsigned keep, struct fn_gw_upstream **ret)
{
	struct fn_gw_upstream *u = calloc(1, sizeof(*u));
	int r = u ? fn_h1_client_new(state_fd, FN_INNER_SOCKET, keep, &u->client) : -ENOMEM;

	if (r == 0)
		r = -pthread_mutex_init(&u->lock, NULL);
	if (r == 0)
		r = fn_map_new(&u->routes);
	if (r == 0)
		r = fn_map_new(&u->keys);
	if (r < 0)
		free(u);
	else
		*ret = u;
	return r;
}

static void unref(struct fn_gw_route *r)
{
	if (--r->refs > 0)
		return;
	free(r->missing);
	json_decref(r->cors);
	free(r);
}

/* Locked. */
static void forget_all(struct fn_map *m, void (*drop)(void *))
{
	size_t it = 0;
	void *v;

	while ((v = fn_map_next(m, &it)))
		drop(v);
}

static void drop_route(void *r) { unref(r); }

static void empty(struct fn_map **m, void (*drop)(void *))
{
	struct fn_map *fresh;

	if (fn_map_new(&fresh) < 0)
		return;
	forget_all(*m, drop);
	fn_map_free(*m);
	*m = fresh;
}

void fn_gw_upstream_free(struct fn_gw_upstream *u)
{
	if (!u)
		return;
	forget_all(u->routes, drop_route);
	forget_all(u->keys, free);
	fn_map_free(u->routes);
	fn_map_free(u->keys);
	fn_h1_client_free(u->client);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

/* GET target -> the JSON object it answers. -ENOENT. */
static int ask(struct fn_gw_upstream *u, const char *target, json_t **ret)
{
	const struct fn_h1_request q = {.method = "GET", .target = target};
	struct fn_h1_exchange x = {0};
	int r = fn_h1_exchange_begin(&x, u->client, &q, ANSWER_MAX);
	unsigned status = r == 0 ? x.h.status : 0;

	if (r == 0)
		r = fn_h1_exchange_read_all(&x);
	if (r == 0 && status == 404)
		r = -ENOENT;
	else if (r == 0 && status != 200)
		r = -EIO;
	if (r == 0) {
		*ret = json_loadb(x.h.body.data ? x.h.body.data : "", x.h.body.len, 0, NULL);
		r = json_is_object(*ret) ? 0 : -EPROTO;
	}
	fn_h1_exchange_end(&x);
	return r;
}

/* --- routes --- */
static const char *text(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static struct fn_gw_route *read_route(json_t *o)
{
	struct fn_gw_route *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->refs = 1;
	r->missing = strdup(text(o, "Missing"));
	if (!r->missing || fn_str_format(r->generation, sizeof(r->generation), "%s", text(o, "Generation")) < 0 ||
	    fn_str_format(r->account, sizeof(r->account), "%s", text(o, "AccountId")) < 0) {
		unref(r);
		return NULL;
	}
	r->iam = fn_streq(text(o, "AuthType"), "AWS_IAM");
	r->streams = json_is_true(json_object_get(o, "Streams"));
	r->signs = json_is_true(json_object_get(o, "Signed"));
	r->cors = json_incref(json_object_get(o, "Cors"));
	return r;
}

static struct fn_gw_route *kept_route(struct fn_gw_upstream *u, const char *id)
{
	struct fn_gw_route *r;

	pthread_mutex_lock(&u->lock);
	r = fn_map_get(u->routes, id);
	if (r)
		r->refs++;
	pthread_mutex_unlock(&u->lock);
	return r;
}

/* The upstream has a reference of its own. */
static void keep_route(struct fn_gw_upstream *u, const char *id, struct fn_gw_route *r)
{
	void *old = NULL;

	pthread_mutex_lock(&u->lock);
	if (fn_map_count(u->routes) >= ROUTES_MAX)
		empty(&u->routes, drop_route);
	if (fn_map_set(u->routes, id, r, &old) == 0)
		r->refs++;
	if (old)
		unref(old);
	pthread_mutex_unlock(&u->lock);
}

int fn_gw_route_get(struct fn_gw_upstream *u, const char *id, struct fn_gw_route **ret, bool *ret_kept)
{
	fn_auto(decref) json_t *o = NULL;
	char target[80];
	int r;

	*ret = kept_route(u, id);
	*ret_kept = *ret != NULL;
	if (*ret)
		return 0;
	snprintf(target, sizeof(target), "/_fnd/urls/%s", id);
	r = ask(u, target, &o);
	if (r < 0)
		return r;
	*ret = read_route(o);
	if (!*ret)
		return -ENOMEM;
	keep_route(u, id, *ret);
	return 0;
}

void fn_gw_route_put(struct fn_gw_upstream *u, struct fn_gw_route *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&u->lock);
	unref(r);
	pthread_mutex_unlock(&u->lock);
}

void fn_gw_route_stale(struct fn_gw_upstream *u, const char *id, const struct fn_gw_route *r)
{
	pthread_mutex_lock(&u->lock);
	if (fn_map_get(u->routes, id) == r) {
		(void)fn_map_remove(u->routes, id);
		unref((struct fn_gw_route *)r);
	}
	pthread_mutex_unlock(&u->lock);
}

/* --- keys --- */
static bool kept_key(struct fn_gw_upstream *u, const char *generation, const char *name, struct fn_gw_key *ret)
{
	struct key *k;
	bool found;

	pthread_mutex_lock(&u->lock);
	k = fn_map_get(u->keys, name);
	found = k && strncmp(k->generation, generation, sizeof(k->generation) - 1) == 0;
	if (found)
		*ret = k->is;
	pthread_mutex_unlock(&u->lock);
	return found;
}

static void keep_key(struct fn_gw_upstream *u, const char *generation, const char *name, const struct fn_gw_key *is)
{
	struct key *k = calloc(1, sizeof(*k));
	void *old = NULL;

	if (!k)
		return;
	snprintf(k->generation, sizeof(k->generation), "%.16s", generation);
	k->is = *is;
	pthread_mutex_lock(&u->lock);
	if (fn_map_count(u->keys) >= KEYS_MAX)
		empty(&u->keys, free);
	if (fn_map_set(u->keys, name, k, &old) < 0)
		old = k;
	pthread_mutex_unlock(&u->lock);
	free(old);
}

/* What may be in a URI as it is. */
static bool plain(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("-._~", c)); }

/* "/_fnd/keys/KEY/DATE?token=TOKEN"; name is what it is kept by: a token is long. -ENOENT: there is no such key. */
static int name_key(const char *key_id, const char *token, const char *date, char *name, size_t size, struct fn_buf *target)
{
	char hash[65] = "";
	int e = 0;

	for (const char *p = key_id; *p; p++) /* it becomes part of a path */
		if (!plain(*p) && !strchr("+=@", *p))
			return -ENOENT;
	if (token)
		fn_sigv4_sha256(token, strlen(token), hash);
	if (fn_str_format(name, size, "%s/%s%s", key_id, date, hash) < 0)
		return -ENOENT;
	e = fn_buf_addf(target, "/_fnd/keys/%s/%s%s", key_id, date, token ? "?token=" : "");
	return e == 0 && token ? fn_buf_add_url(target, token, strlen(token), "") : e;
}

int fn_gw_key(struct fn_gw_upstream *u, const struct fn_gw_route *r, const char *key_id, const char *token, const char *date, struct fn_gw_key *ret)
{
	fn_auto_buf struct fn_buf target = {0};
	fn_auto(decref) json_t *o = NULL;
	char name[260];
	int e = name_key(key_id, token, date, name, sizeof(name), &target);

	if (e < 0 || kept_key(u, r->generation, name, ret))
		return e;
	e = ask(u, target.data, &o);
	if (e < 0)
		return e;
	if (strlen(text(o, "Key")) != 2 * FN_SIGV4_KEY || fn_hex_decode(text(o, "Key"), 2 * FN_SIGV4_KEY, ret->bytes) < 0 ||
	    fn_str_format(ret->arn, sizeof(ret->arn), "%s", text(o, "Arn")) < 0 || fn_str_format(ret->user_id, sizeof(ret->user_id), "%s", text(o, "UserId")) < 0)
		return -EPROTO;
	keep_key(u, r->generation, name, ret);
	return 0;
}

/* --- invocations --- */
int fn_gw_invoke(struct fn_gw_upstream *u, const struct fn_gw_route *r, const struct fn_gw_invocation *i, struct fn_h1_exchange *x)
{
	struct fn_h1_header headers[9] = {{"Content-Type", "application/json"}, {FN_INNER_GENERATION, r->generation}, {FN_INNER_REQUEST_ID, i->request_id},
					  {"X-Amzn-Trace-Id", i->trace_id}, {"X-Fnd-Framing", "raw"}};
	char target[96];
	struct fn_h1_request q = {.method = "POST", .target = target, .headers = headers, .n_headers = 5, .body = i->event, .len = i->len};
	int e;

	if (i->key_id)
		headers[q.n_headers++] = (struct fn_h1_header){FN_INNER_KEY, i->key_id};
	if (i->key_id && i->token)
		headers[q.n_headers++] = (struct fn_h1_header){FN_INNER_TOKEN, i->token};
	if (i->key_id)
		headers[q.n_headers++] = (struct fn_h1_header){FN_INNER_ADDRESS, i->address};
	if (i->key_id && i->secure)
		headers[q.n_headers++] = (struct fn_h1_header){FN_INNER_SECURE, "1"};
	snprintf(target, sizeof(target), "/_fnd/urls/%s/%s", i->id, r->streams ? "streams" : "invocations");
	e = fn_h1_exchange_begin(x, u->client, &q, 16u << 20);
	if (e == 0 && x->h.status == 409 && fn_h1_header(&x->h, FN_INNER_STALE))
		e = fn_h1_exchange_read_all(x) == 0 ? -ESTALE : -EPROTO;
	else if (e == 0 && x->h.status == 403 && fn_h1_header(&x->h, FN_INNER_FORBIDDEN))
		e = fn_h1_exchange_read_all(x) == 0 ? -EACCES : -EPROTO;
	else if (e == 0 && x->h.status == 404) /* the URL itself has gone */
		e = -ESTALE;
	return e;
}
