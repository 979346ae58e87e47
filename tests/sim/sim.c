/*
 * sim.c - make sim: the keep-alive policies on one trace under several memory budgets, as a table. See trace.h for what the trace is,
 * README for what follows from it. sim [FUNCTIONS [HOURS [SEED]]]
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim/replay.h"

struct row {
	const char *name;
	enum fn_keep_policy policy;
	unsigned idle_s;
};

int main(int argc, char **argv)
{
	static const struct row rows[] = {{"fixed, 600 s", FN_KEEP_FIXED, 600},
					  {"fixed, 1,200 s", FN_KEEP_FIXED, 1200},
					  {"fixed, no end", FN_KEEP_FIXED, 0},
					  {"greedy-dual, 600 s", FN_KEEP_GREEDY_DUAL, 600},
					  {"greedy-dual, no end", FN_KEEP_GREEDY_DUAL, 0},
					  {"hybrid, 600 s", FN_KEEP_HYBRID, 600},
					  {"hybrid, no end", FN_KEEP_HYBRID, 0}};
	static const unsigned budgets_mb[] = {8192, 12288, 16384, 24576, 0};
	size_t functions = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
	unsigned hours = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 72;
	uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	struct sim_trace t;

	sim_trace_make(seed, functions, hours, &t);
	printf("%zu functions, %u hours, %zu invocations, seed %llu\n\n", functions, hours, t.n_arrivals, (unsigned long long)seed);
	printf("%-8s  %-20s  %7s  %9s  %9s  %9s  %11s  %8s  %9s\n", "budget", "policy", "cold", "function", "function", "waited", "idle memory", "evicted",
	       "made ahead");
	printf("%-8s  %-20s  %7s  %9s  %9s  %9s  %11s  %8s  %9s\n", "", "", "", "median", "p75", "s", "GB*h", "", "(used)");
	for (size_t b = 0; b < sizeof(budgets_mb) / sizeof(budgets_mb[0]); b++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct fn_keep_config cfg;
			struct sim_result r;
			char budget[32];

			fn_keep_defaults(&cfg, rows[i].policy);
			cfg.idle_us = (uint64_t)rows[i].idle_s * 1000000u;
			sim_replay(&t, &cfg, (uint64_t)budgets_mb[b] << 20, &r);
			snprintf(budget, sizeof(budget), budgets_mb[b] ? "%u MB" : "none", budgets_mb[b]);
			printf("%-8s  %-20s  %6.2f%%  %8.2f%%  %8.2f%%  %9.0f  %11.0f  %8llu  %9llu (%llu)\n", i ? "" : budget, rows[i].name,
			       100.0 * (double)r.cold / (double)r.invocations, 100 * r.median_cold, 100 * r.p75_cold, r.cold_us / 1e6,
			       r.idle_byte_s / 3600 / (1u << 30), (unsigned long long)r.evicted, (unsigned long long)r.prewarmed,
			       (unsigned long long)r.prewarmed_used);
			fflush(stdout);
		}
	sim_trace_free(&t);
	return 0;
}
