/* net.c - see net.h: the bridge, its uplinks, what an earlier run left. Lists are libnl-route's. */
#include "os/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "os/net_internal.h"
#include "os/rtnl.h"

#define ALIAS_FORWARD " forwards " /* in the bridge's alias: "fnd-... forwards eth0 eth1" */
#define MTU_MAX 65535u
#define MTU_MIN 1280u

static int set_sysctl(const char *family, const char *iface, const char *key, const char *value, struct fn_err *err)
{
	char path[128];
	int r;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, iface, key);
	r = fn_file_write(AT_FDCWD, path, value);
	return r < 0 ? fn_err_set(err, r, "nat: set", "%s", path) : 0;
}

/* --- the bridge: whose it is --- */
static void bridge_mac(const struct fn_net *n, uint8_t mac[6])
{
	mac[0] = 0x02;
	if (strlen(n->instance) < 14 || fn_hex_decode(n->instance + 4, 10, mac + 1) < 0)
		memset(mac + 1, 0xfd, 5);
}

static bool is_ours(const struct fn_net *n, struct rtnl_link *l)
{
	struct nl_addr *a = rtnl_link_get_addr(l);
	uint8_t mac[6];

	bridge_mac(n, mac);
	return fn_streq(rtnl_link_get_type(l), "bridge") && a && nl_addr_get_len(a) == 6 && memcmp(nl_addr_get_binary_addr(a), mac, 6) == 0;
}

/* Does this alias ("fnd-... forwards eth0 eth1") name the interface? */
static bool alias_forwards(const char *alias, const char *iface)
{
	const char *p = fn_str_empty(alias) || !fn_str_starts(alias, "fnd-") ? NULL : strstr(alias, ALIAS_FORWARD);
	size_t len = strlen(iface);

	for (p = p ? p + strlen(ALIAS_FORWARD) : NULL; p && *p; p += strcspn(p, " ")) {
		p += strspn(p, " ");
		if (strcspn(p, " ") == len && strncmp(p, iface, len) == 0)
			return true;
	}
	return false;
}

/* Another instance turned forwarding on there, too. */
static bool claimed_by_other(const struct fn_net *n, struct nl_cache *links, const char *iface)
{
	for (struct nl_object *o = nl_cache_get_first(links); o; o = nl_cache_get_next(o)) {
		struct rtnl_link *l = (struct rtnl_link *)o;

		if (fn_streq(rtnl_link_get_type(l), "bridge") && !is_ours(n, l) && alias_forwards(rtnl_link_get_ifalias(l), iface))
			return true;
	}
	return false;
}

static int get_links(struct fn_net *n, struct nl_cache **ret, struct fn_err *err)
{
	int r = rtnl_link_alloc_cache(n->sk, AF_UNSPEC, ret);

	return r < 0 ? fn_err_set(err, EIO, "nat: list links", "%s", nl_geterror(r)) : 0;
}

static void sweep_ports(struct fn_net *n, struct nl_cache *links)
{
	char prefix[IFNAMSIZ];

	fn_net_port_prefix(n, prefix);
	for (struct nl_object *o = nl_cache_get_first(links); o; o = nl_cache_get_next(o)) {
		struct rtnl_link *l = (struct rtnl_link *)o;

		if (fn_streq(rtnl_link_get_type(l), "veth") && fn_str_starts(rtnl_link_get_name(l), prefix))
			(void)fn_net_delete_link(n, rtnl_link_get_ifindex(l)); /* may vanish by itself meanwhile */
	}
}

/* Forwarding goes first: without it the rules that guarded it are needed no more. */
static int sweep_bridge(struct fn_net *n, struct nl_cache *links, struct rtnl_link *bridge, struct fn_err *err)
{
	int r;

	for (struct nl_object *o = nl_cache_get_first(links); o; o = nl_cache_get_next(o)) {
		const char *up = rtnl_link_get_name((struct rtnl_link *)o);

		if (alias_forwards(rtnl_link_get_ifalias(bridge), up) && !claimed_by_other(n, links, up))
			(void)set_sysctl("ipv4", up, "forwarding", "0", NULL);
	}
	(void)fn_firewall_remove(n->instance);
	n->rules = false;
	r = fn_net_delete_link(n, rtnl_link_get_ifindex(bridge));
	return r < 0 && r != -ENODEV ? fn_err_set(err, r, "nat: delete bridge", "%s", rtnl_link_get_name(bridge)) : 0;
}

