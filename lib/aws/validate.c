/* validate.c - see validate.h. conform() is the deserializer, check() the constraints, print_*() the service's way to write values and rules. */
#include "aws/validate.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "aws/pattern.h"
#include "base/cleanup.h"
#include "base/str.h"

#define NOT_NULL "Member must not be null"
#define PATH_MAX_LEN 256 /* members' names, their depth and the numbers of lists are bounded by the model and the body's size */

static void decref(json_t **j) { json_decref(*j); }

/* --- types --- */
static bool mistyped(struct fn_buf *why, const char *text, const char *wanted)
{
	(void)fn_buf_addf(why, "%s%s%s", text, wanted ? " can not be converted to " : "", wanted ? wanted : "");
	return false;
}

static const char *token(const json_t *v)
{
	return json_is_string(v) ? "STRING_VALUE" : json_is_number(v) ? "NUMBER_VALUE" : json_is_true(v) ? "TRUE_VALUE" : "FALSE_VALUE";
}

static bool conform_scalar(const json_t *v, const struct fn_aws_shape *s, struct fn_buf *why)
{
	if (json_is_array(v))
		return mistyped(why, "Start of list found where not expected", NULL);
	if (json_is_object(v))
		return mistyped(why, "Start of structure or map found where not expected.", NULL);
	switch (s->type) {
	case FN_AWS_INTEGER:
		return json_is_number(v) || mistyped(why, token(v), "an Integer");
	case FN_AWS_DOUBLE:
		return json_is_number(v) || mistyped(why, token(v), "a Double");
	case FN_AWS_BOOLEAN:
		return json_is_boolean(v) || mistyped(why, token(v), "a Boolean");
	case FN_AWS_TIMESTAMP:
		return json_is_number(v) || json_is_string(v) || mistyped(why, token(v), "a Timestamp");
	default:
		return json_is_string(v) || mistyped(why, token(v), "a String");
	}
}

/* What a whole number has behind its point is cut off. */
static json_t *whole(const json_t *v)
{
	double d = json_real_value(v);

	return json_integer(d >= 9e18 ? INT64_MAX : d <= -9e18 ? INT64_MIN : (json_int_t)d);
}

static bool conform(json_t *v, const struct fn_aws_shape *s, struct fn_buf *why);

static bool conform_entry(json_t *in, const char *key, json_t *v, const struct fn_aws_shape *s, struct fn_buf *why)
{
	if (s->type == FN_AWS_INTEGER && json_is_real(v))
		return json_object_set_new(in, key, whole(v)) == 0;
	return json_is_null(v) || conform(v, s, why);
}

static bool conform_object(json_t *v, const struct fn_aws_shape *s, struct fn_buf *why)
{
	const struct fn_aws_shape *to;
	const char *k;
	json_t *e;
	void *tmp;

	if (json_is_array(v))
		return mistyped(why, "Start of list found where not expected", NULL);
	if (!json_is_object(v))
		return mistyped(why, "Expected null", NULL);
	json_object_foreach_safe(v, tmp, k, e) {
		to = s->value;
		for (unsigned i = 0; i < s->n_members && !to; i++)
			if (strcmp(s->members[i].name, k) == 0)
				to = s->members[i].shape;
		if (s->type == FN_AWS_STRUCTURE && json_is_null(e))
			(void)json_object_del(v, k);
		else if (to && !conform_entry(v, k, e, to, why))
			return false;
	}
	return true;
}

static bool conform(json_t *v, const struct fn_aws_shape *s, struct fn_buf *why)
{
	json_t *e;
	size_t i;

	if (s->type == FN_AWS_STRUCTURE || s->type == FN_AWS_MAP)
		return conform_object(v, s, why);
	if (s->type != FN_AWS_LIST)
		return conform_scalar(v, s, why);
	if (json_is_object(v))
		return mistyped(why, "Start of structure or map found where not expected.", NULL);
	if (!json_is_array(v))
		return mistyped(why, "Expected list or null", NULL);
	json_array_foreach(v, i, e)
		if (!json_is_null(e) && !conform(e, s->value, why))
			return false;
	return true;
}

/* --- values, as Java prints them --- */
static void print_name(struct fn_buf *b, const char *name)
{
	char first = (char)tolower((unsigned char)name[0]);

	(void)fn_buf_add(b, &first, 1);
	(void)fn_buf_add_str(b, name + 1);
}

static void print_number(struct fn_buf *b, double d, bool as_double)
{
	char text[40];

	if (!as_double && fabs(d) < 9e15) {
		(void)fn_buf_addf(b, "%.0f", d);
		return;
	}
	snprintf(text, sizeof(text), "%.15g", d);
	(void)fn_buf_addf(b, "%s%s", text, strpbrk(text, ".en") ? "" : ".0");
}

