#include "os/subnet.h"

#include <errno.h>
#include <string.h>

#include "unit/main.h"

START_TEST(subnets)
{
	struct fn_subnet s;
	struct fn_err err;
	char text[FN_IP4_TEXT];

	ck_assert_int_eq(fn_subnet_parse("10.201.0.0/16", &s, &err), 0);
	ck_assert_uint_eq(s.base, 0x0ac90000);
	ck_assert_uint_eq(s.mask, 0xffff0000);
	ck_assert_uint_eq(fn_subnet_capacity(&s), 65533);
	ck_assert_str_eq(fn_ip4_format(s.base + 2, text), "10.201.0.2");
	ck_assert_int_eq(fn_subnet_parse("192.168.7.248/29", &s, &err), 0);
	ck_assert_uint_eq(fn_subnet_capacity(&s), 5);
	ck_assert_str_eq(fn_ip4_format(s.base + 1 + fn_subnet_capacity(&s), text), "192.168.7.254");
}
END_TEST

START_TEST(subnets_that_are_none)
{
	static const char *const bad[] = {"",           "10.0.0.0",      "10.0.0.0/",    "/16",          "10.0.0.0/15",     "10.0.0.0/30",  "10.0.0.0/33",   "10.0.0.0/-16",
					  "10.0.0.0/16x", "10.0.0.0/ 16",  "10.0.0/16",    "a.b.c.d/16",   "10.201.0.1/16",   "fd00::/16",    "127.0.0.0/16",  "0.1.0.0/16",
					  "169.254.0.0/16", "169.254.8.0/24", "224.1.0.0/16", "255.255.0.0/16", "10.201.0.0/16/16", "10.201.000000000.0/16"};
	struct fn_subnet s = {.bits = 99};
	struct fn_err err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(fn_subnet_parse(bad[i], &s, &err) < 0, "%s", bad[i]);
	ck_assert_uint_eq(s.bits, 99);
	(void)fn_subnet_parse("10.201.77.1/16", &s, &err);
	ck_assert_ptr_nonnull(strstr(err.msg, "10.201.0.0/16"));
}
END_TEST

START_TEST(overlaps)
{
	struct fn_subnet s;

	ck_assert_int_eq(fn_subnet_parse("10.201.0.0/16", &s, NULL), 0);
	ck_assert(fn_subnet_overlaps(&s, 0x0a000000, 8));
	ck_assert(fn_subnet_overlaps(&s, 0x0ac90505, 32));
	ck_assert(fn_subnet_overlaps(&s, 0x0ac90000, 16));
	ck_assert(fn_subnet_overlaps(&s, 0, 0));
	ck_assert(!fn_subnet_overlaps(&s, 0x0aca0000, 16));
	ck_assert(!fn_subnet_overlaps(&s, 0x0ac8ffff, 32));
	ck_assert(!fn_subnet_overlaps(&s, 0x0b000000, 8));
}
END_TEST

START_TEST(interface_names)
{
	static const char *const bad[] = {"", "sixteen-letters-", "a/b", "a b", ".", "..", "a\"b", "-x", "a\nb", "a:b", "\303\244"};

	ck_assert_int_eq(fn_ifname_check("fnd0", NULL), 0);
	ck_assert_int_eq(fn_ifname_check("fifteen-letters", NULL), 0);
	ck_assert_int_eq(fn_ifname_check("eth0.12_x", NULL), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(fn_ifname_check(bad[i], NULL) < 0, "%s", bad[i]);
}
END_TEST

START_TEST(resolv_conf)
{
	struct fn_resolv r;

	fn_resolv_parse("# made by hand\n; so\nnameserver 10.0.0.2\nsearch a.example b.example\nnameserver 127.0.0.53\nnameserver\t10.0.0.3  # second\n"
			"nameserver ::1\noptions edns0 trust-ad\nnameserver fe80::1%eth0\nnameserver 0.0.0.0\nnameserver\nnameservers 9.9.9.9\nbogus\ndomain x",
			&r);
	ck_assert_str_eq(r.text, "nameserver 10.0.0.2\nsearch a.example b.example\nnameserver\t10.0.0.3  # second\noptions edns0 trust-ad\ndomain x\n");
	ck_assert_uint_eq(r.n_servers, 2);
	ck_assert_uint_eq(r.servers[0], 0x0a000002);
	ck_assert_uint_eq(r.servers[1], 0x0a000003);
	ck_assert_uint_eq(r.n_loopback, 2);
	ck_assert_uint_eq(r.n_ipv6, 2);
	fn_resolv_parse("nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4\n", &r);
	ck_assert_uint_eq(r.n_servers, 3);
	ck_assert_ptr_null(strstr(r.text, "1.0.0.4")); /* the rules know three */
	fn_resolv_parse("", &r);
	ck_assert_str_eq(r.text, "");
}
END_TEST

START_TEST(resolv_conf_of_any_size)
{
	char text[20000];
	struct fn_resolv r;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "search ", 7);
	fn_resolv_parse(text, &r);
	ck_assert_str_eq(r.text, "");
	for (size_t i = 0; i + 100 < sizeof(text); i += 100)
		memcpy(text + i, "\nsearch ", 8);
	fn_resolv_parse(text, &r);
	ck_assert_uint_lt(strlen(r.text), sizeof(r.text));
	ck_assert_uint_gt(strlen(r.text), 3900);
	ck_assert_int_eq(r.text[strlen(r.text) - 1], '\n'); /* whole lines alone */
}
END_TEST

