/* images.c - see images.h. Runs in fnd; the unpacking itself is fn-unpack's. */
#include "runtime/images.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "image/digest.h"
#include "store/functions.h"

#define IMAGE_BYTES_MAX (2ull << 30)
#define IMAGE_ENTRIES_MAX 200000

struct fn_images {
	char *state_dir, *bundle_dir;
	struct fn_runtimes *runtimes;
	struct fn_spawn_client *spawn;
	struct fn_store *store;
	struct fn_disk *disk;
	struct fn_jobs *jobs;
	json_t *owners; /* tree -> [names of the installed images that have it] */
	/* one run */
	fn_images_fn done;
	void *arg;
	char **names; /* manifests to be looked at */
	size_t n_names, at;
	json_t *manifest; /* of names[at] */
	size_t layer;
	int layer_fd; /* its archive, until fn-spawnd has it */
	struct fn_unpack_request req;
	struct fn_job job;  /* what waits for the disk: a layer's digest, a manifest written */
	char path[PATH_MAX]; /* the job's, as is text; and what came of it */
	char path_kept[PATH_MAX];
	char *text;
	int result;
	bool written;
	unsigned installed;
	struct fn_err first;
};

static void step(struct fn_images *im);
static bool is_removed(const struct fn_images *im, const char *manifest);

int fn_images_new(const char *state_dir, const char *bundle_dir, struct fn_runtimes *runtimes, struct fn_spawn_client *spawn, struct fn_store *store,
		  struct fn_disk *disk, struct fn_jobs *jobs, struct fn_images **ret)
{
	struct fn_images *im = calloc(1, sizeof(*im));

	if (!im || !(im->state_dir = strdup(state_dir)) || !(im->bundle_dir = strdup(bundle_dir))) {
		fn_images_free(im);
		return -ENOMEM;
	}
	im->runtimes = runtimes;
	im->spawn = spawn;
	im->store = store;
	im->disk = disk;
	im->jobs = jobs;
	im->layer_fd = -EBADF;
	*ret = im;
	return 0;
}

static void end_run(struct fn_images *im)
{
	for (size_t i = 0; i < im->n_names; i++)
		free(im->names[i]);
	free(im->names);
	im->names = NULL;
	im->n_names = im->at = 0;
	json_decref(im->manifest);
	im->manifest = NULL;
	fn_close(fn_take_fd(&im->layer_fd));
	free(fn_take_ptr(im->text));
}

void fn_images_free(struct fn_images *im)
{
	if (!im)
		return;
	end_run(im);
	json_decref(im->owners);
	free(im->state_dir);
	free(im->bundle_dir);
	free(im);
}

/* Of an image that was there before: it keeps its trees, too. */
static int names_trees(const struct dirent *e) { return fn_str_ends(e->d_name, ".json") && (e->d_name[0] != '.' || fn_str_starts(e->d_name, ".kept-")); }
static int is_manifest(const struct dirent *e) { return e->d_name[0] != '.' && fn_str_ends(e->d_name, ".json"); }

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
static void find_owners(struct fn_images *im)
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

/* Those of an fnd that kept no registry. */
static void adopt(struct fn_images *im)
{
	json_t *names;
	const char *tree;

	find_owners(im);
	json_object_foreach(im->owners, tree, names)
		fn_disk_adopt(im->disk, tree);
}

/* --- those that were --- */
static bool is_pinned(struct fn_store *store, const struct fn_runtime *rt)
{
	const char *name = NULL, *version = NULL;
	struct fn_function *page[64];
	size_t n;

	while ((n = fn_store_list_versions(store, NULL, name, version, page, 64)) > 0) {
		for (size_t i = 0; i < n; i++)
			if (fn_streq(page[i]->runtime, rt->name) && fn_streq(page[i]->runtime_version, rt->version_id))
				return true;
		name = page[n - 1]->name;
		version = page[n - 1]->version;
	}
	return false;
}

static time_t changed_at(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 ? st.st_mtime : 0;
}

