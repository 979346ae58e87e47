/* filter_match.c - does an event match: see filter.h. */
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "logs/filter_internal.h"
#include "web/json_load.h"

#define STEPS_MAX 100000u
#define FIELDS_MAX 1024u

static bool regex_matches(const struct fn_log_operand *o, const char *text, size_t len)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	pcre2_match_context *context = data ? pcre2_match_context_create(NULL) : NULL;
	int r = PCRE2_ERROR_NOMEMORY;

	if (context) {
		pcre2_set_match_limit(context, STEPS_MAX);
		r = pcre2_match(o->regex, (PCRE2_SPTR)text, len, 0, 0, data, context);
	}
	pcre2_match_context_free(context);
	pcre2_match_data_free(data);
	return r >= 0;
}

/* All of the text, with * for anything in the pattern. */
static bool wild_matches(const char *p, size_t plen, const char *t, size_t tlen)
{
	const char *pend = p + plen, *tend = t + tlen, *star = NULL, *again = NULL;

	while (t < tend) {
		if (p < pend && *p == '*') {
			star = ++p;
			again = t;
		} else if (p < pend && *p == *t) {
			p++;
			t++;
		} else if (star) {
			p = star;
			t = ++again;
		} else {
			return false;
		}
	}
	while (p < pend && *p == '*')
		p++;
	return p == pend;
}

static bool compare(enum fn_log_op op, double a, double b)
{
	switch (op) {
	case FN_LOG_EQ:
		return a == b;
	case FN_LOG_NE:
		return a != b;
	case FN_LOG_LT:
		return a < b;
	case FN_LOG_GT:
		return a > b;
	case FN_LOG_LE:
		return a <= b;
	case FN_LOG_GE:
		return a >= b;
	}
	return false;
}

static bool text_is(const struct fn_log_operand *o, const char *text, size_t len)
{
	return o->kind == FN_LOG_REGEX ? regex_matches(o, text, len) : wild_matches(o->text, o->len, text, len);
}

/* --- JSON --- */
static bool value_matches(const struct fn_log_node *n, const json_t *v)
{
	const struct fn_log_operand *o = &n->operand;
	char *printed;
	bool is;

	switch (o->kind) {
	case FN_LOG_NULL:
		return json_is_null(v);
	case FN_LOG_TRUE:
		return json_is_true(v);
	case FN_LOG_FALSE:
		return json_is_false(v);
	case FN_LOG_ABSENT:
		return n->op == FN_LOG_NE;
	default:
		break;
	}
	if (json_is_object(v) || json_is_array(v) || json_is_null(v))
		return false;
	if (o->kind == FN_LOG_NUMBER && json_is_number(v))
		return compare(n->op, json_number_value(v), o->number);
	if (n->op > FN_LOG_NE)
		return false;
	if (json_is_string(v)) {
		is = text_is(o, json_string_value(v), json_string_length(v));
	} else { /* as it is printed */
		printed = json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
		is = printed && text_is(o, printed, strlen(printed));
		free(printed);
	}
	return is == (n->op == FN_LOG_EQ);
}

/* From a step on; of what [*] stands for any one will do. */
static bool select_matches(const struct fn_log_node *n, size_t step, const json_t *v)
{
	const struct fn_log_step *s = &n->steps[step];
	const json_t *e;
	size_t i;

	if (step == n->n_steps)
		return value_matches(n, v);
	if (!s->name && s->index < 0) {
		json_array_foreach((json_t *)v, i, e)
			if (select_matches(n, step + 1, e))
				return true;
		return false;
	}
	e = s->name ? json_object_get(v, s->name) : json_array_get(v, (size_t)s->index);
	if (!e)
		return n->operand.kind == FN_LOG_ABSENT && n->op == FN_LOG_EQ;
	return select_matches(n, step + 1, e);
}

static bool json_matches(const struct fn_log_filter *f, unsigned i, const json_t *event)
{
	const struct fn_log_node *n = &f->nodes[i];

	if (n->kind == FN_LOG_AND)
		return json_matches(f, n->left, event) && json_matches(f, n->right, event);
	if (n->kind == FN_LOG_OR)
		return json_matches(f, n->left, event) || json_matches(f, n->right, event);
	return select_matches(n, 0, event);
}

