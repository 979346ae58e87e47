/*
 * httpd.c - see httpd.h. libmicrohttpd without threads: its epoll descriptor is watched by our loop, MHD_run() is called when it is
 * ready, when one of its timeouts is due, and in the same round after a connection was resumed.
 */
#include "web/httpd.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#define REPLY_HEADERS_MAX 24

struct fn_httpd {
	struct fn_loop *loop;
	struct fn_httpd_config cfg;
	struct MHD_Daemon *mhd;
	uint64_t io, prepare;
	unsigned active;
	bool dirty, running, closing;
};

struct header {
	size_t name, value; /* offsets in the request's texts */
};

struct fn_http_req {
	struct fn_httpd *h;
	struct MHD_Connection *c;
	char *path, *query, *method;
	struct fn_buf body;
	size_t body_max;
	bool too_large, delivered, suspended, replied, gone, in_handler;
	/* reply */
	struct MHD_Response *response;
	unsigned status;
	struct header headers[REPLY_HEADERS_MAX];
	size_t n_headers;
	struct fn_buf texts;
	char **decoded; /* query values handed out */
	size_t n_decoded;
};

static void req_free(struct fn_http_req *r)
{
	if (r->response)
		MHD_destroy_response(r->response);
	for (size_t i = 0; i < r->n_decoded; i++)
		free(r->decoded[i]);
	free(r->decoded);
	fn_buf_free(&r->texts);
	free(r->path);
	fn_buf_free(&r->body);
	free(r);
}

/* --- MHD's callbacks --- */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *c)
{
	struct fn_http_req *r = calloc(1, sizeof(*r));
	char *q;

	if (!r)
		return NULL;
	r->h = cls;
	r->c = c;
	r->path = strdup(uri); /* the only sight of the raw target: MHD cuts it up afterwards */
	if (!r->path) {
		free(r);
		return NULL;
	}
	q = strchr(r->path, '?');
	r->query = q ? q + 1 : r->path + strlen(r->path);
	if (q)
		*q = '\0';
	return r;
}

static size_t keep_raw(void *cls, struct MHD_Connection *c, char *s)
{
	(void)cls;
	(void)c;
	return strlen(s);
}

static void on_completed(void *cls, struct MHD_Connection *c, void **req_ctx, enum MHD_RequestTerminationCode code)
{
	struct fn_http_req *r = *req_ctx;

	(void)cls;
	(void)c;
	(void)code;
	*req_ctx = NULL;
	if (!r)
		return;
	if (r->delivered)
		r->h->active--;
	if (r->delivered && !r->replied) { /* the client has gone; the handler still owes its reply */
		r->gone = true;
		r->c = NULL;
		return;
	}
	req_free(r);
}

static enum MHD_Result queue(struct fn_http_req *r)
{
	enum MHD_Result ok = MHD_queue_response(r->c, r->status, r->response);

	MHD_destroy_response(r->response);
	r->response = NULL;
	return ok;
}

static enum MHD_Result first_call(struct fn_http_req *r, struct MHD_Connection *c)
{
	const char *cl;

	r->body_max = r->h->cfg.ops->body_max ? r->h->cfg.ops->body_max(r->h->cfg.arg, r) : r->h->cfg.body_max;
	cl = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
	if (cl) {
		unsigned long long n = strtoull(cl, NULL, 10);

		if (n > r->body_max)
			r->too_large = true;
		else if (n > 0 && fn_buf_reserve(&r->body, (size_t)n) < 0)
			return MHD_NO;
	}
	return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version,
				  const char *data, size_t *size, void **req_ctx)
{
	struct fn_http_req *r = *req_ctx;

	(void)cls;
	(void)url;
	(void)version;
	if (!r)
		return MHD_NO;
	if (!r->method) {
		r->method = (char *)method; /* lives in the connection's memory */
		return first_call(r, c);
	}
	if (*size > 0) {
		if (r->too_large || r->body.len + *size > r->body_max) {
			r->too_large = true;
			fn_buf_reset(&r->body);
		} else if (fn_buf_add(&r->body, data, *size) < 0) {
			return MHD_NO;
		}
		*size = 0;
		return MHD_YES;
	}
	if (r->delivered) /* resumed: the reply is there */
		return r->response ? queue(r) : MHD_YES;
	r->delivered = true;
	r->h->active++;
	r->in_handler = true;
	r->h->cfg.ops->request(r->h->cfg.arg, r);
	r->in_handler = false;
	if (r->replied)
		return queue(r);
	r->suspended = true;
	MHD_suspend_connection(c);
	return MHD_YES;
}

