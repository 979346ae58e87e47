/* images.c - `fnctl images`: base images, and container images that are brought here. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fnctl.h"
#include "oci_archive.h"

#define IMPORT_S 3600

static void add_mb(json_t *rows, const char *from, const char *to)
{
	json_t *e;
	size_t i;

	json_array_foreach(rows, i, e)
		json_object_set_new(e, to, json_integer(json_integer_value(json_object_get(e, from)) >> 20));
}

static int base_images(bool rescan)
{
	static const struct column columns[] = {{"IMAGE", "Name"}, {"INSTALLED", "Installed"}, {"OWN MB", "Own"}, {"SHARED MB", "Shared"}, {"RUNTIMES", "Runtimes"}};
	json_t *list;
	struct reply r;
	int rc;

	if (rescan)
		rc = request(&r, "images", "POST", "/_fnd/images/rescan", NULL, NULL, 0, 600);
	else
		rc = request(&r, "images", "GET", "/_fnd/images", NULL, NULL, 0, 30);
	list = json_object_get(r.json, "Images");
	if (rc == EX_FINE && G.json) {
		print_json(r.json);
	} else if (rc == EX_FINE) {
		add_mb(list, "OwnBytes", "Own");
		add_mb(list, "SharedBytes", "Shared");
		print_table(list, columns, sizeof(columns) / sizeof(columns[0]));
	}
	reply_free(&r);
	return rc;
}

/* --- container images --- */
static int local_images(void)
{
	static const struct column columns[] = {{"NAME", "Name"}, {"LAYERS", "Layers"}, {"MB", "MB"}, {"DIGEST", "Digest"}};
	struct reply r;
	int rc = request(&r, "images local", "GET", "/_fnd/images/local", NULL, NULL, 0, 30);

	if (rc == EX_FINE && G.json) {
		print_json(r.json);
	} else if (rc == EX_FINE) {
		add_mb(json_object_get(r.json, "Images"), "Bytes", "MB");
		print_table(json_object_get(r.json, "Images"), columns, sizeof(columns) / sizeof(columns[0]));
	}
	reply_free(&r);
	return rc;
}

static int forget(const char *name)
{
	char path[2048] = "/_fnd/images/local";
	struct reply r;
	int rc;

	if (!add_segment(path, sizeof(path), name))
		return usage_error("images", "the name is too long");
	rc = request(&r, "images forget", "DELETE", path, NULL, NULL, 0, 60);
	reply_free(&r);
	return rc;
}

static void show(const struct reply *r)
{
	if (G.json)
		print_json(r->json);
	else
		printf("%s  sha256:%s  %lld layers, %lld MB\n", json_string_value(json_object_get(r->json, "Name")), json_string_value(json_object_get(r->json, "Digest")),
		       (long long)json_integer_value(json_object_get(r->json, "Layers")), (long long)json_integer_value(json_object_get(r->json, "Bytes")) >> 20);
}

static int ask_import(struct reply *r, json_t *body)
{
	fn_auto_free char *text = json_dumps(body, JSON_COMPACT);

	return request(r, "images import", "POST", "/_fnd/images/import", NULL, text, text ? strlen(text) : 0, IMPORT_S);
}

static int send_layers(struct oci_archive *a, json_t *missing)
{
	const char *const headers[] = {"Content-Type: application/octet-stream", NULL};
	json_t *l;
	size_t i;
	int rc = EX_FINE;

	json_array_foreach(missing, i, l) {
		const char *sha256 = json_string_value(l);
		struct oci_blob blob;
		struct reply r;
		char path[160];

		if (!oci_archive_blob(a, sha256, &blob)) {
			fprintf(stderr, "fnctl: images import: the layer sha256:%s is not in the archive\n", sha256);
			return EX_BAD_USE;
		}
		snprintf(path, sizeof(path), "/_fnd/images/layers/%s", sha256);
		rc = request(&r, "images import", "PUT", path, headers, blob.data, blob.len, IMPORT_S);
		reply_free(&r);
		if (rc != EX_FINE)
			return rc;
	}
	return rc;
}

/* A file's name without directories and what is behind the first dot; which of its images is the tag. */
static void name_of_file(const struct oci_archive *a, char *name, size_t size)
{
	const char *path = oci_archive_path(a), *slash = strrchr(path, '/'), *ref = oci_archive_ref(a);

	snprintf(name, size, "%.*s%s%s", (int)strcspn(slash ? slash + 1 : path, "."), slash ? slash + 1 : path, ref ? ":" : "", ref ? ref : "");
}

