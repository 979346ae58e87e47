/*
 * queue.h - durable queues of messages in one SQLite database: SQS's queues, and what waits for functions that are invoked asynchronously.
 *
 * What is asked is done by the database's writer (db/writer.h), what has gathered in one transaction; the outcome comes to the loop when it is on disk.
 * Nothing of a waiting message is in memory: a queue costs some 300 bytes there, however many it holds. A lease is written when it is answered, so counts
 * of receives and the end of a lease hold over a crash; whether a power cut may take it is the caller's affair (`early`). Times that outlive the process are CLOCK_REALTIME, us (base/clock.h).
 *
 * A lease that would wait, of a queue that the last one has left empty, waits without a look at the database.
 *
 * A message is ready, delayed (due later) or leased. Ready ones are leased in the order of their position, one whose lease has ended (EXTEND, or its time) behind
 * those that wait. In a FIFO queue each has a group, and its place there: one that is leased or delayed holds up those behind it, not those before it that are
 * ready (again). The group that was served last comes last.
 * Structs of requests are the caller's memory, in use until `done`, which is called once, from the loop, never from within the request itself.
 */
#ifndef FN_QUEUE_QUEUE_H
#define FN_QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/writer.h"

struct fn_queues; /* all of one database */
struct fn_queue;  /* one */

/* The tables: an entry of the database's array of migrations. */
extern const char fn_queue_migration[], fn_queue_attempts_migration[], fn_queue_record_migration[], fn_queue_turn_migration[]; /* in this order */

/* path: of the database, whose migrations have been done; read here, once. Messages that were put and are only in its redo log (db/redo.h) are put now. Free after the writer is drained and before it is freed. */
int fn_queues_new(struct fn_loop *loop, struct fn_db_writer *writer, const char *path, struct fn_queues **ret, struct fn_err *err);
/* Leases that wait end with ECANCELED. To be called before the writer is drained for the last time. */
void fn_queues_stop(struct fn_queues *qs);
void fn_queues_free(struct fn_queues *qs); /* NULL is fine */

#define FN_QUEUE_FIFO 1u
#define FN_QUEUE_RELEASE 2u /* what was leased when the process ended is ready again at the next start, before its lease ends */

/* The queue of this name (<= 512 bytes); it is made where there is none. NULL: no memory. */
struct fn_queue *fn_queue_get(struct fn_queues *qs, const char *name, unsigned flags);
struct fn_queue *fn_queue_find(struct fn_queues *qs, const char *name); /* NULL: none */
/* size_t it = 0; while ((q = fn_queue_next(qs, &it))) ... in no order */
struct fn_queue *fn_queue_next(struct fn_queues *qs, size_t *it);
const char *fn_queue_name(const struct fn_queue *q);
/* All messages, leased ones too, are gone for whoever asks after this; their rows go bit by bit. done may be NULL. */
void fn_queue_purge(struct fn_queue *q, void (*done)(void *arg, const struct fn_err *err), void *arg);
/* The same, and the queue too: q may not be named in requests any more. Leases that wait end with ENOENT. also: as that of a change, below. After an error
 * fn_queue_find() has q again, unless there is another of its name by then. */
void fn_queue_drop(struct fn_queue *q, int (*also)(void *arg, sqlite3 *db, struct fn_err *err), void (*done)(void *arg, const struct fn_err *err), void *arg);

struct fn_queue_counts {
	uint64_t ready, leased, delayed; /* a delayed or leased one whose time has come counts as such for a moment */
};
void fn_queue_count(const struct fn_queue *q, struct fn_queue_counts *ret); /* what is on disk; no waiting */

/* --- changes: all steps of one are done together or not at all --- */
enum fn_queue_what {
	FN_QUEUE_PUT,
	FN_QUEUE_DONE,   /* deletes it */
	FN_QUEUE_EXTEND, /* its lease ends at at_us; now or earlier: it is ready */
	FN_QUEUE_AGAIN,  /* the lease ends, it is due at at_us, with `note` if that is not NULL */
	FN_QUEUE_DEAD,   /* moves it to `to`, ready, with `note` if that is not NULL; its source is `queue` */
};

struct fn_queue_step {
	enum fn_queue_what what;
	struct fn_queue *queue;
	uint64_t at_us; /* PUT: 0 = ready at once */
	/* a blob of the caller's that AGAIN and DEAD may replace (<= 4 KB); NULL = none */
	const void *note;
	size_t note_len;
	/* PUT */
	uint8_t uid[16];	/* the message's name; out: a duplicate's first one's */
	const void *meta, *body; /* never rewritten */
	size_t meta_len, body_len;
	const char *group; /* FIFO; its scope for deduplication is the caller's affair: part of `dedup` */
	const char *dedup; /* NULL: none. Whoever puts the same into this queue within dedup_us does not */
	uint64_t sent_us, dedup_us;
	/* the others: which, as leased */
	uint64_t id;
	uint32_t receives;
	/* DONE, EXTEND: ESTALE once its lease has ended. Else DONE only if it has been leased again; EXTEND is for the lease that there is, also a later one's (ESTALE: none) */
	bool strict;
	uint64_t most_us; /* EXTEND: ERANGE beyond so long after it was leased; 0 = no limit */
	struct fn_queue *to;
	/* out. Those of PUT also: */
	int result; /* 0; ENOENT: no such message in this queue (gone, or leased anew); ESTALE; ERANGE. The other steps are done all the same */
	bool duplicate;
	uint64_t pos; /* PUT: its position: rises within a queue, over restarts too */
	struct fn_queue_lease *lease; /* the queue's: the one that looks next, in the same transaction; NULL: none does */
};

