/* alias.c - see alias.h. */
#include "model/alias.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct fn_alias *fn_alias_new(const char *name)
{
	struct fn_alias *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	for (unsigned i = 0; i < FN_ALIAS_STRATA; i++)
		a->strata[i] = (uint8_t)i;
	a->name = strdup(name);
	a->description = strdup("");
	if (a->name && a->description)
		return a;
	fn_alias_free(a);
	return NULL;
}

struct fn_alias *fn_alias_clone(const struct fn_alias *a)
{
	struct fn_alias *c = malloc(sizeof(*c));
	bool ok;

	if (!c)
		return NULL;
	*c = *a;
	c->name = fn_strdup_opt(a->name);
	c->version = fn_strdup_opt(a->version);
	c->description = fn_strdup_opt(a->description);
	c->other_version = fn_strdup_opt(a->other_version);
	ok = !a->name == !c->name && !a->version == !c->version && !a->description == !c->description && !a->other_version == !c->other_version;
	if (ok)
		return c;
	fn_alias_free(c);
	return NULL;
}

void fn_alias_free(struct fn_alias *a)
{
	if (!a)
		return;
	free(a->name);
	free(a->version);
	free(a->description);
	free(a->other_version);
	free(a);
}

bool fn_alias_name_valid(const char *name)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	size_t len = strlen(name);

	return len > 0 && len <= 128 && strspn(name, chars) == len && strspn(name, "0123456789") < len;
}

bool fn_alias_names_version(const struct fn_alias *a, const char *version)
{
	return fn_streq(a->version, version) || fn_streq(a->other_version, version);
}

uint32_t fn_alias_draw(struct fn_alias *a)
{
	struct {
		uint32_t pick, within;
	} r;
	uint8_t taken;

	fn_id_random(&r, sizeof(r));
	if (a->left == 0)
		a->left = FN_ALIAS_STRATA;
	r.pick = (uint32_t)((uint64_t)r.pick * a->left >> 32);
	taken = a->strata[r.pick];
	a->strata[r.pick] = a->strata[--a->left]; /* a shuffle, one step of it per draw */
	a->strata[a->left] = taken;
	return (uint32_t)taken << 25 | r.within >> 7;
}
