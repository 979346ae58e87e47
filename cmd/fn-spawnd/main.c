/*
 * fn-spawnd - builds sandboxes for fnd. Root, single-threaded; speaks only the protocol of spawn/proto.h on one socket, which fnd's
 * supervisor hands it. Holds no function data, parses no archive, no HTTP. Ends when the socket closes.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/close_range.h>
#include <linux/limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "os/dontfork.h"
#include "os/sched.h"
#include "spawn/server.h"

static void on_term(void *arg, int signo, int sender)
{
	(void)signo;
	(void)sender;
	fn_spawn_server_shutdown(arg);
}

static int fail(const struct fn_err *err)
{
	char text[512];

	fn_log_error("%s", fn_err_format(err, text, sizeof(text)));
	return 1;
}

/* Without `nat`, only what a killed run with it may have left goes. Before the host's files are out of sight, and after its sandboxes. */
static int open_network(const struct fn_nat_config *nat, struct fn_nat **ret, struct fn_err *err)
{
	struct fn_err why;
	char text[512];

	if (nat->bridge)
		return fn_nat_open(nat, ret, err);
	if (fn_net_sweep(nat->instance, &why) < 0)
		fn_log_warn("%s", fn_err_format(&why, text, sizeof(text)));
	return 0;
}

#define TURN_NS 100000u /* the least: someone waits for a sandbox's start, and it is a matter of several short turns of four processes */

#define TMPS_LEAST 8u /* file systems for /tmp, ready; each is about 0.1 MB and a kernel thread, and takes 5 ms to make */
#define TMPS_IN_TIME 56u /* by and by: they cost least of what many starts at once are short of */
#define TMPS_MOST 128u

struct options {
	const char *state, *instance;
	struct fn_nat_config nat; /* a bridge is named: `nat` */
	struct fn_tmps_config tmp;
	bool version;
};

static int parse(int argc, char **argv, struct options *o, struct fn_spawn_server_config *cfg)
{
	static const struct option options[] = {
		{"state", required_argument, NULL, 's'},     {"instance", required_argument, NULL, 'i'},    {"uid-base", required_argument, NULL, 'u'},
		{"uid-count", required_argument, NULL, 'U'},
		{"socket-fd", required_argument, NULL, 'f'}, {"bridge", required_argument, NULL, 'b'},      {"subnet", required_argument, NULL, 'n'},
		{"uplink", required_argument, NULL, 'l'},    {"resolv-conf", required_argument, NULL, 'r'}, {"prepared-least", required_argument, NULL, 'p'},
		{"prepared-most", required_argument, NULL, 'm'},     {"prestarted-least", required_argument, NULL, 'L'},
		{"prestarted-most", required_argument, NULL, 'M'},   {"allow-host", required_argument, NULL, 'h'},
		{"connections", required_argument, NULL, 'c'},       {"tmp", required_argument, NULL, 't'},
		{"tmp-dir", required_argument, NULL, 'd'},           {"tmp-disk-mb", required_argument, NULL, 'D'},
		       {"fetch-fd", required_argument, NULL, 'F'},  {"platform", required_argument, NULL, 'P'},
		       {"version", no_argument, NULL, 'V'},      {NULL, 0, NULL, 0}};
	int64_t v;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		const char **text[] = {['s'] = &o->state,      ['i'] = &o->instance,   ['b'] = &o->nat.bridge,
				       ['n'] = &o->nat.subnet, ['l'] = &o->nat.uplink, ['r'] = &o->nat.resolv_conf,
				       ['h'] = &o->nat.allow_host, ['d'] = &o->tmp.dir};

		if (c == 'u' && fn_str_to_i64(optarg, 65536, 4000000000, &v) == 0)
			cfg->uid_base = (uint32_t)v;
		else if (c == 'U' && fn_str_to_i64(optarg, 0, UINT32_MAX, &v) == 0)
			cfg->uid_count = (uint32_t)v;
		else if (c == 'f' && fn_str_to_i64(optarg, 0, 65535, &v) == 0)
			cfg->sock = (int)v;
		else if (c == 'F' && fn_str_to_i64(optarg, 0, 65535, &v) == 0)
			cfg->fetch_fd = (int)v;
		else if (c == 'P' && fn_child_platform_parse(optarg, &cfg->platform) == 0)
			continue;
		else if (c == 'p' && fn_str_to_i64(optarg, 0, 1000, &v) == 0)
			cfg->stock_least = (unsigned)v;
		else if (c == 'm' && fn_str_to_i64(optarg, 0, 1000, &v) == 0)
			cfg->stock_most = (unsigned)v;
		else if (c == 'L' && fn_str_to_i64(optarg, 0, 1000, &v) == 0)
			cfg->prestart_least = (unsigned)v;
		else if (c == 'M' && fn_str_to_i64(optarg, 0, 1000, &v) == 0)
			cfg->prestart_most = (unsigned)v;
		else if (c == 'c' && sscanf(optarg, "%u,%u,%u", &o->nat.connections_environment, &o->nat.connections_function, &o->nat.connections_total) == 3)
			continue;
		else if (c == 'D' && fn_str_to_i64(optarg, 0, INT32_MAX, &v) == 0)
			o->tmp.disk_bytes = (uint64_t)v << 20;
		else if (c == 't' && fn_tmp_way_parse(optarg, &o->tmp.way) == 0)
			continue;
		else if (c == 'V')
			o->version = true;
		else if (c == 's' || c == 'i' || c == 'b' || c == 'n' || c == 'l' || c == 'r' || c == 'h' || c == 'd')
			*text[c] = optarg;
		else
			return -EINVAL;
	}
	if (o->version || (o->state && o->instance && cfg->uid_base && cfg->sock >= 0 && (!o->nat.bridge || (o->nat.subnet && o->nat.resolv_conf))))
		return 0;
	fprintf(stderr, "fn-spawnd is started by fnd, not by hand.\n");
	return -EINVAL;
}

