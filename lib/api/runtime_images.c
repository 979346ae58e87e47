/*
 * runtime_images.c - a container image of the layout of AWS's base images (/var/runtime/bootstrap, /lambda-entrypoint.sh) becomes the managed runtime of a name, for
 * zip functions: PUT and DELETE /_fnd/runtimes/NAME/image. The image has the name runtime/NAME here as long.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/containers.h"
#include "api/uploads.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "model/env.h"
#include "runtime/pulls.h"
#include "store/images.h"

struct change {
	struct fn_call call;
	struct fn_image *image; /* NULL: it goes */
	struct fn_oci_ref ref;
	char runtime[64], name[128], old[65], path[PATH_MAX], root[PATH_MAX];
	char *text;
	struct fn_job job;
	int result;
	struct fn_err failed;
};

static void end(struct change *c)
{
	if (c->image)
		fn_upload_forget(c->call.api, c->image->sha256);
	if (*c->old)
		fn_upload_forget(c->call.api, c->old);
	fn_image_unref(c->image);
	free(c->text);
	free(c);
}

static void refuse(struct change *c, const struct fn_err *err)
{
	bool theirs = err->code == EINVAL || err->code == EFBIG || err->code == E2BIG || err->code == EBADMSG;

	fn_reply_error(&c->call, theirs ? &FN_E_INVALID_PARAMETER : &FN_E_SERVICE, "%s: %s", c->runtime, err->msg);
	end(c);
}

/* AWS_EXECUTION_ENV and what else Lambda reserves is the platform's; of the rest what the image says goes before its own. */
static char *manifest(const struct change *c, const char *reference)
{
	json_t *env = json_object(), *o;
	int64_t size = 0;
	char *text;

	for (char **e = c->image->env; e && *e; e++) {
		char name[FN_ENV_NAME_SIZE];
		const char *value = fn_env_of_image(*e, name);

		if (value)
			json_object_set_new(env, name, json_string(value));
	}
	for (size_t i = 0; i < c->image->n_layers; i++)
		size += c->image->layers[i].size;
	o = json_pack("{s:s+,s:[s],s:I,s:s,s:s,s:{s:s+,s:[s,s],s:s,s:b,s:o}}", "name", "oci-", c->runtime, "layers", c->image->root, "size", (json_int_t)size, "reference",
		      reference, "sha256", c->image->sha256, "runtime", "image", "oci-", c->runtime, "exec", "/var/runtime/bootstrap", "/lambda-entrypoint.sh", "version", c->runtime,
		      "handler_required", (int)!fn_str_starts(c->runtime, "provided"), "env", env);
	text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
	json_decref(o);
	return text;
}

static void run_later(struct change *c, void (*run)(struct fn_job *), void (*done)(struct fn_job *))
{
	c->job = (struct fn_job){.run = run, .done = done};
	fn_jobs_post(c->call.api->cfg.jobs, &c->job);
}

