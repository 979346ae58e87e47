/*
 * lane.h - which event runs when. A lane is a function, or an alias or version of it, with what waits for it: a queue on disk (queue/queue.h).
 *
 * A window says how many of a lane may be in flight: each that has ended lets the next begin and the window grow, a throttle shrinks it to what is in flight. With nothing
 * in flight a throttled lane rests, 1 s to 5 min. How many of all lanes run is share.h's affair: in turn, a lane with a million events delays another by no more than one of each.
 * Of what waits little is in memory: what is leased ahead, HELD_MAX events and HELD_BYTES of a lane at most.
 */
#ifndef FN_EVENTS_LANE_H
#define FN_EVENTS_LANE_H

#include "events/internal.h"
#include "events/share.h"
#include "web/inner_client.h"

#define FN_LANE_PREFIX "async/" /* of the queues' names; then the lane's: "NAME" or "NAME:QUALIFIER" */
#define FN_FAILED_PREFIX "failed/" /* those that were given up, kept for a while */
#define FN_FAILED_MAX 10000 /* of a lane; beyond them nothing is kept */
#define FN_FAILED_US (UINT64_C(14) * 86400 * 1000000)
#define FN_LANE_NAME_MAX 320

#define FN_LANE_AGES 8u
extern const uint64_t fn_lane_ages_us[FN_LANE_AGES];

struct fn_lane {
	struct fn_events *e;
	char *name, function[180], qualifier[132]; /* the qualifier as it was asked for; "" = none */
	struct fn_queue *queue, *failed;
	struct fn_queue_lease lease;
	bool leasing;
	struct fn_list held; /* leased, not begun */
	struct fn_claim claim;
	bool halted; /* it would begin one, but too many outcomes are on their way to the disk */
	unsigned n_held, in_flight, window;
	uint64_t backoff_us, rest_timer;
	struct fn_lane_counts {
		uint64_t received, succeeded, errors, throttled, dropped; /* since the start */
		uint64_t age_us, ages[FN_LANE_AGES + 1]; /* what each has waited for its first attempt: the sum; how many up to each of fn_lane_ages_us[], and in all */
		uint64_t dead_letter_errors, delivery_failures;
	} n;
};

/* An event that is leased. */
struct fn_event {
	struct fn_lane *lane;
	struct fn_list link;   /* of those that are held, or run */
	bool counted;          /* in the share */
	uint64_t id;           /* the queue's, with receives */
	uint32_t receives;
	uint8_t uid[16];
	char request_id[FN_UUID_SIZE];
	uint64_t accepted_us;  /* real time */
	char *trace, *tenant, *body; /* trace, tenant: NULL = none */
	size_t len;
	json_t *note;          /* what is kept from one attempt to the next; NULL before the first (attempt.c) */
	struct fn_inner_call *call;
	/* of the attempt that has just been: */
	char *response, version[24];
	size_t response_len;
	bool failed;           /* the response is an error's */
};

/* The lane of that name; it is made. NULL: no memory. */
struct fn_lane *fn_lane_get(struct fn_events *e, const char *name);
/* The same for what an ARN names, without a qualifier that says nothing ("$LATEST"). NULL: it is no function's, too. */
struct fn_lane *fn_lane_of(struct fn_events *e, const char *arn);
/* Its queue of those that were given up; NULL: no memory. */
struct fn_queue *fn_lane_failed(struct fn_lane *l);
int fn_lanes_open(struct fn_events *e, struct fn_err *err); /* all that have something waiting go on */
void fn_lanes_drain(struct fn_events *e);
void fn_lanes_close(struct fn_events *e);

/* An attempt has ended, and the event is the caller's. ran: the function has had it. */
void fn_lane_release(struct fn_event *ev, bool ran);
/* It has not run: the event is the lane's again. */
void fn_lane_return(struct fn_event *ev);
void fn_event_free(struct fn_event *ev);
void fn_lane_waited(struct fn_lane *l, uint64_t us); /* for a first attempt: counted */
/* e->settling is one less. */
void fn_lanes_settled(struct fn_events *e);

#endif
