/*
 * master.c - the process that stays root: lock, listening socket, fn-spawnd, worker. It reads nothing that a client or a function wrote.
 *
 * fn-spawnd inherits the lock: a daemon started anew waits until the last one's helper has cleaned up.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "fnd.h"
#include "image/digest.h"
#include "os/sec.h"
#include "os/sock.h"
#include "spawn/server.h"

#define LOCK_WAIT_S 20
#define BIND_WAIT_S 2
#define QUICK_DEATH_US 2000000u /* of fn-spawnd */
#define QUICK_DEATHS_MAX 5

struct master {
	struct fnd_config *cfg;
	struct fn_loop *loop;
	uid_t uid;
	gid_t gid;
	char instance[32];
	int lock_fd, listen_fd, control_fd;
	pid_t spawnd, worker;
	uint64_t spawnd_started_us, control_io, restart_timer;
	unsigned quick_deaths;
	int status;
	bool stopping, unclean; /* unclean: the last fn-spawnd died instead of ending */
};

/* Tells the service manager (sd_notify(3)): a datagram to $NOTIFY_SOCKET. */
static void notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t len;
	int fd;

	if (!path || strlen(path) >= sizeof(a.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(a.sun_path, path, strlen(path));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&a, len) < 0)
		fn_log_warn("cannot notify the service manager: %s", strerror(errno));
	fn_close(fd);
}

/* --- the state directory --- */
static int make_dir(const char *state, const char *name, mode_t mode, uid_t uid, gid_t gid, struct fn_err *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s%s", state, *name ? "/" : "", name);
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return fn_err_set(err, errno, "state directory", "%.160s", path);
	if (chown(path, uid, gid) < 0 || chmod(path, mode) < 0)
		return fn_err_set(err, errno, "state directory", "%.160s", path);
	return 0;
}

static int prepare_state(struct master *m, struct fn_err *err)
{
	char real[PATH_MAX], sha[FN_SHA256_HEX];
	int r = fn_mkdir_p(m->cfg->state_dir, 0755);

	if (r < 0 || !realpath(m->cfg->state_dir, real))
		return fn_err_set(err, r < 0 ? -r : errno, "state directory", "%.160s", m->cfg->state_dir);
	free(m->cfg->state_dir);
	m->cfg->state_dir = strdup(real);
	fn_sha256_hex(real, strlen(real), sha);
	snprintf(m->instance, sizeof(m->instance), "fnd-%.12s", sha);
	/* what fn-spawnd relies on is root's, so that the worker cannot put anything else in its place */
	r = make_dir(real, "", 0711, 0, 0, err);
	if (r == 0)
		r = make_dir(real, "roots", 0711, 0, 0, err);
	if (r == 0)
		r = make_dir(real, "images", 0755, m->uid, m->gid, err);
	if (r == 0)
		r = make_dir(real, "db", 0700, m->uid, m->gid, err);
	if (r == 0)
		r = make_dir(real, "blobs", 0700, m->uid, m->gid, err);
	if (r == 0)
		r = make_dir(real, "logs", 0750, m->uid, m->gid, err);
	return r;
}

