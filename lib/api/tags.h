/* tags.h - a function's tags. */
#ifndef FN_API_TAGS_H
#define FN_API_TAGS_H

#include "api/internal.h"

/* Adds the request's Tags, if it has any, to f's. Replies and returns false when they are not acceptable. */
bool fn_tags_apply(struct fn_call *call, struct fn_function *f);

#endif
