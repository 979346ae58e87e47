/* archives.c - see archives.h. Whose an archive is is not written down: it has the name that its functions' content gives. */
#include "invoke/archives.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "store/trees.h"

#define PAGE 128u /* versions in a round of the loop: each costs a digest */
#define QUEUE_MAX 1024u
#define ROOM_BYTES (256u << 20) /* the most that one may have, of disk_budget_mb: packages come before it */
#define LOADED_US 60000000u /* after the start that was slow: until then it may have told what its first invocation loads, too */
#define WAIT_US 2000000u    /* after that: its function has the processor for itself first */
#define LOADED_BYTES (16u << 20) /* of names, of all that wait; beyond that an archive has what the init loads */
#define AGAIN_US 1000000u /* after something that is the platform's fault */
#define SWEEP_US 500000u  /* after a change: others come with it */

struct job {
	struct fn_list link;
	struct fn_archives *a;
	struct fn_function *f; /* as it was when its start was slow */
	char tree[FN_BACKEND_TREE_SIZE];
	uint64_t due_us;
	char *loaded; /* NULL = it was not told */
	size_t loaded_len;
	bool begun;
};

struct fn_archives {
	struct fn_snapshots_config cfg;
	struct fn_list jobs; /* the first may be under way */
	unsigned n_jobs;
	size_t loaded_bytes; /* that they have */
	uint64_t timer;
	/* What looks for archives that are nobody's: a page of versions a round. */
	uint64_t sweeper;
	struct fn_map *named;   /* the names that there may be, as far as it has come; NULL: it is not under way */
	struct fn_function *at; /* the last that it has seen; NULL: none */
	bool due, changed;      /* it is to begin; something has changed since it began */
};

static void look_at(struct fn_archives *a, uint64_t at_us) { (void)fn_loop_rearm_timer(a->cfg.loop, a->timer, at_us); }
static uint64_t after(const struct fn_archives *a, uint64_t us) { return fn_loop_now_us(a->cfg.loop) + us; }

void fn_archives_look(struct fn_archives *a)
{
	look_at(a, 0);
	a->changed = true;
	if (!a->named && !a->due)
		a->due = fn_loop_rearm_timer(a->cfg.loop, a->sweeper, after(a, SWEEP_US)) == 0;
}

static void free_job(struct job *j)
{
	fn_list_remove(&j->link);
	fn_function_unref(j->f);
	free(j->loaded);
	free(j);
}

static void end(struct job *j, uint64_t look_us)
{
	struct fn_archives *a = j->a;

	a->n_jobs--;
	a->loaded_bytes -= j->loaded_len;
	free_job(j);
	fn_archives_look(a);
	look_at(a, look_us);
}

/* What was begun is no job's any more, and goes. */
static void refused(struct job *j, const char *why)
{
	struct fn_archives *a = j->a;

	fn_log_info("%s:%s starts without an archive of its classes: %s", j->f->name, j->f->version, why);
	a->cfg.backend->ops->archive_off(a->cfg.backend, j->f, why);
	end(j, 0);
}

/* --- making one --- */
static void on_ready(void *arg, const struct fn_err *err)
{
	struct job *j = arg;
	char text[512];

	if (err)
		refused(j, fn_err_format(err, text, sizeof(text)));
	else
		end(j, 0);
}

static void on_made(void *arg, const struct fn_snapshot_result *res)
{
	struct job *j = arg;
	struct fn_archives *a = j->a;
	struct fn_err err;
	char text[512];

	if (res->what == FN_SNAPSHOT_LOST) {
		j->begun = false;
		look_at(a, after(a, AGAIN_US));
	} else if (res->what != FN_SNAPSHOT_TAKEN) {
		refused(j, res->reason);
	} else {
		(void)fn_disk_made(a->cfg.disk, j->tree, res->bytes);
		if (fn_store_ready_tree(a->cfg.store, j->tree, on_ready, j, &err) < 0)
			refused(j, fn_err_format(&err, text, sizeof(text)));
	}
}

/* Does the function, as it is now, still have that name for its archive? */
static bool stands(const struct job *j)
{
	const struct fn_snapshots_config *cfg = &j->a->cfg;
	const struct fn_function *now = fn_store_get(cfg->store, j->f->name, j->f->version);
	char tree[FN_BACKEND_TREE_SIZE];

	return now && cfg->backend->ops->archive_name(cfg->backend, now, tree) && fn_streq(tree, j->tree);
}

