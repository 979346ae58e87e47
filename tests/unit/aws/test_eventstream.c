/* Messages of an event stream: taken apart again. That botocore reads them: tests/it/test_streaming.py. */
#include "aws/eventstream.h"

#include <errno.h>
#include <string.h>

#include "base/crc32.h"
#include "base/str.h"
#include "unit/main.h"

static uint32_t u32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

static size_t whole(const struct fn_event *e, const void *payload, size_t len, uint8_t *to)
{
	memcpy(to, e->head, e->head_len);
	memcpy(to + e->head_len, payload, len);
	memcpy(to + e->head_len + len, e->tail, sizeof(e->tail));
	return e->head_len + len + sizeof(e->tail);
}

static void ck_header(const uint8_t **p, const char *name, const char *value)
{
	ck_assert_uint_eq((*p)[0], strlen(name));
	ck_assert_mem_eq(*p + 1, name, strlen(name));
	*p += 1 + strlen(name);
	ck_assert_uint_eq((*p)[0], 7);
	ck_assert_uint_eq((size_t)(*p)[1] << 8 | (*p)[2], strlen(value));
	ck_assert_mem_eq(*p + 3, value, strlen(value));
	*p += 3 + strlen(value);
}

START_TEST(test_message)
{
	uint8_t m[400];
	struct fn_event e;
	const uint8_t *p = m + 12;
	size_t n;

	ck_assert_int_eq(fn_event_make(&e, "PayloadChunk", "application/octet-stream", "hello", 5), 0);
	n = whole(&e, "hello", 5, m);
	ck_assert_uint_eq(u32(m), n);
	ck_assert_uint_eq(u32(m + 8), fn_crc32(0, m, 8));
	ck_header(&p, ":event-type", "PayloadChunk");
	ck_header(&p, ":content-type", "application/octet-stream");
	ck_header(&p, ":message-type", "event");
	ck_assert_uint_eq(u32(m + 4), (size_t)(p - m - 12));
	ck_assert_mem_eq(p, "hello", 5);
	ck_assert_uint_eq(u32(p + 5), fn_crc32(0, m, n - 4));
	ck_assert_ptr_eq(p + 9, m + n);
}
END_TEST

START_TEST(test_empty_and_bounds)
{
	char long_name[300];
	uint8_t m[400];
	struct fn_event e;
	size_t n;

	ck_assert_int_eq(fn_event_make(&e, "E", NULL, NULL, 0), 0);
	n = whole(&e, "", 0, m);
	ck_assert_uint_eq(u32(m), n);
	ck_assert_uint_eq(u32(m + n - 4), fn_crc32(0, m, n - 4));
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	ck_assert_int_eq(fn_event_make(&e, long_name, NULL, "", 0), -EMSGSIZE);
	ck_assert_int_eq(fn_event_make(&e, "E", long_name, "", 0), -EMSGSIZE);
	ck_assert_int_eq(fn_event_make(&e, "E", NULL, long_name, (16u << 20) + 1), -EMSGSIZE);
}
END_TEST

TEST_MAIN("aws/eventstream", test_message, test_empty_and_bounds)
