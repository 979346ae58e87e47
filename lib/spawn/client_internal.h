/* client_internal.h - shared by client.c (the socket, what waits for an answer) and requests.c (each request). Runs in fnd's worker. */
#ifndef FN_SPAWN_CLIENT_INTERNAL_H
#define FN_SPAWN_CLIENT_INTERNAL_H

#include "spawn/client.h"
#include "spawn/proto.h"

enum fn_pending_kind { FN_PENDING_SPAWN, FN_PENDING_UNPACK, FN_PENDING_LAYER, FN_PENDING_TEXT, FN_PENDING_READY, FN_PENDING_REMOVE, FN_PENDING_SURVEY, FN_PENDING_SOCKET, FN_PENDING_FETCH };

/* A request whose answer is waited for. */
struct fn_pending {
	enum fn_pending_kind kind;
	uint64_t request;
	union {
		fn_spawn_fn spawn;
		fn_unpack_fn unpack;
		fn_unpack_layer_fn layer;
		fn_removed_fn removed;
		fn_spawn_text_fn text;
		fn_spawn_ready_fn ready;
		fn_spawn_socket_fn socket;
		fn_fetch_fn fetched;
	} fn;
	void *arg;
	bool cancelled;
	bool sent; /* an end of fn-spawnd fails what was sent; the rest waits for the next one */
};

/* NULL on no memory. */
struct fn_pending *fn_pending_add(struct fn_spawn_client *c, enum fn_pending_kind kind, void *arg);
struct fn_pending *fn_pending_find(const struct fn_spawn_client *c, uint64_t request); /* NULL: it has been answered */
/* Sends what nobody answers. */
int fn_spawn_say(struct fn_spawn_client *c, uint32_t type, uint64_t id, const void *data, size_t len);
/* Sends a request whose answer `p` waits for; on failure p is gone. fd is borrowed, -EBADF: none. */
int fn_spawn_ask(struct fn_spawn_client *c, struct fn_pending *p, uint32_t type, uint64_t id, const void *data, size_t len, int fd);

#endif
