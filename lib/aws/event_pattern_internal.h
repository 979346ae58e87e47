/* event_pattern_internal.h - a compiled pattern, for what compiles it (event_pattern.c), matches it (event_match.c) and what knows of a message's content
 * (event_filter.c). */
#ifndef FN_AWS_EVENT_PATTERN_INTERNAL_H
#define FN_AWS_EVENT_PATTERN_INTERNAL_H

#include <stdint.h>

#include "aws/event_pattern.h"

enum fn_match_kind { FN_MATCH_STRING, FN_MATCH_NUMBER, FN_MATCH_TRUE, FN_MATCH_FALSE, FN_MATCH_NULL, FN_MATCH_PREFIX, FN_MATCH_SUFFIX, FN_MATCH_IGNORE_CASE,
		     FN_MATCH_PREFIX_IGNORE_CASE, FN_MATCH_SUFFIX_IGNORE_CASE, FN_MATCH_WILDCARD, FN_MATCH_NUMERIC, FN_MATCH_CIDR, FN_MATCH_EXISTS, FN_MATCH_ABSENT, FN_MATCH_ANYTHING_BUT };

struct fn_number {
	bool whole;
	int64_t i;
	double d; /* always */
};

struct fn_match {
	enum fn_match_kind kind;
	union {
		struct {
			char *s; /* WILDCARD: its parts, each followed by a NUL, escapes undone */
			size_t len;
			unsigned parts;
		} text;
		struct fn_number number;
		struct {
			bool has_low, has_high, low_open, high_open;
			struct fn_number low, high;
		} range;
		struct {
			uint8_t net[16];
			unsigned bits;
			bool v6;
		} cidr;
		struct {
			struct fn_match *v; /* none of these */
			size_t n;
		} but;
	};
};

struct fn_match_node {
	struct fn_match_field *fields;
	size_t n_fields;
	struct fn_match_or {
		struct fn_match_node *nodes;
		size_t n;
	} *ors;
	size_t n_ors;
	bool absence; /* nothing in it asks for a value, only for there being none */
};

struct fn_match_field {
	char *name;
	struct fn_match *leaf; /* any of these; NULL = none */
	size_t n_leaf;
	struct fn_match_node *node; /* and this; NULL = none */
	bool content; /* of a filter: leaf wants text, node wants JSON, and another than that is no match, whatever they say of absence */
};

struct fn_event_pattern {
	struct fn_match_node root;
};

#endif
