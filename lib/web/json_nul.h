/*
 * json_nul.h - a request's JSON, of which some strings may hold U+0000 (a log line, say) and the rest may not: C's strings end at it, so only what is read with
 * its length (json_string_length()) may have it.
 */
#ifndef FN_WEB_JSON_NUL_H
#define FN_WEB_JSON_NUL_H

#include <jansson.h>
#include <stddef.h>

/*
 * As json_loadb(). `with_nul`: the names of the members, wherever they are, whose strings may have it, and NULL at the end; or NULL, none. A string that has it and may
 * not is a fault like others: NULL, and je->text says which. The caller owns the result. In any thread.
 */
json_t *fn_json_load_nul(const char *text, size_t len, size_t flags, const char *const *with_nul, json_error_t *je);

/* The same of what has been read in another way: the member whose string has U+0000 and may not, or NULL. It is the value's. */
const char *fn_json_nul(const json_t *in, const char *const *with_nul);

#endif
