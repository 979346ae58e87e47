/* concurrency.c - see concurrency.h. */
#include "store/concurrency.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "store/aliases.h"
#include "store/internal.h"

static size_t lower_bound(const struct fn_entry *e, const char *qualifier)
{
	size_t i = 0;

	while (i < e->n_provisioned && strcmp(e->provisioned[i]->qualifier, qualifier) < 0) /* a handful */
		i++;
	return i;
}

static struct fn_provisioned *find(const struct fn_entry *e, const char *qualifier)
{
	size_t i = e ? lower_bound(e, qualifier) : 0;

	return e && i < e->n_provisioned && fn_streq(e->provisioned[i]->qualifier, qualifier) ? e->provisioned[i] : NULL;
}

static void free_one(struct fn_provisioned *p)
{
	free(p->qualifier);
	free(p);
}

static int put(struct fn_entry *e, const char *qualifier, int64_t requested, uint64_t modified_us)
{
	struct fn_provisioned *p = find(e, qualifier);
	size_t i = lower_bound(e, qualifier);

	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p || !(p->qualifier = strdup(qualifier)) || fn_store_room(e->provisioned, e->n_provisioned, &e->cap_provisioned) < 0) {
			if (p)
				free_one(p);
			return -ENOMEM;
		}
		memmove(e->provisioned + i + 1, e->provisioned + i, (e->n_provisioned - i) * sizeof(*e->provisioned));
		e->provisioned[i] = p;
		e->n_provisioned++;
	}
	p->requested = requested;
	p->modified_us = modified_us;
	return 0;
}

static void take_out(struct fn_entry *e, const char *qualifier)
{
	size_t i = lower_bound(e, qualifier);

	if (!find(e, qualifier))
		return;
	free_one(e->provisioned[i]);
	memmove(e->provisioned + i, e->provisioned + i + 1, (e->n_provisioned - i - 1) * sizeof(*e->provisioned));
	e->n_provisioned--;
}

void fn_concurrency_free(struct fn_entry *e)
{
	for (size_t i = 0; i < e->n_provisioned; i++)
		free_one(e->provisioned[i]);
	free(e->provisioned);
}

/* Rows of what is gone are possible (an older program deleted the alias first); they are passed over and go with the function. */
int fn_concurrency_load(struct fn_store *s, struct fn_err *err)
{
	sqlite3_stmt *st = NULL;
	int r = 0, step = SQLITE_DONE;

	if (sqlite3_prepare_v2(s->db, "SELECT function, '', n, 0 FROM reserved UNION ALL SELECT function, qualifier, requested, modified_us FROM provisioned",
			       -1, &st, NULL) != SQLITE_OK)
		return fn_err_set(err, EIO, "load concurrency", "%.150s", sqlite3_errmsg(s->db));
	while (r == 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
		const char *function = (const char *)sqlite3_column_text(st, 0), *qualifier = (const char *)sqlite3_column_text(st, 1);
		struct fn_entry *e = fn_entry_find(s, function);

		if (e && !*qualifier)
			e->reserved = sqlite3_column_int64(st, 2) + 1;
		else if (e && fn_store_resolve(s, function, qualifier))
			r = put(e, qualifier, sqlite3_column_int64(st, 2), (uint64_t)sqlite3_column_int64(st, 3));
	}
	sqlite3_finalize(st);
	if (r == 0 && step != SQLITE_DONE)
		return fn_err_set(err, EIO, "load concurrency", "%.150s", sqlite3_errmsg(s->db));
	return r < 0 ? fn_err_set(err, r, "load concurrency", NULL) : 0;
}

int fn_concurrency_delete(struct fn_store *s, struct fn_entry *e, const char *sql, const char *qualifier, struct fn_err *err)
{
	const char *name = e->latest->name;
	int r = fn_db_exec(s->db, "BEGIN IMMEDIATE", err);

	if (r < 0)
		return r;
	r = fn_db_run(s->db, err, sql, "ss", name, qualifier);
	if (r == 0)
		r = fn_db_run(s->db, err, "DELETE FROM provisioned WHERE function=?1 AND qualifier=?2", "ss", name, qualifier);
	r = fn_db_end(s->db, r, err);
	if (r == 0)
		take_out(e, qualifier);
	return r;
}

