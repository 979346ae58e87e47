/* cgroup_stat.c - see cgroup_stat.h. */
#include "os/cgroup_stat.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct key {
	const char *key;
	int sign;
};

/* Ends with a key of NULL. */
static uint64_t sum(const char *text, const struct key *keys)
{
	uint64_t all = 0, less = 0;

	while (text && *text) {
		for (const struct key *k = keys; k->key; k++)
			if (fn_str_starts(text, k->key))
				*(k->sign > 0 ? &all : &less) += strtoull(text + strlen(k->key), NULL, 10);
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return all > less ? all - less : 0;
}

/* v1: "rss" is what v2 calls "anon", "cache" what it calls "file"; neither has the other's. */
uint64_t fn_cg_stat_held(const char *text)
{
	static const struct key keys[] = {{"anon ", 1}, {"rss ", 1}, {"shmem ", 1}, {"kernel ", 1}, {"slab_reclaimable ", -1}, {NULL, 0}};

	return sum(text, keys);
}

uint64_t fn_cg_stat_files(const char *text)
{
	static const struct key keys[] = {{"file ", 1}, {"cache ", 1}, {"shmem ", -1}, {NULL, 0}};

	return sum(text, keys);
}
