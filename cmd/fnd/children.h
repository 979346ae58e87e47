/* children.h - the supervisor's children: what each is, what it is given, how it is started. */
#ifndef FND_CHILDREN_H
#define FND_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/backoff.h"
#include "base/err.h"
#include "config.h"

enum fnd_child_id { FND_CHILD_SPAWND, FND_CHILD_WORKER, FND_CHILD_GATEWAY, FND_CHILD_EVENTS, FND_CHILDREN };

#define FND_ARGV_MAX 48

/* Arguments; texts are copied. More than there is room for are a defect, and abort. */
struct fnd_argv {
	const char *v[FND_ARGV_MAX];
	size_t n, used;
	char text[16384];
};
/* One, made from the format. */
void fnd_argv_add(struct fnd_argv *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What arguments are made of. */
struct fnd_child_about {
	const struct fnd_config *cfg;
	const char *instance;
	uid_t uid; /* whom an unprivileged one runs as */
	gid_t gid;
	uid_t gateway_uid; /* fn-gateway's */
	gid_t gateway_gid;
	uid_t events_uid; /* fn-events' */
	gid_t events_gid;
};

struct fnd_child_kind {
	const char *name;             /* as the log has it */
	const char *const *places;    /* of its program, beside ours (base/fd.h); NULL: it is this program */
	void (*argue)(const struct fnd_child_about *about, struct fnd_argv *argv);
	bool unprivileged;            /* it drops what it has once it has opened what only root may */
	bool listens;                 /* it is given the listening sockets */
	bool locks;                   /* it is given the state directory's lock, and holds it until it has cleaned up */
	unsigned most_in_a_row;       /* exits by itself, each soon after its start, before it counts as unable; 0 = however many */
	int unfit;                    /* the exit status that says it is unable, the first time; 0 = none does */
};
extern const struct fnd_child_kind fnd_child_kinds[FND_CHILDREN];

/* One of them at a time. */
struct fnd_child {
	const struct fnd_child_kind *kind;
	pid_t pid; /* 0: it does not run */
	uint64_t started_us;
	struct fn_backoff backoff;
	bool unclean; /* the last one died instead of ending */
};

/* Starts it with fds as its descriptors 3, 4, ... (-EBADF: that one is closed) and nothing else but stdio. */
int fnd_child_start(struct fnd_child *c, const struct fnd_child_about *about, const int *fds, size_t n_fds, struct fn_err *err);

/* Runs its program with these arguments and descriptors until it ends, which it does at once: 0, or what it says on its standard error. */
int fnd_child_check(const struct fnd_child_kind *kind, const struct fnd_argv *argv, const int *fds, size_t n_fds, struct fn_err *err);

/* Waits for it to end, at the end of all; after tell_us it is told to, after kill_us it is killed. */
void fnd_child_await(struct fnd_child *c, uint64_t tell_us, uint64_t kill_us);
/* How it has ended, in words. */
const char *fnd_child_how(int status, char *buf, size_t size);
/* Whom each of them runs as. */
void fnd_child_users(const struct fnd_config *c, struct fnd_child_about *a);

#endif
