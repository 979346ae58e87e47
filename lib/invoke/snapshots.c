/* snapshots.c - see snapshots.h. What is to be done is not kept: it is found in the store, so that nothing is forgotten over a restart. */
#include "invoke/snapshots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "invoke/archives.h"
#include "store/trees.h"

#define AT_ONCE 2u
#define PAGE 64u
#define PAIRS 5u                 /* of a restore and a plain start; the snapshot goes if all of them are lost by PLAIN_WINS */
#define PLAIN_WINS 1.3
#define TRIAL_REST_US 50000u     /* between two starts: others are started ahead */
#define TRIAL_MISSES 4u          /* starts of one side that found nothing started ahead */
#define TRIAL_TOOK_US 10000000u  /* the version waits for it */
#define AGAIN_US 1000000u /* after something that is the platform's fault */

struct job {
	struct fn_list link;
	struct fn_snapshots *s;
	struct fn_function *version; /* as it was when the job began */
	struct fn_snapshot_result res;
	struct fn_store_turn turn;   /* until what has come out can be stored */
	char tree[FN_TREE_NAME_SIZE], host[FN_SNAPSHOT_HOST_SIZE];
	struct {                     /* which is sooner, a restore or a plain start */
		struct fn_function *as[2]; /* RESTORED, PLAIN: the version as it would be */
		unsigned side, pairs, misses;
		uint64_t us[2];      /* of the pair that is under way; 0 = not yet */
		double most;         /* the plain start's part of the restore's time, at most */
		uint64_t timer, until_us;
		char won[96];        /* in words, where the plain start has */
	} trial;
};

enum { RESTORED, PLAIN };

struct fn_snapshots {
	struct fn_snapshots_config cfg;
	struct fn_list jobs;
	unsigned n_jobs;
	uint64_t timer;
	struct fn_archives *archives;
};

void fn_snapshots_prepare(struct fn_function *v)
{
	if (v->snap_start)
		fn_function_unsettle(v, true);
}

static void look_at(struct fn_snapshots *s, uint64_t at) { (void)fn_loop_rearm_timer(s->cfg.loop, s->timer, at); }

void fn_snapshots_look(struct fn_snapshots *s)
{
	look_at(s, 0);
	fn_archives_look(s->archives);
}

static void free_job(struct job *j)
{
	fn_list_remove(&j->link);
	fn_list_remove(&j->turn.link);
	fn_loop_clear(j->s->cfg.loop, &j->trial.timer);
	for (int i = 0; i < 2; i++)
		if (j->trial.as[i])
			fn_function_unref(j->trial.as[i]);
	fn_function_unref(j->version);
	free(j);
}

static void end(struct job *j, uint64_t look_us)
{
	struct fn_snapshots *s = j->s;

	s->n_jobs--;
	free_job(j);
	look_at(s, look_us);
}

static uint64_t later(const struct fn_snapshots *s) { return fn_loop_now_us(s->cfg.loop) + AGAIN_US; }

static void on_settled(void *arg, const struct fn_err *err)
{
	struct job *j = arg;
	struct fn_snapshots *s = j->s;
	struct fn_function *f = fn_store_get(s->cfg.store, j->version->name, j->version->version);
	char text[512];

	if (err) {
		fn_log_error("%s", fn_err_format(err, text, sizeof(text)));
	} else if (f) {
		s->cfg.backend->ops->renew(s->cfg.backend, f);
		s->cfg.backend->ops->expect(s->cfg.backend, f);
	}
	end(j, err ? later(s) : 0);
}

/* As it is now; NULL: it has gone meanwhile. */
static struct fn_function *current(const struct job *j)
{
	struct fn_function *now = fn_store_get(j->s->cfg.store, j->version->name, j->version->version);

	return now && now->generation == j->version->generation ? now : NULL;
}

