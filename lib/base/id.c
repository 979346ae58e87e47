/* id.c - see id.h. Randomness is drawn 4 KiB at a time, by each thread for itself: ids are made on the invocation path. */
#include "base/id.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/str.h"

static _Thread_local uint8_t pool[4096];
static _Thread_local size_t pool_used = sizeof(pool);

static void fill(uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			abort(); /* no randomness: ids would collide */
		p += n;
		len -= (size_t)n;
	}
}

void fn_id_random(void *out, size_t len)
{
	if (len > sizeof(pool)) {
		fill(out, len);
		return;
	}
	if (sizeof(pool) - pool_used < len) {
		fill(pool, sizeof(pool));
		pool_used = 0;
	}
	memcpy(out, pool + pool_used, len);
	memset(pool + pool_used, 0, len); /* never hand the same bytes out twice */
	pool_used += len;
}

void fn_id_uuid_bytes(uint8_t out[16])
{
	fn_id_random(out, 16);
	out[6] = (uint8_t)((out[6] & 0x0f) | 0x40);
	out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
}

void fn_id_uuid_format(const uint8_t bytes[16], char out[FN_UUID_SIZE])
{
	char hex[33];

	fn_hex_encode(bytes, 16, hex);
	for (size_t i = 0, o = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			out[o++] = '-';
		out[o++] = hex[i];
	}
	out[36] = '\0';
}

void fn_id_uuid(char out[FN_UUID_SIZE])
{
	uint8_t b[16];

	fn_id_uuid_bytes(b);
	fn_id_uuid_format(b, out);
}

int fn_id_uuid_parse(const char *s, uint8_t out[16])
{
	char hex[33] = "";
	size_t n = 0;

	for (; *s && n < 32; s++)
		if (*s != '-')
			hex[n++] = *s;
	return fn_hex_decode(hex, 32, out);
}

bool fn_id_is_uuid(const char *s)
{
	for (int i = 0; i < 36; i++) {
		char c = s[i];

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (c != '-')
				return false;
		} else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
			return false;
		}
	}
	return s[36] == '\0';
}

void fn_id_hex(char *out, size_t hex_digits)
{
	uint8_t b[64];

	while (hex_digits > 0) {
		size_t n = hex_digits / 2 < sizeof(b) ? hex_digits / 2 : sizeof(b);

		fn_id_random(b, n);
		fn_hex_encode(b, n, out);
		out += 2 * n;
		hex_digits -= 2 * n;
	}
	*out = '\0';
}
