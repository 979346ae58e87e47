/*
 * fn-fetch - downloads one object and exits. Started by fn-spawnd as root, with the file or pipe to write, the settings, its order and a pipe for the result
 * (image/fetch.h); locks itself in (a user of its own, an empty root but for the resolver's files and the certificates, no capabilities, seccomp, rlimits)
 * before it opens a connection. It is in the host's network: that is what it is for.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "image/fetch.h"
#include "image/transfer.h"
#include "os/sec.h"

#define FILE_MAX (1u << 20)     /* one of the resolver's */

struct settings {
	struct fn_s3_settings s3;
	struct fn_registry_settings registry;
};

static int load_settings(json_t *o, const struct fn_fetch_order *order, struct settings *ret)
{
	if (order->kind == FN_FETCH_OBJECT)
		return fn_s3_settings_load(json_object_get(o, "s3"), &ret->s3);
	return fn_registry_settings_load(json_object_get(o, "registries"), order->item.registry, &ret->registry);
}

static int read_settings(const struct fn_fetch_order *order, struct settings *ret, struct fn_err *err)
{
	struct stat st;
	char *text;
	json_t *o;
	int r;

	/* mapped: those who run at the same time have the same descriptor, and one place in the file */
	if (fstat(FN_FETCH_SETTINGS_FD, &st) < 0 || st.st_size <= 0)
		return fn_err_set(err, errno, "fetch", "read the settings");
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, FN_FETCH_SETTINGS_FD, 0);
	if (text == MAP_FAILED)
		return fn_err_set(err, errno, "fetch", "read the settings");
	o = json_loadb(text, (size_t)st.st_size, 0, NULL);
	r = load_settings(o, order, ret);
	json_decref(o);
	(void)munmap(text, (size_t)st.st_size);
	fn_close(FN_FETCH_SETTINGS_FD);
	return r < 0 ? fn_err_set(err, r, "fetch", "the settings are damaged") : 0;
}

static int put(const char *path, const void *data, size_t len, struct fn_err *err)
{
	fn_auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	int r = fd < 0 ? -errno : fn_fd_write_all(fd, data, len);

	return r < 0 ? fn_err_set(err, r, "confine", "%s", path) : 0;
}

/* The resolver's files, as far as the host has them. */
static const char *const resolver[] = {"etc/resolv.conf", "etc/hosts", "etc/nsswitch.conf", "etc/host.conf", "etc/gai.conf"};
#define N_RESOLVER (sizeof(resolver) / sizeof(resolver[0]))

static int read_resolver(struct fn_buf files[N_RESOLVER], struct fn_err *err)
{
	for (size_t i = 0; i < N_RESOLVER; i++) {
		char path[64];
		fn_auto_fd int fd = -EBADF;

		snprintf(path, sizeof(path), "/%s", resolver[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && fn_buf_read_fd(&files[i], fd, FILE_MAX) < 0)
			return fn_err_set(err, EIO, "confine", "read %s", path);
	}
	return 0;
}

/* A root with these and nothing else, that nothing can be written to. */
static int make_root(const struct fn_buf files[N_RESOLVER], const char *ca, struct fn_err *err)
{
	int r = 0;

	if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fn_err_set(err, errno, "confine", "namespaces");
	if (mount("fn-fetch", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=16m,nr_inodes=32") < 0 || chdir("/tmp") < 0 || mkdir("etc", 0755) < 0)
		return fn_err_set(err, errno, "confine", "a root");
	for (size_t i = 0; r == 0 && i < N_RESOLVER; i++)
		if (files[i].data)
			r = put(resolver[i], files[i].data, files[i].len, err);
	if (r == 0 && ca)
		r = put(&FN_FETCH_CA_FILE[1], ca, strlen(ca), err);
	if (r < 0)
		return r;
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return fn_err_set(err, errno, "confine", "pivot_root");
	return 0;
}

static int confine(uint32_t uid, const struct fn_fetch_order *order, const char *ca, struct fn_err *err)
{
	struct fn_buf files[N_RESOLVER] = {{0}};
	struct fn_seccomp *filter = NULL;
	int r = read_resolver(files, err);

	if (r == 0)
		r = fn_seccomp_for_fetch(&filter, err); /* while malloc and the loader may still do what they like */
	if (r == 0)
		r = make_root(files, ca, err);
	for (size_t i = 0; i < N_RESOLVER; i++)
		fn_buf_free(&files[i]);
	if (r == 0)
		r = fn_sec_limit(512u << 20, order->max_bytes, 64, order->kind == FN_FETCH_LAYER ? 900 : 60, err); /* a thread that resolves names, of each that runs */
	if (r == 0)
		r = fn_sec_drop(uid, uid, err);
	/* the change of ids has cleared it: without fn-spawnd nobody waits for the object */
	if (r == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0))
		r = fn_err_set(err, errno, "confine", "prctl");
#ifndef FN_ASAN /* the sanitizer's own calls are not on the list */
	if (r == 0 && (r = fn_seccomp_install(filter)) < 0)
		fn_err_set(err, r, "confine", "seccomp");
#endif
	fn_seccomp_free(filter);
	return r;
}

#ifdef FN_ASAN
/* The leak checker wants /proc, which is out of sight at the end, and would end it with a failure. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }
#endif

int main(int argc, char **argv)
{
	static const struct option options[] = {{"uid", required_argument, NULL, 'u'}, {NULL, 0, NULL, 0}};
	struct settings settings = {0};
	struct fn_fetch_result res = {0};
	struct fn_fetch_order order;
	int64_t v, uid = 0;
	int c, r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (c == 'u' && fn_str_to_i64(optarg, 65536, UINT32_MAX - 1, &v) == 0)
			uid = v;
		else
			return 2;
	if (uid == 0 || fn_fd_read_all(FN_FETCH_ORDER_FD, &order, sizeof(order)) != (ssize_t)sizeof(order)) {
		fprintf(stderr, "fn-fetch is started by fn-spawnd, not by hand.\n");
		return 2;
	}
	order.object.bucket[sizeof(order.object.bucket) - 1] = order.object.key[sizeof(order.object.key) - 1] = '\0';
	order.object.version[sizeof(order.object.version) - 1] = '\0';
	order.item.registry[sizeof(order.item.registry) - 1] = order.item.repository[sizeof(order.item.repository) - 1] = '\0';
	order.item.reference[sizeof(order.item.reference) - 1] = order.item.sha256[sizeof(order.item.sha256) - 1] = '\0';
	(void)syscall(SYS_close_range, FN_FETCH_RESULT_FD + 1, ~0u, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	r = read_settings(&order, &settings, &res.err);
	if (r == 0)
		r = fn_fetch_prepare(&res.err);
	if (r == 0)
		r = confine((uint32_t)uid, &order, order.kind == FN_FETCH_OBJECT ? settings.s3.ca : settings.registry.ca, &res.err);
	if (r == 0 && order.kind == FN_FETCH_OBJECT)
		r = fn_fetch_object(&settings.s3, &order, FN_FETCH_FILE_FD, &res);
	else if (r == 0)
		r = fn_registry_fetch(&settings.registry, &order, FN_FETCH_FILE_FD, &res);
	fn_s3_settings_clear(&settings.s3);
	fn_registry_settings_clear(&settings.registry);
	return fn_fd_write_all(FN_FETCH_RESULT_FD, &res, sizeof(res)) < 0 ? 1 : 0;
}
