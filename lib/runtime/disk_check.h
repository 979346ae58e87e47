/* disk_check.h - do the registry's rows and what is on the disk agree? */
#ifndef FN_RUNTIME_DISK_CHECK_H
#define FN_RUNTIME_DISK_CHECK_H

#include <jansson.h>

#include "runtime/disk.h"

/* faults: [{"Name", "What"}], empty = they agree; the caller's no longer than the call. What comes or goes meanwhile is no fault. NULL with err: it could
 * not be looked at. */
typedef void (*fn_disk_checked_fn)(void *arg, const struct fn_err *err, json_t *faults);
/* fn is called once, perhaps at once. */
void fn_disk_check(struct fn_disk *d, fn_disk_checked_fn fn, void *arg);

#endif
