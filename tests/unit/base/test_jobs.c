#include "base/jobs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "unit/main.h"

#define MANY 500

struct job {
	struct fn_job job;
	unsigned runs, times;
};

static struct fn_loop *loop;
static struct fn_jobs *jobs;
static pthread_t here;
static atomic_int nice_seen;
static unsigned n_done;
static bool ending;

static void run(struct fn_job *j)
{
	if (!pthread_equal(here, pthread_self()))
		nice_seen = getpriority(PRIO_PROCESS, 0);
	else
		ck_assert(ending);
	fn_list_entry(j, struct job, job)->runs++;
}

static void done(struct fn_job *j)
{
	struct job *job = fn_list_entry(j, struct job, job);

	ck_assert(pthread_equal(here, pthread_self()));
	if (job->runs < job->times)
		fn_jobs_post(jobs, j);
	else
		n_done++;
}

static void set_up(struct job *list, unsigned n, unsigned times)
{
	here = pthread_self();
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_jobs_new(loop, 2, &jobs), 0);
	for (unsigned i = 0; i < n; i++) {
		list[i] = (struct job){.job = {.run = run, .done = done}, .times = times};
		fn_jobs_post(jobs, &list[i].job);
	}
}

START_TEST(test_jobs)
{
	static struct job list[MANY];

	set_up(list, MANY, 3);
	while (n_done < MANY)
		ck_assert_int_eq(fn_loop_run_once(loop, 10000), 0);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_uint_eq(list[i].runs, 3);
	ck_assert_int_gt(nice_seen, getpriority(PRIO_PROCESS, 0) < 10 ? getpriority(PRIO_PROCESS, 0) : 9); /* whoever waits for the loop does not wait for them */
	fn_jobs_free(jobs);
	fn_loop_free(loop);
}
END_TEST

/* The end finishes what is posted, and what that posts. */
START_TEST(test_end)
{
	static struct job list[MANY];

	set_up(list, MANY, 3);
	ending = true; /* the last may be run here */
	fn_jobs_free(jobs);
	ck_assert_uint_eq(n_done, MANY);
	fn_loop_free(loop);
	fn_jobs_free(NULL);
}
END_TEST

TEST_MAIN("base/jobs", test_jobs, test_end)
