/* inner.h - the headers of requests between fn-gateway and fnd: api/inner.h tells what for. */
#ifndef FN_MODEL_INNER_H
#define FN_MODEL_INNER_H

#define FN_INNER_GENERATION "X-Fnd-Generation"
#define FN_INNER_REQUEST_ID "X-Fnd-Request-Id"
#define FN_INNER_STALE "X-Fnd-Stale"
/* The gateway's listening socket in the state directory. */
#define FN_INNER_SOCKET "gateway.sock"

#endif
