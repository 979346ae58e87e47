/* clone.c - how a sandbox's first process is made: its groups, what it begins with, clone3, and what it waits for before it goes on alone. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "os/ns.h"
#include "os/sock.h"
#include "sandbox/child.h"
#include "sandbox/sync.h"
#include "spawn/internal.h"

int fn_box_pipe(const struct fn_box *b, int *ret_ours, int *ret_theirs, struct fn_err *err)
{
	uint32_t runtime = fn_box_range(b) + FN_UID_RUNTIME;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return fn_err_set(err, errno, "output pipe", NULL);
	*ret_ours = fds[0];
	*ret_theirs = fds[1];
	/* owned by the runtime's user: /dev/stdout opens the pipe anew and is checked against its inode */
	if (fchown(fds[1], runtime, runtime) < 0 || fn_fd_set_nonblock(fds[0], true) < 0)
		return fn_err_set(err, errno, "output pipe", "owner");
	return 0;
}

/* Opens what the child is to have, at the numbers where it may stay. */
static int hand_over(struct fn_box *b, struct fn_child *child, struct fn_err *err)
{
	struct fn_handover *h = &b->server->handover;
	fn_auto_fd int out_w = -EBADF, sync_fd = -EBADF;
	int sync[2], r;

	child->last_fd = h->last;
	r = fn_box_pipe(b, &b->output_fd, &out_w, err);
	if (r < 0)
		return r;
	r = fn_sock_pair(SOCK_SEQPACKET, sync);
	if (r < 0)
		return fn_err_set(err, r, "sync socket", NULL);
	b->sync_fd = sync[0];
	sync_fd = sync[1];
	r = child->sync_fd = fn_handover_put(h, FN_HANDOVER_SYNC, &sync_fd);
	if (r >= 0)
		r = child->output_fd = fn_handover_put(h, FN_HANDOVER_OUTPUT, &out_w);
	return r < 0 ? fn_err_set(err, r, "descriptors", NULL) : 0;
}

/* Until then its descriptors are where the next one's will be. It does not wait for us here. */
static int wait_born(const struct fn_box *b, struct fn_err *err)
{
	struct pollfd p[2] = {{.fd = b->sync_fd, .events = POLLIN}, {.fd = b->pidfd, .events = POLLIN}};
	struct fn_sync_msg m;
	int r;

	do
		r = poll(p, 2, FN_BOX_HANDSHAKE_US / 1000);
	while (r < 0 && errno == EINTR);
	if (r > 0 && (p[0].revents & POLLIN) && fn_sock_recv(b->sync_fd, &m, sizeof(m), NULL, NULL) == (ssize_t)sizeof(m)) {
		if (m.type == FN_SYNC_BORN)
			return 0;
		m.err.stage[sizeof(m.err.stage) - 1] = m.err.msg[sizeof(m.err.msg) - 1] = '\0';
		*err = m.err;
		return m.err.code ? -m.err.code : -EIO;
	}
	return fn_err_set(err, r == 0 ? ETIMEDOUT : ESRCH, "start sandbox", "its init did not begin");
}

static int clone_child(struct fn_box *b, struct fn_child *child, struct fn_err *err)
{
	struct fn_spawn_server *s = b->server;
	fn_auto_fd int group = fn_cgroup_open(b->cgroup);
	int r;

	if (group < 0)
		return fn_err_set(err, group, "clone3", "group");
	r = fn_rootfs_clone_begin(s->cfg.rootfs);
	if (r < 0) {
		fn_err_set(err, r, "clone3", "mount namespace");
	} else {
		r = b->pid = fn_ns_clone(FN_CHILD_CLONE_FLAGS, group, &b->pidfd);
		if (r == 0)
			fn_child_main(child);
		fn_rootfs_clone_end(s->cfg.rootfs);
		if (r < 0) {
			b->pidfd = -EBADF;
			fn_err_set(err, r, "clone3", NULL);
		}
	}
	return r < 0 ? r : 0;
}

/* What most functions have for their init (two CPUs): set ahead, so that little but the memory is left for the order. */
static const struct fn_cg_limits usual = {.cpu_quota_us = 40000, .cpu_period_us = 20000, .pids_max = 1024};

