/* message.c - see message.h. */
#include "sqs/message.h"

#include <ctype.h>
#include <nettle/md5.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "model/lineage.h"

#define LONG_BODY 16384u /* whose MD5 is kept */
#define ATTRIBUTES_MAX 10
#define NAME_MAX_LEN 256

void fn_sqs_md5(const void *data, size_t len, char ret[FN_SQS_MD5_SIZE])
{
	uint8_t digest[MD5_DIGEST_SIZE];
	struct md5_ctx ctx;

	md5_init(&ctx);
	md5_update(&ctx, len, data);
	md5_digest(&ctx, sizeof(digest), digest);
	fn_hex_encode(digest, sizeof(digest), ret);
}

/* --- attributes --- */
static void add(struct md5_ctx *ctx, const void *data, size_t len)
{
	const uint8_t n[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};

	md5_update(ctx, sizeof(n), n);
	md5_update(ctx, len, data);
}

static bool wants(const json_t *wanted, const char *name)
{
	json_t *v;
	size_t i;

	if (!wanted)
		return true;
	json_array_foreach((json_t *)wanted, i, v)
	{
		const char *w = json_string_value(v);
		size_t n = w ? strlen(w) : 0;

		if (w && (strcmp(w, "All") == 0 || strcmp(w, ".*") == 0 || strcmp(w, "*") == 0 || strcmp(w, name) == 0))
			return true;
		if (n > 2 && strcmp(w + n - 2, ".*") == 0 && strncmp(name, w, n - 2) == 0)
			return true;
	}
	return false;
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

int fn_sqs_attributes_md5(const json_t *attributes, const json_t *wanted, char ret[FN_SQS_MD5_SIZE], json_t **ret_some)
{
	const char *names[ATTRIBUTES_MAX * 2], *name;
	uint8_t digest[MD5_DIGEST_SIZE];
	json_t *some = NULL, *v;
	struct md5_ctx ctx;
	size_t n = 0;

	ret[0] = '\0';
	if (ret_some)
		*ret_some = NULL;
	json_object_foreach((json_t *)attributes, name, v)
		if (n < sizeof(names) / sizeof(names[0]) && wants(wanted, name))
			names[n++] = name;
	if (n == 0)
		return 0;
	qsort(names, n, sizeof(names[0]), by_name);
	md5_init(&ctx);
	if (ret_some && !(some = json_object()))
		return -1;
	for (size_t i = 0; i < n; i++) {
		const json_t *a = json_object_get(attributes, names[i]);
		const char *type = fn_sqs_text(a, "DataType"), *text = fn_sqs_text(a, "StringValue"), *binary = fn_sqs_text(a, "BinaryValue");

		add(&ctx, names[i], strlen(names[i]));
		add(&ctx, type ? type : "", type ? strlen(type) : 0);
		if (binary) {
			fn_auto_free uint8_t *bytes = NULL;
			size_t len = 0;

			(void)fn_base64_decode(binary, strlen(binary), &bytes, &len);
			md5_update(&ctx, 1, (const uint8_t *)"\2");
			add(&ctx, bytes, len);
		} else {
			md5_update(&ctx, 1, (const uint8_t *)"\1");
			add(&ctx, text ? text : "", text ? strlen(text) : 0);
		}
		if (some)
			(void)json_object_set(some, names[i], (json_t *)a);
	}
	md5_digest(&ctx, sizeof(digest), digest);
	fn_hex_encode(digest, sizeof(digest), ret);
	if (ret_some)
		*ret_some = some;
	return 0;
}

/* The bytes of a letter outside ASCII, as far as blocks tell: not those of signs, symbols and private use. 0: it is none. */
static size_t letter(const unsigned char *s)
{
	unsigned c = s[0] < 0xe0 ? (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu) : (s[0] & 0xfu) << 12 | (s[1] & 0x3fu) << 6 | (s[1] ? s[2] & 0x3fu : 0);

	if (s[0] < 0xc3 || s[0] >= 0xf0)
		return 0;
	if (c == 0xd7 || c == 0xf7 || (c >= 0x2000 && c < 0x2c00) || (c >= 0x3000 && c < 0x3040) || (c >= 0xe000 && c < 0xf900) || c >= 0xfe00)
		return 0;
	return s[0] < 0xe0 ? 2 : 3;
}

static bool is_attribute_name(const char *s)
{
	size_t n = strlen(s), more;

	if (n < 1 || fn_sqs_characters(s) > NAME_MAX_LEN || s[0] == '.' || s[n - 1] == '.' || strstr(s, "..") || strncasecmp(s, "aws.", 4) == 0 || strncasecmp(s, "amazon.", 7) == 0)
		return false;
	for (size_t i = 0; i < n; i += more) {
		more = isalnum((unsigned char)s[i]) || strchr("_-.", s[i]) ? 1 : letter((const unsigned char *)s + i);
		if (more == 0)
			return false;
	}
	return true;
}

static bool is_type(const char *type, const char *base)
{
	size_t n = strlen(base);

	return strncmp(type, base, n) == 0 && (type[n] == '\0' || (type[n] == '.' && type[n + 1]));
}

/* Decimal, with 38 digits at most. */
static bool is_number(const char *s)
{
	char *end;

	if (!*s || strspn(s, "+-0123456789.eE") != strlen(s) || strlen(s) > 128)
		return false;
	(void)strtod(s, &end);
	return *end == '\0';
}

static bool is_text(const char *s);

static int judge_attribute(const char *name, const json_t *a, size_t *size, struct fn_sqs_problem *p)
{
	const char *type = fn_sqs_text(a, "DataType"), *text = fn_sqs_text(a, "StringValue"), *binary = fn_sqs_text(a, "BinaryValue");
	bool is_binary;

	if (!is_attribute_name(name))
		return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Message (user) attribute name '%.256s' is invalid. It can contain A-Z, a-z, 0-9, underscore (_), hyphen (-) and period (.), "
				    "must not start or end with a period, nor with AWS. or Amazon., nor have periods in succession.", name);
	if (fn_str_empty(type) || strlen(type) > NAME_MAX_LEN)
		return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "The message attribute '%.256s' must contain non-empty message attribute type.", name);
	is_binary = is_type(type, "Binary");
	if (!is_binary && !is_type(type, "String") && !is_type(type, "Number"))
		return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "The message attribute '%.256s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.",
				    name);
	if (json_array_size(json_object_get(a, "StringListValues")) || json_array_size(json_object_get(a, "BinaryListValues")))
		return fn_sqs_wrong(p, &FN_SQS_UNSUPPORTED, "Message attribute list values in SendMessage operation are not supported.");
	if (text && strlen(text) != json_string_length(json_object_get(a, "StringValue")))
		return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Message (user) attribute '%.256s' has characters that are not valid.", name);
	if (fn_str_empty(is_binary ? binary : text) || (text && binary))
		return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Message (user) attribute '%.256s' must contain a non-empty value of type '%s'.", name, is_binary ? "Binary" : "String");
	if (is_type(type, "Number") && !is_number(text))
		return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Can't cast the value of message (user) attribute '%.256s' to a number.", name);
	if (text && !is_text(text))
		return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Message (user) attribute '%.256s' has characters that are not valid.", name);
	if (is_binary) {
		fn_auto_free uint8_t *bytes = NULL;
		size_t len = 0;

		if (fn_base64_decode(binary, strlen(binary), &bytes, &len) < 0)
			return fn_sqs_wrong(p, &FN_SQS_UNREADABLE, "Base64 of message attribute '%.256s' is not valid.", name);
		*size += len;
	} else {
		*size += strlen(text);
	}
	*size += strlen(name) + strlen(type);
	return 0;
}

