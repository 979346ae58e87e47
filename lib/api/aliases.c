/* aliases.c - CreateAlias, GetAlias, UpdateAlias, DeleteAlias, ListAliases. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "api/configuration.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "invoke/provision.h"

static void free_alias(struct fn_alias **a) { fn_alias_free(*a); }

static json_t *alias_json(struct fn_api *api, const char *function, const struct fn_alias *a)
{
	char arn[400];
	json_t *o;

	fn_arn_format(arn, sizeof(arn), api->cfg.region, api->cfg.account_id, function, a->name);
	o = json_pack("{ssssssss}", "AliasArn", arn, "Name", a->name, "FunctionVersion", a->version, "Description", a->description);
	if (a->other_version)
		json_object_set_new(o, "RoutingConfig", json_pack("{s{sf}}", "AdditionalVersionWeights", a->other_version, a->other_weight));
	json_object_set_new(o, "RevisionId", json_string(a->revision_id));
	return o;
}

/* --- what a request says --- */
/* RoutingConfig: absent leaves the alias as it is; without weights, all goes to one version. */
static bool apply_routing(struct fn_call *call, struct fn_alias *a)
{
	json_t *routing = json_object_get(call->in, "RoutingConfig"), *weights = json_object_get(routing, "AdditionalVersionWeights"), *v;
	const char *k;

	if (json_object_size(weights) > 1) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Number of items in AdditionalVersionWeights cannot be greater than 1");
		return false;
	}
	if (routing) {
		fn_set_string(&a->other_version, NULL);
		a->other_weight = 0;
	}
	json_object_foreach(weights, k, v) {
		fn_set_string(&a->other_version, k);
		a->other_weight = json_number_value(v);
	}
	return true;
}

/* Puts the request's members into a. Replies and returns false when they cannot be. */
static bool apply(struct fn_call *call, struct fn_alias *a)
{
	const char *version = json_string_value(json_object_get(call->in, "FunctionVersion")),
		   *description = json_string_value(json_object_get(call->in, "Description"));

	if (!apply_routing(call, a))
		return false;
	if (version)
		fn_set_string(&a->version, version);
	if (description)
		fn_set_string(&a->description, description);
	return true;
}

static bool same(const char *a, const char *b) { return fn_str_empty(a) ? fn_str_empty(b) : fn_streq(a, b); }

/* What may be either of them is one function to who invokes it (Lambda Developer Guide, "configuring-alias-routing"). */
static bool go_together(struct fn_call *call, const struct fn_function *a, const struct fn_function *b)
{
	if (!same(a->role, b->role))
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Specified versions must be associated with the same execution role");
	else if (!same(a->dead_letter_arn, b->dead_letter_arn))
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Specified versions must be associated with the same dead-letter queue");
	else
		return true;
	return false;
}

/* A version whose init failed when it was published can never be invoked, and no alias goes there (terraform-provider-aws, "Failed SnapStart leaves lambda in
 * unrecoverable state"). One that is Pending may come to be. */
static bool can_be_served(struct fn_call *call, const struct fn_function *f)
{
	if (!f || f->state != FN_STATE_FAILED || fn_version_number(f->version) == 0)
		return true;
	fn_reply_error(call, &FN_E_CONFLICT, "The operation cannot be performed at this time. The function is currently in the following state: 'Failed', StateReasonCode: '%s'",
		       f->state_reason_code ? f->state_reason_code : "");
	return false;
}

/* Can the versions be, alone and together? */
static bool versions_ok(struct fn_call *call, const char *function, const struct fn_alias *a)
{
	struct fn_store *store = call->api->cfg.store;
	const struct fn_function *f = fn_store_get(store, function, a->version), *other = a->other_version ? fn_store_get(store, function, a->other_version) : NULL;

	if (a->other_version && fn_streq(a->version, a->other_version))
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "Invalid function version %s. Function version %s is already included in routing configuration.", a->version, a->version);
	else if (a->other_version && fn_streq(a->version, "$LATEST"))
		fn_reply_error(call, &FN_E_INVALID_PARAMETER_PLAIN, "$LATEST is not supported for an alias pointing to more than 1 version");
	else if (!f)
		fn_reply_absent(call, function, a->version);
	else if (a->other_version && !other)
		fn_reply_absent(call, function, a->other_version);
	else
		return can_be_served(call, f) && can_be_served(call, other) && (!other || go_together(call, f, other));
	return false;
}

/* What an alias may be while it has provisioned concurrency is what it must be to get some. */
static bool provisioned_ok(struct fn_call *call, const char *function, const struct fn_alias *a)
{
	return !fn_store_provisioned(call->api->cfg.store, function, a->name) || fn_call_alias_may_be_provisioned(call, function, a);
}

