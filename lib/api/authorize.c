/* authorize.c - see authorize.h. */
#include "api/authorize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/context.h"
#include "api/layers.h"
#include "aws/resource_policy.h"
#include "aws/validate.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "store/policies.h"

#define ARN_SIZE 2100
#define REFUSED_MAX 1000 /* that the log has been told of */

struct asked {
	char action[96], resource[ARN_SIZE];
	char function[FN_NAME_MAX + 6], qualifier[132]; /* whose policy is about it; "" = nobody's */
};

static const char *in(const struct fn_call *call, const char *member) { return json_string_value(json_object_get(call->in, member)); }

static bool has(const struct fn_call *call, const char *label) { return strstr(call->operation->uri, label) != NULL; }

/* --- Lambda --- */
static void of_function(struct fn_call *call, const char *text, struct asked *a)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	const char *q = fn_http_req_query(call->req, "Qualifier");
	struct fn_name n;

	if (!text || fn_name_parse(text, &n) < 0)
		return;
	if (q && !n.qualifier[0])
		(void)fn_str_format(n.qualifier, sizeof(n.qualifier), "%s", q);
	fn_arn_format(a->resource, sizeof(a->resource), n.region[0] ? n.region : cfg->region, n.account[0] ? n.account : cfg->account_id, n.name, n.qualifier);
	memcpy(a->function, n.name, sizeof(a->function));
	memcpy(a->qualifier, n.qualifier, sizeof(a->qualifier));
}

static void of_layer(struct fn_call *call, struct asked *a)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	bool arn = fn_str_starts(call->params[0], "arn:");

	(void)fn_str_format(a->resource, sizeof(a->resource), "%s%s%s%s", arn ? "" : "arn:aws:lambda:", arn ? "" : cfg->region, arn ? "" : ":", arn ? call->params[0] : "");
	if (!arn)
		(void)fn_str_format(a->resource, sizeof(a->resource), "arn:aws:lambda:%s:%s:layer:%s", cfg->region, cfg->account_id, call->params[0]);
	if (has(call, "{VersionNumber}"))
		(void)snprintf(a->resource + strlen(a->resource), sizeof(a->resource) - strlen(a->resource), ":%s", call->params[1]);
}

static void of_lambda(struct fn_call *call, struct asked *a)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	const char *name = call->operation->name, *arn;

	switch (fn_aws_op_of(call->operation)) {
	case FN_AWS_Invoke:
	case FN_AWS_InvokeWithResponseStream:
		name = "InvokeFunction";
		break;
	case FN_AWS_GetLayerVersionByArn:
		name = "GetLayerVersion";
		arn = fn_http_req_query(call->req, "Arn");
		(void)fn_str_format(a->resource, sizeof(a->resource), "%s", arn ? arn : "*");
		break;
	default:
		break;
	}
	(void)fn_str_format(a->action, sizeof(a->action), "lambda:%s", name);
	if (has(call, "{FunctionName}"))
		of_function(call, call->params[0], a);
	else if (fn_aws_op_of(call->operation) == FN_AWS_CreateFunction)
		of_function(call, in(call, "FunctionName"), a);
	else if (has(call, "{LayerName}"))
		of_layer(call, a);
	else if (has(call, "{UUID}"))
		(void)fn_str_format(a->resource, sizeof(a->resource), "arn:aws:lambda:%s:%s:event-source-mapping:%s", cfg->region, cfg->account_id, call->params[0]);
	else if (has(call, "{Resource}") || has(call, "{ResourceArn}") || has(call, "{CodeSigningConfigArn}"))
		(void)fn_str_format(a->resource, sizeof(a->resource), "%s", call->params[0]);
}

/* --- CloudWatch Logs --- */
/* group: a name or an ARN; NULL = none is named. */
static void of_group(struct fn_call *call, const char *group, struct asked *a)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	const char *stream = in(call, "logStreamName");
	char name[600] = "";

	(void)fn_str_format(a->action, sizeof(a->action), "logs:%s", call->operation->name);
	if (group && fn_str_starts(group, "arn:")) {
		const char *at = strstr(group, ":log-group:");

		(void)fn_str_format(name, sizeof(name), "%.*s", at ? (int)strcspn(at + 11, ":") : 0, at ? at + 11 : "");
	} else {
		(void)fn_str_format(name, sizeof(name), "%s", group ? group : "");
	}
	(void)fn_str_format(a->resource, sizeof(a->resource), "arn:aws:logs:%s:%s:log-group:%s:log-stream:%s", cfg->region, cfg->account_id, name, stream ? stream : "");
}

