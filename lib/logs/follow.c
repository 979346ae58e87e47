/* follow.c - a group's events in the order of their writing, from a position on (search.h). */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "logs/internal.h"
#include "logs/search.h"

struct follow {
	struct fn_log_store *store;
	struct fn_log_loaded *l;
	const char *function;
	uint64_t from, next;
	bool (*take)(void *arg, const struct fn_log_read *r);
	void *arg;
	bool ended;
};

/* Is it named after another function ("2026/12/01/NAME[$LATEST]...": env/stream.c)? */
static bool is_others(const char *stream, const char *function)
{
	static const char form[] = "0000/00/00/";
	size_t n = strcspn(stream, "[");

	for (size_t i = 0; form[i]; i++)
		if (form[i] == '/' ? stream[i] != '/' : stream[i] < '0' || stream[i] > '9')
			return false;
	stream += sizeof(form) - 1;
	n -= n < sizeof(form) - 1 ? n : sizeof(form) - 1;
	return n > 0 && stream[n] == '[' && (strlen(function) != n || memcmp(stream, function, n) != 0);
}

/* Of a stream that is there, and not from before it was deleted. */
static bool visible(const struct follow *f, const struct fn_log_index *x, const struct fn_log_read *r, uint64_t position)
{
	const struct fn_log_stream_info *i = r->stream < x->n_streams ? fn_map_get(f->l->streams, x->streams[r->stream].name) : NULL;

	return i && i->there && position >= i->from && !(f->function && is_others(i->name, f->function));
}

static void take_block(struct follow *f, const struct fn_log_index *x, uint64_t position, const uint8_t *records, size_t len)
{
	struct fn_log_read r;

	for (size_t at = 0; !f->ended && fn_log_record_next(records, len, &at, &r);) {
		if (r.kind == FN_LOG_NAME || position + r.offset < f->from || !visible(f, x, &r, position + r.offset))
			continue;
		f->ended = !f->take(f->arg, &r);
		if (f->ended)
			f->next = position + r.offset;
	}
}

static int follow_segment(struct follow *f, size_t n)
{
	const struct fn_log_segment *g = &f->l->segments[n];
	fn_auto_buf struct fn_buf b = {0};
	struct fn_log_index own, *x;
	fn_auto_fd int fd = -EBADF;
	struct fn_log_head h;
	int r = fn_log_segment_open(f->store, f->l, n, &fd, &own, &x);

	for (size_t i = 0; r == 0 && !f->ended && i < x->n_extents; i++) {
		const struct fn_log_extent *e = &x->extents[i];

		if (g->base + e->offset + e->len <= f->from)
			continue;
		r = fn_log_read_extent(fd, e->offset, e->len, &b);
		for (size_t at = 0; r == 0 && !f->ended && fn_log_block_read((const uint8_t *)b.data + at, b.len - at, &h); at += sizeof(h) + h.len)
			take_block(f, x, g->base + e->offset + at + sizeof(h), (const uint8_t *)b.data + at + sizeof(h), h.len);
	}
	fn_log_index_clear(&own);
	return r;
}

int fn_log_follow(struct fn_log_store *s, struct fn_log_group *g, const char *function, uint64_t from, bool (*take)(void *arg, const struct fn_log_read *r), void *arg, uint64_t *ret_next)
{
	struct follow f = {.store = s, .l = fn_log_load(s, g), .function = function, .from = from, .take = take, .arg = arg};
	int r = 0;

	if (!f.l)
		return -errno;
	f.next = f.l->segments[f.l->n - 1].base + f.l->segments[f.l->n - 1].bytes;
	for (size_t i = 0; r == 0 && !f.ended && i < f.l->n; i++)
		if (f.l->segments[i].base + f.l->segments[i].bytes > from)
			r = follow_segment(&f, i);
	*ret_next = f.next;
	return r;
}
