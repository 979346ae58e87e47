/*
 * mailbox.h - what other threads have for a loop: messages, in the order of their posting.
 *
 * Posting takes a lock for a moment and wakes the loop's thread if it may be waiting: for what happens now and then, not for each request.
 * Whoever posts a message gives up what it leads to: the receiver sees all that was written to it before.
 */
#ifndef FN_BASE_MAILBOX_H
#define FN_BASE_MAILBOX_H

#include "base/list.h"
#include "base/loop.h"

struct fn_mailbox;
/* Called from the loop, once per message: the link that was posted. */
typedef void (*fn_mailbox_fn)(void *arg, struct fn_list *message);

int fn_mailbox_new(struct fn_loop *loop, fn_mailbox_fn fn, void *arg, struct fn_mailbox **ret);
/* From any thread. The link is in the message, on no list, and the mailbox's until it is delivered. */
void fn_mailbox_post(struct fn_mailbox *m, struct fn_list *message);
/* All of a list, which is empty then: one lock, and one wake. */
void fn_mailbox_post_all(struct fn_mailbox *m, struct fn_list *messages);
/* On the loop's thread: delivers what has been posted, without waiting for the loop's round. */
void fn_mailbox_deliver(struct fn_mailbox *m);
/* On the loop's thread, or after it has ended. Delivers what is left; nobody may post any more. NULL is fine. */
void fn_mailbox_free(struct fn_mailbox *m);

#endif
