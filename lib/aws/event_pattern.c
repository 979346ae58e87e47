/* event_pattern.c - see event_pattern.h: from JSON to a tree of fields. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/event_pattern_internal.h"
#include "base/cleanup.h"
#include "base/str.h"

#define DEPTH_MAX 64

static int refuse(struct fn_buf *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse(struct fn_buf *why, const char *fmt, ...)
{
	va_list ap;
	int r = 0;

	va_start(ap, fmt);
	if (why)
		r = fn_buf_vaddf(why, fmt, ap);
	va_end(ap);
	return r < 0 ? r : -EINVAL;
}

/* --- what is given back --- */
static void clear_match(struct fn_match *m)
{
	switch (m->kind) {
	case FN_MATCH_STRING:
	case FN_MATCH_PREFIX:
	case FN_MATCH_SUFFIX:
	case FN_MATCH_IGNORE_CASE:
	case FN_MATCH_PREFIX_IGNORE_CASE:
	case FN_MATCH_SUFFIX_IGNORE_CASE:
	case FN_MATCH_WILDCARD:
		free(m->text.s);
		break;
	case FN_MATCH_ANYTHING_BUT:
		for (size_t i = 0; i < m->but.n; i++)
			clear_match(&m->but.v[i]);
		free(m->but.v);
		break;
	default:
		break;
	}
}

static void clear_leaf(struct fn_match_field *f)
{
	for (size_t i = 0; i < f->n_leaf; i++)
		clear_match(&f->leaf[i]);
	free(f->leaf);
	f->leaf = NULL;
	f->n_leaf = 0;
}

static void clear_node(struct fn_match_node *n)
{
	for (size_t i = 0; i < n->n_fields; i++) {
		free(n->fields[i].name);
		clear_leaf(&n->fields[i]);
		if (n->fields[i].node)
			clear_node(n->fields[i].node);
		free(n->fields[i].node);
	}
	for (size_t i = 0; i < n->n_ors; i++) {
		for (size_t k = 0; k < n->ors[i].n; k++)
			clear_node(&n->ors[i].nodes[k]);
		free(n->ors[i].nodes);
	}
	free(n->fields);
	free(n->ors);
	*n = (struct fn_match_node){0};
}

/* --- values --- */
static struct fn_number number_of(const json_t *v)
{
	return (struct fn_number){.whole = json_is_integer(v), .i = json_is_integer(v) ? json_integer_value(v) : 0, .d = json_number_value(v)};
}

static int take_text(const json_t *v, enum fn_match_kind kind, struct fn_match *m)
{
	size_t len = json_string_length(v);
	char *s = malloc(len + 1);

	if (!s)
		return -ENOMEM;
	memcpy(s, json_string_value(v), len);
	s[len] = '\0';
	*m = (struct fn_match){.kind = kind, .text = {.s = s, .len = len}};
	return 0;
}

/* Cut at each '*' that is not escaped. */
static int take_wildcard(const json_t *v, struct fn_match *m, struct fn_buf *why)
{
	size_t len = json_string_length(v), n = 0;
	const char *from = json_string_value(v);
	fn_auto_free char *s = malloc(len + 1);
	unsigned parts = 1;

	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++) {
		if (from[i] == '*') {
			if (i + 1 < len && from[i + 1] == '*')
				return refuse(why, "Consecutive wildcard characters at pos %zu", i);
			s[n++] = '\0';
			parts++;
		} else if (from[i] == '\\') {
			if (i + 1 >= len || (from[i + 1] != '*' && from[i + 1] != '\\'))
				return refuse(why, "Invalid escape character at pos %zu", i);
			s[n++] = from[++i];
		} else if (!from[i]) {
			return refuse(why, "A wildcard pattern has no NUL");
		} else {
			s[n++] = from[i];
		}
	}
	s[n] = '\0';
	*m = (struct fn_match){.kind = FN_MATCH_WILDCARD, .text = {.s = fn_take_ptr(s), .len = n, .parts = parts}};
	return 0;
}