/* The version's record with what has come out. */
static void settle(void *arg)
{
	struct job *j = arg;
	const struct fn_snapshot_result *res = &j->res;
	struct fn_store *store = j->s->cfg.store;
	struct fn_function *now = current(j), *f;
	bool taken = res->what == FN_SNAPSHOT_TAKEN, failed;
	struct fn_err err;

	f = now ? fn_function_clone(now) : NULL;
	if (!f) {
		end(j, 0);
		return;
	}
	failed = res->what == FN_SNAPSHOT_FAILED && f->state != FN_STATE_ACTIVE; /* one that was well once starts plainly, and says why */
	f->state = failed ? FN_STATE_FAILED : FN_STATE_ACTIVE;
	fn_set_string(&f->state_reason, failed ? res->reason : NULL);
	fn_set_string(&f->state_reason_code, failed ? res->code : NULL);
	f->update_status = failed ? f->update_status : FN_UPDATE_SUCCESSFUL;
	fn_set_string(&f->snapshot_plain, taken && j->trial.won[0] ? j->trial.won : NULL);
	fn_set_string(&f->snapshot_tree, taken && !f->snapshot_plain ? j->tree : NULL);
	fn_set_string(&f->snapshot_off, taken || !res->reason[0] ? NULL : res->reason);
	fn_set_string(&f->snapshot_host, j->host);
	fn_id_uuid(f->revision_id);
	if (!taken && !failed)
		fn_log_warn("%s:%s starts without a snapshot: %s", f->name, f->version, res->reason);
	if (fn_store_update(store, f, on_settled, j, &err) < 0)
		on_settled(j, &err);
	fn_function_unref(f);
}

static void wait_for_turn(struct job *j)
{
	j->turn = (struct fn_store_turn){.function = j->version->name, .fn = settle, .arg = j};
	fn_store_wait(j->s->cfg.store, &j->turn);
}

/* --- is a plain start sooner? ---
 * One after the other, in turns, until the first pair that it does not win clearly: mostly that is the first one. */
static void on_tried(void *arg, const struct fn_snapshot_result *res);

static void on_trial_timer(void *arg)
{
	struct job *j = arg;
	const struct fn_snapshots_config *cfg = &j->s->cfg;

	if (!current(j) || fn_loop_now_us(cfg->loop) >= j->trial.until_us || cfg->backend->ops->trial(cfg->backend, j->trial.as[j->trial.side], on_tried, j) < 0)
		wait_for_turn(j);
}

static void try_next(struct job *j, unsigned side, uint64_t rest_us)
{
	struct fn_loop *loop = j->s->cfg.loop;

	j->trial.side = side;
	(void)fn_loop_rearm_timer(loop, j->trial.timer, fn_loop_now_us(loop) + rest_us);
}

static void pair_done(struct job *j)
{
	double part = (double)j->trial.us[PLAIN] / (double)j->trial.us[RESTORED];

	if (part * PLAIN_WINS > 1) {
		wait_for_turn(j);
		return;
	}
	j->trial.most = part > j->trial.most ? part : j->trial.most;
	if (++j->trial.pairs < PAIRS) {
		j->trial.us[RESTORED] = j->trial.us[PLAIN] = 0;
		try_next(j, j->trial.pairs % 2 ? PLAIN : RESTORED, TRIAL_REST_US);
		return;
	}
	snprintf(j->trial.won, sizeof(j->trial.won), "a plain start took %.2f of a restore at most, in %u of %u pairs", j->trial.most, PAIRS, PAIRS);
	wait_for_turn(j);
}

static void on_tried(void *arg, const struct fn_snapshot_result *res)
{
	struct job *j = arg;
	unsigned side = j->trial.side;

	if (res->what != FN_SNAPSHOT_TAKEN || (res->us == 0 && ++j->trial.misses > TRIAL_MISSES)) {
		wait_for_turn(j);
		return;
	}
	j->trial.us[side] = res->us;
	if (j->trial.us[!side] && res->us)
		pair_done(j);
	else
		try_next(j, res->us ? !side : side, res->us ? TRIAL_REST_US : 4 * TRIAL_REST_US);
}

