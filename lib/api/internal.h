/* internal.h - shared by the files of lib/api only. */
#ifndef FN_API_INTERNAL_H
#define FN_API_INTERNAL_H

#include <jansson.h>

#include "api/api.h"
#include "api/refusals.h"
#include "aws/route.h"
#include "aws/validate.h"
#include "base/list.h"
#include "model/arn.h"
#include "store/aliases.h"

struct fn_platform;
struct fn_caller;

struct fn_api {
	struct fn_api_config cfg;
	struct fn_httpd *public;
	uint8_t url_key[32]; /* signs download addresses */
	uint64_t instance;   /* of what the gateway keeps: another worker has another */
	struct fn_list uploads, garbage; /* uploads.c */
	struct fn_list log_waits;        /* logs.c */
	struct fn_log_tap log_tap;
	struct fn_list live_tails;       /* live_tail.c */
	struct fn_list settling, held;   /* settling.c */
	struct fn_list fetches;          /* fetches.c: under way */
	struct fn_outbox *outbox;        /* outbox.c */
	struct fn_list proxied;          /* proxy.c: with fn-events */
	struct fn_list mappings_asked;   /* mapping.c: the same */
	struct fn_list resolving;        /* containers.c: the same */
	struct fn_list awaiting;         /* runtimes.c: for a runtime */
	unsigned n_fetches, n_resolving;
	struct fn_list changes;          /* rights.c: who waits for one */
	uint64_t garbage_timer, logs_timer, settling_timer, changes_timer;
	struct fn_map *sessions, *refused; /* caller.c, authorize.c; NULL = none yet */
	struct fn_handover *handover;    /* handover.c: to fn-events; NULL = it has not been reached yet */
	uint64_t handover_at_us;
	bool draining;                   /* nobody begins to wait any more */
};

/* A request on its way through a handler. */
struct fn_call {
	struct fn_api *api;
	struct fn_http_req *req;
	const struct fn_aws_operation *operation;
	struct fn_aws_labels labels;
	enum fn_aws_protocol protocol; /* which its errors speak, too */
	enum fn_aws_service service;   /* FN_AWS_SERVICES = it is not told */
	char request_id[FN_UUID_SIZE];
	const struct fn_caller *caller; /* until the handler has returned; NULL = root (caller.h) */
	char action[64];         /* query: as it was asked for */
	char params[FN_AWS_LABELS_MAX][600]; /* path parameters, decoded */
	const struct fn_platform *sandbox; /* the function whose sandbox it came from, if it is of its role: sandbox.h; else NULL */
	const char *mapping_function; /* until the handler has returned: of the event source mapping that it is about, "" = there is none; NULL = not asked for (mapping.h) */
	enum { FN_EVENT_UNSEEN, FN_EVENT_JSON, FN_EVENT_NO_JSON } event; /* of an invocation, whose event has been looked at before (members.h) */
	/* The body, if the operation's is a JSON object: never NULL then, and as the service model wants it (aws/validate.h). */
	json_t *in;
};

/* call lives until the handler returns: who keeps it keeps fn_call_keep()'s. */
typedef void (*fn_handler)(struct fn_call *call);

/* Does all hold that the model says of the request? Done before each handler but Invoke's. Replies and returns false when not. */
bool fn_call_valid(struct fn_call *call);
/* The same in any thread: NULL, or the error, and why (empty: out of memory). */
const struct fn_aws_error *fn_call_fault(const struct fn_aws_operation *o, const struct fn_aws_request *r, struct fn_buf *why);

/* reply.c */
void fn_reply_json(struct fn_call *call, unsigned status, json_t *body); /* takes body */
void fn_reply_text(struct fn_call *call, unsigned status, const char *content_type, char *text, size_t len); /* takes text; NULL: out of memory, an empty one */
void fn_reply_empty(struct fn_call *call, unsigned status);
char *fn_sha256_base64(const char *sha256_hex); /* as CodeSha256 is shown; malloc'ed; NULL: no memory, or there is none */
json_t *fn_function_json(struct fn_api *api, const struct fn_function *f, const char *arn_qualifier, bool listed);

