/*
 * snapshot.h - SnapStart: an environment that becomes an image, and what keeps another from beginning with it. An archive of classes (archive.h) is made the same way.
 *
 * The image comes out of the sandbox over a connection of its Runtime API and goes, unread by fnd, to fn-unpack, which makes it a tree of its
 * own. An environment that begins from it has that tree on top of the function's own.
 */
#ifndef FN_ENV_SNAPSHOT_H
#define FN_ENV_SNAPSHOT_H

#include "env/env.h"
#include "model/backend.h"

struct fn_snapshot;
/* The tree's name says which of the two it is to be. fn is called once, unless the host is cleared before. NULL on no memory. */
struct fn_snapshot *fn_snapshot_new(struct fn_env_host *h, const struct fn_function *f, const char *tree, fn_snapshot_fn fn, void *arg);
/* Of this environment (FN_ENV_FOR_SNAPSHOT), before it is launched. */
void fn_snapshot_attach(struct fn_snapshot *s, struct fn_env *e);
/* What processes of the function load beyond their init, by names, one a line, for an archive of its classes; copied. -ENOMEM. */
int fn_snapshot_expect_loaded(struct fn_snapshot *s, const char *names, size_t len);
void fn_snapshot_release(struct fn_snapshot *s); /* one that has no environment: nobody is told */

/* What a snapshot of this function holds on: kernel, processor and base image, as a digest. */
void fn_snapshot_host(const struct fn_runtimes *runtimes, const struct fn_function *f, char ret[FN_SNAPSHOT_HOST_SIZE]);
#define FN_SNAPSHOT_PLAIN "_FND_SNAPSTART" /* the variable by which a runtime is told to run SnapStart's hooks and go on: it starts plainly */
#define FN_SNAPSHOT_TRIAL "" /* in a tree's place: a trial (FN_ENV_FOR_TRIAL) */
/* From now on the version's environments start plainly: why is version->snapshot_broken. */
void fn_snapshot_broken(const struct fn_env_version *v, const char *what);

#endif
