/* entry.c - what the store has in memory: sorted arrays, which reads and paging use. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/concurrency.h"
#include "store/functions.h"
#include "store/internal.h"

/* --- the arrays --- */
void *fn_store_grow(void *array, size_t n, size_t *cap)
{
	size_t to = *cap ? *cap * 2 : 8;
	void *p;

	if (n < *cap)
		return array;
	p = realloc(array, to * sizeof(void *));
	if (p)
		*cap = to;
	return p;
}

size_t fn_entry_bound(const struct fn_store *s, const char *name)
{
	return fn_store_bound(s->n, i, strcmp(s->items[i]->latest->name, name) < 0);
}

struct fn_entry *fn_entry_find(struct fn_store *s, const char *name)
{
	size_t i = fn_entry_bound(s, name);

	return i < s->n && strcmp(s->items[i]->latest->name, name) == 0 ? s->items[i] : NULL;
}

size_t fn_entry_version_bound(const struct fn_entry *e, uint64_t n)
{
	return fn_store_bound(e->n_versions, i, fn_version_number(e->versions[i]->version) < n);
}

struct fn_function **fn_entry_version(struct fn_entry *e, const char *version)
{
	uint64_t n = fn_version_number(version);
	size_t i;

	if (n == 0)
		return &e->latest;
	i = fn_entry_version_bound(e, n);
	return i < e->n_versions && strcmp(e->versions[i]->version, version) == 0 ? &e->versions[i] : NULL;
}

/* --- snapshots come and go --- */
/* Trees and packages are counted by those that name them. A count that found no memory is too high by one or more: the package stays. */
const char *fn_store_tree_name(char ret[FN_STORE_TREE_SIZE], const char *kind, const char *sha256)
{
	snprintf(ret, FN_STORE_TREE_SIZE, "%s-%s", kind, sha256);
	return ret;
}

void fn_store_count_tree(struct fn_store *s, const char *tree, int by)
{
	uintptr_t n = (uintptr_t)fn_map_get(s->needs, tree);

	if (by < 0 && n <= 1)
		(void)fn_map_remove(s->needs, tree);
	else
		(void)fn_map_set(s->needs, tree, (void *)(n + (uintptr_t)by), NULL);
}

void fn_store_count_package(struct fn_store *s, const char *kind, const char *sha256, int by)
{
	char tree[FN_STORE_TREE_SIZE];

	fn_store_count_tree(s, fn_store_tree_name(tree, kind, sha256), by);
	fn_store_count_tree(s, fn_store_tree_name(tree, "blob", sha256), by);
}

static void count_trees(struct fn_store *s, const struct fn_function *f, int by)
{
	char image[FN_STORE_TREE_SIZE];

	if (f->image)
		fn_store_count_tree(s, fn_store_tree_name(image, "image", f->code_sha256), by);
	else
		fn_store_count_package(s, "code", f->code_sha256, by);
	if (f->image_before)
		fn_store_count_tree(s, fn_store_tree_name(image, "image", f->image_before->sha256), by);
	for (size_t i = 0; i < f->n_layers; i++)
		fn_store_count_package(s, "layer", f->layers[i].sha256, by);
}

static void drop(struct fn_store *s, struct fn_function *f)
{
	count_trees(s, f, -1);
	s->code_bytes -= f->code_size;
	fn_function_unref(f);
}

static struct fn_function *keep(struct fn_store *s, struct fn_function *f)
{
	count_trees(s, f, 1);
	s->code_bytes += f->code_size;
	return fn_function_ref(f);
}

/* Of nothing that counts for the account, but its package is needed. */
static void drop_before(struct fn_store *s, struct fn_entry *e)
{
	if (!e->before)
		return;
	count_trees(s, e->before, -1);
	fn_function_unref(e->before);
	e->before = NULL;
}

void fn_entry_replace(struct fn_store *s, struct fn_entry *e, struct fn_function *f)
{
	struct fn_function **slot = fn_entry_version(e, f->version), *old = *slot;

	if (slot == &e->latest && f->update_status != FN_UPDATE_IN_PROGRESS) {
		drop_before(s, e);
	} else if (slot == &e->latest && !e->before) {
		count_trees(s, e->latest, 1);
		e->before = fn_function_ref(e->latest);
	}
	*slot = keep(s, f);
	drop(s, old);
}

void fn_entry_set_before(struct fn_store *s, struct fn_entry *e, struct fn_function *before)
{
	count_trees(s, before, 1);
	e->before = fn_function_ref(before);
}

void fn_entry_add_version(struct fn_store *s, struct fn_entry *e, struct fn_function *f)
{
	uint64_t n = fn_version_number(f->version);
	size_t i = fn_entry_version_bound(e, n);

	memmove(e->versions + i + 1, e->versions + i, (e->n_versions - i) * sizeof(*e->versions));
	e->versions[i] = keep(s, f);
	e->n_versions++;
	if (n > e->last)
		e->last = n;
}

void fn_entry_take_version(struct fn_store *s, struct fn_entry *e, const char *version)
{
	struct fn_function **slot = fn_entry_version(e, version), *f = *slot;
	size_t i = (size_t)(slot - e->versions);

	memmove(slot, slot + 1, (e->n_versions - i - 1) * sizeof(*slot));
	e->n_versions--;
	drop(s, f);
}

