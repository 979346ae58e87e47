/* internal.h - what the files of lib/queue share on the loop's side. */
#ifndef FN_QUEUE_INTERNAL_H
#define FN_QUEUE_INTERNAL_H

#include "base/map.h"
#include "queue/rows.h"

struct fn_queues {
	struct fn_loop *loop;
	struct fn_db_writer *writer;
	struct fn_map *by_name;
	struct fn_queue_rows rows; /* the writer's */
	uint64_t last_queue;
	bool stopped;
	struct fn_queue_tidy { /* the removal of what was purged */
		struct fn_db_write w;
		struct fn_queues *qs;
		bool under_way, again, more;
	} tidy;
};

/* Counts what is on disk now, and gives waiting leases their turn. */
void fn_queue_apply(const struct fn_queue_effects *e);
/* Up to n waiting leases look once more. Returns how many. */
unsigned fn_queue_pump(struct fn_queue *q, unsigned n);
struct fn_queue_lease *fn_queue_pump_one(struct fn_queue *q); /* the one that looks; NULL: none waits */
/* Has its row written where it could not be before. To be called ahead of each request. */
void fn_queue_ensure(struct fn_queue *q);
void fn_queue_tick(struct fn_queue *q);
void fn_queue_end_waiting(struct fn_queue *q, int code);
/* `dead` is dropped: what the lease would send there stays where it is. */
static inline void fn_queue_lease_without(struct fn_queue_lease *l, const struct fn_queue *dead)
{
	if (l->dead != dead)
		return;
	l->dead = NULL;
	l->most_receives = 0;
}

/* Messages copied out of the database. */
struct fn_queue_taken {
	struct fn_queue_message *v;
	unsigned n, cap;
	size_t bytes;
};
void fn_queue_taken_free(struct fn_queue_taken *t); /* NULL is fine */
/* Puts the message as leased by s->lease, whose look comes next and has it then. */
int fn_queue_give(struct fn_queue_tx *tx, struct fn_queue_touched *q, struct fn_queue_step *s);
/* With what is in m, whose strings it takes over, and its body. 1: there was no room within `limit` (0 = none): m is as it was. */
int fn_queue_take(struct fn_queue_tx *tx, struct fn_queue_taken *t, struct fn_queue_row *m, size_t limit);

#endif
