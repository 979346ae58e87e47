/* runtimes.c - see runtimes.h. */
#include "image/runtimes.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "image/digest.h"
#include "web/json_file.h"

#define FOREIGN_MAX 64

struct fn_runtimes {
	char *state_dir;
	struct fn_runtime *items;
	struct fn_runtime foreign[FOREIGN_MAX]; /* container images: images/oci-<name>.json */
	size_t n_foreign;
	size_t n;
	uint64_t generation;
};

static char **string_array(json_t *a)
{
	char **v = calloc(json_array_size(a) + 1, sizeof(*v));
	size_t i;
	json_t *e;

	if (!v)
		return NULL;
	json_array_foreach(a, i, e)
		if (!json_is_string(e) || !(v[i] = strdup(json_string_value(e)))) {
			fn_strs_free(v);
			return NULL;
		}
	return v;
}

static char **env_list(json_t *o)
{
	char **v = calloc(json_object_size(o) + 1, sizeof(*v));
	const char *k;
	json_t *e;
	size_t n = 0;

	if (!v)
		return NULL;
	json_object_foreach(o, k, e)
		if (!json_is_string(e) || asprintf(&v[n++], "%s=%s", k, json_string_value(e)) < 0) {
			fn_strs_free(v);
			return NULL;
		}
	return v;
}

/* "2025-12-15" in days since 1970; 0 = no date. */
static int date_days(const char *text)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%d", &tm);

	return end && !*end ? (int)(timegm(&tm) / 86400) : 0;
}

int fn_runtime_deprecated_days(const struct fn_runtime *r, uint64_t real_us)
{
	int days = r->deprecated ? (int)(real_us / 1000000 / 86400) - date_days(r->deprecated) : -1;

	return days < 0 ? -1 : days;
}

const char *fn_runtime_missing(const struct fn_runtime *r, char *buf, size_t size)
{
	if (r->import_only)
		snprintf(buf, size, "Runtime %s is not installed on this host, and no recipe makes its image: `fnctl runtime add %s --image REFERENCE` makes it of a container image in the layout of AWS's.",
			 r->name, r->name);
	else
		snprintf(buf, size, "Runtime %s is not installed on this host: `make images IMAGES=%s` builds its image, `fnctl runtime add %s` installs it.", r->name,
			 r->image, r->name);
	return buf;
}

static int parse_one(struct fn_runtime *r, const char *name, json_t *o, const char *file, struct fn_err *err)
{
	static const char *const known[] = {"image", "exec", "handler_required", "execution_env", "version", "env", "prestart_unless",
					    "prestart_by_memory", "snapshot_hooks", "class_archive", "restore", "deprecated", "import_only"};
	const char *key;
	json_t *v;

	static const char *const truths[] = {"handler_required", "execution_env", "prestart_by_memory", "snapshot_hooks", "class_archive", "import_only"};

	if (!json_is_object(o))
		return fn_err_set(err, EINVAL, "runtimes", "%s: %s must be an object", file, name);
	for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++)
		if ((v = json_object_get(o, truths[i])) && !json_is_boolean(v))
			return fn_err_set(err, EINVAL, "runtimes", "%s: %s: \"%s\" must be true or false", file, name, truths[i]);
	json_object_foreach(o, key, v) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i], key) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0]))
			return fn_err_set(err, EINVAL, "runtimes", "%s: %s: unknown key \"%s\"", file, name, key);
	}
	if (!json_is_string(json_object_get(o, "image")) || !json_is_array(json_object_get(o, "exec")) ||
	    json_array_size(json_object_get(o, "exec")) == 0)
		return fn_err_set(err, EINVAL, "runtimes", "%s: %s needs \"image\" and a non-empty \"exec\"", file, name);
	r->name = strdup(name);
	r->image = strdup(json_string_value(json_object_get(o, "image")));
	v = json_object_get(o, "version");
	if (v && !json_is_string(v))
		return fn_err_set(err, EINVAL, "runtimes", "%s: %s: \"version\" must be a string", file, name);
	r->version = strdup(json_is_string(v) ? json_string_value(v) : name);
	r->exec_candidates = string_array(json_object_get(o, "exec"));
	v = json_object_get(o, "env");
	r->env = !v || json_is_object(v) ? env_list(v) : NULL;
	r->prestart_by_memory = json_is_true(json_object_get(o, "prestart_by_memory"));
	r->snapshot_hooks = json_is_true(json_object_get(o, "snapshot_hooks"));
	r->class_archive = json_is_true(json_object_get(o, "class_archive"));
	v = json_object_get(o, "prestart_unless");
	r->prestart_unless = v ? string_array(v) : NULL;
	if (v && (!json_is_array(v) || !r->prestart_unless))
		return fn_err_set(err, EINVAL, "runtimes", "%s: %s: \"prestart_unless\" must be an array of strings", file, name);
	v = json_object_get(o, "restore");
	r->restore = v ? string_array(v) : NULL;
	if (v && (!json_is_array(v) || json_array_size(v) == 0 || !r->restore))
		return fn_err_set(err, EINVAL, "runtimes", "%s: %s: \"restore\" must be a non-empty array of strings", file, name);
	v = json_object_get(o, "deprecated");
	if (v && !(json_is_string(v) && date_days(json_string_value(v)) > 0 && (r->deprecated = strdup(json_string_value(v)))))
		return fn_err_set(err, EINVAL, "runtimes", "%s: %s: \"deprecated\" must be a date, \"2025-12-15\"", file, name);
	r->import_only = json_is_true(json_object_get(o, "import_only"));
	r->handler_required = !json_is_false(json_object_get(o, "handler_required"));
	r->execution_env = !json_is_false(json_object_get(o, "execution_env"));
	if (!r->name || !r->image || !r->version || !r->exec_candidates || !r->env)
		return fn_err_set(err, EINVAL, "runtimes", "%s: %s: \"exec\" and \"env\" hold strings only", file, name);
	return 0;
}

