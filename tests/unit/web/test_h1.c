/* The request parser: each message is fed whole, byte by byte and cut at every place; all must come to the same. */
#include <stdio.h>
#include <string.h>

#include "unit/main.h"
#include "web/h1.h"

#define P "POST /r HTTP/1.1\r\n"
#define CH P "Transfer-Encoding: chunked\r\n"

struct seen {
	enum fn_h1_event end;
	unsigned refusal, heads;
	size_t used;
	char pieces[64];
	size_t n_pieces;
	char text[2048]; /* method target flags [fields] body [trailers] */
};

static enum fn_h1_take take; /* how bodies are taken */

static void describe(const struct fn_h1 *h, struct seen *s)
{
	const char *body = take == FN_H1_PIECES ? s->pieces : h->body.data;
	size_t len = take == FN_H1_PIECES ? s->n_pieces : h->body.len;
	size_t n = 0;

	n += (size_t)snprintf(s->text, sizeof(s->text), "%s %s%s%s%s%s", fn_h1_method(h), fn_h1_target(h), h->http10 ? " 1.0" : "", h->close ? " close" : "",
			      h->expect ? " expect" : "", h->too_large ? " large" : "");
	for (unsigned i = 1; i < h->n_fields; i++)
		n += (size_t)snprintf(s->text + n, sizeof(s->text) - n, " %s%s=%s", i >= h->n_head ? "+" : "", h->text.data + h->fields[i].name,
				      h->text.data + h->fields[i].value);
	snprintf(s->text + n, sizeof(s->text) - n, " <%.*s>", h->too_large ? 0 : (int)len, body ? body : "");
	if (take == FN_H1_PIECES)
		ck_assert_ptr_null(h->body.data);
	if (take == FN_H1_BOTH && !h->too_large)
		ck_assert(len == s->n_pieces && (len == 0 || memcmp(body, s->pieces, len) == 0));
}

/* The bytes in pieces of `first`, then `piece`. */
static void feed(struct fn_h1 *h, const char *data, size_t len, size_t first, size_t piece, size_t body_max, struct seen *s)
{
	size_t at = 0, cut = first;

	memset(s, 0, sizeof(*s));
	while (s->end != FN_H1_DONE && s->end != FN_H1_BAD) {
		size_t give = cut - at < len - at ? cut - at : len - at, used;
		char copy[4096]; /* at its end an overrun would be seen by a sanitizer */

		memcpy(copy + sizeof(copy) - give, data + at, give);
		s->end = fn_h1_feed(h, copy + sizeof(copy) - give, give, &used);
		ck_assert_uint_le(used, give);
		at += used;
		if (s->end == FN_H1_HEAD) {
			s->heads++;
			h->body_max = body_max;
			h->take = take;
		} else if (s->end == FN_H1_PIECE) {
			ck_assert_uint_le(s->n_pieces + h->piece_len, body_max);
			memcpy(s->pieces + s->n_pieces, h->piece, h->piece_len);
			s->n_pieces += h->piece_len;
		} else if (s->end == FN_H1_MORE) {
			ck_assert_uint_eq(used, give);
			if (at == len)
				break;
			cut = at + piece;
		}
	}
	s->refusal = h->refusal;
	s->used = at;
	if (s->end == FN_H1_DONE)
		describe(h, s);
}

struct message {
	const char *in;
	unsigned refusal;     /* 0 = it is whole */
	const char *is;       /* NULL = unfinished */
	const char *rest;     /* what must be left over */
};

