/* oci_archive.c - see oci_archive.h. What is in the files is looked at as far as it must be to find the parts: fnd judges them. */
#include "oci_archive.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/sigv4.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/str.h"
#include "image/oci.h"

#define BLOCK 512u

struct part {
	struct oci_blob blob;
	char *link; /* a symbolic link's target */
};

struct oci_archive {
	char *path;
	char *ref; /* which of its images; NULL: it has one */
	char *map; /* a tar's */
	size_t len;
	struct fn_map *parts;   /* name -> struct part: of a tar all, of a directory those that were asked for */
	struct fn_map *layers;  /* digest -> struct part, of what docker lists by other names; borrowed */
};

static bool bad(const struct oci_archive *a, const char *what)
{
	fprintf(stderr, "fnctl: images import: %s: %s\n", a->path, what);
	return false;
}

/* --- parts --- */
static struct part *add_part(struct oci_archive *a, const char *name, const char *data, size_t len, const char *link)
{
	struct part *p = calloc(1, sizeof(*p)), *old = NULL;

	while (fn_str_starts(name, "./"))
		name += 2;
	if (!p || fn_map_set(a->parts, name, p, (void **)&old) < 0) {
		free(p);
		return NULL;
	}
	if (old)
		free(old->link);
	free(old);
	*p = (struct part){{data, len}, fn_strdup_opt(link)};
	return p;
}

static bool map_file(const char *path, char **ret, size_t *ret_len)
{
	fn_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	*ret_len = (size_t)st.st_size;
	*ret = st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : "";
	return *ret != MAP_FAILED;
}

static struct part *find(struct oci_archive *a, const char *name)
{
	struct part *p = fn_map_get(a->parts, name);
	char path[PATH_MAX], *data;
	size_t len;

	if (p && p->link) { /* docker's way to have a layer once: ../ID/layer.tar */
		const char *slash = strrchr(name, '/'), *target = p->link;
		bool up = fn_str_starts(target, "../");

		if (fn_str_format(path, sizeof(path), "%.*s%s", up || !slash ? 0 : (int)(slash - name + 1), name, up ? target + 3 : target) < 0)
			return NULL;
		p = fn_map_get(a->parts, path);
		return p && !p->link ? p : NULL;
	}
	if (p || a->map)
		return p;
	if (strstr(name, "..") || fn_str_format(path, sizeof(path), "%s/%s", a->path, name) < 0 || !map_file(path, &data, &len))
		return NULL;
	return add_part(a, name, data, len, NULL);
}

/* --- tar: POSIX ustar and pax, GNU's long names --- */
static uint64_t number(const char *field, size_t size)
{
	uint64_t n = 0;

	if ((unsigned char)field[0] & 0x80) { /* GNU: in base 256 */
		for (size_t i = size - 8; i < size; i++)
			n = n << 8 | (unsigned char)field[i];
		return n;
	}
	for (size_t i = 0; i < size && field[i]; i++)
		if (field[i] >= '0' && field[i] <= '7')
			n = n << 3 | (uint64_t)(field[i] - '0');
	return n;
}

/* "LENGTH KEY=VALUE\n" each. */
static void take_pax(const char *data, size_t len, char *name, size_t name_size, uint64_t *size)
{
	const char *end = data + len;

	while (data < end) {
		char *key;
		unsigned long n = strtoul(data, &key, 10);

		if (n == 0 || n > (size_t)(end - data) || *key != ' ' || data[n - 1] != '\n')
			return;
		key++;
		if (strncmp(key, "path=", 5) == 0)
			snprintf(name, name_size, "%.*s", (int)(data + n - 1 - key - 5), key + 5);
		else if (strncmp(key, "size=", 5) == 0)
			*size = strtoull(key + 5, NULL, 10);
		data += n;
	}
}

