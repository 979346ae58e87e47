/* registry.c - see registry.h. */
#include "image/registry.h"

#include <errno.h>
#include <inttypes.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "image/digest.h"
#include "image/fetch.h"
#include "image/transfer.h"

#define TRIES_MAX 6          /* in which nothing comes */
#define TOKEN_MAX (1u << 20)
#define ACCEPT "Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, " \
	       "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"

/* One thing that is fetched, over as many requests as it takes. */
struct fetching {
	const struct fn_registry_settings *s;
	const struct fn_fetch_order *order;
	struct fn_fetch_result *ret;
	int fd;
	struct sha256_ctx sum;
	struct fn_buf authorization; /* the header's line; empty: none */
	bool asked_token;
};

/* One request. */
struct transfer {
	struct fetching *f; /* NULL: it is for a token */
	CURL *curl;
	long status;
	size_t header_bytes;
	uint64_t skip;          /* of what comes: it is there already */
	bool headers_too_large, too_large, other_range, begun;
	int write_error;
	char location[4096], challenge[2048];
	struct fn_buf body;     /* of a token's answer */
	char words[CURL_ERROR_SIZE];
};

/* --- settings --- */
static char *text(json_t *o, const char *key) { return fn_strdup_opt(json_string_value(json_object_get(o, key))); }

int fn_registry_settings_load(json_t *o, const char *registry, struct fn_registry_settings *ret)
{
	json_t *host = json_object_get(json_object_get(o, "hosts"), registry), *timeout = json_object_get(o, "timeout_s");
	const char *own = json_string_value(json_object_get(host, "ca")), *all = json_string_value(json_object_get(o, "ca"));

	*ret = (struct fn_registry_settings){.plain = json_is_true(json_object_get(host, "plain")), .timeout_s = timeout ? (unsigned)json_integer_value(timeout) : 15};
	ret->username = text(host, "username");
	ret->password = text(host, "password");
	ret->identity_token = text(host, "identity_token");
	if (!own && !all)
		return 0;
	return asprintf(&ret->ca, "%s\n%s", own ? own : "", all ? all : "") < 0 ? -ENOMEM : 0;
}

void fn_registry_settings_clear(struct fn_registry_settings *s)
{
	if (s->password)
		explicit_bzero(s->password, strlen(s->password));
	free(s->username);
	free(s->password);
	free(s->identity_token);
	free(s->ca);
	*s = (struct fn_registry_settings){0};
}

/* --- challenges --- */
static const char *parameter(const char *p, char *name, size_t name_size, char *value, size_t value_size)
{
	size_t n = 0, len;

	p += strspn(p, " \t,");
	len = strcspn(p, "= \t,");
	if (len == 0 || len >= name_size || p[len] != '=')
		return NULL;
	snprintf(name, name_size, "%.*s", (int)len, p);
	p += len + 1;
	if (*p != '"') {
		len = strcspn(p, " \t,");
		snprintf(value, value_size, "%.*s", (int)len, p);
		return p + len;
	}
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
		if (n + 1 >= value_size)
			return NULL;
		value[n++] = *p;
	}
	value[n] = '\0';
	return *p == '"' ? p + 1 : NULL;
}

int fn_registry_challenge_parse(const char *v, struct fn_registry_challenge *ret)
{
	char name[64], value[1024];

	*ret = (struct fn_registry_challenge){0};
	if (strncasecmp(v, "basic", 5) == 0)
		return 0;
	if (strncasecmp(v, "bearer", 6) != 0)
		return -EINVAL;
	ret->bearer = true;
	for (const char *p = v + 6; (p = parameter(p, name, sizeof(name), value, sizeof(value)));) {
		int r = 0;

		if (strcasecmp(name, "realm") == 0)
			r = fn_str_format(ret->realm, sizeof(ret->realm), "%s", value);
		else if (strcasecmp(name, "service") == 0)
			r = fn_str_format(ret->service, sizeof(ret->service), "%s", value);
		else if (strcasecmp(name, "scope") == 0)
			r = fn_str_format(ret->scope, sizeof(ret->scope), "%s", value);
		if (r < 0)
			return -EINVAL;
	}
	return *ret->realm ? 0 : -EINVAL;
}

