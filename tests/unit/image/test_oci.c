/* Names of images, manifests, configurations, challenges: what is taken, and what is refused with which words. */
#include "image/oci.h"
#include "image/registry.h"
#include "unit/main.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/digest.h"

#define E "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define ROOTFS(ids) "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" ids "]}"
#define D "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct fn_err err;

START_TEST(names)
{
	static const struct {
		const char *text, *registry, *repository, *tag, *sha256, *name;
	} good[] = {
		{"hello", "docker.io", "library/hello", "latest", "", "hello:latest"},
		{"hello:1.0-x_y", "docker.io", "library/hello", "1.0-x_y", "", "hello:1.0-x_y"},
		{"team/app", "docker.io", "team/app", "latest", "", "team/app:latest"},
		{"localhost/x", "localhost", "x", "latest", "", "localhost/x:latest"},
		{"127.0.0.1:5000/a/b/c:v", "127.0.0.1:5000", "a/b/c", "v", "", "127.0.0.1:5000/a/b/c:v"},
		{"r.example/x@sha256:" D, "r.example", "x", "", D, "r.example/x@sha256:" D},
		{"r.example/x:t@sha256:" D, "r.example", "x", "t", D, "r.example/x:t@sha256:" D},
		{"[::1]:5000/x", "[::1]:5000", "x", "latest", "", "[::1]:5000/x:latest"},
		{"docker.io/library/a", "docker.io", "library/a", "latest", "", "a:latest"},
	};
	static const char *const bad[] = {"", "/", "a/", "/a", "a//b", "A", "a:", "a:-x", "a:x/y", "a@", "a@sha256:" , "a@sha512:" D, "a@sha256:0" D, "a b", "../x", "r.example/../x", "r.example/.x", "r.example:port/x",
					  "r.example:123456/x", "r.ex ample/x", "a\n", "x?y", "x%2f", "r.example/x@sha256:" D "@sha256:" D};
	struct fn_oci_ref ref;
	char name[700];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(fn_oci_ref_parse(good[i].text, &ref) == 0, "%s", good[i].text);
		ck_assert_str_eq(ref.registry, good[i].registry);
		ck_assert_str_eq(ref.repository, good[i].repository);
		ck_assert_str_eq(ref.tag, good[i].tag);
		ck_assert_str_eq(ref.sha256, good[i].sha256);
		ck_assert_str_eq(fn_oci_ref_name(&ref, name, sizeof(name)), good[i].name);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(fn_oci_ref_parse(bad[i], &ref) == -EINVAL, "%s", bad[i]);
	ck_assert_int_eq(fn_oci_ref_base("r.example:5000/a/b:tag@sha256:" D, name, sizeof(name)), 0);
	ck_assert_str_eq(name, "r.example:5000/a/b");
	ck_assert_int_eq(fn_oci_ref_base("r.example:5000/a", name, sizeof(name)), 0);
	ck_assert_str_eq(name, "r.example:5000/a");
}
END_TEST

#define LAYER(type) "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" D "\",\"size\":7}"
#define CONFIG "{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:" D "\",\"size\":3}"
#define TAR "application/vnd.oci.image.layer.v1.tar"

static int parse(const char *text, struct fn_oci_manifest *m) { return fn_oci_manifest_parse(text, strlen(text), "amd64", m, &err); }

START_TEST(manifests)
{
	struct fn_oci_manifest m;

	ck_assert_int_eq(parse("{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER(TAR "+gzip") "," LAYER(TAR "+zstd") "," LAYER("application/vnd.docker.image.rootfs.diff.tar.gzip") "]}", &m), 0);
	ck_assert(!m.index);
	ck_assert_uint_eq(m.n_layers, 3);
	ck_assert_int_eq(m.layers[2].size, 7);
	ck_assert_int_eq(m.config.size, 3);
	fn_oci_manifest_clear(&m);
	ck_assert_int_eq(parse("{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:f" "\"},{\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\"},\"digest\":\"\",\"size\":1},"
			       "{\"platform\":{\"architecture\":\"amd64\",\"os\":\"windows\"},\"digest\":\"\",\"size\":1}]}", &m), -EINVAL); /* the first is for everybody, and no descriptor */
	ck_assert_int_eq(parse("{\"schemaVersion\":2,\"manifests\":[{\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\"},\"digest\":\"\",\"size\":1},"
			       "{\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"},\"digest\":\"sha256:" D "\",\"size\":9}]}", &m), 0);
	ck_assert(m.index);
	ck_assert_int_eq(m.chosen.size, 9);
	fn_oci_manifest_clear(&m);
}
END_TEST

