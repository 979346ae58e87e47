/* group.h - the environments of one function version, and what waits for them; private to lib/pool. */
#ifndef FN_POOL_GROUP_H
#define FN_POOL_GROUP_H

#include <stddef.h>

#include "base/map.h"
#include "env/env.h"
#include "pool/keepalive.h"
#include "pool/pool.h"

struct fn_pool {
	struct fn_backend backend;
	struct fn_env_host env;
	uint64_t memory_budget;
	struct fn_map *groups;   /* key -> struct fn_group */
	struct fn_map *memories; /* name:version -> what was learnt of it by a generation that is gone */
	unsigned members;
	uint64_t memory_used;    /* sum of struct fn_member.cost */
	uint64_t memory_ending;  /* of it, what is about to come back */
	uint64_t memory_tenants; /* of it, what those of functions with tenants hold */
	struct fn_keep keep;
};

/* All environments of one function version and generation; where the function has tenants, of one of them. */
struct fn_group {
	struct fn_env_version version;
	char *key;
	bool tenant; /* they are one tenant's, whom the key names; the group goes with the last of them */
	struct fn_pool *pool;
	struct fn_list members; /* of struct fn_member, most recently used idle first */
	struct fn_list waiting; /* of struct fn_invocation */
	unsigned n_waiting, count[FN_ENV_STATES];
	unsigned n_bound;            /* that start for an invocation which they have already */
	bool retired;
	struct fn_keep_function keep;
	uint64_t memory_seen;        /* peak of the last one that was measured */
	uint64_t prewarm;            /* timer */
	unsigned floor;              /* provisioned concurrency; provision.c */
	bool floor_reached;
	unsigned floor_failures;     /* in a row */
	char floor_reason[160];      /* of the last failure; "" = none */
	uint64_t provision, provision_at_us; /* timer; after a failure not before */
	uint64_t patience; /* timer: until then finishing environments are expected back */
	uint64_t patience_until_us;
	uint64_t settle_us; /* what an environment takes from its response to asking for more, on the average; 0 = not known */
};

/* An environment as the pool sees it. */
struct fn_member {
	struct fn_env env; /* the first */
	struct fn_group *group;
	struct fn_list link;
	struct fn_keep_env keep;
	bool bound;        /* of SPAWNING, INIT: it starts for an invocation that is its own already */
	bool surplus;      /* it was provisioned, and is not any more: ends after what it does now */
	bool evicted;
	bool reclaiming;   /* asked for, since it became idle */
	uint64_t resident; /* what it holds after that, until it is used again; 0 = not known */
	uint64_t cost, ending_cost; /* as they are part of the pool's memory */
};

static inline uint64_t fn_pool_now_us(const struct fn_pool *p) { return fn_loop_now_us(p->env.cfg.loop); }
static inline struct fn_member *fn_member_of(struct fn_list *l) { return fn_list_entry(l, struct fn_member, link); }
static inline struct fn_member *fn_member_of_env(const struct fn_env *e) { return (struct fn_member *)e; }

/* What backend.c calls: model/backend.h tells of each. pool.c, provision.c, snapshot.c */
void fn_pool_run(struct fn_pool *p, struct fn_invocation *inv);
void fn_pool_retire(struct fn_pool *p, const char *name, const char *version, uint64_t keep);
bool fn_pool_uses_code(struct fn_pool *p, const char *code_sha256);
int fn_pool_provision(struct fn_pool *p, struct fn_function *f, unsigned n);
void fn_pool_provisioned(struct fn_pool *p, const struct fn_function *f, struct fn_backend_provisioned *ret);
unsigned fn_pool_provisioned_busy(struct fn_pool *p, const char *function);
int fn_pool_trial(struct fn_pool *p, const struct fn_function *f, fn_snapshot_fn fn, void *arg);
int fn_pool_snapshot(struct fn_pool *p, const struct fn_function *f, const char *tree, const struct fn_backend_loaded *loaded, fn_snapshot_fn fn, void *arg);
void fn_pool_renew(struct fn_pool *p, struct fn_function *f);

/* group.c */
/* The group of this version and generation, and tenant (NULL = the function has none), made if need be; NULL on no memory. */
struct fn_group *fn_group_get(struct fn_pool *p, struct fn_function *f, const char *tenant);
struct fn_group *fn_group_find(struct fn_pool *p, const struct fn_function *f, const char *tenant); /* NULL = there is none */
/* Frees a group that has nothing left, if it is retired or a tenant's. */
void fn_group_release(struct fn_group *g);
void fn_group_wait_in(struct fn_group *g, struct fn_invocation *inv);
void fn_group_wait_first(struct fn_group *g, struct fn_invocation *inv); /* it has waited already */
struct fn_invocation *fn_group_wait_out(struct fn_group *g); /* NULL = nothing waits */
/* What was learnt of a function outlives a change of its code or configuration; and is forgotten (name NULL: of all). */
void fn_group_remember(const struct fn_group *g);
void fn_pool_forget(struct fn_pool *p, const char *name);

/* budget.c: memory. */
/* What the environment weighs has changed. */
void fn_member_weigh(struct fn_member *m);
/* It has begun to end: its memory is about to come back. */
void fn_member_weigh_ending(struct fn_member *m);
/* Tenants may be many, and each comes seldom: what idles for all of them together is to leave half of the memory to others. */
void fn_pool_bound_tenants(struct fn_pool *p);
/* Would one more environment of this group be too many, as things are? */
bool fn_group_lacks_room(const struct fn_group *g);
/* Room for one more environment of this group, if need be at the cost of idle ones. False: there is none, and nobody idles. */
bool fn_group_make_room(struct fn_group *g);

/* member.c */
/* bound: an invocation that is under way and whose first environment has failed to initialise. snapshot: with FN_ENV_FOR_SNAPSHOT. NULL on no memory. */
struct fn_member *fn_member_start(struct fn_group *g, struct fn_invocation *bound, enum fn_env_reason reason, struct fn_snapshot *snapshot);
/* One that was reset starts another sandbox, for this invocation (whose reference it takes) or for none. */
void fn_member_begin_again(struct fn_member *m, struct fn_invocation *bound);
/* Gives it an invocation; one that it cannot take waits on, as the first. */
void fn_member_serve(struct fn_member *m, struct fn_invocation *inv);
void fn_member_free(struct fn_member *m);

/* dispatch.c */
/* Serves or starts for what waits in the group. */
void fn_group_dispatch(struct fn_group *g);
/* One of its invocations is over, whatever became of it. */
void fn_group_done(struct fn_group *g);
/* One that waited, or was bound, is over because of the platform; takes the reference. NULL is fine. */
void fn_group_refuse_one(struct fn_group *g, struct fn_invocation *inv, enum fn_refusal why, const struct fn_err *err);
void fn_group_fail_one(struct fn_group *g, struct fn_invocation *inv, const struct fn_err *err); /* no environment could be started for it */

/* provision.c */
/* Starts what is missing of the group's provisioned environments, lets go of what is too many. */
void fn_group_provision(struct fn_group *g);
/* A provisioned environment has initialised, or failed to (why: FUNCTION_ERROR_INIT_FAILURE, or words). */
void fn_group_provisioned(struct fn_group *g);
void fn_group_provision_failed(struct fn_group *g, const char *why);

/* snapshot.c */
/* A process made from the snapshot has not come as far as `next`: answers who waits for it, or sees to it that plain starts follow. */
void fn_group_restore_failed(struct fn_group *g, const struct fn_env *e);

/* events.c: what the environments tell. */
extern const struct fn_env_ops fn_pool_env_ops;

#endif
