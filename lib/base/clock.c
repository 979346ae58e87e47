/* clock.c - see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t fn_clock_mono_us(void) { return read_us(CLOCK_MONOTONIC); }
uint64_t fn_clock_real_us(void) { return read_us(CLOCK_REALTIME); }

static const char *format(uint64_t real_us, const char *zone, char *buf, size_t size)
{
	time_t t = (time_t)(real_us / 1000000u);
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(buf, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03u%s", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		 tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(real_us / 1000u % 1000u), zone);
	return buf;
}

const char *fn_clock_format_lambda(uint64_t real_us, char *buf, size_t size)
{
	return format(real_us, "+0000", buf, size);
}

const char *fn_clock_format_rfc3339(uint64_t real_us, char *buf, size_t size)
{
	return format(real_us, "Z", buf, size);
}
