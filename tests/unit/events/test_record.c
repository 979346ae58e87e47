#include "events/record.h"

#include <jansson.h>
#include <string.h>

#include "unit/main.h"

static json_t *record(struct fn_invocation_record *r, size_t most)
{
	fn_auto_buf struct fn_buf b = {0};
	json_t *o;

	r->request_len = strlen(r->request);
	r->response_len = r->response ? strlen(r->response) : 0;
	ck_assert_int_eq(fn_record_add(&b, r, most), 0);
	o = json_loads(b.data, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(o);
	return o;
}

static struct fn_invocation_record made(void)
{
	return (struct fn_invocation_record){.now_us = 1767322845678000, .request_id = "e4b46cbf-b738-4c48-a0f4-c0d0a6b7d6b3", .function_arn = "arn:f:$LATEST",
					     .condition = FN_CONDITION_SUCCESS, .invokes = 1, .request = "{\"a\":1}", .version = "$LATEST", .response = "[2]"};
}

START_TEST(a_success)
{
	struct fn_invocation_record r = made();
	json_t *o = record(&r, 100000), *want = json_loads("{\"version\":\"1.0\",\"timestamp\":\"2026-01-02T03:00:45.678Z\",\"requestContext\":{\"requestId\":"
		"\"e4b46cbf-b738-4c48-a0f4-c0d0a6b7d6b3\",\"functionArn\":\"arn:f:$LATEST\",\"condition\":\"Success\",\"approximateInvokeCount\":1},\"requestPayload\":{\"a\":1},"
		"\"responseContext\":{\"statusCode\":200,\"executedVersion\":\"$LATEST\"},\"responsePayload\":[2]}", 0, NULL);

	ck_assert_ptr_nonnull(want);
	ck_assert_int_eq(json_equal(o, want), 1);
	json_decref(o);
	json_decref(want);
}
END_TEST

START_TEST(what_never_ran_has_no_response)
{
	struct fn_invocation_record r = made();
	json_t *o;

	r.version = NULL;
	r.response = NULL;
	r.request = "";
	o = record(&r, 100000);
	ck_assert_ptr_null(json_object_get(o, "responseContext"));
	ck_assert_ptr_null(json_object_get(o, "responsePayload"));
	ck_assert(json_is_object(json_object_get(o, "requestPayload")));
	json_decref(o);
}
END_TEST

START_TEST(a_response_that_is_no_json_is_a_string_of_it)
{
	struct fn_invocation_record r = made();
	json_t *o;

	r.failed = true;
	r.response = "a \"b\"\n\xff";
	o = record(&r, 100000);
	ck_assert_str_eq(json_string_value(json_object_get(o, "responsePayload")), "a \"b\"\n\xef\xbf\xbd");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(o, "responseContext"), "functionError")), "Unhandled");
	json_decref(o);
}
END_TEST

START_TEST(one_that_is_too_long_is_without_payloads)
{
	struct fn_invocation_record r = made();
	json_t *o = record(&r, 100);

	ck_assert_ptr_null(json_object_get(o, "requestPayload"));
	ck_assert_ptr_null(json_object_get(o, "responsePayload"));
	ck_assert_ptr_nonnull(json_object_get(o, "responseContext"));
	json_decref(o);
}
END_TEST

TEST_MAIN("events/record", a_success, what_never_ran_has_no_response, a_response_that_is_no_json_is_a_string_of_it, one_that_is_too_long_is_without_payloads)
