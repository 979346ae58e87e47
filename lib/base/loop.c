/*
 * loop.c - see loop.h. Registrations live in a table of slots; an id is slot index + generation. Timers are
 * a binary heap of slot indices. A callback may add or remove anything: dispatch resolves each ready id anew.
 */
#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum kind { FREE, IO, TIMER, SIGNAL, PREPARE };
#define ROUND_EVENTS 128
#define NOT_QUEUED UINT32_MAX

struct slot {
	enum kind kind;
	uint32_t generation;
	void *arg;
	union {
		struct {
			fn_loop_io_fn fn;
			int fd;
		} io;
		struct {
			fn_loop_timer_fn fn;
			uint64_t at_us;
			uint32_t heap_pos;
		} timer;
		struct {
			fn_loop_signal_fn fn;
			int signo;
		} signal;
		fn_loop_prepare_fn prepare;
		uint32_t next_free;
	};
};

struct fn_loop {
	int epoll_fd, signal_fd;
	bool stop, leave, no_pwait2;
	uint64_t now_us;
	struct slot *slots;
	uint32_t n_slots, first_free; /* first_free NOT_QUEUED = none */
	uint32_t *heap;
	uint32_t n_heap, cap_heap;
	bool again;
	uint32_t n_prepare;
	struct fn_list deferred;
	sigset_t signals;
	uint64_t signal_id;
};

static uint64_t id_of(const struct fn_loop *l, uint32_t i) { return (uint64_t)l->slots[i].generation << 32 | i; }

static struct slot *lookup(struct fn_loop *l, uint64_t id)
{
	uint32_t i = (uint32_t)id;

	if (id == 0 || i >= l->n_slots || l->slots[i].generation != id >> 32 || l->slots[i].kind == FREE)
		return NULL;
	return &l->slots[i];
}

static int slot_take(struct fn_loop *l, enum kind kind, void *arg, uint32_t *ret)
{
	uint32_t i;

	if (l->first_free == NOT_QUEUED) {
		uint32_t n = l->n_slots ? l->n_slots * 2 : 64;
		struct slot *s = realloc(l->slots, n * sizeof(*s));

		if (!s)
			return -ENOMEM;
		l->slots = s;
		for (i = n; i-- > l->n_slots;) {
			s[i] = (struct slot){.kind = FREE, .next_free = l->first_free};
			l->first_free = i;
		}
		l->n_slots = n;
	}
	i = l->first_free;
	l->first_free = l->slots[i].next_free;
	l->slots[i] = (struct slot){.kind = kind, .generation = l->slots[i].generation + 1, .arg = arg};
	if (l->slots[i].generation == 0)
		l->slots[i].generation = 1;
	*ret = i;
	return 0;
}

static void slot_release(struct fn_loop *l, uint32_t i)
{
	l->slots[i].kind = FREE;
	l->slots[i].next_free = l->first_free;
	l->first_free = i;
}

/* --- the heap of timers --- */
static uint64_t at(const struct fn_loop *l, uint32_t pos) { return l->slots[l->heap[pos]].timer.at_us; }

static void heap_put(struct fn_loop *l, uint32_t pos, uint32_t slot)
{
	l->heap[pos] = slot;
	l->slots[slot].timer.heap_pos = pos;
}

static void heap_up(struct fn_loop *l, uint32_t pos)
{
	uint32_t slot = l->heap[pos];

	while (pos > 0 && at(l, (pos - 1) / 2) > l->slots[slot].timer.at_us) {
		heap_put(l, pos, l->heap[(pos - 1) / 2]);
		pos = (pos - 1) / 2;
	}
	heap_put(l, pos, slot);
}

static void heap_down(struct fn_loop *l, uint32_t pos)
{
	uint32_t slot = l->heap[pos];

	for (;;) {
		uint32_t child = 2 * pos + 1;

		if (child >= l->n_heap)
			break;
		if (child + 1 < l->n_heap && at(l, child + 1) < at(l, child))
			child++;
		if (at(l, child) >= l->slots[slot].timer.at_us)
			break;
		heap_put(l, pos, l->heap[child]);
		pos = child;
	}
	heap_put(l, pos, slot);
}

static void heap_remove(struct fn_loop *l, uint32_t slot)
{
	uint32_t pos = l->slots[slot].timer.heap_pos, last;

	if (pos == NOT_QUEUED)
		return;
	l->slots[slot].timer.heap_pos = NOT_QUEUED;
	last = l->heap[--l->n_heap];
	if (last == slot)
		return;
	heap_put(l, pos, last);
	heap_up(l, pos);
	heap_down(l, l->slots[last].timer.heap_pos);
}

static int heap_add(struct fn_loop *l, uint32_t slot)
{
	if (l->n_heap == l->cap_heap) {
		uint32_t n = l->cap_heap ? l->cap_heap * 2 : 64;
		uint32_t *h = realloc(l->heap, n * sizeof(*h));

		if (!h)
			return -ENOMEM;
		l->heap = h;
		l->cap_heap = n;
	}
	heap_put(l, l->n_heap++, slot);
	heap_up(l, l->n_heap - 1);
	return 0;
}