/* --- what comes --- */
static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n;
	char range[128];
	unsigned long long from;

	t->header_bytes += len;
	if (t->header_bytes > FN_TRANSFER_HEADERS_MAX) {
		t->headers_too_large = true;
		return 0;
	}
	(void)fn_transfer_header(line, len, "location", t->location, sizeof(t->location));
	if (!t->challenge[0] || strncasecmp(t->challenge, "bearer", 6) != 0) /* of two, the one with tokens */
		(void)fn_transfer_header(line, len, "www-authenticate", t->challenge, sizeof(t->challenge));
	if (fn_transfer_header(line, len, "content-range", range, sizeof(range)) && t->f && (sscanf(range, "bytes %llu-", &from) != 1 || from != t->f->ret->bytes))
		t->other_range = true;
	return len;
}

static size_t on_token(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	if (t->body.len + size * n > TOKEN_MAX || fn_buf_add(&t->body, data, size * n) < 0)
		return 0;
	return size * n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct fetching *f = t->f;
	size_t len = size * n, skip;

	(void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->status);
	if (t->status != 200 && t->status != 206)
		return len; /* an error's words are the registry's own */
	if (t->status == 206 && t->other_range)
		return 0;
	if (!t->begun && t->status == 200) /* it knows no ranges, or was asked for none */
		t->skip = f->ret->bytes;
	t->begun = true;
	skip = t->skip < len ? (size_t)t->skip : len;
	t->skip -= skip;
	data += skip;
	if (f->ret->bytes + (len - skip) > f->order->max_bytes) {
		t->too_large = true;
		return 0;
	}
	t->write_error = fn_fd_write_all(f->fd, data, len - skip);
	if (t->write_error < 0)
		return 0;
	if (f->order->kind != FN_FETCH_LAYER)
		sha256_update(&f->sum, len - skip, (const uint8_t *)data);
	f->ret->bytes += len - skip;
	return len;
}

/* --- what is asked --- */
static bool set_options(struct transfer *t, const struct fn_registry_settings *s, const char *url, struct curl_slist *headers)
{
	const struct fn_transfer how = {.url = url, .protocols = s->plain ? "http,https" : "https", .ca = s->ca, .timeout_s = s->timeout_s, .headers = headers, .words = t->words,
					.on_header = on_header, .on_body = t->f ? on_body : on_token, .arg = t};

	return fn_transfer_set(t->curl, &how) && curl_easy_setopt(t->curl, CURLOPT_BUFFERSIZE, 262144L) == CURLE_OK;
}

static int no_memory(struct fetching *f) { return fn_err_set(&f->ret->err, ENOMEM, "fetch", "libcurl"); }

static int failed(struct fetching *f, int code, const char *what)
{
	return fn_err_set(&f->ret->err, code, "fetch", "%.90s: %.120s", f->order->item.registry, what);
}

#define NO_CREDENTIALS "it wants credentials, and the configuration has none for it"

static bool named(const struct fn_registry_settings *s) { return s->username || s->identity_token; }

static int append(struct curl_slist **list, const char *line)
{
	struct curl_slist *more = curl_slist_append(*list, line);

	if (!more)
		return -ENOMEM;
	*list = more;
	return 0;
}

/* Basic, from what the settings have. */
static int basic(const struct fn_registry_settings *s, struct fn_buf *line)
{
	fn_auto_free char *pair = NULL, *encoded = NULL;

	if (!s->username || !s->password)
		return -EACCES;
	if (asprintf(&pair, "%s:%s", s->username, s->password) < 0 || fn_base64_encode(pair, strlen(pair), &encoded) < 0)
		return -ENOMEM;
	explicit_bzero(pair, strlen(pair));
	fn_buf_reset(line);
	return fn_buf_addf(line, "Authorization: Basic %s", encoded);
}

