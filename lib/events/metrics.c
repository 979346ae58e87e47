/* metrics.c - see metrics.h. An alias or version counts with its function, as in CloudWatch. */
#include "events/metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "events/lane.h"

#define AT(m) offsetof(struct fn_lane_counts, m)

static const struct {
	const char *name, *help;
	size_t at;
} counters[] = {
	{"async_events_received_total", "Asynchronous invocations that were accepted.", AT(received)},
	{"async_events_dropped_total", "Those that were given up: expired, retries spent, concurrency 0.", AT(dropped)},
	{"async_errors_total", "Attempts that ended with the function's error.", AT(errors)},
	{"async_throttles_total", "Attempts for which there was no concurrency.", AT(throttled)},
	{"dead_letter_errors_total", "Dead letters that could not be written.", AT(dead_letter_errors)},
	{"destination_delivery_failures_total", "Records that could not be delivered to a destination.", AT(delivery_failures)},
};

static int add_counter(struct fn_events *e, struct fn_buf *b, size_t i)
{
	struct fn_lane *l;
	size_t it = 0;
	int r = fn_buf_addf(b, "# HELP fnd_%s %s\n# TYPE fnd_%s counter\n", counters[i].name, counters[i].help, counters[i].name);

	while (r == 0 && (l = fn_map_next(e->lanes, &it)))
		r = fn_buf_addf(b, "fnd_%s{function=\"%s\",qualifier=\"%s\"} %" PRIu64 "\n", counters[i].name, l->function, l->qualifier,
				*(const uint64_t *)((const char *)&l->n + counters[i].at));
	return r;
}

static int add_depth(struct fn_events *e, struct fn_buf *b)
{
	struct fn_queue_counts c;
	struct fn_lane *l;
	size_t it = 0;
	int r = fn_buf_add_str(b, "# HELP fnd_async_queue_depth Events that wait, or are due later.\n# TYPE fnd_async_queue_depth gauge\n");

	while (r == 0 && (l = fn_map_next(e->lanes, &it))) {
		fn_queue_count(l->queue, &c);
		r = fn_buf_addf(b, "fnd_async_queue_depth{function=\"%s\",qualifier=\"%s\"} %" PRIu64 "\n", l->function, l->qualifier, c.ready + c.delayed + l->n_held);
	}
	return r;
}

static int add_ages_of(const struct fn_lane *l, struct fn_buf *b)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < FN_LANE_AGES; i++)
		r = fn_buf_addf(b, "fnd_async_event_age_seconds_bucket{function=\"%s\",qualifier=\"%s\",le=\"%g\"} %" PRIu64 "\n", l->function, l->qualifier, (double)fn_lane_ages_us[i] / 1e6, l->n.ages[i]);
	if (r == 0)
		r = fn_buf_addf(b, "fnd_async_event_age_seconds_bucket{function=\"%s\",qualifier=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", l->function, l->qualifier, l->n.ages[FN_LANE_AGES]);
	if (r == 0)
		r = fn_buf_addf(b, "fnd_async_event_age_seconds_sum{function=\"%s\",qualifier=\"%s\"} %.6f\n", l->function, l->qualifier, (double)l->n.age_us / 1e6);
	return r == 0 ? fn_buf_addf(b, "fnd_async_event_age_seconds_count{function=\"%s\",qualifier=\"%s\"} %" PRIu64 "\n", l->function, l->qualifier, l->n.ages[FN_LANE_AGES]) : r;
}

static int add_ages(struct fn_events *e, struct fn_buf *b)
{
	struct fn_lane *l;
	size_t it = 0;
	int r = fn_buf_add_str(b, "# HELP fnd_async_event_age_seconds What events have waited for their first attempts.\n# TYPE fnd_async_event_age_seconds histogram\n");

	while (r == 0 && (l = fn_map_next(e->lanes, &it)))
		r = add_ages_of(l, b);
	return r;
}

void fn_event_metrics(struct fn_events *e, struct fn_service_call *call)
{
	struct fn_buf b = {0};
	size_t len;
	char *text;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(counters) / sizeof(counters[0]); i++)
		r = add_counter(e, &b, i);
	if (r == 0)
		r = add_depth(e, &b);
	if (r == 0)
		r = add_ages(e, &b);
	if (r == 0)
		r = fn_mappings_metrics(e->mappings, &b);
	text = r == 0 ? fn_buf_take(&b, &len) : NULL;
	fn_buf_free(&b);
	if (text)
		fn_http_reply_owned(call->req, 200, "text/plain; version=0.0.4", text, len, free, text);
	else
		fn_service_reply_error(call, &FN_E_UNAVAILABLE, "out of memory");
}
