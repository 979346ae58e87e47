/*
 * layer_coming.h - a container image's layer on its way in as the body of a request: it goes through a pipe to fn-unpack as it comes, so that it is nowhere but in
 * its tree, under its digest, or nowhere at all. On the loop's thread only.
 */
#ifndef FN_API_LAYER_COMING_H
#define FN_API_LAYER_COMING_H

#include "api/internal.h"

struct fn_layer_coming;

/* drained is called when fn_layer_coming_add() has said to wait, and one may go on. NULL: no memory, or too many. */
struct fn_layer_coming *fn_layer_coming_new(struct fn_api *api, const char *sha256, void (*drained)(void *arg), void *arg);
/* Copies. True: wait for `drained`. */
bool fn_layer_coming_add(struct fn_layer_coming *c, const void *data, size_t len);
/* That was all: done is told, once, when its tree is whole, or will not be; perhaps at once. */
void fn_layer_coming_end(struct fn_layer_coming *c, void (*done)(void *arg), void *arg);
/* After done. NULL = it is there. */
const struct fn_err *fn_layer_coming_error(const struct fn_layer_coming *c);
void fn_layer_coming_free(struct fn_layer_coming *c); /* what is not whole goes; NULL is fine */

#endif