const char *fn_runtime_prestart_obstacle(const struct fn_runtime *r, const struct fn_env_var *env, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (char **p = r->prestart_unless; p && *p; p++)
			if (fn_str_starts(env[i].name, *p))
				return env[i].name;
	return NULL;
}

/* With nothing of images. On failure what there is of it is the caller's all the same. */
static int parse(struct fn_runtimes *r, const char *config_file, struct fn_err *err)
{
	json_t *root, *o;
	const char *name;
	int rc = fn_json_file_object(config_file, -EBADF, "runtimes", &root, err);

	if (rc < 0)
		return rc;
	r->items = calloc(json_object_size(root) + 1, sizeof(*r->items));
	if (!r->items)
		rc = fn_err_set(err, ENOMEM, "runtimes", NULL);
	else
		json_object_foreach(root, name, o) {
			rc = parse_one(&r->items[r->n++], name, o, config_file, err);
			if (rc < 0)
				break;
		}
	json_decref(root);
	return rc;
}

int fn_runtimes_check(const char *config_file, struct fn_err *err)
{
	struct fn_runtimes *r = calloc(1, sizeof(*r));
	int rc = r ? parse(r, config_file, err) : fn_err_set(err, ENOMEM, "runtimes", NULL);

	fn_runtimes_free(r);
	return rc;
}

