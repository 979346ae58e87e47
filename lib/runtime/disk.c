/* disk.c - see disk.h. */
#include "runtime/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "image/blobs.h"
#include "spawn/survey.h"

struct fn_disk {
	struct fn_disk_config cfg;
	struct fn_list removals;
};

/* One thing on its way out. */
struct removal {
	struct fn_list link;
	struct fn_disk *d;
	char name[FN_STORE_TREE_SIZE];
	struct fn_job job; /* of a package, whose name is gone */
	int fd;
};

int fn_disk_new(const struct fn_disk_config *config, struct fn_disk **ret)
{
	struct fn_disk *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->cfg = *config;
	fn_list_init(&d->removals);
	*ret = d;
	return 0;
}

static void end(struct removal *r)
{
	fn_list_remove(&r->link);
	free(r);
}

void fn_disk_free(struct fn_disk *d)
{
	if (!d)
		return;
	while (!fn_list_empty(&d->removals))
		end(fn_list_entry(fn_list_first(&d->removals), struct removal, link));
	free(d);
}

const struct fn_disk_config *fn_disk_config(const struct fn_disk *d) { return &d->cfg; }

bool fn_disk_room(const struct fn_disk *d, uint64_t bytes)
{
	return d->cfg.budget == 0 || (uint64_t)fn_store_tree_bytes(d->cfg.store) + bytes <= d->cfg.budget;
}

static bool is_blob(const char *name) { return fn_str_starts(name, "blob-"); }

/* --- coming --- */
int fn_disk_make(struct fn_disk *d, const struct fn_disk_new *what, size_t n, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct fn_tree *t = fn_store_tree(d->cfg.store, what[i].name);

		if (!is_blob(what[i].name) && (!t || t->state == FN_TREE_REMOVING))
			r = fn_spawn_remove_tree(d->cfg.spawn, what[i].name, NULL, NULL);
		if (r < 0)
			return fn_err_set(err, r, "note tree", "%s", what[i].name);
		r = fn_store_make_tree(d->cfg.store, what[i].name, what[i].bytes, i + 1 == n ? fn : NULL, arg, err); /* in one transaction, or in order */
	}
	return r;
}

int64_t fn_disk_made(struct fn_disk *d, const char *name, uint64_t bytes)
{
	const struct fn_tree *t = fn_store_tree(d->cfg.store, name);

	if (bytes > 0)
		(void)fn_store_measured_tree(d->cfg.store, name, (int64_t)bytes);
	return bytes > 0 || !t ? (int64_t)bytes : t->bytes;
}

/* --- going --- */
static void ask_spawnd(struct removal *r);

static bool still(const struct removal *r)
{
	const struct fn_tree *t = fn_store_tree(r->d->cfg.store, r->name);

	return t && t->state == FN_TREE_REMOVING;
}

static void on_removed(void *arg, const struct fn_err *err)
{
	struct removal *r = arg;
	struct fn_err ignored;
	char text[512];

	if (err && err->code == ECONNRESET) { /* the next fn-spawnd is asked */
		ask_spawnd(r);
		return;
	}
	if (err)
		fn_log_warn("%s: %s", r->name, fn_err_format(err, text, sizeof(text))); /* its row stays, and the next start tries again */
	else if (still(r))
		(void)fn_store_forget_tree(r->d->cfg.store, r->name, NULL, NULL, &ignored);
	end(r);
}

static void ask_spawnd(struct removal *r)
{
	if (fn_spawn_remove_tree(r->d->cfg.spawn, r->name, on_removed, r) < 0)
		end(r);
}

static void close_blob(struct fn_job *j) { close(fn_list_entry(j, struct removal, job)->fd); }
static void blob_closed(struct fn_job *j) { end(fn_list_entry(j, struct removal, job)); }

static void remove_blob(struct removal *r)
{
	struct fn_err ignored;

	r->fd = fn_blob_remove(r->d->cfg.state_dir, r->name + strlen("blob-"));
	(void)fn_store_forget_tree(r->d->cfg.store, r->name, NULL, NULL, &ignored);
	if (r->fd < 0) {
		end(r);
		return;
	}
	r->job = (struct fn_job){.run = close_blob, .done = blob_closed};
	fn_jobs_post(r->d->cfg.jobs, &r->job);
}

static void begin(struct removal *r)
{

	if (!still(r)) { /* it is wanted again */
		end(r);
	} else if (is_blob(r->name)) {
		remove_blob(r);
	} else {
		ask_spawnd(r);
	}
}

