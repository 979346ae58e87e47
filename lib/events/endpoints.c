/* endpoints.c - see endpoints.h. */
#include "events/endpoints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/sign.h"
#include "base/clock.h"
#include "base/str.h"

#define SERVICES 8
#define LINES_MAX 8
/* As many as mappings poll at once: a long poll holds a connection for 20 s. */
#define CONNECTIONS 2048u

struct fn_endpoint {
	struct fn_endpoints *all;
	char *service, *url, *host; /* url without a slash at its end; host: as in the Host field */
	char *region, *ca_file, *access_key_id, *secret_access_key, *session_token;
};

struct fn_endpoints {
	struct fn_outbound *outbound;
	struct fn_endpoint list[SERVICES];
	size_t n;
};

static char *text_of(json_t *o, const char *key) { return fn_strdup_opt(json_string_value(json_object_get(o, key))); }

static int load(struct fn_endpoint *p, const char *service, json_t *o, const char *region, struct fn_err *err)
{
	json_t *keys = json_object_get(o, "credentials");
	const char *host;
	size_t n;

	p->service = strdup(service);
	p->url = text_of(o, "url");
	p->region = text_of(o, "region");
	p->ca_file = text_of(o, "ca_file");
	p->access_key_id = text_of(keys, "access_key_id");
	p->secret_access_key = text_of(keys, "secret_access_key");
	p->session_token = text_of(keys, "session_token");
	if (!p->region)
		p->region = strdup(region);
	host = p->url ? strstr(p->url, "://") : NULL;
	if (!host || !p->service || !p->region)
		return fn_err_set(err, EINVAL, "endpoints", "\"%.40s\" has no url", service);
	n = strlen(p->url);
	if (p->url[n - 1] == '/')
		p->url[n - 1] = '\0';
	p->host = strdup(host + 3);
	if (!p->host)
		return fn_err_set(err, ENOMEM, "endpoints", NULL);
	n = strlen(p->host);
	if (fn_str_starts(p->url, "http://") && fn_str_ends(p->host, ":80")) /* is not said */
		p->host[n - 3] = '\0';
	else if (fn_str_starts(p->url, "https://") && fn_str_ends(p->host, ":443"))
		p->host[n - 4] = '\0';
	return 0;
}

int fn_endpoints_new(const struct fn_service_env *env, struct fn_endpoints **ret, struct fn_err *err)
{
	const struct fn_outbound_config config = {.max_connections = CONNECTIONS, .max_per_host = CONNECTIONS, .agent = "fn-events/" FN_VERSION};
	struct fn_endpoints *e = calloc(1, sizeof(*e));
	const char *service;
	json_t *o;
	int r = e ? fn_outbound_new(env->loop, &config, &e->outbound) : -ENOMEM;

	if (r < 0) {
		fn_err_set(err, r, "endpoints", NULL);
	} else {
		json_object_foreach(json_object_get(env->config, "endpoints"), service, o) {
			if (e->n == SERVICES)
				break;
			e->list[e->n].all = e;
			r = load(&e->list[e->n++], service, o, env->region, err);
			if (r < 0)
				break;
		}
	}
	if (r < 0) {
		fn_endpoints_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

void fn_endpoints_free(struct fn_endpoints *e)
{
	if (!e)
		return;
	fn_outbound_free(e->outbound);
	for (size_t i = 0; i < e->n; i++) {
		struct fn_endpoint *p = &e->list[i];
		char *const texts[] = {p->service, p->url, p->host, p->region, p->ca_file, p->access_key_id, p->session_token};

		for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
			free(texts[k]);
		if (p->secret_access_key)
			explicit_bzero(p->secret_access_key, strlen(p->secret_access_key));
		free(p->secret_access_key);
	}
	free(e);
}

const struct fn_endpoint *fn_endpoint(const struct fn_endpoints *e, const char *service)
{
	for (size_t i = 0; i < e->n; i++)
		if (fn_streq(e->list[i].service, service))
			return &e->list[i];
	return NULL;
}

const char *fn_endpoint_url(const struct fn_endpoint *p) { return p->url; }
const char *fn_endpoint_region(const struct fn_endpoint *p) { return p->region; }

/* "Name: value\n" lines to fields; the text is cut up. */
static size_t fields_of(char *lines, struct fn_h1_header *ret, size_t max)
{
	char *save = NULL;
	size_t n = 0;

	for (char *l = strtok_r(lines, "\n", &save); l && n < max; l = strtok_r(NULL, "\n", &save)) {
		char *colon = strstr(l, ": ");

		if (!colon)
			continue;
		*colon = '\0';
		ret[n++] = (struct fn_h1_header){l, colon + 2};
	}
	return n;
}

int fn_endpoint_send(const struct fn_endpoint *p, const struct fn_endpoint_request *r, struct fn_outbound_call **ret)
{
	fn_auto_buf struct fn_buf url = {0}, lines = {0};
	struct fn_h1_header headers[LINES_MAX];
	struct fn_outbound_request q = {.method = r->method ? r->method : "POST", .headers = headers, .body = r->body, .len = r->len, .body_max = r->body_max,
					.timeout_us = r->timeout_us, .ca_file = p->ca_file, .done = r->done, .arg = r->arg};
	const char *path = r->path ? r->path : "/", *query = r->query ? r->query : "";
	char date[FN_AWS_DATE_SIZE], hash[65];
	int rc;

	fn_aws_date(fn_clock_real_us(), date);
	fn_sigv4_sha256(r->len ? r->body : "", r->len, hash);
	rc = fn_buf_addf(&url, "%s%s%s%s", p->url, path, *query ? "?" : "", query);
	if (rc == 0 && p->access_key_id)
		rc = fn_aws_sign(&(struct fn_aws_credentials){p->access_key_id, p->secret_access_key, p->session_token},
				 &(struct fn_aws_signing){.method = q.method, .host = p->host, .path = path, .query = query, .region = p->region, .service = p->service,
							  .amz_date = date, .payload_sha256 = hash, .target = r->target},
				 &lines);
	else if (rc == 0 && r->target)
		rc = fn_buf_addf(&lines, "X-Amz-Target: %s\n", r->target);
	if (rc == 0 && r->content_type)
		rc = fn_buf_addf(&lines, "Content-Type: %s\n", r->content_type);
	if (rc < 0)
		return rc;
	q.url = url.data;
	q.n_headers = lines.data ? fields_of(lines.data, headers, LINES_MAX) : 0;
	return fn_outbound_send(p->all->outbound, &q, ret);
}
