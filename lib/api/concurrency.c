/* concurrency.c - reserved and provisioned concurrency, and what came of it: PutFunctionConcurrency, PutProvisionedConcurrencyConfig and
 * their kin; /_fnd/metrics. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "api/internal.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "invoke/provision.h"

/* Is there so much for this function, with what all others have taken and what must be left? */
static bool account_has(struct fn_call *call, const char *function, int64_t claim, const char *what)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	int64_t others = fn_store_claims(cfg->store) - fn_store_claim(cfg->store, function);

	if (claim == 0 || (int64_t)cfg->account_concurrency - others - claim >= fn_provision_unreserved_least(cfg->account_concurrency))
		return true;
	fn_reply_error(call, &FN_E_INVALID_PARAMETER_PLAIN,
		       "Specified %s for function decreases account's UnreservedConcurrentExecution below its minimum value of [%lld].", what,
		       (long long)fn_provision_unreserved_least(cfg->account_concurrency));
	return false;
}

/* --- reserved --- */
static bool function_only(struct fn_call *call, struct fn_name *n)
{
	if (!fn_call_function_name(call, n))
		return false;
	if (n->qualifier[0]) { /* nor $LATEST */
		fn_call_unqualified_only(call);
		return false;
	}
	if (fn_store_get(call->api->cfg.store, n->name, NULL))
		return true;
	fn_reply_absent(call, n->name, NULL);
	return false;
}

static void apply(struct fn_change *c) { fn_provision_apply(c->call.api->cfg.invoker, c->call.api->cfg.store, c->n.name); }

static void reserved_stored(struct fn_change *c)
{
	apply(c);
	fn_reply_json(&c->call, 200, json_pack("{sI}", "ReservedConcurrentExecutions", (json_int_t)c->number));
}

static void reserved_deleted(struct fn_change *c)
{
	apply(c);
	fn_reply_empty(&c->call, 204);
}

static void store_reserved(struct fn_call *call, const char *function, int64_t n, void (*stored)(struct fn_change *c))
{
	struct fn_change *c = fn_change_new(call, function, NULL, stored);
	struct fn_err err;

	if (!c)
		return;
	c->number = n;
	fn_change_begun(c, fn_store_set_reserved(call->api->cfg.store, function, n, fn_change_done, c, &err), &err);
}

void fn_h_put_concurrency(struct fn_call *call)
{
	struct fn_store *store = call->api->cfg.store;
	int64_t reserved = json_integer_value(json_object_get(call->in, "ReservedConcurrentExecutions")), provisioned;
	struct fn_name n;

	if (!function_only(call, &n))
		return;
	provisioned = fn_store_provisioned_sum(store, n.name, NULL);
	if (reserved < provisioned) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER_PLAIN,
			       " ReservedConcurrentExecutions  %lld should not be lower than function's total provisioned concurrency [%lld].",
			       (long long)reserved, (long long)provisioned);
		return;
	}
	if (account_has(call, n.name, reserved, "ReservedConcurrentExecutions"))
		store_reserved(call, n.name, reserved, reserved_stored);
}

void fn_h_get_concurrency(struct fn_call *call)
{
	json_t *o = json_object();
	struct fn_name n;
	int64_t reserved;

	if (!function_only(call, &n)) {
		json_decref(o);
		return;
	}
	reserved = fn_store_reserved(call->api->cfg.store, n.name);
	if (reserved >= 0)
		json_object_set_new(o, "ReservedConcurrentExecutions", json_integer(reserved));
	fn_reply_json(call, 200, o);
}

void fn_h_delete_concurrency(struct fn_call *call)
{
	struct fn_name n;

	if (function_only(call, &n))
		store_reserved(call, n.name, -1, reserved_deleted);
}

/* --- provisioned --- */
/* What is allocated stays so while one of its environments initialises anew, and is not available. */
static json_t *config_json(struct fn_api *api, const char *function, const struct fn_provisioned *p, bool just_put)
{
	static const char *const words[] = {"IN_PROGRESS", "READY", "FAILED"};
	struct fn_provision_state st = {0};
	char when[40];
	json_t *o;

	if (!just_put)
		fn_provision_state(api->cfg.invoker, api->cfg.store, function, p, &st);
	o = json_pack("{sI,sI,sI,ss,ss}", "RequestedProvisionedConcurrentExecutions", (json_int_t)p->requested,
		      "AvailableProvisionedConcurrentExecutions", (json_int_t)st.available, "AllocatedProvisionedConcurrentExecutions",
		      (json_int_t)(st.status == FN_PROVISION_READY ? p->requested : st.available), "Status", words[st.status], "LastModified", fn_clock_format_lambda(p->modified_us, when, sizeof(when)));
	if (st.status == FN_PROVISION_FAILED)
		json_object_set_new(o, "StatusReason", json_string(st.reason));
	return o;
}

/* A version or an alias that is there; replies and returns false when not. */
static bool qualified(struct fn_call *call, struct fn_name *n)
{
	if (!fn_call_name(call, n))
		return false;
	if (fn_streq(n->qualifier, "$LATEST")) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "%s",
			       fn_aws_op_of(call->operation) == FN_AWS_PutProvisionedConcurrencyConfig ?
				       "Provisioned Concurrency Configs cannot be applied to unpublished function versions." :
				       "The function resource provided must be an alias or a published version.");
		return false;
	}
	if (fn_store_resolve(call->api->cfg.store, n->name, n->qualifier))
		return true;
	fn_reply_absent(call, n->name, n->qualifier);
	return false;
}