static int lock_state(struct master *m, struct fn_err *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/lock", m->cfg->state_dir);
	m->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (m->lock_fd < 0)
		return fn_err_set(err, errno, "lock", "%.160s", path);
	for (int i = 0; i < LOCK_WAIT_S * 20; i++) {
		if (flock(m->lock_fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return fn_err_set(err, errno, "lock", "%.160s", path);
		if (i == 10)
			fn_log_info("waiting for an earlier fnd to leave %s", m->cfg->state_dir);
		usleep(50000);
	}
	return fn_err_set(err, EBUSY, "lock", "another fnd uses %.140s", m->cfg->state_dir);
}

static void service_user(struct master *m)
{
	const struct passwd *pw = getpwnam(m->cfg->user);

	m->uid = pw ? pw->pw_uid : (uid_t)m->cfg->uid_base + 1;
	m->gid = pw ? pw->pw_gid : (gid_t)m->cfg->uid_base + 1;
	if (!pw)
		fn_log_debug("there is no user \"%s\"; the worker runs as uid %u", m->cfg->user, (unsigned)m->uid);
}

static int make_listener(struct master *m, struct fn_err *err)
{
	struct sockaddr_storage addr;
	socklen_t len;
	bool loopback;
	int one = 1, r = fnd_config_address(m->cfg, &addr, &len, &loopback, err);

	if (r < 0)
		return r;
	m->listen_fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (m->listen_fd < 0)
		return fn_err_set(err, errno, "listen", "socket");
	(void)setsockopt(m->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* the worker of a master that was killed a moment ago may not have let go of it yet */
	for (int i = 0; (r = bind(m->listen_fd, (struct sockaddr *)&addr, len)) < 0 && errno == EADDRINUSE && i < BIND_WAIT_S * 20; i++)
		usleep(50000);
	if (r < 0 || listen(m->listen_fd, 1024) < 0)
		return fn_err_set(err, errno, "listen", "%.100s", m->cfg->listen);
	len = sizeof(addr);
	if (fn_str_ends(m->cfg->listen, ":0") && getsockname(m->listen_fd, (struct sockaddr *)&addr, &len) == 0) { /* tell which was chosen */
		int port = ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port : ((struct sockaddr_in *)&addr)->sin_port);
		char *text;

		if (asprintf(&text, "%.*s:%d", (int)(strlen(m->cfg->listen) - 2), m->cfg->listen, port) > 0) {
			free(m->cfg->listen);
			m->cfg->listen = text;
		}
	}
	return 0;
}

/* --- fn-spawnd --- */
static void exec_spawnd(struct master *m, int sock)
{
	static const char *const places[] = {"fn-spawnd", "../libexec/fnd/fn-spawnd", NULL}; /* in a build tree, and where `make install` puts it */
	char exe[PATH_MAX], uid_base[24], least[24], most[24], ahead_least[24], ahead_most[24], connections[64], tmp_disk[24];
	const struct fnd_config *c = m->cfg;
	const char *argv[40] = {"fn-spawnd", "--state", c->state_dir, "--instance", m->instance, "--uid-base", uid_base, "--prepared-least", least,
				"--prepared-most", most, "--prestarted-least", ahead_least, "--prestarted-most", ahead_most, "--socket-fd", "3", "--tmp", fn_tmp_way_name(c->tmp_way),
				"--tmp-dir", c->tmp_dir ? c->tmp_dir : c->state_dir, "--tmp-disk-mb", tmp_disk};
	const char *nat[] = {"--bridge", c->bridge, "--subnet", c->subnet, "--resolv-conf", c->resolv_conf, "--allow-host", c->allow_host ? c->allow_host : "",
			     "--connections", connections, fn_str_empty(c->uplink) ? NULL : "--uplink", c->uplink};
	sigset_t none;
	int lock, r = fn_path_beside(places, X_OK, exe, sizeof(exe));

	if (r < 0) {
		fn_log_error("fn-spawnd is neither beside fnd nor at %s: %s", exe, strerror(-r));
		_exit(127);
	}
	snprintf(uid_base, sizeof(uid_base), "%lld", (long long)m->cfg->uid_base);
	snprintf(least, sizeof(least), "%lld", (long long)m->cfg->prepared_least);
	snprintf(most, sizeof(most), "%lld", (long long)m->cfg->prepared_most);
	snprintf(ahead_least, sizeof(ahead_least), "%lld", (long long)m->cfg->prestarted_least);
	snprintf(ahead_most, sizeof(ahead_most), "%lld", (long long)m->cfg->prestarted_most);
	snprintf(tmp_disk, sizeof(tmp_disk), "%lld", (long long)c->tmp_disk_mb);
	snprintf(connections, sizeof(connections), "%lld,%lld,%lld", (long long)c->connections_environment, (long long)c->connections_function,
		 (long long)c->connections_total);
	if (c->net == FN_NET_NAT)
		memcpy(argv + 23, nat, sizeof(nat));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	lock = fcntl(m->lock_fd, F_DUPFD_CLOEXEC, 16); /* both out of the way of 3 and 4 first */
	if (lock < 0 || dup2(sock, 3) < 0 || dup2(lock, 4) < 0)
		_exit(127);
	execv(exe, (char *const *)argv);
	fn_log_error("cannot start %s: %s", exe, strerror(errno));
	_exit(127);
}

/* Returns the worker's end of the socket. */
static int start_spawnd(struct master *m, struct fn_err *err)
{
	int pair[2], r = fn_sock_pair(SOCK_SEQPACKET, pair);

	if (r < 0)
		return fn_err_set(err, r, "start fn-spawnd", "socketpair");
	m->spawnd_started_us = fn_clock_mono_us();
	m->unclean = false;
	m->spawnd = fork();
	if (m->spawnd < 0) {
		fn_close(pair[0]);
		fn_close(pair[1]);
		return fn_err_set(err, errno, "start fn-spawnd", "fork");
	}
	if (m->spawnd == 0)
		exec_spawnd(m, fcntl(pair[1], F_DUPFD_CLOEXEC, 16));
	fn_close(pair[1]);
	return pair[0];
}

/* --- the worker --- */
/* What lies where only root may look (a clone in /root) is opened beforehand and reached through its descriptor. */
static int keep_open(const char *path) { return open(path, O_PATH); /* across no exec */ }

static int reach(char **path, int fd)
{
	char *own;

	if (fd < 0 || access(*path, R_OK) == 0) {
		fn_close(fd);
		return 0;
	}
	if (asprintf(&own, "/proc/self/fd/%d", fd) < 0)
		return -ENOMEM;
	free(*path);
	*path = own;
	return 0;
}

static int drop_privileges(struct master *m, struct fn_err *err)
{
	int runtimes = keep_open(m->cfg->runtimes), images = keep_open(m->cfg->images_dir), r;

	r = fn_sec_drop(m->uid, m->gid, err);
	if (r < 0)
		return r;
	if (access(m->cfg->state_dir, X_OK) < 0)
		return fn_err_set(err, errno, "state directory", "%.140s cannot be reached by uid %u, which fnd's worker runs as: choose another with --state",
				  m->cfg->state_dir, (unsigned)m->uid);
	if (reach(&m->cfg->runtimes, runtimes) < 0 || reach(&m->cfg->images_dir, images) < 0)
		return fn_err_set(err, ENOMEM, "start worker", NULL);
	return 0;
}

static int worker_main(struct master *m, int spawnd_fd, int master_fd)
{
	struct fnd_worker_args args = {m->cfg, m->listen_fd, spawnd_fd, master_fd};
	struct fn_err err;
	char text[512];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	fn_close(m->lock_fd);
	fn_close(m->control_fd);
	if (drop_privileges(m, &err) < 0) {
		fn_log_error("%s", fn_err_format(&err, text, sizeof(text)));
		return 1;
	}
#ifdef FN_ASAN
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* the leak checker looks at its own process */
#endif
	/* after the change of ids, which clears it: a master that is killed takes the worker along, and fn-spawnd sees its socket close */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() == 1)
		return 1;
	return fnd_worker_run(&args);
}

static int start_worker(struct master *m, int spawnd_fd, struct fn_err *err)
{
	int pair[2], r = fn_sock_pair(SOCK_SEQPACKET, pair);

	if (r < 0)
		return fn_err_set(err, r, "start worker", "socketpair");
	m->control_fd = pair[0];
	m->worker = fork();
	if (m->worker < 0)
		return fn_err_set(err, errno, "start worker", "fork");
	if (m->worker == 0) {
		int rc = worker_main(m, spawnd_fd, pair[1]);

		fnd_config_free(m->cfg);
		exit(rc);
	}
	fn_close(pair[1]);
	fn_close(spawnd_fd);
	fn_close(fn_take_fd(&m->listen_fd));
	return fn_fd_set_nonblock(m->control_fd, true);
}

/* --- events --- */
static void give_up(struct master *m, const char *why)
{
	fn_log_error("%s", why);
	m->status = 1;
	(void)kill(m->worker, SIGTERM);
}

static void restart_spawnd(void *arg)
{
	struct master *m = arg;
	char type = FND_SPAWND, text[512];
	struct iovec iov = {&type, 1};
	struct fn_err err;
	int fd;

	fn_loop_clear(m->loop, &m->restart_timer);
	if (m->worker <= 0 || m->stopping)
		return;
	fd = start_spawnd(m, &err);
	if (fd < 0)
		give_up(m, fn_err_format(&err, text, sizeof(text)));
	else if (fn_sock_send(m->control_fd, &iov, 1, &fd, 1) < 0)
		give_up(m, "the worker does not take the new fn-spawnd");
	fn_close(fd);
}

/* Again at once; one that keeps dying young, later and later; one that keeps failing by itself, not for ever. */
static void spawnd_died(struct master *m, int status)
{
	uint64_t delay = 0;

	if (WIFEXITED(status) && WEXITSTATUS(status) == FN_SPAWND_UNFIT && !m->quick_deaths) {
		if (m->cfg->net == FN_NET_NAT)
			fn_log_error("if this host cannot have the network mode \"nat\": with \"network\": {\"mode\": \"loopback\"} in %s fnd starts, and functions reach "
				     "nothing outside their sandbox",
				     m->cfg->file ? m->cfg->file : "its configuration");
		give_up(m, "fn-spawnd cannot work with this configuration; see above");
		return;
	}
	if (WIFSIGNALED(status))
		fn_log_warn("fn-spawnd was ended by signal %d; starting it again", WTERMSIG(status));
	else
		fn_log_warn("fn-spawnd exited with status %d; starting it again", WEXITSTATUS(status));
	m->quick_deaths = fn_clock_mono_us() - m->spawnd_started_us < QUICK_DEATH_US ? m->quick_deaths + 1 : 0;
	if (m->quick_deaths > QUICK_DEATHS_MAX && WIFEXITED(status)) {
		give_up(m, "fn-spawnd does not stay up");
		return;
	}
	if (m->quick_deaths > 2)
		delay = 20000ull << (m->quick_deaths < 8 ? m->quick_deaths - 2 : 6);
	if (fn_loop_add_timer(m->loop, fn_loop_now_us(m->loop) + delay, restart_spawnd, m, &m->restart_timer) < 0)
		give_up(m, "out of memory");
}

static void on_child(void *arg, int signo, int sender)
{
	struct master *m = arg;
	int status;
	pid_t pid;

	(void)signo;
	(void)sender;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->worker) {
			m->worker = -1;
			if (WIFSIGNALED(status))
				fn_log_error("the worker was ended by signal %d", WTERMSIG(status));
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
				m->status = 1;
			fn_loop_stop(m->loop);
		} else if (pid == m->spawnd) {
			m->spawnd = -1;
			m->unclean = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
			if (m->worker > 0 && !m->stopping)
				spawnd_died(m, status);
		}
	}
}

