/* identities.c - see identities.h. */
#include "store/identities.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/managed.h"
#include "base/cleanup.h"
#include "base/id.h"
#include "base/str.h"
#include "store/internal.h"

static const char *const kinds[FN_ENTITY_KINDS] = {"role", "user", "policy", "instance-profile"};

static const char *text_of(const json_t *o, const char *member) { return json_string_value(json_object_get(o, member)); }

/* --- all --- */
static size_t bound(const struct fn_entities *all, const char *name) { return fn_store_bound(all->n, i, strcmp(all->items[i]->name, name) < 0); }

static struct fn_entity *find(const struct fn_entities *all, const char *name)
{
	size_t i = bound(all, name);

	return i < all->n && strcmp(all->items[i]->name, name) == 0 ? all->items[i] : NULL;
}

static void count_keys(struct fn_store *s, struct fn_entity *e, bool add)
{
	json_t *key;
	size_t i;

	json_array_foreach(json_object_get(e->record, "Keys"), i, key)
		if (!add)
			(void)fn_map_remove(s->access_keys, text_of(key, "AccessKeyId"));
		else if (fn_map_set(s->access_keys, text_of(key, "AccessKeyId"), e, NULL) < 0)
			abort(); /* it is on disk */
}

static void take(struct fn_store *s, enum fn_entity_kind kind, const char *name)
{
	struct fn_entities *all = &s->entities[kind];
	size_t i = bound(all, name);

	if (!find(all, name))
		return;
	count_keys(s, all->items[i], false);
	fn_entity_free(all->items[i]);
	memmove(all->items + i, all->items + i + 1, (--all->n - i) * sizeof(struct fn_entity *)); /* NOLINT(bugprone-sizeof-expression) */
}

/* There must be room. */
static void put(struct fn_store *s, struct fn_entity *e)
{
	struct fn_entities *all = &s->entities[e->kind];
	size_t i;

	take(s, e->kind, e->name);
	i = bound(all, e->name);
	memmove(all->items + i + 1, all->items + i, (all->n - i) * sizeof(struct fn_entity *)); /* NOLINT(bugprone-sizeof-expression) */
	all->items[i] = e;
	all->n++;
	count_keys(s, e, true);
}

const struct fn_entity *fn_store_entity(struct fn_store *s, enum fn_entity_kind kind, const char *name) { return name ? find(&s->entities[kind], name) : NULL; }

const struct fn_entity *fn_store_entity_alike(struct fn_store *s, enum fn_entity_kind kind, const char *name)
{
	const struct fn_entities *all = &s->entities[kind];

	for (size_t i = 0; i < all->n; i++)
		if (strcasecmp(all->items[i]->name, name) == 0)
			return all->items[i];
	return NULL;
}

const struct fn_entity *fn_store_entity_by_arn(struct fn_store *s, enum fn_entity_kind kind, const char *arn)
{
	const char *slash = arn ? strrchr(arn, '/') : NULL;
	const struct fn_entity *e = slash ? find(&s->entities[kind], slash + 1) : NULL;

	return e && fn_streq(text_of(e->record, "Arn"), arn) ? e : NULL;
}

size_t fn_store_entities(struct fn_store *s, enum fn_entity_kind kind, const char *after, const struct fn_entity **ret, size_t n)
{
	const struct fn_entities *all = &s->entities[kind];
	size_t i = bound(all, after), k = 0;

	if (i < all->n && strcmp(all->items[i]->name, after) == 0)
		i++;
	while (i < all->n && k < n)
		ret[k++] = all->items[i++];
	return k;
}

size_t fn_store_n_entities(const struct fn_store *s, enum fn_entity_kind kind) { return s->entities[kind].n; }

const struct fn_entity *fn_store_access_key(struct fn_store *s, const char *id, json_t **ret_key)
{
	const struct fn_entity *e = fn_map_get(s->access_keys, id);
	json_t *key;
	size_t i;

	json_array_foreach(e ? json_object_get(e->record, "Keys") : NULL, i, key)
		if (fn_streq(text_of(key, "AccessKeyId"), id)) {
			*ret_key = key;
			return e;
		}
	return NULL;
}

static const struct fn_iam_document *document_of(struct fn_store *s, const char *arn)
{
	const struct fn_entity *e = fn_store_entity_by_arn(s, FN_ENTITY_POLICY, arn);

	return e ? e->own : fn_iam_managed_document(arn);
}

static void gather(struct fn_store *s, struct fn_entity *e)
{
	json_t *attached = json_object_get(e->record, "Attached"), *arn;
	const struct fn_iam_document **all = calloc(e->n_inlined + json_array_size(attached) + 1, sizeof(*all));
	size_t i;

	if (!all) /* what is gathered last time would be another generation's: nothing is safer */
		e->n_all = 0;
	free(e->all);
	e->all = all;
	if (!all)
		return;
	e->n_all = 0;
	for (i = 0; i < e->n_inlined; i++)
		all[e->n_all++] = e->inlined[i];
	json_array_foreach(attached, i, arn) {
		const struct fn_iam_document *d = document_of(s, json_string_value(arn));

		if (d)
			all[e->n_all++] = d;
	}
	e->generation = s->iam_generation;
}

