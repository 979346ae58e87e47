/* members.c - the members of a request. */
#include <inttypes.h>
#include <stdio.h>

#include "sqs/internal.h"

const char *fn_sqs_text(const json_t *in, const char *name) { return json_string_value(json_object_get(in, name)); }

bool fn_sqs_number(const json_t *in, const char *name, int64_t *ret)
{
	const json_t *v = json_object_get(in, name);

	if (!json_is_integer(v))
		return false;
	*ret = json_integer_value(v);
	return true;
}

size_t fn_sqs_characters(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

bool fn_sqs_printable(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return n >= 1 && n <= 128;
}

void fn_sqs_bad_value(struct fn_sqs_problem *p, const char *name, const char *value, const char *reason)
{
	(void)fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Value %.300s for parameter %s is invalid. Reason: %s", value, name, reason);
}

int fn_sqs_bounded(const json_t *in, const char *name, int64_t min, int64_t max, const char *reason, int64_t *ret, struct fn_sqs_problem *p)
{
	char text[24];
	int64_t v;

	if (!fn_sqs_number(in, name, &v))
		return 0;
	if (v >= min && v <= max) {
		*ret = v;
		return 0;
	}
	snprintf(text, sizeof(text), "%" PRId64, v);
	fn_sqs_bad_value(p, name, text, reason);
	return -1;
}
