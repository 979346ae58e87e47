/* host.c - fnd's own resources about the machine it runs on: /_fnd/doctor, /_fnd/images. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include "api/internal.h"
#include "api/urls.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "env/env.h"
#include "model/inner.h"
#include "os/cgroup.h"
#include "web/address.h"

/* --- doctor --- */
static void check(json_t *list, const char *name, bool ok, const char *remedy, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static void check(json_t *list, const char *name, bool ok, const char *remedy, const char *fmt, ...)
{
	char detail[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	json_array_append_new(list, json_pack("{ss,sb,ss,ss}", "Name", name, "Ok", (int)ok, "Detail", detail, "Remedy", ok ? "" : remedy));
}

static json_t *controllers(const struct fn_cg_probe *p, json_t *checks)
{
	static const char *const drivers[] = {[FN_CG_ABSENT] = "absent", [FN_CG_V1] = "v1", [FN_CG_V2] = "v2"};
	json_t *list = json_array();

	for (int c = 0; c < FN_CG_N; c++) {
		const char *name = fn_cg_controller_name(c);
		char check_name[64];

		json_array_append_new(list, json_pack("{ss,ss,ss,ss}", "Name", name, "Driver", drivers[p->driver[c]], "Mount", p->mount[c], "Group",
						      p->own_path[c]));
		snprintf(check_name, sizeof(check_name), "cgroup %s", name);
		check(checks, check_name, p->driver[c] != FN_CG_ABSENT,
		      "boot with systemd.unified_cgroup_hierarchy=1, or mount the controller; in a container, delegate it",
		      p->driver[c] == FN_CG_ABSENT ? "no hierarchy has this controller" : "%s at %s%s", drivers[p->driver[c]], p->mount[c],
		      p->driver[c] == FN_CG_V1 ? " (hybrid host)" : "");
	}
	check(checks, "cgroup freeze and kill", p->has_freeze && p->has_kill, "needs a cgroup2 mount and Linux 5.14 or newer", "cgroup2 at %s",
	      p->unified_mount[0] ? p->unified_mount : "(not mounted)");
	check(checks, "memory peak", p->has_memory_peak, "Linux 5.19 or newer tells memory.peak; without it Max Memory Used is unknown", "%s",
	      p->has_memory_peak ? "the kernel tells it" : "the kernel does not tell it");
	check(checks, "swap limit", p->swap_limit, "boot with swapaccount=1, or turn swap off: functions may swap past their memory size", "%s",
	      p->swap_limit ? "swap counts as memory, or is 0" : "swap is not limited");
	return list;
}

static long long read_number(const char *path)
{
	char text[64];

	return fn_file_read(-1, path, text, sizeof(text)) > 0 ? atoll(text) : -1;
}

static void check_platform(json_t *list, const struct fn_platform_host *p)
{
	fn_auto_buf struct fn_buf names = {0};

	for (const char *const *s = p ? p->services : NULL; s && *s; s++)
		(void)fn_buf_addf(&names, "%s%s", s == p->services ? "" : ", ", *s);
	check(list, "platform endpoint", true, "", p ? "%s in each sandbox: %s" : "none: functions do not reach this API (platform_endpoint)", p ? p->address : "", names.data ? names.data : "");
}

static void check_host(const struct fn_api *api, json_t *list, const struct utsname *u)
{
	fn_auto_free char *installed = fn_runtimes_installed(api->cfg.runtimes);
	unsigned coming = 0;
	long long userns = read_number("/proc/sys/user/max_user_namespaces"), netns = read_number("/proc/sys/user/max_net_namespaces");
	int major = 0, minor = 0;
	struct statvfs vfs;
	struct rlimit nofile;
	char url[512];

	(void)sscanf(u->release, "%d.%d", &major, &minor);
	check(list, "kernel", major > 6 || (major == 6 && minor >= 1), "fnd is made for Linux 6.1 and newer", "%s %s", u->sysname, u->release);
	check(list, "user namespaces", userns >= 2000, "sysctl user.max_user_namespaces=20000", "%lld allowed", userns);
	check(list, "network namespaces", netns >= 2000, "sysctl user.max_net_namespaces=20000", "%lld allowed", netns);
	if (getrlimit(RLIMIT_NOFILE, &nofile) == 0)
		check(list, "open files", nofile.rlim_cur >= 8192, "LimitNOFILE=1048576 in the unit, or ulimit -n", "%llu: enough for about %llu environments",
		      (unsigned long long)nofile.rlim_cur, (unsigned long long)nofile.rlim_cur / FN_ENV_DESCRIPTORS_EACH);
	if (statvfs(api->cfg.state_dir, &vfs) == 0) {
		unsigned long long mb = (unsigned long long)vfs.f_bavail * vfs.f_frsize >> 20;

		check(list, "disk space", mb >= 1024, "free some, or move the state directory (--state)", "%llu MB free at %s", mb, api->cfg.state_dir);
	}
	if (api->cfg.url_domain)
		fn_url_address(&api->cfg, "ID", url, sizeof(url));
	check(list, "function URLs", true, "", "%s", api->cfg.url_domain ? url : "none: gateway.listen is empty, or another program had its default address");
	check_platform(list, api->cfg.platform);
	for (size_t i = 0; i < fn_runtimes_count(api->cfg.runtimes); i++)
		coming += fn_images_coming(api->cfg.images, fn_runtimes_at(api->cfg.runtimes, i)->image);
	check(list, "base images", coming > 0 || !fn_streq(installed, "none"), "make images, then: fnctl images rescan", coming ? "%s; %u runtimes are being installed" : "%s",
	      installed ? installed : "?", coming);
}

/* Does it listen? Where it cannot start, as with a database that is damaged, all that it serves is a 503. */
static void check_events(const struct fn_api *api, json_t *list)
{
	fn_auto_fd int state = open(api->cfg.state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;
	int r = state < 0 || fd < 0 ? -errno : fn_address_at(state, FN_EVENTS_SOCKET, &a);

	if (r == 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno != EAGAIN)
		r = -errno;
	check(list, "fn-events", r == 0, "see fnd's log: it restarts fn-events by itself", "%s",
	      r == 0 ? "asynchronous invocation, event source mappings, queues" : "it does not run: neither asynchronous invocation nor event source mappings nor queues");
}

static void check_network(json_t *list, json_t *net, const char *from)
{
	const char *uplinks = json_string_value(json_object_get(net, "uplinks"));
	json_t *most = json_object_get(net, "connections");
	long long used = json_integer_value(json_object_get(net, "used")), capacity = json_integer_value(json_object_get(net, "capacity"));

	if (!uplinks) {
		check(list, "network", true, "", "loopback: functions reach nothing outside their sandbox (%s)", from);
		return;
	}
	check(list, "network", json_is_true(json_object_get(net, "connected")) && used < capacity,
	      used < capacity ? "give this host a default route or name network.uplink, and start fnd again" : "configure a larger network.subnet",
	      "nat: bridge %s with %s, subnet %s, %lld of %lld addresses in use, %s, %zu name servers, %lld services of this host; at most %lld connections "
	      "of an environment, %lld of a function, %lld in all (%s)",
	      json_string_value(json_object_get(net, "bridge")),
	      json_string_value(json_object_get(net, "address")), json_string_value(json_object_get(net, "subnet")), used, capacity, uplinks,
	      json_array_size(json_object_get(net, "dns")), (long long)json_integer_value(json_object_get(net, "services")),
	      (long long)json_integer_value(json_object_get(most, "environment")), (long long)json_integer_value(json_object_get(most, "function")),
	      (long long)json_integer_value(json_object_get(most, "total")), from);
	check(list, "name servers", json_array_size(json_object_get(net, "dns")) > 0, "name a file with a reachable IPv4 server in network.resolv_conf",
	      "%zu", json_array_size(json_object_get(net, "dns")));
}

/* What sandboxes have at /tmp. Memory is no fault of the host's if it is asked for. */
static void check_tmp(json_t *list, json_t *tmp)
{
	bool on_disk = fn_streq(json_string_value(json_object_get(tmp, "way")), "loop");
	const char *why = json_string_value(json_object_get(tmp, "why"));

	if (on_disk)
		check(list, "/tmp", true, "", "on the disk, ext4 on loop devices, files in %s; %lld in use, %lld ready", json_string_value(json_object_get(tmp, "dir")),
		      (long long)json_integer_value(json_object_get(tmp, "used")), (long long)json_integer_value(json_object_get(tmp, "ready")));
	else
		check(list, "/tmp", fn_streq(json_string_value(json_object_get(tmp, "mode")), "tmpfs"),
		      "load the modules loop and ext4, install e2fsprogs; in a container, allow /dev/loop-control and loop devices. Or configure tmp.mode tmpfs",
		      "memory (tmpfs), which counts as the function's: %s", why ? why : "?");
}

static void on_described(void *arg, const struct fn_err *err, const char *json)
{
	struct fn_call *call = arg;
	struct fn_cg_probe probe;
	struct fn_err why;
	struct utsname u;
	json_t *o = json_object(), *checks = json_array(), *spawnd = json ? json_loads(json, 0, NULL) : NULL;
	char text[512];

	uname(&u);
	check_host(call->api, checks, &u);
	if (fn_cg_probe(&probe, &why) == 0)
		json_object_set_new(o, "Controllers", controllers(&probe, checks));
	else
		check(checks, "cgroups", false, "mount cgroup2 and the memory, cpu and pids controllers", "%s", fn_err_format(&why, text, sizeof(text)));
	check(checks, "fn-spawnd", spawnd != NULL, "see fnd's log: it restarts fn-spawnd by itself", "%s",
	      spawnd ? json_string_value(json_object_get(spawnd, "cgroups")) : fn_err_format(err, text, sizeof(text)));
	check_events(call->api, checks);
	if (spawnd) {
		check_tmp(checks, json_object_get(spawnd, "tmp"));
		check_network(checks, json_object_get(spawnd, "network"), call->api->cfg.network_from);
		json_object_set(o, "Network", json_object_get(spawnd, "network"));
	}
	json_object_set_new(o, "Version", json_string(FN_VERSION));
	json_object_set_new(o, "Kernel", json_string(u.release));
	json_object_set_new(o, "StateDir", json_string(call->api->cfg.state_dir));
	json_object_set_new(o, "Sandboxes", json_integer(json_integer_value(json_object_get(spawnd, "sandboxes"))));
	json_object_set(o, "Prepared", json_object_get(spawnd, "prepared"));
	json_object_set_new(o, "PreparedRoots", json_integer(json_integer_value(json_object_get(spawnd, "prepared_roots"))));
	json_object_set_new(o, "Checks", checks);
	json_decref(spawnd);
	fn_reply_json(call, 200, o);
	free(call);
}

void fn_h_doctor(struct fn_call *call)
{
	struct fn_call *copy = malloc(sizeof(*copy));
	struct fn_err err;
	int r;

	if (!copy) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	*copy = fn_call_keep(call, false);
	r = fn_spawn_describe(call->api->cfg.spawn, on_described, copy);
	if (r < 0) {
		fn_err_set(&err, r, "fn-spawnd", "it is restarting");
		on_described(copy, &err, NULL);
	}
}

/* --- images --- */
static json_t *image_of(json_t *list, const char *name)
{
	json_t *e;
	size_t i;

	json_array_foreach(list, i, e)
		if (fn_streq(json_string_value(json_object_get(e, "Name")), name))
			return e;
	e = json_pack("{ss,sb,s[],s[],si}", "Name", name, "Installed", 0, "Runtimes", "Layers", "Size", 0);
	json_array_append_new(list, e);
	return e;
}

static unsigned users_of(json_t *images, json_t *layer)
{
	unsigned n = 0;
	json_t *e, *l;
	size_t i, k;

	json_array_foreach(images, i, e)
		json_array_foreach(json_object_get(e, "Layers"), k, l)
			n += json_equal(l, layer) != 0;
	return n;
}

/* What each has on the disk that it alone has, and what others have too: a layer is there once. */
static void measure_images(const struct fn_store *store, json_t *images)
{
	json_t *e, *l;
	size_t i, k;

	json_array_foreach(images, i, e) {
		json_int_t own = 0, shared = 0;

		json_array_foreach(json_object_get(e, "Layers"), k, l) {
			const struct fn_tree *t = fn_store_tree(store, json_string_value(l));

			*(users_of(images, l) > 1 ? &shared : &own) += t ? t->bytes : 0;
		}
		json_object_set_new(e, "OwnBytes", json_integer(own));
		json_object_set_new(e, "SharedBytes", json_integer(shared));
	}
}

static void reply_images(struct fn_call *call, unsigned installed)
{
	struct fn_runtimes *rs = call->api->cfg.runtimes;
	json_t *list = json_array();

	for (size_t i = 0; i < fn_runtimes_count(rs); i++) {
		const struct fn_runtime *rt = fn_runtimes_at(rs, i);
		json_t *e = image_of(list, rt->image);

		json_array_append_new(json_object_get(e, "Runtimes"), json_string(rt->name));
		json_object_set_new(e, "Installed", json_boolean(rt->installed));
		json_object_set_new(e, "Installing", json_boolean(fn_images_coming(call->api->cfg.images, rt->image)));
		json_object_set_new(e, "Size", json_integer(rt->size));
		if (json_array_size(json_object_get(e, "Layers")) == 0)
			for (unsigned k = 0; k < rt->n_layers; k++)
				json_array_append_new(json_object_get(e, "Layers"), json_string(rt->layers[k]));
	}
	measure_images(call->api->cfg.store, list);
	fn_reply_json(call, 200, json_pack("{so,si}", "Images", list, "Changed", (int)installed));
}

void fn_h_images(struct fn_call *call) { reply_images(call, 0); }

static void on_installed(void *arg, const struct fn_err *err, unsigned installed)
{
	struct fn_call *call = arg;
	char text[512];

	if (err)
		fn_reply_error(call, &FN_E_SERVICE, "%s", fn_err_format(err, text, sizeof(text)));
	else
		reply_images(call, installed);
	fn_snapshots_look(call->api->cfg.snapshots); /* those of another base image are made anew */
	free(call);
}

void fn_h_images_rescan(struct fn_call *call)
{
	struct fn_call *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = fn_call_keep(call, false);
	if (!copy || fn_images_install(call->api->cfg.images, on_installed, copy) < 0) {
		free(copy);
		fn_reply_error(call, &FN_E_CONFLICT, "Too many ask for base images; try again in a moment.");
	}
}
