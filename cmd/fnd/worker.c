/* worker.c - the process that does the work: everything is made here, wired together, and taken down again. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "api/from_events.h"
#include "api/inner.h"
#include "fnd.h"
#include "invoke/invoker.h"
#include "invoke/provision.h"
#include "model/inner.h"
#include "model/limits.h"
#include "os/sock.h"
#include "pool/pool.h"
#include "runtime/images.h"
#include "runtime/pulls.h"
#include "runtime/resolver.h"
#include "runtime/rtapi.h"
#include "sandboxes.h"
#include "state.h"

#define DRAIN_LOOK_US 10000u
#define EXPECT_US 250000u     /* a client that has had an answer, or has connected, may be about to ask */
#define REST_US 5000000u      /* who has sent a part of a request sends more of it */
#define END_WAIT_US 10000000u /* for the last environments to be gone */
#define CONNECTIONS_MAX 8192
#define CONTROL_CONNECTIONS_MAX 256
#define GATEWAY_CONNECTIONS_MAX 20000
#define EVENTS_CONNECTIONS_MAX 100000 /* what runs for fn-events: admission bounds it */
#define EVENTS_CALLS 4096 /* of ours to it, at once */
#define EVENTS_CONNECT_US 300000u /* while it is started anew */
#define JOB_THREADS 2 /* for files and digests */

struct worker {
	const struct fnd_config *cfg;
	struct fn_loop *loop;
	int supervisor_fd;
	struct fn_jobs *jobs;
	struct fn_packages *packages;
	struct fn_store *store;
	struct fn_runtimes *runtimes;
	struct fn_logs *logs;
	struct fn_h1_server *rt_server;
	struct fn_httpd *api_httpd, *control_httpd, *gateway_httpd, *events_httpd; /* the last three: NULL = there is none */
	struct fn_inner_client *events; /* to fn-events */
	int state_fd;
	struct fnd_sandboxes sandboxes;
	gid_t control_group;
	struct fn_bodies *kept, *streamed; /* under way */
	struct fn_roles *roles;
	struct fn_pool *pool;
	struct fn_spawn_client *spawn;
	struct fn_invoker *invoker;
	struct fn_scaler *scaler;
	struct fn_snapshots *snapshots;
	struct fn_images *images;
	struct fn_disk *disk;
	struct fn_pulls *pulls;
	struct fn_resolver *resolver;
	struct fn_api *api;
	char network_from[160];
	int listen_fd, control_fd, gateway_fd, events_fd;
	uid_t gateway_uid, events_uid;
	const char *urls;
	char url_scheme[8];
	uint64_t drain_timer, drain_until_us;
	bool draining, ending;
	int status;
};

static void tell_supervisor(struct worker *w, char type)
{
	struct iovec iov = {&type, 1};

	(void)fn_sock_send(w->supervisor_fd, &iov, 1, NULL, 0);
}

/* --- fn-spawnd --- */
static void on_exit_of(void *arg, uint64_t id, const struct fn_sandbox_exit *info)
{
	struct worker *w = arg;

	fn_pool_on_exit(w->pool, id, info);
}

static void on_lost(void *arg)
{
	struct worker *w = arg;

	if (!w->ending)
		fn_log_warn("the connection to fn-spawnd is lost");
	fn_pool_on_lost(w->pool);
}

static void on_reclaimed(void *arg, uint64_t id, uint64_t bytes)
{
	struct worker *w = arg;

	fn_pool_on_reclaimed(w->pool, id, bytes);
}

static void on_process(void *arg, uint64_t id, unsigned process, int wait_status, const struct fn_err *err)
{
	struct worker *w = arg;

	fn_pool_on_process(w->pool, id, process, wait_status, err);
}

static const struct fn_spawn_client_ops spawn_ops = {.on_exit = on_exit_of, .on_lost = on_lost, .on_reclaimed = on_reclaimed, .on_process = on_process};

/* Runtimes that functions use are started ahead. */
static void expect_all(struct worker *w)
{
	struct fn_function *page[64];
	const char *after = NULL;
	size_t n;

	while ((n = fn_store_list(w->store, after, page, 64)) > 0) {
		for (size_t i = 0; i < n; i++)
			fn_invoker_expect(w->invoker, page[i]);
		after = page[n - 1]->name;
	}
	fn_snapshots_expect(w->snapshots);
}

