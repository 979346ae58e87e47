/*
 * env.h - one execution environment: its sandbox, the runtime in it, the invocation it serves, what it prints and what is reported of it.
 *
 * Runs in fnd on its loop. An environment (its name, log stream, credentials, /tmp) outlives its sandboxes: after a time-out or a crash it has none
 * until the next invocation, which waits for the init of another. Its owner (lib/pool) decides when it is started, which invocation it serves and when
 * it ends, and is told of what happens through fn_env_ops; nothing here knows of other environments.
 */
#ifndef FN_ENV_ENV_H
#define FN_ENV_ENV_H

#include "base/bucket.h"
#include "base/map.h"
#include "env/archive.h"
#include "env/code.h"
#include "env/credentials.h"
#include "env/platform.h"
#include "image/runtimes.h"
#include "logs/logs.h"
#include "model/arn.h"
#include "model/invocation.h"
#include "runtime/levels.h"
#include "runtime/rtapi.h"
#include "runtime/telemetry.h"
#include "spawn/client.h"
#include "store/trees.h"
#include "web/h1conn.h"

/* Descriptors of fnd's for an environment: the Runtime API's listener and connection, output, freeze file, memory peak, the OOM event
 * (v1), /tmp, memory.stat, the platform endpoint's listener. */
#define FN_ENV_DESCRIPTORS_EACH 9u

enum fn_env_state {
	FN_ENV_SPAWNING,  /* asked of fn-spawnd; the first */
	FN_ENV_INIT,      /* its runtime runs, `next` has not come yet */
	FN_ENV_IDLE,
	FN_ENV_BUSY,      /* an invocation is delivered, no response yet */
	FN_ENV_FINISHING, /* responded; `next` is due */
	FN_ENV_STOPPING,  /* the SHUTDOWN phase: its processes have time to end, then its sandbox is ended, and perhaps it (fn_env_is_ending()) */
	FN_ENV_RESETTING, /* its sandbox is being ended, for a time-out; it stays */
	FN_ENV_RESET,     /* it has no sandbox any more: the next invocation begins with the init of another */
	FN_ENV_ENDING,    /* killed; its exit has not come yet */
	FN_ENV_STATES
};

enum fn_env_reason { /* it was made for */
	FN_ENV_FOR_INVOCATION,
	FN_ENV_FOR_LATER,   /* the keep-alive policy expects an invocation */
	FN_ENV_PROVISIONED, /* provisioned concurrency */
	FN_ENV_FOR_TRIAL,    /* begins as one for an invocation does, and ends when it could serve: how long that takes is wanted */
	FN_ENV_FOR_SNAPSHOT, /* initialises and is kept as an image (SnapStart), or has an archive made of its classes; serves nothing */
};

struct fn_env;

/* What one of its pipes brings: what the runtime prints, or what all its extensions do. */
struct fn_output {
	struct fn_env *env;
	int fd;
	uint64_t io;
	struct fn_buf line;    /* since the last newline */
	struct fn_list paused;
	struct {               /* what was thrown away, and has not been told of */
		uint64_t bytes, records;
		bool mid_line; /* it goes on to the next newline */
	} dropped;
};

/* One of the processes of a sandbox that has several. */
struct fn_process {
	bool alive;
	int wait_status; /* of one that is not */
};

/* How an environment ended, to its owner. */
struct fn_env_end {
	bool lost;    /* fn-spawnd took it along */
	bool in_init; /* it had begun to initialise, and has not come to its end */
	bool failed;  /* its init has failed, or took too long: it was not ended from outside */
	bool answered; /* it was bound to an invocation, which has its answer */
};