static void on_noted(void *arg, const struct fn_err *err)
{
	struct removal *r = arg;
	char text[512];

	if (!err) {
		begin(r);
		return;
	}
	fn_log_warn("%s is not removed: %s", r->name, fn_err_format(err, text, sizeof(text)));
	end(r);
}

static struct removal *new_removal(struct fn_disk *d, const char *name)
{
	struct removal *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	r->d = d;
	snprintf(r->name, sizeof(r->name), "%s", name);
	fn_list_push_back(&d->removals, &r->link);
	return r;
}

static bool under_way(struct fn_disk *d, const char *name)
{
	fn_list_for_each(l, &d->removals)
		if (fn_streq(fn_list_entry(l, struct removal, link)->name, name))
			return true;
	return false;
}

void fn_disk_remove(struct fn_disk *d, const char *name)
{
	const struct fn_tree *t = fn_store_tree(d->cfg.store, name);
	struct removal *r;
	struct fn_err err;

	if (!t || (t->state == FN_TREE_REMOVING && under_way(d, name)))
		return;
	r = new_removal(d, name);
	if (t->state == FN_TREE_REMOVING) /* since before the start */
		begin(r);
	else if (fn_store_remove_tree(d->cfg.store, name, on_noted, r, &err) < 0)
		on_noted(r, &err);
}

/* --- at the start --- */
static void report(void *arg, const struct fn_err *err)
{
	char text[512];

	if (err)
		fn_log_warn("%s: %s", (const char *)arg, fn_err_format(err, text, sizeof(text)));
}

void fn_disk_adopt(struct fn_disk *d, const char *name)
{
	char path[PATH_MAX];
	struct fn_err err;

	snprintf(path, sizeof(path), "%s/roots/%s", d->cfg.state_dir, name);
	if (fn_store_tree(d->cfg.store, name) || access(path, F_OK) < 0)
		return;
	if (fn_store_make_tree(d->cfg.store, name, 0, NULL, NULL, &err) < 0 ||
	    fn_store_ready_tree(d->cfg.store, name, report, "base images", &err) < 0)
		report("base images", &err);
}

static void on_surveyed(void *arg, const struct fn_err *failed, const char *text)
{
	struct fn_disk *d = arg;
	char name[FN_SURVEY_NAME_SIZE], words[512];
	unsigned stray = 0;
	uint64_t bytes;
	struct fn_err err;

	if (failed) {
		fn_log_warn("trees that nobody owns are not looked for: %s", fn_err_format(failed, words, sizeof(words)));
		return;
	}
	while (fn_survey_next(&text, name, &bytes)) {
		const struct fn_tree *t = fn_store_tree(d->cfg.store, name);

		if (!t) {
			stray += fn_spawn_remove_tree(d->cfg.spawn, name, NULL, NULL) == 0;
		} else if (t->state == FN_TREE_READY && t->bytes == 0 && bytes > 0 && fn_store_measured_tree(d->cfg.store, name, (int64_t)bytes) == 0 &&
			   fn_store_ready_tree(d->cfg.store, name, NULL, NULL, &err) < 0) {
			report("sizes of trees", &err);
		}
	}
	if (stray)
		fn_log_info("%u trees that nothing knows of are removed", stray);
}

/* Packages that have no row: parts of one, or of an fnd that was killed before there was a registry. */
static void sweep_blobs(struct fn_disk *d)
{
	char path[PATH_MAX], name[FN_STORE_TREE_SIZE];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/blobs", d->cfg.state_dir);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (fn_streq(e->d_name, ".") || fn_streq(e->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "blob-%.64s", e->d_name);
		if (strlen(e->d_name) != 64 + strlen(".zip") || !fn_str_ends(e->d_name, ".zip") || !fn_store_tree(d->cfg.store, name))
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	}
	if (dir)
		closedir(dir);
}

void fn_disk_sweep(struct fn_disk *d, bool (*owned)(void *arg, const char *name), void *arg)
{
	const struct fn_tree *t;
	bool measure = false;
	struct fn_err err;
	size_t it = 0;
	int r;

	while ((t = fn_store_next_tree(d->cfg.store, &it))) {
		if (t->state != FN_TREE_MAKING && (t->state == FN_TREE_REMOVING || !owned(arg, t->name)))
			fn_disk_remove(d, t->name);
		else
			measure |= t->bytes == 0;
	}
	sweep_blobs(d);
	r = fn_spawn_survey(d->cfg.spawn, measure, on_surveyed, d);
	if (r < 0) {
		fn_err_set(&err, r, "survey", NULL);
		on_surveyed(d, &err, NULL);
	}
}