static void on_supervisor(void *arg, int fd, uint32_t events)
{
	struct worker *w = arg;
	int fds[FN_SOCK_FDS_MAX];
	struct fn_err err;
	size_t n_fds = 0;
	char type, text[512];
	ssize_t n = fn_sock_recv(fd, &type, 1, fds, &n_fds);

	(void)events;
	if (n == -EAGAIN)
		return;
	if (n <= 0) { /* the supervisor is gone; so will we be */
		fn_loop_stop(w->loop);
		return;
	}
	if (type != FND_SPAWND || n_fds != 1)
		return;
	if (fn_spawn_client_reconnect(w->spawn, fds[0], &err) < 0)
		fn_log_error("%s", fn_err_format(&err, text, sizeof(text)));
	else
		expect_all(w);
}

/* --- ending --- */
static struct fn_httpd *const *servers(const struct worker *w)
{
	static struct fn_httpd *v[6]; /* those that there are, then NULL */
	struct fn_httpd *all[] = {w->api_httpd, w->control_httpd, w->gateway_httpd, w->events_httpd, w->sandboxes.platform.httpd};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i])
			v[n++] = all[i];
	v[n] = NULL;
	return v;
}

static unsigned active(const struct worker *w)
{
	unsigned n = 0;

	for (struct fn_httpd *const *h = servers(w); *h; h++)
		n += fn_httpd_active(*h);
	return n;
}

/* Of who is sending a request, or keeps a connection: it has its answer with word that the connection ends, and goes to the next worker with what comes then. */
static bool more_is_coming(const struct worker *w)
{
	for (struct fn_httpd *const *h = servers(w); *h; h++)
		if (fn_httpd_expects(*h, EXPECT_US, REST_US))
			return true;
	return false;
}

static void on_drain_timer(void *arg)
{
	struct worker *w = arg;
	uint64_t now = fn_loop_now_us(w->loop);

	if (!w->ending && (active(w) > 0 || more_is_coming(w)) && now < w->drain_until_us) {
		(void)fn_loop_rearm_timer(w->loop, w->drain_timer, now + DRAIN_LOOK_US);
		return;
	}
	if (!w->ending) {
		if (active(w) > 0)
			fn_log_warn("%u requests did not end within the grace of %lld s; they are failed", active(w),
				    (long long)w->cfg->drain_grace_s);
		w->ending = true;
		w->drain_until_us = now + END_WAIT_US;
		for (struct fn_httpd *const *h = servers(w); *h; h++)
			fn_httpd_hang_up(*h);
		fn_pool_shutdown(w->pool);
	}
	if ((fn_pool_workers(w->pool) == 0 && active(w) == 0 && !fn_api_busy(w->api)) || now > w->drain_until_us)
		fn_loop_stop(w->loop);
	else
		(void)fn_loop_rearm_timer(w->loop, w->drain_timer, now + DRAIN_LOOK_US);
}

static void on_term(void *arg, int signo, int sender)
{
	struct worker *w = arg;

	(void)signo;
	(void)sender;
	if (w->draining) { /* asked twice: at once */
		w->drain_until_us = 0;
		return;
	}
	w->draining = true;
	if (!w->api_httpd) { /* not open yet */
		fn_loop_stop(w->loop);
		return;
	}
	fn_log_info("stopping: %u requests are running", active(w));
	tell_supervisor(w, FND_STOPPING);
	for (struct fn_httpd *const *h = servers(w); *h; h++)
		fn_httpd_quiesce(*h);
	fn_api_drain(w->api);
	w->drain_until_us = fn_loop_now_us(w->loop) + (uint64_t)w->cfg->drain_grace_s * 1000000u;
	if (fn_loop_add_timer(w->loop, 0, on_drain_timer, w, &w->drain_timer) < 0)
		fn_loop_stop(w->loop);
}