size_t fn_sqs_size(const json_t *in)
{
	size_t size = json_string_length(json_object_get(in, "MessageBody"));
	const char *name;
	json_t *a;

	json_object_foreach(json_object_get(in, "MessageAttributes"), name, a)
	{
		const char *binary = fn_sqs_text(a, "BinaryValue");
		size_t len = binary ? strcspn(binary, "=") : 0;

		size += strlen(name) + json_string_length(json_object_get(a, "DataType")) + json_string_length(json_object_get(a, "StringValue")) + len * 3 / 4;
	}
	return size;
}

static int judge_attributes(const json_t *attributes, size_t *size, struct fn_sqs_problem *p)
{
	const char *name;
	json_t *a;
	int r = 0;

	if (json_object_size(attributes) > ATTRIBUTES_MAX)
		return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Number of message attributes [%zu] exceeds the allowed maximum [%d].", json_object_size(attributes), ATTRIBUTES_MAX);
	json_object_foreach((json_t *)attributes, name, a)
		if (r == 0)
			r = judge_attribute(name, a, size, p);
	return r;
}

static int judge_system(const json_t *system, struct fn_sqs_problem *p)
{
	const char *name;
	json_t *a;

	json_object_foreach((json_t *)system, name, a)
	{
		if (strcmp(name, "AWSTraceHeader") != 0)
			return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Message system attribute name '%.100s' is invalid.", name);
		if (!fn_streq(fn_sqs_text(a, "DataType"), "String") || fn_str_empty(fn_sqs_text(a, "StringValue")) || json_string_length(json_object_get(a, "StringValue")) != strlen(fn_sqs_text(a, "StringValue")) ||
		    strlen(fn_sqs_text(a, "StringValue")) > 600)
			return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Message (system) attribute '%.100s' must contain a non-empty value of type 'String'.", name);
	}
	return 0;
}