static const char *nth_group(const struct fn_call *call, size_t i) { return json_string_value(json_array_get(json_object_get(call->in, "logGroupIdentifiers"), i)); }

static void of_logs(struct fn_call *call, struct asked *a)
{
	const char *group = in(call, "logGroupName");

	group = group ? group : in(call, "logGroupIdentifier");
	group = group ? group : in(call, "resourceArn");
	of_group(call, group ? group : nth_group(call, 0), a);
}

/* --- SQS --- */
/* A batch's action is that of its entries. */
static const struct {
	enum fn_aws_op op;
	const char *action;
} batches[] = {
	{FN_AWS_Sqs_SendMessageBatch, "SendMessage"},
	{FN_AWS_Sqs_DeleteMessageBatch, "DeleteMessage"},
	{FN_AWS_Sqs_ChangeMessageVisibilityBatch, "ChangeMessageVisibility"},
};

/* A handle names its task's source (lib/sqs/moves.c), and is good for that one's alone. */
static void of_task(const char *handle, struct asked *a)
{
	fn_auto_free uint8_t *text = NULL;
	size_t len = 0;
	json_auto_t *task = handle && fn_base64_decode(handle, strlen(handle), &text, &len) == 0 ? json_loadb((char *)text, len, 0, NULL) : NULL;
	const char *arn = json_string_value(json_object_get(task, "sourceArn"));

	(void)fn_str_format(a->resource, sizeof(a->resource), "%s", arn ? arn : "*");
}

static void of_sqs(struct fn_call *call, struct asked *a)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	const char *url = in(call, "QueueUrl"), *name = in(call, "QueueName"), *action = call->operation->name, *arn = in(call, "SourceArn");

	for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++)
		if (batches[i].op == fn_aws_op_of(call->operation))
			action = batches[i].action;
	(void)fn_str_format(a->action, sizeof(a->action), "sqs:%s", action);
	if (url && strrchr(url, '/'))
		name = strrchr(url, '/') + 1;
	if (fn_aws_op_of(call->operation) == FN_AWS_Sqs_CancelMessageMoveTask)
		of_task(in(call, "TaskHandle"), a);
	if (name)
		(void)fn_str_format(a->resource, sizeof(a->resource), "arn:aws:sqs:%s:%s:%s", cfg->region, cfg->account_id, name);
	else if (arn)
		(void)fn_str_format(a->resource, sizeof(a->resource), "%s", arn);
}

/* --- IAM, STS --- */
static void of_entity(struct fn_call *call, enum fn_entity_kind kind, const char *what, const char *name, struct asked *a)
{
	const struct fn_entity *e = fn_store_entity(call->api->cfg.store, kind, name);
	const char *path = in(call, "Path");

	if (e)
		(void)fn_str_format(a->resource, sizeof(a->resource), "%s", json_string_value(json_object_get(e->record, "Arn")));
	else
		(void)fn_str_format(a->resource, sizeof(a->resource), "arn:aws:iam::%s:%s%s%s", call->api->cfg.account_id, what, path ? path : "/", name);
}

static void of_iam(struct fn_call *call, struct asked *a)
{
	const char *arn = in(call, call->service == FN_AWS_STS ? "RoleArn" : "PolicyArn");

	(void)fn_str_format(a->action, sizeof(a->action), "%s:%s", fn_aws_service(call->operation->service)->name, call->operation->name);
	if (in(call, "InstanceProfileName"))
		of_entity(call, FN_ENTITY_PROFILE, "instance-profile", in(call, "InstanceProfileName"), a);
	else if (in(call, "RoleName"))
		of_entity(call, FN_ENTITY_ROLE, "role", in(call, "RoleName"), a);
	else if (in(call, "UserName"))
		of_entity(call, FN_ENTITY_USER, "user", in(call, "UserName"), a);
	else if (fn_aws_op_of(call->operation) == FN_AWS_Iam_CreatePolicy && in(call, "PolicyName"))
		of_entity(call, FN_ENTITY_POLICY, "policy", in(call, "PolicyName"), a);
	else if (arn)
		(void)fn_str_format(a->resource, sizeof(a->resource), "%s", arn);
	else if (call->caller && call->caller->username && fn_str_ends(call->operation->uri, "/") && strstr(call->operation->name, "AccessKey"))
		(void)fn_str_format(a->resource, sizeof(a->resource), "%s", call->caller->who.arn);
}