static bool match_json(const struct fn_log_filter *f, const char *text, size_t len)
{
	json_t *event;
	bool matches;

	while (len > 0 && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	if (len == 0 || *text != '{')
		return false;
	event = fn_json_load(text, len, 0);
	matches = json_is_object(event) && json_matches(f, f->root, event);
	json_decref(event);
	return matches;
}

/* --- fields --- */
struct field {
	const char *text;
	size_t len;
};

/* "..." and [...] are one field, without what is around them. */
static size_t split(const char *p, size_t len, struct field *fields, size_t max)
{
	const char *end = p + len;
	size_t n = 0;

	while (n < max) {
		const char *from, *close;

		while (p < end && isspace((unsigned char)*p))
			p++;
		if (p == end)
			return n;
		close = *p == '"' ? memchr(p + 1, '"', (size_t)(end - p - 1)) : *p == '[' ? memchr(p + 1, ']', (size_t)(end - p - 1)) : NULL;
		from = p;
		if (close) {
			fields[n++] = (struct field){from + 1, (size_t)(close - from - 1)};
			p = close + 1;
			continue;
		}
		while (p < end && !isspace((unsigned char)*p))
			p++;
		fields[n++] = (struct field){from, (size_t)(p - from)};
	}
	return max;
}

static bool field_matches(const struct fn_log_node *n, const struct field *f)
{
	char text[64], *end;
	double number;

	if (n->operand.kind == FN_LOG_NUMBER && f->len < sizeof(text)) {
		memcpy(text, f->text, f->len);
		text[f->len] = '\0';
		number = strtod(text, &end);
		if (end != text && *end == '\0')
			return compare(n->op, number, n->operand.number);
	}
	return n->op <= FN_LOG_NE && text_is(&n->operand, f->text, f->len) == (n->op == FN_LOG_EQ);
}

static bool fields_match(const struct fn_log_filter *f, unsigned i, const struct field *fields, size_t n_fields)
{
	const struct fn_log_node *n = &f->nodes[i];
	size_t at = n->field;

	if (n->kind == FN_LOG_AND)
		return fields_match(f, n->left, fields, n_fields) && fields_match(f, n->right, fields, n_fields);
	if (n->kind == FN_LOG_OR)
		return fields_match(f, n->left, fields, n_fields) || fields_match(f, n->right, fields, n_fields);
	if (f->open && at >= f->before)
		at = n_fields - (f->n_fields - at);
	return field_matches(n, &fields[at]);
}

static bool match_fields(const struct fn_log_filter *f, const char *text, size_t len)
{
	struct field fields[FIELDS_MAX];
	size_t n = split(text, len, fields, FIELDS_MAX);

	if (f->open ? n < f->n_fields : n != f->n_fields)
		return false;
	return !f->conditions || fields_match(f, f->root, fields, n);
}

/* --- terms --- */
static bool has(const struct fn_log_operand *o, const char *text, size_t len)
{
	return o->kind == FN_LOG_REGEX ? regex_matches(o, text, len) : memmem(text, len, o->text, o->len) != NULL;
}

static bool match_terms(const struct fn_log_filter *f, const char *text, size_t len)
{
	for (size_t i = 0; i < f->n_terms; i++) {
		const struct fn_log_term *t = &f->terms[i];

		if (f->any_only && has(&t->operand, text, len))
			return true;
		if (t->kind != FN_LOG_ANY && has(&t->operand, text, len) != (t->kind == FN_LOG_MUST))
			return false;
	}
	return !f->any_only;
}

bool fn_log_filter_matches(const struct fn_log_filter *f, const char *text, size_t len)
{
	if (!f)
		return true;
	if (f->kind == FN_LOG_TERMS)
		return match_terms(f, text, len);
	return f->kind == FN_LOG_JSON ? match_json(f, text, len) : match_fields(f, text, len);
}
