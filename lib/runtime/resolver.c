/* resolver.c - see resolver.h. */
#include "runtime/resolver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/list.h"
#include "image/digest.h"
#include "image/fetch.h"

struct fn_resolver {
	struct fn_spawn_client *spawn;
	struct fn_list resolutions;
};

struct resolution {
	struct fn_list link;
	struct fn_resolver *all;
	struct fn_oci_ref ref;
	struct fn_oci_manifest manifest;
	char sha256[65]; /* of the manifest */
	unsigned indexes; /* that led here */
	enum { OF_MANIFEST, OF_CONFIG } at;
	int fd;
	fn_resolved_fn fn;
	void *arg;
};

static void end_resolution(struct resolution *r, const struct fn_err *err, struct fn_image *image)
{
	struct fn_err said;

	if (err) {
		said = *err;
		snprintf(said.stage, sizeof(said.stage), "image");
	}
	fn_list_remove(&r->link);
	fn_close(r->fd);
	fn_oci_manifest_clear(&r->manifest);
	r->fn(r->arg, err ? &said : NULL, image);
	free(r);
}

static void on_text(void *arg, const struct fn_err *err, const struct fn_fetch_result *result);

static int ask(struct resolution *r, const char *reference, const char *sha256, int64_t size)
{
	struct fn_fetch_order *order = calloc(1, sizeof(*order));
	int rc;

	if (!order)
		return -ENOMEM;
	order->kind = r->at == OF_MANIFEST ? FN_FETCH_MANIFEST : FN_FETCH_BLOB;
	snprintf(order->item.registry, sizeof(order->item.registry), "%s", r->ref.registry);
	snprintf(order->item.repository, sizeof(order->item.repository), "%s", r->ref.repository);
	snprintf(order->item.reference, sizeof(order->item.reference), "%s%s", *sha256 ? "sha256:" : "", *sha256 ? sha256 : reference);
	snprintf(order->item.sha256, sizeof(order->item.sha256), "%s", sha256);
	order->item.size = (uint64_t)size;
	order->max_bytes = size ? (uint64_t)size : FN_OCI_TEXT_MAX;
	fn_close(r->fd);
	r->fd = memfd_create("manifest", MFD_CLOEXEC);
	rc = r->fd < 0 ? -errno : fn_spawn_fetch(r->all->spawn, order, r->fd, on_text, r);
	free(order);
	return rc;
}

static int read_manifest(struct resolution *r, const char *text, size_t len, struct fn_err *err)
{
	int rc;

	fn_sha256_hex(text, len, r->sha256);
	fn_oci_manifest_clear(&r->manifest);
	rc = fn_oci_manifest_parse(text, len, fn_oci_architecture(), &r->manifest, err);
	if (rc < 0)
		return rc;
	if (r->manifest.index && ++r->indexes > FN_OCI_INDEXES_MAX)
		return fn_oci_too_many_indexes(err);
	if (!r->manifest.index && r->manifest.config.size > (int64_t)FN_OCI_TEXT_MAX)
		return fn_err_set(err, EINVAL, "image", "its configuration is too large");
	r->at = r->manifest.index ? OF_MANIFEST : OF_CONFIG;
	rc = r->manifest.index ? ask(r, "", r->manifest.chosen.sha256, 0) : ask(r, "", r->manifest.config.sha256, r->manifest.config.size);
	return rc < 0 ? fn_err_set(err, rc, "image", "ask fn-spawnd") : 0;
}

static void on_text(void *arg, const struct fn_err *failed, const struct fn_fetch_result *result)
{
	struct resolution *r = arg;
	struct fn_image *image = NULL;
	fn_auto_buf struct fn_buf text = {0};
	struct fn_err err;
	int rc;

	if (failed || result->err.code) {
		end_resolution(r, failed ? failed : &result->err, NULL);
		return;
	}
	/* read, not mapped: that there is as much as fn-fetch says, and that it stays, is a stranger's word */
	rc = lseek(r->fd, 0, SEEK_SET) < 0 ? -errno : fn_buf_read_fd(&text, r->fd, FN_OCI_TEXT_MAX);
	if (rc < 0)
		fn_err_set(&err, rc, "image", "read what fn-fetch has written");
	else if (r->at == OF_MANIFEST)
		rc = read_manifest(r, text.data, text.len, &err);
	else
		rc = fn_oci_image(r->sha256, &r->manifest, text.data, text.len, &image, &err);
	if (rc < 0 || image)
		end_resolution(r, rc < 0 ? &err : NULL, image);
}

int fn_resolver_ask(struct fn_resolver *all, const struct fn_oci_ref *ref, fn_resolved_fn fn, void *arg)
{
	struct resolution *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	*r = (struct resolution){.all = all, .ref = *ref, .fd = -EBADF, .fn = fn, .arg = arg};
	rc = ask(r, ref->tag, ref->sha256, 0);
	if (rc < 0) {
		fn_close(r->fd);
		free(r);
		return rc;
	}
	fn_list_push_back(&all->resolutions, &r->link);
	return 0;
}

int fn_resolver_new(struct fn_spawn_client *spawn, struct fn_resolver **ret)
{
	struct fn_resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->spawn = spawn;
	fn_list_init(&r->resolutions);
	*ret = r;
	return 0;
}

void fn_resolver_free(struct fn_resolver *all)
{
	if (!all)
		return;
	fn_list_for_each_safe(k, &all->resolutions)
	{
		struct resolution *r = fn_list_entry(k, struct resolution, link);

		fn_close(r->fd);
		fn_oci_manifest_clear(&r->manifest);
		free(r);
	}
	free(all);
}
