/* json_nul.c - see json_nul.h. */
#include "web/json_nul.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool among(const char *const *names, const char *name)
{
	while (names && *names && strcmp(*names, name) != 0)
		names++;
	return names && *names;
}

/* The member whose string has U+0000 and may not; NULL: all is well. As deep as jansson has read, which is no deeper than its own bound. */
static const char *misplaced(const json_t *v, const char *name, const char *const *with_nul)
{
	const char *key, *found = NULL;
	json_t *inner;
	size_t i;

	if (json_is_string(v))
		return strlen(json_string_value(v)) == json_string_length(v) || among(with_nul, name) ? NULL : name;
	json_array_foreach((json_t *)v, i, inner)
		if (!found)
			found = misplaced(inner, name, with_nul);
	json_object_foreach((json_t *)v, key, inner)
		if (!found)
			found = misplaced(inner, key, with_nul);
	return found;
}

const char *fn_json_nul(const json_t *in, const char *const *with_nul) { return misplaced(in, "", with_nul); }

json_t *fn_json_load_nul(const char *text, size_t len, size_t flags, const char *const *with_nul, json_error_t *je)
{
	bool nul = memmem(text, len, "\\u0000", 6) != NULL; /* the only way to write it: as a byte it is no JSON */
	json_t *in = json_loadb(text, len, flags | (nul ? JSON_ALLOW_NUL : 0), je);
	const char *where = in && nul ? misplaced(in, "", with_nul) : NULL;

	if (!where)
		return in;
	snprintf(je->text, sizeof(je->text), "The string%s%.100s has the character U+0000, which it cannot have", *where ? " " : "", where);
	json_decref(in);
	return NULL;
}
