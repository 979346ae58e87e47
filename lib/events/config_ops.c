/* config_ops.c - see config_ops.h. fnd has held the request against the service model; whether functions exist it is asked. */
#include "events/config_ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/route.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "events/configs.h"
#include "events/deliver.h"
#include "events/endpoints.h"
#include "events/messages.h"
#include "model/arn.h"
#include "service/fnd.h"

#define PAGE_MAX 50

/* An operation on its way. */
struct op {
	struct fn_events *e;
	struct fn_service_call call;
	struct fn_name name;
	char qualifier[132]; /* "$LATEST" where none is said */
	json_t *in;
	struct fn_event_config *config; /* as it is to be */
	unsigned checked;               /* destinations that have been looked at */
	void (*go_on)(struct op *o);    /* once the function is known to exist */
};

static void op_free(struct op *o)
{
	json_decref(o->in);
	fn_event_config_free(o->config);
	free(o);
}

static void arn_of(const struct op *o, const char *qualifier, char *out, size_t size)
{
	fn_arn_format(out, size, o->e->env->region, o->e->env->account_id, o->name.name, qualifier);
}

static void no_function(struct op *o)
{
	fn_service_reply_error(&o->call, &FN_E_NOT_FOUND, "The function doesn't exist.");
	op_free(o);
}

static void no_config(struct op *o)
{
	char arn[400];

	arn_of(o, o->qualifier, arn, sizeof(arn));
	fn_service_reply_error(&o->call, &FN_E_NOT_FOUND, "The function %s doesn't have an EventInvokeConfig", arn);
	op_free(o);
}

static void unavailable(struct op *o)
{
	fn_service_reply_error(&o->call, &FN_E_UNAVAILABLE, "fnd does not answer. Try again.");
	op_free(o);
}

/* --- answers --- */
static json_t *destination(const char *arn) { return arn ? json_pack("{ss}", "Destination", arn) : json_object(); }

static json_t *config_json(const struct op *o, const struct fn_event_config *c)
{
	char arn[400];
	json_t *j;

	arn_of(o, c->qualifier, arn, sizeof(arn));
	j = json_pack("{sf,ss,s{so,so}}", "LastModified", (double)(c->modified_us / 1000u) / 1000.0, "FunctionArn", arn, "DestinationConfig", "OnSuccess", destination(c->on_success),
		      "OnFailure", destination(c->on_failure));
	if (c->retries >= 0)
		json_object_set_new(j, "MaximumRetryAttempts", json_integer(c->retries));
	if (c->age_s >= 0)
		json_object_set_new(j, "MaximumEventAgeInSeconds", json_integer(c->age_s));
	return j;
}

/* --- put and update --- */
static void on_put(void *arg, const struct fn_err *err)
{
	struct op *o = arg;

	if (err)
		fn_service_reply_failed(&o->call, err);
	else
		fn_service_reply_json(&o->call, 200, config_json(o, fn_event_config_get(o->e, o->name.name, o->qualifier)));
	op_free(o);
}

static void write_config(struct op *o)
{
	o->config->modified_us = fn_clock_real_us();
	fn_event_config_put(o->e, fn_take_ptr(o->config), on_put, o);
}

/* Where it may lead, by the ARN's service: S3 is for failures alone. */
static bool service_fits(const char *arn, bool success)
{
	static const char *const services[] = {"lambda", "sqs", "sns", "events", "s3"};

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]) - success; i++)
		if (fn_arn_of(arn, services[i]))
			return true;
	return false;
}

/* The function of ours that the ARN names, NULL where it names none: another region's, another account's, a layer. */
static const char *function_in(const struct op *o, const char *arn)
{
	struct fn_name n;
	const char *at = strstr(arn, ":function:");

	if (!at || fn_name_parse(arn, &n) < 0 || !fn_streq(n.region, o->e->env->region) || !fn_streq(n.account, o->e->env->account_id))
		return NULL;
	return at + strlen(":function:");
}

static void refuse(struct op *o, const char *fmt, const char *arn)
{
	fn_auto_free char *text = NULL;

	if (asprintf(&text, fmt, arn) < 0)
		abort();
	fn_service_reply_error(&o->call, &FN_E_INVALID_PARAMETER, "%s", text);
	op_free(o);
}

