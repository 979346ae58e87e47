/* mapping_settings.c - see mapping_settings.h. */
#include "events/mapping_settings.h"

#include <errno.h>
#include <string.h>

#include "aws/event_filter.h"
#include "base/str.h"
#include "model/arn.h"

#define PER_POLLER 10u /* calls at once, of a provisioned poller */
#define POLLERS_LEAST 2
#define POLLERS_MOST_DEFAULT 200
#define POLLERS_MOST 2000

static int refuse(struct fn_buf *why, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int refuse(struct fn_buf *why, int code, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fn_buf_vaddf(why, fmt, ap);
	va_end(ap);
	return r < 0 ? r : -code;
}

enum fn_source_kind fn_source_kind_of(const char *arn, const char **ret_title)
{
	static const struct {
		const char *service, *title;
	} unbuilt[] = {{"kinesis", "Amazon Kinesis"}, {"dynamodb", "Amazon DynamoDB Streams"}, {"kafka", "Amazon MSK"}, {"mq", "Amazon MQ"}, {"rds", "Amazon DocumentDB"},
		       {"docdb-elastic", "Amazon DocumentDB"}};

	if (fn_arn_of(arn, "sqs")) {
		unsigned colons = 0;

		for (const char *p = arn; *p; p++)
			colons += *p == ':';
		return colons == 5 && arn[strlen(arn) - 1] != ':' ? FN_SOURCE_SQS : FN_SOURCE_NONE;
	}
	for (size_t i = 0; i < sizeof(unbuilt) / sizeof(unbuilt[0]); i++)
		if (fn_arn_of(arn, unbuilt[i].service)) {
			*ret_title = unbuilt[i].title;
			return FN_SOURCE_UNBUILT;
		}
	return FN_SOURCE_NONE;
}

bool fn_source_is_fifo(const char *arn) { return fn_str_ends(arn, ".fifo"); }

static int64_t number(const json_t *o, const char *key, int64_t otherwise)
{
	json_t *v = json_object_get(o, key);

	return json_is_number(v) ? (int64_t)json_number_value(v) : otherwise;
}

/* What streams and brokers have, and queues have not. */
static int only_of_queues(const json_t *in, struct fn_buf *why)
{
	static const char *const others[] = {"StartingPosition", "StartingPositionTimestamp", "ParallelizationFactor", "DestinationConfig", "MaximumRecordAgeInSeconds", "BisectBatchOnFunctionError",
					     "MaximumRetryAttempts", "TumblingWindowInSeconds", "Topics", "Queues", "SourceAccessConfigurations", "SelfManagedEventSource",
					     "AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig", "DocumentDBEventSourceConfig", "LoggingConfig"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		const json_t *v = json_object_get(in, others[i]);

		if (!v || json_is_null(v) || ((json_is_object(v) || json_is_array(v)) && json_object_size(v) + json_array_size(v) == 0))
			continue;
		if (i == 0) /* has words of its own */
			return refuse(why, EINVAL, "StartingPosition is not valid for SQS event sources.");
		return refuse(why, EINVAL, "Unsupported %s parameter for given event source mapping type.", others[i]);
	}
	return 0;
}

static int check_batches(const json_t *s, bool fifo, struct fn_buf *why)
{
	int64_t size = number(s, "BatchSize", 10), window = number(s, "MaximumBatchingWindowInSeconds", 0);

	if (fifo && window > 0)
		return refuse(why, EINVAL, "Batching window is not supported for FIFO queues.");
	if (fifo && size > 10)
		return refuse(why, EINVAL, "Maximum batch size for an SQS FIFO queue is 10.");
	if (size > 10 && window == 0)
		return refuse(why, EINVAL, "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10");
	return 0;
}

static int check_pollers(const json_t *s, struct fn_buf *why)
{
	const json_t *p = json_object_get(s, "ProvisionedPollerConfig");
	int64_t least = number(p, "MinimumPollers", POLLERS_LEAST), most = number(p, "MaximumPollers", POLLERS_MOST_DEFAULT);

	if (!p)
		return 0;
	if (json_object_get(s, "ScalingConfig"))
		return refuse(why, EINVAL, "ScalingConfig and ProvisionedPollerConfig cannot be used together.");
	if (json_object_get(p, "PollerGroupName"))
		return refuse(why, EINVAL, "Unsupported PollerGroupName parameter for given event source mapping type.");
	if (least < POLLERS_LEAST || most < POLLERS_LEAST || most > POLLERS_MOST)
		return refuse(why, EINVAL, "MinimumPollers must be between 2 and 200, MaximumPollers between 2 and %d.", POLLERS_MOST);
	if (least > most)
		return refuse(why, EINVAL, "MinimumPollers must be less than or equal to MaximumPollers.");
	return 0;
}

static int check_metrics(const json_t *s, struct fn_buf *why)
{
	const json_t *list = json_object_get(json_object_get(s, "MetricsConfig"), "Metrics");
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v)
		if (!fn_streq(json_string_value(v), "EventCount"))
			return refuse(why, EINVAL, "Unsupported metric %s for given event source mapping type.", json_string_value(v) ?: "");
	return 0;
}

