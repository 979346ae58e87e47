#include "invoke/load.h"

#include <string.h>

#include "unit/main.h"

static struct fn_loads *ls;

static void open_account(unsigned n) { ck_assert_int_eq(fn_loads_new(n, &ls), 0); }

static struct fn_load *load(const char *name, int64_t reserved, int64_t provisioned)
{
	struct fn_load *l = fn_load_get(ls, name);

	fn_load_limits(ls, l, reserved);
	ck_assert_int_eq(fn_load_provision(ls, l, "1", provisioned), 0);
	return l;
}

static enum fn_admission admit(struct fn_load *l, const char *version)
{
	struct fn_load_part *part = NULL;

	return fn_load_admit(ls, l, version, &part);
}

static void done(struct fn_load *l, const char *version)
{
	struct fn_load_part *p = l->parts;

	while (p && strcmp(p->version, version) != 0)
		p = p->next;
	fn_load_done(ls, l, p);
}

/* How many more of this version may run. */
static unsigned fill_version(struct fn_load *l, const char *version, enum fn_admission then)
{
	unsigned n = 0;
	enum fn_admission a;

	while ((a = admit(l, version)) == FN_ADMITTED)
		n++;
	ck_assert_int_eq(a, then);
	return n;
}

static unsigned fill(struct fn_load *l, enum fn_admission then) { return fill_version(l, "1", then); }

static void empty(struct fn_load *l)
{
	for (unsigned n = l->running; n > 0; n--)
		done(l, "1");
}

START_TEST(account)
{
	struct fn_load *a, *b;

	open_account(10);
	a = load("a", -1, 0);
	b = load("b", -1, 0);
	ck_assert_int_eq(admit(a, "1"), FN_ADMITTED);
	ck_assert_uint_eq(fill(b, FN_ADMIT_ACCOUNT_FULL), 9);
	ck_assert_uint_eq(b->n.throttles, 1);
	done(a, "1");
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
	(void)load("mine", -1, 0);
	ck_assert_int_eq(admit(others, "1"), FN_ADMIT_ACCOUNT_FULL);
	done(mine, "1");
	ck_assert_int_eq(admit(others, "1"), FN_ADMITTED);
	/* and given again, less than what runs */
	(void)load("mine", 1, 0);
	ck_assert_int_eq(admit(mine, "1"), FN_ADMIT_FUNCTION_FULL);
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
	(void)load("p", -1, 0); /* not provisioned any more */
	ck_assert_int_eq(admit(others, "1"), FN_ADMIT_ACCOUNT_FULL);
	empty(p);
	ck_assert_uint_eq(fill(others, FN_ADMIT_ACCOUNT_FULL), 10);
	/* a reservation covers what is provisioned */
	empty(others);
	(void)load("p", 5, 3);
	ck_assert_uint_eq(fill(p, FN_ADMIT_FUNCTION_FULL), 5);
	ck_assert_uint_eq(fill(others, FN_ADMIT_ACCOUNT_FULL), 5);
	fn_loads_free(ls);
}
END_TEST

/* What is provisioned for version 1 is nobody else's: not $LATEST's, within a reservation or the account. */
START_TEST(provisioned_for_a_version)
{
	struct fn_load *f, *others;

	open_account(10);
	f = load("f", 1, 1);
	ck_assert_uint_eq(fill_version(f, "$LATEST", FN_ADMIT_FUNCTION_FULL), 0);
	ck_assert_uint_eq(fill_version(f, "2", FN_ADMIT_FUNCTION_FULL), 0);
	ck_assert_uint_eq(fill(f, FN_ADMIT_FUNCTION_FULL), 1);
	done(f, "1");
	/* beside it there is some left, which version 1 may use too */
	(void)load("f", 3, 1);
	ck_assert_int_eq(admit(f, "$LATEST"), FN_ADMITTED);
	ck_assert_uint_eq(fill(f, FN_ADMIT_FUNCTION_FULL), 2);
	done(f, "1"); /* the one over: what is left is $LATEST's */
	ck_assert_uint_eq(fill_version(f, "$LATEST", FN_ADMIT_FUNCTION_FULL), 1);
	done(f, "1");
	ck_assert_uint_eq(fill_version(f, "$LATEST", FN_ADMIT_FUNCTION_FULL), 0);
	done(f, "$LATEST");
	done(f, "$LATEST");
	/* without a reservation */
	(void)load("f", -1, 4);
	others = load("others", -1, 0);
	ck_assert_uint_eq(fill_version(f, "$LATEST", FN_ADMIT_ACCOUNT_FULL), 6);
	ck_assert_int_eq(admit(others, "1"), FN_ADMIT_ACCOUNT_FULL);
	ck_assert_uint_eq(fill(f, FN_ADMIT_ACCOUNT_FULL), 4);
	/* it is for version 2 from now on; those of version 1 run on what is shared, until they end */
	fn_load_limits(ls, f, -1);
	ck_assert_int_eq(fn_load_provision(ls, f, "2", 3), 0);
	ck_assert_uint_eq(fill_version(f, "2", FN_ADMIT_ACCOUNT_FULL), 3);
	for (int i = 0; i < 4; i++)
		done(f, "1");
	ck_assert_int_eq(admit(others, "1"), FN_ADMITTED);
	ck_assert_int_eq(admit(others, "1"), FN_ADMIT_ACCOUNT_FULL);
	fn_loads_free(ls);
}
END_TEST

