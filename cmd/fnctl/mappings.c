/* mappings.c - mapping: queues that drive functions. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fnctl.h"

#define MAPPINGS "/2015-03-31/event-source-mappings"

static void decref(json_t **j) { json_decref(*j); }

enum { OPT_BATCH = 1, OPT_WINDOW, OPT_CONCURRENCY, OPT_FILTER, OPT_REPORT, OPT_ENABLE, OPT_DISABLE };

struct mapping_args {
	const char *verb, *what, *queue; /* what: a function, or a mapping's UUID */
	json_t *members, *filters;
};

static int take_option(struct mapping_args *a, char **argv, int c)
{
	switch (c) {
	case OPT_BATCH:
		return number_member(a->members, "BatchSize", argv[0], "--batch-size", optarg);
	case OPT_WINDOW:
		return number_member(a->members, "MaximumBatchingWindowInSeconds", argv[0], "--window", optarg);
	case OPT_CONCURRENCY: {
		json_t *o = json_object();

		json_object_set_new(a->members, "ScalingConfig", o);
		return fn_streq(optarg, "none") ? EX_FINE : number_member(o, "MaximumConcurrency", argv[0], "--concurrency", optarg);
	}
	case OPT_FILTER:
		if (!json_object_get(a->members, "FilterCriteria"))
			json_object_set_new(a->members, "FilterCriteria", json_pack("{sO}", "Filters", a->filters));
		if (!fn_streq(optarg, "none"))
			json_array_append_new(a->filters, json_pack("{ss}", "Pattern", optarg));
		return EX_FINE;
	case OPT_REPORT:
		if (!fn_streq(optarg, "on") && !fn_streq(optarg, "off"))
			return usage_error(argv[0], "--report-failures is on or off");
		json_object_set_new(a->members, "FunctionResponseTypes", fn_streq(optarg, "on") ? json_pack("[s]", "ReportBatchItemFailures") : json_array());
		return EX_FINE;
	case OPT_ENABLE:
	case OPT_DISABLE:
		if (json_object_get(a->members, "Enabled") && json_is_true(json_object_get(a->members, "Enabled")) != (c == OPT_ENABLE))
			return usage_error(argv[0], "it has --enable or --disable, not both");
		json_object_set_new(a->members, "Enabled", json_boolean(c == OPT_ENABLE));
		return EX_FINE;
	default:
		return other_option(argv, c);
	}
}

static int parse(int argc, char **argv, struct mapping_args *a)
{
	static const struct option options[] = {{"batch-size", required_argument, NULL, OPT_BATCH}, {"window", required_argument, NULL, OPT_WINDOW},
						{"concurrency", required_argument, NULL, OPT_CONCURRENCY}, {"filter", required_argument, NULL, OPT_FILTER},
						{"report-failures", required_argument, NULL, OPT_REPORT}, {"enable", no_argument, NULL, OPT_ENABLE},
						{"disable", no_argument, NULL, OPT_DISABLE}, GLOBAL_OPTIONS};
	static const char *const verbs[] = {"create", "list", "get", "update", "delete", NULL};
	int c, rc = EX_FINE;

	while (rc == EX_FINE && (c = getopt_long(argc, argv, ":h", options, NULL)) != -1)
		rc = take_option(a, argv, c);
	if (rc == EX_FINE)
		rc = verb_argument(argc, argv, verbs, "create, list, get, update or delete", &a->verb);
	if (rc != EX_FINE)
		return rc;
	a->what = optind < argc ? argv[optind++] : NULL;
	if (fn_streq(a->verb, "create")) {
		a->queue = optind < argc ? argv[optind++] : NULL;
		if (fn_str_empty(a->what) || fn_str_empty(a->queue))
			return usage_error(argv[0], "which function, and which queue?");
	} else if (fn_str_empty(a->what) && !fn_streq(a->verb, "list")) {
		return usage_error(argv[0], "which mapping? `fnctl mapping list` shows their UUIDs");
	}
	if (optind < argc)
		return usage_error(argv[0], "what is \"%s\"?", argv[optind]);
	if (!fn_streq(a->verb, "create") && !fn_streq(a->verb, "update") && json_object_size(a->members) > 0)
		return usage_error(argv[0], "%s takes no such options", a->verb);
	if (fn_streq(a->verb, "update") && json_object_size(a->members) == 0)
		return usage_error(argv[0], "what is to change? (--batch-size, --window, --filter ...)");
	return EX_FINE;
}

