/* configuration.h - the members that CreateFunction and UpdateFunctionConfiguration share, checked and put into a snapshot. */
#ifndef FN_API_CONFIGURATION_H
#define FN_API_CONFIGURATION_H

#include "api/internal.h"
#include "base/buf.h"

/* Violations of the model, gathered: they are answered together. */
struct fn_checks {
	unsigned n;
	struct fn_buf text;
};

void fn_check_fail(struct fn_checks *c, const char *value, const char *member, const char *constraint);
/* Replies and returns false when anything was gathered. Frees. */
bool fn_checks_pass(struct fn_checks *c, struct fn_call *call);

/* Applies the members present in `in` to f. Replies and returns false on a violation. */
bool fn_configuration_apply(struct fn_call *call, json_t *in, struct fn_function *f, bool create);
/* Sets fresh revision and modification time. */
void fn_function_touch(struct fn_function *f);
/* Parses the request body as a JSON object; replies and returns NULL when it is none. */
json_t *fn_call_json(struct fn_call *call);
/* A member of the request that must be a string when it is there; *ret NULL = absent or null. Replies and returns false otherwise. */
bool fn_call_text(struct fn_call *call, json_t *in, const char *key, const char **ret);

#endif
