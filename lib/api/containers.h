/*
 * containers.h - functions of container images (PackageType Image): what their requests may say, and which image a name stands for at that moment. Words of
 * refusals: the service's, where they are known.
 */
#ifndef FN_API_CONTAINERS_H
#define FN_API_CONTAINERS_H

#include "api/internal.h"
#include "image/oci.h"

/* Does the request give what a function of this kind has, and nothing of the other? created: CreateFunction. Replies and returns false when not. */
bool fn_container_source_fits(struct fn_call *call, bool image, bool created, json_t *code);
/* Runtime, Handler, Layers and ImageConfig of the request, for a function of this kind. The same. */
bool fn_container_apply(struct fn_call *call, struct fn_function *f);

/* What `uri` stands for: an image that has this name here (fnctl images import), else what its registry says. go_on is called with the call and a borrowed
 * image, perhaps at once; else the call is answered. */
typedef void (*fn_container_fn)(struct fn_call *call, struct fn_image *image);
void fn_container_resolve(struct fn_call *call, const char *uri, fn_container_fn go_on);
void fn_containers_close(struct fn_api *api); /* those under way are answered by nobody any more */

/* Why an image could not be had, as StateReasonCode has it. */
const char *fn_container_reason_code(const struct fn_err *err);
/* An image that nobody has any more goes, with the trees that no other has. */
void fn_container_collect(struct fn_api *api, const char *sha256);
/* REPOSITORY@sha256:DIGEST; malloc'ed, NULL on no memory. */
char *fn_container_resolved_uri(const struct fn_function *f);

#endif