/* --- call.c --- */
/* A copy that may be kept: it has been judged, and has no caller any more. with_in: a reference to `in`, for whoever keeps it to drop; else it has none. */
struct fn_call fn_call_keep(const struct fn_call *call, bool with_in);
/* What tells of its operation. */
struct fn_aws_head fn_call_head(const struct fn_http_req *req);
/* Parses params[0] (+ Qualifier) into a name; replies and returns false when it cannot be. */
bool fn_call_name(struct fn_call *call, struct fn_name *ret);
/* And the function behind it, of the version or alias that is named: a borrowed snapshot, NULL after having replied. */
struct fn_function *fn_call_function(struct fn_call *call, struct fn_name *ret_name);
/* For operations on functions alone: a version or an alias in the name is refused. */
bool fn_call_function_name(struct fn_call *call, struct fn_name *ret);
void fn_call_unqualified_only(struct fn_call *call); /* replies so */
struct fn_function *fn_call_latest(struct fn_call *call, struct fn_name *ret); /* and its $LATEST; NULL after having replied */
/* RevisionId of the request, if any, must be this one. Replies and returns false when it is not. */
bool fn_call_revision(struct fn_call *call, const char *revision_id);
/* What Lambda has and fnd does not yet: refused when it asks for something, accepted when it asks for nothing. */
bool fn_refuse_unbuilt(struct fn_call *call, json_t *in);
/* change.c. May $LATEST change or be published now: no update under way, the right RevisionId? Replies and returns false when not. */
bool fn_may_update(struct fn_call *call, const struct fn_function *latest);
/* MaxItems, at most FN_PAGE_MAX of which are in an answer. */
#define FN_PAGE_MAX 50
size_t fn_call_page_size(struct fn_call *call);

/* handlers */
void fn_h_create_function(struct fn_call *call);
void fn_h_get_function(struct fn_call *call);
void fn_h_get_configuration(struct fn_call *call);
void fn_h_list_functions(struct fn_call *call);
void fn_h_list_versions(struct fn_call *call);
void fn_h_publish_version(struct fn_call *call);
void fn_h_create_alias(struct fn_call *call);
void fn_h_get_alias(struct fn_call *call);
void fn_h_update_alias(struct fn_call *call);
void fn_h_delete_alias(struct fn_call *call);
void fn_h_list_aliases(struct fn_call *call);
void fn_h_update_code(struct fn_call *call);
void fn_h_update_configuration(struct fn_call *call);
void fn_h_delete_function(struct fn_call *call);
void fn_h_invoke(struct fn_call *call);
void fn_h_invoke_async(struct fn_call *call);
void fn_h_account_settings(struct fn_call *call);
void fn_h_code_signing(struct fn_call *call);
void fn_h_get_concurrency(struct fn_call *call);
void fn_h_put_concurrency(struct fn_call *call);
void fn_h_delete_concurrency(struct fn_call *call);
/* Can it have provisioned concurrency, as it is? Replies and returns false when not. */
bool fn_call_alias_may_be_provisioned(struct fn_call *call, const char *function, const struct fn_alias *a);
void fn_h_put_provisioned(struct fn_call *call);
void fn_h_get_provisioned(struct fn_call *call);
void fn_h_list_provisioned(struct fn_call *call);
void fn_h_delete_provisioned(struct fn_call *call);
void fn_h_metrics(struct fn_call *call);
void fn_h_add_permission(struct fn_call *call);
void fn_h_remove_permission(struct fn_call *call);
void fn_h_get_policy(struct fn_call *call);
void fn_h_create_url(struct fn_call *call);
void fn_h_get_url(struct fn_call *call);
void fn_h_update_url(struct fn_call *call);
void fn_h_delete_url(struct fn_call *call);
void fn_h_list_urls(struct fn_call *call);
void fn_h_list_tags(struct fn_call *call);
void fn_h_tag(struct fn_call *call);
void fn_h_untag(struct fn_call *call);
void fn_h_publish_layer(struct fn_call *call);
void fn_h_import_layer(struct fn_call *call);
void fn_h_delete_layer(struct fn_call *call);
void fn_h_get_layer(struct fn_call *call);
void fn_h_get_layer_by_arn(struct fn_call *call);
void fn_h_list_layers(struct fn_call *call);
void fn_h_list_layer_versions(struct fn_call *call);
void fn_h_layers(struct fn_call *call);
void fn_h_add_layer_permission(struct fn_call *call);
void fn_h_get_layer_policy(struct fn_call *call);
void fn_h_remove_layer_permission(struct fn_call *call);
void fn_h_download(struct fn_call *call);
void fn_h_disk(struct fn_call *call);
void fn_h_doctor(struct fn_call *call);
void fn_h_images(struct fn_call *call);
/* Is the runtime that the request names there, or none, or not about to be? If it is being installed the request waits, and `again` handles it then; the caller
 * returns. */
