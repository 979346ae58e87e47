/*
 * net.h - the host's side of a `nat` network: a bridge, a port per sandbox, forwarding, rules. Synchronous rtnetlink over libnl; runs
 * in fn-spawnd.
 *
 *   sandbox (its netns)          host
 *   eth0  10.201.0.7/32  <veth>  fn<instance>-<n>, an isolated port of the bridge fnd0 = 10.201.0.1 -> forward, masquerade -> uplink
 *
 * Ports are isolated from each other in the bridge (IFLA_BRPORT_ISOLATED), and rules (firewall.h) refuse the way round through the
 * host. A function has no capability in its namespace (no CAP_NET_ADMIN, no CAP_NET_RAW, and seccomp allows no new namespaces), so it
 * can neither change its address nor send raw packets; should it ever, its port takes nothing but IPv4 and ARP with its own addresses.
 *
 * What is where is written down, not learnt: the host knows the hardware address of each address, the bridge the port of each hardware address.
 *
 * There is no IPv6 on the bridge and on eth0: an attempt fails at once (ENETUNREACH), so that programs that try both lose no time.
 *
 * Forwarding is turned on for the bridge and its uplinks alone, never for the whole host (net.ipv4.ip_forward); where it was off on an
 * uplink, other machines' packets are refused there as before, and it is turned off at the end. The bridge's alias (ip link) keeps
 * note of that, its hardware address tells whose it is: the next start after a kill -9 finds both.
 */
#ifndef FN_OS_NET_H
#define FN_OS_NET_H

#include <sys/types.h>

#include "os/firewall.h"
#include "os/subnet.h"

#define FN_NET_IFACE "eth0" /* inside */

struct fn_net_config {
	const char *instance; /* "fnd-" and 12 hex digits */
	const char *bridge;
	const char *uplink;   /* NULL or "": those of the default routes */
	struct fn_subnet subnet;
	const struct fn_firewall_policy *policy;
};

struct fn_net;
/* Sweeps what an earlier run of this instance left, then makes everything. A bridge of that name that is not ours (EEXIST) and a
 * subnet that overlaps with a route (EADDRINUSE) are refused. On failure nothing is left. */
int fn_net_open(const struct fn_net_config *config, struct fn_net **ret, struct fn_err *err);
/* The sweep alone, for a start without a `nat` network. */
int fn_net_sweep(const char *instance, struct fn_err *err);
/* Removes all that is ours. NULL is fine. */
void fn_net_close(struct fn_net *n);
uint32_t fn_net_gateway(const struct fn_net *n);
bool fn_net_has_uplink(const struct fn_net *n);
/* "uplink eth0, eth1" or "no uplink". */
const char *fn_net_describe(const struct fn_net *n, char *buf, size_t size);

/* Port number `slot`: a veth whose other end appears, down and without an address, as eth0 in the namespace of `pid`. Its address must have been
 * forgotten since its last owner. */
int fn_net_port_add(struct fn_net *n, uint32_t slot, pid_t pid, struct fn_err *err);
/* A port vanishes with the namespace of its other end, a moment after its last process and socket. */
bool fn_net_port_gone(const struct fn_net *n, uint32_t slot);
int fn_net_port_remove(struct fn_net *n, uint32_t slot); /* now; may take tens of milliseconds */
/* See fn_firewall_owner(). */
int fn_net_port_owner(struct fn_net *n, uint32_t slot, uint32_t function);
/* The port has gone: so does what the host knows of its address, but for connections (flows.h). */
void fn_net_port_forget(struct fn_net *n, uint32_t slot);
/* In a forked child that has closed all descriptors: new ones. */
int fn_net_reconnect(struct fn_net *n);

#endif
