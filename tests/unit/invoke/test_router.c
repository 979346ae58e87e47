#include "invoke/router.h"

#include <stdlib.h>
#include <string.h>

#include "store/concurrency.h"
#include "unit/main.h"
#include "unit/stored.h"

static struct fn_alias *make(const char *version, const char *other, double weight)
{
	struct fn_alias *a = fn_alias_new("a");

	a->version = strdup(version);
	a->other_version = other ? strdup(other) : NULL;
	a->other_weight = weight;
	return a;
}

START_TEST(the_number_decides)
{
	static const struct {
		double weight;
		uint32_t random;
		const char *want;
	} t[] = {{0, 0, "1"},          {0, UINT32_MAX, "1"},  {1, 0, "2"},          {1, UINT32_MAX, "2"},  {0.5, 0x7fffffff, "2"},
		 {0.5, 0x80000000, "1"}, {0.25, 0x3fffffff, "2"}, {0.25, 0x40000000, "1"}, {1e-9, 0, "2"}, {1e-9, 5, "1"}};
	struct fn_alias *a = make("1", NULL, 0);

	ck_assert_str_eq(fn_route_choose(a, 0), "1");
	fn_alias_free(a);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		a = make("1", "2", t[i].weight);
		ck_assert_str_eq(fn_route_choose(a, t[i].random), t[i].want);
		fn_alias_free(a);
	}
}
END_TEST

START_TEST(shares_over_10000)
{
	for (int percent = 0; percent <= 100; percent++) {
		struct fn_alias *a = make("1", "2", percent / 100.0);
		unsigned other = 0;

		for (int i = 0; i < 10000; i++)
			other += fn_route_choose(a, fn_alias_draw(a))[0] == '2';
		/* far within the 1 % that is promised: a standard deviation is 5 invocations */
		ck_assert_msg(abs((int)other - percent * 100) <= 40, "%u of 10000 at %d %%", other, percent);
		fn_alias_free(a);
	}
}
END_TEST

/* Balanced, yet no pattern: neither the same order in each round nor a version after which the other is sure to come. */
START_TEST(draws_cannot_be_foretold)
{
	struct fn_alias *a = make("1", "2", 0.5), *b = fn_alias_clone(a);
	unsigned same_place = 0, changes = 0, low_bits = 0, before = 0;
	uint32_t round[FN_ALIAS_STRATA];
	bool seen[FN_ALIAS_STRATA];

	for (int r = 0; r < 100; r++) {
		memset(seen, 0, sizeof(seen));
		for (int i = 0; i < FN_ALIAS_STRATA; i++) {
			uint32_t d = fn_alias_draw(a), side = d >> 31;

			ck_assert(!seen[d >> 25]); /* each stratum once a round */
			seen[d >> 25] = true;
			same_place += r > 0 && round[i] >> 25 == d >> 25;
			changes += side != before;
			low_bits += d & 1 ? 0 : 1;
			before = side;
			round[i] = d;
		}
	}
	/* 12,800 draws: by chance 100 at the same place, half with a change, half even */
	ck_assert_uint_lt(same_place, 200);
	ck_assert(changes > 6000 && changes < 7000);
	ck_assert(low_bits > 6000 && low_bits < 6800);
	for (int i = 0; i < FN_ALIAS_STRATA; i++)
		low_bits += fn_alias_draw(b) == round[i];
	ck_assert_uint_lt(low_bits, 6810);
	fn_alias_free(a);
	fn_alias_free(b);
}
END_TEST

START_TEST(names_and_numbers)
{
	ck_assert(fn_alias_name_valid("prod") && fn_alias_name_valid("1a") && fn_alias_name_valid("-") && fn_alias_name_valid("_1"));
	ck_assert(!fn_alias_name_valid("") && !fn_alias_name_valid("12") && !fn_alias_name_valid("a.b") && !fn_alias_name_valid("$LATEST"));
	ck_assert_uint_eq(fn_version_number("$LATEST"), 0);
	ck_assert_uint_eq(fn_version_number("17"), 17);
	ck_assert_uint_eq(fn_version_number("0"), UINT64_MAX);
	ck_assert_uint_eq(fn_version_number("017"), UINT64_MAX);
	ck_assert_uint_eq(fn_version_number("1x"), UINT64_MAX);
	ck_assert_uint_eq(fn_version_number("99999999999999999999999"), UINT64_MAX);
	ck_assert_uint_eq(fn_version_number(NULL), UINT64_MAX);
}
END_TEST

static char dir[] = "fnd-router-XXXXXX";

START_TEST(routes_through_the_store)
{
	struct fn_function *f = fn_function_new(), *v = fn_function_new();
	unsigned other = 0;
	struct fn_store *s;
	struct fn_err err;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(fn_store_open(dir, unit_loop(), &s, &err), 0);
	f->name = strdup("f");
	f->version = strdup("$LATEST");
	v->name = strdup("f");
	v->version = strdup("1");
	ck_assert_int_eq(unit_store(fn_store_insert, s, f, v), 0);
	fn_function_unref(v);
	v = fn_function_clone(f);
	free(v->version);
	v->version = strdup("2");
	ck_assert_int_eq(unit_store(fn_store_publish, s, f, v), 0);
	ck_assert_int_eq(unit_store(fn_store_set_alias, s, "f", make("$LATEST", "2", 0.3)), 0);
	ck_assert_str_eq(fn_route(s, "f", NULL)->version, "$LATEST");
	ck_assert_str_eq(fn_route(s, "f", "2")->version, "2");
	ck_assert_ptr_null(fn_route(s, "f", "b"));
	ck_assert_ptr_null(fn_route(s, "g", "a"));
	for (int i = 0; i < 1000; i++)
		other += strcmp(fn_route(s, "f", "a")->version, "2") == 0;
	ck_assert(other >= 280 && other <= 320);
	fn_function_unref(f);
	fn_function_unref(v);
	fn_store_close(s);
}
END_TEST

TEST_MAIN("invoke/router", the_number_decides, shares_over_10000, draws_cannot_be_foretold, names_and_numbers, routes_through_the_store)
