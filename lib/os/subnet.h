/* subnet.h - IPv4 subnets and the text of resolv.conf(5): parsing without side effects. Addresses are in host byte order. */
#ifndef FN_OS_SUBNET_H
#define FN_OS_SUBNET_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define FN_IP4_TEXT 19 /* "255.255.255.255/32" with NUL */
#define FN_SUBNET_BITS_MIN 16 /* the shortest prefix: a bridge is no place for more hosts */
#define FN_SUBNET_BITS_MAX 29

struct fn_subnet {
	uint32_t base, mask; /* base: the network's own address; base + 1 is the bridge's, the last one broadcast */
	unsigned bits;
};

/* "10.201.0.0/16". Refused: host bits that are set, prefixes outside /16../29, and what can be nobody's (0/8, 127/8, 169.254/16, 224/3). */
int fn_subnet_parse(const char *text, struct fn_subnet *ret, struct fn_err *err);
/* Addresses for sandboxes: all but the network's, the bridge's and broadcast. The n-th of them is base + 2 + n. */
uint32_t fn_subnet_capacity(const struct fn_subnet *s);
bool fn_subnet_overlaps(const struct fn_subnet *s, uint32_t addr, unsigned bits);
const char *fn_ip4_format(uint32_t addr, char buf[FN_IP4_TEXT]);
/* What the kernel takes as an interface's name, and what is safe in a rule: 1 to 15 of [A-Za-z0-9._-]. */
int fn_ifname_check(const char *name, struct fn_err *err);

/* Services of this host that sandboxes may reach, as configured: "tcp:5432", "udp:127.0.0.1:8125". */
#define FN_HOST_SERVICES_MAX 32
struct fn_host_services {
	struct {
		bool udp;
		uint16_t port;
		uint32_t addr; /* where the service listens, if not on the bridge's address; else 0 */
	} list[FN_HOST_SERVICES_MAX];
	unsigned n;
};
/* Adds one. Refused: other forms, port 0, an address that is nobody's or in `subnet`, the same protocol and port twice (EEXIST), more than fit. */
int fn_host_service_add(const char *text, const struct fn_subnet *subnet, struct fn_host_services *to, struct fn_err *err);
/* The same for a list with commas between; "" is an empty one. */
int fn_host_services_parse(const char *text, const struct fn_subnet *subnet, struct fn_host_services *ret, struct fn_err *err);

#define FN_RESOLV_SERVERS_MAX 3 /* what resolvers look at (MAXNS) */
struct fn_resolv {
	char text[4096];                         /* for the sandboxes */
	uint32_t servers[FN_RESOLV_SERVERS_MAX]; /* in it */
	unsigned n_servers, n_loopback, n_ipv6;  /* the last two: left out */
};
/* The text without what means nothing in a sandbox: comments, IPv6 servers, and servers on loopback, which is the sandbox's own. */
void fn_resolv_parse(const char *text, struct fn_resolv *ret);

#endif
