/*
 * gateway.h - what the supervisor has of fn-gateway: its listening sockets, keys and certificates, opened by root, fnd's listener for it, and the process.
 *
 * It is started once for each configuration, again when it dies. With another configuration the next one takes over at once, on the same sockets where
 * they are the same, while the last finishes what is under way and ends.
 */
#ifndef FND_GATEWAY_H
#define FND_GATEWAY_H

#include <errno.h>

#include "children.h"

struct fnd_gateway {
	int plain_fd, tls_fd, state_fd; /* -EBADF = there is none */
	char *plain, *tls;              /* what the configuration calls them */
	int *files;                     /* of each certificate its file and its key's */
	size_t n_files;
};

#define FND_GATEWAY_NONE {.plain_fd = -EBADF, .tls_fd = -EBADF, .state_fd = -EBADF}

/* What the configuration asks for is opened; sockets that `last` (NULL = nothing) has are the same ones. cfg's URLs are set. */
int fnd_gateway_open(struct fnd_gateway *g, struct fnd_config *cfg, const struct fnd_gateway *last, struct fn_err *err);
/* Are the certificates and keys some that fn-gateway takes? */
int fnd_gateway_check(const struct fnd_config *cfg, struct fn_err *err);
void fnd_gateway_close(struct fnd_gateway *g);
struct fnd_gateway fnd_gateway_take(struct fnd_gateway *g); /* which has nothing any more */
/* Starts it, if it is configured. */
int fnd_gateway_start(const struct fnd_gateway *g, struct fnd_child *child, const struct fnd_child_about *about, struct fn_err *err);
#endif
