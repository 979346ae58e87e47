/*
 * snapshot.c - SnapStart in the pool: an environment that becomes an image, and those that begin from one.
 *
 * The image comes out of the sandbox over a connection of its Runtime API and goes, unread by fnd, to fn-unpack, which makes it a tree of its
 * own. An environment that begins from it has that tree on top of the function's own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "image/digest.h"
#include "pool/worker.h"

#define WRITE_US 30000000u       /* from the end of init to the last byte; and more of it for more memory: */
#define WRITE_US_PER_MB 10000u
#define ENTRIES_MAX 10000u       /* files in /tmp */
#define BESIDES_BYTES (64u << 20) /* an image may be that much larger than the function's memory: tables, pages of zeros between others */

/* One snapshot under way: until both its environment and its image are done with. */
struct fn_snapshot {
	struct fn_list link;      /* of the pool's */
	struct fn_worker *worker; /* NULL = gone */
	char tree[FN_TREE_NAME_SIZE];
	char of[128]; /* name:version */
	bool unpacking, told;
	char refused[256]; /* while the image was on its way */
	char died[128];   /* likewise: what is behind an image that is cut short */
	fn_snapshot_fn fn;
	void *arg;
};

static void release(struct fn_snapshot *s)
{
	if (s->worker || s->unpacking)
		return;
	fn_list_remove(&s->link);
	free(s);
}

void fn_snapshots_drop(struct fn_pool *p)
{
	while (!fn_list_empty(&p->snapshots)) {
		struct fn_snapshot *s = fn_list_entry(fn_list_first(&p->snapshots), struct fn_snapshot, link);

		fn_list_remove(&s->link);
		free(s);
	}
}

/* The reason becomes JSON, and may be the function's words, or have been cut in the middle of a letter. */
static void tell(struct fn_snapshot *s, struct fn_snapshot_result *res)
{
	if (s->told)
		return;
	s->told = true;
	if (!fn_utf8_valid(res->reason, strlen(res->reason)))
		for (char *p = res->reason; *p; p++)
			if (*p & 0x80)
				*p = '?';
	s->fn(s->arg, res);
}

static void tell_refused(struct fn_snapshot *s, const char *why)
{
	struct fn_snapshot_result res = {.what = FN_SNAPSHOT_REFUSED};

	snprintf(res.reason, sizeof(res.reason), "%s", why);
	tell(s, &res);
}

/* --- taking one --- */
/* NULL: it ended by itself, with status 0. */
static const char *how_it_ended(const struct fn_worker *w, char *words, size_t size)
{
	return w->exit.oom ? "out of memory" : fn_exit_words(w->exit.wait_status, words, size);
}

static void note_death(struct fn_snapshot *s, const struct fn_worker *w)
{
	char words[64];
	const char *how = w->timed_out ? "it took too long" : how_it_ended(w, words, sizeof(words));

	if (how)
		snprintf(s->died, sizeof(s->died), "the image was not wholly written: %s", how);
}

static void on_unpacked(void *arg, const struct fn_err *err, uint64_t bytes)
{
	struct fn_snapshot *s = arg;
	struct fn_snapshot_result res = {.what = FN_SNAPSHOT_TAKEN, .bytes = bytes};
	char text[512];

	s->unpacking = false;
	if (s->worker && s->worker->timed_out)
		note_death(s, s->worker);
	if (err && err->code == ECONNRESET) {
		res.what = FN_SNAPSHOT_LOST;
		tell(s, &res);
	} else if (s->refused[0] || (err && s->died[0])) { /* though it may be there: it is removed as what no version names */
		tell_refused(s, s->refused[0] ? s->refused : s->died);
	} else if (err) {
		snprintf(res.reason, sizeof(res.reason), "the image cannot be kept: %s", fn_err_format(err, text, sizeof(text)));
		tell_refused(s, res.reason);
	} else {
		fn_log_info("snapshot of %s: %llu KB", s->of, (unsigned long long)bytes >> 10);
		tell(s, &res);
	}
	if (s->worker)
		fn_worker_end(s->worker);
	release(s);
}

