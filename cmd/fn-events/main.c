/*
 * main.c - fn-events: what happens without a caller who waits: asynchronous invocations, queues. Started by fnd's supervisor, as root, with the descriptors of service/args.h;
 * it gives up its privileges before it reads a byte from anybody. One loop, and the threads that wait for events.db, which run it in turns. SIGTERM: nothing new is begun, what is under way is
 * finished, then it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "os/sec.h"
#include "os/sock.h"
#include "queue/queue.h"
#include "service/args.h"
#include "service/direct.h"
#include "service/fnd.h"
#include "service/rights.h"
#include "service/schema.h"
#include "services.h"
#include "web/json_file.h"

#define CONNECTIONS_MAX 8192 /* fnd's; clients' */
#define IDLE_S 300           /* as fnd has it */
#define DRAIN_LOOK_US 20000u

struct options {
	const char *run_as, *state, *log_level;
	int64_t fnd_uid;
};

struct process {
	struct options o;
	struct fn_service_env env;
	struct fn_services services;
	struct fn_httpd *httpd;
	struct fn_bodies *bodies;
	struct fn_direct_server *direct;
	json_t *config;
	char db_path[4096];
	uint64_t drain_timer, drain_until_us, grace_us;
	bool draining;
};

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {{"run-as", required_argument, NULL, 'u'}, {"fnd", required_argument, NULL, 'f'}, {"state", required_argument, NULL, 's'},
						{"log-level", required_argument, NULL, 'l'}, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'u': o->run_as = optarg; break;
		case 'f': r = fn_str_to_i64(optarg, 0, UINT32_MAX, &o->fnd_uid); break;
		case 's': o->state = optarg; break;
		case 'l': o->log_level = optarg; break;
		case 'V': puts("fn-events " FN_VERSION); exit(0);
		default: r = -EINVAL;
		}
	return r == 0 && o->run_as && o->state && optind == argc ? 0 : -EINVAL;
}

static int drop(const struct options *o, struct fn_err *err)
{
	unsigned uid, gid;
	int r;

	if (sscanf(o->run_as, "%u:%u", &uid, &gid) != 2 || uid == 0)
		return fn_err_set(err, EINVAL, "start fn-events", "whom to run as?");
	r = fn_sec_drop(uid, gid, err);
#ifdef FN_ASAN
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
#endif
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		r = fn_err_set(err, errno, "start fn-events", "prctl");
	return r;
}

/* --- ending --- */
static bool busy(const struct process *p)
{
	bool is = fn_httpd_active(p->httpd) + fn_direct_server_active(p->direct) > 0;

	for (size_t i = 0; i < p->services.n; i++)
		is = is || (p->services.list[i].busy && p->services.list[i].busy(p->services.list[i].arg));
	return is;
}

static void on_drain_timer(void *arg)
{
	struct process *p = arg;

	if (!busy(p) || fn_loop_now_us(p->env.loop) >= p->drain_until_us)
		fn_loop_stop(p->env.loop);
	else
		(void)fn_loop_rearm_timer(p->env.loop, p->drain_timer, fn_loop_now_us(p->env.loop) + DRAIN_LOOK_US);
}

static void on_term(void *arg, int signo, int sender)
{
	struct process *p = arg;

	(void)signo;
	(void)sender;
	if (p->draining) { /* asked twice: at once */
		p->drain_until_us = 0;
		return;
	}
	p->draining = true;
	fn_httpd_quiesce(p->httpd);
	fn_direct_server_quiesce(p->direct);
	for (size_t i = 0; i < p->services.n; i++)
		if (p->services.list[i].drain)
			p->services.list[i].drain(p->services.list[i].arg);
	p->drain_until_us = fn_loop_now_us(p->env.loop) + p->grace_us;
	if (fn_loop_add_timer(p->env.loop, 0, on_drain_timer, p, &p->drain_timer) < 0)
		fn_loop_stop(p->env.loop);
}

/* --- making --- */
static int read_config(struct process *p, struct fn_err *err)
{
	int r = fn_json_file_object("configuration", FN_EVENTS_FD_CONFIG, "start fn-events", &p->config, err);

	if (r < 0)
		return r;
	p->env.region = json_string_value(json_object_get(p->config, "region"));
	p->env.account_id = json_string_value(json_object_get(p->config, "account_id"));
	p->env.config = json_object_get(p->config, "events");
	p->env.account_concurrency = json_integer_value(json_object_get(p->config, "account_concurrency"));
	p->grace_us = (uint64_t)json_integer_value(json_object_get(p->config, "drain_grace_s")) * 1000000u;
	return p->env.region && p->env.account_id && json_is_object(p->env.config) ? 0 : fn_err_set(err, EINVAL, "start fn-events", "its configuration");
}

