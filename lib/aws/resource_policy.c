/* resource_policy.c - see resource_policy.h. */
#include "aws/resource_policy.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/str.h"

#define TAG "aws:principaltag/"

const char *const fn_iam_moves[FN_IAM_MOVES] = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"};

struct asking {
	struct fn_iam_principal who;
	json_t *context;
	char account[16], role[300], now[32];
};

static const char *known(const struct asking *a, const char *key) { return json_string_value(json_object_get(a->context, key)); }

/* Whom an ARN names: arn:aws:iam::ACCOUNT:root, ...:user/NAME, arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION. Of a role's path the context alone tells. */
static void read_principal(struct asking *a, const char *arn)
{
	const char *account = fn_str_starts(arn, "arn:aws:iam::") || fn_str_starts(arn, "arn:aws:sts::") ? arn + strlen("arn:aws:iam::") : NULL;
	const char *what = account && strlen(account) > 13 ? account + 13 : "", *session;

	a->who = (struct fn_iam_principal){.type = *arn ? FN_IAM_SERVICE : FN_IAM_ANONYMOUS, .arn = arn, .of = arn, .account = ""};
	if (!*what)
		return;
	(void)fn_str_format(a->account, sizeof(a->account), "%.12s", account);
	a->who.account = a->account;
	a->who.type = strcmp(what, "root") == 0 ? FN_IAM_ROOT : FN_IAM_USER;
	if (!fn_str_starts(what, "assumed-role/") || !(session = strchr(what + strlen("assumed-role/"), '/')))
		return;
	a->who.type = FN_IAM_SESSION;
	what += strlen("assumed-role/");
	if (known(a, "aws:principalarn"))
		a->who.of = known(a, "aws:principalarn");
	else if (fn_str_format(a->role, sizeof(a->role), "arn:aws:iam::%s:role/%.*s", a->account, (int)(session - what), what) == 0)
		a->who.of = a->role;
}

/* As the names of tags are looked for: whatever their case. */
static const char *tag(const struct asking *a, const char *key)
{
	const char *k;
	json_t *v;

	json_object_foreach(a->context, k, v)
		if (strcasecmp(k, key) == 0)
			return json_string_value(v);
	return NULL;
}

static const char *value(void *arg, const char *key, unsigned nth)
{
	struct asking *a = arg;
	bool somebody = a->who.type != FN_IAM_SERVICE && a->who.type != FN_IAM_ANONYMOUS;
	time_t t = time(NULL);
	struct tm tm;

	if (nth > 0)
		return NULL;
	if (strcmp(key, "aws:currenttime") == 0) {
		strftime(a->now, sizeof(a->now), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
		return a->now;
	}
	if (strcmp(key, "aws:epochtime") == 0) {
		snprintf(a->now, sizeof(a->now), "%lld", (long long)t);
		return a->now;
	}
	if (strcmp(key, "aws:principalisawsservice") == 0)
		return a->who.type == FN_IAM_SERVICE ? "true" : "false";
	if (strcmp(key, "aws:principalarn") == 0)
		return somebody ? a->who.of : NULL;
	if (strcmp(key, "aws:principalaccount") == 0)
		return *a->account ? a->account : NULL;
	return strncmp(key, TAG, strlen(TAG)) == 0 ? tag(a, key) : known(a, key);
}

bool fn_iam_resource_allows(const struct fn_iam_asker *who, const char *action, const char *resource, const struct fn_iam_document *policy)
{
	enum fn_iam_says says = FN_IAM_NOTHING;
	struct asking a = {.now = ""};
	const struct fn_iam_request r = {action, resource, &a.who, {value, &a}};
	bool readable = true;

	if (policy && !fn_str_empty(who->context)) {
		a.context = json_loads(who->context, 0, NULL);
		readable = json_is_object(a.context);
	}
	read_principal(&a, who->principal);
	if (policy && readable)
		says = fn_iam_document_says(policy, &r);
	json_decref(a.context);
	if (a.who.type == FN_IAM_ROOT)
		return true;
	if (!readable || says == FN_IAM_DENIED || strcmp(who->identity, "deny") == 0)
		return false;
	if (says == FN_IAM_NAMED) /* whoever asks, by name: what limits their role or session does not limit that */
		return true;
	return strcmp(who->identity, "allow") == 0 || (says == FN_IAM_ROLE && strcmp(who->identity, "none") == 0);
}
