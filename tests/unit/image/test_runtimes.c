/* Base images that were there before: which file is whose. */
#include "image/runtimes.h"
#include "unit/main.h"

START_TEST(kept)
{
	ck_assert(fn_runtime_is_kept(".kept-python3.11-0123456789abcdef.json", "python3.11"));
	ck_assert(fn_runtime_is_kept(".kept-python3.11-mine-0123456789abcdef.json", "python3.11-mine"));
	ck_assert(!fn_runtime_is_kept(".kept-python3.11-mine-0123456789abcdef.json", "python3.11"));
	ck_assert(!fn_runtime_is_kept(".kept-python3.11-0123456789abcdef.json", "python3.1"));
	ck_assert(!fn_runtime_is_kept(".kept-python3.11-0123456789abcdef.json.tmp", "python3.11"));
	ck_assert(!fn_runtime_is_kept(".kept-python3.11-0123456789abcde.json", "python3.11"));
	ck_assert(!fn_runtime_is_kept(".kept-", "python3.11"));
	ck_assert(!fn_runtime_is_kept("python3.11.json", "python3.11"));
}
END_TEST

TEST_MAIN("image/runtimes", kept)
