/* filter.c - the grammar of filter patterns: see filter.h. A recursive descent whose depth is bounded by what a pattern can hold. */
#include "logs/filter.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "logs/filter_internal.h"

#define DEPTH_MAX 64
#define REGEX_MAX 2 /* in a pattern */

struct parse {
	const char *p;
	struct fn_log_filter *f;
	unsigned depth, regexes;
	int error; /* of memory */
	char *names[FN_LOG_FILTER_NODES]; /* of fields */
};

static void space(struct parse *s)
{
	while (isspace((unsigned char)*s->p))
		s->p++;
}

static bool skip(struct parse *s, const char *word)
{
	size_t n = strlen(word);

	space(s);
	if (strncmp(s->p, word, n) != 0)
		return false;
	s->p += n;
	return true;
}

/* A word in capitals, as IS, NOT, EXISTS: nothing of a name follows it. */
static bool keyword(struct parse *s, const char *word)
{
	size_t n = strlen(word);

	space(s);
	if (strncasecmp(s->p, word, n) != 0 || isalnum((unsigned char)s->p[n]) || s->p[n] == '_')
		return false;
	s->p += n;
	return true;
}

static bool failed(struct parse *s, int error)
{
	s->error = error;
	return false;
}

/* --- operands --- */
static bool set_text(struct parse *s, struct fn_log_operand *o, struct fn_buf *b)
{
	o->kind = FN_LOG_TEXT;
	o->text = fn_buf_take(b, &o->len);
	return o->text || failed(s, -ENOMEM);
}

/* What is between quotes; a backslash makes the next one plain. */
static bool quoted(struct parse *s, struct fn_log_operand *o)
{
	struct fn_buf b = {0};
	bool ok;

	for (s->p++; *s->p && *s->p != '"'; s->p++) {
		if (*s->p == '\\' && (s->p[1] == '"' || s->p[1] == '\\'))
			s->p++;
		if (fn_buf_add(&b, s->p, 1) < 0)
			break;
	}
	ok = *s->p == '"' && set_text(s, o, &b);
	fn_buf_free(&b);
	if (ok)
		s->p++;
	return ok;
}

static bool regex(struct parse *s, struct fn_log_operand *o)
{
	struct fn_buf b = {0};
	PCRE2_SIZE at;
	int error;
	bool ok;

	for (s->p++; *s->p && *s->p != '%'; s->p++) {
		if (*s->p == '\\' && s->p[1] == '%')
			s->p++;
		else if (*s->p == '\\' && s->p[1] && fn_buf_add(&b, s->p++, 1) < 0)
			break;
		if (fn_buf_add(&b, s->p, 1) < 0)
			break;
	}
	ok = *s->p == '%' && b.len > 0 && s->regexes++ < REGEX_MAX;
	if (ok) {
		s->p++;
		o->kind = FN_LOG_REGEX;
		o->regex = pcre2_compile((PCRE2_SPTR)b.data, b.len, PCRE2_NO_UTF_CHECK, &error, &at, NULL);
		ok = o->regex != NULL;
	}
	fn_buf_free(&b);
	return ok;
}

static bool is_number(const char *text, double *ret)
{
	const char *p = text + (*text == '-' || *text == '+');
	char *end;

	if (!isdigit((unsigned char)*p) && *p != '.')
		return false;
	if (p[strspn(p, "0123456789.eE+-")])
		return false;
	*ret = strtod(text, &end);
	return end != text && *end == '\0';
}

/* A value: quoted, %regex%, a number, or what stands up to one of `ends`. */
static bool value(struct parse *s, struct fn_log_operand *o, const char *ends)
{
	struct fn_buf b = {0};
	size_t n;
	bool ok;

	space(s);
	if (*s->p == '%')
		return regex(s, o);
	if (*s->p == '"')
		return quoted(s, o);
	n = strcspn(s->p, ends);
	if (n == 0)
		return false;
	ok = fn_buf_add(&b, s->p, n) == 0 && set_text(s, o, &b);
	fn_buf_free(&b);
	s->p += n;
	if (!ok)
		return false;
	if (is_number(o->text, &o->number))
		o->kind = FN_LOG_NUMBER;
	return true;
}

