/*
 * journal.h - what happened without a caller, the newest of it in memory: for `fnctl events tail`. Bounded in entries and in bytes.
 */
#ifndef FN_EVENTS_JOURNAL_H
#define FN_EVENTS_JOURNAL_H

#include <jansson.h>
#include <stdint.h>

#include "base/loop.h"

struct fn_journal;
int fn_journal_new(struct fn_loop *loop, struct fn_journal **ret);
/* Who waits is answered, and nobody waits any more: to be called before the server goes. */
void fn_journal_drain(struct fn_journal *j);
void fn_journal_free(struct fn_journal *j); /* drained; NULL is fine */

/* source: what it came from ("mapping", "async", "destination"); what: the mapping's UUID, a request id, a target's ARN; function: name, qualifier; outcome: "success", "error",
 * "throttled", ...; detail: a short sentence, or NULL. */
void fn_journal_add(struct fn_journal *j, const char *source, const char *what, const char *function, const char *outcome, unsigned records, uint64_t duration_us, const char *detail);

/* Those behind number `after`, at most `n`, as {"Events": [{"Number", "Time", "Source", "Id", "Function", "Outcome", "Records", "Duration", "Detail"}], "Next": number}; waits for
 * one until then. done: once, now or later. after 0: from now on. */
void fn_journal_read(struct fn_journal *j, uint64_t after, unsigned n, uint64_t wait_us, void (*done)(void *arg, json_t *events), void *arg);

#endif
