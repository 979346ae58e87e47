/* What becomes of an invocation for which no environment can be started, and of one whose environment has not come back yet. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pool/group.h"
#include "unit/function.h"
#include "unit/main.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static bool no_memory; /* for environments */

#ifndef SANITIZED
void *__libc_calloc(size_t n, size_t size);
void *calloc(size_t n, size_t size)
{
	if (no_memory && size == sizeof(struct fn_member)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_calloc(n, size);
}
#endif

static unsigned n_failed;
static struct fn_err failure;

static void on_done(struct fn_invocation *inv)
{
	ck_assert_int_eq(inv->outcome, FN_INV_REFUSED);
	ck_assert_int_eq(inv->refusal, FN_REFUSAL_MACHINE);
	failure = inv->err;
	n_failed++;
}

static const struct fn_sink sink = {.fail = on_done};

static struct fn_invocation *invocation(struct fn_function *f)
{
	struct fn_invocation *inv = fn_invocation_new();

	inv->function = fn_function_ref(f);
	inv->sink = &sink;
	return inv;
}

START_TEST(without_memory_who_waits_is_answered)
{
	struct fn_pool_config c = {.env.region = "r"};
	struct fn_function *f = unit_function("$LATEST");
	struct fn_invocation *inv = invocation(f);
	struct fn_err err;
	struct fn_pool *p;

#ifdef SANITIZED
	printf("SKIP: sanitizers have an allocator of their own\n");
	fn_invocation_unref(inv);
	fn_function_unref(f);
	return;
#endif
	ck_assert_int_eq(fn_loop_new(&c.env.loop), 0);
	ck_assert_int_eq(fn_pool_new(&c, &p, &err), 0);
	no_memory = true;
	fn_pool_backend(p)->ops->submit(fn_pool_backend(p), inv);
	ck_assert_uint_eq(n_failed, 1);
	ck_assert_int_eq(failure.code, ENOMEM);
	no_memory = false;
	fn_invocation_unref(inv);
	ck_assert_uint_eq(fn_pool_workers(p), 0);
	fn_pool_free(p);
	fn_function_unref(f);
	fn_loop_free(c.env.loop);
}
END_TEST

TEST_MAIN("pool/pool", without_memory_who_waits_is_answered)
