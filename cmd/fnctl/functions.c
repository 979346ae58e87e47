/* functions.c - create, update, deploy, list, get, delete. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fnctl.h"

#define DEFAULT_ROLE "arn:aws:iam::000000000000:role/fnd"
#define FUNCTIONS "/2015-03-31/functions"
#define WAIT_S 120

static void decref(json_t **j) { json_decref(*j); }

struct wanted {
	const char *name, *code, *image; /* code or image: one of them, or neither */
	json_t *configuration; /* members of the API */
	bool wait;
};

/* NAME=VALUE, added to Environment.Variables. */
static int env_member(json_t *o, const char *command, const char *text)
{
	const char *eq = strchr(text, '=');
	fn_auto_free char *name = eq && eq > text ? strndup(text, (size_t)(eq - text)) : NULL;
	json_t *vars = json_object_get(json_object_get(o, "Environment"), "Variables");

	if (!vars) {
		vars = json_object();
		json_object_set_new(o, "Environment", json_pack("{so}", "Variables", vars));
	}
	if (fn_streq(text, "none"))
		return EX_FINE;
	if (!name)
		return usage_error(command, "--env wants NAME=VALUE or none, not \"%s\"", text);
	if (!fn_utf8_valid(name, strlen(name)))
		return usage_error(command, "--env wants UTF-8 text");
	return text_member(vars, name, command, "--env", eq + 1);
}

static int parse(int argc, char **argv, struct wanted *w)
{
	static const struct option options[] = {{"runtime", required_argument, NULL, 'r'},     {"handler", required_argument, NULL, 'H'},
						{"code", required_argument, NULL, 'c'},        {"role", required_argument, NULL, 'R'},
						{"memory", required_argument, NULL, 'm'},      {"timeout", required_argument, NULL, 't'},
						{"tmp", required_argument, NULL, 'T'},         {"env", required_argument, NULL, 'e'},
						{"description", required_argument, NULL, 'd'}, {"no-wait", no_argument, NULL, 'n'},
						{"snap-start", required_argument, NULL, 's'},  {"layer", required_argument, NULL, 'l'},
						{"per-tenant", no_argument, NULL, 'P'},     {"image", required_argument, NULL, 'i'},
						GLOBAL_OPTIONS};
	json_t *o = w->configuration = json_object();
	int c, r = EX_FINE;

	w->wait = true;
	while (r == EX_FINE && (c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			r = text_member(o, "Runtime", argv[0], "--runtime", optarg);
			break;
		case 'H':
			r = text_member(o, "Handler", argv[0], "--handler", optarg);
			break;
		case 'c':
			w->code = optarg;
			break;
		case 'i':
			w->image = optarg;
			break;
		case 'R':
			r = text_member(o, "Role", argv[0], "--role", optarg);
			break;
		case 'm':
			r = number_member(o, "MemorySize", argv[0], "--memory", optarg);
			break;
		case 't':
			r = number_member(o, "Timeout", argv[0], "--timeout", optarg);
			break;
		case 'T':
			json_object_set_new(o, "EphemeralStorage", json_object());
			r = number_member(json_object_get(o, "EphemeralStorage"), "Size", argv[0], "--tmp", optarg);
			break;
		case 'e':
			r = env_member(o, argv[0], optarg);
			break;
		case 'd':
			r = text_member(o, "Description", argv[0], "--description", optarg);
			break;
		case 's':
			if (!fn_streq(optarg, "on") && !fn_streq(optarg, "off"))
				r = usage_error(argv[0], "--snap-start wants on or off, not \"%s\"", optarg);
			else
				json_object_set_new(o, "SnapStart", json_pack("{ss}", "ApplyOn", fn_streq(optarg, "on") ? "PublishedVersions" : "None"));
			break;
		case 'P':
			json_object_set_new(o, "TenancyConfig", json_pack("{ss}", "TenantIsolationMode", "PER_TENANT"));
			break;
		case 'l':
			r = layer_member(o, argv[0], optarg);
			break;
		case 'n':
			w->wait = false;
			break;
		default:
			r = other_option(argv, c);
		}
	}
	if (r != EX_FINE)
		return r;
	if (optind < argc)
		w->name = argv[optind++];
	if (optind < argc && fn_streq(argv[0], "deploy") && !w->code && !w->image)
		w->code = argv[optind++];
	if (fn_str_empty(w->name))
		return usage_error(argv[0], "which function?");
	if (optind < argc)
		return usage_error(argv[0], "what is \"%s\"?", argv[optind]);
	if (w->code && w->image)
		return usage_error(argv[0], "it has --code or --image, not both");
	return EX_FINE;
}

