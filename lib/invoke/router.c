/* router.c - see router.h. */
#include "invoke/router.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

const char *fn_route_choose(const struct fn_alias *a, uint32_t random)
{
	return a->other_version && (double)random < a->other_weight * 4294967296.0 ? a->other_version : a->version;
}

/* NULL: the qualifier is a version or none, or there is no alias of that name. */
static struct fn_alias *alias_of(struct fn_store *s, const char *name, const char *qualifier)
{
	return fn_str_empty(qualifier) || fn_version_number(qualifier) != UINT64_MAX ? NULL : fn_store_alias(s, name, qualifier);
}

struct fn_function *fn_route(struct fn_store *s, const char *name, const char *qualifier)
{
	struct fn_alias *a = alias_of(s, name, qualifier);

	return fn_store_serving(s, a ? fn_store_get(s, name, fn_route_choose(a, a->other_version ? fn_alias_draw(a) : 0)) :
				       fn_store_resolve(s, name, qualifier));
}

/* --- copies --- */
struct fn_route_copy {
	const struct fn_store *store;
	char *name, *key;
	uint64_t stamp;
	struct fn_alias *alias;                  /* NULL: a version */
	struct fn_function *version, *other;     /* other: the alias's second; NULL = it has none */
};

const char *fn_route_key(const char *name, const char *qualifier, char buf[FN_ROUTE_KEY_SIZE])
{
	snprintf(buf, FN_ROUTE_KEY_SIZE, "%s:%s", name, qualifier ? qualifier : "");
	return buf;
}

const char *fn_route_copy_key(const struct fn_route_copy *c) { return c->key; }

struct fn_route_copy *fn_route_copy_new(struct fn_store *s, const char *name, const char *qualifier)
{
	struct fn_alias *a = alias_of(s, name, qualifier);
	struct fn_function *f = fn_store_serving(s, a ? fn_store_get(s, name, a->version) : fn_store_resolve(s, name, qualifier));
	struct fn_function *other = a && a->other_version ? fn_store_get(s, name, a->other_version) : NULL;
	struct fn_route_copy *c = f ? calloc(1, sizeof(*c)) : NULL;
	char key[FN_ROUTE_KEY_SIZE];

	if (!c)
		return NULL;
	*c = (struct fn_route_copy){
		.store = s, .name = strdup(name), .key = strdup(fn_route_key(name, qualifier, key)), .stamp = fn_store_stamp(s, name),
		.alias = a ? fn_alias_clone(a) : NULL, .version = fn_function_ref(f), .other = other ? fn_function_ref(other) : NULL,
	};
	if (c->name && c->key && (!a || c->alias))
		return c;
	fn_route_copy_free(c);
	return NULL;
}

void fn_route_copy_free(struct fn_route_copy *c)
{
	if (!c)
		return;
	free(c->name);
	free(c->key);
	fn_alias_free(c->alias);
	fn_function_unref(c->version);
	fn_function_unref(c->other);
	free(c);
}

struct fn_function *fn_route_copied(struct fn_route_copy *c)
{
	if (fn_store_stamp(c->store, c->name) != c->stamp)
		return NULL;
	return c->other && fn_route_choose(c->alias, fn_alias_draw(c->alias)) == c->alias->other_version ? c->other : c->version;
}
