/*
 * fnd.h - the two processes of fnd, and what passes between them.
 *
 * The master (root) holds the state directory's lock, starts fn-spawnd and the worker and restarts fn-spawnd when it dies. The worker,
 * unprivileged, does everything else. Between them a SEQPACKET socket: the worker says FND_READY once; the master sends FND_SPAWND
 * with the socket of each new fn-spawnd.
 */
#ifndef FND_FND_H
#define FND_FND_H

#include <sys/types.h>

#include "config.h"

enum fnd_message { FND_READY = 'R', FND_STOPPING = 'S', FND_SPAWND = 'N' };

int fnd_master_run(struct fnd_config *config);

struct fnd_worker_args {
	const struct fnd_config *config;
	int listen_fd, spawnd_fd, master_fd;
};
/* Privileges are dropped already. Returns the exit status. */
int fnd_worker_run(const struct fnd_worker_args *args);

#endif
