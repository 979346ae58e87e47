/* nat.c - see nat.h. */
#include "spawn/nat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/slots.h"
#include "base/str.h"
#include "os/flows.h"
#include "spawn/cleaner.h"

#define LOOK_US 10000u        /* how often ports that are to vanish are looked at */
#define PATIENCE_US 10000000u /* then a port is deleted: somebody holds its namespace */
#define TOGETHER_US 1000000u /* addresses are forgotten together with those that follow within this time */
#define CLOSE_LOOKS 200u      /* of LOOK_US each, at the end */
#define FLOWS_SANDBOX 4096u
#define FLOWS_MAX_UNKNOWN 262144u /* a host without a limit of its own */
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
	struct fn_firewall_policy policy;
	struct fn_list leaving;  /* their ports are there still */
	struct fn_list dirty;    /* what is known of them is to be forgotten */
	struct fn_list cleaning; /* the cleaner is at them */
	struct fn_cleaner *cleaner;
	uint64_t timer, cleaner_io;
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

/* --- the end of an address's use: its port vanishes, it is forgotten, others may have it --- */
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
		fn_list_remove(&v->link);
		fn_list_push_back(&n->dirty, &v->link);
	}
}

static int start_cleaner(struct fn_nat *n, struct fn_err *err);

/* Those that the cleaner was asked to clean come back: as free ones, or to be cleaned later. */
static void end_cleaning(struct fn_nat *n, bool done)
{
	fn_list_for_each_safe(l, &n->cleaning) {
		struct leaving *v = fn_list_entry(l, struct leaving, link);

		fn_list_remove(l);
		if (done) {
			fn_slots_give(n->slots, v->slot);
			free(v);
		} else {
			v->since_us = fn_loop_now_us(n->loop);
			fn_list_push_back(&n->dirty, l);
		}
	}
}

/* Many at a time, for one walk serves them all; at once when there are few left. */
static void clean(struct fn_nat *n, uint64_t now)
{
	struct fn_list *first = fn_list_first(&n->dirty);
	uint32_t slots[FN_CLEANER_MOST];
	struct fn_err err = {0};
	char text[512];
	size_t count = 0;
	int r;

	if (!first || !fn_list_empty(&n->cleaning))
		return;
	if (now < fn_list_entry(first, struct leaving, link)->since_us + TOGETHER_US && fn_nat_unused(n) >= fn_slots_capacity(n->slots) / 4)
		return;
	fn_list_for_each_safe(l, &n->dirty) {
		if (count == FN_CLEANER_MOST)
			break;
		slots[count++] = fn_list_entry(l, struct leaving, link)->slot;
		fn_list_remove(l);
		fn_list_push_back(&n->cleaning, l);
	}
	r = n->cleaner ? 0 : start_cleaner(n, &err); /* it had died */
	if (r == 0 && (r = fn_cleaner_ask(n->cleaner, slots, count)) < 0)
		fn_err_set(&err, r, "nat: cleaner", "ask");
	if (r == 0)
		return;
	fn_log_warn("%s; once more", fn_err_format(&err, text, sizeof(text)));
	end_cleaning(n, false);
}

static void arm(struct fn_nat *n, uint64_t now)
{
	uint64_t at = UINT64_MAX;

	if (!fn_list_empty(&n->leaving))
		at = now + LOOK_US;
	else if (!fn_list_empty(&n->dirty) && fn_list_empty(&n->cleaning))
		at = fn_list_entry(fn_list_first(&n->dirty), struct leaving, link)->since_us + TOGETHER_US;
	n->armed = at != UINT64_MAX;
	(void)fn_loop_rearm_timer(n->loop, n->timer, at);
}

static void on_look(void *arg)
{
	struct fn_nat *n = arg;
	uint64_t now = fn_loop_now_us(n->loop);

	look(n, now > PATIENCE_US ? now - PATIENCE_US : 0);
	clean(n, now);
	arm(n, now);
}

