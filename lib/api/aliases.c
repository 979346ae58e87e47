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

#define WEIGHT_RULE \
	"Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or " \
	"equal to 0.0, Member must not be null]"
#define KEY_RULE \
	"Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or " \
	"equal to 1, Member must satisfy regular expression pattern: [0-9]+, Member must not be null]"

static void free_alias(struct fn_alias **a) { fn_alias_free(*a); }
static void decref(json_t **j) { json_decref(*j); }

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
static void check_name(struct fn_checks *c, const char *name)
{
	if (!name)
		fn_check_fail(c, NULL, "name", "Member must not be null");
	else if (strlen(name) > 128)
		fn_check_fail(c, name, "name", "Member must have length less than or equal to 128");
	else if (!fn_alias_name_valid(name))
		fn_check_fail(c, name, "name", "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)");
}

static void check_version(struct fn_checks *c, const char *version)
{
	if (!fn_streq(version, "$LATEST") && (!*version || version[strspn(version, "0123456789")]))
		fn_check_fail(c, version, "functionVersion", "Member must satisfy regular expression pattern: (\\$LATEST|[0-9]+)");
	else if (strlen(version) > 1024)
		fn_check_fail(c, version, "functionVersion", "Member must have length less than or equal to 1024");
}

/* {2=0.5}, as the service prints a map. */
static const char *weight_text(const char *key, json_t *v, char *out, size_t size)
{
	char number[40] = "null";
	const char *more = "";

	if (json_is_number(v)) {
		snprintf(number, sizeof(number), "%.15g", json_number_value(v));
		more = strpbrk(number, ".en") ? "" : ".0";
	}
	snprintf(out, size, "{%s=%s%s}", key, number, more);
	return out;
}

/* RoutingConfig: absent leaves the alias as it is; without weights, all goes to one version. */
static void apply_routing(struct fn_checks *c, json_t *in, struct fn_alias *a, size_t *ret_weights)
{
	json_t *routing = json_object_get(in, "RoutingConfig"), *weights = json_object_get(routing, "AdditionalVersionWeights"), *v;
	const char *k;
	char text[200];

	*ret_weights = json_object_size(weights);
	if (!routing || json_is_null(routing))
		return;
	fn_set_string(&a->other_version, NULL);
	a->other_weight = 0;
	json_object_foreach(weights, k, v) {
		double w = json_number_value(v);

		if (!*k || k[strspn(k, "0123456789")] || strlen(k) > 1024) {
			fn_check_fail(c, weight_text(k, v, text, sizeof(text)), "routingConfig.additionalVersionWeights", KEY_RULE);
		} else if (!json_is_number(v) || !(w >= 0.0 && w <= 1.0)) {
			fn_check_fail(c, weight_text(k, v, text, sizeof(text)), "routingConfig.additionalVersionWeights", WEIGHT_RULE);
		} else {
			fn_set_string(&a->other_version, k);
			a->other_weight = w;
		}
	}
}

/* Puts the request's members into a. Replies and returns false on a violation of the model. */
static bool apply(struct fn_call *call, json_t *in, struct fn_alias *a, bool create)
{
	const char *version, *description, *name = create ? json_string_value(json_object_get(in, "Name")) : a->name;
	struct fn_checks c = {0};
	size_t weights;

	if (!fn_call_text(call, in, "FunctionVersion", &version) || !fn_call_text(call, in, "Description", &description))
		return false;
	if (version)
		check_version(&c, version);
	else if (create)
		fn_check_fail(&c, NULL, "functionVersion", "Member must not be null");
	check_name(&c, name);
	if (description && strlen(description) > 256)
		fn_check_fail(&c, description, "description", "Member must have length less than or equal to 256");
	apply_routing(&c, in, a, &weights);
	if (!fn_checks_pass(&c, call))
		return false;
	if (weights > 1) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Number of items in AdditionalVersionWeights cannot be greater than 1");
		return false;
	}
	if (version)
		fn_set_string(&a->version, version);
	if (description)
		fn_set_string(&a->description, description);
	return true;
}

/* Can the versions be, alone and together? */
static bool versions_ok(struct fn_call *call, const char *function, const struct fn_alias *a)
{
	struct fn_store *store = call->api->cfg.store;

	if (a->other_version && fn_streq(a->version, a->other_version))
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "Invalid function version %s. Function version %s is already included in routing configuration.", a->version, a->version);
	else if (a->other_version && fn_streq(a->version, "$LATEST"))
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "$LATEST is not supported for an alias pointing to more than 1 version");
	else if (!fn_store_get(store, function, a->version))
		fn_call_not_found(call, function, a->version);
	else if (a->other_version && !fn_store_get(store, function, a->other_version))
		fn_call_not_found(call, function, a->other_version);
	else
		return true;
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
	fn_auto(decref) json_t *in = NULL;
	const char *name;
	struct fn_name n;
	char arn[400];

	if (!fn_call_function_name(call, &n) || !(in = fn_call_json(call)) || !fn_call_text(call, in, "Name", &name))
		return;
	a = fn_alias_new(name ? name : "");
	if (!a) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	if (!apply(call, in, a, true) || !versions_ok(call, n.name, a))
		return;
	if (fn_store_alias(call->api->cfg.store, n.name, a->name)) {
		fn_arn_format(arn, sizeof(arn), call->api->cfg.region, call->api->cfg.account_id, n.name, a->name);
		fn_reply_error(call, &FN_E_CONFLICT, "Alias already exists: %s", arn);
		return;
	}
	store_alias(call, n.name, &a, 201);
}

/* The function named in the path and its alias; *ret_alias NULL when there is none. Replies and returns false unless both names are good. */
static bool named(struct fn_call *call, struct fn_name *n, struct fn_alias **ret_alias)
{
	struct fn_checks c = {0};

	check_name(&c, call->params[1]);
	if (!fn_checks_pass(&c, call) || !fn_call_latest(call, n))
		return false;
	*ret_alias = fn_store_alias(call->api->cfg.store, n->name, call->params[1]);
	return true;
}

static struct fn_alias *existing(struct fn_call *call, struct fn_name *n)
{
	struct fn_alias *a;
	char arn[400];

	if (!named(call, n, &a))
		return NULL;
	if (!a) {
		fn_arn_format(arn, sizeof(arn), call->api->cfg.region, call->api->cfg.account_id, n->name, call->params[1]);
		fn_reply_error(call, &FN_E_NOT_FOUND, "Cannot find alias arn: %s", arn);
	}
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
	fn_auto(decref) json_t *in = NULL;
	struct fn_alias *now;
	struct fn_name n;

	now = existing(call, &n);
	if (!now || !(in = fn_call_json(call)) || !fn_call_revision(call, in, now->revision_id))
		return;
	a = fn_alias_clone(now);
	if (!a)
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
	else if (apply(call, in, a, false) && versions_ok(call, n.name, a) && provisioned_ok(call, n.name, a))
		store_alias(call, n.name, &a, 200);
}

void fn_h_delete_alias(struct fn_call *call)
{
	struct fn_change *c;
	struct fn_alias *a;
	struct fn_name n;
	struct fn_err err;

	if (!named(call, &n, &a))
		return;
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
	struct fn_checks c = {0};
	struct fn_name n;
	json_t *list, *o;
	size_t max, got;

	if (version)
		check_version(&c, version);
	if (!fn_checks_pass(&c, call) || !fn_call_latest(call, &n) || !fn_call_page_size(call, FN_ITEMS_MAX, &max))
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
