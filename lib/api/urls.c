/* urls.c - CreateFunctionUrlConfig, GetFunctionUrlConfig, UpdateFunctionUrlConfig, DeleteFunctionUrlConfig, ListFunctionUrlConfigs. Words as recorded. */
#include "api/urls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "store/urls.h"

static void free_url(struct fn_url **u) { fn_url_free(*u); }

void fn_url_address(const struct fn_api_config *cfg, const char *id, char *out, size_t size)
{
	snprintf(out, size, "%s://%s.lambda-url.%s.%s/", cfg->url_scheme, id, cfg->region, cfg->url_domain);
}

/* What an answer tells beside the address: recorded for each operation. */
enum told { CREATED, CHANGED, SHOWN };

static json_t *url_json(struct fn_api *api, const struct fn_url *u, enum told told)
{
	char arn[400], address[512], when[32];
	json_t *o;

	fn_url_address(&api->cfg, u->id, address, sizeof(address));
	fn_arn_format(arn, sizeof(arn), api->cfg.region, api->cfg.account_id, u->function, u->qualifier);
	o = json_pack("{ss,ss,ss}", "FunctionUrl", address, "FunctionArn", arn, "AuthType", u->auth == FN_URL_IAM ? "AWS_IAM" : "NONE");
	if (u->cors)
		json_object_set_new(o, "Cors", json_loads(u->cors, 0, NULL));
	json_object_set_new(o, "CreationTime", json_string(fn_clock_format_rfc3339(u->created_us, when, sizeof(when))));
	if (told != CREATED)
		json_object_set_new(o, "LastModifiedTime", json_string(fn_clock_format_rfc3339(u->modified_us, when, sizeof(when))));
	if (told == SHOWN || u->mode_given)
		json_object_set_new(o, "InvokeMode", json_string(u->streams ? "RESPONSE_STREAM" : "BUFFERED"));
	return o;
}

/* Puts the request's members into u. */
static void apply(struct fn_call *call, struct fn_url *u)
{
	const char *auth = json_string_value(json_object_get(call->in, "AuthType")), *mode = json_string_value(json_object_get(call->in, "InvokeMode"));
	json_t *cors = json_object_get(call->in, "Cors");

	if (auth)
		u->auth = fn_streq(auth, "AWS_IAM") ? FN_URL_IAM : FN_URL_NONE;
	if (mode) {
		u->mode_given = true;
		u->streams = fn_streq(mode, "RESPONSE_STREAM");
	}
	if (cors) {
		free(u->cors);
		u->cors = json_object_size(cors) > 0 ? json_dumps(cors, JSON_COMPACT) : NULL;
	}
	u->modified_us = fn_clock_real_us();
}

static void stored(struct fn_change *c)
{
	const struct fn_url *u = fn_store_url(c->call.api->cfg.store, c->n.name, c->n.qualifier);

	fn_reply_json(&c->call, (unsigned)c->number, url_json(c->call.api, u, c->number == 201 ? CREATED : CHANGED));
}

static void store(struct fn_call *call, struct fn_url **u, unsigned status)
{
	struct fn_change *c = fn_change_new(call, (*u)->function, (*u)->qualifier, stored);
	struct fn_err err;
	int r;

	if (!c)
		return;
	c->number = status;
	r = fn_store_set_url(call->api->cfg.store, *u, fn_change_done, c, &err);
	if (r == 0)
		*u = NULL;
	fn_change_begun(c, r, &err);
}

/* The function, and the alias if one is named. Replies and returns false when there is none. */
static bool exists(struct fn_call *call, const struct fn_name *n)
{
	struct fn_store *store = call->api->cfg.store;

	if (fn_store_get(store, n->name, NULL) && (!n->qualifier[0] || fn_store_alias(store, n->name, n->qualifier)))
		return true;
	fn_reply_error(call, &FN_E_NOT_FOUND, "Function does not exist");
	return false;
}

static const struct fn_url *configured(struct fn_call *call, const struct fn_name *n)
{
	const struct fn_url *u = fn_store_url(call->api->cfg.store, n->name, n->qualifier);

	if (!u)
		fn_reply_no_resource(call);
	return u;
}

void fn_h_create_url(struct fn_call *call)
{
	fn_auto(free_url) struct fn_url *u = NULL;
	struct fn_name n;
	char arn[400];

	if (!fn_call_name(call, &n) || !exists(call, &n))
		return;
	if (fn_store_get(call->api->cfg.store, n.name, NULL)->per_tenant) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Function URLs are not supported for functions enabled with tenancy configuration.");
		return;
	}
	if (!call->api->cfg.url_domain) {
		fn_reply_error(call, &FN_E_NOT_IMPLEMENTED, "fnd runs without its gateway: function URLs need \"gateway\": {\"listen\": ..} in its configuration");
		return;
	}
	if (fn_store_url(call->api->cfg.store, n.name, n.qualifier)) {
		fn_arn_format(arn, sizeof(arn), call->api->cfg.region, call->api->cfg.account_id, n.name, n.qualifier);
		fn_reply_error(call, &FN_E_CONFLICT,
			       "Failed to create function url config for [functionArn = %s]. Error message:  FunctionUrlConfig exists for this Lambda function", arn);
		return;
	}
	u = fn_url_new(n.name, n.qualifier);
	if (!u) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	apply(call, u);
	u->created_us = u->modified_us;
	store(call, &u, 201);
}

void fn_h_get_url(struct fn_call *call)
{
	const struct fn_url *u;
	struct fn_name n;

	if (fn_call_name(call, &n) && (u = configured(call, &n)))
		fn_reply_json(call, 200, url_json(call->api, u, SHOWN));
}

void fn_h_update_url(struct fn_call *call)
{
	fn_auto(free_url) struct fn_url *u = NULL;
	const struct fn_url *now;
	struct fn_name n;

	if (!fn_call_name(call, &n) || !exists(call, &n) || !(now = configured(call, &n)))
		return;
	u = fn_url_clone(now);
	if (!u) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	apply(call, u);
	store(call, &u, 200);
}

static void deleted(struct fn_change *c) { fn_reply_empty(&c->call, 204); }

void fn_h_delete_url(struct fn_call *call)
{
	struct fn_change *c;
	struct fn_name n;
	struct fn_err err;

	if (!fn_call_name(call, &n) || !configured(call, &n))
		return;
	c = fn_change_new(call, n.name, n.qualifier, deleted);
	if (c)
		fn_change_begun(c, fn_store_delete_url(call->api->cfg.store, n.name, n.qualifier, fn_change_done, c, &err), &err);
}

void fn_h_list_urls(struct fn_call *call)
{
	const char *marker = fn_http_req_query(call->req, "Marker");
	const struct fn_url *page[FN_PAGE_MAX + 1];
	size_t max = fn_call_page_size(call), got;
	struct fn_name n;
	json_t *list, *o;

	if (!fn_call_name(call, &n) || !exists(call, &n))
		return;
	if (fn_str_empty(marker))
		marker = NULL;
	else if (fn_streq(marker, "$LATEST")) /* the function's own is first */
		marker = "";
	got = fn_store_list_urls(call->api->cfg.store, n.name, marker, page, max + 1);
	list = json_array();
	for (size_t i = 0; i < got && i < max; i++)
		json_array_append_new(list, url_json(call->api, page[i], SHOWN));
	o = json_pack("{so}", "FunctionUrlConfigs", list);
	if (got > max)
		json_object_set_new(o, "NextMarker", json_string(page[max - 1]->qualifier[0] ? page[max - 1]->qualifier : "$LATEST"));
	fn_reply_json(call, 200, o);
}