/* What could not be forgotten is nobody's, until it can. */
static void on_cleaned(void *arg, int fd, uint32_t events)
{
	struct fn_nat *n = arg;
	struct fn_err err = {0};
	char text[512];
	int r = fn_cleaner_answer(n->cleaner, &err);

	(void)fd;
	(void)events;
	if (r == -EAGAIN)
		return;
	end_cleaning(n, r == 0);
	if (r < 0)
		fn_log_warn("%s; once more", fn_err_format(&err, text, sizeof(text)));
	if (r == -EPIPE) { /* another one is started when it is needed: not at once, for what has ended it may end that, too */
		fn_loop_clear(n->loop, &n->cleaner_io);
		fn_cleaner_close(fn_take_ptr(n->cleaner));
	}
	arm(n, fn_loop_now_us(n->loop));
}

static int start_cleaner(struct fn_nat *n, struct fn_err *err)
{
	int r = fn_cleaner_open(n->net, &n->subnet, &n->cleaner, err);

	if (r == 0 && fn_loop_add_io(n->loop, fn_cleaner_fd(n->cleaner), EPOLLIN, on_cleaned, n, &n->cleaner_io) < 0) {
		fn_cleaner_close(fn_take_ptr(n->cleaner));
		r = fn_err_set(err, ENOMEM, "nat: cleaner", NULL);
	}
	return r;
}