static int complete_groups(struct fn_box *b, struct fn_err *err)
{
	uint64_t from = fn_clock_mono_us();
	int r = fn_cgroup_complete(b->cgroup, &usual, err);

	if (r < 0)
		return r;
	b->freeze_fd = fn_cgroup_open_freeze(b->cgroup);
	b->peak_fd = fn_cgroup_open_peak(b->cgroup);
	if (fn_tmps_on_disk(b->server->cfg.tmps))
		b->stat_fd = fn_cgroup_open_stat(b->cgroup);
	b->timing.cgroup_us += (uint32_t)(fn_clock_mono_us() - from);
	return b->freeze_fd < 0 ? fn_err_set(err, b->freeze_fd, "cgroup open", "cgroup.freeze") : 0;
}

/* FN_SYNC_GO, with what it brings. */
static int send_go(struct fn_box *b, const struct fn_child *child, struct fn_err *err)
{
	struct fn_sync_msg go = {.type = FN_SYNC_GO};
	struct iovec iov = {.iov_base = &go, .iov_len = sizeof(go)};
	int fds[2 + FN_CG_N], r;
	unsigned n = 0, groups;

	r = fds[n] = fn_rootfs_new_dev(b->server->cfg.rootfs, err);
	if (r < 0)
		return r;
	n++;
	if (child->bare) {
		r = fds[n] = fn_rootfs_new_proc(b->pid, err);
		n += r >= 0;
	}
	if (r >= 0 && (r = fn_cgroup_open_v1(b->cgroup, fds + n, &groups, err)) == 0) {
		n += groups;
		r = fn_sock_send(b->sync_fd, &iov, 1, fds, n);
		if (r < 0)
			fn_err_set(err, r, "sync socket", "go");
	}
	while (n > 0)
		fn_close(fds[--n]);
	return r < 0 ? r : 0;
}

static int attach_nat(struct fn_box *b, struct fn_err *err)
{
	uint64_t from = fn_clock_mono_us();
	int r = fn_nat_attach(b->server->cfg.nat, b->nat_slot, b->pid, err);

	b->timing.net_us += (uint32_t)(fn_clock_mono_us() - from);
	return r;
}

int fn_box_clone(struct fn_box *b, struct fn_err *err)
{
	struct fn_spawn_server *s = b->server;
	struct fn_child child = {.seccomp = s->cfg.seccomp, .init_seccomp = s->cfg.init_seccomp, .platform = s->cfg.platform, .nat = b->nat.iface ? &b->nat : NULL};
	char name[64];
	uint64_t from;
	int r;

	snprintf(name, sizeof(name), "%" PRIu64, b->id);
	r = fn_cgroup_create(s->cfg.cgroups, name, &usual, &b->cgroup, err);
	if (r < 0)
		return r;
	b->timing.cgroup_us = (uint32_t)(fn_clock_mono_us() - b->started_us);
	child.title = s->cfg.title;
	child.shown = fn_cgroups_shown(s->cfg.cgroups);
	child.prestart = b->stock && b->stock->order;
	child.bare = fn_rootfs_bare(s->cfg.rootfs);
	child.tmp_comes = fn_tmps_on_disk(s->cfg.tmps);
	r = hand_over(b, &child, err);
	if (r < 0)
		return r;
	from = fn_clock_mono_us();
	r = clone_child(b, &child, err);
	if (r < 0)
		return r;
	b->timing.clone_us = (uint32_t)(fn_clock_mono_us() - from);
	r = complete_groups(b, err);
	if (r == 0 && (r = fn_ns_write_maps(b->pid, s->cfg.uid_base, fn_box_range(b))) < 0)
		fn_err_set(err, r, "id maps", NULL);
	if (r == 0 && b->nat.iface && (r = wait_born(b, err)) == 0)
		r = attach_nat(b, err);
	if (r == 0)
		r = send_go(b, &child, err);
	if (r == 0 && !b->nat.iface)
		r = wait_born(b, err);
	if (r == 0)
		r = fn_fd_set_nonblock(b->sync_fd, true);
	return r < 0 ? r : 0;
}
