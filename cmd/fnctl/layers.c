/* layers.c - layer publish|import|list|get|delete, and what --layer means. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fnctl.h"

#define LAYERS "/2018-10-31/layers"

static void decref(json_t **j) { json_decref(*j); }

/* Splits NAME, NAME:N, arn:...:layer:NAME or that with :N; *ret_version is "" without a number. */
static bool split(const char *text, char *name, size_t size, const char **ret_version)
{
	bool arn = fn_str_starts(text, "arn:");
	const char *at = text;

	for (int i = 0; at && i < (arn ? 7 : 1); i++) {
		at = strchr(at, ':');
		at = at ? at + 1 : NULL;
	}
	*ret_version = at ? at : "";
	return fn_str_format(name, size, "%.*s", at ? (int)(at - text - 1) : (int)strlen(text), text) == 0 && name[0] && !strchr(*ret_version, ':');
}

/* GET or DELETE /2018-10-31/layers/NAME/versions/N; without a number the newest, of a list. */
static bool version_path(const char *text, char *path, size_t size, bool *ret_newest)
{
	const char *version;
	char name[512];

	snprintf(path, size, LAYERS);
	if (!split(text, name, sizeof(name), &version) || !add_segment(path, size, name) || !add_segment(path, size, "versions"))
		return false;
	*ret_newest = !*version;
	return *version ? add_segment(path, size, version) : add_query(path, size, "MaxItems", "1");
}

static int find_version(const char *operation, const char *text, struct reply *r)
{
	bool newest = false;
	char path[1024];
	json_t *first;
	int rc;

	*r = (struct reply){0};
	if (!version_path(text, path, sizeof(path), &newest))
		return usage_error("layer", "\"%s\" is no layer: NAME, NAME:VERSION or an ARN", text);
	rc = request_json(r, operation, "GET", path, NULL);
	if (rc != EX_FINE || !newest)
		return rc;
	first = json_incref(json_array_get(json_object_get(r->json, "LayerVersions"), 0));
	if (!first) {
		fprintf(stderr, "fnctl: %s: there is no layer %s; `fnctl layer list` shows those there are\n", operation, text);
		return EX_API;
	}
	json_decref(r->json);
	r->json = first;
	return EX_FINE;
}

/* A member that is a list, made when it is not there. */
static json_t *list_of(json_t *o, const char *key)
{
	if (!json_object_get(o, key))
		json_object_set_new(o, key, json_array());
	return json_object_get(o, key);
}

int layer_member(json_t *o, const char *command, const char *text)
{
	json_t *layers = list_of(o, "Layers");
	struct reply r = {0};
	int rc = EX_FINE;

	if (fn_streq(text, "none"))
		return EX_FINE;
	if (!fn_utf8_valid(text, strlen(text)))
		return usage_error(command, "--layer wants UTF-8 text");
	if (fn_str_starts(text, "arn:")) { /* whatever it is, the answer is the service's */
		json_array_append_new(layers, json_string(text));
		return EX_FINE;
	}
	rc = find_version(command, text, &r);
	if (rc == EX_FINE)
		json_array_append(layers, json_object_get(r.json, "LayerVersionArn"));
	reply_free(&r);
	return rc;
}

static void print_version(json_t *v)
{
	static const struct {
		const char *title, *key;
	} members[] = {{"ARN", "LayerVersionArn"}, {"Description", "Description"}, {"License", "LicenseInfo"}, {"Created", "CreatedDate"}};
	json_t *content = json_object_get(v, "Content"), *e;
	size_t i;

	if (G.json) {
		print_json(v);
		return;
	}
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (!fn_str_empty(json_string_value(json_object_get(v, members[i].key))))
			printf("%-13s %s\n", members[i].title, json_string_value(json_object_get(v, members[i].key)));
	if (content)
		printf("%-13s %lld\n%-13s %s\n", "Bytes", (long long)json_integer_value(json_object_get(content, "CodeSize")), "SHA-256",
		       json_string_value(json_object_get(content, "CodeSha256")));
	json_array_foreach(json_object_get(v, "CompatibleRuntimes"), i, e)
		printf("%-13s %s\n", "For", json_string_value(e));
	json_array_foreach(json_object_get(v, "CompatibleArchitectures"), i, e)
		printf("%-13s %s\n", "For", json_string_value(e));
}

/* --- the verbs --- */
struct layer_args {
	const char *verb, *layer, *code;
	json_t *body;
};

static int list_member(json_t *o, const char *key, const char *option, const char *text)
{
	if (!fn_utf8_valid(text, strlen(text)))
		return usage_error("layer", "%s wants UTF-8 text", option);
	json_array_append_new(list_of(o, key), json_string(text));
	return EX_FINE;
}

