/* internal.h - between the files of lib/env. */
#ifndef FN_ENV_INTERNAL_H
#define FN_ENV_INTERNAL_H

#include "env/env.h"

#define FN_ENV_DRAIN_US 2000u /* after its processes are dead, for what they had sent before to be read */

/* It went with fn-spawnd, not by itself (spawn/client.h says how that looks). */
static inline bool fn_env_lost(const struct fn_env *e)
{
	return e->gone && e->exit.wait_status == -1 && !e->exit.oom && e->exit.memory_peak == UINT64_MAX;
}

/* state.c: the only place that changes e->state. */
void fn_env_set_state(struct fn_env *e, enum fn_env_state to);
bool fn_env_may_follow(enum fn_env_state from, enum fn_env_state to);
void fn_env_arm(struct fn_env *e, uint64_t at_us); /* its one timer */
/* Stops or starts its processes. False: it could not. */
bool fn_env_freeze(struct fn_env *e, bool on);
/* One of several processes has ended though it should not have: what it is at has failed. */
bool fn_env_failed(const struct fn_env *e);

/* memory.c. The most memory that it had, page cache of /tmp left out; with what the kernel calls its peak, up to a millisecond old. */
void fn_memory_begin(struct fn_env *e, int tmp_fd); /* takes tmp_fd; what is written from now on counts as the function's */
uint64_t fn_memory_used(struct fn_env *e);
bool fn_memory_is_cached(struct fn_env *e); /* then no peak of the kernel's is a measure of it */
void fn_memory_process_ended(struct fn_env *e); /* one of several */
bool fn_memory_ended(struct fn_env *e, const struct fn_sandbox_exit *how); /* its processes have; true: it has had more than was known */

/* output.c */
void fn_env_on_output(void *arg, int fd, uint32_t events);
int fn_output_open(struct fn_output *o, struct fn_env *e, int fd); /* takes fd */
void fn_output_close(struct fn_output *o);
void fn_env_read_output(struct fn_env *e); /* all that is there */
void fn_env_flush_output(struct fn_env *e); /* the same, and a last line without newline; says what was thrown away */
/* The bound on a version's log: may it grow now? It has grown by n bytes. */
bool fn_env_may_print(struct fn_env_version *v);
void fn_env_printed(struct fn_env_version *v, size_t n);

/* stream.c */
void fn_env_name_log_stream(struct fn_env *e); /* once */
void fn_env_open_log(struct fn_env *e);        /* e->log, for the first event */

/* telemetry.c */
/* It has extensions, or may have: what it is told from now on can be heard of. */
void fn_env_telemetry_want(struct fn_env *e);
void fn_env_telemetry_initialised(struct fn_env *e);
void fn_env_on_subscribe(void *arg, enum fn_telemetry_api api, const char *name, const char *body, size_t len, struct fn_telemetry_answer *ret);

/* report.c: the platform's lines, in the function's log format. */
extern const struct fn_env_status fn_status_success, fn_status_timeout;
struct fn_env_status fn_status_error(const char *type);
struct fn_env_status fn_status_fault(const struct fn_env *e, const char *otherwise); /* of what ended it; if that is not known, the error `otherwise` */
#define FN_TRUNCATED "Runtime.TruncatedResponse"
/* An event as it is, to the log and the invocation's tail: a line of the function's, or what the platform says. */
void fn_env_emit(struct fn_env *e, enum fn_log_kind kind, const char *text, size_t len);
const char *fn_report_init_type(const struct fn_env *e); /* AWS_LAMBDA_INITIALIZATION_TYPE */
void fn_report_init_start(struct fn_env *e, const struct fn_runtime *rt);
void fn_report_init_started(struct fn_env *e); /* to subscribers alone, that come later */
void fn_report_init_done(struct fn_env *e, const struct fn_env_status *status); /* its runtime is through; extensions may not be. Once */
/* An init, or restore, is over. */
void fn_report_init(struct fn_env *e, uint64_t us, const struct fn_env_status *status);
/* The runtime is done with e->report.inv, extensions are not. Once. */
void fn_report_runtime_done(struct fn_env *e);
void fn_report_start(struct fn_env *e); /* of e->inv, once */
void fn_report_fault(struct fn_env *e, const char *message, const char *type);
void fn_report_image(struct fn_env *e, const char *message); /* a container image of which nothing could be started: what was to be */
void fn_report_timeout(struct fn_env *e, const char *message);
void fn_report_extensions(struct fn_env *e); /* what they are after init; once for each sandbox */
void fn_report_extension(struct fn_env *e, const char *name, const char *state, unsigned events, const char *error_type);
void fn_report_dropped(struct fn_env *e, uint64_t bytes, uint64_t records);
void fn_report_no_credentials(struct fn_env *e, const struct fn_err *err); /* of its role: the start fails */
void fn_report_end(struct fn_env *e, const struct fn_invocation *inv); /* END and REPORT: of e->report */
/* The type that reports carry of an error that the runtime has called `said`. Returns buf. */
const char *fn_report_error_type(const char *said, char *buf, size_t size);

