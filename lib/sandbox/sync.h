/*
 * sync.h - the handshake between fn-spawnd and a sandbox's init, over a SEQPACKET socketpair.
 *
 *   fn-spawnd                   init (PID 1 of the sandbox)
 *   clone3 ------------------>
 *                  <-----------  FN_SYNC_BORN     it has a table of descriptors of its own (and the network namespace, where that is to be attached)
 *   id maps, groups of v1, ...   makes its network namespace
 *   FN_SYNC_GO --------------->  PREPARE: groups, ids, network, /proc, PID 2      (+ its /dev; its /proc, if fn_rootfs_bare(); `tasks` of the v1
 *                                                                                  hierarchies, opened by root: init moves itself in)
 *                  <-----------  FN_SYNC_READY    (+ the Runtime API listener; the platform endpoint's, where there is one)
 *   (a runtime that is started ahead: FN_SYNC_PRESTART follows FN_SYNC_GO, an order of the same form for the runtime alone, and FN_SYNC_READY
 *   comes only when it has loaded)
 *   (the sandbox is kept until a function needs it, or the order follows FN_SYNC_GO at once)
 *   FN_SYNC_ORDER  ----------->  START: root, /tmp, privileges      (+ the root, and the environment's /tmp where it is on the disk, or
 *                                                                                  was another sandbox's; behind the message the encoded spec)
 *                  <-----------  FN_SYNC_RUNNING  the runtime's execve succeeded
 *                  <-----------  FN_SYNC_EXIT     the runtime's wait status; init then waits to be killed
 *   With extensions (the spec asks for them, and there are some; their output pipe came with the order):
 *                  <-----------  FN_SYNC_RUNNING  their execve has succeeded (behind the message their names, with a NUL each); the runtime is held
 *   FN_SYNC_RELEASE --------->   the runtime's execve, or its environment
 *                  <-----------  FN_SYNC_EXIT     of each of these processes; init stays until it is killed
 *   In either half a step may fail: FN_SYNC_FAILED + err instead.
 */
#ifndef FN_SANDBOX_SYNC_H
#define FN_SANDBOX_SYNC_H

#include <stdint.h>

#include "base/err.h"
#include "sandbox/spec.h"

enum fn_sync_type { FN_SYNC_BORN = 1, FN_SYNC_GO, FN_SYNC_PRESTART, FN_SYNC_ORDER, FN_SYNC_READY, FN_SYNC_RUNNING, FN_SYNC_FAILED, FN_SYNC_EXIT, FN_SYNC_RELEASE };

enum { FN_SYNC_TMP = 1, FN_SYNC_EXTENSIONS = 2 }; /* what an order brings besides the root, in this order: /tmp, the output pipe of extensions */

struct fn_sync_msg {
	uint32_t type;
	int32_t wait_status;
	uint32_t brings;                                /* FN_SYNC_ORDER */
	uint32_t process;                               /* FN_SYNC_EXIT: 0 is the runtime, 1 the first extension */
	uint32_t cgroup_us, net_us, mounts_us, exec_us; /* of the half that has ended: FN_SYNC_READY, FN_SYNC_RUNNING */
	uint64_t begun_us;                              /* FN_SYNC_RUNNING: as in struct fn_sandbox_timing */
	uint32_t n_extensions, extensions_off;          /* likewise; off: by the file that turns them off */
	int32_t pids[FN_SPEC_PROCESSES_MAX];            /* likewise: by process, as they are inside */
	struct fn_err err;                              /* FN_SYNC_FAILED; FN_SYNC_EXIT of a runtime that could not be executed */
};

#endif