static void on_noted(void *arg, const struct fn_err *err)
{
	struct job *j = arg;
	struct fn_archives *a = j->a;
	char text[512];

	if (err)
		refused(j, fn_err_format(err, text, sizeof(text)));
	else if (!stands(j))
		end(j, 0);
	else if (a->cfg.backend->ops->snapshot(a->cfg.backend, j->f, j->tree, j->loaded ? &(struct fn_backend_loaded){j->loaded, j->loaded_len} : NULL, on_made, j) < 0)
		refused(j, "out of memory");
}

/* The first that is due. NULL: there is none, or one is under way. */
static struct job *next(const struct fn_archives *a)
{
	struct job *first = NULL;

	fn_list_for_each(l, (struct fn_list *)&a->jobs)
	{
		struct job *j = fn_list_entry(l, struct job, link);

		if (j->begun)
			return NULL;
		if (!first || j->due_us < first->due_us)
			first = j;
	}
	return first;
}

static void begin(struct fn_archives *a)
{
	struct job *j = next(a);
	struct fn_err err;
	char text[512];

	if (!j)
		return;
	if (j->due_us > fn_loop_now_us(a->cfg.loop)) {
		look_at(a, j->due_us);
		return;
	}
	if (!stands(j) || fn_store_tree_ready(a->cfg.store, j->tree)) {
		end(j, 0);
		return;
	}
	if (!fn_disk_room(a->cfg.disk, ROOM_BYTES)) {
		refused(j, "disk_budget_mb has no room for one");
		return;
	}
	j->begun = true;
	if (fn_disk_make(a->cfg.disk, &(struct fn_disk_new){j->tree, 0}, 1, on_noted, j, &err) < 0)
		refused(j, fn_err_format(&err, text, sizeof(text)));
}

/* --- which --- */
static struct job *job_of(const struct fn_archives *a, const char *tree)
{
	fn_list_for_each(l, (struct fn_list *)&a->jobs)
		if (fn_streq(fn_list_entry(l, struct job, link)->tree, tree))
			return fn_list_entry(l, struct job, link);
	return NULL;
}

static bool known(const struct fn_archives *a, const char *tree)
{
	return fn_store_tree_ready(a->cfg.store, tree) || a->cfg.backend->ops->archive_is_off(a->cfg.backend, tree);
}

static bool on_started(void *arg, struct fn_function *f, uint64_t init_us)
{
	struct fn_archives *a = arg;
	char tree[FN_BACKEND_TREE_SIZE];
	struct job *j;

	if (a->cfg.archive_init_us == 0 || init_us < a->cfg.archive_init_us || !a->cfg.backend->ops->archive_name(a->cfg.backend, f, tree))
		return false;
	j = job_of(a, tree);
	if (j)
		return !j->begun && !j->loaded;
	if (a->n_jobs >= QUEUE_MAX || known(a, tree))
		return false;
	j = calloc(1, sizeof(*j));
	if (!j)
		return false;
	j->a = a;
	j->f = fn_function_ref(f);
	snprintf(j->tree, sizeof(j->tree), "%s", tree);
	j->due_us = after(a, LOADED_US);
	fn_list_push_back(&a->jobs, &j->link);
	a->n_jobs++;
	begin(a);
	return true;
}

static void on_loaded(void *arg, struct fn_function *f, const struct fn_backend_loaded *what)
{
	struct fn_archives *a = arg;
	char tree[FN_BACKEND_TREE_SIZE];
	struct job *j;

	if (!a->cfg.backend->ops->archive_name(a->cfg.backend, f, tree))
		return;
	j = job_of(a, tree);
	if (!j || j->begun || j->loaded)
		return;
	if (what->len > 0 && a->loaded_bytes + what->len <= LOADED_BYTES && (j->loaded = malloc(what->len))) {
		memcpy(j->loaded, what->names, what->len);
		j->loaded_len = what->len;
		a->loaded_bytes += what->len;
	}
	j->due_us = after(a, WAIT_US);
	begin(a);
}

