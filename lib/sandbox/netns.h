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

int fn_netns_new(struct fn_err *err); /* moves the caller into a new one */
int fn_netns_loopback(struct fn_err *err);
/* The Runtime API's listener (FN_RTAPI_PORT on 127.0.0.1); the caller owns it. */
int fn_netns_listener(struct fn_err *err);
/* Address, routes, no IPv6. proc_fd: a /proc of this namespace that may still be written. */
int fn_netns_nat(const struct fn_child_nat *nat, int proc_fd, struct fn_err *err);

#endif
