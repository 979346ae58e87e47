/* handover.c - connections that go to fn-events, whose requests they bring, and come back: fnd's end of service/handover.h. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/internal.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "model/inner.h"
#include "service/handover.h"
#include "web/address.h"

#define AGAIN_US 100000u /* between two attempts to reach it */
#define STAYS 16         /* requests of a connection that has come back: one that is used for several services would go to and fro */

static void lost(void *arg)
{
	struct fn_api *api = arg;

	fn_handover_free(fn_take_ptr(api->handover));
}

static void came(void *arg, int fd, const struct fn_http_handed *what, const struct fn_grant *grant)
{
	struct fn_api *api = arg;
	struct fn_http_handed back = *what;

	back.stays = STAYS;
	if (grant || fn_fd_set_nonblock(fd, true) < 0)
		fn_close(fd);
	else
		(void)fn_httpd_add_handed(api->public, fd, &back);
}

static const struct fn_handover_ops ops = {.came = came, .lost = lost};

static int reach(const struct fn_api *api)
{
	fn_auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a;
	int r = fd < 0 ? -errno : fn_address_at(api->cfg.state_fd, FN_HANDOVER_SOCKET, &a);

	if (r == 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		r = -errno;
	return r < 0 ? r : fn_take_fd(&fd);
}

static bool there(struct fn_api *api)
{
	const struct fn_api_config *cfg = &api->cfg;
	uint64_t now = fn_loop_now_us(cfg->loop);
	int fd;

	if (api->handover || now < api->handover_at_us)
		return api->handover;
	api->handover_at_us = now + AGAIN_US;
	fd = reach(api);
	if (fd < 0 || fn_handover_new(cfg->loop, fd, &ops, api, &api->handover) < 0)
		return false;
	if (fn_handover_hello(api->handover, cfg->n_credentials > 0, cfg->hosts, cfg->n_hosts) < 0)
		lost(api);
	return api->handover;
}

/* Keys of the configuration alone: what others may has to be judged here. */
static bool granted(const struct fn_api_config *cfg, const struct fn_authorization *a, struct fn_grant *ret)
{
	*ret = (struct fn_grant){.date = ""};
	for (size_t i = 0; i < cfg->n_credentials; i++)
		if (fn_streq(cfg->credentials[i].access_key_id, a->key_id))
			return fn_str_format(ret->key_id, sizeof(ret->key_id), "%s", a->key_id) == 0 && fn_str_format(ret->date, sizeof(ret->date), "%s", a->date) == 0 &&
			       fn_sigv4_key(cfg->credentials[i].secret_access_key, a->date, a->region, a->service, ret->key) == 0;
	return cfg->n_credentials == 0;
}

struct sending {
	struct fn_handover *to;
	const struct fn_grant *grant;
};

static int send_it(void *arg, int fd, const struct fn_http_handed *what)
{
	const struct sending *s = arg;

	return fn_handover_send(s->to, fd, what, s->grant);
}

bool fn_api_elsewhere(void *arg, struct fn_http_req *req)
{
	struct fn_api *api = arg;
	const struct fn_api_config *cfg = &api->cfg;
	const struct fn_direct_rules rules = {cfg->n_credentials > 0, cfg->hosts, cfg->n_hosts, cfg->region};
	struct fn_direct d;
	struct fn_grant grant;
	bool gone;

	if (fn_http_req_role(req) != FN_HTTP_PUBLIC || fn_http_req_stays(req) || api->draining || !fn_direct_fits(req, &rules, &d) || !there(api) || !granted(cfg, &d.signature, &grant))
		return false;
	gone = fn_http_req_hand_over(req, send_it, &(struct sending){api->handover, &grant}) == 0;
	explicit_bzero(&grant, sizeof(grant));
	return gone;
}

void fn_handover_drain(struct fn_api *api)
{
	if (api->handover && fn_handover_last(api->handover) < 0)
		lost(api);
}

void fn_handover_end(struct fn_api *api) { lost(api); }
