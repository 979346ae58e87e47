/* policy.c - see policy.h. */
#include "pool/policy.h"

#include <errno.h>

unsigned fn_policy_starts(unsigned waiting, unsigned starting, unsigned finishing, bool patient)
{
	unsigned served = starting + (patient ? finishing : 0);

	return waiting > served ? waiting - served : 0;
}

uint64_t fn_policy_patience_us(uint64_t settle_us, uint64_t start_us)
{
	const uint64_t longest = 1000000u, usual = 20000u, least = 3000u;

	if (settle_us > usual)
		return least;
	return start_us < usual ? usual : start_us < longest ? start_us : longest;
}

uint64_t fn_policy_settle_us(uint64_t average, uint64_t took)
{
	const uint64_t most = 200000u; /* a single long one is forgotten after a few */

	took = took < 1 ? 1 : took < most ? took : most;
	return average ? (3 * average + took + 3) / 4 : took;
}

uint64_t fn_policy_cost(uint64_t memory_peak, uint64_t configured)
{
	const uint64_t unknown = 16u << 20;
	const uint64_t uncounted = 1u << 20; /* namespaces, mounts, groups: the kernel's, in no group's count */
	uint64_t cost = memory_peak ? memory_peak + uncounted : unknown;

	return cost < configured ? cost : configured;
}

bool fn_policy_must_evict(uint64_t used, uint64_t next_cost, uint64_t budget) { return budget > 0 && used + next_cost > budget; }

bool fn_policy_should_reclaim(uint64_t used, uint64_t next_cost, uint64_t budget)
{
	return budget > 0 && used + next_cost > budget - budget / 8;
}

unsigned fn_policy_provision_starts(unsigned floor, unsigned have, unsigned under_way, unsigned at_once)
{
	unsigned missing = floor > have ? floor - have : 0, room = at_once > under_way ? at_once - under_way : 0;

	return missing < room ? missing : room;
}

uint64_t fn_policy_retry_us(unsigned failures)
{
	uint64_t us = 2000000ull << (failures < 8 ? failures : 8);

	return us < 300000000u ? us : 300000000u;
}

bool fn_policy_lacks_room(int code)
{
	switch (code) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOSPC:
	case EDQUOT:
	case EAGAIN:
	case EUSERS:
		return true;
	default:
		return false;
	}
}
