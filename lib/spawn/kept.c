/*
 * kept.c - what is kept of an environment when its sandbox ends and the environment does not: its /tmp.
 *
 * A mount lives as long as its mount namespace, and that as long as somebody has it open: so the namespace of the environment's first sandbox is
 * opened before that is killed, and every later sandbox gets a copy of the mount at /tmp in it. Its files belong to the ids of that first sandbox,
 * which has a range of its own as each has: the copy shows them as those of the new one (mount_setattr(2), MOUNT_ATTR_IDMAP). A tmpfs was mounted
 * inside and knows ids as they are inside, so the new one's user namespace says how; a file system on the disk knows the host's ids.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "os/mount.h"
#include "os/ns.h"
#include "spawn/internal.h"
#include "spawn/tmps.h"

#define KEPT_MAX 4096u /* a descriptor each */

struct kept {
	int mnt_ns;     /* of its first sandbox */
	uint32_t range; /* that one's */
	struct fn_tmp *tmp; /* NULL: a tmpfs */
};

static struct kept *find(const struct fn_spawn_server *s, uint64_t environment) { return environment ? fn_map_get_u64(s->kept, environment) : NULL; }

static int open_ns(pid_t pid, const char *which)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, which);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool fn_kept_keep(struct fn_box *b)
{
	struct fn_map *all = b->server->kept;
	struct kept *k;

	if (!b->environment || b->state != FN_BOX_RUNNING || b->out_of_memory || b->server->shutdown)
		return false;
	if (find(b->server, b->environment))
		return true;
	k = fn_map_count(all) < KEPT_MAX ? malloc(sizeof(*k)) : NULL;
	if (!k)
		return false;
	*k = (struct kept){open_ns(b->pid, "mnt"), fn_box_range(b), b->tmp};
	if (k->mnt_ns >= 0 && fn_map_set_u64(all, b->environment, k, NULL) == 0) {
		b->tmp = NULL; /* given back by fn_kept_forget() */
		return true;
	}
	fn_close(k->mnt_ns);
	free(k);
	return false;
}

bool fn_kept_has(struct fn_spawn_server *s, uint64_t environment) { return find(s, environment) != NULL; }

bool fn_kept_is(struct fn_spawn_server *s, uint64_t environment, const struct fn_tmp *tmp)
{
	const struct kept *k = find(s, environment);

	return k && k->tmp == tmp;
}

int fn_kept_tmp(struct fn_box *b, uint64_t environment, struct fn_err *err)
{
	struct fn_spawn_server *s = b->server;
	const struct kept *k = find(s, environment);
	fn_auto_fd int user_ns = -EBADF, fd = -EBADF;
	static bool said;
	int r;

	if (!k)
		return -ENOENT;
	user_ns = k->tmp ? fn_ns_shift(s->cfg.uid_base, k->range + 1, fn_box_range(b) + 1, 65535) : open_ns(b->pid, "user");
	if (user_ns < 0)
		return fn_err_set(err, user_ns, "keep /tmp", "user namespace");
	r = fd = fn_rootfs_copy_from(s->cfg.rootfs, k->mnt_ns, "/tmp", err);
	if (r >= 0)
		r = fn_mount_map_ids(fd, user_ns, err);
	if (r == -EINVAL && !k->tmp) { /* a tmpfs before Linux 6.3: the sandbox makes a new one */
		if (!said)
			fn_log_warn("no /tmp outlives a sandbox on this kernel: the files of a tmpfs cannot be given to other ids");
		said = true;
		fn_kept_forget(s, environment);
		return -ENOENT;
	}
	return r < 0 ? r : fn_take_fd(&fd);
}

static void drop(struct fn_spawn_server *s, struct kept *k)
{
	fn_close(k->mnt_ns);
	fn_tmps_give(s->cfg.tmps, k->tmp);
	free(k);
}

void fn_kept_forget(struct fn_spawn_server *s, uint64_t environment)
{
	struct kept *k = environment ? fn_map_remove_u64(s->kept, environment) : NULL;

	if (k)
		drop(s, k);
}

void fn_kept_free(struct fn_spawn_server *s)
{
	struct kept *k;
	size_t it = 0;

	while (s->kept && (k = fn_map_next(s->kept, &it)))
		drop(s, k);
	fn_map_free(s->kept);
}
