/*
 * json_scan.h - is this text one JSON value (RFC 8259)? Builds nothing: events are checked on the path of every invocation.
 */
#ifndef FN_WEB_JSON_SCAN_H
#define FN_WEB_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* On false *ret_at (if asked) is the offset of the first byte that cannot be. Nesting deeper than 512 is refused. */
bool fn_json_valid(const char *text, size_t len, size_t *ret_at);

#endif
