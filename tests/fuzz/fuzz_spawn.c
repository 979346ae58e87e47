/*
 * fuzz_spawn.c - the spawn protocol, both halves. Byte 0: 0 = fnd's half (lib/spawn/client) hears the input; else fn-spawnd's
 * (server, unpacker), which is root and must take anything from an fnd that a function has broken out into.
 *
 * Messages: type byte, request byte, id byte, descriptors byte, then the payload up to 0xff 0xfe. In fn-spawnd the kernel's part is played here:
 * every group, root and process is "made" or fails as the id byte says; none is left in the end, and no name leads out of a directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "os/mount.h"
#include "os/ns.h"
#include "os/sock.h"
#include "sandbox/child.h"
#include "spawn/client.h"
#include "spawn/keeper.h"
#include "spawn/proto.h"
#include "spawn/server.h"

#define TREE "code-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define REQUESTS 7

/* --- what stands for the kernel: defined here, so that the archives' own are not linked --- */
struct fn_cgroup {
	int unused;
};
struct fn_rootfs {
	int unused;
};
static int groups, spawned;
static uint8_t fate;
static char last_tree[FN_TREE_NAME_SIZE];

static void check_name(const char *name) { fuzz_check(*name && !strchr(name, '/') && strcmp(name, "..") != 0 && strcmp(name, ".") != 0); }

static void check_limits(const struct fn_cg_limits *l)
{
	fuzz_check((!l->memory_bytes || l->memory_bytes >= 1u << 20) && l->pids_max >= 4 && (!l->cpu_quota_us || l->cpu_quota_us >= 1000) && l->cpu_period_us >= 1000);
}

int fn_cgroup_create(struct fn_cgroups *cgs, const char *name, const struct fn_cg_limits *l, struct fn_cgroup **ret, struct fn_err *err)
{
	(void)cgs;
	check_name(name);
	if (l)
		check_limits(l);
	if (fate & 1)
		return fn_err_set(err, ENOSPC, "cgroup mkdir", "played");
	*ret = calloc(1, sizeof(**ret));
	groups++;
	return 0;
}

int fn_cgroup_complete(struct fn_cgroup *cg, const struct fn_cg_limits *l, struct fn_err *err)
{
	(void)cg;
	if (l)
		check_limits(l);
	return fate & 64 ? fn_err_set(err, ENOSPC, "cgroup mkdir", "played") : 0;
}

int fn_cgroup_remove(struct fn_cgroup *cg)
{
	groups -= cg != NULL;
	free(cg);
	return 0;
}

int fn_cgroup_open(const struct fn_cgroup *cg) { return cg ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -EBADF; }
int fn_cgroup_kill(struct fn_cgroup *cg) { return cg ? 0 : -EINVAL; }
int fn_cgroup_open_v1(const struct fn_cgroup *cg, int *ret_fds, unsigned *ret_n, struct fn_err *err)
{
	(void)cg, (void)ret_fds, (void)err;
	*ret_n = 0;
	return fate & 2 ? fn_err_set(err, ESRCH, "cgroup attach", "played") : 0;
}
int fn_cgroup_set_limits(struct fn_cgroup *cg, const struct fn_cg_limits *l, struct fn_err *err)
{
	(void)cg, (void)err;
	check_limits(l);
	return 0;
}
int fn_cgroup_set_cpu(struct fn_cgroup *cg, const struct fn_cg_limits *l, struct fn_err *err) { return fn_cgroup_set_limits(cg, l, err); }
int fn_cgroup_stats(struct fn_cgroup *cg, struct fn_cg_stats *ret)
{
	(void)cg;
	*ret = (struct fn_cg_stats){.oom_kills = fate & 4};
	return 0;
}
int fn_cgroup_reclaim(struct fn_cgroup *cg, uint64_t bytes)
{
	(void)cg;
	(void)bytes;
	return (int)(fate & 1); /* 1: all of it */
}
int fn_cgroup_open_freeze(const struct fn_cgroup *cg) { return cg ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -EBADF; }
int fn_cgroup_open_peak(const struct fn_cgroup *cg) { return cg ? -ENOENT : -EBADF; }
int fn_cgroup_open_stat(const struct fn_cgroup *cg) { return cg ? -ENOENT : -EBADF; }
uint64_t fn_cgroup_kernel_memory(const struct fn_cgroup *cg) { return cg ? 0 : 1; }
int fn_cgroup_watch_oom(const struct fn_cgroup *cg) { return cg ? -EOPNOTSUPP : -EBADF; }
int fn_cgroup_set_idle(const struct fn_cgroup *cg, bool idle)
{
	(void)cg;
	return idle ? 0 : -ENOENT;
}
uint64_t fn_cgroup_cpu_us(const struct fn_cgroup *cg) { return fn_clock_mono_us() + !cg; }
uint64_t fn_cgroups_cpu_us(const struct fn_cgroups *cgs) { return fn_clock_mono_us() + !cgs; }
bool fn_cgroup_out_of_memory(const struct fn_cgroup *cg) { return (void)cg, true; }
int fn_keeper_start(const struct fn_keeper_config *c, pid_t *pid, struct fn_err *err) { return (void)c, (void)pid, fn_err_set(err, ENOSYS, "keeper", "played"); }
const struct fn_cg_shown *fn_cgroups_shown(const struct fn_cgroups *cgs)
{
	(void)cgs;
	return NULL;
}
const char *fn_cgroups_describe(const struct fn_cgroups *cgs, char *buf, size_t size)
{
	(void)cgs;
	snprintf(buf, size, "played");
	return buf;
}

