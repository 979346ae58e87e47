/* batch.h - the entries of a batch request, and what came of each, in their order. */
#ifndef FN_SQS_BATCH_H
#define FN_SQS_BATCH_H

#include "sqs/internal.h"

struct fn_sqs_batch {
	const json_t *entries; /* the request's */
	unsigned n;
	struct {
		json_t *done, *failed;
	} of[FN_SQS_ENTRIES_MAX];
};

int fn_sqs_batch_begin(struct fn_sqs_batch *b, const json_t *in, struct fn_sqs_problem *p); /* their number and Ids */
const json_t *fn_sqs_batch_entry(const struct fn_sqs_batch *b, unsigned i);
void fn_sqs_batch_done(struct fn_sqs_batch *b, unsigned i, json_t *result); /* takes result, and adds its Id; NULL = {} */
void fn_sqs_batch_failed(struct fn_sqs_batch *b, unsigned i, const struct fn_sqs_problem *p);
void fn_sqs_batch_reply(struct fn_sqs_batch *b, struct fn_sqs_call *call);
void fn_sqs_batch_free(struct fn_sqs_batch *b);

#endif
