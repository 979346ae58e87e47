/* refusal.c - see refusal.h. */
#include "aws/refusal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/xml.h"

/* CloudWatch Logs has other names for validation and for what is ours; a client's fault is a 400 there whatever it was. */
static void as_json(struct fn_aws_refusal *r, enum fn_aws_service s, const struct fn_aws_error *e, const char *text)
{
	bool logs = s != FN_AWS_SQS, ours = e->status >= 500;
	json_t *body;
	char *printed;

	r->name = logs && e == &FN_E_VALIDATION ? FN_E_LOGS_PARAMETER.name : logs && e == &FN_E_SERVICE ? "ServiceUnavailableException" : e->name;
	r->status = ours || !logs ? e->status : 400;
	r->type = s < FN_AWS_SERVICES ? fn_aws_service(s)->json : "application/x-amz-json-1.1";
	if (!logs) /* what the code was called when SQS spoke the query protocol */
		snprintf(r->query_error, sizeof(r->query_error), "%s;%s", e->query ? e->query : e->name, ours ? "Receiver" : "Sender");
	body = json_pack("{ssss}", "__type", r->name, "message", text);
	printed = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	if (printed)
		(void)fn_buf_add_str(&r->body, printed);
	free(printed);
}

void fn_aws_refuse(struct fn_aws_refusal *ret, enum fn_aws_service s, bool query, const struct fn_aws_error *e, const char *text, const char *request_id)
{
	*ret = (struct fn_aws_refusal){.status = e->status, .type = FN_AWS_XML_TYPE};
	if (query)
		(void)fn_aws_xml_error(&ret->body, s, e->status < 500, e->query ? e->query : e->name, text, request_id);
	else
		as_json(ret, s, e, text);
}
