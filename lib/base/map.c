/*
 * map.c - see map.h. Open addressing with linear probing and backward-shift deletion; the hash is keyed with a
 * per-process random seed, because keys come from the network.
 */
#include "base/map.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"

struct slot {
	uint64_t hash; /* 0 = empty */
	uint64_t num;
	char *key; /* NULL for 64-bit keys */
	void *value;
};

struct fn_map {
	struct slot *slots;
	size_t mask, count;
};

static uint64_t seed[2];

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	return x;
}

static uint64_t hash_str(const char *s)
{
	uint64_t h = seed[0];

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3u + seed[1];
	h = mix(h ^ seed[1]);
	return h ? h : 1;
}

static uint64_t hash_num(uint64_t n)
{
	uint64_t h = mix(n ^ seed[0]);

	return h ? h : 1;
}

int fn_map_new(struct fn_map **ret_map)
{
	struct fn_map *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	while (seed[0] == 0)
		fn_id_random(seed, sizeof(seed));
	m->mask = 15;
	m->slots = calloc(m->mask + 1, sizeof(struct slot));
	if (!m->slots) {
		free(m);
		return -ENOMEM;
	}
	*ret_map = m;
	return 0;
}

void fn_map_free(struct fn_map *m)
{
	if (!m)
		return;
	for (size_t i = 0; i <= m->mask; i++)
		free(m->slots[i].key);
	free(m->slots);
	free(m);
}

size_t fn_map_count(const struct fn_map *m) { return m->count; }

static bool same(const struct slot *s, uint64_t hash, const char *key, uint64_t num)
{
	if (s->hash != hash)
		return false;
	return key ? s->key && strcmp(s->key, key) == 0 : !s->key && s->num == num;
}

static struct slot *find(const struct fn_map *m, uint64_t hash, const char *key, uint64_t num)
{
	size_t i = hash & m->mask;

	while (m->slots[i].hash) {
		if (same(&m->slots[i], hash, key, num))
			return &m->slots[i];
		i = (i + 1) & m->mask;
	}
	return NULL;
}

static int grow(struct fn_map *m)
{
	size_t mask = m->mask * 2 + 1;
	struct slot *slots = calloc(mask + 1, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i <= m->mask; i++) {
		size_t k = m->slots[i].hash & mask;

		if (!m->slots[i].hash)
			continue;
		while (slots[k].hash)
			k = (k + 1) & mask;
		slots[k] = m->slots[i];
	}
	free(m->slots);
	m->slots = slots;
	m->mask = mask;
	return 0;
}

static int set(struct fn_map *m, uint64_t hash, const char *key, uint64_t num, void *value, void **ret_old)
{
	struct slot *s = find(m, hash, key, num);
	char *copy = NULL;
	size_t i;

	if (ret_old)
		*ret_old = s ? s->value : NULL;
	if (s) {
		s->value = value;
		return 0;
	}
	if ((m->count + 1) * 4 > (m->mask + 1) * 3) {
		int r = grow(m);

		if (r < 0)
			return r;
	}
	if (key && !(copy = strdup(key)))
		return -ENOMEM;
	i = hash & m->mask;
	while (m->slots[i].hash)
		i = (i + 1) & m->mask;
	m->slots[i] = (struct slot){.hash = hash, .num = num, .key = copy, .value = value};
	m->count++;
	return 0;
}

static void *take(struct fn_map *m, struct slot *s)
{
	size_t i, k;
	void *value;

	if (!s)
		return NULL;
	value = s->value;
	free(s->key);
	m->count--;
	i = (size_t)(s - m->slots);
	for (k = (i + 1) & m->mask; m->slots[k].hash; k = (k + 1) & m->mask) {
		size_t home = m->slots[k].hash & m->mask;

		/* may the entry at k move to the hole at i? yes unless its home lies in (i, k] */
		if (((k - home) & m->mask) >= ((k - i) & m->mask)) {
			m->slots[i] = m->slots[k];
			i = k;
		}
	}
	m->slots[i] = (struct slot){0};
	return value;
}

int fn_map_set(struct fn_map *m, const char *key, void *value, void **ret_old)
{
	return set(m, hash_str(key), key, 0, value, ret_old);
}

void *fn_map_get(const struct fn_map *m, const char *key)
{
	struct slot *s = find(m, hash_str(key), key, 0);

	return s ? s->value : NULL;
}

void *fn_map_remove(struct fn_map *m, const char *key) { return take(m, find(m, hash_str(key), key, 0)); }

int fn_map_set_u64(struct fn_map *m, uint64_t key, void *value, void **ret_old)
{
	return set(m, hash_num(key), NULL, key, value, ret_old);
}

void *fn_map_get_u64(const struct fn_map *m, uint64_t key)
{
	struct slot *s = find(m, hash_num(key), NULL, key);

	return s ? s->value : NULL;
}

void *fn_map_remove_u64(struct fn_map *m, uint64_t key) { return take(m, find(m, hash_num(key), NULL, key)); }

/*
 * Walks downwards, cyclically, from an empty slot. No probe chain crosses an empty slot, and removal only moves entries
 * of a chain downwards towards the hole, into slots already visited: nothing is skipped or yielded twice.
 * *it = start slot + 1 in the upper half, slots visited in the lower.
 */
void *fn_map_next(const struct fn_map *m, size_t *it)
{
	size_t start, done;

	if (*it == 0) {
		start = 0;
		while (m->slots[start].hash)
			start++;
		*it = (start + 1) << 32;
	}
	start = (*it >> 32) - 1;
	for (done = *it & UINT32_MAX; done <= m->mask;) {
		const struct slot *s = &m->slots[(start - done) & m->mask];

		done++;
		if (s->hash) {
			*it = (start + 1) << 32 | done;
			return s->value;
		}
	}
	return NULL;
}
