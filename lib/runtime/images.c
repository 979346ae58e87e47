/* images.c - see images.h. Runs in fnd; the unpacking itself is fn-unpack's. */
#include "runtime/images_internal.h"

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
#define RUNS_MAX 16 /* that wait */

int fn_images_new(const char *state_dir, const char *bundle_dir, struct fn_runtimes *runtimes, struct fn_spawn_client *spawn, struct fn_store *store,
		  struct fn_disk *disk, struct fn_jobs *jobs, struct fn_images **ret)
{
	struct fn_images *im = calloc(1, sizeof(*im));

	if (im) {
		fn_list_init(&im->waits);
		fn_list_init(&im->runs);
	}
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
	im->n_names = im->at = im->needed = 0;
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
	fn_list_for_each_safe(l, &im->waits) fn_list_remove(l);
	fn_list_for_each_safe(l, &im->runs)
	{
		fn_list_remove(l);
		free(fn_list_entry(l, struct fn_images_run, link));
	}
	json_decref(im->owners);
	free(im->state_dir);
	free(im->bundle_dir);
	free(im);
}

static int is_manifest(const struct dirent *e) { return e->d_name[0] != '.' && fn_str_ends(e->d_name, ".json"); }

struct item {
	char *name;
	bool needed;
	json_int_t bytes;
};

static int by_turn(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return x->needed != y->needed ? (int)y->needed - (int)x->needed : x->bytes != y->bytes ? (x->bytes > y->bytes ? 1 : -1) : strcmp(x->name, y->name);
}

/* Those that are needed first, then the small ones, which are what the others begin with; returns how many are needed. */
static size_t order(struct fn_images *im)
{
	fn_auto_free struct item *items = calloc(im->n_names + 1, sizeof(*items));
	char path[PATH_MAX];
	json_t *layer;
	size_t n = 0, k;

	for (size_t i = 0; items && i < im->n_names; i++) {
		json_auto_t *manifest = NULL;

		snprintf(path, sizeof(path), "%s/%s", im->bundle_dir, im->names[i]);
		manifest = json_load_file(path, 0, NULL);
		items[i] = (struct item){.name = im->names[i], .needed = fn_images_needed(im, im->names[i], manifest)};
		json_array_foreach(json_object_get(manifest, "layers"), k, layer)
			items[i].bytes += json_integer_value(json_object_get(layer, "size"));
		n += items[i].needed;
	}
	if (!items)
		return im->n_names;
	qsort(items, im->n_names, sizeof(*items), by_turn);
	for (size_t i = 0; i < im->n_names; i++)
		im->names[i] = items[i].name;
	return n;
}

static void begin_install(struct fn_images *im, fn_images_fn done, void *arg)
{
	struct dirent **entries;
	int n;

	im->done = done;
	im->arg = arg;
	im->installed = 0;
	im->first = (struct fn_err){0};
	if (!im->owners) {
		fn_images_prune(im);
		fn_images_adopt(im);
	}
	n = scandir(im->bundle_dir, &entries, is_manifest, alphasort);
	if (n < 0 && errno != ENOENT)
		fn_err_set(&im->first, errno, "images", "%s", im->bundle_dir);
	im->names = calloc((size_t)(n > 0 ? n : 0) + 1, sizeof(*im->names));
	for (int i = 0; i < n; i++) {
		if (im->names && !fn_images_removed(im, entries[i]->d_name) && (im->names[im->n_names] = strdup(entries[i]->d_name)))
			im->n_names++;
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	im->needed = im->rest ? order(im) : im->n_names;
	fn_images_step(im);
}

bool fn_images_wants(const struct fn_images *im, const char *tree)
{
	char path[PATH_MAX];
	json_t *layer;
	size_t k;

	for (size_t i = im->at; i < im->n_names; i++) {
		json_auto_t *manifest = NULL;

		snprintf(path, sizeof(path), "%s/%s", im->bundle_dir, im->names[i]);
		manifest = json_load_file(path, 0, NULL);
		json_array_foreach(json_object_get(manifest, "layers"), k, layer)
			if (fn_streq(json_string_value(json_object_get(layer, "sha256")), tree + strlen("img-")))
				return true;
	}
	return false;
}

static void begin_run(struct fn_images *im, const struct fn_images_run *run) { begin_install(im, run->done, run->arg); }

int fn_images_install(struct fn_images *im, fn_images_fn done, void *arg)
{
	return fn_images_queue(im, &(struct fn_images_run){.begin = begin_run, .done = done, .arg = arg});
}

void fn_images_start(struct fn_images *im, fn_images_fn needed, fn_images_fn rest, void *arg)
{
	im->rest = rest;
	begin_install(im, needed, arg);
}

int fn_images_queue(struct fn_images *im, const struct fn_images_run *run)
{
	struct fn_images_run *own;
	size_t n = 0;

	if (!im->done) {
		run->begin(im, run);
		return 0;
	}
	fn_list_for_each(l, &im->runs) n++;
	own = n < RUNS_MAX ? malloc(sizeof(*own)) : NULL;
	if (!own)
		return n < RUNS_MAX ? -ENOMEM : -EALREADY;
	*own = *run;
	fn_list_push_back(&im->runs, &own->link);
	return 0;
}

/* --- those that somebody waits for --- */
static bool is_of(const char *manifest, const char *image) { return fn_str_starts(manifest, image) && fn_streq(manifest + strlen(image), ".json"); }

bool fn_images_coming(struct fn_images *im, const char *image)
{
	for (size_t i = im->at; im->done && i < im->n_names; i++)
		if (is_of(im->names[i], image))
			return true;
	return false;
}

bool fn_images_await(struct fn_images *im, const char *image, struct fn_images_wait *wait)
{
	size_t next = im->at + (im->manifest != NULL);

	if (!fn_images_coming(im, image))
		return false;
	for (size_t i = next; i < im->n_names; i++) {
		char *name = im->names[i];

		if (!is_of(name, image))
			continue;
		memmove(im->names + next + 1, im->names + next, (i - next) * sizeof(*im->names));
		im->names[next] = name;
	}
	snprintf(wait->image, sizeof(wait->image), "%s", image);
	fn_list_push_back(&im->waits, &wait->link);
	return true;
}

/* Whoever waits for what is not to come any more. */
static void tell_waits(struct fn_images *im)
{
	struct fn_list told;

	fn_list_init(&told);
	fn_list_for_each_safe(l, &im->waits)
		if (!fn_images_coming(im, fn_list_entry(l, struct fn_images_wait, link)->image)) {
			fn_list_remove(l);
			fn_list_push_back(&told, l);
		}
	while (!fn_list_empty(&told)) {
		struct fn_images_wait *w = fn_list_entry(fn_list_first(&told), struct fn_images_wait, link);

		fn_list_remove(&w->link);
		w->fn(w->arg);
	}
}

void fn_images_note(struct fn_images *im, const struct fn_err *err)
{
	if (im->first.code == 0)
		im->first = *err;
}

/* The image of this manifest is over, well or not. */
static void next_image(struct fn_images *im)
{
	struct fn_err err;

	json_decref(im->manifest);
	im->manifest = NULL;
	im->at++;
	if (im->rest && im->at > im->needed && fn_runtimes_rescan(im->runtimes, &err) == 0) { /* those who are served already need not wait for the rest */
		fn_images_find_owners(im);
		tell_waits(im);
	}
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

void fn_images_post(struct fn_images *im, void (*run)(struct fn_job *), void (*done)(struct fn_job *))
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
		fn_images_note(im, &err);
	} else {
		im->installed += im->written;
	}
	next_image(im);
	fn_images_step(im);
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
	fn_images_post(im, write_manifest, on_manifest);
	return 1;
}

