/* moves.c - see moves.h. A task moves some messages, writes down how many, and goes on after as long as its rate asks. */
#include "sqs/moves.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define AT_ONCE 50u
#define RATE_MOST 500
#define SHOWN_MOST 10
#define KEPT_MOST 50 /* of ended ones, over all queues: the oldest go */

struct move {
	struct fn_list link; /* in sqs->moves, the latest first */
	struct fn_sqs *sqs;
	struct fn_queue_move m;
	struct fn_db_write w;
	char id[FN_UUID_SIZE], source[81], to[81]; /* to: "" = each back to its own */
	char *text;				   /* as it is written */
	enum state { RUNNING, COMPLETED, CANCELLING, CANCELLED, FAILED } state;
	const char *reason;
	int64_t rate, moved, total, started_ms;
	uint64_t timer, begun_us;
	bool under_way, writing, again, ended;
};

static const char *const names[] = {[RUNNING] = "RUNNING", [COMPLETED] = "COMPLETED", [CANCELLING] = "CANCELLING", [CANCELLED] = "CANCELLED", [FAILED] = "FAILED"};

static enum state state_named(const char *s)
{
	enum state i = RUNNING;

	while (i < FAILED && !fn_streq(names[i], s))
		i++;
	return i;
}

static bool runs(const struct move *m) { return m->state == RUNNING || m->state == CANCELLING; }

/* --- on disk --- */
static int run(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	struct move *m = fn_list_entry(w, struct move, w);

	if (m->ended)
		return fn_db_run(db, err, "DELETE FROM sqs_moves WHERE id=?1", "s", m->id);
	return fn_db_run(db, err, "INSERT OR REPLACE INTO sqs_moves(id, started, config) VALUES(?1, ?2, ?3)", "sis", m->id, m->started_ms, m->text);
}

static void move_free(struct move *m)
{
	fn_loop_clear(m->sqs->loop, &m->timer);
	fn_list_remove(&m->link);
	free(m->m.sources);
	free(m->text);
	free(m);
}

static void store(struct move *m);

static void on_stored(struct fn_db_write *w, const struct fn_err *err)
{
	struct move *m = fn_list_entry(w, struct move, w);

	(void)err; /* written with the next step, or it begins there again: what has been moved is not there any more */
	m->writing = false;
	if (m->ended)
		move_free(m);
	else if (m->again)
		store(m);
}

static void store(struct move *m)
{
	json_t *j;

	m->again = m->writing;
	if (m->writing)
		return;
	j = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "source", m->source, "to", m->to, "status", names[m->state], "reason", m->reason ? m->reason : "", "rate", (json_int_t)m->rate,
		      "moved", (json_int_t)m->moved, "total", (json_int_t)m->total);
	free(m->text);
	m->text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	if (!m->text)
		return;
	m->writing = true;
	m->w = (struct fn_db_write){.run = run, .done = on_stored};
	fn_db_write(m->sqs->writer, &m->w);
}

static void forget_old(struct fn_sqs *sqs)
{
	unsigned n = 0;

	fn_list_for_each_safe(l, &sqs->moves)
	{
		struct move *m = fn_list_entry(l, struct move, link);

		if (runs(m) || m->writing || m->ended || ++n <= KEPT_MOST)
			continue;
		m->ended = true;
		store(m);
	}
}

/* --- its steps --- */
static void step(struct move *m);

static void finish(struct move *m, enum state state, const char *reason)
{
	m->state = state;
	m->reason = reason;
	store(m);
	forget_old(m->sqs);
}

static void on_timer(void *arg) { step(arg); }

static void on_moved(struct fn_queue_move *q, const struct fn_err *err)
{
	struct move *m = fn_list_entry(q, struct move, m);
	uint64_t next_us = fn_clock_mono_us();

	m->under_way = false;
	m->moved += q->moved;
	if (err && err->code == ENOENT) {
		finish(m, FAILED, "AWS.SimpleQueueService.NonExistentQueue");
	} else if (m->state == CANCELLING) {
		finish(m, CANCELLED, NULL);
	} else if (q->unknown) {
		finish(m, FAILED, "CouldNotDetermineMessageSource");
	} else if (!err && q->moved == 0) {
		finish(m, COMPLETED, NULL);
	} else {
		if (err)
			next_us += 1000000u; /* a full disk: again later */
		else if (m->rate)
			next_us = m->begun_us + (uint64_t)q->moved * 1000000u / (uint64_t)m->rate;
		store(m);
		if (m->timer)
			(void)fn_loop_rearm_timer(m->sqs->loop, m->timer, next_us);
		else if (fn_loop_add_timer(m->sqs->loop, next_us, on_timer, m, &m->timer) < 0)
			finish(m, FAILED, "out of memory");
	}
}

