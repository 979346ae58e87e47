/* scaling.c - see scaling.h. */
#include "invoke/scaling.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define DAY_S 86400u

/* --- cron(), at() --- */
struct field {
	unsigned least, most;
	const char *const *names; /* of least, least + 1, ... */
	size_t n_names;
};

static const char *const month_names[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
static const char *const day_names[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};
static const struct field minute = {0, 59, NULL, 0}, hour = {0, 23, NULL, 0}, day = {1, 31, NULL, 0}, month = {1, 12, month_names, 12},
			  weekday = {1, 7, day_names, 7}, year = {1970, 2199, NULL, 0};

/* A number or a name; moves *p behind it. */
static int parse_value(const char **p, const struct field *f, unsigned *ret)
{
	char *end;
	unsigned long v;

	for (size_t i = 0; i < f->n_names; i++)
		if (strncasecmp(*p, f->names[i], 3) == 0) {
			*p += 3;
			*ret = f->least + (unsigned)i;
			return 0;
		}
	if (**p < '0' || **p > '9')
		return -EINVAL;
	v = strtoul(*p, &end, 10);
	if (v < f->least || v > f->most)
		return -EINVAL;
	*p = end;
	*ret = (unsigned)v;
	return 0;
}

/* One of a list: *, a, a-b, each perhaps with /step. */
static int parse_part(const char **p, const struct field *f, unsigned *from, unsigned *to, unsigned *step)
{
	char *end;
	bool alone = false;

	*step = 1;
	if (**p == '*') {
		*from = f->least;
		*to = f->most;
		++*p;
	} else {
		if (parse_value(p, f, from) < 0)
			return -EINVAL;
		*to = *from;
		alone = true;
		if (**p == '-') {
			++*p;
			alone = false;
			if (parse_value(p, f, to) < 0 || *to < *from)
				return -EINVAL;
		}
	}
	if (**p == '/') {
		if ((*p)[1] < '1' || (*p)[1] > '9')
			return -EINVAL;
		*step = (unsigned)strtoul(*p + 1, &end, 10);
		*p = end;
		if (alone) /* "5/15": from 5 on */
			*to = f->most;
	}
	return 0;
}

static int parse_field(const char *text, const struct field *f, uint64_t *ret)
{
	uint64_t bits = 0;

	for (const char *p = text;; p++) {
		unsigned from, to, step;

		if (parse_part(&p, f, &from, &to, &step) < 0)
			return -EINVAL;
		for (unsigned v = from; v <= to; v += step)
			bits |= 1ull << v;
		if (*p == '\0')
			break;
		if (*p != ',')
			return -EINVAL;
	}
	*ret = bits;
	return 0;
}

static int parse_cron(char *text, struct fn_schedule *s)
{
	char *fields[6], *save = NULL, *more;
	const char *p;
	uint64_t hours, days = 0, months, weekdays = 0;
	unsigned from, to, step;

	for (int i = 0; i < 6; i++)
		if (!(fields[i] = strtok_r(i ? NULL : text, " ", &save)))
			return -EINVAL;
	more = strtok_r(NULL, " ", &save);
	if (more || (strcmp(fields[2], "?") == 0) == (strcmp(fields[4], "?") == 0) || parse_field(fields[0], &minute, &s->minutes) < 0 ||
	    parse_field(fields[1], &hour, &hours) < 0 || parse_field(fields[3], &month, &months) < 0)
		return -EINVAL;
	if (strcmp(fields[2], "?") != 0 && parse_field(fields[2], &day, &days) < 0)
		return -EINVAL;
	if (strcmp(fields[4], "?") != 0 && parse_field(fields[4], &weekday, &weekdays) < 0)
		return -EINVAL;
	p = fields[5];
	if (parse_part(&p, &year, &from, &to, &step) < 0 || *p || step != 1)
		return -EINVAL;
	s->hours = (uint32_t)hours;
	s->days = (uint32_t)days;
	s->months = (uint32_t)months;
	s->weekdays = (uint32_t)weekdays;
	s->year_from = (uint16_t)from;
	s->year_to = (uint16_t)to;
	s->at = 0;
	return 0;
}

int fn_schedule_parse(const char *text, struct fn_schedule *s)
{
	size_t len = strlen(text);
	char copy[200], tail = 0;
	struct tm tm = {0};
	time_t t;

	if (len < 6 || len >= sizeof(copy) || text[len - 1] != ')')
		return -EINVAL;
	if (strncmp(text, "cron(", 5) == 0) {
		snprintf(copy, sizeof(copy), "%.*s", (int)(len - 6), text + 5);
		return parse_cron(copy, s);
	}
	if (sscanf(text, "at(%4d-%2d-%2dT%2d:%2d:%2d%c", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &tail) != 7 ||
	    tail != ')' || len != strlen("at(2025-01-31T08:00:00)") || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59 || tm.tm_year < 1970)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	t = timegm(&tm);
	if (t <= 0)
		return -EINVAL;
	s->at = (uint64_t)t;
	return 0;
}

static bool matches(const struct fn_schedule *s, uint64_t t)
{
	time_t seconds = (time_t)t;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	return s->minutes >> tm.tm_min & 1 && s->hours >> tm.tm_hour & 1 && s->months >> (tm.tm_mon + 1) & 1 &&
	       (s->days ? s->days >> tm.tm_mday & 1 : s->weekdays >> (tm.tm_wday + 1) & 1) && tm.tm_year + 1900 >= s->year_from &&
	       tm.tm_year + 1900 <= s->year_to;
}

bool fn_schedule_due(const struct fn_schedule *s, uint64_t from, uint64_t to)
{
	if (s->at > 0)
		return s->at > from && s->at <= to;
	if (to > DAY_S && from < to - DAY_S)
		from = to - DAY_S;
	for (uint64_t t = (from / 60 + 1) * 60; t <= to; t += 60)
		if (matches(s, t))
			return true;
	return false;
}

/* --- target tracking --- */
int64_t fn_scaling_step(struct fn_scaling *s, int64_t current, double in_use, uint64_t now)
{
	double used = current > 0 ? in_use / (double)current : 0;
	int64_t wanted = current;

	if (s->looked_at == 0)
		s->looked_at = now;
	for (size_t i = 0; i < s->n_schedule; i++)
		if (fn_schedule_due(&s->schedule[i], s->looked_at, now)) {
			s->min = s->schedule[i].min >= 0 ? s->schedule[i].min : s->min;
			s->max = s->schedule[i].max >= 0 ? s->schedule[i].max : s->max;
		}
	s->looked_at = now;
	if (s->target > 0) {
		s->above = used > s->target ? s->above + 1 : 0;
		s->below = used < s->target * 0.9 ? s->below + 1 : 0;
		if (s->above >= FN_SCALING_OUT || s->below >= FN_SCALING_IN) {
			wanted = (int64_t)(in_use / s->target);
			wanted += (double)wanted * s->target < in_use;
			s->above = s->below = 0;
		}
	}
	if (wanted > s->max)
		wanted = s->max;
	return wanted < s->min ? s->min : wanted;
}
