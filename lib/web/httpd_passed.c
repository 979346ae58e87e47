/* httpd_passed.c - connections of httpd.h's server that others have accepted, or that go to others: those of a party (party.h), those that were passed on or handed over. */
#include <errno.h>
#include <netdb.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "web/crowd.h"
#include "web/httpd_internal.h"

int fn_httpd_add_conn(struct fn_httpd *h, int fd)
{
	int r = fn_fd_set_nonblock(fd, true);

	if (r < 0) {
		fn_close(fd);
		return r;
	}
	return fn_httpd_add(h, fd, 0, NULL, NULL);
}

int fn_httpd_add_passed(struct fn_httpd *h, int fd, const struct sockaddr_storage *from, bool secure)
{
	struct fn_http_req *req;
	int r = fn_fd_set_nonblock(fd, true);

	if (r < 0) {
		fn_close(fd);
		return r;
	}
	(void)fn_httpd_make_room(h);
	r = fn_httpd_add(h, fd, fn_crowd_peer(from), NULL, &req);
	if (r < 0)
		return r;
	req->secure = secure;
	if (getnameinfo((const struct sockaddr *)from, sizeof(*from), req->from, sizeof(req->from), NULL, 0, NI_NUMERICHOST) != 0)
		(void)fn_str_format(req->from, sizeof(req->from), "0.0.0.0"); /* nobody's, and not this machine's */
	return 0;
}

int fn_http_req_upgrade(struct fn_http_req *r, const char *protocol)
{
	struct fn_h1_conn *c = r->c;
	int fd = -ECONNRESET;

	if (c) {
		fn_http_req_leave(r);
		fd = fn_h1_conn_upgrade(c, protocol);
	}
	r->shared->active--;
	fn_http_req_free(r);
	return fd;
}

/* --- to another process, and from it --- */
int fn_http_req_hand_over(struct fn_http_req *r, int (*send)(void *arg, int fd, const struct fn_http_handed *what), void *arg)
{
	struct fn_http_handed what = {.peer = r->peer, .from = r->from, .secure = r->secure};
	char *target = (char *)fn_h1_target(r->h1);
	bool cut = r->query > 0 && target[r->query - 1] == '\0';
	fn_auto_buf struct fn_buf head = {0};
	int e;

	if (cut)
		target[r->query - 1] = '?';
	e = fn_h1_conn_sent(r->c) ? fn_h1_put_request_head(r->h1, &head) : -EAGAIN;
	if (e == 0 && head.len > FN_HTTPD_HEAD_MAX) /* as it is written here: the other process would refuse it */
		e = -EMSGSIZE;
	if (e == 0) {
		what.bytes[0] = (struct iovec){head.data, head.len};
		what.bytes[1] = (struct iovec){(void *)r->ahead, r->n_ahead};
		e = send(arg, fn_h1_conn_socket(r->c), &what);
	}
	if (e < 0) {
		if (cut)
			target[r->query - 1] = '\0';
		return e;
	}
	fn_http_req_leave(r);
	fn_h1_conn_close(r->c);
	fn_http_req_free(r);
	return 0;
}

int fn_httpd_add_handed(struct fn_httpd *h, int fd, const struct fn_http_handed *what)
{
	struct fn_http_req *req;
	int r;

	(void)fn_httpd_make_room(h);
	r = fn_httpd_add(h, fd, what->peer, NULL, &req);
	if (r < 0)
		return r;
	req->secure = what->secure;
	(void)fn_str_format(req->from, sizeof(req->from), "%s", what->from);
	req->stays = what->stays;
	req->grant = what->grant;
	req->release_grant = what->release_grant;
	r = fn_h1_conn_go_on(req->c, what->bytes, 2);
	if (r < 0) {
		req->grant = NULL; /* the caller's still */
		fn_http_req_drop(req);
	}
	return r;
}

void *fn_http_req_grant(const struct fn_http_req *r) { return r->grant; }

bool fn_http_req_stays(struct fn_http_req *r)
{
	bool stays = r->stays > 0;

	r->stays -= stays;
	return stays;
}

/* --- parties --- */
int fn_httpd_add_party(struct fn_httpd *h, int fd, struct fn_http_party *p)
{
	(void)fn_httpd_make_room(h);
	return fn_httpd_add(h, fd, p->peer, p, NULL);
}

bool fn_http_party_make_room(struct fn_http_party *p)
{
	struct fn_http_req *longest = NULL;
	uint64_t moved;

	fn_list_for_each(l, &p->conns)
	{
		struct fn_http_req *r = fn_list_entry(l, struct fn_http_req, of_party);

		if (r->state == FN_HTTP_NONE && fn_h1_conn_phase(r->c, &moved) == FN_H1_IDLE && (!longest || r->rests_us < longest->rests_us))
			longest = r;
	}
	if (longest)
		fn_http_req_drop(longest);
	return longest != NULL;
}

void fn_http_party_go_on(struct fn_http_party *p)
{
	struct fn_list *l;

	p->holds = false;
	p->refs++; /* who is given a request may end it */
	while (!p->holds && (l = fn_list_first(&p->held))) {
		fn_list_remove(l);
		fn_http_req_deliver(fn_list_entry(l, struct fn_http_req, held));
	}
	fn_http_party_unref(p);
}

void fn_http_party_end(struct fn_http_party *p)
{
	struct fn_list *l;

	p->left = NULL;
	while ((l = fn_list_first(&p->conns)))
		fn_http_req_drop(fn_list_entry(l, struct fn_http_req, of_party));
	fn_http_party_unref(p);
}
