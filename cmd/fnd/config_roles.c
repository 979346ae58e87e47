/*
 * config_roles.c - "roles" in fnd's configuration: credentials for functions whose Role is named, given, or printed by a command.
 *
 *   {"arn:aws:iam::000000000000:role/a": {"access_key_id": "...", "secret_access_key": "...", "session_token": "..."},
 *    (either with "endpoints": ["lambda", ...], the services that stay at home)
 *    "arn:aws:iam::000000000000:role/b": {"credential_process": ["/usr/local/bin/issue", "--role", "b"]}}
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/services.h"
#include "base/str.h"
#include "config.h"

static int bad(struct fn_err *err, const char *file, const char *arn, const char *what)
{
	return fn_err_set(err, EINVAL, "configuration", "%.60s: \"roles\": \"%.60s\" %.80s", file, arn, what);
}

/* What is a string is copied; anything else is no value. */
static int copy(json_t *o, const char *key, char **to)
{
	const char *text = json_string_value(json_object_get(o, key));

	if (!json_object_get(o, key))
		return 0;
	*to = text ? strdup(text) : NULL;
	return *to ? 0 : -EINVAL;
}

static int load_command(struct fn_role *r, json_t *list)
{
	json_t *e;
	size_t i;

	r->command = json_array_size(list) > 0 ? calloc(json_array_size(list) + 1, sizeof(*r->command)) : NULL;
	if (!r->command)
		return -EINVAL;
	json_array_foreach(list, i, e)
		if (!json_is_string(e) || !(r->command[i] = strdup(json_string_value(e))))
			return -EINVAL;
	return r->command[0][0] == '/' ? 0 : -EINVAL;
}

static bool is_served(const char *service)
{
	for (const char *const *s = fn_api_services(); *s; s++)
		if (strcasecmp(*s, service) == 0)
			return true;
	return false;
}

static int load_endpoints(struct fn_role *r, json_t *list)
{
	json_t *e;
	size_t i;

	r->endpoints = json_is_array(list) ? calloc(json_array_size(list) + 1, sizeof(*r->endpoints)) : NULL;
	if (!r->endpoints)
		return -EINVAL;
	json_array_foreach(list, i, e)
		if (!json_is_string(e) || !is_served(json_string_value(e)) || !(r->endpoints[i] = strdup(json_string_value(e))))
			return -EINVAL;
	return 0;
}

static int load_role(struct fn_role *r, const char *arn, json_t *o, const char *file, struct fn_err *err)
{
	size_t known = 0, endpoints = json_object_get(o, "endpoints") != NULL;
	struct fn_err why = {0};

	for (const char *const *k = (const char *const[]){"access_key_id", "secret_access_key", "session_token", "credential_process", "endpoints", NULL}; *k; k++)
		known += json_object_get(o, *k) != NULL;
	r->arn = strdup(arn);
	r->fixed.expires_us = UINT64_MAX;
	if (!r->arn)
		return fn_err_set(err, ENOMEM, "configuration", NULL);
	if (!fn_str_starts(arn, "arn:") || !strstr(arn, ":role/"))
		return bad(err, file, arn, "is no ARN of a role");
	if (!json_is_object(o) || known != json_object_size(o) || (json_object_get(o, "credential_process") && known != 1 + endpoints))
		return bad(err, file, arn, "needs access_key_id and secret_access_key, or credential_process alone");
	if (endpoints && load_endpoints(r, json_object_get(o, "endpoints")) < 0)
		return bad(err, file, arn, "\"endpoints\" must be a list of services that are served here, as in [\"lambda\"]");
	if (json_object_get(o, "credential_process"))
		return load_command(r, json_object_get(o, "credential_process")) < 0
			       ? bad(err, file, arn, "credential_process must be a list of strings, first a program's path")
			       : 0;
	if (copy(o, "access_key_id", &r->fixed.access_key_id) < 0 || copy(o, "secret_access_key", &r->fixed.secret_access_key) < 0 ||
	    copy(o, "session_token", &r->fixed.session_token) < 0)
		return bad(err, file, arn, "has a key that is no string");
	return fn_credentials_check(&r->fixed, &why) < 0 ? bad(err, file, arn, why.msg) : 0;
}

int fnd_config_roles(struct fnd_config *c, json_t *o, const char *file, struct fn_err *err)
{
	const char *arn;
	json_t *v;

	if (!json_is_object(o))
		return fn_err_set(err, EINVAL, "configuration", "%.100s: \"roles\" must be an object", file);
	fnd_config_roles_free(c);
	c->roles = calloc(json_object_size(o) + 1, sizeof(*c->roles));
	if (!c->roles)
		return fn_err_set(err, ENOMEM, "configuration", NULL);
	json_object_foreach(o, arn, v) {
		int r = load_role(&c->roles[c->n_roles++], arn, v, file, err);

		if (r < 0)
			return r;
	}
	return 0;
}

void fnd_config_roles_free(struct fnd_config *c)
{
	for (size_t i = 0; i < c->n_roles; i++)
		fn_role_clear(&c->roles[i]);
	free(c->roles);
	c->roles = NULL;
	c->n_roles = 0;
}
