/* nat.c - see nat.h. */
#include "spawn/nat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/slots.h"
#include "base/str.h"

#define LOOK_US 10000u        /* how often ports that are to vanish are looked at */
#define PATIENCE_US 10000000u /* then a port is deleted: somebody holds its namespace */
#define CLOSE_LOOKS 200u      /* of LOOK_US each, at the end */
#define RESOLVED_CONF "/run/systemd/resolve/resolv.conf" /* systemd-resolved: the servers behind 127.0.0.53 */

struct leaving {
	struct fn_list link;
	uint32_t slot;
	uint64_t since_us;
};

struct fn_nat {
	struct fn_loop *loop;
	struct fn_net *net;
	struct fn_slots *slots;
	struct fn_subnet subnet;
	char bridge[IFNAMSIZ];
	struct fn_resolv resolv;
	struct fn_list leaving;
	uint64_t timer;
	bool armed;
};

/* --- name servers --- */
static int read_resolv(const char *path, struct fn_resolv *ret, struct fn_err *err)
{
	char text[8192];
	ssize_t n = fn_file_read(AT_FDCWD, path, text, sizeof(text));

	if (n < 0)
		return fn_err_set(err, (int)n, "nat: resolv.conf", "%.120s", path);
	fn_resolv_parse(text, ret);
	return 0;
}

static int find_servers(struct fn_nat *n, const char *path, struct fn_err *err)
{
	struct fn_resolv behind = {0};
	int r = read_resolv(path, &n->resolv, err);

	if (r < 0)
		return r;
	if (n->resolv.n_servers == 0 && n->resolv.n_loopback > 0 && read_resolv(RESOLVED_CONF, &behind, NULL) == 0 && behind.n_servers > 0) {
		n->resolv = behind;
		fn_log_info("nat: %s names a server on loopback alone; sandboxes get the servers behind it, from " RESOLVED_CONF, path);
	} else if (n->resolv.n_servers == 0) {
		fn_log_warn("nat: %s has no name server that a sandbox can reach (%u on loopback, %u IPv6): functions will find no host by name. "
			    "Name a file with a reachable IPv4 server in network.resolv_conf",
			    path, n->resolv.n_loopback, n->resolv.n_ipv6);
	} else if (n->resolv.n_loopback + n->resolv.n_ipv6 > 0) {
		fn_log_warn("nat: %s: %u servers on loopback and %u IPv6 servers are left out: a sandbox cannot reach them", path, n->resolv.n_loopback,
			    n->resolv.n_ipv6);
	}
	return 0;
}

/* --- ports that vanish --- */
/* Those that were left before this time are deleted. */
static void look(struct fn_nat *n, uint64_t before_us)
{
	fn_list_for_each_safe(l, &n->leaving) {
		struct leaving *v = fn_list_entry(l, struct leaving, link);

		if (!fn_net_port_gone(n->net, v->slot)) {
			if (v->since_us >= before_us)
				continue;
			if (fn_net_port_remove(n->net, v->slot) < 0 && !fn_net_port_gone(n->net, v->slot))
				continue;
		}
		fn_slots_give(n->slots, v->slot);
		fn_list_remove(&v->link);
		free(v);
	}
}

static void arm(struct fn_nat *n, uint64_t at)
{
	n->armed = at != UINT64_MAX;
	(void)fn_loop_rearm_timer(n->loop, n->timer, at);
}

static void on_look(void *arg)
{
	struct fn_nat *n = arg;

	uint64_t now = fn_loop_now_us(n->loop);

	look(n, now > PATIENCE_US ? now - PATIENCE_US : 0);
	arm(n, fn_list_empty(&n->leaving) ? UINT64_MAX : now + LOOK_US);
}

void fn_nat_give(struct fn_nat *n, uint32_t slot)
{
	struct leaving *v;

	if (fn_net_port_gone(n->net, slot)) {
		fn_slots_give(n->slots, slot);
		return;
	}
	v = malloc(sizeof(*v));
	if (!v)
		abort(); /* as for an answer: an address must not be lost silently */
	*v = (struct leaving){.slot = slot, .since_us = fn_loop_now_us(n->loop)};
	fn_list_push_back(&n->leaving, &v->link);
	if (!n->armed)
		arm(n, v->since_us + LOOK_US);
}

