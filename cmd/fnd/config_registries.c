/*
 * config_registries.c - "registries" in fnd's configuration, and what fn-fetch is to have of it (image/registry.h): read by root, in the supervisor, which
 * holds a descriptor of it and never its content.
 *
 *   {"timeout_s": 15, "auth_file": "/etc/fnd/docker.json", "ca_file": "/etc/ssl/certs/ca-certificates.crt",
 *    "hosts": {"registry.example:5000": {"ca_file": "/etc/fnd/registry-ca.pem"}, "127.0.0.1:5000": {"plain_http": true}}}
 *
 * The auth file is as docker keeps one (config.json: {"auths": {HOST: {"auth": base64 of USER:PASSWORD}, ...}}), and root's alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "config.h"
#include "image/oci.h"
#include "web/json_file.h"

#define CA_MAX (2u << 20)

static int bad(struct fn_err *err, const char *file, const char *what, const char *of)
{
	return fn_err_set(err, EINVAL, "configuration", "%.80s: \"registries\": %.60s%.100s", file, of, what);
}

/* Relative to the configuration's file, as all paths there. */
static int set_path(json_t *o, const char *key, const char *file)
{
	const char *path = json_string_value(json_object_get(o, key)), *slash = strrchr(file, '/');
	char *whole;

	if (!path || *path == '/' || !slash)
		return 0;
	if (asprintf(&whole, "%.*s/%s", (int)(slash - file), file, path) < 0)
		return -ENOMEM;
	json_object_set_new(o, key, json_string(whole));
	free(whole);
	return 0;
}

static bool known(json_t *o, const char *const *keys)
{
	const char *name;
	json_t *v;

	json_object_foreach(o, name, v) {
		size_t i = 0;

		while (keys[i] && strcmp(keys[i], name) != 0)
			i++;
		if (!keys[i])
			return false;
	}
	return true;
}

static bool texts(json_t *o, const char *const *keys)
{
	bool ok = true;

	for (; *keys; keys++)
		ok &= !json_object_get(o, *keys) || json_string_length(json_object_get(o, *keys)) > 0;
	return ok;
}

static int check_hosts(json_t *hosts, const char *file, struct fn_err *err)
{
	static const char *const keys[] = {"plain_http", "ca_file", NULL}, *const paths[] = {"ca_file", NULL};
	struct fn_oci_ref ref;
	const char *name;
	json_t *o;

	if (hosts && !json_is_object(hosts))
		return bad(err, file, "must be an object", "\"hosts\" ");
	json_object_foreach(hosts, name, o) {
		char probe[512];
		json_t *plain = json_object_get(o, "plain_http");

		if (fn_str_format(probe, sizeof(probe), "%s/x", name) < 0 || fn_oci_ref_parse(probe, &ref) < 0 || (strcmp(ref.registry, name) != 0))
			return bad(err, file, " is no HOST or HOST:PORT, as images are named with it", name);
		if (!json_is_object(o) || !known(o, keys) || !texts(o, paths) || (plain && !json_is_boolean(plain)) || (json_is_true(plain) && json_object_get(o, "ca_file")))
			return bad(err, file, " takes either \"plain_http\" or a \"ca_file\"", name);
		if (set_path(o, "ca_file", file) < 0)
			return fn_err_set(err, ENOMEM, "configuration", NULL);
	}
	return 0;
}

int fnd_config_registries(struct fnd_config *c, json_t *o, const char *file, struct fn_err *err)
{
	static const char *const keys[] = {"timeout_s", "auth_file", "ca_file", "hosts", NULL}, *const paths[] = {"auth_file", "ca_file", NULL};
	json_t *timeout = json_object_get(o, "timeout_s");
	int r;

	if (!json_is_object(o) || !known(o, keys) || !texts(o, paths))
		return bad(err, file, "takes \"timeout_s\", \"auth_file\", \"ca_file\" and \"hosts\"", "");
	if (timeout && (!json_is_integer(timeout) || json_integer_value(timeout) < 1 || json_integer_value(timeout) > 120))
		return bad(err, file, "must be a whole number from 1 to 120", "\"timeout_s\" ");
	r = check_hosts(json_object_get(o, "hosts"), file, err);
	if (r == 0 && (set_path(o, "auth_file", file) < 0 || set_path(o, "ca_file", file) < 0))
		r = fn_err_set(err, ENOMEM, "configuration", NULL);
	if (r < 0)
		return r;
	free(c->registries);
	c->registries = json_dumps(o, JSON_COMPACT);
	return c->registries ? 0 : fn_err_set(err, ENOMEM, "configuration", NULL);
}

