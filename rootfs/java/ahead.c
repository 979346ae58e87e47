/*
 * ahead.c - the part of a Java runtime's start ahead of its function (lib/sandbox/spec.h has the protocol) that Java has no means for: the process's environment,
 * its working directory and its name. Loaded by rootfs/java/src/fnd/runtime/Ahead.java; needs no header of Java's.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../libc.h"

static void take(int fd, void *to, size_t n)
{
	for (size_t have = 0; have < n;) {
		ssize_t r = read(fd, (char *)to + have, n - have);

		if (r <= 0)
			_exit(0); /* never needed */
		have += (size_t)r;
	}
}

static void set_comm(const char *name)
{
	int fd = open("/proc/self/comm", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!write(fd, name, strlen(name));
		close(fd);
	}
}

static void get_comm(char *name, size_t size)
{
	int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, name, size - 1) : 0;

	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

/* The places that /proc/self/cmdline and /proc/self/environ show (proc(5): arg_start and so on). */
static int shown(unsigned long at[4])
{
	char text[1024], *p;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC), field = 2;
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	p = strrchr(text, ')');
	while (p && field < 48) {
		p = strchr(p + 1, ' ');
		field++;
	}
	return p && libc_sscanf(p, " %lu %lu %lu %lu", &at[0], &at[1], &at[2], &at[3]) == 4 ? 0 : -1;
}

/* The number of the descriptor is the last of the arguments: it becomes what a start for a function has there. */
static void hide_argument(const unsigned long at[4], int fd)
{
	char number[16];
	size_t n = (size_t)snprintf(number, sizeof(number), "%d", fd) + 1;
	char *last = (char *)at[1] - n;

	if (at[1] - at[0] > n && n == sizeof("no") && memcmp(last, number, n) == 0)
		memcpy(last, "no", n);
}

__attribute__((visibility("default"))) void Java_fnd_runtime_Ahead_await0(void *env, void *class, int fd);
void Java_fnd_runtime_Ahead_await0(void *env, void *class, int fd)
{
	unsigned long at[4] = {0};
	char name[32], *environment;
	const char *directory;
	uint32_t size;

	(void)env, (void)class;
	get_comm(name, sizeof(name));
	if (shown(at) == 0)
		hide_argument(at, fd);
	set_comm("fn-ready");
	if (write(fd, "!", 1) != 1)
		_exit(0);
	take(fd, &size, sizeof(size));
	environment = malloc((size_t)size + 1); /* the process's from now on */
	if (!environment)
		_exit(1);
	take(fd, environment, size);
	environment[size] = '\0';
	close(fd);
	set_comm(name);
	clearenv();
	for (char *e = environment; *e; e += strlen(e) + 1)
		if (putenv(e) != 0)
			_exit(1);
	if (at[2] && size <= at[3] - at[2]) {
		memcpy((char *)at[2], environment, size);
		memset((char *)at[2] + size, 0, at[3] - at[2] - size);
	}
	directory = getenv("LAMBDA_TASK_ROOT");
	if (directory && chdir(directory) != 0)
		_exit(1);
}
