/* versions.c - publish, versions, alias. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fnctl.h"

static void decref(json_t **j) { json_decref(*j); }

/* --- publish --- */
int cmd_publish(int argc, char **argv)
{
	static const struct option options[] = {
		{"description", required_argument, NULL, 'd'}, {"code-sha256", required_argument, NULL, 's'}, {"no-wait", no_argument, NULL, 'n'}, GLOBAL_OPTIONS};
	fn_auto(decref) json_t *o = json_object();
	const char *name, *version;
	struct reply r;
	bool wait = true;
	int c, rc = EX_FINE;

	while (rc == EX_FINE && (c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (c == 'd')
			rc = text_member(o, "Description", argv[0], "--description", optarg);
		else if (c == 's')
			rc = text_member(o, "CodeSha256", argv[0], "--code-sha256", optarg);
		else if (c == 'n')
			wait = false;
		else
			rc = other_option(argv, c);
	}
	if (rc == EX_FINE)
		rc = function_argument(argc, argv, &name);
	if (rc == EX_FINE && wait) /* a function that was created or updated a moment ago cannot be published yet */
		rc = wait_settled(name, NULL, true, false);
	if (rc != EX_FINE)
		return rc;
	rc = request_json(&r, "publish", "POST", function_path(name, "/versions"), o);
	version = json_string_value(json_object_get(r.json, "Version"));
	if (rc == EX_FINE && version)
		rc = wait_settled(name, version, wait, true);
	if (rc == EX_FINE && !G.json)
		printf("\nInvoke it: fnctl invoke %s --qualifier %s '{}'\n", name, version ? version : "?");
	reply_free(&r);
	return rc;
}

/* --- lists --- */
int cmd_versions(int argc, char **argv)
{
	static const struct column columns[] = {{"VERSION", "Version"}, {"RUNTIME", "Runtime"},        {"MEMORY", "MemorySize"},
						{"CODE", "CodeSize"},   {"PUBLISHED", "LastModified"}, {"DESCRIPTION", "Description"}};
	fn_auto(decref) json_t *all = json_array(), *whole = json_object();
	char path[1600];
	const char *name;
	int rc = global_options(argc, argv);

	if (rc == EX_FINE)
		rc = function_argument(argc, argv, &name);
	if (rc != EX_FINE)
		return rc;
	json_object_set(whole, "Versions", all);
	snprintf(path, sizeof(path), "%s", function_path(name, "/versions"));
	rc = request_pages("versions", path, "Versions", all);
	if (rc == EX_FINE && G.json)
		print_json(whole);
	else if (rc == EX_FINE)
		print_functions(all, columns, sizeof(columns) / sizeof(columns[0]));
	return rc;
}

/* --- alias --- */
struct alias_args {
	const char *verb, *function, *name, *version;
	json_t *body;
};

/* VERSION=SHARE, or "none". */
static int weight_member(json_t *o, const char *command, const char *text)
{
	const char *eq = strchr(text, '=');
	json_t *weights = json_object();
	char *end = NULL;
	double w = 0;

	json_object_set_new(o, "RoutingConfig", json_pack("{so}", "AdditionalVersionWeights", weights));
	if (fn_streq(text, "none"))
		return EX_FINE;
	if (eq && eq > text && eq[1])
		w = strtod(eq + 1, &end);
	if (!end || *end || !(w >= 0 && w <= 1))
		return usage_error(command, "--weight wants VERSION=SHARE with a share from 0 to 1, or none; not \"%s\"", text);
	return json_object_setn_new(weights, text, (size_t)(eq - text), json_real(w)) == 0 ? EX_FINE
												: usage_error(command, "--weight wants UTF-8 text");
}

static int alias_parse(int argc, char **argv, struct alias_args *a)
{
	static const struct option options[] = {{"version", required_argument, NULL, 'v'}, {"description", required_argument, NULL, 'd'},
						{"weight", required_argument, NULL, 'w'},  {"revision-id", required_argument, NULL, 'r'},
						GLOBAL_OPTIONS};
	static const char *const verbs[] = {"create", "update", "get", "list", "delete", NULL};
	int c, rc = EX_FINE;
	bool writes;

	while (rc == EX_FINE && (c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (c == 'v')
			rc = text_member(a->body, "FunctionVersion", argv[0], "--version", a->version = optarg);
		else if (c == 'd')
			rc = text_member(a->body, "Description", argv[0], "--description", optarg);
		else if (c == 'r')
			rc = text_member(a->body, "RevisionId", argv[0], "--revision-id", optarg);
		else if (c == 'w')
			rc = weight_member(a->body, argv[0], optarg);
		else
			rc = other_option(argv, c);
	}
	if (rc == EX_FINE)
		rc = verb_arguments(argc, argv, verbs, "create, update, get, list or delete", &a->verb, &a->function);
	if (rc != EX_FINE)
		return rc;
	if (optind < argc && !fn_streq(a->verb, "list"))
		a->name = argv[optind++];
	if (fn_str_empty(a->name) && !fn_streq(a->verb, "list"))
		return usage_error(argv[0], "which alias?");
	if (optind < argc)
		return usage_error(argv[0], "what is \"%s\"?", argv[optind]);
	writes = fn_streq(a->verb, "create") || fn_streq(a->verb, "update");
	if (!writes && json_object_size(a->body) > (a->version && fn_streq(a->verb, "list")))
		return usage_error(argv[0], "%s takes no such options", a->verb);
	if (fn_streq(a->verb, "create") && json_object_get(a->body, "RevisionId"))
		return usage_error(argv[0], "create takes no --revision-id: there is none yet");
	if (fn_streq(a->verb, "create") && !a->version)
		return usage_error(argv[0], "which version? (--version N)");
	if (fn_streq(a->verb, "update") && json_object_size(a->body) == 0)
		return usage_error(argv[0], "what is to change? (--version, --weight, --description)");
	return EX_FINE;
}

/* RoutingConfig as one cell: "2=0.25". */
static void add_weight_cell(json_t *alias)
{
	json_t *weights = json_object_get(json_object_get(alias, "RoutingConfig"), "AdditionalVersionWeights"), *w;
	char text[1100];
	const char *k;

	json_object_foreach(weights, k, w) {
		snprintf(text, sizeof(text), "%.1000s=%.15g", k, json_number_value(w));
		json_object_set_new(alias, "Weight", json_string(text));
	}
}

static void show_aliases(json_t *rows)
{
	static const struct column columns[] = {{"ALIAS", "Name"}, {"VERSION", "FunctionVersion"}, {"WEIGHT", "Weight"}, {"DESCRIPTION", "Description"}};
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		add_weight_cell(row);
	print_table(rows, columns, sizeof(columns) / sizeof(columns[0]));
}

static int alias_list(const struct alias_args *a)
{
	fn_auto(decref) json_t *all = json_array(), *whole = json_object();
	char path[1800];
	int rc;

	snprintf(path, sizeof(path), "%s", function_path(a->function, "/aliases"));
	if (a->version && !add_query(path, sizeof(path), "FunctionVersion", a->version))
		return usage_error("alias", "the version is too long");
	json_object_set(whole, "Aliases", all);
	rc = request_pages("alias list", path, "Aliases", all);
	if (rc == EX_FINE && G.json)
		print_json(whole);
	else if (rc == EX_FINE && json_array_size(all) == 0 && a->version)
		printf("No aliases of version %s.\n", a->version);
	else if (rc == EX_FINE && json_array_size(all) == 0)
		printf("No aliases yet. Make one: fnctl alias create %s NAME --version N\n", a->function);
	else if (rc == EX_FINE)
		show_aliases(all);
	return rc;
}

static int alias_run(struct alias_args *a)
{
	bool create = fn_streq(a->verb, "create"), writes = create || fn_streq(a->verb, "update");
	const char *method = create ? "POST" : writes ? "PUT" : fn_streq(a->verb, "get") ? "GET" : "DELETE";
	char path[2048], operation[24];
	struct reply r;
	int rc;

	if (create && text_member(a->body, "Name", "alias", "NAME", a->name) != EX_FINE)
		return EX_BAD_USE;
	snprintf(path, sizeof(path), "%s", function_path(a->function, "/aliases"));
	if (!create && !add_segment(path, sizeof(path), a->name))
		return usage_error("alias", "the alias's name is too long");
	snprintf(operation, sizeof(operation), "alias %s", a->verb);
	rc = request_json(&r, operation, method, path, writes ? a->body : NULL);
	if (rc == EX_FINE && fn_streq(method, "DELETE")) {
		if (!G.json)
			printf("%s:%s is deleted.\n", a->function, a->name);
	} else if (rc == EX_FINE && G.json) {
		print_json(r.json);
	} else if (rc == EX_FINE) {
		fn_auto(decref) json_t *rows = json_pack("[O]", r.json);

		show_aliases(rows);
	}
	reply_free(&r);
	return rc;
}

int cmd_alias(int argc, char **argv)
{
	struct alias_args a = {.body = json_object()};
	int rc = alias_parse(argc, argv, &a);

	if (rc == EX_FINE)
		rc = fn_streq(a.verb, "list") ? alias_list(&a) : alias_run(&a);
	json_decref(a.body);
	return rc;
}
