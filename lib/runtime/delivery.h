/*
 * delivery.h - the way of a telemetry subscriber's batches to it, one after the other: a connection inside the sandbox, a request by HTTP or lines by TCP,
 * again after a failure, later each time. Runs in fnd on its loop.
 *
 * The other end is a function's: it may not listen, not read, not answer, answer wrongly or close at any moment. Nothing waits for it; each attempt has FN_DELIVERY_PATIENCE_US
 * without progress, and a batch FN_DELIVERY_ATTEMPTS. While it is paused (its environment is frozen) nothing is sent and no time passes.
 */
#ifndef FN_RUNTIME_DELIVERY_H
#define FN_RUNTIME_DELIVERY_H

#include "base/loop.h"
#include "runtime/subscription.h"

#define FN_DELIVERY_ATTEMPTS 8u
#define FN_DELIVERY_FIRST_US 50000u /* the pause after the first failure; it doubles */
#define FN_DELIVERY_PATIENCE_US 3000000u

struct fn_delivery;
struct fn_delivery_ops {
	/* Asks for an unconnected socket in the sandbox's network; fn_delivery_socket() follows, unless the request is cancelled. -errno: there is none. */
	int (*socket)(void *arg, struct fn_delivery *d, uint64_t *ret_request);
	void (*cancel)(void *arg, uint64_t request);
	/* The batch has been delivered, or given up: 0, -errno, or the status that it was answered with. The next may be sent from here. */
	void (*done)(void *arg, int result);
};

int fn_delivery_new(struct fn_loop *loop, const struct fn_delivery_ops *ops, void *arg, struct fn_delivery **ret);
void fn_delivery_free(struct fn_delivery *d); /* `done` is not called. NULL is fine */
/* body is borrowed until `done`; sub, too, and it may change only in between. */
void fn_delivery_send(struct fn_delivery *d, const struct fn_subscription *sub, const char *body, size_t len);
/* What `socket` has asked for; fd -1: err is why (-errno). Takes fd. */
void fn_delivery_socket(struct fn_delivery *d, int err, int fd);
void fn_delivery_pause(struct fn_delivery *d);
void fn_delivery_resume(struct fn_delivery *d);
/* Its sandbox has gone: what is under way begins anew, with all its attempts, when it is resumed. */
void fn_delivery_lost(struct fn_delivery *d);

#endif
