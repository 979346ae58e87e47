/*
 * pool.h - execution environments by function version: which one serves an invocation, when one is started, frozen, ended.
 *
 * Runs in fnd on its loop. An environment serves one invocation at a time. The most recently used idle one is first; with none, one is started for the invocation, which takes whichever environment is free first. An
 * environment whose runtime crashed or timed out gets another sandbox for its next invocation, which that invocation waits for: /tmp, credentials and log
 * stream stay, nothing else does. One that ran out of memory, or cannot initialise, ends.
 */
#ifndef FN_POOL_POOL_H
#define FN_POOL_POOL_H

#include "env/env.h"
#include "env/snapshot.h"
#include "pool/keepalive.h"

struct fn_pool_config {
	struct fn_env_config env;       /* of each environment */
	struct fn_keep_config keep;     /* how long idle ones are kept, which go for want of memory, which are made ahead */
	uint64_t memory_budget;         /* bytes; 0 = none */
};

struct fn_pool;
int fn_pool_new(const struct fn_pool_config *config, struct fn_pool **ret, struct fn_err *err);
/* The client is made after the pool, since it needs the pool's callbacks. */
void fn_pool_set_spawn(struct fn_pool *p, struct fn_spawn_client *spawn);
void fn_pool_on_exit(struct fn_pool *p, uint64_t sandbox, const struct fn_sandbox_exit *info); /* from the spawn client */
void fn_pool_on_process(struct fn_pool *p, uint64_t sandbox, unsigned process, int wait_status, const struct fn_err *err); /* likewise */
void fn_pool_on_reclaimed(struct fn_pool *p, uint64_t sandbox, uint64_t bytes);                 /* likewise */
void fn_pool_on_lost(struct fn_pool *p); /* likewise: fn-spawnd has ended */
/* Every environment must have been ended before. */
void fn_pool_free(struct fn_pool *p);

/* Runs the invocation; it is completed sooner or later. Takes a reference. */
void fn_pool_run(struct fn_pool *p, struct fn_invocation *inv);
/* This function exists: have its runtime started ahead, if it can be. Once is enough, more does no harm; again for a new fn-spawnd. */
void fn_pool_prestart(struct fn_pool *p, const struct fn_function *f);
/* The same for $LATEST, and fn is called later, with the number that is returned, when its first environment can take a runtime that has been
 * started ahead, or has waited long enough for one (fn_spawn_prestart()). 0: its runtime is not started ahead, and fn is not called. Nor is it
 * if the client is freed before. */
uint64_t fn_pool_await(struct fn_pool *p, const struct fn_function *f, fn_spawn_ready_fn fn, void *arg);
/* Provisioned concurrency of a function version: n environments that are made before they are asked for, that serve first, that are replaced
 * when they die and not ended for being idle or for want of memory. 0 = none any more. Asking for what is so already does nothing but try
 * again what has failed. It lasts until the version is retired or fnd ends. */
int fn_pool_provision(struct fn_pool *p, struct fn_function *f, unsigned n);
struct fn_pool_provisioned {
	unsigned wanted, ready, busy; /* busy: of those that are ready */
	bool reached;       /* all were ready at one time since the number was set */
	char failure[160];  /* why the last try failed; "" = it did not. Tries go on, less and less often */
};
void fn_pool_provisioned(struct fn_pool *p, const struct fn_function *f, struct fn_pool_provisioned *ret);

/* How many provisioned environments of a function, over its versions, serve an invocation now. */
unsigned fn_pool_provisioned_busy(struct fn_pool *p, const char *function);

/* SnapStart: initialises the function version once and keeps what its runtime has become as a tree. `fn` is called once, unless the pool is
 * freed before. */
int fn_pool_snapshot(struct fn_pool *p, const struct fn_function *f, const char *tree, fn_snapshot_fn fn, void *arg);
/* What a snapshot of this function holds on: kernel, processor and base image, as a digest. */
void fn_pool_snapshot_host(const struct fn_pool *p, const struct fn_function *f, char ret[FN_SNAPSHOT_HOST_SIZE]);
/* The stored snapshot of this version's record is another now; its environments stay. */
void fn_pool_renew(struct fn_pool *p, struct fn_function *f);

/* Ends idle environments of this function version whose generation is not `keep`; busy ones end after their invocation. */
void fn_pool_retire(struct fn_pool *p, const char *name, const char *version, uint64_t keep);
/* Ends everything; what runs is failed. */
void fn_pool_shutdown(struct fn_pool *p);
/* Does an environment, alive or ending, run this code package, or will one for what waits? */
bool fn_pool_uses_code(struct fn_pool *p, const char *code_sha256);
unsigned fn_pool_workers(const struct fn_pool *p); /* alive or ending */

#endif
