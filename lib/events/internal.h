/* internal.h - what the files of lib/events share. */
#ifndef FN_EVENTS_INTERNAL_H
#define FN_EVENTS_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "events/mappings.h"
#include "events/retry.h"
#include "events/share.h"
#include "queue/queue.h"
#include "service/call.h"

struct fn_event;

struct fn_events {
	const struct fn_service_env *env;
	/* lane.c */
	struct fn_map *lanes;       /* by name */
	struct fn_list running;     /* events */
	unsigned in_flight;         /* of all lanes */
	unsigned settling;          /* outcomes on their way to the disk */
	bool draining, halted;      /* halted: some lanes are */
	struct fn_share share;      /* of lanes and mappings */
	void (*run)(struct fn_event *ev); /* attempt.c */
	/* configs.c */
	struct fn_map *configs;     /* function -> its list */
	uint64_t trim_timer;        /* admin.c */
	struct fn_endpoints *endpoints; /* AWS-compatible servers */
	struct fn_journal *journal;     /* what happened, for people */
	struct fn_mappings *mappings;
	struct fn_outgoing *outgoing; /* outgoing.c */
	/* the configuration's */
	uint64_t delay_us[2], backoff_us[2], idempotency_us;
};

#endif
