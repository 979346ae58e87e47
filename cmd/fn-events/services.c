/* services.c - see services.h: a service is a line here. */
#include "services.h"

#include "events/events.h"
#include "sqs/service.h"

static const struct {
	int (*open)(const struct fn_service_env *env, struct fn_service *ret, struct fn_err *err);
	void (*close)(void *arg);
} services[] = {
	{fn_sqs_open, fn_sqs_close},       /* "sqs"; the first: the others send to its queues */
	{fn_events_open, fn_events_close}, /* "lambda" */
};

int fn_services_open(struct fn_service_env *env, struct fn_services *ret, struct fn_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(services) / sizeof(services[0]); i++) {
		r = services[i].open(env, &ret->list[ret->n], err);
		ret->n += r == 0;
		if (r == 0 && i == 0)
			env->sqs = ret->list[0].arg;
	}
	return r;
}

void fn_services_close(struct fn_services *s)
{
	while (s->n > 0) {
		s->n--;
		services[s->n].close(s->list[s->n].arg);
	}
}
