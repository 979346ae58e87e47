/*
 * tmps.h - what environments have at /tmp: file systems on the disk, each of its function's size, made ahead by the keeper (keeper.h) and emptied by
 * it before another environment has one. Runs in fn-spawnd on its loop, and waits for nothing.
 *
 * One belongs to an environment: a sandbox gets a mount of it (fn_tmp_take_mount()), its end does not end it. What a function writes is page cache
 * of a disk's file: it counts as its sandbox's memory as long as nobody wants that back, and the kernel gives it back before anything is killed.
 *
 * Where this cannot be had, sandboxes have a tmpfs, which is memory: fn_tmps_way() says why.
 */
#ifndef FN_SPAWN_TMPS_H
#define FN_SPAWN_TMPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

enum fn_tmp_way { FN_TMP_AUTO, FN_TMP_LOOP, FN_TMP_TMPFS }; /* AUTO: LOOP, and TMPFS where that does not work */
int fn_tmp_way_parse(const char *text, enum fn_tmp_way *ret); /* "auto", "loop", "tmpfs" */
const char *fn_tmp_way_name(enum fn_tmp_way way);

struct fn_tmp; /* of one environment */
struct fn_tmps_config {
	struct fn_loop *loop;
	enum fn_tmp_way way;
	int host_ns_fd;      /* for keeper.h; borrowed */
	const char *dir;
	uint32_t owner;
	uint64_t disk_bytes;
	unsigned least, most; /* ready, of the usual size; of others, while functions have them, a few */
	unsigned in_time;     /* what the least grows to while nobody asks for any, one after the other: many starts at once would wait for the keeper */
};
struct fn_tmps_ops {
	void (*on_ready)(void *arg); /* who found none may try again */
	void (*on_largest)(void *arg, const struct fn_tmp *tmp, uint64_t bytes); /* the disk that all may have is used up, so much of it by this one */
};

struct fn_tmps;
/* Waits until the first one is made, or cannot be: with FN_TMP_AUTO that is told in the log. */
int fn_tmps_open(const struct fn_tmps_config *config, struct fn_tmps **ret, struct fn_err *err);
void fn_tmps_close(struct fn_tmps *t); /* nobody has one any more. NULL is fine */
void fn_tmps_listen(struct fn_tmps *t, const struct fn_tmps_ops *ops, void *arg); /* ops NULL: no more */
bool fn_tmps_on_disk(const struct fn_tmps *t);

/* There are functions of this size: a few are made ahead from now on, as long as it is among the 16 that were wanted last. */
void fn_tmps_expect(struct fn_tmps *t, uint64_t bytes);
/* One of this size, or NULL: there is none now, and one more is being made. Counts as demand. *err: why the last one could not be made. */
struct fn_tmp *fn_tmps_take(struct fn_tmps *t, uint64_t bytes, struct fn_err *err);
bool fn_tmps_has(struct fn_tmps *t, uint64_t bytes);
uint64_t fn_tmps_came_us(struct fn_tmps *t, uint64_t bytes); /* when the last of this size was there (CLOCK_MONOTONIC); 0 = none was */
/* The environment has ended. NULL is fine. */
void fn_tmps_give(struct fn_tmps *t, struct fn_tmp *tmp);
/* A detached mount for a sandbox, owned by the caller from then on; -ESTALE: it has been taken. */
int fn_tmp_take_mount(struct fn_tmp *tmp);

/* A JSON object for `doctor`. */
const char *fn_tmps_describe(const struct fn_tmps *t, char *buf, size_t size);

#endif
