/* accept.c - see accept.h. fnd has judged the request: who it is from, that the function exists, that the payload is JSON and not too large. */
#include "events/accept.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "events/lane.h"
#include "model/inner.h"
#include "model/lineage.h"

#define META_MAX 1024u
#define KEY_MAX 255u
#define TRIM "DELETE FROM idempotency WHERE (lane, key) IN (SELECT lane, key FROM idempotency WHERE until_us<=?1 ORDER BY until_us LIMIT 2)"

struct accepting {
	struct fn_queue_change change;
	struct fn_queue_step step;
	struct fn_service_call call;
	struct fn_h1_ahead answer;
	struct fn_lane *lane;
	char meta[META_MAX];
	char key[KEY_MAX + 1]; /* "" = none */
	uint8_t digest[SHA256_DIGEST_SIZE];
	bool other; /* the key has had another payload */
};

/* --- what came under a key --- */
/* Within the transaction: a repeat is held against the first one's payload, which is remembered as long as the key. Two that are over go for each that comes. */
static int remember(struct fn_queue_change *c, sqlite3 *db, struct fn_err *err)
{
	static const char *const sql[] = {"SELECT digest FROM idempotency WHERE lane=?1 AND key=?2", "INSERT OR REPLACE INTO idempotency VALUES(?1, ?2, ?3, ?4)"};
	struct accepting *a = fn_list_entry(c, struct accepting, change);
	int64_t now = (int64_t)fn_clock_real_us();
	sqlite3_stmt *st = NULL;
	int r = sqlite3_prepare_v2(db, sql[!a->step.duplicate], -1, &st, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_bind_text(st, 1, a->lane->name, -1, SQLITE_STATIC);
	if (r == SQLITE_OK)
		r = sqlite3_bind_text(st, 2, a->key, -1, SQLITE_STATIC);
	if (r == SQLITE_OK && !a->step.duplicate)
		r = sqlite3_bind_blob(st, 3, a->digest, sizeof(a->digest), SQLITE_STATIC);
	if (r == SQLITE_OK && !a->step.duplicate)
		r = sqlite3_bind_int64(st, 4, now + (int64_t)a->step.dedup_us);
	if (r == SQLITE_OK)
		r = sqlite3_step(st);
	if (r == SQLITE_ROW)
		a->other = sqlite3_column_bytes(st, 0) != sizeof(a->digest) || memcmp(sqlite3_column_blob(st, 0), a->digest, sizeof(a->digest)) != 0;
	sqlite3_finalize(st);
	if (r != SQLITE_ROW && r != SQLITE_DONE)
		return fn_db_failed(db, "idempotency", err);
	return a->step.duplicate ? 0 : fn_db_run(db, err, TRIM, "i", now);
}

/* False: it is no key, and that has been replied. */
static bool take_key(struct accepting *a, const struct fn_events *e, const char *body, size_t len)
{
	const char *key = fn_http_req_header(a->call.req, "Idempotency-Key");
	struct sha256_ctx sha;

	if (!key)
		return true;
	if (!*key || strlen(key) > KEY_MAX) {
		fn_service_reply_error(&a->call, &FN_E_INVALID_PARAMETER, "Idempotency-Key must have 1 to %u characters.", KEY_MAX);
		return false;
	}
	strcpy(a->key, key);
	sha256_init(&sha);
	sha256_update(&sha, len, (const uint8_t *)body);
	sha256_digest(&sha, sizeof(a->digest), a->digest);
	a->step.dedup = a->key;
	a->step.dedup_us = e->idempotency_us;
	a->change.also = remember;
	return true;
}

/* In the writer's thread. */
static void on_synced(struct fn_queue_change *c) { fn_h1_ahead_send(&fn_list_entry(c, struct accepting, change)->answer); }

static void on_written(struct fn_queue_change *c, const struct fn_err *err)
{
	struct accepting *a = fn_list_entry(c, struct accepting, change);

	if (fn_service_replied(&a->call)) {
		a->lane->n.received++;
	} else if (err) {
		fn_service_reply_failed(&a->call, err);
	} else if (a->step.duplicate && a->other) {
		fn_service_reply_error(&a->call, &FN_E_INVALID_PARAMETER, "Another payload came under this Idempotency-Key before.");
	} else if (a->step.duplicate) {
		fn_id_uuid_format(a->step.uid, a->call.request_id); /* the first one's */
		fn_service_reply_empty(&a->call, 202);
	} else {
		a->lane->n.received++;
		fn_service_reply_empty(&a->call, 202);
	}
	free(a);
}

/* --- accepting --- */
/* One trace for all attempts. */
static int make_meta(struct accepting *a)
{
	const char *trace = fn_http_req_header(a->call.req, "X-Amzn-Trace-Id"), *tenant = fn_http_req_header(a->call.req, "X-Amz-Tenant-Id");
	fn_auto_buf struct fn_buf whole = {0};

	if (fn_trace_whole(trace, &whole) < 0)
		return -ENOMEM;
	return fn_str_format(a->meta, sizeof(a->meta), "%s%s%s", whole.data, tenant ? "\n" : "", tenant ? tenant : "");
}

void fn_event_accept(struct fn_events *e, struct fn_service_call *call)
{
	struct fn_lane *lane = fn_lane_of(e, fn_http_req_header(call->req, FN_INNER_FUNCTION));
	struct accepting *a = lane ? calloc(1, sizeof(*a)) : NULL;
	const char *body;
	size_t len;

	if (!a) {
		fn_service_reply_error(call, &FN_E_UNAVAILABLE, "out of memory");
		return;
	}
	a->call = *call;
	a->lane = lane;
	if (make_meta(a) < 0) {
		fn_service_reply_error(call, &FN_E_INVALID_CONTENT, "X-Amzn-Trace-Id is too long");
		free(a);
		return;
	}
	fn_http_req_body(call->req, &body, &len);
	a->step = (struct fn_queue_step){.what = FN_QUEUE_PUT, .queue = lane->queue, .sent_us = fn_clock_real_us(), .meta = a->meta, .meta_len = strlen(a->meta), .body = body, .body_len = len};
	(void)fn_id_uuid_parse(call->request_id, a->step.uid);
	a->change = (struct fn_queue_change){.steps = &a->step, .n = 1, .done = on_written};
	if (!take_key(a, e, body, len)) {
		free(a);
		return;
	}
	if (!a->change.also && fn_service_reply_ahead(call, &a->answer, 202))
		a->change.synced = on_synced;
	fn_queue_change(e->env->queues, &a->change);
}
