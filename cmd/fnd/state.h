/* state.h - the state directory as the supervisor makes and keeps it: its folders, whose they are, its lock. */
#ifndef FND_STATE_H
#define FND_STATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct fnd_child_about;

/* Makes what is missing of it. What fn-spawnd relies on is root's, so that the worker cannot put anything else in its place; the rest is the worker's, and
 * fn-events' its own. *dir becomes absolute. instance: "fnd-" and what is one state directory's alone. */
int fnd_state_prepare(char **dir, const struct fnd_child_about *about, char instance[32], struct fn_err *err);
/* Waits a while for an earlier fnd to leave. Returns the descriptor that is the lock: whoever has it open holds it. */
int fnd_state_lock(const char *dir, struct fn_err *err);

void fnd_raise_limits(void); /* of descriptors, as far as may be */
bool fnd_on_a_terminal(void);

/* In the worker. Packages that no function names are garbage, which is removed at start: without its database the state must not be taken for that of nobody. */
int fnd_state_is_whole(const char *state_dir, struct fn_err *err);

#endif
