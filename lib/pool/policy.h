/* policy.h - the pool's decisions as pure functions, unit-tested by themselves. */
#ifndef FN_POOL_POLICY_H
#define FN_POOL_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* How long an invocation that finds environments between their response and their next request waits for one of them before another is started:
 * settle_us is what they take for it on the average, 0 = not known. Those of most runtimes are back in a tenth of a millisecond; one that tidies
 * up for some milliseconds must not get a neighbour for each invocation of a client that calls again at once. One that takes longer is not waited
 * for in vain. start_us is what a start takes, on the average, 0 = not known: on a busy machine the one that is due has perhaps only not been given
 * a processor, which another would have to be given, too, and for longer. So whoever waits never loses more than a start. */
uint64_t fn_policy_patience_us(uint64_t settle_us, uint64_t start_us);
uint64_t fn_policy_settle_us(uint64_t average_us, uint64_t took_us); /* the average with one more */
/* How many environments to start now. finishing: environments whose response is out and whose next `next` is due any moment;
 * patient: the short wait for them has not passed yet. */
unsigned fn_policy_starts(unsigned waiting, unsigned starting, unsigned finishing, bool patient);

/* What an environment costs: what it was seen to use, and what is about it but in no group's count; 16 MB for one that has not been measured
 * (0). Never more than is configured. */
uint64_t fn_policy_cost(uint64_t memory_peak, uint64_t configured);
/* Must an idle environment end before another starts? */
bool fn_policy_must_evict(uint64_t used, uint64_t next_cost, uint64_t budget);

/* Is it time to take page cache back from idle ones, so that they need not end? Before that is: from 7/8 of the budget on. */
bool fn_policy_should_reclaim(uint64_t used, uint64_t next_cost, uint64_t budget);

/* How many provisioned environments to start now: what is missing, but no more than at_once on their way. */
unsigned fn_policy_provision_starts(unsigned floor, unsigned have, unsigned under_way, unsigned at_once);
/* How long to wait after the nth failure in a row (from 0) of what is tried again: 2 s, doubled up to 5 minutes. */
uint64_t fn_policy_retry_us(unsigned failures);

/* An environment cannot be started: is it for want of something that the machine has again when others have ended (descriptors, memory, disk, processes, uids)? Then
 * later is better, as with concurrency. code: a positive errno. */
bool fn_policy_lacks_room(int code);

#endif