int fn_rootfs_get(struct fn_rootfs *r, const struct fn_spec *spec, struct fn_err *err)
{
	(void)r;
	for (unsigned i = 0; i < spec->n_lowers; i++)
		check_name(spec->lowers[i]);
	return fate & 8 ? fn_err_set(err, ENOENT, "mount overlay", "played") : open("/dev/null", O_RDONLY | O_CLOEXEC);
}
int fn_rootfs_expect(struct fn_rootfs *r, const struct fn_spec *spec, struct fn_err *err)
{
	int fd = spec->prestart ? -EINVAL : fn_rootfs_get(r, spec, err);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}
int fn_rootfs_new_dev(const struct fn_rootfs *r, struct fn_err *err)
{
	(void)r;
	(void)err;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}
bool fn_rootfs_bare(const struct fn_rootfs *r) { return r != NULL; }
int fn_rootfs_new_proc(pid_t init, struct fn_err *err)
{
	(void)init;
	return fn_err_set(err, ESRCH, "mount /proc", "played");
}
void fn_rootfs_forget_tree(struct fn_rootfs *r, const char *tree)
{
	(void)r;
	check_name(tree); /* the empty name is part of every root's */
	snprintf(last_tree, sizeof(last_tree), "%s", tree);
}
int fn_rootfs_clone_begin(struct fn_rootfs *r) { return r ? 0 : -EINVAL; }
void fn_rootfs_clone_end(struct fn_rootfs *r) { (void)r; }
int fn_rootfs_copy_from(struct fn_rootfs *r, int mnt_ns, const char *path, struct fn_err *err)
{
	(void)path;
	return r && mnt_ns >= 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : fn_err_set(err, EBADF, "mount namespace", NULL);
}
void fn_rootfs_free(struct fn_rootfs *r) { (void)r; }
size_t fn_rootfs_count(const struct fn_rootfs *r)
{
	(void)r;
	return 0;
}

pid_t fn_ns_clone(uint64_t flags, int cgroup_fd, int *ret_pidfd)
{
	(void)flags, (void)cgroup_fd, (void)ret_pidfd;
	spawned++;
	return -EAGAIN;
}
int fn_ns_shift(uint32_t same, uint32_t from, uint32_t to, uint32_t n)
{
	return same && from && to && n ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -EINVAL;
}
int fn_ns_write_maps(pid_t pid, uint32_t shared_id, uint32_t range)
{
	(void)pid, (void)shared_id, (void)range;
	return -ESRCH;
}
unsigned fn_ns_threads(void) { return 1; } /* libFuzzer watches its memory with another */
int fn_ns_socket(pid_t pid) { return pid ? -ESRCH : -EINVAL; }
int fn_pidfd_open(pid_t pid) { return pid ? -ESRCH : -EINVAL; }
int fn_pidfd_kill(int pidfd, int signo)
{
	(void)pidfd, (void)signo;
	return -ESRCH;
}
void fn_pidfd_end(int pidfd) { (void)pidfd; }
int fn_mount_map_ids(int mount_fd, int user_ns, struct fn_err *err)
{
	return mount_fd >= 0 && user_ns >= 0 ? 0 : fn_err_set(err, EBADF, "mount_setattr", NULL);
}
int fn_mount_copy(int dirfd, const char *path, int recursive, struct fn_err *err)
{
	(void)dirfd, (void)recursive;
	check_name(path); /* fn-unpack's directory: no further, it would be started next */
	return fn_err_set(err, EMFILE, "unpack", "played");
}
void fn_child_main(const struct fn_child *c)
{
	(void)c;
	abort();
}

/* --- messages --- */
struct message {
	struct fn_proto_header h;
	size_t n_fds, len;
	char *payload;
};

