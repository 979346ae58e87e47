/*
 * variables.h - the environment variables that a runtime begins with. Each name is there once.
 *
 * Values come from the platform, from the runtime (config/runtimes.json) and from the function; where two of them have one,
 * model/env.h decides. Lambda Developer Guide, "configuration-envvars"; what the runtimes have besides: recorded on Lambda.
 */
#ifndef FN_ENV_VARIABLES_H
#define FN_ENV_VARIABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "image/runtimes.h"
#include "model/function.h"
#include "env/credentials.h"
#include "env/platform.h"

/* A NULL-terminated vector of strings that grows; v is the owner's to free. No memory: `failed`, once and for all. */
struct fn_strings {
	char **v;
	size_t n;
	bool failed;
};
void fn_strings_add(struct fn_strings *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct fn_variables {
	const struct fn_function *function;
	const struct fn_runtime *runtime;
	const char *region, *log_stream;
	const char *initialization; /* AWS_LAMBDA_INITIALIZATION_TYPE */
	const struct fn_credentials *credentials;
	const struct fn_platform_host *platform; /* NULL: it has no platform endpoint */
	const struct fn_role *role;              /* NULL: its role is not configured */
};

/* NAME=value, in the place of a value that the name has already. */
void fn_variables_set(struct fn_strings *s, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What is the same for all functions of a runtime: what it begins with when it is started ahead. */
void fn_variables_common(struct fn_strings *s, const struct fn_runtime *rt);
/* All of it. */
void fn_variables_make(const struct fn_variables *v, struct fn_strings *ret);

#endif
