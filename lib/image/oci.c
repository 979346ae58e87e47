/* oci.c - see oci.h. */
#include "image/oci.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/str.h"
#include "image/digest.h"

#define STRINGS_MAX 4096     /* of a list in a configuration */
#define STRINGS_BYTES 65536u /* of all of them */

/* --- names --- */
static bool repository_ok(const char *r)
{
	if (!*r || *r == '/' || r[strlen(r) - 1] == '/' || strstr(r, "//"))
		return false;
	for (const char *p = r; *p; p++)
		if (!(islower((unsigned char)*p) || isdigit((unsigned char)*p) || strchr("._-/", *p)))
			return false;
	for (const char *p = r; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
		if (!isalnum((unsigned char)*p)) /* no component is "..", none begins with a dot */
			return false;
	return true;
}

static bool registry_ok(const char *r)
{
	size_t n = strspn(r, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");

	if (*r == '[') /* an IPv6 address */
		n = 1 + strspn(r + 1, "0123456789abcdefABCDEF:.") + (strchr(r, ']') != NULL);
	if (n == 0 || (*r != '[' && !isalnum((unsigned char)*r)) || strstr(r, ".."))
		return false;
	return !r[n] || (r[n] == ':' && r[n + 1] && strlen(r + n + 1) <= 5 && strspn(r + n + 1, "0123456789") == strlen(r + n + 1));
}

static bool tag_ok(const char *t)
{
	if (!(isalnum((unsigned char)*t) || *t == '_') || strlen(t) > 128)
		return false;
	for (; *t; t++)
		if (!(isalnum((unsigned char)*t) || strchr("._-", *t)))
			return false;
	return true;
}

static bool sha256_ok(const char *t) { return t && strlen(t) == 64 && strspn(t, "0123456789abcdef") == 64; }

/* "sha256:<hex>", of a descriptor or a reference. */
static bool take_digest(const char *text, char ret[65])
{
	if (!text || strncmp(text, "sha256:", 7) != 0 || !sha256_ok(text + 7))
		return false;
	memcpy(ret, text + 7, 65);
	return true;
}

int fn_oci_ref_parse(const char *text, struct fn_oci_ref *ret)
{
	struct fn_oci_ref ref = {0};
	char name[512], *at, *colon, *slash, *repository = name;
	bool named;

	if (!text || fn_str_format(name, sizeof(name), "%s", text) < 0)
		return -EINVAL;
	at = strchr(name, '@');
	if (at) {
		*at = '\0';
		if (!take_digest(at + 1, ref.sha256))
			return -EINVAL;
	}
	slash = strchr(name, '/');
	named = slash && (memchr(name, '.', (size_t)(slash - name)) || memchr(name, ':', (size_t)(slash - name)) || strncmp(name, "localhost/", 10) == 0);
	if (named) {
		*slash = '\0';
		repository = slash + 1;
	}
	colon = strrchr(repository, ':');
	if (colon) {
		*colon = '\0';
		if (!tag_ok(colon + 1) || fn_str_format(ref.tag, sizeof(ref.tag), "%s", colon + 1) < 0)
			return -EINVAL;
	} else if (!at) {
		snprintf(ref.tag, sizeof(ref.tag), "latest");
	}
	if (fn_str_format(ref.registry, sizeof(ref.registry), "%s", named ? name : "docker.io") < 0 || !registry_ok(ref.registry) || !repository_ok(repository))
		return -EINVAL;
	if (fn_str_format(ref.repository, sizeof(ref.repository), "%s%s", fn_streq(ref.registry, "docker.io") && !strchr(repository, '/') ? "library/" : "",
			  repository) < 0)
		return -EINVAL;
	*ret = ref;
	return 0;
}

const char *fn_oci_ref_name(const struct fn_oci_ref *ref, char *buf, size_t size)
{
	bool docker = fn_streq(ref->registry, "docker.io");
	const char *repository = docker && fn_str_starts(ref->repository, "library/") ? ref->repository + strlen("library/") : ref->repository;

	snprintf(buf, size, "%s%s%s%s%s%s%s", docker ? "" : ref->registry, docker ? "" : "/", repository, ref->tag[0] ? ":" : "", ref->tag, ref->sha256[0] ? "@sha256:" : "",
		 ref->sha256);
	return buf;
}

int fn_oci_ref_base(const char *text, char *ret, size_t size)
{
	const char *at = strchr(text, '@'), *slash, *colon;
	size_t n = at ? (size_t)(at - text) : strlen(text);

	slash = memrchr(text, '/', n);
	colon = memrchr(text, ':', n);
	if (colon && (!slash || colon > slash))
		n = (size_t)(colon - text);
	return fn_str_format(ret, size, "%.*s", (int)n, text);
}

/* --- manifests --- */
const char *fn_oci_architecture(void)
{
	static struct utsname u;

	uname(&u);
	return fn_streq(u.machine, "x86_64") ? "amd64" : fn_streq(u.machine, "aarch64") ? "arm64" : u.machine;
}

static const char *text_of(json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static int bad(struct fn_err *err, const char *what) { return fn_err_set(err, EINVAL, "image", "%s", what); }

static bool take_descriptor(json_t *o, struct fn_oci_descriptor *ret)
{
	json_t *size = json_object_get(o, "size");

	if (!take_digest(text_of(o, "digest"), ret->sha256) || !json_is_integer(size) || json_integer_value(size) < 0)
		return false;
	ret->size = json_integer_value(size);
	return true;
}

#define NOT_FOR_HERE 10000u

/* Of a manifest in an index, for Linux here: the less, the surer it is to run. A variant above the architecture's first (amd64's v1, arm64's v8) wants more than every processor
 * has, and comes where there is none below it; one that says nothing of its platform, after those that do. */
static unsigned distance(json_t *platform, const char *architecture)
{
	const char *variant = text_of(platform, "variant");

	if (!platform)
		return 1000;
	if (!fn_streq(text_of(platform, "architecture"), architecture) || !fn_streq(text_of(platform, "os"), "linux"))
		return NOT_FOR_HERE;
	if (!*variant || fn_streq(variant, fn_streq(architecture, "arm64") ? "v8" : "v1"))
		return 0;
	return 1 + (*variant == 'v' ? (unsigned)(strtoul(variant + 1, NULL, 10) % 500) : 500);
}

/* The first of the nearest. BuildKit's archives have an index of one index. */
static int choose(json_t *list, const char *architecture, struct fn_oci_manifest *m, struct fn_err *err)
{
	unsigned least = NOT_FOR_HERE;
	json_t *e, *chosen = NULL;
	size_t i;

	json_array_foreach(list, i, e) {
		const char *type = text_of(e, "mediaType");
		unsigned d = distance(json_object_get(e, "platform"), architecture);

		if ((*type && !strstr(type, "manifest") && !strstr(type, "index")) || *text_of(json_object_get(e, "annotations"), "vnd.docker.reference.type"))
			continue; /* no image: what is attested of one */
		if (d < least) {
			least = d;
			chosen = e;
		}
	}
	if (chosen)
		return take_descriptor(chosen, &m->chosen) ? 0 : bad(err, "its index has a descriptor without a sha256 digest and a size");
	return fn_err_set(err, EINVAL, "image", "it has no manifest for linux/%s", architecture);
}

/* As far as fn-unpack can read them. */
static bool layer_type_ok(const char *type)
{
	static const char *const known[] = {"application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.layer.v1.tar+zstd",
					    "application/vnd.oci.image.layer.nondistributable.v1.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
					    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", "application/vnd.docker.image.rootfs.diff.tar",
					    "application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.docker.image.rootfs.diff.tar.zstd"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (fn_streq(type, known[i]))
			return true;
	return false;
}

static int take_layers(json_t *list, struct fn_oci_manifest *m, struct fn_err *err)
{
	size_t n = json_array_size(list);

	if (n == 0)
		return bad(err, "its manifest has no layers");
	if (n > FN_IMAGE_LAYERS_LIMIT)
		return fn_err_set(err, EINVAL, "image", "it has %zu layers; at most %d are taken", n, FN_IMAGE_LAYERS_LIMIT);
	m->layers = calloc(n, sizeof(*m->layers));
	if (!m->layers)
		return fn_err_set(err, ENOMEM, "image", NULL);
	for (; m->n_layers < n; m->n_layers++) {
		json_t *l = json_array_get(list, m->n_layers);
		struct fn_oci_descriptor d;

		if (!layer_type_ok(text_of(l, "mediaType")))
			return fn_err_set(err, EINVAL, "image", "layer media type \"%.100s\" is not supported", text_of(l, "mediaType"));
		if (!take_descriptor(l, &d))
			return bad(err, "a layer of its manifest has no sha256 digest, or no size");
		memcpy(m->layers[m->n_layers].sha256, d.sha256, sizeof(d.sha256));
		m->layers[m->n_layers].size = d.size;
	}
	return 0;
}

static int parse(json_t *o, const char *architecture, struct fn_oci_manifest *m, struct fn_err *err)
{
	json_t *config = json_object_get(o, "config");
	const char *type = text_of(config, "mediaType");

	if (!json_is_object(o) || json_integer_value(json_object_get(o, "schemaVersion")) != 2)
		return bad(err, "its manifest is none of OCI's, nor Docker's of version 2");
	if (json_is_array(json_object_get(o, "manifests"))) {
		m->index = true;
		return choose(json_object_get(o, "manifests"), architecture, m, err);
	}
	if (!take_descriptor(config, &m->config))
		return bad(err, "its manifest names no configuration");
	if (*type && !fn_streq(type, "application/vnd.oci.image.config.v1+json") && !fn_streq(type, "application/vnd.docker.container.image.v1+json"))
		return fn_err_set(err, EINVAL, "image", "it is no container image: its configuration is of the media type \"%.100s\"", type);
	return take_layers(json_object_get(o, "layers"), m, err);
}

int fn_oci_too_many_indexes(struct fn_err *err)
{
	return fn_err_set(err, EINVAL, "image", "to its manifest lead more than %u indexes, each in another", FN_OCI_INDEXES_MAX);
}

int fn_oci_manifest_parse(const char *text, size_t len, const char *architecture, struct fn_oci_manifest *ret, struct fn_err *err)
{
	struct fn_oci_manifest m = {0};
	json_t *o = len <= FN_OCI_TEXT_MAX ? json_loadb(text, len, 0, NULL) : NULL;
	int r = parse(o, architecture, &m, err);

	json_decref(o);
	if (r < 0) {
		fn_oci_manifest_clear(&m);
		return r;
	}
	*ret = m;
	return 0;
}

void fn_oci_manifest_clear(struct fn_oci_manifest *m)
{
	free(m->layers);
	*m = (struct fn_oci_manifest){0};
}

/* --- configurations --- */
static bool take_strings(json_t *list, char ***ret, size_t *bytes)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list)) /* null says nothing, too */
		return !list || json_is_null(list);
	if (n > STRINGS_MAX)
		return false;
	*ret = calloc(n + 1, sizeof(**ret));
	for (size_t i = 0; *ret && i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || (*bytes += strlen(text) + 1) > STRINGS_BYTES || !((*ret)[i] = strdup(text)))
			return false;
	}
	return *ret != NULL;
}