static int take_range(const json_t *v, struct fn_match *m, struct fn_buf *why)
{
	size_t n = json_array_size(v);

	*m = (struct fn_match){.kind = FN_MATCH_NUMERIC};
	if (!json_is_array(v))
		return refuse(why, "Value of numeric must be an array.");
	if (n == 0)
		return refuse(why, "Empty arrays are not allowed");
	for (size_t i = 0; i < n; i += 2) {
		const char *op = json_string_value(json_array_get(v, i));
		const json_t *to = json_array_get(v, i + 1);
		struct fn_number x;

		if (!op)
			return refuse(why, "Invalid member in numeric match: must be an operator");
		if (i > 0 && !(m->range.has_low && !m->range.has_high && op[0] == '<'))
			return refuse(why, i >= 4 || m->range.has_high ? "Too many terms in numeric range expression" : "Bad numeric range operator: %s", op);
		if (!fn_streq(op, "=") && !fn_streq(op, "<") && !fn_streq(op, "<=") && !fn_streq(op, ">") && !fn_streq(op, ">="))
			return refuse(why, "Unrecognized numeric range operator: %s", op);
		if (!json_is_number(to))
			return refuse(why, "Value of %s must be numeric", op);
		x = number_of(to);
		if (op[0] != '<') {
			m->range.has_low = true;
			m->range.low = x;
			m->range.low_open = fn_streq(op, ">");
		}
		if (op[0] != '>') {
			m->range.has_high = true;
			m->range.high = x;
			m->range.high_open = fn_streq(op, "<");
		}
	}
	if (n == 4 && m->range.low.d >= m->range.high.d)
		return refuse(why, "Bottom must be less than top");
	return 0;
}

static int take_cidr(const json_t *v, struct fn_match *m, struct fn_buf *why)
{
	char address[64];
	const char *text = json_string_value(v), *slash = text ? strchr(text, '/') : NULL;
	int64_t bits;

	*m = (struct fn_match){.kind = FN_MATCH_CIDR};
	if (!text)
		return refuse(why, "cidr match pattern must be a string");
	if (!slash || strchr(slash + 1, '/'))
		return refuse(why, "Malformed CIDR, one '/' required");
	m->cidr.v6 = memchr(text, ':', (size_t)(slash - text)) != NULL;
	if (fn_str_format(address, sizeof(address), "%.*s", (int)(slash - text), text) < 0 || inet_pton(m->cidr.v6 ? AF_INET6 : AF_INET, address, m->cidr.net) != 1)
		return refuse(why, "Nonstandard IP address: %.*s", (int)(slash - text), text);
	if (fn_str_to_i64(slash + 1, 0, m->cidr.v6 ? 128 : 32, &bits) < 0)
		return refuse(why, "Malformed CIDR, mask bits must be an integer between 0 and %d", m->cidr.v6 ? 128 : 32);
	m->cidr.bits = (unsigned)bits;
	return 0;
}

/* --- operators --- */
static const struct text_operator {
	const char *name;
	enum fn_match_kind kind;
	int ignoring; /* the kind with {"equals-ignore-case"} for an operand; -1 = it has none */
} text_operators[] = {
	{"prefix", FN_MATCH_PREFIX, FN_MATCH_PREFIX_IGNORE_CASE},
	{"suffix", FN_MATCH_SUFFIX, FN_MATCH_SUFFIX_IGNORE_CASE},
	{"equals-ignore-case", FN_MATCH_IGNORE_CASE, -1},
	{"wildcard", FN_MATCH_WILDCARD, -1},
};

static const struct text_operator *find_text_operator(const char *name)
{
	for (size_t i = 0; i < sizeof(text_operators) / sizeof(text_operators[0]); i++)
		if (fn_streq(name, text_operators[i].name))
			return &text_operators[i];
	return NULL;
}

static int take_operand(const struct text_operator *o, const json_t *v, struct fn_match *m, struct fn_buf *why)
{
	if (json_is_object(v) && o->ignoring >= 0) {
		const json_t *text = json_object_get(v, "equals-ignore-case");

		if (json_object_size(v) != 1)
			return refuse(why, "Only one key allowed in match expression");
		if (!text)
			return refuse(why, "Unsupported %s pattern: %s", o->name, json_object_iter_key(json_object_iter((json_t *)v)));
		if (!json_is_string(text))
			return refuse(why, "equals-ignore-case match pattern must be a string");
		return take_text(text, (enum fn_match_kind)o->ignoring, m);
	}
	if (!json_is_string(v))
		return refuse(why, "%s match pattern must be a string", o->name);
	return o->kind == FN_MATCH_WILDCARD ? take_wildcard(v, m, why) : take_text(v, o->kind, m);
}

static int take_but_value(const json_t *v, bool of_numbers, struct fn_match *m, struct fn_buf *why)
{
	if (!json_is_number(v) && !json_is_string(v))
		return refuse(why, "Inside anything but list, start|null|boolean is not supported.");
	if (json_is_number(v) != of_numbers)
		return refuse(why, "Inside anything but list, either all values are number or string, mixed type is not supported");
	if (json_is_string(v))
		return take_text(v, FN_MATCH_STRING, m);
	*m = (struct fn_match){.kind = FN_MATCH_NUMBER, .number = number_of(v)};
	return 0;
}

