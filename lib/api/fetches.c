/* fetches.c - see fetches.h. */
#include "api/fetches.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "api/receive.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "image/fetch.h"
#include "model/limits.h"

#define AT_ONCE 64 /* of which fn-spawnd has a few at work */

struct fetch {
	struct fn_list link; /* of the api's */
	struct fn_call call;
	fn_handler again;
	struct fn_fetch_order order;
};

static const char *text_of(json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

/* --- how it went --- */
static void end(struct fetch *f)
{
	f->call.api->n_fetches--;
	fn_list_remove(&f->link);
	json_decref(f->call.in);
	free(f);
}

/* What S3 said, as Lambda passes it on. */
static void reply_said(struct fetch *f, const struct fn_fetch_result *r)
{
	const struct fn_aws_error *e = r->status >= 500 ? &FN_E_SERVICE : &FN_E_INVALID_PARAMETER;
	const struct fn_s3_error *said = &r->said;
	char text[512];

	if (!*said->code)
		fn_reply_error(&f->call, e, "Error occurred while GetObject. %s", fn_err_format(&r->err, text, sizeof(text)));
	else if (fn_streq(said->code, "AccessDenied"))
		fn_reply_error(&f->call, &FN_E_ACCESS_DENIED,
			       "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for %s/%s. S3 Error Code: %s. S3 Error "
			       "Message: %s",
			       f->order.object.bucket, f->order.object.key, said->code, said->message);
	else if (fn_streq(said->code, "PermanentRedirect") && *said->region)
		fn_reply_error(&f->call, e,
			       "Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: The bucket is in this region: %s. Please use this region to retry the "
			       "request",
			       said->code, said->region);
	else
		fn_reply_error(&f->call, e, "Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s", said->code, said->message);
}

static void reply_error(struct fetch *f, const struct fn_err *err)
{
	char text[512];

	fn_err_format(err, text, sizeof(text));
	fn_log_warn("s3://%s/%s: %s", f->order.object.bucket, f->order.object.key, text);
	fn_reply_error(&f->call, &FN_E_SERVICE, "Error occurred while GetObject. %s", text);
}

static void on_looked(void *arg)
{
	struct fetch *f = arg;
	struct fn_name n;

	/* others may have begun to change the function meanwhile */
	if (fn_name_parse(f->call.params[0], &n) < 0 || fn_change_turn(&f->call, n.name, f->again))
		f->again(&f->call);
	end(f);
}

static void on_fetched(void *arg, const struct fn_err *err, const struct fn_fetch_result *r)
{
	struct fetch *f = arg;

	if (!err && r->err.code == 0) {
		fn_package_look(fn_receive_package(f->call.req), on_looked, f);
		return;
	}
	if (err)
		reply_error(f, err);
	else if (r->err.code == EFBIG) /* so large an archive has as much in it */
		fn_reply_error(&f->call, &FN_E_INVALID_PARAMETER, "Unzipped size must be smaller than %d bytes", FN_LIMIT_UNZIPPED_BYTES);
	else if (r->err.code == EREMOTEIO)
		reply_said(f, r);
	else
		reply_error(f, &r->err);
	end(f);
}

static void on_opened(void *arg, int fd)
{
	struct fetch *f = arg;
	struct fn_err err;
	int r = fd < 0 ? fd : fn_spawn_fetch(f->call.api->cfg.spawn, &f->order, fd, on_fetched, f);

	if (r == 0)
		return;
	fn_err_set(&err, r, "fetch", fd < 0 ? "store code package" : "ask fn-spawnd");
	reply_error(f, &err);
	end(f);
}

void fn_fetches_close(struct fn_api *api)
{
	fn_list_for_each_safe(l, &api->fetches) end(fn_list_entry(l, struct fetch, link));
}

/* --- what is asked --- */
static bool refuse(struct fn_call *call, json_t *content)
{
	const char *key = text_of(content, "S3Key"), *bucket = text_of(content, "S3Bucket");

	if (json_object_get(content, "ZipFile") || !*key || !*bucket)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, json_object_get(content, "ZipFile") ? "Please provide either ZipFile or S3Bucket and S3Key, not both."
									      : "Please provide both S3Bucket and S3Key.");
	else if (fn_str_empty(call->api->cfg.s3_endpoint))
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "fnd has no S3 server to get s3://%s/%s from: name one as \"s3\": {\"endpoint\": \"https://...\"} in its configuration, or send the package as "
			       "ZipFile",
			       bucket, key);
	else if (call->api->n_fetches >= AT_ONCE)
		fn_reply_error(call, &FN_E_BODIES, "Rate exceeded");
	else
		return false;
	return true;
}

bool fn_fetched(struct fn_call *call, json_t *content, fn_handler again)
{
	struct fn_package *p = fn_receive_package(call->req);
	struct fn_s3_object *o;
	struct fetch *f;

	if ((!json_object_get(content, "S3Bucket") && !json_object_get(content, "S3Key")) || (p && fn_package_result(p)->fetched))
		return true;
	if (refuse(call, content))
		return false;
	f = p ? calloc(1, sizeof(*f)) : NULL;
	if (!f) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return false;
	}
	f->call = fn_call_keep(call, true);
	f->again = again;
	f->order.max_bytes = FN_LIMIT_UNZIPPED_BYTES;
	o = &f->order.object;
	if (fn_str_format(o->bucket, sizeof(o->bucket), "%s", text_of(content, "S3Bucket")) < 0 ||
	    fn_str_format(o->key, sizeof(o->key), "%s", text_of(content, "S3Key")) < 0 ||
	    fn_str_format(o->version, sizeof(o->version), "%s", text_of(content, "S3ObjectVersion")) < 0) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "S3Bucket, S3Key or S3ObjectVersion is too long"); /* the model bounds them: not reached */
		json_decref(f->call.in);
		free(f);
		return false;
	}
	call->api->n_fetches++;
	fn_list_push_back(&call->api->fetches, &f->link);
	fn_package_open(p, on_opened, f);
	return false;
}
