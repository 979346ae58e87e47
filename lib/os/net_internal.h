/* net_internal.h - shared by net.c (the bridge, its uplinks, what is left behind) and net_port.c (a sandbox's port). */
#ifndef FN_OS_NET_INTERNAL_H
#define FN_OS_NET_INTERNAL_H

#include <netlink/netlink.h>

#include "os/net.h"

struct fn_net {
	struct nl_sock *sk;
	int probe_fd; /* for SIOCGIFINDEX */
	char instance[32], bridge[IFNAMSIZ];
	struct fn_subnet subnet;
	int index; /* of the bridge; 0 = not made */
	unsigned mtu;
	bool ipv6; /* the kernel has it */
	char uplinks[FN_UPLINKS_MAX][IFNAMSIZ];
	bool guard[FN_UPLINKS_MAX]; /* we turned forwarding on */
	unsigned n_uplinks;
	bool rules; /* are loaded */
	struct fn_nft nft;
	uint32_t flow_shards; /* of a sandbox's bound */
};

void fn_net_port_name(const struct fn_net *n, uint32_t slot, char name[IFNAMSIZ]);
void fn_net_port_prefix(const struct fn_net *n, char prefix[IFNAMSIZ]); /* what they all begin with: "fn012345-" */
int fn_net_delete_link(struct fn_net *n, int index);

#endif