void fn_worker_on_snapshot(void *arg, int fd)
{
	struct fn_worker *w = arg;
	struct fn_snapshot *s = w->snapshot;
	const struct fn_function *f = w->group->function;
	fn_auto_fd int own = fd;
	struct fn_unpack_request req = {.fd = own, .prefix = "var/snapshot", .max_entries = ENTRIES_MAX,
					.max_bytes = ((uint64_t)(unsigned)(f->memory_mb + f->ephemeral_mb) << 20) + BESIDES_BYTES};

	if (!s || w->state != FN_WORKER_INIT) {
		fn_worker_end(w);
		return;
	}
	w->ready_us = fn_clock_mono_us();
	fn_report_init(w, w->ready_us - w->spawned_us, "");
	memcpy(req.tree, s->tree, sizeof(req.tree));
	fn_worker_arm(w, fn_pool_now_us(w->group->pool) + WRITE_US + (uint64_t)(unsigned)f->memory_mb * WRITE_US_PER_MB);
	s->unpacking = true;
	if (fn_spawn_unpack(w->group->pool->spawn, &req, on_unpacked, s) < 0) {
		const struct fn_err lost = {ECONNRESET, "fn-spawnd", ""};

		on_unpacked(s, &lost, 0);
	}
}

void fn_worker_on_snapshot_refused(void *arg, const char *why)
{
	struct fn_worker *w = arg;

	if (w->restored && w->state == FN_WORKER_INIT) /* a process that was made from the image and lacks something */
		snprintf(w->group->snapshot_broken, sizeof(w->group->snapshot_broken), "%s", why);
	else if (w->snapshot && w->snapshot->unpacking) /* whose tree is then no job's any more: told when it is known what becomes of it */
		snprintf(w->snapshot->refused, sizeof(w->snapshot->refused), "%s", why);
	else if (w->snapshot)
		tell_refused(w->snapshot, why);
	if (w->state == FN_WORKER_INIT)
		fn_worker_end(w);
}

void fn_worker_snapshot_dead(struct fn_worker *w, const struct fn_err *err)
{
	struct fn_snapshot_result res = {.what = FN_SNAPSHOT_FAILED, .code = "FunctionError.RuntimeInitError"};
	char words[64], text[512];
	const char *how;

	if (!w->snapshot)
		return;
	if (w->snapshot->unpacking) {
		note_death(w->snapshot, w);
		return;
	}
	if ((err && err->code == ECONNRESET) || w->group->pool->shutdown || (!err && fn_worker_lost(w))) {
		res.what = FN_SNAPSHOT_LOST;
	} else if (w->entry_error[0]) {
		snprintf(res.code, sizeof(res.code), "FunctionError.InvalidEntryPoint");
		snprintf(res.reason, sizeof(res.reason), "%s", w->entry_error);
	} else if (err) {
		snprintf(res.code, sizeof(res.code), "InternalError");
		snprintf(res.reason, sizeof(res.reason), "%s", fn_err_format(err, text, sizeof(text)));
	} else if (w->init_error) {
		snprintf(res.reason, sizeof(res.reason), "init failed: %s; its log tells more", w->error_type);
	} else if (w->timed_out) {
		snprintf(res.code, sizeof(res.code), "FunctionError.InitTimeout");
		snprintf(res.reason, sizeof(res.reason), "init did not end in time");
	} else if (w->exit.oom) {
		snprintf(res.reason, sizeof(res.reason), "init ran out of memory");
	} else {
		how = fn_exit_words(w->exit.wait_status, words, sizeof(words));
		snprintf(res.reason, sizeof(res.reason), "the runtime ended during init: %s", how ? how : "exit status 0");
	}
	tell(w->snapshot, &res);
}

void fn_snapshot_attach(struct fn_snapshot *s, struct fn_worker *w)
{
	s->worker = w;
	w->snapshot = s;
}

void fn_worker_snapshot_forget(struct fn_worker *w)
{
	struct fn_snapshot *s = fn_take_ptr(w->snapshot);

	if (!s)
		return;
	s->worker = NULL;
	release(s);
}

