/* fetch.c - see fetch.h. */
#include "image/fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "image/transfer.h"

#define ERROR_MAX 16384 /* of an error's body */

struct transfer {
	CURL *curl;
	const struct fn_fetch_order *order;
	struct fn_fetch_result *ret;
	int fd, write_error;
	long status;
	size_t header_bytes;
	bool has_length, chunked, too_large, headers_too_large;
	char location[2048], region[64];
	struct fn_buf error;
};

int fn_fetch_prepare(struct fn_err *err)
{
	return curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK ? 0 : fn_err_set(err, ENOMEM, "fetch", "libcurl");
}

/* --- what comes --- */
static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n;
	char text[64];

	t->header_bytes += len;
	if (t->header_bytes > FN_TRANSFER_HEADERS_MAX) {
		t->headers_too_large = true;
		return 0;
	}
	if (len > 5 && memcmp(line, "HTTP/", 5) == 0) /* another answer begins: a 100 was before it */
		t->has_length = t->chunked = false;
	if (fn_transfer_header(line, len, "content-length", text, sizeof(text)))
		t->has_length = true;
	if (fn_transfer_header(line, len, "transfer-encoding", text, sizeof(text)))
		t->chunked = strcasecmp(text, "chunked") == 0;
	(void)fn_transfer_header(line, len, "location", t->location, sizeof(t->location));
	(void)fn_transfer_header(line, len, "x-amz-bucket-region", t->region, sizeof(t->region));
	return len;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n;

	(void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->status);
	if (t->status != 200) { /* the beginning of it says what is wrong */
		size_t take = t->error.len + len > ERROR_MAX ? ERROR_MAX - t->error.len : len;

		return fn_buf_add(&t->error, data, take) < 0 ? 0 : take;
	}
	if (!t->has_length && !t->chunked)
		return 0;
	if (t->ret->bytes + len > t->order->max_bytes) {
		t->too_large = true;
		return 0;
	}
	t->write_error = fn_fd_write_all(t->fd, data, len);
	if (t->write_error < 0)
		return 0;
	t->ret->bytes += len;
	return len;
}

/* --- what is asked --- */
static int add_headers(const struct fn_s3_settings *s, const struct fn_s3_url *u, struct curl_slist **ret)
{
	fn_auto_buf struct fn_buf lines = {0};
	char date[32], *save = NULL;
	time_t now = time(NULL);
	struct tm tm;
	int r;

	strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	r = fn_s3_sign(s, u, date, &lines);
	for (char *l = lines.data ? strtok_r(lines.data, "\n", &save) : NULL; l && r == 0; l = strtok_r(NULL, "\n", &save)) {
		struct curl_slist *more = curl_slist_append(*ret, l);

		r = more ? 0 : -ENOMEM;
		if (more)
			*ret = more;
	}
	return r;
}