/* False: it cannot be. */
static bool begin_trial(struct job *j)
{
	const struct fn_snapshots_config *cfg = &j->s->cfg;

	for (int i = 0; i < 2; i++) {
		struct fn_function *f = j->trial.as[i] = fn_function_clone(j->version);

		if (!f)
			return false;
		fn_set_string(&f->snapshot_tree, j->tree);
		fn_set_string(&f->snapshot_host, j->host);
		fn_set_string(&f->snapshot_plain, i == PLAIN ? "on trial" : NULL);
	}
	if (fn_loop_add_timer(cfg->loop, UINT64_MAX, on_trial_timer, j, &j->trial.timer) < 0)
		return false;
	cfg->backend->ops->expect(cfg->backend, j->trial.as[RESTORED]);
	j->trial.until_us = fn_loop_now_us(cfg->loop) + TRIAL_TOOK_US;
	try_next(j, RESTORED, TRIAL_REST_US);
	return true;
}

static void on_taken(void *arg, const struct fn_snapshot_result *res)
{
	struct job *j = arg;

	if (res->what == FN_SNAPSHOT_LOST) {
		end(j, later(j->s));
		return;
	}
	j->res = *res;
	(void)fn_disk_made(j->s->cfg.disk, j->tree, res->bytes);
	if (res->what != FN_SNAPSHOT_TAKEN || !begin_trial(j))
		wait_for_turn(j);
}

/* The tree is noted: it is found even if we are killed now. */
static void on_noted(void *arg, const struct fn_err *err)
{
	struct job *j = arg;
	struct fn_snapshots *s = j->s;

	if (!current(j))
		end(j, 0);
	else if (err || s->cfg.backend->ops->snapshot(s->cfg.backend, j->version, j->tree, NULL, on_taken, j) < 0)
		end(j, later(s));
}

static bool under_way(const struct fn_snapshots *s, const struct fn_function *v)
{
	fn_list_for_each(l, (struct fn_list *)&s->jobs)
	{
		const struct fn_function *f = fn_list_entry(l, struct job, link)->version;

		if (fn_streq(f->name, v->name) && fn_streq(f->version, v->version))
			return true;
	}
	return false;
}

static int begin(struct fn_snapshots *s, struct fn_function *v, const char *host)
{
	struct job *j = calloc(1, sizeof(*j));
	struct fn_err err;
	int r;

	if (!j)
		return -ENOMEM;
	j->s = s;
	j->version = fn_function_ref(v);
	snprintf(j->host, sizeof(j->host), "%s", host);
	strcpy(j->tree, "snap-");
	fn_id_hex(j->tree + strlen("snap-"), 64);
	fn_list_push_back(&s->jobs, &j->link);
	s->n_jobs++;
	r = fn_disk_make(s->cfg.disk, &(struct fn_disk_new){j->tree, 0}, 1, on_noted, j, &err);
	if (r < 0)
		end(j, later(s));
	return r;
}

static bool wanted(const struct fn_snapshots *s, const struct fn_function *f, char host[FN_SNAPSHOT_HOST_SIZE])
{
	if (!f->snap_start || fn_version_number(f->version) == 0 || f->state == FN_STATE_FAILED)
		return false;
	s->cfg.backend->ops->snapshot_host(s->cfg.backend, f, host);
	return f->state == FN_STATE_PENDING || !fn_streq(f->snapshot_host, host);
}

/* Calls fn for every stored version; stops when it says so. */
static void each_version(struct fn_snapshots *s, bool (*fn)(struct fn_snapshots *s, struct fn_function *f, void *arg), void *arg)
{
	struct fn_function *page[PAGE];
	const char *name = NULL, *version = NULL;
	size_t n;

	while ((n = fn_store_list_versions(s->cfg.store, NULL, name, version, page, PAGE)) > 0) {
		for (size_t i = 0; i < n; i++)
			if (!fn(s, page[i], arg))
				return;
		name = page[n - 1]->name;
		version = page[n - 1]->version;
	}
}

