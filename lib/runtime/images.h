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

#include "base/list.h"
#include "base/loop.h"
#include "image/runtimes.h"
#include "runtime/disk.h"
#include "spawn/client.h"

struct fn_images;

int fn_images_new(const char *state_dir, const char *bundle_dir, struct fn_runtimes *runtimes, struct fn_spawn_client *spawn, struct fn_store *store,
		  struct fn_disk *disk, struct fn_jobs *jobs, struct fn_images **ret);
/* err is NULL on success; installed counts images that are new or changed. The first failure is reported; the rest is tried all the same. */
typedef void (*fn_images_fn)(void *arg, const struct fn_err *err, unsigned installed);
/* Once, at the start: `needed` is called when all is there that functions have had, or would have had (trees of installed images, images of functions' runtimes);
 * `rest` when the others of the bundle directory are, of which each is known as soon as it is there. */
void fn_images_start(struct fn_images *im, fn_images_fn needed, fn_images_fn rest, void *arg);
/* Installs what the bundle directory has and the state directory lacks. Of several runs each waits for those before it; -EALREADY: too many do, -ENOMEM. `done`
 * may be called at once. Archives are read and manifests written by threads. */
int fn_images_install(struct fn_images *im, fn_images_fn done, void *arg);

/* Is this image, by its name, being installed, or about to be? */
bool fn_images_coming(struct fn_images *im, const char *image);
/* Will one of those have this tree ("img-...")? */
bool fn_images_wants(const struct fn_images *im, const char *tree);
/* It goes before those that nobody waits for; fn is called when it is there, or is not going to be. false: it is not coming. wait: the caller's, who may take it
 * off its list. */
struct fn_images_wait {
	struct fn_list link;
	char image[64];
	void (*fn)(void *arg);
	void *arg;
};
bool fn_images_await(struct fn_images *im, const char *image, struct fn_images_wait *wait);
/* One image: installed, also if it has been removed (add); or removed, with the trees that no other has, until it is added again. Nothing may use it.
 * As above. */
int fn_images_change(struct fn_images *im, const char *image, bool add, fn_images_fn done, void *arg);
/* The names of the installed images that have this tree as a layer, as a JSON array: borrowed until the next run; NULL = none. */
json_t *fn_images_with(const struct fn_images *im, const char *tree);
void fn_images_free(struct fn_images *im);

#endif
