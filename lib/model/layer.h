/*
 * layer.h - a layer version: content under a name and a number that never changes. Fields are those of GetLayerVersion (Lambda API 2015-03-31), in the
 * units of that API. One of this account is published, and called by its name; one of another account (a vendor's, AWS's own) is imported: its content
 * is given to the ARN that templates have.
 */
#ifndef FN_MODEL_LAYER_H
#define FN_MODEL_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FN_LAYER_NAME_MAX 140
#define FN_LAYER_KEY_SIZE 256 /* of a layer's name or ARN, with NUL */
#define FN_LAYER_ARN_SIZE 280 /* of a version's */

/* What a layer is called, in any form that the API takes. */
struct fn_layer_name {
	char region[32], account[16]; /* "" = not given */
	char name[FN_LAYER_NAME_MAX + 4];
	int64_t version;              /* 0 = not given */
	/* What the layer is called here: the name alone of one of this account and region, else the ARN without a version. fn_layer_name_key() */
	char key[FN_LAYER_KEY_SIZE];
};
/* name, arn:aws:lambda:<region>:<account>:layer:<name>, and that with :<version>. -EINVAL: it is none of these. key is empty. */
int fn_layer_name_parse(const char *text, struct fn_layer_name *ret);
/* Fills key, for who is here. True: it is a layer of this account and region. */
bool fn_layer_name_key(struct fn_layer_name *n, const char *region, const char *account);

/* One permission: who may use the version. Nothing here asks; it is kept and shown. */
struct fn_layer_statement {
	char *sid, *principal;
	char *organization; /* NULL = any */
};

struct fn_layer_version {
	unsigned refs;
	char *layer;              /* the key of its name */
	int64_t version;          /* from 1 */
	char code_sha256[65];     /* hex, of the zip */
	int64_t code_size;        /* bytes of the zip */
	int64_t unpacked_size;
	char *description;        /* "" when not given */
	char *license;            /* NULL = not given */
	char **runtimes, **architectures; /* NULL-terminated, in the caller's order; NULL = not given */
	uint64_t created_us;      /* real time */
	struct fn_layer_statement *statements; /* in the order of their coming */
	size_t n_statements;
	char policy_revision[37]; /* "" = there is no policy */
};
struct fn_layer_version *fn_layer_version_new(void); /* refs = 1, everything else empty; NULL on no memory */
struct fn_layer_version *fn_layer_version_ref(struct fn_layer_version *v);
void fn_layer_version_unref(struct fn_layer_version *v); /* NULL is fine */
/* A deep copy with refs = 1, to change and store. */
struct fn_layer_version *fn_layer_version_clone(const struct fn_layer_version *v);
/* Does it say that it is for these? NULL = whichever. One that says nothing is found by no runtime. */
bool fn_layer_version_fits(const struct fn_layer_version *v, const char *runtime, const char *architecture);
/* Adds at the end; -ENOMEM. */
int fn_layer_version_permit(struct fn_layer_version *v, const char *sid, const char *principal, const char *organization);
/* SIZE_MAX = there is none of that name. */
size_t fn_layer_version_statement(const struct fn_layer_version *v, const char *sid);
void fn_layer_version_forbid(struct fn_layer_version *v, size_t statement);

bool fn_layer_is_foreign(const char *key);
/* arn:aws:lambda:<region>:<account>:layer:<name>[:<version>]; version 0 = without. key: a name of this account, or an ARN. */
void fn_layer_arn(char *out, size_t size, const char *region, const char *account, const char *key, int64_t version);

#endif
