/*
 * spawn_bench - times sandbox creation through a fn-spawnd of its own. Needs root. Prints one JSON object.
 *
 *   spawn_bench [options] FN_SPAWND STATE_DIR
 *     --count N       sandboxes measured, 100; --warmup N before them, 5
 *     --parallel N    asked for at once, 1
 *     --gap-ms N      pause before each (parallel 1): what an isolated cold start meets, 0
 *     --live N        that many are started first and stay, 0
 *     --keep          none is killed before all are there: a burst
 *     --settle-ms N   a pause before the first, for what fn-spawnd prepares ahead, 0
 *     --prepared N    fn-spawnd keeps that many sandboxes ready, 0
 *     --nat SUBNET    network `nat` on a bridge "fnbench0": only in a network namespace of its own
 *     --to-exit       the runtime is /bin/true: from the request to the notice of its end, as the peers' `run` is measured;
 *                     else the runtime is /init, which sleeps: from the request to execve done, then it is killed
 *
 * STATE_DIR/roots/img-<64 zeros> must hold both (tests/bench/guest.c) and the mount points.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "os/sock.h"
#include "spawn/client.h"

struct one {
	struct one *next;
	uint64_t from, id;
	bool live;
	struct fn_sandbox_timing timing;
};

static struct fn_loop *loop;
static struct fn_spawn_client *client;
static struct fn_spec spec;
static struct one *ones; /* to-exit mode: which sandbox is which */
static unsigned total = 100, warmup = 5, parallel = 1, gap_ms, live, asked, done, ended, alive;
static unsigned settle_ms, prepared;
static bool to_exit, keep;
static const char *nat;
static uint64_t *kept;
static uint32_t *wall;
static struct fn_sandbox_timing *stages;
static uint64_t timer, began_us, took_us, environments;
static pid_t spawnd;

static void ask(void);

static void next(void)
{
	if (gap_ms)
		(void)fn_loop_rearm_timer(loop, timer, fn_clock_mono_us() + gap_ms * 1000u);
	else
		ask();
}

static void on_timer(void *arg)
{
	(void)arg;
	ask();
}

static void count(uint64_t from, const struct fn_sandbox_timing *t)
{
	uint64_t now = fn_clock_mono_us();

	if (done >= warmup) {
		wall[done - warmup] = (uint32_t)(now - from);
		stages[done - warmup] = *t;
	}
	if (++done == warmup)
		began_us = now;
	took_us = now - began_us;
}

static void on_exit_(void *arg, uint64_t id, const struct fn_sandbox_exit *info)
{
	(void)arg;
	if (to_exit) {
		for (struct one **p = &ones; *p; p = &(*p)->next)
			if ((*p)->id == id) {
				struct one *o = *p;

				if (info->wait_status != 0) {
					fprintf(stderr, "spawn_bench: /bin/true ended with status %d\n", info->wait_status);
					exit(1);
				}
				count(o->from, &o->timing);
				*p = o->next;
				free(o);
				break;
			}
	}
	if (++ended == total + warmup)
		fn_loop_stop(loop);
	else
		next();
}

static void on_lost(void *arg)
{
	(void)arg;
	fprintf(stderr, "spawn_bench: fn-spawnd died\n");
	exit(1);
}

static void on_spawned(void *arg, const struct fn_err *err, struct fn_spawned *res)
{
	struct one *o = arg;
	char text[512];

	if (err) {
		fprintf(stderr, "spawn_bench: %s\n", fn_err_format(err, text, sizeof(text)));
		exit(1);
	}
	fn_close(res->listen_fd);
	fn_close(res->output_fd);
	fn_close(res->freeze_fd);
	fn_close(res->peak_fd);
	fn_close(res->tmp_fd);
	fn_close(res->stat_fd);
	fn_close(res->oom_fd);
	if (o->live) {
		free(o);
		if (++alive == live)
			fn_loop_stop(loop);
		else
			ask();
		return;
	}
	if (to_exit) {
		o->timing = res->timing;
		o->id = res->id;
		o->next = ones;
		ones = o;
		return;
	}
	count(o->from, &res->timing);
	free(o);
	if (!keep) {
		fn_spawn_kill(client, res->id);
		return;
	}
	kept[done - 1] = res->id;
	if (done == total + warmup)
		for (unsigned i = 0; i < done; i++)
			fn_spawn_kill(client, kept[i]);
	else
		ask();
}

static void ask(void)
{
	struct one *o;

	if (alive >= live && asked >= total + warmup)
		return;
	o = calloc(1, sizeof(*o));
	o->live = alive < live;
	asked += !o->live;
	o->from = fn_clock_mono_us();
	if (fn_spawn_start(client, &spec, ++environments, on_spawned, o, NULL) < 0)
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

/* CPU time of fn-spawnd and all it made, per sandbox; fn-spawnd's own start is in it. */
static double cpu_us(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_CHILDREN, &u) < 0)
		return 0;
	return ((double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec)) / (total + warmup + live);
}

