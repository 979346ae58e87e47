/* evaluate.c - see evaluate.h. */
#include "aws/evaluate.h"

#include <string.h>

static enum fn_iam_says of_all(const struct fn_iam_documents *all, const struct fn_iam_request *r)
{
	enum fn_iam_says most = FN_IAM_NOTHING, says;

	for (size_t i = 0; i < all->n; i++) {
		says = fn_iam_document_says(all->list[i], r);
		most = says > most ? says : most;
	}
	return most;
}

enum fn_iam_verdict fn_iam_evaluate(const struct fn_iam_policies *p, const struct fn_iam_request *r)
{
	enum fn_iam_says resource = p->resource ? fn_iam_document_says(p->resource, r) : FN_IAM_NOTHING;
	enum fn_iam_says session = p->session.n > 0 ? of_all(&p->session, r) : FN_IAM_NAMED, identity = of_all(&p->identity, r);
	enum fn_iam_says boundary = p->boundary ? fn_iam_document_says(p->boundary, r) : FN_IAM_NAMED;
	bool ours = r->who->type == FN_IAM_USER || r->who->type == FN_IAM_SESSION || r->who->type == FN_IAM_ROOT;

	if (identity == FN_IAM_DENIED)
		return FN_IAM_DENY_IDENTITY;
	if (resource == FN_IAM_DENIED)
		return FN_IAM_DENY_RESOURCE;
	if (session == FN_IAM_DENIED)
		return FN_IAM_DENY_SESSION;
	if (boundary == FN_IAM_DENIED)
		return FN_IAM_DENY_BOUNDARY;
	if (resource == FN_IAM_NAMED) /* the one who asks, by name: what is about its role does not limit that */
		return FN_IAM_ALLOWED;
	if (!ours)
		return resource == FN_IAM_ROLE ? FN_IAM_ALLOWED : FN_IAM_NO_RESOURCE;
	if (p->resource_must && resource == FN_IAM_NOTHING)
		return FN_IAM_NO_RESOURCE;
	if (resource != FN_IAM_ROLE && identity == FN_IAM_NOTHING)
		return FN_IAM_NO_IDENTITY;
	if (boundary == FN_IAM_NOTHING)
		return FN_IAM_NO_BOUNDARY;
	return session == FN_IAM_NOTHING ? FN_IAM_NO_SESSION : FN_IAM_ALLOWED;
}

const char *fn_iam_identity_word(enum fn_iam_identity says)
{
	static const char *const words[] = {
		[FN_IAM_IDENTITY_DENY] = "deny", [FN_IAM_IDENTITY_LIMITED] = "limited", [FN_IAM_IDENTITY_NONE] = "none", [FN_IAM_IDENTITY_ALLOW] = "allow",
	};

	return words[says];
}

enum fn_iam_identity fn_iam_identity_says(const struct fn_iam_policies *p, const struct fn_iam_request *r)
{
	enum fn_iam_says session = p->session.n > 0 ? of_all(&p->session, r) : FN_IAM_NAMED, identity = of_all(&p->identity, r);
	enum fn_iam_says boundary = p->boundary ? fn_iam_document_says(p->boundary, r) : FN_IAM_NAMED;

	if (identity == FN_IAM_DENIED || session == FN_IAM_DENIED || boundary == FN_IAM_DENIED)
		return FN_IAM_IDENTITY_DENY;
	if (session == FN_IAM_NOTHING || boundary == FN_IAM_NOTHING)
		return FN_IAM_IDENTITY_LIMITED;
	return identity == FN_IAM_NOTHING ? FN_IAM_IDENTITY_NONE : FN_IAM_IDENTITY_ALLOW;
}

static const char *const kinds[] = {
	[FN_IAM_NO_IDENTITY] = "identity-based policy", [FN_IAM_NO_RESOURCE] = "resource-based policy", [FN_IAM_NO_SESSION] = "session policy",
	[FN_IAM_NO_BOUNDARY] = "permissions boundary",  [FN_IAM_DENY_IDENTITY] = "an identity-based policy", [FN_IAM_DENY_RESOURCE] = "a resource-based policy",
	[FN_IAM_DENY_SESSION] = "a session policy",     [FN_IAM_DENY_BOUNDARY] = "a permissions boundary",
};

void fn_iam_explain(struct fn_buf *b, enum fn_iam_verdict v, const struct fn_iam_request *r)
{
	const char *arn = r->who->arn && *r->who->arn ? r->who->arn : "anonymous";

	(void)fn_buf_addf(b, "User: %s is not authorized to perform: %s", arn, r->action);
	if (strcmp(r->resource, "*") != 0)
		(void)fn_buf_addf(b, " on resource: %s", r->resource);
	if (v >= FN_IAM_DENY_IDENTITY)
		(void)fn_buf_addf(b, " with an explicit deny in %s", kinds[v]);
	else if (v != FN_IAM_ALLOWED)
		(void)fn_buf_addf(b, " because no %s allows the %s action", kinds[v], r->action);
}
