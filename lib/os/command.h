/*
 * command.h - runs a program for what it prints, on an event loop: bounded in time and in output, in a process group of its own that ends with it.
 *
 * Its input is /dev/null, its standard error and environment are ours, every other descriptor is closed (O_CLOEXEC everywhere else).
 */
#ifndef FN_OS_COMMAND_H
#define FN_OS_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

struct fn_command;
/* Once, from the loop. err NULL: it ended with status 0, and out has len bytes (borrowed, NUL-terminated). Codes: ETIME too long, EFBIG printed too
 * much, ECHILD another status; the message says so in words, without any of the output. */
typedef void (*fn_command_fn)(void *arg, const struct fn_err *err, const char *out, size_t len);

/* argv[0] is a path. Blocks until the program has begun, not longer. */
int fn_command_start(struct fn_loop *loop, char *const *argv, size_t max_bytes, uint64_t timeout_us, fn_command_fn fn, void *arg,
		     struct fn_command **ret, struct fn_err *err);
/* Kills it, waits for its end, frees. Not needed after fn was called; NULL is fine. */
void fn_command_free(struct fn_command *c);

#endif
