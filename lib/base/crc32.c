/*
 * crc32.c - see crc32.h. Eight bytes at a time by tables; on x86-64 with PCLMULQDQ 64 bytes at a time are folded into as many, as in Gopal et al., "Fast
 * CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel, 2009), and what is left goes through the tables.
 */
#include "base/crc32.h"

#include <stdbool.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#define POLYNOMIAL 0xedb88320u
#define FOLD_LEAST 128u /* bytes: for fewer it is not worth it */

static uint32_t tables[8][256]; /* [k][b]: of byte b with k zero bytes behind it */

__attribute__((constructor)) static void fill_tables(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t c = b;

		for (int i = 0; i < 8; i++)
			c = c >> 1 ^ (c & 1 ? POLYNOMIAL : 0);
		tables[0][b] = c;
	}
	for (uint32_t b = 0; b < 256; b++)
		for (int k = 1; k < 8; k++)
			tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xff];
}

static uint64_t little_endian(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

/* c: the register itself, not inverted. */
static uint32_t by_tables(uint32_t c, const uint8_t *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t v = little_endian(p) ^ c;

		c = 0;
		for (int i = 0; i < 8; i++)
			c ^= tables[7 - i][v >> 8 * i & 0xff];
	}
	for (; len > 0; p++, len--)
		c = c >> 8 ^ tables[0][(c ^ *p) & 0xff];
	return c;
}

#ifdef __x86_64__
static bool folds;

__attribute__((constructor)) static void look_at_processor(void)
{
	__builtin_cpu_init();
	folds = __builtin_cpu_supports("pclmul");
}

/* x carried over a distance that the two constants in k stand for, onto what is there. */
__attribute__((target("pclmul"))) static __m128i fold(__m128i x, __m128i k, __m128i there)
{
	return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11)), there);
}

__attribute__((target("pclmul"))) static uint32_t by_folding(uint32_t c, const uint8_t *p, size_t len)
{
	const __m128i over_64 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4), over_16 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
	const __m128i *in = (const __m128i *)p;
	uint8_t rest[16];
	__m128i x[4];

	for (int i = 0; i < 4; i++)
		x[i] = _mm_loadu_si128(in++);
	x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)c));
	for (len -= 64; len >= 64; len -= 64)
		for (int i = 0; i < 4; i++)
			x[i] = fold(x[i], over_64, _mm_loadu_si128(in++));
	for (int i = 1; i < 4; i++)
		x[0] = fold(x[0], over_16, x[i]);
	for (; len >= 16; len -= 16)
		x[0] = fold(x[0], over_16, _mm_loadu_si128(in++));
	_mm_storeu_si128((__m128i *)rest, x[0]); /* sixteen bytes that stand for all of them */
	return by_tables(by_tables(0, rest, sizeof(rest)), (const uint8_t *)in, len);
}
#endif

uint32_t fn_crc32(uint32_t crc, const void *data, size_t len)
{
#ifdef __x86_64__
	if (folds && len >= FOLD_LEAST)
		return ~by_folding(~crc, data, len);
#endif
	return ~by_tables(~crc, data, len);
}