/* Deletes our bridge and ports, wherever they come from, and undoes what the bridge's alias tells of. */
static int sweep(struct fn_net *n, struct fn_err *err)
{
	struct nl_cache *links;
	int r = get_links(n, &links, err);

	if (r < 0)
		return r;
	sweep_ports(n, links);
	for (struct nl_object *o = nl_cache_get_first(links); o && r == 0; o = nl_cache_get_next(o))
		if (is_ours(n, (struct rtnl_link *)o))
			r = sweep_bridge(n, links, (struct rtnl_link *)o, err);
	nl_cache_free(links);
	return r;
}

/* --- set-up --- */
static int refuse_foreign(struct fn_net *n, struct nl_cache *links, struct fn_err *err)
{
	struct rtnl_link *l = rtnl_link_get_by_name(links, n->bridge);
	const char *type, *alias;
	int r;

	if (!l)
		return 0;
	type = rtnl_link_get_type(l);
	alias = rtnl_link_get_ifalias(l);
	r = fn_err_set(err, EEXIST, "nat: create bridge", "%s: an interface of that name (%s%s%.60s) belongs to another; choose another \"bridge\"", n->bridge,
		       type ? type : "a device", alias ? ", " : "", alias ? alias : "");
	rtnl_link_put(l);
	return r;
}

static void add_uplink(struct fn_net *n, const char *name)
{
	for (unsigned i = 0; i < n->n_uplinks; i++)
		if (fn_streq(n->uplinks[i], name))
			return;
	if (n->n_uplinks < FN_UPLINKS_MAX)
		snprintf(n->uplinks[n->n_uplinks++], IFNAMSIZ, "%s", name);
}

/* Looks at every route: one that overlaps is refused, those of last resort tell the uplinks. */
static int look_at_route(struct fn_net *n, struct rtnl_route *rt, struct nl_cache *links, bool find_uplinks, struct fn_err *err)
{
	struct nl_addr *dst = rtnl_route_get_dst(rt);
	unsigned bits = dst ? nl_addr_get_prefixlen(dst) : 0;
	char text[FN_IP4_TEXT], own[FN_IP4_TEXT], iface[IFNAMSIZ] = "?";
	struct rtnl_nexthop *hop;
	uint32_t addr = 0;

	if (dst && nl_addr_get_len(dst) == 4)
		memcpy(&addr, nl_addr_get_binary_addr(dst), 4);
	addr = ntohl(addr);
	for (int i = 0; i < rtnl_route_get_nnexthops(rt); i++) {
		hop = rtnl_route_nexthop_n(rt, i);
		rtnl_link_i2name(links, rtnl_route_nh_get_ifindex(hop), iface, sizeof(iface));
		if (bits == 0 && find_uplinks && rtnl_route_get_type(rt) == RTN_UNICAST && !fn_streq(iface, "?"))
			add_uplink(n, iface);
	}
	if (bits == 0 || !fn_subnet_overlaps(&n->subnet, addr, bits))
		return 0;
	return fn_err_set(err, EADDRINUSE, "nat: subnet", "%s/%u overlaps with this host's route %s/%u dev %s; choose another \"subnet\"",
			  fn_ip4_format(n->subnet.base, own), n->subnet.bits, fn_ip4_format(addr, text), bits, iface);
}

static int look_at_routes(struct fn_net *n, struct nl_cache *links, bool find_uplinks, struct fn_err *err)
{
	struct nl_cache *routes;
	int r = rtnl_route_alloc_cache(n->sk, AF_INET, 0, &routes);

	if (r < 0)
		return fn_err_set(err, EIO, "nat: list routes", "%s", nl_geterror(r));
	r = 0;
	for (struct nl_object *o = nl_cache_get_first(routes); o && r == 0; o = nl_cache_get_next(o))
		r = look_at_route(n, (struct rtnl_route *)o, links, find_uplinks, err);
	nl_cache_free(routes);
	return r;
}

