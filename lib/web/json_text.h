/* json_text.h - JSON, written. */
#ifndef FN_WEB_JSON_TEXT_H
#define FN_WEB_JSON_TEXT_H

#include "base/buf.h"

/* A string with its quotes. What is no UTF-8 becomes U+FFFD. -ENOMEM. */
int fn_json_add_string(struct fn_buf *b, const char *text, size_t len);
/* The same of what is known to be UTF-8. */
int fn_json_add_utf8(struct fn_buf *b, const char *text, size_t len);

#endif
