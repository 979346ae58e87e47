/* receipt.h - receipt handles: which message, of which queue, as received which time. Pure. They give no right by themselves; a checksum tells those that are none. */
#ifndef FN_SQS_RECEIPT_H
#define FN_SQS_RECEIPT_H

#include <stdbool.h>
#include <stdint.h>

#define FN_SQS_RECEIPT_SIZE 64

/* queue: its name. */
void fn_sqs_receipt_make(const char *queue, uint64_t id, uint32_t receives, char ret[FN_SQS_RECEIPT_SIZE]);
/* -EINVAL: it is none, or of another queue. */
int fn_sqs_receipt_read(const char *queue, const char *receipt, uint64_t *id, uint32_t *receives);

#endif
