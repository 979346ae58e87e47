/* worker.h - one execution environment, private to lib/pool. */
#ifndef FN_POOL_WORKER_H
#define FN_POOL_WORKER_H

#include "base/bucket.h"
#include "base/map.h"
#include "pool/credentials.h"
#include "pool/pool.h"
#include "runtime/levels.h"
#include "runtime/rtapi.h"

enum fn_worker_state {
	FN_WORKER_SPAWNING,  /* asked of fn-spawnd */
	FN_WORKER_INIT,      /* its runtime runs, `next` has not come yet */
	FN_WORKER_IDLE,
	FN_WORKER_BUSY,      /* an invocation is delivered, no response yet */
	FN_WORKER_FINISHING, /* responded; `next` is due */
	FN_WORKER_RESETTING, /* its sandbox is being ended, for a time-out; it stays */
	FN_WORKER_RESET,     /* it has no sandbox any more: the next invocation begins with the init of another */
	FN_WORKER_ENDING,    /* killed; its exit has not come yet */
	FN_WORKER_STATES
};

#define FN_WORKER_DRAIN_US 2000u /* after its processes are dead, for what they had sent before to be read */

enum fn_worker_reason {
	FN_FOR_INVOCATION,
	FN_FOR_LATER,   /* the keep-alive policy expects an invocation */
	FN_PROVISIONED, /* provisioned concurrency */
	FN_FOR_SNAPSHOT, /* SnapStart: initialises and is kept as an image; serves nothing. In a group of its own */
};

struct fn_pool {
	struct fn_pool_config cfg;
	struct fn_spawn_client *spawn;
	struct fn_map *groups;   /* key -> struct fn_group */
	struct fn_map *memories; /* name:version -> what was learnt of it by a generation that is gone */
	struct fn_list snapshots; /* under way */
	struct fn_list restoring; /* packages; code.c */
	struct fn_map *sandboxes; /* sandbox id -> struct fn_worker */
	uint64_t environments;   /* numbers that were given: fn_spawn_start() */
	unsigned workers;
	uint64_t memory_used;    /* sum of fn_worker_cost() over all */
	uint64_t memory_ending;  /* of it, what is about to come back */
	struct fn_keep keep;
	bool shutdown;
	struct fn_list paused;   /* of struct fn_worker, by paused: their output is not read until the timer resume; output.c */
	uint64_t resume, round_us;
	size_t round_left;       /* of output that may be read in the round of that time */
};

/* All environments of one function version and generation. */
struct fn_group {
	char *key;
	struct fn_pool *pool;
	struct fn_function *function;
	struct fn_list workers; /* of struct fn_worker, most recently used idle first */
	struct fn_list waiting; /* of struct fn_invocation */
	unsigned n_waiting, count[FN_WORKER_STATES];
	unsigned n_bound;            /* that start for an invocation which they have already */
	bool retired;
	bool json;                             /* its LoggingConfig: the log format, and what is written at least */
	enum fn_level app_level, system_level;
	struct fn_bucket output; /* what may be added to its log */
	bool dropping;           /* its output is thrown away for now */
	struct fn_keep_function keep;
	uint64_t memory_seen;        /* peak of the last one that was measured */
	uint64_t prewarm;            /* timer */
	unsigned floor;              /* provisioned concurrency; provision.c */
	bool floor_reached;
	unsigned floor_failures;     /* in a row */
	char floor_reason[160];      /* of the last failure; "" = none */
	uint64_t provision, provision_at_us; /* timer; after a failure not before */
	char snapshot_broken[128];   /* why the version's snapshot is not used any more; "" = it is */
	uint64_t patience; /* timer: until then finishing environments are expected back */
	uint64_t patience_until_us;
	uint64_t settle_us; /* what an environment takes from its response to asking for more, on the average; 0 = not known */
};

