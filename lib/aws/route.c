/* route.c - see route.h. */
#include "aws/route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

static int decode(struct fn_buf *b, const char *text, size_t len, bool query, bool nul)
{
	fn_auto_buf struct fn_buf plain = {0};
	uint8_t c;
	int r = fn_buf_reserve(&plain, len);

	for (size_t i = 0; i < len && r == 0; i++) {
		if (text[i] == '%' && i + 2 < len && fn_hex_decode(text + i + 1, 2, &c) == 0 && (c != 0 || nul))
			i += 2;
		else
			c = query && text[i] == '+' ? ' ' : (uint8_t)text[i];
		plain.data[plain.len++] = (char)c; /* there is room */
	}
	return r < 0 ? r : fn_buf_add_utf8(b, plain.data ? plain.data : "", plain.len);
}

int fn_aws_decode(struct fn_buf *b, const char *text, size_t len, bool query) { return decode(b, text, len, query, false); }
int fn_aws_decode_value(struct fn_buf *b, const char *text, size_t len) { return decode(b, text, len, true, true); }

int fn_aws_query(const char *query, const char *name, unsigned nth, struct fn_buf *ret)
{
	fn_auto_buf struct fn_buf key = {0};

	for (size_t len, n; *query; query += len + (query[len] == '&')) {
		len = strcspn(query, "&");
		n = strcspn(query, "=&");
		fn_buf_reset(&key);
		if (fn_aws_decode(&key, query, n, true) < 0)
			return -ENOMEM;
		if (key.data && strcmp(key.data, name) == 0 && nth-- == 0)
			return fn_aws_decode(ret, query + n + (n < len), len - n - (n < len), true);
	}
	return -ENOENT;
}

/* "?List=ALL" behind a URI: the query must say so. */
static bool asked(const char *literal, const char *query)
{
	fn_auto_buf struct fn_buf value = {0};
	char name[32];
	size_t n = strcspn(literal, "=");

	snprintf(name, sizeof(name), "%.*s", (int)n, literal);
	return fn_aws_query(query, name, 0, &value) == 0 && fn_streq(value.data ? value.data : "", literal + n + (literal[n] == '='));
}

static bool match(const char *uri, const char *path, const char *query, struct fn_aws_labels *labels)
{
	labels->n = 0;
	for (size_t a, b;; uri += a, path += b) {
		while (*uri == '/')
			uri++;
		while (*path == '/')
			path++;
		if (!*uri || *uri == '?' || !*path)
			return !*path && (!*uri || (*uri == '?' && asked(uri + 1, query)));
		a = strcspn(uri, "/?");
		b = strcspn(path, "/");
		if (*uri == '{') {
			labels->at[labels->n].text = path;
			labels->at[labels->n++].len = b;
		} else if (a != b || memcmp(uri, path, a) != 0) {
			return false;
		}
	}
}

const struct fn_aws_operation *fn_aws_route(const char *method, const char *path, const char *query, struct fn_aws_labels *ret)
{
	struct fn_aws_labels labels;

	for (const struct fn_aws_operation *o = fn_aws_operations; o < fn_aws_operations + FN_AWS_LOGS_FIRST; o++)
		if (strcmp(o->method, method) == 0 && match(o->uri, path, query, &labels)) {
			if (ret)
				*ret = labels;
			return o;
		}
	return NULL;
}

static const struct fn_aws_service_info services[FN_AWS_SERVICES] = {
	[FN_AWS_LAMBDA] = {.name = "lambda", .title = "Lambda", .operations = fn_aws_operations, .n = FN_AWS_LOGS_FIRST},
	[FN_AWS_FND] = {.name = "fnd", .title = "fnd"},
	[FN_AWS_LOGS] = {"logs", "CloudWatch Logs", "Logs_20140328.", "application/x-amz-json-1.1", NULL, NULL, fn_aws_logs_operations, FN_AWS_LOGS_END - FN_AWS_LOGS_FIRST},
	[FN_AWS_SQS] = {"sqs", "SQS", "AmazonSQS.", "application/x-amz-json-1.0", "2012-11-05", "http://queue.amazonaws.com/doc/2012-11-05/", fn_aws_sqs_operations,
			FN_AWS_SQS_END - FN_AWS_SQS_FIRST},
	[FN_AWS_IAM] = {"iam", "IAM", NULL, NULL, "2010-05-08", "https://iam.amazonaws.com/doc/2010-05-08/", fn_aws_iam_operations, FN_AWS_IAM_END - FN_AWS_IAM_FIRST},
	[FN_AWS_STS] = {"sts", "STS", NULL, NULL, "2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/", fn_aws_sts_operations, FN_AWS_STS_END - FN_AWS_STS_FIRST},
};

