/* server.c - see server.h. The messages between fnd and fn-spawnd; a sandbox's life is in box.c, those made ahead in stock.c. */
#include "spawn/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "image/fetch.h"
#include "os/ns.h"
#include "os/sock.h"
#include "spawn/internal.h"

/* --- messages --- */
static void declare(struct fn_spawn_server *s, uint64_t request, const void *data, size_t len)
{
	char *vec[FN_SPEC_VECTOR_MAX], text[512];
	struct fn_spec spec;
	struct fn_err err = {0};
	int r = fn_spec_borrow(data, len, vec, &spec, &err);

	if (r == 0 && !spec.prestart)
		r = fn_err_set(&err, EINVAL, "start runtimes ahead", "the spec is of another use");
	for (unsigned i = 0; r == 0 && i < spec.n_lowers; i++) /* it runs while init is privileged still: nothing of a function's */
		if (!fn_str_starts(spec.lowers[i], "img-"))
			r = fn_err_set(&err, EPERM, "start runtimes ahead", "%s is not of a base image", spec.lowers[i]);
	if (r == 0 && (r = fn_stock_declare(s, spec.kind, data, len)) < 0)
		fn_err_set(&err, r, "start runtimes ahead", "%s", spec.kind);
	if (r < 0)
		fn_log_warn("%s", fn_err_format(&err, text, sizeof(text)));
	if (request)
		fn_stock_await(s, r == 0 ? spec.kind : "", request);
}

static void expect_root(struct fn_spawn_server *s, const void *data, size_t len)
{
	char *vec[FN_SPEC_VECTOR_MAX], text[512];
	struct fn_spec spec;
	struct fn_err err = {0};
	int r = fn_spec_borrow(data, len, vec, &spec, &err);

	if (r == 0)
		r = fn_rootfs_expect(s->cfg.rootfs, &spec, &err);
	if (r < 0) /* a tree that has gone meanwhile; a start that needs it says so */
		fn_log_debug("%s", fn_err_format(&err, text, sizeof(text)));
}

static void describe(struct fn_spawn_server *s, uint64_t request)
{
	char groups[512], stocks[1024], net[768], tmp[1024], text[3840];

	fn_cgroups_describe(s->cfg.cgroups, groups, sizeof(groups));
	fn_stock_describe(s, stocks, sizeof(stocks));
	snprintf(text, sizeof(text), "{\"cgroups\":\"%s\",\"sandboxes\":%u,\"prepared\":{%s},\"prepared_roots\":%zu,\"threads\":%u,\"network\":%s,\"tmp\":%s}", groups,
		 s->n_boxes - fn_stock_count(s), stocks, fn_rootfs_count(s->cfg.rootfs), fn_ns_threads(),
		 fn_nat_describe(s->cfg.nat, net, sizeof(net)), fn_tmps_describe(s->cfg.tmps, tmp, sizeof(tmp)));
	fn_spawn_reply(s, FN_PROTO_TEXT, request, 0, text, strlen(text), NULL, 0);
}

static void on_unpacked(void *arg, uint64_t request, const struct fn_err *err, const struct fn_proto_unpacked *res)
{
	struct fn_spawn_server *s = arg;

	if (err)
		fn_spawn_reply_err(s, request, err);
	else
		fn_spawn_reply(s, FN_PROTO_UNPACKED, request, 0, res, sizeof(*res), NULL, 0);
}

static void on_removed(void *arg, uint64_t request, const struct fn_err *err)
{
	struct fn_spawn_server *s = arg;

	if (err)
		fn_spawn_reply_err(s, request, err);
	else
		fn_spawn_reply(s, FN_PROTO_REMOVED, request, 0, NULL, 0, NULL, 0);
}

static void on_fetched(void *arg, uint64_t request, const struct fn_fetch_result *result)
{
	fn_spawn_reply(arg, FN_PROTO_FETCHED, request, 0, result, sizeof(*result), NULL, 0);
}

/* Longer than what a stack is for. */
static void merge(struct fn_spawn_server *s, const struct fn_proto_header *h, const char *data, size_t len)
{
	fn_auto_free struct fn_proto_merge *m = calloc(1, sizeof(*m));
	struct fn_err err;

	if (m && len >= FN_PROTO_MERGE_SIZE(0) && len <= sizeof(*m)) {
		memcpy(m, data, len);
		if (m->n_layers <= FN_PROTO_MERGE_MAX && len == FN_PROTO_MERGE_SIZE(m->n_layers)) {
			fn_merger_start(s->merger, h->request, m);
			return;
		}
	}
	fn_err_set(&err, EBADMSG, "merge", "malformed request");
	fn_spawn_reply_err(s, h->request, &err);
}

