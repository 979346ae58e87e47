/*
 * supervisor.c - the process that stays root: it holds the state directory's lock and the listening sockets, and starts the others, again when they
 * die. It reads nothing that a client or a function wrote.
 *
 * An fn-spawnd serves one worker. When that is gone it ends every sandbox and itself, and another one is started: what the last worker told it, nobody
 * goes by any more. The next worker need not wait for that: it is given a socket at once, whose other end the next fn-spawnd gets. When an fn-spawnd
 * dies, its worker stays and is given another. fn-spawnd has the lock too: a daemon started anew waits until the last one's has cleaned up.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "children.h"
#include "events.h"
#include "fnd.h"
#include "gateway.h"
#include "listen.h"
#include "notify.h"
#include "os/sock.h"
#include "sealed.h"
#include "state.h"

#define LEAVE_US 2000000u /* for an fn-spawnd whose worker is gone to end by itself; then it is told to */
#define KILL_US 10000000u /* then it is killed */
#define GATEWAY_US 2000000u /* for fn-gateway to end when there is no worker that could answer it */

struct supervisor {
	const struct fnd_options *options;
	struct fnd_config *cfg, next;  /* next: of a reload, for the next worker */
	char *listen, *next_listen;    /* as the configuration has it, be the port 0 */
	int config_fd, next_config_fd; /* copies of the file, or -EBADF */
	int fetch_fd, next_fetch_fd;   /* what fn-fetch is given, or -EBADF: config.h */
	struct fn_loop *loop;
	struct fnd_child_about about;
	char instance[32];
	int lock_fd, api_fd, next_api_fd; /* next_api_fd: -EBADF = the same */
	struct fnd_listeners own;         /* the worker's, in the state directory */
	struct fnd_gateway gateway, next_gateway;
	struct fnd_child child[FND_CHILDREN];
	uint64_t start_timer[FND_CHILDREN], leave_timer;
	int control_fd;  /* the worker's */
	int spawnd_end;  /* of the socket that the worker has already; -EBADF: there is an fn-spawnd at it, or the worker is to be given another */
	bool leaving;    /* the fn-spawnd that runs is of a worker that is gone */
	bool served;     /* a worker has been ready */
	bool told;       /* it has been told to end */
	bool stopping, reloading, reload_again;
	bool events_anew; /* fn-events has been told to end: the next one has another configuration */
	bool has_terminal;
	uint64_t control_io;
	int status;
};

static struct fnd_child *spawnd_of(struct supervisor *s) { return &s->child[FND_CHILD_SPAWND]; }
static struct fnd_child *worker_of(struct supervisor *s) { return &s->child[FND_CHILD_WORKER]; }
static struct fnd_child *gateway_of(struct supervisor *s) { return &s->child[FND_CHILD_GATEWAY]; }
static struct fnd_child *events_of(struct supervisor *s) { return &s->child[FND_CHILD_EVENTS]; }

/* --- starting --- */
static void stop(struct supervisor *s, int status)
{
	if (status)
		s->status = status;
	if (!s->stopping)
		fnd_notify("STOPPING=1");
	s->stopping = true;
	fn_close(fn_take_fd(&s->api_fd)); /* nobody is to wait for what does not come */
	fn_close(fn_take_fd(&s->own.control_fd));
	fnd_gateway_close(&s->gateway);
	if (gateway_of(s)->pid)
		(void)kill(gateway_of(s)->pid, SIGTERM);
	if (events_of(s)->pid)
		(void)kill(events_of(s)->pid, SIGTERM);
	if (worker_of(s)->pid == 0)
		fn_loop_stop(s->loop);
}

static void give_up(struct supervisor *s, const char *why)
{
	fn_log_error("%s", why);
	stop(s, 1);
	if (worker_of(s)->pid)
		(void)kill(worker_of(s)->pid, SIGTERM);
}

static void not_started(struct supervisor *s, const struct fn_err *err)
{
	char text[512];

	give_up(s, fn_err_format(err, text, sizeof(text)));
}

static int launch_spawnd(struct supervisor *s, int end, struct fn_err *err)
{
	const int fds[] = {end, s->lock_fd, s->fetch_fd};

	s->leaving = false;
	return fnd_child_start(spawnd_of(s), &s->about, fds, sizeof(fds) / sizeof(fds[0]), err);
}

