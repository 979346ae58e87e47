/* What is asked of a mapping, and what is refused, in Lambda's words where they are known. */
#include "events/mapping_settings.h"

#include <errno.h>
#include <string.h>

#include "unit/main.h"

static json_t *parse(const char *text)
{
	char *s = strdup(text);
	json_t *o;

	for (char *p = s; *p; p++)
		if (*p == '\'')
			*p = '"';
	o = json_loads(s, 0, NULL);
	ck_assert_msg(o != NULL, "%s", text);
	free(s);
	return o;
}

static const struct {
	const char *in, *why; /* why NULL: it is taken */
	bool fifo;
	int r;
} cases[] = {
	{"{}", NULL, false, 0},
	{"{'BatchSize':10}", NULL, true, 0},
	{"{'BatchSize':11}", "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10", false, -EINVAL},
	{"{'BatchSize':10000,'MaximumBatchingWindowInSeconds':1}", NULL, false, 0},
	{"{'BatchSize':11}", "Maximum batch size for an SQS FIFO queue is 10.", true, -EINVAL},
	{"{'MaximumBatchingWindowInSeconds':1}", "Batching window is not supported for FIFO queues.", true, -EINVAL},
	{"{'DestinationConfig':{'OnFailure':{}}}", "Unsupported DestinationConfig parameter for given event source mapping type.", false, -EINVAL},
	{"{'DestinationConfig':{}}", NULL, false, 0},
	{"{'ParallelizationFactor':1}", "Unsupported ParallelizationFactor parameter for given event source mapping type.", false, -EINVAL},
	{"{'StartingPosition':'LATEST'}", "StartingPosition is not valid for SQS event sources.", false, -EINVAL},
	{"{'Topics':[]}", NULL, false, 0},
	{"{'FilterCriteria':{'Filters':[{'Pattern':'{}'}]}}", "Invalid filter pattern definition.", false, -EINVAL},
	{"{'FilterCriteria':{'Filters':[]}}", NULL, false, 0},
	{"{'ScalingConfig':{'MaximumConcurrency':2},'ProvisionedPollerConfig':{'MinimumPollers':2}}", "ScalingConfig and ProvisionedPollerConfig cannot be used together.", false, -EINVAL},
	{"{'ProvisionedPollerConfig':{'MinimumPollers':5,'MaximumPollers':4}}", "MinimumPollers must be less than or equal to MaximumPollers.", false, -EINVAL},
	{"{'MetricsConfig':{'Metrics':['KafkaMetrics']}}", "Unsupported metric KafkaMetrics for given event source mapping type.", false, -EINVAL},
	{"{'KMSKeyArn':'arn:aws:kms:x'}", NULL, false, -ENOSYS},
	{"{'KMSKeyArn':''}", NULL, false, 0},
};

START_TEST(what_is_taken)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fn_buf why = {0};
		json_t *in = parse(cases[i].in), *out = NULL;

		ck_assert_msg(fn_mapping_settings(in, NULL, cases[i].fifo, &out, &why) == cases[i].r, "%s: %s", cases[i].in, why.data);
		if (cases[i].why)
			ck_assert_str_eq(why.data, cases[i].why);
		json_decref(in);
		json_decref(out);
		fn_buf_free(&why);
	}
}
END_TEST

START_TEST(what_becomes_of_it)
{
	struct fn_buf why = {0};
	json_t *in = parse("{'BatchSize':3,'ScalingConfig':{'MaximumConcurrency':7},'FilterCriteria':{'Filters':[{'Pattern':'{\\'a\\':[1]}'}]},'FunctionResponseTypes':['ReportBatchItemFailures']}");
	json_t *change = parse("{'MaximumBatchingWindowInSeconds':5,'ScalingConfig':{},'FilterCriteria':{'Filters':[]}}"), *pollers = parse("{'ProvisionedPollerConfig':{'MaximumPollers':3}}"), *one, *two,
	       *three;

	ck_assert_int_eq(fn_mapping_settings(in, NULL, false, &one, &why), 0);
	ck_assert(fn_mapping_batch_size(one) == 3 && fn_mapping_window_s(one) == 0 && fn_mapping_concurrency(one) == 7 && fn_mapping_reports_failures(one));
	ck_assert_int_eq(fn_mapping_settings(change, one, false, &two, &why), 0);
	ck_assert(fn_mapping_batch_size(two) == 3 && fn_mapping_window_s(two) == 5 && fn_mapping_concurrency(two) == 0 && fn_mapping_reports_failures(two));
	ck_assert(!json_object_get(two, "FilterCriteria") && !json_object_get(two, "ScalingConfig") && json_object_get(one, "FilterCriteria"));
	ck_assert_int_eq(fn_mapping_settings(pollers, two, false, &three, &why), 0);
	ck_assert_uint_eq(fn_mapping_concurrency(three), 30);
	json_decref(in);
	json_decref(change);
	json_decref(pollers);
	json_decref(one);
	json_decref(two);
	json_decref(three);
}
END_TEST

START_TEST(sources)
{
	const char *title;

	ck_assert_int_eq(fn_source_kind_of("arn:aws:sqs:us-east-1:000000000000:q", &title), FN_SOURCE_SQS);
	ck_assert_int_eq(fn_source_kind_of("arn:aws:sqs:us-east-1:000000000000:", &title), FN_SOURCE_NONE);
	ck_assert_int_eq(fn_source_kind_of("arn:aws:sqs:us-east-1:000000000000:a:b", &title), FN_SOURCE_NONE);
	ck_assert_int_eq(fn_source_kind_of("arn:aws:kinesis:us-east-1:000000000000:stream/s", &title), FN_SOURCE_UNBUILT);
	ck_assert_str_eq(title, "Amazon Kinesis");
	ck_assert_int_eq(fn_source_kind_of("arn:aws:s3:::b", &title), FN_SOURCE_NONE);
	ck_assert_int_eq(fn_source_kind_of("queue", &title), FN_SOURCE_NONE);
	ck_assert(fn_source_is_fifo("arn:aws:sqs:us-east-1:000000000000:q.fifo") && !fn_source_is_fifo("arn:aws:sqs:us-east-1:000000000000:q"));
}
END_TEST

TEST_MAIN("events/mapping_settings", what_is_taken, what_becomes_of_it, sources)
