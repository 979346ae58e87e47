/* archive.c - see archive.h. */
#include "env/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/str.h"
#include "env/env.h"
#include "image/digest.h"

#define FORMAT 3u
#define OFF_MAX 4096u /* that are known to be off; then all are forgotten, and tried again */
#define REST_US 600000000u     /* after the first failure; twice as long after each that follows */
#define REST_MOST_US 86400000000u
#define TRIES 3u /* starts from an archive before it is judged: the first finds its file in no cache */

bool fn_archive_name(const struct fn_runtimes *runtimes, const struct fn_function *f, char ret[FN_TREE_NAME_SIZE])
{
	const struct fn_runtime *rt = f->runtime && !f->image ? fn_runtimes_of(runtimes, f) : NULL;
	fn_auto_buf struct fn_buf b = {0};
	char hex[FN_SHA256_HEX];

	if (!rt || !rt->class_archive || !rt->installed || rt->foreign || !f->code_sha256[0])
		return false;
	if (fn_buf_addf(&b, "%u\n%s\n%s\n%s\n%d\n", FORMAT, f->name, f->code_sha256, f->handler ? f->handler : "", f->memory_mb) < 0)
		return false;
	for (size_t i = 0; i < f->n_layers; i++)
		if (fn_buf_addf(&b, "layer %s\n", f->layers[i].sha256) < 0)
			return false;
	for (unsigned i = 0; i < rt->n_layers; i++)
		if (fn_buf_addf(&b, "image %s\n", rt->layers[i]) < 0)
			return false;
	for (size_t i = 0; i < f->n_env; i++)
		if (fn_buf_addf(&b, "%s=%zu:%s\n", f->env[i].name, strlen(f->env[i].value), f->env[i].value) < 0)
			return false;
	fn_sha256_hex(b.data, b.len, hex);
	snprintf(ret, FN_TREE_NAME_SIZE, FN_ARCHIVE_PREFIX "%s", hex);
	return true;
}

bool fn_archive_sooner(const struct fn_archive_starts *s)
{
	return s->own < TRIES || s->ahead_us == 0 || s->own_us < s->ahead_us;
}

struct off {
	uint64_t until_us, rest_us;
	char why[];
};

void fn_archive_clear(struct fn_env_host *h)
{
	size_t it = 0;
	struct off *o;

	while (h->archives_off && (o = fn_map_next(h->archives_off, &it)))
		free(o);
	fn_map_free(h->archives_off);
	h->archives_off = NULL;
}

void fn_archive_tree_off(struct fn_env_host *h, const char *tree, uint64_t now_us, const char *why)
{
	const struct off *before = h->archives_off ? fn_map_get(h->archives_off, tree) : NULL;
	uint64_t rest_us = fn_pause_next(before ? before->rest_us : 0, REST_US, REST_MOST_US);
	size_t size = strlen(why) + 1;
	void *old = NULL;
	struct off *o;

	if (before && now_us < before->until_us) /* others that had begun with it */
		return;
	if (h->archives_off && fn_map_count(h->archives_off) >= OFF_MAX)
		fn_archive_clear(h);
	o = malloc(sizeof(*o) + size);
	if (!o || (!h->archives_off && fn_map_new(&h->archives_off) < 0)) {
		free(o);
		return;
	}
	o->until_us = now_us + rest_us;
	o->rest_us = rest_us;
	memcpy(o->why, why, size);
	if (fn_map_set(h->archives_off, tree, o, &old) < 0)
		free(o);
	free(old);
}

void fn_archive_off(struct fn_env_host *h, const struct fn_function *f, const char *why)
{
	char tree[FN_TREE_NAME_SIZE];

	if (fn_archive_name(h->cfg.runtimes, f, tree))
		fn_archive_tree_off(h, tree, fn_loop_now_us(h->cfg.loop), why);
}

const char *fn_archive_why_off(const struct fn_env_host *h, const char *tree, uint64_t now_us)
{
	const struct off *o = h->archives_off ? fn_map_get(h->archives_off, tree) : NULL;

	return o && now_us < o->until_us ? o->why : NULL;
}
