/*
 * event_pattern.h - event patterns, the language of EventBridge's rules, Lambda's filters and SNS's body filters: compiled once, then matched against JSON
 * values. Pure. Source: EventBridge User Guide, "Event patterns" and "Comparison operators"; event-ruler's README, where the guide is silent.
 *
 * An object of fields; a field is an object again or a list of what its value may be: a string, a number, true, false, null, or one of
 *   {"prefix": s} {"suffix": s} (s or {"equals-ignore-case": s}) {"equals-ignore-case": s} {"wildcard": "a*b"} {"numeric": [">", 1, "<=", 2]}
 *   {"cidr": "10.0.0.0/8"} {"exists": true} {"anything-but": s, n, [..] or {"prefix" "suffix" "wildcard" "equals-ignore-case": s or [..]}}
 * Fields are ANDed, a list's entries ORed; "$or": [{..}, {..}] is one of its objects, beside its siblings. "a.b" is {"a": {"b"}}, in patterns and events.
 * Of an array in the event any element will do, the same one for all fields below it.
 */
#ifndef FN_AWS_EVENT_PATTERN_H
#define FN_AWS_EVENT_PATTERN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct fn_event_pattern;

/* -EINVAL: why gets the reason, in event-ruler's words; -ENOMEM. */
int fn_event_pattern_compile(const char *text, size_t len, struct fn_event_pattern **ret, struct fn_buf *why);
void fn_event_pattern_free(struct fn_event_pattern *p); /* NULL is fine */
/* In time that grows with the event's size times the pattern's, no worse. */
bool fn_event_pattern_matches(const struct fn_event_pattern *p, const json_t *event);

#endif
