/* route.c - see route.h. */
#include "aws/route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

int fn_aws_decode(struct fn_buf *b, const char *text, size_t len, bool query)
{
	fn_auto_buf struct fn_buf plain = {0};
	uint8_t c;
	int r = fn_buf_reserve(&plain, len);

	for (size_t i = 0; i < len && r == 0; i++)
		if (text[i] == '%' && i + 2 < len && fn_hex_decode(text + i + 1, 2, &c) == 0 && c != 0) {
			r = fn_buf_add(&plain, &c, 1);
			i += 2;
		} else {
			r = fn_buf_add(&plain, query && text[i] == '+' ? " " : text + i, 1);
		}
	return r < 0 ? r : fn_buf_add_utf8(b, plain.data ? plain.data : "", plain.len);
}

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

const struct fn_aws_operation *fn_aws_route_target(const char *target)
{
	static const char logs[] = "Logs_20140328.";

	if (!fn_str_starts(target, logs))
		return NULL;
	for (const struct fn_aws_operation *o = fn_aws_logs_operations; o < fn_aws_logs_operations + FN_AWS_OPERATIONS - FN_AWS_LOGS_FIRST; o++)
		if (strcmp(o->name, target + strlen(logs)) == 0)
			return o;
	return NULL;
}