static void on_failed(void *arg, struct fn_function *f)
{
	struct fn_archives *a = arg;
	char tree[FN_BACKEND_TREE_SIZE];

	fn_log_warn("%s:%s: a start from the archive of its classes has failed: it goes", f->name, f->version);
	if (!a->cfg.backend->ops->archive_name(a->cfg.backend, f, tree))
		return;
	fn_disk_remove(a->cfg.disk, tree);
}

/* --- going --- */
static bool is_job(const struct fn_archives *a, const char *tree)
{
	const struct job *j = job_of(a, tree);

	return j && j->begun;
}

bool fn_archives_need(const struct fn_archives *a, const char *tree)
{
	return is_job(a, tree) || fn_store_tree_ready(a->cfg.store, tree);
}

static bool is_archive(const struct fn_archives *a, const struct fn_tree *t)
{
	return fn_str_starts(t->name, FN_ARCHIVE_PREFIX) && t->state != FN_TREE_REMOVING && !is_job(a, t->name);
}

static bool any(const struct fn_archives *a)
{
	const struct fn_tree *t;
	size_t it = 0;

	while ((t = fn_store_next_tree(a->cfg.store, &it)))
		if (is_archive(a, t))
			return true;
	return false;
}

/* Those of no version, and what has not become one. What runs has its archive mapped, and keeps it. */
static void remove_others(struct fn_archives *a)
{
	const struct fn_tree *t;
	size_t it = 0;

	while ((t = fn_store_next_tree(a->cfg.store, &it)))
		if (is_archive(a, t) && (t->state != FN_TREE_READY || !fn_map_get(a->named, t->name)))
			fn_disk_remove(a->cfg.disk, t->name);
}

static void forget(struct fn_archives *a)
{
	fn_map_free(a->named);
	a->named = NULL;
	fn_function_unref(a->at);
	a->at = NULL;
}

static bool note(struct fn_archives *a, struct fn_function *f)
{
	char tree[FN_BACKEND_TREE_SIZE];

	return !a->cfg.backend->ops->archive_name(a->cfg.backend, f, tree) || fn_map_set(a->named, tree, a, NULL) == 0;
}

static void on_sweep(void *arg)
{
	struct fn_archives *a = arg;
	struct fn_function *page[PAGE];
	size_t n;

	a->due = false;
	if (!a->named) {
		a->changed = false;
		if (!any(a) || fn_map_new(&a->named) < 0)
			return;
	}
	n = fn_store_list_versions(a->cfg.store, NULL, a->at ? a->at->name : NULL, a->at ? a->at->version : NULL, page, PAGE);
	for (size_t i = 0; i < n; i++)
		if (!note(a, page[i])) {
			forget(a);
			return;
		}
	if (n == PAGE) {
		fn_function_unref(a->at);
		a->at = fn_function_ref(page[n - 1]);
		(void)fn_loop_rearm_timer(a->cfg.loop, a->sweeper, 0);
		return;
	}
	if (!a->changed) /* else a name may have gone to a version that had been passed by */
		remove_others(a);
	forget(a);
	if (a->changed)
		fn_archives_look(a);
}

static void on_timer(void *arg) { begin(arg); }

int fn_archives_new(const struct fn_snapshots_config *config, struct fn_archives **ret)
{
	struct fn_archives *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->cfg = *config;
	fn_list_init(&a->jobs);
	r = fn_loop_add_timer(config->loop, UINT64_MAX, on_timer, a, &a->timer);
	if (r == 0)
		r = fn_loop_add_timer(config->loop, UINT64_MAX, on_sweep, a, &a->sweeper);
	if (r < 0) {
		fn_archives_free(a);
		return r;
	}
	config->backend->watcher = (struct fn_backend_watcher){.started = on_started, .loaded = on_loaded, .archive_failed = on_failed, .arg = a};
	*ret = a;
	return 0;
}

void fn_archives_free(struct fn_archives *a)
{
	if (!a)
		return;
	fn_loop_clear(a->cfg.loop, &a->timer);
	fn_loop_clear(a->cfg.loop, &a->sweeper);
	forget(a);
	while (!fn_list_empty(&a->jobs))
		free_job(fn_list_entry(fn_list_first(&a->jobs), struct job, link));
	free(a);
}
