/* platform.c - see platform.h. */
#include "env/platform.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "env/env.h"

#define PEERS (UINT64_C(1) << 63) /* not what fn_crowd_peer() makes of addresses, in most cases; nothing depends on it */
#define ACCEPT_PAUSE_US 100000u /* when there is no descriptor, memory or place for another connection */

struct fn_platform {
	struct fn_http_party party;
	const struct fn_env *env; /* NULL: its sandbox has ended */
	struct fn_loop *loop;
	struct fn_httpd *httpd;
	struct fn_function *function; /* a reference */
	char *trace;
	int listen_fd;
	uint64_t io, resume;
	struct fn_deferred later; /* lets what was held go on */
	bool deaf; /* the listening socket is not watched */
};

bool fn_platform_wanted(const struct fn_function *f)
{
	for (size_t i = 0; i < f->n_env; i++)
		if (fn_streq(f->env[i].name, FN_PLATFORM_SWITCH))
			return !fn_streq(f->env[i].value, FN_PLATFORM_OFF);
	return true;
}

static void hear(struct fn_platform *p, bool on)
{
	if (p->deaf == on && p->io && fn_loop_mod_io(p->loop, p->io, on ? EPOLLIN : 0) == 0)
		p->deaf = !on;
}

/* Nothing to do with bandwidth and pacing: rtapi.c says why. */
static void set_options(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

static void on_resume(void *arg)
{
	struct fn_platform *p = arg;

	fn_loop_clear(p->loop, &p->resume);
	if (!p->party.holds)
		hear(p, true);
}

static void pause_accepting(struct fn_platform *p)
{
	hear(p, false);
	if (!p->resume)
		(void)fn_loop_add_timer(p->loop, fn_loop_now_us(p->loop) + ACCEPT_PAUSE_US, on_resume, p, &p->resume);
}

static void on_accept(void *arg, int fd, uint32_t events)
{
	struct fn_platform *p = arg;

	(void)events;
	if (p->party.holds) { /* until it is thawed */
		hear(p, false);
		return;
	}
	for (unsigned i = 0; i < FN_PLATFORM_CONNS_MAX; i++) {
		int c;

		if (p->party.n_conns >= FN_PLATFORM_CONNS_MAX && !fn_http_party_make_room(&p->party)) { /* until one has ended */
			hear(p, false);
			return;
		}
		c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (c < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
			return;
		if (c >= 0)
			set_options(c);
		if (c < 0 || fn_httpd_add_party(p->httpd, c, &p->party) < 0) {
			pause_accepting(p);
			return;
		}
	}
}

static void on_left(struct fn_http_party *party)
{
	struct fn_platform *p = fn_list_entry(party, struct fn_platform, party);

	if (!party->holds && !p->resume)
		hear(p, true);
}

static void release(struct fn_http_party *party)
{
	struct fn_platform *p = fn_list_entry(party, struct fn_platform, party);

	fn_function_unref(p->function);
	free(p->trace);
	free(p);
}

static void go_on(void *arg)
{
	struct fn_platform *p = arg;

	hear(p, !p->resume);
	fn_http_party_go_on(&p->party);
}

int fn_platform_new(struct fn_env *e, int listen_fd, struct fn_platform **ret)
{
	const struct fn_env_config *cfg = &e->host->cfg;
	struct fn_platform *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		fn_close(listen_fd);
		return -ENOMEM;
	}
	fn_http_party_init(&p->party, PEERS | e->environment, on_left, release);
	p->later = (struct fn_deferred){.fn = go_on, .arg = p};
	p->env = e;
	p->loop = cfg->loop;
	p->httpd = cfg->platform->httpd;
	p->function = fn_function_ref(e->version->function);
	p->listen_fd = listen_fd;
	r = fn_loop_add_io(p->loop, listen_fd, EPOLLIN, on_accept, p, &p->io);
	if (r < 0) {
		fn_platform_end(p);
		return r;
	}
	*ret = p;
	return 0;
}

void fn_platform_freeze(struct fn_platform *p, bool on)
{
	if (!p)
		return;
	fn_deferred_cancel(&p->later);
	if (on)
		fn_http_party_hold(&p->party);
	else if (p->party.holds) /* not from here: who thaws it is about to give it an invocation */
		fn_loop_defer(p->loop, &p->later);
}

void fn_platform_begin(struct fn_platform *p, const char *trace)
{
	if (!p || (!trace && !p->trace))
		return;
	free(p->trace);
	p->trace = fn_strdup_opt(trace);
}

void fn_platform_end(struct fn_platform *p)
{
	if (!p)
		return;
	p->env = NULL;
	fn_deferred_cancel(&p->later);
	fn_loop_clear(p->loop, &p->io);
	fn_loop_clear(p->loop, &p->resume);
	fn_close(fn_take_fd(&p->listen_fd));
	fn_http_party_end(&p->party);
}

struct fn_platform *fn_platform_of(const struct fn_http_req *req)
{
	struct fn_http_party *party = fn_http_req_role(req) == FN_HTTP_SANDBOX ? fn_http_req_party(req) : NULL;

	return party ? fn_list_entry(party, struct fn_platform, party) : NULL;
}

const struct fn_function *fn_platform_function(const struct fn_platform *p) { return p->function; }
const struct fn_credentials *fn_platform_credentials(const struct fn_platform *p) { return p->env ? &p->env->credentials : NULL; }
const char *fn_platform_trace(const struct fn_platform *p) { return p->trace; }
