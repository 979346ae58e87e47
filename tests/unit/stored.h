/*
 * stored.h - a store that a test opens, and writes that it waits for: unit_store(fn_store_insert, s, latest, NULL) is what came of it,
 * unit_err why.
 */
#ifndef TESTS_UNIT_STORED_H
#define TESTS_UNIT_STORED_H

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/loop.h"
#include "store/store.h"

static struct fn_err unit_err;
static int unit_result;

static inline void unit_stored(void *arg, const struct fn_err *err)
{
	(void)arg;
	unit_result = err ? -err->code : 0;
	if (err)
		unit_err = *err;
}

#define unit_store(write, s, ...)                                              \
	({                                                                     \
		int r_ = write(s, __VA_ARGS__, unit_stored, NULL, &unit_err);  \
		unit_result = 1;                                               \
		if (r_ == 0) {                                                 \
			fn_store_drain(s);                                     \
			r_ = unit_result;                                      \
		}                                                              \
		r_;                                                            \
	})

/* One for all stores of the test. */
static inline struct fn_loop *unit_loop(void)
{
	static struct fn_loop *loop;

	if (!loop && fn_loop_new(&loop) < 0)
		abort();
	return loop;
}

static inline struct fn_store *unit_open_here(void)
{
	struct fn_store *s;

	ck_assert_int_eq(fn_store_open(".", unit_loop(), &s, &unit_err), 0);
	return s;
}

/* In a directory of its own, in which the test is from now on. */
static inline struct fn_store *unit_open_store(void)
{
	char dir[] = "store-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	return unit_open_here();
}

static inline struct fn_store *unit_reopen(struct fn_store *s)
{
	fn_store_close(s);
	return unit_open_here();
}

#endif