/* As large as every uplink takes. Whether forwarding is on there already; if another instance turned it on, we hold on to it, too. */
static int look_at_uplinks(struct fn_net *n, struct nl_cache *links, struct fn_err *err)
{
	n->mtu = MTU_MAX;
	for (unsigned i = 0; i < n->n_uplinks; i++) {
		struct rtnl_link *l = rtnl_link_get_by_name(links, n->uplinks[i]);
		char path[96], value[8] = "";

		if (!l)
			return fn_err_set(err, ENODEV, "nat: uplink", "there is no interface %s", n->uplinks[i]);
		if (rtnl_link_get_mtu(l) >= MTU_MIN && rtnl_link_get_mtu(l) < n->mtu)
			n->mtu = rtnl_link_get_mtu(l);
		rtnl_link_put(l);
		snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/forwarding", n->uplinks[i]);
		if (fn_file_read(AT_FDCWD, path, value, sizeof(value)) < 0)
			return fn_err_set(err, errno, "nat: uplink", "%s", path);
		n->guard[i] = !fn_streq(value, "1") || claimed_by_other(n, links, n->uplinks[i]);
	}
	if (n->mtu == MTU_MAX)
		n->mtu = 1500;
	return 0;
}

static int add_bridge(struct fn_net *n, struct fn_err *err)
{
	struct nl_msg *m = fn_rtnl_link_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, n->bridge, 0, 0);
	struct ifreq ifr = {0};
	struct nlattr *info;
	uint8_t mac[6];
	int r;

	bridge_mac(n, mac);
	if (!m || nla_put(m, IFLA_ADDRESS, sizeof(mac), mac) < 0 || nla_put_u32(m, IFLA_MTU, n->mtu) < 0 || !(info = nla_nest_start(m, IFLA_LINKINFO)) ||
	    nla_put_string(m, IFLA_INFO_KIND, "bridge") < 0) {
		nlmsg_free(m);
		return fn_err_set(err, ENOMEM, "nat: create bridge", "%s", n->bridge);
	}
	nla_nest_end(m, info);
	r = fn_rtnl_talk(n->sk, m, "nat: create bridge", n->bridge, err);
	if (r < 0)
		return r;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", n->bridge);
	if (ioctl(n->probe_fd, SIOCGIFINDEX, &ifr) < 0)
		return fn_err_set(err, errno, "nat: create bridge", "%s: index", n->bridge);
	n->index = ifr.ifr_ifindex;
	return 0;
}

/* Whose it is, for people and for other instances, and what the end or the next start has to undo. */
static int name_bridge(struct fn_net *n, struct fn_err *err)
{
	struct nl_msg *m = fn_rtnl_link_msg(RTM_NEWLINK, 0, n->index, NULL, 0, 0);
	char alias[160];
	bool any = false;

	snprintf(alias, sizeof(alias), "%s", n->instance);
	for (unsigned i = 0; i < n->n_uplinks; i++) {
		if (!n->guard[i])
			continue;
		snprintf(alias + strlen(alias), sizeof(alias) - strlen(alias), "%s%s", any ? " " : ALIAS_FORWARD, n->uplinks[i]);
		any = true;
	}
	if (m && nla_put_string(m, IFLA_IFALIAS, alias) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	return fn_rtnl_talk(n->sk, m, "nat: name bridge", n->bridge, err);
}

static int address_bridge(struct fn_net *n, struct fn_err *err)
{
	const struct ifaddrmsg head = {.ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)n->subnet.bits, .ifa_index = (uint32_t)n->index};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	uint32_t addr = htonl(n->subnet.base + 1);

	if (m && (nlmsg_append(m, (void *)&head, sizeof(head), NLMSG_ALIGNTO) < 0 || nla_put(m, IFA_LOCAL, 4, &addr) < 0 ||
		  nla_put(m, IFA_ADDRESS, 4, &addr) < 0)) {
		nlmsg_free(m);
		m = NULL;
	}
	return fn_rtnl_talk(n->sk, m, "nat: address bridge", n->bridge, err);
}

static int load_rules(struct fn_net *n, const struct fn_net_config *c, struct fn_err *err)
{
	struct fn_firewall_rules rules = {.table = n->instance, .bridge = n->bridge, .subnet = n->subnet, .policy = c->policy, .n_uplinks = n->n_uplinks};
	char prefix[IFNAMSIZ];
	int r;

	fn_net_port_prefix(n, prefix);
	rules.ports = prefix;
	n->flow_shards = fn_firewall_shards(c->policy->flows_sandbox);
	for (unsigned i = 0; i < n->n_uplinks; i++) {
		rules.uplinks[i] = n->uplinks[i];
		rules.guard[i] = n->guard[i];
	}
	r = fn_firewall_load(&rules, err);
	n->rules = true; /* some may be there */
	return r;
}

/* Answers of a service on 127.0.0.1 leave by the bridge; what comes in for such an address without being translated is refused (firewall.c). */
static int allow_loopback(struct fn_net *n, const struct fn_firewall_policy *p, struct fn_err *err)
{
	for (unsigned i = 0; i < p->services.n; i++)
		if (p->services.list[i].addr >> 24 == 127)
			return set_sysctl("ipv4", n->bridge, "route_localnet", "1", err);
	return 0;
}

