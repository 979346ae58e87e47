/* services.c - see services.h. */
#include "api/services.h"

#include "api/routes.h"

#define SERVICES_MAX 16

static const char *const ids[SERVICES_MAX] = {[FN_AWS_LAMBDA] = "LAMBDA", [FN_AWS_LOGS] = "CLOUDWATCH_LOGS"};

static bool any_built(const struct fn_aws_operation *o, size_t n, enum fn_aws_service service)
{
	for (size_t i = 0; i < n; i++)
		if (o[i].service == service && fn_route_handler(&o[i]))
			return true;
	return false;
}

const char *const *fn_api_services(void)
{
	static const char *list[SERVICES_MAX + 1];
	size_t n = 0;

	for (unsigned s = 0; s < SERVICES_MAX; s++)
		if (ids[s] && (any_built(fn_aws_operations, FN_AWS_LOGS_FIRST, s) || any_built(fn_aws_logs_operations, FN_AWS_OPERATIONS - FN_AWS_LOGS_FIRST, s)))
			list[n++] = ids[s];
	list[n] = NULL;
	return list;
}
