/* concurrency.c - see concurrency.h. */
#include "store/concurrency.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "store/aliases.h"
#include "store/internal.h"

/* Room for it, if there is none of this qualifier. */
static int make_room(struct fn_entry *e, const char *qualifier)
{
	return fn_entry_provisioned(e, qualifier) ? 0 : fn_store_room(e->provisioned, e->n_provisioned, &e->cap_provisioned);
}

/* There must be room. Takes qualifier, which is malloc'ed. */
static int put(struct fn_entry *e, char *qualifier, int64_t requested, uint64_t modified_us)
{
	struct fn_provisioned *p = fn_entry_provisioned(e, qualifier);
	size_t i = fn_entry_provisioned_bound(e, qualifier);

	if (p) {
		free(qualifier);
	} else {
		p = calloc(1, sizeof(*p));
		if (!p) {
			free(qualifier);
			return -ENOMEM;
		}
		p->qualifier = qualifier;
		memmove(e->provisioned + i + 1, e->provisioned + i, (e->n_provisioned - i) * sizeof(*e->provisioned));
		e->provisioned[i] = p;
		e->n_provisioned++;
	}
	p->requested = requested;
	p->modified_us = modified_us;
	return 0;
}

/* Rows of what is gone are possible (an older program deleted the alias first); they are passed over and go with the function. */
static int load_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	const char *function = (const char *)sqlite3_column_text(st, 0), *qualifier = (const char *)sqlite3_column_text(st, 1);
	struct fn_entry *e = fn_entry_find(arg, function);
	char *copy;

	if (e && !*qualifier) {
		e->reserved = sqlite3_column_int64(st, 2) + 1;
	} else if (e && fn_store_resolve(arg, function, qualifier)) {
		copy = make_room(e, qualifier) == 0 ? strdup(qualifier) : NULL;
		if (!copy || put(e, copy, sqlite3_column_int64(st, 2), (uint64_t)sqlite3_column_int64(st, 3)) < 0)
			return fn_err_set(err, ENOMEM, "load concurrency", NULL);
	}
	return 0;
}

int fn_concurrency_load(struct fn_store *s, sqlite3 *db, struct fn_err *err)
{
	return fn_db_each(db, "SELECT function, '', n, 0 FROM reserved UNION ALL SELECT function, qualifier, requested, modified_us FROM provisioned",
			  "load concurrency", load_row, s, err);
}

static int64_t provisioned_sum(const struct fn_entry *e, const char *but)
{
	int64_t sum = 0;

	for (size_t i = 0; i < e->n_provisioned; i++)
		if (!fn_streq(e->provisioned[i]->qualifier, but))
			sum += e->provisioned[i]->requested;
	return sum;
}

static int64_t claim(const struct fn_entry *e) { return e->reserved > 0 ? e->reserved - 1 : provisioned_sum(e, NULL); }

int64_t fn_store_reserved(struct fn_store *s, const char *function)
{
	const struct fn_entry *e = fn_entry_find(s, function);

	return e ? e->reserved - 1 : -1;
}

/* It claims n of the account. */
static void will_claim(struct fn_write *w, int64_t n) { w->claim = n > claim(w->e) ? n - claim(w->e) : 0; }

static int write_reserved(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	if (w->n < 0)
		return fn_db_run(db, err, "DELETE FROM reserved WHERE function=?1", "s", w->name);
	return fn_db_run(db, err, "INSERT OR REPLACE INTO reserved(function, n) VALUES(?1,?2)", "si", w->name, w->n);
}

static void apply_reserved(struct fn_write *w) { w->e->reserved = w->n < 0 ? 0 : w->n + 1; }

int fn_store_set_reserved(struct fn_store *s, const char *function, int64_t n, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_new(s, function, false, "store concurrency", &w, err);

	if (r < 0)
		return r;
	w->n = n;
	will_claim(w, n < 0 ? provisioned_sum(w->e, NULL) : n);
	w->sql = write_reserved;
	w->apply = apply_reserved;
	return fn_write_begin(w, fn, arg);
}

const struct fn_provisioned *fn_store_provisioned(struct fn_store *s, const char *function, const char *qualifier)
{
	return fn_entry_provisioned(fn_entry_find(s, function), qualifier);
}

static int write_provisioned(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	if (w->n <= 0)
		return fn_db_run(db, err, "DELETE FROM provisioned WHERE function=?1 AND qualifier=?2", "ss", w->name, w->qualifier);
	return fn_db_run(db, err, "INSERT OR REPLACE INTO provisioned(function, qualifier, requested, modified_us) VALUES(?1,?2,?3,?4)", "ssii", w->name,
			 w->qualifier, w->n, (int64_t)w->when_us);
}

static void apply_provisioned(struct fn_write *w)
{
	if (w->n <= 0)
		fn_entry_take_provisioned(w->e, w->qualifier);
	else if (put(w->e, fn_take_ptr(w->qualifier), w->n, w->when_us) < 0)
		abort(); /* it is on disk */
}

int fn_store_set_provisioned(struct fn_store *s, const char *function, const char *qualifier, int64_t requested, fn_stored_fn fn, void *arg,
			     struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_new(s, function, false, "store concurrency", &w, err);

	if (r < 0)
		return r;
	if (requested > 0 ? !fn_store_resolve(s, function, qualifier) : !fn_entry_provisioned(w->e, qualifier))
		r = fn_err_set(err, ENOENT, "store concurrency", "%s:%s", function, qualifier);
	else if (!(w->qualifier = strdup(qualifier)) || make_room(w->e, qualifier) < 0)
		r = fn_err_set(err, ENOMEM, "store concurrency", NULL);
	if (r < 0) {
		fn_write_free(w);
		return r;
	}
	w->n = requested;
	w->when_us = fn_clock_real_us();
	if (w->e->reserved == 0)
		will_claim(w, provisioned_sum(w->e, qualifier) + requested);
	w->sql = write_provisioned;
	w->apply = apply_provisioned;
	return fn_write_begin(w, fn, arg);
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

int64_t fn_store_provisioned_sum(struct fn_store *s, const char *function, const char *but)
{
	const struct fn_entry *e = fn_entry_find(s, function);

	return e ? provisioned_sum(e, but) : 0;
}

int64_t fn_store_claim(struct fn_store *s, const char *function)
{
	const struct fn_entry *e = fn_entry_find(s, function);

	return e ? claim(e) : 0;
}

int64_t fn_store_claims(struct fn_store *s)
{
	int64_t sum = s->claims_coming;

	for (size_t i = 0; i < s->n; i++)
		sum += claim(s->items[i]);
	return sum;
}