int fn_runtimes_load(const char *config_file, const char *state_dir, struct fn_runtimes **ret, struct fn_err *err)
{
	struct fn_runtimes *r = calloc(1, sizeof(*r));
	int rc;

	if (!r || !(r->state_dir = strdup(state_dir))) {
		free(r);
		return fn_err_set(err, ENOMEM, "runtimes", NULL);
	}
	rc = parse(r, config_file, err);
	if (rc == 0)
		rc = fn_runtimes_rescan(r, err);
	if (rc < 0) {
		fn_runtimes_free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

static void clear_layers(struct fn_runtime *r)
{
	for (unsigned i = 0; i < r->n_layers; i++)
		free(r->layers[i]);
	r->n_layers = 0;
	r->installed = false;
	fn_set_string(&r->about.version, NULL);
	fn_set_string(&r->about.source, NULL);
	fn_set_string(&r->about.note, NULL);
}

static void name_version(struct fn_runtime *r)
{
	fn_auto_buf struct fn_buf b = {0};

	(void)fn_buf_addf(&b, "%s\n%s\n", r->name, r->version);
	for (unsigned i = 0; i < r->n_layers; i++)
		(void)fn_buf_addf(&b, "%s\n", r->layers[i]);
	fn_sha256_hex(b.data, b.len, r->version_id);
}

const char *fn_runtime_version_arn(const struct fn_runtime *r, const char *region, char *buf, size_t size)
{
	snprintf(buf, size, "arn:aws:lambda:%s::runtime:%s", region, r->version_id);
	return buf;
}

/* What a manifest says of the image. Layers that are not all there: not installed. */
static int load_manifest(struct fn_runtimes *rs, struct fn_runtime *r, const char *path, struct fn_err *err)
{
	char tree[PATH_MAX + 100];
	json_t *m, *layers, *l, *about;
	json_error_t je;
	size_t i;

	clear_layers(r);
	if (access(path, F_OK) < 0)
		return 0;
	m = json_load_file(path, 0, &je);
	layers = json_object_get(m, "layers");
	if (!json_is_array(layers) || json_array_size(layers) == 0 || json_array_size(layers) > FN_IMAGE_LAYERS_MAX) {
		json_decref(m);
		return fn_err_set(err, EINVAL, "runtimes", "%s: no usable \"layers\"", path);
	}
	r->installed = true;
	about = json_object_get(m, "about");
	fn_set_string(&r->about.version, json_string_value(json_object_get(about, "version")));
	fn_set_string(&r->about.source, json_string_value(json_object_get(about, "source")));
	fn_set_string(&r->about.note, json_string_value(json_object_get(about, "note")));
	r->size = json_integer_value(json_object_get(m, "size"));
	json_array_foreach(layers, i, l) {
		const char *name = json_string_value(l);

		if (!name || strlen(name) != (r->foreign ? 69u : 68u) || !fn_str_starts(name, r->foreign ? "root-" : "img-")) {
			json_decref(m);
			clear_layers(r);
			return fn_err_set(err, EINVAL, "runtimes", "%s: layer %zu is no \"img-<sha256>\"", path, i);
		}
		snprintf(tree, sizeof(tree), "%s/roots/%s", rs->state_dir, name);
		if (access(tree, F_OK) < 0)
			r->installed = false; /* its tree is not unpacked (yet) */
		r->layers[r->n_layers++] = strdup(name);
	}
	json_decref(m);
	return 0;
}

bool fn_runtime_is_kept(const char *file, const char *image)
{
	size_t n = strlen(image), begin = strlen(".kept-");

	return fn_str_starts(file, ".kept-") && strncmp(file + begin, image, n) == 0 && file[begin + n] == '-' && strspn(file + begin + n + 1, "0123456789abcdef") == 16 &&
	       strcmp(file + begin + n + 1 + 16, ".json") == 0;
}

/* Images that were there before, whose trees still are. */
static void load_kept(struct fn_runtimes *rs, struct fn_runtime *r)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/images", rs->state_dir);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		struct fn_runtime *more = fn_runtime_is_kept(e->d_name, r->image) ? realloc(r->kept, (r->n_kept + 1) * sizeof(*more)) : NULL;
		struct fn_err ignored;

		if (!more)
			continue;
		r->kept = more;
		more += r->n_kept;
		*more = *r;
		more->kept = NULL;
		more->n_kept = more->n_layers = 0;
		more->about.version = more->about.source = more->about.note = NULL;
		snprintf(path, sizeof(path), "%s/images/%s", rs->state_dir, e->d_name);
		more->file = strdup(path);
		if (load_manifest(rs, more, path, &ignored) == 0 && more->installed && more->file) {
			name_version(more);
			r->n_kept++;
		} else {
			clear_layers(more);
			free(more->file);
		}
	}
	if (dir)
		closedir(dir);
}

static void clear_kept(struct fn_runtime *r)
{
	for (size_t i = 0; i < r->n_kept; i++) {
		clear_layers(&r->kept[i]);
		free(r->kept[i].file);
	}
	free(r->kept);
	r->kept = NULL;
	r->n_kept = 0;
}

/* But for its place. */
static void clear(struct fn_runtime *r)
{
	clear_kept(r);
	clear_layers(r);
	free(r->name);
	free(r->image);
	free(r->version);
	free(r->deprecated);
	fn_strs_free(r->exec_candidates);
	fn_strs_free(r->env);
	fn_strs_free(r->prestart_unless);
	fn_strs_free(r->restore);
}

/* --- container images --- */
static int load_foreign_one(struct fn_runtimes *rs, const char *file, struct fn_err *err)
{
	struct fn_runtime *r = &rs->foreign[rs->n_foreign];
	char path[PATH_MAX], name[128];
	json_t *m, *o;
	int rc;

	snprintf(path, sizeof(path), "%s/images/%s", rs->state_dir, file);
	snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen("oci-.json")), file + strlen("oci-"));
	m = json_load_file(path, 0, NULL);
	o = json_object_get(m, "runtime");
	*r = (struct fn_runtime){.foreign = true};
	rc = o ? parse_one(r, name, o, path, err) : fn_err_set(err, EINVAL, "runtimes", "%s: no \"runtime\"", path);
	if (rc == 0)
		rc = load_manifest(rs, r, path, err);
	json_decref(m);
	if (rc < 0) {
		clear(r);
		return rc;
	}
	name_version(r);
	rs->n_foreign++;
	return 0;
}

static int is_foreign(const struct dirent *e) { return fn_str_starts(e->d_name, "oci-") && fn_str_ends(e->d_name, ".json") && strlen(e->d_name) > strlen("oci-.json"); }

