/* images_owners.c - which installed image has which trees, which of those that were before stay, and which must be there before anybody is served. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/images_internal.h"
#include "store/functions.h"

/* Of an image that was there before: it keeps its trees, too. */
static int names_trees(const struct dirent *e) { return fn_str_ends(e->d_name, ".json") && (e->d_name[0] != '.' || fn_str_starts(e->d_name, ".kept-")); }

static bool has(json_t *list, json_t *text)
{
	json_t *e;
	size_t i;

	json_array_foreach(list, i, e)
		if (json_equal(e, text))
			return true;
	return false;
}

/* Who has what: read from the manifests of what is installed. */
void fn_images_find_owners(struct fn_images *im)
{
	char path[PATH_MAX];
	struct dirent **entries;
	json_t *manifest, *layer;
	size_t k;
	int n;

	json_decref(im->owners);
	im->owners = json_object();
	snprintf(path, sizeof(path), "%s/images", im->state_dir);
	n = scandir(path, &entries, names_trees, alphasort);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/images/%s", im->state_dir, entries[i]->d_name);
		manifest = json_load_file(path, 0, NULL);
		json_array_foreach(json_object_get(manifest, "layers"), k, layer) {
			const char *tree = json_string_value(layer);
			json_t *names = tree ? json_object_get(im->owners, tree) : NULL;

			if (tree && !names) {
				names = json_array();
				json_object_set_new(im->owners, tree, names);
			}
			if (tree && !has(names, json_object_get(manifest, "name")))
				json_array_append(names, json_object_get(manifest, "name"));
		}
		json_decref(manifest);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

json_t *fn_images_with(const struct fn_images *im, const char *tree) { return json_object_get(im->owners, tree); }

void fn_images_adopt(struct fn_images *im)
{
	json_t *names;
	const char *tree;

	fn_images_find_owners(im);
	json_object_foreach(im->owners, tree, names)
		fn_disk_adopt(im->disk, tree);
}

/* --- those that were --- */
/* Is it so of any function's version? */
static bool any_version(struct fn_store *store, bool (*is)(const struct fn_function *f, const void *arg), const void *arg)
{
	const char *name = NULL, *version = NULL;
	struct fn_function *page[64];
	size_t n;

	while ((n = fn_store_list_versions(store, NULL, name, version, page, 64)) > 0) {
		for (size_t i = 0; i < n; i++)
			if (is(page[i], arg))
				return true;
		name = page[n - 1]->name;
		version = page[n - 1]->version;
	}
	return false;
}

static bool is_pinned(const struct fn_function *f, const void *arg)
{
	const struct fn_runtime *rt = arg;

	return fn_streq(f->runtime, rt->name) && fn_streq(f->runtime_version, rt->version_id);
}

static time_t changed_at(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 ? st.st_mtime : 0;
}

/* At the start, when no environment runs on them: of each image those go that no function is to stay with, but for the last. */
void fn_images_prune(struct fn_images *im)
{
	json_auto_t *wanted = json_object();
	struct fn_err ignored;

	for (size_t i = 0; i < fn_runtimes_count(im->runtimes); i++) {
		const struct fn_runtime *rt = fn_runtimes_at(im->runtimes, i), *last = NULL;

		for (size_t k = 0; k < rt->n_kept; k++) {
			if (!last || changed_at(rt->kept[k].file) > changed_at(last->file))
				last = &rt->kept[k];
			if (any_version(im->store, is_pinned, &rt->kept[k]))
				json_object_set_new(wanted, rt->kept[k].file, json_true());
		}
		if (last)
			json_object_set_new(wanted, last->file, json_true());
	}
	for (size_t i = 0; i < fn_runtimes_count(im->runtimes); i++) {
		const struct fn_runtime *rt = fn_runtimes_at(im->runtimes, i);

		for (size_t k = 0; k < rt->n_kept; k++)
			if (!json_object_get(wanted, rt->kept[k].file))
				(void)unlink(rt->kept[k].file);
	}
	(void)fn_runtimes_rescan(im->runtimes, &ignored);
}

bool fn_images_removed(const struct fn_images *im, const char *manifest)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/images/.removed-%.*s", im->state_dir, (int)(strlen(manifest) - strlen(".json")), manifest);
	return access(path, F_OK) == 0;
}

/* --- what must be there first --- */
/* Of a manifest, the state directory's or the bundle's: is there a tree that is not on the disk? */
static bool lacks_trees(const struct fn_images *im, json_t *manifest)
{
	char name[FN_TREE_NAME_SIZE], path[PATH_MAX];
	const char *sha;
	json_t *layer;
	size_t i;

	json_array_foreach(json_object_get(manifest, "layers"), i, layer) {
		sha = json_string_value(json_object_get(layer, "sha256"));
		snprintf(name, sizeof(name), "%s%s", sha ? "img-" : "", sha ? sha : json_is_string(layer) ? json_string_value(layer) : "");
		snprintf(path, sizeof(path), "%s/roots/%s", im->state_dir, name);
		if (!fn_store_tree_ready(im->store, name) || access(path, F_OK) < 0)
			return true;
	}
	return false;
}

struct wanted {
	const struct fn_runtimes *runtimes;
	const char *image;
};

/* Does it want this image, whose runtime is not there? */
static bool wants(const struct fn_function *f, const void *arg)
{
	const struct wanted *w = arg;
	const struct fn_runtime *rt = f->runtime ? fn_runtimes_find(w->runtimes, f->runtime) : NULL;

	return rt && fn_streq(rt->image, w->image);
}

bool fn_images_needed(const struct fn_images *im, const char *manifest, json_t *bundle)
{
	char path[PATH_MAX], image[128];
	json_auto_t *installed = NULL;

	if (!bundle || !lacks_trees(im, bundle)) /* it costs nothing; or is told of at once */
		return true;
	snprintf(path, sizeof(path), "%s/images/%s", im->state_dir, manifest);
	installed = json_load_file(path, 0, NULL);
	if (installed)
		return lacks_trees(im, installed); /* else what is there serves until the new one is */
	snprintf(image, sizeof(image), "%.*s", (int)(strlen(manifest) - strlen(".json")), manifest);
	return any_version(im->store, wants, &(struct wanted){im->runtimes, image});
}
