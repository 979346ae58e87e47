/*
 * main.c - fn-gateway: function URLs, and TLS in front of the AWS API. Started by fnd's supervisor, as root, with its listening sockets and keys as
 * descriptors (gateway/args.h); it gives up its privileges before it reads a byte from anybody. It knows no state directory but the socket in it, and
 * no secret of fnd's. SIGTERM: what is under way is finished, then it ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "gateway/accept.h"
#include "gateway/args.h"
#include "gateway/tls.h"
#include "os/sec.h"

#define KEEP 256u /* connections to fnd that rest */
#define END_LOOK_US 10000u

struct options {
	const char *run_as, *region, *domain, *api_host, *trusted, *log_level;
	int64_t connections, peer_connections, body_budget_mb, peer_percent, certificates;
	bool check; /* are the certificates and keys some that it takes? No more than that */
};

static int number(const char *text, int64_t *to) { return fn_str_to_i64(text, 0, INT32_MAX, to); }

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {{"run-as", required_argument, NULL, 'u'}, {"region", required_argument, NULL, 'r'}, {"domain", required_argument, NULL, 'd'},
						{"api-host", required_argument, NULL, 'a'}, {"trusted-proxies", required_argument, NULL, 't'},
						{"log-level", required_argument, NULL, 'l'}, {"connections", required_argument, NULL, 'c'},
						{"peer-connections", required_argument, NULL, 'p'}, {"body-budget-mb", required_argument, NULL, 'b'},
						{"peer-percent", required_argument, NULL, 'P'}, {"certificates", required_argument, NULL, 'n'},
						{"check", no_argument, NULL, 'C'}, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'u': o->run_as = optarg; break;
		case 'r': o->region = optarg; break;
		case 'd': o->domain = optarg; break;
		case 'a': o->api_host = optarg; break;
		case 't': o->trusted = optarg; break;
		case 'l': o->log_level = optarg; break;
		case 'c': r = number(optarg, &o->connections); break;
		case 'p': r = number(optarg, &o->peer_connections); break;
		case 'b': r = number(optarg, &o->body_budget_mb); break;
		case 'P': r = number(optarg, &o->peer_percent); break;
		case 'n': r = number(optarg, &o->certificates); break;
		case 'C': o->check = true; break;
		case 'V': puts("fn-gateway " FN_VERSION); exit(0);
		default: r = -EINVAL;
		}
	return r == 0 && o->run_as && (o->check || (o->region && o->domain)) && optind == argc && o->certificates <= FN_GW_CERTIFICATES_MAX ? 0 : -EINVAL;
}

static int drop(const struct options *o, struct fn_err *err)
{
	unsigned uid, gid;
	int r;

	if (sscanf(o->run_as, "%u:%u", &uid, &gid) != 2 || uid == 0)
		return fn_err_set(err, EINVAL, "start fn-gateway", "whom to run as?");
	r = fn_sec_drop(uid, gid, err);
#ifdef FN_ASAN
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
#endif
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		r = fn_err_set(err, errno, "start fn-gateway", "prctl");
	return r;
}

static int make(struct fn_gw *gw, const struct options *o, struct fn_err *err)
{
	uint64_t most = (uint64_t)o->body_budget_mb << 20;
	int r = fn_gw_proxies_parse(o->trusted, &gw->proxies);

	gw->names = (struct fn_gw_names){o->region, o->domain};
	if (r == 0)
		r = -pthread_mutex_init(&gw->lock, NULL);
	if (r == 0)
		r = fn_gw_conns_new((unsigned)o->connections, (unsigned)o->peer_connections, &gw->conns);
	if (r == 0)
		r = fn_bodies_new(most, most / 100 * (uint64_t)o->peer_percent, &gw->bodies);
	if (r == 0)
		r = fn_gw_upstream_new(FN_GW_FD_STATE, KEEP, &gw->upstream);
	return r < 0 ? fn_err_set(err, r, "start fn-gateway", NULL) : 0;
}

static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

/* A listening socket, its server, its thread. */
static int open_one(struct fn_gw_acceptor *a, struct fn_gw *gw, int fd, bool tls, const struct options *o, int stop_fd, struct fn_err *err)
{
	struct MHD_OptionItem with_tls[] = {{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)fn_gw_tls_choose}, {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)FN_GW_TLS_PRIORITIES},
					    {MHD_OPTION_END, 0, NULL}};

	*a = (struct fn_gw_acceptor){.gw = gw, .fd = fd, .stop_fd = stop_fd};
	a->daemon = fn_gw_serve(gw, tls ? MHD_USE_TLS : 0, (unsigned)o->connections, with_tls + (tls ? 0 : 2));
	if (!a->daemon)
		return fn_err_set(err, EINVAL, "start fn-gateway", "libmicrohttpd does not start");
	a->api_host = tls ? o->api_host : NULL;
	a->state_fd = FN_GW_FD_STATE;
	return fn_gw_accept_start(a);
}

