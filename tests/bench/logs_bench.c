/*
 * logs_bench.c - how long a day of one group takes to be found in a year of logs.
 *   logs_bench DIR GIGABYTES [GROUPS]
 * Writes so many GB of events to DIR, of a year, of GROUPS groups (1), 16 MB to a file, and syncs them. Then asks for a day of the first: all of it, and what
 * matches a term, a JSON selector, one stream, page by page as FilterLogEvents does. Prints a JSON object: milliseconds, events, bytes. DIR is left to the caller.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "logs/search.h"

#define DAY_MS ((int64_t)86400000)
#define BEGIN ((int64_t)1750000000000)
#define STREAMS_A_DAY 20

static void fail(const char *what, int r)
{
	fprintf(stderr, "logs_bench: %s: %s\n", what, strerror(-r));
	exit(1);
}

static struct fn_log_store *open_store(const char *dir)
{
	const struct fn_log_bounds b = {16 << 20, UINT64_MAX, 100000};
	struct fn_log_store *s;
	struct fn_err err;
	char text[300];

	if (fn_log_store_open(dir, &b, &s, &err) < 0) {
		fprintf(stderr, "logs_bench: %s\n", fn_err_format(&err, text, sizeof(text)));
		exit(1);
	}
	return s;
}

/* A line as functions write them, of about 250 bytes. */
static void add(struct fn_log_store *s, struct fn_log_group *g, int64_t time_ms, uint64_t n)
{
	char text[400], stream[64];
	struct fn_log_event e = {.time_ms = time_ms, .kind = FN_LOG_FUNCTION, .request_id = "0a1b2c3d-0000-4000-8000-0123456789ab", .text = text};
	int r;

	e.len = (size_t)snprintf(text, sizeof(text), "{\"timestamp\":%" PRId64 ",\"level\":\"%s\",\"requestId\":\"0a1b2c3d-0000-4000-8000-%012" PRIu64 "\",\"message\":\"order %" PRIu64
				 " was taken and goes to the warehouse\",\"durationMs\":%" PRIu64 ",\"customer\":{\"id\":%" PRIu64 ",\"country\":\"ch\"}}\n",
				 time_ms, n % 1000 == 0 ? "ERROR" : "INFO", n, n, n % 300, n % 5000);
	snprintf(stream, sizeof(stream), "%04d/%02d/%02d/[$LATEST]%032" PRIx64, 2025, (int)((time_ms - BEGIN) / DAY_MS / 30) + 1, (int)((time_ms - BEGIN) / DAY_MS % 30) + 1,
		 n % STREAMS_A_DAY);
	r = fn_log_store_add(s, g, stream, &e);
	if (r == 0 && fn_log_store_full(s, g))
		r = fn_log_store_end(s, g, time_ms);
	if (r < 0)
		fail("write", r);
}

static void fill(const char *dir, double gigabytes, int groups)
{
	struct fn_log_store *s = open_store(dir);
	uint64_t lines = (uint64_t)(gigabytes * 1e9 / 290), n = 0;
	struct fn_log_group *g[64];
	char name[32];
	int r;

	for (int i = 0; i < groups; i++) {
		snprintf(name, sizeof(name), "/aws/lambda/f%d", i);
		r = fn_log_store_create(s, name, "STANDARD", NULL, false, BEGIN, &g[i]);
		if (r < 0)
			fail(name, r);
	}
	for (; n < lines; n++)
		add(s, g[n % (unsigned)groups], BEGIN + (int64_t)((double)n / (double)lines * 365 * DAY_MS), n);
	for (int i = 0; i < groups; i++)
		if ((r = fn_log_store_end(s, g[i], BEGIN + 365 * DAY_MS)) < 0)
			fail("write", r);
	fn_log_store_close(s);
	sync();
}

static void ask(struct fn_log_store *s, struct fn_log_group *g, const char *name, const char *pattern, const char *stream, const char *between)
{
	struct fn_log_query q = {.from_ms = BEGIN + 200 * DAY_MS, .until_ms = BEGIN + 201 * DAY_MS, .limit = 10000, .bytes_max = 1 << 20, .budget_us = 500000};
	uint64_t began = fn_clock_mono_us(), events = 0, bytes = 0, pages = 0;
	struct fn_log_filter *f = NULL;
	struct fn_log_page p;

	if (pattern && fn_log_filter_parse(pattern, &f) < 0)
		fail(pattern, -22);
	q.filter = f;
	q.streams = &stream;
	q.n_streams = stream != NULL;
	for (bool more = true; more; pages++) {
		int r = fn_log_search(s, g, &q, &p);

		if (r < 0)
			fail("search", r);
		events += p.n;
		bytes += p.bytes;
		more = p.more;
		q.has_after = true;
		q.after = p.next;
		fn_log_page_clear(&p);
	}
	printf("%s\"%s\":{\"ms\":%.1f,\"events\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"pages\":%" PRIu64 "}", between, name, (double)(fn_clock_mono_us() - began) / 1000, events, bytes,
	       pages);
	fn_log_filter_free(f);
}

int main(int argc, char **argv)
{
	int groups = argc > 3 ? atoi(argv[3]) : 1;
	uint64_t began = fn_clock_mono_us(), opened;
	struct fn_log_store *s;
	struct fn_log_group *g;

	if (argc < 3 || groups < 1 || groups > 64) {
		fprintf(stderr, "usage: logs_bench DIR GIGABYTES [GROUPS]\n");
		return 2;
	}
	fill(argv[1], atof(argv[2]), groups);
	opened = fn_clock_mono_us();
	s = open_store(argv[1]);
	g = fn_log_store_group(s, "/aws/lambda/f0");
	printf("{\"written_s\":%.1f,\"open_ms\":%.1f,", (double)(opened - began) / 1e6, (double)(fn_clock_mono_us() - opened) / 1000);
	ask(s, g, "day", NULL, NULL, "");
	ask(s, g, "term", "ERROR", NULL, ",");
	ask(s, g, "json", "{ $.customer.id = 77 }", NULL, ",");
	ask(s, g, "stream", NULL, "2025/07/21/[$LATEST]00000000000000000000000000000003", ",");
	printf("}\n");
	fn_log_store_close(s);
	return 0;
}