static bool set_options(struct transfer *t, const struct fn_s3_settings *s, const struct fn_s3_url *u, const char *url, struct curl_slist *headers, char *words)
{
	const struct fn_transfer how = {.url = url, .protocols = u->tls ? "https" : "http", .ca = u->tls, .timeout_s = s->timeout_s, .headers = headers, .words = words,
					.on_header = on_header, .on_body = on_body, .arg = t};

	return fn_transfer_set(t->curl, &how) && curl_easy_setopt(t->curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
	       curl_easy_setopt(t->curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->order->max_bytes) == CURLE_OK; /* what says that it has more is not even begun */
}

static int failed(struct fn_fetch_result *ret, int code, const struct fn_s3_url *u, const char *what)
{
	return fn_err_set(&ret->err, code, "fetch", "%.90s%s%s: %.100s", u->host, *u->port ? ":" : "", u->port, what);
}

/* What came of a transfer that libcurl gave up. */
static int judge(const struct transfer *t, const struct fn_s3_settings *s, const struct fn_s3_url *u, CURLcode code, const char *words)
{
	struct fn_fetch_result *ret = t->ret;
	char text[128];

	if (t->too_large || code == CURLE_FILESIZE_EXCEEDED)
		return fn_err_set(&ret->err, EFBIG, "fetch", "the object has more than %" PRIu64 " bytes", t->order->max_bytes);
	if (t->write_error < 0)
		return fn_err_set(&ret->err, t->write_error, "fetch", "write the object");
	if (t->headers_too_large)
		return failed(ret, EPROTO, u, "its answer has too many headers");
	if (t->status == 200 && !t->has_length && !t->chunked)
		return failed(ret, EPROTO, u, "its answer does not say how long the object is");
	if (code == CURLE_PARTIAL_FILE || (t->status == 200 && (code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING))) {
		snprintf(text, sizeof(text), "the connection ended in the midst of the object, after %" PRIu64 " bytes", ret->bytes);
		return failed(ret, ECONNRESET, u, text);
	}
	if (code == CURLE_OPERATION_TIMEDOUT) {
		snprintf(text, sizeof(text), "%s within %u s", t->status ? "the object does not go on, hardly a byte came" : "no connection, or no answer", s->timeout_s);
		return failed(ret, ETIMEDOUT, u, text);
	}
	if (code == CURLE_COULDNT_RESOLVE_HOST)
		return failed(ret, EHOSTUNREACH, u, "there is no such host");
	if (code == CURLE_COULDNT_CONNECT)
		return failed(ret, ECONNREFUSED, u, "no connection");
	fn_transfer_words(code, words, text, 100);
	return failed(ret, EPROTO, u, text);
}

static int refused(struct transfer *t, const struct fn_s3_url *u)
{
	struct fn_fetch_result *ret = t->ret;

	if (*t->region)
		memcpy(ret->said.region, t->region, sizeof(ret->said.region));
	return fn_err_set(&ret->err, EREMOTEIO, "fetch", "%.90s%s%s answers %ld", u->host, *u->port ? ":" : "", u->port, t->status);
}

/* One request: 0 = the object is there, 1 = t->location is where to go on. */
static int ask(const struct fn_s3_settings *s, const struct fn_s3_url *u, struct transfer *t)
{
	fn_auto_buf struct fn_buf url = {0};
	char words[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	int r = -ENOMEM;

	t->curl = curl_easy_init();
	if (t->curl && fn_s3_url_format(u, &url) == 0 && add_headers(s, u, &headers) == 0 && set_options(t, s, u, url.data, headers, words)) {
		CURLcode code = curl_easy_perform(t->curl);

		(void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->status);
		t->ret->status = (uint32_t)t->status;
		fn_s3_error_parse(t->error.data ? t->error.data : "", t->error.len, &t->ret->said);
		if (t->status >= 301 && t->status <= 308 && *t->location && !fn_streq(t->ret->said.code, "PermanentRedirect"))
			r = 1;
		else if (t->status != 0 && t->status != 200)
			r = refused(t, u);
		else if (code == CURLE_OK && t->status == 200 && (t->has_length || t->chunked))
			r = 0;
		else
			r = judge(t, s, u, code, words);
	} else {
		fn_err_set(&t->ret->err, ENOMEM, "fetch", "libcurl");
	}
	curl_slist_free_all(headers);
	curl_easy_cleanup(t->curl);
	fn_buf_free(&t->error);
	return r;
}

int fn_fetch_object(const struct fn_s3_settings *s, const struct fn_fetch_order *order, int fd, struct fn_fetch_result *ret)
{
	struct fn_s3_url at, next;
	int r = fn_s3_address(s, &order->object, &at);

	if (r < 0)
		return fn_err_set(&ret->err, r, "fetch", "\"%.63s\" is no bucket that %.100s can have", order->object.bucket, s->endpoint);
	for (unsigned hops = 0; hops <= FN_TRANSFER_HOPS_MAX; hops++) {
		struct transfer t = {.order = order, .ret = ret, .fd = fd};

		r = ask(s, &at, &t);
		if (r <= 0)
			return r;
		if (fn_s3_redirect(s, &at, t.location, &next) < 0)
			return fn_err_set(&ret->err, EXDEV, "fetch", "%.80s redirects to %.100s, which is not followed", at.host, t.location);
		at = next;
	}
	return fn_err_set(&ret->err, ELOOP, "fetch", "%.100s: more than %d redirects", s->endpoint, FN_TRANSFER_HOPS_MAX);
}
