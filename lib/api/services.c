/* services.c - see services.h. */
#include "api/services.h"

#include "api/routes.h"

static const char *const ids[FN_AWS_SERVICES] = {
	[FN_AWS_LAMBDA] = "LAMBDA", [FN_AWS_LOGS] = "CLOUDWATCH_LOGS", [FN_AWS_SQS] = "SQS", [FN_AWS_IAM] = "IAM", [FN_AWS_STS] = "STS",
};

static bool any_built(const struct fn_aws_service_info *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (fn_route_handler(&s->operations[i]))
			return true;
	return false;
}

const char *const *fn_api_services(void)
{
	static const char *list[FN_AWS_SERVICES + 1];
	size_t n = 0;

	for (unsigned s = 0; s < FN_AWS_SERVICES; s++)
		if (ids[s] && any_built(fn_aws_service((enum fn_aws_service)s)))
			list[n++] = ids[s];
	list[n] = NULL;
	return list;
}