static void print_value(struct fn_buf *b, const json_t *v, const struct fn_aws_shape *s)
{
	const char *k, *between = "";
	json_t *e;
	size_t n;

	if (!v || json_is_null(v)) {
		(void)fn_buf_add_str(b, "null");
	} else if (json_is_string(v)) {
		(void)fn_buf_add(b, json_string_value(v), json_string_length(v));
	} else if (json_is_integer(v) && s->type != FN_AWS_DOUBLE) {
		(void)fn_buf_addf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	} else if (json_is_number(v)) {
		print_number(b, json_number_value(v), true);
	} else if (json_is_boolean(v)) {
		(void)fn_buf_add_str(b, json_is_true(v) ? "true" : "false");
	} else if (s->type == FN_AWS_STRUCTURE) {
		(void)fn_buf_addf(b, "%s(", s->name);
		for (unsigned i = 0; i < s->n_members; i++, between = ", ") {
			(void)fn_buf_add_str(b, between);
			print_name(b, s->members[i].name);
			(void)fn_buf_add_str(b, "=");
			print_value(b, json_object_get(v, s->members[i].name), s->members[i].shape);
		}
		(void)fn_buf_add_str(b, ")");
	} else if (s->type == FN_AWS_MAP) {
		(void)fn_buf_add_str(b, "{");
		json_object_foreach((json_t *)v, k, e) {
			(void)fn_buf_addf(b, "%s%s=", between, k);
			print_value(b, e, s->value);
			between = ", ";
		}
		(void)fn_buf_add_str(b, "}");
	} else {
		(void)fn_buf_add_str(b, "[");
		json_array_foreach(v, n, e) {
			(void)fn_buf_add_str(b, n ? ", " : "");
			print_value(b, e, s->value);
		}
		(void)fn_buf_add_str(b, "]");
	}
}

/* --- rules, as messages print them --- */
static void print_bound(struct fn_buf *b, const struct fn_aws_shape *s, bool upper)
{
	bool number = s->type == FN_AWS_INTEGER || s->type == FN_AWS_DOUBLE;

	(void)fn_buf_addf(b, "Member must have %s %s than or equal to ", number ? "value" : "length", upper ? "less" : "greater");
	print_number(b, upper ? s->max : s->min, s->type == FN_AWS_DOUBLE);
}

static void print_form(struct fn_buf *b, const struct fn_aws_shape *s)
{
	if (s->pattern)
		(void)fn_buf_addf(b, "Member must satisfy regular expression pattern: %s", fn_aws_patterns[s->pattern - 1]);
	else
		(void)fn_buf_addf(b, "Member must satisfy enum value set: [%s]", s->values);
}

/* All there are for the entries of a list or map: "[.., .., Member must not be null]". */
static void print_rules(struct fn_buf *b, const struct fn_aws_shape *s, bool nullable)
{
	const char *between = "";

	(void)fn_buf_add_str(b, "[");
	if (s->has_max) {
		print_bound(b, s, true);
		between = ", ";
	}
	if (s->has_min) {
		(void)fn_buf_add_str(b, between);
		print_bound(b, s, false);
		between = ", ";
	}
	if (s->pattern || s->values) {
		(void)fn_buf_add_str(b, between);
		print_form(b, s);
		between = ", ";
	}
	if (s->value && s->type == FN_AWS_LIST) {
		(void)fn_buf_addf(b, "%sMember must satisfy constraint: ", between);
		print_rules(b, s->value, s->sparse);
		between = ", ";
	}
	if (!nullable)
		(void)fn_buf_addf(b, "%s" NOT_NULL, between);
	(void)fn_buf_add_str(b, "]");
}

/* --- constraints --- */
struct check {
	struct fn_buf text;
	unsigned n;
	bool untold; /* IAM says of no value what it was */
};

/* "Value '..' at '..' failed to satisfy constraint: "; the rule follows. */
static struct fn_buf *violation(struct check *c, const json_t *v, const struct fn_aws_shape *s, const char *at)
{
	if (c->n++ > 0)
		(void)fn_buf_add_str(&c->text, "; ");
	(void)fn_buf_add_str(&c->text, "Value");
	if (!v && !c->untold) {
		(void)fn_buf_add_str(&c->text, " null");
	} else if (v && !s->sensitive && !c->untold) {
		(void)fn_buf_add_str(&c->text, " '");
		print_value(&c->text, v, s);
		(void)fn_buf_add_str(&c->text, "'");
	}
	(void)fn_buf_addf(&c->text, " at '%s' failed to satisfy constraint: ", at);
	return &c->text;
}

