/*
 * backend.h - where functions run, as lib/invoke knows it. The pool of this machine is the first (pool/pool.h: fn_pool_backend()); another machine's would be the
 * next. What takes time is answered later: an invocation by its sink, a snapshot and what is awaited by callback; what is provisioned is asked for, and looked at.
 *
 * All on one loop. A function is named by its record: name, version and generation; the backend keeps a reference where it keeps it.
 */
#ifndef FN_MODEL_BACKEND_H
#define FN_MODEL_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/function.h"
#include "model/invocation.h"

struct fn_backend_provisioned {
	unsigned wanted, ready, busy; /* busy: of those that are ready */
	bool reached;       /* all were ready at one time since the number was set */
	char failure[160];  /* why the last try failed; "" = it did not. Tries go on, less and less often */
};

struct fn_snapshot_result {
	enum {
		FN_SNAPSHOT_TAKEN,
		FN_SNAPSHOT_REFUSED, /* it cannot be snapshotted: plain starts will do */
		FN_SNAPSHOT_FAILED,  /* its init fails: so would every start */
		FN_SNAPSHOT_LOST,    /* who would have taken it is being restarted: try again */
	} what;
	uint64_t bytes;   /* TAKEN: of the tree */
	uint64_t us;      /* TAKEN, of a trial: until it could serve; 0: it does not count, since nothing had been started ahead */
	char code[48];    /* FAILED: Lambda's StateReasonCode */
	char reason[320];
};
typedef void (*fn_snapshot_fn)(void *arg, const struct fn_snapshot_result *res);
/* How many environments are in which state. finishing: they have answered and not asked for more yet. */
struct fn_backend_environments {
	unsigned starting, idle, busy, finishing;
};
/* Names of classes that a process of a function has loaded, one a line; not terminated. They are the function's word. */
struct fn_backend_loaded {
	const char *names;
	size_t len;
};
#define FN_SNAPSHOT_HOST_SIZE 65
#define FN_BACKEND_TREE_SIZE 72 /* as FN_TREE_NAME_SIZE, sandbox/spec.h */

struct fn_backend;

struct fn_backend_ops {
	/* Runs the invocation, which was admitted; its sink hears of the end sooner or later. Takes a reference. */
	void (*submit)(struct fn_backend *b, struct fn_invocation *inv);
	/* This function exists: what can be made ahead for its cold starts is. Once is enough, more does no harm; again when what runs sandboxes was started anew. */
	void (*expect)(struct fn_backend *b, const struct fn_function *f);
	/* The same for $LATEST, and fn is called once, later, with the number that is returned, when its first environment finds what is made ahead, or has waited
	 * long enough (some 2 s). 0: there is nothing to wait for, and fn is not called. Nor is it when the backend ends before. */
	uint64_t (*await)(struct fn_backend *b, const struct fn_function *f, void (*fn)(void *arg, uint64_t number), void *arg);
	/* Idle environments of this function's version (NULL = of all) whose generation is not `keep` (0 = none is kept) end; busy ones end after their invocation,
	 * and what waits is still served by the old ones. */
	void (*retire)(struct fn_backend *b, const char *name, const char *version, uint64_t keep);
	/* Provisioned concurrency of a version: n environments that are made before they are asked for, that serve first, that are replaced when they die and not ended
	 * for being idle or for want of memory. 0 = none any more. Asking for what is so already does nothing but try again what has failed. It lasts until
	 * the version is retired or fnd ends. -ENOMEM. */
	int (*provision)(struct fn_backend *b, struct fn_function *f, unsigned n);
	void (*provisioned)(struct fn_backend *b, const struct fn_function *f, struct fn_backend_provisioned *ret);
	unsigned (*provisioned_busy)(struct fn_backend *b, const char *function); /* over its versions: how many of them serve an invocation now */
	/* Calls fn for each function's version (and tenant) that has environments, or had some lately. */
	void (*environments)(struct fn_backend *b, void (*fn)(void *arg, const char *function, const struct fn_backend_environments *n), void *arg);
	/* SnapStart: initialises the version once and keeps what its runtime has become as a tree of that name. fn is called once, unless the backend ends before.
	 * loaded: of an archive of its classes, what the watcher was told; copied; NULL = nothing. -ENOMEM. */
	int (*snapshot)(struct fn_backend *b, const struct fn_function *f, const char *tree, const struct fn_backend_loaded *loaded, fn_snapshot_fn fn, void *arg);
	/* Starts an environment of this version as it would be for an invocation, and ends it when it could serve: result.us. Its start is not reported. -ENOMEM. */
	int (*trial)(struct fn_backend *b, const struct fn_function *f, fn_snapshot_fn fn, void *arg);
	/* What a snapshot of this function holds on (kernel, processor, base image), as a digest. */
	void (*snapshot_host)(struct fn_backend *b, const struct fn_function *f, char ret[FN_SNAPSHOT_HOST_SIZE]);
	/* The name of the tree that an archive of this version's classes has or would have (env/archive.h), which snapshot() makes. False: it has none. */
	bool (*archive_name)(struct fn_backend *b, const struct fn_function *f, char ret[FN_BACKEND_TREE_SIZE]);
	/* None can be made of what the function is now; why, in words for its log. That holds as long as the backend remembers it. */
	void (*archive_off)(struct fn_backend *b, const struct fn_function *f, const char *why);
	bool (*archive_is_off)(struct fn_backend *b, const char *tree);
	/* The stored snapshot of this version's record is another now; its environments stay. */
	void (*renew)(struct fn_backend *b, struct fn_function *f);
	/* Does an environment, alive or ending, run this code package, or will one for what waits? */
	bool (*uses_code)(struct fn_backend *b, const char *code_sha256);
};

/* Whom a backend tells of starts. All may be NULL. */
struct fn_backend_watcher {
	/* An environment of this function has initialised in so long, and began from no archive of its classes. True: loaded() is to follow, when it has answered its first
	 * invocation; it does not, if that never comes or the runtime cannot tell. */
	bool (*started)(void *arg, struct fn_function *f, uint64_t init_us);
	void (*loaded)(void *arg, struct fn_function *f, const struct fn_backend_loaded *what);
	/* One that began from it has not: others start without it (archive_is_off). */
	void (*archive_failed)(void *arg, struct fn_function *f);
	void *arg;
};

struct fn_backend {
	const struct fn_backend_ops *ops;
	struct fn_backend_watcher watcher;
};

#endif
