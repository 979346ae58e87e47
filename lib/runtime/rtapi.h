/*
 * rtapi.h - the Lambda Runtime API 2018-06-01, one instance per execution environment. Runs in fnd.
 *
 * Contract: AWS Lambda Developer Guide "runtimes-api"; error bodies as in AWS's runtime interface emulator. Who is calling is decided by
 * the connection: it was accepted on the listener inside that sandbox's network namespace.
 * Snapshots (SnapStart) are ours: Lambda takes them from outside, by pausing its virtual machine at `restore/next`, which a process without one
 * cannot imitate. Instead of it a runtime started with AWS_LAMBDA_INITIALIZATION_TYPE=snap-start asks POST runtime/snapshot with
 * "Upgrade: tar", and sends its image where the connection now leads; or POST runtime/snapshot/refused, the body saying why it cannot. The
 * processes made from the image go on with runtime/invocation/next, or runtime/restore/error as in Lambda.
 * Classes (Java) are ours, too: `next` may come with Lambda-Runtime-Loaded-Classes, which asks a runtime that can to tell by POST runtime/snapshot/loaded, once it has
 * answered this invocation and before it asks for another, what its process has loaded: names, one a line. GET runtime/snapshot/loaded, before the first `next`, has what
 * another process of the function has told; 404 where none has. Both without meaning for any other runtime.
 * States: START -> (init error | next) ; WAITING (next is pending) -> RUNNING -> RESPONDED -> WAITING ...
 */
#ifndef FN_RUNTIME_RTAPI_H
#define FN_RUNTIME_RTAPI_H

#include "base/loop.h"
#include "model/invocation.h"
#include "runtime/extapi.h"
#include "runtime/telemetry.h"
#include "web/h1conn.h"

#define FN_RESPONSE_MAX 6291556u /* 6 MiB + 100 bytes */
#define FN_LOADED_MAX (1u << 20) /* bytes of names of classes */
#define FN_STREAM_MAX 209715200u /* of a streamed response, 200 MiB */

struct fn_rt;

struct fn_rt_ops {
	/* The runtime asks for work: the first time its init has ended. fn_rt_deliver() may be called from here or later. */
	void (*on_next)(void *arg);
	/* body: malloc'ed, now the callee's. NULL: the sink has had all len bytes in pieces (see on_begin). */
	void (*on_response)(void *arg, char *body, size_t len, const char *content_type);
	void (*on_error)(void *arg, char *body, size_t len, const char *error_type);
	void (*on_too_large)(void *arg);
	void (*on_init_error)(void *arg, char *body, size_t len, const char *error_type);
	void (*on_snapshot)(void *arg, int fd); /* the callee's: a blocking socket from which the image comes as a tar stream */
	void (*on_snapshot_refused)(void *arg, const char *why);
	/* GET /runtime/restore/next: what comes before a snapshot is done (Lambda Developer Guide, "Implementing SnapStart hooks for container images"). True: it is answered, and what comes
	 * after a restore is to be done next; false: 404, there is no SnapStart. NULL: likewise. */
	bool (*on_restore_next)(void *arg);
	void (*on_restore_error)(void *arg, char *body, size_t len, const char *error_type); /* as on_init_error */
	/* It goes on with wrong requests though it is answered late: it is to be ended, but not from within the call. May be NULL. */
	void (*on_unruly)(void *arg);
	/* --- for invocations whose sinks take results in pieces (model/invocation.h); NULL: none are brought in pieces --- */
	/* A response begins. True: it goes to the sink as it comes, and its end here: on_response without a body, on_error with what the trailers say (body may be
	 * NULL), on_too_large, on_truncated. */
	bool (*on_begin)(void *arg);
	/* The connection of a response or an error ended in the midst of it, in pieces or not. The process may be ending. */
	void (*on_truncated)(void *arg);
	/* Lambda-Runtime-Function-Response-Mode is none: the response does not count. */
	void (*on_invalid_mode)(void *arg);
	const struct fn_ext_ops *extensions; /* of the Extensions API; NULL: there is none */
	/* An extension subscribes by the Telemetry API or the Logs API; name: its own. NULL: neither is supported. */
	void (*on_subscribe)(void *arg, enum fn_telemetry_api api, const char *name, const char *body, size_t len, struct fn_telemetry_answer *ret);
	/* What the process has loaded, asked for by fn_rt_ask_loaded(): not terminated, and the function's word. NULL: nobody asks. */
	void (*on_loaded)(void *arg, const char *names, size_t len);
	/* What another process of the function has loaded: borrowed until the next call of the loop. NULL, or returns NULL: it is not known. */
	const char *(*loaded)(void *arg, size_t *ret_len);
};

/* Takes listen_fd. The server is shared by all environments. */
int fn_rt_new(struct fn_loop *loop, struct fn_h1_server *server, int listen_fd, const struct fn_rt_ops *ops, void *arg, struct fn_rt **ret);
/* It has external extensions, by the names of their files. -ENOMEM. */
int fn_rt_expect_extensions(struct fn_rt *rt, const char *const *names, unsigned n);
/* It has none, and their APIs, and those of telemetry, are not there: 404. */
void fn_rt_refuse_extensions(struct fn_rt *rt);
/* NULL: none has registered, nor is expected. rt may be NULL. */
struct fn_ext *fn_rt_extensions(const struct fn_rt *rt);
/* The runtime's `next` is pending, and its connection still open at this moment. */
bool fn_rt_waiting(const struct fn_rt *rt);
/* Requests of its have come that are not read to their end yet: of a process that is dead, they may still hold its result. */
bool fn_rt_unread(const struct fn_rt *rt);
/* Answers the pending `next`; -EAGAIN when none is. A reference to inv is taken until its response. */
int fn_rt_deliver(struct fn_rt *rt, struct fn_invocation *inv);
/* The next invocation that is delivered asks what the process has loaded. */
void fn_rt_ask_loaded(struct fn_rt *rt);
/* A runtime may send its result and its request for the next event together. Then the one system call that hands out the event carries the
 * result's 202 too. Called when no event has come for a while: the 202 alone. NULL is fine. */
void fn_rt_flush(struct fn_rt *rt);
/* Ends its connections; no more callbacks. NULL is fine. */
void fn_rt_close(struct fn_rt *rt);

#endif
