/* imports.c - container images that are brought here, and have names: /_fnd/images/... */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/containers.h"
#include "api/layer_coming.h"
#include "api/receive.h"
#include "api/uploads.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "image/digest.h"
#include "runtime/pulls.h"
#include "store/images.h"

static void refuse(struct fn_call *call, const char *what, const struct fn_err *err)
{
	bool theirs = err->code == EINVAL || err->code == EFBIG || err->code == E2BIG || err->code == EBADMSG || err->code == ENODATA;

	if (err->code == EDQUOT)
		fn_reply_error(call, &FN_E_CODE_STORAGE, "Code storage limit exceeded.");
	else
		fn_reply_error(call, theirs ? &FN_E_INVALID_PARAMETER : &FN_E_SERVICE, "%s: %s", what, err->msg);
}

/* PUT /_fnd/images/layers/SHA256 */
void fn_h_image_layer(struct fn_call *call)
{
	const struct fn_layer_coming *c = fn_receive_layer(call->req);

	if (!c)
		fn_reply_error(call, &FN_E_BODIES, "%s", "Rate exceeded");
	else if (fn_layer_coming_error(c))
		refuse(call, "The layer is refused", fn_layer_coming_error(c));
	else
		fn_reply_json(call, 200, json_pack("{ss}", "Sha256", call->params[0]));
}

/* --- an image --- */
struct import {
	struct fn_call call;
	struct fn_image *image;
	struct fn_oci_ref ref;
	bool anywhere; /* ref is where its layers are */
	char name[640];
};

static void end(struct import *i)
{
	fn_upload_forget(i->call.api, i->image->sha256);
	fn_image_unref(i->image);
	free(i);
}

static int64_t bytes_of(const struct fn_store *s, const struct fn_image *image)
{
	char tree[FN_IMAGE_TREE_SIZE];
	int64_t bytes = 0;

	for (size_t k = 0; k < image->n_layers; k++) {
		const struct fn_tree *t = fn_store_tree(s, fn_image_layer_tree(&image->layers[k], tree));

		bytes += t ? t->bytes : 0;
	}
	return bytes;
}

static json_t *describe(const struct fn_store *s, const char *name, const struct fn_image *image)
{
	return json_pack("{ss,ss,si,sI}", "Name", name, "Digest", image->sha256, "Layers", (int)image->n_layers, "Bytes", (json_int_t)bytes_of(s, image));
}

static void on_named(void *arg, const struct fn_err *err)
{
	struct import *i = arg;

	if (err)
		refuse(&i->call, i->name, err);
	else
		fn_reply_json(&i->call, 200, describe(i->call.api->cfg.store, i->name, i->image));
	end(i);
}

static void on_pulled(void *arg, const struct fn_err *failed)
{
	struct import *i = arg;
	const struct fn_image_name *before = fn_store_image_name(i->call.api->cfg.store, i->name);
	char old[65] = "";
	struct fn_err err;

	if (failed) {
		refuse(&i->call, i->name, failed);
		end(i);
		return;
	}
	if (before)
		snprintf(old, sizeof(old), "%s", before->sha256);
	if (fn_store_name_image(i->call.api->cfg.store, i->name, i->image->sha256, fn_clock_real_us(), on_named, i, &err) < 0)
		on_named(i, &err);
	else if (*old)
		fn_upload_forget(i->call.api, old);
}

static void on_noted(void *arg, const struct fn_err *err)
{
	struct import *i = arg;

	if (err)
		on_pulled(i, err);
	else
		fn_pulls_get(i->call.api->cfg.pulls, i->image, i->anywhere ? &i->ref : NULL, on_pulled, i);
}

static void bring(struct fn_call *call, const char *name, struct fn_image *image, const struct fn_oci_ref *from)
{
	struct import *i = calloc(1, sizeof(*i));
	struct fn_err err;

	if (!i) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	i->call = fn_call_keep(call, false);
	i->image = fn_image_ref(image);
	snprintf(i->name, sizeof(i->name), "%s", name);
	if (from)
		i->ref = *from;
	i->anywhere = from;
	if (fn_store_put_image(call->api->cfg.store, image, on_noted, i, &err) < 0)
		on_noted(i, &err);
}

/* Those that are not here yet, as a reply; false: all are. */
static bool reply_missing(struct fn_call *call, const struct fn_image *image)
{
	json_t *list = json_array();
	char tree[FN_IMAGE_TREE_SIZE];

	for (size_t k = 0; k < image->n_layers; k++)
		if (!fn_store_tree_ready(call->api->cfg.store, fn_image_layer_tree(&image->layers[k], tree)))
			json_array_append_new(list, json_string(image->layers[k].sha256));
	if (json_array_size(list) == 0) {
		json_decref(list);
		return false;
	}
	fn_reply_json(call, 200, json_pack("{so}", "Missing", list));
	return true;
}

