/* net_port.c - a sandbox's port: see net.h. Requests are written out attribute by attribute, so that a port costs few of them. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "os/net_internal.h"
#include "os/rtnl.h"

void fn_net_port_name(const struct fn_net *n, uint32_t slot, char name[IFNAMSIZ])
{
	snprintf(name, IFNAMSIZ, "fn%.6s-%x", n->instance + 4, slot);
}

void fn_net_port_prefix(const struct fn_net *n, char prefix[IFNAMSIZ])
{
	fn_net_port_name(n, 0, prefix);
	strchr(prefix, '-')[1] = '\0';
}

static void mac_of(uint32_t addr, uint8_t mac[6])
{
	const uint8_t m[6] = {0x02, 0xfd, (uint8_t)(addr >> 24), (uint8_t)(addr >> 16), (uint8_t)(addr >> 8), (uint8_t)addr};

	memcpy(mac, m, 6);
}

/* The hardware address follows from the IP address: whoever had it before, a neighbour's cache is never wrong. */
static int add_veth(struct fn_net *n, const char *name, uint32_t addr, pid_t pid, struct fn_err *err)
{
	const struct ifinfomsg peer = {.ifi_family = AF_UNSPEC};
	struct nl_msg *m = fn_rtnl_link_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, name, 0, 0);
	struct nlattr *info, *data, *p;
	uint8_t mac[6];

	mac_of(addr, mac);
	if (!m)
		return fn_rtnl_talk(n->sk, NULL, "nat: create veth", name, err);
	if (nla_put_u32(m, IFLA_MTU, n->mtu) < 0 || nla_put_u32(m, IFLA_MASTER, (uint32_t)n->index) < 0 || !(info = nla_nest_start(m, IFLA_LINKINFO)) ||
	    nla_put_string(m, IFLA_INFO_KIND, "veth") < 0 || !(data = nla_nest_start(m, IFLA_INFO_DATA)) || !(p = nla_nest_start(m, VETH_INFO_PEER)) ||
	    nlmsg_append(m, (void *)&peer, sizeof(peer), NLMSG_ALIGNTO) < 0 || nla_put_string(m, IFLA_IFNAME, FN_NET_IFACE) < 0 ||
	    nla_put_u32(m, IFLA_MTU, n->mtu) < 0 || nla_put(m, IFLA_ADDRESS, sizeof(mac), mac) < 0 || nla_put_u32(m, IFLA_NET_NS_PID, (uint32_t)pid) < 0) {
		nlmsg_free(m);
		return fn_err_set(err, ENOMEM, "nat: create veth", "%s", name);
	}
	nla_nest_end(m, p);
	nla_nest_end(m, data);
	nla_nest_end(m, info);
	return fn_rtnl_talk(n->sk, m, "nat: create veth", name, err);
}

/* Before it comes up: no way to other ports, nothing of others', no IPv6 address of its own. */
static int isolate(struct fn_net *n, const char *name, struct fn_err *err)
{
	struct nl_msg *m = fn_rtnl_link_msg(RTM_NEWLINK, 0, 0, name, 0, 0);
	struct nlattr *info, *data, *spec, *inet6;
	bool ok = m != NULL;

	ok = ok && (info = nla_nest_start(m, IFLA_LINKINFO)) && nla_put_string(m, IFLA_INFO_SLAVE_KIND, "bridge") == 0 &&
	     (data = nla_nest_start(m, IFLA_INFO_SLAVE_DATA)) && nla_put_u8(m, IFLA_BRPORT_ISOLATED, 1) == 0 &&
	     nla_put_u8(m, IFLA_BRPORT_LEARNING, 0) == 0 && nla_put_u8(m, IFLA_BRPORT_UNICAST_FLOOD, 0) == 0 && nla_put_u8(m, IFLA_BRPORT_MCAST_FLOOD, 0) == 0 &&
	     nla_put_u8(m, IFLA_BRPORT_BCAST_FLOOD, 0) == 0;
	if (ok) {
		nla_nest_end(m, data);
		nla_nest_end(m, info);
	}
	if (ok && n->ipv6) {
		ok = (spec = nla_nest_start(m, IFLA_AF_SPEC)) && (inet6 = nla_nest_start(m, AF_INET6)) &&
		     nla_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE) == 0;
		if (ok) {
			nla_nest_end(m, inet6);
			nla_nest_end(m, spec);
		}
	}
	if (!ok) {
		nlmsg_free(m);
		return fn_err_set(err, ENOMEM, "nat: isolate port", "%s", name);
	}
	return fn_rtnl_talk(n->sk, m, "nat: isolate port", name, err);
}

