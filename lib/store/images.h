/*
 * images.h - container images (model/image.h) by the digests of their manifests, and those that have names here. A function names its image as its code; an
 * image names its trees (trees.h): they stay as long as it has a row, and it has as long as a function or a name has it, or somebody fetches it.
 *
 * Writes as in functions.h; nobody takes an image or a name.
 */
#ifndef FN_STORE_IMAGES_H
#define FN_STORE_IMAGES_H

#include <stddef.h>
#include <stdint.h>

#include "model/image.h"
#include "store/store.h"

struct fn_image_name {
	char *name;
	char sha256[65];
	uint64_t created_us; /* real time */
};

/* Borrowed until the next write; NULL = there is none. */
struct fn_image *fn_store_image(const struct fn_store *s, const char *sha256);
struct fn_image *fn_store_next_image(const struct fn_store *s, size_t *it); /* as fn_store_next_tree() */
const struct fn_image_name *fn_store_image_name(const struct fn_store *s, const char *name);
const struct fn_image_name *fn_store_next_image_name(const struct fn_store *s, size_t *it);
/* How many functions, names and writes under way have it. */
unsigned fn_store_image_refs(const struct fn_store *s, const char *sha256);
/* Are all its layers' trees whole, and the one that they are together? */
bool fn_store_image_whole(const struct fn_store *s, const struct fn_image *i);

/* In memory at once, since its trees are made for it; one that is there already is fine. */
int fn_store_put_image(struct fn_store *s, struct fn_image *i, fn_stored_fn fn, void *arg, struct fn_err *err);
/* Its trees are nobody's any more, as far as no other image has them. -EBUSY: something has it. */
int fn_store_delete_image(struct fn_store *s, const char *sha256, fn_stored_fn fn, void *arg, struct fn_err *err);
/* The name is this image's from now on, whoever's it was. */
int fn_store_name_image(struct fn_store *s, const char *name, const char *sha256, uint64_t created_us, fn_stored_fn fn, void *arg, struct fn_err *err);
int fn_store_unname_image(struct fn_store *s, const char *name, fn_stored_fn fn, void *arg, struct fn_err *err); /* -ENOENT */

#endif
