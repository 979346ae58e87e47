/*
 * eventstream.h - messages of application/vnd.amazon.eventstream, in which AWS's services stream: what is to be put before and behind a payload, which
 * itself is not copied. Pure.
 *
 * A message (Amazon Event Stream specification, smithy.io): its length and that of its headers, CRC-32 of these eight bytes, the headers (name, type, value),
 * the payload, CRC-32 of all before; numbers are big-endian.
 */
#ifndef FN_AWS_EVENTSTREAM_H
#define FN_AWS_EVENTSTREAM_H

#include <stddef.h>
#include <stdint.h>

#define FN_EVENT_STREAM_TYPE "application/vnd.amazon.eventstream"
#define FN_EVENT_HEAD_MAX 256u

struct fn_event {
	uint8_t head[FN_EVENT_HEAD_MAX], tail[4];
	size_t head_len;
};

/* An event of the given type (":event-type") and content type (":content-type", NULL = none). -EMSGSIZE when head has no room for these names, or
 * the payload is larger than the format's 16 MiB. */
int fn_event_make(struct fn_event *e, const char *type, const char *content_type, const void *payload, size_t len);
/* The same of an exception (":exception-type"). */
int fn_event_make_exception(struct fn_event *e, const char *type, const char *content_type, const void *payload, size_t len);

#endif
