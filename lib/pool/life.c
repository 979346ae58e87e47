/* life.c - how an environment comes into being, and what its death means to whom it owes an answer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "pool/code.h"
#include "pool/worker.h"

#define RESTORE_US 10000000u /* Lambda: 10 s, after-restore hooks included */
#define PROVISIONED_INIT_US 130000000u /* Lambda: 130 s, or the function's timeout if that is longer */

/* --- starting --- */
/* Is it the package's fault, not the platform's? Then it is so however often it is tried. stage: sandbox/child.c */
static bool is_entry_fault(const struct fn_err *err)
{
	static const int codes[] = {ENOENT, EACCES, EPERM, ENOEXEC, ELIBBAD, ENOTDIR, EISDIR, ELOOP, EINVAL, ENAMETOOLONG, E2BIG};

	for (size_t i = 0; fn_streq(err->stage, "exec") && i < sizeof(codes) / sizeof(codes[0]); i++)
		if (err->code == codes[i])
			return true;
	return err->code == ENOENT && fn_streq(err->stage, "bootstrap");
}

/* In the words of Lambda's, which are Go's. */
static void describe_entry_fault(struct fn_worker *w, const struct fn_err *err)
{
	const struct fn_runtime *rt = fn_runtimes_find(w->group->pool->cfg.runtimes, w->group->function->runtime);
	char list[200] = "", why[64];

	if (fn_streq(err->stage, "exec")) {
		snprintf(why, sizeof(why), "%s", strerror(err->code));
		why[0] = (char)(why[0] >= 'A' && why[0] <= 'Z' ? why[0] - 'A' + 'a' : why[0]);
		snprintf(w->entry_error, sizeof(w->entry_error), "fork/exec %.160s: %s", err->msg, why);
		return;
	}
	for (char **e = rt ? rt->exec_candidates : NULL; e && *e; e++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", list[0] ? " " : "", *e);
	snprintf(w->entry_error, sizeof(w->entry_error), "Couldn't find valid bootstrap(s): [%s]", list);
}

/* What waits for it is answered; the start is not tried again. */
static void not_spawned(struct fn_worker *w, const struct fn_err *err)
{
	struct fn_group *g = w->group;
	struct fn_invocation *inv = w->inv ? fn_take_ptr(w->inv) : fn_group_wait_out(g);
	char text[512];

	fn_log_error("cannot start an environment of %s: %s", g->function->name, fn_err_format(err, text, sizeof(text)));
	fn_group_fail_one(g, inv, err);
	if (w->reason == FN_PROVISIONED)
		fn_group_provision_failed(g, err->code == ECONNRESET ? NULL : fn_err_format(err, text, sizeof(text)));
	fn_worker_snapshot_dead(w, err);
}

static void on_spawned(void *arg, const struct fn_err *err, struct fn_spawned *res)
{
	struct fn_worker *w = arg;
	struct fn_group *g = w->group;
	struct fn_pool *p = g->pool;

	w->request = 0;
	if (err && fn_code_lost(err) && !w->code_tried) {
		w->code_tried = true;
		if (fn_code_restore(w) == 0)
			return;
	}
	if (err && w->restored && err->code == ENOENT) { /* its image has gone, or what maps it: another starts plainly */
		fn_worker_snapshot_broken(w, err);
		w->gone = true;
		fn_worker_end(w);
		return;
	}
	if (err) {
		if (is_entry_fault(err) && !w->restored) { /* an init that has failed: fn_worker_finish_dead() goes on */
			describe_entry_fault(w, err);
			w->spawned_us = w->asked_us;
		} else {
			not_spawned(w, err);
		}
		w->gone = true;
		fn_worker_end(w);
		return;
	}
	w->sandbox = res->id;
	w->output_fd = res->output_fd;
	w->freeze_fd = res->freeze_fd;
	w->peak_fd = res->peak_fd;
	w->stat_fd = res->stat_fd;
	fn_memory_begin(w, res->tmp_fd);
	w->oom_fd = res->oom_fd;
	w->timing = res->timing;
	w->spawned_us = fn_clock_mono_us();
	fn_worker_set_state(w, FN_WORKER_INIT);
	if (fn_map_set_u64(p->sandboxes, w->sandbox, w, NULL) < 0 ||
	    fn_rt_new(p->cfg.loop, p->cfg.rt_server, res->listen_fd, &fn_worker_rt_ops, w, &w->rt) < 0 ||
	    fn_loop_add_io(p->cfg.loop, w->output_fd, EPOLLIN, fn_worker_on_output, w, &w->output_io) < 0) {
		fn_worker_end(w);
		return;
	}
	if (!w->inv) { /* a repeated init is under the function's own timeout, armed already */
		uint64_t limit = p->cfg.init_timeout_us;

		if (w->restored) {
			limit = RESTORE_US;
		} else if (w->reason == FN_PROVISIONED || w->reason == FN_FOR_SNAPSHOT) {
			uint64_t own = fn_worker_timeout_us(w);

			limit = own > PROVISIONED_INIT_US ? own : PROVISIONED_INIT_US;
		}
		fn_worker_arm(w, fn_pool_now_us(p) + limit);
	}
}

/* Provisioned environments that got the same credentials do not all end with them in the same moment. */
static void spread_end(struct fn_worker *w, uint64_t expires_us)
{
	uint64_t until_us = fn_clock_real_us() + (w->until_us - fn_clock_mono_us());
	uint32_t random;

	if (w->reason != FN_PROVISIONED || w->until_us == UINT64_MAX)
		return;
	fn_id_random(&random, sizeof(random));
	w->until_us += fn_credentials_spread_us(until_us, expires_us, random);
}

/* With the credentials of its role; they may have to be waited for. */
void fn_worker_launch(struct fn_worker *w)
{
	struct fn_pool *p = w->group->pool;
	const struct fn_function *f = w->group->function;
	struct fn_spec spec = {0};
	struct fn_err err = {0};
	int r = w->credentials.access_key_id ? 0 : fn_roles_get(p->cfg.roles, f->role, &w->credentials, &w->until_us, &w->role, &err);

	if (r == -EINPROGRESS)
		return;
	if (r < 0)
		fn_report_no_credentials(w, &err);
	if (r == 0 && !w->log_stream[0])
		spread_end(w, w->credentials.expires_us);
	if (r == 0)
		r = fn_worker_spec(w, &w->credentials, &spec, &err);
	if (r == 0) {
		if (!w->code_tried) /* else it has been said */
			fn_report_init_start(w, fn_runtimes_find(p->cfg.runtimes, f->runtime));
		r = p->spawn ? fn_spawn_start(p->spawn, &spec, w->environment, on_spawned, w, &w->request) : -ECONNRESET;
		if (r < 0)
			fn_err_set(&err, r, "fn-spawnd", "it is restarting; try again");
	}
	fn_spec_clear(&spec);
	if (r < 0)
		on_spawned(w, &err, NULL);
}

void fn_worker_on_code(struct fn_worker *w, const struct fn_err *err)
{
	if (err)
		on_spawned(w, err, NULL);
	else
		fn_worker_launch(w);
}

static void on_role(void *arg, const struct fn_err *err)
{
	if (err) {
		fn_report_no_credentials(arg, err);
		on_spawned(arg, err, NULL);
	} else {
		fn_worker_launch(arg);
	}
}

static struct fn_worker *start(struct fn_group *g, struct fn_invocation *bound, enum fn_worker_reason reason, struct fn_snapshot *snapshot)
{
	struct fn_pool *p = g->pool;
	struct fn_worker *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->group = g;
	w->report.later = (struct fn_deferred){.fn = fn_worker_write_report, .arg = w};
	w->role = (struct fn_roles_wait){.fn = on_role, .arg = w};
	w->until_us = UINT64_MAX;
	w->output_fd = w->freeze_fd = w->peak_fd = w->stat_fd = w->tmp_fd = w->oom_fd = -EBADF;
	w->exit.wait_status = -1;
	w->first = true;
	w->reason = reason;
	w->environment = ++p->environments;
	w->asked_us = fn_clock_mono_us();
	if (fn_loop_add_timer(p->cfg.loop, UINT64_MAX, fn_worker_on_timer, w, &w->timer) < 0) {
		free(w);
		return NULL;
	}
	if (snapshot)
		fn_snapshot_attach(snapshot, w);
	fn_list_push_back(&g->workers, &w->link);
	g->count[FN_WORKER_SPAWNING]++;
	p->workers++;
	p->memory_used += fn_worker_cost(w);
	if (bound)
		fn_worker_bind(w, bound);
	fn_worker_launch(w);
	return w;
}

struct fn_worker *fn_worker_start(struct fn_group *g, struct fn_invocation *bound, enum fn_worker_reason reason)
{
	return start(g, bound, reason, NULL);
}

struct fn_worker *fn_worker_start_snapshot(struct fn_group *g, struct fn_snapshot *s) { return start(g, NULL, FN_FOR_SNAPSHOT, s); }

/* --- death --- */
void fn_pool_on_exit(struct fn_pool *p, uint64_t sandbox, const struct fn_sandbox_exit *info)
{
	struct fn_worker *w = fn_map_get_u64(p->sandboxes, sandbox);

	if (!w)
		return;
	w->exit = *info;
	w->gone = true;
	if (info->memory_peak != UINT64_MAX && info->memory_peak > w->memory_peak && (info->oom || !fn_memory_is_cached(w))) {
		uint64_t before = fn_worker_cost(w);

		w->memory_peak = info->memory_peak;
		fn_worker_set_peak(w, before);
	}
	/* A response that was posted before the death may still lie in the socket: let the loop read it before we judge. */
	w->tmp_kept = info->tmp_kept || w->tmp_kept;
	if (w->state == FN_WORKER_ENDING)
		fn_worker_arm(w, 0);
	else if (w->state == FN_WORKER_BUSY)
		fn_worker_arm(w, fn_pool_now_us(p) + FN_WORKER_DRAIN_US);
	else if (fn_worker_outlives(w))
		fn_worker_reset(w);
	else
		fn_worker_end(w);
}

#define INVALID_ENTRY "Runtime.InvalidEntrypoint"

/* Of a runtime that has ended by itself. */
static const char *exit_type(const struct fn_worker *w)
{
	return w->entry_error[0] ? INVALID_ENTRY : w->exit.oom ? "Runtime.OutOfMemory" : "Runtime.ExitError";
}

void fn_worker_init_failed(struct fn_worker *w)
{
	uint64_t from = w->restored || !w->spawned_us ? w->asked_us : w->spawned_us;
	const char *type = !w->entry_error[0] && w->error_type[0] ? w->error_type : exit_type(w);

	if (w->init_reported)
		return;
	w->init_reported = true;
	fn_report_init(w, fn_clock_mono_us() - from, w->timed_out ? FN_TIMED_OUT : type);
}

/* What the caller sees of a runtime that has ended; *ret_type: what REPORT says. */
static char *death_json(struct fn_worker *w, size_t *len, const char **ret_type)
{
	char words[64], msg[300];
	const char *w1;

	if (w->init_error) {
		*len = w->init_error_len;
		*ret_type = w->error_type;
		return fn_take_ptr(w->init_error);
	}
	*ret_type = exit_type(w);
	if (w->entry_error[0]) {
		snprintf(msg, sizeof(msg), "%s", w->entry_error);
	} else {
		w1 = w->exit.oom ? "signal: killed" : fn_exit_words(w->exit.wait_status, words, sizeof(words));
		if (w->exit.files_open)
			snprintf(msg, sizeof(msg), "Runtime exited with error: signal: killed, for more than %u open files in all", w->exit.files_open);
		else if (w->exit.tmp_mb)
			snprintf(msg, sizeof(msg), "Runtime exited with error: signal: killed, for %u MB in /tmp when all functions' disk space was used up", w->exit.tmp_mb);
		else if (w1)
			snprintf(msg, sizeof(msg), "Runtime exited with error: %s", w1);
		else
			snprintf(msg, sizeof(msg), "Runtime exited without providing a reason");
	}
	fn_report_fault(w, msg, *ret_type);
	return fn_error_json(*ret_type, w->inv->id, msg, len);
}

void fn_worker_answer_dead(struct fn_worker *w)
{
	const char *type;
	size_t len = 0;
	char *json;

	fn_report_start(w);
	json = death_json(w, &len, &type);
	fn_worker_finish(w, FN_INV_FUNCTION_ERROR, json, len, type);
}

void fn_worker_finish_dead(struct fn_worker *w)
{
	struct fn_group *g = w->group;
	const struct fn_err lost = {ECONNRESET, "fn-spawnd", "it ended and took the execution environment with it; try again"};
	static const struct fn_err no_memory = {ENOMEM, "start an environment", ""};
	bool in_init = w->ready_us == 0 && w->spawned_us != 0;
	bool helper_lost = fn_worker_lost(w);

	fn_worker_read_output(w);
	fn_worker_flush_output(w);
	if (w->reason == FN_FOR_SNAPSHOT) {
		if (in_init && (w->timed_out || w->gone))
			fn_worker_init_failed(w);
		fn_worker_snapshot_dead(w, NULL);
		fn_worker_free(w);
		return;
	}
	if (in_init && w->reason == FN_PROVISIONED && (w->timed_out || w->gone))
		fn_group_provision_failed(g, helper_lost ? NULL : "FUNCTION_ERROR_INIT_FAILURE");
	if (in_init && !g->pool->shutdown && (w->timed_out || w->gone) && !(g->retired && !w->inv))
		fn_worker_init_failed(w);
	if (w->inv && (helper_lost || g->pool->shutdown)) {
		fn_group_fail_one(g, fn_take_ptr(w->inv), &lost);
	} else if (w->inv) {
		fn_worker_answer_dead(w);
	} else if (in_init && w->restored && !helper_lost && (w->timed_out || w->gone) && !g->pool->shutdown) {
		fn_worker_restore_failed(w);
	} else if (in_init && (w->timed_out || w->gone) && !g->pool->shutdown) {
		struct fn_invocation *inv = fn_group_wait_out(g);

		if (helper_lost) {
			fn_group_fail_one(g, inv, &lost);
		} else if (inv) { /* as Lambda does: init once more, within the invocation */
			inv->init_failed = true;
			if (!fn_worker_start(g, inv, FN_FOR_INVOCATION))
				fn_group_fail_one(g, inv, &no_memory);
		}
	}
	fn_worker_free(w);
}
