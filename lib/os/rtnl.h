/* rtnl.h - one rtnetlink request and its answer, over libnl. */
#ifndef FN_OS_RTNL_H
#define FN_OS_RTNL_H

#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "base/err.h"

/* A request about a link, asking for an acknowledgement; by index or by name (NULL: none). NULL on no memory. */
struct nl_msg *fn_rtnl_link_msg(int type, int flags, int index, const char *name, unsigned if_flags, unsigned change);
/* Sends and frees msg (NULL: there was no memory for it), waits for the answer. The kernel's own words become part of the error. */
int fn_rtnl_talk(struct nl_sock *sk, struct nl_msg *msg, const char *step, const char *name, struct fn_err *err);

#endif
