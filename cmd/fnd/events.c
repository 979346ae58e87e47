/* events.c - see events.h. Runs in the supervisor. */
#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "listen.h"
#include "model/inner.h"
#include "service/args.h"
#include "state.h"

int fnd_events_start(struct fnd_child *child, const struct fnd_child_about *about, struct fn_err *err)
{
	fn_auto_fd int state = open(about->cfg->state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC), config = fnd_config_events_text(about->cfg, err), listener = -EBADF, handover = -EBADF;
	int fds[FN_EVENTS_FD_END - FN_EVENTS_FD_LISTEN];

	if (config < 0)
		return config;
	if (fnd_state_prepare_events(about->cfg->state_dir, about, err) < 0)
		return -err->code;
	if (state < 0)
		return fn_err_set(err, errno, "start fn-events", NULL);
	listener = fnd_listen_inner(about->cfg, FN_EVENTS_SOCKET, SOCK_STREAM, about->uid, err);
	if (listener < 0)
		return listener;
	handover = fnd_listen_inner(about->cfg, FN_HANDOVER_SOCKET, SOCK_SEQPACKET, about->uid, err);
	if (handover < 0)
		return handover;
	fds[FN_EVENTS_FD_LISTEN - FN_EVENTS_FD_LISTEN] = listener;
	fds[FN_EVENTS_FD_HANDOVER - FN_EVENTS_FD_LISTEN] = handover;
	fds[FN_EVENTS_FD_STATE - FN_EVENTS_FD_LISTEN] = state;
	fds[FN_EVENTS_FD_CONFIG - FN_EVENTS_FD_LISTEN] = config;
	return fnd_child_start(child, about, fds, sizeof(fds) / sizeof(fds[0]), err);
}