static int check_filters(const json_t *s, struct fn_buf *why)
{
	struct fn_event_filter *f = NULL;
	int r = fn_event_filter_compile(json_object_get(s, "FilterCriteria"), "body", &f);

	fn_event_filter_free(f);
	return r == -EINVAL ? refuse(why, EINVAL, "Invalid filter pattern definition.") : r;
}

/* Without the members that are null. */
static json_t *clean(const json_t *v)
{
	json_t *o = json_deep_copy(v), *one;
	const char *key;
	void *next;

	json_object_foreach_safe(o, next, key, one)
		if (json_is_null(one))
			json_object_del(o, key);
	return o;
}

/* An empty one takes away what there was. */
static void take_object(json_t *s, const json_t *in, const char *key, const char *list)
{
	json_t *v = json_object_get(in, key), *o;

	if (!v || json_is_null(v))
		return;
	o = clean(v);
	if (json_object_size(o) == 0 || (list && json_array_size(json_object_get(o, list)) == 0)) {
		json_object_del(s, key);
		json_decref(o);
	} else {
		json_object_set_new(s, key, o);
	}
}

int fn_mapping_settings(const json_t *in, const json_t *old, bool fifo, json_t **ret, struct fn_buf *why)
{
	const char *key = json_string_value(json_object_get(in, "KMSKeyArn"));
	json_t *types = json_object_get(in, "FunctionResponseTypes"), *s;
	int r = only_of_queues(in, why);

	if (r == 0 && !fn_str_empty(key))
		r = refuse(why, ENOSYS, "fnd has no key management service: KMSKeyArn, by which the filter criteria would be encrypted, is not implemented");
	if (r < 0)
		return r;
	s = old ? json_deep_copy(old) : json_object();
	if (!s)
		return -ENOMEM;
	json_object_set_new(s, "BatchSize", json_integer(number(in, "BatchSize", number(s, "BatchSize", 10))));
	json_object_set_new(s, "MaximumBatchingWindowInSeconds", json_integer(number(in, "MaximumBatchingWindowInSeconds", number(s, "MaximumBatchingWindowInSeconds", 0))));
	if (json_is_array(types))
		json_object_set_new(s, "FunctionResponseTypes", json_deep_copy(types));
	else if (!json_object_get(s, "FunctionResponseTypes"))
		json_object_set_new(s, "FunctionResponseTypes", json_array());
	take_object(s, in, "FilterCriteria", "Filters");
	take_object(s, in, "ScalingConfig", NULL);
	take_object(s, in, "ProvisionedPollerConfig", NULL);
	take_object(s, in, "MetricsConfig", "Metrics");
	if ((r = check_batches(s, fifo, why)) < 0 || (r = check_pollers(s, why)) < 0 || (r = check_metrics(s, why)) < 0 || (r = check_filters(s, why)) < 0) {
		json_decref(s);
		return r;
	}
	if (json_object_get(s, "ProvisionedPollerConfig")) {
		json_t *p = json_object_get(s, "ProvisionedPollerConfig");

		json_object_set_new(p, "MinimumPollers", json_integer(number(p, "MinimumPollers", POLLERS_LEAST)));
		json_object_set_new(p, "MaximumPollers", json_integer(number(p, "MaximumPollers", POLLERS_MOST_DEFAULT)));
	}
	*ret = s;
	return 0;
}

unsigned fn_mapping_batch_size(const json_t *s) { return (unsigned)number(s, "BatchSize", 10); }
unsigned fn_mapping_window_s(const json_t *s) { return (unsigned)number(s, "MaximumBatchingWindowInSeconds", 0); }

unsigned fn_mapping_concurrency(const json_t *s)
{
	int64_t pollers = number(json_object_get(s, "ProvisionedPollerConfig"), "MaximumPollers", 0);

	return (unsigned)number(json_object_get(s, "ScalingConfig"), "MaximumConcurrency", pollers * PER_POLLER);
}

unsigned fn_mapping_concurrency_least(const json_t *s) { return (unsigned)number(json_object_get(s, "ProvisionedPollerConfig"), "MinimumPollers", 0) * PER_POLLER; }

bool fn_mapping_counts_events(const json_t *s) { return json_array_size(json_object_get(json_object_get(s, "MetricsConfig"), "Metrics")) > 0; }

bool fn_mapping_reports_failures(const json_t *s) { return json_array_size(json_object_get(s, "FunctionResponseTypes")) > 0; }
