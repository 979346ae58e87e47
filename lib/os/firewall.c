/*
 * firewall.c - see firewall.h. Runs in fn-spawnd; rules are made at its start and go at its end alone: sandboxes come and go as elements of sets.
 */
#include "os/firewall.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

/* Interfaces that only may exist are matched by name. %1 table, %2 the bridge's address, %3 beginning of the ports' names. */
static const char frames[] =
	"add table inet %1$s\n"
	"delete table inet %1$s\n"
	"add table bridge %1$s\n"
	"delete table bridge %1$s\n"
	/* A port speaks IPv4 and ARP, as itself alone: nothing that pretends (addresses, router advertisements, DHCP, VLAN tags) comes as far as
	 * the bridge. It may ask for the bridge's address, not which others this host has. And it speaks to nobody but whom it means: where bridged
	 * packets are shown to netfilter (br_netfilter, which Docker loads), a broadcast is tracked before any rule here can count it. */
	"table bridge %1$s {\n"
	"	set ports { type ifname . ether_addr . ipv4_addr; }\n"
	"	chain prerouting {\n"
	"		type filter hook prerouting priority -300; policy accept;\n"
	"		iifname != \"%3$s*\" accept\n"
	"		ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 iifname . ether saddr . ip saddr @ports accept\n"
	"		arp operation { 1, 2 } arp htype 1 arp ptype 0x0800 arp daddr ip %2$s iifname . ether saddr . arp saddr ip @ports"
	" iifname . arp saddr ether . arp saddr ip @ports accept\n"
	"		drop\n"
	"	}\n"
	/* ports are isolated from each other; these are for what somebody else puts into the bridge */
	"	chain forward {\n"
	"		type filter hook forward priority -300; policy accept;\n"
	"		iifname \"%3$s*\" drop\n"
	"		oifname \"%3$s*\" drop\n"
	"	}\n"
	"	chain output {\n"
	"		type filter hook output priority -300; policy accept;\n"
	"		oifname != \"%3$s*\" accept\n"
	"		ether type { 0x0800, 0x0806 } accept\n"
	"		drop\n"
	"	}\n"
	"}\n";

/* What a connection is counted under, and the shard of so many that it falls into. */
#define SHARD(n) "jhash ip saddr . ip daddr . th sport . th dport mod " n
/* A count that is full is not counted again for that long: see FN_FLOWS_SHARD. Whoever goes on all the same would take the CPUs of all. */
#define FULL "1s"
/* An address that is refused so often is not listened to for that long. */
#define REFUSED "50/second burst 500 packets"
#define SLOWED "1s"
/* What a function may begin. One that goes on at this rate comes to its bound all the same: a connection is tracked for 30 to 120 s after its end. */
#define BEGUN "1000/second burst 5000 packets"

/* %1 table, %2 bridge, %3 subnet, %4 the bridge's address, connections of all: %6 shards, %7 each; of a function: %8, %9;
 * of a sandbox: %10, %5. */
