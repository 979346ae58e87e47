/* oci_archive.h - a container image in files: an OCI layout (directory, or a tar of one), or what `docker save` writes. */
#ifndef FNCTL_OCI_ARCHIVE_H
#define FNCTL_OCI_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct oci_archive;
struct oci_blob {
	const char *data; /* as long as the archive is open */
	size_t len;
};

/* NULL: said on stderr why. path: a directory or a file; with a prefix, oci:, oci-archive: or docker-archive:, also PATH:NAME, for one of several images. */
struct oci_archive *oci_archive_open(const char *path);
const char *oci_archive_path(const struct oci_archive *a); /* without the prefix and that name */
const char *oci_archive_ref(const struct oci_archive *a);  /* that name; NULL: none was given */
void oci_archive_close(struct oci_archive *a);
/* The image's manifest and configuration for this machine, byte for byte, or a manifest made of docker's list; name: what it is called there, "" = it is not
 * said. False: said on stderr why. */
bool oci_archive_image(struct oci_archive *a, struct fn_buf *manifest, struct oci_blob *config, char *name, size_t name_size);
bool oci_archive_blob(struct oci_archive *a, const char *sha256, struct oci_blob *ret);

#endif
