/* One bound over functions with events and mappings; in turn; something is always left for whoever comes. */
#include "events/share.h"

#include "unit/main.h"

static struct fn_loop *loop;
static struct fn_share share;

struct user {
	struct fn_claim claim;
	unsigned wants, has;
	char name;
};
static char order[4096];
static unsigned n_order;

static void on_turn(struct fn_claim *c)
{
	struct user *u = fn_list_entry(c, struct user, claim);
	bool counted;

	if (u->wants == 0)
		return;
	fn_share_take(&share, c, &counted);
	ck_assert(counted == !c->reserved);
	if (n_order < sizeof(order) - 1)
		order[n_order++] = u->name;
	u->has++;
	if (--u->wants > 0)
		fn_share_want(&share, c);
}

static void ask(struct user *u, char name, unsigned n)
{
	u->claim.turn = on_turn;
	u->name = name;
	u->wants = n;
	fn_share_want(&share, &u->claim);
}

static void run(void)
{
	for (int i = 0; i < 3; i++)
		ck_assert_int_ge(fn_loop_run_once(loop, 0), 0);
}

static void give(struct user *u, unsigned n)
{
	for (; n > 0; n--, u->has--)
		fn_share_give(&share, &u->claim, !u->claim.reserved);
}

static void begin(double part, unsigned account)
{
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	fn_share_init(&share, loop, part, account);
	n_order = 0;
}

static void end(void)
{
	fn_share_close(&share);
	fn_loop_free(loop);
}

START_TEST(one_alone_leaves_a_fifth)
{
	struct user a = {0}, b = {0};

	begin(0.5, 1000);
	ck_assert_uint_eq(fn_share_room(&share, &a.claim), 400);
	ask(&a, 'a', 1000);
	run();
	ck_assert_uint_eq(a.has, 400);
	ask(&b, 'b', 1000); /* whoever comes has some at once, */
	run();
	ck_assert_uint_eq(b.has, 80);
	give(&a, 400); /* and with time both the same */
	run();
	give(&b, 80);
	run();
	for (int i = 0; i < 20; i++) {
		give(&a, a.has);
		give(&b, b.has);
		a.wants = b.wants = 1000;
		run();
	}
	ck_assert(a.has >= 222 && a.has <= 223); /* 4/9 */
	ck_assert(b.has >= 222 && b.has <= 223);
	end();
}
END_TEST

START_TEST(together_they_have_no_more_than_the_share_and_take_turns)
{
	struct user u[7] = {0};

	begin(0.5, 10);
	for (int i = 0; i < 7; i++)
		ask(&u[i], (char)('a' + i), 2);
	run();
	ck_assert_uint_eq(share.used, 5);
	ck_assert_uint_eq(n_order, 5);
	give(&u[0], 1);
	give(&u[1], 1);
	run();
	order[n_order] = '\0';
	ck_assert_str_eq(order, "abcdefg");
	for (int i = 2; i < 7; i++)
		give(&u[i], 1);
	run();
	order[n_order] = '\0';
	ck_assert_str_eq(order, "abcdefgabcde");
	end();
}
END_TEST

START_TEST(the_smallest_share_is_one)
{
	struct user a = {0}, b = {0};

	begin(0.01, 10);
	ask(&a, 'a', 2);
	ask(&b, 'b', 1);
	run();
	ck_assert_uint_eq(share.used, 1);
	give(&a, 1);
	run();
	ck_assert(a.has == 0 && b.has == 1);
	end();
}
END_TEST

/* A function with concurrency of its own takes nothing from the others, nor they from it; what fnd says of it comes with its first answer. */
START_TEST(reserved_concurrency_is_outside)
{
	struct user a = {0}, r = {0};

	begin(0.5, 20);
	ask(&a, 'a', 100);
	run();
	ck_assert_uint_eq(a.has, 8);
	fn_share_learn(&share, &r.claim, "6 14");
	ck_assert(r.claim.reserved);
	ck_assert_uint_eq(share.most, 7); /* of what is left */
	ask(&r, 'r', 6);
	run();
	ck_assert_uint_eq(r.has, 6);
	ck_assert_uint_eq(share.used, 8);
	give(&r, 6);
	fn_share_learn(&share, &r.claim, "-1 20");
	ck_assert(!r.claim.reserved);
	ck_assert_uint_eq(share.most, 10);
	fn_share_learn(&share, &r.claim, NULL);
	fn_share_learn(&share, &r.claim, "x");
	fn_share_learn(&share, &r.claim, "-1 21");
	ck_assert_uint_eq(share.most, 10);
	end();
}
END_TEST

START_TEST(provisioned_pollers_have_their_minimum_before_the_threshold)
{
	struct user a = {.claim.own = 20};

	begin(0.5, 44);
	ck_assert_uint_eq(fn_share_room(&share, &a.claim), 20);
	a.claim.own = 200;
	ck_assert_uint_eq(fn_share_room(&share, &a.claim), 22); /* never beyond the share */
	end();
}
END_TEST

TEST_MAIN("events/share", one_alone_leaves_a_fifth, together_they_have_no_more_than_the_share_and_take_turns, the_smallest_share_is_one, reserved_concurrency_is_outside,
	  provisioned_pollers_have_their_minimum_before_the_threshold)