int fn_loop_new(struct fn_loop **ret_loop)
{
	struct fn_loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->signal_fd = -EBADF;
	l->first_free = NOT_QUEUED;
	fn_list_init(&l->deferred);
	sigemptyset(&l->signals);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		int r = -errno;

		free(l);
		return r;
	}
	l->now_us = fn_clock_mono_us();
	*ret_loop = l;
	return 0;
}

void fn_loop_free(struct fn_loop *l)
{
	if (!l)
		return;
	fn_close(l->epoll_fd);
	fn_close(l->signal_fd);
	free(l->slots);
	free(l->heap);
	free(l);
}

uint64_t fn_loop_now_us(const struct fn_loop *l) { return l->now_us; }
void fn_loop_stop(struct fn_loop *l) { l->stop = true; }
void fn_loop_leave(struct fn_loop *l) { l->leave = true; }

int fn_loop_add_io(struct fn_loop *l, int fd, uint32_t events, fn_loop_io_fn fn, void *arg, uint64_t *ret_id)
{
	struct epoll_event ev = {.events = events};
	uint32_t i;
	int r = slot_take(l, IO, arg, &i);

	if (r < 0)
		return r;
	l->slots[i].io.fn = fn;
	l->slots[i].io.fd = fd;
	ev.data.u64 = id_of(l, i);
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		r = -errno;
		slot_release(l, i);
		return r;
	}
	*ret_id = ev.data.u64;
	return 0;
}

int fn_loop_mod_io(struct fn_loop *l, uint64_t id, uint32_t events)
{
	struct slot *s = lookup(l, id);
	struct epoll_event ev = {.events = events, .data.u64 = id};

	if (!s || s->kind != IO)
		return -ENOENT;
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, s->io.fd, &ev) < 0 ? -errno : 0;
}

int fn_loop_add_timer(struct fn_loop *l, uint64_t at_us, fn_loop_timer_fn fn, void *arg, uint64_t *ret_id)
{
	uint32_t i;
	int r = slot_take(l, TIMER, arg, &i);

	if (r < 0)
		return r;
	l->slots[i].timer.fn = fn;
	l->slots[i].timer.at_us = at_us;
	l->slots[i].timer.heap_pos = NOT_QUEUED;
	if (at_us != UINT64_MAX && (r = heap_add(l, i)) < 0) {
		slot_release(l, i);
		return r;
	}
	*ret_id = id_of(l, i);
	return 0;
}

int fn_loop_rearm_timer(struct fn_loop *l, uint64_t id, uint64_t at_us)
{
	struct slot *s = lookup(l, id);

	if (!s || s->kind != TIMER)
		return -ENOENT;
	if (at_us == UINT64_MAX) {
		heap_remove(l, (uint32_t)id);
		return 0;
	}
	s->timer.at_us = at_us;
	if (s->timer.heap_pos == NOT_QUEUED)
		return heap_add(l, (uint32_t)id);
	heap_up(l, s->timer.heap_pos);
	heap_down(l, s->timer.heap_pos);
	return 0;
}

int fn_loop_add_prepare(struct fn_loop *l, fn_loop_prepare_fn fn, void *arg, uint64_t *ret_id)
{
	uint32_t i;
	int r = slot_take(l, PREPARE, arg, &i);

	if (r < 0)
		return r;
	l->slots[i].prepare = fn;
	l->n_prepare++;
	*ret_id = id_of(l, i);
	return 0;
}

