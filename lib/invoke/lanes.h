/*
 * lanes.h - more loops for invocations: each a thread that serves connections with environments that the main loop has handed to it.
 *
 * The main loop decides everything: it accepts connections, admits, starts, freezes and ends environments, writes logs and reads the store. A
 * lane has pairs of a connection and an environment, and a copy of the routes of the functions they are for (store: fn_store_stamp()). As
 * long as a request finds its route unchanged and an idle environment beside it, it is served without a lock and without another
 * thread's help; everything else goes back to the main loop, with the connection that asked for it: other operations, changed
 * functions, environments that die or idle. So what a function may do (concurrency, versions, deadlines) holds over all loops, and with one
 * connection or little load there is one loop. Who is handed over, and when: share.h.
 *
 * An environment in a lane holds a unit of its function's concurrency. When there is none left, lanes are first asked for what idles.
 */
#ifndef FN_INVOKE_LANES_H
#define FN_INVOKE_LANES_H

#include "invoke/invoke.h"
#include "runtime/logs.h"
#include "store/functions.h"
#include "web/httpd.h"

struct fn_lanes;
struct fn_lane;

struct fn_lanes_config {
	struct fn_loop *loop; /* the main one; what follows is its */
	struct fn_invoker *invoker;
	struct fn_pool *pool;
	struct fn_logs *logs;
	struct fn_store *store;
	unsigned n;           /* lanes, at least 1 */
	unsigned least_percent; /* share.h */
	uint64_t freeze_grace_us;
};
int fn_lanes_new(const struct fn_lanes_config *config, struct fn_lanes **ret, struct fn_err *err);
unsigned fn_lanes_count(const struct fn_lanes *ls);
struct fn_lane *fn_lanes_at(struct fn_lanes *ls, unsigned i);
/* Starts the threads, beside the main loop's server. http: ops, and what else holds for all; handlers[i] is the ops' arg in lane i. */
int fn_lanes_start(struct fn_lanes *ls, struct fn_httpd *main, const struct fn_httpd_config *http, void *const *handlers, struct fn_err *err);
/* Everything comes back to the main loop, soon. */
void fn_lanes_drain(struct fn_lanes *ls);
bool fn_lanes_drained(const struct fn_lanes *ls);
/* They are drained, or were never started; before the pool. NULL is fine. */
void fn_lanes_free(struct fn_lanes *ls);

/* Has the lanes tell what they have logged and counted; then calls fn, at once if they have nothing. ls NULL = there are none. */
void fn_lanes_settle(struct fn_lanes *ls, void (*fn)(void *arg), void *arg);

/* Invocations by loop, in Prometheus' text format. */
int fn_lanes_metrics(const struct fn_lanes *ls, struct fn_buf *out);

/* --- for a lane's handlers, in its thread --- */
struct fn_invoker *fn_lane_invoker(struct fn_lane *l);
/* RESOLVE: NULL = this is not known here. */
struct fn_function *fn_lane_route(struct fn_lane *l, const char *name, const char *qualifier);
/* This request is for the main loop. */
void fn_lane_pass(struct fn_lane *l, struct fn_http_req *req);

#endif
