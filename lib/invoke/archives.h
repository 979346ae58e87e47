/*
 * archives.h - which functions get an archive of their classes (env/archive.h), when, and which archives go.
 *
 * One is made once a start without it has taken long, in the background and one at a time: a function that nobody calls, or that starts soon, costs nothing,
 * and no call waits. What could not be made, or has failed, is tried again after a time (env/archive.h), or when what it holds on has changed.
 */
#ifndef FN_INVOKE_ARCHIVES_H
#define FN_INVOKE_ARCHIVES_H

#include "invoke/snapshots.h"

struct fn_archives;
int fn_archives_new(const struct fn_snapshots_config *config, struct fn_archives **ret); /* becomes the backend's watcher */
void fn_archives_free(struct fn_archives *a); /* NULL is fine */
/* Functions have changed or gone, or images: archives that are nobody's any more go soon. */
void fn_archives_look(struct fn_archives *a);
bool fn_archives_need(const struct fn_archives *a, const char *tree); /* is it one, or about to become one? Whether anybody has it is looked at for all at once: fn_archives_look() */

#endif
