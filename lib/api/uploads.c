/* uploads.c - see uploads.h. */
#include "api/uploads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/containers.h"
#include "api/receive.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "image/blobs.h"
#include "model/limits.h"
#include "env/code.h"
#include "runtime/pulls.h"
#include "store/images.h"

#define GARBAGE_EVERY_US 500000u
#define CODE_STORAGE "Code storage limit exceeded."
#define EMPTY_ZIP "Uploaded file must be a non-empty zip"

struct garbage {
	struct fn_list link;
	char sha256[65];
};

bool fn_upload_busy(struct fn_api *api, const char *name)
{
	fn_list_for_each(l, &api->uploads)
	{
		const struct fn_upload *u = fn_list_entry(l, struct fn_upload, link);

		if (u->f && fn_streq(u->f->name, name))
			return true;
	}
	return false;
}

static const char *sha256_of(const struct fn_upload *u) { return u->f ? u->f->code_sha256 : u->layer->code_sha256; }

static void blob_of(const char *sha256, char ret[FN_STORE_TREE_SIZE]) { snprintf(ret, FN_STORE_TREE_SIZE, "blob-%s", sha256); }

static void tree_of(const struct fn_upload *u, char ret[FN_STORE_TREE_SIZE])
{
	snprintf(ret, FN_STORE_TREE_SIZE, "%s-%s", u->f ? "code" : "layer", sha256_of(u));
}

/* What is there already takes no more. */
static bool has_room(const struct fn_api_config *cfg, const struct fn_package_result *zip)
{
	char blob[FN_STORE_TREE_SIZE];

	blob_of(zip->sha256, blob);
	return fn_store_tree_refs(cfg->store, blob) > 0 || fn_store_tree(cfg->store, blob) || fn_disk_room(cfg->disk, zip->size);
}

uint64_t fn_upload_max(const struct fn_api *api, const struct fn_aws_operation *o)
{
	if (o && fn_aws_op_of(o) == FN_AWS_ImportLayer) /* where it was made it came from S3 */
		return FN_LIMIT_UNZIPPED_BYTES;
	return api->cfg.package_max ? api->cfg.package_max : FN_LIMIT_ZIP_BYTES;
}

bool fn_upload_read(struct fn_call *call, json_t *code, char ret_sha256[65], int64_t *ret_size)
{
	const struct fn_package *p = fn_receive_package(call->req);
	const struct fn_package_result *zip = p ? fn_package_result(p) : NULL;
	const struct fn_api_config *cfg = &call->api->cfg;

	if (!zip || !zip->found || (!zip->fetched && !json_is_string(json_object_get(code, "ZipFile")))) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Please provide a source for function code.");
		return false;
	}
	if (!zip->valid) {
		fn_reply_error(call, &FN_E_INVALID_CONTENT, "Could not parse request body into json: ZipFile is not valid base64");
		return false;
	}
	if (!zip->fetched && zip->size > fn_upload_max(call->api, call->operation)) {
		fn_reply_error(call, &FN_E_ENTITY_TOO_LARGE, "Zipped size must be smaller than %llu bytes", (unsigned long long)fn_upload_max(call->api, call->operation));
		return false;
	}
	if (zip->size == 0) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, EMPTY_ZIP);
		return false;
	}
	if (fn_store_code_bytes(cfg->store) + (int64_t)zip->size > FN_LIMIT_CODE_STORAGE_BYTES || !has_room(cfg, zip)) {
		fn_reply_error(call, &FN_E_CODE_STORAGE, CODE_STORAGE);
		return false;
	}
	memcpy(ret_sha256, zip->sha256, sizeof(zip->sha256));
	*ret_size = (int64_t)zip->size;
	return true;
}

/* For a package that could not be unpacked. */
static void reply_error(struct fn_call *call, const struct fn_err *err)
{
	int code = err->kind == FN_ERR_PACKAGE ? err->code : 0;
	char text[512];

	if (code) /* the service says no more than this */
		fn_log_info("a package is refused: %s", err->msg);
	if (code == EINVAL)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Could not unzip uploaded file. Please check your file, then try to upload again.");
	else if (code == ENODATA)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, EMPTY_ZIP);
	else if (code == EFBIG)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Unzipped size must be smaller than %d bytes", FN_LIMIT_UNZIPPED_BYTES);
	else if (code == E2BIG)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "fnd unpacks at most %d files of a package", FN_LIMIT_ENTRIES);
	else
		fn_reply_error(call, &FN_E_SERVICE, "%s", fn_err_format(err, text, sizeof(text)));
}

