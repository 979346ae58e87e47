/* configs.c - see configs.h: what there is, on disk and in memory. config_ops.c: the operations. */
#include "events/configs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

void fn_event_config_free(struct fn_event_config *c)
{
	if (!c)
		return;
	free(c->function);
	free(c->qualifier);
	free(c->on_success);
	free(c->on_failure);
	free(c);
}

static struct fn_list *list_of(const struct fn_events *e, const char *function) { return fn_map_get(e->configs, function); }

static int remember(struct fn_events *e, struct fn_event_config *c)
{
	struct fn_list *list = list_of(e, c->function);

	if (!list) {
		list = malloc(sizeof(*list));
		if (!list || fn_map_set(e->configs, c->function, list, NULL) < 0) {
			free(list);
			return -ENOMEM;
		}
		fn_list_init(list);
	}
	fn_list_push_back(list, &c->link);
	return 0;
}

static struct fn_event_config *find(const struct fn_events *e, const char *function, const char *qualifier)
{
	struct fn_list *list = list_of(e, function);

	if (!list)
		return NULL;
	fn_list_for_each(l, list)
	{
		struct fn_event_config *c = fn_list_entry(l, struct fn_event_config, link);

		if (fn_streq(c->qualifier, fn_str_empty(qualifier) ? "$LATEST" : qualifier))
			return c;
	}
	return NULL;
}

const struct fn_event_config *fn_event_config_get(const struct fn_events *e, const char *function, const char *qualifier) { return find(e, function, qualifier); }

static void forget(struct fn_events *e, const char *function, const char *qualifier)
{
	struct fn_event_config *c = find(e, function, qualifier);
	struct fn_list *list = list_of(e, function);

	if (c)
		fn_list_remove(&c->link);
	fn_event_config_free(c); /* qualifier may have been its own */
	if (list && fn_list_empty(list)) {
		(void)fn_map_remove(e->configs, function);
		free(list);
	}
}

/* --- at the start --- */
static char *text(sqlite3_stmt *st, int column) { return fn_strdup_opt((const char *)sqlite3_column_text(st, column)); }
static int64_t number(sqlite3_stmt *st, int column) { return sqlite3_column_type(st, column) == SQLITE_NULL ? -1 : sqlite3_column_int64(st, column); }

static int load_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_event_config *c = calloc(1, sizeof(*c));

	if (!c)
		return fn_err_set(err, ENOMEM, "event-invoke configurations", NULL);
	*c = (struct fn_event_config){.function = text(st, 0), .qualifier = text(st, 1), .retries = number(st, 2), .age_s = number(st, 3), .on_success = text(st, 4),
				      .on_failure = text(st, 5), .modified_us = (uint64_t)sqlite3_column_int64(st, 6)};
	if (c->function && c->qualifier && remember(arg, c) == 0)
		return 0;
	fn_event_config_free(c);
	return fn_err_set(err, ENOMEM, "event-invoke configurations", NULL);
}

int fn_event_configs_open(struct fn_events *e, struct fn_err *err)
{
	sqlite3 *db = NULL;
	int r = fn_map_new(&e->configs);

	if (r < 0)
		return fn_err_set(err, r, "event-invoke configurations", NULL);
	r = fn_db_open_again(e->env->db_path, "event-invoke configurations", &db, err);
	if (r == 0)
		r = fn_db_each(db, "SELECT function, qualifier, attempts, age_s, on_success, on_failure, modified_us FROM event_invoke_configs", "event-invoke configurations", load_row, e, err);
	sqlite3_close(db);
	return r;
}

void fn_event_configs_close(struct fn_events *e)
{
	struct fn_list *list;
	size_t it = 0;

	while (e->configs && (list = fn_map_next(e->configs, &it))) {
		while (!fn_list_empty(list)) {
			struct fn_event_config *c = fn_list_entry(fn_list_first(list), struct fn_event_config, link);

			fn_list_remove(&c->link);
			fn_event_config_free(c);
		}
		free(list);
	}
	fn_map_free(e->configs);
}

