/* CRC-32: the published check value, and every way of counting it against the one by the definition. */
#include "base/crc32.h"

#include <string.h>

#include "unit/main.h"

static uint32_t by_bits(const uint8_t *p, size_t len)
{
	uint32_t c = ~0u;

	for (; len > 0; p++, len--) {
		c ^= *p;
		for (int i = 0; i < 8; i++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
	}
	return ~c;
}

START_TEST(test_known)
{
	ck_assert_uint_eq(fn_crc32(0, "123456789", 9), 0xcbf43926u);
	ck_assert_uint_eq(fn_crc32(0, "", 0), 0);
}
END_TEST

/* All lengths around the steps of the implementation, at all alignments, in one piece and in two. */
START_TEST(test_against_the_definition)
{
	static uint8_t data[700];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t len = 0; len < 640; len++)
		for (size_t at = 0; at < 17; at += len < 140 ? 1 : 8) {
			uint32_t want = by_bits(data + at, len);

			ck_assert_uint_eq(fn_crc32(0, data + at, len), want);
			ck_assert_uint_eq(fn_crc32(fn_crc32(0, data + at, len / 3), data + at + len / 3, len - len / 3), want);
		}
}
END_TEST

TEST_MAIN("base/crc32", test_known, test_against_the_definition)