static const char packets[] =
	"table inet %1$s {\n"
	"	set dns { type ipv4_addr; }\n"
	"	set uplinks { type ifname; }\n"
	"	set flows { type ipv4_addr . mark; size 1048576; flags dynamic; }\n"
	"	map owners { type ipv4_addr : classid; }\n"
	"	set functions { type classid . mark; size 1048576; flags dynamic; }\n"
	"	set begun { type classid; size 65536; flags dynamic,timeout; timeout 60s; }\n"
	"	set all_flows { type mark; size 65536; flags dynamic; }\n"
	/* a hash that is looked up is an integer to nft, as the length is; a mark it takes only where it is added */
	"	set full_flows { typeof ip saddr . meta length; size 65536; flags dynamic,timeout; timeout " FULL "; }\n"
	"	set full_functions { typeof meta priority . meta length; size 65536; flags dynamic,timeout; timeout " FULL "; }\n"
	"	set full_all { typeof meta length; size 65536; flags dynamic,timeout; timeout " FULL "; }\n"
	/* At once, always: the kernel sends an address six ICMP errors, then one a second (icmp_ratelimit). */
	"	set refusals { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 60s; }\n"
	/* Who is refused all the time and goes on has no answers any more, and its attempts cost next to nothing: no tracking, no counts. */
	"	set refused { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 60s; }\n"
	"	set slowed { type ipv4_addr; size 65535; flags dynamic,timeout; timeout " SLOWED "; }\n"
	"	chain raw {\n"
	"		type filter hook prerouting priority -300; policy accept;\n"
	"		iifname != \"%2$s\" accept\n"
	"		ip saddr != @slowed accept\n"
	"		meta l4proto != tcp drop\n"
	"		tcp flags & (syn | ack) == syn drop\n"
	"	}\n"
	"	chain refuse {\n"
	"		update @refused { ip saddr limit rate over " REFUSED " } add @slowed { ip saddr }\n"
	"		update @refusals { ip saddr limit rate over 1/second burst 4 packets } meta l4proto tcp reject with tcp reset\n"
	"		reject with icmpx type admin-prohibited\n"
	"	}\n"
	/* the host's table of connections is everybody's: no sandbox, no function and not all of them together can fill it */
	"	chain full_function {\n"
	"		add @full_functions { meta priority . " SHARD("%8$u") " }\n"
	"		goto refuse\n"
	"	}\n"
	"	chain full_sandbox {\n"
	"		add @full_flows { ip saddr . " SHARD("%10$u") " }\n"
	"		goto refuse\n"
	"	}\n"
	"	chain full {\n"
	"		add @full_all { " SHARD("%6$u") " }\n"
	"		goto refuse\n"
	"	}\n"
	/* nft has no word for a joined key with a map in it; the packet's priority, which nothing has looked at yet, lends its place (marks are others') */
	"	chain new {\n"
	"		meta priority set ip saddr map @owners\n"
	"		meta priority . " SHARD("%8$u") " @full_functions goto refuse\n"
	"		ip saddr . " SHARD("%10$u") " @full_flows goto refuse\n"
	"		" SHARD("%6$u") " @full_all goto refuse\n"
	"		update @begun { meta priority limit rate over " BEGUN " } goto refuse\n"
	"		add @flows { ip saddr . " SHARD("%10$u") " ct count over %5$u } goto full_sandbox\n"
	"		add @functions { meta priority . " SHARD("%8$u") " ct count over %9$u } goto full_function\n"
	"		add @all_flows { " SHARD("%6$u") " ct count over %7$u } goto full\n"
	"		meta priority set 0\n"
	"	}\n"
	"	chain allow {\n"
	"		ct state new jump new\n"
	"		accept\n"
	"	}\n"
	/* sandbox -> sandbox, refused before it is routed: back out where it came from, the host would send redirects instead of refusals */
	"	chain prerouting {\n"
	"		type filter hook prerouting priority -10; policy accept;\n"
	"		iifname != { \"%2$s\", \"lo\" } ip saddr %3$s drop\n"
	"		iifname != \"%2$s\" accept\n"
	"		meta nfproto != ipv4 drop\n"
	"		ip saddr != %3$s drop\n"
	"		ip saddr %4$s drop\n"
	"		icmp type redirect drop\n"
	"		ip daddr %3$s ip daddr != %4$s goto refuse\n"
	"	}\n"
	/* this host -> sandbox: answers */
	"	chain output {\n"
	"		type filter hook output priority -10; policy accept;\n"
	"		oifname != \"%2$s\" accept\n"
	"		meta nfproto != ipv4 drop\n"
	"		ct state established,related accept\n"
	"		drop\n"
	"	}\n"
	"	chain sandbox {\n"
	"		ip daddr @dns meta l4proto { 6, 17 } th dport 53 oifname @uplinks goto allow\n"
	"		ip daddr { 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3, %3$s } goto refuse\n"
	"		oifname @uplinks goto allow\n"
	"		goto refuse\n"
	"	}\n"
	"	chain postrouting {\n"
	"		type nat hook postrouting priority 100; policy accept;\n"
	"		ip saddr %3$s oifname @uplinks masquerade\n"
	"	}\n";

static int add_services(const struct fn_firewall_rules *r, const char *gateway, struct fn_buf *b)
{
	const struct fn_host_services *s = &r->policy->services;
	char addr[FN_IP4_TEXT];
	int rc = fn_buf_addf(b, "	chain services {\n		type nat hook prerouting priority -100; policy accept;\n");

	for (unsigned i = 0; rc == 0 && i < s->n; i++)
		if (s->list[i].addr)
			rc = fn_buf_addf(b, "		iifname \"%s\" ip daddr %s %s dport %u dnat ip to %s\n", r->bridge, gateway, s->list[i].udp ? "udp" : "tcp",
					 s->list[i].port, fn_ip4_format(s->list[i].addr, addr));
	/* sandbox -> this host: nothing but the name servers and what is allowed. The bridge's address alone: others' come and go */
	if (rc == 0)
		rc = fn_buf_addf(b, "	}\n	chain input {\n		type filter hook input priority -10; policy accept;\n		iifname != \"%s\" accept\n"
				    "		ip daddr @dns meta l4proto { 6, 17 } th dport 53 goto allow\n",
				 r->bridge);
	for (unsigned i = 0; rc == 0 && i < s->n; i++)
		rc = fn_buf_addf(b, "		ip daddr %s %s%s dport %u goto allow\n", s->list[i].addr ? fn_ip4_format(s->list[i].addr, addr) : gateway,
				 s->list[i].addr ? "ct status dnat " : "", s->list[i].udp ? "udp" : "tcp", s->list[i].port);
	return rc < 0 ? rc : fn_buf_addf(b, "		goto refuse\n	}\n");
}

