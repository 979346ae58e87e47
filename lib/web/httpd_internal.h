/* httpd_internal.h - a server and its connections, for httpd.c and httpd_passed.c only. */
#ifndef FN_WEB_HTTPD_INTERNAL_H
#define FN_WEB_HTTPD_INTERNAL_H

#include "web/http_req_internal.h"
#include "web/httpd.h"

#define FN_HTTPD_HEAD_MAX 32768u

struct fn_httpd {
	struct fn_loop *loop;
	struct fn_httpd_config cfg;
	struct fn_h1_server *server;
	struct fn_list conns;
	unsigned n_conns;
	struct fn_http_shared shared;
	uint64_t io, look, resume; /* the listening socket; timers */
	uint64_t idle_us, stall_us, look_us;
	bool paused;
};

/* Serves fd (taken, also on failure). ret_req may be NULL. -ENOBUFS: there are too many. */
int fn_httpd_add(struct fn_httpd *h, int fd, uint64_t peer, struct fn_http_party *party, struct fn_http_req **ret_req);
/* A request that is whole goes to the handler. */
void fn_http_req_deliver(struct fn_http_req *r);
/* Its connection is not the server's any more; the request is. */
void fn_http_req_leave(struct fn_http_req *r);
/* Its connection ends; a handler that has the request keeps it. */
void fn_http_req_drop(struct fn_http_req *r);

#endif