static bool next_message(struct fuzz_in *in, struct message *m)
{
	size_t len, room;
	uint8_t request;

	if (!fuzz_more(in))
		return false;
	*m = (struct message){.h = {FN_PROTO_VERSION, fuzz_byte(in), 0, 0, 1}};
	request = fuzz_byte(in);
	m->h.request = request;
	m->h.id = fuzz_byte(in);
	m->n_fds = fuzz_byte(in) % (FN_SOCK_FDS_MAX + 1);
	m->h.version += request == 0xfd;
	room = (size_t)(in->end - in->p);
	for (len = 0; len + 1 < room && !(in->p[len] == 0xff && in->p[len + 1] == 0xfe); len++)
		;
	if (len + 1 >= room)
		len = room;
	m->payload = malloc(len + 1);
	if (len)
		memcpy(m->payload, in->p, len);
	m->len = len;
	if (m->h.type == FN_PROTO_SPAWN) { /* edits of a valid spec */
		struct fuzz_in edits = {in->p, in->p + len};

		free(m->payload);
		m->payload = (char *)fuzz_spec(&edits, &m->len);
	}
	in->p += len + 2 < room ? len + 2 : room;
	return true;
}

static void send_message(int fd, struct message *m)
{
	struct iovec iov[2] = {{&m->h, sizeof(m->h)}, {m->payload, m->len}};
	int fds[FN_SOCK_FDS_MAX];

	for (size_t i = 0; i < m->n_fds; i++)
		fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)fn_sock_send(fd, iov, m->len ? 2 : 1, fds, m->n_fds);
	for (size_t i = 0; i < m->n_fds; i++)
		close(fds[i]);
	free(m->payload);
}

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int i = 0; i < 128; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

/* --- fnd's half --- */
struct client {
	unsigned answers[REQUESTS], lost;
	bool live[256];
};
struct asked {
	struct client *c;
	int i;
};

static void answered(struct asked *a) { fuzz_check(++a->c->answers[a->i] == 1); }

static void on_spawned(void *arg, const struct fn_err *err, struct fn_spawned *s)
{
	struct asked *a = arg;

	answered(a);
	fuzz_check(!err != !s);
	if (!s)
		return;
	fuzz_check(s->listen_fd >= 0 && s->output_fd >= 0 && s->freeze_fd >= 0);
	a->c->live[s->id & 0xff] = true;
	if (s->platform_fd >= 0)
		close(s->platform_fd);
	close(s->listen_fd);
	close(s->output_fd);
	close(s->freeze_fd);
	if (s->peak_fd >= 0)
		close(s->peak_fd);
	if (s->tmp_fd >= 0)
		close(s->tmp_fd);
	if (s->stat_fd >= 0)
		close(s->stat_fd);
	if (s->oom_fd >= 0)
		close(s->oom_fd);
	fuzz_check(s->n_extensions <= FN_EXTENSIONS_MAX && (s->n_extensions > 0) == (s->extensions_output_fd >= 0));
	for (unsigned i = 0; i < s->n_extensions; i++)
		fuzz_check(strlen(s->extensions[i]) < FN_PROTO_MAX);
	if (s->extensions_output_fd >= 0)
		close(s->extensions_output_fd);
}

static void on_unpacked(void *arg, const struct fn_err *err, uint64_t bytes)
{
	answered(arg);
	fuzz_check(!err || (bytes == 0 && strlen(err->stage) < sizeof(err->stage) && strlen(err->msg) < sizeof(err->msg)));
}

static void on_text(void *arg, const struct fn_err *err, const char *json)
{
	answered(arg);
	fuzz_check(!err != !json);
	fuzz_check(!json || strlen(json) <= FN_PROTO_MAX);
}

static void on_exit_of(void *arg, uint64_t id, const struct fn_sandbox_exit *e)
{
	(void)arg, (void)id;
	fuzz_check(e != NULL);
}

static void on_lost(void *arg) { ((struct client *)arg)->lost++; }

static void on_process(void *arg, uint64_t id, unsigned process, int wait_status, const struct fn_err *err)
{
	(void)arg, (void)id, (void)wait_status;
	fuzz_check(process < FN_SPEC_PROCESSES_MAX && (!err || err->code != 0));
}

static void on_socket(void *arg, const struct fn_err *err, int fd)
{
	answered(arg);
	fuzz_check(!err == (fd >= 0));
	if (fd >= 0)
		close(fd);
}

static const struct fn_spawn_client_ops client_ops = {.on_exit = on_exit_of, .on_lost = on_lost, .on_process = on_process};

