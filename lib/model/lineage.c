/* lineage.c - see lineage.h. */
#include "model/lineage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
