/* address.c - see address.h. */
#include "web/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"

int fn_address_parse(const char *text, const char *key, struct sockaddr_storage *ret, socklen_t *ret_len, bool *ret_loopback, struct fn_err *err)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	char host[64] = "";
	const char *colon = strrchr(text, ':');
	int64_t port;

	*ret = (struct sockaddr_storage){0};
	if (!colon || fn_str_to_i64(colon + 1, 0, 65535, &port) < 0 || (size_t)(colon - text) >= sizeof(host))
		return fn_err_set(err, EINVAL, key, "\"%.100s\" is no ADDRESS:PORT", text);
	memcpy(host, text, (size_t)(colon - text));
	if (host[0] == '[' && fn_str_ends(host, "]")) {
		host[strlen(host) - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1)
			return fn_err_set(err, EINVAL, key, "\"%.100s\" is no IPv6 address", host + 1);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*ret_len = sizeof(*v6);
		*ret_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
		return 0;
	}
	if (fn_streq(host, "localhost"))
		strcpy(host, "127.0.0.1");
	if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
		return fn_err_set(err, EINVAL, key, "\"%.100s\" is no IPv4 address (IPv6: [::1]:3001)", host);
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	*ret_len = sizeof(*v4);
	*ret_loopback = (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
	return 0;
}

int fn_address_at(int dir_fd, const char *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	return fn_str_format(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
}