static void on_signal(void *arg, int fd, uint32_t events)
{
	struct fn_loop *l = arg;
	struct signalfd_siginfo si;

	(void)events;
	while (read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		for (uint32_t i = 0; i < l->n_slots; i++)
			if (l->slots[i].kind == SIGNAL && l->slots[i].signal.signo == (int)si.ssi_signo)
				l->slots[i].signal.fn(l->slots[i].arg, (int)si.ssi_signo, (int)si.ssi_pid);
}

int fn_loop_add_signal(struct fn_loop *l, int signo, fn_loop_signal_fn fn, void *arg, uint64_t *ret_id)
{
	sigset_t one;
	uint32_t i;
	int fd, r;

	sigemptyset(&one);
	sigaddset(&one, signo);
	sigaddset(&l->signals, signo);
	if (sigprocmask(SIG_BLOCK, &one, NULL) < 0)
		return -errno;
	fd = signalfd(l->signal_fd < 0 ? -1 : l->signal_fd, &l->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (l->signal_fd < 0) {
		l->signal_fd = fd;
		r = fn_loop_add_io(l, fd, EPOLLIN, on_signal, l, &l->signal_id);
		if (r < 0)
			return r;
	}
	r = slot_take(l, SIGNAL, arg, &i);
	if (r < 0)
		return r;
	l->slots[i].signal.fn = fn;
	l->slots[i].signal.signo = signo;
	*ret_id = id_of(l, i);
	return 0;
}

void fn_loop_del(struct fn_loop *l, uint64_t id)
{
	struct slot *s = lookup(l, id);

	if (!s)
		return;
	switch (s->kind) {
	case IO:
		(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, s->io.fd, NULL);
		break;
	case TIMER:
		heap_remove(l, (uint32_t)id);
		break;
	case PREPARE:
		l->n_prepare--;
		break;
	case SIGNAL: /* stays blocked: an unblocked SIGTERM would kill us in the middle of a shutdown */
	case FREE:
		break;
	}
	slot_release(l, (uint32_t)id);
}

static int wait_events(struct fn_loop *l, struct epoll_event *ev, uint64_t until_us)
{
	uint64_t now = until_us == UINT64_MAX || until_us == 0 ? 0 : fn_clock_mono_us();
	uint64_t left = until_us > now ? until_us - now : 0;
	struct timespec ts = {.tv_sec = (time_t)(left / 1000000u), .tv_nsec = (long)(left % 1000000u) * 1000};
	int n;

	if (!l->no_pwait2) {
		n = epoll_pwait2(l->epoll_fd, ev, ROUND_EVENTS, until_us == UINT64_MAX ? NULL : &ts, NULL);
		if (n >= 0 || errno != ENOSYS)
			return n < 0 ? -errno : n;
		l->no_pwait2 = true;
	}
	left = (left + 999) / 1000;
	n = epoll_wait(l->epoll_fd, ev, ROUND_EVENTS, until_us == UINT64_MAX ? -1 : left > INT_MAX ? INT_MAX : (int)left);
	return n < 0 ? -errno : n;
}

static void run_timers(struct fn_loop *l)
{
	/* bounded by what was queued: a timer that rearms itself in the past waits for the next round */
	for (uint32_t left = l->n_heap; left > 0 && l->n_heap > 0 && at(l, 0) <= l->now_us; left--) {
		uint32_t i = l->heap[0];
		fn_loop_timer_fn fn = l->slots[i].timer.fn;
		void *arg = l->slots[i].arg;

		heap_remove(l, i);
		fn(arg);
	}
}

void fn_loop_again(struct fn_loop *l) { l->again = true; }

void fn_loop_defer(struct fn_loop *l, struct fn_deferred *d)
{
	if (!fn_list_linked(&d->link))
		fn_list_push_back(&l->deferred, &d->link);
}

static void run_prepare(struct fn_loop *l, uint64_t *until)
{
	l->again = false;
	for (uint32_t i = 0, left = l->n_prepare; i < l->n_slots && left > 0; i++)
		if (l->slots[i].kind == PREPARE) {
			left--;
			l->slots[i].prepare(l->slots[i].arg, until);
		}
}

static void run_deferred(struct fn_loop *l)
{
	struct fn_list batch;

	if (fn_list_empty(&l->deferred))
		return;
	fn_list_take_over(&batch, &l->deferred); /* what is deferred from now on is not in it */
	while (!fn_list_empty(&batch)) {
		struct fn_deferred *d = fn_list_entry(fn_list_first(&batch), struct fn_deferred, link);

		fn_list_remove(&d->link);
		d->fn(d->arg);
	}
}

int fn_loop_run_once(struct fn_loop *l, uint64_t timeout_us)
{
	struct epoll_event ev[ROUND_EVENTS];
	uint64_t until = UINT64_MAX;
	int n;

	l->now_us = fn_clock_mono_us();
	if (timeout_us != UINT64_MAX)
		until = timeout_us ? l->now_us + timeout_us : 0;
	run_prepare(l, &until);
	for (int round = 1; l->again && round < 4; round++)
		run_prepare(l, &until);
	run_deferred(l);
	if (l->again || !fn_list_empty(&l->deferred))
		until = 0;
	if (l->n_heap > 0 && at(l, 0) < until)
		until = at(l, 0) > l->now_us ? at(l, 0) : 0;
	if (l->stop || l->leave)
		return 0;
	n = wait_events(l, ev, until);
	if (n == -EINTR)
		n = 0;
	if (n < 0)
		return n;
	l->now_us = fn_clock_mono_us();
	for (int k = 0; k < n; k++) {
		struct slot *s = lookup(l, ev[k].data.u64);

		if (s && s->kind == IO)
			s->io.fn(s->arg, s->io.fd, ev[k].events);
	}
	run_timers(l);
	return 0;
}

int fn_loop_run(struct fn_loop *l)
{
	bool left;
	int r = 0;

	while (!l->stop && !l->leave && r == 0) /* asked to stop before it ran: then it does not */
		r = fn_loop_run_once(l, UINT64_MAX);
	left = l->leave && !l->stop && r == 0;
	l->leave = false;
	if (left)
		return 1;
	l->stop = false;
	return r;
}