static const struct message messages[] = {
	{"GET /a HTTP/1.1\r\n\r\n", 0, "GET /a <>", NULL},
	{"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", 0, "GET /a?b=c Host=x <>", NULL},
	{"\r\n\r\nGET /a HTTP/1.1\r\n\r\n", 0, "GET /a <>", NULL},
	{"GET /a HTTP/1.0\r\n\r\n", 0, "GET /a 1.0 close <>", NULL},
	{"GET /a HTTP/1.7\r\n\r\n", 0, "GET /a <>", NULL},
	{"HEAD * HTTP/1.1\r\n\r\n", 0, "HEAD * <>", NULL},
	{"M-SEARCH /a HTTP/1.1\r\n\r\n", 0, "M-SEARCH /a <>", NULL},
	{"GET http://h:1/p HTTP/1.1\r\n\r\n", 0, "GET /p <>", NULL},
	{"GET /a HTTP/1.1\r\nConnection: x , Close\r\n\r\n", 0, "GET /a close Connection=x , Close <>", NULL},
	{"GET /a HTTP/1.1\r\nConnection: closet\r\n\r\n", 0, "GET /a Connection=closet <>", NULL},
	{"GET /a HTTP/1.1\r\nA: \t b c\t \r\nB:\r\nC:\xc3\xa4\r\n\r\n", 0, "GET /a A=b c B= C=\xc3\xa4 <>", NULL},
	{P "Content-Length: 3\r\n\r\nabcGET", 0, "POST /r Content-Length=3 <abc>", "GET"},
	{P "content-length: 0\r\n\r\n", 0, "POST /r content-length=0 <>", NULL},
	{P "Content-Length: 003\r\n\r\nabc", 0, "POST /r Content-Length=003 <abc>", NULL},
	{P "Content-Length: 3\r\n\r\nab", 0, NULL, NULL},
	{P "Content-Length: 3\r\nExpect: 100-Continue\r\n\r\nabc", 0, "POST /r expect Content-Length=3 Expect=100-Continue <abc>", NULL},
	{P "Content-Length: 11\r\n\r\n12345678901", 0, "POST /r large Content-Length=11 <>", NULL},
	{P "Content-Length: 10\r\n\r\n1234567890", 0, "POST /r Content-Length=10 <1234567890>", NULL},
	{CH "\r\n3\r\nabc\r\n2;x=\"y\"\r\nde\r\n0\r\n\r\nrest", 0, "POST /r Transfer-Encoding=chunked <abcde>", "rest"},
	{CH "\r\n00a \r\n1234567890\r\n0\r\n\r\n", 0, "POST /r Transfer-Encoding=chunked <1234567890>", NULL},
	{CH "\r\nA\r\n1234567890\r\n1\r\nx\r\n0\r\n\r\n", 0, "POST /r large Transfer-Encoding=chunked <>", NULL},
	{CH "\r\n1\r\na\r\n0\r\nT: 1\r\nTransfer-Encoding: 2\r\n\r\n", 0, "POST /r Transfer-Encoding=chunked +T=1 +Transfer-Encoding=2 <a>", NULL},
	{CH "\r\n0\r\n", 0, NULL, NULL},
	/* refused */
	{"GET /a HTTP/1.1\n\n", 400, NULL, NULL},
	{"\n", 400, NULL, NULL},
	{"GET /a HTTP/1.1\r\nA: b\n\r\n", 400, NULL, NULL},
	{"GET /a HTTP/1.1\r\nA: b\rc: d\r\n\r\n", 400, NULL, NULL},
	{"GET /a HTTP/1.1\r\r\n\r\n", 400, NULL, NULL},
	{"GET  /a HTTP/1.1\r\n\r\n", 400, NULL, NULL},
	{"GET /a  HTTP/1.1\r\n\r\n", 400, NULL, NULL},
	{"GET /a HTTP/1.1 \r\n\r\n", 400, NULL, NULL},
	{" GET /a HTTP/1.1\r\n\r\n", 400, NULL, NULL},
	{"GET /a\r\n", 400, NULL, NULL},
	{"GET /a HTTP/11\r\n", 400, NULL, NULL},
	{"GET /a HTTP/2.0\r\n", 505, NULL, NULL},
	{"GET /a http/1.1\r\n", 400, NULL, NULL},
	{"GET a HTTP/1.1\r\n", 400, NULL, NULL},
	{"GET *a HTTP/1.1\r\n", 400, NULL, NULL},
	{"GET http://h HTTP/1.1\r\n", 400, NULL, NULL},
	{"GET /\xe4 HTTP/1.1\r\n", 400, NULL, NULL},
	{"G@T /a HTTP/1.1\r\n", 400, NULL, NULL},
	{"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH / HTTP/1.1\r\n", 400, NULL, NULL},
	{"GET /a HTTP/1.1\r\nA : b\r\n", 400, NULL, NULL},
	{"GET /a HTTP/1.1\r\n: b\r\n", 400, NULL, NULL},
	{"GET /a HTTP/1.1\r\nA\r\n", 400, NULL, NULL},
	{"GET /a HTTP/1.1\r\nA: b\r\n c\r\n", 400, NULL, NULL},
	{"GET /a HTTP/1.1\r\n A: b\r\n", 400, NULL, NULL},
	{"GET /a HTTP/1.1\r\nA: b\x01\r\n", 400, NULL, NULL},
	{"GET /a HTTP/1.1\r\nA: b\x7f\r\n", 400, NULL, NULL},
	{P "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400, NULL, NULL},
	{P "Content-Length: 3, 3\r\n\r\n", 400, NULL, NULL},
	{P "Content-Length: -1\r\n\r\n", 400, NULL, NULL},
	{P "Content-Length: +1\r\n\r\n", 400, NULL, NULL},
	{P "Content-Length: 0x1\r\n\r\n", 400, NULL, NULL},
	{P "Content-Length:\r\n\r\n", 400, NULL, NULL},
	{P "Content-Length: 9999999999999999999\r\n\r\n", 413, NULL, NULL},
	{P "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, NULL, NULL},
	{P "Transfer-Encoding: gzip\r\n\r\n", 501, NULL, NULL},
	{P "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, NULL, NULL},
	{CH "Transfer-Encoding: chunked\r\n\r\n", 400, NULL, NULL},
	{"POST /r HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, NULL, NULL},
	{P "Expect: 200-ok\r\n\r\n", 417, NULL, NULL},
	{CH "\r\n\r\n", 400, NULL, NULL},
	{CH "\r\nx\r\n", 400, NULL, NULL},
	{CH "\r\n-1\r\n", 400, NULL, NULL},
	{CH "\r\n1\nx", 400, NULL, NULL},
	{CH "\r\n1 x\r\n", 400, NULL, NULL},
	{CH "\r\n1;\x01\r\n", 400, NULL, NULL},
	{CH "\r\n1000000000000000\r\n", 400, NULL, NULL},
	{CH "\r\n1\r\nab\r\n", 400, NULL, NULL},
	{CH "\r\n1\r\na0\r\n\r\n", 400, NULL, NULL},
	{CH "\r\n0\r\nT : 1\r\n", 400, NULL, NULL},
};

static void check_taken(const struct message *m, size_t first, size_t piece)
{
	struct fn_h1 h;
	struct seen s;

	fn_h1_init(&h);
	feed(&h, m->in, strlen(m->in), first, piece, 10, &s);
	if (m->refusal) {
		ck_assert_msg(s.end == FN_H1_BAD && s.refusal == m->refusal, "%s: event %d, status %u (pieces %zu, %zu)", m->in, s.end, s.refusal, first, piece);
	} else if (!m->is) {
		ck_assert_msg(s.end == FN_H1_MORE && fn_h1_begun(&h), "%s: event %d", m->in, s.end);
	} else {
		ck_assert_msg(s.end == FN_H1_DONE, "%s: event %d, status %u (pieces %zu, %zu)", m->in, s.end, s.refusal, first, piece);
		ck_assert_str_eq(s.text, m->is);
		ck_assert_str_eq(m->in + s.used, m->rest ? m->rest : "");
		ck_assert_uint_eq(s.heads, 1);
		fn_h1_reset(&h);
		ck_assert(!fn_h1_begun(&h));
	}
	fn_h1_free(&h);
}

static void check_message(const struct message *m, size_t first, size_t piece)
{
	for (take = FN_H1_WHOLE; take <= FN_H1_BOTH; take++)
		check_taken(m, first, piece);
	take = FN_H1_WHOLE;
}

START_TEST(test_messages)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		size_t len = strlen(messages[i].in);

		check_message(&messages[i], len, len);
		check_message(&messages[i], 1, 1);
		for (size_t cut = 1; cut < len; cut++)
			check_message(&messages[i], cut, len);
	}
}
END_TEST

START_TEST(test_body_bytes)
{
	static const char in[] = P "Content-Length: 4\r\n\r\n\0\r\n\xff", nul[] = "GET /a HTTP/1.1\r\nA: b\0c\r\n\r\n", nul2[] = "GET /a\0 HTTP/1.1\r\n\r\n",
			  nul3[] = CH "\r\n1\0\r\na\r\n0\r\n\r\n";
	struct fn_h1 h;
	struct seen s;

	fn_h1_init(&h);
	feed(&h, in, sizeof(in) - 1, sizeof(in), 1, 10, &s);
	ck_assert_int_eq(s.end, FN_H1_DONE);
	ck_assert_uint_eq(h.body.len, 4);
	ck_assert_mem_eq(h.body.data, "\0\r\n\xff", 4);
	fn_h1_reset(&h);
	feed(&h, nul, sizeof(nul) - 1, sizeof(nul), 1, 10, &s);
	ck_assert_uint_eq(s.refusal, 400);
	fn_h1_reset(&h);
	feed(&h, nul2, sizeof(nul2) - 1, sizeof(nul2), 1, 10, &s);
	ck_assert_uint_eq(s.refusal, 400);
	fn_h1_reset(&h);
	feed(&h, nul3, sizeof(nul3) - 1, sizeof(nul3), 1, 10, &s);
	ck_assert_uint_eq(s.refusal, 400);
	fn_h1_free(&h);
}
END_TEST

/* Many requests on one connection, in pieces of any size, some with a body received straight into its place. */
START_TEST(test_pipeline)
{
	struct fn_buf all = {0};
	unsigned n = 0, expected = 200;

	for (unsigned i = 0; i < expected; i++)
		if (i % 3 == 0)
			fn_buf_addf(&all, "GET /%u HTTP/1.1\r\nX: %u\r\n\r\n", i, i);
		else if (i % 3 == 1)
			fn_buf_addf(&all, "POST /%u HTTP/1.1\r\nContent-Length: 10\r\nX: %u\r\n\r\n%010u", i, i, i);
		else
			fn_buf_addf(&all, "POST /%u HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX: %u\r\n\r\n4\r\n%04u\r\n6\r\n%06u\r\n0\r\nY: %u\r\n\r\n", i, i, 0, i, i);
	for (size_t piece = 1; piece < 200; piece += 7, n = 0) {
		struct fn_h1 h;
		size_t at = 0;

		fn_h1_init(&h);
		while (at < all.len) {
			size_t give = all.len - at < piece ? all.len - at : piece, used = 0, space;
			char *direct = piece % 2 ? fn_h1_body_space(&h, &space) : NULL, want[32];
			enum fn_h1_event e;

			if (direct) {
				used = give < space ? give : space;
				memcpy(direct, all.data + at, used);
				fn_h1_body_got(&h, used);
				at += used;
				give = 0;
			}
			e = fn_h1_feed(&h, all.data + at, give, &used);
			at += used;
			ck_assert_int_ne(e, FN_H1_BAD);
			if (e == FN_H1_HEAD)
				h.body_max = 10;
			if (e != FN_H1_DONE && !(e == FN_H1_HEAD && fn_h1_feed(&h, NULL, 0, &used) == FN_H1_DONE))
				continue;
			snprintf(want, sizeof(want), "/%u", n);
			ck_assert_str_eq(fn_h1_target(&h), want);
			ck_assert_str_eq(fn_h1_header(&h, "x"), want + 1);
			ck_assert_uint_eq(h.body.len, n % 3 ? 10 : 0);
			if (n % 3 == 2)
				ck_assert_str_eq(fn_h1_trailer(&h, "y"), want + 1);
			ck_assert_ptr_null(fn_h1_header(&h, "y"));
			ck_assert_ptr_null(fn_h1_trailer(&h, "x"));
			if (n % 3)
				ck_assert_uint_eq(strtoul(h.body.data, NULL, 10), n);
			n++;
			fn_h1_reset(&h);
		}
		ck_assert_uint_eq(n, expected);
		fn_h1_free(&h);
	}
	fn_buf_free(&all);
}
END_TEST

static enum fn_h1_event feed_all(struct fn_h1 *h, const char *data, size_t len)
{
	size_t used;
	enum fn_h1_event e = fn_h1_feed(h, data, len, &used);

	return e;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NO_HUGE_ALLOCATIONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NO_HUGE_ALLOCATIONS 1
#endif
#endif

/* How much it has consumed is said then too. */
START_TEST(test_no_memory)
{
#ifndef NO_HUGE_ALLOCATIONS
	static const char huge[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 281474976710656\r\n\r\n";
	size_t used = 12345;
	struct fn_h1 h;

	fn_h1_init(&h);
	ck_assert_int_eq(feed_all(&h, huge, sizeof(huge) - 1), FN_H1_HEAD);
	h.body_max = SIZE_MAX;
	ck_assert_int_eq(fn_h1_feed(&h, "x", 1, &used), FN_H1_BAD);
	ck_assert_uint_eq(h.refusal, 503);
	ck_assert_uint_le(used, 1);
	fn_h1_free(&h);
#else
	printf("SKIP: sanitizers end a program that asks for too much\n");
#endif
}
END_TEST

START_TEST(test_bounds)
{
	static char big[FN_H1_HEAD_MAX + 10];
	char line[64];
	struct fn_h1 h;

	memset(big, 'a', sizeof(big));
	fn_h1_init(&h);
	feed_all(&h, "GET /", 5);
	ck_assert_int_eq(feed_all(&h, big, FN_H1_LINE_MAX), FN_H1_BAD);
	ck_assert_uint_eq(h.refusal, 414);
	ck_assert_int_eq(feed_all(&h, "x", 1), FN_H1_BAD);
	fn_h1_reset(&h);
	feed_all(&h, "GET / HTTP/1.1\r\nA: ", 19);
	ck_assert_int_eq(feed_all(&h, big, 1u << 20), FN_H1_MORE); /* an X-Ray cause */
	ck_assert_int_eq(feed_all(&h, "\r\n\r\n", 4), FN_H1_HEAD);
	ck_assert_uint_eq(strlen(fn_h1_header(&h, "A")), 1u << 20);
	fn_h1_reset(&h);
	ck_assert_uint_le(h.text.cap, 4096);
	feed_all(&h, "GET / HTTP/1.1\r\nA: ", 19);
	ck_assert_int_eq(feed_all(&h, big, FN_H1_HEAD_MAX), FN_H1_BAD);
	ck_assert_uint_eq(h.refusal, 431);
	fn_h1_reset(&h);
	feed_all(&h, "GET / HTTP/1.1\r\n", 16);
	for (unsigned i = 0; i < FN_H1_FIELDS_MAX - 1; i++)
		ck_assert_int_eq(feed_all(&h, line, (size_t)snprintf(line, sizeof(line), "A%u: b\r\n", i)), FN_H1_MORE);
	ck_assert_int_eq(feed_all(&h, "B: c\r\n", 6), FN_H1_BAD);
	ck_assert_uint_eq(h.refusal, 431);
	fn_h1_reset(&h);
	feed_all(&h, CH "\r\n", sizeof(CH "\r\n") - 1);
	ck_assert_int_eq(feed_all(&h, "1;", 2), FN_H1_MORE);
	ck_assert_int_eq(feed_all(&h, big, 1024), FN_H1_BAD);
	fn_h1_free(&h);
}
END_TEST

TEST_MAIN("web/h1", test_messages, test_body_bytes, test_pipeline, test_no_memory, test_bounds)
