/* image.c - see image.h. */
#include "env/image.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
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

static const char *working_directory(const struct fn_function *f, json_t *config)
{
	const char *given = json_string_value(json_object_get(config, "WorkingDirectory")), *dir = !fn_str_empty(given) ? given : f->image->workdir;

	return fn_str_empty(dir) ? "/" : dir;
}

static json_t *config_of(const struct fn_function *f) { return f->image_config ? json_loads(f->image_config, 0, NULL) : NULL; }

/* How many words of the beginning are the emulator's (github.com/aws/aws-lambda-runtime-interface-emulator, internal/lambda/rie/run.go): itself, and its options.
 * What it does not know itself it takes for the program to run. */
static size_t emulator_words(char *const *argv)
{
	static const struct {
		const char *name;
		bool value;
	} options[] = {{"--log-level", true}, {"--enable-init-caching", false}, {"--runtime-api-address", true}, {"--runtime-interface-emulator-address", true}};
	const char *base = argv && argv[0] ? strrchr(argv[0], '/') : NULL;
	size_t n = 1, i = 0;

	if (!argv || !argv[0] || !fn_streq(base ? base + 1 : argv[0], "aws-lambda-rie"))
		return 0;
	while (argv[n] && i < sizeof(options) / sizeof(*options)) {
		size_t len = strcspn(argv[n], "=");

		for (i = 0; i < sizeof(options) / sizeof(*options); i++)
			if (strlen(options[i].name) == len && strncmp(argv[n], options[i].name, len) == 0)
				break;
		if (i < sizeof(options) / sizeof(*options))
			n += 1 + (options[i].value && argv[n][len] == '\0' && argv[n + 1]);
	}
	return n + (argv[n] && fn_streq(argv[n], "--"));
}

/* Whether it is the emulator's to find a bootstrap. */
static bool add_words(const struct fn_function *f, json_t *config, struct fn_strings *argv)
{
	struct fn_strings all = {0};
	size_t skip;

	add_list(&all, f->image->entrypoint, config, "EntryPoint");
	add_list(&all, f->image->cmd, config, "Command");
	skip = emulator_words(all.v);
	for (size_t i = skip; i < all.n; i++)
		fn_strings_add(argv, "%s", all.v[i]);
	argv->failed |= all.failed;
	fn_strs_free(all.v);
	if (argv->n > 0)
		return false;
	fn_strings_add(argv, BOOTSTRAP);
	return skip > 0;
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
	const char *dir = working_directory(f, config);

	if (add_words(f, config, argv)) {
		fn_strings_add(exec, "/var/task/bootstrap");
		fn_strings_add(exec, "/opt/bootstrap");
	}
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

static void tell_list(struct fn_buf *out, const char *name, char *const *image, json_t *config, const char *key)
{
	struct fn_strings list = {0};

	add_list(&list, image, config, key);
	(void)fn_buf_addf(out, "%s: [", name);
	for (size_t i = 0; i < list.n; i++)
		(void)fn_buf_addf(out, "%s%s", i > 0 ? "," : "", list.v[i]);
	(void)fn_buf_add_str(out, "]\t");
	fn_strs_free(list.v);
}

const char *fn_env_image_told(const struct fn_function *f, char *buf, size_t size)
{
	fn_auto(free_json) json_t *config = config_of(f);
	fn_auto_buf struct fn_buf out = {0};

	tell_list(&out, "Entrypoint", f->image->entrypoint, config, "EntryPoint");
	tell_list(&out, "Cmd", f->image->cmd, config, "Command");
	(void)fn_buf_addf(&out, "WorkingDir: [%s]", working_directory(f, config));
	snprintf(buf, size, "%s", out.data ? out.data : "");
	return buf;
}