void fn_upload_end(struct fn_upload *u)
{
	struct fn_api *api = u->call.api;

	fn_list_remove(&u->link);
	if (u->f)
		fn_upload_forget_all(api, u->f); /* its layers may have been deleted meanwhile */
	else
		fn_upload_forget(api, u->layer->code_sha256);
	fn_function_unref(u->f);
	fn_layer_version_unref(u->layer);
	free(u);
}

static void on_unpacked(void *arg, const struct fn_err *err, uint64_t bytes)
{
	struct fn_upload *u = arg;
	const struct fn_api_config *cfg = &u->call.api->cfg;
	char tree[FN_STORE_TREE_SIZE];
	bool full = false;

	tree_of(u, tree);
	if (!err && bytes > 0) { /* it is new */
		(void)fn_disk_made(cfg->disk, tree, bytes);
		full = !fn_disk_room(cfg->disk, 0);
	} else if (!err) {
		bytes = (uint64_t)fn_disk_made(cfg->disk, tree, 0);
	}
	if (err || full) {
		if (err)
			reply_error(&u->call, err);
		else
			fn_reply_error(&u->call, &FN_E_CODE_STORAGE, CODE_STORAGE);
		fn_upload_end(u);
		return;
	}
	*(u->f ? &u->f->unpacked_size : &u->layer->unpacked_size) = (int64_t)bytes;
	u->turn = (struct fn_store_turn){.function = u->f ? u->f->name : fn_store_layer_turn(u->layer->layer, u->turn_of), .fn = u->store, .arg = u};
	fn_store_wait(cfg->store, &u->turn);
}

/* The package is kept. */
static void on_stored(void *arg, const struct fn_err *failed)
{
	struct fn_upload *u = arg;
	struct fn_api *api = u->call.api;
	struct fn_err err;
	int r;

	if (failed) {
		on_unpacked(u, failed, 0);
		return;
	}
	r = u->f ? fn_code_unpack(api->cfg.spawn, api->cfg.state_dir, u->f->code_sha256, on_unpacked, u)
		 : fn_layer_unpack(api->cfg.spawn, api->cfg.state_dir, u->layer->code_sha256, on_unpacked, u);
	if (r < 0) {
		fn_err_set(&err, r, "unpack", r == -ECONNRESET ? "fn-spawnd is restarting; try again" : "read the stored package");
		on_unpacked(u, &err, 0);
	}
}

/* The package and its tree have their rows. */
static void on_noted(void *arg, const struct fn_err *failed)
{
	struct fn_upload *u = arg;

	if (failed)
		on_unpacked(u, failed, 0);
	else
		fn_package_store(fn_receive_package(u->call.req), on_stored, u);
}

struct fn_upload *fn_upload_new(struct fn_call *call, void (*store)(void *upload))
{
	struct fn_upload *u = calloc(1, sizeof(*u));

	if (!u) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return NULL;
	}
	u->call = fn_call_keep(call, false);
	u->store = store;
	return u;
}

void fn_upload_start(struct fn_upload *u)
{
	struct fn_api *api = u->call.api;
	char blob[FN_STORE_TREE_SIZE], tree[FN_STORE_TREE_SIZE];
	const struct fn_disk_new what[] = {{blob, u->f ? u->f->code_size : u->layer->code_size}, {tree, 0}};
	struct fn_err err;

	blob_of(sha256_of(u), blob);
	tree_of(u, tree);
	fn_list_push_back(&api->uploads, &u->link);
	if (fn_disk_make(api->cfg.disk, what, 2, on_noted, u, &err) < 0)
		on_noted(u, &err);
}

static void on_image_noted(void *arg, const struct fn_err *err)
{
	struct fn_upload *u = arg;

	if (err) {
		reply_error(&u->call, err);
		fn_upload_end(u);
		return;
	}
	u->turn = (struct fn_store_turn){.function = u->f->name, .fn = u->store, .arg = u};
	fn_store_wait(u->call.api->cfg.store, &u->turn);
}

void fn_upload_start_image(struct fn_upload *u)
{
	struct fn_api *api = u->call.api;
	struct fn_err err;

	fn_list_push_back(&api->uploads, &u->link);
	if (fn_store_put_image(api->cfg.store, u->f->image, on_image_noted, u, &err) < 0)
		on_image_noted(u, &err);
}