static struct asked *ask(struct fn_call *call, struct asked *a)
{
	a->function[0] = a->qualifier[0] = '\0';
	strcpy(a->resource, "*");
	switch (call->operation->service) {
	case FN_AWS_LAMBDA:
		of_lambda(call, a);
		break;
	case FN_AWS_LOGS:
		of_logs(call, a);
		break;
	case FN_AWS_SQS:
		of_sqs(call, a);
		break;
	case FN_AWS_IAM:
	case FN_AWS_STS:
		of_iam(call, a);
		break;
	default:
		(void)fn_str_format(a->action, sizeof(a->action), "fnd:%s", call->operation->name + (call->operation->name[0] == '_'));
	}
	return a;
}

/* --- judging --- */
/* Once for each role and action. */
static void log_refusal(struct fn_api *api, const struct fn_caller *c, const char *action, const char *why)
{
	char key[900];

	snprintf(key, sizeof(key), "%s %s", c->who.of, action);
	if ((!api->refused && fn_map_new(&api->refused) < 0) || fn_map_get(api->refused, key) || fn_map_count(api->refused) >= REFUSED_MAX)
		return;
	(void)fn_map_set(api->refused, key, api, NULL);
	fn_log_warn("%s %s: %s%s", c->who.of, action, why, c->entity ? "" : c->distrusted ? ". The role's trust policy does not let lambda.amazonaws.com assume it" : ". The role is not known here: iam create-role makes it");
}

static const struct fn_iam_document *resource_document(struct fn_call *call, const struct asked *a, bool *ret_must)
{
	const struct fn_entity *role;

	*ret_must = false;
	if (fn_aws_op_of(call->operation) == FN_AWS_Sts_AssumeRole) {
		*ret_must = true;
		role = fn_store_entity_by_arn(call->api->cfg.store, FN_ENTITY_ROLE, in(call, "RoleArn"));
		return role ? role->own : NULL;
	}
	return a->function[0] ? fn_store_policy_document(call->api->cfg.store, a->function, a->qualifier) : NULL;
}

/* NULL: the version has no policy, or is not there. */
static struct fn_iam_document *layer_document(struct fn_call *call, const char *arn)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	const struct fn_layer_version *v = NULL;
	struct fn_iam_document *d = NULL;
	fn_auto_buf struct fn_buf why = {0};
	struct fn_layer_name n;

	if (fn_layer_name_parse(arn, &n) == 0 && fn_layer_name_key(&n, cfg->region, cfg->account_id))
		v = fn_store_layer_version(cfg->store, n.key, n.version);
	if (v) {
		json_auto_t *policy = fn_layer_policy(call->api, v);

		(void)(policy && fn_iam_document_of(policy, FN_IAM_RESOURCE, &d, &why) < 0);
	}
	return d;
}

static enum fn_iam_verdict judge(struct fn_call *call, const struct fn_caller *caller, const struct asked *a, struct fn_context *x, struct fn_iam_request *r)
{
	bool must;
	struct fn_iam_document *of_layer = strcmp(a->action, "lambda:GetLayerVersion") == 0 ? layer_document(call, a->resource) : NULL;
	const struct fn_iam_document *resource = of_layer ? of_layer : resource_document(call, a, &must);
	enum fn_iam_verdict v;

	x->call = call;
	x->caller = caller;
	*r = (struct fn_iam_request){a->action, a->resource, &caller->who, fn_context_of(x)};
	v = fn_caller_judge(call->api, caller, resource, !of_layer && must, r);
	fn_iam_document_free(of_layer);
	return v;
}

static bool may_in(struct fn_call *call, const struct asked *a, struct fn_context x)
{
	fn_auto_buf struct fn_buf why = {0};
	struct fn_iam_request r;
	enum fn_iam_verdict v = judge(call, call->caller, a, &x, &r);

	if (v == FN_IAM_ALLOWED)
		return true;
	fn_iam_explain(&why, v, &r);
	log_refusal(call->api, call->caller, a->action, why.data ? why.data : "");
	fn_reply_error(call, &FN_E_ACCESS_DENIED, "%s", why.data ? why.data : "");
	return false;
}

static bool may(struct fn_call *call, const struct asked *a, const char *passed_to) { return may_in(call, a, (struct fn_context){.passed_to = passed_to}); }

/* A mapping is taken from one function and given to another: whoever does it must be able to change both's. */
static bool may_take(struct fn_call *call, const struct asked *a)
{
	return fn_str_empty(call->mapping_function) || !in(call, "FunctionName") || may_in(call, a, (struct fn_context){.function = call->mapping_function});
}

