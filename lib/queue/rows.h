/* rows.h - what the writer's thread does to the rows of queues, within one savepoint; what came of it for the loop's counts and waiting leases. */
#ifndef FN_QUEUE_ROWS_H
#define FN_QUEUE_ROWS_H

#include "queue/queue.h"
#include "queue/sql.h"

enum { READY, DELAYED, LEASED };

struct fn_queue {
	/* these never change: the writer's thread reads them. It is freed when the outcome of its drop has been told, that is after all that named it */
	uint64_t id;
	unsigned flags;
	uint64_t record; /* as it was at the start: of the last record of the redo log in which a message was put */
	struct fn_queues *qs;
	/* the loop's */
	struct fn_queue_counts counts;
	struct fn_list waiting; /* leases */
	uint64_t seq, freed_seq; /* the last closure whose effects are in, and the last that has freed something */
	uint64_t empty_seq;	 /* the last lease that has left nothing; 0 = none is known to have */
	uint64_t timer, due_us; /* due_us: when something is due next; 0 = nothing, as far as is known */
	bool missing, dropped;	/* missing: its row could not be written */
	bool due_known;		/* nothing is due before due_us */
	bool ticking;
	struct fn_queue_lease tick; /* of nothing: makes ready what is due where nobody waits, so that counts are right */
	char name[];
};

/* One queue that was touched. The first members are the writer's, the others the loop's when all is on disk. */
struct fn_queue_touched {
	struct fn_queue *queue;
	uint64_t inner;
	unsigned flags;
	uint64_t n_ready, n_leased, n_delayed; /* as they were */
	int64_t ready, leased, delayed; /* changes */
	unsigned freed;			/* messages (FIFO: groups) that can be leased now, and could not */
	bool more, empty;		/* a lease has left some, nothing */
	uint64_t due_us;		/* the next time at which something is due, as far as it was seen; 0 = none */
	bool due_exact;
};

struct fn_queue_effects {
	uint64_t seq; /* of the closure, as they run; outcomes of `early` leases are told before those of what ran earlier */
	struct fn_queue_touched *v;
	unsigned n;
};
void fn_queue_effects_free(struct fn_queue_effects *e); /* NULL is fine */

/* The writer's own: one for all queues of a database. */
struct fn_queue_rows {
	struct fn_queue_sql sql;
	uint64_t seq;	  /* of the closure that runs */
	uint64_t last_id; /* of messages, positions, and inner names of queues */
};

/* What fn_queue_bind() and fn_queue_exec() take first, and a value for an 'i'. */
#define SQL(tx) &(tx)->rows->sql, (tx)->db, (tx)->err
#define I(x) ((int64_t)(x))

struct fn_queue_tx {
	struct fn_queue_rows *rows;
	sqlite3 *db;
	struct fn_err *err;
	struct fn_queue_effects *effects;
	uint64_t now_us;
	uint64_t record; /* of the redo log, with what is put; 0 = none */
};

/* A row of messages as read; strings and blobs are copies. */
struct fn_queue_row {
	uint64_t id, queue, ord, pos, group, sent_us, first_us, leased_us;
	int state;
	uint32_t receives;
	uint8_t uid[16];
	char *source;
	void *note;
	size_t note_len;
};
void fn_queue_row_free(struct fn_queue_row *r);

int fn_queue_tx_begin(struct fn_queue_tx *tx, struct fn_queue_rows *rows, sqlite3 *db, struct fn_queue_effects **effects, struct fn_err *err);
int fn_queue_tx_end(struct fn_queue_tx *tx); /* writes the counts */
/* Its row. The pointer holds until the next call. -ENOENT: there is none. */
int fn_queue_tx_queue(struct fn_queue_tx *tx, struct fn_queue *queue, struct fn_queue_touched **ret);

/* 1: read; 0: there is none. */
int fn_queue_read(struct fn_queue_tx *tx, sqlite3_stmt *st, struct fn_queue_row *ret);
/* until_us: when the lease ends with which it begins; 0 = it is ready, or delayed. What is no duplicate has its position as its id. */
int fn_queue_insert(struct fn_queue_tx *tx, struct fn_queue_touched *q, struct fn_queue_step *s, uint64_t until_us);
int fn_queue_set_state(struct fn_queue_tx *tx, struct fn_queue_touched *q, const struct fn_queue_row *m, int state, uint64_t ord);
/* Its lease ends: it is ready, behind what waits; in a group it has its place. */
int fn_queue_give_back(struct fn_queue_tx *tx, struct fn_queue_touched *q, const struct fn_queue_row *m);
/* With what m has for the lease: its end (ord), receives, first_us; its state is as it was. */
int fn_queue_set_leased(struct fn_queue_tx *tx, struct fn_queue_touched *q, const struct fn_queue_row *m);
int fn_queue_delete(struct fn_queue_tx *tx, struct fn_queue_touched *q, const struct fn_queue_row *m);
/* To another queue, ready there. anew: as if it were sent now; else it is a dead letter of `from`: as old as it was, but in a FIFO queue, where its
 * retention begins anew. */
int fn_queue_relocate(struct fn_queue_tx *tx, struct fn_queue *from, struct fn_queue *to, const struct fn_queue_row *m, bool anew);
int fn_queue_next_due(struct fn_queue_tx *tx, struct fn_queue_touched *q);
/* What is due becomes ready, at most `most` of it; `more` of q is set if that was not all. */
int fn_queue_promote(struct fn_queue_tx *tx, struct fn_queue_touched *q, unsigned most);
/* After a message of the group has changed: is the group ready? by: how many more are leased. */
int fn_queue_group_changed(struct fn_queue_tx *tx, struct fn_queue_touched *q, uint64_t group, int64_t by);

#endif
