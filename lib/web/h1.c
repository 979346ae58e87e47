/*
 * h1.c - see h1.h. Lines are gathered in `text` until their LF is there, then checked and cut into strings in place: each byte is looked at a
 * bounded number of times however it arrives. Lines of the chunked coding are dropped again once they are understood.
 */
#include "web/h1.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define CHUNK_LINE_MAX 1024u /* size and extensions */
#define TEXT_KEEP 4096u      /* memory kept between requests */

enum state { START, FIELDS, BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILERS, DONE, BAD };

void fn_h1_init(struct fn_h1 *h)
{
	memset(h, 0, offsetof(struct fn_h1, fields));
	h->line_max = FN_H1_LINE_MAX;
	h->head_max = FN_H1_HEAD_MAX;
}

void fn_h1_init_response(struct fn_h1 *h)
{
	fn_h1_init(h);
	h->response = true;
}

void fn_h1_free(struct fn_h1 *h)
{
	fn_buf_free(&h->text);
	fn_buf_free(&h->body);
}

void fn_h1_reset(struct fn_h1 *h)
{
	struct fn_buf text = h->text;
	uint32_t line_max = h->line_max, head_max = h->head_max;
	bool response = h->response;

	fn_buf_free(&h->body);
	if (text.cap > TEXT_KEEP)
		fn_buf_free(&text);
	fn_h1_init(h);
	h->text = text;
	h->text.len = 0;
	h->line_max = line_max;
	h->head_max = head_max;
	h->response = response;
}

bool fn_h1_head_known(const struct fn_h1 *h) { return h->n_head > 0 && h->state != BAD; }
bool fn_h1_begun(const struct fn_h1 *h) { return h->state != START || h->text.len > 0; }

static enum fn_h1_event refuse(struct fn_h1 *h, unsigned status)
{
	h->state = BAD;
	h->refusal = status;
	return FN_H1_BAD;
}

static bool is_token(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || (c && strchr("!#$%&'*+.^_`|~", c));
}

static size_t token_len(const char *s)
{
	size_t n = 0;

	while (is_token((unsigned char)s[n]))
		n++;
	return n;
}

/* --- lines; each parser gets one without its CRLF, NUL-terminated, of len bytes, and returns 0 or the status of the refusal --- */
static unsigned request_line(struct fn_h1 *h, char *s, size_t len)
{
	size_t m = token_len(s), t = 0;
	char *target = s + m + 1, *version;

	if (m == 0 || m > 32 || s[m] != ' ')
		return 400;
	while ((unsigned char)target[t] > ' ' && (unsigned char)target[t] < 0x7f)
		t++;
	if (t == 0 || target[t] != ' ')
		return 400;
	version = target + t + 1;
	if ((size_t)(s + len - version) != 8 || memcmp(version, "HTTP/", 5) != 0 || version[6] != '.' || version[5] < '0' || version[5] > '9' ||
	    version[7] < '0' || version[7] > '9')
		return 400;
	if (version[5] != '1')
		return 505;
	h->http10 = h->close = version[7] == '0';
	s[m] = target[t] = '\0';
	if (strncasecmp(target, "http://", 7) == 0) { /* the absolute form, as to a proxy: only its path matters here */
		target = strchr(target + 7, '/');
		if (!target)
			return 400;
	}
	if (*target != '/' && strcmp(target, "*") != 0)
		return 400;
	h->fields[0] = (struct fn_h1_field){(uint32_t)(s - h->text.data), (uint32_t)(target - h->text.data)};
	h->n_fields = 1;
	return 0;
}

/* "HTTP/1.1 200 OK": kept as if it were a request's, without method. */
static unsigned status_line(struct fn_h1 *h, char *s, size_t len)
{
	if (len < 12 || memcmp(s, "HTTP/1.1 ", 9) != 0 || strspn(s + 9, "0123456789") != 3 || (s[12] && s[12] != ' '))
		return 502;
	h->status = (unsigned)(s[9] - '0') * 100 + (unsigned)(s[10] - '0') * 10 + (unsigned)(s[11] - '0');
	h->fields[0] = (struct fn_h1_field){(uint32_t)(s + len - h->text.data), (uint32_t)(s + len - h->text.data)};
	h->n_fields = 1;
	return h->status < 200 ? 502 : 0;
}

