/* images_change.c - one image more, or less: `fnctl runtime add` and `remove`. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "runtime/images_internal.h"

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
		fn_images_note(im, &err);
	}
	fn_images_find_owners(im);
	remove_trees(im, before);
	json_decref(before);
	fn_images_step(im); /* nothing is to be looked at: it ends */
}

static void on_unmarked(struct fn_job *job)
{
	struct fn_images *im = fn_list_entry(job, struct fn_images, job);
	fn_images_fn done = fn_take_ptr(im->done);

	free(fn_take_ptr(im->text));
	(void)fn_images_install(im, done, im->arg); /* no run is under way: it is begun at once */
}

static void begin(struct fn_images *im, const struct fn_images_run *run)
{
	struct fn_err err;

	im->done = run->done;
	im->arg = run->arg;
	im->installed = 0;
	im->first = (struct fn_err){0};
	im->text = strdup(run->image);
	if (im->text) {
		fn_images_post(im, run->add ? unlink_mark : unlink_image, run->add ? on_unmarked : on_unlinked);
		return;
	}
	fn_err_set(&err, ENOMEM, "images", NULL);
	fn_images_note(im, &err);
	fn_images_step(im);
}

int fn_images_change(struct fn_images *im, const char *image, bool add, fn_images_fn done, void *arg)
{
	struct fn_images_run run = {.begin = begin, .add = add, .done = done, .arg = arg};

	snprintf(run.image, sizeof(run.image), "%s", image);
	return fn_images_queue(im, &run);
}
