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
#include "model/backend.h"
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

/* As lib/invoke knows it; lives as long as the pool. */
struct fn_backend *fn_pool_backend(struct fn_pool *p);

/* Ends everything; what runs is failed. */
void fn_pool_shutdown(struct fn_pool *p);
unsigned fn_pool_workers(const struct fn_pool *p); /* alive or ending */

#endif
