#include "pool/keepalive.h"

#include <errno.h>

#include "unit/main.h"

#define S 1000000ull
#define MIN (60 * S)
#define MB (1ull << 20)

static struct fn_keep keep_of(enum fn_keep_policy policy)
{
	struct fn_keep_config c;
	struct fn_keep k;

	fn_keep_defaults(&c, policy);
	fn_keep_init(&k, &c);
	return k;
}

/* An invocation that takes `exec`; returns when it was over. */
static uint64_t serve(struct fn_keep *k, struct fn_keep_function *f, struct fn_keep_env *e, uint64_t at, uint64_t exec)
{
	fn_keep_arrived(k, f, at);
	fn_keep_done(k, f, at + exec);
	fn_keep_idle(k, e, at + exec, false);
	return at + exec;
}

START_TEST(names)
{
	enum fn_keep_policy p;

	for (int i = 0; i < FN_KEEP_POLICIES; i++) {
		ck_assert_int_eq(fn_keep_policy_parse(fn_keep_policy_name((enum fn_keep_policy)i), &p), 0);
		ck_assert_int_eq(p, i);
	}
	ck_assert_int_eq(fn_keep_policy_parse("lru", &p), -EINVAL);
	ck_assert_int_eq(fn_keep_policy_parse(NULL, &p), -EINVAL);
}
END_TEST

START_TEST(fixed)
{
	struct fn_keep k = keep_of(FN_KEEP_FIXED);
	struct fn_keep_function f = {0}, g = {0};
	struct fn_keep_env a = {0}, b = {0};

	for (int i = 0; i < 100; i++)
		serve(&k, &f, &a, (uint64_t)i * 30 * MIN, S);
	serve(&k, &g, &b, 99 * 30 * MIN + 10 * S, S);
	ck_assert_uint_eq(fn_keep_until(&k, &f, &a), a.idle_since + 600 * S);
	ck_assert(fn_keep_prewarm(&k, &f) == FN_KEEP_NEVER);
	/* the longest idle one goes first, whatever it cost */
	fn_keep_started(&k, &f, 100 * S);
	ck_assert(fn_keep_value(&k, &f, &a, MB) < fn_keep_value(&k, &g, &b, 1000 * MB));
	k.cfg.idle_us = 0;
	ck_assert(fn_keep_until(&k, &f, &a) == FN_KEEP_NEVER);
}
END_TEST

START_TEST(greedy_dual)
{
	struct fn_keep k = keep_of(FN_KEEP_GREEDY_DUAL);
	struct fn_keep_function cheap = {0}, dear = {0};
	struct fn_keep_env a = {0}, b = {0}, c = {0};
	double v;

	fn_keep_started(&k, &cheap, S / 100);
	fn_keep_started(&k, &dear, S);
	serve(&k, &dear, &b, 1 * S, S);
	serve(&k, &cheap, &a, 10 * S, S);
	/* cost, size, frequency */
	ck_assert(fn_keep_value(&k, &cheap, &a, 100 * MB) < fn_keep_value(&k, &dear, &b, 100 * MB));
	ck_assert(fn_keep_value(&k, &dear, &b, 200 * MB) < fn_keep_value(&k, &dear, &b, 100 * MB));
	v = fn_keep_value(&k, &cheap, &a, 100 * MB);
	serve(&k, &cheap, &a, 20 * S, S);
	ck_assert(fn_keep_value(&k, &cheap, &a, 100 * MB) > v);
	/* a spare one of the same function that has served once is worth less than the one that serves all the time */
	serve(&k, &cheap, &c, 21 * S, S);
	ck_assert(fn_keep_value(&k, &cheap, &c, 100 * MB) < fn_keep_value(&k, &cheap, &a, 100 * MB));
	/* the clock: what was dear but is not used any more goes in the end */
	for (int i = 0; i < 10000 && fn_keep_value(&k, &cheap, &a, 100 * MB) <= fn_keep_value(&k, &dear, &b, 100 * MB); i++) {
		fn_keep_evicted(&k, fn_keep_value(&k, &cheap, &a, 100 * MB));
		a = (struct fn_keep_env){0};
		serve(&k, &cheap, &a, (uint64_t)(30 + i) * S, S);
	}
	ck_assert(fn_keep_value(&k, &cheap, &a, 100 * MB) > fn_keep_value(&k, &dear, &b, 100 * MB));
	/* it never goes back */
	v = k.clock;
	fn_keep_evicted(&k, 0);
	ck_assert(k.clock == v);
	fn_keep_emptied(&k, &cheap, false);
	ck_assert_uint_eq(cheap.frequency, 0);
}
END_TEST

START_TEST(a_start_without_memory_or_time)
{
	struct fn_keep k = keep_of(FN_KEEP_GREEDY_DUAL);
	struct fn_keep_function f = {0};
	struct fn_keep_env e = {0};

	serve(&k, &f, &e, S, S);
	ck_assert(fn_keep_value(&k, &f, &e, 0) >= 0);
	fn_keep_done(&k, &f, S); /* more ends than beginnings */
	ck_assert_uint_eq(f.running, 0);
}
END_TEST