/* --- making --- */
static uint64_t memory_budget(const struct fnd_config *c)
{
	struct sysinfo si;

	if (c->memory_budget_mb > 0)
		return (uint64_t)c->memory_budget_mb << 20;
	return sysinfo(&si) == 0 ? (uint64_t)si.totalram * si.mem_unit / 10 * 8 : 0;
}

static int make_data_plane(struct worker *w, int spawnd_fd, struct fn_err *err)
{
	const struct fnd_config *c = w->cfg;
	struct fn_pool_config pool = {
		.env = {.loop = w->loop, .region = c->region, .account_id = c->account_id, .state_dir = c->state_dir, .freeze_grace_us = (uint64_t)c->freeze_grace_ms * 1000u,
			.init_timeout_us = (uint64_t)c->init_timeout_s * 1000000u, .net = c->net},
		.keep = {c->keep_policy, (uint64_t)c->idle_timeout_s * 1000000u, (uint64_t)c->keep_bin_s * 1000000u, (unsigned)c->keep_head,
			 (unsigned)c->keep_tail, (unsigned)c->keep_margin, (unsigned)c->keep_samples},
		.memory_budget = memory_budget(c),
	};
	int r = fn_h1_server_new(w->loop, &w->rt_server);

	if (r < 0)
		return fn_err_set(err, r, "runtime api", NULL);
	r = fn_roles_new(w->loop, c->roles, c->n_roles, &w->roles);
	if (r < 0)
		return fn_err_set(err, r, "roles", NULL);
	pool.env.platform = fnd_sandboxes_init(&w->sandboxes, c);
	pool.env.roles = w->roles;
	pool.env.rt_server = w->rt_server;
	pool.env.runtimes = w->runtimes;
	pool.env.logs = w->logs;
	pool.env.store = w->store;
	r = fn_pool_new(&pool, &w->pool, err);
	if (r == 0)
		r = fn_spawn_client_new(w->loop, spawnd_fd, &spawn_ops, w, &w->spawn, err);
	if (r < 0)
		return r;
	fn_pool_set_spawn(w->pool, w->spawn);
	r = fn_jobs_new(w->loop, JOB_THREADS, &w->jobs);
	if (r == 0)
		r = fn_disk_new(&(struct fn_disk_config){w->jobs, w->store, w->spawn, c->state_dir, (uint64_t)c->disk_budget_mb << 20}, &w->disk);
	if (r == 0)
		r = fn_pulls_new(w->loop, w->store, w->disk, w->spawn, &w->pulls);
	if (r == 0)
		r = fn_resolver_new(w->spawn, &w->resolver);
	if (r == 0)
		r = fn_snapshots_new(&(struct fn_snapshots_config){w->loop, w->store, fn_pool_backend(w->pool), w->disk, (uint64_t)c->class_archive_ms * 1000u}, &w->snapshots);
	if (r < 0)
		return fn_err_set(err, r, "snapshots", NULL);
	r = fn_invoker_new(fn_pool_backend(w->pool), (unsigned)c->account_concurrency, &w->invoker);
	return r < 0 ? fn_err_set(err, r, "invoker", NULL) : 0;
}

static int make_bodies(const struct fnd_config *c, int64_t budget_mb, struct fn_bodies **ret)
{
	uint64_t most = (uint64_t)budget_mb << 20;

	return fn_bodies_new(most, most / 100 * (uint64_t)c->peer_percent, ret);
}

/* What bodies of requests come into. */
static int make_intake(struct worker *w, struct fn_err *err)
{
	const struct fnd_config *c = w->cfg;
	int r = fn_packages_new(w->jobs, c->state_dir, &w->packages);

	if (r == 0)
		r = make_bodies(c, c->body_budget_mb, &w->kept);
	if (r == 0)
		r = make_bodies(c, c->upload_budget_mb, &w->streamed);
	return r < 0 ? fn_err_set(err, r, "bodies of requests", NULL) : 0;
}

static int make_events(struct worker *w, struct fn_err *err)
{
	struct fn_inner_config inner = {.loop = w->loop, .name = FN_EVENTS_SOCKET, .connections = EVENTS_CALLS, .keep = 256, .waiting = EVENTS_CALLS, .connect_us = EVENTS_CONNECT_US};
	int r;

	w->state_fd = open(w->cfg->state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->state_fd < 0)
		return fn_err_set(err, errno, "fn-events", "%.150s", w->cfg->state_dir);
	inner.dir_fd = w->state_fd;
	r = fn_inner_client_new(&inner, &w->events);
	return r < 0 ? fn_err_set(err, r, "fn-events", NULL) : 0;
}

