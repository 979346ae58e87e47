/* outbound.c - see outbound.h. libcurl says what to watch and when to wake (its multi-socket interface); nothing here waits. */
#include "web/outbound.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/list.h"
#include "base/str.h"

#define TIMEOUT_US 30000000u
#define CONNECT_US 5000000u
#define CONNECTIONS 64u
#define PER_HOST 16u

struct fn_outbound {
	struct fn_loop *loop;
	CURLM *multi;
	char *agent;
	uint64_t timer;
	struct fn_list calls, watches;
	unsigned n_calls;
};

struct fn_outbound_call {
	struct fn_list link;
	struct fn_outbound *o;
	CURL *easy;
	struct curl_slist *headers;
	struct fn_buf in;
	void *body;
	size_t body_max, header_bytes;
	bool too_large, headers_too_large;
	char words[CURL_ERROR_SIZE];
	fn_outbound_done_fn done;
	void *arg;
};

/* A socket of libcurl's. */
struct watch {
	struct fn_list link;
	struct fn_outbound *o;
	uint64_t id;
};

static void free_call(struct fn_outbound_call *c)
{
	fn_list_remove(&c->link);
	c->o->n_calls--;
	if (c->easy) {
		(void)curl_multi_remove_handle(c->o->multi, c->easy);
		curl_easy_cleanup(c->easy);
	}
	curl_slist_free_all(c->headers);
	fn_buf_free(&c->in);
	free(c->body);
	free(c);
}

/* --- what comes --- */
static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct fn_outbound_call *c = arg;

	(void)line;
	c->header_bytes += size * n;
	c->headers_too_large = c->header_bytes > FN_OUTBOUND_HEADERS_MAX;
	return c->headers_too_large ? 0 : size * n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct fn_outbound_call *c = arg;
	size_t len = size * n;

	c->too_large = len > c->body_max - c->in.len;
	return !c->too_large && fn_buf_add(&c->in, data, len) == 0 ? len : 0;
}

static const struct {
	CURLcode code;
	int error;
	const char *what;
} failures[] = {
	{CURLE_OPERATION_TIMEDOUT, ETIMEDOUT, "no whole answer in time"},
	{CURLE_COULDNT_RESOLVE_HOST, EHOSTUNREACH, "there is no such host"},
	{CURLE_COULDNT_CONNECT, ECONNREFUSED, "no connection"},
	{CURLE_GOT_NOTHING, ECONNRESET, "the connection ended without an answer"},
	{CURLE_PARTIAL_FILE, ECONNRESET, "the connection ended in the midst of the answer"},
	{CURLE_RECV_ERROR, ECONNRESET, "the connection ended in the midst of the answer"},
	{CURLE_SEND_ERROR, ECONNRESET, "the connection ended in the midst of the request"},
	{CURLE_OUT_OF_MEMORY, ENOMEM, "no memory"},
};

static void judge(struct fn_outbound_call *c, CURLcode code, struct fn_err *err)
{
	char *url = NULL;
	const char *host = "";
	size_t n = 0;

	(void)curl_easy_getinfo(c->easy, CURLINFO_EFFECTIVE_URL, &url);
	if (url && strstr(url, "://")) { /* neither path nor query: they may be secret */
		host = strstr(url, "://") + 3;
		n = strcspn(host, "/?#");
	}
	if (n > 90)
		n = 90;
	if (c->too_large || code == CURLE_FILESIZE_EXCEEDED) {
		fn_err_set(err, EFBIG, "request", "%.*s: the answer has more than %zu bytes", (int)n, host, c->body_max);
		return;
	}
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		if (failures[i].code == code) {
			fn_err_set(err, failures[i].error, "request", "%.*s: %s", (int)n, host, failures[i].what);
			return;
		}
	fn_err_set(err, EPROTO, "request", "%.*s: %.90s", (int)n, host,
		   c->headers_too_large ? "the answer has too many headers" : *c->words ? c->words : curl_easy_strerror(code));
}

static void finish(struct fn_outbound_call *c, CURLcode code)
{
	struct fn_err err = {0};
	struct fn_outbound_answer a = {.body = c->in.data ? c->in.data : "", .len = c->in.len, .call = c};
	long status = 0;

	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK) {
		judge(c, code, &err);
		a.err = &err;
	} else {
		a.status = (unsigned)status;
	}
	/* From here on it is none that libcurl looks at: done() may take its time, and send others. */
	(void)curl_multi_remove_handle(c->o->multi, c->easy);
	fn_list_remove(&c->link);
	fn_list_init(&c->link);
	c->done(c->arg, &a);
	free_call(c);
}

