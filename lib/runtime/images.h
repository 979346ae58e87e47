/*
 * images.h - base images: from bundles (made by `make images`) to trees that sandboxes use.
 *
 * A bundle directory holds <name>.json {"name", "layers": [{"sha256", "file", "size"}, ... uppermost first], ...} and the layers' tar
 * files. Installing verifies each layer's digest, has it unpacked to <state>/roots/img-<sha256> (once, content-addressed) and then
 * writes <state>/images/<name>.json, which is what makes the image known (image/runtimes.h).
 */
#ifndef FN_RUNTIME_IMAGES_H
#define FN_RUNTIME_IMAGES_H

#include <jansson.h>

#include "base/loop.h"
#include "image/runtimes.h"
#include "runtime/disk.h"
#include "spawn/client.h"

struct fn_images;

int fn_images_new(const char *state_dir, const char *bundle_dir, struct fn_runtimes *runtimes, struct fn_spawn_client *spawn, struct fn_store *store,
		  struct fn_disk *disk, struct fn_jobs *jobs, struct fn_images **ret);
/* err is NULL on success; installed counts images that are new or changed. The first failure is reported; the rest is tried all the same. */
typedef void (*fn_images_fn)(void *arg, const struct fn_err *err, unsigned installed);
/* Installs what the bundle directory has and the state directory lacks. One run at a time: -EALREADY. `done` may be called at once. Archives are read
 * and manifests written by threads. */
int fn_images_install(struct fn_images *im, fn_images_fn done, void *arg);
/* One image: installed, also if it has been removed (add); or removed, with the trees that no other has, until it is added again. Nothing may use it.
 * As above. */
int fn_images_change(struct fn_images *im, const char *image, bool add, fn_images_fn done, void *arg);
/* The names of the installed images that have this tree as a layer, as a JSON array: borrowed until the next run; NULL = none. */
json_t *fn_images_with(const struct fn_images *im, const char *tree);
void fn_images_free(struct fn_images *im);

#endif