static void fetch(struct fn_spawn_server *s, const struct fn_proto_header *h, const char *data, size_t len, int *fds, size_t *n_fds)
{
	struct fn_fetch_order order;
	struct fn_err err;

	if (len == sizeof(order) && *n_fds == 1) {
		memcpy(&order, data, sizeof(order));
		*n_fds = 0;
		fn_fetcher_start(s->fetcher, h->request, &order, fds[0]);
	} else {
		fn_err_set(&err, EBADMSG, "fetch", "malformed request");
		fn_spawn_reply_err(s, h->request, &err);
	}
}

static void on_surveyed(void *arg, uint64_t request, const struct fn_err *err, int fd)
{
	struct fn_spawn_server *s = arg;

	if (err)
		fn_spawn_reply_err(s, request, err);
	else
		fn_spawn_reply(s, FN_PROTO_SURVEYED, request, 0, NULL, 0, &fd, 1);
}

static void on_processes(struct fn_spawn_server *s, const struct fn_proto_header *h, const char *data, size_t len)
{
	struct fn_box *b = fn_map_get_u64(s->by_id, h->id);
	struct fn_proto_signal m;
	struct fn_err err = {0};
	int fd;

	if (h->type == FN_PROTO_RELEASE && b) {
		fn_box_release(b);
	} else if (h->type == FN_PROTO_SIGNAL && b && len == sizeof(m)) {
		memcpy(&m, data, sizeof(m));
		fn_box_signal(b, m.process, m.signal);
	} else if (h->type == FN_PROTO_SOCKET) {
		fd = b ? fn_box_socket(b, &err) : fn_err_set(&err, ESRCH, "socket in a sandbox", "it has ended");
		if (fd < 0)
			fn_spawn_reply_err(s, h->request, &err);
		else
			fn_spawn_reply(s, FN_PROTO_SOCKET_MADE, h->request, h->id, NULL, 0, &fd, 1);
	}
}

static void on_long(struct fn_spawn_server *s, const struct fn_proto_header *h, const char *data, size_t len)
{
	struct fn_box *b = fn_map_get_u64(s->by_id, h->id);
	uint32_t on;

	if (!b || len != sizeof(on))
		return;
	memcpy(&on, data, sizeof(on));
	if (on)
		fn_background_begin(b);
	else
		fn_background_end(b);
}

static void expect_tmp(struct fn_spawn_server *s, const char *data, size_t len)
{
	uint64_t bytes;

	if (len != sizeof(bytes) || !fn_tmps_on_disk(s->cfg.tmps))
		return;
	memcpy(&bytes, data, sizeof(bytes));
	fn_tmps_expect(s->cfg.tmps, bytes);
}

