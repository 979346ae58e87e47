/* crowd.c - see crowd.h. */
#include "web/crowd.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static int less(uint64_t a, uint64_t b) { return a < b ? -1 : a > b; }

static int by_peer_newest_first(const void *a, const void *b)
{
	const struct fn_crowd_one *p = a, *q = b;

	return p->peer != q->peer ? less(p->peer, q->peer) : less(q->since_us, p->since_us);
}

static int by_rank_oldest_first(const void *a, const void *b)
{
	const struct fn_crowd_one *p = a, *q = b;

	return p->rank != q->rank ? less(q->rank, p->rank) : less(p->since_us, q->since_us);
}

/* The rank of a connection is how many newer ones its peer has: whoever has most has the highest ranks, and its oldest the highest of them. */
void fn_crowd_sort(struct fn_crowd_one *v, size_t n)
{
	if (n == 0)
		return;
	qsort(v, n, sizeof(*v), by_peer_newest_first);
	for (size_t i = 0; i < n; i++)
		v[i].rank = i > 0 && v[i].peer == v[i - 1].peer ? v[i - 1].rank + 1 : 0;
	qsort(v, n, sizeof(*v), by_rank_oldest_first);
}

uint64_t fn_crowd_peer(const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
	uint64_t peer = 0;

	if (address->ss_family == AF_INET)
		return UINT64_C(1) << 32 | ((const struct sockaddr_in *)address)->sin_addr.s_addr;
	if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		memcpy(&peer, six->sin6_addr.s6_addr + 12, 4);
	else if (address->ss_family == AF_INET6)
		memcpy(&peer, six->sin6_addr.s6_addr, 8);
	return peer;
}
