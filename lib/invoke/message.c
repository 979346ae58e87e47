/* message.c - what loops send each other: internal.h. */
#include <stdlib.h>

#include "invoke/internal.h"

struct message *fn_message_new(enum message_kind kind, struct fn_lane *lane)
{
	struct message *m = calloc(1, sizeof(*m));

	if (!m)
		abort(); /* what it is to carry would be lost */
	m->kind = kind;
	m->lane = lane;
	return m;
}

void fn_message_free(struct message *m)
{
	fn_buf_free(&m->text);
	free(m->name);
	free(m->version);
	free(m);
}

static void on_later(void *arg) { fn_outbox_send(arg); }

void fn_outbox_init(struct outbox *o, struct fn_loop *loop, void (*before)(void *arg), void *arg)
{
	*o = (struct outbox){.loop = loop, .later = {.fn = on_later, .arg = o}, .before = before, .arg = arg};
	fn_list_init(&o->messages);
}

void fn_outbox_post(struct outbox *o, struct fn_mailbox *to, struct message *m)
{
	m->to = to;
	fn_list_push_back(&o->messages, &m->link);
	fn_loop_defer(o->loop, &o->later);
}

static void send_all(struct fn_list *messages)
{
	while (!fn_list_empty(messages)) {
		struct message *m = fn_list_entry(fn_list_first(messages), struct message, link);

		fn_list_remove(&m->link);
		if (m->req)
			fn_http_req_detach(m->req);
		fn_mailbox_post(m->to, &m->link);
	}
}

void fn_outbox_send(struct outbox *o)
{
	struct fn_list batch;

	fn_list_take_over(&batch, &o->messages);
	if (o->before)
		o->before(o->arg);
	fn_deferred_cancel(&o->later);
	send_all(&o->messages);
	send_all(&batch);
}
