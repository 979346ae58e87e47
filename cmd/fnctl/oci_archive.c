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

struct oci_archive *oci_archive_open(const char *path)
{
	static const char *const prefixes[] = {"oci-archive:", "docker-archive:", "oci:"};
	struct oci_archive *a = calloc(1, sizeof(*a));
	struct stat st;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (fn_str_starts(path, prefixes[i]))
			path += strlen(prefixes[i]);
	if (!a || !(a->path = strdup(path)) || fn_map_new(&a->parts) < 0 || fn_map_new(&a->layers) < 0)
		abort();
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

/* --- what docker save lists --- */
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
	json_t *image = json_array_get(list, 0), *layers = json_array(), *o, *l;
	const char *config_name = json_string_value(json_object_get(image, "Config")), *tag = json_string_value(json_array_get(json_object_get(image, "RepoTags"), 0));
	struct part *p = config_name ? find(a, config_name) : NULL;
	char sha256[65], *text;
	size_t i;

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
static void name_of_layout(const struct oci_blob *index, char *name, size_t size)
{
	json_t *o = json_loadb(index->data, index->len, 0, NULL), *notes = json_object_get(json_array_get(json_object_get(o, "manifests"), 0), "annotations");
	const char *whole = json_string_value(json_object_get(notes, "io.containerd.image.name")),
		   *ref = json_string_value(json_object_get(notes, "org.opencontainers.image.ref.name"));

	if (whole || (ref && strpbrk(ref, ":/")))
		snprintf(name, size, "%s", whole ? whole : ref);
	json_decref(o);
}

static bool from_layout(struct oci_archive *a, const struct oci_blob *index, struct fn_buf *manifest, struct oci_blob *config, char *name, size_t name_size)
{
	struct oci_blob at = *index;
	struct fn_oci_manifest m;
	struct fn_err err;
	bool ok;

	name_of_layout(index, name, name_size);
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
