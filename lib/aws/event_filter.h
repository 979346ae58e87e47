/*
 * event_filter.h - FilterCriteria of an event source mapping: which records the function is to have. Pure.
 * Source: Lambda Developer Guide, "Control which events Lambda sends to your function".
 *
 * A record is had if any of the filters matches it. Beside a record's other members a filter may ask for its content ("body" of SQS): as JSON
 * ({"body": {"a": [1]}}), for content that is a JSON object or array, or as text ({"body": ["x"]}), for any other. Content of the other kind does not match.
 */
#ifndef FN_AWS_EVENT_FILTER_H
#define FN_AWS_EVENT_FILTER_H

#include <jansson.h>
#include <stdbool.h>

#define FN_EVENT_FILTERS_MAX 10u

struct fn_event_filter;

/* criteria: {"Filters": [{"Pattern": text}, ...]}, already of these types; NULL or an empty list: everything matches, *ret is NULL. content: the member's
 * name, which lives as long ("body"). -EINVAL: a pattern is none, or there are more than FN_EVENT_FILTERS_MAX; -ENOMEM. */
int fn_event_filter_compile(const json_t *criteria, const char *content, struct fn_event_filter **ret);
void fn_event_filter_free(struct fn_event_filter *f); /* NULL is fine */
/* Does a filter ask for the content? If none does, it need not be among the record's members. */
bool fn_event_filter_wants_content(const struct fn_event_filter *f);
/* record: what is asked for, without the content, which is text of len bytes. Its member of that name is set here. f NULL: true. */
bool fn_event_filter_matches(const struct fn_event_filter *f, json_t *record, const char *text, size_t len);

#endif
