/* sqs.c - see sqs.h: the whole, and the way of a request: which operation, which queue, whether he may. */
#include "sqs/sqs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/validate.h"
#include "base/clock.h"
#include "sqs/internal.h"
#include "sqs/message.h"
#include "sqs/moves.h"

#define RETENTION_EVERY_US (30u * 1000000u)
#define TRACE_MAX 1024

/* ARN: the resource is what the member names, not a queue of QueueUrl. */
static const struct operation {
	fn_sqs_handler handler;
	bool queue;
	const char *arn;
	const char *action; /* what is to be allowed; NULL = its own name */
} operations[FN_AWS_SQS_END - FN_AWS_SQS_FIRST] = {
#define OP(name) [FN_AWS_Sqs_##name - FN_AWS_SQS_FIRST]
	OP(CreateQueue) = {fn_sqs_h_create, false, NULL, NULL},
	OP(GetQueueUrl) = {fn_sqs_h_url, false, NULL, NULL},
	OP(ListQueues) = {fn_sqs_h_list, false, NULL, NULL},
	OP(DeleteQueue) = {fn_sqs_h_delete_queue, true, NULL, NULL},
	OP(GetQueueAttributes) = {fn_sqs_h_get_attributes, true, NULL, NULL},
	OP(SetQueueAttributes) = {fn_sqs_h_set_attributes, true, NULL, NULL},
	OP(PurgeQueue) = {fn_sqs_h_purge, true, NULL, NULL},
	OP(ListDeadLetterSourceQueues) = {fn_sqs_h_sources, true, NULL, NULL},
	OP(TagQueue) = {fn_sqs_h_tag, true, NULL, NULL},
	OP(UntagQueue) = {fn_sqs_h_untag, true, NULL, NULL},
	OP(ListQueueTags) = {fn_sqs_h_tags, true, NULL, NULL},
	OP(AddPermission) = {fn_sqs_h_add_permission, true, NULL, NULL},
	OP(RemovePermission) = {fn_sqs_h_remove_permission, true, NULL, NULL},
	OP(SendMessage) = {fn_sqs_h_send, true, NULL, NULL},
	OP(SendMessageBatch) = {fn_sqs_h_send_batch, true, NULL, "SendMessage"},
	OP(ReceiveMessage) = {fn_sqs_h_receive, true, NULL, NULL},
	OP(DeleteMessage) = {fn_sqs_h_delete, true, NULL, NULL},
	OP(DeleteMessageBatch) = {fn_sqs_h_delete_batch, true, NULL, "DeleteMessage"},
	OP(ChangeMessageVisibility) = {fn_sqs_h_visibility, true, NULL, NULL},
	OP(ChangeMessageVisibilityBatch) = {fn_sqs_h_visibility_batch, true, NULL, "ChangeMessageVisibility"},
	OP(StartMessageMoveTask) = {fn_sqs_h_move_start, false, "SourceArn", NULL},
	OP(CancelMessageMoveTask) = {fn_sqs_h_move_cancel, false, NULL, NULL},
	OP(ListMessageMoveTasks) = {fn_sqs_h_move_list, false, "SourceArn", NULL},
#undef OP
};

/* --- retention: what is too old goes, some of each queue at a time --- */
struct trim {
	struct fn_queue_trim t;
	struct fn_sqs *sqs;
	char name[81];
};

static void trim_next(struct trim *x, struct fn_sqs_queue *q);

static void on_trimmed(struct fn_queue_trim *t, const struct fn_err *err)
{
	struct trim *x = fn_list_entry(t, struct trim, t);
	struct fn_sqs_queue *q = fn_sqs_queue_named(x->sqs, x->name);

	if (q && q->queue == t->queue) {
		q->trimming = false;
		if (!err && t->more && !x->sqs->draining) {
			trim_next(x, q);
			return;
		}
	}
	free(x);
}