/* Into sandboxes goes what answers them: a connection that was not begun there is none, whoever tracked it. */
static int add_forward(const struct fn_firewall_rules *r, struct fn_buf *b)
{
	int rc = fn_buf_addf(b,
			     "	chain forward {\n"
			     "		type filter hook forward priority -10; policy accept;\n"
			     "		iifname \"%1$s\" goto sandbox\n"
			     "		oifname \"%1$s\" meta nfproto != ipv4 drop\n"
			     "		oifname \"%1$s\" icmp type redirect drop\n"
			     "		oifname \"%1$s\" ct state established ct direction reply accept\n"
			     "		oifname \"%1$s\" ct state related accept\n"
			     "		oifname \"%1$s\" drop\n",
			     r->bridge);

	for (unsigned i = 0; rc == 0 && i < r->n_uplinks; i++)
		if (r->guard[i])
			rc = fn_buf_addf(b, "		iifname \"%s\" ct state new,invalid drop\n", r->uplinks[i]);
	return rc < 0 ? rc : fn_buf_addf(b, "	}\n}\n");
}

uint32_t fn_firewall_shards(uint32_t most) { return most <= FN_FLOWS_SHARD ? 1 : (most + FN_FLOWS_SHARD - 1) / FN_FLOWS_SHARD; }

static int compose(const struct fn_firewall_rules *r, struct fn_buf *b)
{
	const struct fn_firewall_policy *p = r->policy;
	char net[FN_IP4_TEXT], addr[FN_IP4_TEXT], gateway[FN_IP4_TEXT];
	uint32_t all = fn_firewall_shards(p->flows_all), own = fn_firewall_shards(p->flows_function), one = fn_firewall_shards(p->flows_sandbox);
	int rc;

	fn_ip4_format(r->subnet.base, net);
	snprintf(net + strlen(net), sizeof(net) - strlen(net), "/%u", r->subnet.bits);
	fn_ip4_format(r->subnet.base + 1, gateway);
	rc = fn_buf_addf(b, frames, r->table, gateway, r->ports);
	if (rc == 0)
		rc = fn_buf_addf(b, packets, r->table, r->bridge, net, gateway, p->flows_sandbox / one, all, p->flows_all / all, own,
				 p->flows_function / own, one);
	if (rc == 0)
		rc = add_services(r, gateway, b);
	if (rc == 0)
		rc = add_forward(r, b);
	for (unsigned i = 0; rc == 0 && i < r->n_uplinks; i++)
		rc = fn_buf_addf(b, "add element inet %s uplinks { \"%s\" }\n", r->table, r->uplinks[i]);
	for (unsigned i = 0; rc == 0 && i < p->n_dns; i++)
		rc = fn_buf_addf(b, "add element inet %s dns { %s }\n", r->table, fn_ip4_format(p->dns[i], addr));
	return rc;
}

/* In the child: errors go up the pipe. */
static void run_library(const char *rules, struct fn_err *err)
{
	void *lib = dlopen("libnftables.so.1", RTLD_NOW);
	struct nft_ctx *(*ctx_new)(uint32_t) = lib ? (struct nft_ctx * (*)(uint32_t)) dlsym(lib, "nft_ctx_new") : NULL;
	int (*buffer_error)(struct nft_ctx *) = lib ? (int (*)(struct nft_ctx *))dlsym(lib, "nft_ctx_buffer_error") : NULL;
	const char *(*get_error)(struct nft_ctx *) = lib ? (const char *(*)(struct nft_ctx *))dlsym(lib, "nft_ctx_get_error_buffer") : NULL;
	int (*run)(struct nft_ctx *, const char *) = lib ? (int (*)(struct nft_ctx *, const char *))dlsym(lib, "nft_run_cmd_from_buffer") : NULL;
	struct nft_ctx *nft = ctx_new ? ctx_new(NFT_CTX_DEFAULT) : NULL;

	if (!nft || !buffer_error || !get_error || !run) {
		fn_err_set(err, ELIBACC, "nat: load rules", "libnftables: %.150s", lib ? "is not as expected" : dlerror());
		return;
	}
	(void)buffer_error(nft);
	if (run(nft, rules) != 0) {
		const char *why = get_error(nft);

		fn_err_set(err, EOPNOTSUPP, "nat: load rules",
			   "%.*s (does the kernel have nf_tables with the families inet and bridge, nft_masq, nft_nat, nft_ct, nft_hash, nft_limit, "
			   "nft_reject, nft_connlimit?)",
			   (int)strcspn(why, "\n"), why);
	}
}