/* In a group of its own, of which nothing is left when it is done. */
int fn_pool_snapshot(struct fn_pool *p, const struct fn_function *f, const char *tree, fn_snapshot_fn fn, void *arg)
{
	static uint64_t generation = UINT64_MAX;
	struct fn_function *own = fn_function_clone(f);
	struct fn_snapshot *s = calloc(1, sizeof(*s));
	struct fn_group *g;

	if (own)
		own->generation = generation--;
	g = own && s ? fn_group_get(p, own) : NULL;
	fn_function_unref(own);
	if (!g) {
		free(s);
		return -ENOMEM;
	}
	g->retired = true;
	*s = (struct fn_snapshot){.fn = fn, .arg = arg};
	snprintf(s->tree, sizeof(s->tree), "%s", tree);
	snprintf(s->of, sizeof(s->of), "%s:%s", f->name, f->version);
	fn_list_push_back(&p->snapshots, &s->link);
	(void)fn_group_make_room(g);
	if (fn_worker_start_snapshot(g, s))
		return 0;
	release(s);
	fn_group_release(g);
	return -ENOMEM;
}

/* --- what it holds on --- */
/* The image has chosen code for this processor, and knows where this kernel's vDSO lies and what is in it. */
static const char *machine(void)
{
	static char text[8192];
	char line[4096];
	struct utsname u;
	FILE *f;

	if (text[0])
		return text;
	uname(&u);
	snprintf(text, sizeof(text), "%s %s %s\n", u.release, u.version, u.machine);
	f = fopen("/proc/cpuinfo", "re");
	while (f && fgets(line, sizeof(line), f) && line[0] != '\n') /* the first processor */
		if (fn_str_starts(line, "model name") || fn_str_starts(line, "flags") || fn_str_starts(line, "Features"))
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", line);
	if (f)
		fclose(f);
	return text;
}

void fn_pool_snapshot_host(const struct fn_pool *p, const struct fn_function *f, char ret[FN_SNAPSHOT_HOST_SIZE])
{
	const struct fn_runtime *rt = fn_runtimes_find(p->cfg.runtimes, f->runtime);
	fn_auto_buf struct fn_buf b = {0};

	(void)fn_buf_add_str(&b, machine());
	for (unsigned i = 0; rt && i < rt->n_layers; i++)
		(void)fn_buf_addf(&b, "%s\n", rt->layers[i]);
	fn_sha256_hex(b.data, b.len, ret);
}

void fn_pool_renew(struct fn_pool *p, struct fn_function *f)
{
	struct fn_group *g = fn_group_find(p, f);

	if (!g)
		return;
	(void)fn_function_ref(f);
	fn_function_unref(g->function);
	g->function = f;
	g->snapshot_broken[0] = '\0';
}

/* --- beginning from one --- */
/* What waits is started for again when the worker that could not be is freed. */
static void starts_plainly(const struct fn_group *g, const char *why)
{
	fn_log_warn("%s:%s starts without its snapshot from now on: %s: %s", g->function->name, g->function->version, why, g->snapshot_broken);
}

void fn_worker_restore_failed(struct fn_worker *w)
{
	struct fn_group *g = w->group;
	struct fn_err err = {0};
	char words[64];
	const char *how;

	if (w->init_error)
		fn_err_set(&err, EPROTO, "SnapStart", "The afterRestore() runtime hook encountered an error. For more information, check the function's log.");
	else if (w->timed_out)
		fn_err_set(&err, ETIME, "SnapStart", "The runtime could not be restored from its snapshot within the timeout limit.");
	if (err.code) {
		fn_group_fail_one(g, fn_group_wait_out(g), &err);
		return;
	}
	how = how_it_ended(w, words, sizeof(words));
	if (!g->snapshot_broken[0])
		snprintf(g->snapshot_broken, sizeof(g->snapshot_broken), "%s", how ? how : "exit status 0");
	starts_plainly(g, "a process made from it failed");
}

void fn_worker_snapshot_broken(struct fn_worker *w, const struct fn_err *err)
{
	char text[512];

	snprintf(w->group->snapshot_broken, sizeof(w->group->snapshot_broken), "%s", fn_err_format(err, text, sizeof(text)));
	starts_plainly(w->group, "it cannot be begun from");
}