/* finish.c. Writes END and REPORT of the last invocation, if they are still due. */
void fn_env_write_report(void *arg);
/* The invocation is over; the environment goes on (or is about to be ended by the caller). */
void fn_env_finish(struct fn_env *e, enum fn_inv_outcome outcome, char *result, size_t len, const struct fn_env_status *status);
/* Extensions are done with it, or will not be: as report.held says. status: NULL = as before. */
void fn_env_release_report(struct fn_env *e, const struct fn_env_status *status);

/* What the error is called that inv is about to end with, to whom has the beginning of its response already. */
void fn_env_name_error(struct fn_env *e, const char *type);

/* fault.c: what ended an environment, first of all. */
void fn_env_fault(struct fn_env *e, enum fn_env_fault_of of, const char *type, const char *message);
bool fn_env_fault_entry(struct fn_env *e, const struct fn_err *err);  /* does it say that the entry point cannot be run? */
bool fn_env_fault_launch(struct fn_env *e, const struct fn_err *err); /* or that an extension cannot? */
void fn_env_fault_process(struct fn_env *e, unsigned process);        /* it has ended */

/* end.c */
/* The SHUTDOWN phase: one of the processes has ended, or its timer has come. */
void fn_env_stop_step(struct fn_env *e);
void fn_env_stop_timer(struct fn_env *e);
/* Without that phase. */
void fn_env_kill(struct fn_env *e);
void fn_env_drop_sandbox(struct fn_env *e); /* closes what there is of it here; it has ended, or nobody listens any more */
/* Does it outlive its sandbox? Its runtime has timed out or ended, and had initialised. */
bool fn_env_outlives(const struct fn_env *e);
/* Ends its sandbox, and it with that unless it outlives it. */
void fn_env_end_sandbox(struct fn_env *e);

/* death.c. Its runtime has ended: answers its invocation. */
void fn_env_answer_dead(struct fn_env *e);
void fn_env_init_failed(struct fn_env *e); /* writes so, once */
/* The environment is gone for good: what it served is answered, its owner told. */
void fn_env_finish_dead(struct fn_env *e);
/* Its sandbox has ended: what was of that alone goes; the next invocation that finds nobody idle is this one's. */
void fn_env_reset(struct fn_env *e);

/* serve.c */
extern const struct fn_rt_ops fn_env_rt_ops;
void fn_env_on_timer(void *arg); /* what a deadline means depends on the state */

/* snapshot.c */
void fn_env_on_snapshot(void *arg, int fd);
void fn_env_on_snapshot_refused(void *arg, const char *why);
bool fn_env_on_restore_next(void *arg);
void fn_env_not_kept(struct fn_env *e); /* its init has ended, and its runtime makes no image */
const char *fn_env_loaded(void *arg, size_t *ret_len);
/* It will never give a snapshot: err says why it could not be started, NULL = its init tells. */
void fn_env_snapshot_dead(struct fn_env *e, const struct fn_err *err);
void fn_env_trial_done(struct fn_env *e, uint64_t took_us); /* FN_ENV_FOR_TRIAL: it can serve */
void fn_env_snapshot_forget(struct fn_env *e); /* before it is freed */
void fn_snapshots_drop(struct fn_env_host *h); /* nobody is told; their environments must be gone */

/* spec.c: from a function version to the sandbox it needs. */
int fn_env_spec(struct fn_env *e, const struct fn_credentials *credentials, struct fn_spec *ret, struct fn_err *err);

#endif
