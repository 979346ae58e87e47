/*
 * firewall.c - see firewall.h. Runs in fn-spawnd, at its start and its end alone: sandboxes come and go without a rule being touched.
 */
#include "os/firewall.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

#define FLOWS_MAX "4096" /* tracked at once, per sandbox */

/* %1 table, %2 bridge, %3 subnet, %4 the bridge's address. Interfaces that only may exist are matched by name. */
static const char most[] =
	"add table inet %1$s\n"
	"delete table inet %1$s\n"
	"table inet %1$s {\n"
	"	set dns { type ipv4_addr; }\n"
	"	set uplinks { type ifname; }\n"
	"	set flows { type ipv4_addr; size 65535; flags dynamic; }\n"
	/* sandbox -> sandbox, refused before it is routed: back out where it came from, the host would send redirects instead of refusals */
	"	chain prerouting {\n"
	"		type filter hook prerouting priority -10; policy accept;\n"
	"		iifname \"%2$s\" ip daddr %3$s ip daddr != %4$s reject with icmpx type admin-prohibited\n"
	"	}\n"
	/* sandbox -> this host: nothing but the name servers */
	"	chain input {\n"
	"		type filter hook input priority -10; policy accept;\n"
	"		iifname != \"%2$s\" accept\n"
	"		ip saddr != %3$s drop\n"
	"		ip daddr @dns meta l4proto { 6, 17 } th dport 53 accept\n"
	"		ct state established,related accept\n"
	"		meta nfproto != ipv4 drop\n"
	"		reject with icmpx type admin-prohibited\n"
	"	}\n"
	/* this host -> sandbox: answers */
	"	chain output {\n"
	"		type filter hook output priority -10; policy accept;\n"
	"		oifname != \"%2$s\" accept\n"
	"		ct state established,related accept\n"
	"		drop\n"
	"	}\n"
	"	chain sandbox {\n"
	"		meta nfproto != ipv4 drop\n"
	"		ip saddr != %3$s drop\n"
	/* the host's table of connections is everybody's: one sandbox cannot fill it */
	"		ct state new add @flows { ip saddr ct count over " FLOWS_MAX " } reject with icmpx type admin-prohibited\n"
	"		ip daddr @dns meta l4proto { 6, 17 } th dport 53 oifname @uplinks accept\n"
	"		ip daddr { 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3, %3$s } reject with icmpx type admin-prohibited\n"
	"		oifname @uplinks accept\n"
	"		reject with icmpx type admin-prohibited\n"
	"	}\n"
	"	chain postrouting {\n"
	"		type nat hook postrouting priority 100; policy accept;\n"
	"		ip saddr %3$s oifname @uplinks masquerade\n"
	"	}\n"
	"	chain forward {\n"
	"		type filter hook forward priority -10; policy accept;\n"
	"		iifname \"%2$s\" goto sandbox\n"
	"		oifname \"%2$s\" ct state established,related accept\n"
	"		oifname \"%2$s\" drop\n";

static int compose(const struct fn_firewall_rules *r, struct fn_buf *b)
{
	char net[FN_IP4_TEXT], addr[FN_IP4_TEXT], gateway[FN_IP4_TEXT];
	int rc;

	fn_ip4_format(r->subnet.base, net);
	snprintf(net + strlen(net), sizeof(net) - strlen(net), "/%u", r->subnet.bits);
	rc = fn_buf_addf(b, most, r->table, r->bridge, net, fn_ip4_format(r->subnet.base + 1, gateway));
	for (unsigned i = 0; rc == 0 && i < r->n_uplinks; i++)
		if (r->guard[i])
			rc = fn_buf_addf(b, "		iifname \"%s\" ct state new,invalid drop\n", r->uplinks[i]);
	if (rc == 0)
		rc = fn_buf_addf(b, "	}\n}\n");
	for (unsigned i = 0; rc == 0 && i < r->n_uplinks; i++)
		rc = fn_buf_addf(b, "add element inet %s uplinks { \"%s\" }\n", r->table, r->uplinks[i]);
	for (unsigned i = 0; rc == 0 && i < r->n_dns; i++)
		rc = fn_buf_addf(b, "add element inet %s dns { %s }\n", r->table, fn_ip4_format(r->dns[i], addr));
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

		fn_err_set(err, EOPNOTSUPP, "nat: load rules", "%.*s (does the kernel have nf_tables, nft_masq, nft_ct, nft_reject, nft_connlimit?)",
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

/* --- removal: one small message (linux/netfilter/nf_tables.h), which needs no library --- */
static int append(struct fn_buf *b, int type, int flags, uint8_t family, uint16_t res, const char *table)
{
	const struct nfgenmsg head = {.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(res)};
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);
	int r = m ? 0 : -ENOMEM;

	if (r == 0 && (nlmsg_append(m, (void *)&head, sizeof(head), NLMSG_ALIGNTO) < 0 || (table && nla_put_string(m, NFTA_TABLE_NAME, table) < 0)))
		r = -ENOMEM;
	if (r == 0) {
		nlmsg_hdr(m)->nlmsg_seq = 1;
		r = fn_buf_add(b, nlmsg_hdr(m), NLMSG_ALIGN(nlmsg_hdr(m)->nlmsg_len));
	}
	nlmsg_free(m);
	return r;
}

int fn_firewall_remove(const char *table)
{
	fn_auto_buf struct fn_buf batch = {0};
	fn_auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	union {
		struct nlmsghdr head;
		char space[4096];
	} answer;
	const struct nlmsgerr *e = NLMSG_DATA(&answer.head);
	ssize_t n;
	int r = fd < 0 ? -errno : append(&batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, NULL);

	if (r == 0)
		r = append(&batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, NLM_F_ACK, NFPROTO_INET, 0, table);
	if (r == 0)
		r = append(&batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, NULL);
	if (r < 0)
		return r;
	if (send(fd, batch.data, batch.len, 0) < 0)
		return -errno;
	n = recv(fd, &answer, sizeof(answer), 0);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(*e)) || answer.head.nlmsg_type != NLMSG_ERROR)
		return n < 0 ? -errno : -EPROTO;
	return e->error;
}
