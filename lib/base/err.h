/*
 * err.h - errors that keep their place and their words.
 *
 * Functions return 0 or a negative errno value. Those that can fail in many places take
 * a `struct fn_err *err` as their last argument, filled only on failure; NULL is allowed.
 * The struct is plain data, so that it crosses a SEQPACKET socket in one write: a mount
 * that failed inside a sandbox reaches the caller as "mount overlay /var/task: ENOSPC".
 * Libraries do not log errors; they return them.
 */
#ifndef FN_BASE_ERR_H
#define FN_BASE_ERR_H

#include <stddef.h>

struct fn_err {
	int code;       /* positive errno value; 0 = no error recorded */
	char stage[48]; /* the step that failed: "mount overlay", "clone3", "open database" */
	char msg[208];  /* the rest of the sentence, without the errno's own text; may be empty */
};

/* Records an error and returns -code. `code` may be given as errno or -errno; 0 becomes EIO. */
int fn_err_set(struct fn_err *err, int code, const char *stage, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Writes "stage: msg: ENAME (text)" into buf, always terminated; returns buf. */
const char *fn_err_format(const struct fn_err *err, char *buf, size_t size);

/* "ENOSPC" for ENOSPC (either sign); "E?" when the number is unknown. */
const char *fn_errno_name(int code);

#endif
