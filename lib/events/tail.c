/* tail.c - see tail.h. */
#include "events/tail.h"

#include <stdlib.h>

#include "base/str.h"

#define PAGE 1000u
#define WAIT_MAX_S 30

static void answer(void *arg, json_t *events)
{
	fn_service_reply_json(arg, 200, events);
	free(arg);
}

bool fn_tail_serve(struct fn_journal *j, const struct fn_service_call *call)
{
	const char *after = fn_http_req_query(call->req, "After"), *wait = fn_http_req_query(call->req, "Wait");
	struct fn_service_call *copy;
	int64_t number = 0, seconds = 0;

	if (!fn_streq(call->operation, "_Events"))
		return false;
	if ((after && fn_str_to_i64(after, 0, INT64_MAX, &number) < 0) || (wait && fn_str_to_i64(wait, 0, WAIT_MAX_S, &seconds) < 0)) {
		fn_service_reply_error(call, &FN_E_INVALID_PARAMETER, "After is the number of an event, Wait a number of seconds up to %d", WAIT_MAX_S);
		return true;
	}
	copy = malloc(sizeof(*copy));
	if (!copy) {
		fn_service_reply_error(call, &FN_E_SERVICE, "out of memory");
		return true;
	}
	*copy = *call;
	fn_journal_read(j, (uint64_t)number, PAGE, (uint64_t)seconds * 1000000u, answer, copy);
	return true;
}