static void on_message(struct fn_spawn_server *s, const struct fn_proto_header *h, const char *data, size_t len, int *fds, size_t n_fds)
{
	struct fn_err err;
	struct fn_box *b;

	switch (h->type) {
	case FN_PROTO_SPAWN:
		fn_turns_order(s, h, data, len);
		break;
	case FN_PROTO_PRESTART:
		declare(s, h->request, data, len);
		break;
	case FN_PROTO_KILL:
	case FN_PROTO_RESET:
		b = fn_map_get_u64(s->by_id, h->id);
		if (b && h->type == FN_PROTO_KILL) {
			fn_kept_forget(s, b->environment);
			b->environment = 0;
		}
		if (b)
			fn_box_end(b);
		break;
	case FN_PROTO_FORGET:
		fn_kept_forget(s, h->id);
		break;
	case FN_PROTO_INITIALISED:
		b = fn_map_get_u64(s->by_id, h->id);
		if (b)
			fn_box_initialised(b);
		break;
	case FN_PROTO_RELEASE:
	case FN_PROTO_SIGNAL:
	case FN_PROTO_SOCKET:
		on_processes(s, h, data, len);
		break;
	case FN_PROTO_LONG:
		on_long(s, h, data, len);
		break;
	case FN_PROTO_RECLAIM:
		b = fn_map_get_u64(s->by_id, h->id);
		if (b)
			fn_reclaim_begin(b);
		break;
	case FN_PROTO_UNPACK:
		if (len == sizeof(struct fn_proto_unpack) && n_fds == 1) {
			struct fn_proto_unpack m;

			memcpy(&m, data, sizeof(m));
			n_fds = 0;
			fn_unpacker_start(s->unpacker, h->request, &m, fds[0]);
		} else {
			fn_err_set(&err, EBADMSG, "unpack", "malformed request");
			fn_spawn_reply_err(s, h->request, &err);
		}
		break;
	case FN_PROTO_MERGE:
		merge(s, h, data, len);
		break;
	case FN_PROTO_FETCH:
		fetch(s, h, data, len, fds, &n_fds);
		break;
	case FN_PROTO_REMOVE:
		if (len == FN_TREE_NAME_SIZE && memchr(data, '\0', len) && fn_tree_name_ok(data)) {
			fn_stock_forget_tree(s, data);
			fn_rootfs_forget_tree(s->cfg.rootfs, data);
			fn_unpacker_remove_tree(s->unpacker, data, h->request);
		} else {
			fn_err_set(&err, EBADMSG, "remove", "malformed request");
			fn_spawn_reply_err(s, h->request, &err);
		}
		break;
	case FN_PROTO_ROOT:
		expect_root(s, data, len);
		break;
	case FN_PROTO_TMP:
		expect_tmp(s, data, len);
		break;
	case FN_PROTO_SURVEY:
		fn_survey_start(&s->surveys, s->cfg.loop, s->cfg.trees_dir, len == 1 && data[0], on_surveyed, s, h->request);
		break;
	case FN_PROTO_DESCRIBE:
		describe(s, h->request);
		break;
	default:
		fn_err_set(&err, EBADMSG, "fn-spawnd", "unknown message %u", h->type);
		fn_spawn_reply_err(s, h->request, &err);
	}
	for (size_t i = 0; i < n_fds; i++)
		fn_close(fds[i]);
}

static void on_sock(void *arg, int fd, uint32_t events)
{
	struct fn_spawn_server *s = arg;

	if (events & EPOLLOUT)
		fn_spawn_flush(s);
	for (int round = 0; round < 16; round++) { /* then let handshakes have their turn */
		int fds[FN_SOCK_FDS_MAX];
		size_t n_fds;
		ssize_t n = fn_sock_recv(fd, s->in, FN_PROTO_MAX, fds, &n_fds);
		struct fn_proto_header h;

		if (n == -EAGAIN)
			return;
		if (n <= 0) { /* fnd is gone */
			fn_spawn_server_shutdown(s);
			return;
		}
		if ((size_t)n >= sizeof(h))
			memcpy(&h, s->in, sizeof(h));
		if ((size_t)n < sizeof(h) || h.version != FN_PROTO_VERSION) {
			for (size_t i = 0; i < n_fds; i++)
				fn_close(fds[i]);
			continue;
		}
		on_message(s, &h, s->in + sizeof(h), (size_t)n - sizeof(h), fds, n_fds);
	}
}

static void on_tmp_ready(void *arg) { fn_parked_look(arg); }

static void on_tmp_largest(void *arg, const struct fn_tmp *tmp, uint64_t bytes)
{
	struct fn_spawn_server *s = arg;

	fn_list_for_each_safe(l, &s->boxes)
	{
		struct fn_box *b = fn_list_entry(l, struct fn_box, link);

		if ((b->tmp != tmp && !fn_kept_is(s, b->environment, tmp)) || b->state == FN_BOX_ENDING)
			continue;
		fn_kept_forget(s, b->environment);
		b->environment = 0;
		b->exit.tmp_mb = (uint32_t)(bytes >> 20) + 1;
		fn_box_end(b);
	}
}

/* As many as there are ranges in those that are ours; the first is that of the files' owners. */
static uint32_t n_slots(uint32_t uid_base, uint32_t uid_count)
{
	uint32_t n, most = UINT32_MAX - uid_base; /* none may wrap around to the host's own */

	n = (uid_count && uid_count < most ? uid_count : most) / FN_BOX_UIDS_APART;
	return n - 1 < FN_BOX_SLOTS_MAX ? n - 1 : FN_BOX_SLOTS_MAX;
}

static const struct fn_box_hooks hooks = {
	.none = fn_stock_box_none,	       .ready = fn_stock_box_ready,   .started = fn_stock_box_started, .initialised = fn_stock_box_initialised,
	.failed = fn_stock_box_failed, .ended = fn_stock_box_ended, .order = fn_spawn_order,	  .through = fn_turns_one_is_through,
	.end = fn_box_end,
};
static const struct fn_tmps_ops tmps_ops = {on_tmp_ready, on_tmp_largest};

