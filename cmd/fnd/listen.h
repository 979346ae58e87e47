/* listen.h - the sockets that the supervisor listens on for the worker: they outlive it, so that who connects meanwhile waits and is not refused. */
#ifndef FND_LISTEN_H
#define FND_LISTEN_H

#include "config.h"

/* At *text (ADDRESS:PORT, of the configuration's `key`); of a port 0, *text then tells which was chosen. waits: for who holds it to let go of it, a
 * moment. Returns the descriptor. */
int fnd_listen_at(char **text, const char *key, bool waits, struct fn_err *err);
/* The API's, at cfg->listen; of a port 0, *listen then tells which was chosen. Returns the descriptor. */
int fnd_listen_api(struct fnd_config *cfg, struct fn_err *err);

#define FND_CONTROL_SOCKET "control.sock" /* in the state directory, as those of model/inner.h are */
/* The worker's listeners there: the control socket, which is root's and the control group's, fn-gateway's way in, and fn-events'. -EBADF: one could not be made, and the log
 * has said so: there is one way less to administer, or are no function URLs, or no asynchronous invocations. */
struct fnd_listeners {
	int control_fd, gateway_fd, events_fd;
};
#define FND_LISTENERS_NONE {-EBADF, -EBADF, -EBADF}
/* Anew. Whatever has the names goes: the state directory's lock is held. */
void fnd_listeners_open(struct fnd_listeners *l, const struct fnd_config *cfg, uid_t gateway_uid, uid_t events_uid);
void fnd_listeners_close(struct fnd_listeners *l);
/* One for a process of ours, by its user. type: SOCK_STREAM, SOCK_SEQPACKET. */
int fnd_listen_inner(const struct fnd_config *cfg, const char *name, int type, uid_t uid, struct fn_err *err);
void fnd_unlink_sockets(const struct fnd_config *cfg);

#endif
