/* requests.c - what fnd asks of fn-spawnd, one function each; see client.h. Runs in fnd's worker. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "image/fetch.h"
#include "spawn/client_internal.h"

int fn_spawn_start(struct fn_spawn_client *c, const struct fn_spec *spec, uint64_t environment, fn_spawn_fn fn, void *arg, uint64_t *ret_request)
{
	fn_auto_buf struct fn_buf b = {0};
	struct fn_pending *p;
	int r = fn_spec_encode(spec, &b);

	if (r < 0)
		return r;
	p = fn_pending_add(c, FN_PENDING_SPAWN, arg);
	if (!p)
		return -ENOMEM;
	p->fn.spawn = fn;
	if (ret_request)
		*ret_request = p->request;
	return fn_spawn_ask(c, p, FN_PROTO_SPAWN, environment, b.data, b.len, -EBADF);
}

int fn_spawn_prestart(struct fn_spawn_client *c, const struct fn_spec *spec, fn_spawn_ready_fn fn, void *arg, uint64_t *ret_request)
{
	fn_auto_buf struct fn_buf b = {0};
	struct fn_pending *p;
	int r = fn_spec_encode(spec, &b);

	if (r < 0)
		return r;
	if (!fn)
		return fn_spawn_say(c, FN_PROTO_PRESTART, 0, b.data, b.len);
	p = fn_pending_add(c, FN_PENDING_READY, arg);
	if (!p)
		return -ENOMEM;
	p->fn.ready = fn;
	*ret_request = p->request;
	return fn_spawn_ask(c, p, FN_PROTO_PRESTART, 0, b.data, b.len, -EBADF);
}

void fn_spawn_cancel(struct fn_spawn_client *c, uint64_t request)
{
	struct fn_pending *p = fn_pending_find(c, request);

	if (p)
		p->cancelled = true;
}

void fn_spawn_initialised(struct fn_spawn_client *c, uint64_t id)
{
	(void)fn_spawn_say(c, FN_PROTO_INITIALISED, id, NULL, 0);
}

void fn_spawn_long(struct fn_spawn_client *c, uint64_t id, bool on)
{
	const uint32_t m = on;

	(void)fn_spawn_say(c, FN_PROTO_LONG, id, &m, sizeof(m));
}

void fn_spawn_release(struct fn_spawn_client *c, uint64_t id) { (void)fn_spawn_say(c, FN_PROTO_RELEASE, id, NULL, 0); }

void fn_spawn_signal(struct fn_spawn_client *c, uint64_t id, unsigned process, int sig)
{
	const struct fn_proto_signal m = {process, sig};

	(void)fn_spawn_say(c, FN_PROTO_SIGNAL, id, &m, sizeof(m));
}

int fn_spawn_socket(struct fn_spawn_client *c, uint64_t id, fn_spawn_socket_fn fn, void *arg, uint64_t *ret_request)
{
	struct fn_pending *p = fn_pending_add(c, FN_PENDING_SOCKET, arg);

	if (!p)
		return -ENOMEM;
	p->fn.socket = fn;
	if (ret_request)
		*ret_request = p->request;
	return fn_spawn_ask(c, p, FN_PROTO_SOCKET, id, NULL, 0, -EBADF);
}

void fn_spawn_kill(struct fn_spawn_client *c, uint64_t id) { (void)fn_spawn_say(c, FN_PROTO_KILL, id, NULL, 0); }

void fn_spawn_reset(struct fn_spawn_client *c, uint64_t id) { (void)fn_spawn_say(c, FN_PROTO_RESET, id, NULL, 0); }

void fn_spawn_forget(struct fn_spawn_client *c, uint64_t environment) { (void)fn_spawn_say(c, FN_PROTO_FORGET, environment, NULL, 0); }

void fn_spawn_reclaim(struct fn_spawn_client *c, uint64_t id) { (void)fn_spawn_say(c, FN_PROTO_RECLAIM, id, NULL, 0); }

void fn_spawn_expect_tmp(struct fn_spawn_client *c, uint64_t bytes) { (void)fn_spawn_say(c, FN_PROTO_TMP, 0, &bytes, sizeof(bytes)); }

void fn_spawn_expect_root(struct fn_spawn_client *c, const struct fn_spec *spec)
{
	fn_auto_buf struct fn_buf b = {0};

	if (fn_spec_encode(spec, &b) == 0)
		(void)fn_spawn_say(c, FN_PROTO_ROOT, 0, b.data, b.len);
}

static int unpack(struct fn_spawn_client *c, struct fn_pending *p, const struct fn_unpack_request *req)
{
	struct fn_proto_unpack m = {.max_bytes = req->max_bytes, .max_entries = req->max_entries, .trusted_image = req->trusted_image, .layer = p->kind == FN_PENDING_LAYER};

	memcpy(m.tree, req->tree, sizeof(m.tree));
	memcpy(m.prefix, req->prefix, sizeof(m.prefix));
	return fn_spawn_ask(c, p, FN_PROTO_UNPACK, 0, &m, sizeof(m), req->fd);
}

int fn_spawn_unpack(struct fn_spawn_client *c, const struct fn_unpack_request *req, fn_unpack_fn fn, void *arg)
{
	struct fn_pending *p = fn_pending_add(c, FN_PENDING_UNPACK, arg);

	if (!p)
		return -ENOMEM;
	p->fn.unpack = fn;
	return unpack(c, p, req);
}

int fn_spawn_unpack_layer(struct fn_spawn_client *c, const struct fn_unpack_request *req, fn_unpack_layer_fn fn, void *arg)
{
	struct fn_pending *p = fn_pending_add(c, FN_PENDING_LAYER, arg);

	if (!p)
		return -ENOMEM;
	p->fn.layer = fn;
	return unpack(c, p, req);
}

int fn_spawn_merge(struct fn_spawn_client *c, const struct fn_merge_request *req, fn_unpack_fn fn, void *arg)
{
	fn_auto_free struct fn_proto_merge *m = req->n_layers <= FN_PROTO_MERGE_MAX ? calloc(1, sizeof(*m)) : NULL;
	struct fn_pending *p = m ? fn_pending_add(c, FN_PENDING_UNPACK, arg) : NULL;

	if (!p)
		return m ? -ENOMEM : -E2BIG;
	snprintf(m->tree, sizeof(m->tree), "%s", req->tree);
	m->max_bytes = req->max_bytes;
	m->max_entries = req->max_entries;
	m->n_layers = req->n_layers;
	memcpy(m->layers, req->layers, req->n_layers * sizeof(m->layers[0]));
	p->fn.unpack = fn;
	return fn_spawn_ask(c, p, FN_PROTO_MERGE, 0, m, FN_PROTO_MERGE_SIZE(req->n_layers), -EBADF);
}

int fn_spawn_fetch(struct fn_spawn_client *c, const struct fn_fetch_order *order, int fd, fn_fetch_fn fn, void *arg)
{
	struct fn_pending *p = fn_pending_add(c, FN_PENDING_FETCH, arg);

	if (!p)
		return -ENOMEM;
	p->fn.fetched = fn;
	return fn_spawn_ask(c, p, FN_PROTO_FETCH, 0, order, sizeof(*order), fd);
}

int fn_spawn_remove_tree(struct fn_spawn_client *c, const char *tree, fn_removed_fn fn, void *arg)
{
	struct fn_pending *p = fn_pending_add(c, FN_PENDING_REMOVE, arg);
	char name[FN_TREE_NAME_SIZE] = "";

	if (!p)
		return -ENOMEM;
	p->fn.removed = fn;
	snprintf(name, sizeof(name), "%s", tree);
	return fn_spawn_ask(c, p, FN_PROTO_REMOVE, 0, name, sizeof(name), -EBADF);
}

int fn_spawn_survey(struct fn_spawn_client *c, bool measure, fn_spawn_text_fn fn, void *arg)
{
	struct fn_pending *p = fn_pending_add(c, FN_PENDING_SURVEY, arg);
	const char how = measure;

	if (!p)
		return -ENOMEM;
	p->fn.text = fn;
	return fn_spawn_ask(c, p, FN_PROTO_SURVEY, 0, &how, 1, -EBADF);
}

int fn_spawn_describe(struct fn_spawn_client *c, fn_spawn_text_fn fn, void *arg)
{
	struct fn_pending *p = fn_pending_add(c, FN_PENDING_TEXT, arg);

	if (!p)
		return -ENOMEM;
	p->fn.text = fn;
	return fn_spawn_ask(c, p, FN_PROTO_DESCRIBE, 0, NULL, 0, -EBADF);
}