START_TEST(hybrid_knows_nothing_at_first)
{
	struct fn_keep k = keep_of(FN_KEEP_HYBRID);
	struct fn_keep_function f = {0};
	struct fn_keep_env e = {0};

	for (int i = 0; i < 10; i++) { /* nine rests */
		serve(&k, &f, &e, (uint64_t)i * 30 * MIN, S);
		ck_assert_uint_eq(fn_keep_until(&k, &f, &e), e.idle_since + 600 * S);
		ck_assert(fn_keep_prewarm(&k, &f) == FN_KEEP_NEVER);
	}
}
END_TEST

START_TEST(hybrid_makes_ahead)
{
	struct fn_keep k = keep_of(FN_KEEP_HYBRID);
	struct fn_keep_function f = {0};
	struct fn_keep_env e = {0};
	uint64_t end = 0, at;

	for (int i = 0; i < 20; i++)
		end = serve(&k, &f, &e, (uint64_t)i * 30 * MIN, S);
	/* rests of 29 min 59 s: bin 29, less and more 10 % */
	ck_assert_uint_eq(fn_keep_until(&k, &f, &e), end);
	at = fn_keep_prewarm(&k, &f);
	ck_assert_uint_eq(at, end + 29 * MIN * 9 / 10);
	fn_keep_emptied(&k, &f, false);
	ck_assert_uint_eq(f.frequency, 20); /* ended by plan: still known */
	e = (struct fn_keep_env){0};
	fn_keep_idle(&k, &e, at + S / 10, true);
	ck_assert_uint_eq(fn_keep_until(&k, &f, &e), end + 30 * MIN * 11 / 10);
	ck_assert(fn_keep_value(&k, &f, &e, MB) >= 0);
	/* while one is served, the others of this function are not at rest */
	fn_keep_arrived(&k, &f, end + 30 * MIN);
	ck_assert(fn_keep_prewarm(&k, &f) == FN_KEEP_NEVER);
	fn_keep_emptied(&k, &f, true);
	ck_assert_uint_eq(f.frequency, 1);
}
END_TEST

START_TEST(hybrid_busy_function)
{
	struct fn_keep k = keep_of(FN_KEEP_HYBRID);
	struct fn_keep_function f = {0};
	struct fn_keep_env e = {0};
	uint64_t at = S;

	for (int i = 0; i < 200; i++)
		at = serve(&k, &f, &e, at + 5 * S, S);
	ck_assert(fn_keep_prewarm(&k, &f) == FN_KEEP_NEVER);
	ck_assert_uint_eq(fn_keep_until(&k, &f, &e), e.idle_since + 600 * S); /* not its tail of one minute */
	for (int i = 0; i < 20; i++) /* a tail beyond the fixed time keeps it */
		at = serve(&k, &f, &e, at + 40 * MIN, S);
	ck_assert_uint_eq(fn_keep_until(&k, &f, &e), e.idle_since + 41 * MIN * 11 / 10);
	k.cfg.idle_us = 0;
	ck_assert(fn_keep_until(&k, &f, &e) == FN_KEEP_NEVER);
}
END_TEST

START_TEST(hybrid_says_nothing)
{
	struct fn_keep k = keep_of(FN_KEEP_HYBRID);
	struct fn_keep_function flat = {0}, rare = {0};
	struct fn_keep_env e = {0};
	uint64_t at = S;

	for (unsigned i = 0; i < 2400; i++) /* any rest is as likely as any other */
		at = serve(&k, &flat, &e, at + (i * 37 % FN_KEEP_BINS) * MIN, S);
	ck_assert_uint_eq(fn_keep_until(&k, &flat, &e), e.idle_since + 600 * S);
	ck_assert(fn_keep_prewarm(&k, &flat) == FN_KEEP_NEVER);
	for (int i = 0; i < 40; i++) /* mostly longer than the range */
		at = serve(&k, &rare, &e, at + (i % 4 ? 6 * 60 : 30) * MIN, S);
	ck_assert_uint_eq(fn_keep_until(&k, &rare, &e), e.idle_since + 600 * S);
	ck_assert(fn_keep_prewarm(&k, &rare) == FN_KEEP_NEVER);
}
END_TEST

START_TEST(hybrid_forgets)
{
	struct fn_keep k = keep_of(FN_KEEP_HYBRID);
	struct fn_keep_function f = {0};
	struct fn_keep_env e = {0};
	uint64_t at = S;
	double squares = 0;

	for (int i = 0; i < 70000; i++) /* more than a bin can hold */
		at = serve(&k, &f, &e, at + 30 * MIN, S);
	ck_assert_uint_lt(f.n, 65536);
	for (unsigned i = 0; i < FN_KEEP_BINS; i++)
		squares += (double)f.bins[i] * f.bins[i];
	ck_assert(squares == f.squares);
	ck_assert_uint_eq(f.head_us, 30 * MIN * 9 / 10);
}
END_TEST

TEST_MAIN("pool/keepalive", names, fixed, greedy_dual, a_start_without_memory_or_time, hybrid_knows_nothing_at_first, hybrid_makes_ahead,
	  hybrid_busy_function, hybrid_says_nothing, hybrid_forgets)