static bool operator(struct parse *s, enum fn_log_op *ret)
{
	static const struct {
		const char *text;
		enum fn_log_op op;
	} known[] = {{"!=", FN_LOG_NE}, {"<=", FN_LOG_LE}, {">=", FN_LOG_GE}, {"<", FN_LOG_LT}, {">", FN_LOG_GT}, {"=", FN_LOG_EQ}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (skip(s, known[i].text)) {
			*ret = known[i].op;
			return true;
		}
	return false;
}

/* What is less or more is a number. */
static bool comparable(const struct fn_log_node *n) { return n->op <= FN_LOG_NE || n->operand.kind == FN_LOG_NUMBER; }

static bool new_node(struct parse *s, unsigned *ret)
{
	struct fn_log_node *more;

	if (s->f->n_nodes == FN_LOG_FILTER_NODES)
		return false;
	more = realloc(s->f->nodes, (s->f->n_nodes + 1) * sizeof(*more));
	if (!more)
		return failed(s, -ENOMEM);
	s->f->nodes = more;
	*ret = (unsigned)s->f->n_nodes++;
	more[*ret] = (struct fn_log_node){.kind = FN_LOG_TEST};
	return true;
}

static bool join(struct parse *s, int kind, unsigned left, unsigned right, unsigned *ret)
{
	if (!new_node(s, ret))
		return false;
	s->f->nodes[*ret].kind = kind;
	s->f->nodes[*ret].left = left;
	s->f->nodes[*ret].right = right;
	return true;
}

/* a && b && ..., or with ||, of what `part` takes */
static bool chain(struct parse *s, const char *word, int kind, bool (*part)(struct parse *, unsigned *), unsigned *ret)
{
	unsigned left, right;

	if (!part(s, &left))
		return false;
	while (skip(s, word))
		if (!part(s, &right) || !join(s, kind, left, right, &left))
			return false;
	*ret = left;
	return true;
}

/* --- { $.a.b = "c" && ... } --- */
static bool add_step(struct parse *s, unsigned n, char *name, long index)
{
	struct fn_log_node *node = &s->f->nodes[n];
	struct fn_log_step *more = realloc(node->steps, (node->n_steps + 1) * sizeof(*more));

	if (!more) {
		free(name);
		return failed(s, -ENOMEM);
	}
	node->steps = more;
	more[node->n_steps++] = (struct fn_log_step){name, index};
	return true;
}

/* [3], [*], ['a name'], ["a name"] */
static bool bracket(struct parse *s, unsigned n)
{
	char *end, *name;
	long index = -1;

	s->p++;
	if (*s->p == '\'' || *s->p == '"') {
		const char *close = strchr(s->p + 1, *s->p);

		if (!close || close[1] != ']' || close == s->p + 1)
			return false;
		name = strndup(s->p + 1, (size_t)(close - s->p - 1));
		s->p = close + 2;
		return name ? add_step(s, n, name, 0) : failed(s, -ENOMEM);
	}
	if (*s->p == '*') {
		s->p++;
	} else if (isdigit((unsigned char)*s->p)) {
		index = strtol(s->p, &end, 10);
		s->p = end;
	} else {
		return false;
	}
	if (*s->p != ']')
		return false;
	s->p++;
	return add_step(s, n, NULL, index);
}

static bool selector(struct parse *s, unsigned n)
{
	if (!skip(s, "$"))
		return false;
	while (*s->p == '.' || *s->p == '[') {
		size_t len;
		char *name;

		if (*s->p == '.' && *++s->p == '[') /* $.['a'] */
			continue;
		if (*s->p == '[') {
			if (!bracket(s, n))
				return false;
			continue;
		}
		len = strcspn(s->p, ".[]=!<>(){}&|\" \t\r\n");
		if (len == 0)
			return false;
		name = strndup(s->p, len);
		s->p += len;
		if (!name || !add_step(s, n, name, 0))
			return failed(s, -ENOMEM);
	}
	return s->f->nodes[n].n_steps > 0;
}

static bool json_or(struct parse *s, unsigned *ret);

static bool json_test(struct parse *s, unsigned *ret)
{
	struct fn_log_operand o = {0};
	enum fn_log_op op = FN_LOG_EQ;
	bool ok;

	if (skip(s, "(")) {
		ok = ++s->depth < DEPTH_MAX && json_or(s, ret) && skip(s, ")");
		s->depth--;
		return ok;
	}
	if (!new_node(s, ret) || !selector(s, *ret))
		return false;
	if (keyword(s, "IS")) {
		o.kind = keyword(s, "NULL") ? FN_LOG_NULL : keyword(s, "TRUE") ? FN_LOG_TRUE : keyword(s, "FALSE") ? FN_LOG_FALSE : FN_LOG_TEXT;
		ok = o.kind != FN_LOG_TEXT;
	} else if (keyword(s, "NOT")) {
		o.kind = FN_LOG_ABSENT;
		ok = keyword(s, "EXISTS");
	} else if (keyword(s, "EXISTS")) {
		o.kind = FN_LOG_ABSENT;
		op = FN_LOG_NE;
		ok = true;
	} else {
		ok = operator(s, &op) && value(s, &o, " \t\r\n)}&|");
	}
	s->f->nodes[*ret].op = op;
	s->f->nodes[*ret].operand = o;
	return ok && comparable(&s->f->nodes[*ret]);
}

static bool json_and(struct parse *s, unsigned *ret) { return chain(s, "&&", FN_LOG_AND, json_test, ret); }
static bool json_or(struct parse *s, unsigned *ret) { return chain(s, "||", FN_LOG_OR, json_and, ret); }

static bool json_pattern(struct parse *s)
{
	s->f->kind = FN_LOG_JSON;
	return skip(s, "{") && json_or(s, &s->f->root) && skip(s, "}");
}

/* --- [a, b = 4*, ..., c > 3 && c < 9] --- */
static bool field_name(struct parse *s, unsigned field)
{
	size_t n;

	space(s);
	n = strcspn(s->p, ",]=!<>&| \t\r\n");
	if (n == 0 || field >= FN_LOG_FILTER_NODES)
		return false;
	if (!s->names[field]) {
		s->names[field] = strndup(s->p, n);
		s->p += n;
		return s->names[field] || failed(s, -ENOMEM);
	}
	n = strlen(s->names[field]) == n && strncmp(s->names[field], s->p, n) == 0 ? n : 0; /* a condition is on its own field */
	s->p += n;
	return n > 0;
}

static bool field_test(struct parse *s, unsigned *ret)
{
	struct fn_log_operand o = {0};
	enum fn_log_op op;
	bool ok;

	if (!new_node(s, ret))
		return false;
	ok = field_name(s, (unsigned)s->f->n_fields) && operator(s, &op) && value(s, &o, ",]&| \t\r\n");
	s->f->nodes[*ret].operand = o;
	if (!ok)
		return false;
	s->f->nodes[*ret].field = (unsigned)s->f->n_fields;
	s->f->nodes[*ret].op = op;
	return comparable(&s->f->nodes[*ret]);
}

static bool field_and(struct parse *s, unsigned *ret) { return chain(s, "&&", FN_LOG_AND, field_test, ret); }

static bool field(struct parse *s)
{
	const char *from;
	unsigned n;

	if (skip(s, "...")) {
		if (s->f->open)
			return false;
		s->f->open = true;
		s->f->before = s->f->n_fields;
		return true;
	}
	space(s);
	from = s->p;
	if (!field_name(s, (unsigned)s->f->n_fields))
		return false;
	space(s);
	if (*s->p != ',' && *s->p != ']') {
		s->p = from;
		if (!chain(s, "||", FN_LOG_OR, field_and, &n))
			return false;
		if (s->f->conditions && !join(s, FN_LOG_AND, s->f->root, n, &n))
			return false;
		s->f->root = n;
		s->f->conditions = true;
	}
	s->f->n_fields++;
	return true;
}

static bool fields_pattern(struct parse *s)
{
	s->f->kind = FN_LOG_FIELDS;
	if (!skip(s, "["))
		return false;
	do {
		if (!field(s))
			return false;
	} while (skip(s, ","));
	return skip(s, "]");
}

/* --- terms --- */
static bool term(struct parse *s)
{
	struct fn_log_term *more = realloc(s->f->terms, (s->f->n_terms + 1) * sizeof(*more)), *t;
	struct fn_buf b = {0};
	size_t n;
	bool ok;

	if (!more)
		return failed(s, -ENOMEM);
	s->f->terms = more;
	t = &more[s->f->n_terms++];
	*t = (struct fn_log_term){.kind = *s->p == '-' ? FN_LOG_MUST_NOT : *s->p == '?' ? FN_LOG_ANY : FN_LOG_MUST};
	if (t->kind != FN_LOG_MUST)
		s->p++;
	if (*s->p == '"')
		return quoted(s, &t->operand) && t->operand.len > 0;
	if (*s->p == '%')
		return regex(s, &t->operand);
	/* What is neither a letter nor a digit is to be in quotes. */
	for (n = 0; isalnum((unsigned char)s->p[n]) || s->p[n] == '_' || s->p[n] == '.' || (s->p[n] & 0x80); n++)
		continue;
	ok = n > 0 && (!s->p[n] || isspace((unsigned char)s->p[n])) && fn_buf_add(&b, s->p, n) == 0 && set_text(s, &t->operand, &b);
	fn_buf_free(&b);
	s->p += n;
	return ok;
}

static bool terms_pattern(struct parse *s)
{
	s->f->kind = FN_LOG_TERMS;
	s->f->any_only = true;
	for (space(s); *s->p; space(s)) {
		if (!term(s))
			return false;
		s->f->any_only = s->f->any_only && s->f->terms[s->f->n_terms - 1].kind == FN_LOG_ANY;
	}
	return true;
}

int fn_log_filter_parse(const char *pattern, struct fn_log_filter **ret)
{
	struct parse s = {.p = pattern};
	bool ok;

	*ret = NULL;
	space(&s);
	if (!*s.p)
		return 0;
	s.f = calloc(1, sizeof(*s.f));
	if (!s.f)
		return -ENOMEM;
	ok = *s.p == '{' ? json_pattern(&s) : *s.p == '[' ? fields_pattern(&s) : terms_pattern(&s);
	space(&s);
	for (size_t i = 0; i < FN_LOG_FILTER_NODES; i++)
		free(s.names[i]);
	if (ok && !*s.p) {
		*ret = s.f;
		return 0;
	}
	fn_log_filter_free(s.f);
	return s.error ? s.error : -EINVAL;
}

static void operand_free(struct fn_log_operand *o)
{
	free(o->text);
	pcre2_code_free(o->regex);
}

void fn_log_filter_free(struct fn_log_filter *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_terms; i++)
		operand_free(&f->terms[i].operand);
	for (size_t i = 0; i < f->n_nodes; i++) {
		operand_free(&f->nodes[i].operand);
		for (size_t k = 0; k < f->nodes[i].n_steps; k++)
			free(f->nodes[i].steps[k].name);
		free(f->nodes[i].steps);
	}
	free(f->terms);
	free(f->nodes);
	free(f);
}
