#include "sandbox/proc.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/main.h"

START_TEST(processes_by_memory)
{
	ck_assert_uint_eq(fn_proc_nproc(128ull << 20), 742); /* as recorded on Lambda */
	ck_assert_uint_eq(fn_proc_nproc(1024ull << 20), 4326);
	ck_assert_uint_eq(fn_proc_nproc(10240ull << 20), 41190);
}
END_TEST

/* Of another process; and what has been lowered is not raised, whoever could. */
START_TEST(limits_of_a_process_that_runs)
{
	struct rlimit nproc, pending;
	struct fn_err err;
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	ck_assert_int_eq(fn_proc_limit_processes(pid, 128ull << 20, &err), 0);
	ck_assert_int_eq(fn_proc_limit_processes(pid, 1024ull << 20, &err), 0);
	ck_assert_int_eq(prlimit(pid, RLIMIT_NPROC, NULL, &nproc), 0);
	ck_assert_int_eq(prlimit(pid, RLIMIT_SIGPENDING, NULL, &pending), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_uint_le(nproc.rlim_max, 742);
	ck_assert_uint_eq(nproc.rlim_cur, nproc.rlim_max);
	ck_assert_uint_le(pending.rlim_max, 742);
}
END_TEST

TEST_MAIN("sandbox/proc", processes_by_memory, limits_of_a_process_that_runs)
