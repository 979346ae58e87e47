/* router.c - see router.h. */
#include "invoke/router.h"

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
