/*
 * json_pick.h - takes one string, which may be very long, out of a JSON text while that comes in pieces, and keeps the rest, which must be short: the
 * same text with "" in its place. Pure.
 *
 * The string is the member at `path`, objects in the text's outermost one: {"Code", "ZipFile"} is X of {"Code": {"ZipFile": "X"}}. Its escapes are
 * undone, so far as they are of ASCII characters; for another, and NUL, it gets '?'. Of a text that is no JSON the rest is none either, as long as the
 * string itself may be anything: whoever parses the rest finds what is wrong with it.
 */
#ifndef FN_WEB_JSON_PICK_H
#define FN_WEB_JSON_PICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define FN_JSON_PICK_PATH_MAX 2
#define FN_JSON_PICK_KEY_MAX 31

struct fn_json_pick {
	/* the caller's */
	const char *path[FN_JSON_PICK_PATH_MAX + 1]; /* NULL ends it */
	size_t rest_max;
	void (*begin)(void *arg);                    /* the string begins, not for the first time where the text has its name twice */
	void (*add)(void *arg, const char *text, size_t len);
	void *arg;
	/* the result */
	struct fn_buf rest;
	bool found;
	/* private */
	int state;
	unsigned depth, n_path;
	struct fn_json_pick_level {
		bool object, ours, at_key, key_fits;
	} levels[FN_JSON_PICK_PATH_MAX + 1];
	char key[FN_JSON_PICK_KEY_MAX + 1];
	size_t key_len;
	uint32_t code; /* of \uXXXX */
	unsigned code_left;
};

/* 0, or -E2BIG: the rest is longer than rest_max; -ENOMEM. After that it must not be fed again. */
int fn_json_pick_feed(struct fn_json_pick *p, const char *data, size_t len);
void fn_json_pick_free(struct fn_json_pick *p); /* the rest */

#endif
