/*
 * store.h - fnd's database <dir>/fnd.db: opened, closed, and how it is written. What is in it: functions.h, aliases.h, concurrency.h, urls.h, policies.h, layers.h, trees.h, identities.h.
 *
 * Everything is in memory too, and is read there. A write returns at once; its transaction is made by a thread (db/writer.h). While it is under way its
 * function is taken: memory has what was before, and nobody else may write about that function (-EAGAIN). With the outcome memory has what is on disk,
 * the writer is told, and then those go on who wait for their turn: each looks at what is then, and writes, or not. A write that fails changes nothing.
 */
#ifndef FN_STORE_STORE_H
#define FN_STORE_STORE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"

struct fn_store;

/* Opens or makes <dir>/fnd.db, migrates it to the current schema (numbered migrations, one transaction each), reads it. A newer schema
 * than this program knows is an error that says so. Waits for the disk. */
int fn_store_open(const char *dir, struct fn_loop *loop, struct fn_store **ret, struct fn_err *err);
/* Drains; NULL is fine. */
void fn_store_close(struct fn_store *s);
/* At the end: waits until all that has been written is on disk, and all that its writers write then; each is told. */
void fn_store_drain(struct fn_store *s);

/* The outcome of a write: err NULL = it is on disk, and in memory. Called from the loop, once, later than the write unless that has failed. */
typedef void (*fn_stored_fn)(void *arg, const struct fn_err *err);

/* Counts the writes about functions that are on disk: as long as it is the same, so is all that was read here. */
uint64_t fn_store_changes(const struct fn_store *s);

/* fn(arg) is called after each of them, from the loop. One alone is told; NULL: nobody. */
void fn_store_on_change(struct fn_store *s, void (*fn)(void *arg), void *arg);

/* Is a write about this function under way? */
bool fn_store_taken(const struct fn_store *s, const char *function);

/* Part of what waits until a function is not taken. fn is called once, from the loop, perhaps before fn_store_wait() returns; who has written then
 * makes the next ones wait. To wait no longer, fn_list_remove() the link. */
struct fn_store_turn {
	struct fn_list link; /* zero where it waits for nothing */
	const char *function; /* lives as long */
	void (*fn)(void *arg);
	void *arg;
};
void fn_store_wait(struct fn_store *s, struct fn_store_turn *t);

#endif