const struct fn_aws_service_info *fn_aws_service(enum fn_aws_service s) { return &services[s]; }

enum fn_aws_service fn_aws_service_named(const char *name)
{
	enum fn_aws_service s = FN_AWS_LAMBDA;

	while (s < FN_AWS_SERVICES && !fn_streq(services[s].name, name))
		s++;
	return s;
}

const struct fn_aws_operation *fn_aws_operation_named(enum fn_aws_service s, const char *name)
{
	for (unsigned i = 0; i < services[s].n; i++)
		if (strcmp(services[s].operations[i].name, name) == 0)
			return &services[s].operations[i];
	return NULL;
}

static enum fn_aws_service targeted(const char *target)
{
	enum fn_aws_service s = FN_AWS_LAMBDA;

	while (s < FN_AWS_SERVICES && !(services[s].target && fn_str_starts(target, services[s].target)))
		s++;
	return s;
}

const struct fn_aws_operation *fn_aws_route_target(const char *target)
{
	enum fn_aws_service s = targeted(target);

	return s < FN_AWS_SERVICES ? fn_aws_operation_named(s, target + strlen(services[s].target)) : NULL;
}

/* The others have "/", or a queue's path: "/123456789012/name". No path of Lambda's is such. */
bool fn_aws_path_is_rest(const char *path)
{
	size_t n;

	while (*path == '/')
		path++;
	n = strspn(path, "0123456789");
	return *path && !(n == 12 && path[n] == '/');
}

enum fn_aws_protocol fn_aws_protocol_of(const struct fn_aws_head *h)
{
	fn_auto_buf struct fn_buf action = {0};

	if (fn_aws_path_is_rest(h->path))
		return FN_AWS_REST_JSON;
	if (h->target && strcmp(h->method, "POST") == 0)
		return FN_AWS_JSON;
	if (strcmp(h->method, "POST") == 0 && h->content_type && fn_str_starts(h->content_type, "application/x-www-form-urlencoded"))
		return FN_AWS_QUERY;
	return fn_aws_query(h->query, "Action", 0, &action) == 0 ? FN_AWS_QUERY : FN_AWS_REST_JSON;
}

/* key/date/region/SERVICE/aws4_request */
static enum fn_aws_service scoped(const char *credential)
{
	size_t slashes = 0, n;
	char name[24];

	for (; *credential && slashes < 3; credential++)
		slashes += *credential == '/';
	n = strcspn(credential, "/, ");
	if (n >= sizeof(name))
		return FN_AWS_SERVICES;
	memcpy(name, credential, n);
	name[n] = '\0';
	return fn_aws_service_named(name);
}

enum fn_aws_service fn_aws_service_versioned(const char *version, const char *action)
{
	enum fn_aws_service s = FN_AWS_LAMBDA;

	while (s < FN_AWS_SERVICES && !(version && fn_streq(services[s].version, version)))
		s++;
	if (version || !action)
		return s;
	for (s = FN_AWS_LAMBDA; s < FN_AWS_SERVICES; s++)
		if (services[s].version && fn_aws_operation_named(s, action))
			break;
	return s;
}

enum fn_aws_service fn_aws_service_of(const struct fn_aws_head *h)
{
	fn_auto_buf struct fn_buf credential = {0}, version = {0}, action = {0};
	const char *p = h->authorization ? strstr(h->authorization, "Credential=") : NULL;
	enum fn_aws_service s = FN_AWS_SERVICES;

	switch (fn_aws_protocol_of(h)) {
	case FN_AWS_JSON:
		return targeted(h->target);
	case FN_AWS_REST_JSON:
		return FN_AWS_LAMBDA;
	case FN_AWS_QUERY:
		break;
	}
	if (p)
		s = scoped(p + strlen("Credential="));
	else if (fn_aws_query(h->query, "X-Amz-Credential", 0, &credential) == 0 && credential.data)
		s = scoped(credential.data);
	if (s < FN_AWS_SERVICES && services[s].version)
		return s;
	(void)fn_aws_query(h->query, "Version", 0, &version);
	(void)fn_aws_query(h->query, "Action", 0, &action);
	return fn_aws_service_versioned(version.len ? version.data : NULL, action.len ? action.data : NULL);
}