static void on_term(void *arg, int signo, int sender)
{
	struct master *m = arg;

	(void)signo;
	(void)sender;
	if (m->worker > 0)
		(void)kill(m->worker, SIGTERM);
}

static void on_control(void *arg, int fd, uint32_t events)
{
	struct master *m = arg;
	int fds[FN_SOCK_FDS_MAX];
	size_t n_fds = 0;
	char type;

	(void)events;
	if (fn_sock_recv(fd, &type, 1, fds, &n_fds) != 1) {
		fn_loop_clear(m->loop, &m->control_io); /* the worker is ending; SIGCHLD tells */
		return;
	}
	if (type == FND_READY)
		notify("READY=1");
	if (type == FND_STOPPING) {
		m->stopping = true;
		notify("STOPPING=1");
	}
}

/* fn-spawnd ends by itself once the worker is gone: its socket closes. One that died when it was too late to go on is followed by another
 * all the same, which finds its socket closed: it cleans up and ends. */
static void end_spawnd(struct master *m)
{
	struct fn_err err;

	if (m->spawnd <= 0 && m->unclean)
		fn_close(start_spawnd(m, &err));
	if (m->spawnd <= 0)
		return;
	for (int i = 0; i < 1000; i++) {
		if (waitpid(m->spawnd, NULL, WNOHANG) == m->spawnd)
			return;
		if (i == 200)
			(void)kill(m->spawnd, SIGTERM);
		usleep(10000);
	}
	fn_log_error("fn-spawnd does not end; killing it");
	(void)kill(m->spawnd, SIGKILL);
	(void)waitpid(m->spawnd, NULL, 0);
}