/* Does anybody take it? A queue of ours may still come to be. */
static bool is_served(const struct op *o, const char *arn)
{
	const struct fn_service_env *env = o->e->env;

	return !arn || fn_arn_of(arn, "lambda") || fn_arn_at(arn, "sqs", env->region, env->account_id) || fn_endpoint(o->e->endpoints, fn_message_service(arn));
}

/* The function's role is what delivers. */
static void on_rights(void *arg, const bool *may)
{
	struct op *o = arg;
	const char *arn = may && !may[0] ? o->config->on_success : may && !may[1] ? o->config->on_failure : NULL;
	const char *nowhere = !is_served(o, o->config->on_success) ? o->config->on_success : !is_served(o, o->config->on_failure) ? o->config->on_failure : NULL;

	if (!may) {
		unavailable(o);
	} else if (arn) {
		fn_service_reply_error(&o->call, &FN_E_INVALID_PARAMETER, "The function's execution role does not have permissions to call %s on %s", strchr(fn_delivery_action(arn), ':') + 1, arn);
		op_free(o);
	} else if (nowhere) {
		refuse(o, "The destination ARN %s is invalid. Here, \"events\": {\"endpoints\": ...} of the configuration names no server for it.", nowhere);
	} else {
		write_config(o);
	}
}

static void check_rights(struct op *o)
{
	char name[320];

	snprintf(name, sizeof(name), "%s%s%s", o->name.name, o->name.qualifier[0] ? ":" : "", o->name.qualifier);
	if (fn_delivery_may(o->e, name, (const char *const[]){o->config->on_success, o->config->on_failure}, on_rights, o) < 0)
		unavailable(o);
}

static void check_destinations(struct op *o);

static void on_destination(void *arg, struct fn_inner_answer *a)
{
	struct op *o = arg;

	if (!a->error && a->h->status == 200)
		check_destinations(o);
	else if (!a->error && a->h->status == 404)
		refuse(o, "The destination ARN %s is invalid.", o->checked == 1 ? o->config->on_success : o->config->on_failure);
	else
		unavailable(o);
}

/* The next one of the two; then it is written. */
static void check_destinations(struct op *o)
{
	while (o->checked < 2) {
		bool success = o->checked++ == 0;
		const char *arn = success ? o->config->on_success : o->config->on_failure, *function;
		size_t n = strlen(o->name.name);

		if (!arn)
			continue;
		if (!service_fits(arn, success)) {
			refuse(o, success ? "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=%s), onFailure=null) is invalid."
					  : "The provided destination config DestinationConfig(onSuccess=null, onFailure=OnFailure(destination=%s)) is invalid.", arn);
			return;
		}
		if (!fn_arn_of(arn, "lambda"))
			continue;
		function = function_in(o, arn);
		if (!function) {
			refuse(o, "The destination ARN %s is invalid.", arn);
			return;
		}
		if (strncmp(function, o->name.name, n) == 0 && (!function[n] || function[n] == ':')) {
			refuse(o, "You can't specify the function as a destination for itself.%.0s", arn);
			return;
		}
		if (fn_fnd_function(o->e->env->fnd, function, on_destination, o, NULL) < 0)
			unavailable(o);
		return;
	}
	check_rights(o);
}

/* false: no memory. What is not said stays; "" takes a destination away. */
static bool take_destination(json_t *config, const char *which, char **to)
{
	json_t *d = json_object_get(json_object_get(config, which), "Destination");

	if (!json_object_get(config, which))
		return true;
	free(*to);
	*to = fn_str_empty(json_string_value(d)) ? NULL : strdup(json_string_value(d));
	return !json_is_string(d) || !json_string_length(d) || *to;
}

static void take_number(json_t *v, int64_t *to)
{
	if (json_is_integer(v))
		*to = json_integer_value(v);
}

