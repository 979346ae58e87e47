/* subnet.c - see subnet.h. */
#include "os/subnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

const char *fn_ip4_format(uint32_t addr, char buf[FN_IP4_TEXT])
{
	snprintf(buf, FN_IP4_TEXT, "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255, addr & 255);
	return buf;
}

static uint32_t mask_of(unsigned bits) { return bits ? ~0u << (32 - bits) : 0; }

bool fn_subnet_overlaps(const struct fn_subnet *s, uint32_t addr, unsigned bits)
{
	uint32_t mask = s->mask & mask_of(bits);

	return (s->base & mask) == (addr & mask);
}

static int nobodys(const struct fn_subnet *s)
{
	return fn_subnet_overlaps(s, 0, 8) || fn_subnet_overlaps(s, 127u << 24, 8) || fn_subnet_overlaps(s, 0xa9fe0000u, 16) ||
	       fn_subnet_overlaps(s, 0xe0000000u, 3);
}

int fn_subnet_parse(const char *text, struct fn_subnet *ret, struct fn_err *err)
{
	const char *slash = strchr(text, '/');
	char host[INET_ADDRSTRLEN] = "", fixed[FN_IP4_TEXT];
	struct fn_subnet s = {0};
	struct in_addr a;
	int64_t bits;

	if (!slash || (size_t)(slash - text) >= sizeof(host))
		return fn_err_set(err, EINVAL, "subnet", "\"%.60s\" is no ADDRESS/BITS, like 10.201.0.0/16", text);
	memcpy(host, text, (size_t)(slash - text));
	if (inet_pton(AF_INET, host, &a) != 1)
		return fn_err_set(err, EINVAL, "subnet", "\"%.60s\" is no IPv4 address", host);
	if (fn_str_to_i64(slash + 1, FN_SUBNET_BITS_MIN, FN_SUBNET_BITS_MAX, &bits) < 0)
		return fn_err_set(err, EINVAL, "subnet", "%.60s: the prefix must be from /%d (65533 sandboxes) to /%d (5)", text, FN_SUBNET_BITS_MIN,
				  FN_SUBNET_BITS_MAX);
	s.bits = (unsigned)bits;
	s.mask = mask_of(s.bits);
	s.base = ntohl(a.s_addr) & s.mask;
	if (s.base != ntohl(a.s_addr))
		return fn_err_set(err, EINVAL, "subnet", "%.60s has host bits set; is %s/%u meant?", text, fn_ip4_format(s.base, fixed), s.bits);
	if (nobodys(&s))
		return fn_err_set(err, EINVAL, "subnet", "%.60s lies in a reserved range; use one of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16", text);
	*ret = s;
	return 0;
}

uint32_t fn_subnet_capacity(const struct fn_subnet *s) { return ~s->mask - 2; }

int fn_ifname_check(const char *name, struct fn_err *err)
{
	static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n = strlen(name);

	if (n == 0 || n >= IFNAMSIZ)
		return fn_err_set(err, EINVAL, "interface name", "\"%.60s\" must have 1 to %d characters", name, IFNAMSIZ - 1);
	if (strspn(name, ok) != n || name[0] == '-' || fn_streq(name, ".") || fn_streq(name, ".."))
		return fn_err_set(err, EINVAL, "interface name", "\"%.60s\" may have letters, digits, \".\", \"_\" and \"-\" alone", name);
	return 0;
}

/* --- services of the host --- */
static bool is_no_service(uint32_t addr, const struct fn_subnet *subnet)
{
	return addr >> 24 == 0 || addr >> 28 >= 14 || addr >> 16 == 0xa9fe || (addr & subnet->mask) == subnet->base;
}

int fn_host_service_add(const char *text, const struct fn_subnet *subnet, struct fn_host_services *to, struct fn_err *err)
{
	bool udp = fn_str_starts(text, "udp:");
	const char *rest = text + 4, *colon = strlen(text) > 4 ? strrchr(rest, ':') : NULL;
	char host[INET_ADDRSTRLEN] = "";
	struct in_addr a = {0};
	int64_t port;

	if ((!udp && !fn_str_starts(text, "tcp:")) || fn_str_to_i64(colon ? colon + 1 : rest, 1, 65535, &port) < 0)
		return fn_err_set(err, EINVAL, "host service", "\"%.60s\" is not tcp:PORT, udp:PORT, tcp:ADDRESS:PORT or udp:ADDRESS:PORT", text);
	if (colon) {
		if ((size_t)(colon - rest) < sizeof(host))
			memcpy(host, rest, (size_t)(colon - rest));
		if (inet_pton(AF_INET, host, &a) != 1 || is_no_service(ntohl(a.s_addr), subnet))
			return fn_err_set(err, EINVAL, "host service", "\"%.60s\": the address must be an IPv4 address on which a service can listen", text);
	}
	for (unsigned i = 0; i < to->n; i++)
		if (to->list[i].udp == udp && to->list[i].port == port)
			return fn_err_set(err, EEXIST, "host service", "%s port %d is named twice", udp ? "udp" : "tcp", (int)port);
	if (to->n == FN_HOST_SERVICES_MAX)
		return fn_err_set(err, E2BIG, "host service", "more than %d", FN_HOST_SERVICES_MAX);
	to->list[to->n].udp = udp;
	to->list[to->n].port = (uint16_t)port;
	to->list[to->n++].addr = ntohl(a.s_addr);
	return 0;
}

int fn_host_services_parse(const char *text, const struct fn_subnet *subnet, struct fn_host_services *ret, struct fn_err *err)
{
	struct fn_host_services s = {.n = 0};
	char one[64];
	size_t len;
	int r;

	for (const char *p = text; *text; p += len + 1) {
		len = strcspn(p, ",");
		snprintf(one, sizeof(one), "%.*s", (int)len, p);
		r = len < sizeof(one) ? fn_host_service_add(one, subnet, &s, err) : fn_err_set(err, EINVAL, "host service", "\"%.60s...\" is none", one);
		if (r < 0)
			return r;
		if (!p[len])
			break;
	}
	*ret = s;
	return 0;
}

/* --- name servers --- */
/* Returns whether the line is kept. */
static bool nameserver(const char *value, struct fn_resolv *r)
{
	char word[64];
	struct in_addr a;

	if (sscanf(value, "%63s", word) != 1)
		return false;
	if (inet_pton(AF_INET, word, &a) != 1) {
		r->n_ipv6 += strchr(word, ':') != NULL;
		return false;
	}
	if (ntohl(a.s_addr) >> 24 == 127 || a.s_addr == 0) {
		r->n_loopback++;
		return false;
	}
	if (r->n_servers == FN_RESOLV_SERVERS_MAX)
		return false;
	r->servers[r->n_servers++] = ntohl(a.s_addr);
	return true;
}

void fn_resolv_parse(const char *text, struct fn_resolv *ret)
{
	static const char *const kept[] = {"search", "domain", "options", "sortlist"};
	size_t used = 0;

	*ret = (struct fn_resolv){0};
	for (const char *line = text, *next; *line; line = next) {
		size_t len = strcspn(line, "\n"), key = strcspn(line, " \t\n");
		bool keep = false;
		char value[256];

		next = line + len + (line[len] == '\n');
		if (len >= sizeof(value))
			continue;
		memcpy(value, line + key, len - key);
		value[len - key] = '\0';
		if (key == 10 && strncmp(line, "nameserver", key) == 0)
			keep = nameserver(value, ret);
		for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
			keep |= strlen(kept[i]) == key && strncmp(line, kept[i], key) == 0;
		if (keep && used + len + 2 <= sizeof(ret->text))
			used += (size_t)snprintf(ret->text + used, sizeof(ret->text) - used, "%.*s\n", (int)len, line);
	}
}
