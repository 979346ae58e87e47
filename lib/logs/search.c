/* search.c - see search.h. Extents are read in the order of their earliest events; what is found is a heap of at most a page, whose last goes for a better
 * one. Once no extent that is left can have a better one the page is whole: in a log that was written in order that is soon. */
#include "logs/search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "logs/internal.h"

struct extent {
	int64_t edge; /* the time of its first event in the query's order, its sign as the query's */
	uint64_t offset, len;
	const struct searched *segment;
};

/* Of a segment that is searched: which of its streams are asked for, and from which position on. */
struct searched {
	int64_t edge;
	size_t segment; /* its number */
	uint64_t *from; /* by stream; UINT64_MAX = not asked for */
	const char **names;
	size_t n_streams;
	int fd;
};

struct search {
	struct fn_log_store *store;
	struct fn_log_loaded *l;
	const struct fn_log_query *q;
	struct fn_log_page *page;
	int64_t from_ms, until_ms;
	struct extent *extents; /* a heap, the earliest edge first */
	size_t n_extents, cap;
	struct searched *segments; /* by edge; the first `opened` of them are open */
	size_t n_segments, opened;
	bool cut;               /* something was found that the page has no room for: */
	struct fn_log_key edge; /* nothing from here on */
	size_t cap_found;
};

static int64_t signed_ms(const struct search *s, int64_t ms) { return s->q->backwards ? -ms : ms; }

/* In the query's order. */
static bool before(const struct search *s, struct fn_log_key a, struct fn_log_key b)
{
	bool less = a.time_ms != b.time_ms ? a.time_ms < b.time_ms : a.at < b.at, more = a.time_ms != b.time_ms ? a.time_ms > b.time_ms : a.at > b.at;

	return s->q->backwards ? more : less;
}

/* --- the page: a heap whose top is the last in order --- */
static void swap(struct fn_log_found *a, struct fn_log_found *b)
{
	struct fn_log_found c = *a;

	*a = *b;
	*b = c;
}

static void sink(const struct search *s, size_t i, size_t n)
{
	struct fn_log_found *e = s->page->events;

	for (size_t top, k;; i = top) {
		top = i;
		for (k = 2 * i + 1; k <= 2 * i + 2 && k < n; k++)
			if (before(s, e[top].key, e[k].key))
				top = k;
		if (top == i)
			return;
		swap(&e[i], &e[top]);
	}
}

static void drop_last(struct search *s)
{
	struct fn_log_page *p = s->page;

	s->cut = true;
	s->edge = p->events[0].key;
	p->bytes -= p->events[0].len;
	free(p->events[0].text);
	p->events[0] = p->events[--p->n];
	sink(s, 0, p->n);
}

static int keep(struct search *s, const struct fn_log_read *r, struct fn_log_key key, const char *stream, int64_t written_ms)
{
	struct fn_log_page *p = s->page;
	char *text = malloc(r->len + 1);

	if (!text)
		return -ENOMEM;
	if (p->n == s->cap_found) {
		size_t cap = s->cap_found ? s->cap_found * 2 : 64;
		struct fn_log_found *more = realloc(p->events, cap * sizeof(*more));

		if (!more) {
			free(text);
			return -ENOMEM;
		}
		p->events = more;
		s->cap_found = cap;
	}
	memcpy(text, r->text, r->len);
	text[r->len] = '\0';
	p->events[p->n] = (struct fn_log_found){key, written_ms, stream, text, r->len};
	p->bytes += r->len;
	for (size_t i = p->n++, up; i > 0 && (up = (i - 1) / 2, before(s, p->events[up].key, p->events[i].key)); i = up)
		swap(&p->events[i], &p->events[up]);
	while (p->n > s->q->limit || (p->bytes > s->q->bytes_max && p->n > 1))
		drop_last(s);
	return 0;
}

