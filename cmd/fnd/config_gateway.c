/*
 * config_gateway.c - "gateway" in fnd's configuration: where function URLs are served.
 *
 *   {"listen": "127.0.0.1:3002", "tls_listen": "0.0.0.0:443", "public": "https://fn.example.org", "certificates": [{"certificate": "a.pem", "key": "a.key"}],
 *    "trusted_proxies": ["10.0.0.0/8"], "api_host": "api.fn.example.org", "user": "fn-gateway", "connections": 1024, "peer_connections": 256}
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "config.h"
#include "gateway/args.h"
#include "gateway/proxies.h"
#include "web/address.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789.-"

static int bad(struct fn_err *err, const char *file, const char *key, const char *what)
{
	return fn_err_set(err, EINVAL, "configuration", "%.60s: \"gateway\": \"%.40s\" %.80s", file, key, what);
}

int fnd_config_gateway_init(struct fnd_config *c)
{
	struct fnd_gateway_config *g = &c->gateway;

	g->connections = 1024;
	g->peer_connections = 512;
	fn_set_string(&g->listen, "127.0.0.1:3002");
	fn_set_string(&g->tls_listen, "");
	fn_set_string(&g->user, "fn-gateway");
	return g->listen && g->tls_listen && g->user ? 0 : -ENOMEM;
}

static int take_text(json_t *v, char **to)
{
	if (!json_is_string(v))
		return -EINVAL;
	fn_set_string(to, json_string_value(v));
	return 0;
}

static int take_number(json_t *v, int64_t min, int64_t max, int64_t *to)
{
	if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max)
		return -EINVAL;
	*to = json_integer_value(v);
	return 0;
}

static int take_proxies(json_t *list, char **to)
{
	struct fn_gw_proxies parsed;

	return fnd_config_join(to, list) < 0 || fn_gw_proxies_parse(*to, &parsed) < 0 ? -EINVAL : 0;
}

/* Relative paths are relative to the configuration's file. */
static char *path_of(json_t *v, const char *file)
{
	const char *text = json_string_value(v), *slash = strrchr(file, '/');
	char *path;

	if (fn_str_empty(text))
		return NULL;
	if (text[0] == '/' || !slash)
		return strdup(text);
	return asprintf(&path, "%.*s/%s", (int)(slash - file), file, text) < 0 ? NULL : path;
}

static void free_certificates(struct fnd_gateway_config *g)
{
	for (size_t i = 0; i < g->n_certificates; i++) {
		free(g->certificates[i].certificate);
		free(g->certificates[i].key);
	}
	free(g->certificates);
	g->certificates = NULL;
	g->n_certificates = 0;
}

static int take_certificates(json_t *list, const char *file, struct fnd_gateway_config *g)
{
	json_t *v;
	size_t i;

	free_certificates(g);
	if (!json_is_array(list) || json_array_size(list) > FN_GW_CERTIFICATES_MAX)
		return -EINVAL;
	g->certificates = calloc(json_array_size(list) + 1, sizeof(*g->certificates));
	json_array_foreach(list, i, v) {
		struct fnd_certificate *c = g->certificates ? &g->certificates[g->n_certificates++] : NULL;

		if (!c || json_object_size(v) != 2)
			return -EINVAL;
		c->certificate = path_of(json_object_get(v, "certificate"), file);
		c->key = path_of(json_object_get(v, "key"), file);
		if (!c->certificate || !c->key)
			return -EINVAL;
	}
	return 0;
}

/* "http://example.org", "https://example.org:8443" -> scheme, domain with port. */
static int split_public(const char *url, char **scheme, char **domain)
{
	const char *at = fn_str_starts(url, "https://") ? url + 8 : fn_str_starts(url, "http://") ? url + 7 : NULL, *port;
	int64_t n;

	port = at ? at + strcspn(at, ":") : NULL;
	if (!at || port == at || strspn(at, NAME_CHARS) != (size_t)(port - at) || port - at > 180 || *at == '.' || port[-1] == '.' ||
	    (*port && fn_str_to_i64(port + 1, 1, 65535, &n) < 0))
		return -EINVAL;
	fn_set_string(domain, at);
	fn_set_string(scheme, at == url + 8 ? "https" : "http");
	return *domain && *scheme ? 0 : -ENOMEM;
}

