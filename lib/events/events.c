/* events.c - see events.h: which operation is whose. */
#include "events/events.h"

#include <errno.h>
#include <stdlib.h>

struct fn_events {
	const struct fn_service_env *env;
};

static void serve(void *arg, struct fn_service_call *call)
{
	(void)arg;
	fn_service_reply_error(call, &FN_E_NOT_IMPLEMENTED, "fnd does not implement %s yet", call->operation);
}

int fn_events_open(const struct fn_service_env *env, struct fn_service *ret, struct fn_err *err)
{
	struct fn_events *e = calloc(1, sizeof(*e));

	if (!e)
		return fn_err_set(err, ENOMEM, "events", NULL);
	e->env = env;
	*ret = (struct fn_service){.name = "lambda", .serve = serve, .arg = e};
	return 0;
}

void fn_events_close(void *arg) { free(arg); }