static void finish_all(struct fn_outbound *o)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(o->multi, &left))) {
		struct fn_outbound_call *c = NULL;
		CURLcode code = m->data.result;

		if (m->msg == CURLMSG_DONE && curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c) == CURLE_OK && c)
			finish(c, code);
	}
}

/* --- the loop --- */
static void act(struct fn_outbound *o, curl_socket_t fd, int what)
{
	int running;

	(void)curl_multi_socket_action(o->multi, fd, what, &running);
	finish_all(o);
}

static void on_ready(void *arg, int fd, uint32_t events)
{
	struct watch *w = arg;

	act(w->o, fd, ((events & EPOLLIN) ? CURL_CSELECT_IN : 0) | ((events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) | ((events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0));
}

static void on_time(void *arg) { act(arg, CURL_SOCKET_TIMEOUT, 0); }

static int set_timer(CURLM *multi, long ms, void *arg)
{
	struct fn_outbound *o = arg;

	(void)multi;
	return fn_loop_rearm_timer(o->loop, o->timer, ms < 0 ? UINT64_MAX : fn_loop_now_us(o->loop) + (uint64_t)ms * 1000) < 0 ? -1 : 0;
}

static void unwatch(struct watch *w)
{
	fn_loop_clear(w->o->loop, &w->id);
	fn_list_remove(&w->link);
	free(w);
}

static int set_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
	struct fn_outbound *o = arg;
	struct watch *w = of_socket;
	uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w)
			unwatch(w);
		(void)curl_multi_assign(o->multi, fd, NULL);
		return 0;
	}
	if (w)
		return fn_loop_mod_io(o->loop, w->id, events) < 0 ? -1 : 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -1;
	w->o = o;
	if (fn_loop_add_io(o->loop, fd, events, on_ready, w, &w->id) < 0) {
		free(w);
		return -1;
	}
	fn_list_push_back(&o->watches, &w->link);
	(void)curl_multi_assign(o->multi, fd, w);
	return 0;
}

int fn_outbound_new(struct fn_loop *loop, const struct fn_outbound_config *c, struct fn_outbound **ret)
{
	static bool prepared;
	struct fn_outbound *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	fn_list_init(&o->calls);
	fn_list_init(&o->watches);
	o->loop = loop;
	o->agent = strdup(c->agent ? c->agent : "fnd/" FN_VERSION);
	if (!prepared && curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK)
		prepared = true;
	o->multi = prepared ? curl_multi_init() : NULL;
	if (!o->agent || !o->multi || fn_loop_add_timer(loop, UINT64_MAX, on_time, o, &o->timer) < 0 ||
	    curl_multi_setopt(o->multi, CURLMOPT_SOCKETFUNCTION, set_watch) != CURLM_OK || curl_multi_setopt(o->multi, CURLMOPT_SOCKETDATA, o) != CURLM_OK ||
	    curl_multi_setopt(o->multi, CURLMOPT_TIMERFUNCTION, set_timer) != CURLM_OK || curl_multi_setopt(o->multi, CURLMOPT_TIMERDATA, o) != CURLM_OK ||
	    curl_multi_setopt(o->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) != CURLM_OK ||
	    curl_multi_setopt(o->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)(c->max_connections ? c->max_connections : CONNECTIONS)) != CURLM_OK ||
	    curl_multi_setopt(o->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)(c->max_per_host ? c->max_per_host : PER_HOST)) != CURLM_OK) {
		fn_outbound_free(o);
		return -ENOMEM;
	}
	*ret = o;
	return 0;
}

void fn_outbound_free(struct fn_outbound *o)
{
	if (!o)
		return;
	fn_list_for_each_safe(l, &o->calls)
		free_call(fn_list_entry(l, struct fn_outbound_call, link));
	if (o->multi)
		(void)curl_multi_cleanup(o->multi);
	fn_list_for_each_safe(l, &o->watches)
		unwatch(fn_list_entry(l, struct watch, link));
	fn_loop_clear(o->loop, &o->timer);
	free(o->agent);
	free(o);
}

