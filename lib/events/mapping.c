/* mapping.c - one mapping: what it is, in memory and in events.db, and in answers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "events/mapping_internal.h"
#include "model/arn.h"

struct fn_mapping *fn_mapping_new(struct fn_mappings *all, const char *uuid)
{
	struct fn_mapping *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->all = all;
	memcpy(m->uuid, uuid, FN_UUID_SIZE);
	return m;
}

int fn_mapping_add(struct fn_mapping *m)
{
	int r = fn_map_set(m->all->by_uuid, m->uuid, m, NULL);

	if (r < 0)
		return r;
	fn_list_push_back(&m->all->list, &m->link);
	m->all->n++;
	return 0;
}

const char *fn_mapping_state_name(enum fn_mapping_state s)
{
	static const char *const names[] = {[FN_MAPPING_CREATING] = "Creating",   [FN_MAPPING_ENABLING] = "Enabling", [FN_MAPPING_ENABLED] = "Enabled", [FN_MAPPING_DISABLING] = "Disabling",
					    [FN_MAPPING_DISABLED] = "Disabled", [FN_MAPPING_UPDATING] = "Updating", [FN_MAPPING_DELETING] = "Deleting"};

	return names[s];
}

json_t *fn_mapping_json(const struct fn_mapping *m)
{
	const struct fn_service_env *env = m->all->env;
	json_t *o = json_deep_copy(m->settings);
	struct fn_name n;
	char arn[400], own[200];

	if (!o || fn_name_parse(m->function, &n) < 0) {
		json_decref(o);
		return json_object();
	}
	fn_arn_format(arn, sizeof(arn), env->region, env->account_id, n.name, n.qualifier);
	snprintf(own, sizeof(own), "arn:aws:lambda:%s:%s:event-source-mapping:%s", env->region, env->account_id, m->uuid);
	json_object_set_new(o, "UUID", json_string(m->uuid));
	json_object_set_new(o, "EventSourceMappingArn", json_string(own));
	json_object_set_new(o, "EventSourceArn", json_string(m->source));
	json_object_set_new(o, "FunctionArn", json_string(arn));
	json_object_set_new(o, "LastModified", json_real((double)(m->modified_us / 1000) / 1000));
	json_object_set_new(o, "State", json_string(fn_mapping_state_name(m->state)));
	json_object_set_new(o, "StateTransitionReason", json_string("USER_INITIATED"));
	return o;
}

/* --- events.db --- */
struct stored {
	struct fn_db_write w;
	void (*done)(void *arg, const struct fn_err *err);
	void *arg;
	bool gone, enabled;
	char uuid[FN_UUID_SIZE], *function, *source, *settings, *tags;
	uint64_t modified_us;
};

static void stored_free(struct stored *s)
{
	free(s->function);
	free(s->source);
	free(s->settings);
	free(s->tags);
	free(s);
}

static int run_store(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	struct stored *s = (struct stored *)w;

	if (s->gone)
		return fn_db_run(db, err, "DELETE FROM event_source_mappings WHERE uuid = ?1", "s", s->uuid);
	return fn_db_run(db, err,
			 "INSERT INTO event_source_mappings (uuid, function, source, settings, tags, enabled, modified_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
			 " ON CONFLICT (uuid) DO UPDATE SET function = ?2, settings = ?4, tags = ?5, enabled = ?6, modified_us = ?7",
			 "sssssii", s->uuid, s->function, s->source, s->settings, s->tags, (int64_t)s->enabled, (int64_t)s->modified_us);
}

static void store_done(struct fn_db_write *w, const struct fn_err *err)
{
	struct stored *s = (struct stored *)w;

	s->done(s->arg, err);
	stored_free(s);
}

void fn_mapping_store(struct fn_mapping *m, bool gone, void (*done)(void *arg, const struct fn_err *err), void *arg)
{
	struct stored *s = calloc(1, sizeof(*s));
	struct fn_err err;

	if (s) {
		*s = (struct stored){.w = {.run = run_store, .done = store_done}, .done = done, .arg = arg, .gone = gone, .enabled = m->enabled, .function = strdup(m->function),
				     .source = strdup(m->source), .settings = json_dumps(m->settings, JSON_COMPACT), .tags = json_dumps(m->tags, JSON_COMPACT), .modified_us = m->modified_us};
		memcpy(s->uuid, m->uuid, FN_UUID_SIZE);
	}
	if (!s || !s->function || !s->source || !s->settings || !s->tags) {
		if (s)
			stored_free(s);
		fn_err_set(&err, ENOMEM, "store a mapping", NULL);
		done(arg, &err);
		return;
	}
	fn_db_write(m->all->env->writer, &s->w);
}

struct fn_mapping *fn_mapping_find(struct fn_mappings *all, const char *uuid)
{
	struct fn_mapping *m = fn_map_get(all->by_uuid, uuid);

	return m && !m->reserved ? m : NULL;
}
