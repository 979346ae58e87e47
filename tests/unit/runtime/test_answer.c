/* Answers of any HTTP server, however they are cut up. */
#include <errno.h>
#include <string.h>

#include "runtime/answer.h"
#include "unit/main.h"

static const struct {
	const char *text;
	unsigned status;
	bool ended, reusable;
} answers[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, true, true},
	{"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX: y\r\n\r\nOK", 200, true, true},
	{"HTTP/1.1 204 No Content\r\n\r\n", 204, true, true},
	{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 1\r\n\r\nx", 202, true, true},
	{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nOK", 200, true, false},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK!", 200, true, false},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nOK", 200, false, false},
	{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 200, false, false},
	{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOK", 200, false, true},
	{"HTTP/1.0 200 OK\r\nServer: SimpleHTTP\r\n\r\nanything", 200, false, false},
	{"HTTP/1.0 200 OK\nContent-Length: 0\n\n", 200, true, false},
	{"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n", 500, true, false},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n", 200, false, false},
};

START_TEST(test_answers)
{
	struct fn_answer a;

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		for (size_t step = 1; step <= strlen(answers[i].text); step++) {
			const char *text = answers[i].text;
			size_t len = strlen(text), at = 0;
			int r = 0;

			fn_answer_reset(&a);
			for (; at < len; at += step)
				r = fn_answer_feed(&a, text + at, at + step < len ? step : len - at);
			ck_assert_msg(r == 1 && a.status == answers[i].status, "%s: %d, %u", text, r, a.status);
			ck_assert_msg(a.ended == answers[i].ended, "%s, %zu a time: ended", text, step);
			ck_assert_msg(!a.ended || a.reusable == answers[i].reusable, "%s, %zu a time: reusable", text, step);
		}
}
END_TEST

START_TEST(test_what_is_none)
{
	static const char *const none[] = {"HTTP/2 200\r\n\r\n", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 99 x\r\n\r\n", "HTTP/1.1 600 x\r\n\r\n"};
	char large[4096];
	struct fn_answer a;
	int r = 0;

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		fn_answer_reset(&a);
		ck_assert_msg(fn_answer_feed(&a, none[i], strlen(none[i])) == -EBADMSG, "%s", none[i]);
	}
	fn_answer_reset(&a);
	ck_assert_int_eq(fn_answer_feed(&a, "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", 25), -EBADMSG);
	fn_answer_reset(&a);
	memset(large, 'x', sizeof(large));
	for (int i = 0; i < 3 && r == 0; i++) /* a head without end */
		r = fn_answer_feed(&a, large, sizeof(large));
	ck_assert_int_eq(r, -EBADMSG);
	fn_answer_reset(&a);
	ck_assert_int_eq(fn_answer_feed(&a, "HTTP/1.0 200 OK\r\n\r\n", 19), 1);
	for (int i = 0; i < 17; i++)
		ck_assert_int_eq(fn_answer_feed(&a, large, sizeof(large)), 1);
	ck_assert(a.ended && !a.reusable); /* nobody wants to hear more */
}
END_TEST

TEST_MAIN("runtime/answer", test_answers, test_what_is_none)
