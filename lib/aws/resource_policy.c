/* resource_policy.c - see resource_policy.h. */
#include "aws/resource_policy.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "aws/document.h"
#include "base/cleanup.h"
#include "base/str.h"

struct asking {
	struct fn_iam_principal who;
	char account[16], role[300], now[32];
};

/* Whom an ARN names: arn:aws:iam::ACCOUNT:root, ...:user/NAME, arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION. */
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
	if (fn_str_format(a->role, sizeof(a->role), "arn:aws:iam::%s:role/%.*s", a->account, (int)(session - what), what) == 0)
		a->who.of = a->role;
}

static const char *value(void *arg, const char *key, unsigned nth)
{
	struct asking *a = arg;
	time_t t = time(NULL);
	struct tm tm;

	if (nth > 0)
		return NULL;
	if (strcmp(key, "aws:principalarn") == 0)
		return a->who.type == FN_IAM_SERVICE || a->who.type == FN_IAM_ANONYMOUS ? NULL : a->who.of;
	if (strcmp(key, "aws:principalaccount") == 0)
		return *a->account ? a->account : NULL;
	if (strcmp(key, "aws:securetransport") == 0 || strcmp(key, "aws:viaawsservice") == 0)
		return "false";
	if (strcmp(key, "aws:principalisawsservice") == 0)
		return a->who.type == FN_IAM_SERVICE ? "true" : "false";
	if (strcmp(key, "aws:currenttime") == 0) {
		strftime(a->now, sizeof(a->now), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
		return a->now;
	}
	return NULL;
}

bool fn_iam_resource_allows(const char *principal, const char *identity, const char *action, const char *resource, const json_t *policy)
{
	fn_auto_buf struct fn_buf why = {0};
	struct fn_iam_document *d = NULL;
	enum fn_iam_says says = FN_IAM_NOTHING;
	struct asking a = {.now = ""};
	const struct fn_iam_request r = {action, resource, &a.who, {value, &a}};

	read_principal(&a, principal);
	if (a.who.type == FN_IAM_ROOT)
		return true;
	if (strcmp(identity, "deny") == 0 || (policy && fn_iam_document_of((json_t *)policy, FN_IAM_RESOURCE, &d, &why) < 0))
		return false;
	if (d)
		says = fn_iam_document_says(d, &r);
	fn_iam_document_free(d);
	return says == FN_IAM_NAMED || says == FN_IAM_ROLE || (says != FN_IAM_DENIED && strcmp(identity, "allow") == 0);
}

bool fn_iam_resource_policy_fit(const json_t *policy, struct fn_buf *why)
{
	struct fn_iam_document *d = NULL;
	int r = fn_iam_document_of((json_t *)policy, FN_IAM_RESOURCE, &d, why);

	fn_iam_document_free(d);
	return r == 0;
}
