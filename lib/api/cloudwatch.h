/*
 * cloudwatch.h - CloudWatch Logs' operations (json 1.1, X-Amz-Target Logs_20140328.*): what their files share. An operation is done in the logs' thread
 * (logs/logs.h), where the store may be used and waited for; the answer is given on the loop.
 * Sources: botocore's logs/2014-03-28 service model; words as recorded from the service.
 */
#ifndef FN_API_CLOUDWATCH_H
#define FN_API_CLOUDWATCH_H

#include "api/internal.h"
#include "logs/logs.h"

struct fn_cw {
	struct fn_log_job job;
	struct fn_call call;      /* its `in` is the job's own */
	struct fn_log_store *store; /* in the thread */
	int64_t now_ms;
	struct fn_buf body;       /* of the answer; empty: there is none */
	const struct fn_aws_error *error; /* instead of it */
	char message[1400];
	void (*answer)(struct fn_cw *w); /* on the loop, instead of answering with the body; NULL = nothing */
	void (*told)(struct fn_cw *w); /* on the loop, when it has been answered well; NULL = nothing */
	size_t first, end;        /* PutLogEvents: those of logEvents that were stored */
};

/* In the thread. What is there to be said of a failure: once, as the last. */
void fn_cw_fail(struct fn_cw *w, const struct fn_aws_error *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void fn_cw_errno(struct fn_cw *w, int r); /* as the store has it; what is negative has failed: ServiceUnavailableException */
void fn_cw_no_stream(struct fn_cw *w);  /* failed: it does not exist */
const char *fn_cw_string(const struct fn_cw *w, const char *member); /* NULL = it was not sent */
int64_t fn_cw_number(const struct fn_cw *w, const char *member, int64_t otherwise);
/* The group that the request is about, by logGroupName or logGroupIdentifier; NULL: failed. */
struct fn_log_group *fn_cw_group(struct fn_cw *w);
struct fn_log_group *fn_cw_unprotected_group(struct fn_cw *w); /* and things may be deleted */
struct fn_log_group *fn_cw_named_group(struct fn_cw *w, const char *identifier); /* by its name or ARN */
/* A group's name out of its name or ARN; false: it is neither, or of another account or region. */
bool fn_cw_group_name(const struct fn_api_config *cfg, const char *identifier, char *name, size_t size);
void fn_cw_add_group_arn(struct fn_cw *w, const char *group, const char *behind); /* in quotes */

/* groups */
void fn_cw_create_group(struct fn_cw *w);
void fn_cw_delete_group(struct fn_cw *w);
void fn_cw_describe_groups(struct fn_cw *w);
void fn_cw_list_groups(struct fn_cw *w);
void fn_cw_put_retention(struct fn_cw *w);
void fn_cw_delete_retention(struct fn_cw *w);
void fn_cw_put_protection(struct fn_cw *w);
/* tags */
void fn_cw_tag(struct fn_cw *w);
void fn_cw_untag(struct fn_cw *w);
void fn_cw_list_tags(struct fn_cw *w);
bool fn_cw_tags_fit(struct fn_cw *w, const json_t *tags);
/* streams */
void fn_cw_create_stream(struct fn_cw *w);
void fn_cw_delete_stream(struct fn_cw *w);
void fn_cw_describe_streams(struct fn_cw *w);
/* events */
void fn_cw_put_events(struct fn_cw *w);
void fn_cw_get_events(struct fn_cw *w);
void fn_cw_filter_events(struct fn_cw *w);
void fn_cw_live_tail(struct fn_cw *w);

#endif