/* Upwards. None may be NULL. Only from on_ended() may fn_env_clear() be called. */
struct fn_env_ops {
	void (*on_state)(struct fn_env *e, enum fn_env_state from); /* from one to e->state */
	void (*on_ready)(struct fn_env *e, uint64_t took_us);       /* it has initialised; on_idle() follows, or it serves what it is bound to */
	/* It can serve. False: nothing has been done with it, neither fn_env_serve() nor fn_env_end(): it idles, and is frozen soon. */
	bool (*on_idle)(struct fn_env *e);
	uint64_t (*until)(const struct fn_env *e);                  /* when it is to end, being idle; CLOCK_MONOTONIC, UINT64_MAX = not */
	bool (*stays)(const struct fn_env *e);                      /* if it loses its sandbox, is it worth another? */
	void (*on_over)(struct fn_env *e);                          /* an invocation that it had is over, whatever became of it */
	void (*on_settled)(struct fn_env *e, uint64_t us);          /* between a response and its next `next` */
	void (*on_loaded)(struct fn_env *e, const char *names, size_t len); /* classes, asked for by fn_env_ask_loaded(); not terminated */
	void (*on_memory)(struct fn_env *e);                        /* e->memory_peak has changed */
	void (*on_reset)(struct fn_env *e);                         /* it has no sandbox now (FN_ENV_RESET), or should have come to that and ends (FN_ENV_ENDING) */
	void (*on_refused)(struct fn_env *e, const struct fn_err *err); /* no sandbox can be had; inv: what it was bound to, NULL = nothing; it ends */
	void (*on_ended)(struct fn_env *e, const struct fn_env_end *how); /* it has gone for good and is its owner's to free; what it served has been answered */
};

struct fn_env_config {
	struct fn_loop *loop;
	struct fn_h1_server *rt_server; /* serves all environments' Runtime API */
	struct fn_runtimes *runtimes;
	struct fn_logs *logs;
	const struct fn_store *store; /* which trees there are */
	const char *region, *account_id, *state_dir;
	const struct fn_platform_host *platform; /* NULL: sandboxes have no platform endpoint */
	struct fn_roles *roles;         /* credentials of functions' roles; NULL: none has any */
	uint64_t freeze_grace_us;
	uint64_t init_timeout_us;
	enum fn_net_mode net;
};

/* What all environments share. */
struct fn_env_host {
	struct fn_env_config cfg;
	const struct fn_env_ops *ops;
	struct fn_spawn_client *spawn; /* NULL = not yet */
	struct fn_map *sandboxes;      /* sandbox id -> struct fn_env */
	uint64_t environments;         /* numbers that were given: fn_spawn_start() */
	struct fn_list snapshots;      /* under way */
	struct fn_list restoring;      /* packages; code.c */
	struct fn_map *archives_off;   /* name of a tree -> why there is none; archive.c; NULL = all may be */
	struct fn_list paused;         /* of struct fn_output: they are not read until the timer resume; output.c */
	uint64_t resume, round_us;
	size_t round_left;             /* of output that may be read in the round of that time */
	struct fn_telemetry_host telemetry;
	bool shutdown;
};
int fn_env_host_init(struct fn_env_host *h, const struct fn_env_config *config, const struct fn_env_ops *ops);
void fn_env_host_clear(struct fn_env_host *h); /* its environments must be gone */
/* From the spawn client: */
void fn_env_host_on_exit(struct fn_env_host *h, uint64_t sandbox, const struct fn_sandbox_exit *info);
void fn_env_host_on_process(struct fn_env_host *h, uint64_t sandbox, unsigned process, int wait_status, const struct fn_err *err);
struct fn_env *fn_env_by_sandbox(struct fn_env_host *h, uint64_t sandbox); /* NULL = there is none */

/* What all environments of one function version and generation share. */
struct fn_env_version {
	struct fn_env_host *host;
	struct fn_function *function;
	bool json;                              /* its LoggingConfig: the log format, and what is written at least */
	enum fn_level app_level, system_level;
	struct fn_bucket output;                /* what may be added to its log */
	bool dropping;                          /* its output is thrown away for now */
	struct fn_archive_starts starts;        /* what its archive of classes is worth */
	char snapshot_broken[128];              /* why the version's snapshot is not used any more; "" = it is */
};
void fn_env_version_init(struct fn_env_version *v, struct fn_env_host *host, struct fn_function *f); /* takes a reference */
void fn_env_version_clear(struct fn_env_version *v);

/* Whose fault it is, where that decides something. */
enum fn_env_fault_of {
	FN_FAULT_FUNCTION,
	FN_FAULT_PLATFORM,
	FN_FAULT_EXTENSION,
	FN_FAULT_SAID_IN_INIT, /* an extension's, which has reported it: the words come with its exit */
	FN_FAULT_SAID_AT_EXIT,
};

