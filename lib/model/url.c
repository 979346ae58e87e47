/* url.c - see url.h. */
#include "model/url.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/str.h"

#define ID_CHARS "abcdefghijklmnopqrstuvwxyz0123456789"
#define ID_FAIR 252 /* of a byte's values so many are 7 times the 36 */

static void make_id(char out[FN_URL_ID_SIZE])
{
	uint8_t byte;

	for (unsigned n = 0; n < FN_URL_ID_SIZE - 1;) {
		fn_id_random(&byte, 1);
		if (byte < ID_FAIR)
			out[n++] = ID_CHARS[byte % 36];
	}
	out[FN_URL_ID_SIZE - 1] = '\0';
}

bool fn_url_id_valid(const char *id) { return strlen(id) == FN_URL_ID_SIZE - 1 && strspn(id, ID_CHARS) == FN_URL_ID_SIZE - 1; }

struct fn_url *fn_url_new(const char *function, const char *qualifier)
{
	struct fn_url *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->function = strdup(function);
	u->qualifier = strdup(qualifier);
	make_id(u->id);
	if (u->function && u->qualifier)
		return u;
	fn_url_free(u);
	return NULL;
}

struct fn_url *fn_url_clone(const struct fn_url *from)
{
	struct fn_url *u = malloc(sizeof(*u));

	if (!u)
		return NULL;
	*u = *from;
	u->function = strdup(from->function);
	u->qualifier = strdup(from->qualifier);
	u->cors = fn_strdup_opt(from->cors);
	if (u->function && u->qualifier && (u->cors || !from->cors))
		return u;
	fn_url_free(u);
	return NULL;
}

void fn_url_free(struct fn_url *u)
{
	if (!u)
		return;
	free(u->function);
	free(u->qualifier);
	free(u->cors);
	free(u);
}
