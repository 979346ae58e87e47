/* replay.h - a trace through a keep-alive policy and a model of the pool: environments that serve one invocation at a time within a memory budget. */
#ifndef TESTS_SIM_REPLAY_H
#define TESTS_SIM_REPLAY_H

#include "pool/keepalive.h"
#include "sim/trace.h"

struct sim_result {
	uint64_t invocations, cold, evicted, prewarmed, prewarmed_used;
	double cold_us;          /* what invocations waited for starts, in all */
	double idle_byte_s;      /* memory held by environments that serve nobody, bytes * seconds */
	double median_cold, p75_cold; /* share of cold invocations by function: median, third quartile (the paper's figure 15) */
};

/* budget: bytes for all environments; 0 = no end of memory. An invocation that finds all of it busy is served all the same, as in fnd. */
void sim_replay(const struct sim_trace *t, const struct fn_keep_config *cfg, uint64_t budget, struct sim_result *ret);

#endif