/* The queues that have `dead` for their dead letters. */
static unsigned sources(struct fn_sqs *sqs, const char *dead, struct fn_queue ***ret)
{
	struct fn_sqs_queue *q;
	size_t it = 0;
	unsigned n = 0;

	free(*ret);
	*ret = malloc((fn_map_count(sqs->by_name) + 1) * sizeof(**ret));
	while (*ret && (q = fn_map_next(sqs->by_name, &it)))
		if (q->made && fn_streq(q->settings.dead, dead))
			(*ret)[n++] = q->queue;
	return n;
}

static void step(struct move *m)
{
	struct fn_sqs_queue *from = fn_sqs_queue_named(m->sqs, m->source), *to = m->to[0] ? fn_sqs_queue_named(m->sqs, m->to) : NULL;

	if (m->under_way || !runs(m))
		return;
	if (!from || (m->to[0] && !to)) {
		finish(m, FAILED, "AWS.SimpleQueueService.NonExistentQueue");
		return;
	}
	m->m.from = from->queue;
	m->m.to = to ? to->queue : NULL;
	m->m.n_sources = sources(m->sqs, m->source, &m->m.sources);
	m->m.n = m->rate && m->rate < AT_ONCE ? (unsigned)m->rate : AT_ONCE;
	m->m.done = on_moved;
	m->begun_us = fn_clock_mono_us();
	m->under_way = true;
	fn_queue_move(&m->m);
}

/* --- at the start and the end --- */
static int load_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_sqs *sqs = arg;
	json_t *j = json_loads((const char *)sqlite3_column_text(st, 2), 0, NULL);
	struct move *m = j ? calloc(1, sizeof(*m)) : NULL;

	if (!m) {
		json_decref(j);
		return fn_err_set(err, ENOMEM, "load message move tasks", NULL);
	}
	m->sqs = sqs;
	snprintf(m->id, sizeof(m->id), "%s", (const char *)sqlite3_column_text(st, 0));
	m->started_ms = sqlite3_column_int64(st, 1);
	snprintf(m->source, sizeof(m->source), "%s", fn_sqs_text(j, "source"));
	snprintf(m->to, sizeof(m->to), "%s", fn_sqs_text(j, "to"));
	m->state = state_named(fn_sqs_text(j, "status"));
	m->reason = m->state == FAILED ? "AWS.SimpleQueueService.NonExistentQueue" : NULL;
	(void)fn_sqs_number(j, "rate", &m->rate);
	(void)fn_sqs_number(j, "moved", &m->moved);
	(void)fn_sqs_number(j, "total", &m->total);
	json_decref(j);
	fn_list_push_front(&sqs->moves, &m->link);
	step(m);
	return 0;
}

int fn_sqs_moves_load(struct fn_sqs *sqs, sqlite3 *db, struct fn_err *err)
{
	return fn_db_each(db, "SELECT id, started, config FROM sqs_moves ORDER BY started", "load message move tasks", load_row, sqs, err);
}

void fn_sqs_moves_free(struct fn_sqs *sqs)
{
	while (!fn_list_empty(&sqs->moves))
		move_free(fn_list_entry(fn_list_first(&sqs->moves), struct move, link));
}

/* --- the operations --- */
static char *handle_of(const struct move *m)
{
	char *handle = NULL, arn[256];
	fn_auto_free char *text = NULL;

	(void)fn_sqs_arn(m->sqs, m->source, arn, sizeof(arn));
	if (asprintf(&text, "{\"taskId\":\"%s\",\"sourceArn\":\"%s\"}", m->id, arn) < 0)
		text = NULL;
	return text && fn_base64_encode(text, strlen(text), &handle) == 0 ? handle : NULL;
}

