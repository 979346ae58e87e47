/* operations.c - what there is of the APIs, as the route table has it: GET /_fnd/doctor?api=1, of CloudWatch Logs ?api=logs. */
#include "api/operations.h"

#include <stdio.h>
#include <string.h>

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
	bool logs = api && strcmp(api, "logs") == 0;
	const struct fn_aws_operation *o = logs ? fn_aws_logs_operations : fn_aws_operations;
	const struct fn_aws_operation *end = o + (logs ? FN_AWS_OPERATIONS - FN_AWS_LOGS_FIRST : FN_AWS_LOGS_FIRST);
	json_t *list = json_array();

	for (; o < end; o++)
		if (o->name[0] != '_') /* fnd's own */
			json_array_append_new(list, operation_json(o));
	fn_reply_json(call, 200, json_pack("{so}", "Operations", list));
}