struct fn_worker {
	struct fn_group *group;
	struct fn_list link;
	enum fn_worker_state state;
	struct fn_roles_wait role;   /* while its credentials are on their way */
	struct fn_credentials credentials; /* for good, once it has any */
	struct fn_list code;         /* while its package is unpacked again */
	bool code_tried;             /* it has been */
	uint64_t until_us;           /* they are good until then, and it no longer; CLOCK_MONOTONIC */
	uint64_t environment;        /* its number */
	uint64_t request, sandbox;   /* sandbox: 0 = it has none */
	int output_fd, freeze_fd, peak_fd;
	int stat_fd, tmp_fd;         /* spawn/client.h */
	struct timespec tmp_changed; /* its root directory, when it began */
	bool cached;                 /* something has been in /tmp: the kernel's peak is no measure any more */
	int oom_fd;                  /* spawn/client.h */
	struct fn_rt *rt;
	uint64_t output_io, timer, due_us; /* due_us: when the timer fires */
	bool frozen, timed_out, gone;
	bool bound;                  /* of SPAWNING, INIT: inv is what it starts for */
	bool tmp_kept;               /* fn-spawnd has something of it */
	bool started, init_reported; /* START of inv, and how its init ended, are written */
	char log_stream[80];
	char plain[96];              /* what kept its runtime from having been started ahead, or its snapshot from being used; "" = nothing */
	struct fn_buf line;          /* output since the last newline */
	struct fn_list paused;
	struct {                     /* output that was thrown away, and has not been told of */
		uint64_t bytes, records;
		bool mid_line;       /* it goes on to the next newline */
	} dropped;
	struct fn_invocation *inv;   /* being served, or bound for a repeated init */
	struct {                     /* END and REPORT of the last one, written once its caller has been answered */
		struct fn_deferred later;
		struct fn_invocation *inv; /* NULL = none is due */
		uint64_t end_us;
		size_t produced;       /* bytes of the result */
		char status[64];       /* "" = success, FN_TIMED_OUT, or the error's type */
	} report;
	struct fn_sandbox_timing timing;
	struct fn_sandbox_exit exit;
	char *init_error;            /* what the runtime posted to init/error */
	size_t init_error_len;
	char error_type[64];         /* of that */
	char entry_error[256];       /* why its entry point could not be run; "" = it could */
	bool first;                  /* has not served yet: its REPORT tells of the cold start */
	enum fn_worker_reason reason; /* why it was made */
	bool restored;               /* begun from a snapshot: its init is a restore */
	struct fn_snapshot *snapshot; /* FN_FOR_SNAPSHOT */
	bool surplus;                /* it was provisioned, and is not any more: ends after what it does now */
	bool evicted;
	bool reclaiming;             /* asked for, since it became idle */
	uint64_t resident;           /* what it holds after that, until it is used again; 0 = not known */
	struct fn_keep_env keep;
	uint64_t asked_us, spawned_us, ready_us, delivered_us;
	uint64_t memory_peak, peak_read_us, ending_cost;
};

static inline uint64_t fn_pool_now_us(const struct fn_pool *p) { return fn_loop_now_us(p->cfg.loop); }
/* What its function may take for an invocation. */
static inline uint64_t fn_worker_timeout_us(const struct fn_worker *w) { return (uint64_t)w->group->function->timeout_s * 1000000u; }
static inline struct fn_worker *fn_worker_of(struct fn_list *l) { return fn_list_entry(l, struct fn_worker, link); }

/* It went with fn-spawnd, not by itself (spawn/client.h says how that looks). */
static inline bool fn_worker_lost(const struct fn_worker *w)
{
	return w->gone && w->exit.wait_status == -1 && !w->exit.oom && w->exit.memory_peak == UINT64_MAX;
}