/* What a handle names, in JSON; NULL: it is malformed. */
static json_t *read_handle(const char *handle)
{
	fn_auto_free uint8_t *text = NULL;
	size_t len = 0;
	json_t *j = fn_base64_decode(handle, strlen(handle), &text, &len) == 0 ? json_loadb((char *)text, len, 0, NULL) : NULL;

	if (fn_sqs_text(j, "taskId") && fn_sqs_text(j, "sourceArn"))
		return j;
	json_decref(j);
	return NULL;
}

static struct move *find(struct fn_sqs *sqs, const char *handle)
{
	struct move *found = NULL;
	char arn[256];
	json_t *j = read_handle(handle);

	fn_list_for_each(l, &sqs->moves)
	{
		struct move *m = fn_list_entry(l, struct move, link);

		/* by the ARN it was judged */
		if (!m->ended && fn_streq(m->id, fn_sqs_text(j, "taskId")) && fn_sqs_arn(sqs, m->source, arn, sizeof(arn)) == 0 && fn_streq(arn, fn_sqs_text(j, "sourceArn")))
			found = m;
	}
	json_decref(j);
	return found;
}

const char *fn_sqs_move_source(struct fn_sqs *sqs, const char *handle)
{
	const struct move *m = handle ? find(sqs, handle) : NULL;

	return m ? m->source : NULL;
}

static bool is_dead_letter_queue(struct fn_sqs *sqs, const char *name)
{
	struct fn_queue **v = NULL;
	unsigned n = sources(sqs, name, &v);

	free(v);
	return n > 0;
}

static int judge(struct fn_sqs_call *call, struct fn_sqs_queue **from, struct fn_sqs_queue **to, int64_t *rate, struct fn_sqs_problem *p)
{
	const char *source = fn_sqs_text(call->in, "SourceArn"), *target = fn_sqs_text(call->in, "DestinationArn");

	*to = NULL;
	*rate = 0;
	if (!source)
		return fn_sqs_wrong(p, &FN_SQS_MISSING, "The request must contain the parameter SourceArn.");
	if (!(*from = fn_sqs_queue_by_arn(call->sqs, source)))
		return fn_sqs_wrong(p, &FN_SQS_NOT_FOUND, "The resource that you specified for the SourceArn parameter doesn't exist.");
	if (!is_dead_letter_queue(call->sqs, (*from)->name))
		return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Source queue must be configured as a Dead Letter Queue.");
	if (target && !(*to = fn_sqs_queue_by_arn(call->sqs, target)))
		return fn_sqs_wrong(p, &FN_SQS_NOT_FOUND, "The resource that you specified for the DestinationArn parameter doesn't exist.");
	if (*to == *from)
		return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Source queue arn and destination queue arn cannot be the same.");
	if (*to && (*to)->settings.fifo != (*from)->settings.fifo)
		return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Source and destination queue must be of the same type.");
	if (fn_sqs_bounded(call->in, "MaxNumberOfMessagesPerSecond", 1, RATE_MOST, "MaxNumberOfMessagesPerSecond must be between 1 and 500.", rate, p) < 0)
		return -1;
	fn_list_for_each(l, &call->sqs->moves)
	{
		struct move *m = fn_list_entry(l, struct move, link);

		if (runs(m) && strcmp(m->source, (*from)->name) == 0)
			return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "There is already a task running. Only one active task is allowed for a source queue arn at a given time.");
	}
	return 0;
}

void fn_sqs_h_move_start(struct fn_sqs_call *call)
{
	struct fn_sqs_queue *from = NULL, *to = NULL;
	struct fn_queue_counts c;
	struct fn_sqs_problem p;
	fn_auto_free char *handle = NULL;
	struct move *m;
	int64_t rate = 0;

	if (judge(call, &from, &to, &rate, &p) < 0) {
		fn_sqs_fail_with(call, &p);
		return;
	}
	if (!(m = calloc(1, sizeof(*m)))) {
		fn_sqs_fail(call, &FN_SQS_UNAVAILABLE, "Try again.");
		return;
	}
	fn_queue_count(from->queue, &c);
	m->sqs = call->sqs;
	fn_id_uuid(m->id);
	snprintf(m->source, sizeof(m->source), "%s", from->name);
	snprintf(m->to, sizeof(m->to), "%s", to ? to->name : "");
	m->rate = rate;
	m->total = (int64_t)c.ready;
	m->started_ms = (int64_t)(fn_clock_real_us() / 1000);
	fn_list_push_front(&call->sqs->moves, &m->link);
	handle = handle_of(m);
	store(m);
	step(m);
	fn_sqs_reply(call, json_pack("{s:s}", "TaskHandle", handle ? handle : ""));
}

