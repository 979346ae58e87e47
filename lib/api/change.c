/* change.c - see change.h. */
#include "api/change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/uploads.h"

struct waiting {
	struct fn_store_turn turn;
	struct fn_call call;
	fn_handler handler;
	char function[FN_STORE_LAYER_TURN_SIZE];
};

static void on_turn(void *arg)
{
	struct waiting *w = arg;

	w->handler(&w->call);
	json_decref(w->call.in);
	free(w);
}

bool fn_change_turn(struct fn_call *call, const char *function, fn_handler handler)
{
	struct waiting *w;

	if (!fn_store_taken(call->api->cfg.store, function))
		return true;
	w = calloc(1, sizeof(*w));
	if (!w) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return false;
	}
	snprintf(w->function, sizeof(w->function), "%s", function);
	w->call = fn_call_keep(call, true);
	w->handler = handler;
	w->turn = (struct fn_store_turn){.function = w->function, .fn = on_turn, .arg = w};
	fn_store_wait(call->api->cfg.store, &w->turn);
	return false;
}

struct fn_change *fn_change_new(const struct fn_call *call, const char *function, const char *qualifier, void (*stored)(struct fn_change *c))
{
	struct fn_change *c = calloc(1, sizeof(*c));

	if (!c) {
		struct fn_call copy = *call;

		fn_reply_error(&copy, &FN_E_SERVICE, "out of memory");
		return NULL;
	}
	c->call = fn_call_keep(call, false); /* what it said is in what is stored */
	snprintf(c->n.name, sizeof(c->n.name), "%s", function);
	snprintf(c->n.qualifier, sizeof(c->n.qualifier), "%s", qualifier ? qualifier : "");
	c->stored = stored;
	return c;
}

void fn_change_free(struct fn_change *c)
{
	fn_function_unref(c->f);
	fn_function_unref(c->version);
	fn_layer_version_unref(c->layer);
	free(c->codes);
	if (c->upload)
		fn_upload_end(c->upload);
	free(c);
}

static void refuse(struct fn_change *c, const struct fn_err *err)
{
	char text[512];

	if (c->layer)
		fn_reply_error(&c->call, &FN_E_SERVICE, "%s", fn_err_format(err, text, sizeof(text)));
	else if (err->code == ENOENT) /* deleted meanwhile */
		fn_reply_absent(&c->call, c->n.name, NULL);
	else if (err->code == EEXIST)
		fn_reply_exists(&c->call, c->n.name, NULL);
	else
		fn_reply_error(&c->call, &FN_E_SERVICE, "%s", fn_err_format(err, text, sizeof(text)));
}

void fn_change_done(void *change, const struct fn_err *err)
{
	struct fn_change *c = change;

	if (err)
		refuse(c, err);
	else
		c->stored(c);
	fn_change_free(c);
}

void fn_change_begun(struct fn_change *c, int r, const struct fn_err *err)
{
	if (r == 0)
		return;
	refuse(c, err);
	fn_change_free(c);
}

bool fn_may_update(struct fn_call *call, const struct fn_function *f)
{
	char arn[400];

	if (f->state == FN_STATE_PENDING) {
		fn_reply_error(call, &FN_E_CONFLICT,
			       "The operation cannot be performed at this time. The function is currently in the following state: Pending");
		return false;
	}
	if (f->update_status == FN_UPDATE_IN_PROGRESS || fn_upload_busy(call->api, f->name)) {
		fn_arn_format(arn, sizeof(arn), call->api->cfg.region, call->api->cfg.account_id, f->name, NULL);
		fn_reply_error(call, &FN_E_CONFLICT, "The operation cannot be performed at this time. An update is in progress for resource: %s", arn);
		return false;
	}
	return fn_call_revision(call, f->revision_id);
}
