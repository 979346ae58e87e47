/* fuzz.c - see fuzz.h. */
#include "fuzz/fuzz.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

void fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "fuzz: %s:%d: does not hold: %s\n", file, line, what);
	abort();
}

uint8_t fuzz_byte(struct fuzz_in *in) { return in->p < in->end ? *in->p++ : 0; }

char *fuzz_take(struct fuzz_in *in, uint8_t separator, size_t *ret_len)
{
	size_t left = (size_t)(in->end - in->p);
	const uint8_t *at = left ? memchr(in->p, separator, left) : NULL;
	size_t n = at ? (size_t)(at - in->p) : left;
	char *copy = malloc(n + 1);

	if (!copy)
		abort();
	if (n)
		memcpy(copy, in->p, n);
	copy[n] = '\0';
	in->p += n + (at != NULL);
	if (ret_len)
		*ret_len = n;
	return copy;
}

static char dir[64];

static void remove_dir(void)
{
	char cmd[100];

	(void)umount2(dir, MNT_DETACH);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	if (system(cmd) != 0)
		fprintf(stderr, "fuzz: %s is left\n", dir);
}

const char *fuzz_dir(void)
{
	if (dir[0])
		return dir;
	snprintf(dir, sizeof(dir), "/tmp/fn-fuzz-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	atexit(remove_dir);
	if (geteuid() == 0 && (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			       mount("none", dir, "tmpfs", MS_NODEV | MS_NOSUID, "mode=0711,size=256m") < 0))
		abort();
	return dir;
}
