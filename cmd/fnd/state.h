/* state.h - the state directory as the supervisor makes and keeps it: its folders, whose they are, its lock. */
#ifndef FND_STATE_H
#define FND_STATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct fnd_child_about;

/* Makes the directory where there is none. *dir becomes absolute. instance: "fnd-" and what is one state directory's alone. */
int fnd_state_find(char **dir, char instance[32], struct fn_err *err);
/* Under the lock, while nobody is at work there: makes what is missing of it. What fn-spawnd relies on is root's, so that the worker cannot put anything else in its
 * place; the rest is the worker's, with all that is in it where that is another user than before. fn-events' folder is its own. */
int fnd_state_prepare(const char *dir, const struct fnd_child_about *about, struct fn_err *err);
int fnd_state_prepare_events(const char *dir, const struct fnd_child_about *about, struct fn_err *err);
/* Waits a while for an earlier fnd to leave. Returns the descriptor that is the lock: whoever has it open holds it. */
int fnd_state_lock(const char *dir, struct fn_err *err);

void fnd_raise_limits(void); /* of descriptors, as far as may be */
bool fnd_on_a_terminal(void);

/* In the worker. Packages that no function names are garbage, which is removed at start: without its database the state must not be taken for that of nobody. */
int fnd_state_is_whole(const char *state_dir, struct fn_err *err);

#endif
