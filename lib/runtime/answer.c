/* answer.c - see answer.h. */
#include "runtime/answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

/* The value of a field in a head whose lines end in a NUL, behind the first; NULL = absent. Of two the first: what follows must not be trusted then. */
static const char *field(const char *head, size_t len, const char *name, unsigned *ret_n)
{
	const char *value = NULL;
	size_t n = strlen(name);

	*ret_n = 0;
	for (const char *line = head + strlen(head) + 1; line < head + len; line += strlen(line) + 1)
		if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
			(*ret_n)++;
			if (!value)
				value = line + n + 1 + strspn(line + n + 1, " \t");
		}
	return value;
}

/* text: its lines, each with its CR LF or LF, without the empty one. */
static int parse_head(struct fn_answer *a, char *text, size_t len)
{
	unsigned minor, n;
	const char *value;
	int64_t length = -1;

	for (char *p = text; p < text + len; p++) {
		if (!*p)
			return -EBADMSG;
		if (*p == '\r' || *p == '\n')
			*p = '\0';
	}
	if (sscanf(text, "HTTP/1.%1u %3u", &minor, &a->status) != 2 || a->status < 100 || a->status > 599)
		return -EBADMSG;
	a->reusable = minor == 1;
	value = field(text, len, "Connection", &n);
	if (value && strcasestr(value, "close"))
		a->reusable = false;
	value = field(text, len, "Content-Length", &n);
	if (value && (n > 1 || fn_str_to_i64(value, 0, FN_ANSWER_BODY_MAX, &length) < 0))
		a->reusable = false;
	(void)field(text, len, "Transfer-Encoding", &n);
	a->chunked = n > 0;
	a->left = a->status == 204 || a->status == 304 ? 0 : a->chunked || length < 0 ? UINT64_MAX : (uint64_t)length;
	return 0;
}

/* Chunks are known by their end alone: what looks like it within a body costs a connection, no more. */
static void take_body(struct fn_answer *a, const char *data, size_t len)
{
	size_t n = len < sizeof(a->tail) ? len : sizeof(a->tail);

	memmove(a->tail, a->tail + n, sizeof(a->tail) - n);
	memcpy(a->tail + sizeof(a->tail) - n, data + len - n, n);
	a->taken += len;
	if (a->taken > a->left || a->taken > FN_ANSWER_BODY_MAX || a->chunked)
		a->reusable = false; /* it says more than it has announced, or more than anyone wants to hear */
	a->ended = a->taken >= a->left || a->taken > FN_ANSWER_BODY_MAX || (a->chunked && memcmp(a->tail, "0\r\n\r\n", 5) == 0);
}

/* The end of a head: the empty line, and its length with what comes before it; NULL = it has not come. */
static char *head_end(struct fn_answer *a, size_t *ret_len)
{
	char *end = memmem(a->head, a->len, "\r\n\r\n", 4), *bare = memmem(a->head, a->len, "\n\n", 2);

	*ret_len = end && (!bare || end < bare) ? 4 : 2;
	return *ret_len == 4 ? end : bare;
}

int fn_answer_feed(struct fn_answer *a, const char *data, size_t len)
{
	while (a->status < 200) {
		size_t n, empty;
		char *end = head_end(a, &empty);

		if (!end) {
			n = FN_ANSWER_HEAD_MAX - a->len < len ? FN_ANSWER_HEAD_MAX - a->len : len;
			if (n == 0)
				return len ? -EBADMSG : 0; /* it is longer than any */
			memcpy(a->head + a->len, data, n);
			a->len += n;
			data += n;
			len -= n;
			continue;
		}
		*end = '\0';
		n = (size_t)(end - a->head);
		if (parse_head(a, a->head, n) < 0)
			return -EBADMSG;
		a->len -= n + empty;
		memmove(a->head, a->head + n + empty, a->len);
		if (a->status >= 200)
			take_body(a, a->head, a->len);
		else
			a->status = 0; /* 1xx: another follows */
	}
	take_body(a, data, len);
	return 1;
}
