/* disk.c - what holds space on the disk, and for whom: the registry's rows, and with check=1 beside them what is there. For `fnctl disk`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/str.h"
#include "env/archive.h"
#include "runtime/disk_check.h"
#include "store/images.h"
#include "store/layers.h"

/* --- for whom --- */
static void add_owner(json_t *owners, const char *kind, const char *what, const char *owner)
{
	char tree[FN_STORE_TREE_SIZE];
	json_t *list;

	snprintf(tree, sizeof(tree), "%s%s", kind, what);
	list = json_object_get(owners, tree);
	if (!list) {
		list = json_array();
		json_object_set_new(owners, tree, list);
	}
	json_array_append_new(list, json_string(owner));
}

/* Layer versions, whether or not a function has them. */
static void add_layers(struct fn_store *store, json_t *owners)
{
	char owner[FN_LAYER_ARN_SIZE + 8];
	struct fn_layer_version *l, *v;
	const char *after = NULL;

	for (; (l = fn_store_next_layer(store, after, NULL, NULL)); after = l->layer)
		for (v = l; v; v = fn_store_older_layer(store, l->layer, v->version, NULL, NULL)) {
			snprintf(owner, sizeof(owner), "layer %s:%lld", v->layer, (long long)v->version);
			add_owner(owners, "layer-", v->code_sha256, owner);
			add_owner(owners, "blob-", v->code_sha256, owner);
		}
}

static void add_image(json_t *owners, const struct fn_image *image, const char *owner)
{
	char tree[FN_IMAGE_TREE_SIZE];

	for (size_t i = 0; i < image->n_layers; i++)
		add_owner(owners, "", fn_image_layer_tree(&image->layers[i], tree), owner);
	add_owner(owners, "", image->root, owner);
}

static void add_image_names(const struct fn_store *store, json_t *owners)
{
	const struct fn_image_name *n;
	char owner[700];
	size_t it = 0;

	while ((n = fn_store_next_image_name(store, &it))) {
		const struct fn_image *image = fn_store_image(store, n->sha256);

		snprintf(owner, sizeof(owner), "image %.650s", n->name);
		if (image)
			add_image(owners, image, owner);
	}
}

/* Tree -> layer versions, functions and their versions that have it. */
static json_t *owners_of(const struct fn_api *api)
{
	struct fn_store *store = api->cfg.store;
	struct fn_function *page[FN_PAGE_MAX];
	const char *name = NULL, *version = NULL;
	json_t *owners = json_object();
	char owner[256], archive[FN_TREE_NAME_SIZE];
	size_t n;

	add_layers(store, owners);
	add_image_names(store, owners);
	while ((n = fn_store_list_versions(store, NULL, name, version, page, FN_PAGE_MAX)) > 0) {
		for (size_t i = 0; i < n; i++) {
			const struct fn_function *f = page[i];

			snprintf(owner, sizeof(owner), "%s:%s", f->name, f->version);
			if (f->image) {
				add_image(owners, f->image, owner);
				continue;
			}
			add_owner(owners, "code-", f->code_sha256, owner);
			add_owner(owners, "blob-", f->code_sha256, owner);
			for (size_t k = 0; k < f->n_layers; k++) {
				add_owner(owners, "layer-", f->layers[k].sha256, owner);
				add_owner(owners, "blob-", f->layers[k].sha256, owner);
			}
			if (f->snapshot_tree)
				add_owner(owners, "", f->snapshot_tree, owner);
			if (fn_archive_name(api->cfg.runtimes, f, archive))
				add_owner(owners, "", archive, owner);
		}
		name = page[n - 1]->name;
		version = page[n - 1]->version;
	}
	return owners;
}

/* --- the answer --- */
static const char *kind_of(const char *tree)
{
	static const struct {
		const char *prefix, *kind;
	} kinds[] = {{"img-", "image"}, {"layer-", "layer"}, {"code-", "code"}, {"blob-", "package"}, {"snap-", "snapshot"}, {FN_ARCHIVE_PREFIX, "class archive"}, {"oci-", "image layer"}, {"root-", "image root"}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (fn_str_starts(tree, kinds[i].prefix))
			return kinds[i].kind;
	return "other";
}

static int by_size(const void *a, const void *b)
{
	const struct fn_tree *x = *(const struct fn_tree *const *)a, *y = *(const struct fn_tree *const *)b;

	return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : strcmp(x->name, y->name);
}

static json_t *items(struct fn_api *api)
{
	json_t *owners = owners_of(api), *list = json_array(), *whose;
	const struct fn_tree **all = NULL, **more, *t;
	size_t it = 0, n = 0;

	while ((t = fn_store_next_tree(api->cfg.store, &it)) && (more = realloc(all, (n + 1) * sizeof(struct fn_tree *)))) {
		all = more;
		all[n++] = t;
	}
	if (n)
		qsort(all, n, sizeof(struct fn_tree *), by_size);
	for (size_t i = 0; i < n; i++) {
		whose = fn_str_starts(all[i]->name, "img-") ? fn_images_with(api->cfg.images, all[i]->name) : json_object_get(owners, all[i]->name);
		json_array_append_new(list, json_pack("{ss,ss,ss,sI,so}", "Name", all[i]->name, "Kind", kind_of(all[i]->name), "State",
						      fn_tree_state_name(all[i]->state), "Bytes", (json_int_t)all[i]->bytes, "Owners",
						      whose ? json_copy(whose) : json_array()));
	}
	free(all);
	json_decref(owners);
	return list;
}

static void reply(struct fn_call *call, json_t *faults)
{
	struct fn_api *api = call->api;
	json_t *o = json_pack("{sI,sI,so}", "Bytes", (json_int_t)fn_store_tree_bytes(api->cfg.store), "BudgetBytes",
			      (json_int_t)fn_disk_config(api->cfg.disk)->budget, "Items", items(api));

	if (faults)
		json_object_set_new(o, "Faults", faults);
	fn_reply_json(call, 200, o);
}

static void on_checked(void *arg, const struct fn_err *err, json_t *faults)
{
	struct fn_call *call = arg;
	char text[512];

	if (err)
		fn_reply_error(call, &FN_E_SERVICE, "%s", fn_err_format(err, text, sizeof(text)));
	else
		reply(call, json_incref(faults));
	free(call);
}

void fn_h_disk(struct fn_call *call)
{
	struct fn_call *copy;

	if (!fn_http_req_query(call->req, "check")) {
		reply(call, NULL);
		return;
	}
	copy = malloc(sizeof(*copy));
	if (!copy) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	*copy = fn_call_keep(call, false);
	fn_disk_check(call->api->cfg.disk, on_checked, copy);
}
