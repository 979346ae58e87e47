/* queue.c - fnctl queue: queues, over SQS's API. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fnctl.h"

static void decref(json_t **o) { json_decref(*o); }

struct queue_args {
	const char *verb, *name, *group, *dedup;
	const char *delay, *wait, *visibility, *n;
	bool keep;
	char **rest; /* NULL-terminated, what is behind the name */
};

static int parse(int argc, char **argv, struct queue_args *a)
{
	static const struct option options[] = {{"group", required_argument, NULL, 'g'}, {"dedup", required_argument, NULL, 'd'}, {"delay", required_argument, NULL, 'y'},
						{"wait", required_argument, NULL, 'w'}, {"visibility", required_argument, NULL, 'v'}, {"max", required_argument, NULL, 'm'},
						{"keep", no_argument, NULL, 'k'}, GLOBAL_OPTIONS};
	static const char *const verbs[] = {"create", "list", "send", "receive", "purge", "delete", "attributes", NULL};
	int c, rc = EX_FINE;

	while (rc == EX_FINE && (c = getopt_long(argc, argv, ":h", options, NULL)) != -1)
		switch (c) {
		case 'g': a->group = optarg; break;
		case 'd': a->dedup = optarg; break;
		case 'y': a->delay = optarg; break;
		case 'w': a->wait = optarg; break;
		case 'v': a->visibility = optarg; break;
		case 'm': a->n = optarg; break;
		case 'k': a->keep = true; break;
		default: rc = other_option(argv, c);
		}
	if (rc == EX_FINE)
		rc = verb_argument(argc, argv, verbs, "create, list, send, receive, purge, delete or attributes", &a->verb);
	if (rc != EX_FINE)
		return rc;
	a->name = optind < argc ? argv[optind++] : NULL;
	a->rest = argv + optind;
	if (fn_str_empty(a->name) && !fn_streq(a->verb, "list"))
		return usage_error(argv[0], "which queue?");
	if (*a->rest && !fn_streq(a->verb, "create") && !fn_streq(a->verb, "attributes") && (!fn_streq(a->verb, "send") || a->rest[1]))
		return usage_error(argv[0], "what is \"%s\"?", a->rest[fn_streq(a->verb, "send")]);
	if (((a->group || a->dedup || a->delay) && !fn_streq(a->verb, "send")) || ((a->wait || a->visibility || a->n || a->keep) && !fn_streq(a->verb, "receive")))
		return usage_error(argv[0], "%s takes no such options", a->verb);
	return EX_FINE;
}

/* Takes body. */
static int call(struct reply *r, const char *operation, json_t *body)
{
	char target[64];
	const char *const headers[] = {"Content-Type: application/x-amz-json-1.0", target, NULL};
	fn_auto_free char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	snprintf(target, sizeof(target), "X-Amz-Target: AmazonSQS.%s", operation);
	return request(r, "queue", "POST", "/", headers, text ? text : "", text ? strlen(text) : 0, 60);
}

/* What the request is about: {"QueueUrl"}; NULL: it has been said why not. */
static json_t *about(const char *name)
{
	struct reply r = {0};
	const char *url;
	json_t *out = NULL;

	if (call(&r, "GetQueueUrl", json_pack("{s:s}", "QueueName", name)) == EX_FINE && (url = json_string_value(json_object_get(r.json, "QueueUrl"))))
		out = json_pack("{s:s}", "QueueUrl", url);
	reply_free(&r);
	return out;
}

/* NAME=VALUE ... */
static int attributes(const struct queue_args *a, json_t *ret)
{
	for (char **v = a->rest; *v; v++) {
		char *is = strchr(*v, '=');

		if (!is)
			return usage_error("queue", "\"%s\" is no NAME=VALUE", *v);
		*is = '\0';
		(void)json_object_set_new(ret, *v, json_string(is + 1));
	}
	return EX_FINE;
}

