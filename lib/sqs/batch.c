/* batch.c - see batch.h. */
#include "sqs/batch.h"

#include <ctype.h>

static bool is_id(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_')
			return false;
	return n >= 1 && n <= 80;
}

const json_t *fn_sqs_batch_entry(const struct fn_sqs_batch *b, unsigned i) { return json_array_get(b->entries, i); }
static const char *id_of(const struct fn_sqs_batch *b, unsigned i) { return fn_sqs_text(fn_sqs_batch_entry(b, i), "Id"); }

int fn_sqs_batch_begin(struct fn_sqs_batch *b, const json_t *in, struct fn_sqs_problem *p)
{
	size_t n;

	b->entries = json_object_get(in, "Entries");
	n = json_array_size(b->entries);
	if (n == 0)
		return fn_sqs_wrong(p, &FN_SQS_EMPTY_BATCH, "There should be at least one Entry in the request.");
	if (n > FN_SQS_ENTRIES_MAX)
		return fn_sqs_wrong(p, &FN_SQS_TOO_MANY_ENTRIES, "Maximum number of entries per request are %u. You have sent %zu.", FN_SQS_ENTRIES_MAX, n);
	b->n = (unsigned)n;
	for (unsigned i = 0; i < b->n; i++) {
		if (!is_id(id_of(b, i)))
			return fn_sqs_wrong(p, &FN_SQS_BAD_ID,
					    "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.");
		for (unsigned k = 0; k < i; k++)
			if (strcmp(id_of(b, i), id_of(b, k)) == 0)
				return fn_sqs_wrong(p, &FN_SQS_SAME_IDS, "Id %s repeated.", id_of(b, i));
	}
	return 0;
}

void fn_sqs_batch_done(struct fn_sqs_batch *b, unsigned i, json_t *result)
{
	json_t *out = result ? result : json_object();

	(void)json_object_set_new(out, "Id", json_string(id_of(b, i)));
	json_decref(b->of[i].done);
	b->of[i].done = out;
}

void fn_sqs_batch_failed(struct fn_sqs_batch *b, unsigned i, const struct fn_sqs_problem *p)
{
	json_decref(b->of[i].failed);
	b->of[i].failed = json_pack("{s:s, s:b, s:s, s:s}", "Id", id_of(b, i), "SenderFault", p->error->status < 500, "Code", p->error->query, "Message", p->text);
}

void fn_sqs_batch_reply(struct fn_sqs_batch *b, struct fn_sqs_call *call)
{
	json_t *done = json_array(), *failed = json_array(), *out = json_object();

	for (unsigned i = 0; i < b->n; i++) {
		if (b->of[i].failed)
			(void)json_array_append(failed, b->of[i].failed);
		else if (b->of[i].done)
			(void)json_array_append(done, b->of[i].done);
	}
	if (json_array_size(done) > 0)
		(void)json_object_set(out, "Successful", done);
	if (json_array_size(failed) > 0)
		(void)json_object_set(out, "Failed", failed);
	json_decref(done);
	json_decref(failed);
	fn_sqs_reply(call, out);
}

void fn_sqs_batch_free(struct fn_sqs_batch *b)
{
	for (unsigned i = 0; i < FN_SQS_ENTRIES_MAX; i++) {
		json_decref(b->of[i].done);
		json_decref(b->of[i].failed);
	}
}