int fn_spawn_server_new(const struct fn_spawn_server_config *config, struct fn_spawn_server **ret, struct fn_err *err)
{
	const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
	struct fn_spawn_server *s;
	int r = 0;

	(void)setrlimit(RLIMIT_SIGPENDING, &none); /* the sum over all sandboxes is ours: each has its own */
	if (fn_ns_threads() != 1)
		return fn_err_set(err, EINVAL, "fn-spawnd", "must be single-threaded before clone3");
	s = calloc(1, sizeof(*s));
	if (!s)
		return fn_err_set(err, ENOMEM, "fn-spawnd", NULL);
	s->cfg = *config;
	s->hooks = &hooks;
	s->next_id = fn_clock_mono_us() / 1000 << 20; /* never an id that an earlier fn-spawnd gave */
	s->handover = (struct fn_handover){.nothing = -EBADF};
	s->files_fd = s->census_fd = -EBADF;
	for (unsigned i = 0; i < FN_HANDOVER_N; i++)
		s->handover.fd[i] = -EBADF;
	fn_list_init(&s->boxes);
	fn_list_init(&s->out);
	fn_list_init(&s->turns);
	fn_list_init(&s->graves);
	fn_list_init(&s->reclaims);
	fn_list_init(&s->background);
	fn_list_init(&s->stocks);
	fn_list_init(&s->parked);
	fn_list_init(&s->surveys);
	if (fn_slots_new(n_slots(config->uid_base, config->uid_count), &s->slots) < 0 || !(s->in = malloc(FN_PROTO_MAX)) || fn_map_new(&s->by_id) < 0 || fn_map_new(&s->kept) < 0)
		r = -ENOMEM;
	if (r == 0)
		r = fn_handover_open(&s->handover);
	if (r == 0)
		r = fn_turns_open(s);
	if (r == 0)
		r = fn_unpacker_new(config, on_unpacked, on_removed, s, &s->unpacker);
	if (r == 0)
		r = fn_fetcher_new(config, on_fetched, s, &s->fetcher);
	if (r == 0)
		r = fn_merger_new(config, s->unpacker, on_unpacked, s, &s->merger);
	if (r == 0)
		r = fn_fd_set_nonblock(s->cfg.sock, true);
	if (r == 0)
		r = fn_loop_add_io(s->cfg.loop, s->cfg.sock, EPOLLIN, on_sock, s, &s->io);
	if (r == 0)
		r = fn_stock_open(s);
	if (r == 0)
		r = fn_parked_open(s);
	if (r == 0)
		r = fn_files_open(s);
	if (r == 0)
		fn_tmps_listen(s->cfg.tmps, &tmps_ops, s);
	if (r < 0) {
		fn_spawn_server_free(s);
		return fn_err_set(err, r, "fn-spawnd", "set-up");
	}
	*ret = s;
	return 0;
}

void fn_spawn_server_shutdown(struct fn_spawn_server *s)
{
	if (s->shutdown)
		return;
	s->shutdown = true;
	fn_loop_clear(s->cfg.loop, &s->io);
	fn_close(fn_take_fd(&s->cfg.sock));
	fn_turns_close(s);
	fn_stock_close(s);
	fn_parked_free(s);
	fn_list_for_each_safe(l, &s->boxes) fn_box_end(fn_list_entry(l, struct fn_box, link));
	if (s->n_boxes == 0)
		fn_loop_stop(s->cfg.loop);
}

void fn_spawn_server_free(struct fn_spawn_server *s)
{
	if (!s)
		return;
	fn_loop_clear(s->cfg.loop, &s->io);
	fn_close(fn_take_fd(&s->cfg.sock));
	fn_spawn_flush(s); /* to nobody: drops what could not be said any more */
	fn_tmps_listen(s->cfg.tmps, NULL, NULL);
	fn_turns_close(s);
	fn_stock_close(s);
	fn_parked_free(s);
	fn_files_close(s);
	fn_loop_clear(s->cfg.loop, &s->graves_timer);
	fn_surveys_end(&s->surveys);
	fn_merger_free(s->merger);
	fn_unpacker_free(s->unpacker);
	fn_fetcher_free(s->fetcher);
	fn_stock_free(s);
	fn_map_free(s->by_id);
	fn_kept_free(s);
	fn_slots_free(s->slots);
	fn_handover_close(&s->handover);
	free(s->in);
	free(s);
}
