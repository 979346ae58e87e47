/* code.c - see code.h. */
#include "env/code.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "image/blobs.h"
#include "model/limits.h"
#include "env/env.h"

int fn_code_unpack(struct fn_spawn_client *spawn, const char *state_dir, const char *sha256_hex, fn_unpack_fn fn, void *arg)
{
	struct fn_unpack_request req = {.prefix = "var/task", .max_bytes = FN_LIMIT_UNZIPPED_BYTES, .max_entries = FN_LIMIT_ENTRIES};
	fn_auto_fd int fd = -EBADF;
	uint64_t size;

	snprintf(req.tree, sizeof(req.tree), "code-%s", sha256_hex);
	fd = fn_blob_open(state_dir, sha256_hex, &size);
	if (fd < 0)
		return fd;
	req.fd = fd;
	return fn_spawn_unpack(spawn, &req, fn, arg);
}

/* --- lost ones --- */
struct restoring {
	struct fn_list link;    /* of the host's */
	struct fn_list waiting; /* of struct fn_code_wait */
	char sha256[65];
};

bool fn_code_lost(const struct fn_err *err) { return err->code == ENOENT && fn_streq(err->stage, "mount overlay"); }

static void on_unpacked(void *arg, const struct fn_err *err, uint64_t bytes)
{
	struct restoring *r = arg;
	struct fn_list *l;

	if (!err && bytes > 0) /* else it was there */
		fn_log_warn("the package %.12s... has been unpacked again: its tree was gone", r->sha256);
	fn_list_remove(&r->link);
	while ((l = fn_list_first(&r->waiting))) {
		struct fn_code_wait *wait = fn_list_entry(l, struct fn_code_wait, link);

		fn_list_remove(l);
		wait->fn(wait->arg, err);
	}
	free(r);
}

static struct restoring *find(struct fn_env_host *h, const char *sha256)
{
	fn_list_for_each(l, &h->restoring)
		if (fn_streq(fn_list_entry(l, struct restoring, link)->sha256, sha256))
			return fn_list_entry(l, struct restoring, link);
	return NULL;
}

int fn_code_restore(struct fn_env_host *h, const char *sha256, struct fn_code_wait *wait)
{
	struct restoring *r = find(h, sha256);
	int rc;

	if (!r) {
		r = calloc(1, sizeof(*r));
		if (!r)
			return -ENOMEM;
		snprintf(r->sha256, sizeof(r->sha256), "%s", sha256);
		fn_list_init(&r->waiting);
		rc = fn_code_unpack(h->spawn, h->cfg.state_dir, sha256, on_unpacked, r);
		if (rc < 0) {
			free(r);
			return rc;
		}
		fn_list_push_back(&h->restoring, &r->link);
	}
	fn_list_push_back(&r->waiting, &wait->link);
	return 0;
}

void fn_code_forget(struct fn_env_host *h)
{
	fn_list_for_each_safe(l, &h->restoring)
	{
		fn_list_remove(l);
		free(fn_list_entry(l, struct restoring, link));
	}
}