static double measure(const json_t *v, const struct fn_aws_shape *s)
{
	size_t n = 0;

	switch (s->type) {
	case FN_AWS_INTEGER:
	case FN_AWS_DOUBLE:
		return json_number_value(v);
	case FN_AWS_LIST:
		return (double)json_array_size(v);
	case FN_AWS_MAP:
		return (double)json_object_size(v);
	case FN_AWS_BLOB: /* in base64 */
		return (double)(json_string_length(v) / 4 * 3);
	default:
		for (const char *p = json_string_value(v), *end = p + json_string_length(v); p < end; p++) /* there may be U+0000 in it */
			n += (*p & 0xc0) != 0x80;
		return (double)n;
	}
}

static bool too_large(const json_t *v, const struct fn_aws_shape *s) { return s->has_max && measure(v, s) > s->max; }
static bool too_small(const json_t *v, const struct fn_aws_shape *s) { return s->has_min && measure(v, s) < s->min; }

static bool among(const char *value, const char *set)
{
	size_t n = strlen(value);

	for (const char *p = set; *p; p += strcspn(p, ","), p += *p ? 2 : 0)
		if (strcspn(p, ",") == n && memcmp(p, value, n) == 0)
			return true;
	return false;
}

static bool formed(const json_t *v, const struct fn_aws_shape *s)
{
	const char *text = json_string_value(v);

	if (!text)
		return true;
	return s->pattern ? fn_aws_pattern_matches(s->pattern, text, json_string_length(v)) : !s->values || among(text, s->values);
}

/* An entry of a list or map whose rules are listed together. */
static bool entry_ok(const json_t *v, const struct fn_aws_shape *s, bool nullable)
{
	json_t *e;
	size_t i;

	if (json_is_null(v))
		return nullable;
	if (too_large(v, s) || too_small(v, s) || !formed(v, s))
		return false;
	if (s->type == FN_AWS_LIST)
		json_array_foreach(v, i, e)
			if (!entry_ok(e, s->value, s->sparse))
				return false;
	return true;
}

static void check_members(struct check *c, const json_t *in, const struct fn_aws_member *members, unsigned n, const char *at);

static void check_list(struct check *c, const json_t *v, const struct fn_aws_shape *s, const char *at)
{
	char within[PATH_MAX_LEN];
	json_t *e;
	size_t i;

	json_array_foreach(v, i, e) {
		if (s->value->type == FN_AWS_STRUCTURE && json_is_object(e)) {
			snprintf(within, sizeof(within), "%s.%zu.member", at, i + 1);
			check_members(c, e, s->value->members, s->value->n_members, within);
		} else if (!entry_ok(e, s->value, s->sparse)) {
			(void)violation(c, v, s, at);
			if (s->bare) {
				print_form(&c->text, s->value);
			} else {
				(void)fn_buf_add_str(&c->text, "Member must satisfy constraint: ");
				print_rules(&c->text, s->value, s->sparse);
			}
			return;
		}
	}
}

static void check_map(struct check *c, const json_t *v, const struct fn_aws_shape *s, const char *at)
{
	bool keys = true, values = true;
	const char *k;
	json_t *e;

	json_object_foreach((json_t *)v, k, e) {
		fn_auto(decref) json_t *key = json_string(k);

		keys = keys && entry_ok(key, s->key, s->sparse);
		values = values && entry_ok(e, s->value, s->sparse);
	}
	if (!keys) {
		(void)fn_buf_add_str(violation(c, v, s, at), "Map keys must satisfy constraint: ");
		print_rules(&c->text, s->key, s->sparse);
	}
	if (!values) {
		(void)fn_buf_add_str(violation(c, v, s, at), "Map value must satisfy constraint: ");
		print_rules(&c->text, s->value, s->sparse);
	}
}

static void check(struct check *c, const json_t *v, const struct fn_aws_shape *s, const char *at)
{
	if (too_large(v, s))
		print_bound(violation(c, v, s, at), s, true);
	if (too_small(v, s))
		print_bound(violation(c, v, s, at), s, false);
	if (!formed(v, s))
		print_form(violation(c, v, s, at), s);
	if (s->type == FN_AWS_LIST)
		check_list(c, v, s, at);
	else if (s->type == FN_AWS_MAP)
		check_map(c, v, s, at);
	else if (s->type == FN_AWS_STRUCTURE)
		check_members(c, v, s->members, s->n_members, at);
}

static void check_member(struct check *c, const json_t *v, const struct fn_aws_member *m, const char *within)
{
	char at[PATH_MAX_LEN];

	snprintf(at, sizeof(at), "%s%s%c%s", within, *within ? "." : "", tolower((unsigned char)m->name[0]), m->name + 1);
	if (v && !json_is_null(v))
		check(c, v, m->shape, at);
	else if (m->required)
		(void)fn_buf_add_str(violation(c, NULL, m->shape, at), NOT_NULL);
}

