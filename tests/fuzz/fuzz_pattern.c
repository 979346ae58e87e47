/*
 * fuzz_pattern.c - event patterns (lib/aws/event_pattern.h) and filters. Input: pattern 0x1e event, which is also a message's body. What is matched is matched again, in
 * an array of its own, and by the pattern beside itself in an $or; what is refused has a reason.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "aws/event_filter.h"
#include "aws/event_pattern.h"
#include "fuzz/fuzz.h"

static struct fn_event_pattern *compile(const char *text, size_t len, int expected)
{
	struct fn_event_pattern *p = NULL;
	struct fn_buf why = {0};
	int r = fn_event_pattern_compile(text, len, &p, &why);

	fuzz_check(r == 0 || (r == -EINVAL && why.len > 0 && !p));
	fuzz_check(expected > 0 || r == expected);
	fn_buf_free(&why);
	return p;
}

static bool matches_in_array(const struct fn_event_pattern *p, json_t *event)
{
	json_t *array = json_array();
	bool is;

	json_array_append(array, event);
	is = fn_event_pattern_matches(p, array);
	json_decref(array);
	return is;
}

/* Names of operators would make the $or a field. */
static bool plain_names(const char *pattern)
{
	return !strstr(pattern, "fix") && !strstr(pattern, "case") && !strstr(pattern, "wild") && !strstr(pattern, "numeric") && !strstr(pattern, "cidr") &&
	       !strstr(pattern, "but") && !strstr(pattern, "exists") && !strchr(pattern, '\\');
}

static void beside_itself(const char *pattern, size_t len, json_t *event, bool is)
{
	struct fn_buf twice = {0};
	struct fn_event_pattern *p;

	fuzz_check(fn_buf_add_str(&twice, "{\"$or\":[") == 0 && fn_buf_add(&twice, pattern, len) == 0 && fn_buf_add_str(&twice, ",") == 0 &&
		   fn_buf_add(&twice, pattern, len) == 0 && fn_buf_add_str(&twice, "]}") == 0);
	p = compile(twice.data, twice.len, 1);
	if (p) /* not one level too deep */
		fuzz_check(fn_event_pattern_matches(p, event) == is);
	fn_event_pattern_free(p);
	fn_buf_free(&twice);
}

static void filter(const char *pattern, const char *body, size_t len, bool valid)
{
	json_t *criteria = json_pack("{s:[{s:s}]}", "Filters", "Pattern", pattern), *record = json_object();
	struct fn_event_filter *f = NULL;

	if (criteria && strlen(pattern) > 0) {
		fuzz_check((fn_event_filter_compile(criteria, "body", &f) == 0) == valid);
		if (valid)
			(void)fn_event_filter_matches(f, record, body, len);
	}
	fn_event_filter_free(f);
	json_decref(criteria);
	json_decref(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, data + size};
	size_t plen, len;
	char *pattern = fuzz_take(&in, 0x1e, &plen), *text = fuzz_take(&in, 0x1e, &len);
	struct fn_event_pattern *p = compile(pattern, plen, 1);
	json_t *event = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	if (p && event) {
		bool is = fn_event_pattern_matches(p, event);

		fuzz_check(is == fn_event_pattern_matches(p, event));
		if (json_is_object(event))
			fuzz_check(is == matches_in_array(p, event));
		if (plain_names(pattern))
			beside_itself(pattern, plen, event, is);
	}
	if (memchr(pattern, 0, plen) == NULL)
		filter(pattern, text, len, p != NULL);
	fn_event_pattern_free(p);
	json_decref(event);
	free(pattern);
	free(text);
	return 0;
}
