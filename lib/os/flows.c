/* flows.c - see flows.h. Messages: linux/netfilter/nfnetlink_conntrack.h. A dump on one socket; what it shows is deleted on another. */
#include "os/flows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#define DUMP_BYTES 65536
#define DELETE_BYTES 16384u /* of requests in one go */
#define ANSWER (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) /* what a dump is made of */

uint32_t fn_flows_max(void)
{
	char text[24];
	int64_t v;

	if (fn_file_read(AT_FDCWD, "/proc/sys/net/netfilter/nf_conntrack_max", text, sizeof(text)) < 0 || fn_str_to_i64(text, 0, UINT32_MAX, &v) < 0)
		return 0;
	return (uint32_t)v;
}

struct purge {
	const struct fn_subnet *subnet;
	const uint8_t *addrs;
	int fd; /* deletes */
	struct fn_buf requests;
	int n;
};

static bool is_wanted(const struct purge *p, const struct nlattr *addr)
{
	uint32_t a, n;

	if (!addr || nla_len(addr) != 4)
		return false;
	a = ntohl(nla_get_u32(addr));
	n = a & ~p->subnet->mask;
	return (a & p->subnet->mask) == p->subnet->base && (!p->addrs || p->addrs[n / 8] & 1u << n % 8);
}

static bool tuple_is_wanted(const struct purge *p, struct nlattr *tuple)
{
	struct nlattr *ip = tuple ? nla_find(nla_data(tuple), nla_len(tuple), CTA_TUPLE_IP) : NULL;

	return ip && (is_wanted(p, nla_find(nla_data(ip), nla_len(ip), CTA_IP_V4_SRC)) || is_wanted(p, nla_find(nla_data(ip), nla_len(ip), CTA_IP_V4_DST)));
}

static int delete_them(struct purge *p)
{
	char answers[8192];
	int r = 0;

	if (p->requests.len && send(p->fd, p->requests.data, p->requests.len, 0) < 0)
		r = -errno;
	while (recv(p->fd, answers, sizeof(answers), MSG_DONTWAIT) > 0)
		; /* that some had gone by themselves */
	p->requests.len = 0;
	return r;
}

static int look_at(struct purge *p, struct nlmsghdr *h)
{
	const int head = NLMSG_ALIGN(sizeof(struct nfgenmsg)), len = nlmsg_attrlen(h, head);
	struct nlattr *attrs = nlmsg_attrdata(h, head), *orig = nla_find(attrs, len, CTA_TUPLE_ORIG), *id = nla_find(attrs, len, CTA_ID),
		      *zone = nla_find(attrs, len, CTA_ZONE);
	const struct nfgenmsg g = {.nfgen_family = AF_INET, .version = NFNETLINK_V0};
	struct nl_msg *m;
	int r = 0;

	if (!orig || (!tuple_is_wanted(p, orig) && !tuple_is_wanted(p, nla_find(attrs, len, CTA_TUPLE_REPLY))))
		return 0;
	p->n++;
	m = nlmsg_alloc_simple(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, NLM_F_REQUEST);
	if (!m || nlmsg_append(m, (void *)&g, sizeof(g), NLMSG_ALIGNTO) < 0 ||
	    nla_put(m, CTA_TUPLE_ORIG | NLA_F_NESTED, nla_len(orig), nla_data(orig)) < 0 ||
	    (id && nla_put(m, CTA_ID, nla_len(id), nla_data(id)) < 0) || (zone && nla_put(m, CTA_ZONE, nla_len(zone), nla_data(zone)) < 0) ||
	    fn_buf_add(&p->requests, nlmsg_hdr(m), NLMSG_ALIGN(nlmsg_hdr(m)->nlmsg_len)) < 0)
		r = -ENOMEM;
	nlmsg_free(m);
	return r < 0 || p->requests.len < DELETE_BYTES ? r : delete_them(p);
}

/* 1: the dump has come to its end, which may be an error's (NLMSG_DONE, too, tells one: netlink_dump_done()). */
static int look_at_all(struct purge *p, void *data, int left)
{
	for (struct nlmsghdr *h = data; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
		int r = 0;

		if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
			r = nlmsg_datalen(h) >= (int)sizeof(int) ? *(int *)nlmsg_data(h) : 0; /* both begin with it */
			return r < 0 ? r : 1;
		}
		if (h->nlmsg_type == ANSWER && nlmsg_valid_hdr(h, sizeof(struct nfgenmsg)))
			r = look_at(p, h);
		if (r < 0)
			return r;
	}
	return 0;
}

static int walk(int fd, struct purge *p)
{
	struct {
		struct nlmsghdr h;
		struct nfgenmsg g;
	} ask = {.h = {.nlmsg_len = sizeof(ask), .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		 .g = {.nfgen_family = AF_INET, .version = NFNETLINK_V0}};
	fn_auto_free char *data = malloc(DUMP_BYTES);
	int r = data ? 0 : -ENOMEM;

	if (r == 0 && send(fd, &ask, sizeof(ask), 0) < 0)
		r = -errno;
	while (r == 0) {
		ssize_t n = recv(fd, data, DUMP_BYTES, 0);

		r = n < 0 ? -errno : n == 0 ? -EPIPE : look_at_all(p, data, (int)n);
		if (r == -EINTR)
			r = 0;
	}
	return r < 0 ? r : delete_them(p);
}

int fn_flows_purge(const struct fn_subnet *s, const uint8_t *addrs, struct fn_err *err)
{
	fn_auto_fd int dump = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	fn_auto_fd int del = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct purge p = {.subnet = s, .addrs = addrs, .fd = del};
	int r = dump < 0 || del < 0 ? -errno : walk(dump, &p);

	fn_buf_free(&p.requests);
	if (r < 0)
		return fn_err_set(err, r, "nat: forget connections", "ctnetlink%s",
				  r == -EINVAL || r == -EOPNOTSUPP ? " (does the kernel have nf_conntrack_netlink?)" : "");
	return p.n;
}
