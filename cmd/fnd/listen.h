/* listen.h - the sockets that the supervisor listens on for the worker: they outlive it, so that who connects meanwhile waits and is not refused. */
#ifndef FND_LISTEN_H
#define FND_LISTEN_H

#include "config.h"

/* The API's, at cfg->listen; of a port 0, *listen then tells which was chosen. Returns the descriptor. */
int fnd_listen_api(struct fnd_config *cfg, struct fn_err *err);

#endif