START_TEST(host_services)
{
	struct fn_host_services s;
	struct fn_subnet net;

	ck_assert_int_eq(fn_subnet_parse("10.201.0.0/16", &net, NULL), 0);
	ck_assert_int_eq(fn_host_services_parse("", &net, &s, NULL), 0);
	ck_assert_uint_eq(s.n, 0);
	ck_assert_int_eq(fn_host_services_parse("tcp:5432,udp:8125,tcp:127.0.0.1:3001,udp:5432", &net, &s, NULL), 0);
	ck_assert_uint_eq(s.n, 4);
	ck_assert(!s.list[0].udp && s.list[0].port == 5432 && s.list[0].addr == 0);
	ck_assert(s.list[1].udp && s.list[1].port == 8125);
	ck_assert(!s.list[2].udp && s.list[2].port == 3001 && s.list[2].addr == 0x7f000001);
}
END_TEST

START_TEST(host_services_that_are_none)
{
	static const char *const bad[] = {"5432",      "tcp",          "tcp:",         "tcp:0",          "tcp:65536",       "tcp:-1",          "tcp: 5432",       "TCP:5432",
					  "icmp:1",    "tcp:5432 ",    "tcp:5432,",    ",tcp:5432",      "tcp:5432,,udp:1", "tcp::5432",       "tcp:127.1:5432",  "tcp:localhost:5432",
					  "tcp:[::1]:5432", "tcp:::1:5432", "tcp:0.0.0.0:5432", "tcp:224.0.0.1:53", "tcp:255.255.255.255:1", "tcp:169.254.169.254:80", "tcp:10.201.0.1:53",
					  "tcp:5432,tcp:127.0.0.1:5432", "udp:53,udp:53", "tcp:127.0.0.1:5432:1", "tcp:1\n", "tcp:127.0.0.1:5432 accept",
					  "tcp:00000000000000000000000000000000000000000000000000000000000005432"};
	struct fn_host_services s = {.n = 99};
	struct fn_subnet net;
	struct fn_err err;
	char many[1024] = "";

	ck_assert_int_eq(fn_subnet_parse("10.201.0.0/16", &net, NULL), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(fn_host_services_parse(bad[i], &net, &s, &err) < 0, "%s", bad[i]);
	for (int i = 1; i <= FN_HOST_SERVICES_MAX + 1; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), "%stcp:%d", i > 1 ? "," : "", i);
	ck_assert_int_eq(fn_host_services_parse(many, &net, &s, &err), -E2BIG);
	ck_assert_uint_eq(s.n, 99);
	*strrchr(many, ',') = '\0';
	ck_assert_int_eq(fn_host_services_parse(many, &net, &s, &err), 0);
	ck_assert_uint_eq(s.n, FN_HOST_SERVICES_MAX);
}
END_TEST

TEST_MAIN("os/subnet", host_services, host_services_that_are_none, subnets, subnets_that_are_none, overlaps, interface_names, resolv_conf, resolv_conf_of_any_size)
