/*
 * load.h - how much runs, of each function and in all; whether one more may; and what came of it (metrics). No clock, no I/O.
 *
 * Lambda Developer Guide, "Understanding Lambda function scaling": a function with reserved concurrency has that much for itself and no
 * more. The others share what the account has beyond all reservations. What is provisioned for a version is set aside for that version, within
 * its function's reservation or else the account: with all that is reserved provisioned, $LATEST has nothing.
 */
#ifndef FN_INVOKE_LOAD_H
#define FN_INVOKE_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "base/buf.h"
#include "base/map.h"
#include "model/backend.h"

struct fn_loads;

/* Since the start. */
struct fn_load_counts {
	uint64_t invocations, errors, throttles, cold_starts, provisioned_invocations, spillover_invocations, duration_us;
	uint64_t recursive; /* stopped, since a chain of invocations has gone on for too long */
};

/* A version for which something is provisioned, or was. It lives as long as its fn_load. */
struct fn_load_part {
	struct fn_load_part *next;
	char *version;
	int64_t provisioned;
	unsigned running;
};

struct fn_load {
	char *function;
	unsigned running;
	unsigned over;        /* of those, on nothing that is provisioned for their version */
	int64_t reserved;     /* -1 = none */
	int64_t provisioned;  /* over all of its versions */
	struct fn_load_part *parts;
	struct fn_load_counts n;
	unsigned provisioned_running;                /* on provisioned environments; the caller of fn_loads_metrics() knows */
	struct fn_backend_environments environments; /* and these */
	struct fn_bucket url; /* requests to its URLs that may still come in this second */
	bool gone;            /* deleted, but something still runs */
};

enum fn_admission { FN_ADMITTED, FN_ADMIT_FUNCTION_FULL, FN_ADMIT_ACCOUNT_FULL };

int fn_loads_new(unsigned account_concurrency, struct fn_loads **ret);
void fn_loads_free(struct fn_loads *ls);
unsigned fn_loads_running(const struct fn_loads *ls);
int64_t fn_loads_left(const struct fn_loads *ls); /* of the account, beyond all that is reserved or provisioned */

struct fn_load *fn_load_get(struct fn_loads *ls, const char *function); /* made if need be; NULL on no memory */
struct fn_load *fn_load_find(struct fn_loads *ls, const char *function); /* NULL = there is none */
struct fn_load *fn_load_next(struct fn_loads *ls, size_t *it);         /* size_t it = 0; while ((l = fn_load_next(ls, &it))) ... */
/* What is set for a function; reserved -1 = none. Its versions have nothing provisioned then: fn_load_provision() follows for those that have.
 * What runs over a lower limit goes on. */
void fn_load_limits(struct fn_loads *ls, struct fn_load *l, int64_t reserved);
int fn_load_provision(struct fn_loads *ls, struct fn_load *l, const char *version, int64_t n); /* 0, -ENOMEM */
/* The function was deleted. */
void fn_load_forget(struct fn_loads *ls, const char *function);

/* One more, if it may run. Each that is admitted is done once, with the part that it was given (NULL is one). */
enum fn_admission fn_load_admit(struct fn_loads *ls, struct fn_load *l, const char *version, struct fn_load_part **ret_part);
void fn_load_done(struct fn_loads *ls, struct fn_load *l, struct fn_load_part *part);

/* One more request to one of its URLs: false where there have been ten in a second for each of its reserved concurrency (Lambda Developer Guide,
 * "urls-configuration", throttling); a throttle then. Without a reservation there is no such bound; with one of 0 nothing is admitted anyway. */
bool fn_load_url_request(struct fn_load *l, uint64_t now_us);

/* Prometheus text exposition format 0.0.4. */
int fn_loads_metrics(const struct fn_loads *ls, struct fn_buf *out);

#endif
