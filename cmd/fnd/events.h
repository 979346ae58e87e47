/*
 * events.h - what the supervisor has of fn-events: its listening socket, its beginning.
 *
 * The socket is made anew for each process: while there is none, fnd is refused at once and answers 503, instead of waiting. With another configuration the
 * next one is started when the last has ended: events.db has one owner.
 */
#ifndef FND_EVENTS_H
#define FND_EVENTS_H

#include "children.h"

int fnd_events_start(struct fnd_child *child, const struct fnd_child_about *about, struct fn_err *err);

#endif
