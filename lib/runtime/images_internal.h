/* images_internal.h - what images.c (a run), images_change.c (one image more or less) and images_owners.c (who has which trees) share. */
#ifndef FN_RUNTIME_IMAGES_INTERNAL_H
#define FN_RUNTIME_IMAGES_INTERNAL_H

#include <limits.h>

#include "runtime/images.h"

/* A run that waits for the one under way. */
struct fn_images_run {
	struct fn_list link;
	void (*begin)(struct fn_images *im, const struct fn_images_run *run); /* images.c calls it when its turn has come */
	char image[64];
	bool add;
	fn_images_fn done;
	void *arg;
};

struct fn_images {
	char *state_dir, *bundle_dir;
	struct fn_runtimes *runtimes;
	struct fn_spawn_client *spawn;
	struct fn_store *store;
	struct fn_disk *disk;
	struct fn_jobs *jobs;
	json_t *owners; /* tree -> [names of the installed images that have it] */
	struct fn_list waits, runs;
	/* one run */
	fn_images_fn done;
	void *arg;
	fn_images_fn rest; /* at the start: called at the end, `done` when what is needed is there, of which `told` says that it has been */
	bool told;
	char **names; /* manifests to be looked at */
	size_t n_names, at;
	size_t needed; /* at the start: so many of them come first */
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

/* images.c */
void fn_images_note(struct fn_images *im, const struct fn_err *err); /* the first is what the run's owner is told */
void fn_images_post(struct fn_images *im, void (*run)(struct fn_job *), void (*done)(struct fn_job *));
void fn_images_step(struct fn_images *im); /* goes on as far as it can without waiting */
int fn_images_queue(struct fn_images *im, const struct fn_images_run *run); /* begins when the run under way has ended. -ENOMEM, -EALREADY: too many wait */

/* images_owners.c */
void fn_images_find_owners(struct fn_images *im);
void fn_images_adopt(struct fn_images *im); /* those of an fnd that kept no registry */
void fn_images_prune(struct fn_images *im);
bool fn_images_removed(const struct fn_images *im, const char *manifest); /* it is not to come back with the next start */
bool fn_images_needed(const struct fn_images *im, const char *manifest, json_t *bundle); /* before anybody is served; bundle: what the manifest says, NULL = nothing */

#endif