static const struct fn_provisioned *existing(struct fn_call *call, struct fn_name *n)
{
	const struct fn_provisioned *p;

	if (!qualified(call, n))
		return NULL;
	p = fn_store_provisioned(call->api->cfg.store, n->name, n->qualifier);
	if (!p)
		fn_reply_error(call, &FN_E_NO_PROVISIONED, "No Provisioned Concurrency Config found for this function");
	return p;
}

static bool may_be_provisioned(struct fn_call *call, const struct fn_function *f)
{
	if (f->snap_start)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Provisioned Concurrency is not supported for SnapStart enabled functions.");
	else if (f->per_tenant)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Provisioned Concurrency is not supported for functions enabled with tenancy configuration.");
	else
		return true;
	return false;
}

bool fn_call_alias_may_be_provisioned(struct fn_call *call, const char *function, const struct fn_alias *a)
{
	struct fn_store *store = call->api->cfg.store;
	const struct fn_function *f = fn_store_get(store, function, a->version);

	if (fn_streq(a->version, "$LATEST"))
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Provisioned Concurrency Configs cannot be applied to unpublished function versions.");
	else if (f && !may_be_provisioned(call, f))
		return false;
	else if (a->other_version)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Alias with weights can not be used with Provisioned Concurrency");
	else if (fn_store_provisioned(store, function, a->version))
		fn_reply_error(call, &FN_E_CONFLICT,
			       "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version");
	else
		return true;
	return false;
}

/* A version has it by its number or through aliases, not both ways; it must be published, and an alias go to it alone. */
static bool may_have(struct fn_call *call, const struct fn_name *n)
{
	struct fn_store *store = call->api->cfg.store;
	const struct fn_alias *a = fn_store_alias(store, n->name, n->qualifier);
	const struct fn_function *f = fn_store_resolve(store, n->name, n->qualifier);
	struct fn_alias *page[FN_PAGE_MAX];
	const char *after = NULL;
	size_t got;

	if (a)
		return fn_call_alias_may_be_provisioned(call, n->name, a);
	if (f && !may_be_provisioned(call, f))
		return false;
	while ((got = fn_store_list_aliases(store, n->name, n->qualifier, after, page, FN_PAGE_MAX)) > 0) {
		for (size_t i = 0; i < got; i++)
			if (fn_store_provisioned(store, n->name, page[i]->name)) {
				fn_reply_error(call, &FN_E_CONFLICT, "Version is pointed by a Provisioned Concurrency alias");
				return false;
			}
		after = page[got - 1]->name;
	}
	return true;
}

static void provisioned_stored(struct fn_change *c)
{
	struct fn_api *api = c->call.api;

	apply(c);
	if (c->number > 0)
		fn_reply_json(&c->call, 202, config_json(api, c->n.name, fn_store_provisioned(api->cfg.store, c->n.name, c->n.qualifier), true));
	else
		fn_reply_empty(&c->call, 204);
}

static void store_provisioned(struct fn_call *call, const struct fn_name *n, int64_t requested)
{
	struct fn_change *c = fn_change_new(call, n->name, n->qualifier, provisioned_stored);
	struct fn_err err;

	if (!c)
		return;
	c->number = requested;
	fn_change_begun(c, fn_store_set_provisioned(call->api->cfg.store, n->name, n->qualifier, requested, fn_change_done, c, &err), &err);
}

void fn_h_put_provisioned(struct fn_call *call)
{
	struct fn_store *store = call->api->cfg.store;
	int64_t wanted = json_integer_value(json_object_get(call->in, "ProvisionedConcurrentExecutions")), all, reserved;
	struct fn_name n;

	if (!qualified(call, &n) || !may_have(call, &n))
		return;
	all = fn_store_provisioned_sum(store, n.name, n.qualifier) + wanted;
	reserved = fn_store_reserved(store, n.name);
	if (reserved >= 0 && all > reserved) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function");
		return;
	}
	if (reserved >= 0 || account_has(call, n.name, all, "ConcurrentExecutions"))
		store_provisioned(call, &n, wanted);
}

void fn_h_list_provisioned(struct fn_call *call)
{
	const char *marker = fn_http_req_query(call->req, "Marker");
	const struct fn_provisioned *page[FN_PAGE_MAX + 1];
	size_t max = fn_call_page_size(call), got;
	json_t *list, *o, *one;
	struct fn_name n;
	char arn[400];

	if (!fn_call_latest(call, &n))
		return;
	got = fn_store_list_provisioned(call->api->cfg.store, n.name, fn_str_empty(marker) ? NULL : marker, page, max + 1);
	list = json_array();
	for (size_t i = 0; i < got && i < max; i++) {
		one = config_json(call->api, n.name, page[i], false);
		fn_arn_format(arn, sizeof(arn), call->api->cfg.region, call->api->cfg.account_id, n.name, page[i]->qualifier);
		json_object_set_new(one, "FunctionArn", json_string(arn));
		json_array_append_new(list, one);
	}
	o = json_pack("{so}", "ProvisionedConcurrencyConfigs", list);
	if (got > max)
		json_object_set_new(o, "NextMarker", json_string(page[max - 1]->qualifier));
	fn_reply_json(call, 200, o);
}

void fn_h_get_provisioned(struct fn_call *call)
{
	struct fn_name n;
	const struct fn_provisioned *p = existing(call, &n);

	if (p)
		fn_reply_json(call, 200, config_json(call->api, n.name, p, false));
}

void fn_h_delete_provisioned(struct fn_call *call)
{
	struct fn_name n;

	if (!qualified(call, &n))
		return;
	if (!fn_store_provisioned(call->api->cfg.store, n.name, n.qualifier)) { /* gone already is as good */
		fn_reply_empty(call, 204);
		return;
	}
	store_provisioned(call, &n, 0);
}

/* --- metrics --- */
