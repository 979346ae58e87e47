/*
 * proto.h - messages between fnd's worker and fn-spawnd: one SEQPACKET message each, plain data, same binary on both sides
 * (the version is checked all the same: an upgrade may replace files under a running daemon).
 */
#ifndef FN_SPAWN_PROTO_H
#define FN_SPAWN_PROTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sandbox/spec.h"

#define FN_PROTO_VERSION 12u
#define FN_PROTO_MAX 131072 /* bytes of one message */
#define FN_PROTO_MERGE_MAX 1024u /* as FN_IMAGE_LAYERS_LIMIT, model/image.h */

enum fn_proto_type {
	/* to fn-spawnd */
	FN_PROTO_SPAWN = 1, /* id: the environment's, chosen by the client; + encoded spec */
	FN_PROTO_PRESTART,  /* + encoded spec with `prestart`; with a request: FN_PROTO_READY follows */
	FN_PROTO_KILL,      /* id; its environment ends with it */
	FN_PROTO_INITIALISED, /* id */
	FN_PROTO_RECLAIM,   /* id */
	FN_PROTO_UNPACK,    /* + struct fn_proto_unpack; fd: the archive */
	FN_PROTO_REMOVE,    /* + tree name; with a request: FN_PROTO_REMOVED follows */
	FN_PROTO_SURVEY,    /* + a byte: 1 = the trees are measured, too */
	FN_PROTO_DESCRIBE,
	FN_PROTO_TMP,       /* + uint64: there are functions with a /tmp of so many bytes */
	FN_PROTO_RESET,     /* id; its environment stays, and has another one later: what is kept of it goes there */
	FN_PROTO_FORGET,    /* id of an environment: it has ended, having no sandbox */
	FN_PROTO_RELEASE,   /* id; its runtime, held for extensions, begins */
	FN_PROTO_SIGNAL,    /* id + struct fn_proto_signal */
	FN_PROTO_FETCH,     /* + struct fn_fetch_order (image/fetch.h); fd: the file to write */
	FN_PROTO_SOCKET,    /* id; FN_PROTO_SOCKET_MADE follows */
	FN_PROTO_MERGE,     /* + struct fn_proto_merge; FN_PROTO_UNPACKED follows */
	FN_PROTO_ROOT,      /* + encoded spec: sandboxes with its root will be asked for */
	FN_PROTO_LONG,      /* id + uint32: what it is at goes on for long; 0 = it is over */
	/* from fn-spawnd */
	FN_PROTO_SPAWNED = 64, /* + struct fn_proto_spawned; fds: listener, output, freeze[, peak][, oom][, tmp][, stat][, platform endpoint][, extensions' output];
				* behind it their names, with a NUL each */
	FN_PROTO_FAILED,       /* + struct fn_err */
	FN_PROTO_EXITED,       /* id + struct fn_sandbox_exit */
	FN_PROTO_UNPACKED,     /* + struct fn_proto_unpacked */
	FN_PROTO_TEXT,         /* + text */
	FN_PROTO_RECLAIMED,    /* id + uint64 bytes it still holds */
	FN_PROTO_REMOVED,      /* nothing of it is left */
	FN_PROTO_SURVEYED,     /* fd: a file in memory, spawn/survey.h */
	FN_PROTO_READY,        /* one has been started ahead, or none could be within a while */
	FN_PROTO_PROCESS,      /* id + struct fn_proto_process: one of several has ended, its sandbox has not */
	FN_PROTO_FETCHED,      /* + struct fn_fetch_result */
	FN_PROTO_SOCKET_MADE,  /* fd */
};

struct fn_proto_header {
	uint32_t version, type;
	uint64_t request; /* chosen by the client; 0 = none */
	uint64_t id;      /* the sandbox, where one is meant, or the environment */
	uint64_t sent_us; /* monotonic, so that time in the queue can be told */
};

struct fn_proto_spawned {
	int32_t init_pid;
	uint32_t has_peak, has_oom, has_tmp, has_stat, has_platform, n_extensions, extensions_off;
	struct fn_sandbox_timing timing;
};

/* process: 0 is the runtime, 1 the first extension */
struct fn_proto_signal {
	uint32_t process;
	int32_t signal;
};

struct fn_proto_process {
	uint32_t process;
	int32_t wait_status;
	struct fn_err err; /* code not 0: the runtime could not be executed, once it was released */
};

struct fn_proto_unpack {
	char tree[FN_TREE_NAME_SIZE];
	char prefix[32];
	uint64_t max_bytes;
	uint32_t max_entries, trusted_image, layer;
};

struct fn_proto_unpacked {
	uint64_t bytes;
	char diff_id[65]; /* of a layer (image/layer_stream.h); "" = it is none, or its tree was there already */
};

/* Trees of layers of a container image that become one (spawn/merge.h). As many of `layers` as there are, lowest first. */
struct fn_proto_merge {
	char tree[FN_TREE_NAME_SIZE];
	uint64_t max_bytes;
	uint32_t max_entries, n_layers;
	char layers[FN_PROTO_MERGE_MAX][FN_TREE_NAME_SIZE];
};
#define FN_PROTO_MERGE_SIZE(n) (offsetof(struct fn_proto_merge, layers) + (size_t)(n) * FN_TREE_NAME_SIZE)

#endif
