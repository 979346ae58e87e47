/*
 * loop.h - the event loop: descriptors, timers and signals on one epoll instance.
 *
 * One thread owns a loop, at a time. Every registration is named by a 64-bit id (slot + generation,
 * never 0): a callback that removes another registration, even one that is ready in
 * the same round, is safe, and a stale id is refused with -ENOENT, never resolved to
 * a newer registration. Times are CLOCK_MONOTONIC microseconds (base/clock.h).
 */
#ifndef FN_BASE_LOOP_H
#define FN_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct fn_loop;
typedef void (*fn_loop_io_fn)(void *arg, int fd, uint32_t events); /* EPOLLIN | ... */
typedef void (*fn_loop_timer_fn)(void *arg);
typedef void (*fn_loop_signal_fn)(void *arg, int signo, int sender_pid);
/* Called before each wait. May shorten the wait: lower *wait_until_us (absolute; UINT64_MAX = no limit; 0 = don't wait). */
typedef void (*fn_loop_prepare_fn)(void *arg, uint64_t *wait_until_us);

int fn_loop_new(struct fn_loop **ret_loop);
void fn_loop_free(struct fn_loop *loop); /* closes no descriptor it did not open; NULL is fine */

/* Runs until fn_loop_stop(); returns 0 or -errno of a failed wait. 1: it goes on, after fn_loop_leave(). */
int fn_loop_run(struct fn_loop *loop);
/* One round: waits at most timeout_us (0 = poll, UINT64_MAX = until something happens). */
int fn_loop_run_once(struct fn_loop *loop, uint64_t timeout_us);
void fn_loop_stop(struct fn_loop *loop);
/* At the end of this round, before it waits, the thread that runs the loop has something else to do: another one runs it from there on. One at a time does, and whoever comes
 * next has seen all that was done before: that is the threads' affair. */
void fn_loop_leave(struct fn_loop *loop);

/* The loop's time: read once per round, so callbacks of one round share it. */
uint64_t fn_loop_now_us(const struct fn_loop *loop);

/* Watches fd (borrowed) for epoll events. -EEXIST if it is watched already. */
int fn_loop_add_io(struct fn_loop *loop, int fd, uint32_t events, fn_loop_io_fn fn, void *arg, uint64_t *ret_id);
int fn_loop_mod_io(struct fn_loop *loop, uint64_t id, uint32_t events);

/* Fires once at the absolute time at_us (past = next round). The id stays valid until deleted;
 * fn_loop_rearm_timer() sets a fired or pending timer anew; UINT64_MAX disarms it. */
int fn_loop_add_timer(struct fn_loop *loop, uint64_t at_us, fn_loop_timer_fn fn, void *arg, uint64_t *ret_id);
int fn_loop_rearm_timer(struct fn_loop *loop, uint64_t id, uint64_t at_us);

/* Blocks signo for the process and delivers it through the loop (signalfd). */
int fn_loop_add_signal(struct fn_loop *loop, int signo, fn_loop_signal_fn fn, void *arg, uint64_t *ret_id);
/* From a prepare callback or what it calls: something that another prepare callback looks after has changed; all run once more. */
void fn_loop_again(struct fn_loop *loop);
int fn_loop_add_prepare(struct fn_loop *loop, fn_loop_prepare_fn fn, void *arg, uint64_t *ret_id);

/* Work that nobody waits for: done once, at the end of this round, after the prepare callbacks and before the wait. The struct is the
 * caller's, with fn and arg set; deferring what is deferred already changes nothing. Callbacks may defer again: that is for the next round. */
struct fn_deferred {
	struct fn_list link;
	void (*fn)(void *arg);
	void *arg;
};
void fn_loop_defer(struct fn_loop *loop, struct fn_deferred *d);
static inline void fn_deferred_cancel(struct fn_deferred *d) { fn_list_remove(&d->link); }

/* Removes any registration. id 0 is ignored. Call before closing the descriptor. */
void fn_loop_del(struct fn_loop *loop, uint64_t id);
/* Removes and zeroes, for struct members. */
static inline void fn_loop_clear(struct fn_loop *loop, uint64_t *id)
{
	uint64_t v = *id;
	*id = 0;
	if (v != 0)
		fn_loop_del(loop, v);
}

#endif
