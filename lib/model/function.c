/* function.c - see function.h. */
#include "model/function.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct fn_function *fn_function_new(void)
{
	struct fn_function *f = calloc(1, sizeof(*f));

	if (f)
		f->refs = 1;
	return f;
}

struct fn_function *fn_function_ref(struct fn_function *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

/* Every string member, so that free and clone cannot forget one. */
#define STRINGS(X)                                                                                                                \
	X(name) X(version) X(runtime) X(role) X(handler) X(description) X(architecture) X(tracing_mode) X(log_format)             \
	X(app_log_level) X(system_log_level) X(log_group) X(tags_json) X(state_reason) X(state_reason_code) X(update_reason)      \
	X(update_reason_code) X(latest_description) X(snapshot_tree) X(snapshot_host) X(snapshot_off)

void fn_function_unref(struct fn_function *f)
{
	if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) > 1)
		return;
#define FREE(m) free(f->m);
	STRINGS(FREE)
#undef FREE
	for (size_t i = 0; i < f->n_env; i++) {
		free(f->env[i].name);
		free(f->env[i].value);
	}
	free(f->env);
	free(f);
}

struct fn_function *fn_function_clone(const struct fn_function *f)
{
	struct fn_function *c = malloc(sizeof(*c));
	bool ok = true;

	if (!c)
		return NULL;
	atomic_init(&c->refs, 1);
	memcpy(&c->name, &f->name, sizeof(*c) - offsetof(struct fn_function, name)); /* all behind refs, which may be changing */
#define COPY(m)                                    \
	c->m = fn_strdup_opt(f->m);                \
	ok = ok && (c->m != NULL) == (f->m != NULL);
	STRINGS(COPY)
#undef COPY
	c->env = calloc(f->n_env + 1, sizeof(*c->env));
	c->n_env = c->env ? f->n_env : 0;
	ok = ok && c->env;
	for (size_t i = 0; i < c->n_env; i++) {
		c->env[i].name = strdup(f->env[i].name);
		c->env[i].value = strdup(f->env[i].value);
		ok = ok && c->env[i].name && c->env[i].value;
	}
	if (!ok) {
		fn_function_unref(c);
		return NULL;
	}
	return c;
}

static bool same(const char *a, const char *b) { return (!a && !b) || fn_streq(a, b); }

/* The order of variables is the client's whim. */
static bool same_env(const struct fn_function *a, const struct fn_function *b)
{
	if (a->n_env != b->n_env || a->has_env != b->has_env)
		return false;
	for (size_t i = 0; i < a->n_env; i++) {
		size_t k = 0;

		while (k < b->n_env && strcmp(a->env[i].name, b->env[k].name) != 0)
			k++;
		if (k == b->n_env || strcmp(a->env[i].value, b->env[k].value) != 0)
			return false;
	}
	return true;
}

bool fn_function_unchanged(const struct fn_function *l, const struct fn_function *v)
{
#define SAME(m) && same(l->m, v->m)
	return strcmp(l->code_sha256, v->code_sha256) == 0 && same(l->description, v->latest_description) && l->memory_mb == v->memory_mb &&
	       l->timeout_s == v->timeout_s && l->ephemeral_mb == v->ephemeral_mb && l->snap_start == v->snap_start && same_env(l, v) SAME(runtime) SAME(role) SAME(handler)
	       SAME(architecture) SAME(tracing_mode) SAME(log_format) SAME(app_log_level) SAME(system_log_level) SAME(log_group);
#undef SAME
}

bool fn_function_settling(const struct fn_function *f)
{
	return f->update_status == FN_UPDATE_IN_PROGRESS || (f->state == FN_STATE_PENDING && !(f->snap_start && fn_version_number(f->version) != 0));
}

static void set_reasons(struct fn_function *f, const char *state, const char *update)
{
	fn_set_string(&f->state_reason, state ? "The function is being created." : NULL);
	fn_set_string(&f->state_reason_code, state);
	fn_set_string(&f->update_reason, update ? "The function is being created." : NULL);
	fn_set_string(&f->update_reason_code, update);
}

void fn_function_settle(struct fn_function *f)
{
	f->state = FN_STATE_ACTIVE;
	f->update_status = FN_UPDATE_SUCCESSFUL;
	set_reasons(f, NULL, NULL);
}

void fn_function_unsettle(struct fn_function *f, bool created)
{
	f->state = created ? FN_STATE_PENDING : FN_STATE_ACTIVE;
	f->update_status = created ? FN_UPDATE_NONE : FN_UPDATE_IN_PROGRESS;
	set_reasons(f, created ? "Creating" : NULL, created ? NULL : "Creating");
}

uint64_t fn_version_number(const char *version)
{
	int64_t n;

	if (fn_streq(version, "$LATEST"))
		return 0;
	if (!version || version[0] < '1' || version[0] > '9' || fn_str_to_i64(version, 1, INT64_MAX, &n) < 0)
		return UINT64_MAX;
	return (uint64_t)n;
}
