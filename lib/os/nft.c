/* nft.c - see nft.h. libnl writes the attributes; the batch around a message and its one answer are ours. */
#include "os/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

#define SEQ 2u /* of the message itself; the batch's ends have others */

int fn_nft_open(const char *table, struct fn_nft *ret)
{
	ret->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	snprintf(ret->table, sizeof(ret->table), "%s", table);
	return ret->fd < 0 ? -errno : 0;
}

void fn_nft_close(struct fn_nft *n) { fn_close(fn_take_fd(&n->fd)); }

static struct nl_msg *begin(int type, int flags, uint8_t family, uint16_t res, uint32_t seq)
{
	const struct nfgenmsg head = {.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(res)};
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

	if (m && nlmsg_append(m, (void *)&head, sizeof(head), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	if (m)
		nlmsg_hdr(m)->nlmsg_seq = seq;
	return m;
}

static struct nl_msg *begin_nft(const struct fn_nft *n, int type, int flags, uint8_t family, int table_attr)
{
	struct nl_msg *m = begin(NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_ACK | flags, family, 0, SEQ);

	if (m && nla_put_string(m, table_attr, n->table) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static int append(struct fn_buf *b, struct nl_msg *m)
{
	int r = m ? fn_buf_add(b, nlmsg_hdr(m), NLMSG_ALIGN(nlmsg_hdr(m)->nlmsg_len)) : -ENOMEM;

	nlmsg_free(m);
	return r;
}

/* The kernel has answered by the time that send() returns. */
static int answer(const struct fn_nft *n)
{
	union {
		struct nlmsghdr head;
		char space[4096];
	} a;
	const struct nlmsgerr *e = NLMSG_DATA(&a.head);
	int r = -EPROTO;
	ssize_t len;

	while ((len = recv(n->fd, &a, sizeof(a), MSG_DONTWAIT)) > 0)
		if (len >= (ssize_t)NLMSG_LENGTH(sizeof(*e)) && a.head.nlmsg_type == NLMSG_ERROR && (r == -EPROTO || a.head.nlmsg_seq == SEQ))
			r = e->error;
	return r;
}

/* Takes m. */
static int transact(const struct fn_nft *n, struct nl_msg *m)
{
	fn_auto_buf struct fn_buf batch = {0};
	int r = append(&batch, begin(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, SEQ - 1));
	int r_own = append(&batch, m);

	if (r == 0)
		r = r_own;
	if (r == 0)
		r = append(&batch, begin(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, SEQ + 1));
	if (r < 0)
		return r;
	return send(n->fd, batch.data, batch.len, 0) < 0 ? -errno : answer(n);
}

int fn_nft_remove_table(const struct fn_nft *n, uint8_t family)
{
	return transact(n, begin_nft(n, NFT_MSG_DELTABLE, 0, family, NFTA_TABLE_NAME));
}

/* --- elements --- */
static bool put_value(struct nl_msg *m, int attr, const void *value, size_t len)
{
	struct nlattr *nest = nla_nest_start(m, attr);

	if (!nest || nla_put(m, NFTA_DATA_VALUE, (int)len, value) < 0)
		return false;
	nla_nest_end(m, nest);
	return true;
}

/* Takes m: a question, which needs no transaction. */
static int ask(const struct fn_nft *n, struct nl_msg *m)
{
	int r = send(n->fd, nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len, 0) < 0 ? -errno : answer(n);

	nlmsg_free(m);
	return r;
}

static int element(const struct fn_nft *n, int type, int flags, const struct fn_nft_element *e)
{
	struct nl_msg *m = begin_nft(n, type, flags, e->family, NFTA_SET_ELEM_LIST_TABLE);
	struct nlattr *list, *one;

	if (!m)
		return -ENOMEM;
	if (nla_put_string(m, NFTA_SET_ELEM_LIST_SET, e->set) < 0 || !(list = nla_nest_start(m, NFTA_SET_ELEM_LIST_ELEMENTS)) ||
	    !(one = nla_nest_start(m, NFTA_LIST_ELEM)) || !put_value(m, NFTA_SET_ELEM_KEY, e->key, e->key_len) ||
	    (e->data && !put_value(m, NFTA_SET_ELEM_DATA, e->data, sizeof(*e->data)))) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	nla_nest_end(m, one);
	nla_nest_end(m, list);
	return type == NFT_MSG_GETSETELEM ? ask(n, m) : transact(n, m);
}

int fn_nft_add(const struct fn_nft *n, const struct fn_nft_element *e) { return element(n, NFT_MSG_NEWSETELEM, NLM_F_CREATE, e); }

int fn_nft_delete(const struct fn_nft *n, const struct fn_nft_element *e)
{
	struct fn_nft_element key = *e;
	int r;

	key.data = NULL;
	r = element(n, NFT_MSG_GETSETELEM, 0, &key);
	if (r < 0)
		return r;
	return element(n, NFT_MSG_DELSETELEM, 0, &key);
}