bool fn_runtime_awaited(struct fn_call *call, fn_handler again);
void fn_runtimes_awaited_close(struct fn_api *api);
void fn_h_images_rescan(struct fn_call *call);
void fn_h_image_layer(struct fn_call *call);
void fn_h_image_import(struct fn_call *call);
void fn_h_images_local(struct fn_call *call);
void fn_h_runtime_image(struct fn_call *call);
void fn_h_runtime_image_remove(struct fn_call *call);
void fn_h_image_forget(struct fn_call *call);
void fn_h_runtimes(struct fn_call *call);
/* The newest version of its runtime becomes the one that it stays with, or, without `stay`, none does. */
void fn_runtime_stay(struct fn_api *api, struct fn_function *f, bool stay);
void fn_h_get_runtime_management(struct fn_call *call);
void fn_h_put_runtime_management(struct fn_call *call);
void fn_h_add_runtime(struct fn_call *call);
void fn_h_remove_runtime(struct fn_call *call);
void fn_h_logs(struct fn_call *call);
void fn_live_tails_end(struct fn_api *api);
bool fn_cloudwatch_built(const struct fn_aws_operation *o); /* is it one of CloudWatch Logs, and built? Then it is the next one's: */
void fn_h_cloudwatch(struct fn_call *call);

/* logs.c */
int fn_log_waits_open(struct fn_api *api);
void fn_log_waits_end(struct fn_api *api); /* answers everyone who waits, or would from now on */

/* An address that serves the package to whoever holds it; malloc'ed, NULL on no memory. */
char *fn_download_url(struct fn_call *call, const char *sha256_hex);

/* outbox.c */
int fn_outbox_open(struct fn_api *api);
void fn_outbox_close(struct fn_api *api);

/* proxy.c: an operation that fn-events serves: the request goes there, its answer comes from there. */
void fn_h_proxy(struct fn_call *call);
void fn_proxied_end(struct fn_api *api); /* at the end: nobody waits for it any more */
/* handover.c: ops->elsewhere: a connection whose requests fn-events may answer by itself goes there. */
bool fn_api_elsewhere(void *arg, struct fn_http_req *req);
void fn_handover_drain(struct fn_api *api); /* once it gives no more */
void fn_handover_end(struct fn_api *api);
/* The same of an Event, which goes to this ARN. */
void fn_proxy_event(struct fn_call *call, const char *arn);

/* sigv4.c: NULL = fine, else the error to answer with, and why. */
/* As far as the head says: the key is known, the date fresh, the scope ours. */
const struct fn_aws_error *fn_sigv4_before(struct fn_api *api, const struct fn_http_req *req, struct fn_buf *why);
/* All of it, when the body is there. */
typedef void (*fn_body_sha256_fn)(const struct fn_http_req *req, char ret[65]);
struct fn_key;
const struct fn_aws_error *fn_sigv4_verify(struct fn_api *api, struct fn_http_req *req, fn_body_sha256_fn body_sha256, struct fn_key *ret, struct fn_buf *why);
/* The same with the secret of the key that it names, which the caller knows. */
const struct fn_aws_error *fn_sigv4_verify_by(struct fn_api *api, struct fn_http_req *req, fn_body_sha256_fn body_sha256, const char *secret, struct fn_buf *why);

#endif