/* What everybody may who is somebody. */
static bool is_free(const struct fn_call *call)
{
	enum fn_aws_op op = fn_aws_op_of(call->operation);

	return op == FN_AWS_Sts_GetCallerIdentity || (op == FN_AWS_Sts_GetSessionToken && call->caller->who.type == FN_IAM_USER) || op == FN_AWS_Download;
}

/* A role is handed to a function: iam:PassRole. */
static bool passes(struct fn_call *call)
{
	enum fn_aws_op op = fn_aws_op_of(call->operation);
	const char *role = op == FN_AWS_CreateFunction || op == FN_AWS_UpdateFunctionConfiguration ? in(call, "Role") : NULL;
	struct asked a = {.action = "iam:PassRole"};

	if (!role)
		return true;
	(void)fn_str_format(a.resource, sizeof(a.resource), "%s", role);
	return may(call, &a, "lambda.amazonaws.com");
}

/* The layers that a function is to have. */
static bool may_layers(struct fn_call *call)
{
	enum fn_aws_op op = fn_aws_op_of(call->operation);
	json_t *list = op == FN_AWS_CreateFunction || op == FN_AWS_UpdateFunctionConfiguration ? json_object_get(call->in, "Layers") : NULL, *arn;
	size_t i;

	json_array_foreach(list, i, arn) {
		struct asked a = {.action = "lambda:GetLayerVersion"};

		(void)fn_str_format(a.resource, sizeof(a.resource), "%s", json_string_value(arn));
		if (!may(call, &a, NULL))
			return false;
	}
	return true;
}

/* The package that fnd is to get, with keys of its own: whoever names it must be able to read it. In Lambda's words. */
static bool may_read(struct fn_call *call)
{
	json_t *code = json_object_get(call->in, "Code"), *content = json_object_get(call->in, "Content"), *from = code ? code : content ? content : call->in;
	const char *bucket = json_string_value(json_object_get(from, "S3Bucket")), *key = json_string_value(json_object_get(from, "S3Key"));
	struct fn_context x = {0};
	struct fn_iam_request r;
	struct asked a = {0};

	if (call->operation->service != FN_AWS_LAMBDA || !bucket || !key)
		return true;
	(void)fn_str_format(a.action, sizeof(a.action), "s3:GetObject%s", json_object_get(from, "S3ObjectVersion") ? "Version" : "");
	(void)fn_str_format(a.resource, sizeof(a.resource), "arn:aws:s3:::%s/%s", bucket, key);
	if (judge(call, call->caller, &a, &x, &r) == FN_IAM_ALLOWED)
		return true;
	fn_reply_error(call, &FN_E_ACCESS_DENIED,
		       "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for %s/%s. S3 Error Code: AccessDenied. S3 Error Message: "
		       "Access Denied", bucket, key);
	return false;
}

/* The groups that are named beside the first. */
static bool may_others(struct fn_call *call)
{
	const char *group;

	for (size_t i = 1; call->operation->service == FN_AWS_LOGS && (group = nth_group(call, i)); i++) {
		struct asked a = {.function = ""};

		of_group(call, group, &a);
		if (!may(call, &a, NULL))
			return false;
	}
	return true;
}

/* A session that is to have tags, those that the calling one passes on among them: sts:TagSession beside sts:AssumeRole, of whoever asks and by the role's trust policy. */
static bool tags_session(const struct fn_call *call)
{
	const struct fn_session *s = call->caller ? call->caller->session : NULL;

	return fn_aws_op_of(call->operation) == FN_AWS_Sts_AssumeRole &&
	       (json_array_size(json_object_get(call->in, "Tags")) > 0 || (s && json_array_size(json_object_get(s->claims, "Transitive")) > 0));
}

static bool may_tag(struct fn_call *call)
{
	struct asked a;

	if (!tags_session(call))
		return true;
	(void)ask(call, &a);
	(void)fn_str_format(a.action, sizeof(a.action), "sts:TagSession");
	return may(call, &a, NULL);
}

