/* catalog.c - which log groups there are, in logs.db; streams have a row when somebody made or deleted them by name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "db/db.h"
#include "logs/internal.h"

static const char *const migrations[] = {
	"CREATE TABLE groups(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL,"
	" retention_days INTEGER NOT NULL, class TEXT NOT NULL, tags TEXT, protected INTEGER NOT NULL);"
	"CREATE TABLE streams(group_id INTEGER NOT NULL, name TEXT NOT NULL, created_ms INTEGER NOT NULL, from_position INTEGER NOT NULL,"
	" there INTEGER NOT NULL, PRIMARY KEY(group_id, name)) WITHOUT ROWID;",
};

int fn_log_catalog_open(struct fn_log_store *s, struct fn_err *err)
{
	char path[4096];

	if (fn_str_format(path, sizeof(path), "%s/logs.db", s->dir) < 0)
		return fn_err_set(err, ENAMETOOLONG, "logs", "%.100s", s->dir);
	return fn_db_open(path, migrations, 1, &s->db, err);
}

static void group_free(struct fn_log_group *g)
{
	if (g) {
		free(g->name);
		free(g->class);
		free(g->tags);
	}
	free(g);
}

static struct fn_log_group *make(int64_t id, const char *name, int64_t created_ms, const char *class, const char *tags)
{
	struct fn_log_group *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->id = id;
	g->created_ms = created_ms;
	g->name = strdup(name);
	g->class = strdup(class);
	g->tags = fn_strdup_opt(tags);
	if (g->name && g->class && (!tags || g->tags))
		return g;
	group_free(g);
	return NULL;
}

void fn_log_catalog_forget(struct fn_log_store *s, struct fn_log_group *g)
{
	fn_map_remove(s->groups, g->name);
	group_free(g);
}

static int on_group(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_log_store *s = arg;
	struct fn_log_group *g = make(sqlite3_column_int64(st, 0), (const char *)sqlite3_column_text(st, 1), sqlite3_column_int64(st, 2),
				      (const char *)sqlite3_column_text(st, 4), (const char *)sqlite3_column_text(st, 5));

	if (!g || fn_map_set(s->groups, g->name, g, NULL) < 0) {
		group_free(g);
		return fn_err_set(err, ENOMEM, "log groups", NULL);
	}
	g->retention_days = sqlite3_column_int(st, 3);
	g->is_protected = sqlite3_column_int(st, 6);
	return 0;
}

int fn_log_catalog_load(struct fn_log_store *s, struct fn_err *err)
{
	return fn_db_each(s->db, "SELECT id, name, created_ms, retention_days, class, tags, protected FROM groups", "log groups", on_group, s, err);
}

struct fn_log_group *fn_log_store_group(struct fn_log_store *s, const char *name) { return fn_map_get(s->groups, name); }

int fn_log_store_create(struct fn_log_store *s, const char *name, const char *class, const char *tags, bool is_protected, int64_t now_ms,
			struct fn_log_group **ret)
{
	struct fn_log_group *g;
	int r;

	if (fn_map_get(s->groups, name))
		return -EEXIST;
	g = make(0, name, now_ms, class, tags);
	if (!g || fn_map_set(s->groups, g->name, g, NULL) < 0) {
		group_free(g);
		return -ENOMEM;
	}
	g->is_protected = is_protected;
	r = fn_db_run(s->db, NULL, "INSERT INTO groups(name, created_ms, retention_days, class, tags, protected) VALUES(?1, ?2, 0, ?3, ?4, ?5)", "sissi", name, now_ms,
		      class, tags, (int64_t)is_protected);
	if (r < 0) {
		fn_log_catalog_forget(s, g);
		return r;
	}
	g->id = sqlite3_last_insert_rowid(s->db);
	if (ret)
		*ret = g;
	return 0;
}

int fn_log_store_set_retention(struct fn_log_store *s, struct fn_log_group *g, int days)
{
	int r = fn_db_run(s->db, NULL, "UPDATE groups SET retention_days = ?2 WHERE id = ?1", "ii", g->id, (int64_t)days);

	if (r == 0) {
		g->retention_days = days;
		s->next_look_ms = 0;
	}
	return r;
}

int fn_log_store_set_tags(struct fn_log_store *s, struct fn_log_group *g, const char *tags)
{
	char *copy = fn_strdup_opt(tags);
	int r = tags && !copy ? -ENOMEM : fn_db_run(s->db, NULL, "UPDATE groups SET tags = ?2 WHERE id = ?1", "is", g->id, tags);

	if (r < 0) {
		free(copy);
		return r;
	}
	free(g->tags);
	g->tags = copy;
	return 0;
}

int fn_log_store_set_protected(struct fn_log_store *s, struct fn_log_group *g, bool is_protected)
{
	int r = fn_db_run(s->db, NULL, "UPDATE groups SET protected = ?2 WHERE id = ?1", "ii", g->id, (int64_t)is_protected);

	if (r == 0)
		g->is_protected = is_protected;
	return r;
}

static int by_name(const void *a, const void *b) { return strcmp((*(struct fn_log_group *const *)a)->name, (*(struct fn_log_group *const *)b)->name); }

struct fn_log_group **fn_log_store_groups(struct fn_log_store *s, size_t *ret_n)
{
	struct fn_log_group **all = calloc(fn_map_count(s->groups) + 1, sizeof(struct fn_log_group *)), *g;
	size_t it = 0, n = 0;

	while (all && (g = fn_map_next(s->groups, &it)))
		all[n++] = g;
	if (all)
		qsort(all, n, sizeof(all[0]), by_name);
	*ret_n = n;
	return all;
}

/* --- streams --- */
struct fn_log_stream_info *fn_log_stream_of(struct fn_log_loaded *l, const char *name)
{
	struct fn_log_stream_info *i = fn_map_get(l->streams, name);