/* In a thread. */
static void look_at_it(struct fn_job *job)
{
	struct change *c = fn_list_entry(job, struct change, job);
	fn_auto_fd int root = open(c->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		c->result = -errno;
	else if (faccessat(root, "var/runtime/bootstrap", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && faccessat(root, "lambda-entrypoint.sh", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		c->result = -ENOEXEC;
}

/* In a thread. */
static void write_it(struct fn_job *job)
{
	struct change *c = fn_list_entry(job, struct change, job);

	if (c->image)
		c->result = fn_file_replace(AT_FDCWD, c->path, c->text, strlen(c->text), 0644);
	else
		c->result = unlink(c->path) < 0 ? -errno : 0;
}

static void finish(struct change *c)
{
	if (c->failed.code) {
		refuse(c, &c->failed);
		return;
	}
	fn_snapshots_look(c->call.api->cfg.snapshots);
	fn_reply_json(&c->call, 200, json_pack("{ss,ss*}", "Runtime", c->runtime, "Digest", c->image ? c->image->sha256 : NULL));
	end(c);
}

static void on_renamed(void *arg, const struct fn_err *err)
{
	(void)err; /* a name too many holds its image's files, no more */
	finish(arg);
}

static void on_written(struct fn_job *job)
{
	struct change *c = fn_list_entry(job, struct change, job);
	struct fn_api *api = c->call.api;
	struct fn_err err = {0};
	int r = 1;

	if (c->result < 0)
		fn_err_set(&err, c->result, "runtime", "%.200s", c->path);
	else if (fn_runtimes_rescan(api->cfg.runtimes, &err) == 0)
		err.code = 0;
	c->failed = err;
	/* Where it failed the name is again what it was. Else, with the image, nobody needs it by that name; who has the answer finds it gone. */
	if (err.code && *c->old)
		r = fn_store_name_image(api->cfg.store, c->name, c->old, fn_clock_real_us(), on_renamed, c, &err);
	else if (err.code || !c->image)
		r = fn_store_unname_image(api->cfg.store, c->name, on_renamed, c, &err);
	if (r != 0)
		finish(c);
}

static void on_named(void *arg, const struct fn_err *err)
{
	if (err)
		refuse(arg, err);
	else
		run_later(arg, write_it, on_written);
}

/* Only what can be a runtime takes the name, for the image that has it may be one that functions run on. */
static void on_looked_at(struct fn_job *job)
{
	struct change *c = fn_list_entry(job, struct change, job);
	struct fn_store *store = c->call.api->cfg.store;
	const struct fn_image_name *before = fn_store_image_name(store, c->name);
	struct fn_err err = {0};

	if (c->result == -ENOEXEC)
		fn_err_set(&err, EINVAL, "runtime", "the image has neither /var/runtime/bootstrap nor /lambda-entrypoint.sh: it is none of the layout of AWS's base images");
	else if (c->result < 0)
		fn_err_set(&err, c->result, "runtime", "%.200s", c->root);
	if (before)
		snprintf(c->old, sizeof(c->old), "%s", before->sha256);
	if (err.code || fn_store_name_image(store, c->name, c->image->sha256, fn_clock_real_us(), on_named, c, &err) < 0)
		refuse(c, &err);
}

static void on_pulled(void *arg, const struct fn_err *failed)
{
	if (failed)
		refuse(arg, failed);
	else
		run_later(arg, look_at_it, on_looked_at);
}

static void on_noted(void *arg, const struct fn_err *err)
{
	struct change *c = arg;

	if (err)
		refuse(c, err);
	else
		fn_pulls_get(c->call.api->cfg.pulls, c->image, &c->ref, on_pulled, c);
}

/* The name of a runtime, as it is one of a file's. Replies and returns NULL when it is none. */
static struct change *begin(struct fn_call *call)
{
	const char *state = fn_disk_config(call->api->cfg.disk)->state_dir, *name = call->params[0];
	struct change *c;

	if (!*name || strlen(name) > 40 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != strlen(name) || *name == '.') {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "\"%.60s\" is no name that a runtime can have", name);
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return NULL;
	}
	c->call = fn_call_keep(call, false);
	snprintf(c->runtime, sizeof(c->runtime), "%s", name);
	snprintf(c->name, sizeof(c->name), "runtime/%s:latest", name);
	snprintf(c->path, sizeof(c->path), "%s/images/oci-%s.json", state, name);
	return c;
}

static void add_resolved(struct fn_call *call, struct fn_image *image)
{
	const char *reference = json_string_value(json_object_get(call->in, "Image"));
	struct change *c = begin(call);
	struct fn_err err;

	if (!c)
		return;
	c->image = fn_image_ref(image);
	(void)fn_oci_ref_parse(reference, &c->ref);
	snprintf(c->root, sizeof(c->root), "%s/roots/%s", call->api->cfg.state_dir, image->root);
	c->text = manifest(c, reference);
	if (!c->text)
		fn_err_set(&err, EINVAL, "runtime", "the image's environment is no text");
	if (!c->text || fn_store_put_image(call->api->cfg.store, image, on_noted, c, &err) < 0)
		refuse(c, &err);
}

void fn_h_runtime_image(struct fn_call *call)
{
	const char *reference = json_string_value(json_object_get(call->in, "Image"));

	if (fn_str_empty(reference))
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "{\"Image\": the name of a container image}");
	else
		fn_container_resolve(call, reference, add_resolved);
}

void fn_h_runtime_image_remove(struct fn_call *call)
{
	const struct fn_image_name *n;
	struct change *c = begin(call);

	if (!c)
		return;
	n = fn_store_image_name(call->api->cfg.store, c->name);
	if (!n) {
		fn_reply_error(call, &FN_E_NOT_FOUND, "%s is no runtime made of a container image", c->runtime);
		free(c);
		return;
	}
	snprintf(c->old, sizeof(c->old), "%s", n->sha256);
	run_later(c, write_it, on_written);
}
