/*
 * extapi.h - the Extensions API 2020-01-01 of one sandbox, on the Runtime API's listener. Runs in fnd.
 *
 * Contract: AWS Lambda Developer Guide "runtimes-extensions-api"; error types and texts as in AWS's runtime interface emulator. External extensions are
 * processes of their own, known by the names of their files before they register; internal ones are part of the runtime's process: any other name.
 * Who calls is said by the identifier that its registration was answered with; a process that has another's could speak for it, as on Lambda.
 * An extension waits at `next` (READY) until it is given an event; one whose connection has gone meanwhile may ask again, and has its event then.
 */
#ifndef FN_RUNTIME_EXTAPI_H
#define FN_RUNTIME_EXTAPI_H

#include "model/invocation.h"
#include "web/h1conn.h"

#define FN_EXT_MAX 10u /* in all */
#define FN_EXT_NAME_MAX 255u /* bytes: that of a file */
#define FN_EXT_BASE "/2020-01-01/extension/"
#define FN_EXT_BODY_MAX 65536u

enum fn_ext_state {
	FN_EXT_STARTED, /* external: has not registered */
	FN_EXT_REGISTERED,
	FN_EXT_READY,   /* has asked for the next event */
	FN_EXT_RUNNING, /* has one */
	FN_EXT_INIT_ERROR,
	FN_EXT_EXIT_ERROR,
	FN_EXT_SHUTDOWN_FAILED,
	FN_EXT_EXITED,
	FN_EXT_LAUNCH_ERROR,
	FN_EXT_STATES
};
enum { FN_EXT_INVOKE = 1, FN_EXT_SHUTDOWN = 2 }; /* events that one may ask for */

struct fn_ext_function { /* what a registration is answered with */
	const char *name, *version, *handler, *account_id;
};
struct fn_ext_ops {
	void (*describe)(void *arg, struct fn_ext_function *ret);
	void (*on_registered)(void *arg); /* the last external one has: the runtime may start */
	void (*on_ready)(void *arg);      /* one has asked for the next event */
	void (*on_error)(void *arg, bool init); /* one has reported an error: it is to exit now */
};

struct fn_ext;
/* ops are called with arg, and not any more once it is freed. -ENOMEM. */
int fn_ext_new(const struct fn_ext_ops *ops, void *arg, struct fn_ext **ret);
void fn_ext_free(struct fn_ext *x); /* NULL is fine; its connections are others' */
/* There are external ones of these names: their processes are 1 to n. -ENOMEM. */
int fn_ext_expect(struct fn_ext *x, const char *const *names, unsigned n);

/* What a request is answered with. */
struct fn_ext_answer {
	unsigned status;          /* 0: later */
	char identifier[FN_UUID_SIZE]; /* "" = none: header Lambda-Extension-Identifier */
	char *body;               /* JSON, malloc'ed; NULL on no memory */
	void (*then)(void *arg);  /* to be called with `arg` once it has been answered; may be NULL */
	void *arg;
};
/* A request whose path begins with FN_EXT_BASE. */
void fn_ext_request(struct fn_ext *x, struct fn_h1_conn *c, const struct fn_h1 *req, struct fn_ext_answer *ret);
/* The name of who sends this request, by its identifier, to another API; NULL: refused. */
const char *fn_ext_name_of(struct fn_ext *x, const struct fn_h1 *req, struct fn_ext_answer *ret);
void fn_ext_closed(struct fn_ext *x, const struct fn_h1_conn *c); /* the connection has gone */

/* The runtime has asked for its first event: nobody registers any more. */
void fn_ext_close_registration(struct fn_ext *x);
unsigned fn_ext_count(const struct fn_ext *x);    /* have registered, and external ones that have not; NULL: 0 */
unsigned fn_ext_external(const struct fn_ext *x); /* of them */
/* Has each that gets this event asked for the next one; events 0: has each of all? NULL: yes. */
bool fn_ext_ready(const struct fn_ext *x, unsigned events);
bool fn_ext_subscribed(const struct fn_ext *x, unsigned events); /* does any get it? NULL: no */
/* Sends INVOKE to those that get it. */
void fn_ext_invoke(struct fn_ext *x, const struct fn_invocation *inv);
/* Sends SHUTDOWN to the external ones that get it: now, or when they ask. reason: "spindown", "timeout", "failure". */
void fn_ext_shutdown(struct fn_ext *x, const char *reason, uint64_t deadline_real_ms);
/* The process of an external one has ended; in the SHUTDOWN phase that is what was asked of it, else it stays in the state that it was in. */
void fn_ext_exited(struct fn_ext *x, unsigned process, bool well);

struct fn_ext_info {
	const char *name, *identifier;
	enum fn_ext_state state;
	unsigned events, process; /* process: 0 = internal */
	const char *error_type; /* what it has reported; "" = nothing */
};
/* The i-th, below fn_ext_count(). */
void fn_ext_info(const struct fn_ext *x, unsigned i, struct fn_ext_info *ret);
/* By its identifier; -ENOENT. */
int fn_ext_find(const struct fn_ext *x, const char *identifier);
const char *fn_ext_state_name(enum fn_ext_state s); /* Lambda's */

#endif
