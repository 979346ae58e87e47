/*
 * h1ahead.h - an answer that another thread sends as soon as what it says is true, before the loop has its turn: without a body, for it is composed while the request is still its owner's.
 *
 * The struct is the owner's: it stays until he has replied, or the connection has ended; after either nothing is sent.
 */
#ifndef FN_WEB_H1AHEAD_H
#define FN_WEB_H1AHEAD_H

#include <stddef.h>

/* The field of an answer to who has given the client: that was answered. */
#define FN_H1_ANSWERED "X-Fnd-Answered"

struct fn_h1_ahead {
	_Atomic int state;
	int fd, client;     /* client: of h1conn.h's fn_h1_conn_takes_client(), with */
	const char *notice; /* what its giver is told then; NULL: there is none */
	size_t len;
	char bytes[512];
};

/* In any thread, once; waits for nothing. Where it cannot be sent now, the owner's reply is. */
void fn_h1_ahead_send(struct fn_h1_ahead *a);

#endif
