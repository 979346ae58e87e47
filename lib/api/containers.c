/* containers.c - see containers.h. */
#include "api/containers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/pulls.h"
#include "runtime/resolver.h"
#include "store/images.h"

#define AT_ONCE 64

struct resolving {
	struct fn_list link; /* of the api's */
	struct fn_call call;
	fn_container_fn go_on;
	char uri[1024];
};

/* --- what a request says --- */
bool fn_container_source_fits(struct fn_call *call, bool image, bool created, json_t *code)
{
	bool uri = json_object_get(code, "ImageUri"), zip = json_object_get(code, "ZipFile") || json_object_get(code, "S3Bucket") || json_object_get(code, "S3Key");
	const char *what = created ? "creating" : "updating";

	if (image && (zip || !uri))
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Please provide ImageUri when %s a function with packageType Image.", what);
	else if (!image && uri)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Please don't provide ImageUri when %s a function with packageType Zip.", what);
	else
		return true;
	return false;
}

/* Given members replace all that there was; with none of them there is none. */
static void apply_image_config(json_t *config, struct fn_function *f)
{
	json_t *kept = json_object(), *v;
	const char *key;
	char *text = NULL;

	json_object_foreach(config, key, v)
		if (json_array_size(v) > 0 || json_string_length(v) > 0)
			json_object_set(kept, key, v);
	if (json_object_size(kept) > 0)
		text = json_dumps(kept, JSON_COMPACT);
	json_decref(kept);
	fn_set_string(&f->image_config, text);
	free(text);
}

bool fn_container_apply(struct fn_call *call, struct fn_function *f)
{
	json_t *in = call->in, *config = json_object_get(in, "ImageConfig");

	if (!f->image_uri) {
		if (json_object_size(config) > 0)
			fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Please don't provide ImageConfig when the intended function PackageType is Zip.");
		return json_object_size(config) == 0;
	}
	if (json_object_get(in, "Runtime") || json_object_get(in, "Handler") || json_array_size(json_object_get(in, "Layers")) > 0) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.");
		return false;
	}
	if (config)
		apply_image_config(config, f);
	return true;
}

/* --- which image --- */
static void end(struct resolving *r)
{
	r->call.api->n_resolving--;
	fn_list_remove(&r->link);
	json_decref(r->call.in);
	free(r);
}

void fn_containers_close(struct fn_api *api)
{
	fn_list_for_each_safe(l, &api->resolving) end(fn_list_entry(l, struct resolving, link));
}

static void refuse(struct fn_call *call, const char *uri, const struct fn_err *err)
{
	fn_log_warn("image %.200s: %s", uri, err->msg);
	if (err->code == ENOENT)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Source image %s does not exist. Provide a valid source image.", uri);
	else if (err->code == EACCES)
		fn_reply_error(call, &FN_E_ACCESS_DENIED, "Lambda does not have permission to access the image %s. %s", uri, err->msg);
	else if (err->code == EINVAL || err->code == EBADMSG || err->code == EFBIG)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "The image manifest, config or layer media type for the source image %s is not supported: %s", uri, err->msg);
	else if (err->code == ENOMEM || err->code == ECONNRESET)
		fn_reply_error(call, &FN_E_SERVICE, "Source image %s: %s", uri, err->msg);
	else
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Source image %s cannot be fetched: %s", uri, err->msg);
}

static void on_resolved(void *arg, const struct fn_err *err, struct fn_image *image)
{
	struct resolving *r = arg;

	if (err)
		refuse(&r->call, r->uri, err);
	else
		r->go_on(&r->call, image);
	fn_image_unref(image);
	end(r);
}

/* One that was brought here; or that is named by a digest and is here, whoever fetched it. */
static struct fn_image *at_hand(const struct fn_store *s, const struct fn_oci_ref *ref)
{
	const struct fn_image_name *n;
	struct fn_image *image;
	char name[640];

	if (ref->sha256[0]) {
		image = fn_store_image(s, ref->sha256);
		return image && fn_store_image_whole(s, image) ? image : NULL;
	}
	fn_oci_ref_name(ref, name, sizeof(name));
	n = fn_store_image_name(s, name);
	return n ? fn_store_image(s, n->sha256) : NULL;
}

void fn_container_resolve(struct fn_call *call, const char *uri, fn_container_fn go_on)
{
	struct fn_api *api = call->api;
	struct fn_image *image;
	struct fn_oci_ref ref;
	struct resolving *r;
	int rc;

	if (fn_oci_ref_parse(uri, &ref) < 0) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Source image %s is not valid. Provide a valid source image.", uri);
		return;
	}
	image = at_hand(api->cfg.store, &ref);
	if (image) {
		fn_image_ref(image);
		go_on(call, image);
		fn_image_unref(image);
		return;
	}
	if (api->n_resolving >= AT_ONCE) {
		fn_reply_error(call, &FN_E_BODIES, "Rate exceeded");
		return;
	}
	r = calloc(1, sizeof(*r));
	rc = r ? fn_resolver_ask(api->cfg.resolver, &ref, on_resolved, r) : -ENOMEM;
	if (rc < 0) {
		free(r);
		fn_reply_error(call, &FN_E_SERVICE, "fn-spawnd is restarting; try again");
		return;
	}
	r->call = fn_call_keep(call, true);
	r->go_on = go_on;
	snprintf(r->uri, sizeof(r->uri), "%s", uri);
	api->n_resolving++;
	fn_list_push_back(&api->resolving, &r->link);
}

/* --- words --- */
const char *fn_container_reason_code(const struct fn_err *err)
{
	switch (err->code) {
	case ENOENT:
		return "ImageDeleted";
	case EACCES:
		return "ImageAccessDenied";
	case EINVAL:
	case EFBIG:
	case E2BIG:
	case EBADMSG:
		return "InvalidImage";
	default:
		return "InternalError";
	}
}

char *fn_container_resolved_uri(const struct fn_function *f)
{
	char base[1024], *text;

	if (fn_oci_ref_base(f->image_uri, base, sizeof(base)) < 0 || asprintf(&text, "%s@sha256:%s", base, f->code_sha256) < 0)
		return NULL;
	return text;
}

/* --- going --- */
struct going {
	struct fn_api *api;
	struct fn_image *image;
};

static void drop_tree(struct fn_api *api, const char *tree)
{
	if (fn_store_tree_refs(api->cfg.store, tree) == 0)
		fn_disk_remove(api->cfg.disk, tree);
}

static void on_deleted(void *arg, const struct fn_err *err)
{
	struct going *g = arg;
	char tree[FN_IMAGE_TREE_SIZE], text[512];

	if (err) {
		fn_log_warn("image %.12s...: %s", g->image->sha256, fn_err_format(err, text, sizeof(text)));
	} else {
		drop_tree(g->api, g->image->root);
		for (size_t i = 0; i < g->image->n_layers; i++)
			drop_tree(g->api, fn_image_layer_tree(&g->image->layers[i], tree));
	}
	fn_image_unref(g->image);
	free(g);
}

void fn_container_collect(struct fn_api *api, const char *sha256)
{
	struct fn_image *image = fn_store_image(api->cfg.store, sha256);
	struct going *g = image ? calloc(1, sizeof(*g)) : NULL;
	struct fn_err err;

	if (!g)
		return; /* the next start finds it */
	g->api = api;
	g->image = fn_image_ref(image);
	if (fn_store_delete_image(api->cfg.store, sha256, on_deleted, g, &err) < 0)
		on_deleted(g, &err);
}
