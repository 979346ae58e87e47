#include "invoke/load.h"

#include <string.h>

#include "unit/main.h"

static struct fn_loads *ls;

static void open_account(unsigned n) { ck_assert_int_eq(fn_loads_new(n, &ls), 0); }

static struct fn_load *load(const char *name, int64_t reserved, int64_t provisioned)
{
	struct fn_load *l = fn_load_get(ls, name);

	fn_load_limits(ls, l, reserved, provisioned);
	return l;
}

/* How many more of it may run. */
static unsigned fill(struct fn_load *l, enum fn_admission then)
{
	unsigned n = 0;
	enum fn_admission a;

	while ((a = fn_load_admit(ls, l)) == FN_ADMITTED)
		n++;
	ck_assert_int_eq(a, then);
	return n;
}

static void empty(struct fn_load *l)
{
	for (unsigned n = l->running; n > 0; n--)
		fn_load_done(ls, l);
}

START_TEST(account)
{
	struct fn_load *a, *b;

	open_account(10);
	a = load("a", -1, 0);
	b = load("b", -1, 0);
	ck_assert_int_eq(fn_load_admit(ls, a), FN_ADMITTED);
	ck_assert_uint_eq(fill(b, FN_ADMIT_ACCOUNT_FULL), 9);
	ck_assert_uint_eq(b->n.throttles, 1);
	fn_load_done(ls, a);
	ck_assert_uint_eq(fill(b, FN_ADMIT_ACCOUNT_FULL), 1);
	ck_assert_uint_eq(fn_loads_running(ls), 10);
	empty(b);
	ck_assert_uint_eq(fn_loads_running(ls), 0);
	fn_loads_free(ls);
}
END_TEST

START_TEST(reserved)
{
	struct fn_load *mine, *others, *none;

	open_account(10);
	mine = load("mine", 4, 0);
	others = load("others", -1, 0);
	none = load("none", 0, 0);
	ck_assert_uint_eq(fill(others, FN_ADMIT_ACCOUNT_FULL), 6);
	ck_assert_uint_eq(fill(mine, FN_ADMIT_FUNCTION_FULL), 4);
	ck_assert_uint_eq(fill(none, FN_ADMIT_FUNCTION_FULL), 0);
	/* the reservation is taken back while they run: they are on what is shared now */
	fn_load_limits(ls, mine, -1, 0);
	ck_assert_int_eq(fn_load_admit(ls, others), FN_ADMIT_ACCOUNT_FULL);
	fn_load_done(ls, mine);
	ck_assert_int_eq(fn_load_admit(ls, others), FN_ADMITTED);
	/* and given again, less than what runs */
	fn_load_limits(ls, mine, 1, 0);
	ck_assert_int_eq(fn_load_admit(ls, mine), FN_ADMIT_FUNCTION_FULL);
	ck_assert_uint_eq(fill(others, FN_ADMIT_ACCOUNT_FULL), 2);
	empty(mine);
	empty(others);
	ck_assert_uint_eq(fill(others, FN_ADMIT_ACCOUNT_FULL), 9);
	fn_loads_free(ls);
}
END_TEST

START_TEST(provisioned)
{
	struct fn_load *p, *others;

	open_account(10);
	p = load("p", -1, 3);
	others = load("others", -1, 0);
	ck_assert_uint_eq(fill(others, FN_ADMIT_ACCOUNT_FULL), 7); /* three are set aside */
	ck_assert_uint_eq(fill(p, FN_ADMIT_ACCOUNT_FULL), 3);
	empty(others);
	ck_assert_uint_eq(fill(p, FN_ADMIT_ACCOUNT_FULL), 7); /* spill-over */
	fn_load_limits(ls, p, -1, 0); /* not provisioned any more */
	ck_assert_int_eq(fn_load_admit(ls, others), FN_ADMIT_ACCOUNT_FULL);
	empty(p);
	ck_assert_uint_eq(fill(others, FN_ADMIT_ACCOUNT_FULL), 10);
	/* a reservation covers what is provisioned */
	empty(others);
	fn_load_limits(ls, p, 5, 3);
	ck_assert_uint_eq(fill(p, FN_ADMIT_FUNCTION_FULL), 5);
	ck_assert_uint_eq(fill(others, FN_ADMIT_ACCOUNT_FULL), 5);
	fn_loads_free(ls);
}
END_TEST

START_TEST(deleted)
{
	struct fn_load *l;

	open_account(5);
	l = load("f", 4, 0);
	ck_assert_int_eq(fn_load_admit(ls, l), FN_ADMITTED);
	fn_load_forget(ls, "f");
	fn_load_forget(ls, "never");
	ck_assert_uint_eq(fill(load("g", -1, 0), FN_ADMIT_ACCOUNT_FULL), 4);
	fn_load_done(ls, l);
	ck_assert_uint_eq(fn_loads_running(ls), 4);
	fn_loads_free(ls);
}
END_TEST

START_TEST(metrics)
{
	struct fn_buf b = {0};
	struct fn_load *l;

	open_account(5);
	l = load("f-1", -1, 4);
	ck_assert_int_eq(fn_load_admit(ls, l), FN_ADMITTED);
	l->n.invocations = 7;
	l->n.duration_us = 1500000;
	l->provisioned_running = 1;
	ck_assert_int_eq(fn_loads_metrics(ls, &b), 0);
	fn_buf_add(&b, "", 1);
	ck_assert_ptr_nonnull(strstr(b.data, "# TYPE fnd_invocations_total counter\nfnd_invocations_total{function=\"f-1\"} 7\n"));
	ck_assert_ptr_nonnull(strstr(b.data, "fnd_duration_seconds_total{function=\"f-1\"} 1.500000\n"));
	ck_assert_ptr_nonnull(strstr(b.data, "fnd_concurrent_executions{function=\"f-1\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(b.data, "fnd_provisioned_concurrency_utilization{function=\"f-1\"} 0.2500\n"));
	fn_buf_free(&b);
	fn_loads_free(ls);
}
END_TEST

TEST_MAIN("invoke/load", account, reserved, provisioned, deleted, metrics)