int wait_settled(const char *name, const char *qualifier, bool wait, bool show)
{
	char path[1800];

	snprintf(path, sizeof(path), "%s", function_path(name, "/configuration"));
	if (qualifier && !add_query(path, sizeof(path), "Qualifier", qualifier))
		return EX_BAD_USE;
	for (int i = 0;; i++) {
		struct reply r;
		const char *state, *update;
		int rc = request(&r, "get", "GET", path, NULL, NULL, 0, 60);
		struct timespec pause = {0, i < 10 ? 20000000 : 500000000};

		state = json_string_value(json_object_get(r.json, "State"));
		update = json_string_value(json_object_get(r.json, "LastUpdateStatus"));
		if (rc == EX_FINE && wait && (fn_streq(state, "Pending") || fn_streq(update, "InProgress"))) {
			reply_free(&r);
			if (i >= WAIT_S * 2) {
				fprintf(stderr, "fnctl: %s is not ready after %d s; `fnctl get %s` tells how far it is\n", name, WAIT_S, name);
				return EX_API;
			}
			nanosleep(&pause, NULL);
			continue;
		}
		if (rc == EX_FINE && (fn_streq(state, "Failed") || fn_streq(update, "Failed"))) {
			const char *why = json_string_value(json_object_get(r.json, fn_streq(state, "Failed") ? "StateReason" : "LastUpdateStatusReason"));

			fprintf(stderr, "fnctl: %s failed: %s\n", name, why ? why : "no reason is known");
			rc = EX_API;
		} else if (rc == EX_FINE && show) {
			if (G.json)
				print_json(r.json);
			else
				print_function(r.json);
		}
		reply_free(&r);
		return rc;
	}
}

static int send_json(const char *operation, const char *method, const char *path, json_t *body)
{
	fn_auto_free char *text = json_dumps(body, JSON_COMPACT);
	struct reply r;
	int rc = request(&r, operation, method, path, NULL, text, text ? strlen(text) : 0, 300);

	reply_free(&r);
	return rc;
}

static int code_member(json_t *code, const struct wanted *w, const char *command)
{
	return w->image ? text_member(code, "ImageUri", command, "--image", w->image) : package_member(code, w->code);
}

static int create(struct wanted *w)
{
	json_t *o = w->configuration, *code = json_object();
	int rc;

	json_object_set_new(o, "Code", code);
	json_object_set_new(o, "FunctionName", json_string(w->name));
	if (!json_object_get(o, "Role"))
		json_object_set_new(o, "Role", json_string(DEFAULT_ROLE));
	if (!w->code && !w->image)
		return usage_error("create", "where is the code? (--code DIR, --code FILE.zip or --image REFERENCE)");
	if (w->image)
		json_object_set_new(o, "PackageType", json_string("Image"));
	else if (!json_object_get(o, "Runtime"))
		return usage_error("create", "which runtime? (--runtime; `fnctl images` shows what there is)");
	if (!w->image && !json_object_get(o, "Handler") && fn_str_starts(json_string_value(json_object_get(o, "Runtime")), "provided"))
		json_object_set_new(o, "Handler", json_string("bootstrap"));
	rc = code_member(code, w, "create");
	if (rc == EX_FINE)
		rc = send_json("create", "POST", FUNCTIONS, o);
	if (rc == EX_FINE)
		rc = wait_settled(w->name, NULL, w->wait, true);
	if (rc == EX_FINE && !G.json)
		printf("\nInvoke it: fnctl invoke %s '{}'\n", w->name);
	return rc;
}

