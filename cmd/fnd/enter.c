/* enter.c - the worker's beginning: a program executed anew, so that its address space is laid out anew each time it is started. See fnd.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fnd.h"
#include "os/sec.h"

/* What lies where only root may look (a clone in /root) is opened beforehand and reached through its descriptor. */
static int keep_open(const char *path) { return open(path, O_PATH | O_CLOEXEC); }

static int reach(char **path, int fd)
{
	char *own;

	if (fd < 0 || access(*path, R_OK) == 0) {
		fn_close(fd);
		return 0;
	}
	if (asprintf(&own, "/proc/self/fd/%d", fd) < 0)
		return -ENOMEM;
	free(*path);
	*path = own;
	return 0;
}

static int drop_privileges(struct fnd_config *cfg, uid_t uid, gid_t gid, struct fn_err *err)
{
	int runtimes = keep_open(cfg->runtimes), images = keep_open(cfg->images_dir), r;

	r = fn_sec_drop(uid, gid, err);
	if (r < 0)
		return r;
	if (access(cfg->state_dir, X_OK) < 0)
		return fn_err_set(err, errno, "state directory", "%.140s cannot be reached by uid %u, which fnd's worker runs as: choose another with --state",
				  cfg->state_dir, (unsigned)uid);
	if (reach(&cfg->runtimes, runtimes) < 0 || reach(&cfg->images_dir, images) < 0)
		return fn_err_set(err, ENOMEM, "start worker", NULL);
	return 0;
}

/* Its socket to the supervisor is there; the rest is as the supervisor gave it. */
static bool is_started_by_supervisor(void)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(FND_FD_SUPERVISOR, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

int fnd_worker_enter(const struct fnd_options *options, const char *run_as)
{
	struct fnd_worker_args args = {.listen_fd = FND_FD_API, .spawnd_fd = FND_FD_SPAWND, .supervisor_fd = FND_FD_SUPERVISOR,
				       .control_fd = fcntl(FND_FD_CONTROL, F_GETFD) < 0 ? -EBADF : FND_FD_CONTROL,
				       .gateway_fd = fcntl(FND_FD_GATEWAY, F_GETFD) < 0 ? -EBADF : FND_FD_GATEWAY,
				       .events_fd = fcntl(FND_FD_EVENTS, F_GETFD) < 0 ? -EBADF : FND_FD_EVENTS};
	struct fnd_config cfg;
	struct fn_err err = {0};
	unsigned uid, gid, gateway_uid, events_uid;
	char text[512];
	int rc = 1;

	if (!is_started_by_supervisor() || sscanf(run_as, "%u:%u:%u:%u", &uid, &gid, &gateway_uid, &events_uid) != 4) {
		fprintf(stderr, "fnd: --worker is for fnd's own use\n");
		return 2;
	}
	for (int fd = FND_FD_SUPERVISOR; fd < FND_FD_END; fd++)
		(void)fn_fd_set_cloexec(fd, true);
	(void)signal(SIGPIPE, SIG_IGN);
	fn_log_init("fnd", FN_LOG_ERROR); /* what there is to warn of, the supervisor has said */
	if (fnd_config_make(&cfg, options, options->file ? FND_FD_CONFIG : -EBADF, &err) < 0) {
		fn_log_error("%s", fn_err_format(&err, text, sizeof(text)));
		return 1;
	}
	fn_close(FND_FD_CONFIG);
	fn_log_set_level(cfg.log_level);
	args.config = &cfg;
	args.urls = options->urls && !fn_str_starts(options->urls, "none:") ? options->urls : NULL;
	args.gateway_uid = gateway_uid;
	args.events_uid = events_uid;
	if (drop_privileges(&cfg, uid, gid, &err) < 0) {
		fn_log_error("%s", fn_err_format(&err, text, sizeof(text)));
	} else {
#ifdef FN_ASAN
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* the leak checker looks at its own process */
#endif
		/* after the change of ids, which clears it: a supervisor that is killed takes the worker along, and fn-spawnd sees its socket close */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0) /* one that is dead already has closed its socket: the loop sees it */
			rc = fnd_worker_run(&args);
	}
	fnd_config_free(&cfg);
	return rc;
}
