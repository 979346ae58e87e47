/* Base images that were there before: which file is whose. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void check(const char *text, const char *says)
{
	char path[] = "/tmp/fnd-unit-XXXXXX", words[512];
	int fd = mkstemp(path), r;
	struct fn_err err = {0};

	ck_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	r = fn_runtimes_check(path, &err);
	unlink(path);
	ck_assert_int_eq(r, says ? -EINVAL : 0);
	if (says)
		ck_assert_msg(strstr(fn_err_format(&err, words, sizeof(words)), says), "%s: %s", text, words);
}

START_TEST(checked)
{
	check("{}", NULL);
	check("{\"r\": {\"image\": \"i\", \"exec\": [\"/x\"], \"env\": {\"A\": \"b\"}, \"snapshot_hooks\": true, \"version\": \"1\"}}", NULL);
	check("{\"r\": []}", "r must be an object");
	check("{\"r\": {\"image\": \"i\"}}", "non-empty \"exec\"");
	check("{\"r\": {\"image\": \"i\", \"exec\": [\"/x\"], \"handler_required\": \"false\"}}", "\"handler_required\" must be true or false");
	check("{\"r\": {\"image\": \"i\", \"exec\": [\"/x\"], \"version\": 3}}", "\"version\" must be a string");
	check("{\"r\": {\"image\": \"i\", \"exec\": [\"/x\"], \"env\": [\"A=b\"]}}", "\"env\" hold strings only");
	check("{\"r\": {\"image\": \"i\", \"exec\": [\"/x\"], \"evn\": {}}}", "unknown key \"evn\"");
}
END_TEST

TEST_MAIN("image/runtimes", kept, checked)
