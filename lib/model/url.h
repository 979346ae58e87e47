/*
 * url.h - a function URL: an address of its own for a function's $LATEST or one of its aliases. Members are those of FunctionUrlConfig (Lambda API
 * 2021-10-31).
 */
#ifndef FN_MODEL_URL_H
#define FN_MODEL_URL_H

#include <stdbool.h>
#include <stdint.h>

#define FN_URL_ID_SIZE 33 /* 32 of [a-z0-9], as Lambda's, and the NUL */

enum fn_url_auth { FN_URL_NONE, FN_URL_IAM };

struct fn_url {
	char id[FN_URL_ID_SIZE];
	char *function;
	char *qualifier;        /* an alias; "" = the function, which is its $LATEST */
	enum fn_url_auth auth;
	char *cors;             /* Cors, as a JSON object's text; NULL = not configured */
	bool streams;           /* InvokeMode RESPONSE_STREAM */
	bool mode_given;        /* InvokeMode was named once: answers tell it then */
	uint64_t created_us, modified_us; /* real time */
};

struct fn_url *fn_url_new(const char *function, const char *qualifier); /* with an id of its own; NULL on no memory */
struct fn_url *fn_url_clone(const struct fn_url *u);
void fn_url_free(struct fn_url *u); /* NULL is fine */
bool fn_url_id_valid(const char *id);

#endif
