/* fnd.h - what fn-events asks fnd, over invoke.sock: api/from_events.h. Nothing waits. */
#ifndef FN_SERVICE_FND_H
#define FN_SERVICE_FND_H

#include "web/inner_client.h"

struct fn_fnd;
struct fn_fnd_config {
	struct fn_loop *loop;
	int dir_fd;       /* the state directory: borrowed */
	unsigned calls;   /* at once, at most: what runs and is waited for */
};
int fn_fnd_new(const struct fn_fnd_config *config, struct fn_fnd **ret);
void fn_fnd_free(struct fn_fnd *f); /* NULL is fine */

/* Both: done is called once, from the loop, unless the call is cancelled (fn_inner_cancel()). name: a function's, its qualifier behind a colon if there is one, or its ARN.
 * -EAGAIN: too many wait. ret may be NULL. */
struct fn_fnd_invocation {
	const char *name;
	const char *request_id;   /* a UUID: the invocation's */
	const char *trace_id;     /* NULL: one is made */
	const char *tenant_id;    /* of a function that is per tenant; else NULL */
	const void *payload;      /* JSON; borrowed until done */
	size_t len;
	uint64_t timeout_us;      /* 0 = none: as long as the function may run */
	void (*done)(void *arg, struct fn_inner_answer *a); /* as Invoke answers: 200 with X-Amz-Function-Error and X-Amz-Executed-Version; 404, 429, 5xx */
	void *arg;
};
int fn_fnd_invoke(struct fn_fnd *f, const struct fn_fnd_invocation *i, struct fn_inner_call **ret);
/* api/rights.h. body, borrowed until done: what is asked; since: the generation that is known, "" = none. */
int fn_fnd_rights(struct fn_fnd *f, const char *body, size_t len, void (*done)(void *arg, struct fn_inner_answer *a), void *arg, struct fn_inner_call **ret);
int fn_fnd_changes(struct fn_fnd *f, const char *since, void (*done)(void *arg, struct fn_inner_answer *a), void *arg, struct fn_inner_call **ret);
int fn_fnd_function(struct fn_fnd *f, const char *name, void (*done)(void *arg, struct fn_inner_answer *a), void *arg, struct fn_inner_call **ret);

#endif
