/*
 * trace.h - arrivals of many functions over days, drawn from the distributions published of the Azure Functions workload:
 * Shahrad et al., "Serverless in the Wild", USENIX ATC 2020 (section 3; the released trace is AzurePublicDataset's
 * AzureFunctionsDataset2019). Seeded: the same seed is the same trace.
 *
 *   rate          45 % of the applications are invoked at most once per hour, 81 % at most once per minute (fig. 5a); log-uniform inside
 *                 each of the three parts, from 2 per day, capped at 12 per minute (the busiest are warm under any policy)
 *   triggers      13 % timers only, 15.8 % timers and another, the rest none (fig. 3)
 *   inter-arrival timers: constant (CV 0); 40 % of all applications have a CV above 1 (fig. 6): bursts, hyperexponential, CV about 3;
 *                 the others Poisson (CV 1)
 *   time of day   half of the load is constant, half follows the day (fig. 4)
 *   execution     the functions' averages are log-normal, log mean -0.38, sigma 2.36, in seconds (fig. 7). Assumed: not above
 *                 the function's mean gap, that is no more than one at a time on average, and 300 s for a single one;
 *                 single executions vary around them by a factor (log-normal, sigma 0.25, assumed)
 *   memory        Burr, c 11.652, k 0.221, lambda 107.083, in MB (fig. 8); here up to 1,024 MB
 *   init          not in the study. Assumed: log-uniform from 3 ms to 1 s, what fnd's own native and Python functions take
 */
#ifndef TESTS_SIM_TRACE_H
#define TESTS_SIM_TRACE_H

#include <stddef.h>
#include <stdint.h>

struct sim_function {
	uint64_t bytes, init_us;
	double mean_exec_s;
};
struct sim_arrival {
	uint64_t at_us, exec_us;
	uint32_t function;
};
struct sim_trace {
	struct sim_function *functions;
	size_t n_functions;
	struct sim_arrival *arrivals; /* in order of time */
	size_t n_arrivals;
	uint64_t span_us;
};

/* Ends the program when memory is short: this is a test's. */
void sim_trace_make(uint64_t seed, size_t functions, unsigned hours, struct sim_trace *ret);
void sim_trace_free(struct sim_trace *t);

#endif