	if (i)
		return i;
	i = calloc(1, sizeof(*i));
	if (!i || !(i->name = strdup(name)) || fn_map_set(l->streams, name, i, NULL) < 0) {
		if (i)
			free(i->name);
		free(i);
		return NULL;
	}
	i->first_ms = INT64_MAX;
	i->last_ms = INT64_MIN;
	i->created_ms = INT64_MAX;
	return i;
}

static int on_stream(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_log_stream_info *i = fn_log_stream_of(arg, (const char *)sqlite3_column_text(st, 0));

	if (!i)
		return fn_err_set(err, ENOMEM, "log streams", NULL);
	i->created_ms = sqlite3_column_int64(st, 1);
	i->from = (uint64_t)sqlite3_column_int64(st, 2);
	i->there = sqlite3_column_int(st, 3);
	i->kept = true;
	return 0;
}

int fn_log_catalog_streams(struct fn_log_store *s, struct fn_log_loaded *l)
{
	char sql[160];

	snprintf(sql, sizeof(sql), "SELECT name, created_ms, from_position, there FROM streams WHERE group_id = %lld", (long long)l->group->id);
	return fn_db_each(s->db, sql, "log streams", on_stream, l, NULL);
}

int fn_log_catalog_stream(struct fn_log_store *s, struct fn_log_group *g, const struct fn_log_stream_info *i)
{
	return fn_db_run(s->db, NULL, "INSERT OR REPLACE INTO streams VALUES(?1, ?2, ?3, ?4, ?5)", "isiii", g->id, i->name, i->created_ms, (int64_t)i->from,
			 (int64_t)i->there);
}

void fn_log_catalog_forget_stream(struct fn_log_store *s, struct fn_log_group *g, const char *name)
{
	(void)fn_db_run(s->db, NULL, "DELETE FROM streams WHERE group_id = ?1 AND name = ?2", "is", g->id, name);
}
