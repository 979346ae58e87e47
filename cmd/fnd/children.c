/* children.c - see children.h. Runs in the supervisor. */
#include "children.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "spawn/server.h"

#define FD_FIRST 3
#define LOOK_US 10000u /* between two looks whether one has ended */
#define FDS_MOST 48 /* fn-gateway's keys and certificates among them */
#define FDS_ASIDE 64 /* where they wait while those below are given away */

void fnd_argv_add(struct fnd_argv *a, const char *fmt, ...)
{
	size_t room = sizeof(a->text) - a->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(a->text + a->used, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room || a->n == FND_ARGV_MAX - 1)
		abort();
	a->v[a->n++] = a->text + a->used;
	a->used += (size_t)n + 1;
}

static void add_number(struct fnd_argv *a, const char *option, int64_t value)
{
	fnd_argv_add(a, "%s", option);
	fnd_argv_add(a, "%lld", (long long)value);
}

static void add_text(struct fnd_argv *a, const char *option, const char *value)
{
	fnd_argv_add(a, "%s", option);
	fnd_argv_add(a, "%s", value);
}

static void argue_spawnd(const struct fnd_child_about *about, struct fnd_argv *a)
{
	const struct fnd_config *c = about->cfg;
	char platform[FND_PLATFORM_SIZE];

	fnd_argv_add(a, "fn-spawnd");
	add_text(a, "--state", c->state_dir);
	add_text(a, "--instance", about->instance);
	add_number(a, "--uid-base", c->uid_base);
	add_number(a, "--uid-count", c->uid_count);
	add_number(a, "--prepared-least", c->prepared_least);
	add_number(a, "--prepared-most", c->prepared_most);
	add_number(a, "--prestarted-least", c->prestarted_least);
	add_number(a, "--prestarted-most", c->prestarted_most);
	add_number(a, "--socket-fd", FD_FIRST);
	add_number(a, "--fetch-fd", FD_FIRST + 2);
	fnd_config_platform(c, platform);
	if (platform[0])
		add_text(a, "--platform", platform);
	add_text(a, "--tmp", fn_tmp_way_name(c->tmp_way));
	if (c->tmp_dir)
		add_text(a, "--tmp-dir", c->tmp_dir);
	add_number(a, "--tmp-disk-mb", c->tmp_disk_mb);
	if (c->net != FN_NET_NAT)
		return;
	add_text(a, "--bridge", c->bridge);
	add_text(a, "--subnet", c->subnet);
	add_text(a, "--resolv-conf", c->resolv_conf);
	add_text(a, "--allow-host", c->allow_host ? c->allow_host : "");
	fnd_argv_add(a, "--connections");
	fnd_argv_add(a, "%lld,%lld,%lld", (long long)c->connections_environment, (long long)c->connections_function, (long long)c->connections_total);
	if (!fn_str_empty(c->uplink))
		add_text(a, "--uplink", c->uplink);
}

/* The rest of its configuration is in the copy of the file. */
static void argue_worker(const struct fnd_child_about *about, struct fnd_argv *a)
{
	const struct fnd_config *c = about->cfg;

	fnd_argv_add(a, "fnd");
	fnd_argv_add(a, "--worker");
	fnd_argv_add(a, "%u:%u:%u:%u", (unsigned)about->uid, (unsigned)about->gid, (unsigned)about->gateway_uid, (unsigned)about->events_uid);
	add_text(a, "--listen", c->listen);
	add_text(a, "--state", c->state_dir);
	add_text(a, "--images", c->images_dir);
	fnd_argv_add(a, "--urls"); /* as the sockets were had */
	fnd_argv_add(a, "%s://%s", c->gateway.url_domain ? c->gateway.url_scheme : "none", c->gateway.url_domain ? c->gateway.url_domain : "");
	if (c->file)
		add_text(a, "--config", c->file);
}