/* How an init, a restore or an invocation has come to its end, as reports have it. */
struct fn_env_status {
	enum { FN_STATUS_SUCCESS, FN_STATUS_TIMEOUT, FN_STATUS_ERROR, FN_STATUS_FAILURE /* the platform's */ } how;
	char type[64]; /* the error's, of the last two */
};

struct fn_env {
	struct fn_env_host *host;
	struct fn_env_version *version;
	enum fn_env_state state;
	enum fn_env_reason reason;
	struct fn_roles_wait role;   /* while its credentials are on their way */
	struct fn_credentials credentials; /* for good, once it has any */
	struct fn_code_wait code;    /* while its package is unpacked again */
	bool code_tried;             /* it has been */
	bool start_told;             /* it has been said that it starts, though it does so anew */
	uint64_t until_us;           /* they are good until then, and it no longer; CLOCK_MONOTONIC */
	uint64_t environment;        /* its number */
	uint64_t request, sandbox;   /* sandbox: 0 = it has none */
	int freeze_fd, peak_fd;
	int stat_fd, tmp_fd;         /* spawn/client.h */
	struct timespec tmp_changed; /* its root directory, when it began */
	bool cached;                 /* something has been in /tmp: the kernel's peak is no measure any more */
	int oom_fd;                  /* spawn/client.h */
	struct fn_rt *rt;
	struct fn_platform *platform; /* NULL: it has no endpoint */
	struct fn_output output, extensions_output;
	struct fn_telemetry *telemetry; /* NULL: nobody can have subscribed */
	uint64_t timer;
	bool frozen, timed_out, gone;
	bool lasts;                  /* fn-spawnd knows that inv goes on for long */
	bool truncated;              /* the response of inv ended in its midst: its runtime may be ending */
	bool truncated_late;         /* and its exit had time to come */
	bool tmp_kept;               /* fn-spawnd has something of it */
	bool started, init_reported; /* START of inv, and how its init ended, are written */
	char log_stream[FN_NAME_MAX + 80];
	struct fn_log_stream *log;   /* that one, in the function's group; NULL = nothing has been said yet */
	uint64_t runtimes_seen;      /* fn_runtimes_generation() that it is known to be right for */
	char runtime_version[65];    /* what it runs on: fn_runtime.version_id */
	char plain[192];              /* what kept its runtime from having been started ahead, or its snapshot from being used; "" = nothing */
	struct fn_invocation *inv;   /* being served, or bound for a repeated init */
	struct {                     /* END and REPORT of the last one, written once its caller has been answered */
		struct fn_deferred later;
		struct fn_invocation *inv; /* NULL = none is due */
		uint64_t end_us;
		uint64_t begun_us;     /* when the response began to come, in pieces; 0 = it came whole */
		uint64_t responded_us; /* and had come; 0 = it has not */
		uint64_t runtime_done_us; /* with extensions: when the runtime asked for more */
		bool done_told;        /* platform.runtimeDone has been */
		uint64_t overhead_us;  /* what extensions took from then to end_us */
		bool held;             /* until extensions are done with the invocation, too */
		size_t produced;       /* bytes of the result */
		struct fn_env_status status;
	} report;
	struct fn_sandbox_timing timing;
	struct fn_sandbox_exit exit;
	char *init_error;            /* what the runtime posted to init/error */
	size_t init_error_len;
	char error_type[64];         /* of that */
	struct {                     /* what ended it first, other than its runtime's exit: its type and words; "" = nothing */
		char type[40], message[256];
		enum fn_env_fault_of of;
	} fault;
	struct fn_process processes[FN_SPEC_PROCESSES_MAX]; /* of a sandbox with external extensions; 0 is the runtime */
	unsigned n_processes;        /* 0: it has none of those, and the end of its runtime is the sandbox's */
	bool bound;                  /* it began for an invocation that was its own already */
	bool released;               /* its runtime has been started */
	bool at_next;                /* and has asked for an event */
	bool extensions_told;        /* EXTENSION lines are written */
	bool init_done_told;         /* platform.initRuntimeDone */
	struct {                     /* FN_ENV_STOPPING */
		bool then_reset;       /* it outlives its sandbox */
		const char *reason;    /* what extensions are told */
		bool runtime_done;     /* it is the extensions' turn */
		uint64_t until_us;
		uint64_t term_us;      /* when the runtime gets its SIGTERM; 0 = it has */
	} stop;
	bool first;                  /* has not served yet: its REPORT tells of the cold start */
	bool archived;               /* begun from an archive of its classes (archive.h) */
	bool restored;               /* begun from a snapshot: its init is a restore */
	bool as_restored;            /* begun plainly in place of that: with the function's hooks, and reported as a restore */
	bool snap_start;             /* its first sandbox was one of these: those that follow it begin plainly, with the hooks */
	struct fn_snapshot *snapshot; /* FN_ENV_FOR_SNAPSHOT, FN_ENV_FOR_TRIAL */
	bool knows_snapstart;        /* it has asked for restore/next */
	bool makes_archive;          /* which is an archive of classes (archive.h) */
	bool told_loaded;            /* after its last response: what it has loaded */
	uint64_t asked_us, spawned_us, ready_us, delivered_us;
	uint64_t memory_peak, peak_read_us;
};

