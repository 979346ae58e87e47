/* glob.c - see glob.h. */
#include "aws/glob.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

static bool same(char a, char b, bool fold) { return fold ? tolower((unsigned char)a) == tolower((unsigned char)b) : a == b; }

/* Of so many characters each. The last '*' alone is gone back to: an earlier one can have no better. */
static bool matches(const char *p, size_t np, const char *t, size_t nt, bool fold)
{
	const char *pe = p + np, *te = t + nt, *star = NULL, *resume = NULL;

	while (t < te) {
		bool literal = p + 1 < pe && *p == FN_GLOB_LITERAL;

		if (p < pe && !literal && *p == '*') {
			star = ++p;
			resume = t;
		} else if (p < pe && ((!literal && *p == '?') || same(p[literal], *t, fold))) {
			p += 1 + literal;
			t++;
		} else if (star) {
			p = star;
			t = ++resume;
		} else {
			return false;
		}
	}
	while (p < pe && *p == '*')
		p++;
	return p == pe;
}

bool fn_glob_matches(const char *pattern, const char *text, bool fold_case) { return matches(pattern, strlen(pattern), text, strlen(text), fold_case); }

bool fn_glob_arn_matches(const char *pattern, const char *arn)
{
	for (int part = 0; part < 5; part++) {
		size_t np = strcspn(pattern, ":"), nt = strcspn(arn, ":");

		if (!arn[nt] || !pattern[np])
			return !pattern[np] && np == 1 && *pattern == '*' && part == 0; /* "*" alone is any */
		if (!matches(pattern, np, arn, nt, false))
			return false;
		pattern += np + 1;
		arn += nt + 1;
	}
	return fn_glob_matches(pattern, arn, false);
}