static void report(void)
{
	uint32_t *tmp = calloc(total, sizeof(*tmp));
	unsigned from_stock = 0;

	printf("{\"n\":%u,\"parallel\":%u,\"gap_ms\":%u,\"live\":%u,\"per_second\":%.1f,\"cpu_us\":%.1f,\"us\":[", total, parallel, gap_ms, live,
	       took_us ? total * 1e6 / (double)took_us : 0, cpu_us());
	for (unsigned i = 0; i < total; i++)
		printf("%s%u", i ? "," : "", wall[i]);
	for (unsigned i = 0; i < total; i++)
		from_stock += stages[i].prepared != 0;
	printf("],\"from_stock\":%u,\"stages_p50_us\":{\"queue\":%u,\"cgroup\":%u,\"clone\":%u,", from_stock, MEDIAN(queue_us), MEDIAN(cgroup_us), MEDIAN(clone_us));
	printf("\"net\":%u,\"mounts\":%u,\"exec\":%u,\"total\":%u}}\n", MEDIAN(net_us), MEDIAN(mounts_us), MEDIAN(exec_us), MEDIAN(total_us));
	free(tmp);
}

static int start_spawnd(const char *program, const char *state)
{
	char fd[16], instance[32], ready[16];
	int sv[2];

	if (fn_sock_pair(SOCK_SEQPACKET, sv) < 0)
		return -1;
	snprintf(instance, sizeof(instance), "fnd-bench-%d", (int)getpid());
	spawnd = fork();
	if (spawnd == 0) {
		fn_fd_set_cloexec(sv[1], false);
		snprintf(fd, sizeof(fd), "%d", sv[1]);
		snprintf(ready, sizeof(ready), "%u", prepared);
		execl(program, "fn-spawnd", "--state", state, "--instance", instance, "--uid-base", "1879048192", "--socket-fd", fd, "--prepared-least", ready,
		      "--prepared-most", ready, nat ? "--bridge" : NULL, "fnbench0", "--subnet", nat, "--resolv-conf", "/dev/null", NULL);
		_exit(127);
	}
	close(sv[1]);
	return sv[0];
}

static void options(int argc, char **argv)
{
	static const struct option longs[] = {{"count", 1, NULL, 'c'},  {"warmup", 1, NULL, 'w'}, {"parallel", 1, NULL, 'p'},
					      {"gap-ms", 1, NULL, 'g'}, {"live", 1, NULL, 'l'},   {"to-exit", 0, NULL, 'x'},
					      {"keep", 0, NULL, 'k'},   {"settle-ms", 1, NULL, 's'},
					      {"prepared", 1, NULL, 'r'}, {"nat", 1, NULL, 'n'}, {NULL, 0, NULL, 0}};
	int key;

	while ((key = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		unsigned n = optarg ? (unsigned)atoi(optarg) : 0;

		if (key == 'c')
			total = n;
		else if (key == 'w')
			warmup = n;
		else if (key == 'p')
			parallel = n;
		else if (key == 'g')
			gap_ms = n;
		else if (key == 'l')
			live = n;
		else if (key == 'r')
			prepared = n;
		else if (key == 's')
			settle_ms = n;
		else if (key == 'n')
			nat = optarg;
		else if (key == 'k')
			keep = true;
		else if (key == 'x')
			to_exit = true;
		else
			exit(2);
	}
	if (argc - optind != 2 || total == 0 || parallel == 0)
		exit(2);
}

int main(int argc, char **argv)
{
	static const struct fn_spawn_client_ops ops = {.on_exit = on_exit_, .on_lost = on_lost};
	char *args[] = {"/init", NULL}, *truth[] = {"/bin/true", NULL}, *env[] = {"A=b", NULL};
	struct rlimit nofile;
	int sock;

	options(argc, argv);
	if (getrlimit(RLIMIT_NOFILE, &nofile) == 0) {
		nofile.rlim_cur = nofile.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &nofile);
	}
	wall = calloc(total, sizeof(*wall));
	stages = calloc(total, sizeof(*stages));
	kept = calloc(total + warmup, sizeof(*kept));
	sock = start_spawnd(argv[optind], argv[optind + 1]);
	if (sock < 0 || fn_loop_new(&loop) < 0 || fn_loop_add_timer(loop, UINT64_MAX, on_timer, NULL, &timer) < 0 ||
	    fn_spawn_client_new(loop, sock, &ops, NULL, &client, NULL) < 0)
		return 1;
	spec = (struct fn_spec){.name = "bench", .owner = "bench", .memory_bytes = 128u << 20, .cpu_period_us = 100000, .cpu_quota_us = 100000, .cpu_init_quota_us = 100000, .pids_max = 1024,
				.nofile = 1024, .tmp_bytes = 512u << 20, .n_lowers = 1, .cwd = "/",
				.argv = to_exit ? truth : args, .envp = env, .exec_candidates = to_exit ? truth : args};
	spec.net = nat ? FN_NET_NAT : FN_NET_LOOPBACK;
	memcpy(spec.lowers[0], "img-", 4);
	memset(spec.lowers[0] + 4, '0', 64);
	if (live) {
		ask();
		fn_loop_run(loop);
	}
	if (settle_ms)
		usleep(settle_ms * 1000u);
	began_us = fn_clock_mono_us();
	for (unsigned i = 0; i < parallel; i++)
		ask();
	fn_loop_run(loop);
	fn_spawn_client_free(client);
	waitpid(spawnd, NULL, 0);
	report();
	return 0;
}