static unsigned lesser(unsigned a, unsigned b) { return a < b ? a : b; }

/* One for each sandbox that is made ahead: when those are all taken at once, nobody waits for a disk. */
static unsigned tmps_least(const struct fn_spawn_server_config *cfg)
{
	unsigned ahead = lesser(cfg->stock_least, cfg->stock_most) + lesser(cfg->prestart_least, cfg->prestart_most);

	return ahead > TMPS_LEAST ? ahead : TMPS_LEAST;
}

/* Before anything is started: what sandboxes have at /tmp. */
static int open_tmps(struct fn_spawn_server_config *cfg, struct options *o, bool *ret_unfit, struct fn_err *err)
{
	struct fn_tmps_config *c = &o->tmp;
	int r;

	c->loop = cfg->loop;
	c->host_ns_fd = cfg->host_ns_fd;
	c->owner = cfg->uid_base;
	c->dir = c->dir ? c->dir : o->state;
	c->least = tmps_least(cfg);
	c->in_time = TMPS_IN_TIME;
	c->most = c->least > TMPS_MOST ? c->least : TMPS_MOST;
	r = fn_tmps_open(c, &cfg->tmps, err);
	*ret_unfit = r < 0;
	return r;
}

/* A sandbox's first two processes are forks of this one, and call none of these: they have their filters as programs, their groups by descriptors. What
 * empties a `nat` network is forked, too, and speaks netlink. */
static void lighten_forks(bool nat)
{
	static const char *const loopback[] = {"libseccomp.so", "libcgroup.so", "libnl-3.so", "libnl-route-3.so", "libpthread.so", NULL};
	static const char *const with_nat[] = {"libseccomp.so", "libcgroup.so", "libpthread.so", NULL};

	(void)fn_dontfork(nat ? with_nat : loopback);
}