/* Anew: what there was may have another image by now, or none. */
static int load_foreign(struct fn_runtimes *rs, struct fn_err *err)
{
	struct dirent **entries;
	char path[PATH_MAX];
	int n, rc = 0;

	for (size_t i = 0; i < rs->n_foreign; i++)
		clear(&rs->foreign[i]);
	rs->n_foreign = 0;
	snprintf(path, sizeof(path), "%s/images", rs->state_dir);
	n = scandir(path, &entries, is_foreign, alphasort);
	for (int i = 0; i < n; i++) {
		if (rc == 0 && rs->n_foreign < FOREIGN_MAX)
			rc = load_foreign_one(rs, entries[i]->d_name, err);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return rc;
}

int fn_runtimes_rescan(struct fn_runtimes *r, struct fn_err *err)
{
	char path[PATH_MAX];

	r->generation++;
	for (size_t i = 0; i < r->n; i++) {
		int rc;

		snprintf(path, sizeof(path), "%s/images/%s.json", r->state_dir, r->items[i].image);
		clear_kept(&r->items[i]);
		rc = load_manifest(r, &r->items[i], path, err);
		name_version(&r->items[i]);
		if (rc < 0)
			return rc;
		load_kept(r, &r->items[i]);
	}
	return load_foreign(r, err);
}

static const struct fn_runtime *find_foreign(const struct fn_runtimes *r, const char *name)
{
	for (size_t i = 0; i < r->n_foreign; i++)
		if (fn_streq(r->foreign[i].name, name))
			return &r->foreign[i];
	return NULL;
}

uint64_t fn_runtimes_generation(const struct fn_runtimes *r) { return r->generation; }

const struct fn_runtime *fn_runtime_by_version(const struct fn_runtime *r, const char *version_id)
{
	if (r->installed && fn_streq(r->version_id, version_id))
		return r;
	for (size_t i = 0; i < r->n_kept; i++)
		if (fn_streq(r->kept[i].version_id, version_id))
			return &r->kept[i];
	return NULL;
}

static const struct fn_runtime *find_item(const struct fn_runtimes *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (fn_streq(r->items[i].name, name))
			return &r->items[i];
	return NULL;
}

const struct fn_runtime *fn_runtimes_find(const struct fn_runtimes *r, const char *name)
{
	const struct fn_runtime *foreign = find_foreign(r, name);

	return foreign ? foreign : find_item(r, name);
}

/* One of a container image has no versions but the newest; what was to stay with one of the base image of its name stays. */
static const struct fn_runtime *stays_with(const struct fn_runtimes *r, const struct fn_runtime *rt, const char *version_id)
{
	const struct fn_runtime *found = fn_runtime_by_version(rt, version_id), *item = rt->foreign && !found ? find_item(r, rt->name) : NULL;

	if (item)
		found = fn_runtime_by_version(item, version_id);
	return found || !rt->foreign ? found : rt;
}

const struct fn_runtime *fn_runtimes_of(const struct fn_runtimes *r, const struct fn_function *f)
{
	static char name[] = "image", *nothing[] = {NULL};
	static const struct fn_runtime image = {.name = name, .image = name, .version = name, .exec_candidates = nothing, .env = nothing, .installed = true};

	const struct fn_runtime *rt = f->image ? &image : f->runtime ? fn_runtimes_find(r, f->runtime) : NULL;

	return rt && f->runtime_version && !f->image ? stays_with(r, rt, f->runtime_version) : rt;
}

char *fn_runtimes_installed(const struct fn_runtimes *r)
{
	struct fn_buf b = {0};

	for (size_t i = 0; i < fn_runtimes_count(r); i++)
		if (fn_runtimes_at(r, i)->installed)
			(void)fn_buf_addf(&b, "%s%s", b.len ? ", " : "", fn_runtimes_at(r, i)->name);
	if (b.len == 0)
		(void)fn_buf_add_str(&b, "none");
	return fn_buf_take(&b, NULL);
}

/* Those that have an entry, then the others. */
static const struct fn_runtime *nth(const struct fn_runtimes *r, size_t i, size_t *ret_n)
{
	size_t n = r->n;

	if (i < n)
		return fn_runtimes_find(r, r->items[i].name);
	for (size_t k = 0; k < r->n_foreign; k++) {
		bool listed = false;

		for (size_t j = 0; j < r->n; j++)
			listed |= fn_streq(r->items[j].name, r->foreign[k].name);
		if (!listed && n++ == i)
			return &r->foreign[k];
	}
	*ret_n = n;
	return NULL;
}

size_t fn_runtimes_count(const struct fn_runtimes *r)
{
	size_t n = 0;

	(void)nth(r, SIZE_MAX, &n);
	return n;
}

const struct fn_runtime *fn_runtimes_at(const struct fn_runtimes *r, size_t i) { return nth(r, i, &i); }

void fn_runtimes_free(struct fn_runtimes *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		clear(&r->items[i]);
	for (size_t i = 0; i < r->n_foreign; i++)
		clear(&r->foreign[i]);
	free(r->items);
	free(r->state_dir);
	free(r);
}
