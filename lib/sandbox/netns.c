/* netns.c - see netns.h. Between clone3 and execve: no malloc, no stdio. ioctl(2) rather than netlink: a few calls, no library. */
#include "sandbox/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/spec.h"

int fn_netns_new(struct fn_err *err) { return unshare(CLONE_NEWNET) < 0 ? fn_err_set(err, errno, "network namespace", NULL) : 0; }

static int listen_at(uint32_t addr, uint16_t port, const char *what, struct fn_err *err)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(addr)};
	fn_auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0)
		return fn_err_set(err, errno, what, NULL);
	return fn_take_fd(&fd);
}

int fn_netns_listener(struct fn_err *err) { return listen_at(INADDR_LOOPBACK, FN_RTAPI_PORT, "Runtime API listener", err); }
int fn_netns_platform(const struct fn_child_platform *p, struct fn_err *err) { return listen_at(p->addr, p->port, "platform endpoint", err); }

int fn_child_platform_parse(const char *text, struct fn_child_platform *ret)
{
	const char *colon = strrchr(text, ':');
	struct in_addr a;
	char host[16];
	int64_t port;

	if (!colon || (size_t)(colon - text) >= sizeof(host) || fn_str_to_i64(colon + 1, 1, 65535, &port) < 0)
		return -EINVAL;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (inet_pton(AF_INET, host, &a) != 1 || ntohl(a.s_addr) >> 24 != 127)
		return -EINVAL;
	*ret = (struct fn_child_platform){ntohl(a.s_addr), (uint16_t)port};
	return 0;
}

static void set_in(struct sockaddr *a, uint32_t addr)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(addr)};

	memcpy(a, &in, sizeof(in));
}

/* An address alone (/32): on lo the whole of a wider one would be local. */
static int set_address(int fd, const char *iface, uint32_t addr)
{
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", iface);
	set_in(&ifr.ifr_addr, addr);
	if (ioctl(fd, SIOCSIFADDR, &ifr) < 0)
		return -errno;
	set_in(&ifr.ifr_netmask, ~0u);
	return ioctl(fd, SIOCSIFNETMASK, &ifr) < 0 ? -errno : 0;
}

/* Up, with the address of the host name beside its own: an alias ("lo:0"), while the first is what the kernel gives it. */
int fn_netns_loopback(struct fn_err *err)
{
	fn_auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_name = "lo"};
	int r;

	if (fd < 0)
		return fn_err_set(err, errno, "loopback", "socket");
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return fn_err_set(err, errno, "loopback", "up");
	r = set_address(fd, "lo:0", FN_SANDBOX_ADDR);
	return r < 0 ? fn_err_set(err, r, "loopback", "address") : 0;
}

static int add_route(int fd, struct ifreq *ifr, uint32_t dst, uint32_t mask, uint32_t via)
{
	struct rtentry rt = {.rt_flags = (unsigned short)(RTF_UP | (via ? RTF_GATEWAY : RTF_HOST)), .rt_dev = ifr->ifr_name};

	set_in(&rt.rt_dst, dst);
	set_in(&rt.rt_genmask, mask);
	set_in(&rt.rt_gateway, via);
	return ioctl(fd, SIOCADDRT, &rt) < 0 ? -errno : 0;
}

/* While /proc/sys may still be written. The address alone (/32) and everything by way of the gateway: neighbours are refused by its rules at once, instead of silence. */
int fn_netns_nat(const struct fn_child_nat *n, int proc_fd, struct fn_err *err)
{
	fn_auto_fd int fd = -EBADF;
	struct ifreq ifr = {0};
	char path[80];
	int r;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fn_err_set(err, errno, "nat: address", "socket");
	snprintf(path, sizeof(path), "sys/net/ipv6/conf/%s/disable_ipv6", n->iface);
	r = fn_file_write(proc_fd, path, "1");
	if (r < 0 && r != -ENOENT) /* a kernel without IPv6 has nothing to turn off */
		return fn_err_set(err, r, "nat: address", "/proc/%s", path);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", n->iface);
	r = set_address(fd, n->iface, n->addr);
	if (r < 0)
		return fn_err_set(err, r, "nat: address", "%s", n->iface);
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return fn_err_set(err, errno, "nat: address", "%s: up", n->iface);
	r = add_route(fd, &ifr, n->gateway, ~0u, 0);
	if (r == 0)
		r = add_route(fd, &ifr, 0, 0, n->gateway);
	return r < 0 ? fn_err_set(err, r, "nat: route", "%s", n->iface) : 0;
}
