#include "store/layers.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "store/functions.h"
#include "store/trees.h"
#include "unit/function.h"
#include "unit/main.h"
#include "unit/stored.h"

#define FOREIGN "arn:aws:lambda:us-east-1:123456789012:layer:theirs"

static struct fn_err err;

static struct fn_layer_version *version(const char *layer, int64_t n, const char *sha256)
{
	struct fn_layer_version *v = fn_layer_version_new();

	v->layer = strdup(layer);
	v->version = n;
	v->description = strdup("d");
	v->code_size = 100;
	v->unpacked_size = 200;
	v->created_us = 1700000000000000u;
	snprintf(v->code_sha256, sizeof(v->code_sha256), "%s", sha256);
	return v;
}

static int publish(struct fn_store *s, const char *layer, int64_t n, const char *sha256)
{
	struct fn_layer_version *v = version(layer, n, sha256);
	int r = unit_store(fn_store_publish_layer, s, v);

	fn_layer_version_unref(v);
	return r;
}

START_TEST(they_survive_reopening)
{
	struct fn_store *s = unit_open_store();
	struct fn_layer_version *v = version("l", 1, "aa"), *got;

	v->runtimes = calloc(2, sizeof(char *));
	v->runtimes[0] = strdup("python3.11");
	v->architectures = calloc(1, sizeof(char *)); /* given, and empty */
	v->license = strdup("MIT");
	strcpy(v->policy_revision, "r");
	ck_assert_int_eq(fn_layer_version_permit(v, "s", "*", "o-1"), 0);
	ck_assert_int_eq(fn_store_next_layer_version(s, "l"), 1);
	ck_assert_int_eq(unit_store(fn_store_publish_layer, s, v), 0);
	fn_layer_version_unref(v);
	ck_assert_int_eq(publish(s, "l", 1, "bb"), -EEXIST);
	ck_assert_int_eq(publish(s, "l", 2, "bb"), 0);
	ck_assert_int_eq(publish(s, FOREIGN, 7, "aa"), 0);
	ck_assert_int_eq(fn_store_code_bytes(s), 200); /* another account's does not count */
	s = unit_reopen(s);
	got = fn_store_layer_version(s, "l", 1);
	ck_assert_ptr_nonnull(got);
	ck_assert_str_eq(got->code_sha256, "aa");
	ck_assert_str_eq(got->runtimes[0], "python3.11");
	ck_assert(got->architectures && !got->architectures[0]);
	ck_assert_str_eq(got->license, "MIT");
	ck_assert_str_eq(got->statements[0].organization, "o-1");
	ck_assert_str_eq(got->policy_revision, "r");
	ck_assert_int_eq(got->unpacked_size, 200);
	ck_assert_int_eq((int64_t)got->created_us, 1700000000000000);
	ck_assert_ptr_null(fn_store_layer_version(s, "l", 2)->runtimes);
	ck_assert_ptr_nonnull(fn_store_layer_version(s, FOREIGN, 7));
	ck_assert_ptr_null(fn_store_layer_version(s, FOREIGN, 1));
	ck_assert_int_eq(fn_store_code_bytes(s), 200);
	fn_store_close(s);
}
END_TEST

START_TEST(numbers_are_given_once)
{
	struct fn_store *s = unit_open_store();

	for (int64_t n = 1; n <= 3; n++)
		ck_assert_int_eq(publish(s, "l", n, "aa"), 0);
	for (int64_t n = 1; n <= 3; n++)
		ck_assert_int_eq(unit_store(fn_store_delete_layer, s, "l", n), 0);
	ck_assert_int_eq(unit_store(fn_store_delete_layer, s, "l", 3), -ENOENT);
	ck_assert_int_eq(fn_store_next_layer_version(s, "l"), 4);
	ck_assert_ptr_null(fn_store_next_layer(s, NULL, NULL, NULL));
	s = unit_reopen(s);
	ck_assert_int_eq(fn_store_next_layer_version(s, "l"), 4);
	ck_assert_int_eq(fn_store_code_bytes(s), 0);
	fn_store_close(s);
}
END_TEST

START_TEST(lists)
{
	struct fn_store *s = unit_open_store();
	struct fn_layer_version *v;
	char name[16];

	for (int i = 19; i >= 0; i--) {
		snprintf(name, sizeof(name), "l%02d", i);
		for (int64_t n = 1; n <= 1 + i % 3; n++) {
			v = version(name, n, "aa");
			v->runtimes = calloc(2, sizeof(char *));
			v->runtimes[0] = strdup(n % 2 ? "odd" : "even");
			ck_assert_int_eq(unit_store(fn_store_publish_layer, s, v), 0);
			fn_layer_version_unref(v);
		}
	}
	v = fn_store_next_layer(s, NULL, NULL, NULL);
	ck_assert_str_eq(v->layer, "l00");
	for (int i = 1; i < 20; i++) {
		v = fn_store_next_layer(s, v->layer, NULL, NULL);
		snprintf(name, sizeof(name), "l%02d", i);
		ck_assert_str_eq(v->layer, name);
		ck_assert_int_eq(v->version, 1 + i % 3); /* the newest */
	}
	ck_assert_ptr_null(fn_store_next_layer(s, v->layer, NULL, NULL));
	v = fn_store_next_layer(s, NULL, "even", NULL);
	ck_assert_str_eq(v->layer, "l01"); /* l00 has none */
	ck_assert_int_eq(fn_store_next_layer(s, "l01x", "even", NULL)->version, 2); /* of l02 the third is odd */
	ck_assert_int_eq(fn_store_older_layer(s, "l02", 0, NULL, NULL)->version, 3);
	ck_assert_int_eq(fn_store_older_layer(s, "l02", 3, "odd", NULL)->version, 1);
	ck_assert_ptr_null(fn_store_older_layer(s, "l02", 1, NULL, NULL));
	ck_assert_ptr_null(fn_store_older_layer(s, "none", 0, NULL, NULL));
	fn_store_close(s);
}
END_TEST