static void trim_next(struct trim *x, struct fn_sqs_queue *q)
{
	uint64_t now_us = fn_clock_real_us(), kept_us = (uint64_t)q->settings.retention_s * 1000000u;

	q->trimming = true;
	x->t.queue = q->queue;
	x->t.oldest_us = now_us > kept_us ? now_us - kept_us : 0;
	x->t.done = on_trimmed;
	fn_queue_trim(&x->t);
}

static void on_retention(void *arg)
{
	struct fn_sqs *sqs = arg;
	struct fn_sqs_queue *q;
	size_t it = 0;

	while ((q = fn_map_next(sqs->by_name, &it))) {
		struct fn_queue_counts c;
		struct trim *x;

		fn_queue_count(q->queue, &c);
		if (!q->made || q->trimming || c.ready + c.delayed == 0 || !(x = calloc(1, sizeof(*x))))
			continue;
		x->sqs = sqs;
		snprintf(x->name, sizeof(x->name), "%s", q->name);
		trim_next(x, q);
	}
	(void)fn_loop_rearm_timer(sqs->loop, sqs->retention_timer, fn_clock_mono_us() + RETENTION_EVERY_US);
}

/* --- the life of the whole --- */
/* Messages' queues without ours: the process ended between the two when it was made. */
static void drop_orphans(struct fn_sqs *sqs)
{
	struct fn_queue *q;
	size_t it = 0;

	while ((q = fn_queue_next(sqs->queues, &it)))
		if (fn_str_starts(fn_queue_name(q), FN_SQS_PREFIX) && !fn_map_get(sqs->by_name, fn_queue_name(q) + strlen(FN_SQS_PREFIX)))
			fn_queue_drop(q, NULL, NULL, NULL);
}

int fn_sqs_new(const struct fn_sqs_config *config, struct fn_sqs **ret, struct fn_err *err)
{
	struct fn_sqs *sqs = calloc(1, sizeof(*sqs));
	sqlite3 *db = NULL;
	int r;

	if (!sqs)
		return fn_err_set(err, ENOMEM, "SQS", NULL);
	sqs->loop = config->loop;
	sqs->jobs = config->jobs;
	sqs->writer = config->writer;
	sqs->queues = config->queues;
	sqs->purge_wait_s = config->purge_wait_s;
	sqs->delete_wait_s = config->delete_wait_s;
	fn_list_init(&sqs->moves);
	fn_list_init(&sqs->polls);
	sqs->region = strdup(config->region);
	sqs->account_id = strdup(config->account_id);
	r = sqs->region && sqs->account_id && fn_map_new(&sqs->by_name) == 0 && fn_map_new(&sqs->deleted) == 0
		    ? 0
		    : fn_err_set(err, ENOMEM, "SQS", NULL);
	if (r == 0)
		r = fn_db_open_again(config->db_path, "SQS", &db, err);
	if (r == 0)
		r = fn_sqs_load(sqs, db, err);
	if (r == 0)
		r = fn_sqs_moves_load(sqs, db, err);
	sqlite3_close(db);
	if (r == 0 && fn_loop_add_timer(sqs->loop, fn_clock_mono_us() + RETENTION_EVERY_US, on_retention, sqs, &sqs->retention_timer) < 0)
		r = fn_err_set(err, ENOMEM, "SQS", NULL);
	if (r < 0) {
		fn_sqs_free(sqs);
		return r;
	}
	drop_orphans(sqs);
	*ret = sqs;
	return 0;
}

void fn_sqs_drain(struct fn_sqs *sqs)
{
	sqs->draining = true;
	fn_list_for_each_safe(l, &sqs->polls)
	{
		struct fn_sqs_call *call = fn_list_entry(l, struct fn_sqs_call, link);

		if (call->cancel && call->cancel(call))
			fn_sqs_reply(call, NULL);
	}
}

bool fn_sqs_busy(const struct fn_sqs *sqs) { return sqs->busy > 0; }

