/*
 * pass.h - the AWS API through TLS: the bytes of a connection that asks for the name `api_host` go to fnd's own listener and back, unparsed, so that
 * signatures hold. fnd serves them as it serves everybody: it has credentials, else the configuration would be refused.
 */
#ifndef FN_GATEWAY_PASS_H
#define FN_GATEWAY_PASS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "gateway/conns.h"

/* Serves it until its end, on the caller's thread: fd (a socket; closed at the end), on which no byte has been read. to: fnd's address. */
void fn_gw_pass(struct fn_gw_conn *conn, int fd, const struct sockaddr_storage *to, socklen_t to_len);
/* Which name does the client ask for? Waits for the beginning of its first bytes, which stay unread; -errno. */
int fn_gw_peek_name(int fd, char *out, size_t size);

#endif