/* What its layers unpack to, of each one, in their order. */
static int take_diff_ids(json_t *rootfs, struct fn_image *i, struct fn_err *err)
{
	json_t *list = json_object_get(rootfs, "diff_ids");

	if (!json_is_array(list))
		return bad(err, "its configuration does not say what its layers are (rootfs.diff_ids)");
	if (json_array_size(list) != i->n_layers)
		return fn_err_set(err, EINVAL, "image", "its configuration is of %zu layers, its manifest of %zu", json_array_size(list), i->n_layers);
	for (size_t k = 0; k < i->n_layers; k++) {
		const char *text = json_string_value(json_array_get(list, k));

		if (!take_digest(text, i->layers[k].diff_id))
			return fn_err_set(err, EINVAL, "image", "\"%.80s\" in rootfs.diff_ids of its configuration is no sha256 digest", text ? text : "");
	}
	return 0;
}

/* The layers' digests, lowest first, are what the tree is made of. */
static void name_root(struct fn_image *i)
{
	struct sha256_ctx ctx;
	char sum[FN_SHA256_HEX];

	sha256_init(&ctx);
	for (size_t k = 0; k < i->n_layers; k++)
		sha256_update(&ctx, 64, (const uint8_t *)i->layers[k].sha256);
	fn_sha256_end(&ctx, sum);
	snprintf(i->root, sizeof(i->root), "root-%.64s", sum);
}

