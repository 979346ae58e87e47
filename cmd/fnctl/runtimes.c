/* runtimes.c - runtimes: which there are, one installed, one removed. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "fnctl.h"

static void describe(json_t *row)
{
	const char *note = json_string_value(json_object_get(row, "Note")), *since = json_string_value(json_object_get(row, "Deprecated"));
	const char *source = json_string_value(json_object_get(row, "Source"));
	char text[300];

	snprintf(text, sizeof(text), "%s%s%s%s%s", source ? source : "", source && note ? "; " : "", note ? note : "", (source || note) && since ? "; " : "",
		 since ? "deprecated by AWS since " : "");
	if (since)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", since);
	json_object_set_new(row, "Words", json_string(json_is_true(json_object_get(row, "Installing")) ? "being installed" : text));
	json_object_set_new(row, "Own", json_integer(json_integer_value(json_object_get(row, "OwnBytes")) >> 20));
	json_object_set_new(row, "Shared", json_integer(json_integer_value(json_object_get(row, "SharedBytes")) >> 20));
}

static int list(int argc, char **argv)
{
	static const struct column columns[] = {{"RUNTIME", "Runtime"}, {"INSTALLED", "Installed"}, {"VERSION", "Version"}, {"OWN MB", "Own"}, {"SHARED MB", "Shared"},
						{"VERSIONS USING IT", "Functions"}, {"FROM", "Words"}};
	json_t *rows, *row;
	struct reply r;
	size_t i;
	int rc;

	if (optind < argc)
		return usage_error(argv[0], "list takes no arguments");
	rc = request(&r, "runtime list", "GET", "/_fnd/runtimes", NULL, NULL, 0, 30);
	rows = json_object_get(r.json, "Runtimes");
	if (rc == EX_FINE && G.json) {
		print_json(r.json);
	} else if (rc == EX_FINE) {
		json_array_foreach(rows, i, row)
			describe(row);
		print_table(rows, columns, sizeof(columns) / sizeof(columns[0]));
	}
	reply_free(&r);
	return rc;
}

/* Runtimes whose image is one come and go together. */
static void say_beside(const char *name, json_t *beside, bool add)
{
	json_t *other;
	size_t i;

	json_array_foreach(beside, i, other)
		printf("%s is %s with %s: their image is one.\n", json_string_value(other), add ? "added" : "removed", name);
}

static int change(const char *name, bool add)
{
	char path[300] = "/_fnd/runtimes";
	struct reply r;
	int rc;

	if (add) {
		json_t *body = json_pack("{ss}", "Name", name);

		rc = request_json(&r, "runtime add", "POST", path, body);
		json_decref(body);
	} else if (!add_segment(path, sizeof(path), name)) {
		return usage_error("runtime", "there is no runtime of such a long name");
	} else {
		rc = request(&r, "runtime remove", "DELETE", path, NULL, NULL, 0, 600);
	}
	if (rc == EX_FINE && G.json)
		print_json(r.json);
	else if (rc == EX_FINE)
		say_beside(name, json_object_get(r.json, "Beside"), add);
	reply_free(&r);
	return rc;
}

int cmd_runtime(int argc, char **argv)
{
	static const char *const verbs[] = {"list", "add", "remove", NULL};
	static const struct option options[] = {{"image", required_argument, NULL, 'i'}, GLOBAL_OPTIONS};
	const char *verb, *image = NULL;
	int c, rc;

	while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
		if (c == 'i')
			image = optarg;
		else if ((rc = other_option(argv, c)) != EX_FINE)
			return rc;
	}
	rc = verb_argument(argc, argv, verbs, "list, add or remove", &verb);
	if (rc != EX_FINE)
		return rc;
	if (image && !fn_streq(verb, "add"))
		return usage_error(argv[0], "--image is for add");
	if (fn_streq(verb, "list"))
		return list(argc, argv);
	if (optind + 1 != argc || !*argv[optind])
		return usage_error(argv[0], "%s wants the name of a runtime", verb);
	return image ? runtime_of_image("runtime add", argv[optind], image) : change(argv[optind], fn_streq(verb, "add"));
}
