/* mappings.c - see mappings.h: all of them, and which operation is which. */
#include "events/mappings.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "events/mapping_internal.h"
#include "model/inner.h"

static int load_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_mappings *all = arg;
	struct fn_mapping *m = fn_mapping_new(all, (const char *)sqlite3_column_text(st, 0));

	if (!m)
		return fn_err_set(err, ENOMEM, "load mappings", NULL);
	m->function = strdup((const char *)sqlite3_column_text(st, 1));
	m->source = strdup((const char *)sqlite3_column_text(st, 2));
	m->settings = json_loads((const char *)sqlite3_column_text(st, 3), 0, NULL);
	m->tags = json_loads((const char *)sqlite3_column_text(st, 4), 0, NULL);
	m->enabled = sqlite3_column_int(st, 5);
	m->modified_us = (uint64_t)sqlite3_column_int64(st, 6);
	m->state = m->enabled ? FN_MAPPING_ENABLED : FN_MAPPING_DISABLED;
	if (!m->function || !m->source || !m->settings || !m->tags || fn_mapping_add(m) < 0) {
		fn_mapping_free(m);
		return fn_err_set(err, ENOMEM, "load mappings", NULL);
	}
	return 0;
}

static int load(struct fn_mappings *all, struct fn_err *err)
{
	sqlite3 *db = NULL;
	int r = fn_db_open_again(all->env->db_path, "load mappings", &db, err);

	if (r == 0)
		r = fn_db_each(db, "SELECT uuid, function, source, settings, tags, enabled, modified_us FROM event_source_mappings ORDER BY number", "load mappings", load_row, all, err);
	sqlite3_close(db);
	return r;
}

int fn_mappings_open(const struct fn_service_env *env, const struct fn_endpoints *endpoints, struct fn_journal *journal, struct fn_share *share, struct fn_mappings **ret, struct fn_err *err)
{
	struct fn_mappings *all = calloc(1, sizeof(*all));
	int r;

	if (!all)
		return fn_err_set(err, ENOMEM, "mappings", NULL);
	all->env = env;
	all->endpoints = endpoints;
	all->pollers = (struct fn_pollers){.loop = env->loop, .fnd = env->fnd, .journal = journal, .share = share};
	fn_list_init(&all->list);
	r = fn_map_new(&all->by_uuid);
	r = r < 0 ? fn_err_set(err, r, "mappings", NULL) : load(all, err);
	if (r < 0) {
		fn_mappings_close(all);
		return r;
	}
	fn_mapping_rights_open(all);
	fn_list_for_each_safe(l, &all->list)
		fn_mapping_run(fn_list_entry(l, struct fn_mapping, link));
	*ret = all;
	return 0;
}

void fn_mappings_drain(struct fn_mappings *all)
{
	all->draining = true;
	fn_list_for_each_safe(l, &all->list) {
		struct fn_mapping *m = fn_list_entry(l, struct fn_mapping, link);

		if (m->poller)
			fn_poller_stop(m->poller);
	}
}

bool fn_mappings_busy(const struct fn_mappings *all)
{
	bool busy = all->operations > 0;

	fn_list_for_each(l, &all->list) {
		const struct fn_mapping *m = fn_list_entry(l, struct fn_mapping, link);

		busy |= m->poller && !fn_poller_stopped(m->poller);
	}
	return busy;
}

void fn_mappings_close(struct fn_mappings *all)
{
	if (!all)
		return;
	fn_mapping_rights_close(all);
	fn_list_for_each_safe(l, &all->list)
		fn_mapping_free(fn_list_entry(l, struct fn_mapping, link));
	fn_map_free(all->by_uuid);
	free(all);
}

/* GET /_fnd/mappings: how they go, by UUID: what Lambda's answers do not say of queues. */
static void serve_progress(struct fn_mappings *all, const struct fn_service_call *call)
{
	json_t *o = json_object();

	fn_list_for_each(l, &all->list) {
		const struct fn_mapping *m = fn_list_entry(l, struct fn_mapping, link);
		const struct fn_poller_counts *n = &m->counts;

		json_object_set_new(o, m->uuid, json_pack("{ss,si,sI,sI,sI,sI,sI}", "LastProcessingResult", m->poller ? fn_poller_result(m->poller) : "", "Running",
							  m->poller ? (int)fn_poller_running(m->poller) : 0, "Polled", (json_int_t)n->polled, "Filtered", (json_int_t)n->filtered, "Invoked",
							  (json_int_t)n->invoked, "FailedInvokes", (json_int_t)n->failed, "Deleted", (json_int_t)n->deleted));
	}
	fn_service_reply_json(call, 200, json_pack("{so}", "Mappings", o));
}

static int add_counts(const struct fn_mappings *all, struct fn_buf *b, const char *name, const char *help, size_t at)
{
	int r = fn_buf_addf(b, "# HELP fnd_%s %s\n# TYPE fnd_%s counter\n", name, help, name);

	fn_list_for_each(l, &all->list) {
		const struct fn_mapping *m = fn_list_entry(l, struct fn_mapping, link);

		if (r == 0 && !m->reserved && !m->deleted && fn_mapping_counts_events(m->settings))
			r = fn_buf_addf(b, "fnd_%s{mapping=\"%s\",function=\"%s\"} %" PRIu64 "\n", name, m->uuid, m->function, *(const uint64_t *)((const char *)&m->counts + at));
	}
	return r;
}

int fn_mappings_metrics(const struct fn_mappings *all, struct fn_buf *b)
{
	static const struct {
		const char *name, *help;
		size_t at;
	} counters[] = {
		{"mapping_polled_events_total", "Events that were read from the source.", offsetof(struct fn_poller_counts, polled)},
		{"mapping_filtered_out_events_total", "Those that the filter criteria have taken out.", offsetof(struct fn_poller_counts, filtered)},
		{"mapping_invoked_events_total", "Events that the function was invoked with, each time.", offsetof(struct fn_poller_counts, invoked)},
		{"mapping_failed_invoke_events_total", "Events whose invocation has failed, and those that the function has named in batchItemFailures.", offsetof(struct fn_poller_counts, failed)},
		{"mapping_deleted_events_total", "Events that were deleted from the queue.", offsetof(struct fn_poller_counts, deleted)},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(counters) / sizeof(counters[0]); i++)
		r = add_counts(all, b, counters[i].name, counters[i].help, counters[i].at);
	return r;
}

bool fn_mappings_serve(struct fn_mappings *all, const struct fn_service_call *call)
{
	static const struct {
		const char *name;
		void (*serve)(struct fn_mappings *all, const struct fn_service_call *call);
	} operations[] = {{"CreateEventSourceMapping", fn_mapping_h_create}, {"GetEventSourceMapping", fn_mapping_h_get}, {"UpdateEventSourceMapping", fn_mapping_h_update},
			  {"DeleteEventSourceMapping", fn_mapping_h_delete}, {"ListEventSourceMappings", fn_mapping_h_list}, {"ListTags", fn_mapping_h_list_tags}, {"TagResource", fn_mapping_h_tag},
			  {"UntagResource", fn_mapping_h_untag}, {FN_INNER_MAPPED, fn_mapping_h_mapped}, {"_Mappings", serve_progress}};

	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (fn_streq(operations[i].name, call->operation)) {
			operations[i].serve(all, call);
			return true;
		}
	return false;
}