void fn_nat_give(struct fn_nat *n, uint32_t slot)
{
	struct leaving *v = malloc(sizeof(*v));

	if (!v)
		abort(); /* as for an answer: an address must not be lost silently */
	*v = (struct leaving){.slot = slot, .since_us = fn_loop_now_us(n->loop)};
	fn_list_push_back(&n->leaving, &v->link);
	if (!n->armed)
		arm(n, v->since_us);
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

int fn_nat_owner(struct fn_nat *n, uint32_t slot, const char *function, struct fn_err *err)
{
	uint32_t hash = 2166136261u; /* FNV-1a: two that share a value share a bound */
	int r;

	for (const char *p = function; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	r = fn_net_port_owner(n->net, slot, hash ? hash : 1);
	return r < 0 ? fn_err_set(err, r, "nat: owner", "%s", function) : 0;
}

bool fn_nat_expects(struct fn_nat *n) { return !fn_list_empty(&n->leaving) || !fn_list_empty(&n->dirty) || !fn_list_empty(&n->cleaning); }

int fn_nat_attach(struct fn_nat *n, uint32_t slot, pid_t pid, struct fn_err *err) { return fn_net_port_add(n->net, slot, pid, err); }

/* --- the whole --- */
static uint32_t chosen(uint32_t configured, uint32_t otherwise) { return configured ? configured : otherwise < 1 ? 1 : otherwise; }

/* Of the table that everybody on this host shares, half at most; of that, a quarter for one function. */
static int make_policy(struct fn_nat *n, const struct fn_nat_config *c, struct fn_err *err)
{
	uint32_t table = fn_flows_max();
	struct fn_firewall_policy *p = &n->policy;

	p->dns = n->resolv.servers;
	p->n_dns = n->resolv.n_servers;
	p->flows_all = chosen(c->connections_total, (table ? table : FLOWS_MAX_UNKNOWN) / 2);
	p->flows_function = chosen(c->connections_function, p->flows_all / 4);
	p->flows_sandbox = chosen(c->connections_environment, FLOWS_SANDBOX);
	return fn_host_services_parse(c->allow_host ? c->allow_host : "", &n->subnet, &p->services, err);
}

/* Where the last run began to give addresses away this one does not. */
static void begin_anywhere(struct fn_nat *n)
{
	uint32_t first;

	if (getrandom(&first, sizeof(first), 0) == (ssize_t)sizeof(first))
		fn_slots_start_at(n->slots, first);
}

static int prepare(struct fn_nat *n, const struct fn_nat_config *config, struct fn_err *err)
{
	int r = fn_ifname_check(config->bridge, err);

	if (r == 0)
		r = fn_subnet_parse(config->subnet, &n->subnet, err);
	if (r == 0)
		r = find_servers(n, config->resolv_conf, err);
	if (r == 0)
		r = make_policy(n, config, err);
	if (r == 0 && (fn_slots_new(fn_subnet_capacity(&n->subnet), &n->slots) < 0 || fn_loop_add_timer(n->loop, UINT64_MAX, on_look, n, &n->timer) < 0))
		r = fn_err_set(err, ENOMEM, "nat", NULL);
	return r;
}

int fn_nat_open(const struct fn_nat_config *config, struct fn_nat **ret, struct fn_err *err)
{
	struct fn_nat *n = calloc(1, sizeof(*n));
	char text[128];
	int r;

	if (!n)
		return fn_err_set(err, ENOMEM, "nat", NULL);
	n->loop = config->loop;
	fn_list_init(&n->leaving);
	fn_list_init(&n->dirty);
	fn_list_init(&n->cleaning);
	snprintf(n->bridge, sizeof(n->bridge), "%s", config->bridge);
	r = prepare(n, config, err);
	if (r == 0) {
		struct fn_net_config c = {config->instance, config->bridge, config->uplink, n->subnet, &n->policy};

		begin_anywhere(n);
		r = fn_net_open(&c, &n->net, err);
	}
	if (r == 0 && (r = fn_flows_purge(&n->subnet, NULL, err)) > 0) {
		fn_log_info("nat: forgot %d connections that an earlier run left", r);
		r = 0;
	}
	if (r == 0)
		r = start_cleaner(n, err);
	if (r < 0) {
		fn_nat_close(n);
		return r;
	}
	fn_net_describe(n->net, text, sizeof(text));
	fn_log_info("nat: bridge %s, subnet %s, %s, %u name servers", n->bridge, config->subnet, text, n->policy.n_dns);
	if (!fn_net_has_uplink(n->net))
		fn_log_warn("nat: this host has no default route: functions reach nothing until fnd is started again with one, or with network.uplink");
	*ret = n;
	return 0;
}

static void free_all(struct fn_list *list)
{
	fn_list_for_each_safe(l, list) {
		fn_list_remove(l);
		free(fn_list_entry(l, struct leaving, link));
	}
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
	free_all(&n->leaving);
	free_all(&n->dirty);
	free_all(&n->cleaning);
	fn_loop_clear(n->loop, &n->timer);
	fn_loop_clear(n->loop, &n->cleaner_io);
	fn_cleaner_close(n->cleaner);
	if (n->net) {
		fn_net_close(n->net);
		(void)fn_flows_purge(&n->subnet, NULL, NULL); /* no sandbox and no way to one is left that could make new ones */
	}
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
	len = (size_t)snprintf(buf, size, "{\"mode\":\"nat\",\"bridge\":\"%s\",\"address\":\"%s\",\"subnet\":\"%s/%u\",\"used\":%u,\"capacity\":%u,\"uplinks\":\"%s\",\"connected\":%s,"
			       "\"connections\":{\"environment\":%u,\"function\":%u,\"total\":%u},\"services\":%u,\"dns\":[",
			       n->bridge, fn_ip4_format(fn_net_gateway(n->net), gateway), fn_ip4_format(n->subnet.base, base), n->subnet.bits,
			       fn_slots_used(n->slots), fn_slots_capacity(n->slots), fn_net_describe(n->net, uplinks, sizeof(uplinks)),
			       fn_net_has_uplink(n->net) ? "true" : "false", n->policy.flows_sandbox,
			       n->policy.flows_function, n->policy.flows_all, n->policy.services.n);
	for (unsigned i = 0; i < n->resolv.n_servers && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s\"%s\"", i ? "," : "", fn_ip4_format(n->resolv.servers[i], server));
	if (len < size)
		snprintf(buf + len, size - len, "]}");
	return buf;
}
