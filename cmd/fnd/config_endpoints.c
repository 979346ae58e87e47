/* config_endpoints.c - see config_endpoints.h. */
#include "config_endpoints.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "credentials_file.h"
#include "image/s3.h"

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (fn_streq(name, *names))
			return true;
	return false;
}

static bool is_region(const char *s) { return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(s); }

static bool fits(json_t *o)
{
	static const char *const keys[] = {"url", "region", "credentials_file", "ca_file", NULL};
	const char *key;
	json_t *v;

	if (!json_is_object(o) || !json_is_string(json_object_get(o, "url")))
		return false;
	json_object_foreach(o, key, v) {
		const char *text = json_string_value(v);

		if (!is_one_of(key, keys) || fn_str_empty(text) || (fn_streq(key, "url") && fn_s3_endpoint_check(text) < 0) || (fn_streq(key, "region") && !is_region(text)))
			return false;
	}
	return true;
}

bool fnd_endpoints_fit(json_t *o)
{
	static const char *const services[] = {"sqs", "sns", "events", "s3", NULL};
	const char *service;
	json_t *v;

	if (!json_is_object(o))
		return false;
	json_object_foreach(o, service, v)
		if (!is_one_of(service, services) || !fits(v))
			return false;
	return true;
}

int fnd_endpoints_place(json_t *o, const char *file)
{
	const char *service, *key, *slash = strrchr(file, '/');
	json_t *v, *path;
	void *next;

	if (!slash)
		return 0;
	json_object_foreach(o, service, v)
		json_object_foreach_safe(v, next, key, path)
			if (fn_str_ends(key, "_file") && json_string_value(path)[0] != '/' &&
			    json_object_set_new(v, key, json_sprintf("%.*s/%s", (int)(slash - file), file, json_string_value(path))) < 0)
				return -ENOMEM;
	return 0;
}

int fnd_endpoints_resolve(json_t *o, struct fn_err *err)
{
	const char *service;
	json_t *v;

	json_object_foreach(o, service, v) {
		const char *file = json_string_value(json_object_get(v, "credentials_file"));
		const char *ca = json_string_value(json_object_get(v, "ca_file"));
		json_t *keys;
		int r = file ? fnd_credentials_file(file, "events.endpoints", &keys, err) : 0;

		if (r < 0)
			return r;
		if (file)
			json_object_set_new(v, "credentials", keys);
		if (ca && access(ca, R_OK) < 0)
			return fn_err_set(err, errno, "events.endpoints", "%.120s", ca);
	}
	return 0;
}
