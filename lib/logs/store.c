/* store.c - see store.h: opening, what there is on the disk, what goes. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "db/db.h"
#include "logs/internal.h"

static void free_map(struct fn_map **m) { fn_map_free(*m); }

static int remove_directory(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d)))
		if (!fn_streq(e->d_name, ".") && !fn_streq(e->d_name, ".."))
			(void)unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	return rmdir(path) < 0 ? -errno : 0;
}

/* Its segments' bytes, and when the first was written to. */
static void weigh(struct fn_log_store *s, struct fn_log_group *g)
{
	char path[4096], first[25] = "~";
	struct dirent *e;
	struct stat st;
	DIR *d;

	fn_log_dir(s, g, path);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (!fn_log_is_segment(e) || fstatat(dirfd(d), e->d_name, &st, 0) < 0)
			continue;
		g->bytes += (uint64_t)st.st_size;
		if (strcmp(e->d_name, first) < 0) {
			memcpy(first, e->d_name, sizeof(first));
			g->oldest_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
		}
	}
	if (d)
		closedir(d);
	s->total += g->bytes;
}

/* Is it the directory of one of these groups, by their ids? */
static bool is_groups(const struct fn_map *ids, const char *name)
{
	const struct fn_log_group *g;
	char own[32] = "";
	int64_t id;

	if (fn_str_to_i64(name + 1, 0, INT64_MAX, &id) == 0 && (g = fn_map_get_u64(ids, (uint64_t)id)))
		snprintf(own, sizeof(own), "@%lld", (long long)g->id);
	return fn_streq(own, name);
}

/* Directories of groups that were deleted when fnd ended. */
static int sweep(struct fn_log_store *s)
{
	fn_auto(free_map) struct fn_map *ids = NULL;
	struct fn_log_group *g;
	char path[4096];
	struct dirent *e;
	size_t it = 0;
	int r = fn_map_new(&ids);
	DIR *d;

	while (r == 0 && (g = fn_map_next(s->groups, &it)))
		r = fn_map_set_u64(ids, (uint64_t)g->id, g, NULL);
	if (r < 0)
		return r;
	d = opendir(s->dir);
	while (d && (e = readdir(d)))
		if (e->d_name[0] == '@' && !is_groups(ids, e->d_name) && fn_str_format(path, sizeof(path), "%s/%s", s->dir, e->d_name) == 0)
			(void)remove_directory(path);
	if (d)
		closedir(d);
	return 0;
}

int fn_log_store_open(const char *dir, const struct fn_log_bounds *bounds, struct fn_log_store **ret, struct fn_err *err)
{
	struct fn_log_store *s = calloc(1, sizeof(*s));
	struct fn_log_group *g;
	size_t it = 0;
	int r;

	if (!s)
		return fn_err_set(err, ENOMEM, "logs", NULL);
	fn_list_init(&s->loaded);
	s->bounds = *bounds;
	s->dir = strdup(dir);
	r = s->dir && fn_map_new(&s->groups) == 0 && fn_map_new(&s->old) == 0 ? fn_mkdir_p(dir, 0750) : -ENOMEM;
	if (r < 0)
		fn_err_set(err, r, "logs", "%.150s", dir);
	if (r == 0)
		r = fn_log_catalog_open(s, err);
	if (r == 0)
		r = fn_log_catalog_load(s, err);
	if (r == 0 && ((r = fn_log_takeover_find(s)) < 0 || (r = sweep(s)) < 0))
		fn_err_set(err, r, "logs", "%.150s", dir);
	if (r < 0) {
		fn_log_store_close(s);
		return r;
	}
	while ((g = fn_map_next(s->groups, &it)))
		weigh(s, g);
	*ret = s;
	return 0;
}

void fn_log_store_close(struct fn_log_store *s)
{
	struct fn_log_group *g;
	char *old;
	size_t it = 0;

	if (!s)
		return;
	while (!fn_list_empty(&s->loaded))
		fn_log_unload(s, fn_list_entry(fn_list_first(&s->loaded), struct fn_log_loaded, link));
	while (s->groups && (g = fn_map_next(s->groups, &it)))
		fn_log_catalog_forget(s, g);
	it = 0;
	while (s->old && (old = fn_map_next(s->old, &it)))
		free(old);
	while (s->n_turn > s->turn)
		free(s->by_turn[--s->n_turn]);
	free(s->by_turn);
	fn_map_free(s->groups);
	fn_map_free(s->old);
	sqlite3_close(s->db);
	free(s->dir);
	free(s);
}

/* The row goes first: without it the directory is nobody's, and goes at the next start. */
int fn_log_store_delete(struct fn_log_store *s, struct fn_log_group *g)
{
	char dir[4096];
	int r = fn_db_exec(s->db, "BEGIN IMMEDIATE", NULL);

	if (r < 0)
		return r;
	r = fn_db_run(s->db, NULL, "DELETE FROM streams WHERE group_id = ?1", "i", g->id);
	if (r == 0)
		r = fn_db_run(s->db, NULL, "DELETE FROM groups WHERE id = ?1", "i", g->id);
	r = fn_db_end(s->db, r, NULL);
	if (r < 0)
		return r;
	if (g->loaded)
		fn_log_unload(s, g->loaded);
	s->total -= g->bytes < s->total ? g->bytes : s->total;
	fn_log_dir(s, g, dir);
	(void)remove_directory(dir);
	fn_log_catalog_forget(s, g);
	return 0;
}