static int make_control_plane(struct worker *w, struct fn_err *err)
{
	const struct fnd_config *c = w->cfg;
	struct fn_api_config api = {
		.loop = w->loop, .region = c->region, .account_id = c->account_id, .state_dir = c->state_dir,
		.account_concurrency = (unsigned)c->account_concurrency, .package_max = (uint64_t)c->package_max_mb << 20, .credentials = c->credentials, .n_credentials = c->n_credentials,
		.hosts = c->hosts, .n_hosts = c->n_hosts,
		.store = w->store, .runtimes = w->runtimes, .refuse_deprecated = c->refuse_deprecated, .invoker = w->invoker, .logs = w->logs, .spawn = w->spawn,
		.snapshots = w->snapshots, .platform = w->sandboxes.platform.address[0] ? &w->sandboxes.platform : NULL, .s3_endpoint = c->s3_endpoint, .endpoints = json_object_get(c->events, "endpoints"),
		.pulls = w->pulls, .resolver = w->resolver, .jobs = w->jobs,
	};
	int r = fn_images_new(c->state_dir, c->images_dir, w->runtimes, w->spawn, w->store, w->disk, w->jobs, &w->images);

	if (r < 0)
		return fn_err_set(err, r, "images", NULL);
	api.images = w->images;
	if (w->urls) {
		snprintf(w->url_scheme, sizeof(w->url_scheme), "%.*s", (int)strcspn(w->urls, ":"), w->urls);
		api.url_scheme = w->url_scheme;
		api.url_domain = w->urls + strlen(w->url_scheme) + strlen("://");
	}
	r = make_intake(w, err);
	if (r == 0)
		r = make_events(w, err);
	if (r < 0)
		return r;
	api.events = w->events;
	api.state_fd = w->state_fd;
	api.packages = w->packages;
	api.disk = w->disk;
	if (c->file)
		snprintf(w->network_from, sizeof(w->network_from), "%s in %.120s", c->net_named ? "network.mode" : "the default: there is no network.mode", c->file);
	else
		snprintf(w->network_from, sizeof(w->network_from), "the default: there is no configuration file");
	api.network_from = w->network_from;
	return fn_api_new(&api, &w->api, err);
}

static int make_logs(struct worker *w, struct fn_err *err)
{
	const struct fnd_config *c = w->cfg;
	const struct fn_log_bounds bounds = {(uint64_t)c->log_max_bytes, (uint64_t)c->log_total_mb << 20, (unsigned)c->log_files};
	char dir[4096];

	snprintf(dir, sizeof(dir), "%s/logs", c->state_dir);
	return fn_logs_new(w->loop, dir, &bounds, &w->logs, err);
}

static int make(struct worker *w, const struct fnd_worker_args *args, struct fn_err *err)
{
	const struct fnd_config *c = args->config;
	char db[4096];
	uint64_t id;
	int r = fn_loop_new(&w->loop);

	if (r < 0)
		return fn_err_set(err, r, "fnd", "event loop");
	snprintf(db, sizeof(db), "%s/db", c->state_dir);
	r = fnd_state_is_whole(c->state_dir, err);
	if (r == 0)
		r = fn_store_open(db, w->loop, &w->store, err);
	if (r == 0)
		r = fn_runtimes_load(c->runtimes, c->state_dir, &w->runtimes, err);
	if (r == 0)
		r = make_logs(w, err);
	if (r == 0)
		r = make_data_plane(w, args->spawnd_fd, err);
	if (r == 0)
		r = make_control_plane(w, err);
	if (r < 0)
		return r;
	r = fn_loop_add_signal(w->loop, SIGTERM, on_term, w, &id);
	if (r == 0)
		r = fn_fd_set_nonblock(w->supervisor_fd, true);
	if (r == 0)
		r = fn_loop_add_io(w->loop, w->supervisor_fd, EPOLLIN, on_supervisor, w, &id);
	return r < 0 ? fn_err_set(err, r, "fnd", "event loop") : 0;
}

