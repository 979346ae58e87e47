/* accept.c - see accept.h. */
#include "gateway/accept.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "gateway/pass.h"

#define PAUSE_MS 20      /* where there is no descriptor or memory for another */
#define SEND_BUFFER 65536 /* of the kernel's, for each connection: streams are many */
#define UNSENT 16384      /* what waits there to be sent at all */

struct arrived {
	struct fn_gw_acceptor *a;
	int fd;
	struct sockaddr_storage from;
	socklen_t len;
};

/* It is coming (conns.h). */
static void serve(const struct arrived *c)
{
	if (MHD_add_connection(c->a->daemon, c->fd, (const struct sockaddr *)&c->from, c->len) != MHD_YES) /* which closes it if it cannot */
		fn_gw_conn_arrived(c->a->gw->conns);
}

/* Looks at the name it asks for before anything is read. */
static void *look(void *arg)
{
	struct arrived *c = arg;
	struct fn_gw_peer peer = fn_gw_peer(&c->a->gw->proxies, (const struct sockaddr *)&c->from);
	struct fn_gw_conn *conn = fn_gw_conn_begin(c->a->gw->conns, c->fd, &peer);
	char name[256];
	int r = conn ? fn_gw_peek_name(c->fd, name, sizeof(name)) : -ENOMEM;

	if (r == 0 && strcasecmp(name, c->a->api_host) == 0) {
		fn_gw_pass(conn, c->fd, c->a->state_fd, &peer.address);
		r = -ECONNRESET;
	}
	if (conn)
		fn_gw_conn_end(conn);
	if (r == 0) {
		serve(c);
	} else {
		fn_close(c->fd);
		fn_gw_conn_arrived(c->a->gw->conns);
	}
	free(c);
	return NULL;
}

static void hand_over(struct fn_gw_acceptor *a, int fd, const struct sockaddr_storage *from, socklen_t len)
{
	struct arrived now = {a, fd, *from, len}, *later;
	pthread_attr_t attr;
	pthread_t thread;

	fn_gw_conn_coming(a->gw->conns);
	if (!a->api_host) {
		serve(&now);
		return;
	}
	later = malloc(sizeof(*later));
	if (later)
		*later = now;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256u << 10);
	if (!later || pthread_create(&thread, &attr, look, later) != 0) {
		free(later);
		fn_close(fd);
		fn_gw_conn_arrived(a->gw->conns);
	}
	pthread_attr_destroy(&attr);
}

static void take_one(struct fn_gw_acceptor *a)
{
	struct sockaddr_storage from = {0};
	socklen_t len = sizeof(from);
	int fd = accept4(a->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC), one = 1, size = SEND_BUFFER, unsent = UNSENT;
	struct fn_gw_peer peer;

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			(void)poll(NULL, 0, PAUSE_MS);
		return;
	}
	peer = fn_gw_peer(&a->gw->proxies, (const struct sockaddr *)&from);
	if (!fn_gw_conns_admit(a->gw->conns, &peer)) {
		fn_close(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	hand_over(a, fd, &from, len);
}

static void *run(void *arg)
{
	struct fn_gw_acceptor *a = arg;

	for (;;) {
		struct pollfd p[2] = {{a->fd, POLLIN, 0}, {a->stop_fd, POLLIN, 0}};

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (p[1].revents)
			return NULL;
		if (p[0].revents)
			take_one(a);
	}
}

int fn_gw_accept_start(struct fn_gw_acceptor *a) { return -pthread_create(&a->thread, NULL, run, a); }
void fn_gw_accept_join(struct fn_gw_acceptor *a) { (void)pthread_join(a->thread, NULL); }