/* --- for fn-fetch --- */
static int load_ca(const char *path, json_t *to, bool needed, struct fn_err *err)
{
	fn_auto_buf struct fn_buf pem = {0};
	fn_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : fn_buf_read_fd(&pem, fd, CA_MAX);

	if (r == 0 && (!pem.data || strlen(pem.data) != pem.len || !fn_utf8_valid(pem.data, pem.len) || !strstr(pem.data, "-----BEGIN")))
		r = -EINVAL;
	if (r < 0)
		return needed ? fn_err_set(err, r, "registries", "%.100s: no certificates (PEM) can be read from there", path) : 0;
	json_object_set_new(to, "ca", json_string(pem.data));
	return 0;
}

/* docker's keys: a host, an address, and for Docker Hub one of its own. */
static void host_of(const char *key, char *ret, size_t size)
{
	const char *from = strstr(key, "://") ? strstr(key, "://") + 3 : key;

	snprintf(ret, size, "%.*s", (int)strcspn(from, "/"), from);
	if (fn_streq(ret, "index.docker.io") || fn_streq(ret, "registry-1.docker.io"))
		snprintf(ret, size, "docker.io");
}

static int take_auth(json_t *of, json_t *host)
{
	const char *auth = json_string_value(json_object_get(of, "auth")), *token = json_string_value(json_object_get(of, "identitytoken"));
	fn_auto_free uint8_t *pair = NULL;
	const uint8_t *colon;
	size_t len;

	if (!fn_str_empty(token))
		return json_object_set_new(host, "identity_token", json_string(token));
	if (fn_str_empty(auth)) {
		json_object_set(host, "username", json_object_get(of, "username"));
		json_object_set(host, "password", json_object_get(of, "password"));
		return json_object_get(host, "username") && json_object_get(host, "password") ? 0 : -EINVAL;
	}
	if (fn_base64_decode(auth, strlen(auth), &pair, &len) < 0 || !(colon = memchr(pair, ':', len)))
		return -EINVAL;
	json_object_set_new(host, "username", json_stringn((const char *)pair, (size_t)(colon - pair)));
	return json_object_set_new(host, "password", json_stringn((const char *)colon + 1, len - (size_t)(colon - pair) - 1));
}

static json_t *host_in(json_t *hosts, const char *name)
{
	json_t *host = json_object_get(hosts, name);

	if (!host) {
		host = json_object();
		json_object_set_new(hosts, name, host);
	}
	return host;
}

static int load_auths(const char *path, json_t *hosts, struct fn_err *err)
{
	const char *key;
	struct stat st;
	json_t *o, *v;
	int r;

	if (stat(path, &st) < 0)
		return fn_err_set(err, errno, "registries.auth_file", "%.140s", path);
	if (st.st_uid != 0 || (st.st_mode & 077))
		return fn_err_set(err, EINVAL, "registries.auth_file", "%.120s must be root's, and for nobody else to read (chmod 600)", path);
	r = fn_json_file_object(path, -EBADF, "registries.auth_file", &o, err);
	if (r < 0)
		return r;
	if (json_object_get(o, "credsStore") || json_object_size(json_object_get(o, "credHelpers")) > 0)
		r = fn_err_set(err, EINVAL, "registries.auth_file", "%.100s names credential helpers, which are not run here: it needs \"auths\" with \"auth\" in each", path);
	json_object_foreach(json_object_get(o, "auths"), key, v) {
		char name[256];

		host_of(key, name, sizeof(name));
		if (r == 0 && take_auth(v, host_in(hosts, name)) < 0)
			r = fn_err_set(err, EINVAL, "registries.auth_file", "%.80s: \"%.60s\" needs \"auth\", username and password, or an \"identitytoken\"", path, key);
	}
	json_decref(o);
	return r;
}

/* Everything in one object, or NULL with err. */
json_t *fnd_config_registries_settings(const struct fnd_config *c, struct fn_err *err)
{
	json_t *given = c->registries ? json_loads(c->registries, 0, NULL) : json_object(), *out = json_object(), *hosts = json_object(), *o;
	const char *ca = json_string_value(json_object_get(given, "ca_file")), *auth = json_string_value(json_object_get(given, "auth_file")), *name;
	int r = load_ca(ca ? ca : FND_CA_FILE, out, ca != NULL, err);

	json_object_set_new(out, "hosts", hosts);
	json_object_set(out, "timeout_s", json_object_get(given, "timeout_s"));
	json_object_foreach(json_object_get(given, "hosts"), name, o) {
		json_t *host = host_in(hosts, name);
		const char *own = json_string_value(json_object_get(o, "ca_file"));

		json_object_set_new(host, "plain", json_boolean(json_is_true(json_object_get(o, "plain_http"))));
		if (r == 0 && own)
			r = load_ca(own, host, true, err);
	}
	if (r == 0 && auth)
		r = load_auths(auth, hosts, err);
	json_decref(given);
	if (r == 0)
		return out;
	json_decref(out);
	return NULL;
}
