/* pattern.c - see pattern.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "aws/pattern.h"

#include <pcre2.h>
#include <stdatomic.h>
#include <string.h>

#include "aws/model.h"

#define STEPS_MAX 200000u /* a name takes some hundred */

static _Atomic(pcre2_code *) compiled[FN_AWS_PATTERNS];

static pcre2_code *code_of(unsigned i)
{
	pcre2_code *code = atomic_load(&compiled[i]), *other = NULL;
	pcre2_compile_context *context;
	PCRE2_SIZE at;
	int error;

	if (code || !(context = pcre2_compile_context_create(NULL)))
		return code;
	pcre2_set_newline(context, PCRE2_NEWLINE_ANY); /* what '.' is not, in Java */
	code = pcre2_compile((PCRE2_SPTR)fn_aws_patterns[i], PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_ALT_BSUX | PCRE2_ANCHORED | PCRE2_ENDANCHORED, &error, &at, context);
	pcre2_compile_context_free(context);
	if (code && !atomic_compare_exchange_strong(&compiled[i], &other, code)) { /* another thread was first */
		pcre2_code_free(code);
		code = other;
	}
	return code;
}

bool fn_aws_pattern_matches(unsigned number, const char *text, size_t len)
{
	pcre2_code *code = code_of(number - 1);
	pcre2_match_data *data = code ? pcre2_match_data_create(1, NULL) : NULL;
	pcre2_match_context *context = data ? pcre2_match_context_create(NULL) : NULL;
	int r = PCRE2_ERROR_NOMEMORY;

	if (context) {
		pcre2_set_match_limit(context, STEPS_MAX);
		r = pcre2_match(code, (PCRE2_SPTR)text, len, 0, 0, data, context);
	}
	pcre2_match_context_free(context);
	pcre2_match_data_free(data);
	return r >= 0;
}