/* The order matters: nothing is up before its rules are there, and what is to be undone is noted before it is done. */
static int make(struct fn_net *n, const struct fn_net_config *c, struct nl_cache *links, struct fn_err *err)
{
	int r = refuse_foreign(n, links, err);

	if (r == 0 && !fn_str_empty(c->uplink))
		add_uplink(n, c->uplink);
	if (r == 0)
		r = look_at_routes(n, links, fn_str_empty(c->uplink), err);
	if (r == 0)
		r = look_at_uplinks(n, links, err);
	if (r == 0)
		r = add_bridge(n, err);
	if (r == 0)
		r = name_bridge(n, err);
	if (r == 0 && n->ipv6)
		r = set_sysctl("ipv6", n->bridge, "disable_ipv6", "1", err);
	if (r == 0)
		r = load_rules(n, c, err);
	if (r == 0)
		r = allow_loopback(n, c->policy, err);
	if (r == 0)
		r = address_bridge(n, err);
	if (r == 0)
		r = fn_rtnl_talk(n->sk, fn_rtnl_link_msg(RTM_NEWLINK, 0, n->index, NULL, IFF_UP, IFF_UP), "nat: bring up", n->bridge, err);
	if (r == 0)
		r = set_sysctl("ipv4", n->bridge, "forwarding", "1", err);
	for (unsigned i = 0; r == 0 && i < n->n_uplinks; i++)
		if (n->guard[i])
			r = set_sysctl("ipv4", n->uplinks[i], "forwarding", "1", err);
	return r;
}

/* Connected; nothing is made or swept yet. */
static int connect_kernel(const char *instance, struct fn_net **ret, struct fn_err *err)
{
	struct fn_net *n = calloc(1, sizeof(*n));
	int one = 1, fd;

	if (!n)
		return fn_err_set(err, ENOMEM, "nat", NULL);
	snprintf(n->instance, sizeof(n->instance), "%s", instance);
	n->ipv6 = access("/proc/sys/net/ipv6", F_OK) == 0;
	n->probe_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	n->sk = nl_socket_alloc();
	if (fn_nft_open(instance, &n->nft) < 0 || !n->sk || n->probe_fd < 0 || nl_connect(n->sk, NETLINK_ROUTE) < 0) {
		fn_net_close(n);
		return fn_err_set(err, EIO, "nat: netlink", "no socket");
	}
	fd = nl_socket_get_fd(n->sk);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	*ret = n;
	return 0;
}

int fn_net_sweep(const char *instance, struct fn_err *err)
{
	struct fn_net *n;
	int r = connect_kernel(instance, &n, err);

	if (r < 0)
		return r;
	r = sweep(n, err);
	fn_net_close(n);
	return r;
}

int fn_net_open(const struct fn_net_config *config, struct fn_net **ret, struct fn_err *err)
{
	struct nl_cache *links = NULL;
	struct fn_net *n;
	int r = connect_kernel(config->instance, &n, err);

	if (r < 0)
		return r;
	snprintf(n->bridge, sizeof(n->bridge), "%s", config->bridge);
	n->subnet = config->subnet;
	r = sweep(n, err);
	if (r == 0)
		r = get_links(n, &links, err);
	if (r == 0)
		r = make(n, config, links, err);
	nl_cache_free(links);
	if (r < 0) {
		fn_net_close(n);
		return r;
	}
	*ret = n;
	return 0;
}

void fn_net_close(struct fn_net *n)
{
	if (!n)
		return;
	if (n->index)
		(void)sweep(n, NULL);
	if (n->rules)
		(void)fn_firewall_remove(n->instance);
	nl_socket_free(n->sk);
	fn_nft_close(&n->nft);
	fn_close(n->probe_fd);
	free(n);
}

uint32_t fn_net_gateway(const struct fn_net *n) { return n->subnet.base + 1; }

bool fn_net_has_uplink(const struct fn_net *n) { return n->n_uplinks > 0; }

const char *fn_net_describe(const struct fn_net *n, char *buf, size_t size)
{
	size_t len = (size_t)snprintf(buf, size, "%s", n->n_uplinks ? "uplink" : "no uplink");

	for (unsigned i = 0; i < n->n_uplinks && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s %s", i ? "," : "", n->uplinks[i]);
	return buf;
}
