/*
 * config_s3.c - "s3" in fnd's configuration, as fn-fetch is to have it, with what config_registries.c has for it: read by root, in the supervisor, which holds a descriptor of it and never its
 * content.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "config.h"
#include "credentials_file.h"
#include "sealed.h"

#define CA_MAX (2u << 20)

static int load_credentials(const char *path, struct fn_s3_settings *s, struct fn_err *err)
{
	json_t *o;
	int r = fnd_credentials_file(path, "s3.credentials_file", &o, err);

	if (r < 0)
		return r;
	s->access_key_id = fn_strdup_opt(json_string_value(json_object_get(o, "access_key_id")));
	s->secret_access_key = fn_strdup_opt(json_string_value(json_object_get(o, "secret_access_key")));
	s->session_token = fn_strdup_opt(json_string_value(json_object_get(o, "session_token")));
	json_decref(o);
	return s->access_key_id && s->secret_access_key ? 0 : fn_err_set(err, ENOMEM, "s3.credentials_file", NULL);
}

static int load_ca(const char *path, struct fn_s3_settings *s, struct fn_err *err)
{
	fn_auto_buf struct fn_buf pem = {0};
	fn_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : fn_buf_read_fd(&pem, fd, CA_MAX);

	if (r == 0 && (!pem.data || strlen(pem.data) != pem.len || !fn_utf8_valid(pem.data, pem.len) || !strstr(pem.data, "-----BEGIN")))
		r = -EINVAL;
	if (r < 0)
		return fn_err_set(err, r, "s3.ca_file", "%.100s: the endpoint's certificate is verified with certificates (PEM) from there", path);
	s->ca = fn_take_ptr(pem.data);
	return 0;
}

static int fill(const struct fnd_config *c, struct fn_s3_settings *s, struct fn_err *err)
{
	int r = 0;

	s->style = c->s3_style;
	s->timeout_s = (unsigned)c->s3_timeout_s;
	s->endpoint = strdup(c->s3_endpoint);
	s->region = strdup(c->s3_region ? c->s3_region : c->region);
	if (!s->endpoint || !s->region)
		return fn_err_set(err, ENOMEM, "s3", NULL);
	if (c->s3_credentials_file)
		r = load_credentials(c->s3_credentials_file, s, err);
	if (r == 0 && strncasecmp(c->s3_endpoint, "https:", 6) == 0)
		r = load_ca(c->s3_ca_file ? c->s3_ca_file : FND_CA_FILE, s, err);
	return r;
}

int fnd_config_fetch(const struct fnd_config *c, struct fn_err *err)
{
	json_t *registries = fnd_config_registries_settings(c, err), *o = json_object();
	struct fn_s3_settings s = {0};
	char *text = NULL;
	int r = registries ? 0 : -err->code;

	json_object_set_new(o, "registries", registries);
	if (r == 0 && !fn_str_empty(c->s3_endpoint))
		r = fill(c, &s, err);
	if (r == 0) {
		if (s.endpoint)
			json_object_set_new(o, "s3", fn_s3_settings_json(&s));
		text = json_dumps(o, JSON_COMPACT);
		r = text ? fnd_sealed_text("fn-fetch", text, strlen(text)) : -ENOMEM;
		if (r < 0)
			fn_err_set(err, r, "fn-fetch", "keep the settings");
	}
	json_decref(o);
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	if (s.secret_access_key)
		explicit_bzero(s.secret_access_key, strlen(s.secret_access_key));
	fn_s3_settings_clear(&s);
	return r;
}
