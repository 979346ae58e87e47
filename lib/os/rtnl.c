/* rtnl.c - see rtnl.h. */
#include "os/rtnl.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdbool.h>
#include <stdio.h>

struct answer {
	bool done;
	int error;
	char text[96];
};

static int on_error(struct sockaddr_nl *who, struct nlmsgerr *e, void *arg)
{
	struct nlmsghdr *h = (struct nlmsghdr *)((char *)e - NLMSG_HDRLEN);
	struct answer *a = arg;
	int skip = (int)sizeof(*e) + (h->nlmsg_flags & NLM_F_CAPPED ? 0 : (int)(e->msg.nlmsg_len - sizeof(e->msg)));
	int left = (int)h->nlmsg_len - NLMSG_HDRLEN - (int)NLMSG_ALIGN(skip);

	(void)who;
	a->done = true;
	a->error = e->error;
	if (h->nlmsg_flags & NLM_F_ACK_TLVS && left > 0) {
		struct nlattr *msg = nla_find((struct nlattr *)((char *)e + NLMSG_ALIGN(skip)), left, NLMSGERR_ATTR_MSG);

		if (msg)
			snprintf(a->text, sizeof(a->text), "%.*s", nla_len(msg), (char *)nla_data(msg));
	}
	return NL_STOP;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	(void)msg;
	((struct answer *)arg)->done = true;
	return NL_STOP;
}

int fn_rtnl_talk(struct nl_sock *sk, struct nl_msg *msg, const char *step, const char *name, struct fn_err *err)
{
	struct answer a = {0};
	struct nl_cb *cb = msg ? nl_cb_alloc(NL_CB_DEFAULT) : NULL;
	int r = cb ? 0 : -NLE_NOMEM;

	if (cb) {
		nl_cb_err(cb, NL_CB_CUSTOM, on_error, &a);
		nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, &a);
		r = nl_send_auto(sk, msg);
	}
	while (r >= 0 && !a.done)
		r = nl_recvmsgs(sk, cb);
	nl_cb_put(cb);
	nlmsg_free(msg);
	if (!a.done)
		return fn_err_set(err, EIO, step, "%s: netlink: %s", name, nl_geterror(r));
	return a.error ? fn_err_set(err, a.error, step, "%s%s%s", name, a.text[0] ? ": " : "", a.text) : 0;
}

struct nl_msg *fn_rtnl_link_msg(int type, int flags, int index, const char *name, unsigned if_flags, unsigned change)
{
	struct ifinfomsg i = {.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = if_flags, .ifi_change = change};
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK | flags);

	if (m && (nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) < 0 || (name && nla_put_string(m, IFLA_IFNAME, name) < 0))) {
		nlmsg_free(m);
		m = NULL;
	}
	return m;
}