START_TEST(url_requests)
{
	struct fn_load *l;
	unsigned n = 0;

	open_account(1000);
	l = load("f", -1, 0);
	for (unsigned i = 0; i < 1000; i++)
		ck_assert(fn_load_url_request(l, 1000));
	fn_load_limits(ls, l, 3);
	while (fn_load_url_request(l, 1000))
		n++;
	ck_assert_uint_eq(n, 30);
	ck_assert_uint_eq(l->n.throttles, 1);
	ck_assert(!fn_load_url_request(l, 34000)); /* a thirtieth of a second is one more */
	ck_assert(fn_load_url_request(l, 35000));
	ck_assert(!fn_load_url_request(l, 35000));
	for (n = 0; fn_load_url_request(l, 60000000u); n++)
		;
	ck_assert_uint_eq(n, 30); /* what was not used is not gathered */
	fn_load_limits(ls, l, 0);
	ck_assert(fn_load_url_request(l, 60000000u)); /* for fn_load_admit() to refuse, with its reason */
	fn_loads_free(ls);
}
END_TEST

START_TEST(deleted)
{
	struct fn_load *l;

	open_account(5);
	l = load("f", 4, 0);
	ck_assert_int_eq(admit(l, "1"), FN_ADMITTED);
	fn_load_forget(ls, "f");
	fn_load_forget(ls, "never");
	ck_assert_uint_eq(fill(load("g", -1, 0), FN_ADMIT_ACCOUNT_FULL), 4);
	done(l, "1");
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
	ck_assert_int_eq(admit(l, "1"), FN_ADMITTED);
	l->n.invocations = 7;
	l->n.duration_us = 1500000;
	l->provisioned_running = 1;
	l->environments = (struct fn_backend_environments){.starting = 4, .idle = 3, .busy = 1, .finishing = 2};
	ck_assert_int_eq(fn_loads_metrics(ls, &b), 0);
	fn_buf_add(&b, "", 1);
	ck_assert_ptr_nonnull(strstr(b.data, "# TYPE fnd_invocations_total counter\nfnd_invocations_total{function=\"f-1\"} 7\n"));
	ck_assert_ptr_nonnull(strstr(b.data, "fnd_duration_seconds_total{function=\"f-1\"} 1.500000\n"));
	ck_assert_ptr_nonnull(strstr(b.data, "fnd_concurrent_executions{function=\"f-1\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(b.data, "fnd_environments{function=\"f-1\",state=\"starting\"} 4\nfnd_environments{function=\"f-1\",state=\"idle\"} 3\n"));
	ck_assert_ptr_nonnull(strstr(b.data, "fnd_environments{function=\"f-1\",state=\"busy\"} 1\nfnd_environments{function=\"f-1\",state=\"finishing\"} 2\n"));
	ck_assert_ptr_nonnull(strstr(b.data, "fnd_provisioned_concurrency_utilization{function=\"f-1\"} 0.2500\n"));
	fn_buf_free(&b);
	fn_loads_free(ls);
}
END_TEST

TEST_MAIN("invoke/load", account, reserved, provisioned, provisioned_for_a_version, url_requests, deleted, metrics)