/* operand: of {"prefix": operand}, or the list itself where there is no operator. */
static int take_but(const json_t *v, struct fn_match *m, struct fn_buf *why)
{
	const struct text_operator *o = NULL;
	const json_t *operand = v;
	size_t n;

	*m = (struct fn_match){.kind = FN_MATCH_ANYTHING_BUT};
	if (json_is_object(v)) {
		const char *name = json_object_iter_key(json_object_iter((json_t *)v));

		if (json_object_size(v) != 1)
			return refuse(why, json_object_size(v) ? "Only one key allowed in match expression" : "Empty objects are not allowed");
		o = find_text_operator(name);
		if (!o)
			return refuse(why, "Unsupported anything-but pattern: %s", name);
		operand = json_object_get(v, name);
	} else if (!json_is_array(v) && !json_is_string(v) && !json_is_number(v)) {
		return refuse(why, "Value of anything-but must be an array or single string/number value.");
	}
	if (json_is_array(operand) && json_array_size(operand) == 0)
		return refuse(why, "Empty arrays are not allowed");
	n = json_is_array(operand) ? json_array_size(operand) : 1;
	m->but.v = calloc(n, sizeof(*m->but.v));
	if (!m->but.v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_is_array(operand) ? json_array_get(operand, i) : operand;
		const json_t *first = json_is_array(operand) ? json_array_get(operand, 0) : operand;
		int r = o ? take_operand(o, one, &m->but.v[i], why) : take_but_value(one, json_is_number(first), &m->but.v[i], why);

		m->but.n += r == 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_operator(const json_t *object, struct fn_match *m, struct fn_buf *why)
{
	const char *name = json_object_iter_key(json_object_iter((json_t *)object));
	const json_t *v;
	const struct text_operator *o;

	if (json_object_size(object) != 1)
		return refuse(why, json_object_size(object) ? "Only one key allowed in match expression" : "Empty objects are not allowed");
	v = json_object_get(object, name);
	if ((o = find_text_operator(name)))
		return take_operand(o, v, m, why);
	if (fn_streq(name, "numeric"))
		return take_range(v, m, why);
	if (fn_streq(name, "cidr"))
		return take_cidr(v, m, why);
	if (fn_streq(name, "anything-but"))
		return take_but(v, m, why);
	if (!fn_streq(name, "exists"))
		return refuse(why, "Unrecognized match type %s", name);
	if (!json_is_boolean(v))
		return refuse(why, "exists match pattern must be either true or false.");
	*m = (struct fn_match){.kind = json_is_true(v) ? FN_MATCH_EXISTS : FN_MATCH_ABSENT};
	return 0;
}

static bool is_operator(const char *name)
{
	return find_text_operator(name) || fn_streq(name, "numeric") || fn_streq(name, "cidr") || fn_streq(name, "anything-but") || fn_streq(name, "exists");
}

static int take_match(const json_t *v, struct fn_match *m, struct fn_buf *why)
{
	switch (json_typeof(v)) {
	case JSON_STRING:
		return take_text(v, FN_MATCH_STRING, m);
	case JSON_INTEGER:
	case JSON_REAL:
		*m = (struct fn_match){.kind = FN_MATCH_NUMBER, .number = number_of(v)};
		return 0;
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
		*m = (struct fn_match){.kind = json_is_true(v) ? FN_MATCH_TRUE : json_is_false(v) ? FN_MATCH_FALSE : FN_MATCH_NULL};
		return 0;
	case JSON_OBJECT:
		return take_operator(v, m, why);
	case JSON_ARRAY:
		break;
	}
	return refuse(why, "Match value must be String, number, true, false, or null");
}

/* --- fields --- */
static int take_leaf(const json_t *list, struct fn_match_field *f, struct fn_buf *why)
{
	size_t n = json_array_size(list);

	if (n == 0)
		return refuse(why, "Empty arrays are not allowed");
	clear_leaf(f); /* the name stood before, dotted or not: the last one counts */
	f->leaf = calloc(n, sizeof(*f->leaf));
	if (!f->leaf)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r = take_match(json_array_get(list, i), &f->leaf[i], why);

		f->n_leaf++; /* also of what failed half way: it is cleared with the rest */
		if (r < 0)
			return r;
	}
	return 0;
}

static int field_named(struct fn_match_node *n, const char *name, size_t len, struct fn_match_field **ret)
{
	struct fn_match_field *more;

	for (size_t i = 0; i < n->n_fields; i++)
		if (strncmp(n->fields[i].name, name, len) == 0 && !n->fields[i].name[len]) {
			*ret = &n->fields[i];
			return 0;
		}
	more = realloc(n->fields, (n->n_fields + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	n->fields = more;
	more[n->n_fields] = (struct fn_match_field){.name = strndup(name, len)};
	if (!more[n->n_fields].name)
		return -ENOMEM;
	*ret = &more[n->n_fields++];
	return 0;
}

static int node_of(struct fn_match_field *f, struct fn_match_node **ret)
{
	if (!f->node)
		f->node = calloc(1, sizeof(*f->node));
	*ret = f->node;
	return f->node ? 0 : -ENOMEM;
}

/* The last field of "a.b.c"; those before it become nodes. */
static int field_at(struct fn_match_node *n, const char *name, unsigned *depth, struct fn_match_field **ret, struct fn_buf *why)
{
	for (const char *dot; (dot = strchr(name, '.')); name = dot + 1) {
		int r = field_named(n, name, (size_t)(dot - name), ret);

		if (r == 0)
			r = node_of(*ret, &n);
		if (r < 0)
			return r;
		if (++*depth > DEPTH_MAX)
			return refuse(why, "Event patterns are at most %d levels deep", DEPTH_MAX);
	}
	return field_named(n, name, strlen(name), ret);
}

/* Is it an OR, and not a field of that name? */
static bool is_or(const json_t *v)
{
	size_t i;
	json_t *one;
	const char *name;
	json_t *ignored;

	if (json_array_size(v) < 2)
		return false;
	json_array_foreach(v, i, one) {
		if (!json_is_object(one))
			return false;
		json_object_foreach(one, name, ignored)
			if (is_operator(name))
				return false;
	}
	return true;
}

static int take_node(const json_t *object, unsigned depth, struct fn_match_node *n, struct fn_buf *why);

static int take_or(const json_t *list, unsigned depth, struct fn_match_node *n, struct fn_buf *why)
{
	struct fn_match_or *ors = realloc(n->ors, (n->n_ors + 1) * sizeof(*ors)), *or;

	if (!ors)
		return -ENOMEM;
	n->ors = ors;
	or = &ors[n->n_ors++];
	*or = (struct fn_match_or){.nodes = calloc(json_array_size(list), sizeof(*or->nodes))};
	if (!or->nodes)
		return -ENOMEM;
	for (size_t i = 0; i < json_array_size(list); i++) {
		int r;

		or->n++;
		r = take_node(json_array_get(list, i), depth + 1, &or->nodes[i], why);
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_field(const char *name, const json_t *v, unsigned depth, struct fn_match_node *n, struct fn_buf *why)
{
	struct fn_match_field *f;
	struct fn_match_node *below;
	int r;

	if (fn_streq(name, "$or") && is_or(v))
		return take_or(v, depth, n, why);
	if (!json_is_object(v) && !json_is_array(v))
		return refuse(why, "\"%s\" must be an object or an array", name);
	r = field_at(n, name, &depth, &f, why);
	if (r < 0)
		return r;
	if (json_is_array(v))
		return take_leaf(v, f, why);
	r = node_of(f, &below);
	return r < 0 ? r : take_node(v, depth + 1, below, why);
}

static int take_node(const json_t *object, unsigned depth, struct fn_match_node *n, struct fn_buf *why)
{
	const char *name;
	json_t *v;
	int r;

	if (json_object_size(object) == 0)
		return refuse(why, "Empty objects are not allowed");
	if (depth > DEPTH_MAX)
		return refuse(why, "Event patterns are at most %d levels deep", DEPTH_MAX);
	json_object_foreach((json_t *)object, name, v) {
		r = take_field(name, v, depth, n, why);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Also sets `absence` of all nodes. */
static bool asks_for_absence(struct fn_match_node *n)
{
	bool all = true;

	for (size_t i = 0; i < n->n_fields; i++) {
		struct fn_match_field *f = &n->fields[i];
		bool none = f->n_leaf == 0;

		for (size_t k = 0; k < f->n_leaf; k++)
			none |= f->leaf[k].kind == FN_MATCH_ABSENT;
		if (f->node)
			none &= asks_for_absence(f->node);
		all &= none && f->n_leaf <= 1;
	}
	for (size_t i = 0; i < n->n_ors; i++)
		for (size_t k = 0; k < n->ors[i].n; k++)
			all &= asks_for_absence(&n->ors[i].nodes[k]);
	n->absence = all;
	return all;
}

int fn_event_pattern_compile(const char *text, size_t len, struct fn_event_pattern **ret, struct fn_buf *why)
{
	json_error_t error;
	json_t *object = json_loadb(text, len, JSON_DECODE_ANY, &error);
	struct fn_event_pattern *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		r = -ENOMEM;
	else if (!object)
		r = refuse(why, "%s", error.text);
	else
		r = json_is_object(object) ? take_node(object, 1, &p->root, why) : refuse(why, "Filter is not an object");
	json_decref(object);
	if (r < 0) {
		fn_event_pattern_free(p);
		return r;
	}
	(void)asks_for_absence(&p->root);
	*ret = p;
	return 0;
}

void fn_event_pattern_free(struct fn_event_pattern *p)
{
	if (p)
		clear_node(&p->root);
	free(p);
}
