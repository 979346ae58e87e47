/* async.c - async: what waits for functions, what was given up and why; puts it back, or throws it away. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fnctl.h"

static void decref(json_t **j) { json_decref(*j); }

enum { OPT_FAILED = 1 };

#define WHY_MAX 100

struct async_args {
	const char *verb, *function, *id;
	bool failed;
};

static int parse(int argc, char **argv, struct async_args *a)
{
	static const struct option options[] = {{"failed", no_argument, NULL, OPT_FAILED}, GLOBAL_OPTIONS};
	static const char *const verbs[] = {"status", "list", "show", "replay", "purge", NULL};
	int c, rc = EX_FINE;

	while (rc == EX_FINE && (c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (c == OPT_FAILED)
			a->failed = true;
		else
			rc = other_option(argv, c);
	}
	if (rc == EX_FINE)
		rc = verb_argument(argc, argv, verbs, "status, list, show, replay or purge", &a->verb);
	if (rc == EX_FINE && !fn_streq(a->verb, "status") && fn_str_empty(a->function = optind < argc ? argv[optind++] : NULL))
		rc = usage_error(argv[0], "which function?");
	if (rc == EX_FINE && fn_streq(a->verb, "show") && fn_str_empty(a->id = optind < argc ? argv[optind++] : NULL))
		rc = usage_error(argv[0], "which request id?");
	if (rc == EX_FINE && optind < argc)
		rc = usage_error(argv[0], "what is \"%s\"?", argv[optind]);
	return rc;
}

static bool path_of(const struct async_args *a, const char *end, char *path, size_t size)
{
	snprintf(path, size, "/_fnd/async");
	if (!add_segment(path, size, a->function) || strlen(path) + strlen(end) >= size)
		return false;
	strcat(path, end);
	return !a->failed || add_query(path, size, "Failed", "1");
}

static int status(void)
{
	static const struct column columns[] = {{"FUNCTION", "Function"}, {"WAITING", "Waiting"}, {"DUE LATER", "Due"}, {"RUNNING", "Running"}, {"FAILED", "Failed"}, {"RECEIVED", "Received"},
						{"SUCCEEDED", "Succeeded"}, {"ERRORS", "Errors"}, {"THROTTLED", "Throttled"}, {"DROPPED", "Dropped"}};
	struct reply r;
	int rc = request_json(&r, "async status", "GET", "/_fnd/async", NULL);
	json_t *rows = json_object_get(r.json, "Functions");

	if (rc == EX_FINE && G.json)
		print_json(r.json);
	else if (rc == EX_FINE && json_array_size(rows) == 0)
		printf("No function has been invoked asynchronously yet. Do so: fnctl invoke NAME --async\n");
	else if (rc == EX_FINE)
		print_table(rows, columns, sizeof(columns) / sizeof(columns[0]));
	reply_free(&r);
	return rc;
}

/* What a function said of its failure, in a line: `show` has all of it. */
static void shorten(json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		const char *message = json_string_value(json_object_get(row, "Message"));
		fn_auto_free char *text = message ? strdup(message) : NULL;

		if (text) {
			brief_text(text, WHY_MAX);
			json_object_set_new(row, "Message", json_string(text));
		}
	}
}

static int list(const struct async_args *a)
{
	static const struct column columns[] = {{"REQUEST ID", "RequestId"}, {"STATE", "State"}, {"ACCEPTED", "Accepted"}, {"DUE", "Due"}, {"RAN", "Invokes"}, {"BYTES", "Bytes"},
						{"CONDITION", "Condition"}, {"WHY", "Message"}};
	fn_auto(decref) json_t *rows = json_array(), *whole = json_object();
	char path[1600];
	int rc;

	if (!path_of(a, "", path, sizeof(path)))
		return usage_error("async", "the name is too long");
	json_object_set(whole, "Events", rows);
	rc = request_pages("async list", path, "Events", rows);
	if (rc == EX_FINE && G.json)
		print_json(whole);
	else if (rc == EX_FINE && json_array_size(rows) == 0)
		printf(a->failed ? "None of %s was given up.\n" : "Nothing waits for %s.\n", a->function);
	else if (rc == EX_FINE) {
		shorten(rows);
		print_table(rows, columns, sizeof(columns) / sizeof(columns[0]));
	}
	return rc;
}

/* Where it waits, else among those that were given up. */
static int show(const struct async_args *a)
{
	struct async_args where = *a;
	struct reply r;
	char path[1600];
	bool missing = false;
	int rc;

	if (!path_of(&where, "", path, sizeof(path)) || !add_query(path, sizeof(path), "Id", a->id))
		return usage_error("async", "the name is too long");
	rc = request_may_miss(&r, "async show", "GET", path, &missing);
	if (missing && !a->failed) {
		reply_free(&r);
		where.failed = true;
		(void)path_of(&where, "", path, sizeof(path));
		(void)add_query(path, sizeof(path), "Id", a->id);
		rc = request(&r, "async show", "GET", path, NULL, NULL, 0, 30);
	} else if (missing) {
		fprintf(stderr, "fnctl async show: %s has no such event\n", a->function);
		rc = EX_API;
	}
	if (rc == EX_FINE)
		print_json(json_array_get(json_object_get(r.json, "Events"), 0));
	reply_free(&r);
	return rc;
}

static int change(const struct async_args *a)
{
	bool replays = fn_streq(a->verb, "replay");
	char path[1600], operation[32];
	struct reply r;
	int rc;

	if (!path_of(a, replays ? "/replay" : "/purge", path, sizeof(path)))
		return usage_error("async", "the name is too long");
	snprintf(operation, sizeof(operation), "async %s", a->verb);
	rc = request_json(&r, operation, "POST", path, NULL);
	if (rc == EX_FINE && G.json)
		print_json(r.json);
	else if (rc == EX_FINE && replays)
		printf("%lld put back: %s has them as new events.\n", (long long)json_integer_value(json_object_get(r.json, "Moved")), a->function);
	else if (rc == EX_FINE)
		printf(a->failed ? "What %s had given up is gone.\n" : "What waited for %s is gone.\n", a->function);
	reply_free(&r);
	return rc;
}

int cmd_async(int argc, char **argv)
{
	struct async_args a = {0};
	int rc = parse(argc, argv, &a);

	if (rc != EX_FINE)
		return rc;
	if (fn_streq(a.verb, "status"))
		return status();
	if (fn_streq(a.verb, "list"))
		return list(&a);
	return fn_streq(a.verb, "show") ? show(&a) : change(&a);
}
