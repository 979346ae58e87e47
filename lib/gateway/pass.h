/*
 * pass.h - the AWS API through TLS: the bytes of a connection that asks for the name `api_host` go to fnd and back, unparsed, so that
 * signatures hold, on a connection of which fnd is told whose it is (FN_INNER_PASS). It serves them as it serves everybody: it has credentials, else the configuration would be refused.
 */
#ifndef FN_GATEWAY_PASS_H
#define FN_GATEWAY_PASS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "gateway/conns.h"

/* Serves it until its end, on the caller's thread: fd (a socket; closed at the end), on which no byte has been read. state_fd: where fnd's socket is; from: the client. */
void fn_gw_pass(struct fn_gw_conn *conn, int fd, int state_fd, const struct in6_addr *from);
/* Which name does the client ask for? Waits for the beginning of its first bytes, which stay unread; -errno. */
int fn_gw_peek_name(int fd, char *out, size_t size);

#endif
