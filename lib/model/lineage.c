/* lineage.c - see lineage.h. */
#include "model/lineage.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/crc32.h"
#include "base/id.h"
#include "base/str.h"

#define FIELD "Lineage="
#define OTHERS_MAX 384 /* bytes of a header's other fields that are passed on */

struct lineage {
	unsigned n;
	struct {
		uint32_t function;
		unsigned count;
	} at[FN_LINEAGE_FUNCTIONS];
};

static uint32_t hash(const char *function) { return fn_crc32(0, function, strlen(function)); }

/* The next field of a header: its length, without the spaces around it. *p is moved to the one behind it. */
static size_t next_field(const char **p, const char **ret)
{
	size_t n;

	*p += strspn(*p, " ;");
	*ret = *p;
	n = strcspn(*p, ";");
	*p += n;
	while (n > 0 && (*ret)[n - 1] == ' ')
		n--;
	return n;
}

static bool is_lineage(const char *field, size_t n) { return n >= strlen(FIELD) && strncasecmp(field, FIELD, strlen(FIELD)) == 0; }

static bool readable(const char *trace) { return trace && strnlen(trace, FN_TRACE_MAX + 1) <= FN_TRACE_MAX; }

static void note(struct lineage *l, uint32_t function, unsigned count)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->at[i].function == function) { /* twice: whoever wrote it so, the higher holds */
			if (count > l->at[i].count)
				l->at[i].count = count;
			return;
		}
	if (l->n == FN_LINEAGE_FUNCTIONS)
		memmove(l->at, l->at + 1, --l->n * sizeof(l->at[0]));
	l->at[l->n].function = function;
	l->at[l->n++].count = count;
}

/* "a87bd80c:1|68fd508a:5": what is not of this form is passed over. */
static void read_list(const char *p, const char *end, struct lineage *l)
{
	while (p < end) {
		const char *bar = memchr(p, '|', (size_t)(end - p)), *stop = bar ? bar : end;
		char text[24] = "", *rest = text;
		unsigned long count;
		uint8_t h[4];

		if ((size_t)(stop - p) < sizeof(text))
			memcpy(text, p, (size_t)(stop - p));
		count = text[8] == ':' ? strtoul(text + 9, &rest, 10) : 0;
		if (count > 0 && count < 1000000 && *rest == '\0' && fn_hex_decode(text, 8, h) == 0)
			note(l, (uint32_t)h[0] << 24 | (uint32_t)h[1] << 16 | (uint32_t)h[2] << 8 | h[3], (unsigned)count);
		p = stop + 1;
	}
}

static void read_lineage(const char *trace, struct lineage *l)
{
	const char *field;

	l->n = 0;
	for (const char *p = readable(trace) ? trace : ""; *p;) {
		size_t n = next_field(&p, &field);

		if (is_lineage(field, n))
			read_list(field + strlen(FIELD), field + n, l);
	}
}

bool fn_lineage_in(const char *trace)
{
	const char *field;

	for (const char *p = readable(trace) ? trace : ""; *p;) {
		size_t n = next_field(&p, &field);

		if (is_lineage(field, n))
			return true;
	}
	return false;
}

static unsigned count_of(const struct lineage *l, uint32_t function)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->at[i].function == function)
			return l->at[i].count;
	return 0;
}

unsigned fn_lineage_count(const char *trace, const char *function)
{
	struct lineage l;

	read_lineage(trace, &l);
	return count_of(&l, hash(function));
}

/* Root, parent and whether it is sampled, as one that nobody traces has them (X-Ray Developer Guide, "Generating trace IDs"). */
static int add_new(struct fn_buf *b)
{
	uint8_t id[20];
	char hex[41];

	fn_id_random(id, sizeof(id));
	fn_hex_encode(id, sizeof(id), hex);
	return fn_buf_addf(b, "Root=1-%08x-%.24s;Parent=%.16s;Sampled=0", (unsigned)(fn_clock_real_us() / 1000000), hex, hex + 24);
}

static bool is_hex(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isxdigit((unsigned char)p[i]))
			return false;
	return true;
}

static bool is_root(const char *v, size_t n) { return n == 35 && v[0] == '1' && v[1] == '-' && is_hex(v + 2, 8) && v[10] == '-' && is_hex(v + 11, 24); }
static bool is_parent(const char *v, size_t n) { return n == 16 && is_hex(v, n); }
static bool is_decision(const char *v, size_t n) { return n == 1 && (*v == '0' || *v == '1'); }

