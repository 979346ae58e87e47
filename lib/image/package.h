/*
 * package.h - a code package on its way in: the JSON body of a request, which comes in pieces and has the package in it as base64, becomes a file
 * without a name, digests, and the rest of the JSON. All of the work is done by threads (base/jobs.h), in the order of the pieces; whoever brings them
 * waits when too much is on its way, so that memory stays bounded however many come at once.
 *
 * On the loop's thread only. Callbacks come later, never from within a call.
 */
#ifndef FN_IMAGE_PACKAGE_H
#define FN_IMAGE_PACKAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/jobs.h"

#define FN_PACKAGE_PIECE_MAX 65536u
#define FN_PACKAGE_REST_MAX (256u << 10) /* of the JSON beside the package */

struct fn_packages; /* what all of them share */
struct fn_package;

int fn_packages_new(struct fn_jobs *jobs, const char *state_dir, struct fn_packages **ret);
void fn_packages_free(struct fn_packages *ps); /* the jobs must have ended, and all packages have gone; NULL is fine */

struct fn_package_spec {
	const char *path[2];    /* of the member in the JSON: {"Code", "ZipFile"}, {"ZipFile", NULL} */
	uint64_t max;           /* bytes of the package; of a larger one only that is known */
	bool body_digest;       /* the body's too is wanted */
	void (*drained)(void *arg); /* after fn_package_add() has said to wait */
	void *arg;
};

int fn_package_new(struct fn_packages *ps, const struct fn_package_spec *spec, struct fn_package **ret);
/* Also while work is under way: it is finished, and nobody hears of it. NULL is fine. */
void fn_package_free(struct fn_package *p);

/* Copies. True: wait for `drained` before the next. -ENOMEM shows in the result. */
bool fn_package_add(struct fn_package *p, const void *data, size_t len);
/* The body is whole: `done` is told, once, when it has been worked through. */
void fn_package_end(struct fn_package *p, void (*done)(void *arg), void *arg);

/* Or it is no part of the body, and somebody else writes it: opens a file for that, and tells `opened` (fd: the package's, to be lent; -errno). After
 * `done`, and once. Then, when it is written, it is looked at: `done` is told again, and the result has it (found, valid, size, sha256). */
void fn_package_open(struct fn_package *p, void (*opened)(void *arg, int fd), void *arg);
void fn_package_look(struct fn_package *p, void (*done)(void *arg), void *arg);

struct fn_package_result {
	int error;               /* 0, else -errno and what failed in `what`: -E2BIG is the rest of the JSON, the others are the machine's */
	const char *what;
	const char *rest;        /* the JSON with "" for the package */
	size_t rest_len;
	bool found;              /* there is a package */
	bool valid;              /* and it is base64 */
	bool fetched;            /* it is what somebody else has written */
	uint64_t size;           /* bytes */
	char sha256[65], body_sha256[65]; /* hex; the package's unless it is too large */
};
/* After `done`; it lives as long as the package. */
const struct fn_package_result *fn_package_result(const struct fn_package *p);

/* Makes it a blob (blobs.h), durably, then calls fn, once. After `done`, and once. */
void fn_package_store(struct fn_package *p, void (*fn)(void *arg, const struct fn_err *err), void *arg);

#endif