void fn_sqs_free(struct fn_sqs *sqs)
{
	struct fn_sqs_queue *q;
	uint64_t *when;
	size_t it = 0;

	if (!sqs)
		return;
	fn_loop_clear(sqs->loop, &sqs->retention_timer);
	fn_sqs_moves_free(sqs);
	while (sqs->by_name && (q = fn_map_next(sqs->by_name, &it)))
		fn_sqs_queue_free(q);
	it = 0;
	while (sqs->deleted && (when = fn_map_next(sqs->deleted, &it)))
		free(when);
	fn_map_free(sqs->by_name);
	fn_map_free(sqs->deleted);
	free(sqs->region);
	free(sqs->account_id);
	free(sqs);
}

/* --- requests --- */
/* The queue of a URL: its last two parts are account and name, whatever is before them. */
static int find_queue(struct fn_sqs_call *call, struct fn_sqs_problem *p)
{
	const char *url = fn_sqs_text(call->in, "QueueUrl"), *name = url ? strrchr(url, '/') : NULL;
	size_t account = strlen(call->sqs->account_id);

	if (fn_str_empty(url))
		return fn_sqs_wrong(p, &FN_SQS_MISSING, "The request must contain the parameter QueueUrl.");
	if (!name || (size_t)(name - url) < account + 1 || name[-(ptrdiff_t)account - 1] != '/')
		return fn_sqs_wrong(p, &FN_SQS_BAD_ADDRESS, "The address %.300s is not valid for this endpoint.", url);
	if (strncmp(name - account, call->sqs->account_id, account) != 0 || !(call->queue = fn_sqs_queue_named(call->sqs, name + 1)))
		return fn_sqs_wrong(p, &FN_SQS_NO_QUEUE, "The specified queue does not exist.");
	return 0;
}

/* The queue that it is about; its ARN, of one that is not there too. */
static const struct fn_sqs_queue *asked_about(const struct fn_sqs_call *call, const struct operation *o, char *arn, size_t size)
{
	const char *name = fn_sqs_text(call->in, "QueueName"), *given = o->arn ? fn_sqs_text(call->in, o->arn) : NULL;
	const struct fn_sqs_queue *q = call->queue;

	if (call->o->op == FN_AWS_Sqs_CancelMessageMoveTask)
		name = fn_sqs_move_source(call->sqs, fn_sqs_text(call->in, "TaskHandle"));
	if (!q)
		q = given ? fn_sqs_queue_by_arn(call->sqs, given) : name ? fn_sqs_queue_named(call->sqs, name) : NULL;
	if (given)
		(void)fn_str_format(arn, size, "%s", given);
	else
		(void)fn_sqs_arn(call->sqs, q ? q->name : name ? name : "*", arn, size);
	return q;
}

static int check_allowed(struct fn_sqs_call *call, const struct operation *o, struct fn_sqs_problem *p)
{
	const struct fn_iam_asker who = {call->principal, call->identity, call->context};
	size_t n = call->o->op == FN_AWS_Sqs_StartMessageMoveTask ? FN_IAM_MOVES : 0;
	char own[64], arn[256] = "*";
	const struct fn_sqs_queue *q = asked_about(call, o, arn, sizeof(arn));

	snprintf(own, sizeof(own), "sqs:%s", o->action ? o->action : call->o->name);
	for (size_t i = 0; i <= n; i++) {
		const char *action = i < n ? fn_iam_moves[i] : own;

		if (!fn_sqs_queue_allows(q, &who, action, arn))
			return fn_sqs_wrong(p, &FN_SQS_DENIED, "User: %.150s is not authorized to perform: %s on resource: %s because no policy allows the %s action",
					    *call->principal ? call->principal : "anonymous", action, arn, action);
	}
	return 0;
}

