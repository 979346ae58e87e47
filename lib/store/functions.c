/* functions.c - see functions.h. The sorted array of $LATEST snapshots is what reads and paging use; the database is only written. */
#include "store/functions.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/db.h"

struct fn_store {
	sqlite3 *db;
	struct fn_function **items; /* sorted by name; one reference each */
	size_t n, cap;
	uint64_t generation, generation_reserved;
};

/* --- a snapshot as JSON --- */
#define STRINGS(X)                                                                                                                \
	X(runtime) X(role) X(handler) X(description) X(architecture) X(tracing_mode) X(log_format) X(app_log_level)               \
	X(system_log_level) X(log_group) X(tags_json) X(state_reason) X(state_reason_code) X(update_reason) X(update_reason_code)
#define NUMBERS(X)                                                                                                                \
	X(unpacked_size) X(memory_mb) X(timeout_s) X(ephemeral_mb) X(last_modified_us) X(state) X(update_status) X(generation) X(has_env)

static char *encode(const struct fn_function *f)
{
	json_t *o = json_object();
	char *text;

#define PUT_STRING(m)   \
	if (f->m)       \
		json_object_set_new(o, #m, json_string(f->m));
	STRINGS(PUT_STRING)
#define PUT_NUMBER(m) json_object_set_new(o, #m, json_integer((json_int_t)f->m));
	NUMBERS(PUT_NUMBER)
	json_object_set_new(o, "revision_id", json_string(f->revision_id));
	if (f->n_env) {
		json_t *env = json_array();

		for (size_t i = 0; i < f->n_env; i++)
			json_array_append_new(env, json_pack("[ss]", f->env[i].name, f->env[i].value));
		json_object_set_new(o, "env", env);
	}
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

static int decode(const char *text, struct fn_function *f)
{
	json_t *o = json_loads(text, 0, NULL), *v, *env;

	if (!o)
		return -EBADMSG;
#define GET_STRING(m) f->m = fn_strdup_opt(json_string_value(json_object_get(o, #m)));
	STRINGS(GET_STRING)
#define GET_NUMBER(m) f->m = (__typeof__(f->m))json_integer_value(json_object_get(o, #m));
	NUMBERS(GET_NUMBER)
	v = json_object_get(o, "revision_id");
	snprintf(f->revision_id, sizeof(f->revision_id), "%s", json_is_string(v) ? json_string_value(v) : "");
	env = json_object_get(o, "env");
	f->env = calloc(json_array_size(env) + 1, sizeof(*f->env));
	for (size_t i = 0; f->env && i < json_array_size(env); i++) {
		json_t *pair = json_array_get(env, i);
		const char *name = json_string_value(json_array_get(pair, 0)), *value = json_string_value(json_array_get(pair, 1));

		if (!name || !value)
			continue;
		f->env[f->n_env].name = strdup(name);
		f->env[f->n_env++].value = strdup(value);
	}
	json_decref(o);
	return f->env ? 0 : -ENOMEM;
}

/* --- the array --- */
static size_t lower_bound(const struct fn_store *s, const char *name)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(s->items[mid]->name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool found(const struct fn_store *s, size_t i, const char *name) { return i < s->n && strcmp(s->items[i]->name, name) == 0; }

static int insert_at(struct fn_store *s, size_t i, struct fn_function *f)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		struct fn_function **p = realloc(s->items, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		s->items = p;
		s->cap = cap;
	}
	memmove(s->items + i + 1, s->items + i, (s->n - i) * sizeof(*s->items));
	s->items[i] = fn_function_ref(f);
	s->n++;
	return 0;
}

/* --- the database --- */
static int load(struct fn_store *s, struct fn_err *err)
{
	sqlite3_stmt *st;
	int r = 0, step;

	if (sqlite3_prepare_v2(s->db, "SELECT name, version, code_sha256, code_size, config FROM functions ORDER BY name", -1, &st, NULL) !=
	    SQLITE_OK)
		return fn_err_set(err, EIO, "load functions", "%.150s", sqlite3_errmsg(s->db));
	while (r == 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
		struct fn_function *f = fn_function_new();

		if (!f) {
			r = -ENOMEM;
			break;
		}
		f->name = strdup((const char *)sqlite3_column_text(st, 0));
		f->version = strdup((const char *)sqlite3_column_text(st, 1));
		snprintf(f->code_sha256, sizeof(f->code_sha256), "%s", (const char *)sqlite3_column_text(st, 2));
		f->code_size = sqlite3_column_int64(st, 3);
		r = decode((const char *)sqlite3_column_text(st, 4), f);
		if (r == 0)
			r = insert_at(s, lower_bound(s, f->name), f);
		if (r < 0)
			fn_err_set(err, r, "load functions", "%s", f->name);
		fn_function_unref(f);
	}
	sqlite3_finalize(st);
	if (r == 0 && step != SQLITE_DONE)
		r = fn_err_set(err, EIO, "load functions", "%.150s", sqlite3_errmsg(s->db));
	return r;
}

static int load_generation(struct fn_store *s, struct fn_err *err)
{
	sqlite3_stmt *st;
	int r = 0;

	if (sqlite3_prepare_v2(s->db, "SELECT value FROM counters WHERE name='generation'", -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW)
		r = fn_err_set(err, EIO, "load functions", "%.150s", sqlite3_errmsg(s->db));
	else
		s->generation = s->generation_reserved = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return r;
}

int fn_store_open(const char *dir, struct fn_store **ret, struct fn_err *err)
{
	struct fn_store *s = calloc(1, sizeof(*s));
	char path[PATH_MAX];
	int r;

	if (!s)
		return fn_err_set(err, ENOMEM, "open database", NULL);
	snprintf(path, sizeof(path), "%s/fnd.db", dir);
	r = fn_db_open(path, &s->db, err);
	if (r == 0)
		r = load_generation(s, err);
	if (r == 0)
		r = load(s, err);
	if (r < 0) {
		fn_store_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void fn_store_close(struct fn_store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		fn_function_unref(s->items[i]);
	free(s->items);
	sqlite3_close(s->db);
	free(s);
}

/* Numbers are reserved a thousand at a time, so that most calls write nothing. */
uint64_t fn_store_next_generation(struct fn_store *s)
{
	if (s->generation == s->generation_reserved) {
		char sql[128];

		s->generation_reserved += 1000;
		snprintf(sql, sizeof(sql), "UPDATE counters SET value=%llu WHERE name='generation'", (unsigned long long)s->generation_reserved);
		(void)fn_db_exec(s->db, sql, NULL);
	}
	return ++s->generation;
}

struct fn_function *fn_store_get(struct fn_store *s, const char *name, const char *version)
{
	size_t i = lower_bound(s, name);

	if (!found(s, i, name) || (version && !fn_streq(version, s->items[i]->version)))
		return NULL;
	return s->items[i];
}

static int write_row(struct fn_store *s, const char *sql, const struct fn_function *f, struct fn_err *err)
{
	sqlite3_stmt *st = NULL;
	char *config = encode(f);
	int r = 0;

	if (!config)
		return fn_err_set(err, ENOMEM, "store function", NULL);
	if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK || sqlite3_bind_text(st, 1, f->name, -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_text(st, 2, f->version, -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_text(st, 3, f->code_sha256, -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_int64(st, 4, f->code_size) != SQLITE_OK || sqlite3_bind_text(st, 5, config, -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_DONE)
		r = fn_err_set(err, EIO, "store function", "%.150s", sqlite3_errmsg(s->db));
	sqlite3_finalize(st);
	free(config);
	return r;
}

int fn_store_insert(struct fn_store *s, struct fn_function *f, struct fn_err *err)
{
	size_t i = lower_bound(s, f->name);
	int r;

	if (found(s, i, f->name))
		return fn_err_set(err, EEXIST, "store function", "%s", f->name);
	r = write_row(s, "INSERT INTO functions(name, version, code_sha256, code_size, config) VALUES(?1,?2,?3,?4,?5)", f, err);
	return r < 0 ? r : insert_at(s, i, f);
}

int fn_store_update(struct fn_store *s, struct fn_function *f, struct fn_err *err)
{
	size_t i = lower_bound(s, f->name);
	int r;

	if (!found(s, i, f->name))
		return fn_err_set(err, ENOENT, "store function", "%s", f->name);
	r = write_row(s, "UPDATE functions SET code_sha256=?3, code_size=?4, config=?5 WHERE name=?1 AND version=?2", f, err);
	if (r < 0)
		return r;
	fn_function_ref(f);
	fn_function_unref(s->items[i]);
	s->items[i] = f;
	return 0;
}

int fn_store_delete(struct fn_store *s, const char *name, struct fn_err *err)
{
	size_t i = lower_bound(s, name);
	sqlite3_stmt *st = NULL;
	int r = 0;

	if (!found(s, i, name))
		return fn_err_set(err, ENOENT, "delete function", "%s", name);
	if (sqlite3_prepare_v2(s->db, "DELETE FROM functions WHERE name=?1", -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC) != SQLITE_OK || sqlite3_step(st) != SQLITE_DONE)
		r = fn_err_set(err, EIO, "delete function", "%.150s", sqlite3_errmsg(s->db));
	sqlite3_finalize(st);
	if (r < 0)
		return r;
	fn_function_unref(s->items[i]);
	memmove(s->items + i, s->items + i + 1, (s->n - i - 1) * sizeof(*s->items));
	s->n--;
	return 0;
}

size_t fn_store_list(struct fn_store *s, const char *after, struct fn_function **ret, size_t max)
{
	size_t i = after ? lower_bound(s, after) : 0, n = 0;

	if (after && found(s, i, after))
		i++;
	while (n < max && i < s->n)
		ret[n++] = s->items[i++];
	return n;
}

size_t fn_store_count(struct fn_store *s) { return s->n; }

int64_t fn_store_code_bytes(struct fn_store *s)
{
	int64_t sum = 0;

	for (size_t i = 0; i < s->n; i++)
		sum += s->items[i]->code_size;
	return sum;
}

unsigned fn_store_code_refs(struct fn_store *s, const char *code_sha256)
{
	unsigned n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += fn_streq(s->items[i]->code_sha256, code_sha256);
	return n;
}
