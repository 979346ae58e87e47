/* event_match.c - see event_pattern.h: a compiled pattern against a JSON value. */
#include <arpa/inet.h>
#include <locale.h>
#include <pthread.h>
#include <string.h>
#include <wctype.h>

#include "aws/event_pattern_internal.h"
#include "base/str.h"

/* --- texts --- */
static locale_t fold_locale;

static void open_locale(void) { fold_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0); }

static wint_t fold(wint_t c)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c + 32 : c;
	(void)pthread_once(&once, open_locale);
	return fold_locale ? towlower_l(towupper_l(c, fold_locale), fold_locale) : c;
}

/* The next character of what is known to be UTF-8. */
static wint_t next_character(const char **s, const char *end)
{
	unsigned char c = (unsigned char)*(*s)++;
	unsigned more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
	wint_t w = more == 3 ? c & 7u : more == 2 ? c & 15u : more == 1 ? c & 31u : c;

	while (more-- > 0 && *s < end)
		w = w << 6 | ((unsigned char)*(*s)++ & 63u);
	return w;
}

/* Does s begin with `with`, whatever the case? *ret_rest: what is behind it. */
static bool begins_folded(const char *s, const char *s_end, const char *with, const char *with_end, const char **ret_rest)
{
	while (with < with_end) {
		if (s == s_end || fold(next_character(&s, s_end)) != fold(next_character(&with, with_end)))
			return false;
	}
	*ret_rest = s;
	return true;
}