/* --- extents --- */
static int push_extent(struct search *s, struct extent e)
{
	if (s->n_extents == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 256;
		struct extent *p = realloc(s->extents, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		s->extents = p;
		s->cap = cap;
	}
	s->extents[s->n_extents] = e;
	for (size_t i = s->n_extents++, up; i > 0 && (up = (i - 1) / 2, s->extents[i].edge < s->extents[up].edge); i = up) {
		s->extents[i] = s->extents[up];
		s->extents[up] = e;
	}
	return 0;
}

static struct extent pop_extent(struct search *s)
{
	struct extent first = s->extents[0], e = s->extents[--s->n_extents];
	size_t i = 0;

	for (size_t k; (k = 2 * i + 1) < s->n_extents; i = k) {
		if (k + 1 < s->n_extents && s->extents[k + 1].edge < s->extents[k].edge)
			k++;
		if (e.edge <= s->extents[k].edge)
			break;
		s->extents[i] = s->extents[k];
	}
	if (s->n_extents)
		s->extents[i] = e;
	return first;
}

static bool asked_for(const struct fn_log_query *q, const char *name)
{
	for (size_t i = 0; i < q->n_streams; i++)
		if (strcmp(q->streams[i], name) == 0)
			return true;
	return q->n_streams == 0 && (!q->prefix || fn_str_starts(name, q->prefix));
}

/* Which of its streams; *ret_bits as extents have them. */
static int look_at_streams(struct search *s, struct searched *d, const struct fn_log_index *x, uint64_t *ret_bits)
{
	*ret_bits = 0;
	d->n_streams = x->n_streams;
	d->from = malloc((x->n_streams + 1) * sizeof(*d->from));
	d->names = malloc((x->n_streams + 1) * sizeof(*d->names));
	if (!d->from || !d->names)
		return -ENOMEM;
	for (size_t n = 0; n < x->n_streams; n++) {
		const struct fn_log_stream_info *i = fn_map_get(s->l->streams, x->streams[n].name);
		bool asked = i && i->there && asked_for(s->q, i->name) && x->streams[n].first_ms < s->until_ms && x->streams[n].last_ms >= s->from_ms;

		d->from[n] = asked ? i->from : UINT64_MAX;
		d->names[n] = i ? i->name : "";
		if (asked)
			*ret_bits |= (uint64_t)1 << (n % 64);
	}
	return 0;
}

static bool overlaps(const struct search *s, int64_t min_ms, int64_t max_ms)
{
	const struct fn_log_query *q = s->q;

	if (min_ms > max_ms || min_ms >= s->until_ms || max_ms < s->from_ms)
		return false;
	return !q->has_after || (q->backwards ? min_ms <= q->after.time_ms : max_ms >= q->after.time_ms);
}

/* The segment's own file, and which of its extents may have what is asked for. */
static int open_segment(struct search *s, struct searched *d)
{
	struct fn_log_index own, *x;
	uint64_t bits = 0;
	int r;

	r = fn_log_segment_open(s->store, s->l, d->segment, &d->fd, &own, &x);
	if (r == 0)
		r = look_at_streams(s, d, x, &bits);
	for (size_t i = 0; r == 0 && i < x->n_extents; i++) {
		const struct fn_log_extent *e = &x->extents[i];

		if ((e->streams & bits) && overlaps(s, e->min_ms, e->max_ms))
			r = push_extent(s, (struct extent){signed_ms(s, s->q->backwards ? e->max_ms : e->min_ms), e->offset, e->len, d});
	}
	fn_log_index_clear(&own);
	return r;
}

static int by_edge(const void *a, const void *b)
{
	const struct searched *x = a, *y = b;

	return x->edge < y->edge ? -1 : x->edge > y->edge;
}

static int choose_segments(struct search *s)
{
	s->segments = calloc(s->l->n + 1, sizeof(*s->segments));
	if (!s->segments)
		return -ENOMEM;
	for (size_t i = 0; i < s->l->n; i++) {
		const struct fn_log_segment *g = &s->l->segments[i];

		if (g->events && overlaps(s, g->min_ms, g->max_ms))
			s->segments[s->n_segments++] = (struct searched){.edge = signed_ms(s, s->q->backwards ? g->max_ms : g->min_ms), .segment = i, .fd = -EBADF};
	}
	qsort(s->segments, s->n_segments, sizeof(*s->segments), by_edge);
	return 0;
}

/* Segments are opened when their events may be next. False: nothing is left. */
static bool next_extent(struct search *s, int *r)
{
	while (s->opened < s->n_segments && (s->n_extents == 0 || s->segments[s->opened].edge <= s->extents[0].edge)) {
		*r = open_segment(s, &s->segments[s->opened++]);
		if (*r < 0)
			return false;
	}
	return s->n_extents > 0;
}

static int take_block(struct search *s, const struct searched *d, uint64_t offset, const struct fn_log_head *h, const uint8_t *records)
{
	const struct fn_log_query *q = s->q;
	uint64_t base = s->l->segments[d->segment].base + offset + sizeof(*h);
	struct fn_log_read e;
	int r = 0;

	if (!overlaps(s, h->min_ms, h->max_ms))
		return 0;
	for (size_t at = 0; r == 0 && fn_log_record_next(records, h->len, &at, &e);) {
		struct fn_log_key key = {e.time_ms, base + e.offset + 1};

		if (e.kind == FN_LOG_NAME || e.stream >= d->n_streams || key.at <= d->from[e.stream] || d->from[e.stream] == UINT64_MAX)
			continue;
		if (e.time_ms < s->from_ms || e.time_ms >= s->until_ms || (q->has_after && !before(s, q->after, key)))
			continue;
		if (s->cut && !before(s, key, s->edge))
			continue;
		if (fn_log_filter_matches(q->filter, e.text, e.len))
			r = keep(s, &e, key, d->names[e.stream], h->written_ms);
	}
	return r;
}

static int read_extent(struct search *s, const struct extent *e, struct fn_buf *b)
{
	const struct searched *d = e->segment;
	struct fn_log_head h;
	int r = fn_log_read_extent(d->fd, e->offset, e->len, b);

	for (size_t at = 0; r == 0 && fn_log_block_read((const uint8_t *)b->data + at, b->len - at, &h); at += sizeof(h) + h.len)
		r = take_block(s, d, e->offset + at, &h, (const uint8_t *)b->data + at + sizeof(h));
	return r;
}

/* Time is over: what is certain is what comes before all that has not been read. */
static void end_early(struct search *s, int64_t edge)
{
	struct fn_log_key next = {signed_ms(s, edge), s->q->backwards ? UINT64_MAX : 0};

	while (s->page->n > 0 && !before(s, s->page->events[0].key, next))
		drop_last(s);
	s->page->next = next;
	s->page->more = true;
}

static int run(struct search *s)
{
	uint64_t end_us = fn_clock_mono_us() + s->q->budget_us;
	const struct fn_log_query *q = s->q;
	fn_auto_buf struct fn_buf b = {0};
	int64_t edge = INT64_MIN;
	bool begun = false;
	int r = choose_segments(s);

	for (; r == 0 && next_extent(s, &r); begun = true) {
		struct extent e;

		if (s->cut && s->extents[0].edge > signed_ms(s, s->edge.time_ms))
			return 0;
		if (begun && s->extents[0].edge > edge && fn_clock_mono_us() > end_us && (!q->has_after || s->extents[0].edge > signed_ms(s, q->after.time_ms))) {
			end_early(s, s->extents[0].edge);
			return 0;
		}
		e = pop_extent(s);
		edge = e.edge > edge ? e.edge : edge;
		r = read_extent(s, &e, &b);
	}
	return r;
}

/* The heap becomes a list. */
static void put_in_order(struct search *s)
{
	struct fn_log_page *p = s->page;

	for (size_t n = p->n; n > 1; n--) {
		swap(&p->events[0], &p->events[n - 1]);
		sink(s, 0, n - 1);
	}
	if (p->n > 0 && !p->more)
		p->next = p->events[p->n - 1].key;
	if (s->q->backwards)
		for (size_t i = 0; i < p->n / 2; i++)
			swap(&p->events[i], &p->events[p->n - 1 - i]);
}

int fn_log_search(struct fn_log_store *store, struct fn_log_group *g, const struct fn_log_query *q, struct fn_log_page *ret)
{
	struct search s = {.store = store, .q = q, .page = ret, .from_ms = q->from_ms, .until_ms = q->until_ms};
	int64_t kept = fn_log_kept_from(g, q->now_ms);
	int r;

	*ret = (struct fn_log_page){.next = q->after};
	if (s.from_ms < kept)
		s.from_ms = kept;
	s.l = fn_log_load(store, g);
	r = s.l ? run(&s) : -errno;
	put_in_order(&s);
	ret->more = ret->more || s.cut;
	for (size_t i = 0; i < s.opened; i++) {
		free(s.segments[i].from);
		free(s.segments[i].names);
		fn_close(s.segments[i].fd);
	}
	free(s.segments);
	free(s.extents);
	if (r < 0)
		fn_log_page_clear(ret);
	return r;
}

void fn_log_page_clear(struct fn_log_page *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->events[i].text);
	free(p->events);
	*p = (struct fn_log_page){0};
}
