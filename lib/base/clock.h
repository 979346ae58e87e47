/* clock.h - times. Every value is microseconds and every name says so (_us). */
#ifndef FN_BASE_CLOCK_H
#define FN_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t fn_clock_mono_us(void); /* CLOCK_MONOTONIC: deadlines, durations */
uint64_t fn_clock_real_us(void); /* CLOCK_REALTIME since the epoch: what clients see */

/* "2022-09-09T19:15:23.123+0000", as Lambda writes LastModified. buf needs 29 bytes. */
const char *fn_clock_format_lambda(uint64_t real_us, char *buf, size_t size);
/* "2022-09-09T19:15:23.123Z", as log lines carry it. buf needs 25 bytes. */
const char *fn_clock_format_rfc3339(uint64_t real_us, char *buf, size_t size);

#endif
