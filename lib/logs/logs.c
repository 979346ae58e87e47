/* logs.c - see logs.h: the loop's side, and the thread. */
#include "logs/logs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/thread.h"
#include "logs/writer.h"

#define FLUSH_US 50000u
#define GATHER_MAX (256u << 10)
#define BACKLOG_MAX (64u << 20)
#define TIDY_EVERY_MS 1000
#define NICE 10 /* the loop has the CPU first */

/* What was gathered, on its way to the store. */
struct batch {
	struct fn_log_job job;
	struct fn_logs *l;
	struct fn_buf records;
};

struct fn_logs {
	struct fn_loop *loop;
	struct fn_mailbox *back;
	struct fn_list taps;
	struct fn_buf gathered;
	struct fn_buf spare;
	uint64_t timer;
	size_t backlog;        /* bytes that the thread has */
	uint64_t lost;
	uint32_t next_stream;
	unsigned under_way;
	bool armed;
	/* shared */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct fn_list queue;
	bool ending;
	/* the thread's */
	pthread_t thread;
	bool started;
	struct fn_log_store *store;
	struct fn_log_writer *writer;
};

struct fn_log_stream {
	struct fn_logs *l;
	uint32_t number;
	char *group, *stream;
};

/* --- the thread --- */
static void wait_a_while(struct fn_logs *l)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += TIDY_EVERY_MS / 1000;
	(void)pthread_cond_timedwait(&l->wake, &l->lock, &t);
}