struct fn_iam_documents fn_store_policies_of(struct fn_store *s, const struct fn_entity *e, const struct fn_iam_document **ret_boundary)
{
	const char *boundary = text_of(e->record, "PermissionsBoundary");

	if (e->generation != s->iam_generation)
		gather(s, (struct fn_entity *)e);
	*ret_boundary = boundary ? document_of(s, boundary) : NULL;
	if (boundary && !*ret_boundary)
		*ret_boundary = fn_iam_nothing();
	return (struct fn_iam_documents){e->all, e->n_all};
}

/* --- on disk --- */
static int load_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	const char *kind = (const char *)sqlite3_column_text(st, 0), *name = (const char *)sqlite3_column_text(st, 1);
	fn_auto_buf struct fn_buf why = {0};
	struct fn_store *s = arg;
	enum fn_entity_kind k = FN_ENTITY_ROLE;
	struct fn_entity *e;

	while (k < FN_ENTITY_KINDS && strcmp(kinds[k], kind) != 0)
		k++;
	if (k == FN_ENTITY_KINDS)
		return fn_err_set(err, EBADMSG, "load identities", "%s", kind);
	if (fn_store_room(s->entities[k].items, s->entities[k].n, &s->entities[k].cap) < 0)
		return fn_err_set(err, ENOMEM, "load identities", NULL);
	if (fn_entity_new(k, name, json_loads((const char *)sqlite3_column_text(st, 2), 0, NULL), &e, &why) < 0)
		return fn_err_set(err, EBADMSG, "load identities", "%s %s: %s", kind, name, why.data ? why.data : "out of memory");
	put(s, e);
	return 0;
}

static int load_secret(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_store *s = arg;

	if (fn_hex_decode((const char *)sqlite3_column_text(st, 0), 2 * sizeof(s->session_secret), s->session_secret) < 0)
		return fn_err_set(err, EBADMSG, "load identities", "the sessions' secret");
	s->has_session_secret = true;
	return 0;
}

int fn_identities_load(struct fn_store *s, sqlite3 *db, struct fn_err *err)
{
	char hex[2 * FN_STORE_SECRET + 1];
	int r = fn_db_each(db, "SELECT kind, name, record FROM identities", "load identities", load_row, s, err);

	if (r == 0)
		r = fn_db_each(db, "SELECT value FROM secrets WHERE name='sessions'", "load identities", load_secret, s, err);
	s->iam_generation = 1;
	if (r < 0 || s->has_session_secret)
		return r;
	fn_id_random(s->session_secret, sizeof(s->session_secret));
	fn_hex_encode(s->session_secret, sizeof(s->session_secret), hex);
	return fn_db_run(db, err, "INSERT INTO secrets(name, value) VALUES('sessions', ?1)", "s", hex);
}

void fn_identities_free(struct fn_store *s)
{
	for (int k = 0; k < FN_ENTITY_KINDS; k++) {
		for (size_t i = 0; i < s->entities[k].n; i++)
			fn_entity_free(s->entities[k].items[i]);
		free(s->entities[k].items);
	}
}

const uint8_t *fn_store_session_secret(const struct fn_store *s) { return s->session_secret; }

static int write_row(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	if (w->entity)
		return fn_db_run(db, err, "INSERT OR REPLACE INTO identities(kind, name, record) VALUES(?1,?2,?3)", "sss", kinds[w->entity->kind], w->entity->name, w->text);
	return fn_db_run(db, err, "DELETE FROM identities WHERE kind=?1 AND name=?2", "ss", kinds[w->n], w->qualifier);
}

static void apply(struct fn_write *w)
{
	if (w->entity)
		put(w->s, fn_take_ptr(w->entity));
	else
		take(w->s, (enum fn_entity_kind)w->n, w->qualifier);
	w->s->iam_generation++;
}

int fn_store_put_entity(struct fn_store *s, struct fn_entity *e, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_about(s, FN_STORE_IAM, "store identity", &w, err);

	if (r < 0) {
		fn_entity_free(e);
		return r;
	}
	w->entity = e;
	w->text = json_dumps(e->record, JSON_COMPACT);
	if (!w->text || fn_store_room(s->entities[e->kind].items, s->entities[e->kind].n, &s->entities[e->kind].cap) < 0) {
		fn_write_free(w);
		return fn_err_set(err, ENOMEM, "store identity", NULL);
	}
	w->sql = write_row;
	w->apply = apply;
	return fn_write_begin(w, fn, arg);
}

int fn_store_delete_entity(struct fn_store *s, enum fn_entity_kind kind, const char *name, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_about(s, FN_STORE_IAM, "delete identity", &w, err);

	if (r < 0)
		return r;
	w->qualifier = strdup(name);
	if (!w->qualifier) {
		fn_write_free(w);
		return fn_err_set(err, ENOMEM, "delete identity", NULL);
	}
	w->n = kind;
	w->sql = write_row;
	w->apply = apply;
	return fn_write_begin(w, fn, arg);
}
