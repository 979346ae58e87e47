/* internal.h - shared by the files of lib/api only. */
#ifndef FN_API_INTERNAL_H
#define FN_API_INTERNAL_H

#include <jansson.h>

#include "api/api.h"
#include "api/aws_error.h"
#include "base/list.h"
#include "model/arn.h"

struct fn_api {
	struct fn_api_config cfg;
	uint8_t url_key[32]; /* signs download addresses */
	struct fn_list uploads, garbage; /* uploads.c */
	struct fn_list log_waits;        /* logs.c */
	uint64_t garbage_timer, logs_timer;
};

/* A request on its way through a handler. */
struct fn_call {
	struct fn_api *api;
	struct fn_http_req *req;
	char request_id[FN_UUID_SIZE];
	char params[3][600]; /* path parameters, decoded */
};

typedef void (*fn_handler)(struct fn_call *call); /* call lives until the handler returns; copy it to keep it */

void fn_reply_json(struct fn_call *call, unsigned status, json_t *body); /* takes body */
void fn_reply_empty(struct fn_call *call, unsigned status);
json_t *fn_function_json(struct fn_api *api, const struct fn_function *f, const char *arn_qualifier, bool listed);

/* Parses params[0] (+ Qualifier) into a name; replies and returns false when it cannot be. */
bool fn_call_name(struct fn_call *call, struct fn_name *ret);
/* And the function behind it: a borrowed snapshot, NULL after having replied. */
struct fn_function *fn_call_function(struct fn_call *call, struct fn_name *ret_name);

/* handlers */
void fn_h_create_function(struct fn_call *call);
void fn_h_get_function(struct fn_call *call);
void fn_h_get_configuration(struct fn_call *call);
void fn_h_list_functions(struct fn_call *call);
void fn_h_list_versions(struct fn_call *call);
void fn_h_update_code(struct fn_call *call);
void fn_h_update_configuration(struct fn_call *call);
void fn_h_delete_function(struct fn_call *call);
void fn_h_invoke(struct fn_call *call);
void fn_h_account_settings(struct fn_call *call);
void fn_h_code_signing(struct fn_call *call);
void fn_h_concurrency(struct fn_call *call);
void fn_h_policy(struct fn_call *call);
void fn_h_list_tags(struct fn_call *call);
void fn_h_tag(struct fn_call *call);
void fn_h_untag(struct fn_call *call);
void fn_h_download(struct fn_call *call);
void fn_h_doctor(struct fn_call *call);
void fn_h_images(struct fn_call *call);
void fn_h_images_rescan(struct fn_call *call);
void fn_h_logs(struct fn_call *call);

/* logs.c */
int fn_log_waits_open(struct fn_api *api);
void fn_log_waits_end(struct fn_api *api); /* answers everyone who waits */

char *fn_download_path(struct fn_api *api, const char *sha256_hex); /* "/_fnd/code/<sha>?expires=..&token=.." */

/* sigv4.c: NULL = fine, else the error to answer with. */
const struct fn_aws_error *fn_sigv4_verify(const struct fn_api_config *cfg, struct fn_http_req *req);

#endif
