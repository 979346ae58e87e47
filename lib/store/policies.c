/* policies.c - see policies.h. */
#include "store/policies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "store/aliases.h"
#include "store/functions.h"
#include "store/internal.h"

/* There must be room. Takes both texts; statements NULL: it goes. */
static int put(struct fn_entry *e, char *qualifier, char *statements)
{
	struct fn_policy *p = statements ? calloc(1, sizeof(*p)) : NULL;

	fn_entry_take_policy(e, qualifier);
	if (!p) {
		free(qualifier);
		return statements ? -ENOMEM : 0;
	}
	p->qualifier = qualifier;
	p->statements = statements;
	e->policies[e->n_policies++] = p;
	return 0;
}

static int load_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_entry *e = fn_entry_find(arg, (const char *)sqlite3_column_text(st, 0));
	char *qualifier, *statements;

	if (!e)
		return fn_err_set(err, EBADMSG, "load policies", "%s", sqlite3_column_text(st, 0));
	qualifier = strdup((const char *)sqlite3_column_text(st, 1));
	statements = strdup((const char *)sqlite3_column_text(st, 2));
	if (qualifier && statements && fn_store_room(e->policies, e->n_policies, &e->cap_policies) == 0 && put(e, qualifier, statements) == 0)
		return 0;
	return fn_err_set(err, ENOMEM, "load policies", NULL);
}

int fn_policies_load(struct fn_store *s, sqlite3 *db, struct fn_err *err)
{
	return fn_db_each(db, "SELECT function, qualifier, statements FROM policies", "load policies", load_row, s, err);
}

const char *fn_store_policy(struct fn_store *s, const char *function, const char *qualifier)
{
	const struct fn_entry *e = fn_entry_find(s, function);
	const struct fn_policy *p = e ? fn_entry_policy(e, qualifier) : NULL;

	return p ? p->statements : NULL;
}

const struct fn_iam_document *fn_store_policy_document(struct fn_store *s, const char *function, const char *qualifier)
{
	const struct fn_entry *e = fn_entry_find(s, function);
	struct fn_policy *p = e ? fn_entry_policy(e, qualifier) : NULL;
	fn_auto_buf struct fn_buf why = {0};

	if (!p)
		return NULL;
	if (!p->document) {
		json_auto_t *o = json_pack("{ss,so?}", "Version", "2012-10-17", "Statement", json_loads(p->statements, 0, NULL));

		if (!o || fn_iam_document_of(o, FN_IAM_RESOURCE, &p->document, &why) < 0)
			return fn_iam_nothing();
	}
	return p->document;
}

/* With what it is about, which has a new revision. */
static int write_row(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	int r = w->version ? fn_row_write(db, w->version, err) : fn_alias_write(w, db, err);

	if (r < 0)
		return r;
	if (!w->text)
		return fn_db_run(db, err, "DELETE FROM policies WHERE function=?1 AND qualifier=?2", "ss", w->name, w->qualifier);
	return fn_db_run(db, err, "INSERT OR REPLACE INTO policies(function, qualifier, statements) VALUES(?1,?2,?3)", "sss", w->name, w->qualifier, w->text);
}

static void apply(struct fn_write *w)
{
	if (w->version)
		fn_entry_replace(w->s, w->e, w->version);
	else
		fn_alias_apply(w);
	if (put(w->e, fn_take_ptr(w->qualifier), fn_take_ptr(w->text)) < 0)
		abort(); /* it is on disk */
}

/* What it is about, with a new revision: w->version, $LATEST too, or w->alias. */
static int renew(struct fn_write *w, const char *qualifier)
{
	struct fn_function *f = fn_store_get(w->s, w->name, *qualifier ? qualifier : NULL);
	const struct fn_alias *a = f ? NULL : fn_store_alias(w->s, w->name, qualifier);

	if (f) {
		f = fn_function_clone(f);
		if (f)
			fn_id_uuid(f->revision_id);
		w->version = f;
		return f ? 0 : -ENOMEM;
	}
	if (!a)
		return -ENOENT;
	w->alias = fn_alias_clone(a);
	if (w->alias)
		fn_id_uuid(w->alias->revision_id);
	return w->alias ? 0 : -ENOMEM;
}

int fn_store_set_policy(struct fn_store *s, const char *function, const char *qualifier, const char *statements, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_new(s, function, false, "store policy", &w, err);

	if (r < 0)
		return r;
	w->qualifier = strdup(qualifier);
	w->text = fn_strdup_opt(statements);
	if (!w->qualifier || (statements && !w->text) || fn_store_room(w->e->policies, w->e->n_policies, &w->e->cap_policies) < 0)
		r = -ENOMEM;
	else
		r = renew(w, qualifier);
	if (r < 0) {
		fn_write_free(w);
		return fn_err_set(err, r, "store policy", "%s:%s", function, qualifier);
	}
	w->sql = write_row;
	w->apply = apply;
	return fn_write_begin(w, fn, arg);
}
