/*
 * times - runs commands side by side and times each from its start to its end. Prints {"name":{"us":[...],"cpu_us":per run,"failed":N},...}.
 *   times COUNT PARALLEL NAME COMMAND [NAME COMMAND ...]
 * Interleaved: round k runs each command once (PARALLEL copies of it at once). COMMAND is split at blanks; %d is replaced by a number
 * that is never used twice. What the commands print is dropped; a run that does not end with status 0 counts as failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX 16
#define WORDS 64
#define PARALLEL_MAX 1000

extern char **environ;

struct command {
	const char *name;
	char *words[WORDS];
	uint32_t *us;
	unsigned n, failed;
	double cpu_us; /* of all runs, with what they waited for */
};

static struct command commands[MAX];
static unsigned serial;

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static pid_t start(struct command *c, const posix_spawn_file_actions_t *fa)
{
	char *argv[WORDS], text[WORDS][256];
	unsigned n = 0;
	pid_t pid;

	serial++;
	for (; c->words[n]; n++) {
		const char *d = strstr(c->words[n], "%d");

		argv[n] = c->words[n];
		if (d) {
			snprintf(text[n], sizeof(text[n]), "%.*s%u%s", (int)(d - c->words[n]), c->words[n], serial, d + 2);
			argv[n] = text[n];
		}
	}
	argv[n] = NULL;
	if (posix_spawnp(&pid, argv[0], fa, NULL, argv, environ) != 0) {
		fprintf(stderr, "times: cannot start %s\n", argv[0]);
		exit(1);
	}
	return pid;
}

static void round_of(struct command *c, unsigned parallel, const posix_spawn_file_actions_t *fa)
{
	uint64_t from[PARALLEL_MAX];
	pid_t pids[PARALLEL_MAX];

	for (unsigned i = 0; i < parallel; i++) {
		from[i] = now_us();
		pids[i] = start(c, fa);
	}
	for (unsigned left = parallel; left > 0; left--) {
		int status;
		struct rusage u;
		pid_t pid = wait4(-1, &status, 0, &u);
		uint64_t now = now_us();

		c->cpu_us += (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);

		for (unsigned i = 0; i < parallel; i++)
			if (pids[i] == pid) {
				if (status == 0)
					c->us[c->n++] = (uint32_t)(now - from[i]);
				else
					c->failed++;
			}
	}
}

int main(int argc, char **argv)
{
	unsigned count = argc > 4 ? (unsigned)atoi(argv[1]) : 0, parallel = argc > 4 ? (unsigned)atoi(argv[2]) : 0, n = 0;
	posix_spawn_file_actions_t fa;

	if (count == 0 || parallel == 0 || parallel > PARALLEL_MAX || argc % 2 != 1 || argc > 3 + 2 * MAX)
		return 2;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
	for (int i = 3; i < argc; i += 2, n++) {
		unsigned w = 0;

		commands[n].name = argv[i];
		for (char *p = strtok(argv[i + 1], " "); p && w < WORDS - 1; p = strtok(NULL, " "))
			commands[n].words[w++] = p;
		commands[n].us = calloc((size_t)count * parallel, sizeof(uint32_t));
		if (!commands[n].us || w == 0)
			return 1;
	}
	for (unsigned k = 0; k < count; k++)
		for (unsigned i = 0; i < n; i++)
			round_of(&commands[i], parallel, &fa);
	posix_spawn_file_actions_destroy(&fa);
	printf("{");
	for (unsigned i = 0; i < n; i++) {
		printf("%s\"%s\":{\"failed\":%u,\"cpu_us\":%.1f,\"us\":[", i ? "," : "", commands[i].name, commands[i].failed,
		       commands[i].cpu_us / ((double)count * parallel));
		for (unsigned k = 0; k < commands[i].n; k++)
			printf("%s%u", k ? "," : "", commands[i].us[k]);
		printf("]}");
	}
	printf("}\n");
	return 0;
}
