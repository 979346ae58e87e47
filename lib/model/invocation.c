/* invocation.c - see invocation.h. */
#include "model/invocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/str.h"

struct fn_invocation *fn_invocation_new(void)
{
	struct fn_invocation *inv = calloc(1, sizeof(*inv));

	if (inv)
		inv->refs = 1;
	return inv;
}

struct fn_invocation *fn_invocation_ref(struct fn_invocation *inv)
{
	inv->refs++;
	return inv;
}

void fn_invocation_unref(struct fn_invocation *inv)
{
	if (!inv || --inv->refs > 0)
		return;
	fn_list_remove(&inv->link);
	fn_function_unref(inv->function);
	free(inv->invoked_arn);
	free(inv->content_type);
	free(inv->client_context);
	free(inv->tenant_id);
	free(inv->trace_id);
	free(inv->payload);
	free(inv->tail);
	free(inv->result);
	free(inv->result_type);
	free(inv->error_type);
	free(inv);
}

bool fn_invocation_complete(struct fn_invocation *inv, enum fn_inv_outcome outcome, char *result, size_t len)
{
	if (inv->outcome != FN_INV_PENDING) {
		free(result);
		return false;
	}
	inv->outcome = outcome;
	inv->result = result;
	inv->result_len = result ? len : 0; /* else the sink has had them */
	inv->on_room = NULL;
	fn_invocation_ref(inv);
	if (inv->on_complete)
		inv->on_complete(inv);
	if (outcome == FN_INV_RESPONSE)
		inv->sink->end(inv);
	else
		inv->sink->fail(inv);
	fn_invocation_unref(inv);
	return true;
}

bool fn_invocation_refuse(struct fn_invocation *inv, enum fn_refusal why, const struct fn_err *err)
{
	if (inv->outcome == FN_INV_PENDING) {
		inv->refusal = why;
		if (err)
			inv->err = *err;
	}
	return fn_invocation_complete(inv, FN_INV_REFUSED, NULL, 0);
}

void fn_invocation_begin(struct fn_invocation *inv, const char *content_type, enum fn_response_mode mode, void (*on_room)(void *arg), void *arg)
{
	inv->begun = true;
	inv->streaming = mode == FN_RESPONSE_STREAMING;
	inv->on_room = on_room;
	inv->on_room_arg = arg;
	inv->sink->begin(inv, content_type, mode);
}

bool fn_invocation_write(struct fn_invocation *inv, const void *data, size_t len)
{
	return len > 0 && inv->outcome == FN_INV_PENDING && inv->sink->write(inv, data, len);
}

void fn_invocation_leave(struct fn_invocation *inv) { inv->on_room = NULL; }

void fn_invocation_room(struct fn_invocation *inv)
{
	if (inv->on_room)
		inv->on_room(inv->on_room_arg);
}

void fn_invocation_tail(struct fn_invocation *inv, const char *text, size_t len)
{
	size_t keep;

	if (!inv->want_tail)
		return;
	if (!inv->tail && !(inv->tail = malloc(FN_LOG_TAIL_MAX)))
		return;
	if (len >= FN_LOG_TAIL_MAX) {
		memcpy(inv->tail, text + len - FN_LOG_TAIL_MAX, FN_LOG_TAIL_MAX);
		inv->tail_len = FN_LOG_TAIL_MAX;
		fn_str_lines(inv->tail, inv->tail_len);
		return;
	}
	keep = FN_LOG_TAIL_MAX - len < inv->tail_len ? FN_LOG_TAIL_MAX - len : inv->tail_len;
	memmove(inv->tail, inv->tail + inv->tail_len - keep, keep);
	memcpy(inv->tail + keep, text, len);
	fn_str_lines(inv->tail + keep, len);
	inv->tail_len = keep + len;
}

const char *fn_exit_words(int status, char *buf, size_t size)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return NULL;
	if (WIFEXITED(status)) {
		snprintf(buf, size, "exit status %d", WEXITSTATUS(status));
	} else {
		const char *d = sigdescr_np(status == -1 ? 9 : WTERMSIG(status));

		snprintf(buf, size, "signal: %s", d ? d : "unknown");
		for (char *p = buf; *p; p++)
			if (*p >= 'A' && *p <= 'Z')
				*p = (char)(*p - 'A' + 'a');
	}
	return buf;
}

char *fn_error_json(const char *type, const char *request_id, const char *message, size_t *ret_len)
{
	char *text;
	int n = asprintf(&text, "{\"errorType\":\"%s\",\"errorMessage\":\"RequestId: %s Error: %s\"}", type, request_id, message);

	if (n < 0)
		return NULL;
	*ret_len = (size_t)n;
	return text;
}