static int fill(json_t *o, struct fn_image *i, struct fn_err *err)
{
	json_t *config = json_object_get(o, "config");
	const char *workdir = text_of(config, "WorkingDir"), *os = text_of(o, "os"), *architecture = text_of(o, "architecture");
	size_t bytes = 0;

	if (!json_is_object(o))
		return bad(err, "its configuration is no JSON object");
	if ((*os && !fn_streq(os, "linux")) || (*architecture && !fn_streq(architecture, fn_oci_architecture())))
		return fn_err_set(err, EINVAL, "image", "it is for %.20s/%.20s, this machine is linux/%.20s", os, architecture, fn_oci_architecture());
	if (!take_strings(json_object_get(config, "Entrypoint"), &i->entrypoint, &bytes) || !take_strings(json_object_get(config, "Cmd"), &i->cmd, &bytes) ||
	    !take_strings(json_object_get(config, "Env"), &i->env, &bytes))
		return bad(err, "Entrypoint, Cmd or Env of its configuration is no list of texts, or has too many");
	if (*workdir && !(i->workdir = strdup(workdir)))
		return fn_err_set(err, ENOMEM, "image", NULL);
	i->snapstart = fn_streq(text_of(json_object_get(config, "Labels"), FN_IMAGE_SNAPSTART), "Allow");
	return take_diff_ids(json_object_get(o, "rootfs"), i, err);
}

int fn_oci_image(const char *sha256, const struct fn_oci_manifest *m, const char *config, size_t len, struct fn_image **ret, struct fn_err *err)
{
	json_t *o = len <= FN_OCI_TEXT_MAX ? json_loadb(config, len, 0, NULL) : NULL;
	struct fn_image *i = fn_image_new();
	int r = i && (i->layers = calloc(m->n_layers, sizeof(*i->layers))) ? 0 : fn_err_set(err, ENOMEM, "image", NULL);

	if (r == 0) {
		memcpy(i->layers, m->layers, m->n_layers * sizeof(*i->layers));
		i->n_layers = m->n_layers;
		r = fill(o, i, err);
	}

	json_decref(o);
	if (r < 0) {
		fn_image_unref(i);
		return r;
	}
	snprintf(i->sha256, sizeof(i->sha256), "%s", sha256);
	name_root(i);
	*ret = i;
	return 0;
}
