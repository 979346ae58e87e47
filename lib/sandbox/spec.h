/*
 * spec.h - what a sandbox is to be: plain data, sent by fnd, checked and built by fn-spawnd.
 *
 * fn-spawnd trusts no path: trees are named by digest and opened below <state>/roots. The encoded form
 * (fn_spec_encode/decode) is what crosses the socket; decoding validates every length, count and range.
 */
#ifndef FN_SANDBOX_SPEC_H
#define FN_SANDBOX_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define FN_SPEC_LOWERS_MAX 13  /* code, a snapshot, up to 5 layers of the function's and 6 of its base image */
#define FN_SPEC_STRINGS_MAX 640 /* of one vector: 4 KB hold 512 of the shortest environment variables, to which the platform adds its own */
#define FN_SPEC_STRINGS_BYTES 65536
#define FN_SPEC_VECTOR_MAX (3 * (FN_SPEC_STRINGS_MAX + 1)) /* pointers of all three vectors, with their NULLs */
#define FN_SPEC_WIRE_MAX 131072 /* bytes of an encoded spec */
/* As in Lambda it is the literal of an address that the sandbox has (sandbox/view.h). */
#define FN_SANDBOX_HOSTNAME "169.254.100.6"
#define FN_SANDBOX_ADDR 0xa9fe6406u
#define FN_RTAPI_PORT 9001     /* the Runtime API's listener, on 127.0.0.1 inside */
/*
 * A runtime started ahead finds FN_PRESTART_FD open and says so in this variable: a stream socket. It loads all that is not the function's,
 * writes one byte, and reads: a 32-bit length in the host's byte order, then that many bytes of environment, "NAME=value" with a NUL each.
 * When they come, its root has become the function's: it takes the environment for its own, goes to LAMBDA_TASK_ROOT, closes the
 * descriptor and begins as if it had just been executed.
 *
 * Nothing tells the function of it: the descriptor is above those that a runtime has open before its first connection, and the last of the 64
 * that a process has room for from the beginning; FN_PRESTART_ROOM is a variable as large as most environments are, so that the place that
 * /proc/self/environ shows (proc(5): env_start) has room for the function's.
 */
#define FN_PRESTART_ENV "_FND_PRESTART"
#define FN_PRESTART_FD 63
#define FN_PRESTART_ROOM "_FND_ROOM"
#define FN_PRESTART_ROOM_SIZE 8192
#define FN_SPEC_OWNER_SIZE 72
#define FN_SPEC_CWD_SIZE 1024 /* Lambda's bound for WorkingDirectory is 1000 */
#define FN_EXTENSIONS_MAX 10u /* Lambda's bound */
#define FN_SPEC_PROCESSES_MAX (1 + FN_EXTENSIONS_MAX) /* 0 is the runtime, 1 the first extension */
#define FN_TREE_NAME_SIZE 72   /* "<kind>-<64 hex>" with NUL, see image/cache.h */

enum fn_net_mode { FN_NET_LOOPBACK, FN_NET_NAT };

struct fn_spec {
	char name[40];     /* of the sandbox: its host name; [a-z0-9.-]+ */
	char owner[FN_SPEC_OWNER_SIZE]; /* whose it is: the function's name, [A-Za-z0-9_-]+; no other owner has an inode of its root. Empty with `prestart` alone */
	uint64_t memory_bytes;
	uint32_t cpu_quota_us, cpu_period_us;
	uint32_t cpu_init_quota_us; /* until fn_spawn_initialised(): as on Lambda, a small function's init has more than its share; >= cpu_quota_us */
	uint32_t pids_max;
	uint32_t nofile;
	uint64_t tmp_bytes;
	enum fn_net_mode net;
	unsigned n_lowers;         /* overlay lower trees, uppermost first: code, layers, base */
	char lowers[FN_SPEC_LOWERS_MAX][FN_TREE_NAME_SIZE];
	char cwd[FN_SPEC_CWD_SIZE]; /* "/var/task" */
	char kind[32];             /* runtime whose process may have been started ahead (FN_PRESTART_ENV); "" = none may */
	bool prestart;             /* this is how to start one ahead, of that kind: the trees are the base image's, the environment the runtime's */
	bool platform;             /* it may have the platform endpoint, where there is one; else what was made ahead of it is closed */
	bool image;                /* its root is a container image's: what a sandbox needs a place for may not be there */
	bool extensions;           /* executables in its /opt/extensions are started beside the runtime, which is held until they have registered */
	/* NULL-terminated vectors owned by the spec; argv_candidates: the first of them that is an executable file is run
	 * with argv[1..] (provided.*: "/var/task/bootstrap", "/opt/bootstrap"). */
	char **argv;
	char **envp;
	char **exec_candidates;    /* at least one absolute path */
};

/* "<kind>-<64 hex>": a single path component that cannot climb, the only names fn-spawnd opens. */
bool fn_tree_name_ok(const char *name);
int fn_spec_encode(const struct fn_spec *spec, struct fn_buf *out);
/* Decodes without copying: strings point into data, the three vectors into vec (FN_SPEC_VECTOR_MAX pointers). No fn_spec_clear(). */
int fn_spec_borrow(const void *data, size_t len, char **vec, struct fn_spec *ret, struct fn_err *err);
int fn_spec_decode(const void *data, size_t len, struct fn_spec *ret, struct fn_err *err);
int fn_spec_validate(const struct fn_spec *spec, struct fn_err *err);
void fn_spec_clear(struct fn_spec *spec);

enum fn_prepared { FN_PREPARED_NOT, FN_PREPARED_SANDBOX, FN_PREPARED_RUNTIME };

/* Stages of a cold start, microseconds each; the REPORT line shows them. */
struct fn_sandbox_timing {
	uint32_t queue_us;  /* waiting in fn-spawnd's queue */
	uint32_t cgroup_us;
	uint32_t mounts_us; /* root, /tmp, /proc, /dev, pivot */
	uint32_t clone_us;  /* clone3 with all namespaces */
	uint32_t net_us;    /* loopback up, listener, nat */
	uint32_t exec_us;   /* privileges dropped to execve done */
	uint32_t total_us;
	uint32_t prepared;  /* FN_PREPARED_*: what was made ahead; its clone and net were not waited for and are 0 */
	uint64_t begun_us;  /* CLOCK_MONOTONIC: when the runtime, or the extensions before it, were let go. Init Duration counts from here, not from when fnd hears of it */
};

/* The entry point among exec_candidates, seen from the sandbox. As Lambda's: the first that is there and no directory; one that cannot be run is not passed
 * over for the next. NULL: none is. */
const char *fn_spec_candidate(const struct fn_spec *spec);

/* Takes the variables out of envp that an extension does not get: those of the runtime's process, as Lambda's Developer Guide lists them ("extensions:
 * environment variables"), and names that begin with "_". */
void fn_spec_extension_env(char **envp);

/* How a sandbox ended. */
struct fn_sandbox_exit {
	int wait_status;      /* of the runtime process, as waitpid(2) gives it; -1 unknown (it was ended from outside, or init was killed) */
	bool oom;             /* the kernel's OOM killer struck in this cgroup */
	uint64_t memory_peak; /* bytes */
	uint64_t memory_files; /* of them page cache that is left behind: files on a disk, such as /tmp's */
	uint64_t cpu_usage_us;
	uint32_t tmp_mb;      /* it was ended for so much on the disk, which was at its end; 0 = it was not */
	bool tmp_kept;        /* its environment's next sandbox will have its /tmp, until fn_spawn_forget() */
	uint32_t files_open;  /* it was ended for having so many files open, or more; 0 = it was not */
};

#endif
