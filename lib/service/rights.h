/*
 * rights.h - what the roles of functions may: asked of fnd, which has roles and policies (api/rights.h). What is done for a function is done by its role: queues are polled,
 * records and dead letters are delivered. Nothing waits.
 *
 * An answer is true until fnd says that something has changed; those who keep one are told then, and each RECHECK_US, since conditions may ask for the time.
 */
#ifndef FN_SERVICE_RIGHTS_H
#define FN_SERVICE_RIGHTS_H

#include "aws/resource_policy.h"
#include "base/list.h"
#include "base/loop.h"

struct fn_fnd;
struct fn_rights;

int fn_rights_new(struct fn_loop *loop, struct fn_fnd *fnd, struct fn_rights **ret);
void fn_rights_free(struct fn_rights *r); /* before fnd; calls that are under way are cancelled; NULL is fine */

/* False: there are no credentials, and everybody may all: nothing has to be asked. */
bool fn_rights_judged(const struct fn_rights *r);

struct fn_rights_ask {
	const char *function; /* name, and qualifier if one was given */
	const char *action, *resource;
};
/* FN_INNER_RIGHTS_MAX at once (model/inner.h). done: once, from the loop, unless r is freed before. who[i] is what is known of list[i], which holds until done returns; NULL: it could
 * not be asked. -ENOMEM, -EAGAIN. */
int fn_rights_ask(struct fn_rights *r, const struct fn_rights_ask *list, size_t n, void (*done)(void *arg, const struct fn_iam_asker *who), void *arg);

/* changed(arg): what was answered may be otherwise. One alone is told. */
void fn_rights_on_change(struct fn_rights *r, void (*changed)(void *arg), void *arg);

#endif