int fn_firewall_load(const struct fn_firewall_rules *rules, struct fn_err *err)
{
	fn_auto_buf struct fn_buf text = {0};
	fn_auto_fd int in = -EBADF, out = -EBADF;
	struct fn_err told = {0};
	int fds[2], status;
	pid_t pid;

	if (compose(rules, &text) < 0)
		return fn_err_set(err, ENOMEM, "nat: load rules", NULL);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return fn_err_set(err, errno, "nat: load rules", "pipe");
	in = fds[0];
	out = fds[1];
	pid = fork();
	if (pid < 0)
		return fn_err_set(err, errno, "nat: load rules", "fork");
	if (pid == 0) {
		run_library(text.data, &told);
		_exit(fn_fd_write_all(out, &told, sizeof(told)) < 0);
	}
	fn_close(fn_take_fd(&out));
	if (fn_fd_read_all(in, &told, sizeof(told)) != (ssize_t)sizeof(told))
		fn_err_set(&told, EIO, "nat: load rules", "the child died");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (told.code && err)
		*err = told;
	return -told.code;
}

/* --- by messages of our own: no library --- */
int fn_firewall_remove(const char *table)
{
	struct fn_nft n;
	int r = fn_nft_open(table, &n), r_bridge;

	if (r < 0)
		return r;
	r = fn_nft_remove_table(&n, NFPROTO_INET);
	r_bridge = fn_nft_remove_table(&n, NFPROTO_BRIDGE);
	fn_nft_close(&n);
	return r < 0 && r_bridge < 0 ? r : 0;
}

struct port_key { /* ifname . ether_addr . ipv4_addr */
	char port[IFNAMSIZ];
	uint8_t mac[8];
	uint32_t addr;
};

static struct port_key port_key(const char *port, const uint8_t mac[6], uint32_t addr)
{
	struct port_key k = {.addr = htonl(addr)};

	snprintf(k.port, sizeof(k.port), "%s", port);
	memcpy(k.mac, mac, 6);
	return k;
}

int fn_firewall_port(const struct fn_nft *n, const char *port, const uint8_t mac[6], uint32_t addr)
{
	struct port_key k = port_key(port, mac, addr);

	return fn_nft_add(n, &(struct fn_nft_element){NFPROTO_BRIDGE, "ports", &k, sizeof(k), NULL});
}

int fn_firewall_owner(const struct fn_nft *n, uint32_t addr, uint32_t function)
{
	uint32_t key = htonl(addr);

	return fn_nft_add(n, &(struct fn_nft_element){NFPROTO_INET, "owners", &key, sizeof(key), &function});
}

void fn_firewall_forget(const struct fn_nft *n, const char *port, const uint8_t mac[6], uint32_t addr, uint32_t shards)
{
	static const char *const of_addr[] = {"owners", "refusals", "refused", "slowed"};
	struct port_key k = port_key(port, mac, addr);
	uint32_t key = htonl(addr);

	/* some were never there: the sandbox got no function, or made no connection */
	(void)fn_nft_delete(n, &(struct fn_nft_element){NFPROTO_BRIDGE, "ports", &k, sizeof(k), NULL});
	for (unsigned i = 0; i < sizeof(of_addr) / sizeof(of_addr[0]); i++)
		(void)fn_nft_delete(n, &(struct fn_nft_element){NFPROTO_INET, of_addr[i], &key, sizeof(key), NULL});
	for (uint32_t i = 0; i < shards; i++) {
		const uint32_t flows[2] = {key, i}; /* ipv4_addr . shard */

		(void)fn_nft_delete(n, &(struct fn_nft_element){NFPROTO_INET, "flows", flows, sizeof(flows), NULL});
	}
}
