/*
 * fuzz_telemetry.c - what a function's processes say to the Telemetry API. Byte 0: 0, 1 = the body of a subscription (Telemetry API, Logs API); else it is how many bytes at a time
 * a subscriber's HTTP answer comes. What is understood of a subscription must be within its bounds and fit to be written into a request; an answer
 * must come to the same however it is cut up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "runtime/answer.h"
#include "runtime/subscription.h"

static void check_text(const char *s)
{
	for (; *s; s++)
		fuzz_check((unsigned char)*s > ' ' && (unsigned char)*s < 0x7f);
}

static void fuzz_subscription(enum fn_telemetry_api api, struct fuzz_in in)
{
	struct fn_subscription s = {0}, none = {0};
	char why[256] = "";
	size_t len = (size_t)(in.end - in.p);
	char *body = malloc(len ? len : 1);

	if (len)
		memcpy(body, in.p, len);
	if (fn_subscription_parse(api, body, len, &s, why, sizeof(why)) < 0) {
		fuzz_check(why[0] && strlen(why) < sizeof(why) - 1 && memcmp(&s, &none, sizeof(s)) == 0);
		for (const char *p = why; *p; p++) /* it becomes a JSON string */
			fuzz_check((unsigned char)*p >= ' ' && (unsigned char)*p < 0x7f && *p != '"' && *p != '\\');
	} else {
		fuzz_check(s.api == api && (api == FN_API_LOGS) == (s.schema <= FN_SCHEMA_2021_03_18));
		fuzz_check(s.kinds > 0 && s.kinds <= 7 && s.port > 0 && s.port != 9001);
		fuzz_check(s.max_items >= 1000 && s.max_items <= 10000 && s.max_bytes >= 262144 && s.max_bytes <= 1048576);
		fuzz_check(s.timeout_us >= 25000 && s.timeout_us <= 30000000);
		fuzz_check(s.tcp || (s.path[0] == '/' && s.host[0]));
		check_text(s.path);
		check_text(s.host);
	}
	free(body);
}

/* 0 to 1: its status; what has become of it */
static int feed(struct fn_answer *a, const uint8_t *data, size_t size, size_t step)
{
	int r = 0;

	fn_answer_reset(a);
	for (size_t at = 0; at < size && r == 0 && !a->ended; at += step) {
		size_t n = size - at < step ? size - at : step;
		char *copy = malloc(n);

		memcpy(copy, data + at, n);
		r = fn_answer_feed(a, copy, n);
		free(copy);
		fuzz_check(r == 0 || r == 1 || r == -EBADMSG);
		fuzz_check(r != 1 || (a->status >= 200 && a->status <= 599));
		if (r == 1 && !a->ended)
			r = 0;
	}
	return r < 0 ? r : a->status >= 200;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, data + size};
	static struct fn_answer one, other;
	uint8_t how = fuzz_byte(&in);
	int r;

	if (how < 2) {
		fuzz_subscription(how ? FN_API_LOGS : FN_API_TELEMETRY, in);
		return 0;
	}
	r = feed(&one, in.p, (size_t)(in.end - in.p), how);
	fuzz_check(r == feed(&other, in.p, (size_t)(in.end - in.p), 1));
	fuzz_check(r != 1 || one.status == other.status);
	return 0;
}