static int create(const struct queue_args *a)
{
	json_t *given = json_object();
	struct reply r = {0};
	int rc = attributes(a, given);

	if (rc != EX_FINE) {
		json_decref(given);
		return rc;
	}
	if (fn_str_ends(a->name, ".fifo"))
		(void)json_object_set_new(given, "FifoQueue", json_string("true"));
	rc = call(&r, "CreateQueue", json_pack("{s:s, s:o}", "QueueName", a->name, "Attributes", given));
	if (rc == EX_FINE && G.json)
		print_json(r.json);
	else if (rc == EX_FINE)
		puts(json_string_value(json_object_get(r.json, "QueueUrl")));
	reply_free(&r);
	return rc;
}

static json_t *row(const char *url)
{
	static const char *const names[] = {"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"};
	struct reply r = {0};
	json_t *out = json_pack("{s:s}", "Name", strrchr(url, '/') + 1), *got;

	if (call(&r, "GetQueueAttributes", json_pack("{s:s, s:[s]}", "QueueUrl", url, "AttributeNames", "All")) == EX_FINE) {
		got = json_object_get(r.json, "Attributes");
		for (size_t i = 0; i < 3; i++)
			(void)json_object_set(out, names[i], json_object_get(got, names[i]));
	}
	reply_free(&r);
	return out;
}

static int list(const struct queue_args *a)
{
	static const struct column columns[] = {{"NAME", "Name"}, {"WAITING", "ApproximateNumberOfMessages"}, {"IN FLIGHT", "ApproximateNumberOfMessagesNotVisible"},
						{"DELAYED", "ApproximateNumberOfMessagesDelayed"}};
	fn_auto(decref) json_t *rows = json_array(), *token = NULL;
	int rc = EX_FINE;

	do {
		json_t *in = json_pack("{s:i}", "MaxResults", 1000), *v;
		struct reply r = {0};
		size_t i;

		if (a->name)
			(void)json_object_set_new(in, "QueueNamePrefix", json_string(a->name));
		if (token)
			(void)json_object_set(in, "NextToken", token);
		rc = call(&r, "ListQueues", in);
		json_array_foreach(json_object_get(r.json, "QueueUrls"), i, v)
			(void)json_array_append_new(rows, row(json_string_value(v)));
		json_decref(token);
		token = json_incref(json_object_get(r.json, "NextToken"));
		reply_free(&r);
	} while (rc == EX_FINE && token);
	if (rc == EX_FINE && G.json)
		print_json(rows);
	else if (rc == EX_FINE)
		print_table(rows, columns, sizeof(columns) / sizeof(columns[0]));
	return rc;
}

/* The body: as it stands, @FILE, or - for standard input. */
static int body_of(const char *text, struct fn_buf *ret)
{
	FILE *f;
	int r;

	if (text[0] != '@' && strcmp(text, "-") != 0)
		return fn_buf_add_str(ret, text) < 0 ? EX_BAD_USE : EX_FINE;
	f = text[0] == '@' ? fopen(text + 1, "re") : stdin;
	if (!f)
		return usage_error("queue", "%s cannot be read", text + 1);
	r = fn_buf_read_fd(ret, fileno(f), 1048576);
	if (f != stdin)
		(void)fclose(f);
	return r < 0 ? usage_error("queue", "%s cannot be read, or is longer than a message may be", text) : EX_FINE;
}

static int send(const struct queue_args *a)
{
	fn_auto_buf struct fn_buf body = {0};
	struct reply r = {0};
	json_t *in;
	int rc = a->rest[0] ? body_of(a->rest[0], &body) : usage_error("queue", "send wants a body, @FILE or -");

	if (rc == EX_FINE && body.len && !fn_utf8_valid(body.data, body.len))
		rc = usage_error("queue", "send wants UTF-8 text: SQS has no other messages");
	if (rc != EX_FINE || !(in = about(a->name)))
		return rc != EX_FINE ? rc : EX_API;
	(void)json_object_set_new(in, "MessageBody", json_stringn(body.data ? body.data : "", body.len));
	if (a->group)
		(void)json_object_set_new(in, "MessageGroupId", json_string(a->group));
	if (a->dedup)
		(void)json_object_set_new(in, "MessageDeduplicationId", json_string(a->dedup));
	if (a->delay && (rc = number_member(in, "DelaySeconds", "queue", "--delay", a->delay)) != EX_FINE) {
		json_decref(in);
		return rc;
	}
	rc = call(&r, "SendMessage", in);
	if (rc == EX_FINE && G.json)
		print_json(r.json);
	else if (rc == EX_FINE)
		puts(json_string_value(json_object_get(r.json, "MessageId")));
	reply_free(&r);
	return rc;
}