static struct fn_sqs_call *call_new(struct fn_sqs *sqs, struct fn_sqs_request *r)
{
	struct fn_sqs_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->sqs = sqs;
	call->in = r->in;
	call->query = r->query;
	call->https = r->https;
	call->principal = strdup(r->who.principal ? r->who.principal : "");
	call->identity = strdup(r->who.identity ? r->who.identity : "none");
	call->context = strdup(r->who.context ? r->who.context : "");
	call->host = strdup(r->host ? r->host : "localhost");
	call->trace_id = r->trace_id && strlen(r->trace_id) <= TRACE_MAX ? strdup(r->trace_id) : NULL;
	snprintf(call->request_id, sizeof(call->request_id), "%s", r->request_id ? r->request_id : "");
	snprintf(call->user_id, sizeof(call->user_id), "%s", r->user_id && *r->user_id ? r->user_id : sqs->account_id);
	call->answer = r->answer;
	call->arg = r->arg;
	if (call->principal && call->identity && call->context && call->host)
		return call;
	free(call->principal);
	free(call->identity);
	free(call->context);
	free(call->host);
	free(call->trace_id);
	free(call);
	return NULL;
}

static void look_at_bodies(const struct fn_aws_operation *o, const json_t *in, struct fn_sqs_bodies *bodies)
{
	const json_t *entries = json_object_get(in, "Entries");

	if (o->op == FN_AWS_Sqs_SendMessage)
		fn_sqs_look_at_body(in, &bodies->of[0]);
	for (size_t i = 0; o->op == FN_AWS_Sqs_SendMessageBatch && i < json_array_size(entries) && i < FN_SQS_ENTRIES_MAX; i++)
		fn_sqs_look_at_body(json_array_get(entries, i), &bodies->of[i]);
}

bool fn_sqs_prepare(const char *operation, json_t *in, struct fn_sqs_bodies *bodies, struct fn_buf *why)
{
	const struct fn_aws_operation *o = fn_aws_operation_named(FN_AWS_SQS, operation);

	if (o)
		fn_aws_keep_members(o, in);
	if (json_is_object(in) && (!o || fn_aws_validate(o, &(struct fn_aws_request){.query = "", .body = in}, why) != FN_AWS_UNREADABLE)) {
		if (o && bodies)
			look_at_bodies(o, in, bodies);
		return true;
	}
	if (why->len == 0)
		(void)fn_buf_add_str(why, "The request body is no JSON object.");
	return false;
}

void fn_sqs_serve(struct fn_sqs *sqs, struct fn_sqs_request *request, struct fn_sqs_call **ret_call)
{
	static const struct fn_aws_operation unknown = {.name = "?", .service = FN_AWS_SQS};
	const struct fn_aws_operation *o = fn_aws_operation_named(FN_AWS_SQS, request->operation);
	const struct operation *to = o ? &operations[o->op - FN_AWS_SQS_FIRST] : NULL;
	struct fn_sqs_call *call = call_new(sqs, request);
	struct fn_sqs_problem p;
	fn_auto_buf struct fn_buf why = {0};
	bool good = request->prepared ? !request->why : fn_sqs_prepare(request->operation, request->in, NULL, &why);

	if (!call) {
		struct fn_sqs_answer a = {.status = 503};

		json_decref(request->in);
		request->answer(request->arg, &a);
		return;
	}
	call->o = o ? o : &unknown;
	call->bodies = request->bodies;
	call->handle = ret_call;
	if (ret_call)
		*ret_call = call;
	if (!to || !to->handler || request->misplaced)
		fn_sqs_fail(call, &FN_SQS_NO_OPERATION, "The action %.100s is not valid for this endpoint.", request->operation);
	else if (!good)
		fn_sqs_fail(call, &FN_SQS_UNREADABLE, "%s", request->why ? request->why : why.data ? why.data : "out of memory");
	else if ((to->queue && find_queue(call, &p) < 0) || check_allowed(call, to, &p) < 0)
		fn_sqs_fail_with(call, &p);
	else
		to->handler(call);
}

void fn_sqs_gone(struct fn_sqs_call *call)
{
	if (call->cancel && call->cancel(call))
		fn_sqs_reply(call, NULL);
}