static void check_members(struct check *c, const json_t *in, const struct fn_aws_member *members, unsigned n, const char *within)
{
	for (unsigned i = 0; i < n; i++)
		check_member(c, json_object_get(in, members[i].name), &members[i], within);
}

/* --- what is not in the body is text --- */
static json_t *read_text(const char *text, const struct fn_aws_shape *s, struct fn_buf *why)
{
	int64_t n;

	switch (s->type) {
	case FN_AWS_INTEGER:
		if (fn_str_to_i64(text, INT64_MIN, INT64_MAX, &n) == 0)
			return json_integer(n);
		mistyped(why, "STRING_VALUE", "an Integer");
		return NULL;
	case FN_AWS_BOOLEAN:
		if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0)
			return json_boolean(strcasecmp(text, "true") == 0);
		mistyped(why, "STRING_VALUE", "a Boolean");
		return NULL;
	default:
		return json_string(text);
	}
}

/* All of the name; NULL with nothing in `why`: there is none. */
static json_t *read_list(const char *query, const char *wire, const struct fn_aws_shape *s, struct fn_buf *why)
{
	json_t *list = NULL;

	for (unsigned nth = 0;; nth++) {
		fn_auto_buf struct fn_buf text = {0};

		if (fn_aws_query(query, wire, nth, &text) < 0)
			return list;
		if (!list)
			list = json_array();
		if (json_array_append_new(list, read_text(text.data ? text.data : "", s->value, why)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
}

static json_t *read_member(const struct fn_aws_request *r, const struct fn_aws_member *m, unsigned *label, struct fn_buf *why)
{
	const char *wire = m->wire ? m->wire : m->name, *text = NULL;
	fn_auto_buf struct fn_buf b = {0};
	int found = -1;

	if (m->place == FN_AWS_IN_QUERY && m->shape->type == FN_AWS_LIST)
		return read_list(r->query, wire, m->shape, why);
	if (m->place == FN_AWS_IN_QUERY) {
		found = fn_aws_query(r->query, wire, 0, &b);
	} else if (m->place == FN_AWS_IN_URI && *label < r->labels->n) {
		found = fn_aws_decode(&b, r->labels->at[*label].text, r->labels->at[*label].len, false);
		++*label;
	} else if (m->place == FN_AWS_IN_HEADER && (text = r->header(r->arg, wire))) {
		found = fn_buf_add_utf8(&b, text, strlen(text));
	}
	return found < 0 ? NULL : read_text(b.data ? b.data : "", m->shape, why);
}

enum fn_aws_verdict fn_aws_validate(const struct fn_aws_operation *o, const struct fn_aws_request *r, struct fn_buf *why)
{
	const struct fn_aws_shape input = {.type = FN_AWS_STRUCTURE, .members = o->members, .n_members = o->n_members};
	fn_auto(decref) json_t *apart = json_object(); /* by the model's names, like the body */
	struct check c = {.untold = o->service == FN_AWS_IAM};
	unsigned label = 0;

	if (!apart || (o->json && r->body && !conform(r->body, &input, why)))
		return FN_AWS_UNREADABLE;
	for (unsigned i = 0; i < o->n_members; i++) {
		json_t *v = o->members[i].place < FN_AWS_IN_BODY ? read_member(r, &o->members[i], &label, why) : NULL;

		if (why->len > 0 || (v && json_object_set_new(apart, o->members[i].name, v) < 0))
			return FN_AWS_UNREADABLE;
	}
	for (unsigned i = 0; i < o->n_members; i++)
		if (o->members[i].place != FN_AWS_IN_PAYLOAD)
			check_member(&c, json_object_get(o->members[i].place == FN_AWS_IN_BODY ? r->body : apart, o->members[i].name), &o->members[i], "");
	if (c.n > 0)
		(void)fn_buf_addf(why, "%u validation error%s detected: %s", c.n, c.n > 1 ? "s" : "", c.text.data ? c.text.data : "");
	fn_buf_free(&c.text);
	return c.n > 0 ? FN_AWS_INVALID : FN_AWS_VALID;
}

void fn_aws_keep_members(const struct fn_aws_operation *o, json_t *body)
{
	const char *k;
	json_t *v;
	void *tmp;

	json_object_foreach_safe(body, tmp, k, v) {
		unsigned i = 0;

		while (i < o->n_members && (o->members[i].place != FN_AWS_IN_BODY || strcmp(o->members[i].name, k) != 0))
			i++;
		if (o->n_members > 0 && i == o->n_members)
			(void)json_object_del(body, k);
	}
}
