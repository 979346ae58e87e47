/* rights.c - see rights.h. */
#include "service/rights.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "service/fnd.h"

#define RECHECK_US (UINT64_C(60) * 1000000)
#define PAUSE_US 200000u /* between two looks for changes */

struct fn_rights {
	struct fn_loop *loop;
	struct fn_fnd *fnd;
	struct fn_inner_call *watch;
	uint64_t timer, recheck;
	bool known, judged;
	char generation[64];
	void (*changed)(void *arg);
	void *arg;
	struct fn_list calls;
};

struct call {
	struct fn_list link;
	struct fn_inner_call *inner;
	size_t n;
	char *body;
	void (*done)(void *arg, const struct fn_iam_asker *who);
	void *arg;
};

bool fn_rights_judged(const struct fn_rights *r) { return !r->known || r->judged; }

static void tell(struct fn_rights *r)
{
	if (r->changed)
		r->changed(r->arg);
}

/* --- changes --- */
static void on_changes(void *arg, struct fn_inner_answer *a)
{
	struct fn_rights *r = arg;
	json_auto_t *o = a->error || a->h->status != 200 ? NULL : json_loadb(a->body, a->len, 0, NULL);
	const char *now = json_string_value(json_object_get(o, "Generation"));

	r->watch = NULL;
	(void)fn_loop_rearm_timer(r->loop, r->timer, fn_loop_now_us(r->loop) + PAUSE_US);
	if (!now || fn_streq(now, r->generation))
		return;
	(void)fn_str_format(r->generation, sizeof(r->generation), "%s", now);
	r->known = true;
	r->judged = json_is_true(json_object_get(o, "Judged"));
	tell(r);
}

static void watch(void *arg)
{
	struct fn_rights *r = arg;

	if (!r->watch && fn_fnd_changes(r->fnd, r->generation, on_changes, r, &r->watch) < 0)
		(void)fn_loop_rearm_timer(r->loop, r->timer, fn_loop_now_us(r->loop) + PAUSE_US);
}

static void on_recheck(void *arg)
{
	struct fn_rights *r = arg;

	(void)fn_loop_rearm_timer(r->loop, r->recheck, fn_loop_now_us(r->loop) + RECHECK_US);
	if (fn_rights_judged(r))
		tell(r);
}

void fn_rights_on_change(struct fn_rights *r, void (*changed)(void *arg), void *arg)
{
	r->changed = changed;
	r->arg = arg;
}

/* --- asking --- */
static void call_free(struct call *c)
{
	fn_list_remove(&c->link);
	free(c->body);
	free(c);
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static void on_answer(void *arg, struct fn_inner_answer *a)
{
	struct call *c = arg;
	json_auto_t *o = a->error || a->h->status != 200 ? NULL : json_loadb(a->body, a->len, 0, NULL);
	json_t *list = json_object_get(o, "Rights"), *e;
	struct fn_iam_asker *who = json_array_size(list) == c->n ? calloc(c->n + 1, sizeof(*who)) : NULL;
	size_t i;

	json_array_foreach(who ? list : NULL, i, e)
		who[i] = (struct fn_iam_asker){text(e, "Principal"), text(e, "Identity"), text(e, "Context")};
	fn_list_remove(&c->link); /* it is not one that is under way any more */
	c->done(c->arg, who);
	free(who);
	call_free(c);
}

int fn_rights_ask(struct fn_rights *r, const struct fn_rights_ask *list, size_t n, void (*done)(void *arg, const struct fn_iam_asker *who), void *arg)
{
	struct call *c = calloc(1, sizeof(*c));
	json_auto_t *ask = json_array(), *o = NULL;
	int e = -ENOMEM;

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(ask, json_pack("{ss,ss,ss}", "Function", list[i].function, "Action", list[i].action, "Resource", list[i].resource));
	o = json_pack("{sO}", "Ask", ask);
	if (c) {
		*c = (struct call){.n = n, .body = json_array_size(ask) == n ? json_dumps(o, JSON_COMPACT) : NULL, .done = done, .arg = arg};
		fn_list_push_back(&r->calls, &c->link);
		e = c->body ? fn_fnd_rights(r->fnd, c->body, strlen(c->body), on_answer, c, &c->inner) : -ENOMEM;
	}
	if (e < 0 && c)
		call_free(c);
	return e;
}

/* --- life --- */
int fn_rights_new(struct fn_loop *loop, struct fn_fnd *fnd, struct fn_rights **ret)
{
	struct fn_rights *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	r->loop = loop;
	r->fnd = fnd;
	fn_list_init(&r->calls);
	e = fn_loop_add_timer(loop, fn_loop_now_us(loop), watch, r, &r->timer);
	if (e == 0)
		e = fn_loop_add_timer(loop, fn_loop_now_us(loop) + RECHECK_US, on_recheck, r, &r->recheck);
	if (e < 0)
		fn_rights_free(r);
	else
		*ret = r;
	return e;
}

void fn_rights_free(struct fn_rights *r)
{
	if (!r)
		return;
	fn_inner_cancel(r->watch);
	fn_list_for_each_safe(l, &r->calls)
	{
		struct call *c = fn_list_entry(l, struct call, link);

		fn_inner_cancel(c->inner);
		call_free(c);
	}
	fn_loop_clear(r->loop, &r->timer);
	fn_loop_clear(r->loop, &r->recheck);
	free(r);
}
