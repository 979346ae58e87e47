/* thread.c - see thread.h. */
#include "base/thread.h"

#include <signal.h>

int fn_thread_start(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(ret, attr, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}
