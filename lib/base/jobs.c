/* jobs.c - see jobs.h. */
#include "base/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mailbox.h"
#include "base/thread.h"

#define STACK_BYTES (256u << 10)
#define NICE 10 /* the loop has the CPU first */

struct fn_jobs {
	struct fn_mailbox *back;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct fn_list queue; /* under the lock, as is `ending` */
	bool ending;
	unsigned under_way;   /* the loop's: posted and not done */
	unsigned n_threads;
	pthread_t threads[];
};

static void *work(void *arg)
{
	struct fn_jobs *js = arg;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* Linux has it by thread */
	pthread_mutex_lock(&js->lock);
	for (;;) {
		struct fn_list *l = fn_list_first(&js->queue);

		if (!l && js->ending)
			break;
		if (!l) {
			pthread_cond_wait(&js->wake, &js->lock);
			continue;
		}
		fn_list_remove(l);
		pthread_mutex_unlock(&js->lock);
		fn_list_entry(l, struct fn_job, link)->run(fn_list_entry(l, struct fn_job, link));
		fn_mailbox_post(js->back, l);
		pthread_mutex_lock(&js->lock);
	}
	pthread_mutex_unlock(&js->lock);
	return NULL;
}

static void on_done(void *arg, struct fn_list *message)
{
	struct fn_jobs *js = arg;
	struct fn_job *j = fn_list_entry(message, struct fn_job, link);

	js->under_way--;
	j->done(j);
}

static int start_threads(struct fn_jobs *js, unsigned threads)
{
	pthread_attr_t attr;
	int r = 0;

	pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	while (r == 0 && js->n_threads < threads) {
		r = fn_thread_start(&js->threads[js->n_threads], &attr, work, js);
		if (r == 0)
			js->n_threads++;
	}
	pthread_attr_destroy(&attr);
	return js->n_threads > 0 ? 0 : r; /* fewer are enough */
}

int fn_jobs_new(struct fn_loop *loop, unsigned threads, struct fn_jobs **ret)
{
	struct fn_jobs *js = calloc(1, sizeof(*js) + threads * sizeof(js->threads[0]));
	int r;

	if (!js)
		return -ENOMEM;
	fn_list_init(&js->queue);
	pthread_mutex_init(&js->lock, NULL);
	pthread_cond_init(&js->wake, NULL);
	r = fn_mailbox_new(loop, on_done, js, &js->back);
	if (r == 0)
		r = start_threads(js, threads);
	if (r < 0) {
		fn_jobs_free(js);
		return r;
	}
	*ret = js;
	return 0;
}

void fn_jobs_post(struct fn_jobs *js, struct fn_job *j)
{
	js->under_way++;
	pthread_mutex_lock(&js->lock);
	fn_list_push_back(&js->queue, &j->link);
	pthread_cond_signal(&js->wake);
	pthread_mutex_unlock(&js->lock);
}

void fn_jobs_drain(struct fn_jobs *js)
{
	while (js && js->under_way > 0) {
		fn_mailbox_deliver(js->back);
		if (js->under_way > 0)
			usleep(500);
	}
}

static void end_threads(struct fn_jobs *js)
{
	pthread_mutex_lock(&js->lock);
	js->ending = true;
	pthread_cond_broadcast(&js->wake);
	pthread_mutex_unlock(&js->lock);
	while (js->n_threads > 0)
		pthread_join(js->threads[--js->n_threads], NULL);
}

/* What is posted from now on, by a `done`, has no thread left: it is run here. */
static void run_rest(struct fn_jobs *js)
{
	while (js->under_way > 0) {
		struct fn_list *l;

		fn_mailbox_deliver(js->back);
		while ((l = fn_list_first(&js->queue))) {
			fn_list_remove(l);
			fn_list_entry(l, struct fn_job, link)->run(fn_list_entry(l, struct fn_job, link));
			fn_mailbox_post(js->back, l);
		}
	}
}

void fn_jobs_free(struct fn_jobs *js)
{
	if (!js)
		return;
	end_threads(js);
	run_rest(js);
	fn_mailbox_free(js->back);
	pthread_cond_destroy(&js->wake);
	pthread_mutex_destroy(&js->lock);
	free(js);
}
