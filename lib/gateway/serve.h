/*
 * serve.h - requests to function URLs, from libmicrohttpd to fnd and back. A thread for each connection: what it waits for, it waits for in read(2), and a
 * client that takes its answer slowly slows down its own function's stream alone.
 *
 * A request goes through one step after the other: whose URL it is (target.h), how that is configured (upstream.h), a preflight (cors.h), who may (iam.h),
 * the body, the event (event.h), the invocation, the response (result.h). What refuses it before its body is read does so unread.
 */
#ifndef FN_GATEWAY_SERVE_H
#define FN_GATEWAY_SERVE_H

#include <microhttpd.h>
#include <pthread.h>

#include "gateway/conns.h"
#include "gateway/proxies.h"
#include "gateway/target.h"
#include "gateway/upstream.h"
#include "web/bodies.h"

struct fn_gw {
	struct fn_gw_names names;
	struct fn_gw_proxies proxies;
	struct fn_gw_conns *conns;
	struct fn_gw_upstream *upstream;
	pthread_mutex_t lock; /* of bodies, and of what is said */
	struct fn_bodies *bodies;
	uint64_t said_us;     /* a refusal was logged */
	unsigned unsaid;      /* and so many were not since */
};

/* A server for one listening socket, which is accepted from elsewhere (MHD_add_connection()). more: options, ended by MHD_OPTION_END. NULL = failed. */
struct MHD_Daemon *fn_gw_serve(struct fn_gw *gw, unsigned flags, unsigned connections, const struct MHD_OptionItem *more);

#endif
