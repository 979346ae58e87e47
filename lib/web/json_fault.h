/*
 * json_fault.h - why a text is no JSON, in the words of the parser behind Lambda (Jackson), which clients show: "Unexpected character ('x' (code 120)): ...",
 * the place, and the text itself as far as it is short. For texts that fn_json_valid() has refused: nothing here is on the path of an invocation.
 */
#ifndef FN_WEB_JSON_FAULT_H
#define FN_WEB_JSON_FAULT_H

#include "base/buf.h"

/* Adds the reason; what has none (it is JSON) adds nothing. The result is UTF-8. */
int fn_json_fault(const char *text, size_t len, struct fn_buf *ret);

#endif
