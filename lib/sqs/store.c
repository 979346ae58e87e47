/* store.c - the queues that there are: rows of events.db (service/schema.h), all of them in memory too. What is changed is seen by others when it is on disk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "sqs/internal.h"

int fn_sqs_arn(const struct fn_sqs *sqs, const char *name, char *buf, size_t size)
{
	return fn_str_format(buf, size, "arn:aws:sqs:%s:%s:%s", sqs->region, sqs->account_id, name);
}

char *fn_sqs_url(const struct fn_sqs_call *call, const char *name)
{
	char *url;

	return asprintf(&url, "%s://%s/%s/%s", call->https ? "https" : "http", call->host, call->sqs->account_id, name) < 0 ? NULL : url;
}

const json_t *fn_sqs_config(const struct fn_sqs_queue *q) { return q->config; }
json_t *fn_sqs_config_copy(const struct fn_sqs_queue *q) { return json_deep_copy(q->next ? q->next : q->config); }

static void take_effect(struct fn_sqs_queue *q, json_t *config)
{
	const json_t *attributes = json_object_get(config, "Attributes");
	const char *policy = fn_sqs_text(attributes, "Policy");
	bool had = q->policy || q->policy_is_broken;
	fn_auto_buf struct fn_buf why = {0};

	json_incref(config);
	json_decref(q->config);
	q->config = config;
	fn_sqs_settings_free(&q->settings);
	fn_sqs_settings_of(&q->settings, attributes);
	fn_iam_document_free(q->policy);
	q->policy = NULL;
	q->policy_is_broken = policy && fn_iam_document_parse(policy, FN_IAM_RESOURCE, &q->policy, &why) < 0;
	if (q->sqs->policy_changed && (had || policy))
		q->sqs->policy_changed(q->sqs->policy_arg);
}

bool fn_sqs_queue_allows(const struct fn_sqs_queue *q, const struct fn_iam_asker *who, const char *action, const char *arn)
{
	const char *identity = q && q->policy_is_broken ? "deny" : who->identity;

	return fn_iam_resource_allows(&(struct fn_iam_asker){who->principal, identity, who->context}, action, arn, q ? q->policy : NULL);
}

struct engine_name {
	char text[sizeof(FN_SQS_PREFIX) + 81];
};

static struct engine_name engine_name(const struct fn_sqs_queue *q)
{
	struct engine_name n;

	snprintf(n.text, sizeof(n.text), FN_SQS_PREFIX "%s", q->name);
	return n;
}

struct fn_sqs_queue *fn_sqs_queue_new(struct fn_sqs *sqs, const char *name, json_t *config)
{
	struct fn_sqs_queue *q = calloc(1, sizeof(*q));

	if (q) {
		q->sqs = sqs;
		snprintf(q->name, sizeof(q->name), "%s", name);
		take_effect(q, config);
		q->queue = fn_queue_get(sqs->queues, engine_name(q).text, q->settings.fifo ? FN_QUEUE_FIFO : 0);
	}
	json_decref(config);
	if (q && q->queue && fn_map_set(sqs->by_name, q->name, q, NULL) == 0)
		return q;
	fn_sqs_queue_free(q);
	return NULL;
}

void fn_sqs_queue_free(struct fn_sqs_queue *q)
{
	if (!q)
		return;
	if (q->sqs->policy_changed && (q->policy || q->policy_is_broken))
		q->sqs->policy_changed(q->sqs->policy_arg);
	json_decref(q->config);
	json_decref(q->next);
	fn_iam_document_free(q->policy);
	fn_sqs_settings_free(&q->settings);
	free(q);
}

struct fn_sqs_queue *fn_sqs_queue_named(struct fn_sqs *sqs, const char *name)
{
	struct fn_sqs_queue *q = fn_map_get(sqs->by_name, name);

	return q && q->made ? q : NULL;
}

struct fn_sqs_queue *fn_sqs_queue_by_arn(struct fn_sqs *sqs, const char *arn)
{
	const char *name = arn ? strrchr(arn, ':') : NULL;
	char ours[256];

	if (!name || fn_sqs_arn(sqs, name + 1, ours, sizeof(ours)) < 0 || strcmp(ours, arn) != 0)
		return NULL;
	return fn_sqs_queue_named(sqs, name + 1);
}

/* --- at the start --- */
static int load_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	json_t *config = json_loads((const char *)sqlite3_column_text(st, 1), 0, NULL);
	struct fn_sqs_queue *q = config ? fn_sqs_queue_new(arg, (const char *)sqlite3_column_text(st, 0), config) : NULL;

	if (!q)
		return fn_err_set(err, config ? ENOMEM : EBADMSG, "load SQS queues", "%s", sqlite3_column_text(st, 0));
	q->made = true;
	return 0;
}

