/*
 * client.h - fnd's side of fn-spawnd: asynchronous requests over a SEQPACKET socket.
 *
 * Never blocks: requests are queued when the socket is full. Callbacks run from the loop. When fn-spawnd dies every request it
 * had fails with ECONNRESET, every live sandbox gets on_exit with wait_status -1, then on_lost is called; the program connects
 * a new one with fn_spawn_client_reconnect(), which gets what was asked for in between.
 */
#ifndef FN_SPAWN_CLIENT_H
#define FN_SPAWN_CLIENT_H

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "sandbox/spec.h"

struct fn_spawn_client;

struct fn_spawned {
	uint64_t id;        /* names the sandbox from now on; never reused */
	int listen_fd;      /* the receiver owns all descriptors. The Runtime API's listening socket, in the sandbox's netns, non-blocking */
	int output_fd;      /* read end of stdout+stderr (one pipe keeps their order), non-blocking */
	int freeze_fd;      /* cgroup.freeze, O_WRONLY: write "1" or "0" */
	int peak_fd;        /* memory peak file, O_RDONLY, pread from 0; -EBADF where there is none */
	int oom_fd;         /* readable once a process of it has been killed for memory (poll it, do not read it): what it says since then does not
			     * count, its end follows. For a moment also when the memory of a group above has come to its end: then its own peak is below
			     * its limit. -EBADF where the kernel ends all of them at once */
	int tmp_fd;         /* O_PATH: the root of its /tmp, where that is on the disk; else -EBADF */
	int extensions_output_fd; /* as output_fd, of all extensions; -EBADF: it has none */
	unsigned n_extensions;    /* external ones, by the names of their files; held by the message, for the callback alone. Process 1 is the first */
	const char *extensions[FN_EXTENSIONS_MAX];
	bool extensions_off;      /* /opt/disable-extensions-jwigqn8j is there: it has none, nor their APIs */
	int platform_fd;    /* the platform endpoint's listening socket, likewise; -EBADF: it has none */
	int stat_fd;        /* memory.stat, O_RDONLY, pread from 0, for os/cgroup_stat.h; -EBADF where /tmp is memory */
	int32_t init_pid;   /* host pid, for messages */
	struct fn_sandbox_timing timing;
};

struct fn_spawn_client_ops {
	void (*on_exit)(void *arg, uint64_t id, const struct fn_sandbox_exit *info); /* once per sandbox that was spawned */
	void (*on_lost)(void *arg);
	void (*on_reclaimed)(void *arg, uint64_t id, uint64_t bytes); /* may be NULL. bytes: what it still holds */
	/* May be NULL. One of several processes has ended, its sandbox has not: that one stays until it is ended, and its on_exit follows. Process 0 is the
	 * runtime. err: not NULL if that could not be executed once it was released, and wait_status says nothing. */
	void (*on_process)(void *arg, uint64_t id, unsigned process, int wait_status, const struct fn_err *err);
};

/* sock: connected SEQPACKET socket (owned from here on). */
int fn_spawn_client_new(struct fn_loop *loop, int sock, const struct fn_spawn_client_ops *ops, void *arg,
			struct fn_spawn_client **ret, struct fn_err *err);
int fn_spawn_client_reconnect(struct fn_spawn_client *c, int sock, struct fn_err *err);
void fn_spawn_client_free(struct fn_spawn_client *c);

/* err is NULL on success. On failure res is NULL. */
typedef void (*fn_spawn_fn)(void *arg, const struct fn_err *err, struct fn_spawned *res);
/* Builds and starts a sandbox. The spec is encoded before the call returns. environment: a number for whom it is, not 0, chosen by the caller and never
 * used for another; one that had a sandbox before gets its /tmp again, if that was kept (fn_spawn_reset(), fn_sandbox_exit). */
int fn_spawn_start(struct fn_spawn_client *c, const struct fn_spec *spec, uint64_t environment, fn_spawn_fn fn, void *arg, uint64_t *ret_request);
/* Has runtimes of spec->kind started ahead from now on (spec->prestart is set); again after fn-spawnd was restarted. fn, unless it is NULL, is
 * called as soon as there is one that has started; also when there can be none, and after FN_STOCK_PATIENCE_US (stock.h) at the latest. */
typedef void (*fn_spawn_ready_fn)(void *arg, uint64_t request);
int fn_spawn_prestart(struct fn_spawn_client *c, const struct fn_spec *spec, fn_spawn_ready_fn fn, void *arg, uint64_t *ret_request);
/* The request's result is no longer wanted: a sandbox that comes all the same is killed; fn is not called. */
void fn_spawn_cancel(struct fn_spawn_client *c, uint64_t request);
/* Its init is over: from now on the function's own share of CPU holds. */
void fn_spawn_initialised(struct fn_spawn_client *c, uint64_t id);
/* The runtime of a sandbox that has extensions is held until this is called. */
void fn_spawn_release(struct fn_spawn_client *c, uint64_t id);
/* Sends a signal to one process of a sandbox, with extensions or without; to one that has ended: nothing happens. What is frozen acts on it later. */
void fn_spawn_signal(struct fn_spawn_client *c, uint64_t id, unsigned process, int sig);
/* A socket for TCP in the sandbox's network, unconnected, non-blocking. fd is the receiver's; -EBADF with err. */
typedef void (*fn_spawn_socket_fn)(void *arg, const struct fn_err *err, int fd);
int fn_spawn_socket(struct fn_spawn_client *c, uint64_t id, fn_spawn_socket_fn fn, void *arg, uint64_t *ret_request);
/* Ends a sandbox (cgroup.kill), and what was kept of its environment. on_exit follows. Unknown ids are ignored. */
void fn_spawn_kill(struct fn_spawn_client *c, uint64_t id);
/* Ends a sandbox, not its environment: /tmp is kept for the next one, as that of a sandbox that ends by itself. on_exit follows and tells whether it was. */
void fn_spawn_reset(struct fn_spawn_client *c, uint64_t id);
/* The environment has ended while it had no sandbox. */
void fn_spawn_forget(struct fn_spawn_client *c, uint64_t environment);

