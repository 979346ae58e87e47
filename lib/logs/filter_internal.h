/* filter_internal.h - a pattern, parsed: shared by filter.c (its grammar) and filter_match.c. */
#ifndef FN_LOGS_FILTER_INTERNAL_H
#define FN_LOGS_FILTER_INTERNAL_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>
#include <stddef.h>

#include "logs/filter.h"

#define FN_LOG_FILTER_NODES 256u /* a pattern has at most 1,024 characters */

/* What a term, a value or a field is compared with. */
struct fn_log_operand {
	enum { FN_LOG_TEXT, FN_LOG_NUMBER, FN_LOG_REGEX, FN_LOG_NULL, FN_LOG_TRUE, FN_LOG_FALSE, FN_LOG_ABSENT } kind;
	char *text;       /* of a value: with * for anything */
	size_t len;
	double number;
	pcre2_code *regex;
};

enum fn_log_op { FN_LOG_EQ, FN_LOG_NE, FN_LOG_LT, FN_LOG_GT, FN_LOG_LE, FN_LOG_GE };

/* One step of a selector: .name, [n] or [*]. */
struct fn_log_step {
	char *name; /* NULL: an index */
	long index; /* -1: any */
};

struct fn_log_node {
	enum { FN_LOG_AND, FN_LOG_OR, FN_LOG_TEST } kind;
	unsigned left, right;  /* AND, OR: nodes */
	struct fn_log_step *steps; /* TEST in JSON */
	size_t n_steps;
	unsigned field;        /* TEST of a field */
	enum fn_log_op op;
	struct fn_log_operand operand;
};

struct fn_log_term {
	enum { FN_LOG_MUST, FN_LOG_MUST_NOT, FN_LOG_ANY } kind;
	struct fn_log_operand operand;
};

struct fn_log_filter {
	enum { FN_LOG_TERMS, FN_LOG_JSON, FN_LOG_FIELDS } kind;
	struct fn_log_term *terms;
	size_t n_terms, n_nodes;
	bool any_only;             /* every term has a '?' */
	struct fn_log_node *nodes; /* JSON, and the conditions on fields */
	unsigned root;
	size_t n_fields;           /* named, "..." not counted */
	bool open;                 /* "..." was among them: */
	size_t before;             /* fields in front of it */
	bool conditions;           /* FIELDS: root is a node */
};

#endif
