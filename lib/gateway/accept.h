/*
 * accept.h - the thread that takes connections off one listening socket, as many as there may be (conns.h), and hands them to libmicrohttpd; a connection
 * through TLS that asks for the AWS API goes to pass.h instead, on a thread of its own.
 */
#ifndef FN_GATEWAY_ACCEPT_H
#define FN_GATEWAY_ACCEPT_H

#include <pthread.h>

#include "gateway/serve.h"

struct fn_gw_acceptor {
	struct fn_gw *gw;
	int fd, stop_fd;          /* listening, non-blocking; stop_fd: readable = it ends */
	struct MHD_Daemon *daemon;
	const char *api_host;     /* NULL = none */
	int state_fd;             /* where fnd's socket is */
	pthread_t thread;
};

int fn_gw_accept_start(struct fn_gw_acceptor *a);
void fn_gw_accept_join(struct fn_gw_acceptor *a);

#endif