static void argue_gateway(const struct fnd_child_about *about, struct fnd_argv *a)
{
	const struct fnd_gateway_config *g = &about->cfg->gateway;

	fnd_argv_add(a, "fn-gateway");
	fnd_argv_add(a, "--run-as");
	fnd_argv_add(a, "%u:%u", (unsigned)about->gateway_uid, (unsigned)about->gateway_gid);
	add_text(a, "--region", about->cfg->region);
	add_text(a, "--domain", g->url_domain);
	if (!fn_str_empty(g->api_host))
		add_text(a, "--api-host", g->api_host);
	if (!fn_str_empty(g->trusted))
		add_text(a, "--trusted-proxies", g->trusted);
	add_number(a, "--connections", g->connections);
	add_number(a, "--peer-connections", g->peer_connections);
	add_number(a, "--body-budget-mb", about->cfg->body_budget_mb);
	add_number(a, "--peer-percent", about->cfg->peer_percent);
	add_number(a, "--certificates", (int64_t)g->n_certificates);
	add_text(a, "--log-level", fn_log_level_name(about->cfg->log_level));
}

static void argue_events(const struct fnd_child_about *about, struct fnd_argv *a)
{
	fnd_argv_add(a, "fn-events");
	fnd_argv_add(a, "--run-as");
	fnd_argv_add(a, "%u:%u", (unsigned)about->events_uid, (unsigned)about->events_gid);
	add_number(a, "--fnd", about->uid);
	add_text(a, "--state", about->cfg->state_dir);
	add_text(a, "--log-level", fn_log_level_name(about->cfg->log_level));
}

static const char *const events_places[] = {"fn-events", "../libexec/fnd/fn-events", NULL};
static const char *const gateway_places[] = {"fn-gateway", "../libexec/fnd/fn-gateway", NULL};
static const char *const spawnd_places[] = {"fn-spawnd", "../libexec/fnd/fn-spawnd", NULL}; /* in a build tree, and where `make install` puts it */

const struct fnd_child_kind fnd_child_kinds[FND_CHILDREN] = {
	[FND_CHILD_SPAWND] = {.name = "fn-spawnd", .places = spawnd_places, .argue = argue_spawnd, .locks = true, .most_in_a_row = 5, .unfit = FN_SPAWND_UNFIT},
	[FND_CHILD_GATEWAY] = {.name = "fn-gateway", .places = gateway_places, .argue = argue_gateway, .unprivileged = true, .listens = true},
	[FND_CHILD_EVENTS] = {.name = "fn-events", .places = events_places, .argue = argue_events, .unprivileged = true, .listens = true},
	[FND_CHILD_WORKER] = {.name = "the worker", .argue = argue_worker, .unprivileged = true, .listens = true},
};

/* In the child. */
static void become(const char *program, const struct fnd_argv *argv, const int *fds, size_t n_fds)
{
	int aside[FDS_MOST];
	sigset_t told;

	for (size_t i = 0; i < n_fds; i++) {
		aside[i] = fds[i] < 0 ? -EBADF : fcntl(fds[i], F_DUPFD_CLOEXEC, FDS_ASIDE);
		if (fds[i] >= 0 && aside[i] < 0)
			_exit(127);
	}
	for (size_t i = 0; i < n_fds; i++) {
		(void)close(FD_FIRST + (int)i);
		if (aside[i] >= 0 && dup2(aside[i], FD_FIRST + (int)i) < 0)
			_exit(127);
	}
	/* What a terminal sends to all of them is the supervisor's to act on; and nobody is told to end before it can do so in order. */
	sigemptyset(&told);
	sigaddset(&told, SIGTERM);
	sigaddset(&told, SIGINT);
	sigaddset(&told, SIGHUP);
	sigprocmask(SIG_SETMASK, &told, NULL);
	execv(program, (char *const *)argv->v);
	fn_log_error("cannot start %s: %s", program, strerror(errno));
	_exit(127);
}