static void start_spawnd(void *arg)
{
	struct supervisor *s = arg;
	char type = FND_SPAWND;
	struct iovec iov = {&type, 1};
	int pair[2] = {-EBADF, fn_take_fd(&s->spawnd_end)}, r;
	struct fn_err err = {0};

	fn_loop_clear(s->loop, &s->start_timer[FND_CHILD_SPAWND]);
	if (worker_of(s)->pid == 0 || spawnd_of(s)->pid || s->stopping)
		goto end;
	if (pair[1] < 0 && (r = fn_sock_pair(SOCK_SEQPACKET, pair)) < 0) {
		fn_err_set(&err, r, "start fn-spawnd", "socketpair");
		not_started(s, &err);
		goto end;
	}
	if (launch_spawnd(s, pair[1], &err) < 0)
		not_started(s, &err);
	else if (pair[0] >= 0 && (r = fn_sock_send(s->control_fd, &iov, 1, &pair[0], 1)) < 0 && r != -EPIPE && r != -ECONNRESET) /* dead: SIGCHLD tells */
		give_up(s, "the worker does not take the new fn-spawnd");
end:
	fn_close(pair[0]);
	fn_close(pair[1]);
}

static void on_control(void *arg, int fd, uint32_t events);

static int launch_worker(struct supervisor *s, struct fn_err *err)
{
	int control[2] = {-EBADF, -EBADF}, spawnd[2] = {-EBADF, -EBADF};
	int r = fn_sock_pair(SOCK_SEQPACKET | SOCK_NONBLOCK, control);

	if (r == 0)
		r = fn_sock_pair(SOCK_SEQPACKET, spawnd);
	if (r == 0) {
		const int fds[FND_FD_END - FND_FD_SUPERVISOR] = {control[1], spawnd[0], s->config_fd, s->api_fd, s->own.control_fd, s->own.gateway_fd, s->own.events_fd};

		r = fnd_child_start(worker_of(s), &s->about, fds, sizeof(fds) / sizeof(fds[0]), err);
	} else {
		fn_err_set(err, r, "start worker", "socketpair");
	}
	fn_close(control[1]);
	fn_close(spawnd[0]);
	if (r < 0) {
		fn_close(control[0]);
		fn_close(spawnd[1]);
		return r;
	}
	s->control_fd = control[0];
	s->spawnd_end = spawnd[1];
	r = fn_loop_add_io(s->loop, s->control_fd, EPOLLIN, on_control, s, &s->control_io);
	return r < 0 ? fn_err_set(err, r, "start worker", "event loop") : 0;
}

static void start_worker(void *arg)
{
	struct supervisor *s = arg;
	struct fn_err err = {0};

	fn_loop_clear(s->loop, &s->start_timer[FND_CHILD_WORKER]);
	if (s->stopping)
		return;
	if (launch_worker(s, &err) < 0)
		not_started(s, &err);
	else if (spawnd_of(s)->pid == 0) /* else when that has left */
		start_spawnd(s);
}

static void start_later(struct supervisor *s, enum fnd_child_id which, uint64_t pause_us);

/* All else goes on without it, until what it wants is there again: a file, say, that is being replaced. */
static void try_later(struct supervisor *s, enum fnd_child_id which, const struct fn_err *err)
{
	const uint64_t least_us = 1000000u;
	uint64_t pause_us = fn_backoff_ended(&s->child[which].backoff, 0);
	char text[512];

	pause_us = pause_us > least_us ? pause_us : least_us;
	fn_log_error("%s; tried again in %.0f s", fn_err_format(err, text, sizeof(text)), (double)pause_us / 1e6);
	start_later(s, which, pause_us);
}

static void start_gateway(void *arg)
{
	struct supervisor *s = arg;
	struct fn_err err = {0};

	fn_loop_clear(s->loop, &s->start_timer[FND_CHILD_GATEWAY]);
	if (!s->stopping && fnd_gateway_start(&s->gateway, gateway_of(s), &s->about, &err) < 0)
		try_later(s, FND_CHILD_GATEWAY, &err);
}