static int run(struct master *m, struct fn_err *err)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
	uint64_t id;
	int fd, r = fn_loop_new(&m->loop);

	for (size_t i = 0; r == 0 && i < sizeof(ends) / sizeof(ends[0]); i++)
		r = fn_loop_add_signal(m->loop, ends[i], on_term, m, &id);
	if (r == 0)
		r = fn_loop_add_signal(m->loop, SIGCHLD, on_child, m, &id);
	if (r < 0)
		return fn_err_set(err, r, "fnd", "event loop");
	fd = start_spawnd(m, err);
	if (fd < 0)
		return fd;
	r = start_worker(m, fd, err);
	if (r == 0)
		r = fn_loop_add_io(m->loop, m->control_fd, EPOLLIN, on_control, m, &m->control_io);
	if (r < 0)
		return r;
	return fn_loop_run(m->loop);
}

static void raise_limits(void)
{
	struct rlimit want = {1048576, 1048576}, have;

	if (setrlimit(RLIMIT_NOFILE, &want) == 0 || getrlimit(RLIMIT_NOFILE, &have) < 0)
		return;
	have.rlim_cur = have.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &have);
}

int fnd_master_run(struct fnd_config *config)
{
	struct master m = {.cfg = config, .lock_fd = -EBADF, .listen_fd = -EBADF, .control_fd = -EBADF, .spawnd = -1, .worker = -1};
	struct fn_err err = {0};
	char text[512];
	int r;

	fn_log_init("fnd", config->log_level);
	if (geteuid() != 0) {
		fprintf(stderr, "fnd: must be started as root: namespaces, mounts and cgroups are made by its helper fn-spawnd; all else runs as \"%s\"\n",
			config->user);
		return 1;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	umask(022);
	raise_limits();
	service_user(&m);
	r = prepare_state(&m, &err);
	if (r == 0)
		r = lock_state(&m, &err);
	if (r == 0)
		r = make_listener(&m, &err);
	if (r == 0)
		r = run(&m, &err);
	if (r < 0) {
		fn_log_error("%s", fn_err_format(&err, text, sizeof(text)));
		m.status = 1;
		if (m.worker > 0)
			(void)kill(m.worker, SIGKILL);
	}
	fn_loop_free(m.loop);
	fn_close(m.listen_fd);
	fn_close(m.control_fd);
	end_spawnd(&m);
	fn_close(m.lock_fd);
	return m.status;
}
