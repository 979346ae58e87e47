#include "env/variables.h"

#include <stdlib.h>
#include <string.h>

#include "unit/main.h"

static struct fn_env_var own[] = {{(char *)"TZ", (char *)"Europe/Berlin"}, {(char *)"MINE", (char *)"a=b\nc"}, {(char *)"PWD", (char *)"/elsewhere"}, {(char *)"NODE_PATH", (char *)""}, {(char *)"SHLVL", (char *)"7"}};
static char *runtime_env[] = {(char *)"PWD=/var/task", (char *)"SHLVL=0", (char *)"NODE_PATH=/opt", (char *)"LANG=of the runtime", NULL};

static void clear(struct fn_strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct fn_strings){0};
}

/* Its value, which must be the only one; NULL = none. */
static const char *value(const struct fn_strings *s, const char *name)
{
	const char *found = NULL;

	for (size_t i = 0; i < s->n; i++)
		if (strncmp(s->v[i], name, strlen(name)) == 0 && s->v[i][strlen(name)] == '=') {
			ck_assert_msg(!found, "%s twice", name);
			found = s->v[i] + strlen(name) + 1;
		}
	return found;
}

static void make(struct fn_strings *s, struct fn_env_var *env, size_t n, bool json_log)
{
	struct fn_function f = {.name = (char *)"f", .version = (char *)"$LATEST", .handler = (char *)"a.b", .memory_mb = 128, .log_group = (char *)"/aws/lambda/f", .json_log = json_log, .env = env, .n_env = n};
	static const struct fn_credentials credentials = {.access_key_id = (char *)"ASIA", .secret_access_key = (char *)"secret"};
	struct fn_runtime rt = {.name = (char *)"nodejs22.x", .env = runtime_env, .execution_env = true};
	struct fn_variables e = {.function = &f, .runtime = &rt, .region = "eu-west-1", .log_stream = "stream", .initialization = "on-demand", .credentials = &credentials};

	fn_variables_make(&e, s);
	ck_assert(!s->failed);
	ck_assert_ptr_null(s->v[s->n]);
}

START_TEST(a_name_is_there_once_with_whose_value_it_is)
{
	struct fn_strings s = {0};

	make(&s, own, sizeof(own) / sizeof(own[0]), false);
	ck_assert_str_eq(value(&s, "TZ"), "Europe/Berlin");
	ck_assert_str_eq(value(&s, "MINE"), "a=b\nc");
	ck_assert_str_eq(value(&s, "PWD"), "/var/task");
	ck_assert_str_eq(value(&s, "NODE_PATH"), "");
	ck_assert_str_eq(value(&s, "SHLVL"), "7");
	ck_assert_str_eq(value(&s, "LANG"), "of the runtime");
	ck_assert_str_eq(value(&s, "AWS_EXECUTION_ENV"), "AWS_Lambda_nodejs22.x");
	ck_assert_str_eq(value(&s, "_HANDLER"), "a.b");
	ck_assert_str_eq(value(&s, "AWS_ACCESS_KEY_ID"), "ASIA");
	ck_assert_ptr_null(value(&s, "AWS_SESSION_TOKEN"));
	ck_assert_ptr_null(value(&s, "HOME"));
	ck_assert_ptr_null(value(&s, "AWS_LAMBDA_LOG_FORMAT"));
	clear(&s);
	make(&s, NULL, 0, true);
	ck_assert_str_eq(value(&s, "TZ"), ":UTC");
	ck_assert_str_eq(value(&s, "AWS_LAMBDA_LOG_LEVEL"), "INFO");
	clear(&s);
}
END_TEST

/* As many as 4 KB may hold. */
START_TEST(many_names)
{
	enum { N = 1000 };
	struct fn_env_var *env = calloc(N, sizeof(*env));
	struct fn_strings s = {0};
	char names[N][8];

	for (int i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "V%d", i);
		env[i].name = names[i];
		env[i].value = (char *)"";
	}
	make(&s, env, N, false);
	ck_assert_str_eq(value(&s, "V999"), "");
	clear(&s);
	free(env);
}
END_TEST

TEST_MAIN("env/variables", a_name_is_there_once_with_whose_value_it_is, many_names)
