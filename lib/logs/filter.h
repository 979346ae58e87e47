/*
 * filter.h - CloudWatch Logs' filter patterns (User Guide, "Filter pattern syntax"): terms, JSON selectors, space-delimited fields. Pure.
 */
#ifndef FN_LOGS_FILTER_H
#define FN_LOGS_FILTER_H

#include <stdbool.h>
#include <stddef.h>

struct fn_log_filter;
/* An empty pattern, and one of spaces, takes everything: *ret is NULL then, which fn_log_filter_matches() understands. -EINVAL: it is no pattern;
 * -ENOMEM. */
int fn_log_filter_parse(const char *pattern, struct fn_log_filter **ret);
void fn_log_filter_free(struct fn_log_filter *f);
bool fn_log_filter_matches(const struct fn_log_filter *f, const char *text, size_t len);

#endif