/* --- what is asked --- */
static int add_line(struct curl_slist **list, const char *name, const char *value)
{
	fn_auto_buf struct fn_buf line = {0};
	struct curl_slist *more;

	/* "Name;" is how libcurl is told to send one without a value */
	if (fn_buf_addf(&line, *value ? "%s: %s" : "%s;", name, value) < 0 || !(more = curl_slist_append(*list, line.data)))
		return -ENOMEM;
	*list = more;
	return 0;
}

static bool header_ok(const struct fn_h1_header *h) { return !fn_str_empty(h->name) && !strpbrk(h->name, ":; \t\r\n") && !strpbrk(h->value, "\r\n"); }

static int add_headers(struct fn_outbound_call *c, const struct fn_outbound_request *r)
{
	bool typed = false;
	int rc = 0;

	for (size_t i = 0; i < r->n_headers && rc == 0; i++) {
		if (!header_ok(&r->headers[i]))
			return -EINVAL;
		typed |= strcasecmp(r->headers[i].name, "content-type") == 0;
		rc = add_line(&c->headers, r->headers[i].name, r->headers[i].value);
	}
	/* What libcurl would add by itself. */
	for (size_t i = 0; i < 2 && rc == 0; i++)
		if (i == 0 || !typed) {
			struct curl_slist *more = curl_slist_append(c->headers, i == 0 ? "Expect:" : "Content-Type:");

			rc = more ? 0 : -ENOMEM;
			c->headers = more ? more : c->headers;
		}
	return rc;
}

static bool set_body(struct fn_outbound_call *c, const struct fn_outbound_request *r)
{
	bool ok = true;

#define SET(option, value) ok = ok && curl_easy_setopt(c->easy, option, value) == CURLE_OK
	if (r->body || fn_streq(r->method, "POST")) {
		c->body = malloc(r->len + 1);
		if (!c->body)
			return false;
		if (r->len > 0)
			memcpy(c->body, r->body, r->len);
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->len);
		SET(CURLOPT_POSTFIELDS, (char *)c->body);
	} else if (fn_streq(r->method, "HEAD")) {
		SET(CURLOPT_NOBODY, 1L);
	}
	if (!fn_streq(r->method, "GET") && !fn_streq(r->method, "POST") && !fn_streq(r->method, "HEAD"))
		SET(CURLOPT_CUSTOMREQUEST, r->method);
	return ok;
}

static bool set_options(struct fn_outbound_call *c, const struct fn_outbound_request *r)
{
	bool ok = set_body(c, r);

	SET(CURLOPT_URL, r->url);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTPHEADER, c->headers);
	SET(CURLOPT_USERAGENT, c->o->agent);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (r->ca_file) { /* GnuTLS has no CAINFO_BLOB */
		SET(CURLOPT_CAINFO, r->ca_file);
		SET(CURLOPT_CAPATH, NULL);
	}
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)r->body_max); /* what says that it has more is not even begun; 0 is no bound to libcurl */
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_TIMEOUT_MS, (long)((r->timeout_us ? r->timeout_us : TIMEOUT_US) / 1000));
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)((r->connect_timeout_us ? r->connect_timeout_us : CONNECT_US) / 1000));
	SET(CURLOPT_ERRORBUFFER, c->words);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, c);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, c);
	SET(CURLOPT_PRIVATE, c);
#undef SET
	return ok;
}

int fn_outbound_send(struct fn_outbound *o, const struct fn_outbound_request *r, struct fn_outbound_call **ret)
{
	struct fn_outbound_call *c;
	int rc;

	if (!fn_str_starts(r->url, "http://") && !fn_str_starts(r->url, "https://"))
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = (struct fn_outbound_call){.o = o, .body_max = r->body_max, .done = r->done, .arg = r->arg};
	fn_list_push_back(&o->calls, &c->link);
	o->n_calls++;
	rc = add_headers(c, r);
	c->easy = rc == 0 ? curl_easy_init() : NULL;
	if (rc == 0 && (!c->easy || !set_options(c, r) || curl_multi_add_handle(o->multi, c->easy) != CURLM_OK))
		rc = -ENOMEM;
	if (rc < 0) {
		free_call(c);
		return rc;
	}
	if (ret)
		*ret = c;
	return 0;
}

void fn_outbound_cancel(struct fn_outbound_call *c)
{
	if (c)
		free_call(c);
}

const char *fn_outbound_header(const struct fn_outbound_call *c, const char *name)
{
	struct curl_header *h;

	return curl_easy_header(c->easy, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : NULL;
}

unsigned fn_outbound_under_way(const struct fn_outbound *o) { return o->n_calls; }
