/* policy.c - AddPermission and RemovePermission: statements of a queue's policy. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "sqs/internal.h"

#define ACTIONS_MAX 7

static const char *const actions[] = {"*", "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues",
				      "PurgeQueue", NULL};

static bool is_label(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_')
			return false;
	return n >= 1 && n <= 80;
}

static bool is_action(const char *s)
{
	for (size_t i = 0; s && actions[i]; i++)
		if (strcmp(actions[i], s) == 0)
			return true;
	return false;
}

/* One alone stands for itself, as the service writes it. */
static json_t *one_or_all(json_t *list)
{
	json_t *only = json_array_size(list) == 1 ? json_incref(json_array_get(list, 0)) : NULL;

	if (!only)
		return list;
	json_decref(list);
	return only;
}

static json_t *statement(struct fn_sqs_call *call, const char *label, struct fn_sqs_problem *p)
{
	json_t *accounts = json_array(), *allowed = json_array(), *v;
	char text[256];
	size_t i;

	i = json_array_size(json_object_get(call->in, "Actions"));
	if (i > ACTIONS_MAX) {
		(void)fn_sqs_wrong(p, &FN_SQS_OVER_LIMIT, "%zu Actions were found, maximum allowed is %d.", i, ACTIONS_MAX);
		goto refused;
	}
	json_array_foreach(json_object_get(call->in, "AWSAccountIds"), i, v)
	{
		const char *id = json_string_value(v);

		if (!id || strlen(id) != 12 || strspn(id, "0123456789") != 12) {
			fn_sqs_bad_value(p, "PrincipalId", id ? id : "", "Unable to verify.");
			goto refused;
		}
		snprintf(text, sizeof(text), "arn:aws:iam::%s:root", id);
		(void)json_array_append_new(accounts, json_string(text));
	}
	json_array_foreach(json_object_get(call->in, "Actions"), i, v)
	{
		const char *action = json_string_value(v);

		if (!is_action(action)) {
			fn_sqs_bad_value(p, "ActionName", action ? action : "", "Only the queue owner is allowed to invoke this action.");
			goto refused;
		}
		snprintf(text, sizeof(text), "SQS:%s", action);
		(void)json_array_append_new(allowed, json_string(text));
	}
	if (json_array_size(accounts) == 0 || json_array_size(allowed) == 0) {
		(void)fn_sqs_wrong(p, &FN_SQS_MISSING, "The request must contain the parameter %s.", json_array_size(accounts) ? "Actions" : "PrincipalId");
		goto refused;
	}
	(void)fn_sqs_arn(call->sqs, call->queue->name, text, sizeof(text));
	return json_pack("{s:s, s:s, s:{s:o}, s:o, s:s}", "Sid", label, "Effect", "Allow", "Principal", "AWS", one_or_all(accounts), "Action", one_or_all(allowed), "Resource", text);
refused:
	json_decref(accounts);
	json_decref(allowed);
	return NULL;
}

static json_t *policy_of(const json_t *config)
{
	const char *text = fn_sqs_text(json_object_get(config, "Attributes"), "Policy");

	return text ? json_loads(text, 0, NULL) : NULL;
}

static size_t index_of(const json_t *statements, const char *label)
{
	json_t *v;
	size_t i;

	json_array_foreach((json_t *)statements, i, v)
		if (fn_streq(fn_sqs_text(v, "Sid"), label))
			return i;
	return SIZE_MAX;
}

static void store(struct fn_sqs_call *call, json_t *config, json_t *policy)
{
	json_t *attributes = json_object_get(config, "Attributes");
	fn_auto_free char *text = json_array_size(json_object_get(policy, "Statement")) ? json_dumps(policy, JSON_COMPACT) : NULL;

	if (text)
		(void)json_object_set_new(attributes, "Policy", json_string(text));
	else
		(void)json_object_del(attributes, "Policy");
	(void)json_object_set_new(config, "Modified", json_integer((json_int_t)(fn_clock_real_us() / 1000000)));
	json_decref(policy);
	fn_sqs_store(call, call->queue, config, NULL);
}

void fn_sqs_h_add_permission(struct fn_sqs_call *call)
{
	const char *label = fn_sqs_text(call->in, "Label");
	json_t *config, *policy, *statements, *s;
	struct fn_sqs_problem p;
	char id[320];

	if (!label || !is_label(label)) {
		fn_sqs_bad_value(&p, "Label", label ? label : "", "Must contain only alphanumeric characters, hyphens, or underscores, 1 to 80 in length.");
		fn_sqs_fail_with(call, &p);
		return;
	}
	if (!(s = statement(call, label, &p))) {
		fn_sqs_fail_with(call, &p);
		return;
	}
	config = fn_sqs_config_copy(call->queue);
	policy = policy_of(config);
	if (!policy) {
		(void)fn_sqs_arn(call->sqs, call->queue->name, id, sizeof(id) - 32);
		strcat(id, "/SQSDefaultPolicy");
		policy = json_pack("{s:s, s:s, s:[]}", "Version", "2008-10-17", "Id", id, "Statement");
	}
	statements = json_object_get(policy, "Statement");
	if (json_is_object(statements)) {
		statements = json_pack("[O]", statements);
		(void)json_object_set_new(policy, "Statement", statements);
	}
	if (index_of(statements, label) != SIZE_MAX || json_array_append(statements, s) < 0) {
		json_decref(config);
		json_decref(policy);
		json_decref(s);
		fn_sqs_bad_value(&p, "Label", label, "Already exists.");
		fn_sqs_fail_with(call, &p);
		return;
	}
	json_decref(s);
	store(call, config, policy);
}

void fn_sqs_h_remove_permission(struct fn_sqs_call *call)
{
	const char *label = fn_sqs_text(call->in, "Label");
	json_t *config = fn_sqs_config_copy(call->queue), *policy = policy_of(config), *statements = json_object_get(policy, "Statement");
	size_t i = label ? index_of(statements, label) : SIZE_MAX;
	struct fn_sqs_problem p;

	if (i == SIZE_MAX) {
		json_decref(config);
		json_decref(policy);
		fn_sqs_bad_value(&p, "Label", label ? label : "", "can't find label on existing policy.");
		fn_sqs_fail_with(call, &p);
		return;
	}
	(void)json_array_remove(statements, i);
	store(call, config, policy);
}