void fn_sqs_h_move_cancel(struct fn_sqs_call *call)
{
	const char *handle = fn_sqs_text(call->in, "TaskHandle");
	struct move *m = handle ? find(call->sqs, handle) : NULL;
	json_t *named = handle ? read_handle(handle) : NULL;
	bool sound = named, known = fn_sqs_queue_by_arn(call->sqs, fn_sqs_text(named, "sourceArn"));

	json_decref(named);
	if (!handle) {
		fn_sqs_fail(call, &FN_SQS_MISSING, "The request must contain the parameter TaskHandle.");
	} else if (!sound) {
		fn_sqs_fail(call, &FN_SQS_BAD_VALUE, "Value for parameter TaskHandle is invalid.");
	} else if (!m && !known) {
		fn_sqs_fail(call, &FN_SQS_NOT_FOUND, "The resource that you specified for the SourceArn parameter doesn't exist.");
	} else if (!m) {
		fn_sqs_fail(call, &FN_SQS_NOT_FOUND, "Task does not exist.");
	} else if (m->state != RUNNING) {
		fn_sqs_fail(call, &FN_SQS_UNSUPPORTED, "Only active tasks can be cancelled.");
	} else {
		m->state = CANCELLING;
		if (!m->under_way)
			finish(m, CANCELLED, NULL);
		fn_sqs_reply(call, json_pack("{s:I}", "ApproximateNumberOfMessagesMoved", (json_int_t)m->moved));
	}
}

static json_t *show(const struct move *m)
{
	json_t *out = json_object();
	char arn[256];

	if (runs(m)) { /* only of those the handle is of use */
		fn_auto_free char *handle = handle_of(m);

		(void)json_object_set_new(out, "TaskHandle", json_string(handle ? handle : ""));
	}
	(void)json_object_set_new(out, "Status", json_string(names[m->state]));
	(void)fn_sqs_arn(m->sqs, m->source, arn, sizeof(arn));
	(void)json_object_set_new(out, "SourceArn", json_string(arn));
	if (m->to[0] && fn_sqs_arn(m->sqs, m->to, arn, sizeof(arn)) == 0)
		(void)json_object_set_new(out, "DestinationArn", json_string(arn));
	if (m->rate)
		(void)json_object_set_new(out, "MaxNumberOfMessagesPerSecond", json_integer(m->rate));
	(void)json_object_set_new(out, "ApproximateNumberOfMessagesMoved", json_integer(m->moved));
	(void)json_object_set_new(out, "ApproximateNumberOfMessagesToMove", json_integer(m->total));
	if (m->reason)
		(void)json_object_set_new(out, "FailureReason", json_string(m->reason));
	(void)json_object_set_new(out, "StartedTimestamp", json_integer(m->started_ms));
	return out;
}

void fn_sqs_h_move_list(struct fn_sqs_call *call)
{
	const char *source = fn_sqs_text(call->in, "SourceArn");
	const struct fn_sqs_queue *from = source ? fn_sqs_queue_by_arn(call->sqs, source) : NULL;
	int64_t max = 1;
	struct fn_sqs_problem p;
	json_t *list;

	if (!from) {
		fn_sqs_fail(call, source ? &FN_SQS_NOT_FOUND : &FN_SQS_MISSING, "%s",
			    source ? "The resource that you specified for the SourceArn parameter doesn't exist." : "The request must contain the parameter SourceArn.");
		return;
	}
	if (fn_sqs_bounded(call->in, "MaxResults", 1, SHOWN_MOST, "MaxResults must be between 1 and 10.", &max, &p) < 0) {
		fn_sqs_fail_with(call, &p);
		return;
	}
	list = json_array();
	fn_list_for_each(l, &call->sqs->moves)
	{
		const struct move *m = fn_list_entry(l, struct move, link);

		if (!m->ended && strcmp(m->source, from->name) == 0 && (int64_t)json_array_size(list) < max)
			(void)json_array_append_new(list, show(m));
	}
	fn_sqs_reply(call, json_pack("{s:o}", "Results", list));
}
