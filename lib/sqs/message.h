/*
 * message.h - what is sent: judged, its MD5s, and how it is kept beside its body (meta, JSON: sender "s", group "g", deduplication id "d", trace header "t", attributes "a", of a
 * long body its MD5 "m").
 * Pure. Source of the MD5 of attributes: SQS developer guide, "Calculating the MD5 message digest for message attributes".
 */
#ifndef FN_SQS_MESSAGE_H
#define FN_SQS_MESSAGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "sqs/internal.h"

#define FN_SQS_MD5_SIZE 33

struct fn_sqs_sending {
	struct fn_queue_step step; /* ready to be put; points into the other members and into `in` */
	size_t size;		   /* as limits count it */
	char id[FN_UUID_SIZE], md5[FN_SQS_MD5_SIZE], md5_attributes[FN_SQS_MD5_SIZE], md5_system[FN_SQS_MD5_SIZE]; /* "" = of none */
	char *meta, *dedup, *group;
};
void fn_sqs_sending_free(struct fn_sqs_sending *s);

/* In any thread: of a long body, in SendMessage's members or a batch's entry; of another nothing is said. */
void fn_sqs_look_at_body(const json_t *in, struct fn_sqs_body *ret);
/* in: SendMessage's members, or a batch's entry; it must outlive *ret. batch: how texts begin. body: what is known of that; NULL = nothing. sender, trace_id: "" and NULL = none. */
int fn_sqs_judge(const struct fn_sqs_queue *q, const json_t *in, bool batch, const struct fn_sqs_body *body, const char *sender, const char *trace_id, struct fn_sqs_sending *ret, struct fn_sqs_problem *p);
size_t fn_sqs_size(const json_t *in); /* as limits count it, of what is not judged */
/* Of {name: {DataType, StringValue | BinaryValue}}; those that `wanted` names (NULL = all: else names, prefixes "a.*", "All", "*", ".*"). *ret_some: the chosen ones; NULL if there are none. */
int fn_sqs_attributes_md5(const json_t *attributes, const json_t *wanted, char ret[FN_SQS_MD5_SIZE], json_t **ret_some);
/* Of a message's body: as it was kept (meta), or made anew. */
void fn_sqs_body_md5(const struct fn_queue_message *m, const json_t *meta, char ret[FN_SQS_MD5_SIZE]);
void fn_sqs_md5(const void *data, size_t len, char ret[FN_SQS_MD5_SIZE]);

#endif