static int add_query(CURL *c, struct fn_buf *url, const char *name, const char *value)
{
	char *encoded = *value ? curl_easy_escape(c, value, 0) : NULL;
	int r = encoded ? fn_buf_addf(url, "%s%s=%s", strchr(url->data, '?') ? "&" : "?", name, encoded) : 0;

	curl_free(encoded);
	return r;
}

/* The body of a request with a refresh token; Docker's "OAuth2 token endpoint". */
static int grant(struct transfer *t, const struct fn_registry_settings *s, const struct fn_registry_challenge *ch, struct fn_buf *form)
{
	int r = fn_buf_add_str(form, "x?grant_type=refresh_token&client_id=fn-fetch");

	if (r == 0)
		r = add_query(t->curl, form, "service", ch->service);
	if (r == 0)
		r = add_query(t->curl, form, "scope", ch->scope);
	if (r == 0)
		r = add_query(t->curl, form, "refresh_token", s->identity_token);
	return r == 0 && curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, form->data + 2) != CURLE_OK ? -ENOMEM : r;
}

static int take_token(struct fetching *f, const struct transfer *t)
{
	json_t *o = json_loadb(t->body.data ? t->body.data : "", t->body.len, 0, NULL);
	const char *token = json_string_value(json_object_get(o, "token"));
	int r = 0;

	if (!token)
		token = json_string_value(json_object_get(o, "access_token"));
	if (!token || strpbrk(token, "\r\n")) {
		r = failed(f, EPROTO, "what it names for tokens gives none");
	} else {
		fn_buf_reset(&f->authorization);
		r = fn_buf_addf(&f->authorization, "Authorization: Bearer %s", token) < 0 ? no_memory(f) : 0;
	}
	json_decref(o);
	return r;
}

/* Whom it names for tokens may be another host than the registry. */
static int no_token(struct fetching *f, const struct transfer *t, CURLcode code)
{
	char words[120], text[160];

	if (code == CURLE_OK)
		snprintf(words, sizeof(words), "answers %ld", t->status);
	else
		fn_transfer_words(code, t->words, words, sizeof(words));
	snprintf(text, sizeof(text), "what it names for tokens: %s", words);
	return failed(f, code == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : EPROTO, text);
}

static int ask_token(struct fetching *f, const struct fn_registry_challenge *ch)
{
	fn_auto_buf struct fn_buf url = {0}, form = {0}, line = {0};
	struct transfer t = {.curl = curl_easy_init()};
	struct curl_slist *headers = NULL;
	const struct fn_registry_settings *s = f->s;
	CURLcode code = CURLE_OK;
	int r = t.curl ? fn_buf_add_str(&url, ch->realm) : -ENOMEM;

	if (r == 0 && !s->identity_token)
		r = add_query(t.curl, &url, "service", ch->service);
	if (r == 0 && !s->identity_token)
		r = add_query(t.curl, &url, "scope", ch->scope);
	if (r == 0 && s->identity_token)
		r = grant(&t, s, ch, &form);
	if (r == 0 && !s->identity_token && basic(s, &line) == 0)
		r = append(&headers, line.data);
	if (r == 0 && !set_options(&t, s, url.data, headers))
		r = -ENOMEM;
	if (r == 0)
		code = curl_easy_perform(t.curl);
	if (r == 0)
		(void)curl_easy_getinfo(t.curl, CURLINFO_RESPONSE_CODE, &t.status);
	if (r < 0)
		r = no_memory(f);
	else if (code == CURLE_OK && (t.status == 401 || t.status == 403))
		r = failed(f, EACCES, named(s) ? "the credentials in the configuration are refused" : NO_CREDENTIALS);
	else if (code != CURLE_OK || t.status != 200)
		r = no_token(f, &t, code);
	else
		r = take_token(f, &t);
	curl_slist_free_all(headers);
	curl_easy_cleanup(t.curl);
	fn_buf_free(&t.body);
	return r;
}

