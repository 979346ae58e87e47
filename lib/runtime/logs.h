/*
 * logs.h - functions' logs: what environments print and the platform's START, END, REPORT lines.
 *
 * Lines are kept per function in <state>/logs/<function>/<offset>.log, "offset" being the position of the file's first byte in
 * the function's whole log: a cursor is a position, and stays valid over rotation. Every line begins with a timestamp. Writes are
 * gathered and done by a timer, off the path of invocations. At most FN_LOGS_OPEN_MAX files are open.
 */
#ifndef FN_RUNTIME_LOGS_H
#define FN_RUNTIME_LOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"

#define FN_LOGS_OPEN_MAX 256u

struct fn_logs;
int fn_logs_new(struct fn_loop *loop, const char *state_dir, uint64_t file_max_bytes, unsigned files, struct fn_logs **ret, struct fn_err *err);
void fn_logs_free(struct fn_logs *l); /* writes what is gathered */
/* Writes what is gathered. */
void fn_logs_flush(struct fn_logs *l);

#define FN_LOGS_LINE_EXTRA 25u /* bytes that a line grows by: its timestamp */
/* Appends whole lines; text may hold several; a missing last newline is added. */
void fn_logs_append(struct fn_logs *l, const char *function, const char *text, size_t len);
/* Reads at most max bytes from cursor on (a cursor that is gone is moved to the oldest byte kept; UINT64_MAX = the end);
 * *ret_next is the cursor to go on with. Returns 0, also when there is nothing. -ENOENT: no log. */
int fn_logs_read(struct fn_logs *l, const char *function, uint64_t cursor, size_t max, struct fn_buf *out, uint64_t *ret_next);
/* What its environments still print as they end comes back: also before another takes the name. */
void fn_logs_remove(struct fn_logs *l, const char *function);
/* Removes the logs of all for which is_one says no. */
void fn_logs_sweep(struct fn_logs *l, bool (*is_one)(void *arg, const char *function), void *arg);

#endif
