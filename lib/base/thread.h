/* thread.h - threads beside a loop. */
#ifndef FN_BASE_THREAD_H
#define FN_BASE_THREAD_H

#include <pthread.h>

/* One that no signal interrupts: they are the loop's. attr may be NULL. 0 or -errno. */
int fn_thread_start(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *arg);

#endif
