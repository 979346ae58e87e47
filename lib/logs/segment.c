/* segment.c - see segment.h. */
#include "logs/segment.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/id.h"
#include "base/str.h"

#define MAGIC 0x31474f4cu /* "LOG1" */
#define TENANT_MAX 255u
#define SUMMED offsetof(struct fn_log_head, min_ms)

/* Tells a torn or rotten block from a whole one; nobody who could forge it is kept out by it. */
static uint64_t sum_of(const uint8_t *p, size_t len)
{
	uint64_t h = 0x9e3779b97f4a7c15u ^ len, w;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	w = 0;
	memcpy(&w, p, len);
	h = (h ^ w) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 29;
}

/* "xxxxxxxx-xxxx-...": 16 bytes. */
static bool pack_id(const char *id, uint8_t out[16])
{
	char hex[33];
	size_t n = 0;

	if (!id || !fn_id_is_uuid(id))
		return false;
	for (; *id && n < 32; id++)
		if (*id != '-')
			hex[n++] = *id;
	return n == 32 && fn_hex_decode(hex, 32, out) == 0;
}

int fn_log_record_add(struct fn_buf *b, uint32_t stream, const struct fn_log_event *e)
{
	struct fn_log_record r = {.stream = stream, .time_ms = e->time_ms, .kind = (uint8_t)e->kind};
	size_t len = e->len < FN_LOG_EVENT_MAX ? e->len : FN_LOG_EVENT_MAX, tenant = e->tenant_id ? strnlen(e->tenant_id, TENANT_MAX) : 0;
	uint8_t id[16];
	char *to;

	r.len = (uint32_t)len;
	r.has_id = pack_id(e->request_id, id);
	r.tenant_len = (uint8_t)tenant;
	if (fn_buf_reserve(b, sizeof(r) + sizeof(id) + tenant + len) < 0)
		return -ENOMEM;
	to = b->data + b->len;
	memcpy(to, &r, sizeof(r));
	to += sizeof(r);
	if (r.has_id) {
		memcpy(to, id, sizeof(id));
		to += sizeof(id);
	}
	if (tenant)
		memcpy(to, e->tenant_id, tenant);
	if (len)
		memcpy(to + tenant, e->text, len);
	b->len = (size_t)(to + tenant + len - b->data);
	b->data[b->len] = '\0';
	return 0;
}

int fn_log_name_add(struct fn_buf *b, uint32_t stream, const char *name)
{
	const struct fn_log_record r = {.len = (uint32_t)strlen(name), .stream = stream, .kind = FN_LOG_NAME};

	if (fn_buf_reserve(b, sizeof(r) + r.len) < 0)
		return -ENOMEM;
	(void)fn_buf_add(b, &r, sizeof(r));
	return fn_buf_add(b, name, r.len);
}

bool fn_log_record_next(const uint8_t *data, size_t len, size_t *at, struct fn_log_read *ret)
{
	struct fn_log_record r;
	const uint8_t *p = data + *at;
	size_t left = len - *at;

	if (left < sizeof(r))
		return false;
	memcpy(&r, p, sizeof(r));
	if (r.has_id > 1 || (r.kind > FN_LOG_PUT && r.kind != FN_LOG_NAME) || r.len > FN_LOG_EVENT_MAX ||
	    left - sizeof(r) < (size_t)r.has_id * 16 + r.tenant_len + r.len)
		return false;
	p += sizeof(r);
	*ret = (struct fn_log_read){.stream = r.stream, .offset = (uint32_t)*at, .kind = r.kind, .tenant_len = r.tenant_len, .time_ms = r.time_ms,
				    .id = r.has_id ? p : NULL, .len = r.len};
	p += (size_t)r.has_id * 16;
	ret->tenant = (const char *)p;
	ret->text = (const char *)p + r.tenant_len;
	*at += sizeof(r) + (size_t)r.has_id * 16 + r.tenant_len + r.len;
	return true;
}

int fn_log_block_begin(struct fn_buf *b)
{
	const struct fn_log_head h = {0};

	return fn_buf_add(b, &h, sizeof(h));
}

void fn_log_block_end(struct fn_buf *b, size_t from, int64_t written_ms)
{
	struct fn_log_head h = {.magic = MAGIC, .len = (uint32_t)(b->len - from - sizeof(h)), .min_ms = INT64_MAX, .max_ms = INT64_MIN, .written_ms = written_ms};
	uint8_t *p = (uint8_t *)b->data + from;
	struct fn_log_read r;

	for (size_t at = 0; fn_log_record_next(p + sizeof(h), h.len, &at, &r);) {
		if (r.kind == FN_LOG_NAME)
			continue;
		h.events++;
		h.min_ms = r.time_ms < h.min_ms ? r.time_ms : h.min_ms;
		h.max_ms = r.time_ms > h.max_ms ? r.time_ms : h.max_ms;
	}
	memcpy(p, &h, sizeof(h));
	h.sum = sum_of(p + SUMMED, sizeof(h) - SUMMED + h.len);
	memcpy(p, &h, sizeof(h));
}

bool fn_log_block_read(const uint8_t *data, size_t len, struct fn_log_head *ret)
{
	if (len < sizeof(*ret))
		return false;
	memcpy(ret, data, sizeof(*ret));
	return ret->magic == MAGIC && ret->len <= FN_LOG_BLOCK_MAX && ret->len <= len - sizeof(*ret) &&
	       sum_of(data + SUMMED, sizeof(*ret) - SUMMED + ret->len) == ret->sum;
}
