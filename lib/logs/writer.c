/* writer.c - see writer.h. */
#include "logs/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/str.h"

#define TOUCHED_MAX 32u /* groups that are added to at once */

struct target {
	char *group, *stream;
};

struct fn_log_writer {
	struct fn_log_store *store;
	struct fn_map *targets; /* by number */
	struct fn_log_group *touched[TOUCHED_MAX];
	size_t n_touched;
	bool failing; /* the last write failed: said once */
};

int fn_log_writer_new(struct fn_log_store *s, struct fn_log_writer **ret)
{
	struct fn_log_writer *w = calloc(1, sizeof(*w));

	if (!w || fn_map_new(&w->targets) < 0) {
		free(w);
		return -ENOMEM;
	}
	w->store = s;
	*ret = w;
	return 0;
}

static void target_free(struct target *t)
{
	if (t) {
		free(t->group);
		free(t->stream);
	}
	free(t);
}

void fn_log_writer_free(struct fn_log_writer *w)
{
	struct target *t;
	size_t it = 0;

	if (!w)
		return;
	while ((t = fn_map_next(w->targets, &it)))
		target_free(t);
	fn_map_free(w->targets);
	free(w);
}

/* A name's text is "group\nstream"; without a text it is forgotten. */
int fn_log_writer_define(struct fn_buf *b, uint32_t number, const char *group, const char *stream)
{
	char text[FN_LOG_GROUP_NAME_MAX + FN_LOG_STREAM_NAME_MAX + 2];
	int r = fn_str_format(text, sizeof(text), "%s\n%s", group, stream);

	return r < 0 ? r : fn_log_name_add(b, number, text);
}

int fn_log_writer_forget(struct fn_buf *b, uint32_t number) { return fn_log_name_add(b, number, ""); }

static void define(struct fn_log_writer *w, const struct fn_log_read *r)
{
	const char *nl = r->len ? memchr(r->text, '\n', r->len) : NULL;
	struct target *t;

	target_free(fn_map_remove_u64(w->targets, r->stream));
	if (!nl)
		return;
	t = calloc(1, sizeof(*t));
	if (t) {
		t->group = strndup(r->text, (size_t)(nl - r->text));
		t->stream = strndup(nl + 1, (size_t)(r->text + r->len - nl - 1));
	}
	if (!t || !t->group || !t->stream || fn_map_set_u64(w->targets, r->stream, t, NULL) < 0)
		target_free(t);
}

static void failed(struct fn_log_writer *w, const char *group, int r)
{
	if (!w->failing)
		fn_log_warn("the log of %s cannot be written, events are lost: %s", group, strerror(-r));
	w->failing = true;
}

static void end(struct fn_log_writer *w, struct fn_log_group *g, int64_t now_ms)
{
	int r = fn_log_store_end(w->store, g, now_ms);

	if (r < 0)
		failed(w, g->name, r);
	else
		w->failing = false;
}

static void end_all(struct fn_log_writer *w, int64_t now_ms)
{
	while (w->n_touched > 0)
		end(w, w->touched[--w->n_touched], now_ms);
}

static struct fn_log_group *group_of(struct fn_log_writer *w, const char *name, int64_t now_ms)
{
	struct fn_log_group *g;
	int r;

	fn_log_store_take_over(w->store, name);
	g = fn_log_store_group(w->store, name);
	if (!g && (r = fn_log_store_create(w->store, name, "STANDARD", NULL, false, now_ms, &g)) < 0)
		failed(w, name, r);
	return g;
}

static void touch(struct fn_log_writer *w, struct fn_log_group *g, int64_t now_ms)
{
	for (size_t i = 0; i < w->n_touched; i++)
		if (w->touched[i] == g)
			return;
	if (w->n_touched == TOUCHED_MAX)
		end_all(w, now_ms);
	w->touched[w->n_touched++] = g;
}

void fn_log_writer_take(struct fn_log_writer *w, const void *records, size_t len, int64_t now_ms)
{
	const uint8_t *data = records;
	struct fn_log_group *g = NULL;
	const struct target *t, *last = NULL;
	struct fn_log_read r;

	for (size_t at = 0, from = 0; fn_log_record_next(data, len, &at, &r); from = at) {
		int result;

		if (r.kind == FN_LOG_NAME) {
			define(w, &r);
			last = NULL;
			continue;
		}
		t = fn_map_get_u64(w->targets, r.stream);
		if (!t)
			continue;
		if (t != last) {
			last = t;
			g = group_of(w, t->group, now_ms);
			if (g)
				touch(w, g, now_ms);
		}
		if (!g)
			continue;
		result = fn_log_store_add_record(w->store, g, t->stream, data + from, at - from);
		if (result < 0)
			failed(w, g->name, result);
		if (fn_log_store_full(w->store, g))
			end(w, g, now_ms);
	}
	end_all(w, now_ms);
}