static int parse(int argc, char **argv, struct layer_args *a)
{
	static const struct option options[] = {{"description", required_argument, NULL, 'd'}, {"license", required_argument, NULL, 'l'},
						{"compatible-runtime", required_argument, NULL, 'r'}, {"compatible-architecture", required_argument, NULL, 'a'},
						GLOBAL_OPTIONS};
	static const char *const verbs[] = {"publish", "import", "list", "get", "delete", NULL};
	int c, rc = EX_FINE;
	bool makes;

	while (rc == EX_FINE && (c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (c == 'd')
			rc = text_member(a->body, "Description", argv[0], "--description", optarg);
		else if (c == 'l')
			rc = text_member(a->body, "LicenseInfo", argv[0], "--license", optarg);
		else if (c == 'r')
			rc = list_member(a->body, "CompatibleRuntimes", "--compatible-runtime", optarg);
		else if (c == 'a')
			rc = list_member(a->body, "CompatibleArchitectures", "--compatible-architecture", optarg);
		else
			rc = other_option(argv, c);
	}
	if (rc == EX_FINE)
		rc = verb_argument(argc, argv, verbs, "publish, import, list, get or delete", &a->verb);
	if (rc != EX_FINE)
		return rc;
	makes = fn_streq(a->verb, "publish") || fn_streq(a->verb, "import");
	a->layer = optind < argc ? argv[optind++] : NULL;
	if (fn_str_empty(a->layer) && !fn_streq(a->verb, "list"))
		return usage_error(argv[0], "which layer?");
	if (makes)
		a->code = optind < argc ? argv[optind++] : NULL;
	if (makes && fn_str_empty(a->code))
		return usage_error(argv[0], "what is in it? (a directory or a zip file)");
	if (optind < argc)
		return usage_error(argv[0], "what is \"%s\"?", argv[optind]);
	if (!fn_streq(a->verb, "publish") && json_object_size(a->body) > 0)
		return usage_error(argv[0], "%s takes no such options", a->verb);
	return EX_FINE;
}

static int make(struct layer_args *a)
{
	bool import = fn_streq(a->verb, "import");
	json_t *content = json_object();
	char path[1024];
	struct reply r;
	bool fits;
	int rc;

	json_object_set_new(a->body, "Content", content);
	rc = package_member(content, a->code);
	if (rc != EX_FINE)
		return rc;
	snprintf(path, sizeof(path), import ? "/_fnd/layers" : LAYERS);
	fits = add_segment(path, sizeof(path), a->layer) && (import || add_segment(path, sizeof(path), "versions"));
	if (!fits)
		return usage_error("layer", "the layer's name is too long");
	rc = request_json(&r, import ? "layer import" : "layer publish", import ? "PUT" : "POST", path, a->body);
	if (rc == EX_FINE)
		print_version(r.json);
	if (rc == EX_FINE && !G.json)
		printf("\nGive it to a function: fnctl update NAME --layer %s\n", json_string_value(json_object_get(r.json, "LayerVersionArn")));
	reply_free(&r);
	return rc;
}

/* Of all there are, imported ones too; with a name, its versions alone. */
static int list(const struct layer_args *a)
{
	static const struct column columns[] = {{"LAYER", "LayerVersionArn"}, {"BYTES", "UnpackedSize"}, {"IMPORTED", "Imported"}, {"CREATED", "CreatedDate"}, {"FUNCTIONS", "Functions"}};
	fn_auto(decref) json_t *rows = json_array();
	struct reply r;
	json_t *v;
	size_t i;
	int rc = request_json(&r, "layer list", "GET", "/_fnd/layers", NULL);

	json_array_foreach(json_object_get(r.json, "Layers"), i, v) {
		const char *version, *arn = json_string_value(json_object_get(v, "LayerVersionArn"));
		char name[512];

		if (!a->layer || (split(arn, name, sizeof(name), &version) && (fn_streq(name, a->layer) || fn_streq(strrchr(name, ':') + 1, a->layer))))
			json_array_append(rows, v);
	}
	if (rc == EX_FINE && G.json) {
		fn_auto(decref) json_t *whole = json_pack("{sO}", "Layers", rows);

		print_json(whole);
	} else if (rc == EX_FINE && json_array_size(rows) == 0 && a->layer) {
		printf("There is no layer %s. `fnctl layer list` shows those there are.\n", a->layer);
	} else if (rc == EX_FINE && json_array_size(rows) == 0) {
		printf("No layers yet. Publish one: fnctl layer publish NAME DIR\n");
	} else if (rc == EX_FINE) {
		print_table(rows, columns, sizeof(columns) / sizeof(columns[0]));
	}
	reply_free(&r);
	return rc;
}

static int get(const struct layer_args *a)
{
	struct reply r;
	int rc = find_version("layer get", a->layer, &r);
	fn_auto_free char *newest = rc == EX_FINE && !json_object_get(r.json, "Content") ? fn_strdup_opt(json_string_value(json_object_get(r.json, "LayerVersionArn"))) : NULL;

	if (newest) { /* lists do not have all of it */
		reply_free(&r);
		rc = find_version("layer get", newest, &r);
	}
	if (rc == EX_FINE)
		print_version(r.json);
	reply_free(&r);
	return rc;
}

static int delete(const struct layer_args *a)
{
	bool newest = false;
	char path[1024];
	struct reply r;
	int rc;

	if (!version_path(a->layer, path, sizeof(path), &newest) || newest)
		return usage_error("layer", "which version? (NAME:VERSION or an ARN with one)");
	rc = request_json(&r, "layer delete", "DELETE", path, NULL);
	if (rc == EX_FINE && !G.json)
		printf("%s is deleted. Functions that have it keep it.\n", a->layer);
	reply_free(&r);
	return rc;
}

int cmd_layer(int argc, char **argv)
{
	struct layer_args a = {.body = json_object()};
	int rc = parse(argc, argv, &a);

	if (rc == EX_FINE)
		rc = fn_streq(a.verb, "list") ? list(&a) : fn_streq(a.verb, "get") ? get(&a) : fn_streq(a.verb, "delete") ? delete(&a) : make(&a);
	json_decref(a.body);
	return rc;
}