static void alias_stored(struct fn_change *c)
{
	const struct fn_api_config *cfg = &c->call.api->cfg;

	fn_provision_apply(cfg->invoker, cfg->store, c->n.name); /* what is provisioned moves with it */
	fn_reply_json(&c->call, (unsigned)c->number, alias_json(c->call.api, c->n.name, fn_store_alias(cfg->store, c->n.name, c->n.qualifier)));
}

static void store_alias(struct fn_call *call, const char *function, struct fn_alias **a, unsigned status)
{
	struct fn_change *c = fn_change_new(call, function, (*a)->name, alias_stored);
	struct fn_err err;
	int r;

	if (!c)
		return;
	c->number = status;
	fn_id_uuid((*a)->revision_id);
	r = fn_store_set_alias(call->api->cfg.store, function, *a, fn_change_done, c, &err);
	if (r == 0)
		*a = NULL;
	fn_change_begun(c, r, &err);
}

static void delete_stored(struct fn_change *c)
{
	const struct fn_api_config *cfg = &c->call.api->cfg;

	fn_provision_apply(cfg->invoker, cfg->store, c->n.name);
	fn_reply_empty(&c->call, 204);
}

/* --- the operations --- */
void fn_h_create_alias(struct fn_call *call)
{
	fn_auto(free_alias) struct fn_alias *a = NULL;
	struct fn_name n;

	if (!fn_call_function_name(call, &n))
		return;
	a = fn_alias_new(json_string_value(json_object_get(call->in, "Name")));
	if (!a) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	if (!apply(call, a) || !versions_ok(call, n.name, a))
		return;
	if (fn_store_alias(call->api->cfg.store, n.name, a->name))
		fn_reply_exists(call, n.name, a->name);
	else
		store_alias(call, n.name, &a, 201);
}

/* The alias that the path names; NULL after having replied. */
static struct fn_alias *existing(struct fn_call *call, struct fn_name *n)
{
	struct fn_alias *a;

	if (!fn_call_latest(call, n))
		return NULL;
	a = fn_store_alias(call->api->cfg.store, n->name, call->params[1]);
	if (!a)
		fn_reply_no_alias(call, n->name, call->params[1]);
	return a;
}

void fn_h_get_alias(struct fn_call *call)
{
	struct fn_name n;
	struct fn_alias *a = existing(call, &n);

	if (a)
		fn_reply_json(call, 200, alias_json(call->api, n.name, a));
}

void fn_h_update_alias(struct fn_call *call)
{
	fn_auto(free_alias) struct fn_alias *a = NULL;
	struct fn_alias *now;
	struct fn_name n;

	now = existing(call, &n);
	if (!now || !fn_call_revision(call, now->revision_id))
		return;
	a = fn_alias_clone(now);
	if (!a)
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
	else if (apply(call, a) && versions_ok(call, n.name, a) && provisioned_ok(call, n.name, a))
		store_alias(call, n.name, &a, 200);
}

void fn_h_delete_alias(struct fn_call *call)
{
	struct fn_change *c;
	struct fn_alias *a;
	struct fn_name n;
	struct fn_err err;

	if (!fn_call_latest(call, &n))
		return;
	a = fn_store_alias(call->api->cfg.store, n.name, call->params[1]);
	if (!a) { /* gone already is as good */
		fn_reply_empty(call, 204);
		return;
	}
	c = fn_change_new(call, n.name, a->name, delete_stored);
	if (c)
		fn_change_begun(c, fn_store_delete_alias(call->api->cfg.store, n.name, a->name, fn_change_done, c, &err), &err);
}

void fn_h_list_aliases(struct fn_call *call)
{
	const char *marker = fn_http_req_query(call->req, "Marker"), *version = fn_http_req_query(call->req, "FunctionVersion");
	struct fn_alias *page[FN_PAGE_MAX + 1];
	size_t max = fn_call_page_size(call), got;
	struct fn_name n;
	json_t *list, *o;

	if (!fn_call_latest(call, &n))
		return;
	got = fn_store_list_aliases(call->api->cfg.store, n.name, version, fn_str_empty(marker) ? NULL : marker, page, max + 1);
	list = json_array();
	for (size_t i = 0; i < got && i < max; i++)
		json_array_append_new(list, alias_json(call->api, n.name, page[i]));
	o = json_pack("{so}", "Aliases", list);
	if (got > max)
		json_object_set_new(o, "NextMarker", json_string(page[max - 1]->name));
	fn_reply_json(call, 200, o);
}