/* By size, of what an index has: the architecture's first variant, then the least; one without a platform last. */
START_TEST(variants)
{
#define FOR(architecture, variant, size) "{\"platform\":{\"architecture\":\"" architecture "\",\"os\":\"linux\"" variant "},\"digest\":\"sha256:" D "\",\"size\":" size "}"
#define V(n) ",\"variant\":\"" n "\""
#define ANY "{\"digest\":\"sha256:" D "\",\"size\":99}"
	static const struct {
		const char *architecture, *list;
		int64_t size;
	} cases[] = {
		{"amd64", FOR("amd64", V("v4"), "4") "," FOR("amd64", "", "1") "," FOR("amd64", V("v1"), "2"), 1}, {"amd64", FOR("amd64", V("v3"), "3") "," FOR("amd64", V("v1"), "1"), 1},
		{"amd64", FOR("amd64", V("v3"), "3") "," FOR("amd64", V("v2"), "2") "," FOR("amd64", V("v4"), "4"), 2}, {"amd64", FOR("arm64", V("v8"), "8") "," FOR("amd64", V("odd"), "5"), 5},
		{"arm64", FOR("arm64", V("v9"), "9") "," FOR("arm64", V("v8"), "8") "," FOR("amd64", "", "1"), 8}, {"amd64", ANY "," FOR("amd64", V("v2"), "2"), 2}, {"arm64", FOR("amd64", "", "1") "," ANY, 99},
	};
	struct fn_oci_manifest m;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[2048];
		int n = snprintf(text, sizeof(text), "{\"schemaVersion\":2,\"manifests\":[%s]}", cases[i].list);

		ck_assert_int_eq(fn_oci_manifest_parse(text, (size_t)n, cases[i].architecture, &m, &err), 0);
		ck_assert_int_eq(m.chosen.size, cases[i].size);
		fn_oci_manifest_clear(&m);
	}
}
END_TEST