/* pool.c */
/* The group of this version and generation, made if need be; NULL on no memory. */
struct fn_group *fn_group_get(struct fn_pool *p, struct fn_function *f);
struct fn_group *fn_group_find(struct fn_pool *p, const struct fn_function *f); /* NULL = there is none */
/* Serves or starts for what waits in the group. */
void fn_group_dispatch(struct fn_group *g);
/* An idle environment to serve next: provisioned ones first, then the one that was used last. NULL = there is none. */
struct fn_worker *fn_group_idle(struct fn_group *g);
/* Frees a retired group that has nothing left. */
void fn_group_release(struct fn_group *g);
void fn_group_wait_in(struct fn_group *g, struct fn_invocation *inv);
struct fn_invocation *fn_group_wait_out(struct fn_group *g); /* NULL = nothing waits */
/* One of its invocations is over, whatever became of it. */
void fn_group_done(struct fn_group *g);
/* One that waited, or was bound, is over because of the platform; takes the reference. NULL is fine. */
void fn_group_fail_one(struct fn_group *g, struct fn_invocation *inv, const struct fn_err *err);

/* Room for one more environment of this group, if need be at the cost of idle ones. False: there is none, and nobody idles. */
bool fn_group_make_room(struct fn_group *g);

/* provision.c */
/* Starts what is missing of the group's provisioned environments, lets go of what is too many. */
void fn_group_provision(struct fn_group *g);
/* A provisioned environment has initialised, or failed to (why: FUNCTION_ERROR_INIT_FAILURE, or words). */
void fn_group_provisioned(struct fn_group *g);
void fn_group_provision_failed(struct fn_group *g, const char *why);

/* worker.c */
extern const struct fn_rt_ops fn_worker_rt_ops;
void fn_worker_on_timer(void *arg); /* what a deadline means depends on the state */
void fn_worker_set_state(struct fn_worker *w, enum fn_worker_state to);
void fn_worker_arm(struct fn_worker *w, uint64_t at_us); /* its one timer */
/* memory.c. The most memory that it had, page cache of /tmp left out; with what the kernel calls its peak, up to a millisecond old. */
void fn_memory_begin(struct fn_worker *w, int tmp_fd); /* takes tmp_fd; what is written from now on counts as the function's */
uint64_t fn_memory_used(struct fn_worker *w);
bool fn_memory_is_cached(struct fn_worker *w); /* then no peak of the kernel's is a measure of it */

/* What it weighs in the pool's memory; after the peak has changed, the difference to what it weighed before is accounted for. */
uint64_t fn_worker_cost(const struct fn_worker *w);
void fn_worker_set_peak(struct fn_worker *w, uint64_t before);
void fn_worker_serve(struct fn_worker *w, struct fn_invocation *inv);
/* Writes END and REPORT of the last invocation, if they are still due. */
void fn_worker_write_report(void *arg);
/* The invocation is over; the environment goes on (or is about to be ended by the caller). status: as in report.status. */
#define FN_TIMED_OUT "timeout"
void fn_worker_finish(struct fn_worker *w, enum fn_inv_outcome outcome, char *result, size_t len, const char *status);
/* When it is to end, being idle. */
uint64_t fn_worker_until(const struct fn_worker *w);
void fn_worker_end(struct fn_worker *w);  /* kills it; idempotent. fn_worker_finish_dead() follows from its exit */
/* reset.c: an environment outlives its sandboxes. */
/* May this one? Its runtime has timed out or ended, and had initialised. */
bool fn_worker_outlives(const struct fn_worker *w);
/* Ends its sandbox, and it with that unless it outlives it. */
void fn_worker_end_sandbox(struct fn_worker *w);
/* Its sandbox has ended: what was of that alone goes; the next invocation that finds nobody idle is this one's. */
void fn_worker_reset(struct fn_worker *w);
/* One that has been reset starts another sandbox; bound: for this invocation, whose reference it takes; NULL: for none. */
void fn_worker_begin_again(struct fn_worker *w, struct fn_invocation *bound);
/* The invocation's time begins now, with an init in it. */
void fn_worker_bind(struct fn_worker *w, struct fn_invocation *inv);
void fn_worker_drop_sandbox(struct fn_worker *w); /* closes what there is of it here; it has ended, or nobody listens any more */
void fn_worker_free(struct fn_worker *w); /* then dispatches what waits in its group, or releases the group */

