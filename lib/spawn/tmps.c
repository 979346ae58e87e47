/* tmps.c - see tmps.h. */
#include "spawn/tmps.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/str.h"
#include "os/sock.h"
#include "sandbox/child.h"
#include "spawn/keeper.h"
#include "spawn/stock.h"

#define FIRST_MS 10000      /* it waits for a disk, which may be busy */
#define LATER_US 100000u    /* after a start others are made: when it has the CPUs no more */
#define SOON_US 5000u       /* when few are left */
#define RETRY_US 1000000u   /* after a failure */
#define QUIET_US 1000000u   /* without a start; then there is one more, */
#define ONE_MORE_US 150000u /* and one more again: each holds up mounts for a moment */
#define OTHER_LEAST 2u
#define OTHERS 16u          /* sizes that have them ready: those that were wanted last */
#define AT_ONCE 64u         /* asked for and not there yet: others want to be emptied, too */
#define CLOSE_US 5000000u

struct fn_tmp {
	struct fn_list link; /* READY: of its size's; given back and not told to the keeper yet: of fn_tmps.returned */
	struct size *size;
	uint32_t slot;
	unsigned keeper; /* whose slot it is */
	int mount_fd;
};

struct size {
	struct fn_list link;
	uint64_t bytes, retry_us, wanted_us, came_us;
	unsigned least, n_ready, n_asked, n_missed, taken; /* missed: taken when there was none, since then */
	double demand;
	struct fn_list ready;
	struct fn_err why; /* of the last failure; code 0: there was none since one was made */
};

struct fn_tmps {
	struct fn_tmps_config cfg;
	const struct fn_tmps_ops *ops;
	void *arg;
	int sock;
	pid_t keeper;
	unsigned keepers; /* that there have been */
	uint64_t io, timer, tick_us, grow_us, restart_us;
	struct fn_list sizes;    /* the usual one first */
	struct fn_list returned; /* the keeper's socket was full */
	struct fn_tmp **by_slot;
	unsigned n_given;
	struct fn_err why;       /* there is no keeper */
};

static const char *const ways[] = {[FN_TMP_AUTO] = "auto", [FN_TMP_LOOP] = "loop", [FN_TMP_TMPFS] = "tmpfs"};

const char *fn_tmp_way_name(enum fn_tmp_way way) { return ways[way]; }

int fn_tmp_way_parse(const char *text, enum fn_tmp_way *ret)
{
	for (size_t i = 0; text && i < sizeof(ways) / sizeof(ways[0]); i++)
		if (fn_streq(text, ways[i])) {
			*ret = (enum fn_tmp_way)i;
			return 0;
		}
	return -EINVAL;
}

static struct size *size_of(struct fn_list *l) { return fn_list_entry(l, struct size, link); }

static struct size *find(struct fn_tmps *t, uint64_t bytes)
{
	struct size *z;

	fn_list_for_each(l, &t->sizes)
	{
		if (size_of(l)->bytes == bytes)
			return size_of(l);
	}
	z = calloc(1, sizeof(*z));
	if (!z)
		return NULL;
	z->bytes = bytes;
	z->least = bytes == FN_TMP_USUAL ? t->cfg.least : 0;
	fn_list_init(&z->ready);
	fn_list_push_back(&t->sizes, &z->link);
	return z;
}

/* --- the keeper --- */
static void top_up(struct fn_tmps *t);

