/* listen.h - the sockets that the supervisor listens on for the worker: they outlive it, so that who connects meanwhile waits and is not refused. */
#ifndef FND_LISTEN_H
#define FND_LISTEN_H

#include "config.h"

/* At *text (ADDRESS:PORT, of the configuration's `key`); of a port 0, *text then tells which was chosen. waits: for who holds it to let go of it, a
 * moment. Returns the descriptor. */
int fnd_listen_at(char **text, const char *key, bool waits, struct fn_err *err);
/* The API's, at cfg->listen; of a port 0, *listen then tells which was chosen. Returns the descriptor. */
int fnd_listen_api(struct fnd_config *cfg, struct fn_err *err);

#define FND_CONTROL_SOCKET "control.sock" /* in the state directory */
/* The control socket: root's, and the control group's. Whatever has the name goes: the state directory's lock is held. */
int fnd_listen_control(const struct fnd_config *cfg, struct fn_err *err);
/* A process's of ours, by its user. */
int fnd_listen_inner(const struct fnd_config *cfg, const char *name, uid_t uid, struct fn_err *err);
void fnd_unlink_socket(const struct fnd_config *cfg, const char *name);

#endif