static inline uint64_t fn_env_now_us(const struct fn_env *e) { return fn_loop_now_us(e->host->cfg.loop); }
/* What its function may take for an invocation. */
static inline uint64_t fn_env_timeout_us(const struct fn_env *e) { return (uint64_t)e->version->function->timeout_s * 1000000u; }

/* Makes one of what is zeroed, in FN_ENV_SPAWNING; fn_env_bind() and fn_env_launch() may follow. */
int fn_env_init(struct fn_env *e, struct fn_env_version *v, enum fn_env_reason reason);
void fn_env_clear(struct fn_env *e);
/* An invocation that is under way and whose first environment has failed to initialise, or that found this one reset: its time begins now, with an init
 * in it. Takes the reference. */
void fn_env_bind(struct fn_env *e, struct fn_invocation *inv);
/* Has a sandbox made; on the way it may have to wait for credentials or code. */
void fn_env_launch(struct fn_env *e);
/* One in FN_ENV_RESET starts another sandbox; bound: for this invocation, NULL: for none. */
void fn_env_begin_again(struct fn_env *e, struct fn_invocation *bound);
/* Gives an idle one an invocation, whose reference it takes. False: it has died, or cannot be thawed, and is ended; the event has not been seen by
 * anyone, and is the caller's still. */
bool fn_env_serve(struct fn_env *e, struct fn_invocation *inv);
/* With the next invocation it is asked what it has loaded until that was answered; on_loaded() follows if its runtime can tell. */
void fn_env_ask_loaded(struct fn_env *e);
/* Ends it, by way of the SHUTDOWN phase where it has extensions; idempotent. on_ended() follows. */
void fn_env_end(struct fn_env *e);
/* spec.c. Has its runtime been updated since it began? Then it should serve nobody any more. */
bool fn_env_stale(struct fn_env *e);
/* Is on_ended() about to come? */
bool fn_env_is_ending(const struct fn_env *e);
/* Its credentials are at their end: it is to serve no more. */
bool fn_env_expired(const struct fn_env *e);
/* Its time to end may have changed (fn_env_ops.until). */
void fn_env_rearm(struct fn_env *e);
/* fn-spawnd has gone, and what it kept with it. */
void fn_env_on_lost(struct fn_env *e);
/* In Lambda's words, how its runtime ended. NULL: by itself, with status 0. */
const char *fn_env_how_ended(const struct fn_env *e, char *words, size_t size);

/* prestart.c. This function exists: have its runtime started ahead, if it can be. Once is enough, more does no harm; again for a new fn-spawnd. */
void fn_env_prestart(struct fn_env_host *h, const struct fn_function *f);
/* Its next environment finds its root mounted: code and layers, or the snapshot, have just come. Not for what has been there: a start without it is 0.2 ms slower, once. */
void fn_env_expect_root(struct fn_env_host *h, const struct fn_function *f);
/* Both for $LATEST, and fn is called later, with the number that is returned, when its first environment can take a runtime that has been
 * started ahead, or has waited long enough for one (fn_spawn_prestart()). 0: its runtime is not started ahead, and fn is not called. Nor is it
 * if the client is freed before. */
uint64_t fn_env_await(struct fn_env_host *h, const struct fn_function *f, fn_spawn_ready_fn fn, void *arg);

#endif
