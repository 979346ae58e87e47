#include "os/dontfork.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/main.h"

static unsigned mappings_of(const char *name)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned n = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, name) != NULL;
	if (f)
		fclose(f);
	return n;
}

/* In a child of ours. */
static unsigned mappings_in_child_of(const char *name)
{
	pid_t pid = fork();
	int status = 0;

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit((int)mappings_of(name));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return (unsigned)WEXITSTATUS(status);
}

START_TEST(a_child_has_all_but_what_is_named)
{
	static const char *const names[] = {"libseccomp.so", "libnothing.so", NULL};

	ck_assert_ptr_nonnull(dlopen("libseccomp.so.2", RTLD_NOW));
	ck_assert_uint_gt(mappings_of("/libseccomp.so"), 0);
	ck_assert_uint_eq(mappings_in_child_of("/libseccomp.so"), mappings_of("/libseccomp.so"));
	ck_assert_uint_eq(fn_dontfork(names), 1);
	ck_assert_uint_gt(mappings_of("/libseccomp.so"), 0);
	ck_assert_uint_eq(mappings_in_child_of("/libseccomp.so"), 0);
	ck_assert_uint_eq(mappings_in_child_of("/libc.so"), mappings_of("/libc.so"));
}
END_TEST

TEST_MAIN("os/dontfork", a_child_has_all_but_what_is_named)
