/*
 * image.h - a container image as functions have it: what its manifest and configuration say (OCI image-spec v1.1, Docker image manifest v2.2), as far as it
 * matters here. Immutable, refcounted, in any thread.
 */
#ifndef FN_MODEL_IMAGE_H
#define FN_MODEL_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FN_IMAGE_LAYERS_LIMIT 1024 /* of one image */
#define FN_IMAGE_TREE_SIZE 72

/* The label (Lambda Developer Guide, "Implementing SnapStart hooks for container images"). */
#define FN_IMAGE_SNAPSTART "com.amazonaws.lambda.feature.snapstart"

struct fn_image_layer {
	char sha256[65]; /* hex, of the blob as it is stored: what its tree is named for, "oci-<sha256>" */
	int64_t size;    /* bytes of the blob; 0 = not known */
	char diff_id[65]; /* hex: of the tar in it, as the configuration has it; "" = an older fnd did not note it */
};

struct fn_image {
	_Atomic unsigned refs;
	char sha256[65];               /* hex, of the manifest for this machine's architecture: CodeSha256 */
	char root[FN_IMAGE_TREE_SIZE]; /* the tree that has the layers' files, one over the other: "root-<sha256>", named for the layers */
	struct fn_image_layer *layers; /* lowest first */
	size_t n_layers;
	char **entrypoint, **cmd, **env; /* NULL-terminated lists; NULL = not given */
	char *workdir;                 /* NULL = not given */
	bool snapstart;                /* FN_IMAGE_SNAPSTART is "Allow": SnapStart without GET /runtime/restore/next */
};

struct fn_image *fn_image_new(void); /* refs = 1; NULL on no memory */
struct fn_image *fn_image_ref(struct fn_image *i);
void fn_image_unref(struct fn_image *i); /* NULL is fine */
/* As a text to be stored; malloc'ed; NULL on no memory. */
char *fn_image_encode(const struct fn_image *i);
int fn_image_decode(const char *text, struct fn_image **ret); /* -EBADMSG, -ENOMEM */
/* "oci-<sha256>": FN_IMAGE_TREE_SIZE. Returns ret. */
const char *fn_image_layer_tree(const struct fn_image_layer *l, char ret[FN_IMAGE_TREE_SIZE]);

#endif