/* A message that was put, in the redo log; meta and body follow. */
struct fn_queue_put_entry {
	uint64_t queue, sent_us, at_us;
	uint8_t uid[16];
	uint32_t meta_len, body_len;
};

struct fn_queue_change {
	struct fn_queue_step *steps;
	unsigned n;
	/* In the writer's thread, after the steps, in the same savepoint: for what belongs together. NULL: nothing. */
	int (*also)(struct fn_queue_change *c, sqlite3 *db, struct fn_err *err);
	bool lazy; /* nobody waits for it: db/writer.h */
	void (*synced)(struct fn_queue_change *c); /* as db/writer.h has it. NULL: nothing */
	void (*done)(struct fn_queue_change *c, const struct fn_err *err); /* err: nothing of it has been done (ENOSPC: no room on the disk) */
	/* the queue's */
	struct fn_db_write w;
	struct fn_queues *qs;
	struct fn_queue_effects *effects;
	struct fn_queue_put_entry entry;
};
void fn_queue_change(struct fn_queues *qs, struct fn_queue_change *c);

/* --- leases --- */
struct fn_queue_message {
	uint64_t id; /* of the engine; with `receives` it names this lease */
	uint32_t receives;
	uint8_t uid[16];
	uint64_t pos, sent_us, first_us, until_us; /* first_us: when it was leased first */
	const char *source;			   /* name of the queue that it is a dead letter of; NULL */
	const void *meta, *body, *note;
	size_t meta_len, body_len, note_len;
	enum { FN_QUEUE_READY, FN_QUEUE_DELAYED, FN_QUEUE_LEASED } state; /* of a list */
};

struct fn_queue_lease {
	unsigned n;   /* at most; 1..1,000 */
	size_t bytes; /* of bodies and metas at most, but for the first message; 0 = no limit */
	uint64_t for_us;
	uint64_t wait_until_us; /* CLOCK_MONOTONIC: waits for a first one until then; 0 = does not, UINT64_MAX = without end */
	uint64_t oldest_us;	/* what was sent before is deleted instead */
	uint32_t most_receives; /* what would be leased more often goes to `dead` instead (NULL: is deleted); 0 = no limit */
	struct fn_queue *dead;
	/* FIFO: under which it may be asked again, after an answer that was lost: within attempt_us, and as long as none of the messages was deleted, given back or leased anew, it is the same
	 * messages and leases, which end for_us from then on. Over a crash, too. NULL: none. */
	const char *attempt;
	uint64_t attempt_us;
	uint64_t most_leased; /* none where so many are leased already: `limited`; 0 = no limit */
	/*
	 * It is answered before it is synced (db/writer.h), so it waits for no disk, not even for that of the message it takes. When the power is cut within 10 ms, messages are ready again
	 * that were leased, their receives counted by one less, or were never put, if whoever puts them had no answer yet. That is what at-least-once promises, and a message that always
	 * fails reaches its `dead` all the same, unless it cuts the power each time. A message's lease is in the log before its DONE, which is synced: what was answered holds. Not for
	 * holders that outlive the power cut and rely on the order of a group: after it another one may have the group's first message at the same time.
	 */
	bool early;
	/* out: valid in done() only */
	struct fn_queue_message *messages;
	unsigned n_messages;
	bool limited;
	void (*done)(struct fn_queue_lease *l, const struct fn_err *err);
	/* the queue's */
	struct fn_db_write w;
	struct fn_list link;
	struct fn_queues *qs;
	struct fn_queue *queue;
	struct fn_queue_taken *taken;
	struct fn_queue_effects *effects;
	uint64_t timer;
	bool waiting, again;
	bool asks_due; /* when something is due next, also where it takes something */
	bool given;    /* `taken` is what the put before it has written as leased */
};
void fn_queue_lease(struct fn_queue *q, struct fn_queue_lease *l);
/* True: it has only waited, and done() will not be called. False: it will be, with what it leases. */
bool fn_queue_lease_cancel(struct fn_queue_lease *l);

/* --- the rest --- */
/* Moves up to n ready messages of `from` to `to`, each as if sent anew: another uid, no receives. Not by groups: in the order of their positions. `to` NULL: each to that of
 * `sources` which it is a dead letter of; `unknown`: the next has none among them. */
struct fn_queue_move {
	struct fn_queue *from, *to;
	struct fn_queue **sources;
	unsigned n_sources, n;
	unsigned moved; /* out */
	bool unknown;
	void (*done)(struct fn_queue_move *m, const struct fn_err *err);
	/* the queue's */
	struct fn_db_write w;
	struct fn_queues *qs;
	struct fn_queue_effects *effects;
};
void fn_queue_move(struct fn_queue_move *m);

/* Deletes what was sent before oldest_us, not leased: some of it, and says whether there may be more. */
struct fn_queue_trim {
	struct fn_queue *queue;
	uint64_t oldest_us;
	bool more; /* out */
	void (*done)(struct fn_queue_trim *t, const struct fn_err *err);
	struct fn_db_write w;
	struct fn_queues *qs;
	struct fn_queue_effects *effects;
};
void fn_queue_trim(struct fn_queue_trim *t);

/* For people: a page of what is there: ready ones in their order, then delayed and leased ones by when they are due (`until_us`). */
struct fn_queue_list {
	struct fn_queue *queue;
	unsigned n; /* at most; 1..1,000 */
	struct fn_queue_cursor {
		uint64_t state, ord, id;
	} cursor; /* in: zeroes = the first page; out: for the next */
	/* out; valid in done() only, as with a lease */
	struct fn_queue_message *messages;
	unsigned n_messages;
	void (*done)(struct fn_queue_list *l, const struct fn_err *err);
	struct fn_db_write w;
	struct fn_queues *qs;
	struct fn_queue_taken *taken;
};
void fn_queue_list(struct fn_queue_list *l);

#endif
