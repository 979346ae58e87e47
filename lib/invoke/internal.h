/* internal.h - shared by the files of lib/invoke only: the invoker, what it keeps of a submission, and how it and the lanes (lanes.h) speak. */
#ifndef FN_INVOKE_INTERNAL_H
#define FN_INVOKE_INTERNAL_H

#include <pthread.h>

#include "base/mailbox.h"
#include "invoke/invoke.h"
#include "invoke/lanes.h"
#include "invoke/load.h"
#include "invoke/router.h"
#include "invoke/share.h"
#include "pool/lend.h"

struct fn_invoker {
	struct fn_pool *pool;
	struct fn_loads *loads;  /* a lane's: only to count */
	struct fn_lanes *lanes;  /* the main loop's: whom invocations can be handed to; NULL = nobody */
	struct fn_lane *lane;    /* a lane's */
};

/* One submission: what the caller wants back. */
struct ticket {
	struct fn_invoker *inv;
	struct fn_load *load;    /* inv's */
	struct fn_load_part *part;
	bool function_full;
	struct fn_http_req *req; /* the connection that waits for the answer; NULL = none does */
	fn_invoke_done_fn done;
	void *arg;
};

static inline struct ticket *ticket_of(const struct fn_invocation *i) { return i->arg; }

/* invoke.c */
/* ADMIT, then ACQUIRE. qualifier: as invoked; NULL: it is to run in this loop. settled: what other loops can do without has been given back. */
void fn_invoke_admit(struct fn_invoker *inv, struct fn_invocation *i, const char *qualifier, bool settled);
/* It goes on in another loop, or has come from there. The invocation is counted where it ends. */
void fn_ticket_leave(struct ticket *t, bool done); /* done: what it was admitted for is free again */
void fn_ticket_enter(struct ticket *t, struct fn_invoker *inv, struct fn_load *load, struct fn_load_part *part);

/* --- between loops --- */
enum message_kind {
	WORK,        /* a connection, an invocation, an environment: any of them, that belong together */
	RECALL,      /* to a lane: give back what serves nothing, and tell what is logged and counted */
	RECALL_ONE,  /* to a lane: give back this sandbox's */
	DRAIN,       /* to a lane: give back everything, and end */
	SETTLED,     /* to the main loop: RECALL is done */
	ENDED,       /* to the main loop: DRAIN is done */
	LOGS, COUNTS /* to the main loop */
};

struct message {
	struct fn_list link;
	enum message_kind kind;
	struct fn_mailbox *to;
	struct fn_lane *lane;
	struct fn_http_req *req;
	struct fn_invocation *inv; /* with a reference */
	struct fn_worker *worker;
	struct fn_route_copy *route;
	char *name, *version;      /* a function; of it, NULL = all */
	unsigned most;
	bool more;                 /* of SETTLED: as many as were asked for, so there may be more */
	struct fn_buf text;
	struct fn_load_counts counts;
	uint64_t sandbox;
	struct recall *recall;     /* the main loop's */
};

/* Messages of one loop: sent at the end of its round, since a connection does not change hands in the middle of its own callback. */
struct outbox {
	struct fn_loop *loop;
	struct fn_list messages;
	struct fn_deferred later;
	void (*before)(void *arg); /* may post more, which goes first; NULL = nothing does */
	void *arg;
};
void fn_outbox_init(struct outbox *o, struct fn_loop *loop, void (*before)(void *arg), void *arg);
struct message *fn_message_new(enum message_kind kind, struct fn_lane *lane);
void fn_message_free(struct message *m); /* it alone */
void fn_outbox_post(struct outbox *o, struct fn_mailbox *to, struct message *m);
void fn_outbox_send(struct outbox *o); /* now */

/* A lane as the main loop sees it, and what is its own. */
struct fn_lane {
	struct fn_lanes *lanes;
	struct fn_mailbox *in;
	_Atomic uint64_t requests;  /* so far */
	/* the main loop's */
	pthread_t thread;
	bool started, ended;
	unsigned n_leases;
	/* the lane's */
	struct fn_loop *loop;
	struct fn_h1_server *rt_server;
	struct fn_httpd *httpd;
	struct fn_logs *logs;
	struct fn_pool *pool;
	struct fn_invoker *invoker;
	struct fn_map *routes;      /* name:qualifier -> struct fn_route_copy */
	struct outbox out;
	struct fn_share share;
};

struct fn_lanes {
	struct fn_lanes_config cfg;
	struct fn_mailbox *in;
	struct outbox out;
	struct fn_httpd *httpd;
	_Atomic uint64_t requests;
	struct fn_share share;
	struct fn_list recalls;     /* under way */
	bool draining;
	unsigned n;
	struct fn_lane lane[];
};

/* lanes.c: of the main loop */
/* Hands it to another loop, if its turn has come and an environment idles. */
bool fn_lanes_place(struct fn_lanes *ls, struct fn_invocation *i, const char *qualifier);
/* There is no concurrency left, of the account or of the function, but perhaps in other loops: it is admitted again when they have given back what
 * they can do without. False: they have nothing. Takes a reference. */
bool fn_lanes_park(struct fn_lanes *ls, struct fn_invocation *i, bool of_function);

/* lane.c */
int fn_lane_make(struct fn_lane *l, struct fn_lanes *ls);
void fn_lane_free(struct fn_lane *l); /* its thread has ended, or never begun */
int fn_lane_start(struct fn_lane *l, const struct fn_httpd_config *http, struct fn_err *err);
/* As fn_lanes_place(), back to the main loop. */
bool fn_lane_place(struct fn_lane *l, struct fn_invocation *i);

#endif
