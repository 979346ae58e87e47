/*
 * inside.h - private to what runs inside a sandbox from clone3 on, in a copy of fn-spawnd's memory (no malloc, no stdio, no logging): child.c (the plan and
 * its steps), runtime.c (the function's own process, PID 2), extensions.c (those beside it), init.c (PID 1's life when the plan is done).
 */
#ifndef FN_SANDBOX_INSIDE_H
#define FN_SANDBOX_INSIDE_H

#include <sys/types.h>

#include "os/sock.h"
#include "sandbox/child.h"
#include "sandbox/sync.h"
#include "sandbox/view.h"

/* Of functions that call one that does not return, when init is confined: before such a call the address sanitizer asks the kernel for what init may not. */
#define FN_INSIDE_UNWATCHED __attribute__((no_sanitize("address")))

/* An order as it lies in memory that init and the runtime's process share: the message, then the encoded spec. */
struct fn_inside_order {
	struct fn_sync_msg msg;
	char spec[FN_SPEC_WIRE_MAX];
};

struct fn_inside_extensions {
	unsigned n;
	bool off;         /* there is the file that turns them off */
	char names[FN_EXTENSIONS_MAX][256]; /* of files; in their order */
	pid_t pids[FN_EXTENSIONS_MAX];
	int output_fd;    /* their stdout and stderr */
	int gate[2];      /* pipe: its end lets them go to their execve */
	int exec_pipe[2]; /* CLOEXEC: a struct fn_err of each that could not; its end: all others have */
	int children_fd;  /* signalfd of SIGCHLD */
};

struct fn_inside {
	const struct fn_child *c;
	struct fn_inside_order *order;
	struct fn_spec spec; /* of the order; strings in it, vectors in vec */
	char **vec;
	size_t spec_len;
	int proc_fd, dev_fd, root_fd, listen_fd, platform_fd, null_fd, tmp_fd;
	int group_fds[FN_SOCK_FDS_MAX]; /* FN_SYNC_GO's */
	unsigned n_groups;
	pid_t runtime;    /* 0: its end has been told */
	int exec_pipe[2]; /* CLOEXEC: EOF = the runtime's execve succeeded, else its struct fn_err */
	int gate[2];      /* socket, [0] is the runtime's. The order's length = it is there, and init has no privilege any more: exec. To a
			   * runtime that was started ahead its environment (FN_PRESTART_ENV) */
	const char *new_root, *proc, *dev; /* where the root to come is put, and where /proc and /dev are until then */
	bool prestarted, died, tmp_given;
	struct fn_inside_extensions extensions;
	struct fn_view view;
	struct fn_sync_msg done;
};

/* runtime.c */
/* Forks it; it prepares itself and waits for the gate. */
int fn_inside_fork_runtime(struct fn_inside *s, struct fn_err *err);
/* It goes on to its execve. */
int fn_inside_open_gate(struct fn_inside *s, struct fn_err *err);
int fn_inside_await_exec(struct fn_inside *s, struct fn_err *err);
/* One that was started ahead gets its environment, and begins. */
void fn_inside_hand_over(struct fn_inside *s);
/* The caller becomes a process of the function's, but for what depends on its spec: stdio, ids, filter. */
int fn_inside_confine_function(struct fn_inside *s, int output_fd, struct fn_err *err);
/* And for that. */
int fn_inside_enter_function(const struct fn_inside *s, struct fn_err *err);

/* extensions.c */
/* Looks for them, and forks each; they wait. Once the root is the function's; init has its privileges still. */
int fn_inside_fork_extensions(struct fn_inside *s, struct fn_err *err);
/* They go on to their execve. */
void fn_inside_release_extensions(struct fn_inside *s);
/* Until each has, or one could not. */
int fn_inside_await_extensions(struct fn_inside *s, struct fn_err *err);

/* init.c */
int fn_inside_send(const struct fn_inside *s, struct fn_sync_msg *m, const int *fds, size_t n_fds);
/* Init has nothing open but what it needs to live, and a filter. */
int fn_inside_confine_init(struct fn_inside *s, struct fn_err *err);
/* FN_SYNC_RUNNING. */
int fn_inside_tell_running(struct fn_inside *s);
_Noreturn void fn_inside_live(struct fn_inside *s);

#endif
