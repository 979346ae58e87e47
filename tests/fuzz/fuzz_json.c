/* fuzz_json.c - the scanner that judges events, beside jansson: they must agree on what is JSON. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fuzz/fuzz.h"
#include "runtime/levels.h"
#include "web/json_fault.h"
#include "web/json_load.h"
#include "web/json_scan.h"

/* Of a text that both take for an object, both find the same member, or none. */
static void check_member(const char *text, size_t size, json_t *j, bool ok)
{
	const char *value = NULL, *theirs = json_string_value(json_object_get(j, "level"));
	size_t len = 0;
	bool found = fn_json_member(text, size, "level", &value, &len);

	fuzz_check(!found || (value > text && value + len < text + size));
	if (j && ok && !memchr(text, '\\', size))
		fuzz_check(found == (theirs != NULL) && (!found || (strlen(theirs) == len && memcmp(theirs, value, len) == 0)));
}

/* What is refused has a reason, and nothing else has. */
static void check_fault(const char *text, size_t size, bool ok)
{
	fn_auto_buf struct fn_buf why = {0};

	fuzz_check(fn_json_fault(text, size, &why) == 0 && ok == (why.len == 0));
	fuzz_check(fn_utf8_valid(why.data ? why.data : "", why.len));
}

/* All that is JSON can be read, and as jansson reads it where that can. */
static void check_load(const char *text, size_t size, json_t *j, bool ok)
{
	json_t *o = fn_json_load(text, size, JSON_DECODE_ANY);

	fuzz_check(!ok || o);
	fuzz_check(!j || json_equal(o, j));
	json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = size + 1;
	bool ok = fn_json_valid((const char *)data, size, &at);
	json_error_t e;
	json_t *j = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
	unsigned depth = 0, deepest = 0;

	fuzz_check(at <= size);
	for (size_t i = 0; i < size; i++) { /* an upper bound: brackets in strings count too */
		depth += data[i] == '[' || data[i] == '{';
		deepest = depth > deepest ? depth : deepest;
	}
	if (j && !ok) /* jansson takes a NUL byte for the end of the text */
		fuzz_check(deepest > 512 || memchr(data, 0, size));
	if (ok && !j) /* what jansson cannot hold: numbers too large, surrogates alone, nesting, U+0000 in a name */
		fuzz_check(json_error_code(&e) == json_error_numeric_overflow || json_error_code(&e) == json_error_stack_overflow ||
			   json_error_code(&e) == json_error_null_byte_in_key ||
			   (json_error_code(&e) == json_error_invalid_syntax && size >= 6));
	if (ok)
		fuzz_check(fn_utf8_valid(data, size));
	check_load((const char *)data, size, j, ok);
	check_fault((const char *)data, size, ok);
	check_member((const char *)data, size, j, ok);
	fuzz_check(fn_level_of_line((const char *)data, size) != FN_LEVEL_NONE);
	fuzz_check(!fn_level_is_time((const char *)data, size) || (size >= 20 && fn_utf8_valid(data, size)));
	json_decref(j);
	return 0;
}
