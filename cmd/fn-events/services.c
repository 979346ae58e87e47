/* services.c - see services.h: a service is a line here. */
#include "services.h"

#include "events/events.h"

static const struct {
	int (*open)(const struct fn_service_env *env, struct fn_service *ret, struct fn_err *err);
	void (*close)(void *arg);
} services[] = {
	{fn_events_open, fn_events_close}, /* "lambda" */
};

int fn_services_open(const struct fn_service_env *env, struct fn_services *ret, struct fn_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(services) / sizeof(services[0]); i++) {
		r = services[i].open(env, &ret->list[ret->n], err);
		ret->n += r == 0;
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
