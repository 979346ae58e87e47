/* function.c - see function.h. */
#include "model/function.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct fn_function *fn_function_new(void)
{
	struct fn_function *f = calloc(1, sizeof(*f));

	if (f)
		f->refs = 1;
	return f;
}

struct fn_function *fn_function_ref(struct fn_function *f)
{
	f->refs++;
	return f;
}

/* Every string member, so that free and clone cannot forget one. */
#define STRINGS(X)                                                                                                                \
	X(name) X(version) X(runtime) X(role) X(handler) X(description) X(architecture) X(tracing_mode) X(log_format)             \
	X(app_log_level) X(system_log_level) X(log_group) X(tags_json) X(state_reason) X(state_reason_code) X(update_reason)      \
	X(update_reason_code)

void fn_function_unref(struct fn_function *f)
{
	if (!f || --f->refs > 0)
		return;
#define FREE(m) free(f->m);
	STRINGS(FREE)
#undef FREE
	for (size_t i = 0; i < f->n_env; i++) {
		free(f->env[i].name);
		free(f->env[i].value);
	}
	free(f->env);
	free(f);
}

struct fn_function *fn_function_clone(const struct fn_function *f)
{
	struct fn_function *c = malloc(sizeof(*c));
	bool ok = true;

	if (!c)
		return NULL;
	*c = *f;
	c->refs = 1;
#define COPY(m)                                    \
	c->m = fn_strdup_opt(f->m);                \
	ok = ok && (c->m != NULL) == (f->m != NULL);
	STRINGS(COPY)
#undef COPY
	c->env = calloc(f->n_env + 1, sizeof(*c->env));
	c->n_env = c->env ? f->n_env : 0;
	ok = ok && c->env;
	for (size_t i = 0; i < c->n_env; i++) {
		c->env[i].name = strdup(f->env[i].name);
		c->env[i].value = strdup(f->env[i].value);
		ok = ok && c->env[i].name && c->env[i].value;
	}
	if (!ok) {
		fn_function_unref(c);
		return NULL;
	}
	return c;
}
