/*
 * jobs.h - a few threads for what would keep a loop waiting: files, digests. They run below the loop's priority.
 *
 * A job is the poster's struct: posted from the loop's thread, run by some thread, then `done` on the loop's. Of several posted at once any may be
 * first: who needs an order posts the next when the last is done.
 */
#ifndef FN_BASE_JOBS_H
#define FN_BASE_JOBS_H

#include "base/list.h"
#include "base/loop.h"

struct fn_jobs;

struct fn_job {
	struct fn_list link;
	void (*run)(struct fn_job *j);
	void (*done)(struct fn_job *j); /* j is the poster's again, who may free or post it */
};

int fn_jobs_new(struct fn_loop *loop, unsigned threads, struct fn_jobs **ret);
void fn_jobs_post(struct fn_jobs *js, struct fn_job *j);
/* Waits until what is posted has been run, and `done` told, which may post more. NULL is fine. */
void fn_jobs_drain(struct fn_jobs *js);
/* Runs what is posted, and tells `done` of all of it; those may post more. NULL is fine. */
void fn_jobs_free(struct fn_jobs *js);

#endif
