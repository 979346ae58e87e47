/*
 * nat.h - sandboxes' addresses and ports in a `nat` network. Runs in fn-spawnd on its loop. An address is in use until its port has
 * really vanished, which the kernel does a moment after the sandbox's end, and until the kernel tracks no connection of it any more
 * (cleaner.h): no two namespaces ever hold the same one, and nobody gets what was meant for the last owner. The address that has
 * been free for the longest is given first; each start begins at another.
 */
#ifndef FN_SPAWN_NAT_H
#define FN_SPAWN_NAT_H

#include "base/loop.h"
#include "os/net.h"
#include "sandbox/child.h"

struct fn_nat_config {
	struct fn_loop *loop;
	const char *instance, *bridge, *subnet;
	const char *uplink;      /* NULL: the default routes' */
	const char *resolv_conf; /* path of a file */
	const char *allow_host;  /* services of this host, for fn_host_services_parse(); NULL: none */
	uint32_t connections_environment, connections_function, connections_total; /* 0: 4096, a quarter of the total, half the host's table */
};

struct fn_nat;
/* Makes the network (os/net.h), forgets connections that an earlier run left. Logs warnings about name servers that sandboxes cannot reach. */
int fn_nat_open(const struct fn_nat_config *config, struct fn_nat **ret, struct fn_err *err);
/* Waits a little for ports to vanish, deletes those that stay, the network and what is tracked. NULL is fine. */
void fn_nat_close(struct fn_nat *n);
const char *fn_nat_resolv_conf(const struct fn_nat *n); /* text of the sandboxes' /etc/resolv.conf */

/* An address for a sandbox; EADDRNOTAVAIL names the subnet when all are in use. ret->iface stays valid. */
int fn_nat_take(struct fn_nat *n, uint32_t *ret_slot, struct fn_child_nat *ret, struct fn_err *err);
uint32_t fn_nat_unused(const struct fn_nat *n);   /* addresses that can be had now */
bool fn_nat_expects(struct fn_nat *n);            /* some that were in use are about to be had again */
uint32_t fn_nat_capacity(const struct fn_nat *n); /* all of them */
/* Its interface, into the namespace of this process. */
int fn_nat_attach(struct fn_nat *n, uint32_t slot, pid_t pid, struct fn_err *err);
/* The sandbox is this function's from now on: its connections count with those of the function's other ones. */
int fn_nat_owner(struct fn_nat *n, uint32_t slot, const char *function, struct fn_err *err);
/* The sandbox has ended, or was never made. */
void fn_nat_give(struct fn_nat *n, uint32_t slot);

/* A JSON object for `doctor`; {"mode":"loopback"} for NULL. */
const char *fn_nat_describe(const struct fn_nat *n, char *buf, size_t size);

#endif
