/* cgroup_stat.c - see cgroup_stat.h. */
#include "os/cgroup_stat.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* v1: "rss" is what v2 calls "anon"; neither has the other's. */
static const struct {
	const char *key;
	int sign;
} keys[] = {{"anon ", 1}, {"rss ", 1}, {"shmem ", 1}, {"kernel ", 1}, {"slab_reclaimable ", -1}};

uint64_t fn_cg_stat_held(const char *text)
{
	uint64_t held = 0, less = 0;

	while (text && *text) {
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (fn_str_starts(text, keys[i].key))
				*(keys[i].sign > 0 ? &held : &less) += strtoull(text + strlen(keys[i].key), NULL, 10);
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return held > less ? held - less : 0;
}
