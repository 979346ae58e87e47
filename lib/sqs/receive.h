/* receive.h - leases as SQS has them, and leased messages as its answers and its events show them. */
#ifndef FN_SQS_RECEIVE_H
#define FN_SQS_RECEIVE_H

#include "sqs/internal.h"

/* Redrive, retention, how many may be in flight. */
void fn_sqs_lease_settings(struct fn_sqs_queue *q, struct fn_queue_lease *l);
/* {name: text}: those that `names` asks for ("All"); NULL = all of them. */
json_t *fn_sqs_system_attributes(const struct fn_sqs *sqs, const struct fn_queue_message *m, const json_t *meta, const json_t *names, bool fifo);

#endif
