/* json_file.h - a JSON object from a file that an administrator wrote. */
#ifndef FN_WEB_JSON_FILE_H
#define FN_WEB_JSON_FILE_H

#include <jansson.h>

#include "base/err.h"

/* Strict: a name that stands twice is an error. *ret is the caller's, to json_decref(). -EINVAL with *err, of `stage`, that names the file and, where it
 * is no JSON, the line: the file cannot be read, is no JSON, or is no object. copy_fd: a descriptor of a copy that is read instead; -EBADF = none. */
int fn_json_file_object(const char *file, int copy_fd, const char *stage, json_t **ret, struct fn_err *err);

#endif
