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

/* What has failed, where who hears of it decides by that. Words are for people. */
enum fn_err_kind {
	FN_ERR_PLAIN,
	FN_ERR_TREES,      /* the trees of a sandbox's root cannot be mounted */
	FN_ERR_ENTRY_NONE, /* none of a runtime's programs is there */
	FN_ERR_ENTRY,      /* it is, and cannot be executed: msg is its path */
	FN_ERR_DIRECTORY,  /* its working directory cannot be entered: msg is its path */
	FN_ERR_PACKAGE,    /* an archive is what whoever gave it may not give: EINVAL malformed, ENODATA empty, EFBIG too large, E2BIG too many entries */
	FN_ERR_EXTENSION,  /* an extension cannot be started: msg is its name; E2BIG: there are too many */
};

struct fn_err {
	int code;       /* positive errno value; 0 = no error recorded */
	char stage[48]; /* the step that failed: "mount overlay", "clone3", "open database" */
	char msg[208];  /* the rest of the sentence, without the errno's own text; may be empty */
	enum fn_err_kind kind;
};

/* Records an error and returns -code. `code` may be given as errno or -errno; 0 becomes EIO. */
int fn_err_set(struct fn_err *err, int code, const char *stage, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same, of a kind: return fn_err_kind(err, FN_ERR_ENTRY, fn_err_set(err, ...)); */
static inline int fn_err_kind(struct fn_err *err, enum fn_err_kind kind, int r)
{
	if (err)
		err->kind = kind;
	return r;
}

/* Writes "stage: msg: ENAME (text)" into buf, always terminated; returns buf. */
const char *fn_err_format(const struct fn_err *err, char *buf, size_t size);

/* "ENOSPC" for ENOSPC (either sign); "E?" when the number is unknown. */
const char *fn_errno_name(int code);

#endif