static void wait_for_end(struct fn_gw *gw)
{
	sigset_t told;
	int signo;

	sigemptyset(&told);
	sigaddset(&told, SIGTERM);
	for (;;) {
		struct timespec second = {.tv_sec = 1};

		signo = sigtimedwait(&told, NULL, &second);
		if (signo == SIGTERM)
			return;
		fn_gw_conns_look(gw->conns);
	}
}

static int run(struct fn_gw *gw, const struct options *o, struct fn_err *err)
{
	struct fn_gw_acceptor acceptors[2];
	int stop_fd = eventfd(0, EFD_CLOEXEC), r = stop_fd < 0 ? fn_err_set(err, errno, "start fn-gateway", "eventfd") : 0;
	uint64_t one = 1;
	size_t n = 0;

	for (int fd = FN_GW_FD_PLAIN; r == 0 && fd <= FN_GW_FD_TLS; fd++)
		if (is_open(fd)) {
			r = open_one(&acceptors[n], gw, fd, fd == FN_GW_FD_TLS, o, stop_fd, err);
			n += r == 0;
		}
	if (r < 0)
		return r;
	fn_log_info("serving function URLs under %s", o->domain);
	wait_for_end(gw);
	(void)!write(stop_fd, &one, sizeof(one));
	for (size_t i = 0; i < n; i++)
		fn_gw_accept_join(&acceptors[i]);
	fn_gw_conns_finish(gw->conns);
	for (uint64_t looks = 0; !fn_gw_conns_gone(gw->conns); looks++) {
		usleep(END_LOOK_US);
		if (looks % (1000000 / END_LOOK_US) == 0)
			fn_gw_conns_look(gw->conns);
	}
	for (size_t i = 0; i < n; i++)
		MHD_stop_daemon(acceptors[i].daemon);
	fn_close(stop_fd);
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = {.connections = 1024, .peer_connections = 512, .body_budget_mb = 256, .peer_percent = 75};
	enum fn_log_level level = FN_LOG_INFO;
	struct fn_gw gw = {0};
	struct fn_err err = {0};
	int files[2 * FN_GW_CERTIFICATES_MAX], r;
	char text[512];
	sigset_t told;

	if (parse(argc, argv, &o) < 0 || (!o.check && !is_open(FN_GW_FD_STATE))) {
		fprintf(stderr, "fn-gateway: this is for fnd's own use\n");
		return 2;
	}
	(void)fn_log_level_parse(o.log_level, &level);
	fn_log_init("fn-gateway", level);
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&told); /* for all threads: this one waits for it */
	sigaddset(&told, SIGTERM);
	sigprocmask(SIG_BLOCK, &told, NULL);
	(void)mallopt(M_ARENA_MAX, 4); /* threads are as many as connections */
	for (int fd = FN_GW_FD_PLAIN; fd < FN_GW_FD_FILES + 2 * (int)o.certificates; fd++)
		if (is_open(fd))
			(void)fn_fd_set_cloexec(fd, true);
	for (int i = 0; i < 2 * (int)o.certificates; i++)
		files[i] = FN_GW_FD_FILES + i;
	r = drop(&o, &err);
	if (r == 0)
		r = fn_gw_tls_load(files, (size_t)o.certificates, &err);
	for (int i = 0; i < 2 * (int)o.certificates; i++)
		fn_close(files[i]);
	if (o.check) {
		if (r < 0)
			fprintf(stderr, "%s\n", fn_err_format(&err, text, sizeof(text)));
		fn_gw_tls_free();
		return r < 0;
	}
	if (r == 0)
		r = make(&gw, &o, &err);
	if (r == 0)
		r = run(&gw, &o, &err);
	if (r < 0)
		fn_log_error("%s", fn_err_format(&err, text, sizeof(text)));
	fn_gw_upstream_free(gw.upstream);
	fn_bodies_free(gw.bodies);
	fn_gw_conns_free(gw.conns);
	fn_gw_tls_free();
	return r < 0;
}
