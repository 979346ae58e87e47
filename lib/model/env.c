/* env.c - see env.h. */
#include "model/env.h"

#include <stddef.h>
#include <string.h>

#include "base/str.h"

static const struct {
	const char *name;
	enum fn_env_rule rule;
} rules[] = {
	{"_HANDLER", FN_ENV_RESERVED},
	{"_X_AMZN_TRACE_ID", FN_ENV_RESERVED},
	{"AWS_DEFAULT_REGION", FN_ENV_RESERVED},
	{"AWS_REGION", FN_ENV_RESERVED},
	{"AWS_EXECUTION_ENV", FN_ENV_RESERVED},
	{"AWS_LAMBDA_FUNCTION_NAME", FN_ENV_RESERVED},
	{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", FN_ENV_RESERVED},
	{"AWS_LAMBDA_FUNCTION_VERSION", FN_ENV_RESERVED},
	{"AWS_LAMBDA_INITIALIZATION_TYPE", FN_ENV_RESERVED},
	{"AWS_LAMBDA_LOG_GROUP_NAME", FN_ENV_RESERVED},
	{"AWS_LAMBDA_LOG_STREAM_NAME", FN_ENV_RESERVED},
	{"AWS_ACCESS_KEY", FN_ENV_RESERVED},
	{"AWS_ACCESS_KEY_ID", FN_ENV_RESERVED},
	{"AWS_SECRET_ACCESS_KEY", FN_ENV_RESERVED},
	{"AWS_SESSION_TOKEN", FN_ENV_RESERVED},
	{"AWS_LAMBDA_RUNTIME_API", FN_ENV_RESERVED},
	{"AWS_LAMBDA_MAX_CONCURRENCY", FN_ENV_RESERVED},
	{"AWS_LAMBDA_METADATA_API", FN_ENV_RESERVED},
	{"AWS_LAMBDA_METADATA_TOKEN", FN_ENV_RESERVED},
	{"LAMBDA_TASK_ROOT", FN_ENV_RESERVED},
	{"LAMBDA_RUNTIME_DIR", FN_ENV_RESERVED},
	{"PWD", FN_ENV_FIXED},
};

enum fn_env_rule fn_env_rule(const char *name)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (fn_streq(rules[i].name, name))
			return rules[i].rule;
	return FN_ENV_FREE;
}

const char *fn_env_of_image(const char *entry, char ret_name[FN_ENV_NAME_SIZE])
{
	const char *equals = strchr(entry, '=');

	if (!equals || equals == entry || fn_str_format(ret_name, FN_ENV_NAME_SIZE, "%.*s", (int)(equals - entry), entry) < 0 || fn_env_rule(ret_name) == FN_ENV_RESERVED)
		return NULL;
	return equals + 1;
}