static int open_db(struct process *p, struct fn_err *err)
{
	sqlite3 *db;
	int r;

	if (fn_str_format(p->db_path, sizeof(p->db_path), "%s/" FN_EVENTS_FOLDER "/events.db", p->o.state) < 0)
		return fn_err_set(err, ENAMETOOLONG, "start fn-events", "%.150s", p->o.state);
	p->env.db_path = p->db_path;
	r = fn_events_db_open(p->db_path, &db, err);
	if (r == 0)
		r = fn_db_writer_new(p->env.loop, p->db_path, db, &p->env.writer, err);
	return r < 0 ? r : fn_queues_new(p->env.loop, p->env.writer, p->db_path, &p->env.queues, err);
}

static bool admit(void *arg, int fd)
{
	const struct process *p = arg;

	return fn_sock_peer_is(fd, (uid_t)p->o.fnd_uid);
}

/* The connections that clients have made, and fnd has handed over. */
static int open_direct(struct process *p, struct fn_err *err)
{
	struct fn_direct_config c = {.loop = p->env.loop, .listen_fd = FN_EVENTS_FD_HANDOVER, .fnd_uid = p->o.fnd_uid, .conn_max = CONNECTIONS_MAX, .idle_timeout_s = IDLE_S,
				     .services = &p->services, .region = p->env.region, .account_id = p->env.account_id};
	uint64_t most = (uint64_t)json_integer_value(json_object_get(p->config, "body_budget_mb")) << 20;
	int r = fn_bodies_new(most, most / 100 * (uint64_t)json_integer_value(json_object_get(p->config, "peer_percent")), &p->bodies);

	if (r < 0)
		return fn_err_set(err, r, "start fn-events", "bodies of requests");
	c.bodies = p->bodies;
	return fn_direct_server_new(&c, &p->direct, err);
}

static int make(struct process *p, struct fn_err *err)
{
	struct fn_httpd_config http = {.listen_fd = FN_EVENTS_FD_LISTEN, .conn_max = CONNECTIONS_MAX, .role = FN_HTTP_EVENTS, .takes_clients = true, .admit = admit, .admit_arg = p, .ops = &fn_service_httpd_ops,
				       .arg = &p->services};
	uint64_t id;
	int r = fn_loop_new(&p->env.loop);

	if (r < 0)
		return fn_err_set(err, r, "start fn-events", "event loop");
	r = fn_jobs_new(p->env.loop, 1, &p->env.jobs);
	if (r < 0)
		return fn_err_set(err, r, "start fn-events", "threads");
	r = read_config(p, err);
	if (r == 0)
		r = open_db(p, err);
	if (r < 0)
		return r;
	r = fn_fnd_new(&(struct fn_fnd_config){.loop = p->env.loop, .dir_fd = FN_EVENTS_FD_STATE, .calls = (unsigned)p->env.account_concurrency + 64}, &p->env.fnd);
	if (r == 0)
		r = fn_rights_new(p->env.loop, p->env.fnd, &p->env.rights);
	if (r == 0)
		r = fn_loop_add_signal(p->env.loop, SIGTERM, on_term, p, &id);
	if (r < 0)
		return fn_err_set(err, r, "start fn-events", NULL);
	r = fn_services_open(&p->env, &p->services, err);
	if (r == 0)
		r = open_direct(p, err);
	return r < 0 ? r : fn_httpd_new(p->env.loop, &http, &p->httpd, err);
}

static void unmake(struct process *p)
{
	fn_jobs_drain(p->env.jobs); /* while all are there that are told */
	if (p->env.queues)
		fn_queues_stop(p->env.queues);
	if (p->env.writer)
		fn_db_writer_drain(p->env.writer);
	fn_httpd_free(p->httpd);
	fn_direct_server_free(p->direct);
	fn_bodies_free(p->bodies);
	fn_services_close(&p->services);
	fn_rights_free(p->env.rights);
	fn_fnd_free(p->env.fnd);
	fn_queues_free(p->env.queues);
	fn_db_writer_free(p->env.writer);
	fn_jobs_free(p->env.jobs);
	fn_loop_free(p->env.loop);
	json_decref(p->config);
}

int main(int argc, char **argv)
{
	enum fn_log_level level = FN_LOG_INFO;
	struct process p = {.o.fnd_uid = 0};
	struct fn_err err = {0};
	char text[512];
	int r;

	if (parse(argc, argv, &p.o) < 0 || fcntl(FN_EVENTS_FD_CONFIG, F_GETFD) < 0) {
		fprintf(stderr, "fn-events: this is for fnd's own use\n");
		return 2;
	}
	(void)fn_log_level_parse(p.o.log_level, &level);
	fn_log_init("fn-events", level);
	(void)signal(SIGPIPE, SIG_IGN);
	for (int fd = FN_EVENTS_FD_LISTEN; fd < FN_EVENTS_FD_END; fd++)
		(void)fn_fd_set_cloexec(fd, true);
	r = drop(&p.o, &err);
	if (r == 0)
		r = make(&p, &err);
	if (r == 0)
		r = fn_db_writer_run_loop(p.env.writer);
	else
		fn_log_error("%s", fn_err_format(&err, text, sizeof(text)));
	unmake(&p);
	return r < 0;
}