/* --- provisioned concurrency --- */
size_t fn_entry_provisioned_bound(const struct fn_entry *e, const char *qualifier)
{
	size_t i = 0;

	while (i < e->n_provisioned && strcmp(e->provisioned[i]->qualifier, qualifier) < 0) /* a handful */
		i++;
	return i;
}

struct fn_provisioned *fn_entry_provisioned(const struct fn_entry *e, const char *qualifier)
{
	size_t i = e ? fn_entry_provisioned_bound(e, qualifier) : 0;

	return e && i < e->n_provisioned && fn_streq(e->provisioned[i]->qualifier, qualifier) ? e->provisioned[i] : NULL;
}

static void free_provisioned(struct fn_provisioned *p)
{
	free(p->qualifier);
	free(p);
}

void fn_entry_take_provisioned(struct fn_entry *e, const char *qualifier)
{
	size_t i = fn_entry_provisioned_bound(e, qualifier);

	if (!fn_entry_provisioned(e, qualifier))
		return;
	free_provisioned(e->provisioned[i]);
	memmove(e->provisioned + i, e->provisioned + i + 1, (e->n_provisioned - i - 1) * sizeof(*e->provisioned));
	e->n_provisioned--;
}

/* --- URLs and policies --- */
size_t fn_entry_url_bound(const struct fn_entry *e, const char *qualifier)
{
	size_t i = 0;

	while (i < e->n_urls && strcmp(e->urls[i]->qualifier, qualifier) < 0) /* a handful */
		i++;
	return i;
}

struct fn_url *fn_entry_url(const struct fn_entry *e, const char *qualifier)
{
	size_t i = e ? fn_entry_url_bound(e, qualifier) : 0;

	return e && i < e->n_urls && fn_streq(e->urls[i]->qualifier, qualifier) ? e->urls[i] : NULL;
}

void fn_entry_take_url(struct fn_store *s, struct fn_entry *e, const char *qualifier)
{
	size_t i = fn_entry_url_bound(e, qualifier);
	struct fn_url *u = fn_entry_url(e, qualifier);

	if (!u)
		return;
	(void)fn_map_remove(s->urls, u->id);
	fn_url_free(u);
	memmove(e->urls + i, e->urls + i + 1, (e->n_urls - i - 1) * sizeof(*e->urls));
	e->n_urls--;
}

struct fn_policy *fn_entry_policy(const struct fn_entry *e, const char *qualifier)
{
	for (size_t i = 0; i < e->n_policies; i++)
		if (fn_streq(e->policies[i]->qualifier, qualifier))
			return e->policies[i];
	return NULL;
}

static void free_policy(struct fn_policy *p)
{
	fn_iam_document_free(p->document);
	free(p->qualifier);
	free(p->statements);
	free(p);
}

void fn_entry_take_policy(struct fn_entry *e, const char *qualifier)
{
	for (size_t i = 0; i < e->n_policies; i++)
		if (fn_streq(e->policies[i]->qualifier, qualifier)) {
			free_policy(e->policies[i]);
			e->policies[i] = e->policies[--e->n_policies];
			return;
		}
}

void fn_entry_take_of(struct fn_entry *e, const char *qualifier)
{
	fn_entry_take_provisioned(e, qualifier);
	fn_entry_take_policy(e, qualifier);
}

/* --- entries --- */
void fn_entry_free(struct fn_store *s, struct fn_entry *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->n_versions; i++)
		drop(s, e->versions[i]);
	for (size_t i = 0; i < e->n_aliases; i++)
		fn_alias_free(e->aliases[i]);
	for (size_t i = 0; i < e->n_provisioned; i++)
		free_provisioned(e->provisioned[i]);
	while (e->n_urls > 0)
		fn_entry_take_url(s, e, e->urls[e->n_urls - 1]->qualifier);
	for (size_t i = 0; i < e->n_policies; i++)
		free_policy(e->policies[i]);
	drop_before(s, e);
	if (e->latest)
		drop(s, e->latest);
	free(e->versions);
	free(e->aliases);
	free(e->provisioned);
	free(e->urls);
	free(e->policies);
	free(e);
}

struct fn_entry *fn_entry_new(struct fn_store *s)
{
	struct fn_entry *e = calloc(1, sizeof(*e));

	if (e && fn_store_room(s->items, s->n + s->n_coming, &s->cap) == 0 && fn_store_room(e->versions, 0, &e->cap_versions) == 0)
		return e;
	fn_entry_free(s, e);
	return NULL;
}

void fn_entry_link(struct fn_store *s, struct fn_entry *e, struct fn_function *latest)
{
	size_t i = fn_entry_bound(s, latest->name);

	e->latest = keep(s, latest);
	memmove(s->items + i + 1, s->items + i, (s->n - i) * sizeof(*s->items));
	s->items[i] = e;
	s->n++;
}

void fn_entry_unlink(struct fn_store *s, struct fn_entry *e)
{
	size_t i = fn_entry_bound(s, e->latest->name);

	fn_entry_free(s, e);
	memmove(s->items + i, s->items + i + 1, (s->n - i - 1) * sizeof(*s->items));
	s->n--;
}
