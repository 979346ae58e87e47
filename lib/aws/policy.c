/* policy.c - see policy.h. */
#include "aws/policy.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

/* Principal as AddPermission takes it, as a statement has it: "*", a service's name, an account, an ARN. NULL = it is none of these. */
static json_t *principal_of(const char *given)
{
	if (fn_streq(given, "*"))
		return json_string("*");
	if (strlen(given) == 12 && strspn(given, "0123456789") == 12)
		return json_pack("{s:o}", "AWS", json_sprintf("arn:aws:iam::%s:root", given));
	if (fn_str_starts(given, "arn:"))
		return strstr(given, ":iam::") || strstr(given, ":sts::") ? json_pack("{ss}", "AWS", given) : NULL;
	if (fn_str_ends(given, ".amazonaws.com") || fn_str_ends(given, ".amazon.com") || fn_str_ends(given, ".amazonaws.com.cn"))
		return json_pack("{ss}", "Service", given);
	return NULL;
}

static void put(json_t *o, const char *key, json_t *value)
{
	if (value)
		json_object_set(o, key, value);
}

/* In the order in which the service tells them. */
static json_t *conditions(json_t *request)
{
	json_t *all = json_object(), *equals = json_object(), *via = json_object_get(request, "InvokedViaFunctionUrl"), *arn = json_object_get(request, "SourceArn");

	put(equals, "AWS:SourceAccount", json_object_get(request, "SourceAccount"));
	put(equals, "lambda:FunctionUrlAuthType", json_object_get(request, "FunctionUrlAuthType"));
	put(equals, "aws:PrincipalOrgID", json_object_get(request, "PrincipalOrgID"));
	put(equals, "lambda:EventSourceToken", json_object_get(request, "EventSourceToken"));
	if (json_object_size(equals) > 0)
		json_object_set(all, "StringEquals", equals);
	json_decref(equals);
	if (json_is_boolean(via))
		json_object_set_new(all, "Bool", json_pack("{ss}", "lambda:InvokedViaFunctionUrl", json_is_true(via) ? "true" : "false"));
	if (arn)
		json_object_set_new(all, "ArnLike", json_pack("{sO}", "AWS:SourceArn", arn));
	return all;
}

json_t *fn_policy_statement(json_t *request, const char *resource)
{
	json_t *principal = principal_of(json_string_value(json_object_get(request, "Principal"))), *o, *condition;

	if (!principal)
		return NULL;
	o = json_pack("{sO,ss,so,sO,ss}", "Sid", json_object_get(request, "StatementId"), "Effect", "Allow", "Principal", principal, "Action",
		      json_object_get(request, "Action"), "Resource", resource);
	condition = conditions(request);
	if (json_object_size(condition) > 0)
		json_object_set(o, "Condition", condition);
	json_decref(condition);
	return o;
}

int fn_policy_find(json_t *statements, const char *sid)
{
	json_t *s;
	size_t i;

	json_array_foreach(statements, i, s)
		if (fn_streq(json_string_value(json_object_get(s, "Sid")), sid))
			return (int)i;
	return -ENOENT;
}

static bool is_everybody(json_t *principal)
{
	return fn_streq(json_string_value(principal), "*") || fn_streq(json_string_value(json_object_get(principal, "AWS")), "*");
}

/* Does it hold of a request that somebody without credentials makes by a URL? What it asks for beyond that, no such request has. */
static bool condition_holds(json_t *condition, const char *auth_type)
{
	const char *operator, *key;
	json_t *tests, *value;

	json_object_foreach(condition, operator, tests)
		json_object_foreach(tests, key, value) {
			const char *text = json_string_value(value);

			if (fn_streq(operator, "StringEquals") && strcasecmp(key, "lambda:FunctionUrlAuthType") == 0 && fn_streq(text, auth_type))
				continue;
			if (fn_streq(operator, "Bool") && strcasecmp(key, "lambda:InvokedViaFunctionUrl") == 0 && fn_streq(text, "true"))
				continue;
			return false;
		}
	return true;
}

static bool names(const char *action, const char *wanted) { return fn_streq(action, "*") || fn_streq(action, "lambda:*") || (action && strcasecmp(action, wanted) == 0); }

unsigned fn_policy_url_missing(json_t *statements, const char *auth_type)
{
	unsigned missing = FN_POLICY_INVOKE_URL | FN_POLICY_INVOKE_FUNCTION;
	json_t *s;
	size_t i;

	json_array_foreach(statements, i, s) {
		const char *action = json_string_value(json_object_get(s, "Action"));

		if (!is_everybody(json_object_get(s, "Principal")) || !condition_holds(json_object_get(s, "Condition"), auth_type))
			continue;
		if (names(action, "lambda:InvokeFunctionUrl"))
			missing &= ~(unsigned)FN_POLICY_INVOKE_URL;
		if (names(action, "lambda:InvokeFunction"))
			missing &= ~(unsigned)FN_POLICY_INVOKE_FUNCTION;
	}
	return missing;
}

const char *fn_policy_url_missing_text(unsigned missing)
{
	switch (missing) {
	case 0:
		return "";
	case FN_POLICY_INVOKE_URL:
		return "lambda:InvokeFunctionUrl for principal * with FunctionUrlAuthType NONE";
	case FN_POLICY_INVOKE_FUNCTION:
		return "lambda:InvokeFunction for principal * with InvokedViaFunctionUrl";
	default:
		return "lambda:InvokeFunctionUrl for principal * with FunctionUrlAuthType NONE, and lambda:InvokeFunction for principal * with InvokedViaFunctionUrl";
	}
}