/* --- garbage --- */
/* What a package is on the disk. */
static const char *const kinds[] = {"code", "layer", "blob"};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool named(struct fn_api *api, const char *kind, const char *sha)
{
	char tree[FN_STORE_TREE_SIZE];

	snprintf(tree, sizeof(tree), "%s-%s", kind, sha);
	return fn_store_tree_refs(api->cfg.store, tree) > 0 || !fn_store_tree(api->cfg.store, tree);
}

static bool all_named(struct fn_api *api, const char *sha)
{
	bool all = true;

	for (size_t i = 0; i < KINDS; i++)
		all &= named(api, kinds[i], sha);
	return all && (!fn_store_image(api->cfg.store, sha) || fn_store_image_refs(api->cfg.store, sha) > 0);
}

/* By an environment, or by what is on its way to be stored. */
static bool in_use(struct fn_api *api, const char *sha)
{
	const struct fn_image *image = fn_store_image(api->cfg.store, sha);

	if (fn_invoker_uses_code(api->cfg.invoker, sha) || (image && fn_pulls_busy(api->cfg.pulls, image)))
		return true;
	fn_list_for_each(l, &api->uploads)
	{
		const struct fn_upload *u = fn_list_entry(l, struct fn_upload, link);

		if (u->f ? fn_function_needs(u->f, sha) : fn_streq(u->layer->code_sha256, sha))
			return true;
	}
	return false;
}

static void on_garbage_timer(void *arg)
{
	struct fn_api *api = arg;
	char tree[FN_TREE_NAME_SIZE];

	fn_list_for_each_safe(l, &api->garbage)
	{
		struct garbage *g = fn_list_entry(l, struct garbage, link);

		if (!all_named(api, g->sha256) && in_use(api, g->sha256))
			continue;
		for (size_t i = 0; i < KINDS; i++) {
			snprintf(tree, sizeof(tree), "%s-%s", kinds[i], g->sha256);
			if (!named(api, kinds[i], g->sha256))
				fn_disk_remove(api->cfg.disk, tree);
		}
		if (fn_store_image(api->cfg.store, g->sha256) && fn_store_image_refs(api->cfg.store, g->sha256) == 0)
			fn_container_collect(api, g->sha256);
		fn_list_remove(l);
		free(g);
	}
	if (!fn_list_empty(&api->garbage))
		(void)fn_loop_rearm_timer(api->cfg.loop, api->garbage_timer, fn_loop_now_us(api->cfg.loop) + GARBAGE_EVERY_US);
}

void fn_upload_forget(struct fn_api *api, const char *sha)
{
	struct garbage *g;

	if (!*sha || all_named(api, sha))
		return;
	fn_list_for_each(l, &api->garbage)
		if (fn_streq(fn_list_entry(l, struct garbage, link)->sha256, sha))
			return;
	g = calloc(1, sizeof(*g));
	if (!g)
		return; /* the next start finds it */
	snprintf(g->sha256, sizeof(g->sha256), "%s", sha);
	fn_list_push_back(&api->garbage, &g->link);
	(void)fn_loop_rearm_timer(api->cfg.loop, api->garbage_timer, 0);
}

void fn_upload_forget_all(struct fn_api *api, const struct fn_function *f)
{
	fn_upload_forget(api, f->code_sha256);
	if (f->image_before)
		fn_upload_forget(api, f->image_before->sha256);
	for (size_t i = 0; i < f->n_layers; i++)
		fn_upload_forget(api, f->layers[i].sha256);
}

int fn_uploads_open(struct fn_api *api, struct fn_err *err)
{
	int r;

	fn_list_init(&api->uploads);
	fn_list_init(&api->garbage);
	r = fn_loop_add_timer(api->cfg.loop, UINT64_MAX, on_garbage_timer, api, &api->garbage_timer);
	return r < 0 ? fn_err_set(err, r, "api", "timer") : 0;
}

void fn_uploads_close(struct fn_api *api)
{
	fn_loop_clear(api->cfg.loop, &api->garbage_timer);
	while (!fn_list_empty(&api->garbage)) {
		struct fn_list *l = fn_list_first(&api->garbage);

		fn_list_remove(l);
		free(fn_list_entry(l, struct garbage, link));
	}
}