int fnd_config_gateway(struct fnd_config *c, json_t *o, const char *file, struct fn_err *err)
{
	struct fnd_gateway_config *g = &c->gateway;
	const char *key;
	json_t *v;

	if (!json_is_object(o))
		return bad(err, file, "gateway", "must be an object");
	json_object_foreach(o, key, v) {
		const char *rule = NULL;

		if (fn_streq(key, "listen")) {
			rule = take_text(v, &g->listen) < 0 ? "must be ADDRESS:PORT, or \"\" for none" : NULL;
			g->named = true;
		} else if (fn_streq(key, "tls_listen")) {
			rule = take_text(v, &g->tls_listen) < 0 ? "must be ADDRESS:PORT, or \"\" for none" : NULL;
		} else if (fn_streq(key, "public")) {
			rule = take_text(v, &g->public_url) < 0 || (*g->public_url && split_public(g->public_url, &g->url_scheme, &g->url_domain) < 0)
				       ? "must be like https://example.org or http://example.org:8080, in lower case" : NULL;
		} else if (fn_streq(key, "api_host")) {
			rule = take_text(v, &g->api_host) < 0 || strspn(g->api_host, NAME_CHARS) != strlen(g->api_host) ? "must be a host's name, in lower case" : NULL;
		} else if (fn_streq(key, "user")) {
			rule = take_text(v, &g->user) < 0 || !*g->user ? "must be a user's name" : NULL;
		} else if (fn_streq(key, "trusted_proxies")) {
			rule = take_proxies(v, &g->trusted) < 0 ? "must be a list of at most 32 addresses and networks" : NULL;
		} else if (fn_streq(key, "certificates")) {
			rule = take_certificates(v, file, g) < 0 ? "must be a list of at most 16 {\"certificate\": FILE, \"key\": FILE}" : NULL;
		} else if (fn_streq(key, "connections")) {
			rule = take_number(v, 16, 16384, &g->connections) < 0 ? "must be a whole number from 16 to 16384" : NULL;
		} else if (fn_streq(key, "peer_connections")) {
			rule = take_number(v, 1, 16384, &g->peer_connections) < 0 ? "must be a whole number from 1 to 16384" : NULL;
		} else {
			rule = "is no key of \"gateway\"";
		}
		if (rule)
			return bad(err, file, key, rule);
	}
	return 0;
}

bool fnd_config_gateway_on(const struct fnd_gateway_config *g) { return *g->listen || *g->tls_listen; }

int fnd_config_gateway_check(const struct fnd_config *c, struct fn_err *err)
{
	const struct fnd_gateway_config *g = &c->gateway;
	struct sockaddr_storage address;
	bool loopback;
	socklen_t len;
	int r = 0;

	if (*g->listen)
		r = fn_address_parse(g->listen, "gateway.listen", &address, &len, &loopback, err);
	if (r == 0 && *g->tls_listen)
		r = fn_address_parse(g->tls_listen, "gateway.tls_listen", &address, &len, &loopback, err);
	if (r < 0)
		return r;
	if (*g->tls_listen && g->n_certificates == 0)
		return fn_err_set(err, EINVAL, "gateway", "\"tls_listen\" needs \"certificates\": [{\"certificate\": FILE, \"key\": FILE}]");
	if (!fn_str_empty(g->api_host) && !*g->tls_listen)
		return fn_err_set(err, EINVAL, "gateway", "\"api_host\" is served through TLS alone: it needs \"tls_listen\"");
	if (!fn_str_empty(g->api_host) && c->n_credentials == 0)
		return fn_err_set(err, EACCES, "gateway", "\"api_host\" passes the AWS API on to whoever reaches it: configure \"credentials\"");
	return 0;
}

int fnd_config_gateway_urls(struct fnd_gateway_config *g)
{
	bool tls = !*g->listen;
	const char *port = strrchr(tls ? g->tls_listen : g->listen, ':');

	if (!fnd_config_gateway_on(g)) {
		fn_set_string(&g->url_domain, NULL);
		return 0;
	}
	if (!fn_str_empty(g->public_url))
		return split_public(g->public_url, &g->url_scheme, &g->url_domain);
	fn_set_string(&g->url_scheme, tls ? "https" : "http");
	free(g->url_domain);
	if (asprintf(&g->url_domain, "localhost%s", fn_streq(port, tls ? ":443" : ":80") ? "" : port) < 0)
		g->url_domain = NULL;
	return g->url_domain ? 0 : -ENOMEM;
}

void fnd_config_gateway_free(struct fnd_config *c)
{
	struct fnd_gateway_config *g = &c->gateway;
	char *all[] = {g->listen, g->tls_listen, g->public_url, g->api_host, g->user, g->trusted, g->url_scheme, g->url_domain};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free(all[i]);
	free_certificates(g);
	*g = (struct fnd_gateway_config){0};
}
