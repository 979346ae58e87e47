/*
 * json_load.h - json_loadb() for what people's functions and clients write: a text that is JSON (RFC 8259) is read, also where jansson has no value for a part of it. A number
 * beyond its range is the nearest that it has (an integer of more than 18 digits a real one), half of a surrogate pair is U+FFFD, and so is U+0000 in a member's name.
 */
#ifndef FN_WEB_JSON_LOAD_H
#define FN_WEB_JSON_LOAD_H

#include <jansson.h>
#include <stddef.h>

/* flags: as json_loadb()'s; JSON_ALLOW_NUL is always there, so that strings may have U+0000: read them with their length. NULL: it is no JSON, or nested deeper than 1,000, or there
 * is no memory. The caller owns the result. In any thread. */
json_t *fn_json_load(const char *text, size_t len, size_t flags);

#endif