int64_t fn_store_reserved(struct fn_store *s, const char *function)
{
	const struct fn_entry *e = fn_entry_find(s, function);

	return e ? e->reserved - 1 : -1;
}

int fn_store_set_reserved(struct fn_store *s, const char *function, int64_t n, struct fn_err *err)
{
	struct fn_entry *e = fn_entry_find(s, function);
	int r;

	if (!e)
		return fn_err_set(err, ENOENT, "store concurrency", "%s", function);
	if (n < 0)
		r = fn_db_run(s->db, err, "DELETE FROM reserved WHERE function=?1", "s", function);
	else
		r = fn_db_run(s->db, err, "INSERT OR REPLACE INTO reserved(function, n) VALUES(?1,?2)", "si", function, n);
	if (r == 0)
		e->reserved = n < 0 ? 0 : n + 1;
	return r;
}

const struct fn_provisioned *fn_store_provisioned(struct fn_store *s, const char *function, const char *qualifier)
{
	return find(fn_entry_find(s, function), qualifier);
}

int fn_store_set_provisioned(struct fn_store *s, const char *function, const char *qualifier, int64_t requested, struct fn_err *err)
{
	struct fn_entry *e = fn_entry_find(s, function);
	uint64_t now = fn_clock_real_us();
	int r;

	if (!e || (requested > 0 ? !fn_store_resolve(s, function, qualifier) : !find(e, qualifier)))
		return fn_err_set(err, ENOENT, "store concurrency", "%s:%s", function, qualifier);
	if (requested <= 0) {
		r = fn_db_run(s->db, err, "DELETE FROM provisioned WHERE function=?1 AND qualifier=?2", "ss", function, qualifier);
		if (r == 0)
			take_out(e, qualifier);
		return r;
	}
	r = fn_db_run(s->db, err, "INSERT OR REPLACE INTO provisioned(function, qualifier, requested, modified_us) VALUES(?1,?2,?3,?4)", "ssii", function,
		      qualifier, requested, (int64_t)now);
	if (r == 0 && put(e, qualifier, requested, now) < 0)
		r = fn_err_set(err, ENOMEM, "store concurrency", NULL);
	return r;
}

size_t fn_store_list_provisioned(struct fn_store *s, const char *function, const char *after, const struct fn_provisioned **ret, size_t max)
{
	struct fn_entry *e = fn_entry_find(s, function);
	size_t n = 0;

	for (size_t i = 0; e && i < e->n_provisioned && n < max; i++)
		if (!after || strcmp(e->provisioned[i]->qualifier, after) > 0)
			ret[n++] = e->provisioned[i];
	return n;
}

struct fn_provisioned *const *fn_store_all_provisioned(struct fn_store *s, const char *function, size_t *ret_n)
{
	const struct fn_entry *e = fn_entry_find(s, function);

	*ret_n = e ? e->n_provisioned : 0;
	return e ? e->provisioned : NULL;
}

static int64_t provisioned_sum(const struct fn_entry *e, const char *but)
{
	int64_t sum = 0;

	for (size_t i = 0; i < e->n_provisioned; i++)
		if (!fn_streq(e->provisioned[i]->qualifier, but))
			sum += e->provisioned[i]->requested;
	return sum;
}

int64_t fn_store_provisioned_sum(struct fn_store *s, const char *function, const char *but)
{
	const struct fn_entry *e = fn_entry_find(s, function);

	return e ? provisioned_sum(e, but) : 0;
}

static int64_t claim(const struct fn_entry *e) { return e->reserved > 0 ? e->reserved - 1 : provisioned_sum(e, NULL); }

int64_t fn_store_claim(struct fn_store *s, const char *function)
{
	const struct fn_entry *e = fn_entry_find(s, function);

	return e ? claim(e) : 0;
}

int64_t fn_store_claims(struct fn_store *s)
{
	int64_t sum = 0;

	for (size_t i = 0; i < s->n; i++)
		sum += claim(s->items[i]);
	return sum;
}
