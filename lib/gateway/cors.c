/* cors.c - see cors.h. */
#include "gateway/cors.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

bool fn_gw_is_preflight(const struct fn_gw_asked *a) { return fn_streq(a->method, "OPTIONS") && a->origin && a->want_method; }

/* A star stands for any text, of at least one character, as in "*.example.org". */
static bool fits(const char *pattern, const char *origin)
{
	const char *star = strchr(pattern, '*');
	size_t head, tail;

	if (!star)
		return strcasecmp(pattern, origin) == 0;
	head = (size_t)(star - pattern);
	tail = strlen(star + 1);
	return strlen(origin) > head + tail && strncasecmp(pattern, origin, head) == 0 && strcasecmp(star + 1, origin + strlen(origin) - tail) == 0;
}

static bool has_any(json_t *list)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
		if (fn_streq(json_string_value(v), "*"))
			return true;
	return false;
}

static bool may_see(json_t *origins, const char *origin)
{
	json_t *v;
	size_t i;

	json_array_foreach(origins, i, v)
		if (json_is_string(v) && fits(json_string_value(v), origin))
			return true;
	return false;
}

static int add_list(struct fn_gw_result *to, const char *name, json_t *list)
{
	fn_auto_buf struct fn_buf b = {0};
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
		if (fn_buf_addf(&b, "%s%s", i ? "," : "", json_string_value(v) ? json_string_value(v) : "") < 0)
			return -1;
	return b.len ? fn_gw_result_add(to, name, b.data) : 0;
}

/* "*" where everything is meant and may be said; what was asked for where it may not. */
static int add_allowed(struct fn_gw_result *to, const char *name, json_t *list, bool credentials, const char *wanted)
{
	if (credentials && has_any(list))
		return wanted ? fn_gw_result_add(to, name, wanted) : 0;
	return add_list(to, name, list);
}

static int add_preflight(json_t *cors, const struct fn_gw_asked *a, bool credentials, struct fn_gw_result *to)
{
	json_t *age = json_object_get(cors, "MaxAge");
	char seconds[24];
	int r = add_allowed(to, "Access-Control-Allow-Methods", json_object_get(cors, "AllowMethods"), credentials, a->want_method);

	if (r == 0)
		r = add_allowed(to, "Access-Control-Allow-Headers", json_object_get(cors, "AllowHeaders"), credentials, a->want_headers);
	if (r == 0 && json_is_integer(age)) {
		snprintf(seconds, sizeof(seconds), "%lld", (long long)json_integer_value(age));
		r = fn_gw_result_add(to, "Access-Control-Max-Age", seconds);
	}
	return r;
}

int fn_gw_cors_apply(json_t *cors, const struct fn_gw_asked *a, struct fn_gw_result *to)
{
	json_t *origins = json_object_get(cors, "AllowOrigins");
	bool credentials = json_is_true(json_object_get(cors, "AllowCredentials")), anybody = has_any(origins) && !credentials;
	int r = 0;

	fn_gw_result_remove(to, "Access-Control-");
	if (!anybody && json_array_size(origins) > 0) /* another origin's answer is another one */
		r = fn_gw_result_add(to, "Vary", "Origin");
	if (r < 0 || !a->origin || !may_see(origins, a->origin))
		return r;
	r = fn_gw_result_add(to, "Access-Control-Allow-Origin", anybody ? "*" : a->origin);
	if (r == 0 && credentials)
		r = fn_gw_result_add(to, "Access-Control-Allow-Credentials", "true");
	if (r == 0 && fn_gw_is_preflight(a))
		return add_preflight(cors, a, credentials, to);
	return r == 0 ? add_allowed(to, "Access-Control-Expose-Headers", json_object_get(cors, "ExposeHeaders"), false, NULL) : r;
}
