#include "store/urls.h"

#include <errno.h>
#include <string.h>

#include "store/aliases.h"
#include "store/functions.h"
#include "store/policies.h"
#include "unit/main.h"
#include "unit/stored.h"

static struct fn_store *with_function(void)
{
	struct fn_store *s = unit_open_store();
	struct fn_function *f = fn_function_new(), *v = fn_function_new();
	struct fn_alias *a = fn_alias_new("live");

	f->name = strdup("f");
	f->version = strdup("$LATEST");
	v->name = strdup("f");
	v->version = strdup("1");
	a->version = strdup("1");
	ck_assert_int_eq(unit_store(fn_store_insert, s, f, v), 0);
	ck_assert_int_eq(unit_store(fn_store_set_alias, s, "f", a), 0);
	fn_function_unref(f);
	fn_function_unref(v);
	return s;
}

static void set_url(struct fn_store *s, const char *qualifier, enum fn_url_auth auth)
{
	struct fn_url *u = fn_url_new("f", qualifier);

	u->auth = auth;
	u->cors = strdup("{\"MaxAge\":1}");
	u->streams = u->mode_given = true;
	u->created_us = 7;
	ck_assert(fn_url_id_valid(u->id));
	ck_assert_int_eq(unit_store(fn_store_set_url, s, u), 0);
}

START_TEST(urls_survive_reopening_and_go_with_their_function)
{
	struct fn_store *s = with_function();
	const struct fn_url *page[4], *u;
	uint64_t changes;
	char id[FN_URL_ID_SIZE];

	changes = fn_store_changes(s);
	set_url(s, "live", FN_URL_IAM);
	set_url(s, "", FN_URL_NONE);
	ck_assert_uint_eq(fn_store_changes(s), changes + 2);
	s = unit_reopen(s);
	ck_assert_uint_eq(fn_store_list_urls(s, "f", NULL, page, 4), 2);
	ck_assert_str_eq(page[0]->qualifier, "");
	ck_assert_str_eq(page[1]->qualifier, "live");
	ck_assert_uint_eq(fn_store_list_urls(s, "f", "", page, 4), 1);
	u = fn_store_url(s, "f", "live");
	ck_assert_int_eq(u->auth, FN_URL_IAM);
	ck_assert(u->streams && u->mode_given);
	ck_assert_uint_eq(u->created_us, 7);
	ck_assert_str_eq(u->cors, "{\"MaxAge\":1}");
	strcpy(id, u->id);
	ck_assert_ptr_eq(fn_store_url_by_id(s, id), u);
	ck_assert_int_eq(unit_store(fn_store_delete_alias, s, "f", "live"), 0);
	ck_assert_ptr_nonnull(fn_store_url_by_id(s, id)); /* as recorded */
	ck_assert_int_eq(unit_store(fn_store_delete_url, s, "f", "live"), 0);
	ck_assert_ptr_null(fn_store_url_by_id(s, id));
	ck_assert_int_eq(unit_store(fn_store_delete_url, s, "f", "live"), -ENOENT);
	strcpy(id, fn_store_url(s, "f", "")->id);
	ck_assert_int_eq(unit_store(fn_store_delete, s, "f"), 0);
	ck_assert_ptr_null(fn_store_url_by_id(s, id));
	s = unit_reopen(s);
	ck_assert_ptr_null(fn_store_url_by_id(s, id));
	fn_store_close(s);
}
END_TEST

START_TEST(a_policy_has_the_revision_of_what_it_is_about)
{
	struct fn_store *s = with_function();
	char before[37];

	strcpy(before, fn_store_get(s, "f", NULL)->revision_id);
	ck_assert_int_eq(unit_store(fn_store_set_policy, s, "f", "", "[1]"), 0);
	ck_assert_str_ne(fn_store_get(s, "f", NULL)->revision_id, before);
	strcpy(before, fn_store_get(s, "f", "1")->revision_id);
	ck_assert_int_eq(unit_store(fn_store_set_policy, s, "f", "1", "[2]"), 0);
	ck_assert_str_ne(fn_store_get(s, "f", "1")->revision_id, before);
	strcpy(before, fn_store_alias(s, "f", "live")->revision_id);
	ck_assert_int_eq(unit_store(fn_store_set_policy, s, "f", "live", "[3]"), 0);
	ck_assert_str_ne(fn_store_alias(s, "f", "live")->revision_id, before);
	strcpy(before, fn_store_alias(s, "f", "live")->revision_id);
	ck_assert_int_eq(unit_store(fn_store_set_policy, s, "f", "none", "[3]"), -ENOENT);
	s = unit_reopen(s);
	ck_assert_str_eq(fn_store_alias(s, "f", "live")->revision_id, before);
	ck_assert_str_eq(fn_store_policy(s, "f", ""), "[1]");
	ck_assert_str_eq(fn_store_policy(s, "f", "1"), "[2]");
	ck_assert_str_eq(fn_store_policy(s, "f", "live"), "[3]");
	ck_assert_int_eq(unit_store(fn_store_set_policy, s, "f", "", NULL), 0);
	ck_assert_ptr_null(fn_store_policy(s, "f", ""));
	ck_assert_int_eq(unit_store(fn_store_delete_alias, s, "f", "live"), 0);
	ck_assert_ptr_null(fn_store_policy(s, "f", "live"));
	ck_assert_int_eq(unit_store(fn_store_delete_version, s, "f", "1"), 0);
	ck_assert_ptr_null(fn_store_policy(s, "f", "1"));
	s = unit_reopen(s);
	ck_assert_ptr_null(fn_store_policy(s, "f", "live"));
	ck_assert_ptr_null(fn_store_policy(s, "f", "1"));
	fn_store_close(s);
}
END_TEST

TEST_MAIN("store/urls", urls_survive_reopening_and_go_with_their_function, a_policy_has_the_revision_of_what_it_is_about)
