/* credentials_file.c - see credentials_file.h. Runs in the supervisor, as root. */
#include "credentials_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "web/json_file.h"

static int bad(struct fn_err *err, const char *key, const char *what, const char *path) { return fn_err_set(err, EINVAL, key, "%.120s %s", path, what); }

static bool fits(json_t *o)
{
	static const char *const names[] = {"access_key_id", "secret_access_key", "session_token"};
	size_t n = 0;

	for (size_t i = 0; i < 3; i++) {
		const char *text = json_string_value(json_object_get(o, names[i]));

		if (text && *text && !strpbrk(text, "\r\n"))
			n++;
		else if (i < 2)
			return false;
	}
	return n == json_object_size(o);
}

int fnd_credentials_file(const char *path, const char *key, json_t **ret, struct fn_err *err)
{
	struct stat st;
	json_t *o;
	int r;

	if (stat(path, &st) < 0)
		return fn_err_set(err, errno, key, "%.140s", path);
	if (st.st_uid != 0 || (st.st_mode & 077))
		return bad(err, key, "must be root's, and for nobody else to read (chmod 600)", path);
	r = fn_json_file_object(path, -EBADF, key, &o, err);
	if (r < 0)
		return r;
	if (!fits(o)) {
		json_decref(o);
		return bad(err, key, "needs access_key_id and secret_access_key, and may have session_token", path);
	}
	*ret = o;
	return 0;
}
