/*
 * json_scan.h - is this text one JSON value (RFC 8259)? Builds nothing: events are checked on the path of every invocation.
 */
#ifndef FN_WEB_JSON_SCAN_H
#define FN_WEB_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* On false *ret_at (if asked) is the offset of the first byte that cannot be. Nesting deeper than 1,000 is refused. */
bool fn_json_valid(const char *text, size_t len, size_t *ret_at);
/* Is it an object that has a string as this member? *ret is what is between its quotes, with its escapes; of several members of the name the
 * last one's. The member's own name may have no escapes in it. */
bool fn_json_member(const char *text, size_t len, const char *name, const char **ret, size_t *ret_len);
/* The same of a value of any kind, as it is written. */
bool fn_json_value(const char *text, size_t len, const char *name, const char **ret, size_t *ret_len);

#endif
