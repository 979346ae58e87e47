/* eventstream.c - see eventstream.h. */
#include "aws/eventstream.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/crc32.h"

#define PRELUDE 12u
#define STRING_VALUE 7u /* a header's type */
#define PAYLOAD_MAX (16u << 20)

static uint8_t *put_u32(uint8_t *to, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(v >> (24 - 8 * i));
	return to + 4;
}

static int put_header(struct fn_event *e, const char *name, const char *value)
{
	size_t n = strlen(name), v = strlen(value);
	uint8_t *to = e->head + e->head_len;

	if (n > UINT8_MAX || n + v + 4 > FN_EVENT_HEAD_MAX - e->head_len)
		return -EMSGSIZE;
	*to++ = (uint8_t)n;
	memcpy(to, name, n);
	to += n;
	*to++ = STRING_VALUE;
	*to++ = (uint8_t)(v >> 8);
	*to++ = (uint8_t)v;
	memcpy(to, value, v);
	e->head_len += n + v + 4;
	return 0;
}

static int make(struct fn_event *e, bool exception, const char *type, const char *content_type, const void *payload, size_t len)
{
	uint32_t crc;
	int r;

	e->head_len = PRELUDE;
	r = len > PAYLOAD_MAX ? -EMSGSIZE : put_header(e, exception ? ":exception-type" : ":event-type", type);
	if (r == 0 && content_type)
		r = put_header(e, ":content-type", content_type);
	if (r == 0)
		r = put_header(e, ":message-type", exception ? "exception" : "event");
	if (r < 0)
		return r;
	put_u32(put_u32(e->head, (uint32_t)(e->head_len + len + sizeof(e->tail))), (uint32_t)(e->head_len - PRELUDE));
	put_u32(e->head + 8, fn_crc32(0, e->head, 8));
	crc = fn_crc32(0, e->head, e->head_len);
	put_u32(e->tail, fn_crc32(crc, payload, len));
	return 0;
}

int fn_event_make(struct fn_event *e, const char *type, const char *content_type, const void *payload, size_t len)
{
	return make(e, false, type, content_type, payload, len);
}

int fn_event_make_exception(struct fn_event *e, const char *type, const char *content_type, const void *payload, size_t len)
{
	return make(e, true, type, content_type, payload, len);
}
