/*
 * fnd.h - the processes that fnd is, and what passes between them.
 *
 * The supervisor (root) holds the state directory's lock and the listening sockets, and starts the others, again when they die: children.c has the
 * table. It reads nothing that a client or a function wrote. The worker, unprivileged, does everything else. Between the two is a SEQPACKET socket:
 * the worker says FND_READY once, FND_STOPPING when it has been told to end; the supervisor sends FND_SPAWND with the socket of each fn-spawnd that
 * is started beside a worker that runs.
 */
#ifndef FND_FND_H
#define FND_FND_H

#include <sys/types.h>

#include "config.h"

enum fnd_message { FND_READY = 'R', FND_STOPPING = 'S', FND_SPAWND = 'N' };

/* The worker's descriptors, in the order in which it gets them. */
enum fnd_fd { FND_FD_SUPERVISOR = 3, FND_FD_SPAWND, FND_FD_CONFIG /* a copy of the file, or nothing */, FND_FD_API, FND_FD_CONTROL /* or nothing */,
	      FND_FD_GATEWAY /* or nothing */, FND_FD_EVENTS /* fn-events' way in; or nothing */, FND_FD_END };

/* cfg is taken, and made anew of the same options when it is to be read again; copy_fd (borrowed): of the configuration's file, as it was read for
 * cfg, or -EBADF. Returns the exit status. */
int fnd_supervise(const struct fnd_options *options, struct fnd_config *cfg, int copy_fd);

/* The worker's first steps (enter.c), in a process that the supervisor has started with `--worker UID:GID:UID-OF-FN-GATEWAY:UID-OF-FN-EVENTS`, root still: what only root may open, then
 * its privileges dropped. Returns the exit status of fnd_worker_run(). */
int fnd_worker_enter(const struct fnd_options *options, const char *run_as);

struct fnd_worker_args {
	const struct fnd_config *config;
	int listen_fd, control_fd, gateway_fd, events_fd, spawnd_fd, supervisor_fd; /* control_fd, gateway_fd, events_fd: -EBADF = there is none */
	uid_t gateway_uid, events_uid; /* whom fn-gateway and fn-events run as */
	const char *urls;  /* "http://localhost:3002"; NULL = there is no gateway */
};
/* Privileges are dropped already. Returns the exit status. */
int fnd_worker_run(const struct fnd_worker_args *args);

#endif
