/*
 * platform.h - the platform endpoint of one sandbox: the connections that its function makes to the platform's API, at the address where the platform
 * listens, inside. Runs in fnd on its loop.
 *
 * Who calls is decided by the socket, which was made in that sandbox's network namespace: the function, in its role. Requests are those of the httpd of
 * all sandboxes (role FN_HTTP_SANDBOX); what a request can ask here it may ask as long as the request lives, also when its sandbox has ended.
 * Bounds: FN_PLATFORM_CONNS_MAX connections of a sandbox, each with one request at a time; the one that has rested the longest gives way, and where none rests
 * new ones wait in the listening socket. While the sandbox is frozen no connection is accepted and no request begins.
 */
#ifndef FN_ENV_PLATFORM_H
#define FN_ENV_PLATFORM_H

#include "env/credentials.h"
#include "model/function.h"
#include "web/httpd.h"
#include "web/party.h"

#define FN_PLATFORM_CONNS_MAX 64
/* A function's environment variable that turns its endpoint off, and leaves the port to it. */
#define FN_PLATFORM_SWITCH "FND_PLATFORM_ENDPOINT"
#define FN_PLATFORM_OFF "off"

struct fn_env;
struct fn_platform;

/* What all endpoints share. */
struct fn_platform_host {
	struct fn_httpd *httpd;
	char address[24];            /* inside: "127.0.0.1:3001" */
	const char *const *services; /* that the platform serves, as AWS_ENDPOINT_URL_* calls them: "LAMBDA"; NULL at the end */
};

bool fn_platform_wanted(const struct fn_function *f); /* it has not turned it off */
/* Takes listen_fd. */
int fn_platform_new(struct fn_env *e, int listen_fd, struct fn_platform **ret);
void fn_platform_freeze(struct fn_platform *p, bool on); /* NULL is fine */
/* An invocation with this X-Amzn-Trace-Id (NULL = none) begins: what is called from now on belongs to it. NULL p is fine. */
void fn_platform_begin(struct fn_platform *p, const char *trace);
void fn_platform_end(struct fn_platform *p); /* its sandbox has ended; NULL is fine */

/* --- of a request --- */
struct fn_platform *fn_platform_of(const struct fn_http_req *req); /* NULL: it comes from no sandbox */
const struct fn_function *fn_platform_function(const struct fn_platform *p);
/* What its function signs with; NULL: its sandbox has ended. */
const struct fn_credentials *fn_platform_credentials(const struct fn_platform *p);
/* The header of the invocation that it is at, or was last; NULL = that had none. */
const char *fn_platform_trace(const struct fn_platform *p);

#endif
