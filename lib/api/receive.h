/*
 * receive.h - how a request's body is taken. Before a byte of it is read: whether the request is one that is taken at all (its key is known, its date
 * fresh, its scope ours; or, without credentials, it is no web page's). While it comes: a package goes to a file (image/package.h), a long body that is
 * signed is hashed. What the body was is judged at its end.
 */
#ifndef FN_API_RECEIVE_H
#define FN_API_RECEIVE_H

#include "api/internal.h"
#include "image/package.h"

/* The head is there (ops->body_max): how much of a body is taken that may be max bytes long. */
struct fn_receive_to {
	const char *const *package; /* where in it a code package is; NULL = in none */
	uint64_t package_max;       /* bytes of that */
	const char *layer;          /* it is a container image's layer of this digest (layer_coming.h); NULL = it is none */
};
size_t fn_receive_begin(struct fn_api *api, struct fn_http_req *req, size_t max, const struct fn_receive_to *to);
/* ops->piece */
void fn_receive_piece(void *arg, struct fn_http_req *req, const char *data, size_t len);
/* ops->cut */
void fn_receive_cut(void *arg, struct fn_http_req *req);
/* All of it has come. True: it is worked through later; then go_on is called, as ops->request. */
bool fn_receive_waits(struct fn_api *api, struct fn_http_req *req, void (*go_on)(void *arg, struct fn_http_req *req));

/* Of a request that is whole. */
/* The package in it, which is the request's; NULL = it has none, for it is of no operation that does. */
struct fn_package *fn_receive_package(const struct fn_http_req *req);
/* The layer that it was; NULL: it is of no operation that takes one, or there were too many. */
const struct fn_layer_coming *fn_receive_layer(const struct fn_http_req *req);
/* The body, without the package. */
void fn_receive_body(const struct fn_http_req *req, const char **ret_data, size_t *ret_len);
/* Could its package be taken? Replies and returns false when not. */
bool fn_receive_taken(struct fn_call *call);
/* What has been made of it, to be found when the request is gone through once more; released when that has ended. -ENOMEM: it is the caller's still. */
int fn_receive_keep(struct fn_api *api, struct fn_http_req *req, void *kept, void (*release_kept)(void *kept));
void *fn_receive_kept(const struct fn_http_req *req); /* NULL: nothing */
/* The whole body's digest. */
void fn_receive_sha256(const struct fn_http_req *req, char out[65]);

#endif