int fnd_child_start(struct fnd_child *c, const struct fnd_child_about *about, const int *fds, size_t n_fds, struct fn_err *err)
{
	struct fnd_argv argv = {.n = 0};
	char program[PATH_MAX] = "/proc/self/exe";
	int r = c->kind->places ? fn_path_beside(c->kind->places, X_OK, program, sizeof(program)) : 0;
	pid_t pid;

	if (r < 0)
		return fn_err_set(err, r, "start", "%s is neither beside fnd nor at %.120s", c->kind->name, program);
	c->kind->argue(about, &argv);
	pid = n_fds <= FDS_MOST ? fork() : -1;
	if (pid < 0)
		return fn_err_set(err, errno, "start", "%s", c->kind->name);
	if (pid == 0)
		become(program, &argv, fds, n_fds);
	c->pid = pid;
	c->started_us = fn_clock_mono_us();
	c->unclean = false;
	return 0;
}

int fnd_child_check(const struct fnd_child_kind *kind, const struct fnd_argv *argv, const int *fds, size_t n_fds, struct fn_err *err)
{
	char program[PATH_MAX], said[300], how[80];
	int r = fn_path_beside(kind->places, X_OK, program, sizeof(program)), out[2], status = 0;
	ssize_t n;
	pid_t pid;

	if (r < 0)
		return fn_err_set(err, r, "check", "%s is neither beside fnd nor at %.120s", kind->name, program);
	if (n_fds > FDS_MOST || pipe2(out, O_CLOEXEC) < 0)
		return fn_err_set(err, n_fds > FDS_MOST ? E2BIG : errno, "check", "%s", kind->name);
	pid = fork();
	if (pid == 0) {
		if (dup2(out[1], STDERR_FILENO) < 0)
			_exit(127);
		become(program, argv, fds, n_fds);
	}
	r = pid < 0 ? fn_err_set(err, errno, "check", "%s", kind->name) : 0;
	fn_close(out[1]);
	n = fn_fd_read_all(out[0], said, sizeof(said) - 1);
	fn_close(out[0]);
	if (r < 0)
		return r;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (status == 0)
		return 0;
	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	return fn_err_set(err, EINVAL, kind->name, "%s", *said ? said : fnd_child_how(status, how, sizeof(how)));
}

void fnd_child_await(struct fnd_child *c, uint64_t tell_us, uint64_t kill_us)
{
	int status = 0;

	for (uint64_t us = 0; c->pid && us < kill_us; us += LOOK_US) {
		if (waitpid(c->pid, &status, WNOHANG) == c->pid) {
			c->pid = 0;
			c->unclean = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
			return;
		}
		if (us == tell_us)
			(void)kill(c->pid, SIGTERM);
		usleep(LOOK_US);
	}
	if (c->pid == 0)
		return;
	fn_log_error("%s does not end; killing it", c->kind->name);
	(void)kill(c->pid, SIGKILL);
	(void)waitpid(c->pid, NULL, 0);
	c->pid = 0;
	c->unclean = false; /* as would the next */
}

const char *fnd_child_how(int status, char *buf, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(buf, size, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(buf, size, "exited with status %d", WEXITSTATUS(status));
	return buf;
}

/* A service's user, or where there is none of that name the nth of fnd's own ids. */
static void service_user(const struct fnd_config *c, const char *process, const char *name, unsigned nth, uid_t *uid, gid_t *gid)
{
	const struct passwd *pw = getpwnam(name);

	*uid = pw ? pw->pw_uid : (uid_t)c->uid_base + nth;
	*gid = pw ? pw->pw_gid : (gid_t)c->uid_base + nth;
	if (!pw)
		fn_log_debug("there is no user \"%s\"; %s runs as uid %u", name, process, (unsigned)*uid);
}

void fnd_child_users(const struct fnd_config *c, struct fnd_child_about *a)
{
	service_user(c, "the worker", c->user, 1, &a->uid, &a->gid);
	service_user(c, "fn-gateway", c->gateway.user, 2, &a->gateway_uid, &a->gateway_gid);
	service_user(c, "fn-events", fnd_config_events_user(c), 3, &a->events_uid, &a->events_gid);
}
