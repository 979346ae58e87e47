/* The end of an environment: it is there until the exit of its sandbox has been told. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "env/internal.h"
#include "unit/function.h"
#include "unit/main.h"

static unsigned n_ended;
static struct fn_env_end end;

static void on_state(struct fn_env *e, enum fn_env_state from)
{
	(void)e;
	(void)from;
}

static bool stays(const struct fn_env *e)
{
	(void)e;
	return true;
}

static void on_memory(struct fn_env *e) { (void)e; }

static void on_ended(struct fn_env *e, const struct fn_env_end *how)
{
	n_ended++;
	end = *how;
	fn_env_clear(e);
}

static void on_exit_of(void *arg, uint64_t id, const struct fn_sandbox_exit *info)
{
	(void)arg;
	(void)id;
	(void)info;
}

static void on_lost(void *arg) { (void)arg; }

START_TEST(a_deadline_of_the_state_before_is_not_the_exit)
{
	const struct fn_spawn_client_ops client_ops = {.on_exit = on_exit_of, .on_lost = on_lost};
	const struct fn_env_ops ops = {.on_state = on_state, .stays = stays, .on_memory = on_memory, .on_ended = on_ended};
	const struct fn_sandbox_exit killed = {.wait_status = 9, .memory_peak = 1 << 20};
	struct fn_function *f = unit_function("$LATEST");
	struct fn_env_config config = {.region = "r", .account_id = "0"};
	struct fn_env_version v;
	struct fn_env_host h;
	struct fn_err err;
	struct fn_env e;
	int pair[2];

	ck_assert_int_eq(fn_loop_new(&config.loop), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	ck_assert_int_eq(fn_env_host_init(&h, &config, &ops), 0);
	ck_assert_int_eq(fn_logs_new(config.loop, "logs", &(struct fn_log_bounds){0}, &h.cfg.logs, &err), 0);
	ck_assert_int_eq(fn_spawn_client_new(config.loop, pair[0], &client_ops, NULL, &h.spawn, &err), 0);
	f->log_group = strdup("g");
	fn_env_version_init(&v, &h, f);
	ck_assert_int_eq(fn_env_init(&e, &v, FN_ENV_FOR_INVOCATION), 0);
	e.sandbox = 7;
	e.spawned_us = 1;
	ck_assert_int_eq(fn_map_set_u64(h.sandboxes, e.sandbox, &e, NULL), 0);
	fn_env_set_state(&e, FN_ENV_INIT);

	fn_env_arm(&e, 0); /* as the SHUTDOWN phase leaves it, whose processes have ended before their time is out */
	fn_env_kill(&e);
	ck_assert_int_eq(fn_loop_run_once(config.loop, 10000), 0);
	ck_assert_int_eq(fn_loop_run_once(config.loop, 10000), 0);
	ck_assert_uint_eq(n_ended, 0);

	fn_env_host_on_exit(&h, 7, &killed);
	for (int i = 0; i < 10 && !n_ended; i++)
		ck_assert_int_eq(fn_loop_run_once(config.loop, 10000), 0);
	ck_assert_uint_eq(n_ended, 1);
	ck_assert(end.in_init && end.failed && !end.lost); /* who waits for it gets another within the invocation, or is answered */

	fn_env_version_clear(&v);
	fn_spawn_client_free(h.spawn);
	fn_logs_free(h.cfg.logs);
	fn_env_host_clear(&h);
	fn_loop_free(config.loop);
	fn_function_unref(f);
	close(pair[1]);
}
END_TEST

TEST_MAIN("env/end", a_deadline_of_the_state_before_is_not_the_exit)