static void start_events(void *arg)
{
	struct supervisor *s = arg;
	struct fn_err err = {0};

	fn_loop_clear(s->loop, &s->start_timer[FND_CHILD_EVENTS]);
	if (!s->stopping && events_of(s)->pid == 0 && fnd_events_start(events_of(s), &s->about, &err) < 0)
		try_later(s, FND_CHILD_EVENTS, &err);
}

static void start_later(struct supervisor *s, enum fnd_child_id which, uint64_t pause_us)
{
	static void (*const start[FND_CHILDREN])(void *) = {[FND_CHILD_WORKER] = start_worker, [FND_CHILD_SPAWND] = start_spawnd, [FND_CHILD_GATEWAY] = start_gateway,
							      [FND_CHILD_EVENTS] = start_events};

	fn_loop_clear(s->loop, &s->start_timer[which]);
	if (fn_loop_add_timer(s->loop, fn_loop_now_us(s->loop) + pause_us, start[which], s, &s->start_timer[which]) < 0)
		give_up(s, "out of memory");
}

/* --- reading the configuration again --- */
/* What must be there before the last worker is told to end: the files that the next ones read, the listening socket. */
static int check_next(struct supervisor *s, struct fnd_config *c, struct fn_err *err)
{
	fn_auto_free char *real = realpath(c->state_dir, NULL), *listen_text = strdup(c->listen);
	bool same = fn_streq(c->listen, s->listen);

	if (!fn_streq(real, s->cfg->state_dir))
		return fn_err_set(err, EBUSY, "configuration", "\"state_dir\" is another: that takes an end and a new start");
	if (fnd_config_files(c, err) < 0)
		return -err->code;
	fn_set_string(&c->state_dir, s->cfg->state_dir);
	if (same)
		fn_set_string(&c->listen, s->cfg->listen);
	else if ((s->next_api_fd = fnd_listen_api(c, err)) < 0)
		return s->next_api_fd;
	s->next_fetch_fd = fnd_config_fetch(c, err);
	if (s->next_fetch_fd < 0 || fnd_gateway_open(&s->next_gateway, c, &s->gateway, err) < 0) {
		fn_close(fn_take_fd(&s->next_api_fd));
		fn_close(fn_take_fd(&s->next_fetch_fd));
		return -err->code;
	}
	s->next_listen = fn_take_ptr(listen_text);
	return 0;
}

/* The last worker is gone: what has been read holds. */
static void use_next(struct supervisor *s)
{
	bool group_was_same = fnd_config_control_group(s->cfg) == fnd_config_control_group(&s->next);
	const uid_t gateway_was = s->about.gateway_uid, events_was = s->about.events_uid;
	struct fn_err err = {0};

	s->reloading = false;
	fnd_config_free(s->cfg);
	*s->cfg = s->next;
	fn_set_string(&s->listen, s->next_listen);
	fn_set_string(&s->next_listen, NULL);
	fn_close(s->config_fd);
	s->config_fd = fn_take_fd(&s->next_config_fd);
	fn_close(s->fetch_fd);
	s->fetch_fd = fn_take_fd(&s->next_fetch_fd);
	if (s->next_api_fd >= 0) {
		fn_close(s->api_fd);
		s->api_fd = fn_take_fd(&s->next_api_fd);
	}
	fn_log_set_level(s->cfg->log_level);
	fnd_child_users(s->cfg, &s->about);
	if (fnd_state_prepare(s->cfg->state_dir, &s->about, &err) < 0)
		not_started(s, &err);
	else if (!group_was_same || s->about.gateway_uid != gateway_was || s->about.events_uid != events_was)
		fnd_listeners_open(&s->own, s->cfg, s->about.gateway_uid, s->about.events_uid);
	fnd_gateway_close(&s->gateway);
	s->gateway = fnd_gateway_take(&s->next_gateway);
	if (gateway_of(s)->pid) /* it ends when what it has under way is done; nobody waits for it */
		(void)kill(gateway_of(s)->pid, SIGTERM);
	gateway_of(s)->pid = 0;
	start_gateway(s);
	s->events_anew = events_of(s)->pid != 0; /* the next is started when this one has ended: they have one database */
	if (s->events_anew)
		(void)kill(events_of(s)->pid, SIGTERM);
	else
		start_events(s);
}

