/* rows.c - a snapshot as a row: what is searched for in columns of its own, the rest in one column of JSON. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/internal.h"

#define STRINGS(X)                                                                                                                \
	X(runtime) X(role) X(handler) X(description) X(architecture) X(tracing_mode) X(app_log_level)                              \
	X(system_log_level) X(log_group) X(tags_json) X(state_reason) X(state_reason_code) X(update_reason) X(update_reason_code)          \
	X(latest_description) X(snapshot_tree) X(snapshot_host) X(snapshot_off) X(snapshot_plain) X(image_uri) X(image_config) X(image_uri_before) X(dead_letter_arn) X(runtime_version)
#define NUMBERS(X)                                                                                                                \
	X(unpacked_size) X(memory_mb) X(timeout_s) X(ephemeral_mb) X(last_modified_us) X(state) X(update_status) X(generation) X(has_env) X(snap_start) X(per_tenant) X(runtime_updates)

static char *encode(const struct fn_function *f)
{
	json_t *o = json_object();
	char *text;

#define PUT_STRING(m)   \
	if (f->m)       \
		json_object_set_new(o, #m, json_string(f->m));
	STRINGS(PUT_STRING)
#define PUT_NUMBER(m) json_object_set_new(o, #m, json_integer((json_int_t)f->m));
	NUMBERS(PUT_NUMBER)
	if (f->image)
		json_object_set_new(o, "image", json_true());
	if (f->image_before)
		json_object_set_new(o, "image_before", json_string(f->image_before->sha256));
	json_object_set_new(o, "revision_id", json_string(f->revision_id));
	json_object_set_new(o, "log_format", json_string(f->json_log ? "JSON" : "Text"));
	if (f->n_env) {
		json_t *env = json_array();

		for (size_t i = 0; i < f->n_env; i++)
			json_array_append_new(env, json_pack("[ss]", f->env[i].name, f->env[i].value));
		json_object_set_new(o, "env", env);
	}
	if (f->n_layers) {
		json_t *layers = json_array();

		for (size_t i = 0; i < f->n_layers; i++)
			json_array_append_new(layers, json_pack("{ss,ss,sI,sI}", "arn", f->layers[i].arn, "sha256", f->layers[i].sha256, "code_size",
								(json_int_t)f->layers[i].code_size, "unpacked_size", (json_int_t)f->layers[i].unpacked_size));
		json_object_set_new(o, "layers", layers);
	}
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

static int decode_layers(json_t *list, struct fn_function *f)
{
	struct fn_function_layer layers[FN_LAYERS_MAX] = {0};
	const char *sha256;
	json_t *l;
	size_t i;

	if (json_array_size(list) > FN_LAYERS_MAX)
		return -EBADMSG;
	json_array_foreach(list, i, l) {
		layers[i].arn = (char *)json_string_value(json_object_get(l, "arn"));
		sha256 = json_string_value(json_object_get(l, "sha256"));
		if (!layers[i].arn || !sha256)
			return -EBADMSG;
		snprintf(layers[i].sha256, sizeof(layers[i].sha256), "%s", sha256);
		layers[i].code_size = json_integer_value(json_object_get(l, "code_size"));
		layers[i].unpacked_size = json_integer_value(json_object_get(l, "unpacked_size"));
	}
	return fn_function_set_layers(f, layers, json_array_size(list));
}

/* Which are in a table of their own, and in memory before the functions. */
static int decode_images(const struct fn_store *s, json_t *o, struct fn_function *f)
{
	const char *before = json_string_value(json_object_get(o, "image_before"));

	if (!json_object_get(o, "image"))
		return 0;
	fn_function_set_image(&f->image, fn_map_get(s->images, f->code_sha256));
	if (before)
		fn_function_set_image(&f->image_before, fn_map_get(s->images, before));
	return f->image && (!before || f->image_before) ? 0 : -EBADMSG;
}

static int decode(const struct fn_store *s, const char *text, struct fn_function *f)
{
	json_t *o = json_loads(text, 0, NULL), *v, *env;
	int r;

	if (!o)
		return -EBADMSG;
#define GET_STRING(m) f->m = fn_strdup_opt(json_string_value(json_object_get(o, #m)));
	STRINGS(GET_STRING)
#define GET_NUMBER(m) f->m = (__typeof__(f->m))json_integer_value(json_object_get(o, #m));
	NUMBERS(GET_NUMBER)
	v = json_object_get(o, "revision_id");
	snprintf(f->revision_id, sizeof(f->revision_id), "%s", json_is_string(v) ? json_string_value(v) : "");
	v = json_object_get(o, "log_format");
	f->json_log = fn_streq(json_string_value(v), "JSON");
	env = json_object_get(o, "env");
	f->env = calloc(json_array_size(env) + 1, sizeof(*f->env));
	for (size_t i = 0; f->env && i < json_array_size(env); i++) {
		json_t *pair = json_array_get(env, i);
		const char *name = json_string_value(json_array_get(pair, 0)), *value = json_string_value(json_array_get(pair, 1));

		if (!name || !value)
			continue;
		f->env[f->n_env].name = strdup(name);
		f->env[f->n_env++].value = strdup(value);
	}
	r = decode_layers(json_object_get(o, "layers"), f);
	if (r == 0)
		r = decode_images(s, o, f);
	json_decref(o);
	return f->env ? r : -ENOMEM;
}

int fn_row_write(sqlite3 *db, const struct fn_function *f, struct fn_err *err)
{
	char *config = encode(f);
	int r;

	if (!config)
		return fn_err_set(err, ENOMEM, "store function", NULL);
	r = fn_db_run(db, err, "INSERT OR REPLACE INTO functions(name, version, code_sha256, code_size, config) VALUES(?1,?2,?3,?4,?5)", "sssis",
		      f->name, f->version, f->code_sha256, f->code_size, config);
	free(config);
	return r;
}

int fn_rows_delete_of(sqlite3 *db, const char *function, const char *qualifier, struct fn_err *err)
{
	int r = fn_db_run(db, err, "DELETE FROM policies WHERE function=?1 AND qualifier=?2", "ss", function, qualifier);

	if (r == 0)
		r = fn_db_run(db, err, "DELETE FROM provisioned WHERE function=?1 AND qualifier=?2", "ss", function, qualifier);
	return r < 0 ? r : fn_rows_tell(db, function, qualifier, err);
}

int fn_row_read(const struct fn_store *s, sqlite3_stmt *st, struct fn_function **ret)
{
	struct fn_function *f = fn_function_new();
	int r;

	if (!f)
		return -ENOMEM;
	f->name = fn_strdup_opt((const char *)sqlite3_column_text(st, 0));
	f->version = fn_strdup_opt((const char *)sqlite3_column_text(st, 1));
	snprintf(f->code_sha256, sizeof(f->code_sha256), "%s", (const char *)sqlite3_column_text(st, 2));
	f->code_size = sqlite3_column_int64(st, 3);
	r = f->name && f->version ? decode(s, (const char *)sqlite3_column_text(st, 4), f) : -ENOMEM;
	if (r < 0)
		fn_function_unref(f);
	else
		*ret = f;
	return r;
}
