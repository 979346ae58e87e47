/*
 * spawn_bench - times sandbox creation through fn-spawnd: request to the runtime's exec done. Needs root.
 *   spawn_bench FN_SPAWND STATE_DIR COUNT PARALLEL
 * STATE_DIR/roots/img-<64 zeros> must hold /init (a static program that sleeps) and the mount points. Prints one JSON object.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "os/sock.h"
#include "spawn/client.h"

#include <sys/socket.h>

static struct fn_loop *loop;
static struct fn_spawn_client *client;
static struct fn_spec spec;
static unsigned total, parallel, asked, done, ended, failed;
static uint32_t *wall;
static struct fn_sandbox_timing *stages;

struct one {
	uint64_t from;
};

static void ask(void);

static void on_exit_(void *arg, uint64_t id, const struct fn_sandbox_exit *info)
{
	(void)arg;
	(void)id;
	(void)info;
	if (++ended == total)
		fn_loop_stop(loop);
	ask();
}

static void on_lost(void *arg)
{
	(void)arg;
	fprintf(stderr, "fn-spawnd died\n");
	exit(1);
}

static void on_spawned(void *arg, const struct fn_err *err, struct fn_spawned *res)
{
	struct one *o = arg;
	char text[512];

	if (err) {
		fprintf(stderr, "%s\n", fn_err_format(err, text, sizeof(text)));
		exit(1);
	}
	wall[done] = (uint32_t)(fn_clock_mono_us() - o->from);
	stages[done++] = res->timing;
	free(o);
	fn_close(res->pidfd);
	fn_close(res->listen_fd);
	fn_close(res->output_fd);
	fn_close(res->freeze_fd);
	fn_close(res->peak_fd);
	fn_spawn_kill(client, res->id);
}

static void ask(void)
{
	struct one *o;

	if (asked >= total)
		return;
	o = malloc(sizeof(*o));
	asked++;
	o->from = fn_clock_mono_us();
	if (fn_spawn_start(client, &spec, on_spawned, o, NULL) < 0)
		exit(1);
}

static int cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

#define MEDIAN(field)                                                  \
	({                                                             \
		for (unsigned k_ = 0; k_ < total; k_++)                \
			tmp[k_] = stages[k_].field;                    \
		qsort(tmp, total, sizeof(*tmp), cmp);                  \
		tmp[total / 2];                                        \
	})

int main(int argc, char **argv)
{
	static const struct fn_spawn_client_ops ops = {on_exit_, on_lost};
	char fd[16], *args[] = {"/init", NULL}, *env[] = {"A=b", NULL};
	uint32_t *tmp;
	int sv[2];
	pid_t pid;

	if (argc != 5)
		return 2;
	total = (unsigned)atoi(argv[3]);
	parallel = (unsigned)atoi(argv[4]);
	wall = calloc(total, sizeof(*wall));
	tmp = calloc(total, sizeof(*tmp));
	stages = calloc(total, sizeof(*stages));
	if (fn_sock_pair(SOCK_SEQPACKET, sv) < 0)
		return 1;
	pid = fork();
	if (pid == 0) {
		fn_fd_set_cloexec(sv[1], false);
		snprintf(fd, sizeof(fd), "%d", sv[1]);
		execl(argv[1], "fn-spawnd", "--state", argv[2], "--instance", "fnd-bench", "--uid-base", "1879048192", "--socket-fd", fd, NULL);
		_exit(127);
	}
	close(sv[1]);
	fn_loop_new(&loop);
	if (fn_spawn_client_new(loop, sv[0], &ops, NULL, &client, NULL) < 0)
		return 1;
	spec = (struct fn_spec){.name = "bench", .memory_bytes = 128u << 20, .cpu_period_us = 100000, .cpu_quota_us = 100000, .cpu_init_quota_us = 100000, .pids_max = 1024,
				.nofile = 1024, .tmp_bytes = 512u << 20, .n_lowers = 1, .cwd = "/",
				.argv = args, .envp = env, .exec_candidates = args};
	memcpy(spec.lowers[0], "img-", 4);
	memset(spec.lowers[0] + 4, '0', 64);
	for (unsigned i = 0; i < parallel; i++)
		ask();
	fn_loop_run(loop);
	qsort(wall, total, sizeof(*wall), cmp);
	printf("{\"count\":%u,\"parallel\":%u,\"failed\":%u,\"create_p50_us\":%u,\"create_p99_us\":%u,\"stages_p50_us\":{", total, parallel, failed,
	       wall[total / 2], wall[total * 99 / 100]);
	printf("\"queue\":%u,\"cgroup\":%u,\"clone\":%u,", MEDIAN(queue_us), MEDIAN(cgroup_us), MEDIAN(clone_us));
	printf("\"net\":%u,\"mounts\":%u,\"exec\":%u,\"total\":%u}}\n", MEDIAN(net_us), MEDIAN(mounts_us), MEDIAN(exec_us), MEDIAN(total_us));
	fn_spawn_client_free(client);
	waitpid(pid, NULL, 0);
	return 0;
}
