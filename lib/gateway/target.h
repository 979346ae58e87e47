/*
 * target.h - which function URL a request is for: by its host, "<id>.lambda-url.<region>.<domain>", or by its path, "/_fnd/url/<id>/...", for clients
 * that cannot resolve such names. Pure.
 */
#ifndef FN_GATEWAY_TARGET_H
#define FN_GATEWAY_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "model/url.h"

struct fn_gw_names {
	const char *region, *domain; /* of the hosts; the domain may have a port behind it, which does not count */
};

struct fn_gw_target {
	char id[FN_URL_ID_SIZE];
	char host[256];             /* what events call domainName: lower case, no port */
	const char *path;           /* as sent, of what was given; the function's part of it, which begins with '/' unless it is empty */
	size_t path_len;
	const char *query;          /* as sent, "" = none */
};

/* host: the field's value, NULL = absent; uri: the request's, as sent. False: it is no function URL's. */
bool fn_gw_target(const struct fn_gw_names *names, const char *host, const char *uri, struct fn_gw_target *ret);
/* Does a URI in absolute form name the host that the field does (RFC 9112, 3.2.2)? One that names none does. */
bool fn_gw_same_host(const char *uri, const char *host);
/* The path of a request's URI with its length, and its query, as they were sent: what is signed. False: it has no path. */
bool fn_gw_split(const char *uri, const char **ret_path, size_t *ret_len, const char **ret_query);

#endif
