/*
 * netns.h - a sandbox's own network namespace, from inside, while init still has the capabilities for it.
 */
#ifndef FN_SANDBOX_NETNS_H
#define FN_SANDBOX_NETNS_H

#include <stdint.h>

#include "base/err.h"

/* The sandbox's place in a `nat` network, host byte order. Its interface is there once the handshake says go. */
struct fn_child_nat {
	uint32_t addr, gateway;
	const char *iface;
};

/* Where the platform's own API is reached inside, host byte order: an address of 127.0.0.0/8. Port 0: it is not. */
struct fn_child_platform {
	uint32_t addr;
	uint16_t port;
};

/* "127.0.0.1:3001". -EINVAL. */
int fn_child_platform_parse(const char *text, struct fn_child_platform *ret);

int fn_netns_new(struct fn_err *err); /* moves the caller into a new one */
int fn_netns_loopback(struct fn_err *err);
/* The Runtime API's listener (FN_RTAPI_PORT on 127.0.0.1); the caller owns it. */
int fn_netns_listener(struct fn_err *err);
/* The platform endpoint's; the same. */
int fn_netns_platform(const struct fn_child_platform *p, struct fn_err *err);
/* Address, routes, no IPv6. proc_fd: a /proc of this namespace that may still be written. */
int fn_netns_nat(const struct fn_child_nat *nat, int proc_fd, struct fn_err *err);

#endif
