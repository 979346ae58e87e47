/*
 * map.h - a hash table from byte-string or 64-bit keys to pointers. Keys are copied; values are
 * borrowed. Iteration order is unspecified; removing the entry just yielded is allowed.
 */
#ifndef FN_BASE_MAP_H
#define FN_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct fn_map;
int fn_map_new(struct fn_map **ret_map);
void fn_map_free(struct fn_map *m); /* not the values; NULL is fine */
size_t fn_map_count(const struct fn_map *m);

/* Sets; returns the previous value in *ret_old if asked (NULL when there was none). -ENOMEM. */
int fn_map_set(struct fn_map *m, const char *key, void *value, void **ret_old);
void *fn_map_get(const struct fn_map *m, const char *key); /* NULL = absent */
void *fn_map_remove(struct fn_map *m, const char *key);
int fn_map_set_u64(struct fn_map *m, uint64_t key, void *value, void **ret_old);
void *fn_map_get_u64(const struct fn_map *m, uint64_t key);
void *fn_map_remove_u64(struct fn_map *m, uint64_t key);

/* size_t it = 0; while ((v = fn_map_next(m, &it))) ... */
void *fn_map_next(const struct fn_map *m, size_t *it);

#endif