static int drop(const char *url, json_t *messages)
{
	json_t *entries = json_array(), *m;
	struct reply r = {0};
	char id[8];
	size_t i;
	int rc;

	json_array_foreach(messages, i, m)
	{
		snprintf(id, sizeof(id), "%zu", i);
		(void)json_array_append_new(entries, json_pack("{s:s, s:O}", "Id", id, "ReceiptHandle", json_object_get(m, "ReceiptHandle")));
	}
	rc = call(&r, "DeleteMessageBatch", json_pack("{s:s, s:o}", "QueueUrl", url, "Entries", entries));
	reply_free(&r);
	return rc;
}

/* Prints them, then deletes them unless they are kept. */
static int receive(const struct queue_args *a)
{
	json_t *in = about(a->name), *messages, *m;
	fn_auto_free char *url = in ? strdup(json_string_value(json_object_get(in, "QueueUrl"))) : NULL;
	struct reply r = {0};
	size_t i;
	int rc = in ? EX_FINE : EX_API;

	if (rc == EX_FINE)
		rc = number_member(in, "MaxNumberOfMessages", "queue", "--max", a->n ? a->n : "1");
	if (rc == EX_FINE && a->wait)
		rc = number_member(in, "WaitTimeSeconds", "queue", "--wait", a->wait);
	if (rc == EX_FINE && a->visibility)
		rc = number_member(in, "VisibilityTimeout", "queue", "--visibility", a->visibility);
	if (rc != EX_FINE) {
		json_decref(in);
		return rc;
	}
	(void)json_object_set_new(in, "MessageSystemAttributeNames", json_pack("[s]", "All"));
	(void)json_object_set_new(in, "MessageAttributeNames", json_pack("[s]", "All"));
	rc = call(&r, "ReceiveMessage", in);
	messages = json_object_get(r.json, "Messages");
	if (rc == EX_FINE && G.json)
		print_json(r.json);
	json_array_foreach(messages, i, m)
		if (!G.json)
			puts(json_string_value(json_object_get(m, "Body")));
	(void)fflush(stdout);
	if (rc == EX_FINE && !a->keep && json_array_size(messages) > 0)
		rc = drop(url, messages);
	reply_free(&r);
	return rc;
}

/* Sets what is given, or shows all. */
static int show_or_set(const struct queue_args *a)
{
	json_t *in = about(a->name), *given = json_object(), *v;
	struct reply r = {0};
	const char *name;
	int rc = in ? attributes(a, given) : EX_API;

	if (rc != EX_FINE) {
		json_decref(in);
		json_decref(given);
		return rc;
	}
	(void)json_object_set_new(in, "Attributes", given);
	if (*a->rest) {
		rc = call(&r, "SetQueueAttributes", in);
	} else {
		(void)json_object_del(in, "Attributes");
		(void)json_object_set_new(in, "AttributeNames", json_pack("[s]", "All"));
		rc = call(&r, "GetQueueAttributes", in);
		if (rc == EX_FINE && G.json)
			print_json(json_object_get(r.json, "Attributes"));
		else
			json_object_foreach(json_object_get(r.json, "Attributes"), name, v)
				printf("%-38s %s\n", name, json_string_value(v));
	}
	reply_free(&r);
	return rc;
}

static int simply(const struct queue_args *a, const char *operation)
{
	json_t *in = about(a->name);
	struct reply r = {0};
	int rc = in ? call(&r, operation, in) : EX_API;

	reply_free(&r);
	return rc;
}

int cmd_queue(int argc, char **argv)
{
	struct queue_args a = {0};
	int rc = parse(argc, argv, &a);

	if (rc != EX_FINE)
		return rc;
	switch (a.verb[0]) {
	case 'c': return create(&a);
	case 'l': return list(&a);
	case 's': return send(&a);
	case 'r': return receive(&a);
	case 'p': return simply(&a, "PurgeQueue");
	case 'd': return simply(&a, "DeleteQueue");
	default: return show_or_set(&a);
	}
}