static int tell(struct fn_tmps *t, const struct fn_keeper_ask *a)
{
	return t->sock < 0 ? -ENOTCONN : send(t->sock, a, sizeof(*a), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void arm(struct fn_tmps *t, uint64_t at)
{
	if (t->timer)
		(void)fn_loop_rearm_timer(t->cfg.loop, t->timer, at < t->tick_us ? at : t->tick_us);
}

static void forget(struct fn_tmps *t, struct fn_tmp *tmp)
{
	if (t->by_slot[tmp->slot] == tmp)
		t->by_slot[tmp->slot] = NULL;
	fn_list_remove(&tmp->link);
	fn_close(tmp->mount_fd);
	free(tmp);
}

static unsigned target(const struct fn_tmps *t, const struct size *z) { return fn_stock_target(z->demand, z->taken, z->least, t->cfg.most); }

/* While somebody waits, none are made for later. */
static unsigned wanted(const struct fn_tmps *t, const struct size *z) { return z->n_missed ? z->n_missed : target(t, z); }

/* To the keeper: to be emptied and come back as another, or to go. */
static bool send_back(struct fn_tmps *t, struct fn_tmp *tmp)
{
	struct size *z = tmp->size;
	bool again = z->n_ready + z->n_asked < wanted(t, z);
	int r = -ENOTCONN;

	if (tmp->keeper == t->keepers) /* else it went with that one */
		r = tell(t, &(struct fn_keeper_ask){.verb = again ? FN_KEEPER_EMPTY : FN_KEEPER_DROP, .slot = tmp->slot});
	if (r == -EAGAIN)
		return false;
	z->n_asked += again && r == 0;
	forget(t, tmp);
	return true;
}

static void put_back(struct fn_tmps *t, struct fn_tmp *tmp)
{
	if (!fn_list_empty(&t->returned) || !send_back(t, tmp))
		fn_list_push_back(&t->returned, &tmp->link);
}

static void on_ready(struct fn_tmps *t, const struct fn_keeper_answer *a, int *fd)
{
	struct size *z = find(t, a->bytes);
	struct fn_tmp *tmp = z && a->slot < FN_KEEPER_SLOTS ? calloc(1, sizeof(*tmp)) : NULL;

	if (!tmp)
		abort(); /* as for an answer: it must not be lost silently */
	*tmp = (struct fn_tmp){.size = z, .slot = a->slot, .keeper = t->keepers, .mount_fd = fn_take_fd(fd)};
	t->by_slot[a->slot] = tmp;
	fn_list_push_front(&z->ready, &tmp->link);
	z->n_ready++;
	z->came_us = fn_clock_mono_us();
	z->n_asked -= z->n_asked > 0;
	z->n_missed -= z->n_missed > 0;
	z->why.code = 0;
	if (t->ops)
		t->ops->on_ready(t->arg);
}

static void on_failed(struct fn_tmps *t, const struct fn_keeper_answer *a)
{
	struct size *z = a->bytes ? find(t, a->bytes) : NULL;
	char text[512];

	if (!z) { /* it could not begin, and has ended */
		t->why = a->err;
		return;
	}
	if (z->why.code == 0)
		fn_log_warn("cannot make file systems of %" PRIu64 " MB for /tmp: %s", z->bytes >> 20, fn_err_format(&a->err, text, sizeof(text)));
	z->why = a->err;
	z->n_asked -= z->n_asked > 0;
	z->n_missed -= z->n_missed > 0;
	z->retry_us = fn_clock_mono_us() + RETRY_US;
}

/* What it had made and nobody has had goes with it; what environments have they keep, until they end. */
static void lost(struct fn_tmps *t)
{
	fn_loop_clear(t->cfg.loop, &t->io);
	fn_close(fn_take_fd(&t->sock));
	if (t->keeper > 0) {
		(void)kill(t->keeper, SIGKILL);
		while (waitpid(t->keeper, NULL, 0) < 0 && errno == EINTR)
			;
		t->keeper = 0;
	}
	fn_list_for_each_safe(l, &t->sizes)
	{
		struct size *z = size_of(l);

		fn_list_for_each_safe(r, &z->ready) forget(t, fn_list_entry(r, struct fn_tmp, link));
		z->n_ready = z->n_asked = 0;
	}
	fn_list_for_each_safe(l, &t->returned) forget(t, fn_list_entry(l, struct fn_tmp, link));
	memset(t->by_slot, 0, FN_KEEPER_SLOTS * sizeof(*t->by_slot)); /* another counts anew */
}

/* -EAGAIN: nothing more. */
static int receive(struct fn_tmps *t)
{
	struct fn_keeper_answer a;
	int fds[FN_SOCK_FDS_MAX];
	size_t n_fds = 0;
	ssize_t n = fn_sock_recv(t->sock, &a, sizeof(a), fds, &n_fds);

	if (n == -ECONNRESET) /* it ended with something unread: why, which it said before, is behind that error */
		n = fn_sock_recv(t->sock, &a, sizeof(a), fds, &n_fds);
	if (n != (ssize_t)sizeof(a))
		return n == -EAGAIN ? -EAGAIN : -EPIPE;
	if (a.what == FN_KEEPER_READY && n_fds == 1)
		on_ready(t, &a, &fds[0]);
	else if (a.what == FN_KEEPER_FAILED)
		on_failed(t, &a);
	else if (a.what == FN_KEEPER_LARGEST && a.slot < FN_KEEPER_SLOTS && t->by_slot[a.slot] && t->ops)
		t->ops->on_largest(t->arg, t->by_slot[a.slot], a.bytes);
	for (size_t i = 0; i < n_fds; i++)
		fn_close(fds[i]);
	return 0;
}

static void on_io(void *arg, int fd, uint32_t events)
{
	struct fn_tmps *t = arg;
	int r = 0;

	(void)fd;
	(void)events;
	for (int i = 0; i < 16 && r == 0; i++) /* then others have their turn */
		r = receive(t);
	if (r == -EPIPE) {
		fn_log_warn("the keeper of /tmp has ended; another is started");
		lost(t);
		t->restart_us = fn_clock_mono_us() + RETRY_US; /* not at once: what has ended it may end that, too */
	}
	top_up(t);
}

static int start_keeper(struct fn_tmps *t, struct fn_err *err)
{
	const struct fn_keeper_config c = {t->cfg.host_ns_fd, t->cfg.dir, t->cfg.owner, t->cfg.disk_bytes};
	int r = t->sock = fn_keeper_start(&c, &t->keeper, err);

	if (r >= 0 && (r = fn_loop_add_io(t->cfg.loop, t->sock, EPOLLIN, on_io, t, &t->io)) < 0) {
		fn_err_set(err, r, "keeper of /tmp", "watch");
		lost(t);
	}
	t->keepers++;
	return r < 0 ? r : 0;
}

/* --- how many --- */
static void top_up(struct fn_tmps *t)
{
	uint64_t now = fn_clock_mono_us();
	struct fn_err err = {0};
	char text[512];

	if (t->sock < 0 && now >= t->restart_us && start_keeper(t, &err) < 0) {
		fn_log_warn("%s", fn_err_format(&err, text, sizeof(text)));
		t->restart_us = now + RETRY_US;
	}
	fn_list_for_each_safe(l, &t->returned)
	{
		fn_list_remove(l);
		if (!send_back(t, fn_list_entry(l, struct fn_tmp, link))) {
			fn_list_push_front(&t->returned, l);
			return;
		}
	}
	fn_list_for_each(l, &t->sizes)
	{
		struct size *z = size_of(l);
		struct fn_keeper_ask a = {.verb = FN_KEEPER_MAKE, .bytes = z->bytes};

		while (now >= z->retry_us && z->n_asked < AT_ONCE && z->n_ready + z->n_asked < wanted(t, z) && tell(t, &a) == 0)
			z->n_asked++;
	}
}

/* What there is at least of the usual size: while nobody starts anything. */
static void grow(struct fn_tmps *t, uint64_t now)
{
	struct size *z = find(t, FN_TMP_USUAL);

	if (!z || z->least >= t->cfg.in_time) {
		t->grow_us = UINT64_MAX;
	} else if (now < z->wanted_us + QUIET_US) {
		t->grow_us = z->wanted_us + QUIET_US;
	} else if (now >= t->grow_us) {
		z->least++;
		t->grow_us = now + ONE_MORE_US;
	}
}

static void on_timer(void *arg)
{
	struct fn_tmps *t = arg;
	uint64_t now = fn_clock_mono_us();

	if (now >= t->tick_us) {
		t->tick_us = now + FN_STOCK_TICK_US;
		fn_list_for_each(l, &t->sizes)
		{
			struct size *z = size_of(l);

			z->demand = fn_stock_demand(z->demand, z->taken);
			z->taken = 0;
			if (z->n_ready > target(t, z)) { /* one a tick */
				struct fn_list *last = fn_list_last(&z->ready);

				fn_list_remove(last);
				z->n_ready--;
				put_back(t, fn_list_entry(last, struct fn_tmp, link));
			}
		}
	}
	grow(t, now);
	top_up(t);
	arm(t, t->grow_us);
}

/* --- for sandboxes --- */
/* Whoever makes functions of ever new sizes does not have the devices. */
static void rest_another(struct fn_tmps *t, const struct size *but)
{
	struct size *oldest = NULL;
	unsigned n = 0;

	fn_list_for_each(l, &t->sizes)
	{
		struct size *z = size_of(l);

		if (z == but || z->bytes == FN_TMP_USUAL || z->least == 0)
			continue;
		n++;
		if (!oldest || z->wanted_us < oldest->wanted_us)
			oldest = z;
	}
	if (n >= OTHERS)
		oldest->least = 0;
}

void fn_tmps_expect(struct fn_tmps *t, uint64_t bytes)
{
	struct size *z = fn_tmps_on_disk(t) ? find(t, bytes) : NULL;

	if (!z)
		return;
	z->wanted_us = fn_clock_mono_us();
	if (z->least < OTHER_LEAST) {
		z->least = OTHER_LEAST;
		rest_another(t, z);
		arm(t, 0);
	}
}

bool fn_tmps_has(struct fn_tmps *t, uint64_t bytes)
{
	struct size *z = find(t, bytes);

	return z && z->n_ready > 0;
}

uint64_t fn_tmps_came_us(struct fn_tmps *t, uint64_t bytes)
{
	struct size *z = find(t, bytes);

	return z ? z->came_us : 0;
}

struct fn_tmp *fn_tmps_take(struct fn_tmps *t, uint64_t bytes, struct fn_err *err)
{
	struct size *z = find(t, bytes);
	struct fn_list *first = z ? fn_list_first(&z->ready) : NULL;
	struct fn_tmp *tmp = first ? fn_list_entry(first, struct fn_tmp, link) : NULL;

	if (z)
		z->wanted_us = fn_clock_mono_us();
	if (tmp) {
		z->taken++;
		fn_list_remove(&tmp->link);
		z->n_ready--;
		t->n_given++;
		arm(t, fn_clock_mono_us() + (z->n_ready > z->least / 2 ? LATER_US : SOON_US));
		return tmp;
	}
	if (z && z->why.code)
		*err = z->why;
	else
		fn_err_set(err, z ? EAGAIN : ENOMEM, "mount /tmp", "none of %" PRIu64 " MB is ready", bytes >> 20);
	if (z)
		z->n_missed++;
	top_up(t);
	return NULL;
}

void fn_tmps_give(struct fn_tmps *t, struct fn_tmp *tmp)
{
	if (!tmp)
		return;
	t->n_given--;
	put_back(t, tmp);
}

int fn_tmp_take_mount(struct fn_tmp *tmp) { return tmp->mount_fd < 0 ? -ESTALE : fn_take_fd(&tmp->mount_fd); }

/* --- the whole --- */
static int await_first(struct fn_tmps *t, struct fn_err *err)
{
	struct size *z = find(t, FN_TMP_USUAL);
	uint64_t until = fn_clock_mono_us() + FIRST_MS * 1000ull;

	if (!z)
		return fn_err_set(err, ENOMEM, "keeper of /tmp", NULL);
	if (tell(t, &(struct fn_keeper_ask){.verb = FN_KEEPER_MAKE, .bytes = z->bytes}) == 0)
		z->n_asked++;
	while (z->n_ready == 0) {
		struct pollfd p = {.fd = t->sock, .events = POLLIN};
		uint64_t now = fn_clock_mono_us();

		if (now >= until || (poll(&p, 1, (int)((until - now) / 1000) + 1) < 0 && errno != EINTR))
			return fn_err_set(err, ETIMEDOUT, "keeper of /tmp", "nothing within %d s", FIRST_MS / 1000);
		if (receive(t) == -EPIPE || z->why.code || t->why.code) {
			*err = z->why.code ? z->why : t->why;
			return err->code ? -err->code : fn_err_set(err, EPIPE, "keeper of /tmp", "it has ended");
		}
	}
	return 0;
}

int fn_tmps_open(const struct fn_tmps_config *config, struct fn_tmps **ret, struct fn_err *err)
{
	struct fn_tmps *t = calloc(1, sizeof(*t));
	char text[512];
	int r;

	if (!t || !(t->by_slot = calloc(FN_KEEPER_SLOTS, sizeof(*t->by_slot)))) {
		free(t);
		return fn_err_set(err, ENOMEM, "keeper of /tmp", NULL);
	}
	t->cfg = *config;
	t->sock = -EBADF;
	fn_list_init(&t->sizes);
	fn_list_init(&t->returned);
	if (config->way == FN_TMP_TMPFS) {
		fn_err_set(&t->why, ENOTSUP, "tmp.mode", "tmpfs is configured");
		*ret = t;
		return 0;
	}
	r = start_keeper(t, err);
	if (r == 0)
		r = await_first(t, err);
	if (r == 0 && fn_loop_add_timer(config->loop, 0, on_timer, t, &t->timer) < 0)
		r = fn_err_set(err, ENOMEM, "keeper of /tmp", NULL);
	if (r < 0) {
		lost(t);
		if (config->way == FN_TMP_LOOP) {
			fn_tmps_close(t);
			return r;
		}
		t->why = *err;
		fn_log_warn("/tmp is memory (tmpfs), since it cannot be on the disk: %s", fn_err_format(&t->why, text, sizeof(text)));
	}
	*ret = t;
	return 0;
}

void fn_tmps_close(struct fn_tmps *t)
{
	uint64_t until = fn_clock_mono_us() + CLOSE_US;

	if (!t)
		return;
	fn_loop_clear(t->cfg.loop, &t->timer);
	fn_loop_clear(t->cfg.loop, &t->io);
	fn_list_for_each_safe(l, &t->sizes)
	{
		fn_list_for_each_safe(r, &size_of(l)->ready) forget(t, fn_list_entry(r, struct fn_tmp, link));
	}
	fn_close(fn_take_fd(&t->sock)); /* it unmounts them all, and ends */
	while (t->keeper > 0 && fn_clock_mono_us() < until && waitpid(t->keeper, NULL, WNOHANG) == 0)
		usleep(1000);
	if (t->keeper > 0 && fn_clock_mono_us() < until)
		t->keeper = 0;
	lost(t);
	fn_list_for_each_safe(l, &t->sizes)
	{
		fn_list_remove(l);
		free(size_of(l));
	}
	free(t->by_slot);
	free(t);
}

void fn_tmps_listen(struct fn_tmps *t, const struct fn_tmps_ops *ops, void *arg)
{
	if (!t)
		return;
	t->ops = ops;
	t->arg = arg;
}

bool fn_tmps_on_disk(const struct fn_tmps *t) { return t && t->timer != 0; }

const char *fn_tmps_describe(const struct fn_tmps *t, char *buf, size_t size)
{
	char why[512] = "";
	unsigned ready = 0;

	if (!t) {
		snprintf(buf, size, "{}");
		return buf;
	}
	fn_list_for_each(l, (struct fn_list *)&t->sizes) ready += size_of(l)->n_ready;
	if (!fn_tmps_on_disk(t))
		fn_err_format(&t->why, why, sizeof(why));
	for (char *p = why; *p; p++) /* within quotes */
		if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
			*p = '\'';
	snprintf(buf, size, "{\"mode\":\"%s\",\"way\":\"%s\",\"why\":\"%s\",\"dir\":\"%s\",\"used\":%u,\"ready\":%u}", fn_tmp_way_name(t->cfg.way), fn_tmps_on_disk(t) ? "loop" : "tmpfs", why, t->cfg.dir, t->n_given, ready);
	return buf;
}