int fn_sqs_load(struct fn_sqs *sqs, sqlite3 *db, struct fn_err *err)
{
	return fn_db_each(db, "SELECT name, config FROM sqs_queues", "load SQS queues", load_row, sqs, err);
}

/* --- writing --- */
struct write {
	struct fn_db_write w;
	struct fn_sqs_call *call;
	struct fn_sqs_queue *q;
	json_t *config, *out;
	char *text;
};

static int run(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	struct write *x = fn_list_entry(w, struct write, w);

	return fn_db_run(db, err, "INSERT OR REPLACE INTO sqs_queues(name, config) VALUES(?1, ?2)", "ss", x->q->name, x->text);
}

static void forget(struct write *x)
{
	json_decref(x->config);
	json_decref(x->out);
	free(x->text);
	free(x);
}

static void answer(struct write *x, const struct fn_err *err)
{
	x->call->sqs->busy--;
	if (err) {
		fn_sqs_failed(x->call, err);
	} else {
		fn_sqs_reply(x->call, x->out);
		x->out = NULL;
	}
	forget(x);
}

static void on_stored(struct fn_db_write *w, const struct fn_err *err)
{
	struct write *x = fn_list_entry(w, struct write, w);
	struct fn_sqs_queue *q = x->q;

	if (q->next == x->config) {
		json_decref(q->next);
		q->next = NULL;
	}
	if (!err) {
		q->made = true;
		take_effect(q, x->config);
	} else if (!q->made && !q->next) { /* it has not come to be */
		(void)fn_map_remove(q->sqs->by_name, q->name);
		fn_queue_drop(q->queue, NULL, NULL, NULL);
		fn_sqs_queue_free(q);
	}
	answer(x, err);
}

void fn_sqs_store(struct fn_sqs_call *call, struct fn_sqs_queue *q, json_t *config, json_t *out)
{
	char *text = json_dumps(config, JSON_COMPACT);
	struct write *x = text ? malloc(sizeof(*x)) : NULL;

	if (!x) {
		free(text);
		json_decref(config);
		json_decref(out);
		fn_sqs_fail(call, &FN_SQS_UNAVAILABLE, "Try again.");
		return;
	}
	*x = (struct write){.w = {.run = run, .done = on_stored}, .call = call, .q = q, .config = config, .out = out, .text = text};
	json_decref(q->next);
	q->next = json_incref(config);
	call->sqs->busy++;
	fn_db_write(call->sqs->writer, &x->w);
}

static int run_remove(void *arg, sqlite3 *db, struct fn_err *err)
{
	struct write *x = arg;

	return fn_db_run(db, err, "DELETE FROM sqs_queues WHERE name=?1", "s", x->q->name);
}

static void on_removed(void *arg, const struct fn_err *err)
{
	struct write *x = arg;
	struct fn_sqs_queue *q = x->q;
	bool stays = err && fn_queue_find(q->sqs->queues, engine_name(q).text) == q->queue && fn_map_set(q->sqs->by_name, q->name, q, NULL) == 0;

	if (!stays)
		fn_sqs_queue_free(q);
	answer(x, err);
}

/* Its messages and its row go together, or both stay. */
void fn_sqs_remove(struct fn_sqs_call *call, struct fn_sqs_queue *q)
{
	struct write *x = malloc(sizeof(*x));

	if (!x) {
		fn_sqs_fail(call, &FN_SQS_UNAVAILABLE, "Try again.");
		return;
	}
	*x = (struct write){.call = call, .q = q};
	(void)fn_map_remove(call->sqs->by_name, q->name);
	call->sqs->busy++;
	fn_queue_drop(q->queue, run_remove, on_removed, x);
}
