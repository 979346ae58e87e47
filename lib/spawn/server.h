/*
 * server.h - fn-spawnd's work: builds, watches and ends sandboxes; has archives unpacked. Event-driven and single-threaded: no
 * sandbox's handshake, teardown or archive holds up another.
 */
#ifndef FN_SPAWN_SERVER_H
#define FN_SPAWN_SERVER_H

#include "base/err.h"
#include "base/loop.h"
#include "os/cgroup.h"
#include "os/ns.h"
#include "os/sec.h"
#include "sandbox/netns.h"
#include "sandbox/rootfs.h"
#include "spawn/nat.h"
#include "spawn/tmps.h"

/* fn-spawnd's exit status when its configuration cannot work on this host: to start it again is no help. */
#define FN_SPAWND_UNFIT 78

struct fn_spawn_server_config {
	struct fn_loop *loop;
	int sock;                 /* SEQPACKET to fnd's worker; owned */
	struct fn_cgroups *cgroups;
	struct fn_rootfs *rootfs;
	const struct fn_seccomp *seccomp, *init_seccomp; /* sandbox/child.h */
	int host_ns_fd;           /* mount namespace in which fn-unpack is started */
	const char *unpack_path;  /* of fn-unpack there */
	const char *fetch_path;   /* of fn-fetch there */
	int fetch_fd;             /* its settings (image/fetch.h); -EBADF: nothing is downloaded */
	const char *trees_dir;    /* where trees are unpacked: FN_ROOTFS_TREES, as rootfs uses it */
	uint32_t uid_base, uid_count; /* the host ids that are ours; 0 = as many as are of use */
	struct fn_ns_title title; /* of this process; sandboxes show none of it */
	struct fn_child_platform platform; /* sandbox/netns.h */
	struct fn_nat *nat;       /* NULL: sandboxes have loopback alone */
	struct fn_tmps *tmps;     /* the environments' /tmp */
	unsigned stock_least, stock_most;       /* sandboxes kept ready: stock.h; most 0 = none is made ahead */
	unsigned prestart_least, prestart_most; /* the same for each runtime */
};

struct fn_spawn_server;
int fn_spawn_server_new(const struct fn_spawn_server_config *config, struct fn_spawn_server **ret, struct fn_err *err);
/* Ends every sandbox; the loop is stopped once the last one is gone. */
void fn_spawn_server_shutdown(struct fn_spawn_server *s);
void fn_spawn_server_free(struct fn_spawn_server *s);

/* The unpacking half (unpack.c), used by server.c alone. */
struct fn_unpacker;
struct fn_proto_unpack;
struct fn_proto_unpacked;
/* res: of what has been made; NULL with err. */
typedef void (*fn_unpacker_done_fn)(void *arg, uint64_t request, const struct fn_err *err, const struct fn_proto_unpacked *res);
typedef void (*fn_unpacker_removed_fn)(void *arg, uint64_t request, const struct fn_err *err);
int fn_unpacker_new(const struct fn_spawn_server_config *config, fn_unpacker_done_fn done, fn_unpacker_removed_fn removed, void *arg,
		    struct fn_unpacker **ret);
/* Takes archive_fd. `done` is called later, from the loop, or at once on failure. */
void fn_unpacker_start(struct fn_unpacker *u, uint64_t request, const struct fn_proto_unpack *req, int archive_fd);
/* No sandbox begins with it any more when this returns; `removed` is called when nothing of it is left, perhaps at once, unless request is 0. */
void fn_unpacker_remove_tree(struct fn_unpacker *u, const char *tree, uint64_t request);
/* Of a directory ".tmp-NUMBER" in which a tree is made: nothing of that name is there, not even what an earlier run could not remove. */
uint64_t fn_unpacker_number(struct fn_unpacker *u);
void fn_unpacker_free(struct fn_unpacker *u); /* kills what runs */

/* Image layers' trees made one (merger.c), used by server.c alone. */
struct fn_merger;
struct fn_proto_merge;
int fn_merger_new(const struct fn_spawn_server_config *config, struct fn_unpacker *unpacker, fn_unpacker_done_fn done, void *arg, struct fn_merger **ret);
void fn_merger_start(struct fn_merger *m, uint64_t request, const struct fn_proto_merge *req);
void fn_merger_free(struct fn_merger *m); /* kills what runs */

/* Downloads (fetcher.c), used by server.c alone. */
struct fn_fetcher;
struct fn_fetch_order;
struct fn_fetch_result;
typedef void (*fn_fetcher_done_fn)(void *arg, uint64_t request, const struct fn_fetch_result *result);
int fn_fetcher_new(const struct fn_spawn_server_config *config, fn_fetcher_done_fn done, void *arg, struct fn_fetcher **ret);
/* Takes file_fd. `done` is called later, from the loop, or at once on failure. */
void fn_fetcher_start(struct fn_fetcher *f, uint64_t request, const struct fn_fetch_order *order, int file_fd);
void fn_fetcher_free(struct fn_fetcher *f); /* kills what runs */

#endif
