/*
 * firewall.h - the nftables tables of a `nat` network, one of family inet and one of family bridge for each instance, loaded at once through
 * libnftables and removed by name.
 *
 * libnftables and the five libraries behind it are loaded in a child that ends at once: clone3 copies fn-spawnd's address space for
 * every sandbox, and with them in it that would take some 80 us longer, `nat` or not.
 *
 * They decide what comes from or goes to the bridge and nothing else on the host, but for two things: see `guard`, and packets that come from
 * elsewhere with a sandbox's address are dropped. Table names and rules: nft(8). A packet that another table drops stays dropped,
 * whatever is accepted here.
 *
 * What is tracked is bounded three times: for each sandbox, for each function, and for all together. The kernel counts by walking a list at each
 * new connection, once a timer tick (nf_conncount; 0.4 ms for 4,096). The counts are therefore made of shards of FN_FLOWS_SHARD connections
 * at most, each by a hash of addresses and ports: a large one refuses the first connection somewhat early, at about eight tenths.
 */
#ifndef FN_OS_FIREWALL_H
#define FN_OS_FIREWALL_H

#include <stdbool.h>

#include "os/nft.h"
#include "os/subnet.h"

#define FN_UPLINKS_MAX 4
#define FN_FLOWS_SHARD 128u

/* What sandboxes may do; borrowed by whom it is given to. */
struct fn_firewall_policy {
	const uint32_t *dns; /* servers that may be asked wherever they are, on this host too */
	unsigned n_dns;
	struct fn_host_services services; /* of this host that are reached at the bridge's address */
	uint32_t flows_sandbox, flows_function, flows_all; /* tracked connections */
};

struct fn_firewall_rules {
	const char *table;  /* "fnd-0123456789ab" */
	const char *bridge;
	const char *ports;  /* what the names of the bridge's ports begin with */
	struct fn_subnet subnet;
	const struct fn_firewall_policy *policy;
	const char *uplinks[FN_UPLINKS_MAX]; /* where sandboxes' packets may leave */
	/* Forwarding was turned on there for our sake: what others send through is refused as it was before. */
	bool guard[FN_UPLINKS_MAX];
	unsigned n_uplinks;
};

/* Replaces tables of that name in one transaction. */
int fn_firewall_load(const struct fn_firewall_rules *rules, struct fn_err *err);
/* Removes them; -ENOENT when there are none. */
int fn_firewall_remove(const char *table);

/* A port lets through what comes from this hardware address with this address, and nothing else. */
int fn_firewall_port(const struct fn_nft *n, const char *port, const uint8_t mac[6], uint32_t addr);
/* Whose the address is from now on: connections are counted for that function, too. */
int fn_firewall_owner(const struct fn_nft *n, uint32_t addr, uint32_t function); /* any number but 0 */
/* Nobody's any more: the port's, the function's and the counts' elements go. */
void fn_firewall_forget(const struct fn_nft *n, const char *port, const uint8_t mac[6], uint32_t addr, uint32_t shards);
/* Of how many parts a bound is made. */
uint32_t fn_firewall_shards(uint32_t most);

#endif
