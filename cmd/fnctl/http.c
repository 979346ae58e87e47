/* http.c - requests to fnd, and what is said when they fail. */
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fnctl.h"
#include "aws/sigv4.h"

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct reply *r = arg;

	return fn_buf_add(&r->body, data, size * n) < 0 ? 0 : size * n;
}

static bool header_is(const char *line, size_t n, const char *name, char *out, size_t size)
{
	size_t k = strlen(name);

	if (n <= k || strncasecmp(line, name, k) != 0 || line[k] != ':')
		return false;
	line += k + 1;
	n -= k + 1;
	while (n > 0 && isspace((unsigned char)*line)) {
		line++;
		n--;
	}
	while (n > 0 && isspace((unsigned char)line[n - 1]))
		n--;
	snprintf(out, size, "%.*s", (int)n, line);
	return true;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct reply *r = arg;
	char log[8192];

	n *= size;
	if (header_is(data, n, "x-amz-log-result", log, sizeof(log))) {
		free(r->log_result);
		r->log_result = strdup(log);
	} else if (!header_is(data, n, "x-amzn-errortype", r->error_type, sizeof(r->error_type)) &&
		   !header_is(data, n, "x-amz-function-error", r->function_error, sizeof(r->function_error))) {
		(void)header_is(data, n, "x-amz-executed-version", r->version, sizeof(r->version));
	}
	return n;
}

static const char *message_of(const struct reply *r)
{
	const char *m = json_string_value(json_object_get(r->json, "message"));

	if (!m)
		m = json_string_value(json_object_get(r->json, "Message"));
	return m ? m : r->body.len ? r->body.data : "no reason given";
}

static const char *advice(const struct reply *r)
{
	const char *m = message_of(r);

	if (strstr(m, "`fnctl "))
		return NULL; /* it says itself what helps */
	if (fn_streq(r->error_type, "ResourceNotFoundException") && strstr(m, "Function not found"))
		return "`fnctl list` shows the functions there are.";
	if (fn_streq(r->error_type, "QueueDoesNotExist"))
		return "`fnctl queue list` shows the queues there are.";
	if (fn_str_starts(m, "Alias already exists"))
		return "`fnctl alias update` changes it.";
	if (fn_str_starts(m, "Function already exist"))
		return "`fnctl update` changes it, `fnctl deploy` creates or updates.";
	if (strstr(m, "'runtime'") || strstr(m, "base image"))
		return "`fnctl images` shows the runtimes there are.";
	if (fn_str_starts(r->error_type, "InvalidSignature") && strstr(m, "valid region"))
		return "This fnd's `region` is another: name it with --region or AWS_REGION.";
	if (fn_str_starts(r->error_type, "MissingAuthentication") || fn_str_starts(r->error_type, "UnrecognizedClient") ||
	    fn_str_starts(r->error_type, "InvalidSignature"))
		return "This fnd wants signed requests: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to one of its credentials.";
	if (fn_str_starts(r->error_type, "RequestEntityTooLarge") && !strstr(m, "InvokeFunction"))
		return "A larger package comes as s3://BUCKET/KEY; or have package_max_mb (250 at most) say more in fnd's configuration.";
	if (fn_streq(r->error_type, "TooManyRequestsException"))
		return "Try again when fewer invocations run, or raise account_concurrency.";
	return NULL;
}

static int transport_error(const char *operation, CURLcode c, const char *detail)
{
	fprintf(stderr, "fnctl: %s: %s: %s\n", operation, G.endpoint, detail && *detail ? detail : curl_easy_strerror(c));
	if (c == CURLE_COULDNT_CONNECT)
		fprintf(stderr, "Is fnd running? Start it as root (`fnd --state DIR`), or name the right address with --endpoint or FNCTL_ENDPOINT.\n");
	return EX_API;
}

/* --- signing: not curl's, which in some versions leaves the port out of what it signs --- */
#define SIGNED_MOST 8

struct signed_headers {
	struct {
		char name[40]; /* lower case */
		const char *value;
	} h[SIGNED_MOST];
	size_t n;
};

static const char *signed_header(void *arg, const char *name, unsigned nth)
{
	const struct signed_headers *s = arg;

	for (size_t i = 0; nth == 0 && i < s->n; i++)
		if (fn_streq(s->h[i].name, name))
			return s->h[i].value;
	return NULL;
}