/* Whom something on the disk is for: nobody = it goes. */
static bool is_owned(void *arg, const char *name)
{
	struct worker *w = arg;

	if (fn_str_starts(name, "img-"))
		return fn_images_with(w->images, name) != NULL || fn_images_wants(w->images, name);
	if (fn_str_starts(name, "snap-") || fn_str_starts(name, FN_ARCHIVE_PREFIX))
		return fn_snapshots_need(w->snapshots, name);
	return fn_store_tree_refs(w->store, name) > 0;
}

static bool admit(void *arg, int fd)
{
	const struct worker *w = arg;

	return fn_sock_peer_allowed(fd, w->control_group);
}

static bool admit_gateway(void *arg, int fd)
{
	const struct worker *w = arg;

	return fn_sock_peer_is(fd, w->gateway_uid);
}

/* fn-gateway's way in: its connections are as many as its clients'. */
static int open_gateway(struct worker *w, struct fn_httpd_config http, struct fn_err *err)
{
	if (w->gateway_fd < 0)
		return 0;
	http.listen_fd = w->gateway_fd;
	http.conn_max = GATEWAY_CONNECTIONS_MAX;
	http.role = FN_HTTP_GATEWAY;
	http.kept = http.streamed = NULL; /* it counts them itself, for each client */
	http.admit = admit_gateway;
	http.admit_arg = w;
	http.ops = &fn_api_inner_ops;
	return fn_httpd_new(w->loop, &http, &w->gateway_httpd, err);
}

static bool admit_events(void *arg, int fd)
{
	const struct worker *w = arg;

	return fn_sock_peer_is(fd, w->events_uid);
}

/* fn-events' way in: a connection for each invocation that runs. */
static int open_events(struct worker *w, struct fn_httpd_config http, struct fn_err *err)
{
	if (w->events_fd < 0)
		return 0;
	http.listen_fd = w->events_fd;
	http.conn_max = EVENTS_CONNECTIONS_MAX;
	http.role = FN_HTTP_EVENTS;
	http.kept = http.streamed = NULL;
	http.admit = admit_events;
	http.admit_arg = w;
	http.ops = &fn_api_from_events_ops;
	return fn_httpd_new(w->loop, &http, &w->events_httpd, err);
}

static int open_httpds(struct worker *w, struct fn_err *err)
{
	struct fn_httpd_config http = {.kept = w->kept, .streamed = w->streamed, .listen_fd = w->listen_fd, .body_max = 1u << 20, .conn_max = CONNECTIONS_MAX,
				       .idle_timeout_s = 300, .ops = &fn_api_httpd_ops, .arg = w->api};
	int r = fn_httpd_new(w->loop, &http, &w->api_httpd, err);

	fn_api_set_public(w->api, w->api_httpd);
	if (r == 0)
		r = fnd_sandboxes_open(&w->sandboxes, w->loop, http, err);
	if (r == 0)
		r = open_gateway(w, http, err);
	if (r == 0)
		r = open_events(w, http, err);
	if (r < 0 || w->control_fd < 0)
		return r;
	http.listen_fd = w->control_fd;
	http.conn_max = CONTROL_CONNECTIONS_MAX;
	http.role = FN_HTTP_CONTROL;
	http.admit = admit;
	http.admit_arg = w;
	return fn_httpd_new(w->loop, &http, &w->control_httpd, err);
}

static void say_images(const struct fn_err *failed, unsigned installed)
{
	char text[512];

	if (failed)
		fn_log_warn("base images: %s", fn_err_format(failed, text, sizeof(text)));
	if (installed)
		fn_log_info("%u base images installed", installed);
}

static void on_other_images(void *arg, const struct fn_err *failed, unsigned installed)
{
	say_images(failed, installed);
	if (installed)
		fn_snapshots_look(((struct worker *)arg)->snapshots); /* those of another base image are made anew */
}

/* The base images that functions have are there: the API opens; who wants another waits for it (api/runtimes.c). Connections made before have waited in the
 * listening socket. */
