/* fuzz_spec.c - a sandbox's specification as it arrives in fn-spawnd: what decodes is valid, harmless as a path, and survives another trip.
 * Byte 0: 0 = the rest is the encoded form, else edits of a valid one (fuzz_spec()). */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "fuzz/fuzz.h"
#include "sandbox/spec.h"

static void same_strings(char **a, char **b)
{
	for (; *a && *b; a++, b++)
		fuzz_check(strcmp(*a, *b) == 0);
	fuzz_check(!*a && !*b);
}

static void check(const uint8_t *data, size_t size, bool valid)
{
	struct fn_spec s, again;
	struct fn_buf one = {0}, two = {0};
	struct fn_err err = {0};

	if (fn_spec_decode(data, size, &s, &err) < 0) {
		fuzz_check(err.code > 0 && err.stage[0] && !valid);
		return;
	}
	fuzz_check(fn_spec_validate(&s, &err) == 0);
	fuzz_check(s.name[0] && strlen(s.name) < sizeof(s.name) && !strpbrk(s.name, "/.\n"));
	fuzz_check(!s.owner[0] == s.prestart && strlen(s.owner) < sizeof(s.owner) && !strpbrk(s.owner, "/.:\n"));
	fuzz_check(s.n_lowers >= 1 && s.n_lowers <= FN_SPEC_LOWERS_MAX);
	for (unsigned i = 0; i < s.n_lowers; i++) /* overlayfs would take ':' and ',' for its own */
		fuzz_check(!strpbrk(s.lowers[i], "/.:,\\") && strlen(s.lowers[i]) < FN_TREE_NAME_SIZE);
	fuzz_check(s.argv[0] && s.exec_candidates[0] && s.exec_candidates[0][0] == '/');
	fuzz_check(fn_spec_encode(&s, &one) == 0 && one.len == size); /* nothing was overlooked */
	fuzz_check(fn_spec_decode(one.data, one.len, &again, &err) == 0);
	fuzz_check(fn_spec_encode(&again, &two) == 0 && one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
	fuzz_check(s.memory_bytes == again.memory_bytes && s.tmp_bytes == again.tmp_bytes && s.pids_max == again.pids_max);
	same_strings(s.argv, again.argv);
	same_strings(s.envp, again.envp);
	same_strings(s.exec_candidates, again.exec_candidates);
	fn_buf_free(&one);
	fn_buf_free(&two);
	fn_spec_clear(&s);
	fn_spec_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, data + size};
	uint8_t *edited;
	size_t len;

	if (fuzz_byte(&in) == 0) {
		check(in.p, (size_t)(in.end - in.p), false);
		return 0;
	}
	edited = fuzz_spec(&in, &len);
	check(edited, len, size == 1);
	free(edited);
	return 0;
}