static const char *text_of(const struct fn_call *call, const char *key)
{
	const char *text = json_string_value(json_object_get(call->in, key));

	return text ? text : "";
}

/* The name as it is kept; false: it is none, and the call is answered. */
static bool name_of(struct fn_call *call, const char *text, char *ret, size_t size)
{
	struct fn_oci_ref ref;

	if (fn_oci_ref_parse(text, &ref) < 0 || ref.sha256[0]) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "\"%.200s\" is no name that an image can have here: [HOST/]NAME[:TAG]", text);
		return false;
	}
	fn_oci_ref_name(&ref, ret, size);
	return true;
}

static void import_texts(struct fn_call *call, const char *name)
{
	json_t *manifest = json_object_get(call->in, "Manifest"), *config = json_object_get(call->in, "Config");
	char sha256[FN_SHA256_HEX], config_sha256[FN_SHA256_HEX];
	struct fn_oci_manifest m = {0};
	struct fn_image *image = NULL;
	struct fn_err err;
	int r;

	fn_sha256_hex(json_string_value(manifest), json_string_length(manifest), sha256);
	fn_sha256_hex(json_string_value(config), json_string_length(config), config_sha256);
	r = fn_oci_manifest_parse(json_string_value(manifest), json_string_length(manifest), fn_oci_architecture(), &m, &err);
	if (r == 0 && (m.index || !fn_streq(m.config.sha256, config_sha256)))
		r = fn_err_set(&err, EINVAL, "image", m.index ? "an index is no manifest" : "the configuration is not the manifest's");
	if (r == 0)
		r = fn_oci_image(sha256, &m, json_string_value(config), json_string_length(config), &image, &err);
	if (r < 0)
		refuse(call, name, &err);
	else if (!reply_missing(call, image))
		bring(call, name, image, NULL);
	fn_image_unref(image);
	fn_oci_manifest_clear(&m);
}

static void import_resolved(struct fn_call *call, struct fn_image *image)
{
	struct fn_oci_ref ref;
	char name[640];

	if (fn_oci_ref_parse(text_of(call, "Reference"), &ref) == 0 && name_of(call, text_of(call, "Name"), name, sizeof(name)))
		bring(call, name, image, &ref);
}

/* POST /_fnd/images/import {"Name", "Manifest", "Config"}: answers with what is missing, or with the image; {"Name", "Reference"}: from a registry. */
void fn_h_image_import(struct fn_call *call)
{
	char name[640];

	if (!name_of(call, text_of(call, "Name"), name, sizeof(name)))
		return;
	if (*text_of(call, "Reference"))
		fn_container_resolve(call, text_of(call, "Reference"), import_resolved);
	else if (json_is_string(json_object_get(call->in, "Manifest")) && json_is_string(json_object_get(call->in, "Config")))
		import_texts(call, name);
	else
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "An import is {\"Name\", \"Manifest\", \"Config\"}, or {\"Name\", \"Reference\"}");
}

/* GET /_fnd/images/local */
void fn_h_images_local(struct fn_call *call)
{
	const struct fn_store *s = call->api->cfg.store;
	const struct fn_image_name *n;
	json_t *list = json_array();
	size_t it = 0;

	while ((n = fn_store_next_image_name(s, &it))) {
		const struct fn_image *image = fn_store_image(s, n->sha256);

		if (image)
			json_array_append_new(list, describe(s, n->name, image));
	}
	fn_reply_json(call, 200, json_pack("{so}", "Images", list));
}

struct forget {
	struct fn_call call;
	char sha256[65];
};

static void on_forgotten(void *arg, const struct fn_err *err)
{
	struct forget *f = arg;
	char text[512];

	if (err) {
		fn_reply_error(&f->call, &FN_E_SERVICE, "%s", fn_err_format(err, text, sizeof(text)));
	} else {
		fn_upload_forget(f->call.api, f->sha256);
		fn_reply_json(&f->call, 200, json_pack("{ss}", "Digest", f->sha256));
	}
	free(f);
}

/* DELETE /_fnd/images/local/NAME: functions that have the image keep it. */
void fn_h_image_forget(struct fn_call *call)
{
	const struct fn_image_name *n;
	struct forget *f;
	struct fn_err err;
	char name[640];

	if (!name_of(call, call->params[0], name, sizeof(name)))
		return;
	n = fn_store_image_name(call->api->cfg.store, name);
	f = n ? calloc(1, sizeof(*f)) : NULL;
	if (!f) {
		fn_reply_error(call, n ? &FN_E_SERVICE : &FN_E_NOT_FOUND, n ? "out of memory" : "There is no image %s here. `fnctl images local` shows those there are.", name);
		return;
	}
	f->call = fn_call_keep(call, false);
	snprintf(f->sha256, sizeof(f->sha256), "%s", n->sha256);
	if (fn_store_unname_image(call->api->cfg.store, name, on_forgotten, f, &err) < 0)
		on_forgotten(f, &err);
}
