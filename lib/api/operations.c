/* operations.c - what there is of the APIs, as the route table has it: GET /_fnd/doctor?api=1, of the others ?api=logs, sqs, iam, sts. */
#include "api/operations.h"

#include <stdio.h>

#include "api/routes.h"

static json_t *operation_json(const struct fn_aws_operation *o)
{
	bool works = fn_route_handler(o) != NULL;
	json_t *e = json_pack("{ss,ss,ss,sb,ss}", "Name", o->name, "Method", o->method, "Path", o->uri, "Works", (int)works, "ServedBy",
			      fn_server_name(fn_route_served_by(o)));
	char why[128];

	if (!works) {
		snprintf(why, sizeof(why), FN_NOT_IMPLEMENTED, o->name);
		json_object_set_new(e, "Reason", json_string(why));
	} else if (fn_route_lacks(o)) {
		json_object_set_new(e, "Refused", json_string(fn_route_lacks(o)));
	}
	return e;
}

void fn_h_operations(struct fn_call *call)
{
	const char *api = fn_http_req_query(call->req, "api");
	enum fn_aws_service s = fn_aws_service_named(api);
	const struct fn_aws_service_info *service = fn_aws_service(s < FN_AWS_SERVICES ? s : FN_AWS_LAMBDA);
	json_t *list = json_array();

	for (const struct fn_aws_operation *o = service->operations; o < service->operations + service->n; o++)
		if (o->name[0] != '_') /* fnd's own */
			json_array_append_new(list, operation_json(o));
	fn_reply_json(call, 200, json_pack("{so}", "Operations", list));
}