static bool read_tar(struct oci_archive *a)
{
	char name[PATH_MAX] = "", link[PATH_MAX];
	uint64_t pax_size = UINT64_MAX;

	for (size_t at = 0; at + BLOCK <= a->len && a->map[at];) {
		const char *h = a->map + at, *data = h + BLOCK;
		uint64_t size = pax_size != UINT64_MAX ? pax_size : number(h + 124, 12);

		if (memcmp(h + 257, "ustar", 5) != 0)
			return bad(a, "it is no tar; a compressed one is to be decompressed first");
		if (size > a->len - at - BLOCK)
			return bad(a, "the tar is cut short");
		if (h[156] == 'L') {
			snprintf(name, sizeof(name), "%.*s", (int)size, data);
		} else if (h[156] == 'x') {
			take_pax(data, size, name, sizeof(name), &pax_size);
		} else if (h[156] != 'g' && h[156] != 'K') {
			if (!*name)
				snprintf(name, sizeof(name), "%.155s%s%.100s", h + 345, h[345] ? "/" : "", h);
			snprintf(link, sizeof(link), "%.100s", h + 157);
			if (h[156] == '0' || h[156] == '\0' || h[156] == '2')
				(void)add_part(a, name, data, size, h[156] == '2' ? link : NULL);
			*name = '\0';
			pax_size = UINT64_MAX;
		}
		at += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
	}
	return fn_map_count(a->parts) > 0 || bad(a, "it is no tar, or empty");
}

/* PATH:NAME, as skopeo has it, where there is a file PATH and none of the whole name. */
static void split_off_ref(struct oci_archive *a)
{
	for (char *colon = strchr(a->path, ':'); colon && !a->ref && access(a->path, F_OK) < 0; colon = strchr(colon + 1, ':')) {
		*colon = '\0';
		if (access(a->path, F_OK) == 0)
			a->ref = colon + 1; /* of the same memory */
		else
			*colon = ':';
	}
}

const char *oci_archive_path(const struct oci_archive *a) { return a->path; }
const char *oci_archive_ref(const struct oci_archive *a) { return a->ref; }

struct oci_archive *oci_archive_open(const char *path)
{
	static const char *const prefixes[] = {"oci-archive:", "docker-archive:", "oci:"};
	struct oci_archive *a = calloc(1, sizeof(*a));
	bool prefixed = false;
	struct stat st;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]) && !prefixed; i++)
		if ((prefixed = fn_str_starts(path, prefixes[i])))
			path += strlen(prefixes[i]);
	if (!a || !(a->path = strdup(path)) || fn_map_new(&a->parts) < 0 || fn_map_new(&a->layers) < 0)
		abort();
	if (prefixed)
		split_off_ref(a);
	path = a->path;
	if (stat(path, &st) < 0 || (!S_ISDIR(st.st_mode) && !map_file(path, &a->map, &a->len)))
		(void)bad(a, strerror(errno));
	else if (S_ISDIR(st.st_mode) || read_tar(a))
		return a;
	oci_archive_close(a);
	return NULL;
}

void oci_archive_close(struct oci_archive *a)
{
	struct part *p;
	size_t it = 0;

	while (a->parts && (p = fn_map_next(a->parts, &it))) {
		if (!a->map && p->blob.len > 0)
			(void)munmap((void *)p->blob.data, p->blob.len);
		free(p->link);
		free(p);
	}
	if (a->map && a->len > 0)
		(void)munmap(a->map, a->len);
	fn_map_free(a->parts);
	fn_map_free(a->layers);
	free(a->path);
	free(a);
}

bool oci_archive_blob(struct oci_archive *a, const char *sha256, struct oci_blob *ret)
{
	struct part *p = fn_map_get(a->layers, sha256);
	char name[96];

	snprintf(name, sizeof(name), "blobs/sha256/%s", sha256);
	if (!p)
		p = find(a, name);
	if (p)
		*ret = p->blob;
	return p != NULL;
}

/* --- which of several images --- */
struct choice {
	struct fn_buf names; /* for who has to choose */
	unsigned n;          /* different ones */
	json_t *chosen;      /* borrowed; NULL: none has the name that was asked for */
};

static void add_choice(struct choice *c, const char *name, bool another)
{
	(void)fn_buf_addf(&c->names, "%s%s", c->names.len > 0 ? ", " : "", name ? name : "one without a name");
	c->n += another;
}

