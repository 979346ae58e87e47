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
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "image/digest.h"

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
	char *text;
	int result;
	bool written;
	unsigned installed;
	struct fn_err first;
};

static void step(struct fn_images *im);

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

static int is_manifest(const struct dirent *e) { return e->d_name[0] != '.' && fn_str_ends(e->d_name, ".json"); }

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
	n = scandir(path, &entries, is_manifest, alphasort);
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
			if (tree)
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
	if (!im->owners)
		adopt(im);
	n = scandir(im->bundle_dir, &entries, is_manifest, alphasort);
	if (n < 0 && errno != ENOENT)
		fn_err_set(&im->first, errno, "images", "%s", im->bundle_dir);
	im->names = calloc((size_t)(n > 0 ? n : 0) + 1, sizeof(*im->names));
	for (int i = 0; i < n; i++) {
		if (im->names)
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

/* In a thread. */
static void write_manifest(struct fn_job *job)
{
	struct fn_images *im = fn_list_entry(job, struct fn_images, job);
	fn_auto_fd int fd = open(im->path, O_RDONLY | O_CLOEXEC);
	fn_auto_buf struct fn_buf before = {0};

	im->result = 0;
	im->written = fd < 0 || fn_buf_read_fd(&before, fd, 1u << 20) < 0 || !fn_streq(before.data, im->text);
	if (im->written)
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