/* --- writing --- */
struct writing {
	struct fn_db_write w;
	struct fn_events *e;
	struct fn_event_config *config; /* NULL: it is deleted */
	char *function, *qualifier;     /* qualifier NULL: all of the function's */
	uint64_t before_us;
	void (*done)(void *arg, const struct fn_err *err);
	void *arg;
};

static int run(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	struct writing *x = fn_list_entry(w, struct writing, w);
	const struct fn_event_config *c = x->config;

	if (!c && !x->qualifier)
		return fn_db_run(db, err, "DELETE FROM event_invoke_configs WHERE function=?1 AND modified_us<?2", "si", x->function, (int64_t)x->before_us);
	if (!c)
		return fn_db_run(db, err, "DELETE FROM event_invoke_configs WHERE function=?1 AND qualifier=?2 AND modified_us<?3", "ssi", x->function, x->qualifier,
				 (int64_t)x->before_us);
	return fn_db_run(db, err, "INSERT OR REPLACE INTO event_invoke_configs VALUES(?1, ?2, nullif(?3, -1), nullif(?4, -1), ?5, ?6, ?7)", "ssiissi", c->function, c->qualifier, c->retries,
		      c->age_s, c->on_success, c->on_failure, (int64_t)c->modified_us);
}

static void apply(struct writing *x)
{
	struct fn_list *list = list_of(x->e, x->function);

	if (x->config) {
		forget(x->e, x->function, x->qualifier);
		if (remember(x->e, x->config) == 0)
			x->config = NULL;
		return;
	}
	while (list) { /* the list goes with the last of it */
		struct fn_event_config *gone = NULL;

		fn_list_for_each(l, list)
		{
			struct fn_event_config *c = fn_list_entry(l, struct fn_event_config, link);

			if (c->modified_us < x->before_us && (!x->qualifier || fn_streq(c->qualifier, x->qualifier)))
				gone = c;
		}
		if (!gone)
			return;
		forget(x->e, x->function, gone->qualifier);
		list = list_of(x->e, x->function);
	}
}

static void on_written(struct fn_db_write *w, const struct fn_err *err)
{
	struct writing *x = fn_list_entry(w, struct writing, w);

	if (!err)
		apply(x);
	x->done(x->arg, err);
	fn_event_config_free(x->config);
	free(x->function);
	free(x->qualifier);
	free(x);
}

static void submit(struct fn_events *e, struct fn_event_config *c, const char *function, const char *qualifier, uint64_t before_us, void (*done)(void *arg, const struct fn_err *err), void *arg)
{
	struct writing *x = calloc(1, sizeof(*x));

	if (!x || !(x->function = strdup(function)) || (qualifier && !(x->qualifier = strdup(qualifier))))
		abort();
	x->e = e;
	x->config = c;
	x->before_us = before_us;
	x->done = done;
	x->arg = arg;
	x->w = (struct fn_db_write){.run = run, .done = on_written};
	fn_db_write(e->env->writer, &x->w);
}

void fn_event_config_put(struct fn_events *e, struct fn_event_config *c, void (*done)(void *arg, const struct fn_err *err), void *arg)
{
	submit(e, c, c->function, c->qualifier, UINT64_MAX, done, arg);
}

void fn_event_configs_forget(struct fn_events *e, const char *function, const char *qualifier, uint64_t before_us, void (*done)(void *arg, const struct fn_err *err), void *arg)
{
	submit(e, NULL, function, qualifier, before_us, done, arg);
}

/* --- reading --- */
size_t fn_event_configs_list(const struct fn_events *e, const char *function, const char *after, const struct fn_event_config **ret, size_t max)
{
	struct fn_list *list = list_of(e, function);
	size_t n = 0;

	while (list && n < max) { /* in the order of qualifiers: a function has few */
		const struct fn_event_config *least = NULL;

		fn_list_for_each(l, list)
		{
			const struct fn_event_config *c = fn_list_entry(l, struct fn_event_config, link);

			if ((!after || strcmp(c->qualifier, after) > 0) && (!least || strcmp(c->qualifier, least->qualifier) < 0))
				least = c;
		}
		if (!least)
			break;
		ret[n++] = least;
		after = least->qualifier;
	}
	return n;
}