struct due {
	struct fn_function *version; /* NULL = none */
	char host[FN_SNAPSHOT_HOST_SIZE];
};

/* An image comes with $LATEST, which tells what becomes of it. */
static bool image_comes(const struct fn_snapshots *s, const struct fn_function *v)
{
	const struct fn_function *latest = v->image ? fn_store_get(s->cfg.store, v->name, NULL) : NULL;

	return latest && fn_function_settling(latest);
}

static bool find_due(struct fn_snapshots *s, struct fn_function *f, void *arg)
{
	struct due *due = arg;

	if (!wanted(s, f, due->host) || under_way(s, f) || image_comes(s, f))
		return true;
	due->version = f;
	return false;
}

static void begin_due(struct fn_snapshots *s)
{
	while (s->n_jobs < AT_ONCE) {
		unsigned before = s->n_jobs;
		struct due due = {NULL, ""};

		each_version(s, find_due, &due);
		if (!due.version)
			return;
		if (begin(s, due.version, due.host) < 0)
			look_at(s, later(s));
		if (s->n_jobs == before) /* nothing can be started now */
			return;
	}
}

struct named {
	const char *tree;
	bool is;
};

static bool look_for_tree(struct fn_snapshots *s, struct fn_function *f, void *arg)
{
	struct named *n = arg;

	(void)s;
	n->is = n->is || (f->snapshot_tree && fn_streq(f->snapshot_tree, n->tree));
	return !n->is;
}

bool fn_snapshots_need(struct fn_snapshots *s, const char *tree)
{
	struct named n = {tree, false};

	if (!fn_str_starts(tree, "snap-"))
		return fn_archives_need(s->archives, tree);
	fn_list_for_each(l, &s->jobs) n.is = n.is || fn_streq(fn_list_entry(l, struct job, link)->tree, tree);
	if (!n.is)
		each_version(s, look_for_tree, &n);
	return n.is;
}

/* Snapshots that no version names. What runs has all of them that it needs in its memory; a start that comes too late is of a version that is
 * gone. */
static void sweep(struct fn_snapshots *s)
{
	const struct fn_tree *t;
	size_t it = 0;

	while ((t = fn_store_next_tree(s->cfg.store, &it)))
		if (fn_str_starts(t->name, "snap-") && t->state != FN_TREE_REMOVING && !fn_snapshots_need(s, t->name))
			fn_disk_remove(s->cfg.disk, t->name);
}

/* What begins from snapshots is started ahead as soon as there is one, once per base image. */
static bool expect(struct fn_snapshots *s, struct fn_function *f, void *arg)
{
	const char **last = arg;

	if (!f->snapshot_tree || fn_streq(f->snapshot_host, *last))
		return true;
	*last = f->snapshot_host;
	s->cfg.backend->ops->expect(s->cfg.backend, f);
	return true;
}

void fn_snapshots_expect(struct fn_snapshots *s)
{
	const char *last = NULL;

	each_version(s, expect, &last);
}

static void on_timer(void *arg)
{
	struct fn_snapshots *s = arg;

	begin_due(s);
	sweep(s);
}

int fn_snapshots_new(const struct fn_snapshots_config *config, struct fn_snapshots **ret)
{
	struct fn_snapshots *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->cfg = *config;
	fn_list_init(&s->jobs);
	r = fn_loop_add_timer(config->loop, UINT64_MAX, on_timer, s, &s->timer);
	if (r == 0)
		r = fn_archives_new(config, &s->archives);
	if (r < 0) {
		fn_loop_clear(config->loop, &s->timer);
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void fn_snapshots_free(struct fn_snapshots *s)
{
	if (!s)
		return;
	fn_archives_free(s->archives);
	fn_loop_clear(s->cfg.loop, &s->timer);
	while (!fn_list_empty(&s->jobs))
		free_job(fn_list_entry(fn_list_first(&s->jobs), struct job, link));
	free(s);
}
