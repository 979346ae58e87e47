/*
 * logs.h - log groups, from the loop: what environments print and clients put, and what is asked of it. A thread has the store (store.h) and waits for the
 * disk; the loop does not.
 *
 * Events are copied into a buffer that is handed to the thread FLUSH_US later or when it is large: writing costs an invocation a copy. They are written, not
 * synced: a killed process loses what it had gathered, a power cut what the kernel had not written. A job whose answer promises something syncs it.
 * Where the disk is slower than what is printed, BACKLOG_MAX bytes wait; what is beyond is lost, counted, and said in fnd's own log.
 */
#ifndef FN_LOGS_LOGS_H
#define FN_LOGS_LOGS_H

#include "base/list.h"
#include "base/loop.h"
#include "logs/event.h"
#include "logs/store.h"

struct fn_logs;
/* dir: <state>/logs. Waits for the disk. */
int fn_logs_new(struct fn_loop *loop, const char *dir, const struct fn_log_bounds *bounds, struct fn_logs **ret, struct fn_err *err);
/* Waits until what was appended is written, and what was posted is done and told of. */
void fn_logs_drain(struct fn_logs *l);
/* Writes what is gathered, does the jobs that are posted and tells of them. Streams have been closed, taps are gone. NULL is fine. */
void fn_logs_free(struct fn_logs *l);

/* --- writing --- */
/* A stream of a group, by whom it is written to: opened when an environment gets its name. Neither need exist: the first event makes both. NULL: no memory. */
struct fn_log_stream;
struct fn_log_stream *fn_log_stream_open(struct fn_logs *l, const char *group, const char *stream);
void fn_log_stream_close(struct fn_log_stream *s); /* NULL is fine; what was appended is written all the same */
/* Copies e. s may be NULL: nothing then. */
void fn_log_append(struct fn_log_stream *s, const struct fn_log_event *e);

/* Who wants to see events as they come, on the loop, from append and from fn_logs_tell(). */
struct fn_log_tap {
	struct fn_list link;
	void (*event)(struct fn_log_tap *t, const char *group, const char *stream, const struct fn_log_event *e);
};
void fn_logs_tap(struct fn_logs *l, struct fn_log_tap *t);
void fn_logs_untap(struct fn_log_tap *t); /* one that is none: nothing */
bool fn_logs_tapped(const struct fn_logs *l); /* by anybody */
void fn_logs_tell(struct fn_logs *l, const char *group, const char *stream, const struct fn_log_event *e); /* a job has put it */

/* --- asking --- */
/* Part of what the caller has; the thread's from posting on until `done`. What was appended before is in the store when it is run. */
struct fn_log_job {
	struct fn_list link;
	void (*run)(struct fn_log_job *j, struct fn_log_store *s); /* in the thread */
	void (*done)(struct fn_log_job *j);                        /* on the loop; may free it, and post more */
};
void fn_logs_post(struct fn_logs *l, struct fn_log_job *j);

#endif