/* After a 401: with what it wants, once. 1 = try again. */
static int authorise(struct fetching *f, const char *challenge)
{
	struct fn_registry_challenge ch;
	int r;

	if (f->asked_token)
		return failed(f, EACCES, named(f->s) ? "it does not give that to whom the configuration names" : NO_CREDENTIALS);
	f->asked_token = true;
	if (fn_registry_challenge_parse(challenge, &ch) < 0)
		return failed(f, EACCES, "it wants to know who asks, in a way that is not known here");
	if (ch.bearer && strncasecmp(ch.realm, "https://", 8) != 0 && !(f->s->plain && strncasecmp(ch.realm, "http://", 7) == 0))
		return failed(f, EACCES, "its tokens are had without TLS");
	if (ch.bearer) {
		r = ask_token(f, &ch);
		return r < 0 ? r : 1;
	}
	r = basic(f->s, &f->authorization);
	if (r == -EACCES)
		return failed(f, EACCES, NO_CREDENTIALS);
	return r < 0 ? no_memory(f) : 1;
}

static int judge(struct fetching *f, struct transfer *t, CURLcode code)
{
	char words[160];

	if (t->too_large)
		return fn_err_set(&f->ret->err, f->order->item.size ? EBADMSG : EFBIG, "fetch", "%.90s: it has more than the %" PRIu64 " bytes %s", f->order->item.registry,
				  f->order->max_bytes, f->order->item.size ? "that its manifest says" : "that are taken");
	if (t->write_error < 0)
		return fn_err_set(&f->ret->err, t->write_error, "fetch", "write it");
	if (t->headers_too_large)
		return failed(f, EPROTO, "its answer has too many headers");
	if (code == CURLE_OPERATION_TIMEDOUT) {
		snprintf(words, sizeof(words), "%s within %u s", t->status ? "hardly a byte came" : "no connection, or no answer", f->s->timeout_s);
		return failed(f, ETIMEDOUT, words);
	}
	if (code == CURLE_COULDNT_RESOLVE_HOST)
		return failed(f, EHOSTUNREACH, "there is no such host");
	if (code == CURLE_COULDNT_CONNECT)
		return failed(f, ECONNREFUSED, "no connection");
	if (code != CURLE_OK && (t->status == 200 || t->status == 206))
		return failed(f, ECONNABORTED, "the connection ended in the midst of it");
	fn_transfer_words(code, t->words, words, sizeof(words));
	if (code == CURLE_SSL_CONNECT_ERROR && fn_streq(words, "it speaks no TLS"))
		snprintf(words, sizeof(words), "it speaks no TLS; where it is to be asked without, registries.hosts says so (plain_http)");
	return failed(f, EPROTO, words);
}

static int refused(struct fetching *f, long status)
{
	char words[64];

	snprintf(words, sizeof(words), "it answers %ld", status);
	return failed(f, status == 404 ? ENOENT : status == 401 || status == 403 ? EACCES : EREMOTEIO, status == 404 ? "it has no such image" : words);
}

static bool worth_again(int code) { return code == ECONNABORTED || code == ETIMEDOUT || code == EREMOTEIO; }