/* --- text --- */
/* UTF-8 of XML 1.0's characters. JSON texts are UTF-8 already. */
static bool is_text(const char *s)
{
	for (const unsigned char *c = (const unsigned char *)s; *c; c++) {
		if (*c < 0x20 && *c != '\t' && *c != '\n' && *c != '\r')
			return false;
		if (c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbe) /* U+FFFE, U+FFFF */
			return false;
	}
	return true;
}

/* --- the whole --- */
void fn_sqs_sending_free(struct fn_sqs_sending *s)
{
	free(s->meta);
	free(s->dedup);
	free(s->group);
	s->meta = s->dedup = s->group = NULL;
}

void fn_sqs_look_at_body(const json_t *in, struct fn_sqs_body *ret)
{
	const json_t *v = json_object_get(in, "MessageBody");
	size_t len = json_string_length(v);

	if (len <= LONG_BODY)
		return;
	ret->good = strlen(json_string_value(v)) == len && is_text(json_string_value(v));
	fn_sqs_md5(json_string_value(v), len, ret->md5);
	ret->seen = true;
}

void fn_sqs_body_md5(const struct fn_queue_message *m, const json_t *meta, char ret[FN_SQS_MD5_SIZE])
{
	const char *kept = fn_sqs_text(meta, "m");

	if (!kept || fn_str_format(ret, FN_SQS_MD5_SIZE, "%s", kept) < 0)
		fn_sqs_md5(m->body, m->body_len, ret);
}

static int judge_body(const struct fn_sqs_queue *q, const json_t *in, bool batch, const struct fn_sqs_body *looked, struct fn_sqs_sending *s, struct fn_sqs_problem *p)
{
	const json_t *v = json_object_get(in, "MessageBody");
	const char *body = json_string_value(v);

	if (!body || json_string_length(v) == 0)
		return fn_sqs_wrong(p, batch ? &FN_SQS_MISSING_IN_ENTRY : &FN_SQS_MISSING, "The request must contain the parameter MessageBody.");
	s->step.body = body;
	s->step.body_len = json_string_length(v);
	s->size += s->step.body_len;
	if (looked && looked->seen ? !looked->good : strlen(body) != s->step.body_len || !is_text(body))
		return fn_sqs_wrong(p, &FN_SQS_BAD_CONTENTS, "Invalid characters found. Valid unicode characters are: #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF");
	if (s->size > (size_t)q->settings.size_max)
		return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "One or more parameters %s. Reason: Message must be shorter than %d bytes.", batch ? "cannot be validated" : "are invalid",
				    (int)q->settings.size_max);
	if (looked && looked->seen)
		memcpy(s->md5, looked->md5, sizeof(s->md5));
	else
		fn_sqs_md5(body, s->step.body_len, s->md5);
	return 0;
}

static int judge_delay(const struct fn_sqs_queue *q, const json_t *in, struct fn_sqs_sending *s, struct fn_sqs_problem *p)
{
	int64_t delay_s = q->settings.delay_s;
	char text[24];

	if (fn_sqs_bounded(in, "DelaySeconds", 0, 900, "DelaySeconds must be >= 0 and <= 900.", &delay_s, p) < 0)
		return -1;
	if (q->settings.fifo && json_object_get(in, "DelaySeconds") && delay_s > 0) {
		snprintf(text, sizeof(text), "%d", (int)delay_s);
		fn_sqs_bad_value(p, "DelaySeconds", text, "The request include parameter that is not valid for this queue type.");
		return -1;
	}
	if (q->settings.fifo)
		delay_s = q->settings.delay_s;
	s->step.at_us = delay_s ? fn_clock_real_us() + (uint64_t)delay_s * 1000000u : 0;
	return 0;
}

