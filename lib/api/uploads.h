/*
 * uploads.h - packages of functions and layers on their way from a request to an unpacked tree, and back to nothing when nobody needs them.
 *
 * A package is durable (blob on disk) and unpacked before any function or layer version names it; it is removed only when no stored one, no upload
 * under way and no environment needs it.
 */
#ifndef FN_API_UPLOADS_H
#define FN_API_UPLOADS_H

#include "api/internal.h"
#include "store/layers.h"

struct fn_upload {
	struct fn_list link;
	struct fn_call call;       /* of the request that waits */
	/* The one or the other that is to be stored; owned. code_sha256 and code_size are set, and a function's name. */
	struct fn_function *f;
	struct fn_layer_version *layer;
	bool publish;              /* a version too */
	struct fn_store_turn turn; /* until it can be stored */
	char turn_of[FN_STORE_LAYER_TURN_SIZE];
	/* It is unpacked, f or layer knows its size, and nobody else writes about the function or layer: has it stored. fn_upload_end() follows when it
	 * is, or will not be. */
	void (*store)(void *upload);
};

/* Bytes that a package in a request of this operation may have. */
uint64_t fn_upload_max(const struct fn_api *api, const struct fn_aws_operation *o);
/* Is something being uploaded for this function? */
bool fn_upload_busy(struct fn_api *api, const char *name);
/* What the request's ZipFile member is; code: the object that has it. Replies and returns false on failure. */
bool fn_upload_read(struct fn_call *call, json_t *code, char ret_sha256[65], int64_t *ret_size);
/* With neither f nor layer yet. NULL: no memory, and the call is answered. */
struct fn_upload *fn_upload_new(struct fn_call *call, void (*store)(void *upload));
/* Makes the request's package a blob and unpacks it, then calls store; or answers why not, and ends it. Takes u. */
void fn_upload_start(struct fn_upload *u);
/* The same of a function of a container image, which is noted; it is fetched later (settling.h). */
void fn_upload_start_image(struct fn_upload *u);
/* Frees u; its package goes unless something stored names it. */
void fn_upload_end(struct fn_upload *u);

/* The package may have become garbage: looked at soon, and again until nothing needs it. */
void fn_upload_forget(struct fn_api *api, const char *sha256);
/* The same of a version's code and layers. */
void fn_upload_forget_all(struct fn_api *api, const struct fn_function *f);
int fn_uploads_open(struct fn_api *api, struct fn_err *err);
void fn_uploads_close(struct fn_api *api);

#endif
