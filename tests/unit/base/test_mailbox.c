#include "base/mailbox.h"

#include <pthread.h>
#include <stdlib.h>

#include "unit/main.h"

#define EACH 20000u
#define THREADS 3u

struct message {
	struct fn_list link;
	unsigned from, n;
};

static struct fn_loop *loop;
static struct fn_mailbox *box;
static unsigned next[THREADS], n_seen;

static void on_message(void *arg, struct fn_list *link)
{
	struct message *m = fn_list_entry(link, struct message, link);

	ck_assert_ptr_eq(arg, next);
	ck_assert_uint_eq(m->n, next[m->from]++); /* each thread's in its order */
	n_seen++;
	free(m);
}

static void post(unsigned from, unsigned n)
{
	struct message *m = calloc(1, sizeof(*m));

	m->from = from;
	m->n = n;
	fn_mailbox_post(box, &m->link);
}

static void *post_all(void *arg)
{
	for (unsigned i = 0; i < EACH; i++)
		post(*(unsigned *)arg, i);
	return NULL;
}

START_TEST(all_arrive_in_order)
{
	pthread_t t[THREADS];
	unsigned numbers[THREADS];

	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_mailbox_new(loop, on_message, next, &box), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		numbers[i] = i;
		ck_assert_int_eq(pthread_create(&t[i], NULL, post_all, &numbers[i]), 0);
	}
	while (n_seen < THREADS * EACH) /* a wakeup that is missing would be a test that does not end */
		ck_assert_int_eq(fn_loop_run_once(loop, UINT64_MAX), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	ck_assert_int_eq(fn_loop_run_once(loop, 0), 0);
	ck_assert_uint_eq(n_seen, THREADS * EACH);
	post(0, EACH); /* what is left at the end is delivered too */
	fn_mailbox_free(box);
	ck_assert_uint_eq(n_seen, THREADS * EACH + 1);
	fn_loop_free(loop);
}
END_TEST

static unsigned posted_again;

static void on_first(void *arg, struct fn_list *link)
{
	(void)arg;
	free(fn_list_entry(link, struct message, link));
	if (posted_again++ == 0)
		post(0, 0);
}

START_TEST(a_receiver_may_post)
{
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_mailbox_new(loop, on_first, NULL, &box), 0);
	post(0, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(fn_loop_run_once(loop, 10000), 0);
	ck_assert_uint_eq(posted_again, 2);
	fn_mailbox_free(box);
	fn_loop_free(loop);
}
END_TEST

TEST_MAIN("base/mailbox", all_arrive_in_order, a_receiver_may_post)