static void reload(struct supervisor *s)
{
	fn_auto_fd int copy = s->options->file ? fnd_sealed_copy(s->options->file) : -EBADF;
	struct fn_err err = {0};
	char text[512];
	int r;

	if (s->stopping || (s->reload_again = s->reloading))
		return;
	r = fnd_config_make(&s->next, s->options, copy, &err);
	if (r == 0 && (r = check_next(s, &s->next, &err)) < 0)
		fnd_config_free(&s->next);
	if (r < 0) {
		fn_log_error("the configuration stays as it was: %s", fn_err_format(&err, text, sizeof(text)));
		fnd_notify("STATUS=serving on http://%s; the configuration was refused", s->cfg->listen);
		return;
	}
	s->reloading = true;
	s->next_config_fd = fn_take_fd(&copy);
	fn_log_info("the configuration has been read again; another worker takes over once this one has drained");
	fnd_notify("RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading", (unsigned long long)fn_clock_mono_us());
	if (worker_of(s)->pid) {
		(void)kill(worker_of(s)->pid, SIGTERM);
		return;
	}
	use_next(s);
	if (!s->stopping)
		start_later(s, FND_CHILD_WORKER, 0);
}

/* --- ends --- */
static void start_again(struct supervisor *s, enum fnd_child_id which, int status)
{
	struct fnd_child *c = &s->child[which];
	uint64_t pause = fn_backoff_ended(&c->backoff, fn_clock_mono_us() - c->started_us);
	const struct fnd_child_kind *k = c->kind;
	char text[96], rule[160] = "";

	fnd_child_how(status, text, sizeof(text));
	if (k->most_in_a_row && c->backoff.row > k->most_in_a_row && WIFEXITED(status)) {
		snprintf(rule, sizeof(rule), "%s does not stay up: it %s", k->name, text);
		give_up(s, rule);
		return;
	}
	if (pause)
		snprintf(rule, sizeof(rule), " in %.2f s, for it has ended %u times in a row soon after its start", (double)pause / 1e6, c->backoff.row);
	fn_log_warn("%s %s; starting it again%s", k->name, text, rule);
	fnd_notify("STATUS=%s %s; starting it again%s", k->name, text, rule);
	start_later(s, which, pause);
}

static void spawnd_ended(struct supervisor *s, int status)
{
	bool left = s->leaving;

	fn_loop_clear(s->loop, &s->leave_timer);
	s->leaving = false;
	if (worker_of(s)->pid == 0 || s->stopping) /* the next one is started with the next worker, or by end_spawnd() */
		return;
	if (left) {
		start_later(s, FND_CHILD_SPAWND, 0);
		return;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == spawnd_of(s)->kind->unfit && spawnd_of(s)->backoff.row == 0) {
		if (s->cfg->net == FN_NET_NAT)
			fn_log_error("if this host cannot have the network mode \"nat\": with \"network\": {\"mode\": \"loopback\"} in %s fnd starts, and functions reach "
				     "nothing outside their sandbox",
				     s->cfg->file ? s->cfg->file : "its configuration");
		give_up(s, "fn-spawnd cannot work with this configuration; see above");
		return;
	}
	start_again(s, FND_CHILD_SPAWND, status);
}

static void on_leave_timer(void *arg)
{
	struct supervisor *s = arg;
	struct fnd_child *c = spawnd_of(s);

	if (c->pid == 0)
		return;
	if (s->told)
		fn_log_error("%s does not end; killing it", c->kind->name);
	(void)kill(c->pid, s->told ? SIGKILL : SIGTERM);
	s->told = true;
	(void)fn_loop_rearm_timer(s->loop, s->leave_timer, fn_loop_now_us(s->loop) + KILL_US - LEAVE_US);
}

/* Its worker is gone, and its socket closed: it ends by itself. */
static void let_spawnd_leave(struct supervisor *s)
{
	fn_close(fn_take_fd(&s->spawnd_end));
	fn_loop_clear(s->loop, &s->start_timer[FND_CHILD_SPAWND]);
	if (spawnd_of(s)->pid == 0 || s->leaving)
		return;
	s->leaving = true;
	s->told = false;
	if (fn_loop_add_timer(s->loop, fn_loop_now_us(s->loop) + LEAVE_US, on_leave_timer, s, &s->leave_timer) < 0)
		(void)kill(spawnd_of(s)->pid, SIGTERM);
}