/* In the order of their names, as SignedHeaders has to list them. name ends at the colon, or with the string. */
static void add_signed(struct signed_headers *s, const char *name, const char *value)
{
	char lower[sizeof(s->h[0].name)];
	size_t n = strcspn(name, ":"), at = s->n;

	if (s->n == SIGNED_MOST || n >= sizeof(lower))
		return; /* and fnd refuses what is not signed */
	for (size_t i = 0; i < n; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	lower[n] = '\0';
	for (; at > 0 && strcmp(s->h[at - 1].name, lower) > 0; at--)
		s->h[at] = s->h[at - 1];
	memcpy(s->h[at].name, lower, n + 1);
	s->h[at].value = value;
	s->n++;
}

/* SQS's requests go to the root, all of them. */
static const char *service_of(const char *path) { return strcmp(path, "/") == 0 ? "sqs" : "lambda"; }

/* headers: those of the request; every x-amz-* among them is signed, since fnd, as AWS, takes no other. */
static struct curl_slist *sign(struct curl_slist *list, const char *method, const char *path, const char *const *headers, const void *body, size_t len)
{
	const char *authority = strstr(G.endpoint, "://") ? strstr(G.endpoint, "://") + 3 : G.endpoint;
	char plain[2048], signature[65], line[1024], host[256], date[20], sha[65], names[SIGNED_MOST * 41] = "";
	struct signed_headers s = {0};
	struct fn_sigv4 r = {.method = method, .path = plain, .query = "", .signed_headers = names, .payload_sha256 = sha, .amz_date = date,
			     .region = G.region, .service = service_of(path), .encode_path = true, .header = signed_header, .arg = &s};
	time_t now = time(NULL);
	char *query;

	snprintf(host, sizeof(host), "%.*s", (int)strcspn(authority, "/"), authority);
	strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", gmtime(&now));
	fn_sigv4_sha256(body ? body : "", body ? len : 0, sha);
	add_signed(&s, "host", host);
	add_signed(&s, "x-amz-date", date);
	add_signed(&s, "x-amz-content-sha256", sha);
	for (; headers && *headers; headers++)
		if (strncasecmp(*headers, "x-amz-", 6) == 0 && strchr(*headers, ':'))
			add_signed(&s, *headers, strchr(*headers, ':') + 1);
	for (size_t i = 0; i < s.n; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? ";" : "", s.h[i].name);
	snprintf(plain, sizeof(plain), "%s", path);
	query = strchr(plain, '?');
	if (query) {
		*query = '\0';
		r.query = query + 1;
	}
	if (fn_sigv4_signature(&r, G.secret, signature) < 0)
		return list;
	snprintf(line, sizeof(line), "Host: %s", host);
	list = curl_slist_append(list, line);
	snprintf(line, sizeof(line), "X-Amz-Date: %s", date);
	list = curl_slist_append(list, line);
	snprintf(line, sizeof(line), "X-Amz-Content-Sha256: %s", sha);
	list = curl_slist_append(list, line);
	snprintf(line, sizeof(line), "Authorization: AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s", G.key_id,
		 date, G.region, r.service, names, signature);
	return curl_slist_append(list, line);
}

static bool is_loopback(const char *endpoint)
{
	const char *host = strstr(endpoint, "://") ? strstr(endpoint, "://") + 3 : endpoint;
	size_t n = strcspn(host, ":/");

	return fn_str_starts(host, "127.") || fn_str_starts(host, "[::1]") || (n == 9 && strncasecmp(host, "localhost", n) == 0);
}

/* The control socket's path, if that is the way; else NULL. */
static const char *unix_path(void) { return fn_str_starts(G.endpoint, "unix:") ? G.endpoint + strlen("unix:") : NULL; }

/* SQS names its errors in their bodies. */
static void take_type(struct reply *r)
{
	const char *type = json_string_value(json_object_get(r->json, "__type")), *name = type ? strrchr(type, '#') : NULL;

	snprintf(r->error_type, sizeof(r->error_type), "%s", name ? name + 1 : type ? type : "");
}

static int perform(struct reply *r, const char *operation, const char *method, const char *path, const char *const *headers, const void *body,
		   size_t len, long timeout_s)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	const char *socket_path = unix_path();
	char url[2048], detail[CURL_ERROR_SIZE] = "";
	CURL *c = curl_easy_init();
	double s = 0;
	long os = 0;
	CURLcode rc;

	memset(r, 0, sizeof(*r));
	if (!c || !list || fn_str_format(url, sizeof(url), "%s%s", socket_path ? "http://localhost" : G.endpoint, path) < 0) {
		curl_slist_free_all(list);
		curl_easy_cleanup(c);
		return transport_error(operation, c ? CURLE_URL_MALFORMAT : CURLE_OUT_OF_MEMORY, NULL);
	}
	for (const char *const *h = headers; h && *h; h++)
		list = curl_slist_append(list, *h);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 5L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, timeout_s);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	if (socket_path)
		curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	if (socket_path || is_loopback(G.endpoint)) /* http_proxy is not meant for this machine's own addresses */
		curl_easy_setopt(c, CURLOPT_PROXY, "");
	if (body || strcmp(method, "GET") != 0) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, body ? body : "");
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	}
	if (G.key_id && G.secret && !socket_path)
		list = sign(list, method, path, headers, body, len);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
	rc = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &r->status);
	curl_easy_getinfo(c, CURLINFO_TOTAL_TIME, &s);
	curl_easy_getinfo(c, CURLINFO_OS_ERRNO, &os);
	curl_easy_cleanup(c);
	curl_slist_free_all(list);
	r->ms = s * 1000;
	if (rc == CURLE_COULDNT_CONNECT && socket_path && os) /* curl tells of the host that the URL has for form's sake */
		snprintf(detail, sizeof(detail), "%s", strerror((int)os));
	if (rc != CURLE_OK)
		return transport_error(operation, rc, detail);
	if (r->body.len) /* ALLOW_NUL: a function's log may hold any character */
		r->json = json_loadb(r->body.data, r->body.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (!r->error_type[0])
		take_type(r);
	return EX_FINE;
}

