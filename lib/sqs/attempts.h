/*
 * attempts.h - answers of ReceiveMessage that a FIFO queue's client may have again by the same ReceiveRequestAttemptId, for five minutes: it asks once more after its
 * connection broke. In memory, so many at most; a crash forgets them, and the messages come again when their visibility ends.
 */
#ifndef FN_SQS_ATTEMPTS_H
#define FN_SQS_ATTEMPTS_H

#include "sqs/internal.h"

struct fn_sqs_attempt {
	json_t *answer;
	unsigned n;
	struct {
		uint64_t id;
		uint32_t receives;
	} of[FN_SQS_ENTRIES_MAX];
};

/* NULL: nothing (any more). Holds until the loop's next round. */
const struct fn_sqs_attempt *fn_sqs_attempt_find(struct fn_sqs *sqs, const char *queue, const char *id);
void fn_sqs_attempt_keep(struct fn_sqs *sqs, const char *queue, const char *id, const struct fn_sqs_attempt *a); /* copied */
void fn_sqs_attempts_free(struct fn_sqs *sqs);

#endif