static size_t characters(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static bool ends_folded(const char *s, size_t len, const char *with, size_t with_len)
{
	size_t n = characters(s, len), m = characters(with, with_len);
	const char *end = s + len, *rest;

	if (m > n)
		return false;
	while (n-- > m)
		(void)next_character(&s, end);
	return begins_folded(s, end, with, with + with_len, &rest) && rest == end;
}

/* The parts are found one after the other, each as early as can be, the first at the beginning and the last at the end. */
static bool is_wild(const struct fn_match *m, const char *s, size_t len)
{
	const char *part = m->text.s, *end = s + len;

	for (unsigned i = 0; i < m->text.parts; i++, part += strlen(part) + 1) {
		size_t n = strlen(part);

		if (i + 1 == m->text.parts) {
			if (i == 0)
				return n == len && memcmp(s, part, n) == 0;
			return n <= (size_t)(end - s) && memcmp(end - n, part, n) == 0;
		}
		if (i == 0) {
			if (n > len || memcmp(s, part, n) != 0)
				return false;
			s += n;
		} else {
			const char *at = n ? memmem(s, (size_t)(end - s), part, n) : s;

			if (!at)
				return false;
			s = at + n;
		}
	}
	return true;
}

static bool is_in_net(const struct fn_match *m, const char *s)
{
	uint8_t a[16];
	unsigned whole = m->cidr.bits / 8, left = m->cidr.bits % 8;

	if (inet_pton(m->cidr.v6 ? AF_INET6 : AF_INET, s, a) != 1 || memcmp(a, m->cidr.net, whole) != 0)
		return false;
	return left == 0 || (a[whole] ^ m->cidr.net[whole]) >> (8 - left) == 0;
}

static bool is_text(const struct fn_match *m, const json_t *v)
{
	const char *s = json_string_value(v), *rest;
	size_t len = json_string_length(v);

	switch (m->kind) {
	case FN_MATCH_STRING:
		return len == m->text.len && memcmp(s, m->text.s, len) == 0;
	case FN_MATCH_PREFIX:
		return len >= m->text.len && memcmp(s, m->text.s, m->text.len) == 0;
	case FN_MATCH_SUFFIX:
		return len >= m->text.len && memcmp(s + len - m->text.len, m->text.s, m->text.len) == 0;
	case FN_MATCH_IGNORE_CASE:
		return begins_folded(s, s + len, m->text.s, m->text.s + m->text.len, &rest) && rest == s + len;
	case FN_MATCH_PREFIX_IGNORE_CASE:
		return begins_folded(s, s + len, m->text.s, m->text.s + m->text.len, &rest);
	case FN_MATCH_SUFFIX_IGNORE_CASE:
		return ends_folded(s, len, m->text.s, m->text.len);
	case FN_MATCH_WILDCARD:
		return is_wild(m, s, len);
	case FN_MATCH_CIDR:
		return len == strlen(s) && is_in_net(m, s);
	default:
		return false;
	}
}

/* --- numbers --- */
static int compare(const json_t *v, const struct fn_number *n)
{
	double d = json_number_value(v);

	if (json_is_integer(v) && n->whole)
		return json_integer_value(v) < n->i ? -1 : json_integer_value(v) > n->i;
	return d < n->d ? -1 : d > n->d;
}

static bool is_in_range(const struct fn_match *m, const json_t *v)
{
	if (m->range.has_low && compare(v, &m->range.low) < (m->range.low_open ? 1 : 0))
		return false;
	return !m->range.has_high || compare(v, &m->range.high) <= (m->range.high_open ? -1 : 0);
}

static bool is_value(const struct fn_match *m, const json_t *v)
{
	switch (m->kind) {
	case FN_MATCH_NUMBER:
		return json_is_number(v) && compare(v, &m->number) == 0;
	case FN_MATCH_NUMERIC:
		return json_is_number(v) && is_in_range(m, v);
	case FN_MATCH_TRUE:
		return json_is_true(v);
	case FN_MATCH_FALSE:
		return json_is_false(v);
	case FN_MATCH_NULL:
		return json_is_null(v);
	case FN_MATCH_EXISTS:
		return true;
	case FN_MATCH_ABSENT:
		return false;
	case FN_MATCH_ANYTHING_BUT:
		for (size_t i = 0; i < m->but.n; i++)
			if (is_value(&m->but.v[i], v))
				return false;
		return true;
	default:
		return json_is_string(v) && is_text(m, v);
	}
}

/* --- fields --- */
/* A place in the event: a value; with `rest`, what an object would be that had it under that name ("b.c" below "a", of the event's "a.b.c"); no value:
 * there is nothing. */
struct place {
	const json_t *v;
	const char *rest;
};

static bool any_of(const struct fn_match_field *f, const json_t *v, bool *ret_there)
{
	size_t i;
	json_t *one;

	if (json_is_array(v)) {
		json_array_foreach(v, i, one)
			if (any_of(f, one, ret_there))
				return true;
		return false;
	}
	if (json_is_object(v))
		return false;
	*ret_there = true;
	for (i = 0; i < f->n_leaf; i++)
		if (is_value(&f->leaf[i], v))
			return true;
	return false;
}

static bool leaf_matches(const struct fn_match_field *f, struct place at)
{
	bool there = false;

	if (at.v && !at.rest && any_of(f, at.v, &there))
		return true;
	for (size_t i = 0; !there && i < f->n_leaf; i++)
		if (f->leaf[i].kind == FN_MATCH_ABSENT)
			return true;
	return false;
}

static struct place below(struct place at, const char *name)
{
	size_t n = strlen(name);
	const char *key;
	json_t *v;

	if (!at.v)
		return at;
	if (at.rest) {
		if (strncmp(at.rest, name, n) != 0 || (at.rest[n] && at.rest[n] != '.'))
			return (struct place){0};
		return (struct place){at.v, at.rest[n] ? at.rest + n + 1 : NULL};
	}
	v = json_object_get(at.v, name);
	if (v)
		return (struct place){v, NULL};
	json_object_foreach((json_t *)at.v, key, v)
		if (strncmp(key, name, n) == 0 && key[n] == '.')
			return (struct place){v, key + n + 1};
	return (struct place){0};
}

static bool node_matches(const struct fn_match_node *n, struct place at);

static bool field_matches(const struct fn_match_field *f, struct place at)
{
	if (f->content && f->leaf && (!json_is_string(at.v) || at.rest))
		return false;
	if (f->content && f->node && !json_is_object(at.v) && !json_is_array(at.v))
		return false;
	return (!f->leaf || leaf_matches(f, at)) && (!f->node || node_matches(f->node, at));
}

static bool object_matches(const struct fn_match_node *n, struct place at)
{
	for (size_t i = 0; i < n->n_fields; i++)
		if (!field_matches(&n->fields[i], below(at, n->fields[i].name)))
			return false;
	for (size_t i = 0; i < n->n_ors; i++) {
		bool any = false;

		for (size_t k = 0; k < n->ors[i].n && !any; k++)
			any = object_matches(&n->ors[i].nodes[k], at);
		if (!any)
			return false;
	}
	return true;
}

/* Of objects in arrays, however deep: does one match? Where it is asked for absence alone: do all? *ret_there: there is one. */
static bool elements_match(const struct fn_match_node *n, const json_t *array, bool *ret_there)
{
	size_t i;
	json_t *one;

	json_array_foreach(array, i, one) {
		bool is;

		if (json_is_array(one)) {
			bool inner = false;

			is = elements_match(n, one, &inner);
			if (!inner)
				continue;
		} else if (json_is_object(one)) {
			is = object_matches(n, (struct place){one, NULL});
		} else {
			continue;
		}
		*ret_there = true;
		if (is != n->absence)
			return is;
	}
	return n->absence;
}

static bool node_matches(const struct fn_match_node *n, struct place at)
{
	bool there = false, is;

	if (at.v && !at.rest && json_is_array(at.v)) {
		is = elements_match(n, at.v, &there);
		return there ? is : object_matches(n, (struct place){0});
	}
	if (at.v && !at.rest && !json_is_object(at.v))
		at = (struct place){0};
	return object_matches(n, at);
}

bool fn_event_pattern_matches(const struct fn_event_pattern *p, const json_t *event) { return node_matches(&p->root, (struct place){event, NULL}); }
