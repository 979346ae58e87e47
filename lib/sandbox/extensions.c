/*
 * extensions.c - the processes beside the function's own: what lies in /opt/extensions; see inside.h.
 *
 * As Lambda has it: every non-directory there, in the order of their names, without arguments, before the runtime. They are forked while init
 * still has the privileges that their confinement takes, and wait until it has none.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "os/ns.h"
#include "sandbox/inside.h"
#include "sandbox/proc.h"

#define DIRECTORY "/opt/extensions"
#define DISABLED "/opt/disable-extensions-jwigqn8j" /* as Lambda's: there is no other way out for a function that a layer hinders */

/* It becomes a header and part of log lines. */
static bool fit(const char *name)
{
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return fn_utf8_valid(name, strlen(name));
}

static int add(struct fn_inside_extensions *e, const char *name, struct fn_err *err)
{
	unsigned at = 0;

	if (!fit(name))
		return fn_err_kind(err, FN_ERR_EXTENSION, fn_err_set(err, EILSEQ, "extension", "a name in " DIRECTORY " is no text"));
	if (e->n >= FN_EXTENSIONS_MAX)
		return fn_err_kind(err, FN_ERR_EXTENSION, fn_err_set(err, E2BIG, "extension", "more than %u in " DIRECTORY, FN_EXTENSIONS_MAX));
	while (at < e->n && strcmp(e->names[at], name) <= 0)
		at++;
	memmove(e->names[at + 1], e->names[at], (e->n - at) * sizeof(e->names[0]));
	snprintf(e->names[at], sizeof(e->names[at]), "%s", name);
	e->n++;
	return 0;
}

static bool is_directory(int dir, const struct dirent64 *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type == DT_DIR;
	return fstatat(dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int look(struct fn_inside_extensions *e, struct fn_err *err)
{
	static _Alignas(struct dirent64) char buf[8192];
	fn_auto_fd int dir = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ssize_t n;

	e->off = faccessat(AT_FDCWD, DISABLED, F_OK, 0) == 0;
	if (dir < 0 || e->off)
		return 0;
	while ((n = getdents64(dir, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *d = (const struct dirent64 *)(buf + at);
			int r = 0;

			at += d->d_reclen;
			if (!is_directory(dir, d))
				r = add(e, d->d_name, err);
			if (r < 0)
				return r;
		}
	return n < 0 ? fn_err_kind(err, FN_ERR_EXTENSION, fn_err_set(err, errno, "extension", DIRECTORY)) : 0;
}

static int start(struct fn_inside *s, unsigned i, struct fn_err *err)
{
	struct fn_inside_extensions *e = &s->extensions;
	char path[sizeof(DIRECTORY) + 1 + sizeof(e->names[0])], *argv[] = {path, NULL}, byte;
	int r = fn_proc_limit_processes(0, s->spec.memory_bytes, err);

	if (r == 0)
		r = fn_inside_confine_function(s, e->output_fd, err);
	if (r < 0)
		return r;
	(void)!read(e->gate[0], &byte, 1);
	r = fn_inside_enter_function(s, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), DIRECTORY "/%s", e->names[i]);
	fn_spec_extension_env(s->spec.envp); /* our own copy of the vector */
	execve(path, argv, s->spec.envp);
	return fn_err_kind(err, FN_ERR_EXTENSION, fn_err_set(err, errno, "extension", "%.200s", e->names[i]));
}

static _Noreturn void run(struct fn_inside *s, unsigned i)
{
	struct fn_err err = {0};

	close(s->extensions.gate[1]);
	(void)start(s, i, &err);
	(void)fn_fd_write_all(s->extensions.exec_pipe[1], &err, sizeof(err));
	_exit(127);
}

/* From here on the ends of children are told by a descriptor. */
static int watch_children(struct fn_inside_extensions *e, struct fn_err *err)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &child, NULL) < 0 || (e->children_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		return fn_err_set(err, errno, "start extensions", "signalfd");
	return 0;
}

int fn_inside_fork_extensions(struct fn_inside *s, struct fn_err *err)
{
	struct fn_inside_extensions *e = &s->extensions;
	int r;

	if (!s->spec.extensions)
		return 0;
	r = look(e, err);
	if (r < 0 || e->n == 0)
		return r;
	if (pipe2(e->gate, O_CLOEXEC) < 0 || pipe2(e->exec_pipe, O_CLOEXEC) < 0)
		return fn_err_set(err, errno, "start extensions", "pipe");
	for (unsigned i = 0; i < e->n; i++) {
		e->pids[i] = fn_ns_fork(0);
		if (e->pids[i] < 0)
			return fn_err_set(err, e->pids[i], "start extensions", "fork");
		if (e->pids[i] == 0)
			run(s, i);
	}
	close(e->gate[0]);
	close(e->exec_pipe[1]);
	close(e->output_fd);
	return watch_children(e, err);
}

void fn_inside_release_extensions(struct fn_inside *s) { close(s->extensions.gate[1]); }

int fn_inside_await_extensions(struct fn_inside *s, struct fn_err *err)
{
	struct fn_err e;
	ssize_t n = fn_fd_read_all(s->extensions.exec_pipe[0], &e, sizeof(e));

	close(s->extensions.exec_pipe[0]);
	if (n != (ssize_t)sizeof(e))
		return 0;
	*err = e;
	return -e.code;
}