static struct nl_msg *neigh_msg(int type, int flags, const struct ndmsg *head, const uint8_t mac[6])
{
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK | flags);

	if (m && (nlmsg_append(m, (void *)head, sizeof(*head), NLMSG_ALIGNTO) < 0 || (mac && nla_put(m, NDA_LLADDR, 6, mac) < 0))) {
		nlmsg_free(m);
		m = NULL;
	}
	return m;
}

/* Nobody has to be asked who has the address, or behind which port its hardware address lies: no table overflows, and no packet waits for an
 * answer that the address's next owner would give. */
static int know(struct fn_net *n, const char *name, uint32_t addr, const uint8_t mac[6], struct fn_err *err)
{
	const struct ndmsg at = {.ndm_family = AF_INET, .ndm_ifindex = n->index, .ndm_state = NUD_PERMANENT};
	struct ifreq ifr = {0};
	struct ndmsg behind = {.ndm_family = AF_BRIDGE, .ndm_state = NUD_NOARP, .ndm_flags = NTF_MASTER};
	struct nl_msg *m = neigh_msg(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &at, mac);
	uint32_t dst = htonl(addr);
	int r;

	if (m && nla_put(m, NDA_DST, 4, &dst) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	r = fn_rtnl_talk(n->sk, m, "nat: add neighbour", name, err);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (r == 0 && ioctl(n->probe_fd, SIOCGIFINDEX, &ifr) < 0)
		r = fn_err_set(err, errno, "nat: add neighbour", "%s: index", name);
	behind.ndm_ifindex = ifr.ifr_ifindex;
	return r < 0 ? r : fn_rtnl_talk(n->sk, neigh_msg(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &behind, mac), "nat: add port", name, err);
}

static uint32_t addr_of(const struct fn_net *n, uint32_t slot) { return n->subnet.base + 2 + slot; }

int fn_net_port_add(struct fn_net *n, uint32_t slot, pid_t pid, struct fn_err *err)
{
	uint32_t addr = addr_of(n, slot);
	char name[IFNAMSIZ];
	uint8_t mac[6];
	int r;

	fn_net_port_name(n, slot, name);
	r = add_veth(n, name, addr, pid, err);
	if (r < 0)
		return r;
	r = isolate(n, name, err);
	mac_of(addr, mac);
	if (r == 0 && (r = fn_firewall_port(&n->nft, name, mac, addr)) < 0)
		fn_err_set(err, r, "nat: allow port", "%s", name);
	if (r == 0)
		r = know(n, name, addr, mac, err);
	if (r == 0)
		r = fn_rtnl_talk(n->sk, fn_rtnl_link_msg(RTM_NEWLINK, 0, 0, name, IFF_UP, IFF_UP), "nat: bring up", name, err);
	if (r < 0)
		(void)fn_net_port_remove(n, slot);
	return r;
}

bool fn_net_port_gone(const struct fn_net *n, uint32_t slot)
{
	struct ifreq ifr = {0};

	fn_net_port_name(n, slot, ifr.ifr_name);
	return ioctl(n->probe_fd, SIOCGIFINDEX, &ifr) < 0 && errno == ENODEV;
}

int fn_net_delete_link(struct fn_net *n, int index)
{
	return fn_rtnl_talk(n->sk, fn_rtnl_link_msg(RTM_DELLINK, 0, index, NULL, 0, 0), "nat: delete", "link", NULL);
}

int fn_net_port_remove(struct fn_net *n, uint32_t slot)
{
	struct ifreq ifr = {0};

	fn_net_port_name(n, slot, ifr.ifr_name);
	return ioctl(n->probe_fd, SIOCGIFINDEX, &ifr) < 0 ? -errno : fn_net_delete_link(n, ifr.ifr_ifindex);
}

int fn_net_port_owner(struct fn_net *n, uint32_t slot, uint32_t function) { return fn_firewall_owner(&n->nft, addr_of(n, slot), function); }

void fn_net_port_forget(struct fn_net *n, uint32_t slot)
{
	const struct ndmsg at = {.ndm_family = AF_INET, .ndm_ifindex = n->index};
	struct nl_msg *m = neigh_msg(RTM_DELNEIGH, 0, &at, NULL);
	uint32_t addr = addr_of(n, slot), dst = htonl(addr);
	char name[IFNAMSIZ];
	uint8_t mac[6];

	fn_net_port_name(n, slot, name);
	mac_of(addr, mac);
	fn_firewall_forget(&n->nft, name, mac, addr, n->flow_shards);
	if (m && nla_put(m, NDA_DST, 4, &dst) == 0)
		(void)fn_rtnl_talk(n->sk, m, "nat: delete neighbour", name, NULL);
	else
		nlmsg_free(m);
}

int fn_net_reconnect(struct fn_net *n)
{
	n->sk = nl_socket_alloc();
	if (!n->sk || nl_connect(n->sk, NETLINK_ROUTE) < 0)
		return -EIO;
	return fn_nft_open(n->instance, &n->nft);
}
