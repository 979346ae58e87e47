/* h1reply.c - see h1reply.h. */
#include "web/h1reply.h"

#include <stdint.h>
#include <string.h>

#include "base/clock.h"

const char *fn_h1_reason(unsigned status)
{
	switch (status) {
	case 200: return "OK";
	case 201: return "Created";
	case 202: return "Accepted";
	case 204: return "No Content";
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 408: return "Request Timeout";
	case 409: return "Conflict";
	case 412: return "Precondition Failed";
	case 413: return "Content Too Large";
	case 414: return "URI Too Long";
	case 417: return "Expectation Failed";
	case 429: return "Too Many Requests";
	case 431: return "Request Header Fields Too Large";
	case 500: return "Internal Server Error";
	case 501: return "Not Implemented";
	case 503: return "Service Unavailable";
	case 505: return "HTTP Version Not Supported";
	default: return "Unknown";
	}
}

bool fn_h1_has_body(unsigned status) { return status >= 200 && status != 204 && status != 304; }

static const char *date_of(struct fn_h1_date *d)
{
	time_t now = (time_t)(fn_clock_real_us() / 1000000u);
	struct tm tm;

	if (now != d->s) {
		d->s = now;
		strftime(d->text, sizeof(d->text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&now, &tm));
	}
	return d->text;
}

static void put(char **at, const char *end, const char *s, size_t n)
{
	if ((size_t)(end - *at) >= n) { /* the caller has made room */
		memcpy(*at, s, n);
		*at += n;
	}
}

static void put_field(char **at, char *end, const char *name, const char *value)
{
	char *v;

	put(at, end, name, strlen(name));
	put(at, end, ": ", 2);
	v = *at;
	put(at, end, value, strlen(value));
	for (; v < *at; v++)
		if ((unsigned char)*v < ' ' || *v == 0x7f)
			*v = ' ';
	put(at, end, "\r\n", 2);
}

static void put_number(char **at, char *end, uint64_t n)
{
	char digits[24], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	put(at, end, p, (size_t)(digits + sizeof(digits) - p));
}

size_t fn_h1_head_size(const struct fn_h1_reply *r)
{
	size_t n = 256 + (r->content_type ? strlen(r->content_type) : 0);

	for (size_t i = 0; i < r->n_headers; i++)
		n += strlen(r->headers[i].name) + strlen(r->headers[i].value) + 4;
	return n;
}

size_t fn_h1_put_head(const struct fn_h1_reply *r, enum fn_h1_framing framing, bool last, struct fn_h1_date *date, char *to, size_t size)
{
	char *at = to, *end = to + size;
	const char *reason = fn_h1_reason(r->status), *now = date_of(date);

	put(&at, end, "HTTP/1.1 ", 9);
	put_number(&at, end, r->status);
	put(&at, end, " ", 1);
	put(&at, end, reason, strlen(reason));
	put(&at, end, "\r\n", 2);
	put(&at, end, now, strlen(now));
	if (r->content_type)
		put_field(&at, end, "Content-Type", r->content_type);
	for (size_t i = 0; i < r->n_headers; i++)
		put_field(&at, end, r->headers[i].name, r->headers[i].value);
	if (last)
		put_field(&at, end, "Connection", "close");
	if (fn_h1_has_body(r->status) && framing == FN_H1_CHUNKED) {
		put_field(&at, end, "Transfer-Encoding", "chunked");
	} else if (fn_h1_has_body(r->status) && framing == FN_H1_LENGTH) {
		put(&at, end, "Content-Length: ", 16);
		put_number(&at, end, r->len);
		put(&at, end, "\r\n", 2);
	}
	put(&at, end, "\r\n", 2);
	return (size_t)(at - to);
}
