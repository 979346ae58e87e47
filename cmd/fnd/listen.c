/* listen.c - see listen.h. */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "model/inner.h"
#include "web/address.h"

#define BIND_WAIT_S 2
#define BACKLOG 1024

/* Tells which port was chosen. */
static void name_port(char **listen, int fd)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char *text;
	int port;

	if (!fn_str_ends(*listen, ":0") || getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return;
	port = ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port : ((struct sockaddr_in *)&addr)->sin_port);
	if (asprintf(&text, "%.*s:%d", (int)(strlen(*listen) - 2), *listen, port) > 0) {
		free(*listen);
		*listen = text;
	}
}

int fnd_listen_at(char **text, const char *key, bool waits, struct fn_err *err)
{
	struct sockaddr_storage addr;
	fn_auto_fd int fd = -EBADF;
	socklen_t len;
	bool loopback;
	int one = 1, r = fn_address_parse(*text, key, &addr, &len, &loopback, err);

	if (r < 0)
		return r;
	fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fn_err_set(err, errno, key, "socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* who held it for a supervisor that was killed a moment ago may not have let go of it yet */
	for (int i = 0; (r = bind(fd, (struct sockaddr *)&addr, len)) < 0 && errno == EADDRINUSE && waits && i < BIND_WAIT_S * 20; i++)
		usleep(50000);
	if (r < 0 || listen(fd, BACKLOG) < 0)
		return fn_err_set(err, errno, key, "%.100s", *text);
	name_port(text, fd);
	return fn_take_fd(&fd);
}

int fnd_listen_api(struct fnd_config *cfg, struct fn_err *err) { return fnd_listen_at(&cfg->listen, "listen", true, err); }

/* A socket in the state directory: nobody's until it is whose it is to be. */
static int listen_in_state(const struct fnd_config *cfg, const char *name, int type, uid_t uid, gid_t gid, mode_t mode, const char *stage, struct fn_err *err)
{
	fn_auto_fd int dir = open(cfg->state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a;
	int r;

	if (dir < 0 || fd < 0)
		return fn_err_set(err, errno, stage, "%.120s", cfg->state_dir);
	if ((r = fn_address_at(dir, name, &a)) < 0)
		return fn_err_set(err, r, stage, "%.120s/%s", cfg->state_dir, name);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return fn_err_set(err, errno, stage, "%.120s/%s", cfg->state_dir, name);
	if (fchmod(fd, 0) < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || fchownat(dir, name, uid, gid, 0) < 0 || fchmodat(dir, name, mode, 0) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return fn_err_set(err, errno, stage, "%.120s/%s", cfg->state_dir, name);
	return fn_take_fd(&fd);
}

static int listen_control(const struct fnd_config *cfg, struct fn_err *err)
{
	gid_t group = fnd_config_control_group(cfg);

	return listen_in_state(cfg, FND_CONTROL_SOCKET, SOCK_STREAM, 0, group == (gid_t)-1 ? 0 : group, 0660, "control socket", err);
}

int fnd_listen_inner(const struct fnd_config *cfg, const char *name, int type, uid_t uid, struct fn_err *err)
{
	return listen_in_state(cfg, name, type, uid, 0, 0600, "inner socket", err);
}

void fnd_listeners_close(struct fnd_listeners *l)
{
	fn_close(fn_take_fd(&l->control_fd));
	fn_close(fn_take_fd(&l->gateway_fd));
	fn_close(fn_take_fd(&l->events_fd));
}

static int or_warn(int fd, const struct fn_err *err)
{
	char text[512];

	if (fd < 0)
		fn_log_warn("%s", fn_err_format(err, text, sizeof(text)));
	return fd < 0 ? -EBADF : fd;
}

void fnd_listeners_open(struct fnd_listeners *l, const struct fnd_config *cfg, uid_t gateway_uid, uid_t events_uid)
{
	struct fn_err err;

	fnd_listeners_close(l);
	l->control_fd = or_warn(listen_control(cfg, &err), &err);
	l->gateway_fd = or_warn(fnd_listen_inner(cfg, FN_INNER_SOCKET, SOCK_STREAM, gateway_uid, &err), &err);
	l->events_fd = or_warn(fnd_listen_inner(cfg, FN_INVOKE_SOCKET, SOCK_STREAM, events_uid, &err), &err);
}

static void unlink_socket(const struct fnd_config *cfg, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", cfg->state_dir, name);
	(void)unlink(path);
}

void fnd_unlink_sockets(const struct fnd_config *cfg)
{
	static const char *const names[] = {FND_CONTROL_SOCKET, FN_INNER_SOCKET, FN_INVOKE_SOCKET, FN_EVENTS_SOCKET, FN_HANDOVER_SOCKET};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink_socket(cfg, names[i]);
}
