/* disk_check.c - see disk_check.h. */
#include "runtime/disk_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "spawn/survey.h"

struct check {
	struct fn_job job; /* lists the packages */
	const struct fn_disk_config *cfg;
	json_t *before; /* rows at the beginning: name -> bytes of one that is READY, else null */
	json_t *there;  /* name -> bytes */
	fn_disk_checked_fn fn;
	void *arg;
};

static void fault(json_t *faults, const char *name, const char *what)
{
	json_array_append_new(faults, json_pack("{ss,ss}", "Name", name, "What", what));
}

/* Now, and at the beginning, it is as READY as can be: then it is there, of that size. */
static void compare(const struct check *c, json_t *faults)
{
	const char *name;
	json_t *bytes;
	char text[96];

	json_object_foreach(c->before, name, bytes) {
		const struct fn_tree *t = fn_store_tree(c->cfg->store, name);
		json_t *there = json_object_get(c->there, name);

		if (!t || t->state != FN_TREE_READY || !json_is_integer(bytes) || t->bytes != json_integer_value(bytes))
			continue;
		if (!there) {
			fault(faults, name, "is not there");
		} else if (json_integer_value(there) != t->bytes) {
			snprintf(text, sizeof(text), "has %lld bytes, not the %lld of its row", (long long)json_integer_value(there), (long long)t->bytes);
			fault(faults, name, text);
		}
	}
	json_object_foreach(c->there, name, bytes)
		if (!json_object_get(c->before, name) && !fn_store_tree(c->cfg->store, name))
			fault(faults, name, "has no row");
}

static void finish(struct check *c, const struct fn_err *err)
{
	json_t *faults = json_array();

	if (!err)
		compare(c, faults);
	c->fn(c->arg, err, err ? NULL : faults);
	json_decref(faults);
	json_decref(c->before);
	json_decref(c->there);
	free(c);
}

/* In a thread of its own: the disk may be slow. */
static void list_blobs(struct fn_job *job)
{
	struct check *c = fn_list_entry(job, struct check, job);
	char path[PATH_MAX], name[FN_STORE_TREE_SIZE + 8];
	struct dirent *e;
	struct stat st;
	DIR *d;

	snprintf(path, sizeof(path), "%s/blobs", c->cfg->state_dir);
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (fn_str_ends(e->d_name, ".zip") && fn_str_format(name, sizeof(name), "blob-%s", e->d_name) == 0 &&
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			name[strlen(name) - strlen(".zip")] = '\0';
			json_object_set_new(c->there, name, json_integer(st.st_size));
		}
	if (d)
		closedir(d);
}

static void on_surveyed(void *arg, const struct fn_err *err, const char *text)
{
	char name[FN_SURVEY_NAME_SIZE];
	struct check *c = arg;
	uint64_t bytes;

	while (!err && fn_survey_next(&text, name, &bytes))
		json_object_set_new(c->there, name, json_integer((json_int_t)bytes));
	finish(c, err);
}

static void on_listed(struct fn_job *job)
{
	struct check *c = fn_list_entry(job, struct check, job);
	struct fn_err err;
	int r = fn_spawn_survey(c->cfg->spawn, true, on_surveyed, c);

	if (r == 0)
		return;
	fn_err_set(&err, r, "survey", NULL);
	finish(c, &err);
}

void fn_disk_check(struct fn_disk *d, fn_disk_checked_fn fn, void *arg)
{
	struct check *c = calloc(1, sizeof(*c));
	const struct fn_tree *t;
	size_t it = 0;

	if (!c)
		abort();
	*c = (struct check){{.run = list_blobs, .done = on_listed}, fn_disk_config(d), json_object(), json_object(), fn, arg};
	while ((t = fn_store_next_tree(c->cfg->store, &it)))
		json_object_set_new(c->before, t->name, t->state == FN_TREE_READY ? json_integer(t->bytes) : json_null());
	fn_jobs_post(c->cfg->jobs, &c->job);
}
