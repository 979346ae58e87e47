/* function.h - a version of the function "f", as little of it as a store takes. */
#ifndef TESTS_UNIT_FUNCTION_H
#define TESTS_UNIT_FUNCTION_H

#include <string.h>

#include "model/function.h"

static inline struct fn_function *unit_function(const char *version)
{
	struct fn_function *f = fn_function_new();

	f->name = strdup("f");
	f->version = strdup(version);
	f->description = strdup("");
	strcpy(f->code_sha256, "ab");
	return f;
}

#endif
