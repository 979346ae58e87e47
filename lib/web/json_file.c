/* json_file.c - see json_file.h. */
#include "web/json_file.h"

#include <errno.h>
#include <stdio.h>

int fn_json_file_object(const char *file, int copy_fd, const char *stage, json_t **ret, struct fn_err *err)
{
	json_error_t je;
	char copy[40];
	json_t *root;

	snprintf(copy, sizeof(copy), "/proc/self/fd/%d", copy_fd); /* from its beginning, whoever has read it */
	root = json_load_file(copy_fd >= 0 ? copy : file, JSON_REJECT_DUPLICATES, &je);

	if (json_is_object(root)) {
		*ret = root;
		return 0;
	}
	if (root) {
		json_decref(root);
		return fn_err_set(err, EINVAL, stage, "%.120s: must be a JSON object", file);
	}
	if (je.line < 1) /* it cannot be read: the text has its name */
		return fn_err_set(err, EINVAL, stage, "%s", je.text);
	return fn_err_set(err, EINVAL, stage, "%.100s: line %d: %.80s", file, je.line, je.text);
}