/* --- the loop --- */
static void run(struct fn_httpd *h)
{
	if (h->running)
		return;
	h->running = true;
	h->dirty = false;
	(void)MHD_run(h->mhd);
	h->running = false;
}

static void on_io(void *arg, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	run(arg);
}

static void on_prepare(void *arg, uint64_t *wait_until_us)
{
	struct fn_httpd *h = arg;
	MHD_UNSIGNED_LONG_LONG ms;

	for (int i = 0; h->dirty && i < 8; i++)
		run(h);
	if (h->dirty) {
		*wait_until_us = 0;
		return;
	}
	if (MHD_get_timeout(h->mhd, &ms) == MHD_YES) {
		uint64_t until = ms ? fn_clock_mono_us() + ms * 1000 : 0;

		h->dirty = ms == 0; /* MHD has work at once: run it next round */
		if (until < *wait_until_us)
			*wait_until_us = until;
		else if (ms == 0)
			*wait_until_us = 0;
	}
}

int fn_httpd_new(struct fn_loop *loop, const struct fn_httpd_config *config, struct fn_httpd **ret, struct fn_err *err)
{
	struct fn_httpd *h = calloc(1, sizeof(*h));
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
	struct MHD_OptionItem listen[] = {{MHD_OPTION_LISTEN_SOCKET, config->listen_fd, NULL}, {MHD_OPTION_END, 0, NULL}};
	const union MHD_DaemonInfo *info;
	int r;

	if (!h)
		return fn_err_set(err, ENOMEM, "http server", NULL);
	h->loop = loop;
	h->cfg = *config;
	if (config->listen_fd < 0) { /* the option itself is refused then */
		flags |= MHD_USE_NO_LISTEN_SOCKET;
		listen[0].option = MHD_OPTION_END;
	}
	h->mhd = MHD_start_daemon(flags, 0, NULL, NULL, on_request, h, MHD_OPTION_ARRAY, listen, MHD_OPTION_CONNECTION_LIMIT, config->conn_max, MHD_OPTION_CONNECTION_TIMEOUT, config->idle_timeout_s,
				  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32768, MHD_OPTION_UNESCAPE_CALLBACK, keep_raw, NULL,
				  MHD_OPTION_URI_LOG_CALLBACK, on_uri, h, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
	if (!h->mhd) {
		free(h);
		return fn_err_set(err, EIO, "http server", "libmicrohttpd did not start");
	}
	info = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	r = fn_loop_add_io(loop, info->epoll_fd, EPOLLIN, on_io, h, &h->io);
	if (r == 0)
		r = fn_loop_add_prepare(loop, on_prepare, h, &h->prepare);
	if (r < 0) {
		fn_httpd_free(h);
		return fn_err_set(err, r, "http server", "event loop");
	}
	*ret = h;
	return 0;
}

void fn_httpd_quiesce(struct fn_httpd *h)
{
	if (h->cfg.listen_fd >= 0) {
		fn_close(MHD_quiesce_daemon(h->mhd));
		h->cfg.listen_fd = -EBADF;
	}
	h->closing = true;
}

unsigned fn_httpd_active(const struct fn_httpd *h) { return h->active; }

void fn_httpd_free(struct fn_httpd *h)
{
	if (!h)
		return;
	fn_loop_clear(h->loop, &h->io);
	fn_loop_clear(h->loop, &h->prepare);
	if (h->mhd)
		MHD_stop_daemon(h->mhd);
	free(h);
}

int fn_httpd_add_conn(struct fn_httpd *h, int fd)
{
	struct sockaddr_in any = {.sin_family = AF_INET};

	if (MHD_add_connection(h->mhd, fd, (struct sockaddr *)&any, sizeof(any)) != MHD_YES) /* has closed it */
		return -EIO;
	h->dirty = true;
	return 0;
}

/* --- the request --- */
const char *fn_http_req_method(const struct fn_http_req *r) { return r->method; }
const char *fn_http_req_path(const struct fn_http_req *r) { return r->path; }
const char *fn_http_req_raw_query(const struct fn_http_req *r) { return r->query; }
bool fn_http_req_too_large(const struct fn_http_req *r) { return r->too_large; }

const char *fn_http_req_header(const struct fn_http_req *r, const char *name)
{
	return r->c ? MHD_lookup_connection_value(r->c, MHD_HEADER_KIND, name) : NULL;
}

const char *fn_http_req_query(const struct fn_http_req *req, const char *name)
{
	struct fn_http_req *r = (struct fn_http_req *)req; /* decoded copies are kept with the request */
	size_t n = strlen(name);

	for (const char *p = r->query; *p;) {
		size_t len = strcspn(p, "&"), key = strcspn(p, "=&");

		if (key == n && memcmp(p, name, n) == 0) {
			size_t skip = key < len ? key + 1 : key;
			char *v = strndup(p + skip, len - skip), **list;

			if (!v)
				return NULL;
			for (char *q = v; *q; q++)
				if (*q == '+')
					*q = ' ';
			list = realloc(r->decoded, (r->n_decoded + 1) * sizeof(*list));
			if (!list || fn_url_decode(v, strlen(v)) < 0) {
				if (list)
					r->decoded = list;
				free(v);
				return NULL;
			}
			r->decoded = list;
			list[r->n_decoded++] = v;
			return v;
		}
		p += len + (p[len] == '&');
	}
	return NULL;
}

struct each {
	bool (*fn)(void *arg, const char *name, const char *value);
	void *arg;
};

static enum MHD_Result each_header(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct each *e = cls;

	(void)kind;
	return e->fn(e->arg, key, value ? value : "") ? MHD_YES : MHD_NO;
}

void fn_http_req_each_header(const struct fn_http_req *r, bool (*fn)(void *arg, const char *name, const char *value), void *arg)
{
	struct each e = {fn, arg};

	if (r->c)
		MHD_get_connection_values(r->c, MHD_HEADER_KIND, each_header, &e);
}

void fn_http_req_body(const struct fn_http_req *r, const char **ret_data, size_t *ret_len)
{
	*ret_data = r->body.data ? r->body.data : "";
	*ret_len = r->body.len;
}

char *fn_http_req_take_body(struct fn_http_req *r, size_t *ret_len) { return fn_buf_take(&r->body, ret_len); }

/* --- the reply --- */
int fn_http_req_add_header(struct fn_http_req *r, const char *name, const char *value)
{
	size_t n = strlen(name) + 1, m = strlen(value) + 1;
	struct header *h = &r->headers[r->n_headers];

	if (r->n_headers == REPLY_HEADERS_MAX)
		return -ENOBUFS;
	if ((r->texts.cap == 0 && fn_buf_reserve(&r->texts, 500) < 0) || fn_buf_reserve(&r->texts, n + m) < 0)
		return -ENOMEM;
	h->name = r->texts.len;
	h->value = h->name + n;
	(void)fn_buf_add(&r->texts, name, n);
	(void)fn_buf_add(&r->texts, value, m);
	r->n_headers++;
	return 0;
}

static void reply(struct fn_http_req *r, unsigned status, const char *content_type, struct MHD_Response *resp)
{
	if (r->gone) {
		MHD_destroy_response(resp);
		req_free(r);
		return;
	}
	for (size_t i = 0; i < r->n_headers; i++)
		MHD_add_response_header(resp, r->texts.data + r->headers[i].name, r->texts.data + r->headers[i].value);
	if (content_type)
		MHD_add_response_header(resp, "Content-Type", content_type);
	if (r->h->closing)
		MHD_add_response_header(resp, "Connection", "close");
	r->response = resp;
	r->status = status;
	r->replied = true;
	if (r->suspended) {
		r->suspended = false;
		r->h->dirty = true;
		fn_loop_again(r->h->loop);
		MHD_resume_connection(r->c);
	}
}

void fn_http_reply(struct fn_http_req *r, unsigned status, const char *content_type, const void *body, size_t len)
{
	struct MHD_Response *resp = MHD_create_response_from_buffer(len, (void *)(body ? body : ""), MHD_RESPMEM_MUST_COPY);

	if (!resp)
		abort();
	reply(r, status, content_type, resp);
}

void fn_http_reply_owned(struct fn_http_req *r, unsigned status, const char *content_type, const void *body, size_t len,
			 void (*release)(void *arg), void *release_arg)
{
	struct MHD_Response *resp =
		MHD_create_response_from_buffer_with_free_callback_cls(len, (void *)body, release, release_arg);

	if (!resp)
		abort();
	reply(r, status, content_type, resp);
}

void fn_http_reply_fd(struct fn_http_req *r, unsigned status, const char *content_type, int fd, uint64_t size)
{
	struct MHD_Response *resp = MHD_create_response_from_fd64(size, fd);

	if (!resp)
		abort();
	reply(r, status, content_type, resp);
}
