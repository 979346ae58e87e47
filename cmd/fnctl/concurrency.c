/* concurrency.c - concurrency: reserved for a function, or, with --qualifier, provisioned for a version or an alias. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fnctl.h"

static void decref(json_t **j) { json_decref(*j); }

struct concurrency_args {
	const char *verb, *function, *number, *qualifier;
};

static int parse(int argc, char **argv, struct concurrency_args *a)
{
	static const char *const verbs[] = {"put", "get", "delete", "list", NULL};
	int rc = qualifier_options(argc, argv, &a->qualifier);

	if (rc == EX_FINE)
		rc = verb_arguments(argc, argv, verbs, "put, get, delete or list", &a->verb, &a->function);
	if (rc != EX_FINE)
		return rc;
	if (optind < argc && fn_streq(a->verb, "put"))
		a->number = argv[optind++];
	if (!a->number && fn_streq(a->verb, "put"))
		return usage_error(argv[0], "how many?");
	if (optind < argc)
		return usage_error(argv[0], "what is \"%s\"?", argv[optind]);
	if (a->qualifier && fn_streq(a->verb, "list"))
		return usage_error(argv[0], "list takes no --qualifier: it shows all of them");
	if (a->qualifier && !*a->qualifier)
		return usage_error(argv[0], "--qualifier wants a version or an alias");
	return EX_FINE;
}

static void show_provisioned(json_t *rows)
{
	static const struct column columns[] = {{"QUALIFIER", "Qualifier"},
						{"REQUESTED", "RequestedProvisionedConcurrentExecutions"},
						{"AVAILABLE", "AvailableProvisionedConcurrentExecutions"},
						{"STATUS", "Status"},
						{"MODIFIED", "LastModified"},
						{"REASON", "StatusReason"}};

	print_table(rows, columns, sizeof(columns) / sizeof(columns[0]));
}

static void show_reserved(const char *function, json_t *answer)
{
	json_t *n = json_object_get(answer, "ReservedConcurrentExecutions");

	if (n)
		printf("%s: %lld reserved\n", function, (long long)json_integer_value(n));
	else
		printf("%s has none reserved: it takes of what the account has unreserved.\n", function);
}

static void show_deleted(const struct concurrency_args *a)
{
	if (a->qualifier)
		printf("%s:%s has no provisioned concurrency any more.\n", a->function, a->qualifier);
	else
		printf("%s has no reserved concurrency any more.\n", a->function);
}

static int run(const struct concurrency_args *a)
{
	const char *method = fn_streq(a->verb, "put") ? "PUT" : fn_streq(a->verb, "get") ? "GET" : "DELETE";
	const char *since = a->qualifier || fn_streq(method, "GET") ? "2019-09-30" : "2017-10-31";
	fn_auto(decref) json_t *body = a->number ? json_object() : NULL;
	char path[1800], operation[32];
	struct reply r;
	int rc = EX_FINE;

	if (body)
		rc = number_member(body, a->qualifier ? "ProvisionedConcurrentExecutions" : "ReservedConcurrentExecutions", "concurrency", "put", a->number);
	if (rc != EX_FINE)
		return rc;
	snprintf(path, sizeof(path), "%s", function_path_since(since, a->function, a->qualifier ? "/provisioned-concurrency" : "/concurrency"));
	if (a->qualifier && !add_query(path, sizeof(path), "Qualifier", a->qualifier))
		return usage_error("concurrency", "the qualifier is too long");
	snprintf(operation, sizeof(operation), "concurrency %s", a->verb);
	rc = request_json(&r, operation, method, path, body);
	if (rc == EX_FINE && fn_streq(method, "DELETE")) {
		if (!G.json)
			show_deleted(a);
	} else if (rc == EX_FINE && G.json) {
		print_json(r.json);
	} else if (rc == EX_FINE && a->qualifier) {
		fn_auto(decref) json_t *rows = json_pack("[O]", r.json);

		json_object_set_new(r.json, "Qualifier", json_string(a->qualifier));
		show_provisioned(rows);
	} else if (rc == EX_FINE) {
		show_reserved(a->function, r.json);
	}
	reply_free(&r);
	return rc;
}

static int list(const struct concurrency_args *a)
{
	fn_auto(decref) json_t *all = json_array(), *whole = json_object();
	char path[1600];
	json_t *row;
	size_t i;
	int rc;

	snprintf(path, sizeof(path), "%s", function_path_since("2019-09-30", a->function, "/provisioned-concurrency?List=ALL"));
	json_object_set(whole, "ProvisionedConcurrencyConfigs", all);
	rc = request_pages("concurrency list", path, "ProvisionedConcurrencyConfigs", all);
	if (rc == EX_FINE && G.json) {
		print_json(whole);
	} else if (rc == EX_FINE && json_array_size(all) == 0) {
		printf("None provisioned yet. Do so: fnctl concurrency put %s N --qualifier VERSION|ALIAS\n", a->function);
	} else if (rc == EX_FINE) {
		json_array_foreach(all, i, row) {
			const char *arn = json_string_value(json_object_get(row, "FunctionArn")), *last = arn ? strrchr(arn, ':') : NULL;

			json_object_set_new(row, "Qualifier", json_string(last ? last + 1 : ""));
		}
		show_provisioned(all);
	}
	return rc;
}

int cmd_concurrency(int argc, char **argv)
{
	struct concurrency_args a = {0};
	int rc = parse(argc, argv, &a);

	if (rc != EX_FINE)
		return rc;
	return fn_streq(a.verb, "list") ? list(&a) : run(&a);
}
