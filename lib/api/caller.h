/*
 * caller.h - who asks: what is known of whom a request's key belongs to, and what their policies say.
 *
 * A key of the configuration is the account's root, which may do all and of which nothing is looked up: call->caller is NULL then, as it is where nothing has to be
 * proved (the control socket; a loopback host without credentials).
 */
#ifndef FN_API_CALLER_H
#define FN_API_CALLER_H

#include "aws/evaluate.h"
#include "aws/session.h"
#include "store/identities.h"

struct fn_api;
struct fn_aws_error;

/* Temporary credentials that were used once, read: aws/session.h. */
struct fn_session {
	char *token;
	char secret_key[FN_SESSION_SECRET_KEY_SIZE];
	json_t *claims; /* {"Kind": "role" | "user" | "root", "Name", "Id", "Session", "Issued", "Expires", "Policies": [text], "PolicyArns": [ARN], "Tags", "Transitive": [tag]} */
	struct fn_iam_document **own; /* Policies, read */
	size_t n_own;
};

/* Everything in it is borrowed: for the turn of the loop. */
struct fn_caller {
	struct fn_iam_principal who;
	char arn[240], of[700], userid[160];
	const char *username;           /* NULL = it is no user */
	const struct fn_entity *entity; /* user or role; NULL = a role that nobody has created */
	const struct fn_session *session; /* NULL = it has none of its own */
	const char *source_function;    /* the ARN of the function that calls; NULL = none does */
	char source[400];
	bool distrusted;                /* its role is there, and does not trust Lambda: entity is NULL */
	bool unjudged;                  /* may do all: there are no credentials */
};

/* The secret of a key, and whose it is. */
struct fn_key {
	const char *secret;
	const struct fn_entity *user;
	const struct fn_session *session;
};

/* token: of X-Amz-Security-Token, NULL = absent. NULL = *ret is it; else the error to answer with, and why. */
const struct fn_aws_error *fn_key_find(struct fn_api *api, const char *key_id, const char *token, struct fn_key *ret, struct fn_buf *why);
/* Whose it is. False: root's, and *ret is not set. */
bool fn_caller_of_key(struct fn_api *api, const struct fn_key *key, struct fn_caller *ret);
/* Does the role's trust policy let Lambda assume it for this function (an ARN)? */
bool fn_role_trusts_lambda(struct fn_api *api, const struct fn_entity *role, const char *function_arn);
/* A session of a role that fnd itself has begun: a function's. The role need not be there; one that does not trust Lambda may nothing. */
void fn_caller_of_role(struct fn_api *api, const char *role_arn, const char *session, struct fn_caller *ret);

/* The tags of a principal, [{"Key", "Value"}], borrowed. of_session: those that it was assumed with, which come before those of its role or user, the others. NULL = none. */
json_t *fn_caller_tags(const struct fn_caller *c, bool of_session);

/* What its own policies say of it: fn_iam_identity_says(). */
enum fn_iam_identity fn_caller_says(struct fn_api *api, const struct fn_caller *c, const struct fn_iam_request *r);
/* And together with the resource's (NULL = it has none). */
enum fn_iam_verdict fn_caller_judge(struct fn_api *api, const struct fn_caller *c, const struct fn_iam_document *resource, bool resource_must, const struct fn_iam_request *r);

void fn_sessions_close(struct fn_api *api);

#endif
