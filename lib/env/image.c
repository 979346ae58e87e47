/* image.c - see image.h. */
#include "env/image.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

#define BOOTSTRAP "/var/runtime/bootstrap"

static void free_json(json_t **o) { json_decref(*o); }

/* The image's list, or what ImageConfig has instead. */
static void add_list(struct fn_strings *to, char *const *image, json_t *config, const char *key)
{
	json_t *list = json_object_get(config, key), *e;
	size_t i;

	if (json_array_size(list) == 0) {
		for (char *const *p = image; p && *p; p++)
			fn_strings_add(to, "%s", *p);
		return;
	}
	json_array_foreach(list, i, e)
		fn_strings_add(to, "%s", json_string_value(e));
}

static json_t *config_of(const struct fn_function *f) { return f->image_config ? json_loads(f->image_config, 0, NULL) : NULL; }

/* The emulator, and its own options: with a value unless that is behind a '='. */
static size_t emulator_words(char *const *argv)
{
	const char *base = argv && argv[0] ? strrchr(argv[0], '/') : NULL;
	size_t n = 1;

	if (!argv || !argv[0] || !fn_streq(base ? base + 1 : argv[0], "aws-lambda-rie"))
		return 0;
	while (argv[n] && argv[n][0] == '-') {
		bool value = !strchr(argv[n], '=') && argv[n + 1] && argv[n + 1][0] != '-' && argv[n + 1][0] != '/';

		n += 1 + value;
	}
	return n;
}

static void add_words(const struct fn_function *f, json_t *config, struct fn_strings *argv)
{
	struct fn_strings all = {0};
	size_t skip;

	add_list(&all, f->image->entrypoint, config, "EntryPoint");
	add_list(&all, f->image->cmd, config, "Command");
	skip = emulator_words(all.v);
	for (size_t i = skip; i < all.n; i++)
		fn_strings_add(argv, "%s", all.v[i]);
	if (argv->n == 0)
		fn_strings_add(argv, BOOTSTRAP);
	argv->failed |= all.failed;
	fn_strs_free(all.v);
}

/* As execvp(3) looks for it. */
static void add_places(const char *word, const struct fn_strings *env, const char *cwd, struct fn_strings *exec)
{
	const char *path = "";

	if (strchr(word, '/')) {
		fn_strings_add(exec, "%s%s%s", *word == '/' ? "" : cwd, *word == '/' ? "" : "/", word);
		return;
	}
	for (size_t i = 0; i < env->n; i++)
		if (fn_str_starts(env->v[i], "PATH="))
			path = env->v[i] + strlen("PATH=");
	for (size_t len; *path; path += len + (path[len] == ':')) {
		len = strcspn(path, ":");
		if (*path == '/' && exec->n < 64)
			fn_strings_add(exec, "%.*s/%s", (int)len, path, word);
	}
	if (exec->n == 0)
		fn_strings_add(exec, "/%s", word);
}

void fn_image_command(const struct fn_function *f, const struct fn_strings *env, struct fn_strings *argv, struct fn_strings *exec, char cwd[FN_SPEC_CWD_SIZE])
{
	fn_auto(free_json) json_t *config = config_of(f);
	const char *given = json_string_value(json_object_get(config, "WorkingDirectory")), *dir = !fn_str_empty(given) ? given : f->image->workdir;

	add_words(f, config, argv);
	if (fn_str_empty(dir))
		dir = "/";
	(void)fn_str_format(cwd, FN_SPEC_CWD_SIZE, "%s%s", *dir == '/' ? "" : "/", dir);
	if (!argv->failed)
		add_places(argv->v[0], env, fn_streq(cwd, "/") ? "" : cwd, exec);
}

void fn_image_handler(struct fn_strings *env, const struct fn_function *f)
{
	fn_auto(free_json) json_t *config = config_of(f);
	struct fn_strings cmd = {0};

	add_list(&cmd, f->image->cmd, config, "Command");
	fn_variables_set(env, "_HANDLER", "%s", cmd.n > 0 ? cmd.v[0] : "");
	fn_strs_free(cmd.v);
}

const char *fn_env_image_entry(const struct fn_function *f, char *buf, size_t size)
{
	fn_auto(free_json) json_t *config = config_of(f);
	struct fn_strings argv = {0};

	add_words(f, config, &argv);
	snprintf(buf, size, "%.*s", (int)size - 1, argv.n > 0 ? argv.v[0] : "");
	fn_strs_free(argv.v);
	return buf;
}