static int complain(const char *operation, const struct reply *r)
{
	const char *next = advice(r);

	if (r->error_type[0])
		fprintf(stderr, "fnctl: %s: %s: %s\n", operation, r->error_type, message_of(r));
	else
		fprintf(stderr, "fnctl: %s: unexpected answer, status %ld: %.500s\n", operation, r->status, message_of(r));
	if (next)
		fprintf(stderr, "%s\n", next);
	return EX_API;
}

int request(struct reply *r, const char *operation, const char *method, const char *path, const char *const *headers, const void *body, size_t len,
	    long timeout_s)
{
	int rc = perform(r, operation, method, path, headers, body, len, timeout_s);

	if (rc != EX_FINE)
		return rc;
	if (r->status >= 300)
		return complain(operation, r);
	if ((fn_streq(method, "GET") || fn_str_starts(path, "/_fnd/")) && !json_is_object(r->json)) {
		fprintf(stderr, "fnctl: %s: the answer is no JSON object; is that fnd at %s?\n", operation, G.endpoint);
		return EX_API;
	}
	return EX_FINE;
}

int request_may_miss(struct reply *r, const char *operation, const char *method, const char *path, bool *ret_missing)
{
	int rc = perform(r, operation, method, path, NULL, NULL, 0, 60);

	*ret_missing = rc == EX_FINE && r->status == 404;
	return rc == EX_FINE && r->status >= 300 && !*ret_missing ? complain(operation, r) : rc;
}

void reply_free(struct reply *r)
{
	fn_buf_free(&r->body);
	json_decref(r->json);
	free(r->log_result);
	memset(r, 0, sizeof(*r));
}

const char *function_path(const char *name, const char *rest) { return function_path_since("2015-03-31", name, rest); }

const char *function_path_since(const char *version, const char *name, const char *rest)
{
	static char path[1400];
	char *escaped = curl_easy_escape(NULL, name, 0);

	snprintf(path, sizeof(path), "/%s/functions/%s%s", version, escaped ? escaped : "", rest);
	curl_free(escaped);
	return path;
}

bool add_segment(char *path, size_t size, const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0);
	size_t n = strlen(path);
	int r = fn_str_format(path + n, size - n, "/%s", escaped ? escaped : "");

	curl_free(escaped);
	return escaped && r == 0;
}

bool add_query(char *path, size_t size, const char *key, const char *value)
{
	char *escaped = curl_easy_escape(NULL, value, 0);
	size_t n = strlen(path);
	int r = fn_str_format(path + n, size - n, "%c%s=%s", strchr(path, '?') ? '&' : '?', key, escaped ? escaped : "");

	curl_free(escaped);
	return escaped && r == 0;
}

int request_json(struct reply *r, const char *operation, const char *method, const char *path, json_t *body)
{
	fn_auto_free char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	return request(r, operation, method, path, NULL, text, text ? strlen(text) : 0, 60);
}

int request_pages(const char *operation, const char *path, const char *key, json_t *rows)
{
	char page[2048];
	int rc;

	snprintf(page, sizeof(page), "%s", path);
	for (;;) {
		const char *next;
		bool more, fits = true;
		struct reply r;

		rc = request(&r, operation, "GET", page, NULL, NULL, 0, 60);
		if (rc == EX_FINE)
			json_array_extend(rows, json_object_get(r.json, key));
		next = json_string_value(json_object_get(r.json, "NextMarker"));
		more = rc == EX_FINE && !fn_str_empty(next);
		if (more) {
			snprintf(page, sizeof(page), "%s", path);
			fits = add_query(page, sizeof(page), "Marker", next);
		}
		reply_free(&r);
		if (!fits) {
			fprintf(stderr, "fnctl: %s: the answer's NextMarker is too long\n", operation);
			return EX_API;
		}
		if (!more)
			return rc;
	}
}
