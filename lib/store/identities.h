/*
 * identities.h - IAM's roles, users, managed policies and instance profiles: on disk, and all of them in memory with their documents read (aws/document.h).
 *
 * Writes are as in store.h, about FN_STORE_IAM, which is taken by each of them: they come one after the other.
 */
#ifndef FN_STORE_IDENTITIES_H
#define FN_STORE_IDENTITIES_H

#include <jansson.h>

#include "aws/evaluate.h"
#include "store/store.h"

#define FN_STORE_IAM ":iam" /* what is taken; no function is called so */
#define FN_STORE_SECRET 32

enum fn_entity_kind { FN_ENTITY_ROLE, FN_ENTITY_USER, FN_ENTITY_POLICY, FN_ENTITY_PROFILE, FN_ENTITY_KINDS };

/*
 * Unchanging; another one takes its place. Its record has the members that IAM shows, and
 *   of a role: AssumeRolePolicyDocument (text), TrustIds {ARN: id} (users and roles whom it names, as they were when it was put), of a role and a user: Inline {name: document's text}, Attached [ARN], PermissionsBoundary (ARN)
 *   of a user: Keys [{AccessKeyId, SecretAccessKey, Status, CreateDate}]
 *   of a policy: Versions [{VersionId, Document (text), CreateDate}], the newest last, DefaultVersionId, Last (the number of the last one)
 *   of an instance profile: Roles [name]
 * Dates are seconds since 1970.
 */
struct fn_entity {
	enum fn_entity_kind kind;
	char *name;
	json_t *record;
	struct fn_iam_document *own; /* of a role its trust policy, of a policy its default version; a user has none */
	struct fn_iam_document **inlined;
	size_t n_inlined;
	const struct fn_iam_document **all; /* with what is attached, of `generation` */
	size_t n_all;
	uint64_t generation;
};

/* Takes record. -EINVAL: a document in it is malformed, and why says how; -ENOMEM. */
int fn_entity_new(enum fn_entity_kind kind, const char *name, json_t *record, struct fn_entity **ret, struct fn_buf *why);
void fn_entity_free(struct fn_entity *e);

/* Borrowed until the loop's next turn. NULL = there is none. */
const struct fn_entity *fn_store_entity(struct fn_store *s, enum fn_entity_kind kind, const char *name);
/* By its name, whatever the case of its letters: one may not be made beside it. */
const struct fn_entity *fn_store_entity_alike(struct fn_store *s, enum fn_entity_kind kind, const char *name);
/* By its ARN; a managed policy of AWS's own is none (aws/managed.h). */
const struct fn_entity *fn_store_entity_by_arn(struct fn_store *s, enum fn_entity_kind kind, const char *arn);
/* In order of their names: those after `after` ("" = all); fewer than n: there are no more. */
size_t fn_store_entities(struct fn_store *s, enum fn_entity_kind kind, const char *after, const struct fn_entity **ret, size_t n);
size_t fn_store_n_entities(const struct fn_store *s, enum fn_entity_kind kind);
/* The user who has the access key, and the key in its record. */
const struct fn_entity *fn_store_access_key(struct fn_store *s, const char *access_key_id, json_t **ret_key);
/* What its policies say: its own, those attached to it; boundary NULL = it has none. A policy that is attached and not there says nothing, as a boundary that it denies. */
struct fn_iam_documents fn_store_policies_of(struct fn_store *s, const struct fn_entity *e, const struct fn_iam_document **ret_boundary);

/* Stores it in place of what there is of its name; takes e. */
int fn_store_put_entity(struct fn_store *s, struct fn_entity *e, fn_stored_fn fn, void *arg, struct fn_err *err);
int fn_store_delete_entity(struct fn_store *s, enum fn_entity_kind kind, const char *name, fn_stored_fn fn, void *arg, struct fn_err *err);

/* What signs the tokens of sessions (aws/session.h): random, made with the database. */
const uint8_t *fn_store_session_secret(const struct fn_store *s);

#endif
