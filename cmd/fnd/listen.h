/* listen.h - the sockets that the supervisor listens on for the worker: they outlive it, so that who connects meanwhile waits and is not refused. */
#ifndef FND_LISTEN_H
#define FND_LISTEN_H

#include "config.h"

/* The API's, at cfg->listen; of a port 0, *listen then tells which was chosen. Returns the descriptor. */
int fnd_listen_api(struct fnd_config *cfg, struct fn_err *err);

#define FND_CONTROL_SOCKET "control.sock" /* in the state directory */
/* The control socket: root's, and the control group's. Whatever has the name goes: the state directory's lock is held. */
int fnd_listen_control(const struct fnd_config *cfg, struct fn_err *err);
void fnd_unlink_control(const struct fnd_config *cfg);

#endif
