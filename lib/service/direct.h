/*
 * direct.h - the clients' connections that fnd has handed over, and their requests: fn-events' end of handover.h.
 *
 * A request is served when all of it is proved here: it is one of SQS, of a kind that may come so (fn_direct_fits()), and signed with the key that fnd gave with its connection,
 * where it must be signed. Another goes back with its connection as soon as its head is there; where that cannot be it is answered 503, and its connection ends.
 */
#ifndef FN_SERVICE_DIRECT_H
#define FN_SERVICE_DIRECT_H

#include "service/call.h"
#include "web/bodies.h"

struct fn_direct_server;
struct fn_direct_config {
	struct fn_loop *loop;
	int listen_fd;                     /* FN_HANDOVER_SOCKET's; owned from success on */
	int64_t fnd_uid;                   /* who may connect to it, beside root */
	unsigned conn_max, idle_timeout_s; /* of httpd.h */
	struct fn_bodies *bodies;
	const struct fn_services *services;
	const char *region, *account_id;
};

int fn_direct_server_new(const struct fn_direct_config *config, struct fn_direct_server **ret, struct fn_err *err);
/* Connections end with what they have under way, and no more come. */
void fn_direct_server_quiesce(struct fn_direct_server *s);
unsigned fn_direct_server_active(const struct fn_direct_server *s); /* fn_httpd_active() */
void fn_direct_server_free(struct fn_direct_server *s); /* all requests must have been replied to; NULL is fine */

#endif
