/*
 * credentials_file.h - credentials that an administrator keeps in a file of root's own:
 *
 *   {"access_key_id": "...", "secret_access_key": "...", "session_token": "..."}
 */
#ifndef FND_CREDENTIALS_FILE_H
#define FND_CREDENTIALS_FILE_H

#include <jansson.h>

#include "base/err.h"

/* key: the configuration's that names it, for err. *ret: an object with these members, texts of one line; session_token may be absent. */
int fnd_credentials_file(const char *path, const char *key, json_t **ret, struct fn_err *err);

#endif