/* Its invocation goes on for long: where CPUs are wanted, it is to have what shorter ones leave. on = false: it is over. */
void fn_spawn_long(struct fn_spawn_client *c, uint64_t id, bool on);
/* Has the kernel take back what a sandbox that idles does not need in memory (os/cgroup.h). on_reclaimed follows, or nothing. */
void fn_spawn_reclaim(struct fn_spawn_client *c, uint64_t id);

/* There are functions with a /tmp of so many bytes: some are made ahead from now on; again after fn-spawnd was restarted. */
void fn_spawn_expect_tmp(struct fn_spawn_client *c, uint64_t bytes);

/* A sandbox of this function with these trees will be asked for: its root is mounted by then. Should that fail, the start itself tells. */
void fn_spawn_expect_root(struct fn_spawn_client *c, const struct fn_spec *spec);

/* Unpacks the archive in `fd` (borrowed; dup'ed into the message) with fn-unpack, confined, to <state>/roots/<tree>. `tree` is
 * "<kind>-<hex>"; an existing tree is success at once. On failure nothing is left. FN_ERR_PACKAGE: the archive
 * is at fault (base/err.h; msg says how); anything else is the platform's. */
struct fn_unpack_request {
	int fd;
	char tree[FN_TREE_NAME_SIZE];
	char prefix[32];       /* directory inside the tree that receives the content: "var/task", "opt", "" */
	uint64_t max_bytes;    /* unpacked */
	uint32_t max_entries;
	bool trusted_image;    /* base images: symlinks may be absolute (they are resolved inside the sandbox's root) */
};
typedef void (*fn_unpack_fn)(void *arg, const struct fn_err *err, uint64_t unpacked_bytes);
int fn_spawn_unpack(struct fn_spawn_client *c, const struct fn_unpack_request *req, fn_unpack_fn fn, void *arg);
/* A container image's layer; fd may be a pipe. diff_id: of the tar that is in it, hex (image/layer_stream.h), held for the callback alone; "" = not known, since such a
 * tree was there already. */
typedef void (*fn_unpack_layer_fn)(void *arg, const struct fn_err *err, uint64_t unpacked_bytes, const char *diff_id);
int fn_spawn_unpack_layer(struct fn_spawn_client *c, const struct fn_unpack_request *req, fn_unpack_layer_fn fn, void *arg);
/* Makes one tree of those of an image's layers (lowest first, FN_PROTO_MERGE_MAX at most), which share their files with it: spawn/merge.h. As
 * fn_spawn_unpack() otherwise; bytes are those that it has beside them. */
struct fn_merge_request {
	const char *tree;
	char (*layers)[FN_TREE_NAME_SIZE];
	unsigned n_layers;
	uint64_t max_bytes;
	uint32_t max_entries;
};
int fn_spawn_merge(struct fn_spawn_client *c, const struct fn_merge_request *req, fn_unpack_fn fn, void *arg);
/* Has fn-fetch download an object into the file or pipe `fd` (borrowed; dup'ed into the message), from where it stands. result->err tells how it went
 * (image/fetch.h); err: it was not begun, or fn-spawnd has ended. */
struct fn_fetch_order;
struct fn_fetch_result;
typedef void (*fn_fetch_fn)(void *arg, const struct fn_err *err, const struct fn_fetch_result *result);
int fn_spawn_fetch(struct fn_spawn_client *c, const struct fn_fetch_order *order, int fd, fn_fetch_fn fn, void *arg);
/* Deletes a tree no longer referenced, and the roots prepared with it. Running sandboxes must not need it any more. What is asked for after this call
 * does not find it; fn (NULL = nobody) is told when nothing of it is left on the disk; that there was none is fine. */
typedef void (*fn_removed_fn)(void *arg, const struct fn_err *err);
int fn_spawn_remove_tree(struct fn_spawn_client *c, const char *tree, fn_removed_fn fn, void *arg);
/* Asks fn-spawnd for the lines of `doctor`: how each controller is driven, kernel features. */
typedef void (*fn_spawn_text_fn)(void *arg, const struct fn_err *err, const char *json);
int fn_spawn_describe(struct fn_spawn_client *c, fn_spawn_text_fn fn, void *arg);
/* Which trees there are: lines of survey.h. */
int fn_spawn_survey(struct fn_spawn_client *c, bool measure, fn_spawn_text_fn fn, void *arg);

#endif