/* The key under which a repeat is found: in its group's scope the group belongs to it. */
static int judge_fifo(const struct fn_sqs_queue *q, const json_t *in, bool batch, struct fn_sqs_sending *s, struct fn_sqs_problem *p)
{
	const char *group = fn_sqs_text(in, "MessageGroupId"), *dedup = fn_sqs_text(in, "MessageDeduplicationId");
	uint8_t digest[SHA256_DIGEST_SIZE];
	char hex[2 * SHA256_DIGEST_SIZE + 1];
	struct sha256_ctx ctx;

	if (group && !fn_sqs_printable(group)) {
		fn_sqs_bad_value(p, "MessageGroupId", group, "MessageGroupId " FN_SQS_PRINTABLE);
		return -1;
	}
	if (!q->settings.fifo && dedup) {
		fn_sqs_bad_value(p, "MessageDeduplicationId", dedup, "The request include parameter that is not valid for this queue type.");
		return -1;
	}
	if (group && !(s->group = strdup(group)))
		return fn_sqs_wrong(p, &FN_SQS_UNAVAILABLE, "Try again.");
	if (!q->settings.fifo)
		return 0;
	if (!group)
		return fn_sqs_wrong(p, batch ? &FN_SQS_MISSING_IN_ENTRY : &FN_SQS_MISSING, "The request must contain the parameter MessageGroupId.");
	if (dedup && !fn_sqs_printable(dedup)) {
		fn_sqs_bad_value(p, "MessageDeduplicationId", dedup, "MessageDeduplicationId " FN_SQS_PRINTABLE);
		return -1;
	}
	if (!dedup && !q->settings.by_content)
		return fn_sqs_wrong(p, batch ? &FN_SQS_MISSING_IN_ENTRY : &FN_SQS_BAD_VALUE, "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly");
	if (!dedup) {
		sha256_init(&ctx);
		sha256_update(&ctx, s->step.body_len, s->step.body);
		sha256_digest(&ctx, sizeof(digest), digest);
		fn_hex_encode(digest, sizeof(digest), hex);
		dedup = hex;
	}
	if (asprintf(&s->dedup, "%s%s%s", q->settings.by_group ? group : "", q->settings.by_group ? " " : "", dedup) < 0) {
		s->dedup = NULL;
		return fn_sqs_wrong(p, &FN_SQS_UNAVAILABLE, "Try again.");
	}
	s->step.group = s->group;
	s->step.dedup = s->dedup;
	s->step.dedup_us = FN_SQS_DEDUP_US;
	return 0;
}

static int keep(const json_t *in, const char *sender, const char *trace, struct fn_sqs_sending *s, struct fn_sqs_problem *p)
{
	const char *dedup = s->dedup && strchr(s->dedup, ' ') ? strchr(s->dedup, ' ') + 1 : s->dedup;
	json_t *attributes = json_object_get(in, "MessageAttributes"), *meta = json_object();

	if (!fn_str_empty(sender))
		(void)json_object_set_new(meta, "s", json_string(sender));
	if (s->group)
		(void)json_object_set_new(meta, "g", json_string(s->group));
	if (dedup)
		(void)json_object_set_new(meta, "d", json_string(dedup));
	if (trace)
		(void)json_object_set_new(meta, "t", json_string(trace));
	if (json_object_size(attributes))
		(void)json_object_set(meta, "a", attributes);
	if (s->step.body_len > LONG_BODY)
		(void)json_object_set_new(meta, "m", json_string(s->md5));
	s->meta = json_dumps(meta, JSON_COMPACT);
	json_decref(meta);
	if (!s->meta)
		return fn_sqs_wrong(p, &FN_SQS_UNAVAILABLE, "Try again.");
	s->step.meta = s->meta;
	s->step.meta_len = strlen(s->meta);
	return 0;
}

int fn_sqs_judge(const struct fn_sqs_queue *q, const json_t *in, bool batch, const struct fn_sqs_body *body, const char *sender, const char *trace_id, struct fn_sqs_sending *ret, struct fn_sqs_problem *p)
{
	const json_t *attributes = json_object_get(in, "MessageAttributes"), *system = json_object_get(in, "MessageSystemAttributes");
	const char *trace = fn_sqs_text(json_object_get(system, "AWSTraceHeader"), "StringValue");
	fn_auto_buf struct fn_buf carried = {0}; /* a function's message belongs to its chain, whatever it says */
	struct fn_sqs_sending s = {.step = {.what = FN_QUEUE_PUT, .queue = q->queue, .sent_us = fn_clock_real_us()}};

	if (trace && fn_lineage_carry(trace, trace_id, &carried) == 0)
		trace = carried.data;
	if (judge_attributes(attributes, &s.size, p) < 0 || judge_system(system, p) < 0 || judge_body(q, in, batch, body, &s, p) < 0 || judge_delay(q, in, &s, p) < 0 ||
	    judge_fifo(q, in, batch, &s, p) < 0 || keep(in, sender, trace ? trace : trace_id, &s, p) < 0) {
		fn_sqs_sending_free(&s);
		return -1;
	}
	(void)fn_sqs_attributes_md5(attributes, NULL, s.md5_attributes, NULL);
	(void)fn_sqs_attributes_md5(system, NULL, s.md5_system, NULL);
	fn_id_uuid_bytes(s.step.uid);
	*ret = s;
	return 0;
}