static int update(struct wanted *w)
{
	fn_auto(decref) json_t *code = json_object();
	int rc = EX_FINE;

	if (json_object_get(w->configuration, "TenancyConfig"))
		return usage_error("update", "--per-tenant is for new functions: it cannot be changed");
	if (!w->code && !w->image && json_object_size(w->configuration) == 0)
		return usage_error("update", "what is to change? (--code, --image, --memory, --env ...)");
	if (w->code || w->image) {
		rc = code_member(code, w, "update");
		if (rc == EX_FINE)
			rc = send_json("update", "PUT", function_path(w->name, "/code"), code);
		if (rc == EX_FINE && json_object_size(w->configuration) > 0) /* two updates at once are a conflict */
			rc = wait_settled(w->name, NULL, true, false);
	}
	if (rc == EX_FINE && json_object_size(w->configuration) > 0)
		rc = send_json("update", "PUT", function_path(w->name, "/configuration"), w->configuration);
	return rc == EX_FINE ? wait_settled(w->name, NULL, w->wait, true) : rc;
}

int cmd_create(int argc, char **argv)
{
	struct wanted w = {0};
	int rc = parse(argc, argv, &w);

	if (rc == EX_FINE)
		rc = create(&w);
	json_decref(w.configuration);
	return rc;
}

int cmd_update(int argc, char **argv)
{
	struct wanted w = {0};
	int rc = parse(argc, argv, &w);

	if (rc == EX_FINE)
		rc = update(&w);
	json_decref(w.configuration);
	return rc;
}

int cmd_deploy(int argc, char **argv)
{
	struct wanted w = {0};
	struct reply r;
	bool missing = false;
	int rc = parse(argc, argv, &w);

	if (rc == EX_FINE && !w.code && !w.image)
		rc = usage_error("deploy", "where is the code?");
	if (rc == EX_FINE) {
		rc = request_may_miss(&r, "deploy", "GET", function_path(w.name, "/configuration"), &missing);
		reply_free(&r);
	}
	if (rc == EX_FINE)
		rc = missing ? create(&w) : update(&w);
	json_decref(w.configuration);
	return rc;
}

int cmd_list(int argc, char **argv)
{
	static const struct column columns[] = {{"NAME", "FunctionName"}, {"RUNTIME", "Runtime"}, {"MEMORY", "MemorySize"},
						{"TIMEOUT", "Timeout"},   {"CODE", "CodeSize"},   {"MODIFIED", "LastModified"}};
	fn_auto(decref) json_t *all = json_array(), *whole = json_object();
	int rc = global_options(argc, argv);

	if (rc != EX_FINE)
		return rc;
	if (optind < argc)
		return usage_error(argv[0], "takes no arguments");
	json_object_set(whole, "Functions", all);
	rc = request_pages("list", FUNCTIONS, "Functions", all);
	if (rc != EX_FINE)
		return rc;
	if (G.json)
		print_json(whole);
	else if (json_array_size(all) == 0)
		printf("No functions yet. Make one: fnctl create NAME --runtime python3.11 --handler file.function --code DIR\n");
	else
		print_functions(all, columns, sizeof(columns) / sizeof(columns[0]));
	return EX_FINE;
}

/* NAME [--qualifier Q]; the caller frees *r whatever comes of it. */
static int about_one(int argc, char **argv, const char *method, struct reply *r, const char **ret_name, const char **ret_qualifier)
{
	char path[1800];
	int rc = qualifier_options(argc, argv, ret_qualifier);

	*r = (struct reply){0};
	if (rc == EX_FINE)
		rc = function_argument(argc, argv, ret_name);
	if (rc != EX_FINE)
		return rc;
	snprintf(path, sizeof(path), "%s", function_path(*ret_name, ""));
	if (*ret_qualifier && !add_query(path, sizeof(path), "Qualifier", *ret_qualifier))
		return usage_error(argv[0], "the qualifier is too long");
	return request(r, argv[0], method, path, NULL, NULL, 0, 60);
}

int cmd_get(int argc, char **argv)
{
	const char *name, *qualifier = NULL;
	struct reply r;
	int rc = about_one(argc, argv, "GET", &r, &name, &qualifier);

	if (rc == EX_FINE && G.json)
		print_json(r.json);
	else if (rc == EX_FINE)
		print_function(json_object_get(r.json, "Configuration"));
	reply_free(&r);
	return rc;
}

int cmd_delete(int argc, char **argv)
{
	const char *name, *qualifier = NULL;
	struct reply r;
	int rc = about_one(argc, argv, "DELETE", &r, &name, &qualifier);

	if (rc == EX_FINE && !G.json)
		printf("%s%s%s is deleted.\n", name, qualifier ? ":" : "", qualifier ? qualifier : "");
	reply_free(&r);
	return rc;
}
