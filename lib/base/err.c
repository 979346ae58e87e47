/* err.c - see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int fn_err_set(struct fn_err *err, int code, const char *stage, const char *fmt, ...)
{
	if (code < 0)
		code = -code;
	if (code == 0)
		code = EIO;
	if (err) {
		va_list ap;

		err->code = code;
		err->kind = FN_ERR_PLAIN;
		snprintf(err->stage, sizeof(err->stage), "%s", stage ? stage : "");
		err->msg[0] = '\0';
		if (fmt) {
			va_start(ap, fmt);
			vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
			va_end(ap);
		}
	}
	return -code;
}

const char *fn_errno_name(int code)
{
	const char *name = strerrorname_np(code < 0 ? -code : code);

	return name ? name : "E?";
}

const char *fn_err_format(const struct fn_err *err, char *buf, size_t size)
{
	if (err->msg[0])
		snprintf(buf, size, "%s: %s: %s (%s)", err->stage, err->msg, fn_errno_name(err->code),
			 strerrordesc_np(err->code) ? strerrordesc_np(err->code) : "unknown error");
	else
		snprintf(buf, size, "%s: %s (%s)", err->stage, fn_errno_name(err->code),
			 strerrordesc_np(err->code) ? strerrordesc_np(err->code) : "unknown error");
	return buf;
}
