/*
 * fetches.h - packages that a request names in S3 instead of bringing them: fn-fetch writes each into a file as those that are brought are, under the same
 * bounds and digests, and the request goes on as if it had brought it. Words of refusals: recorded from the service.
 */
#ifndef FN_API_FETCHES_H
#define FN_API_FETCHES_H

#include "api/internal.h"

/* content: the members S3Bucket, S3Key, S3ObjectVersion and ZipFile of a request whose route has a package. True: go on, what it names is the request's
 * package (receive.h), or it names nothing in S3. False: it is answered, or `again` is called with the call when the package is there. */
bool fn_fetched(struct fn_call *call, json_t *content, fn_handler again);

/* Those under way are answered by nobody any more. */
void fn_fetches_close(struct fn_api *api);

#endif
