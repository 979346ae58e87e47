/*
 * scaling.h - how provisioned concurrency follows the load and the clock, as pure functions: Application Auto Scaling's target tracking and
 * scheduled actions (Application Auto Scaling User Guide; predefined metric LambdaProvisionedConcurrencyUtilization).
 *
 * Target tracking: three periods in a row above the target, and the number becomes what would have met it; fifteen in a row below nine
 * tenths of it, likewise; always from min to max. A scheduled action sets min and max at its time, and the number is moved between them.
 */
#ifndef FN_INVOKE_SCALING_H
#define FN_INVOKE_SCALING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Times are seconds since 1970, UTC. */
struct fn_schedule {
	uint64_t at;                /* at(): once; 0 = cron() */
	uint64_t minutes;           /* a bit for each: 0-59 */
	uint32_t hours, days, months, weekdays; /* 0-23, 1-31, 1-12, 1-7 with 1 = Sunday */
	uint16_t year_from, year_to;
	int64_t min, max;           /* -1 = stays as it is */
};
/* "at(2025-01-31T08:00:00)", or "cron(minute hour day-of-month month day-of-week year)" with lists, ranges, steps, names of months and days,
 * * and ?. As in AWS, one of the two days must be ?. L, W and # are not known. -EINVAL. Leaves min and max alone. */
int fn_schedule_parse(const char *text, struct fn_schedule *ret);
/* Was it due after `from` and not after `to`? Looks at no more than the last day of a longer time. */
bool fn_schedule_due(const struct fn_schedule *s, uint64_t from, uint64_t to);

#define FN_SCALING_OUT 3u
#define FN_SCALING_IN 15u

struct fn_scaling {
	/* configured */
	double target;              /* utilisation, 0..1; 0 = no target tracking */
	struct fn_schedule *schedule;
	size_t n_schedule;
	/* in force; changed by the schedule */
	int64_t min, max;
	/* state */
	unsigned above, below;      /* periods in a row */
	uint64_t looked_at;         /* until then the schedule is done with; 0 = it has not begun */
};
/* At the end of a period: the number to be provisioned, given what is, what of it was in use on average, and the time. */
int64_t fn_scaling_step(struct fn_scaling *s, int64_t current, double in_use, uint64_t now);

#endif