/* At the start, when no environment runs on them: of each image those go that no function is to stay with, but for the last. */
static void prune(struct fn_images *im)
{
	json_auto_t *wanted = json_object();
	struct fn_err ignored;

	for (size_t i = 0; i < fn_runtimes_count(im->runtimes); i++) {
		const struct fn_runtime *rt = fn_runtimes_at(im->runtimes, i), *last = NULL;

		for (size_t k = 0; k < rt->n_kept; k++) {
			if (!last || changed_at(rt->kept[k].file) > changed_at(last->file))
				last = &rt->kept[k];
			if (is_pinned(im->store, &rt->kept[k]))
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

int fn_images_install(struct fn_images *im, fn_images_fn done, void *arg)
{
	struct dirent **entries;
	int n;

	if (im->done)
		return -EALREADY;
	im->done = done;
	im->arg = arg;
	im->installed = 0;
	im->first = (struct fn_err){0};
	if (!im->owners) {
		prune(im);
		adopt(im);
	}
	n = scandir(im->bundle_dir, &entries, is_manifest, alphasort);
	if (n < 0 && errno != ENOENT)
		fn_err_set(&im->first, errno, "images", "%s", im->bundle_dir);
	im->names = calloc((size_t)(n > 0 ? n : 0) + 1, sizeof(*im->names));
	for (int i = 0; i < n; i++) {
		if (im->names && !is_removed(im, entries[i]->d_name))
			im->names[im->n_names++] = strdup(entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	step(im);
	return 0;
}

static void note(struct fn_images *im, const struct fn_err *err)
{
	if (im->first.code == 0)
		im->first = *err;
}

/* The image of this manifest is over, well or not. */
static void next_image(struct fn_images *im)
{
	json_decref(im->manifest);
	im->manifest = NULL;
	im->at++;
}

static int load(struct fn_images *im, struct fn_err *err)
{
	char path[PATH_MAX];
	json_error_t je;

	snprintf(path, sizeof(path), "%s/%s", im->bundle_dir, im->names[im->at]);
	im->manifest = json_load_file(path, 0, &je);
	if (!json_is_object(im->manifest) || !json_is_string(json_object_get(im->manifest, "name")) ||
	    strchr(json_string_value(json_object_get(im->manifest, "name")), '/') ||
	    !json_is_array(json_object_get(im->manifest, "layers")) || json_array_size(json_object_get(im->manifest, "layers")) == 0)
		return fn_err_set(err, EINVAL, "images", "%.160s is no image manifest", im->names[im->at]);
	im->layer = 0;
	return 0;
}

static void post(struct fn_images *im, void (*run)(struct fn_job *), void (*done)(struct fn_job *))
{
	im->job = (struct fn_job){.run = run, .done = done};
	fn_jobs_post(im->jobs, &im->job);
}

/* In a thread. An image that another takes the place of stays, for functions that are to stay with it, or to go back to it. */
static int keep(struct fn_images *im, const char *before)
{
	json_auto_t *m = json_loads(before ? before : "", 0, NULL), *now = json_loads(im->text, 0, NULL);
	const char *name = json_string_value(json_object_get(m, "name"));
	json_t *layers = json_object_get(m, "layers");
	fn_auto_free char *text = json_dumps(layers, JSON_COMPACT);
	char digest[FN_SHA256_HEX];

	if (!name || !text || json_equal(layers, json_object_get(now, "layers")))
		return 0;
	fn_sha256_hex(text, strlen(text), digest);
	snprintf(im->path_kept, sizeof(im->path_kept), "%s/images/.kept-%s-%.16s.json", im->state_dir, name, digest);
	return fn_file_replace(AT_FDCWD, im->path_kept, before, strlen(before), 0644);
}

/* In a thread. */
static void write_manifest(struct fn_job *job)
{
	struct fn_images *im = fn_list_entry(job, struct fn_images, job);
	fn_auto_fd int fd = open(im->path, O_RDONLY | O_CLOEXEC);
	fn_auto_buf struct fn_buf before = {0};

	im->result = 0;
	im->path_kept[0] = '\0';
	im->written = fd < 0 || fn_buf_read_fd(&before, fd, 1u << 20) < 0 || !fn_streq(before.data, im->text);
	if (im->written && fd >= 0)
		im->result = keep(im, before.data);
	if (im->written && im->result == 0)
		im->result = fn_file_replace(AT_FDCWD, im->path, im->text, strlen(im->text), 0644);
}

static void on_manifest(struct fn_job *job)
{
	struct fn_images *im = fn_list_entry(job, struct fn_images, job);
	struct fn_err err;

	free(fn_take_ptr(im->text));
	if (im->result < 0) {
		fn_err_set(&err, im->result, "images", "%.160s", im->path);
		note(im, &err);
	} else {
		im->installed += im->written;
	}
	next_image(im);
	step(im);
}

/* All layers are there: the image becomes known. 1 = under way. */
static int publish(struct fn_images *im, struct fn_err *err)
{
	json_t *out = json_deep_copy(im->manifest), *layers = json_array(), *l;
	char tree[FN_TREE_NAME_SIZE];
	json_int_t size = 0;
	size_t i;

	json_array_foreach(json_object_get(im->manifest, "layers"), i, l) {
		snprintf(tree, sizeof(tree), "img-%s", json_string_value(json_object_get(l, "sha256")));
		json_array_append_new(layers, json_string(tree));
		size += json_integer_value(json_object_get(l, "size"));
	}
	json_object_set_new(out, "layers", layers);
	json_object_set_new(out, "size", json_integer(size));
	im->text = json_dumps(out, JSON_INDENT(1) | JSON_SORT_KEYS);
	snprintf(im->path, sizeof(im->path), "%s/images/%s.json", im->state_dir, json_string_value(json_object_get(out, "name")));
	json_decref(out);
	if (!im->text)
		return fn_err_set(err, ENOMEM, "images", NULL);
	post(im, write_manifest, on_manifest);
	return 1;
}

/* The layer under way is there, or will not be. */
static void on_layer(void *arg, const struct fn_err *err)
{
	struct fn_images *im = arg;

	if (err) {
		note(im, err);
		next_image(im);
	} else {
		im->layer++;
	}
	step(im);
}

static void on_unpacked(void *arg, const struct fn_err *failed, uint64_t bytes)
{
	struct fn_images *im = arg;
	struct fn_err err;

	if (!failed) {
		(void)fn_disk_made(im->disk, im->req.tree, bytes);
		if (fn_store_ready_tree(im->store, im->req.tree, on_layer, im, &err) == 0)
			return;
		failed = &err;
	}
	on_layer(im, failed);
}

static void on_noted(void *arg, const struct fn_err *failed)
{
	struct fn_images *im = arg;
	struct fn_err err;
	int r;

	if (failed) {
		on_layer(im, failed);
		return;
	}
	im->req.fd = im->layer_fd;
	r = fn_spawn_unpack(im->spawn, &im->req, on_unpacked, im);
	fn_close(fn_take_fd(&im->layer_fd));
	if (r < 0) {
		fn_err_set(&err, r, "images", "%.100s", im->req.tree);
		on_layer(im, &err);
	}
}

/* In a thread: is the archive what its name in the manifest says? */
static void hash_layer(struct fn_job *job)
{
	struct fn_images *im = fn_list_entry(job, struct fn_images, job);
	fn_auto_fd int fd = open(im->path, O_RDONLY | O_CLOEXEC);
	char have[FN_SHA256_HEX];

	im->result = fd < 0 ? -errno : fn_sha256_fd_hex(fd, have);
	if (im->result == 0 && !fn_streq(have, im->req.tree + strlen("img-")))
		im->result = -EBADMSG;
	if (im->result == 0)
		im->layer_fd = fn_take_fd(&fd);
}

static void on_hashed(struct fn_job *job)
{
	struct fn_images *im = fn_list_entry(job, struct fn_images, job);
	struct fn_err err;

	if (im->result == -EBADMSG)
		fn_err_set(&err, EBADMSG, "images", "%.160s is not what its digest says; run `make images` again", im->path);
	else if (im->result < 0)
		fn_err_set(&err, im->result, "images", "%.160s", im->path);
	else if (fn_disk_make(im->disk, &(struct fn_disk_new){im->req.tree, 0}, 1, on_noted, im, &err) == 0)
		return;
	on_layer(im, &err);
}

/* 1 = under way, 0 = it is there already. */
static int start_layer(struct fn_images *im, json_t *l, struct fn_err *err)
{
	const char *sha = json_string_value(json_object_get(l, "sha256")), *file = json_string_value(json_object_get(l, "file"));
	const struct fn_tree *row;

	if (!sha || strlen(sha) != 64 || !file || strchr(file, '/'))
		return fn_err_set(err, EINVAL, "images", "%.100s: layer %zu has no usable \"sha256\" and \"file\"", im->names[im->at], im->layer);
	im->req = (struct fn_unpack_request){.max_bytes = IMAGE_BYTES_MAX, .max_entries = IMAGE_ENTRIES_MAX, .trusted_image = true};
	snprintf(im->req.tree, sizeof(im->req.tree), "img-%s", sha);
	snprintf(im->path, sizeof(im->path), "%s/roots/%s", im->state_dir, im->req.tree);
	row = fn_store_tree(im->store, im->req.tree);
	if (row && row->state == FN_TREE_READY && access(im->path, F_OK) == 0)
		return 0;
	snprintf(im->path, sizeof(im->path), "%s/%s", im->bundle_dir, file);
	post(im, hash_layer, on_hashed);
	return 1;
}

/* --- one of them --- */
/* A manifest's name; its image has been removed, and is not to come back with the next start. */
static bool is_removed(const struct fn_images *im, const char *manifest)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/images/.removed-%.*s", im->state_dir, (int)(strlen(manifest) - strlen(".json")), manifest);
	return access(path, F_OK) == 0;
}

static void unlink_kept(const struct fn_images *im)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/images", im->state_dir);
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		if (fn_runtime_is_kept(e->d_name, im->text))
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
}

/* In a thread: the mark first, for without it the image would be back. text: the image's name. */
static void unlink_image(struct fn_job *job)
{
	struct fn_images *im = fn_list_entry(job, struct fn_images, job);

	snprintf(im->path, sizeof(im->path), "%s/images/.removed-%s", im->state_dir, im->text);
	im->result = fn_file_replace(AT_FDCWD, im->path, "", 0, 0644);
	snprintf(im->path, sizeof(im->path), "%s/images/%s.json", im->state_dir, im->text);
	if (im->result == 0 && unlink(im->path) < 0 && errno != ENOENT)
		im->result = -errno;
	unlink_kept(im);
}

static void unlink_mark(struct fn_job *job)
{
	struct fn_images *im = fn_list_entry(job, struct fn_images, job);

	snprintf(im->path, sizeof(im->path), "%s/images/.removed-%s", im->state_dir, im->text);
	im->result = unlink(im->path) < 0 && errno != ENOENT ? -errno : 0;
}

/* Trees that were somebody's and are nobody's any more. */
static void remove_trees(struct fn_images *im, json_t *before)
{
	const char *tree;
	json_t *names;

	json_object_foreach(before, tree, names)
		if (!json_object_get(im->owners, tree))
			fn_disk_remove(im->disk, tree);
}

static void on_unlinked(struct fn_job *job)
{
	struct fn_images *im = fn_list_entry(job, struct fn_images, job);
	json_t *before = json_incref(im->owners);
	struct fn_err err;

	free(fn_take_ptr(im->text));
	if (im->result < 0) {
		fn_err_set(&err, im->result, "images", "%.160s", im->path);
		note(im, &err);
	}
	find_owners(im);
	remove_trees(im, before);
	json_decref(before);
	step(im); /* nothing is to be looked at: it ends */
}

static void on_unmarked(struct fn_job *job)
{
	struct fn_images *im = fn_list_entry(job, struct fn_images, job);
	fn_images_fn done = fn_take_ptr(im->done);

	free(fn_take_ptr(im->text));
	(void)fn_images_install(im, done, im->arg);
}

int fn_images_change(struct fn_images *im, const char *image, bool add, fn_images_fn done, void *arg)
{
	if (im->done)
		return -EALREADY;
	im->text = strdup(image);
	if (!im->text)
		return -ENOMEM;
	im->done = done;
	im->arg = arg;
	im->installed = 0;
	im->first = (struct fn_err){0};
	post(im, add ? unlink_mark : unlink_image, add ? on_unmarked : on_unlinked);
	return 0;
}

/* Goes on as far as it can without waiting. */
static void step(struct fn_images *im)
{
	struct fn_err err;
	fn_images_fn done;

	while (im->at < im->n_names) {
		json_t *layers;
		int r = 0;

		if (!im->manifest)
			r = load(im, &err);
		layers = json_object_get(im->manifest, "layers");
		while (r == 0 && im->layer < json_array_size(layers)) {
			r = start_layer(im, json_array_get(layers, im->layer), &err);
			if (r == 1)
				return;
			if (r == 0)
				im->layer++;
		}
		if (r == 0 && publish(im, &err) == 1)
			return;
		note(im, &err); /* else it would be under way */
		next_image(im);
	}
	if (fn_runtimes_rescan(im->runtimes, &err) < 0)
		note(im, &err);
	end_run(im);
	find_owners(im);
	done = fn_take_ptr(im->done);
	done(im->arg, im->first.code ? &im->first : NULL, im->installed);
}
