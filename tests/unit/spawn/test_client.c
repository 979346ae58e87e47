/* fnd's side of fn-spawnd, with the other side played here. */
#include <errno.h>
#include <stdio.h>
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

static unsigned n_processes;

static void on_process(void *arg, uint64_t id, unsigned process, int wait_status, const struct fn_err *err)
{
	(void)arg;
	ck_assert_uint_eq(id, ID);
	ck_assert_uint_eq(process, n_processes);
	ck_assert_int_eq(wait_status, 9);
	ck_assert_int_eq(err ? err->code : 0, process ? 0 : ENOENT);
	n_processes++;
}

static const struct fn_spawn_client_ops ops = {.on_exit = on_exit_of, .on_lost = on_lost, .on_process = on_process};

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

static char heard[64];

static void on_several(void *arg, const struct fn_err *err, struct fn_spawned *s)
{
	(void)arg;
	if (err) {
		failure = err->code;
		return;
	}
	ck_assert_uint_eq(s->n_extensions, 2);
	snprintf(heard, sizeof(heard), "%s+%s", s->extensions[0], s->extensions[1]);
	ck_assert_int_ge(s->extensions_output_fd, 0);
	ck_assert_int_lt(s->peak_fd, 0);
	close(s->listen_fd);
	close(s->output_fd);
	close(s->freeze_fd);
	close(s->extensions_output_fd);
}

static int socket_fd;
static void on_socket(void *arg, const struct fn_err *err, int fd)
{
	(void)arg;
	failure = err ? err->code : 0;
	socket_fd = fd;
}

/* A sandbox of several processes: their names, their ends, what is asked of them. */
START_TEST(test_several)
{
	static const char names[] = "a\0second";
	char *argv[] = {"x", NULL}, *envp[] = {"A=B", NULL}, *candidates[] = {"/x", NULL};
	struct fn_spec spec = {.name = "n", .owner = "n", .memory_bytes = 1u << 27, .argv = argv, .envp = envp, .exec_candidates = candidates};
	struct {
		struct fn_proto_spawned p;
		char names[sizeof(names)];
	} __attribute__((packed)) spawned = {.p = {.init_pid = 1, .n_extensions = 2}};
	struct fn_proto_process ended = {.process = 0, .wait_status = 9, .err = {ENOENT, "bootstrap", ""}};
	struct fn_sandbox_exit gone = {0};
	struct fn_proto_header h;
	struct fn_spawn_client *c;
	struct fn_loop *loop;
	struct fn_err err;
	int pair[2], four[4] = {0, 1, 2, 2};

	memcpy(spawned.names, names, sizeof(names));
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_sock_pair(SOCK_SEQPACKET, pair), 0);
	ck_assert_int_eq(fn_spawn_client_new(loop, pair[0], &ops, NULL, &c, &err), 0);
	n_ended = n_processes = 0;
	for (int missing = 2; missing >= 0; missing--) { /* a name, the pipe, nothing */
		ck_assert_int_eq(fn_spawn_start(c, &spec, 1, on_several, NULL, NULL), 0);
		h = hear(pair[1]);
		h.type = FN_PROTO_SPAWNED;
		h.id = ID;
		failure = 0;
		say(loop, pair[1], &h, &spawned, sizeof(spawned) - 7 * (missing == 2), four, missing == 1 ? 3 : 4);
		ck_assert_int_eq(failure, missing == 2 ? EBADMSG : missing == 1 ? EMFILE : 0);
		if (missing)
			ck_assert_uint_eq(hear(pair[1]).type, FN_PROTO_KILL);
	}
	ck_assert_str_eq(heard, "a+second");
	h.type = FN_PROTO_PROCESS;
	say(loop, pair[1], &h, &ended, sizeof(ended), NULL, 0);
	ended = (struct fn_proto_process){.process = 1, .wait_status = 9};
	say(loop, pair[1], &h, &ended, sizeof(ended), NULL, 0);
	ended.process = FN_SPEC_PROCESSES_MAX; /* none of them */
	say(loop, pair[1], &h, &ended, sizeof(ended), NULL, 0);
	ck_assert_uint_eq(n_processes, 2);
	fn_spawn_release(c, ID);
	ck_assert_uint_eq(hear(pair[1]).type, FN_PROTO_RELEASE);
	fn_spawn_signal(c, ID, 1, 15);
	ck_assert_uint_eq(hear(pair[1]).type, FN_PROTO_SIGNAL);
	for (int there = 0; there < 2; there++) {
		ck_assert_int_eq(fn_spawn_socket(c, ID, on_socket, NULL, NULL), 0);
		h = hear(pair[1]);
		ck_assert_uint_eq(h.type, FN_PROTO_SOCKET);
		h.type = there ? FN_PROTO_SOCKET_MADE : FN_PROTO_FAILED;
		say(loop, pair[1], &h, &ended.err, there ? 0 : sizeof(ended.err), four, there ? 1 : 0);
		ck_assert_int_eq(socket_fd >= 0, there);
	}
	close(socket_fd);
	h.type = FN_PROTO_EXITED;
	h.id = ID;
	say(loop, pair[1], &h, &gone, sizeof(gone), NULL, 0);
	h.type = FN_PROTO_PROCESS; /* of one that has gone */
	ended.process = 2;
	say(loop, pair[1], &h, &ended, sizeof(ended), NULL, 0);
	ck_assert_uint_eq(n_processes, 2);
	fn_spawn_client_free(c);
	close(pair[1]);
	fn_loop_free(loop);
}
END_TEST

TEST_MAIN("spawn/client", test_no_descriptors, test_ready, test_several)