/* The layer under way is there, or will not be. */
static void on_layer(void *arg, const struct fn_err *err)
{
	struct fn_images *im = arg;

	if (err) {
		fn_images_note(im, err);
		next_image(im);
	} else {
		im->layer++;
	}
	fn_images_step(im);
}

/* Nothing of it is there: no row says that it is coming. The next scan begins anew. */
static void on_layer_failed(struct fn_images *im, const struct fn_err *failed)
{
	fn_disk_remove(im->disk, im->req.tree);
	on_layer(im, failed);
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
	on_layer_failed(im, failed);
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
		on_layer_failed(im, &err);
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

	if (!sha || strlen(sha) != 64 || !file || strchr(file, '/'))
		return fn_err_set(err, EINVAL, "images", "%.100s: layer %zu has no usable \"sha256\" and \"file\"", im->names[im->at], im->layer);
	im->req = (struct fn_unpack_request){.max_bytes = IMAGE_BYTES_MAX, .max_entries = IMAGE_ENTRIES_MAX, .trusted_image = true};
	snprintf(im->req.tree, sizeof(im->req.tree), "img-%s", sha);
	snprintf(im->path, sizeof(im->path), "%s/roots/%s", im->state_dir, im->req.tree);
	if (fn_store_tree_ready(im->store, im->req.tree) && access(im->path, F_OK) == 0)
		return 0;
	snprintf(im->path, sizeof(im->path), "%s/%s", im->bundle_dir, file);
	fn_images_post(im, hash_layer, on_hashed);
	return 1;
}

/* What was written by then is known from now on. */
static void look(struct fn_images *im)
{
	struct fn_err err;

	if (fn_runtimes_rescan(im->runtimes, &err) < 0)
		fn_images_note(im, &err);
	fn_images_find_owners(im);
}

/* At the start: what is needed is there, and whoever waits for that may go on. */
static void tell_needed(struct fn_images *im)
{
	fn_images_fn needed = im->done;

	look(im);
	im->done = im->rest; /* the run goes on */
	im->told = true;
	needed(im->arg, im->first.code ? &im->first : NULL, im->installed);
	im->installed = 0;
	im->first = (struct fn_err){0};
}

static void finish(struct fn_images *im)
{
	struct fn_images_run *next;
	unsigned installed;
	fn_images_fn done;

	look(im);
	end_run(im);
	done = fn_take_ptr(im->done);
	installed = im->installed;
	im->rest = NULL;
	tell_waits(im);
	done(im->arg, im->first.code ? &im->first : NULL, installed);
	if (im->done || fn_list_empty(&im->runs))
		return;
	next = fn_list_entry(fn_list_first(&im->runs), struct fn_images_run, link);
	fn_list_remove(&next->link);
	next->begin(im, next);
	free(next);
}

void fn_images_step(struct fn_images *im)
{
	bool needed = im->rest && !im->told;

	while (im->at < im->n_names) {
		struct fn_err err;
		json_t *layers;
		int r = 0;

		if (needed && im->at == im->needed) {
			tell_needed(im);
			needed = false;
		}
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
		fn_images_note(im, &err); /* else it would be under way */
		next_image(im);
	}
	if (needed)
		tell_needed(im);
	finish(im);
}