/* --- addresses --- */
int fn_nat_take(struct fn_nat *n, uint32_t *ret_slot, struct fn_child_nat *ret, struct fn_err *err)
{
	char base[FN_IP4_TEXT];
	uint32_t slot;

	if (fn_slots_take(n->slots, &slot) < 0)
		return fn_err_set(err, EADDRNOTAVAIL, "nat: address", "all %u addresses of %s/%u are in use; a larger \"subnet\" has more",
				  fn_slots_capacity(n->slots), fn_ip4_format(n->subnet.base, base), n->subnet.bits);
	*ret_slot = slot;
	*ret = (struct fn_child_nat){n->subnet.base + 2 + slot, fn_net_gateway(n->net), FN_NET_IFACE};
	return 0;
}

uint32_t fn_nat_capacity(const struct fn_nat *n) { return fn_slots_capacity(n->slots); }
uint32_t fn_nat_unused(const struct fn_nat *n) { return fn_slots_capacity(n->slots) - fn_slots_used(n->slots); }

int fn_nat_attach(struct fn_nat *n, uint32_t slot, pid_t pid, struct fn_err *err) { return fn_net_port_add(n->net, slot, pid, err); }

/* --- the whole --- */
int fn_nat_open(const struct fn_nat_config *config, struct fn_nat **ret, struct fn_err *err)
{
	struct fn_net_config c = {.instance = config->instance, .bridge = config->bridge, .uplink = config->uplink};
	struct fn_nat *n = calloc(1, sizeof(*n));
	char text[128];
	int r;

	if (!n)
		return fn_err_set(err, ENOMEM, "nat", NULL);
	n->loop = config->loop;
	fn_list_init(&n->leaving);
	snprintf(n->bridge, sizeof(n->bridge), "%s", config->bridge);
	r = fn_ifname_check(config->bridge, err);
	if (r == 0)
		r = fn_subnet_parse(config->subnet, &n->subnet, err);
	if (r == 0)
		r = find_servers(n, config->resolv_conf, err);
	if (r == 0 && (fn_slots_new(fn_subnet_capacity(&n->subnet), &n->slots) < 0 || fn_loop_add_timer(n->loop, UINT64_MAX, on_look, n, &n->timer) < 0))
		r = fn_err_set(err, ENOMEM, "nat", NULL);
	if (r == 0) {
		c.subnet = n->subnet;
		c.dns = n->resolv.servers;
		c.n_dns = n->resolv.n_servers;
		r = fn_net_open(&c, &n->net, err);
	}
	if (r < 0) {
		fn_nat_close(n);
		return r;
	}
	fn_log_info("nat: bridge %s, subnet %s, %s, %u name servers", n->bridge, config->subnet, fn_net_describe(n->net, text, sizeof(text)), c.n_dns);
	if (fn_streq(text, "no uplink"))
		fn_log_warn("nat: this host has no default route: functions reach nothing until fnd is started again with one, or with network.uplink");
	*ret = n;
	return 0;
}

void fn_nat_close(struct fn_nat *n)
{
	if (!n)
		return;
	for (unsigned i = 0; i < CLOSE_LOOKS && !fn_list_empty(&n->leaving); i++) {
		look(n, 0);
		if (!fn_list_empty(&n->leaving))
			usleep(LOOK_US);
	}
	look(n, UINT64_MAX);
	fn_list_for_each_safe(l, &n->leaving) free(fn_list_entry(l, struct leaving, link));
	fn_loop_clear(n->loop, &n->timer);
	fn_net_close(n->net);
	fn_slots_free(n->slots);
	free(n);
}

const char *fn_nat_resolv_conf(const struct fn_nat *n) { return n->resolv.text; }

const char *fn_nat_describe(const struct fn_nat *n, char *buf, size_t size)
{
	char base[FN_IP4_TEXT], gateway[FN_IP4_TEXT], server[FN_IP4_TEXT], uplinks[96];
	size_t len;

	if (!n) {
		snprintf(buf, size, "{\"mode\":\"loopback\"}");
		return buf;
	}
	len = (size_t)snprintf(buf, size, "{\"mode\":\"nat\",\"bridge\":\"%s\",\"address\":\"%s\",\"subnet\":\"%s/%u\",\"used\":%u,\"capacity\":%u,\"uplinks\":\"%s\",\"dns\":[",
			       n->bridge, fn_ip4_format(fn_net_gateway(n->net), gateway), fn_ip4_format(n->subnet.base, base), n->subnet.bits,
			       fn_slots_used(n->slots), fn_slots_capacity(n->slots), fn_net_describe(n->net, uplinks, sizeof(uplinks)));
	for (unsigned i = 0; i < n->resolv.n_servers && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s\"%s\"", i ? "," : "", fn_ip4_format(n->resolv.servers[i], server));
	if (len < size)
		snprintf(buf + len, size - len, "]}");
	return buf;
}