static struct fn_function *with_layer(const char *arn, const char *sha256)
{
	struct fn_function *f = unit_function("$LATEST");
	struct fn_function_layer l = {.arn = (char *)arn, .code_size = 100, .unpacked_size = 200};

	snprintf(l.sha256, sizeof(l.sha256), "%s", sha256);
	ck_assert_int_eq(fn_function_set_layers(f, &l, 1), 0);
	return f;
}

/* A tree is needed by the version, by functions that have it, and by what is on its way to the disk. */
START_TEST(who_needs_a_tree)
{
	struct fn_store *s = unit_open_store();
	struct fn_function *f = with_layer("arn:l:1", "aa");
	struct fn_layer_version *v = version("l", 1, "aa");
	char turn[FN_STORE_LAYER_TURN_SIZE];

	ck_assert_int_eq(unit_store(fn_store_make_tree, s, "layer-aa", 0), 0);
	ck_assert_int_eq(unit_store(fn_store_make_tree, s, "blob-aa", 100), 0);
	ck_assert_int_eq(fn_store_publish_layer(s, v, NULL, NULL, &err), 0);
	ck_assert(fn_store_taken(s, fn_store_layer_turn("l", turn)));
	ck_assert_int_eq(fn_store_publish_layer(s, v, NULL, NULL, &err), -EAGAIN);
	ck_assert_uint_eq(fn_store_tree_refs(s, "layer-aa"), 1); /* under way */
	ck_assert_int_eq(fn_store_code_bytes(s), 100);
	fn_store_drain(s);
	ck_assert_uint_eq(fn_store_tree_refs(s, "layer-aa"), 1);
	ck_assert_uint_eq(fn_store_tree_refs(s, "code-aa"), 0);
	ck_assert_int_eq(fn_store_tree(s, "layer-aa")->state, FN_TREE_READY);
	ck_assert_int_eq(fn_store_tree(s, "blob-aa")->state, FN_TREE_READY);
	ck_assert_int_eq(fn_store_insert(s, f, NULL, NULL, NULL, &err), 0);
	ck_assert_uint_eq(fn_store_tree_refs(s, "layer-aa"), 2);
	ck_assert_int_eq(unit_store(fn_store_delete_layer, s, "l", 1), 0);
	ck_assert_uint_eq(fn_store_tree_refs(s, "layer-aa"), 1); /* the function has it still */
	s = unit_reopen(s);
	ck_assert_uint_eq(fn_store_tree_refs(s, "layer-aa"), 1);
	ck_assert_uint_eq(fn_store_tree_refs(s, "blob-aa"), 1);
	ck_assert_str_eq(fn_store_get(s, "f", NULL)->layers[0].arn, "arn:l:1");
	ck_assert_int_eq(fn_store_get(s, "f", NULL)->layers[0].unpacked_size, 200);
	ck_assert_int_eq(unit_store(fn_store_delete, s, "f"), 0);
	ck_assert_uint_eq(fn_store_tree_refs(s, "layer-aa") + fn_store_tree_refs(s, "blob-aa"), 0);
	fn_function_unref(f);
	fn_layer_version_unref(v);
	fn_store_close(s);
}
END_TEST

START_TEST(changes)
{
	struct fn_store *s = unit_open_store();
	struct fn_layer_version *v = version("l", 1, "aa");

	ck_assert_int_eq(unit_store(fn_store_update_layer, s, v), -ENOENT);
	ck_assert_int_eq(publish(s, "l", 1, "aa"), 0);
	ck_assert_int_eq(fn_layer_version_permit(v, "s", "*", NULL), 0);
	ck_assert_int_eq(unit_store(fn_store_update_layer, s, v), 0);
	ck_assert_uint_eq(fn_store_tree_refs(s, "layer-aa"), 1);
	ck_assert_int_eq(fn_store_code_bytes(s), 100);
	fn_layer_version_unref(v);
	s = unit_reopen(s);
	ck_assert_uint_eq(fn_store_layer_version(s, "l", 1)->n_statements, 1);
	fn_store_close(s);
}
END_TEST

TEST_MAIN("store/layers", they_survive_reopening, numbers_are_given_once, lists, who_needs_a_tree, changes)
