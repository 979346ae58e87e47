/*
 * nft.h - nf_tables by its own messages (linux/netfilter/nf_tables.h): for what happens with every sandbox, where libnftables would cost a
 * hundred times as much. Each call is one transaction: about 20 us.
 */
#ifndef FN_OS_NFT_H
#define FN_OS_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fn_nft {
	int fd;
	char table[32];
};

int fn_nft_open(const char *table, struct fn_nft *ret);
void fn_nft_close(struct fn_nft *n); /* one that is not open: fd -EBADF */

/* family: NFPROTO_INET, NFPROTO_BRIDGE. -ENOENT: there is no such table. */
int fn_nft_remove_table(const struct fn_nft *n, uint8_t family);

struct fn_nft_element {
	uint8_t family;
	const char *set;
	const void *key;
	size_t key_len;       /* members of a joined key are padded to 4 bytes each */
	const uint32_t *data; /* of a map from something to a mark; else NULL */
};
int fn_nft_add(const struct fn_nft *n, const struct fn_nft_element *e);    /* -EEXIST: with other data */
/* -ENOENT; looks first: a transaction that fails waits for a grace period (10 to 25 ms), and so does everybody who wants one meanwhile. */
int fn_nft_delete(const struct fn_nft *n, const struct fn_nft_element *e);

#endif