/* A queue's name stands for the platform's own queue of that name: region and account are the function's. */
static int queue_arn(const struct mapping_args *a, char *arn, size_t size)
{
	char region[40], account[20];
	const char *function;
	struct reply r;
	int rc;

	if (fn_str_starts(a->queue, "arn:"))
		return fn_str_format(arn, size, "%s", a->queue) < 0 ? usage_error("mapping", "the queue's ARN is too long") : EX_FINE;
	rc = request_json(&r, "mapping create", "GET", function_path(a->what, "/configuration"), NULL);
	function = json_string_value(json_object_get(r.json, "FunctionArn"));
	if (rc == EX_FINE && (!function || sscanf(function, "arn:aws:lambda:%39[^:]:%19[^:]:", region, account) != 2)) {
		fprintf(stderr, "fnctl mapping create: the function has no ARN to tell the queue's from: name the queue by its ARN\n");
		rc = EX_API;
	}
	if (rc == EX_FINE && fn_str_format(arn, size, "arn:aws:sqs:%s:%s:%s", region, account, a->queue) < 0)
		rc = usage_error("mapping", "the queue's name is too long");
	reply_free(&r);
	return rc;
}

/* With what only fn-events knows: how it goes. */
static void add_progress(json_t *rows)
{
	struct reply r;
	size_t i;
	json_t *row;

	if (request_json(&r, "mapping list", "GET", "/_fnd/mappings", NULL) == EX_FINE)
		json_array_foreach(rows, i, row)
			json_object_update_missing(row, json_object_get(json_object_get(r.json, "Mappings"), json_string_value(json_object_get(row, "UUID"))));
	reply_free(&r);
}

static int list(const struct mapping_args *a)
{
	static const struct column columns[] = {{"UUID", "UUID"}, {"STATE", "State"}, {"SOURCE", "EventSourceArn"}, {"FUNCTION", "FunctionArn"}, {"RUNNING", "Running"}, {"POLLED", "Polled"},
						{"FILTERED", "Filtered"}, {"DELETED", "Deleted"}, {"FAILED", "FailedInvokes"}, {"RESULT", "LastProcessingResult"}};
	fn_auto(decref) json_t *rows = json_array(), *whole = json_object();
	char path[1024] = MAPPINGS;
	int rc;

	if (a->what && !add_query(path, sizeof(path), "FunctionName", a->what))
		return usage_error("mapping", "the name is too long");
	json_object_set(whole, "EventSourceMappings", rows);
	rc = request_pages("mapping list", path, "EventSourceMappings", rows);
	if (rc == EX_FINE)
		add_progress(rows);
	if (rc == EX_FINE && G.json)
		print_json(whole);
	else if (rc == EX_FINE && json_array_size(rows) == 0 && a->what)
		printf("No mappings of %s. Make one: fnctl mapping create %s QUEUE\n", a->what, a->what);
	else if (rc == EX_FINE && json_array_size(rows) == 0)
		printf("No mappings yet. Make one: fnctl mapping create NAME QUEUE\n");
	else if (rc == EX_FINE)
		print_table(rows, columns, sizeof(columns) / sizeof(columns[0]));
	return rc;
}

static int one(const struct mapping_args *a)
{
	bool create = fn_streq(a->verb, "create"), update = fn_streq(a->verb, "update"), gone = fn_streq(a->verb, "delete");
	char path[1024] = MAPPINGS, arn[512], operation[24];
	struct reply r;
	int rc = EX_FINE;

	if (create) {
		rc = queue_arn(a, arn, sizeof(arn));
		if (rc != EX_FINE)
			return rc;
		json_object_set_new(a->members, "EventSourceArn", json_string(arn));
		json_object_set_new(a->members, "FunctionName", json_string(a->what));
	} else if (!add_segment(path, sizeof(path), a->what)) {
		return usage_error("mapping", "that is no UUID");
	}
	snprintf(operation, sizeof(operation), "mapping %s", a->verb);
	rc = request_json(&r, operation, create ? "POST" : update ? "PUT" : gone ? "DELETE" : "GET", path, create || update ? a->members : NULL);
	if (rc == EX_FINE && gone && !G.json) {
		printf("The mapping %s is deleted.\n", a->what);
	} else if (rc == EX_FINE) {
		fn_auto(decref) json_t *rows = json_pack("[O]", r.json);

		if (!create && !update && !gone)
			add_progress(rows);
		if (create && !G.json)
			printf("%s\n", json_string_value(json_object_get(r.json, "UUID")));
		else
			print_json(r.json);
	}
	reply_free(&r);
	return rc;
}

int cmd_mapping(int argc, char **argv)
{
	struct mapping_args a = {.members = json_object(), .filters = json_array()};
	int rc = parse(argc, argv, &a);

	if (rc == EX_FINE)
		rc = fn_streq(a.verb, "list") ? list(&a) : one(&a);
	json_decref(a.members);
	json_decref(a.filters);
	return rc;
}
