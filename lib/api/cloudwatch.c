/* cloudwatch.c - see cloudwatch.h: an operation's way through the logs' thread. */
#include "api/cloudwatch.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define FEW 256 /* events that are freed at once */

static void (*const operations[FN_AWS_LOGS_END - FN_AWS_LOGS_FIRST])(struct fn_cw *) = {
#define OF(NAME) [FN_AWS_Logs_##NAME - FN_AWS_LOGS_FIRST]
	OF(CreateLogGroup) = fn_cw_create_group,
	OF(DeleteLogGroup) = fn_cw_delete_group,
	OF(DescribeLogGroups) = fn_cw_describe_groups,
	OF(ListLogGroups) = fn_cw_list_groups,
	OF(PutRetentionPolicy) = fn_cw_put_retention,
	OF(DeleteRetentionPolicy) = fn_cw_delete_retention,
	OF(PutLogGroupDeletionProtection) = fn_cw_put_protection,
	OF(TagResource) = fn_cw_tag,
	OF(TagLogGroup) = fn_cw_tag,
	OF(UntagResource) = fn_cw_untag,
	OF(UntagLogGroup) = fn_cw_untag,
	OF(ListTagsForResource) = fn_cw_list_tags,
	OF(ListTagsLogGroup) = fn_cw_list_tags,
	OF(CreateLogStream) = fn_cw_create_stream,
	OF(DeleteLogStream) = fn_cw_delete_stream,
	OF(DescribeLogStreams) = fn_cw_describe_streams,
	OF(PutLogEvents) = fn_cw_put_events,
	OF(GetLogEvents) = fn_cw_get_events,
	OF(FilterLogEvents) = fn_cw_filter_events,
	OF(StartLiveTail) = fn_cw_live_tail,
#undef OF
};

bool fn_cloudwatch_built(const struct fn_aws_operation *o)
{
	return o->service == FN_AWS_LOGS && operations[fn_aws_op_of(o) - FN_AWS_LOGS_FIRST];
}

static void run(struct fn_log_job *j, struct fn_log_store *s)
{
	struct fn_cw *w = fn_list_entry(j, struct fn_cw, job);

	w->store = s;
	w->now_ms = (int64_t)(fn_clock_real_us() / 1000);
	operations[fn_aws_op_of(w->call.operation) - FN_AWS_LOGS_FIRST](w);
}

/* A batch's ten thousand events take some milliseconds to free. */
static void discard(struct fn_log_job *j, struct fn_log_store *s)
{
	(void)s;
	json_decref(fn_list_entry(j, struct fn_cw, job)->call.in);
}

static void discarded(struct fn_log_job *j) { free(fn_list_entry(j, struct fn_cw, job)); }

static void done(struct fn_log_job *j)
{
	struct fn_cw *w = fn_list_entry(j, struct fn_cw, job);
	size_t len = 0;

	if (w->error) {
		fn_reply_error(&w->call, w->error, "%s", w->message);
	} else if (w->answer) {
		w->answer(w);
	} else {
		char *body = fn_buf_take(&w->body, &len);

		fn_reply_text(&w->call, 200, "application/x-amz-json-1.1", body, len);
		if (w->told)
			w->told(w);
	}
	fn_buf_free(&w->body);
	if (json_array_size(json_object_get(w->call.in, "logEvents")) > FEW) {
		w->job = (struct fn_log_job){.run = discard, .done = discarded};
		fn_logs_post(w->call.api->cfg.logs, &w->job);
		return;
	}
	json_decref(w->call.in);
	free(w);
}

void fn_h_cloudwatch(struct fn_call *call)
{
	struct fn_cw *w = calloc(1, sizeof(*w));

	if (!w) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	w->job.run = run;
	w->job.done = done;
	w->call = fn_call_keep(call, false);
	w->call.in = fn_take_ptr(call->in); /* which is the thread's alone */
	fn_logs_post(call->api->cfg.logs, &w->job);
}
