/* json_pick.c - see json_pick.h. A machine by bytes: outside of strings it counts brackets, of the outermost objects it reads the keys. */
#include "web/json_pick.h"

#include <errno.h>
#include <string.h>

enum state {
	OUTSIDE,
	STRING,  /* one that is of no interest */
	KEY,     /* one that might be of the path */
	PICKED,
};
#define IN_ESCAPE 8  /* behind a backslash, in that state */
#define IN_CODE 16   /* behind \u */

static void flush(struct fn_json_pick *p, const char *from, const char *to, int *ret)
{
	if (*ret == 0 && (size_t)(to - from) > p->rest_max - p->rest.len)
		*ret = -E2BIG;
	else if (*ret == 0 && to > from)
		*ret = fn_buf_add(&p->rest, from, (size_t)(to - from));
}

static unsigned path_len(const struct fn_json_pick *p)
{
	unsigned n = 0;

	while (n < FN_JSON_PICK_PATH_MAX && p->path[n])
		n++;
	return n;
}

/* The object or array that we are in, as far as it may be of the path: NULL = it may not. */
static struct fn_json_pick_level *level(struct fn_json_pick *p)
{
	return p->depth > 0 && p->depth <= p->n_path && p->levels[p->depth].ours ? &p->levels[p->depth] : NULL;
}

static void open_level(struct fn_json_pick *p, bool object)
{
	const struct fn_json_pick_level *outer = level(p);
	bool ours = object && (p->depth == 0 || (outer && outer->key_fits && !outer->at_key));

	if (++p->depth <= p->n_path)
		p->levels[p->depth] = (struct fn_json_pick_level){.object = object, .ours = ours, .at_key = true};
}

/* A string begins: which state is it? */
static int quote(struct fn_json_pick *p)
{
	const struct fn_json_pick_level *l = level(p);

	if (!l)
		return STRING;
	if (l->at_key) {
		p->key_len = 0;
		return KEY;
	}
	return l->key_fits && p->depth == p->n_path ? PICKED : STRING;
}

static void outside(struct fn_json_pick *p, char c)
{
	struct fn_json_pick_level *l;

	switch (c) {
	case '{':
	case '[':
		open_level(p, c == '{');
		break;
	case '}':
	case ']':
		p->depth -= p->depth > 0;
		break;
	case ',':
		if ((l = level(p)))
			l->at_key = true;
		break;
	case ':':
		if ((l = level(p)))
			l->at_key = false;
		break;
	}
}

static void take(struct fn_json_pick *p, int state, const char *text, size_t len)
{
	if (state == PICKED && len > 0)
		p->add(p->arg, text, len);
	for (size_t i = 0; state == KEY && i < len; i++, p->key_len++)
		if (p->key_len < FN_JSON_PICK_KEY_MAX)
			p->key[p->key_len] = text[i];
}

static void key_done(struct fn_json_pick *p)
{
	struct fn_json_pick_level *l = level(p);
	const char *want = p->path[p->depth - 1];

	l->key_fits = p->key_len == strlen(want) && p->key_len <= FN_JSON_PICK_KEY_MAX && memcmp(p->key, want, p->key_len) == 0;
}

static int hex_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One byte of an escape. */
static void escape(struct fn_json_pick *p, char c)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	int state = p->state & ~(IN_ESCAPE | IN_CODE), digit;
	const char *at;
	char one = '?';

	if (p->state & IN_CODE) {
		digit = hex_of(c);
		p->code = digit < 0 ? 0x10000 : p->code << 4 | (uint32_t)digit;
		if (--p->code_left > 0)
			return;
		if (p->code > 0 && p->code < 0x80)
			one = (char)p->code;
	} else if (c == 'u') {
		p->state = state | IN_CODE;
		p->code = 0;
		p->code_left = 4;
		return;
	} else if (c && (at = strchr(names, c))) {
		one = values[at - names];
	}
	p->state = state;
	take(p, state, &one, 1);
}

/* What of a string comes before its end or an escape; *at is moved behind it. True: it ends there. */
static bool string(struct fn_json_pick *p, const char **at, const char *end)
{
	const char *quote_at = memchr(*at, '"', (size_t)(end - *at)), *stop = quote_at ? quote_at : end;
	const char *slash = memchr(*at, '\\', (size_t)(stop - *at));

	if (slash)
		stop = slash;
	take(p, p->state, *at, (size_t)(stop - *at));
	*at = stop;
	if (slash) {
		p->state |= IN_ESCAPE;
		(*at)++;
		return false;
	}
	return quote_at != NULL;
}

int fn_json_pick_feed(struct fn_json_pick *p, const char *data, size_t len)
{
	const char *at = data, *end = data + len, *kept = data; /* kept: from there on it is of the rest */
	int r = 0;

	if (p->n_path == 0)
		p->n_path = path_len(p);
	while (at < end && r == 0) {
		if (p->state & (IN_ESCAPE | IN_CODE)) {
			escape(p, *at++);
		} else if (p->state == OUTSIDE && *at == '"') {
			p->state = quote(p);
			at++;
			if (p->state == PICKED) {
				flush(p, kept, at, &r);
				p->found = true;
				p->begin(p->arg);
			}
		} else if (p->state == OUTSIDE) {
			outside(p, *at++);
		} else if (string(p, &at, end)) {
			if (p->state == KEY)
				key_done(p);
			else if (p->state == PICKED)
				kept = at;
			p->state = OUTSIDE;
			at++;
		}
		if ((p->state & ~(IN_ESCAPE | IN_CODE)) == PICKED)
			kept = at;
	}
	flush(p, kept, end, &r);
	return r;
}

void fn_json_pick_free(struct fn_json_pick *p) { fn_buf_free(&p->rest); }