static void fuzz_client(struct fuzz_in in)
{
	char *argv[] = {"x", NULL}, *envp[] = {"A=B", NULL}, *candidates[] = {"/x", NULL};
	struct fn_spec spec = {.name = "n", .owner = "n", .memory_bytes = 1u << 27, .cpu_quota_us = 10000, .cpu_init_quota_us = 10000, .cpu_period_us = 100000, .pids_max = 100, .nofile = 100,
			       .tmp_bytes = 1u << 20, .n_lowers = 1, .lowers = {TREE}, .cwd = "/", .argv = argv, .envp = envp,
			       .exec_candidates = candidates};
	struct fn_unpack_request unpack = {.fd = 0, .tree = TREE, .max_bytes = 1, .max_entries = 1};
	struct client c = {0};
	struct asked asked[REQUESTS];
	struct fn_spawn_client *client;
	struct fn_loop *loop;
	struct message m;
	struct fn_err err;
	uint64_t request;
	int pair[2];

	fuzz_check(fn_loop_new(&loop) == 0 && fn_sock_pair(SOCK_SEQPACKET, pair) == 0);
	fuzz_check(fn_spawn_client_new(loop, pair[0], &client_ops, &c, &client, &err) == 0);
	for (int i = 0; i < REQUESTS; i++) { /* numbered from 1 */
		asked[i] = (struct asked){&c, i};
		fuzz_check((i == 6	 ? fn_spawn_socket(client, 1, on_socket, &asked[i], NULL)
			    : i % 3 == 0 ? fn_spawn_start(client, &spec, i / 2 + 1, on_spawned, &asked[i], i == 3 ? &request : NULL)
			    : i % 3 == 1 ? fn_spawn_unpack(client, &unpack, on_unpacked, &asked[i])
					 : fn_spawn_describe(client, on_text, &asked[i])) == 0);
	}
	fn_spawn_cancel(client, request); /* the fourth */
	while (next_message(&in, &m)) {
		send_message(pair[1], &m);
		fuzz_check(fn_loop_run_once(loop, 0) == 0);
	}
	close(pair[1]);
	for (int i = 0; i < 3; i++)
		fuzz_check(fn_loop_run_once(loop, 0) == 0);
	fuzz_check(c.lost == 1);
	for (int i = 0; i < REQUESTS; i++) /* each has been answered, with a failure at the latest now; the cancelled one never */
		fuzz_check(c.answers[i] == (i != 3));
	fn_spawn_client_free(client);
	fn_loop_free(loop);
}

/* --- fn-spawnd's half --- */
static void fuzz_server(struct fuzz_in in)
{
	struct fn_rootfs roots = {0};
	struct fn_spawn_server_config cfg = {.rootfs = &roots, .host_ns_fd = -1, .unpack_path = "/nonexistent", .fetch_fd = -EBADF, .trees_dir = fuzz_dir(), .uid_base = 100000};
	struct fn_spawn_server *server;
	struct fn_err err;
	struct message m;
	int pair[2];

	fuzz_check(fn_loop_new(&cfg.loop) == 0 && fn_sock_pair(SOCK_SEQPACKET, pair) == 0 && fn_fd_set_nonblock(pair[1], true) == 0);
	cfg.sock = pair[0];
	fuzz_check(fn_spawn_server_new(&cfg, &server, &err) == 0);
	while (next_message(&in, &m)) {
		static char buf[FN_PROTO_MAX];
		int fds[FN_SOCK_FDS_MAX];
		size_t n_fds, answers = 0;
		uint64_t request = m.h.request;
		ssize_t n;

		fate = (uint8_t)m.h.id;
		m.h.version = request == 0xfd ? FN_PROTO_VERSION + 1 : FN_PROTO_VERSION;
		send_message(pair[1], &m);
		for (int i = 0; i < 2; i++)
			fuzz_check(fn_loop_run_once(cfg.loop, 0) == 0);
		while ((n = fn_sock_recv(pair[1], buf, sizeof(buf), fds, &n_fds)) > 0) {
			struct fn_proto_header h;

			memcpy(&h, buf, sizeof(h));
			for (size_t i = 0; i < n_fds; i++)
				close(fds[i]);
			answers++;
			fuzz_check(h.request == request && h.type >= FN_PROTO_SPAWNED);
			fuzz_check(h.type != FN_PROTO_FAILED || n == (ssize_t)(sizeof(h) + sizeof(struct fn_err)));
		}
		fuzz_check(answers <= 1);
	}
	fn_spawn_server_shutdown(server);
	for (int i = 0; i < 200 && groups > 0; i++)
		fuzz_check(fn_loop_run_once(cfg.loop, 5000) == 0);
	fuzz_check(groups == 0);
	fn_spawn_server_free(server);
	fn_loop_free(cfg.loop);
	close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, data + size};
	static bool ready;
	unsigned fds;

	if (!ready) {
		fn_log_init("fuzz", FN_LOG_ERROR);
		(void)fuzz_dir();
		ready = true;
	}
	fds = open_fds();
	if (fuzz_byte(&in) == 0)
		fuzz_client(in);
	else
		fuzz_server(in);
	fuzz_check(open_fds() == fds);
	return 0;
}