/* Frees it. */
static bool is_chosen(const struct oci_archive *a, struct choice *c)
{
	fn_auto_buf struct fn_buf names = c->names, words = {0};

	if (a->ref && !c->chosen)
		(void)fn_buf_addf(&words, "it has no image %s, but %s", a->ref, names.len > 0 ? names.data : "one without a name");
	else if (!a->ref && c->n > 1)
		(void)fn_buf_addf(&words, "it has several images (%s): say which, as oci:, oci-archive: or docker-archive:PATH:NAME", names.data);
	return words.len == 0 || bad(a, words.data);
}

/* --- what docker save lists --- */
/* docker.io/library/a:1 is a:1, for some. */
static const char *short_name(const char *name)
{
	static const char *const usual[] = {"docker.io/", "library/"};

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (fn_str_starts(name, usual[i]))
			name += strlen(usual[i]);
	return name;
}

/* Which of the images; *ret_tag: of its names the one that was asked for, or the first. NULL: said on stderr. */
static json_t *of_docker(const struct oci_archive *a, json_t *list, const char **ret_tag)
{
	struct choice c = {0};
	json_t *image, *tag;
	size_t i, k;

	json_array_foreach(list, i, image) {
		json_t *tags = json_object_get(image, "RepoTags");

		add_choice(&c, json_string_value(json_array_get(tags, 0)), true);
		json_array_foreach(tags, k, tag)
			if (a->ref && !c.chosen && json_is_string(tag) && fn_streq(short_name(json_string_value(tag)), short_name(a->ref))) {
				c.chosen = image;
				*ret_tag = json_string_value(tag);
			}
	}
	if (!a->ref) {
		c.chosen = json_array_get(list, 0);
		*ret_tag = json_string_value(json_array_get(json_object_get(c.chosen, "RepoTags"), 0));
	}
	image = c.chosen;
	return is_chosen(a, &c) ? image : NULL;
}

static const char *docker_type(const struct oci_blob *b)
{
	bool gzip = b->len > 2 && (unsigned char)b->data[0] == 0x1f && (unsigned char)b->data[1] == 0x8b;

	return gzip ? "application/vnd.docker.image.rootfs.diff.tar.gzip" : "application/vnd.docker.image.rootfs.diff.tar";
}

static json_t *descriptor(const char *type, const struct oci_blob *b, char sha256[65])
{
	char digest[80];

	fn_sigv4_sha256(b->data, b->len, sha256);
	snprintf(digest, sizeof(digest), "sha256:%s", sha256);
	return json_pack("{ss,sI,ss}", "mediaType", type, "size", (json_int_t)b->len, "digest", digest);
}

static bool from_docker(struct oci_archive *a, json_t *list, struct fn_buf *manifest, struct oci_blob *config, char *name, size_t name_size)
{
	const char *tag = NULL;
	json_t *image = of_docker(a, list, &tag), *layers = json_array(), *o, *l;
	const char *config_name = json_string_value(json_object_get(image, "Config"));
	struct part *p = config_name ? find(a, config_name) : NULL;
	char sha256[65], *text;
	size_t i;

	if (!image && json_array_size(list) > 0)
		return false;
	if (!p)
		return bad(a, "its manifest.json names no configuration that is there");
	*config = p->blob;
	if (tag)
		snprintf(name, name_size, "%s", tag);
	json_array_foreach(json_object_get(image, "Layers"), i, l) {
		p = json_string_value(l) ? find(a, json_string_value(l)) : NULL;
		if (!p)
			return bad(a, "its manifest.json names a layer that is not there");
		json_array_append_new(layers, descriptor(docker_type(&p->blob), &p->blob, sha256));
		(void)fn_map_set(a->layers, sha256, p, NULL);
	}
	o = json_pack("{si,ss,so,so}", "schemaVersion", 2, "mediaType", "application/vnd.docker.distribution.manifest.v2+json", "config",
		      descriptor("application/vnd.docker.container.image.v1+json", config, sha256), "layers", layers);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	i = fn_buf_add_str(manifest, text) == 0;
	free(text);
	return i;
}

/* --- an OCI layout --- */
static const char *noted(json_t *entry, const char *key) { return json_string_value(json_object_get(json_object_get(entry, "annotations"), key)); }
static const char *whole_name(json_t *entry) { return noted(entry, "io.containerd.image.name"); }
static const char *ref_name(json_t *entry) { return noted(entry, "org.opencontainers.image.ref.name"); }

