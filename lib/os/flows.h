/*
 * flows.h - the kernel's table of tracked connections (conntrack), over ctnetlink: what is left of addresses that nobody has any more.
 *
 * A connection outlives the sandbox that made it by minutes, and packets that answer it find whoever has the address then. There is no
 * request for "those of this address" but a walk over the whole table: 10 ms for an empty one of 262,144 buckets, 200 ms for a full one
 * (Linux 6.18). Not for a process in which somebody waits.
 */
#ifndef FN_OS_FLOWS_H
#define FN_OS_FLOWS_H

#include "os/subnet.h"

/* The limit of the host's table (nf_conntrack_max); 0 when there is none. */
uint32_t fn_flows_max(void);
/* Deletes the connections of addresses of the subnet: those whose bit is set in `addrs` (bit n: base + n; borrowed), NULL for all of them.
 * Returns how many there were, or -errno. */
int fn_flows_purge(const struct fn_subnet *s, const uint8_t *addrs, struct fn_err *err);

#endif
