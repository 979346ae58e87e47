/*
 * xml.h - the query protocol's answers: a JSON tree as XML, by the shapes of what an operation answers. Pure.
 * Sources: Smithy, "AWS query protocol"; errors as the services have them.
 */
#ifndef FN_AWS_XML_H
#define FN_AWS_XML_H

#include <jansson.h>

#include "aws/route.h"

#define FN_AWS_XML_TYPE "text/xml"

/* out: by the model's names; what is not of the model is left out, NULL = nothing. A timestamp is a number of seconds, or text as it is to be. -ENOMEM. */
int fn_aws_xml_response(struct fn_buf *b, const struct fn_aws_operation *o, const json_t *out, const char *request_id);
/* sender: it is the client's fault. */
int fn_aws_xml_error(struct fn_buf *b, enum fn_aws_service s, bool sender, const char *code, const char *message, const char *request_id);

#endif
