/*
 * uploads.h - code packages on their way from a request to an unpacked tree, and back to nothing when no version needs them.
 *
 * A package is durable (blob on disk) and unpacked before any function names it; it is removed only when no stored version, no upload
 * under way and no environment needs it.
 */
#ifndef FN_API_UPLOADS_H
#define FN_API_UPLOADS_H

#include "api/internal.h"

struct fn_upload {
	struct fn_list link;
	struct fn_call call;       /* of the request that waits */
	struct fn_function *f;     /* the snapshot that is to be stored; owned. name, code_sha256 and code_size are set */
	bool publish;              /* a version too */
	struct fn_store_turn turn; /* until it can be stored */
	/* It is unpacked, f knows its size, and nobody else writes about the function: has f stored. fn_upload_end() follows when it is, or will not be. */
	void (*store)(void *upload);
};

/* Is something being uploaded for this function? */
bool fn_upload_busy(struct fn_api *api, const char *name);
/* What the request's ZipFile member is, into f (digest, size). Replies and returns false on failure. */
bool fn_upload_read(struct fn_call *call, json_t *code, struct fn_function *f);
/* Makes the request's package a blob and unpacks it, then calls store; or answers why not, and ends it. Takes u. */
void fn_upload_start(struct fn_upload *u);
/* Frees u; its package goes unless a stored version names it. */
void fn_upload_end(struct fn_upload *u);

/* The package may have become garbage: looked at soon, and again until nothing needs it. */
void fn_upload_forget(struct fn_api *api, const char *code_sha256);
int fn_uploads_open(struct fn_api *api, struct fn_err *err);
void fn_uploads_close(struct fn_api *api);

#endif
