/*
 * fetch_result.c - see fetch.h: what those need who only hear of a download. Not in fetch.c, so that they do without libcurl and the thirty libraries that it brings: fn-spawnd, which is root, and
 * as a copy of whose address space the processes of each sandbox begin; fnd, which asks nobody outside.
 */
#include "image/fetch.h"

void fn_fetch_result_seal(struct fn_fetch_result *r)
{
	char *const ends[] = {&r->err.stage[sizeof(r->err.stage) - 1], &r->err.msg[sizeof(r->err.msg) - 1], &r->said.code[sizeof(r->said.code) - 1],
			      &r->said.message[sizeof(r->said.message) - 1], &r->said.region[sizeof(r->said.region) - 1]};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		*ends[i] = '\0';
}
