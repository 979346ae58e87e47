/* gateway.c - see gateway.h. Runs in the supervisor. */
#include "gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "gateway/args.h"
#include "listen.h"
#include "web/address.h"

/* The socket of an address: the last one's, if it is the same there. */
static int listen_on(char **text, const char *key, bool named, int last_fd, const char *last_text, int *ret_fd, char **ret_text, struct fn_err *err)
{
	struct sockaddr_storage address;
	bool loopback = true;
	socklen_t len;
	int r;

	*ret_text = strdup(*text);
	if (!*ret_text)
		return fn_err_set(err, ENOMEM, key, NULL);
	if (!**text)
		return 0;
	if (last_fd >= 0 && fn_streq(*text, last_text)) {
		*ret_fd = fcntl(last_fd, F_DUPFD_CLOEXEC, 3);
		return *ret_fd < 0 ? fn_err_set(err, errno, key, "%.100s", *text) : 0;
	}
	r = fnd_listen_at(text, key, named, err);
	if (r == -EADDRINUSE && !named) { /* nobody has asked for it */
		fn_log_warn("%s is taken by another program: there are no function URLs until \"gateway\": {\"listen\": ..} names a free address", *text);
		fn_set_string(text, "");
		return *text ? 0 : fn_err_set(err, ENOMEM, key, NULL);
	}
	if (r < 0)
		return r;
	*ret_fd = r;
	(void)fn_address_parse(*text, key, &address, &len, &loopback, err);
	if (!loopback)
		fn_log_info("%s: function URLs are reachable from other machines at %s, each as its AuthType and its policy say", key, *text);
	return 0;
}

static int open_files(struct fnd_gateway *g, const struct fnd_gateway_config *c, struct fn_err *err)
{
	g->files = calloc(c->n_certificates * 2 + 1, sizeof(*g->files));
	if (!g->files)
		return fn_err_set(err, ENOMEM, "gateway", NULL);
	for (size_t i = 0; i < c->n_certificates * 2; i++) {
		const char *path = i % 2 ? c->certificates[i / 2].key : c->certificates[i / 2].certificate;

		g->files[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (g->files[i] < 0)
			return fn_err_set(err, errno, "gateway", "%.150s", path);
		g->n_files++;
	}
	return 0;
}

#define FDS_MOST (FN_GW_FD_FILES - FN_GW_FD_PLAIN + 2 * FN_GW_CERTIFICATES_MAX)

/* What fn-gateway is started with, in its order (gateway/args.h): how many. */
static size_t fds_of(const struct fnd_gateway *g, int fds[FDS_MOST])
{
	size_t n = FN_GW_FD_FILES - FN_GW_FD_PLAIN;

	fds[FN_GW_FD_PLAIN - FN_GW_FD_PLAIN] = g->plain_fd;
	fds[FN_GW_FD_TLS - FN_GW_FD_PLAIN] = g->tls_fd;
	fds[FN_GW_FD_STATE - FN_GW_FD_PLAIN] = g->state_fd;
	for (size_t i = 0; i < g->n_files; i++)
		fds[n++] = g->files[i];
	return n;
}

/* By fn-gateway, which has a parser of certificates, and no rights. */
int fnd_gateway_check(const struct fnd_config *cfg, struct fn_err *err)
{
	struct fnd_child_about about = {.cfg = cfg};
	struct fnd_gateway g = FND_GATEWAY_NONE;
	int fds[FDS_MOST];
	struct fnd_argv argv = {.n = 0};
	int r = open_files(&g, &cfg->gateway, err);

	if (r == 0 && g.n_files > 0) {
		fnd_child_users(cfg, &about);
		fnd_argv_add(&argv, "fn-gateway");
		fnd_argv_add(&argv, "--check");
		fnd_argv_add(&argv, "--run-as");
		fnd_argv_add(&argv, "%u:%u", (unsigned)about.gateway_uid, (unsigned)about.gateway_gid);
		fnd_argv_add(&argv, "--certificates");
		fnd_argv_add(&argv, "%zu", g.n_files / 2);
		r = fnd_child_check(&fnd_child_kinds[FND_CHILD_GATEWAY], &argv, fds, fds_of(&g, fds), err);
	}
	fnd_gateway_close(&g);
	return r;
}

int fnd_gateway_open(struct fnd_gateway *g, struct fnd_config *cfg, const struct fnd_gateway *last, struct fn_err *err)
{
	struct fnd_gateway_config *c = &cfg->gateway;
	int r;

	*g = (struct fnd_gateway){.plain_fd = -EBADF, .tls_fd = -EBADF, .state_fd = open(cfg->state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC)};
	r = g->state_fd < 0 ? fn_err_set(err, errno, "gateway", "%.150s", cfg->state_dir) : 0;
	if (r == 0)
		r = listen_on(&c->listen, "gateway.listen", c->named, last ? last->plain_fd : -EBADF, last ? last->plain : NULL, &g->plain_fd, &g->plain, err);
	if (r == 0)
		r = listen_on(&c->tls_listen, "gateway.tls_listen", true, last ? last->tls_fd : -EBADF, last ? last->tls : NULL, &g->tls_fd, &g->tls, err);
	if (r == 0)
		r = open_files(g, c, err);
	if (r == 0 && (r = fnd_config_gateway_urls(c)) < 0)
		fn_err_set(err, r, "gateway", NULL);
	if (r < 0)
		fnd_gateway_close(g);
	return r;
}

void fnd_gateway_close(struct fnd_gateway *g)
{
	fn_close(g->plain_fd);
	fn_close(g->tls_fd);
	fn_close(g->state_fd);
	for (size_t i = 0; i < g->n_files; i++)
		fn_close(g->files[i]);
	free(g->files);
	free(g->plain);
	free(g->tls);
	*g = (struct fnd_gateway)FND_GATEWAY_NONE;
}

struct fnd_gateway fnd_gateway_take(struct fnd_gateway *g)
{
	struct fnd_gateway taken = *g;

	*g = (struct fnd_gateway)FND_GATEWAY_NONE;
	return taken;
}

int fnd_gateway_start(const struct fnd_gateway *g, struct fnd_child *child, const struct fnd_child_about *about, struct fn_err *err)
{
	int fds[FDS_MOST];

	if (g->plain_fd < 0 && g->tls_fd < 0)
		return 0;
	return fnd_child_start(child, about, fds, fds_of(g, fds), err);
}