START_TEST(no_manifests)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"", "none of OCI's"}, {"[]", "none of OCI's"}, {"{}", "none of OCI's"}, {"{\"schemaVersion\":1}", "none of OCI's"}, {"{\"schemaVersion\":2}", "names no configuration"},
		{"{\"schemaVersion\":2,\"manifests\":[]}", "no manifest for linux/amd64"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}", "has no layers"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":{}}", "has no layers"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[1]}", "media type"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER("text/plain") "]}", "\"text/plain\" is not supported"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[{\"mediaType\":\"" TAR "\",\"digest\":\"sha256:xx\",\"size\":1}]}", "no sha256 digest"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[{\"mediaType\":\"" TAR "\",\"digest\":\"sha256:" D "\",\"size\":-1}]}", "no size"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[{\"mediaType\":\"" TAR "\",\"digest\":\"sha256:" D "\",\"size\":1.5}]}", "no size"},
		{"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/x\",\"digest\":\"sha256:" D "\",\"size\":1},\"layers\":[]}", "no container image"},
	};
	struct fn_oci_manifest m;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(parse(bad[i].text, &m) == -EINVAL, "%s", bad[i].text);
		ck_assert_msg(strstr(err.msg, bad[i].why) != NULL, "%s: %s", bad[i].text, err.msg);
	}
}
END_TEST

START_TEST(an_image)
{
	struct fn_image_layer layers[2] = {{.sha256 = D, .size = 7}, {.sha256 = D, .size = 8}};
	struct fn_oci_manifest m = {.layers = layers, .n_layers = 2};
	char config[1024], other[FN_SHA256_HEX], *text;
	struct fn_image *i, *again;

	snprintf(config, sizeof(config), "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"Entrypoint\":[\"/a\",\"\"],\"Cmd\":null,\"Env\":[\"A=b\"],\"WorkingDir\":\"/w\",\"User\":\"1\",\"Labels\":{\"com.amazonaws.lambda.feature.snapstart\":\"Allow\"}}," ROOTFS("\"sha256:" D "\",\"sha256:" E "\"") "}", fn_oci_architecture());
	ck_assert_int_eq(fn_oci_image(D, &m, config, strlen(config), &i, &err), 0);
	ck_assert_str_eq(i->entrypoint[0], "/a");
	ck_assert_str_eq(i->entrypoint[1], "");
	ck_assert_ptr_null(i->entrypoint[2]);
	ck_assert_ptr_null(i->cmd);
	ck_assert_str_eq(i->env[0], "A=b");
	ck_assert_str_eq(i->workdir, "/w");
	ck_assert(i->snapstart);
	fn_sha256_hex(D D, 128, other);
	ck_assert_int_eq(strncmp(i->root, "root-", 5), 0);
	ck_assert_str_eq(i->root + 5, other);
	text = fn_image_encode(i);
	ck_assert_int_eq(fn_image_decode(text, &again), 0);
	ck_assert_str_eq(again->root, i->root);
	ck_assert_str_eq(again->sha256, D);
	ck_assert(again->snapstart);
	ck_assert_str_eq(again->entrypoint[0], "/a");
	ck_assert_ptr_null(again->cmd);
	ck_assert_int_eq(again->layers[1].size, 8);
	ck_assert_str_eq(again->layers[0].diff_id, D);
	ck_assert_str_eq(again->layers[1].diff_id, E);
	free(text);
	fn_image_unref(i);
	fn_image_unref(again);
	ck_assert_int_eq(fn_image_decode("{}", &again), -EBADMSG);
	ck_assert_int_eq(fn_image_decode("{\"sha256\":\"" D "\",\"root\":\"root-" D "\",\"layers\":[[\"" D "\",7]]}", &again), 0); /* an older one's */
	ck_assert_str_eq(again->layers[0].diff_id, "");
	ck_assert(!again->snapstart);
	fn_image_unref(again);
	for (const char *const *c = (const char *const[]){"{}", "{" ROOTFS("") "}", "{" ROOTFS("\"sha256:" D "\"") "}", "{" ROOTFS("\"sha256:" D "\",\"sha256:\"") "}", "{" ROOTFS("\"sha256:" D "\",7") "}",
							  "{" ROOTFS("\"sha256:" D "\",\"sha512:" D "\"") "}", "{" ROOTFS("\"sha256:" D "\",\"sha256:" D "\",\"sha256:" D "\"") "}", NULL}; *c; c++)
		ck_assert_msg(fn_oci_image(D, &m, *c, strlen(*c), &i, &err) == -EINVAL, "%s", *c);
	for (const char *const *c = (const char *const[]){"", "[]", "{\"config\":{\"Env\":[1]}}", "{\"config\":{\"Cmd\":\"x\"}}", "{\"architecture\":\"vax\",\"os\":\"linux\"}", "{\"os\":\"windows\"}", NULL}; *c; c++)
		ck_assert_msg(fn_oci_image(D, &m, *c, strlen(*c), &i, &err) == -EINVAL, "%s", *c);
}
END_TEST

START_TEST(challenges)
{
	static const char *const bad[] = {"", "Negotiate", "Bearer", "Bearer realm", "Bearer realm=\"x", "Bearer service=\"x\""};
	struct fn_registry_challenge c;

	ck_assert_int_eq(fn_registry_challenge_parse("Bearer realm=\"https://a/t?x=y\", service=\"s \\\"q\\\"\",scope=\"repository:a/b:pull,push\"", &c), 0);
	ck_assert(c.bearer);
	ck_assert_str_eq(c.realm, "https://a/t?x=y");
	ck_assert_str_eq(c.service, "s \"q\"");
	ck_assert_str_eq(c.scope, "repository:a/b:pull,push");
	ck_assert_int_eq(fn_registry_challenge_parse("bearer realm=https://a,service=s", &c), 0);
	ck_assert_str_eq(c.realm, "https://a");
	ck_assert_int_eq(fn_registry_challenge_parse("Basic realm=\"x\"", &c), 0);
	ck_assert(!c.bearer);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(fn_registry_challenge_parse(bad[i], &c) == -EINVAL, "%s", bad[i]);
}
END_TEST

TEST_MAIN("image/oci", names, manifests, variants, no_manifests, an_image, challenges)