static int import_archive(const char *path, const char *as)
{
	struct oci_archive *a = oci_archive_open(path);
	fn_auto_buf struct fn_buf manifest = {0};
	struct oci_blob config;
	json_t *body;
	char name[512];
	struct reply r = {0};
	int rc = EX_BAD_USE;

	if (!a)
		return EX_BAD_USE;
	if (oci_archive_image(a, &manifest, &config, name, sizeof(name))) {
		if (!*name)
			name_of_file(a, name, sizeof(name));
		body = json_pack("{ss,ss%,ss%}", "Name", as ? as : name, "Manifest", manifest.data, manifest.len, "Config", config.data, config.len);
		rc = body ? ask_import(&r, body) : EX_BAD_USE;
		if (!body)
			fprintf(stderr, "fnctl: images import: %s: its manifest or configuration is no text\n", path);
		for (int round = 0; rc == EX_FINE && json_object_get(r.json, "Missing") && round < 3; round++) {
			rc = send_layers(a, json_object_get(r.json, "Missing"));
			reply_free(&r);
			r = (struct reply){0};
			if (rc == EX_FINE)
				rc = ask_import(&r, body);
		}
		json_decref(body);
		if (rc == EX_FINE && json_object_get(r.json, "Missing")) {
			fprintf(stderr, "fnctl: images import: layers that were sent have gone again\n");
			rc = EX_API;
		}
		if (rc == EX_FINE)
			show(&r);
		reply_free(&r);
	}
	oci_archive_close(a);
	return rc;
}

static bool is_archive(const char *what)
{
	return access(what, F_OK) == 0 || fn_str_starts(what, "oci:") || fn_str_starts(what, "oci-archive:") || fn_str_starts(what, "docker-archive:");
}

/* Does it look like one of a file? */
static bool is_path(const char *what) { return strchr("./~", *what) || fn_str_ends(what, ".tar") || fn_str_ends(what, ".gz") || fn_str_ends(what, ".tgz"); }

static int import(const char *what, const char *as)
{
	json_t *body;
	struct reply r;
	int rc;

	if (is_archive(what))
		return import_archive(what, as);
	if (fn_str_starts(what, "docker://"))
		what += strlen("docker://");
	body = json_pack("{ss,ss}", "Name", as ? as : what, "Reference", what);
	rc = ask_import(&r, body);
	json_decref(body);
	if (rc == EX_FINE)
		show(&r);
	else if (is_path(what))
		fprintf(stderr, "There is no file %s, so it was taken for the name of an image.\n", what);
	reply_free(&r);
	return rc;
}

/* An image of the layout of AWS's base images as the runtime of that name; "none": no longer. */
int runtime_of_image(const char *command, const char *name, const char *reference)
{
	bool none = fn_streq(reference, "none");
	json_t *body = none ? NULL : json_pack("{ss}", "Image", reference);
	fn_auto_free char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	char path[1024] = "/_fnd/runtimes";
	struct reply r;
	int rc;

	json_decref(body);
	if (!add_segment(path, sizeof(path) - strlen("/image"), name))
		return usage_error(command, "the runtime's name is too long");
	strcat(path, "/image");
	rc = request(&r, command, none ? "DELETE" : "PUT", path, NULL, text, text ? strlen(text) : 0, IMPORT_S);
	if (rc == EX_FINE && G.json)
		print_json(r.json);
	reply_free(&r);
	return rc;
}

int cmd_images(int argc, char **argv)
{
	static const struct option options[] = {{"as", required_argument, NULL, 'a'}, GLOBAL_OPTIONS};
	const char *as = NULL, *verb, *what;
	int c, rc;

	while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
		if (c == 'a')
			as = optarg;
		else if ((rc = other_option(argv, c)) != EX_FINE)
			return rc;
	}
	verb = optind < argc ? argv[optind] : "";
	what = optind + 1 < argc ? argv[optind + 1] : NULL;
	if (as && !fn_streq(verb, "import"))
		return usage_error(argv[0], "--as is for import");
	if (optind == argc || (fn_streq(verb, "rescan") && !what))
		return base_images(optind < argc);
	if (fn_streq(verb, "local") && !what)
		return local_images();
	if (what && optind + 2 == argc && fn_streq(verb, "import"))
		return import(what, as);
	if (what && optind + 2 == argc && fn_streq(verb, "forget"))
		return forget(what);
	if (!what && (fn_streq(verb, "import") || fn_streq(verb, "forget") || fn_streq(verb, "runtime")))
		return usage_error(argv[0], "%s wants %s", verb, fn_streq(verb, "import") ? "a file or the name of an image" : fn_streq(verb, "forget") ? "the name of an image" : "the names of a runtime and an image");
	if (what && optind + 3 == argc && fn_streq(verb, "runtime"))
		return runtime_of_image("images runtime", what, argv[optind + 2]);
	return usage_error(argv[0], "what is \"%s\"? (rescan, local, import FILE|REFERENCE [--as NAME], forget NAME, runtime NAME REFERENCE|none)", argv[argc - 1]);
}
