/*
 * alias.h - an alias: a name for one version of a function, or for two of which the other gets a share of the invocations.
 * Members are those of AliasConfiguration (Lambda API 2015-03-31).
 */
#ifndef FN_MODEL_ALIAS_H
#define FN_MODEL_ALIAS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"

#define FN_ALIAS_STRATA 128

struct fn_alias {
	char *name;
	char *version;       /* "$LATEST" or a number */
	char *description;   /* "" when not given */
	char *other_version; /* RoutingConfig.AdditionalVersionWeights: a number; NULL = all goes to version */
	double other_weight; /* 0..1: the share of other_version */
	char revision_id[FN_UUID_SIZE];
	/* fn_alias_draw()'s: the strata not yet drawn in this round are the first `left`. */
	uint8_t left, strata[FN_ALIAS_STRATA];
};

struct fn_alias *fn_alias_new(const char *name); /* everything else empty; NULL on no memory */
struct fn_alias *fn_alias_clone(const struct fn_alias *a);
void fn_alias_free(struct fn_alias *a); /* NULL is fine */

/* [a-zA-Z0-9-_]+, not digits alone, at most 128. */
bool fn_alias_name_valid(const char *name);
/* Does it send invocations to this version? */
bool fn_alias_names_version(const struct fn_alias *a, const char *version);

/*
 * The next number for fn_route_choose(), evenly distributed over 32 bits. Every round of FN_ALIAS_STRATA draws takes each 1/128 of the
 * range once, in random order and at a random place within: unpredictable, and yet a share of one half over 10,000 draws has a standard
 * deviation of 0.05 % (independent draws: 0.5 %, so that one day in twenty would miss it by more than 1 %). No system call but one in
 * some hundred draws.
 */
uint32_t fn_alias_draw(struct fn_alias *a);

#endif