static void worker_ended(struct supervisor *s, int status)
{
	bool fine = WIFEXITED(status) && WEXITSTATUS(status) == 0, asked;
	char text[96];

	if (s->control_io) /* what it said last */
		on_control(s, s->control_fd, EPOLLIN);
	fn_loop_clear(s->loop, &s->control_io);
	fn_close(fn_take_fd(&s->control_fd));
	let_spawnd_leave(s);
	if (s->stopping || (fine && !s->reloading) || (!fine && WIFEXITED(status) && !s->served)) {
		if (!fine && s->status == 0)
			fn_log_error("%s %s", worker_of(s)->kind->name, fnd_child_how(status, text, sizeof(text)));
		stop(s, !fine);
		return;
	}
	asked = fine && s->reloading;
	if (s->reloading)
		use_next(s);
	if (s->stopping)
		return;
	if (asked)
		start_later(s, FND_CHILD_WORKER, 0);
	else
		start_again(s, FND_CHILD_WORKER, status);
	if (s->reload_again)
		reload(s);
}

static void on_child(void *arg, int signo, int sender)
{
	struct supervisor *s = arg;
	int status;
	pid_t pid;

	(void)signo;
	(void)sender;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < FND_CHILDREN; i++) {
			if (s->child[i].pid != pid)
				continue;
			s->child[i].pid = 0;
			s->child[i].unclean = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
			if (i == FND_CHILD_WORKER)
				worker_ended(s, status);
			else if (i == FND_CHILD_SPAWND)
				spawnd_ended(s, status);
			else if (i == FND_CHILD_EVENTS && s->events_anew)
				start_events(s);
			else if (!s->stopping)
				start_again(s, i, status);
			if (i == FND_CHILD_EVENTS)
				s->events_anew = false;
			break;
		}
}

static void on_term(void *arg, int signo, int sender)
{
	struct supervisor *s = arg;
	bool draining = s->reloading && !s->stopping; /* the worker has been told already; once more would mean: at once */

	(void)sender;
	if (signo == SIGHUP && !s->has_terminal) {
		reload(s);
		return;
	}
	stop(s, 0);
	if (worker_of(s)->pid && !draining)
		(void)kill(worker_of(s)->pid, SIGTERM);
}

static void on_control(void *arg, int fd, uint32_t events)
{
	struct supervisor *s = arg;
	int fds[FN_SOCK_FDS_MAX];
	size_t n_fds = 0;
	ssize_t n;
	char type;

	(void)events;
	while ((n = fn_sock_recv(fd, &type, 1, fds, &n_fds)) == 1) {
		for (size_t i = 0; i < n_fds; i++)
			fn_close(fds[i]);
		if (type == FND_READY) {
			s->served = true;
			fnd_notify("READY=1\nSTATUS=serving on http://%s", s->cfg->listen);
		}
		if (type == FND_STOPPING && !s->reloading) /* somebody else has told it to */
			stop(s, 0);
	}
	if (n != -EAGAIN)
		fn_loop_clear(s->loop, &s->control_io); /* the worker is ending; SIGCHLD tells */
}

/* One that died when it was too late to go on, perhaps while it was waited for, is followed by another all the same, which finds its socket closed: it
 * cleans up and ends. */
static void end_spawnd(struct supervisor *s)
{
	struct fnd_child *c = spawnd_of(s);
	struct fn_err err;
	int pair[2];

	fnd_child_await(c, LEAVE_US, KILL_US);
	if (!c->unclean || fn_sock_pair(SOCK_SEQPACKET, pair) < 0)
		return;
	if (launch_spawnd(s, pair[1], &err) < 0)
		c->pid = 0;
	fn_close(pair[0]);
	fn_close(pair[1]);
	fnd_child_await(c, KILL_US, KILL_US); /* not in the midst of its work */
}

