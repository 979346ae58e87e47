/*
 * outbox.h - what fn-events must follow: a function, version or alias has been deleted. A row is written in the deletion's own transaction, and stays until it has been
 * acknowledged.
 */
#ifndef FN_STORE_OUTBOX_H
#define FN_STORE_OUTBOX_H

#include <stdint.h>

#include "store/store.h"

struct fn_outbox_item {
	int64_t id;
	char *function, *qualifier; /* "" = all of it */
	int64_t at_us;              /* real time: what was made later is another's */
};

/* told(arg) is called, from the loop, when there is something new. */
void fn_store_outbox_on(struct fn_store *s, void (*told)(void *arg), void *arg);
/* The oldest one; done gets NULL where there is none, else what lives for the call; or err. */
int fn_store_outbox_first(struct fn_store *s, void (*done)(void *arg, const struct fn_outbox_item *item, const struct fn_err *err), void *arg);
/* It has been acknowledged. */
int fn_store_outbox_take(struct fn_store *s, int64_t id, fn_stored_fn done, void *arg);

#endif
