/* variables.c - see variables.h. */
#include "env/variables.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "model/env.h"

/* Room for one more and the NULL; text: NULL = no memory. */
static void append(struct fn_strings *s, char *text)
{
	char **v = text ? realloc(s->v, (s->n + 2) * sizeof(*v)) : NULL;

	if (!v) {
		free(text);
		s->failed = true;
		return;
	}
	s->v = v;
	v[s->n++] = text;
	v[s->n] = NULL;
}

static char *format(const char *fmt, va_list ap)
{
	char *text;

	return vasprintf(&text, fmt, ap) < 0 ? NULL : text;
}

void fn_strings_add(struct fn_strings *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	append(s, format(fmt, ap));
	va_end(ap);
}

/* Of the first n. */
static char **find(const struct fn_strings *s, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(s->v[i], name, len) == 0 && s->v[i][len] == '=')
			return &s->v[i];
	return NULL;
}

void fn_variables_set(struct fn_strings *s, const char *name, const char *fmt, ...)
{
	char **there = find(s, s->n, name, strlen(name)), *value, *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	value = format(fmt, ap);
	va_end(ap);
	if (value && asprintf(&text, "%s=%s", name, value) < 0)
		text = NULL;
	free(value);
	if (!there) {
		append(s, text);
	} else if (text) {
		free(*there);
		*there = text;
	} else {
		s->failed = true;
	}
}

void fn_variables_common(struct fn_strings *s, const struct fn_runtime *rt)
{
	fn_variables_set(s, "AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
	fn_variables_set(s, "LAMBDA_TASK_ROOT", "/var/task");
	fn_variables_set(s, "LAMBDA_RUNTIME_DIR", "/var/runtime");
	fn_variables_set(s, "TZ", ":UTC");
	fn_variables_set(s, "AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR");
	fn_variables_set(s, "LANG", "en_US.UTF-8");
	fn_variables_set(s, "PATH", "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin");
	fn_variables_set(s, "LD_LIBRARY_PATH", "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib");
	for (char **e = rt->env; *e; e++) {
		char name[128];

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*e, "="), *e);
		fn_variables_set(s, name, "%s", strchr(*e, '=') + 1);
	}
	if (rt->execution_env)
		fn_variables_set(s, "AWS_EXECUTION_ENV", "AWS_Lambda_%s", rt->name);
}

/* What a container image says, and what its programs can expect besides. Names that Lambda reserves have its values, whatever ENV says: AWS's clients know of
 * LAMBDA_TASK_ROOT that no image can move it (aws-lambda-nodejs-runtime-interface-client, pull request 196). */
static void add_image(struct fn_strings *s, const struct fn_image *image)
{
	static const char *const usual[][2] = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, {"LANG", "en_US.UTF-8"}, {"TZ", ":UTC"}};

	for (char **e = image->env; e && *e; e++) {
		char name[FN_ENV_NAME_SIZE];
		const char *value = fn_env_of_image(*e, name);

		if (value)
			fn_variables_set(s, name, "%s", value);
	}
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (!find(s, s->n, usual[i][0], strlen(usual[i][0])))
			fn_variables_set(s, usual[i][0], "%s", usual[i][1]);
	fn_variables_set(s, "LAMBDA_TASK_ROOT", "/var/task");
	fn_variables_set(s, "LAMBDA_RUNTIME_DIR", "/var/runtime");
	fn_variables_set(s, "AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
	fn_variables_set(s, "AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR");
	fn_variables_set(s, "AWS_EXECUTION_ENV", "AWS_Lambda_Image");
}

/* A function's names differ from each other: each is looked for among the platform's only. */
static void add_own(struct fn_strings *s, const struct fn_function *f)
{
	size_t platform = s->n;

	for (size_t i = 0; i < f->n_env && !s->failed; i++) {
		const char *name = f->env[i].name;

		if (!find(s, platform, name, strlen(name)))
			fn_strings_add(s, "%s=%s", name, f->env[i].value);
		else if (fn_env_rule(name) == FN_ENV_FREE)
			fn_variables_set(s, name, "%s", f->env[i].value);
	}
}

/* Does this service stay at home for it? A role with credentials of AWS's reaches AWS, but for what its `endpoints` name. */
static bool at_home(const struct fn_variables *v, const char *service)
{
	if (!v->role)
		return true;
	for (char **e = v->role->endpoints; e && *e; e++)
		if (strcasecmp(*e, service) == 0)
			return true;
	return false;
}

/* What current SDKs look for (AWS SDKs and Tools Reference Guide, "Service-specific endpoints"). It goes before AWS_ENDPOINT_URL: a function that sets that
 * itself has none of these. */
static void add_endpoints(const struct fn_variables *v, struct fn_strings *s)
{
	char name[64];

	if (!v->platform)
		return;
	for (size_t i = 0; i < v->function->n_env; i++)
		if (fn_streq(v->function->env[i].name, "AWS_ENDPOINT_URL"))
			return;
	for (const char *const *p = v->platform->services; *p; p++) {
		snprintf(name, sizeof(name), "AWS_ENDPOINT_URL_%s", *p);
		if (at_home(v, *p))
			fn_variables_set(s, name, "http://%s", v->platform->address);
	}
}

void fn_variables_make(const struct fn_variables *v, struct fn_strings *s)
{
	const struct fn_function *f = v->function;

	if (f->image)
		add_image(s, f->image);
	else
		fn_variables_common(s, v->runtime);
	if (!f->image) /* an image's: image.h */
		fn_variables_set(s, "_HANDLER", "%s", f->handler ? f->handler : "");
	fn_variables_set(s, "AWS_REGION", "%s", v->region);
	fn_variables_set(s, "AWS_DEFAULT_REGION", "%s", v->region);
	fn_variables_set(s, "AWS_LAMBDA_FUNCTION_NAME", "%s", f->name);
	fn_variables_set(s, "AWS_LAMBDA_FUNCTION_VERSION", "%s", f->version);
	fn_variables_set(s, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "%d", f->memory_mb);
	fn_variables_set(s, "AWS_LAMBDA_INITIALIZATION_TYPE", "%s", v->initialization);
	fn_variables_set(s, "AWS_LAMBDA_LOG_GROUP_NAME", "%s", f->log_group);
	fn_variables_set(s, "AWS_LAMBDA_LOG_STREAM_NAME", "%s", v->log_stream);
	fn_variables_set(s, "AWS_ACCESS_KEY_ID", "%s", v->credentials->access_key_id);
	fn_variables_set(s, "AWS_SECRET_ACCESS_KEY", "%s", v->credentials->secret_access_key);
	if (v->credentials->session_token)
		fn_variables_set(s, "AWS_SESSION_TOKEN", "%s", v->credentials->session_token);
	add_endpoints(v, s);
	if (f->json_log) {
		fn_variables_set(s, "AWS_LAMBDA_LOG_FORMAT", "JSON");
		fn_variables_set(s, "AWS_LAMBDA_LOG_LEVEL", "%s", f->app_log_level ? f->app_log_level : "INFO");
	}
	add_own(s, f);
}
