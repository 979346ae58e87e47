/*
 * mapping_rights.c - a mapping polls its queue by its function's role: whether that may, by its own policies and by the queue's, is asked of fnd when the mapping is made
 * or changed, and of all mappings together when anything has changed that it depends on. Until it is known nothing is polled.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "events/mapping_internal.h"
#include "model/inner.h"
#include "service/rights.h"
#include "sqs/sqs.h"

/* Lambda Developer Guide, "Using Lambda with Amazon SQS": execution role permissions. */
static const char *const actions[] = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"};
#define ACTIONS (sizeof(actions) / sizeof(actions[0]))
#define MAPPINGS_AT_ONCE (FN_INNER_RIGHTS_MAX / ACTIONS)
#define AGAIN_US 1000000u

struct asked {
	struct fn_mappings *all;
	size_t n;
	char uuids[][FN_UUID_SIZE];
};

/* The first that the role may not; NULL = it may all. */
static const char *missing(const struct fn_mappings *all, const char *source, const struct fn_iam_asker *who)
{
	for (size_t i = 0; i < ACTIONS; i++)
		if (!fn_sqs_may(all->env->sqs, &who[i], actions[i], source))
			return actions[i] + strlen("sqs:");
	return NULL;
}

static void ask_of(struct fn_rights_ask *list, const char *function, const char *source)
{
	for (size_t i = 0; i < ACTIONS; i++)
		list[i] = (struct fn_rights_ask){function, actions[i], source};
}

/* --- of one that is to be made or changed --- */
struct fn_mapping_check {
	struct fn_mappings *all;
	char *source;
	void (*done)(void *arg, const char *action, bool asked);
	void *arg;
};

static void check_free(struct fn_mapping_check *c)
{
	free(c->source);
	free(c);
}

static void on_checked(void *arg, const struct fn_iam_asker *who)
{
	struct fn_mapping_check *c = arg;

	c->done(c->arg, who ? missing(c->all, c->source, who) : NULL, who != NULL);
	check_free(c);
}

int fn_mapping_may(struct fn_mappings *all, const char *function, const char *source, void (*done)(void *arg, const char *action, bool asked), void *arg)
{
	struct fn_mapping_check *c;
	struct fn_rights_ask list[ACTIONS];
	int r = -ENOMEM;

	if (!fn_rights_judged(all->env->rights)) {
		done(arg, NULL, true);
		return 0;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return r;
	*c = (struct fn_mapping_check){.all = all, .source = strdup(source), .done = done, .arg = arg};
	ask_of(list, function, source);
	if (c->source)
		r = fn_rights_ask(all->env->rights, list, ACTIONS, on_checked, c);
	if (r < 0)
		check_free(c);
	return r;
}

/* --- of all --- */
static void verdict(struct fn_mapping *m, const char *action)
{
	char why[128] = "";

	if (m->judged && m->may && !action)
		return;
	if (action)
		snprintf(why, sizeof(why), "PROBLEM: The function execution role does not have permissions to call %s on SQS", action);
	m->judged = true;
	m->may = !action;
	if (m->poller)
		fn_poller_bar(m->poller, m->may ? NULL : why);
}

static void judge(struct fn_mappings *all);

static void on_again(void *arg)
{
	struct fn_mappings *all = arg;

	fn_loop_clear(all->env->loop, &all->rights_timer);
	judge(all);
}

/* Again when this has come to its end, or in a while. */
static void later(struct fn_mappings *all)
{
	if (!all->rights_timer && !all->draining)
		(void)fn_loop_add_timer(all->env->loop, fn_loop_now_us(all->env->loop) + AGAIN_US, on_again, all, &all->rights_timer);
}

static void on_rights(void *arg, const struct fn_iam_asker *who)
{
	struct asked *a = arg;
	struct fn_mappings *all = a->all;

	for (size_t i = 0; who && i < a->n; i++) {
		struct fn_mapping *m = fn_map_get(all->by_uuid, a->uuids[i]);

		if (m && !m->unjudged) /* it has not been changed meanwhile */
			verdict(m, missing(all, m->source, who + i * ACTIONS));
	}
	all->asking--;
	free(a);
	if (!who)
		later(all);
	else if (all->asking == 0 && all->ask_again)
		judge(all);
}

static int ask(struct fn_mappings *all, struct fn_mapping **v, size_t n)
{
	struct asked *a = calloc(1, sizeof(*a) + n * sizeof(a->uuids[0]));
	struct fn_rights_ask *list = calloc(n * ACTIONS, sizeof(*list));
	int r = -ENOMEM;

	for (size_t i = 0; a && list && i < n; i++) {
		memcpy(a->uuids[i], v[i]->uuid, FN_UUID_SIZE);
		v[i]->unjudged = false;
		ask_of(list + i * ACTIONS, v[i]->function, v[i]->source);
	}
	if (a && list) {
		a->all = all;
		a->n = n;
		r = fn_rights_ask(all->env->rights, list, n * ACTIONS, on_rights, a);
	}
	all->asking += r == 0;
	if (r < 0)
		free(a);
	free(list);
	return r;
}

static void judge(struct fn_mappings *all)
{
	struct fn_mapping *v[MAPPINGS_AT_ONCE];
	size_t n = 0;
	int r = 0;

	all->ask_again = all->asking > 0;
	if (all->draining || all->asking > 0)
		return;
	fn_list_for_each(l, &all->list) {
		struct fn_mapping *m = fn_list_entry(l, struct fn_mapping, link);

		if (!m->enabled || m->deleted || m->reserved)
			continue;
		if (!fn_rights_judged(all->env->rights)) {
			verdict(m, NULL);
			continue;
		}
		v[n++] = m;
		if (n == MAPPINGS_AT_ONCE) {
			r = r < 0 ? r : ask(all, v, n);
			n = 0;
		}
	}
	if (n > 0 && r == 0)
		r = ask(all, v, n);
	if (r < 0)
		later(all);
}

static void on_change(void *arg) { judge(arg); }

void fn_mapping_judge(struct fn_mapping *m)
{
	m->unjudged = true;
	judge(m->all);
}

void fn_mapping_rights_open(struct fn_mappings *all)
{
	fn_rights_on_change(all->env->rights, on_change, all);
	fn_sqs_on_policy(all->env->sqs, on_change, all);
}

void fn_mapping_rights_close(struct fn_mappings *all)
{
	fn_rights_on_change(all->env->rights, NULL, NULL);
	fn_sqs_on_policy(all->env->sqs, NULL, NULL);
	fn_loop_clear(all->env->loop, &all->rights_timer);
}