static void fill(struct op *o, const struct fn_event_config *from)
{
	struct fn_event_config *c = calloc(1, sizeof(*c));
	json_t *destinations = json_object_get(o->in, "DestinationConfig");

	if (!c || !(c->function = strdup(o->name.name)) || !(c->qualifier = strdup(o->qualifier)))
		abort();
	o->config = c;
	c->retries = from ? from->retries : -1;
	c->age_s = from ? from->age_s : -1;
	c->on_success = from ? fn_strdup_opt(from->on_success) : NULL;
	c->on_failure = from ? fn_strdup_opt(from->on_failure) : NULL;
	take_number(json_object_get(o->in, "MaximumRetryAttempts"), &c->retries);
	take_number(json_object_get(o->in, "MaximumEventAgeInSeconds"), &c->age_s);
	if (!take_destination(destinations, "OnSuccess", &c->on_success) || !take_destination(destinations, "OnFailure", &c->on_failure))
		abort();
}

static bool is_set(json_t *v) { return v && !json_is_null(v); }

static void put(struct op *o)
{
	if (!is_set(json_object_get(o->in, "MaximumRetryAttempts")) && !is_set(json_object_get(o->in, "MaximumEventAgeInSeconds")) &&
	    !is_set(json_object_get(o->in, "DestinationConfig"))) {
		refuse(o, "You must specify at least one of error handling or destination setting.%.0s", "");
		return;
	}
	fill(o, NULL);
	check_destinations(o);
}

static void update(struct op *o)
{
	const struct fn_event_config *have = fn_event_config_get(o->e, o->name.name, o->qualifier);

	if (!have) {
		no_config(o);
		return;
	}
	fill(o, have);
	check_destinations(o);
}

/* --- the others --- */
static void get(struct op *o)
{
	const struct fn_event_config *c = fn_event_config_get(o->e, o->name.name, o->qualifier);

	if (!c) {
		no_config(o);
		return;
	}
	fn_service_reply_json(&o->call, 200, config_json(o, c));
	op_free(o);
}

static void on_deleted(void *arg, const struct fn_err *err)
{
	struct op *o = arg;

	if (err)
		fn_service_reply_failed(&o->call, err);
	else
		fn_service_reply_empty(&o->call, 204);
	op_free(o);
}

static void delete(struct op *o)
{
	if (fn_event_config_get(o->e, o->name.name, o->qualifier))
		fn_event_configs_forget(o->e, o->name.name, o->qualifier, INT64_MAX, on_deleted, o);
	else
		no_config(o);
}

static void list(struct op *o)
{
	const char *marker = fn_http_req_query(o->call.req, "Marker"), *items = fn_http_req_query(o->call.req, "MaxItems");
	const struct fn_event_config *page[PAGE_MAX + 1];
	int64_t most = PAGE_MAX;
	json_t *out = json_array(), *answer;
	size_t n;

	(void)fn_str_to_i64(items, 1, PAGE_MAX, &most);
	n = fn_event_configs_list(o->e, o->name.name, fn_str_empty(marker) ? NULL : marker, page, (size_t)most + 1);
	for (size_t i = 0; i < n && i < (size_t)most; i++)
		json_array_append_new(out, config_json(o, page[i]));
	answer = json_pack("{so}", "FunctionEventInvokeConfigs", out);
	if (n > (size_t)most)
		json_object_set_new(answer, "NextMarker", json_string(page[most - 1]->qualifier));
	fn_service_reply_json(&o->call, 200, answer);
	op_free(o);
}

/* --- what fnd says --- */
static void on_forgotten(void *arg, const struct fn_err *err)
{
	struct op *o = arg;

	if (err)
		fn_service_reply_failed(&o->call, err);
	else
		fn_service_reply_empty(&o->call, 200);
	op_free(o);
}

void fn_event_config_forget(struct fn_events *e, struct fn_service_call *call)
{
	struct op *o = calloc(1, sizeof(*o));
	const char *body, *function, *qualifier;
	size_t len;

	if (!o)
		abort();
	o->e = e;
	o->call = *call;
	fn_http_req_body(call->req, &body, &len);
	o->in = json_loadb(body, len, 0, NULL);
	function = json_string_value(json_object_get(o->in, "FunctionName"));
	qualifier = json_string_value(json_object_get(o->in, "Qualifier"));
	if (function)
		fn_event_configs_forget(e, function, fn_str_empty(qualifier) ? NULL : qualifier, (uint64_t)json_integer_value(json_object_get(o->in, "At")), on_forgotten, o);
	else
		on_forgotten(o, &(struct fn_err){.code = EINVAL});
}

