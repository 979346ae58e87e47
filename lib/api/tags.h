/* tags.h - a function's tags. */
#ifndef FN_API_TAGS_H
#define FN_API_TAGS_H

#include "api/internal.h"

/* Adds an object of strings to f's tags (NULL or null: nothing). Replies and returns false when they are not acceptable. */
bool fn_tags_apply(struct fn_call *call, json_t *tags, struct fn_function *f);

#endif