static void on_images(void *arg, const struct fn_err *failed, unsigned installed)
{
	struct worker *w = arg;
	const struct fn_scaler_config scaling = {w->loop, w->store, w->invoker, (unsigned)w->cfg->account_concurrency,
						 (uint64_t)w->cfg->provisioned_scaling_period_s * 1000000u, w->cfg->scaling, w->cfg->n_scaling};
	fn_auto_free char *have = fn_runtimes_installed(w->runtimes);
	struct rlimit files;
	struct fn_err err;
	char text[512];

	fn_disk_sweep(w->disk, is_owned, w);
	say_images(failed, installed);
	if (open_httpds(w, &err) < 0) {
		fn_log_error("%s", fn_err_format(&err, text, sizeof(text)));
		w->status = 1;
		fn_loop_stop(w->loop);
		return;
	}
	expect_all(w);
	fn_provision_apply_all(w->invoker, w->store);
	fn_snapshots_look(w->snapshots);
	fn_api_resume(w->api);
	if (fn_scaler_new(&scaling, &w->scaler) < 0)
		fn_log_error("provisioned_scaling: out of memory");
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && (uint64_t)w->cfg->account_concurrency * FN_ENV_DESCRIPTORS_EACH > files.rlim_cur)
		fn_log_warn("%llu open files are enough for about %llu environments, fewer than account_concurrency: raise the hard limit (LimitNOFILE, ulimit -Hn)",
			    (unsigned long long)files.rlim_cur, (unsigned long long)files.rlim_cur / FN_ENV_DESCRIPTORS_EACH);
	fn_log_info("ready on http://%s with %zu functions; runtimes: %s", w->cfg->listen, fn_store_count(w->store), have ? have : "?");
	tell_supervisor(w, FND_READY);
}

static void unmake(struct worker *w)
{
	fn_jobs_drain(w->jobs); /* while all are there that are told */
	if (w->store)
		fn_store_drain(w->store);
	if (w->logs)
		fn_logs_drain(w->logs);
	fn_httpd_free(w->api_httpd);
	fn_httpd_free(w->control_httpd);
	fn_httpd_free(w->gateway_httpd);
	fn_httpd_free(w->events_httpd);
	fnd_sandboxes_close(&w->sandboxes);
	fn_jobs_free(w->jobs);
	if (w->store)
		fn_store_drain(w->store); /* what came of those */
	fn_packages_free(w->packages);
	fn_bodies_free(w->kept);
	fn_bodies_free(w->streamed);
	fn_scaler_free(w->scaler);
	fn_pool_free(w->pool);
	fn_roles_free(w->roles);
	fn_api_free(w->api);
	fn_inner_client_free(w->events);
	fn_close(w->state_fd);
	fn_images_free(w->images);
	fn_invoker_free(w->invoker);
	fn_spawn_client_free(w->spawn);
	fn_pulls_free(w->pulls);
	fn_resolver_free(w->resolver);
	fn_disk_free(w->disk);           /* after what may still call them */
	fn_snapshots_free(w->snapshots);
	fn_h1_server_free(w->rt_server);
	fn_logs_free(w->logs);
	fn_runtimes_free(w->runtimes);
	fn_store_close(w->store);
	fn_loop_free(w->loop);
}

int fnd_worker_run(const struct fnd_worker_args *args)
{
	struct worker w = {.cfg = args->config, .supervisor_fd = args->supervisor_fd, .listen_fd = args->listen_fd, .control_fd = args->control_fd,
			   .gateway_fd = args->gateway_fd, .gateway_uid = args->gateway_uid, .events_fd = args->events_fd, .events_uid = args->events_uid, .state_fd = -EBADF, .urls = args->urls,
			   .control_group = fnd_config_control_group(args->config)};
	struct fn_err err = {0};
	char text[512];

	if (make(&w, args, &err) < 0) {
		fn_log_error("%s", fn_err_format(&err, text, sizeof(text)));
		unmake(&w);
		return 1;
	}
	fn_images_start(w.images, on_images, on_other_images, &w);
	if (fn_loop_run(w.loop) < 0)
		w.status = 1;
	unmake(&w);
	fn_log_info("ended");
	return w.status;
}