static void *work(void *arg)
{
	struct fn_logs *l = arg;
	bool more = true;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	pthread_mutex_lock(&l->lock);
	for (;;) {
		struct fn_list *link = fn_list_first(&l->queue);

		if (!link && l->ending)
			break;
		if (!link && !more) {
			wait_a_while(l);
			link = fn_list_first(&l->queue);
		}
		if (link)
			fn_list_remove(link);
		pthread_mutex_unlock(&l->lock);
		if (link) {
			struct fn_log_job *j = fn_list_entry(link, struct fn_log_job, link);

			j->run(j, l->store);
			fn_mailbox_post(l->back, link);
		} else {
			more = fn_log_store_tidy(l->store, (int64_t)(fn_clock_real_us() / 1000));
		}
		pthread_mutex_lock(&l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* --- the loop's --- */
static void on_back(void *arg, struct fn_list *link)
{
	struct fn_log_job *j = fn_list_entry(link, struct fn_log_job, link);
	struct fn_logs *l = arg;

	l->under_way--;
	j->done(j);
}

static void send(struct fn_logs *l, struct fn_log_job *j)
{
	l->under_way++;
	pthread_mutex_lock(&l->lock);
	fn_list_push_back(&l->queue, &j->link);
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

static void write_batch(struct fn_log_job *j, struct fn_log_store *s)
{
	struct batch *b = fn_list_entry(j, struct batch, job);

	(void)s;
	fn_log_writer_take(b->l->writer, b->records.data, b->records.len, (int64_t)(fn_clock_real_us() / 1000));
}

static void batch_written(struct fn_log_job *j)
{
	struct batch *b = fn_list_entry(j, struct batch, job);
	struct fn_logs *l = b->l;

	l->backlog -= b->records.len;
	if (b->records.cap <= 2 * GATHER_MAX) {
		fn_buf_free(&l->spare);
		l->spare = b->records;
	} else {
		fn_buf_free(&b->records);
	}
	free(b);
}

static void hand_over(struct fn_logs *l)
{
	struct batch *b = l->gathered.len ? calloc(1, sizeof(*b)) : NULL;

	if (!b) /* when the next comes */
		return;
	b->job = (struct fn_log_job){.run = write_batch, .done = batch_written};
	b->l = l;
	b->records = l->gathered;
	l->gathered = l->spare;
	l->spare = (struct fn_buf){0};
	fn_buf_reset(&l->gathered);
	l->backlog += b->records.len;
	send(l, &b->job);
	if (l->lost > 0 && l->backlog < BACKLOG_MAX / 2) {
		fn_log_warn("logs: the disk was slower than functions print: %llu events were lost", (unsigned long long)l->lost);
		l->lost = 0;
	}
}

static void on_timer(void *arg)
{
	struct fn_logs *l = arg;

	l->armed = false;
	hand_over(l);
}

static void gathering(struct fn_logs *l)
{
	if (l->gathered.len > GATHER_MAX) {
		hand_over(l);
	} else if (!l->armed) {
		l->armed = true;
		(void)fn_loop_rearm_timer(l->loop, l->timer, fn_loop_now_us(l->loop) + FLUSH_US);
	}
}

int fn_logs_new(struct fn_loop *loop, const char *dir, const struct fn_log_bounds *bounds, struct fn_logs **ret, struct fn_err *err)
{
	struct fn_logs *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return fn_err_set(err, ENOMEM, "logs", NULL);
	l->loop = loop;
	fn_list_init(&l->taps);
	fn_list_init(&l->queue);
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->wake, NULL);
	r = fn_log_store_open(dir, bounds, &l->store, err);
	if (r == 0 && ((r = fn_log_writer_new(l->store, &l->writer)) < 0 || (r = fn_loop_add_timer(loop, UINT64_MAX, on_timer, l, &l->timer)) < 0 ||
		       (r = fn_mailbox_new(loop, on_back, l, &l->back)) < 0 || (r = fn_thread_start(&l->thread, NULL, work, l)) < 0))
		fn_err_set(err, r, "logs", NULL);
	if (r < 0) {
		fn_logs_free(l);
		return r;
	}
	l->started = true;
	*ret = l;
	return 0;
}

void fn_logs_drain(struct fn_logs *l)
{
	while (l->gathered.len > 0 || l->under_way > 0) { /* what is done may post more */
		hand_over(l);
		fn_mailbox_deliver(l->back);
		if (l->under_way > 0)
			usleep(500);
	}
}

void fn_logs_free(struct fn_logs *l)
{
	if (!l)
		return;
	if (l->started) {
		fn_logs_drain(l);
		pthread_mutex_lock(&l->lock);
		l->ending = true;
		pthread_cond_signal(&l->wake);
		pthread_mutex_unlock(&l->lock);
		pthread_join(l->thread, NULL);
	}
	fn_mailbox_free(l->back);
	fn_loop_clear(l->loop, &l->timer);
	fn_log_writer_free(l->writer);
	fn_log_store_close(l->store);
	fn_buf_free(&l->gathered);
	fn_buf_free(&l->spare);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* --- writing --- */
struct fn_log_stream *fn_log_stream_open(struct fn_logs *l, const char *group, const char *stream)
{
	struct fn_log_stream *s = calloc(1, sizeof(*s));

	if (!s || !(s->group = strdup(group)) || !(s->stream = strdup(stream)) ||
	    fn_log_writer_define(&l->gathered, s->number = l->next_stream++, group, stream) < 0) {
		if (s) {
			free(s->group);
			free(s->stream);
		}
		free(s);
		return NULL;
	}
	s->l = l;
	return s;
}

void fn_log_stream_close(struct fn_log_stream *s)
{
	if (!s)
		return;
	(void)fn_log_writer_forget(&s->l->gathered, s->number);
	gathering(s->l);
	free(s->group);
	free(s->stream);
	free(s);
}

void fn_log_append(struct fn_log_stream *s, const struct fn_log_event *e)
{
	if (!s)
		return;
	if (!fn_list_empty(&s->l->taps))
		fn_logs_tell(s->l, s->group, s->stream, e);
	if (s->l->backlog > BACKLOG_MAX || fn_log_record_add(&s->l->gathered, s->number, e) < 0)
		s->l->lost++;
	else
		gathering(s->l);
}

void fn_logs_tap(struct fn_logs *l, struct fn_log_tap *t) { fn_list_push_back(&l->taps, &t->link); }
void fn_logs_untap(struct fn_log_tap *t) { fn_list_remove(&t->link); }

bool fn_logs_tapped(const struct fn_logs *l) { return !fn_list_empty(&l->taps); }

void fn_logs_tell(struct fn_logs *l, const char *group, const char *stream, const struct fn_log_event *e)
{
	fn_list_for_each_safe(i, &l->taps)
	{
		struct fn_log_tap *t = fn_list_entry(i, struct fn_log_tap, link);

		t->event(t, group, stream, e);
	}
}

/* --- asking --- */
void fn_logs_post(struct fn_logs *l, struct fn_log_job *j)
{
	hand_over(l);
	send(l, j);
}
