/* entity.c - a role, a user or a policy of identities.h, by itself: its record, and its documents read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/identities.h"

static const char *text_of(const json_t *o, const char *member) { return json_string_value(json_object_get(o, member)); }

static int read_inlined(struct fn_entity *e, struct fn_buf *why)
{
	json_t *all = json_object_get(e->record, "Inline"), *text;
	const char *name;
	int r = 0;

	e->inlined = calloc(json_object_size(all) + 1, sizeof(*e->inlined));
	if (!e->inlined)
		return -ENOMEM;
	json_object_foreach(all, name, text) {
		if (r == 0)
			r = fn_iam_document_parse(json_string_value(text), FN_IAM_IDENTITY, &e->inlined[e->n_inlined], why);
		e->n_inlined += r == 0;
	}
	return r;
}

static const char *default_version(const json_t *record)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(record, "Versions"), i, v)
		if (fn_streq(text_of(v, "VersionId"), text_of(record, "DefaultVersionId")))
			return text_of(v, "Document");
	return NULL;
}

int fn_entity_new(enum fn_entity_kind kind, const char *name, json_t *record, struct fn_entity **ret, struct fn_buf *why)
{
	struct fn_entity *e = calloc(1, sizeof(*e));
	const char *own = kind == FN_ENTITY_ROLE ? text_of(record, "AssumeRolePolicyDocument") : kind == FN_ENTITY_POLICY ? default_version(record) : NULL;
	int r;

	if (!e) {
		json_decref(record);
		return -ENOMEM;
	}
	e->kind = kind;
	e->record = record;
	e->name = strdup(name);
	r = e->name && record ? read_inlined(e, why) : -ENOMEM;
	if (r == 0 && own)
		r = fn_iam_document_parse(own, kind == FN_ENTITY_ROLE ? FN_IAM_TRUST : FN_IAM_IDENTITY, &e->own, why);
	if (r < 0) {
		fn_entity_free(e);
		return r;
	}
	if (kind == FN_ENTITY_ROLE && e->own)
		fn_iam_document_bind(e->own, json_object_get(record, "TrustIds"));
	*ret = e;
	return 0;
}

void fn_entity_free(struct fn_entity *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->n_inlined; i++)
		fn_iam_document_free(e->inlined[i]);
	fn_iam_document_free(e->own);
	json_decref(e->record);
	free(e->inlined);
	free(e->all);
	free(e->name);
	free(e);
}
