/* function.c - see function.h. */
#include "model/function.h"

#include <errno.h>
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
	X(name) X(version) X(runtime) X(role) X(handler) X(description) X(architecture) X(tracing_mode)                           \
	X(app_log_level) X(system_log_level) X(log_group) X(tags_json) X(state_reason) X(state_reason_code) X(update_reason)      \
	X(update_reason_code) X(latest_description) X(snapshot_tree) X(snapshot_host) X(snapshot_off) X(snapshot_plain) X(image_uri) X(image_config) X(image_uri_before) X(dead_letter_arn) X(runtime_version)

static void free_layers(struct fn_function *f)
{
	for (size_t i = 0; i < f->n_layers; i++)
		free(f->layers[i].arn);
	free(f->layers);
	f->layers = NULL;
	f->n_layers = 0;
}

int fn_function_set_layers(struct fn_function *f, const struct fn_function_layer *from, size_t n)
{
	free_layers(f);
	if (n == 0)
		return 0;
	f->layers = calloc(n, sizeof(*f->layers));
	for (size_t i = 0; f->layers && i < n; i++) {
		f->layers[i] = from[i];
		f->layers[i].arn = strdup(from[i].arn);
		f->n_layers++;
		if (!f->layers[i].arn)
			free_layers(f);
	}
	return f->layers ? 0 : -ENOMEM;
}

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
	free_layers(f);
	fn_image_unref(f->image);
	fn_image_unref(f->image_before);
	free(f);
}

void fn_function_set_image(struct fn_image **member, struct fn_image *image)
{
	if (image)
		fn_image_ref(image);
	fn_image_unref(*member);
	*member = image;
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
	c->layers = NULL;
	c->n_layers = 0;
	if (c->image)
		fn_image_ref(c->image);
	if (c->image_before)
		fn_image_ref(c->image_before);
	ok = fn_function_set_layers(c, f->layers, f->n_layers) == 0 && ok;
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

bool fn_function_needs(const struct fn_function *f, const char *sha256)
{
	bool needs = strcmp(f->code_sha256, sha256) == 0 || (f->image_before && strcmp(f->image_before->sha256, sha256) == 0);

	for (size_t i = 0; i < f->n_layers; i++)
		needs |= strcmp(f->layers[i].sha256, sha256) == 0;
	return needs;
}

int64_t fn_function_unpacked(const struct fn_function *f)
{
	int64_t bytes = f->unpacked_size;

	for (size_t i = 0; i < f->n_layers; i++)
		bytes += f->layers[i].unpacked_size;
	return bytes;
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

/* Their order counts. */
static bool same_layers(const struct fn_function *a, const struct fn_function *b)
{
	bool equal = a->n_layers == b->n_layers;

	for (size_t i = 0; equal && i < a->n_layers; i++)
		equal = strcmp(a->layers[i].arn, b->layers[i].arn) == 0 && strcmp(a->layers[i].sha256, b->layers[i].sha256) == 0;
	return equal;
}

bool fn_function_unchanged(const struct fn_function *l, const struct fn_function *v)
{
#define SAME(m) && same(l->m, v->m)
	return strcmp(l->code_sha256, v->code_sha256) == 0 && same(l->description, v->latest_description) && l->memory_mb == v->memory_mb &&
	       l->timeout_s == v->timeout_s && l->ephemeral_mb == v->ephemeral_mb && l->snap_start == v->snap_start && l->json_log == v->json_log && same_env(l, v) && same_layers(l, v) SAME(runtime) SAME(role) SAME(handler)
	       SAME(architecture) SAME(tracing_mode) SAME(app_log_level) SAME(system_log_level) SAME(log_group) SAME(image_config) SAME(dead_letter_arn);
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
	fn_function_set_image(&f->image_before, NULL);
	fn_set_string(&f->image_uri_before, NULL);
}

void fn_function_unsettle(struct fn_function *f, bool created)
{
	f->state = created ? FN_STATE_PENDING : FN_STATE_ACTIVE;
	f->update_status = created ? FN_UPDATE_NONE : FN_UPDATE_IN_PROGRESS;
	set_reasons(f, created ? "Creating" : NULL, created ? NULL : "Creating");
}

void fn_function_revert(struct fn_function *f)
{
	if (!f->image_before)
		return;
	fn_function_set_image(&f->image, f->image_before);
	memcpy(f->code_sha256, f->image->sha256, sizeof(f->code_sha256));
	fn_set_string(&f->image_uri, f->image_uri_before);
	fn_function_set_image(&f->image_before, NULL);
	fn_set_string(&f->image_uri_before, NULL);
}

void fn_function_fail(struct fn_function *f, const char *code, const char *reason)
{
	bool serves = f->image_before && f->state == FN_STATE_ACTIVE;

	fn_function_revert(f);
	f->state = serves ? FN_STATE_ACTIVE : FN_STATE_FAILED;
	f->update_status = FN_UPDATE_FAILED;
	fn_set_string(&f->state_reason, serves ? NULL : reason);
	fn_set_string(&f->state_reason_code, serves ? NULL : code);
	fn_set_string(&f->update_reason, reason);
	fn_set_string(&f->update_reason_code, code);
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