/* Set-up, the loop, and down again; on failure err says why. */
static int serve(struct fn_spawn_server_config *cfg, struct options *o, bool *ret_unfit, struct fn_err *err)
{
	struct fn_seccomp *seccomp = NULL, *init_seccomp = NULL;
	struct fn_spawn_server *server = NULL;
	char text[512];
	uint64_t id;
	int r = fn_loop_new(&cfg->loop);

	if (r == 0)
		r = fn_seccomp_for_functions(&seccomp, err);
	if (r == 0)
		r = fn_seccomp_for_init(&init_seccomp, err);
	cfg->seccomp = seccomp;
	cfg->init_seccomp = init_seccomp;
	if (r == 0)
		r = fn_cgroups_open(o->instance, &cfg->cgroups, err);
	if (r == 0) {
		r = fn_cgroups_sweep(cfg->cgroups, err);
		if (r > 0)
			fn_log_warn("removed %d sandbox groups that an earlier run left", r);
		if (fn_cgroups_sweep_others(cfg->cgroups) > 0)
			fn_log_info("removed groups that an fnd of another state directory left, which was killed");
		o->nat.loop = cfg->loop;
		o->nat.instance = o->instance;
		r = open_network(&o->nat, &cfg->nat, err);
		*ret_unfit = r < 0;
	}
	if (r == 0) {
		r = fn_rootfs_enter(o->state, cfg->uid_base, cfg->nat ? fn_nat_resolv_conf(cfg->nat) : NULL, &cfg->host_ns_fd, &cfg->rootfs, err);
	}
	if (r == 0)
		lighten_forks(cfg->nat != NULL);
	if (r == 0)
		r = open_tmps(cfg, o, ret_unfit, err);
	if (r == 0)
		r = fn_spawn_server_new(cfg, &server, err);
	if (r == 0)
		r = fn_loop_add_signal(cfg->loop, SIGTERM, on_term, server, &id);
	if (r == 0) {
		fn_log_info("ready: %s", fn_cgroups_describe(cfg->cgroups, text, sizeof(text)));
		r = fn_loop_run(cfg->loop);
	}
	if (r < 0 && err->code == 0)
		fn_err_set(err, r, "fn-spawnd", "event loop");
	fn_spawn_server_free(server);
	fn_tmps_close(cfg->tmps);
	fn_rootfs_free(cfg->rootfs);
	fn_nat_close(cfg->nat);
	fn_cgroups_close(cfg->cgroups);
	fn_seccomp_free(seccomp);
	fn_seccomp_free(init_seccomp);
	fn_loop_free(cfg->loop);
	return r;
}

static bool find_helper(const char *name, char path[PATH_MAX])
{
	const char *const places[] = {name, NULL};

	if (fn_path_beside(places, X_OK, path, PATH_MAX) == 0)
		return true;
	fn_log_error("%s is not beside fn-spawnd: %s", name, path);
	return false;
}

int main(int argc, char **argv)
{
	struct fn_spawn_server_config cfg = {.sock = -EBADF, .fetch_fd = -EBADF};
	struct options o = {0};
	bool unfit = false;
	sigset_t ends;
	char unpack[PATH_MAX], fetch[PATH_MAX];
	struct fn_err err = {0};
	struct rlimit nofile;

	cfg.title = fn_ns_title_of(argc, argv, environ); /* before getopt_long() puts them in another order */
	fn_log_init("fn-spawnd", FN_LOG_INFO);
	if (parse(argc, argv, &o, &cfg) < 0)
		return 2;
	if (o.version)
		return puts("fn-spawnd " FN_VERSION) < 0;
	/* from here to the loop they wait: an end in the middle of the set-up would leave half a network behind */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	/* the supervisor's lock comes along too, on purpose: it is free again only once we have cleaned up */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0 || syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return 1;
	if (!find_helper("fn-unpack", unpack) || !find_helper("fn-fetch", fetch))
		return 1;
	cfg.unpack_path = unpack;
	cfg.fetch_path = fetch;
	cfg.trees_dir = FN_ROOTFS_TREES;
	if (getrlimit(RLIMIT_NOFILE, &nofile) == 0) {
		nofile.rlim_cur = nofile.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &nofile);
	}
	fn_sched_slice(TURN_NS);
	if (serve(&cfg, &o, &unfit, &err) == 0)
		return 0;
	(void)fail(&err);
	return unfit ? FN_SPAWND_UNFIT : 1;
}
