/* telemetry.c - an environment's subscribers (runtime/telemetry.h): when there may be some, and how they are reached in its sandbox. */
#include <errno.h>

#include "env/internal.h"

static void on_socket(void *arg, const struct fn_err *err, int fd) { fn_delivery_socket(arg, err ? -err->code : 0, fd); }

static int ask_socket(void *arg, struct fn_delivery *d, uint64_t *ret_request)
{
	const struct fn_env *e = arg;

	return e->sandbox && e->host->spawn ? fn_spawn_socket(e->host->spawn, e->sandbox, on_socket, d, ret_request) : -ENOTCONN;
}

static void cancel_socket(void *arg, uint64_t request)
{
	const struct fn_env *e = arg;

	fn_spawn_cancel(e->host->spawn, request);
}

static const struct fn_telemetry_ops ops = {ask_socket, cancel_socket};

void fn_env_telemetry_want(struct fn_env *e)
{
	if (e->telemetry || (e->state != FN_ENV_SPAWNING && e->state != FN_ENV_INIT) || fn_telemetry_new(&e->host->telemetry, &ops, e, e->version->json, &e->telemetry) < 0)
		return;
	if (e->state == FN_ENV_INIT) { /* the first that has registered is part of the runtime: it missed this */
		fn_telemetry_begin(e->telemetry);
		fn_report_init_started(e);
	}
}

void fn_env_telemetry_initialised(struct fn_env *e)
{
	fn_telemetry_initialised(e->telemetry);
	if (fn_ext_count(fn_rt_extensions(e->rt)) > 0)
		return;
	fn_telemetry_free(e->telemetry); /* there is nobody who could have subscribed */
	e->telemetry = NULL;
}

void fn_env_on_subscribe(void *arg, enum fn_telemetry_api api, const char *name, const char *body, size_t len, struct fn_telemetry_answer *ret)
{
	struct fn_env *e = arg;

	if (e->telemetry)
		fn_telemetry_subscribe(e->telemetry, api, name, body, len, ret);
	else
		*ret = (struct fn_telemetry_answer){500, "{\"errorMessage\":\"out of memory\",\"errorType\":\"InternalError\"}\n"};
}
