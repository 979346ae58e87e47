/* mapping_internal.h - from the bottom: mapping.c, which keeps them, mapping_run.c, which runs them, mapping_tags.c and mapping_ops.c, their operations, mappings.c: all of them. */
#ifndef FN_EVENTS_MAPPING_INTERNAL_H
#define FN_EVENTS_MAPPING_INTERNAL_H

#include "base/map.h"
#include "events/mapping_settings.h"
#include "events/mappings.h"
#include "events/poller.h"

enum fn_mapping_state { FN_MAPPING_CREATING, FN_MAPPING_ENABLING, FN_MAPPING_ENABLED, FN_MAPPING_DISABLING, FN_MAPPING_DISABLED, FN_MAPPING_UPDATING, FN_MAPPING_DELETING };

struct fn_mapping {
	struct fn_list link; /* in the order of their making */
	struct fn_mappings *all;
	char uuid[FN_UUID_SIZE];
	char *function;      /* as fnd is asked for it: name, and qualifier if one was given */
	char *source;        /* ARN */
	json_t *settings, *tags;
	bool enabled, deleted;
	bool reserved;       /* not on disk yet: nobody sees it, but for duplicates */
	bool changing;       /* a change is on its way to the disk */
	enum fn_mapping_state state;
	uint64_t modified_us;
	/* mapping_run.c */
	struct fn_event_filter *filter;
	struct fn_poller *poller;
	struct fn_poller_counts counts;
	struct fn_inner_call *lookup;
	uint64_t timeout_us, timer, since_us;
	bool looking;        /* for its queue */
	bool again;          /* its poller is to be made anew */
	bool judged, may;    /* mapping_rights.c: does its function's role poll the queue? */
	bool unjudged;       /* what is asked now is not about what it has become */
	struct fn_deferred settle;
};

struct fn_mappings {
	const struct fn_service_env *env;
	const struct fn_endpoints *endpoints;
	struct fn_pollers pollers;
	struct fn_list list;
	struct fn_map *by_uuid;
	unsigned n, operations; /* operations: under way */
	unsigned asking;     /* for rights; and whether it is asked anew then */
	bool ask_again;
	uint64_t rights_timer;
	bool draining;
};

/* mapping.c */
struct fn_mapping *fn_mapping_new(struct fn_mappings *all, const char *uuid); /* in no list yet */
int fn_mapping_add(struct fn_mapping *m);    /* to the list and the map */
json_t *fn_mapping_json(const struct fn_mapping *m);
const char *fn_mapping_state_name(enum fn_mapping_state s);
/* Writes it: a row, or none (deleted). done: err NULL = it is on disk. */
void fn_mapping_store(struct fn_mapping *m, bool gone, void (*done)(void *arg, const struct fn_err *err), void *arg);

struct fn_mapping *fn_mapping_find(struct fn_mappings *all, const char *uuid); /* NULL: none that is seen */

/* mapping_rights.c */
void fn_mapping_rights_open(struct fn_mappings *all);
void fn_mapping_rights_close(struct fn_mappings *all);
/* May the function's role poll the queue? done, perhaps from within: action NULL = it may; else what it may not ("ReceiveMessage"); asked false: it could not be asked. */
int fn_mapping_may(struct fn_mappings *all, const char *function, const char *source, void (*done)(void *arg, const char *action, bool asked), void *arg);
void fn_mapping_judge(struct fn_mapping *m); /* it is another, or new: its poller is barred until it is known */
/* mapping_run.c: brings what runs to what it is to be; the state follows. */
void fn_mapping_run(struct fn_mapping *m);
void fn_mapping_free(struct fn_mapping *m); /* at once, whatever runs; NULL is fine */
/* Is the queue there? As source_remote.h says; done may come from within. */
int fn_mapping_look(struct fn_mappings *all, const char *arn, void (*done)(void *arg, const struct fn_source_about *about, const struct fn_err *err), void *arg);

/* mapping_ops.c */
void fn_mapping_h_create(struct fn_mappings *all, const struct fn_service_call *call);
void fn_mapping_h_get(struct fn_mappings *all, const struct fn_service_call *call);
void fn_mapping_h_update(struct fn_mappings *all, const struct fn_service_call *call);
void fn_mapping_h_delete(struct fn_mappings *all, const struct fn_service_call *call);
void fn_mapping_h_mapped(struct fn_mappings *all, const struct fn_service_call *call); /* FN_INNER_MAPPED */
void fn_mapping_h_list(struct fn_mappings *all, const struct fn_service_call *call);
/* mapping_tags.c */
void fn_mapping_h_list_tags(struct fn_mappings *all, const struct fn_service_call *call);
void fn_mapping_h_tag(struct fn_mappings *all, const struct fn_service_call *call);
void fn_mapping_h_untag(struct fn_mappings *all, const struct fn_service_call *call);
bool fn_mapping_tags_ok(const struct fn_service_call *call, const json_t *tags); /* replies if not */

#endif
