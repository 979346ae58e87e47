#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/main.h"
#include "web/json_file.h"

static void is_said(const char *content, const char *what)
{
	char path[] = "/tmp/fn-json-XXXXXX";
	int fd = mkstemp(path);
	struct fn_err err = {0};
	json_t *root = NULL;

	ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	close(fd);
	ck_assert_int_eq(fn_json_file_object(path, -EBADF, "stage", &root, &err), what ? -EINVAL : 0);
	unlink(path);
	ck_assert_msg(!what || (strstr(err.msg, path) && strstr(err.msg, what)), "%s", err.msg);
	ck_assert_int_eq(root != NULL, !what);
	json_decref(root);
}

START_TEST(objects_and_what_is_none)
{
	struct fn_err err = {0};
	json_t *root = NULL;

	is_said("{\"a\": 1}", NULL);
	is_said("[1]", "must be a JSON object");
	is_said("{\n\"a\": }", "line 2");
	is_said("{\"a\": 1, \"a\": 2}", "line 1");
	ck_assert_int_eq(fn_json_file_object("/nonexistent/x.json", -EBADF, "stage", &root, &err), -EINVAL);
	ck_assert_msg(strstr(err.msg, "/nonexistent/x.json") && !strstr(err.msg, "line"), "%s", err.msg);
}
END_TEST

TEST_MAIN("web/json_file", objects_and_what_is_none)
