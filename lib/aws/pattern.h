/*
 * pattern.h - the service model's regular expressions. They are Java's, of which the model uses what PCRE2 understands the same way; a value must match as
 * a whole. Each is compiled when it is first asked for, and kept; any thread may ask.
 */
#ifndef FN_AWS_PATTERN_H
#define FN_AWS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* number: 1 .. FN_AWS_PATTERNS. text: UTF-8. A value that takes more than a bounded number of steps does not match. */
bool fn_aws_pattern_matches(unsigned number, const char *text, size_t len);

#endif
