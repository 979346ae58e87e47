/* fnd's side of fn-spawnd, with the other side played here. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/sock.h"
#include "spawn/client.h"
#include "spawn/proto.h"
#include "unit/main.h"

#define ID 77u

static int failure;
static unsigned n_ended;

static void on_spawned(void *arg, const struct fn_err *err, struct fn_spawned *res)
{
	(void)arg;
	ck_assert_ptr_nonnull(err);
	ck_assert_ptr_null(res);
	failure = err->code;
}

static void on_exit_of(void *arg, uint64_t id, const struct fn_sandbox_exit *info)
{
	(void)arg;
	(void)info;
	ck_assert_uint_eq(id, ID);
	n_ended++;
}

static void on_lost(void *arg) { (void)arg; }

static const struct fn_spawn_client_ops ops = {on_exit_of, on_lost, NULL};

static struct fn_proto_header hear(int fd)
{
	static char buf[FN_PROTO_MAX];
	struct fn_proto_header h;

	ck_assert_int_ge(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), (ssize_t)sizeof(h));
	memcpy(&h, buf, sizeof(h));
	return h;
}

static void say(struct fn_loop *loop, int fd, const struct fn_proto_header *h, const void *data, size_t len, const int *fds, size_t n_fds)
{
	struct iovec iov[2] = {{(void *)h, sizeof(*h)}, {(void *)data, len}};

	ck_assert_int_eq(fn_sock_send(fd, iov, 2, fds, n_fds), 0);
	ck_assert_int_eq(fn_loop_run_once(loop, 0), 0);
}

/* The kernel drops descriptors that the receiver has no number for: the environment they were for is not left behind. */
START_TEST(test_no_descriptors)
{
	char *argv[] = {"x", NULL}, *envp[] = {"A=B", NULL}, *candidates[] = {"/x", NULL};
	struct fn_spec spec = {.name = "n", .owner = "n", .memory_bytes = 1u << 27, .argv = argv, .envp = envp, .exec_candidates = candidates};
	struct fn_proto_spawned spawned = {.init_pid = 1};
	struct fn_sandbox_exit ended = {0};
	struct fn_proto_header h;
	struct rlimit all, few;
	struct fn_spawn_client *c;
	struct fn_loop *loop;
	struct fn_err err;
	int pair[2], three[3] = {0, 1, 2};
	uint64_t request;

	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_sock_pair(SOCK_SEQPACKET, pair), 0);
	ck_assert_int_eq(fn_spawn_client_new(loop, pair[0], &ops, NULL, &c, &err), 0);
	ck_assert_int_eq(fn_spawn_start(c, &spec, 1, on_spawned, NULL, &request), 0);
	h = hear(pair[1]);
	ck_assert_uint_eq(h.type, FN_PROTO_SPAWN);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
	few = (struct rlimit){0, all.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	h.type = FN_PROTO_SPAWNED;
	h.id = ID;
	say(loop, pair[1], &h, &spawned, sizeof(spawned), three, 3);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
	ck_assert_int_eq(failure, EMFILE);
	h = hear(pair[1]);
	ck_assert_uint_eq(h.type, FN_PROTO_KILL);
	ck_assert_uint_eq(h.id, ID);
	h.type = FN_PROTO_EXITED;
	say(loop, pair[1], &h, &ended, sizeof(ended), NULL, 0);
	ck_assert_uint_eq(n_ended, 1);
	fn_spawn_client_free(c);
	close(pair[1]);
	fn_loop_free(loop);
}
END_TEST

static unsigned n_ready;
static uint64_t ready_request;

static void on_ready(void *arg, uint64_t request)
{
	ck_assert_ptr_null(arg);
	ready_request = request;
	n_ready++;
}

/* Who waits for a runtime that is started ahead is told once: by fn-spawnd, or by its end. */
START_TEST(test_ready)
{
	char *argv[] = {"x", NULL}, *envp[] = {"A=B", NULL}, *candidates[] = {"/x", NULL};
	struct fn_spec spec = {.name = "n", .kind = "k", .prestart = true, .memory_bytes = 1u << 27, .argv = argv, .envp = envp,
			       .exec_candidates = candidates};
	struct fn_proto_header h;
	struct fn_spawn_client *c;
	struct fn_loop *loop;
	struct fn_err err;
	uint64_t first = 0, second = 0;
	int pair[2];

	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_sock_pair(SOCK_SEQPACKET, pair), 0);
	ck_assert_int_eq(fn_spawn_client_new(loop, pair[0], &ops, NULL, &c, &err), 0);
	ck_assert_int_eq(fn_spawn_prestart(c, &spec, NULL, NULL, NULL), 0);
	h = hear(pair[1]);
	ck_assert_uint_eq(h.type, FN_PROTO_PRESTART);
	ck_assert_uint_eq(h.request, 0);
	ck_assert_int_eq(fn_spawn_prestart(c, &spec, on_ready, NULL, &first), 0);
	ck_assert_int_eq(fn_spawn_prestart(c, &spec, on_ready, NULL, &second), 0);
	h = hear(pair[1]);
	ck_assert_uint_eq(h.request, first);
	h.type = FN_PROTO_READY;
	say(loop, pair[1], &h, NULL, 0, NULL, 0);
	ck_assert_uint_eq(n_ready, 1);
	ck_assert_uint_eq(ready_request, first);
	say(loop, pair[1], &h, NULL, 0, NULL, 0);
	ck_assert_uint_eq(n_ready, 1);
	close(pair[1]);
	ck_assert_int_eq(fn_loop_run_once(loop, 0), 0);
	ck_assert_uint_eq(n_ready, 2);
	ck_assert_uint_eq(ready_request, second);
	fn_spawn_client_free(c);
	fn_loop_free(loop);
}
END_TEST

TEST_MAIN("spawn/client", test_no_descriptors, test_ready)