/* What every header that Lambda passes on has. */
static const struct {
	const char *name;
	bool (*valid)(const char *v, size_t n);
} needed[] = {{"Root=", is_root}, {"Parent=", is_parent}, {"Sampled=", is_decision}};
#define NEEDED (sizeof(needed) / sizeof(needed[0]))

/* Which of them the field is; NEEDED: none. */
static size_t needed_index(const char *field, size_t n)
{
	size_t i = 0;

	while (i < NEEDED && (n < strlen(needed[i].name) || strncasecmp(field, needed[i].name, strlen(needed[i].name)) != 0))
		i++;
	return i;
}

static int add_made_whole(struct fn_buf *b, const char *trace, const char *const found[NEEDED], const size_t len[NEEDED])
{
	fn_auto_buf struct fn_buf made = {0};
	const char *field, *p = trace;
	int r = add_new(&made);

	for (const char *new = made.data; r == 0 && new && *new;) {
		size_t n = next_field(&new, &field), i = needed_index(field, n);
		bool keeps = found[i] && (i != 1 || found[0]); /* a parent of no root is nobody's */

		r = fn_buf_addf(b, "%s%.*s", b->len ? ";" : "", (int)(keeps ? len[i] : n), keeps ? found[i] : field);
	}
	while (r == 0 && *p) {
		size_t n = next_field(&p, &field);

		if (memchr(field, '=', n) && needed_index(field, n) == NEEDED && b->len + 1 + n <= FN_TRACE_MAX)
			r = fn_buf_addf(b, ";%.*s", (int)n, field);
	}
	return r;
}

int fn_trace_whole(const char *trace, struct fn_buf *ret)
{
	const char *field, *found[NEEDED] = {0};
	size_t len[NEEDED] = {0};

	trace = readable(trace) ? trace : "";
	fn_buf_reset(ret);
	for (const char *p = trace; *p;) {
		size_t n = next_field(&p, &field), i = needed_index(field, n), name = i < NEEDED ? strlen(needed[i].name) : 0;

		if (i < NEEDED && !found[i] && needed[i].valid(field + name, n - name)) {
			found[i] = field;
			len[i] = n;
		}
	}
	return found[0] && found[1] && found[2] ? fn_buf_add_str(ret, trace) : add_made_whole(ret, trace, found, len);
}

/* All fields but the lineage, as far as there is room for it behind them: it is what must not get lost. */
static int add_others(struct fn_buf *b, const char *trace)
{
	const char *field;
	int r = 0;

	for (const char *p = readable(trace) ? trace : ""; *p && r == 0;) {
		size_t n = next_field(&p, &field);

		if (n > 0 && !is_lineage(field, n) && b->len + n < OTHERS_MAX)
			r = fn_buf_addf(b, "%s%.*s", b->len ? ";" : "", (int)n, field);
	}
	return r < 0 || b->len > 0 ? r : add_new(b);
}

static int add_lineage(struct fn_buf *b, const struct lineage *l)
{
	int r = 0;

	for (unsigned i = 0; i < l->n && r == 0; i++)
		r = fn_buf_addf(b, "%s%08x:%u", i ? "|" : ";" FIELD, l->at[i].function, l->at[i].count);
	return r;
}

int fn_lineage_of_call(const char *sent, const char *running, const char *self, struct fn_buf *ret)
{
	struct lineage l;
	int r;

	fn_buf_reset(ret);
	read_lineage(running, &l);
	if (count_of(&l, hash(self)) == 0)
		note(&l, hash(self), 1);
	r = add_others(ret, readable(sent) && *sent ? sent : running);
	return r < 0 ? r : add_lineage(ret, &l);
}

int fn_lineage_carry(const char *sent, const char *of, struct fn_buf *ret)
{
	struct lineage l;
	int r;

	fn_buf_reset(ret);
	if (!fn_lineage_in(of))
		return fn_buf_add_str(ret, sent);
	read_lineage(of, &l);
	r = add_others(ret, sent);
	return r < 0 ? r : add_lineage(ret, &l);
}

int fn_lineage_add(const char *trace, const char *function, struct fn_buf *ret)
{
	struct lineage l;
	int r;

	fn_buf_reset(ret);
	read_lineage(trace, &l);
	note(&l, hash(function), count_of(&l, hash(function)) + 1);
	r = add_others(ret, trace);
	return r < 0 ? r : add_lineage(ret, &l);
}