/* --- all of them --- */
static void on_function(void *arg, struct fn_inner_answer *a)
{
	struct op *o = arg;

	if (!a->error && a->h->status == 200)
		o->go_on(o);
	else if (!a->error && a->h->status == 404)
		no_function(o);
	else
		unavailable(o);
}

/* A function of this region and account, with one qualifier; else it is replied, as fnd itself does. */
static bool is_ours(const struct op *o, const char *qualifier)
{
	static const struct fn_aws_error *const refusals[] = {
		[FN_NAME_OTHER_REGION] = &FN_E_NOT_FOUND, [FN_NAME_OTHER_ACCOUNT] = &FN_E_ACCESS_DENIED, [FN_NAME_OTHER_QUALIFIER] = &FN_E_INVALID_PARAMETER};
	char why[160];
	enum fn_name_place place = fn_name_place(&o->name, fn_str_empty(qualifier) ? NULL : qualifier, o->e->env->region, o->e->env->account_id, why, sizeof(why));

	if (place != FN_NAME_HERE)
		fn_service_reply_error(&o->call, refusals[place], "%s", why);
	return place == FN_NAME_HERE;
}

/* Name and qualifier; the body. false after a reply. */
static bool read_request(struct op *o)
{
	const char *q = fn_http_req_query(o->call.req, "Qualifier"), *body;
	fn_auto_buf struct fn_buf name = {0};
	struct fn_aws_labels labels = {0};
	size_t len;

	if (!fn_aws_route(fn_http_req_method(o->call.req), fn_http_req_path(o->call.req), fn_http_req_raw_query(o->call.req), &labels) || labels.n < 1 ||
	    fn_aws_decode(&name, labels.at[0].text, labels.at[0].len, false) < 0 || fn_name_parse(name.data ? name.data : "", &o->name) < 0) {
		fn_service_reply_error(&o->call, &FN_E_VALIDATION, "This is no function's name");
		return false;
	}
	if (!is_ours(o, q))
		return false;
	if (!fn_str_empty(q))
		(void)fn_str_format(o->name.qualifier, sizeof(o->name.qualifier), "%s", q);
	snprintf(o->qualifier, sizeof(o->qualifier), "%s", o->name.qualifier[0] ? o->name.qualifier : "$LATEST");
	fn_http_req_body(o->call.req, &body, &len);
	o->in = len ? json_loadb(body, len, 0, NULL) : json_object();
	if (json_is_object(o->in))
		return true;
	fn_service_reply_error(&o->call, &FN_E_SERIALIZATION, "The body is no JSON object");
	return false;
}

bool fn_event_config_serve(struct fn_events *e, struct fn_service_call *call)
{
	static const struct {
		const char *name;
		void (*go_on)(struct op *o);
		bool asks; /* whether the function is there */
	} ops[] = {
		{"PutFunctionEventInvokeConfig", put, true}, {"UpdateFunctionEventInvokeConfig", update, true}, {"GetFunctionEventInvokeConfig", get, false},
		{"DeleteFunctionEventInvokeConfig", delete, false}, {"ListFunctionEventInvokeConfigs", list, true},
	};
	char name[320];
	struct op *o;
	size_t i = 0;

	while (i < sizeof(ops) / sizeof(ops[0]) && !fn_streq(ops[i].name, call->operation))
		i++;
	if (i == sizeof(ops) / sizeof(ops[0]))
		return false;
	o = calloc(1, sizeof(*o));
	if (!o)
		abort();
	o->e = e;
	o->call = *call;
	o->go_on = ops[i].go_on;
	if (!read_request(o)) {
		op_free(o);
	} else if (!ops[i].asks) {
		o->go_on(o);
	} else {
		bool qualified = ops[i].go_on != list && o->name.qualifier[0];

		snprintf(name, sizeof(name), "%s%s%s", o->name.name, qualified ? ":" : "", qualified ? o->qualifier : "");
		if (fn_fnd_function(e->env->fnd, name, on_function, o, NULL) < 0)
			unavailable(o);
	}
	return true;
}
