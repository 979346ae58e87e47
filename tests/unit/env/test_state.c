/* The table of states, and its one setter. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "env/internal.h"
#include "unit/function.h"
#include "unit/main.h"

static enum fn_env_state seen_from;
static unsigned n_seen;

static void on_state(struct fn_env *e, enum fn_env_state from)
{
	(void)e;
	seen_from = from;
	n_seen++;
}

static const struct fn_env_ops ops = {.on_state = on_state};

START_TEST(whatever_it_does_it_can_end_and_stays_ended)
{
	for (int s = 0; s < FN_ENV_STATES; s++) {
		ck_assert_int_eq(fn_env_may_follow(s, FN_ENV_ENDING), s != FN_ENV_ENDING);
		ck_assert(!fn_env_may_follow(FN_ENV_ENDING, s));
		ck_assert(!fn_env_may_follow(s, s));
	}
}
END_TEST

/* The road of an invocation, warm and over a time-out; and what would lose or double one. */
START_TEST(roads)
{
	static const enum fn_env_state warm[] = {FN_ENV_SPAWNING, FN_ENV_INIT, FN_ENV_IDLE, FN_ENV_BUSY, FN_ENV_FINISHING, FN_ENV_IDLE},
				       again[] = {FN_ENV_BUSY, FN_ENV_RESETTING, FN_ENV_RESET, FN_ENV_SPAWNING, FN_ENV_INIT},
				       init_fails[] = {FN_ENV_INIT, FN_ENV_RESETTING, FN_ENV_RESET, FN_ENV_SPAWNING}, shutdown[] = {FN_ENV_INIT, FN_ENV_STOPPING, FN_ENV_RESETTING, FN_ENV_RESET};

	for (size_t i = 1; i < sizeof(warm) / sizeof(warm[0]); i++)
		ck_assert(fn_env_may_follow(warm[i - 1], warm[i]));
	for (size_t i = 1; i < sizeof(again) / sizeof(again[0]); i++)
		ck_assert(fn_env_may_follow(again[i - 1], again[i]));
	for (size_t i = 1; i < sizeof(init_fails) / sizeof(init_fails[0]); i++)
		ck_assert(fn_env_may_follow(init_fails[i - 1], init_fails[i]));
	ck_assert(fn_env_may_follow(FN_ENV_INIT, FN_ENV_RESET)); /* its process has ended by itself */
	for (size_t i = 1; i < sizeof(shutdown) / sizeof(shutdown[0]); i++)
		ck_assert(fn_env_may_follow(shutdown[i - 1], shutdown[i]));
	ck_assert(!fn_env_may_follow(FN_ENV_STOPPING, FN_ENV_IDLE));     /* nothing more is given to it */
	ck_assert(!fn_env_may_follow(FN_ENV_SPAWNING, FN_ENV_STOPPING)); /* there is nobody yet */
	ck_assert(!fn_env_may_follow(FN_ENV_BUSY, FN_ENV_IDLE));      /* without a response */
	ck_assert(!fn_env_may_follow(FN_ENV_FINISHING, FN_ENV_BUSY)); /* before it has asked for more */
	ck_assert(!fn_env_may_follow(FN_ENV_SPAWNING, FN_ENV_IDLE));
	ck_assert(!fn_env_may_follow(FN_ENV_SPAWNING, FN_ENV_RESETTING));
	ck_assert(!fn_env_may_follow(FN_ENV_RESET, FN_ENV_BUSY));
}
END_TEST

START_TEST(the_owner_is_told)
{
	struct fn_env_host host = {.ops = &ops};
	struct fn_env_version v = {.host = &host};
	struct fn_env e = {.host = &host, .version = &v, .state = FN_ENV_INIT};

	fn_env_set_state(&e, FN_ENV_IDLE);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_int_eq(seen_from, FN_ENV_INIT);
	ck_assert_int_eq(e.state, FN_ENV_IDLE);
}
END_TEST

START_TEST(another_road_ends_the_program)
{
	struct fn_env_host host = {.ops = &ops};
	struct fn_env_version v = {.host = &host, .function = unit_function("$LATEST")};
	struct fn_env e = {.host = &host, .version = &v, .state = FN_ENV_ENDING};

	pid_t child = fork();
	int status;

	if (child == 0) {
		fn_env_set_state(&e, FN_ENV_IDLE);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ck_assert_int_eq(e.state, FN_ENV_ENDING);
	fn_function_unref(v.function);
}
END_TEST

TEST_MAIN("env/state", whatever_it_does_it_can_end_and_stays_ended, roads, the_owner_is_told, another_road_ends_the_program)
