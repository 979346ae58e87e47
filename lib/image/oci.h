/*
 * oci.h - names of container images, and what their manifests and configurations say. Pure; what is parsed comes from strangers.
 * Sources: OCI image-spec v1.1 (descriptor.md, image-index.md, manifest.md, config.md), distribution-spec v1.1 ("Pulling manifests"), Docker "Image Manifest
 * Version 2, Schema 2".
 */
#ifndef FN_IMAGE_OCI_H
#define FN_IMAGE_OCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/image.h"

#define FN_OCI_TEXT_MAX (4u << 20)  /* of a manifest or a configuration: distribution-spec lets a registry refuse larger ones */
#define FN_OCI_BYTES_MAX (10ull << 30) /* unpacked, of one image: Lambda's bound */
#define FN_OCI_INDEXES_MAX 3u       /* that lead to a manifest, one through the other; an archive's index.json is the first of its own */
#define FN_OCI_ENTRIES_MAX 400000u  /* of one layer, and of an image */

/* What an image is called. */
struct fn_oci_ref {
	char registry[256];   /* "registry.example:5000"; "docker.io" where none is named */
	char repository[256]; /* "team/app"; "library/x" for docker.io's own */
	char tag[129];        /* "latest" where neither tag nor digest is named; "" with a digest alone */
	char sha256[65];      /* hex; "" = not named */
};
/* [REGISTRY/]REPOSITORY[:TAG][@sha256:DIGEST], as docker reads it: the first component is a registry if it has a dot or a colon, or is "localhost".
 * -EINVAL */
int fn_oci_ref_parse(const char *text, struct fn_oci_ref *ret);
/* The name that it has here, whichever way it was written: docker.io's are short, as docker shows them. Returns buf. */
const char *fn_oci_ref_name(const struct fn_oci_ref *ref, char *buf, size_t size);
/* REGISTRY/REPOSITORY, as it was given (docker.io's short names stay short): what ResolvedImageUri begins with. Returns 0 or -ENAMETOOLONG. */
int fn_oci_ref_base(const char *text, char *ret, size_t size);

/* A blob, or a manifest in an index. */
struct fn_oci_descriptor {
	char sha256[65];
	int64_t size;
};

/* A manifest, or an index (manifest list) of them. */
struct fn_oci_manifest {
	bool index;                      /* then `chosen` is the manifest for the architecture that was asked for, or an index that leads to it */
	struct fn_oci_descriptor chosen, config;
	struct fn_image_layer *layers;   /* lowest first; owned */
	size_t n_layers;
};
/* architecture: Go's name, "amd64". On failure there is nothing to free. err.stage "image"; code EINVAL: it is none, or none for here. */
int fn_oci_manifest_parse(const char *text, size_t len, const char *architecture, struct fn_oci_manifest *ret, struct fn_err *err);
int fn_oci_too_many_indexes(struct fn_err *err); /* -EINVAL, and why: of whoever follows indexes, at the one after FN_OCI_INDEXES_MAX */
void fn_oci_manifest_clear(struct fn_oci_manifest *m);
const char *fn_oci_architecture(void); /* of this machine */

/* The image that a manifest with this digest, its layers and its configuration are. *ret is the caller's. */
int fn_oci_image(const char *sha256, const struct fn_oci_manifest *m, const char *config, size_t len, struct fn_image **ret, struct fn_err *err);

#endif
