/* sched.h - how soon a process has its turn among others that are ready to run. */
#ifndef FN_OS_SCHED_H
#define FN_OS_SCHED_H

#include <stdint.h>

/* Length of this process' turns (and of those it forks from now on); 0 = as the host has it, 3 ms on two CPUs. Who takes short ones has them soon, and
 * no more of the CPU than before. Linux >= 6.12; earlier ones take no notice. */
void fn_sched_slice(uint64_t ns);
/* How many threads on the host run, or could. 0: it cannot be told. */
unsigned fn_sched_runnable(void);

#endif
