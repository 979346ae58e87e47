/* code.c - see code.h. */
#include "env/code.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "image/blobs.h"
#include "model/limits.h"
#include "env/env.h"

static int unpack(struct fn_spawn_client *spawn, const char *state_dir, const char *kind, const char *prefix, const char *sha256_hex, fn_unpack_fn fn,
		  void *arg)
{
	struct fn_unpack_request req = {.max_bytes = FN_LIMIT_UNZIPPED_BYTES, .max_entries = FN_LIMIT_ENTRIES};
	fn_auto_fd int fd = -EBADF;
	uint64_t size;

	snprintf(req.tree, sizeof(req.tree), "%s-%s", kind, sha256_hex);
	snprintf(req.prefix, sizeof(req.prefix), "%s", prefix);
	fd = fn_blob_open(state_dir, sha256_hex, &size);
	if (fd < 0)
		return fd;
	req.fd = fd;
	return fn_spawn_unpack(spawn, &req, fn, arg);
}

int fn_code_unpack(struct fn_spawn_client *spawn, const char *state_dir, const char *sha256_hex, fn_unpack_fn fn, void *arg)
{
	return unpack(spawn, state_dir, "code", "var/task", sha256_hex, fn, arg);
}

int fn_layer_unpack(struct fn_spawn_client *spawn, const char *state_dir, const char *sha256_hex, fn_unpack_fn fn, void *arg)
{
	return unpack(spawn, state_dir, "layer", "opt", sha256_hex, fn, arg);
}

/* --- lost ones --- */
/* All that a version has, one after the other: which of it was lost is not known. */
struct restoring {
	struct fn_list link;    /* of the host's */
	struct fn_list waiting; /* of struct fn_code_wait */
	struct fn_env_host *host;
	struct fn_function *f;
	size_t next;            /* its first layer that has not been asked for */
};

bool fn_code_lost(const struct fn_err *err) { return err->kind == FN_ERR_TREES && err->code == ENOENT; }

static void end(struct restoring *r)
{
	fn_list_remove(&r->link);
	fn_function_unref(r->f);
	free(r);
}

static void on_unpacked(void *arg, const struct fn_err *err, uint64_t bytes)
{
	struct restoring *r = arg;
	const struct fn_env_host *h = r->host;
	struct fn_err failed;
	struct fn_list *l;
	int rc;

	if (!err && bytes > 0) /* else it was there */
		fn_log_warn("the package %.12s... has been unpacked again: its tree was gone", r->next ? r->f->layers[r->next - 1].sha256 : r->f->code_sha256);
	if (!err && r->next < r->f->n_layers) {
		rc = fn_layer_unpack(h->spawn, h->cfg.state_dir, r->f->layers[r->next++].sha256, on_unpacked, r);
		if (rc == 0)
			return;
		fn_err_set(&failed, rc, "unpack", "read the stored package");
		err = &failed;
	}
	fn_list_remove(&r->link);
	while ((l = fn_list_first(&r->waiting))) {
		struct fn_code_wait *wait = fn_list_entry(l, struct fn_code_wait, link);

		fn_list_remove(l);
		wait->fn(wait->arg, err);
	}
	end(r);
}

static struct restoring *find(struct fn_env_host *h, const struct fn_function *f)
{
	fn_list_for_each(l, &h->restoring)
		if (fn_list_entry(l, struct restoring, link)->f == f)
			return fn_list_entry(l, struct restoring, link);
	return NULL;
}

int fn_code_restore(struct fn_env_host *h, struct fn_function *f, struct fn_code_wait *wait)
{
	struct restoring *r = find(h, f);
	int rc;

	if (!r) {
		r = calloc(1, sizeof(*r));
		if (!r)
			return -ENOMEM;
		r->host = h;
		r->f = fn_function_ref(f);
		fn_list_init(&r->waiting);
		fn_list_push_back(&h->restoring, &r->link);
		rc = fn_code_unpack(h->spawn, h->cfg.state_dir, f->code_sha256, on_unpacked, r);
		if (rc < 0) {
			end(r);
			return rc;
		}
	}
	fn_list_push_back(&r->waiting, &wait->link);
	return 0;
}

void fn_code_forget(struct fn_env_host *h)
{
	fn_list_for_each_safe(l, &h->restoring) end(fn_list_entry(l, struct restoring, link));
}
