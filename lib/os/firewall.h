/*
 * firewall.h - the nftables table of a `nat` network, one per instance, loaded at once through libnftables and removed by name.
 *
 * libnftables and the five libraries behind it are loaded in a child that ends at once: clone3 copies fn-spawnd's address space for
 * every sandbox, and with them in it that would take some 80 us longer, `nat` or not.
 *
 * It decides what comes from or goes to the bridge and nothing else on the host, but for one thing: see `guard`. Table names and
 * rules: nft(8). A packet that another table drops stays dropped, whatever is accepted here.
 */
#ifndef FN_OS_FIREWALL_H
#define FN_OS_FIREWALL_H

#include <stdbool.h>

#include "os/subnet.h"

#define FN_UPLINKS_MAX 4

struct fn_firewall_rules {
	const char *table;  /* "fnd-0123456789ab" */
	const char *bridge;
	struct fn_subnet subnet;
	const uint32_t *dns; /* servers that may be asked wherever they are, on this host too */
	unsigned n_dns;
	const char *uplinks[FN_UPLINKS_MAX]; /* where sandboxes' packets may leave */
	/* Forwarding was turned on there for our sake: what others send through is refused as it was before. */
	bool guard[FN_UPLINKS_MAX];
	unsigned n_uplinks;
};

/* Replaces a table of that name in one transaction. */
int fn_firewall_load(const struct fn_firewall_rules *rules, struct fn_err *err);
/* Removes the table; -ENOENT when there is none. */
int fn_firewall_remove(const char *table);

#endif
