/*
 * query.h - the query protocol (SQS, IAM, STS): an operation's members as a form, in the query of a GET or the body of a POST, made the JSON object that validate.h
 * takes. Pure.
 * Sources: Smithy, "AWS query protocol"; of SQS its API reference, "Making query API requests".
 *
 * Lists are "Name.member.1", flattened ones "Entry.1"; maps "Name.entry.1.key", flattened ones "Entry.1.Name"; structures "Name.Member". The numbers may have gaps:
 * their order counts.
 */
#ifndef FN_AWS_QUERY_H
#define FN_AWS_QUERY_H

#include <jansson.h>

#include "aws/route.h"

#define FN_AWS_QUERY_PAIRS_MAX 4096u /* pairs of a form, and */
#define FN_AWS_QUERY_DEPTH_MAX 12u   /* the dots in a name */

/* The operation that a request names in its query or in its body, if that is a form; NULL = there is none such. ret_service: the service whose errors it takes;
 * FN_AWS_SERVICES where it cannot be told. ret_action: as it was given, "" = not. */
const struct fn_aws_operation *fn_aws_query_operation(const struct fn_aws_head *h, const char *body, size_t len, enum fn_aws_service *ret_service, char *ret_action,
						      size_t action_size);

/* Its members by their names in the model: numbers and booleans as such, blobs and timestamps as text. SQS: a QueueUrl that is not said is the path, where that is a
 * queue's. NULL: why says what is wrong (MalformedInput). */
json_t *fn_aws_query_members(const struct fn_aws_operation *o, const struct fn_aws_head *h, const char *body, size_t len, struct fn_buf *why);

#endif
