/* proxies.c - see proxies.h. */
#include "gateway/proxies.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "web/crowd.h"

/* "a.b.c.d", "x:y::z", "[x:y::z]:port", "a.b.c.d:port": proxies write them all. */
static bool parse_address(const char *text, size_t len, struct in6_addr *ret, bool *ret_v4)
{
	char copy[INET6_ADDRSTRLEN + 16], *at = copy, *end;
	struct in_addr four;

	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (*at == '[' && (end = strchr(at, ']'))) {
		at++;
		*end = '\0';
	} else if ((end = strchr(at, ':')) && !strchr(end + 1, ':')) {
		*end = '\0';
	}
	*ret_v4 = inet_pton(AF_INET, at, &four) == 1;
	if (!*ret_v4)
		return inet_pton(AF_INET6, at, ret) == 1;
	*ret = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
	memcpy(ret->s6_addr + 12, &four, 4);
	return true;
}

static bool within(const struct in6_addr *a, const struct in6_addr *net, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	return memcmp(a->s6_addr, net->s6_addr, bytes) == 0 &&
	       (rest == 0 || ((a->s6_addr[bytes] ^ net->s6_addr[bytes]) & (0xff00 >> rest) & 0xff) == 0);
}

int fn_gw_proxies_parse(const char *text, struct fn_gw_proxies *ret)
{
	*ret = (struct fn_gw_proxies){0};
	for (const char *p = text ? text : ""; *p; p += strcspn(p, ","), p += *p == ',') {
		size_t len = strcspn(p, ","), host = strcspn(p, ",/");
		char bits[8] = "";
		bool v4;
		int64_t n;

		if (ret->n == FN_GW_PROXIES_MAX)
			return -E2BIG;
		if (!parse_address(p, host, &ret->list[ret->n].net, &v4))
			return -EINVAL;
		n = v4 ? 32 : 128;
		if (host < len) {
			if (len - host - 1 >= sizeof(bits))
				return -EINVAL;
			memcpy(bits, p + host + 1, len - host - 1);
			if (fn_str_to_i64(bits, 0, n, &n) < 0)
				return -EINVAL;
		}
		ret->list[ret->n++].bits = (unsigned)n + (v4 ? 96 : 0);
	}
	return 0;
}

static bool trusts(const struct fn_gw_proxies *p, const struct in6_addr *address)
{
	for (unsigned i = 0; i < p->n; i++)
		if (within(address, &p->list[i].net, p->list[i].bits))
			return true;
	return false;
}

struct in6_addr fn_gw_address(const struct sockaddr *from)
{
	struct in6_addr a = {0};

	if (from->sa_family == AF_INET6)
		return ((const struct sockaddr_in6 *)from)->sin6_addr;
	if (from->sa_family != AF_INET)
		return a;
	a.s6_addr[10] = a.s6_addr[11] = 0xff;
	memcpy(a.s6_addr + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
	return a;
}

struct fn_gw_peer fn_gw_peer(const struct fn_gw_proxies *p, const struct sockaddr *from)
{
	struct in6_addr address = fn_gw_address(from);

	return (struct fn_gw_peer){address, fn_crowd_peer((const struct sockaddr_storage *)from), trusts(p, &address)};
}

const char *fn_gw_address_text(const struct in6_addr *address, char out[INET6_ADDRSTRLEN])
{
	return IN6_IS_ADDR_V4MAPPED(address) ? inet_ntop(AF_INET, address->s6_addr + 12, out, INET6_ADDRSTRLEN)
					     : inet_ntop(AF_INET6, address, out, INET6_ADDRSTRLEN);
}

void fn_gw_proxies_client(const struct fn_gw_proxies *p, const char *forwarded, const struct in6_addr *peer, struct in6_addr *ret)
{
	size_t end = forwarded ? strlen(forwarded) : 0;

	*ret = *peer;
	while (end > 0 && trusts(p, ret)) {
		size_t at = end;
		struct in6_addr next;
		bool v4;

		while (at > 0 && forwarded[at - 1] != ',')
			at--;
		while (at < end && (forwarded[at] == ' ' || forwarded[at] == '\t'))
			at++;
		while (end > at && (forwarded[end - 1] == ' ' || forwarded[end - 1] == '\t'))
			end--;
		if (!parse_address(forwarded + at, end - at, &next, &v4))
			return;
		*ret = next;
		while (at > 0 && forwarded[at - 1] != ',')
			at--;
		end = at > 0 ? at - 1 : 0;
	}
}
