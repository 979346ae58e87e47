/* sched.c - see sched.h. No malloc, no stdio: used between clone3 and execve. */
#include "os/sched.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#define KEEP_POLICY 0x08u /* SCHED_FLAG_KEEP_POLICY, linux/sched.h */

/* As in linux/sched/types.h, which newer C libraries clash with. */
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

void fn_sched_slice(uint64_t ns)
{
	struct attr a = {.size = sizeof(a), .flags = KEEP_POLICY, .nice = getpriority(PRIO_PROCESS, 0), .runtime = ns};

	(void)syscall(SYS_sched_setattr, 0, &a, 0); /* it matters to nothing but time */
}

unsigned fn_sched_runnable(void)
{
	char text[128]; /* "0.20 0.18 0.12 1/80 11206": before the slash */
	ssize_t n = fn_file_read(AT_FDCWD, "/proc/loadavg", text, sizeof(text) - 1);
	const char *slash, *space;

	text[n > 0 ? n : 0] = '\0';
	slash = strchr(text, '/');
	space = slash ? memrchr(text, ' ', (size_t)(slash - text)) : NULL;
	return space ? (unsigned)strtoul(space, NULL, 10) : 0;
}