/* The trust policy of a role is looked at for root, too, where anything is. */
static bool root_may(struct fn_call *call)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	char arn[64];
	struct fn_caller root = {.who = {.type = FN_IAM_ROOT, .account = cfg->account_id}};
	struct fn_context x = {0};
	fn_auto_buf struct fn_buf why = {0};
	struct fn_iam_request r;
	struct asked a;
	enum fn_iam_verdict v;

	if (fn_aws_op_of(call->operation) != FN_AWS_Sts_AssumeRole || cfg->n_credentials == 0)
		return true;
	snprintf(arn, sizeof(arn), "arn:aws:iam::%s:root", cfg->account_id);
	root.who.arn = root.who.of = arn;
	v = judge(call, &root, ask(call, &a), &x, &r);
	if ((v == FN_IAM_ALLOWED || v == FN_IAM_NO_IDENTITY) && tags_session(call)) {
		(void)fn_str_format(a.action, sizeof(a.action), "sts:TagSession");
		v = judge(call, &root, &a, &x, &r);
	}
	if (v == FN_IAM_ALLOWED || v == FN_IAM_NO_IDENTITY)
		return true;
	fn_iam_explain(&why, v, &r);
	fn_reply_error(call, &FN_E_ACCESS_DENIED, "%s", why.data ? why.data : "");
	return false;
}

/* What is no ARN is refused as such, whoever asks. */
static bool role_formed(struct fn_call *call)
{
	const char *arn = fn_aws_op_of(call->operation) == FN_AWS_Sts_AssumeRole ? in(call, "RoleArn") : NULL, *at = arn;
	size_t lens[5] = {0};
	unsigned n = 0;

	for (; at && n < 5; n++) { /* arn, partition, service, region, account */
		lens[n] = strcspn(at, ":");
		if (!at[lens[n]])
			break;
		at += lens[n] + 1;
	}
	if (!arn || (n == 5 && fn_str_starts(arn, "arn:") && lens[1] > 0 && lens[2] > 0 && *at))
		return true;
	fn_reply_error(call, &FN_E_VALIDATION, "%s is invalid", arn);
	return false;
}

bool fn_call_allowed(struct fn_call *call)
{
	struct asked a;

	if (!role_formed(call))
		return false;
	if (!call->caller || call->caller->unjudged)
		return root_may(call);
	fn_aws_keep_members(call->operation, call->in);
	return is_free(call) || (may(call, ask(call, &a), NULL) && may_take(call, &a) && may_others(call) && may_tag(call) && passes(call) && may_layers(call) && may_read(call));
}

static enum fn_iam_identity says(struct fn_call *call, const char *action, const char *resource)
{
	struct fn_context x = {.call = call, .caller = call->caller};
	const struct fn_iam_request r = {action, resource, &call->caller->who, fn_context_of(&x)};

	return fn_caller_says(call->api, call->caller, &r);
}

enum fn_iam_identity fn_call_identity_says(struct fn_call *call)
{
	enum fn_iam_identity what, other;
	struct asked a;
	const char *to;

	if (!call->caller || call->caller->unjudged)
		return FN_IAM_IDENTITY_ALLOW;
	fn_aws_keep_members(call->operation, call->in);
	(void)ask(call, &a);
	what = says(call, a.action, a.resource);
	if (fn_aws_op_of(call->operation) != FN_AWS_Sqs_StartMessageMoveTask)
		return what;
	for (size_t i = 0; i < FN_IAM_MOVES; i++) {
		other = says(call, fn_iam_moves[i], a.resource);
		what = other < what ? other : what;
	}
	to = in(call, "DestinationArn"); /* whose policy nobody looks at */
	return !to || says(call, "sqs:SendMessage", to) == FN_IAM_IDENTITY_ALLOW ? what : FN_IAM_IDENTITY_DENY;
}

/* Since October 2025 both are asked for. */
bool fn_url_allowed(struct fn_call *call, const struct fn_caller *caller, const char *function, const char *qualifier, struct fn_buf *why)
{
	static const char *const actions[] = {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"};
	const struct fn_api_config *cfg = &call->api->cfg;
	struct fn_context x = {.url_auth = "AWS_IAM"};
	struct fn_iam_request r;
	enum fn_iam_verdict v = FN_IAM_ALLOWED;
	struct asked a;

	for (size_t i = 0; caller && i < 2 && v == FN_IAM_ALLOWED; i++) {
		(void)fn_str_format(a.action, sizeof(a.action), "%s", actions[i]);
		(void)fn_str_format(a.function, sizeof(a.function), "%s", function);
		(void)fn_str_format(a.qualifier, sizeof(a.qualifier), "%s", qualifier);
		fn_arn_format(a.resource, sizeof(a.resource), cfg->region, cfg->account_id, function, qualifier);
		v = judge(call, caller, &a, &x, &r);
		if (v != FN_IAM_ALLOWED) {
			fn_iam_explain(why, v, &r);
			log_refusal(call->api, caller, a.action, why->data ? why->data : "");
		}
	}
	return v == FN_IAM_ALLOWED;
}
