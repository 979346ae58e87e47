/* urls.c - fnctl url: addresses of functions. One that everybody may use has what its policy needs for that, made and removed with it. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fnctl.h"

static void decref(json_t **o) { json_decref(*o); }

struct url_args {
	const char *verb, *function, *qualifier;
	bool iam, stream;
	json_t *origins;
};

/* The statements of a URL that everybody may use, as AWS's console names them. */
static const struct {
	const char *id, *action, *condition;
} statements[] = {{"FunctionURLAllowPublicAccess", "lambda:InvokeFunctionUrl", "FunctionUrlAuthType"},
		  {"FunctionURLInvokeAllowPublicAccess", "lambda:InvokeFunction", "InvokedViaFunctionUrl"}};

static int parse(int argc, char **argv, struct url_args *a)
{
	static const struct option options[] = {{"qualifier", required_argument, NULL, 'q'}, {"iam", no_argument, NULL, 'i'}, {"stream", no_argument, NULL, 's'},
						{"cors", required_argument, NULL, 'c'}, GLOBAL_OPTIONS};
	static const char *const verbs[] = {"create", "get", "list", "delete", NULL};
	int c, rc = EX_FINE;

	while (rc == EX_FINE && (c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (c == 'q')
			a->qualifier = optarg;
		else if (c == 'i')
			a->iam = true;
		else if (c == 's')
			a->stream = true;
		else if (c == 'c')
			json_array_append_new(a->origins, json_string(optarg));
		else
			rc = other_option(argv, c);
	}
	if (rc == EX_FINE)
		rc = verb_arguments(argc, argv, verbs, "create, get, list or delete", &a->verb, &a->function);
	if (rc != EX_FINE)
		return rc;
	if (optind < argc)
		return usage_error(argv[0], "what is \"%s\"?", argv[optind]);
	if (!fn_streq(a->verb, "create") && (a->iam || a->stream || json_array_size(a->origins) > 0))
		return usage_error(argv[0], "%s takes no such options", a->verb);
	if (fn_streq(a->verb, "list") && a->qualifier)
		return usage_error(argv[0], "list shows those of all aliases");
	return EX_FINE;
}

static bool path_of(const struct url_args *a, const char *since, const char *rest, char *path, size_t size)
{
	snprintf(path, size, "%s", since ? function_path_since(since, a->function, rest) : function_path(a->function, rest));
	return !a->qualifier || add_query(path, size, "Qualifier", a->qualifier);
}

static int allow_everybody(const struct url_args *a)
{
	char path[2048];
	int rc = EX_FINE;

	if (!path_of(a, NULL, "/policy", path, sizeof(path)))
		return usage_error("url", "the qualifier is too long");
	for (size_t i = 0; i < 2 && rc == EX_FINE; i++) {
		fn_auto(decref) json_t *body = json_pack("{ssssss}", "StatementId", statements[i].id, "Action", statements[i].action, "Principal", "*");
		struct reply r;

		json_object_set_new(body, statements[i].condition, i == 0 ? json_string("NONE") : json_true());
		rc = request_json(&r, "url create", "POST", path, body);
		reply_free(&r);
	}
	return rc;
}

/* None of them is fine. */
static int allow_nobody(const struct url_args *a)
{
	char path[2048], rest[80];
	int rc = EX_FINE;

	for (size_t i = 0; i < 2 && rc == EX_FINE; i++) {
		struct reply r;
		bool missing;

		snprintf(rest, sizeof(rest), "/policy/%s", statements[i].id);
		if (!path_of(a, NULL, rest, path, sizeof(path)))
			return usage_error("url", "the qualifier is too long");
		rc = request_may_miss(&r, "url delete", "DELETE", path, &missing);
		if (missing)
			rc = EX_FINE;
		reply_free(&r);
	}
	return rc;
}

/* Once the URL is there: a refused one leaves the policy as it was. */
static int open_to_everybody(const struct url_args *a)
{
	int rc = allow_nobody(a); /* what there is from before */

	return rc == EX_FINE ? allow_everybody(a) : rc;
}

static void show(json_t *url)
{
	if (G.json)
		print_json(url);
	else
		printf("%s\n", json_string_value(json_object_get(url, "FunctionUrl")));
}

static int list(const struct url_args *a)
{
	static const struct column columns[] = {{"URL", "FunctionUrl"}, {"AUTH", "AuthType"}, {"MODE", "InvokeMode"}, {"FUNCTION", "FunctionArn"}};
	fn_auto(decref) json_t *all = json_array(), *whole = json_object();
	char path[2048];
	int rc;

	snprintf(path, sizeof(path), "%s", function_path_since("2021-10-31", a->function, "/urls"));
	json_object_set(whole, "FunctionUrlConfigs", all);
	rc = request_pages("url list", path, "FunctionUrlConfigs", all);
	if (rc == EX_FINE && G.json)
		print_json(whole);
	else if (rc == EX_FINE && json_array_size(all) == 0)
		printf("No URLs yet. Make one: fnctl url create %s\n", a->function);
	else if (rc == EX_FINE)
		print_table(all, columns, sizeof(columns) / sizeof(columns[0]));
	return rc;
}

static int change(const struct url_args *a)
{
	fn_auto(decref) json_t *body = NULL;
	bool create = fn_streq(a->verb, "create"), gone = fn_streq(a->verb, "delete");
	char path[2048], operation[24];
	struct reply r;
	int rc = EX_FINE;

	if (!path_of(a, "2021-10-31", "/url", path, sizeof(path)))
		return usage_error("url", "the qualifier is too long");
	if (create) {
		body = json_pack("{ss,ss}", "AuthType", a->iam ? "AWS_IAM" : "NONE", "InvokeMode", a->stream ? "RESPONSE_STREAM" : "BUFFERED");
		if (json_array_size(a->origins) > 0)
			json_object_set_new(body, "Cors", json_pack("{sO,s[s],s[s]}", "AllowOrigins", a->origins, "AllowMethods", "*", "AllowHeaders", "*"));
	} else if (gone) {
		rc = allow_nobody(a);
	}
	if (rc != EX_FINE)
		return rc;
	snprintf(operation, sizeof(operation), "url %s", a->verb);
	rc = request_json(&r, operation, create ? "POST" : gone ? "DELETE" : "GET", path, body);
	if (rc == EX_FINE && create && !a->iam && (rc = open_to_everybody(a)) != EX_FINE) {
		struct reply undone;

		(void)allow_nobody(a);
		(void)request_json(&undone, "url create", "DELETE", path, NULL);
		reply_free(&undone);
	}
	if (rc == EX_FINE && !gone)
		show(r.json);
	else if (rc == EX_FINE && !G.json)
		printf("The URL of %s%s%s is deleted.\n", a->function, a->qualifier ? ":" : "", a->qualifier ? a->qualifier : "");
	reply_free(&r);
	return rc;
}

int cmd_url(int argc, char **argv)
{
	struct url_args a = {.origins = json_array()};
	int rc = parse(argc, argv, &a);

	if (rc == EX_FINE)
		rc = fn_streq(a.verb, "list") ? list(&a) : change(&a);
	json_decref(a.origins);
	return rc;
}
