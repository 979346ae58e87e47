/*
 * cgroup_dead.h - groups of the dead: of a run of this instance that was killed, and of another instance that was killed and is not started again,
 * its state directory being thrown away, say.
 *
 * An instance's groups are <own>/fnd-<12 hexadecimal digits> and the same with ".daemon". Whoever lives holds a shared flock(2) on the first, for as
 * long as it has it open; who is without (an fnd of before there was one) has processes in one of them, in some hierarchy, or one with the name
 * among its arguments.
 */
#ifndef FN_OS_CGROUP_DEAD_H
#define FN_OS_CGROUP_DEAD_H

#include <stdbool.h>

/* Opens the group at `path`, which is made for that unless it is there, and holds it: no sweep removes it. Returns the descriptor, -errno. */
int fn_cg_hold(const char *path);

/* Kills (`unified`: the kernel can) and removes all groups below one; adds to *count how many. */
void fn_cg_sweep_below(int parent_fd, bool unified, int *count);

/* Removes such groups below own_fds (the same group in several hierarchies; those below 0 do not count), but for `instance`. Groups that have
 * processes stay. Returns how many groups of instances, with what was in them, are gone. */
unsigned fn_cg_dead_sweep(const int *own_fds, unsigned n, const char *instance);

#endif
