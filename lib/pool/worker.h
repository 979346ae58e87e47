/* worker.h - one execution environment, private to lib/pool. */
#ifndef FN_POOL_WORKER_H
#define FN_POOL_WORKER_H

#include "base/map.h"
#include "pool/pool.h"
#include "runtime/rtapi.h"

enum fn_worker_state {
	FN_WORKER_SPAWNING,  /* asked of fn-spawnd */
	FN_WORKER_INIT,      /* its runtime runs, `next` has not come yet */
	FN_WORKER_IDLE,
	FN_WORKER_BUSY,      /* an invocation is delivered, no response yet */
	FN_WORKER_FINISHING, /* responded; `next` is due */
	FN_WORKER_ENDING,    /* killed; its exit has not come yet */
	FN_WORKER_STATES
};

struct fn_pool {
	struct fn_pool_config cfg;
	struct fn_spawn_client *spawn;
	struct fn_map *groups;   /* key -> struct fn_group */
	struct fn_map *sandboxes; /* sandbox id -> struct fn_worker */
	unsigned workers;
	uint64_t memory_used;    /* sum of fn_policy_cost() over all */
	bool shutdown;
};

/* All environments of one function version and generation. */
struct fn_group {
	char *key;
	struct fn_pool *pool;
	struct fn_function *function;
	struct fn_list workers; /* of struct fn_worker, most recently used idle first */
	struct fn_list waiting; /* of struct fn_invocation */
	unsigned n_waiting, count[FN_WORKER_STATES];
	bool retired;
	uint64_t patience; /* timer: until then finishing environments are expected back */
	uint64_t patience_until_us;
};

struct fn_worker {
	struct fn_group *group;
	struct fn_list link;
	enum fn_worker_state state;
	uint64_t request, sandbox;
	int output_fd, freeze_fd, peak_fd;
	struct fn_rt *rt;
	uint64_t output_io, timer;
	bool frozen, timed_out, gone;
	char log_stream[80];
	char plain[64];              /* the variable that kept its runtime from having been started ahead; "" = none */
	struct fn_buf line;          /* output since the last newline */
	struct fn_invocation *inv;   /* being served, or bound for a repeated init */
	struct {                     /* END and REPORT of the last one, written once its caller has been answered */
		struct fn_deferred later;
		struct fn_invocation *inv; /* NULL = none is due */
		uint64_t end_us;
		char status[160];
	} report;
	struct fn_sandbox_timing timing;
	struct fn_sandbox_exit exit;
	char *init_error;            /* what the runtime posted to init/error */
	size_t init_error_len;
	char error_type[64];
	bool first;                  /* has not served yet: its REPORT tells of the cold start */
	uint64_t asked_us, spawned_us, ready_us, delivered_us, idle_since_us;
	uint64_t memory_peak, peak_read_us;
};

/* output.c */
void fn_worker_read_output(struct fn_worker *w);
void fn_worker_flush_output(struct fn_worker *w); /* a last line without newline */
/* A line of the platform's, to the log and the invocation's tail. */
void fn_worker_log(struct fn_worker *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void fn_worker_report(struct fn_worker *w, const struct fn_invocation *inv, uint64_t end_us, const char *status);

/* spec.c */
int fn_worker_spec(struct fn_worker *w, struct fn_spec *ret, struct fn_err *err);

#endif