/* life.c */
/* bound: an invocation that is under way and whose first environment has failed to initialise.
 * NULL on no memory. */
struct fn_worker *fn_worker_start(struct fn_group *g, struct fn_invocation *bound, enum fn_worker_reason reason);
/* Has a sandbox made; on the way it may have to wait for credentials or code. */
void fn_worker_launch(struct fn_worker *w);
void fn_worker_on_code(struct fn_worker *w, const struct fn_err *err); /* its package has been unpacked again, or cannot be */
/* Its runtime has ended: answers its invocation. */
void fn_worker_answer_dead(struct fn_worker *w);
/* The environment is gone for good: whoever it owed an answer gets one, then it is freed. */
void fn_worker_finish_dead(struct fn_worker *w);
void fn_worker_init_failed(struct fn_worker *w); /* writes so, once */

/* output.c */
void fn_worker_on_output(void *arg, int fd, uint32_t events);
void fn_worker_read_output(struct fn_worker *w); /* all that is there */
void fn_worker_flush_output(struct fn_worker *w); /* a last line without newline; says what was thrown away */
/* The bound on a function's log: may it grow now? It has grown by n bytes. */
bool fn_group_may_print(struct fn_group *g);
void fn_group_printed(struct fn_group *g, size_t n);

/* report.c: the platform's lines, in the function's log format. */
/* Lines as they are, to the log and the invocation's tail. */
void fn_worker_emit(struct fn_worker *w, const char *text, size_t len);
void fn_report_init_start(struct fn_worker *w, const struct fn_runtime *rt);
/* An init, or restore, is over; status as in report.status. */
void fn_report_init(struct fn_worker *w, uint64_t us, const char *status);
void fn_report_start(struct fn_worker *w); /* of w->inv, once */
void fn_report_fault(struct fn_worker *w, const char *message, const char *type);
void fn_report_timeout(struct fn_worker *w, const char *message);
void fn_report_dropped(struct fn_worker *w, uint64_t bytes, uint64_t records);
void fn_report_no_credentials(struct fn_worker *w, const struct fn_err *err); /* of its role: the start fails */
void fn_report_end(struct fn_worker *w, const struct fn_invocation *inv); /* END and REPORT: of w->report */
/* The type that reports carry of an error that the runtime has called `said`. Returns buf. */
const char *fn_report_error_type(const char *said, char *buf, size_t size);

/* snapshot.c */
struct fn_snapshot;
void fn_snapshots_drop(struct fn_pool *p); /* nobody is told; their environments must be gone */
void fn_snapshot_attach(struct fn_snapshot *s, struct fn_worker *w);
struct fn_worker *fn_worker_start_snapshot(struct fn_group *g, struct fn_snapshot *s); /* life.c */
void fn_worker_on_snapshot(void *arg, int fd);
void fn_worker_on_snapshot_refused(void *arg, const char *why);
/* It will never give a snapshot: err says why it could not be started, NULL = its init tells. */
void fn_worker_snapshot_dead(struct fn_worker *w, const struct fn_err *err);
void fn_worker_snapshot_forget(struct fn_worker *w); /* before it is freed */
/* A process made from the snapshot has not come as far as `next`: answers who waits for it, or sees to it that plain starts follow. */
void fn_worker_restore_failed(struct fn_worker *w);
/* Nor could one be made. */
void fn_worker_snapshot_broken(struct fn_worker *w, const struct fn_err *err);

/* spec.c */
int fn_worker_spec(struct fn_worker *w, const struct fn_credentials *credentials, struct fn_spec *ret, struct fn_err *err);

#endif
