/*
 * answer.h - what a telemetry subscriber's HTTP server answers: its status, and whether the connection serves another request. Pure; the server is a
 * function's. Lenient where web/h1.h is strict: any language's HTTP library is at the other end, HTTP/1.0 too, and of its body nothing is of use.
 */
#ifndef FN_RUNTIME_ANSWER_H
#define FN_RUNTIME_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FN_ANSWER_HEAD_MAX 8192u
#define FN_ANSWER_BODY_MAX 65536u /* after so much it has ended for us */

struct fn_answer {
	unsigned status; /* 0: not known yet */
	bool ended;      /* its body has come, too; of one that goes on until the connection closes this is never told */
	bool reusable;   /* then: another request may follow */
	/* private */
	bool chunked;
	uint64_t left, taken; /* of the body; left: UINT64_MAX = not known */
	char tail[5];
	size_t len;
	char head[FN_ANSWER_HEAD_MAX];
};

/* Takes what has come. 1: the status is known; 0: more is wanted; -EBADMSG: that is no answer. */
int fn_answer_feed(struct fn_answer *a, const char *data, size_t len);
static inline void fn_answer_reset(struct fn_answer *a)
{
	a->status = 0;
	a->len = a->taken = a->left = 0;
	a->ended = a->reusable = a->chunked = false;
}

#endif
