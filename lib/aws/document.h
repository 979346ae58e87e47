/*
 * document.h - policy documents of IAM, read once when they are put, and what they say of a request. Pure.
 * Sources: AWS IAM User Guide, "IAM JSON policy element reference", "Grammar of the IAM JSON policy language"; words of refusals as IAM has them.
 *
 * What cannot be judged is refused when the policy is put: operators and policy variables that are unknown, and in a statement about a service that is served here
 * (lambda, logs, sqs, iam, sts) condition keys that requests do not have here. Of other services nothing is ever asked.
 */
#ifndef FN_AWS_DOCUMENT_H
#define FN_AWS_DOCUMENT_H

#include "aws/condition.h"

enum fn_iam_kind {
	FN_IAM_IDENTITY, /* of a user, a role, a session: Resource, no Principal */
	FN_IAM_TRUST,    /* of a role, who may assume it: Principal, no Resource, actions of sts alone */
	FN_IAM_RESOURCE, /* of a function, a queue: Principal and Resource */
};

struct fn_iam_document;
/* A document's text. -EINVAL: why says what is malformed in it; -ENOMEM. */
int fn_iam_document_parse(const char *text, enum fn_iam_kind kind, struct fn_iam_document **ret, struct fn_buf *why);
int fn_iam_document_of(json_t *document, enum fn_iam_kind kind, struct fn_iam_document **ret, struct fn_buf *why);
/* May it be put? As above, and by what the service has come to refuse since documents that are stored were put: they are not looked at so. */
int fn_iam_document_check(const char *text, enum fn_iam_kind kind, struct fn_buf *why);
/* ids: {ARN: id} of principals in it, which mean from now on those alone who have these ids. Borrowed. */
void fn_iam_document_bind(struct fn_iam_document *d, const json_t *ids);
void fn_iam_document_free(struct fn_iam_document *d);
const struct fn_iam_document *fn_iam_nothing(void); /* one without statements */

/* Who asks. */
struct fn_iam_principal {
	enum { FN_IAM_ANONYMOUS, FN_IAM_ROOT, FN_IAM_USER, FN_IAM_SESSION, FN_IAM_SERVICE } type;
	const char *arn;     /* arn:aws:iam::123456789012:user/u, arn:aws:sts::123456789012:assumed-role/r/session; of a service its name, "s3.amazonaws.com" */
	const char *of;      /* aws:PrincipalArn: of a session its role's ARN, else the same */
	const char *account; /* "" = none */
	const char *id;      /* of the user, of a session's role: "AIDA...", "AROA..."; NULL = it has none */
};

struct fn_iam_request {
	const char *action;   /* "lambda:InvokeFunction" */
	const char *resource; /* its ARN; "*" = the action is about none */
	const struct fn_iam_principal *who;
	struct fn_iam_context context;
};

/* What a document says: nothing; that it is allowed, to the one who asks by name, to the role of the session or to everybody, or to the whole account; that it
 * is denied. The stronger counts. An identity's own says NOTHING, NAMED or DENIED. */
enum fn_iam_says { FN_IAM_NOTHING, FN_IAM_ACCOUNT, FN_IAM_ROLE, FN_IAM_NAMED, FN_IAM_DENIED };
enum fn_iam_says fn_iam_document_says(const struct fn_iam_document *d, const struct fn_iam_request *r);

#endif
