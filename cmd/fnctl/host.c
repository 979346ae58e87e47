/* host.c - doctor and disk. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "fnctl.h"

static const char *text(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static const char *verdict(json_t *o)
{
	return json_is_true(json_object_get(o, "Works")) ? json_object_get(o, "Refused") ? "works, but for" : "works" : "refused";
}

/* Each operation of AWS's models. */
static int doctor_api(const char *service)
{
	static const struct column columns[] = {{"OPERATION", "Name"}, {"HERE", "State"}, {"WHAT IS REFUSED", "Why"}};
	json_t *list, *o;
	size_t i, works = 0;
	struct reply r;
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "/_fnd/doctor?api=%s", service);
	rc = request(&r, "doctor", "GET", path, NULL, NULL, 0, 30);
	list = json_object_get(r.json, "Operations");
	if (rc == EX_FINE && G.json) {
		print_json(r.json);
	} else if (rc == EX_FINE) {
		json_array_foreach(list, i, o) {
			const char *refused = text(o, "Refused");

			works += json_is_true(json_object_get(o, "Works"));
			json_object_set_new(o, "State", json_string(verdict(o)));
			json_object_set_new(o, "Why", json_string(*refused ? refused : text(o, "Reason")));
		}
		print_table(list, columns, sizeof(columns) / sizeof(columns[0]));
		printf("\n%zu of %zu operations work\n", works, json_array_size(list));
	}
	reply_free(&r);
	return rc;
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {{"api", optional_argument, NULL, 'a'}, GLOBAL_OPTIONS};
	json_t *checks, *e, *count;
	const char *kind;
	struct reply r;
	const char *api = NULL;
	int bad = 0, c, rc;
	size_t i, kinds = 0;

	while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
		if (c == 'a')
			api = optarg ? optarg : "lambda";
		else if ((rc = other_option(argv, c)) != EX_FINE)
			return rc;
	}
	if (optind < argc)
		return usage_error(argv[0], "takes no arguments");
	if (api && !strstr(" lambda logs sqs iam sts ", api))
		return usage_error(argv[0], "--api is of lambda, logs, sqs, iam or sts");
	if (api)
		return doctor_api(api);
	rc = request(&r, "doctor", "GET", "/_fnd/doctor", NULL, NULL, 0, 30);
	if (rc != EX_FINE) {
		reply_free(&r);
		return rc;
	}
	checks = json_object_get(r.json, "Checks");
	json_array_foreach(checks, i, e)
		bad += !json_is_true(json_object_get(e, "Ok"));
	if (G.json) {
		print_json(r.json);
		reply_free(&r);
		return bad ? EX_FUNCTION : EX_FINE;
	}
	printf("fnd %s on Linux %s, state in %s, %lld sandboxes\n", text(r.json, "Version"), text(r.json, "Kernel"), text(r.json, "StateDir"),
	       (long long)json_integer_value(json_object_get(r.json, "Sandboxes")));
	printf("made ahead:");
	json_object_foreach(json_object_get(r.json, "Prepared"), kind, count) /* "sandbox", or an image whose runtime has been started, perhaps with MB */
		printf("%s %lld %s", kinds++ ? "," : "", (long long)json_integer_value(count), fn_streq(kind, "sandbox") ? "for any function" : kind);
	printf("%s\n\n", kinds ? "" : " nothing");
	json_array_foreach(checks, i, e) {
		bool ok = json_is_true(json_object_get(e, "Ok"));

		printf("  %-4s %-24s %s\n", ok ? "ok" : "BAD", text(e, "Name"), text(e, "Detail"));
		if (!ok)
			printf("       %-24s -> %s\n", "", text(e, "Remedy"));
	}
	printf("\n%s\n", bad ? "Something is missing; see the remedies above." : "This host is fit to run functions.");
	reply_free(&r);
	return bad ? EX_FUNCTION : EX_FINE;
}

static void size_text(json_t *row, const char *from, const char *to)
{
	long long bytes = json_integer_value(json_object_get(row, from));
	char out[32];

	snprintf(out, sizeof(out), "%8.1f", (double)bytes / (1 << 20));
	json_object_set_new(row, to, json_string(out));
}

static void print_disk(json_t *o)
{
	static const struct column columns[] = {{"      MB", "MB"}, {"KIND", "Kind"}, {"STATE", "State"}, {"FOR", "Owners"}, {"NAME", "Name"}};
	json_t *items = json_object_get(o, "Items"), *row;
	long long bytes = json_integer_value(json_object_get(o, "Bytes")), budget = json_integer_value(json_object_get(o, "BudgetBytes"));
	size_t i;

	json_array_foreach(items, i, row)
		size_text(row, "Bytes", "MB");
	print_table(items, columns, sizeof(columns) / sizeof(columns[0]));
	printf("\n%.1f MB in all", (double)bytes / (1 << 20));
	if (budget)
		printf(" of disk_budget_mb %lld", budget >> 20);
	putchar('\n');
}

int cmd_disk(int argc, char **argv)
{
	static const struct option options[] = {{"check", no_argument, NULL, 'k'}, GLOBAL_OPTIONS};
	json_t *faults, *fault;
	bool check = false;
	struct reply r;
	size_t i;
	int c, rc;

	while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
		if (c == 'k')
			check = true;
		else if ((rc = other_option(argv, c)) != EX_FINE)
			return rc;
	}
	if (optind < argc)
		return usage_error(argv[0], "takes no arguments");
	rc = request(&r, "disk", "GET", check ? "/_fnd/disk?check=1" : "/_fnd/disk", NULL, NULL, 0, 600);
	faults = json_object_get(r.json, "Faults");
	if (rc == EX_FINE && G.json) {
		print_json(r.json);
	} else if (rc == EX_FINE && !check) {
		print_disk(r.json);
	} else if (rc == EX_FINE) {
		json_array_foreach(faults, i, fault)
			printf("%s %s\n", text(fault, "Name"), text(fault, "What"));
		printf("%zu things on the disk, %zu that do not agree with the registry\n", json_array_size(json_object_get(r.json, "Items")),
		       json_array_size(faults));
	}
	if (rc == EX_FINE && json_array_size(faults) > 0)
		rc = EX_FUNCTION;
	reply_free(&r);
	return rc;
}
