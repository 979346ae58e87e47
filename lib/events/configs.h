/*
 * configs.h - event-invoke configurations, by function and qualifier ("$LATEST" where none is said): on disk, and all of them in memory.
 *
 * Sources: botocore's lambda model; answers recorded from the service.
 */
#ifndef FN_EVENTS_CONFIGS_H
#define FN_EVENTS_CONFIGS_H

#include "events/internal.h"

struct fn_event_config {
	char *function, *qualifier;
	int64_t retries, age_s;        /* -1 = not set */
	char *on_success, *on_failure; /* ARNs; NULL = none */
	uint64_t modified_us;          /* real time */
	struct fn_list link;           /* of the function's */
};

int fn_event_configs_open(struct fn_events *e, struct fn_err *err);
void fn_event_configs_close(struct fn_events *e);
/* NULL = none. qualifier NULL or "": $LATEST. */
const struct fn_event_config *fn_event_config_get(const struct fn_events *e, const char *function, const char *qualifier);
/* In the order of qualifiers, after that one (NULL: from the first); how many. */
size_t fn_event_configs_list(const struct fn_events *e, const char *function, const char *after, const struct fn_event_config **ret, size_t max);
void fn_event_config_free(struct fn_event_config *c); /* NULL is fine */
/* Takes c. done: it is on disk and in memory, or not. */
void fn_event_config_put(struct fn_events *e, struct fn_event_config *c, void (*done)(void *arg, const struct fn_err *err), void *arg);
/* Deletes those of the function, or with a qualifier (not NULL) the one, that were put before `before_us` (real time). done: it is on disk. */
void fn_event_configs_forget(struct fn_events *e, const char *function, const char *qualifier, uint64_t before_us, void (*done)(void *arg, const struct fn_err *err), void *arg);

#endif