/* One request: 0 = all of it is there, 1 = go on at *url, 2 = it was cut short: again; -errno. */
static int ask(struct fetching *f, struct fn_buf *url, bool own)
{
	struct transfer t = {.f = f, .curl = curl_easy_init()};
	struct curl_slist *headers = NULL;
	uint64_t from = f->ret->bytes;
	char range[64];
	CURLcode code;
	int r = t.curl ? append(&headers, f->order->kind == FN_FETCH_MANIFEST ? ACCEPT : "Accept: application/octet-stream") : -ENOMEM;

	if (r == 0 && own && f->authorization.len)
		r = append(&headers, f->authorization.data);
	if (r == 0 && from > 0) { /* what is there stays */
		snprintf(range, sizeof(range), "Range: bytes=%" PRIu64 "-", from);
		r = append(&headers, range);
	}
	if (r < 0 || !set_options(&t, f->s, url->data, headers)) {
		r = no_memory(f);
	} else {
		code = curl_easy_perform(t.curl);
		if (t.status == 0)
			(void)curl_easy_getinfo(t.curl, CURLINFO_RESPONSE_CODE, &t.status);
		f->ret->status = (uint32_t)t.status;
		if (code == CURLE_OK && t.status == 401 && own)
			r = authorise(f, t.challenge);
		else if (code == CURLE_OK && t.status >= 301 && t.status <= 308 && *t.location)
			r = 1;
		else if (code == CURLE_OK && (t.status == 200 || t.status == 206))
			r = 0;
		else
			r = code == CURLE_OK ? refused(f, t.status) : judge(f, &t, code);
		if (r == 1 && t.status != 401) {
			char *next = NULL;

			fn_buf_reset(url); /* libcurl has made the address absolute */
			r = curl_easy_getinfo(t.curl, CURLINFO_REDIRECT_URL, &next) == CURLE_OK && next && fn_buf_add_str(url, next) == 0 ? 1 : failed(f, EPROTO, "a redirect to nowhere");
		}
		if (r < 0 && worth_again(f->ret->err.code))
			r = 2;
	}
	curl_slist_free_all(headers);
	curl_easy_cleanup(t.curl);
	return r;
}

/* From the registry, and where it leads. */
static int ask_through(struct fetching *f)
{
	const struct fn_registry_item *i = &f->order->item;
	fn_auto_buf struct fn_buf url = {0};
	const char *host = fn_streq(i->registry, "docker.io") ? "registry-1.docker.io" : i->registry;
	bool own = true;
	int r = fn_buf_addf(&url, "%s://%s/v2/%s/%s/%s", f->s->plain ? "http" : "https", host, i->repository, f->order->kind == FN_FETCH_MANIFEST ? "manifests" : "blobs",
			    i->reference);

	if (r < 0)
		return no_memory(f);
	for (unsigned hops = 0; hops <= FN_TRANSFER_HOPS_MAX; hops++) {
		bool was_asked = f->asked_token;

		r = ask(f, &url, own);
		if (r != 1)
			return r;
		if (was_asked == f->asked_token)
			own = false; /* another's: it is not told who we are */
	}
	return failed(f, ELOOP, "more redirects than are followed");
}

static int check(struct fetching *f)
{
	const struct fn_registry_item *i = &f->order->item;
	char have[FN_SHA256_HEX];

	if (i->size && f->ret->bytes != i->size)
		return fn_err_set(&f->ret->err, EBADMSG, "fetch", "%.90s: it has %" PRIu64 " bytes, not the %" PRIu64 " that its manifest says", i->registry, f->ret->bytes, i->size);
	if (f->order->kind == FN_FETCH_LAYER || !i->sha256[0])
		return 0;
	fn_sha256_end(&f->sum, have);
	return fn_streq(have, i->sha256) ? 0 : fn_err_set(&f->ret->err, EBADMSG, "fetch", "%.90s: what it gives is not what its digest says", i->registry);
}

int fn_registry_fetch(const struct fn_registry_settings *s, const struct fn_fetch_order *order, int fd, struct fn_fetch_result *ret)
{
	struct fetching f = {.s = s, .order = order, .ret = ret, .fd = fd};
	unsigned idle = 0;
	int r = 2;

	sha256_init(&f.sum);
	while (r == 2) {
		uint64_t before = ret->bytes;
		struct timespec rest = {.tv_nsec = 200000000L << (idle < 4 ? idle : 4)};

		r = ask_through(&f);
		f.asked_token = f.asked_token && r != 2; /* a token may have become too old */
		idle = ret->bytes > before ? 0 : idle + 1;
		if (r != 2)
			break;
		if (idle >= TRIES_MAX / (ret->err.code == ETIMEDOUT ? 3 : 1)) {
			r = -ret->err.code;
			break;
		}
		(void)nanosleep(&rest, NULL);
	}
	if (r == 0) {
		ret->err = (struct fn_err){0};
		r = check(&f);
	}
	if (f.authorization.data)
		explicit_bzero(f.authorization.data, f.authorization.len);
	fn_buf_free(&f.authorization);
	return r;
}