static unsigned field_line(struct fn_h1 *h, char *s, size_t len)
{
	size_t n = token_len(s);
	char *v = s + n + 1, *end = s + len;

	if (n == 0 || s[n] != ':') /* also a folded line, which begins with white space */
		return 400;
	s[n] = '\0';
	while (*v == ' ' || *v == '\t')
		v++;
	while (end > v && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	for (const char *p = v; p < end; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return 400;
	if (h->n_fields == FN_H1_FIELDS_MAX)
		return 431;
	h->fields[h->n_fields++] = (struct fn_h1_field){(uint32_t)(s - h->text.data), (uint32_t)(v - h->text.data)};
	return 0;
}

static unsigned chunk_line(struct fn_h1 *h, const char *s, size_t len)
{
	uint64_t size = 0;
	size_t n = 0;

	for (;; n++) {
		int c = (unsigned char)s[n], d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (d < 0)
			break;
		if (n == 15)
			return 400;
		size = size << 4 | (unsigned)d;
	}
	if (n == 0)
		return 400;
	while (n < len && (s[n] == ' ' || s[n] == '\t'))
		n++;
	if (n < len && s[n] != ';')
		return 400;
	for (; n < len; n++)
		if (((unsigned char)s[n] < ' ' && s[n] != '\t') || s[n] == 0x7f)
			return 400;
	h->left = size;
	return 0;
}

/* --- the end of the head --- */
static bool list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (*list) {
		size_t len;

		list += strspn(list, " \t,");
		len = strcspn(list, ",");
		if (len >= n && strncasecmp(list, word, n) == 0 && strspn(list + n, " \t") >= len - n)
			return true;
		list += len;
	}
	return false;
}

static unsigned content_length(struct fn_h1 *h, const char *s)
{
	size_t n = strspn(s, "0123456789");

	if (n == 0 || s[n])
		return 400;
	if (n > 18)
		return 413;
	h->left = 0;
	for (; *s; s++)
		h->left = h->left * 10 + (unsigned)(*s - '0');
	return 0;
}

static unsigned head_done(struct fn_h1 *h)
{
	const char *base = h->text.data;
	bool length = false;
	unsigned bad = 0;

	h->n_head = h->n_fields;
	for (unsigned i = 1; i < h->n_head && !bad; i++) {
		const char *name = base + h->fields[i].name, *value = base + h->fields[i].value;

		switch (*name | 0x20) { /* most fields are none of ours */
		case 'c':
			if (strcasecmp(name, "Content-Length") == 0) {
				bad = length ? 400 : content_length(h, value);
				length = true;
			} else if (strcasecmp(name, "Connection") == 0 && list_has(value, "close")) {
				h->close = true;
			}
			break;
		case 't':
			if (strcasecmp(name, "Transfer-Encoding") == 0) {
				bad = h->chunked || h->http10 ? 400 : strcasecmp(value, "chunked") != 0 ? 501 : 0;
				h->chunked = true;
			}
			break;
		case 'e':
			if (strcasecmp(name, "Expect") == 0) {
				bad = strcasecmp(value, "100-continue") != 0 ? 417 : 0;
				h->expect = !h->http10;
			}
			break;
		}
	}
	if (!bad && length && h->chunked) /* the classic of request smuggling */
		bad = 400;
	h->state = h->chunked ? CHUNK_SIZE : BODY;
	if (!bad && h->response && !length && !h->chunked && h->status != 204 && h->status != 304)
		bad = 502;
	return bad;
}

static enum fn_h1_event done(struct fn_h1 *h)
{
	h->state = DONE;
	if (h->too_large)
		fn_buf_free(&h->body);
	return FN_H1_DONE;
}

/* A whole line is in text, from h->line on, without CRLF. */
static enum fn_h1_event line_done(struct fn_h1 *h)
{
	char *s = h->text.data + h->line;
	size_t len = h->text.len - h->line;
	bool keep = false;
	unsigned bad = 0;

	switch (h->state) {
	case START:
		if (len > 0) { /* an empty line before a request is let pass, as RFC 9112 2.2 wants it */
			bad = h->response ? status_line(h, s, len) : request_line(h, s, len);
			h->state = FIELDS;
			keep = true;
		}
		break;
	case FIELDS:
	case TRAILERS:
		keep = len > 0;
		if (len > 0) {
			bad = field_line(h, s, len);
		} else if (h->state == TRAILERS) {
			return done(h);
		} else {
			bad = head_done(h);
			if (!bad) {
				h->text.len = h->line;
				return FN_H1_HEAD;
			}
		}
		break;
	case CHUNK_SIZE:
		bad = chunk_line(h, s, len);
		h->state = h->left > 0 ? CHUNK_DATA : TRAILERS;
		break;
	case CHUNK_END:
		bad = len > 0 ? 400 : 0;
		h->state = CHUNK_SIZE;
		break;
	}
	if (bad)
		return refuse(h, bad);
	if (keep)
		h->line = ++h->text.len; /* past its NUL */
	else
		h->text.len = h->line;
	return FN_H1_MORE;
}

/* Gathers a line; it is whole when its LF has come. */
static enum fn_h1_event feed_line(struct fn_h1 *h, const char *data, size_t len, size_t *used)
{
	const char *nl = memchr(data, '\n', len);
	size_t n = nl ? (size_t)(nl - data) + 1 : len, have = h->text.len - h->line + n;
	char *end;

	if (h->state == START && have > h->line_max)
		return refuse(h, 414);
	if ((h->state == CHUNK_SIZE || h->state == CHUNK_END) && have > CHUNK_LINE_MAX)
		return refuse(h, 400);
	if (h->text.len + n > h->head_max)
		return refuse(h, 431);
	if (h->text.cap == 0 && fn_buf_reserve(&h->text, 1000) < 0)
		return refuse(h, 503);
	if (fn_buf_add(&h->text, data, n) < 0)
		return refuse(h, 503);
	*used = n;
	if (!nl)
		return FN_H1_MORE;
	end = h->text.data + h->text.len - 2;
	if (h->text.len - h->line < 2 || *end != '\r')
		return refuse(h, 400);
	*end = '\0';
	h->text.len -= 2;
	if (memchr(h->text.data + h->line, '\0', h->text.len - h->line)) /* what follows would go unseen */
		return refuse(h, 400);
	return line_done(h);
}

static bool is_kept(const struct fn_h1 *h) { return h->take == FN_H1_WHOLE || h->take == FN_H1_BOTH; }

/* Bytes of the body: n of data, or counted only. */
static enum fn_h1_event body_add(struct fn_h1 *h, const char *data, size_t n)
{
	h->left -= n;
	if (!h->too_large && n > h->body_max - h->taken) { /* never underflows: taken <= body_max */
		h->too_large = true;
		fn_buf_free(&h->body);
	}
	if (h->too_large)
		return FN_H1_MORE;
	h->taken += n;
	if (is_kept(h) && fn_buf_add(&h->body, data, n) < 0)
		return refuse(h, 503);
	if (h->take == FN_H1_WHOLE)
		return FN_H1_MORE;
	h->piece = data;
	h->piece_len = n;
	return FN_H1_PIECE;
}

/* The memory for a body of known length is had at once. */
static enum fn_h1_event body_begin(struct fn_h1 *h)
{
	if (h->left > h->body_max)
		h->too_large = true;
	else if (is_kept(h) && fn_buf_reserve(&h->body, (size_t)h->left) < 0)
		return refuse(h, 503);
	return FN_H1_MORE;
}

enum fn_h1_event fn_h1_feed(struct fn_h1 *h, const char *data, size_t len, size_t *ret_used)
{
	enum fn_h1_event e = FN_H1_MORE;
	size_t at = 0;

	*ret_used = 0;
	while (e == FN_H1_MORE) {
		size_t n = 0;

		if (h->state == BODY && h->left == 0) {
			e = done(h);
		} else if (h->state == DONE || h->state == BAD) {
			e = h->state == DONE ? FN_H1_DONE : FN_H1_BAD;
		} else if (at == len) {
			break;
		} else if (h->state == BODY || h->state == CHUNK_DATA) {
			if (h->state == BODY && !h->too_large && h->taken == 0)
				e = body_begin(h);
			n = len - at < h->left ? len - at : (size_t)h->left;
			if (e == FN_H1_MORE)
				e = body_add(h, data + at, n);
			if (h->left == 0 && h->state == CHUNK_DATA)
				h->state = CHUNK_END;
		} else {
			e = feed_line(h, data + at, len - at, &n);
		}
		at += n;
		*ret_used = at;
	}
	return e;
}

char *fn_h1_body_space(struct fn_h1 *h, size_t *ret_len)
{
	if (h->state != BODY || h->left == 0 || h->too_large || !is_kept(h) || h->left > h->body_max - h->taken)
		return NULL;
	if (fn_buf_reserve(&h->body, (size_t)h->left) < 0)
		return NULL;
	*ret_len = (size_t)h->left;
	return h->body.data + h->body.len;
}

void fn_h1_body_got(struct fn_h1 *h, size_t n)
{
	h->body.len += n;
	h->body.data[h->body.len] = '\0';
	h->taken += n;
	h->left -= n;
}

uint64_t fn_h1_body_left(const struct fn_h1 *h) { return h->chunked && h->state != DONE ? UINT64_MAX : h->left; }

const char *fn_h1_method(const struct fn_h1 *h) { return h->n_head ? h->text.data + h->fields[0].name : ""; }
const char *fn_h1_target(const struct fn_h1 *h) { return h->n_head ? h->text.data + h->fields[0].value : ""; }

static const char *find(const struct fn_h1 *h, unsigned from, unsigned to, const char *name)
{
	for (unsigned i = from; i < to; i++)
		if (strcasecmp(h->text.data + h->fields[i].name, name) == 0)
			return h->text.data + h->fields[i].value;
	return NULL;
}

bool fn_h1_next_header(const struct fn_h1 *h, unsigned *at, const char **ret_name, const char **ret_value)
{
	if (++*at >= h->n_head)
		return false;
	*ret_name = h->text.data + h->fields[*at].name;
	*ret_value = h->text.data + h->fields[*at].value;
	return true;
}

const char *fn_h1_header(const struct fn_h1 *h, const char *name) { return find(h, 1, h->n_head, name); }
const char *fn_h1_trailer(const struct fn_h1 *h, const char *name) { return find(h, h->n_head, h->n_fields, name); }

int fn_h1_put_request_head(const struct fn_h1 *h, struct fn_buf *ret)
{
	const char *name, *value;
	unsigned at = 0;
	int r = fn_buf_addf(ret, "%s %s HTTP/1.%c\r\n", fn_h1_method(h), fn_h1_target(h), h->http10 ? '0' : '1');

	while (r == 0 && fn_h1_next_header(h, &at, &name, &value))
		r = fn_buf_addf(ret, "%s: %s\r\n", name, value);
	return r == 0 ? fn_buf_add(ret, "\r\n", 2) : r;
}
