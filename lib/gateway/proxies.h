/*
 * proxies.h - whom a request comes from when there are proxies in front: X-Forwarded-* are believed of those that the configuration trusts, and of
 * nobody else. Pure.
 */
#ifndef FN_GATEWAY_PROXIES_H
#define FN_GATEWAY_PROXIES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define FN_GW_PROXIES_MAX 32

struct fn_gw_proxies {
	struct {
		struct in6_addr net; /* IPv4 as ::ffff:a.b.c.d */
		unsigned bits;
	} list[FN_GW_PROXIES_MAX];
	unsigned n;
};

/* Who has connected. */
struct fn_gw_peer {
	struct in6_addr address;
	uint64_t key; /* fn_crowd_peer() */
	bool trusted; /* a proxy: many clients are behind it */
};

/* Addresses and networks with commas between: "10.0.0.0/8,192.0.2.1,fd00::/8". -EINVAL; -E2BIG. NULL and "" are none. */
int fn_gw_proxies_parse(const char *text, struct fn_gw_proxies *ret);
/* An address of a socket, IPv4 as ::ffff:a.b.c.d; what is of neither family is "::". */
struct in6_addr fn_gw_address(const struct sockaddr *from);
struct fn_gw_peer fn_gw_peer(const struct fn_gw_proxies *p, const struct sockaddr *from);
/* "192.0.2.1", "2001:db8::1" */
const char *fn_gw_address_text(const struct in6_addr *address, char out[INET6_ADDRSTRLEN]);
/* The client, seen from the end of X-Forwarded-For: the last that is no trusted proxy. forwarded: the field, NULL = none; peer: who has connected, and is
 * trusted. What is no address ends the search: then it is whoever said so. */
void fn_gw_proxies_client(const struct fn_gw_proxies *p, const char *forwarded, const struct in6_addr *peer, struct in6_addr *ret);

#endif
