/* versions.h - published versions: unchanging copies of $LATEST under a number. */
#ifndef FN_API_VERSIONS_H
#define FN_API_VERSIONS_H

#include "api/internal.h"

/* The version that publishing `latest` makes, with the next number; description NULL = $LATEST's. Not stored yet; NULL on no memory. */
struct fn_function *fn_version_make(struct fn_api *api, const struct fn_function *latest, const char *description);
/* Is there room for a version of this package? Replies and returns false when not: each version counts in full, as in Lambda. */
bool fn_version_fits(struct fn_call *call, const struct fn_function *latest);
/* The packages that a function's versions, $LATEST, and what serves for it during an update name, *ret malloc'ed. */
size_t fn_version_codes(struct fn_api *api, const char *name, char (**ret)[65]);
/* DeleteFunction with a qualifier. Replies. */
void fn_version_delete(struct fn_call *call, const struct fn_name *n);

#endif