static int run(struct supervisor *s, struct fn_err *err)
{
	static const int told[] = {SIGTERM, SIGINT, SIGHUP};
	uint64_t id;
	int r = fn_loop_new(&s->loop);

	for (size_t i = 0; r == 0 && i < sizeof(told) / sizeof(told[0]); i++)
		r = fn_loop_add_signal(s->loop, told[i], on_term, s, &id);
	if (r == 0)
		r = fn_loop_add_signal(s->loop, SIGCHLD, on_child, s, &id);
	if (r < 0)
		return fn_err_set(err, r, "fnd", "event loop");
	r = launch_worker(s, err);
	if (r < 0)
		return r;
	start_spawnd(s);
	start_gateway(s);
	start_events(s);
	return fn_loop_run(s->loop);
}

static int set_up(struct supervisor *s, struct fn_err *err)
{
	int r = fnd_state_find(&s->cfg->state_dir, s->instance, err);

	if (r < 0)
		return r;
	s->lock_fd = fnd_state_lock(s->cfg->state_dir, err);
	if (s->lock_fd < 0)
		return s->lock_fd;
	r = fnd_state_prepare(s->cfg->state_dir, &s->about, err);
	if (r < 0)
		return r;
	s->fetch_fd = fnd_config_fetch(s->cfg, err);
	if (s->fetch_fd < 0)
		return s->fetch_fd;
	s->listen = strdup(s->cfg->listen);
	s->api_fd = s->listen ? fnd_listen_api(s->cfg, err) : fn_err_set(err, ENOMEM, "fnd", NULL);
	if (s->api_fd < 0)
		return s->api_fd;
	fnd_listeners_open(&s->own, s->cfg, s->about.gateway_uid, s->about.events_uid);
	return fnd_gateway_open(&s->gateway, s->cfg, NULL, err);
}

int fnd_supervise(const struct fnd_options *options, struct fnd_config *cfg, int copy_fd)
{
	struct supervisor s = {.options = options, .cfg = cfg, .config_fd = copy_fd, .next_config_fd = -EBADF, .fetch_fd = -EBADF, .next_fetch_fd = -EBADF, .lock_fd = -EBADF, .api_fd = -EBADF,
			       .next_api_fd = -EBADF, .own = FND_LISTENERS_NONE, .control_fd = -EBADF, .spawnd_end = -EBADF, .gateway = FND_GATEWAY_NONE,
			       .next_gateway = FND_GATEWAY_NONE};
	struct fn_err err = {0};
	char text[512];

	fn_log_init("fnd", cfg->log_level);
	if (geteuid() != 0) {
		fprintf(stderr, "fnd: must be started as root: namespaces, mounts and cgroups are made by its helper fn-spawnd; all else runs as \"%s\"\n",
			cfg->user);
		fnd_config_free(cfg);
		return 1;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	umask(022);
	fnd_raise_limits();
	s.has_terminal = fnd_on_a_terminal();
	for (int i = 0; i < FND_CHILDREN; i++)
		s.child[i].kind = &fnd_child_kinds[i];
	s.about.cfg = cfg;
	s.about.instance = s.instance;
	fnd_child_users(s.cfg, &s.about);
	if (set_up(&s, &err) < 0 || run(&s, &err) < 0) {
		fn_log_error("%s", fn_err_format(&err, text, sizeof(text)));
		s.status = 1;
		if (worker_of(&s)->pid)
			(void)kill(worker_of(&s)->pid, SIGKILL);
	}
	fn_loop_free(s.loop);
	fn_close(s.api_fd);
	fn_close(s.next_api_fd);
	fnd_listeners_close(&s.own);
	fnd_gateway_close(&s.gateway);
	fnd_gateway_close(&s.next_gateway);
	fnd_child_await(gateway_of(&s), 0, GATEWAY_US);
	fnd_child_await(events_of(&s), 0, GATEWAY_US);
	fn_close(s.control_fd);
	fn_close(s.spawnd_end);
	end_spawnd(&s);
	if (s.lock_fd >= 0)
		fnd_unlink_sockets(cfg);
	fn_close(s.lock_fd);
	fn_close(s.next_config_fd);
	fn_close(s.config_fd);
	fn_close(s.next_fetch_fd);
	fn_close(s.fetch_fd);
	if (s.reloading)
		fnd_config_free(&s.next);
	free(s.listen);
	free(s.next_listen);
	fnd_config_free(cfg);
	return s.status;
}
