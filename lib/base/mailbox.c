/* mailbox.c - see mailbox.h. */
#include "base/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"

struct fn_mailbox {
	struct fn_loop *loop;
	fn_mailbox_fn fn;
	void *arg;
	int event_fd;
	uint64_t io;
	pthread_mutex_t lock;
	struct fn_list messages; /* under the lock */
};

void fn_mailbox_deliver(struct fn_mailbox *m)
{
	struct fn_list batch;

	pthread_mutex_lock(&m->lock);
	fn_list_take_over(&batch, &m->messages);
	pthread_mutex_unlock(&m->lock);
	while (!fn_list_empty(&batch)) {
		struct fn_list *l = fn_list_first(&batch);

		fn_list_remove(l);
		m->fn(m->arg, l);
	}
}

static void on_event(void *arg, int fd, uint32_t events)
{
	uint64_t n;

	(void)events;
	if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	fn_mailbox_deliver(arg);
}

int fn_mailbox_new(struct fn_loop *loop, fn_mailbox_fn fn, void *arg, struct fn_mailbox **ret)
{
	struct fn_mailbox *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	*m = (struct fn_mailbox){.loop = loop, .fn = fn, .arg = arg};
	fn_list_init(&m->messages);
	m->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = m->event_fd < 0 ? -errno : fn_loop_add_io(loop, m->event_fd, EPOLLIN, on_event, m, &m->io);
	if (r < 0) {
		fn_close(m->event_fd);
		free(m);
		return r;
	}
	pthread_mutex_init(&m->lock, NULL);
	*ret = m;
	return 0;
}

static void wake(struct fn_mailbox *m, bool first)
{
	static const uint64_t one = 1;

	if (first) /* else whoever posted the first has said so */
		(void)!write(m->event_fd, &one, sizeof(one));
}

void fn_mailbox_post(struct fn_mailbox *m, struct fn_list *message)
{
	bool first;

	pthread_mutex_lock(&m->lock);
	first = fn_list_empty(&m->messages);
	fn_list_push_back(&m->messages, message);
	pthread_mutex_unlock(&m->lock);
	wake(m, first);
}

void fn_mailbox_post_all(struct fn_mailbox *m, struct fn_list *messages)
{
	bool first;

	if (fn_list_empty(messages))
		return;
	pthread_mutex_lock(&m->lock);
	first = fn_list_empty(&m->messages);
	fn_list_append(&m->messages, messages);
	pthread_mutex_unlock(&m->lock);
	wake(m, first);
}

void fn_mailbox_free(struct fn_mailbox *m)
{
	if (!m)
		return;
	fn_mailbox_deliver(m);
	fn_loop_clear(m->loop, &m->io);
	fn_close(m->event_fd);
	pthread_mutex_destroy(&m->lock);
	free(m);
}
