/* fuzz.c - see fuzz.h. */
#include "fuzz/fuzz.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/buf.h"
#include "sandbox/spec.h"

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

#define TREE "code-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

uint8_t *fuzz_spec(struct fuzz_in *in, size_t *ret_len)
{
	char *argv[] = {"bootstrap", NULL}, *envp[] = {"A=B", "C=D", NULL}, *candidates[] = {"/opt/first", "/var/task/bootstrap", NULL};
	struct fn_spec spec = {.name = "abc-1", .owner = "Ab_1", .memory_bytes = 1u << 27, .cpu_quota_us = 7000, .cpu_init_quota_us = 100000, .cpu_period_us = 100000,
			       .pids_max = 1024, .nofile = 1024, .tmp_bytes = 512u << 20, .n_lowers = 2, .lowers = {TREE, TREE}, .cwd = "/var/task",
			       .kind = "python3.11", .argv = argv, .envp = envp, .exec_candidates = candidates};
	struct fn_buf b = {0};
	size_t n, len;
	char *a, *c, *at;
	uint8_t *exact;

	fuzz_check(fn_spec_encode(&spec, &b) == 0);
	while (fuzz_more(in)) {
		switch (fuzz_byte(in)) {
		case 'R':
			a = fuzz_take(in, 0, &len);
			c = fuzz_take(in, 0, &n);
			at = len ? memmem(b.data, b.len, a, len) : NULL;
			if (at && n <= (size_t)(b.data + b.len - at))
				memcpy(at, c, n);
			free(a);
			free(c);
			break;
		case 'O':
			n = fuzz_byte(in);
			n = n << 8 | fuzz_byte(in);
			if (n < b.len)
				b.data[n] = (char)fuzz_byte(in);
			break;
		case 'T':
			n = fuzz_byte(in);
			b.len -= n < b.len ? n : b.len;
			break;
		case 'A':
			a = fuzz_take(in, 0, &len);
			fuzz_check(fn_buf_add(&b, a, len + 1) == 0);
			free(a);
			break;
		}
	}
	exact = malloc(b.len ? b.len : 1);
	memcpy(exact, b.data, b.len);
	*ret_len = b.len;
	fn_buf_free(&b);
	return exact;
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