/* One image may have several names, and a manifest for each platform: those with another name and another digest than the first are other images. */
static bool of_layout(const struct oci_archive *a, json_t *manifests, struct choice *c)
{
	json_t *e, *first = NULL;
	size_t i;

	json_array_foreach(manifests, i, e) {
		const char *ref = ref_name(e), *whole = whole_name(e), *name = whole ? whole : ref;

		if (!name)
			continue;
		if (!first)
			first = e;
		add_choice(c, name, e == first || (!fn_streq(ref, ref_name(first)) &&
						   !fn_streq(json_string_value(json_object_get(e, "digest")), json_string_value(json_object_get(first, "digest")))));
		if (a->ref && !c->chosen && (fn_streq(ref, a->ref) || (whole && fn_streq(short_name(whole), short_name(a->ref)))))
			c->chosen = e;
	}
	return is_chosen(a, c);
}

/* The index's text, with nothing in it but the image that was asked for; its name. */
static bool choose_of_layout(const struct oci_archive *a, const struct oci_blob *index, struct fn_buf *ret, char *name, size_t size)
{
	fn_auto_free char *text = NULL;
	struct choice c = {0};
	json_t *o = json_loadb(index->data, index->len, 0, NULL), *manifests = json_object_get(o, "manifests"), *one;
	bool ok = of_layout(a, manifests, &c);

	one = c.chosen ? c.chosen : json_array_get(manifests, 0);
	if (ok && whole_name(one))
		snprintf(name, size, "%s", whole_name(one));
	else if (ok && ref_name(one) && strpbrk(ref_name(one), ":/"))
		snprintf(name, size, "%s", ref_name(one));
	if (ok && c.chosen) {
		json_t *list = json_array();

		json_array_append(list, c.chosen);
		json_object_set_new(o, "manifests", list);
		text = json_dumps(o, JSON_COMPACT);
	}
	ok = ok && (text ? fn_buf_add_str(ret, text) : fn_buf_add(ret, index->data, index->len)) == 0;
	json_decref(o);
	return ok;
}

static bool from_layout(struct oci_archive *a, const struct oci_blob *index, struct fn_buf *manifest, struct oci_blob *config, char *name, size_t name_size)
{
	fn_auto_buf struct fn_buf chosen = {0};
	struct oci_blob at;
	struct fn_oci_manifest m;
	struct fn_err err;
	bool ok;

	if (!choose_of_layout(a, index, &chosen, name, name_size))
		return false;
	at = (struct oci_blob){chosen.data, chosen.len};
	for (unsigned indexes = 0; indexes <= FN_OCI_INDEXES_MAX; indexes++) {
		if (fn_oci_manifest_parse(at.data, at.len, fn_oci_architecture(), &m, &err) < 0)
			return bad(a, err.msg);
		if (!m.index) {
			ok = oci_archive_blob(a, m.config.sha256, config) || bad(a, "its configuration is not there");
			fn_oci_manifest_clear(&m);
			return ok && fn_buf_add(manifest, at.data, at.len) == 0;
		}
		ok = oci_archive_blob(a, m.chosen.sha256, &at);
		fn_oci_manifest_clear(&m);
		if (!ok)
			return bad(a, "a manifest that its index names is not there");
	}
	(void)fn_oci_too_many_indexes(&err);
	return bad(a, err.msg);
}

bool oci_archive_image(struct oci_archive *a, struct fn_buf *manifest, struct oci_blob *config, char *name, size_t name_size)
{
	struct part *index = find(a, "index.json"), *list = find(a, "manifest.json");
	json_t *o;
	bool ok;

	*name = '\0';
	if (index && find(a, "oci-layout"))
		return from_layout(a, &index->blob, manifest, config, name, name_size);
	o = list ? json_loadb(list->blob.data, list->blob.len, 0, NULL) : NULL;
	ok = o ? from_docker(a, o, manifest, config, name, name_size) : bad(a, "neither an OCI layout (oci-layout, index.json) nor what docker saves (manifest.json)");
	json_decref(o);
	return ok;
}
